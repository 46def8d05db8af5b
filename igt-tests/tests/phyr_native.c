// SPDX-License-Identifier: MIT
#include <string.h>

#include "lib.h"

IGT_TEST_DESCRIPTION("No sg_table is made between a phyr exporter and a phyr importer");

/* What a scatterlist would be made or mapped by. */
static const char *const forbidden[] = {
	"sg_alloc_table", "__sg_alloc_table", "sgl_alloc", "dma_map_sg",
	"dma_map_sgtable", "dma_buf_map_attachment", "drm_prime_pages_to_sg",
};

/* What must be seen instead. */
static const char *const expected[] = {
	"phyr_attach", "phyr_map", "phyr_unmap", "phyr_detach",
};

/**
 * struct seen - functions that were called
 * @forbidden: lines of calls of forbidden ones
 * @first: the first such line
 * @expected: calls of each expected one
 */
struct seen {
	unsigned int forbidden;
	char first[256];
	unsigned int expected[ARRAY_SIZE(expected)];
};

static bool is_call_of(const char *function, const char *name, bool whole)
{
	size_t len = strlen(name);

	return !strncmp(function, name, len) &&
	       (!whole || function[len] == ' ' || function[len] == '\n');
}

/* "task-pid [cpu] flags time: function <-caller" */
static void see_call(char *line, void *data)
{
	struct seen *seen = data;
	const char *function = strstr(line, ": ");

	igt_assert_f(function && strstr(line, "<-"),
		     "not a line of the function tracer: %s", line);
	function += 2;
	for (unsigned int i = 0; i < ARRAY_SIZE(forbidden); i++) {
		if (!is_call_of(function, forbidden[i], false))
			continue;
		if (!seen->forbidden++)
			snprintf(seen->first, sizeof(seen->first), "%s",
				 function);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(expected); i++)
		seen->expected[i] += is_call_of(function, expected[i], true);
}

/* Finding the functions takes seconds in an emulated machine: once. */
static void set_up(void)
{
	char filter[64];

	trace_reset();
	for (unsigned int i = 0; i < ARRAY_SIZE(forbidden); i++) {
		snprintf(filter, sizeof(filter), "%s*", forbidden[i]);
		trace_append("set_ftrace_filter", filter);
	}
	trace_append("set_ftrace_filter", "phyr_*");
	trace_write("current_tracer", "function");
}

static bool all_seen(const struct seen *seen)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(expected); i++)
		if (!seen->expected[i])
			return false;
	return true;
}

/* A worker may unmap some time after the client let go: wait for all calls. */
static struct seen stop(void)
{
	struct seen seen;
	int tries = 0;

	do {
		usleep(100000);
		memset(&seen, 0, sizeof(seen));
		trace_each(see_call, &seen);
	} while (!all_seen(&seen) && !seen.forbidden && ++tries < 50);
	trace_stop();
	memset(&seen, 0, sizeof(seen));
	trace_each(see_call, &seen);
	return seen;
}

static void assert_native(const struct seen *seen)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(expected); i++)
		igt_assert_f(seen->expected[i], "%s() was never called\n",
			     expected[i]);
	igt_assert_f(!seen->forbidden, "%u calls that make or map scatterlists, the first: %s",
		     seen->forbidden, seen->first);
}

/* Import, map, DMA, unmap and detach, of a card's buffers only. */
static void dma(uint64_t max_extent)
{
	int vram = open_vram(0), engine = open_copy(0);
	uint32_t handles[2], imported[2];
	struct seen seen;

	for (int i = 0; i < 2; i++)
		handles[i] = create_vram(vram, SZ_1M, IN_VRAM, max_extent);
	fill_vram(vram, handles[0], SZ_1M, 1);
	trace_start();
	for (int i = 0; i < 2; i++)
		imported[i] = import_from(engine, vram, handles[i]);
	copy(engine, imported[0], imported[1], SZ_1M);
	for (int i = 0; i < 2; i++)
		igt_assert_eq(phyr_close_handle(engine, imported[i]), 0);
	seen = stop();
	assert_vram(vram, handles[1], SZ_1M, 1);
	assert_native(&seen);
	close(engine);
	close(vram);
}

static void map(void)
{
	int test = open_phyr_test(SECOND_IVSHMEM);
	struct phyr_test_import import = {
		.api = PHYR_TEST_API_PHYR,
		.iterations = 10,
	};
	struct seen seen;

	import.fd = test_export(test, PHYR_TEST_STYLE_PHYR, 0, 512, SZ_4K,
				SZ_64K);
	trace_start();
	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_IMPORT, &import), 0);
	seen = stop();
	assert_native(&seen);
	igt_assert_eq(seen.expected[1], 10);
	close(import.fd);
	close(test);
}

/* The tracer does see scatterlists where the stock kernel makes them. */
static void stock_is_seen(void)
{
	int test = open_phyr_test(SECOND_IVSHMEM);
	struct phyr_test_import import = {
		.api = PHYR_TEST_API_STOCK,
		.iterations = 1,
	};
	struct seen seen;

	import.fd = test_export(test, PHYR_TEST_STYLE_STOCK, 0, 1, SZ_4K, 0);
	trace_start();
	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_IMPORT, &import), 0);
	seen = stop();
	igt_assert(seen.forbidden);
	close(import.fd);
	close(test);
}

igt_main()
{
	igt_fixture() {
		run("modprobe phyr_test");
		set_up();
	}

	igt_describe("Import, map, DMA and unmap of a card's buffers");
	igt_subtest("dma")
		dma(0);

	igt_describe("The same with fragmented buffers");
	igt_subtest("dma-fragmented")
		dma(SZ_4K);

	igt_describe("Attach, map, unmap, detach for a device of the test module");
	igt_subtest("map")
		map();

	igt_describe("This test would see a scatterlist: the stock kernel makes one");
	igt_subtest("stock-is-seen")
		stock_is_seen();

	igt_fixture()
		trace_reset();
}

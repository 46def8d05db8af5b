// SPDX-License-Identifier: MIT
#include <string.h>

#include "lib.h"

IGT_TEST_DESCRIPTION("No sg_table is made between a phyr exporter and a phyr importer");

/* Prefixes of functions that create or map scatterlists. */
static const char *const forbidden[] = {
	"sg_alloc_table", "__sg_alloc_table", "sgl_alloc", "dma_map_sg",
	"dma_map_sgtable", "dma_buf_map_attachment", "drm_prime_pages_to_sg",
};

/* Functions that must be called instead. */
static const char *const expected[] = {
	"phyr_attach", "phyr_map", "phyr_unmap", "phyr_detach",
};

/**
 * struct calls - calls in the trace
 * @forbidden: number of calls to forbidden functions
 * @first: trace line of the first of them
 * @expected: number of calls to each expected function
 */
struct calls {
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

/* A line is "task-pid [cpu] flags time: function <-caller". */
static void count_call(char *line, void *data)
{
	struct calls *calls = data;
	const char *function = strstr(line, ": ");

	igt_assert_f(function && strstr(line, "<-"),
		     "unexpected line in the trace: %s", line);
	function += 2;
	for (unsigned int i = 0; i < ARRAY_SIZE(forbidden); i++) {
		if (!is_call_of(function, forbidden[i], false))
			continue;
		if (!calls->forbidden++)
			snprintf(calls->first, sizeof(calls->first), "%s",
				 function);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(expected); i++)
		calls->expected[i] += is_call_of(function, expected[i], true);
}

/* Set filters once: resolving them takes seconds in an emulated machine. */
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

static bool all_expected_called(const struct calls *calls)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(expected); i++)
		if (!calls->expected[i])
			return false;
	return true;
}

/* A worker may unmap after the client closed: wait for all expected calls. */
static struct calls stop_trace(void)
{
	struct calls calls;
	int tries = 0;

	do {
		usleep(100000);
		memset(&calls, 0, sizeof(calls));
		trace_each(count_call, &calls);
	} while (!all_expected_called(&calls) && !calls.forbidden && ++tries < 50);
	trace_stop();
	memset(&calls, 0, sizeof(calls));
	trace_each(count_call, &calls);
	return calls;
}

static void assert_native(const struct calls *calls)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(expected); i++)
		igt_assert_f(calls->expected[i], "%s() was never called\n",
			     expected[i]);
	igt_assert_f(!calls->forbidden, "%u calls that create or map scatterlists, the first: %s",
		     calls->forbidden, calls->first);
}

/* Import, map, copy, unmap and detach buffers of phyr_vram. */
static void dma(uint64_t max_extent)
{
	int vram = open_vram(0), engine = open_copy(0);
	uint32_t handles[2], imported[2];
	struct calls calls;

	for (int i = 0; i < 2; i++)
		handles[i] = create_vram(vram, SZ_1M, IN_VRAM, max_extent);
	fill_vram(vram, handles[0], SZ_1M, 1);
	trace_start();
	for (int i = 0; i < 2; i++)
		imported[i] = import_from(engine, vram, handles[i]);
	copy_bytes(engine, imported[0], imported[1], SZ_1M);
	for (int i = 0; i < 2; i++)
		igt_assert_eq(phyr_close_handle(engine, imported[i]), 0);
	calls = stop_trace();
	assert_vram(vram, handles[1], SZ_1M, 1);
	assert_native(&calls);
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
	struct calls calls;

	import.fd = test_export(test, PHYR_TEST_STYLE_PHYR, 0, 512, SZ_4K,
				SZ_64K);
	trace_start();
	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_IMPORT, &import), 0);
	calls = stop_trace();
	assert_native(&calls);
	igt_assert_eq(calls.expected[1], 10);
	close(import.fd);
	close(test);
}

/* Verify that the trace detects scatterlists, with a stock exporter. */
static void detect_scatterlist(void)
{
	int test = open_phyr_test(SECOND_IVSHMEM);
	struct phyr_test_import import = {
		.api = PHYR_TEST_API_STOCK,
		.iterations = 1,
	};
	struct calls calls;

	import.fd = test_export(test, PHYR_TEST_STYLE_STOCK, 0, 1, SZ_4K, 0);
	trace_start();
	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_IMPORT, &import), 0);
	calls = stop_trace();
	igt_assert(calls.forbidden);
	close(import.fd);
	close(test);
}

igt_main()
{
	igt_fixture() {
		run_command("modprobe phyr_test");
		set_up();
	}

	igt_describe("Import, map, DMA and unmap of VRAM buffers create no scatterlist");
	igt_subtest("dma")
		dma(0);

	igt_describe("Import, map, DMA and unmap of fragmented VRAM buffers create no scatterlist");
	igt_subtest("dma-fragmented")
		dma(SZ_4K);

	igt_describe("Attach, map, unmap and detach by the test module create no scatterlist");
	igt_subtest("map")
		map();

	igt_describe("The trace detects the scatterlist of a stock exporter");
	igt_subtest("stock-is-seen")
		detect_scatterlist();

	igt_fixture()
		trace_reset();
}

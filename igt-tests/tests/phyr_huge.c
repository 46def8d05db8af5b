// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <string.h>

#include "lib.h"

IGT_TEST_DESCRIPTION("Buffers of 20 GiB in one extent and of millions of extents, in a card of 64 GiB (vm/run --vram 64G)");

#define GIB	(1ull << 30)
#define EXTENTS	4194304ull

static int test;
static uint64_t bar;
static const char *mode;

/* Allocations by phyr.ko, from kmalloc trace events: count, largest, its line. */
struct allocations {
	uint64_t phyr;
	uint64_t largest;
	char line[256];
};

static void count_allocation(char *line, void *data)
{
	struct allocations *seen = data;
	const char *bytes = strstr(line, "bytes_req=");
	uint64_t size;

	if (!bytes || !strstr(line, "[phyr]"))
		return;
	igt_assert(sscanf(bytes, "bytes_req=%" SCNu64, &size) == 1);
	seen->phyr++;
	if (size <= seen->largest)
		return;
	seen->largest = size;
	snprintf(seen->line, sizeof(seen->line), "%s", line);
}

static void trace_allocations(void)
{
	trace_reset();
	trace_write("buffer_size_kb", "16384");
	trace_write("set_event", "kmem:kmalloc");
	trace_write("current_tracer", "nop");
	/* The kmalloc event does not cover vmalloc(). */
	trace_append("set_ftrace_filter", "vmalloc*");
	trace_append("set_ftrace_filter", "__vmalloc*");
	trace_append("set_ftrace_filter", "__kvmalloc*");
	trace_write("current_tracer", "function");
	trace_start();
}

static void count_vmalloc(char *line, void *data)
{
	unsigned int *calls = data;

	if (strstr(line, "<-phyr_") || strstr(line, "<-dma_range_"))
		(*calls)++;
}

static void assert_small_allocations(uint64_t chunks)
{
	struct allocations seen = { 0 };
	unsigned int vmallocs = 0;

	trace_stop();
	trace_each(count_allocation, &seen);
	trace_each(count_vmalloc, &vmallocs);
	trace_reset();
	igt_info("%" PRIu64 " allocations by phyr, the largest of %" PRIu64
		 " bytes\n", seen.phyr, seen.largest);
	igt_assert_f(seen.phyr >= chunks,
		     "the trace has %" PRIu64 " allocations by phyr, expected at least %"
		     PRIu64 ": events were lost\n", seen.phyr, chunks);
	igt_assert_f(seen.largest <= 4096, "an allocation is larger than a page: %s", seen.line);
	igt_assert_f(!vmallocs, "%u calls of vmalloc by phyr\n", vmallocs);
}

static void import(int dmabuf, uint64_t offset, uint64_t len,
		   struct phyr_test_range *ranges, uint32_t max,
		   struct phyr_test_import *import)
{
	*import = (struct phyr_test_import){
		.fd = dmabuf,
		.api = PHYR_TEST_API_PHYR,
		.offset = offset,
		.len = len,
		.iterations = 1,
		.max_ranges = max,
		.ranges = (uintptr_t)ranges,
	};
	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_IMPORT, import), 0);
	igt_assert_f(!strcmp(import->mode, mode), "mode '%s', expected '%s'\n",
		     import->mode, mode);
}

static void one_extent(void)
{
	struct phyr_test_range range;
	struct phyr_test_import map;
	int dmabuf;

	trace_allocations();
	dmabuf = test_export(test, PHYR_TEST_STYLE_PHYR, 3 * GIB, 1, 20 * GIB,
			     0);
	import(dmabuf, 0, 0, &range, 1, &map);
	assert_small_allocations(1);
	igt_assert_eq_u64(map.total, 20 * GIB);
	igt_assert_eq_u64(map.nr_ranges, 1);
	igt_assert_eq_u64(range.len, 20 * GIB);
	if (strcmp(mode, "iova"))
		igt_assert_eq_u64(range.addr, bar + 3 * GIB);

	/* A part that begins above 4 GiB and is longer than 4 GiB. */
	import(dmabuf, 5 * GIB + 123, 9 * GIB + 45, &range, 1, &map);
	igt_assert_eq_u64(map.total, 9 * GIB + 45);
	igt_assert_eq_u64(map.nr_ranges, 1);
	igt_assert_eq_u64(range.len, 9 * GIB + 45);
	igt_assert_eq_u64(range.addr % SZ_4K, 123);
	close(dmabuf);
}

static void large_extents(void)
{
	struct phyr_test_range ranges[8];
	struct phyr_test_import map;
	int dmabuf = test_export(test, PHYR_TEST_STYLE_PHYR, 40 * GIB, 6,
				 6 * GIB, -8 * (int64_t)GIB);

	import(dmabuf, 0, 0, ranges, 8, &map);
	igt_assert_eq_u64(map.total, 36 * GIB);
	if (!strcmp(mode, "iova")) {
		igt_assert_eq_u64(map.nr_ranges, 1);
		igt_assert_eq_u64(ranges[0].len, 36 * GIB);
	} else {
		igt_assert_eq_u64(map.nr_ranges, 6);
		for (int i = 0; i < 6; i++) {
			igt_assert_eq_u64(ranges[i].addr,
					  bar + (40 - 8 * i) * GIB);
			igt_assert_eq_u64(ranges[i].len, 6 * GIB);
		}
	}
	close(dmabuf);
}

static void limits(void)
{
	struct phyr_test_range *ranges = calloc(8192, sizeof(*ranges));
	struct phyr_test_import map = {
		.api = PHYR_TEST_API_PHYR,
		.max_len = 4096ull * 1024,
		.boundary = SZ_4G,
		.iterations = 1,
		.max_ranges = 8192,
		.ranges = (uintptr_t)ranges,
	};
	uint64_t next;

	igt_assert(ranges);
	map.fd = test_export(test, PHYR_TEST_STYLE_PHYR, GIB, 1, 20 * GIB, 0);
	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_IMPORT, &map), 0);
	igt_assert_eq_u64(map.total, 20 * GIB);
	igt_assert_lte_u64(20 * GIB / map.max_len, map.nr_ranges);
	igt_assert_lte_u64(map.nr_ranges, 8192);
	next = ranges[0].addr;
	for (uint64_t i = 0; i < map.nr_ranges; i++) {
		igt_assert_eq_u64(ranges[i].addr, next);
		igt_assert_lte_u64(ranges[i].len, map.max_len);
		igt_assert_eq_u64(ranges[i].addr / SZ_4G,
				  (ranges[i].addr + ranges[i].len - 1) / SZ_4G);
		next += ranges[i].len;
	}
	igt_assert_eq_u64(next - ranges[0].addr, 20 * GIB);
	free(ranges);
	close(map.fd);
}

/* EXTENTS extents of 4 KiB, @stride apart, the first one at @begin. */
static void many_extents(uint64_t begin, int64_t stride)
{
	struct phyr_test_range *ranges = calloc(EXTENTS, sizeof(*ranges));
	struct phyr_test_import map;
	int dmabuf;

	igt_assert(ranges);
	trace_allocations();
	dmabuf = test_export(test, PHYR_TEST_STYLE_PHYR, begin, EXTENTS, SZ_4K,
			     stride);
	import(dmabuf, 0, 0, ranges, EXTENTS, &map);
	assert_small_allocations(EXTENTS * sizeof(*ranges) / 4096);
	igt_assert_eq_u64(map.total, EXTENTS * SZ_4K);
	if (!strcmp(mode, "iova")) {
		igt_assert_eq_u64(map.nr_ranges, 1);
		igt_assert_eq_u64(ranges[0].len, EXTENTS * SZ_4K);
	} else {
		igt_assert_eq_u64(map.nr_ranges, EXTENTS);
		for (uint64_t i = 0; i < EXTENTS; i++)
			igt_assert_f(ranges[i].addr == bar + begin + i * stride &&
				     ranges[i].len == SZ_4K,
				     "range %" PRIu64 " is %#llx + %#llx, expected %#llx + %#llx\n",
				     i, ranges[i].addr, ranges[i].len,
				     (unsigned long long)(bar + begin + i * stride),
				     (unsigned long long)SZ_4K);
	}
	free(ranges);
	close(dmabuf);
}

/*
 * The length in an sg_table is 32 bits wide. Entries are split at whole pages,
 * cover every byte and, behind an IOMMU, are contiguous.
 */
static void table(uint64_t count, uint64_t len, uint64_t start, int64_t stride)
{
	const uint64_t largest = UINT32_MAX & ~(SZ_4K - 1);
	uint64_t entries = (len + largest - 1) / largest * count, at = 0;
	struct phyr_test_range ranges[64];
	struct phyr_test_import map = {
		.fd = test_export(test, PHYR_TEST_STYLE_PHYR, start, count, len,
				  stride),
		.api = PHYR_TEST_API_STOCK,
		.iterations = 1,
		.max_ranges = ARRAY_SIZE(ranges),
		.ranges = (uintptr_t)ranges,
	};

	if (iommu_is_on())
		entries = (count * len + largest - 1) / largest;
	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_IMPORT, &map), 0);
	igt_assert_eq_u64(map.total, count * len);
	igt_assert_eq_u64(map.nr_ranges, entries);
	for (uint64_t i = 0; i < entries; i++) {
		uint64_t want = iommu_is_on() ? ranges[0].addr + at :
				bar + start + at / len * stride + at % len;

		igt_assert_eq_u64(ranges[i].addr, want);
		igt_assert_eq_u64(ranges[i].addr % SZ_4K, 0);
		igt_assert_eq_u64(ranges[i].len % SZ_4K, 0);
		igt_assert_lte_u64(ranges[i].len, UINT32_MAX);
		at += ranges[i].len;
	}
	igt_assert_eq_u64(at, count * len);
	close(map.fd);
}

static void require_engine(void)
{
	igt_require_f(iommu_is_on(),
		      "the engine reaches this BAR only through an IOMMU\n");
	bind_engines();
}

/* Copy @len bytes to @dst_offset of the buffer and back. */
static void through_buffer(int engine, uint32_t buffer, uint64_t offset,
			   uint64_t len, uint64_t seed)
{
	uint32_t src = create_own(engine, len), dst = create_own(engine, len);

	fill_own(engine, src, len, seed);
	copy_part(engine, src, 0, buffer, offset, len);
	copy_part(engine, buffer, offset, dst, 0, len);
	assert_own(engine, dst, len, seed);
	igt_assert_eq(phyr_close_handle(engine, src), 0);
	igt_assert_eq(phyr_close_handle(engine, dst), 0);
}

/* A DMA address space of 2 GiB does not hold the buffer, but each part. */
static void large_dmabuf(uint64_t count, uint64_t len, int64_t stride)
{
	int dmabuf, engine;
	uint32_t buffer;

	require_engine();
	engine = open_copy(0);
	dmabuf = test_export(test, PHYR_TEST_STYLE_PHYR, 8 * GIB, count, len,
			     stride);
	buffer = import_buffer(engine, dmabuf);
	through_buffer(engine, buffer, 0, SZ_4K, 1);
	through_buffer(engine, buffer, 3 * GIB - 123, SZ_4K, 2);
	through_buffer(engine, buffer, 4 * GIB - SZ_4K, SZ_4K, 3);
	through_buffer(engine, buffer, GIB - 5, SZ_1M, 4);
	/* Within the buffer: two parts at the same time. */
	copy_part(engine, buffer, GIB - 5, buffer, 2 * GIB, SZ_1M);
	close(engine);
	close(dmabuf);
}

/*
 * A client copies @len bytes of each of 18 buffers of 128 MiB and idles.
 * Another client's copy of 1 MiB must run.
 */
static void idle_buffers(uint64_t len)
{
	enum { BUFFERS = 18 };
	const uint64_t size = 128 * SZ_1M;
	int dmabufs[BUFFERS], idle, other;
	uint32_t handles[BUFFERS];

	require_engine();
	idle = open_copy(0);
	other = open_copy(0);
	for (int i = 0; i < BUFFERS; i++) {
		dmabufs[i] = test_export(test, PHYR_TEST_STYLE_PHYR,
					 2 * i * size, 1, size, 0);
		handles[i] = import_buffer(idle, dmabufs[i]);
	}
	for (int i = 1; i < BUFFERS; i += 2)
		copy_part(idle, handles[i], size - len, handles[i - 1],
			  size - len, len);
	through_buffer(other, import_buffer(other, dmabufs[0]), 0, SZ_1M, 5);
	through_buffer(idle, handles[BUFFERS - 1], size - SZ_1M, SZ_1M, 6);
	close(idle);
	close(other);
	for (int i = 0; i < BUFFERS; i++)
		close(dmabufs[i]);
}

igt_main()
{
	igt_fixture() {
		struct phyr_test_devices devices = { 0 };

		mode = iommu_is_on() ? "iova" : "window";
		test = open_phyr_test(FIRST_IVSHMEM);
		igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_DEVICES, &devices),
			      0);
		bar = devices.bar_start;
		igt_require_f(devices.bar_len == 64 * GIB,
			      "the first card has %" PRIu64 " bytes, not 64 GiB (vm/run --vram 64G)\n",
			      (uint64_t)devices.bar_len);
	}

	igt_describe("An extent of 20 GiB maps to one range");
	igt_subtest("one-extent")
		one_extent();

	igt_describe("Extents larger than 4 GiB, in descending order");
	igt_subtest("large-extents")
		large_extents();

	igt_describe("An extent of 20 GiB as an sg_table");
	igt_subtest("table")
		table(1, 20 * GIB, 3 * GIB, 0);

	igt_describe("Extents larger than 4 GiB, in descending order, as an sg_table");
	igt_subtest("table-large-extents")
		table(6, 6 * GIB, 40 * GIB, -8 * (int64_t)GIB);

	igt_describe("An extent of 20 GiB is split at segment limits without gaps");
	igt_subtest("limits")
		limits();

	igt_describe("4,194,304 extents; no allocation larger than a page");
	igt_subtest("many-extents")
		many_extents(0, 2 * SZ_4K);

	igt_describe("4,194,304 extents in descending order");
	igt_subtest("many-extents-descending")
		many_extents(40 * GIB, -2 * (int64_t)SZ_4K);

	igt_describe("The copy engine reads and writes parts of a buffer of 4 GiB that its DMA address space cannot hold");
	igt_subtest("engine-large")
		large_dmabuf(1, 4 * GIB, 0);

	igt_describe("The same in extents of 4 KiB");
	igt_subtest("engine-large-fragmented")
		large_dmabuf(4 * GIB / SZ_4K, SZ_4K, 2 * SZ_4K);

	igt_describe("One client's small copies of 18 buffers of 128 MiB leave others room");
	igt_subtest("engine-idle")
		idle_buffers(SZ_4K);

	igt_describe("One client's large copies of 18 buffers of 128 MiB leave others room when it idles");
	igt_subtest("engine-idle-large")
		idle_buffers(128 * SZ_1M);
}

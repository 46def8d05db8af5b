// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <string.h>

#include "lib.h"

IGT_TEST_DESCRIPTION("Mapping of phyr lists of any shape for a device");

/* The map mode of the importing device for the exporter's BAR. */
static const char *mode;
static uint64_t bar;
static int test;

/* Extents of the BAR, as in struct phyr_test_export. */
struct shape {
	uint64_t start;
	uint64_t count;
	uint64_t len;
	int64_t stride;
};

static const struct shape one = { 0, 1, SZ_1M, 0 };
static const struct shape two = { SZ_1M, 2, SZ_4K, SZ_64K };
static const struct shape many = { 0, 512, SZ_4K, SZ_64K };
static const struct shape neighbours = { SZ_1M, 64, SZ_64K, SZ_64K };
static const struct shape descending = { 32 * SZ_1M, 256, SZ_64K, -(int64_t)SZ_64K };
static const struct shape descending_gaps = { 32 * SZ_1M, 256, SZ_4K, -3 * (int64_t)SZ_4K };
static const struct shape large = { 0, 3, 16 * SZ_1M, 20 * SZ_1M };

static uint64_t total(const struct shape *shape)
{
	return shape->count * shape->len;
}

static int export_shape(const struct shape *shape)
{
	return test_export(test, PHYR_TEST_STYLE_PHYR, shape->start,
			   shape->count, shape->len, shape->stride);
}

/* Expected or received DMA ranges. */
struct ranges {
	struct phyr_test_range *range;
	uint64_t nr;
	uint64_t max;
};

static struct ranges ranges_alloc(uint64_t max)
{
	struct ranges ranges = { .max = max };

	ranges.range = calloc(max, sizeof(*ranges.range));
	igt_assert(ranges.range);
	return ranges;
}

static void add_range(struct ranges *ranges, uint64_t addr, uint64_t len)
{
	igt_assert(ranges->nr < ranges->max);
	ranges->range[ranges->nr++] = (struct phyr_test_range){ addr, len };
}

/* Add the contiguous physical runs of @len bytes at @offset. */
static void add_runs(struct ranges *runs, const struct shape *shape,
		     uint64_t offset, uint64_t len)
{
	while (len) {
		uint64_t in_extent = offset % shape->len;
		uint64_t piece = shape->len - in_extent;
		uint64_t addr = bar + shape->start +
				offset / shape->len * shape->stride + in_extent;
		struct phyr_test_range *last = &runs->range[runs->nr - 1];

		if (piece > len)
			piece = len;
		if (runs->nr && last->addr + last->len == addr)
			last->len += piece;
		else
			add_range(runs, addr, piece);
		offset += piece;
		len -= piece;
	}
}

/* Add @run, split at the importer's segment limits. */
static void add_split(struct ranges *ranges, struct phyr_test_range run,
		      uint64_t max_len, uint64_t boundary)
{
	while (run.len) {
		uint64_t piece = run.len;

		if (max_len && piece > max_len)
			piece = max_len;
		if (boundary && piece > boundary - run.addr % boundary)
			piece = boundary - run.addr % boundary;
		add_range(ranges, run.addr, piece);
		run.addr += piece;
		run.len -= piece;
	}
}

static int import(int dmabuf, struct phyr_test_import *import)
{
	import->fd = dmabuf;
	import->api = PHYR_TEST_API_PHYR;
	if (!import->iterations)
		import->iterations = 1;
	return phyr_ioctl(test, PHYR_TEST_IOC_IMPORT, import);
}

/* Map, and compare every range with the one expected in this configuration. */
static void assert_map(const struct shape *shape, int dmabuf, uint64_t offset,
		       uint64_t len, uint64_t max_len, uint64_t boundary)
{
	struct phyr_test_import map = {
		.offset = offset,
		.len = len,
		.max_len = max_len,
		.boundary = boundary,
	};
	struct ranges runs, want, got;

	if (!len)
		len = total(shape) - offset;
	runs = ranges_alloc(shape->count + 1);
	want = ranges_alloc(65536);
	got = ranges_alloc(want.max);
	map.ranges = (uintptr_t)got.range;
	map.max_ranges = got.max;
	igt_assert_eq(import(dmabuf, &map), 0);
	got.nr = map.nr_ranges;
	igt_assert_f(!strcmp(map.mode, mode), "mode '%s', expected '%s'\n",
		     map.mode, mode);
	igt_assert_eq_u64(map.total, len);

	if (!strcmp(mode, "iova"))
		add_range(&runs, got.range[0].addr, len);
	else
		add_runs(&runs, shape, offset, len);
	for (uint64_t i = 0; i < runs.nr; i++)
		add_split(&want, runs.range[i], max_len, boundary);
	igt_assert_eq_u64(got.range[0].addr % SZ_4K, offset % SZ_4K);
	igt_assert_eq_u64(got.nr, want.nr);
	for (uint64_t i = 0; i < want.nr; i++)
		igt_assert_f(got.range[i].addr == want.range[i].addr &&
			     got.range[i].len == want.range[i].len,
			     "range %" PRIu64 " of %" PRIu64
			     " is %#llx + %#llx, expected %#llx + %#llx\n",
			     i, want.nr, got.range[i].addr, got.range[i].len,
			     want.range[i].addr, want.range[i].len);
	free(runs.range);
	free(want.range);
	free(got.range);
}

static void assert_shape(const struct shape *shape)
{
	int dmabuf = export_shape(shape);

	assert_map(shape, dmabuf, 0, 0, 0, 0);
	close(dmabuf);
}

static void partial(const struct shape *shape, bool aligned)
{
	uint64_t size = total(shape), odd = aligned ? 0 : 1;
	int dmabuf = export_shape(shape);
	const struct {
		uint64_t offset, len;
	} parts[] = {
		{ 0, SZ_4K }, { SZ_4K, SZ_4K }, { size - SZ_4K, SZ_4K },
		{ SZ_4K, 0 }, { odd, SZ_4K - odd }, { SZ_4K - odd, 2 * SZ_4K },
		{ size / 2 + 123 * odd, size / 4 + 77 * odd },
		{ size - SZ_4K + odd, 0 }, { 5 * SZ_4K + odd, size / 2 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(parts); i++)
		assert_map(shape, dmabuf, parts[i].offset, parts[i].len, 0, 0);
	if (!aligned)
		for (uint64_t at = 0; at < size; at += size / 13)
			assert_map(shape, dmabuf, at, 1, 0, 0);
	close(dmabuf);
}

static void limits(const struct shape *shape)
{
	static const struct {
		uint64_t max_len, boundary;
	} limits[] = {
		{ SZ_4K, 0 }, { SZ_64K, 0 }, { 12345, 0 }, { 0, SZ_64K },
		{ 0, SZ_1M }, { 24 * 1024, SZ_64K }, { 1 << 24, SZ_4G },
		{ 0, SZ_4G }, { 3 * SZ_4K, SZ_4K * 2 },
	};
	int dmabuf = export_shape(shape);

	for (unsigned int i = 0; i < ARRAY_SIZE(limits); i++) {
		assert_map(shape, dmabuf, 0, 0, limits[i].max_len,
			   limits[i].boundary);
		assert_map(shape, dmabuf, 4095, total(shape) / 2,
			   limits[i].max_len, limits[i].boundary);
	}
	close(dmabuf);
}

static int map_error(int dmabuf, uint64_t offset, uint64_t len)
{
	struct phyr_test_import map = { .offset = offset, .len = len };

	return import(dmabuf, &map);
}

static void bad_parts(void)
{
	int dmabuf = export_shape(&many);
	uint64_t size = total(&many);

	igt_assert_eq(map_error(dmabuf, 0, size + 1), -EINVAL);
	igt_assert_eq(map_error(dmabuf, 1, size), -EINVAL);
	igt_assert_eq(map_error(dmabuf, size, 1), -EINVAL);
	igt_assert_eq(map_error(dmabuf, size, 0), -EINVAL);
	igt_assert_eq(map_error(dmabuf, ~0ull, 2), -EINVAL);
	igt_assert_eq(map_error(dmabuf, SZ_4K, ~0ull), -EINVAL);
	igt_assert_eq(map_error(dmabuf, SZ_4K, ~0ull - SZ_4K + 2), -EINVAL);
	igt_assert_eq(map_error(dmabuf, 0, size), 0);
	close(dmabuf);
}

static void again(void)
{
	struct phyr_test_import map = { .iterations = repeats(2000) };
	int dmabuf = export_shape(&many);
	uint64_t before;

	igt_assert_eq(map_error(dmabuf, 0, 0), 0);
	before = kmalloc_objects(32);
	igt_assert_eq(import(dmabuf, &map), 0);
	/* Tolerate allocations by the rest of the kernel. */
	igt_assert_lte_u64(kmalloc_objects(32),
			   before + 40 + map.iterations / 10);
	assert_map(&many, dmabuf, 0, 0, 0, 0);
	close(dmabuf);
}

/* An exporter without a phyr list: the ranges are those of its sg_table. */
static void foreign(void)
{
	struct phyr_test_range ranges[SZ_64K / SZ_4K];
	struct phyr_test_import map = {
		.max_ranges = ARRAY_SIZE(ranges),
		.ranges = (uintptr_t)ranges,
	};
	int dmabuf = create_udmabuf(SZ_64K);

	igt_assert_eq(import(dmabuf, &map), 0);
	igt_assert_f(!strcmp(map.mode, "sgt"), "mode '%s', expected 'sgt'\n",
		     map.mode);
	igt_assert_eq_u64(map.total, SZ_64K);
	igt_assert_lte_u64(map.nr_ranges, ARRAY_SIZE(ranges));

	/* Map a part, split at a limit. */
	map.offset = SZ_4K + 1;
	map.len = 5 * SZ_4K;
	map.max_len = 1000;
	igt_assert_eq(import(dmabuf, &map), 0);
	igt_assert_eq_u64(map.total, 5 * SZ_4K);
	igt_assert_lte_u64(5 * SZ_4K / 1000, map.nr_ranges);
	igt_assert_eq_u64(ranges[0].addr % SZ_4K, 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(ranges); i++)
		igt_assert_lte_u64(ranges[i].len, 1000);

	igt_assert_eq(map_error(dmabuf, SZ_64K, 1), -EINVAL);
	igt_assert_eq(map_error(dmabuf, 1, SZ_64K), -EINVAL);
	close(dmabuf);
}

/* A buffer of phyr_vram, whose extents are in debugfs. */
static void vram_buffer(void)
{
	struct phyr_device card = vram_device(0);
	struct phyr_test_import map = { 0 };
	int vram = open_device(&card), dmabuf;
	struct phyr_list_dump list;
	struct ranges got = ranges_alloc(4096);
	uint32_t handle;

	handle = create_vram(vram, 4 * SZ_1M, IN_VRAM, SZ_4K);
	dmabuf = export_buffer(vram, handle);
	igt_assert_eq(phyr_list_dump_read(&card, vram_info(vram, handle).id,
					  &list), 0);
	map.ranges = (uintptr_t)got.range;
	map.max_ranges = got.max;
	igt_assert_eq(import(dmabuf, &map), 0);
	igt_assert_f(!strcmp(map.mode, mode), "mode '%s', expected '%s'\n",
		     map.mode, mode);
	igt_assert_eq_u64(map.total, 4 * SZ_1M);
	if (!strcmp(mode, "iova")) {
		igt_assert_eq_u64(map.nr_ranges, 1);
	} else {
		igt_assert_eq_u64(map.nr_ranges, list.nr);
		for (size_t i = 0; i < list.nr; i++) {
			igt_assert_eq_u64(got.range[i].addr, list.vecs[i].paddr);
			igt_assert_eq_u64(got.range[i].len, list.vecs[i].len);
		}
	}
	phyr_list_dump_free(&list);
	free(got.range);
	close(dmabuf);
	close(vram);
}

/* A stock importer gets an sg_table whose DMA segments are the ranges. */
static void stock_importer(const struct shape *shape)
{
	struct ranges want = ranges_alloc(shape->count + 1);
	struct ranges got = ranges_alloc(shape->count + 1);
	struct phyr_test_import map = {
		.fd = export_shape(shape),
		.api = PHYR_TEST_API_STOCK,
		.iterations = 1,
		.max_ranges = got.max,
		.ranges = (uintptr_t)got.range,
	};

	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_IMPORT, &map), 0);
	igt_assert_eq_u64(map.total, total(shape));
	if (!strcmp(mode, "iova"))
		add_range(&want, got.range[0].addr, total(shape));
	else
		add_runs(&want, shape, 0, total(shape));
	igt_assert_eq_u64(map.nr_ranges, want.nr);
	igt_assert(!memcmp(got.range, want.range,
			   want.nr * sizeof(*want.range)));
	free(want.range);
	free(got.range);
	close(map.fd);
}

static int check(const struct phyr_test_range *vecs, uint64_t nr, uint64_t size)
{
	struct phyr_test_check check = {
		.vecs = (uintptr_t)vecs,
		.nr = nr,
		.size = size,
	};

	return phyr_ioctl(test, PHYR_TEST_IOC_CHECK, &check);
}

#define CHECK(size, ...) \
	({ \
		const struct phyr_test_range vecs[] = { __VA_ARGS__ }; \
		check(vecs, ARRAY_SIZE(vecs), size); \
	})

static uint64_t bar_len(void)
{
	struct phyr_test_devices devices = { 0 };

	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_DEVICES, &devices), 0);
	return devices.bar_len;
}

/* A long list in shuffled order with one overlap. */
static void overlap_in_long_list(void)
{
	enum { NR = 5000 };
	struct phyr_test_range *vecs = calloc(NR, sizeof(*vecs));

	igt_assert(vecs);
	for (unsigned int i = 0; i < NR; i++)
		vecs[i] = (struct phyr_test_range){
			.addr = i * 7919ull % NR * 2 * SZ_4K,
			.len = SZ_4K,
		};
	igt_assert_eq(check(vecs, NR, NR * SZ_4K), 0);
	vecs[17].addr = vecs[4711].addr;
	igt_assert_eq(check(vecs, NR, NR * SZ_4K), -EINVAL);
	vecs[17].addr = vecs[4711].addr - SZ_4K;
	vecs[17].len = 2 * SZ_4K;
	igt_assert_eq(check(vecs, NR, (NR + 1) * SZ_4K), -EINVAL);
	free(vecs);
}

static const char *expected_mode(void)
{
	if (is_on_switch())
		return "bus";
	return iommu_is_on() ? "iova" : "window";
}

igt_main()
{
	igt_fixture() {
		test = open_phyr_test(SECOND_IVSHMEM);
		bar = test_bar(test);
		mode = expected_mode();
	}

	igt_describe("One extent maps to one range");
	igt_subtest("one-extent")
		assert_shape(&one);

	igt_describe("Two extents map to one range behind an IOMMU, else to two");
	igt_subtest("two-extents")
		assert_shape(&two);

	igt_describe("512 extents map to one range behind an IOMMU, else to 512");
	igt_subtest("many-extents")
		assert_shape(&many);

	igt_describe("Adjacent extents are merged");
	igt_subtest("neighbours")
		assert_shape(&neighbours);

	igt_describe("Adjacent extents in descending order keep the buffer's order");
	igt_subtest("descending")
		assert_shape(&descending);

	igt_describe("Extents in descending order with gaps keep the buffer's order");
	igt_subtest("descending-with-gaps")
		assert_shape(&descending_gaps);

	igt_describe("Three extents of 16 MiB are mapped");
	igt_subtest("large-extents")
		assert_shape(&large);

	igt_describe("Page-aligned parts of a buffer are mapped");
	igt_subtest("partial") {
		partial(&many, true);
		partial(&one, true);
		partial(&descending, true);
	}

	igt_describe("Unaligned parts of a buffer are mapped");
	igt_subtest("partial-unaligned") {
		partial(&many, false);
		partial(&one, false);
		partial(&descending_gaps, false);
	}

	igt_describe("One extent is split at the segment limits of the importer");
	igt_subtest("limits")
		limits(&one);

	igt_describe("Many extents are split at the segment limits of the importer");
	igt_subtest("limits-fragmented") {
		limits(&many);
		limits(&neighbours);
		limits(&descending);
	}

	igt_describe("Parts that overflow or exceed the buffer are refused");
	igt_subtest("bad-parts")
		bad_parts();

	igt_describe("Repeated maps give the same ranges and leak nothing");
	igt_subtest("again")
		again();

	igt_describe("A fragmented buffer of phyr_vram is mapped");
	igt_subtest("vram-buffer")
		vram_buffer();

	igt_describe("A dma-buf without a phyr list is mapped by its exporter's sg_table");
	igt_subtest("foreign")
		foreign();

	igt_describe("A stock importer gets the same ranges as an sg_table");
	igt_subtest("stock-importer") {
		stock_importer(&one);
		stock_importer(&many);
		stock_importer(&descending_gaps);
		stock_importer(&large);
	}

	igt_describe("Valid lists pass: one entry, many, in any order");
	igt_subtest("check-good") {
		igt_assert_eq(CHECK(SZ_4K, { 0, SZ_4K }), 0);
		igt_assert_eq(CHECK(bar_len(), { 0, bar_len() }), 0);
		igt_assert_eq(CHECK(3 * SZ_4K, { SZ_64K, SZ_4K }, { 0, SZ_4K },
				    { SZ_4K, SZ_4K }), 0);
	}

	igt_describe("An empty list is refused");
	igt_subtest("check-empty") {
		igt_assert_eq(check(NULL, 0, 0), -EINVAL);
		igt_assert_eq(check(NULL, 0, SZ_4K), -EINVAL);
	}

	igt_describe("An entry of zero length is refused at every position");
	igt_subtest("check-zero-length") {
		igt_assert_eq(CHECK(0, { 0, 0 }), -EINVAL);
		igt_assert_eq(CHECK(SZ_4K, { 0, SZ_4K }, { SZ_64K, 0 }), -EINVAL);
		igt_assert_eq(CHECK(SZ_4K, { 0, SZ_4K }, { SZ_4K, 0 }), -EINVAL);
		igt_assert_eq(CHECK(SZ_4K, { 0, 0 }, { 0, SZ_4K }), -EINVAL);
	}

	igt_describe("Addresses must be page-aligned");
	igt_subtest("check-unaligned-address") {
		igt_assert_eq(CHECK(SZ_4K, { 1, SZ_4K }), -EINVAL);
		igt_assert_eq(CHECK(2 * SZ_4K, { 0, SZ_4K },
				    { SZ_64K + 512, SZ_4K }), -EINVAL);
	}

	igt_describe("Lengths must be page-aligned, even of adjacent entries");
	igt_subtest("check-unaligned-length") {
		igt_assert_eq(CHECK(4095, { 0, 4095 }), -EINVAL);
		igt_assert_eq(CHECK(SZ_4K + 1, { 0, SZ_4K + 1 }), -EINVAL);
		igt_assert_eq(CHECK(SZ_4K, { 0, 2048 }, { 2048, 2048 }), -EINVAL);
	}

	igt_describe("Address plus length must not overflow");
	igt_subtest("check-overflow") {
		igt_assert_eq(CHECK(~0ull & ~(SZ_4K - 1),
				    { SZ_4K, ~0ull & ~(SZ_4K - 1) }), -EINVAL);
		igt_assert_eq(CHECK(2 * SZ_4K, { -bar - SZ_4K, 2 * SZ_4K }),
			      -EINVAL);
	}

	igt_describe("An entry outside its memory is refused, on either side");
	igt_subtest("check-outside") {
		igt_assert_eq(CHECK(SZ_4K, { bar_len(), SZ_4K }), -EINVAL);
		igt_assert_eq(CHECK(2 * SZ_4K, { bar_len() - SZ_4K, 2 * SZ_4K }),
			      -EINVAL);
		igt_assert_eq(CHECK(SZ_4K, { -SZ_4K, SZ_4K }), -EINVAL);
		igt_assert_eq(CHECK(bar_len() + SZ_4K, { 0, bar_len() + SZ_4K }),
			      -EINVAL);
	}

	igt_describe("Overlapping entries in ascending order are refused");
	igt_subtest("check-overlap-ascending") {
		igt_assert_eq(CHECK(4 * SZ_4K, { 0, 2 * SZ_4K },
				    { SZ_4K, 2 * SZ_4K }), -EINVAL);
		igt_assert_eq(CHECK(2 * SZ_4K, { 0, SZ_4K }, { 0, SZ_4K }),
			      -EINVAL);
	}

	igt_describe("Overlapping entries in descending or random order are refused");
	igt_subtest("check-overlap-descending") {
		igt_assert_eq(CHECK(4 * SZ_4K, { SZ_4K, 2 * SZ_4K },
				    { 0, 2 * SZ_4K }), -EINVAL);
		igt_assert_eq(CHECK(4 * SZ_4K, { SZ_64K, SZ_4K }, { 0, SZ_4K },
				    { SZ_1M, SZ_4K }, { SZ_64K, SZ_4K }),
			      -EINVAL);
		igt_assert_eq(CHECK(18 * SZ_4K, { SZ_64K, SZ_4K }, { SZ_1M, SZ_4K },
				    { SZ_4K, 16 * SZ_4K }), -EINVAL);
	}

	igt_describe("One overlap among thousands of entries is refused");
	igt_subtest("check-overlap-in-long-list")
		overlap_in_long_list();

	igt_describe("A list whose total differs from the buffer size is refused");
	igt_subtest("check-wrong-total") {
		igt_assert_eq(CHECK(2 * SZ_4K, { 0, SZ_4K }), -EINVAL);
		igt_assert_eq(CHECK(SZ_4K, { 0, SZ_4K }, { SZ_64K, SZ_4K }),
			      -EINVAL);
		igt_assert_eq(CHECK(0, { 0, SZ_4K }), -EINVAL);
	}
}

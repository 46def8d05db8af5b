// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: range.c
 *
 * A case builds a list segment by segment, along with a plain array of the
 * pieces that the segments contain. The ranges that the cursor returns are
 * compared with that array, split by a reference model of the limits.
 */
#include "fixture.h"
#include "redirect.h"
#include "../range.c"
#include "range_fixture.h"

/* Ranges for extents and tables: some misaligned, one beyond 4 GiB */
static const struct dma_range range_test_stored[] = {
	{ 0x1000000000, 0x1000 },
	{ 0xfffff000, 0x3000 },
	{ 0x7ff800, 0x1800 },
	{ 0x40000000, 0x20000 },
	{ 0x23, 0x11 },
	{ 0x801000, 0x7000 },
	{ 0x3fff000, 0x1001 },
	{ 0x50000000, 0xff000 },
};

static const struct dma_range range_test_holes[] = {
	{ 0x5000, 0 },
	{ 0x10000, 0x3000 },
	{ 0, 0 },
	{ 0x900000000, 0x1000 },
	{ 0xdead0000, 0 },
	{ 0, 0 },
	{ 0x905000000, 0 },
	{ 0x40000, 0x20000 },
	{ 0x60000, 0x800 },
	{ 0, 0 },
	{ 0, 0 },
};

/*
 * Builders of a list of each mode
 */

static void range_build_iova(struct range_test *t)
{
	range_test_add_iova(t, 0xfffff000, 0x155000);
}

static void range_build_bus(struct range_test *t)
{
	u64 size = phyr_list_size(range_test_list(t, 300));

	range_test_add_offset(t, PHYR_MAP_BUS, 0, size, 0x7000000000);
}

static void range_build_window(struct range_test *t)
{
	u64 size = phyr_list_size(range_test_list(t, 300));

	range_test_add_offset(t, PHYR_MAP_WINDOW, 0, size, -0x100000ULL);
}

/* Starts inside an extent of the second chunk and ends inside another */
static void range_build_bus_part(struct range_test *t)
{
	u64 size = phyr_list_size(range_test_list(t, 300));

	range_test_add_offset(t, PHYR_MAP_BUS, 13 * PAGE_SIZE,
			      size - 16 * PAGE_SIZE, 0x7000000000);
}

/* One segment for each chunk of the list */
static void range_build_window_runs(struct range_test *t)
{
	const struct phyr_chunk *chunk;
	u64 at = 0;

	range_test_list(t, 300);
	for (chunk = phyr_list_first(t->list); chunk; chunk = chunk->next) {
		range_test_add_offset(t, PHYR_MAP_WINDOW, at, chunk->len,
				      0x10000000 * at);
		at += chunk->len;
	}
}

static void range_build_extents(struct range_test *t)
{
	range_test_add_extents(t, range_test_stored,
			       ARRAY_SIZE(range_test_stored), 8);
}

static void range_build_extent_chunks(struct range_test *t)
{
	range_test_add_extents(t, range_test_stored,
			       ARRAY_SIZE(range_test_stored), 3);
}

static void range_build_extent_singles(struct range_test *t)
{
	range_test_add_extents(t, range_test_stored,
			       ARRAY_SIZE(range_test_stored), 1);
}

static void range_build_sgt(struct range_test *t)
{
	range_test_add_sgt(t, range_test_stored, ARRAY_SIZE(range_test_stored));
}

static void range_build_sgt_holes(struct range_test *t)
{
	range_test_add_sgt(t, range_test_holes, ARRAY_SIZE(range_test_holes));
}

static void range_build_sgt_chained(struct range_test *t)
{
	const unsigned int nr = 3 * SG_MAX_SINGLE_ALLOC / 2;
	struct dma_range *range;
	unsigned int i;

	range = kunit_kmalloc_array(t->test, nr, sizeof(*range), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(t->test, range);
	for (i = 0; i < nr; i++) {
		range[i].addr = i * 0x20000;
		range[i].len = i % 5 ? (i % 7 + 1) * 0x1000 : 0;
	}
	range_test_add_sgt(t, range, nr);
}

static void range_build_mixed(struct range_test *t)
{
	range_test_list(t, 40);
	range_test_add_extents(t, range_test_stored, 4, 3);
	range_test_add_iova(t, 0x6000000000, 0x13000);
	/* Both end inside an extent. */
	range_test_add_offset(t, PHYR_MAP_BUS, 0, 14 * PAGE_SIZE, 0x7000000000);
	range_test_add_offset(t, PHYR_MAP_WINDOW, 14 * PAGE_SIZE,
			      30 * PAGE_SIZE, 0);
	range_test_add_sgt(t, range_test_holes, ARRAY_SIZE(range_test_holes));
	range_test_add_iova(t, 0x9000000000, 0x1000);
	range_test_add_extents(t, range_test_stored + 4, 4, 2);
}

/**
 * struct range_build - a builder of a list
 * @name: description
 * @build: adds the segments
 * @mode: expected dma_range_list_mode()
 */
struct range_build {
	const char *name;
	void (*build)(struct range_test *t);
	const char *mode;
};

static const struct range_build range_builds[] = {
	{ "iova", range_build_iova, "iova" },
	{ "bus", range_build_bus, "bus" },
	{ "window", range_build_window, "window" },
	{ "bus, part of a list", range_build_bus_part, "bus" },
	{ "window, a segment per chunk", range_build_window_runs, "window" },
	{ "extents in one chunk", range_build_extents, "extent" },
	{ "extents in three chunks", range_build_extent_chunks, "extent" },
	{ "extents in chunks of one", range_build_extent_singles, "extent" },
	{ "sgt", range_build_sgt, "sgt" },
	{ "sgt with empty segments", range_build_sgt_holes, "sgt" },
	{ "sgt, chained", range_build_sgt_chained, "sgt" },
	{ "mixed", range_build_mixed, "mixed" },
};

KUNIT_ARRAY_PARAM_DESC(range_build, range_builds, name);

static struct range_test *range_test_build(struct kunit *test,
					   const struct range_build *build,
					   const struct phyr_limits *limits)
{
	struct range_test *t = range_test_start(test, limits);

	build->build(t);
	return t;
}

/*
 * Cases
 */

static void alloc_keeps_limits(struct kunit *test)
{
	const struct phyr_limits limits = { 0x123000, BIT_ULL(40) };
	struct dma_range_list *ranges = dma_range_list_alloc(&limits);

	KUNIT_ASSERT_NOT_NULL(test, ranges);
	KUNIT_EXPECT_EQ(test, ranges->limits.max_len, limits.max_len);
	KUNIT_EXPECT_EQ(test, ranges->limits.boundary, limits.boundary);
	KUNIT_EXPECT_EQ(test, dma_range_list_len(ranges), 0);
	dma_range_list_free(ranges);

	ranges = dma_range_list_alloc(NULL);
	KUNIT_ASSERT_NOT_NULL(test, ranges);
	KUNIT_EXPECT_EQ(test, ranges->limits.max_len, 0);
	KUNIT_EXPECT_EQ(test, ranges->limits.boundary, 0);
	dma_range_list_free(ranges);
}

static void alloc_no_memory(struct kunit *test)
{
	mock_fail(MOCK_ALLOC, 1, -ENOMEM);
	KUNIT_EXPECT_NULL(test, dma_range_list_alloc(NULL));
}

static void mode_and_len_by_build(struct kunit *test)
{
	const struct range_build *build = test->param_value;
	struct range_test *t = range_test_build(test, build, NULL);

	KUNIT_EXPECT_STREQ(test, dma_range_list_mode(t->ranges), build->mode);
	KUNIT_EXPECT_EQ(test, dma_range_list_len(t->ranges), t->total);
}

static void mode_names(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, phyr_map_mode_name(PHYR_MAP_IOVA), "iova");
	KUNIT_EXPECT_STREQ(test, phyr_map_mode_name(PHYR_MAP_BUS), "bus");
	KUNIT_EXPECT_STREQ(test, phyr_map_mode_name(PHYR_MAP_WINDOW), "window");
	KUNIT_EXPECT_STREQ(test, phyr_map_mode_name(PHYR_MAP_EXTENT), "extent");
	KUNIT_EXPECT_STREQ(test, phyr_map_mode_name(PHYR_MAP_SGT), "sgt");
}

static void mode_of_two_segments(struct kunit *test)
{
	enum phyr_map_mode a, b;
	struct range_test *t;
	const char *mode;

	for (a = PHYR_MAP_IOVA; a <= PHYR_MAP_SGT; a++) {
		for (b = PHYR_MAP_IOVA; b <= PHYR_MAP_SGT; b++) {
			t = range_test_start(test, NULL);
			range_test_segment(t, a, PAGE_SIZE);
			range_test_segment(t, b, PAGE_SIZE);
			mode = a == b ? phyr_map_mode_name(a) : "mixed";
			KUNIT_EXPECT_STREQ(test, dma_range_list_mode(t->ranges),
					   mode);
			range_test_end(t);
		}
	}
}

static void next_whole_list(struct kunit *test)
{
	struct range_test *t = range_test_build(test, test->param_value, NULL);

	range_test_walk(t, 0, 24);
}

static void next_in_small_arrays(struct kunit *test)
{
	struct range_test *t = range_test_build(test, test->param_value, NULL);
	unsigned int max;

	for (max = 1; max <= 20; max++)
		range_test_walk(t, 0, max);
}

static void next_from_each_border(struct kunit *test)
{
	struct range_test *t = range_test_build(test, test->param_value, NULL);

	range_test_walk_borders(t);
}

/* Whole pages are mapped: a list may start and end inside a mapped page. */
static void next_part_of_what_is_mapped(struct kunit *test)
{
	struct range_test *t = range_test_build(test, test->param_value, NULL);
	static const u64 skips[] = { 1, 0x10, 0xfff };
	static const u64 tails[] = { 0, 1, 0xabc, 0xfff };
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(skips); i++) {
		for (j = 0; j < ARRAY_SIZE(tails); j++) {
			t->ranges->skip = skips[i];
			t->ranges->len = t->total - skips[i] - tails[j];
			range_test_walk(t, 0, 5);
			range_test_walk(t, 1, 1);
			range_test_walk(t, t->ranges->len - 1, 1);
			range_test_walk(t, t->ranges->len, 1);
			range_test_walk(t, t->ranges->len / 2, 2);
		}
	}
	t->ranges->skip = 0x7ff;
	t->ranges->len = 1;
	range_test_walk(t, 0, 4);
}

static void next_at_and_behind_end(struct kunit *test)
{
	struct range_test *t = range_test_build(test, test->param_value, NULL);
	static const u64 behind[] = { 0, 1, PAGE_SIZE, BIT_ULL(32) };
	struct dma_range_cursor cursor;
	struct dma_range range;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(behind); i++) {
		dma_range_cursor_init(&cursor, t->ranges,
				      t->total + behind[i]);
		KUNIT_EXPECT_EQ(test, dma_range_next(&cursor, &range, 1), 0);
	}
	dma_range_cursor_init(&cursor, t->ranges, U64_MAX);
	KUNIT_EXPECT_EQ(test, dma_range_next(&cursor, &range, 1), 0);
}

static void next_without_room(struct kunit *test)
{
	struct range_test *t = range_test_build(test, test->param_value, NULL);
	struct dma_range_cursor cursor;
	struct dma_range range;

	dma_range_cursor_init(&cursor, t->ranges, 0);
	KUNIT_EXPECT_EQ(test, dma_range_next(&cursor, &range, 0), 0);
	KUNIT_EXPECT_EQ(test, dma_range_next(&cursor, NULL, 0), 0);
	KUNIT_ASSERT_EQ(test, dma_range_next(&cursor, &range, 1), 1);
	KUNIT_EXPECT_EQ(test, range.addr, t->piece[0].addr);
	KUNIT_EXPECT_EQ(test, range.len, t->piece[0].len);
}

/* After the core unmapped the list, a walk is empty. */
static void next_of_invalidated_list(struct kunit *test)
{
	struct range_test *t = range_test_build(test, test->param_value, NULL);
	struct dma_range_cursor cursor;
	struct dma_range range;

	t->ranges->len = 0;
	dma_range_cursor_init(&cursor, t->ranges, 0);
	KUNIT_EXPECT_EQ(test, dma_range_next(&cursor, &range, 1), 0);
	KUNIT_EXPECT_EQ(test, dma_range_list_len(t->ranges), 0);
}

/**
 * struct range_limits - limits to walk with
 * @name: description
 * @limits: the limits
 * @tail: walk only this many bytes at the end, to save time; 0 for all
 */
struct range_limits {
	const char *name;
	struct phyr_limits limits;
	u64 tail;
};

static const struct range_limits range_limits[] = {
	{ "none", { 0, 0 } },
	{ "max_len of 1", { 1, 0 }, 0x1200 },
	{ "max_len of 3", { 3, 0 }, 0x1200 },
	{ "max_len below a page", { 0xfff, 0 } },
	{ "max_len of a page", { 0x1000, 0 } },
	{ "max_len beyond a page", { 0x1001, 0 } },
	{ "max_len of 64 KiB", { 0x10000, 0 } },
	{ "max_len of 32 bits", { U32_MAX, 0 } },
	{ "max_len of 4 GiB", { BIT_ULL(32), 0 } },
	{ "max_len of 64 bits", { U64_MAX, 0 } },
	{ "boundary of 1", { 0, 1 }, 0x1200 },
	{ "boundary of 2", { 0, 2 }, 0x1200 },
	{ "boundary below a page", { 0, 0x200 } },
	{ "boundary of a page", { 0, 0x1000 } },
	{ "boundary of two pages", { 0, 0x2000 } },
	{ "boundary of 16 MiB", { 0, BIT_ULL(24) } },
	{ "boundary of 4 GiB", { 0, BIT_ULL(32) } },
	{ "boundary of 2^63", { 0, BIT_ULL(63) } },
	{ "max_len below boundary", { 0x1000, 0x2000 } },
	{ "max_len beside boundary", { 0x1800, 0x1000 } },
	{ "max_len crosses boundary", { 0x1800, 0x2000 } },
	{ "max_len above boundary", { 0x10000, 0x2000 } },
	{ "both at 64 bits", { U64_MAX, BIT_ULL(63) } },
};

KUNIT_ARRAY_PARAM_DESC(range_limit, range_limits, name);

static void next_within_limits(struct kunit *test)
{
	const struct range_limits *limits = test->param_value;
	struct range_test *t;
	unsigned int i;
	u64 from;

	for (i = 0; i < ARRAY_SIZE(range_builds); i++) {
		t = range_test_build(test, &range_builds[i], &limits->limits);
		from = limits->tail && limits->tail < t->total ?
		       t->total - limits->tail : 0;
		range_test_walk(t, from, 1);
		range_test_walk(t, from, 16);
		range_test_walk(t, from + 0x123, 5);
		range_test_end(t);
	}
}

/* Addresses and lengths close to 2^64 */
static void next_near_u64_max(struct kunit *test)
{
	static const struct phyr_limits limits[] = {
		{ 0, 0 },
		{ U64_MAX, 0 },
		{ BIT_ULL(63), 0 },
		{ BIT_ULL(63) - 1, 0 },
		{ BIT_ULL(62), 0 },
		{ 0, BIT_ULL(63) },
		{ 0, BIT_ULL(61) },
		{ U64_MAX, BIT_ULL(62) },
		{ BIT_ULL(62) + 0x1000, BIT_ULL(63) },
	};
	static const struct dma_range ranges[] = {
		{ 0x1000, -0x2000ULL },
		{ 0, U64_MAX },
		{ 0x1000, -0x1000ULL },
		{ -0x1000ULL, 0x1000 },
		{ BIT_ULL(63) - 0x1000, 0x2000 },
		{ BIT_ULL(63), BIT_ULL(63) },
	};
	struct range_test *t;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(limits); i++) {
		for (j = 0; j < ARRAY_SIZE(ranges); j++) {
			t = range_test_start(test, &limits[i]);
			range_test_add_iova(t, ranges[j].addr, ranges[j].len);
			range_test_walk(t, 0, 1);
			range_test_walk(t, 0, 16);
			range_test_walk(t, t->total / 2 + 1, 3);
			range_test_walk(t, t->total - 1, 2);
			range_test_end(t);
		}
	}
}

static void next_iova_beyond_4g_is_one_range(struct kunit *test)
{
	struct range_test *t = range_test_start(test, NULL);
	struct dma_range_cursor cursor;
	struct dma_range range;

	range_test_add_iova(t, 0xfffff000, 0x4000000000);
	dma_range_cursor_init(&cursor, t->ranges, 0x200000001);
	KUNIT_ASSERT_EQ(test, dma_range_next(&cursor, &range, 1), 1);
	KUNIT_EXPECT_EQ(test, range.addr, 0x2fffff001);
	KUNIT_EXPECT_EQ(test, range.len, 0x3dffffffff);
	KUNIT_EXPECT_EQ(test, dma_range_next(&cursor, &range, 1), 0);
}

/* 32-bit lengths whose sum exceeds 32 bits */
static void next_sgt_beyond_4g(struct kunit *test)
{
	static const struct dma_range big[] = {
		{ 0x100000000, 0xfffff000 },
		{ 0, 0 },
		{ 0x300000000, 0xfffff000 },
		{ 0x500000000, 0xfffff000 },
	};
	const struct phyr_limits limits = { BIT_ULL(30), BIT_ULL(31) };
	struct range_test *t = range_test_start(test, &limits);

	range_test_add_sgt(t, big, ARRAY_SIZE(big));
	KUNIT_EXPECT_EQ(test, dma_range_list_len(t->ranges), 0x2ffffd000);
	range_test_walk(t, 0, 8);
	range_test_walk_borders(t);
}

static void next_extents_beyond_4g(struct kunit *test)
{
	static const struct dma_range big[] = {
		{ 0x100000000, 0x180000000 },
		{ 0x1000000000, 0x300000000 },
		{ 0x8000, 0x1000 },
	};
	struct range_test *t = range_test_start(test, NULL);

	range_test_add_extents(t, big, 3, 2);
	range_test_walk(t, 0, 8);
	range_test_walk_borders(t);
}

/* A device may take a length of 0 as 2^24 or as the end of the list. */
static void next_sgt_never_empty(struct kunit *test)
{
	struct range_test *t = range_test_start(test, NULL);
	struct dma_range_cursor cursor;
	struct dma_range range[16];
	unsigned int i, n;

	range_build_sgt_holes(t);
	dma_range_cursor_init(&cursor, t->ranges, 0);
	n = dma_range_next(&cursor, range, ARRAY_SIZE(range));
	KUNIT_EXPECT_EQ(test, n, 4);
	for (i = 0; i < n; i++)
		KUNIT_EXPECT_NE_MSG(test, range[i].len, 0, "range %u of %u", i,
				    n);
}

/*
 * Unmap and free
 */

static void unmap_iova_destroys_it(struct kunit *test)
{
	struct device *dev = mock_device(test, "importer", DMA_BIT_MASK(64));
	struct range_test *t = range_test_start(test, NULL);
	struct dma_iova_state *iova = &t->ranges->iova;

	mock.iommu = true;
	range_test_add_iova(t, 0, 0x5000);
	t->ranges->dev = dev;
	t->ranges->dir = DMA_TO_DEVICE;
	t->ranges->linked = 0x5000;
	KUNIT_ASSERT_TRUE(test, dma_iova_try_alloc(dev, iova, 0, 0x5000));
	KUNIT_ASSERT_EQ(test, dma_iova_link(dev, iova, 0x10000, 0, 0x5000,
					    DMA_TO_DEVICE, DMA_ATTR_MMIO), 0);

	dma_range_list_unmap(t->ranges);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_DESTROY), 1);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
	KUNIT_EXPECT_EQ(test, dma_range_list_len(t->ranges), 0);
}

/* Map each range for @dev, as phyr_map_list() does. */
static void range_test_map_extents(struct range_test *t, struct device *dev,
				   unsigned int nr, unsigned int per_chunk)
{
	struct dma_range *range;
	unsigned int i;

	range = kunit_kmalloc_array(t->test, nr, sizeof(*range), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(t->test, range);
	t->ranges->dev = dev;
	t->ranges->dir = DMA_FROM_DEVICE;
	for (i = 0; i < nr; i++) {
		range[i].len = (1 + i % 3) * PAGE_SIZE;
		range[i].addr = dma_map_phys(dev, i * 0x10000, range[i].len,
					     DMA_FROM_DEVICE, DMA_ATTR_MMIO);
	}
	range_test_add_extents(t, range, nr, per_chunk);
}

static void unmap_extents_each_once(struct kunit *test)
{
	struct device *dev = mock_device(test, "importer", DMA_BIT_MASK(64));
	struct range_test *t = range_test_start(test, NULL);

	range_test_map_extents(t, dev, 100, 7);
	t->ranges->segments->attrs = DMA_ATTR_MMIO;
	KUNIT_EXPECT_EQ(test, mock_mapped(), 100);
	dma_range_list_unmap(t->ranges);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_UNMAP), 100);
}

/* The core unmaps at a move, before phyr_unmap(). */
static void unmap_twice(struct kunit *test)
{
	struct device *dev = mock_device(test, "importer", DMA_BIT_MASK(64));
	struct range_test *t = range_test_start(test, NULL);

	range_test_map_extents(t, dev, 10, 4);
	t->ranges->segments->attrs = DMA_ATTR_MMIO;
	dma_range_list_unmap(t->ranges);
	dma_range_list_unmap(t->ranges);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_UNMAP), 10);
}

static void unmap_offsets_calls_nothing(struct kunit *test)
{
	struct range_test *t = range_test_start(test, NULL);

	range_test_list(t, 40);
	range_test_add_offset(t, PHYR_MAP_BUS, 0, 8 * PAGE_SIZE, 0x7000000);
	range_test_add_offset(t, PHYR_MAP_WINDOW, 8 * PAGE_SIZE, 8 * PAGE_SIZE,
			      0);
	mock_forget();
	dma_range_list_unmap(t->ranges);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_UNMAP), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_DESTROY), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_SGT_UNMAP), 0);
	KUNIT_EXPECT_EQ(test, dma_range_list_len(t->ranges), 0);
}

/* A table that the list does not own stays mapped. */
static void unmap_sgt_of_its_mapper(struct kunit *test)
{
	struct range_test *t = range_test_start(test, NULL);

	range_build_sgt(t);
	dma_range_list_unmap(t->ranges);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_SGT_UNMAP), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_UNMAP), 0);
}

static void unmap_each_segment(struct kunit *test)
{
	struct device *dev = mock_device(test, "importer", DMA_BIT_MASK(64));
	struct range_test *t = range_test_start(test, NULL);
	struct dma_range_segment *segment;

	range_test_list(t, 10);
	range_test_map_extents(t, dev, 5, 2);
	range_test_add_offset(t, PHYR_MAP_BUS, 0, PAGE_SIZE, 0);
	range_test_map_extents(t, dev, 3, 2);
	for (segment = t->ranges->segments; segment; segment = segment->next)
		segment->attrs = DMA_ATTR_MMIO;
	KUNIT_EXPECT_EQ(test, mock_mapped(), 8);
	dma_range_list_unmap(t->ranges);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_UNMAP), 8);
}

/* Tables, the phyr list and its memory are not owned and stay. */
static void free_by_build(struct kunit *test)
{
	unsigned int allocated = mock_allocated();
	struct range_test *t = range_test_build(test, test->param_value, NULL);
	const struct dma_range_segment *segment;
	const struct phyr_chunk *chunk;

	for (segment = t->ranges->segments; segment; segment = segment->next)
		allocated += segment->mode == PHYR_MAP_SGT;
	if (t->list) {
		allocated++;
		for (chunk = phyr_list_first(t->list); chunk;
		     chunk = chunk->next)
			allocated++;
		/* The list's index, of one block */
		if (phyr_list_count(t->list) > PHYR_INDEX_MIN)
			allocated += 2;
	}
	range_test_end(t);
	KUNIT_EXPECT_EQ(test, mock_allocated(), allocated);
}

/* After a move, the last mapping holds the last reference to the list. */
static void free_drops_the_list(struct kunit *test)
{
	struct range_test *t = range_test_start(test, NULL);
	struct phyr_list *list = range_test_list(t, 10);
	unsigned int before;

	range_test_add_offset(t, PHYR_MAP_WINDOW, 0, phyr_list_size(list), 0);
	fixture_list_put(test, list);
	range_test_walk(t, 0, 3);

	before = mock_allocated();
	range_test_end(t);
	/* The dma_range_list, the list, and its second chunk */
	KUNIT_EXPECT_EQ(test, mock_allocated(), before - 3);
}

/*
 * Random lists
 */

static u64 range_random_page(struct rnd_state *rnd, u64 pages)
{
	return fixture_below(rnd, pages) << PAGE_SHIFT;
}

static void range_random_offset(struct range_test *t, struct rnd_state *rnd)
{
	u64 size = phyr_list_size(t->list), offset, len;

	offset = range_random_page(rnd, size >> PAGE_SHIFT);
	len = range_random_page(rnd, (size - offset) >> PAGE_SHIFT) + PAGE_SIZE;
	range_test_add_offset(t, fixture_below(rnd, 2) ? PHYR_MAP_BUS :
							 PHYR_MAP_WINDOW,
			      offset, len, range_random_page(rnd, BIT_ULL(52)));
}

/* Up to 20 ranges; with @holes, some but not all have 0 bytes. */
static unsigned int range_random_ranges(struct rnd_state *rnd,
					struct dma_range *range, bool holes)
{
	unsigned int nr = 1 + fixture_below(rnd, 20), i;

	for (i = 0; i < nr; i++) {
		range[i].addr = fixture_below(rnd, BIT_ULL(40));
		range[i].len = 1 + fixture_below(rnd, 0x5000);
		if (holes && fixture_below(rnd, 3))
			range[i].len = 0;
	}
	range[fixture_below(rnd, nr)].len = 0x3000;
	return nr;
}

static void range_random_segment(struct range_test *t, struct rnd_state *rnd)
{
	struct dma_range range[20];
	unsigned int nr;

	switch (fixture_below(rnd, 4)) {
	case 0:
		range_test_add_iova(t, range_random_page(rnd, BIT_ULL(36)),
				    range_random_page(rnd, 64) + PAGE_SIZE);
		break;
	case 1:
		range_random_offset(t, rnd);
		break;
	case 2:
		nr = range_random_ranges(rnd, range, false);
		range_test_add_extents(t, range, nr, 1 + fixture_below(rnd, 8));
		break;
	default:
		nr = range_random_ranges(rnd, range, true);
		range_test_add_sgt(t, range, nr);
		break;
	}
}

static struct phyr_limits range_random_limits(struct rnd_state *rnd)
{
	struct phyr_limits limits = {};

	switch (fixture_below(rnd, 3)) {
	case 0:
		limits.max_len = 0x400 + fixture_below(rnd, 0x8000);
		break;
	case 1:
		limits.max_len = 0x400 + fixture_below(rnd, BIT_ULL(63));
		break;
	default:
		break;
	}
	if (fixture_below(rnd, 2))
		limits.boundary = BIT_ULL(10 + fixture_below(rnd, 54));
	return limits;
}

static void next_random(struct kunit *test)
{
	struct phyr_limits limits;
	struct range_test *t;
	struct rnd_state rnd;
	unsigned int i, j;

	fixture_random(test, &rnd);
	for (i = 0; i < 200; i++) {
		limits = range_random_limits(&rnd);
		t = range_test_start(test, &limits);
		range_test_list(t, 1 + fixture_below(&rnd, 60));
		for (j = 1 + fixture_below(&rnd, 6); j; j--)
			range_random_segment(t, &rnd);

		t->ranges->skip = fixture_below(&rnd, PAGE_SIZE);
		t->ranges->skip = min(t->ranges->skip, t->total - 1);
		t->ranges->len = 1 + fixture_below(&rnd, t->total -
							 t->ranges->skip);
		range_test_walk(t, 0, 1 + fixture_below(&rnd, 24));
		for (j = 0; j < 10; j++)
			range_test_walk(t, fixture_below(&rnd, t->ranges->len),
					1 + fixture_below(&rnd, 24));
		range_test_end(t);
		cond_resched();
	}
}

static struct kunit_case range_test_cases[] = {
	KUNIT_CASE(alloc_keeps_limits),
	KUNIT_CASE(alloc_no_memory),
	KUNIT_CASE_PARAM(mode_and_len_by_build, range_build_gen_params),
	KUNIT_CASE(mode_names),
	KUNIT_CASE(mode_of_two_segments),
	KUNIT_CASE_PARAM(next_whole_list, range_build_gen_params),
	KUNIT_CASE_PARAM(next_in_small_arrays, range_build_gen_params),
	KUNIT_CASE_PARAM(next_from_each_border, range_build_gen_params),
	KUNIT_CASE_PARAM(next_part_of_what_is_mapped, range_build_gen_params),
	KUNIT_CASE_PARAM(next_at_and_behind_end, range_build_gen_params),
	KUNIT_CASE_PARAM(next_without_room, range_build_gen_params),
	KUNIT_CASE_PARAM(next_of_invalidated_list, range_build_gen_params),
	KUNIT_CASE_PARAM(next_within_limits, range_limit_gen_params),
	KUNIT_CASE(next_near_u64_max),
	KUNIT_CASE(next_iova_beyond_4g_is_one_range),
	KUNIT_CASE(next_sgt_beyond_4g),
	KUNIT_CASE(next_extents_beyond_4g),
	KUNIT_CASE(next_sgt_never_empty),
	KUNIT_CASE(unmap_iova_destroys_it),
	KUNIT_CASE(unmap_extents_each_once),
	KUNIT_CASE(unmap_twice),
	KUNIT_CASE(unmap_offsets_calls_nothing),
	KUNIT_CASE(unmap_sgt_of_its_mapper),
	KUNIT_CASE(unmap_each_segment),
	KUNIT_CASE_PARAM(free_by_build, range_build_gen_params),
	KUNIT_CASE(free_drops_the_list),
	KUNIT_CASE(next_random),
	{}
};

static struct kunit_suite range_test_suite = {
	.name = "phyr_range",
	.init = mock_init,
	.test_cases = range_test_cases,
};

kunit_test_suite(range_test_suite);

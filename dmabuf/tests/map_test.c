// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: map.c, mappings against a mocked DMA API
 */
#include "redirect.h"
#include "../map.c"
#include "map_fixture.h"

/*
 * Behind an IOMMU
 */

/* Extents of different lengths, more than PHYR_LIST_INLINE */
static struct phyr_list *map_test_stairs(struct kunit *test,
					 struct phyr_mem *mem, u64 start,
					 unsigned int nr)
{
	struct phyr_list *list = map_test_list_new(test);
	u64 size = 0;
	unsigned int i;

	for (i = 1; i <= nr; i++) {
		map_test_append(test, list, mem, start + i * SZ_1M, 1,
				i * SZ_4K, 0);
		size += i * SZ_4K;
	}
	KUNIT_ASSERT_EQ(test, phyr_list_finish(list, size, "test"), 0);
	mock_forget();
	return list;
}

static void map_iova_links_at_running_offsets(struct kunit *test)
{
	struct map_test *t = test->priv;
	const struct mock_entry *link;
	struct dma_range_list *ranges;
	struct dma_range_cursor cursor;
	struct phyr_list *list;
	u64 offset = 0;
	int i;

	mock.iommu = true;
	list = map_test_stairs(test, t->p2p, MAP_BAR, 20);
	ranges = map_test_map(t, list, 0, phyr_list_size(list));

	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_ALLOC), 1);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_IOVA_ALLOC, 1)->len,
			phyr_list_size(list));
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_LINK), 20);
	for (i = 1; i <= 20; i++) {
		link = mock_nth(MOCK_IOVA_LINK, i);
		KUNIT_EXPECT_EQ(test, link->phys, MAP_BAR + i * SZ_1M);
		KUNIT_EXPECT_EQ(test, link->len, i * SZ_4K);
		KUNIT_EXPECT_EQ(test, link->offset, offset);
		KUNIT_EXPECT_EQ(test, link->dir, DMA_FROM_DEVICE);
		KUNIT_EXPECT_EQ(test, link->attrs, PHYR_MMIO_ATTRS);
		offset += link->len;
	}
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_SYNC), 1);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_IOVA_SYNC, 1)->len, offset);
	KUNIT_EXPECT_GT(test, mock_index(MOCK_IOVA_SYNC, 1),
			mock_index(MOCK_IOVA_LINK, 20));
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), 0);

	KUNIT_EXPECT_STREQ(test, dma_range_list_mode(ranges), "iova");
	dma_range_cursor_init(&cursor, ranges, 0);
	map_test_expect_range(test, &cursor, mock_nth(MOCK_IOVA_ALLOC, 1)->dma,
			      offset);
	map_test_expect_end(test, &cursor);

	map_test_unmap(ranges);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_DESTROY), 1);
}

static void map_iova_no_space(struct kunit *test)
{
	struct map_test *t = test->priv;

	mock.iommu = true;
	mock_fail(MOCK_IOVA_ALLOC, 1, -ENOSPC);
	map_test_expect_error(t, map_test_stairs(test, t->p2p, MAP_BAR, 3),
			      -ENOSPC);
	/* No fallback to a window or to extents */
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_LINK), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_DESTROY), 0);
}

/* The mock checks each destroy against the linked length. */
static void map_iova_each_link_fails(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *list;
	u64 linked = 0;
	int k;

	mock.iommu = true;
	list = map_test_stairs(test, t->p2p, MAP_BAR, 12);
	for (k = 1; k <= 12; k++) {
		mock_forget();
		mock_fail(MOCK_IOVA_LINK, k, -EADDRINUSE);
		map_test_expect_error(t, list, -EADDRINUSE);
		KUNIT_EXPECT_FALSE(test, mock_fail_due());
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_LINK), k);
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_SYNC), 0);
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_DESTROY), 1);
		KUNIT_EXPECT_EQ(test, mock_nth(MOCK_IOVA_DESTROY, 1)->len,
				linked);
		KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
		linked += k * SZ_4K;
	}
}

static void map_iova_sync_fails(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *list;

	mock.iommu = true;
	list = map_test_stairs(test, t->ram, MAP_RAM, 5);
	mock_fail(MOCK_IOVA_SYNC, 1, -EIO);
	map_test_expect_error(t, list, -EIO);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_IOVA_DESTROY, 1)->len,
			phyr_list_size(list));
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

static void map_iova_beyond_4gib(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct dma_range_cursor cursor;
	struct phyr_list *list;
	u64 iova;

	mock.iommu = true;
	/* A long extent, then offsets of more than 32 bits */
	list = map_test_list(test, t->carveout, MAP_CARVEOUT, 3, 6ULL * SZ_1G,
			     8ULL * SZ_1G);
	ranges = map_test_map(t, list, 0, 18ULL * SZ_1G);

	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_LINK), 3);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_IOVA_LINK, 1)->len, 6ULL * SZ_1G);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_IOVA_LINK, 2)->offset,
			6ULL * SZ_1G);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_IOVA_LINK, 3)->offset,
			12ULL * SZ_1G);
	iova = mock_nth(MOCK_IOVA_ALLOC, 1)->dma;
	dma_range_cursor_init(&cursor, ranges, 17ULL * SZ_1G);
	map_test_expect_range(test, &cursor, iova + 17ULL * SZ_1G, SZ_1G);
	map_test_unmap(ranges);
}

/*
 * As bus addresses
 */

static void map_bus_calls_nobody(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct dma_range_cursor cursor;
	struct phyr_list *list;
	int i;

	mock.bus = true;
	mock.iommu = true;
	list = map_test_list(test, t->p2p, MAP_BAR, 20, SZ_4K, SZ_64K);
	KUNIT_EXPECT_EQ(test, map_test_routes(&t->importer, list), 0);
	mock_forget();
	ranges = map_test_map(t, list, 0, 20 * SZ_4K);

	KUNIT_EXPECT_EQ(test, mock_count(MOCK_DISTANCE), 0);
	map_test_expect_untouched(test);
	/* Only the list is allocated, nothing per extent. */
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_ALLOC), 1);
	KUNIT_EXPECT_STREQ(test, dma_range_list_mode(ranges), "bus");
	dma_range_cursor_init(&cursor, ranges, 0);
	for (i = 0; i < 20; i++)
		map_test_expect_range(test, &cursor,
				      MAP_BAR - SZ_1G + i * SZ_64K, SZ_4K);
	map_test_expect_end(test, &cursor);
	map_test_unmap(ranges);
}

/* The mask covers part of the BAR: only the buffer's extents matter. */
static void map_bus_beyond_the_mask(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *inside, *outside;

	mock.bus = true;
	t->pdev->dma_mask = MAP_BAR - SZ_1G + SZ_1M - 1;
	t->pdev->dev.bus_dma_limit = 0;
	/* The probe's page at MAP_BAR is beyond the mask, but translated. */
	mock.iommu = true;
	inside = map_test_list(test, t->p2p, MAP_BAR + SZ_512K, 2, SZ_128K,
			       SZ_256K);
	outside = map_test_list(test, t->p2p, MAP_BAR + SZ_512K, 6, SZ_128K,
				SZ_256K);
	map_test_unmap(map_test_map(t, inside, 0, 2 * SZ_128K));
	map_test_expect_error(t, outside, -EREMOTEIO);
	/* The requested part is within the mask. */
	map_test_unmap(map_test_map(t, outside, 0, 2 * SZ_128K));
}

static void map_bus_up_to_the_mask(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *list;

	mock.bus = true;
	mock.iommu = true;
	list = map_test_list(test, t->p2p, MAP_BAR, 2, SZ_4K, SZ_8K);
	t->pdev->dma_mask = MAP_BAR - SZ_1G + 3 * SZ_4K - 1;
	map_test_unmap(map_test_map(t, list, 0, 2 * SZ_4K));

	map_test_drop_routes(&t->importer);
	t->pdev->dma_mask--;
	map_test_expect_error(t, list, -EREMOTEIO);
}

/*
 * Through a window
 */

static void map_window_is_an_offset(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct dma_range_cursor cursor;
	struct phyr_list *list;
	int i;

	mock.dma_offset = 0x7000000000;
	list = map_test_list(test, t->p2p, MAP_BAR + SZ_1M, 20, SZ_4K, SZ_64K);
	ranges = map_test_map(t, list, 0, 20 * SZ_4K);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), 1);
	KUNIT_EXPECT_STREQ(test, dma_range_list_mode(ranges), "window");

	dma_range_cursor_init(&cursor, ranges, 0);
	for (i = 0; i < 20; i++)
		map_test_expect_range(test, &cursor,
				      0x7000000000 + MAP_BAR + SZ_1M +
				      i * SZ_64K, SZ_4K);
	map_test_expect_end(test, &cursor);

	mock_forget();
	map_test_unmap(ranges);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_UNMAP), 0);
	map_test_unmap(map_test_map(t, list, 0, SZ_4K));
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), 0);
}

static void map_window_beyond_4gib(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct dma_range_cursor cursor;
	struct phyr_list *list;

	list = map_test_list(test, t->carveout, MAP_CARVEOUT, 3, 6ULL * SZ_1G,
			     8ULL * SZ_1G);
	ranges = map_test_map(t, list, 0, 18ULL * SZ_1G);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_MAP, 1)->len, MAP_CARVEOUT_LEN);
	dma_range_cursor_init(&cursor, ranges, 5ULL * SZ_1G);
	map_test_expect_range(test, &cursor, MAP_CARVEOUT + 5ULL * SZ_1G, SZ_1G);
	map_test_expect_range(test, &cursor, MAP_CARVEOUT + 8ULL * SZ_1G,
			      6ULL * SZ_1G);
	map_test_expect_range(test, &cursor, MAP_CARVEOUT + 16ULL * SZ_1G,
			      6ULL * SZ_1G);
	map_test_expect_end(test, &cursor);
	map_test_unmap(ranges);
}

/*
 * Per extent
 */

static void map_extents_each_and_in_order(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct dma_range_cursor cursor;
	const struct mock_entry *map;
	struct phyr_list *list;
	int i;

	mock.dma_offset = SZ_1G;
	list = map_test_stairs(test, t->ram, MAP_RAM, 20);
	ranges = map_test_map(t, list, 0, phyr_list_size(list));
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), 20);
	KUNIT_EXPECT_STREQ(test, dma_range_list_mode(ranges), "extent");

	dma_range_cursor_init(&cursor, ranges, 0);
	for (i = 1; i <= 20; i++) {
		map = mock_nth(MOCK_MAP, i);
		KUNIT_EXPECT_EQ(test, map->phys, MAP_RAM + i * SZ_1M);
		KUNIT_EXPECT_EQ(test, map->len, i * SZ_4K);
		KUNIT_EXPECT_EQ(test, map->dir, DMA_FROM_DEVICE);
		KUNIT_EXPECT_EQ(test, map->attrs, DMA_ATTR_REQUIRE_COHERENT);
		map_test_expect_range(test, &cursor, map->dma, map->len);
	}
	map_test_expect_end(test, &cursor);

	map_test_unmap(ranges);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_UNMAP), 20);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

static void map_extents_each_map_fails(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *list;
	int k, i;

	list = map_test_stairs(test, t->ram, MAP_RAM, 12);
	for (k = 1; k <= 12; k++) {
		mock_forget();
		mock_fail(MOCK_MAP, k, -ENOMEM);
		map_test_expect_error(t, list, -ENOMEM);
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), k);
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_UNMAP), k - 1);
		for (i = 1; i < k; i++)
			KUNIT_EXPECT_EQ(test, mock_nth(MOCK_UNMAP, i)->dma,
					mock_nth(MOCK_MAP, i)->dma);
		KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
	}
}

static void map_extents_over_many_chunks(struct kunit *test)
{
	const unsigned int nr = 3 * DMA_RANGE_CHUNK_MAX + 1;
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct dma_range_cursor cursor;
	struct phyr_list *list;
	unsigned int i;

	list = map_test_list(test, t->ram, MAP_RAM, nr, SZ_4K, SZ_8K);
	ranges = map_test_map(t, list, 0, nr * SZ_4K);
	KUNIT_EXPECT_EQ(test, mock_mapped(), nr);
	dma_range_cursor_init(&cursor, ranges, 0);
	for (i = 0; i < nr; i++)
		map_test_expect_range(test, &cursor, MAP_RAM + i * SZ_8K,
				      SZ_4K);
	map_test_expect_end(test, &cursor);
	map_test_unmap(ranges);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

static void map_extents_no_memory_for_a_chunk(struct kunit *test)
{
	const unsigned int nr = 2 * DMA_RANGE_CHUNK_MAX + 1;
	struct map_test *t = test->priv;
	struct phyr_list *list;
	int i;

	list = map_test_list(test, t->ram, MAP_RAM, nr, SZ_4K, SZ_8K);
	KUNIT_EXPECT_EQ(test, map_test_routes(&t->importer, list), 0);
	for (i = 0; i < 3; i++) {
		mock_forget();
		/* The first allocation is the list. */
		mock_fail(MOCK_ALLOC, 2 + i, -ENOMEM);
		map_test_expect_error(t, list, -ENOMEM);
		KUNIT_EXPECT_FALSE(test, mock_fail_due());
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP),
				i * DMA_RANGE_CHUNK_MAX);
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_UNMAP),
				i * DMA_RANGE_CHUNK_MAX);
	}
}

/* The mock fails the case if the DMA API would warn. */
static void map_extents_beyond_the_mask(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *list;

	t->pdev->dma_mask = MAP_RAM + 2 * SZ_1M - 1;
	list = map_test_list(test, t->ram, MAP_RAM, 3, SZ_4K, SZ_1M);
	map_test_expect_error(t, list, -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), 2);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_UNMAP), 2);

	/* The last byte of the last extent is out of reach. */
	map_test_drop_routes(&t->importer);
	t->pdev->dma_mask = MAP_RAM + 2 * SZ_1M + SZ_4K - 2;
	map_test_expect_error(t, list, -EREMOTEIO);
	map_test_drop_routes(&t->importer);
	t->pdev->dma_mask++;
	map_test_unmap(map_test_map(t, list, 0, 3 * SZ_4K));
}

static void map_extents_of_a_bar_in_part_reached(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct phyr_list *list;

	t->pdev->dma_mask = MAP_BAR + SZ_1M - 1;
	list = map_test_list(test, t->p2p, MAP_BAR, 4, SZ_4K, SZ_256K);
	ranges = map_test_map(t, list, 0, 4 * SZ_4K);
	KUNIT_EXPECT_STREQ(test, dma_range_list_mode(ranges), "extent");
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_MAP, 1)->attrs, PHYR_MMIO_ATTRS);
	map_test_unmap(ranges);

	list = map_test_list(test, t->p2p, MAP_BAR, 5, SZ_4K, SZ_256K);
	map_test_expect_error(t, list, -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

/* Bus addresses differ from physical ones; the mask limits bus addresses. */
static void map_extents_bus_sees_ram_elsewhere(struct kunit *test)
{
	static const struct bus_dma_region regions[] = {
		{ .cpu_start = MAP_RAM, .dma_start = 0, .size = SZ_1G },
		{}
	};
	struct map_test *t = test->priv;
	struct phyr_list *list;

	t->pdev->dev.dma_range_map = regions;
	t->pdev->dma_mask = DMA_BIT_MASK(30);
	mock.dma_offset = -MAP_RAM;
	list = map_test_list(test, t->ram, MAP_RAM, 3, SZ_4K, SZ_1M);
	map_test_unmap(map_test_map(t, list, 0, 3 * SZ_4K));

	/* The bus cannot address it at all. */
	list = map_test_list(test, t->ram, MAP_RAM + SZ_1G, 1, SZ_4K, SZ_4K);
	map_test_expect_error(t, list, -EREMOTEIO);
}

/*
 * Parts, limits and errors in all modes
 */

/* All modes of mapping the same bytes, with a memory for each */
struct map_setup {
	const char *name;
	enum phyr_mem_kind kind;
	bool iommu;
	bool bus;
	const char *mode;
};

static const struct map_setup map_setups[] = {
	{ "iova", PHYR_MEM_P2P, true, false, "iova" },
	{ "bus", PHYR_MEM_P2P, false, true, "bus" },
	{ "window", PHYR_MEM_P2P, false, false, "window" },
	{ "extent", PHYR_MEM_RAM, false, false, "extent" },
};

static void map_setup_desc(const struct map_setup *setup, char *desc)
{
	strscpy(desc, setup->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(map_setup, map_setups, map_setup_desc);

#define MAP_PARTS	10
#define MAP_PART	(3 * SZ_4K)

/* MAP_PARTS extents of MAP_PART bytes in the memory of the setup */
static struct phyr_list *map_test_setup(struct map_test *t, u64 *start)
{
	const struct map_setup *setup = t->test->param_value;

	mock.iommu = setup->iommu;
	mock.bus = setup->bus;
	*start = setup->kind == PHYR_MEM_P2P ? MAP_BAR : MAP_RAM;
	return map_test_list(t->test, map_test_mem(t, setup->kind), *start,
			     MAP_PARTS, MAP_PART, SZ_1M);
}

/* DMA address of byte @offset of that list */
static u64 map_test_addr(struct kunit *test, u64 start, u64 offset, u64 skip)
{
	const struct map_setup *setup = test->param_value;
	u64 phys = start + offset / MAP_PART * SZ_1M + offset % MAP_PART;

	if (setup->iommu)
		return mock_nth(MOCK_IOVA_ALLOC, 1)->dma + offset - skip;
	return setup->bus ? phys - SZ_1G : phys;
}

static void map_list_expect_part(struct map_test *t, struct phyr_list *list,
				 u64 start, u64 offset, u64 len)
{
	const struct map_setup *setup = t->test->param_value;
	struct dma_range_list *ranges;
	struct dma_range_cursor cursor;
	struct dma_range range;
	u64 at = offset;

	mock_forget();
	ranges = map_test_map(t, list, offset, len);
	KUNIT_EXPECT_STREQ(t->test, dma_range_list_mode(ranges), setup->mode);
	dma_range_cursor_init(&cursor, ranges, 0);
	while (dma_range_next(&cursor, &range, 1)) {
		KUNIT_EXPECT_EQ(t->test, range.addr,
				map_test_addr(t->test, start, at,
					      round_down(offset, PAGE_SIZE)));
		KUNIT_EXPECT_NE(t->test, range.len, 0);
		at += range.len;
		if (!setup->iommu && at < offset + len)
			KUNIT_EXPECT_EQ(t->test, at % MAP_PART, 0);
	}
	KUNIT_EXPECT_EQ(t->test, at, offset + len);
	map_test_unmap(ranges);
}

static void map_list_parts(struct kunit *test)
{
	static const u64 parts[][2] = {
		{ 0, MAP_PARTS * MAP_PART },
		{ 0, 1 },
		{ 1, 1 },
		{ SZ_4K - 1, 2 },
		{ MAP_PART - 1, 2 },
		{ MAP_PART, MAP_PART },
		{ MAP_PART + 5, MAP_PART },
		/* Across the end of the inline chunk */
		{ 4 * MAP_PART - 1, 2 },
		{ 4 * MAP_PART, SZ_4K },
		{ 3 * MAP_PART + SZ_4K, 5 * MAP_PART },
		{ MAP_PARTS * MAP_PART - 1, 1 },
	};
	struct map_test *t = test->priv;
	struct phyr_list *list;
	u64 start;
	int i;

	list = map_test_setup(t, &start);
	for (i = 0; i < ARRAY_SIZE(parts); i++)
		map_list_expect_part(t, list, start, parts[i][0], parts[i][1]);
}

/* Only the pages of the requested part are mapped. */
static void map_list_maps_whole_pages_of_a_part(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct phyr_list *list;
	u64 start;

	list = map_test_setup(t, &start);
	ranges = map_test_map(t, list, MAP_PART + SZ_4K + 7, SZ_4K);
	KUNIT_EXPECT_EQ(test, ranges->skip, 7);
	KUNIT_EXPECT_EQ(test, ranges->segments->len, SZ_8K);
	if (ranges->segments->mode == PHYR_MAP_IOVA) {
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_LINK), 1);
		KUNIT_EXPECT_EQ(test, mock_nth(MOCK_IOVA_LINK, 1)->phys,
				start + SZ_1M + SZ_4K);
		KUNIT_EXPECT_EQ(test, mock_nth(MOCK_IOVA_LINK, 1)->len, SZ_8K);
	} else if (ranges->segments->mode == PHYR_MAP_EXTENT) {
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), 1);
		KUNIT_EXPECT_EQ(test, mock_nth(MOCK_MAP, 1)->phys,
				start + SZ_1M + SZ_4K);
		KUNIT_EXPECT_EQ(test, mock_nth(MOCK_MAP, 1)->len, SZ_8K);
	}
	map_test_unmap(ranges);
}

static void map_list_limits(struct kunit *test)
{
	static const struct phyr_limits limits[] = {
		{ .max_len = SZ_4K },
		{ .max_len = SZ_8K },
		{ .max_len = 1000 },
		{ .boundary = SZ_4K },
		{ .boundary = SZ_8K },
		{ .max_len = 5000, .boundary = SZ_8K },
		{ .max_len = SZ_1G, .boundary = SZ_4G },
	};
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct dma_range_cursor cursor;
	const struct phyr_limits *limit;
	struct dma_range range;
	struct phyr_list *list;
	u64 start, at;

	list = map_test_setup(t, &start);
	for (limit = limits; limit < limits + ARRAY_SIZE(limits); limit++) {
		t->importer.limits = *limit;
		mock_forget();
		ranges = map_test_map(t, list, 0, MAP_PARTS * MAP_PART);
		dma_range_cursor_init(&cursor, ranges, 0);
		for (at = 0; dma_range_next(&cursor, &range, 1);
		     at += range.len) {
			KUNIT_EXPECT_EQ(test, range.addr,
					map_test_addr(test, start, at, 0));
			if (limit->max_len)
				KUNIT_EXPECT_LE(test, range.len,
						limit->max_len);
			if (limit->boundary)
				KUNIT_EXPECT_EQ(test,
						range.addr / limit->boundary,
						(range.addr + range.len - 1) /
						limit->boundary);
		}
		KUNIT_EXPECT_EQ(test, at, MAP_PARTS * MAP_PART);
		map_test_unmap(ranges);
	}
}

static void map_list_each_direction(struct kunit *test)
{
	static const enum dma_data_direction dirs[] = {
		DMA_BIDIRECTIONAL, DMA_TO_DEVICE, DMA_FROM_DEVICE,
	};
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct phyr_list *list;
	u64 start;
	int i;

	list = map_test_setup(t, &start);
	KUNIT_EXPECT_EQ(test, map_test_routes(&t->importer, list), 0);
	for (i = 0; i < ARRAY_SIZE(dirs); i++) {
		mock_forget();
		ranges = map_test_map_list(&t->importer, list, 0, SZ_4K, dirs[i]);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ranges);
		if (mock_count(MOCK_MAP))
			KUNIT_EXPECT_EQ(test, mock_nth(MOCK_MAP, 1)->dir,
					dirs[i]);
		if (mock_count(MOCK_IOVA_LINK))
			KUNIT_EXPECT_EQ(test, mock_nth(MOCK_IOVA_LINK, 1)->dir,
					dirs[i]);
		/* The mock checks that the unmap has the same direction. */
		map_test_unmap(ranges);
	}
}

static void map_list_each_allocation_fails(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_list *ranges = ERR_PTR(-ENOMEM);
	unsigned int nth, before;
	struct phyr_list *list;
	u64 start;

	list = map_test_setup(t, &start);
	for (nth = 1; IS_ERR(ranges); nth++) {
		KUNIT_ASSERT_LT(test, nth, 10);
		before = mock_allocated();
		mock_fail(MOCK_ALLOC, nth, -ENOMEM);
		ranges = map_test_map_list(&t->importer, list, 0,
					   MAP_PARTS * MAP_PART, DMA_TO_DEVICE);
		if (!IS_ERR(ranges))
			break;
		KUNIT_EXPECT_PTR_EQ(test, ranges, ERR_PTR(-ENOMEM));
		/* An existing route stays, with its window. */
		map_test_drop_routes(&t->importer);
		KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
		KUNIT_EXPECT_EQ(test, mock_allocated(), before);
	}
	mock_fail(MOCK_ALLOC, 0, 0);
	KUNIT_EXPECT_GE(test, nth, 3);
	map_test_unmap(ranges);
}

static void map_list_holds_its_list(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct dma_range_cursor cursor;
	struct phyr_list *list;
	u64 start;

	list = map_test_setup(t, &start);
	ranges = map_test_map(t, list, 0, MAP_PART);
	kunit_release_action(test, map_test_put_list, list);

	/* KASAN detects a use after free. */
	dma_range_cursor_init(&cursor, ranges, 0);
	map_test_expect_range(test, &cursor,
			      map_test_addr(test, start, 0, 0), MAP_PART);
	map_test_unmap(ranges);
}

static void map_list_unmap_twice(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct dma_range_cursor cursor;
	struct phyr_list *list;
	unsigned int calls;
	u64 start;

	list = map_test_setup(t, &start);
	ranges = map_test_map(t, list, 0, MAP_PARTS * MAP_PART);
	dma_range_list_unmap(ranges);
	calls = mock_count(MOCK_UNMAP) + mock_count(MOCK_IOVA_DESTROY);
	KUNIT_EXPECT_EQ(test, dma_range_list_len(ranges), 0);
	dma_range_cursor_init(&cursor, ranges, 0);
	map_test_expect_end(test, &cursor);

	dma_range_list_unmap(ranges);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_UNMAP) +
			      mock_count(MOCK_IOVA_DESTROY), calls);
	dma_range_list_free(ranges);
}

static void map_list_without_lock(struct kunit *test)
{
	struct dma_range_list *ranges;
	struct map_test *t = test->priv;
	struct phyr_list *list;

	if (!IS_ENABLED(CONFIG_PROVE_LOCKING))
		kunit_skip(test, "lockdep is needed to see it");

	list = map_test_list(test, t->ram, MAP_RAM, 1, SZ_4K, SZ_4K);
	KUNIT_EXPECT_EQ(test, map_test_routes(&t->importer, list), 0);
	kunit_warning_suppress(test) {
		ranges = phyr_map_list(&t->importer, list, 0, SZ_4K,
				       DMA_TO_DEVICE);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, phyr_route_list(&t->importer, list), 0);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ranges);
	map_test_unmap(ranges);
}

static struct kunit_case map_test_cases[] = {
	KUNIT_CASE_PARAM(route_create_decides, map_route_params),
	KUNIT_CASE(route_create_own_domain),
	KUNIT_CASE(route_create_without_mask),
	KUNIT_CASE(route_create_bus_dma_limit),
	KUNIT_CASE(route_create_no_memory),
	KUNIT_CASE(route_create_without_lock),
	KUNIT_CASE(route_create_holds_its_memory),
	KUNIT_CASE(probe_bus_once_for_all_routes),
	KUNIT_CASE(probe_bus_asks_the_distance_each_time),
	KUNIT_CASE(probe_bus_distance_negative),
	KUNIT_CASE(probe_bus_device_not_on_pci),
	KUNIT_CASE(probe_bus_no_common_bridge),
	KUNIT_CASE(probe_bus_common_bridge_far_up),
	KUNIT_CASE(probe_bus_maps_one_page_to_the_mark),
	KUNIT_CASE(probe_bus_releases_its_table),
	KUNIT_CASE(probe_bus_errors),
	KUNIT_CASE(window_is_shared_by_attachments),
	KUNIT_CASE(window_is_one_per_device),
	KUNIT_CASE(window_fails_to_map),
	KUNIT_CASE(window_no_memory),
	KUNIT_CASE(route_list_decides_once_per_memory),
	KUNIT_CASE(route_list_second_memory_out_of_reach),
	KUNIT_CASE(route_list_extent_out_of_reach),
	KUNIT_CASE(route_name_of_what_was_decided),
	KUNIT_CASE(map_iova_links_at_running_offsets),
	KUNIT_CASE(map_iova_no_space),
	KUNIT_CASE(map_iova_each_link_fails),
	KUNIT_CASE(map_iova_sync_fails),
	KUNIT_CASE(map_iova_beyond_4gib),
	KUNIT_CASE(map_bus_calls_nobody),
	KUNIT_CASE(map_bus_beyond_the_mask),
	KUNIT_CASE(map_bus_up_to_the_mask),
	KUNIT_CASE(map_window_is_an_offset),
	KUNIT_CASE(map_window_beyond_4gib),
	KUNIT_CASE(map_extents_each_and_in_order),
	KUNIT_CASE(map_extents_each_map_fails),
	KUNIT_CASE(map_extents_no_iova_space),
	KUNIT_CASE(map_extents_over_many_chunks),
	KUNIT_CASE(map_extents_no_memory_for_a_chunk),
	KUNIT_CASE(map_extents_beyond_the_mask),
	KUNIT_CASE(map_extents_of_a_bar_in_part_reached),
	KUNIT_CASE(map_extents_bus_sees_ram_elsewhere),
	KUNIT_CASE_PARAM(map_list_parts, map_setup_gen_params),
	KUNIT_CASE_PARAM(map_list_maps_whole_pages_of_a_part,
			 map_setup_gen_params),
	KUNIT_CASE_PARAM(map_list_limits, map_setup_gen_params),
	KUNIT_CASE_PARAM(map_list_each_direction, map_setup_gen_params),
	KUNIT_CASE_PARAM(map_list_each_allocation_fails, map_setup_gen_params),
	KUNIT_CASE_PARAM(map_list_holds_its_list, map_setup_gen_params),
	KUNIT_CASE_PARAM(map_list_unmap_twice, map_setup_gen_params),
	KUNIT_CASE(map_list_without_lock),
	{}
};

static struct kunit_suite map_test_suite = {
	.name = "phyr_map",
	.init = map_test_init,
	.test_cases = map_test_cases,
};

kunit_test_suite(map_test_suite);

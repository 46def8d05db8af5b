// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: map.c and range.c, lists of several memories
 */
#include "redirect.h"
#include "map_fixture.h"

#define MIXED_RUNS	4096

static struct phyr_list *map_mixed_list(struct map_test *t)
{
	struct phyr_list *list = map_test_list_new(t->test);

	map_test_append(t->test, list, t->ram, MAP_RAM, 2, SZ_4K, SZ_8K);
	map_test_append(t->test, list, t->p2p, MAP_BAR, 3, SZ_4K, SZ_8K);
	map_test_append(t->test, list, t->carveout, MAP_CARVEOUT, 1, SZ_8K,
			SZ_8K);
	map_test_append(t->test, list, t->ram, MAP_RAM + SZ_1M, 1, SZ_4K,
			SZ_8K);
	KUNIT_ASSERT_EQ(t->test, phyr_list_finish(list, 8 * SZ_4K, "test"), 0);
	mock_forget();
	return list;
}

static void mixed_a_segment_per_run(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct dma_range_cursor cursor;
	struct phyr_list *list = map_mixed_list(t);

	mock.bus = true;
	ranges = map_test_map(t, list, 0, 8 * SZ_4K);
	KUNIT_EXPECT_STREQ(test, dma_range_list_mode(ranges), "mixed");

	dma_range_cursor_init(&cursor, ranges, 0);
	map_test_expect_range(test, &cursor, MAP_RAM, SZ_4K);
	map_test_expect_range(test, &cursor, MAP_RAM + SZ_8K, SZ_4K);
	map_test_expect_range(test, &cursor, MAP_BAR - SZ_1G, SZ_4K);
	map_test_expect_range(test, &cursor, MAP_BAR - SZ_1G + SZ_8K, SZ_4K);
	map_test_expect_range(test, &cursor, MAP_BAR - SZ_1G + SZ_16K, SZ_4K);
	map_test_expect_range(test, &cursor, MAP_CARVEOUT, SZ_8K);
	map_test_expect_range(test, &cursor, MAP_RAM + SZ_1M, SZ_4K);
	map_test_expect_end(test, &cursor);

	map_test_unmap(ranges);
	/* The route keeps the carve-out's window. */
	KUNIT_EXPECT_EQ(test, mock_mapped(), 1);
}

static void mixed_behind_an_iommu(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct dma_range_cursor cursor;
	struct dma_range range[4];
	struct phyr_list *list = map_mixed_list(t);

	mock.iommu = true;
	ranges = map_test_map(t, list, 0, 8 * SZ_4K);
	KUNIT_EXPECT_STREQ(test, dma_range_list_mode(ranges), "iova");
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_ALLOC), 1);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_SYNC), 1);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_IOVA_LINK, 1)->attrs,
			DMA_ATTR_REQUIRE_COHERENT);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_IOVA_LINK, 3)->attrs,
			PHYR_MMIO_ATTRS);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_IOVA_LINK, 3)->offset, SZ_8K);

	/* The carve-out and the RAM behind it are one range. */
	dma_range_cursor_init(&cursor, ranges, 0);
	KUNIT_ASSERT_EQ(test, dma_range_next(&cursor, range, 4), 3);
	KUNIT_EXPECT_EQ(test, range[0].len, 2 * SZ_4K);
	KUNIT_EXPECT_EQ(test, range[0].flags, 0);
	KUNIT_EXPECT_EQ(test, range[1].addr, range[0].addr + range[0].len);
	KUNIT_EXPECT_EQ(test, range[1].len, 3 * SZ_4K);
	KUNIT_EXPECT_EQ(test, range[1].flags, DMA_RANGE_PEER);
	KUNIT_EXPECT_EQ(test, range[2].addr, range[1].addr + range[1].len);
	KUNIT_EXPECT_EQ(test, range[2].len, 3 * SZ_4K);
	KUNIT_EXPECT_EQ(test, range[2].flags, 0);

	map_test_unmap(ranges);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_DESTROY), 1);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

static void mixed_each_link_fails(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *list = map_mixed_list(t);
	int k;

	mock.iommu = true;
	for (k = 1; k <= 7; k++) {
		mock_forget();
		mock_fail(MOCK_IOVA_LINK, k, -EIO);
		map_test_expect_error(t, list, -EIO);
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_DESTROY), 1);
		KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
	}
	mock_forget();
	mock_fail(MOCK_IOVA_SYNC, 1, -EIO);
	map_test_expect_error(t, list, -EIO);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

/* One IOVA range, however often the memory changes */
static void mixed_many_runs(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *list = map_test_list_new(test);
	struct dma_range_list *ranges;
	unsigned int i;

	mock.iommu = true;
	for (i = 0; i < MIXED_RUNS; i++)
		map_test_append(test, list, i % 2 ? t->p2p : t->ram,
				(i % 2 ? MAP_BAR : MAP_RAM) + i * SZ_4K, 1,
				SZ_4K, SZ_4K);
	KUNIT_ASSERT_EQ(test, phyr_list_finish(list, MIXED_RUNS * SZ_4K, "test"),
			0);
	mock_forget();
	ranges = map_test_map(t, list, 0, MIXED_RUNS * SZ_4K);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_ALLOC), 1);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_SYNC), 1);
	KUNIT_EXPECT_EQ(test, dma_range_list_count(ranges), MIXED_RUNS);
	map_test_unmap(ranges);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

static void mixed_one_run_out_of_reach(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *list = map_mixed_list(t);

	mock.distance = -1;
	map_test_expect_error(t, list, -EREMOTEIO);
	/* Known before anything is mapped */
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_UNMAP), 0);
}

static struct kunit_case map_mixed_cases[] = {
	KUNIT_CASE(mixed_a_segment_per_run),
	KUNIT_CASE(mixed_behind_an_iommu),
	KUNIT_CASE(mixed_each_link_fails),
	KUNIT_CASE(mixed_many_runs),
	KUNIT_CASE(mixed_one_run_out_of_reach),
	{}
};

static struct kunit_suite map_mixed_suite = {
	.name = "phyr_map_mixed",
	.init = map_test_init,
	.test_cases = map_mixed_cases,
};

kunit_test_suite(map_mixed_suite);

// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: sgt.c, conversion between sg_table and dma_range_list
 */
#include "redirect.h"
#include "../sgt.c"

#define SGT_TEST_IOVA	0x5000000000ULL

/* A mapped table: @nents of @orig_nents entries have DMA addresses. */
static void sgt_test_table(struct kunit *test, struct sg_table *sgt,
			   unsigned int orig_nents, unsigned int nents,
			   const struct dma_range *dma)
{
	struct scatterlist *sg;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, sg_alloc_table(sgt, orig_nents, GFP_KERNEL), 0);
	sgt->nents = nents;
	for_each_sg(sgt->sgl, sg, nents, i) {
		sg_dma_address(sg) = dma[i].addr;
		sg_dma_len(sg) = dma[i].len;
	}
}

/* One IOVA range, as phyr_map_list() creates it */
static struct dma_range_list *sgt_test_ranges(struct kunit *test, u64 len,
					      const struct phyr_limits *limits)
{
	struct dma_range_list *ranges = dma_range_list_alloc(limits);

	KUNIT_ASSERT_NOT_NULL(test, ranges);
	ranges->len = len;
	ranges->first.mode = PHYR_MAP_IOVA;
	ranges->first.len = len;
	ranges->first.addr = SGT_TEST_IOVA;
	ranges->segments = &ranges->first;
	/* Never allocated as IOVA: dma_range_list_free() does not unmap it. */
	return ranges;
}

static const struct dma_range sgt_test_dma[] = {
	{ 0x10000, 0x3000 },
	{ 0x900000000, 0x1000 },
	{ 0x40000, 0x20000 },
};

static void sgt_test_expect_walk(struct kunit *test,
				 struct dma_range_list *ranges,
				 const struct dma_range *want, unsigned int nr)
{
	struct dma_range_cursor cursor;
	struct dma_range range;
	unsigned int i;

	dma_range_cursor_init(&cursor, ranges, 0);
	for (i = 0; i < nr; i++) {
		KUNIT_ASSERT_EQ(test, dma_range_next(&cursor, &range, 1), 1);
		KUNIT_EXPECT_EQ(test, range.addr, want[i].addr);
		KUNIT_EXPECT_EQ(test, range.len, want[i].len);
	}
	KUNIT_EXPECT_EQ(test, dma_range_next(&cursor, &range, 1), 0);
}

static void from_sgt_walks_each_segment(struct kunit *test)
{
	struct dma_range_list *ranges;
	struct sg_table sgt;

	sgt_test_table(test, &sgt, 3, 3, sgt_test_dma);
	ranges = dma_range_list_from_sgt(&sgt, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ranges);

	KUNIT_EXPECT_EQ(test, dma_range_list_len(ranges), 0x24000);
	KUNIT_EXPECT_STREQ(test, dma_range_list_mode(ranges), "sgt");
	sgt_test_expect_walk(test, ranges, sgt_test_dma, 3);

	dma_range_list_free(ranges);
	sg_free_table(&sgt);
}

/* An IOMMU merged the entries of three pages into one segment. */
static void from_sgt_merged_by_mapper(struct kunit *test)
{
	struct dma_range_list *ranges;
	struct sg_table sgt;

	sgt_test_table(test, &sgt, 3, 1, sgt_test_dma);
	ranges = dma_range_list_from_sgt(&sgt, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ranges);

	KUNIT_EXPECT_EQ(test, dma_range_list_len(ranges), 0x3000);
	sgt_test_expect_walk(test, ranges, sgt_test_dma, 1);

	dma_range_list_free(ranges);
	sg_free_table(&sgt);
}

/* A page-less exporter hides the CPU entries: orig_nents is 0. */
static void from_sgt_pageless_table(struct kunit *test)
{
	struct dma_range_list *ranges;
	struct sg_table sgt;

	sgt_test_table(test, &sgt, 3, 3, sgt_test_dma);
	sgt.orig_nents = 0;
	ranges = dma_range_list_from_sgt(&sgt, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ranges);
	sgt_test_expect_walk(test, ranges, sgt_test_dma, 3);

	dma_range_list_free(ranges);
	sgt.orig_nents = 3;
	sg_free_table(&sgt);
}

static void from_sgt_starts_at_offset(struct kunit *test)
{
	static const struct dma_range want[] = {
		{ 0x900000010, 0xff0 },
		{ 0x40000, 0x20000 },
	};
	struct dma_range_list *ranges;
	struct sg_table sgt;

	sgt_test_table(test, &sgt, 3, 3, sgt_test_dma);
	ranges = dma_range_list_from_sgt(&sgt, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ranges);
	ranges->skip = 0x3010;
	ranges->len -= 0x3010;
	sgt_test_expect_walk(test, ranges, want, ARRAY_SIZE(want));

	dma_range_list_free(ranges);
	sg_free_table(&sgt);
}

static void from_sgt_splits_at_limits(struct kunit *test)
{
	static const struct phyr_limits limits = { .max_len = 0x10000,
						   .boundary = 0x2000 };
	static const struct dma_range dma = { 0x1800, 0x3000 };
	static const struct dma_range want[] = {
		{ 0x1800, 0x800 },
		{ 0x2000, 0x2000 },
		{ 0x4000, 0x800 },
	};
	struct dma_range_list *ranges;
	struct sg_table sgt;

	sgt_test_table(test, &sgt, 1, 1, &dma);
	ranges = dma_range_list_from_sgt(&sgt, &limits);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ranges);
	sgt_test_expect_walk(test, ranges, want, ARRAY_SIZE(want));

	dma_range_list_free(ranges);
	sg_free_table(&sgt);
}

static void from_sgt_adds_up_beyond_4gib(struct kunit *test)
{
	static const struct dma_range dma[] = {
		{ 0x100000000, 0xfffff000 },
		{ 0x300000000, 0xfffff000 },
		{ 0x500000000, 0xfffff000 },
	};
	struct dma_range_list *ranges;
	struct sg_table sgt;

	sgt_test_table(test, &sgt, 3, 3, dma);
	ranges = dma_range_list_from_sgt(&sgt, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ranges);
	KUNIT_EXPECT_EQ(test, dma_range_list_len(ranges), 3 * 0xfffff000ULL);
	sgt_test_expect_walk(test, ranges, dma, 3);

	dma_range_list_free(ranges);
	sg_free_table(&sgt);
}

static void from_sgt_no_segments(struct kunit *test)
{
	static const struct dma_range empty = { 0x1000, 0 };
	struct sg_table sgt;

	sgt_test_table(test, &sgt, 1, 0, NULL);
	KUNIT_EXPECT_PTR_EQ(test, dma_range_list_from_sgt(&sgt, NULL),
			    ERR_PTR(-EINVAL));
	sg_free_table(&sgt);

	sgt_test_table(test, &sgt, 1, 1, &empty);
	KUNIT_EXPECT_PTR_EQ(test, dma_range_list_from_sgt(&sgt, NULL),
			    ERR_PTR(-EINVAL));
	sg_free_table(&sgt);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_ALLOC), 0);
}

static void from_sgt_no_memory(struct kunit *test)
{
	struct sg_table sgt;

	sgt_test_table(test, &sgt, 3, 3, sgt_test_dma);
	mock_fail(MOCK_ALLOC, 1, -ENOMEM);
	KUNIT_EXPECT_PTR_EQ(test, dma_range_list_from_sgt(&sgt, NULL),
			    ERR_PTR(-ENOMEM));
	sg_free_table(&sgt);
}

/* Only the owner of the table unmaps it. */
static void from_sgt_leaves_the_table_mapped(struct kunit *test)
{
	struct dma_range_list *ranges;
	struct sg_table sgt;

	sgt_test_table(test, &sgt, 3, 3, sgt_test_dma);
	ranges = dma_range_list_from_sgt(&sgt, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ranges);
	dma_range_list_unmap(ranges);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_SGT_UNMAP), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_UNMAP), 0);
	KUNIT_EXPECT_EQ(test, dma_range_list_len(ranges), 0);
	KUNIT_EXPECT_EQ(test, sgt.nents, 3);
	KUNIT_EXPECT_EQ(test, sg_dma_address(sgt.sgl), 0x10000);

	dma_range_list_free(ranges);
	sg_free_table(&sgt);
}

/**
 * struct sgt_test_split - a range that is split into 32-bit lengths
 * @name: description
 * @len: bytes
 * @max_len: limit of the list; 0 for none
 * @nents: expected number of entries
 */
struct sgt_test_split {
	const char *name;
	u64 len;
	u64 max_len;
	unsigned int nents;
};

#define SGT_TEST_MAX	0xfffff000ULL

static const struct sgt_test_split sgt_test_splits[] = {
	{ "a page", SZ_4K, 0, 1 },
	{ "the longest entry", SGT_TEST_MAX, 0, 1 },
	{ "4 GiB", SZ_4G, 0, 2 },
	{ "two longest entries", 2 * SGT_TEST_MAX, 0, 2 },
	{ "8 GiB", 2ULL * SZ_4G, 0, 3 },
	{ "64 GiB", 16ULL * SZ_4G, 0, 17 },
	{ "1 TiB", 256ULL * SZ_4G, 0, 257 },
	{ "8 GiB, ranges of 4 GiB", 2ULL * SZ_4G, SZ_4G, 4 },
	{ "a chained table", SZ_1M, SZ_4K, 256 },
};

static void sgt_test_split_desc(const struct sgt_test_split *split, char *desc)
{
	strscpy(desc, split->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(sgt_test_split, sgt_test_splits, sgt_test_split_desc);

static void sgt_create_splits_at_pages(struct kunit *test)
{
	const struct sgt_test_split *split = test->param_value;
	const struct phyr_limits limits = { .max_len = split->max_len };
	struct dma_range_list *ranges;
	u64 addr = SGT_TEST_IOVA;
	struct scatterlist *sg;
	struct sg_table *sgt;
	unsigned int i;

	ranges = sgt_test_ranges(test, split->len, &limits);
	sgt = phyr_sgt_create(ranges);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);

	KUNIT_EXPECT_EQ(test, sgt->nents, split->nents);
	for_each_sgtable_dma_sg(sgt, sg, i) {
		KUNIT_EXPECT_EQ(test, sg_dma_address(sg), addr);
		KUNIT_EXPECT_TRUE(test, PAGE_ALIGNED(sg_dma_len(sg)));
		KUNIT_EXPECT_NE(test, sg_dma_len(sg), 0);
		addr += sg_dma_len(sg);
	}
	KUNIT_EXPECT_EQ(test, addr, SGT_TEST_IOVA + split->len);

	KUNIT_EXPECT_PTR_EQ(test, phyr_sgt_destroy(sgt), ranges);
	dma_range_list_free(ranges);
}

static void sgt_create_has_no_pages(struct kunit *test)
{
	const struct phyr_limits limits = { .max_len = SZ_4K };
	struct dma_range_list *ranges;
	struct scatterlist *sg;
	struct sg_table *sgt;
	int i;

	ranges = sgt_test_ranges(test, 5 * SZ_4K, &limits);
	sgt = phyr_sgt_create(ranges);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);

	/* A walk of the CPU entries is empty. */
	KUNIT_EXPECT_EQ(test, sgt->orig_nents, 0);
	for_each_sgtable_dma_sg(sgt, sg, i) {
		KUNIT_EXPECT_NULL(test, sg_page(sg));
		KUNIT_EXPECT_EQ(test, sg->length, 0);
		KUNIT_EXPECT_EQ(test, sg->offset, 0);
		KUNIT_EXPECT_EQ(test, !!sg_is_last(sg), i == 4);
	}

	dma_range_list_free(phyr_sgt_destroy(sgt));
}

static void sgt_create_of_a_part(struct kunit *test)
{
	const struct phyr_limits limits = { .max_len = SZ_8K };
	struct dma_range_list *ranges;
	struct sg_table *sgt;

	ranges = sgt_test_ranges(test, 4 * SZ_4K, &limits);
	ranges->skip = SZ_4K;
	ranges->len = 3 * SZ_4K;
	sgt = phyr_sgt_create(ranges);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);

	KUNIT_EXPECT_EQ(test, sgt->nents, 2);
	KUNIT_EXPECT_EQ(test, sg_dma_address(sgt->sgl), SGT_TEST_IOVA + SZ_4K);
	KUNIT_EXPECT_EQ(test, sg_dma_len(sgt->sgl), SZ_8K);
	KUNIT_EXPECT_EQ(test, sg_dma_len(sg_next(sgt->sgl)), SZ_4K);

	dma_range_list_free(phyr_sgt_destroy(sgt));
}

static void sgt_create_and_back(struct kunit *test)
{
	const struct phyr_limits limits = { .max_len = SZ_8K,
					    .boundary = SZ_16K };
	struct dma_range_cursor cursors[2];
	struct dma_range_list *there, *back;
	struct dma_range ranges[2];
	struct sg_table *sgt;
	unsigned int n = 0;

	there = sgt_test_ranges(test, 9 * SZ_4K, &limits);
	sgt = phyr_sgt_create(there);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	back = dma_range_list_from_sgt(sgt, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, back);

	KUNIT_EXPECT_EQ(test, back->len, there->len);
	dma_range_cursor_init(&cursors[0], there, 0);
	dma_range_cursor_init(&cursors[1], back, 0);
	while (dma_range_next(&cursors[0], &ranges[0], 1)) {
		KUNIT_ASSERT_EQ(test,
				dma_range_next(&cursors[1], &ranges[1], 1), 1);
		KUNIT_EXPECT_EQ(test, ranges[0].addr, ranges[1].addr);
		KUNIT_EXPECT_EQ(test, ranges[0].len, ranges[1].len);
		n++;
	}
	KUNIT_EXPECT_EQ(test, dma_range_next(&cursors[1], &ranges[1], 1), 0);
	KUNIT_EXPECT_EQ(test, n, 5);

	dma_range_list_free(back);
	dma_range_list_free(phyr_sgt_destroy(sgt));
}

static void sgt_create_no_memory(struct kunit *test)
{
	struct dma_range_list *ranges = sgt_test_ranges(test, SZ_4K, NULL);

	mock_fail(MOCK_ALLOC, 1, -ENOMEM);
	KUNIT_EXPECT_PTR_EQ(test, phyr_sgt_create(ranges), ERR_PTR(-ENOMEM));
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_SG_ALLOC), 0);

	dma_range_list_free(ranges);
}

static void sgt_create_no_memory_for_entries(struct kunit *test)
{
	struct dma_range_list *ranges = sgt_test_ranges(test, SZ_4K, NULL);

	mock_fail(MOCK_SG_ALLOC, 1, -ENOMEM);
	KUNIT_EXPECT_PTR_EQ(test, phyr_sgt_create(ranges), ERR_PTR(-ENOMEM));
	/* Only the list is left; the caller still owns it. */
	KUNIT_EXPECT_EQ(test, mock_allocated(), 1);
	KUNIT_EXPECT_EQ(test, dma_range_list_len(ranges), SZ_4K);

	dma_range_list_free(ranges);
}

static void sgt_create_too_many_entries(struct kunit *test)
{
	const u64 all = ALIGN_DOWN(U64_MAX, PAGE_SIZE);
	struct dma_range_list *ranges = sgt_test_ranges(test, all, NULL);

	KUNIT_EXPECT_PTR_EQ(test, phyr_sgt_create(ranges),
			    ERR_PTR(-EOVERFLOW));
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_SG_ALLOC), 0);

	dma_range_list_free(ranges);
}

static void sgt_destroy_frees_a_chained_table(struct kunit *test)
{
	const struct phyr_limits limits = { .max_len = SZ_4K };
	struct dma_range_list *ranges;
	struct sg_table *sgt;

	ranges = sgt_test_ranges(test, 1000 * SZ_4K, &limits);
	sgt = phyr_sgt_create(ranges);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	KUNIT_EXPECT_EQ(test, sgt->nents, 1000);
	KUNIT_EXPECT_EQ(test, mock_allocated(), 3);

	KUNIT_EXPECT_PTR_EQ(test, phyr_sgt_destroy(sgt), ranges);
	KUNIT_EXPECT_EQ(test, mock_allocated(), 1);
	/* That did not unmap it. */
	KUNIT_EXPECT_EQ(test, dma_range_list_len(ranges), 1000 * SZ_4K);

	dma_range_list_free(ranges);
}

static struct kunit_case sgt_test_cases[] = {
	KUNIT_CASE(from_sgt_walks_each_segment),
	KUNIT_CASE(from_sgt_merged_by_mapper),
	KUNIT_CASE(from_sgt_pageless_table),
	KUNIT_CASE(from_sgt_starts_at_offset),
	KUNIT_CASE(from_sgt_splits_at_limits),
	KUNIT_CASE(from_sgt_adds_up_beyond_4gib),
	KUNIT_CASE(from_sgt_no_segments),
	KUNIT_CASE(from_sgt_no_memory),
	KUNIT_CASE(from_sgt_leaves_the_table_mapped),
	KUNIT_CASE_PARAM(sgt_create_splits_at_pages,
			 sgt_test_split_gen_params),
	KUNIT_CASE(sgt_create_has_no_pages),
	KUNIT_CASE(sgt_create_of_a_part),
	KUNIT_CASE(sgt_create_and_back),
	KUNIT_CASE(sgt_create_no_memory),
	KUNIT_CASE(sgt_create_no_memory_for_entries),
	KUNIT_CASE(sgt_create_too_many_entries),
	KUNIT_CASE(sgt_destroy_frees_a_chained_table),
	{}
};

static struct kunit_suite sgt_test_suite = {
	.name = "phyr_sgt",
	.init = mock_init,
	.test_cases = sgt_test_cases,
};

kunit_test_suite(sgt_test_suite);

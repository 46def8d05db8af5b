// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: walks that start at a random byte of a mapping, and mappings of
 * composed lists
 *
 * Mappings of thousands of ranges, in each mode that stores something per
 * range. A walk from a random byte is compared with a plain array that was
 * filled by a walk from the start. In between, the start of what is stored is
 * hidden, so that only an index gets there.
 */
#include <linux/scatterlist.h>

#include "redirect.h"
#include "fixture.h"
#include "map_fixture.h"

#define SEEK_NR		3000

/**
 * struct seek_test - a mapping and its ranges
 * @ranges: the mapping
 * @nr: number of ranges
 * @range: the ranges
 */
struct seek_test {
	struct dma_range_list *ranges;
	unsigned int nr;
	struct dma_range range[SEEK_NR];
};

static struct seek_test *seek_test_create(struct kunit *test,
					  struct dma_range_list *ranges)
{
	struct seek_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	struct dma_range_cursor cursor;

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->ranges = ranges;
	dma_range_cursor_init(&cursor, ranges, 0);
	t->nr = dma_range_next(&cursor, t->range, SEEK_NR);
	KUNIT_EXPECT_EQ(test, t->nr, SEEK_NR);
	KUNIT_EXPECT_EQ(test, dma_range_next(&cursor, t->range, 1), 0);
	return t;
}

/* Walk up to three ranges from 3000 random bytes from @from on. */
static void seek_test_random(struct kunit *test, const struct seek_test *t,
			     u64 from)
{
	u64 len = dma_range_list_len(t->ranges), at, skip, wrong = 0;
	struct dma_range_cursor cursor;
	struct dma_range got[3];
	struct rnd_state rnd;
	unsigned int i, j, n;

	fixture_random(test, &rnd);
	for (i = 0; i < 3000; i++) {
		at = from + fixture_below(&rnd, len - from);
		dma_range_cursor_init(&cursor, t->ranges, at);
		n = dma_range_next(&cursor, got, ARRAY_SIZE(got));
		for (j = 0, skip = at; skip >= t->range[j].len; j++)
			skip -= t->range[j].len;
		wrong += got[0].addr != t->range[j].addr + skip ||
			 got[0].len != t->range[j].len - skip;
		wrong += n != min(t->nr - j, ARRAY_SIZE(got));
		for (at = 1; at < min(n, ARRAY_SIZE(got)); at++)
			wrong += got[at].addr != t->range[j + at].addr ||
				 got[at].len != t->range[j + at].len;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

/* Bytes of the first two strides, which a case may hide */
static u64 seek_test_hidden(const struct seek_test *t)
{
	unsigned int i;
	u64 len = 0;

	for (i = 0; i < 2 * PHYR_INDEX_STRIDE; i++)
		len += t->range[i].len;
	return len;
}

/* RAM without an IOMMU: a stored range for each extent */
static void seek_in_stored_ranges(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_chunk *chunks;
	struct dma_range_list *ranges;
	struct seek_test *seek;
	struct phyr_list *list;

	list = map_test_list(test, t->ram, MAP_RAM, SEEK_NR, SZ_4K, SZ_8K);
	ranges = map_test_map(t, list, 0, phyr_list_size(list));
	seek = seek_test_create(test, ranges);
	seek_test_random(test, seek, 0);

	chunks = ranges->first.chunks;
	KUNIT_EXPECT_STREQ(test, dma_range_list_mode(ranges), "extent");
	KUNIT_EXPECT_NOT_NULL(test, ranges->first.index);
	ranges->first.chunks = NULL;
	seek_test_random(test, seek, 0);
	ranges->first.chunks = chunks;
	map_test_unmap(ranges);
}

/* Bus addresses: the phyr list's own index */
static void seek_in_phyr_list(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct phyr_chunk *head, *next;
	struct seek_test *seek;
	struct phyr_list *list;

	mock.bus = true;
	list = map_test_list(test, t->p2p, MAP_BAR, SEEK_NR, SZ_4K, SZ_8K);
	ranges = map_test_map(t, list, 0, phyr_list_size(list));
	KUNIT_EXPECT_STREQ(test, dma_range_list_mode(ranges), "bus");
	seek = seek_test_create(test, ranges);
	seek_test_random(test, seek, 0);

	head = (void *)phyr_list_first(list);
	next = head->next;
	head->next = NULL;
	seek_test_random(test, seek, seek_test_hidden(seek));
	head->next = next;
	map_test_unmap(ranges);
}

/* A mapping of the end of a long list finds it in O(log n), too. */
static void map_end_of_phyr_list(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct phyr_chunk *head, *next;
	struct dma_range_cursor cursor;
	struct phyr_list *list;

	mock.bus = true;
	list = map_test_list(test, t->p2p, MAP_BAR, SEEK_NR, SZ_4K, SZ_8K);
	head = (void *)phyr_list_first(list);
	next = head->next;
	head->next = NULL;
	ranges = map_test_map(t, list, (SEEK_NR - 2) * SZ_4K + 5,
			      SZ_8K - 10);
	dma_range_cursor_init(&cursor, ranges, 0);
	map_test_expect_range(test, &cursor, MAP_BAR + mock.bus_offset +
					     (SEEK_NR - 2) * SZ_8K + 5,
			      SZ_4K - 5);
	map_test_expect_range(test, &cursor, MAP_BAR + mock.bus_offset +
					     (SEEK_NR - 1) * SZ_8K, SZ_4K - 5);
	map_test_expect_end(test, &cursor);
	head->next = next;
	map_test_unmap(ranges);
}

/* Alternating memories: a segment for each extent */
static void seek_in_segments(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_segment *first;
	struct dma_range_list *ranges;
	struct seek_test *seek;
	struct phyr_list *list;
	unsigned int i;

	list = map_test_list_new(test);
	for (i = 0; i < SEEK_NR; i++)
		map_test_append(test, list, i % 2 ? t->ram : t->p2p,
				(i % 2 ? MAP_RAM : MAP_BAR) + i * SZ_4K, 1,
				SZ_4K, 0);
	KUNIT_ASSERT_EQ(test, phyr_list_finish_composed(list, 0,
							SEEK_NR * SZ_4K), 0);
	ranges = map_test_map(t, list, 0, phyr_list_size(list));
	KUNIT_EXPECT_STREQ(test, dma_range_list_mode(ranges), "mixed");
	seek = seek_test_create(test, ranges);
	seek_test_random(test, seek, 0);

	KUNIT_EXPECT_NOT_NULL(test, ranges->index);
	first = ranges->segments;
	ranges->segments = NULL;
	seek_test_random(test, seek, 0);
	ranges->segments = first;
	map_test_unmap(ranges);
}

/* A table of a stock exporter, in which some entries have no bytes */
static void seek_in_table(struct kunit *test)
{
	struct dma_range_list *ranges;
	struct seek_test *seek;
	struct scatterlist *sg;
	struct sg_table sgt;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, sg_alloc_table(&sgt, 3 * SEEK_NR, GFP_KERNEL), 0);
	for_each_sgtable_dma_sg(&sgt, sg, i) {
		sg_dma_address(sg) = i * SZ_8K;
		sg_dma_len(sg) = i % 3 == 1 ? SZ_4K + i : 0;
	}
	ranges = dma_range_list_from_sgt(&sgt, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ranges);
	seek = seek_test_create(test, ranges);
	seek_test_random(test, seek, 0);

	KUNIT_EXPECT_NOT_NULL(test, ranges->first.index);
	sg = sgt.sgl;
	sgt.sgl = NULL;
	seek_test_random(test, seek, 0);
	sgt.sgl = sg;
	dma_range_list_free(ranges);
	sg_free_table(&sgt);
}

/* A few ranges need no index. */
static void seek_in_short_list(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct phyr_list *list;

	list = map_test_list(test, t->ram, MAP_RAM, PHYR_INDEX_MIN, SZ_4K,
			     SZ_8K);
	ranges = map_test_map(t, list, 0, phyr_list_size(list));
	KUNIT_EXPECT_NULL(test, ranges->first.index);
	KUNIT_EXPECT_NULL(test, ranges->index);
	map_test_unmap(ranges);
}

/* Fail each allocation of a map with both sorts of index in turn. */
static void map_no_memory_for_index(struct kunit *test)
{
	const unsigned int nr = PHYR_INDEX_MIN + 2;
	struct map_test *t = test->priv;
	struct phyr_list *list = map_test_list_new(test);
	struct dma_range_list *ranges;
	unsigned int i, allocated;

	for (i = 0; i < nr; i++)
		map_test_append(test, list, t->ram, MAP_RAM + i * SZ_8K, 1,
				SZ_4K, 0);
	for (i = 0; i < nr; i++)
		map_test_append(test, list, i % 2 ? t->ram : t->p2p,
				(i % 2 ? MAP_RAM : MAP_BAR) + i * SZ_4K, 1,
				SZ_4K, 0);
	KUNIT_ASSERT_EQ(test, phyr_list_finish_composed(list, 0,
							2 * nr * SZ_4K), 0);
	/* The routes stay with the attachment. */
	KUNIT_ASSERT_EQ(test, map_test_routes(&t->importer, list), 0);

	allocated = mock_allocated();
	for (i = 1; i < 1000; i++) {
		mock_fail(MOCK_ALLOC, i, -ENOMEM);
		ranges = map_test_map_list(&t->importer, list, 0,
					   phyr_list_size(list),
					   DMA_FROM_DEVICE);
		if (!IS_ERR(ranges))
			break;
		KUNIT_EXPECT_PTR_EQ(test, ranges, ERR_PTR(-ENOMEM));
		KUNIT_EXPECT_EQ(test, mock_allocated(), allocated);
		/* The window of the BAR */
		KUNIT_EXPECT_LE(test, mock_mapped(), 1);
	}
	mock_fail(MOCK_ALLOC, 0, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ranges);
	KUNIT_EXPECT_NOT_NULL(test, ranges->index);
	map_test_unmap(ranges);
}

/*
 * Mappings of composed lists
 */

/* Whole pages are mapped; the walk starts and ends at the byte. */
static void map_composed(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_cursor cursor;
	struct dma_range_list *ranges;
	struct phyr_list *list;

	list = map_test_list_new(test);
	map_test_append(test, list, t->ram, MAP_RAM, 3, SZ_8K, SZ_16K);
	/* The same pages again */
	map_test_append(test, list, t->ram, MAP_RAM, 1, SZ_8K, 0);
	KUNIT_ASSERT_EQ(test, phyr_list_finish_composed(list, 0x123,
							4 * SZ_8K - 0x200), 0);

	ranges = map_test_map(t, list, 0, phyr_list_size(list));
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), 4);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_MAP, 1)->phys, MAP_RAM);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_MAP, 1)->len, SZ_8K);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_MAP, 4)->phys, MAP_RAM);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_MAP, 4)->len, SZ_8K);
	dma_range_cursor_init(&cursor, ranges, 0);
	map_test_expect_range(test, &cursor, MAP_RAM + 0x123, SZ_8K - 0x123);
	map_test_expect_range(test, &cursor, MAP_RAM + SZ_16K, SZ_8K);
	map_test_expect_range(test, &cursor, MAP_RAM + 2 * SZ_16K, SZ_8K);
	map_test_expect_range(test, &cursor, MAP_RAM, SZ_8K - 0x200 + 0x123);
	map_test_expect_end(test, &cursor);
	map_test_unmap(ranges);

	/* A part within one page, of which @skip moves the start */
	mock_forget();
	ranges = map_test_map(t, list, SZ_8K - 0x10, 0x20);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), 1);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_MAP, 1)->phys, MAP_RAM + SZ_16K);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_MAP, 1)->len, SZ_4K);
	dma_range_cursor_init(&cursor, ranges, 0);
	map_test_expect_range(test, &cursor, MAP_RAM + SZ_16K + 0x113, 0x20);
	map_test_expect_end(test, &cursor);
	map_test_unmap(ranges);
}

static void map_expect_sync(struct kunit *test, enum mock_call call,
			    unsigned int nth, u64 addr, u64 len)
{
	const struct mock_entry *entry = mock_nth(call, nth);

	KUNIT_EXPECT_EQ(test, entry->dma, addr);
	KUNIT_EXPECT_EQ(test, entry->len, len);
}

/*
 * On a device that is not coherent, others may write the rest of the first and
 * the last page while it is mapped: their cache lines are theirs.
 */
static void map_composed_syncs_its_bytes(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct phyr_list *list;

	mock.coherent = false;
	list = map_test_list_new(test);
	map_test_append(test, list, t->ram, MAP_RAM, 3, SZ_8K, SZ_16K);
	KUNIT_ASSERT_EQ(test, phyr_list_finish_composed(list, 0x123,
							3 * SZ_8K - 0x200), 0);

	ranges = map_test_map(t, list, 0, phyr_list_size(list));
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_SYNC_DEVICE), 3);
	map_expect_sync(test, MOCK_SYNC_DEVICE, 1, MAP_RAM + 0x123,
			SZ_8K - 0x123);
	map_expect_sync(test, MOCK_SYNC_DEVICE, 2, MAP_RAM + SZ_16K, SZ_8K);
	map_expect_sync(test, MOCK_SYNC_DEVICE, 3, MAP_RAM + 2 * SZ_16K,
			SZ_8K - 0x200 + 0x123);
	map_test_unmap(ranges);

	/* A part within one page */
	mock_forget();
	ranges = map_test_map(t, list, SZ_8K - 0x10, 0x20);
	dma_range_list_sync(ranges, true);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_SYNC_CPU), 1);
	map_expect_sync(test, MOCK_SYNC_CPU, 1, MAP_RAM + SZ_16K + 0x113, 0x20);
	map_test_unmap(ranges);
}

/* Behind an IOMMU: one IOVA range, which starts with the skipped bytes */
static void map_composed_iova(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_cursor cursor;
	struct dma_range_list *ranges;
	struct phyr_list *list;

	mock.iommu = true;
	list = map_test_list_new(test);
	map_test_append(test, list, t->ram, MAP_RAM, 3, SZ_8K, SZ_16K);
	KUNIT_ASSERT_EQ(test, phyr_list_finish_composed(list, 0xfff,
							2 * SZ_8K + 2), 0);
	ranges = map_test_map(t, list, 0, phyr_list_size(list));
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_ALLOC), 1);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_IOVA_ALLOC, 1)->len, 3 * SZ_8K);
	dma_range_cursor_init(&cursor, ranges, 0);
	map_test_expect_range(test, &cursor,
			      mock_nth(MOCK_IOVA_ALLOC, 1)->dma + 0xfff,
			      2 * SZ_8K + 2);
	map_test_expect_end(test, &cursor);
	map_test_unmap(ranges);
}

static struct kunit_case seek_test_cases[] = {
	KUNIT_CASE_SLOW(seek_in_stored_ranges),
	KUNIT_CASE(seek_in_phyr_list),
	KUNIT_CASE(map_end_of_phyr_list),
	KUNIT_CASE_SLOW(seek_in_segments),
	KUNIT_CASE(seek_in_table),
	KUNIT_CASE(seek_in_short_list),
	KUNIT_CASE(map_no_memory_for_index),
	KUNIT_CASE(map_composed),
	KUNIT_CASE(map_composed_syncs_its_bytes),
	KUNIT_CASE(map_composed_iova),
	{}
};

static struct kunit_suite seek_test_suite = {
	.name = "phyr_seek",
	.init = map_test_init,
	.test_cases = seek_test_cases,
};

kunit_test_suite(seek_test_suite);

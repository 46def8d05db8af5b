// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: tables with pages: of mappings, of phyr lists, and back
 *
 * The pages of tables that are only filled in need not exist: pfn_to_page() is
 * arithmetic. Where a table is converted back they do.
 */
#include <linux/mmzone.h>

#include "redirect.h"
#include "fixture.h"
#include "map_fixture.h"

#define SGT_LIST_MAX	0xfffff000ULL	/* bytes of the longest entry */

/* Map a list as a stock importer's attachment does. */
static struct sg_table *sgt_list_map(struct map_test *t, struct phyr_list *list)
{
	struct dma_range_list *ranges;
	struct sg_table *sgt;

	ranges = map_test_map(t, list, 0, phyr_list_size(list));
	sgt = phyr_sgt_create(ranges);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(t->test, sgt);
	return sgt;
}

/* CPU entries as for a walk of the DMA entries: page, offset and length */
static void sgt_list_expect_one_to_one(struct kunit *test, struct sg_table *sgt,
				       unsigned int nr)
{
	struct scatterlist *sg;
	unsigned int i;

	KUNIT_EXPECT_EQ(test, sgt->orig_nents, nr);
	KUNIT_EXPECT_EQ(test, sgt->nents, nr);
	/* Without mock.dma_offset, a DMA address is the physical address. */
	for_each_sgtable_sg(sgt, sg, i) {
		KUNIT_EXPECT_NOT_NULL(test, sg_page(sg));
		KUNIT_EXPECT_EQ(test, sg_phys(sg), sg_dma_address(sg));
		KUNIT_EXPECT_EQ(test, sg->length, sg_dma_len(sg));
		KUNIT_EXPECT_NE(test, sg->length, 0);
	}
}

static u64 sgt_list_count_pages(struct sg_table *sgt)
{
	struct sg_page_iter iter;
	u64 nr = 0;

	for_each_sgtable_page(sgt, &iter, 0)
		nr++;
	return nr;
}

static void table_of_ram_has_pages(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct sg_page_iter iter;
	struct phyr_list *list;
	struct sg_table *sgt;
	u64 nr = 0;

	list = map_test_list(test, t->ram, MAP_RAM, 300, SZ_8K, SZ_16K);
	sgt = sgt_list_map(t, list);
	sgt_list_expect_one_to_one(test, sgt, 300);
	for_each_sgtable_page(sgt, &iter, 0) {
		KUNIT_EXPECT_EQ(test, page_to_phys(sg_page_iter_page(&iter)),
				MAP_RAM + nr / 2 * SZ_16K + nr % 2 * SZ_4K);
		nr++;
	}
	KUNIT_EXPECT_EQ(test, nr, 600);
	map_test_unmap(phyr_sgt_destroy(sgt));
}

/* No entry reaches 4 GiB, and each starts at a page. */
static void table_of_long_extents(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *list = map_test_list_new(test);
	struct scatterlist *sg;
	struct sg_table *sgt;
	unsigned int i;

	map_test_append(test, list, t->ram, MAP_RAM, 1, 10ULL * SZ_1G, 0);
	map_test_append(test, list, t->ram, 64ULL * SZ_1G, 1, SZ_4G, 0);
	map_test_append(test, list, t->ram, 96ULL * SZ_1G, 1, SGT_LIST_MAX, 0);
	KUNIT_ASSERT_EQ(test, phyr_list_finish(list, 14ULL * SZ_1G +
					       SGT_LIST_MAX, "test"), 0);
	sgt = sgt_list_map(t, list);
	sgt_list_expect_one_to_one(test, sgt, 3 + 2 + 1);
	for_each_sgtable_sg(sgt, sg, i)
		KUNIT_EXPECT_TRUE(test, PAGE_ALIGNED(sg->length | sg->offset));
	map_test_unmap(phyr_sgt_destroy(sgt));
}

/* One extent that does not fit an entry, or just so, from byte @skip on */
static const struct sgt_list_long {
	const char *name;
	u64 len;
	unsigned int skip;
	unsigned int tail;
	unsigned int nr;
} sgt_list_longs[] = {
	{ "4 GiB from byte 1", SZ_4G, 1, 0, 2 },
	{ "4 GiB to byte 1 of its last page", SZ_4G, 0, 0xfff, 2 },
	{ "the longest entry from byte 1", SGT_LIST_MAX, 1, 0, 1 },
	{ "two longest entries from their middle", 2 * SGT_LIST_MAX, 0x800,
	  0x800, 2 },
	{ "8 GiB from the last byte of a page", 2ULL * SZ_4G, 0xfff, 0xffe, 3 },
};

KUNIT_ARRAY_PARAM_DESC(sgt_list_long, sgt_list_longs, name);

static struct phyr_list *sgt_list_long(struct kunit *test,
				       struct phyr_mem *mem, u64 paddr)
{
	const struct sgt_list_long *c = test->param_value;
	struct phyr_list *list = map_test_list_new(test);

	map_test_append(test, list, mem, paddr, 1, c->len, 0);
	KUNIT_ASSERT_EQ(test, phyr_list_finish_composed(list, c->skip,
							c->len - c->skip -
							c->tail), 0);
	return list;
}

/*
 * Entry @nr starts at a page unless it is the first, and ends at one unless it
 * is the last. Returns the first byte behind it.
 */
static u64 sgt_list_expect_long(struct kunit *test, unsigned int nr, u64 from,
				u64 want, u64 len)
{
	const struct sgt_list_long *c = test->param_value;

	KUNIT_EXPECT_EQ(test, from, want);
	KUNIT_EXPECT_GT(test, len, 0);
	KUNIT_EXPECT_LE(test, len, SGT_LIST_MAX);
	KUNIT_EXPECT_TRUE(test, nr == 0 || PAGE_ALIGNED(from));
	KUNIT_EXPECT_TRUE(test, nr == c->nr - 1 || PAGE_ALIGNED(from + len));
	return from + len;
}

/* Each page is in one entry, so that importers count as many as there are. */
static void table_splits_at_pages(struct kunit *test)
{
	const struct sgt_list_long *c = test->param_value;
	const u64 first = MAP_RAM + c->skip, behind = MAP_RAM + c->len - c->tail;
	struct map_test *t = test->priv;
	struct phyr_list *list;
	struct scatterlist *sg;
	struct sg_table *sgt;
	unsigned int i;
	u64 at = first;

	list = sgt_list_long(test, t->ram, MAP_RAM);
	sgt = sgt_list_map(t, list);
	sgt_list_expect_one_to_one(test, sgt, c->nr);
	for_each_sgtable_sg(sgt, sg, i)
		at = sgt_list_expect_long(test, i, sg_phys(sg), at, sg->length);
	KUNIT_EXPECT_EQ(test, at, behind);
	if (c->len == SZ_4G)
		KUNIT_EXPECT_EQ(test, sgt_list_count_pages(sgt),
				SZ_4G / PAGE_SIZE);
	map_test_unmap(phyr_sgt_destroy(sgt));

	/* Behind an IOMMU, too, DMA entries end with a page. */
	map_test_drop_routes(&t->importer);
	mock.iommu = true;
	sgt = sgt_list_map(t, list);
	KUNIT_EXPECT_EQ(test, sgt->nents, c->nr);
	at = mock_nth(MOCK_IOVA_ALLOC, 1)->dma + c->skip;
	for_each_sgtable_dma_sg(sgt, sg, i)
		at = sgt_list_expect_long(test, i, sg_dma_address(sg), at,
					  sg_dma_len(sg));
	map_test_unmap(phyr_sgt_destroy(sgt));
}

static void table_of_bar_splits_at_pages(struct kunit *test)
{
	const struct sgt_list_long *c = test->param_value;
	struct map_test *t = test->priv;
	struct scatterlist *sg;
	struct sg_table *sgt;
	unsigned int i;
	u64 at = MAP_CARVEOUT + c->skip;

	sgt = sgt_list_map(t, sgt_list_long(test, t->carveout, MAP_CARVEOUT));
	KUNIT_EXPECT_EQ(test, sgt->nents, c->nr);
	KUNIT_EXPECT_EQ(test, sgt->orig_nents, 0);
	for_each_sgtable_dma_sg(sgt, sg, i)
		at = sgt_list_expect_long(test, i, sg_dma_address(sg), at,
					  sg_dma_len(sg));
	KUNIT_EXPECT_EQ(test, at, MAP_CARVEOUT + c->len - c->tail);
	map_test_unmap(phyr_sgt_destroy(sgt));
}

static void list_to_sgt_splits_at_pages(struct kunit *test)
{
	const struct sgt_list_long *c = test->param_value;
	struct map_test *t = test->priv;
	struct scatterlist *sg;
	struct sg_table sgt;
	u64 at = MAP_RAM + c->skip;
	unsigned int i;

	KUNIT_ASSERT_EQ(test,
			phyr_list_to_sgt(sgt_list_long(test, t->ram, MAP_RAM),
					 &sgt), 0);
	KUNIT_EXPECT_EQ(test, sgt.orig_nents, c->nr);
	for_each_sgtable_sg(&sgt, sg, i)
		at = sgt_list_expect_long(test, i, sg_phys(sg), at, sg->length);
	KUNIT_EXPECT_EQ(test, at, MAP_RAM + c->len - c->tail);
	mock_sg_free_table(&sgt);
}

/* Behind an IOMMU there is one DMA entry, as after dma_map_sgtable(). */
static void table_of_ram_behind_iommu(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *list;
	struct scatterlist *sg;
	struct sg_table *sgt;
	unsigned int i;

	mock.iommu = true;
	list = map_test_list(test, t->ram, MAP_RAM, 200, SZ_4K, SZ_8K);
	sgt = sgt_list_map(t, list);
	KUNIT_EXPECT_EQ(test, sgt->nents, 1);
	KUNIT_EXPECT_EQ(test, sg_dma_len(sgt->sgl), 200 * SZ_4K);
	KUNIT_EXPECT_EQ(test, sgt->orig_nents, 200);
	for_each_sgtable_sg(sgt, sg, i) {
		KUNIT_EXPECT_EQ(test, sg_phys(sg), MAP_RAM + i * SZ_8K);
		KUNIT_EXPECT_EQ(test, sg->length, SZ_4K);
		if (i)
			KUNIT_EXPECT_EQ(test, sg_dma_len(sg), 0);
	}
	map_test_unmap(phyr_sgt_destroy(sgt));
}

/* A device that is not coherent needs the sync: one to one there, too. */
static void table_of_ram_not_coherent(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *list;
	struct sg_table *sgt;

	mock.coherent = false;
	list = map_test_list(test, t->ram, MAP_RAM, 100, SZ_4K, SZ_8K);
	sgt = sgt_list_map(t, list);
	sgt_list_expect_one_to_one(test, sgt, 100);
	map_test_unmap(phyr_sgt_destroy(sgt));

	mock.iommu = true;
	mock.dma_offset = SZ_1G;
	sgt = sgt_list_map(t, list);
	KUNIT_EXPECT_EQ(test, sgt->orig_nents, 100);
	KUNIT_EXPECT_EQ(test, sgt->nents, 100);
	KUNIT_EXPECT_EQ(test, sg_phys(sgt->sgl) + SZ_1G,
			sg_dma_address(sgt->sgl));
	map_test_unmap(phyr_sgt_destroy(sgt));
}

static void table_of_bar_has_none(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *list;
	struct sg_table *sgt;

	list = map_test_list(test, t->p2p, MAP_BAR, 10, SZ_4K, SZ_8K);
	sgt = sgt_list_map(t, list);
	KUNIT_EXPECT_EQ(test, sgt->nents, 10);
	KUNIT_EXPECT_EQ(test, sgt->orig_nents, 0);
	KUNIT_EXPECT_NULL(test, sg_page(sgt->sgl));
	map_test_unmap(phyr_sgt_destroy(sgt));
}

/* In a mixed list only the page-less entries are page-less. */
static void table_of_mixed_list(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *list = map_test_list_new(test);
	struct scatterlist *sg;
	struct sg_table *sgt;
	unsigned int i;

	for (i = 0; i < 200; i++)
		map_test_append(test, list, i % 2 ? t->ram : t->p2p,
				(i % 2 ? MAP_RAM : MAP_BAR) + i * SZ_8K, 1,
				SZ_8K, 0);
	KUNIT_ASSERT_EQ(test, phyr_list_finish(list, 200 * SZ_8K, "test"), 0);
	sgt = sgt_list_map(t, list);
	KUNIT_EXPECT_EQ(test, sgt->orig_nents, 200);
	KUNIT_EXPECT_EQ(test, sgt->nents, 200);
	for_each_sgtable_sg(sgt, sg, i) {
		KUNIT_EXPECT_EQ(test, sg_dma_address(sg),
				(i % 2 ? MAP_RAM : MAP_BAR) + i * SZ_8K);
		KUNIT_EXPECT_EQ(test, sg_dma_len(sg), SZ_8K);
		KUNIT_EXPECT_EQ(test, sg->length, i % 2 ? SZ_8K : 0);
		if (i % 2)
			KUNIT_EXPECT_EQ(test, sg_phys(sg), MAP_RAM + i * SZ_8K);
		else
			KUNIT_EXPECT_NULL(test, sg_page(sg));
	}
	KUNIT_EXPECT_EQ(test, sgt_list_count_pages(sgt), 200);
	map_test_unmap(phyr_sgt_destroy(sgt));
}

/*
 * A sync of a device that is not coherent must not reach page-less memory, not
 * even with a length of 0: no CPU entries. The core does the sync, see
 * cpu_access.c.
 */
static void table_of_mixed_list_not_coherent(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *list = map_test_list_new(test);
	struct scatterlist *sg;
	struct sg_table *sgt;
	unsigned int i;

	mock.coherent = false;
	for (i = 0; i < 10; i++)
		map_test_append(test, list, i % 2 ? t->ram : t->p2p,
				(i % 2 ? MAP_RAM : MAP_BAR) + i * SZ_8K, 1,
				SZ_8K, 0);
	KUNIT_ASSERT_EQ(test, phyr_list_finish(list, 10 * SZ_8K, "test"), 0);
	sgt = sgt_list_map(t, list);
	KUNIT_EXPECT_EQ(test, sgt->orig_nents, 0);
	KUNIT_EXPECT_EQ(test, sgt->nents, 10);
	for_each_sgtable_dma_sg(sgt, sg, i)
		KUNIT_EXPECT_NULL(test, sg_page(sg));
	map_test_unmap(phyr_sgt_destroy(sgt));
}

static void table_of_composed_list(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *list = map_test_list_new(test);
	struct sg_table *sgt;

	map_test_append(test, list, t->ram, MAP_RAM, 3, SZ_8K, SZ_16K);
	KUNIT_ASSERT_EQ(test, phyr_list_finish_composed(list, 0x123,
							3 * SZ_8K - 0x200), 0);
	sgt = sgt_list_map(t, list);
	sgt_list_expect_one_to_one(test, sgt, 3);
	KUNIT_EXPECT_EQ(test, sgt->sgl->offset, 0x123);
	KUNIT_EXPECT_EQ(test, sgt_list_count_pages(sgt), 6);
	map_test_unmap(phyr_sgt_destroy(sgt));
}

static void table_no_memory(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct phyr_list *list;
	unsigned int allocated;

	list = map_test_list(test, t->ram, MAP_RAM, 10, SZ_4K, SZ_8K);
	ranges = map_test_map(t, list, 0, phyr_list_size(list));
	allocated = mock_allocated();
	mock_fail(MOCK_ALLOC, 1, -ENOMEM);
	KUNIT_EXPECT_PTR_EQ(test, phyr_sgt_create(ranges), ERR_PTR(-ENOMEM));
	mock_fail(MOCK_SG_ALLOC, 1, -ENOMEM);
	KUNIT_EXPECT_PTR_EQ(test, phyr_sgt_create(ranges), ERR_PTR(-ENOMEM));
	KUNIT_EXPECT_EQ(test, mock_allocated(), allocated);
	map_test_unmap(ranges);
}

/*
 * Lists to tables and back
 */

#define SGT_LIST_ORDER	5
#define SGT_LIST_PAGES	BIT(SGT_LIST_ORDER)

static void sgt_list_free_pages(void *page)
{
	__free_pages(page, SGT_LIST_ORDER);
}

static struct page *sgt_list_pages(struct kunit *test)
{
	struct page *page = alloc_pages(GFP_KERNEL, SGT_LIST_ORDER);

	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test,
							sgt_list_free_pages,
							page), 0);
	return page;
}

/* Extents in random order; some repeat and some merge */
static struct phyr_list *sgt_list_random(struct kunit *test,
					 struct rnd_state *rnd,
					 struct phyr_mem *ram, u64 base)
{
	unsigned int nr = 1 + fixture_below(rnd, 100);
	struct phyr_list *list = fixture_list(test);
	u64 total = 0, first, len, skip, size;

	while (nr--) {
		first = fixture_below(rnd, SGT_LIST_PAGES);
		len = 1 + fixture_below(rnd, min(SGT_LIST_PAGES - first, 5));
		KUNIT_ASSERT_EQ(test,
				phyr_list_append(list, ram,
						 base + first * PAGE_SIZE,
						 len * PAGE_SIZE), 0);
		total += len * PAGE_SIZE;
	}
	skip = fixture_below(rnd, PAGE_SIZE);
	size = total - skip;
	size -= fixture_below(rnd, min(size, PAGE_SIZE));
	KUNIT_ASSERT_EQ(test, phyr_list_finish_composed(list, skip, size), 0);
	return list;
}

static bool sgt_list_same(const struct phyr_list *a, const struct phyr_list *b)
{
	struct phyr_cursor at[2];
	struct phys_vec vec[2];

	if (phyr_list_size(a) != phyr_list_size(b) ||
	    phyr_list_count(a) != phyr_list_count(b))
		return false;
	phyr_cursor_init(&at[0], a, 0, phyr_list_size(a));
	phyr_cursor_init(&at[1], b, 0, phyr_list_size(b));
	while (phyr_next(&at[0], &vec[0], NULL))
		if (!phyr_next(&at[1], &vec[1], NULL) ||
		    vec[0].paddr != vec[1].paddr || vec[0].len != vec[1].len)
			return false;
	return !phyr_next(&at[1], &vec[1], NULL);
}

static void list_to_sgt_and_back(struct kunit *test)
{
	struct phyr_mem *ram = fixture_ram(test);
	u64 base = page_to_phys(sgt_list_pages(test));
	struct phyr_list *there, *back;
	struct scatterlist *sg;
	struct sg_table sgt;
	struct rnd_state rnd;
	unsigned int i, j;
	u64 bytes;

	fixture_random(test, &rnd);
	for (i = 0; i < 100; i++) {
		there = sgt_list_random(test, &rnd, ram, base);
		KUNIT_ASSERT_EQ(test, phyr_list_to_sgt(there, &sgt), 0);
		KUNIT_EXPECT_EQ(test, sgt.orig_nents, phyr_list_count(there));
		bytes = 0;
		for_each_sgtable_sg(&sgt, sg, j)
			bytes += sg->length;
		KUNIT_EXPECT_EQ(test, bytes, phyr_list_size(there));

		back = phyr_list_from_sgt(ram, &sgt);
		mock_sg_free_table(&sgt);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, back);
		KUNIT_EXPECT_TRUE(test, sgt_list_same(there, back));
		phyr_list_put(back);
		fixture_list_put(test, there);
	}
}

static void list_to_sgt_too_many_entries(struct kunit *test)
{
	const u64 all = ALIGN_DOWN(U64_MAX, PAGE_SIZE);
	struct map_test *t = test->priv;
	struct phyr_list *list = map_test_list_new(test);
	struct sg_table sgt;

	map_test_append(test, list, t->ram, 0, 1, all, 0);
	KUNIT_ASSERT_EQ(test, phyr_list_finish(list, all, "sgt_list_test"), 0);
	KUNIT_EXPECT_EQ(test, phyr_list_to_sgt(list, &sgt), -EOVERFLOW);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_SG_ALLOC), 0);
}

static void list_to_sgt_refuses_bar(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *list = map_test_list_new(test);
	struct sg_table sgt;

	map_test_append(test, list, t->ram, MAP_RAM, 1, SZ_4K, 0);
	map_test_append(test, list, t->p2p, MAP_BAR, 1, SZ_4K, 0);
	KUNIT_ASSERT_EQ(test, phyr_list_finish_composed(list, 0, SZ_8K), 0);
	KUNIT_EXPECT_EQ(test, phyr_list_to_sgt(list, &sgt), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_SG_ALLOC), 0);
}

static void list_to_sgt_no_memory(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *list;
	struct sg_table sgt;

	list = map_test_list(test, t->ram, MAP_RAM, 10, SZ_4K, SZ_8K);
	mock_fail(MOCK_SG_ALLOC, 1, -ENOMEM);
	KUNIT_EXPECT_EQ(test, phyr_list_to_sgt(list, &sgt), -ENOMEM);
}

/* Entries of a table that is converted back; page numbers, -1 for no page */
static const struct sgt_list_case {
	const char *name;
	int ret;
	unsigned int nr;
	struct {
		int page;
		unsigned int offset;
		unsigned int len;
	} entry[4];
	u64 count;
} sgt_list_cases[] = {
	{ "one page", 0, 1, { { 3, 0, 4096 } }, 1 },
	{ "one byte", 0, 1, { { 3, 4095, 1 } }, 1 },
	{ "neighbours merge", 0, 2, { { 3, 5, 4091 }, { 4, 0, 9 } }, 1 },
	{ "same page twice", 0, 2, { { 3, 0, 4096 }, { 3, 0, 4096 } }, 2 },
	{ "an entry goes on in its page", 0, 3,
	  { { 3, 0, 4000 }, { 3, 4000, 90 }, { 3, 4090, 9000 } }, 1 },
	{ "offset beyond a page", 0, 1, { { 3, 8192 + 7, 4096 } }, 1 },
	{ "empty entries", 0, 3, { { -1, 0, 0 }, { 3, 0, 4096 }, { 7, 0, 0 } },
	  1 },
	{ "no entries", -EINVAL, 0 },
	{ "no bytes", -EINVAL, 1, { { 3, 0, 0 } } },
	{ "no page", -EINVAL, 1, { { -1, 0, 4096 } } },
	{ "no page in the middle", -EINVAL, 3,
	  { { 3, 0, 4096 }, { -1, 0, 4096 }, { 5, 0, 4096 } } },
	{ "page of a device", -EINVAL, 1, { { -2, 0, 4096 } } },
	{ "gap at the end of a page", -EINVAL, 2,
	  { { 3, 0, 4000 }, { 5, 0, 4096 } } },
	{ "gap at the start of a page", -EINVAL, 2,
	  { { 3, 0, 4096 }, { 5, 8, 4088 } } },
	{ "back in the same page", -EINVAL, 2,
	  { { 3, 0, 4000 }, { 3, 3999, 97 } } },
};

KUNIT_ARRAY_PARAM_DESC(sgt_list_case, sgt_list_cases, name);

static void list_from_sgt(struct kunit *test)
{
	const struct sgt_list_case *c = test->param_value;
	unsigned int allocated, i, nr = max(c->nr, 1);
	struct page *pages = sgt_list_pages(test), *device, *page;
	struct phyr_mem *ram = fixture_ram(test);
	struct phyr_list *list;
	struct scatterlist *sg;
	struct sg_table sgt;
	u64 bytes = 0;

	device = kunit_kzalloc(test, sizeof(*device), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, device);
	set_page_zone(device, ZONE_DEVICE);

	KUNIT_ASSERT_EQ(test, sg_alloc_table(&sgt, nr, GFP_KERNEL), 0);
	for_each_sgtable_sg(&sgt, sg, i) {
		page = c->entry[i].page == -2 ? device :
		       c->entry[i].page < 0 ? NULL : pages + c->entry[i].page;
		sg_set_page(sg, page, c->entry[i].len, c->entry[i].offset);
		bytes += c->entry[i].len;
	}
	/* As a page-less table of another exporter */
	sgt.orig_nents = c->nr;

	allocated = mock_allocated();
	kunit_warning_suppress(test) {
		list = phyr_list_from_sgt(ram, &sgt);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
	}
	if (c->ret) {
		KUNIT_EXPECT_PTR_EQ(test, list, ERR_PTR(c->ret));
		KUNIT_EXPECT_EQ(test, mock_allocated(), allocated);
	}
	if (!IS_ERR(list)) {
		KUNIT_EXPECT_EQ(test, c->ret, 0);
		KUNIT_EXPECT_EQ(test, phyr_list_size(list), bytes);
		KUNIT_EXPECT_EQ(test, phyr_list_count(list), c->count);
		phyr_list_put(list);
	}
	sgt.orig_nents = nr;
	sg_free_table(&sgt);
}

static void list_from_sgt_needs_ram(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct page *pages = sgt_list_pages(test);
	struct sg_table sgt;

	KUNIT_ASSERT_EQ(test, sg_alloc_table(&sgt, 1, GFP_KERNEL), 0);
	sg_set_page(sgt.sgl, pages, PAGE_SIZE, 0);
	KUNIT_EXPECT_PTR_EQ(test, phyr_list_from_sgt(t->carveout, &sgt),
			    ERR_PTR(-EINVAL));
	sg_free_table(&sgt);
}

/* Fail each allocation of a list of many entries, and of its index, in turn. */
static void list_from_sgt_no_memory(struct kunit *test)
{
	const unsigned int nr = PHYR_INDEX_MIN + 1;
	struct page *pages = sgt_list_pages(test);
	struct map_test *t = test->priv;
	struct phyr_list *list = NULL;
	unsigned int allocated, i;
	struct scatterlist *sg;
	struct sg_table sgt;

	KUNIT_ASSERT_EQ(test, sg_alloc_table(&sgt, nr, GFP_KERNEL), 0);
	for_each_sgtable_sg(&sgt, sg, i)
		sg_set_page(sg, &pages[2 * (i % 8)], PAGE_SIZE, 0);
	allocated = mock_allocated();
	for (i = 1; i < 100; i++) {
		mock_fail(MOCK_ALLOC, i, -ENOMEM);
		list = phyr_list_from_sgt(t->ram, &sgt);
		if (!IS_ERR(list))
			break;
		KUNIT_EXPECT_PTR_EQ(test, list, ERR_PTR(-ENOMEM));
		KUNIT_EXPECT_EQ(test, mock_allocated(), allocated);
	}
	mock_fail(MOCK_ALLOC, 0, 0);
	/* The list, at least one more chunk, the index and its block */
	KUNIT_EXPECT_GT(test, i, 4);
	sg_free_table(&sgt);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	KUNIT_EXPECT_EQ(test, phyr_list_count(list), nr);
	phyr_list_put(list);
}

static struct kunit_case sgt_list_cases_all[] = {
	KUNIT_CASE(table_of_ram_has_pages),
	KUNIT_CASE(table_of_long_extents),
	KUNIT_CASE_PARAM(table_splits_at_pages, sgt_list_long_gen_params),
	KUNIT_CASE_PARAM(table_of_bar_splits_at_pages,
			 sgt_list_long_gen_params),
	KUNIT_CASE_PARAM(list_to_sgt_splits_at_pages, sgt_list_long_gen_params),
	KUNIT_CASE(table_of_ram_behind_iommu),
	KUNIT_CASE(table_of_ram_not_coherent),
	KUNIT_CASE(table_of_bar_has_none),
	KUNIT_CASE(table_of_mixed_list),
	KUNIT_CASE(table_of_mixed_list_not_coherent),
	KUNIT_CASE(table_of_composed_list),
	KUNIT_CASE(table_no_memory),
	KUNIT_CASE(list_to_sgt_and_back),
	KUNIT_CASE(list_to_sgt_too_many_entries),
	KUNIT_CASE(list_to_sgt_refuses_bar),
	KUNIT_CASE(list_to_sgt_no_memory),
	KUNIT_CASE_PARAM(list_from_sgt, sgt_list_case_gen_params),
	KUNIT_CASE(list_from_sgt_needs_ram),
	KUNIT_CASE(list_from_sgt_no_memory),
	{}
};

static struct kunit_suite sgt_list_suite = {
	.name = "phyr_sgt_list",
	.init = map_test_init,
	.test_cases = sgt_list_cases_all,
};

kunit_test_suite(sgt_list_suite);

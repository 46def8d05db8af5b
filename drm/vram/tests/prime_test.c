// SPDX-License-Identifier: GPL-2.0
/*
 * Description of VRAM and of system pages as phyr lists
 */
#include <kunit/test.h>

#include "redirect.h"
#include "../prime.c"

#include "layout.h"

#define PAGES(n)	((u64)(n) << PAGE_SHIFT)

KUNIT_DEFINE_ACTION_WRAPPER(list_put, phyr_list_put, struct phyr_list *);

/* Create a buffer with the resource @layout, enough for vram_describe(). */
static struct vram_bo *bo_at(struct kunit *test, struct layout *layout)
{
	struct vram_bo *bo = kunit_kzalloc(test, sizeof(*bo), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, bo);
	bo->tbo.bdev = &layout->vram->ttm;
	bo->tbo.base.size = layout->res.base.size;
	bo->tbo.base.resv = &bo->tbo.base._resv;
	dma_resv_init(bo->tbo.base.resv);
	bo->tbo.resource = &layout->res.base;
	return bo;
}

static struct phyr_list *describe(struct kunit *test, struct vram_bo *bo)
{
	struct phyr_list *list;

	dma_resv_lock(bo->tbo.base.resv, NULL);
	list = vram_describe(&bo->phyr);
	dma_resv_unlock(bo->tbo.base.resv);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, list_put,
							   list));
	return list;
}

/* Check the address of each page, and that adjacent extents are merged. */
static void list_check(struct kunit *test, struct phyr_list *list,
		       struct layout *layout)
{
	struct phyr_cursor cursor;
	struct phyr_mem *mem;
	struct phys_vec vec;
	u64 pos, end = 0;
	u32 n = 0, count = 0;

	phyr_cursor_init(&cursor, list, 0, phyr_list_size(list));
	while (phyr_next(&cursor, &vec, &mem)) {
		KUNIT_EXPECT_PTR_EQ(test, mem, layout->vram->mem);
		KUNIT_EXPECT_NE(test, vec.paddr, end);
		for (pos = 0; pos < vec.len; pos += PAGE_SIZE) {
			KUNIT_ASSERT_LT(test, n, layout->pages);
			KUNIT_EXPECT_EQ(test, vec.paddr + pos,
					CARD_BAR + layout->offset[n++]);
		}
		end = vec.paddr + vec.len;
		count++;
	}
	KUNIT_EXPECT_EQ(test, n, layout->pages);
	KUNIT_EXPECT_EQ(test, count, phyr_list_count(list));
	KUNIT_EXPECT_EQ(test, count,
			vram_resource_extents(&layout->vram->mgr,
					      &layout->res.base));
}

static void vram_describe_one_block(struct kunit *test)
{
	static const struct layout_block one[] = { { 16, 16 } };
	struct card *card = card_create(test, SZ_1M, 0);
	struct layout *layout = layout_create(test, card->vram, one,
					      ARRAY_SIZE(one));
	struct phyr_list *list = describe(test, bo_at(test, layout));

	KUNIT_EXPECT_EQ(test, phyr_list_count(list), 1);
	KUNIT_EXPECT_EQ(test, phyr_list_size(list), PAGES(16));
	list_check(test, list, layout);
}

static void vram_describe_keeps_order(struct kunit *test)
{
	static const struct layout_block blocks[] = {
		{ 64, 4 }, { 8, 1 }, { 255, 1 }, { 0, 2 }, { 32, 16 },
	};
	struct card *card = card_create(test, SZ_1M, 0);
	struct layout *layout = layout_create(test, card->vram, blocks,
					      ARRAY_SIZE(blocks));
	struct phyr_list *list = describe(test, bo_at(test, layout));

	KUNIT_EXPECT_EQ(test, phyr_list_count(list), ARRAY_SIZE(blocks));
	list_check(test, list, layout);
}

static void vram_describe_merges_neighbours(struct kunit *test)
{
	static const struct layout_block blocks[] = {
		{ 6, 2 }, { 8, 8 }, { 16, 1 }, { 5, 1 }, { 3, 1 }, { 4, 1 },
	};
	struct card *card = card_create(test, SZ_1M, 0);
	struct layout *layout = layout_create(test, card->vram, blocks,
					      ARRAY_SIZE(blocks));
	struct phyr_list *list = describe(test, bo_at(test, layout));

	KUNIT_EXPECT_EQ(test, phyr_list_count(list), 3);
	list_check(test, list, layout);
}

static void vram_describe_all_of_vram(struct kunit *test)
{
	static const struct layout_block all[] = { { 0, 256 } };
	struct card *card = card_create(test, SZ_1M, 0);
	struct layout *layout = layout_create(test, card->vram, all,
					      ARRAY_SIZE(all));

	list_check(test, describe(test, bo_at(test, layout)), layout);
}

static const u32 random_params[] = { 1, 2, 7, 33, 100, 200 };

static void random_describe(const u32 *pages, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u pages", *pages);
}

KUNIT_ARRAY_PARAM(random, random_params, random_describe);

static void vram_describe_random(struct kunit *test)
{
	const u32 pages = *(const u32 *)test->param_value;
	struct card *card = card_create(test, SZ_1M, 0);
	struct layout *layout;
	struct rnd_state rnd;

	card_seed(test, &rnd);
	layout = layout_random(test, card->vram, &rnd, pages);
	list_check(test, describe(test, bo_at(test, layout)), layout);
}

/* Blocks from the allocator, fragmented by max_extent */
static void vram_describe_max_extent(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(64),
				     DRM_PHYR_VRAM_PLACE_VRAM, PAGES(2));
	struct phyr_list *list = describe(test, bo);
	struct phyr_cursor cursor;
	struct phyr_mem *mem;
	struct phys_vec vec;

	KUNIT_EXPECT_EQ(test, phyr_list_count(list), 32);
	phyr_cursor_init(&cursor, list, 0, PAGES(64));
	while (phyr_next(&cursor, &vec, &mem))
		KUNIT_EXPECT_EQ(test, vec.len, PAGES(2));
}

static void vram_describe_system_pages(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(5),
				     DRM_PHYR_VRAM_PLACE_SYSTEM, 0);
	struct phyr_list *list = describe(test, bo);
	struct phyr_cursor cursor;
	struct phyr_mem *mem;
	struct phys_vec vec;
	u32 n = 0;
	u64 pos;

	KUNIT_ASSERT_TRUE(test, ttm_tt_is_populated(bo->tbo.ttm));
	KUNIT_EXPECT_EQ(test, phyr_list_size(list), PAGES(5));
	phyr_cursor_init(&cursor, list, 0, PAGES(5));
	while (phyr_next(&cursor, &vec, &mem)) {
		KUNIT_EXPECT_PTR_EQ(test, mem, card->vram->ram);
		for (pos = 0; pos < vec.len; pos += PAGE_SIZE)
			KUNIT_EXPECT_EQ(test, vec.paddr + pos,
					page_to_phys(bo->tbo.ttm->pages[n++]));
	}
	KUNIT_EXPECT_EQ(test, n, 5);
	KUNIT_EXPECT_EQ(test, bo->place, TTM_PL_TT);
}

/* As TTM evicts a buffer from system memory, before it swaps it out. */
static void vram_dma_buf_pin_of_evicted(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(5),
				     DRM_PHYR_VRAM_PLACE_SYSTEM, 0);
	struct ttm_place place = { .mem_type = TTM_PL_SYSTEM };
	struct ttm_placement placement = { .num_placement = 1,
					   .placement = &place };
	struct ttm_operation_ctx ctx = {};
	struct dma_buf dmabuf = { .priv = &bo->tbo.base,
				  .resv = bo->tbo.base.resv };
	struct dma_buf_attachment attach = { .dmabuf = &dmabuf };

	dma_resv_lock(bo->tbo.base.resv, NULL);
	KUNIT_EXPECT_EQ(test, ttm_bo_validate(&bo->tbo, &placement, &ctx), 0);
	KUNIT_EXPECT_EQ(test, bo->place, TTM_PL_SYSTEM);
	KUNIT_EXPECT_EQ(test, vram_dma_buf_pin(&attach), 0);
	dma_resv_unlock(bo->tbo.base.resv);

	KUNIT_EXPECT_EQ(test, bo->place, TTM_PL_TT);
	KUNIT_EXPECT_EQ(test, phyr_list_size(describe(test, bo)), PAGES(5));
	dma_resv_lock(bo->tbo.base.resv, NULL);
	ttm_bo_unpin(&bo->tbo);
	dma_resv_unlock(bo->tbo.base.resv);
}

static void vram_dma_buf_ops_by_placement(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_bo *fixed, *movable;

	fixed = card_bo(test, card, PAGES(1), DRM_PHYR_VRAM_PLACE_VRAM, 0);
	movable = card_bo(test, card, PAGES(1), DRM_PHYR_VRAM_PLACE_VRAM |
			  DRM_PHYR_VRAM_PLACE_SYSTEM, 0);
	KUNIT_EXPECT_NULL(test, vram_dma_buf_ops(fixed)->pin_system);
	KUNIT_EXPECT_NULL(test, vram_dma_buf_ops(fixed)->ops.vmap);
	KUNIT_EXPECT_NOT_NULL(test, vram_dma_buf_ops(movable)->pin_system);
	KUNIT_EXPECT_NOT_NULL(test, vram_dma_buf_ops(movable)->ops.vmap);
}

static struct kunit_case vram_prime_cases[] = {
	KUNIT_CASE(vram_describe_one_block),
	KUNIT_CASE(vram_describe_keeps_order),
	KUNIT_CASE(vram_describe_merges_neighbours),
	KUNIT_CASE(vram_describe_all_of_vram),
	KUNIT_CASE_PARAM(vram_describe_random, random_gen_params),
	KUNIT_CASE(vram_describe_max_extent),
	KUNIT_CASE(vram_describe_system_pages),
	KUNIT_CASE(vram_dma_buf_pin_of_evicted),
	KUNIT_CASE(vram_dma_buf_ops_by_placement),
	{}
};

static struct kunit_suite vram_prime_suite = {
	.name = "phyr_vram_prime",
	.test_cases = vram_prime_cases,
};

kunit_test_suite(vram_prime_suite);

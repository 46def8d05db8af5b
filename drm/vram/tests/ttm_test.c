// SPDX-License-Identifier: GPL-2.0
/*
 * The iterator over VRAM, and moves of fragmented buffers
 *
 * Each test compares all of VRAM with a page-by-page copy, which also detects
 * writes outside the buffer's blocks.
 */
#include <drm/phyr_vram_drm.h>
#include <kunit/test.h>
#include <linux/highmem.h>
#include <linux/vmalloc.h>

#include "redirect.h"
#include "../ttm.c"

#include "layout.h"

static const struct ttm_operation_ctx no_signals;

#define PAGES(n)	((u64)(n) << PAGE_SHIFT)

/* Buffer lengths around the boundaries of blocks of 1 to 16 pages */
static const u32 page_counts[] = { 1, 2, 3, 4, 5, 15, 16, 17, 31, 32, 33, 64 };

static void page_count_describe(const u32 *pages, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u pages", *pages);
}

KUNIT_ARRAY_PARAM(page_count, page_counts, page_count_describe);

/* Blocks of several sizes: ascending, descending and adjacent */
static const struct layout_block mixed[] = {
	{ 32, 4 }, { 8, 1 }, { 2, 2 }, { 4, 4 }, { 255, 1 }, { 0, 2 },
	{ 64, 64 }, { 63, 1 },
};

/**
 * struct env - a card and the expected contents of its VRAM
 * @card: the card, with random bytes in VRAM
 * @rnd: random state of the test
 * @expected: expected bytes of VRAM; a copy of VRAM at first
 */
struct env {
	struct card *card;
	struct rnd_state rnd;
	u8 *expected;
};

KUNIT_DEFINE_ACTION_WRAPPER(env_vfree, vfree, void *);

static struct env *env_create(struct kunit *test)
{
	struct env *env = kunit_kzalloc(test, sizeof(*env), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, env);
	env->card = card_create(test, SZ_1M, 0);
	card_seed(test, &env->rnd);
	env->expected = vmalloc(SZ_1M);
	KUNIT_ASSERT_NOT_NULL(test, env->expected);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, env_vfree,
							   env->expected));
	prandom_bytes_state(&env->rnd, env->expected, SZ_1M);
	memcpy(env->card->bytes, env->expected, env->card->size);
	return env;
}

static void env_check(struct kunit *test, struct env *env)
{
	u64 page;

	for (page = 0; page < SZ_1M; page += PAGE_SIZE)
		if (memcmp(env->card->bytes + page, env->expected + page,
			   PAGE_SIZE))
			KUNIT_FAIL(test, "page %llu of VRAM is wrong",
				   page >> PAGE_SHIFT);
}

/* Create a buffer in system memory with random contents. */
static struct vram_bo *env_pages(struct kunit *test, struct env *env,
				 u32 pages)
{
	struct ttm_operation_ctx ctx = {};
	struct vram_bo *bo = card_bo(test, env->card, PAGES(pages),
				     DRM_PHYR_VRAM_PLACE_SYSTEM, 0);
	u32 i;
	int ret;

	dma_resv_lock(bo->tbo.base.resv, NULL);
	ret = ttm_bo_populate(&bo->tbo, &ctx);
	dma_resv_unlock(bo->tbo.base.resv);
	KUNIT_ASSERT_EQ(test, ret, 0);
	KUNIT_ASSERT_GE(test, bo->tbo.ttm->num_pages, pages);
	for (i = 0; i < pages; i++)
		prandom_bytes_state(&env->rnd,
				    page_address(bo->tbo.ttm->pages[i]),
				    PAGE_SIZE);
	return bo;
}

/* Create a buffer with the resource @layout, as far as a copy needs it. */
static struct vram_bo *env_bo_at(struct kunit *test, struct env *env,
				 struct layout *layout)
{
	struct vram_bo *bo = kunit_kzalloc(test, sizeof(*bo), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, bo);
	bo->tbo.bdev = &env->card->vram->ttm;
	bo->tbo.resource = &layout->res.base;
	return bo;
}

/*
 * The iterator
 */

static void iter_check(struct kunit *test, struct layout *layout)
{
	struct vram_device *vram = layout->vram;
	struct vram_iter iter;
	struct iosys_map map;
	u32 i;

	vram_iter_init(&iter, vram, &layout->res.base);
	for (i = 0; i < layout->pages; i++) {
		vram_iter_map(&iter.base, &map, i);
		KUNIT_EXPECT_TRUE(test, map.is_iomem);
		KUNIT_EXPECT_EQ(test, (u64)(map.vaddr_iomem - vram->io),
				layout->offset[i]);
	}
}

static void vram_iter_map_one_block(struct kunit *test)
{
	static const struct layout_block one[] = { { 16, 16 } };
	struct card *card = card_create(test, SZ_1M, 0);

	iter_check(test, layout_create(test, card->vram, one, ARRAY_SIZE(one)));
}

static void vram_iter_map_single_pages(struct kunit *test)
{
	static const struct layout_block blocks[] = {
		{ 9, 1 }, { 8, 1 }, { 10, 1 }, { 0, 1 }, { 255, 1 },
	};
	struct card *card = card_create(test, SZ_1M, 0);

	iter_check(test, layout_create(test, card->vram, blocks,
				       ARRAY_SIZE(blocks)));
}

static void vram_iter_map_mixed_blocks(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);

	iter_check(test, layout_create(test, card->vram, mixed,
				       ARRAY_SIZE(mixed)));
}

/* Skip several blocks at once, as a fault in the middle of a buffer does. */
static void vram_iter_map_from_each_page(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct layout *layout = layout_create(test, card->vram, mixed,
					      ARRAY_SIZE(mixed));
	struct vram_iter iter;
	struct iosys_map map;
	u32 i;

	for (i = 0; i < layout->pages; i++) {
		vram_iter_init(&iter, card->vram, &layout->res.base);
		vram_iter_map(&iter.base, &map, i);
		KUNIT_EXPECT_EQ(test,
				(u64)(map.vaddr_iomem - card->vram->io),
				layout->offset[i]);
		/* The same page again */
		vram_iter_map(&iter.base, &map, i);
		KUNIT_EXPECT_EQ(test,
				(u64)(map.vaddr_iomem - card->vram->io),
				layout->offset[i]);
	}
}

/* Tests the arithmetic only: the card has less VRAM. */
static void vram_iter_map_beyond_4_gib(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	const u64 len = SZ_1G * 8ULL, start = SZ_1G * 16ULL;
	struct gpu_buddy *buddy = &card->vram->mgr.buddy;
	struct gpu_buddy_block block = {
		.header = start | ilog2(len / PAGE_SIZE),
	};
	struct vram_resource res = {};
	struct vram_iter iter;
	struct iosys_map map;
	u64 pos;

	KUNIT_ASSERT_EQ(test, gpu_buddy_block_size(buddy, &block), len);
	INIT_LIST_HEAD(&res.blocks);
	list_add(&block.link, &res.blocks);
	vram_iter_init(&iter, card->vram, &res.base);
	for (pos = 0; pos < len; pos += SZ_1G - PAGE_SIZE) {
		vram_iter_map(&iter.base, &map, pos >> PAGE_SHIFT);
		KUNIT_EXPECT_EQ(test,
				(u64)(map.vaddr_iomem - card->vram->io),
				start + pos);
	}
}

static void vram_iter_map_random(struct kunit *test)
{
	const u32 pages = *(const u32 *)test->param_value;
	struct env *env = env_create(test);

	iter_check(test, layout_random(test, env->card->vram, &env->rnd,
				       pages));
}

/*
 * Moves to VRAM
 */

static void vram_fill_zeroes_mixed_blocks(struct kunit *test)
{
	struct env *env = env_create(test);
	struct layout *to = layout_create(test, env->card->vram, mixed,
					  ARRAY_SIZE(mixed));
	u32 i;

	vram_fill(env_bo_at(test, env, to), &to->res.base, &no_signals);
	for (i = 0; i < to->pages; i++)
		memset(env->expected + to->offset[i], 0, PAGE_SIZE);
	env_check(test, env);
}

static void vram_fill_zeroes_random(struct kunit *test)
{
	const u32 pages = *(const u32 *)test->param_value;
	struct env *env = env_create(test);
	struct layout *to = layout_random(test, env->card->vram, &env->rnd,
					  pages);
	u32 i;

	vram_fill(env_bo_at(test, env, to), &to->res.base, &no_signals);
	for (i = 0; i < to->pages; i++)
		memset(env->expected + to->offset[i], 0, PAGE_SIZE);
	env_check(test, env);
}

/* A buffer whose pages are not populated yet */
static void vram_fill_from_unpopulated_pages(struct kunit *test)
{
	struct env *env = env_create(test);
	struct layout *to = layout_random(test, env->card->vram, &env->rnd,
					  4);
	struct vram_bo *bo = env_bo_at(test, env, to);
	u32 i;

	bo->tbo.base.size = PAGES(4);
	bo->tbo.ttm = vram_tt_create(&bo->tbo, 0);
	KUNIT_ASSERT_NOT_NULL(test, bo->tbo.ttm);
	vram_fill(bo, &to->res.base, &no_signals);
	vram_tt_destroy(bo->tbo.bdev, bo->tbo.ttm);
	for (i = 0; i < to->pages; i++)
		memset(env->expected + to->offset[i], 0, PAGE_SIZE);
	env_check(test, env);
}

static void vram_fill_from_pages(struct kunit *test)
{
	const u32 pages = *(const u32 *)test->param_value;
	struct env *env = env_create(test);
	struct vram_bo *bo = env_pages(test, env, pages);
	struct layout *to = layout_random(test, env->card->vram, &env->rnd,
					  pages);
	u32 i;

	vram_fill(bo, &to->res.base, &no_signals);
	for (i = 0; i < pages; i++)
		memcpy(env->expected + to->offset[i],
		       page_address(bo->tbo.ttm->pages[i]), PAGE_SIZE);
	env_check(test, env);
}

static void vram_fill_unplugged(struct kunit *test)
{
	struct env *env = env_create(test);
	struct layout *to = layout_random(test, env->card->vram, &env->rnd,
					  16);

	card_unplug(env->card);
	vram_fill(env_bo_at(test, env, to), &to->res.base, &no_signals);
	env_check(test, env);
}

/*
 * Moves from VRAM
 */

static void vram_save_to_pages(struct kunit *test)
{
	const u32 pages = *(const u32 *)test->param_value;
	struct env *env = env_create(test);
	struct vram_bo *bo = env_pages(test, env, pages);
	struct layout *from = layout_random(test, env->card->vram,
					    &env->rnd, pages);
	u32 i;

	vram_save(bo, &from->res.base, &no_signals);
	for (i = 0; i < pages; i++)
		KUNIT_EXPECT_MEMEQ(test, page_address(bo->tbo.ttm->pages[i]),
				   env->expected + from->offset[i],
				   PAGE_SIZE);
	env_check(test, env);
}

static void vram_save_unplugged(struct kunit *test)
{
	struct env *env = env_create(test);
	struct vram_bo *bo = env_pages(test, env, 2);
	struct layout *from = layout_random(test, env->card->vram,
					    &env->rnd, 2);
	void *page = page_address(bo->tbo.ttm->pages[1]);
	void *copy = kunit_kmalloc(test, PAGE_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, copy);
	memcpy(copy, page, PAGE_SIZE);
	card_unplug(env->card);
	vram_save(bo, &from->res.base, &no_signals);
	KUNIT_EXPECT_EQ(test, memcmp(page, copy, PAGE_SIZE), 0);
}

/*
 * Moves within VRAM
 */

static void copy_check(struct kunit *test, struct env *env,
		       struct layout *from, struct layout *to)
{
	u32 i;

	vram_copy(env_bo_at(test, env, from), &to->res.base, &no_signals);
	for (i = 0; i < to->pages; i++)
		memcpy(env->expected + to->offset[i],
		       env->expected + from->offset[i], PAGE_SIZE);
	env_check(test, env);
}

static void vram_copy_random(struct kunit *test)
{
	const u32 pages = *(const u32 *)test->param_value;
	struct env *env = env_create(test);
	struct vram_device *vram = env->card->vram;
	struct layout *from, *to;

	from = layout_random(test, vram, &env->rnd, pages);
	to = layout_random(test, vram, &env->rnd, pages);
	copy_check(test, env, from, to);
}

/* Fragments to one block, as for scan-out */
static void vram_copy_to_one_block(struct kunit *test)
{
	static const struct layout_block one[] = { { 128, 64 } };
	struct env *env = env_create(test);
	struct vram_device *vram = env->card->vram;
	struct layout *from, *to;

	to = layout_create(test, vram, one, ARRAY_SIZE(one));
	from = layout_random(test, vram, &env->rnd, 64);
	copy_check(test, env, from, to);
}

static void vram_copy_from_one_block(struct kunit *test)
{
	static const struct layout_block one[] = { { 128, 64 } };
	struct env *env = env_create(test);
	struct vram_device *vram = env->card->vram;
	struct layout *from, *to;

	from = layout_create(test, vram, one, ARRAY_SIZE(one));
	to = layout_random(test, vram, &env->rnd, 64);
	copy_check(test, env, from, to);
}

/* Block boundaries differ in source and destination, including the ends. */
static void vram_copy_unaligned_blocks(struct kunit *test)
{
	static const struct layout_block a[] = {
		{ 0, 1 }, { 16, 4 }, { 10, 2 }, { 255, 1 },
	};
	static const struct layout_block b[] = {
		{ 32, 4 }, { 40, 2 }, { 254, 1 }, { 1, 1 },
	};
	struct env *env = env_create(test);
	struct vram_device *vram = env->card->vram;

	copy_check(test, env, layout_create(test, vram, a, ARRAY_SIZE(a)),
		   layout_create(test, vram, b, ARRAY_SIZE(b)));
}

static void vram_copy_unplugged(struct kunit *test)
{
	struct env *env = env_create(test);
	struct vram_device *vram = env->card->vram;
	struct layout *from, *to;

	from = layout_random(test, vram, &env->rnd, 8);
	to = layout_random(test, vram, &env->rnd, 8);
	card_unplug(env->card);
	vram_copy(env_bo_at(test, env, from), &to->res.base, &no_signals);
	env_check(test, env);
}

/*
 * Other TTM callbacks
 */

static void vram_io_mem_pfn_each_page(struct kunit *test)
{
	struct env *env = env_create(test);
	struct layout *layout = layout_create(test, env->card->vram, mixed,
					      ARRAY_SIZE(mixed));
	struct vram_bo *bo = env_bo_at(test, env, layout);
	u32 i;

	for (i = 0; i < layout->pages; i++)
		KUNIT_EXPECT_EQ(test, vram_io_mem_pfn(&bo->tbo, i),
				(CARD_BAR + layout->offset[i]) >> PAGE_SHIFT);
}

static void vram_io_mem_reserve_by_place(struct kunit *test)
{
	struct ttm_resource vram = { .mem_type = TTM_PL_VRAM };
	struct ttm_resource tt = { .mem_type = TTM_PL_TT };

	KUNIT_EXPECT_EQ(test, vram_io_mem_reserve(NULL, &vram), 0);
	KUNIT_EXPECT_TRUE(test, vram.bus.is_iomem);
	KUNIT_EXPECT_EQ(test, vram.bus.caching, ttm_write_combined);
	KUNIT_EXPECT_EQ(test, vram_io_mem_reserve(NULL, &tt), 0);
	KUNIT_EXPECT_FALSE(test, tt.bus.is_iomem);
}

static void vram_tt_create_zeroes(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(3),
				     DRM_PHYR_VRAM_PLACE_SYSTEM, 0);
	struct ttm_tt *tt = vram_tt_create(&bo->tbo, 0);

	KUNIT_ASSERT_NOT_NULL(test, tt);
	KUNIT_EXPECT_TRUE(test, tt->page_flags & TTM_TT_FLAG_ZERO_ALLOC);
	KUNIT_EXPECT_EQ(test, tt->num_pages, 3);
	vram_tt_destroy(&card->vram->ttm, tt);
}

static void vram_tt_create_without_memory(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(3),
				     DRM_PHYR_VRAM_PLACE_SYSTEM, 0);

	card_fail_after(test, 0);
	KUNIT_EXPECT_NULL(test, vram_tt_create(&bo->tbo, 0));
}

static void vram_evict_flags_system(struct kunit *test)
{
	struct ttm_buffer_object tbo = {};
	struct ttm_placement placement = {};
	struct ttm_resource res = {};

	/* Never the same place again: TTM would walk its list for ever. */
	tbo.resource = &res;
	res.mem_type = TTM_PL_VRAM;
	vram_evict_flags(&tbo, &placement);
	KUNIT_ASSERT_EQ(test, placement.num_placement, 1);
	KUNIT_EXPECT_EQ(test, placement.placement->mem_type, TTM_PL_TT);
	res.mem_type = TTM_PL_TT;
	vram_evict_flags(&tbo, &placement);
	KUNIT_ASSERT_EQ(test, placement.num_placement, 1);
	KUNIT_EXPECT_EQ(test, placement.placement->mem_type, TTM_PL_SYSTEM);
}

/* A signal ends a move of an ioctl; the buffer stays where it is. */
static void vram_move_interrupted(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(3),
				     DRM_PHYR_VRAM_PLACE_VRAM |
				     DRM_PHYR_VRAM_PLACE_SYSTEM, 0);
	int ret;

	card_bo_fill(card, bo, 7);
	dma_resv_lock(bo->tbo.base.resv, NULL);
	set_tsk_thread_flag(current, TIF_SIGPENDING);
	ret = vram_bo_move_to(bo, TTM_PL_TT, true);
	clear_tsk_thread_flag(current, TIF_SIGPENDING);
	dma_resv_unlock(bo->tbo.base.resv);
	KUNIT_EXPECT_EQ(test, ret, -ERESTARTSYS);
	KUNIT_EXPECT_EQ(test, bo->place, TTM_PL_VRAM);
	card_bo_expect_filled(test, card, bo, 7);
	card_expect_avail(test, card, SZ_1M - PAGES(3));

	/* Not a move that cannot be repeated. */
	dma_resv_lock(bo->tbo.base.resv, NULL);
	set_tsk_thread_flag(current, TIF_SIGPENDING);
	ret = vram_bo_move_to(bo, TTM_PL_TT, false);
	clear_tsk_thread_flag(current, TIF_SIGPENDING);
	dma_resv_unlock(bo->tbo.base.resv);
	KUNIT_EXPECT_EQ(test, ret, 0);
	card_bo_expect_filled(test, card, bo, 7);
}

static bool eviction_valuable(struct vram_bo *bo, const struct ttm_place *place)
{
	bool valuable;

	dma_resv_lock(bo->tbo.base.resv, NULL);
	valuable = vram_eviction_valuable(&bo->tbo, place);
	dma_resv_unlock(bo->tbo.base.resv);
	return valuable;
}

static void vram_eviction_valuable_if_movable(struct kunit *test)
{
	const struct ttm_place place = { .mem_type = TTM_PL_VRAM };
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_bo *fixed, *movable;

	fixed = card_bo(test, card, PAGES(1), DRM_PHYR_VRAM_PLACE_VRAM, 0);
	movable = card_bo(test, card, PAGES(1), DRM_PHYR_VRAM_PLACE_VRAM |
			  DRM_PHYR_VRAM_PLACE_SYSTEM, 0);
	KUNIT_EXPECT_FALSE(test, eviction_valuable(fixed, &place));
	KUNIT_EXPECT_TRUE(test, eviction_valuable(movable, &place));
}

/* A move from VRAM to TTM_PL_SYSTEM takes a hop through TTM_PL_TT. */
static void vram_ttm_move_hops(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(1),
				     DRM_PHYR_VRAM_PLACE_VRAM, 0);
	struct ttm_resource to = { .mem_type = TTM_PL_SYSTEM };
	struct ttm_operation_ctx ctx = {};
	struct ttm_place hop = {};
	int ret;

	dma_resv_lock(bo->tbo.base.resv, NULL);
	ret = vram_ttm_move(&bo->tbo, false, &ctx, &to, &hop);
	dma_resv_unlock(bo->tbo.base.resv);
	KUNIT_EXPECT_EQ(test, ret, -EMULTIHOP);
	KUNIT_EXPECT_EQ(test, hop.mem_type, TTM_PL_TT);
	KUNIT_EXPECT_EQ(test, bo->place, TTM_PL_VRAM);
}

static struct kunit_case vram_ttm_cases[] = {
	KUNIT_CASE(vram_iter_map_one_block),
	KUNIT_CASE(vram_iter_map_single_pages),
	KUNIT_CASE(vram_iter_map_mixed_blocks),
	KUNIT_CASE(vram_iter_map_from_each_page),
	KUNIT_CASE(vram_iter_map_beyond_4_gib),
	KUNIT_CASE_PARAM(vram_iter_map_random, page_count_gen_params),
	KUNIT_CASE(vram_fill_zeroes_mixed_blocks),
	KUNIT_CASE_PARAM(vram_fill_zeroes_random, page_count_gen_params),
	KUNIT_CASE(vram_fill_from_unpopulated_pages),
	KUNIT_CASE_PARAM(vram_fill_from_pages, page_count_gen_params),
	KUNIT_CASE(vram_fill_unplugged),
	KUNIT_CASE_PARAM(vram_save_to_pages, page_count_gen_params),
	KUNIT_CASE(vram_save_unplugged),
	KUNIT_CASE_PARAM(vram_copy_random, page_count_gen_params),
	KUNIT_CASE(vram_copy_to_one_block),
	KUNIT_CASE(vram_copy_from_one_block),
	KUNIT_CASE(vram_copy_unaligned_blocks),
	KUNIT_CASE(vram_copy_unplugged),
	KUNIT_CASE(vram_io_mem_pfn_each_page),
	KUNIT_CASE(vram_io_mem_reserve_by_place),
	KUNIT_CASE(vram_tt_create_zeroes),
	KUNIT_CASE(vram_tt_create_without_memory),
	KUNIT_CASE(vram_evict_flags_system),
	KUNIT_CASE(vram_move_interrupted),
	KUNIT_CASE(vram_eviction_valuable_if_movable),
	KUNIT_CASE(vram_ttm_move_hops),
	{}
};

static struct kunit_suite vram_ttm_suite = {
	.name = "phyr_vram_ttm",
	.test_cases = vram_ttm_cases,
};

kunit_test_suite(vram_ttm_suite);

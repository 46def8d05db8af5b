// SPDX-License-Identifier: GPL-2.0
/*
 * Creation of buffers
 */
#include <kunit/test.h>

#include "redirect.h"
#include "../gem.c"

#define PAGES(n)	((u64)(n) << PAGE_SHIFT)
#define VRAM_ONLY	DRM_PHYR_VRAM_PLACE_VRAM
#define SYSTEM_ONLY	DRM_PHYR_VRAM_PLACE_SYSTEM
#define ANYWHERE	(VRAM_ONLY | SYSTEM_ONLY)

static int create_error(struct card *card, u64 size, u32 placement)
{
	struct vram_bo *bo = vram_gem_create(card->vram, NULL, size, placement,
					     0);

	if (IS_ERR(bo))
		return PTR_ERR(bo);
	vram_bo_put(bo);
	return 0;
}

static void vram_gem_create_in_vram_is_zeroed(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(9), VRAM_ONLY, PAGES(2));
	u32 i;

	KUNIT_EXPECT_EQ(test, bo->place, TTM_PL_VRAM);
	for (i = 0; i < 9; i++)
		KUNIT_EXPECT_NULL(test, memchr_inv(card_bo_page(card, bo, i), 0,
						   PAGE_SIZE));
	card_expect_avail(test, card, SZ_1M - PAGES(9));
	card_bo_put(test, bo);
	card_expect_avail(test, card, SZ_1M);
}

static void vram_gem_create_in_system(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, SZ_2M, SYSTEM_ONLY, 0);

	KUNIT_EXPECT_EQ(test, bo->place, TTM_PL_TT);
	KUNIT_EXPECT_EQ(test, card_bo_extents(bo), 0);
	card_expect_avail(test, card, SZ_1M);
}

static void vram_gem_create_too_large(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, SZ_8K);
	u64 quarter = (u64)totalram_pages() / 4 << PAGE_SHIFT;

	KUNIT_EXPECT_EQ(test, create_error(card, SZ_1M, VRAM_ONLY), -E2BIG);
	KUNIT_EXPECT_EQ(test, create_error(card, SZ_1M - SZ_8K, VRAM_ONLY), 0);
	KUNIT_EXPECT_EQ(test, create_error(card, quarter + PAGE_SIZE, ANYWHERE),
			-E2BIG);
	KUNIT_EXPECT_EQ(test, create_error(card, quarter + PAGE_SIZE, SYSTEM_ONLY),
			-E2BIG);
	card_expect_avail(test, card, SZ_1M - SZ_8K);
}

static void vram_gem_create_in_full_vram(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_bo *bo;

	card_bo(test, card, SZ_1M, VRAM_ONLY, 0);
	KUNIT_EXPECT_EQ(test, create_error(card, PAGES(1), VRAM_ONLY), -ENOSPC);
	bo = card_bo(test, card, PAGES(1), ANYWHERE, 0);
	KUNIT_EXPECT_EQ(test, bo->place, TTM_PL_TT);
	card_expect_avail(test, card, 0);
}

static void vram_gem_create_evicts_movable(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_bo *movable, *fixed;

	movable = card_bo(test, card, SZ_512K, ANYWHERE, PAGES(1));
	card_bo_fill(card, movable, 3);
	fixed = card_bo(test, card, SZ_1M, VRAM_ONLY, 0);
	KUNIT_EXPECT_EQ(test, movable->place, TTM_PL_TT);
	KUNIT_EXPECT_EQ(test, fixed->place, TTM_PL_VRAM);
	card_bo_expect_filled(test, card, movable, 3);
}

static void vram_gem_create_larger_than_vram(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_bo *movable = card_bo(test, card, PAGES(4), ANYWHERE, 0);
	struct vram_bo *bo = card_bo(test, card, SZ_1M + PAGES(1), ANYWHERE, 0);

	KUNIT_EXPECT_EQ(test, bo->place, TTM_PL_TT);
	dma_resv_lock(bo->tbo.base.resv, NULL);
	KUNIT_EXPECT_EQ(test, vram_bo_move_to(bo, TTM_PL_VRAM, true), -ENOSPC);
	dma_resv_unlock(bo->tbo.base.resv);
	/* Nothing was evicted in vain. */
	KUNIT_EXPECT_EQ(test, movable->place, TTM_PL_VRAM);
}

static void vram_gem_create_without_memory(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);

	card_fail_after(test, 0);
	KUNIT_EXPECT_EQ(test, create_error(card, PAGES(1), VRAM_ONLY), -ENOMEM);
	card_expect_avail(test, card, SZ_1M);
}

static struct kunit_case vram_gem_cases[] = {
	KUNIT_CASE(vram_gem_create_in_vram_is_zeroed),
	KUNIT_CASE(vram_gem_create_in_system),
	KUNIT_CASE(vram_gem_create_too_large),
	KUNIT_CASE(vram_gem_create_in_full_vram),
	KUNIT_CASE(vram_gem_create_evicts_movable),
	KUNIT_CASE(vram_gem_create_larger_than_vram),
	KUNIT_CASE(vram_gem_create_without_memory),
	{}
};

static struct kunit_suite vram_gem_suite = {
	.name = "phyr_vram_gem",
	.test_cases = vram_gem_cases,
};

kunit_test_suite(vram_gem_suite);

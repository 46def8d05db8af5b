// SPDX-License-Identifier: GPL-2.0
/*
 * Placement and pinning of buffers, contents preserved by moves
 */
#include <drm/phyr_vram_drm.h>
#include <drm/ttm/ttm_tt.h>
#include <kunit/test.h>

#include "redirect.h"
#include "../bo.c"

#define PAGES(n)	((u64)(n) << PAGE_SHIFT)
#define VRAM_ONLY	DRM_PHYR_VRAM_PLACE_VRAM
#define SYSTEM_ONLY	DRM_PHYR_VRAM_PLACE_SYSTEM
#define ANYWHERE	(VRAM_ONLY | SYSTEM_ONLY)

static int move_to(struct vram_bo *bo, u32 mem_type)
{
	int ret;

	dma_resv_lock(bo->tbo.base.resv, NULL);
	ret = vram_bo_move_to(bo, mem_type, false);
	dma_resv_unlock(bo->tbo.base.resv);
	return ret;
}

static int pin_scanout(struct vram_bo *bo, u64 end)
{
	int ret;

	dma_resv_lock(bo->tbo.base.resv, NULL);
	ret = vram_bo_pin_scanout(bo, end);
	dma_resv_unlock(bo->tbo.base.resv);
	return ret;
}

/*
 * Moves
 */

static void vram_bo_move_keeps_bytes(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(21), ANYWHERE, PAGES(4));

	card_bo_fill(card, bo, 1);
	KUNIT_ASSERT_EQ(test, move_to(bo, TTM_PL_TT), 0);
	KUNIT_EXPECT_EQ(test, bo->place, TTM_PL_TT);
	card_expect_avail(test, card, SZ_1M);
	card_bo_expect_filled(test, card, bo, 1);

	memset(card->bytes, 0xee, card->size);
	card_bo_fill(card, bo, 77);
	KUNIT_ASSERT_EQ(test, move_to(bo, TTM_PL_VRAM), 0);
	KUNIT_EXPECT_EQ(test, bo->place, TTM_PL_VRAM);
	card_expect_avail(test, card, SZ_1M - PAGES(21));
	card_bo_expect_filled(test, card, bo, 77);
}

static void vram_bo_move_of_pinned(struct kunit *test)
{
	struct card *card = card_create_display(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(2), ANYWHERE, 0);

	KUNIT_ASSERT_EQ(test, pin_scanout(bo, SZ_1M), 0);
	KUNIT_EXPECT_EQ(test, move_to(bo, TTM_PL_TT), -EBUSY);
	KUNIT_EXPECT_EQ(test, move_to(bo, TTM_PL_VRAM), 0);
	KUNIT_EXPECT_EQ(test, bo->place, TTM_PL_VRAM);
	vram_bo_unpin(bo);
	KUNIT_EXPECT_EQ(test, move_to(bo, TTM_PL_TT), 0);
}

static void vram_bo_pin_system_prevents_move(struct kunit *test)
{
	struct card *card = card_create_display(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(2), ANYWHERE, 0);
	int ret;

	dma_resv_lock(bo->tbo.base.resv, NULL);
	ret = vram_bo_pin_system(bo, false);
	dma_resv_unlock(bo->tbo.base.resv);
	KUNIT_ASSERT_EQ(test, ret, 0);
	KUNIT_EXPECT_EQ(test, move_to(bo, TTM_PL_VRAM), -EBUSY);
	KUNIT_EXPECT_EQ(test, pin_scanout(bo, SZ_1M), -EBUSY);
	vram_bo_unpin(bo);
}

/*
 * Scan-out
 */

static void vram_bo_pin_scanout_defragments(struct kunit *test)
{
	struct card *card = card_create_display(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(24), ANYWHERE, PAGES(1));

	KUNIT_EXPECT_EQ(test, card_bo_extents(bo), 24);
	card_bo_fill(card, bo, 9);
	KUNIT_ASSERT_EQ(test, pin_scanout(bo, SZ_1M), 0);
	KUNIT_EXPECT_EQ(test, card_bo_extents(bo), 1);
	card_bo_expect_filled(test, card, bo, 9);
	card_expect_avail(test, card, SZ_1M - PAGES(24));
	vram_bo_unpin(bo);
}

static void vram_bo_pin_scanout_before_end(struct kunit *test)
{
	struct card *card = card_create_display(test, SZ_1M, SZ_8K);
	struct vram_bo *bo = card_bo(test, card, PAGES(8), ANYWHERE, 0);
	const u64 end = PAGES(16);

	card_bo_fill(card, bo, 40);
	KUNIT_ASSERT_EQ(test, pin_scanout(bo, end), 0);
	KUNIT_EXPECT_GE(test, vram_resource_offset(bo->tbo.resource), SZ_8K);
	KUNIT_EXPECT_LE(test, vram_resource_offset(bo->tbo.resource) + PAGES(8),
			end);
	card_bo_expect_filled(test, card, bo, 40);
	vram_bo_unpin(bo);
}

static void vram_bo_pin_scanout_beyond_end(struct kunit *test)
{
	struct card *card = card_create_display(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(8), ANYWHERE, 0);

	KUNIT_EXPECT_EQ(test, pin_scanout(bo, PAGES(7)), -EBUSY);
	KUNIT_EXPECT_EQ(test, pin_scanout(bo, 0), -EBUSY);
	KUNIT_EXPECT_EQ(test, bo->tbo.pin_count, 0);
	KUNIT_EXPECT_EQ(test, pin_scanout(bo, PAGES(8)), 0);
	KUNIT_EXPECT_EQ(test, vram_resource_offset(bo->tbo.resource), 0);
	vram_bo_unpin(bo);
}

/* The buffer itself occupies the space for its contiguous copy. */
static void vram_bo_pin_scanout_moves_out_first(struct kunit *test)
{
	struct card *card = card_create_display(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(120), ANYWHERE,
				     PAGES(1));

	card_bo_fill(card, bo, 5);
	KUNIT_ASSERT_EQ(test, pin_scanout(bo, SZ_1M), 0);
	KUNIT_EXPECT_EQ(test, card_bo_extents(bo), 1);
	card_bo_expect_filled(test, card, bo, 5);
	vram_bo_unpin(bo);
}

static void vram_bo_pin_scanout_pinned_fragments(struct kunit *test)
{
	struct card *card = card_create_display(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(8), ANYWHERE, PAGES(1));

	dma_resv_lock(bo->tbo.base.resv, NULL);
	ttm_bo_pin(&bo->tbo);
	dma_resv_unlock(bo->tbo.base.resv);
	KUNIT_EXPECT_EQ(test, pin_scanout(bo, SZ_1M), -EBUSY);
	KUNIT_EXPECT_EQ(test, bo->tbo.pin_count, 1);
	vram_bo_unpin(bo);
}

/*
 * Operations on all buffers of a card
 */

static void vram_bo_next_finds_each(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_bo *bos[3], *bo;
	unsigned long id = 0;
	int i;

	for (i = 0; i < 3; i++)
		bos[i] = card_bo(test, card, PAGES(1), ANYWHERE, 0);
	card_bo_put(test, bos[1]);
	for (i = 0; i < 3; i += 2) {
		bo = vram_bo_next(card->vram, &id);
		KUNIT_ASSERT_PTR_EQ(test, bo, bos[i]);
		KUNIT_EXPECT_EQ(test, id, bo->id + 1);
		vram_bo_put(bo);
	}
	KUNIT_EXPECT_NULL(test, vram_bo_next(card->vram, &id));
}

static bool is_revoked(struct vram_bo *bo)
{
	bool revoked;

	dma_resv_lock(bo->tbo.base.resv, NULL);
	revoked = phyr_buffer_is_revoked(&bo->phyr);
	dma_resv_unlock(bo->tbo.base.resv);
	return revoked;
}

static void vram_bos_revoke_and_rearm(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(3), VRAM_ONLY, 0);

	KUNIT_EXPECT_FALSE(test, is_revoked(bo));
	vram_bos_revoke(card->vram);
	KUNIT_EXPECT_TRUE(test, is_revoked(bo));
	vram_bos_rearm(card->vram);
	KUNIT_EXPECT_FALSE(test, is_revoked(bo));
}

static struct kunit_case vram_bo_cases[] = {
	KUNIT_CASE(vram_bo_move_keeps_bytes),
	KUNIT_CASE(vram_bo_move_of_pinned),
	KUNIT_CASE(vram_bo_pin_system_prevents_move),
	KUNIT_CASE(vram_bo_pin_scanout_defragments),
	KUNIT_CASE(vram_bo_pin_scanout_before_end),
	KUNIT_CASE(vram_bo_pin_scanout_beyond_end),
	KUNIT_CASE(vram_bo_pin_scanout_moves_out_first),
	KUNIT_CASE(vram_bo_pin_scanout_pinned_fragments),
	KUNIT_CASE(vram_bo_next_finds_each),
	KUNIT_CASE(vram_bos_revoke_and_rearm),
	{}
};

static struct kunit_suite vram_bo_suite = {
	.name = "phyr_vram_bo",
	.test_cases = vram_bo_cases,
};

kunit_test_suite(vram_bo_suite);

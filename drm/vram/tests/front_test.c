// SPDX-License-Identifier: GPL-2.0
/*
 * Buffers that are scanned out while they are pinned in system memory
 */
#include <drm/drm_fourcc.h>
#include <kunit/test.h>
#include <linux/dma-fence.h>

#include "redirect.h"
#include "../front.c"

#define PAGES(n)	((u64)(n) << PAGE_SHIFT)
#define ANYWHERE	(DRM_PHYR_VRAM_PLACE_VRAM | DRM_PHYR_VRAM_PLACE_SYSTEM)

/* Lines of one page: scan out @height of them, from line @y on. */
static int scan_out(struct vram_bo *bo, u32 y, u32 height, u64 *offset)
{
	struct vram_scanout scanout = {
		.format = drm_format_info(DRM_FORMAT_XRGB8888),
		.offset = PAGES(y),
		.pitch = PAGE_SIZE,
		.width = PAGE_SIZE / 4,
		.height = height,
	};
	int ret;

	ret = vram_front_pin(bo, SZ_1M, &scanout);
	*offset = scanout.offset;
	return ret;
}

static int pin_system(struct vram_bo *bo)
{
	int ret;

	dma_resv_lock(bo->tbo.base.resv, NULL);
	ret = vram_front_pin_system(bo, false);
	dma_resv_unlock(bo->tbo.base.resv);
	return ret;
}

static void unpin_system(struct vram_bo *bo)
{
	dma_resv_lock(bo->tbo.base.resv, NULL);
	vram_front_unpin_system(bo);
	dma_resv_unlock(bo->tbo.base.resv);
}

/* Each page of VRAM from @offset on has the byte of card_bo_fill(). */
static void expect_front(struct kunit *test, struct card *card, u64 offset,
			 unsigned int pages, u8 first)
{
	unsigned int i;

	for (i = 0; i < pages; i++)
		KUNIT_EXPECT_NULL(test, memchr_inv(card->bytes + offset +
						   PAGES(i), (u8)(first + i),
						   PAGE_SIZE));
}

static void vram_front_of_shown(struct kunit *test)
{
	struct card *card = card_create_display(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(6), ANYWHERE, PAGES(1));
	u64 offset;

	card_bo_fill(card, bo, 1);
	KUNIT_ASSERT_EQ(test, scan_out(bo, 0, 6, &offset), 0);
	KUNIT_ASSERT_EQ(test, pin_system(bo), 0);
	KUNIT_EXPECT_EQ(test, bo->place, TTM_PL_TT);
	KUNIT_EXPECT_EQ(test, bo->tbo.pin_count, 2);
	card_bo_expect_filled(test, card, bo, 1);
	expect_front(test, card, offset, 6, 1);
	card_expect_avail(test, card, SZ_1M - PAGES(6));

	card_bo_fill(card, bo, 50);
	vram_front_update(card->vram->display, bo);
	expect_front(test, card, offset, 6, 50);
	card_bo_fill(card, bo, 90);
	unpin_system(bo);
	KUNIT_EXPECT_NULL(test, bo->front);
	KUNIT_EXPECT_EQ(test, bo->place, TTM_PL_VRAM);
	KUNIT_EXPECT_EQ(test, bo->tbo.pin_count, 1);
	KUNIT_EXPECT_EQ(test, vram_resource_offset(bo->tbo.resource), offset);
	card_bo_expect_filled(test, card, bo, 90);
	vram_front_unpin(bo);
	KUNIT_EXPECT_EQ(test, bo->tbo.pin_count, 0);
	card_expect_avail(test, card, SZ_1M - PAGES(6));
}

/* TTM looks for buffers by their VRAM, for ever if one is not there. */
static void vram_front_of_evict_all(struct kunit *test)
{
	struct card *card = card_create_display(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(6), ANYWHERE, 0);
	struct vram_bo *other = card_bo(test, card, PAGES(6), ANYWHERE, 0);
	struct ttm_resource_manager *man = &card->vram->mgr.base;
	u64 offset;
	int i;

	card_bo_fill(card, bo, 1);
	KUNIT_ASSERT_EQ(test, scan_out(bo, 0, 6, &offset), 0);
	for (i = 0; i < 2; i++) {
		KUNIT_ASSERT_EQ(test, pin_system(bo), 0);
		KUNIT_ASSERT_EQ(test, 0,
				ttm_resource_manager_evict_all(&card->vram->ttm,
							       man));
		KUNIT_EXPECT_EQ(test, other->place, TTM_PL_TT);
		card_expect_avail(test, card, SZ_1M - PAGES(6));
		expect_front(test, card, offset, 6, 1);
		unpin_system(bo);
	}
	vram_front_unpin(bo);
	KUNIT_EXPECT_EQ(test, 0,
			ttm_resource_manager_evict_all(&card->vram->ttm, man));
	KUNIT_EXPECT_EQ(test, bo->place, TTM_PL_TT);
	card_bo_expect_filled(test, card, bo, 1);
}

static void vram_front_ends_with_scanout(struct kunit *test)
{
	struct card *card = card_create_display(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(6), ANYWHERE, 0);
	u64 first, second;

	card_bo_fill(card, bo, 1);
	KUNIT_ASSERT_EQ(test, scan_out(bo, 0, 6, &first), 0);
	KUNIT_ASSERT_EQ(test, pin_system(bo), 0);
	KUNIT_ASSERT_EQ(test, scan_out(bo, 0, 6, &second), 0);
	KUNIT_EXPECT_EQ(test, first, second);
	vram_front_unpin(bo);
	KUNIT_EXPECT_NOT_NULL(test, bo->front);
	vram_front_unpin(bo);
	KUNIT_EXPECT_NULL(test, bo->front);
	card_expect_avail(test, card, SZ_1M);
	unpin_system(bo);
	KUNIT_EXPECT_EQ(test, bo->place, TTM_PL_TT);
	card_bo_expect_filled(test, card, bo, 1);
}

static void vram_front_of_mapped(struct kunit *test)
{
	struct card *card = card_create_display(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(6), ANYWHERE, 0);
	u64 offset;

	card_bo_fill(card, bo, 1);
	KUNIT_ASSERT_EQ(test, pin_system(bo), 0);
	KUNIT_EXPECT_EQ(test, scan_out(bo, 0, 6, &offset), -EBUSY);
	bo->vmaps = 1;
	KUNIT_ASSERT_EQ(test, scan_out(bo, 0, 6, &offset), 0);
	card_expect_avail(test, card, SZ_1M - PAGES(6));
	expect_front(test, card, offset, 6, 1);
	bo->vmaps = 0;
	unpin_system(bo);
	KUNIT_EXPECT_EQ(test, bo->place, TTM_PL_VRAM);
	KUNIT_EXPECT_EQ(test, vram_resource_offset(bo->tbo.resource), offset);
	card_bo_expect_filled(test, card, bo, 1);
	vram_front_unpin(bo);
}

/* A move back would notify the importer before its unpin returns. */
static void vram_front_importer_unpins(struct kunit *test)
{
	struct card *card = card_create_display(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(6), ANYWHERE, 0);
	struct card_importer importer;
	u64 offset;

	card_bo_fill(card, bo, 1);
	card_import(test, &importer, bo);
	KUNIT_ASSERT_EQ(test, scan_out(bo, 0, 6, &offset), 0);
	KUNIT_ASSERT_EQ(test, pin_system(bo), 0);
	importer.invalidated = 0;
	card_import_pin(test, &importer);
	unpin_system(bo);
	KUNIT_EXPECT_EQ(test, bo->tbo.pin_count, 2);

	card_import_unpin(&importer);
	KUNIT_EXPECT_EQ(test, importer.invalidated, 0);
	KUNIT_EXPECT_EQ(test, bo->tbo.pin_count, 1);
	KUNIT_EXPECT_NOT_NULL(test, bo->front);
	card_bo_expect_filled(test, card, bo, 1);
	vram_front_unpin(bo);
	KUNIT_EXPECT_EQ(test, bo->tbo.pin_count, 0);
	KUNIT_EXPECT_NULL(test, bo->front);
	card_import_end(&importer);
}

/* Only what is scanned out is copied, but all of it moves back. */
static void vram_front_copies_part(struct kunit *test)
{
	struct card *card = card_create_display(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(6), ANYWHERE, 0);
	u64 offset;

	card_bo_fill(card, bo, 1);
	KUNIT_ASSERT_EQ(test, scan_out(bo, 2, 3, &offset), 0);
	KUNIT_ASSERT_EQ(test, pin_system(bo), 0);
	card_bo_fill(card, bo, 50);
	vram_front_work(&card->vram->display->front_work.work);
	expect_front(test, card, offset - PAGES(2), 2, 1);
	expect_front(test, card, offset, 3, 52);
	expect_front(test, card, offset + PAGES(3), 1, 6);
	unpin_system(bo);
	card_bo_expect_filled(test, card, bo, 50);
	vram_front_unpin(bo);
}

static void vram_front_of_pinned(struct kunit *test)
{
	struct card *card = card_create_display(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(6), ANYWHERE, 0);
	u64 offset;

	KUNIT_ASSERT_EQ(test, scan_out(bo, 0, 6, &offset), 0);
	dma_resv_lock(bo->tbo.base.resv, NULL);
	ttm_bo_pin(&bo->tbo);
	KUNIT_EXPECT_EQ(test, vram_front_pin_system(bo, false), -EBUSY);
	vram_front_unpin_system(bo);
	dma_resv_unlock(bo->tbo.base.resv);
	KUNIT_EXPECT_EQ(test, bo->place, TTM_PL_VRAM);
	vram_front_unpin(bo);
}

static void vram_front_without_room(struct kunit *test)
{
	struct card *card = card_create_display(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(6), ANYWHERE, 0);
	struct vram_bo *other;
	u64 offset;

	KUNIT_ASSERT_EQ(test, pin_system(bo), 0);
	bo->vmaps = 1;
	other = card_bo(test, card, SZ_1M, ANYWHERE, 0);
	dma_resv_lock(other->tbo.base.resv, NULL);
	ttm_bo_pin(&other->tbo);
	dma_resv_unlock(other->tbo.base.resv);
	KUNIT_EXPECT_EQ(test, scan_out(bo, 0, 6, &offset), -ENOSPC);
	KUNIT_EXPECT_NULL(test, bo->front);
	KUNIT_EXPECT_EQ(test, bo->tbo.pin_count, 1);
	bo->vmaps = 0;
	unpin_system(bo);
	vram_bo_unpin(other);
}

static const char *fence_name(struct dma_fence *fence)
{
	return "phyr_vram_front";
}

static const struct dma_fence_ops fence_ops = {
	.get_driver_name = fence_name,
	.get_timeline_name = fence_name,
};

/* A pending fence is not waited for: the front stays. */
static void vram_front_of_busy(struct kunit *test)
{
	struct card *card = card_create_display(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(6), ANYWHERE, 0);
	struct dma_fence *fence = kzalloc(sizeof(*fence), GFP_KERNEL);
	spinlock_t lock;	/* of the fence */
	u64 offset;

	KUNIT_ASSERT_NOT_NULL(test, fence);
	spin_lock_init(&lock);
	dma_fence_init(fence, &fence_ops, &lock, dma_fence_context_alloc(1), 1);
	KUNIT_ASSERT_EQ(test, scan_out(bo, 0, 6, &offset), 0);
	KUNIT_ASSERT_EQ(test, pin_system(bo), 0);
	dma_resv_lock(bo->tbo.base.resv, NULL);
	KUNIT_EXPECT_EQ(test, dma_resv_reserve_fences(bo->tbo.base.resv, 1), 0);
	dma_resv_add_fence(bo->tbo.base.resv, fence, DMA_RESV_USAGE_BOOKKEEP);
	vram_front_unpin_system(bo);
	dma_resv_unlock(bo->tbo.base.resv);
	KUNIT_EXPECT_NOT_NULL(test, bo->front);
	KUNIT_EXPECT_EQ(test, bo->place, TTM_PL_TT);
	dma_fence_signal(fence);
	vram_front_unpin(bo);
	KUNIT_EXPECT_NULL(test, bo->front);
	card_expect_avail(test, card, SZ_1M);
	/* The reservation object's reference must not outlive the lock. */
	card_bo_put(test, bo);
	dma_fence_put(fence);
	rcu_barrier();
}

static struct kunit_case vram_front_cases[] = {
	KUNIT_CASE(vram_front_of_shown),
	KUNIT_CASE(vram_front_of_evict_all),
	KUNIT_CASE(vram_front_ends_with_scanout),
	KUNIT_CASE(vram_front_of_mapped),
	KUNIT_CASE(vram_front_importer_unpins),
	KUNIT_CASE(vram_front_copies_part),
	KUNIT_CASE(vram_front_of_pinned),
	KUNIT_CASE(vram_front_without_room),
	KUNIT_CASE(vram_front_of_busy),
	{}
};

static struct kunit_suite vram_front_suite = {
	.name = "phyr_vram_front",
	.test_cases = vram_front_cases,
};

kunit_test_suite(vram_front_suite);

// SPDX-License-Identifier: GPL-2.0
/*
 * System sleep of a card without a display
 */
#include <kunit/test.h>
#include <linux/dma-fence.h>

#include "redirect.h"

#define vram_display_suspend(vram, timeout) \
	((void)(vram), (void)(timeout), 0)
#define vram_display_resume(vram)	((void)(vram), 0)
#include "../pm.c"

#define PAGES(n)	((u64)(n) << PAGE_SHIFT)
#define VRAM_ONLY	DRM_PHYR_VRAM_PLACE_VRAM
#define ANYWHERE	(VRAM_ONLY | DRM_PHYR_VRAM_PLACE_SYSTEM)

static struct card *card_with_pm(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, SZ_8K);

	dev_set_drvdata(card->vram->drm.dev, card->vram);
	return card;
}

static void pin(struct vram_bo *bo)
{
	dma_resv_lock(bo->tbo.base.resv, NULL);
	ttm_bo_pin(&bo->tbo);
	dma_resv_unlock(bo->tbo.base.resv);
}

static void unpin(struct vram_bo *bo)
{
	dma_resv_lock(bo->tbo.base.resv, NULL);
	ttm_bo_unpin(&bo->tbo);
	dma_resv_unlock(bo->tbo.base.resv);
}

static int move_to_vram(struct vram_bo *bo)
{
	int ret;

	dma_resv_lock(bo->tbo.base.resv, NULL);
	ret = vram_bo_move_to(bo, TTM_PL_VRAM, false);
	dma_resv_unlock(bo->tbo.base.resv);
	return ret;
}

/* All buffers leave VRAM, whatever binds them to it, and come back. */
static void vram_pm_prepare_and_complete(struct kunit *test)
{
	struct card *card = card_with_pm(test);
	struct vram_bo *fixed, *movable, *pinned, *beside;
	struct device *dev = card->vram->drm.dev;

	fixed = card_bo(test, card, PAGES(24), VRAM_ONLY, PAGES(2));
	movable = card_bo(test, card, PAGES(5), ANYWHERE, 0);
	pinned = card_bo(test, card, PAGES(3), ANYWHERE, 0);
	beside = card_bo(test, card, PAGES(1), DRM_PHYR_VRAM_PLACE_SYSTEM, 0);
	pin(pinned);
	card_bo_fill(card, fixed, 11);
	card_bo_fill(card, movable, 99);
	card_bo_fill(card, pinned, 55);

	KUNIT_ASSERT_EQ(test, vram_pm_ops.prepare(dev), 0);
	KUNIT_EXPECT_EQ(test, fixed->place, TTM_PL_TT);
	KUNIT_EXPECT_EQ(test, movable->place, TTM_PL_TT);
	KUNIT_EXPECT_EQ(test, pinned->place, TTM_PL_TT);
	KUNIT_EXPECT_EQ(test, pinned->tbo.pin_count, 1);
	card_expect_avail(test, card, SZ_1M - SZ_8K);
	KUNIT_EXPECT_NE(test, move_to_vram(movable), 0);
	memset(card->bytes, 0xee, card->size);

	vram_pm_ops.complete(dev);
	KUNIT_EXPECT_EQ(test, fixed->place, TTM_PL_VRAM);
	KUNIT_EXPECT_EQ(test, movable->place, TTM_PL_VRAM);
	KUNIT_EXPECT_EQ(test, pinned->place, TTM_PL_VRAM);
	KUNIT_EXPECT_EQ(test, beside->place, TTM_PL_TT);
	KUNIT_EXPECT_EQ(test, pinned->tbo.pin_count, 1);
	card_bo_expect_filled(test, card, fixed, 11);
	card_bo_expect_filled(test, card, movable, 99);
	card_bo_expect_filled(test, card, pinned, 55);
	unpin(pinned);
}

/* An importer that unpins when it is notified leaves the pins of others. */
static void vram_pm_importer_unpins(struct kunit *test)
{
	struct card *card = card_with_pm(test);
	struct vram_bo *bo = card_bo(test, card, PAGES(5), ANYWHERE, 0);
	struct device *dev = card->vram->drm.dev;
	struct card_importer importer;

	card_import(test, &importer, bo);
	pin(bo);
	card_import_pin(test, &importer);
	KUNIT_EXPECT_EQ(test, bo->tbo.pin_count, 2);

	KUNIT_EXPECT_EQ(test, vram_pm_ops.prepare(dev), 0);
	KUNIT_EXPECT_FALSE(test, importer.pinned);
	KUNIT_EXPECT_EQ(test, bo->tbo.pin_count, 1);
	KUNIT_EXPECT_EQ(test, bo->lifted_pins, 0);
	vram_pm_ops.complete(dev);
	KUNIT_EXPECT_EQ(test, bo->place, TTM_PL_VRAM);
	KUNIT_EXPECT_EQ(test, bo->tbo.pin_count, 1);
	unpin(bo);
	card_import_end(&importer);
}

static const char *fence_name(struct dma_fence *fence)
{
	return "pm_test";
}

static const struct dma_fence_ops fence_ops = {
	.get_driver_name = fence_name,
	.get_timeline_name = fence_name,
};

/* A deadline that is over: the fence is not waited for, and nothing moved. */
static void vram_pm_wait_is_limited(struct kunit *test)
{
	struct card *card = card_with_pm(test);
	struct vram_bo *bo = card_bo(test, card, PAGES(2), ANYWHERE, 0);
	struct dma_fence *fence = kzalloc(sizeof(*fence), GFP_KERNEL);
	static DEFINE_SPINLOCK(lock);

	KUNIT_ASSERT_NOT_NULL(test, fence);
	dma_fence_init(fence, &fence_ops, &lock, dma_fence_context_alloc(1), 1);
	dma_resv_lock(bo->tbo.base.resv, NULL);
	KUNIT_EXPECT_EQ(test, dma_resv_reserve_fences(bo->tbo.base.resv, 1), 0);
	dma_resv_add_fence(bo->tbo.base.resv, fence, DMA_RESV_USAGE_BOOKKEEP);
	dma_resv_unlock(bo->tbo.base.resv);

	KUNIT_EXPECT_EQ(test, vram_pm_wait(card->vram, jiffies), -EBUSY);
	KUNIT_EXPECT_EQ(test, vram_pm_evict(card->vram, true, jiffies), -EBUSY);
	KUNIT_EXPECT_EQ(test, bo->place, TTM_PL_VRAM);
	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, vram_pm_wait(card->vram, jiffies + HZ), 0);
	dma_fence_put(fence);
}

/* The first part of a hibernation leaves what importers have pinned. */
static void vram_pm_hibernate_leaves_pinned(struct kunit *test)
{
	struct card *card = card_with_pm(test);
	struct vram_bo *movable = card_bo(test, card, PAGES(5), ANYWHERE, 0);
	struct vram_bo *pinned = card_bo(test, card, PAGES(3), ANYWHERE, 0);
	struct notifier_block *nb = &card->vram->pm_notifier;

	pin(pinned);
	KUNIT_ASSERT_EQ(test, vram_pm_notify(nb, PM_HIBERNATION_PREPARE, NULL),
			notifier_from_errno(0));
	KUNIT_EXPECT_TRUE(test, card->vram->hibernating);
	KUNIT_EXPECT_EQ(test, movable->place, TTM_PL_TT);
	KUNIT_EXPECT_EQ(test, pinned->place, TTM_PL_VRAM);

	vram_pm_notify(nb, PM_POST_HIBERNATION, NULL);
	KUNIT_EXPECT_FALSE(test, card->vram->hibernating);
	KUNIT_EXPECT_EQ(test, movable->place, TTM_PL_VRAM);
	unpin(pinned);
}

/* A buffer that is pinned in system memory meanwhile stays there. */
static void vram_pm_restore_leaves_pinned(struct kunit *test)
{
	struct card *card = card_with_pm(test);
	struct vram_bo *bo = card_bo(test, card, PAGES(5), ANYWHERE, 0);
	struct vram_bo *fixed = card_bo(test, card, PAGES(2), VRAM_ONLY, 0);
	struct notifier_block *nb = &card->vram->pm_notifier;

	vram_pm_notify(nb, PM_HIBERNATION_PREPARE, NULL);
	KUNIT_EXPECT_EQ(test, bo->place, TTM_PL_TT);
	KUNIT_EXPECT_EQ(test, fixed->place, TTM_PL_VRAM);
	dma_resv_lock(bo->tbo.base.resv, NULL);
	KUNIT_EXPECT_EQ(test, vram_bo_pin_system(bo, false), 0);
	dma_resv_unlock(bo->tbo.base.resv);
	vram_pm_notify(nb, PM_POST_HIBERNATION, NULL);
	KUNIT_EXPECT_EQ(test, bo->place, TTM_PL_TT);
	KUNIT_EXPECT_EQ(test, bo->tbo.pin_count, 1);
	unpin(bo);
}

/* What importers have pinned in system memory takes no room from VRAM's. */
static void vram_pm_prepare_beyond_the_limit(struct kunit *test)
{
	struct card *card = card_with_pm(test);
	struct vram_bo *taken, *bo;
	struct device *dev = card->vram->drm.dev;

	taken = card_bo(test, card, PAGES(4), DRM_PHYR_VRAM_PLACE_SYSTEM, 0);
	pin(taken);
	bo = card_bo(test, card, PAGES(8), ANYWHERE, 0);
	card_bo_fill(card, bo, 7);
	card->vram->system.base.size = PAGES(4);
	KUNIT_ASSERT_EQ(test, vram_pm_ops.prepare(dev), 0);
	KUNIT_EXPECT_EQ(test, bo->place, TTM_PL_TT);
	vram_pm_ops.complete(dev);
	KUNIT_EXPECT_EQ(test, bo->place, TTM_PL_VRAM);
	card_bo_expect_filled(test, card, bo, 7);
	unpin(taken);
}

static struct kunit_case vram_pm_cases[] = {
	KUNIT_CASE(vram_pm_prepare_and_complete),
	KUNIT_CASE(vram_pm_importer_unpins),
	KUNIT_CASE(vram_pm_wait_is_limited),
	KUNIT_CASE(vram_pm_hibernate_leaves_pinned),
	KUNIT_CASE(vram_pm_restore_leaves_pinned),
	KUNIT_CASE(vram_pm_prepare_beyond_the_limit),
	{}
};

static struct kunit_suite vram_pm_suite = {
	.name = "phyr_vram_pm",
	.test_cases = vram_pm_cases,
};

kunit_test_suite(vram_pm_suite);

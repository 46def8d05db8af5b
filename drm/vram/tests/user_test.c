// SPDX-License-Identifier: GPL-2.0
/*
 * Users' limits
 */
#include <drm/phyr_vram_drm.h>
#include <kunit/test.h>

#include "redirect.h"
/* The tests' task has all capabilities. */
#define capable(capability)	((void)(capability), false)
#include "../user.c"

static struct vram_bo *user_bo(struct kunit *test, u64 size, u32 placement,
			       u64 max_extent)
{
	struct vram_bo *bo = kunit_kzalloc(test, sizeof(*bo), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, bo);
	bo->tbo.base.size = size;
	bo->placement = placement;
	bo->max_extent = max_extent;
	return bo;
}

static struct vram_device *user_card(struct kunit *test)
{
	return card_create(test, SZ_1M, 0)->vram;
}

static void vram_user_has_half_of_fixed(struct kunit *test)
{
	struct vram_device *vram = user_card(test);
	struct vram_bo *half = user_bo(test, SZ_512K, DRM_PHYR_VRAM_PLACE_VRAM,
				       0);
	struct vram_bo *page = user_bo(test, PAGE_SIZE,
				       DRM_PHYR_VRAM_PLACE_VRAM, 0);

	KUNIT_ASSERT_EQ(test, vram_user_charge(vram, half), 0);
	KUNIT_EXPECT_EQ(test, vram_user_charge(vram, page), -ENOSPC);
	KUNIT_EXPECT_NULL(test, page->user);
	vram_user_uncharge(vram, page);
	vram_user_uncharge(vram, half);
	KUNIT_EXPECT_EQ(test, vram_user_charge(vram, page), 0);
	vram_user_uncharge(vram, page);
	KUNIT_EXPECT_TRUE(test, xa_empty(&vram->users));
}

static void vram_user_movable_is_free(struct kunit *test)
{
	struct vram_device *vram = user_card(test);
	struct vram_bo *bo = user_bo(test, SZ_4M, DRM_PHYR_VRAM_PLACE_VRAM |
				     DRM_PHYR_VRAM_PLACE_SYSTEM, 0);

	KUNIT_EXPECT_EQ(test, vram_user_charge(vram, bo), 0);
	KUNIT_EXPECT_NULL(test, bo->user);
	KUNIT_EXPECT_TRUE(test, xa_empty(&vram->users));
}

static void vram_user_pieces_are_bounded(struct kunit *test)
{
	struct vram_device *vram = user_card(test);
	const u64 size = (u64)VRAM_USER_MAX_PIECES * PAGE_SIZE;
	struct vram_bo *all, *one, *large;
	const u32 placement = DRM_PHYR_VRAM_PLACE_VRAM |
			      DRM_PHYR_VRAM_PLACE_SYSTEM;

	all = user_bo(test, size, placement, PAGE_SIZE);
	one = user_bo(test, PAGE_SIZE, placement, PAGE_SIZE);
	large = user_bo(test, size + 1, placement, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, vram_user_charge(vram, large), -ENOSPC);
	KUNIT_ASSERT_EQ(test, vram_user_charge(vram, all), 0);
	KUNIT_EXPECT_EQ(test, vram_user_charge(vram, one), -ENOSPC);
	vram_user_uncharge(vram, all);
	KUNIT_EXPECT_TRUE(test, xa_empty(&vram->users));
}

static struct kunit_case vram_user_cases[] = {
	KUNIT_CASE(vram_user_has_half_of_fixed),
	KUNIT_CASE(vram_user_movable_is_free),
	KUNIT_CASE(vram_user_pieces_are_bounded),
	{}
};

static struct kunit_suite vram_user_suite = {
	.name = "phyr_vram_user",
	.test_cases = vram_user_cases,
};

kunit_test_suite(vram_user_suite);

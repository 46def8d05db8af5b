// SPDX-License-Identifier: GPL-2.0
/*
 * The manager of system memory
 */
#include <drm/phyr_vram_drm.h>
#include <kunit/test.h>

#include "redirect.h"
#include "../system.c"

#define PAGES(n)	((u64)(n) << PAGE_SHIFT)
#define LIMIT		PAGES(8)

/* A manager without a card; TTM's part needs only the lock and the list. */
static struct vram_device *system_create(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);

	card->vram->system.base.size = LIMIT;
	return card->vram;
}

static struct vram_bo *system_bo(struct kunit *test, struct vram_device *vram,
				 u64 size, u32 placement)
{
	struct vram_bo *bo = kunit_kzalloc(test, sizeof(*bo), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, bo);
	bo->tbo.base.size = size;
	bo->tbo.bdev = &vram->ttm;
	bo->placement = placement;
	return bo;
}

static int system_alloc(struct vram_device *vram, struct vram_bo *bo,
			struct ttm_resource **res)
{
	const struct ttm_place place = { .mem_type = TTM_PL_TT };

	return vram_system_alloc(&vram->system.base, &bo->tbo, &place, res);
}

static void vram_system_alloc_up_to_limit(struct kunit *test)
{
	struct vram_device *vram = system_create(test);
	struct vram_bo *bo = system_bo(test, vram, LIMIT / 2,
				       DRM_PHYR_VRAM_PLACE_SYSTEM);
	struct ttm_resource *res[3];

	KUNIT_ASSERT_EQ(test, system_alloc(vram, bo, &res[0]), 0);
	KUNIT_ASSERT_EQ(test, system_alloc(vram, bo, &res[1]), 0);
	KUNIT_EXPECT_EQ(test, system_alloc(vram, bo, &res[2]), -ENOSPC);
	vram_system_free(&vram->system.base, res[0]);
	KUNIT_ASSERT_EQ(test, system_alloc(vram, bo, &res[2]), 0);
	vram_system_free(&vram->system.base, res[1]);
	vram_system_free(&vram->system.base, res[2]);
	KUNIT_EXPECT_EQ(test, atomic64_read(&vram->system.used), 0);
}

static void vram_system_alloc_larger_than_limit(struct kunit *test)
{
	static const u64 sizes[] = { LIMIT + PAGE_SIZE, 1ULL << 62 };
	struct vram_device *vram = system_create(test);
	struct ttm_resource *res;
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		KUNIT_EXPECT_EQ(test, -ENOSPC,
				system_alloc(vram, system_bo(test, vram, sizes[i],
							     DRM_PHYR_VRAM_PLACE_SYSTEM),
					     &res));
	KUNIT_EXPECT_EQ(test, atomic64_read(&vram->system.used), 0);
}

/* What leaves VRAM finds room, however full system memory is. */
static void vram_system_alloc_from_vram(struct kunit *test)
{
	struct vram_device *vram = system_create(test);
	struct vram_bo *taken = system_bo(test, vram, LIMIT,
					  DRM_PHYR_VRAM_PLACE_SYSTEM);
	struct vram_bo *bo = system_bo(test, vram, LIMIT * 2,
				       DRM_PHYR_VRAM_PLACE_VRAM);
	struct ttm_resource *first, *res;

	vram->mgr.base.size = LIMIT * 2;
	KUNIT_ASSERT_EQ(test, system_alloc(vram, taken, &first), 0);
	KUNIT_EXPECT_EQ(test, system_alloc(vram, bo, &res), -ENOSPC);
	bo->place = TTM_PL_VRAM;
	KUNIT_ASSERT_EQ(test, system_alloc(vram, bo, &res), 0);
	vram_system_free(&vram->system.base, res);
	vram_system_free(&vram->system.base, first);
}

static void vram_system_alloc_without_memory(struct kunit *test)
{
	struct vram_device *vram = system_create(test);
	struct vram_bo *bo = system_bo(test, vram, PAGE_SIZE,
				       DRM_PHYR_VRAM_PLACE_SYSTEM);
	struct ttm_resource *res;

	card_fail_after(test, 0);
	KUNIT_EXPECT_EQ(test, system_alloc(vram, bo, &res), -ENOMEM);
	KUNIT_EXPECT_EQ(test, atomic64_read(&vram->system.used), 0);
}

static struct kunit_case vram_system_cases[] = {
	KUNIT_CASE(vram_system_alloc_up_to_limit),
	KUNIT_CASE(vram_system_alloc_larger_than_limit),
	KUNIT_CASE(vram_system_alloc_from_vram),
	KUNIT_CASE(vram_system_alloc_without_memory),
	{}
};

static struct kunit_suite vram_system_suite = {
	.name = "phyr_vram_system",
	.test_cases = vram_system_cases,
};

kunit_test_suite(vram_system_suite);

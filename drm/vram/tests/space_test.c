// SPDX-License-Identifier: GPL-2.0
/*
 * Space for scan-out, and for buffers that are never evicted
 */
#include <drm/drm_fourcc.h>
#include <drm/phyr_vram_drm.h>
#include <kunit/test.h>

#include "card.h"

#define PAGES(n)	((u64)(n) << PAGE_SHIFT)
#define VRAM_ONLY	DRM_PHYR_VRAM_PLACE_VRAM
#define ANYWHERE	(VRAM_ONLY | DRM_PHYR_VRAM_PLACE_SYSTEM)

/* In pages: of VRAM, of the space for scan-out, of the largest picture */
#define ALL	256
#define SPACE	192
#define PICTURE	64

/* As with short lines, with which the display reaches @end only. */
static int space_show_before(struct vram_bo *bo, u64 end)
{
	struct vram_scanout scanout = {
		.format = drm_format_info(DRM_FORMAT_XRGB8888),
		.pitch = PAGE_SIZE,
		.width = PAGE_SIZE / 4,
		.height = PFN_DOWN(bo->tbo.base.size),
	};

	return vram_front_pin(bo, end, &scanout);
}

static int space_show(struct vram_bo *bo)
{
	return space_show_before(bo, PAGES(ALL));
}

/* Number of the first page in VRAM */
static unsigned long space_pfn(struct vram_bo *bo)
{
	return PHYS_PFN(vram_resource_offset(bo->tbo.resource));
}

static int space_create_error(struct card *card, u64 size, u32 placement)
{
	struct vram_bo *bo = vram_gem_create(card->vram, NULL, size, placement,
					     0);

	if (!IS_ERR(bo))
		vram_bo_put(bo);
	return PTR_ERR_OR_ZERO(bo);
}

static void vram_space_fixed_get_a_quarter(struct kunit *test)
{
	struct card *card = card_create_display(test, PAGES(ALL), 0);
	struct vram_bo *bo;
	int i;

	KUNIT_EXPECT_EQ(test, space_create_error(card, PAGES(ALL - SPACE + 1),
						 VRAM_ONLY), -E2BIG);
	/* They evict others from it. */
	card_bo(test, card, PAGES(ALL), ANYWHERE, PAGES(1));
	for (i = SPACE; i < ALL; i += 8) {
		bo = card_bo(test, card, PAGES(8), VRAM_ONLY, PAGES(2));
		KUNIT_EXPECT_EQ(test, bo->place, TTM_PL_VRAM);
		KUNIT_EXPECT_GE(test, space_pfn(bo), SPACE);
	}
	KUNIT_EXPECT_EQ(test, space_create_error(card, PAGES(1), VRAM_ONLY),
			-ENOSPC);
	KUNIT_EXPECT_EQ(test, space_create_error(card, PAGES(1), ANYWHERE), 0);
}

/* Sizes of what is in front of the first picture when it is placed, in pages */
static const unsigned int space_places[] = { 0, 16, 32, 48, 64, 80, 96, 112, 128 };

static void space_place_desc(const unsigned int *at, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "page_%u", *at);
}

KUNIT_ARRAY_PARAM(space_place, space_places, space_place_desc);

/* Wherever the first picture is, the next one finds space. */
static void vram_space_beside_shown(struct kunit *test)
{
	unsigned int at = *(const unsigned int *)test->param_value, i;
	struct card *card = card_create_display(test, PAGES(ALL), 0);
	struct vram_bo *first, *next, *before = NULL, *last = NULL;

	if (at)
		before = card_bo(test, card, PAGES(at), ANYWHERE, 0);
	next = card_bo(test, card, PAGES(PICTURE), ANYWHERE, PAGES(1));
	dma_resv_lock(next->tbo.base.resv, NULL);
	KUNIT_EXPECT_EQ(test, vram_bo_move_to(next, TTM_PL_TT, false), 0);
	dma_resv_unlock(next->tbo.base.resv);
	card_bo_fill(card, next, at);
	first = card_bo(test, card, PAGES(PICTURE), ANYWHERE, 0);
	KUNIT_ASSERT_EQ(test, space_show(first), 0);
	if (before)
		card_bo_put(test, before);
	for (i = 0; i < ALL - PICTURE; i++)
		last = card_bo(test, card, PAGES(1), ANYWHERE, 0);
	KUNIT_EXPECT_EQ(test, last->place, TTM_PL_VRAM);
	card_expect_avail(test, card, 0);

	KUNIT_ASSERT_EQ(test, space_show(next), 0);
	KUNIT_EXPECT_EQ(test, card_bo_extents(next), 1);
	KUNIT_EXPECT_LE(test, space_pfn(next) + PICTURE, SPACE);
	card_bo_expect_filled(test, card, next, at);
	vram_front_unpin(first);
	KUNIT_EXPECT_EQ(test, space_show(first), 0);
	vram_front_unpin(first);
	vram_front_unpin(next);
}

/* The space cannot hold a third picture while two are pinned. */
static void vram_space_of_three(struct kunit *test)
{
	struct card *card = card_create_display(test, PAGES(ALL), 0);
	struct vram_bo *bos[4];
	unsigned int i, shown = 0;
	int ret = 0;

	for (i = 0; i < ARRAY_SIZE(bos); i++) {
		bos[i] = card_bo(test, card, PAGES(PICTURE), ANYWHERE, 0);
		if (!ret)
			ret = space_show(bos[i]);
		shown += !ret;
	}
	KUNIT_EXPECT_EQ(test, ret, -ENOSPC);
	KUNIT_EXPECT_GE(test, shown, 2);
	vram_front_unpin(bos[0]);
	KUNIT_EXPECT_EQ(test, space_show(bos[shown]), 0);
	vram_front_unpin(bos[shown]);
	while (--shown)
		vram_front_unpin(bos[shown]);
}

/* A large picture leaves space for a picture that is not. */
static void vram_space_of_large(struct kunit *test)
{
	struct card *card = card_create_display(test, PAGES(ALL), 0);
	struct vram_bo *large = card_bo(test, card, PAGES(2 * PICTURE),
					ANYWHERE, PAGES(1));
	struct vram_bo *next = card_bo(test, card, PAGES(PICTURE), ANYWHERE,
				       PAGES(1));
	struct vram_bo *beyond = card_bo(test, card, PAGES(2 * PICTURE + 1),
					 ANYWHERE, 0);

	KUNIT_ASSERT_EQ(test, space_show(large), 0);
	KUNIT_EXPECT_TRUE(test, space_pfn(large) == 0 ||
			  space_pfn(large) == SPACE - 2 * PICTURE);
	KUNIT_EXPECT_EQ(test, space_show(large), 0);
	KUNIT_ASSERT_EQ(test, space_show(next), 0);
	KUNIT_EXPECT_EQ(test, space_show(beyond), -EBUSY);
	vram_front_unpin(large);
	vram_front_unpin(large);
	KUNIT_EXPECT_EQ(test, space_show(beyond), -EBUSY);
	vram_front_unpin(next);
	KUNIT_EXPECT_EQ(test, space_show(beyond), -EBUSY);
}

/* One that cannot be shown beside another evicts nobody, itself included. */
static void vram_space_of_two_large(struct kunit *test)
{
	struct card *card = card_create_display(test, PAGES(ALL), 0);
	struct vram_bo *large = card_bo(test, card, PAGES(2 * PICTURE),
					ANYWHERE, PAGES(1));
	struct vram_bo *rest, *second;

	KUNIT_ASSERT_EQ(test, space_show(large), 0);
	second = card_bo(test, card, PAGES(PICTURE + 1), ANYWHERE, PAGES(1));
	rest = card_bo(test, card, PAGES(PICTURE - 1), ANYWHERE, PAGES(1));
	card_expect_avail(test, card, 0);
	KUNIT_EXPECT_EQ(test, space_show(second), -EBUSY);
	KUNIT_EXPECT_EQ(test, second->place, TTM_PL_VRAM);
	KUNIT_EXPECT_EQ(test, rest->place, TTM_PL_VRAM);
	vram_front_unpin(large);
	KUNIT_EXPECT_EQ(test, space_show(second), 0);
	vram_front_unpin(second);
}

/* -EBUSY lets scan-out copy the picture to where the display reaches it. */
static void vram_space_of_short_lines(struct kunit *test)
{
	struct card *card = card_create_display(test, PAGES(ALL), 0);
	struct vram_bo *large = card_bo(test, card, PAGES(2 * PICTURE),
					ANYWHERE, PAGES(1));
	struct vram_bo *bo = card_bo(test, card, PAGES(4), ANYWHERE, 0);

	KUNIT_ASSERT_EQ(test, space_show(large), 0);
	KUNIT_EXPECT_EQ(test, space_pfn(large), 0);
	KUNIT_EXPECT_EQ(test, space_show_before(bo, PAGES(2 * PICTURE)), -EBUSY);
	KUNIT_EXPECT_EQ(test, space_show_before(bo, PAGES(2 * PICTURE + 4)), 0);
	vram_front_unpin(bo);
	vram_front_unpin(large);

	KUNIT_EXPECT_EQ(test, space_show_before(bo, PAGES(4)), 0);
	KUNIT_EXPECT_EQ(test, space_pfn(bo), 0);
	vram_front_unpin(bo);
}

/* One that is never evicted is shown from its quarter, or by a copy. */
static void vram_space_of_fixed(struct kunit *test)
{
	struct card *card = card_create_display(test, PAGES(ALL), 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(20), VRAM_ONLY,
				     PAGES(1));
	struct vram_bo *half = card_bo(test, card, PAGES(30), VRAM_ONLY,
				       PAGES(1));

	card_bo_fill(card, bo, 3);
	KUNIT_EXPECT_EQ(test, space_show(half), -EBUSY);
	card_bo_put(test, half);
	KUNIT_ASSERT_EQ(test, space_show(bo), 0);
	KUNIT_EXPECT_EQ(test, card_bo_extents(bo), 1);
	KUNIT_EXPECT_GE(test, space_pfn(bo), SPACE);
	card_bo_expect_filled(test, card, bo, 3);
	vram_front_unpin(bo);
}

static struct kunit_case vram_space_cases[] = {
	KUNIT_CASE(vram_space_fixed_get_a_quarter),
	KUNIT_CASE_PARAM(vram_space_beside_shown, space_place_gen_params),
	KUNIT_CASE(vram_space_of_three),
	KUNIT_CASE(vram_space_of_large),
	KUNIT_CASE(vram_space_of_two_large),
	KUNIT_CASE(vram_space_of_short_lines),
	KUNIT_CASE(vram_space_of_fixed),
	{}
};

static struct kunit_suite vram_space_suite = {
	.name = "phyr_vram_space",
	.test_cases = vram_space_cases,
};

kunit_test_suite(vram_space_suite);

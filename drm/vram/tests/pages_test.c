// SPDX-License-Identifier: GPL-2.0
/*
 * Pages of buffers in system memory
 */
#include <kunit/test.h>

#include "redirect.h"
#include "../pages.c"

/* The pages of a buffer that is at @place, none of them there yet */
static struct ttm_tt *tt_create(struct kunit *test, u32 pages, u32 place)
{
	struct vram_tt *tt = kunit_kzalloc(test, sizeof(*tt), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, tt);
	tt->bo = kunit_kzalloc(test, sizeof(*tt->bo), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, tt->bo);
	tt->bo->place = place;
	tt->base.num_pages = pages;
	tt->base.pages = kunit_kcalloc(test, pages, sizeof(struct page *),
				       GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, tt->base.pages);
	return &tt->base;
}

static u32 tt_count(struct ttm_tt *tt)
{
	u32 i, count = 0;

	for (i = 0; i < tt->num_pages; i++)
		count += !!tt->pages[i];
	return count;
}

static const u32 sizes[] = { 1, 2, 3, 512, 1023 };

KUNIT_ARRAY_PARAM(sizes, sizes, NULL);

static void vram_pages_alloc_zeroed(struct kunit *test)
{
	u32 pages = *(const u32 *)test->param_value;
	struct ttm_tt *tt = tt_create(test, pages, TTM_PL_SYSTEM);
	u32 i;

	KUNIT_ASSERT_EQ(test, 0, vram_pages_alloc(NULL, tt, NULL));
	KUNIT_EXPECT_EQ(test, tt_count(tt), pages);
	for (i = 0; i < pages; i++) {
		/* Each can be freed by itself. */
		KUNIT_EXPECT_EQ(test, page_count(tt->pages[i]), 1);
		KUNIT_EXPECT_NULL(test, memchr_inv(page_address(tt->pages[i]),
						   0, PAGE_SIZE));
	}
	vram_pages_free(NULL, tt);
	KUNIT_EXPECT_EQ(test, tt_count(tt), 0);
}

static void vram_pages_alloc_smaller_pieces(struct kunit *test)
{
	struct ttm_tt *tt = tt_create(test, 512, TTM_PL_SYSTEM);

	card_fail_after(test, 0);
	KUNIT_ASSERT_EQ(test, 0, vram_pages_alloc(NULL, tt, NULL));
	KUNIT_EXPECT_EQ(test, tt_count(tt), 512);
	vram_pages_free(NULL, tt);
}

static void vram_pages_alloc_fails_halfway(struct kunit *test)
{
	struct ttm_tt *tt = tt_create(test, 3, TTM_PL_SYSTEM);

	/* Two pages in one piece, then a single one. */
	card_fail_after(test, 1);
	KUNIT_EXPECT_EQ(test, -ENOMEM, vram_pages_alloc(NULL, tt, NULL));
	KUNIT_EXPECT_EQ(test, tt_count(tt), 0);
}

static void vram_pages_alloc_out_of_vram_has_another_payer(struct kunit *test)
{
	struct ttm_tt *tt = tt_create(test, 3, TTM_PL_VRAM);

	card_fail_after(test, 1);
	KUNIT_EXPECT_EQ(test, 0, vram_pages_alloc(NULL, tt, NULL));
	KUNIT_EXPECT_EQ(test, tt_count(tt), 3);
	vram_pages_free(NULL, tt);
}

static void vram_pages_free_of_none(struct kunit *test)
{
	struct ttm_tt *tt = tt_create(test, 3, TTM_PL_SYSTEM);

	vram_pages_free(NULL, tt);
	KUNIT_EXPECT_EQ(test, tt_count(tt), 0);
}

static struct kunit_case vram_pages_cases[] = {
	KUNIT_CASE_PARAM(vram_pages_alloc_zeroed, sizes_gen_params),
	KUNIT_CASE(vram_pages_alloc_smaller_pieces),
	KUNIT_CASE(vram_pages_alloc_fails_halfway),
	KUNIT_CASE(vram_pages_alloc_out_of_vram_has_another_payer),
	KUNIT_CASE(vram_pages_free_of_none),
	{}
};

static struct kunit_suite vram_pages_suite = {
	.name = "phyr_vram_pages",
	.test_cases = vram_pages_cases,
};

kunit_test_suite(vram_pages_suite);

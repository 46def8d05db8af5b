// SPDX-License-Identifier: GPL-2.0
/*
 * Page allocation for buffers in system memory
 */
#include <kunit/test.h>

#include "redirect.h"
#include "../pages.c"

static struct ttm_operation_ctx ctx;

/* Create unpopulated TTM pages of a buffer in @place. */
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

	KUNIT_ASSERT_EQ(test, 0, vram_pages_alloc(NULL, tt, &ctx));
	KUNIT_EXPECT_EQ(test, tt_count(tt), pages);
	for (i = 0; i < pages; i++) {
		/* Each page can be freed separately. */
		KUNIT_EXPECT_EQ(test, page_count(tt->pages[i]), 1);
		KUNIT_EXPECT_NULL(test, memchr_inv(page_address(tt->pages[i]),
						   0, PAGE_SIZE));
	}
	vram_pages_free(NULL, tt);
	KUNIT_EXPECT_EQ(test, tt_count(tt), 0);
}

static void vram_pages_alloc_falls_back_to_lower_order(struct kunit *test)
{
	struct ttm_tt *tt = tt_create(test, 512, TTM_PL_SYSTEM);

	card_fail_after(test, 0);
	KUNIT_ASSERT_EQ(test, 0, vram_pages_alloc(NULL, tt, &ctx));
	KUNIT_EXPECT_EQ(test, tt_count(tt), 512);
	vram_pages_free(NULL, tt);
}

static void vram_pages_alloc_fails_halfway(struct kunit *test)
{
	struct ttm_tt *tt = tt_create(test, 3, TTM_PL_SYSTEM);

	/* The first allocation has two pages, the second one page. */
	card_fail_after(test, 1);
	KUNIT_EXPECT_EQ(test, -ENOMEM, vram_pages_alloc(NULL, tt, &ctx));
	KUNIT_EXPECT_EQ(test, tt_count(tt), 0);
}

static void vram_pages_alloc_eviction_charges_current(struct kunit *test)
{
	struct ttm_tt *tt = tt_create(test, 3, TTM_PL_VRAM);

	card_fail_after(test, 1);
	KUNIT_EXPECT_EQ(test, 0, vram_pages_alloc(NULL, tt, &ctx));
	KUNIT_EXPECT_EQ(test, tt_count(tt), 3);
	vram_pages_free(NULL, tt);
}

static void vram_pages_free_unpopulated(struct kunit *test)
{
	struct ttm_tt *tt = tt_create(test, 3, TTM_PL_SYSTEM);

	vram_pages_free(NULL, tt);
	KUNIT_EXPECT_EQ(test, tt_count(tt), 0);
}

static struct kunit_case vram_pages_cases[] = {
	KUNIT_CASE_PARAM(vram_pages_alloc_zeroed, sizes_gen_params),
	KUNIT_CASE(vram_pages_alloc_falls_back_to_lower_order),
	KUNIT_CASE(vram_pages_alloc_fails_halfway),
	KUNIT_CASE(vram_pages_alloc_eviction_charges_current),
	KUNIT_CASE(vram_pages_free_unpopulated),
	{}
};

static struct kunit_suite vram_pages_suite = {
	.name = "phyr_vram_pages",
	.test_cases = vram_pages_cases,
};

kunit_test_suite(vram_pages_suite);

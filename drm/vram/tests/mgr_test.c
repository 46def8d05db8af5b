// SPDX-License-Identifier: GPL-2.0
/*
 * The VRAM allocator
 */
#include <kunit/test.h>
#include <linux/workqueue.h>

#include "redirect.h"
#include "../mgr.c"

#include "layout.h"

#define PAGES(n)	((u64)(n) << PAGE_SHIFT)

/**
 * struct alloc - an allocation of VRAM
 * @card: the card
 * @bo: a buffer, initialised as far as the allocator needs
 * @place: the requested place
 * @res: the allocated resource
 * @work: worker that allocates and frees, in the concurrent test
 * @wrong: number of wrong results that the worker got
 */
struct alloc {
	struct card *card;
	struct vram_bo bo;
	struct ttm_place place;
	struct ttm_resource *res;
	struct work_struct work;
	int wrong;
};

static void alloc_free(void *arg)
{
	struct alloc *alloc = arg;

	vram_mgr_free(&alloc->card->vram->mgr.base, alloc->res);
}

static struct alloc *alloc_new(struct kunit *test, struct card *card, u64 size)
{
	struct alloc *alloc = kunit_kzalloc(test, sizeof(*alloc), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, alloc);
	alloc->card = card;
	alloc->bo.tbo.base.size = size;
	alloc->bo.tbo.bdev = &card->vram->ttm;
	alloc->place.mem_type = TTM_PL_VRAM;
	return alloc;
}

static int alloc_try(struct kunit *test, struct alloc *alloc)
{
	int ret = vram_mgr_alloc(&alloc->card->vram->mgr.base, &alloc->bo.tbo,
				 &alloc->place, &alloc->res);

	if (!ret)
		KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
								   alloc_free,
								   alloc));
	return ret;
}

static struct alloc *alloc_blocks(struct kunit *test, struct card *card,
				  u64 size, u64 max_extent)
{
	struct alloc *alloc = alloc_new(test, card, size);

	alloc->bo.max_extent = max_extent;
	KUNIT_ASSERT_EQ(test, alloc_try(test, alloc), 0);
	return alloc;
}

/* Returns 0 or the allocator's error; @out may be NULL. */
static int alloc_contiguous(struct kunit *test, struct card *card, u64 size,
			    u64 end, struct alloc **out)
{
	struct alloc *alloc = alloc_new(test, card, size);

	alloc->place.flags = TTM_PL_FLAG_CONTIGUOUS;
	alloc->place.lpfn = PHYS_PFN(end);
	if (out)
		*out = alloc;
	return alloc_try(test, alloc);
}

static int alloc_error(struct kunit *test, struct card *card, u64 size,
		       u64 max_extent)
{
	struct alloc *alloc = alloc_new(test, card, size);

	alloc->bo.max_extent = max_extent;
	return alloc_try(test, alloc);
}

static void alloc_release(struct kunit *test, struct alloc *alloc)
{
	kunit_release_action(test, alloc_free, alloc);
}

static struct list_head *blocks_of(struct alloc *alloc)
{
	return &to_vram_resource(alloc->res)->blocks;
}

static u64 block_size_of(struct alloc *alloc, struct gpu_buddy_block *block)
{
	return gpu_buddy_block_size(&alloc->card->vram->mgr.buddy, block);
}

static u64 sum_of(struct alloc *alloc)
{
	struct gpu_buddy_block *block;
	u64 sum = 0;

	list_for_each_entry(block, blocks_of(alloc), link)
		sum += block_size_of(alloc, block);
	return sum;
}

static unsigned int extents_of(struct alloc *alloc)
{
	return vram_resource_extents(&alloc->card->vram->mgr, alloc->res);
}

/* Allocate each page of VRAM separately, except those in @holes. */
static void alloc_all_but(struct kunit *test, struct card *card,
			  const struct layout_block *holes, size_t n)
{
	struct layout *left = layout_create(test, card->vram, holes, n);

	while (vram_mgr_avail(&card->vram->mgr))
		alloc_blocks(test, card, PAGE_SIZE, 0);
	kunit_release_action(test, layout_release, left);
}

/*
 * Initialisation
 */

static void vram_mgr_init_all_of_vram(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_mgr *mgr = &card->vram->mgr;

	KUNIT_EXPECT_EQ(test, mgr->base.size, SZ_1M);
	KUNIT_EXPECT_PTR_EQ(test, ttm_manager_type(&card->vram->ttm,
						   TTM_PL_VRAM), &mgr->base);
	KUNIT_EXPECT_TRUE(test, ttm_resource_manager_used(&mgr->base));
	card_expect_avail(test, card, SZ_1M);
}

static void vram_mgr_init_reserves(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, SZ_8K);
	struct vram_mgr *mgr = &card->vram->mgr;
	struct gpu_buddy_block *block;
	u64 pos = 0;

	KUNIT_EXPECT_EQ(test, mgr->base.size, SZ_1M - SZ_8K);
	card_expect_avail(test, card, SZ_1M - SZ_8K);
	list_for_each_entry(block, &mgr->reserved, link) {
		KUNIT_EXPECT_EQ(test, gpu_buddy_block_offset(block), pos);
		pos += gpu_buddy_block_size(&mgr->buddy, block);
	}
	KUNIT_EXPECT_EQ(test, pos, SZ_8K);
}

static void vram_mgr_init_of_odd_size(struct kunit *test)
{
	const u64 size = SZ_1M + SZ_64K + SZ_4K;
	struct card *card = card_create(test, size, 0);
	u64 pos;

	card_expect_avail(test, card, size);
	for (pos = 0; pos < size; pos += PAGE_SIZE)
		alloc_blocks(test, card, PAGE_SIZE, 0);
	card_expect_avail(test, card, 0);
	KUNIT_EXPECT_EQ(test, alloc_error(test, card, PAGE_SIZE, 0), -ENOSPC);
}

static void vram_mgr_init_sets_lockdep_map(struct kunit *test)
{
#ifdef CONFIG_LOCKDEP
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_mgr *mgr = &card->vram->mgr;

	KUNIT_EXPECT_PTR_EQ(test, mgr->buddy.lock_dep_map, &mgr->lock.dep_map);
#else
	kunit_skip(test, "the kernel has no lockdep");
#endif
}

/*
 * Allocations without constraints
 */

static void vram_mgr_alloc_one_page(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct alloc *alloc = alloc_blocks(test, card, PAGE_SIZE, 0);

	KUNIT_EXPECT_EQ(test, extents_of(alloc), 1);
	KUNIT_EXPECT_EQ(test, sum_of(alloc), PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, alloc->res->mem_type, TTM_PL_VRAM);
	card_expect_avail(test, card, SZ_1M - PAGE_SIZE);
}

/* 13 pages consist of blocks of 8, 4 and 1. */
static void vram_mgr_alloc_exact_size(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct alloc *alloc = alloc_blocks(test, card, PAGES(13), 0);

	KUNIT_EXPECT_EQ(test, sum_of(alloc), PAGES(13));
	card_expect_avail(test, card, SZ_1M - PAGES(13));
}

static void vram_mgr_alloc_everything(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct alloc *alloc = alloc_blocks(test, card, SZ_1M, 0);

	KUNIT_EXPECT_EQ(test, sum_of(alloc), SZ_1M);
	KUNIT_EXPECT_EQ(test, extents_of(alloc), 1);
	card_expect_avail(test, card, 0);
	alloc_release(test, alloc);
	card_expect_avail(test, card, SZ_1M);
}

static void vram_mgr_alloc_excludes_reserved(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, SZ_8K);
	struct alloc *alloc;

	while (vram_mgr_avail(&card->vram->mgr)) {
		alloc = alloc_blocks(test, card, PAGE_SIZE, 0);
		KUNIT_EXPECT_GE(test, vram_resource_offset(alloc->res), SZ_8K);
	}
}

static void vram_mgr_alloc_exhausted(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);

	alloc_blocks(test, card, SZ_1M - PAGES(3), 0);
	KUNIT_EXPECT_EQ(test, alloc_error(test, card, PAGES(4), 0), -ENOSPC);
	card_expect_avail(test, card, PAGES(3));
	alloc_blocks(test, card, PAGES(3), 0);
	KUNIT_EXPECT_EQ(test, alloc_error(test, card, PAGE_SIZE, 0), -ENOSPC);
	card_expect_avail(test, card, 0);
}

static void vram_mgr_alloc_from_single_pages(struct kunit *test)
{
	static const struct layout_block holes[] = {
		{ 1, 1 }, { 4, 1 }, { 9, 1 }, { 200, 1 },
	};
	struct card *card = card_create(test, SZ_1M, 0);
	struct alloc *alloc;

	alloc_all_but(test, card, holes, ARRAY_SIZE(holes));
	alloc = alloc_blocks(test, card, PAGES(4), 0);
	KUNIT_EXPECT_EQ(test, extents_of(alloc), 4);
	card_expect_avail(test, card, 0);
}

static void vram_mgr_alloc_without_memory(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	int calls;

	/* The resource is allocated first, then its blocks. */
	for (calls = 0; calls < 2; calls++) {
		card_fail_after(test, calls);
		KUNIT_EXPECT_EQ(test, alloc_error(test, card, PAGE_SIZE, 0),
				-ENOMEM);
		card_expect_avail(test, card, SZ_1M);
	}
	KUNIT_EXPECT_EQ(test, alloc_error(test, card, PAGE_SIZE, 0), 0);
}

/*
 * Allocations with a largest extent
 */

/**
 * struct extent_param - a buffer with a largest extent, in pages
 * @size: size of the buffer
 * @max_extent: largest extent
 */
struct extent_param {
	u32 size;
	u32 max_extent;
};

static const struct extent_param extent_params[] = {
	{ 2, 1 }, { 3, 1 }, { 64, 1 }, { 4, 2 }, { 5, 2 }, { 32, 2 },
	{ 33, 4 }, { 35, 4 }, { 64, 16 }, { 100, 32 }, { 65, 64 },
};

static void extent_describe(const struct extent_param *param, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u pages, at most %u",
		 param->size, param->max_extent);
}

KUNIT_ARRAY_PARAM(extent, extent_params, extent_describe);

static void vram_mgr_alloc_max_extent(struct kunit *test)
{
	const struct extent_param *param = test->param_value;
	struct card *card = card_create(test, SZ_1M, 0);
	struct gpu_buddy_block *block;
	u64 end = U64_MAX, offset, len;
	struct alloc *alloc;

	alloc = alloc_blocks(test, card, PAGES(param->size),
			     PAGES(param->max_extent));
	KUNIT_EXPECT_EQ(test, sum_of(alloc), PAGES(param->size));
	list_for_each_entry(block, blocks_of(alloc), link) {
		offset = gpu_buddy_block_offset(block);
		len = block_size_of(alloc, block);
		KUNIT_EXPECT_LE(test, len, PAGES(param->max_extent));
		KUNIT_EXPECT_TRUE(test, IS_ALIGNED(offset, len));
		/* Two blocks may be adjacent: no third separates them. */
		if (param->size > 2 * param->max_extent)
			KUNIT_EXPECT_NE(test, offset, end);
		end = offset + len;
	}
	card_expect_avail(test, card, SZ_1M - PAGES(param->size));
}

static void vram_mgr_alloc_max_extent_not_smaller(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);

	KUNIT_EXPECT_EQ(test, extents_of(alloc_blocks(test, card, PAGES(16),
						      PAGES(16))), 1);
	KUNIT_EXPECT_EQ(test, extents_of(alloc_blocks(test, card, PAGES(16),
						      PAGES(64))), 1);
}

static void vram_mgr_alloc_max_extent_exhausted(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);

	alloc_blocks(test, card, SZ_1M - PAGES(8), 0);
	KUNIT_EXPECT_EQ(test, alloc_error(test, card, PAGES(10), PAGES(1)),
			-ENOSPC);
	card_expect_avail(test, card, PAGES(8));
	alloc_blocks(test, card, PAGES(8), PAGES(1));
	card_expect_avail(test, card, 0);
}

/* The failing allocation is not the first block. */
static void vram_mgr_alloc_max_extent_without_memory(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	int calls;

	for (calls = 0; calls <= 4; calls++) {
		card_fail_after(test, calls);
		KUNIT_EXPECT_EQ(test, alloc_error(test, card, PAGES(4),
						  PAGES(1)), -ENOMEM);
		card_expect_avail(test, card, SZ_1M);
	}
	KUNIT_EXPECT_EQ(test, alloc_error(test, card, PAGES(4), PAGES(1)), 0);
}

/* Ascending blocks 0 to 4 are reordered to 1, 3, 0, 2, 4. */
static void vram_blocks_spread_order(struct kunit *test)
{
	static const struct layout_block blocks[] = {
		{ 6, 1 }, { 0, 1 }, { 8, 1 }, { 2, 1 }, { 4, 1 },
	};
	static const u64 expected[] = { 2, 6, 0, 4, 8 };
	struct card *card = card_create(test, SZ_1M, 0);
	struct layout *layout = layout_create(test, card->vram, blocks,
					      ARRAY_SIZE(blocks));
	struct gpu_buddy_block *block;
	int i = 0;

	vram_blocks_spread(&layout->res.blocks);
	list_for_each_entry(block, &layout->res.blocks, link)
		KUNIT_EXPECT_EQ(test, gpu_buddy_block_offset(block),
				PAGES(expected[i++]));
	KUNIT_EXPECT_EQ(test, i, ARRAY_SIZE(expected));
}

/*
 * Contiguous allocations
 */

static const u32 contiguous_params[] = { 1, 2, 3, 5, 7, 100, 129, 255, 256 };

static void contiguous_describe(const u32 *pages, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u pages", *pages);
}

KUNIT_ARRAY_PARAM(contiguous, contiguous_params, contiguous_describe);

static void vram_mgr_alloc_contiguous(struct kunit *test)
{
	const u64 size = PAGES(*(const u32 *)test->param_value);
	struct card *card = card_create(test, SZ_1M, 0);
	struct alloc *alloc;

	KUNIT_ASSERT_EQ(test, alloc_contiguous(test, card, size, 0, &alloc), 0);
	KUNIT_EXPECT_EQ(test, extents_of(alloc), 1);
	KUNIT_EXPECT_EQ(test, sum_of(alloc), size);
	card_expect_avail(test, card, SZ_1M - size);
}

static void vram_mgr_alloc_contiguous_fragmented(struct kunit *test)
{
	static const struct layout_block holes[] = {
		{ 0, 1 }, { 2, 1 }, { 4, 1 }, { 255, 1 },
	};
	struct card *card = card_create(test, SZ_1M, 0);

	alloc_all_but(test, card, holes, ARRAY_SIZE(holes));
	KUNIT_EXPECT_EQ(test, alloc_contiguous(test, card, PAGES(2), 0, NULL),
			-ENOSPC);
	card_expect_avail(test, card, PAGES(4));
	alloc_blocks(test, card, PAGES(4), 0);
}

/* The blocks of the hole are adjacent, but not buddies. */
static void vram_mgr_alloc_contiguous_hole(struct kunit *test)
{
	static const struct layout_block holes[] = {
		{ 1, 1 }, { 2, 2 }, { 6, 1 },
	};
	struct card *card = card_create(test, SZ_1M, 0);
	struct alloc *alloc;

	alloc_all_but(test, card, holes, ARRAY_SIZE(holes));
	KUNIT_ASSERT_EQ(test, alloc_contiguous(test, card, PAGES(3), 0, &alloc),
			0);
	KUNIT_EXPECT_EQ(test, extents_of(alloc), 1);
	KUNIT_EXPECT_EQ(test, sum_of(alloc), PAGES(3));
	KUNIT_EXPECT_EQ(test, vram_resource_offset(alloc->res), PAGES(1));
	card_expect_avail(test, card, PAGES(1));
}

static void vram_mgr_alloc_contiguous_too_large(struct kunit *test)
{
	static const u64 sizes[] = { SZ_1M + SZ_4K, SZ_2M, SZ_4M, SZ_1G };
	struct card *card = card_create(test, SZ_1M, 0);
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		KUNIT_EXPECT_EQ(test, alloc_contiguous(test, card, sizes[i], 0,
						       NULL), -ENOSPC);
	card_expect_avail(test, card, SZ_1M);
}

static void vram_mgr_alloc_contiguous_max_extent(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct alloc *alloc = alloc_new(test, card, PAGES(16));

	alloc->bo.max_extent = PAGES(1);
	alloc->place.flags = TTM_PL_FLAG_CONTIGUOUS;
	KUNIT_ASSERT_EQ(test, alloc_try(test, alloc), 0);
	KUNIT_EXPECT_EQ(test, extents_of(alloc), 1);
}

/*
 * Contiguous allocations below an end
 */

/**
 * struct end_param - a contiguous allocation below an end, in pages
 * @size: size of the allocation
 * @end: upper bound of its end
 * @ret: expected return value
 */
struct end_param {
	u32 size;
	u32 end;
	int ret;
};

static const struct end_param end_params[] = {
	{ 1, 1, 0 }, { 4, 4, 0 }, { 4, 5, 0 }, { 4, 7, 0 }, { 3, 4, 0 },
	{ 32, 64, 0 }, { 64, 64, 0 }, { 64, 128, 0 }, { 128, 255, 0 },
	{ 256, 256, 0 }, { 16, 100, 0 },
	{ 2, 1, -ENOSPC }, { 5, 4, -ENOSPC }, { 64, 63, -ENOSPC },
	{ 256, 255, -ENOSPC }, { 257, 256, -ENOSPC },
};

static void end_describe(const struct end_param *param, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u pages before %u",
		 param->size, param->end);
}

KUNIT_ARRAY_PARAM(end, end_params, end_describe);

static void vram_mgr_alloc_contiguous_before_end(struct kunit *test)
{
	const struct end_param *param = test->param_value;
	struct card *card = card_create(test, SZ_1M, 0);
	struct alloc *alloc;

	KUNIT_ASSERT_EQ(test, alloc_contiguous(test, card, PAGES(param->size),
					       PAGES(param->end), &alloc),
			param->ret);
	if (param->ret) {
		card_expect_avail(test, card, SZ_1M);
		return;
	}
	KUNIT_EXPECT_EQ(test, extents_of(alloc), 1);
	KUNIT_EXPECT_LE(test, vram_resource_offset(alloc->res) +
			sum_of(alloc), PAGES(param->end));
	card_expect_avail(test, card, SZ_1M - PAGES(param->size));
}

static void vram_mgr_alloc_contiguous_before_end_full(struct kunit *test)
{
	static const struct layout_block low[] = { { 0, 32 } };
	struct card *card = card_create(test, SZ_1M, 0);

	layout_create(test, card->vram, low, ARRAY_SIZE(low));
	KUNIT_EXPECT_EQ(test, alloc_contiguous(test, card, PAGES(1), PAGES(32),
					       NULL), -ENOSPC);
	KUNIT_EXPECT_EQ(test, vram_mgr_avail(&card->vram->mgr),
			SZ_1M - PAGES(32));
	KUNIT_EXPECT_EQ(test, alloc_contiguous(test, card, PAGES(1), PAGES(33),
					       NULL), 0);
}

static void vram_place_end_without_limit(struct kunit *test)
{
	struct ttm_place place = {};

	KUNIT_EXPECT_EQ(test, vram_place_end(&place), U64_MAX);
	place.lpfn = 3;
	KUNIT_EXPECT_EQ(test, vram_place_end(&place), PAGES(3));
}

/*
 * Queries by TTM
 */

static void vram_mgr_intersects_place(struct kunit *test)
{
	static const struct layout_block blocks[] = { { 64, 2 }, { 16, 1 } };
	struct card *card = card_create(test, SZ_1M, 0);
	struct ttm_resource_manager *man = &card->vram->mgr.base;
	struct layout *layout = layout_create(test, card->vram, blocks,
					      ARRAY_SIZE(blocks));
	struct ttm_resource *res = &layout->res.base;
	struct ttm_place place = { .mem_type = TTM_PL_VRAM };

	KUNIT_EXPECT_TRUE(test, vram_mgr_intersects(man, res, &place, 1));
	place.lpfn = 16;
	KUNIT_EXPECT_FALSE(test, vram_mgr_intersects(man, res, &place, 1));
	place.lpfn = 17;
	KUNIT_EXPECT_TRUE(test, vram_mgr_intersects(man, res, &place, 1));
	place.lpfn = 65;
	KUNIT_EXPECT_TRUE(test, vram_mgr_intersects(man, res, &place, 1));
}

static void vram_mgr_compatible_place(struct kunit *test)
{
	static const struct layout_block one[] = { { 16, 2 }, { 18, 1 } };
	struct card *card = card_create(test, SZ_1M, 0);
	struct ttm_resource_manager *man = &card->vram->mgr.base;
	struct layout *layout = layout_create(test, card->vram, one,
					      ARRAY_SIZE(one));
	struct ttm_resource *res = &layout->res.base;
	struct ttm_place place = { .mem_type = TTM_PL_VRAM,
				   .flags = TTM_PL_FLAG_CONTIGUOUS };

	KUNIT_EXPECT_TRUE(test, vram_mgr_compatible(man, res, &place, 1));
	place.lpfn = 19;
	KUNIT_EXPECT_TRUE(test, vram_mgr_compatible(man, res, &place, 1));
	place.lpfn = 18;
	KUNIT_EXPECT_FALSE(test, vram_mgr_compatible(man, res, &place, 1));
	place.flags = 0;
	KUNIT_EXPECT_TRUE(test, vram_mgr_compatible(man, res, &place, 1));
}

static void vram_mgr_compatible_fragmented(struct kunit *test)
{
	static const struct layout_block two[] = { { 16, 1 }, { 18, 1 } };
	struct card *card = card_create(test, SZ_1M, 0);
	struct ttm_resource_manager *man = &card->vram->mgr.base;
	struct layout *layout = layout_create(test, card->vram, two,
					      ARRAY_SIZE(two));
	struct ttm_place place = { .mem_type = TTM_PL_VRAM };

	KUNIT_EXPECT_TRUE(test, vram_mgr_compatible(man, &layout->res.base,
						    &place, 1));
	place.flags = TTM_PL_FLAG_CONTIGUOUS;
	KUNIT_EXPECT_FALSE(test, vram_mgr_compatible(man, &layout->res.base,
						     &place, 1));
}

static void vram_resource_extents_merges_neighbours(struct kunit *test)
{
	static const struct layout_block blocks[] = {
		{ 8, 4 }, { 12, 2 }, { 14, 1 },	/* one */
		{ 7, 1 },			/* descending: two */
		{ 0, 1 }, { 1, 1 },		/* three; block 0 begins one */
		{ 3, 1 },			/* four */
	};
	struct card *card = card_create(test, SZ_1M, 0);
	struct layout *layout = layout_create(test, card->vram, blocks,
					      ARRAY_SIZE(blocks));

	KUNIT_EXPECT_EQ(test, vram_resource_extents(&card->vram->mgr,
						    &layout->res.base), 4);
	KUNIT_EXPECT_EQ(test, vram_resource_offset(&layout->res.base),
			PAGES(8));
}

static void vram_mgr_debug_prints_free_memory(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct drm_print_iterator iter = { .remain = SZ_4K };
	struct drm_printer p = drm_coredump_printer(&iter);
	char *text = kunit_kzalloc(test, SZ_4K, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, text);
	iter.data = text;
	alloc_blocks(test, card, SZ_512K, 0);
	vram_mgr_debug(&card->vram->mgr.base, &p);
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "order- 7 free:      512 KiB, blocks: 1\n"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "order- 8 free:        0 KiB, blocks: 0\n"));
}

/*
 * Poison
 */

static void poison_off(void *unused)
{
	poison = false;
}

static void poison_on(struct kunit *test)
{
	poison = true;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, poison_off,
							   NULL));
}

static void vram_mgr_free_poisons(struct kunit *test)
{
	struct card *card;
	struct alloc *alloc;
	u64 *word;

	poison_on(test);
	card = card_create(test, SZ_1M, SZ_8K);
	alloc = alloc_blocks(test, card, SZ_1M - SZ_8K, 0);
	memset(card->bytes, 0, card->size);
	alloc_release(test, alloc);

	word = (u64 *)card->bytes;
	KUNIT_EXPECT_EQ(test, word[0], 0);
	KUNIT_EXPECT_EQ(test, word[SZ_8K / 8 - 1], 0);
	KUNIT_EXPECT_NE(test, word[SZ_8K / 8], 0);
	KUNIT_EXPECT_EQ(test, 0, memcmp(card->bytes + SZ_8K,
					card->bytes + SZ_8K + 8,
					SZ_1M - SZ_8K - 8));
}

static void vram_mgr_alloc_checks_poison(struct kunit *test)
{
	struct card *card;

	poison_on(test);
	card = card_create(test, SZ_1M, 0);
	kunit_warning_suppress(test) {
		alloc_release(test, alloc_blocks(test, card, SZ_1M, 0));
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
		card->bytes[SZ_1M - 1] ^= 1;
		alloc_release(test, alloc_blocks(test, card, SZ_1M, 0));
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
		alloc_release(test, alloc_blocks(test, card, SZ_1M, 0));
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
}

/*
 * Random order and concurrency
 */

#define RANDOM_ALLOCS	32
#define RANDOM_STEPS	600

/* Mark the pages of @alloc as @now; they must have been the opposite. */
static void random_mark(struct kunit *test, unsigned long *busy,
			struct alloc *alloc, bool now)
{
	struct gpu_buddy_block *block;
	unsigned long page, end;

	list_for_each_entry(block, blocks_of(alloc), link) {
		page = gpu_buddy_block_offset(block) >> PAGE_SHIFT;
		end = page + (block_size_of(alloc, block) >> PAGE_SHIFT);
		for (; page < end; page++) {
			KUNIT_ASSERT_EQ(test, test_bit(page, busy), !now);
			__assign_bit(page, busy, now);
		}
	}
}

static struct alloc *random_alloc(struct kunit *test, struct card *card,
				  struct rnd_state *rnd)
{
	u32 draw = prandom_u32_state(rnd);
	u64 avail = vram_mgr_avail(&card->vram->mgr);
	struct alloc *alloc = alloc_new(test, card, PAGES(1 + draw % 24));
	int ret;

	if (draw & BIT(8))
		alloc->place.flags = TTM_PL_FLAG_CONTIGUOUS;
	else if (draw & BIT(9))
		alloc->bo.max_extent = PAGE_SIZE << (draw >> 10) % 4;
	if (draw & BIT(12))
		alloc->place.lpfn = 1 + (draw >> 13) % 256;
	ret = alloc_try(test, alloc);
	if (!ret)
		return alloc;

	KUNIT_EXPECT_EQ(test, ret, -ENOSPC);
	KUNIT_EXPECT_EQ(test, vram_mgr_avail(&card->vram->mgr), avail);
	return NULL;
}

static void vram_mgr_random(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct alloc *all[RANDOM_ALLOCS] = {};
	DECLARE_BITMAP(busy, 256) = {};
	struct rnd_state rnd;
	int step, i;

	card_seed(test, &rnd);
	for (step = 0; step < RANDOM_STEPS; step++) {
		i = prandom_u32_state(&rnd) % RANDOM_ALLOCS;
		if (all[i]) {
			random_mark(test, busy, all[i], false);
			alloc_release(test, all[i]);
			all[i] = NULL;
		} else {
			all[i] = random_alloc(test, card, &rnd);
			if (all[i])
				random_mark(test, busy, all[i], true);
		}
		card_expect_avail(test, card,
				  SZ_1M - PAGES(bitmap_weight(busy, 256)));
	}
	for (i = 0; i < RANDOM_ALLOCS; i++)
		if (all[i])
			alloc_release(test, all[i]);
	card_expect_avail(test, card, SZ_1M);
	alloc_blocks(test, card, SZ_1M, 0);
}

#define WORKERS		4
#define WORKER_STEPS	200

static void worker_alloc_and_free(struct work_struct *work)
{
	struct alloc *alloc = container_of(work, struct alloc, work);
	struct ttm_resource_manager *man = &alloc->card->vram->mgr.base;
	int step;

	for (step = 0; step < WORKER_STEPS; step++) {
		if (vram_mgr_alloc(man, &alloc->bo.tbo, &alloc->place,
				   &alloc->res)) {
			alloc->wrong++;
			continue;
		}
		alloc->wrong += sum_of(alloc) != alloc->bo.tbo.base.size;
		vram_mgr_free(man, alloc->res);
		cond_resched();
	}
}

static void vram_mgr_concurrent(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct alloc *alloc[WORKERS];
	int i;

	for (i = 0; i < WORKERS; i++) {
		alloc[i] = alloc_new(test, card, PAGES(7 + i));
		if (i % 2)
			alloc[i]->place.flags = TTM_PL_FLAG_CONTIGUOUS;
		else
			alloc[i]->bo.max_extent = PAGE_SIZE;
		INIT_WORK(&alloc[i]->work, worker_alloc_and_free);
	}
	for (i = 0; i < WORKERS; i++)
		queue_work(system_dfl_wq, &alloc[i]->work);
	for (i = 0; i < WORKERS; i++) {
		flush_work(&alloc[i]->work);
		KUNIT_EXPECT_EQ(test, alloc[i]->wrong, 0);
	}
	card_expect_avail(test, card, SZ_1M);
	alloc_blocks(test, card, SZ_1M, 0);
}

static struct kunit_case vram_mgr_cases[] = {
	KUNIT_CASE(vram_mgr_init_all_of_vram),
	KUNIT_CASE(vram_mgr_init_reserves),
	KUNIT_CASE(vram_mgr_init_of_odd_size),
	KUNIT_CASE(vram_mgr_init_sets_lockdep_map),
	KUNIT_CASE(vram_mgr_alloc_one_page),
	KUNIT_CASE(vram_mgr_alloc_exact_size),
	KUNIT_CASE(vram_mgr_alloc_everything),
	KUNIT_CASE(vram_mgr_alloc_excludes_reserved),
	KUNIT_CASE(vram_mgr_alloc_exhausted),
	KUNIT_CASE(vram_mgr_alloc_from_single_pages),
	KUNIT_CASE(vram_mgr_alloc_without_memory),
	KUNIT_CASE_PARAM(vram_mgr_alloc_max_extent, extent_gen_params),
	KUNIT_CASE(vram_mgr_alloc_max_extent_not_smaller),
	KUNIT_CASE(vram_mgr_alloc_max_extent_exhausted),
	KUNIT_CASE(vram_mgr_alloc_max_extent_without_memory),
	KUNIT_CASE(vram_blocks_spread_order),
	KUNIT_CASE_PARAM(vram_mgr_alloc_contiguous, contiguous_gen_params),
	KUNIT_CASE(vram_mgr_alloc_contiguous_fragmented),
	KUNIT_CASE(vram_mgr_alloc_contiguous_hole),
	KUNIT_CASE(vram_mgr_alloc_contiguous_too_large),
	KUNIT_CASE(vram_mgr_alloc_contiguous_max_extent),
	KUNIT_CASE_PARAM(vram_mgr_alloc_contiguous_before_end, end_gen_params),
	KUNIT_CASE(vram_mgr_alloc_contiguous_before_end_full),
	KUNIT_CASE(vram_place_end_without_limit),
	KUNIT_CASE(vram_mgr_intersects_place),
	KUNIT_CASE(vram_mgr_compatible_place),
	KUNIT_CASE(vram_mgr_compatible_fragmented),
	KUNIT_CASE(vram_resource_extents_merges_neighbours),
	KUNIT_CASE(vram_mgr_debug_prints_free_memory),
	KUNIT_CASE(vram_mgr_free_poisons),
	KUNIT_CASE(vram_mgr_alloc_checks_poison),
	KUNIT_CASE(vram_mgr_random),
	KUNIT_CASE(vram_mgr_concurrent),
	{}
};

static struct kunit_suite vram_mgr_suite = {
	.name = "phyr_vram_mgr",
	.test_cases = vram_mgr_cases,
};

kunit_test_suite(vram_mgr_suite);

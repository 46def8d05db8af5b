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
 * struct taken - VRAM that a test took
 * @card: whose
 * @bo: as little of a buffer as the allocator looks at
 * @place: where it was asked for
 * @res: what the allocator gave
 * @work: for a taker of its own
 * @wrong: how often that got something other than was asked for
 */
struct taken {
	struct card *card;
	struct vram_bo bo;
	struct ttm_place place;
	struct ttm_resource *res;
	struct work_struct work;
	int wrong;
};

static void taken_free(void *arg)
{
	struct taken *taken = arg;

	vram_mgr_free(&taken->card->vram->mgr.base, taken->res);
}

static struct taken *taken_new(struct kunit *test, struct card *card, u64 size)
{
	struct taken *taken = kunit_kzalloc(test, sizeof(*taken), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, taken);
	taken->card = card;
	taken->bo.tbo.base.size = size;
	taken->bo.tbo.bdev = &card->vram->ttm;
	taken->place.mem_type = TTM_PL_VRAM;
	return taken;
}

static int taken_alloc(struct kunit *test, struct taken *taken)
{
	int ret = vram_mgr_alloc(&taken->card->vram->mgr.base, &taken->bo.tbo,
				 &taken->place, &taken->res);

	if (!ret)
		KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
								   taken_free,
								   taken));
	return ret;
}

static struct taken *take(struct kunit *test, struct card *card, u64 size,
			  u64 max_extent)
{
	struct taken *taken = taken_new(test, card, size);

	taken->bo.max_extent = max_extent;
	KUNIT_ASSERT_EQ(test, taken_alloc(test, taken), 0);
	return taken;
}

/* Return: 0 or the allocator's error; @out may be NULL. */
static int take_contiguous(struct kunit *test, struct card *card, u64 size,
			   u64 end, struct taken **out)
{
	struct taken *taken = taken_new(test, card, size);

	taken->place.flags = TTM_PL_FLAG_CONTIGUOUS;
	taken->place.lpfn = PHYS_PFN(end);
	if (out)
		*out = taken;
	return taken_alloc(test, taken);
}

static int take_error(struct kunit *test, struct card *card, u64 size,
		      u64 max_extent)
{
	struct taken *taken = taken_new(test, card, size);

	taken->bo.max_extent = max_extent;
	return taken_alloc(test, taken);
}

static void give_back(struct kunit *test, struct taken *taken)
{
	kunit_release_action(test, taken_free, taken);
}

static struct list_head *blocks_of(struct taken *taken)
{
	return &to_vram_resource(taken->res)->blocks;
}

static u64 size_of(struct taken *taken, struct gpu_buddy_block *block)
{
	return gpu_buddy_block_size(&taken->card->vram->mgr.buddy, block);
}

static u64 sum_of(struct taken *taken)
{
	struct gpu_buddy_block *block;
	u64 sum = 0;

	list_for_each_entry(block, blocks_of(taken), link)
		sum += size_of(taken, block);
	return sum;
}

static unsigned int extents_of(struct taken *taken)
{
	return vram_resource_extents(&taken->card->vram->mgr, taken->res);
}

/* Each page of VRAM is taken by one buffer, apart from those of @holes. */
static void take_all_but(struct kunit *test, struct card *card,
			 const struct layout_block *holes, size_t n)
{
	struct layout *left = layout_create(test, card->vram, holes, n);

	while (vram_mgr_avail(&card->vram->mgr))
		take(test, card, PAGE_SIZE, 0);
	kunit_release_action(test, layout_release, left);
}

/*
 * Start and end
 */

static void vram_mgr_init_has_all_of_vram(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_mgr *mgr = &card->vram->mgr;

	KUNIT_EXPECT_EQ(test, mgr->base.size, SZ_1M);
	KUNIT_EXPECT_PTR_EQ(test, ttm_manager_type(&card->vram->ttm,
						   TTM_PL_VRAM), &mgr->base);
	KUNIT_EXPECT_TRUE(test, ttm_resource_manager_used(&mgr->base));
	card_expect_avail(test, card, SZ_1M);
}

static void vram_mgr_init_keeps_reserved(struct kunit *test)
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
		take(test, card, PAGE_SIZE, 0);
	card_expect_avail(test, card, 0);
	KUNIT_EXPECT_EQ(test, take_error(test, card, PAGE_SIZE, 0), -ENOSPC);
}

static void vram_mgr_init_tells_lockdep(struct kunit *test)
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
 * Any blocks
 */

static void vram_mgr_alloc_one_page(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct taken *taken = take(test, card, PAGE_SIZE, 0);

	KUNIT_EXPECT_EQ(test, extents_of(taken), 1);
	KUNIT_EXPECT_EQ(test, sum_of(taken), PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, taken->res->mem_type, TTM_PL_VRAM);
	card_expect_avail(test, card, SZ_1M - PAGE_SIZE);
}

/* 13 pages are blocks of 8, 4 and 1. */
static void vram_mgr_alloc_gives_no_page_more(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct taken *taken = take(test, card, PAGES(13), 0);

	KUNIT_EXPECT_EQ(test, sum_of(taken), PAGES(13));
	card_expect_avail(test, card, SZ_1M - PAGES(13));
}

static void vram_mgr_alloc_everything(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct taken *taken = take(test, card, SZ_1M, 0);

	KUNIT_EXPECT_EQ(test, sum_of(taken), SZ_1M);
	KUNIT_EXPECT_EQ(test, extents_of(taken), 1);
	card_expect_avail(test, card, 0);
	give_back(test, taken);
	card_expect_avail(test, card, SZ_1M);
}

static void vram_mgr_alloc_never_gives_reserved(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, SZ_8K);
	struct taken *taken;

	while (vram_mgr_avail(&card->vram->mgr)) {
		taken = take(test, card, PAGE_SIZE, 0);
		KUNIT_EXPECT_GE(test, vram_resource_offset(taken->res), SZ_8K);
	}
}

static void vram_mgr_alloc_exhausted(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);

	take(test, card, SZ_1M - PAGES(3), 0);
	KUNIT_EXPECT_EQ(test, take_error(test, card, PAGES(4), 0), -ENOSPC);
	card_expect_avail(test, card, PAGES(3));
	take(test, card, PAGES(3), 0);
	KUNIT_EXPECT_EQ(test, take_error(test, card, PAGE_SIZE, 0), -ENOSPC);
	card_expect_avail(test, card, 0);
}

static void vram_mgr_alloc_of_single_pages(struct kunit *test)
{
	static const struct layout_block holes[] = {
		{ 1, 1 }, { 4, 1 }, { 9, 1 }, { 200, 1 },
	};
	struct card *card = card_create(test, SZ_1M, 0);
	struct taken *taken;

	take_all_but(test, card, holes, ARRAY_SIZE(holes));
	taken = take(test, card, PAGES(4), 0);
	KUNIT_EXPECT_EQ(test, extents_of(taken), 4);
	card_expect_avail(test, card, 0);
}

static void vram_mgr_alloc_without_memory(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	int calls;

	/* The resource, then its blocks. */
	for (calls = 0; calls < 2; calls++) {
		card_fail_after(test, calls);
		KUNIT_EXPECT_EQ(test, take_error(test, card, PAGE_SIZE, 0),
				-ENOMEM);
		card_expect_avail(test, card, SZ_1M);
	}
	KUNIT_EXPECT_EQ(test, take_error(test, card, PAGE_SIZE, 0), 0);
}

/*
 * Blocks no larger than asked for
 */

/**
 * struct extent_param - a buffer with a largest extent, in pages
 * @size: of the buffer
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
	struct taken *taken;

	taken = take(test, card, PAGES(param->size), PAGES(param->max_extent));
	KUNIT_EXPECT_EQ(test, sum_of(taken), PAGES(param->size));
	list_for_each_entry(block, blocks_of(taken), link) {
		offset = gpu_buddy_block_offset(block);
		len = size_of(taken, block);
		KUNIT_EXPECT_LE(test, len, PAGES(param->max_extent));
		KUNIT_EXPECT_TRUE(test, IS_ALIGNED(offset, len));
		/* Two blocks may have no third one to come between them. */
		if (param->size > 2 * param->max_extent)
			KUNIT_EXPECT_NE(test, offset, end);
		end = offset + len;
	}
	card_expect_avail(test, card, SZ_1M - PAGES(param->size));
}

static void vram_mgr_alloc_max_extent_not_smaller(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);

	KUNIT_EXPECT_EQ(test, extents_of(take(test, card, PAGES(16),
					      PAGES(16))), 1);
	KUNIT_EXPECT_EQ(test, extents_of(take(test, card, PAGES(16),
					      PAGES(64))), 1);
}

static void vram_mgr_alloc_max_extent_exhausted(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);

	take(test, card, SZ_1M - PAGES(8), 0);
	KUNIT_EXPECT_EQ(test, take_error(test, card, PAGES(10), PAGES(1)),
			-ENOSPC);
	card_expect_avail(test, card, PAGES(8));
	take(test, card, PAGES(8), PAGES(1));
	card_expect_avail(test, card, 0);
}

/* Some blocks are there already when one cannot be had. */
static void vram_mgr_alloc_max_extent_without_memory(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	int calls;

	for (calls = 0; calls <= 4; calls++) {
		card_fail_after(test, calls);
		KUNIT_EXPECT_EQ(test, take_error(test, card, PAGES(4),
						 PAGES(1)), -ENOMEM);
		card_expect_avail(test, card, SZ_1M);
	}
	KUNIT_EXPECT_EQ(test, take_error(test, card, PAGES(4), PAGES(1)), 0);
}

/* Of ascending blocks 0 … 4: 1, 3, 0, 2, 4. */
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
 * One piece
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
	struct taken *taken;

	KUNIT_ASSERT_EQ(test, take_contiguous(test, card, size, 0, &taken), 0);
	KUNIT_EXPECT_EQ(test, extents_of(taken), 1);
	KUNIT_EXPECT_EQ(test, sum_of(taken), size);
	card_expect_avail(test, card, SZ_1M - size);
}

static void vram_mgr_alloc_contiguous_fragmented(struct kunit *test)
{
	static const struct layout_block holes[] = {
		{ 0, 1 }, { 2, 1 }, { 4, 1 }, { 255, 1 },
	};
	struct card *card = card_create(test, SZ_1M, 0);

	take_all_but(test, card, holes, ARRAY_SIZE(holes));
	KUNIT_EXPECT_EQ(test, take_contiguous(test, card, PAGES(2), 0, NULL),
			-ENOSPC);
	card_expect_avail(test, card, PAGES(4));
	take(test, card, PAGES(4), 0);
}

/* Of blocks that are neighbours and no buddies */
static void vram_mgr_alloc_contiguous_hole(struct kunit *test)
{
	static const struct layout_block holes[] = {
		{ 1, 1 }, { 2, 2 }, { 6, 1 },
	};
	struct card *card = card_create(test, SZ_1M, 0);
	struct taken *taken;

	take_all_but(test, card, holes, ARRAY_SIZE(holes));
	KUNIT_ASSERT_EQ(test, take_contiguous(test, card, PAGES(3), 0, &taken),
			0);
	KUNIT_EXPECT_EQ(test, extents_of(taken), 1);
	KUNIT_EXPECT_EQ(test, sum_of(taken), PAGES(3));
	KUNIT_EXPECT_EQ(test, vram_resource_offset(taken->res), PAGES(1));
	card_expect_avail(test, card, PAGES(1));
}

static void vram_mgr_alloc_contiguous_too_large(struct kunit *test)
{
	static const u64 sizes[] = { SZ_1M + SZ_4K, SZ_2M, SZ_4M, SZ_1G };
	struct card *card = card_create(test, SZ_1M, 0);
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		KUNIT_EXPECT_EQ(test, take_contiguous(test, card, sizes[i], 0,
						      NULL), -ENOSPC);
	card_expect_avail(test, card, SZ_1M);
}

static void vram_mgr_alloc_contiguous_max_extent(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct taken *taken = taken_new(test, card, PAGES(16));

	taken->bo.max_extent = PAGES(1);
	taken->place.flags = TTM_PL_FLAG_CONTIGUOUS;
	KUNIT_ASSERT_EQ(test, taken_alloc(test, taken), 0);
	KUNIT_EXPECT_EQ(test, extents_of(taken), 1);
}

/*
 * The end of a place
 */

/**
 * struct end_param - contiguous memory before an end, in pages
 * @size: how much
 * @end: it ends there or before
 * @ret: 0 or the error
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
	struct taken *taken;

	KUNIT_ASSERT_EQ(test, take_contiguous(test, card, PAGES(param->size),
					      PAGES(param->end), &taken),
			param->ret);
	if (param->ret) {
		card_expect_avail(test, card, SZ_1M);
		return;
	}
	KUNIT_EXPECT_EQ(test, extents_of(taken), 1);
	KUNIT_EXPECT_LE(test, vram_resource_offset(taken->res) +
			sum_of(taken), PAGES(param->end));
	card_expect_avail(test, card, SZ_1M - PAGES(param->size));
}

static void vram_mgr_alloc_contiguous_before_end_taken(struct kunit *test)
{
	static const struct layout_block low[] = { { 0, 32 } };
	struct card *card = card_create(test, SZ_1M, 0);

	layout_create(test, card->vram, low, ARRAY_SIZE(low));
	KUNIT_EXPECT_EQ(test, take_contiguous(test, card, PAGES(1), PAGES(32),
					      NULL), -ENOSPC);
	KUNIT_EXPECT_EQ(test, vram_mgr_avail(&card->vram->mgr),
			SZ_1M - PAGES(32));
	KUNIT_EXPECT_EQ(test, take_contiguous(test, card, PAGES(1), PAGES(33),
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
 * Questions of TTM's
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
	take(test, card, SZ_512K, 0);
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
	struct taken *taken;
	u64 *word;

	poison_on(test);
	card = card_create(test, SZ_1M, SZ_8K);
	taken = take(test, card, SZ_1M - SZ_8K, 0);
	memset(card->bytes, 0, card->size);
	give_back(test, taken);

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
		give_back(test, take(test, card, SZ_1M, 0));
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
		card->bytes[SZ_1M - 1] ^= 1;
		give_back(test, take(test, card, SZ_1M, 0));
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
		give_back(test, take(test, card, SZ_1M, 0));
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
}

/*
 * In any order, and from several threads
 */

#define RANDOM_TAKEN	32
#define RANDOM_STEPS	600

/* Every page of @taken becomes its own, or nobody's; it was the opposite. */
static void random_mark(struct kunit *test, unsigned long *busy,
			struct taken *taken, bool now)
{
	struct gpu_buddy_block *block;
	unsigned long page, end;

	list_for_each_entry(block, blocks_of(taken), link) {
		page = gpu_buddy_block_offset(block) >> PAGE_SHIFT;
		end = page + (size_of(taken, block) >> PAGE_SHIFT);
		for (; page < end; page++) {
			KUNIT_ASSERT_EQ(test, test_bit(page, busy), !now);
			__assign_bit(page, busy, now);
		}
	}
}

static struct taken *random_take(struct kunit *test, struct card *card,
				 struct rnd_state *rnd)
{
	u32 draw = prandom_u32_state(rnd);
	u64 avail = vram_mgr_avail(&card->vram->mgr);
	struct taken *taken = taken_new(test, card, PAGES(1 + draw % 24));
	int ret;

	if (draw & BIT(8))
		taken->place.flags = TTM_PL_FLAG_CONTIGUOUS;
	else if (draw & BIT(9))
		taken->bo.max_extent = PAGE_SIZE << (draw >> 10) % 4;
	if (draw & BIT(12))
		taken->place.lpfn = 1 + (draw >> 13) % 256;
	ret = taken_alloc(test, taken);
	if (!ret)
		return taken;

	KUNIT_EXPECT_EQ(test, ret, -ENOSPC);
	KUNIT_EXPECT_EQ(test, vram_mgr_avail(&card->vram->mgr), avail);
	return NULL;
}

static void vram_mgr_random(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct taken *all[RANDOM_TAKEN] = {};
	DECLARE_BITMAP(busy, 256) = {};
	struct rnd_state rnd;
	int step, i;

	card_seed(test, &rnd);
	for (step = 0; step < RANDOM_STEPS; step++) {
		i = prandom_u32_state(&rnd) % RANDOM_TAKEN;
		if (all[i]) {
			random_mark(test, busy, all[i], false);
			give_back(test, all[i]);
			all[i] = NULL;
		} else {
			all[i] = random_take(test, card, &rnd);
			if (all[i])
				random_mark(test, busy, all[i], true);
		}
		card_expect_avail(test, card,
				  SZ_1M - PAGES(bitmap_weight(busy, 256)));
	}
	for (i = 0; i < RANDOM_TAKEN; i++)
		if (all[i])
			give_back(test, all[i]);
	card_expect_avail(test, card, SZ_1M);
	take(test, card, SZ_1M, 0);
}

#define WORKERS		4
#define WORKER_STEPS	200

static void worker_take_and_give(struct work_struct *work)
{
	struct taken *taken = container_of(work, struct taken, work);
	struct ttm_resource_manager *man = &taken->card->vram->mgr.base;
	int step;

	for (step = 0; step < WORKER_STEPS; step++) {
		if (vram_mgr_alloc(man, &taken->bo.tbo, &taken->place,
				   &taken->res)) {
			taken->wrong++;
			continue;
		}
		taken->wrong += sum_of(taken) != taken->bo.tbo.base.size;
		vram_mgr_free(man, taken->res);
		cond_resched();
	}
}

static void vram_mgr_from_workers(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct taken *taken[WORKERS];
	int i;

	for (i = 0; i < WORKERS; i++) {
		taken[i] = taken_new(test, card, PAGES(7 + i));
		if (i % 2)
			taken[i]->place.flags = TTM_PL_FLAG_CONTIGUOUS;
		else
			taken[i]->bo.max_extent = PAGE_SIZE;
		INIT_WORK(&taken[i]->work, worker_take_and_give);
	}
	for (i = 0; i < WORKERS; i++)
		queue_work(system_dfl_wq, &taken[i]->work);
	for (i = 0; i < WORKERS; i++) {
		flush_work(&taken[i]->work);
		KUNIT_EXPECT_EQ(test, taken[i]->wrong, 0);
	}
	card_expect_avail(test, card, SZ_1M);
	take(test, card, SZ_1M, 0);
}

static struct kunit_case vram_mgr_cases[] = {
	KUNIT_CASE(vram_mgr_init_has_all_of_vram),
	KUNIT_CASE(vram_mgr_init_keeps_reserved),
	KUNIT_CASE(vram_mgr_init_of_odd_size),
	KUNIT_CASE(vram_mgr_init_tells_lockdep),
	KUNIT_CASE(vram_mgr_alloc_one_page),
	KUNIT_CASE(vram_mgr_alloc_gives_no_page_more),
	KUNIT_CASE(vram_mgr_alloc_everything),
	KUNIT_CASE(vram_mgr_alloc_never_gives_reserved),
	KUNIT_CASE(vram_mgr_alloc_exhausted),
	KUNIT_CASE(vram_mgr_alloc_of_single_pages),
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
	KUNIT_CASE(vram_mgr_alloc_contiguous_before_end_taken),
	KUNIT_CASE(vram_place_end_without_limit),
	KUNIT_CASE(vram_mgr_intersects_place),
	KUNIT_CASE(vram_mgr_compatible_place),
	KUNIT_CASE(vram_mgr_compatible_fragmented),
	KUNIT_CASE(vram_resource_extents_merges_neighbours),
	KUNIT_CASE(vram_mgr_debug_prints_free_memory),
	KUNIT_CASE(vram_mgr_free_poisons),
	KUNIT_CASE(vram_mgr_alloc_checks_poison),
	KUNIT_CASE(vram_mgr_random),
	KUNIT_CASE(vram_mgr_from_workers),
	{}
};

static struct kunit_suite vram_mgr_suite = {
	.name = "phyr_vram_mgr",
	.test_cases = vram_mgr_cases,
};

kunit_test_suite(vram_mgr_suite);

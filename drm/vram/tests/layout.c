// SPDX-License-Identifier: GPL-2.0
/*
 * Resources in VRAM with a layout chosen by the test
 */
#include <drm/ttm/ttm_placement.h>
#include <kunit/resource.h>

#include "layout.h"

/**
 * layout_release - free the blocks of a layout; a KUnit action
 * @arg: the layout
 */
void layout_release(void *arg)
{
	struct layout *layout = arg;
	struct vram_mgr *mgr = &layout->vram->mgr;

	mutex_lock(&mgr->lock);
	gpu_buddy_free_list(&mgr->buddy, &layout->res.blocks, 0);
	mutex_unlock(&mgr->lock);
}

static struct layout *layout_start(struct kunit *test, struct vram_device *vram)
{
	struct layout *layout;

	layout = kunit_kzalloc(test, sizeof(*layout), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, layout);
	layout->vram = vram;
	layout->res.base.mem_type = TTM_PL_VRAM;
	INIT_LIST_HEAD(&layout->res.blocks);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, layout_release,
							   layout));
	return layout;
}

/* Add one block, at the head or the tail of the list. */
static void layout_add(struct kunit *test, struct layout *layout, u64 start,
		       u64 end, u64 size, bool head)
{
	struct vram_mgr *mgr = &layout->vram->mgr;
	LIST_HEAD(blocks);
	int ret;

	mutex_lock(&mgr->lock);
	ret = gpu_buddy_alloc_blocks(&mgr->buddy, start, end, size, size,
				     &blocks, 0);
	if (head)
		list_splice(&blocks, &layout->res.blocks);
	else
		list_splice_tail(&blocks, &layout->res.blocks);
	mutex_unlock(&mgr->lock);
	KUNIT_ASSERT_EQ(test, ret, 0);
	layout->pages += size >> PAGE_SHIFT;
}

/* Compute the offset of each page by counting, independently of the driver. */
static struct layout *layout_finish(struct kunit *test, struct layout *layout)
{
	struct gpu_buddy_block *block;
	u64 pos, len;
	u32 n = 0;

	layout->res.base.size = (u64)layout->pages << PAGE_SHIFT;
	layout->offset = kunit_kcalloc(test, layout->pages,
				       sizeof(*layout->offset), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, layout->offset);

	list_for_each_entry(block, &layout->res.blocks, link) {
		len = gpu_buddy_block_size(&layout->vram->mgr.buddy, block);
		for (pos = 0; pos < len; pos += PAGE_SIZE) {
			KUNIT_ASSERT_LT(test, n, layout->pages);
			layout->offset[n++] = gpu_buddy_block_offset(block) +
					      pos;
		}
	}
	KUNIT_ASSERT_EQ(test, n, layout->pages);
	return layout;
}

/**
 * layout_create - allocate given blocks
 * @test: the test; frees the layout
 * @vram: the card
 * @blocks: the blocks, in the order of the resource
 * @n: number of @blocks
 *
 * Return: the layout.
 */
struct layout *layout_create(struct kunit *test, struct vram_device *vram,
			     const struct layout_block *blocks, size_t n)
{
	struct layout *layout = layout_start(test, vram);
	u64 start, size;
	size_t i;

	for (i = 0; i < n; i++) {
		start = (u64)blocks[i].page << PAGE_SHIFT;
		size = (u64)blocks[i].pages << PAGE_SHIFT;
		layout_add(test, layout, start, start + size, size, false);
	}
	return layout_finish(test, layout);
}

/**
 * layout_random - allocate blocks of random lengths in a random order
 * @test: the test; frees the layout
 * @vram: the card
 * @rnd: the random state
 * @pages: total length
 *
 * Return: the layout.
 */
struct layout *layout_random(struct kunit *test, struct vram_device *vram,
			     struct rnd_state *rnd, u32 pages)
{
	struct layout *layout = layout_start(test, vram);
	u32 order, draw;

	while (layout->pages < pages) {
		draw = prandom_u32_state(rnd);
		order = min_t(u32, draw % 5, ilog2(pages - layout->pages));
		layout_add(test, layout, 0, vram->mgr.buddy.size,
			   PAGE_SIZE << order, draw & BIT(8));
	}
	return layout_finish(test, layout);
}

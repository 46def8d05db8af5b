// SPDX-License-Identifier: GPL-2.0
/*
 * The VRAM allocator: a TTM resource manager over gpu_buddy
 *
 * A buffer may consist of several blocks; only scan-out needs contiguous VRAM
 * (TTM_PL_FLAG_CONTIGUOUS). A buffer with a largest extent is fragmented on
 * purpose: blocks that are adjacent in the buffer are not adjacent in VRAM.
 */
#include <drm/drm_buddy.h>
#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>
#include <drm/ttm/ttm_placement.h>
#include <linux/cgroup_dmem.h>
#include <linux/list_sort.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>

#include "vram.h"

static bool poison;
module_param(poison, bool, 0400);
MODULE_PARM_DESC(poison, "Fill free VRAM with a pattern and warn if it was overwritten (for tests; default: no)");

static struct vram_mgr *to_vram_mgr(struct ttm_resource_manager *man)
{
	return container_of(man, struct vram_mgr, base);
}

static int vram_block_cmp(void *priv, const struct list_head *a,
			  const struct list_head *b)
{
	u64 l = gpu_buddy_block_offset(list_entry(a, struct gpu_buddy_block,
						  link));
	u64 r = gpu_buddy_block_offset(list_entry(b, struct gpu_buddy_block,
						  link));

	return l < r ? -1 : l > r;
}

/* Sort by offset, then list the odd-numbered blocks before the even ones. */
static void vram_blocks_spread(struct list_head *blocks)
{
	struct gpu_buddy_block *block, *next;
	LIST_HEAD(even);
	bool odd = false;

	list_sort(NULL, blocks, vram_block_cmp);
	list_for_each_entry_safe(block, next, blocks, link) {
		if (!odd)
			list_move_tail(&block->link, &even);
		odd = !odd;
	}
	list_splice_tail(&even, blocks);
}

static bool vram_blocks_end_before(struct vram_mgr *mgr,
				   struct list_head *blocks, u64 end)
{
	struct gpu_buddy_block *block =
		list_last_entry(blocks, struct gpu_buddy_block, link);

	return gpu_buddy_block_offset(block) +
	       gpu_buddy_block_size(&mgr->buddy, block) <= end;
}

static int vram_blocks_alloc_contiguous(struct vram_mgr *mgr, u64 size, u64 end,
					struct list_head *blocks)
{
	const unsigned long flags = GPU_BUDDY_CONTIGUOUS_ALLOCATION;
	int ret;

	lockdep_assert_held(&mgr->lock);

	ret = gpu_buddy_alloc_blocks(&mgr->buddy, 0, mgr->buddy.size, size,
				     PAGE_SIZE, blocks, flags);
	if (!ret) {
		list_sort(NULL, blocks, vram_block_cmp);
		if (vram_blocks_end_before(mgr, blocks, end))
			return 0;
		gpu_buddy_free_list(&mgr->buddy, blocks, 0);
		if (size > end)
			return -ENOSPC;

		/* Second choice: with a range only powers of two are tried. */
		end = round_down(end, PAGE_SIZE);
		ret = gpu_buddy_alloc_blocks(&mgr->buddy, 0, end, size,
					     PAGE_SIZE, blocks, flags |
					     GPU_BUDDY_RANGE_ALLOCATION);
		if (!ret)
			list_sort(NULL, blocks, vram_block_cmp);
	}
	/* -EINVAL: the size, rounded up to a power of two, exceeds VRAM. */
	return ret == -EINVAL ? -ENOSPC : ret;
}

static int vram_blocks_alloc(struct vram_mgr *mgr, u64 size, u64 max_extent,
			     struct list_head *blocks)
{
	u64 left, len;
	int ret;

	lockdep_assert_held(&mgr->lock);

	if (!max_extent || max_extent >= size)
		return gpu_buddy_alloc_blocks(&mgr->buddy, 0, mgr->buddy.size,
					      size, PAGE_SIZE, blocks, 0);

	for (left = size; left; left -= len) {
		len = min(left, max_extent);
		ret = gpu_buddy_alloc_blocks(&mgr->buddy, 0, mgr->buddy.size,
					     len, len < max_extent ?
					     PAGE_SIZE : max_extent, blocks, 0);
		if (ret) {
			gpu_buddy_free_list(&mgr->buddy, blocks, 0);
			return ret;
		}
	}
	vram_blocks_spread(blocks);
	return 0;
}

/* Fill or check blocks that are about to be freed, or were just allocated. */
static void vram_blocks_poison(struct vram_mgr *mgr, struct list_head *blocks,
			       void (*act)(struct vram_device *vram, u64 offset,
					   u64 len))
{
	struct vram_device *vram = container_of(mgr, struct vram_device, mgr);
	struct gpu_buddy_block *block;

	if (!poison)
		return;
	list_for_each_entry(block, blocks, link)
		act(vram, gpu_buddy_block_offset(block),
		    gpu_buddy_block_size(&mgr->buddy, block));
}

static u64 vram_place_end(const struct ttm_place *place)
{
	return place->lpfn ? place->lpfn << PAGE_SHIFT : U64_MAX;
}

static int vram_mgr_alloc(struct ttm_resource_manager *man,
			  struct ttm_buffer_object *tbo,
			  const struct ttm_place *place,
			  struct ttm_resource **res)
{
	struct vram_mgr *mgr = to_vram_mgr(man);
	struct vram_resource *vres;
	int ret;

	/* gpu_buddy says -EINVAL, after which TTM tries no other place. */
	if (tbo->base.size > man->size)
		return -ENOSPC;

	vres = kzalloc_obj(*vres, GFP_KERNEL_ACCOUNT);
	if (!vres)
		return -ENOMEM;

	INIT_LIST_HEAD(&vres->blocks);
	ttm_resource_init(tbo, place, &vres->base);

	mutex_lock(&mgr->lock);
	if (mgr->closed)
		ret = -EBUSY;
	else if (place->flags & TTM_PL_FLAG_CONTIGUOUS)
		ret = vram_blocks_alloc_contiguous(mgr, vres->base.size,
						   vram_place_end(place),
						   &vres->blocks);
	else
		ret = vram_blocks_alloc(mgr, vres->base.size,
					ttm_to_vram_bo(tbo)->max_extent,
					&vres->blocks);
	mutex_unlock(&mgr->lock);
	if (ret) {
		ttm_resource_fini(man, &vres->base);
		kfree(vres);
		return ret;
	}

	vram_blocks_poison(mgr, &vres->blocks, vram_poison_check);
	*res = &vres->base;
	return 0;
}

static void vram_mgr_free(struct ttm_resource_manager *man,
			  struct ttm_resource *res)
{
	struct vram_mgr *mgr = to_vram_mgr(man);
	struct vram_resource *vres = to_vram_resource(res);

	vram_blocks_poison(mgr, &vres->blocks, vram_poison_fill);
	mutex_lock(&mgr->lock);
	gpu_buddy_free_list(&mgr->buddy, &vres->blocks, 0);
	mutex_unlock(&mgr->lock);

	ttm_resource_fini(man, res);
	kfree(vres);
}

/* Would freeing @res help an allocation in @place? */
static bool vram_mgr_intersects(struct ttm_resource_manager *man,
				struct ttm_resource *res,
				const struct ttm_place *place, size_t size)
{
	struct gpu_buddy_block *block;

	list_for_each_entry(block, &to_vram_resource(res)->blocks, link)
		if (gpu_buddy_block_offset(block) < vram_place_end(place))
			return true;
	return false;
}

static bool vram_mgr_compatible(struct ttm_resource_manager *man,
				struct ttm_resource *res,
				const struct ttm_place *place, size_t size)
{
	struct vram_mgr *mgr = to_vram_mgr(man);

	if (!(place->flags & TTM_PL_FLAG_CONTIGUOUS))
		return true;
	return vram_resource_extents(mgr, res) == 1 &&
	       vram_resource_offset(res) + res->size <= vram_place_end(place);
}

static void vram_mgr_debug(struct ttm_resource_manager *man,
			   struct drm_printer *p)
{
	struct vram_mgr *mgr = to_vram_mgr(man);

	mutex_lock(&mgr->lock);
	drm_buddy_print(&mgr->buddy, p);
	mutex_unlock(&mgr->lock);
}

static const struct ttm_resource_manager_func vram_mgr_func = {
	.alloc = vram_mgr_alloc,
	.free = vram_mgr_free,
	.intersects = vram_mgr_intersects,
	.compatible = vram_mgr_compatible,
	.debug = vram_mgr_debug,
};

/**
 * vram_resource_extents - count the contiguous pieces of a resource
 * @mgr: the allocator
 * @res: the resource, in VRAM
 *
 * Context: the reservation lock of the buffer is held.
 * Return: number of pieces, at least 1.
 */
unsigned int vram_resource_extents(struct vram_mgr *mgr,
				   struct ttm_resource *res)
{
	struct gpu_buddy_block *block;
	unsigned int extents = 0;
	u64 end = U64_MAX;

	list_for_each_entry(block, &to_vram_resource(res)->blocks, link) {
		extents += gpu_buddy_block_offset(block) != end;
		end = gpu_buddy_block_offset(block) +
		      gpu_buddy_block_size(&mgr->buddy, block);
	}
	return extents;
}

/**
 * vram_resource_offset - offset of a resource's first block
 * @res: the resource, in VRAM
 *
 * Context: the reservation lock of the buffer is held, or it is pinned.
 * Return: bytes from the start of VRAM.
 */
u64 vram_resource_offset(struct ttm_resource *res)
{
	return gpu_buddy_block_offset(list_first_entry(&to_vram_resource(res)->blocks,
						       struct gpu_buddy_block,
						       link));
}

/**
 * vram_mgr_avail - amount of free VRAM
 * @mgr: the allocator
 *
 * Context: takes the allocator's lock; may sleep.
 * Return: bytes.
 */
u64 vram_mgr_avail(struct vram_mgr *mgr)
{
	guard(mutex)(&mgr->lock);
	return mgr->buddy.avail;
}

/**
 * vram_mgr_close - let allocations fail with -EBUSY
 * @mgr: the allocator
 *
 * Context: takes the allocator's lock; may sleep.
 */
void vram_mgr_close(struct vram_mgr *mgr)
{
	guard(mutex)(&mgr->lock);
	mgr->closed = true;
}

/**
 * vram_mgr_open - undo vram_mgr_close()
 * @mgr: the allocator
 *
 * Context: takes the allocator's lock; may sleep.
 */
void vram_mgr_open(struct vram_mgr *mgr)
{
	guard(mutex)(&mgr->lock);
	mgr->closed = false;
}

/* No buffer has references left, but TTM may still be freeing some. */
static void vram_mgr_fini(struct drm_device *drm, void *arg)
{
	struct vram_device *vram = to_vram(drm);
	struct vram_mgr *mgr = &vram->mgr;

	ttm_resource_manager_evict_all(&vram->ttm, &mgr->base);
	ttm_resource_manager_set_used(&mgr->base, false);
	mutex_lock(&mgr->lock);
	gpu_buddy_free_list(&mgr->buddy, &mgr->reserved, 0);
	mutex_unlock(&mgr->lock);
	WARN_ON(mgr->buddy.avail != mgr->buddy.size);
	gpu_buddy_fini(&mgr->buddy);
	ttm_resource_manager_cleanup(&mgr->base);
	ttm_set_driver_manager(&vram->ttm, TTM_PL_VRAM, NULL);
}

/* Returns NULL without CONFIG_CGROUP_DMEM. */
static struct dmem_cgroup_region *
vram_mgr_register_region(struct vram_device *vram, u64 size)
{
#ifdef HAVE_DMEM_CGROUP_INIT
	const struct dmem_cgroup_init init = { .size = size };

	return drmm_cgroup_register_region(&vram->drm, "vram", &init);
#else
	return drmm_cgroup_register_region(&vram->drm, "vram", size);
#endif
}

/**
 * vram_mgr_init - initialise the VRAM allocator
 * @vram: the card, with its TTM device
 * @size: bytes of VRAM, a multiple of the page size
 * @reserved: bytes at the start of VRAM to exclude from allocation: 0, or a
 *	power of two, at least one page
 *
 * Released with the DRM device.
 *
 * Return: 0 or -ENOMEM.
 */
int vram_mgr_init(struct vram_device *vram, u64 size, u64 reserved)
{
	struct vram_mgr *mgr = &vram->mgr;
	int ret;

	ret = drmm_mutex_init(&vram->drm, &mgr->lock);
	if (ret)
		return ret;

	mgr->base.cg = vram_mgr_register_region(vram, size - reserved);
	if (IS_ERR(mgr->base.cg))
		return PTR_ERR(mgr->base.cg);

	ret = gpu_buddy_init(&mgr->buddy, size, PAGE_SIZE);
	if (ret)
		return ret;

	gpu_buddy_driver_set_lock(&mgr->buddy, &mgr->lock);
	INIT_LIST_HEAD(&mgr->reserved);
	if (reserved) {
		mutex_lock(&mgr->lock);
		ret = gpu_buddy_alloc_blocks(&mgr->buddy, 0, reserved, reserved,
					     PAGE_SIZE, &mgr->reserved, 0);
		mutex_unlock(&mgr->lock);
		if (ret) {
			gpu_buddy_fini(&mgr->buddy);
			return ret;
		}
	}

	if (poison)
		vram_poison_fill(vram, reserved, size - reserved);
	mgr->base.func = &vram_mgr_func;
	ttm_resource_manager_init(&mgr->base, &vram->ttm, size - reserved);
	ttm_set_driver_manager(&vram->ttm, TTM_PL_VRAM, &mgr->base);
	ttm_resource_manager_set_used(&mgr->base, true);
	return drmm_add_action_or_reset(&vram->drm, vram_mgr_fini, NULL);
}

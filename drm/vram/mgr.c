// SPDX-License-Identifier: GPL-2.0
/*
 * The VRAM allocator: a TTM resource manager over gpu_buddy
 *
 * A buffer may consist of several blocks; only scan-out needs contiguous VRAM
 * (TTM_PL_FLAG_CONTIGUOUS). A buffer with a largest extent is fragmented on
 * purpose: blocks that are adjacent in the buffer are not adjacent in VRAM.
 *
 * A card with a display has three quarters of VRAM for scan-out. Buffers that
 * are never evicted get the last quarter, others all of VRAM. No mode takes more
 * than a third of the space for scan-out. So while one picture is displayed,
 * wherever it is, there is contiguous space on one side of it for the next, from
 * which everything can be evicted.
 */
#include <drm/drm_buddy.h>
#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>
#include <drm/ttm/ttm_placement.h>
#include <linux/cgroup_dmem.h>
#include <linux/list_sort.h>
#include <linux/moduleparam.h>
#include <linux/sched/signal.h>
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

static bool vram_blocks_within(struct vram_mgr *mgr, struct list_head *blocks,
			       u64 start, u64 end)
{
	struct gpu_buddy_block *first =
		list_first_entry(blocks, struct gpu_buddy_block, link);
	struct gpu_buddy_block *last =
		list_last_entry(blocks, struct gpu_buddy_block, link);

	return gpu_buddy_block_offset(first) >= start &&
	       gpu_buddy_block_offset(last) +
	       gpu_buddy_block_size(&mgr->buddy, last) <= end;
}

/* Ranges to try, about, before a contiguous allocation fails */
#define VRAM_BLOCKS_RANGES	64

/*
 * gpu_buddy tries powers of two only in a range that is larger than @size, but
 * one that is not allocates all of it or nothing. So slide such a range.
 */
static int vram_blocks_alloc_sliding(struct vram_mgr *mgr, u64 size, u64 start,
				     u64 end, struct list_head *blocks)
{
	u64 step = max(roundup_pow_of_two(size) / 8,
		       (end - start) / VRAM_BLOCKS_RANGES);
	int ret = -ENOSPC;

	lockdep_assert_held(&mgr->lock);

	step = max_t(u64, round_down(step, PAGE_SIZE), PAGE_SIZE);
	for (; ret == -ENOSPC && start + size <= end; start += step)
		ret = gpu_buddy_alloc_blocks(&mgr->buddy, start, start + size,
					     size, PAGE_SIZE, blocks,
					     GPU_BUDDY_RANGE_ALLOCATION);
	return ret;
}

static int vram_blocks_alloc_contiguous(struct vram_mgr *mgr, u64 size,
					u64 start, u64 end,
					struct list_head *blocks)
{
	const unsigned long flags = GPU_BUDDY_CONTIGUOUS_ALLOCATION;
	int ret;

	guard(mutex)(&mgr->lock);

	if (mgr->closed)
		return -EBUSY;
	end = min(end, mgr->buddy.size);
	if (start < mgr->fixed_start)
		end = min(end, mgr->fixed_start);
	if (start >= end || size > end - start ||
	    size > mgr->buddy.avail - mgr->claimed)
		return -ENOSPC;

	ret = -ENOSPC;
	if (!start && size < end) {
		ret = gpu_buddy_alloc_blocks(&mgr->buddy, 0, mgr->buddy.size,
					     size, PAGE_SIZE, blocks, flags);
		if (!ret) {
			list_sort(NULL, blocks, vram_block_cmp);
			if (vram_blocks_within(mgr, blocks, start, end))
				return 0;
			gpu_buddy_free_list(&mgr->buddy, blocks, 0);
			ret = -ENOSPC;
		}
	}
	end = round_down(end, PAGE_SIZE);
	if (ret == -ENOSPC)
		ret = gpu_buddy_alloc_blocks(&mgr->buddy, start, end, size,
					     PAGE_SIZE, blocks, flags |
					     GPU_BUDDY_RANGE_ALLOCATION);
	/* -EINVAL: the size, rounded up to a power of two, exceeds VRAM. */
	if (ret == -ENOSPC || ret == -EINVAL)
		ret = vram_blocks_alloc_sliding(mgr, size, start, end, blocks);
	if (!ret)
		list_sort(NULL, blocks, vram_block_cmp);
	return ret;
}

/* Blocks to allocate or free before others get the allocator's lock. */
#define VRAM_BLOCKS_BATCH	256

/*
 * Allocate @len bytes in blocks of at least @align, from @start on. In a range
 * gpu_buddy searches all blocks that are not free, so only a buffer that needs
 * one pays for that.
 */
static int vram_blocks_get(struct vram_mgr *mgr, u64 start, u64 len, u64 align,
			   struct list_head *blocks)
{
	lockdep_assert_held(&mgr->lock);

	return gpu_buddy_alloc_blocks(&mgr->buddy, start, mgr->buddy.size, len,
				      align, blocks,
				      start ? GPU_BUDDY_RANGE_ALLOCATION : 0);
}

/*
 * Allocate pieces of @extent, of which the last may be smaller, until there are
 * @size bytes or a batch of them. Where no piece is aligned, take smaller ones.
 */
static int vram_blocks_alloc_batch(struct vram_mgr *mgr, u64 start, u64 size,
				   u64 extent, struct list_head *blocks,
				   u64 *done)
{
	unsigned int i;
	u64 len;
	int ret;

	for (i = 0; i < VRAM_BLOCKS_BATCH && size; i++) {
		len = min(size, extent);
		ret = vram_blocks_get(mgr, start, len, len < extent ?
				      PAGE_SIZE : extent, blocks);
		if (ret == -ENOSPC)
			ret = vram_blocks_get(mgr, start, len, PAGE_SIZE,
					      blocks);
		if (ret)
			return ret;
		size -= len;
		*done += len;
	}
	return 0;
}

static void vram_blocks_free(struct vram_mgr *mgr, struct list_head *blocks)
{
	struct gpu_buddy_block *block;
	LIST_HEAD(batch);
	unsigned int i;

	while (!list_empty(blocks)) {
		for (i = 0; i < VRAM_BLOCKS_BATCH; i++) {
			block = list_first_entry_or_null(blocks,
							 struct gpu_buddy_block,
							 link);
			if (!block)
				break;
			list_move_tail(&block->link, &batch);
		}
		mutex_lock(&mgr->lock);
		gpu_buddy_free_list(&mgr->buddy, &batch, 0);
		mutex_unlock(&mgr->lock);
		cond_resched();
	}
}

/*
 * Claim @size bytes, so that an allocation in batches cannot fail halfway
 * because of others.
 */
static bool vram_mgr_claim(struct vram_mgr *mgr, u64 size)
{
	lockdep_assert_held(&mgr->lock);

	if (size > mgr->buddy.avail - mgr->claimed)
		return false;
	mgr->claimed += size;
	return true;
}

static int vram_blocks_alloc_pieces(struct vram_mgr *mgr, u64 start, u64 size,
				    u64 max_extent, struct list_head *blocks)
{
	u64 left = size, done;
	int ret = 0;

	while (!ret && left) {
		done = 0;
		mutex_lock(&mgr->lock);
		ret = vram_blocks_alloc_batch(mgr, start, left, max_extent,
					      blocks, &done);
		mgr->claimed -= done;
		mutex_unlock(&mgr->lock);
		left -= done;
		if (!ret && left && fatal_signal_pending(current))
			ret = -ERESTARTSYS;
		cond_resched();
	}
	if (!ret) {
		vram_blocks_spread(blocks);
		return 0;
	}

	mutex_lock(&mgr->lock);
	mgr->claimed -= left;
	mutex_unlock(&mgr->lock);
	vram_blocks_free(mgr, blocks);
	return ret;
}

/* Takes the allocator's lock. */
static int vram_blocks_alloc(struct vram_mgr *mgr, u64 start, u64 size,
			     u64 max_extent, struct list_head *blocks)
{
	bool pieces = max_extent && max_extent < size;
	int ret = -ENOSPC;

	mutex_lock(&mgr->lock);
	if (mgr->closed) {
		ret = -EBUSY;
	} else if (vram_mgr_claim(mgr, size)) {
		ret = 0;
		if (!pieces) {
			ret = vram_blocks_get(mgr, start, size, PAGE_SIZE,
					      blocks);
			mgr->claimed -= size;
		}
	}
	mutex_unlock(&mgr->lock);

	if (!ret && pieces)
		ret = vram_blocks_alloc_pieces(mgr, start, size, max_extent,
					       blocks);
	return ret;
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

static u64 vram_place_start(const struct ttm_place *place)
{
	return (u64)place->fpfn << PAGE_SHIFT;
}

static u64 vram_place_end(const struct ttm_place *place)
{
	return place->lpfn ? (u64)place->lpfn << PAGE_SHIFT : U64_MAX;
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

	if (place->flags & TTM_PL_FLAG_CONTIGUOUS)
		ret = vram_blocks_alloc_contiguous(mgr, vres->base.size,
						   vram_place_start(place),
						   vram_place_end(place),
						   &vres->blocks);
	else
		ret = vram_blocks_alloc(mgr, vram_place_start(place),
					vres->base.size,
					ttm_to_vram_bo(tbo)->max_extent,
					&vres->blocks);
	if (ret) {
		ttm_resource_fini(man, &vres->base);
		kfree(vres);
		return ret;
	}

	vram_blocks_poison(mgr, &vres->blocks, vram_poison_check);
	/* So that no buffer is moved in order to be displayed if it need not. */
	if (vram_resource_extents(mgr, &vres->base) == 1)
		vres->base.placement |= TTM_PL_FLAG_CONTIGUOUS;
	*res = &vres->base;
	return 0;
}

static void vram_mgr_free(struct ttm_resource_manager *man,
			  struct ttm_resource *res)
{
	struct vram_mgr *mgr = to_vram_mgr(man);
	struct vram_resource *vres = to_vram_resource(res);

	vram_blocks_poison(mgr, &vres->blocks, vram_poison_fill);
	vram_blocks_free(mgr, &vres->blocks);

	ttm_resource_fini(man, res);
	kfree(vres);
}

/* Would freeing @res help an allocation in @place? */
static bool vram_mgr_intersects(struct ttm_resource_manager *man,
				struct ttm_resource *res,
				const struct ttm_place *place, size_t size)
{
	struct vram_mgr *mgr = to_vram_mgr(man);
	struct gpu_buddy_block *block;
	u64 offset;

	list_for_each_entry(block, &to_vram_resource(res)->blocks, link) {
		offset = gpu_buddy_block_offset(block);
		if (offset < vram_place_end(place) &&
		    offset + gpu_buddy_block_size(&mgr->buddy, block) >
		    vram_place_start(place))
			return true;
	}
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
	       vram_resource_offset(res) >= vram_place_start(place) &&
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

/**
 * vram_mgr_max_picture - size of the largest picture that always finds space
 * @mgr: the allocator
 *
 * Return: bytes: a third of the space for scan-out; 0 for a card without a
 * display.
 */
u64 vram_mgr_max_picture(struct vram_mgr *mgr)
{
	u64 reserved = mgr->buddy.size - mgr->base.size;

	return mgr->fixed_start ? (mgr->fixed_start - reserved) / 3 : 0;
}

/**
 * vram_mgr_fits_scanout - test whether a picture always finds space
 * @mgr: the allocator
 * @size: bytes
 * @end: bytes from the start of VRAM that the picture must end at or before
 *
 * Wherever one other picture is pinned. That one takes at most two thirds of the
 * space, and those only at the start or the end.
 *
 * Return: true if it does.
 */
bool vram_mgr_fits_scanout(struct vram_mgr *mgr, u64 size, u64 end)
{
	u64 start = mgr->buddy.size - mgr->base.size;
	u64 max = vram_mgr_max_picture(mgr);

	return size <= max && start + 2 * max + size <= end;
}

/**
 * vram_mgr_reserve_scanout - reserve space for scan-out
 * @mgr: the allocator, without buffers
 *
 * From now on buffers that are never evicted get the last quarter of VRAM.
 */
void vram_mgr_reserve_scanout(struct vram_mgr *mgr)
{
	mgr->fixed_start = round_down(mgr->buddy.size / 4 * 3, PAGE_SIZE);
	mgr->fixed_limit = mgr->buddy.size - mgr->fixed_start;
}

/* Does anything but @except, which may be NULL, show between these offsets? */
static bool vram_mgr_shows_within(struct vram_mgr *mgr, u64 start, u64 end,
				  const struct ttm_resource *except)
{
	struct vram_resource *vres;
	u64 offset;

	lockdep_assert_held(&mgr->lock);

	list_for_each_entry(vres, &mgr->shown, shown_link) {
		if (except && &vres->base == except)
			continue;
		offset = vram_resource_offset(&vres->base);
		if (offset < end && offset + vres->base.size > start)
			return true;
	}
	return false;
}

/*
 * A large picture must be at the start or at the end of the space for scan-out,
 * so that what is left of the space has no hole and the next picture fits.
 */
static unsigned int vram_mgr_find_edges(struct vram_mgr *mgr, u64 size, u64 end,
					const struct ttm_resource *now,
					u64 starts[VRAM_MGR_WINDOWS])
{
	u64 edges[] = {
		mgr->buddy.size - mgr->base.size,
		mgr->fixed_start - size,
	};
	unsigned int i, n = 0;

	lockdep_assert_held(&mgr->lock);

	if (size > 2 * vram_mgr_max_picture(mgr))
		return 0;
	for (i = 0; i < ARRAY_SIZE(edges); i++)
		if (edges[i] + size <= end &&
		    !vram_mgr_shows_within(mgr, edges[i], edges[i] + size, now))
			starts[n++] = edges[i];
	return n;
}

/**
 * vram_mgr_find_windows - find space for scan-out, whatever can be evicted from it
 * @mgr: the allocator
 * @size: bytes
 * @end: bytes from the start of VRAM that the space must end at or before
 * @now: the VRAM that the picture has now, or NULL
 * @starts: out: offsets of the space
 *
 * Beside what is displayed. A picture of more than vram_mgr_max_picture() gets
 * space only where it leaves enough for the next picture.
 *
 * Context: takes the allocator's lock; may sleep.
 * Return: number of @starts; 0 if there is no such space.
 */
unsigned int vram_mgr_find_windows(struct vram_mgr *mgr, u64 size, u64 end,
				   const struct ttm_resource *now,
				   u64 starts[VRAM_MGR_WINDOWS])
{
	u64 start = mgr->buddy.size - mgr->base.size;
	struct vram_resource *vres;
	unsigned int n = 0;

	guard(mutex)(&mgr->lock);

	if (size > vram_mgr_max_picture(mgr))
		return vram_mgr_find_edges(mgr, size, end, now, starts);

	end = min(end, mgr->fixed_start);
	if (start + size <= end &&
	    !vram_mgr_shows_within(mgr, start, start + size, NULL))
		starts[n++] = start;
	list_for_each_entry(vres, &mgr->shown, shown_link) {
		start = vram_resource_offset(&vres->base) + vres->base.size;
		if (n < VRAM_MGR_WINDOWS && start + size <= end &&
		    !vram_mgr_shows_within(mgr, start, start + size, NULL))
			starts[n++] = start;
	}
	return n;
}

/**
 * vram_mgr_show - note that VRAM is displayed
 * @mgr: the allocator
 * @res: contiguous VRAM, of a buffer or a front, until vram_mgr_hide()
 *
 * Context: takes the allocator's lock; may sleep.
 */
void vram_mgr_show(struct vram_mgr *mgr, struct ttm_resource *res)
{
	guard(mutex)(&mgr->lock);
	list_add(&to_vram_resource(res)->shown_link, &mgr->shown);
}

/**
 * vram_mgr_hide - undo vram_mgr_show()
 * @mgr: the allocator
 * @res: the VRAM
 *
 * Context: takes the allocator's lock; may sleep.
 */
void vram_mgr_hide(struct vram_mgr *mgr, struct ttm_resource *res)
{
	guard(mutex)(&mgr->lock);
	list_del(&to_vram_resource(res)->shown_link);
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
	INIT_LIST_HEAD(&mgr->shown);
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
	mgr->fixed_limit = size - reserved;
	ttm_resource_manager_init(&mgr->base, &vram->ttm, size - reserved);
	ttm_set_driver_manager(&vram->ttm, TTM_PL_VRAM, &mgr->base);
	ttm_resource_manager_set_used(&mgr->base, true);
	return drmm_add_action_or_reset(&vram->drm, vram_mgr_fini, NULL);
}

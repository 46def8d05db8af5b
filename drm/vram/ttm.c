// SPDX-License-Identifier: GPL-2.0
/*
 * TTM device: moves, evictions and I/O mappings of buffers
 *
 * A buffer is in VRAM (TTM_PL_VRAM) or in system memory (TTM_PL_TT).
 * TTM_PL_SYSTEM holds buffers that TTM has swapped out: they have no pages and
 * no mappings, and move only to and from TTM_PL_TT.
 *
 * TTM's copy and vmap helpers expect a resource to be one linear range, but
 * buffers in VRAM may be fragmented. Moves take iterators instead, of which
 * struct vram_iter iterates over buddy blocks. They proceed in batches, so that a
 * signal ends a move in an ioctl, and no move delays an unplug.
 */
#include <drm/drm_cache.h>
#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/phyr_vram_drm.h>
#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_tt.h>
#include <linux/iosys-map.h>
#include <linux/ktime.h>
#include <linux/phyr_inject.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "vram.h"

/**
 * struct vram_iter - iterator over the pages of a resource in VRAM
 * @base: the TTM iterator
 * @vram: the card; mappings are valid only inside drm_dev_enter()
 * @block: current block
 * @first: number of the buffer page at the start of @block
 */
struct vram_iter {
	struct ttm_kmap_iter base;
	struct vram_device *vram;
	struct gpu_buddy_block *block;
	pgoff_t first;
};

/* @i must not decrease between calls; moves ascend. */
static void vram_iter_map(struct ttm_kmap_iter *base, struct iosys_map *map,
			  pgoff_t i)
{
	struct vram_iter *iter = container_of(base, struct vram_iter, base);
	struct vram_device *vram = iter->vram;
	u64 offset, pages;

	for (;;) {
		pages = gpu_buddy_block_size(&vram->mgr.buddy, iter->block) >>
			PAGE_SHIFT;
		if (i - iter->first < pages)
			break;
		iter->first += pages;
		iter->block = list_next_entry(iter->block, link);
	}

	offset = gpu_buddy_block_offset(iter->block) +
		 ((u64)(i - iter->first) << PAGE_SHIFT);
	iosys_map_set_vaddr_iomem(map, vram->io + offset);
}

static const struct ttm_kmap_iter_ops vram_iter_ops = {
	.map_local = vram_iter_map,
};

static struct ttm_kmap_iter *vram_iter_init(struct vram_iter *iter,
					    struct vram_device *vram,
					    struct ttm_resource *res)
{
	iter->base.ops = &vram_iter_ops;
	iter->vram = vram;
	iter->block = list_first_entry(&to_vram_resource(res)->blocks,
				       struct gpu_buddy_block, link);
	iter->first = 0;
	return &iter->base;
}

/* Pages to move before a signal, an unplug and other tasks are noticed. */
#define VRAM_MOVE_BATCH	256

static void vram_move_page(bool clear, struct ttm_kmap_iter *to,
			   struct ttm_kmap_iter *from, pgoff_t i)
{
	struct iosys_map to_map, from_map;

	to->ops->map_local(to, &to_map, i);
	if (clear) {
		iosys_map_memset(&to_map, 0, 0, PAGE_SIZE);
	} else {
		from->ops->map_local(from, &from_map, i);
		drm_memcpy_from_wc(&to_map, &from_map, PAGE_SIZE);
		if (from->ops->unmap_local)
			from->ops->unmap_local(from, &from_map);
	}
	if (to->ops->unmap_local)
		to->ops->unmap_local(to, &to_map);
}

/*
 * Copy or clear all pages, as ttm_move_memcpy() does, but in batches. If the
 * card is gone the rest is not moved; its contents are lost anyway.
 */
static int vram_move_pages(struct vram_device *vram,
			   const struct ttm_operation_ctx *ctx, bool clear,
			   pgoff_t pages, struct ttm_kmap_iter *to,
			   struct ttm_kmap_iter *from)
{
	pgoff_t i = 0, end;
	int idx;

	while (i < pages) {
		if (ctx->interruptible && signal_pending(current))
			return -ERESTARTSYS;
		if (!drm_dev_enter(&vram->drm, &idx))
			return 0;
		for (end = min(i + VRAM_MOVE_BATCH, pages); i < end; i++)
			vram_move_page(clear, to, from, i);
		drm_dev_exit(idx);
		cond_resched();
	}
	return 0;
}

/*
 * Copy the buffer's pages to VRAM, or clear VRAM if it has none, so that no
 * client sees earlier contents.
 */
static int vram_fill(struct vram_bo *bo, struct ttm_resource *to,
		     const struct ttm_operation_ctx *ctx)
{
	struct vram_device *vram = ttm_to_vram(bo->tbo.bdev);
	struct ttm_tt *tt = bo->tbo.ttm;
	bool clear = !tt || !ttm_tt_is_populated(tt);
	struct ttm_kmap_iter_tt tt_iter;
	struct vram_iter vram_iter;

	phyr_inject_delay();
	if (!clear)
		ttm_kmap_iter_tt_init(&tt_iter, tt);
	return vram_move_pages(vram, ctx, clear, PFN_UP(to->size),
			       vram_iter_init(&vram_iter, vram, to),
			       &tt_iter.base);
}

/* Copy VRAM to the buffer's pages, which stay zero if the card is gone. */
static int vram_save(struct vram_bo *bo, struct ttm_resource *from,
		     const struct ttm_operation_ctx *ctx)
{
	struct vram_device *vram = ttm_to_vram(bo->tbo.bdev);
	struct ttm_kmap_iter_tt tt_iter;
	struct vram_iter vram_iter;

	phyr_inject_delay();
	return vram_move_pages(vram, ctx, false, PFN_UP(from->size),
			       ttm_kmap_iter_tt_init(&tt_iter, bo->tbo.ttm),
			       vram_iter_init(&vram_iter, vram, from));
}

/* Copy within VRAM, for scan-out. The buffer's pages, if any, are stale. */
static int vram_copy(struct vram_bo *bo, struct ttm_resource *to,
		     const struct ttm_operation_ctx *ctx)
{
	struct vram_device *vram = ttm_to_vram(bo->tbo.bdev);
	struct vram_iter to_iter, from_iter;

	return vram_move_pages(vram, ctx, false, PFN_UP(to->size),
			       vram_iter_init(&to_iter, vram, to),
			       vram_iter_init(&from_iter, vram,
					      bo->tbo.resource));
}

/* The buffer is unchanged on failure. */
static int vram_ttm_move_data(struct vram_bo *bo, struct ttm_resource *to,
			      const struct ttm_operation_ctx *ctx)
{
	struct ttm_resource *from = bo->tbo.resource;
	u32 was = from ? from->mem_type : TTM_PL_SYSTEM;
	int ret = 0;

	if (to->mem_type == TTM_PL_VRAM && was == TTM_PL_VRAM)
		ret = vram_copy(bo, to, ctx);
	else if (to->mem_type == TTM_PL_VRAM)
		ret = vram_fill(bo, to, ctx);
	else if (was == TTM_PL_VRAM)
		ret = vram_save(bo, from, ctx);
	if (ret)
		return ret;

	if (bo->leaves_front)
		vram_front_take(bo);
	if (bo->tbo.resource &&
	    (was == TTM_PL_VRAM || to->mem_type == TTM_PL_VRAM))
		ttm_bo_move_sync_cleanup(&bo->tbo, to);
	else
		ttm_bo_move_null(&bo->tbo, to);
	return 0;
}

/*
 * TTM has zapped the user mappings. The reservation lock is held from the zap
 * to the end of the move, so no fault maps the old place again.
 */
static int vram_ttm_move(struct ttm_buffer_object *tbo, bool evict,
			 struct ttm_operation_ctx *ctx, struct ttm_resource *to,
			 struct ttm_place *hop)
{
	struct vram_bo *bo = ttm_to_vram_bo(tbo);
	struct ttm_resource *from = tbo->resource;
	u64 start;
	int ret;

	dma_resv_assert_held(tbo->base.resv);

	/* While others move buffers in, evicting enough of them can take long. */
	if (ctx->interruptible && signal_pending(current))
		return -ERESTARTSYS;

	if (from && ((from->mem_type == TTM_PL_SYSTEM &&
		      to->mem_type == TTM_PL_VRAM) ||
		     (from->mem_type == TTM_PL_VRAM &&
		      to->mem_type == TTM_PL_SYSTEM))) {
		*hop = (struct ttm_place){ .mem_type = TTM_PL_TT };
		return -EMULTIHOP;
	}

	ret = phyr_buffer_move_begin(&bo->phyr, ctx->interruptible,
				     ctx->no_wait_gpu);
	if (ret)
		return ret;

	start = ktime_get_ns();
	ret = vram_ttm_move_data(bo, to, ctx);
	if (!ret)
		WRITE_ONCE(bo->place, to->mem_type);
	if (bo->client)
		atomic64_add(ktime_get_ns() - start, &bo->client->busy);
	phyr_buffer_move_end(&bo->phyr);
	return ret;
}

static struct ttm_tt *vram_tt_create(struct ttm_buffer_object *tbo,
				     uint32_t page_flags)
{
	struct vram_tt *tt;

	tt = kzalloc_obj(*tt, GFP_KERNEL_ACCOUNT);
	if (!tt)
		return NULL;

	tt->bo = ttm_to_vram_bo(tbo);
	/* Zeroed, so that a failed move does not expose freed pages. */
	if (ttm_tt_init(&tt->base, tbo, page_flags | TTM_TT_FLAG_ZERO_ALLOC,
			ttm_cached, 0)) {
		kfree(tt);
		return NULL;
	}
	return &tt->base;
}

static void vram_tt_destroy(struct ttm_device *ttm, struct ttm_tt *tt)
{
	ttm_tt_fini(tt);
	kfree(to_vram_tt(tt));
}

/*
 * The place must not be the one that is full: TTM would find the evicted buffer
 * at the end of the same list, and evict it again, for ever.
 */
static void vram_evict_flags(struct ttm_buffer_object *tbo,
			     struct ttm_placement *placement)
{
	static const struct ttm_place tt = { .mem_type = TTM_PL_TT };
	static const struct ttm_place system = { .mem_type = TTM_PL_SYSTEM };

	placement->placement = tbo->resource->mem_type == TTM_PL_VRAM ?
			       &tt : &system;
	placement->num_placement = 1;
}

static bool vram_eviction_valuable(struct ttm_buffer_object *tbo,
				   const struct ttm_place *place)
{
	return ttm_to_vram_bo(tbo)->placement & DRM_PHYR_VRAM_PLACE_SYSTEM &&
	       ttm_bo_eviction_valuable(tbo, place);
}

static int vram_io_mem_reserve(struct ttm_device *ttm, struct ttm_resource *res)
{
	if (res->mem_type != TTM_PL_VRAM)
		return 0;

	res->bus.is_iomem = true;
	res->bus.caching = ttm_write_combined;
	return 0;
}

static unsigned long vram_io_mem_pfn(struct ttm_buffer_object *tbo,
				     unsigned long page)
{
	struct vram_device *vram = ttm_to_vram(tbo->bdev);
	struct vram_iter iter;
	struct iosys_map map;

	vram_iter_init(&iter, vram, tbo->resource);
	vram_iter_map(&iter.base, &map, page);
	return PHYS_PFN(phyr_mem_start(vram->mem) +
			(map.vaddr_iomem - vram->io));
}

/* A debugger's access; the buffer is in VRAM. */
static int vram_access_memory(struct ttm_buffer_object *tbo,
			      unsigned long offset, void *buf, int len,
			      int write)
{
	struct vram_device *vram = ttm_to_vram(tbo->bdev);
	struct vram_iter iter;
	struct iosys_map map;
	int pos, n, idx;

	if (phyr_buffer_is_revoked(&ttm_to_vram_bo(tbo)->phyr))
		return -EAGAIN;
	if (!drm_dev_enter(&vram->drm, &idx))
		return -ENODEV;

	vram_iter_init(&iter, vram, tbo->resource);
	for (pos = 0; pos < len; pos += n) {
		n = min_t(int, len - pos,
			  PAGE_SIZE - offset_in_page(offset + pos));
		vram_iter_map(&iter.base, &map, (offset + pos) >> PAGE_SHIFT);
		if (write)
			iosys_map_memcpy_to(&map, offset_in_page(offset + pos),
					    buf + pos, n);
		else
			iosys_map_memcpy_from(buf + pos, &map,
					      offset_in_page(offset + pos), n);
	}
	drm_dev_exit(idx);
	return len;
}

/* Swap-out starts with a move, which ends all mappings. */
static void vram_swap_notify(struct ttm_buffer_object *tbo)
{
	WARN_ON_ONCE(phyr_buffer_is_mapped(&ttm_to_vram_bo(tbo)->phyr));
}

static struct ttm_device_funcs vram_ttm_funcs = {
	.ttm_tt_create = vram_tt_create,
	.ttm_tt_populate = vram_pages_alloc,
	.ttm_tt_unpopulate = vram_pages_free,
	.ttm_tt_destroy = vram_tt_destroy,
	.eviction_valuable = vram_eviction_valuable,
	.evict_flags = vram_evict_flags,
	.move = vram_ttm_move,
	.io_mem_reserve = vram_io_mem_reserve,
	.io_mem_pfn = vram_io_mem_pfn,
	.access_memory = vram_access_memory,
	.swap_notify = vram_swap_notify,
};

static void vram_ttm_fini(struct drm_device *drm, void *arg)
{
	struct vram_device *vram = to_vram(drm);

	vram_system_fini(vram);
	ttm_device_fini(&vram->ttm);
}

/**
 * vram_ttm_init - initialise the TTM device
 * @vram: the card, with its DRM device initialised
 *
 * Released with the DRM device, after the VRAM allocator.
 *
 * Return: 0 or -ENOMEM.
 */
int vram_ttm_init(struct vram_device *vram)
{
	struct drm_device *drm = &vram->drm;
	int ret;

	ret = ttm_device_init(&vram->ttm, &vram_ttm_funcs, drm->dev,
			      drm->anon_inode->i_mapping,
			      drm->vma_offset_manager,
			      TTM_ALLOCATION_PROPAGATE_ENOSPC);
	if (ret)
		return ret;

	vram_system_init(vram);
	return drmm_add_action_or_reset(drm, vram_ttm_fini, NULL);
}

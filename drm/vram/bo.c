// SPDX-License-Identifier: GPL-2.0
/*
 * Buffers: iteration, placement, pinning
 */
#include <drm/drm_drv.h>
#include <drm/phyr_vram_drm.h>
#include <drm/ttm/ttm_placement.h>
#include <linux/phyr_inject.h>
#include <linux/wait_bit.h>

#include "vram.h"

/**
 * vram_bo_next - iterate over all buffers
 * @vram: the card
 * @id: in: smallest vram_bo.id to consider, out: the id found, plus one
 *
 * Buffers created or freed during the iteration may or may not be found.
 *
 * Return: the next buffer with a GEM reference, or NULL.
 */
struct vram_bo *vram_bo_next(struct vram_device *vram, unsigned long *id)
{
	struct vram_bo *bo;

	xa_lock(&vram->bos);
	for (bo = xa_find(&vram->bos, id, ULONG_MAX, XA_PRESENT); bo;
	     bo = xa_find_after(&vram->bos, id, ULONG_MAX, XA_PRESENT))
		if (kref_get_unless_zero(&bo->tbo.base.refcount))
			break;
	xa_unlock(&vram->bos);

	(*id)++;
	return bo;
}

/**
 * vram_bo_put - drop a GEM reference
 * @bo: the buffer
 *
 * Context: no reservation lock is held.
 */
void vram_bo_put(struct vram_bo *bo)
{
	drm_gem_object_put(&bo->tbo.base);
}

/**
 * vram_bo_extents - count the contiguous pieces of a buffer in VRAM
 * @bo: the buffer
 *
 * Context: the reservation lock is held.
 * Return: number of pieces; 0 for a buffer that is not in VRAM.
 */
unsigned int vram_bo_extents(struct vram_bo *bo)
{
	struct ttm_resource *res = bo->tbo.resource;

	dma_resv_assert_held(bo->tbo.base.resv);

	if (!res || res->mem_type != TTM_PL_VRAM)
		return 0;
	return vram_resource_extents(&ttm_to_vram(bo->tbo.bdev)->mgr, res);
}

/**
 * vram_bo_is_fixed - test whether a buffer may only be in VRAM
 * @bo: the buffer
 *
 * Return: true if it is never evicted.
 */
bool vram_bo_is_fixed(const struct vram_bo *bo)
{
	return !(bo->placement & DRM_PHYR_VRAM_PLACE_SYSTEM);
}

/**
 * vram_bo_place - find where in VRAM or in system memory a buffer may be
 * @bo: the buffer
 * @mem_type: TTM_PL_VRAM or TTM_PL_TT
 *
 * Return: the place.
 */
struct ttm_place vram_bo_place(const struct vram_bo *bo, u32 mem_type)
{
	struct ttm_place place = { .mem_type = mem_type };
	struct vram_mgr *mgr = &ttm_to_vram(bo->tbo.bdev)->mgr;

	if (mem_type == TTM_PL_VRAM && vram_bo_is_fixed(bo))
		place.fpfn = PHYS_PFN(mgr->fixed_start);
	return place;
}

/**
 * vram_bo_move_to - move a buffer to VRAM or to system memory
 * @bo: the buffer
 * @mem_type: TTM_PL_VRAM or TTM_PL_TT; the buffer's placement must allow it
 * @interruptible: stop waiting on a signal
 *
 * Context: the reservation lock is held; may sleep.
 * Return: 0; -EBUSY for a buffer that is pinned elsewhere; -ENOSPC, -ENOMEM,
 * -ERESTARTSYS with @interruptible.
 */
int vram_bo_move_to(struct vram_bo *bo, u32 mem_type, bool interruptible)
{
	struct ttm_place place = vram_bo_place(bo, mem_type);
	struct ttm_placement placement = { .num_placement = 1,
					   .placement = &place };
	struct ttm_operation_ctx ctx = { .interruptible = interruptible };

	dma_resv_assert_held(bo->tbo.base.resv);

	if (bo->tbo.pin_count && bo->place != mem_type)
		return -EBUSY;
	/* Do not evict others for what cannot fit. */
	if (mem_type == TTM_PL_VRAM && bo->tbo.base.size >
	    ttm_to_vram(bo->tbo.bdev)->mgr.base.size)
		return -ENOSPC;
	return ttm_bo_validate(&bo->tbo, &placement, &ctx);
}

/**
 * vram_bo_pin_system - move a buffer to system memory and pin it there
 * @bo: the buffer
 * @interruptible: stop on a signal; false for a vmap, because the dma-buf core
 *	warns when that fails
 *
 * Undone by ttm_bo_unpin().
 *
 * Context: the reservation lock is held; may sleep.
 * Return: 0; -EBUSY for a buffer that is pinned in VRAM; -ENOMEM; -ERESTARTSYS
 * with @interruptible.
 */
int vram_bo_pin_system(struct vram_bo *bo, bool interruptible)
{
	struct ttm_operation_ctx ctx = { .interruptible = interruptible };
	int ret;

	ret = vram_bo_move_to(bo, TTM_PL_TT, interruptible);
	/* Swapped out, it could not be moved and populated later. */
	if (!ret)
		ret = ttm_bo_populate(&bo->tbo, &ctx);
	if (ret)
		return ret;
	ttm_bo_pin(&bo->tbo);
	/* A restore after a suspend must not move it away from this user. */
	bo->evicted = false;
	return 0;
}

/**
 * vram_bo_scanout_placement - find where a buffer can be scanned out
 * @bo: the buffer
 * @end: bytes from the start of VRAM that it must end at or before
 * @scanout: out: the placement, for the buffer or its front
 *
 * First choice: anywhere in the space for scan-out, if nothing must be evicted
 * for it. Second: what vram_mgr_find_windows() finds. A buffer that may only be
 * in VRAM stays in the last quarter.
 *
 * Context: takes the allocator's lock; may sleep.
 * Return: 0; -EBUSY for a buffer that is too large.
 */
int vram_bo_scanout_placement(struct vram_bo *bo, u64 end,
			      struct vram_scanout_placement *scanout)
{
	struct vram_mgr *mgr = &ttm_to_vram(bo->tbo.bdev)->mgr;
	u64 starts[VRAM_MGR_WINDOWS], size = bo->tbo.base.size;
	struct ttm_place place = vram_bo_place(bo, TTM_PL_VRAM);
	unsigned int i, n;

	*scanout = (struct vram_scanout_placement){
		.base.placement = scanout->places,
	};
	if (!vram_bo_is_fixed(bo))
		end = min(end, mgr->fixed_start);
	place.flags = TTM_PL_FLAG_CONTIGUOUS;
	place.lpfn = PHYS_PFN(end) ?: 1;
	if (vram_bo_is_fixed(bo)) {
		scanout->places[scanout->base.num_placement++] = place;
		return 0;
	}
	if (size <= vram_mgr_max_picture(mgr)) {
		place.flags |= TTM_PL_FLAG_DESIRED;
		scanout->places[scanout->base.num_placement++] = place;
	}

	place.flags = TTM_PL_FLAG_CONTIGUOUS;
	if (scanout->base.num_placement)
		place.flags |= TTM_PL_FLAG_FALLBACK;
	n = vram_mgr_find_windows(mgr, size, end, bo->tbo.resource, starts);
	for (i = 0; i < n; i++) {
		place.fpfn = PHYS_PFN(starts[i]);
		place.lpfn = PHYS_PFN(starts[i] + size);
		scanout->places[scanout->base.num_placement++] = place;
	}
	return scanout->base.num_placement ? 0 : -EBUSY;
}

/* Move a buffer to where it can be scanned out. */
static int vram_bo_move_scanout(struct vram_bo *bo, u64 end)
{
	struct ttm_operation_ctx ctx = { .interruptible = true };
	struct vram_scanout_placement scanout;
	int ret;

	ret = vram_bo_scanout_placement(bo, end, &scanout);
	return ret ?: ttm_bo_validate(&bo->tbo, &scanout.base, &ctx);
}

/**
 * vram_bo_fits_scanout - test whether a buffer always finds space for scan-out
 * @bo: the buffer
 * @end: bytes from the start of VRAM that it must end at or before
 *
 * Return: true if the space for scan-out has room for it as soon as at most one
 * other picture is pinned; false if it is too large, may only be in VRAM, or
 * @end leaves too little of the space.
 */
bool vram_bo_fits_scanout(const struct vram_bo *bo, u64 end)
{
	return !vram_bo_is_fixed(bo) &&
	       vram_mgr_fits_scanout(&ttm_to_vram(bo->tbo.bdev)->mgr,
				     bo->tbo.base.size, end);
}

/**
 * vram_bo_pin_scanout - pin a buffer where the display can read it
 * @bo: the buffer; its placement must allow VRAM
 * @end: bytes from the start of VRAM that the buffer must end at or before
 *
 * Moves the buffer to one contiguous piece of VRAM if necessary, regardless of
 * its largest extent.
 * Undone by vram_bo_unpin().
 *
 * Context: the reservation lock is held; may sleep.
 * Return: 0; -EBUSY for a buffer that is pinned where the display cannot read
 * it, or finds no contiguous piece though vram_bo_fits_scanout() is false;
 * -ENOSPC, -ENOMEM, -ERESTARTSYS.
 */
int vram_bo_pin_scanout(struct vram_bo *bo, u64 end)
{
	int ret;

	dma_resv_assert_held(bo->tbo.base.resv);

	ret = vram_bo_move_scanout(bo, end);
	if (ret == -EINVAL && bo->tbo.pin_count)
		return -EBUSY;
	if (ret == -ENOSPC && bo->place == TTM_PL_VRAM &&
	    !vram_bo_is_fixed(bo)) {
		/* The buffer itself may occupy the space: move it out first. */
		ret = vram_bo_move_to(bo, TTM_PL_TT, true);
		if (!ret)
			ret = vram_bo_move_scanout(bo, end);
	}
	if (!ret) {
		ttm_bo_pin(&bo->tbo);
		/* It is back in VRAM after a suspend. */
		bo->evicted = false;
	}
	return ret == -ENOSPC && !vram_bo_fits_scanout(bo, end) ?
	       -EBUSY : ret;
}

/**
 * vram_bo_unpin_locked - undo a pin of an importer
 * @bo: the buffer
 *
 * An importer may call dma_buf_unpin() in its invalidate callback, and be
 * unprepared for another call of that callback before this returns: both are
 * true of the RDMA core. So this does not move the buffer, and a move that
 * notifies the importer puts one pin less back.
 *
 * Context: the reservation lock is held.
 */
void vram_bo_unpin_locked(struct vram_bo *bo)
{
	dma_resv_assert_held(bo->tbo.base.resv);

	if (bo->lifted_pins)
		bo->lifted_pins--;
	else
		ttm_bo_unpin(&bo->tbo);
}

/**
 * vram_bo_unpin - unpin a buffer
 * @bo: the buffer
 *
 * Context: takes the reservation lock; may sleep.
 */
void vram_bo_unpin(struct vram_bo *bo)
{
	phyr_inject_delay();
	dma_resv_lock(bo->tbo.base.resv, NULL);
	ttm_bo_unpin(&bo->tbo);
	dma_resv_unlock(bo->tbo.base.resv);
}

/**
 * vram_bos_begin_move - begin to create or move buffers
 * @vram: the card
 *
 * Until vram_bos_end_move() the card is not reset, and its buffers are not
 * revoked. A card that is removed waits, and moves end soon: unlike
 * drm_dev_enter(), this does not delay drm_dev_unplug() itself.
 *
 * Context: takes reset_lock for reading; may sleep.
 * Return: 0; -ENODEV if the card is gone; -EINTR.
 */
int vram_bos_begin_move(struct vram_device *vram)
{
	int ret;

	ret = down_read_interruptible(&vram->reset_lock);
	if (ret)
		return ret;
	if (drm_dev_is_unplugged(&vram->drm)) {
		up_read(&vram->reset_lock);
		return -ENODEV;
	}
	return 0;
}

/**
 * vram_bos_end_move - undo vram_bos_begin_move()
 * @vram: the card
 */
void vram_bos_end_move(struct vram_device *vram)
{
	up_read(&vram->reset_lock);
}

/**
 * vram_bos_wait_moves - wait until no task creates or moves buffers
 * @vram: the card, unplugged, so that no task begins to
 *
 * Context: may sleep.
 */
void vram_bos_wait_moves(struct vram_device *vram)
{
	down_write(&vram->reset_lock);
	up_write(&vram->reset_lock);
}

/**
 * vram_bos_revoke - revoke all access to all buffers
 * @vram: the card
 *
 * Zaps user mappings, which then fault in the dummy page or wait for the end of
 * the reset, and stops and unmaps DMA.
 * Waits for kernel mappings to be unmapped. When it returns, no mapping of VRAM
 * is left.
 *
 * Context: no lock is held, since it waits for importers, which take
 * reservation locks. May sleep.
 */
void vram_bos_revoke(struct vram_device *vram)
{
	unsigned long id = 0;
	struct vram_bo *bo;

	while ((bo = vram_bo_next(vram, &id))) {
		phyr_inject_delay();
		dma_resv_lock(bo->tbo.base.resv, NULL);
		phyr_buffer_revoke(&bo->phyr);
		ttm_bo_unmap_virtual(&bo->tbo);
		dma_resv_unlock(bo->tbo.base.resv);
		vram_bo_put(bo);
	}

	/* All importers are notified; now wait for each of them. */
	id = 0;
	while ((bo = vram_bo_next(vram, &id))) {
		phyr_buffer_revoke_wait(&bo->phyr);
		phyr_inject_delay();
		vram_bo_put(bo);
	}
	wait_var_event(&vram->io_maps, !atomic_read(&vram->io_maps));
}

/**
 * vram_bos_rearm - undo vram_bos_revoke() after a reset of the card
 * @vram: the card
 *
 * Context: no lock is held; may sleep.
 */
void vram_bos_rearm(struct vram_device *vram)
{
	unsigned long id = 0;
	struct vram_bo *bo;

	while ((bo = vram_bo_next(vram, &id))) {
		dma_resv_lock(bo->tbo.base.resv, NULL);
		phyr_buffer_rearm(&bo->phyr);
		dma_resv_unlock(bo->tbo.base.resv);
		vram_bo_put(bo);
	}
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Buffers: GEM objects that live in VRAM or in system memory
 */
#include <drm/drm_drv.h>
#include <drm/drm_gem_ttm_helper.h>
#include <drm/drm_print.h>
#include <drm/drm_vma_manager.h>
#include <drm/phyr_vram_drm.h>
#include <drm/ttm/ttm_placement.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/phyr_inject.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "vram.h"

/**
 * vram_bo_next - walk over all buffers
 * @vram: the card
 * @id: in: smallest vram_bo.id to consider, out: one more than the one found
 *
 * Buffers that come and go during the walk may or may not be met.
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
 * vram_bo_extents - how fragmented a buffer is
 * @bo: the buffer
 *
 * Context: the reservation lock is held.
 * Return: contiguous pieces of VRAM; 0 for a buffer that is not in VRAM.
 */
unsigned int vram_bo_extents(struct vram_bo *bo)
{
	struct ttm_resource *res = bo->tbo.resource;

	dma_resv_assert_held(bo->tbo.base.resv);

	if (!res || res->mem_type != TTM_PL_VRAM)
		return 0;
	return vram_resource_extents(&ttm_to_vram(bo->tbo.bdev)->mgr, res);
}

static void vram_gem_free(struct drm_gem_object *gem)
{
	struct vram_bo *bo = to_vram_bo(gem);

	xa_erase(&to_vram(gem->dev)->bos, bo->id);
	phyr_inject_delay();
	ttm_bo_fini(&bo->tbo);
}

static void vram_bo_destroy(struct ttm_buffer_object *tbo)
{
	struct vram_bo *bo = ttm_to_vram_bo(tbo);

	phyr_buffer_fini(&bo->phyr);
	if (bo->dummy)
		__free_page(bo->dummy);
	mem_cgroup_put(bo->memcg);
	drm_gem_object_release(&tbo->base);
	kfree(bo);
}

/*
 * CPU mappings
 */

static vm_fault_t vram_vm_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct ttm_buffer_object *tbo = vma->vm_private_data;
	vm_fault_t ret;
	int idx;

	phyr_inject_delay();
	ret = ttm_bo_vm_reserve(tbo, vmf);
	if (ret)
		return ret;

	ret = VM_FAULT_SIGBUS;
	if (drm_dev_enter(tbo->base.dev, &idx)) {
		if (!phyr_buffer_is_revoked(&ttm_to_vram_bo(tbo)->phyr))
			ret = ttm_bo_vm_fault_reserved(vmf, vma->vm_page_prot,
						       TTM_BO_VM_NUM_PREFAULT);
		drm_dev_exit(idx);
	}

	/* TTM has dropped the lock itself where it asks for a retry. */
	if (ret == VM_FAULT_RETRY && !(vmf->flags & FAULT_FLAG_RETRY_NOWAIT))
		return ret;
	dma_resv_unlock(tbo->base.resv);
	return ret;
}

static const struct vm_operations_struct vram_vm_ops = {
	.fault = vram_vm_fault,
	.open = ttm_bo_vm_open,
	.close = ttm_bo_vm_close,
};

/* Serves the DRM node and the dma-buf's fd. */
static int vram_gem_mmap(struct drm_gem_object *gem, struct vm_area_struct *vma)
{
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;

	vm_flags_clear(vma, VM_MAYEXEC);
	return drm_gem_ttm_mmap(gem, vma);
}

static const struct drm_gem_object_funcs vram_gem_funcs = {
	.free = vram_gem_free,
	.export = vram_gem_export,
	.vmap = vram_gem_vmap,
	.vunmap = vram_gem_vunmap,
	.mmap = vram_gem_mmap,
	.vm_ops = &vram_vm_ops,
};

/**
 * vram_gem_is_bo - is a GEM object of this driver a buffer of its own?
 * @gem: any object of a card
 *
 * Return: false for an imported buffer, which is another driver's.
 */
bool vram_gem_is_bo(const struct drm_gem_object *gem)
{
	return gem->funcs == &vram_gem_funcs;
}

/*
 * Places
 */

/**
 * vram_bo_move_to - put a buffer in a place
 * @bo: the buffer
 * @mem_type: TTM_PL_VRAM or TTM_PL_TT, one that the buffer may be in
 * @interruptible: break off on a signal
 *
 * Context: the reservation lock is held; may sleep.
 * Return: 0; -EBUSY for a buffer that is pinned elsewhere; -ENOSPC, -ENOMEM,
 * -ERESTARTSYS with @interruptible.
 */
int vram_bo_move_to(struct vram_bo *bo, u32 mem_type, bool interruptible)
{
	struct ttm_place place = { .mem_type = mem_type };
	struct ttm_placement placement = { .num_placement = 1,
					   .placement = &place };
	struct ttm_operation_ctx ctx = { .interruptible = interruptible };

	dma_resv_assert_held(bo->tbo.base.resv);

	if (bo->tbo.pin_count && bo->place != mem_type)
		return -EBUSY;
	return ttm_bo_validate(&bo->tbo, &placement, &ctx);
}

/**
 * vram_bo_pin_system - put a buffer in system memory, to stay
 * @bo: the buffer
 *
 * Undone by ttm_bo_unpin(). No signal breaks it off: the dma-buf core warns
 * about a vmap that fails.
 *
 * Context: the reservation lock is held; may sleep.
 * Return: 0; -EBUSY for a buffer that is pinned in VRAM; -ENOMEM.
 */
int vram_bo_pin_system(struct vram_bo *bo)
{
	int ret;

	ret = vram_bo_move_to(bo, TTM_PL_TT, false);
	if (!ret)
		ttm_bo_pin(&bo->tbo);
	return ret;
}

/**
 * vram_bo_pin_scanout - put a buffer where the display can read it, to stay
 * @bo: the buffer; one that may be in VRAM
 * @end: bytes from the start of VRAM that the buffer must end at or before
 *
 * The buffer gets one contiguous piece of VRAM, whatever its largest extent.
 * Undone by vram_bo_unpin().
 *
 * Context: the reservation lock is held; may sleep.
 * Return: 0; -EBUSY for a buffer that is pinned where the display cannot read
 * it; -ENOSPC, -ENOMEM, -ERESTARTSYS.
 */
int vram_bo_pin_scanout(struct vram_bo *bo, u64 end)
{
	struct ttm_place place = { .mem_type = TTM_PL_VRAM,
				   .flags = TTM_PL_FLAG_CONTIGUOUS,
				   .lpfn = PHYS_PFN(end) ?: 1 };
	struct ttm_placement placement = { .num_placement = 1,
					   .placement = &place };
	struct ttm_operation_ctx ctx = { .interruptible = true };
	int ret;

	dma_resv_assert_held(bo->tbo.base.resv);

	ret = ttm_bo_validate(&bo->tbo, &placement, &ctx);
	if (ret == -EINVAL && bo->tbo.pin_count)
		return -EBUSY;
	if (ret == -ENOSPC && bo->place == TTM_PL_VRAM) {
		/* What is in the way may be the buffer itself. */
		ret = vram_bo_move_to(bo, TTM_PL_TT, true);
		if (!ret)
			ret = ttm_bo_validate(&bo->tbo, &placement, &ctx);
	}
	if (!ret)
		ttm_bo_pin(&bo->tbo);
	return ret;
}

/**
 * vram_bo_unpin - let a buffer move again
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
 * vram_bos_evict - move every buffer to system memory
 * @vram: the card, which is about to lose its power
 *
 * Buffers that must be in VRAM go too: vram_bos_restore() brings them back
 * before anybody can tell.
 *
 * Context: userspace is frozen; may sleep.
 * Return: 0; -EBUSY if importers have pinned buffers in VRAM; -ENOMEM.
 */
int vram_bos_evict(struct vram_device *vram)
{
	u64 left;
	int ret;

	ret = ttm_resource_manager_evict_all(&vram->ttm, &vram->mgr.base);
	if (ret)
		return ret;

	left = vram->mgr.base.size - vram_mgr_avail(&vram->mgr);
	if (!left)
		return 0;
	drm_err(&vram->drm, "%llu bytes are pinned in VRAM by importers; detach them to suspend\n",
		left);
	return -EBUSY;
}

/**
 * vram_bos_restore - bring back buffers that must be in VRAM
 * @vram: the card, which has its power again
 *
 * A buffer for which that fails is in system memory from now on.
 *
 * Context: userspace is frozen; may sleep.
 */
void vram_bos_restore(struct vram_device *vram)
{
	unsigned long id = 0;
	struct vram_bo *bo;
	int ret;

	while ((bo = vram_bo_next(vram, &id))) {
		ret = 0;
		dma_resv_lock(bo->tbo.base.resv, NULL);
		if (bo->placement == DRM_PHYR_VRAM_PLACE_VRAM)
			ret = vram_bo_move_to(bo, TTM_PL_VRAM, false);
		dma_resv_unlock(bo->tbo.base.resv);
		if (ret)
			drm_err(&vram->drm, "buffer %u of %zu bytes stays in system memory: %pe\n",
				bo->id, bo->tbo.base.size, ERR_PTR(ret));
		vram_bo_put(bo);
	}
}

/**
 * vram_bos_revoke - take every buffer away from everybody
 * @vram: the card
 *
 * CPU mappings are zapped and fault into SIGBUS, devices' DMA is stopped and
 * unmapped. When this returns nobody refers to VRAM.
 *
 * Context: no lock is held: waits for importers that take reservation locks.
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

	/* All have been told; now each takes the time it takes. */
	id = 0;
	while ((bo = vram_bo_next(vram, &id))) {
		phyr_buffer_revoke_wait(&bo->phyr);
		phyr_inject_delay();
		vram_bo_put(bo);
	}
	wait_var_event(&vram->io_maps, !atomic_read(&vram->io_maps));
}

/**
 * vram_bos_rearm - give every buffer back after a reset of the card
 * @vram: the card
 *
 * Context: no lock is held.
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

/*
 * Creation
 */

static int vram_bo_place(struct vram_device *vram, struct vram_bo *bo)
{
	static const struct ttm_place places[] = {
		{ .mem_type = TTM_PL_VRAM },
		{ .mem_type = TTM_PL_TT, .flags = TTM_PL_FLAG_FALLBACK },
		{ .mem_type = TTM_PL_TT },
	};
	struct ttm_placement placement = { .num_placement = 1 };

	switch (bo->placement) {
	case DRM_PHYR_VRAM_PLACE_VRAM:
		placement.placement = &places[0];
		break;
	case DRM_PHYR_VRAM_PLACE_SYSTEM:
		placement.placement = &places[2];
		break;
	default:
		placement.placement = &places[0];
		placement.num_placement = 2;
		break;
	}

	return ttm_bo_init_validate(&vram->ttm, &bo->tbo, ttm_bo_type_device,
				    &placement, 0, true, NULL, NULL,
				    vram_bo_destroy);
}

static int vram_bo_check_size(struct vram_device *vram, u64 size, u32 placement)
{
	if (size > (u64)totalram_pages() << PAGE_SHIFT &&
	    (placement & DRM_PHYR_VRAM_PLACE_SYSTEM ||
	     size > vram->mgr.base.size))
		return -E2BIG;
	if (placement == DRM_PHYR_VRAM_PLACE_VRAM &&
	    size > vram->mgr.base.size)
		return -E2BIG;
	return 0;
}

/**
 * vram_bo_create - make a zeroed buffer
 * @vram: the card
 * @size: bytes, a multiple of the page size, not 0
 * @placement: DRM_PHYR_VRAM_PLACE_VRAM, _SYSTEM or both
 * @max_extent: largest extent in VRAM in bytes, a power of two, or 0
 *
 * Context: may sleep.
 * Return: the buffer with one GEM reference, or ERR_PTR: -E2BIG, -ENOSPC,
 * -ENOMEM, -EINTR.
 */
struct vram_bo *vram_bo_create(struct vram_device *vram, u64 size,
			       u32 placement, u64 max_extent)
{
	struct vram_bo *bo;
	int ret;

	ret = vram_bo_check_size(vram, size, placement);
	if (ret)
		return ERR_PTR(ret);

	bo = kzalloc_obj(*bo, GFP_KERNEL_ACCOUNT);
	if (!bo)
		return ERR_PTR(-ENOMEM);

	bo->placement = placement;
	bo->max_extent = max_extent;
	bo->place = TTM_PL_SYSTEM;
	bo->memcg = get_mem_cgroup_from_mm(current->mm);
	bo->tbo.base.funcs = &vram_gem_funcs;
	drm_gem_private_object_init(&vram->drm, &bo->tbo.base, size);
	phyr_buffer_init(&bo->phyr, vram_dma_buf_ops(bo), bo->tbo.base.resv);

	/* Frees the buffer by vram_bo_destroy() if it fails. */
	ret = vram_bo_place(vram, bo);
	if (ret)
		return ERR_PTR(ret);

	phyr_inject_delay();
	ret = xa_alloc_cyclic(&vram->bos, &bo->id, bo, xa_limit_31b,
			      &vram->next_id, GFP_KERNEL);
	if (ret < 0) {
		ttm_bo_fini(&bo->tbo);
		return ERR_PTR(ret);
	}
	return bo;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * GEM objects: creation, destruction and user mappings of buffers
 */
#include <drm/drm_drv.h>
#include <drm/drm_gem_ttm_helper.h>
#include <drm/phyr_vram_drm.h>
#include <drm/ttm/ttm_placement.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/phyr_inject.h>
#include <linux/slab.h>

#include "vram.h"

static void vram_gem_free(struct drm_gem_object *gem)
{
	struct vram_bo *bo = to_vram_bo(gem);

	xa_erase(&to_vram(gem->dev)->bos, bo->id);
	phyr_inject_delay();
	ttm_bo_fini(&bo->tbo);
}

static void vram_gem_destroy(struct ttm_buffer_object *tbo)
{
	struct vram_bo *bo = ttm_to_vram_bo(tbo);

	phyr_buffer_fini(&bo->phyr);
	if (bo->dummy)
		__free_page(bo->dummy);
	mem_cgroup_put(bo->memcg);
	vram_client_put(bo->client);
	drm_gem_object_release(&tbo->base);
	kfree(bo);
}

/*
 * User mappings
 */

static vm_fault_t vram_gem_fault(struct vm_fault *vmf)
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

	/* TTM has dropped the lock before asking for a retry. */
	if (ret == VM_FAULT_RETRY && !(vmf->flags & FAULT_FLAG_RETRY_NOWAIT))
		return ret;
	dma_resv_unlock(tbo->base.resv);
	return ret;
}

static const struct vm_operations_struct vram_gem_vm_ops = {
	.fault = vram_gem_fault,
	.open = ttm_bo_vm_open,
	.close = ttm_bo_vm_close,
};

/* For mmap() of both the DRM node and the dma-buf. */
static int vram_gem_mmap(struct drm_gem_object *gem, struct vm_area_struct *vma)
{
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;

	vm_flags_clear(vma, VM_MAYEXEC);
	return drm_gem_ttm_mmap(gem, vma);
}

static const struct drm_gem_object_funcs vram_gem_funcs = {
	.free = vram_gem_free,
	.open = vram_client_open_handle,
	.close = vram_client_close_handle,
	.export = vram_prime_export,
	.vmap = vram_vmap,
	.vunmap = vram_vunmap,
	.mmap = vram_gem_mmap,
	.vm_ops = &vram_gem_vm_ops,
};

/**
 * vram_gem_is_bo - test whether a GEM object is a struct vram_bo
 * @gem: any object of a card
 *
 * Return: true for a buffer of this driver, false for an imported one.
 */
bool vram_gem_is_bo(const struct drm_gem_object *gem)
{
	return gem->funcs == &vram_gem_funcs;
}

/*
 * Creation
 */

static int vram_gem_place(struct vram_device *vram, struct vram_bo *bo)
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
		/* Do not evict others for what cannot fit. */
		placement.placement = &places[0];
		placement.num_placement = 2;
		if (bo->tbo.base.size > vram->mgr.base.size) {
			placement.placement = &places[2];
			placement.num_placement = 1;
		}
		break;
	}

	return ttm_bo_init_validate(&vram->ttm, &bo->tbo, ttm_bo_type_device,
				    &placement, 0, true, NULL, NULL,
				    vram_gem_destroy);
}

static int vram_gem_check_size(struct vram_device *vram, u64 size,
			       u32 placement)
{
	u64 most = placement & DRM_PHYR_VRAM_PLACE_SYSTEM ?
		   vram->system.base.size : vram->mgr.base.size;

	return size > most ? -E2BIG : 0;
}

/**
 * vram_gem_create - create a zeroed buffer
 * @vram: the card
 * @client: the client, or NULL for the kernel's own buffers
 * @size: bytes, a multiple of the page size, not 0
 * @placement: DRM_PHYR_VRAM_PLACE_VRAM, _SYSTEM or both
 * @max_extent: largest extent in VRAM in bytes, a power of two, or 0
 *
 * Context: may sleep.
 * Return: the buffer with one GEM reference, or ERR_PTR: -E2BIG, -ENOSPC,
 * -ENOMEM, -EINTR.
 */
struct vram_bo *vram_gem_create(struct vram_device *vram,
				struct vram_client *client, u64 size,
				u32 placement, u64 max_extent)
{
	struct vram_bo *bo;
	int ret;

	ret = vram_gem_check_size(vram, size, placement);
	if (ret)
		return ERR_PTR(ret);

	bo = kzalloc_obj(*bo, GFP_KERNEL_ACCOUNT);
	if (!bo)
		return ERR_PTR(-ENOMEM);

	bo->placement = placement;
	bo->max_extent = max_extent;
	bo->place = TTM_PL_SYSTEM;
	bo->client = vram_client_get(client);
	bo->memcg = get_mem_cgroup_from_mm(current->mm);
	bo->tbo.base.funcs = &vram_gem_funcs;
	drm_gem_private_object_init(&vram->drm, &bo->tbo.base, size);
	phyr_buffer_init(&bo->phyr, vram_dma_buf_ops(bo), bo->tbo.base.resv);

	/* On failure TTM frees the buffer with vram_gem_destroy(). */
	ret = vram_gem_place(vram, bo);
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

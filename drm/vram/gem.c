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
	vram_user_uncharge(ttm_to_vram(tbo->bdev), bo);
	drm_gem_object_release(&tbo->base);
	kfree(bo);
}

/*
 * User mappings
 *
 * As DRM requires, an access never raises SIGBUS because the card is gone: it
 * reads and writes the buffer's dummy page. During a reset it waits.
 */

static vm_fault_t vram_gem_fault_dummy(struct vm_fault *vmf, struct vram_bo *bo)
{
	struct page *page = vram_dummy_page(bo);

	if (!page)
		return VM_FAULT_OOM;
	return vmf_insert_pfn_prot(vmf->vma, vmf->address, page_to_pfn(page),
				   vmf->vma->vm_page_prot);
}

/*
 * Wait for the end of a reset without the reservation lock and the mmap lock.
 * The mapping may be gone afterwards, and with it all but these references.
 */
static vm_fault_t vram_gem_fault_wait(struct vm_fault *vmf, struct vram_bo *bo)
{
	struct vram_device *vram = ttm_to_vram(bo->tbo.bdev);

	if (!(vmf->flags & FAULT_FLAG_ALLOW_RETRY)) {
		dma_resv_unlock(bo->tbo.base.resv);
		return VM_FAULT_NOPAGE;
	}
	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT) {
		dma_resv_unlock(bo->tbo.base.resv);
		return VM_FAULT_RETRY;
	}

	drm_dev_get(&vram->drm);
	drm_gem_object_get(&bo->tbo.base);
	dma_resv_unlock(bo->tbo.base.resv);
	mmap_read_unlock(vmf->vma->vm_mm);

	phyr_inject_delay();
	if (!down_read_killable(&vram->reset_lock))
		up_read(&vram->reset_lock);
	vram_bo_put(bo);
	drm_dev_put(&vram->drm);
	return VM_FAULT_RETRY;
}

static vm_fault_t vram_gem_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct ttm_buffer_object *tbo = vma->vm_private_data;
	struct vram_bo *bo = ttm_to_vram_bo(tbo);
	bool in_reset = false;
	vm_fault_t ret;
	int idx;

	phyr_inject_delay();
	ret = ttm_bo_vm_reserve(tbo, vmf);
	if (ret)
		return ret;

	if (drm_dev_enter(tbo->base.dev, &idx)) {
		in_reset = phyr_buffer_is_revoked(&bo->phyr);
		if (!in_reset)
			ret = ttm_bo_vm_fault_reserved(vmf, vma->vm_page_prot,
						       TTM_BO_VM_NUM_PREFAULT);
		drm_dev_exit(idx);
	} else {
		ret = vram_gem_fault_dummy(vmf, bo);
	}
	if (in_reset)
		return vram_gem_fault_wait(vmf, bo);

	/* TTM has dropped the lock before asking for a retry. */
	if (ret == VM_FAULT_RETRY && !(vmf->flags & FAULT_FLAG_RETRY_NOWAIT))
		return ret;
	dma_resv_unlock(tbo->base.resv);
	return ret;
}

static int vram_gem_access_dummy(struct vram_bo *bo, unsigned long addr,
				 void *buf, int len, int write)
{
	struct page *page;
	int ret, pos, n;
	void *at;

	ret = dma_resv_lock_interruptible(bo->tbo.base.resv, NULL);
	if (ret)
		return ret;
	page = vram_dummy_page(bo);
	for (pos = 0; page && pos < len; pos += n) {
		n = min_t(int, len - pos, PAGE_SIZE - offset_in_page(addr + pos));
		at = page_address(page) + offset_in_page(addr + pos);
		if (write)
			memcpy(at, buf + pos, n);
		else
			memcpy(buf + pos, at, n);
	}
	dma_resv_unlock(bo->tbo.base.resv);
	return page ? len : -ENOMEM;
}

/*
 * A debugger's access. It must respect what the client may do with its mapping,
 * and end with the mapping: the core checks neither for I/O memory. During a
 * reset it fails, because it must not keep the client's mmap lock so long.
 */
static int vram_gem_access(struct vm_area_struct *vma, unsigned long addr,
			   void *buf, int len, int write)
{
	struct ttm_buffer_object *tbo = vma->vm_private_data;
	int ret, idx;

	if (!(vma->vm_flags & (write ? VM_WRITE : VM_MAYREAD)))
		return -EACCES;
	len = min_t(unsigned long, len, vma->vm_end - addr);

	if (!drm_dev_enter(tbo->base.dev, &idx))
		return vram_gem_access_dummy(ttm_to_vram_bo(tbo), addr, buf,
					     len, write);
	ret = ttm_bo_vm_access(vma, addr, buf, len, write);
	drm_dev_exit(idx);
	return ret;
}

static const struct vm_operations_struct vram_gem_vm_ops = {
	.fault = vram_gem_fault,
	.access = vram_gem_access,
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
	const struct ttm_place places[] = {
		vram_bo_place(bo, TTM_PL_VRAM),
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
		   vram->system.base.size : vram->mgr.fixed_limit;

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
	bo->tbo.bdev = &vram->ttm;
	bo->tbo.base.size = size;
	if (client) {
		ret = vram_user_charge(vram, bo);
		if (ret) {
			kfree(bo);
			return ERR_PTR(ret);
		}
	}
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

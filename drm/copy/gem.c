// SPDX-License-Identifier: GPL-2.0
/*
 * Buffers
 *
 * Terms
 *	own		allocated by this driver, in shmem pages; exportable
 *	imported	another driver's dma-buf, in any kind of memory
 *	mapping		dma_range list of a whole buffer for the engine's device
 *
 * A buffer is mapped by the first job that uses it. It stays mapped until it is
 * freed, until the exporter invalidates the mapping, or until the device is
 * removed. Invalidation marks the mapping stale; the next job maps again.
 *
 * Invariants
 * - Mappings are created and destroyed under the reservation lock. A mapping is
 *   destroyed only when no fence in the reservation object is pending, so it
 *   stays valid for a job until the job's fence signals.
 * - After remove() no buffer has a mapping or an attachment, even if it is
 *   still referenced. The dma-buf reference is held until the buffer is freed,
 *   because the reservation object is part of the dma-buf.
 *
 * Limits: own buffers require a cache-coherent device without bounce buffers:
 * they are mapped once and never synchronised.
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/iommu-dma.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/phyr_inject.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>

#include "copy.h"

static enum drm_gem_object_status copy_bo_status(struct drm_gem_object *obj)
{
	struct copy_bo *bo = to_copy_bo(obj);
	bool resident = bo->dmabuf ? !!READ_ONCE(bo->ranges) :
				     !!READ_ONCE(bo->shmem.pages);

	return resident ? DRM_GEM_OBJECT_RESIDENT : 0;
}

/*
 * Lifetime
 */

static int copy_bo_register(struct copy_device *copy, struct copy_bo *bo)
{
	int ret;

	bo->id = atomic_long_inc_return(&copy->bo_id);
	bo->live = true;
	atomic_inc(&copy->live_bos);
	ret = xa_insert(&copy->bos, bo->id, bo, GFP_KERNEL);
	if (ret) {
		bo->live = false;
		atomic_dec(&copy->live_bos);
	}
	return ret;
}

static void copy_bo_unmap(struct copy_bo *bo)
{
	dma_resv_assert_held(copy_bo_resv(bo));

	if (bo->ranges && bo->attach)
		phyr_unmap(bo->attach, bo->ranges);
	else if (bo->ranges)
		dma_range_list_free(bo->ranges);
	WRITE_ONCE(bo->ranges, NULL);
	bo->stale = false;
}

/*
 * Destroy the mapping and the attachment, permanently. No job uses @bo: jobs
 * hold references, and remove() has waited for all jobs.
 */
static void copy_bo_stop(struct copy_device *copy, struct copy_bo *bo)
{
	if (!bo->live)
		return;

	phyr_inject_delay();
	dma_resv_lock(copy_bo_resv(bo), NULL);
	copy_bo_unmap(bo);
	if (bo->shmem.sgt)
		__drm_gem_shmem_free_sgt_locked(&bo->shmem);
	dma_resv_unlock(copy_bo_resv(bo));

	phyr_inject_delay();
	if (bo->attach)
		phyr_detach(bo->attach);
	bo->attach = NULL;
	bo->live = false;
	copy_dec_and_wake(copy, &copy->live_bos);
}

static void copy_bo_own_free(struct drm_gem_object *obj)
{
	struct copy_device *copy = to_copy_device(obj->dev);
	struct copy_bo *bo = to_copy_bo(obj);

	xa_erase(&copy->bos, bo->id);
	phyr_inject_delay();
	copy_bo_stop(copy, bo);
	drm_gem_shmem_release(&bo->shmem);
	kfree(bo);
}

/* For mmap() of the DRM node and of the dma-buf. Executable mappings fail. */
static int copy_bo_own_mmap(struct drm_gem_object *obj,
			    struct vm_area_struct *vma)
{
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;

	vm_flags_clear(vma, VM_MAYEXEC);
	return drm_gem_shmem_object_mmap(obj, vma);
}

/*
 * Replaces the shmem helper's handler, which counts pages from the start of the
 * VMA. A VMA may start inside the buffer: a dma-buf can be mapped in part, and
 * the front of a mapping can be unmapped.
 */
static vm_fault_t copy_bo_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct drm_gem_object *obj = vma->vm_private_data;
	struct drm_gem_shmem_object *shmem = &to_copy_bo(obj)->shmem;
	pgoff_t i = vmf->pgoff - drm_vma_node_start(&obj->vma_node);
	vm_fault_t ret = VM_FAULT_SIGBUS;

	dma_resv_lock(obj->resv, NULL);
	if (shmem->pages && i < obj->size >> PAGE_SHIFT) {
		if (vma->vm_flags & VM_WRITE)
			folio_mark_dirty(page_folio(shmem->pages[i]));
		ret = vmf_insert_pfn(vma, vmf->address,
				     page_to_pfn(shmem->pages[i]));
	}
	dma_resv_unlock(obj->resv);
	return ret;
}

static void copy_bo_vm_open(struct vm_area_struct *vma)
{
	drm_gem_shmem_vm_ops.open(vma);
}

static void copy_bo_vm_close(struct vm_area_struct *vma)
{
	drm_gem_shmem_vm_ops.close(vma);
}

static const struct vm_operations_struct copy_bo_vm_ops = {
	.fault = copy_bo_fault,
	.open = copy_bo_vm_open,
	.close = copy_bo_vm_close,
};

static const struct drm_gem_object_funcs copy_bo_own_funcs = {
	.free = copy_bo_own_free,
	.print_info = drm_gem_shmem_object_print_info,
	.pin = drm_gem_shmem_object_pin,
	.unpin = drm_gem_shmem_object_unpin,
	.get_sg_table = drm_gem_shmem_object_get_sg_table,
	.vmap = drm_gem_shmem_object_vmap,
	.vunmap = drm_gem_shmem_object_vunmap,
	.mmap = copy_bo_own_mmap,
	.status = copy_bo_status,
	.vm_ops = &copy_bo_vm_ops,
};

static void copy_bo_imported_free(struct drm_gem_object *obj)
{
	struct copy_device *copy = to_copy_device(obj->dev);
	struct copy_bo *bo = to_copy_bo(obj);

	xa_erase(&copy->bos, bo->id);
	phyr_inject_delay();
	copy_bo_stop(copy, bo);
	drm_gem_object_release(obj);
	dma_buf_put(bo->dmabuf);
	kfree(bo);
}

static const struct drm_gem_object_funcs copy_bo_imported_funcs = {
	.free = copy_bo_imported_free,
	.status = copy_bo_status,
};

static struct copy_bo *copy_bo_create(struct copy_device *copy, size_t size)
{
	struct address_space *mapping;
	struct copy_bo *bo;
	int ret;

	bo = kzalloc_obj(*bo, GFP_KERNEL_ACCOUNT);
	if (!bo)
		return ERR_PTR(-ENOMEM);

	bo->shmem.base.funcs = &copy_bo_own_funcs;
	ret = drm_gem_shmem_init(&copy->drm, &bo->shmem, size);
	if (ret) {
		kfree(bo);
		return ERR_PTR(ret);
	}

	if (copy->dma32) {
		mapping = bo->shmem.base.filp->f_mapping;
		mapping_set_gfp_mask(mapping, GFP_USER | __GFP_DMA32 |
				     __GFP_RETRY_MAYFAIL | __GFP_NOWARN);
	}

	ret = copy_bo_register(copy, bo);
	if (ret) {
		drm_gem_shmem_release(&bo->shmem);
		kfree(bo);
		return ERR_PTR(ret);
	}
	return bo;
}

/*
 * Import
 */

static void copy_bo_invalidate(struct phyr_attachment *attach)
{
	struct copy_bo *bo = phyr_attachment_priv(attach);

	dma_resv_assert_held(copy_bo_resv(bo));
	bo->stale = true;
}

static const struct phyr_importer_ops copy_importer_ops = {
	.invalidate = copy_bo_invalidate,
};

static struct copy_bo *copy_bo_attach(struct copy_device *copy,
				      struct dma_buf *dmabuf)
{
	struct copy_bo *bo;
	int ret;

	bo = kzalloc_obj(*bo, GFP_KERNEL_ACCOUNT);
	if (!bo)
		return ERR_PTR(-ENOMEM);

	bo->shmem.base.funcs = &copy_bo_imported_funcs;
	bo->shmem.base.resv = dmabuf->resv;
	drm_gem_private_object_init(&copy->drm, &bo->shmem.base, dmabuf->size);
	bo->dmabuf = dmabuf;
	/* No limits: the engine splits ranges itself. */
	bo->attach = phyr_attach(dmabuf, copy->drm.dev, &copy_importer_ops,
				 NULL, bo);
	if (IS_ERR(bo->attach)) {
		ret = PTR_ERR(bo->attach);
		goto err_release;
	}

	phyr_inject_delay();
	ret = copy_bo_register(copy, bo);
	if (ret)
		goto err_detach;

	/* Owned by @bo, dropped in copy_bo_imported_free(). */
	get_dma_buf(dmabuf);
	return bo;

err_detach:
	phyr_detach(bo->attach);
err_release:
	drm_gem_object_release(&bo->shmem.base);
	kfree(bo);
	return ERR_PTR(ret);
}

/**
 * copy_bo_import - &drm_driver.gem_prime_import
 * @drm: the device
 * @dmabuf: a dma-buf of this or any other driver
 *
 * Context: under drm_device.object_name_lock.
 * Return: the buffer; ERR_PTR(-ENODEV) if the device is gone; or an error of
 * phyr_attach().
 */
struct drm_gem_object *copy_bo_import(struct drm_device *drm,
				      struct dma_buf *dmabuf)
{
	struct drm_gem_object *obj;
	struct copy_bo *bo;
	int idx;

	if (drm_gem_is_prime_exported_dma_buf(drm, dmabuf)) {
		obj = dmabuf->priv;
		drm_gem_object_get(obj);
		return obj;
	}

	if (!drm_dev_enter(drm, &idx))
		return ERR_PTR(-ENODEV);
	bo = copy_bo_attach(to_copy_device(drm), dmabuf);
	drm_dev_exit(idx);
	return IS_ERR(bo) ? ERR_CAST(bo) : &bo->shmem.base;
}

/*
 * Mapping
 */

/*
 * True if DMA to @bo uses bounce buffers. Those are copied only at map and
 * unmap, but the mapping lives as long as the buffer. Behind an IOMMU,
 * page-aligned memory is never bounced.
 */
static bool copy_bo_needs_sync(struct copy_bo *bo, struct device *dev)
{
	struct scatterlist *sg;
	unsigned int i;

	if (use_dma_iommu(dev))
		return false;

	for_each_sgtable_dma_sg(bo->shmem.sgt, sg, i)
		if (dma_need_sync(dev, sg_dma_address(sg)))
			return true;
	return false;
}

/**
 * copy_bo_populate - allocate the pages of an own buffer
 * @bo: any buffer; imported ones need nothing
 *
 * The pages stay until the last reference to @bo is dropped.
 *
 * Context: between drm_dev_enter() and drm_dev_exit(); takes the reservation
 * lock.
 * Return: 0; -EREMOTEIO if DMA to the pages would need bounce buffers; another
 * negative errno.
 */
int copy_bo_populate(struct copy_bo *bo)
{
	struct sg_table *sgt;

	if (bo->dmabuf)
		return 0;

	sgt = drm_gem_shmem_get_pages_sgt(&bo->shmem);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);
	return copy_bo_needs_sync(bo, bo->shmem.base.dev->dev) ? -EREMOTEIO : 0;
}

/**
 * copy_bo_map - map a buffer unless it has a valid mapping
 * @bo: the buffer; an own one must be populated
 *
 * Context: between drm_dev_enter() and drm_dev_exit(), under the reservation
 * lock; may sleep.
 * Return: 0; -EREMOTEIO if the engine cannot reach the memory; -ENODEV if the
 * memory was revoked; another negative errno.
 */
int copy_bo_map(struct copy_bo *bo)
{
	struct dma_range_list *ranges;
	long ret;

	dma_resv_assert_held(copy_bo_resv(bo));

	if (bo->stale) {
		ret = dma_resv_wait_timeout(copy_bo_resv(bo),
					    DMA_RESV_USAGE_BOOKKEEP, true,
					    MAX_SCHEDULE_TIMEOUT);
		if (ret < 0)
			return ret;
		copy_bo_unmap(bo);
	}
	if (bo->ranges)
		return 0;

	if (bo->attach)
		ranges = phyr_map(bo->attach, 0, bo->dmabuf->size,
				  DMA_BIDIRECTIONAL);
	else
		ranges = dma_range_list_from_sgt(bo->shmem.sgt, NULL);
	if (IS_ERR(ranges))
		return PTR_ERR(ranges);
	WRITE_ONCE(bo->ranges, ranges);
	return 0;
}

/*
 * Lookup
 */

/**
 * copy_bo_lookup - look up a buffer by handle
 * @file: the client
 * @handle: a GEM handle of @file
 *
 * Return: the buffer with a reference, or NULL.
 */
struct copy_bo *copy_bo_lookup(struct drm_file *file, u32 handle)
{
	struct drm_gem_object *obj = drm_gem_object_lookup(file, handle);

	return obj ? to_copy_bo(obj) : NULL;
}

/**
 * copy_bo_next - iterate over the buffers of a device
 * @copy: the device
 * @id: in: ID to start after; out: ID of the returned buffer
 *
 * Return: the buffer with a reference, or NULL after the last one.
 */
struct copy_bo *copy_bo_next(struct copy_device *copy, unsigned long *id)
{
	struct copy_bo *bo;

	xa_lock(&copy->bos);
	do
		bo = xa_find_after(&copy->bos, id, ULONG_MAX, XA_PRESENT);
	while (bo && !kref_get_unless_zero(&bo->shmem.base.refcount));
	xa_unlock(&copy->bos);
	return bo;
}

/**
 * copy_bos_stop - destroy all mappings and attachments
 * @copy: the device
 *
 * Context: after drm_dev_unplug() and copy_jobs_stop(), so no buffer is created
 * concurrently; may sleep.
 */
void copy_bos_stop(struct copy_device *copy)
{
	struct copy_bo *bo;
	unsigned long id = 0;

	while ((bo = copy_bo_next(copy, &id))) {
		copy_bo_stop(copy, bo);
		copy_bo_put(bo);
	}

	/* Wait for buffers whose last reference is being dropped. */
	wait_event(copy->idle, !atomic_read(&copy->live_bos));
}

/*
 * Ioctls
 */

/**
 * copy_gem_create_ioctl - DRM_IOCTL_PHYR_COPY_GEM_CREATE
 * @drm: the device
 * @data: struct drm_phyr_copy_gem_create
 * @file: the client
 *
 * Return: 0 or a negative errno.
 */
int copy_gem_create_ioctl(struct drm_device *drm, void *data,
			  struct drm_file *file)
{
	struct drm_phyr_copy_gem_create *args = data;
	struct copy_bo *bo;
	int idx;
	int ret;

	if (args->flags || !args->size)
		return -EINVAL;
	if (args->size > (u64)totalram_pages() << PAGE_SHIFT)
		return -E2BIG;

	if (!drm_dev_enter(drm, &idx))
		return -ENODEV;
	bo = copy_bo_create(to_copy_device(drm), PAGE_ALIGN(args->size));
	drm_dev_exit(idx);
	if (IS_ERR(bo))
		return PTR_ERR(bo);

	args->size = bo->shmem.base.size;
	ret = drm_gem_handle_create(file, &bo->shmem.base, &args->handle);
	copy_bo_put(bo);
	return ret;
}

/**
 * copy_gem_mmap_ioctl - DRM_IOCTL_PHYR_COPY_GEM_MMAP
 * @drm: the device
 * @data: struct drm_phyr_copy_gem_mmap
 * @file: the client
 *
 * Return: 0 or a negative errno.
 */
int copy_gem_mmap_ioctl(struct drm_device *drm, void *data,
			struct drm_file *file)
{
	struct drm_phyr_copy_gem_mmap *args = data;
	struct copy_bo *bo;
	int ret = 0;

	if (args->pad)
		return -EINVAL;

	bo = copy_bo_lookup(file, args->handle);
	if (!bo)
		return -ENOENT;
	if (bo->dmabuf)
		ret = -EINVAL;
	else
		args->offset = drm_vma_node_offset_addr(&bo->shmem.base.vma_node);
	copy_bo_put(bo);
	return ret;
}

/**
 * copy_gem_info_ioctl - DRM_IOCTL_PHYR_COPY_GEM_INFO
 * @drm: the device
 * @data: struct drm_phyr_copy_gem_info
 * @file: the client
 *
 * Return: 0 or a negative errno.
 */
int copy_gem_info_ioctl(struct drm_device *drm, void *data,
			struct drm_file *file)
{
	struct drm_phyr_copy_gem_info *args = data;
	struct copy_bo *bo;

	if (args->flags)
		return -EINVAL;

	bo = copy_bo_lookup(file, args->handle);
	if (!bo)
		return -ENOENT;
	args->flags = bo->dmabuf ? DRM_PHYR_COPY_GEM_IMPORTED : 0;
	args->size = bo->shmem.base.size;
	args->id = bo->id;
	copy_bo_put(bo);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Buffers
 *
 * Terms
 *	own		allocated by this driver, in shmem pages; exportable
 *	imported	another driver's dma-buf, in any kind of memory
 *	user		pinned memory of a process; attached like an import, by a
 *			dma-buf that only this driver has
 *	composed	parts of imported and user buffers (compose.c); attached
 *			like an import
 *
 * Invariants
 * - After remove() no buffer has a mapping or an attachment, even if it is
 *   still referenced. The dma-buf reference is held until the buffer is freed,
 *   because the reservation object is part of the dma-buf.
 * - Closing a handle does not wait for a reservation lock, which an exporter
 *   may hold while it waits for a job: a buffer whose lock is busy is freed by
 *   a worker.
 */
#include <linux/dma-buf.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-resv.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/phyr_inject.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>

#include "copy.h"

/**
 * copy_bo_status - &drm_gem_object_funcs.status of every buffer
 * @obj: the buffer
 *
 * Return: DRM_GEM_OBJECT_RESIDENT for memory that is allocated or mapped, or 0.
 */
enum drm_gem_object_status copy_bo_status(struct drm_gem_object *obj)
{
	struct copy_bo *bo = to_copy_bo(obj);
	bool resident = true;

	if (!bo->dmabuf)
		resident = READ_ONCE(bo->shmem.pages);
	else if (!bo->user)
		resident = READ_ONCE(bo->map);
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
	copy_map_drop(bo);
	dma_resv_unlock(copy_bo_resv(bo));

	phyr_inject_delay();
	if (bo->attach)
		phyr_detach(bo->attach);
	bo->attach = NULL;
	bo->live = false;
	copy_dec_and_wake(copy, &copy->live_bos);
}

static void copy_bo_release(struct copy_bo *bo)
{
	struct drm_gem_object *obj = &bo->shmem.base;

	copy_bo_stop(to_copy_device(obj->dev), bo);
	if (bo->dmabuf) {
		drm_gem_object_release(obj);
		dma_buf_put(bo->dmabuf);
	} else {
		dma_resv_lock(obj->resv, NULL);
		if (bo->pinned)
			drm_gem_shmem_unpin_locked(&bo->shmem);
		dma_resv_unlock(obj->resv);
		drm_gem_shmem_release(&bo->shmem);
	}
	kfree(bo);
}

static void copy_bo_free_work(struct work_struct *work)
{
	copy_bo_release(container_of(work, struct copy_bo, free_work));
}

/* Can it be detached without a wait for a lock? */
static bool copy_bo_is_free(const struct copy_bo *bo)
{
	/* The detach takes the locks of all parts. */
	if (copy_bo_resv_at(bo, 1) || !dma_resv_trylock(copy_bo_resv(bo)))
		return false;
	dma_resv_unlock(copy_bo_resv(bo));
	return true;
}

/**
 * copy_bo_free - &drm_gem_object_funcs.free of every buffer
 * @obj: the buffer, without a reference
 *
 * Context: may sleep, but does not wait for a reservation lock.
 */
void copy_bo_free(struct drm_gem_object *obj)
{
	struct copy_device *copy = to_copy_device(obj->dev);
	struct copy_bo *bo = to_copy_bo(obj);

	xa_erase(&copy->bos, bo->id);
	phyr_inject_delay();

	/* A live buffer keeps remove() from destroying the workqueue. */
	if (bo->live && !copy_bo_is_free(bo)) {
		INIT_WORK(&bo->free_work, copy_bo_free_work);
		queue_work(copy->wq, &bo->free_work);
		return;
	}
	copy_bo_release(bo);
}

/*
 * For an importer, which may write the pages. The shmem helper would leave them
 * clean for reclaim to drop.
 */
static int copy_bo_own_pin(struct drm_gem_object *obj)
{
	struct drm_gem_shmem_object *shmem = &to_copy_bo(obj)->shmem;
	int ret = drm_gem_shmem_pin_locked(shmem);

	if (!ret)
		shmem->pages_mark_dirty_on_put = true;
	return ret;
}

static const struct drm_gem_object_funcs copy_bo_own_funcs = {
	.free = copy_bo_free,
	.print_info = drm_gem_shmem_object_print_info,
	.pin = copy_bo_own_pin,
	.unpin = drm_gem_shmem_object_unpin,
	.get_sg_table = drm_gem_shmem_object_get_sg_table,
	.vmap = drm_gem_shmem_object_vmap,
	.vunmap = drm_gem_shmem_object_vunmap,
	.mmap = copy_bo_own_mmap,
	.status = copy_bo_status,
	.vm_ops = &copy_bo_vm_ops,
};

static const struct drm_gem_object_funcs copy_bo_imported_funcs = {
	.free = copy_bo_free,
	.status = copy_bo_status,
};

/* Whoever got a dma-buf could use the memory long after it was unmapped. */
static struct dma_buf *copy_bo_user_export(struct drm_gem_object *obj,
					   int flags)
{
	return ERR_PTR(-EOPNOTSUPP);
}

/* The same for whoever knows its global name. */
static int copy_bo_user_open(struct drm_gem_object *obj, struct drm_file *file)
{
	return to_copy_bo(obj)->user == file ? 0 : -EACCES;
}

const struct drm_gem_object_funcs copy_bo_user_funcs = {
	.free = copy_bo_free,
	.open = copy_bo_user_open,
	.export = copy_bo_user_export,
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
	copy_map_drop(bo);
}

static const struct phyr_importer_ops copy_importer_ops = {
	.invalidate = copy_bo_invalidate,
	.locks_parts = true,
};

/**
 * copy_bo_attach - create a buffer of a dma-buf
 * @copy: the device
 * @dmabuf: the dma-buf; the buffer takes a reference
 * @funcs: of the GEM object
 *
 * Context: between drm_dev_enter() and drm_dev_exit(); may sleep.
 * Return: the buffer with a reference, or ERR_PTR: -ENOMEM or as phyr_attach().
 */
struct copy_bo *copy_bo_attach(struct copy_device *copy, struct dma_buf *dmabuf,
			       const struct drm_gem_object_funcs *funcs)
{
	struct copy_bo *bo;
	int ret;

	bo = kzalloc_obj(*bo, GFP_KERNEL_ACCOUNT);
	if (!bo)
		return ERR_PTR(-ENOMEM);

	bo->shmem.base.funcs = funcs;
	bo->shmem.base.resv = dmabuf->resv;
	/* The size of a GEM object must be whole pages. */
	drm_gem_private_object_init(&copy->drm, &bo->shmem.base,
				    PAGE_ALIGN(dmabuf->size));
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

	/* Owned by @bo, dropped in copy_bo_release(). */
	get_dma_buf(dmabuf);
	return bo;

err_detach:
	phyr_detach(bo->attach);
err_release:
	drm_gem_object_release(&bo->shmem.base);
	kfree(bo);
	return ERR_PTR(ret);
}

/*
 * Return: the buffer with a reference; ERR_PTR(-ENODEV) if the device is gone;
 * or an error of phyr_attach().
 */
static struct drm_gem_object *copy_bo_import(struct drm_device *drm,
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
	bo = copy_bo_attach(to_copy_device(drm), dmabuf,
			    &copy_bo_imported_funcs);
	drm_dev_exit(idx);
	return IS_ERR(bo) ? ERR_CAST(bo) : &bo->shmem.base;
}

/**
 * copy_prime_fd_to_handle - &drm_driver.prime_fd_to_handle
 * @drm: the device
 * @file: the client
 * @fd: file descriptor of a dma-buf
 * @handle: out: a GEM handle
 *
 * Return: 0 or a negative errno.
 */
int copy_prime_fd_to_handle(struct drm_device *drm, struct drm_file *file,
			    int fd, u32 *handle)
{
	return early_import_fd_to_handle(&to_copy_device(drm)->imports, drm,
					 file, fd, handle, copy_bo_import);
}

/**
 * copy_prime_import - &drm_driver.gem_prime_import
 * @drm: the device
 * @dmabuf: the dma-buf that copy_prime_fd_to_handle() has imported
 *
 * Context: under drm_device.object_name_lock.
 * Return: the object, or ERR_PTR().
 */
struct drm_gem_object *copy_prime_import(struct drm_device *drm,
					 struct dma_buf *dmabuf)
{
	return early_import_take(&to_copy_device(drm)->imports, dmabuf);
}

/**
 * copy_bo_populate - allocate the pages of an own buffer
 * @bo: any buffer; imported ones need nothing
 *
 * The pages stay until the last reference to @bo is dropped.
 *
 * Context: takes the reservation lock; may sleep.
 * Return: 0, -EINTR or another negative errno.
 */
int copy_bo_populate(struct copy_bo *bo)
{
	int ret;

	if (bo->dmabuf)
		return 0;

	ret = dma_resv_lock_interruptible(copy_bo_resv(bo), NULL);
	if (ret)
		return ret;
	if (!bo->pinned) {
		ret = drm_gem_shmem_pin_locked(&bo->shmem);
		bo->pinned = !ret;
	}
	dma_resv_unlock(copy_bo_resv(bo));
	return ret;
}

/**
 * copy_bo_add_locks - add the locks that guard a buffer
 * @bo: the buffer; not stopped
 * @locks: locks that are not taken
 *
 * Context: between drm_dev_enter() and drm_dev_exit(); may sleep.
 * Return: 0 or -ENOMEM.
 */
int copy_bo_add_locks(const struct copy_bo *bo, struct phyr_locks *locks)
{
	if (bo->attach)
		return phyr_locks_add_attachment(locks, bo->attach);
	return phyr_locks_add(locks, copy_bo_resv(bo));
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

/**
 * copy_bos_show_fdinfo - print a client's memory
 * @p: printer
 * @file: the client
 *
 * Counts a buffer once, however many handles the client has.
 *
 * Context: may sleep.
 */
void copy_bos_show_fdinfo(struct drm_printer *p, struct drm_file *file)
{
	struct copy_device *copy = to_copy_device(file->minor->dev);
	struct drm_memory_stats stats = {};
	struct drm_gem_object *obj;
	struct copy_bo *bo;
	unsigned long id = 0;

	while ((bo = copy_bo_next(copy, &id))) {
		obj = &bo->shmem.base;
		if (drm_vma_node_is_allowed(&obj->vma_node, file)) {
			if (drm_gem_object_is_shared_for_memory_stats(obj))
				stats.shared += obj->size;
			else
				stats.private += obj->size;
			if (copy_bo_status(obj) & DRM_GEM_OBJECT_RESIDENT)
				stats.resident += obj->size;
			if (!dma_resv_test_signaled(obj->resv,
						    dma_resv_usage_rw(true)))
				stats.active += obj->size;
		}
		copy_bo_put(bo);
		cond_resched();
	}
	drm_print_memory_stats(p, &stats, DRM_GEM_OBJECT_RESIDENT |
			       DRM_GEM_OBJECT_ACTIVE, "memory");
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

static struct copy_bo *copy_bo_create_user(struct copy_device *copy,
					   const struct drm_file *file,
					   struct dma_buf *dmabuf,
					   bool readonly)
{
	struct copy_bo *bo;
	int idx;

	if (!drm_dev_enter(&copy->drm, &idx))
		return ERR_PTR(-ENODEV);
	/* Nobody syncs user memory with a device that sees no CPU caches. */
	if (dev_is_dma_coherent(copy->drm.dev))
		bo = copy_bo_attach(copy, dmabuf, &copy_bo_user_funcs);
	else
		bo = ERR_PTR(-EREMOTEIO);
	drm_dev_exit(idx);
	if (!IS_ERR(bo)) {
		bo->user = file;
		bo->readonly = readonly;
	}
	return bo;
}

/**
 * copy_gem_userptr_ioctl - DRM_IOCTL_PHYR_COPY_GEM_USERPTR
 * @drm: the device
 * @data: struct drm_phyr_copy_gem_userptr
 * @file: the client
 *
 * Return: 0 or a negative errno.
 */
int copy_gem_userptr_ioctl(struct drm_device *drm, void *data,
			   struct drm_file *file)
{
	struct drm_phyr_copy_gem_userptr *args = data;
	bool readonly = args->flags & DRM_PHYR_COPY_USERPTR_READONLY;
	struct dma_buf *dmabuf;
	struct copy_bo *bo;
	int ret;

	if (args->flags & ~DRM_PHYR_COPY_USERPTR_READONLY || !args->size)
		return -EINVAL;

	/* Userspace decides how long this takes: remove() must not wait. */
	dmabuf = phyr_pin_user(args->addr, args->size,
			       readonly ? PHYR_USER_READONLY : 0);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	bo = copy_bo_create_user(to_copy_device(drm), file, dmabuf, readonly);
	dma_buf_put(dmabuf);
	if (IS_ERR(bo))
		return PTR_ERR(bo);

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

	bo = copy_bo_lookup(file, args->handle);
	if (!bo)
		return -ENOENT;
	args->flags = 0;
	if (bo->user)
		args->flags |= DRM_PHYR_COPY_GEM_USER;
	if (bo->composed)
		args->flags |= DRM_PHYR_COPY_GEM_COMPOSED;
	else if (bo->dmabuf && !bo->user)
		args->flags |= DRM_PHYR_COPY_GEM_IMPORTED;
	args->size = copy_bo_size(bo);
	args->id = bo->id;
	copy_bo_put(bo);
	return 0;
}

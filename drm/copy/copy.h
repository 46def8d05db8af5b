/* SPDX-License-Identifier: GPL-2.0 */
/*
 * phyr_copy: a DRM render driver for a copy engine (engine/)
 *
 *	drv.c		the device: probe, remove, ioctl table
 *	gem.c		buffers and their mappings
 *	job.c		clients, their jobs, the scheduler
 *	pm.c		system sleep
 *	debugfs.c	debugfs files, root only
 */
#ifndef _PHYR_COPY_H
#define _PHYR_COPY_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/phyr.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include <drm/drm_device.h>
#include <drm/drm_gem_shmem_helper.h>
#include <drm/gpu_scheduler.h>
#include <drm/phyr_copy_drm.h>

#include "../../engine/engine.h"

struct dev_pm_ops;
struct drm_file;
struct drm_minor;
struct pci_dev;
struct seq_file;

/**
 * struct copy_device - one device
 * @drm: base; manages the memory of this struct
 * @engine: the hardware
 * @sched: runs jobs on @engine, one at a time
 * @dma32: own buffers must be below 4 GiB; constant
 * @wq: releases the resources of finished jobs
 * @clients_lock: guards @clients
 * @clients: clients with a live entity, except those being closed
 * @bos: buffers by ID; has its own lock. Under that lock an entry points to
 *	allocated memory, but its reference count may be 0
 * @bo_id: last buffer ID assigned
 * @live_jobs: jobs queued and not yet freed
 * @live_clients: clients with a live entity
 * @live_bos: buffers in @bos that may still have a mapping or attachment
 * @idle: woken when one of the three live counts becomes 0
 * @suspended: @sched and @engine are stopped; guarded by the lock of the PCI
 *	device
 * @timeout_left: of the current job in @sched, in jiffies; valid while
 *	@suspended
 *
 * Lock order, outermost first
 *
 *	drm_device.object_name_lock	import
 *	clients_lock
 *	a buffer's reservation lock	see struct copy_bo
 *	copy_client.lock
 *	phyr_engine.lock
 *
 * The last reference to a buffer must not be dropped under any of these locks,
 * because that takes the reservation lock, nor from the scheduler's work items.
 */
struct copy_device {
	struct drm_device drm;
	struct phyr_engine engine;
	struct drm_gpu_scheduler sched;
	bool dma32;
	struct workqueue_struct *wq;

	struct mutex clients_lock;	/* clients */
	struct list_head clients;

	struct xarray bos;
	atomic_long_t bo_id;

	atomic_t live_jobs;
	atomic_t live_clients;
	atomic_t live_bos;
	wait_queue_head_t idle;

	bool suspended;
	unsigned long timeout_left;
};

static inline struct copy_device *to_copy_device(struct drm_device *drm)
{
	return container_of(drm, struct copy_device, drm);
}

/**
 * copy_dec_and_wake - decrement a count of live objects
 * @copy: the device
 * @count: one of its three live counts
 *
 * Wakes @copy->idle when @count becomes 0.
 *
 * Context: any; the caller makes sure that @copy outlives the call.
 */
static inline void copy_dec_and_wake(struct copy_device *copy, atomic_t *count)
{
	if (atomic_dec_and_test(count))
		wake_up_all(&copy->idle);
}

/**
 * struct copy_bo - a buffer
 * @shmem: base; an imported buffer uses only its GEM object
 * @id: number in debugfs; constant
 * @dmabuf: the imported dma-buf, with a reference; NULL for an own buffer;
 *	constant
 * @attach: attachment of the engine's device to @dmabuf; NULL for an own
 *	buffer, and after remove()
 * @ranges: mapping of the whole buffer, or NULL; guarded by the reservation
 *	lock. Pending job fences in the reservation object keep it valid for
 *	their jobs
 * @stale: @ranges was invalidated; guarded by the reservation lock
 * @live: counted in copy_device.live_bos; accessed only by remove() and by the
 *	holder of the last reference
 */
struct copy_bo {
	struct drm_gem_shmem_object shmem;
	unsigned long id;
	struct dma_buf *dmabuf;
	struct phyr_attachment *attach;
	struct dma_range_list *ranges;
	bool stale;
	bool live;
};

static inline struct copy_bo *to_copy_bo(struct drm_gem_object *obj)
{
	return container_of(obj, struct copy_bo, shmem.base);
}

static inline struct dma_resv *copy_bo_resv(const struct copy_bo *bo)
{
	return bo->shmem.base.resv;
}

static inline void copy_bo_put(struct copy_bo *bo)
{
	if (bo)
		drm_gem_object_put(&bo->shmem.base);
}

/* gem.c */
int copy_gem_create_ioctl(struct drm_device *drm, void *data,
			  struct drm_file *file);
int copy_gem_mmap_ioctl(struct drm_device *drm, void *data,
			struct drm_file *file);
int copy_gem_info_ioctl(struct drm_device *drm, void *data,
			struct drm_file *file);
struct drm_gem_object *copy_bo_import(struct drm_device *drm,
				      struct dma_buf *dmabuf);
struct copy_bo *copy_bo_lookup(struct drm_file *file, u32 handle);
struct copy_bo *copy_bo_next(struct copy_device *copy, unsigned long *id);
int copy_bo_populate(struct copy_bo *bo);
int copy_bo_map(struct copy_bo *bo);
void copy_bos_stop(struct copy_device *copy);

/* job.c */
int copy_jobs_init(struct copy_device *copy);
void copy_jobs_stop(struct copy_device *copy);
int copy_client_open(struct drm_device *drm, struct drm_file *file);
void copy_client_close(struct drm_device *drm, struct drm_file *file);
int copy_submit_ioctl(struct drm_device *drm, void *data,
		      struct drm_file *file);

/* pm.c */
extern const struct dev_pm_ops copy_pm_ops;
void copy_pm_continue(struct copy_device *copy);

/* debugfs.c */
void copy_debugfs_init(struct drm_minor *minor);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * phyr_copy: a DRM render driver for a copy engine (engine/)
 *
 *	drv.c		the device: probe, remove, ioctl table
 *	gem.c		buffers: creation, import, ioctls
 *	compose.c	buffers of parts of others
 *	vma.c		CPU mappings of the engine's own buffers
 *	map.c		mappings of buffers for the engine
 *	client.c	open files
 *	job.c		jobs, the scheduler
 *	pm.c		system sleep
 *	debugfs.c	debugfs files, root only
 */
#ifndef _PHYR_COPY_H
#define _PHYR_COPY_H

#include <linux/atomic.h>
#include <linux/dma-buf.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/phyr.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include <drm/drm_device.h>
#include <drm/drm_gem_shmem_helper.h>
#include <drm/gpu_scheduler.h>
#include <drm/phyr_copy_drm.h>

#include "../../engine/engine.h"
#include "../early_import.h"

struct copy_map;
struct dev_pm_ops;
struct drm_file;
struct drm_minor;
struct drm_printer;
struct pci_dev;
struct seq_file;

/**
 * struct copy_device - one device
 * @drm: base; manages the memory of this struct
 * @engine: the hardware
 * @sched: runs jobs on @engine, one at a time
 * @dma32: own buffers must be below 4 GiB; constant
 * @wq: releases finished jobs, and buffers whose lock is busy
 * @clients_lock: guards @clients
 * @clients: clients with a live entity, except those being released
 * @bos: buffers by ID; has its own lock. Under that lock an entry points to
 *	allocated memory, but its reference count may be 0
 * @bo_id: last buffer ID assigned
 * @imports: imports that have no handle yet; has its own lock
 * @maps_lock: guards the fields below, as well as the users of each mapping
 * @idle_maps: mappings that no job uses, the one idle for longest first
 * @busy_maps: number of mappings that jobs use or are about to destroy
 * @maps_freed: changes whenever a mapping becomes idle or is destroyed
 * @maps_unmapped: time of the last unmap, in jiffies
 * @maps_wait: woken when @maps_freed changes
 * @room_lock: held by the client that waits for DMA address space, so that
 *	clients get it in turn
 * @live_jobs: jobs queued and not yet freed
 * @live_clients: clients with a live entity
 * @live_bos: buffers in @bos that may still have a mapping or attachment
 * @idle: woken when one of the three live counts becomes 0
 * @suspended: @sched and @engine are stopped; guarded by the lock of the PCI
 *	device
 * @timeout_left: of the current job in @sched, in jiffies; valid while
 *	@suspended
 * @suspended_at: time of the suspend, in jiffies; valid while @suspended
 * @asleep: total time between suspends and resumes, in jiffies, which no job
 *	is charged for; written while @sched is stopped
 *
 * Lock order, outermost first
 *
 *	drm_device.object_name_lock	handles of imported buffers
 *	room_lock
 *	a buffer's reservation lock	see struct copy_bo
 *	copy_client.lock
 *	phyr_engine.lock
 *
 * clients_lock nests in none of these. maps_lock and copy_client.queue_lock
 * are spinlocks and innermost.
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

	struct early_imports imports;

	spinlock_t maps_lock;		/* the mappings' users and the fields below */
	struct list_head idle_maps;
	unsigned int busy_maps;
	u64 maps_freed;
	unsigned long maps_unmapped;
	wait_queue_head_t maps_wait;
	struct mutex room_lock;		/* waiting for DMA address space */

	atomic_t live_jobs;
	atomic_t live_clients;
	atomic_t live_bos;
	wait_queue_head_t idle;

	bool suspended;
	unsigned long timeout_left;
	unsigned long suspended_at;
	unsigned long asleep;
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
 * @dmabuf: the imported or composed dma-buf, or that of user memory, with a
 *	reference; NULL for an own buffer; constant
 * @user: for user memory, and compositions with some, the only client that may
 *	have handles, never dereferenced; or NULL; constant once it has a handle
 * @readonly: the engine must not write it; for user memory, and compositions of
 *	such; constant once it has a handle
 * @composed: @dmabuf was made by DRM_IOCTL_PHYR_COPY_GEM_COMPOSE for this
 *	buffer; constant once it has a handle
 * @attach: attachment of the engine's device to @dmabuf; NULL for an own
 *	buffer, and after remove()
 * @map: the mapping that new jobs use if it covers their part, or NULL; guarded
 *	by the reservation lock
 * @pinned: the pages of an own buffer are allocated; guarded by the reservation
 *	lock
 * @live: counted in copy_device.live_bos; accessed only by remove() and by the
 *	holder of the last reference
 * @free_work: frees the buffer, on copy_device.wq, if its lock is busy
 */
struct copy_bo {
	struct drm_gem_shmem_object shmem;
	unsigned long id;
	struct dma_buf *dmabuf;
	const struct drm_file *user;
	bool readonly;
	bool composed;
	struct phyr_attachment *attach;
	struct copy_map *map;
	bool pinned;
	bool live;
	struct work_struct free_work;
};

static inline struct copy_bo *to_copy_bo(struct drm_gem_object *obj)
{
	return container_of(obj, struct copy_bo, shmem.base);
}

/* Bytes; no whole number of pages for user memory. */
static inline u64 copy_bo_size(const struct copy_bo *bo)
{
	return bo->dmabuf ? bo->dmabuf->size : bo->shmem.base.size;
}

static inline struct dma_resv *copy_bo_resv(const struct copy_bo *bo)
{
	return bo->shmem.base.resv;
}

/* The reservation objects that guard a buffer: its own, then its parts'. */
static inline struct dma_resv *copy_bo_resv_at(const struct copy_bo *bo,
					       unsigned int i)
{
	if (bo->attach)
		return phyr_attachment_resv(bo->attach, i);
	return i ? NULL : copy_bo_resv(bo);
}

static inline void copy_bo_put(struct copy_bo *bo)
{
	if (bo)
		drm_gem_object_put(&bo->shmem.base);
}

/**
 * struct copy_client - an open file, and its jobs after the file is closed
 * @copy: the device; constant
 * @ref: one reference for the file, one for each job
 * @entity: gives one job at a time to the scheduler
 * @rcu: frees this struct
 * @lock: held from arming a job to queueing it, so that fences are in job order
 * @queue_lock: guards @queue and @pushed
 * @queue: armed jobs that the scheduler does not have yet (copy_job.node)
 * @pushed: the scheduler has a job that has not started
 * @jobs: jobs that are not freed yet
 * @room: woken when @jobs decreases
 * @busy: time that the engine worked for the client, in nanoseconds
 * @node: in copy_device.clients; removed by whoever is about to destroy
 *	@entity. Guarded by copy_device.clients_lock
 */
struct copy_client {
	struct copy_device *copy;
	struct kref ref;
	struct drm_sched_entity entity;
	struct rcu_head rcu;
	struct mutex lock;		/* arm and queue */
	spinlock_t queue_lock;		/* queue, pushed */
	struct list_head queue;
	bool pushed;
	atomic_t jobs;
	wait_queue_head_t room;
	atomic64_t busy;
	struct list_head node;
};

/* gem.c */
extern const struct drm_gem_object_funcs copy_bo_user_funcs;
enum drm_gem_object_status copy_bo_status(struct drm_gem_object *obj);
void copy_bo_free(struct drm_gem_object *obj);
int copy_gem_create_ioctl(struct drm_device *drm, void *data,
			  struct drm_file *file);
int copy_gem_userptr_ioctl(struct drm_device *drm, void *data,
			   struct drm_file *file);
int copy_gem_mmap_ioctl(struct drm_device *drm, void *data,
			struct drm_file *file);
int copy_gem_info_ioctl(struct drm_device *drm, void *data,
			struct drm_file *file);
int copy_prime_fd_to_handle(struct drm_device *drm, struct drm_file *file,
			    int fd, u32 *handle);
struct drm_gem_object *copy_prime_import(struct drm_device *drm,
					 struct dma_buf *dmabuf);
struct copy_bo *copy_bo_lookup(struct drm_file *file, u32 handle);
struct copy_bo *copy_bo_next(struct copy_device *copy, unsigned long *id);
struct copy_bo *copy_bo_attach(struct copy_device *copy, struct dma_buf *dmabuf,
			       const struct drm_gem_object_funcs *funcs);
int copy_bo_populate(struct copy_bo *bo);
int copy_bo_add_locks(const struct copy_bo *bo, struct phyr_locks *locks);
void copy_bos_stop(struct copy_device *copy);
void copy_bos_show_fdinfo(struct drm_printer *p, struct drm_file *file);

/* compose.c */
int copy_gem_compose_ioctl(struct drm_device *drm, void *data,
			   struct drm_file *file);

/* vma.c */
extern const struct vm_operations_struct copy_bo_vm_ops;
int copy_bo_own_mmap(struct drm_gem_object *obj, struct vm_area_struct *vma);

/* map.c */
int copy_maps_init(struct copy_device *copy);
struct copy_map *copy_map_get(struct copy_bo *bo, u64 offset, u64 len);
void copy_map_start(const struct copy_map *map, struct phyr_engine_walk *walk,
		    u64 offset);
bool copy_map_is_stale(const struct copy_map *map);
void copy_map_put(struct copy_map *map);
void copy_map_cancel(struct copy_map *map);
void copy_map_drop(struct copy_bo *bo);
const struct dma_range_list *copy_map_ranges(const struct copy_map *map,
					     u64 *start);
bool copy_maps_alone(struct copy_device *copy, u64 *freed);
int copy_maps_make_room(struct copy_device *copy, u64 bytes, u64 freed);

/* client.c */
int copy_clients_init(struct copy_device *copy);
void copy_clients_stop(struct copy_device *copy);
int copy_client_open(struct drm_device *drm, struct drm_file *file);
void copy_client_close(struct drm_device *drm, struct drm_file *file);
int copy_client_get_room(struct copy_client *client);
void copy_client_put_room(struct copy_client *client);

/* job.c */
int copy_jobs_init(struct copy_device *copy);
void copy_jobs_stop(struct copy_device *copy);
void copy_jobs_fini(struct copy_device *copy);
int copy_submit_ioctl(struct drm_device *drm, void *data,
		      struct drm_file *file);

/* pm.c */
extern const struct dev_pm_ops copy_pm_ops;
void copy_pm_continue(struct copy_device *copy);

/* debugfs.c */
void copy_debugfs_init(struct drm_minor *minor);

#endif

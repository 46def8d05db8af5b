// SPDX-License-Identifier: GPL-2.0
/*
 * Jobs and the scheduler
 *
 * Terms
 *	client		an open file (client.c); its jobs run in order
 *	job		one submitted copy: an engine run, references to its two
 *			buffers and their mappings, and the scheduler's job
 *	turn		clients with jobs take turns, one job each
 *
 * Submission validates the arguments and maps both buffers before it publishes
 * the job's fence. After that the job waits for fences only, never for
 * userspace.
 *
 * The scheduler runs what was pushed first. It gets a client's next job when
 * the one before has started, so a long queue is behind another client's job
 * that was submitted meanwhile.
 *
 * Invariants
 * - A job references its buffers and mappings until it is freed. The range
 *   lists that its run walks stay valid until its fence signals (map.c).
 * - The scheduler's work items never drop a buffer reference: dropping the last
 *   one takes a reservation lock, whose holder may be moving memory and waiting
 *   for a later job.
 * - The scheduler outlives its entities: copy_jobs_stop() destroys the entities
 *   of clients that are still open.
 * - A client has at most PHYR_COPY_MAX_JOBS jobs. Beyond that, submission waits
 *   for a job to be freed; it holds no other resource while waiting.
 * - A job ends at most PHYR_COPY_MAX_SECONDS after it has started, plus
 *   COPY_TIMEOUT.
 *
 * Limits: a failed job does not stop later ones.
 */
#include <linux/dma-resv.h>
#include <linux/jiffies.h>
#include <linux/overflow.h>
#include <linux/phyr_inject.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_print.h>
#include <drm/drm_syncobj.h>

#include "copy.h"

/* The engine hangs if no script completes within this time. */
#define COPY_TIMEOUT msecs_to_jiffies(5000)

/**
 * struct copy_job - a copy
 * @base: the scheduler's job
 * @copy: the device; constant
 * @client: the submitter; a published job owns a count and a reference of
 *	copy_client_get_room(); constant
 * @run: the engine's run; the job owns a reference to @run.fence
 * @src: buffer to read, with a reference; constant
 * @dst: buffer to write, with a reference, may be @src; constant
 * @src_map: mapping of the part to read, or NULL before it is mapped
 * @dst_map: mapping of the part to write, or NULL before it is mapped
 * @node: in copy_client.queue until its turn
 * @started: time at which the run started, by copy_job_clock()
 * @free_work: releases the job's resources, on copy_device.wq
 */
struct copy_job {
	struct drm_sched_job base;
	struct copy_device *copy;
	struct copy_client *client;
	struct phyr_engine_run run;
	struct copy_bo *src;
	struct copy_bo *dst;
	struct copy_map *src_map;
	struct copy_map *dst_map;
	struct list_head node;
	unsigned long started;
	struct work_struct free_work;
};

static struct copy_job *to_copy_job(struct drm_sched_job *base)
{
	return container_of(base, struct copy_job, base);
}

static void copy_job_release(struct copy_job *job)
{
	struct dma_fence *fence = job->run.fence;

	if (fence && test_bit(DMA_FENCE_FLAG_INITIALIZED_BIT, &fence->flags))
		dma_fence_put(fence);
	else
		kfree(fence);
	if (job->src_map)
		copy_map_put(job->src_map);
	if (job->dst_map)
		copy_map_put(job->dst_map);
	copy_bo_put(job->src);
	copy_bo_put(job->dst);
	kfree(job);
}

static void copy_job_free_work(struct work_struct *work)
{
	struct copy_job *job = container_of(work, struct copy_job, free_work);
	struct copy_client *client = job->client;
	struct copy_device *copy = job->copy;

	phyr_inject_delay();
	copy_job_release(job);
	copy_client_put_room(client);
	copy_dec_and_wake(copy, &copy->live_jobs);
}

/*
 * Turns
 */

/* Push a job, or queue it behind the client's last one that is not started. */
static void copy_job_push(struct copy_job *job)
{
	struct copy_client *client = job->client;

	scoped_guard(spinlock, &client->queue_lock) {
		if (client->pushed) {
			list_add_tail(&job->node, &client->queue);
			return;
		}
		client->pushed = true;
	}
	drm_sched_entity_push_job(&job->base);
}

/* The client's pushed job starts: push the next one. */
static void copy_client_push_next(struct copy_client *client)
{
	struct copy_job *next;

	scoped_guard(spinlock, &client->queue_lock) {
		next = list_first_entry_or_null(&client->queue, struct copy_job,
						node);
		if (next)
			list_del_init(&next->node);
		else
			client->pushed = false;
	}
	if (next)
		drm_sched_entity_push_job(&next->base);
}

/*
 * Scheduler callbacks
 */

/* The time in jiffies, which stands still while the device is suspended. */
static unsigned long copy_job_clock(const struct copy_device *copy)
{
	return jiffies - copy->asleep;
}

static struct dma_fence *copy_job_run(struct drm_sched_job *base)
{
	struct copy_job *job = to_copy_job(base);
	bool cookie = dma_fence_begin_signalling();
	struct dma_fence *fence;

	copy_client_push_next(job->client);
	phyr_inject_delay();
	job->started = copy_job_clock(job->copy);
	fence = phyr_engine_start(&job->copy->engine, &job->run);
	dma_fence_end_signalling(cookie);
	return fence;
}

static enum drm_gpu_sched_stat copy_job_timedout(struct drm_sched_job *base)
{
	struct copy_job *job = to_copy_job(base);
	struct copy_device *copy = job->copy;
	bool late = time_after(copy_job_clock(copy), job->started +
			       secs_to_jiffies(PHYR_COPY_MAX_SECONDS));

	if (!phyr_engine_progress(&copy->engine, &job->run) || late) {
		if (job->run.injected)
			drm_notice(&copy->drm, "injected engine hang, reset\n");
		else if (late)
			drm_err(&copy->drm, "copy of %llu bytes not done after %d s, reset\n",
				job->run.len, PHYR_COPY_MAX_SECONDS);
		else
			drm_err(&copy->drm, "engine hang, reset\n");
		phyr_engine_abort(&copy->engine, &job->run, -ETIMEDOUT);
	}

	/*
	 * Also after a reset: with this status the scheduler puts the job back
	 * on its list and frees it once its fence has signalled. The reset lost
	 * no other job, so drm_sched_stop() and drm_sched_start(), which would
	 * end all pending jobs, are not needed.
	 */
	return DRM_GPU_SCHED_STAT_NO_HANG;
}

static void copy_job_free(struct drm_sched_job *base)
{
	struct copy_job *job = to_copy_job(base);
	s64 time;

	time = ktime_sub(dma_fence_timestamp(&base->s_fence->finished),
			 dma_fence_timestamp(&base->s_fence->scheduled));
	atomic64_add(max(time, 0), &job->client->busy);
	drm_sched_job_cleanup(base);
	queue_work(job->copy->wq, &job->free_work);
}

static void copy_job_cancel(struct drm_sched_job *base)
{
	struct copy_job *job = to_copy_job(base);

	phyr_engine_abort(&job->copy->engine, &job->run, -ENODEV);
}

static const struct drm_sched_backend_ops copy_sched_ops = {
	.run_job = copy_job_run,
	.timedout_job = copy_job_timedout,
	.free_job = copy_job_free,
	.cancel_job = copy_job_cancel,
};

/**
 * copy_jobs_init - start the scheduler
 * @copy: the device; its engine is initialised
 *
 * Context: probe.
 * Return: 0, in which case the caller must call copy_jobs_stop() later, or a
 * negative errno.
 */
int copy_jobs_init(struct copy_device *copy)
{
	const struct drm_sched_init_args args = {
		.ops = &copy_sched_ops,
		.num_rqs = DRM_SCHED_PRIORITY_COUNT,
		.credit_limit = 1,
		.timeout = COPY_TIMEOUT,
		.name = "phyr_copy",
		.dev = copy->drm.dev,
	};
	int ret;

	copy->wq = alloc_workqueue("phyr_copy", WQ_UNBOUND, 0);
	if (!copy->wq)
		return -ENOMEM;
	ret = drm_sched_init(&copy->sched, &args);
	if (ret)
		destroy_workqueue(copy->wq);
	return ret;
}

/**
 * copy_jobs_stop - stop the engine and the scheduler permanently
 * @copy: the device
 *
 * Ends running and queued jobs with -ENODEV; queued jobs still wait for their
 * dependencies first. On return no job, no entity and no pending fence is left.
 *
 * Context: after drm_dev_unplug(), or if the device was never registered; may
 * sleep.
 */
void copy_jobs_stop(struct copy_device *copy)
{
	phyr_engine_stop(&copy->engine);
	copy_pm_continue(copy);
	wait_event(copy->idle, !atomic_read(&copy->live_jobs));
	copy_clients_stop(copy);

	/* drm_sched_fini() needs idle work items; one queues the other. */
	flush_work(&copy->sched.work_free_job);
	flush_work(&copy->sched.work_run_job);
	drm_sched_fini(&copy->sched);

	/* Fence name callbacks may still read the scheduler under RCU. */
	synchronize_rcu();
}

/**
 * copy_jobs_fini - wait for what copy_device.wq releases
 * @copy: the device
 *
 * Context: after copy_jobs_stop() and, if the device was registered,
 * copy_bos_stop(); may sleep.
 */
void copy_jobs_fini(struct copy_device *copy)
{
	destroy_workqueue(copy->wq);
}

/*
 * Submission
 */

/* Return: 0, or -EINVAL if the range exceeds the buffer. */
static int copy_check_range(const struct copy_bo *bo, u64 offset, u64 len)
{
	u64 end;

	if (check_add_overflow(offset, len, &end) || end > copy_bo_size(bo))
		return -EINVAL;
	return 0;
}

static int copy_job_check(const struct copy_job *job,
			  const struct drm_phyr_copy_submit *args)
{
	u64 src = args->src_offset;
	u64 dst = args->dst_offset;
	u64 len = args->len;

	if (copy_check_range(job->src, src, len) ||
	    copy_check_range(job->dst, dst, len))
		return -EINVAL;
	if (job->src == job->dst && src < dst + len && dst < src + len)
		return -EINVAL;
	if (len > PHYR_COPY_MAX_LEN)
		return -E2BIG;
	return job->dst->readonly ? -EACCES : 0;
}

static void copy_job_discard(struct copy_job *job)
{
	if (job->base.s_fence)
		drm_sched_job_cleanup(&job->base);
	copy_job_release(job);
}

static struct copy_job *
copy_job_create(struct copy_device *copy, struct drm_file *file,
		const struct drm_phyr_copy_submit *args)
{
	struct copy_client *client = file->driver_priv;
	struct copy_job *job;
	int ret = -ENOENT;

	job = kzalloc_obj(*job, GFP_KERNEL_ACCOUNT);
	if (!job)
		return ERR_PTR(-ENOMEM);

	job->copy = copy;
	job->client = client;
	INIT_LIST_HEAD(&job->node);
	INIT_WORK(&job->free_work, copy_job_free_work);
	job->run.len = args->len;
	job->run.left = args->len;
	job->src = copy_bo_lookup(file, args->src_handle);
	job->dst = copy_bo_lookup(file, args->dst_handle);
	if (!job->src || !job->dst)
		goto err_discard;
	ret = copy_job_check(job, args);
	if (ret)
		goto err_discard;

	ret = -ENOMEM;
	job->run.fence = kzalloc_obj(*job->run.fence, GFP_KERNEL_ACCOUNT);
	if (!job->run.fence)
		goto err_discard;
	ret = drm_sched_job_init(&job->base, &client->entity, 1, client,
				 file->client_id);
	if (ret)
		goto err_discard;
	return job;

err_discard:
	copy_job_discard(job);
	return ERR_PTR(ret);
}

/* Under the reservation locks of both buffers, as the next functions. */
static int copy_job_map(struct copy_job *job,
			const struct drm_phyr_copy_submit *args)
{
	struct copy_map *map;

	map = copy_map_get(job->src, args->src_offset, args->len);
	if (IS_ERR(map))
		return PTR_ERR(map);
	job->src_map = map;
	copy_map_start(map, &job->run.src, args->src_offset);

	map = copy_map_get(job->dst, args->dst_offset, args->len);
	if (IS_ERR(map))
		return PTR_ERR(map);
	job->dst_map = map;
	copy_map_start(map, &job->run.dst, args->dst_offset);
	/* To map @dst may have moved a part that both have. */
	return copy_map_is_stale(job->src_map) ? -EAGAIN : 0;
}

/* If the job will not be published. */
static void copy_job_unmap(struct copy_job *job)
{
	if (job->dst_map)
		copy_map_cancel(job->dst_map);
	if (job->src_map)
		copy_map_cancel(job->src_map);
	job->dst_map = NULL;
	job->src_map = NULL;
}

/* Reserve the slot of the job's fence; wait for those of others. */
static int copy_job_depend(struct copy_job *job, const struct copy_bo *bo,
			   bool write)
{
	struct dma_resv *resv;
	unsigned int i;
	int ret;

	for (i = 0; (resv = copy_bo_resv_at(bo, i)); i++) {
		ret = dma_resv_reserve_fences(resv, 1);
		if (ret)
			return ret;
		ret = drm_sched_job_add_resv_dependencies(&job->base, resv,
							  dma_resv_usage_rw(write));
		if (ret)
			return ret;
	}
	return 0;
}

/* Everything that may fail. */
static int copy_job_prepare(struct copy_job *job,
			    const struct drm_phyr_copy_submit *args)
{
	int ret;

	ret = copy_job_map(job, args);
	if (ret)
		return ret;
	ret = copy_job_depend(job, job->src, false);
	if (ret)
		return ret;
	return copy_job_depend(job, job->dst, true);
}

static void copy_job_add_fence(const struct copy_bo *bo,
			       struct dma_fence *fence,
			       enum dma_resv_usage usage)
{
	struct dma_resv *resv;
	unsigned int i;

	for (i = 0; (resv = copy_bo_resv_at(bo, i)); i++)
		dma_resv_add_fence(resv, fence, usage);
}

/* Hand the job over to the scheduler. */
static void copy_job_publish(struct copy_job *job, struct copy_client *client,
			     struct drm_syncobj *syncobj)
{
	struct dma_fence *fence;

	atomic_inc(&job->copy->live_jobs);

	mutex_lock(&client->lock);
	drm_sched_job_arm(&job->base);
	fence = &job->base.s_fence->finished;
	/* In this order: where both share memory, the write takes the slot. */
	copy_job_add_fence(job->src, fence, DMA_RESV_USAGE_READ);
	copy_job_add_fence(job->dst, fence, DMA_RESV_USAGE_WRITE);
	if (syncobj)
		drm_syncobj_replace_fence(syncobj, fence);
	copy_job_push(job);
	mutex_unlock(&client->lock);
}

static int copy_job_lock(struct copy_job *job, struct phyr_locks *locks)
{
	int ret;

	phyr_locks_init(locks);
	ret = copy_bo_add_locks(job->src, locks);
	if (!ret)
		ret = copy_bo_add_locks(job->dst, locks);
	return ret ?: phyr_locks_take(locks);
}

static int copy_job_queue(struct copy_job *job, struct copy_client *client,
			  const struct drm_phyr_copy_submit *args,
			  struct drm_syncobj *syncobj)
{
	struct drm_gem_object *src = &job->src->shmem.base;
	struct drm_gem_object *dst = &job->dst->shmem.base;
	struct phyr_locks locks;
	int ret;

	ret = copy_bo_populate(job->src);
	if (ret)
		return ret;
	ret = copy_bo_populate(job->dst);
	if (ret)
		return ret;

	phyr_inject_delay();
	/* Publishing may free the job and drop its references. */
	drm_gem_object_get(src);
	drm_gem_object_get(dst);
	ret = copy_job_lock(job, &locks);
	if (!ret) {
		ret = copy_job_prepare(job, args);
		if (ret)
			copy_job_unmap(job);
		else
			copy_job_publish(job, client, syncobj);
	}
	phyr_locks_drop(&locks);
	phyr_inject_delay();
	drm_gem_object_put(src);
	drm_gem_object_put(dst);
	return ret;
}

static int copy_submit(struct copy_device *copy, struct drm_file *file,
		       const struct drm_phyr_copy_submit *args)
{
	struct drm_syncobj *syncobj = NULL;
	struct copy_job *job;
	int ret;

	job = copy_job_create(copy, file, args);
	if (IS_ERR(job))
		return PTR_ERR(job);

	if (args->in_syncobj) {
		ret = drm_sched_job_add_syncobj_dependency(&job->base, file,
							   args->in_syncobj, 0);
		if (ret)
			goto err_discard;
	}
	if (args->out_syncobj) {
		syncobj = drm_syncobj_find(file, args->out_syncobj);
		ret = -ENOENT;
		if (!syncobj)
			goto err_discard;
	}

	ret = copy_job_queue(job, file->driver_priv, args, syncobj);
	if (syncobj)
		drm_syncobj_put(syncobj);
	if (ret)
		goto err_discard;
	return 0;

err_discard:
	copy_job_discard(job);
	return ret;
}

/* Return: as the ioctl; -ENOSPC if there is no DMA address space now. */
static int copy_try_submit(struct copy_device *copy, struct drm_file *file,
			   const struct drm_phyr_copy_submit *args)
{
	int idx;
	int ret;

	/* remove() waits for callers in here, then for their jobs. */
	if (!drm_dev_enter(&copy->drm, &idx))
		return -ENODEV;
	do
		ret = copy_submit(copy, file, args);
	while (ret == -EAGAIN);
	drm_dev_exit(idx);
	return ret;
}

/* Submit when there is DMA address space. Clients wait for it one by one. */
static int copy_submit_in_turn(struct copy_device *copy, struct drm_file *file,
			       const struct drm_phyr_copy_submit *args)
{
	bool alone;
	u64 freed;
	int ret;

	ret = mutex_lock_interruptible(&copy->room_lock);
	if (ret)
		return ret;

	do {
		alone = copy_maps_alone(copy, &freed);
		ret = copy_try_submit(copy, file, args);
		if (ret != -ENOSPC || alone)
			break;
		ret = copy_maps_make_room(copy, 2 * args->len, freed);
	} while (!ret);
	mutex_unlock(&copy->room_lock);
	return ret;
}

/**
 * copy_submit_ioctl - DRM_IOCTL_PHYR_COPY_SUBMIT
 * @drm: the device
 * @data: struct drm_phyr_copy_submit
 * @file: the client
 *
 * Return: 0 or a negative errno.
 */
int copy_submit_ioctl(struct drm_device *drm, void *data,
		      struct drm_file *file)
{
	const struct drm_phyr_copy_submit *args = data;
	struct copy_device *copy = to_copy_device(drm);
	struct copy_client *client = file->driver_priv;
	int ret;

	if (args->flags || args->pad || !args->len)
		return -EINVAL;

	/* Before room_lock: others must not wait for this client's jobs. */
	ret = copy_client_get_room(client);
	if (ret)
		return ret;

	ret = -ENOSPC;
	if (!mutex_is_locked(&copy->room_lock))
		ret = copy_try_submit(copy, file, args);
	if (ret == -ENOSPC)
		ret = copy_submit_in_turn(copy, file, args);
	/* Otherwise the job owns the count. */
	if (ret)
		copy_client_put_room(client);
	return ret;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Clients and their jobs
 *
 * Terms
 *	client		an open file; its jobs run in order
 *	job		one submitted copy: an engine run, references to its two
 *			buffers, and the scheduler's job
 *
 * Submission validates the arguments and maps both buffers before it publishes
 * the job's fence. After that the job waits for fences only, never for
 * userspace.
 *
 * Invariants
 * - A job references its buffers until it is freed. The range lists that its
 *   run walks stay valid until its fence signals (gem.c).
 * - The scheduler's work items never drop a buffer reference: dropping the last
 *   one takes a reservation lock, whose holder may be moving memory and waiting
 *   for a later job.
 * - The scheduler outlives its entities: copy_jobs_stop() destroys the entities
 *   of clients that are still open.
 * - A client has at most PHYR_COPY_MAX_JOBS jobs. Beyond that, submission waits
 *   for a job to be freed; it holds no other resource while waiting.
 *
 * Limits: if a client dies, the scheduler ends its queued jobs with -ESRCH. A
 * failed job does not stop later ones.
 */
#include <linux/dma-resv.h>
#include <linux/kref.h>
#include <linux/overflow.h>
#include <linux/phyr_inject.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/wait.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>
#include <drm/drm_syncobj.h>

#include "copy.h"

/* The engine hangs if no script completes within this time. */
#define COPY_TIMEOUT msecs_to_jiffies(5000)

/**
 * struct copy_client - an open file
 * @ref: one reference for the file, one for each job
 * @entity: the client's queued jobs
 * @lock: held from arming a job to pushing it, so that fences are in job order
 * @jobs: jobs that are not freed yet
 * @room: woken when @jobs decreases
 * @node: in copy_device.clients; removed by whoever is about to destroy
 *	@entity. Guarded by copy_device.clients_lock
 */
struct copy_client {
	struct kref ref;
	struct drm_sched_entity entity;
	struct mutex lock;		/* arm and push */
	atomic_t jobs;
	wait_queue_head_t room;
	struct list_head node;
};

/**
 * struct copy_job - a copy
 * @base: the scheduler's job
 * @copy: the device; constant
 * @client: the submitter, with a reference; constant
 * @run: the engine's run; the job owns a reference to @run.fence
 * @src: buffer to read, with a reference; constant
 * @dst: buffer to write, with a reference, may be @src; constant
 * @free_work: releases the job's resources, on copy_device.wq
 */
struct copy_job {
	struct drm_sched_job base;
	struct copy_device *copy;
	struct copy_client *client;
	struct phyr_engine_run run;
	struct copy_bo *src;
	struct copy_bo *dst;
	struct work_struct free_work;
};

static struct copy_job *to_copy_job(struct drm_sched_job *base)
{
	return container_of(base, struct copy_job, base);
}

static void copy_client_release(struct kref *ref)
{
	struct copy_client *client = container_of(ref, struct copy_client, ref);

	mutex_destroy(&client->lock);
	kfree(client);
}

/* Wait, interruptibly, until the client may have one more job; count it. */
static int copy_client_get_room(struct copy_client *client)
{
	int ret;

	ret = wait_event_interruptible(client->room,
				       atomic_add_unless(&client->jobs, 1,
							 PHYR_COPY_MAX_JOBS));
	if (!ret)
		kref_get(&client->ref);
	return ret;
}

static void copy_client_put_room(struct copy_client *client)
{
	atomic_dec(&client->jobs);
	wake_up(&client->room);
	kref_put(&client->ref, copy_client_release);
}

static void copy_job_release(struct copy_job *job)
{
	struct dma_fence *fence = job->run.fence;

	if (fence && test_bit(DMA_FENCE_FLAG_INITIALIZED_BIT, &fence->flags))
		dma_fence_put(fence);
	else
		kfree(fence);
	copy_bo_put(job->src);
	copy_bo_put(job->dst);
	copy_client_put_room(job->client);
	kfree(job);
}

static void copy_job_free_work(struct work_struct *work)
{
	struct copy_job *job = container_of(work, struct copy_job, free_work);
	struct copy_device *copy = job->copy;

	phyr_inject_delay();
	copy_job_release(job);
	copy_dec_and_wake(copy, &copy->live_jobs);
}

/*
 * Scheduler callbacks
 */

static struct dma_fence *copy_job_run(struct drm_sched_job *base)
{
	struct copy_job *job = to_copy_job(base);
	bool cookie = dma_fence_begin_signalling();
	struct dma_fence *fence;

	phyr_inject_delay();
	fence = phyr_engine_start(&job->copy->engine, &job->run);
	dma_fence_end_signalling(cookie);
	return fence;
}

static enum drm_gpu_sched_stat copy_job_timedout(struct drm_sched_job *base)
{
	struct copy_job *job = to_copy_job(base);
	struct copy_device *copy = job->copy;

	if (!phyr_engine_progress(&copy->engine, &job->run)) {
		if (job->run.injected)
			drm_notice(&copy->drm, "injected engine hang, reset\n");
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

	drm_sched_job_cleanup(base);
	queue_work(job->copy->wq, &job->free_work);
}

static void copy_job_cancel(struct drm_sched_job *base)
{
	struct copy_job *job = to_copy_job(base);

	phyr_engine_abort(&job->copy->engine, &job->run, -ECANCELED);
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

	INIT_LIST_HEAD(&copy->clients);
	ret = drmm_mutex_init(&copy->drm, &copy->clients_lock);
	if (ret)
		return ret;

	copy->wq = alloc_workqueue("phyr_copy", WQ_UNBOUND, 0);
	if (!copy->wq)
		return -ENOMEM;
	ret = drm_sched_init(&copy->sched, &args);
	if (ret)
		destroy_workqueue(copy->wq);
	return ret;
}

static void copy_clients_stop(struct copy_device *copy)
{
	struct copy_client *client, *next;

	mutex_lock(&copy->clients_lock);
	list_for_each_entry_safe(client, next, &copy->clients, node) {
		list_del_init(&client->node);
		drm_sched_entity_fini(&client->entity);
		copy_dec_and_wake(copy, &copy->live_clients);
	}
	mutex_unlock(&copy->clients_lock);

	/* Wait for clients that are being closed. */
	wait_event(copy->idle, !atomic_read(&copy->live_clients));
}

/**
 * copy_jobs_stop - stop the engine and the scheduler permanently
 * @copy: the device
 *
 * Ends running and queued jobs with -ECANCELED; queued jobs still wait for
 * their dependencies first. On return no job, no entity and no pending fence is
 * left.
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
	destroy_workqueue(copy->wq);

	/* Fence name callbacks may still read the scheduler under RCU. */
	synchronize_rcu();
}

/*
 * Clients
 */

/**
 * copy_client_open - &drm_driver.open
 * @drm: the device
 * @file: the new client
 *
 * Return: 0 or a negative errno.
 */
int copy_client_open(struct drm_device *drm, struct drm_file *file)
{
	struct copy_device *copy = to_copy_device(drm);
	struct drm_gpu_scheduler *sched = &copy->sched;
	struct copy_client *client;
	int ret = -ENODEV;
	int idx;

	client = kzalloc_obj(*client, GFP_KERNEL_ACCOUNT);
	if (!client)
		return -ENOMEM;

	if (!drm_dev_enter(drm, &idx))
		goto err_free;
	ret = drm_sched_entity_init(&client->entity, DRM_SCHED_PRIORITY_NORMAL,
				    &sched, 1, NULL);
	if (ret)
		goto err_exit;

	kref_init(&client->ref);
	mutex_init(&client->lock);
	init_waitqueue_head(&client->room);
	mutex_lock(&copy->clients_lock);
	list_add(&client->node, &copy->clients);
	atomic_inc(&copy->live_clients);
	mutex_unlock(&copy->clients_lock);
	drm_dev_exit(idx);

	file->driver_priv = client;
	return 0;

err_exit:
	drm_dev_exit(idx);
err_free:
	kfree(client);
	return ret;
}

/**
 * copy_client_close - &drm_driver.postclose
 * @drm: the device, possibly removed
 * @file: the client
 *
 * A running job continues. Queued jobs are waited for, or dropped if the
 * process was killed.
 */
void copy_client_close(struct drm_device *drm, struct drm_file *file)
{
	struct copy_device *copy = to_copy_device(drm);
	struct copy_client *client = file->driver_priv;
	bool ours;

	mutex_lock(&copy->clients_lock);
	ours = !list_empty(&client->node);
	list_del_init(&client->node);
	mutex_unlock(&copy->clients_lock);

	phyr_inject_delay();
	if (ours) {
		drm_sched_entity_destroy(&client->entity);
		copy_dec_and_wake(copy, &copy->live_clients);
	}
	kref_put(&client->ref, copy_client_release);
}

/*
 * Submission
 */

/* Return: 0, or -EINVAL if the range exceeds the buffer. */
static int copy_check_range(const struct copy_bo *bo, u64 offset, u64 len)
{
	u64 end;

	if (check_add_overflow(offset, len, &end) || end > bo->shmem.base.size)
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
	return 0;
}

static void copy_job_discard(struct copy_job *job)
{
	if (job->base.s_fence)
		drm_sched_job_cleanup(&job->base);
	copy_job_release(job);
}

/* Consumes the count of copy_client_get_room(), also on failure. */
static struct copy_job *
copy_job_create(struct copy_device *copy, struct drm_file *file,
		const struct drm_phyr_copy_submit *args)
{
	struct copy_client *client = file->driver_priv;
	struct copy_job *job;
	int ret = -ENOENT;

	job = kzalloc_obj(*job, GFP_KERNEL_ACCOUNT);
	if (!job) {
		copy_client_put_room(client);
		return ERR_PTR(-ENOMEM);
	}

	job->copy = copy;
	job->client = client;
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

/* Everything that may fail; under both reservation locks. */
static int copy_job_prepare(struct copy_job *job,
			    const struct drm_phyr_copy_submit *args)
{
	int ret;

	ret = dma_resv_reserve_fences(copy_bo_resv(job->src), 1);
	if (ret)
		return ret;
	ret = dma_resv_reserve_fences(copy_bo_resv(job->dst), 1);
	if (ret)
		return ret;

	ret = copy_bo_map(job->src);
	if (ret)
		return ret;
	ret = copy_bo_map(job->dst);
	if (ret)
		return ret;
	dma_range_cursor_init(&job->run.src.cursor, job->src->ranges,
			      args->src_offset);
	dma_range_cursor_init(&job->run.dst.cursor, job->dst->ranges,
			      args->dst_offset);

	ret = drm_sched_job_add_implicit_dependencies(&job->base,
						      &job->src->shmem.base,
						      false);
	if (ret)
		return ret;
	return drm_sched_job_add_implicit_dependencies(&job->base,
						       &job->dst->shmem.base,
						       true);
}

/* Hand the job over to the scheduler; under both reservation locks. */
static void copy_job_publish(struct copy_job *job, struct copy_client *client,
			     struct drm_syncobj *syncobj)
{
	struct dma_resv *src = copy_bo_resv(job->src);
	struct dma_resv *dst = copy_bo_resv(job->dst);
	struct dma_fence *fence;

	atomic_inc(&job->copy->live_jobs);

	mutex_lock(&client->lock);
	drm_sched_job_arm(&job->base);
	fence = &job->base.s_fence->finished;
	dma_resv_add_fence(dst, fence, DMA_RESV_USAGE_WRITE);
	if (src != dst)
		dma_resv_add_fence(src, fence, DMA_RESV_USAGE_READ);
	if (syncobj)
		drm_syncobj_replace_fence(syncobj, fence);
	drm_sched_entity_push_job(&job->base);
	mutex_unlock(&client->lock);
}

static int copy_job_queue(struct copy_job *job, struct copy_client *client,
			  const struct drm_phyr_copy_submit *args,
			  struct drm_syncobj *syncobj)
{
	struct drm_gem_object *objs[] = {
		&job->src->shmem.base, &job->dst->shmem.base,
	};
	int count = objs[0]->resv == objs[1]->resv ? 1 : 2;
	struct ww_acquire_ctx ticket;
	int ret;

	ret = copy_bo_populate(job->src);
	if (ret)
		return ret;
	ret = copy_bo_populate(job->dst);
	if (ret)
		return ret;

	phyr_inject_delay();
	ret = drm_gem_lock_reservations(objs, count, &ticket);
	if (ret)
		return ret;
	/* Publishing may free the job and drop its references. */
	drm_gem_object_get(objs[0]);
	drm_gem_object_get(objs[1]);
	ret = copy_job_prepare(job, args);
	if (!ret)
		copy_job_publish(job, client, syncobj);
	drm_gem_unlock_reservations(objs, count, &ticket);
	phyr_inject_delay();
	drm_gem_object_put(objs[0]);
	drm_gem_object_put(objs[1]);
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
	struct copy_client *client = file->driver_priv;
	int idx;
	int ret;

	if (args->flags || args->pad || !args->len)
		return -EINVAL;

	ret = copy_client_get_room(client);
	if (ret)
		return ret;

	/* remove() waits for callers in here, then for their jobs. */
	if (!drm_dev_enter(drm, &idx)) {
		copy_client_put_room(client);
		return -ENODEV;
	}
	ret = copy_submit(to_copy_device(drm), file, args);
	drm_dev_exit(idx);
	return ret;
}

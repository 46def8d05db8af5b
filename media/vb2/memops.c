// SPDX-License-Identifier: GPL-2.0
/*
 * vb2_phyr_memops: videobuf2 memory operations over phyr
 *
 * Terms
 *	import	a dma-buf that the queue uses or has used (import.c)
 *	frame	one buffer's DMA, from vb2_phyr_begin() to vb2_phyr_end()
 *
 * videobuf2's core requires neither contiguous nor static memory; only its
 * stock memory operations do. vb2_phyr_memops attaches as an importer that
 * supports peer memory and invalidation, so buffers may be in VRAM and may
 * move.
 *
 * When addresses are valid: a queued buffer uses no address. It may wait for
 * its frame as long as userspace wants, so no fence covers that time, and it
 * may move. vb2_phyr_begin() maps again if the buffer has moved, and publishes
 * a fence that depends only on the frame's DMA; moves and revokes wait for it.
 * A moved buffer is mapped again in vb2_phyr_prepare() or vb2_phyr_begin(),
 * whichever comes first; a revoked one fails in either. vb2_phyr_prepare()
 * takes no lock if the mapping looks valid, so it may miss a concurrent
 * invalidation; vb2_phyr_begin() does not.
 *
 * Who waits: vb2_phyr_prepare() runs in QBUF under vb2_queue.lock, and waits
 * neither for fences nor for a reservation lock, whose holder may be waiting
 * for fences. What it cannot do at once it leaves to vb2_phyr_begin().
 *
 * Lock order, outermost first
 *
 *	vb2_queue.lock			ioctls
 *	vb2_queue.mmap_lock		held while buffers are freed
 *	vb2_phyr_queue.lock		the cache of imports
 *	vb2_phyr_import.attach_lock	creation of the attachment
 *	phyr_attachments_lock		phyr_attach(), phyr_detach()
 *	dma_buf.resv, in any order	mappings; with a ww_acquire_ctx
 *
 * Frames of a queue must not overlap: each one ends before the next begins.
 *
 * CPU caches of RAM are maintained at begin and end of a frame; there are no
 * vb2_mem_ops.prepare and finish.
 *
 * Limits: no USERPTR; no vaddr, and therefore neither read() nor write(). CPU
 * cache maintenance of imported memory is left to its exporter
 * (DMA_BUF_IOCTL_SYNC). Only fences of moves and clears are waited for: in
 * V4L2, synchronisation is explicit.
 */
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/module.h>
#include <linux/phyr_inject.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "memops.h"

static const char *vb2_phyr_fence_driver_name(struct dma_fence *fence)
{
	return "vb2_phyr";
}

static const char *vb2_phyr_fence_timeline_name(struct dma_fence *fence)
{
	return "frames";
}

static const struct dma_fence_ops vb2_phyr_fence_ops = {
	.get_driver_name = vb2_phyr_fence_driver_name,
	.get_timeline_name = vb2_phyr_fence_timeline_name,
};

/*
 * The reservation objects of a buffer
 */

/**
 * struct vb2_phyr_locks - the reservation locks of a buffer's planes
 * @ctx: acquire context of the locks
 * @resvs: without duplicates, even if planes share one
 * @nr: number of reservation objects
 */
struct vb2_phyr_locks {
	struct ww_acquire_ctx ctx;
	struct dma_resv *resvs[VB2_MAX_PLANES];
	unsigned int nr;
};

/* Cache maintenance of a buffer in RAM. */
static void vb2_phyr_ram_sync(struct vb2_buffer *vb, bool for_device)
{
	struct vb2_phyr_ram *ram;
	unsigned int plane;

	for (plane = 0; plane < vb->num_planes; plane++) {
		ram = vb->planes[plane].mem_priv;
		if (for_device)
			dma_sync_sgtable_for_device(ram->dev, &ram->sgt,
						    ram->dir);
		else
			dma_sync_sgtable_for_cpu(ram->dev, &ram->sgt,
						 ram->dir);
	}
}

static struct vb2_phyr_import *vb2_phyr_plane_import(struct vb2_buffer *vb,
						     unsigned int plane)
{
	return vb->planes[plane].mem_priv;
}

static void vb2_phyr_locks_find(struct vb2_phyr_locks *locks,
				struct vb2_buffer *vb)
{
	struct dma_resv *resv;
	unsigned int plane, i;

	locks->nr = 0;
	for (plane = 0; plane < vb->num_planes; plane++) {
		resv = vb->planes[plane].dbuf->resv;
		for (i = 0; i < locks->nr && locks->resvs[i] != resv; i++)
			;
		if (i == locks->nr)
			locks->resvs[locks->nr++] = resv;
	}
}

/* Lock all. While waiting for a contended lock, hold no other. */
static void vb2_phyr_lock(struct vb2_phyr_locks *locks, struct vb2_buffer *vb)
{
	struct dma_resv *contended = NULL;
	unsigned int i, j;

	vb2_phyr_locks_find(locks, vb);
	ww_acquire_init(&locks->ctx, &reservation_ww_class);
retry:
	if (contended)
		dma_resv_lock_slow(contended, &locks->ctx);
	for (i = 0; i < locks->nr; i++) {
		if (locks->resvs[i] == contended ||
		    !dma_resv_lock(locks->resvs[i], &locks->ctx))
			continue;

		/* -EDEADLK; no other error is possible without duplicates. */
		for (j = 0; j < locks->nr; j++)
			if (j < i || locks->resvs[j] == contended)
				dma_resv_unlock(locks->resvs[j]);
		contended = locks->resvs[i];
		goto retry;
	}
	/* Not acquire_done(): a map may make TTM take more by this context. */
}

static void vb2_phyr_unlock(struct vb2_phyr_locks *locks)
{
	unsigned int i;

	for (i = 0; i < locks->nr; i++)
		dma_resv_unlock(locks->resvs[i]);
	ww_acquire_fini(&locks->ctx);
}

/* Call @operation for the import of each plane until one fails. */
static int vb2_phyr_for_planes(struct vb2_buffer *vb,
			       int (*operation)(struct vb2_phyr_import *import))
{
	unsigned int plane;
	int ret;

	for (plane = 0; plane < vb->num_planes; plane++) {
		ret = operation(vb2_phyr_plane_import(vb, plane));
		if (ret)
			return ret;
	}
	return 0;
}

/* Return: true if what failed with @ret may succeed now. */
static bool vb2_phyr_make_room(struct vb2_phyr_queue *queue, int ret)
{
	return (ret == -ENOMEM || ret == -ENOSPC) &&
	       vb2_phyr_imports_give_up(queue);
}

/*
 * Not left to attach_dmabuf: for a dma-buf shared by several planes, videobuf2
 * calls it only once, with the length of the first plane.
 */
static int vb2_phyr_check_lengths(struct vb2_buffer *vb)
{
	unsigned int plane;

	for (plane = 0; plane < vb->num_planes; plane++)
		if (vb2_plane_size(vb, plane) > vb->planes[plane].dbuf->size)
			return -EFAULT;
	return 0;
}

/* The length of a plane is often that of the dma-buf: 0 in QBUF means that. */
static void vb2_phyr_set_needs(struct vb2_buffer *vb)
{
	unsigned int plane;

	for (plane = 0; plane < vb->num_planes; plane++)
		vb2_phyr_import_set_need(vb2_phyr_plane_import(vb, plane),
					 vb2_get_plane_payload(vb, plane) ?:
					 vb2_plane_size(vb, plane));
}

/*
 * What may fail or wait before the frame's fence is published; under all
 * reservation locks of @vb.
 */
static int vb2_phyr_make_ready(struct vb2_phyr_locks *locks,
			       struct vb2_buffer *vb)
{
	unsigned int i;
	long ret;

	ret = vb2_phyr_for_planes(vb, vb2_phyr_import_map);
	if (ret)
		return ret;

	for (i = 0; i < locks->nr; i++) {
		ret = dma_resv_reserve_fences(locks->resvs[i], 1);
		if (ret)
			return ret;
		/* A pending move or clear would overwrite the frame. */
		ret = dma_resv_wait_timeout(locks->resvs[i],
					    DMA_RESV_USAGE_KERNEL, true,
					    MAX_SCHEDULE_TIMEOUT);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static void vb2_phyr_fence_init(struct dma_fence *fence,
				struct vb2_phyr_queue *queue)
{
	dma_fence_init(fence, &vb2_phyr_fence_ops, NULL, queue->context,
		       ++queue->seqno);
}

static void vb2_phyr_publish(struct vb2_phyr_locks *locks,
			     struct vb2_buffer *vb, struct dma_fence *fence)
{
	unsigned int i;

	for (i = 0; i < locks->nr; i++)
		dma_resv_add_fence(locks->resvs[i], fence,
				   DMA_RESV_USAGE_BOOKKEEP);
	for (i = 0; i < vb->num_planes; i++)
		vb2_phyr_import_start(vb2_phyr_plane_import(vb, i), fence);
}

/* On success @fence is initialised and published. */
static int vb2_phyr_start(struct vb2_phyr_queue *queue, struct vb2_buffer *vb,
			  struct dma_fence *fence)
{
	struct vb2_phyr_locks locks;
	int ret;

	ret = vb2_phyr_for_planes(vb, vb2_phyr_import_attach);
	if (ret)
		return ret;

	phyr_inject_delay();
	vb2_phyr_lock(&locks, vb);
	ret = vb2_phyr_make_ready(&locks, vb);
	if (!ret) {
		vb2_phyr_fence_init(fence, queue);
		vb2_phyr_publish(&locks, vb, fence);
	}
	vb2_phyr_unlock(&locks);
	return ret;
}

/*
 * Interface to drivers
 */

/**
 * vb2_phyr_init - initialise a queue for vb2_phyr_memops
 * @queue: the queue
 *
 * Context: before vb2_queue_init().
 */
void vb2_phyr_init(struct vb2_phyr_queue *queue)
{
	mutex_init(&queue->lock);
	INIT_LIST_HEAD(&queue->imports);
	INIT_LIST_HEAD(&queue->idle);
	hash_init(queue->by_dmabuf);
	queue->context = dma_fence_context_alloc(1);
}
EXPORT_SYMBOL_NS_GPL(vb2_phyr_init, "PHYR");

/**
 * vb2_phyr_unprepare_streaming - &vb2_ops.unprepare_streaming
 * @vb2: the queue; its DMA has stopped
 *
 * Detaches the dma-bufs that no buffer uses.
 *
 * Context: under vb2_queue.lock; may sleep.
 */
void vb2_phyr_unprepare_streaming(struct vb2_queue *vb2)
{
	vb2_phyr_imports_drop(to_vb2_phyr_queue(vb2));
}
EXPORT_SYMBOL_NS_GPL(vb2_phyr_unprepare_streaming, "PHYR");

/**
 * vb2_phyr_prepare - validate, attach and map the planes of a buffer
 * @vb: the buffer, being queued
 *
 * Must be called from &vb2_ops.buf_prepare, which must return its error. If the
 * frame is smaller than the planes, the driver sets their payload before:
 * only that is mapped. Without a payload all of the plane is.
 *
 * videobuf2 attaches nothing if the plane's dma-buf is the same as last time,
 * but that may have moved or been revoked since.
 *
 * Waits for nobody: a dma-buf whose reservation lock is held, or that has a
 * pending fence and is not mapped yet, is left to vb2_phyr_begin(), and an error
 * then shows in the frame. So does a revoke
 * after VIDIOC_PREPARE_BUF, because videobuf2 prepares a buffer only once
 * before its frame. A stock exporter may wait in its attach and map callbacks.
 *
 * Context: under vb2_queue.lock; may sleep.
 * Return: 0; -EFAULT if a dma-buf is shorter than its plane; -ENODEV if its
 * memory was revoked; -EREMOTEIO if the device cannot reach the memory; another
 * error of phyr_attach() or phyr_map(). Warns, and returns -EINVAL, if
 * vb2_phyr_init() was not called for the queue.
 */
int vb2_phyr_prepare(struct vb2_buffer *vb)
{
	struct vb2_phyr_queue *queue = to_vb2_phyr_queue(vb->vb2_queue);
	int ret;

	if (WARN_ON_ONCE(!queue->context))
		return -EINVAL;
	if (vb->memory != VB2_MEMORY_DMABUF)
		return 0;

	ret = vb2_phyr_check_lengths(vb);
	if (ret)
		return ret;

	vb2_phyr_set_needs(vb);
	vb2_phyr_imports_trim(queue);
	do {
		ret = vb2_phyr_for_planes(vb, vb2_phyr_import_try_ready);
	} while (vb2_phyr_make_room(queue, ret));
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vb2_phyr_prepare, "PHYR");

static bool vb2_phyr_is_prepared(struct vb2_buffer *vb)
{
	unsigned int plane;

	for (plane = 0; plane < vb->num_planes; plane++)
		if (!vb2_phyr_plane_import(vb, plane)->prepared)
			return false;
	return true;
}

/**
 * vb2_phyr_begin - prepare a buffer for a frame's DMA
 * @vb: the buffer; owned by the driver
 *
 * On success the ranges of all planes are valid until vb2_phyr_end(), which
 * must follow in finite time: nothing in between may allocate memory, take a
 * reservation lock or wait for userspace. The driver annotates this for
 * lockdep: dma_fence_begin_signalling() right after this call,
 * dma_fence_end_signalling() after vb2_phyr_end(). If the frame ends in another
 * context, that context annotates its call of vb2_phyr_end().
 *
 * Waits for a move of the buffer, with all fences that the move waits for.
 *
 * Context: no spinlock held; may sleep. Should not be called under
 * vb2_queue.lock, because of the wait. Not between begin and end of another
 * frame of the same queue.
 * Return: the fence to pass to vb2_phyr_end(); ERR_PTR with an errno as of
 * vb2_phyr_prepare(), in which case the driver returns the buffer with
 * VB2_BUF_STATE_ERROR. Warns, and returns -EINVAL, if vb2_phyr_prepare() was
 * not called for the buffer.
 */
struct dma_fence *vb2_phyr_begin(struct vb2_buffer *vb)
{
	struct vb2_phyr_queue *queue = to_vb2_phyr_queue(vb->vb2_queue);
	struct dma_fence *fence;
	int ret;

	fence = kzalloc_obj(*fence);
	if (!fence)
		return ERR_PTR(-ENOMEM);

	if (vb->memory != VB2_MEMORY_DMABUF) {
		/* RAM does not move, so the fence is not published. */
		vb2_phyr_ram_sync(vb, true);
		vb2_phyr_fence_init(fence, queue);
		return fence;
	}

	ret = -EINVAL;
	if (WARN_ON_ONCE(!vb2_phyr_is_prepared(vb)))
		goto err_free;
	do {
		ret = vb2_phyr_start(queue, vb, fence);
	} while (vb2_phyr_make_room(queue, ret));
	if (ret)
		goto err_free;
	return fence;

err_free:
	kfree(fence);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_NS_GPL(vb2_phyr_begin, "PHYR");

/**
 * vb2_phyr_end - end a frame's DMA
 * @vb: the buffer
 * @fence: the fence returned by vb2_phyr_begin(); signalled and released
 * @error: 0, or a negative errno if the DMA failed
 *
 * Must be called before vb2_buffer_done().
 *
 * Context: any.
 */
void vb2_phyr_end(struct vb2_buffer *vb, struct dma_fence *fence, int error)
{
	if (vb->memory != VB2_MEMORY_DMABUF)
		vb2_phyr_ram_sync(vb, false);
	if (error)
		dma_fence_set_error(fence, error);
	dma_fence_signal(fence);
	dma_fence_put(fence);
}
EXPORT_SYMBOL_NS_GPL(vb2_phyr_end, "PHYR");

/**
 * vb2_phyr_show - print the cached imports of a queue
 * @m: a file that only root may read, as it shows DMA addresses
 * @queue: the queue
 *
 * Context: may sleep, but waits for no fence.
 */
void vb2_phyr_show(struct seq_file *m, struct vb2_phyr_queue *queue)
{
	struct vb2_phyr_import *import;

	guard(mutex)(&queue->lock);
	seq_printf(m, "attached %llu mapped %llu\n",
		   atomic64_read(&queue->attached),
		   atomic64_read(&queue->mapped));
	list_for_each_entry(import, &queue->imports, node)
		vb2_phyr_import_show(m, import);
	list_for_each_entry(import, &queue->idle, node)
		vb2_phyr_import_show(m, import);
}
EXPORT_SYMBOL_NS_GPL(vb2_phyr_show, "PHYR");

/*
 * Interface to videobuf2
 */

/*
 * Neither this nor map_dmabuf may fail: videobuf2's __prepare_dmabuf() (in
 * Linux 7.2) would leak dma-buf references. It first takes one for each plane.
 * If either operation fails, it puts only those of planes with a mem_priv, not
 * those of the plane whose attach failed and of the planes after it. If
 * buf_prepare fails, every plane has a mem_priv.
 */
static void *vb2_phyr_attach_dmabuf(struct vb2_buffer *vb, struct device *dev,
				    struct dma_buf *dmabuf, unsigned long size)
{
	return vb2_phyr_import_get(to_vb2_phyr_queue(vb->vb2_queue), dev,
				   dmabuf);
}

static void vb2_phyr_detach_dmabuf(void *priv)
{
	vb2_phyr_import_put(priv);
}

static int vb2_phyr_map_dmabuf(void *priv)
{
	return 0;
}

/* The mapping belongs to the import, which outlives the plane. */
static void vb2_phyr_unmap_dmabuf(void *priv)
{
}

static void *vb2_phyr_cookie(struct vb2_buffer *vb, void *priv)
{
	struct vb2_phyr_import *import = priv;
	struct vb2_phyr_ram *ram = priv;

	return vb->memory == VB2_MEMORY_DMABUF ? import->ranges : ram->ranges;
}

static unsigned int vb2_phyr_num_users(void *priv)
{
	refcount_t *ref = priv;

	return refcount_read(ref);
}

/* The cookie of a plane is its dma_range list: vb2_phyr_plane_ranges(). */
const struct vb2_mem_ops vb2_phyr_memops = {
	.alloc = vb2_phyr_ram_alloc,
	.put = vb2_phyr_ram_free,
	.get_dmabuf = vb2_phyr_ram_export,
	.mmap = vb2_phyr_ram_mmap,
	.num_users = vb2_phyr_num_users,
	.attach_dmabuf = vb2_phyr_attach_dmabuf,
	.detach_dmabuf = vb2_phyr_detach_dmabuf,
	.map_dmabuf = vb2_phyr_map_dmabuf,
	.unmap_dmabuf = vb2_phyr_unmap_dmabuf,
	.cookie = vb2_phyr_cookie,
};
EXPORT_SYMBOL_NS_GPL(vb2_phyr_memops, "PHYR");

static int __init vb2_phyr_load(void)
{
	return 0;
}
module_init(vb2_phyr_load);

static void __exit vb2_phyr_exit(void)
{
	/* Fence name callbacks in this module may still run under RCU. */
	synchronize_rcu();
}
module_exit(vb2_phyr_exit);

MODULE_DESCRIPTION("videobuf2 memory operations for page-less dma-bufs");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
MODULE_IMPORT_NS("PHYR");

// SPDX-License-Identifier: GPL-2.0
/*
 * vb2_phyr_memops: videobuf2 memory operations over phyr
 *
 * Terms
 *	import	a dma-buf that the queue has attached (import.c)
 *	frame	what a driver's DMA writes or reads between vb2_phyr_begin() and
 *		vb2_phyr_end()
 *
 * videobuf2's core forces neither contiguous nor static memory, only its stock
 * memory operations do. These attach as an importer that takes peer memory and
 * can be told that it moves, so buffers may be in VRAM.
 *
 * Who uses an address when: a buffer that is merely queued uses none. It may
 * wait for its frame as long as userspace likes, so no fence can stand for it,
 * and it may move. vb2_phyr_begin() maps what has moved, and publishes a fence
 * that depends on the frame's DMA alone; a move or a revoke waits for that.
 * What has changed since the buffer was last mapped costs a map there or in
 * vb2_phyr_prepare(), whichever comes first; a buffer that was taken away fails
 * in either. What changes while vb2_phyr_prepare() looks, which takes no lock where
 * nothing seems to have changed, is found by vb2_phyr_begin().
 *
 * Lock order, outermost first
 *
 *	vb2_queue.lock			the cache of imports
 *	vb2_queue.mmap_lock		held where buffers are freed
 *	phyr_attachments_lock		phyr_attach(), phyr_detach()
 *	dma_buf.resv, in any order	mappings; by a ww_acquire_ctx
 *
 * Frames of a queue begin and end one after the other, in the same order.
 *
 * CPU caches of RAM are maintained at begin and end, since that is when the
 * device uses it; there is no prepare and no finish.
 *
 * Limits: no USERPTR; no vaddr, and thus neither read() nor write(). CPU caches
 * of imported memory are its exporter's (DMA_BUF_IOCTL_SYNC). No fences are
 * waited for but those of a move or of clearing: V4L2's order is explicit.
 */
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/module.h>
#include <linux/phyr_inject.h>
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
 * @ctx: what orders them
 * @resvs: each once, however many planes share it
 * @nr: their number
 */
struct vb2_phyr_locks {
	struct ww_acquire_ctx ctx;
	struct dma_resv *resvs[VB2_MAX_PLANES];
	unsigned int nr;
};

/* Caches of a buffer in RAM, for the device or for the CPU. */
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

/* All or none; whoever must wait for one holds no other. */
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

		/* -EDEADLK, the only error there is without duplicates. */
		for (j = 0; j < locks->nr; j++)
			if (j < i || locks->resvs[j] == contended)
				dma_resv_unlock(locks->resvs[j]);
		contended = locks->resvs[i];
		goto retry;
	}
	ww_acquire_done(&locks->ctx);
}

static void vb2_phyr_unlock(struct vb2_phyr_locks *locks)
{
	unsigned int i;

	for (i = 0; i < locks->nr; i++)
		dma_resv_unlock(locks->resvs[i]);
	ww_acquire_fini(&locks->ctx);
}

static bool vb2_phyr_is_mapped(struct vb2_buffer *vb)
{
	unsigned int plane;

	for (plane = 0; plane < vb->num_planes; plane++)
		if (!vb2_phyr_import_is_mapped(vb2_phyr_plane_import(vb, plane)))
			return false;
	return true;
}

/* Under all locks of @vb: a mapping for each plane. */
static int vb2_phyr_map_planes(struct vb2_buffer *vb)
{
	unsigned int plane;
	int ret;

	for (plane = 0; plane < vb->num_planes; plane++) {
		ret = vb2_phyr_import_map(vb2_phyr_plane_import(vb, plane));
		if (ret)
			return ret;
	}
	return 0;
}

/*
 * videobuf2 would have attach_dmabuf compare them, and calls it once for a dma-buf
 * that several planes share, with the first one's length.
 */
static int vb2_phyr_check_lengths(struct vb2_buffer *vb)
{
	unsigned int plane;

	for (plane = 0; plane < vb->num_planes; plane++)
		if (vb2_plane_size(vb, plane) > vb->planes[plane].dbuf->size)
			return -EFAULT;
	return 0;
}

/* What can fail or wait before the frame's fence is published. */
static int vb2_phyr_make_ready(struct vb2_phyr_locks *locks,
			       struct vb2_buffer *vb)
{
	unsigned int i;
	long ret;

	ret = vb2_phyr_map_planes(vb);
	if (ret)
		return ret;

	for (i = 0; i < locks->nr; i++) {
		ret = dma_resv_reserve_fences(locks->resvs[i], 1);
		if (ret)
			return ret;
		/* A move's or a clear's bytes would overwrite the frame's. */
		ret = dma_resv_wait_timeout(locks->resvs[i],
					    DMA_RESV_USAGE_KERNEL, true,
					    MAX_SCHEDULE_TIMEOUT);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/*
 * What drivers call
 */

/**
 * vb2_phyr_init - make a queue ready for vb2_phyr_memops
 * @queue: the queue
 *
 * Context: before vb2_queue_init().
 */
void vb2_phyr_init(struct vb2_phyr_queue *queue)
{
	INIT_LIST_HEAD(&queue->imports);
	queue->context = dma_fence_context_alloc(1);
}
EXPORT_SYMBOL_NS_GPL(vb2_phyr_init, "PHYR");

/**
 * vb2_phyr_unprepare_streaming - &vb2_ops.unprepare_streaming
 * @vb2: the queue; its DMA has stopped
 *
 * Gives up the dma-bufs that no buffer has any more.
 *
 * Context: vb2_queue.lock; may sleep.
 */
void vb2_phyr_unprepare_streaming(struct vb2_queue *vb2)
{
	vb2_phyr_imports_drop(to_vb2_phyr_queue(vb2));
}
EXPORT_SYMBOL_NS_GPL(vb2_phyr_unprepare_streaming, "PHYR");

/**
 * vb2_phyr_prepare - make sure that a buffer that is being queued can be used
 * @vb: the buffer
 *
 * For &vb2_ops.buf_prepare, which fails where this does: what has gone wrong since
 * QBUF began is told here and nowhere else. And videobuf2 does not attach again
 * where it finds the dma-buf of last time, which may have moved or gone since.
 *
 * Context: vb2_queue.lock; may sleep.
 * Return: 0; -EFAULT for a dma-buf that is shorter than its plane; -ENODEV for
 * one whose memory was taken away; -EREMOTEIO where the device cannot reach the
 * memory any more; -ERESTARTSYS; another negative errno.
 */
int vb2_phyr_prepare(struct vb2_buffer *vb)
{
	struct vb2_phyr_locks locks;
	int ret;

	if (vb->memory != VB2_MEMORY_DMABUF)
		return 0;

	ret = vb2_phyr_check_lengths(vb);
	if (ret)
		return ret;

	vb2_phyr_imports_trim(to_vb2_phyr_queue(vb->vb2_queue));
	if (vb2_phyr_is_mapped(vb))
		return 0;

	phyr_inject_delay();
	vb2_phyr_lock(&locks, vb);
	ret = vb2_phyr_map_planes(vb);
	vb2_phyr_unlock(&locks);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vb2_phyr_prepare, "PHYR");

/**
 * vb2_phyr_begin - a frame's DMA is about to start
 * @vb: the buffer; the driver's
 *
 * On success the ranges of all planes are valid until vb2_phyr_end(), which
 * must come in finite time: nothing in between may allocate memory, take a
 * reservation lock or wait for userspace. A driver tells lockdep so, by
 * dma_fence_begin_signalling() as soon as this has returned, and
 * dma_fence_end_signalling() after vb2_phyr_end(); where another context ends the
 * frame, there around vb2_phyr_end().
 *
 * Context: no spinlock is held; may sleep. Not between another begin and end of
 * the same queue.
 * Return: what vb2_phyr_end() takes; ERR_PTR as vb2_phyr_prepare(), and then
 * the buffer goes back to userspace with its error flag.
 */
struct dma_fence *vb2_phyr_begin(struct vb2_buffer *vb)
{
	struct vb2_phyr_queue *queue = to_vb2_phyr_queue(vb->vb2_queue);
	struct vb2_phyr_locks locks;
	struct dma_fence *fence;
	unsigned int i;
	int ret;

	fence = kzalloc_obj(*fence);
	if (!fence)
		return ERR_PTR(-ENOMEM);

	if (vb->memory != VB2_MEMORY_DMABUF) {
		/* RAM stays where it is: nobody waits for this one. */
		vb2_phyr_ram_sync(vb, true);
		dma_fence_init(fence, &vb2_phyr_fence_ops, NULL,
			       queue->context, ++queue->seqno);
		return fence;
	}

	phyr_inject_delay();
	vb2_phyr_lock(&locks, vb);
	ret = vb2_phyr_make_ready(&locks, vb);
	if (!ret) {
		dma_fence_init(fence, &vb2_phyr_fence_ops, NULL,
			       queue->context, ++queue->seqno);
		for (i = 0; i < locks.nr; i++)
			dma_resv_add_fence(locks.resvs[i], fence,
					   DMA_RESV_USAGE_BOOKKEEP);
	}
	vb2_phyr_unlock(&locks);
	if (ret) {
		kfree(fence);
		return ERR_PTR(ret);
	}
	return fence;
}
EXPORT_SYMBOL_NS_GPL(vb2_phyr_begin, "PHYR");

/**
 * vb2_phyr_end - a frame's DMA is over
 * @vb: the buffer
 * @fence: what vb2_phyr_begin() returned; gone after this
 * @error: 0, or a negative errno where the frame is not what it should be
 *
 * The driver calls vb2_buffer_done() after this, not before.
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
 * vb2_phyr_show - what the cache of a queue has
 * @m: a file of root's
 * @queue: the queue
 *
 * Context: takes vb2_queue.lock.
 */
void vb2_phyr_show(struct seq_file *m, struct vb2_phyr_queue *queue)
{
	struct vb2_phyr_import *import;

	guard(mutex)(queue->vb2.lock);
	seq_printf(m, "attached %llu mapped %llu\n", queue->attached,
		   atomic64_read(&queue->mapped));
	list_for_each_entry(import, &queue->imports, node)
		vb2_phyr_import_show(m, import);
}
EXPORT_SYMBOL_NS_GPL(vb2_phyr_show, "PHYR");

/*
 * What videobuf2 calls
 */

/*
 * Neither this nor map_dmabuf fails, because of videobuf2's __prepare_dmabuf() (in
 * Linux 7.2), which takes a reference to the dma-bufs of all planes first. When one
 * of these two fails, it puts those of the planes that have a mem_priv; that of a
 * plane whose attach failed, and those of the planes behind it, nobody ever puts.
 * When buf_prepare fails, every plane has a mem_priv.
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

/* The mapping is the import's, and outlives the plane. */
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

MODULE_DESCRIPTION("videobuf2 memory operations for page-less dma-bufs");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
MODULE_IMPORT_NS("PHYR");

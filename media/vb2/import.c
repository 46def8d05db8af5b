// SPDX-License-Identifier: GPL-2.0
/*
 * A dma-buf that a queue has attached, and the queue's cache of them
 *
 * videobuf2 lets go of a plane's dma-buf whenever another one is queued at its
 * index. Attaching and mapping anew for each frame would cost more than the
 * frame's DMA, so an import outlives its plane: who queues the dma-buf again, at
 * whatever index, finds it attached and mapped.
 *
 * Invariants
 * - An import has a reference to its dma-buf. While the queue streams, one that no
 *   plane has is given up when nobody else refers to the dma-buf any more, and at
 *   STREAMOFF; while it does not, there is none that no plane has.
 * - A mapping is made and dropped under the reservation lock, and dropped only
 *   when no fence of this queue's stands for DMA to it. There is no DMA to one
 *   that no plane has.
 * - Being told that the memory moves marks the mapping stale, and that is all:
 *   what is left of it is memory to free, at the next map or in the end.
 *
 * Limits: two queues that both keep a dma-buf without planes are somebody else to
 * each other. When all others have closed it, both keep it until one stops.
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/phyr_inject.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "memops.h"

static void vb2_phyr_import_invalidate(struct phyr_attachment *attach)
{
	struct vb2_phyr_import *import = phyr_attachment_priv(attach);

	dma_resv_assert_held(import->dmabuf->resv);
	WRITE_ONCE(import->stale, true);
}

static const struct phyr_importer_ops vb2_phyr_importer_ops = {
	.invalidate = vb2_phyr_import_invalidate,
};

static void vb2_phyr_import_unmap(struct vb2_phyr_import *import)
{
	struct dma_range_list *ranges = import->ranges;

	dma_resv_assert_held(import->dmabuf->resv);

	WRITE_ONCE(import->ranges, NULL);
	if (ranges)
		phyr_unmap(import->attach, ranges);
	/* Pairs with vb2_phyr_import_is_mapped(). */
	smp_store_release(&import->stale, false);
}

/* Every plane's for whose import there was no memory. */
static struct vb2_phyr_import vb2_phyr_import_none = {
	.ref = REFCOUNT_INIT(1),
	.error = -ENOMEM,
};

static struct vb2_phyr_import *
vb2_phyr_import_create(struct vb2_phyr_queue *queue, struct device *dev,
		       struct dma_buf *dmabuf)
{
	struct vb2_phyr_import *import;

	import = kzalloc_obj(*import, GFP_KERNEL_ACCOUNT);
	if (!import)
		return &vb2_phyr_import_none;

	refcount_set(&import->ref, 1);
	import->queue = queue;
	import->dmabuf = dmabuf;
	import->dev = dev;
	import->attach = phyr_attach(dmabuf, dev, &vb2_phyr_importer_ops,
				     &queue->limits, import);
	if (IS_ERR(import->attach)) {
		import->error = PTR_ERR(import->attach);
		return import;
	}

	get_dma_buf(dmabuf);
	list_add(&import->node, &queue->imports);
	queue->attached++;
	return import;
}

static void vb2_phyr_import_destroy(struct vb2_phyr_import *import)
{
	lockdep_assert_held(import->queue->vb2.lock);

	list_del(&import->node);
	phyr_inject_delay();
	dma_resv_lock(import->dmabuf->resv, NULL);
	vb2_phyr_import_unmap(import);
	dma_resv_unlock(import->dmabuf->resv);

	phyr_detach(import->attach);
	dma_buf_put(import->dmabuf);
	kfree(import);
}

/**
 * vb2_phyr_import_get - the import of a dma-buf, for one more plane
 * @queue: the queue
 * @dev: the device that will do DMA
 * @dmabuf: anybody's dma-buf
 *
 * Context: vb2_queue.lock; may sleep.
 * Return: the import, to be given back by vb2_phyr_import_put(). Whether it is
 * one, vb2_phyr_import_map() tells.
 */
struct vb2_phyr_import *vb2_phyr_import_get(struct vb2_phyr_queue *queue,
					    struct device *dev,
					    struct dma_buf *dmabuf)
{
	struct vb2_phyr_import *import;

	lockdep_assert_held(queue->vb2.lock);

	list_for_each_entry(import, &queue->imports, node)
		if (import->dmabuf == dmabuf && import->dev == dev)
			goto found;

	import = vb2_phyr_import_create(queue, dev, dmabuf);
	if (import->error)
		return import;
found:
	if (!import->planes++)
		list_move(&import->node, &queue->imports);
	return import;
}

/**
 * vb2_phyr_import_put - a plane lets go of its import
 * @import: the import; has no DMA on behalf of the plane
 *
 * Context: vb2_queue.lock; may sleep.
 */
void vb2_phyr_import_put(struct vb2_phyr_import *import)
{
	struct vb2_phyr_queue *queue = import->queue;

	if (import->error) {
		if (import != &vb2_phyr_import_none)
			kfree(import);
		return;
	}
	lockdep_assert_held(queue->vb2.lock);

	if (--import->planes)
		return;
	if (vb2_is_streaming(&queue->vb2))
		list_move_tail(&import->node, &queue->imports);
	else
		vb2_phyr_import_destroy(import);
}

/**
 * vb2_phyr_import_map - make sure that an import has a valid mapping
 * @import: the import
 *
 * Context: the reservation lock; may sleep.
 * Return: 0; -ENODEV where the memory was taken away, -EREMOTEIO where the
 * device cannot reach it; -ERESTARTSYS; another negative errno, of phyr_attach()
 * or phyr_map().
 */
int vb2_phyr_import_map(struct vb2_phyr_import *import)
{
	struct dma_buf *dmabuf = import->dmabuf;
	struct vb2_phyr_queue *queue = import->queue;
	struct dma_range_list *ranges;
	long ret;

	if (import->error)
		return import->error;
	dma_resv_assert_held(dmabuf->resv);

	/* A move that failed has left the mapping to a frame at another index. */
	if (import->stale) {
		ret = dma_resv_wait_timeout(dmabuf->resv,
					    DMA_RESV_USAGE_BOOKKEEP, true,
					    MAX_SCHEDULE_TIMEOUT);
		if (ret < 0)
			return ret;
		vb2_phyr_import_unmap(import);
	}
	if (import->ranges)
		return 0;

	ranges = phyr_map(import->attach, 0, dmabuf->size, queue->vb2.dma_dir);
	if (IS_ERR(ranges))
		return PTR_ERR(ranges);
	WRITE_ONCE(import->ranges, ranges);
	atomic64_inc(&queue->mapped);
	return 0;
}

/**
 * vb2_phyr_import_is_mapped - whether an import had a valid mapping just now
 * @import: the import
 *
 * An invalidation that has returned before is seen, or what came after it. One that
 * runs at the same time may not be: whoever uses the mapping asks again, by
 * vb2_phyr_import_map().
 *
 * Context: any; a plane has @import.
 * Return: true where vb2_phyr_import_map() would have had nothing to do.
 */
bool vb2_phyr_import_is_mapped(const struct vb2_phyr_import *import)
{
	/* Who sees a mapping as not stale any more sees that it is gone, too. */
	return !smp_load_acquire(&import->stale) && READ_ONCE(import->ranges);
}

/**
 * vb2_phyr_imports_trim - give up what only the cache still holds
 * @queue: the queue
 *
 * A dma-buf that its users have closed would otherwise keep its memory until
 * STREAMOFF. Who finds it again by its exporter's handle attaches anew.
 *
 * Context: vb2_queue.lock; may sleep.
 */
void vb2_phyr_imports_trim(struct vb2_phyr_queue *queue)
{
	struct vb2_phyr_import *import, *next;

	list_for_each_entry_safe_reverse(import, next, &queue->imports, node) {
		if (import->planes)
			break;
		if (file_count(import->dmabuf->file) == 1)
			vb2_phyr_import_destroy(import);
	}
}

/**
 * vb2_phyr_imports_drop - give up all that no plane has
 * @queue: the queue
 *
 * Context: vb2_queue.lock; may sleep.
 */
void vb2_phyr_imports_drop(struct vb2_phyr_queue *queue)
{
	struct vb2_phyr_import *import, *next;

	list_for_each_entry_safe_reverse(import, next, &queue->imports, node) {
		if (import->planes)
			break;
		vb2_phyr_import_destroy(import);
	}
}

/**
 * vb2_phyr_import_show - a line about an import, and one for each range
 * @m: a file of root's: an untranslated DMA address is a physical address
 * @import: the import
 *
 * Context: vb2_queue.lock; takes the reservation lock.
 */
void vb2_phyr_import_show(struct seq_file *m, struct vb2_phyr_import *import)
{
	const struct dma_range_list *ranges;

	dma_resv_lock(import->dmabuf->resv, NULL);
	ranges = import->stale ? NULL : import->ranges;
	seq_printf(m, "import size %zu planes %u mode %s\n",
		   import->dmabuf->size, import->planes,
		   ranges ? dma_range_list_mode(ranges) : "none");
	if (ranges)
		dma_range_list_show(m, ranges);
	dma_resv_unlock(import->dmabuf->resv);
}

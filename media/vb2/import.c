// SPDX-License-Identifier: GPL-2.0
/*
 * Imports: the dma-bufs that a queue has attached, and the cache of them
 *
 * videobuf2 detaches a plane's dma-buf when another one is queued at the same
 * index. Attaching and mapping per frame would cost more than the frame's DMA,
 * so an import outlives its plane: when its dma-buf is queued again, at any
 * index, it is still attached and mapped.
 *
 * Invariants
 * - An import holds a reference to its dma-buf. An import without planes exists
 *   only while the queue streams. It is destroyed at the next QBUF after the
 *   last other reference to the dma-buf is gone, and at STREAMOFF.
 * - Mappings are created and destroyed under the reservation lock. A mapping is
 *   destroyed only when no fence of this queue is pending for it. No DMA uses
 *   an import without planes.
 * - Invalidation only marks the mapping stale. Afterwards only the list's
 *   memory remains to be freed, at the next map or when the import is
 *   destroyed.
 *
 * Limits: queues count as each other's users. Two queues that both cache a
 * dma-buf without planes keep it, even if it is closed everywhere else, until
 * one of them stops streaming.
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

/* Shared by all planes whose import could not be allocated. */
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
 * vb2_phyr_import_get - find or create the import of a dma-buf for a plane
 * @queue: the queue
 * @dev: the device that will do DMA
 * @dmabuf: a dma-buf of any exporter
 *
 * Never fails. If attaching fails, the error is stored in the import and
 * returned by vb2_phyr_import_map().
 *
 * Context: under vb2_queue.lock; may sleep.
 * Return: the import; the caller releases it with vb2_phyr_import_put().
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
 * vb2_phyr_import_put - release a plane's import
 * @import: the import; the plane's DMA has ended
 *
 * Context: under vb2_queue.lock; may sleep.
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
 * vb2_phyr_import_map - map an import unless it has a valid mapping
 * @import: the import
 *
 * Context: under the reservation lock; may sleep.
 * Return: 0; -ENODEV if the memory was revoked; -EREMOTEIO if the device cannot
 * reach it; -ERESTARTSYS; or another error of phyr_attach() or phyr_map().
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

	/* After a failed move, a frame at another index may still use it. */
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
 * vb2_phyr_import_is_mapped - check without a lock for a valid mapping
 * @import: the import
 *
 * Sees every invalidation that returned before the call, but may miss a
 * concurrent one. The caller must call vb2_phyr_import_map() before it uses the
 * mapping.
 *
 * Context: any; a plane holds @import.
 * Return: true if vb2_phyr_import_map() would have had nothing to do.
 */
bool vb2_phyr_import_is_mapped(const struct vb2_phyr_import *import)
{
	/* If this sees stale cleared by an unmap, it sees ranges cleared. */
	return !smp_load_acquire(&import->stale) && READ_ONCE(import->ranges);
}

/**
 * vb2_phyr_imports_trim - destroy imports that only the cache references
 * @queue: the queue
 *
 * Otherwise a dma-buf that all users have closed would keep its memory until
 * STREAMOFF. If it is exported again from its exporter's handle and queued, it
 * is attached anew.
 *
 * Context: under vb2_queue.lock; may sleep.
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
 * vb2_phyr_imports_drop - destroy all imports without planes
 * @queue: the queue
 *
 * Context: under vb2_queue.lock; may sleep.
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

// SPDX-License-Identifier: GPL-2.0
/*
 * Imports: the dma-bufs that a queue uses, and the cache of them
 *
 * videobuf2 detaches a plane's dma-buf when another one is queued at the same
 * index. Attaching and mapping per frame would cost more than the frame's DMA,
 * so an import outlives its plane: when its dma-buf is queued again, at any
 * index, it is still attached and mapped. An import without planes is idle.
 *
 * Invariants
 * - An import holds a reference to its dma-buf. Idle imports exist only while
 *   the queue streams, and for VB2_PHYR_IDLE_TURNS calls of vb2_phyr_prepare()
 *   at most: they may pin their dma-buf's memory, and take IOVA space. They are
 *   destroyed earlier if nobody else seems to have the dma-buf, if a map fails
 *   for lack of memory or IOVA space, and at STREAMOFF.
 * - Mappings are created and destroyed under the reservation lock. A mapping is
 *   destroyed only when no frame of this queue uses it. Fences of others do not
 *   matter: no DMA but that of this queue uses the mapping.
 * - Invalidation only marks the mapping stale. If the move that it announced
 *   was interrupted, the stale mapping still stands: the frame in flight goes on
 *   using it, and so does the next one. Otherwise only the list's memory remains
 *   to be freed, at the next map or when the import is destroyed.
 *
 * A reservation lock is held for as long as its holder waits for fences, for
 * instance during a move. QBUF must not wait for that under vb2_queue.lock,
 * where DQBUF of other buffers would wait for QBUF. Attaching and mapping may
 * wait for fences, too: they may move the buffer, if the device does not reach
 * it. So vb2_phyr_prepare() does not touch a dma-buf whose reservation lock is
 * held or that has a pending fence, but leaves attaching and mapping to
 * vb2_phyr_begin(), which is called without vb2_queue.lock. Attach and detach
 * take the lock themselves, so for them this is decided shortly before.
 */
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/phyr_inject.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "memops.h"

/* Enough for a user that rotates more buffers than the queue has indices. */
#define VB2_PHYR_IDLE_TURNS	VB2_MAX_FRAME

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

	WRITE_ONCE(import->have, 0);
	import->ranges = NULL;
	if (ranges)
		phyr_unmap(import->attach, ranges);
	/* Pairs with vb2_phyr_import_is_mapped(). */
	smp_store_release(&import->stale, false);
}

/* True if a frame in flight uses the mapping. */
static bool vb2_phyr_import_is_busy(const struct vb2_phyr_import *import)
{
	dma_resv_assert_held(import->dmabuf->resv);
	return import->frame && !dma_fence_is_signaled(import->frame);
}

/*
 * Check without a lock for a valid mapping that is long enough. Sees every
 * invalidation that returned before the call, but may miss a concurrent one.
 */
static bool vb2_phyr_import_is_mapped(const struct vb2_phyr_import *import)
{
	/* If this sees stale cleared by an unmap, it sees have cleared. */
	return !smp_load_acquire(&import->stale) &&
	       READ_ONCE(import->have) >= READ_ONCE(import->need);
}

/*
 * Must not fail, see vb2_phyr_attach_dmabuf(): a small allocation that the
 * memory cgroup cannot refuse.
 */
static struct vb2_phyr_import *
vb2_phyr_import_create(struct vb2_phyr_queue *queue, struct device *dev,
		       struct dma_buf *dmabuf)
{
	struct vb2_phyr_import *import;

	import = kzalloc_obj(*import, GFP_KERNEL_ACCOUNT | __GFP_NOFAIL);
	refcount_set(&import->ref, 1);
	mutex_init(&import->attach_lock);
	import->queue = queue;
	import->dev = dev;
	get_dma_buf(dmabuf);
	import->dmabuf = dmabuf;
	return import;
}

/* Remove an import from the cache; the caller destroys it after unlocking. */
static void vb2_phyr_import_take(struct vb2_phyr_import *import,
				 struct list_head *taken)
{
	lockdep_assert_held(&import->queue->lock);

	hash_del(&import->hash);
	list_move_tail(&import->node, taken);
}

static void vb2_phyr_import_destroy(struct vb2_phyr_import *import)
{
	phyr_inject_delay();
	if (import->attach) {
		dma_resv_lock(import->dmabuf->resv, NULL);
		vb2_phyr_import_unmap(import);
		dma_resv_unlock(import->dmabuf->resv);
		phyr_detach(import->attach);
	}
	dma_fence_put(import->frame);
	dma_buf_put(import->dmabuf);
	mutex_destroy(&import->attach_lock);
	kfree(import);
}

static void vb2_phyr_imports_destroy(struct list_head *taken)
{
	struct vb2_phyr_import *import, *next;

	list_for_each_entry_safe(import, next, taken, node)
		vb2_phyr_import_destroy(import);
}

/*
 * Without a stream nothing is idle, unless the driver has not called
 * vb2_phyr_unprepare_streaming().
 */
static void vb2_phyr_imports_check(struct vb2_phyr_queue *queue)
{
	lockdep_assert_held(queue->vb2.lock);

	if (WARN_ON_ONCE(!vb2_is_streaming(&queue->vb2) &&
			 !list_empty(&queue->idle)))
		vb2_phyr_imports_drop(queue);
}

/**
 * vb2_phyr_import_get - find or create the import of a dma-buf for a plane
 * @queue: the queue
 * @dev: the device that will do DMA
 * @dmabuf: a dma-buf of any exporter
 *
 * A new import is not attached yet. Never fails.
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
	vb2_phyr_imports_check(queue);

	guard(mutex)(&queue->lock);
	hash_for_each_possible(queue->by_dmabuf, import, hash,
			       (unsigned long)dmabuf)
		if (import->dmabuf == dmabuf && import->dev == dev)
			goto found;

	import = vb2_phyr_import_create(queue, dev, dmabuf);
	INIT_LIST_HEAD(&import->node);
	hash_add(queue->by_dmabuf, &import->hash, (unsigned long)dmabuf);
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
	LIST_HEAD(taken);

	lockdep_assert_held(queue->vb2.lock);
	vb2_phyr_imports_check(queue);

	mutex_lock(&queue->lock);
	if (!--import->planes) {
		import->prepared = false;
		import->turn = queue->turn;
		if (import->attach && vb2_is_streaming(&queue->vb2))
			list_move_tail(&import->node, &queue->idle);
		else
			vb2_phyr_import_take(import, &taken);
	}
	mutex_unlock(&queue->lock);
	vb2_phyr_imports_destroy(&taken);
}

static int vb2_phyr_import_attach_locked(struct vb2_phyr_import *import)
{
	struct vb2_phyr_queue *queue = import->queue;
	struct phyr_attachment *attach;

	lockdep_assert_held(&import->attach_lock);

	if (import->attach)
		return 0;
	attach = phyr_attach(import->dmabuf, import->dev,
			     &vb2_phyr_importer_ops, &queue->limits, import);
	if (IS_ERR(attach))
		return PTR_ERR(attach);
	import->attach = attach;
	atomic64_inc(&queue->attached);
	return 0;
}

/**
 * vb2_phyr_import_attach - attach an import unless it is attached
 * @import: the import
 *
 * Context: not under the reservation lock; may sleep, as long as somebody
 * else holds that lock.
 * Return: 0 or an error of phyr_attach().
 */
int vb2_phyr_import_attach(struct vb2_phyr_import *import)
{
	guard(mutex)(&import->attach_lock);
	return vb2_phyr_import_attach_locked(import);
}

/**
 * vb2_phyr_import_set_need - note how much of a dma-buf a plane needs
 * @import: the import
 * @len: bytes from the start of the dma-buf, not 0
 *
 * A mapping that is shorter is replaced when the next frame starts.
 *
 * Context: under vb2_queue.lock.
 */
void vb2_phyr_import_set_need(struct vb2_phyr_import *import, u64 len)
{
	lockdep_assert_held(import->queue->vb2.lock);

	if (len > import->need)
		WRITE_ONCE(import->need, len);
}

/**
 * vb2_phyr_import_map - map an import unless it has a valid mapping
 * @import: the import, attached; no frame uses it if its mapping is stale or too
 *	short
 *
 * Maps only what the planes need: the dma-buf may be larger than the device's
 * address space.
 *
 * Context: under the reservation lock; may sleep.
 * Return: 0 or an error of phyr_map().
 */
int vb2_phyr_import_map(struct vb2_phyr_import *import)
{
	u64 need = READ_ONCE(import->need);
	struct vb2_phyr_queue *queue = import->queue;
	struct dma_range_list *ranges;

	dma_resv_assert_held(import->dmabuf->resv);

	if (import->stale && import->ranges &&
	    !phyr_map_commit(import->attach, import->ranges)) {
		/* Pairs with vb2_phyr_import_is_mapped(). */
		smp_store_release(&import->stale, false);
	}
	if (import->stale || (import->ranges && import->have < need)) {
		/* Frames of a queue do not overlap. */
		if (WARN_ON_ONCE(vb2_phyr_import_is_busy(import)))
			return -EBUSY;
		vb2_phyr_import_unmap(import);
	}
	if (import->ranges)
		return 0;

	ranges = phyr_map(import->attach, 0, need, queue->vb2.dma_dir);
	if (IS_ERR(ranges))
		return PTR_ERR(ranges);
	import->ranges = ranges;
	WRITE_ONCE(import->have, need);
	atomic64_inc(&queue->mapped);
	return 0;
}

/* With import->attach_lock held. */
static int vb2_phyr_import_try_map(struct vb2_phyr_import *import)
{
	struct dma_resv *resv = import->dmabuf->resv;
	int ret;

	/* A move of the buffer would wait for frames of this queue, too. */
	if (phyr_dma_buf_is_locked(import->dmabuf) ||
	    !phyr_dma_buf_is_idle(import->dmabuf))
		return 0;
	ret = vb2_phyr_import_attach_locked(import);
	if (ret)
		return ret;

	phyr_inject_delay();
	if (!dma_resv_trylock(resv))
		return 0;
	if (phyr_dma_buf_is_idle(import->dmabuf))
		ret = vb2_phyr_import_map(import);
	dma_resv_unlock(resv);
	return ret;
}

/**
 * vb2_phyr_import_try_ready - attach and map an import, if nothing is in the way
 * @import: the import
 *
 * Does nothing if somebody else holds the reservation lock, or if there is a
 * pending fence in it. Takes no lock if the mapping looks valid.
 *
 * Context: under vb2_queue.lock; may sleep.
 * Return: 0, which does not mean that the import is mapped; or an error of
 * phyr_attach() or phyr_map().
 */
int vb2_phyr_import_try_ready(struct vb2_phyr_import *import)
{
	int ret;

	lockdep_assert_held(import->queue->vb2.lock);

	import->prepared = true;
	if (vb2_phyr_import_is_mapped(import))
		return 0;
	if (!mutex_trylock(&import->attach_lock))
		return 0;
	ret = vb2_phyr_import_try_map(import);
	mutex_unlock(&import->attach_lock);
	return ret;
}

/**
 * vb2_phyr_import_start - note that a frame uses the mapping
 * @import: the import, mapped
 * @frame: the frame's fence
 *
 * Context: under the reservation lock.
 */
void vb2_phyr_import_start(struct vb2_phyr_import *import,
			   struct dma_fence *frame)
{
	dma_resv_assert_held(import->dmabuf->resv);

	dma_fence_put(import->frame);
	import->frame = dma_fence_get(frame);
}

/* True if the cache alone has the dma-buf, or it was idle for too long. */
static bool vb2_phyr_import_is_old(const struct vb2_phyr_import *import)
{
	/* A hint, for the sake of memory; wrong, it costs a detach. */
	return import->queue->turn - import->turn >= VB2_PHYR_IDLE_TURNS ||
	       file_count(import->dmabuf->file) == 1;
}

/**
 * vb2_phyr_imports_trim - destroy imports that are not worth caching
 * @queue: the queue
 *
 * Spares those whose reservation lock is held, until the next call.
 *
 * Context: under vb2_queue.lock; may sleep.
 */
void vb2_phyr_imports_trim(struct vb2_phyr_queue *queue)
{
	struct vb2_phyr_import *import, *next;
	LIST_HEAD(taken);

	lockdep_assert_held(queue->vb2.lock);

	mutex_lock(&queue->lock);
	queue->turn++;
	list_for_each_entry_safe(import, next, &queue->idle, node)
		if (vb2_phyr_import_is_old(import) &&
		    !phyr_dma_buf_is_locked(import->dmabuf))
			vb2_phyr_import_take(import, &taken);
	mutex_unlock(&queue->lock);
	vb2_phyr_imports_destroy(&taken);
}

/**
 * vb2_phyr_imports_give_up - destroy the oldest idle import
 * @queue: the queue
 *
 * Spares those whose reservation lock is held.
 *
 * Context: no reservation lock held; may sleep.
 * Return: true if there was one.
 */
bool vb2_phyr_imports_give_up(struct vb2_phyr_queue *queue)
{
	struct vb2_phyr_import *import;
	bool found = false;
	LIST_HEAD(taken);

	mutex_lock(&queue->lock);
	list_for_each_entry(import, &queue->idle, node) {
		if (phyr_dma_buf_is_locked(import->dmabuf))
			continue;
		vb2_phyr_import_take(import, &taken);
		found = true;
		break;
	}
	mutex_unlock(&queue->lock);
	vb2_phyr_imports_destroy(&taken);
	return found;
}

/**
 * vb2_phyr_imports_drop - destroy all idle imports
 * @queue: the queue
 *
 * Context: under vb2_queue.lock; may sleep.
 */
void vb2_phyr_imports_drop(struct vb2_phyr_queue *queue)
{
	struct vb2_phyr_import *import, *next;
	LIST_HEAD(taken);

	mutex_lock(&queue->lock);
	list_for_each_entry_safe(import, next, &queue->idle, node)
		vb2_phyr_import_take(import, &taken);
	mutex_unlock(&queue->lock);
	vb2_phyr_imports_destroy(&taken);
}

/**
 * vb2_phyr_import_show - a line about an import, and one for each range
 * @m: a file of root's: an untranslated DMA address is a physical address
 * @import: the import
 *
 * Shows mode "busy" and no ranges if the reservation lock is held.
 *
 * Context: under vb2_phyr_queue.lock.
 */
void vb2_phyr_import_show(struct seq_file *m, struct vb2_phyr_import *import)
{
	const struct dma_range_list *ranges = NULL;
	bool locked = dma_resv_trylock(import->dmabuf->resv);
	const char *mode = "busy";

	lockdep_assert_held(&import->queue->lock);

	if (locked) {
		ranges = import->stale ? NULL : import->ranges;
		mode = ranges ? dma_range_list_mode(ranges) : "none";
	}
	seq_printf(m, "import size %zu planes %u mode %s\n",
		   import->dmabuf->size, import->planes, mode);
	if (ranges)
		dma_range_list_show(m, ranges);
	if (locked)
		dma_resv_unlock(import->dmabuf->resv);
}

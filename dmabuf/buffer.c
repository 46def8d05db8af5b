// SPDX-License-Identifier: GPL-2.0
/*
 * phyr_buffer: memory of an exporter, which moves and can be revoked
 *
 *	LIVE --move_begin--> MOVING --move_end--> LIVE
 *	LIVE --revoke--> REVOKED --rearm--> LIVE
 *
 * phyr_buffer_move_begin() waits for all fences in the reservation object
 * (DMA_RESV_USAGE_BOOKKEEP: importers need not declare what their DMA does),
 * notifies every importer, waits for fences that they added, and then unmaps
 * all native mappings, whether or not the importers have called phyr_unmap().
 * Afterwards phyr_unmap() only frees memory. An address may therefore be used
 * only under the reservation lock or under a fence in it. It also unmaps the
 * mappings of compositions that have a part of the buffer (compose.c). A stock importer's
 * table stays mapped until the importer unmaps it; until then the importer may
 * only read and discard.
 *
 * The long wait comes before the notification, so that a move that a signal
 * interrupts has notified nobody. The reservation lock keeps new fences out;
 * only importers that are being notified can add some. If the second wait is
 * interrupted, the importers' mappings stay valid.
 *
 * phyr_buffer_revoke() takes the memory away permanently. It notifies first,
 * because no signal interrupts it. It cannot wait for stock importers to unmap,
 * because their unmap takes the lock it holds. Call phyr_buffer_revoke_wait()
 * after dropping the lock; only then may the device be removed. Tables of
 * system memory are not waited for: system memory outlives the device, and is
 * the buffer's until it moves. A static importer goes on using such a table,
 * during the revoke and after phyr_buffer_rearm().
 */
#include <linux/device.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/phyr_inject.h>

#include "internal.h"

/* A wait for importers is logged after this time, and less often later. */
#define PHYR_REVOKE_LOG_S	5

/**
 * phyr_buffer_init - initialize the core's state of a buffer
 * @buffer: the buffer
 * @ops: the exporter's callbacks
 * @resv: the buffer's reservation object
 *
 * Context: before @buffer is published.
 */
void phyr_buffer_init(struct phyr_buffer *buffer,
		      const struct phyr_dma_buf_ops *ops, struct dma_resv *resv)
{
	buffer->resv = resv;
	buffer->ops = ops;
	INIT_LIST_HEAD(&buffer->exports);
	INIT_LIST_HEAD(&buffer->attachments);
	INIT_LIST_HEAD(&buffer->sources);
	buffer->whole = NULL;
	buffer->list = NULL;
	buffer->size = 0;
	WRITE_ONCE(buffer->state, PHYR_BUFFER_LIVE);
	buffer->tables = 0;
	buffer->incoherent = 0;
	buffer->pins = 0;
	init_waitqueue_head(&buffer->idle);
}
EXPORT_SYMBOL_NS_GPL(phyr_buffer_init, "PHYR_EXPORTER");

/**
 * phyr_buffer_fini - clean up the core's state of a buffer
 * @buffer: the buffer; all its dma-bufs are released
 *
 * Context: the caller holds the last reference to @buffer; may sleep.
 */
void phyr_buffer_fini(struct phyr_buffer *buffer)
{
	WARN_ON_ONCE(!list_empty(&buffer->exports));
	WARN_ON_ONCE(!list_empty(&buffer->attachments));
	WARN_ON_ONCE(!list_empty(&buffer->sources));
	phyr_list_put(buffer->list);
	buffer->list = NULL;
}
EXPORT_SYMBOL_NS_GPL(phyr_buffer_fini, "PHYR_EXPORTER");

/**
 * phyr_buffer_check_live - test whether a buffer can be mapped
 * @buffer: the buffer
 *
 * Context: the reservation lock is held.
 * Return: 0; -ENODEV for a revoked buffer; -EBUSY for one that is moving.
 */
int phyr_buffer_check_live(const struct phyr_buffer *buffer)
{
	dma_resv_assert_held(buffer->resv);

	switch (buffer->state) {
	case PHYR_BUFFER_REVOKED:
		return -ENODEV;
	case PHYR_BUFFER_MOVING:
		return -EBUSY;
	case PHYR_BUFFER_LIVE:
		break;
	}
	return 0;
}

/*
 * Walks of a list rely on its invariants and on its size; do not trust the
 * exporter to return one that was validated, and for this buffer.
 */
static int phyr_buffer_check_list(struct phyr_buffer *buffer,
				  const struct phyr_list *list)
{
	if (WARN_ONCE(!list || !phyr_list_is_finished(list),
		      "phyr: %ps() returned %s\n", buffer->ops->describe,
		      list ? "a list that is not finished" : "no list"))
		return -EINVAL;

	if (WARN_ONCE(buffer->size && phyr_list_size(list) != buffer->size,
		      "phyr: %ps() returned a list of %llu bytes for a dma-buf of %llu\n",
		      buffer->ops->describe, phyr_list_size(list),
		      buffer->size))
		return -EINVAL;
	return 0;
}

static int phyr_buffer_describe(struct phyr_buffer *buffer)
{
	struct phyr_list *list;
	int ret;

	list = buffer->ops->describe(buffer);
	if (IS_ERR(list))
		return PTR_ERR(list);

	ret = phyr_buffer_check_list(buffer, list);
	/* The exporter may have found out that its device is gone. */
	if (!ret)
		ret = phyr_buffer_check_live(buffer);
	if (ret) {
		phyr_list_put(list);
		return ret;
	}
	buffer->list = list;
	return 0;
}

/**
 * phyr_buffer_get_list - get the list of the buffer's current memory
 * @buffer: the buffer
 *
 * Calls the exporter's describe() only if there is no list yet since the last
 * move.
 *
 * Context: the reservation lock is held; may sleep.
 * Return: the list, valid until the lock is dropped; take a reference to keep
 * it longer. ERR_PTR: -ENODEV for a revoked buffer; -EBUSY for one that is
 * moving; -EINVAL if describe() returned no list, one that is not finished, or
 * one of another size than the buffer's dma-bufs; or the error of describe().
 */
struct phyr_list *phyr_buffer_get_list(struct phyr_buffer *buffer)
{
	int ret;

	dma_resv_assert_held(buffer->resv);

	ret = phyr_buffer_check_live(buffer);
	if (!ret && !buffer->list)
		ret = phyr_buffer_describe(buffer);
	return ret ? ERR_PTR(ret) : buffer->list;
}
EXPORT_SYMBOL_NS_GPL(phyr_buffer_get_list, "PHYR_EXPORTER");

static void phyr_buffer_notify(struct phyr_buffer *buffer)
{
	struct phyr_export *export;

	list_for_each_entry(export, &buffer->exports, node)
		dma_buf_invalidate_mappings(export->dmabuf);
}

/* Unmap the native mappings; all fences that protected them have signaled. */
static void phyr_buffer_unmap(struct phyr_buffer *buffer)
{
	struct phyr_attachment *attach;

	list_for_each_entry(attach, &buffer->attachments, node)
		if (attach->kind != PHYR_KIND_TO_STOCK)
			phyr_attachment_unmap(attach);
	phyr_wholes_unmap(buffer);

	phyr_list_put(buffer->list);
	buffer->list = NULL;
}

/* What stock importers keep mapped will not be the buffer's any more. */
static void phyr_buffer_leave(struct phyr_buffer *buffer)
{
	struct phyr_attachment *attach;

	list_for_each_entry(attach, &buffer->attachments, node)
		if (attach->kind == PHYR_KIND_TO_STOCK)
			phyr_attachment_leave(attach);
}

static int phyr_buffer_wait_idle(struct phyr_buffer *buffer, bool interruptible,
				 bool no_wait)
{
	long ret;

	if (no_wait)
		return dma_resv_test_signaled(buffer->resv,
					      DMA_RESV_USAGE_BOOKKEEP) ?
			0 : -EBUSY;

	ret = dma_resv_wait_timeout(buffer->resv, DMA_RESV_USAGE_BOOKKEEP,
				    interruptible, MAX_SCHEDULE_TIMEOUT);
	return min(ret, 0);
}

/**
 * phyr_buffer_move_begin - stop DMA before the memory moves
 * @buffer: the buffer
 * @interruptible: abort on a signal
 * @no_wait: fail instead of waiting for a fence
 *
 * On success no native importer has a mapping of the old place, and no
 * importer can map until phyr_buffer_move_end(). The exporter must zap CPU
 * mappings. On error all mappings are still valid. Importers were not notified,
 * unless one of them added a fence when it was.
 *
 * Context: the reservation lock is held, and kept until
 * phyr_buffer_move_end(); sleeps. Not in memory reclaim, such as a shrinker: the
 * core allocates under locks that this takes.
 * Return: 0, also for a revoked buffer, which has no native mappings; -EBUSY
 * with @no_wait, or while the buffer of an exporter without a pin callback is
 * pinned, revoked or not; -ERESTARTSYS with @interruptible.
 */
int phyr_buffer_move_begin(struct phyr_buffer *buffer, bool interruptible,
			   bool no_wait)
{
	int ret;

	dma_resv_assert_held(buffer->resv);

	/* Of a revoked buffer, too: a static importer goes on using its table. */
	if (buffer->pins)
		return -EBUSY;
	if (buffer->state == PHYR_BUFFER_REVOKED) {
		phyr_buffer_leave(buffer);
		return 0;
	}

	ret = phyr_buffer_wait_idle(buffer, interruptible, no_wait);
	if (ret)
		return ret;

	WRITE_ONCE(buffer->state, PHYR_BUFFER_MOVING);
	phyr_buffer_notify(buffer);
	ret = phyr_buffer_wait_idle(buffer, interruptible, no_wait);
	if (ret) {
		WRITE_ONCE(buffer->state, PHYR_BUFFER_LIVE);
		return ret;
	}

	phyr_buffer_unmap(buffer);
	phyr_buffer_leave(buffer);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(phyr_buffer_move_begin, "PHYR_EXPORTER");

/**
 * phyr_buffer_move_end - allow mapping again after a move
 * @buffer: the buffer
 *
 * Call it also if the move failed and the memory stayed where it was.
 *
 * Context: the reservation lock has been held since phyr_buffer_move_begin().
 */
void phyr_buffer_move_end(struct phyr_buffer *buffer)
{
	dma_resv_assert_held(buffer->resv);

	if (buffer->state == PHYR_BUFFER_MOVING)
		WRITE_ONCE(buffer->state, PHYR_BUFFER_LIVE);
}
EXPORT_SYMBOL_NS_GPL(phyr_buffer_move_end, "PHYR_EXPORTER");

/**
 * phyr_buffer_pin - pin a buffer where it is
 * @buffer: the buffer; not revoked
 *
 * Context: the reservation lock is held; may sleep.
 * Return: 0, or the error of the exporter's pin.
 */
int phyr_buffer_pin(struct phyr_buffer *buffer)
{
	dma_resv_assert_held(buffer->resv);

	if (buffer->ops->pin)
		return buffer->ops->pin(buffer);
	buffer->pins++;
	return 0;
}

/**
 * phyr_buffer_unpin - undo one phyr_buffer_pin()
 * @buffer: the buffer
 *
 * Context: the reservation lock is held; may sleep.
 */
void phyr_buffer_unpin(struct phyr_buffer *buffer)
{
	dma_resv_assert_held(buffer->resv);

	if (buffer->ops->unpin)
		buffer->ops->unpin(buffer);
	else
		buffer->pins--;
}

/**
 * phyr_buffer_revoke - revoke all access to the memory
 * @buffer: the buffer
 *
 * On return no device of a native importer can reach the buffer, unless it is
 * pinned in system memory for a composition (compose.c), and stock importers with
 * an invalidate callback are notified. Maps and attaches fail
 * with -ENODEV until phyr_buffer_rearm(). The memory and its provider may be
 * freed after phyr_buffer_revoke_wait().
 *
 * Context: the reservation lock is held; sleeps, uninterruptibly.
 */
void phyr_buffer_revoke(struct phyr_buffer *buffer)
{
	dma_resv_assert_held(buffer->resv);

	/* phyr_map() in an invalidate callback fails as in any other. */
	WRITE_ONCE(buffer->state, PHYR_BUFFER_MOVING);
	phyr_buffer_notify(buffer);
	phyr_buffer_wait_idle(buffer, false, false);
	phyr_buffer_unmap(buffer);
	WRITE_ONCE(buffer->state, PHYR_BUFFER_REVOKED);
}
EXPORT_SYMBOL_NS_GPL(phyr_buffer_revoke, "PHYR_EXPORTER");

/* Name the importers that phyr_buffer_revoke_wait() waits for. */
static void phyr_buffer_log_tables(struct phyr_buffer *buffer,
				   unsigned int seconds)
{
	const struct phyr_attachment *attach;

	/* An importer that hangs may hold the lock. */
	if (!dma_resv_trylock(buffer->resv)) {
		pr_warn("phyr: %u tables of a revoked buffer are still mapped after %u s, and its reservation lock is taken\n",
			READ_ONCE(buffer->tables), seconds);
		return;
	}

	list_for_each_entry(attach, &buffer->attachments, node)
		if (phyr_attachment_has_table(attach))
			dev_warn(attach->attach->dev,
				 "still maps a dma-buf of %s that was revoked %u s ago; its exporter waits for the unmap\n",
				 attach->attach->dmabuf->exp_name, seconds);
	dma_resv_unlock(buffer->resv);
}

/**
 * phyr_buffer_revoke_wait - wait until no device refers to the memory
 * @buffer: a revoked buffer
 *
 * Waits until every stock importer has unmapped its table of page-less memory.
 * All of them were notified by phyr_buffer_revoke(), and the dma-buf contract
 * limits the time they may take. Logs the importers' names if the wait takes
 * longer than PHYR_REVOKE_LOG_S seconds.
 *
 * Context: the reservation lock is not held, because the unmap that this waits
 * for takes it. Sleeps, uninterruptibly.
 */
void phyr_buffer_revoke_wait(struct phyr_buffer *buffer)
{
	unsigned int pause = PHYR_REVOKE_LOG_S, seconds = 0;
	struct phyr_attachment *attach;

	might_lock(&buffer->resv->lock.base);
	while (!wait_event_timeout(buffer->idle, !READ_ONCE(buffer->tables),
				   secs_to_jiffies(pause))) {
		seconds += pause;
		phyr_buffer_log_tables(buffer, seconds);
		pause = min(2 * pause, 60);
	}

	phyr_inject_delay();
	dma_resv_lock(buffer->resv, NULL);
	list_for_each_entry(attach, &buffer->attachments, node)
		phyr_attachment_drop_routes(attach);
	phyr_wholes_drop_routes(buffer);
	dma_resv_unlock(buffer->resv);
}
EXPORT_SYMBOL_NS_GPL(phyr_buffer_revoke_wait, "PHYR_EXPORTER");

/**
 * phyr_buffer_rearm - make a revoked buffer usable again
 * @buffer: a revoked buffer, after phyr_buffer_revoke_wait()
 *
 * For a device that was reset and has recovered. Importers that stayed
 * attached may map again; their routes are decided again. Warns about a buffer
 * that is not revoked and leaves its state unchanged.
 *
 * Context: the reservation lock is held.
 */
void phyr_buffer_rearm(struct phyr_buffer *buffer)
{
	dma_resv_assert_held(buffer->resv);

	if (WARN_ON_ONCE(buffer->state != PHYR_BUFFER_REVOKED))
		return;
	WRITE_ONCE(buffer->state, PHYR_BUFFER_LIVE);
}
EXPORT_SYMBOL_NS_GPL(phyr_buffer_rearm, "PHYR_EXPORTER");

/**
 * phyr_buffer_is_revoked - test whether a buffer is revoked
 * @buffer: the buffer
 *
 * Context: the reservation lock is held.
 * Return: true between phyr_buffer_revoke() and phyr_buffer_rearm().
 */
bool phyr_buffer_is_revoked(const struct phyr_buffer *buffer)
{
	dma_resv_assert_held(buffer->resv);

	return buffer->state == PHYR_BUFFER_REVOKED;
}
EXPORT_SYMBOL_NS_GPL(phyr_buffer_is_revoked, "PHYR_EXPORTER");

/**
 * phyr_buffer_dma_bufs - count the dma-bufs of a buffer
 * @buffer: the buffer
 *
 * Context: the reservation lock is held.
 * Return: the number of dma-bufs that are not released yet.
 */
unsigned int phyr_buffer_dma_bufs(const struct phyr_buffer *buffer)
{
	dma_resv_assert_held(buffer->resv);

	return list_count_nodes((struct list_head *)&buffer->exports);
}
EXPORT_SYMBOL_NS_GPL(phyr_buffer_dma_bufs, "PHYR_EXPORTER");

/**
 * phyr_buffer_is_mapped - test whether a buffer is mapped for any device
 * @buffer: the buffer
 *
 * A stock importer's table that is still mapped after a move does not count.
 *
 * Context: the reservation lock is held; may sleep.
 * Return: true if at least one mapping is valid, of the buffer or of a
 * composition that has a part of it.
 */
bool phyr_buffer_is_mapped(const struct phyr_buffer *buffer)
{
	dma_resv_assert_held(buffer->resv);

	return phyr_attachments_are_mapped(buffer) ||
	       phyr_wholes_are_mapped(buffer);
}
EXPORT_SYMBOL_NS_GPL(phyr_buffer_is_mapped, "PHYR_EXPORTER");

// SPDX-License-Identifier: GPL-2.0
/*
 * phyr_whole: a composed buffer, as the rest of the core sees it
 *
 * compose.c makes it, and explains the terms and the locks. A buffer that is no
 * whole has phyr_buffer.whole NULL.
 */
#include <linux/dma-resv.h>
#include <linux/sched.h>

#include "internal.h"

/* Frees wholes. Not the queue of the release hooks: it waits for locks. */
static struct workqueue_struct *phyr_whole_wq;

/**
 * phyr_whole_init - prepare for the end of compositions
 *
 * Context: module init.
 * Return: 0 or -ENOMEM.
 */
int phyr_whole_init(void)
{
	phyr_whole_wq = alloc_workqueue("phyr_whole", WQ_UNBOUND, 0);
	return phyr_whole_wq ? 0 : -ENOMEM;
}

/**
 * phyr_whole_exit - free the compositions that are left
 *
 * Context: module exit, before phyr_list_exit(); may sleep.
 */
void phyr_whole_exit(void)
{
	destroy_workqueue(phyr_whole_wq);
}

/**
 * phyr_whole_queue - run a work item that frees a whole
 * @work: the work item
 *
 * Context: any.
 */
void phyr_whole_queue(struct work_struct *work)
{
	queue_work(phyr_whole_wq, work);
}

/**
 * phyr_whole_resvs - get the reservation objects that guard a buffer
 * @buffer: any buffer
 * @nr: out: their number
 *
 * Context: any.
 * Return: array, valid as long as @buffer; the first is that of @buffer.
 */
struct dma_resv **phyr_whole_resvs(struct phyr_buffer *buffer, unsigned int *nr)
{
	struct phyr_whole *whole = buffer->whole;

	*nr = whole ? whole->nr_resvs : 1;
	return whole ? whole->resvs : &buffer->resv;
}

/**
 * phyr_whole_lock - lock what moves of a whole's sources touch
 * @buffer: any buffer; nothing happens unless it is a whole
 *
 * Context: @buffer's reservation lock is held; sleeps.
 */
void phyr_whole_lock(struct phyr_buffer *buffer)
{
	dma_resv_assert_held(buffer->resv);

	if (buffer->whole)
		mutex_lock(&buffer->whole->lock);
}

/**
 * phyr_whole_unlock - undo phyr_whole_lock()
 * @buffer: the buffer
 *
 * Context: any.
 */
void phyr_whole_unlock(struct phyr_buffer *buffer)
{
	if (buffer->whole)
		mutex_unlock(&buffer->whole->lock);
}

/**
 * phyr_whole_is_live - test whether no source of a whole is revoked
 * @buffer: the whole
 *
 * Without the sources' locks, the answer may already be stale.
 *
 * Context: any.
 * Return: true if none is.
 */
bool phyr_whole_is_live(const struct phyr_buffer *buffer)
{
	const struct phyr_whole *whole = buffer->whole;
	unsigned int i;

	for (i = 0; i < whole->nr_sources; i++)
		if (READ_ONCE(whole->sources[i].buffer->state) ==
		    PHYR_BUFFER_REVOKED)
			return false;
	return true;
}

/*
 * Importers that do not lock the parts have their own reference to the list, and
 * mappings of system memory that is pinned.
 */
static void phyr_whole_unmap(struct phyr_whole *whole)
{
	struct phyr_attachment *attach;

	guard(mutex)(&whole->lock);

	list_for_each_entry(attach, &whole->phyr.attachments, node)
		if (!attach->list)
			phyr_attachment_unmap(attach);
	phyr_list_put(whole->phyr.list);
	whole->phyr.list = NULL;
}

/**
 * phyr_wholes_unmap - unmap the compositions that a buffer has parts in
 * @buffer: a buffer that moves or is revoked, and whose fences have signalled
 *
 * Context: the reservation lock is held; sleeps.
 */
void phyr_wholes_unmap(struct phyr_buffer *buffer)
{
	struct phyr_source *source;

	dma_resv_assert_held(buffer->resv);

	list_for_each_entry(source, &buffer->sources, node) {
		phyr_whole_unmap(source->whole);
		cond_resched();
	}
}

/**
 * phyr_wholes_are_mapped - test whether a device reaches a buffer by a whole
 * @buffer: the buffer
 *
 * Context: the reservation lock is held; sleeps.
 * Return: true if a mapping of a composition that has parts of @buffer is
 * valid.
 */
bool phyr_wholes_are_mapped(const struct phyr_buffer *buffer)
{
	struct phyr_source *source;
	bool mapped = false;

	dma_resv_assert_held(buffer->resv);

	list_for_each_entry(source, &buffer->sources, node) {
		guard(mutex)(&source->whole->lock);
		mapped |= phyr_attachments_are_mapped(&source->whole->phyr);
	}
	return mapped;
}

/**
 * phyr_wholes_drop_routes - forget how devices reach a buffer by wholes
 * @buffer: a revoked buffer
 *
 * Context: the reservation lock is held; sleeps.
 */
void phyr_wholes_drop_routes(struct phyr_buffer *buffer)
{
	struct phyr_attachment *attach;
	struct phyr_source *source;

	dma_resv_assert_held(buffer->resv);

	list_for_each_entry(source, &buffer->sources, node) {
		guard(mutex)(&source->whole->lock);
		/* The others have mappings of system memory, which stay. */
		list_for_each_entry(attach, &source->whole->phyr.attachments,
				    node)
			if (!attach->list)
				phyr_attachment_drop_routes(attach);
	}
}

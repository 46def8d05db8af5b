// SPDX-License-Identifier: GPL-2.0
/*
 * Compositions: a dma-buf of parts of other dma-bufs
 *
 * Terms
 *	whole	the composed buffer; it has no memory of its own
 *	part	some bytes of another buffer, which are a piece of the whole
 *	source	a buffer with parts in a whole: one, however many parts it has
 *
 * The whole's list is a concatenation of pieces of its sources' lists. It is
 * valid until a source moves.
 *
 * Locks. The whole has a reservation object of its own. Whoever attaches, maps or
 * pins holds its lock and those of all sources (locks.c), so no source moves
 * meanwhile; and an importer adds its fences to all of them. A source that moves
 * or is revoked holds its own lock only. It has waited for its fences, thus for
 * all DMA to the whole, and unmaps the mappings of the whole (whole.c). An
 * importer sees that when it uses one again (phyr_map_commit()); it is not
 * notified, because nobody holds the whole's lock. So its DMA is under a fence
 * also while the whole is pinned. Two sources may move at the same time, and
 * phyr_unmap() needs the whole's lock only: therefore phyr_whole.lock.
 *
 * An importer that does not lock the parts, as every stock one, gets all of them
 * in system memory, where they are pinned until it detaches. They do not move,
 * and a revoke does not touch system memory; so nobody has to notify it.
 *
 * The idea of lists with more than one kind of memory is Logan Gunthorpe's (2022).
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/fcntl.h>
#include <linux/overflow.h>
#include <linux/phyr_inject.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "internal.h"

/* lockdep counts up to 2,047 held locks of a class; two wholes stay below. */
#define PHYR_MAX_SOURCES	512

/*
 * Repeated pages cost other clients that map the whole list entries, IOVA space
 * and page tables: limit by how much a whole may exceed its sources.
 */
#define PHYR_MAX_REPEAT		SZ_1G

/*
 * The whole's side as an exporter; all under the locks of the whole and of all
 * sources
 */

/* From an exporter, -ENOSPC means no memory; from a map, no IOVA space. */
static int phyr_source_error(int err)
{
	return err == -ENOSPC ? -ENOMEM : err;
}

static struct phyr_list *phyr_source_get_list(struct phyr_buffer *source)
{
	struct phyr_list *list = phyr_buffer_get_list(source);

	return IS_ERR(list) ? ERR_PTR(phyr_source_error(PTR_ERR(list))) : list;
}

static struct phyr_whole *to_phyr_whole(struct phyr_buffer *buffer)
{
	return container_of(buffer, struct phyr_whole, phyr);
}

/* Only the first part may start inside a page, only the last end inside one. */
static int phyr_whole_append(struct phyr_whole *whole, unsigned int i,
			     struct phyr_list *list, u64 *skip)
{
	const struct phyr_whole_part *part = &whole->parts[i];
	struct phyr_list *from;
	u64 into;
	int ret;

	from = phyr_source_get_list(part->source->buffer);
	if (IS_ERR(from))
		return PTR_ERR(from);

	ret = phyr_list_append_part(list, from, part->offset, part->len, &into);
	if (ret)
		return ret;
	if (!i)
		*skip = into;
	else if (into)
		return -EINVAL;
	if (i < whole->nr_parts - 1 && !PAGE_ALIGNED(into + part->len))
		return -EINVAL;
	return 0;
}

static struct phyr_list *phyr_whole_describe(struct phyr_buffer *buffer)
{
	struct phyr_whole *whole = to_phyr_whole(buffer);
	struct phyr_list *list;
	unsigned int i;
	u64 skip = 0;
	int ret = 0;

	list = phyr_list_create();
	if (IS_ERR(list))
		return list;

	for (i = 0; i < whole->nr_parts && !ret; i++) {
		ret = phyr_whole_append(whole, i, list, &skip);
		if (!ret && fatal_signal_pending(current))
			ret = -EINTR;
		cond_resched();
	}
	if (!ret)
		ret = phyr_list_finish_composed(list, skip, buffer->size);
	if (ret) {
		phyr_list_put(list);
		return ERR_PTR(ret);
	}
	return list;
}

static struct phyr_mem *phyr_whole_memory(struct phyr_buffer *buffer,
					  unsigned int i)
{
	struct phyr_whole *whole = to_phyr_whole(buffer);
	struct phyr_buffer *source;
	struct phyr_mem *mem;
	unsigned int n, k;

	for (n = 0; n < whole->nr_sources; n++) {
		source = whole->sources[n].buffer;
		/* Without @memory, it stays where the list says that it is. */
		if (!source->ops->memory)
			continue;
		for (k = 0; (mem = source->ops->memory(source, k)); k++)
			if (!i--)
				return mem;
	}
	return NULL;
}

static int phyr_whole_pin(struct phyr_buffer *buffer)
{
	struct phyr_whole *whole = to_phyr_whole(buffer);
	unsigned int i;
	int ret;

	for (i = 0; i < whole->nr_sources; i++) {
		ret = phyr_buffer_pin(whole->sources[i].buffer);
		if (ret)
			goto unpin;
	}
	return 0;
unpin:
	while (i--)
		phyr_buffer_unpin(whole->sources[i].buffer);
	return ret;
}

static void phyr_whole_unpin(struct phyr_buffer *buffer)
{
	struct phyr_whole *whole = to_phyr_whole(buffer);
	unsigned int i;

	for (i = 0; i < whole->nr_sources; i++)
		phyr_buffer_unpin(whole->sources[i].buffer);
}

static void phyr_source_unpin_system(struct phyr_buffer *source)
{
	if (source->ops->unpin_system)
		source->ops->unpin_system(source);
	else
		phyr_buffer_unpin(source);
}

/*
 * What moves there is copied behind a fence of the source, which an importer
 * that sees the whole's reservation object only would not wait for.
 */
static int phyr_source_pin_system(struct phyr_buffer *source)
{
	long ret;

	if (source->ops->pin_system)
		ret = source->ops->pin_system(source);
	else
		ret = phyr_buffer_pin(source);
	if (ret)
		return phyr_source_error(ret);

	ret = dma_resv_wait_timeout(source->resv, DMA_RESV_USAGE_KERNEL, true,
				    MAX_SCHEDULE_TIMEOUT);
	if (ret < 0) {
		phyr_source_unpin_system(source);
		return ret;
	}
	return 0;
}

static void phyr_whole_unpin_system(struct phyr_buffer *buffer)
{
	struct phyr_whole *whole = to_phyr_whole(buffer);
	unsigned int i;

	for (i = 0; i < whole->nr_sources; i++)
		phyr_source_unpin_system(whole->sources[i].buffer);
}

/* Do not move a part if another one cannot follow. */
static int phyr_whole_may_be_in_system(const struct phyr_whole *whole)
{
	struct phyr_buffer *source;
	struct phyr_list *list;
	unsigned int i;

	for (i = 0; i < whole->nr_sources; i++) {
		source = whole->sources[i].buffer;
		if (source->ops->pin_system)
			continue;
		list = phyr_source_get_list(source);
		if (IS_ERR(list))
			return PTR_ERR(list);
		if (phyr_list_is_pageless(list))
			return -EBUSY;
	}
	return 0;
}

static int phyr_whole_pin_system(struct phyr_buffer *buffer)
{
	struct phyr_whole *whole = to_phyr_whole(buffer);
	unsigned int i;
	int ret;

	ret = phyr_whole_may_be_in_system(whole);
	if (ret)
		return ret;

	for (i = 0; i < whole->nr_sources; i++) {
		ret = phyr_source_pin_system(whole->sources[i].buffer);
		if (ret)
			goto unpin;
	}
	return 0;
unpin:
	while (i--)
		phyr_source_unpin_system(whole->sources[i].buffer);
	return ret;
}

static struct phyr_buffer *phyr_whole_buffer(struct dma_buf *dmabuf)
{
	struct phyr_whole *whole = dmabuf->priv;

	return &whole->phyr;
}

/*
 * Life
 */

static void phyr_whole_free(struct phyr_whole *whole)
{
	struct phyr_source *source;
	unsigned int i;

	for (i = 0; i < whole->nr_sources; i++) {
		source = &whole->sources[i];
		/* Nobody else links it. */
		if (list_empty(&source->node))
			continue;
		phyr_inject_delay();
		dma_resv_lock(source->buffer->resv, NULL);
		list_del_init(&source->node);
		dma_resv_unlock(source->buffer->resv);
	}
	/* No move finds the whole any more. */
	phyr_buffer_fini(&whole->phyr);
	for (i = 0; i < whole->nr_sources; i++)
		dma_buf_put(whole->sources[i].dmabuf);
	mutex_destroy(&whole->lock);
	dma_resv_fini(&whole->resv);
	kvfree(whole->resvs);
	kvfree(whole->sources);
	kvfree(whole);
}

static void phyr_whole_work(struct work_struct *work)
{
	phyr_whole_free(container_of(work, struct phyr_whole, work));
}

/*
 * The sources' locks may be held for as long as their fences take, but whoever
 * closes the last file, maybe the kernel's own fput() worker, must not wait.
 */
static void phyr_whole_release(struct dma_buf *dmabuf)
{
	struct phyr_whole *whole = dmabuf->priv;

	INIT_WORK(&whole->work, phyr_whole_work);
	phyr_whole_queue(&whole->work);
}

static const struct phyr_dma_buf_ops phyr_whole_ops = {
	.ops = { PHYR_DMA_BUF_OPS },
	.buffer = phyr_whole_buffer,
	.release = phyr_whole_release,
	.describe = phyr_whole_describe,
	.memory = phyr_whole_memory,
	.pin = phyr_whole_pin,
	.unpin = phyr_whole_unpin,
	.pin_system = phyr_whole_pin_system,
	.unpin_system = phyr_whole_unpin_system,
};

static int phyr_part_check(const struct phyr_part *part)
{
	u64 end;

	if (!phyr_dma_buf_is_ours(part->dmabuf))
		return -EOPNOTSUPP;
	if (phyr_dma_buf_buffer(part->dmabuf)->whole)
		return -EINVAL;
	if (!part->len || check_add_overflow(part->offset, part->len, &end) ||
	    end > part->dmabuf->size)
		return -EINVAL;
	return 0;
}

static int phyr_parts_check(const struct phyr_part *parts, unsigned int nr,
			    u64 *size)
{
	unsigned int i;
	int ret;

	*size = 0;
	for (i = 0; i < nr; i++) {
		ret = phyr_part_check(&parts[i]);
		if (ret)
			return ret;
		if (check_add_overflow(*size, parts[i].len, size) ||
		    *size > S64_MAX)
			return -EOVERFLOW;
	}
	return nr ? 0 : -EINVAL;
}

static void phyr_whole_add_resv(struct phyr_whole *whole, struct dma_resv *resv)
{
	unsigned int i;

	for (i = 0; i < whole->nr_resvs; i++)
		if (whole->resvs[i] == resv)
			return;
	whole->resvs[whole->nr_resvs++] = resv;
}

static struct phyr_source *phyr_whole_find_source(struct phyr_whole *whole,
						  struct dma_buf *dmabuf)
{
	struct phyr_buffer *buffer = phyr_dma_buf_buffer(dmabuf);
	struct phyr_source *source;
	unsigned int i;

	for (i = 0; i < whole->nr_sources; i++)
		if (whole->sources[i].buffer == buffer)
			return &whole->sources[i];

	source = &whole->sources[whole->nr_sources++];
	INIT_LIST_HEAD(&source->node);
	source->whole = whole;
	source->buffer = buffer;
	source->dmabuf = dmabuf;
	get_dma_buf(dmabuf);
	phyr_whole_add_resv(whole, buffer->resv);
	return source;
}

static struct phyr_whole *phyr_whole_create(const struct phyr_part *parts,
					    unsigned int nr, u64 size)
{
	struct phyr_whole *whole;
	unsigned int i;

	whole = kvzalloc_flex(*whole, parts, nr, GFP_KERNEL_ACCOUNT);
	if (!whole)
		return NULL;

	whole->nr_parts = nr;
	whole->sources = kvzalloc_objs(*whole->sources, nr, GFP_KERNEL_ACCOUNT);
	whole->resvs = kvzalloc_objs(*whole->resvs, nr + 1, GFP_KERNEL_ACCOUNT);
	if (!whole->sources || !whole->resvs) {
		kvfree(whole->resvs);
		kvfree(whole->sources);
		kvfree(whole);
		return NULL;
	}

	mutex_init(&whole->lock);
	dma_resv_init(&whole->resv);
	phyr_buffer_init(&whole->phyr, &phyr_whole_ops, &whole->resv);
	whole->phyr.whole = whole;
	whole->phyr.size = size;
	whole->resvs[whole->nr_resvs++] = &whole->resv;
	for (i = 0; i < nr; i++) {
		whole->parts[i].source =
			phyr_whole_find_source(whole, parts[i].dmabuf);
		whole->parts[i].offset = parts[i].offset;
		whole->parts[i].len = parts[i].len;
		cond_resched();
	}
	return whole;
}

static int phyr_whole_check_sources(const struct phyr_whole *whole)
{
	u64 size = 0;
	unsigned int i;

	if (whole->nr_sources > PHYR_MAX_SOURCES)
		return -E2BIG;
	for (i = 0; i < whole->nr_sources; i++)
		size += whole->sources[i].dmabuf->size;
	return whole->phyr.size > size + PHYR_MAX_REPEAT ? -E2BIG : 0;
}

/*
 * Describe each source under its own lock, so that what that takes, maybe
 * reading its pages from a swap device, delays no other's users.
 */
static int phyr_whole_describe_sources(struct phyr_whole *whole)
{
	struct phyr_buffer *source;
	unsigned int i;
	int ret;

	for (i = 0; i < whole->nr_sources; i++) {
		source = whole->sources[i].buffer;
		if (dma_resv_lock_interruptible(source->resv, NULL))
			return -ERESTARTSYS;
		ret = PTR_ERR_OR_ZERO(phyr_source_get_list(source));
		dma_resv_unlock(source->resv);
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}

/* Let moves of the sources find the whole, and check how the parts fit. */
static int phyr_whole_link(struct phyr_whole *whole)
{
	struct phyr_source *source;
	struct phyr_locks locks;
	struct phyr_list *list;
	unsigned int i;

	phyr_inject_delay();
	if (phyr_buffer_lock(&whole->phyr, &locks, true))
		return -ERESTARTSYS;

	for (i = 0; i < whole->nr_sources; i++) {
		source = &whole->sources[i];
		list_add(&source->node, &source->buffer->sources);
	}
	list = phyr_buffer_get_list(&whole->phyr);
	phyr_buffer_unlock(&locks);
	return PTR_ERR_OR_ZERO(list);
}

static int phyr_whole_start(struct phyr_whole *whole)
{
	int ret;

	ret = phyr_whole_check_sources(whole);
	if (!ret)
		ret = phyr_whole_describe_sources(whole);
	return ret ?: phyr_whole_link(whole);
}

/**
 * phyr_compose - make a dma-buf of parts of others
 * @parts: the parts, in order; each of a phyr exporter's dma-buf, or of one of
 *	phyr_pin_user(). The same bytes may occur more than once
 * @nr: their number
 *
 * Only the first part may start inside a page of its memory, and only the last
 * one may end inside a page. The dma-buf keeps references to those of the parts,
 * which move and are revoked as before. Do not give the dma-buf a file descriptor
 * if a part is of phyr_pin_user(), or if it starts or ends inside a page: other
 * drivers would use the rest of that page, or crash.
 *
 * An importer that locks the parts (&phyr_importer_ops.locks_parts) gets them
 * where they are; any other gets each in system memory, pinned, or its attach
 * fails with -EREMOTEIO, for a stock importer -EBUSY. The attach of a device that
 * is not coherent fails with -EREMOTEIO: a CPU access to a part does not know of
 * the whole. That of a stock importer to a dma-buf that starts or ends inside a
 * page fails with -EOPNOTSUPP.
 *
 * Context: no reservation lock is held; may sleep.
 * Return: the dma-buf, to be released by dma_buf_put(), or ERR_PTR: -EINVAL
 * for no part, an empty one, one that exceeds its dma-buf, one of a composed
 * dma-buf, or one that starts or ends inside a page; -EOPNOTSUPP for a part of
 * a stock exporter's dma-buf; -EOVERFLOW for more than S64_MAX bytes; -E2BIG
 * for parts of more than PHYR_MAX_SOURCES buffers, or for more than
 * PHYR_MAX_REPEAT bytes in addition to the sizes of all of them; -ENODEV if a
 * part is revoked; -ENOMEM; -ERESTARTSYS if a signal interrupts the wait for a
 * lock; or the error of an exporter's describe.
 */
struct dma_buf *phyr_compose(const struct phyr_part *parts, unsigned int nr)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct phyr_whole *whole;
	struct dma_buf *dmabuf;
	u64 size;
	int ret;

	ret = phyr_parts_check(parts, nr, &size);
	if (ret)
		return ERR_PTR(ret);

	whole = phyr_whole_create(parts, nr, size);
	if (!whole)
		return ERR_PTR(-ENOMEM);
	ret = phyr_whole_start(whole);
	if (ret) {
		phyr_whole_free(whole);
		return ERR_PTR(ret);
	}

	info.exp_name = "phyr_compose";
	info.size = size;
	info.flags = O_CLOEXEC | O_RDWR;
	info.priv = whole;
	dmabuf = phyr_dma_buf_export(&whole->phyr, &info);
	/* On success the dma-buf owns the whole. */
	if (IS_ERR(dmabuf))
		phyr_whole_free(whole);
	return dmabuf;
}
EXPORT_SYMBOL_NS_GPL(phyr_compose, "PHYR");

/*
 * Hints for importers that must not wait for others
 */

static struct dma_resv **phyr_dma_buf_resvs(struct dma_buf *dmabuf,
					    unsigned int *nr)
{
	*nr = 1;
	if (!phyr_dma_buf_is_ours(dmabuf))
		return &dmabuf->resv;
	return phyr_whole_resvs(phyr_dma_buf_buffer(dmabuf), nr);
}

/**
 * phyr_dma_buf_is_locked - test whether a lock that an attach takes is held
 * @dmabuf: any dma-buf
 *
 * A hint, for callers that must not wait: of the dma-buf's own lock, and of those
 * of all parts of a composed one.
 *
 * Context: any.
 * Return: true if somebody holds one of them.
 */
bool phyr_dma_buf_is_locked(struct dma_buf *dmabuf)
{
	struct dma_resv **resvs;
	unsigned int nr;

	resvs = phyr_dma_buf_resvs(dmabuf, &nr);
	while (nr--)
		if (dma_resv_is_locked(resvs[nr]))
			return true;
	return false;
}
EXPORT_SYMBOL_NS_GPL(phyr_dma_buf_is_locked, "PHYR");

/**
 * phyr_dma_buf_is_idle - test whether a move of a dma-buf would not wait
 * @dmabuf: any dma-buf
 *
 * Of a composed dma-buf also a move of each part.
 *
 * Context: any.
 * Return: true if all fences have signalled.
 */
bool phyr_dma_buf_is_idle(struct dma_buf *dmabuf)
{
	struct dma_resv **resvs;
	unsigned int nr;

	resvs = phyr_dma_buf_resvs(dmabuf, &nr);
	while (nr--)
		if (!dma_resv_test_signaled(resvs[nr],
					    DMA_RESV_USAGE_BOOKKEEP))
			return false;
	return true;
}
EXPORT_SYMBOL_NS_GPL(phyr_dma_buf_is_idle, "PHYR");

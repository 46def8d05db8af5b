// SPDX-License-Identifier: GPL-2.0
/*
 * The dma-buf layer: importers and mappings
 *
 * Terms
 *	buffer		memory of an exporter (struct phyr_buffer); it can move
 *	dma-buf		one export of a buffer; a buffer may have several
 *	attachment	one importer's device at one dma-buf
 *	mapping		a dma_range_list of an attachment
 *
 * A dma-buf is ours if the attach of its ops is phyr_dma_buf_attach(). An
 * importer is native if its attach ops are those that only phyr_attach() uses.
 * enum phyr_kind is decided once, at attach:
 *
 *	dma-buf		importer	data passed
 *	ours		native		phyr list, dma_range list; no sg_table
 *	ours		stock		phyr list, dma_range list, converted to
 *					an sg_table; page-less memory has no
 *					pages in it
 *	stock		native		the exporter's sg_table, read through a
 *					dma_range list
 *	ours		own IOMMU	phyr list, mapped into the importer's
 *			domain		domain (iommu.c)
 *
 * A dma-buf that is composed of parts of others (compose.c) is ours.
 *
 * An importer gets page-less memory if it accepts peer memory, has an
 * invalidate callback and its device can reach the memory. For any other
 * importer the exporter moves the buffer to system memory, where it stays
 * pinned while the importer is attached. The attach fails if the exporter
 * cannot do that. admission.c decides.
 *
 * When a stock exporter invalidates, the core does the same for a native
 * importer as buffer.c does: it notifies, waits for the fences and unmaps
 * before the callback returns. Importers see the same rules for all exporters.
 *
 * Allocations that a client can trigger are charged to its memory cgroup
 * (GFP_KERNEL_ACCOUNT). struct phyr_mem, its windows and its peers are shared
 * by clients and not charged.
 *
 * Lock order, outermost first
 *
 *	drm_device.object_name_lock	import and export of a DRM driver
 *	phyr_attachments_lock		debugfs.c
 *	dma_buf.resv			all of struct phyr_buffer and
 *					struct phyr_attachment; several at a
 *					time by struct phyr_locks
 *	phyr_whole.lock			what moves of several parts touch
 *	phyr_mem.lock			devices that reach a memory
 *	phyr_domain.lock		IOVAs of an importer's IOMMU domain
 *
 * A caller of phyr_attach() or phyr_detach() may hold the first lock, and locks
 * of its own that are never taken under the others: videobuf2 holds
 * vb2_queue.lock and vb2_queue.mmap_lock. A caller of phyr_dma_buf_export() or
 * phyr_buffer_revoke_wait() may hold the first lock and no other.
 */
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/phyr_inject.h>
#include <linux/slab.h>

#include "internal.h"

/**
 * phyr_dma_buf_is_ours - test whether a dma-buf is of a phyr exporter
 * @dmabuf: the dma-buf
 *
 * Context: any.
 * Return: true if it is.
 */
bool phyr_dma_buf_is_ours(const struct dma_buf *dmabuf)
{
	return dmabuf->ops->attach == phyr_dma_buf_attach;
}

/*
 * Importer's side
 */

static void phyr_invalidate_mappings(struct dma_buf_attachment *attach)
{
	struct phyr_attachment *importer = attach->importer_priv;

	dma_resv_assert_held(attach->dmabuf->resv);

	if (importer->kind != PHYR_KIND_FROM_STOCK) {
		importer->ops->invalidate(importer);
		return;
	}

	/* The exporter may invalidate before phyr_attach() returns. */
	importer->attach = attach;
	importer->invalidating = true;
	importer->ops->invalidate(importer);
	importer->invalidating = false;

	/*
	 * The exporter waits for the same fences, then for this unmap: it must
	 * not reuse the memory before them. The wait ends, because a fence may
	 * not depend on a reservation lock, and the exporter holds this one.
	 */
	dma_resv_wait_timeout(attach->dmabuf->resv, DMA_RESV_USAGE_BOOKKEEP,
			      false, MAX_SCHEDULE_TIMEOUT);
	phyr_attachment_unmap(importer);
}

static const struct dma_buf_attach_ops phyr_attach_ops = {
	.allow_peer2peer = true,
	.invalidate_mappings = phyr_invalidate_mappings,
};

/* For importers that take RAM only */
static const struct dma_buf_attach_ops phyr_attach_ram_ops = {
	.invalidate_mappings = phyr_invalidate_mappings,
};

static bool phyr_importer_is_native(const struct dma_buf_attachment *attach)
{
	return attach->importer_ops == &phyr_attach_ops ||
	       attach->importer_ops == &phyr_attach_ram_ops;
}

static struct phyr_attachment *
phyr_importer_alloc(const struct phyr_importer_ops *ops, void *priv)
{
	struct phyr_attachment *importer;

	if (!ops || !ops->invalidate)
		return ERR_PTR(-EINVAL);

	importer = phyr_attachment_alloc();
	if (!importer)
		return ERR_PTR(-ENOMEM);
	importer->ops = ops;
	importer->priv = priv;
	return importer;
}

/**
 * phyr_attach - attach a device to a dma-buf
 * @dmabuf: any dma-buf; the attachment takes no reference
 * @dev: the device that will do DMA
 * @ops: the importer's callbacks; constant while attached
 * @limits: limits of @dev for one segment, or NULL for no limits
 * @priv: for phyr_attachment_priv()
 *
 * Decides how @dev reaches the memory of a phyr exporter, wherever the exporter
 * may place the buffer. If @dev cannot follow it, the buffer is pinned where
 * @dev reaches it or the attach fails. The sg_table
 * of a stock exporter is requested at each map, because reach is not known
 * before.
 *
 * Context: the reservation lock is not held; may sleep.
 * Return: the attachment, to be released by phyr_detach(), or ERR_PTR: -EINVAL
 * for @ops without invalidate, a boundary that is not a power of two, or a
 * device without a DMA mask; -EREMOTEIO if @dev cannot reach the memory and
 * the buffer cannot move; -ENODEV for a revoked buffer; -ENOMEM; -ERESTARTSYS if
 * a signal interrupts a wait; or the error of a stock exporter's attach.
 */
struct phyr_attachment *phyr_attach(struct dma_buf *dmabuf, struct device *dev,
				    const struct phyr_importer_ops *ops,
				    const struct phyr_limits *limits,
				    void *priv)
{
	struct dma_buf_attachment *attach;
	struct phyr_attachment *importer;

	if (limits && limits->boundary && !is_power_of_2(limits->boundary))
		return ERR_PTR(-EINVAL);

	importer = phyr_importer_alloc(ops, priv);
	if (IS_ERR(importer))
		return importer;

	if (limits)
		importer->limits = *limits;
	if (!phyr_dma_buf_is_ours(dmabuf)) {
		importer->kind = PHYR_KIND_FROM_STOCK;
		importer->why = "the exporter has an sg_table only";
	}

	/* For our dma-bufs, phyr_dma_buf_attach() does the rest. */
	attach = dma_buf_dynamic_attach(dmabuf, dev,
					importer->limits.ram_only ?
					&phyr_attach_ram_ops : &phyr_attach_ops,
					importer);
	if (IS_ERR(attach)) {
		kfree(importer);
		return ERR_CAST(attach);
	}
	if (importer->kind == PHYR_KIND_FROM_STOCK) {
		dma_resv_lock(dmabuf->resv, NULL);
		importer->attach = attach;
		dma_resv_unlock(dmabuf->resv);
		phyr_attachment_publish(importer);
	}
	return importer;
}
EXPORT_SYMBOL_NS_GPL(phyr_attach, "PHYR");

/**
 * phyr_attach_domain - attach an importer with an IOMMU domain of its own
 * @dmabuf: dma-buf of a phyr exporter; the attachment takes no reference
 * @space: the importer's domain
 * @ops: the importer's callbacks; constant while attached
 * @priv: for phyr_attachment_priv()
 *
 * For phyr_map_domain(). Uses neither the DMA API nor phyr_map().
 *
 * Context: the reservation lock is not held; may sleep.
 * Return: the attachment, to be released by phyr_detach() before
 * phyr_domain_destroy(), or ERR_PTR: -EOPNOTSUPP for a stock exporter, whose
 * sg_table is made by the DMA API; or as phyr_attach().
 */
struct phyr_attachment *
phyr_attach_domain(struct dma_buf *dmabuf, struct phyr_domain *space,
		   const struct phyr_importer_ops *ops, void *priv)
{
	struct dma_buf_attachment *attach;
	struct phyr_attachment *importer;

	if (!phyr_dma_buf_is_ours(dmabuf))
		return ERR_PTR(-EOPNOTSUPP);

	importer = phyr_importer_alloc(ops, priv);
	if (IS_ERR(importer))
		return importer;

	importer->domain = phyr_domain_get(space);
	attach = dma_buf_dynamic_attach(dmabuf, phyr_domain_dev(space),
					&phyr_attach_ops, importer);
	if (IS_ERR(attach)) {
		phyr_domain_put(space);
		kfree(importer);
		return ERR_CAST(attach);
	}
	return importer;
}
EXPORT_SYMBOL_NS_GPL(phyr_attach_domain, "PHYR");

/*
 * For an importer that does not lock the parts of a composed buffer. They are
 * pinned in system memory, so that their list is constant.
 */
static struct dma_range_list *phyr_map_pinned(struct phyr_attachment *attach,
					      struct phyr_buffer *buffer,
					      u64 offset, u64 len,
					      enum dma_data_direction dir)
{
	struct dma_range_list *ranges = ERR_PTR(-ENODEV);

	phyr_whole_lock(buffer);
	if (phyr_whole_is_live(buffer))
		ranges = phyr_map_list(attach, attach->list, offset, len, dir);
	phyr_whole_unlock(buffer);
	return ranges;
}

static struct dma_range_list *phyr_map_ours(struct phyr_attachment *attach,
					    u64 offset, u64 len,
					    enum dma_data_direction dir)
{
	struct phyr_buffer *buffer;
	struct dma_range_list *ranges;
	struct phyr_list *list;
	int ret;

	buffer = phyr_dma_buf_buffer(attach->attach->dmabuf);
	if (attach->list)
		return phyr_map_pinned(attach, buffer, offset, len, dir);
	list = phyr_buffer_get_list(buffer);
	if (IS_ERR(list))
		return ERR_CAST(list);

	ranges = phyr_map_list(attach, list, offset, len, dir);
	if (ranges != ERR_PTR(-EREMOTEIO))
		return ranges;

	ret = phyr_admit_again(buffer, attach);
	if (ret)
		return ERR_PTR(ret);
	list = phyr_buffer_get_list(buffer);
	if (IS_ERR(list))
		return ERR_CAST(list);
	return phyr_map_list(attach, list, offset, len, dir);
}

/*
 * True in an invalidate callback of a stock exporter's dma-buf. The exporter
 * has not moved the memory yet, and importers that it notified before will not
 * be notified again.
 */
static bool phyr_dma_buf_is_invalidating(struct dma_buf *dmabuf)
{
	const struct phyr_attachment *importer;
	struct dma_buf_attachment *attach;

	list_for_each_entry(attach, &dmabuf->attachments, node) {
		if (!phyr_importer_is_native(attach))
			continue;
		importer = attach->importer_priv;
		if (importer->invalidating)
			return true;
	}
	return false;
}

static struct dma_range_list *phyr_map_stock(struct phyr_attachment *attach,
					     u64 offset, u64 len,
					     enum dma_data_direction dir)
{
	struct dma_range_list *ranges;
	struct sg_table *sgt;
	int ret;

	if (phyr_dma_buf_is_invalidating(attach->attach->dmabuf))
		return ERR_PTR(-EBUSY);

	sgt = dma_buf_map_attachment(attach->attach, dir);
	if (IS_ERR(sgt))
		return ERR_CAST(sgt);

	ret = phyr_sgt_check(sgt, attach->attach);
	if (!ret && attach->limits.ram_only && !phyr_sgt_has_pages(sgt))
		ret = -EREMOTEIO;
	ranges = ret ? ERR_PTR(ret) :
		       dma_range_list_from_sgt(sgt, &attach->limits);
	if (IS_ERR(ranges)) {
		dma_buf_unmap_attachment(attach->attach, sgt, dir);
		return ranges;
	}

	ranges->table_of = attach->attach;
	ranges->dir = dir;
	ranges->skip = offset;
	ranges->len = len;
	return ranges;
}

/**
 * phyr_keep_mapping - keep a new mapping until it is unmapped
 * @attach: the attachment
 * @ranges: the mapping
 *
 * Context: the reservation lock is held.
 */
void phyr_keep_mapping(struct phyr_attachment *attach,
		       struct dma_range_list *ranges)
{
	struct phyr_buffer *buffer = NULL;

	if (attach->kind != PHYR_KIND_FROM_STOCK)
		buffer = phyr_dma_buf_buffer(attach->attach->dmabuf);
	if (buffer)
		phyr_whole_lock(buffer);
	list_add(&ranges->node, &attach->mappings);
	if (buffer)
		phyr_whole_unlock(buffer);
}

/**
 * phyr_map - map part of a dma-buf
 * @attach: the attachment
 * @offset: first byte
 * @len: bytes
 * @dir: direction of the DMA
 *
 * The contents are valid once the DMA_RESV_USAGE_KERNEL fences in all
 * reservation objects of phyr_attachment_resv() have signaled; the importer must
 * wait for them.
 *
 * If the device has lost reach since the attach, the buffer moves to system
 * memory, and @attach's invalidate is called like that of any importer. So a map
 * may end other mappings that were made under the same locks, also those of a
 * composed dma-buf: call phyr_map_commit() for each after the last map.
 *
 * Context: the reservation lock is held, those of all parts if @attach locks
 * them; may sleep.
 * Return: the mapping, to be released by phyr_unmap(), or ERR_PTR: -EINVAL for
 * an empty range or one that exceeds the dma-buf, an attachment of
 * phyr_attach_domain(), or an exporter that describes its memory wrongly, a
 * stock one by a table that is shorter than the dma-buf; -EACCES for a read-only
 * one and another @dir than DMA_TO_DEVICE; -EBUSY in an invalidate callback of
 * any attachment of the dma-buf, whoever exports it and whether the memory moves
 * or is revoked; -ENODEV for a revoked buffer; -EREMOTEIO if the device cannot
 * reach the memory, or only by bounce buffers, or if a stock exporter's table has
 * an address that is not mapped for the device; -ENOSPC if IOVA space ran out, in
 * which case a smaller part may fit; -ENOMEM; or the error of a stock exporter's
 * map, for which IOVA space often is -ENOMEM.
 */
struct dma_range_list *phyr_map(struct phyr_attachment *attach, u64 offset,
				u64 len, enum dma_data_direction dir)
{
	struct dma_buf *dmabuf = attach->attach->dmabuf;
	struct dma_range_list *ranges;
	u64 end;

	phyr_attachment_assert_held(attach);

	if (attach->kind == PHYR_KIND_DOMAIN)
		return ERR_PTR(-EINVAL);
	if (!len || check_add_overflow(offset, len, &end) ||
	    end > dmabuf->size || !valid_dma_direction(dir) || dir == DMA_NONE)
		return ERR_PTR(-EINVAL);

	if (attach->kind == PHYR_KIND_FROM_STOCK)
		ranges = phyr_map_stock(attach, offset, len, dir);
	else
		ranges = phyr_map_ours(attach, offset, len, dir);
	if (!IS_ERR(ranges))
		phyr_keep_mapping(attach, ranges);
	return ranges;
}
EXPORT_SYMBOL_NS_GPL(phyr_map, "PHYR");

/**
 * phyr_unmap - unmap and free a mapping
 * @attach: the attachment
 * @ranges: list returned by phyr_map(); freed
 *
 * The caller guarantees that no DMA through @ranges is running or will start.
 * Cannot fail.
 *
 * Context: the reservation lock is held; may sleep.
 */
void phyr_unmap(struct phyr_attachment *attach, struct dma_range_list *ranges)
{
	struct dma_buf *dmabuf = attach->attach->dmabuf;
	struct phyr_buffer *buffer = NULL;

	dma_resv_assert_held(dmabuf->resv);

	if (attach->kind != PHYR_KIND_FROM_STOCK)
		buffer = phyr_dma_buf_buffer(dmabuf);
	if (buffer)
		phyr_whole_lock(buffer);
	list_del(&ranges->node);
	if (!ranges->moved)
		dma_range_list_sync(ranges, true);
	dma_range_list_unmap(ranges);
	if (buffer)
		phyr_whole_unlock(buffer);
	dma_range_list_free(ranges);
}
EXPORT_SYMBOL_NS_GPL(phyr_unmap, "PHYR");

/* Unmap and free a stock importer's table. */
static void phyr_unmap_table(struct phyr_attachment *importer,
			     struct sg_table *sgt)
{
	struct phyr_buffer *buffer =
		phyr_dma_buf_buffer(importer->attach->dmabuf);
	struct dma_range_list *ranges = phyr_sgt_destroy(sgt);
	bool pageless = phyr_list_is_pageless(ranges->list);

	phyr_unmap(importer, ranges);
	if (!pageless)
		return;

	WRITE_ONCE(buffer->tables, buffer->tables - 1);
	if (!buffer->tables)
		wake_up_all(&buffer->idle);
}

/*
 * Undo what an importer that detaches has mapped or pinned. Otherwise a revoke
 * would wait for its tables for ever, and the buffer would stay where it is.
 */
static void phyr_unmap_left(struct phyr_attachment *importer)
{
	struct dma_buf_attachment *attach = importer->attach;
	struct dma_range_list *ranges, *next;

	WARN_ONCE(!list_empty(&importer->mappings),
		  "phyr: %s detaches from a dma-buf of %s without unmapping it\n",
		  dev_name(attach->dev), attach->dmabuf->exp_name);
	list_for_each_entry_safe(ranges, next, &importer->mappings, node) {
		if (!ranges->table) {
			phyr_unmap(importer, ranges);
			continue;
		}
		phyr_unmap_table(importer, ranges->table);
		/* The dma-buf core pins for each table of a static importer. */
		if (!attach->importer_ops)
			phyr_unpin_importer(importer);
	}
	phyr_unpin_left(importer);
}

/**
 * phyr_map_reserve - map part of a dma-buf before its lock is needed
 * @attach: the attachment
 * @offset: first byte
 * @len: bytes
 * @dir: direction of the DMA
 *
 * The first of two steps, for a caller that must not map once it has begun to
 * publish a fence, or that needs mappings of several dma-bufs at once:
 *
 *	ranges = phyr_map_reserve()	may move the buffer, sleep and fail
 *	phyr_locks_take()		of all dma-bufs
 *	phyr_map_commit()		if not 0: unlock, phyr_unmap(), start again
 *	... start the DMA, add its fence to the reservation object ...
 *	dma_resv_unlock()
 *
 * Between the steps the buffer may move, which ends the mapping. The importer's
 * invalidate must not pass a reserved mapping to phyr_unmap(), since
 * phyr_map_commit() needs it.
 *
 * Context: the reservation lock is not held; takes it; may sleep.
 * Return: the mapping, to be released by phyr_unmap(), or ERR_PTR: -ERESTARTSYS
 * if a signal interrupts the wait for the lock, or as phyr_map().
 */
struct dma_range_list *phyr_map_reserve(struct phyr_attachment *attach,
					u64 offset, u64 len,
					enum dma_data_direction dir)
{
	struct dma_range_list *ranges;
	struct phyr_locks locks;

	phyr_inject_delay();
	if (phyr_attachment_lock(attach, &locks))
		return ERR_PTR(-ERESTARTSYS);
	ranges = phyr_map(attach, offset, len, dir);
	phyr_buffer_unlock(&locks);
	phyr_inject_delay();
	return ranges;
}
EXPORT_SYMBOL_NS_GPL(phyr_map_reserve, "PHYR");

/**
 * phyr_map_commit - test whether a mapping still stands
 * @attach: the attachment
 * @ranges: a mapping of @attach, from phyr_map_reserve() or phyr_map()
 *
 * The second step, see phyr_map_reserve(). If it returns 0, the mapping stands
 * until the lock is dropped, and from then on until the fences that the caller
 * has added to the reservation object signal. Takes the same time for each
 * mapping, allocates nothing and does not sleep.
 *
 * Context: the reservation lock is held, those of all parts if @attach locks
 * them.
 * Return: 0; -EAGAIN if the memory has moved since, in which case another
 * phyr_map_reserve() may succeed, or if a part of a composed dma-buf was revoked;
 * -ENODEV for a buffer that is revoked; -EBUSY
 * in the invalidate callback of @attach. On error the caller still has to pass
 * @ranges to phyr_unmap().
 */
int phyr_map_commit(struct phyr_attachment *attach,
		    const struct dma_range_list *ranges)
{
	struct dma_buf *dmabuf = attach->attach->dmabuf;
	int ret = 0;

	phyr_attachment_assert_held(attach);

	if (attach->kind != PHYR_KIND_FROM_STOCK)
		ret = phyr_buffer_check_live(phyr_dma_buf_buffer(dmabuf));
	else if (attach->invalidating)
		ret = -EBUSY;
	if (!ret && attach->list &&
	    !phyr_whole_is_live(phyr_dma_buf_buffer(dmabuf)))
		ret = -ENODEV;
	if (!ret && !ranges->len)
		ret = -EAGAIN;
	return ret;
}
EXPORT_SYMBOL_NS_GPL(phyr_map_commit, "PHYR");

/**
 * phyr_pin - pin a dma-buf where it is
 * @attach: the attachment
 *
 * For a device that cannot follow moves. Until phyr_unpin() the buffer neither
 * moves nor is evicted: mappings stay valid, whether they were made before or
 * after the pin. Pins are counted.
 *
 * A pin is no protection against a suspend, a reset or an unbind. They call the
 * importer's invalidate, and the importer must stop its DMA, as for a move. If
 * they move or revoke a part of a composed dma-buf, nobody calls it: an importer
 * that locks the parts has each DMA under a fence.
 * After a suspend or a reset it may map again: it still has its pin.
 *
 * A phyr exporter's buffer may be pinned in page-less memory, unless the
 * importer takes RAM only. Room there is scarce: pin late and briefly. A stock
 * exporter chooses the place.
 *
 * Context: as phyr_map().
 * Return: 0; -ENODEV for a revoked buffer; -EBUSY in an invalidate callback of
 * any attachment of the dma-buf; -EREMOTEIO if the device does not reach the
 * buffer any more; -ENOMEM; -ERESTARTSYS if a signal interrupts a move; or the
 * error of a stock exporter's pin.
 */
int phyr_pin(struct phyr_attachment *attach)
{
	int ret;

	phyr_attachment_assert_held(attach);

	if (attach->kind != PHYR_KIND_FROM_STOCK)
		return phyr_pin_importer(attach);

	if (phyr_dma_buf_is_invalidating(attach->attach->dmabuf))
		return -EBUSY;
	ret = dma_buf_pin(attach->attach);
	if (!ret)
		attach->pins++;
	return ret;
}
EXPORT_SYMBOL_NS_GPL(phyr_pin, "PHYR");

/**
 * phyr_unpin - undo one phyr_pin()
 * @attach: the attachment
 *
 * The buffer may move at once, which calls @attach's invalidate. Works for a
 * revoked buffer, too. Warns if @attach has no pin, and does nothing.
 *
 * Context: as phyr_map().
 */
void phyr_unpin(struct phyr_attachment *attach)
{
	phyr_unpin_importer(attach);
}
EXPORT_SYMBOL_NS_GPL(phyr_unpin, "PHYR");

/**
 * phyr_detach - detach a device from a dma-buf
 * @attach: the attachment; all its mappings must be unmapped, its pins undone
 *
 * Warns about mappings and pins that are left, and undoes them.
 *
 * Context: the reservation lock is not held; may sleep.
 */
void phyr_detach(struct phyr_attachment *attach)
{
	struct dma_buf *dmabuf = attach->attach->dmabuf;

	/* For our dma-bufs, phyr_dma_buf_detach() does the rest. */
	if (attach->kind == PHYR_KIND_FROM_STOCK) {
		phyr_attachment_unpublish(attach);
		dma_resv_lock(dmabuf->resv, NULL);
		phyr_unmap_left(attach);
		dma_resv_unlock(dmabuf->resv);
	}
	phyr_inject_delay();
	dma_buf_detach(dmabuf, attach->attach);
	if (attach->domain)
		phyr_domain_put(attach->domain);
	kfree(attach);
}
EXPORT_SYMBOL_NS_GPL(phyr_detach, "PHYR");

/*
 * Callbacks of the dma-buf core
 */

static int phyr_dma_buf_admit(struct phyr_buffer *buffer,
			      struct phyr_attachment *importer)
{
	struct phyr_locks locks;
	int ret;

	/* -EINTR; nothing has happened yet, so the ioctl can start again. */
	if (phyr_buffer_lock(buffer, &locks, true))
		return -ERESTARTSYS;

	ret = phyr_admit(buffer, importer);
	if (ret) {
		phyr_attachment_drop_routes(importer);
	} else {
		/* Valid: it is the one that phyr_admit() has pinned. */
		if (buffer->whole && !phyr_attachment_locks_parts(importer))
			importer->list = phyr_list_get(buffer->list);
		phyr_attachment_add(buffer, importer);
	}
	phyr_buffer_unlock(&locks);
	return ret;
}

/**
 * phyr_dma_buf_attach - &dma_buf_ops.attach of every phyr dma-buf
 * @dmabuf: the dma-buf
 * @attach: the new attachment
 *
 * Its address identifies a phyr dma-buf.
 *
 * Context: called by the dma-buf core; takes the reservation lock.
 * Return: 0; -EBUSY if the importer needs the buffer in system memory and the
 * exporter cannot move it there; -EREMOTEIO if the importer's device cannot
 * reach it; -ENODEV for a revoked buffer; -ENOMEM; -ERESTARTSYS if a signal
 * interrupts the wait for the lock, whose holder may wait for fences, or a move.
 */
int phyr_dma_buf_attach(struct dma_buf *dmabuf,
			struct dma_buf_attachment *attach)
{
	struct phyr_buffer *buffer = phyr_dma_buf_buffer(dmabuf);
	bool native = phyr_importer_is_native(attach);
	struct phyr_attachment *importer;
	int ret;

	importer = native ? attach->importer_priv : phyr_attachment_alloc();
	if (!importer)
		return -ENOMEM;

	importer->attach = attach;
	if (native && importer->domain) {
		importer->kind = PHYR_KIND_DOMAIN;
		importer->why = "importer has an IOMMU domain of its own";
	} else if (native) {
		importer->kind = PHYR_KIND_NATIVE;
		importer->why = "both sides know phyr";
	} else {
		importer->kind = PHYR_KIND_TO_STOCK;
		importer->why = "importer wants an sg_table";
	}

	phyr_inject_delay();
	ret = phyr_dma_buf_admit(buffer, importer);
	phyr_inject_delay();
	if (ret) {
		if (!native)
			kfree(importer);
		return ret;
	}

	attach->priv = importer;
	phyr_attachment_publish(importer);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(phyr_dma_buf_attach, "PHYR_EXPORTER");

/**
 * phyr_dma_buf_detach - &dma_buf_ops.detach of every phyr dma-buf
 * @dmabuf: the dma-buf
 * @attach: the attachment
 *
 * Context: called by the dma-buf core; takes the reservation lock.
 */
void phyr_dma_buf_detach(struct dma_buf *dmabuf,
			 struct dma_buf_attachment *attach)
{
	struct phyr_buffer *buffer = phyr_dma_buf_buffer(dmabuf);
	struct phyr_attachment *importer = attach->priv;
	struct phyr_locks locks;

	phyr_attachment_unpublish(importer);

	phyr_inject_delay();
	phyr_buffer_lock(buffer, &locks, false);
	phyr_unmap_left(importer);
	phyr_attachment_remove(buffer, importer);
	phyr_attachment_drop_routes(importer);
	phyr_discharge(buffer, importer);
	phyr_list_put(importer->list);
	importer->list = NULL;
	phyr_buffer_unlock(&locks);

	phyr_inject_delay();
	if (importer->kind == PHYR_KIND_TO_STOCK)
		kfree(importer);
}
EXPORT_SYMBOL_NS_GPL(phyr_dma_buf_detach, "PHYR_EXPORTER");

/**
 * phyr_dma_buf_map - &dma_buf_ops.map_dma_buf of every phyr dma-buf
 * @attach: attachment of a stock importer; native ones call phyr_map()
 * @dir: direction
 *
 * Context: called by the dma-buf core under the reservation lock; may sleep.
 * Return: a table, in which system memory has its pages and page-less memory
 * has none, or ERR_PTR: as phyr_map(), or -EOVERFLOW for more segments than a
 * table can hold.
 */
struct sg_table *phyr_dma_buf_map(struct dma_buf_attachment *attach,
				  enum dma_data_direction dir)
{
	struct phyr_buffer *buffer = phyr_dma_buf_buffer(attach->dmabuf);
	struct phyr_attachment *importer = attach->priv;
	struct dma_range_list *ranges;
	struct sg_table *sgt;

	if (importer->kind != PHYR_KIND_TO_STOCK)
		return ERR_PTR(-EINVAL);

	ranges = phyr_map(importer, 0, attach->dmabuf->size, dir);
	if (IS_ERR(ranges))
		return ERR_CAST(ranges);

	sgt = phyr_sgt_create(ranges);
	if (IS_ERR(sgt))
		phyr_unmap(importer, ranges);
	else if (phyr_list_is_pageless(ranges->list))
		WRITE_ONCE(buffer->tables, buffer->tables + 1);
	return sgt;
}
EXPORT_SYMBOL_NS_GPL(phyr_dma_buf_map, "PHYR_EXPORTER");

/**
 * phyr_dma_buf_unmap - &dma_buf_ops.unmap_dma_buf of every phyr dma-buf
 * @attach: attachment of a stock importer
 * @sgt: table returned by phyr_dma_buf_map()
 * @dir: direction
 *
 * Context: called by the dma-buf core under the reservation lock; may sleep.
 */
void phyr_dma_buf_unmap(struct dma_buf_attachment *attach,
			struct sg_table *sgt, enum dma_data_direction dir)
{
	phyr_unmap_table(attach->priv, sgt);
}
EXPORT_SYMBOL_NS_GPL(phyr_dma_buf_unmap, "PHYR_EXPORTER");

/*
 * Teach lockdep that phyr_mem.lock nests inside any reservation lock;
 * otherwise the order shows only when a window is mapped.
 */
static int __init phyr_prime_lockdep(void)
{
	struct phyr_mem *mem;
	struct dma_resv resv;

	if (!IS_ENABLED(CONFIG_LOCKDEP))
		return 0;

	mem = phyr_mem_create_ram();
	if (IS_ERR(mem))
		return PTR_ERR(mem);

	dma_resv_init(&resv);
	dma_resv_lock(&resv, NULL);
	mutex_lock(&mem->lock);
	mutex_unlock(&mem->lock);
	dma_resv_unlock(&resv);
	dma_resv_fini(&resv);
	phyr_mem_put(mem);
	return 0;
}

static int __init phyr_init(void)
{
	int ret;

	ret = phyr_prime_lockdep();
	if (!ret)
		ret = phyr_list_init();
	if (ret)
		return ret;

	ret = phyr_whole_init();
	if (ret)
		goto err_list;
	ret = phyr_user_init();
	if (ret)
		goto err_whole;
	phyr_debugfs_init();
	return 0;

err_whole:
	phyr_whole_exit();
err_list:
	phyr_list_exit();
	return ret;
}
module_init(phyr_init);

static void __exit phyr_exit(void)
{
	phyr_debugfs_exit();
	phyr_whole_exit();
	phyr_list_exit();
	phyr_user_exit();
}
module_exit(phyr_exit);

MODULE_DESCRIPTION("dma-bufs without struct page");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");

// SPDX-License-Identifier: GPL-2.0
/*
 * The dma-buf layer: exporter, importer and what passes between them
 *
 * Terms
 *	buffer		memory of an exporter (struct phyr_buffer); it moves
 *	dma-buf		one export of a buffer; a buffer may have several
 *	attachment	one importer's device at one dma-buf
 *	mapping		a dma_range_list of an attachment
 *
 * A dma-buf is ours when its ops' attach is phyr_dma_buf_attach(). An importer
 * is native when its attach ops are phyr_attach_ops, which only phyr_attach()
 * uses. Between the two no sg_table is made.
 *
 * Life of a buffer
 *
 *	LIVE --move_begin--> MOVING --move_end--> LIVE
 *	LIVE --revoke--> REVOKED
 *
 * phyr_buffer_move_begin() tells every importer, waits for all fences in the
 * reservation object (DMA_RESV_USAGE_BOOKKEEP: importers need not have told
 * anybody what they do), and then takes the native mappings apart, whether
 * the importers have called phyr_unmap() or not: what is left to them is
 * memory to free. An address is therefore used only under the reservation
 * lock or under a fence in it.
 *
 * Lock order, outermost first
 *
 *	drm_device.object_name_lock	import and export of a DRM driver
 *	dma_buf.resv			all of struct phyr_buffer and
 *					struct phyr_attachment
 *	phyr_mem.windows_lock		windows of a memory
 *
 * No lock is held in phyr_attach(), phyr_detach(), phyr_buffer_add_dma_buf()
 * and phyr_buffer_remove_dma_buf() but, at most, the first.
 */
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "internal.h"

/**
 * struct phyr_export - a dma-buf of a buffer
 * @node: in phyr_buffer.exports; guarded by the reservation lock
 * @dmabuf: no reference; removed in the dma-buf's release
 */
struct phyr_export {
	struct list_head node;
	struct dma_buf *dmabuf;
};

static bool phyr_dma_buf_is_ours(const struct dma_buf *dmabuf)
{
	return dmabuf->ops->attach == phyr_dma_buf_attach;
}

static struct phyr_buffer *phyr_dma_buf_buffer(struct dma_buf *dmabuf)
{
	const struct phyr_dma_buf_ops *ops =
		container_of(dmabuf->ops, struct phyr_dma_buf_ops, ops);

	return ops->buffer(dmabuf);
}

/*
 * Exporter's side: the buffer
 */

/**
 * phyr_buffer_init - start the core's part of a buffer
 * @buffer: the buffer
 * @ops: the exporter's callbacks
 * @resv: the buffer's reservation object
 *
 * Context: before @buffer is known to anybody.
 */
void phyr_buffer_init(struct phyr_buffer *buffer,
		      const struct phyr_dma_buf_ops *ops, struct dma_resv *resv)
{
	buffer->resv = resv;
	buffer->ops = ops;
	INIT_LIST_HEAD(&buffer->exports);
	INIT_LIST_HEAD(&buffer->attachments);
	buffer->list = NULL;
	buffer->state = PHYR_BUFFER_LIVE;
}
EXPORT_SYMBOL_NS_GPL(phyr_buffer_init, "PHYR_EXPORTER");

/**
 * phyr_buffer_fini - end the core's part of a buffer
 * @buffer: the buffer; no dma-buf of it is left
 *
 * Context: the last reference to @buffer; may sleep.
 */
void phyr_buffer_fini(struct phyr_buffer *buffer)
{
	WARN_ON_ONCE(!list_empty(&buffer->exports));
	WARN_ON_ONCE(!list_empty(&buffer->attachments));
	phyr_list_put(buffer->list);
	buffer->list = NULL;
}
EXPORT_SYMBOL_NS_GPL(phyr_buffer_fini, "PHYR_EXPORTER");

/**
 * phyr_buffer_add_dma_buf - let the core know of an export
 * @buffer: the buffer
 * @dmabuf: its new dma-buf, not yet known to userspace
 *
 * The dma-buf's release must call phyr_buffer_remove_dma_buf().
 *
 * Context: takes the reservation lock.
 * Return: 0; -EINVAL for a dma-buf whose ops are not begun with
 * PHYR_DMA_BUF_OPS, or without pin, and thus without moves; -ENOMEM.
 */
int phyr_buffer_add_dma_buf(struct phyr_buffer *buffer, struct dma_buf *dmabuf)
{
	struct phyr_export *export;

	if (WARN_ON_ONCE(!phyr_dma_buf_is_ours(dmabuf) ||
			 !dma_buf_is_dynamic(dmabuf) ||
			 dmabuf->resv != buffer->resv))
		return -EINVAL;

	export = kzalloc_obj(*export);
	if (!export)
		return -ENOMEM;

	export->dmabuf = dmabuf;
	dma_resv_lock(buffer->resv, NULL);
	list_add(&export->node, &buffer->exports);
	dma_resv_unlock(buffer->resv);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(phyr_buffer_add_dma_buf, "PHYR_EXPORTER");

/**
 * phyr_buffer_remove_dma_buf - a dma-buf is being released
 * @buffer: the buffer
 * @dmabuf: its dma-buf; nothing happens if it was never added
 *
 * Context: the dma-buf's release; takes the reservation lock.
 */
void phyr_buffer_remove_dma_buf(struct phyr_buffer *buffer,
				struct dma_buf *dmabuf)
{
	struct phyr_export *export, *next;

	dma_resv_lock(buffer->resv, NULL);
	list_for_each_entry_safe(export, next, &buffer->exports, node) {
		if (export->dmabuf == dmabuf) {
			list_del(&export->node);
			kfree(export);
		}
	}
	dma_resv_unlock(buffer->resv);
}
EXPORT_SYMBOL_NS_GPL(phyr_buffer_remove_dma_buf, "PHYR_EXPORTER");

/**
 * phyr_buffer_list - where the buffer is now
 * @buffer: the buffer
 *
 * Asks the exporter once per place.
 *
 * Context: the reservation lock is held; may sleep.
 * Return: the list, valid until the lock is dropped; take a reference to keep
 * it longer. ERR_PTR: -ENODEV for a revoked buffer, -EBUSY for one that is
 * moving, or what the exporter said.
 */
struct phyr_list *phyr_buffer_list(struct phyr_buffer *buffer)
{
	struct phyr_list *list;

	dma_resv_assert_held(buffer->resv);

	switch (buffer->state) {
	case PHYR_BUFFER_REVOKED:
		return ERR_PTR(-ENODEV);
	case PHYR_BUFFER_MOVING:
		return ERR_PTR(-EBUSY);
	case PHYR_BUFFER_LIVE:
		break;
	}

	if (!buffer->list) {
		list = buffer->ops->describe(buffer);
		if (IS_ERR(list))
			return list;
		buffer->list = list;
	}
	return buffer->list;
}
EXPORT_SYMBOL_NS_GPL(phyr_buffer_list, "PHYR_EXPORTER");

static void phyr_buffer_notify(struct phyr_buffer *buffer)
{
	struct phyr_export *export;

	list_for_each_entry(export, &buffer->exports, node)
		dma_buf_invalidate_mappings(export->dmabuf);
}

/* No fence protects the native mappings any more: take them apart. */
static void phyr_buffer_unmap(struct phyr_buffer *buffer)
{
	struct phyr_attachment *attach;
	struct dma_range_list *ranges;

	list_for_each_entry(attach, &buffer->attachments, node)
		list_for_each_entry(ranges, &attach->mappings, node)
			dma_range_list_unmap(ranges);

	phyr_list_put(buffer->list);
	buffer->list = NULL;
}

/**
 * phyr_buffer_move_begin - stop everybody's DMA, so that the memory can move
 * @buffer: the buffer
 * @interruptible: break off on a signal
 * @no_wait: break off instead of waiting for a fence
 *
 * On success no importer has a mapping of the old place, and none gets one
 * until phyr_buffer_move_end(). CPU mappings are the exporter's to zap. On
 * error importers were perhaps told to map anew, and find the old place.
 *
 * Context: the reservation lock is held, and kept until
 * phyr_buffer_move_end(); sleeps.
 * Return: 0, also for a revoked buffer, which has no mappings; -EBUSY with
 * @no_wait, -ERESTARTSYS with @interruptible.
 */
int phyr_buffer_move_begin(struct phyr_buffer *buffer, bool interruptible,
			   bool no_wait)
{
	long ret;

	dma_resv_assert_held(buffer->resv);

	if (buffer->state == PHYR_BUFFER_REVOKED)
		return 0;
	if (no_wait && !dma_resv_test_signaled(buffer->resv,
					       DMA_RESV_USAGE_BOOKKEEP))
		return -EBUSY;

	buffer->state = PHYR_BUFFER_MOVING;
	phyr_buffer_notify(buffer);
	ret = dma_resv_wait_timeout(buffer->resv, DMA_RESV_USAGE_BOOKKEEP,
				    interruptible, MAX_SCHEDULE_TIMEOUT);
	if (ret < 0) {
		buffer->state = PHYR_BUFFER_LIVE;
		return ret;
	}

	phyr_buffer_unmap(buffer);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(phyr_buffer_move_begin, "PHYR_EXPORTER");

/**
 * phyr_buffer_move_end - the memory is where it will stay
 * @buffer: the buffer
 *
 * Also after a move that failed halfway and left the memory where it was.
 *
 * Context: the reservation lock is held since phyr_buffer_move_begin().
 */
void phyr_buffer_move_end(struct phyr_buffer *buffer)
{
	dma_resv_assert_held(buffer->resv);

	if (buffer->state == PHYR_BUFFER_MOVING)
		buffer->state = PHYR_BUFFER_LIVE;
}
EXPORT_SYMBOL_NS_GPL(phyr_buffer_move_end, "PHYR_EXPORTER");

static void phyr_attachment_forget_routes(struct phyr_attachment *attach)
{
	struct phyr_route *route, *next;

	list_for_each_entry_safe(route, next, &attach->routes, node) {
		list_del(&route->node);
		phyr_route_destroy(route);
	}
}

/**
 * phyr_buffer_revoke - take the memory away for good
 * @buffer: the buffer
 *
 * When this returns no device that a native importer attached reaches the
 * buffer, and nothing in the core refers to the provider of peer memory or to
 * a mapping through it. Maps and attachments fail with -ENODEV from here on.
 *
 * Context: the reservation lock is held; sleeps, uninterruptibly.
 */
void phyr_buffer_revoke(struct phyr_buffer *buffer)
{
	struct phyr_attachment *attach;

	dma_resv_assert_held(buffer->resv);

	buffer->state = PHYR_BUFFER_REVOKED;
	phyr_buffer_notify(buffer);
	dma_resv_wait_timeout(buffer->resv, DMA_RESV_USAGE_BOOKKEEP, false,
			      MAX_SCHEDULE_TIMEOUT);
	phyr_buffer_unmap(buffer);
	list_for_each_entry(attach, &buffer->attachments, node)
		phyr_attachment_forget_routes(attach);
}
EXPORT_SYMBOL_NS_GPL(phyr_buffer_revoke, "PHYR_EXPORTER");

/**
 * phyr_buffer_dma_bufs - how many dma-bufs a buffer has
 * @buffer: the buffer
 *
 * Context: the reservation lock is held.
 * Return: dma-bufs that are not released yet.
 */
unsigned int phyr_buffer_dma_bufs(const struct phyr_buffer *buffer)
{
	dma_resv_assert_held(buffer->resv);

	return list_count_nodes((struct list_head *)&buffer->exports);
}
EXPORT_SYMBOL_NS_GPL(phyr_buffer_dma_bufs, "PHYR_EXPORTER");

/**
 * phyr_buffer_is_mapped - can any device reach the buffer now?
 * @buffer: the buffer
 *
 * Context: the reservation lock is held.
 * Return: true where a mapping is alive.
 */
bool phyr_buffer_is_mapped(const struct phyr_buffer *buffer)
{
	const struct phyr_attachment *attach;
	const struct dma_range_list *ranges;

	dma_resv_assert_held(buffer->resv);

	list_for_each_entry(attach, &buffer->attachments, node)
		list_for_each_entry(ranges, &attach->mappings, node)
			if (ranges->len)
				return true;
	return false;
}
EXPORT_SYMBOL_NS_GPL(phyr_buffer_is_mapped, "PHYR_EXPORTER");

/*
 * Importer's side
 */

static void phyr_invalidate_mappings(struct dma_buf_attachment *attach)
{
	struct phyr_attachment *importer = attach->importer_priv;

	importer->ops->invalidate(importer);
}

static const struct dma_buf_attach_ops phyr_attach_ops = {
	.allow_peer2peer = true,
	.invalidate_mappings = phyr_invalidate_mappings,
};

/**
 * phyr_attach - make a device an importer of a dma-buf
 * @dmabuf: the dma-buf; the attachment takes no reference
 * @dev: the device that will do DMA
 * @ops: the importer's callbacks; constant while attached
 * @limits: what @dev takes in one segment, or NULL for no limits
 * @priv: for phyr_attachment_priv()
 *
 * Decides how @dev reaches the memory; an exporter's memory out of reach is
 * found out here and not at the first map.
 *
 * Context: the reservation lock is not held; may sleep.
 * Return: the attachment, to be ended by phyr_detach(), or ERR_PTR: -EINVAL
 * for @ops without invalidate, for a boundary that is no power of two, for a
 * device without DMA mask; -EOPNOTSUPP for a dma-buf of an exporter that does
 * not use phyr; -EREMOTEIO where @dev cannot reach the memory; -ENODEV for a
 * revoked buffer; -ENOMEM.
 */
struct phyr_attachment *phyr_attach(struct dma_buf *dmabuf, struct device *dev,
				    const struct phyr_importer_ops *ops,
				    const struct phyr_limits *limits,
				    void *priv)
{
	struct dma_buf_attachment *attach;
	struct phyr_attachment *importer;

	if (!ops || !ops->invalidate)
		return ERR_PTR(-EINVAL);
	if (limits && limits->boundary && !is_power_of_2(limits->boundary))
		return ERR_PTR(-EINVAL);
	if (!phyr_dma_buf_is_ours(dmabuf))
		return ERR_PTR(-EOPNOTSUPP);

	importer = kzalloc_obj(*importer);
	if (!importer)
		return ERR_PTR(-ENOMEM);

	importer->ops = ops;
	importer->priv = priv;
	if (limits)
		importer->limits = *limits;
	INIT_LIST_HEAD(&importer->routes);
	INIT_LIST_HEAD(&importer->mappings);

	/* From here the attachment is the dma-buf core's: see the callback. */
	attach = dma_buf_dynamic_attach(dmabuf, dev, &phyr_attach_ops,
					importer);
	if (IS_ERR(attach)) {
		kfree(importer);
		return ERR_CAST(attach);
	}
	return importer;
}
EXPORT_SYMBOL_NS_GPL(phyr_attach, "PHYR");

/**
 * phyr_detach - end an attachment
 * @attach: the attachment; all its mappings are unmapped
 *
 * Context: the reservation lock is not held; may sleep.
 */
void phyr_detach(struct phyr_attachment *attach)
{
	dma_buf_detach(attach->attach->dmabuf, attach->attach);
	kfree(attach);
}
EXPORT_SYMBOL_NS_GPL(phyr_detach, "PHYR");

/**
 * phyr_attachment_priv - the importer's own pointer
 * @attach: the attachment
 *
 * Context: any.
 * Return: what phyr_attach() was given.
 */
void *phyr_attachment_priv(const struct phyr_attachment *attach)
{
	return attach->priv;
}
EXPORT_SYMBOL_NS_GPL(phyr_attachment_priv, "PHYR");

/**
 * phyr_map - map part of a dma-buf
 * @attach: the attachment
 * @offset: first byte
 * @len: bytes
 * @dir: what the device will do
 *
 * Contents are ready when the DMA_RESV_USAGE_KERNEL fences in the reservation
 * object have signalled; the importer waits for them.
 *
 * Context: the reservation lock is held; may sleep.
 * Return: the mapping, to be ended by phyr_unmap(), or ERR_PTR: -EINVAL for
 * an empty range or one that leaves the dma-buf; -ENODEV for a revoked
 * buffer; -EBUSY from within @attach's invalidate; -EREMOTEIO where the device
 * cannot reach where the memory is now; -ENOMEM where memory or IOVA space
 * ran out.
 */
struct dma_range_list *phyr_map(struct phyr_attachment *attach, u64 offset,
				u64 len, enum dma_data_direction dir)
{
	struct dma_buf *dmabuf = attach->attach->dmabuf;
	struct dma_range_list *ranges;
	struct phyr_list *list;
	u64 end;

	dma_resv_assert_held(dmabuf->resv);

	if (!len || check_add_overflow(offset, len, &end) ||
	    end > dmabuf->size || !valid_dma_direction(dir) || dir == DMA_NONE)
		return ERR_PTR(-EINVAL);

	list = phyr_buffer_list(phyr_dma_buf_buffer(dmabuf));
	if (IS_ERR(list))
		return ERR_CAST(list);

	ranges = phyr_map_list(attach, list, offset, len, dir);
	if (!IS_ERR(ranges))
		list_add(&ranges->node, &attach->mappings);
	return ranges;
}
EXPORT_SYMBOL_NS_GPL(phyr_map, "PHYR");

/**
 * phyr_unmap - end a mapping
 * @attach: the attachment
 * @ranges: what phyr_map() returned; gone after this
 *
 * No DMA through @ranges is running or will start. Cannot fail.
 *
 * Context: the reservation lock is held; may sleep.
 */
void phyr_unmap(struct phyr_attachment *attach, struct dma_range_list *ranges)
{
	dma_resv_assert_held(attach->attach->dmabuf->resv);

	list_del(&ranges->node);
	dma_range_list_unmap(ranges);
	dma_range_list_free(ranges);
}
EXPORT_SYMBOL_NS_GPL(phyr_unmap, "PHYR");

/*
 * Callbacks of the dma-buf core
 */

/**
 * phyr_dma_buf_attach - the attach of every phyr dma-buf
 * @dmabuf: the dma-buf
 * @attach: the new attachment
 *
 * Its address is what tells a phyr dma-buf from others.
 *
 * Context: called by the dma-buf core; takes the reservation lock.
 * Return: 0; -EOPNOTSUPP for an importer that does not use phyr_attach(); or
 * as there.
 */
int phyr_dma_buf_attach(struct dma_buf *dmabuf,
			struct dma_buf_attachment *attach)
{
	struct phyr_buffer *buffer = phyr_dma_buf_buffer(dmabuf);
	struct phyr_attachment *importer = attach->importer_priv;
	struct phyr_list *list;
	int ret;

	if (attach->importer_ops != &phyr_attach_ops)
		return -EOPNOTSUPP;

	importer->attach = attach;
	dma_resv_lock(buffer->resv, NULL);
	list = phyr_buffer_list(buffer);
	ret = PTR_ERR_OR_ZERO(list);
	if (!ret)
		ret = phyr_route_list(importer, list);
	if (ret)
		phyr_attachment_forget_routes(importer);
	else
		list_add(&importer->node, &buffer->attachments);
	dma_resv_unlock(buffer->resv);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(phyr_dma_buf_attach, "PHYR_EXPORTER");

/**
 * phyr_dma_buf_detach - the detach of every phyr dma-buf
 * @dmabuf: the dma-buf
 * @attach: the attachment that ends
 *
 * Context: called by the dma-buf core; takes the reservation lock.
 */
void phyr_dma_buf_detach(struct dma_buf *dmabuf,
			 struct dma_buf_attachment *attach)
{
	struct phyr_attachment *importer = attach->importer_priv;
	struct dma_range_list *ranges, *next;

	dma_resv_lock(dmabuf->resv, NULL);
	WARN_ON_ONCE(!list_empty(&importer->mappings));
	list_for_each_entry_safe(ranges, next, &importer->mappings, node)
		phyr_unmap(importer, ranges);
	list_del(&importer->node);
	phyr_attachment_forget_routes(importer);
	dma_resv_unlock(dmabuf->resv);
}
EXPORT_SYMBOL_NS_GPL(phyr_dma_buf_detach, "PHYR_EXPORTER");

/**
 * phyr_dma_buf_map - the map_dma_buf of every phyr dma-buf
 * @attach: the attachment
 * @dir: direction
 *
 * The dma-buf core insists on this callback. phyr_dma_buf_attach() admits
 * nobody who would get here: native importers call phyr_map().
 *
 * Context: the reservation lock is held.
 * Return: ERR_PTR(-EOPNOTSUPP).
 */
struct sg_table *phyr_dma_buf_map(struct dma_buf_attachment *attach,
				  enum dma_data_direction dir)
{
	return ERR_PTR(-EOPNOTSUPP);
}
EXPORT_SYMBOL_NS_GPL(phyr_dma_buf_map, "PHYR_EXPORTER");

/**
 * phyr_dma_buf_unmap - the unmap_dma_buf of every phyr dma-buf
 * @attach: the attachment
 * @sgt: never: phyr_dma_buf_map() returns none
 * @dir: direction
 *
 * Context: not called.
 */
void phyr_dma_buf_unmap(struct dma_buf_attachment *attach,
			struct sg_table *sgt, enum dma_data_direction dir)
{
}
EXPORT_SYMBOL_NS_GPL(phyr_dma_buf_unmap, "PHYR_EXPORTER");

MODULE_DESCRIPTION("dma-bufs without struct page");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");

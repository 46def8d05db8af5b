// SPDX-License-Identifier: GPL-2.0
/*
 * phyr_export: a dma-buf of a buffer
 *
 * A buffer keeps a list of its dma-bufs, to notify the importers of all of
 * them. phyr_dma_buf_export() adds a dma-buf before anybody can attach to it,
 * and phyr_dma_buf_release() removes it.
 */
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/phyr_inject.h>
#include <linux/slab.h>

#include "internal.h"

static bool phyr_ops_are_complete(const struct phyr_dma_buf_ops *ops)
{
	return ops->ops.attach == phyr_dma_buf_attach &&
	       ops->ops.pin == phyr_dma_buf_pin &&
	       ops->ops.release == phyr_dma_buf_release &&
	       ops->buffer && ops->describe &&
	       !ops->pin == !ops->unpin &&
	       !ops->pin_system == !ops->unpin_system;
}

/* phyr_map() checks against the dma-buf's size and then trusts the list. */
static bool phyr_buffer_fits(const struct phyr_buffer *buffer, u64 size)
{
	if (buffer->size)
		return buffer->size == size;
	return size && (!buffer->list || phyr_list_size(buffer->list) == size);
}

/*
 * All dma-bufs of a buffer have the size of the first.
 *
 * The wait for the lock ends by a signal, because a move may hold it for long.
 * Once there is a dma-buf, the wait cannot be interrupted: it has to be added or
 * released.
 */
static int phyr_buffer_set_size(struct phyr_buffer *buffer, u64 size)
{
	bool fits;

	if (dma_resv_lock_interruptible(buffer->resv, NULL))
		return -ERESTARTSYS;
	fits = phyr_buffer_fits(buffer, size);
	if (fits)
		buffer->size = size;
	dma_resv_unlock(buffer->resv);
	return WARN_ON_ONCE(!fits) ? -EINVAL : 0;
}

/**
 * phyr_dma_buf_export - export a buffer as a dma-buf
 * @buffer: the buffer
 * @info: as for dma_buf_export(); ops and resv are ignored, those of @buffer
 *	are used
 *
 * Until the dma-buf is released the core notifies its importers of moves and
 * revokes. On success the caller takes the reference to the buffer that the
 * exporter's release drops, before it passes the dma-buf on.
 *
 * A DRM exporter, which cannot use drm_gem_dmabuf_export(), takes references to
 * the DRM device and the GEM object, sets the file's f_mapping to that of the
 * DRM device, and calls drm_gem_dmabuf_release() in its release.
 *
 * Context: takes the reservation lock; may sleep.
 * Return: the dma-buf, or ERR_PTR: -EINVAL and a warning if the ops of @buffer
 * do not start with PHYR_DMA_BUF_OPS, lack a callback, or have one of a pair
 * only, or if the size is 0 or differs from that of another dma-buf or of the
 * list of @buffer; -ERESTARTSYS if a signal interrupts the wait for the lock;
 * -ENOMEM; or the error of dma_buf_export().
 */
struct dma_buf *
phyr_dma_buf_export(struct phyr_buffer *buffer,
		    const struct dma_buf_export_info *info)
{
	struct dma_buf_export_info copy = *info;
	struct phyr_export *export;
	struct dma_buf *dmabuf;
	int ret;

	if (WARN_ON_ONCE(!phyr_ops_are_complete(buffer->ops)))
		return ERR_PTR(-EINVAL);

	ret = phyr_buffer_set_size(buffer, info->size);
	if (ret)
		return ERR_PTR(ret);

	export = kzalloc_obj(*export, GFP_KERNEL_ACCOUNT);
	if (!export)
		return ERR_PTR(-ENOMEM);

	copy.ops = &buffer->ops->ops;
	copy.resv = buffer->resv;
	dmabuf = dma_buf_export(&copy);
	if (IS_ERR(dmabuf)) {
		kfree(export);
		return dmabuf;
	}

	/* Nothing may fail from here on: the release would be called. */
	export->dmabuf = dmabuf;
	phyr_inject_delay();
	dma_resv_lock(buffer->resv, NULL);
	list_add(&export->node, &buffer->exports);
	dma_resv_unlock(buffer->resv);
	return dmabuf;
}
EXPORT_SYMBOL_NS_GPL(phyr_dma_buf_export, "PHYR_EXPORTER");

static void phyr_buffer_forget(struct phyr_buffer *buffer,
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

/**
 * phyr_dma_buf_release - &dma_buf_ops.release of every phyr dma-buf
 * @dmabuf: the dma-buf
 *
 * Context: called by the dma-buf core; takes the reservation lock.
 */
void phyr_dma_buf_release(struct dma_buf *dmabuf)
{
	struct phyr_buffer *buffer = phyr_dma_buf_buffer(dmabuf);
	const struct phyr_dma_buf_ops *ops = buffer->ops;

	phyr_inject_delay();
	phyr_buffer_forget(buffer, dmabuf);
	phyr_inject_delay();
	if (ops->release)
		ops->release(dmabuf);
}
EXPORT_SYMBOL_NS_GPL(phyr_dma_buf_release, "PHYR_EXPORTER");

// SPDX-License-Identifier: GPL-2.0
/*
 * Admission: where an importer gets a buffer
 *
 * An exporter may move a buffer between memories (phyr_dma_buf_ops.memory), and
 * a device may reach only some of them. Attach therefore decides for all of
 * them:
 *
 *	the device reaches all		not pinned; the buffer may move
 *	it reaches system memory	pinned in system memory
 *	it reaches the current place	pinned in that place
 *	otherwise			-EREMOTEIO
 *
 * An importer that does not support page-less memory gets system memory only.
 * System memory comes first, because a pin in the exporter's memory takes room
 * that other clients may need. A device whose mask does not cover all of system
 * memory is admitted there only if it reaches the pages that are pinned.
 *
 * A pin of this file lasts until the importer detaches; pin.c has those that
 * importers ask for.
 */
#include <linux/dma-buf.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-resv.h>

#include "internal.h"

/* Does the importer itself support page-less memory? */
static bool phyr_takes_pageless(struct phyr_buffer *buffer,
				struct phyr_attachment *importer)
{
	struct dma_buf_attachment *attach = importer->attach;

	if (buffer->whole && !phyr_attachment_locks_parts(importer)) {
		importer->why = "importer does not lock the parts";
		return false;
	}
	if (importer->limits.ram_only) {
		importer->why = "importer takes RAM only";
		return false;
	}
	if (!attach->peer2peer) {
		importer->why = "importer takes no peer memory";
		return false;
	}
	if (!dma_buf_attach_revocable(attach)) {
		importer->why = "importer cannot be revoked";
		return false;
	}
	return true;
}

/* Return: the next memory that the exporter may place the buffer in, or NULL. */
static struct phyr_mem *phyr_next_mem(struct phyr_buffer *buffer,
				      unsigned int *i)
{
	if (!buffer->ops->memory)
		return NULL;
	return buffer->ops->memory(buffer, (*i)++);
}

/*
 * Return: 1 if the device reaches the buffer wherever the exporter may place
 * it, 0 if not, or an errno.
 */
static int phyr_reaches_all(struct phyr_buffer *buffer,
			    struct phyr_attachment *importer,
			    struct phyr_list *list)
{
	struct phyr_mem *mem;
	unsigned int i = 0;
	int ret;

	ret = phyr_route_list(importer, list);
	if (!ret)
		ret = phyr_routes_are_whole(importer);
	while (ret > 0 && (mem = phyr_next_mem(buffer, &i))) {
		ret = phyr_route_mem(importer, mem);
		cond_resched();
	}
	return ret == -EREMOTEIO ? 0 : ret;
}

/*
 * Return: 1 if the device reaches all of the exporter's system memory, 0 if it
 * may reach a part, -EREMOTEIO if none, or another errno.
 */
static int phyr_reaches_system(struct phyr_buffer *buffer,
			       struct phyr_attachment *importer)
{
	struct phyr_mem *mem;
	unsigned int i = 0;

	while ((mem = phyr_next_mem(buffer, &i)))
		if (mem->kind == PHYR_MEM_RAM)
			return phyr_route_mem(importer, mem);
	return 0;
}

/*
 * Check what a pin cannot change: pages that are in system memory already. Which
 * pages a buffer gets when it moves there, only the move can tell.
 */
static int phyr_route_pages(struct phyr_buffer *buffer,
			    struct phyr_attachment *importer)
{
	struct phyr_list *list = phyr_buffer_get_list(buffer);

	if (IS_ERR(list))
		return PTR_ERR(list);
	return phyr_list_is_pageless(list) ? 0 :
					     phyr_route_list(importer, list);
}

static int phyr_pin_system(struct phyr_buffer *buffer,
			   struct phyr_attachment *importer)
{
	struct phyr_list *list;
	int ret;

	ret = phyr_route_pages(buffer, importer);
	if (!ret)
		ret = buffer->ops->pin_system(buffer);
	if (ret)
		return ret;

	list = phyr_buffer_get_list(buffer);
	ret = PTR_ERR_OR_ZERO(list);
	if (!ret && WARN_ONCE(phyr_list_is_pageless(list),
			      "phyr: %ps() left the buffer in page-less memory\n",
			      buffer->ops->pin_system))
		ret = -EINVAL;
	if (!ret)
		ret = phyr_route_list(importer, list);
	if (ret) {
		buffer->ops->unpin_system(buffer);
		return ret;
	}
	importer->pinned = PHYR_PINNED_SYSTEM;
	return 0;
}

/* Pin the buffer where it is, if the device reaches it there. */
static int phyr_pin_place(struct phyr_buffer *buffer,
			  struct phyr_attachment *importer)
{
	struct phyr_list *list;
	int ret;

	list = phyr_buffer_get_list(buffer);
	if (IS_ERR(list))
		return PTR_ERR(list);

	ret = phyr_route_list(importer, list);
	if (!ret)
		ret = phyr_buffer_pin(buffer);
	if (!ret)
		importer->pinned = PHYR_PINNED_PLACE;
	return ret;
}

/* For an importer that does not support page-less memory. */
static int phyr_admit_in_system(struct phyr_buffer *buffer,
				struct phyr_attachment *importer,
				struct phyr_list *list)
{
	int ret;

	if (!buffer->ops->pin_system)
		return phyr_list_is_pageless(list) ?
			-EBUSY : phyr_pin_place(buffer, importer);

	/* Do not move a buffer to where it cannot be used, either. */
	ret = phyr_reaches_system(buffer, importer);
	if (ret < 0)
		return ret;
	return phyr_pin_system(buffer, importer);
}

/* For an importer whose device does not reach all of the memories. */
static int phyr_admit_somewhere(struct phyr_buffer *buffer,
				struct phyr_attachment *importer)
{
	int system = -EREMOTEIO;
	int ret;

	if (buffer->ops->pin_system)
		system = phyr_reaches_system(buffer, importer);
	if (system < 0 && system != -EREMOTEIO)
		return system;

	if (system > 0) {
		ret = phyr_pin_system(buffer, importer);
		if (ret != -EREMOTEIO && ret != -EBUSY)
			return ret;
	}
	ret = phyr_pin_place(buffer, importer);
	if (ret == -EREMOTEIO && !system)
		ret = phyr_pin_system(buffer, importer);
	return ret == -EBUSY ? -EREMOTEIO : ret;
}

/*
 * A CPU access to a part syncs for the importers of that part only. And an IOMMU
 * domain is mapped under the lock of the dma-buf.
 */
static int phyr_admit_to_whole(const struct phyr_buffer *buffer,
			       const struct phyr_attachment *importer)
{
	if (!buffer->whole)
		return 0;
	if (!dev_is_dma_coherent(importer->attach->dev))
		return -EREMOTEIO;
	return importer->domain && !phyr_attachment_locks_parts(importer) ?
		-EOPNOTSUPP : 0;
}

/**
 * phyr_admit - decide where an importer gets a buffer
 * @buffer: the buffer
 * @importer: the importer, not yet in the buffer's list of attachments
 *
 * On success the device reaches the buffer, and every place that the exporter
 * may move it to while the importer is attached.
 *
 * Context: the buffer is locked by phyr_buffer_lock(); may sleep.
 * Return: 0; -EBUSY if a stock importer needs the buffer in system memory and
 * the exporter cannot move it there; -EREMOTEIO if the device does not reach it,
 * if the device of an importer of a composed buffer is not coherent, or if a
 * native importer needs it there; -EOPNOTSUPP for an importer with an IOMMU
 * domain that does not lock the parts of a composed buffer, or a stock one of
 * such a buffer that starts or ends inside a page; or the error of
 * phyr_buffer_get_list(), phyr_route_list() or pin_system.
 */
int phyr_admit(struct phyr_buffer *buffer, struct phyr_attachment *importer)
{
	struct phyr_list *list;
	int ret;

	dma_resv_assert_held(buffer->resv);

	ret = phyr_admit_to_whole(buffer, importer);
	if (ret)
		return ret;
	list = phyr_buffer_get_list(buffer);
	if (IS_ERR(list))
		return PTR_ERR(list);

	/* A driver that takes tables may take whole pages for granted. */
	if (buffer->whole && !importer->ops &&
	    (phyr_list_skip(list) || !PAGE_ALIGNED(phyr_list_size(list))))
		return -EOPNOTSUPP;

	if (!phyr_takes_pageless(buffer, importer)) {
		ret = phyr_admit_in_system(buffer, importer, list);
		return ret == -EBUSY && importer->ops ? -EREMOTEIO : ret;
	}

	ret = phyr_reaches_all(buffer, importer, list);
	if (ret)
		return min(ret, 0);

	phyr_attachment_drop_routes(importer);
	importer->why = "device does not reach the exporter's memory";
	return phyr_admit_somewhere(buffer, importer);
}

/**
 * phyr_admit_again - admit an attached importer that has lost reach
 * @buffer: the buffer
 * @importer: an importer whose device does not reach the buffer
 *
 * Attach decided otherwise, so the device's mask has changed since, or the
 * exporter uses a memory that it did not announce. Moves the buffer to system
 * memory and pins it there, which calls the invalidate callback of every
 * importer, @importer included.
 *
 * Context: the reservation lock is held; may sleep.
 * Return: 0; -EREMOTEIO if that does not help; or another error of pin_system.
 */
int phyr_admit_again(struct phyr_buffer *buffer,
		     struct phyr_attachment *importer)
{
	int ret;

	dma_resv_assert_held(buffer->resv);

	if (importer->pinned || !buffer->ops->pin_system)
		return -EREMOTEIO;

	ret = phyr_reaches_system(buffer, importer);
	if (ret >= 0)
		ret = phyr_pin_system(buffer, importer);
	return ret == -EBUSY ? -EREMOTEIO : ret;
}

/**
 * phyr_discharge - undo the pin of an importer, if it has one
 * @buffer: the buffer
 * @importer: the importer, which detaches
 *
 * Context: the reservation lock is held.
 */
void phyr_discharge(struct phyr_buffer *buffer,
		    struct phyr_attachment *importer)
{
	dma_resv_assert_held(buffer->resv);

	switch (importer->pinned) {
	case PHYR_PINNED_NOT:
		break;
	case PHYR_PINNED_SYSTEM:
		buffer->ops->unpin_system(buffer);
		break;
	case PHYR_PINNED_PLACE:
		phyr_buffer_unpin(buffer);
		break;
	}
	importer->pinned = PHYR_PINNED_NOT;
}

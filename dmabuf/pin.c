// SPDX-License-Identifier: GPL-2.0
/*
 * Pins that importers ask for
 *
 * For devices that cannot follow a move, though their driver can be told of
 * one: scan-out, RDMA without page faults. The buffer is pinned where it is, so
 * only an importer that supports page-less memory pins it in page-less memory;
 * admission.c has put it in system memory for any other.
 *
 * A pin does not prevent a revoke or a suspend. It lasts: after a reset or a
 * resume the importer maps again, and the buffer is still pinned.
 *
 * Each attachment counts its pins. An unpin without a pin, which would undo
 * another importer's, is ignored; a pin that is left at detach is undone. For a
 * native importer the core warns about both. Of a stock one it says so in the
 * log only: the RDMA core leaves its pin behind if the buffer moves while a
 * region is registered, and amdgpu unpins after a pin that failed.
 */
#include <linux/device.h>
#include <linux/dma-resv.h>
#include <linux/export.h>

#include "internal.h"

/**
 * phyr_pin_importer - pin a phyr buffer where it is
 * @importer: an importer of a phyr dma-buf
 *
 * Context: the reservation lock is held; may sleep.
 * Return: 0; -ENODEV for a revoked buffer; -EBUSY for one that is moving; or as
 * phyr_admit_again() if the device does not reach it any more; or the error of
 * phyr_buffer_get_list() or of the exporter's pin.
 */
int phyr_pin_importer(struct phyr_attachment *importer)
{
	struct phyr_buffer *buffer =
		phyr_dma_buf_buffer(importer->attach->dmabuf);
	struct phyr_list *list;
	int ret;

	dma_resv_assert_held(buffer->resv);

	/* The parts of a composed buffer are pinned as long as it is attached. */
	if (importer->list) {
		if (!phyr_whole_is_live(buffer))
			return -ENODEV;
		importer->pins++;
		return 0;
	}

	list = phyr_buffer_get_list(buffer);
	if (IS_ERR(list))
		return PTR_ERR(list);

	ret = phyr_route_list(importer, list);
	if (ret == -EREMOTEIO)
		ret = phyr_admit_again(buffer, importer);
	if (!ret)
		ret = phyr_buffer_pin(buffer);
	if (!ret)
		importer->pins++;
	return ret;
}

static void phyr_unpin_once(struct phyr_attachment *importer)
{
	struct dma_buf *dmabuf = importer->attach->dmabuf;

	importer->pins--;
	if (importer->kind == PHYR_KIND_FROM_STOCK)
		dma_buf_unpin(importer->attach);
	else if (!importer->list)
		phyr_buffer_unpin(phyr_dma_buf_buffer(dmabuf));
}

static void phyr_pins_unbalanced(struct phyr_attachment *importer,
				 const char *what)
{
	struct dma_buf_attachment *attach = importer->attach;

	if (importer->kind == PHYR_KIND_TO_STOCK)
		phyr_dev_notice(attach->dev,
				"phyr: the importer of a dma-buf of %s %s\n",
				attach->dmabuf->exp_name, what);
	else
		WARN_ONCE(1, "phyr: %s: the importer of a dma-buf of %s %s\n",
			  dev_name(attach->dev), attach->dmabuf->exp_name,
			  what);
}

/**
 * phyr_unpin_importer - undo one pin of an importer
 * @importer: an importer of any dma-buf; if it has no pin, the log says so
 *
 * Context: the reservation lock is held; may sleep.
 */
void phyr_unpin_importer(struct phyr_attachment *importer)
{
	dma_resv_assert_held(importer->attach->dmabuf->resv);

	if (importer->pins)
		phyr_unpin_once(importer);
	else
		phyr_pins_unbalanced(importer, "unpins without a pin");
}

/**
 * phyr_unpin_left - undo all pins of an importer that detaches
 * @importer: an importer of any dma-buf; if it has a pin, the log says so
 *
 * Context: the reservation lock is held; may sleep.
 */
void phyr_unpin_left(struct phyr_attachment *importer)
{
	dma_resv_assert_held(importer->attach->dmabuf->resv);

	if (importer->pins)
		phyr_pins_unbalanced(importer, "detaches without an unpin");
	while (importer->pins)
		phyr_unpin_once(importer);
}

/**
 * phyr_dma_buf_pin - &dma_buf_ops.pin of every phyr dma-buf
 * @attach: attachment of a stock importer; native ones call phyr_pin()
 *
 * Context: called by the dma-buf core under the reservation lock; may sleep.
 * Return: as phyr_pin().
 */
int phyr_dma_buf_pin(struct dma_buf_attachment *attach)
{
	return phyr_pin_importer(attach->priv);
}
EXPORT_SYMBOL_NS_GPL(phyr_dma_buf_pin, "PHYR_EXPORTER");

/**
 * phyr_dma_buf_unpin - &dma_buf_ops.unpin of every phyr dma-buf
 * @attach: attachment of a stock importer
 *
 * Context: called by the dma-buf core under the reservation lock; may sleep.
 */
void phyr_dma_buf_unpin(struct dma_buf_attachment *attach)
{
	phyr_unpin_importer(attach->priv);
}
EXPORT_SYMBOL_NS_GPL(phyr_dma_buf_unpin, "PHYR_EXPORTER");

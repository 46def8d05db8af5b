// SPDX-License-Identifier: GPL-2.0
/*
 * CPU access to buffers in system memory
 *
 * A device that is not coherent does not see the CPU's caches. The core does
 * the cache maintenance, because only it knows the mappings: before a CPU
 * access the mapped pages are handed to the CPU, afterwards to the devices
 * again. A map hands them to the device, an unmap to the CPU. Page-less memory
 * is never cached.
 *
 * A mapping that outlives a move (see phyr_attachment_leave()) is left alone:
 * its pages may belong to somebody else. One that outlives a revoke is not: the
 * pages are the buffer's until it moves.
 */
#include <linux/dma-map-ops.h>
#include <linux/dma-resv.h>
#include <linux/export.h>

#include "internal.h"

static void phyr_cpu_access_sync(struct phyr_buffer *buffer, bool for_cpu)
{
	struct phyr_attachment *attach;

	dma_resv_assert_held(buffer->resv);

	list_for_each_entry(attach, &buffer->attachments, node)
		phyr_attachment_sync(attach, for_cpu);
}

/**
 * phyr_dma_buf_begin_cpu_access - &dma_buf_ops.begin_cpu_access of every phyr
 * dma-buf
 * @dmabuf: the dma-buf
 * @dir: what the CPU will do
 *
 * If all importers' devices are coherent, returns at once and leaves the wait
 * for fences to the dma-buf core. Otherwise waits for those that the dma-buf has
 * now: DMA that is submitted later races with the CPU access anyway.
 *
 * Context: called by the dma-buf core; takes the reservation lock if a device
 * is not coherent, but not while it waits for fences.
 * Return: 0, or -EINTR or -ERESTARTSYS if interrupted by a signal.
 */
int phyr_dma_buf_begin_cpu_access(struct dma_buf *dmabuf,
				  enum dma_data_direction dir)
{
	struct phyr_buffer *buffer = phyr_dma_buf_buffer(dmabuf);
	long ret;

	if (!READ_ONCE(buffer->incoherent))
		return 0;

	/* What the device still writes would not be synced. */
	ret = dma_resv_wait_timeout(buffer->resv,
				    dma_resv_usage_rw(dir != DMA_FROM_DEVICE),
				    true, MAX_SCHEDULE_TIMEOUT);
	if (ret < 0)
		return ret;

	ret = dma_resv_lock_interruptible(buffer->resv, NULL);
	if (ret)
		return ret;
	phyr_cpu_access_sync(buffer, true);
	dma_resv_unlock(buffer->resv);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(phyr_dma_buf_begin_cpu_access, "PHYR_EXPORTER");

/**
 * phyr_dma_buf_end_cpu_access - &dma_buf_ops.end_cpu_access of every phyr
 * dma-buf
 * @dmabuf: the dma-buf
 * @dir: what the CPU has done
 *
 * Context: called by the dma-buf core; takes the reservation lock if a device
 * is not coherent.
 * Return: 0. A signal does not interrupt it, since callers do not repeat it.
 */
int phyr_dma_buf_end_cpu_access(struct dma_buf *dmabuf,
				enum dma_data_direction dir)
{
	struct phyr_buffer *buffer = phyr_dma_buf_buffer(dmabuf);

	/*
	 * Page-less memory is mapped write-combined: what the caller wrote must
	 * be there before it tells somebody who starts a device.
	 */
	wmb();
	if (!READ_ONCE(buffer->incoherent))
		return 0;

	dma_resv_lock(buffer->resv, NULL);
	phyr_cpu_access_sync(buffer, false);
	dma_resv_unlock(buffer->resv);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(phyr_dma_buf_end_cpu_access, "PHYR_EXPORTER");

// SPDX-License-Identifier: GPL-2.0
/*
 * dma-bufs of user memory
 *
 * An importer that does DMA to a process's memory attaches to it as to any
 * dma-buf, and never sees its pages or their addresses. The buffer never moves:
 * its pages are pinned (gup.c). It has no file descriptor: a process shares
 * memory by other means, and whoever got the descriptor could do DMA to it long
 * after it was unmapped.
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/fcntl.h>
#include <linux/slab.h>

#include "internal.h"

/**
 * struct phyr_user_buffer - a buffer of user memory
 * @phyr: base
 * @resv: its reservation object
 * @list: the pinned memory, with a reference
 */
struct phyr_user_buffer {
	struct phyr_buffer phyr;
	struct dma_resv resv;
	struct phyr_list *list;
};

static void phyr_user_buffer_free(struct phyr_user_buffer *buffer)
{
	phyr_buffer_fini(&buffer->phyr);
	phyr_list_put(buffer->list);
	dma_resv_fini(&buffer->resv);
	kfree(buffer);
}

static struct phyr_buffer *phyr_user_buffer(struct dma_buf *dmabuf)
{
	struct phyr_user_buffer *buffer = dmabuf->priv;

	return &buffer->phyr;
}

static void phyr_user_buffer_release(struct dma_buf *dmabuf)
{
	phyr_user_buffer_free(dmabuf->priv);
}

static struct phyr_list *phyr_user_buffer_describe(struct phyr_buffer *phyr)
{
	struct phyr_user_buffer *buffer =
		container_of(phyr, struct phyr_user_buffer, phyr);

	return phyr_list_get(buffer->list);
}

static const struct phyr_dma_buf_ops phyr_user_ops = {
	.ops = { PHYR_DMA_BUF_OPS },
	.buffer = phyr_user_buffer,
	.release = phyr_user_buffer_release,
	.describe = phyr_user_buffer_describe,
};

static struct phyr_user_buffer *phyr_user_buffer_create(u64 addr, u64 len,
							bool write)
{
	struct phyr_user_buffer *buffer;
	struct phyr_list *list;

	buffer = kzalloc_obj(*buffer, GFP_KERNEL_ACCOUNT);
	if (!buffer)
		return ERR_PTR(-ENOMEM);

	list = phyr_list_pin_user(addr, len, write);
	if (IS_ERR(list)) {
		kfree(buffer);
		return ERR_CAST(list);
	}
	buffer->list = list;
	dma_resv_init(&buffer->resv);
	phyr_buffer_init(&buffer->phyr, &phyr_user_ops, &buffer->resv);
	return buffer;
}

/**
 * phyr_pin_user - make a dma-buf of a range of the caller's address space
 * @addr: user address of the first byte
 * @len: bytes; the range may start and end inside a page
 * @flags: 0, or PHYR_USER_READONLY
 *
 * Pins the memory until the dma-buf is released. It is for the caller's own
 * DMA: do not give it a file descriptor. The pages count against RLIMIT_MEMLOCK
 * until a worker has unpinned them.
 *
 * Context: a process's own, before any lock is taken; sleeps, with userfaultfd
 * for as long as userspace likes. A fatal signal interrupts it.
 * Return: the dma-buf, to be released by dma_buf_put(), or ERR_PTR: -EINVAL for
 * 0 bytes or unknown flags; -EFAULT if a part of the range is not mapped, not
 * writable without PHYR_USER_READONLY, or cannot be pinned, such as device
 * memory; -EOPNOTSUPP for a file in DAX memory; -EREMOTEIO for peer memory;
 * -ENOMEM for more than RLIMIT_MEMLOCK allows, or out of memory; -EINTR.
 */
struct dma_buf *phyr_pin_user(u64 addr, u64 len, u32 flags)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct phyr_user_buffer *buffer;
	struct dma_buf *dmabuf;

	if (flags & ~PHYR_USER_READONLY)
		return ERR_PTR(-EINVAL);

	buffer = phyr_user_buffer_create(addr, len,
					 !(flags & PHYR_USER_READONLY));
	if (IS_ERR(buffer))
		return ERR_CAST(buffer);

	info.exp_name = "phyr_user";
	info.size = len;
	info.flags = O_CLOEXEC | O_RDWR;
	info.priv = buffer;
	dmabuf = phyr_dma_buf_export(&buffer->phyr, &info);
	/* On success the dma-buf owns the buffer. */
	if (IS_ERR(dmabuf))
		phyr_user_buffer_free(buffer);
	return dmabuf;
}
EXPORT_SYMBOL_NS_GPL(phyr_pin_user, "PHYR");

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The two kinds of plane memory behind vb2_phyr_memops
 *
 *	memops.c	the interface to videobuf2 and to drivers
 *	import.c	DMABUF: imported dma-bufs, and the queue's cache of them
 *	ram.c		MMAP: buffers in RAM, and EXPBUF
 */
#ifndef _PHYR_MEMOPS_H
#define _PHYR_MEMOPS_H

#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/scatterlist.h>
#include <linux/stddef.h>
#include <media/videobuf2-memops.h>
#include <media/videobuf2-phyr.h>

struct dma_buf;
struct dma_fence;

/**
 * struct vb2_phyr_import - a dma-buf that a queue uses or has used
 * @ref: always 1, for vb2_mem_ops.num_users: other users of the dma-buf do not
 *	count; constant
 * @queue: the queue whose cache it is in; constant
 * @dmabuf: with a reference; constant
 * @dev: the device that does DMA; constant
 * @node: in vb2_phyr_queue.imports or idle; guarded by vb2_phyr_queue.lock
 * @hash: in vb2_phyr_queue.by_dmabuf; guarded by vb2_phyr_queue.lock
 * @planes: number of vb2 planes that hold it; guarded by vb2_phyr_queue.lock
 * @turn: vb2_phyr_queue.turn when the last plane let go of it; guarded by
 *	vb2_phyr_queue.lock
 * @need: bytes that planes have needed of it, at most; written under
 *	vb2_queue.lock before the buffer is queued
 * @prepared: vb2_phyr_prepare() was called since a plane holds it; written
 *	under vb2_queue.lock before the buffer is queued
 * @attach_lock: held while @attach is created
 * @attach: attachment of @dev to @dmabuf, or NULL; written once
 * @ranges: the mapping, or NULL; written under the reservation lock, valid
 *	under that lock or while @frame is pending
 * @have: bytes that @ranges maps, or 0; written under the reservation lock
 * @stale: @ranges was invalidated; written under the reservation lock
 * @frame: fence of the last frame, or NULL; guarded by the reservation lock
 *
 * vb2_phyr_import_is_mapped() reads @need, @have and @stale without a lock.
 */
struct vb2_phyr_import {
	refcount_t ref;
	struct vb2_phyr_queue *queue;
	struct dma_buf *dmabuf;
	struct device *dev;

	struct list_head node;
	struct hlist_node hash;
	unsigned int planes;
	u64 turn;
	u64 need;
	bool prepared;

	struct mutex attach_lock;	/* creation of attach */
	struct phyr_attachment *attach;
	struct dma_range_list *ranges;
	u64 have;
	bool stale;
	struct dma_fence *frame;
};

struct vb2_phyr_import *vb2_phyr_import_get(struct vb2_phyr_queue *queue,
					    struct device *dev,
					    struct dma_buf *dmabuf);
void vb2_phyr_import_put(struct vb2_phyr_import *import);
int vb2_phyr_import_try_ready(struct vb2_phyr_import *import);
int vb2_phyr_import_attach(struct vb2_phyr_import *import);
void vb2_phyr_import_set_need(struct vb2_phyr_import *import, u64 len);
int vb2_phyr_import_map(struct vb2_phyr_import *import);
void vb2_phyr_import_start(struct vb2_phyr_import *import,
			   struct dma_fence *frame);
void vb2_phyr_imports_trim(struct vb2_phyr_queue *queue);
bool vb2_phyr_imports_give_up(struct vb2_phyr_queue *queue);
void vb2_phyr_imports_drop(struct vb2_phyr_queue *queue);
void vb2_phyr_import_show(struct seq_file *m, struct vb2_phyr_import *import);

/**
 * struct vb2_phyr_ram - a buffer in RAM
 * @ref: one reference for the queue, for each CPU mapping and for each dma-buf
 * @dev: the device that does DMA; referenced until vb2_phyr_ram_free()
 * @dir: DMA direction of @dev
 * @pages: the memory; constant
 * @nr_pages: number of pages; constant
 * @lock: guards @mapped, against begin and end of CPU access by a dma-buf
 * @mapped: @sgt is mapped for @dev
 * @sgt: @pages, mapped for @dev
 * @ranges: @sgt as a range list, for the driver
 * @handler: reference counting of CPU mappings
 */
struct vb2_phyr_ram {
	refcount_t ref;
	struct device *dev;
	enum dma_data_direction dir;
	struct page **pages;
	unsigned int nr_pages;

	struct mutex lock;		/* mapped */
	bool mapped;
	struct sg_table sgt;
	struct dma_range_list *ranges;
	struct vb2_vmarea_handler handler;
};

/* vb2_mem_ops.num_users cannot tell the two structs apart. */
static_assert(!offsetof(struct vb2_phyr_import, ref));
static_assert(!offsetof(struct vb2_phyr_ram, ref));

void *vb2_phyr_ram_alloc(struct vb2_buffer *vb, struct device *dev,
			 unsigned long size);
void vb2_phyr_ram_free(void *priv);
int vb2_phyr_ram_mmap(void *priv, struct vm_area_struct *vma);
struct dma_buf *vb2_phyr_ram_export(struct vb2_buffer *vb, void *priv,
				    unsigned long flags);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The two kinds of memory behind vb2_phyr_memops
 *
 *	memops.c	what videobuf2 and drivers call
 *	import.c	a dma-buf, and the queue's cache of them
 *	ram.c		a buffer in RAM: MMAP and EXPBUF
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

/**
 * struct vb2_phyr_import - a dma-buf that a queue has attached
 * @ref: 1, the queue's: who else has the dma-buf is not counted here; constant
 * @queue: whose cache it is in; constant
 * @node: in vb2_phyr_queue.imports; guarded by vb2_queue.lock
 * @planes: vb2 planes that have it now; guarded by vb2_queue.lock
 * @error: why it is no import: then it is one plane's, in no cache, and has none
 *	of the others; constant
 * @dmabuf: with a reference; constant
 * @dev: the device that does DMA; constant
 * @attach: constant
 * @ranges: the mapping, or NULL; written under the reservation lock, and used under
 *	that or the fence of a frame in there
 * @stale: @ranges was invalidated; written under the reservation lock
 *
 * vb2_phyr_import_is_mapped() looks at @ranges and @stale without any lock.
 */
struct vb2_phyr_import {
	refcount_t ref;
	struct vb2_phyr_queue *queue;
	struct list_head node;
	unsigned int planes;
	int error;
	struct dma_buf *dmabuf;
	struct device *dev;
	struct phyr_attachment *attach;
	struct dma_range_list *ranges;
	bool stale;
};

struct vb2_phyr_import *vb2_phyr_import_get(struct vb2_phyr_queue *queue,
					    struct device *dev,
					    struct dma_buf *dmabuf);
void vb2_phyr_import_put(struct vb2_phyr_import *import);
int vb2_phyr_import_map(struct vb2_phyr_import *import);
bool vb2_phyr_import_is_mapped(const struct vb2_phyr_import *import);
void vb2_phyr_imports_trim(struct vb2_phyr_queue *queue);
void vb2_phyr_imports_drop(struct vb2_phyr_queue *queue);
void vb2_phyr_import_show(struct seq_file *m, struct vb2_phyr_import *import);

/**
 * struct vb2_phyr_ram - a buffer in RAM
 * @ref: the queue's, one for each CPU mapping, one for each dma-buf
 * @dev: the device that does DMA, with a reference until the queue's is dropped
 * @dir: what @dev does
 * @pages: the memory; constant
 * @nr_pages: their number; constant
 * @lock: guards @mapped against those who synchronise caches for a dma-buf
 * @mapped: @sgt is mapped for @dev
 * @sgt: @pages for @dev
 * @ranges: @sgt, as the driver gets it
 * @handler: counts CPU mappings
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

/* vb2_mem_ops.num_users is not told which of the two it is asked about. */
static_assert(!offsetof(struct vb2_phyr_import, ref));
static_assert(!offsetof(struct vb2_phyr_ram, ref));

void *vb2_phyr_ram_alloc(struct vb2_buffer *vb, struct device *dev,
			 unsigned long size);
void vb2_phyr_ram_free(void *priv);
int vb2_phyr_ram_mmap(void *priv, struct vm_area_struct *vma);
struct dma_buf *vb2_phyr_ram_export(struct vb2_buffer *vb, void *priv,
				    unsigned long flags);

#endif

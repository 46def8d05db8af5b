/* SPDX-License-Identifier: GPL-2.0 */
/*
 * videobuf2 memory operations over phyr: page-less dma-bufs for V4L2 drivers
 *
 * A driver embeds struct vb2_phyr_queue instead of struct vb2_queue, and
 *
 *	sets vb2.mem_ops to &vb2_phyr_memops
 *	sets vb2.ops->unprepare_streaming to vb2_phyr_unprepare_streaming()
 *	calls vb2_phyr_init() before vb2_queue_init()
 *	calls vb2_phyr_prepare() in its buf_prepare, and returns its error
 *	does DMA only between vb2_phyr_begin() and vb2_phyr_end()
 *
 * The cookie of a plane is a dma_range list. It is valid only between begin and
 * end: a dma-buf may move whenever no DMA is in flight.
 *
 * media/vb2/memops.c and import.c describe how long a buffer stays attached and
 * mapped.
 */
#ifndef _MEDIA_VIDEOBUF2_PHYR_H
#define _MEDIA_VIDEOBUF2_PHYR_H

#include <linux/atomic.h>
#include <linux/hashtable.h>
#include <linux/mutex.h>
#include <linux/phyr.h>
#include <linux/types.h>
#include <media/videobuf2-v4l2.h>

struct dma_fence;
struct seq_file;

/**
 * struct vb2_phyr_queue - a videobuf2 queue for vb2_phyr_memops
 * @vb2: base; the driver initialises it as usual
 * @limits: DMA segment limits of the device; all 0 for none
 */
struct vb2_phyr_queue {
	struct vb2_queue vb2;
	struct phyr_limits limits;

	/* private: the cache of imports */
	struct mutex lock;		/* guards the following three */
	struct list_head imports;	/* those with planes */
	struct list_head idle;		/* those without, oldest first */
	DECLARE_HASHTABLE(by_dmabuf, 6);
	u64 turn;			/* vb2_phyr_prepare() calls; vb2.lock */
	atomic64_t attached;		/* successful phyr_attach() calls */
	atomic64_t mapped;		/* successful phyr_map() calls */
	/* private: used by one frame at a time */
	u64 context;			/* fence context of the frames */
	u64 seqno;
};

extern const struct vb2_mem_ops vb2_phyr_memops;

/* @vb2 must be embedded: vb2_phyr_prepare() warns without vb2_phyr_init(). */
static inline struct vb2_phyr_queue *to_vb2_phyr_queue(struct vb2_queue *vb2)
{
	return container_of(vb2, struct vb2_phyr_queue, vb2);
}

static inline const struct dma_range_list *
vb2_phyr_plane_ranges(struct vb2_buffer *vb, unsigned int plane)
{
	return vb2_plane_cookie(vb, plane);
}

void vb2_phyr_init(struct vb2_phyr_queue *queue);
void vb2_phyr_unprepare_streaming(struct vb2_queue *vb2);
int vb2_phyr_prepare(struct vb2_buffer *vb);
struct dma_fence *vb2_phyr_begin(struct vb2_buffer *vb);
void vb2_phyr_end(struct vb2_buffer *vb, struct dma_fence *fence, int error);
void vb2_phyr_show(struct seq_file *m, struct vb2_phyr_queue *queue);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * phyr_camera: a camera whose frames a copy engine moves
 *
 *	drv.c		the device: probe, remove, media graph, debugfs
 *	video.c		formats, frame rates, controls: what VIDIOC_* set
 *	stream.c	buffers, and the thread that has them filled
 *	memory.c	the device's coherent memory, where a frame begins
 *	pattern.c	what the camera sees
 *
 * Its videobuf2 memory operations are vb2_phyr_memops (media/vb2/).
 */
#ifndef _PHYR_CAMERA_H
#define _PHYR_CAMERA_H

#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <media/media-device.h>
#include <media/v4l2-ctrls.h>
#include <media/v4l2-device.h>
#include <media/videobuf2-phyr.h>

#include "../../engine/engine.h"

struct dentry;
struct task_struct;

#define CAMERA_MIN_WIDTH	64
#define CAMERA_MIN_HEIGHT	64
#define CAMERA_MAX_WIDTH	1920
#define CAMERA_MAX_HEIGHT	1080

/* Planes of a format: luma and chroma at most. */
#define CAMERA_PLANES		2

/**
 * struct camera_format - a pixel format
 * @fourcc: V4L2_PIX_FMT_…
 * @memory_planes: buffers that a frame is in
 * @planes: planes that a frame has; those beyond @memory_planes follow the
 *	last in its buffer
 * @cpp: bytes for each pixel of the first plane
 * @yuv: the second plane, if there is one, has half the lines
 */
struct camera_format {
	u32 fourcc;
	u8 memory_planes;
	u8 planes;
	u8 cpp;
	bool yuv;
};

/**
 * struct camera_look - what the controls set
 * @pattern: enum camera_pattern
 * @brightness: 0 to 255; 128 leaves colours as they are
 */
struct camera_look {
	u32 pattern;
	s32 brightness;
};

enum camera_pattern {
	CAMERA_BARS,
	CAMERA_GRADIENT,
	CAMERA_CHECKERBOARD,
	CAMERA_PATTERNS
};

/**
 * struct camera_chunk - a piece of coherent memory
 * @vaddr: for the CPU
 * @addr: for the device
 * @len: bytes
 */
struct camera_chunk {
	void *vaddr;
	dma_addr_t addr;
	size_t len;
};

/**
 * struct camera_memory - coherent memory that holds one plane of a frame
 * @dev: whose it is
 * @chunks: the memory, in order
 * @nr: their number
 * @sgt: the same for the device
 * @ranges: @sgt, as the engine reads it
 */
struct camera_memory {
	struct device *dev;
	struct camera_chunk *chunks;
	unsigned int nr;
	struct sg_table sgt;
	struct dma_range_list *ranges;
};

/**
 * struct camera_frame - where a frame is before it is captured
 * @format: constant while it exists, as the following
 * @pix: the negotiated format
 * @memory: one for each of @format's memory planes
 * @line: room for one line
 * @look: of what @memory has
 * @drawn: @memory has something
 */
struct camera_frame {
	const struct camera_format *format;
	struct v4l2_pix_format_mplane pix;
	struct camera_memory memory[CAMERA_PLANES];
	u8 *line;
	struct camera_look look;
	bool drawn;
};

/**
 * struct camera_buffer - a videobuf2 buffer
 * @vb: base
 * @node: in camera.buffers; guarded by camera.buffers_lock
 * @queued: when it became the driver's; constant while it is
 */
struct camera_buffer {
	struct vb2_v4l2_buffer vb;
	struct list_head node;
	ktime_t queued;
};

/**
 * struct camera - one device
 * @v4l2: its last reference frees this struct
 * @mdev: the media graph: @sensor, linked to @vdev
 * @vdev: the video node
 * @sink: pad of @vdev
 * @sensor: where frames come from
 * @source: pad of @sensor
 * @ctrls: controls, with a lock of their own
 * @engine: moves frames
 * @debugfs: directory, or an error pointer
 *
 * @lock: ioctls, and with them the following
 * @queue: buffers
 * @format: of @pix
 * @pix: the negotiated format; a single-planar node has its first plane
 * @interval: seconds from frame to frame
 *
 * @buffers_lock: the following, between ioctls and the thread; innermost
 * @buffers: queued, oldest first
 * @look: of the next frame
 *
 * @wait: woken when a buffer was queued
 * @thread: while streaming: fills buffers
 * @period: ns from frame to frame; constant while streaming
 * @frame: the thread's, while streaming
 * @run: the thread's: the plane that is being moved
 * @sequence: the thread's: number of the next frame
 */
struct camera {
	struct v4l2_device v4l2;
	struct media_device mdev;
	struct video_device vdev;
	struct media_pad sink;
	struct v4l2_subdev sensor;
	struct media_pad source;
	struct v4l2_ctrl_handler ctrls;
	struct phyr_engine engine;
	struct dentry *debugfs;

	struct mutex lock;		/* ioctls */
	struct vb2_phyr_queue queue;
	const struct camera_format *format;
	struct v4l2_pix_format_mplane pix;
	struct v4l2_fract interval;

	spinlock_t buffers_lock;	/* buffers, look */
	struct list_head buffers;
	struct camera_look look;

	wait_queue_head_t wait;
	struct task_struct *thread;
	u64 period;
	struct camera_frame frame;
	struct phyr_engine_run run;
	u32 sequence;
};

/* video.c */
extern const struct v4l2_ioctl_ops camera_ioctl_ops;
extern const struct v4l2_file_operations camera_fops;
int camera_video_init(struct camera *camera);

/* stream.c */
int camera_queue_init(struct camera *camera, struct device *dev,
		      bool multiplanar);

/* memory.c */
int camera_memory_alloc(struct camera_memory *memory, struct device *dev,
			size_t size);
void camera_memory_free(struct camera_memory *memory);
void camera_memory_write(struct camera_memory *memory, size_t offset,
			 const void *bytes, size_t len);

/* pattern.c */
extern const char *const camera_pattern_names[CAMERA_PATTERNS];
void camera_frame_draw(struct camera_frame *frame, struct camera_look look,
		       u32 number);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * phyr_camera: a V4L2 capture device with a copy engine as its DMA
 *
 *	drv.c		the device: probe, remove, media graph, debugfs
 *	video.c		ioctls: formats, frame rates, controls
 *	stream.c	buffers, and the thread that fills them
 *	memory.c	coherent memory, the source of the DMA
 *	pattern.c	the test pattern
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

/* Maximum number of planes of a format: luma and chroma. */
#define CAMERA_PLANES		2

/**
 * struct camera_format - a pixel format
 * @fourcc: V4L2_PIX_FMT_…
 * @memory_planes: memory planes, i.e. buffers, of a frame
 * @planes: colour planes of a frame; those beyond @memory_planes follow the
 *	last one in its buffer
 * @cpp: bytes per pixel of the first plane
 * @yuv: YCbCr; a second plane has half the lines
 */
struct camera_format {
	u32 fourcc;
	u8 memory_planes;
	u8 planes;
	u8 cpp;
	bool yuv;
};

/**
 * struct camera_look - values of the controls
 * @pattern: enum camera_pattern
 * @brightness: 0 to 255; 128 is neutral
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
 * @vaddr: CPU address
 * @addr: DMA address
 * @len: bytes
 */
struct camera_chunk {
	void *vaddr;
	dma_addr_t addr;
	size_t len;
};

/**
 * struct camera_memory - coherent memory for one memory plane of a frame
 * @dev: the device it is allocated for
 * @chunks: the memory, in order
 * @nr: number of chunks
 * @sgt: DMA addresses of @chunks
 * @ranges: @sgt as a range list, for the engine
 */
struct camera_memory {
	struct device *dev;
	struct camera_chunk *chunks;
	unsigned int nr;
	struct sg_table sgt;
	struct dma_range_list *ranges;
};

/**
 * struct camera_frame - a frame in coherent memory, before its DMA
 * @format: constant while streaming
 * @pix: the negotiated format; constant while streaming
 * @memory: one for each of @format's memory planes
 * @line: scratch buffer for one line
 * @look: control values that @memory was drawn with
 * @drawn: @memory contains a frame
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
 * @queued: time of buf_queue; constant while the driver owns the buffer
 */
struct camera_buffer {
	struct vb2_v4l2_buffer vb;
	struct list_head node;
	ktime_t queued;
};

/**
 * struct camera - one device
 * @v4l2: dropping its last reference frees this struct
 * @mdev: the media graph: @sensor, linked to @vdev
 * @vdev: the video node
 * @sink: pad of @vdev
 * @sensor: source of the frames
 * @source: pad of @sensor
 * @ctrls: controls; has its own lock
 * @engine: does the DMA
 * @debugfs: directory, or an error pointer
 *
 * @lock: serialises ioctls; guards the following four
 * @queue: the videobuf2 queue
 * @format: format of @pix
 * @pix: the negotiated format; a single-planar node uses its first plane
 * @interval: frame interval in seconds
 *
 * @buffers_lock: guards the following three; innermost
 * @buffers: queued buffers, oldest first
 * @look: control values for the next frame
 * @suspended: no frame is started
 *
 * @wait: woken when a buffer is queued, and on resume
 * @thread: fills buffers while streaming
 * @period: frame interval in ns; constant while streaming
 * @frame: owned by the thread while streaming
 * @run: owned by the thread: the plane being transferred
 * @sequence: owned by the thread: number of the next frame
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

	spinlock_t buffers_lock;	/* buffers, look, suspended */
	struct list_head buffers;
	struct camera_look look;
	bool suspended;

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
void camera_stream_suspend(struct camera *camera);
void camera_stream_resume(struct camera *camera);

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

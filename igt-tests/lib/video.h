/* SPDX-License-Identifier: MIT */
/*
 * The camera phyr_camera, driven through V4L2, and a model of its test
 * patterns. As in lib.h every helper asserts success, but for try_*(), which
 * return 0 or a negative errno.
 */
#ifndef PHYR_TESTS_VIDEO_H
#define PHYR_TESTS_VIDEO_H

#include <linux/videodev2.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib.h"

#define VIDEO_DRIVER	"phyr_camera"
#define VIDEO_PLANES	2

/* Menu of V4L2_CID_TEST_PATTERN. */
enum { VIDEO_BARS, VIDEO_GRADIENT, VIDEO_CHECKERBOARD };
#define VIDEO_BRIGHTNESS 128

/**
 * struct video - the camera, opened
 * @fd: its node
 * @node: its path
 * @busid: its PCI address
 * @multiplanar: the node has the multi-planar API
 * @memory: V4L2_MEMORY_* of the requested buffers
 * @pix: the format
 * @count: number of buffers
 * @mem: mappings of V4L2_MEMORY_MMAP buffers
 * @attached: the driver's count of attachments at open time
 * @mapped: its count of mappings at open time
 */
struct video {
	int fd;
	char node[32];
	char busid[16];
	bool multiplanar;
	uint32_t memory;
	struct v4l2_pix_format_mplane pix;
	uint32_t count;
	uint8_t *mem[32][VIDEO_PLANES];
	uint64_t attached;
	uint64_t mapped;
};

/* PCI address of the second LSI; @busid has room for 16 characters. */
void find_camera(char *busid);
/* Bind it as the camera and open it, whatever a failed subtest has left. */
struct video open_video(void);
struct video open_multiplanar_video(void);
/*
 * A capture node without hardware; @memory_operations as named in
 * media/vb2/tests/null_video.c.
 */
struct video open_null_video(const char *memory_operations);
/* Open the same node again. */
int open_video_again(const struct video *video);
void close_video(struct video *video);

/* @pitch 0 selects the minimum. */
void video_set_format(struct video *video, uint32_t width, uint32_t height,
		      uint32_t fourcc, uint32_t pitch);
/* Set the pitch of one plane of the multi-planar API. */
void video_set_pitch(struct video *video, int plane, uint32_t pitch);
void video_set_rate(const struct video *video, uint32_t frames_per_second);
void video_set_control(const struct video *video, uint32_t id, int32_t value);

/* Request buffers and map those of V4L2_MEMORY_MMAP; @count 0 frees all. */
void video_request(struct video *video, uint32_t memory, uint32_t count);
/* Remove the buffer at @index, which must not be queued. */
void video_remove(const struct video *video, uint32_t index);
/* V4L2_BUF_FLAG_*, by VIDIOC_QUERYBUF. */
uint32_t video_flags(const struct video *video, uint32_t index);
int video_export(const struct video *video, uint32_t index, uint32_t plane);
/* @dmabufs: one per plane; NULL unless the memory is V4L2_MEMORY_DMABUF. */
int try_video_queue(const struct video *video, uint32_t index,
		    const int *dmabufs);
/* The same with explicit lengths; otherwise those of the dma-bufs apply. */
int try_video_queue_lengths(const struct video *video, uint32_t index,
			    const int *dmabufs, const uint32_t *lengths);
void video_queue(const struct video *video, uint32_t index, const int *dmabufs);
/* VIDIOC_PREPARE_BUF */
void video_prepare(const struct video *video, uint32_t index,
		   const int *dmabufs);
void video_start(const struct video *video);
void video_stop(const struct video *video);

/**
 * struct video_frame - a dequeued frame
 * @index: of the buffer
 * @sequence: number of the frame
 * @flags: V4L2_BUF_FLAG_*
 * @used: bytes in each plane
 * @time: microseconds
 */
struct video_frame {
	uint32_t index;
	uint32_t sequence;
	uint32_t flags;
	uint32_t used[VIDEO_PLANES];
	uint64_t time;
};

int try_video_take(const struct video *video, struct video_frame *frame);
/* Dequeue; assert a complete frame without the error flag. */
struct video_frame video_take(const struct video *video);

/**
 * struct video_look - what a frame shows
 * @number: of the frame
 * @pattern: VIDEO_BARS, …
 * @brightness: VIDEO_BRIGHTNESS leaves colours as they are
 */
struct video_look {
	uint32_t number;
	uint32_t pattern;
	int32_t brightness;
};

/* 0xRRGGBB, before encoding to the pixel format. */
uint32_t video_colour(const struct video *video, struct video_look look,
		      uint32_t x, uint32_t y);
/* Assert the contents of a frame, but for the padding between lines. */
void assert_frame(const struct video *video, const uint8_t *const *planes,
		  struct video_look look);
/*
 * The same with both planes of NV12M in one buffer, where the second has
 * overwritten the start of the first.
 */
void assert_shared_frame(const struct video *video, const uint8_t *mem,
			 struct video_look look);

/**
 * struct video_cache - attachments of the driver's queue
 * @attached: attachments made since the camera was opened
 * @mapped: mappings made since then
 * @imports: dma-bufs currently attached
 * @mode: mapping mode of the first: "iova", "window", …, or "none"
 * @ranges: number of ranges of the first
 */
struct video_cache {
	uint64_t attached;
	uint64_t mapped;
	unsigned int imports;
	char mode[16];
	unsigned int ranges;
};

struct video_cache video_cache(const struct video *video);
/* Make the next @runs jobs of the camera's engine hang. */
void video_hang(const struct video *video, unsigned int runs);

#endif

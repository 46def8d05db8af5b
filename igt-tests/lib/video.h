/* SPDX-License-Identifier: MIT */
/*
 * The camera, phyr_camera, as its users drive it, and what it sees. As in lib.h
 * every helper asserts success, but for try_*(), which return 0 or a negative
 * errno.
 */
#ifndef PHYR_TESTS_VIDEO_H
#define PHYR_TESTS_VIDEO_H

#include <linux/videodev2.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib.h"

#define VIDEO_DRIVER	"phyr_camera"
#define VIDEO_PLANES	2

/* The menu of V4L2_CID_TEST_PATTERN. */
enum { VIDEO_BARS, VIDEO_GRADIENT, VIDEO_CHECKERBOARD };
#define VIDEO_BRIGHTNESS 128

/**
 * struct video - the camera, opened
 * @fd: its node
 * @node: path of that
 * @busid: its PCI address
 * @multiplanar: which API the node has
 * @memory: V4L2_MEMORY_* of the buffers that were asked for
 * @pix: the format
 * @count: buffers
 * @mem: those of V4L2_MEMORY_MMAP, mapped
 * @attached: attachments that there had been when it was opened
 * @mapped: and mappings
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

/* The second LSI's PCI address; @busid has room for 16 characters. */
void find_camera(char *busid);
/* It becomes the camera, whatever a subtest that failed has left. */
struct video open_video(void);
struct video open_multiplanar_video(void);
/* A node that sees nothing, with these: as media/vb2/tests/null_video.c names them. */
struct video open_null_video(const char *memory_operations);
/* Another file of the same node. */
int open_video_again(const struct video *video);
void close_video(struct video *video);

/* @pitch 0 has lines as short as they can be. */
void video_set_format(struct video *video, uint32_t width, uint32_t height,
		      uint32_t fourcc, uint32_t pitch);
/* Of one plane of the multi-planar API. */
void video_set_pitch(struct video *video, int plane, uint32_t pitch);
void video_set_rate(const struct video *video, uint32_t frames_per_second);
void video_set_control(const struct video *video, uint32_t id, int32_t value);

/* Maps what it gets of V4L2_MEMORY_MMAP; 0 gives all back. */
void video_request(struct video *video, uint32_t memory, uint32_t count);
/* The buffer at @index goes, which is not queued. */
void video_remove(const struct video *video, uint32_t index);
/* V4L2_BUF_FLAG_*, by VIDIOC_QUERYBUF. */
uint32_t video_flags(const struct video *video, uint32_t index);
int video_export(const struct video *video, uint32_t index, uint32_t plane);
/* @dmabufs: one for each plane; NULL where memory is not V4L2_MEMORY_DMABUF. */
int try_video_queue(const struct video *video, uint32_t index,
		    const int *dmabufs);
/* With lengths, which are otherwise those of the dma-bufs. */
int try_video_queue_lengths(const struct video *video, uint32_t index,
			    const int *dmabufs, const uint32_t *lengths);
void video_queue(const struct video *video, uint32_t index, const int *dmabufs);
void video_start(const struct video *video);
void video_stop(const struct video *video);

/**
 * struct video_frame - what came back
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
/* Whole, and without the error flag. */
struct video_frame video_take(const struct video *video);

/**
 * struct video_look - what the camera was told to look at
 * @number: of the frame
 * @pattern: VIDEO_BARS, …
 * @brightness: VIDEO_BRIGHTNESS leaves colours as they are
 */
struct video_look {
	uint32_t number;
	uint32_t pattern;
	int32_t brightness;
};

/* 0xRRGGBB, before it is encoded. */
uint32_t video_colour(const struct video *video, struct video_look look,
		      uint32_t x, uint32_t y);
/* The planes of a frame are that, but for what is between two lines. */
void assert_frame(const struct video *video, const uint8_t *const *planes,
		  struct video_look look);
/* Both planes of NV12M are in one buffer: the second has overwritten the first. */
void assert_shared_frame(const struct video *video, const uint8_t *mem,
			 struct video_look look);

/**
 * struct video_cache - what the driver's queue has attached
 * @attached: attachments made since the camera was opened
 * @mapped: mappings made since then
 * @imports: dma-bufs that are attached now
 * @mode: of the first of them: "iova", "window", …, or "none"
 * @ranges: of the first of them
 */
struct video_cache {
	uint64_t attached;
	uint64_t mapped;
	unsigned int imports;
	char mode[16];
	unsigned int ranges;
};

struct video_cache video_cache(const struct video *video);
/* The next @runs of the camera's engine hang. */
void video_hang(const struct video *video, unsigned int runs);

#endif

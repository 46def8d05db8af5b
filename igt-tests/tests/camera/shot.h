/* SPDX-License-Identifier: MIT */
/* The subtests of phyr_camera, and the buffers that they capture into. */
#ifndef PHYR_TESTS_SHOT_H
#define PHYR_TESTS_SHOT_H

#include <stdint.h>

#include "lib.h"
#include "video.h"

#define BUFFERS		4
#define MAX_EXTENT	SZ_64K
/* Frames per second. */
#define FAST		60

/**
 * struct shot - a buffer of the card, to capture into
 * @handle: GEM handle
 * @dmabuf: its dma-buf, for the camera
 * @mem: its mapping
 * @size: bytes
 */
struct shot {
	uint32_t handle;
	int dmabuf;
	uint8_t *mem;
	uint64_t size;
};

/* Frame @number with the default pattern and brightness. */
struct video_look look_at(uint32_t number);

struct shot create_shot(int vram, const struct video *video,
			uint32_t placement);
void close_shot(int vram, struct shot *shot);
void assert_shot(const struct video *video, const struct shot *shot,
		 uint32_t number);

/* Start a stream into @count new shots, each queued at its own index. */
void start_with(struct video *video, struct shot *shots, int vram,
		uint32_t placement, int count);
/* Take one frame, check all its bytes, and queue its buffer again. */
void go_on(const struct video *video, const struct shot *shots);

/**
 * struct export - a buffer of the camera, exported and imported by an engine
 * @video: the camera, which streams
 * @frame: the frame that the buffer holds
 * @size: bytes
 * @dmabuf: the exported buffer
 * @engine: file of the engine
 * @imported: handle of @dmabuf at @engine
 * @own: a buffer of @engine of the same size, to copy into
 */
struct export {
	struct video video;
	struct video_frame frame;
	uint64_t size;
	int dmabuf;
	int engine;
	uint32_t imported;
	uint32_t own;
};

struct export capture_exported(uint32_t width, uint32_t height);
/* export->own holds the frame. */
void assert_copy(const struct export *export);

/* Wait for the next V4L2_EVENT_FRAME_SYNC and return its frame number. */
uint32_t next_frame_sync(int fd);

/* frame.c */
void single_planar(void);
void multi_planar(void);
void multi_planar_vram(void);
void controls(void);
void sequence(void);
void exported(void);
void in_segments(void);

/* cache.c */
void vram_frames(void);
void recognised(void);
void mapped_flag(void);
void forgotten(void);
void uncached(void);

/* move.c */
void moved(void);
void moved_in_flight(void);

/* suspend.c */
void suspended(void);

/* revoke.c */
void revoked(enum removal removal, int rounds);
void revoked_while_queued(void);
void revoked_beside(void);
void camera_gone(enum removal removal);
void camera_gone_ram(void);
void hang(void);

/* refuse.c */
void refused(void);
void refused_length(void);
void refused_revoked(void);
void refused_shared(void);

#endif

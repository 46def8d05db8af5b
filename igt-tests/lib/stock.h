/* SPDX-License-Identifier: MIT */
/*
 * Drivers that know nothing of phyr, driven as their own users drive them, and
 * what phyr tells of attachments. As in lib.h, every helper asserts success.
 */
#ifndef PHYR_TESTS_STOCK_H
#define PHYR_TESTS_STOCK_H

#include "lib.h"

/* A line of /sys/kernel/debug/phyr/attachments. */
struct attachment {
	char exporter[32];
	char device[32];
	char way[16];
	char route[16];
	unsigned int mappings;
	char why[64];
};

/* How many there are of @exporter to @device; NULL is any. One goes to @seen. */
unsigned int find_attachments(const char *exporter, const char *device,
			      struct attachment *seen);
/* There is exactly one, and it is like that; @why is a part of the reason. */
void assert_attachment(const char *exporter, const char *device,
		       const char *way, const char *route,
		       unsigned int mappings, const char *why);
/* A worker may be the last to let go. */
void wait_for_no_attachment(const char *exporter, const char *device);

/* The trace event phyr:phyr_attach. */
void trace_attachments(void);
unsigned int traced_attachments(const char *exporter, const char *device,
				const char *way);

/* DRM drivers. */
int open_drm(const char *driver);
uint32_t create_dumb(int fd, uint64_t *size);
void *map_dumb(int fd, uint32_t handle, uint64_t size);

/* vivid: a camera in software. @size: of an image; @memory: V4L2_MEMORY_*. */
struct camera {
	int fd;
	uint64_t size;
	uint32_t memory;
};

struct camera open_camera(uint32_t memory);
void close_camera(struct camera *camera);
int camera_export(const struct camera *camera);
/* Hands a dma-buf over, as buffer @index; 0 or a negative errno. */
int camera_queue(const struct camera *camera, uint32_t index, int dmabuf);
/* Takes an image; its buffer's index. */
uint32_t camera_capture(const struct camera *camera);
/* Lets go of all buffers. */
void camera_stop(const struct camera *camera);

/* CPU access to a dma-buf. */
void begin_cpu(int dmabuf);
void end_cpu(int dmabuf);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Drivers that do not know phyr, driven through their own interfaces; and
 * phyr's list of attachments. As in lib.h, every helper asserts success.
 */
#ifndef PHYR_TESTS_FOREIGN_H
#define PHYR_TESTS_FOREIGN_H

#include "lib.h"

/*
 * A line of /sys/kernel/debug/phyr/attachments. While the dma-buf is locked,
 * @route is "busy" and @mappings 0.
 */
struct attachment {
	char exporter[32];
	char device[32];
	char mode[16];
	char route[16];
	unsigned int mappings;
	char why[64];
};

/*
 * Number of attachments of @exporter to @device, NULL for any; one of them
 * goes to @seen.
 */
unsigned int find_attachments(const char *exporter, const char *device,
			      struct attachment *seen);
/*
 * Assert that there is exactly one, with these properties; @why is a part of
 * the reason.
 */
void assert_attachment(const char *exporter, const char *device,
		       const char *mode, const char *route,
		       unsigned int mappings, const char *why);
/* A worker may drop the last reference. */
void wait_for_no_attachment(const char *exporter, const char *device);

/* The trace event phyr:phyr_attach. */
void trace_attachments(void);
unsigned int traced_attachments(const char *exporter, const char *device,
				const char *mode);

/* DRM drivers. */
int open_drm(const char *driver);
uint32_t create_dumb(int fd, uint64_t *size);
void *map_dumb(int fd, uint32_t handle, uint64_t size);

/*
 * vivid, a software camera. @size: bytes of an image; @memory: V4L2_MEMORY_*.
 */
struct camera {
	int fd;
	uint64_t size;
	uint32_t memory;
};

struct camera open_camera(uint32_t memory);
/* The same with another image: @fourcc is V4L2_PIX_FMT_*. */
struct camera open_camera_format(uint32_t memory, uint32_t width,
				 uint32_t height, uint32_t fourcc);
/* Path of its node, opened and closed again; @node has room for 32 characters. */
void find_vivid(char *node);
void close_camera(struct camera *camera);
int camera_export(const struct camera *camera);
/* Queue a dma-buf as buffer @index. Return: 0 or a negative errno. */
int camera_queue(const struct camera *camera, uint32_t index, int dmabuf);
/* Dequeue an image. Return: the buffer's index. */
uint32_t camera_capture(const struct camera *camera);
/* Dequeue another image while the camera runs. */
uint32_t camera_next(const struct camera *camera);
/* Release all buffers. */
void camera_stop(const struct camera *camera);

/* Begin and end CPU access to a dma-buf. */
void begin_cpu(int dmabuf);
void end_cpu(int dmabuf);

#endif

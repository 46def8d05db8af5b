// SPDX-License-Identifier: MIT
/*
 * Preloaded into v4l2-compliance, which takes dma-bufs from V4L2 devices only:
 * VIDIOC_EXPBUF on vivid returns a dma-buf from elsewhere.
 *
 *	PHYR_EXPBUF=vram	the first card of phyr_vram, in extents of 64 KiB
 *	PHYR_EXPBUF=heap	the system's dma-heap
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-heap.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "libphyr.h"

#define MAX_EXTENT	(64 << 10)

static int (*real_ioctl(void))(int, unsigned long, ...)
{
	return (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
}

static int from_vram(uint64_t size)
{
	int card = phyr_open(PHYR_VRAM_DRIVER, 0), err, dmabuf;
	uint32_t handle;

	if (card < 0)
		return card;
	err = phyr_vram_create(card, size, DRM_PHYR_VRAM_PLACE_VRAM, MAX_EXTENT,
			       &handle);
	dmabuf = err ? err : phyr_export(card, handle);
	close(card);
	return dmabuf;
}

static int from_heap(uint64_t size)
{
	struct dma_heap_allocation_data data = {
		.len = size, .fd_flags = O_RDWR | O_CLOEXEC,
	};
	int heap = open("/dev/dma_heap/system", O_RDWR | O_CLOEXEC), err;

	if (heap < 0)
		return -errno;
	err = phyr_ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data);
	close(heap);
	return err ? err : (int)data.fd;
}

static int from_elsewhere(uint64_t size)
{
	const char *where = getenv("PHYR_EXPBUF");

	if (where && !strcmp(where, "vram"))
		return from_vram(size);
	if (where && !strcmp(where, "heap"))
		return from_heap(size);
	return -EINVAL;
}

static int is_vivid(int fd)
{
	struct v4l2_capability caps;

	return !real_ioctl()(fd, VIDIOC_QUERYCAP, &caps) &&
	       !strcmp((char *)caps.driver, "vivid");
}

static int export(int fd, struct v4l2_exportbuffer *buffer)
{
	int err = real_ioctl()(fd, VIDIOC_EXPBUF, buffer), dmabuf;
	off_t size;

	if (err || !is_vivid(fd))
		return err;
	size = lseek(buffer->fd, 0, SEEK_END);
	close(buffer->fd);
	dmabuf = from_elsewhere(size);
	if (dmabuf < 0) {
		errno = -dmabuf;
		return -1;
	}
	buffer->fd = dmabuf;
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (request == VIDIOC_EXPBUF)
		return export(fd, arg);
	return real_ioctl()(fd, request, arg);
}

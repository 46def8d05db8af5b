// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/videodev2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xf86drm.h>

#include "foreign.h"

#define ATTACHMENTS	"/sys/kernel/debug/phyr/attachments"

static bool is(const char *wanted, const char *name)
{
	return !wanted || !strcmp(wanted, name);
}

unsigned int find_attachments(const char *exporter, const char *device,
			      struct attachment *seen)
{
	FILE *file = fopen(ATTACHMENTS, "re");
	unsigned int found = 0;
	struct attachment line;
	char text[256], mappings[16];

	igt_assert_f(file, ATTACHMENTS ": %s\n", strerror(errno));
	while (fgets(text, sizeof(text), file)) {
		igt_assert_f(sscanf(text, "%31s %31s %15s %15s %15s %63[^\n]",
				    line.exporter, line.device, line.mode,
				    line.route, mappings, line.why) == 6,
			     "not as documented: %s", text);
		line.mappings = strtoul(mappings, NULL, 10);
		if (!is(exporter, line.exporter) || !is(device, line.device))
			continue;
		found++;
		if (seen)
			*seen = line;
	}
	fclose(file);
	return found;
}

void assert_attachment(const char *exporter, const char *device,
		       const char *mode, const char *route,
		       unsigned int mappings, const char *why)
{
	struct attachment seen = { 0 };

	igt_assert_eq(find_attachments(exporter, device, &seen), 1);
	igt_assert_f(!strcmp(seen.mode, mode) && !strcmp(seen.route, route) &&
		     seen.mappings == mappings && strstr(seen.why, why),
		     "attachment '%s %s %u %s', expected '%s %s %u …%s…'\n",
		     seen.mode, seen.route, seen.mappings, seen.why, mode, route,
		     mappings, why);
}

void wait_for_no_attachment(const char *exporter, const char *device)
{
	for (int tries = 0; tries < 300; tries++) {
		if (!find_attachments(exporter, device, NULL))
			return;
		usleep(100000);
	}
	igt_assert_eq(find_attachments(exporter, device, NULL), 0);
}

void trace_attachments(void)
{
	trace_reset();
	trace_write("set_event", "phyr:phyr_attach");
	trace_start();
}

/* What to count in the trace, and the count. */
struct traced {
	char exporter[48];
	char device[48];
	char mode[32];
	unsigned int seen;
};

static void see_attach(char *line, void *data)
{
	struct traced *traced = data;

	traced->seen += strstr(line, "phyr_attach:") &&
			strstr(line, traced->exporter) &&
			strstr(line, traced->device) &&
			strstr(line, traced->mode);
}

unsigned int traced_attachments(const char *exporter, const char *device,
				const char *mode)
{
	struct traced traced = { .seen = 0 };

	snprintf(traced.exporter, sizeof(traced.exporter), "exporter=%s ",
		 exporter);
	snprintf(traced.device, sizeof(traced.device), "importer=%s ", device);
	snprintf(traced.mode, sizeof(traced.mode), "way=%s ", mode);
	trace_stop();
	trace_each(see_attach, &traced);
	trace_reset();
	return traced.seen;
}

static bool drm_is(int fd, const char *driver)
{
	drmVersion *version = drmGetVersion(fd);
	bool same = version && !strcmp(version->name, driver);

	drmFreeVersion(version);
	return same;
}

int open_drm(const char *driver)
{
	char path[32];
	int fd;

	for (int minor = 0; minor < 16; minor++) {
		snprintf(path, sizeof(path), "/dev/dri/card%d", minor);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd >= 0 && drm_is(fd, driver))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	igt_assert_f(false, "no DRM device of %s\n", driver);
	return -1;
}

uint32_t create_dumb(int fd, uint64_t *size)
{
	struct drm_mode_create_dumb create = {
		.width = 512, .height = 256, .bpp = 32,
	};

	igt_assert_eq(phyr_ioctl(fd, DRM_IOCTL_MODE_CREATE_DUMB, &create), 0);
	*size = create.size;
	return create.handle;
}

void *map_dumb(int fd, uint32_t handle, uint64_t size)
{
	struct drm_mode_map_dumb map = { .handle = handle };
	void *mem;

	igt_assert_eq(phyr_ioctl(fd, DRM_IOCTL_MODE_MAP_DUMB, &map), 0);
	mem = phyr_mmap(fd, size, PROT_READ | PROT_WRITE, map.offset);
	igt_assert_f(mem != MAP_FAILED, "mmap: %s\n", strerror(errno));
	return mem;
}

static bool is_camera(int fd)
{
	struct v4l2_capability caps;

	return !phyr_ioctl(fd, VIDIOC_QUERYCAP, &caps) &&
	       !strcmp((char *)caps.driver, "vivid") &&
	       caps.device_caps & V4L2_CAP_VIDEO_CAPTURE;
}

/* The node's number depends on what was loaded before; @path has its path. */
static int open_vivid(char path[static 32])
{
	int fd;

	run_command("modprobe vivid n_devs=1 node_types=0x1");
	for (int minor = 0; minor < 16; minor++) {
		snprintf(path, 32, "/dev/video%d", minor);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd >= 0 && is_camera(fd))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	igt_assert_f(false, "vivid has no capture device\n");
	return -1;
}

static void request_buffers(const struct camera *camera, uint32_t count)
{
	struct v4l2_requestbuffers request = {
		.count = count,
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = camera->memory,
	};

	igt_assert_eq(phyr_ioctl(camera->fd, VIDIOC_REQBUFS, &request), 0);
	igt_assert(request.count >= count);
}

void find_vivid(char *node)
{
	close(open_vivid(node));
}

struct camera open_camera_format(uint32_t memory, uint32_t width,
				 uint32_t height, uint32_t fourcc)
{
	struct v4l2_format format = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE };
	struct camera camera = { .memory = memory };
	char node[32];

	camera.fd = open_vivid(node);
	format.fmt.pix.width = width;
	format.fmt.pix.height = height;
	format.fmt.pix.pixelformat = fourcc;
	format.fmt.pix.field = V4L2_FIELD_NONE;
	igt_assert_eq(phyr_ioctl(camera.fd, VIDIOC_S_FMT, &format), 0);
	igt_assert(format.fmt.pix.width == width &&
		   format.fmt.pix.height == height &&
		   format.fmt.pix.pixelformat == fourcc);
	camera.size = format.fmt.pix.sizeimage;
	igt_assert(camera.size);
	request_buffers(&camera, 1);
	return camera;
}

struct camera open_camera(uint32_t memory)
{
	return open_camera_format(memory, 320, 180, V4L2_PIX_FMT_YUYV);
}

void close_camera(struct camera *camera)
{
	close(camera->fd);
}

int camera_export(const struct camera *camera)
{
	struct v4l2_exportbuffer export = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.flags = O_RDWR | O_CLOEXEC,
	};

	igt_assert_eq(phyr_ioctl(camera->fd, VIDIOC_EXPBUF, &export), 0);
	return export.fd;
}

int camera_queue(const struct camera *camera, uint32_t index, int dmabuf)
{
	struct v4l2_buffer buffer = {
		.index = index,
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = camera->memory,
		.m.fd = dmabuf,
	};

	return phyr_ioctl(camera->fd, VIDIOC_QBUF, &buffer);
}

uint32_t camera_next(const struct camera *camera)
{
	struct v4l2_buffer buffer = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = camera->memory,
	};

	igt_assert_eq(phyr_ioctl(camera->fd, VIDIOC_DQBUF, &buffer), 0);
	igt_assert(!(buffer.flags & V4L2_BUF_FLAG_ERROR));
	igt_assert_eq_u64(buffer.bytesused, camera->size);
	return buffer.index;
}

uint32_t camera_capture(const struct camera *camera)
{
	int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;

	igt_assert_eq(phyr_ioctl(camera->fd, VIDIOC_STREAMON, &type), 0);
	return camera_next(camera);
}

void camera_stop(const struct camera *camera)
{
	int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;

	igt_assert_eq(phyr_ioctl(camera->fd, VIDIOC_STREAMOFF, &type), 0);
	request_buffers(camera, 0);
}

static void sync_cpu(int dmabuf, uint64_t flags)
{
	struct dma_buf_sync sync = { .flags = flags | DMA_BUF_SYNC_RW };

	igt_assert_eq(phyr_ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, &sync), 0);
}

void begin_cpu(int dmabuf)
{
	sync_cpu(dmabuf, DMA_BUF_SYNC_START);
}

void end_cpu(int dmabuf)
{
	sync_cpu(dmabuf, DMA_BUF_SYNC_END);
}

// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "video.h"

#define NULL_DRIVER	"phyr_null_video"
#define MULTIPLANAR	"/sys/module/" VIDEO_DRIVER "/parameters/multiplanar"
#define NUMBER_LINES	16
#define NUMBER_CELLS	32

/*
 * The device
 */

void find_camera(char *busid)
{
	igt_assert_f(pci_find("0x1000", "0x0012", 1, busid),
		     "no second LSI 53C895A\n");
}

static void unbind(const char *busid, const char *driver)
{
	char bound[64];

	pci_driver(busid, bound, sizeof(bound));
	if (!strcmp(bound, driver))
		remove_device(busid, UNBIND);
}

static void unbind_camera(void)
{
	char busid[16];

	find_camera(busid);
	unbind(busid, VIDEO_DRIVER);
}

static bool is_multiplanar(void)
{
	int fd = open(MULTIPLANAR, O_RDONLY | O_CLOEXEC);
	char value = 0;

	igt_assert_f(fd >= 0, MULTIPLANAR ": %s\n", strerror(errno));
	igt_assert_eq(read(fd, &value, 1), 1);
	close(fd);
	return value == 'Y';
}

static void bind_with(bool multiplanar)
{
	char busid[16];

	run_command("modprobe " VIDEO_DRIVER);
	if (is_multiplanar() != multiplanar) {
		unbind_camera();
		write_file(MULTIPLANAR, multiplanar ? "Y" : "N");
	}
	find_camera(busid);
	pci_bind(busid, VIDEO_DRIVER);
}

static uint32_t video_type(const struct video *video)
{
	return video->multiplanar ? V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE :
				    V4L2_BUF_TYPE_VIDEO_CAPTURE;
}

static bool is_node(int fd, const char *driver, const char *card,
		    struct v4l2_capability *caps)
{
	return !phyr_ioctl(fd, VIDIOC_QUERYCAP, caps) &&
	       !strcmp((char *)caps->driver, driver) &&
	       (!card || !strcmp((char *)caps->card, card));
}

/* @card NULL matches any; @caps returns QUERYCAP's answer. */
static void open_node(struct video *video, const char *driver, const char *card,
		      struct v4l2_capability *caps)
{
	for (int number = 0; number < 16; number++) {
		snprintf(video->node, sizeof(video->node), "/dev/video%d",
			 number);
		video->fd = open(video->node, O_RDWR | O_CLOEXEC);
		if (video->fd < 0)
			continue;
		if (is_node(video->fd, driver, card, caps))
			return;
		close(video->fd);
	}
	igt_assert_f(false, "no /dev/video* belongs to %s\n", driver);
}

static void video_get_format(struct video *video)
{
	struct v4l2_format format = { .type = video_type(video) };

	igt_assert_eq(phyr_ioctl(video->fd, VIDIOC_G_FMT, &format), 0);
	if (video->multiplanar) {
		video->pix = format.fmt.pix_mp;
		return;
	}
	video->pix = (struct v4l2_pix_format_mplane) {
		.width = format.fmt.pix.width,
		.height = format.fmt.pix.height,
		.pixelformat = format.fmt.pix.pixelformat,
		.num_planes = 1,
	};
	video->pix.plane_fmt[0].bytesperline = format.fmt.pix.bytesperline;
	video->pix.plane_fmt[0].sizeimage = format.fmt.pix.sizeimage;
}

static int opened = -1;

/*
 * Rebind the camera: mappings left by a failed subtest keep its file open, and
 * with it the queue's owner.
 */
static void forget_opened(void)
{
	if (opened < 0)
		return;
	close(opened);
	opened = -1;
	unbind_camera();
}

static struct video open_with(bool multiplanar)
{
	struct v4l2_capability caps = { 0 };
	struct video video = { 0 };
	struct video_cache cache;

	forget_opened();
	bind_with(multiplanar);
	find_camera(video.busid);
	open_node(&video, VIDEO_DRIVER, NULL, &caps);
	igt_assert(caps.device_caps & V4L2_CAP_STREAMING);
	video.multiplanar = caps.device_caps & V4L2_CAP_VIDEO_CAPTURE_MPLANE;
	igt_assert_eq(video.multiplanar, multiplanar);
	igt_assert(multiplanar || caps.device_caps & V4L2_CAP_VIDEO_CAPTURE);
	video_get_format(&video);
	cache = video_cache(&video);
	video.attached = cache.attached;
	video.mapped = cache.mapped;
	opened = video.fd;
	return video;
}

struct video open_video(void)
{
	return open_with(false);
}

struct video open_multiplanar_video(void)
{
	return open_with(true);
}

struct video open_null_video(const char *memory_operations)
{
	struct v4l2_capability caps;
	struct video video = { 0 };

	run_command("modprobe " NULL_DRIVER);
	igt_assert_f(pci_find("0x1234", "0x11e8", 0, video.busid), "no edu\n");
	/* As in open_video(): drop what a failed subtest has left. */
	unbind(video.busid, NULL_DRIVER);
	pci_bind(video.busid, NULL_DRIVER);
	open_node(&video, NULL_DRIVER, memory_operations, &caps);
	video_get_format(&video);
	return video;
}

int open_video_again(const struct video *video)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", video->fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	igt_assert_f(fd >= 0, "%s: %s\n", path, strerror(errno));
	return fd;
}

static void unmap_buffers(struct video *video)
{
	for (uint32_t i = 0; i < video->count; i++)
		for (int plane = 0; plane < VIDEO_PLANES; plane++)
			if (video->mem[i][plane])
				unmap(video->mem[i][plane],
				      video->pix.plane_fmt[plane].sizeimage);
	memset(video->mem, 0, sizeof(video->mem));
	video->count = 0;
}

void close_video(struct video *video)
{
	unmap_buffers(video);
	if (opened == video->fd)
		opened = -1;
	igt_assert_eq(close(video->fd), 0);
}

/*
 * Settings
 */

void video_set_format(struct video *video, uint32_t width, uint32_t height,
		      uint32_t fourcc, uint32_t pitch)
{
	struct v4l2_format format = { .type = video_type(video) };

	if (video->multiplanar) {
		format.fmt.pix_mp.width = width;
		format.fmt.pix_mp.height = height;
		format.fmt.pix_mp.pixelformat = fourcc;
		for (int i = 0; i < VIDEO_PLANES; i++)
			format.fmt.pix_mp.plane_fmt[i].bytesperline = pitch;
	} else {
		format.fmt.pix.width = width;
		format.fmt.pix.height = height;
		format.fmt.pix.pixelformat = fourcc;
		format.fmt.pix.bytesperline = pitch;
	}
	igt_assert_eq(phyr_ioctl(video->fd, VIDIOC_S_FMT, &format), 0);
	video_get_format(video);
	igt_assert_eq(video->pix.width, width);
	igt_assert_eq(video->pix.height, height);
	igt_assert_eq(video->pix.pixelformat, fourcc);
	if (pitch)
		igt_assert_eq(video->pix.plane_fmt[0].bytesperline, pitch);
}

void video_set_pitch(struct video *video, int plane, uint32_t pitch)
{
	struct v4l2_format format = {
		.type = video_type(video), .fmt.pix_mp = video->pix,
	};

	igt_assert(video->multiplanar);
	format.fmt.pix_mp.plane_fmt[plane].bytesperline = pitch;
	igt_assert_eq(phyr_ioctl(video->fd, VIDIOC_S_FMT, &format), 0);
	video_get_format(video);
	igt_assert_eq(video->pix.plane_fmt[plane].bytesperline, pitch);
}

void video_set_rate(const struct video *video, uint32_t frames_per_second)
{
	struct v4l2_streamparm parm = { .type = video_type(video) };

	parm.parm.capture.timeperframe.numerator = 1;
	parm.parm.capture.timeperframe.denominator = frames_per_second;
	igt_assert_eq(phyr_ioctl(video->fd, VIDIOC_S_PARM, &parm), 0);
	igt_assert_eq(parm.parm.capture.timeperframe.denominator,
		      frames_per_second);
}

void video_set_control(const struct video *video, uint32_t id, int32_t value)
{
	struct v4l2_control control = { .id = id, .value = value };

	igt_assert_eq(phyr_ioctl(video->fd, VIDIOC_S_CTRL, &control), 0);
}

/*
 * Buffers
 */

static struct v4l2_buffer make_buffer(const struct video *video, uint32_t index,
				      struct v4l2_plane *planes)
{
	struct v4l2_buffer buffer = {
		.index = index,
		.type = video_type(video),
		.memory = video->memory,
	};

	if (video->multiplanar) {
		buffer.length = VIDEO_PLANES;
		buffer.m.planes = planes;
	}
	return buffer;
}

static void map_buffer(struct video *video, uint32_t index)
{
	struct v4l2_plane planes[VIDEO_PLANES] = { 0 };
	struct v4l2_buffer buffer = make_buffer(video, index, planes);
	uint64_t offset;

	igt_assert_eq(phyr_ioctl(video->fd, VIDIOC_QUERYBUF, &buffer), 0);
	for (int i = 0; i < video->pix.num_planes; i++) {
		offset = video->multiplanar ? planes[i].m.mem_offset :
					      buffer.m.offset;
		video->mem[index][i] =
			mmap(NULL, video->pix.plane_fmt[i].sizeimage,
			     PROT_READ | PROT_WRITE, MAP_SHARED, video->fd,
			     offset);
		igt_assert(video->mem[index][i] != MAP_FAILED);
	}
}

void video_request(struct video *video, uint32_t memory, uint32_t count)
{
	struct v4l2_requestbuffers request = {
		.count = count,
		.type = video_type(video),
		.memory = memory,
	};

	unmap_buffers(video);
	igt_assert_eq(phyr_ioctl(video->fd, VIDIOC_REQBUFS, &request), 0);
	igt_assert(count ? request.count >= count : !request.count);
	igt_assert(request.count <= ARRAY_SIZE(video->mem));
	video->memory = memory;
	video->count = request.count;
	if (memory == V4L2_MEMORY_MMAP)
		for (uint32_t i = 0; i < request.count; i++)
			map_buffer(video, i);
}

void video_remove(const struct video *video, uint32_t index)
{
	struct v4l2_remove_buffers remove = {
		.index = index,
		.count = 1,
		.type = video_type(video),
	};

	igt_assert_eq(phyr_ioctl(video->fd, VIDIOC_REMOVE_BUFS, &remove), 0);
}

uint32_t video_flags(const struct video *video, uint32_t index)
{
	struct v4l2_plane planes[VIDEO_PLANES] = { 0 };
	struct v4l2_buffer buffer = make_buffer(video, index, planes);

	igt_assert_eq(phyr_ioctl(video->fd, VIDIOC_QUERYBUF, &buffer), 0);
	return buffer.flags;
}

int video_export(const struct video *video, uint32_t index, uint32_t plane)
{
	struct v4l2_exportbuffer export = {
		.type = video_type(video),
		.index = index,
		.plane = plane,
		.flags = O_RDWR | O_CLOEXEC,
	};

	igt_assert_eq(phyr_ioctl(video->fd, VIDIOC_EXPBUF, &export), 0);
	return export.fd;
}

static int request_buffer(const struct video *video, unsigned long request,
			  uint32_t index, const int *dmabufs,
			  const uint32_t *lengths)
{
	struct v4l2_plane planes[VIDEO_PLANES] = { 0 };
	struct v4l2_buffer buffer = make_buffer(video, index, planes);

	for (int i = 0; dmabufs && i < video->pix.num_planes; i++) {
		planes[i].m.fd = dmabufs[i];
		planes[i].length = lengths[i];
	}
	if (dmabufs && !video->multiplanar) {
		buffer.m.fd = dmabufs[0];
		buffer.length = lengths[0];
	}
	return phyr_ioctl(video->fd, request, &buffer);
}

int try_video_queue_lengths(const struct video *video, uint32_t index,
			    const int *dmabufs, const uint32_t *lengths)
{
	return request_buffer(video, VIDIOC_QBUF, index, dmabufs, lengths);
}

/* A length of 0 stands for the dma-buf's. */
static const uint32_t whole[VIDEO_PLANES];

int try_video_queue(const struct video *video, uint32_t index,
		    const int *dmabufs)
{
	return try_video_queue_lengths(video, index, dmabufs, whole);
}

void video_queue(const struct video *video, uint32_t index, const int *dmabufs)
{
	igt_assert_eq(try_video_queue(video, index, dmabufs), 0);
}

void video_prepare(const struct video *video, uint32_t index,
		   const int *dmabufs)
{
	igt_assert_eq(request_buffer(video, VIDIOC_PREPARE_BUF, index, dmabufs,
				     whole), 0);
}

void video_start(const struct video *video)
{
	int type = video_type(video);

	igt_assert_eq(phyr_ioctl(video->fd, VIDIOC_STREAMON, &type), 0);
}

void video_stop(const struct video *video)
{
	int type = video_type(video);

	igt_assert_eq(phyr_ioctl(video->fd, VIDIOC_STREAMOFF, &type), 0);
}

int try_video_take(const struct video *video, struct video_frame *frame)
{
	struct v4l2_plane planes[VIDEO_PLANES] = { 0 };
	struct v4l2_buffer buffer = make_buffer(video, 0, planes);
	int err = phyr_ioctl(video->fd, VIDIOC_DQBUF, &buffer);

	if (err)
		return err;
	*frame = (struct video_frame) {
		.index = buffer.index,
		.sequence = buffer.sequence,
		.flags = buffer.flags,
		.time = buffer.timestamp.tv_sec * 1000000ull +
			buffer.timestamp.tv_usec,
	};
	frame->used[0] = buffer.bytesused;
	for (int i = 0; video->multiplanar && i < VIDEO_PLANES; i++)
		frame->used[i] = planes[i].bytesused;
	return 0;
}

struct video_frame video_take(const struct video *video)
{
	struct video_frame frame;

	igt_assert_eq(try_video_take(video, &frame), 0);
	igt_assert_f(!(frame.flags & V4L2_BUF_FLAG_ERROR),
		     "frame %u has the error flag\n", frame.sequence);
	for (int i = 0; i < video->pix.num_planes; i++)
		igt_assert_eq(frame.used[i], video->pix.plane_fmt[i].sizeimage);
	return frame;
}

/* Expected frames, as media/camera/pattern.c describes them */

struct rgb {
	int r;
	int g;
	int b;
};

static int brighten(int level, int brightness)
{
	level += brightness - 128;
	return level < 0 ? 0 : level > 255 ? 255 : level;
}

static struct rgb pattern_colour(const struct video *video, uint32_t pattern,
				 uint32_t x, uint32_t y)
{
	static const uint32_t bars[] = {
		0xffffff, 0xffff00, 0x00ffff, 0x00ff00,
		0xff00ff, 0xff0000, 0x0000ff, 0x000000,
	};
	uint32_t width = video->pix.width, height = video->pix.height, bar;
	int across = x * 255 / (width - 1), down = y * 255 / (height - 1), grey;

	switch (pattern) {
	case VIDEO_BARS:
		bar = bars[x * 8 / width];
		return (struct rgb) { bar >> 16, bar >> 8 & 255, bar & 255 };
	case VIDEO_GRADIENT:
		return (struct rgb) { across, down, 255 - across };
	default:
		grey = (x / 16 + y / 16) % 2 ? 255 : 0;
		return (struct rgb) { grey, grey, grey };
	}
}

static struct rgb seen(const struct video *video, struct video_look look,
		       uint32_t x, uint32_t y)
{
	uint32_t cell = x / (video->pix.width / NUMBER_CELLS);
	struct rgb colour;

	if (y < NUMBER_LINES) {
		int bit = cell < NUMBER_CELLS &&
			  look.number >> (NUMBER_CELLS - 1 - cell) & 1;

		return (struct rgb) { 255 * bit, 255 * bit, 255 * bit };
	}
	colour = pattern_colour(video, look.pattern, x, y);
	colour.r = brighten(colour.r, look.brightness);
	colour.g = brighten(colour.g, look.brightness);
	colour.b = brighten(colour.b, look.brightness);
	return colour;
}

uint32_t video_colour(const struct video *video, struct video_look look,
		      uint32_t x, uint32_t y)
{
	struct rgb colour = seen(video, look, x, y);

	return colour.r << 16 | colour.g << 8 | colour.b;
}

/* BT.601, limited range. */
static uint8_t luma(struct rgb c)
{
	return (66 * c.r + 129 * c.g + 25 * c.b + 128) / 256 + 16;
}

static uint8_t chroma(int r, int g, int b, struct rgb c)
{
	/* Round down, also below 0. */
	return (r * c.r + g * c.g + b * c.b + 128 + 256 * 128) / 256;
}

static uint8_t blue(struct rgb c)
{
	return chroma(-38, -74, 112, c);
}

static uint8_t red(struct rgb c)
{
	return chroma(112, -94, -18, c);
}

/* Encode the pixel at @x of the first plane. Return: the number of bytes. */
static int encode(const struct video *video, struct rgb c, struct rgb even,
		  uint32_t x, uint8_t *bytes)
{
	uint32_t rgb565;

	switch (video->pix.pixelformat) {
	case V4L2_PIX_FMT_XBGR32:
		bytes[0] = c.b;
		bytes[1] = c.g;
		bytes[2] = c.r;
		bytes[3] = 0;
		return 4;
	case V4L2_PIX_FMT_XRGB32:
		bytes[0] = 0;
		bytes[1] = c.r;
		bytes[2] = c.g;
		bytes[3] = c.b;
		return 4;
	case V4L2_PIX_FMT_RGB565:
		rgb565 = c.r / 8 * 2048 + c.g / 4 * 32 + c.b / 8;
		bytes[0] = rgb565 % 256;
		bytes[1] = rgb565 / 256;
		return 2;
	case V4L2_PIX_FMT_YUYV:
		bytes[0] = luma(c);
		bytes[1] = x % 2 ? red(even) : blue(even);
		return 2;
	default:
		bytes[0] = luma(c);
		return 1;
	}
}

static void assert_same(const uint8_t *at, const uint8_t *want, int count,
			struct video_look look, uint32_t x, uint32_t y)
{
	for (int i = 0; i < count; i++)
		igt_assert_f(at[i] == want[i],
			     "frame %u: byte %d of pixel %u,%u is %#x, not %#x\n",
			     look.number, i, x, y, at[i], want[i]);
}

static void assert_first_plane(const struct video *video, const uint8_t *plane,
			       uint32_t first_line, struct video_look look)
{
	uint32_t pitch = video->pix.plane_fmt[0].bytesperline;
	uint8_t want[4];
	int count;

	for (uint32_t y = first_line; y < video->pix.height; y++) {
		const uint8_t *at = plane + (uint64_t)y * pitch;
		struct rgb colour, even = { 0 };

		for (uint32_t x = 0; x < video->pix.width; x++, at += count) {
			colour = seen(video, look, x, y);
			if (x % 2 == 0)
				even = colour;
			count = encode(video, colour, even, x, want);
			assert_same(at, want, count, look, x, y);
		}
	}
}

static void assert_chroma(const struct video *video, const uint8_t *plane,
			  uint32_t pitch, struct video_look look)
{
	for (uint32_t y = 0; y < video->pix.height; y += 2) {
		const uint8_t *at = plane + (uint64_t)(y / 2) * pitch;

		for (uint32_t x = 0; x < video->pix.width; x += 2) {
			struct rgb colour = seen(video, look, x, y);
			uint8_t want[] = { blue(colour), red(colour) };

			assert_same(at + x, want, 2, look, x, y);
		}
	}
}

void assert_frame(const struct video *video, const uint8_t *const *planes,
		  struct video_look look)
{
	uint32_t pitch = video->pix.plane_fmt[0].bytesperline;

	assert_first_plane(video, planes[0], 0, look);
	if (video->pix.pixelformat == V4L2_PIX_FMT_NV12)
		assert_chroma(video,
			      planes[0] + (uint64_t)pitch * video->pix.height,
			      pitch, look);
	if (video->pix.pixelformat == V4L2_PIX_FMT_NV12M)
		assert_chroma(video, planes[1],
			      video->pix.plane_fmt[1].bytesperline, look);
}

void assert_shared_frame(const struct video *video, const uint8_t *mem,
			 struct video_look look)
{
	const struct v4l2_plane_pix_format *planes = video->pix.plane_fmt;
	uint32_t overwritten = planes[1].sizeimage / planes[0].bytesperline;

	igt_assert_eq(planes[1].sizeimage % planes[0].bytesperline, 0);
	igt_assert(overwritten < video->pix.height);
	assert_chroma(video, mem, planes[1].bytesperline, look);
	assert_first_plane(video, mem, overwritten, look);
}

/* The driver's debugfs files */

static void debugfs_path(const struct video *video, const char *name,
			 char *path, size_t size)
{
	snprintf(path, size, "/sys/kernel/debug/" VIDEO_DRIVER "/%s/%s",
		 video->busid, name);
}

static struct video_cache read_cache(const struct video *video)
{
	struct video_cache cache = { .mode = "" };
	char path[96], line[128];
	FILE *file;

	debugfs_path(video, "buffers", path, sizeof(path));
	file = fopen(path, "re");
	igt_assert_f(file, "%s: %s\n", path, strerror(errno));
	igt_assert(fgets(line, sizeof(line), file));
	igt_assert(sscanf(line, "attached %" SCNu64 " mapped %" SCNu64,
			  &cache.attached, &cache.mapped) == 2);
	while (fgets(line, sizeof(line), file)) {
		if (!strncmp(line, "import ", 7)) {
			cache.imports++;
			if (cache.imports == 1)
				igt_assert(sscanf(line, "import size %*u planes %*u mode %15s",
						  cache.mode) == 1);
		} else if (cache.imports == 1) {
			cache.ranges++;
		}
	}
	fclose(file);
	cache.attached -= video->attached;
	cache.mapped -= video->mapped;
	return cache;
}

/* A dma-buf that is locked at that moment shows no mapping. */
struct video_cache video_cache(const struct video *video)
{
	struct video_cache cache;

	do {
		cache = read_cache(video);
	} while (!strcmp(cache.mode, "busy"));
	return cache;
}

void video_hang(const struct video *video, unsigned int runs)
{
	char path[96], text[16];

	debugfs_path(video, "hang", path, sizeof(path));
	snprintf(text, sizeof(text), "%u", runs);
	write_file(path, text);
}

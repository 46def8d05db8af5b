// SPDX-License-Identifier: MIT
/*
 * camera-to-display: show the frames of a camera without a copy. The display's
 * driver allocates dumb buffers, in VRAM if it has any. The camera captures
 * into them through their dma-bufs, and the display flips to each full buffer.
 *
 * What each side maps:
 *	display	nothing; it scans a buffer out of VRAM in place
 *	camera	each dma-buf once, as DMA ranges of its device; after that a
 *		frame costs its DMA and a flip
 *	CPU	nothing; this program never touches the bytes of a frame
 *
 * At any time a buffer is queued at the camera, on the screen, or, between
 * DQBUF and the flip event, waiting for the screen. Three buffers are enough
 * that neither side waits for a buffer.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#include <drm_fourcc.h>

#define BUFFERS	3

/* Both name the same byte order: blue, green, red, unused. */
#define V4L2_FORMAT	V4L2_PIX_FMT_XBGR32
#define DRM_FORMAT	DRM_FORMAT_XRGB8888

/**
 * struct buffer - one frame's memory
 * @handle: GEM handle of the display
 * @fb: framebuffer id
 * @pitch: bytes per line
 * @dmabuf: dma-buf, for the camera
 */
struct buffer {
	uint32_t handle;
	uint32_t fb;
	uint32_t pitch;
	int dmabuf;
};

/**
 * struct stage - camera and display
 * @camera: open node of the camera
 * @card: open node of the display's card
 * @connector: object id
 * @crtc: object id
 * @mode: display mode; the camera's frames have the same size
 * @saved: CRTC state to restore at the end
 * @buffers: the frames
 * @shown: index of the buffer on the screen, or -1
 */
struct stage {
	int camera;
	int card;
	uint32_t connector;
	uint32_t crtc;
	drmModeModeInfo mode;
	drmModeCrtc *saved;
	struct buffer buffers[BUFFERS];
	int shown;
};

__attribute__((noreturn, format(printf, 1, 2)))
static void fail(const char *format, ...)
{
	va_list args;

	fputs("camera-to-display: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static void must_ioctl(int fd, unsigned long request, void *arg,
		       const char *what)
{
	int ret;

	do
		ret = ioctl(fd, request, arg);
	while (ret < 0 && errno == EINTR);
	if (ret < 0)
		fail("%s: %s", what, strerror(errno));
}

static int must_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		fail("%s: %s", path, strerror(errno));
	return fd;
}

/*
 * The display
 */

static void choose_mode(struct stage *stage, const drmModeConnector *connector,
			uint32_t width, uint32_t height)
{
	for (int i = 0; i < connector->count_modes; i++) {
		stage->mode = connector->modes[i];
		if (stage->mode.hdisplay == width &&
		    stage->mode.vdisplay == height)
			return;
	}
	fail("the display has no mode %ux%u; --size chooses another", width, height);
}

static void open_display(struct stage *stage, const char *path, uint32_t width,
			 uint32_t height)
{
	drmModeConnector *connector = NULL;
	drmModeRes *resources;

	stage->card = must_open(path);
	if (drmSetMaster(stage->card))
		fail("%s: cannot become DRM master: %s; stop the program that drives the display",
		     path, strerror(errno));
	resources = drmModeGetResources(stage->card);
	if (!resources || !resources->count_crtcs)
		fail("%s: no CRTC; --card chooses another node", path);
	for (int i = 0; i < resources->count_connectors; i++) {
		connector = drmModeGetConnector(stage->card,
						resources->connectors[i]);
		if (connector && connector->connection == DRM_MODE_CONNECTED &&
		    connector->count_modes)
			break;
		drmModeFreeConnector(connector);
		connector = NULL;
	}
	if (!connector)
		fail("%s: no connector with a display; --card chooses another node", path);
	stage->connector = connector->connector_id;
	stage->crtc = resources->crtcs[0];
	stage->saved = drmModeGetCrtc(stage->card, stage->crtc);
	choose_mode(stage, connector, width, height);
	drmModeFreeConnector(connector);
	drmModeFreeResources(resources);
}

static void make_buffer(struct stage *stage, struct buffer *buffer)
{
	uint32_t handles[4] = { 0 }, pitches[4] = { 0 }, offsets[4] = { 0 };
	struct drm_mode_create_dumb create = {
		.width = stage->mode.hdisplay,
		.height = stage->mode.vdisplay,
		.bpp = 32,
	};

	must_ioctl(stage->card, DRM_IOCTL_MODE_CREATE_DUMB, &create,
		   "create a dumb buffer");
	buffer->handle = create.handle;
	buffer->pitch = create.pitch;
	handles[0] = create.handle;
	pitches[0] = create.pitch;
	if (drmModeAddFB2(stage->card, create.width, create.height, DRM_FORMAT,
			  handles, pitches, offsets, &buffer->fb, 0))
		fail("create a framebuffer: %s", strerror(errno));
	if (drmPrimeHandleToFD(stage->card, create.handle,
			       DRM_RDWR | DRM_CLOEXEC, &buffer->dmabuf))
		fail("export a dumb buffer: %s", strerror(errno));
}

static void flipped(__attribute__((unused)) int fd,
		    __attribute__((unused)) unsigned int sequence,
		    __attribute__((unused)) unsigned int sec,
		    __attribute__((unused)) unsigned int usec, void *data)
{
	*(int *)data = 1;
}

/* Show a buffer and wait for the flip. The previous buffer is free afterwards. */
static void show_buffer(struct stage *stage, int index)
{
	drmEventContext events = {
		.version = 2, .page_flip_handler = flipped,
	};
	uint32_t fb = stage->buffers[index].fb;
	int done = 0;

	if (stage->shown < 0) {
		if (drmModeSetCrtc(stage->card, stage->crtc, fb, 0, 0,
				   &stage->connector, 1, &stage->mode))
			fail("set the mode: %s", strerror(errno));
		stage->shown = index;
		return;
	}
	if (drmModePageFlip(stage->card, stage->crtc, fb,
			    DRM_MODE_PAGE_FLIP_EVENT, &done))
		fail("flip: %s", strerror(errno));
	while (!done)
		if (drmHandleEvent(stage->card, &events))
			fail("wait for a flip: %s", strerror(errno));
}

/* Restore the saved mode, for the console. */
static void close_display(struct stage *stage)
{
	if (stage->saved)
		drmModeSetCrtc(stage->card, stage->crtc,
			       stage->saved->buffer_id, stage->saved->x,
			       stage->saved->y, &stage->connector, 1,
			       &stage->saved->mode);
	drmModeFreeCrtc(stage->saved);
	close(stage->card);
}

/*
 * The camera
 */

static void open_camera(struct stage *stage, const char *path)
{
	struct v4l2_format format = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE };
	struct v4l2_requestbuffers request = {
		.count = BUFFERS,
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_DMABUF,
	};

	stage->camera = must_open(path);
	format.fmt.pix.width = stage->mode.hdisplay;
	format.fmt.pix.height = stage->mode.vdisplay;
	format.fmt.pix.pixelformat = V4L2_FORMAT;
	format.fmt.pix.bytesperline = stage->buffers[0].pitch;
	must_ioctl(stage->camera, VIDIOC_S_FMT, &format, "set the format");
	if (format.fmt.pix.width != stage->mode.hdisplay ||
	    format.fmt.pix.height != stage->mode.vdisplay ||
	    format.fmt.pix.pixelformat != V4L2_FORMAT ||
	    format.fmt.pix.bytesperline != stage->buffers[0].pitch)
		fail("the camera does not support %ux%u in the display's format with %u bytes per line",
		     stage->mode.hdisplay, stage->mode.vdisplay,
		     stage->buffers[0].pitch);
	must_ioctl(stage->camera, VIDIOC_REQBUFS, &request, "request buffers");
	if (request.count < BUFFERS)
		fail("the camera grants %u buffers; %d are required", request.count,
		     BUFFERS);
}

static void queue_buffer(struct stage *stage, int index)
{
	struct v4l2_buffer buffer = {
		.index = index,
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_DMABUF,
		.m.fd = stage->buffers[index].dmabuf,
	};

	must_ioctl(stage->camera, VIDIOC_QBUF, &buffer, "queue a buffer");
}

static struct v4l2_buffer take_buffer(struct stage *stage)
{
	struct v4l2_buffer buffer = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_DMABUF,
	};

	must_ioctl(stage->camera, VIDIOC_DQBUF, &buffer, "dequeue a buffer");
	if (buffer.flags & V4L2_BUF_FLAG_ERROR)
		fail("frame %u: the capture failed", buffer.sequence);
	return buffer;
}

/* Returns the number of the last frame, which is on the screen. */
static uint32_t capture(struct stage *stage, unsigned int frames)
{
	int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	struct v4l2_buffer buffer = { 0 };

	for (int i = 0; i < BUFFERS; i++)
		queue_buffer(stage, i);
	must_ioctl(stage->camera, VIDIOC_STREAMON, &type, "start the stream");
	for (unsigned int i = 0; i < frames; i++) {
		int before = stage->shown;

		buffer = take_buffer(stage);
		show_buffer(stage, buffer.index);
		stage->shown = buffer.index;
		if (before >= 0)
			queue_buffer(stage, before);
	}
	must_ioctl(stage->camera, VIDIOC_STREAMOFF, &type, "stop the stream");
	return buffer.sequence;
}

static const char usage[] =
"usage: camera-to-display [--camera NODE] [--card NODE] [--size WIDTHxHEIGHT]\n"
"                         [--frames COUNT] [-- COMMAND [ARG…]]\n"
"\n"
"Captures COUNT frames (default 100) and shows each without a copy. Then runs\n"
"COMMAND, if given, with the number of the frame on the screen as FRAME in its\n"
"environment, and restores the display's previous mode.\n"
"\n"
"  --camera NODE   default /dev/video0\n"
"  --card NODE     default /dev/dri/card0; must have no other DRM master\n"
"  --size WxH      must be a mode of the display and a size of the\n"
"                  camera; default 640x480\n"
"\n"
"Exit status: that of COMMAND, or 0; 1 on failure, 2 for wrong usage.\n";

static int run_command(char **command, uint32_t frame)
{
	char text[16];
	int status;
	pid_t pid;

	snprintf(text, sizeof(text), "%u", frame);
	setenv("FRAME", text, 1);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		execvp(command[0], command);
		fail("%s: %s", command[0], strerror(errno));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		fail("run %s: %s", command[0], strerror(errno));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "camera", required_argument, NULL, 'v' },
		{ "card", required_argument, NULL, 'c' },
		{ "size", required_argument, NULL, 's' },
		{ "frames", required_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	const char *camera = "/dev/video0", *card = "/dev/dri/card0";
	unsigned int width = 640, height = 480, frames = 100;
	struct stage stage = { .shown = -1 };
	int option, status = 0;
	uint32_t frame;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'v':
			camera = optarg;
			break;
		case 'c':
			card = optarg;
			break;
		case 's':
			if (sscanf(optarg, "%ux%u", &width, &height) != 2)
				fail("invalid --size '%s'; example: 640x480",
				     optarg);
			break;
		case 'f':
			frames = strtoul(optarg, NULL, 10);
			if (!frames)
				fail("invalid --frames '%s': must be a number, at least 1",
				     optarg);
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}

	open_display(&stage, card, width, height);
	for (int i = 0; i < BUFFERS; i++)
		make_buffer(&stage, &stage.buffers[i]);
	open_camera(&stage, camera);
	frame = capture(&stage, frames);
	printf("captured %u frames of %ux%u; frame %u is on the screen\n", frames,
	       width, height, frame);
	if (argv[optind])
		status = run_command(argv + optind, frame);
	close_display(&stage);
	return status;
}

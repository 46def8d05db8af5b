// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "display.h"
#include "foreign.h"
#include "screen.h"
#include "video.h"

IGT_TEST_DESCRIPTION("Frames of cameras in VRAM on the display, seen from outside the guest");

#define WIDTH	640
#define HEIGHT	480
#define FRAMES	100
#define LOG	"/tmp/gstreamer.log"

/* The node's number depends on what was free when the camera was bound. */
static struct video find_node(void)
{
	struct video video = open_video();

	close_video(&video);
	return video;
}

static void example(void)
{
	struct video video = find_node();
	char command[160];

	snprintf(command, sizeof(command),
		 "camera-to-display --camera %s --frames 30 -- vm/guest/screendump camera",
		 video.node);
	run_command(command);
	run_command("userspace/verify-picture 29 /out/camera.ppm /out/camera.png");
}

/* The pipeline of userspace/examples/README.md. */
static pid_t start_pipeline(const char *node)
{
	char device[48];
	pid_t pid;

	snprintf(device, sizeof(device), "device=%s", node);
	fflush(stdout);
	pid = fork();
	igt_assert(pid >= 0);
	if (pid)
		return pid;
	dup2(open(LOG, O_WRONLY | O_CREAT | O_TRUNC, 0600), 1);
	dup2(1, 2);
	setenv("XDG_CACHE_HOME", "/tmp", 1);
	execlp("gst-launch-1.0", "gst-launch-1.0", "v4l2src", device,
	       "io-mode=dmabuf-import", "num-buffers=100", "!",
	       "video/x-raw,format=BGRx,width=640,height=480,framerate=30/1",
	       "!", "kmssink", "driver-name=" PHYR_VRAM_DRIVER,
	       "force-modesetting=true", NULL);
	_exit(127);
}

/* Bytes that the camera's engine has moved in total. */
static uint64_t frames_moved(const char *busid)
{
	uint64_t number = 0;
	char path[96], line[128];
	FILE *file;

	snprintf(path, sizeof(path),
		 "/sys/kernel/debug/" VIDEO_DRIVER "/%s/jobs", busid);
	file = fopen(path, "re");
	igt_assert_f(file, "%s: %s\n", path, strerror(errno));
	while (fgets(line, sizeof(line), file))
		igt_assert(sscanf(line, "job %" SCNu64, &number) == 1);
	fclose(file);
	return number;
}

static void assert_runs(pid_t pid)
{
	int status;

	if (!waitpid(pid, &status, WNOHANG))
		return;
	run_command("cat " LOG);
	igt_assert_f(false, "gst-launch-1.0 ended with status %#x\n", status);
}

/* The frame number in the cells of the top lines. */
static uint32_t number_on_screen(const struct screen *screen)
{
	uint32_t number = 0;

	igt_assert_eq(screen->width, WIDTH);
	igt_assert_eq(screen->height, HEIGHT);
	for (int cell = 0; cell < 32; cell++)
		number = number << 1 |
			 !!screen_colour(screen, cell * (WIDTH / 32), 0);
	return number;
}

static void assert_frame_on_screen(void)
{
	struct video video = {
		.pix = { .width = WIDTH, .height = HEIGHT },
	};
	struct screen screen = take_screen();
	struct video_look look = {
		.number = number_on_screen(&screen),
		.brightness = VIDEO_BRIGHTNESS,
	};

	igt_assert_f(look.number < FRAMES, "frame %u is shown\n", look.number);
	for (uint32_t y = 0; y < HEIGHT; y++)
		for (uint32_t x = 0; x < WIDTH; x++)
			igt_assert_f(screen_colour(&screen, x, y) ==
				     video_colour(&video, look, x, y),
				     "frame %u: pixel %u,%u is #%06x\n",
				     look.number, x, y,
				     screen_colour(&screen, x, y));
	igt_info("frame %u is on the screen\n", look.number);
	free_screen(&screen);
}

/*
 * The sink's buffers are imported by the camera natively, without an sg_table.
 */
static void assert_direct(const char *busid)
{
	struct attachment seen = { .mode = "" };

	igt_assert(find_attachments(NULL, busid, &seen) >= 2);
	igt_assert(!strcmp(seen.mode, "native"));
	igt_assert_eq(seen.mappings, 1);
}

static void assert_ended_well(pid_t pid)
{
	int status;

	igt_assert_eq(waitpid(pid, &status, 0), pid);
	run_command("cat " LOG);
	igt_assert_f(!status, "gst-launch-1.0 ended with status %#x\n", status);
}

static void gstreamer(void)
{
	struct video video = find_node();
	uint64_t before = frames_moved(video.busid);
	pid_t pid = start_pipeline(video.node);

	while (frames_moved(video.busid) < before + FRAMES / 4) {
		assert_runs(pid);
		usleep(10000);
	}
	/* The program shows the frame until it is told to continue. */
	igt_assert_eq(kill(pid, SIGSTOP), 0);
	assert_frame_on_screen();
	assert_direct(video.busid);
	igt_assert_eq(kill(pid, SIGCONT), 0);
	assert_ended_well(pid);
	igt_assert(frames_moved(video.busid) >= before + FRAMES);
	wait_for_no_attachment(NULL, video.busid);
}

/*
 * vivid: a camera whose driver writes frames by the CPU and cannot take I/O
 * memory (videobuf2-vmalloc)
 */

/* vivid's colour bars from left to right: red, green, blue. */
static const uint8_t bars[] = { 7, 6, 3, 2, 5, 4, 1, 0 };

/* Which of red, green and blue are on. */
static uint8_t channels(uint32_t colour)
{
	return (!!(colour & 0x800000)) << 2 | (!!(colour & 0x8000)) << 1 |
	       !!(colour & 0x80);
}

/* The lower part of the picture: vivid writes text on the upper one. */
static bool bars_on_screen(const struct screen *screen)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(bars); i++)
		if (channels(screen_colour(screen, WIDTH / 8 * i + WIDTH / 16,
					   HEIGHT * 7 / 8)) != bars[i])
			return false;
	return true;
}

/* The text on the frame has its number and time. */
static bool same_text(const struct screen *a, const struct screen *b)
{
	return !memcmp(a->rgb, b->rgb, 3ul * WIDTH * HEIGHT / 4);
}

/* The next frame that the pipeline shows. */
static struct screen next_frame(pid_t pid, const struct screen *last)
{
	struct screen screen;

	for (;;) {
		assert_runs(pid);
		screen = take_screen();
		if (screen.width == WIDTH && screen.height == HEIGHT &&
		    bars_on_screen(&screen) &&
		    (!last || !same_text(&screen, last)))
			return screen;
		free_screen(&screen);
	}
}

static void vivid_gstreamer(void)
{
	struct screen first, second;
	char node[32];
	pid_t pid;

	find_vivid(node);
	pid = start_pipeline(node);
	first = next_frame(pid, NULL);
	second = next_frame(pid, &first);
	free_screen(&first);
	free_screen(&second);
	assert_ended_well(pid);
}

static uint32_t byte_colour(const void *data, uint32_t x, uint32_t y)
{
	const struct fb *fb = data;
	uint32_t pixel;

	memcpy(&pixel, fb->mem + y * fb->pitch + x * 4, sizeof(pixel));
	return pixel & 0xffffff;
}

/* The screen shows what the buffer holds, without a commit. */
static void wait_until_shown(const struct fb *fb)
{
	for (int tries = 0; tries < 100; tries++) {
		struct screen screen = take_screen();
		bool same = true;

		for (uint32_t y = 0; y < HEIGHT && same; y++)
			for (uint32_t x = 0; x < WIDTH && same; x++)
				same = screen_colour(&screen, x, y) ==
				       byte_colour(fb, x, y);
		free_screen(&screen);
		if (same)
			return;
		usleep(10000);
	}
	assert_screen(WIDTH, HEIGHT, byte_colour, fb);
}

/* The frame in @fb has colour bars in place of the painted picture. */
static void assert_captured(const struct fb *fb)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(bars); i++)
		igt_assert_eq(channels(byte_colour(fb, WIDTH / 8 * i +
						   WIDTH / 16,
						   HEIGHT * 7 / 8)), bars[i]);
	wait_until_shown(fb);
}

static struct fb create_camera_fb(const struct display *display, uint32_t seed)
{
	return create_mode_fb(display, DRM_FORMAT_XRGB8888, seed);
}

static void use_camera_mode(struct display *display, struct camera *camera)
{
	*camera = open_camera_format(V4L2_MEMORY_DMABUF, WIDTH, HEIGHT,
				     V4L2_PIX_FMT_XBGR32);
	use_mode(display, WIDTH, HEIGHT);
}

/* A shown buffer is queued, filled and given back; nothing is committed. */
static void vivid_shown(void)
{
	struct display display = open_display();
	struct camera camera;
	struct fb fb;
	int dmabuf;

	use_camera_mode(&display, &camera);
	fb = create_camera_fb(&display, 601);
	dmabuf = export_buffer(display.fd, fb.handle);
	show(&display, &fb);
	assert_not_copied(&display, &fb);
	igt_assert_eq(camera_queue(&camera, 0, dmabuf), 0);
	igt_assert_eq(vram_info(display.fd, fb.handle).placement, IN_SYSTEM);
	assert_shown(&display, &fb);
	paint_fb(&fb, 602);
	wait_until_shown(&fb);
	igt_assert_eq(camera_capture(&camera), 0);
	assert_captured(&fb);

	/* Commits of the same framebuffer use the same VRAM. */
	paint_fb(&fb, 603);
	flip(&display, &fb);
	assert_shown(&display, &fb);
	igt_assert_eq(camera_queue(&camera, 0, dmabuf), 0);
	igt_assert_eq(camera_next(&camera), 0);
	assert_captured(&fb);

	/* The camera releases it: it is scanned out in place again. */
	camera_stop(&camera);
	assert_not_copied(&display, &fb);
	wait_until_shown(&fb);
	paint_fb(&fb, 604);
	assert_shown(&display, &fb);
	remove_fb(&display, &fb);
	close(dmabuf);
	close_camera(&camera);
	close_display(&display);
}

/* A buffer that is queued already is shown, and filled then. */
static void vivid_queued(void)
{
	struct display display = open_display();
	struct camera camera;
	struct fb fb, other;
	int dmabuf;

	use_camera_mode(&display, &camera);
	fb = create_camera_fb(&display, 611);
	other = create_camera_fb(&display, 612);
	dmabuf = export_buffer(display.fd, fb.handle);
	show(&display, &other);
	igt_assert_eq(camera_queue(&camera, 0, dmabuf), 0);
	flip(&display, &fb);
	assert_shown(&display, &fb);
	igt_assert_eq(camera_capture(&camera), 0);
	assert_captured(&fb);
	flip(&display, &other);
	assert_shown(&display, &other);
	paint_fb(&fb, 613);
	flip(&display, &fb);
	assert_shown(&display, &fb);
	flip(&display, &other);
	camera_stop(&camera);
	flip(&display, &fb);
	assert_not_copied(&display, &fb);
	assert_shown(&display, &fb);
	remove_fb(&display, &fb);
	remove_fb(&display, &other);
	close(dmabuf);
	close_camera(&camera);
	close_display(&display);
}

/*
 * The framebuffer, the display and the card go while the camera has the shown
 * buffer, in turn.
 */
static void vivid_gone(void)
{
	struct display display = open_display();
	struct phyr_device card = display.card;
	struct camera camera;
	struct fb fb, other;
	int dmabuf;

	use_camera_mode(&display, &camera);
	fb = create_camera_fb(&display, 621);
	other = create_camera_fb(&display, 622);
	dmabuf = export_buffer(display.fd, fb.handle);
	show(&display, &fb);
	igt_assert_eq(camera_queue(&camera, 0, dmabuf), 0);
	show(&display, &other);
	assert_shown(&display, &other);
	igt_assert_eq(vram_info(display.fd, fb.handle).placement, IN_SYSTEM);
	camera_stop(&camera);
	close_camera(&camera);

	show(&display, &fb);
	camera = open_camera_format(V4L2_MEMORY_DMABUF, WIDTH, HEIGHT,
				    V4L2_PIX_FMT_XBGR32);
	igt_assert_eq(camera_queue(&camera, 0, dmabuf), 0);
	remove_device(card.busid, UNBIND);
	/* The camera's own mapping lives on. */
	igt_assert_eq(camera_capture(&camera), 0);
	assert_screen_black();
	camera_stop(&camera);
	close_camera(&camera);
	abandon_fb(&fb);
	abandon_fb(&other);
	close(dmabuf);
	leave_display(&display);
	restore_device(card.busid, PHYR_VRAM_DRIVER, UNBIND);
}

igt_main()
{
	igt_describe("userspace/examples/camera-to-display.c: frame 29, pixel for pixel");
	igt_subtest("example")
		example();

	igt_describe("100 frames by GStreamer; one of them, pixel for pixel");
	igt_subtest("gstreamer")
		gstreamer();

	igt_describe("100 frames of vivid, which cannot write to I/O memory, by GStreamer");
	igt_subtest("vivid-gstreamer")
		vivid_gstreamer();

	igt_describe("vivid captures into a buffer on the screen; no commit");
	igt_subtest("vivid-shown")
		vivid_shown();

	igt_describe("A buffer queued to vivid is shown");
	igt_subtest("vivid-queued")
		vivid_queued();

	igt_describe("The buffer leaves the screen, and the card is unbound, while vivid has the buffer");
	igt_subtest("vivid-gone")
		vivid_gone();
}

// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "foreign.h"
#include "screen.h"
#include "video.h"

IGT_TEST_DESCRIPTION("Frames of the camera in VRAM on the display, seen from outside the guest");

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
static pid_t start_pipeline(const struct video *video)
{
	char device[48];
	pid_t pid;

	snprintf(device, sizeof(device), "device=%s", video->node);
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

static void gstreamer(void)
{
	struct video video = find_node();
	uint64_t before = frames_moved(video.busid);
	pid_t pid = start_pipeline(&video);
	int status;

	while (frames_moved(video.busid) < before + FRAMES / 4) {
		assert_runs(pid);
		usleep(10000);
	}
	/* The program shows the frame until it is told to continue. */
	igt_assert_eq(kill(pid, SIGSTOP), 0);
	assert_frame_on_screen();
	assert_direct(video.busid);
	igt_assert_eq(kill(pid, SIGCONT), 0);
	igt_assert_eq(waitpid(pid, &status, 0), pid);
	run_command("cat " LOG);
	igt_assert_f(!status, "gst-launch-1.0 ended with status %#x\n", status);
	igt_assert(frames_moved(video.busid) >= before + FRAMES);
	wait_for_no_attachment(NULL, video.busid);
}

igt_main()
{
	igt_describe("userspace/examples/camera-to-display.c: frame 29, pixel for pixel");
	igt_subtest("example")
		example();

	igt_describe("100 frames by GStreamer; one of them, pixel for pixel");
	igt_subtest("gstreamer")
		gstreamer();
}

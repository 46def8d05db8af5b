// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#include "display.h"
#include "lib.h"
#include "screen.h"

IGT_TEST_DESCRIPTION("Programs that use a display; the screen is checked from outside the guest");

/* Attempts to see an expected picture, 100 ms each; emulation is slow. */
#define TRIES		100
#define RUNTIME_DIR	"/run/phyr-clients"

/**
 * struct program - a program that runs in the background
 * @pid: leader of its process group
 * @input: write end of its standard input, which stays open
 */
struct program {
	pid_t pid;
	int input;
};

/* Its modes and IDs; closed, so that a program can become DRM master. */
static struct display display;

/* The program that runs now; a failed subtest may leave it running. */
static struct program running;

static const char *const formats[] = { "XR24", "BX24", "RG16" };

/*
 * Programs
 */

static void stop(void)
{
	if (running.pid <= 0)
		return;
	kill(-running.pid, SIGTERM);
	waitpid(running.pid, NULL, 0);
	close(running.input);
	running.pid = 0;
}

/* The output goes to the file that show_log() prints. */
static void start(const char *command)
{
	int input[2];

	stop();
	igt_info("%s\n", command);
	igt_assert_eq(pipe2(input, O_CLOEXEC), 0);
	running.input = input[1];
	running.pid = fork();
	if (!running.pid) {
		int log = open(RUNTIME_DIR "/log", O_WRONLY | O_CREAT | O_TRUNC,
			       0600);

		setpgid(0, 0);
		dup2(input[0], 0);
		dup2(log, 1);
		dup2(log, 2);
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	/* Also in the parent, so that the group exists before stop(). */
	setpgid(running.pid, running.pid);
	close(input[0]);
}

static void show_log(void)
{
	run_command("cat " RUNTIME_DIR "/log");
}

/* Wait until it exits; its status must be 0. */
static void wait_for_exit(void)
{
	int status;

	igt_assert_eq(waitpid(running.pid, &status, 0), running.pid);
	close(running.input);
	running.pid = 0;
	show_log();
	igt_assert_f(!status, "the program ended with wait status %#x\n", status);
}

static void assert_runs(void)
{
	int status;

	if (!waitpid(running.pid, &status, WNOHANG))
		return;
	running.pid = 0;
	show_log();
	igt_assert_f(false, "the program ended early with wait status %#x\n",
		     status);
}

/*
 * Pictures
 */

/* Tolerate RGB565, which drops up to 3 bits of each colour. */
static bool is_similar(uint32_t a, uint32_t b)
{
	for (int shift = 0; shift < 24; shift += 8)
		if (abs((int)(a >> shift & 0xff) - (int)(b >> shift & 0xff)) > 8)
			return false;
	return true;
}

/* Number of different colours in a part of the picture. */
static unsigned int count_colours(const struct screen *picture, unsigned int x,
				  unsigned int y, unsigned int width,
				  unsigned int height)
{
	uint8_t *seen = calloc(1, 1 << 21);
	unsigned int count = 0;

	igt_assert(seen);
	for (unsigned int row = y; row < y + height; row++) {
		for (unsigned int column = x; column < x + width; column++) {
			uint32_t rgb = screen_colour(picture, column, row);

			count += !(seen[rgb / 8] & 1 << rgb % 8);
			seen[rgb / 8] |= 1 << rgb % 8;
		}
	}
	free(seen);
	return count;
}

/* Percentage of the part's pixels that have this colour. */
static unsigned int percentage(const struct screen *picture, unsigned int x,
			       unsigned int y, unsigned int width,
			       unsigned int height, uint32_t wanted)
{
	unsigned long count = 0;

	for (unsigned int row = y; row < y + height; row++)
		for (unsigned int column = x; column < x + width; column++)
			count += is_similar(screen_colour(picture, column, row),
					    wanted);
	return 100 * count / ((unsigned long)width * height);
}

/* Wait until @matches is true; keep the last picture as /out/NAME.ppm. */
static void wait_for_picture(const char *name,
			     bool (*matches)(const struct screen *picture,
					     const void *data), const void *data)
{
	bool done = false;

	for (int i = 0; i < TRIES && !done; i++) {
		struct screen picture;

		usleep(100000);
		if (running.pid)
			assert_runs();
		picture = take_screen();
		done = matches(&picture, data);
		free_screen(&picture);
	}
	keep_screen(name);
	if (!done && running.pid)
		show_log();
	igt_assert_f(done, "the screen does not show the expected picture; see /out/%s.ppm\n",
		     name);
}

/*
 * Frames: counted by vblank events, which clients get when a flip is done
 */

static void start_counting(void)
{
	trace_reset();
	trace_append("set_event", "drm:drm_vblank_event_delivered");
	trace_start();
}

/* Also counts the console's, which are few. */
static void count_frame(char *line, void *data)
{
	unsigned int *frames = data;

	*frames += !!strstr(line, "drm_vblank_event_delivered: ");
}

static unsigned int frames(void)
{
	unsigned int count = 0;

	trace_each(count_frame, &count);
	return count;
}

static void wait_for_frames(unsigned int wanted)
{
	for (int i = 0; i < 10 * TRIES && frames() < wanted; i++) {
		assert_runs();
		usleep(100000);
	}
	igt_info("%u frames\n", frames());
	igt_assert_lte_u64(wanted, frames());
}

/*
 * modetest
 */

/* modetest draws the upper bars of the SMPTE test pattern. */
static bool is_smpte(const struct screen *picture, const void *data)
{
	static const uint32_t bars[] = {
		0xc0c0c0, 0xc0c000, 0x00c0c0, 0x00c000, 0xc000c0, 0xc00000,
		0x0000c0,
	};
	const drmModeModeInfo *mode = data;

	if (picture->width != mode->hdisplay ||
	    picture->height != mode->vdisplay)
		return false;
	for (unsigned int i = 0; i < ARRAY_SIZE(bars); i++) {
		unsigned int x = (2 * i + 1) * picture->width / 14;

		if (!is_similar(screen_colour(picture, x, 1), bars[i]) ||
		    !is_similar(screen_colour(picture, x, picture->height / 2),
				bars[i]))
			return false;
	}
	return true;
}

static const drmModeModeInfo *small_mode(void)
{
	for (unsigned int i = 0; i < display.nr_modes; i++)
		if (!strcmp(display.modes[i].name, "1024x768"))
			return &display.modes[i];
	igt_assert_f(false, "the display has no mode 1024x768\n");
	return NULL;
}

static void modetest_lists(void)
{
	run_command("modetest -M phyr_vram >" RUNTIME_DIR "/modetest");
	run_command("grep -qE 'connected\\s+Virtual-1' " RUNTIME_DIR "/modetest");
	run_command("grep -qE 'formats: XR24 BX24 RG16 AR24 BA24$' " RUNTIME_DIR "/modetest");
	run_command("grep -qE '#0 .* type: preferred' " RUNTIME_DIR "/modetest");
}

/* modetest exits when it reads a line. */
static void press_enter(void)
{
	igt_assert_eq(write(running.input, "\n", 1), 1);
}

static void modetest_modes(void)
{
	unsigned int step = display.nr_modes / repeats(display.nr_modes);
	char command[128];

	for (unsigned int i = 0; i < display.nr_modes; i += step) {
		for (unsigned int k = 0; k < ARRAY_SIZE(formats); k++) {
			snprintf(command, sizeof(command),
				 "exec modetest -M phyr_vram -s %u:#%u@%s",
				 display.connector, i,
				 formats[k]);
			start(command);
			wait_for_picture("modetest", is_smpte,
					 &display.modes[i]);
			press_enter();
			wait_for_exit();
		}
	}
}

static void modetest_atomic(void)
{
	const drmModeModeInfo *mode = small_mode();
	char command[160];

	for (unsigned int k = 0; k < ARRAY_SIZE(formats); k++) {
		snprintf(command, sizeof(command),
			 "exec modetest -M phyr_vram -a -s %u:%s -P %u@%u:%ux%u@%s",
			 display.connector, mode->name,
			 display.plane, display.crtc, mode->hdisplay,
			 mode->vdisplay, formats[k]);
		start(command);
		wait_for_picture("modetest", is_smpte, mode);
		press_enter();
		wait_for_exit();
	}
}

static void modetest_flips(void)
{
	char command[128];

	for (unsigned int k = 0; k < ARRAY_SIZE(formats); k++) {
		snprintf(command, sizeof(command),
			 "exec modetest -M phyr_vram -s %u:1024x768@%s -v",
			 display.connector, formats[k]);
		start_counting();
		start(command);
		/* modetest prints its rate each second, that is every 60 frames. */
		wait_for_frames(150);
		press_enter();
		wait_for_exit();
		run_command("grep -q '^freq: ' " RUNTIME_DIR "/log");
	}
}

/*
 * drm_info
 */

static void drm_info_tells(void)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "drm_info -j %s >" RUNTIME_DIR "/drm_info",
		 display.card.primary);
	run_command(command);
	snprintf(command, sizeof(command),
		 "jq -e --argjson modes %d -f /phyr/igt-tests/data/drm-info.jq " RUNTIME_DIR "/drm_info",
		 display.nr_modes);
	run_command(command);
}

/*
 * kmscube
 */

static bool is_black(const struct screen *picture, const void *data)
{
	(void)data;
	return percentage(picture, 0, 0, picture->width, picture->height, 0) == 100;
}

/* A shaded cube in the middle on a grey background. */
static bool is_cube(const struct screen *picture, const void *data)
{
	unsigned int width = picture->width, height = picture->height;

	(void)data;
	return percentage(picture, 0, 0, width, height / 20, 0x808080) == 100 &&
	       percentage(picture, 0, height - height / 20, width, height / 20,
			  0x808080) == 100 &&
	       percentage(picture, width * 2 / 5, height * 2 / 5, width / 5,
			  height / 5, 0x808080) < 10 &&
	       count_colours(picture, width / 4, height / 4, width / 2,
			     height / 2) > 500;
}

static void kmscube_draws(const char *options)
{
	char command[64];

	snprintf(command, sizeof(command), "exec kmscube %s -c 30", options);
	start_counting();
	start(command);
	wait_for_exit();
	igt_info("%u frames\n", frames());
	/* The first frame is shown by the mode set, not by a flip. */
	igt_assert_lte_u64(29, frames());
	run_command("grep -q 'renderer: \"llvmpipe' " RUNTIME_DIR "/log");

	snprintf(command, sizeof(command), "exec kmscube %s", options);
	start(command);
	wait_for_picture(*options ? "kmscube-atomic" : "kmscube", is_cube,
			 NULL);
	stop();
}

/*
 * weston
 */

static bool is_desktop(const struct screen *picture, const void *data)
{
	unsigned int width = picture->width, height = picture->height;

	(void)data;
	/* In this order: panel, clock text, grey wallpaper, windows. */
	return percentage(picture, width / 3, 0, width / 3, 24, 0x2b2926) > 90 &&
	       count_colours(picture, width - 200, 0, 200, 24) > 20 &&
	       percentage(picture, 0, height - 100, width, 100, 0x837d78) > 50 &&
	       count_colours(picture, 0, 40, width, height - 40) > 1000;
}

static bool has_changed(const struct screen *picture, const void *data)
{
	const struct screen *before = data;

	return memcmp(picture->rgb, before->rgb,
		      3ul * picture->width * picture->height);
}

static void weston_runs(void)
{
	struct screen before;

	run_command("/phyr/vm/guest/udev");
	start_counting();
	igt_assert_eq(setenv("XDG_RUNTIME_DIR", RUNTIME_DIR, 1), 0);
	start("exec seatd-launch -- weston --config=/phyr/igt-tests/data/weston.ini");
	wait_for_picture("weston", is_desktop, NULL);
	before = take_screen();
	wait_for_picture("weston-after", has_changed, &before);
	free_screen(&before);
	wait_for_frames(60);
	stop();
}

/*
 * The console
 */

static bool has_text(const struct screen *picture, const void *data)
{
	(void)data;
	/* Light grey text on black: more than a cursor, less than a picture. */
	return percentage(picture, 0, 0, picture->width, picture->height,
			  0) > 80 &&
	       percentage(picture, 0, 0, picture->width / 2, picture->height,
			  0xaaaaaa) >= 2;
}

/* IGT unbinds the console during a test and binds it again afterwards. */
static void bind_fbcon(const char *value)
{
	char path[64], name[64];
	FILE *file;

	for (int i = 0;; i++) {
		snprintf(path, sizeof(path), "/sys/class/vtconsole/vtcon%d/name",
			 i);
		file = fopen(path, "re");
		igt_assert_f(file, "no 'frame buffer' console in /sys/class/vtconsole\n");
		igt_assert(fgets(name, sizeof(name), file));
		fclose(file);
		if (!strstr(name, "frame buffer"))
			continue;
		snprintf(path, sizeof(path), "/sys/class/vtconsole/vtcon%d/bind",
			 i);
		write_file(path, value);
		return;
	}
}

/* The screen shows the bytes read from, or written to, /dev/fb0. */
static bool is_fb0(const struct screen *picture, const void *data)
{
	const uint8_t *bytes = data;

	for (unsigned long i = 0; i < (unsigned long)picture->width *
				      picture->height; i++) {
		uint32_t rgb = screen_colour(picture, i % picture->width,
				      i / picture->width);

		if (bytes[4 * i] != (rgb & 0xff) ||
		    bytes[4 * i + 1] != (rgb >> 8 & 0xff) ||
		    bytes[4 * i + 2] != rgb >> 16)
			return false;
	}
	return true;
}

static uint8_t *read_fb0(int fd, size_t *size)
{
	const drmModeModeInfo *mode = &display.modes[0];
	uint8_t *bytes;

	*size = 4ul * mode->hdisplay * mode->vdisplay;
	bytes = malloc(*size);
	igt_assert(bytes && pread(fd, bytes, *size, 0) == (ssize_t)*size);
	return bytes;
}

static int open_fb0(void)
{
	int fd = open("/dev/fb0", O_RDWR | O_CLOEXEC);

	run_command("grep -qx '0 phyr_vramdrmfb' /proc/fb");
	igt_assert_f(fd >= 0, "/dev/fb0: %s\n", strerror(errno));
	return fd;
}

static void console_shows(void)
{
	int fd = open_fb0();
	uint8_t *bytes;
	size_t size;

	bind_fbcon("1");
	run_command("yes 'The quick brown fox jumps over the lazy dog' | head -n 40 >/dev/tty0");
	wait_for_picture("fbcon", has_text, NULL);
	/* The screen also shows everything that the console has drawn. */
	bytes = read_fb0(fd, &size);
	wait_for_picture("fbcon", is_fb0, bytes);
	free(bytes);
	close(fd);
	bind_fbcon("0");
}

static void fb0_agrees(void)
{
	int fd = open_fb0();
	uint8_t *bytes;
	size_t size;

	/* A blinking cursor would make them differ. */
	write_file("/sys/class/graphics/fbcon/cursor_blink", "0");
	bytes = read_fb0(fd, &size);
	wait_for_picture("fb0", is_fb0, bytes);
	for (size_t i = 0; i < size; i++)
		bytes[i] = i % 4 == 3 ? 0 : phyr_byte(5, i);
	igt_assert_eq(lseek(fd, 0, SEEK_SET), 0);
	igt_assert(write(fd, bytes, size) == (ssize_t)size);
	wait_for_picture("fb0", is_fb0, bytes);
	memset(bytes, 0, size);
	igt_assert_eq(lseek(fd, 0, SEEK_SET), 0);
	igt_assert(write(fd, bytes, size) == (ssize_t)size);
	wait_for_picture("fb0", is_black, NULL);
	write_file("/sys/class/graphics/fbcon/cursor_blink", "1");
	close(fd);
	free(bytes);
}

igt_main()
{
	igt_fixture() {
		mkdir(RUNTIME_DIR, 0700);
		display = open_display();
		close_display(&display);
	}

	igt_describe("The console's text is on the screen");
	igt_subtest("fbcon")
		console_shows();

	igt_describe("/dev/fb0 reads as what is on the screen, and writes go there");
	igt_subtest("fb0")
		fb0_agrees();

	igt_describe("modetest lists the connector, formats and modes");
	igt_subtest("modetest-lists")
		modetest_lists();

	igt_describe("modetest shows its pattern in each mode and format");
	igt_subtest("modetest-modes")
		modetest_modes();

	igt_describe("modetest shows its pattern by atomic commits in each format");
	igt_subtest("modetest-atomic")
		modetest_atomic();

	igt_describe("modetest flips at each vblank");
	igt_subtest("modetest-flips")
		modetest_flips();

	igt_describe("drm_info reports the driver, atomic support, three formats and the modes");
	igt_subtest("drm-info")
		drm_info_tells();

	igt_describe("kmscube draws at least 30 frames with Mesa's software renderer");
	igt_subtest("kmscube")
		kmscube_draws("");

	igt_describe("kmscube draws at least 30 frames by atomic commits with fences");
	igt_subtest("kmscube-atomic")
		kmscube_draws("-A");

	igt_describe("weston shows a desktop whose clients draw 60 frames");
	igt_subtest("weston")
		weston_runs();

	igt_describe("The console is shown again after the other clients");
	igt_subtest("fbcon-again")
		console_shows();

	igt_fixture() {
		stop();
		trace_reset();
	}
}

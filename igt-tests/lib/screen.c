// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib.h"
#include "screen.h"

#define PORTS	"/sys/class/virtio-ports"
#define NAME	"igt-screen"
#define PICTURE	"/out/" NAME ".ppm"

static bool port_is(const char *port, const char *wanted)
{
	char path[320], name[64] = "";
	FILE *file;

	snprintf(path, sizeof(path), PORTS "/%s/name", port);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(name, sizeof(name), file))
		name[0] = '\0';
	fclose(file);
	name[strcspn(name, "\n")] = '\0';
	return !strcmp(name, wanted);
}

static int open_port(void)
{
	struct dirent *entry;
	DIR *ports = opendir(PORTS);
	char path[320] = "";
	int fd;

	igt_assert_f(ports, PORTS ": %s\n", strerror(errno));
	while ((entry = readdir(ports)))
		if (entry->d_name[0] != '.' &&
		    port_is(entry->d_name, "phyr.screen"))
			snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
	closedir(ports);
	igt_assert_f(path[0], "no port phyr.screen: run the tests in a guest of vm/run\n");
	fd = open(path, O_RDWR | O_CLOEXEC);
	igt_assert_f(fd >= 0, "%s: %s\n", path, strerror(errno));
	return fd;
}

/* No timeout by the clock: the host may end, but it is never late. */
static void ask_for_picture(void)
{
	static const char request[] = NAME "\n";
	int fd = open_port();
	char answer[256];
	FILE *port;

	/*
	 * Discard unread answers: an old picture must not pass for a new one.
	 */
	unlink(PICTURE);
	igt_assert_eq(write(fd, request, strlen(request)), strlen(request));
	port = fdopen(fd, "r");
	igt_assert(port);
	do {
		igt_assert_f(fgets(answer, sizeof(answer), port),
			     "phyr.screen: no answer from the host\n");
	} while (!strstr(answer, NAME));
	fclose(port);
	igt_assert_f(!strcmp(answer, "ok " NAME "\n"), "phyr.screen: %s",
		     answer);
}

struct screen take_screen(void)
{
	struct screen screen = { 0 };
	unsigned int max;
	size_t size;
	FILE *file;

	ask_for_picture();
	file = fopen(PICTURE, "re");
	igt_assert_f(file, PICTURE ": %s\n", strerror(errno));
	igt_assert_f(fscanf(file, "P6 %u %u %u", &screen.width, &screen.height,
			    &max) == 3 && max == 255 && fgetc(file) == '\n',
		     PICTURE " is not an 8-bit PPM\n");
	size = (size_t)screen.width * screen.height * 3;
	screen.rgb = malloc(size);
	igt_assert(screen.rgb);
	igt_assert_f(fread(screen.rgb, 1, size, file) == size,
		     PICTURE " is truncated\n");
	fclose(file);
	return screen;
}

void free_screen(struct screen *screen)
{
	free(screen->rgb);
	screen->rgb = NULL;
}

uint32_t screen_colour(const struct screen *screen, uint32_t x, uint32_t y)
{
	const uint8_t *rgb = screen->rgb +
			     ((size_t)y * screen->width + x) * 3;

	return rgb[0] << 16 | rgb[1] << 8 | rgb[2];
}

/* Keep it under a name that the next picture does not overwrite. */
static const char *keep_picture(void)
{
	static char path[64];
	static int number;

	snprintf(path, sizeof(path), "/out/" NAME "-wrong-%d-%d.ppm", getpid(),
		 number++);
	if (rename(PICTURE, path))
		return PICTURE;
	return path;
}

void assert_screen(uint32_t width, uint32_t height,
		   uint32_t (*want)(const void *data, uint32_t x, uint32_t y),
		   const void *data)
{
	struct screen screen = take_screen();
	uint32_t first_x = 0, first_y = 0;
	uint64_t wrong = 0;

	igt_assert_f(screen.width == width && screen.height == height,
		     "the screen is %ux%u, expected %ux%u; see %s\n",
		     screen.width, screen.height, width, height,
		     keep_picture());
	for (uint32_t y = 0; y < height; y++) {
		for (uint32_t x = 0; x < width; x++) {
			if (screen_colour(&screen, x, y) == want(data, x, y))
				continue;
			if (!wrong++) {
				first_x = x;
				first_y = y;
			}
		}
	}
	igt_assert_f(!wrong, "%llu of %llu pixels are wrong, the first at x %u, y %u: #%06x, expected #%06x; see %s\n",
		     (unsigned long long)wrong,
		     (unsigned long long)width * height, first_x, first_y,
		     screen_colour(&screen, first_x, first_y),
		     want(data, first_x, first_y), keep_picture());
	free_screen(&screen);
}

void assert_screen_black(void)
{
	struct screen screen = take_screen();
	int64_t at = phyr_verify_byte(screen.rgb, 0,
				      (uint64_t)screen.width * screen.height *
				      3);

	igt_assert_f(at < 0, "pixel x %u, y %u of %ux%u is #%06x, not black; see %s\n",
		     (uint32_t)(at / 3 % screen.width),
		     (uint32_t)(at / 3 / screen.width), screen.width,
		     screen.height,
		     screen_colour(&screen, at / 3 % screen.width,
				   at / 3 / screen.width), keep_picture());
	free_screen(&screen);
}

void keep_screen(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/out/%s.ppm", name);
	igt_assert_eq(rename(PICTURE, path), 0);
}

// SPDX-License-Identifier: MIT
/* What the display refuses. */
#include <string.h>

#include "subtests.h"

/**
 * struct bad_fb - a framebuffer with one error
 * @what: the error
 * @fb: the framebuffer
 * @size: of its buffer; 0 for the minimum
 * @handle: 0 for the buffer's
 * @err: expected result of ADDFB2
 */
struct bad_fb {
	const char *what;
	struct fb fb;
	uint64_t size;
	uint32_t handle;
	int err;
};

#define GOOD \
	.width = 256, .height = 128, .format = DRM_FORMAT_XRGB8888, \
	.pitch = 1024

static const struct bad_fb bad_fbs[] = {
	{ "nothing", { GOOD }, .err = 0 },
	{ "a pitch of a quarter of a pixel more",
	  { GOOD, .pitch = 1025 }, .err = -EINVAL },
	{ "a pitch of half a pixel more",
	  { GOOD, .pitch = 1026 }, .err = -EINVAL },
	{ "a pitch of 65536 pixels",
	  { GOOD, .pitch = 65536 * 4 }, .size = 32 * SZ_1M, .err = -EINVAL },
	{ "a pitch of 65536 short pixels",
	  { GOOD, .format = DRM_FORMAT_RGB565, .pitch = 65536 * 2 },
	  .size = 16 * SZ_1M, .err = -EINVAL },
	{ "16-bit pixels with a pitch that is no multiple of 4",
	  { GOOD, .format = DRM_FORMAT_RGB565, .pitch = 514 }, .err = -EINVAL },
	{ "a pitch shorter than the width",
	  { GOOD, .pitch = 1020 }, .err = -EINVAL },
	{ "no pitch", { GOOD, .pitch = 0 }, .err = -EINVAL },
	{ "an offset of half a pixel",
	  { GOOD, .offset = 2 }, .size = SZ_1M, .err = -EINVAL },
	{ "an offset beyond the buffer",
	  { GOOD, .offset = SZ_1M }, .size = SZ_1M, .err = -EINVAL },
	{ "an offset that leaves too little",
	  { GOOD, .offset = 4 }, .size = 128 * 1024, .err = -EINVAL },
	{ "an offset that overflows",
	  { GOOD, .offset = 0xfffffffc }, .size = SZ_1M, .err = -ERANGE },
	{ "a buffer that is a page short",
	  { GOOD }, .size = 124 * 1024, .err = -EINVAL },
	{ "a format with alpha in other places",
	  { GOOD, .format = DRM_FORMAT_RGBA8888 }, .err = -EINVAL },
	{ "a format of 24 bits",
	  { GOOD, .format = DRM_FORMAT_RGB888 }, .err = -EINVAL },
	{ "a format of two planes",
	  { GOOD, .format = DRM_FORMAT_NV12 }, .size = SZ_1M, .err = -EINVAL },
	{ "no format", { GOOD, .format = 0 }, .err = -EINVAL },
	{ "no width", { GOOD, .width = 0 }, .err = -EINVAL },
	{ "no height", { GOOD, .height = 0 }, .err = -EINVAL },
	{ "more width than there is anywhere",
	  { GOOD, .width = 8193, .pitch = 8193 * 4 }, .size = 8 * SZ_1M,
	  .err = -EINVAL },
	{ "a handle that nobody has", { GOOD }, .handle = 4711, .err = -ENOENT },
};

void refused_fbs(void)
{
	struct display display = open_display();

	for (unsigned int i = 0; i < ARRAY_SIZE(bad_fbs); i++) {
		const struct bad_fb *bad = &bad_fbs[i];
		struct fb fb = bad->fb;
		uint32_t handle, id;
		int err;

		/* System memory has room for any size. */
		handle = create_vram(display.fd,
				     bad->size ? bad->size : fb_bytes(&fb) + 1,
				     IN_SYSTEM, 0);
		fb.handle = bad->handle ? bad->handle : handle;
		err = try_add_fb(display.fd, &fb, &id);
		igt_assert_f(err == bad->err, "with %s: %s, expected %s\n",
			     bad->what, strerror(-err), strerror(-bad->err));
		if (!err)
			igt_assert_eq(drmModeRmFB(display.fd, id), 0);
		igt_assert_eq(phyr_close_handle(display.fd, handle), 0);
	}
	close_display(&display);
}

/**
 * struct bad_view - a commit with one error
 * @what: the error
 * @view: of a framebuffer of 1024x768 on a display of 640x480
 * @err: expected result
 */
struct bad_view {
	const char *what;
	struct view view;
	int err;
};

static const struct bad_view bad_views[] = {
	{ "nothing", { .src = { 0 } }, 0 },
	{ "a plane that is larger",
	  { .src = { .width = 512 }, .dst = { .width = 1024 } }, -ERANGE },
	{ "a picture that is stretched", { .src = { .width = 320 } }, -ERANGE },
	{ "a picture that is squeezed", { .src = { .height = 768 } }, -ERANGE },
	{ "a picture past the framebuffer's right end",
	  { .src = { .x = 385 } }, -ENOSPC },
	{ "a picture past the framebuffer's bottom",
	  { .src = { .y = 289 } }, -ENOSPC },
};

/* The current picture stays. */
void refused_views(void)
{
	struct display display = open_display();
	struct fb shown, fb;

	shown = create_mode_fb(&display, DRM_FORMAT_XRGB8888, 170);
	show(&display, &shown);
	fb = create_mode_fb(&display, DRM_FORMAT_XRGB8888, 171);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad_views); i++) {
		struct view view = bad_views[i].view;
		int err;

		use_mode(&display, 640, 480);
		view.fb = &fb;
		for (int real = 0; real < 2; real++) {
			/* The valid one would be shown. */
			if (real && !bad_views[i].err)
				break;
			err = try_show_view(&display, &view, real ? 0 :
					    DRM_MODE_ATOMIC_TEST_ONLY);
			igt_assert_f(err == bad_views[i].err,
				     "with %s: %s, expected %s\n",
				     bad_views[i].what, strerror(-err),
				     strerror(-bad_views[i].err));
		}
	}
	use_mode(&display, 1024, 768);
	assert_shown(&display, &shown);
	remove_fb(&display, &fb);
	remove_fb(&display, &shown);
	close_display(&display);
}

void refused_modes(void)
{
	static const uint32_t sizes[][2] = {
		{ 63, 64 }, { 64, 63 }, { 32, 32 }, { 8192, 64 },
		{ 3840, 2160 }, { 4096, 4096 }, { 2560, 2160 },
	};
	struct display display = open_display();
	struct fb shown = create_mode_fb(&display, DRM_FORMAT_XRGB8888, 180);

	show(&display, &shown);
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint32_t width = sizes[i][0], height = sizes[i][1];
		/* 8192 pixels per line are allowed, but not that many lines. */
		int want = height == 64 ? 0 : -EINVAL, err;
		struct fb fb = {
			.width = width,
			.height = height,
			.format = DRM_FORMAT_RGB565,
			.pitch = (width * 2 + 3) & ~3u,
		};
		struct view view = { .fb = &fb };

		if (width < 64)
			want = -EINVAL;
		fb.handle = create_vram(display.fd, fb_bytes(&fb), IN_SYSTEM,
					0);
		igt_assert_eq(try_add_fb(display.fd, &fb, &fb.id), 0);
		display.mode = make_mode(width, height);
		err = try_show_view(&display, &view, DRM_MODE_ATOMIC_TEST_ONLY);
		igt_assert_f(err == want, "%ux%u: %s, expected %s\n", width,
			     height, strerror(-err), strerror(-want));
		if (want)
			igt_assert_eq(try_show_view(&display, &view, 0), want);
		igt_assert_eq(drmModeRmFB(display.fd, fb.id), 0);
		igt_assert_eq(phyr_close_handle(display.fd, fb.handle), 0);
	}
	use_mode(&display, 1024, 768);
	assert_shown(&display, &shown);
	remove_fb(&display, &shown);
	close_display(&display);
}

// SPDX-License-Identifier: MIT
/* The display: framebuffers, commits, flips, CRCs, and its worker. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "display.h"
#include "stage.h"

static struct display display;
static struct fb shown, other, foreign, reread;

static const struct fb small = {
	.width = 640,
	.height = 480,
	.format = DRM_FORMAT_RGB565,
};

static void set_display(void)
{
	display = open_display();
	use_mode(&display, 640, 480);
	shown = create_fb(&display, small, 1);
	other = create_fb(&display, small, 2);
	foreign = import_fb(&display, small, create_udmabuf(2 * 640 * 480), 3);
	show(&display, &shown);
}

static void clear_display(void)
{
	remove_fb(&display, &shown);
	remove_fb(&display, &other);
	remove_fb(&display, &foreign);
	close_display(&display);
}

static void setup_shown(const void *data)
{
	(void)data;
	show(&display, &shown);
}

static int add_fb(const void *data)
{
	return try_add_fb(display.fd, data, &reread.id);
}

static void verify_fb_added(const void *data, int result)
{
	(void)data;
	if (!result)
		igt_assert_eq(drmModeRmFB(display.fd, reread.id), 0);
	flip(&display, &other);
	flip(&display, &shown);
}

static void setup_fb(const void *data)
{
	igt_assert_eq(add_fb(data), 0);
}

static int remove_id(const void *data)
{
	(void)data;
	return phyr_ioctl(display.fd, DRM_IOCTL_MODE_RMFB, &reread.id);
}

static void verify_fb_removed(const void *data, int result)
{
	if (result)
		igt_assert_eq(remove_id(data), 0);
	flip(&display, &other);
	flip(&display, &shown);
}

static void setup_off(const void *data)
{
	(void)data;
	turn_off(&display);
}

/* Legacy mode setting. */
static int set_mode(const void *data)
{
	const struct fb *fb = data;
	struct drm_mode_crtc crtc = {
		.set_connectors_ptr = (uintptr_t)&display.connector,
		.count_connectors = 1,
		.crtc_id = display.crtc,
		.fb_id = fb->id,
		.mode_valid = 1,
	};

	memcpy(&crtc.mode, &display.mode, sizeof(crtc.mode));
	return phyr_ioctl(display.fd, DRM_IOCTL_MODE_SETCRTC, &crtc);
}

static void verify_shown(const void *data, int result)
{
	(void)data;
	(void)result;
	show(&display, &shown);
}

static int commit_test(const void *data)
{
	return try_flip(&display, data, DRM_MODE_ATOMIC_TEST_ONLY);
}

static int commit_fb(const void *data)
{
	return try_flip(&display, data, 0);
}

static int commit_event(const void *data)
{
	return try_flip(&display, data, DRM_MODE_ATOMIC_NONBLOCK |
			DRM_MODE_PAGE_FLIP_EVENT);
}

static int page_flip(const void *data)
{
	const struct fb *fb = data;
	struct drm_mode_crtc_page_flip flip = {
		.crtc_id = display.crtc,
		.fb_id = fb->id,
		.flags = DRM_MODE_PAGE_FLIP_EVENT,
	};

	return phyr_ioctl(display.fd, DRM_IOCTL_MODE_PAGE_FLIP, &flip);
}

static void verify_committed(const void *data, int result)
{
	(void)result;
	flip(&display, data);
	flip(&display, &shown);
}

static void verify_flipped(const void *data, int result)
{
	if (!result)
		wait_for_flip(&display);
	verify_committed(data, result);
}

static int dirty_fb(const void *data)
{
	const struct fb *fb = data;
	struct drm_mode_fb_dirty_cmd dirty = { .fb_id = fb->id };

	return phyr_ioctl(display.fd, DRM_IOCTL_MODE_DIRTYFB, &dirty);
}

static void setup_data_shown(const void *data)
{
	flip(&display, data);
}

static int turn_display_off(const void *data)
{
	(void)data;
	return try_turn_off(&display);
}

static void verify_off(const void *data, int result)
{
	if (result)
		turn_off(&display);
	verify_shown(data, result);
}

static int open_crc(const void *data)
{
	char path[96];

	(void)data;
	phyr_device_debugfs(&display.card, "crtc-0/crc/data", path,
			    sizeof(path));
	stage.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return as_errno(stage.fd);
}

static void verify_crc(const void *data, int result)
{
	if (result)
		igt_assert_eq(open_crc(data), 0);
	close(stage.fd);
	verify_committed(data, 0);
}

void sweep_display(void)
{
	const struct fail_nth_call calls[] = {
		{ "display add framebuffer", setup_shown, add_fb,
		  verify_fb_added, .data = &other },
		{ "display add framebuffer, foreign", setup_shown, add_fb,
		  verify_fb_added, .data = &foreign },
		{ "display remove framebuffer", setup_fb, remove_id,
		  verify_fb_removed, .data = &other },
		{ "display test", setup_shown, commit_test, verify_committed,
		  .data = &other },
		{ "display set mode", setup_off, set_mode, verify_shown,
		  .data = &other },
		{ "display turn off", setup_shown, turn_display_off, verify_off,
		  .data = NULL },
		{ "display commit", setup_shown, commit_fb, verify_committed,
		  .data = &other },
		/* udmabuf's vmap returns EINVAL when it cannot map. */
		{ "display commit, foreign", setup_shown, commit_fb,
		  verify_committed, .data = &foreign, .also = EINVAL },
		{ "display commit, later", setup_shown, commit_event,
		  verify_flipped, .data = &other },
		{ "display commit, foreign, later", setup_shown, commit_event,
		  verify_flipped, .data = &foreign, .also = EINVAL },
		{ "display page flip", setup_shown, page_flip, verify_flipped,
		  .data = &other },
		{ "display dirty", setup_shown, dirty_fb, verify_committed,
		  .data = &shown },
		{ "display dirty, foreign", setup_data_shown, dirty_fb,
		  verify_committed, .data = &foreign },
		{ "display crc", setup_shown, open_crc, verify_crc,
		  .data = &other },
	};

	set_display();
	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++) {
		fail_nth_sweep(&calls[i]);
		assert_shown(&display, &shown);
	}
	clear_display();
}

/*
 * The worker that copies another driver's framebuffer
 */

static int commit_and_wait(const void *data)
{
	int err = commit_event(data);

	if (!err)
		wait_for_flip(&display);
	return err;
}

/* A commit cannot fail late: what was not copied is copied by the next one. */
static void verify_copied(const void *data, int result)
{
	const struct fb *fb = data;
	drmModeClip clip = { 0, 0, 8, 8 };

	igt_assert_eq(result, 0);
	igt_assert_eq(drmModeDirtyFB(display.fd, fb->id, &clip, 1), 0);
	assert_shown(&display, fb);
	flip(&display, &shown);
}

void sweep_display_workers(void)
{
	const struct fail_nth_call call = {
		"display copy", setup_shown, commit_and_wait, verify_copied,
		.in_worker = true, .data = &foreign,
	};

	set_display();
	fail_nth_sweep(&call);
	clear_display();
}

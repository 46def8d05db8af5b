// SPDX-License-Identifier: MIT
/* The screen over time: legacy calls, CPU writes, off, the console. */
#include "screen.h"
#include "subtests.h"

/* A dumb buffer and the legacy calls, which every client can use. */
void legacy_calls(void)
{
	struct drm_mode_create_dumb dumb = {
		.width = 1280, .height = 800, .bpp = 32,
	};
	struct display display = open_display();
	struct fb fb = {
		.width = dumb.width, .height = dumb.height,
		.format = DRM_FORMAT_XRGB8888, .dmabuf = -1,
	};

	use_mode(&display, dumb.width, dumb.height);
	igt_assert_eq(phyr_ioctl(display.fd, DRM_IOCTL_MODE_CREATE_DUMB, &dumb),
		      0);
	fb.handle = dumb.handle;
	fb.pitch = dumb.pitch;
	fb.size = dumb.size;
	fb.mem = map_vram(display.fd, fb.handle, fb.size);
	igt_assert_eq(drmModeAddFB(display.fd, 1280, 800, 24, 32, fb.pitch,
				   fb.handle, &fb.id), 0);
	paint_fb(&fb, 100);
	igt_assert_eq(drmModeSetCrtc(display.fd, display.crtc, fb.id, 0, 0,
				     &display.connector, 1, &display.mode), 0);
	assert_shown(&display, &fb);
	assert_not_copied(&display, &fb);
	igt_assert_eq(drmModeRmFB(display.fd, fb.id), 0);
	unmap(fb.mem, fb.size);
	close_display(&display);
}

/* CPU stores without a system call afterwards. */
void cpu_writes(void)
{
	struct rect part = { 100, 200, 333, 44 };
	struct display display = open_display();
	struct fb fb = create_mode_fb(&display, DRM_FORMAT_XRGB8888, 110);

	show(&display, &fb);
	assert_shown(&display, &fb);
	patch_fb(&fb, &part, 111);
	assert_shown(&display, &fb);
	paint_fb(&fb, 112);
	assert_shown(&display, &fb);
	remove_fb(&display, &fb);
	close_display(&display);
}

void off_and_on(void)
{
	struct display display = open_display();
	struct fb fb = create_mode_fb(&display, DRM_FORMAT_BGRX8888, 130);

	for (int i = 0; i < 3; i++) {
		show(&display, &fb);
		assert_shown(&display, &fb);
		turn_off(&display);
		assert_screen_black();
	}
	remove_fb(&display, &fb);
	close_display(&display);
}

/* Later writes to the freed memory are not shown either. */
void removed_fb(void)
{
	struct display display = open_display();
	struct fb fb = create_mode_fb(&display, DRM_FORMAT_XRGB8888, 140);
	uint64_t free;
	uint32_t all;

	show(&display, &fb);
	remove_fb(&display, &fb);
	assert_screen_black();
	free = vram_free(&display.card);
	igt_assert_eq(phyr_vram_create(display.fd, free, EVICTABLE, SZ_4K,
				       &all), 0);
	fill_vram(display.fd, all, free, 141);
	assert_screen_black();
	close_display(&display);
}

void set_console(bool on)
{
	struct phyr_device card = display_device();

	remove_device(card.busid, UNBIND);
	/*
	 * Only while unbound: with 0, drm_fb_helper_fini() would not free the
	 * console.
	 */
	write_file("/sys/module/drm_kms_helper/parameters/fbdev_emulation",
		   on ? "1" : "0");
	restore_device(card.busid, PHYR_VRAM_DRIVER, UNBIND);
}

/* Without a console nothing else replaces the last client's picture. */
void last_close(void)
{
	struct display display;
	struct fb fb;

	set_console(false);
	display = open_display();
	fb = create_mode_fb(&display, DRM_FORMAT_XRGB8888, 150);
	show(&display, &fb);
	assert_shown(&display, &fb);
	abandon_fb(&fb);
	close_display(&display);
	assert_screen_black();
}

void console_returns(void)
{
	struct display display = open_display();
	struct fb fb = create_mode_fb(&display, DRM_FORMAT_RGB565, 160);
	struct screen screen;
	uint64_t lit = 0;

	show(&display, &fb);
	assert_shown(&display, &fb);
	abandon_fb(&fb);
	run_command("echo 'a line for the console' >/dev/tty1");
	close_display(&display);
	screen = take_screen();
	igt_assert_eq(screen.width, 1280);
	igt_assert_eq(screen.height, 800);
	for (uint64_t i = 0; i < 1280 * 800 * 3; i++)
		lit += screen.rgb[i] != 0;
	free_screen(&screen);
	/* Text on black. */
	igt_assert(lit > 100 && lit < 1280 * 800);
}

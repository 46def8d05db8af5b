// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "display.h"
#include "lib.h"
#include "screen.h"
#include "testcard.h"

IGT_TEST_DESCRIPTION("What the display shows, seen from outside the guest");

static const uint32_t formats[] = {
	DRM_FORMAT_XRGB8888,
	DRM_FORMAT_BGRX8888,
	DRM_FORMAT_RGB565,
};

static void show_each_format(const struct display *display, uint32_t seed)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(formats); i++) {
		struct fb fb = create_mode_fb(display, formats[i], seed + i);

		show(display, &fb);
		assert_shown(display, &fb);
		assert_not_copied(display, &fb);
		turn_off(display);
		remove_fb(display, &fb);
	}
}

static void offered_mode(uint32_t width, uint32_t height)
{
	struct display display = open_display();

	use_mode(&display, width, height);
	show_each_format(&display, width);
	close_display(&display);
}

static void largest_mode(void)
{
	struct display display = open_display();

	use_largest_mode(&display);
	igt_info("%s\n", display.mode.name);
	igt_assert_lte_u64(1920 * 1080, display.mode.hdisplay *
			   display.mode.vdisplay);
	show_each_format(&display, 20);
	close_display(&display);
}

/* Lines of 16-bit pixels that end within a word have a pitch that does not. */
static void own_mode(uint32_t width, uint32_t height)
{
	struct display display = open_display();

	display.mode = make_mode(width, height);
	for (unsigned int i = 0; i < ARRAY_SIZE(formats); i++) {
		struct fb fb = create_fb(&display, (struct fb){
			.width = width,
			.height = height,
			.format = formats[i],
			.pitch = (width * pixel_size(formats[i]) + 3) & ~3u,
		}, 30 + i);

		show(&display, &fb);
		assert_shown(&display, &fb);
		turn_off(&display);
		remove_fb(&display, &fb);
	}
	close_display(&display);
}

static void long_pitch(void)
{
	struct display display = open_display();

	for (unsigned int i = 0; i < ARRAY_SIZE(formats); i++) {
		struct fb fb = create_fb(&display, (struct fb){
			.width = 1024,
			.height = 768,
			.format = formats[i],
			.pitch = 1024 * pixel_size(formats[i]) + 52,
		}, 40 + i);

		show(&display, &fb);
		assert_shown(&display, &fb);
		remove_fb(&display, &fb);
	}
	close_display(&display);
}

/* A picture that begins at some pixel of some line of its buffer. */
static void offset(void)
{
	struct display display = open_display();

	for (unsigned int i = 0; i < ARRAY_SIZE(formats); i++) {
		struct fb fb = create_fb(&display, (struct fb){
			.width = 1024,
			.height = 768,
			.format = formats[i],
			.pitch = 1100 * pixel_size(formats[i]),
			.offset = (7 * 1100 + 40) * pixel_size(formats[i]),
		}, 50 + i);

		show(&display, &fb);
		assert_shown(&display, &fb);
		remove_fb(&display, &fb);
	}
	close_display(&display);
}

/* In colours that a format of 16 bits has, too. */
static void paint_few_colours(const struct fb *fb, uint32_t seed)
{
	uint32_t cpp = pixel_size(fb->format);

	for (uint32_t y = 0; y < fb->height; y++)
		for (uint32_t x = 0; x < fb->width; x++)
			put_pixel(fb->mem + fb->offset + y * fb->pitch +
				  x * cpp, fb->format,
				  shown_colour(DRM_FORMAT_RGB565,
					       picture_colour(seed, x, y,
							      fb->width,
							      fb->height)));
}

static uint64_t crc_of_fb(const struct display *display, const struct fb *fb)
{
	show(display, fb);
	return shown_crc(display);
}

/*
 * What is between the lines, before the first one, and in bits that are not
 * shown is noise; each pixel counts, the last one as well as the first.
 */
static void crc(void)
{
	static const struct {
		uint32_t pixels;
		uint32_t lines;
	} gaps[] = { { 0, 0 }, { 13, 0 }, { 41, 3 } };
	struct display display = open_display();
	const uint32_t width = 402, height = 301;
	uint64_t want = 0, crc;

	display.mode = make_mode(width, height);
	for (unsigned int i = 0; i < ARRAY_SIZE(formats) * ARRAY_SIZE(gaps);
	     i++) {
		uint32_t format = formats[i / ARRAY_SIZE(gaps)];
		uint32_t gap = gaps[i % ARRAY_SIZE(gaps)].pixels;
		uint32_t pitch = ((width + gap) * pixel_size(format) + 3) & ~3u;
		struct fb fb = create_fb(&display, (struct fb){
			.width = width,
			.height = height,
			.format = format,
			.pitch = pitch,
			.offset = pitch * gaps[i % ARRAY_SIZE(gaps)].lines,
		}, 70 + i);
		uint8_t *first = fb.mem + fb.offset, *last, was;

		paint_few_colours(&fb, 70);
		crc = crc_of_fb(&display, &fb);
		if (!i)
			want = crc;
		igt_assert_f(crc == want, "%.4s, pitch %u, offset %u: %" PRIx64
			     ", the first one had %" PRIx64 "\n",
			     (const char *)&format, fb.pitch, fb.offset, crc,
			     want);

		last = first + (height - 1) * fb.pitch +
		       width * pixel_size(format) - 2;
		for (unsigned int end = 0; end < 2; end++) {
			uint8_t *at = end ? last : first + 1;

			was = *at;
			*at = was ^ 0x40;
			igt_assert_f(crc_of_fb(&display, &fb) != want,
				     "%.4s: another %s pixel, but no other CRC\n",
				     (const char *)&format,
				     end ? "last" : "first");
			*at = was;
		}
		igt_assert_eq_u64(crc_of_fb(&display, &fb), want);
		turn_off(&display);
		remove_fb(&display, &fb);
	}
	close_display(&display);
}

static void pan(uint32_t format)
{
	static const uint32_t at[][2] = {
		{ 0, 0 }, { 1, 0 }, { 0, 1 }, { 333, 129 }, { 560, 220 },
		{ 3, 220 }, { 560, 0 }, { 0, 0 },
	};
	struct display display = open_display();
	struct fb fb;

	use_mode(&display, 640, 480);
	fb = create_fb(&display, (struct fb){
		.width = 1200,
		.height = 700,
		.format = format,
	}, 60);
	for (unsigned int i = 0; i < ARRAY_SIZE(at); i++) {
		show_at(&display, &fb, at[i][0], at[i][1]);
		assert_shown_at(&display, &fb, at[i][0], at[i][1]);
	}
	remove_fb(&display, &fb);
	close_display(&display);
}

static uint64_t offset_in_vram(const struct display *display, uint32_t handle)
{
	struct phyr_list_dump list;
	uint64_t id = vram_info(display->fd, handle).id, offset;

	igt_assert_eq(phyr_list_dump_read(&display->card, id, &list), 0);
	igt_assert(list.in_vram && list.nr);
	offset = list.vecs[0].offset;
	phyr_list_dump_free(&list);
	return offset;
}

/* What the display reserves for itself is no part of what buffers can have. */
static uint64_t vram_end(const struct display *display)
{
	struct phyr_vram_dump dump;

	igt_assert_eq(phyr_vram_dump_read(&display->card, &dump), 0);
	phyr_vram_dump_free(&dump);
	return (dump.size + SZ_1M - 1) & ~(SZ_1M - 1);
}

/**
 * struct tenants - buffers all over VRAM that cannot leave it
 * @size: bytes of each
 * @handles: the buffers
 * @offsets: where they are
 * @nr: their number
 */
struct tenants {
	uint64_t size;
	uint32_t handles[64];
	uint64_t offsets[64];
	unsigned int nr;
};

static struct tenants occupy(const struct display *display, uint64_t size)
{
	struct tenants tenants = { .size = size };
	uint32_t handle;

	while (!phyr_vram_create(display->fd, size, IN_VRAM, 0, &handle)) {
		igt_assert(tenants.nr < ARRAY_SIZE(tenants.handles));
		tenants.handles[tenants.nr] = handle;
		tenants.offsets[tenants.nr++] = offset_in_vram(display, handle);
	}
	return tenants;
}

/* One that is all in the given part of VRAM makes room. */
static void vacate(const struct display *display, struct tenants *tenants,
		   uint64_t start, uint64_t end)
{
	for (unsigned int i = 0; i < tenants->nr; i++) {
		if (tenants->offsets[i] < start ||
		    tenants->offsets[i] + tenants->size > end)
			continue;
		igt_assert_eq(phyr_close_handle(display->fd,
						tenants->handles[i]), 0);
		tenants->offsets[i] = UINT64_MAX - tenants->size;
		return;
	}
	igt_assert_f(false, "no buffer was from %#llx to %#llx\n",
		     (unsigned long long)start, (unsigned long long)end);
}

/* The last line of a buffer at the very end of VRAM is not past the end. */
static void pan_at_end(uint32_t placement)
{
	struct fb fb = {
		.width = 1024,
		.height = 1024,
		.format = DRM_FORMAT_XRGB8888,
		.placement = placement,
	};
	struct display display = open_display();
	struct tenants tenants = occupy(&display, 4 * SZ_1M);
	uint64_t end = vram_end(&display), start = end - tenants.size;
	struct view view = { .fb = &fb };
	int err;

	use_mode(&display, 640, 480);
	vacate(&display, &tenants, start, end);
	fb = create_fb(&display, fb, 70);
	igt_assert_eq_u64(offset_in_vram(&display, fb.handle), start);
	/* The display reads whole lines, and may not be able to there. */
	err = try_show_view(&display, &view, 0);
	igt_assert(!err || err == -ENOSPC);
	if (err)
		vacate(&display, &tenants, 4 * SZ_1M, start);
	show_at(&display, &fb, 0, 0);
	assert_shown_at(&display, &fb, 0, 0);
	show_at(&display, &fb, 384, 544);
	assert_shown_at(&display, &fb, 384, 544);
	remove_fb(&display, &fb);
	close_display(&display);
}

/* Smaller than the screen, beside it, all over it, and not on it at all. */
static void part_of_screen(const struct display *display, struct fb *fb)
{
	static const struct view views[] = {
		{ .src = { 10, 20, 300, 200 }, .dst = { 100, 50, 300, 200 } },
		{ .src = { 0, 0, 639, 480 }, .dst = { 0, 0, 639, 480 } },
		{ .src = { 3, 3, 640, 480 }, .dst = { 1, 1, 640, 480 } },
		{ .src = { 0, 0, 700, 500 }, .dst = { -40, -17, 700, 500 } },
		{ .src = { 0, 0, 100, 100 }, .dst = { -60, 430, 100, 100 } },
		{ .src = { 5, 5, 64, 64 }, .dst = { 600, -30, 64, 64 } },
		{ .src = { 0, 0, 100, 100 }, .dst = { 640, 0, 100, 100 } },
		{ .src = { 7, 9, 640, 480 }, .dst = { 0, 0, 640, 480 } },
	};
	struct rect patch = { 33, 44, 200, 100 };

	for (unsigned int i = 0; i < ARRAY_SIZE(views); i++) {
		struct view view = views[i];
		int err;

		view.fb = fb;
		paint_fb(fb, 75 + i);
		err = try_show_view(display, &view, 0);
		igt_assert_f(!err, "view %u: %s\n", i, strerror(-err));
		if (view.dst.x == 640)
			assert_screen_black();
		else
			assert_view(display, &view);
		patch_fb(fb, &patch, 90 + i);
		igt_assert_eq(drmModeDirtyFB(display->fd, fb->id, NULL, 0), 0);
		if (view.dst.x != 640)
			assert_view(display, &view);
	}
}

static void parts(uint32_t format)
{
	struct fb fb = { .width = 704, .height = 512, .format = format };
	struct display display = open_display();

	use_mode(&display, 640, 480);
	fb = create_fb(&display, fb, 74);
	part_of_screen(&display, &fb);
	assert_not_copied(&display, &fb);
	remove_fb(&display, &fb);
	close_display(&display);
}

/* The copy is next to others' buffers, and must not write a byte of theirs. */
static void parts_keep_out(uint32_t x, uint32_t y)
{
	struct fb fb = { .width = 704, .height = 512,
			 .format = DRM_FORMAT_XRGB8888 };
	struct view view = { .fb = &fb, .src = { 0, 0, 101, 101 },
			     .dst = { x, y, 101, 101 } };
	uint32_t handles[512], handle;
	struct display display;
	unsigned int nr = 0;

	display = open_display();
	use_mode(&display, 640, 480);
	fb = create_fb(&display, fb, 74);
	igt_assert_eq(try_show_view(&display, &view, 0), 0);
	while (!phyr_vram_create(display.fd, SZ_64K, IN_VRAM, 0, &handle)) {
		igt_assert(nr < ARRAY_SIZE(handles));
		fill_vram(display.fd, handle, SZ_64K, nr);
		handles[nr++] = handle;
	}
	while (!phyr_vram_create(display.fd, SZ_4K, IN_VRAM, 0, &handle)) {
		igt_assert(nr < ARRAY_SIZE(handles));
		fill_vram(display.fd, handle, SZ_4K, nr);
		handles[nr++] = handle;
	}
	igt_assert_eq(drmModeDirtyFB(display.fd, fb.id, NULL, 0), 0);
	assert_view(&display, &view);
	while (nr--)
		assert_vram(display.fd, handles[nr],
			    vram_info(display.fd, handles[nr]).size, nr);
	remove_fb(&display, &fb);
	close_display(&display);
}

static void parts_foreign(void)
{
	struct fb fb = { .width = 704, .height = 512,
			 .format = DRM_FORMAT_BGRX8888 };
	struct display display = open_display();

	use_mode(&display, 640, 480);
	fb = import_fb(&display, fb, create_udmabuf(4 * 704 * 512), 74);
	part_of_screen(&display, &fb);
	remove_fb(&display, &fb);
	close_display(&display);
}

static void fragmented(uint32_t placement)
{
	struct display display = open_display();

	for (unsigned int i = 0; i < ARRAY_SIZE(formats); i++) {
		struct fb fb = create_fb(&display, (struct fb){
			.width = 1024,
			.height = 768,
			.format = formats[i],
			.placement = placement,
			.max_extent = SZ_4K,
		}, 80 + i);

		igt_assert_eq_u64(vram_info(display.fd, fb.handle).extents,
				  fb.size / SZ_4K);
		show(&display, &fb);
		assert_not_copied(&display, &fb);
		assert_shown(&display, &fb);
		remove_fb(&display, &fb);
	}
	close_display(&display);
}

static void from_system(void)
{
	struct display display = open_display();

	for (unsigned int i = 0; i < ARRAY_SIZE(formats); i++) {
		struct fb fb = create_mode_fb(&display, formats[i], 90 + i);

		move_buffer(display.fd, fb.handle, IN_SYSTEM);
		show(&display, &fb);
		assert_not_copied(&display, &fb);
		assert_shown(&display, &fb);
		remove_fb(&display, &fb);
	}
	close_display(&display);
}

/* Nobody can bring it into VRAM: it is copied, and stays where it is. */
static void system_only(void)
{
	struct rect part = { 500, 300, 77, 55 };
	struct display display = open_display();
	struct fb fb;

	fb = create_fb(&display, (struct fb){
		.width = 1024,
		.height = 768,
		.format = DRM_FORMAT_XRGB8888,
		.placement = IN_SYSTEM,
	}, 95);
	show(&display, &fb);
	assert_shown(&display, &fb);
	igt_assert_eq(vram_info(display.fd, fb.handle).placement, IN_SYSTEM);
	patch_fb(&fb, &part, 96);
	igt_assert_eq(drmModeDirtyFB(display.fd, fb.id, NULL, 0), 0);
	assert_shown(&display, &fb);
	remove_fb(&display, &fb);
	close_display(&display);
}

/* The way that every client knows: a dumb buffer, and the legacy calls. */
static void legacy(void)
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

/* Plain stores, and no call to the kernel afterwards. */
static void cpu_writes(void)
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

/*
 * The offset registers count lines, 65,535 of them: short ones do not reach
 * the end of VRAM.
 */
static void out_of_reach(void)
{
	struct fb fb = {
		.width = 64,
		.height = 64,
		.format = DRM_FORMAT_RGB565,
	};
	struct display display = open_display();
	struct tenants tenants = occupy(&display, SZ_1M);
	uint64_t reach = 64 * 2 * 65535;
	struct view view = { .fb = &fb };
	uint32_t handle;

	display.mode = make_mode(64, 64);
	while (!phyr_vram_create(display.fd, SZ_4K, IN_VRAM, 0, &handle))
		;
	vacate(&display, &tenants, reach, vram_end(&display));
	fb = create_fb(&display, fb, 120);
	igt_assert_lte_u64(reach, offset_in_vram(&display, fb.handle));
	igt_assert_eq(try_show_view(&display, &view, 0), -ENOSPC);

	vacate(&display, &tenants, 0, reach);
	show(&display, &fb);
	assert_shown(&display, &fb);
	igt_assert_lte_u64(offset_in_vram(&display, fb.handle), reach);
	remove_fb(&display, &fb);
	close_display(&display);
}

static void off_and_on(void)
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

/* Neither is seen what others do to the memory afterwards. */
static void removed(void)
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

static void set_console(bool on)
{
	struct phyr_device card = display_device();

	take_away(card.busid, UNBIND);
	/* Not before: with 0 there, drm_fb_helper_fini() frees no console. */
	write_file("/sys/module/drm_kms_helper/parameters/fbdev_emulation",
		   on ? "1" : "0");
	give_back(card.busid, PHYR_VRAM_DRIVER, UNBIND);
}

/* Nobody takes over who could hide what the last client has left. */
static void last_close(void)
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

static void console_returns(void)
{
	struct display display = open_display();
	struct fb fb = create_mode_fb(&display, DRM_FORMAT_RGB565, 160);
	struct screen screen;
	uint64_t lit = 0;

	show(&display, &fb);
	assert_shown(&display, &fb);
	abandon_fb(&fb);
	run("echo 'a line for the console' >/dev/tty1");
	close_display(&display);
	screen = take_screen();
	igt_assert_eq(screen.width, 1280);
	igt_assert_eq(screen.height, 800);
	for (uint64_t i = 0; i < 1280 * 800 * 3; i++)
		lit += screen.rgb[i] != 0;
	free_screen(&screen);
	/* Letters on black. */
	igt_assert(lit > 100 && lit < 1280 * 800);
}

/*
 * What is refused
 */

/**
 * struct bad_fb - a framebuffer that is wrong in one thing
 * @what: is wrong
 * @fb: the framebuffer
 * @size: of its buffer; 0 is what it takes
 * @handle: 0 for that of the buffer
 * @err: what ADDFB2 says
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

static void refused_fbs(void)
{
	struct display display = open_display();

	for (unsigned int i = 0; i < ARRAY_SIZE(bad_fbs); i++) {
		const struct bad_fb *bad = &bad_fbs[i];
		struct fb fb = bad->fb;
		uint32_t handle, id;
		int err;

		/* In system memory, where there is room for any. */
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
 * struct bad_view - a commit that is wrong in one thing
 * @what: is wrong
 * @view: of a framebuffer of 1024x768 on a display of 640x480
 * @err: what the commit says
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

/* There are framebuffers for cursors, but no plane has cursors. */
static void alpha(void)
{
	struct display display = open_display();
	struct fb fb = create_mode_fb(&display, DRM_FORMAT_XRGB8888, 175);
	struct fb cursor = fb;
	struct view view = { .fb = &cursor };

	show(&display, &fb);
	cursor.format = DRM_FORMAT_ARGB8888;
	if (!try_add_fb(display.fd, &cursor, &cursor.id)) {
		igt_assert_eq(try_show_view(&display, &view, 0), -EINVAL);
		igt_assert_eq(try_flip(&display, &cursor, 0), -EINVAL);
		igt_assert_eq(drmModeRmFB(display.fd, cursor.id), 0);
	}
	assert_shown(&display, &fb);
	remove_fb(&display, &fb);
	close_display(&display);
}

/* The picture that is on stays on. */
static void refused_views(void)
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
			/* The good one would be shown. */
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

static void refused_modes(void)
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
		/* 8192 pixels are fine, if not that many lines of them. */
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

/* What the display offers, it can show. */
static void offered_modes(void)
{
	struct display display = open_display();

	igt_assert(has_mode(&display, 640, 480));
	igt_assert(has_mode(&display, 1280, 800));
	igt_assert(!has_mode(&display, 3840, 2160));
	for (unsigned int i = 0; i < display.nr_modes; i++) {
		struct fb fb;

		display.mode = display.modes[i];
		fb = create_mode_fb(&display, DRM_FORMAT_XRGB8888, 190);
		show(&display, &fb);
		turn_off(&display);
		remove_fb(&display, &fb);
	}
	close_display(&display);
}

/*
 * For people
 */

static uint32_t card_colour(const void *data, uint32_t x, uint32_t y)
{
	const struct testcard *card = data;

	return card->colours[y][x];
}

/* Stays in /out/testcard.ppm; docs/display.png is it. */
static void test_card(void)
{
	struct testcard *card = malloc(sizeof(*card));
	struct display display = open_display();
	struct fb fb;

	igt_assert(card);
	draw_testcard(card, "PHYR_VRAM",
		      "BOCHS-DISPLAY, 640x480, XRGB8888",
		      "SCANNED OUT FROM PAGE-LESS VRAM, NO COPY");
	use_mode(&display, CARD_WIDTH, CARD_HEIGHT);
	fb = create_mode_fb(&display, DRM_FORMAT_XRGB8888, 220);
	for (uint32_t y = 0; y < CARD_HEIGHT; y++)
		for (uint32_t x = 0; x < CARD_WIDTH; x++)
			put_pixel(fb.mem + y * fb.pitch + x * 4, fb.format,
				  card->colours[y][x]);
	show(&display, &fb);
	assert_screen(CARD_WIDTH, CARD_HEIGHT, card_colour, card);
	assert_not_copied(&display, &fb);
	keep_screen("testcard");
	remove_fb(&display, &fb);
	close_display(&display);
	free(card);
}

/*
 * Others
 */

static void render_only(void)
{
	struct phyr_device card = vram_device(0);
	uint64_t free = vram_free(&card), value;
	int fd, render;

	igt_assert_eq(card.vendor, 0x1af4);
	fd = open(card.primary, O_RDWR | O_CLOEXEC);
	igt_assert(fd >= 0);
	igt_assert(!drmModeGetResources(fd));
	igt_assert_eq(errno, EOPNOTSUPP);
	igt_assert(drmSetClientCap(fd, DRM_CLIENT_CAP_ATOMIC, 1));
	igt_assert_eq(errno, EOPNOTSUPP);
	igt_assert(drmGetCap(fd, DRM_CAP_CRTC_IN_VBLANK_EVENT, &value) ||
		   !value);
	close(fd);

	igt_assert(card.render[0]);
	render = open(card.render, O_RDWR | O_CLOEXEC);
	igt_assert(render >= 0);
	fill_vram(render, create_vram(render, SZ_1M, IN_VRAM, 0), SZ_1M, 1);
	close(render);
	wait_for_vram_free(&card, free);
}

/* No master, no picture. */
static void render_node(void)
{
	struct display display = open_display();
	int render = open(display.card.render, O_RDWR | O_CLOEXEC);
	struct fb fb;
	uint32_t id;

	igt_assert(render >= 0);
	igt_assert(!drmModeGetResources(render));
	igt_assert_eq(errno, EACCES);
	fb = create_mode_fb(&display, DRM_FORMAT_XRGB8888, 200);
	igt_assert_eq(try_add_fb(render, &fb, &id), -EACCES);
	close(render);
	remove_fb(&display, &fb);
	close_display(&display);
}

/* A lessee shows and flips; the lessor cannot, until the lease is over. */
static void lease(void)
{
	struct display display = open_display(), lessee;
	struct fb own = create_mode_fb(&display, DRM_FORMAT_XRGB8888, 210);
	uint32_t objects[] = {
		display.crtc, display.connector, display.plane,
	};
	struct fb first, second;
	uint32_t id;
	int fd;

	show(&display, &own);
	fd = drmModeCreateLease(display.fd, objects, 3, O_CLOEXEC, &id);
	igt_assert_f(fd >= 0, "lease: %s\n", strerror(-fd));
	lessee = open_display_of(fd);
	use_mode(&lessee, 800, 600);
	first = create_mode_fb(&lessee, DRM_FORMAT_BGRX8888, 211);
	second = create_mode_fb(&lessee, DRM_FORMAT_BGRX8888, 212);
	show(&lessee, &first);
	assert_shown(&lessee, &first);
	flip(&lessee, &second);
	assert_shown(&lessee, &second);
	flip(&lessee, &first);
	assert_shown(&lessee, &first);

	igt_assert_eq(drmModeRevokeLease(display.fd, id), 0);
	igt_assert_eq(try_flip(&lessee, &second, 0), -ENOENT);
	assert_shown(&lessee, &first);
	show(&display, &own);
	assert_shown(&display, &own);
	remove_fb(&lessee, &second);
	remove_fb(&lessee, &first);
	close(fd);
	assert_shown(&display, &own);
	remove_fb(&display, &own);
	close_display(&display);
}

igt_main()
{
	igt_describe("A picture in each format at the smallest mode that is offered");
	igt_subtest("mode-640x480")
		offered_mode(640, 480);

	igt_describe("The same at a mode in the middle");
	igt_subtest("mode-1024x768")
		offered_mode(1024, 768);

	igt_describe("The same at the mode that is preferred");
	igt_subtest("mode-1280x800")
		offered_mode(1280, 800);

	igt_describe("The same at a width that is no multiple of 16");
	igt_subtest("mode-1400x1050")
		offered_mode(1400, 1050);

	igt_describe("The same at the largest mode that is offered");
	igt_subtest("mode-largest")
		largest_mode();

	igt_describe("The same at the smallest mode that the hardware has");
	igt_subtest("mode-64x64")
		own_mode(64, 64);

	igt_describe("The same at an odd mode that only userspace knows");
	igt_subtest("mode-odd")
		own_mode(801, 603);

	igt_describe("Every mode that is offered can be set, and none is too large for the card");
	igt_subtest("modes-offered")
		offered_modes();

	igt_describe("Lines that are further apart than they are long");
	igt_subtest("pitch")
		long_pitch();

	igt_describe("Pictures that begin within their buffers");
	igt_subtest("offset")
		offset();

	igt_describe("A picture has one CRC, whatever its format and wherever its lines are");
	igt_subtest("crc")
		crc();

	igt_describe("Parts of a larger picture, from any pixel on");
	igt_subtest("pan")
		pan(DRM_FORMAT_XRGB8888);

	igt_describe("The same with pixels of 16 bits");
	igt_subtest("pan-rgb565")
		pan(DRM_FORMAT_RGB565);

	igt_describe("The bottom right part of a picture that ends where VRAM does");
	igt_subtest("pan-at-end")
		pan_at_end(EVICTABLE);

	igt_describe("The same with a buffer that cannot leave VRAM");
	igt_subtest("pan-at-end-vram")
		pan_at_end(IN_VRAM);

	igt_describe("Pictures that cover a part of the screen, and reach over its edges");
	igt_subtest("parts")
		parts(DRM_FORMAT_XRGB8888);

	igt_describe("The same with pixels of 16 bits");
	igt_subtest("parts-rgb565")
		parts(DRM_FORMAT_RGB565);

	igt_describe("The same with another driver's buffer");
	igt_subtest("parts-foreign")
		parts_foreign();

	igt_describe("A picture over the top left corner changes no other client's buffer");
	igt_subtest("parts-keep-out-before")
		parts_keep_out(-60, -50);

	igt_describe("Nor does one over the bottom right corner");
	igt_subtest("parts-keep-out-behind")
		parts_keep_out(600, 450);

	igt_describe("Nor does one within that corner");
	igt_subtest("parts-keep-out")
		parts_keep_out(539, 379);

	igt_describe("Buffers that were in many pieces are shown, in one piece and without a copy");
	igt_subtest("fragmented")
		fragmented(EVICTABLE);

	igt_describe("The same with buffers that cannot leave VRAM");
	igt_subtest("fragmented-vram")
		fragmented(IN_VRAM);

	igt_describe("Buffers that were in system memory are shown from VRAM");
	igt_subtest("from-system")
		from_system();

	igt_describe("A buffer that cannot be in VRAM is shown by a copy");
	igt_subtest("system-only")
		system_only();

	igt_describe("A buffer where the display's registers do not reach moves");
	igt_subtest("out-of-reach")
		out_of_reach();

	igt_describe("A dumb buffer, by the calls from before atomic commits");
	igt_subtest("legacy")
		legacy();

	igt_describe("What the CPU writes into a picture that is shown is seen");
	igt_subtest("cpu-writes")
		cpu_writes();

	igt_describe("Off is black, and on is the picture again");
	igt_subtest("off")
		off_and_on();

	igt_describe("A picture whose framebuffer is removed is gone from the screen");
	igt_subtest("removed")
		removed();

	igt_describe("The last client's picture goes with it, where there is no console");
	igt_subtest("last-close")
		last_close();

	igt_fixture()
		set_console(true);

	igt_describe("The console comes back when the last client goes");
	igt_subtest("console")
		console_returns();

	igt_describe("Framebuffers that the display could not show");
	igt_subtest("refused-framebuffers")
		refused_fbs();

	igt_describe("Planes that the display does not have");
	igt_subtest("refused-planes")
		refused_views();

	igt_describe("Transparency is not shown");
	igt_subtest("refused-alpha")
		alpha();

	igt_describe("Modes that the display does not have");
	igt_subtest("refused-modes")
		refused_modes();

	igt_describe("A picture for people");
	igt_subtest("test-card")
		test_card();

	igt_describe("A card without a display says so, and renders");
	igt_subtest("render-only")
		render_only();

	igt_describe("A render node shows nothing");
	igt_subtest("render-node")
		render_node();

	igt_describe("A lessee of the display shows and flips, until the lease ends");
	igt_subtest("lease")
		lease();
}

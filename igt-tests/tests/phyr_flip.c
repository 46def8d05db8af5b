// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>
#include <xf86drm.h>

#include "display.h"
#include "lib.h"

IGT_TEST_DESCRIPTION("Page flips, and moves, evictions and DMA of framebuffers that are shown");

#define FLIPS	100

/* Allocate buffers in between, so that the offsets in VRAM are irregular. */
static void create_fbs(const struct display *display, struct fb *fbs,
		       unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		create_vram(display->fd, (2 * i + 1) * SZ_4K, IN_VRAM, 0);
		fbs[i] = create_mode_fb(display, DRM_FORMAT_XRGB8888, 300 + i);
	}
}

static void remove_fbs(const struct display *display, struct fb *fbs,
		       unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		remove_fb(display, &fbs[i]);
}

static void flips(unsigned int nr)
{
	struct display display = open_display();
	struct fb fbs[3];

	create_fbs(&display, fbs, nr);
	show(&display, &fbs[0]);
	for (unsigned int i = 1; i <= FLIPS; i++) {
		flip(&display, &fbs[i % nr]);
		if (i == FLIPS / 2 || i >= FLIPS - 1)
			assert_shown(&display, &fbs[i % nr]);
	}
	for (unsigned int i = 0; i < nr; i++) {
		flip(&display, &fbs[i]);
		assert_not_copied(&display, &fbs[i]);
	}
	remove_fbs(&display, fbs, nr);
	close_display(&display);
}

static void legacy_flips(void)
{
	struct display display = open_display();
	struct fb fbs[2];

	create_fbs(&display, fbs, 2);
	igt_assert_eq(drmModeSetCrtc(display.fd, display.crtc, fbs[0].id, 0, 0,
				     &display.connector, 1, &display.mode), 0);
	for (unsigned int i = 1; i < 10; i++) {
		igt_assert_eq(drmModePageFlip(display.fd, display.crtc,
					      fbs[i % 2].id,
					      DRM_MODE_PAGE_FLIP_EVENT, NULL),
			      0);
		wait_for_flip(&display);
	}
	assert_shown(&display, &fbs[1]);
	remove_fbs(&display, fbs, 2);
	close_display(&display);
}

/* Flip between buffers of VRAM and system memory; all pitches differ. */
static void different(void)
{
	static const struct fb templates[] = {
		{ .width = 1024, .height = 768, .format = DRM_FORMAT_XRGB8888 },
		{ .width = 1024, .height = 768, .format = DRM_FORMAT_RGB565 },
		{ .width = 1024, .height = 900, .format = DRM_FORMAT_BGRX8888,
		  .pitch = 4200, .offset = 8 * 4200 },
		{ .width = 1025, .height = 768, .format = DRM_FORMAT_XRGB8888,
		  .placement = IN_SYSTEM },
		{ .width = 1030, .height = 770, .format = DRM_FORMAT_RGB565,
		  .placement = IN_SYSTEM, .offset = 400 },
		{ .width = 2000, .height = 800, .format = DRM_FORMAT_XRGB8888,
		  .max_extent = SZ_4K },
	};
	struct fb fbs[ARRAY_SIZE(templates)];
	struct display display = open_display();

	for (unsigned int i = 0; i < ARRAY_SIZE(fbs); i++)
		fbs[i] = create_fb(&display, templates[i], 310 + i);
	show(&display, &fbs[5]);
	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(fbs); i++) {
		struct fb *fb = &fbs[i * 5 % ARRAY_SIZE(fbs)];

		flip(&display, fb);
		assert_shown(&display, fb);
	}
	remove_fbs(&display, fbs, ARRAY_SIZE(fbs));
	close_display(&display);
}

/* Request a flip while another one is pending. */
static void busy(void)
{
	struct display display = open_display();
	struct fb fbs[3];
	int err = 0;

	create_fbs(&display, fbs, 3);
	show(&display, &fbs[0]);
	/* Retry, because the first flip may complete before the second request. */
	for (int i = 0; i < 50 && !err; i++) {
		igt_assert_eq(try_flip(&display, &fbs[1],
				       DRM_MODE_ATOMIC_NONBLOCK |
				       DRM_MODE_PAGE_FLIP_EVENT), 0);
		err = try_flip(&display, &fbs[2], DRM_MODE_ATOMIC_NONBLOCK);
		wait_for_flip(&display);
	}
	igt_assert_eq(err, -EBUSY);
	assert_shown(&display, &fbs[1]);
	remove_fbs(&display, fbs, 3);
	close_display(&display);
}

static void pinned(void)
{
	struct display display = open_display();
	struct fb fbs[2];

	create_fbs(&display, fbs, 2);
	show(&display, &fbs[0]);
	igt_assert_eq(try_move_buffer(display.fd, fbs[0].handle, IN_SYSTEM),
		      -EBUSY);
	assert_shown(&display, &fbs[0]);
	move_buffer(display.fd, fbs[1].handle, IN_SYSTEM);
	flip(&display, &fbs[1]);
	igt_assert_eq(try_move_buffer(display.fd, fbs[1].handle, IN_SYSTEM),
		      -EBUSY);
	move_when_unpinned(display.fd, fbs[0].handle, IN_SYSTEM);
	assert_shown(&display, &fbs[1]);
	/* Removing the framebuffer unpins its buffer. */
	igt_assert_eq(drmModeRmFB(display.fd, fbs[1].id), 0);
	move_when_unpinned(display.fd, fbs[1].handle, IN_SYSTEM);
	igt_assert_eq(try_add_fb(display.fd, &fbs[1], &fbs[1].id), 0);
	show(&display, &fbs[1]);
	assert_shown(&display, &fbs[1]);
	remove_fbs(&display, fbs, 2);
	close_display(&display);
}

/* Allocate three times the VRAM while a framebuffer is shown. */
static void pressure(void)
{
	struct display display = open_display();
	uint32_t handles[96];
	struct fb fb;

	fb = create_mode_fb(&display, DRM_FORMAT_XRGB8888, 330);
	show(&display, &fb);
	for (unsigned int i = 0; i < ARRAY_SIZE(handles); i++) {
		handles[i] = create_vram(display.fd, SZ_1M, EVICTABLE, 0);
		fill_vram(display.fd, handles[i], SZ_1M, i);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(handles); i++) {
		assert_vram(display.fd, handles[i], SZ_1M, i);
		/* Every buffer except the shown one can be evicted. */
		move_buffer(display.fd, handles[i], IN_VRAM);
	}
	assert_not_copied(&display, &fb);
	assert_shown(&display, &fb);
	for (unsigned int i = 0; i < ARRAY_SIZE(handles); i++)
		assert_vram(display.fd, handles[i], SZ_1M, i);
	remove_fb(&display, &fb);
	close_display(&display);
}

/* Whatever fills VRAM, a framebuffer finds space: others are evicted. */
static void full(void)
{
	struct display display = open_display();
	struct fb fbs[2];
	uint32_t handle;

	create_fbs(&display, fbs, 2);
	show(&display, &fbs[0]);
	move_buffer(display.fd, fbs[1].handle, IN_SYSTEM);
	while (!phyr_vram_create(display.fd, SZ_1M, IN_VRAM, 0, &handle))
		;
	while (!phyr_vram_create(display.fd, SZ_4K, IN_VRAM, SZ_4K, &handle))
		;
	flip(&display, &fbs[1]);
	assert_shown(&display, &fbs[1]);
	assert_not_copied(&display, &fbs[1]);

	move_buffer(display.fd, fbs[0].handle, IN_SYSTEM);
	for (int i = 0; i < 64; i++)
		create_vram(display.fd, SZ_1M, EVICTABLE, SZ_4K);
	flip(&display, &fbs[0]);
	assert_shown(&display, &fbs[0]);
	assert_not_copied(&display, &fbs[0]);
	remove_fbs(&display, fbs, 2);
	close_display(&display);
}

/**
 * struct painter - a copy engine that paints framebuffers
 * @fd: DRM node of the engine
 * @size: bytes of a framebuffer
 * @own: the engine's buffer with the picture to copy
 * @mem: mapping of @own
 */
struct painter {
	int fd;
	uint64_t size;
	uint32_t own;
	uint8_t *mem;
};

static struct painter open_painter(uint64_t size)
{
	struct painter painter = { .fd = open_copy(0), .size = size };

	painter.own = create_own(painter.fd, size);
	painter.mem = map_own(painter.fd, painter.own, size);
	return painter;
}

static void close_painter(struct painter *painter)
{
	unmap(painter->mem, painter->size);
	close(painter->fd);
}

/* Queue the copy of the picture that the caller has painted into @own. */
static void submit_paint(struct painter *painter, uint32_t dst, uint32_t fence)
{
	struct drm_phyr_copy_submit job = {
		.src_handle = painter->own,
		.dst_handle = dst,
		.len = painter->size,
		.out_syncobj = fence,
	};

	igt_assert_eq(phyr_copy_submit(painter->fd, &job), 0);
}

static void prepare_paint(struct painter *painter, struct fb *fb, uint32_t seed)
{
	struct rect all = { .width = fb->width, .height = fb->height };

	paint_rect(painter->mem, fb->pitch, fb->format, fb->width, fb->height,
		   &all, seed);
	fb->seed = seed;
}

/* DMA by the engine into the framebuffer that is shown. */
static void engine_writes(void)
{
	struct display display = open_display();
	struct fb fb = create_mode_fb(&display, DRM_FORMAT_XRGB8888, 340);
	struct painter painter = open_painter(fb.size);
	uint32_t dst = import_from(painter.fd, display.fd, fb.handle);

	show(&display, &fb);
	assert_shown(&display, &fb);
	for (int i = 0; i < 3; i++) {
		prepare_paint(&painter, &fb, 341 + i);
		copy_bytes(painter.fd, painter.own, dst, fb.size);
		assert_shown(&display, &fb);
		assert_not_copied(&display, &fb);
	}
	close_painter(&painter);
	remove_fb(&display, &fb);
	close_display(&display);
}

/* The engine imports the buffer before it moves to VRAM to be shown. */
static void engine_follows(void)
{
	struct display display = open_display();
	struct fb fb = create_mode_fb(&display, DRM_FORMAT_BGRX8888, 345);
	struct painter painter = open_painter(fb.size);
	uint32_t dst = import_from(painter.fd, display.fd, fb.handle);

	move_buffer(display.fd, fb.handle, IN_SYSTEM);
	prepare_paint(&painter, &fb, 346);
	copy_bytes(painter.fd, painter.own, dst, fb.size);
	show(&display, &fb);
	assert_shown(&display, &fb);
	assert_not_copied(&display, &fb);
	prepare_paint(&painter, &fb, 347);
	copy_bytes(painter.fd, painter.own, dst, fb.size);
	assert_shown(&display, &fb);
	close_painter(&painter);
	remove_fb(&display, &fb);
	close_display(&display);
}

/* Userspace flips without waiting for the copy into the framebuffer. */
static void engine_flips(void)
{
	struct display display = open_display();
	struct painter painter;
	uint32_t dst[2];
	struct fb fbs[2];

	create_fbs(&display, fbs, 2);
	painter = open_painter(fbs[0].size);
	for (unsigned int i = 0; i < 2; i++)
		dst[i] = import_from(painter.fd, display.fd, fbs[i].handle);
	show(&display, &fbs[0]);
	for (unsigned int i = 1; i < 10; i++) {
		prepare_paint(&painter, &fbs[i % 2], 350 + i);
		submit_paint(&painter, dst[i % 2], 0);
		flip(&display, &fbs[i % 2]);
		assert_shown(&display, &fbs[i % 2]);
	}
	close_painter(&painter);
	remove_fbs(&display, fbs, 2);
	close_display(&display);
}

/* The old framebuffer is shown until the hung engine is reset. */
static void waits_for_engine(void)
{
	struct phyr_device engine = copy_device(0);
	struct display display = open_display();
	struct painter painter;
	struct fb fbs[2];
	uint32_t fence;

	use_mode(&display, 640, 480);
	create_fbs(&display, fbs, 2);
	painter = open_painter(fbs[0].size);
	igt_assert_eq(phyr_syncobj_create(painter.fd, &fence), 0);
	/* Show both once: a first commit may wait for a move into VRAM. */
	show(&display, &fbs[1]);
	show(&display, &fbs[0]);
	igt_assert_eq(phyr_hang(&engine, 1), 0);
	submit_paint(&painter, import_from(painter.fd, display.fd,
					   fbs[1].handle), fence);
	igt_assert_eq(try_flip(&display, &fbs[1], DRM_MODE_ATOMIC_NONBLOCK |
			       DRM_MODE_PAGE_FLIP_EVENT), 0);
	assert_shown(&display, &fbs[0]);
	igt_assert(!flip_is_over(&display));
	igt_assert_eq(phyr_syncobj_status(painter.fd, fence), 0);

	wait_for_flip(&display);
	igt_assert_eq(phyr_syncobj_status(painter.fd, fence), -ETIMEDOUT);
	assert_shown(&display, &fbs[1]);
	phyr_syncobj_destroy(painter.fd, fence);
	close_painter(&painter);
	remove_fbs(&display, fbs, 2);
	close_display(&display);
}

igt_main()
{
	igt_describe("100 flips between two framebuffers");
	igt_subtest("two")
		flips(2);

	igt_describe("100 flips between three framebuffers");
	igt_subtest("three")
		flips(3);

	igt_describe("Flips by the legacy page flip ioctl");
	igt_subtest("legacy")
		legacy_flips();

	igt_describe("Flips between framebuffers of different formats, pitches and placements");
	igt_subtest("different")
		different();

	igt_describe("A second flip is refused while the first is pending");
	igt_subtest("busy")
		busy();

	igt_describe("A framebuffer cannot be moved while it is shown");
	igt_subtest("pinned")
		pinned();

	igt_describe("A framebuffer that is shown is not evicted under memory pressure");
	igt_subtest("pressure")
		pressure();

	igt_describe("A framebuffer finds space in VRAM that is full");
	igt_subtest("full")
		full();

	igt_describe("Writes by a copy engine to the shown framebuffer appear on the screen");
	igt_subtest("engine-writes")
		engine_writes();

	igt_describe("An engine writes to a buffer that moved to VRAM to be shown");
	igt_subtest("engine-follows")
		engine_follows();

	igt_describe("A flip waits for a queued copy into its framebuffer");
	igt_subtest("engine-flips")
		engine_flips();

	igt_describe("A nonblocking flip waits for a hung copy into its framebuffer");
	igt_subtest("waits-for-engine")
		waits_for_engine();
}

// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "display.h"
#include "foreign.h"
#include "lib.h"
#include "screen.h"

IGT_TEST_DESCRIPTION("Framebuffers in buffers of other drivers");

#define WIDTH	1024
#define HEIGHT	768
#define SIZE	(4 * WIDTH * HEIGHT)

static const struct fb template = {
	.width = WIDTH,
	.height = HEIGHT,
	.format = DRM_FORMAT_XRGB8888,
};

/* Show it, update it in part and as a whole, and flip away and back. */
static void show_dmabuf(int dmabuf)
{
	struct rect part = { 77, 99, 401, 203 };
	struct display display = open_display();
	drmModeClip clip = { 77, 99, 77 + 401, 99 + 203 };
	struct fb other = create_mode_fb(&display, DRM_FORMAT_RGB565, 400);
	struct fb fb = import_fb(&display, template, dmabuf, 401);

	show(&display, &fb);
	assert_shown(&display, &fb);
	patch_fb(&fb, &part, 402);
	igt_assert_eq(drmModeDirtyFB(display.fd, fb.id, &clip, 1), 0);
	assert_shown(&display, &fb);
	paint_fb(&fb, 403);
	igt_assert_eq(drmModeDirtyFB(display.fd, fb.id, NULL, 0), 0);
	assert_shown(&display, &fb);
	flip(&display, &other);
	assert_shown(&display, &other);
	paint_fb(&fb, 404);
	assert_shown(&display, &other);
	flip(&display, &fb);
	assert_shown(&display, &fb);
	paint_fb(&fb, 405);
	flip(&display, &fb);
	assert_shown(&display, &fb);
	remove_fb(&display, &fb);
	assert_screen_black();
	remove_fb(&display, &other);
	close_display(&display);
}

static int vgem_dmabuf(void)
{
	struct drm_mode_create_dumb create = {
		.width = WIDTH, .height = HEIGHT, .bpp = 32,
	};
	int vgem, dmabuf;

	run_command("modprobe vgem");
	vgem = open_drm("vgem");
	igt_assert_eq(phyr_ioctl(vgem, DRM_IOCTL_MODE_CREATE_DUMB, &create), 0);
	igt_assert_eq(create.pitch, WIDTH * 4);
	dmabuf = export_buffer(vgem, create.handle);
	close(vgem);
	return dmabuf;
}

/* The other card's memory must be free again afterwards. */
static void show_other_card(uint32_t placement)
{
	struct phyr_device card = vram_device(0);
	uint64_t free = vram_free(&card);

	show_dmabuf(create_fragmented(SIZE, placement));
	wait_for_vram_free(&card, free);
}

static int engine_dmabuf(void)
{
	int engine = open_copy(0), dmabuf;

	dmabuf = export_buffer(engine, create_own(engine, SIZE));
	close(engine);
	return dmabuf;
}

/* The card's own buffer, imported through a dma-buf, is not copied. */
static void own_dmabuf(void)
{
	struct display display = open_display();
	uint32_t handle = create_vram(display.fd, SIZE, EVICTABLE, 0);
	struct fb fb;

	fb = import_fb(&display, template, export_buffer(display.fd, handle),
		       410);
	igt_assert_eq(fb.handle, handle);
	show(&display, &fb);
	assert_shown(&display, &fb);
	assert_not_copied(&display, &fb);
	remove_fb(&display, &fb);
	close_display(&display);
}

/* Formats, pitches and offsets are handled as for the card's own buffers. */
static void formats(void)
{
	static const struct fb templates[] = {
		{ .width = 640, .height = 480, .format = DRM_FORMAT_RGB565 },
		{ .width = 640, .height = 480, .format = DRM_FORMAT_BGRX8888,
		  .pitch = 3000, .offset = 400 },
		{ .width = 900, .height = 600, .format = DRM_FORMAT_XRGB8888 },
		{ .width = 901, .height = 601, .format = DRM_FORMAT_RGB565,
		  .pitch = 1804, .offset = 1804 * 3 + 4 },
	};
	struct display display = open_display();

	use_mode(&display, 640, 480);
	for (unsigned int i = 0; i < ARRAY_SIZE(templates); i++) {
		struct rect part = { 200, 100, 311, 77 };
		drmModeClip clip = { 200, 100, 511, 177 };
		struct fb fb = import_fb(&display, templates[i],
					 create_udmabuf(SIZE), 420 + i);
		uint32_t x = fb.width - 640, y = fb.height - 480;

		show_at(&display, &fb, x, y);
		assert_shown_at(&display, &fb, x, y);
		patch_fb(&fb, &part, 430);
		igt_assert_eq(drmModeDirtyFB(display.fd, fb.id, &clip, 1), 0);
		assert_shown_at(&display, &fb, x, y);
		show_at(&display, &fb, 0, 0);
		assert_shown_at(&display, &fb, 0, 0);
		remove_fb(&display, &fb);
	}
	close_display(&display);
}

/* Lines "task-pid [cpu] flags time: function <-caller" of one function. */
static void count_line(char *line, void *data)
{
	unsigned int *count = data;

	*count += !!strstr(line, "<-");
}

/* The calling tasks, in order. */
struct callers {
	unsigned int nr;
	int pids[8];
};

static void note_caller(char *line, void *data)
{
	struct callers *callers = data;
	char *task = strstr(line, " [");

	if (!strstr(line, "<-") || callers->nr == ARRAY_SIZE(callers->pids))
		return;
	igt_assert(task);
	*task = '\0';
	callers->pids[callers->nr++] = atoi(strrchr(line, '-') + 1);
}

static void trace_function(const char *function)
{
	trace_reset();
	trace_write("set_ftrace_filter", function);
	trace_write("current_tracer", "function");
	trace_start();
}

/*
 * udmabuf allocates its table of pages in the first begin_cpu_access. That is
 * in the ioctl, not in the end of the commit, which no allocation may hold up.
 */
static void allocates_early(void)
{
	struct display display = open_display();
	struct fb own = create_mode_fb(&display, DRM_FORMAT_XRGB8888, 490);
	struct fb fb = import_fb(&display, template, create_udmabuf(SIZE), 491);
	struct fb late = template;
	struct callers callers = { 0 };

	/* This one is never painted, which would begin CPU access, too. */
	late.pitch = 4 * WIDTH;
	late.handle = import_buffer(display.fd, create_udmabuf(SIZE));
	igt_assert_eq(try_add_fb(display.fd, &late, &late.id), 0);
	show(&display, &own);
	trace_function("begin_cpu_udmabuf");
	flip(&display, &late);
	flip(&display, &late);
	trace_stop();
	trace_each(note_caller, &callers);
	/* Once early and once to copy; the second time only to copy. */
	igt_assert_eq(callers.nr, 3);
	igt_assert_eq(callers.pids[0], getpid());
	igt_assert(callers.pids[1] != getpid());
	igt_assert(callers.pids[2] != getpid());
	flip(&display, &fb);
	assert_shown(&display, &fb);
	remove_fb(&display, &fb);
	remove_fb(&display, &own);
	igt_assert_eq(drmModeRmFB(display.fd, late.id), 0);
	igt_assert_eq(phyr_close_handle(display.fd, late.handle), 0);
	trace_reset();
	close_display(&display);
}

/*
 * 100 flips between foreign buffers allocate the VRAM for two or three copies,
 * once, and leave no more allocated: a flip may start before the last one has
 * released its copy.
 */
static void flips(void)
{
	struct display display = open_display();
	struct fb own = create_mode_fb(&display, DRM_FORMAT_RGB565, 442);
	struct fb fbs[2];
	unsigned int created = 0;
	uint64_t before, free;

	use_mode(&display, 640, 480);
	for (int i = 0; i < 2; i++)
		fbs[i] = import_fb(&display, (struct fb){
			.width = 640,
			.height = 480,
			.format = DRM_FORMAT_XRGB8888,
		}, create_udmabuf(SIZE), 440 + i);
	show(&display, &own);
	before = vram_free(&display.card);
	trace_function("vram_gem_create");
	for (int i = 1; i <= 100; i++)
		flip(&display, &fbs[i % 2]);
	trace_stop();
	assert_shown(&display, &fbs[0]);
	free = vram_free(&display.card);
	igt_assert_lte_u64(before, free + 3 * 4 * 640 * 480);
	trace_each(count_line, &created);
	igt_info("%u copies in 100 page flips\n", created);
	igt_assert(created == 2 || created == 3);
	trace_reset();
	flip(&display, &own);
	wait_for_vram_free(&display.card, before);
	remove_fb(&display, &own);
	remove_fb(&display, &fbs[1]);
	remove_fb(&display, &fbs[0]);
	close_display(&display);
}

/* A buffer fixed in another card's VRAM: the CPU must not copy it. */
static void other_card_fixed(void)
{
	struct display display = open_display();
	struct fb own = create_mode_fb(&display, DRM_FORMAT_XRGB8888, 450);
	struct fb fb = template;
	struct view view = { .fb = &fb };
	int dmabuf = create_fragmented(SIZE, IN_VRAM), err;

	show(&display, &own);
	err = phyr_import(display.fd, dmabuf, &fb.handle);
	if (!err) {
		fb.pitch = 4 * WIDTH;
		igt_assert_eq(try_add_fb(display.fd, &fb, &fb.id), 0);
		err = try_show_view(&display, &view, 0);
		igt_assert_eq(drmModeRmFB(display.fd, fb.id), 0);
		igt_assert_eq(phyr_close_handle(display.fd, fb.handle), 0);
	}
	igt_assert_f(err < 0, "the buffer was shown (%d), expected an error\n", err);
	igt_info("%s\n", strerror(-err));
	assert_shown(&display, &own);
	close(dmabuf);
	remove_fb(&display, &own);
	close_display(&display);
}

static void too_small(void)
{
	static const struct fb templates[] = {
		{ .width = 64, .height = 64, .format = DRM_FORMAT_XRGB8888,
		  .pitch = 256 + 4 },
		{ .width = 65, .height = 64, .format = DRM_FORMAT_XRGB8888,
		  .pitch = 260 },
		{ .width = 64, .height = 65, .format = DRM_FORMAT_XRGB8888,
		  .pitch = 256 },
		{ .width = 64, .height = 64, .format = DRM_FORMAT_XRGB8888,
		  .pitch = 256, .offset = 4 },
		{ .width = 64, .height = 129, .format = DRM_FORMAT_RGB565,
		  .pitch = 128 },
		{ .width = 1024, .height = 768, .format = DRM_FORMAT_RGB565,
		  .pitch = 2048 },
	};
	struct display display = open_display();
	int dmabuf = create_udmabuf(4 * SZ_4K);
	uint32_t handle = import_buffer(display.fd, dmabuf), id;
	struct fb good = { .width = 64, .height = 64, .pitch = 256,
			   .format = DRM_FORMAT_XRGB8888, .handle = handle };

	for (unsigned int i = 0; i < ARRAY_SIZE(templates); i++) {
		struct fb fb = templates[i];

		fb.handle = handle;
		igt_assert_eq(try_add_fb(display.fd, &fb, &id), -EINVAL);
	}
	igt_assert_eq(try_add_fb(display.fd, &good, &id), 0);
	igt_assert_eq(drmModeRmFB(display.fd, id), 0);
	igt_assert_eq(phyr_close_handle(display.fd, handle), 0);
	close(dmabuf);
	close_display(&display);
}

/* Whatever fills VRAM, the copy finds space. */
static void no_room(void)
{
	struct display display = open_display();
	struct fb own = create_mode_fb(&display, DRM_FORMAT_XRGB8888, 460);
	struct fb fb = import_fb(&display, template, create_udmabuf(SIZE), 461);
	uint32_t handle;

	show(&display, &own);
	while (!phyr_vram_create(display.fd, SZ_1M, IN_VRAM, 0, &handle))
		;
	for (int i = 0; i < 64; i++)
		create_vram(display.fd, SZ_1M, EVICTABLE, SZ_4K);
	flip(&display, &fb);
	assert_shown(&display, &fb);
	flip(&display, &own);
	assert_shown(&display, &own);
	remove_fb(&display, &fb);
	remove_fb(&display, &own);
	close_display(&display);
}

/* The copy of a foreign buffer is not evicted while it is shown. */
static void pressure(void)
{
	struct display display = open_display();
	struct fb fb = import_fb(&display, template, create_udmabuf(SIZE), 470);

	show(&display, &fb);
	for (uint32_t i = 0; i < 64; i++)
		fill_vram(display.fd, create_vram(display.fd, SZ_1M, EVICTABLE,
						  0), SZ_1M, i);
	assert_shown(&display, &fb);
	remove_fb(&display, &fb);
	close_display(&display);
}

/* The exporter's card is unbound while its buffer is on the screen. */
static void exporter_gone(void)
{
	struct phyr_device card = vram_device(0);
	struct display display = open_display();
	struct fb own = create_mode_fb(&display, DRM_FORMAT_XRGB8888, 480);
	struct fb fb = import_fb(&display, template, create_fragmented(SIZE, EVICTABLE),
				 481);

	show(&display, &fb);
	assert_shown(&display, &fb);
	remove_device(card.busid, UNBIND);
	/* The copy remains; another copy may fail or have any content. */
	assert_shown(&display, &fb);
	drmModeDirtyFB(display.fd, fb.id, NULL, 0);
	flip(&display, &own);
	assert_shown(&display, &own);
	try_flip(&display, &fb, 0);
	flip(&display, &own);
	assert_shown(&display, &own);
	remove_fb(&display, &fb);
	restore_device(card.busid, PHYR_VRAM_DRIVER, UNBIND);
	remove_fb(&display, &own);
	close_display(&display);
}

igt_main()
{
	igt_describe("A udmabuf, that is pages of a process, is shown");
	igt_subtest("udmabuf")
		show_dmabuf(create_udmabuf(SIZE));

	igt_describe("A dumb buffer of vgem is shown");
	igt_subtest("vgem")
		show_dmabuf(vgem_dmabuf());

	igt_describe("A buffer of a card without a display is shown");
	igt_subtest("other-card")
		show_other_card(EVICTABLE);

	igt_describe("Another card's buffer in system memory is shown");
	igt_subtest("other-card-system")
		show_other_card(IN_SYSTEM);

	igt_describe("A buffer fixed in another card's VRAM is refused");
	igt_subtest("other-card-vram")
		other_card_fixed();

	igt_describe("A copy engine's own buffer is shown");
	igt_subtest("engine")
		show_dmabuf(engine_dmabuf());

	igt_describe("The display's own buffer, imported through a dma-buf, is not copied");
	igt_subtest("own")
		own_dmabuf();

	igt_describe("Foreign buffers of other formats, pitches, offsets and sizes are shown");
	igt_subtest("formats")
		formats();

	igt_describe("100 flips between foreign buffers, whose copies are reused");
	igt_subtest("flips")
		flips();

	igt_describe("The exporter of a new framebuffer allocates in the ioctl, not in the end of the commit");
	igt_subtest("allocates-early")
		allocates_early();

	igt_describe("Framebuffers larger than the dma-buf are refused");
	igt_subtest("too-small")
		too_small();

	igt_describe("The copy finds space in VRAM that is full");
	igt_subtest("no-room")
		no_room();

	igt_describe("The copy of a shown foreign buffer is not evicted");
	igt_subtest("pressure")
		pressure();

	igt_describe("The exporter of a shown buffer is unbound");
	igt_subtest("exporter-gone")
		exporter_gone();
}

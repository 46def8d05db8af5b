// SPDX-License-Identifier: MIT
/* Pictures larger than the screen, or on a part of it. */
#include <string.h>

#include "screen.h"
#include "subtests.h"

void pan_over_picture(uint32_t format)
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

/* Smaller than the screen, across its edges, covering it, and outside of it. */
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

void parts_of_screen(uint32_t format)
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

/**
 * struct neighbours - buffers, each filled with its index as seed
 * @handles: the buffers
 * @nr: their number
 */
struct neighbours {
	uint32_t handles[1024];
	unsigned int nr;
};

static void add_neighbour(int fd, struct neighbours *neighbours, uint32_t handle,
			  uint64_t size)
{
	igt_assert(neighbours->nr < ARRAY_SIZE(neighbours->handles));
	fill_vram(fd, handle, size, neighbours->nr);
	neighbours->handles[neighbours->nr++] = handle;
}

/* Fill VRAM: first the part for buffers that are never evicted, then the rest. */
static void add_neighbours(const struct display *display,
			   struct neighbours *neighbours, uint64_t size)
{
	uint32_t handle;

	while (!phyr_vram_create(display->fd, size, IN_VRAM, 0, &handle))
		add_neighbour(display->fd, neighbours, handle, size);
	while (vram_free(&display->card) >= size)
		add_neighbour(display->fd, neighbours,
			      create_vram(display->fd, size, EVICTABLE, 0),
			      size);
}

/* The copy lies next to other buffers and must not write into them. */
void parts_keep_out(uint32_t x, uint32_t y)
{
	struct fb fb = { .width = 704, .height = 512,
			 .format = DRM_FORMAT_XRGB8888 };
	struct view view = { .fb = &fb, .src = { 0, 0, 101, 101 },
			     .dst = { x, y, 101, 101 } };
	struct neighbours neighbours = { .nr = 0 };
	struct display display;

	display = open_display();
	use_mode(&display, 640, 480);
	fb = create_fb(&display, fb, 74);
	igt_assert_eq(try_show_view(&display, &view, 0), 0);
	add_neighbours(&display, &neighbours, SZ_64K);
	add_neighbours(&display, &neighbours, SZ_4K);
	igt_assert_eq(drmModeDirtyFB(display.fd, fb.id, NULL, 0), 0);
	assert_view(&display, &view);
	for (unsigned int i = 0; i < neighbours.nr; i++)
		assert_vram(display.fd, neighbours.handles[i],
			    vram_info(display.fd, neighbours.handles[i]).size,
			    i);
	remove_fb(&display, &fb);
	close_display(&display);
}

void parts_foreign(void)
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

// SPDX-License-Identifier: MIT
/* Render nodes, a lessee, and a test card. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "screen.h"
#include "subtests.h"
#include "testcard.h"

static uint32_t card_colour(const void *data, uint32_t x, uint32_t y)
{
	const struct testcard *card = data;

	return card->colours[y][x];
}

/* Kept as /out/testcard.ppm; docs/display.png is a copy. */
void show_testcard(void)
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

void render_only(void)
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

/* Only a master can show a picture. */
void render_node(void)
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

/* A lessee shows and flips; the lessor cannot until the lease ends. */
void lessee(void)
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

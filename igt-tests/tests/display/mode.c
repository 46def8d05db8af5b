// SPDX-License-Identifier: MIT
/* Modes, formats and layouts of lines. */
#include <inttypes.h>

#include "subtests.h"

const uint32_t formats[NR_FORMATS] = {
	DRM_FORMAT_XRGB8888,
	DRM_FORMAT_BGRX8888,
	DRM_FORMAT_RGB565,
};

static void show_each_format(const struct display *display, uint32_t seed)
{
	for (unsigned int i = 0; i < NR_FORMATS; i++) {
		struct fb fb = create_mode_fb(display, formats[i], seed + i);

		show(display, &fb);
		assert_shown(display, &fb);
		assert_not_copied(display, &fb);
		turn_off(display);
		remove_fb(display, &fb);
	}
}

void offered_mode(uint32_t width, uint32_t height)
{
	struct display display = open_display();

	use_mode(&display, width, height);
	show_each_format(&display, width);
	close_display(&display);
}

void largest_mode(void)
{
	struct display display = open_display();

	use_largest_mode(&display);
	igt_info("%s\n", display.mode.name);
	igt_assert_lte_u64(1920 * 1080, display.mode.hdisplay *
			   display.mode.vdisplay);
	show_each_format(&display, 20);
	close_display(&display);
}

/*
 * Pixels are premultiplied and nothing is below the plane: the colour is shown,
 * whatever alpha is (put_pixel() makes it noise).
 */
void alpha(void)
{
	static const uint32_t with_alpha[] = {
		DRM_FORMAT_ARGB8888, DRM_FORMAT_BGRA8888,
	};
	struct display display = open_display();

	for (unsigned int i = 0; i < ARRAY_SIZE(with_alpha); i++) {
		struct fb fb = create_mode_fb(&display, with_alpha[i], 175 + i);

		show(&display, &fb);
		assert_shown(&display, &fb);
		assert_not_copied(&display, &fb);
		turn_off(&display);
		remove_fb(&display, &fb);
	}
	close_display(&display);
}

/* Show a picture whose lines are laid out like @layout says. */
static void show_layout(const struct display *display, struct fb layout,
			uint32_t seed)
{
	struct fb fb = create_fb(display, layout, seed);

	show(display, &fb);
	assert_shown(display, &fb);
	turn_off(display);
	remove_fb(display, &fb);
}

/*
 * Show a picture of @mode's size in each format. Its buffer has lines of @line
 * pixels and @pad bytes, a multiple of 4 in all; the picture starts at pixel
 * @first.
 */
static void show_layouts(const struct display *display, uint32_t line,
			 uint32_t pad, uint32_t first, uint32_t seed)
{
	for (unsigned int i = 0; i < NR_FORMATS; i++) {
		uint32_t cpp = pixel_size(formats[i]);

		show_layout(display, (struct fb){
			.width = display->mode.hdisplay,
			.height = display->mode.vdisplay,
			.format = formats[i],
			.pitch = (line * cpp + pad + 3) & ~3u,
			.offset = first * cpp,
		}, seed + i);
	}
}

void own_mode(uint32_t width, uint32_t height)
{
	struct display display = open_display();

	display.mode = make_mode(width, height);
	show_layouts(&display, width, 0, 0, 30);
	close_display(&display);
}

void long_pitch(void)
{
	struct display display = open_display();

	show_layouts(&display, 1024, 52, 0, 40);
	close_display(&display);
}

/* The picture starts at a pixel in the middle of a line of its buffer. */
void pictures_at_offset(void)
{
	struct display display = open_display();

	show_layouts(&display, 1100, 0, 7 * 1100 + 40, 50);
	close_display(&display);
}

/* Paint colours that RGB565 can represent. */
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
 * Padding, the bytes before the first line, and unused bits are noise and do
 * not count. Every pixel counts, the last as well as the first.
 */
void crcs(void)
{
	static const struct {
		uint32_t pixels;
		uint32_t lines;
	} gaps[] = { { 0, 0 }, { 13, 0 }, { 41, 3 } };
	struct display display = open_display();
	const uint32_t width = 402, height = 301;
	uint64_t want = 0, crc;

	display.mode = make_mode(width, height);
	for (unsigned int i = 0; i < NR_FORMATS * ARRAY_SIZE(gaps);
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

/* Every mode that the connector lists can be set. */
void offered_modes(void)
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

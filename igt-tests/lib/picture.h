/* SPDX-License-Identifier: MIT */
/*
 * Test pictures: noise from a seed, on a slope, with marked corners. No two
 * rows, columns or seeds are equal. Also models how a display converts pixels.
 * A colour is 0xRRGGBB.
 */
#ifndef PHYR_TESTS_PICTURE_H
#define PHYR_TESTS_PICTURE_H

#include <stdint.h>

/* A part of a picture, in pixels. */
struct rect {
	uint32_t x;
	uint32_t y;
	uint32_t width;
	uint32_t height;
};

/* The colour of the pixel at @x, @y in a picture of @width times @height. */
uint32_t picture_colour(uint32_t seed, uint32_t x, uint32_t y, uint32_t width,
			uint32_t height);

/* Bytes per pixel of a DRM_FORMAT_* that the display supports. */
uint32_t pixel_size(uint32_t format);

/* Store a pixel; unused bits of the format get noise. */
void put_pixel(void *at, uint32_t format, uint32_t colour);

/* The colour after conversion to @format and back to 8 bits per channel. */
uint32_t shown_colour(uint32_t format, uint32_t colour);

/*
 * Paint @rect of the picture of @width times @height whose first pixel is at
 * @mem.
 */
void paint_rect(uint8_t *mem, uint32_t pitch, uint32_t format, uint32_t width,
		uint32_t height, const struct rect *rect, uint32_t seed);

#endif

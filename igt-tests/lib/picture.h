/* SPDX-License-Identifier: MIT */
/*
 * Pictures to show: noise that a seed tells, on a slope, with marked corners.
 * No two rows, columns or seeds look alike, and what a display does to pixels
 * of a format is done here too. A colour is 0xRRGGBB.
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

/* The colour of the pixel at @x, @y, in a picture of that size. */
uint32_t picture_colour(uint32_t seed, uint32_t x, uint32_t y, uint32_t width,
			uint32_t height);

/* Bytes of a pixel of a DRM_FORMAT_* that the display has. */
uint32_t pixel_size(uint32_t format);

/* Bits that a format does not show are noise. */
void put_pixel(void *at, uint32_t format, uint32_t colour);

/* What is left of a colour when a display shows it in 8 bits each again. */
uint32_t shown_colour(uint32_t format, uint32_t colour);

/* Part of a picture of @width times @height whose first pixel is at @mem. */
void paint_rect(uint8_t *mem, uint32_t pitch, uint32_t format, uint32_t width,
		uint32_t height, const struct rect *rect, uint32_t seed);

#endif

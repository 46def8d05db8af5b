// SPDX-License-Identifier: MIT
#include <drm_fourcc.h>
#include <string.h>

#include "igt.h"
#include "picture.h"

#define CORNER	8

static const uint32_t corners[2][2] = {
	{ 0xff0000, 0x00ff00 },
	{ 0x0000ff, 0xffffff },
};

/* Knuth's multipliers, then a mix, so that no position repeats. */
static uint32_t noise(uint32_t seed, uint32_t x, uint32_t y)
{
	uint32_t n = seed * 2654435761u + x * 2246822519u + y * 3266489917u;

	n ^= n >> 15;
	n *= 2246822519u;
	return n ^ n >> 13;
}

uint32_t picture_colour(uint32_t seed, uint32_t x, uint32_t y, uint32_t width,
			uint32_t height)
{
	uint32_t n, slope;

	if ((x < CORNER || x >= width - CORNER) &&
	    (y < CORNER || y >= height - CORNER))
		return corners[y >= CORNER][x >= CORNER];

	/*
	 * All bits of the three channels are noise; the slope is for human
	 * viewers.
	 */
	n = noise(seed, x, y);
	slope = (x * 128 / width) << 16 | (y * 128 / height) << 8;
	return ((n & 0x7f7fff) + slope) & 0xffffff;
}

uint32_t pixel_size(uint32_t format)
{
	return format == DRM_FORMAT_RGB565 ? 2 : 4;
}

void put_pixel(void *at, uint32_t format, uint32_t colour)
{
	uint32_t junk = (colour * 2654435761u) >> 24, word;
	uint16_t half;

	switch (format) {
	case DRM_FORMAT_RGB565:
		half = (colour >> 8 & 0xf800) | (colour >> 5 & 0x07e0) |
		       (colour >> 3 & 0x001f);
		memcpy(at, &half, sizeof(half));
		return;
	case DRM_FORMAT_XRGB8888:
	case DRM_FORMAT_ARGB8888:
		word = junk << 24 | colour;
		break;
	case DRM_FORMAT_BGRX8888:
	case DRM_FORMAT_BGRA8888:
		word = __builtin_bswap32(colour) | junk;
		break;
	default:
		igt_assert_f(false, "no pixels of format %#x here\n", format);
	}
	memcpy(at, &word, sizeof(word));
}

uint32_t shown_colour(uint32_t format, uint32_t colour)
{
	if (format != DRM_FORMAT_RGB565)
		return colour;

	/* Replicate the high bits, as QEMU's pixman does. */
	colour &= 0xf8fcf8;
	return colour | (colour >> 5 & 0x070007) | (colour >> 6 & 0x000300);
}

void paint_rect(uint8_t *mem, uint32_t pitch, uint32_t format, uint32_t width,
		uint32_t height, const struct rect *rect, uint32_t seed)
{
	uint32_t cpp = pixel_size(format);

	for (uint32_t y = rect->y; y < rect->y + rect->height; y++)
		for (uint32_t x = rect->x; x < rect->x + rect->width; x++)
			put_pixel(mem + (uint64_t)y * pitch + x * cpp, format,
				  picture_colour(seed, x, y, width, height));
}

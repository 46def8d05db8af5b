// SPDX-License-Identifier: GPL-2.0
/*
 * The picture: a still test pattern, and the frame number
 *
 * The number is encoded in the top lines, in 32 cells of equal width, most
 * significant bit on the left: white for 1, black for 0. Columns left over on
 * the right are black. So a program can tell from a picture which frame it is.
 *
 * Colours are computed in 8-bit RGB, adjusted for brightness, and then encoded;
 * YCbCr is BT.601 with limited range. Chroma is sampled at the upper left of
 * the pixels that share it.
 */
#include <linux/minmax.h>
#include <linux/string.h>

#include "camera.h"

#define CAMERA_NUMBER_LINES	16
#define CAMERA_NUMBER_CELLS	32
#define CAMERA_SQUARE		16
#define CAMERA_COLOURS		8

const char *const camera_pattern_names[CAMERA_PATTERNS] = {
	[CAMERA_BARS] = "Colour Bars",
	[CAMERA_GRADIENT] = "Gradient",
	[CAMERA_CHECKERBOARD] = "Checkerboard",
};

struct camera_colour {
	u8 r;
	u8 g;
	u8 b;
};

static struct camera_colour camera_grey(u8 level)
{
	return (struct camera_colour) { level, level, level };
}

static struct camera_colour
camera_pattern_colour(const struct camera_frame *frame, u32 x, u32 y)
{
	static const struct camera_colour bars[CAMERA_COLOURS] = {
		{ 255, 255, 255 }, { 255, 255, 0 }, { 0, 255, 255 },
		{ 0, 255, 0 }, { 255, 0, 255 }, { 255, 0, 0 },
		{ 0, 0, 255 }, { 0, 0, 0 },
	};
	u32 width = frame->pix.width, height = frame->pix.height;
	u8 across = x * 255 / (width - 1), down = y * 255 / (height - 1);

	switch (frame->look.pattern) {
	case CAMERA_GRADIENT:
		return (struct camera_colour) { across, down, 255 - across };
	case CAMERA_CHECKERBOARD:
		return camera_grey((x / CAMERA_SQUARE + y / CAMERA_SQUARE) & 1 ?
				   255 : 0);
	default:
		return bars[x * CAMERA_COLOURS / width];
	}
}

static u8 camera_brighten(u8 level, s32 brightness)
{
	return clamp(level + brightness - 128, 0, 255);
}

static struct camera_colour camera_colour(const struct camera_frame *frame,
					  u32 number, u32 x, u32 y)
{
	u32 cell = x / (frame->pix.width / CAMERA_NUMBER_CELLS);
	s32 brightness = frame->look.brightness;
	struct camera_colour colour;

	if (y < CAMERA_NUMBER_LINES)
		return camera_grey(cell < CAMERA_NUMBER_CELLS &&
				   number & (0x80000000 >> cell) ? 255 : 0);

	colour = camera_pattern_colour(frame, x, y);
	colour.r = camera_brighten(colour.r, brightness);
	colour.g = camera_brighten(colour.g, brightness);
	colour.b = camera_brighten(colour.b, brightness);
	return colour;
}

static u8 camera_y(struct camera_colour c)
{
	return ((66 * c.r + 129 * c.g + 25 * c.b + 128) >> 8) + 16;
}

static u8 camera_cb(struct camera_colour c)
{
	return ((-38 * c.r - 74 * c.g + 112 * c.b + 128) >> 8) + 128;
}

static u8 camera_cr(struct camera_colour c)
{
	return ((112 * c.r - 94 * c.g - 18 * c.b + 128) >> 8) + 128;
}

/* Encode a pixel of the first plane. Chroma is taken from @even. */
static void camera_encode(u32 fourcc, struct camera_colour c,
			  struct camera_colour even, u32 x, u8 *to)
{
	u16 rgb;

	switch (fourcc) {
	case V4L2_PIX_FMT_XBGR32:
		to[0] = c.b;
		to[1] = c.g;
		to[2] = c.r;
		to[3] = 0;
		break;
	case V4L2_PIX_FMT_XRGB32:
		to[0] = 0;
		to[1] = c.r;
		to[2] = c.g;
		to[3] = c.b;
		break;
	case V4L2_PIX_FMT_RGB565:
		rgb = c.r >> 3 << 11 | c.g >> 2 << 5 | c.b >> 3;
		to[0] = rgb & 0xff;
		to[1] = rgb >> 8;
		break;
	case V4L2_PIX_FMT_YUYV:
		to[0] = camera_y(c);
		to[1] = x % 2 ? camera_cr(even) : camera_cb(even);
		break;
	default:
		to[0] = camera_y(c);
		break;
	}
}

static void camera_draw_line(struct camera_frame *frame, u32 number, u32 y)
{
	u32 fourcc = frame->format->fourcc, cpp = frame->format->cpp, x;
	struct camera_colour colour, even = { };

	for (x = 0; x < frame->pix.width; x++) {
		colour = camera_colour(frame, number, x, y);
		if (x % 2 == 0)
			even = colour;
		camera_encode(fourcc, colour, even, x, frame->line + x * cpp);
	}
}

static void camera_draw_chroma(struct camera_frame *frame, u32 number, u32 y)
{
	struct camera_colour colour;
	u32 x;

	for (x = 0; x < frame->pix.width; x += 2) {
		colour = camera_colour(frame, number, x, 2 * y);
		frame->line[x] = camera_cb(colour);
		frame->line[x + 1] = camera_cr(colour);
	}
}

/* Return: offset of @plane in memory plane @memory; lines are @pitch apart. */
static size_t camera_plane_start(const struct camera_frame *frame, u32 plane,
				 u32 *memory, u32 *pitch)
{
	size_t start = 0;

	*memory = min_t(u32, plane, frame->format->memory_planes - 1);
	*pitch = frame->pix.plane_fmt[*memory].bytesperline;
	if (*memory < plane)
		start = (size_t)*pitch * frame->pix.height;
	return start;
}

static void camera_draw_plane(struct camera_frame *frame, u32 plane, u32 lines,
			      u32 number)
{
	u32 memory, pitch, y, used = frame->pix.width * frame->format->cpp;
	size_t start = camera_plane_start(frame, plane, &memory, &pitch);

	for (y = 0; y < lines; y++) {
		if (plane)
			camera_draw_chroma(frame, number, y);
		else
			camera_draw_line(frame, number, y);
		camera_memory_write(&frame->memory[memory],
				    start + (size_t)y * pitch, frame->line,
				    used);
	}
}

/**
 * camera_frame_draw - draw the next frame into coherent memory
 * @frame: the frame
 * @look: control values
 * @number: frame number
 *
 * Redraws only the frame number if @look is unchanged.
 *
 * Context: no DMA from the memory; may sleep.
 */
void camera_frame_draw(struct camera_frame *frame, struct camera_look look,
		       u32 number)
{
	bool same = frame->drawn && frame->look.pattern == look.pattern &&
		    frame->look.brightness == look.brightness;
	u32 lines = same ? CAMERA_NUMBER_LINES : frame->pix.height;
	u32 plane;

	frame->look = look;
	for (plane = 0; plane < frame->format->planes; plane++)
		camera_draw_plane(frame, plane, plane ? lines / 2 : lines,
				  number);
	frame->drawn = true;
}

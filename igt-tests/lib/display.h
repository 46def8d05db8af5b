/* SPDX-License-Identifier: MIT */
/*
 * The display of a card: modes, framebuffers with a known picture in them, and
 * atomic commits. As in lib.h every helper asserts success, but for try_*(),
 * which return 0 or a negative errno.
 */
#ifndef PHYR_TESTS_DISPLAY_H
#define PHYR_TESTS_DISPLAY_H

#include <drm_fourcc.h>
#include <stdbool.h>
#include <stdint.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#include "libphyr.h"
#include "picture.h"

enum display_property {
	CRTC_ACTIVE,
	CRTC_MODE,
	CONNECTOR_CRTC,
	PLANE_CRTC,
	PLANE_FB,
	PLANE_SRC_X,
	PLANE_SRC_Y,
	PLANE_SRC_W,
	PLANE_SRC_H,
	PLANE_CRTC_X,
	PLANE_CRTC_Y,
	PLANE_CRTC_W,
	PLANE_CRTC_H,
	NR_DISPLAY_PROPERTIES,
};

/**
 * struct display - a card with a display, opened by a DRM master
 * @card: the card
 * @free: bytes of free VRAM before it was opened
 * @fd: its primary node
 * @crtc: object id
 * @plane: object id
 * @connector: object id
 * @properties: their ids
 * @modes: what the connector offers
 * @nr_modes: their number
 * @mode: what commits set
 */
struct display {
	struct phyr_device card;
	uint64_t free;
	int fd;
	uint32_t crtc;
	uint32_t plane;
	uint32_t connector;
	uint32_t properties[NR_DISPLAY_PROPERTIES];
	drmModeModeInfo modes[64];
	unsigned int nr_modes;
	drmModeModeInfo mode;
};

struct phyr_device display_device(void);
struct display open_display(void);
/* The same with a file descriptor of one's own, such as a lessee's. */
struct display open_display_of(int fd);
/* All VRAM must come back, */
void close_display(struct display *display);
/* unless the card does not. */
void leave_display(struct display *display);

/* What the connector offers; use_mode() takes it for the next commits. */
bool has_mode(const struct display *display, uint32_t width, uint32_t height);
void use_mode(struct display *display, uint32_t width, uint32_t height);
/* The offered mode with most pixels that the driver takes. */
void use_largest_mode(struct display *display);
/* A mode that nobody offers. */
drmModeModeInfo make_mode(uint32_t width, uint32_t height);

/**
 * struct fb - a framebuffer, and the picture that it holds
 * @width: pixels
 * @height: pixels
 * @format: DRM_FORMAT_*
 * @pitch: bytes; 0 has it made as small as can be
 * @offset: of the first pixel, in bytes
 * @placement: of the buffer; 0 is in VRAM, and evictable
 * @max_extent: likewise
 * @id: DRM object
 * @handle: the buffer
 * @size: its bytes
 * @dmabuf: of a foreign buffer; -1 for one of the card
 * @mem: mapping of the buffer
 * @seed: the picture
 * @patch: a part with another picture
 * @patch_seed: which
 */
struct fb {
	uint32_t width;
	uint32_t height;
	uint32_t format;
	uint32_t pitch;
	uint32_t offset;
	uint32_t placement;
	uint64_t max_extent;

	uint32_t id;
	uint32_t handle;
	uint64_t size;
	int dmabuf;
	uint8_t *mem;
	uint32_t seed;
	struct rect patch;
	uint32_t patch_seed;
};

/* From a template: its first seven members. Its picture is @seed's. */
struct fb create_fb(const struct display *display, struct fb fb, uint32_t seed);
/* Of the mode's size. */
struct fb create_mode_fb(const struct display *display, uint32_t format,
			 uint32_t seed);
/* Of a foreign buffer, whose dma-buf it keeps and closes. */
struct fb import_fb(const struct display *display, struct fb fb, int dmabuf,
		    uint32_t seed);
uint64_t fb_bytes(const struct fb *fb);
int try_add_fb(int fd, const struct fb *fb, uint32_t *id);
void remove_fb(const struct display *display, struct fb *fb);
/* The framebuffer itself, and its handle, are left to the client's end. */
void abandon_fb(struct fb *fb);
void paint_fb(struct fb *fb, uint32_t seed);
void patch_fb(struct fb *fb, const struct rect *rect, uint32_t seed);

/**
 * struct view - what a plane shows; a size of 0 is the mode's
 * @fb: of this framebuffer
 * @src: this part, in pixels
 * @dst: and there; left of the screen and above it, x and y wrap around
 */
struct view {
	const struct fb *fb;
	struct rect src;
	struct rect dst;
};

/* Sets the mode, and everything else; @flags are DRM_MODE_ATOMIC_*. */
int try_show_view(const struct display *display, const struct view *view,
		  uint32_t flags);
void show_at(const struct display *display, const struct fb *fb, uint32_t x,
	     uint32_t y);
void show(const struct display *display, const struct fb *fb);

/* Sets the framebuffer, and nothing else; flip() waits until that is seen. */
int try_flip(const struct display *display, const struct fb *fb,
	     uint32_t flags);
void flip(const struct display *display, const struct fb *fb);
/* The event of a flip with DRM_MODE_PAGE_FLIP_EVENT. */
void wait_for_flip(const struct display *display);
bool flip_is_over(const struct display *display);

int try_turn_off(const struct display *display);
void turn_off(const struct display *display);

/* The screen shows that, and black around it: pixel for pixel. */
void assert_view(const struct display *display, const struct view *view);
/* The framebuffer, from that pixel on. */
void assert_shown_at(const struct display *display, const struct fb *fb,
		     uint32_t x, uint32_t y);
void assert_shown(const struct display *display, const struct fb *fb);
/* What the driver's own CRC says of a frame that is shown now. */
uint64_t shown_crc(const struct display *display);
/* From where it is: in VRAM, in one piece. */
void assert_not_copied(const struct display *display, const struct fb *fb);

#endif

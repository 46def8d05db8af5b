/* SPDX-License-Identifier: MIT */
/*
 * The display of a card: modes, framebuffers with known pictures, and atomic
 * commits. As in lib.h every helper asserts success, but for try_*(), which
 * return 0 or a negative errno.
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
	PLANE_IN_FENCE,
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
 * @properties: ids of the properties
 * @modes: modes of the connector
 * @nr_modes: their number
 * @mode: the mode that commits set
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
/* The same for another file descriptor, such as a lessee's. */
struct display open_display_of(int fd);
/* Close it; assert that all VRAM is freed, */
void close_display(struct display *display);
/* or do not, where the card is gone. */
void leave_display(struct display *display);

/* Modes of the connector; use_mode() selects one for the next commits. */
bool has_mode(const struct display *display, uint32_t width, uint32_t height);
void use_mode(struct display *display, uint32_t width, uint32_t height);
/* Select the offered mode with the most pixels. */
void use_largest_mode(struct display *display);
/* Construct a mode that the connector does not list. */
drmModeModeInfo make_mode(uint32_t width, uint32_t height);

/**
 * struct fb - a framebuffer, and the picture that it holds
 * @width: pixels
 * @height: pixels
 * @format: DRM_FORMAT_*
 * @pitch: bytes; 0 selects the minimum
 * @offset: of the first pixel, in bytes
 * @placement: of the buffer; 0 means EVICTABLE
 * @max_extent: of the buffer
 * @id: DRM object
 * @handle: the buffer
 * @size: its bytes
 * @dmabuf: of a foreign buffer; -1 for one of the card
 * @mem: mapping of the buffer
 * @seed: of the picture
 * @patch: a part with another picture
 * @patch_seed: of the picture in @patch
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

/* Create from a template (the first seven members) with the picture @seed. */
struct fb create_fb(const struct display *display, struct fb fb, uint32_t seed);
/* Create with the size of the current mode. */
struct fb create_mode_fb(const struct display *display, uint32_t format,
			 uint32_t seed);
/* Create from a foreign dma-buf, which the framebuffer owns and closes. */
struct fb import_fb(const struct display *display, struct fb fb, int dmabuf,
		    uint32_t seed);
uint64_t fb_bytes(const struct fb *fb);
int try_add_fb(int fd, const struct fb *fb, uint32_t *id);
void remove_fb(const struct display *display, struct fb *fb);
/* Unmap only: the framebuffer and its handle live until the file is closed. */
void abandon_fb(struct fb *fb);
void paint_fb(struct fb *fb, uint32_t seed);
void patch_fb(struct fb *fb, const struct rect *rect, uint32_t seed);

/**
 * struct view - what a plane shows; a size of 0 is the mode's
 * @fb: the framebuffer
 * @src: the part of @fb, in pixels
 * @dst: its place on the screen; negative x and y wrap around
 */
struct view {
	const struct fb *fb;
	struct rect src;
	struct rect dst;
};

/* Commit mode, CRTC, connector and plane; @flags are DRM_MODE_ATOMIC_*. */
int try_show_view(const struct display *display, const struct view *view,
		  uint32_t flags);
void show_at(const struct display *display, const struct fb *fb, uint32_t x,
	     uint32_t y);
void show(const struct display *display, const struct fb *fb);

/* Commit only the framebuffer; flip() waits until it is visible. */
int try_flip(const struct display *display, const struct fb *fb,
	     uint32_t flags);
/* A nonblocking flip after @fence, a sync_file. */
int try_flip_after(const struct display *display, const struct fb *fb,
		   int fence);
void flip(const struct display *display, const struct fb *fb);
/* Wait for the event of a flip with DRM_MODE_PAGE_FLIP_EVENT. */
void wait_for_flip(const struct display *display);
bool flip_is_over(const struct display *display);

int try_turn_off(const struct display *display);
void turn_off(const struct display *display);

/* Assert that the screen shows this, pixel for pixel, and black around it. */
void assert_view(const struct display *display, const struct view *view);
/* The same for the framebuffer from that pixel on. */
void assert_shown_at(const struct display *display, const struct fb *fb,
		     uint32_t x, uint32_t y);
void assert_shown(const struct display *display, const struct fb *fb);
/* The driver's CRC of the frame that is being shown. */
uint64_t shown_crc(const struct display *display);
/* Assert that it is scanned out in place: in VRAM, contiguous. */
void assert_not_copied(const struct display *display, const struct fb *fb);

#endif

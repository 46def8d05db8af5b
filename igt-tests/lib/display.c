// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "display.h"
#include "foreign.h"
#include "screen.h"

#define FORMAT_NAME(format)	((const char *)&(uint32_t){ format })

static const struct {
	uint32_t type;
	const char *name;
} properties[NR_DISPLAY_PROPERTIES] = {
	[CRTC_ACTIVE] = { DRM_MODE_OBJECT_CRTC, "ACTIVE" },
	[CRTC_MODE] = { DRM_MODE_OBJECT_CRTC, "MODE_ID" },
	[CONNECTOR_CRTC] = { DRM_MODE_OBJECT_CONNECTOR, "CRTC_ID" },
	[PLANE_CRTC] = { DRM_MODE_OBJECT_PLANE, "CRTC_ID" },
	[PLANE_FB] = { DRM_MODE_OBJECT_PLANE, "FB_ID" },
	[PLANE_IN_FENCE] = { DRM_MODE_OBJECT_PLANE, "IN_FENCE_FD" },
	[PLANE_SRC_X] = { DRM_MODE_OBJECT_PLANE, "SRC_X" },
	[PLANE_SRC_Y] = { DRM_MODE_OBJECT_PLANE, "SRC_Y" },
	[PLANE_SRC_W] = { DRM_MODE_OBJECT_PLANE, "SRC_W" },
	[PLANE_SRC_H] = { DRM_MODE_OBJECT_PLANE, "SRC_H" },
	[PLANE_CRTC_X] = { DRM_MODE_OBJECT_PLANE, "CRTC_X" },
	[PLANE_CRTC_Y] = { DRM_MODE_OBJECT_PLANE, "CRTC_Y" },
	[PLANE_CRTC_W] = { DRM_MODE_OBJECT_PLANE, "CRTC_W" },
	[PLANE_CRTC_H] = { DRM_MODE_OBJECT_PLANE, "CRTC_H" },
};

static uint32_t object_of(const struct display *display, uint32_t type)
{
	if (type == DRM_MODE_OBJECT_CRTC)
		return display->crtc;
	return type == DRM_MODE_OBJECT_PLANE ? display->plane :
					       display->connector;
}

static uint32_t find_property(int fd, uint32_t object, uint32_t type,
			      const char *name)
{
	drmModeObjectProperties *all;
	drmModePropertyRes *property;
	uint32_t id = 0;

	all = drmModeObjectGetProperties(fd, object, type);
	igt_assert_f(all, "object %u has no properties\n", object);
	for (uint32_t i = 0; i < all->count_props; i++) {
		property = drmModeGetProperty(fd, all->props[i]);
		igt_assert(property);
		if (!strcmp(property->name, name))
			id = property->prop_id;
		drmModeFreeProperty(property);
	}
	drmModeFreeObjectProperties(all);
	igt_assert_f(id, "object %u has no property %s\n", object, name);
	return id;
}

struct phyr_device display_device(void)
{
	struct phyr_device devices[8];
	int nr = phyr_device_list(PHYR_VRAM_DRIVER, devices, 8);

	for (int i = 0; i < nr; i++)
		if (devices[i].vendor == 0x1234)
			return devices[i];
	igt_assert_f(false, "no bochs-display is bound to phyr_vram\n");
	return devices[0];
}

struct display open_display_of(int fd)
{
	struct display display = { .card = display_device(), .fd = fd };
	drmModeConnector *connector;
	drmModePlaneRes *planes;
	drmModeRes *res;

	igt_assert_eq(drmSetClientCap(fd, DRM_CLIENT_CAP_ATOMIC, 1), 0);
	res = drmModeGetResources(fd);
	igt_assert_f(res, "no mode-setting resources: %s\n", strerror(errno));
	igt_assert_eq(res->count_crtcs, 1);
	igt_assert_eq(res->count_connectors, 1);
	display.crtc = res->crtcs[0];
	display.connector = res->connectors[0];
	drmModeFreeResources(res);

	planes = drmModeGetPlaneResources(fd);
	igt_assert(planes);
	igt_assert_eq(planes->count_planes, 1);
	display.plane = planes->planes[0];
	drmModeFreePlaneResources(planes);

	connector = drmModeGetConnector(fd, display.connector);
	igt_assert(connector);
	igt_assert_eq(connector->connection, DRM_MODE_CONNECTED);
	for (int i = 0; i < connector->count_modes &&
	     display.nr_modes < ARRAY_SIZE(display.modes); i++)
		display.modes[display.nr_modes++] = connector->modes[i];
	drmModeFreeConnector(connector);

	for (int i = 0; i < NR_DISPLAY_PROPERTIES; i++)
		display.properties[i] =
			find_property(fd, object_of(&display, properties[i].type),
				      properties[i].type, properties[i].name);
	return display;
}

/*
 * A failed subtest must not fail the following ones: unmap its framebuffers
 * and close its file. Mappings keep a file and its buffers alive like the file
 * descriptor does.
 */
static int left_open = -1;
static struct {
	void *mem;
	uint64_t size;
} left_mapped[32];

static void remember_mapped(void *mem, uint64_t size)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(left_mapped); i++) {
		if (left_mapped[i].mem)
			continue;
		left_mapped[i].mem = mem;
		left_mapped[i].size = size;
		return;
	}
	igt_assert_f(false, "more framebuffers than expected\n");
}

static void unmap_remembered(void *mem)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(left_mapped); i++) {
		if (!mem || left_mapped[i].mem != mem)
			continue;
		unmap(mem, left_mapped[i].size);
		left_mapped[i].mem = NULL;
	}
}

static void forget_left_open(void)
{
	if (left_open < 0)
		return;
	for (unsigned int i = 0; i < ARRAY_SIZE(left_mapped); i++)
		unmap_remembered(left_mapped[i].mem);
	drmDropMaster(left_open);
	close(left_open);
	left_open = -1;
}

struct display open_display(void)
{
	struct phyr_device card = display_device();
	struct display display;
	uint64_t free;
	int fd;

	forget_left_open();
	free = vram_free(&card);
	fd = open(card.primary, O_RDWR | O_CLOEXEC);
	igt_assert_f(fd >= 0, "%s: %s\n", card.primary, strerror(errno));
	igt_assert_f(drmIsMaster(fd), "%s has another master\n", card.primary);
	display = open_display_of(fd);
	left_open = fd;
	display.free = free;
	use_mode(&display, 1024, 768);
	return display;
}

void leave_display(struct display *display)
{
	close(display->fd);
	display->fd = -1;
	left_open = -1;
}

void close_display(struct display *display)
{
	leave_display(display);
	wait_for_vram_free(&display->card, display->free);
}

/*
 * Modes
 */

static const drmModeModeInfo *find_mode(const struct display *display,
					uint32_t width, uint32_t height)
{
	for (unsigned int i = 0; i < display->nr_modes; i++)
		if (display->modes[i].hdisplay == width &&
		    display->modes[i].vdisplay == height)
			return &display->modes[i];
	return NULL;
}

bool has_mode(const struct display *display, uint32_t width, uint32_t height)
{
	return find_mode(display, width, height);
}

void use_mode(struct display *display, uint32_t width, uint32_t height)
{
	const drmModeModeInfo *mode = find_mode(display, width, height);

	igt_assert_f(mode, "the display does not offer %ux%u\n", width, height);
	display->mode = *mode;
}

void use_largest_mode(struct display *display)
{
	uint32_t pixels, most = 0;

	for (unsigned int i = 0; i < display->nr_modes; i++) {
		pixels = display->modes[i].hdisplay *
			 display->modes[i].vdisplay;
		if (pixels <= most)
			continue;
		most = pixels;
		display->mode = display->modes[i];
	}
	igt_assert(most);
}

/* 60 Hz, minimal blanking. */
drmModeModeInfo make_mode(uint32_t width, uint32_t height)
{
	drmModeModeInfo mode = {
		.hdisplay = width,
		.hsync_start = width + 8,
		.hsync_end = width + 16,
		.htotal = width + 32,
		.vdisplay = height,
		.vsync_start = height + 2,
		.vsync_end = height + 4,
		.vtotal = height + 8,
		.vrefresh = 60,
	};

	mode.clock = (uint64_t)mode.htotal * mode.vtotal * 60 / 1000;
	snprintf(mode.name, sizeof(mode.name), "%ux%u", width, height);
	return mode;
}

/*
 * Framebuffers
 */

uint64_t fb_bytes(const struct fb *fb)
{
	return fb->offset + (uint64_t)fb->pitch * fb->height;
}

int try_add_fb(int fd, const struct fb *fb, uint32_t *id)
{
	struct drm_mode_fb_cmd2 cmd = {
		.width = fb->width,
		.height = fb->height,
		.pixel_format = fb->format,
		.handles = { fb->handle },
		.pitches = { fb->pitch },
		.offsets = { fb->offset },
	};
	int err = phyr_ioctl(fd, DRM_IOCTL_MODE_ADDFB2, &cmd);

	*id = cmd.fb_id;
	return err;
}

static void add_fb(const struct display *display, struct fb *fb)
{
	int err = try_add_fb(display->fd, fb, &fb->id);

	igt_assert_f(!err, "ADDFB2 %ux%u %.4s pitch %u offset %u: %s\n",
		     fb->width, fb->height, FORMAT_NAME(fb->format), fb->pitch,
		     fb->offset, strerror(-err));
}

struct fb create_fb(const struct display *display, struct fb fb, uint32_t seed)
{
	if (!fb.pitch)
		fb.pitch = fb.width * pixel_size(fb.format);
	fb.dmabuf = -1;
	fb.size = (fb_bytes(&fb) + SZ_4K - 1) & ~(SZ_4K - 1);
	fb.handle = create_vram(display->fd, fb.size,
				fb.placement ? fb.placement : EVICTABLE,
				fb.max_extent);
	fb.mem = map_vram(display->fd, fb.handle, fb.size);
	remember_mapped(fb.mem, fb.size);
	add_fb(display, &fb);
	paint_fb(&fb, seed);
	return fb;
}

struct fb create_mode_fb(const struct display *display, uint32_t format,
			 uint32_t seed)
{
	return create_fb(display, (struct fb){
		.width = display->mode.hdisplay,
		.height = display->mode.vdisplay,
		.format = format,
	}, seed);
}

struct fb import_fb(const struct display *display, struct fb fb, int dmabuf,
		    uint32_t seed)
{
	if (!fb.pitch)
		fb.pitch = fb.width * pixel_size(fb.format);
	fb.dmabuf = dmabuf;
	fb.size = fb_bytes(&fb);
	fb.handle = import_buffer(display->fd, dmabuf);
	fb.mem = map_dmabuf(dmabuf, fb.size);
	remember_mapped(fb.mem, fb.size);
	add_fb(display, &fb);
	paint_fb(&fb, seed);
	return fb;
}

void remove_fb(const struct display *display, struct fb *fb)
{
	igt_assert_eq(drmModeRmFB(display->fd, fb->id), 0);
	igt_assert_eq(phyr_close_handle(display->fd, fb->handle), 0);
	abandon_fb(fb);
}

void abandon_fb(struct fb *fb)
{
	unmap_remembered(fb->mem);
	if (fb->dmabuf >= 0)
		close(fb->dmabuf);
}

static void paint_part(struct fb *fb, const struct rect *rect, uint32_t seed)
{
	if (fb->dmabuf >= 0)
		begin_cpu(fb->dmabuf);
	paint_rect(fb->mem + fb->offset, fb->pitch, fb->format, fb->width,
		   fb->height, rect, seed);
	if (fb->dmabuf >= 0)
		end_cpu(fb->dmabuf);
}

/* Fill the padding with noise, not with black. */
void paint_fb(struct fb *fb, uint32_t seed)
{
	struct rect all = { .width = fb->width, .height = fb->height };

	if (fb->offset || fb->pitch != fb->width * pixel_size(fb->format))
		memset(fb->mem, 0xa5, fb->size);
	paint_part(fb, &all, seed);
	fb->seed = seed;
	fb->patch = (struct rect){ 0 };
}

void patch_fb(struct fb *fb, const struct rect *rect, uint32_t seed)
{
	paint_part(fb, rect, seed);
	fb->patch = *rect;
	fb->patch_seed = seed;
}

/*
 * Commits
 */

static void add_value(const struct display *display, drmModeAtomicReq *request,
		      enum display_property property, uint64_t value)
{
	uint32_t object = object_of(display, properties[property].type);

	igt_assert(drmModeAtomicAddProperty(request, object,
					    display->properties[property],
					    value) >= 0);
}

static int commit(const struct display *display, drmModeAtomicReq *request,
		  uint32_t flags)
{
	int err = drmModeAtomicCommit(display->fd, request, flags, NULL);

	drmModeAtomicFree(request);
	return err;
}

int try_show_view(const struct display *display, const struct view *view,
		  uint32_t flags)
{
	uint32_t width = display->mode.hdisplay;
	uint32_t height = display->mode.vdisplay, blob;
	drmModeAtomicReq *request = drmModeAtomicAlloc();
	int err;

	igt_assert_eq(drmModeCreatePropertyBlob(display->fd, &display->mode,
						sizeof(display->mode), &blob),
		      0);
	add_value(display, request, CRTC_ACTIVE, 1);
	add_value(display, request, CRTC_MODE, blob);
	add_value(display, request, CONNECTOR_CRTC, display->crtc);
	add_value(display, request, PLANE_CRTC, display->crtc);
	add_value(display, request, PLANE_FB, view->fb->id);
	add_value(display, request, PLANE_SRC_X, (uint64_t)view->src.x << 16);
	add_value(display, request, PLANE_SRC_Y, (uint64_t)view->src.y << 16);
	add_value(display, request, PLANE_SRC_W,
		  (uint64_t)(view->src.width ? view->src.width : width) << 16);
	add_value(display, request, PLANE_SRC_H,
		  (uint64_t)(view->src.height ? view->src.height : height) <<
		  16);
	add_value(display, request, PLANE_CRTC_X, (int32_t)view->dst.x);
	add_value(display, request, PLANE_CRTC_Y, (int32_t)view->dst.y);
	add_value(display, request, PLANE_CRTC_W,
		  view->dst.width ? view->dst.width : width);
	add_value(display, request, PLANE_CRTC_H,
		  view->dst.height ? view->dst.height : height);
	err = commit(display, request, flags | DRM_MODE_ATOMIC_ALLOW_MODESET);
	igt_assert_eq(drmModeDestroyPropertyBlob(display->fd, blob), 0);
	return err;
}

void show_at(const struct display *display, const struct fb *fb, uint32_t x,
	     uint32_t y)
{
	struct view view = { .fb = fb, .src = { .x = x, .y = y } };
	int err = try_show_view(display, &view, 0);

	igt_assert_f(!err, "showing %.4s at %u, %u in %s: %s\n",
		     FORMAT_NAME(fb->format), x, y, display->mode.name,
		     strerror(-err));
}

void show(const struct display *display, const struct fb *fb)
{
	show_at(display, fb, 0, 0);
}

int try_flip(const struct display *display, const struct fb *fb, uint32_t flags)
{
	drmModeAtomicReq *request = drmModeAtomicAlloc();

	add_value(display, request, PLANE_FB, fb->id);
	return commit(display, request, flags);
}

int try_flip_after(const struct display *display, const struct fb *fb,
		   int fence)
{
	drmModeAtomicReq *request = drmModeAtomicAlloc();

	add_value(display, request, PLANE_FB, fb->id);
	add_value(display, request, PLANE_IN_FENCE, fence);
	return commit(display, request, DRM_MODE_ATOMIC_NONBLOCK |
					DRM_MODE_PAGE_FLIP_EVENT);
}

void flip(const struct display *display, const struct fb *fb)
{
	igt_assert_eq(try_flip(display, fb, DRM_MODE_ATOMIC_NONBLOCK |
			       DRM_MODE_PAGE_FLIP_EVENT), 0);
	wait_for_flip(display);
}

bool flip_is_over(const struct display *display)
{
	struct pollfd poll_fd = { .fd = display->fd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) == 1;
}

void wait_for_flip(const struct display *display)
{
	struct pollfd poll_fd = { .fd = display->fd, .events = POLLIN };
	struct drm_event_vblank event;

	igt_assert_eq(poll_again(&poll_fd, PHYR_WAIT_SECONDS), 1);
	igt_assert_eq(read(display->fd, &event, sizeof(event)), sizeof(event));
	igt_assert_eq(event.base.type, DRM_EVENT_FLIP_COMPLETE);
	igt_assert_eq(event.crtc_id, display->crtc);
}

int try_turn_off(const struct display *display)
{
	drmModeAtomicReq *request = drmModeAtomicAlloc();

	add_value(display, request, CRTC_ACTIVE, 0);
	return commit(display, request, DRM_MODE_ATOMIC_ALLOW_MODESET);
}

void turn_off(const struct display *display)
{
	igt_assert_eq(try_turn_off(display), 0);
}

/* The screen */

static uint32_t fb_colour(const struct fb *fb, uint32_t x, uint32_t y)
{
	uint32_t seed = fb->seed;

	if (x - fb->patch.x < fb->patch.width &&
	    y - fb->patch.y < fb->patch.height)
		seed = fb->patch_seed;
	return shown_colour(fb->format, picture_colour(seed, x, y, fb->width,
						       fb->height));
}

static uint32_t view_colour(const void *data, uint32_t x, uint32_t y)
{
	const struct view *view = data;

	x -= view->dst.x;
	y -= view->dst.y;
	if (x >= view->dst.width || y >= view->dst.height)
		return 0;
	return fb_colour(view->fb, x + view->src.x, y + view->src.y);
}

void assert_view(const struct display *display, const struct view *view)
{
	uint32_t width = display->mode.hdisplay;
	uint32_t height = display->mode.vdisplay;
	struct view whole = *view;

	if (!whole.dst.width)
		whole.dst.width = width;
	if (!whole.dst.height)
		whole.dst.height = height;
	assert_screen(width, height, view_colour, &whole);
}

void assert_shown_at(const struct display *display, const struct fb *fb,
		     uint32_t x, uint32_t y)
{
	struct view view = { .fb = fb, .src = { .x = x, .y = y } };

	assert_view(display, &view);
}

void assert_shown(const struct display *display, const struct fb *fb)
{
	assert_shown_at(display, fb, 0, 0);
}

/* The first line is enough: it belongs to the first complete frame. */
uint64_t shown_crc(const struct display *display)
{
	char path[96], line[40] = "";
	uint32_t values[2];
	int fd;

	phyr_device_debugfs(&display->card, "crtc-0/crc/data", path,
			    sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	igt_assert_f(fd >= 0, "%s: %s\n", path, strerror(errno));
	igt_assert_f(read(fd, line, sizeof(line) - 1) > 0, "%s: %s\n", path,
		     strerror(errno));
	close(fd);
	igt_assert_f(sscanf(line, "%*x %x %x", &values[0], &values[1]) == 2,
		     "%s says '%s'\n", path, line);
	return (uint64_t)values[0] << 32 | values[1];
}

void assert_not_copied(const struct display *display, const struct fb *fb)
{
	struct drm_phyr_vram_gem_info info = vram_info(display->fd, fb->handle);

	igt_assert_eq(info.placement, IN_VRAM);
	igt_assert_eq_u64(info.extents, 1);
}

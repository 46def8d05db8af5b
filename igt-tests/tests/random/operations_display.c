// SPDX-License-Identifier: MIT
/* Create, show, flip to and remove framebuffers; only one client does. */
#include <string.h>
#include <sys/ioctl.h>

#include "world.h"

static int create_dumb(struct world *world)
{
	struct file *file = display_file(world);
	struct drm_mode_create_dumb dumb = {
		.width = 16 + below(world, 160),
		.height = 16 + below(world, 120),
		.bpp = percent(world, 70) ? 32 : 16,
	};
	struct buffer *buffer;

	if (!file || !room_for_buffer(world))
		return NOT_NOW;
	EXPECT(world, phyr_ioctl(file->fd, DRM_IOCTL_MODE_CREATE_DUMB, &dumb),
	       0);
	MUST(world, dumb.pitch >= dumb.width * dumb.bpp / 8);
	MUST(world, dumb.size >= (uint64_t)dumb.pitch * dumb.height);
	buffer = add_buffer(world, file->node, dumb.size, EVICTABLE);
	set_handle(world, buffer, file, dumb.handle);
	return 0;
}

/* Choose one of the sizes of the modes, limited by the buffer. */
static void choose_layout(struct world *world, struct fb *fb,
			  const struct buffer *buffer)
{
	static const struct { uint32_t width, height; } sizes[] = {
		{ 64, 64 }, { 64, 64 }, { 128, 96 }, { 160, 120 }, { 80, 400 },
	};
	unsigned int i = below(world, ARRAY_SIZE(sizes));
	uint32_t cpp;

	fb->format = percent(world, 60) ? DRM_FORMAT_XRGB8888 :
		     percent(world, 50) ? DRM_FORMAT_BGRX8888 :
					  DRM_FORMAT_RGB565;
	cpp = fb->format == DRM_FORMAT_RGB565 ? 2 : 4;
	fb->width = sizes[i].width;
	fb->height = sizes[i].height;
	fb->pitch = fb->width * cpp + (percent(world, 30) ? 64 : 0);
	fb->offset = percent(world, 30) ? below(world, 1024) * 4 : 0;
	while (fb_bytes(fb) > buffer->size && fb->height > 8)
		fb->height /= 2;
}

static int add_fb(struct world *world)
{
	struct random_fb *fb = &world->fbs[below(world, MAX_FBS)];
	struct file *file = display_file(world);
	struct buffer *buffer = file ? buffer_of(world, file) : NULL;
	int err;

	if (!buffer || fb->buffer)
		return NOT_NOW;
	memset(&fb->fb, 0, sizeof(fb->fb));
	choose_layout(world, &fb->fb, buffer);
	fb->fb.handle = buffer->handle[file_number(world, file)];
	err = try_add_fb(file->fd, &fb->fb, &fb->fb.id);
	if (fb_bytes(&fb->fb) > buffer->size)
		/* The last line needs no padding. */
		return EXPECT(world, err, -EINVAL);
	EXPECT(world, err, 0);
	fb->buffer = buffer;
	return 0;
}

static int remove_fb_any(struct world *world)
{
	struct random_fb *fb = &world->fbs[below(world, MAX_FBS)];

	if (!fb->buffer)
		return NOT_NOW;
	drop_fb(world, fb);
	return 0;
}

static struct random_fb *any_fb(struct world *world)
{
	unsigned int first = below(world, MAX_FBS);

	for (unsigned int i = 0; i < MAX_FBS; i++) {
		struct random_fb *fb = &world->fbs[(first + i) % MAX_FBS];

		if (fb->buffer && fb->fb.width >= 64 && fb->fb.height >= 64)
			return fb;
	}
	return NULL;
}

/* A mode of 64x64 or of the framebuffer's size; all of it or a part. */
static struct view any_view(struct world *world, struct random_fb *fb)
{
	struct view view = { .fb = &fb->fb };
	uint32_t width, height;

	width = percent(world, 70) ? 64 : fb->fb.width;
	height = percent(world, 70) ? 64 : fb->fb.height;
	world->display.mode = make_mode(width, height);
	view.src.x = below(world, fb->fb.width - width + 1);
	view.src.y = below(world, fb->fb.height - height + 1);
	if (percent(world, 20)) {
		width /= 2;
		height /= 4;
		view.dst.x = below(world, width);
		view.dst.y = below(world, height);
	}
	view.src.width = width;
	view.src.height = height;
	view.dst.width = width;
	view.dst.height = height;
	return view;
}

static int show_any(struct world *world)
{
	struct random_fb *fb = any_fb(world);
	drmModeModeInfo was = world->display.mode;
	bool test = percent(world, 25);
	struct view view;

	if (!fb)
		return NOT_NOW;
	view = any_view(world, fb);
	EXPECT(world, try_show_view(&world->display, &view,
				    test ? DRM_MODE_ATOMIC_TEST_ONLY : 0), 0);
	if (test) {
		world->display.mode = was;
		return 0;
	}
	fb->buffer->pinned = true;
	world->shown = fb;
	world->view = view;
	return 0;
}

static int flip_to(struct world *world, struct random_fb *fb, uint32_t flags)
{
	int err = try_flip(&world->display, &fb->fb, flags);

	/* Only one flip may be pending. */
	if (err == -EBUSY && world->flips && flags & DRM_MODE_ATOMIC_NONBLOCK) {
		wait_for_picture(world);
		err = try_flip(&world->display, &fb->fb, flags);
	}
	if (world->view.src.x + world->view.src.width > fb->fb.width ||
	    world->view.src.y + world->view.src.height > fb->fb.height)
		return EXPECT(world, err, -ENOSPC);
	return EXPECT(world, err, 0);
}

static int flip_any(struct world *world)
{
	struct random_fb *fb = any_fb(world);
	uint32_t flags = 0;
	int err;

	if (!fb || !world->shown)
		return NOT_NOW;
	if (percent(world, 20))
		flags = DRM_MODE_ATOMIC_TEST_ONLY;
	else if (percent(world, 70))
		flags = DRM_MODE_ATOMIC_NONBLOCK | DRM_MODE_PAGE_FLIP_EVENT;
	err = flip_to(world, fb, flags);
	if (err || flags & DRM_MODE_ATOMIC_TEST_ONLY)
		return err;
	world->flips += flags != 0;
	fb->buffer->pinned = true;
	world->shown = fb;
	return 0;
}

static int turn_off_any(struct world *world)
{
	if (!world->shown)
		return NOT_NOW;
	EXPECT(world, try_turn_off(&world->display), 0);
	world->shown = NULL;
	return 0;
}

static int mark_dirty(struct world *world)
{
	struct random_fb *fb = any_fb(world);
	drmModeClip clip = { .x2 = 16, .y2 = 16 };

	if (!fb)
		return NOT_NOW;
	return EXPECT(world, drmModeDirtyFB(world->display.fd, fb->fb.id,
					    &clip, 1), 0);
}

const struct operation display_operations[] = {
	{ "create dumb", 10, create_dumb },
	{ "add framebuffer", 20, add_fb },
	{ "remove framebuffer", 8, remove_fb_any },
	{ "show", 2, show_any },
	{ "flip", 5, flip_any },
	{ "turn off", 1, turn_off_any },
	{ "mark dirty", 2, mark_dirty },
	{ }
};

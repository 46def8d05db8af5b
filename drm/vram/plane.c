// SPDX-License-Identifier: GPL-2.0
/*
 * The primary plane: framebuffers, and how they get where the display reads
 *
 * A framebuffer of this card's own buffer is read where it is: pinned, in one
 * piece, for as long as it is shown. Nothing is copied; a buffer that is
 * elsewhere moves there once, and is free to move again when it is no longer
 * shown.
 *
 * Other drivers' buffers, those that are pinned where the display cannot read
 * them, and pictures that do not cover the screen, are copied at commit into a
 * buffer in VRAM that does: the shadow. It belongs to the plane's state. A
 * commit that shows the same again keeps it, and copies only what has changed.
 */
#include <drm/drm_atomic.h>
#include <drm/drm_atomic_helper.h>
#include <drm/drm_damage_helper.h>
#include <drm/drm_drv.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem_atomic_helper.h>
#include <drm/drm_gem_framebuffer_helper.h>
#include <drm/drm_managed.h>
#include <drm/drm_modeset_helper.h>
#include <drm/drm_panic.h>
#include <drm/drm_print.h>
#include <drm/phyr_vram_drm.h>
#include <drm/ttm/ttm_bo.h>
#include <linux/iosys-map.h>
#include <linux/phyr_inject.h>
#include <linux/slab.h>

#include "vram.h"

/**
 * struct vram_plane_state - what the plane shows
 * @base: what the DRM core sees
 * @shown: the buffer that is read, from prepare_fb() to cleanup_fb(), pinned;
 *	NULL before and after, and for a plane that is not visible
 * @what: what is read there
 * @shadow: @shown is a copy, and holds a reference
 * @stale: the copy failed: @shown lacks something of the picture
 * @map: the framebuffer's buffers, while they are being copied
 * @data: the framebuffer's pixels there
 */
struct vram_plane_state {
	struct drm_plane_state base;
	struct vram_bo *shown;
	struct vram_scanout what;
	bool shadow;
	bool stale;
	struct iosys_map map[DRM_FORMAT_MAX_PLANES];
	struct iosys_map data[DRM_FORMAT_MAX_PLANES];
};

static struct vram_plane_state *to_vram_plane_state(struct drm_plane_state *base)
{
	return container_of(base, struct vram_plane_state, base);
}

static struct vram_display *plane_to_display(struct drm_plane *plane)
{
	return container_of(plane, struct vram_display, plane);
}

/* QEMU aborts on a line that does not begin at a 32-bit word. */
#define PLANE_PITCH_ALIGN	sizeof(u32)

/* Exactly what the hardware has. */
static const u32 plane_formats[] = {
	DRM_FORMAT_XRGB8888,
	DRM_FORMAT_BGRX8888,
	DRM_FORMAT_RGB565,
};

/*
 * Framebuffers
 */

/* The console's worker may come when the card has gone, and warns of errors. */
static int fb_dirty(struct drm_framebuffer *fb, struct drm_file *file,
		    unsigned int flags, unsigned int color,
		    struct drm_clip_rect *clips, unsigned int count)
{
	int ret = drm_atomic_helper_dirtyfb(fb, file, flags, color, clips,
					    count);

	return ret && drm_dev_is_unplugged(fb->dev) ? 0 : ret;
}

static const struct drm_framebuffer_funcs fb_funcs = {
	.destroy = drm_gem_fb_destroy,
	.create_handle = drm_gem_fb_create_handle,
	.dirty = fb_dirty,
};

/*
 * A framebuffer may have an alpha channel in place of bits that are not shown,
 * as cursor images do; a plane that shows it there is not. The DRM helper makes
 * framebuffers for planes only: clients that come with a cursor image before
 * they look for a plane would go no further.
 */
static bool fb_format_ok(struct drm_device *drm,
			 const struct drm_mode_fb_cmd2 *cmd)
{
	u32 format = cmd->pixel_format;

	if (format == DRM_FORMAT_ARGB8888)
		format = DRM_FORMAT_XRGB8888;
	else if (format == DRM_FORMAT_BGRA8888)
		format = DRM_FORMAT_BGRX8888;
	return drm_any_plane_has_format(drm, format, cmd->modifier[0]);
}

/* The core has checked that the last byte's number fits in 32 bits. */
static bool fb_fits(const struct drm_gem_object *gem,
		    const struct drm_format_info *format,
		    const struct drm_mode_fb_cmd2 *cmd)
{
	return (u64)(cmd->height - 1) * cmd->pitches[0] + cmd->offsets[0] +
	       drm_format_info_min_pitch(format, 0, cmd->width) <= gem->size;
}

/**
 * vram_fb_create - make a framebuffer
 * @drm: the DRM device
 * @file: whose handles @cmd has
 * @format: that of @cmd
 * @cmd: what userspace says
 *
 * Context: may sleep.
 * Return: the framebuffer, or ERR_PTR: -EINVAL for a format that the display
 * has not, a pitch that is not in whole pixels and 32-bit words or more than
 * the registers hold, an offset that is not in whole pixels, a buffer that is
 * too small; -ENOENT for no such buffer; -ENOMEM.
 */
struct drm_framebuffer *vram_fb_create(struct drm_device *drm,
				       struct drm_file *file,
				       const struct drm_format_info *format,
				       const struct drm_mode_fb_cmd2 *cmd)
{
	u32 cpp = format->cpp[0];
	struct drm_framebuffer *fb;
	struct drm_gem_object *gem;
	int ret;

	if (!fb_format_ok(drm, cmd)) {
		drm_dbg_kms(drm, "format %p4cc: the display has no such\n",
			    &cmd->pixel_format);
		return ERR_PTR(-EINVAL);
	}
	if (cmd->pitches[0] % cpp || cmd->pitches[0] % PLANE_PITCH_ALIGN ||
	    cmd->offsets[0] % cpp || cmd->pitches[0] / cpp > U16_MAX) {
		drm_dbg_kms(drm, "pitch %u, offset %u: not in words and pixels, or beyond %u pixels\n",
			    cmd->pitches[0], cmd->offsets[0], U16_MAX);
		return ERR_PTR(-EINVAL);
	}

	gem = drm_gem_object_lookup(file, cmd->handles[0]);
	if (!gem)
		return ERR_PTR(-ENOENT);

	ret = -EINVAL;
	if (!fb_fits(gem, format, cmd)) {
		drm_dbg_kms(drm, "buffer of %zu bytes: too small\n", gem->size);
		goto err_put;
	}
	ret = -ENOMEM;
	fb = kzalloc_obj(*fb, GFP_KERNEL_ACCOUNT);
	if (!fb)
		goto err_put;

	drm_helper_mode_fill_fb_struct(drm, fb, format, cmd);
	fb->obj[0] = gem;
	ret = drm_framebuffer_init(drm, fb, &fb_funcs);
	if (ret)
		goto err_free;
	return fb;

err_free:
	kfree(fb);
err_put:
	drm_gem_object_put(gem);
	return ERR_PTR(ret);
}

/*
 * From a framebuffer to a buffer that the display reads
 */

static int plane_pin(struct vram_bo *bo, u64 end)
{
	int ret;

	phyr_inject_delay();
	ret = dma_resv_lock_interruptible(bo->tbo.base.resv, NULL);
	if (ret)
		return ret;
	ret = vram_bo_pin_scanout(bo, end);
	dma_resv_unlock(bo->tbo.base.resv);
	phyr_inject_delay();
	return ret;
}

static bool plane_shows_same(const struct vram_plane_state *a,
			     const struct vram_plane_state *b)
{
	return a->base.fb == b->base.fb &&
	       a->what.width == b->what.width &&
	       a->what.height == b->what.height &&
	       drm_rect_equals(&a->base.src, &b->base.src) &&
	       drm_rect_equals(&a->base.dst, &b->base.dst);
}

static int plane_pin_shadow(struct vram_display *display,
			    struct vram_plane_state *state,
			    struct vram_plane_state *old)
{
	struct vram_scanout *what = &state->what;
	struct vram_bo *bo;
	int ret;

	what->pitch = ALIGN(what->width * what->format->cpp[0],
			    PLANE_PITCH_ALIGN);
	if (old && old->shadow && plane_shows_same(state, old)) {
		bo = old->shown;
		drm_gem_object_get(&bo->tbo.base);
	} else {
		bo = vram_bo_create(display->vram,
				    PAGE_ALIGN((u64)what->pitch * what->height),
				    DRM_PHYR_VRAM_PLACE_VRAM, 0);
		if (IS_ERR(bo))
			return PTR_ERR(bo);
	}

	ret = plane_pin(bo, vram_dispi_end(display, what->pitch));
	if (ret) {
		vram_bo_put(bo);
		return ret;
	}
	/* Pinned: the place stays though nobody holds the lock. */
	what->offset = vram_resource_offset(bo->tbo.resource);
	state->shown = bo;
	state->shadow = true;
	return 0;
}

/* Where the display can read it; -EBUSY if that takes a copy. */
static int plane_pin_fb(struct vram_display *display,
			struct vram_plane_state *state)
{
	struct drm_framebuffer *fb = state->base.fb;
	struct vram_scanout *what = &state->what;
	struct drm_rect *src = &state->base.src;
	struct drm_rect screen;
	struct vram_bo *bo;
	int ret;

	drm_rect_init(&screen, 0, 0, what->width, what->height);
	if (!drm_rect_equals(&state->base.dst, &screen) ||
	    !vram_gem_is_bo(fb->obj[0]))
		return -EBUSY;
	bo = to_vram_bo(fb->obj[0]);
	if (!(bo->placement & DRM_PHYR_VRAM_PLACE_VRAM))
		return -EBUSY;

	what->pitch = fb->pitches[0];
	ret = plane_pin(bo, vram_dispi_end(display, what->pitch));
	if (ret)
		return ret;
	what->offset = vram_resource_offset(bo->tbo.resource) + fb->offsets[0] +
		       (u64)(src->y1 >> 16) * what->pitch +
		       (src->x1 >> 16) * what->format->cpp[0];
	state->shown = bo;
	return 0;
}

static int plane_pin_any(struct vram_display *display,
			 struct vram_plane_state *state,
			 struct vram_plane_state *old)
{
	struct vram_device *vram = display->vram;
	int ret, idx;

	if (!drm_dev_enter(&vram->drm, &idx))
		return -ENODEV;
	ret = down_read_interruptible(&vram->reset_lock);
	if (!ret) {
		ret = plane_pin_fb(display, state);
		if (ret == -EBUSY)
			ret = plane_pin_shadow(display, state, old);
		up_read(&vram->reset_lock);
	}
	drm_dev_exit(idx);
	return ret;
}

static int plane_prepare_fb(struct drm_plane *plane,
			    struct drm_plane_state *base)
{
	struct vram_plane_state *state = to_vram_plane_state(base), *old = NULL;
	struct drm_crtc_state *crtc_state;
	int ret;

	/* Not visible: not shown, whether or not there is a framebuffer. */
	if (!base->fb || !base->visible)
		return 0;

	ret = drm_gem_plane_helper_prepare_fb(plane, base);
	if (ret)
		return ret;

	crtc_state = drm_atomic_get_new_crtc_state(base->state, base->crtc);
	if (WARN_ON(!crtc_state))
		return -EINVAL;
	state->what.format = base->fb->format;
	state->what.width = crtc_state->mode.hdisplay;
	state->what.height = crtc_state->mode.vdisplay;

	if (plane->state)
		old = to_vram_plane_state(plane->state);
	return plane_pin_any(plane_to_display(plane), state, old);
}

static void plane_cleanup_fb(struct drm_plane *plane,
			     struct drm_plane_state *base)
{
	struct vram_plane_state *state = to_vram_plane_state(base);

	if (!state->shown)
		return;
	vram_bo_unpin(state->shown);
	if (state->shadow)
		vram_bo_put(state->shown);
	state->shown = NULL;
	state->shadow = false;
}

static int plane_begin_fb_access(struct drm_plane *plane,
				 struct drm_plane_state *base)
{
	struct vram_plane_state *state = to_vram_plane_state(base);

	if (!state->shadow)
		return 0;
	return drm_gem_fb_vmap(base->fb, state->map, state->data);
}

static void plane_end_fb_access(struct drm_plane *plane,
				struct drm_plane_state *base)
{
	struct vram_plane_state *state = to_vram_plane_state(base);

	if (state->shadow)
		drm_gem_fb_vunmap(base->fb, state->map);
}

/*
 * Updates
 */

static int plane_atomic_check(struct drm_plane *plane,
			      struct drm_atomic_commit *commit)
{
	struct drm_plane_state *state =
		drm_atomic_get_new_plane_state(commit, plane);
	struct drm_crtc_state *crtc_state = NULL;

	if (state->crtc)
		crtc_state = drm_atomic_get_new_crtc_state(commit, state->crtc);

	return drm_atomic_helper_check_plane_state(state, crtc_state,
						   DRM_PLANE_NO_SCALING,
						   DRM_PLANE_NO_SCALING,
						   true, true);
}

/* @rect: of the framebuffer, within what the plane shows of it. */
static void plane_copy_rect(struct vram_display *display,
			    struct vram_plane_state *state,
			    const struct drm_rect *rect)
{
	struct drm_framebuffer *fb = state->base.fb;
	u32 cpp = fb->format->cpp[0];
	size_t len = drm_rect_width(rect) * cpp;
	int x = rect->x1 - (state->base.src.x1 >> 16) + state->base.dst.x1;
	int y = rect->y1 - (state->base.src.y1 >> 16) + state->base.dst.y1;
	void __iomem *to = display->vram->io + state->what.offset +
			   (size_t)y * state->what.pitch + x * cpp;
	struct iosys_map from = state->data[0];
	int line;

	iosys_map_incr(&from, (size_t)rect->y1 * fb->pitches[0] +
		       rect->x1 * cpp);
	for (line = rect->y1; line < rect->y2; line++) {
		if (from.is_iomem) {
			iosys_map_memcpy_from(display->line, &from, 0, len);
			memcpy_toio(to, display->line, len);
		} else {
			memcpy_toio(to, from.vaddr, len);
		}
		iosys_map_incr(&from, fb->pitches[0]);
		to += state->what.pitch;
	}
}

static int plane_begin_copy(struct vram_display *display,
			    struct drm_framebuffer *fb)
{
	int ret;

	if (phyr_inject_fault())
		return -ENOMEM;
	ret = drm_gem_fb_begin_cpu_access(fb, DMA_FROM_DEVICE);
	if (ret)
		drm_err_once(&display->vram->drm, "a framebuffer's exporter does not let the CPU read it\n");
	return ret;
}

/* It is too late to fail a commit: what was not copied now is copied with the next. */
static void plane_copy(struct vram_display *display,
		       struct vram_plane_state *state,
		       struct vram_plane_state *old)
{
	struct drm_framebuffer *fb = state->base.fb;
	struct drm_atomic_helper_damage_iter iter;
	struct drm_rect shown, rect;

	if (plane_begin_copy(display, fb)) {
		state->stale = true;
		return;
	}

	drm_rect_fp_to_int(&shown, &state->base.src);
	/* A new shadow holds nothing yet, whatever userspace says has changed. */
	if (!old->shadow || old->shown != state->shown || old->stale) {
		plane_copy_rect(display, state, &shown);
	} else {
		drm_atomic_helper_damage_iter_init(&iter, &old->base,
						   &state->base);
		/* The helper does not know what is beyond the screen's edges. */
		drm_atomic_for_each_plane_damage(&iter, &rect)
			if (drm_rect_intersect(&rect, &shown))
				plane_copy_rect(display, state, &rect);
	}
	drm_gem_fb_end_cpu_access(fb, DMA_FROM_DEVICE);
}

static void plane_atomic_update(struct drm_plane *plane,
				struct drm_atomic_commit *commit)
{
	struct vram_display *display = plane_to_display(plane);
	struct vram_plane_state *state = to_vram_plane_state(plane->state);
	struct vram_plane_state *old =
		to_vram_plane_state(drm_atomic_get_old_plane_state(commit,
								   plane));
	int idx;

	if (!state->shown) {
		vram_display_show_black(display);
		return;
	}

	phyr_inject_delay();
	if (!drm_dev_enter(plane->dev, &idx))
		return;
	if (state->shadow)
		plane_copy(display, state, old);
	vram_display_show(display, &state->what);
	drm_dev_exit(idx);
}

static void plane_atomic_disable(struct drm_plane *plane,
				 struct drm_atomic_commit *commit)
{
	vram_display_show_black(plane_to_display(plane));
}

/*
 * Called by a dying kernel: nothing here may lock or allocate. What the plane
 * should show may not be shown yet, or be switched off: it is, from here on.
 */
static int plane_get_scanout_buffer(struct drm_plane *plane,
				    struct drm_scanout_buffer *sb)
{
	struct vram_display *display = plane_to_display(plane);
	struct vram_plane_state *state = to_vram_plane_state(plane->state);
	struct vram_scanout what;

	if (!state || !state->shown)
		return -ENODEV;

	/* drm_panic knows one byte order. */
	what = state->what;
	if (what.format->format == DRM_FORMAT_BGRX8888)
		what.format = drm_format_info(DRM_FORMAT_XRGB8888);
	vram_dispi_show(display, &what);

	sb->format = what.format;
	sb->width = what.width;
	sb->height = what.height;
	sb->pitch[0] = what.pitch;
	iosys_map_set_vaddr_iomem(&sb->map[0],
				  display->vram->io + what.offset);
	return 0;
}

static const struct drm_plane_helper_funcs plane_helper_funcs = {
	.prepare_fb = plane_prepare_fb,
	.cleanup_fb = plane_cleanup_fb,
	.begin_fb_access = plane_begin_fb_access,
	.end_fb_access = plane_end_fb_access,
	.atomic_check = plane_atomic_check,
	.atomic_update = plane_atomic_update,
	.atomic_disable = plane_atomic_disable,
	.get_scanout_buffer = plane_get_scanout_buffer,
};

/*
 * States
 */

static struct drm_plane_state *plane_duplicate_state(struct drm_plane *plane)
{
	struct vram_plane_state *state;

	if (WARN_ON(!plane->state))
		return NULL;

	/* What is pinned stays with the state that it was prepared for. */
	state = kzalloc_obj(*state);
	if (!state)
		return NULL;
	__drm_atomic_helper_plane_duplicate_state(plane, &state->base);
	return &state->base;
}

static void plane_destroy_state(struct drm_plane *plane,
				struct drm_plane_state *base)
{
	__drm_atomic_helper_plane_destroy_state(base);
	kfree(to_vram_plane_state(base));
}

static void plane_reset(struct drm_plane *plane)
{
	struct vram_plane_state *state;

	if (plane->state)
		plane_destroy_state(plane, plane->state);
	plane->state = NULL;

	state = kzalloc_obj(*state);
	if (state)
		__drm_atomic_helper_plane_reset(plane, &state->base);
}

static const struct drm_plane_funcs plane_funcs = {
	.update_plane = drm_atomic_helper_update_plane,
	.disable_plane = drm_atomic_helper_disable_plane,
	.destroy = drm_plane_cleanup,
	.reset = plane_reset,
	.atomic_duplicate_state = plane_duplicate_state,
	.atomic_destroy_state = plane_destroy_state,
};

/**
 * vram_plane_init - make the primary plane
 * @display: the display, with its mode configuration
 *
 * Return: 0 or -ENOMEM.
 */
int vram_plane_init(struct vram_display *display)
{
	struct drm_device *drm = &display->vram->drm;
	int ret;

	display->line = drmm_kmalloc_array(drm, drm->mode_config.max_width,
					   sizeof(u32), GFP_KERNEL);
	if (!display->line)
		return -ENOMEM;

	ret = drm_universal_plane_init(drm, &display->plane, 0,
				       &plane_funcs, plane_formats,
				       ARRAY_SIZE(plane_formats), NULL,
				       DRM_PLANE_TYPE_PRIMARY, NULL);
	if (ret)
		return ret;

	drm_plane_helper_add(&display->plane, &plane_helper_funcs);
	drm_plane_enable_fb_damage_clips(&display->plane);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The primary plane and its framebuffers
 */
#include <drm/drm_atomic.h>
#include <drm/drm_atomic_helper.h>
#include <drm/drm_blend.h>
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
#include <linux/iosys-map.h>
#include <linux/phyr_inject.h>
#include <linux/slab.h>

#include "vram.h"

static struct vram_display *vram_plane_to_display(struct drm_plane *plane)
{
	return container_of(plane, struct vram_display, plane);
}

/* The formats of the hardware, and those that look the same on it */
static const u32 vram_plane_formats[] = {
	DRM_FORMAT_XRGB8888,
	DRM_FORMAT_BGRX8888,
	DRM_FORMAT_RGB565,
	DRM_FORMAT_ARGB8888,
	DRM_FORMAT_BGRA8888,
};

/*
 * KMS's default for alpha is premultiplied pixels. Nothing is below this plane
 * but black, so what is shown is their colour, whatever their alpha is.
 */
static const struct drm_format_info *
vram_plane_opaque_format(const struct drm_format_info *format)
{
	switch (format->format) {
	case DRM_FORMAT_ARGB8888:
		return drm_format_info(DRM_FORMAT_XRGB8888);
	case DRM_FORMAT_BGRA8888:
		return drm_format_info(DRM_FORMAT_BGRX8888);
	default:
		return format;
	}
}

/*
 * Framebuffers
 */

/* The console's worker warns about errors and may run after an unplug. */
static int vram_fb_dirty(struct drm_framebuffer *fb, struct drm_file *file,
			 unsigned int flags, unsigned int color,
			 struct drm_clip_rect *clips, unsigned int count)
{
	int ret = drm_atomic_helper_dirtyfb(fb, file, flags, color, clips,
					    count);

	return ret && drm_dev_is_unplugged(fb->dev) ? 0 : ret;
}

static const struct drm_framebuffer_funcs vram_fb_funcs = {
	.destroy = drm_gem_fb_destroy,
	.create_handle = drm_gem_fb_create_handle,
	.dirty = vram_fb_dirty,
};

/* The core has checked that the framebuffer's end fits in 32 bits. */
static bool vram_fb_fits(const struct drm_gem_object *gem,
			 const struct drm_format_info *format,
			 const struct drm_mode_fb_cmd2 *cmd)
{
	return (u64)(cmd->height - 1) * cmd->pitches[0] + cmd->offsets[0] +
	       drm_format_info_min_pitch(format, 0, cmd->width) <= gem->size;
}

/**
 * vram_fb_create - create a framebuffer
 * @drm: the DRM device
 * @file: the client that owns the handles in @cmd
 * @format: the format in @cmd
 * @cmd: the arguments from userspace
 *
 * Context: may sleep.
 * Return: the framebuffer, or ERR_PTR. -EINVAL: unsupported format; the pitch
 * is not a multiple of the pixel size and of 4, or exceeds the registers; the
 * offset is not a multiple of the pixel size; the buffer is too small. -ENOENT:
 * unknown handle. -ENOMEM.
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

	if (!drm_any_plane_has_format(drm, cmd->pixel_format,
				      cmd->modifier[0])) {
		drm_dbg_kms(drm, "unsupported format %p4cc\n",
			    &cmd->pixel_format);
		return ERR_PTR(-EINVAL);
	}
	if (cmd->pitches[0] % cpp || cmd->pitches[0] % VRAM_PITCH_ALIGN ||
	    cmd->offsets[0] % cpp || cmd->pitches[0] / cpp > U16_MAX) {
		drm_dbg_kms(drm, "pitch %u, offset %u: misaligned, or more than %u pixels\n",
			    cmd->pitches[0], cmd->offsets[0], U16_MAX);
		return ERR_PTR(-EINVAL);
	}

	gem = drm_gem_object_lookup(file, cmd->handles[0]);
	if (!gem)
		return ERR_PTR(-ENOENT);

	ret = -EINVAL;
	if (!vram_fb_fits(gem, format, cmd)) {
		drm_dbg_kms(drm, "buffer of %zu bytes is too small\n",
			    gem->size);
		goto err_put;
	}
	ret = -ENOMEM;
	fb = kzalloc_obj(*fb, GFP_KERNEL_ACCOUNT);
	if (!fb)
		goto err_put;

	drm_helper_mode_fill_fb_struct(drm, fb, format, cmd);
	fb->obj[0] = gem;
	ret = drm_framebuffer_init(drm, fb, &vram_fb_funcs);
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
 * Framebuffer access
 */

static int vram_plane_prepare_fb(struct drm_plane *plane,
				 struct drm_plane_state *base)
{
	struct vram_plane_state *state = to_vram_plane_state(base), *old = NULL;
	struct vram_display *display = vram_plane_to_display(plane);
	struct drm_crtc_state *crtc_state;
	int ret;

	/* An invisible plane may have a framebuffer. */
	if (!base->fb || !base->visible)
		return 0;

	ret = drm_gem_plane_helper_prepare_fb(plane, base);
	if (ret)
		return ret;

	crtc_state = drm_atomic_get_new_crtc_state(base->state, base->crtc);
	if (WARN_ON(!crtc_state))
		return -EINVAL;
	state->scanout.format = vram_plane_opaque_format(base->fb->format);
	state->scanout.width = crtc_state->mode.hdisplay;
	state->scanout.height = crtc_state->mode.vdisplay;

	if (plane->state)
		old = to_vram_plane_state(plane->state);
	ret = vram_scanout_pin(display, state, old);
	if (ret)
		return ret;
	ret = vram_scanout_prepare_copy(display, state, old);
	if (ret)
		vram_scanout_unpin(state);
	return ret;
}

static void vram_plane_cleanup_fb(struct drm_plane *plane,
				  struct drm_plane_state *base)
{
	vram_scanout_unpin(to_vram_plane_state(base));
}

/*
 * Map one of the card's own buffers. It moves to system memory if possible:
 * while it is mapped in VRAM, no other driver could map it by vmap.
 */
static int vram_plane_map_own(struct vram_plane_state *state)
{
	struct drm_framebuffer *fb = state->base.fb;
	struct vram_bo *bo = to_vram_bo(fb->obj[0]);
	bool pinned = false;
	int ret;

	ret = dma_resv_lock_interruptible(bo->tbo.base.resv, NULL);
	if (ret)
		return ret;
	if (bo->placement & DRM_PHYR_VRAM_PLACE_SYSTEM &&
	    !phyr_buffer_is_revoked(&bo->phyr)) {
		ret = vram_front_pin_system(bo, true);
		pinned = !ret;
	}
	if (ret != -ERESTARTSYS)
		ret = vram_vmap(&bo->tbo.base, &state->map[0]);
	if (pinned)
		vram_front_unpin_system(bo);
	dma_resv_unlock(bo->tbo.base.resv);
	if (ret)
		return ret;

	state->data[0] = state->map[0];
	iosys_map_incr(&state->data[0], fb->offsets[0]);
	return 0;
}

static int vram_plane_begin_fb_access(struct drm_plane *plane,
				      struct drm_plane_state *base)
{
	struct vram_plane_state *state = to_vram_plane_state(base);

	/* A stale shadow is not copied to, so do not wait for its exporter. */
	if (!state->shadow || state->stale)
		return 0;
	if (vram_gem_is_bo(base->fb->obj[0]))
		return vram_plane_map_own(state);
	return drm_gem_fb_vmap(base->fb, state->map, state->data);
}

static void vram_plane_end_fb_access(struct drm_plane *plane,
				     struct drm_plane_state *base)
{
	struct vram_plane_state *state = to_vram_plane_state(base);

	if (state->shadow)
		drm_gem_fb_vunmap(base->fb, state->map);
}

/*
 * Updates
 */

static int vram_plane_atomic_check(struct drm_plane *plane,
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

static void vram_plane_atomic_update(struct drm_plane *plane,
				     struct drm_atomic_commit *commit)
{
	struct vram_display *display = vram_plane_to_display(plane);
	struct vram_plane_state *state = to_vram_plane_state(plane->state);
	struct vram_plane_state *old =
		to_vram_plane_state(drm_atomic_get_old_plane_state(commit,
								   plane));
	bool readable;
	int idx;

	if (!state->shown) {
		vram_scanout_show_black(display);
		return;
	}

	phyr_inject_delay();
	readable = vram_scanout_begin_copy(display, state);
	if (drm_dev_enter(plane->dev, &idx)) {
		if (state->shadow)
			vram_scanout_copy(display, state, old);
		else
			vram_front_update(display, state->shown);
		vram_scanout_show(display, &state->scanout);
		drm_dev_exit(idx);
	}
	if (readable)
		vram_scanout_end_copy(state);
}

static void vram_plane_atomic_disable(struct drm_plane *plane,
				      struct drm_atomic_commit *commit)
{
	vram_scanout_show_black(vram_plane_to_display(plane));
}

/*
 * Called on a panic: must not lock or allocate. The state's picture may not be
 * scanned out yet, or the CRTC may be off, so set the registers here.
 */
static int vram_plane_get_scanout_buffer(struct drm_plane *plane,
					 struct drm_scanout_buffer *sb)
{
	struct vram_display *display = vram_plane_to_display(plane);
	struct vram_plane_state *state = to_vram_plane_state(plane->state);
	struct vram_scanout scanout;

	if (!state || !state->shown)
		return -ENODEV;

	/* drm_panic does not support BGRX8888. */
	scanout = state->scanout;
	if (scanout.format->format == DRM_FORMAT_BGRX8888)
		scanout.format = drm_format_info(DRM_FORMAT_XRGB8888);
	vram_dispi_show(display, &scanout);

	sb->format = scanout.format;
	sb->width = scanout.width;
	sb->height = scanout.height;
	sb->pitch[0] = scanout.pitch;
	iosys_map_set_vaddr_iomem(&sb->map[0],
				  display->vram->io + scanout.offset);
	return 0;
}

static const struct drm_plane_helper_funcs vram_plane_helper_funcs = {
	.prepare_fb = vram_plane_prepare_fb,
	.cleanup_fb = vram_plane_cleanup_fb,
	.begin_fb_access = vram_plane_begin_fb_access,
	.end_fb_access = vram_plane_end_fb_access,
	.atomic_check = vram_plane_atomic_check,
	.atomic_update = vram_plane_atomic_update,
	.atomic_disable = vram_plane_atomic_disable,
	.get_scanout_buffer = vram_plane_get_scanout_buffer,
};

/*
 * States
 */

static struct drm_plane_state *
vram_plane_duplicate_state(struct drm_plane *plane)
{
	struct vram_plane_state *state;

	if (WARN_ON(!plane->state))
		return NULL;

	/* The pinned buffer is not copied: prepare_fb() pins one per state. */
	state = kzalloc_obj(*state);
	if (!state)
		return NULL;
	__drm_atomic_helper_plane_duplicate_state(plane, &state->base);
	return &state->base;
}

static void vram_plane_destroy_state(struct drm_plane *plane,
				     struct drm_plane_state *base)
{
	__drm_atomic_helper_plane_destroy_state(base);
	kfree(to_vram_plane_state(base));
}

static void vram_plane_reset(struct drm_plane *plane)
{
	struct vram_plane_state *state;

	if (plane->state)
		vram_plane_destroy_state(plane, plane->state);
	plane->state = NULL;

	state = kzalloc_obj(*state);
	if (state)
		__drm_atomic_helper_plane_reset(plane, &state->base);
}

static const struct drm_plane_funcs vram_plane_funcs = {
	.update_plane = drm_atomic_helper_update_plane,
	.disable_plane = drm_atomic_helper_disable_plane,
	.destroy = drm_plane_cleanup,
	.reset = vram_plane_reset,
	.atomic_duplicate_state = vram_plane_duplicate_state,
	.atomic_destroy_state = vram_plane_destroy_state,
};

/**
 * vram_plane_init - initialise the primary plane
 * @display: the display, with its mode configuration initialised
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
				       &vram_plane_funcs, vram_plane_formats,
				       ARRAY_SIZE(vram_plane_formats), NULL,
				       DRM_PLANE_TYPE_PRIMARY, NULL);
	if (ret)
		return ret;

	/* Nothing is below the plane: both look the same. */
	ret = drm_plane_create_blend_mode_property(&display->plane,
						   BIT(DRM_MODE_BLEND_PREMULTI) |
						   BIT(DRM_MODE_BLEND_PIXEL_NONE));
	if (ret)
		return ret;

	drm_plane_helper_add(&display->plane, &vram_plane_helper_funcs);
	drm_plane_enable_fb_damage_clips(&display->plane);
	return 0;
}

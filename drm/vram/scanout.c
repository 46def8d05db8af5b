// SPDX-License-Identifier: GPL-2.0
/*
 * Scan-out: pinning a framebuffer or its shadow, and displaying it
 *
 * A framebuffer in one of the card's own buffers is scanned out directly. The
 * buffer is pinned in contiguous VRAM while it is displayed. If it is not there
 * yet, it is moved once. Afterwards it may move again.
 *
 * A commit copies these to a buffer in VRAM, the shadow: buffers of other
 * drivers, buffers that are pinned where the display cannot read them, and
 * pictures that do not cover the screen. The plane state owns the shadow. A
 * commit that shows the same part of the same framebuffer reuses it, and copies
 * only the damage.
 */
#include <drm/drm_atomic.h>
#include <drm/drm_damage_helper.h>
#include <drm/drm_drv.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem_framebuffer_helper.h>
#include <drm/drm_print.h>
#include <drm/phyr_vram_drm.h>
#include <drm/ttm/ttm_bo.h>
#include <linux/iosys-map.h>
#include <linux/phyr_inject.h>

#include "vram.h"

/**
 * vram_scanout_show - display a picture
 * @display: the display
 * @scanout: the picture
 *
 * Context: in a commit, inside drm_dev_enter().
 */
void vram_scanout_show(struct vram_display *display,
		       const struct vram_scanout *scanout)
{
	/* No frame may begin between the registers and crc.now. */
	guard(spinlock_irq)(&display->crc.lock);

	vram_dispi_show(display, scanout);
	display->crc.now = *scanout;
	display->crc.shown++;
}

/**
 * vram_scanout_show_black - display black
 * @display: the display
 *
 * Context: in a commit.
 */
void vram_scanout_show_black(struct vram_display *display)
{
	const struct drm_display_mode *mode = &display->crtc.state->mode;
	int idx;

	if (!drm_dev_enter(&display->vram->drm, &idx))
		return;
	scoped_guard(spinlock_irq, &display->crc.lock) {
		vram_dispi_show_black(display);
		display->crc.now = (struct vram_scanout){
			.width = mode->hdisplay,
			.height = mode->vdisplay,
		};
		display->crc.shown++;
	}
	drm_dev_exit(idx);
}

static int vram_scanout_pin_bo(struct vram_bo *bo, u64 end)
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

static bool vram_scanout_shows_same(const struct vram_plane_state *a,
				    const struct vram_plane_state *b)
{
	return a->base.fb == b->base.fb &&
	       a->scanout.width == b->scanout.width &&
	       a->scanout.height == b->scanout.height &&
	       drm_rect_equals(&a->base.src, &b->base.src) &&
	       drm_rect_equals(&a->base.dst, &b->base.dst);
}

static int vram_scanout_pin_shadow(struct vram_display *display,
				   struct vram_plane_state *state,
				   struct vram_plane_state *old)
{
	struct vram_scanout *scanout = &state->scanout;
	struct vram_bo *bo;
	int ret;

	scanout->pitch = ALIGN(scanout->width * scanout->format->cpp[0],
			       VRAM_PITCH_ALIGN);
	if (old && old->shadow && vram_scanout_shows_same(state, old)) {
		bo = old->shown;
		drm_gem_object_get(&bo->tbo.base);
	} else {
		bo = vram_gem_create(display->vram, NULL,
				     PAGE_ALIGN((u64)scanout->pitch *
						scanout->height),
				     DRM_PHYR_VRAM_PLACE_VRAM, 0);
		if (IS_ERR(bo))
			return PTR_ERR(bo);
	}

	ret = vram_scanout_pin_bo(bo, vram_dispi_end(display, scanout->pitch));
	if (ret) {
		vram_bo_put(bo);
		return ret;
	}
	/* Pinned, so the offset stays valid without the lock. */
	scanout->offset = vram_resource_offset(bo->tbo.resource);
	state->shown = bo;
	state->shadow = true;
	return 0;
}

/* Pin the framebuffer's own buffer; -EBUSY if a shadow is needed. */
static int vram_scanout_pin_fb(struct vram_display *display,
			       struct vram_plane_state *state)
{
	struct drm_framebuffer *fb = state->base.fb;
	struct vram_scanout *scanout = &state->scanout;
	struct drm_rect *src = &state->base.src;
	struct drm_rect screen;
	struct vram_bo *bo;
	int ret;

	drm_rect_init(&screen, 0, 0, scanout->width, scanout->height);
	if (!drm_rect_equals(&state->base.dst, &screen) ||
	    !vram_gem_is_bo(fb->obj[0]))
		return -EBUSY;
	bo = to_vram_bo(fb->obj[0]);
	if (!(bo->placement & DRM_PHYR_VRAM_PLACE_VRAM))
		return -EBUSY;

	scanout->pitch = fb->pitches[0];
	ret = vram_scanout_pin_bo(bo, vram_dispi_end(display, scanout->pitch));
	if (ret)
		return ret;
	scanout->offset = vram_resource_offset(bo->tbo.resource) +
			  fb->offsets[0] +
		       (u64)(src->y1 >> 16) * scanout->pitch +
		       (src->x1 >> 16) * scanout->format->cpp[0];
	state->shown = bo;
	return 0;
}

/**
 * vram_scanout_pin - pin a buffer for scan-out of a plane state
 * @display: the display
 * @state: the new plane state, visible, with format and size set in its
 *	scanout; gets the buffer and the rest of scanout
 * @old: the previous plane state, or NULL; its shadow is reused if possible
 *
 * Pins the framebuffer's own buffer if the display can read it, otherwise a
 * shadow, which vram_scanout_copy() fills. Undone by vram_scanout_unpin().
 *
 * Context: in a commit; takes reset_lock and reservation locks; may sleep.
 * Return: 0; -ENODEV if the card is gone; -ENOSPC, -ENOMEM, -EINTR,
 * -ERESTARTSYS.
 */
int vram_scanout_pin(struct vram_display *display,
		     struct vram_plane_state *state,
		     struct vram_plane_state *old)
{
	struct vram_device *vram = display->vram;
	int ret;

	ret = vram_bos_begin_move(vram);
	if (ret)
		return ret;
	ret = vram_scanout_pin_fb(display, state);
	if (ret == -EBUSY)
		ret = vram_scanout_pin_shadow(display, state, old);
	vram_bos_end_move(vram);
	return ret;
}

/**
 * vram_scanout_unpin - undo vram_scanout_pin()
 * @state: the plane state; ignored if nothing is pinned
 *
 * Context: takes a reservation lock; may sleep.
 */
void vram_scanout_unpin(struct vram_plane_state *state)
{
	if (!state->shown)
		return;
	vram_bo_unpin(state->shown);
	if (state->shadow)
		vram_bo_put(state->shown);
	state->shown = NULL;
	state->shadow = false;
}

/* @rect is in framebuffer coordinates, within the plane's source. */
static void vram_scanout_copy_rect(struct vram_display *display,
				   struct vram_plane_state *state,
				   const struct drm_rect *rect)
{
	struct drm_framebuffer *fb = state->base.fb;
	u32 cpp = fb->format->cpp[0];
	size_t len = drm_rect_width(rect) * cpp;
	int x = rect->x1 - (state->base.src.x1 >> 16) + state->base.dst.x1;
	int y = rect->y1 - (state->base.src.y1 >> 16) + state->base.dst.y1;
	void __iomem *to = display->vram->io + state->scanout.offset +
			   (size_t)y * state->scanout.pitch + x * cpp;
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
		to += state->scanout.pitch;
	}
}

static int vram_scanout_begin_copy(struct vram_display *display,
				   struct drm_framebuffer *fb)
{
	int ret;

	if (phyr_inject_fault())
		return -ENOMEM;
	ret = drm_gem_fb_begin_cpu_access(fb, DMA_FROM_DEVICE);
	if (ret)
		drm_err_once(&display->vram->drm, "cannot copy a framebuffer: its exporter denies CPU access\n");
	return ret;
}

/**
 * vram_scanout_copy - copy the framebuffer to the shadow
 * @display: the display
 * @state: the plane state, with a shadow and the framebuffer mapped
 * @old: the previous plane state
 *
 * Copies only the damage if @old has the same shadow. The commit cannot fail
 * any more: if the copy fails, the next commit copies everything.
 *
 * Context: in a commit, inside drm_dev_enter(); may sleep.
 */
void vram_scanout_copy(struct vram_display *display,
		       struct vram_plane_state *state,
		       struct vram_plane_state *old)
{
	struct drm_framebuffer *fb = state->base.fb;
	struct drm_atomic_helper_damage_iter iter;
	struct drm_rect shown, rect;

	if (vram_scanout_begin_copy(display, fb)) {
		state->stale = true;
		return;
	}

	drm_rect_fp_to_int(&shown, &state->base.src);
	/* A new or stale shadow needs a full copy, whatever the damage. */
	if (!old->shadow || old->shown != state->shown || old->stale) {
		vram_scanout_copy_rect(display, state, &shown);
	} else {
		drm_atomic_helper_damage_iter_init(&iter, &old->base,
						   &state->base);
		/* The helper does not clip the damage to the source. */
		drm_atomic_for_each_plane_damage(&iter, &rect)
			if (drm_rect_intersect(&rect, &shown))
				vram_scanout_copy_rect(display, state, &rect);
	}
	drm_gem_fb_end_cpu_access(fb, DMA_FROM_DEVICE);
}

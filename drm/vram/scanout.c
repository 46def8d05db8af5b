// SPDX-License-Identifier: GPL-2.0
/*
 * Scan-out: pinning a framebuffer or its shadow, and displaying it
 *
 * A framebuffer in one of the card's own buffers is scanned out directly. The
 * buffer is pinned in contiguous VRAM while it is displayed. If it is not there
 * yet, it is moved once. Afterwards it may move again.
 *
 * A buffer that other drivers have mapped by vmap is shown by its front, see
 * front.c.
 *
 * A commit copies these to a buffer in VRAM, the shadow: buffers of other
 * drivers, buffers that importers have pinned where the display cannot read
 * them, and pictures that do not cover the screen. The plane state owns the
 * shadow. A commit that shows the same part of the same framebuffer reuses it,
 * and copies only the damage. While shadows are shown, the display keeps up to
 * two that plane states have released as spares, because clients flip between
 * two buffers, and the next commit may start before the last one releases its
 * shadow. Spares can be evicted.
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
#include <linux/delay.h>
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

static bool vram_scanout_shows_same(const struct vram_plane_state *a,
				    const struct vram_plane_state *b)
{
	return a->base.fb == b->base.fb &&
	       a->scanout.width == b->scanout.width &&
	       a->scanout.height == b->scanout.height &&
	       drm_rect_equals(&a->base.src, &b->base.src) &&
	       drm_rect_equals(&a->base.dst, &b->base.dst);
}

/* A spare, whose contents are old; NULL if there is none of @size bytes. */
static struct vram_bo *vram_scanout_get_spare(struct vram_display *display,
					      u64 size)
{
	struct vram_bo *bo;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(display->spares); i++) {
		bo = xchg(&display->spares[i], NULL);
		if (bo && bo->tbo.base.size == size)
			return bo;
		if (bo)
			vram_bo_put(bo);
	}
	return NULL;
}

static void vram_scanout_put_spares(struct vram_display *display)
{
	struct vram_bo *bo;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(display->spares); i++) {
		bo = xchg(&display->spares[i], NULL);
		if (bo)
			vram_bo_put(bo);
	}
}

/* Drop a plane state's reference to a shadow that it has unpinned. */
static void vram_scanout_put_shadow(struct vram_display *display,
				    struct vram_bo *bo, bool unused)
{
	size_t i;

	atomic_dec(&display->shadows);
	for (i = 0; bo && unused && i < ARRAY_SIZE(display->spares); i++)
		if (!cmpxchg(&display->spares[i], NULL, bo))
			bo = NULL;
	if (bo)
		vram_bo_put(bo);
	/* Look afterwards: a commit may do the same at the same time. */
	smp_mb();
	if (!atomic_read(&display->shadows))
		vram_scanout_put_spares(display);
}

static bool vram_scanout_covers(const struct vram_plane_state *state)
{
	struct drm_rect screen;

	drm_rect_init(&screen, 0, 0, state->scanout.width,
		      state->scanout.height);
	return drm_rect_equals(&state->base.dst, &screen);
}

/*
 * With a small pitch the display reaches only the start of VRAM, which another
 * picture may occupy. Then take one with which it reaches the space for scan-out.
 */
static u32 vram_scanout_shadow_pitch(struct vram_display *display,
				     const struct vram_scanout *scanout)
{
	u32 pitch = ALIGN(scanout->width * scanout->format->cpp[0],
			  VRAM_PITCH_ALIGN);
	struct vram_mgr *mgr = &display->vram->mgr;

	if (vram_mgr_fits_scanout(mgr, PAGE_ALIGN((u64)pitch * scanout->height),
				  vram_dispi_end(display, pitch)))
		return pitch;
	return max(pitch, vram_dispi_min_pitch(mgr->fixed_start));
}

static int vram_scanout_pin_shadow(struct vram_display *display,
				   struct vram_plane_state *state,
				   struct vram_plane_state *old)
{
	struct vram_scanout *scanout = &state->scanout;
	struct vram_bo *bo = NULL;
	u64 size;
	int ret;

	scanout->pitch = vram_scanout_shadow_pitch(display, scanout);
	size = PAGE_ALIGN((u64)scanout->pitch * scanout->height);
	if (old && old->shadow && vram_scanout_shows_same(state, old)) {
		bo = old->shown;
		drm_gem_object_get(&bo->tbo.base);
	} else if (vram_scanout_covers(state)) {
		/* Otherwise its old contents would be around the picture. */
		bo = vram_scanout_get_spare(display, size);
	}
	if (!bo)
		bo = vram_gem_create(display->vram, NULL, size,
				     DRM_PHYR_VRAM_PLACE_VRAM |
				     DRM_PHYR_VRAM_PLACE_SYSTEM, 0);
	if (IS_ERR(bo))
		return PTR_ERR(bo);

	scanout->offset = 0;
	ret = vram_front_pin(bo, vram_dispi_end(display, scanout->pitch),
			     scanout);
	if (ret) {
		vram_bo_put(bo);
		return ret;
	}
	state->shown = bo;
	state->shadow = true;
	atomic_inc(&display->shadows);
	return 0;
}

/* Pin the framebuffer's own buffer; -EBUSY if a shadow is needed. */
static int vram_scanout_pin_fb(struct vram_display *display,
			       struct vram_plane_state *state)
{
	struct drm_framebuffer *fb = state->base.fb;
	struct vram_scanout *scanout = &state->scanout;
	struct drm_rect *src = &state->base.src;
	struct vram_bo *bo;
	int ret;

	if (!vram_scanout_covers(state) || !vram_gem_is_bo(fb->obj[0]))
		return -EBUSY;
	bo = to_vram_bo(fb->obj[0]);
	if (!(bo->placement & DRM_PHYR_VRAM_PLACE_VRAM))
		return -EBUSY;

	scanout->pitch = fb->pitches[0];
	scanout->offset = fb->offsets[0] +
			  (u64)(src->y1 >> 16) * scanout->pitch +
			  (src->x1 >> 16) * scanout->format->cpp[0];
	ret = vram_front_pin(bo, vram_dispi_end(display, scanout->pitch),
			     scanout);
	if (ret)
		return ret;
	state->shown = bo;
	return 0;
}

/*
 * The commit before the last one may not have unpinned its picture yet. Wait for
 * that, so that at most one picture is pinned. The caller has locked the CRTC.
 */
static int vram_scanout_wait_unpinned(const struct vram_plane_state *state)
{
	struct drm_crtc_commit *commit = state->base.crtc->state->commit;
	long ret;

	if (!commit)
		return 0;
	ret = wait_for_completion_interruptible_timeout(&commit->cleanup_done,
							10 * HZ);
	return ret < 0 ? ret : 0;
}

static int vram_scanout_try_pin(struct vram_display *display,
				struct vram_plane_state *state,
				struct vram_plane_state *old)
{
	int ret;

	ret = vram_bos_begin_move(display->vram);
	if (ret)
		return ret;
	ret = vram_scanout_pin_fb(display, state);
	if (ret == -EBUSY)
		ret = vram_scanout_pin_shadow(display, state, old);
	vram_bos_end_move(display->vram);
	return ret;
}

/* Attempts to pin, and the time between two of them */
#define VRAM_SCANOUT_ATTEMPTS	50
#define VRAM_SCANOUT_PERIOD_MS	20

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
 * A lack of space may pass: the picture before the last one is unpinned soon, and
 * TTM does not evict buffers whose locks others hold, for example to move them.
 * So wait for the former, and try again for a second because of the latter.
 *
 * Context: in a commit; takes reset_lock and reservation locks; may sleep.
 * Return: 0; -ENODEV if the card is gone; -ENOSPC, -ENOMEM, -EINTR,
 * -ERESTARTSYS.
 */
int vram_scanout_pin(struct vram_display *display,
		     struct vram_plane_state *state,
		     struct vram_plane_state *old)
{
	unsigned int i;
	int ret;

	ret = vram_scanout_try_pin(display, state, old);
	if (ret != -ENOSPC)
		return ret;

	ret = vram_scanout_wait_unpinned(state);
	if (ret)
		return ret;
	for (i = 0; i < VRAM_SCANOUT_ATTEMPTS; i++) {
		ret = vram_scanout_try_pin(display, state, old);
		if (ret != -ENOSPC)
			break;
		if (msleep_interruptible(VRAM_SCANOUT_PERIOD_MS))
			return -EINTR;
	}
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
	struct vram_bo *bo = state->shown;
	bool unused;

	if (!bo)
		return;
	unused = vram_front_unpin(bo);
	if (state->shadow)
		vram_scanout_put_shadow(ttm_to_vram(bo->tbo.bdev)->display, bo,
					unused);
	state->shown = NULL;
	state->shadow = false;
}

/*
 * Exporters wait for the fences without end in their begin_cpu_access. Return:
 * -EBUSY if the commit is hurried, or as vram_commit_wait_buffer().
 */
static int vram_scanout_wait_foreign(struct vram_display *display,
				     const struct drm_framebuffer *fb,
				     bool interruptible)
{
	const struct drm_gem_object *gem = fb->obj[0];

	return vram_gem_is_bo(gem) ? 0 :
	       vram_commit_wait_buffer(display, gem->resv, interruptible);
}

/**
 * vram_scanout_prepare_copy - let the exporter allocate what copying needs
 * @display: the display
 * @state: the new plane state, pinned
 * @old: the previous plane state, or NULL
 *
 * Begins and ends CPU access to a foreign framebuffer that was not copied
 * before. Exporters allocate in the first one, for example udmabuf its table of
 * pages, which the end of the commit must not do: fences depend on it.
 *
 * Context: in a commit, before it is committed; may sleep.
 * Return: 0, or the error of the exporter.
 */
int vram_scanout_prepare_copy(struct vram_display *display,
			      struct vram_plane_state *state,
			      struct vram_plane_state *old)
{
	struct drm_framebuffer *fb = state->base.fb;
	int ret;

	if (!state->shadow || (old && old->base.fb == fb && !old->stale))
		return 0;
	ret = vram_scanout_wait_foreign(display, fb, true);
	if (ret == -EBUSY) {
		state->stale = true;
		return 0;
	}
	if (!ret)
		ret = drm_gem_fb_begin_cpu_access(fb, DMA_FROM_DEVICE);
	if (!ret)
		drm_gem_fb_end_cpu_access(fb, DMA_FROM_DEVICE);
	return ret;
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

/**
 * vram_scanout_begin_copy - wait until the framebuffer may be read
 * @display: the display
 * @state: the plane state
 *
 * Not inside drm_dev_enter(): the unplug of any DRM device waits for all who
 * are, and may be what the fences wait for.
 *
 * Context: in a commit; may sleep.
 * Return: true if vram_scanout_copy() may read it, and vram_scanout_end_copy()
 * is due; false if there is no shadow, or it is stale from now on.
 */
bool vram_scanout_begin_copy(struct vram_display *display,
			     struct vram_plane_state *state)
{
	struct drm_framebuffer *fb = state->base.fb;
	int ret;

	if (!state->shadow || state->stale)
		return false;

	ret = phyr_inject_fault() ? -ENOMEM :
	      vram_scanout_wait_foreign(display, fb, false);
	if (!ret) {
		ret = drm_gem_fb_begin_cpu_access(fb, DMA_FROM_DEVICE);
		if (ret)
			drm_err_once(&display->vram->drm, "cannot copy a framebuffer: its exporter denies CPU access\n");
	}
	state->stale = ret;
	return !ret;
}

/**
 * vram_scanout_end_copy - undo vram_scanout_begin_copy()
 * @state: the plane state
 *
 * Context: in a commit; may sleep.
 */
void vram_scanout_end_copy(struct vram_plane_state *state)
{
	drm_gem_fb_end_cpu_access(state->base.fb, DMA_FROM_DEVICE);
}

/**
 * vram_scanout_copy - copy the framebuffer to the shadow
 * @display: the display
 * @state: the plane state, with a shadow, after vram_scanout_begin_copy()
 * @old: the previous plane state
 *
 * Copies only the damage if @old has the same shadow. The commit cannot fail
 * any more: if @state is stale, the next commit copies everything.
 *
 * Context: in a commit, inside drm_dev_enter(); may sleep.
 */
void vram_scanout_copy(struct vram_display *display,
		       struct vram_plane_state *state,
		       struct vram_plane_state *old)
{
	struct drm_atomic_helper_damage_iter iter;
	struct drm_rect shown, rect;
	bool new = !old->shadow || old->shown != state->shown;

	if (state->stale) {
		/* A spare may hold another client's picture. */
		if (new)
			memset_io(display->vram->io + state->scanout.offset, 0,
				  (size_t)state->scanout.pitch *
				  state->scanout.height);
		return;
	}

	drm_rect_fp_to_int(&shown, &state->base.src);
	/* A new or stale shadow needs a full copy, whatever the damage. */
	if (new || old->stale) {
		vram_scanout_copy_rect(display, state, &shown);
	} else {
		drm_atomic_helper_damage_iter_init(&iter, &old->base,
						   &state->base);
		/* The helper does not clip the damage to the source. */
		drm_atomic_for_each_plane_damage(&iter, &rect)
			if (drm_rect_intersect(&rect, &shown))
				vram_scanout_copy_rect(display, state, &rect);
	}
}

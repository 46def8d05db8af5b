// SPDX-License-Identifier: GPL-2.0
/*
 * The display of bochs-display: CRTC, connector, modes; unplug, suspend, reset
 *
 * There is no vblank interrupt; vblanks come from the kernel's vblank timer.
 * There is no blanking either: a CRTC that is off scans out black pixels from a
 * reserved part of VRAM.
 */
#include <drm/clients/drm_client_setup.h>
#include <drm/drm_atomic.h>
#include <drm/drm_atomic_helper.h>
#include <drm/drm_client_event.h>
#include <drm/drm_drv.h>
#include <drm/drm_edid.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_managed.h>
#include <drm/drm_modeset_helper.h>
#include <drm/drm_modeset_helper_vtables.h>
#include <drm/drm_print.h>
#include <drm/drm_probe_helper.h>
#include <drm/drm_vblank.h>
#include <drm/drm_vblank_helper.h>
#include <linux/completion.h>
#include <linux/hrtimer.h>
#include <linux/sched/signal.h>

#include "vram.h"

/* The time for commits that wait for fences: before a reset, and after it. */
#define VRAM_RESET_PATIENCE		secs_to_jiffies(10)
#define VRAM_RESTORE_PATIENCE		secs_to_jiffies(1)

#define VRAM_DISPLAY_MIN_SIZE		64
#define VRAM_DISPLAY_MAX_SIZE		8192
/* Hz: range of the vblank timer */
#define VRAM_DISPLAY_MIN_REFRESH	1
#define VRAM_DISPLAY_MAX_REFRESH	1000
/* The preferred mode without an EDID */
#define VRAM_DISPLAY_WIDTH		1024
#define VRAM_DISPLAY_HEIGHT		768

static struct vram_display *vram_crtc_to_display(struct drm_crtc *crtc)
{
	return container_of(crtc, struct vram_display, crtc);
}

/*
 * CRTC
 */

static void vram_crtc_atomic_disable(struct drm_crtc *crtc,
				     struct drm_atomic_commit *commit)
{
	struct drm_device *drm = crtc->dev;

	drm_crtc_vblank_off(crtc);
	vram_scanout_show_black(vram_crtc_to_display(crtc));

	/* No vblank follows: send the event of the commit that disables it. */
	if (!crtc->state->event)
		return;
	spin_lock_irq(&drm->event_lock);
	drm_crtc_send_vblank_event(crtc, crtc->state->event);
	crtc->state->event = NULL;
	spin_unlock_irq(&drm->event_lock);
}

static bool vram_crtc_handle_vblank_timeout(struct drm_crtc *crtc)
{
	bool ret = drm_crtc_handle_vblank(crtc);

	vram_crc_frame(&vram_crtc_to_display(crtc)->crc,
		       drm_crtc_vblank_count(crtc));
	return ret;
}

/*
 * Compute the last vblank from the clock, even if the timer's callback is late:
 * a commit after the timer expired belongs to the next frame, and its event
 * must not have an earlier timestamp. The kernel's helper relies on the
 * callback.
 */
static bool vram_crtc_get_vblank_timestamp(struct drm_crtc *crtc,
					   int *max_error, ktime_t *time,
					   bool in_vblank_irq)
{
	struct drm_vblank_crtc *vblank = drm_crtc_vblank_crtc(crtc);
	ktime_t now = ktime_get(), next;
	u32 frame = vblank->framedur_ns;

	*time = now;
	if (!READ_ONCE(vblank->enabled) || !frame)
		return true;

	next = hrtimer_get_expires(&vblank->vblank_timer.timer);
	if (ktime_after(next, now))
		*time = ktime_sub_ns(next, frame);
	else
		*time = ktime_sub_ns(now, ktime_to_ns(ktime_sub(now, next)) %
				     frame);
	return true;
}

static const struct drm_crtc_helper_funcs vram_crtc_helper_funcs = {
	.atomic_flush = drm_crtc_vblank_atomic_flush,
	.atomic_enable = drm_crtc_vblank_atomic_enable,
	.atomic_disable = vram_crtc_atomic_disable,
	.handle_vblank_timeout = vram_crtc_handle_vblank_timeout,
};

static const struct drm_crtc_funcs vram_crtc_funcs = {
	.reset = drm_atomic_helper_crtc_reset,
	.destroy = drm_crtc_cleanup,
	.set_config = drm_atomic_helper_set_config,
	.page_flip = drm_atomic_helper_page_flip,
	.atomic_duplicate_state = drm_atomic_helper_crtc_duplicate_state,
	.atomic_destroy_state = drm_atomic_helper_crtc_destroy_state,
	.get_crc_sources = vram_crc_sources,
	.verify_crc_source = vram_crc_verify_source,
	.set_crc_source = vram_crc_set_source,
	.enable_vblank = drm_crtc_vblank_helper_enable_vblank_timer,
	.disable_vblank = drm_crtc_vblank_helper_disable_vblank_timer,
	.get_vblank_timestamp = vram_crtc_get_vblank_timestamp,
};

/*
 * Connector
 */

static int vram_connector_get_modes(struct drm_connector *connector)
{
	struct vram_display *display =
		container_of(connector, struct vram_display, connector);
	const struct drm_edid *edid = NULL;
	int count, idx;

	if (drm_dev_enter(connector->dev, &idx)) {
		edid = vram_dispi_read_edid(display, connector);
		drm_dev_exit(idx);
	}

	drm_edid_connector_update(connector, edid);
	if (!edid) {
		count = drm_add_modes_noedid(connector, VRAM_DISPLAY_MAX_SIZE,
					     VRAM_DISPLAY_MAX_SIZE);
		drm_set_preferred_mode(connector, VRAM_DISPLAY_WIDTH,
				       VRAM_DISPLAY_HEIGHT);
		return count;
	}
	count = drm_edid_connector_add_modes(connector);
	drm_edid_free(edid);
	return count;
}

static const struct drm_connector_helper_funcs vram_connector_helper_funcs = {
	.get_modes = vram_connector_get_modes,
};

static const struct drm_connector_funcs vram_connector_funcs = {
	.fill_modes = drm_helper_probe_single_connector_modes,
	.destroy = drm_connector_cleanup,
	.reset = drm_atomic_helper_connector_reset,
	.atomic_duplicate_state = drm_atomic_helper_connector_duplicate_state,
	.atomic_destroy_state = drm_atomic_helper_connector_destroy_state,
};

static const struct drm_encoder_funcs vram_encoder_funcs = {
	.destroy = drm_encoder_cleanup,
};

/*
 * Modes
 */

static enum drm_mode_status
vram_display_mode_valid(struct drm_device *drm,
			const struct drm_display_mode *mode)
{
	u64 size = (u64)mode->hdisplay * mode->vdisplay * sizeof(u32);

	if (mode->flags & DRM_MODE_FLAG_INTERLACE)
		return MODE_NO_INTERLACE;
	if (mode->flags & DRM_MODE_FLAG_DBLSCAN)
		return MODE_NO_DBLESCAN;
	if (mode->vscan > 1)
		return MODE_NO_VSCAN;
	if (!in_range(drm_mode_vrefresh(mode), VRAM_DISPLAY_MIN_REFRESH,
		      VRAM_DISPLAY_MAX_REFRESH))
		return MODE_CLOCK_RANGE;
	if (mode->hdisplay < VRAM_DISPLAY_MIN_SIZE)
		return MODE_H_ILLEGAL;
	if (mode->vdisplay < VRAM_DISPLAY_MIN_SIZE)
		return MODE_V_ILLEGAL;
	return size > vram_mgr_max_picture(&to_vram(drm)->mgr) ? MODE_MEM :
								 MODE_OK;
}

static const struct drm_mode_config_funcs vram_mode_config_funcs = {
	.fb_create = vram_fb_create,
	.mode_valid = vram_display_mode_valid,
	.atomic_check = drm_atomic_helper_check,
	.atomic_commit = vram_commit,
};

/*
 * Initialisation, removal, power management
 */

static int vram_display_init_config(struct vram_display *display)
{
	struct drm_device *drm = &display->vram->drm;
	int ret;

	ret = drmm_mode_config_init(drm);
	if (ret)
		return ret;

	drm->mode_config.max_width = VRAM_DISPLAY_MAX_SIZE;
	drm->mode_config.max_height = VRAM_DISPLAY_MAX_SIZE;
	drm->mode_config.preferred_depth = 24;
	/* VRAM is slow to read: clients should draw elsewhere. */
	drm->mode_config.prefer_shadow = 1;
	drm->mode_config.quirk_addfb_prefer_host_byte_order = true;
	drm->mode_config.funcs = &vram_mode_config_funcs;
	return 0;
}

static int vram_display_init_pipe(struct vram_display *display)
{
	struct drm_device *drm = &display->vram->drm;
	int ret;

	ret = vram_plane_init(display);
	if (ret)
		return ret;

	ret = drm_crtc_init_with_planes(drm, &display->crtc, &display->plane,
					NULL, &vram_crtc_funcs, NULL);
	if (ret)
		return ret;
	drm_crtc_helper_add(&display->crtc, &vram_crtc_helper_funcs);

	ret = drm_encoder_init(drm, &display->encoder, &vram_encoder_funcs,
			       DRM_MODE_ENCODER_VIRTUAL, NULL);
	if (ret)
		return ret;
	display->encoder.possible_crtcs = drm_crtc_mask(&display->crtc);

	ret = drm_connector_init(drm, &display->connector,
				 &vram_connector_funcs,
				 DRM_MODE_CONNECTOR_VIRTUAL);
	if (ret)
		return ret;
	drm_connector_helper_add(&display->connector,
				 &vram_connector_helper_funcs);
	drm_connector_attach_edid_property(&display->connector);
	return drm_connector_attach_encoder(&display->connector,
					    &display->encoder);
}

/**
 * vram_display_init - initialise the display
 * @vram: the card, with its VRAM mapped and the allocator initialised
 * @bar: number of the BAR with the display's registers
 *
 * Released with the DRM device.
 *
 * Return: 0; -ENODEV if the BAR has no display; -ENOMEM.
 */
int vram_display_init(struct vram_device *vram, int bar)
{
	struct vram_display *display;
	int ret;

	display = drmm_kzalloc(&vram->drm, sizeof(*display), GFP_KERNEL);
	if (!display)
		return -ENOMEM;

	display->vram = vram;
	ret = vram_dispi_init(display, bar);
	if (ret)
		return ret;
	vram_dispi_start(display);

	vram_commits_init(display);
	ret = vram_crc_init(&display->crc, VRAM_DISPLAY_MAX_SIZE);
	if (ret)
		return ret;
	ret = vram_fronts_init(display);
	if (ret)
		return ret;
	ret = vram_display_init_config(display);
	if (ret)
		return ret;
	ret = vram_display_init_pipe(display);
	if (ret)
		return ret;
	ret = drm_vblank_init(&vram->drm, 1);
	if (ret)
		return ret;

	drm_mode_config_reset(&vram->drm);
	vram->display = display;
	return 0;
}

/**
 * vram_display_register - start the in-kernel clients, such as the console
 * @vram: the card, registered; ignored if it has no display
 *
 * Context: may sleep.
 */
void vram_display_register(struct vram_device *vram)
{
	if (vram->display)
		drm_client_setup(&vram->drm, NULL);
}

/*
 * A commit waits interruptibly. One that disables or restores the display must
 * not end by a signal for the task that wrote to a sysfs file, such as
 * /sys/power/state, unbind or reset. Undone by sigprocmask().
 */
static void vram_display_hold_signals(sigset_t *old)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, old);
}

/**
 * vram_display_hurry - let no commit wait for fences any more
 * @vram: the card, which is about to be removed; ignored if it has no display
 *
 * Call it before drm_dev_unplug(), which waits for copies of pictures.
 *
 * Context: may sleep.
 */
void vram_display_hurry(struct vram_device *vram)
{
	if (vram->display)
		vram_commits_hurry(vram->display);
}

/*
 * The helpers that disable a display wait for the previous commit, which waits
 * for its fences; and either without a timeout, or until a signal comes.
 */
static bool vram_display_wait(struct vram_display *display,
			      unsigned long timeout)
{
	struct drm_crtc *crtc = &display->crtc;
	struct drm_crtc_commit *commit;
	bool done;

	drm_modeset_lock(&crtc->mutex, NULL);
	commit = crtc->state->commit;
	if (commit)
		drm_crtc_commit_get(commit);
	drm_modeset_unlock(&crtc->mutex);
	if (!commit)
		return true;
	done = wait_for_completion_timeout(&commit->hw_done, timeout);
	drm_crtc_commit_put(commit);
	return done;
}

/**
 * vram_display_remove - show black and release all framebuffers
 * @vram: the card, after vram_display_hurry() and drm_dev_unplug(), and with its
 *	registers still mapped; ignored if it has no display
 *
 * Context: may sleep.
 */
void vram_display_remove(struct vram_device *vram)
{
	sigset_t signals;

	if (!vram->display)
		return;

	/* Commits do not access the registers any more. */
	vram_dispi_show_black(vram->display);
	/* Not left to the disable, whose wait a signal may end. */
	vram_display_wait(vram->display, MAX_SCHEDULE_TIMEOUT);
	vram_display_hold_signals(&signals);
	drm_atomic_helper_shutdown(&vram->drm);
	sigprocmask(SIG_SETMASK, &signals, NULL);
	vram_fronts_stop(vram->display);
	vram_crc_flush(&vram->display->crc);
}

/**
 * vram_display_shutdown - disable the display
 * @vram: the card; ignored if it has no display
 *
 * Context: may sleep.
 */
void vram_display_shutdown(struct vram_device *vram)
{
	if (!vram->display)
		return;
	vram_commits_hurry(vram->display);
	vram_display_wait(vram->display, MAX_SCHEDULE_TIMEOUT);
	drm_atomic_helper_shutdown(&vram->drm);
}

/**
 * vram_display_suspend - disable the display and save its state
 * @vram: the card, which may lose power afterwards; ignored if it has no
 *	display
 * @timeout: jiffies to wait for a commit that is under way
 *
 * Unpins all framebuffers and clears the registers.
 *
 * Context: may sleep; userspace is frozen.
 * Return: 0, -EBUSY after @timeout, or as drm_mode_config_helper_suspend().
 */
int vram_display_suspend(struct vram_device *vram, unsigned long timeout)
{
	int ret;

	if (!vram->display)
		return 0;
	if (!vram_display_wait(vram->display, timeout)) {
		drm_err(&vram->drm, "cannot suspend: a flip waits for a fence; try again later\n");
		return -EBUSY;
	}
	ret = drm_mode_config_helper_suspend(&vram->drm);
	if (ret)
		return ret;
	vram_fronts_stop(vram->display);
	vram_dispi_clear(vram->display);
	return 0;
}

/**
 * vram_display_resume - restore the state saved by vram_display_suspend()
 * @vram: the card, with its VRAM usable; ignored if it has no display or was
 *	not suspended
 *
 * Does not wait long for fences: userspace is frozen, and may have to signal
 * them.
 *
 * Context: may sleep.
 * Return: 0, or as drm_mode_config_helper_resume().
 */
int vram_display_resume(struct vram_device *vram)
{
	sigset_t signals;
	int ret;

	if (!vram->display || !vram->drm.mode_config.suspend_state)
		return 0;
	vram_dispi_start(vram->display);
	vram_commits_hurry_later(vram->display, VRAM_RESTORE_PATIENCE);
	vram_display_hold_signals(&signals);
	ret = drm_mode_config_helper_resume(&vram->drm);
	sigprocmask(SIG_SETMASK, &signals, NULL);
	vram_commits_relax(vram->display);
	return ret;
}

static void vram_display_lock(struct vram_display *display)
{
	struct drm_modeset_acquire_ctx *ctx = &display->blocked;

	drm_modeset_acquire_init(ctx, 0);
	while (drm_modeset_lock_all_ctx(&display->vram->drm, ctx) == -EDEADLK)
		drm_modeset_backoff(ctx);
}

/**
 * vram_display_block - disable the display and block commits
 * @vram: the card, which is about to be reset; ignored if it has no display
 *
 * Unlike vram_display_suspend(), for which userspace is frozen, this keeps the
 * modeset locks until vram_display_unblock(), so that no commit writes the
 * registers of a card in reset. Blocks commits even if it fails. A reset cannot
 * be refused, so commits that wait for fences are hurried after a while.
 *
 * Context: may sleep. The same task must call vram_display_unblock().
 * Return: 0; -ENOMEM if the picture will be lost; as
 * drm_atomic_helper_disable_all().
 */
int vram_display_block(struct vram_device *vram)
{
	struct vram_display *display = vram->display;
	struct drm_atomic_commit *state;
	sigset_t signals;
	int ret;

	if (!display)
		return 0;

	vram_commits_hurry_later(display, VRAM_RESET_PATIENCE);
	drm_client_dev_suspend(&vram->drm);
	vram_display_lock(display);
	/* Not left to the disable, whose wait a signal may end. */
	if (display->crtc.state->commit)
		wait_for_completion(&display->crtc.state->commit->hw_done);
	state = drm_atomic_helper_duplicate_state(&vram->drm,
						  &display->blocked);
	display->blocked_state = IS_ERR(state) ? NULL : state;
	vram_display_hold_signals(&signals);
	ret = drm_atomic_helper_disable_all(&vram->drm, &display->blocked);
	sigprocmask(SIG_SETMASK, &signals, NULL);
	vram_commits_relax(display);
	vram_fronts_stop(display);
	vram_dispi_clear(display);
	return IS_ERR(state) ? PTR_ERR(state) : ret;
}

/**
 * vram_display_unblock - undo vram_display_block() after the reset
 * @vram: the card, with its VRAM usable; ignored if it has no display
 *
 * Context: the reset_lock is not held, since commits take it; may sleep.
 * Return: 0, or as drm_atomic_helper_commit_duplicated_state().
 */
int vram_display_unblock(struct vram_device *vram)
{
	struct vram_display *display = vram->display;
	struct drm_atomic_commit *state;
	sigset_t signals;
	int ret = 0;

	if (!display)
		return 0;

	state = display->blocked_state;
	display->blocked_state = NULL;
	vram_dispi_start(display);
	if (state) {
		vram_commits_hurry_later(display, VRAM_RESTORE_PATIENCE);
		vram_display_hold_signals(&signals);
		ret = drm_atomic_helper_commit_duplicated_state(state,
								&display->blocked);
		sigprocmask(SIG_SETMASK, &signals, NULL);
		vram_commits_relax(display);
		drm_atomic_commit_put(state);
	}
	drm_modeset_drop_locks(&display->blocked);
	drm_modeset_acquire_fini(&display->blocked);
	drm_client_dev_resume(&vram->drm);
	return ret;
}

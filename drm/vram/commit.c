// SPDX-License-Identifier: GPL-2.0
/*
 * Commits, and their waits for fences
 *
 * A commit waits for the fences of its picture: the IN_FENCE_FD, or those of
 * the buffer, which may be another driver's. Usually it waits until they have
 * signalled. But an unbind, a shutdown and a reset wait for the commit that is
 * under way, and cannot fail. They hurry it, so that it stops waiting:
 *
 *	unbind		at once. Its picture may be shown for a moment
 *	shutdown	at once. The display is disabled next
 *	reset		after VRAM_RESET_PATIENCE. The picture is shown before
 *			its fences have signalled
 *	restore		after VRAM_RESTORE_PATIENCE, of a picture that was
 *			displayed before a reset or a suspend
 *
 * The buffer of another driver is not copied before the fences in its
 * reservation object have signalled, because its exporter would wait for them:
 * the shadow is stale then, and the next commit copies all of it.
 *
 * A commit may end after its client, and after remove(): the workqueue is the
 * module's, whose exit waits for it.
 *
 * drm_atomic_helper_commit() has no such end, so this file has a commit of its
 * own.
 */
#include <drm/drm_atomic.h>
#include <drm/drm_atomic_helper.h>
#include <drm/drm_print.h>
#include <drm/drm_vblank.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/jiffies.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "vram.h"

static struct workqueue_struct *vram_commit_wq;

/*
 * Fences
 */

/**
 * struct vram_commit_wait - a wait for a fence
 * @cb: in the fence
 * @queue: where the commit sleeps
 */
struct vram_commit_wait {
	struct dma_fence_cb cb;
	wait_queue_head_t *queue;
};

static void vram_commit_wake(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	wake_up_all(container_of(cb, struct vram_commit_wait, cb)->queue);
}

static void vram_commit_report(struct vram_display *display,
			       struct dma_fence *fence)
{
	const char __rcu *driver, *timeline;

	guard(rcu)();
	driver = dma_fence_driver_name(fence);
	timeline = dma_fence_timeline_name(fence);
	drm_info(&display->vram->drm, "a commit does not wait for a fence of %s, %s\n",
		 rcu_dereference(driver), rcu_dereference(timeline));
}

/* Return: 0; -EBUSY if it was hurried; -ERESTARTSYS if @interruptible. */
static int vram_commit_wait_fence(struct vram_display *display,
				  struct dma_fence *fence, bool interruptible)
{
	struct vram_commit_wait wait = { .queue = &display->hurry_wait };
	int ret = 0;

	if (dma_fence_add_callback(fence, &wait.cb, vram_commit_wake))
		return 0;
	if (interruptible)
		ret = wait_event_interruptible(display->hurry_wait,
					       dma_fence_is_signaled(fence) ||
					       READ_ONCE(display->hurry));
	else
		wait_event(display->hurry_wait,
			   dma_fence_is_signaled(fence) ||
			   READ_ONCE(display->hurry));
	dma_fence_remove_callback(fence, &wait.cb);
	if (ret || dma_fence_is_signaled(fence))
		return ret;
	vram_commit_report(display, fence);
	return -EBUSY;
}

/**
 * vram_commit_wait_buffer - wait until a buffer may be read
 * @display: the display
 * @resv: the buffer's reservation object
 * @interruptible: stop on a signal
 *
 * Context: may sleep; the lock of @resv is not held.
 * Return: 0; -EBUSY if the commit is hurried and a fence has not signalled;
 * -ERESTARTSYS with @interruptible.
 */
int vram_commit_wait_buffer(struct vram_display *display,
			    struct dma_resv *resv, bool interruptible)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;
	int ret = 0;

	dma_resv_iter_begin(&cursor, resv, dma_resv_usage_rw(false));
	dma_resv_for_each_fence_unlocked(&cursor, fence) {
		ret = vram_commit_wait_fence(display, fence, interruptible);
		if (ret)
			break;
	}
	dma_resv_iter_end(&cursor);
	return ret;
}

static void vram_commit_hurry_work(struct work_struct *work)
{
	struct vram_display *display =
		container_of(work, struct vram_display, hurry_work.work);

	drm_warn(&display->vram->drm, "the display is busy; commits do not wait for fences any longer\n");
	vram_commits_hurry(display);
}

/**
 * vram_commits_hurry - let no commit wait for fences
 * @display: the display
 *
 * Until vram_commits_relax().
 *
 * Context: may sleep.
 */
void vram_commits_hurry(struct vram_display *display)
{
	WRITE_ONCE(display->hurry, true);
	wake_up_all(&display->hurry_wait);
}

/**
 * vram_commits_hurry_later - call vram_commits_hurry() after a while
 * @display: the display
 * @patience: jiffies
 *
 * Unless vram_commits_relax() is called before.
 *
 * Context: may sleep.
 */
void vram_commits_hurry_later(struct vram_display *display,
			      unsigned long patience)
{
	queue_delayed_work(vram_commit_wq, &display->hurry_work, patience);
}

/**
 * vram_commits_relax - let commits wait for fences again
 * @display: the display
 *
 * Context: may sleep.
 */
void vram_commits_relax(struct vram_display *display)
{
	cancel_delayed_work_sync(&display->hurry_work);
	WRITE_ONCE(display->hurry, false);
}

/*
 * Commits
 */

/* When the fence should signal, for the next frame to show the picture. */
static void vram_commit_set_deadline(struct vram_display *display,
				     struct drm_atomic_commit *commit,
				     struct dma_fence *fence)
{
	const struct drm_crtc_state *state =
		drm_atomic_get_new_crtc_state(commit, &display->crtc);
	ktime_t vblank;

	if (state && state->active && !drm_atomic_crtc_needs_modeset(state) &&
	    !drm_crtc_next_vblank_start(&display->crtc, &vblank))
		dma_fence_set_deadline(fence, vblank);
}

static int vram_commit_wait(struct vram_display *display,
			    struct drm_atomic_commit *commit,
			    bool interruptible)
{
	struct drm_plane_state *state =
		drm_atomic_get_new_plane_state(commit, &display->plane);
	int ret;

	if (!state || !state->fence)
		return 0;

	vram_commit_set_deadline(display, commit, state->fence);
	ret = vram_commit_wait_fence(display, state->fence, interruptible);
	if (ret && ret != -EBUSY)
		return ret;
	dma_fence_put(state->fence);
	state->fence = NULL;
	return 0;
}

static void vram_commit_tail(struct drm_atomic_commit *commit)
{
	struct drm_device *drm = commit->dev;
	struct vram_display *display = to_vram(drm)->display;

	vram_commit_wait(display, commit, false);
	drm_atomic_helper_wait_for_dependencies(commit);

	vram_crc_flush(&display->crc);
	drm_atomic_helper_commit_modeset_disables(drm, commit);
	drm_atomic_helper_commit_modeset_enables(drm, commit);
	drm_atomic_helper_commit_planes(drm, commit,
					DRM_PLANE_COMMIT_ACTIVE_ONLY);
	drm_atomic_helper_commit_hw_done(commit);
	/* Not wait_for_vblanks(): it warns if the timer is 100 ms late. */
	drm_atomic_helper_wait_for_flip_done(drm, commit);
	vram_crc_flush(&display->crc);
	drm_atomic_helper_cleanup_planes(drm, commit);

	drm_atomic_helper_commit_cleanup_done(commit);
	drm_atomic_commit_put(commit);
}

static void vram_commit_work(struct work_struct *work)
{
	vram_commit_tail(container_of(work, struct drm_atomic_commit,
				      commit_work));
}

/**
 * vram_commit - commit a checked state
 * @drm: the DRM device, with a display
 * @commit: the state
 * @nonblock: return before the fences have signalled
 *
 * Context: in an ioctl, or in a kernel client, with the modeset locks; may
 * sleep.
 * Return: 0; -EBUSY if @nonblock and the commit before is not over; -ENOMEM; as
 * vram_scanout_pin(); -ERESTARTSYS.
 */
int vram_commit(struct drm_device *drm, struct drm_atomic_commit *commit,
		bool nonblock)
{
	int ret;

	ret = drm_atomic_helper_setup_commit(commit, nonblock);
	if (ret)
		return ret;
	ret = drm_atomic_helper_prepare_planes(drm, commit);
	if (ret)
		return ret;

	/* A signal can still end a blocking one. */
	if (!nonblock)
		ret = vram_commit_wait(to_vram(drm)->display, commit, true);
	if (!ret)
		ret = drm_atomic_helper_swap_state(commit, true);
	if (ret) {
		drm_atomic_helper_unprepare_planes(drm, commit);
		return ret;
	}

	/* Nothing fails any more. The tail drops the reference. */
	drm_atomic_commit_get(commit);
	if (nonblock) {
		INIT_WORK(&commit->commit_work, vram_commit_work);
		queue_work(vram_commit_wq, &commit->commit_work);
	} else {
		vram_commit_tail(commit);
	}
	return 0;
}

/**
 * vram_commits_init - initialise the waits of a display's commits
 * @display: the display
 */
void vram_commits_init(struct vram_display *display)
{
	init_waitqueue_head(&display->hurry_wait);
	INIT_DELAYED_WORK(&display->hurry_work, vram_commit_hurry_work);
}

/**
 * vram_commits_start - prepare for the commits of all displays
 *
 * Context: module init.
 * Return: 0 or -ENOMEM.
 */
int vram_commits_start(void)
{
	vram_commit_wq = alloc_workqueue(VRAM_DRIVER_NAME, WQ_UNBOUND, 0);
	return vram_commit_wq ? 0 : -ENOMEM;
}

/**
 * vram_commits_end - wait for the commits of all displays
 *
 * Context: module exit, or after a failed module init; may sleep.
 */
void vram_commits_end(void)
{
	destroy_workqueue(vram_commit_wq);
}

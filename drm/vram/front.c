// SPDX-License-Identifier: GPL-2.0
/*
 * Fronts: VRAM that shows a buffer while the buffer is in system memory
 *
 * Other drivers map a dma-buf for the CPU by its vmap, and most of them cannot
 * use I/O memory, so the buffer must be in system memory while it is mapped. A
 * buffer that is scanned out must be in VRAM. For a buffer that is both, the
 * display reads its front: VRAM as large as the buffer, with a copy of it.
 *
 *	vmap of a buffer that is scanned out	the buffer moves to system memory;
 *						the VRAM that it leaves, at which
 *						the registers point, is the front
 *	scan-out of a buffer that has a vmap	VRAM is allocated for the front
 *	last unpin by anything but scan-out	the buffer moves back to the front;
 *						not if an importer unpins
 *	end of scan-out				the front is freed
 *
 * The writer does not report what it writes, and without a front the screen
 * would show it at once. So the part of the buffer that is scanned out is
 * copied to the front by each commit, and periodically by a worker.
 *
 * A front exists only while vram_bo.scanouts is not 0 and the buffer is pinned
 * in system memory. vram_bo.front is written under the reservation lock and
 * front_lock, and read under either. The end of a commit must not wait for a
 * reservation lock, because fences depend on it, so it copies under front_lock
 * alone; nothing is allocated or waited for under that lock.
 */
#include <drm/drm_drv.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_managed.h>
#include <drm/phyr_vram_drm.h>
#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_tt.h>
#include <linux/highmem.h>
#include <linux/io.h>
#include <linux/jiffies.h>
#include <linux/phyr_inject.h>

#include "vram.h"

/* Time between two copies: a frame of 60 Hz */
#define VRAM_FRONT_PERIOD	msecs_to_jiffies(16)

/* Copy the pages of bytes @start to @end of the buffer. */
static void vram_front_copy(struct vram_display *display, struct vram_bo *bo,
			    u64 start, u64 end)
{
	void __iomem *io = display->vram->io + vram_resource_offset(bo->front);
	u64 pos;
	int idx;

	lockdep_assert_held(&display->front_lock);

	if (!drm_dev_enter(&display->vram->drm, &idx))
		return;
	for (pos = round_down(start, PAGE_SIZE); pos < end; pos += PAGE_SIZE) {
		void *page = kmap_local_page(bo->tbo.ttm->pages[PFN_DOWN(pos)]);

		memcpy_toio(io + pos, page, PAGE_SIZE);
		kunmap_local(page);
		cond_resched();
	}
	drm_dev_exit(idx);
}

static void vram_front_work(struct work_struct *work)
{
	struct vram_display *display =
		container_of(work, struct vram_display, front_work.work);
	struct vram_bo *bo;

	guard(mutex)(&display->front_lock);

	list_for_each_entry(bo, &display->fronts, front_node)
		vram_front_copy(display, bo, bo->scan_start, bo->scan_end);
	if (!list_empty(&display->fronts))
		queue_delayed_work(system_dfl_wq, &display->front_work,
				   VRAM_FRONT_PERIOD);
}

static void vram_front_add(struct vram_display *display, struct vram_bo *bo,
			   struct ttm_resource *res)
{
	lockdep_assert_held(&display->front_lock);

	bo->front = res;
	list_add(&bo->front_node, &display->fronts);
	queue_delayed_work(system_dfl_wq, &display->front_work,
			   VRAM_FRONT_PERIOD);
}

static struct ttm_resource *vram_front_remove(struct vram_bo *bo)
{
	struct ttm_resource *res = bo->front;

	bo->front = NULL;
	list_del(&bo->front_node);
	return res;
}

static struct vram_display *vram_bo_display(struct vram_bo *bo)
{
	return ttm_to_vram(bo->tbo.bdev)->display;
}

/**
 * vram_front_take - keep the VRAM that a buffer leaves as its front
 * @bo: the buffer, with leaves_front set, and its bytes in its pages
 *
 * The buffer has no resource afterwards.
 *
 * Context: in a move of the buffer.
 */
void vram_front_take(struct vram_bo *bo)
{
	struct vram_display *display = vram_bo_display(bo);

	dma_resv_assert_held(bo->tbo.base.resv);

	guard(mutex)(&display->front_lock);
	vram_front_add(display, bo, bo->tbo.resource);
	bo->tbo.resource = NULL;
}

/**
 * vram_front_pin_system - pin a buffer in system memory, though it is shown
 * @bo: the buffer; its placement must allow system memory
 * @interruptible: stop on a signal
 *
 * As vram_bo_pin_system(), but a buffer that only scan-out has pinned in VRAM
 * moves too, and leaves its VRAM as its front. Undone by
 * vram_front_unpin_system().
 *
 * Context: the reservation lock is held; may sleep.
 * Return: 0; -EBUSY for a buffer that an importer or a kernel client has pinned
 * in VRAM; -ENOMEM; -ERESTARTSYS with @interruptible.
 */
int vram_front_pin_system(struct vram_bo *bo, bool interruptible)
{
	unsigned int pins;
	int ret;

	dma_resv_assert_held(bo->tbo.base.resv);

	if (!bo->scanouts || bo->place != TTM_PL_VRAM ||
	    bo->tbo.pin_count != bo->scanouts)
		return vram_bo_pin_system(bo, interruptible);

	/*
	 * TTM does not move pinned buffers. Not ttm_bo_unpin(), which would add
	 * the VRAM to the LRU list, where TTM's evictions look for buffers.
	 */
	pins = bo->tbo.pin_count;
	bo->tbo.pin_count = 0;
	bo->leaves_front = true;
	ret = vram_bo_pin_system(bo, interruptible);
	bo->leaves_front = false;
	bo->tbo.pin_count += pins;
	return ret;
}

/**
 * vram_front_unpin_system - undo a pin in system memory
 * @bo: the buffer
 *
 * Also for other pins, but not for those of dma_buf_unpin(): importers are
 * notified of a move. If only scan-out needs the buffer now, it moves back to
 * its front, unless that had to wait for a fence, or the card is being reset: then
 * it is shown by its front until the end of scan-out.
 *
 * Context: the reservation lock is held; may sleep.
 */
void vram_front_unpin_system(struct vram_bo *bo)
{
	struct vram_display *display = vram_bo_display(bo);
	struct ttm_resource *res;

	dma_resv_assert_held(bo->tbo.base.resv);

	ttm_bo_unpin(&bo->tbo);
	if (!bo->front || bo->tbo.pin_count != bo->scanouts ||
	    phyr_buffer_is_revoked(&bo->phyr) ||
	    phyr_buffer_move_begin(&bo->phyr, false, true))
		return;

	ttm_bo_unmap_virtual(&bo->tbo);
	scoped_guard(mutex, &display->front_lock) {
		vram_front_copy(display, bo, 0, bo->tbo.base.size);
		res = vram_front_remove(bo);
	}
	ttm_bo_move_sync_cleanup(&bo->tbo, res);
	WRITE_ONCE(bo->place, TTM_PL_VRAM);
	phyr_buffer_move_end(&bo->phyr);
}

/* Allocate a front for a buffer that is pinned in system memory. */
static int vram_front_create(struct vram_bo *bo, u64 end)
{
	struct vram_display *display = vram_bo_display(bo);
	struct ttm_operation_ctx ctx = { .interruptible = true };
	struct vram_scanout_placement scanout;
	struct ttm_resource *res;
	int ret;

	ret = vram_bo_scanout_placement(bo, end, &scanout);
	if (!ret)
		ret = ttm_bo_mem_space(&bo->tbo, &scanout.base, &res, &ctx);
	if (ret)
		return ret == -ENOSPC && !vram_bo_fits_scanout(bo, end) ?
		       -EBUSY : ret;

	/* All of it: nobody may see what the VRAM held before. */
	guard(mutex)(&display->front_lock);
	vram_front_add(display, bo, res);
	vram_front_copy(display, bo, 0, bo->tbo.base.size);
	return 0;
}

static int vram_front_pin_vram(struct vram_bo *bo, u64 end)
{
	int ret;

	if (!bo->front && !bo->vmaps)
		return vram_bo_pin_scanout(bo, end);

	if (!bo->front) {
		ret = vram_front_create(bo, end);
		if (ret)
			return ret;
	} else if (vram_resource_offset(bo->front) + bo->tbo.base.size > end) {
		return -EBUSY;
	}
	ttm_bo_pin(&bo->tbo);
	return 0;
}

/* The VRAM from which a buffer is scanned out, wherever the buffer is. */
static struct ttm_resource *vram_front_shown(struct vram_bo *bo)
{
	return bo->front ?: bo->tbo.resource;
}

/* Note that one more plane state scans out this part of a pinned buffer. */
static void vram_front_add_scanout(struct vram_bo *bo,
				   struct vram_scanout *scanout)
{
	u64 start = scanout->offset, last;

	last = start + (u64)(scanout->height - 1) * scanout->pitch +
	       (u64)scanout->width * scanout->format->cpp[0];
	scoped_guard(mutex, &vram_bo_display(bo)->front_lock) {
		bo->scan_start = bo->scanouts ? min(bo->scan_start, start) :
						start;
		bo->scan_end = bo->scanouts ? max(bo->scan_end, last) : last;
	}
	if (!bo->scanouts++)
		vram_mgr_show(&ttm_to_vram(bo->tbo.bdev)->mgr,
			      vram_front_shown(bo));
	/* Until the unpin it is shown from there, wherever the buffer is. */
	scanout->offset += vram_resource_offset(vram_front_shown(bo));
}

/**
 * vram_front_pin - pin a buffer, or its front, where the display can read it
 * @bo: the buffer; its placement must allow VRAM
 * @end: bytes from the start of VRAM that it must end at or before
 * @scanout: the picture; its offset in the buffer becomes that in VRAM
 *
 * Undone by vram_front_unpin().
 *
 * Context: inside drm_dev_enter(); takes the reservation lock; may sleep.
 * Return: as vram_bo_pin_scanout(), or -EINTR.
 */
int vram_front_pin(struct vram_bo *bo, u64 end, struct vram_scanout *scanout)
{
	int ret;

	phyr_inject_delay();
	ret = dma_resv_lock_interruptible(bo->tbo.base.resv, NULL);
	if (ret)
		return ret;
	ret = vram_front_pin_vram(bo, end);
	if (!ret)
		vram_front_add_scanout(bo, scanout);
	dma_resv_unlock(bo->tbo.base.resv);
	phyr_inject_delay();
	return ret;
}

/**
 * vram_front_unpin - undo vram_front_pin()
 * @bo: the buffer
 *
 * Context: takes the reservation lock; may sleep.
 * Return: true if it is not scanned out any more.
 */
bool vram_front_unpin(struct vram_bo *bo)
{
	struct ttm_resource *res = NULL;
	bool last;

	phyr_inject_delay();
	dma_resv_lock(bo->tbo.base.resv, NULL);
	last = !--bo->scanouts;
	if (last)
		vram_mgr_hide(&ttm_to_vram(bo->tbo.bdev)->mgr,
			      vram_front_shown(bo));
	if (last && bo->front) {
		scoped_guard(mutex, &vram_bo_display(bo)->front_lock)
			res = vram_front_remove(bo);
	}
	ttm_resource_free(&bo->tbo, &res);
	ttm_bo_unpin(&bo->tbo);
	dma_resv_unlock(bo->tbo.base.resv);
	return last;
}

/**
 * vram_front_update - copy a buffer that is about to be shown to its front
 * @display: the display
 * @bo: the buffer; ignored if it has no front
 *
 * Context: in a commit; may sleep.
 */
void vram_front_update(struct vram_display *display, struct vram_bo *bo)
{
	guard(mutex)(&display->front_lock);
	if (bo->front)
		vram_front_copy(display, bo, bo->scan_start, bo->scan_end);
}

/**
 * vram_fronts_init - initialise the fronts of a display
 * @display: the display
 *
 * Return: 0 or -ENOMEM.
 */
int vram_fronts_init(struct vram_display *display)
{
	INIT_LIST_HEAD(&display->fronts);
	INIT_DELAYED_WORK(&display->front_work, vram_front_work);
	return drmm_mutex_init(&display->vram->drm, &display->front_lock);
}

/**
 * vram_fronts_stop - stop the worker
 * @display: the display; nothing is scanned out
 *
 * The next front starts it again.
 *
 * Context: may sleep.
 */
void vram_fronts_stop(struct vram_display *display)
{
	cancel_delayed_work_sync(&display->front_work);
}

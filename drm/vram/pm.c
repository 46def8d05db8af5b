// SPDX-License-Identifier: GPL-2.0
/*
 * System sleep: VRAM loses its contents
 *
 * .prepare moves every buffer to system memory, and .complete moves it back.
 * The PM core completes .prepare for all devices before it calls the first
 * .suspend, so the engines whose fences a move waits for still run. A suspend
 * that fails, here or in another driver, ends in .complete, too: everything is
 * where it was.
 *
 * .prepare fails rather than
 * - wait for fences, of buffers and of a commit, longer than VRAM_PM_TIMEOUT in
 *   total (-EBUSY),
 * - use up the system's memory (-ENOMEM).
 *
 * A pin of an importer does not keep a buffer in VRAM here: only importers that
 * can be revoked may pin VRAM (dmabuf/), and a suspend revokes, as a reset or an
 * unbind does. The importer keeps its pin, unless it gives it up when it is
 * notified, and may map again, at any time. What it maps while the card sleeps
 * is system memory.
 *
 * Hibernation moves the buffers out twice: the PM notifier moves those that are
 * neither pinned nor fixed to VRAM before userspace is frozen, so that a lack of
 * memory shows early and the image's memory is taken afterwards; .prepare moves
 * the rest. .complete also runs after the image was taken, when it restores only
 * the display and what .prepare has moved; the notifier restores the others at the
 * end, except those that somebody has pinned in system memory meanwhile.
 *
 * Runtime PM: the PCI core holds a runtime PM reference on a bound device. The
 * driver does not drop it, so the card stays powered, whatever power/control
 * says: VRAM would lose its contents.
 */
#include <drm/drm_print.h>
#include <drm/phyr_vram_drm.h>
#include <drm/ttm/ttm_placement.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/dma-resv.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/phyr_inject.h>
#include <linux/pm.h>
#include <linux/suspend.h>
#include <linux/swap.h>
#include <linux/wait_bit.h>

#include "vram.h"

/* The total time to wait for fences and kernel mappings, for a card. */
#define VRAM_PM_TIMEOUT		secs_to_jiffies(10)

/* This part of all memory must stay available for suspend and resume. */
#define VRAM_PM_RESERVE(pages)	((pages) / 16)

static unsigned long vram_pm_time_left(unsigned long deadline)
{
	unsigned long now = jiffies;

	return time_before(now, deadline) ? deadline - now : 0;
}

/*
 * TTM does not move pinned buffers. An importer may give up its pin when it is
 * notified, as the RDMA core does, so bo->lifted_pins and not a local variable
 * has the number of pins to put back.
 */
static void vram_pm_lift_pins(struct vram_bo *bo)
{
	while (bo->tbo.pin_count) {
		ttm_bo_unpin(&bo->tbo);
		bo->lifted_pins++;
	}
}

static void vram_pm_put_pins_back(struct vram_bo *bo)
{
	while (bo->lifted_pins) {
		bo->lifted_pins--;
		ttm_bo_pin(&bo->tbo);
	}
}

/*
 * Move a buffer that may be pinned. Importers that add a fence when they are
 * notified are waited for, too. Return: 0; -EBUSY after the deadline; -ENOMEM,
 * -ENOSPC.
 */
static int vram_pm_move(struct vram_bo *bo, u32 mem_type,
			unsigned long deadline)
{
	struct ttm_place place = vram_bo_place(bo, mem_type);
	struct ttm_placement placement = { .num_placement = 1,
					   .placement = &place };
	struct ttm_operation_ctx ctx = { .no_wait_gpu = true };
	int ret;

	dma_resv_assert_held(bo->tbo.base.resv);

	vram_pm_lift_pins(bo);
	do {
		ret = -EBUSY;
		if (dma_resv_wait_timeout(bo->tbo.base.resv,
					  DMA_RESV_USAGE_BOOKKEEP, false,
					  vram_pm_time_left(deadline)) <= 0)
			break;
		ret = ttm_bo_validate(&bo->tbo, &placement, &ctx);
		/* Without a fence, nobody ends what keeps it there. */
	} while (ret == -EBUSY && vram_pm_time_left(deadline) &&
		 !dma_resv_test_signaled(bo->tbo.base.resv,
					 DMA_RESV_USAGE_BOOKKEEP));
	vram_pm_put_pins_back(bo);
	return ret;
}

static int vram_pm_check_memory(struct vram_device *vram, u64 bytes)
{
	long pages = si_mem_available() + get_nr_swap_pages() -
		     VRAM_PM_RESERVE(totalram_pages());

	pages = max(pages, 0);
	if (bytes <= (u64)pages << PAGE_SHIFT)
		return 0;
	drm_err(&vram->drm, "to suspend, %llu MiB of VRAM must be moved to system memory, which has room for %llu MiB; end programs that use the card, or add swap\n",
		bytes >> 20, (u64)pages >> (20 - PAGE_SHIFT));
	return -ENOMEM;
}

static u64 vram_pm_bytes(struct vram_device *vram)
{
	return vram->mgr.base.size - vram_mgr_avail(&vram->mgr);
}

static void vram_pm_report(struct vram_bo *bo, int err)
{
	drm_err(bo->tbo.base.dev, "cannot suspend: buffer %u of %zu bytes stays in VRAM: %pe%s\n",
		bo->id, bo->tbo.base.size, ERR_PTR(err),
		err == -EBUSY ? ": a device is using it; try again later" : "");
}

/*
 * Wait for the fences of all buffers in VRAM, before anything changes. Holding
 * the lock keeps clients from adding fences.
 */
static int vram_pm_wait(struct vram_device *vram, unsigned long deadline)
{
	unsigned long id = 0;
	struct vram_bo *bo;
	long ret = 1;

	while (ret > 0 && (bo = vram_bo_next(vram, &id))) {
		dma_resv_lock(bo->tbo.base.resv, NULL);
		if (bo->place == TTM_PL_VRAM)
			ret = dma_resv_wait_timeout(bo->tbo.base.resv,
						    DMA_RESV_USAGE_BOOKKEEP,
						    false,
						    vram_pm_time_left(deadline));
		dma_resv_unlock(bo->tbo.base.resv);
		if (ret <= 0)
			vram_pm_report(bo, -EBUSY);
		vram_bo_put(bo);
	}
	return ret > 0 ? 0 : -EBUSY;
}

/*
 * Move the buffers out of VRAM; without @all only those that users, who are not
 * frozen, do not expect there: neither pinned ones nor fixed ones.
 */
static int vram_pm_evict(struct vram_device *vram, bool all,
			 unsigned long deadline)
{
	unsigned long id = 0;
	struct vram_bo *bo;
	int ret = 0;

	down_read(&vram->reset_lock);
	while (!ret && (bo = vram_bo_next(vram, &id))) {
		phyr_inject_delay();
		dma_resv_lock(bo->tbo.base.resv, NULL);
		if (bo->place == TTM_PL_VRAM &&
		    (all || (!bo->tbo.pin_count && !vram_bo_is_fixed(bo)))) {
			ret = vram_pm_check_memory(vram, bo->tbo.base.size);
			if (!ret)
				ret = vram_pm_move(bo, TTM_PL_TT, deadline);
			if (ret)
				vram_pm_report(bo, ret);
			else
				bo->evicted = true;
		}
		dma_resv_unlock(bo->tbo.base.resv);
		vram_bo_put(bo);
	}
	up_read(&vram->reset_lock);
	return ret;
}

/* TTM frees buffers without a handle as soon as their fences have signalled. */
static int vram_pm_wait_empty(struct vram_device *vram, unsigned long deadline)
{
	while (vram_pm_bytes(vram)) {
		if (!vram_pm_time_left(deadline)) {
			drm_err(&vram->drm, "cannot suspend: %llu bytes of closed buffers in VRAM are still in use\n",
				vram_pm_bytes(vram));
			return -EBUSY;
		}
		msleep(20);
	}
	return 0;
}

/* Somebody expects it in VRAM at once. */
static bool vram_pm_is_first(const struct vram_bo *bo)
{
	return vram_bo_is_fixed(bo) || bo->tbo.pin_count;
}

/* Move what vram_pm_evict() moved back: what is first, or all. */
static void vram_pm_restore(struct vram_device *vram, bool first,
			    unsigned long deadline)
{
	unsigned long id = 0;
	struct vram_bo *bo;
	int ret;

	down_read(&vram->reset_lock);
	while ((bo = vram_bo_next(vram, &id))) {
		ret = 0;
		dma_resv_lock(bo->tbo.base.resv, NULL);
		if (bo->evicted && (!first || vram_pm_is_first(bo))) {
			bo->evicted = false;
			ret = vram_pm_move(bo, TTM_PL_VRAM, deadline);
		}
		dma_resv_unlock(bo->tbo.base.resv);
		if (ret)
			drm_err(&vram->drm, "buffer %u of %zu bytes stays in system memory: %pe\n",
				bo->id, bo->tbo.base.size, ERR_PTR(ret));
		vram_bo_put(bo);
	}
	up_read(&vram->reset_lock);
}

static void vram_pm_restore_all(struct vram_device *vram)
{
	unsigned long deadline = jiffies + VRAM_PM_TIMEOUT;

	vram_pm_restore(vram, true, deadline);
	vram_pm_restore(vram, false, deadline);
}

/*
 * The display comes after what it might show, but before the rest: it needs
 * contiguous VRAM.
 */
static void vram_pm_complete(struct device *dev)
{
	struct vram_device *vram = dev_get_drvdata(dev);
	unsigned long deadline = jiffies + VRAM_PM_TIMEOUT;

	vram_mgr_open(&vram->mgr);
	vram_pm_restore(vram, true, deadline);
	if (vram_display_resume(vram))
		drm_err(&vram->drm, "failed to resume the display; it stays off\n");
	if (!vram->hibernating)
		vram_pm_restore(vram, false, deadline);
}

static int vram_pm_prepare(struct device *dev)
{
	struct vram_device *vram = dev_get_drvdata(dev);
	unsigned long deadline = jiffies + VRAM_PM_TIMEOUT;
	int ret;

	ret = vram_pm_check_memory(vram, vram_pm_bytes(vram));
	if (ret)
		return ret;
	ret = vram_pm_wait(vram, deadline);
	if (ret)
		return ret;
	ret = vram_display_suspend(vram, vram_pm_time_left(deadline));
	if (ret)
		return ret;

	/* In-kernel clients are not frozen. */
	vram_mgr_close(&vram->mgr);
	ret = -EBUSY;
	if (wait_var_event_timeout(&vram->io_maps, !atomic_read(&vram->io_maps),
				   vram_pm_time_left(deadline) ?: 1))
		ret = vram_pm_evict(vram, true, deadline);
	else
		drm_err(&vram->drm, "cannot suspend: the kernel has mappings of VRAM\n");
	if (!ret)
		ret = vram_pm_wait_empty(vram, deadline);
	if (ret)
		vram_pm_complete(dev);
	return ret;
}

const struct dev_pm_ops vram_pm_ops = {
	.prepare = pm_sleep_ptr(vram_pm_prepare),
	.complete = pm_sleep_ptr(vram_pm_complete),
};

static int vram_pm_hibernate(struct vram_device *vram)
{
	int ret;

	ret = vram_pm_check_memory(vram, vram_pm_bytes(vram));
	if (!ret)
		ret = vram_pm_evict(vram, false, jiffies + VRAM_PM_TIMEOUT);
	if (ret)
		vram_pm_restore_all(vram);
	else
		vram->hibernating = true;
	return ret;
}

static int vram_pm_notify(struct notifier_block *nb, unsigned long action,
			  void *unused)
{
	struct vram_device *vram = container_of(nb, struct vram_device,
						pm_notifier);

	switch (action) {
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		return notifier_from_errno(vram_pm_hibernate(vram));
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:
		vram->hibernating = false;
		vram_pm_restore_all(vram);
		return NOTIFY_OK;
	default:
		return NOTIFY_DONE;
	}
}

static void vram_pm_fini(void *arg)
{
	struct vram_device *vram = arg;

	unregister_pm_notifier(&vram->pm_notifier);
}

/**
 * vram_pm_init - prepare for hibernation
 * @vram: the card, with its allocator and buffers initialised
 *
 * Undone after the driver is unbound.
 *
 * Context: probe.
 * Return: 0 or a negative errno.
 */
int vram_pm_init(struct vram_device *vram)
{
	int ret;

	vram->pm_notifier.notifier_call = vram_pm_notify;
	ret = register_pm_notifier(&vram->pm_notifier);
	if (ret)
		return ret;
	return devm_add_action_or_reset(vram->drm.dev, vram_pm_fini, vram);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * System sleep
 *
 * phyr_vram, like other exporters, moves buffers out of its memory in
 * dev_pm_ops.prepare, which is complete for all devices before the first
 * dev_pm_ops.suspend. The engine runs until .suspend, so every job that a move
 * waits for ends. A job that is still queued at .suspend uses memory that keeps
 * its contents: it waits for resume, and so does the rest of the running job.
 *
 * Userspace is frozen, so no job is submitted meanwhile.
 *
 * Runtime PM: the PCI core holds a runtime PM reference on a bound device. The
 * driver does not drop it, so the device stays powered, whatever power/control
 * says.
 */
#include <linux/jiffies.h>
#include <linux/pci.h>
#include <linux/pm.h>
#include <linux/workqueue.h>

#include "copy.h"

static int copy_suspend(struct device *dev)
{
	struct copy_device *copy = dev_get_drvdata(dev);

	drm_sched_wqueue_stop(&copy->sched);
	copy->timeout_left = drm_sched_suspend_timeout(&copy->sched);
	/* A handler that is running would start the timeout again. */
	cancel_delayed_work_sync(&copy->sched.work_tdr);
	phyr_engine_pause(&copy->engine);
	copy->suspended_at = jiffies;
	copy->suspended = true;
	return 0;
}

/**
 * copy_pm_continue - let the scheduler continue after a suspend
 * @copy: the device; ignored if it is not suspended
 *
 * Context: the device's lock is held; may sleep.
 */
void copy_pm_continue(struct copy_device *copy)
{
	if (!copy->suspended)
		return;

	copy->suspended = false;
	copy->asleep += jiffies - copy->suspended_at;
	drm_sched_resume_timeout(&copy->sched, copy->timeout_left);
	drm_sched_wqueue_start(&copy->sched);
}

static int copy_resume(struct device *dev)
{
	struct copy_device *copy = dev_get_drvdata(dev);

	phyr_engine_resume(&copy->engine);
	copy_pm_continue(copy);
	return 0;
}

const struct dev_pm_ops copy_pm_ops = {
	SYSTEM_SLEEP_PM_OPS(copy_suspend, copy_resume)
};

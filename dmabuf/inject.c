// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/debug/phyr/: fault and delay injection
 *
 *	fail_work/	which calls of phyr_inject_fault() return true
 *	delay/		which calls of phyr_inject_delay() sleep
 *	delay_max_us	maximum sleep in microseconds
 *
 * Both directories contain the files described in
 * Documentation/fault-injection. For example, fail_work with probability 100,
 * interval N and times 1 fails the Nth call from then on.
 */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/export.h>
#include <linux/fault-inject.h>
#include <linux/phyr_inject.h>
#include <linux/random.h>

#include "internal.h"

static DECLARE_FAULT_ATTR(phyr_fail_work);
static DECLARE_FAULT_ATTR(phyr_delay);
static u32 phyr_delay_max_us = 1000;

/**
 * phyr_inject_fault - decide whether to simulate a failed allocation
 *
 * For work that does not run in the context of the task under test.
 *
 * Context: any.
 * Return: true if the caller must fail.
 */
bool phyr_inject_fault(void)
{
	return should_fail(&phyr_fail_work, 1);
}
EXPORT_SYMBOL_NS_GPL(phyr_inject_fault, "PHYR");

/**
 * phyr_inject_delay - widen a race window
 *
 * Sleeps for a random time if a test enabled it. Called right before a lock is
 * taken or after it is dropped.
 *
 * Context: may sleep.
 */
void phyr_inject_delay(void)
{
	u32 max = READ_ONCE(phyr_delay_max_us);

	might_sleep();
	if (max && should_fail(&phyr_delay, 1))
		fsleep(get_random_u32_below(max));
}
EXPORT_SYMBOL_NS_GPL(phyr_inject_delay, "PHYR");

/**
 * phyr_inject_init - create the debugfs files
 * @dir: phyr.ko's directory in debugfs
 *
 * Context: module init.
 */
void phyr_inject_init(struct dentry *dir)
{
	/* Do not log a stack trace for each injected fault. */
	phyr_fail_work.verbose = 0;
	phyr_delay.verbose = 0;
	fault_create_debugfs_attr("fail_work", dir, &phyr_fail_work);
	fault_create_debugfs_attr("delay", dir, &phyr_delay);
	debugfs_create_u32("delay_max_us", 0600, dir, &phyr_delay_max_us);
}

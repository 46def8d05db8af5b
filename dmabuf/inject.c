// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/debug/phyr/: faults and delays that a test asks for
 *
 *	fail_work/	which calls of phyr_inject_fault() say true
 *	delay/		which calls of phyr_inject_delay() wait
 *	delay_max_us	for how long at most, in microseconds
 *
 * The two directories have the files of the kernel's own fault injection
 * (Documentation/fault-injection): fail_work with probability 100, interval N
 * and times 1 fails the Nth call from there on.
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
 * phyr_inject_fault - shall this fail, as if memory had run out?
 *
 * A failure point of work that no task does in its own name.
 *
 * Context: any.
 * Return: true where a test wants it to.
 */
bool phyr_inject_fault(void)
{
	return should_fail(&phyr_fail_work, 1);
}
EXPORT_SYMBOL_NS_GPL(phyr_inject_fault, "PHYR");

/**
 * phyr_inject_delay - let others come first, if a test wants it
 *
 * Stands where a lock has just been dropped, or is about to be taken.
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
 * phyr_inject_init - make the files
 * @dir: phyr.ko's directory in debugfs
 *
 * Context: module init.
 */
void phyr_inject_init(struct dentry *dir)
{
	/* No stack in the log for each: the test knows what it asked for. */
	phyr_fail_work.verbose = 0;
	phyr_delay.verbose = 0;
	fault_create_debugfs_attr("fail_work", dir, &phyr_fail_work);
	fault_create_debugfs_attr("delay", dir, &phyr_delay);
	debugfs_create_u32("delay_max_us", 0600, dir, &phyr_delay_max_us);
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Fault and delay injection, in kernels with CONFIG_FAULT_INJECTION_DEBUG_FS
 *
 * fail-nth injects faults into the calls of one task. phyr_inject_fault() does
 * the same for work that a worker does for that task. phyr_inject_delay(),
 * called before taking or after dropping a lock, widens the race window. In
 * other kernels both compile to nothing.
 */
#ifndef _LINUX_PHYR_INJECT_H
#define _LINUX_PHYR_INJECT_H

#include <linux/types.h>

#ifdef CONFIG_FAULT_INJECTION_DEBUG_FS
bool phyr_inject_fault(void);
void phyr_inject_delay(void);
#else
static inline bool phyr_inject_fault(void)
{
	return false;
}

static inline void phyr_inject_delay(void)
{
}
#endif

#endif

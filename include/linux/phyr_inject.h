/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Faults and delays that a test asks for, in kernels with CONFIG_FAULT_INJECTION
 *
 * fail-nth reaches what a task does in its own name. For what workers do on its
 * behalf there is phyr_inject_fault(); and for what another thread may do where
 * a lock is not held yet or not held any more, phyr_inject_delay() holds the
 * door open. In other kernels neither leaves an instruction behind.
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

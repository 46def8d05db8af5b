/* SPDX-License-Identifier: MIT */
/* Suspend and hibernation of the guest, up to the point of sleeping. */
#ifndef PHYR_TESTS_SUSPEND_H
#define PHYR_TESTS_SUSPEND_H

#include <stdint.h>

/*
 * What try_suspend() does first, and which takes a while: a test that suspends
 * at a certain moment calls it before.
 */
void prepare_suspend(void);

/*
 * Suspend to the kernel's test level "devices": all devices are suspended, and
 * resume after a moment. @state is written to /sys/power/state: "mem", or
 * "disk" for the callbacks of hibernation. Excludes the devices that the
 * program and its log depend on.
 *
 * Return 0 or a negative errno.
 */
int try_suspend(const char *state);
void suspend(void);

/* The guest's clock in seconds, which goes on in a test suspend. */
double clock_now(void);

/* Number of processes that the OOM killer has killed. */
uint64_t oom_kills(void);

#endif

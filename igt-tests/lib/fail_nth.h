/* SPDX-License-Identifier: MIT */
/*
 * fail-nth: every allocation of a call fails in its turn
 *
 * Needs a kernel with fault injection (vm/run --kernel debug). What counts as
 * an allocation are slab objects and pages, of any order and in any context. Of
 * what workers do for a call, it is the failure points that the drivers have
 * there (include/linux/phyr_inject.h).
 */
#ifndef PHYR_TESTS_FAIL_NTH_H
#define PHYR_TESTS_FAIL_NTH_H

#include <stdbool.h>

bool fail_nth_available(void);

/* Set the kernel up, and back as it was. */
void fail_nth_begin(void);
void fail_nth_end(void);

/**
 * struct fail_nth_call - a call to sweep
 * @name: for people to read
 * @setup: makes what the call needs; may be NULL
 * @call: the call; 0 or a negative errno
 * @verify: after a call with that result: all that is there is as it should be
 *	and usable; undoes @call, if it succeeded, and @setup; may be NULL
 * @also: an errno, beside ENOMEM, that the call may fail with; 0 for none
 * @in_worker: fail what workers do; @call waits for it
 * @data: for the three
 */
struct fail_nth_call {
	const char *name;
	void (*setup)(const void *data);
	int (*call)(const void *data);
	void (*verify)(const void *data, int result);
	int also;
	bool in_worker;
	const void *data;
};

/*
 * Fails the call's first allocation, its second, … until it gets through
 * without. Each time it has a documented errno, or gets along without that
 * allocation, and leaves nothing behind (ledger.h). Prints and counts how many
 * there were.
 */
void fail_nth_sweep(const struct fail_nth_call *call);

/* How many there were in all sweeps. */
unsigned int fail_nth_points(void);

#endif

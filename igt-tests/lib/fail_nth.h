/* SPDX-License-Identifier: MIT */
/*
 * fail-nth: fail each allocation of a call in turn
 *
 * Needs a kernel with fault injection (vm/run --kernel debug). Allocations are
 * slab objects and pages of any order, in any context. In workers that run on
 * behalf of a call, only the drivers' own failure points count
 * (include/linux/phyr_inject.h).
 */
#ifndef PHYR_TESTS_FAIL_NTH_H
#define PHYR_TESTS_FAIL_NTH_H

#include <stdbool.h>

bool fail_nth_available(void);

/* Configure fault injection; restore the old configuration. */
void fail_nth_begin(void);
void fail_nth_end(void);

/**
 * struct fail_nth_call - a call to sweep
 * @name: for messages
 * @setup: prepares the call; may be NULL
 * @call: the call; 0 or a negative errno
 * @verify: checks, after a call with that result, that all objects are intact and
 *	usable; undoes @call, if it succeeded, and @setup; may be NULL
 * @also: an errno, beside ENOMEM, that the call may fail with; 0 for none
 * @in_worker: fail allocations in workers; @call waits for them
 * @data: argument of the three functions
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
 * Repeat the call, failing its first allocation, then its second, and so on
 * until all succeed. Each time the call must return a documented errno or
 * succeed without that allocation, and must not leak (ledger.h). Prints and
 * counts the failure points.
 */
void fail_nth_sweep(const struct fail_nth_call *call);

/* Number of failure points in all sweeps so far. */
unsigned int fail_nth_points(void);

#endif

// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fail_nth.h"
#include "ledger.h"
#include "lib.h"

#define FAIL_NTH	"/proc/thread-self/fail-nth"
#define DEBUGFS		"/sys/kernel/debug/"
#define FAIL_WORK	DEBUGFS "phyr/fail_work/"

/* More points than any call has: the sweep would be an endless loop. */
#define MOST_POINTS	2000

/*
 * Requiring a range of return addresses that contains no code turns a fault
 * attribute off: its faults are neither injected nor counted. Copies from and
 * to userspace are no allocations, nor are the drivers' injected delays.
 */
static char dma_debug_start[32], dma_debug_end[32];

static const struct setting {
	const char *file;
	const char *value;
} settings[] = {
	{ "failslab/ignore-gfp-wait", "N" },
	{ "failslab/cache-filter", "Y" },
	{ "failslab/verbose", "0" },
	{ "failslab/reject-start", dma_debug_start },
	{ "failslab/reject-end", dma_debug_end },
	{ "fail_page_alloc/ignore-gfp-wait", "N" },
	{ "fail_page_alloc/ignore-gfp-highmem", "N" },
	{ "fail_page_alloc/min-order", "0" },
	{ "fail_page_alloc/verbose", "0" },
	{ "fail_page_alloc/reject-start", dma_debug_start },
	{ "fail_page_alloc/reject-end", dma_debug_end },
	{ "fail_usercopy/require-start", "1" },
	{ "fail_usercopy/stacktrace-depth", "0" },
	{ "phyr/delay/require-start", "1" },
	{ "phyr/delay/stacktrace-depth", "0" },
};

static char settings_before[ARRAY_SIZE(settings)][32];
static int fail_nth = -1;
static unsigned int points;

bool fail_nth_available(void)
{
	return !access(FAIL_NTH, W_OK) && !access(DEBUGFS "failslab", F_OK) &&
	       !access(DEBUGFS "fail_page_alloc", F_OK);
}

unsigned int fail_nth_points(void)
{
	return points;
}

/*
 * DMA-API debugging disables itself when an allocation fails, so exclude its
 * own allocations, which are those under add_dma_entry().
 */
static void find_dma_debug(void)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	char line[256], name[128];
	uint64_t addr, start = 0, end = UINT64_MAX;

	igt_assert_f(file, "/proc/kallsyms: %s\n", strerror(errno));
	/* The file is sorted by address. */
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%" SCNx64 " %*c %127s", &addr, name) != 2)
			continue;
		if (!strncmp(name, "add_dma_entry", 13)) {
			start = addr;
		} else if (start && addr > start) {
			end = addr;
			break;
		}
	}
	fclose(file);
	igt_assert_f(start, "/proc/kallsyms has no add_dma_entry\n");
	snprintf(dma_debug_start, sizeof(dma_debug_start), "%#" PRIx64, start);
	snprintf(dma_debug_end, sizeof(dma_debug_end), "%#" PRIx64, end);
}

/*
 * Exclude the objects that kmemleak and debug objects allocate for every other
 * object: they have their own reserves. Exclude gpu_buddy's blocks, too: when
 * upstream's alloc_from_freetree() cannot split a block it frees it and leaves
 * it in the tree of free blocks.
 */
static bool slab_may_fail(const char *slab)
{
	return !strstr(slab, "/kmemleak_") &&
	       !strstr(slab, "/debug_objects_") &&
	       !strstr(slab, "/gpu_buddy_block/");
}

static void fail_slabs(bool yes)
{
	glob_t slabs;

	igt_assert_eq(glob("/sys/kernel/slab/*/failslab", 0, NULL, &slabs), 0);
	for (size_t i = 0; i < slabs.gl_pathc; i++)
		if (slab_may_fail(slabs.gl_pathv[i]))
			write_file(slabs.gl_pathv[i], yes ? "1" : "0");
	globfree(&slabs);
}

static void read_setting(const struct setting *setting, char *value,
			 size_t size)
{
	char path[96];
	FILE *file;

	snprintf(path, sizeof(path), DEBUGFS "%s", setting->file);
	file = fopen(path, "re");
	igt_assert_f(file, "%s: %s\n", path, strerror(errno));
	igt_assert(fgets(value, size, file));
	fclose(file);
}

static void write_setting(const struct setting *setting, const char *value)
{
	char path[96];

	snprintf(path, sizeof(path), DEBUGFS "%s", setting->file);
	write_file(path, value);
}

void fail_nth_begin(void)
{
	find_dma_debug();
	for (unsigned int i = 0; i < ARRAY_SIZE(settings); i++) {
		read_setting(&settings[i], settings_before[i],
			     sizeof(settings_before[i]));
		write_setting(&settings[i], settings[i].value);
	}
	fail_slabs(true);
	fail_nth = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	igt_assert_f(fail_nth >= 0, FAIL_NTH ": %s\n", strerror(errno));
}

void fail_nth_end(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(settings); i++)
		write_setting(&settings[i], settings_before[i]);
	fail_slabs(false);
	close(fail_nth);
}

static void arm_task(unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	igt_assert_eq(pwrite(fail_nth, text, len, 0), len);
}

/* Each suppressed fault reduces "space" by one. */
static void arm_workers(unsigned int nth)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", nth);
	write_file(FAIL_WORK "space", text);
	write_file(FAIL_WORK "times", nth ? "1" : "0");
	write_file(FAIL_WORK "probability", nth ? "100" : "0");
}

static void arm(const struct fail_nth_call *call, unsigned int nth)
{
	if (call->in_worker)
		arm_workers(nth);
	else
		arm_task(nth);
}

static bool worker_faulted(void)
{
	char text[16] = "";
	FILE *file = fopen(FAIL_WORK "times", "re");

	igt_assert_f(file, FAIL_WORK "times: %s\n", strerror(errno));
	igt_assert(fgets(text, sizeof(text), file));
	fclose(file);
	return !atoi(text);
}

/* Return: true if a fault was injected. */
static bool disarm(const struct fail_nth_call *call)
{
	char text[16] = "";
	bool faulted;

	if (call->in_worker) {
		faulted = worker_faulted();
	} else {
		igt_assert(pread(fail_nth, text, sizeof(text) - 1, 0) > 0);
		faulted = !atoi(text);
	}
	arm(call, 0);
	return faulted;
}

/* Return: true if the call failed with an allowed errno. */
static bool failed(const struct fail_nth_call *call, unsigned int nth,
		   bool faulted, int result)
{
	if (!result)
		return false;
	igt_assert_f(faulted, "%s: %s, and no allocation failed\n", call->name,
		     strerror(-result));
	igt_assert_f(result == -ENOMEM || (call->also && result == -call->also),
		     "%s: allocation %u fails: %s\n", call->name, nth,
		     strerror(-result));
	return true;
}

static void assert_no_leak(const struct fail_nth_call *call, unsigned int nth,
			   const struct ledger *before)
{
	struct ledger now;

	igt_assert_f(ledger_comes_to(before, &now),
		     "%s: allocation %u fails: %s\n", call->name, nth,
		     ledger_difference(before, &now));
}

/**
 * struct sweep - result of a sweep
 * @points: allocations that were failed
 * @survived: those after which the call succeeded
 */
struct sweep {
	unsigned int points;
	unsigned int survived;
};

/* @before: if not NULL, compare the ledger after each call */
static struct sweep sweep(const struct fail_nth_call *call,
			  const struct ledger *before)
{
	struct sweep sweep = { 0 };
	int result;

	for (;;) {
		unsigned int nth = sweep.points + 1;

		igt_assert_f(nth <= MOST_POINTS,
			     "%s: %u allocations, and no end\n", call->name,
			     MOST_POINTS);
		if (call->setup)
			call->setup(call->data);
		arm(call, nth);
		result = call->call(call->data);
		if (disarm(call))
			sweep.points++;
		sweep.survived += !failed(call, nth, sweep.points == nth,
					  result);
		if (call->verify)
			call->verify(call->data, result);
		if (before)
			assert_no_leak(call, nth, before);
		if (sweep.points < nth)
			break;
	}
	/* The last call had no fault to survive. */
	sweep.survived--;
	return sweep;
}

/*
 * A leak persists, so one check after the sweep is enough. To find the
 * allocation that leaks, sweep again and check after each call.
 */
void fail_nth_sweep(const struct fail_nth_call *call)
{
	struct ledger before = ledger_now(), now;
	struct sweep result = sweep(call, NULL);

	points += result.points;
	igt_info("%s: %u points, %u survived\n", call->name, result.points,
		 result.survived);
	if (ledger_comes_to(&before, &now))
		return;
	sweep(call, &now);
	igt_assert_f(false, "%s: %s\n", call->name,
		     ledger_difference(&before, &now));
}

// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib.h"
#include "suspend.h"

static unsigned int suspends(void)
{
	FILE *file = fopen("/sys/power/suspend_stats/success", "re");
	unsigned int count = 0;

	igt_assert(file);
	igt_assert_eq(fscanf(file, "%u", &count), 1);
	fclose(file);
	return count;
}

static int write_state(const char *state)
{
	int fd = open("/sys/power/state", O_WRONLY | O_CLOEXEC), err = 0;

	igt_assert(fd >= 0);
	if (write(fd, state, strlen(state)) < 0)
		err = -errno;
	close(fd);
	return err;
}

void prepare_suspend(void)
{
	static bool prepared;

	if (prepared)
		return;
	run_command("modprobe phyr_awake");
	write_file("/sys/module/suspend/parameters/pm_test_delay", "1");
	prepared = true;
}

int try_suspend(const char *state)
{
	unsigned int before = suspends();
	int err;

	prepare_suspend();
	write_file("/sys/power/pm_test", "devices");
	err = write_state(state);
	write_file("/sys/power/pm_test", "none");
	/* The kernel does not count hibernation. */
	if (!err && !strcmp(state, "mem"))
		igt_assert_eq(suspends(), before + 1);
	return err;
}

void suspend(void)
{
	igt_assert_eq(try_suspend("mem"), 0);
}

double clock_now(void)
{
	struct timespec now;

	igt_assert_eq(clock_gettime(CLOCK_BOOTTIME, &now), 0);
	return now.tv_sec + now.tv_nsec / 1e9;
}

uint64_t oom_kills(void)
{
	FILE *file = fopen("/proc/vmstat", "re");
	uint64_t kills = 0;
	char line[128];
	bool found = false;

	igt_assert(file);
	while (!found && fgets(line, sizeof(line), file))
		found = sscanf(line, "oom_kill %" SCNu64, &kills) == 1;
	fclose(file);
	igt_assert(found);
	return kills;
}

// SPDX-License-Identifier: MIT
/*
 * What the rest of the machine does meanwhile: it takes memory or VRAM, makes
 * the kernel swap, or suspends.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "world.h"

#define HOG_SECONDS	240
#define CGROUP		"/run/phyr-random"
#define SWAP		"/swap-of-phyr-random"
#define TTM_LIMIT	"/sys/module/ttm/parameters/pages_limit"
#define PM_TEST		"/sys/power/pm_test"
#define PM_TEST_DELAY	"/sys/module/suspend/parameters/pm_test_delay"

static char ttm_limit[32];

/* A value of /proc/meminfo in bytes. */
static uint64_t meminfo(struct world *world, const char *name)
{
	FILE *file = fopen("/proc/meminfo", "re");
	uint64_t value = 0;
	char line[128];

	MUST(world, file);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)))
			value = strtoull(line + strlen(name) + 1, NULL, 10);
	fclose(file);
	return value * 1024;
}

/* Return: 0 or a negative errno. */
static int try_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

void pressure_start(void)
{
	FILE *file = fopen(TTM_LIMIT, "re");

	igt_assert_f(file && fgets(ttm_limit, sizeof(ttm_limit), file),
		     TTM_LIMIT ": %s\n", strerror(errno));
	fclose(file);
	/* A run that was killed has left them. */
	run_command("swapoff " SWAP "; rm -f " SWAP "; umount " CGROUP "; true");
	run_command("fallocate -l 256M " SWAP " && chmod 600 " SWAP
		    " && mkswap -q " SWAP " && swapon " SWAP);
	run_command("mkdir -p " CGROUP " && mount -t cgroup2 none " CGROUP);
	run_command("modprobe phyr_awake");
	write_file(PM_TEST_DELAY, "0");
}

/* A client that was killed may have left the limit and the level behind. */
void pressure_restore(void)
{
	write_file(TTM_LIMIT, ttm_limit);
	write_file(PM_TEST, "none");
}

void pressure_end(void)
{
	pressure_restore();
	run_command("umount " CGROUP);
	run_command("swapoff " SWAP " && rm " SWAP);
}

/*
 * Memory
 */

/* Take all memory, and some of what is in use. It is the first to be killed. */
static void be_hog(uint64_t bytes)
{
	uint8_t *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (mem == MAP_FAILED ||
	    try_write("/proc/self/oom_score_adj", "1000\n"))
		_exit(1);
	madvise(mem, bytes, MADV_HUGEPAGE);
	for (uint64_t at = 0; at < bytes; at += SZ_4K)
		mem[at] = 1;
	_exit(0);
}

static int fill_memory(struct world *world)
{
	uint64_t swap = meminfo(world, "SwapFree");
	uint64_t bytes = meminfo(world, "MemAvailable");
	int status;
	pid_t pid;

	bytes += (swap < 8 * SZ_16M ? swap : 8 * SZ_16M) / 2;
	NOTE("takes %" PRIu64 " bytes", bytes);
	fflush(stdout);
	pid = fork();
	MUST(world, pid >= 0);
	if (!pid)
		be_hog(bytes);
	MUST(world, watch_wait(world->watched, pid, HOG_SECONDS, &status));
	/* With several clients the kernel may have to end it. */
	MUST(world, !status || (WIFSIGNALED(status) &&
				WTERMSIG(status) == SIGKILL));
	return 0;
}

/* Swap out what is not in use, and drop caches. */
static int reclaim(struct world *world)
{
	char text[32];

	snprintf(text, sizeof(text), "%u", (1 + (int)below(world, 64)) << 20);
	return EXPECT(world, try_write(CGROUP "/memory.reclaim", text), 0,
		      -EAGAIN, -EINTR);
}

/* TTM swaps all its buffers out before it exceeds its limit. */
static int swap_by_ttm(struct world *world)
{
	struct file *file = any_file(world, false);
	uint32_t handle;

	EXPECT(world, try_write(TTM_LIMIT, "16\n"), 0);
	EXPECT(world, phyr_vram_create(file->fd, SZ_64K, IN_SYSTEM, 0,
				       &handle), 0);
	EXPECT(world, try_write(TTM_LIMIT, ttm_limit), 0);
	return EXPECT(world, phyr_close_handle(file->fd, handle), 0);
}

/*
 * VRAM: a rival, a client of its own, fills a card's and keeps it for a while
 */

static int rival_comes(struct world *world)
{
	const struct node *node = any_file(world, false)->node;
	uint64_t size = 4 * SZ_16M;
	uint32_t handle;
	int err = 0;

	if (world->rival >= 0)
		return NOT_NOW;
	world->rival = phyr_device_open(&node->device);
	MUST(world, world->rival >= 0);
	NOTE("a rival at %s", node->device.busid);
	for (; size >= SZ_4K; size /= 2) {
		do {
			err = phyr_vram_create(world->rival, size, IN_VRAM, 0,
					       &handle);
			EXPECT(world, err, 0, -ENOSPC, -E2BIG);
		} while (!err);
	}
	return EXPECT(world, err, -ENOSPC);
}

static int rival_goes(struct world *world)
{
	if (world->rival < 0)
		return NOT_NOW;
	EXPECT(world, close(world->rival), 0);
	world->rival = -1;
	return 0;
}

/*
 * Suspend
 */

/* An importer that has pinned a buffer in VRAM keeps it from moving out. */
static bool pins_vram(const struct world *world)
{
	for (unsigned int i = 0; i < MAX_HOLDS; i++) {
		const struct hold *hold = &world->holds[i];

		if (hold->buffer && hold->pinned &&
		    hold->kind == PHYR_TEST_REVOCABLE)
			return true;
	}
	return false;
}

/* The level "devices" suspends the drivers, and resumes by itself. */
static int suspend(struct world *world)
{
	int err;

	if (world->client)
		return NOT_NOW;
	EXPECT(world, try_write(PM_TEST, "devices"), 0);
	err = try_write("/sys/power/state", "mem");
	EXPECT(world, try_write(PM_TEST, "none"), 0);
	if (world->clients > 1 || pins_vram(world))
		return EXPECT(world, err, 0, -EBUSY);
	return EXPECT(world, err, 0);
}

const struct operation pressure_operations[] = {
	{ "fill memory", 2, fill_memory },
	{ "reclaim memory", 100, reclaim },
	{ "swap by TTM", 300, swap_by_ttm },
	{ "a rival fills VRAM", 100, rival_comes },
	{ "the rival leaves", 200, rival_goes },
	{ "suspend", 4, suspend },
	{ }
};

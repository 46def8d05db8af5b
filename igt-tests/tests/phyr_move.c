// SPDX-License-Identifier: MIT
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "lib.h"
#include "traffic.h"

IGT_TEST_DESCRIPTION("Moves of a buffer between VRAM and system memory while it is in use");

#define SIZE	(SZ_1M / 4)
#define SEED	77

/*
 * The fixture loads phyr_vram with poison=1: free VRAM is filled with a pattern,
 * and the kernel warns if an allocation finds anything else. Allocate all of it.
 */
static void check_free_vram(int vram, const struct phyr_device *card)
{
	uint64_t free = vram_free(card);
	uint32_t handle = create_vram(vram, free, IN_VRAM, 0);

	igt_assert_eq_u64(vram_free(card), 0);
	igt_assert_eq(phyr_close_handle(vram, handle), 0);
	wait_for_vram_free(card, free);
}

static void there_and_back(int vram, uint32_t handle)
{
	move_buffer(vram, handle, IN_SYSTEM);
	move_buffer(vram, handle, IN_VRAM);
}

/* Write through one mapping and read through the other, alternating, forever. */
__attribute__((noreturn))
static void access_forever(volatile uint64_t *drm_mem,
			   volatile uint64_t *dmabuf_mem, uint64_t from,
			   int progress)
{
	uint64_t step = SZ_4K / 8, words = (SIZE - from) / 8, first = from / 8;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (uint64_t turn = 1;; turn++) {
		for (uint64_t i = first; i < first + words; i += step) {
			volatile uint64_t *in = turn % 2 ? drm_mem :
							   dmabuf_mem;
			volatile uint64_t *out = turn % 2 ? dmabuf_mem :
							    drm_mem;

			out[i] = turn * SIZE + i;
			if (in[i] != turn * SIZE + i)
				_exit(2);
		}
		if (write(progress, "", 1) != 1)
			_exit(3);
	}
}

/* 1,000 round trips while an engine and two CPU mappings access the buffer. */
static void while_copying(void)
{
	struct phyr_device card = vram_device(0), engine = copy_device(0);
	uint64_t free = vram_free(&card);
	int vram = open_device(&card), dmabuf, progress[2], status;
	uint32_t handle = create_vram(vram, SIZE, EVICTABLE, SZ_4K);
	int rounds = repeats(1000);
	struct traffic traffic;
	void *drm_mem, *dmabuf_mem;
	char byte;
	pid_t accessor;

	dmabuf = export_buffer(vram, handle);
	drm_mem = map_vram(vram, handle, SIZE);
	dmabuf_mem = map_dmabuf(dmabuf, SIZE);
	phyr_fill(drm_mem, SEED, 0, SIZE);
	traffic = traffic_start(&engine, dmabuf, SIZE, SEED);
	igt_assert_eq(pipe(progress), 0);
	accessor = fork();
	if (!accessor)
		access_forever(drm_mem, dmabuf_mem, SIZE * 3 / 4,
			       progress[1]);
	close(progress[1]);

	for (int round = 0; round < rounds; round++) {
		there_and_back(vram, handle);
		/* Keep the moves and the accesses in step. */
		if (round % 10 == 0)
			traffic_wait(&traffic, 2);
		igt_assert_f(read(progress[0], &byte, 1) == 1,
			     "round %d: the process that accesses the buffer by the CPU has ended\n",
				     round);
		if (round % 50 == 0) {
			assert_bytes(drm_mem, SEED, 0, SIZE / 2);
			assert_bytes(dmabuf_mem, SEED, 0, SIZE / 2);
		}
	}

	igt_assert_eq(waitpid(accessor, &status, WNOHANG), 0);
	kill(accessor, SIGKILL);
	waitpid(accessor, &status, 0);
	traffic_stop(&traffic);
	assert_bytes(drm_mem, SEED, 0, SIZE / 2);
	unmap(drm_mem, SIZE);
	unmap(dmabuf_mem, SIZE);
	close(progress[0]);
	close(dmabuf);
	close(vram);
	wait_for_vram_free(&card, free);
	vram = open_device(&card);
	check_free_vram(vram, &card);
	close(vram);
}

/* Each move invalidates the importer, whose mapping depends on @policy. */
static void importer(uint32_t kind, uint32_t policy)
{
	int test = open_phyr_test(SECOND_IVSHMEM), vram = open_vram(0), dmabuf;
	struct phyr_device card = vram_device(0);
	uint32_t handle = create_vram(vram, SIZE, EVICTABLE, SZ_4K), id;
	struct phyr_test_held held;

	fill_vram(vram, handle, SIZE, SEED);
	dmabuf = export_buffer(vram, handle);
	id = hold_mapped(test, dmabuf, kind, policy);
	igt_assert_eq(vram_info(vram, handle).placement, IN_VRAM);
	for (int round = 0; round < 20; round++) {
		uint32_t invalidated = held_now(test, id).invalidated;

		move_buffer(vram, handle, round % 2 ? IN_VRAM : IN_SYSTEM);
		held = held_now(test, id);
		igt_assert_lte_u64(invalidated + 1, held.invalidated);
		if (policy == PHYR_TEST_UNMAP_NOW)
			igt_assert(!held.mapped);
		while (policy == PHYR_TEST_UNMAP_SOON && held.mapped)
			held = held_now(test, id);
		/* The core unmaps a native mapping in any case. */
		if (policy == PHYR_TEST_UNMAP_LATE) {
			igt_assert(held.mapped);
			if (kind == PHYR_TEST_NATIVE)
				igt_assert_eq_u64(held.ranges, 0);
		}
		assert_vram(vram, handle, SIZE, SEED);
		igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_MAP, &held), 0);
		igt_assert(held.mapped && held.ranges);
	}
	release_held(test, id);
	close(dmabuf);
	igt_assert_eq(phyr_close_handle(vram, handle), 0);
	check_free_vram(vram, &card);
	close(vram);
	close(test);
}

static void pin(int test, uint32_t id, bool pin)
{
	struct phyr_test_held held = { .id = id, .pinned = pin };

	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_PIN, &held), 0);
	igt_assert_eq(held.pinned, pin);
}

static void pinned(void)
{
	int test = open_phyr_test(SECOND_IVSHMEM), vram = open_vram(0), dmabuf;
	uint32_t handle = create_vram(vram, SIZE, EVICTABLE, SZ_4K), id, other;

	fill_vram(vram, handle, SIZE, SEED);
	dmabuf = export_buffer(vram, handle);
	id = hold_mapped(test, dmabuf, PHYR_TEST_REVOCABLE,
			 PHYR_TEST_UNMAP_NOW);
	pin(test, id, true);
	igt_assert_eq(try_move_buffer(vram, handle, IN_SYSTEM), -EBUSY);
	igt_assert_eq(try_move_buffer(vram, handle, IN_VRAM), 0);
	/* An importer that needs system memory cannot attach. */
	igt_assert_eq(try_hold(test, dmabuf, PHYR_TEST_STATIC,
			       PHYR_TEST_UNMAP_LATE, &other), -EBUSY);
	igt_assert(held_now(test, id).mapped);
	igt_assert_eq(vram_info(vram, handle).placement, IN_VRAM);
	pin(test, id, false);

	/* Now the importer that needs system memory pins it there. */
	igt_assert_eq(try_hold(test, dmabuf, PHYR_TEST_STATIC,
			       PHYR_TEST_UNMAP_LATE, &other), 0);
	igt_assert_eq(vram_info(vram, handle).placement, IN_SYSTEM);
	igt_assert_eq(try_move_buffer(vram, handle, IN_VRAM), -EBUSY);
	release_held(test, other);
	move_buffer(vram, handle, IN_VRAM);
	assert_vram(vram, handle, SIZE, SEED);
	release_held(test, id);
	close(dmabuf);
	close(vram);
	close(test);
}

static void bad_moves(void)
{
	int vram = open_vram(0);
	uint32_t both = create_vram(vram, SIZE, EVICTABLE, 0);
	uint32_t fixed = create_vram(vram, SIZE, IN_VRAM, 0);

	igt_assert_eq(try_move_buffer(vram, both, 0), -EINVAL);
	igt_assert_eq(try_move_buffer(vram, both, EVICTABLE), -EINVAL);
	igt_assert_eq(try_move_buffer(vram, both, 1u << 31), -EINVAL);
	igt_assert_eq(try_move_buffer(vram, fixed, IN_SYSTEM), -EINVAL);
	igt_assert_eq(try_move_buffer(vram, fixed, IN_VRAM), 0);
	igt_assert_eq(phyr_close_handle(vram, both), 0);
	igt_assert_eq(try_move_buffer(vram, both, IN_SYSTEM), -ENOENT);
	close(vram);
}

igt_main()
{
	igt_fixture()
		reload_vram("poison=1");

	igt_describe("1,000 moves while an engine and the CPU access the buffer: all bytes correct, free VRAM unchanged");
	igt_subtest("while-copying")
		while_copying();

	igt_describe("A native importer unmaps in its invalidate callback and maps again");
	igt_subtest("native-now")
		importer(PHYR_TEST_NATIVE, PHYR_TEST_UNMAP_NOW);

	igt_describe("A native importer unmaps from a worker, which takes the lock that the move holds");
	igt_subtest("native-soon")
		importer(PHYR_TEST_NATIVE, PHYR_TEST_UNMAP_SOON);

	igt_describe("The mapping of a native importer that does not unmap is emptied");
	igt_subtest("native-late")
		importer(PHYR_TEST_NATIVE, PHYR_TEST_UNMAP_LATE);

	igt_describe("A stock importer unmaps in its invalidate callback and maps again");
	igt_subtest("stock-now")
		importer(PHYR_TEST_REVOCABLE, PHYR_TEST_UNMAP_NOW);

	igt_describe("A stock importer unmaps from a worker, which takes the lock that the move holds");
	igt_subtest("stock-soon")
		importer(PHYR_TEST_REVOCABLE, PHYR_TEST_UNMAP_SOON);

	igt_describe("A stock importer that does not unmap does not block a move");
	igt_subtest("stock-late")
		importer(PHYR_TEST_REVOCABLE, PHYR_TEST_UNMAP_LATE);

	igt_describe("A pinned buffer cannot be moved");
	igt_subtest("pinned")
		pinned();

	igt_describe("Moves to invalid places and of invalid handles are refused");
	igt_subtest("bad-moves")
		bad_moves();

	igt_fixture()
		reload_vram("");
}

// SPDX-License-Identifier: MIT
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "lib.h"
#include "traffic.h"

IGT_TEST_DESCRIPTION("Eviction of buffers from VRAM by other buffers");

#define CLIENTS	8
#define BUFFERS	8
#define ROUNDS	3

/**
 * struct client - one of the processes that together allocate 4 times the VRAM
 * @vram: the card
 * @size: bytes of each buffer
 * @handles: the buffers
 */
struct client {
	int vram;
	uint64_t size;
	uint32_t handles[BUFFERS];
};

static uint64_t seed_of(int client, int buffer)
{
	return 1000 * (client + 1) + buffer;
}

/*
 * Move a buffer into VRAM, which evicts another one. Return false if there is
 * no room because other clients hold the buffers that they move.
 */
static bool move_in(struct client *client, int buffer)
{
	int err = try_move_buffer(client->vram, client->handles[buffer],
				  IN_VRAM);

	igt_assert_f(!err || err == -ENOSPC || err == -EBUSY,
		     "GEM_MOVE: %s\n", strerror(-err));
	return !err;
}

/* Verify the bytes through the engine. */
static void read_by_engine(struct client *client, int number, int buffer)
{
	int engine = open_copy(0);
	uint32_t own = create_own(engine, client->size);
	uint32_t imported = import_from(engine, client->vram,
					client->handles[buffer]);

	copy_bytes(engine, imported, own, client->size);
	assert_own(engine, own, client->size, seed_of(number, buffer));
	close(engine);
}

static void run_client(int number, uint64_t size)
{
	struct client client = { .vram = open_vram(0), .size = size };
	struct phyr_device engine = copy_device(0);
	struct traffic traffic = { 0 };
	int dmabuf = -1, moved = 0;

	for (int i = 0; i < BUFFERS; i++) {
		client.handles[i] = create_vram(client.vram, size, EVICTABLE,
						number % 2 ? SZ_4K : 0);
		fill_vram(client.vram, client.handles[i], size,
			  seed_of(number, i));
	}
	/* An engine constantly accesses the first buffer of two clients. */
	if (number < 2) {
		dmabuf = export_buffer(client.vram, client.handles[0]);
		traffic = traffic_start(&engine, dmabuf, size,
					seed_of(number, 0));
	}
	for (int round = 0; round < repeats(ROUNDS); round++) {
		for (int i = number < 2; i < BUFFERS; i++) {
			moved += move_in(&client, i);
			if (number < 2)
				move_in(&client, 0);
			if (number >= 2 && (i + round) % 4 == 0)
				read_by_engine(&client, number, i);
			assert_vram(client.vram, client.handles[i], size,
				    seed_of(number, i));
		}
	}
	igt_assert_f(moved, "client %d could not move any buffer into VRAM\n", number);
	if (number < 2) {
		traffic_wait(&traffic, 1);
		traffic_stop(&traffic);
		close(dmabuf);
	}
	close(client.vram);
}

static void oversubscribe(void)
{
	struct phyr_device card = vram_device(0);
	uint64_t free = vram_free(&card);
	uint64_t size = 4 * free / (CLIENTS * BUFFERS);

	igt_assert_eq_u64(CLIENTS * BUFFERS * size, 4 * free);
	igt_fork(child, CLIENTS)
		run_client(child, size);
	igt_waitchildren();
	wait_for_vram_free(&card, free);
}

/* Buffers that must be in VRAM evict those that need not be. */
static void fixed_first(void)
{
	struct phyr_device card = vram_device(0);
	uint64_t free = vram_free(&card), size = free / 8;
	int vram = open_device(&card);
	uint32_t movable[8], handle;
	int in_system = 0;

	for (int i = 0; i < 8; i++) {
		movable[i] = create_vram(vram, size, EVICTABLE, 0);
		fill_vram(vram, movable[i], size, i);
	}
	for (int i = 0; i < 8; i++) {
		handle = create_vram(vram, size, IN_VRAM, SZ_4K);
		fill_vram(vram, handle, size, 100 + i);
	}
	for (int i = 0; i < 8; i++) {
		in_system += vram_info(vram, movable[i]).placement == IN_SYSTEM;
		assert_vram(vram, movable[i], size, i);
	}
	igt_assert_eq(in_system, 8);
	/* Now VRAM holds only buffers that cannot be evicted. */
	igt_assert_eq(try_move_buffer(vram, movable[0], IN_VRAM), -ENOSPC);
	assert_vram(vram, movable[0], size, 0);
	close(vram);
	wait_for_vram_free(&card, free);
}

/*
 * Run @act without privileges, in a process that must not stay in the kernel:
 * no signal ends a task that TTM keeps walking.
 */
static void as_nobody(void (*act)(void))
{
	int status, left = 1200;
	pid_t pid = fork();

	igt_assert(pid >= 0);
	if (!pid) {
		if (setresgid(65534, 65534, 65534) ||
		    setresuid(65534, 65534, 65534))
			_exit(98);
		act();
		_exit(0);
	}
	while (waitpid(pid, &status, WNOHANG) != pid) {
		igt_assert_f(left--, "task %d does not end\n", pid);
		if (left == 600)
			kill(pid, SIGKILL);
		usleep(100000);
	}
	igt_assert_f(!status, "the client ended with wait status %#x\n", status);
}

static int system_vram;

/* Create a buffer of @pages pages and close it again. */
static void try_large(uint64_t pages, uint32_t placement)
{
	uint32_t handle;
	int err;

	err = phyr_vram_create(system_vram, pages * SZ_4K, placement, 0,
			       &handle);
	igt_assert_f(!err || err == -E2BIG || err == -ENOMEM || err == -ENOSPC,
		     "%llu pages in placement %u: %s\n",
		     (unsigned long long)pages, placement, strerror(-err));
	if (!err)
		igt_assert_eq(phyr_close_handle(system_vram, handle), 0);
}

static void fill_system_memory(void)
{
	uint64_t all = sysconf(_SC_PHYS_PAGES);
	const uint64_t pages[] = {
		all, all - 1, all - 2, all / 4 * 3, all / 2 + 1, all / 2,
		all / 4 + 1, all / 4, all / 4 - 1,
	};
	uint32_t small = create_vram(system_vram, SZ_4K, IN_SYSTEM, 0);

	try_large(all, IN_SYSTEM);
	fill_vram(system_vram, small, SZ_4K, 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++)
		try_large(pages[i], IN_SYSTEM);
	try_large(all, EVICTABLE);
	try_large(all / 4, EVICTABLE);
	assert_vram(system_vram, small, SZ_4K, 1);
}

/* Moves between all places while one buffer takes all system memory allowed. */
static void move_beside_large(void)
{
	uint64_t pages = sysconf(_SC_PHYS_PAGES) / 4;
	uint32_t movable = create_vram(system_vram, SZ_64K, EVICTABLE, SZ_4K);
	uint32_t fixed = create_vram(system_vram, SZ_64K, IN_SYSTEM, 0);
	uint32_t large;

	fill_vram(system_vram, movable, SZ_64K, 1);
	fill_vram(system_vram, fixed, SZ_64K, 2);
	igt_require_f(!phyr_vram_create(system_vram, pages * SZ_4K, IN_SYSTEM,
					0, &large),
		      "a quarter of the system's memory is not free\n");
	for (int round = 0; round < 2; round++) {
		move_buffer(system_vram, movable, IN_SYSTEM);
		move_buffer(system_vram, fixed, IN_SYSTEM);
		assert_vram(system_vram, movable, SZ_64K, 1);
		move_buffer(system_vram, movable, IN_VRAM);
		move_buffer(system_vram, large, IN_SYSTEM);
	}
	assert_vram(system_vram, movable, SZ_64K, 1);
	assert_vram(system_vram, fixed, SZ_64K, 2);
}

static void in_system_memory(void (*act)(void))
{
	system_vram = open_vram(0);
	as_nobody(act);
	close(system_vram);
}

igt_main()
{
	igt_fixture()
		reload_vram("poison=1");

	igt_describe("Clients use 4 times the VRAM, some under DMA; all buffers keep their bytes");
	igt_subtest("four-times")
		oversubscribe();

	igt_describe("Buffers that must be in VRAM evict others and are not evicted");
	igt_subtest("fixed-first")
		fixed_first();

	igt_describe("A buffer of all system memory beside a small one is refused, and the task goes on");
	igt_subtest("system-full")
		in_system_memory(fill_system_memory);

	igt_describe("Buffers move between all places while system memory is taken");
	igt_subtest("system-taken")
		in_system_memory(move_beside_large);

	igt_fixture()
		reload_vram("");
}

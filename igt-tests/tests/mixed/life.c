// SPDX-License-Identifier: MIT
/* Who closes what, and when; processes that are killed. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "ledger.h"
#include "whole.h"

#define PAGES		16
#define SIZE		(PAGES * SZ_4K)
#define ROUNDS		200

/*
 * Four threads share one file of the engine. Two import and close, each a buffer
 * of its own; two compose of whatever these handles are at the moment. Both
 * buffers have the same bytes. Not processes: for each ioctl of another one on a
 * file DRM waits for RCU.
 */
static struct {
	int engine;
	struct source sources[2];
	int rounds;
	atomic_uint handles[2];
	atomic_uint ended;
} race;

static void *import_and_close(void *data)
{
	unsigned int number = (uintptr_t)data;

	for (int i = 0; atomic_load(&race.ended) < 2; i++) {
		uint32_t handle = import_buffer(race.engine,
						race.sources[number].dmabuf);

		atomic_store(&race.handles[number], handle);
		/* Long enough for others to compose of it now and then. */
		if (i % 3)
			usleep(300);
		igt_assert_eq(phyr_close_handle(race.engine, handle), 0);
	}
	return NULL;
}

static void *compose_and_copy(void *data)
{
	unsigned int number = (uintptr_t)data;
	uint32_t own = create_own(race.engine, 3 * SZ_4K), handle;
	uint8_t *mem = map_own(race.engine, own, 3 * SZ_4K);
	int composed = 0;

	/* The others are slow where the machine is. */
	for (int i = 0; i < 20 * ROUNDS && composed < race.rounds; i++) {
		struct drm_phyr_copy_part parts[] = {
			part_of(atomic_load(&race.handles[i % 2]), 100,
				2 * SZ_4K - 100),
			part_of(atomic_load(&race.handles[number]), 2 * SZ_4K,
				SZ_4K),
		};
		int err = try_compose(race.engine, parts, 2, &handle);

		/* The number is free, or that of a whole or of an own buffer. */
		igt_assert_f(!err || err == -ENOENT || err == -EINVAL ||
			     err == -EOPNOTSUPP,
			     "compose: %s\n", strerror(-err));
		if (err)
			continue;
		composed++;
		copy_bytes(race.engine, handle, own, 3 * SZ_4K - 100);
		assert_bytes(mem, SEED, 100, 3 * SZ_4K - 100);
		submit_job(race.engine, copy_job(handle, own, SZ_4K));
		igt_assert_eq(phyr_close_handle(race.engine, handle), 0);
	}
	unmap(mem, 3 * SZ_4K);
	atomic_fetch_add(&race.ended, 1);
	return NULL;
}

static void race_in_threads(void)
{
	pthread_t threads[4];

	for (uintptr_t i = 0; i < 4; i++)
		igt_assert_eq(pthread_create(&threads[i], NULL, i < 2 ?
					     import_and_close : compose_and_copy,
					     (void *)(i % 2)), 0);
	for (int i = 0; i < 4; i++)
		igt_assert_eq(pthread_join(threads[i], NULL), 0);
}

/* Files, handles and buffers are closed in all orders while copies run. */
static void open_and_close(int child)
{
	for (int i = 0; i < race.rounds / 3; i++) {
		int engine = open_copy(0), dmabuf;
		const struct source sources[] = {
			open_source(engine, VRAM, SIZE),
			open_source(engine, child % 2 ? USER : RAM, SIZE),
		};
		static const struct piece pieces[] = {
			{ 0, 0, SZ_4K }, { 1, 0, 4 * SZ_4K }, { 0, 0, SZ_4K },
		};
		struct whole whole = MAKE_WHOLE(engine, sources, pieces);
		uint32_t own = create_own(engine, SIZE);

		dmabuf = phyr_export(engine, whole.handle);
		for (int k = 0; k < 4; k++)
			submit_job(engine, copy_job(k % 2 ? own : whole.handle,
						    k % 2 ? whole.handle : own,
						    whole.size));
		if (i & 1)
			igt_assert_eq(phyr_close_handle(engine,
							sources[0].handle), 0);
		if (i & 2)
			close_whole(&whole);
		if (i & 4)
			CLOSE_SOURCES(sources);
		if (dmabuf >= 0 && i & 8)
			close(dmabuf);
		close(engine);
		if (dmabuf >= 0 && !(i & 8))
			close(dmabuf);
		if (!(i & 4))
			CLOSE_SOURCES(sources);
	}
}

void close_race(void)
{
	struct phyr_device card = vram_device(0);
	uint64_t free = vram_free(&card);

	race.engine = open_copy(0);
	race.rounds = repeats(ROUNDS);
	atomic_store(&race.ended, 0);
	for (int i = 0; i < 2; i++) {
		race.sources[i] = open_source(race.engine, i ? RAM : VRAM, SIZE);
		phyr_fill(race.sources[i].mem, SEED, 0, SIZE);
		igt_assert_eq(phyr_close_handle(race.engine,
						race.sources[i].handle), 0);
	}
	igt_fork(child, 3) {
		if (child)
			open_and_close(child);
		else
			race_in_threads();
	}
	igt_waitchildren();
	close(race.engine);
	close_sources(race.sources, 2);
	wait_for_vram_free(&card, free);
}

static void await_kill(pid_t pid)
{
	int status;

	igt_assert_eq(waitpid(pid, &status, 0), pid);
	igt_assert_f(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
		     "the process ended with status %#x\n", status);
}

static const struct piece pieces[] = {
	{ 0, 99, 3 * SZ_4K - 99 }, { 1, 4 * SZ_4K, 5 * SZ_4K },
	{ 0, 8 * SZ_4K, SZ_4K }, { 1, 0, SZ_4K }, { 0, 10 * SZ_4K, 100 },
};

__attribute__((noreturn))
static void copy_and_die(const struct card_buffer *card)
{
	struct phyr_device device = copy_device(0);
	int engine = open_device(&device);
	const struct source sources[] = {
		{ .card = -1, .size = SIZE,
		  .handle = import_buffer(engine, card->dmabuf) },
		open_source(engine, USER, SIZE),
	};
	struct whole whole = MAKE_WHOLE(engine, sources, pieces);
	uint32_t own = create_own(engine, SIZE);

	fill_own(engine, own, SIZE, SEED);
	/* The engine is late, so that the others are still queued. */
	igt_assert_eq(phyr_hang(&device, 1), 0);
	submit_job(engine, copy_job(create_own(engine, SZ_4K),
				    create_own(engine, SZ_4K), SZ_4K));
	for (int i = 0; i < 100; i++)
		submit_job(engine, copy_job(i % 2 ? whole.handle : own,
					    i % 2 ? own : whole.handle,
					    whole.size));
	raise(SIGKILL);
	_exit(1);
}

/* Copies that are queued run, in both directions. */
void killed_with_jobs(void)
{
	struct card_buffer card = open_card_buffer(SIZE, IN_VRAM, SZ_4K);
	uint8_t *mem = map_dmabuf(card.dmabuf, SIZE);
	pid_t pid = fork();
	int fence;

	igt_assert(pid >= 0);
	if (!pid)
		copy_and_die(&card);
	await_kill(pid);
	fence = phyr_dmabuf_sync_file(card.dmabuf, true);
	igt_assert(fence >= 0);
	while (!phyr_sync_file_status(fence))
		usleep(10000);
	igt_assert_eq(phyr_sync_file_status(fence), 1);
	close(fence);
	assert_zero(mem, pieces[0].offset);
	assert_bytes(mem + pieces[0].offset, SEED, 0, pieces[0].len);
	assert_bytes(mem + pieces[2].offset, SEED,
		     pieces[0].len + pieces[1].len, pieces[2].len);
	unmap(mem, SIZE);
	close_card_buffer(&card);
}

__attribute__((noreturn))
static void use_forever(const struct card_buffer *card)
{
	/* By the parent, also if that fails */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		int engine = open_copy(0);
		const struct source sources[] = {
			{ .card = -1, .dmabuf = card->dmabuf, .size = SIZE,
			  .handle = import_buffer(engine, card->dmabuf) },
			open_source(engine, USER, SIZE),
		};
		uint32_t own = create_own(engine, SIZE);

		for (int i = 0; i < 4; i++) {
			struct whole whole = MAKE_WHOLE(engine, sources, pieces);

			submit_job(engine, copy_job(whole.handle, own,
						    whole.size));
			close_whole(&whole);
		}
		close(engine);
		close_source(&sources[1]);
	}
}

void killed_anywhere(void)
{
	struct card_buffer card = open_card_buffer(SIZE, IN_VRAM, SZ_4K);
	struct ledger before = ledger_now(), now;
	int rounds = repeats(40);

	for (int i = 0; i < rounds; i++) {
		pid_t pid = fork();

		igt_assert(pid >= 0);
		if (!pid)
			use_forever(&card);
		usleep(5000 + 1700 * (i % 20));
		igt_assert_eq(kill(pid, SIGKILL), 0);
		await_kill(pid);
	}
	igt_assert_f(ledger_comes_to(&before, &now), "%s\n",
		     ledger_difference(&before, &now));
	close_card_buffer(&card);
}

/* Composing pins nothing more, and costs nothing that closing does not free. */
void accounting(void)
{
	int engine = open_copy(0);
	const struct source sources[] = {
		open_source(engine, VRAM, SIZE), open_source(engine, USER, SIZE),
	};
	uint32_t own = create_own(engine, SIZE);
	struct ledger before = ledger_now(), now;
	int rounds = repeats(1000);

	for (int i = 0; i < rounds; i++) {
		struct whole whole = MAKE_WHOLE(engine, sources, pieces);

		if (i % 2)
			copy_bytes(engine, whole.handle, own, whole.size);
		igt_assert_eq_u64(pinned_bytes(), before.pinned);
		close_whole(&whole);
	}
	igt_assert_f(ledger_comes_to(&before, &now), "%s\n",
		     ledger_difference(&before, &now));
	close(engine);
	CLOSE_SOURCES(sources);
	wait_for_unpin();
}

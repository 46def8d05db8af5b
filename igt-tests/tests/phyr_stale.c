// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib.h"
#include "stock.h"

IGT_TEST_DESCRIPTION("No client finds what another one left in memory");

/* The upper half of each word that a client leaves; the lower half tells the round. */
#define SECRET		(0x5ec2e75eull << 32)
/* Of a window, half of which create_dumb() makes. */
#define WINDOW		SZ_1M
#define BUFFERS		2
#define BUFFER_SIZE	(WINDOW / BUFFERS)

/**
 * struct arena - a card of which only so much is free that every client has
 * to take the memory that the one before it had
 * @card: the card
 * @free: bytes that were free before
 */
struct arena {
	struct phyr_device card;
	uint64_t free;
};

/* The client that has the rest. */
static int ballast = -1;

enum fill { FILL_CPU, FILL_DMABUF, FILL_DUMB, FILL_ENGINE, NR_FILLS };
enum leave { LEAVE_FREED, LEAVE_OPEN, LEAVE_MAPPED, NR_LEAVES };
enum search {
	SEARCH_CPU, SEARCH_DMABUF, SEARCH_IMPORT, SEARCH_DUMB, SEARCH_ENGINE,
	NR_SEARCHES
};

static const char *const fill_names[] = { "cpu", "dma-buf", "dumb", "engine" };
static const char *const leave_names[] = { "freed", "open", "mapped" };
static const char *const search_names[] = {
	"cpu", "dma-buf", "import", "dumb", "engine"
};

/* The primary node, since dumb buffers are not for render nodes. */
static int open_primary(const struct phyr_device *card)
{
	int fd = open(card->primary, O_RDWR | O_CLOEXEC);

	igt_assert_f(fd >= 0, "%s: %s\n", card->primary, strerror(errno));
	return fd;
}

static struct arena enter_arena(struct phyr_device card)
{
	struct arena arena = { .card = card };

	/* A subtest that failed has left its own. */
	if (ballast >= 0)
		close(ballast);
	ballast = open_primary(&card);
	arena.free = vram_free(&card);
	create_vram(ballast, arena.free - WINDOW, IN_VRAM, 0);
	igt_assert_eq_u64(vram_free(&card), WINDOW);
	return arena;
}

static void leave_arena(struct arena *arena)
{
	close(ballast);
	ballast = -1;
	wait_for_vram_free(&arena->card, arena->free);
}

static uint64_t secret_of(int round)
{
	return SECRET | (unsigned int)round;
}

static void put_secret(void *mem, uint64_t size, uint64_t secret)
{
	uint64_t *words = mem;

	for (uint64_t i = 0; i < size / 8; i++)
		words[i] = secret;
}

static void assert_secret(const void *mem, uint64_t size, uint64_t secret)
{
	const uint64_t *words = mem;

	for (uint64_t i = 0; i < size / 8; i++)
		igt_assert_f(words[i] == secret,
			     "word %" PRIu64 " is %#" PRIx64 ", not %#" PRIx64
			     "\n", i, words[i], secret);
}

/* A new buffer has nothing but zeroes; whatever else it has is somebody's. */
static void assert_clean(const void *mem, uint64_t size, const char *how)
{
	const uint64_t *words = mem;

	for (uint64_t i = 0; i < size / 8; i++) {
		if (!words[i])
			continue;
		igt_assert_f((words[i] & ~0xffffffffull) != SECRET,
			     "byte %" PRIu64 " of %" PRIu64
			     " of a new buffer (%s) is secret: %#" PRIx64
			     ", left in round %u\n", 8 * i, size, how, words[i],
			     (unsigned int)words[i]);
		igt_assert_f(!words[i], "byte %" PRIu64 " of %" PRIu64
			     " of a new buffer (%s) is not zero: %#" PRIx64
			     "\n", 8 * i, size, how, words[i]);
	}
}

static uint32_t new_buffer(int fd, bool dumb, uint64_t size, int round)
{
	/* Whole or in pages: other places for each client. */
	uint64_t max_extent = round % 2 ? SZ_4K : 0, dumb_size;
	uint32_t handle;

	if (!dumb)
		return create_vram(fd, size, IN_VRAM, max_extent);
	handle = create_dumb(fd, &dumb_size);
	igt_assert_eq_u64(dumb_size, size);
	return handle;
}

/* All that is free, so that nothing is left unsearched. */
static void take_all(const struct arena *arena, int fd, bool dumb, int round,
		     uint32_t handles[BUFFERS])
{
	for (int i = 0; i < BUFFERS; i++) {
		handles[i] = new_buffer(fd, dumb, BUFFER_SIZE, round);
		igt_assert_eq(vram_info(fd, handles[i]).placement, IN_VRAM);
	}
	igt_assert_eq_u64(vram_free(&arena->card), 0);
}

static void *map_exported(int fd, uint32_t handle, uint64_t size)
{
	int dmabuf = export_buffer(fd, handle);
	void *mem = map_dmabuf(dmabuf, size);

	close(dmabuf);
	return mem;
}

static void fill_by_engine(int fd, uint32_t handle, uint64_t secret)
{
	int engine = open_copy(0);
	uint32_t own = create_own(engine, BUFFER_SIZE);
	uint32_t imported = import_from(engine, fd, handle);
	void *mem = map_own(engine, own, BUFFER_SIZE);

	put_secret(mem, BUFFER_SIZE, secret);
	unmap(mem, BUFFER_SIZE);
	copy(engine, own, imported, BUFFER_SIZE);
	close(engine);
}

static void fill(int fd, uint32_t handle, enum fill how, uint64_t secret)
{
	void *mem;

	if (how == FILL_ENGINE) {
		fill_by_engine(fd, handle, secret);
		return;
	}
	mem = how == FILL_DUMB ? map_dumb(fd, handle, BUFFER_SIZE) :
	      how == FILL_DMABUF ? map_exported(fd, handle, BUFFER_SIZE) :
	      map_vram(fd, handle, BUFFER_SIZE);
	put_secret(mem, BUFFER_SIZE, secret);
	unmap(mem, BUFFER_SIZE);
}

/* The first client: all that is free gets its secret. */
static void be_first(const struct arena *arena, int round, enum fill how,
		     enum leave leave)
{
	int fd = open_primary(&arena->card);
	uint32_t handles[BUFFERS];

	take_all(arena, fd, how == FILL_DUMB, round, handles);
	for (int i = 0; i < BUFFERS; i++) {
		fill(fd, handles[i], how, secret_of(round));
		if (leave == LEAVE_MAPPED)
			map_exported(fd, handles[i], BUFFER_SIZE);
	}
	if (leave == LEAVE_OPEN)
		return;
	for (int i = 0; i < BUFFERS; i++)
		igt_assert_eq(phyr_close_handle(fd, handles[i]), 0);
	close(fd);
}

static void search_by_engine(int fd, uint32_t handle)
{
	int engine = open_copy(0);
	uint32_t own = create_own(engine, BUFFER_SIZE);
	uint32_t imported = import_from(engine, fd, handle);
	void *mem = map_own(engine, own, BUFFER_SIZE);

	/* What is not zero before the copy would not be zero by it. */
	put_secret(mem, BUFFER_SIZE, SECRET | UINT32_MAX);
	copy(engine, imported, own, BUFFER_SIZE);
	assert_clean(mem, BUFFER_SIZE, "engine");
	unmap(mem, BUFFER_SIZE);
	close(engine);
}

static void search(const struct arena *arena, int fd, uint32_t handle,
		   enum search how)
{
	void *mem;
	int other;

	switch (how) {
	case SEARCH_ENGINE:
		search_by_engine(fd, handle);
		return;
	case SEARCH_DMABUF:
		mem = map_exported(fd, handle, BUFFER_SIZE);
		break;
	case SEARCH_IMPORT:
		other = open_primary(&arena->card);
		mem = map_vram(other, import_from(other, fd, handle),
			       BUFFER_SIZE);
		close(other);
		break;
	case SEARCH_DUMB:
		mem = map_dumb(fd, handle, BUFFER_SIZE);
		break;
	default:
		mem = map_vram(fd, handle, BUFFER_SIZE);
	}
	assert_clean(mem, BUFFER_SIZE, search_names[how]);
	unmap(mem, BUFFER_SIZE);
}

/* The next client: all that is free must be clean. */
static void be_next(const struct arena *arena, int round, enum search how)
{
	int fd = open_primary(&arena->card);
	uint32_t handles[BUFFERS];

	take_all(arena, fd, how == SEARCH_DUMB, round / 2, handles);
	for (int i = 0; i < BUFFERS; i++)
		search(arena, fd, handles[i], how);
	close(fd);
}

static void rounds(struct phyr_device card, int count)
{
	struct arena arena = enter_arena(card);

	for (int round = 0; round < count; round++) {
		enum fill fill = round % NR_FILLS;
		enum leave leave = round / NR_FILLS % NR_LEAVES;
		enum search search = round % NR_SEARCHES;

		igt_info("round %d: filled by %s, left %s, searched by %s\n",
			 round, fill_names[fill], leave_names[leave],
			 search_names[search]);
		igt_fork(child, 1)
			be_first(&arena, round, fill, leave);
		igt_waitchildren();
		wait_for_vram_free(&card, WINDOW);
		igt_fork(child, 1)
			be_next(&arena, round, search);
		igt_waitchildren();
		wait_for_vram_free(&card, WINDOW);
	}
	leave_arena(&arena);
}

/* Every byte of the card, not only a window. */
static void whole_card(struct phyr_device card)
{
	uint64_t free = vram_free(&card);

	for (int round = 0; round < 4; round++) {
		igt_fork(child, 1) {
			int fd = open_primary(&card);
			void *mem = map_vram(fd, new_buffer(fd, false, free,
							    round), free);

			igt_assert_eq_u64(vram_free(&card), 0);
			assert_clean(mem, free, "all of VRAM");
			put_secret(mem, free, secret_of(round));
		}
		igt_waitchildren();
		wait_for_vram_free(&card, free);
	}
}

/* Processes that wait for each other; one that fails wakes the other up. */
struct baton {
	int there[2];
	int back[2];
};

static struct baton make_baton(void)
{
	struct baton baton;

	igt_assert_eq(pipe2(baton.there, O_CLOEXEC), 0);
	igt_assert_eq(pipe2(baton.back, O_CLOEXEC), 0);
	return baton;
}

static void drop_baton(struct baton *baton)
{
	for (int i = 0; i < 2; i++) {
		close(baton->there[i]);
		close(baton->back[i]);
	}
}

static void pass(int pipe[2])
{
	igt_assert_eq(write(pipe[1], "", 1), 1);
}

static void await(int pipe[2])
{
	char byte;

	close(pipe[1]);
	igt_assert_f(read(pipe[0], &byte, 1) == 1, "the other client failed\n");
}

static int in_system(int fd, const uint32_t *handles, int count)
{
	int number = 0;

	for (int i = 0; i < count; i++)
		number += vram_info(fd, handles[i]).placement == IN_SYSTEM;
	return number;
}

#define VICTIMS	(2 * BUFFERS)

/* Twice what fits, some of it evicted at once, and the rest by the other client. */
static void be_evicted(const struct arena *arena, int round,
		       struct baton *baton)
{
	int fd = open_primary(&arena->card);
	uint32_t handles[VICTIMS];
	void *mem;

	for (int i = 0; i < VICTIMS; i++) {
		handles[i] = create_vram(fd, BUFFER_SIZE, EVICTABLE,
					 round % 2 ? SZ_4K : 0);
		mem = map_vram(fd, handles[i], BUFFER_SIZE);
		put_secret(mem, BUFFER_SIZE, secret_of(round));
		unmap(mem, BUFFER_SIZE);
	}
	igt_assert_eq(in_system(fd, handles, VICTIMS), VICTIMS - BUFFERS);
	pass(baton->there);
	await(baton->back);
	igt_assert_eq(in_system(fd, handles, VICTIMS), VICTIMS);
	for (int i = 0; i < VICTIMS; i++) {
		/* In from system memory; the one before it goes out. */
		if (i % 2)
			move_buffer(fd, handles[i], IN_VRAM);
		mem = map_vram(fd, handles[i], BUFFER_SIZE);
		assert_secret(mem, BUFFER_SIZE, secret_of(round));
		unmap(mem, BUFFER_SIZE);
	}
}

/* VRAM that others were evicted from, and system memory beside theirs. */
static void evict_and_search(const struct arena *arena, int round)
{
	int fd = open_primary(&arena->card);
	uint32_t handles[BUFFERS];
	void *mem;

	for (int place = 0; place < 2; place++) {
		for (int i = 0; i < BUFFERS; i++) {
			handles[i] = create_vram(fd, BUFFER_SIZE,
						 place ? IN_SYSTEM : IN_VRAM,
						 round % 3 ? SZ_4K : 0);
			mem = map_vram(fd, handles[i], BUFFER_SIZE);
			assert_clean(mem, BUFFER_SIZE, place ?
				     "system memory" : "evicted VRAM");
			put_secret(mem, BUFFER_SIZE, secret_of(~round));
			unmap(mem, BUFFER_SIZE);
		}
	}
	close(fd);
}

static void evicted(struct phyr_device card, int count)
{
	struct arena arena = enter_arena(card);

	for (int round = 0; round < count; round++) {
		struct baton baton = make_baton();

		igt_fork(child, 2) {
			if (child) {
				close(baton.there[0]);
				close(baton.back[1]);
				be_evicted(&arena, round, &baton);
			} else {
				close(baton.back[0]);
				await(baton.there);
				evict_and_search(&arena, round);
				wait_for_vram_free(&card, WINDOW);
				pass(baton.back);
			}
		}
		drop_baton(&baton);
		igt_waitchildren();
		wait_for_vram_free(&card, WINDOW);
		/* What the evicted client left, in either place. */
		igt_fork(child, 1)
			evict_and_search(&arena, round);
		igt_waitchildren();
		wait_for_vram_free(&card, WINDOW);
	}
	leave_arena(&arena);
}

#define CLIENTS	4
#define KEPT	3

/* Makes and frees buffers among others that do, so that each evicts the others'. */
static void churn_client(const struct arena *arena, int number, int count)
{
	struct { uint32_t handle; uint64_t size, secret; } kept[KEPT] = { 0 };
	int fd = open_primary(&arena->card);

	srand(number + 1);
	for (int round = 0; round < count; round++) {
		typeof(*kept) *slot = &kept[round % KEPT];
		void *mem;

		if (slot->handle) {
			mem = map_vram(fd, slot->handle, slot->size);
			assert_secret(mem, slot->size, slot->secret);
			unmap(mem, slot->size);
			igt_assert_eq(phyr_close_handle(fd, slot->handle), 0);
		}
		slot->size = (rand() % (WINDOW / SZ_4K / 2) + 1) * SZ_4K;
		slot->secret = secret_of(number << 16 | round);
		slot->handle = create_vram(fd, slot->size, EVICTABLE,
					   rand() % 2 ? SZ_4K : 0);
		mem = map_vram(fd, slot->handle, slot->size);
		assert_clean(mem, slot->size, "among others");
		put_secret(mem, slot->size, slot->secret);
		unmap(mem, slot->size);
	}
	close(fd);
}

static void churn(struct phyr_device card, int count)
{
	struct arena arena = enter_arena(card);

	igt_fork(child, CLIENTS)
		churn_client(&arena, child, count);
	igt_waitchildren();
	wait_for_vram_free(&card, WINDOW);
	leave_arena(&arena);
}

igt_main()
{
	igt_describe("1,000 times, a client searches what the one before it filled");
	igt_subtest("clients")
		rounds(vram_device(0), repeats(1000));

	igt_describe("The same on the small card, which drives a display");
	igt_subtest("clients-small-card")
		rounds(small_vram_device(), repeats(250));

	igt_describe("All of VRAM, to the last byte, is clean for the next client");
	igt_subtest("whole-card")
		whole_card(small_vram_device());

	igt_describe("A client searches VRAM out of which another's buffers are evicted");
	igt_subtest("evicted")
		evicted(vram_device(0), repeats(500));

	igt_describe("The same on the small card, which drives a display");
	igt_subtest("evicted-small-card")
		evicted(small_vram_device(), repeats(250));

	igt_describe("Clients evict each other, and find new buffers clean and old ones intact");
	igt_subtest("evict-each-other")
		churn(small_vram_device(), repeats(250));
}

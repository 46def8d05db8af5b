// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "foreign.h"
#include "lib.h"

IGT_TEST_DESCRIPTION("New buffers never contain data of another client");

/* Upper half of each word that a client writes; the lower half is the round. */
#define SECRET		(0x5ec2e75eull << 32)
/* Bytes left free. create_dumb() allocates half of it. */
#define WINDOW		SZ_1M
#define BUFFERS		2
#define BUFFER_SIZE	(WINDOW / BUFFERS)

/**
 * struct window - a card with only WINDOW bytes of free VRAM
 * @card: the card
 * @free: bytes of VRAM that were free before
 *
 * Every client has to allocate the memory that the previous one used.
 */
struct window {
	struct phyr_device card;
	uint64_t free;
};

/* DRM node of the client that has allocated the rest of the VRAM. */
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

/* The primary node: render nodes do not support dumb buffers. */
static int open_primary(const struct phyr_device *card)
{
	int fd = open(card->primary, O_RDWR | O_CLOEXEC);

	igt_assert_f(fd >= 0, "%s: %s\n", card->primary, strerror(errno));
	return fd;
}

static struct window open_window(struct phyr_device card)
{
	struct window window = { .card = card };

	/* A failed subtest leaves its ballast open. */
	if (ballast >= 0)
		close(ballast);
	ballast = open_primary(&card);
	window.free = vram_free(&card);
	create_vram(ballast, window.free - WINDOW, IN_VRAM, 0);
	igt_assert_eq_u64(vram_free(&card), WINDOW);
	return window;
}

static void close_window(struct window *window)
{
	close(ballast);
	ballast = -1;
	wait_for_vram_free(&window->card, window->free);
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
			     "word %" PRIu64 " is %#" PRIx64 ", expected %#" PRIx64
			     "\n", i, words[i], secret);
}

/* A new buffer contains only zeroes; anything else is leaked data. */
static void assert_clean(const void *mem, uint64_t size, const char *how)
{
	const uint64_t *words = mem;

	for (uint64_t i = 0; i < size / 8; i++) {
		if (!words[i])
			continue;
		igt_assert_f((words[i] & ~0xffffffffull) != SECRET,
			     "byte %" PRIu64 " of %" PRIu64
			     " of a new buffer (%s) is another client's: %#"
			     PRIx64 ", written in round %u\n", 8 * i, size, how,
			     words[i], (unsigned int)words[i]);
		igt_assert_f(!words[i], "byte %" PRIu64 " of %" PRIu64
			     " of a new buffer (%s) is not zero: %#" PRIx64
			     "\n", 8 * i, size, how, words[i]);
	}
}

static uint32_t new_buffer(int fd, bool dumb, uint64_t size, int round)
{
	/* Alternate between contiguous and fragmented buffers. */
	uint64_t max_extent = round % 2 ? SZ_4K : 0, dumb_size;
	uint32_t handle;

	if (!dumb)
		return create_vram(fd, size, IN_VRAM, max_extent);
	handle = create_dumb(fd, &dumb_size);
	igt_assert_eq_u64(dumb_size, size);
	return handle;
}

/* Allocate all free VRAM, so that all of it is checked. */
static void take_all(const struct window *window, int fd, bool dumb, int round,
		     uint32_t handles[BUFFERS])
{
	for (int i = 0; i < BUFFERS; i++) {
		handles[i] = new_buffer(fd, dumb, BUFFER_SIZE, round);
		igt_assert_eq(vram_info(fd, handles[i]).placement, IN_VRAM);
	}
	igt_assert_eq_u64(vram_free(&window->card), 0);
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
	copy_bytes(engine, own, imported, BUFFER_SIZE);
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

/* The first client fills all free VRAM with its secret. */
static void fill_window(const struct window *window, int round,
			enum fill how, enum leave leave)
{
	int fd = open_primary(&window->card);
	uint32_t handles[BUFFERS];

	take_all(window, fd, how == FILL_DUMB, round, handles);
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

	/* Not zero before the copy, so that a missing copy is detected. */
	put_secret(mem, BUFFER_SIZE, SECRET | UINT32_MAX);
	copy_bytes(engine, imported, own, BUFFER_SIZE);
	assert_clean(mem, BUFFER_SIZE, "engine");
	unmap(mem, BUFFER_SIZE);
	close(engine);
}

static void search(const struct window *window, int fd, uint32_t handle,
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
		other = open_primary(&window->card);
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

/* The next client checks that all free VRAM is zeroed. */
static void search_window(const struct window *window, int round,
			  enum search how)
{
	int fd = open_primary(&window->card);
	uint32_t handles[BUFFERS];

	take_all(window, fd, how == SEARCH_DUMB, round / 2, handles);
	for (int i = 0; i < BUFFERS; i++)
		search(window, fd, handles[i], how);
	close(fd);
}

static void rounds(struct phyr_device card, int count)
{
	struct window window = open_window(card);

	for (int round = 0; round < count; round++) {
		enum fill fill = round % NR_FILLS;
		enum leave leave = round / NR_FILLS % NR_LEAVES;
		enum search search = round % NR_SEARCHES;

		igt_info("round %d: filled by %s, left %s, searched by %s\n",
			 round, fill_names[fill], leave_names[leave],
			 search_names[search]);
		igt_fork(child, 1)
			fill_window(&window, round, fill, leave);
		igt_waitchildren();
		wait_for_vram_free(&card, WINDOW);
		igt_fork(child, 1)
			search_window(&window, round, search);
		igt_waitchildren();
		wait_for_vram_free(&card, WINDOW);
	}
	close_window(&window);
}

/* Check every byte of VRAM, not only a window. */
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

/*
 * Pipes by which two clients wait for each other. If one fails, the other
 * reads EOF.
 */
struct handoff {
	int to_evictor[2];
	int to_victim[2];
};

static struct handoff open_handoff(void)
{
	struct handoff handoff;

	igt_assert_eq(pipe2(handoff.to_evictor, O_CLOEXEC), 0);
	igt_assert_eq(pipe2(handoff.to_victim, O_CLOEXEC), 0);
	return handoff;
}

static void close_handoff(struct handoff *handoff)
{
	for (int i = 0; i < 2; i++) {
		close(handoff->to_evictor[i]);
		close(handoff->to_victim[i]);
	}
}

static void signal_peer(int pipe[2])
{
	igt_assert_eq(write(pipe[1], "", 1), 1);
}

static void wait_for_peer(int pipe[2])
{
	char byte;

	close(pipe[1]);
	igt_assert_f(read(pipe[0], &byte, 1) == 1,
		     "the other client failed before it signalled\n");
}

static int count_in_system(int fd, const uint32_t *handles, int count)
{
	int number = 0;

	for (int i = 0; i < count; i++)
		number += vram_info(fd, handles[i]).placement == IN_SYSTEM;
	return number;
}

#define VICTIMS	(2 * BUFFERS)

/* Allocate twice the window: half is evicted at once, the rest by the peer. */
static void get_evicted(const struct window *window, int round,
			struct handoff *handoff)
{
	int fd = open_primary(&window->card);
	uint32_t handles[VICTIMS];
	void *mem;

	for (int i = 0; i < VICTIMS; i++) {
		handles[i] = create_vram(fd, BUFFER_SIZE, EVICTABLE,
					 round % 2 ? SZ_4K : 0);
		mem = map_vram(fd, handles[i], BUFFER_SIZE);
		put_secret(mem, BUFFER_SIZE, secret_of(round));
		unmap(mem, BUFFER_SIZE);
	}
	igt_assert_eq(count_in_system(fd, handles, VICTIMS), VICTIMS - BUFFERS);
	signal_peer(handoff->to_evictor);
	wait_for_peer(handoff->to_victim);
	igt_assert_eq(count_in_system(fd, handles, VICTIMS), VICTIMS);
	for (int i = 0; i < VICTIMS; i++) {
		/* Move every second buffer in, which evicts the previous one. */
		if (i % 2)
			move_buffer(fd, handles[i], IN_VRAM);
		mem = map_vram(fd, handles[i], BUFFER_SIZE);
		assert_secret(mem, BUFFER_SIZE, secret_of(round));
		unmap(mem, BUFFER_SIZE);
	}
}

/* Check VRAM from which buffers were evicted, and new system memory. */
static void evict_and_search(const struct window *window, int round)
{
	int fd = open_primary(&window->card);
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
	struct window window = open_window(card);

	for (int round = 0; round < count; round++) {
		struct handoff handoff = open_handoff();

		igt_fork(child, 2) {
			if (child) {
				close(handoff.to_evictor[0]);
				close(handoff.to_victim[1]);
				get_evicted(&window, round, &handoff);
			} else {
				close(handoff.to_victim[0]);
				wait_for_peer(handoff.to_evictor);
				evict_and_search(&window, round);
				wait_for_vram_free(&card, WINDOW);
				signal_peer(handoff.to_victim);
			}
		}
		close_handoff(&handoff);
		igt_waitchildren();
		wait_for_vram_free(&card, WINDOW);
		/* Check the memory that the evicted client freed in both places. */
		igt_fork(child, 1)
			evict_and_search(&window, round);
		igt_waitchildren();
		wait_for_vram_free(&card, WINDOW);
	}
	close_window(&window);
}

#define CLIENTS	4
#define KEPT	3

/* Create and free buffers while other clients do, so that they evict each other. */
static void churn_client(const struct window *window, int number, int count)
{
	struct { uint32_t handle; uint64_t size, secret; } kept[KEPT] = { 0 };
	int fd = open_primary(&window->card);

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
		assert_clean(mem, slot->size, "while clients evict each other");
		put_secret(mem, slot->size, slot->secret);
		unmap(mem, slot->size);
	}
	close(fd);
}

static void churn(struct phyr_device card, int count)
{
	struct window window = open_window(card);

	igt_fork(child, CLIENTS)
		churn_client(&window, child, count);
	igt_waitchildren();
	wait_for_vram_free(&card, WINDOW);
	close_window(&window);
}

igt_main()
{
	igt_describe("1,000 times, a client checks the VRAM that the previous client filled");
	igt_subtest("clients")
		rounds(vram_device(0), repeats(1000));

	igt_describe("250 times, a client checks the VRAM that the previous client filled, on the small card with a display");
	igt_subtest("clients-small-card")
		rounds(small_vram_device(), repeats(250));

	igt_describe("All of VRAM is zeroed for the next client");
	igt_subtest("whole-card")
		whole_card(small_vram_device());

	igt_describe("A client checks the VRAM from which another client's buffers were evicted");
	igt_subtest("evicted")
		evicted(vram_device(0), repeats(500));

	igt_describe("A client checks the VRAM from which buffers were evicted, on the small card with a display");
	igt_subtest("evicted-small-card")
		evicted(small_vram_device(), repeats(250));

	igt_describe("Clients evict each other; new buffers are zeroed and old ones keep their bytes");
	igt_subtest("evict-each-other")
		churn(small_vram_device(), repeats(250));
}

// SPDX-License-Identifier: MIT
/* Fences of parts and wholes, and parts that move. */
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <xf86drm.h>

#include "suspend.h"
#include "traffic.h"
#include "whole.h"

#define PAGES		16
#define SIZE		(PAGES * SZ_4K)

static const struct piece pieces[] = {
	{ 0, 99, 3 * SZ_4K - 99 }, { 1, 4 * SZ_4K, 5 * SZ_4K },
	{ 0, 8 * SZ_4K, SZ_4K }, { 1, 0, SZ_4K }, { 0, 10 * SZ_4K, 100 },
};

/* Wait for a sync_file, close it and return its status. */
static int end_of(int fence)
{
	struct pollfd poll_fd = { .fd = fence, .events = POLLIN };
	int status;

	igt_assert_eq(poll_again(&poll_fd, PHYR_WAIT_SECONDS), 1);
	status = phyr_sync_file_status(fence);
	close(fence);
	return status;
}

/* A syncobj of @engine with the fence of a sync_file. */
static uint32_t syncobj_of(int engine, int fence)
{
	uint32_t syncobj;

	igt_assert_eq(phyr_syncobj_create(engine, &syncobj), 0);
	igt_assert_eq(drmSyncobjImportSyncFile(engine, syncobj, fence), 0);
	return syncobj;
}

/*
 * A copy of a client to or from a buffer of its own. Each client is a queue of
 * its own, so that only fences order them.
 */
struct order {
	int engine;
	uint32_t own;
	uint8_t *mem;
	int fence;
};

static struct order open_order(void)
{
	struct order order = { .engine = open_copy(0) };

	order.own = create_own(order.engine, SIZE);
	order.mem = map_own(order.engine, order.own, SIZE);
	return order;
}

static void close_order(const struct order *order)
{
	unmap(order->mem, SIZE);
	close(order->engine);
}

/* One that writes after @hung; and one that follows it, if fences order them. */
static void write_after(struct order *order, int hung, uint32_t to,
			uint64_t len, uint64_t seed)
{
	struct drm_phyr_copy_submit job = copy_job(order->own, to, len);

	phyr_fill(order->mem, seed, 0, len);
	job.in_syncobj = syncobj_of(order->engine, hung);
	order->fence = submit_for_fence(order->engine, job);
}

static void read_to_own(struct order *order, uint32_t from, uint64_t len)
{
	order->fence = submit_for_fence(order->engine,
					copy_job(from, order->own, len));
}

/* An engine that hangs for a while. Return: the fence of its copy. */
static int hang(const struct phyr_device *device, int engine)
{
	igt_assert_eq(phyr_hang(device, 1), 0);
	return submit_for_fence(engine, copy_job(create_own(engine, SZ_4K),
						 create_own(engine, SZ_4K),
						 SZ_4K));
}

/* A part is written, then the whole read; a whole written, then a part read. */
static void order_by_fences(void)
{
	struct order part_writer = open_order(), whole_reader = open_order();
	struct order whole_writer = open_order(), part_reader = open_order();
	struct phyr_device device = copy_device(1);
	int second = open_device(&device), hung;
	const struct source first[] = {
		open_source(whole_reader.engine, VRAM, SIZE),
		open_source(whole_reader.engine, RAM, SIZE),
	};
	const struct source then[] = {
		open_source(whole_writer.engine, RAM, SIZE),
		open_source(whole_writer.engine, VRAM, SIZE),
	};
	struct whole read = MAKE_WHOLE(whole_reader.engine, first, pieces);
	struct whole written = MAKE_WHOLE(whole_writer.engine, then, pieces);
	const struct source written_part =
		source_in(&first[1], part_writer.engine);
	const struct source read_part = source_in(&then[1], part_reader.engine);

	write_whole(&read, SEED);
	write_whole(&written, SEED);
	hung = hang(&device, second);
	write_after(&part_writer, hung, written_part.handle, SIZE, SEED + 1);
	write_after(&whole_writer, hung, written.handle, written.size, SEED + 2);
	read_to_own(&whole_reader, read.handle, read.size);
	read_to_own(&part_reader, read_part.handle, SIZE);
	igt_assert_eq(end_of(whole_reader.fence), 1);
	igt_assert_eq(end_of(part_reader.fence), 1);
	igt_assert_eq(end_of(part_writer.fence), 1);
	igt_assert_eq(end_of(whole_writer.fence), 1);
	igt_assert_eq(end_of(hung), -ETIMEDOUT);
	assert_bytes(whole_reader.mem, SEED, 0, pieces[0].len);
	assert_bytes(whole_reader.mem + pieces[0].len, SEED + 1,
		     pieces[1].offset, pieces[1].len);
	assert_bytes(part_reader.mem + pieces[1].offset, SEED + 2,
		     pieces[0].len, pieces[1].len);
	assert_whole(&written, SEED + 2);

	close_order(&part_writer);
	close_order(&whole_reader);
	close_order(&whole_writer);
	close_order(&part_reader);
	close(second);
	CLOSE_SOURCES(first);
	CLOSE_SOURCES(then);
}

void implicit_sync(void)
{
	bind_engines();
	order_by_fences();
}

/* What a reader, and with @write a writer, of the dma-buf waits for. */
static int status_of(int dmabuf, bool write)
{
	int fence = phyr_dmabuf_sync_file(dmabuf, write), status;

	igt_assert(fence >= 0);
	status = phyr_sync_file_status(fence);
	close(fence);
	return status;
}

#define NR_FILES	7

/* A copy that hangs reads one whole and writes another. */
void fences(void)
{
	/* The sources, then the wholes: what a reader and a writer find. */
	static const int signaled[NR_FILES][2] = {
		{ 1, 0 }, { 1, 0 }, { 0, 0 }, { 0, 0 }, { 1, 1 },
		{ 1, 0 }, { 0, 0 },
	};
	struct phyr_device device = copy_device(0);
	int engine = open_device(&device), fence, status[NR_FILES][2];
	bool pending = false;
	const struct source sources[] = {
		open_source(engine, VRAM, SIZE), open_source(engine, RAM, SIZE),
		open_source(engine, OTHER_CARD, SIZE),
		open_source(engine, VRAM, SIZE), open_source(engine, RAM, SIZE),
	};
	static const struct piece whole_pages[] = {
		{ 0, SZ_4K, 3 * SZ_4K }, { 1, 4 * SZ_4K, 5 * SZ_4K },
		{ 0, 8 * SZ_4K, SZ_4K },
	};
	struct whole read = make_whole(engine, sources, 2, whole_pages, 3);
	struct whole written = make_whole(engine, sources + 2, 2, whole_pages,
					  3);

	int files[NR_FILES];

	for (unsigned int i = 0; i < ARRAY_SIZE(sources); i++)
		files[i] = sources[i].dmabuf;
	files[5] = export_buffer(engine, read.handle);
	files[6] = export_buffer(engine, written.handle);
	write_whole(&read, SEED);
	write_whole(&written, SEED + 1);
	/* A machine that is busy may look after the engine was reset. */
	for (int tries = 0; tries < 10 && !pending; tries++) {
		igt_assert_eq(phyr_hang(&device, 1), 0);
		fence = submit_for_fence(engine, copy_job(read.handle,
							  written.handle,
							  read.size));
		for (unsigned int i = 0; i < NR_FILES; i++)
			for (int write = 0; write < 2; write++)
				status[i][write] = status_of(files[i], write);
		pending = phyr_sync_file_status(fence) == 0;
		igt_assert_eq(end_of(fence), -ETIMEDOUT);
	}
	igt_assert(pending);
	for (unsigned int i = 0; i < NR_FILES; i++)
		for (int write = 0; write < 2; write++)
			igt_assert_f(status[i][write] == signaled[i][write],
				     "file %u, for %s: status %d\n", i,
				     write ? "a writer" : "a reader",
				     status[i][write]);
	assert_whole(&read, SEED);
	assert_whole(&written, SEED + 1);
	verify_whole(&read);
	verify_whole(&written);
	close(files[5]);
	close(files[6]);
	close(engine);
	CLOSE_SOURCES(sources);
}

/* Each copy finds the parts where they are. */
void moved(void)
{
	struct phyr_device device = copy_device(0);
	int engine = open_device(&device);
	const struct source sources[] = {
		open_on_card(engine, 0, SIZE, EVICTABLE, SZ_4K),
		open_on_card(engine, 1, SIZE, EVICTABLE, SZ_4K),
		open_source(engine, USER, SIZE),
	};
	static const struct piece of_three[] = {
		{ 0, 99, 3 * SZ_4K - 99 }, { 1, 4 * SZ_4K, 5 * SZ_4K },
		{ 2, 8 * SZ_4K, SZ_4K }, { 1, 0, SZ_4K },
		{ 0, 10 * SZ_4K, 2 * SZ_4K }, { 2, 0, 100 },
	};
	struct whole whole = MAKE_WHOLE(engine, sources, of_three);

	write_whole(&whole, SEED);
	for (int round = 1; round <= 8; round++) {
		move_source(&sources[0], round & 1 ? IN_SYSTEM : IN_VRAM);
		assert_copy_of_whole(&whole, SEED + round - 1);
		assert_ranges(&whole, &device);
		move_source(&sources[1], round & 2 ? IN_SYSTEM : IN_VRAM);
		copy_to_whole(&whole, SEED + round);
		assert_ranges(&whole, &device);
		assert_whole(&whole, SEED + round);
	}
	close(engine);
	CLOSE_SOURCES(sources);
	wait_for_unpin();
}

/* VRAM is evicted, and lost without that; user memory stays. */
void suspended(void)
{
	struct phyr_device device = copy_device(0);
	int engine = open_device(&device);
	const struct source sources[] = {
		open_source(engine, VRAM, SIZE),
		open_source(engine, USER, SIZE),
	};
	struct whole whole = MAKE_WHOLE(engine, sources, pieces);

	verify_whole(&whole);
	for (int i = 0; i < 2; i++) {
		copy_to_whole(&whole, SEED + i);
		suspend();
		assert_copy_of_whole(&whole, SEED + i);
		assert_whole(&whole, SEED + i);
	}
	verify_whole(&whole);
	assert_ranges(&whole, &device);
	close(engine);
	CLOSE_SOURCES(sources);
}

/* Traffic needs four lanes of whole pages in a quarter of the whole. */
#define TRAFFIC_PAGES	64
#define MOVES		200

/* Pieces of four pages, of @nr sources by turns. */
static void alternate(struct piece *turns, unsigned int count, unsigned int nr)
{
	for (unsigned int i = 0; i < count; i++)
		turns[i] = (struct piece){
			.source = i % nr,
			.offset = (i / nr * 5 + 1) * SZ_4K,
			.len = 4 * SZ_4K,
		};
}

/* To the last quarter, which the traffic leaves alone: where is it now? */
static void copy_to_end(const struct whole *whole, uint32_t own, uint64_t seed)
{
	uint64_t len = whole->size / 4, at = whole->size - len;
	uint8_t *mem = map_own(whole->engine, own, len);

	phyr_fill(mem, seed, at, len);
	copy_part(whole->engine, own, 0, whole->handle, at, len);
	assert_part(whole, seed, at, len);
	unmap(mem, len);
}

/* Another client copies all the time; two parts move in turns. */
void moved_while_copying(void)
{
	struct phyr_device device = copy_device(0);
	int engine = open_device(&device), dmabuf, moves = repeats(MOVES);
	const struct source sources[] = {
		open_on_card(engine, 0, TRAFFIC_PAGES * SZ_4K, EVICTABLE, SZ_4K),
		open_on_card(engine, 1, TRAFFIC_PAGES * SZ_4K, EVICTABLE, 0),
		open_source(engine, RAM, TRAFFIC_PAGES * SZ_4K),
	};
	struct piece turns[TRAFFIC_PAGES / 4];
	uint32_t own = create_own(engine, TRAFFIC_PAGES * SZ_4K);
	struct traffic traffic;
	struct whole whole;

	alternate(turns, ARRAY_SIZE(turns), ARRAY_SIZE(sources));
	whole = MAKE_WHOLE(engine, sources, turns);
	write_whole(&whole, SEED);
	dmabuf = export_buffer(engine, whole.handle);
	traffic = traffic_start(&device, dmabuf, whole.size, SEED);
	for (int i = 0; i < moves; i++) {
		traffic_wait(&traffic, 1);
		move_source(&sources[i / 2 % 2], i % 2 ? IN_VRAM : IN_SYSTEM);
		if (i % 5 == 0) {
			assert_part(&whole, SEED, 0, whole.size / 2);
			copy_to_end(&whole, own, SEED + i);
		}
	}
	traffic_stop(&traffic);
	assert_part(&whole, SEED, 0, whole.size / 2);
	copy_to_whole(&whole, SEED + 1);
	assert_whole(&whole, SEED + 1);
	close(dmabuf);
	close(engine);
	CLOSE_SOURCES(sources);
}

/* The same in one client, since a whole with user memory is not exported. */
void moved_with_user_memory(void)
{
	int engine = open_copy(0), moves = repeats(MOVES);
	const struct source sources[] = {
		open_on_card(engine, 0, TRAFFIC_PAGES * SZ_4K, EVICTABLE, SZ_4K),
		open_source(engine, USER, TRAFFIC_PAGES * SZ_4K),
	};
	const uint64_t size = TRAFFIC_PAGES * SZ_4K;
	uint32_t in = create_own(engine, size), out = create_own(engine, size);
	uint8_t *from = map_own(engine, in, size), *to = map_own(engine, out,
								 size);
	struct piece turns[TRAFFIC_PAGES / 4];
	struct whole whole;
	int fence;

	alternate(turns, ARRAY_SIZE(turns), ARRAY_SIZE(sources));
	whole = MAKE_WHOLE(engine, sources, turns);
	write_whole(&whole, SEED);
	for (int i = 0; i < moves; i++) {
		phyr_fill(from, SEED + i, 0, size);
		submit_job(engine, copy_job(in, whole.handle, size));
		fence = submit_for_fence(engine, copy_job(whole.handle, out,
							  size));
		move_source(&sources[0], i % 2 ? IN_VRAM : IN_SYSTEM);
		igt_assert_eq(end_of(fence), 1);
		assert_bytes(to, SEED + i, 0, size);
		if (i % 20 == 0)
			assert_whole(&whole, SEED + i);
	}
	unmap(from, size);
	unmap(to, size);
	close(engine);
	CLOSE_SOURCES(sources);
	wait_for_unpin();
}

/*
 * Locks of parts in any order
 */

#define COPIES		200

static struct {
	struct source sources[4];
	atomic_uint ended;
} *shared;

/*
 * Sources 0 and 2 have the same bytes, and so have 1 and 3: any copy from one
 * whole to another leaves all bytes as they are.
 */
static const struct piece ab[] = {
	{ 0, 0, 3 * SZ_4K }, { 1, 0, 3 * SZ_4K },
};

static const struct piece ba[] = {
	{ 1, 0, 3 * SZ_4K }, { 0, 0, 3 * SZ_4K },
};

static const struct piece cd[] = {
	{ 2, 0, 3 * SZ_4K }, { 3, 0, 3 * SZ_4K },
};

static const struct piece dc[] = {
	{ 3, 0, 3 * SZ_4K }, { 2, 0, 3 * SZ_4K },
};

#define HALF		(3 * SZ_4K)

static void copy_in_order(int child)
{
	bool forward = child % 2;
	int engine = open_copy(0), copies = repeats(COPIES);
	uint32_t own = create_own(engine, 2 * HALF);
	uint8_t *mem = map_own(engine, own, 2 * HALF);
	struct source sources[4];
	struct whole from, to;

	for (int i = 0; i < 4; i++)
		sources[i] = source_in(&shared->sources[i], engine);
	from = forward ? MAKE_WHOLE(engine, sources, ab) :
			 MAKE_WHOLE(engine, sources, dc);
	to = forward ? MAKE_WHOLE(engine, sources, cd) :
		       MAKE_WHOLE(engine, sources, ba);
	for (int i = 0; i < copies; i++) {
		copy_bytes(engine, from.handle, to.handle, from.size);
		copy_bytes(engine, to.handle, own, to.size);
		assert_bytes(mem, SEED, forward ? 0 : HALF, HALF);
		assert_bytes(mem + HALF, SEED, forward ? HALF : 0, HALF);
	}
	close(engine);
	atomic_fetch_add(&shared->ended, 1);
}

static void move_until(unsigned int ended)
{
	for (int i = 0; atomic_load(&shared->ended) < ended; i++)
		igt_assert_eq(try_move_source(&shared->sources[i % 4],
					      i / 4 % 2 ? IN_VRAM : IN_SYSTEM),
			      0);
}

void two_orders(void)
{
	int engine = open_copy(0);

	shared = mmap(NULL, SZ_4K, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	igt_assert(shared != MAP_FAILED);
	for (int i = 0; i < 4; i++) {
		shared->sources[i] = open_on_card(engine, i == 3, SIZE,
						  EVICTABLE, SZ_4K);
		phyr_fill(shared->sources[i].mem, SEED, i % 2 * HALF, HALF);
	}
	igt_fork(child, 4) {
		if (child)
			copy_in_order(child);
		else
			move_until(3);
	}
	igt_waitchildren();
	for (int i = 0; i < 4; i++)
		assert_bytes(shared->sources[i].mem, SEED, i % 2 * HALF, HALF);
	close(engine);
	close_sources(shared->sources, 4);
	munmap(shared, SZ_4K);
}

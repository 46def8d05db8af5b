/* SPDX-License-Identifier: MIT */
/* The subtests of phyr_mixed, and what they compose. */
#ifndef PHYR_TESTS_WHOLE_H
#define PHYR_TESTS_WHOLE_H

#include <stdint.h>

#include "compose.h"
#include "lib.h"

/* Bytes of a source that are in no piece have this value. */
#define GUARD		0xa5
#define SEED		140

enum memory {
	VRAM, RAM, OTHER_CARD, CARVEOUT, CARVEOUT_PAGES, USER, NR_MEMORIES
};

/**
 * struct source - a buffer that parts are taken from
 * @memory: where it is, or where it was at first
 * @card: file of the card; -1 for a carve-out or user memory
 * @index: number of the card
 * @buffer: handle in @card
 * @dmabuf: the exported buffer, or -1 for user memory
 * @mem: its mapping
 * @size: bytes
 * @handle: handle in the engine
 */
struct source {
	enum memory memory;
	int card;
	int index;
	uint32_t buffer;
	int dmabuf;
	uint8_t *mem;
	uint64_t size;
	uint32_t handle;
};

bool has_memory(enum memory memory);
/* Wait for workers that free what earlier subtests have closed. */
void settle(void);
/* Likewise, until no more memory is pinned than after settle(). */
void wait_for_unpin(void);
/* Skip the subtest if the guest does not have @memory. */
void require_memory(enum memory memory);

struct source open_source(int engine, enum memory memory, uint64_t size);
/* A buffer of card @index. */
struct source open_on_card(int engine, int index, uint64_t size,
			   uint32_t placement, uint64_t max_extent);
/* User memory that starts @skip bytes into a page. */
struct source open_user(int engine, uint64_t skip, uint64_t size,
			uint32_t flags);
/* Keeps the engine's handle. */
void close_source(const struct source *source);
void close_sources(const struct source *sources, unsigned int nr);
#define CLOSE_SOURCES(sources)	close_sources(sources, ARRAY_SIZE(sources))
/* The source goes on in another file of the engine, or another engine. */
struct source source_in(const struct source *source, int engine);
void move_source(const struct source *source, uint32_t placement);
int try_move_source(const struct source *source, uint32_t placement);

/**
 * struct piece - a part of a whole
 * @source: number of the source
 * @offset: first byte of the source
 * @len: bytes
 */
struct piece {
	unsigned int source;
	uint64_t offset;
	uint64_t len;
};

/**
 * struct whole - a composed buffer
 * @engine: file of the engine
 * @handle: handle in @engine
 * @size: bytes
 * @sources: the sources
 * @nr_sources: number of @sources
 * @pieces: the parts
 * @nr: number of @pieces
 */
struct whole {
	int engine;
	uint32_t handle;
	uint64_t size;
	const struct source *sources;
	unsigned int nr_sources;
	const struct piece *pieces;
	unsigned int nr;
};

struct whole make_whole(int engine, const struct source *sources,
			unsigned int nr_sources, const struct piece *pieces,
			unsigned int nr);
/* The same of arrays. */
#define MAKE_WHOLE(engine, sources, pieces) \
	make_whole(engine, sources, ARRAY_SIZE(sources), pieces, \
		   ARRAY_SIZE(pieces))
void close_whole(const struct whole *whole);

/* By the CPU, through the sources' mappings: the pattern, and GUARD elsewhere. */
void write_whole(const struct whole *whole, uint64_t seed);
/* Likewise: the pattern in the pieces, and GUARD everywhere else. */
void assert_whole(const struct whole *whole, uint64_t seed);
/* Likewise: @len bytes at @offset, and nothing else. */
void assert_part(const struct whole *whole, uint64_t seed, uint64_t offset,
		 uint64_t len);
/* To @bytes: what source @number has after write_whole(). */
void fill_source(const struct whole *whole, unsigned int number, uint8_t *bytes,
		 uint64_t seed);
/* By DMA, from a buffer that the CPU has written, and back. */
void copy_to_whole(const struct whole *whole, uint64_t seed);
void assert_copy_of_whole(const struct whole *whole, uint64_t seed);
/* All of it in both directions, and across every seam or some of them. */
void verify_whole(const struct whole *whole);

/*
 * The DMA ranges of the whole: length, flags and mode, as its memories have it,
 * and the addresses that are known. It must be mapped.
 */
void assert_ranges(const struct whole *whole, const struct phyr_device *engine);

/* bytes.c */
void pair(enum memory first, enum memory second);
void all_memories(void);
void ranges(void);
void outside(void);
void part(void);
void same_part_twice(void);
void many_parts(void);
void fragmented(void);
void large(void);
void user_unaligned(void);
void between_wholes(void);
void out_of_reach(void);

/* refuse.c */
void bad_input(void);
void bad_borders(void);
void bad_pointers(void);
void read_only(void);
void not_shared(void);
void names(void);

/* share.c */
void exported(void);
void second_engine(void);
void closed_parts(void);
void stock_importers(void);
void stock_importers_fixed(void);
void camera(void);

/* move.c */
void implicit_sync(void);
void fences(void);
void moved(void);
void suspended(void);
void moved_while_copying(void);
void moved_with_user_memory(void);
void two_orders(void);

/* revoke.c */
void revoked(void);
void revoked_while_copying(void);
void revoked_stock(void);
void reset_while_copying(void);
void engine_unbound(void);

/* life.c */
void close_race(void);
void killed_with_jobs(void);
void killed_anywhere(void);
void accounting(void);

#endif

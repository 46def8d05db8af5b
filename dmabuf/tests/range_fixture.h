/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Fixture for the KUnit cases of range.c: a list built segment by segment, the
 * array of pieces that the segments stand for, and a walk that compares both
 */
#ifndef _PHYR_RANGE_FIXTURE_H
#define _PHYR_RANGE_FIXTURE_H

#include <kunit/test.h>

#include "../internal.h"

#define RANGE_TEST_MAX	4096

/**
 * struct range_test - a list under test and the pieces it must yield
 * @test: the case
 * @ranges: the list
 * @list: its phyr list, of range_test_vec() entries
 * @end: link to the next segment
 * @total: bytes of all segments
 * @nr: number of pieces
 * @piece: the entries of all segments, in order
 */
struct range_test {
	struct kunit *test;
	struct dma_range_list *ranges;
	struct phyr_list *list;
	struct dma_range_segment **end;
	u64 total;
	unsigned int nr;
	struct dma_range piece[RANGE_TEST_MAX];
};

struct range_test *range_test_start(struct kunit *test,
				    const struct phyr_limits *limits);
void range_test_end(struct range_test *t);
void range_test_piece(struct range_test *t, u64 addr, u64 len);
struct dma_range_segment *range_test_segment(struct range_test *t,
					     enum phyr_map_mode mode,
					     u64 len);
void range_test_add_iova(struct range_test *t, u64 addr, u64 len);
struct phys_vec range_test_vec(unsigned int i);
struct phyr_list *range_test_list(struct range_test *t,
				  unsigned int nr);
void range_test_add_offset(struct range_test *t, enum phyr_map_mode mode,
			   u64 offset, u64 len, u64 delta);
void range_test_add_extents(struct range_test *t,
			    const struct dma_range *range,
			    unsigned int nr, unsigned int per_chunk);
void range_test_add_sgt(struct range_test *t,
			const struct dma_range *range, unsigned int nr);
void range_test_walk(struct range_test *t, u64 offset, unsigned int max);
void range_test_walk_borders(struct range_test *t);

#endif

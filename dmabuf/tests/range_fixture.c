// SPDX-License-Identifier: GPL-2.0
/*
 * Fixture for the KUnit cases of range.c
 */
#include "fixture.h"
#include "redirect.h"
#include "range_fixture.h"

KUNIT_DEFINE_ACTION_WRAPPER(range_test_free, dma_range_list_free,
			    struct dma_range_list *);
KUNIT_DEFINE_ACTION_WRAPPER(range_test_free_table, mock_sg_free_table,
			    struct sg_table *);

struct range_test *range_test_start(struct kunit *test,
				    const struct phyr_limits *limits)
{
	struct range_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->test = test;
	t->ranges = dma_range_list_alloc(limits);
	KUNIT_ASSERT_NOT_NULL(test, t->ranges);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, range_test_free,
							t->ranges), 0);
	t->end = &t->ranges->segments;
	return t;
}

/* Free a list early, for cases that create many */
void range_test_end(struct range_test *t)
{
	kunit_release_action(t->test, range_test_free, t->ranges);
	kunit_kfree(t->test, t);
}

void range_test_piece(struct range_test *t, u64 addr, u64 len)
{
	KUNIT_ASSERT_LT(t->test, t->nr, RANGE_TEST_MAX);
	t->piece[t->nr].addr = addr;
	t->piece[t->nr].len = len;
	t->nr++;
}

struct dma_range_segment *range_test_segment(struct range_test *t,
					     enum phyr_map_mode mode,
					     u64 len)
{
	struct dma_range_segment *segment = &t->ranges->first;

	if (t->ranges->segments)
		segment = kzalloc_obj(*segment);
	KUNIT_ASSERT_NOT_NULL(t->test, segment);
	segment->mode = mode;
	segment->len = len;
	*t->end = segment;
	t->end = &segment->next;
	t->total += len;
	t->ranges->len = t->total;
	return segment;
}

void range_test_add_iova(struct range_test *t, u64 addr, u64 len)
{
	struct dma_range_segment *segment;

	segment = range_test_segment(t, PHYR_MAP_IOVA, len);
	segment->addr = addr;
	range_test_piece(t, addr, len);
}

/* Entry @i of the phyr list: 1, 2, 3, 1, … pages that do not merge */
struct phys_vec range_test_vec(unsigned int i)
{
	return (struct phys_vec) {
		.paddr = 0x100000 + i * 0x10000ULL,
		.len = (1 + i % 3) * PAGE_SIZE,
	};
}

struct phyr_list *range_test_list(struct range_test *t,
				  unsigned int nr)
{
	struct phyr_mem *mem = fixture_ram(t->test);
	struct phyr_list *list = fixture_list(t->test);
	struct phys_vec vec;
	unsigned int i;
	u64 size = 0;

	for (i = 0; i < nr; i++) {
		vec = range_test_vec(i);
		size += vec.len;
		KUNIT_ASSERT_EQ(t->test, phyr_list_append(list, mem, vec.paddr,
							  vec.len), 0);
	}
	KUNIT_ASSERT_EQ(t->test, phyr_list_finish(list, size, "kunit"), 0);
	t->list = list;
	t->ranges->list = phyr_list_get(list);
	return list;
}

/* Add @len bytes of the list from @offset; @delta as in struct phyr_route */
void range_test_add_offset(struct range_test *t, enum phyr_map_mode mode,
			   u64 offset, u64 len, u64 delta)
{
	const struct phyr_chunk *chunk = phyr_list_first(t->list);
	struct dma_range_segment *segment;
	u64 skip = offset, cut;
	struct phys_vec vec;
	unsigned int i;

	for (; skip >= chunk->len; chunk = chunk->next)
		skip -= chunk->len;
	segment = range_test_segment(t, mode, len);
	segment->chunk = chunk;
	segment->chunk_skip = skip;
	segment->start = offset;
	segment->delta = delta;

	for (i = 0; len; i++) {
		vec = range_test_vec(i);
		cut = min(offset, vec.len);
		offset -= cut;
		vec.paddr += cut;
		vec.len = min(vec.len - cut, len);
		len -= vec.len;
		if (vec.len)
			range_test_piece(t, vec.paddr + delta, vec.len);
	}
}

/* Add @nr stored ranges, @per_chunk in each chunk. */
void range_test_add_extents(struct range_test *t,
			    const struct dma_range *range,
			    unsigned int nr, unsigned int per_chunk)
{
	struct dma_range_segment *segment;
	struct dma_range_chunk **end, *chunk = NULL;
	unsigned int i;

	segment = range_test_segment(t, PHYR_MAP_EXTENT, 0);
	end = &segment->chunks;
	for (i = 0; i < nr; i++) {
		if (i % per_chunk == 0) {
			chunk = kzalloc(struct_size(chunk, ranges, per_chunk),
					GFP_KERNEL);
			KUNIT_ASSERT_NOT_NULL(t->test, chunk);
			*end = chunk;
			end = &chunk->next;
		}
		chunk->ranges[chunk->nr].addr = range[i].addr;
		chunk->ranges[chunk->nr++].len = range[i].len;
		segment->len += range[i].len;
		range_test_piece(t, range[i].addr, range[i].len);
	}
	t->total += segment->len;
	t->ranges->len = t->total;
}

/* Add a table with @nr entries; those of 0 bytes are no DMA segments. */
void range_test_add_sgt(struct range_test *t,
			const struct dma_range *range, unsigned int nr)
{
	struct dma_range_segment *segment;
	struct scatterlist *sg;
	struct sg_table *sgt;
	unsigned int i;
	u64 len = 0;

	sgt = kunit_kzalloc(t->test, sizeof(*sgt), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(t->test, sgt);
	KUNIT_ASSERT_EQ(t->test, sg_alloc_table(sgt, nr, GFP_KERNEL), 0);
	KUNIT_ASSERT_EQ(t->test,
			kunit_add_action_or_reset(t->test,
						  range_test_free_table, sgt),
			0);
	for_each_sgtable_dma_sg(sgt, sg, i) {
		sg_dma_address(sg) = range[i].addr;
		sg_dma_len(sg) = range[i].len;
		len += range[i].len;
		if (range[i].len)
			range_test_piece(t, range[i].addr, range[i].len);
	}
	segment = range_test_segment(t, PHYR_MAP_SGT, len);
	segment->sgt = sgt;
}

/*
 * The model
 */

/**
 * struct range_model_cursor - a position among the pieces
 * @i: index of the piece
 * @skip: bytes of the piece to skip
 * @left: bytes left
 */
struct range_model_cursor {
	unsigned int i;
	u64 skip;
	u64 left;
};

/* Compute the next expected range. Returns false at the end. */
static bool range_model_next(const struct range_test *t,
			     struct range_model_cursor *at,
			     struct dma_range *want)
{
	const struct phyr_limits *limits = &t->ranges->limits;
	u64 border;

	if (!at->left)
		return false;
	while (at->skip >= t->piece[at->i].len)
		at->skip -= t->piece[at->i++].len;

	want->addr = t->piece[at->i].addr + at->skip;
	want->len = min(t->piece[at->i].len - at->skip, at->left);
	if (limits->max_len && want->len > limits->max_len)
		want->len = limits->max_len;
	if (limits->boundary) {
		/* Wraps to 0 for 2^64 */
		border = (want->addr / limits->boundary + 1) *
			 limits->boundary;
		want->len = min(want->len, border - want->addr);
	}
	at->skip += want->len;
	at->left -= want->len;
	return true;
}

/* Walk from @offset in arrays of @max and compare with the model. */
void range_test_walk(struct range_test *t, u64 offset, unsigned int max)
{
	struct range_model_cursor at = { .skip = t->ranges->skip + offset };
	struct dma_range got[24], want;
	struct dma_range_cursor cursor;
	struct kunit *test = t->test;
	unsigned int n, i;
	u64 count = 0;

	KUNIT_ASSERT_LE(test, max, ARRAY_SIZE(got));
	if (offset < t->ranges->len)
		at.left = t->ranges->len - offset;

	dma_range_cursor_init(&cursor, t->ranges, offset);
	while ((n = dma_range_next(&cursor, got, max))) {
		KUNIT_ASSERT_LE(test, n, max);
		for (i = 0; i < n; i++) {
			KUNIT_ASSERT_TRUE(test, range_model_next(t, &at, &want));
			KUNIT_ASSERT_EQ_MSG(test, got[i].addr, want.addr,
					    "offset %#llx, %#llx bytes before the end",
					    offset, at.left);
			KUNIT_ASSERT_EQ_MSG(test, got[i].len, want.len,
					    "offset %#llx, %#llx bytes before the end",
					    offset, at.left);
		}
		count += n;
		/* Only the last call may return fewer than @max. */
		if (n < max)
			KUNIT_EXPECT_EQ(test, at.left, 0);
	}
	KUNIT_EXPECT_EQ(test, at.left, 0);
	KUNIT_EXPECT_EQ(test, dma_range_next(&cursor, got, max), 0);
	if (!offset)
		KUNIT_EXPECT_EQ(test, dma_range_list_count(t->ranges), count);
}

/* Walk from the first and last bytes of every piece. */
void range_test_walk_borders(struct range_test *t)
{
	u64 start = 0, at;
	unsigned int i;
	int by;

	for (i = 0; i <= t->nr; i++) {
		for (by = -2; by <= 2; by++) {
			at = start + by - t->ranges->skip;
			if (start + by >= t->ranges->skip)
				range_test_walk(t, at, 1 + (i + by + 2) % 5);
		}
		if (i < t->nr)
			start += t->piece[i].len;
	}
	for (at = 0; at < t->ranges->len; at += t->ranges->len / 97 + 1)
		range_test_walk(t, at, 7);
}

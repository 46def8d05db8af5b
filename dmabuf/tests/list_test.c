// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: list.c
 */
#include "fixture.h"
#include "redirect.h"
#include "../list.c"
#include "list_test.h"

void list_test_append(struct kunit *test, struct phyr_list *list,
		      struct phyr_mem *mem, u64 paddr, u64 len)
{
	KUNIT_ASSERT_EQ(test, phyr_list_append(list, mem, paddr, len), 0);
}

/* Append @nr single pages that do not merge. */
static void list_test_fill(struct kunit *test, struct phyr_list *list,
			   struct phyr_mem *mem, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		list_test_append(test, list, mem,
				 mem->start + i * LIST_TEST_STRIDE, PAGE_SIZE);
}

static void list_test_expect(struct kunit *test, const struct phyr_list *list,
			     const struct phys_vec *want, unsigned int nr)
{
	const struct phyr_chunk *chunk = &list->head;
	unsigned int i, index = 0;

	KUNIT_ASSERT_EQ(test, phyr_list_count(list), nr);
	for (i = 0; i < nr; i++) {
		if (index == chunk->nr) {
			chunk = chunk->next;
			index = 0;
		}
		KUNIT_ASSERT_NOT_NULL(test, chunk);
		KUNIT_EXPECT_EQ(test, chunk->vecs[index].paddr, want[i].paddr);
		KUNIT_EXPECT_EQ(test, chunk->vecs[index].len, want[i].len);
		index++;
	}
	KUNIT_EXPECT_EQ(test, index, chunk->nr);
	KUNIT_EXPECT_NULL(test, chunk->next);
}

static unsigned int list_test_chunks(const struct phyr_list *list)
{
	const struct phyr_chunk *chunk;
	unsigned int nr = 0;

	for (chunk = &list->head; chunk; chunk = chunk->next)
		nr++;
	return nr;
}

static unsigned int list_test_refs(struct phyr_mem *mem)
{
	return kref_read(&mem->ref);
}

bool list_test_is_finished(const struct phyr_list *list)
{
	return list->finished;
}

const struct phyr_index *list_test_index(const struct phyr_list *list)
{
	return list->index;
}

static int list_test_init(struct kunit *test)
{
	list_test_check_overlap(true);
	return mock_init(test);
}

static void list_test_exit(struct kunit *test)
{
	list_test_check_overlap(IS_ENABLED(CONFIG_DMABUF_DEBUG));
}

/*
 * Append
 */

static void create_is_empty(struct kunit *test)
{
	struct phyr_list *list = fixture_list(test);

	KUNIT_EXPECT_EQ(test, phyr_list_count(list), 0);
	KUNIT_EXPECT_EQ(test, phyr_list_size(list), 0);
	KUNIT_EXPECT_PTR_EQ(test, phyr_list_first(list), &list->head);
	KUNIT_EXPECT_EQ(test, kref_read(&list->ref), 1);
}

static void create_no_memory(struct kunit *test)
{
	mock_fail(MOCK_ALLOC, 1, -ENOMEM);
	KUNIT_EXPECT_EQ(test, PTR_ERR(phyr_list_create()), -ENOMEM);
}

static void append_one(struct kunit *test)
{
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list = fixture_list(test);
	const struct phys_vec want = { 0x5000, 0x3000 };

	list_test_append(test, list, mem, 0x5000, 0x3000);
	list_test_expect(test, list, &want, 1);
	KUNIT_EXPECT_PTR_EQ(test, list->head.mem, mem);
	KUNIT_EXPECT_EQ(test, list->head.len, 0x3000);
}

static void append_merges_neighbour(struct kunit *test)
{
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list = fixture_list(test);
	const struct phys_vec want = { 0x5000, 0x4000 };

	list_test_append(test, list, mem, 0x5000, 0x3000);
	list_test_append(test, list, mem, 0x8000, 0x1000);
	list_test_expect(test, list, &want, 1);
	KUNIT_EXPECT_EQ(test, list->head.len, 0x4000);
}

static void append_merges_any_number(struct kunit *test)
{
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list = fixture_list(test);
	const struct phys_vec want = { 0, 10000 * PAGE_SIZE };
	unsigned int i, allocated = mock_allocated();

	for (i = 0; i < 10000; i++)
		list_test_append(test, list, mem, i * PAGE_SIZE, PAGE_SIZE);
	list_test_expect(test, list, &want, 1);
	KUNIT_EXPECT_EQ(test, mock_allocated(), allocated);
}

static void append_merges_beyond_4g(struct kunit *test)
{
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list = fixture_list(test);
	const struct phys_vec want = { 0x1000, 0x180000000 };

	list_test_append(test, list, mem, 0x1000, 0xc0000000);
	list_test_append(test, list, mem, 0xc0001000, 0xc0000000);
	list_test_expect(test, list, &want, 1);
}

static void append_merges_into_full_chunk(struct kunit *test)
{
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list = fixture_list(test);
	unsigned int allocated = mock_allocated();

	list_test_fill(test, list, mem, PHYR_LIST_INLINE);
	list_test_append(test, list, mem,
			 (PHYR_LIST_INLINE - 1) * LIST_TEST_STRIDE + PAGE_SIZE,
			 PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, phyr_list_count(list), PHYR_LIST_INLINE);
	KUNIT_EXPECT_EQ(test, list->head.vecs[PHYR_LIST_INLINE - 1].len,
			2 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, mock_allocated(), allocated);
}

/* Merging looks at the last entry of the tail chunk only. */
static void append_merges_in_second_chunk(struct kunit *test)
{
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list = fixture_list(test);
	u64 last = PHYR_LIST_INLINE * LIST_TEST_STRIDE;

	list_test_fill(test, list, mem, PHYR_LIST_INLINE + 1);
	list_test_append(test, list, mem, last + PAGE_SIZE, 5 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, phyr_list_count(list), PHYR_LIST_INLINE + 1);
	KUNIT_EXPECT_EQ(test, list->tail->vecs[0].len, 6 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, list->tail->len, 6 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, list->head.len, PHYR_LIST_INLINE * PAGE_SIZE);
}

/**
 * struct list_pair - two entries of one memory that must not merge
 * @name: the reason
 * @vec: the entries
 */
struct list_pair {
	const char *name;
	struct phys_vec vec[2];
};

static const struct list_pair list_pairs[] = {
	{ "gap of a page", { { 0x5000, 0x1000 }, { 0x7000, 0x1000 } } },
	{ "overlap of a page", { { 0x5000, 0x2000 }, { 0x6000, 0x1000 } } },
	{ "the same page again", { { 0x5000, 0x1000 }, { 0x5000, 0x1000 } } },
	{ "neighbour below", { { 0x5000, 0x1000 }, { 0x4000, 0x1000 } } },
	{ "seam inside a page", { { 0x5000, 0x800 }, { 0x5800, 0x800 } } },
	{ "first is empty", { { 0x5000, 0 }, { 0x5000, 0x1000 } } },
	{ "second is empty", { { 0x5000, 0x1000 }, { 0x6000, 0 } } },
	{ "sum of lengths overflows",
	  { { 0x1000, BIT_ULL(63) }, { BIT_ULL(63) + 0x1000, BIT_ULL(63) } } },
	{ "first ends at 2^64", { { -0x1000ULL, 0x1000 }, { 0, 0x1000 } } },
};

KUNIT_ARRAY_PARAM_DESC(list_pair, list_pairs, name);

static void append_keeps_apart(struct kunit *test)
{
	const struct list_pair *pair = test->param_value;
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list = fixture_list(test);

	list_test_append(test, list, mem, pair->vec[0].paddr, pair->vec[0].len);
	list_test_append(test, list, mem, pair->vec[1].paddr, pair->vec[1].len);
	list_test_expect(test, list, pair->vec, 2);
}

static void append_keeps_memories_apart(struct kunit *test)
{
	struct phyr_mem *low = fixture_carveout(test, 0x5000, 0x1000);
	struct phyr_mem *high = fixture_carveout(test, 0x6000, 0x1000);
	struct phyr_list *list = fixture_list(test);
	const struct phys_vec want[] = { { 0x5000, 0x1000 },
					 { 0x6000, 0x1000 } };

	list_test_append(test, list, low, 0x5000, 0x1000);
	list_test_append(test, list, high, 0x6000, 0x1000);
	list_test_expect(test, list, want, 2);
	KUNIT_EXPECT_PTR_EQ(test, list->head.mem, low);
	KUNIT_ASSERT_NOT_NULL(test, list->head.next);
	KUNIT_EXPECT_PTR_EQ(test, list->head.next->mem, high);
	KUNIT_EXPECT_EQ(test, phyr_list_check(list, 0x2000), 0);
}

static void append_mixes_kinds(struct kunit *test)
{
	struct phyr_mem *mem[] = {
		fixture_ram(test),
		fixture_p2p(test, LIST_TEST_BAR, LIST_TEST_BAR_LEN),
		fixture_carveout(test, LIST_TEST_CARVE, LIST_TEST_CARVE_LEN),
	};
	struct phyr_list *list = fixture_list(test);
	const struct phyr_chunk *chunk;
	unsigned int i, of;

	/* Two entries in each memory in turn */
	for (i = 0; i < 18; i++) {
		of = i / 2 % 3;
		list_test_append(test, list, mem[of],
				 mem[of]->start + i * LIST_TEST_STRIDE,
				 PAGE_SIZE);
	}
	KUNIT_EXPECT_EQ(test, phyr_list_finish(list, 18 * PAGE_SIZE, "kunit"),
			0);
	KUNIT_EXPECT_EQ(test, phyr_list_count(list), 18);

	for (chunk = &list->head, i = 0; chunk; chunk = chunk->next, i++) {
		KUNIT_EXPECT_PTR_EQ(test, chunk->mem, mem[i % 3]);
		KUNIT_EXPECT_EQ(test, chunk->nr, 2);
		KUNIT_EXPECT_EQ(test, chunk->len, 2 * PAGE_SIZE);
	}
	KUNIT_EXPECT_EQ(test, i, 9);
}

/* A chunk is large only if the entries before it fill others of its memory. */
static void append_alternates_memories(struct kunit *test)
{
	struct phyr_mem *mem[] = {
		fixture_ram(test),
		fixture_p2p(test, LIST_TEST_BAR, LIST_TEST_BAR_LEN),
	};
	struct phyr_list *list = fixture_list(test);
	unsigned int i;

	mock_forget();
	for (i = 0; i < 512; i++)
		list_test_append(test, list, mem[i % 2],
				 mem[i % 2]->start + i * LIST_TEST_STRIDE,
				 PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_ALLOC), 511);
	for (i = 1; i <= 511; i++)
		KUNIT_ASSERT_LE(test, mock_nth(MOCK_ALLOC, i)->len, 64);

	/* From there on, chunks of one memory grow as in any other list. */
	mock_forget();
	for (i = 512; i < 1024; i++)
		list_test_append(test, list, mem[1],
				 mem[1]->start + i * LIST_TEST_STRIDE,
				 PAGE_SIZE);
	KUNIT_EXPECT_LE(test, mock_count(MOCK_ALLOC), 9);
	KUNIT_EXPECT_EQ(test, phyr_list_finish(list, 1024 * PAGE_SIZE, "kunit"),
			0);
}

/*
 * 4 inline entries, then chunks of 256, 512, … bytes with a header of 32: room
 * for 14, 30, 62, 126 and from there on 254 entries.
 */
static const struct list_border {
	const char *name;
	unsigned int nr;
	unsigned int chunks;
} list_borders[] = {
	{ "1 entry", 1, 1 },
	{ "inline minus 1", 3, 1 },
	{ "inline", 4, 1 },
	{ "inline plus 1", 5, 2 },
	{ "second chunk minus 1", 17, 2 },
	{ "second chunk", 18, 2 },
	{ "second chunk plus 1", 19, 3 },
	{ "third chunk", 48, 3 },
	{ "third chunk plus 1", 49, 4 },
	{ "fourth chunk", 110, 4 },
	{ "fourth chunk plus 1", 111, 5 },
	{ "fifth chunk", 236, 5 },
	{ "fifth chunk plus 1", 237, 6 },
	{ "first page minus 1", 489, 6 },
	{ "first page", 490, 6 },
	{ "first page plus 1", 491, 7 },
	{ "second page minus 1", 743, 7 },
	{ "second page", 744, 7 },
	{ "second page plus 1", 745, 8 },
	{ "tenth page", 490 + 9 * 254, 15 },
	{ "tenth page plus 1", 491 + 9 * 254, 16 },
};

KUNIT_ARRAY_PARAM_DESC(list_border, list_borders, name);

static void append_at_chunk_border(struct kunit *test)
{
	const struct list_border *border = test->param_value;
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list = fixture_list(test);
	struct phyr_chunk *chunk;
	unsigned int i, nr = 0;

	list_test_fill(test, list, mem, border->nr);
	KUNIT_EXPECT_EQ(test, phyr_list_count(list), border->nr);
	KUNIT_EXPECT_EQ(test, list_test_chunks(list), border->chunks);

	for (chunk = &list->head; chunk; chunk = chunk->next) {
		KUNIT_EXPECT_LE(test, struct_size(chunk, vecs, chunk->max),
				PAGE_SIZE);
		KUNIT_EXPECT_EQ(test, chunk->len, chunk->nr * PAGE_SIZE);
		KUNIT_EXPECT_PTR_EQ(test, chunk->mem, mem);
		if (chunk->next)
			KUNIT_EXPECT_EQ(test, chunk->nr, chunk->max);
		for (i = 0; i < chunk->nr; i++, nr++)
			KUNIT_EXPECT_EQ(test, chunk->vecs[i].paddr,
					nr * LIST_TEST_STRIDE);
	}
	KUNIT_EXPECT_EQ(test, nr, border->nr);
	KUNIT_EXPECT_EQ(test, phyr_list_check(list, nr * PAGE_SIZE), 0);
}

static void append_allocates_a_page_at_most(struct kunit *test)
{
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list;
	unsigned int i;

	mock_forget();
	list = fixture_list(test);
	list_test_fill(test, list, mem, 5000);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_ALLOC), list_test_chunks(list));
	for (i = 1; i <= mock_count(MOCK_ALLOC); i++)
		KUNIT_EXPECT_LE(test, mock_nth(MOCK_ALLOC, i)->len, PAGE_SIZE);
	KUNIT_EXPECT_LE(test, offsetof(struct phyr_chunk, vecs), 64);
}

static void append_no_memory(struct kunit *test)
{
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list = fixture_list(test);
	u64 next = PHYR_LIST_INLINE * LIST_TEST_STRIDE;

	list_test_fill(test, list, mem, PHYR_LIST_INLINE);
	mock_fail(MOCK_ALLOC, 1, -ENOMEM);
	KUNIT_EXPECT_EQ(test, phyr_list_append(list, mem, next, PAGE_SIZE),
			-ENOMEM);
	KUNIT_EXPECT_EQ(test, phyr_list_count(list), PHYR_LIST_INLINE);
	KUNIT_EXPECT_EQ(test, list_test_refs(mem), 2);
	KUNIT_EXPECT_EQ(test, phyr_list_check(list,
					      PHYR_LIST_INLINE * PAGE_SIZE),
			0);

	list_test_append(test, list, mem, next, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, phyr_list_count(list), PHYR_LIST_INLINE + 1);
	KUNIT_EXPECT_EQ(test, list_test_refs(mem), 3);
}

static void append_to_finished(struct kunit *test)
{
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list = fixture_list(test);
	const struct phys_vec want = { 0x1000, 0x1000 };

	list_test_append(test, list, mem, 0x1000, 0x1000);
	KUNIT_ASSERT_EQ(test, phyr_list_finish(list, 0x1000, "kunit"), 0);

	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test,
				phyr_list_append(list, mem, 0x2000, 0x1000),
				-EINVAL);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	list_test_expect(test, list, &want, 1);
}

/*
 * References
 */

static void list_put_last_reference(struct kunit *test)
{
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list;
	unsigned int allocated = mock_allocated();

	list = phyr_list_create();
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	list_test_fill(test, list, mem, 100);
	KUNIT_EXPECT_EQ(test, list_test_refs(mem), 1 + list_test_chunks(list));

	KUNIT_EXPECT_PTR_EQ(test, phyr_list_get(list), list);
	phyr_list_put(list);
	KUNIT_EXPECT_EQ(test, phyr_list_count(list), 100);
	phyr_list_put(list);
	KUNIT_EXPECT_EQ(test, list_test_refs(mem), 1);
	KUNIT_EXPECT_EQ(test, mock_allocated(), allocated);
}

static void list_put_empty(struct kunit *test)
{
	unsigned int allocated = mock_allocated();
	struct phyr_list *list = phyr_list_create();

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	phyr_list_put(list);
	phyr_list_put(NULL);
	KUNIT_EXPECT_EQ(test, mock_allocated(), allocated);
}

/* A mapping holds its list after the exporter dropped its reference. */
static void list_outlives_its_memory_creator(struct kunit *test)
{
	struct phyr_list *list = fixture_list(test);
	struct phyr_mem *mem = phyr_mem_create_carveout(0x10000, 0x10000,
						    PHYR_MEM_UC);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mem);
	list_test_append(test, list, mem, 0x10000, 0x1000);
	list_test_append(test, list, mem, 0x14000, 0x1000);
	phyr_mem_put(mem);
	KUNIT_EXPECT_EQ(test, phyr_list_finish(list, 0x2000, "kunit"), 0);
	KUNIT_EXPECT_EQ(test, list_test_refs(list->head.mem), 1);
}

static void is_pageless_by_kind(struct kunit *test)
{
	struct phyr_mem *ram = fixture_ram(test);
	struct phyr_mem *other[] = {
		fixture_p2p(test, LIST_TEST_BAR, LIST_TEST_BAR_LEN),
		fixture_carveout(test, LIST_TEST_CARVE, LIST_TEST_CARVE_LEN),
	};
	struct phyr_list *list;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(other); i++) {
		list = fixture_list(test);
		list_test_append(test, list, other[i], other[i]->start,
				 PAGE_SIZE);
		KUNIT_EXPECT_TRUE(test, phyr_list_is_pageless(list));

		list = fixture_list(test);
		list_test_fill(test, list, ram, 600);
		KUNIT_EXPECT_FALSE(test, phyr_list_is_pageless(list));
		list_test_append(test, list, other[i], other[i]->start,
				 PAGE_SIZE);
		KUNIT_EXPECT_TRUE(test, phyr_list_is_pageless(list));
	}
}

/*
 * Cursor
 */

static void seek_each_offset_class(struct kunit *test)
{
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list = fixture_list(test);
	const struct phyr_chunk *chunk;
	unsigned int i, in, index;
	u64 offset;

	/* Across inline, growing and page-size chunks */
	list_test_fill(test, list, mem, 1100);
	for (i = 0; i < 1100; i++) {
		static const unsigned int offsets[] = { 0, 1, 0xfff };

		for (in = 0; in < ARRAY_SIZE(offsets); in++) {
			offset = i * PAGE_SIZE + offsets[in];
			chunk = phyr_chunk_seek(&list->head, &offset, &index);
			KUNIT_ASSERT_NOT_NULL(test, chunk);
			KUNIT_ASSERT_LT(test, index, chunk->nr);
			KUNIT_EXPECT_EQ(test, chunk->vecs[index].paddr,
					i * LIST_TEST_STRIDE);
			KUNIT_EXPECT_EQ(test, offset, offsets[in]);
		}
	}
}

static void seek_at_and_behind_end(struct kunit *test)
{
	static const u64 behind[] = { 0, 1, PAGE_SIZE, U64_MAX - 0x100000 };
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list = fixture_list(test);
	unsigned int i, index;
	u64 offset;

	list_test_fill(test, list, mem, 20);
	for (i = 0; i < ARRAY_SIZE(behind); i++) {
		offset = 20 * PAGE_SIZE + behind[i];
		KUNIT_EXPECT_NULL(test, phyr_chunk_seek(&list->head, &offset,
							&index));
		KUNIT_EXPECT_EQ(test, offset, behind[i]);
	}
}

static void seek_from_later_chunk(struct kunit *test)
{
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list = fixture_list(test);
	const struct phyr_chunk *chunk;
	u64 offset = 15 * PAGE_SIZE + 5;
	unsigned int index;

	list_test_fill(test, list, mem, 40);
	chunk = phyr_chunk_seek(list->head.next, &offset, &index);
	KUNIT_ASSERT_NOT_NULL(test, chunk);
	KUNIT_EXPECT_EQ(test, chunk->vecs[index].paddr,
			(PHYR_LIST_INLINE + 15) * LIST_TEST_STRIDE);
	KUNIT_EXPECT_EQ(test, offset, 5);
}

static void list_test_walk(struct kunit *test, struct phyr_list *list,
			   u64 offset, u64 len)
{
	struct phyr_cursor cursor;
	struct phys_vec vec;
	struct phyr_mem *mem = NULL;
	u64 page;

	phyr_cursor_init(&cursor, list, offset, len);
	while (len) {
		page = offset / PAGE_SIZE;
		KUNIT_ASSERT_TRUE(test, phyr_next(&cursor, &vec, &mem));
		KUNIT_EXPECT_EQ(test, vec.paddr, page * LIST_TEST_STRIDE +
						 offset % PAGE_SIZE);
		KUNIT_ASSERT_EQ(test, vec.len,
				min(PAGE_SIZE - offset % PAGE_SIZE, len));
		KUNIT_EXPECT_PTR_EQ(test, mem, list->head.mem);
		offset += vec.len;
		len -= vec.len;
	}
	KUNIT_EXPECT_FALSE(test, phyr_next(&cursor, &vec, NULL));
	KUNIT_EXPECT_FALSE(test, phyr_next(&cursor, &vec, NULL));
}

static void cursor_at_chunk_border(struct kunit *test)
{
	const struct list_border *border = test->param_value;
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list = fixture_list(test);
	u64 size = border->nr * PAGE_SIZE, from;

	list_test_fill(test, list, mem, border->nr);
	KUNIT_ASSERT_EQ(test, phyr_list_finish(list, size, "kunit"), 0);

	list_test_walk(test, list, 0, size);
	list_test_walk(test, list, 0, 1);
	list_test_walk(test, list, 1, size - 2);
	list_test_walk(test, list, size - 1, 1);
	list_test_walk(test, list, size - PAGE_SIZE, PAGE_SIZE);
	for (from = size > 0x5000 ? size - 0x5000 : 0; from < size;
	     from += 0x7ff)
		list_test_walk(test, list, from, size - from);
}

static void cursor_of_no_bytes(struct kunit *test)
{
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list = fixture_list(test);

	list_test_fill(test, list, mem, PHYR_LIST_INLINE + 1);
	list_test_walk(test, list, 0, 0);
	list_test_walk(test, list, 0x1234, 0);
	list_test_walk(test, list, (PHYR_LIST_INLINE + 1) * PAGE_SIZE, 0);
}

static void cursor_without_mem(struct kunit *test)
{
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list = fixture_list(test);
	struct phyr_cursor cursor;
	struct phys_vec vec;

	list_test_append(test, list, mem, 0x7000, 0x2000);
	phyr_cursor_init(&cursor, list, 0x1000, 0x1000);
	KUNIT_ASSERT_TRUE(test, phyr_next(&cursor, &vec, NULL));
	KUNIT_EXPECT_EQ(test, vec.paddr, 0x8000);
	KUNIT_EXPECT_EQ(test, vec.len, 0x1000);
	KUNIT_EXPECT_FALSE(test, phyr_next(&cursor, &vec, NULL));
}

/* A walk that is longer than the list stops at its end. */
static void cursor_stops_at_list_end(struct kunit *test)
{
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list = fixture_list(test);
	struct phyr_cursor cursor;
	struct phys_vec vec;
	u64 bytes = 0;

	list_test_fill(test, list, mem, 18);
	phyr_cursor_init(&cursor, list, 0, U64_MAX);
	while (phyr_next(&cursor, &vec, NULL))
		bytes += vec.len;
	KUNIT_EXPECT_EQ(test, bytes, 18 * PAGE_SIZE);
}

static void cursor_beyond_4g(struct kunit *test)
{
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list = fixture_list(test);
	struct phyr_cursor cursor;
	struct phys_vec vec;

	list_test_append(test, list, mem, 0x1000, 0x200000000);
	list_test_append(test, list, mem, 0x800000000, 0x200000000);
	phyr_cursor_init(&cursor, list, 0x123456789, 0x200000000);
	KUNIT_ASSERT_TRUE(test, phyr_next(&cursor, &vec, NULL));
	KUNIT_EXPECT_EQ(test, vec.paddr, 0x123457789);
	KUNIT_EXPECT_EQ(test, vec.len, 0x200000000 - 0x123456789);
	KUNIT_ASSERT_TRUE(test, phyr_next(&cursor, &vec, NULL));
	KUNIT_EXPECT_EQ(test, vec.paddr, 0x800000000);
	KUNIT_EXPECT_EQ(test, vec.len, 0x123456789);
	KUNIT_EXPECT_FALSE(test, phyr_next(&cursor, &vec, NULL));
}

/**
 * struct list_model - reference model of a list
 * @nr: entries after merging
 * @size: bytes
 * @vec: the entries, each with its memory
 */
struct list_model {
	unsigned int nr;
	u64 size;
	struct {
		struct phyr_mem *mem;
		u64 paddr;
		u64 len;
	} vec[LIST_TEST_MODEL_MAX];
};

static void list_model_append(struct list_model *model, struct phyr_mem *mem,
			      u64 paddr, u64 len)
{
	model->size += len;
	if (model->nr && model->vec[model->nr - 1].mem == mem &&
	    model->vec[model->nr - 1].paddr +
	    model->vec[model->nr - 1].len == paddr) {
		model->vec[model->nr - 1].len += len;
		return;
	}
	model->vec[model->nr].mem = mem;
	model->vec[model->nr].paddr = paddr;
	model->vec[model->nr].len = len;
	model->nr++;
}

static void list_model_walk(struct kunit *test, const struct list_model *model,
			    const struct phyr_list *list, u64 offset, u64 len)
{
	struct phyr_cursor cursor;
	struct phyr_mem *mem;
	struct phys_vec vec;
	u64 here;
	unsigned int i;

	phyr_cursor_init(&cursor, list, offset, len);
	for (i = 0; i < model->nr && len; i++) {
		if (offset >= model->vec[i].len) {
			offset -= model->vec[i].len;
			continue;
		}
		here = min(model->vec[i].len - offset, len);
		KUNIT_ASSERT_TRUE(test, phyr_next(&cursor, &vec, &mem));
		KUNIT_EXPECT_PTR_EQ(test, mem, model->vec[i].mem);
		KUNIT_EXPECT_EQ(test, vec.paddr, model->vec[i].paddr + offset);
		KUNIT_ASSERT_EQ(test, vec.len, here);
		offset = 0;
		len -= here;
	}
	KUNIT_EXPECT_FALSE(test, phyr_next(&cursor, &vec, &mem));
}

/* Ascending entries with random gaps, some adjacent, in changing memories */
static struct phyr_list *list_model_random(struct kunit *test,
					   struct rnd_state *rnd,
					   struct list_model *model,
					   struct phyr_mem **mem)
{
	unsigned int nr = 1 + fixture_below(rnd, LIST_TEST_MODEL_MAX), i;
	struct phyr_list *list = fixture_list(test);
	unsigned int of = 0;
	u64 paddr = 0, len;

	memset(model, 0, sizeof(*model));
	for (i = 0; i < nr; i++) {
		if (!fixture_below(rnd, 8))
			of = fixture_below(rnd, 3);
		paddr += fixture_below(rnd, 3) << PAGE_SHIFT;
		len = (1 + fixture_below(rnd, 5)) << PAGE_SHIFT;
		if (!fixture_below(rnd, 50))
			len <<= 21;
		list_test_append(test, list, mem[of], paddr, len);
		list_model_append(model, mem[of], paddr, len);
		paddr += len;
	}
	return list;
}

static void cursor_random(struct kunit *test)
{
	struct phyr_mem *mem[] = { fixture_ram(test), fixture_ram(test),
				   fixture_ram(test) };
	struct list_model *model;
	struct phyr_list *list;
	struct rnd_state rnd;
	unsigned int i, j;
	u64 offset;

	model = kunit_kmalloc(test, sizeof(*model), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, model);
	fixture_random(test, &rnd);

	for (i = 0; i < 30; i++) {
		list = list_model_random(test, &rnd, model, mem);
		KUNIT_ASSERT_EQ(test, phyr_list_count(list), model->nr);
		KUNIT_ASSERT_EQ(test, phyr_list_finish(list, model->size,
						       "kunit"), 0);
		list_model_walk(test, model, list, 0, model->size);
		for (j = 0; j < 30; j++) {
			offset = fixture_below(&rnd, model->size);
			list_model_walk(test, model, list, offset,
					fixture_below(&rnd, model->size -
							    offset + 1));
		}
		cond_resched();
	}
}

static struct kunit_case list_test_cases[] = {
	KUNIT_CASE(create_is_empty),
	KUNIT_CASE(create_no_memory),
	KUNIT_CASE(append_one),
	KUNIT_CASE(append_merges_neighbour),
	KUNIT_CASE(append_merges_any_number),
	KUNIT_CASE(append_merges_beyond_4g),
	KUNIT_CASE(append_merges_into_full_chunk),
	KUNIT_CASE(append_merges_in_second_chunk),
	KUNIT_CASE_PARAM(append_keeps_apart, list_pair_gen_params),
	KUNIT_CASE(append_keeps_memories_apart),
	KUNIT_CASE(append_mixes_kinds),
	KUNIT_CASE(append_alternates_memories),
	KUNIT_CASE_PARAM(append_at_chunk_border, list_border_gen_params),
	KUNIT_CASE(append_allocates_a_page_at_most),
	KUNIT_CASE(append_no_memory),
	KUNIT_CASE(append_to_finished),
	KUNIT_CASE_PARAM(check_refuses, list_refusal_params),
	KUNIT_CASE_PARAM(finish_refuses, list_refusal_params),
	KUNIT_CASE_PARAM(finish_accepts, list_acceptance_params),
	KUNIT_CASE(finish_after_refusal),
	KUNIT_CASE(finish_no_memory),
	KUNIT_CASE_PARAM(check_overlap_none, list_order_params),
	KUNIT_CASE_PARAM(check_overlap_one, list_order_params),
	KUNIT_CASE(check_ascending_allocates_nothing),
	KUNIT_CASE(check_overlap_allocates_single_pages),
	KUNIT_CASE_PARAM(check_overlap_no_memory, list_order_params),
	KUNIT_CASE(check_overlap_random),
	KUNIT_CASE(check_overlap_not_asked_for),
	KUNIT_CASE_SLOW(list_2pow22_ascending),
	KUNIT_CASE_SLOW(list_2pow22_scattered),
	KUNIT_CASE(list_2pow16_one_overlap),
	KUNIT_CASE(list_put_last_reference),
	KUNIT_CASE(list_put_empty),
	KUNIT_CASE(list_outlives_its_memory_creator),
	KUNIT_CASE(is_pageless_by_kind),
	KUNIT_CASE(seek_each_offset_class),
	KUNIT_CASE(seek_at_and_behind_end),
	KUNIT_CASE(seek_from_later_chunk),
	KUNIT_CASE_PARAM(cursor_at_chunk_border, list_border_gen_params),
	KUNIT_CASE(cursor_of_no_bytes),
	KUNIT_CASE(cursor_without_mem),
	KUNIT_CASE(cursor_stops_at_list_end),
	KUNIT_CASE(cursor_beyond_4g),
	KUNIT_CASE(cursor_random),
	{}
};

static struct kunit_suite list_test_suite = {
	.name = "phyr_list",
	.init = list_test_init,
	.exit = list_test_exit,
	.test_cases = list_test_cases,
};

kunit_test_suite(list_test_suite);

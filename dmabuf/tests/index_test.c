// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: index.c
 *
 * The list is imaginary: entry i has 1, 2, 3, 1, … bytes, and a number instead
 * of an address, which the index never follows.
 */
#include "fixture.h"
#include "redirect.h"
#include "../index.c"

/* Entries of a list that fill one block, and one block of blocks */
#define INDEX_TEST_BLOCK	(PHYR_INDEX_BLOCK_MAX * PHYR_INDEX_STRIDE)
#define INDEX_TEST_TWO		(PHYR_INDEX_BLOCK_MAX * INDEX_TEST_BLOCK)

KUNIT_DEFINE_ACTION_WRAPPER(index_test_free, phyr_index_free,
			    struct phyr_index *);

/* Bytes before entry @i */
static u64 index_test_start(u64 i)
{
	static const unsigned int rest[] = { 0, 1, 3 };

	return i / 3 * 6 + rest[i % 3];
}

static int index_test_fill(struct phyr_index *index, u64 count)
{
	int ret = 0;
	u64 i;

	for (i = 0; i < count && !ret; i++) {
		ret = phyr_index_add(index, (void *)(i + 1), i % 1000,
				     1 + i % 3);
		if (!(i % 4096))
			cond_resched();
	}
	return ret;
}

static struct phyr_index *index_test_create(struct kunit *test, u64 count)
{
	struct phyr_index *index = phyr_index_create(count);

	KUNIT_ASSERT_NOT_NULL(test, index);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, index_test_free,
							index), 0);
	KUNIT_ASSERT_EQ(test, index_test_fill(index, count), 0);
	return index;
}

/* The entry with @offset is less than PHYR_INDEX_STRIDE behind the result. */
static bool index_test_found(const struct phyr_index *index, u64 offset)
{
	const struct phyr_index_entry *entry = phyr_index_find(index, offset);
	u64 i = (unsigned long)entry->at - 1;

	return !(i % PHYR_INDEX_STRIDE) && entry->i == i % 1000 &&
	       entry->start == index_test_start(i) && entry->start <= offset &&
	       offset < index_test_start(i + PHYR_INDEX_STRIDE);
}

static const struct index_size {
	const char *name;
	u64 count;
	unsigned int levels;
} index_sizes[] = {
	{ "1 entry", 1, 1 },
	{ "stride", PHYR_INDEX_STRIDE, 1 },
	{ "stride plus 1", PHYR_INDEX_STRIDE + 1, 1 },
	{ "shortest list that has one", PHYR_INDEX_MIN + 1, 1 },
	{ "a block", INDEX_TEST_BLOCK, 1 },
	{ "a block plus 1", INDEX_TEST_BLOCK + 1, 2 },
	{ "two blocks plus 1", 2 * INDEX_TEST_BLOCK + 1, 2 },
	{ "two levels", INDEX_TEST_TWO, 2 },
	{ "two levels plus 1", INDEX_TEST_TWO + 1, 3 },
	{ "2^22", BIT_ULL(22), 3 },
};

KUNIT_ARRAY_PARAM_DESC(index_size, index_sizes, name);

static void find_by_size(struct kunit *test)
{
	const struct index_size *size = test->param_value;
	struct phyr_index *index = index_test_create(test, size->count);
	u64 total = index_test_start(size->count), wrong = 0, i;
	struct rnd_state rnd;

	fixture_random(test, &rnd);
	for (i = 0; i < 20000; i++)
		wrong += !index_test_found(index, fixture_below(&rnd, total));
	for (i = 0; i < min(total, 20000); i++) {
		wrong += !index_test_found(index, i);
		wrong += !index_test_found(index, total - 1 - i);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	/* A search reads one block per level. */
	KUNIT_EXPECT_EQ(test, index->levels, size->levels);
}

static void memory_by_size(struct kunit *test)
{
	const struct index_size *size = test->param_value;
	unsigned int i, calls;

	mock_forget();
	index_test_create(test, size->count);
	calls = mock_count(MOCK_ALLOC);
	for (i = 1; i <= calls; i++)
		KUNIT_EXPECT_LE(test, mock_nth(MOCK_ALLOC, i)->len, PAGE_SIZE);
	/* Two bytes for each entry of the list, and what any index needs */
	KUNIT_EXPECT_LE(test, mock_bytes(), 2 * size->count + 3 * PAGE_SIZE);
	if (size->count <= PHYR_INDEX_MIN + 1)
		KUNIT_EXPECT_LE(test, mock_bytes(), 512);
}

/* A scatterlist may have entries of no bytes; the last of them is near enough. */
static void find_among_empty_entries(struct kunit *test)
{
	const unsigned int full = 3 * PHYR_INDEX_STRIDE + 5, count = 10 * full;
	struct phyr_index *index = phyr_index_create(count);
	const struct phyr_index_entry *entry;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, index);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, index_test_free,
							index), 0);
	/* Every 53rd entry has two bytes. */
	for (i = 0; i < count; i++)
		KUNIT_ASSERT_EQ(test,
				phyr_index_add(index, (void *)(i + 1UL), 0,
					       i % full ? 0 : 2), 0);
	for (i = 0; i < 20; i++) {
		entry = phyr_index_find(index, i);
		KUNIT_EXPECT_LE(test, entry->start, i);
		KUNIT_EXPECT_LE(test, (unsigned long)entry->at - 1,
				i / 2 * full);
		KUNIT_EXPECT_GT(test, (unsigned long)entry->at - 1 +
				      PHYR_INDEX_STRIDE, i / 2 * full);
	}
}

/* More entries than were announced, as few */
static void add_more_than_expected(struct kunit *test)
{
	struct phyr_index *index = phyr_index_create(1);
	u64 i, wrong = 0;

	KUNIT_ASSERT_NOT_NULL(test, index);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, index_test_free,
							index), 0);
	KUNIT_ASSERT_EQ(test, index_test_fill(index, 5000), 0);
	for (i = 0; i < index_test_start(5000); i++)
		wrong += !index_test_found(index, i);
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

/* Fail each allocation in turn; nothing may be left over. */
static void add_no_memory(struct kunit *test)
{
	const u64 count = 3 * INDEX_TEST_BLOCK;
	unsigned int allocated = mock_allocated(), i;
	struct phyr_index *index;
	int ret = -ENOMEM;

	for (i = 1; ret; i++) {
		mock_fail(MOCK_ALLOC, i, -ENOMEM);
		index = phyr_index_create(count);
		ret = index ? index_test_fill(index, count) : -ENOMEM;
		phyr_index_free(index);
		KUNIT_EXPECT_EQ(test, mock_allocated(), allocated);
		KUNIT_EXPECT_EQ(test, ret, mock_fail_due() ? 0 : -ENOMEM);
	}
	/* The index, three blocks and their parent */
	KUNIT_EXPECT_EQ(test, i, 7);
	mock_fail(MOCK_ALLOC, 0, 0);
}

static struct kunit_case index_test_cases[] = {
	KUNIT_CASE_PARAM(find_by_size, index_size_gen_params),
	KUNIT_CASE_PARAM(memory_by_size, index_size_gen_params),
	KUNIT_CASE(find_among_empty_entries),
	KUNIT_CASE(add_more_than_expected),
	KUNIT_CASE(add_no_memory),
	{}
};

static struct kunit_suite index_test_suite = {
	.name = "phyr_index",
	.init = mock_init,
	.test_cases = index_test_cases,
};

kunit_test_suite(index_test_suite);

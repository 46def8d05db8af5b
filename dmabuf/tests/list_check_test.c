// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: phyr_list_check(), phyr_list_finish() and overlap.c
 */
#include "fixture.h"
#include "redirect.h"
#include "../overlap.c"
#include "list_test.h"

void list_test_check_overlap(bool on)
{
	check_lists = on;
}

/*
 * Check and finish
 */

enum list_mem { BAR, CARVE, RAM, SAME_BAR, LIST_MEMS };

/**
 * struct list_case - a list and the expected result of its validation
 * @name: description
 * @ret: expected errno, or 0
 * @size: bytes of the dma-buf
 * @nr: entries
 * @vec: the entries, each with its memory
 */
struct list_case {
	const char *name;
	int ret;
	u64 size;
	unsigned int nr;
	struct {
		enum list_mem mem;
		u64 paddr;
		u64 len;
	} vec[5];
};

#define B	LIST_TEST_BAR
#define B_END	(LIST_TEST_BAR + LIST_TEST_BAR_LEN)
#define C	LIST_TEST_CARVE

static const struct list_case list_refusals[] = {
	{ "empty, size 0", -EINVAL, 0, 0 },
	{ "empty, size of a page", -EINVAL, 0x1000, 0 },
	{ "entry of length 0", -EINVAL, 0, 1, { { BAR, B, 0 } } },
	{ "entry of length 0 first", -EINVAL, 0x1000, 2,
	  { { BAR, B, 0 }, { BAR, B, 0x1000 } } },
	{ "entry of length 0 in the middle", -EINVAL, 0x2000, 3,
	  { { BAR, B, 0x1000 }, { BAR, B + 0x4000, 0 },
	    { BAR, B + 0x8000, 0x1000 } } },
	{ "entry of length 0 last", -EINVAL, 0x1000, 2,
	  { { BAR, B, 0x1000 }, { BAR, B + 0x1000, 0 } } },
	{ "address and length not aligned", -EINVAL, 0x800, 1,
	  { { BAR, B + 0x800, 0x800 } } },
	{ "address off by 1", -EINVAL, 0x1000, 1, { { BAR, B + 1, 0x1000 } } },
	{ "address off by half a page", -EINVAL, 0x1000, 1,
	  { { BAR, B + 0x800, 0x1000 } } },
	{ "length off by 1", -EINVAL, 0x1001, 1, { { BAR, B, 0x1001 } } },
	{ "length of 1", -EINVAL, 1, 1, { { BAR, B, 1 } } },
	{ "two halves of a page", -EINVAL, 0x1000, 2,
	  { { BAR, B, 0x800 }, { BAR, B + 0x800, 0x800 } } },
	{ "last entry not aligned", -EINVAL, 0x1800, 2,
	  { { BAR, B, 0x1000 }, { BAR, B + 0x4000, 0x800 } } },
	{ "end at 2^64", -EINVAL, 0x1000, 1, { { RAM, -0x1000ULL, 0x1000 } } },
	{ "end beyond 2^64", -EINVAL, 0x3000, 1,
	  { { RAM, -0x2000ULL, 0x3000 } } },
	{ "end wraps into the window", -EINVAL, -0x1000ULL, 1,
	  { { BAR, B + 0x2000, -0x1000ULL } } },
	{ "page before the window", -EINVAL, 0x1000, 1,
	  { { BAR, B - 0x1000, 0x1000 } } },
	{ "across the window's start", -EINVAL, 0x2000, 1,
	  { { BAR, B - 0x1000, 0x2000 } } },
	{ "across the window's end", -EINVAL, 0x2000, 1,
	  { { BAR, B_END - 0x1000, 0x2000 } } },
	{ "page behind the window", -EINVAL, 0x1000, 1,
	  { { BAR, B_END, 0x1000 } } },
	{ "merged beyond the window's end", -EINVAL, 0x2000, 2,
	  { { BAR, B_END - 0x1000, 0x1000 }, { BAR, B_END, 0x1000 } } },
	{ "all of the window and more", -EINVAL, LIST_TEST_BAR_LEN + 0x1000, 1,
	  { { BAR, B, LIST_TEST_BAR_LEN + 0x1000 } } },
	{ "in another memory's window", -EINVAL, 0x2000, 2,
	  { { CARVE, C, 0x1000 }, { BAR, C + 0x1000, 0x1000 } } },
	{ "same page twice", -EINVAL, 0x2000, 2,
	  { { BAR, B, 0x1000 }, { BAR, B, 0x1000 } } },
	{ "same page three entries later", -EINVAL, 0x4000, 4,
	  { { BAR, B, 0x1000 }, { BAR, B + 0x4000, 0x1000 },
	    { BAR, B + 0x8000, 0x1000 }, { BAR, B, 0x1000 } } },
	{ "ascending, overlap of a page", -EINVAL, 0x4000, 2,
	  { { BAR, B, 0x2000 }, { BAR, B + 0x1000, 0x2000 } } },
	{ "descending, overlap of a page", -EINVAL, 0x4000, 2,
	  { { BAR, B + 0x1000, 0x2000 }, { BAR, B, 0x2000 } } },
	{ "second inside the first", -EINVAL, 0x9000, 2,
	  { { BAR, B, 0x8000 }, { BAR, B + 0x3000, 0x1000 } } },
	{ "first inside the second", -EINVAL, 0x9000, 2,
	  { { BAR, B + 0x3000, 0x1000 }, { BAR, B, 0x8000 } } },
	{ "long first, overlap after two others", -EINVAL, 0x13000, 4,
	  { { BAR, B + 0x100000, 0x10000 }, { BAR, B, 0x1000 },
	    { BAR, B + 0x8000, 0x1000 }, { BAR, B + 0x10f000, 0x1000 } } },
	{ "overlap between memories", -EINVAL, 0x2000, 2,
	  { { BAR, B, 0x1000 }, { SAME_BAR, B, 0x1000 } } },
	{ "overlap of RAM and a BAR", -EINVAL, 0x4000, 3,
	  { { BAR, B, 0x2000 }, { CARVE, C, 0x1000 },
	    { RAM, B + 0x1000, 0x1000 } } },
	{ "total a page short", -EINVAL, 0x3000, 1, { { BAR, B, 0x2000 } } },
	{ "total a page long", -EINVAL, 0x1000, 1, { { BAR, B, 0x2000 } } },
	{ "total long by 1", -EINVAL, 0xfff, 1, { { BAR, B, 0x1000 } } },
	{ "total for size 0", -EINVAL, 0, 1, { { BAR, B, 0x1000 } } },
	{ "total equal modulo 2^32", -EINVAL, 0x100001000, 1,
	  { { BAR, B, 0x1000 } } },
	{ "total of 2^64", -EOVERFLOW, 0, 2,
	  { { RAM, 0, BIT_ULL(63) }, { RAM, 0, BIT_ULL(63) } } },
	{ "total beyond 2^64", -EOVERFLOW, 0x1000, 3,
	  { { RAM, 0, BIT_ULL(63) }, { RAM, 0, BIT_ULL(63) },
	    { BAR, B, 0x1000 } } },
	{ "total near SIZE_MAX and a page", -EOVERFLOW, -0x1000ULL, 2,
	  { { RAM, 0, -0x1000ULL }, { BAR, B, 0x1000 } } },
};

static const struct list_case list_acceptances[] = {
	{ "one page", 0, 0x1000, 1, { { BAR, B, 0x1000 } } },
	{ "first page of the window", 0, 0x1000, 1, { { BAR, B, 0x1000 } } },
	{ "last page of the window", 0, 0x1000, 1,
	  { { BAR, B_END - 0x1000, 0x1000 } } },
	{ "all of the window", 0, LIST_TEST_BAR_LEN, 1,
	  { { BAR, B, LIST_TEST_BAR_LEN } } },
	{ "page 0 of RAM", 0, 0x1000, 1, { { RAM, 0, 0x1000 } } },
	{ "total near SIZE_MAX", 0, -0x1000ULL, 1, { { RAM, 0, -0x1000ULL } } },
	{ "total near SIZE_MAX, descending", 0, -0x1000ULL, 2,
	  { { RAM, BIT_ULL(63), BIT_ULL(63) - 0x1000 },
	    { RAM, 0, BIT_ULL(63) } } },
	{ "total beyond 4 GiB", 0, 0x180002000, 3,
	  { { CARVE, C, 0xc0000000 }, { CARVE, C + 0xd0000000, 0xc0000000 },
	    { BAR, B, 0x2000 } } },
	{ "descending neighbours", 0, 0x3000, 3,
	  { { BAR, B + 0x2000, 0x1000 }, { BAR, B + 0x1000, 0x1000 },
	    { BAR, B, 0x1000 } } },
	{ "hole filled later", 0, 0x3000, 3,
	  { { BAR, B, 0x1000 }, { BAR, B + 0x2000, 0x1000 },
	    { BAR, B + 0x1000, 0x1000 } } },
	{ "from one memory to another and back", 0, 0x3000, 3,
	  { { BAR, B + 0x1000, 0x1000 }, { CARVE, C, 0x1000 },
	    { BAR, B, 0x1000 } } },
	{ "neighbours in two memories", 0, 0x2000, 2,
	  { { BAR, B, 0x1000 }, { SAME_BAR, B + 0x1000, 0x1000 } } },
};

#undef B
#undef B_END
#undef C

KUNIT_ARRAY_PARAM_DESC(list_refusal, list_refusals, name);

const void *list_refusal_params(struct kunit *test, const void *prev,
				char *desc)
{
	return list_refusal_gen_params(test, prev, desc);
}

KUNIT_ARRAY_PARAM_DESC(list_acceptance, list_acceptances, name);

const void *list_acceptance_params(struct kunit *test, const void *prev,
				   char *desc)
{
	return list_acceptance_gen_params(test, prev, desc);
}

static struct phyr_list *list_test_build(struct kunit *test,
					 const struct list_case *c)
{
	struct phyr_mem *mem[LIST_MEMS] = {
		[BAR] = fixture_p2p(test, LIST_TEST_BAR, LIST_TEST_BAR_LEN),
		[CARVE] = fixture_carveout(test, LIST_TEST_CARVE,
				       LIST_TEST_CARVE_LEN),
		[RAM] = fixture_ram(test),
		[SAME_BAR] = fixture_carveout(test, LIST_TEST_BAR,
					  LIST_TEST_BAR_LEN),
	};
	struct phyr_list *list = fixture_list(test);
	unsigned int i;

	for (i = 0; i < c->nr; i++)
		list_test_append(test, list, mem[c->vec[i].mem],
				 c->vec[i].paddr, c->vec[i].len);
	return list;
}

/* phyr_list_check() returns an error and does not warn. */
void check_refuses(struct kunit *test)
{
	const struct list_case *c = test->param_value;
	struct phyr_list *list = list_test_build(test, c);
	unsigned int allocated = mock_allocated();

	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, phyr_list_check(list, c->size),
				c->ret);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
	}
	KUNIT_EXPECT_EQ(test, mock_allocated(), allocated);
}

/* phyr_list_finish() returns an error and warns. */
void finish_refuses(struct kunit *test)
{
	const struct list_case *c = test->param_value;
	struct phyr_list *list = list_test_build(test, c);

	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test,
				phyr_list_finish(list, c->size, "kunit"),
				c->ret);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_FALSE(test, list_test_is_finished(list));
	KUNIT_EXPECT_EQ(test, phyr_list_size(list), 0);
}

void finish_accepts(struct kunit *test)
{
	const struct list_case *c = test->param_value;
	struct phyr_list *list = list_test_build(test, c);
	unsigned int allocated = mock_allocated();

	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, phyr_list_check(list, c->size), 0);
		KUNIT_EXPECT_EQ(test,
				phyr_list_finish(list, c->size, "kunit"),
				0);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
	}
	KUNIT_EXPECT_TRUE(test, list_test_is_finished(list));
	KUNIT_EXPECT_EQ(test, phyr_list_size(list), c->size);
	KUNIT_EXPECT_EQ(test, mock_allocated(), allocated);
}

/* A list can be finished after a failed check. */
void finish_after_refusal(struct kunit *test)
{
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list = fixture_list(test);

	list_test_append(test, list, mem, 0x1000, 0x1000);
	KUNIT_EXPECT_EQ(test, phyr_list_check(list, 0x2000), -EINVAL);
	list_test_append(test, list, mem, 0x8000, 0x1000);
	KUNIT_EXPECT_EQ(test, phyr_list_finish(list, 0x2000, "kunit"), 0);
}

/* -ENOMEM does not warn. */
void finish_no_memory(struct kunit *test)
{
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list = fixture_list(test);

	list_test_append(test, list, mem, 0x8000, 0x1000);
	list_test_append(test, list, mem, 0x1000, 0x1000);
	kunit_warning_suppress(test) {
		mock_fail(MOCK_ALLOC, 1, -ENOMEM);
		KUNIT_EXPECT_EQ(test, phyr_list_finish(list, 0x2000, "kunit"),
				-ENOMEM);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
	}
	KUNIT_EXPECT_FALSE(test, list_test_is_finished(list));
	KUNIT_EXPECT_EQ(test, phyr_list_finish(list, 0x2000, "kunit"), 0);
}

/*
 * Overlap
 */

/* Position in an ascending list of the @i-th of @nr appended entries */
struct list_order {
	const char *name;
	u64 (*place)(u64 i, u64 nr);
};

static u64 list_place_ascending(u64 i, u64 nr)
{
	return i;
}

static u64 list_place_descending(u64 i, u64 nr)
{
	return nr - 1 - i;
}

/* Alternate between the upper and the lower half */
static u64 list_place_interleaved(u64 i, u64 nr)
{
	return i % 2 ? i / 2 : nr / 2 + i / 2;
}

/* Ascending, except for one step down */
static u64 list_place_rotated(u64 i, u64 nr)
{
	return (i + nr / 3) % nr;
}

/* 1, 0, 3, 2, … */
static u64 list_place_swapped(u64 i, u64 nr)
{
	return (i ^ 1) < nr ? i ^ 1 : i;
}

/* A prime that divides no @nr used here, to visit each position once */
static u64 list_place_scattered(u64 i, u64 nr)
{
	return i * 1000003 % nr;
}

static const struct list_order list_orders[] = {
	{ "ascending", list_place_ascending },
	{ "descending", list_place_descending },
	{ "interleaved", list_place_interleaved },
	{ "rotated", list_place_rotated },
	{ "swapped", list_place_swapped },
	{ "scattered", list_place_scattered },
};

KUNIT_ARRAY_PARAM_DESC(list_order, list_orders, name);

const void *list_order_params(struct kunit *test, const void *prev, char *desc)
{
	return list_order_gen_params(test, prev, desc);
}

static struct phyr_list *list_test_order(struct kunit *test,
					 struct phyr_mem *mem,
					 const struct list_order *order, u64 nr)
{
	struct phyr_list *list = fixture_list(test);
	u64 i, place;

	for (i = 0; i < nr; i++) {
		place = order->place(i, nr);
		if (phyr_list_append(list, mem,
				     mem->start + place * LIST_TEST_STRIDE,
				     PAGE_SIZE))
			break;
		if (!(i % 4096))
			cond_resched();
	}
	KUNIT_ASSERT_EQ(test, phyr_list_count(list), nr);
	return list;
}

/* The @i-th appended entry */
static struct phys_vec *list_test_entry(struct phyr_list *list, u64 i)
{
	struct phyr_chunk *chunk = (void *)phyr_list_first(list);

	for (; i >= chunk->nr; chunk = chunk->next)
		i -= chunk->nr;
	return &chunk->vecs[i];
}

/* Sizes around the borders of the sort's pages and runs */
static const unsigned int list_sort_sizes[] = {
	1, 2, 3, SORT_PAGE_MAX - 1, SORT_PAGE_MAX, SORT_PAGE_MAX + 1,
	2 * SORT_PAGE_MAX, 2 * SORT_PAGE_MAX + 1, 3 * SORT_PAGE_MAX,
	4 * SORT_PAGE_MAX + 1, 7 * SORT_PAGE_MAX + 77,
};

void check_overlap_none(struct kunit *test)
{
	const struct list_order *order = test->param_value;
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list;
	unsigned int i, nr;

	for (i = 0; i < ARRAY_SIZE(list_sort_sizes); i++) {
		nr = list_sort_sizes[i];
		list = list_test_order(test, mem, order, nr);
		KUNIT_EXPECT_EQ_MSG(test, phyr_list_check(list, nr * PAGE_SIZE),
				    0, "%u entries", nr);
		fixture_list_put(test, list);
	}
}

/* Extend the @i-th entry to three pages, into the entry above it. */
static void list_test_plant(struct kunit *test, struct phyr_list *list,
			    unsigned int i)
{
	struct phys_vec *vec = list_test_entry(list, i);
	u64 size = (phyr_list_count(list) + 2) * PAGE_SIZE;
	int ret;

	vec->len = 3 * PAGE_SIZE;
	ret = phyr_list_check(list, size);
	/* No entry follows the highest one. */
	KUNIT_EXPECT_EQ_MSG(test, ret,
			    vec->paddr == (phyr_list_count(list) - 1) *
					  LIST_TEST_STRIDE ? 0 : -EINVAL,
			    "entry %u of %llu", i, phyr_list_count(list));
	vec->len = PAGE_SIZE;
}

void check_overlap_one(struct kunit *test)
{
	const struct list_order *order = test->param_value;
	static const unsigned int at[] = {
		0, 1, SORT_PAGE_MAX - 2, SORT_PAGE_MAX - 1, SORT_PAGE_MAX,
		SORT_PAGE_MAX + 1, 2 * SORT_PAGE_MAX - 1, 2 * SORT_PAGE_MAX,
		3 * SORT_PAGE_MAX,
	};
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list;
	unsigned int i, j, nr;

	for (i = 1; i < ARRAY_SIZE(list_sort_sizes); i++) {
		nr = list_sort_sizes[i];
		list = list_test_order(test, mem, order, nr);
		for (j = 0; j < ARRAY_SIZE(at) && at[j] < nr; j++)
			list_test_plant(test, list, at[j]);
		list_test_plant(test, list, nr - 2);
		list_test_plant(test, list, nr - 1);
		fixture_list_put(test, list);
	}
}

void check_ascending_allocates_nothing(struct kunit *test)
{
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list = list_test_order(test, mem, &list_orders[0],
						 3000);

	mock_forget();
	KUNIT_EXPECT_EQ(test, phyr_list_check(list, 3000 * PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_ALLOC), 0);
}

void check_overlap_allocates_single_pages(struct kunit *test)
{
	const unsigned int nr = 20 * SORT_PAGE_MAX;
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list;
	unsigned int i, o;

	for (o = 1; o < ARRAY_SIZE(list_orders); o++) {
		list = list_test_order(test, mem, &list_orders[o], nr);
		mock_forget();
		KUNIT_EXPECT_EQ(test, phyr_list_check(list, nr * PAGE_SIZE),
				0);
		KUNIT_EXPECT_GE(test, mock_count(MOCK_ALLOC), 20);
		KUNIT_EXPECT_LE(test, mock_count(MOCK_ALLOC), 22);
		for (i = 1; i <= mock_count(MOCK_ALLOC); i++)
			KUNIT_EXPECT_EQ(test, mock_nth(MOCK_ALLOC, i)->len,
					PAGE_SIZE);
	}
}

/* Fail each allocation in turn; nothing may be left over. */
void check_overlap_no_memory(struct kunit *test)
{
	const struct list_order *order = test->param_value;
	const unsigned int nr = 8 * SORT_PAGE_MAX + 5;
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list = list_test_order(test, mem, order, nr);
	unsigned int allocated = mock_allocated(), i;
	int ret;

	for (i = 1; i < 100; i++) {
		mock_fail(MOCK_ALLOC, i, -ENOMEM);
		ret = phyr_list_check(list, nr * PAGE_SIZE);
		KUNIT_EXPECT_EQ(test, mock_allocated(), allocated);
		if (mock_fail_due())
			break;
		KUNIT_EXPECT_EQ_MSG(test, ret, -ENOMEM, "allocation %u", i);
	}
	mock_fail(MOCK_ALLOC, 0, 0);
	KUNIT_EXPECT_EQ(test, ret, 0);
	if (order->place == list_place_ascending)
		KUNIT_EXPECT_EQ(test, i, 1);
	else
		KUNIT_EXPECT_GE(test, i, 10);
}

/* Reference model: compare every pair. */
static bool list_test_model_overlaps(const struct phys_vec *vec,
				     unsigned int nr)
{
	unsigned int i, j;

	for (i = 0; i < nr; i++)
		for (j = 0; j < i; j++)
			if (vec[i].paddr < vec[j].paddr + vec[j].len &&
			    vec[j].paddr < vec[i].paddr + vec[i].len)
				return true;
	return false;
}

/* Appends @nr random entries; about half of such lists have an overlap. */
static u64 list_test_random(struct kunit *test, struct rnd_state *rnd,
			    struct phyr_list *list, struct phyr_mem **mem,
			    struct phys_vec *vec, unsigned int nr)
{
	u64 pages = (u64)nr * nr * 4 + 1, total = 0;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		vec[i].paddr = fixture_below(rnd, pages) << PAGE_SHIFT;
		vec[i].len = (1 + fixture_below(rnd, 4)) << PAGE_SHIFT;
		total += vec[i].len;
		list_test_append(test, list, mem[fixture_below(rnd, 2)],
				 vec[i].paddr, vec[i].len);
	}
	return total;
}

void check_overlap_random(struct kunit *test)
{
	struct phyr_mem *mem[] = { fixture_ram(test), fixture_ram(test) };
	struct phys_vec *vec;
	struct phyr_list *list;
	unsigned int i, nr, overlaps = 0;
	struct rnd_state rnd;
	bool overlap;
	u64 total;

	vec = kunit_kmalloc_array(test, LIST_TEST_MODEL_MAX, sizeof(*vec),
				  GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vec);
	fixture_random(test, &rnd);

	for (i = 0; i < 100; i++) {
		nr = 1 + fixture_below(&rnd,
				       i % 25 ? 30 : LIST_TEST_MODEL_MAX);
		list = fixture_list(test);
		total = list_test_random(test, &rnd, list, mem, vec, nr);
		overlap = list_test_model_overlaps(vec, nr);
		overlaps += overlap;
		KUNIT_EXPECT_EQ_MSG(test, phyr_list_check(list, total),
				    overlap ? -EINVAL : 0, "list %u, %u entries",
				    i, nr);
		fixture_list_put(test, list);
		cond_resched();
	}
	KUNIT_EXPECT_GT(test, overlaps, 0);
	KUNIT_EXPECT_LT(test, overlaps, 100);
}

/* Without check_lists, no list is sorted. */
void check_overlap_not_asked_for(struct kunit *test)
{
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list;

	list = list_test_order(test, mem, &list_orders[1], 60);
	list_test_append(test, list, mem, 0, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, phyr_list_check(list, 61 * PAGE_SIZE), -EINVAL);

	list_test_check_overlap(false);
	mock_forget();
	KUNIT_EXPECT_EQ(test, phyr_list_check(list, 61 * PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, phyr_list_finish(list, 61 * PAGE_SIZE, "kunit"),
			0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_ALLOC), 0);
}

#define LIST_TEST_HUGE	BIT_ULL(22)

static struct phyr_list *list_test_huge(struct kunit *test,
					const struct list_order *order)
{
	const u64 half = LIST_TEST_HUGE / 2, some = 50000;
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list;
	struct phyr_cursor cursor;
	struct phys_vec vec;
	u64 i, wrong = 0;

	list = list_test_order(test, mem, order, LIST_TEST_HUGE);
	KUNIT_ASSERT_EQ(test, phyr_list_finish(list, LIST_TEST_HUGE * PAGE_SIZE,
					       "kunit"), 0);
	KUNIT_EXPECT_EQ(test, phyr_list_size(list), BIT_ULL(34));

	phyr_cursor_init(&cursor, list, half * PAGE_SIZE, some * PAGE_SIZE);
	for (i = half; phyr_next(&cursor, &vec, NULL); i++)
		wrong += vec.len != PAGE_SIZE ||
			 vec.paddr != order->place(i, LIST_TEST_HUGE) *
				      LIST_TEST_STRIDE;
	KUNIT_EXPECT_EQ(test, i, half + some);
	KUNIT_EXPECT_EQ(test, wrong, 0);
	return list;
}

static u64 list_test_ascending(u64 i)
{
	return i * LIST_TEST_STRIDE;
}

void list_2pow22_ascending(struct kunit *test)
{
	struct phyr_list *list = list_test_huge(test, &list_orders[0]);

	seek_reads_two_chunks(test, list, LIST_TEST_HUGE, list_test_ascending);
}

void list_2pow22_scattered(struct kunit *test)
{
	list_test_huge(test, &list_orders[ARRAY_SIZE(list_orders) - 1]);
}

/* One page of 2^16 occurs twice. */
void list_2pow16_one_overlap(struct kunit *test)
{
	struct phyr_mem *mem = fixture_ram(test);
	const u64 nr = BIT_ULL(16);
	struct phyr_list *list;

	list = list_test_order(test, mem, &list_orders[3], nr);
	list_test_append(test, list, mem, 0, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, phyr_list_check(list, (nr + 1) * PAGE_SIZE),
			-EINVAL);
}

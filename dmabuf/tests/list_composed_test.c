// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: composed lists, release hooks, and the index of a list
 */
#include <linux/completion.h>
#include <linux/sched.h>

#include "fixture.h"
#include "redirect.h"
#include "list_test.h"

/*
 * Skip, tail and repeated pages, against a model of each byte
 */

#define COMPOSED_PAGES	48

/**
 * struct composed_model - a list, and where each page of it is
 * @list: the list, finished
 * @nr: pages
 * @page: physical address and memory of each page
 * @skip: bytes of the first page before the buffer
 * @size: bytes of the buffer
 */
struct composed_model {
	struct phyr_list *list;
	unsigned int nr;
	struct {
		u64 paddr;
		struct phyr_mem *mem;
	} page[COMPOSED_PAGES];
	u64 skip;
	u64 size;
};

/* Extents of up to 4 pages among 16, so that some repeat and some merge */
static void composed_random(struct kunit *test, struct rnd_state *rnd,
			    struct composed_model *model, struct phyr_mem **mem)
{
	unsigned int pages = 1 + fixture_below(rnd, COMPOSED_PAGES), nr, i, of;
	u64 paddr;

	model->list = fixture_list(test);
	for (model->nr = 0; model->nr < pages; ) {
		of = fixture_below(rnd, 2);
		paddr = mem[of]->start + (fixture_below(rnd, 16) << PAGE_SHIFT);
		nr = min(1 + fixture_below(rnd, 4), pages - model->nr);
		list_test_append(test, model->list, mem[of], paddr,
				 (u64)nr << PAGE_SHIFT);
		for (i = 0; i < nr; i++, model->nr++) {
			model->page[model->nr].paddr = paddr + i * PAGE_SIZE;
			model->page[model->nr].mem = mem[of];
		}
	}
	model->skip = fixture_below(rnd, PAGE_SIZE);
	model->size = (u64)pages * PAGE_SIZE - model->skip;
	model->size -= fixture_below(rnd, min(model->size, PAGE_SIZE));
	KUNIT_ASSERT_EQ(test, phyr_list_finish_composed(model->list,
							model->skip,
							model->size), 0);
}

/* Compare each byte of a walk. Returns how many differ, or are missing. */
static u64 composed_walk(const struct composed_model *model, u64 offset,
			 u64 len)
{
	u64 at = model->skip + offset, wrong = 0, i;
	struct phyr_cursor cursor;
	struct phyr_mem *mem;
	struct phys_vec vec;

	phyr_cursor_init(&cursor, model->list, offset, len);
	while (phyr_next(&cursor, &vec, &mem)) {
		for (i = 0; i < vec.len && len; i++, at++, len--)
			wrong += model->page[at / PAGE_SIZE].mem != mem ||
				 model->page[at / PAGE_SIZE].paddr +
				 at % PAGE_SIZE != vec.paddr + i;
		wrong += vec.len - i;
	}
	return wrong + len;
}

static void composed_walks_each_byte(struct kunit *test)
{
	struct phyr_mem *mem[] = { fixture_ram(test), fixture_ram(test) };
	struct composed_model *model;
	struct rnd_state rnd;
	unsigned int i, j;
	u64 wrong = 0, offset;

	model = kunit_kzalloc(test, sizeof(*model), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, model);
	fixture_random(test, &rnd);

	for (i = 0; i < 40; i++) {
		composed_random(test, &rnd, model, mem);
		KUNIT_EXPECT_EQ(test, phyr_list_size(model->list), model->size);
		wrong += composed_walk(model, 0, model->size);
		wrong += composed_walk(model, model->size - 1, 1);
		for (j = 0; j < 10; j++) {
			offset = fixture_below(&rnd, model->size);
			wrong += composed_walk(model, offset,
					       fixture_below(&rnd, model->size -
								   offset + 1));
		}
		fixture_list_put(test, model->list);
		cond_resched();
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

/* The rest of the first and of the last page belongs to somebody else. */
static void composed_walk_stops_at_the_byte(struct kunit *test)
{
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list = fixture_list(test);
	struct phyr_cursor cursor;
	struct phys_vec vec;

	list_test_append(test, list, mem, 0x5000, 0x2000);
	KUNIT_ASSERT_EQ(test, phyr_list_finish_composed(list, 0x123, 0x1800),
			0);
	phyr_cursor_init(&cursor, list, 0, U64_MAX);
	KUNIT_ASSERT_TRUE(test, phyr_next(&cursor, &vec, NULL));
	KUNIT_EXPECT_EQ(test, vec.paddr, 0x5123);
	KUNIT_EXPECT_EQ(test, vec.len, 0x1800);
	KUNIT_EXPECT_FALSE(test, phyr_next(&cursor, &vec, NULL));

	phyr_cursor_init(&cursor, list, 0x1800, 1);
	KUNIT_EXPECT_FALSE(test, phyr_next(&cursor, &vec, NULL));
	phyr_cursor_init(&cursor, list, U64_MAX, U64_MAX);
	KUNIT_EXPECT_FALSE(test, phyr_next(&cursor, &vec, NULL));
}

static const struct composed_case {
	const char *name;
	u64 paddr, len;
	u64 skip, size;
	int ret;
} composed_cases[] = {
	{ "one byte", 0x5000, 0x1000, 0xfff, 1, 0 },
	{ "whole pages", 0x5000, 0x3000, 0, 0x3000, 0 },
	{ "skip and tail", 0x5000, 0x3000, 0xfff, 0x1002, 0 },
	{ "no bytes", 0x5000, 0x1000, 0, 0, -EINVAL },
	{ "empty list", 0, 0, 0, 0, -EINVAL },
	{ "skip of a page", 0x5000, 0x2000, 0x1000, 0x1000, -EINVAL },
	{ "skip beyond the list", 0x5000, 0x1000, 0xfff, 2, -EINVAL },
	{ "one byte too long", 0x5000, 0x3000, 1, 0x3000, -EINVAL },
	{ "last page unused", 0x5000, 0x3000, 0, 0x2000, -EINVAL },
	{ "sum overflows", 0x5000, 0x1000, 0xfff, U64_MAX, -EINVAL },
	{ "half a page", 0x5000, 0x800, 0, 0x800, -EINVAL },
	{ "address off by 1", 0x5001, 0x1000, 0, 0x1000, -EINVAL },
	{ "end at 2^64", -0x1000ULL, 0x1000, 0, 0x1000, -EINVAL },
	{ "outside the memory", LIST_TEST_CARVE - 0x1000, 0x1000, 0, 0x1000,
	  -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(composed_case, composed_cases, name);

/* A bad composition is userspace's fault: never a warning. */
static void composed_finish(struct kunit *test)
{
	const struct composed_case *c = test->param_value;
	struct phyr_list *list = fixture_list(test);
	bool outside = c->paddr == LIST_TEST_CARVE - 0x1000;
	struct phyr_mem *mem;

	mem = outside ? fixture_carveout(test, LIST_TEST_CARVE, PAGE_SIZE) :
			fixture_ram(test);
	if (c->len)
		list_test_append(test, list, mem, c->paddr, c->len);
	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, phyr_list_finish_composed(list, c->skip,
								c->size),
				c->ret);
		if (!c->ret)
			KUNIT_EXPECT_EQ(test, phyr_list_finish_composed(list,
									0, 1),
					-EINVAL);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
	}
	KUNIT_EXPECT_EQ(test, list_test_is_finished(list), !c->ret);
	KUNIT_EXPECT_EQ(test, phyr_list_size(list), c->ret ? 0 : c->size);
}

/* 2^63 bytes are more than a file, and twice that more than size_t. */
static void composed_finish_overflow(struct kunit *test)
{
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list = fixture_list(test);

	list_test_append(test, list, mem, 0, BIT_ULL(63));
	KUNIT_EXPECT_EQ(test, phyr_list_finish_composed(list, 0, PAGE_SIZE),
			-EOVERFLOW);
	list_test_append(test, list, mem, 0, BIT_ULL(63));
	KUNIT_EXPECT_EQ(test, phyr_list_finish_composed(list, 0, PAGE_SIZE),
			-EOVERFLOW);
}

/* The overlap check is for exporters' lists, check_lists or not. */
static void composed_repeats_pages(struct kunit *test)
{
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list = fixture_list(test);
	unsigned int i;

	for (i = 0; i < 100; i++)
		list_test_append(test, list, mem, 0x7000, 0x1000);
	KUNIT_EXPECT_EQ(test, phyr_list_check(list, 100 * 0x1000), -EINVAL);
	KUNIT_EXPECT_EQ(test, phyr_list_finish_composed(list, 0, 100 * 0x1000),
			0);
	KUNIT_EXPECT_EQ(test, phyr_list_count(list), 100);
}

/*
 * Release hooks
 */

/**
 * struct release_test - what a release hook sees
 * @lock: taken by the hook
 * @started: the hook was called
 * @done: the hook is about to return
 * @by: task that called it
 * @bytes: bytes of the list that it walked
 * @calls: number of calls
 */
struct release_test {
	struct mutex lock;	/* as the one of the last reference's owner */
	struct completion started;
	struct completion done;
	struct task_struct *by;
	u64 bytes;
	unsigned int calls;
};

static void release_test_hook(struct phyr_list *list, void *priv)
{
	struct release_test *t = priv;
	struct phyr_cursor cursor;
	struct phys_vec vec;

	complete(&t->started);
	guard(mutex)(&t->lock);
	t->by = current;
	t->calls++;
	phyr_cursor_init(&cursor, list, 0, U64_MAX);
	while (phyr_next(&cursor, &vec, NULL))
		t->bytes += vec.len;
	complete(&t->done);
}

static struct release_test *release_test_create(struct kunit *test)
{
	struct release_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	mutex_init(&t->lock);
	init_completion(&t->started);
	init_completion(&t->done);
	return t;
}

/* The hook may take the lock that the last reference is dropped under. */
static void release_runs_without_locks(struct kunit *test)
{
	struct release_test *t = release_test_create(test);
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list = phyr_list_create();
	unsigned int refs = kref_read(&mem->ref);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	phyr_list_set_release(list, release_test_hook, t);
	list_test_append(test, list, mem, 0x5000, 0x4000);
	KUNIT_EXPECT_EQ(test, phyr_list_finish_composed(list, 0x10, 0x3010), 0);
	phyr_list_get(list);

	scoped_guard(mutex, &t->lock) {
		phyr_list_put(list);
		KUNIT_EXPECT_FALSE(test, completion_done(&t->started));
		phyr_list_put(list);
		KUNIT_EXPECT_NE(test,
				wait_for_completion_timeout(&t->started, 60 * HZ),
				0);
		KUNIT_EXPECT_FALSE(test, completion_done(&t->done));
		/* The memory is there until the hook has run. */
		KUNIT_EXPECT_EQ(test, kref_read(&mem->ref), refs + 1);
	}
	phyr_list_flush();
	KUNIT_EXPECT_TRUE(test, completion_done(&t->done));
	KUNIT_EXPECT_PTR_NE(test, t->by, current);
	KUNIT_EXPECT_EQ(test, t->calls, 1);
	KUNIT_EXPECT_EQ(test, t->bytes, 0x3010);
	KUNIT_EXPECT_EQ(test, kref_read(&mem->ref), refs);
}

/* From phyr_list_set_release() on, the hook owns the pages. */
static void release_of_unfinished_list(struct kunit *test)
{
	struct release_test *t = release_test_create(test);
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list = phyr_list_create();

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	phyr_list_set_release(list, release_test_hook, t);
	list_test_append(test, list, mem, 0x5000, 0x4000);
	phyr_list_put(list);
	phyr_list_flush();
	KUNIT_EXPECT_EQ(test, t->calls, 1);
	KUNIT_EXPECT_EQ(test, t->bytes, 0x4000);

	list = phyr_list_create();
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	phyr_list_set_release(list, release_test_hook, t);
	phyr_list_put(list);
	phyr_list_flush();
	KUNIT_EXPECT_EQ(test, t->calls, 2);
	KUNIT_EXPECT_EQ(test, t->bytes, 0x4000);
}

/* Module exit runs the hooks that are left. */
static void release_by_module_exit(struct kunit *test)
{
	struct release_test *t = release_test_create(test);
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list;
	unsigned int i;

	for (i = 0; i < 20; i++) {
		list = phyr_list_create();
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
		phyr_list_set_release(list, release_test_hook, t);
		list_test_append(test, list, mem, 0x5000, 0x1000);
		phyr_list_put(list);
	}
	phyr_list_exit();
	KUNIT_EXPECT_EQ(test, t->calls, 20);
	KUNIT_ASSERT_EQ(test, phyr_list_init(), 0);
}

/*
 * Memory
 */

#define COMPOSED_MANY	BIT(18)

static struct phyr_list *composed_alternating(struct kunit *test,
					      struct phyr_mem **mem)
{
	struct phyr_list *list = fixture_list(test);
	unsigned int i;
	int ret = 0;

	for (i = 0; i < COMPOSED_MANY && !ret; i++) {
		ret = phyr_list_append(list, mem[i % 2],
				       mem[i % 2]->start + i * PAGE_SIZE,
				       PAGE_SIZE);
		if (!(i % 4096))
			cond_resched();
	}
	KUNIT_ASSERT_EQ(test, ret, 0);
	return list;
}

static void memory_is_one(struct kunit *test)
{
	struct phyr_mem *mem[] = { fixture_ram(test), fixture_ram(test) };
	struct phyr_list *list = fixture_list(test);
	unsigned int i;

	for (i = 0; i < 300; i++)
		list_test_append(test, list, mem[0], i * LIST_TEST_STRIDE,
				 PAGE_SIZE);
	KUNIT_EXPECT_PTR_EQ(test, phyr_list_mem(list), mem[0]);
	list_test_append(test, list, mem[1], 0, PAGE_SIZE);
	KUNIT_EXPECT_NULL(test, phyr_list_mem(list));
	list_test_append(test, list, mem[0], BIT_ULL(40), PAGE_SIZE);
	KUNIT_EXPECT_NULL(test, phyr_list_mem(list));
}

/*
 * Index
 */

/* Chunks from the position in the index to @to, both included */
static unsigned int index_test_chunks(const struct phyr_list *list, u64 offset,
				      const struct phyr_chunk *to)
{
	const struct phyr_index_entry *from;
	const struct phyr_chunk *chunk;
	unsigned int nr = 1;

	from = phyr_index_find(list_test_index(list), offset);
	for (chunk = from->at; chunk && chunk != to; chunk = chunk->next)
		nr++;
	return nr;
}

/*
 * Seek 5000 random bytes of @nr pages; page i is at @paddr(i). The first chunk's
 * link is cut, so that a linear search would find nothing. Returns the largest
 * number of chunks that a seek read, or 0 if one went wrong.
 */
static unsigned int index_test_seek(struct kunit *test, struct phyr_list *list,
				    u64 nr, u64 (*paddr)(u64 i))
{
	struct phyr_chunk *head = (void *)phyr_list_first(list);
	struct phyr_chunk *second = head->next;
	const struct phyr_chunk *chunk;
	u64 at, offset, first = 0, wrong = 0;
	unsigned int i, in, chunks = 0;
	struct rnd_state rnd;

	KUNIT_ASSERT_NOT_NULL(test, list_test_index(list));
	fixture_random(test, &rnd);
	head->next = NULL;
	/* The index starts again behind the entries of the first chunk. */
	first = 2 * PHYR_INDEX_STRIDE * PAGE_SIZE;
	for (i = 0; i < 5000; i++) {
		at = first + fixture_below(&rnd, nr * PAGE_SIZE - first);
		offset = at;
		chunk = phyr_list_seek(list, &offset, &in);
		if (!chunk || in >= chunk->nr || offset != at % PAGE_SIZE ||
		    chunk->vecs[in].paddr != paddr(at / PAGE_SIZE)) {
			wrong++;
			continue;
		}
		chunks = max(chunks, index_test_chunks(list, at, chunk));
	}
	head->next = second;
	KUNIT_EXPECT_EQ(test, wrong, 0);
	kunit_info(test, "a seek in %llu entries reads at most %u chunks\n", nr,
		   chunks);
	return chunks;
}

/* 254 entries in a chunk: 16 of them are in two chunks at most. */
void seek_reads_two_chunks(struct kunit *test, struct phyr_list *list, u64 nr,
			   u64 (*paddr)(u64 i))
{
	KUNIT_EXPECT_LE(test, index_test_seek(test, list, nr, paddr), 2);
}

static u64 index_test_alternating(u64 i)
{
	return i * PAGE_SIZE + (i % 2 ? LIST_TEST_CARVE : 0);
}

/*
 * 64 bytes for an entry, and less than 8 for its index. Where each entry is a
 * chunk, a seek reads PHYR_INDEX_STRIDE of them.
 */
static void alternating_2pow18(struct kunit *test)
{
	struct phyr_mem *mem[] = {
		fixture_ram(test),
		fixture_carveout(test, LIST_TEST_CARVE, LIST_TEST_CARVE_LEN),
	};
	const u64 size = (u64)COMPOSED_MANY * PAGE_SIZE;
	struct phyr_list *list;

	/* The entries, and the index */
	KUNIT_ASSERT_EQ(test, mock_use_arena(72 * COMPOSED_MANY), 0);
	mock_forget();
	list = composed_alternating(test, mem);
	KUNIT_EXPECT_EQ(test, phyr_list_count(list), COMPOSED_MANY);
	KUNIT_EXPECT_LE(test, mock_bytes(), 64ULL * COMPOSED_MANY + 512);

	mock_forget();
	KUNIT_ASSERT_EQ(test, phyr_list_finish_composed(list, 0, size), 0);
	KUNIT_EXPECT_LE(test, mock_bytes(), 8ULL * COMPOSED_MANY);
	KUNIT_EXPECT_LE(test, index_test_seek(test, list, COMPOSED_MANY,
					      index_test_alternating),
			PHYR_INDEX_STRIDE);
}

/* An indexed and a linear search agree at each byte class of random lists. */
static void seek_agrees_with_linear_seek(struct kunit *test)
{
	struct phyr_mem *mem[] = { fixture_ram(test), fixture_ram(test) };
	const struct phyr_chunk *chunk, *linear;
	unsigned int i, j, nr, in, linear_in;
	u64 at, offset, linear_offset, len, size, wrong = 0;
	struct phyr_list *list;
	struct rnd_state rnd;

	fixture_random(test, &rnd);
	for (i = 0; i < 30; i++) {
		list = fixture_list(test);
		nr = 1 + fixture_below(&rnd, 3000);
		for (j = 0, size = 0; j < nr; j++, size += len) {
			len = (1 + fixture_below(&rnd, 3)) << PAGE_SHIFT;
			list_test_append(test, list,
					 mem[!fixture_below(&rnd, 10)],
					 fixture_below(&rnd, 4096) << PAGE_SHIFT,
					 len);
		}
		KUNIT_ASSERT_EQ(test, phyr_list_finish_composed(list, 0, size),
				0);
		KUNIT_EXPECT_EQ(test, !!list_test_index(list),
				phyr_list_count(list) > PHYR_INDEX_MIN);
		for (j = 0; j < 1000; j++) {
			at = fixture_below(&rnd, size + PAGE_SIZE);
			offset = at;
			linear_offset = at;
			chunk = phyr_list_seek(list, &offset, &in);
			linear = phyr_chunk_seek(phyr_list_first(list),
						 &linear_offset, &linear_in);
			wrong += chunk != linear || offset != linear_offset ||
				 in != linear_in;
			if (!chunk)
				continue;
			offset = at;
			wrong += phyr_list_find_chunk(list, &offset) != chunk;
			linear_offset = offset;
			phyr_chunk_seek(chunk, &linear_offset, &linear_in);
			wrong += in != linear_in;
		}
		fixture_list_put(test, list);
		cond_resched();
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

/* A list that cannot be indexed is not finished, without a warning. */
static void finish_no_memory_for_index(struct kunit *test)
{
	const unsigned int nr = PHYR_INDEX_MIN + 1;
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list = fixture_list(test);
	unsigned int i, allocated;

	for (i = 0; i < nr; i++)
		list_test_append(test, list, mem, i * LIST_TEST_STRIDE,
				 PAGE_SIZE);
	allocated = mock_allocated();
	for (i = 1; i <= 2; i++) {
		mock_fail(MOCK_ALLOC, i, -ENOMEM);
		kunit_warning_suppress(test) {
			KUNIT_EXPECT_EQ(test, phyr_list_finish(list,
							       nr * PAGE_SIZE,
							       "kunit"),
					-ENOMEM);
			KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
		}
		KUNIT_EXPECT_FALSE(test, list_test_is_finished(list));
		KUNIT_EXPECT_EQ(test, mock_allocated(), allocated);
	}
	KUNIT_EXPECT_EQ(test, phyr_list_finish(list, nr * PAGE_SIZE, "kunit"),
			0);
	KUNIT_EXPECT_EQ(test, mock_allocated(), allocated + 2);
}

/* Finishing a list twice would lose its index. */
static void finish_twice(struct kunit *test)
{
	struct phyr_mem *mem = fixture_ram(test);
	struct phyr_list *list = fixture_list(test);

	list_test_append(test, list, mem, 0x1000, 0x1000);
	KUNIT_ASSERT_EQ(test, phyr_list_finish(list, 0x1000, "kunit"), 0);
	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, phyr_list_finish(list, 0x1000, "kunit"),
				-EINVAL);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
}

static struct kunit_case composed_test_cases[] = {
	KUNIT_CASE(composed_walks_each_byte),
	KUNIT_CASE(composed_walk_stops_at_the_byte),
	KUNIT_CASE_PARAM(composed_finish, composed_case_gen_params),
	KUNIT_CASE(composed_finish_overflow),
	KUNIT_CASE(composed_repeats_pages),
	KUNIT_CASE(release_runs_without_locks),
	KUNIT_CASE(release_of_unfinished_list),
	KUNIT_CASE(release_by_module_exit),
	KUNIT_CASE(memory_is_one),
	KUNIT_CASE_SLOW(alternating_2pow18),
	KUNIT_CASE_SLOW(seek_agrees_with_linear_seek),
	KUNIT_CASE(finish_no_memory_for_index),
	KUNIT_CASE(finish_twice),
	{}
};

static int composed_test_init(struct kunit *test)
{
	list_test_check_overlap(true);
	return mock_init(test);
}

static void composed_test_exit(struct kunit *test)
{
	list_test_check_overlap(IS_ENABLED(CONFIG_DMABUF_DEBUG));
}

static int composed_suite_init(struct kunit_suite *suite)
{
	return phyr_list_init();
}

static void composed_suite_exit(struct kunit_suite *suite)
{
	phyr_list_exit();
}

static struct kunit_suite composed_test_suite = {
	.name = "phyr_list_composed",
	.suite_init = composed_suite_init,
	.suite_exit = composed_suite_exit,
	.init = composed_test_init,
	.exit = composed_test_exit,
	.test_cases = composed_test_cases,
};

kunit_test_suite(composed_test_suite);

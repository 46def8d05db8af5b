// SPDX-License-Identifier: GPL-2.0
/*
 * phyr_list: what a buffer is made of
 *
 * A phyr is a physical extent {paddr, len}. A list is a chain of chunks; a
 * chunk holds phyrs of one memory. The first few entries live in the list
 * itself, later chunks grow to a page and no further, so that a list of any
 * length needs no large allocation.
 *
 * Invariants of a finished list: it is not empty; every entry is page-aligned,
 * inside its memory's window and not 0 long; no two entries overlap;
 * neighbours in memory that are neighbours in the buffer are one entry; the
 * lengths add up to the buffer's size. A finished list is constant, and is
 * shared by reference: every mapping holds the list it was made from, also
 * after the buffer has moved.
 */
#include <linux/export.h>
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "internal.h"

#define PHYR_LIST_INLINE	4

/**
 * struct phyr_list - a buffer's extents
 * @ref: references
 * @tail: chunk that the next entry goes to
 * @count: entries
 * @size: bytes; valid once finished
 * @finished: no more changes
 * @head: the first chunk, with room for PHYR_LIST_INLINE entries
 */
struct phyr_list {
	struct kref ref;
	struct phyr_chunk *tail;
	u64 count;
	u64 size;
	bool finished;
	struct phyr_chunk head;
};

/**
 * phyr_list_create - start a list
 *
 * Context: may sleep.
 * Return: an empty list with one reference, or ERR_PTR(-ENOMEM).
 */
struct phyr_list *phyr_list_create(void)
{
	struct phyr_list *list;

	list = kzalloc(struct_size(list, head.vecs, PHYR_LIST_INLINE),
		       GFP_KERNEL_ACCOUNT);
	if (!list)
		return ERR_PTR(-ENOMEM);

	kref_init(&list->ref);
	list->head.max = PHYR_LIST_INLINE;
	list->tail = &list->head;
	return list;
}
EXPORT_SYMBOL_NS_GPL(phyr_list_create, "PHYR_EXPORTER");

/* Each chunk has twice the bytes of the one before it, up to a page. */
static int phyr_list_add_chunk(struct phyr_list *list, struct phyr_mem *mem)
{
	struct phyr_chunk *tail = list->tail, *chunk;
	size_t bytes;

	bytes = 2 * roundup_pow_of_two(struct_size(tail, vecs, tail->max));
	bytes = min(bytes, PAGE_SIZE);
	chunk = kmalloc(bytes, GFP_KERNEL_ACCOUNT);
	if (!chunk)
		return -ENOMEM;

	chunk->next = NULL;
	chunk->mem = phyr_mem_get(mem);
	chunk->len = 0;
	chunk->nr = 0;
	chunk->max = (bytes - offsetof(struct phyr_chunk, vecs)) /
		     sizeof(struct phys_vec);
	tail->next = chunk;
	list->tail = chunk;
	return 0;
}

/*
 * Grow the last entry where the new one starts right behind it. The seam must
 * be a page's border: an entry that does not end at one stays visible to
 * phyr_list_check().
 */
static bool phyr_list_merge(struct phyr_list *list, struct phyr_mem *mem,
			    phys_addr_t paddr, u64 len)
{
	struct phyr_chunk *tail = list->tail;
	struct phys_vec *last;
	u64 seam, merged;

	if (!tail->nr || tail->mem != mem || !len || !PAGE_ALIGNED(paddr))
		return false;

	last = &tail->vecs[tail->nr - 1];
	if (!last->len || check_add_overflow(last->paddr, last->len, &seam) ||
	    seam != paddr || check_add_overflow(last->len, len, &merged))
		return false;

	last->len = merged;
	tail->len += len;
	return true;
}

/**
 * phyr_list_append - add an extent at the end
 * @list: list that is not finished
 * @mem: memory that the extent lies in; a reference is taken where needed
 * @paddr: physical address of its first byte
 * @len: bytes
 *
 * Judges nothing; that is phyr_list_check()'s task.
 *
 * Context: one caller at a time; may sleep.
 * Return: 0, -ENOMEM, or -EINVAL for a finished list.
 */
int phyr_list_append(struct phyr_list *list, struct phyr_mem *mem,
		     phys_addr_t paddr, u64 len)
{
	struct phyr_chunk *tail = list->tail;
	int ret;

	if (WARN_ON_ONCE(list->finished))
		return -EINVAL;

	if (phyr_list_merge(list, mem, paddr, len))
		return 0;

	if (!list->head.mem) {
		tail->mem = phyr_mem_get(mem);
	} else if (tail->mem != mem || tail->nr == tail->max) {
		ret = phyr_list_add_chunk(list, mem);
		if (ret)
			return ret;
		tail = list->tail;
	}

	tail->vecs[tail->nr].paddr = paddr;
	tail->vecs[tail->nr].len = len;
	tail->nr++;
	tail->len += len;
	list->count++;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(phyr_list_append, "PHYR_EXPORTER");

/*
 * Overlap of entries that are not in ascending order: sort a copy, page by
 * page, and merge the sorted pages pairwise. Needs as much memory as the list
 * has, in single pages, and two pages more.
 */
struct sort_page {
	struct sort_page *next;		/* in its run, or in the pool */
	struct sort_page *next_run;	/* valid in a run's first page */
	unsigned int nr;
	struct phys_vec vecs[];
};

#define SORT_PAGE_MAX \
	((PAGE_SIZE - offsetof(struct sort_page, vecs)) / \
	 sizeof(struct phys_vec))

struct sort_state {
	struct sort_page *pool;
	struct sort_page *runs;
};

static struct sort_page *sort_page_get(struct sort_state *state)
{
	struct sort_page *page = state->pool;

	if (page)
		state->pool = page->next;
	else
		page = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (page) {
		page->next = NULL;
		page->next_run = NULL;
		page->nr = 0;
	}
	return page;
}

static void sort_page_put(struct sort_state *state, struct sort_page *page)
{
	page->next = state->pool;
	state->pool = page;
}

static void sort_run_put(struct sort_state *state, struct sort_page *run)
{
	struct sort_page *next;

	for (; run; run = next) {
		next = run->next;
		sort_page_put(state, run);
	}
}

static int phys_vec_cmp(const void *a, const void *b)
{
	const struct phys_vec *l = a, *r = b;

	return l->paddr < r->paddr ? -1 : l->paddr > r->paddr;
}

/* Sort the entries of one page; they become a run of their own. */
static int sort_run_seal(struct sort_state *state, struct sort_page *page)
{
	unsigned int i;

	sort(page->vecs, page->nr, sizeof(page->vecs[0]), phys_vec_cmp, NULL);
	page->next_run = state->runs;
	state->runs = page;

	for (i = 1; i < page->nr; i++)
		if (page->vecs[i].paddr - page->vecs[i - 1].paddr <
		    page->vecs[i - 1].len)
			return -EINVAL;

	cond_resched();
	return 0;
}

static int sort_load(struct sort_state *state, struct phyr_list *list)
{
	struct sort_page *page = NULL;
	struct phyr_chunk *chunk;
	unsigned int i;
	int ret;

	for (chunk = &list->head; chunk; chunk = chunk->next) {
		for (i = 0; i < chunk->nr; i++) {
			if (page && page->nr == SORT_PAGE_MAX) {
				ret = sort_run_seal(state, page);
				page = NULL;
				if (ret)
					return ret;
			}
			if (!page)
				page = sort_page_get(state);
			if (!page)
				return -ENOMEM;
			page->vecs[page->nr++] = chunk->vecs[i];
		}
	}

	return page ? sort_run_seal(state, page) : 0;
}

/* A sorted sequence being read; pages that are done go back to the pool. */
struct sort_reader {
	struct sort_page *page;
	unsigned int i;
};

static void sort_reader_next(struct sort_state *state, struct sort_reader *r)
{
	struct sort_page *done = r->page;

	if (++r->i < done->nr)
		return;

	r->page = done->next;
	r->i = 0;
	sort_page_put(state, done);
	cond_resched();
}

/*
 * Merge runs @a and @b, which are no longer in state->runs, into one that is.
 * Fails as soon as an entry starts before the one below it has ended.
 */
static int sort_merge(struct sort_state *state, struct sort_page *a,
		      struct sort_page *b, struct sort_page **result)
{
	struct sort_reader l = { .page = a }, r = { .page = b }, *from;
	struct sort_page *first, *out;
	struct phys_vec *last = NULL;
	int ret = -ENOMEM;

	first = sort_page_get(state);
	if (!first)
		goto fail;
	out = first;

	while (l.page || r.page) {
		struct phys_vec vec;

		if (!r.page || (l.page && l.page->vecs[l.i].paddr <=
					  r.page->vecs[r.i].paddr))
			from = &l;
		else
			from = &r;
		vec = from->page->vecs[from->i];

		ret = -EINVAL;
		if (last && vec.paddr - last->paddr < last->len)
			goto fail;

		if (out->nr == SORT_PAGE_MAX) {
			out->next = sort_page_get(state);
			ret = -ENOMEM;
			if (!out->next)
				goto fail;
			out = out->next;
		}
		last = &out->vecs[out->nr++];
		*last = vec;
		sort_reader_next(state, from);
	}

	*result = first;
	return 0;

fail:
	sort_run_put(state, first);
	sort_run_put(state, l.page);
	sort_run_put(state, r.page);
	return ret;
}

/* Give the runs of a pass that was broken off back to the state. */
static void sort_runs_splice(struct sort_state *state, struct sort_page *todo)
{
	struct sort_page **end = &todo;

	while (*end)
		end = &(*end)->next_run;
	*end = state->runs;
	state->runs = todo;
}

static int sort_merge_all(struct sort_state *state)
{
	struct sort_page *todo, *merged, *other;
	int ret;

	while (state->runs && state->runs->next_run) {
		todo = state->runs;
		state->runs = NULL;

		while (todo) {
			merged = todo;
			other = merged->next_run;
			todo = other ? other->next_run : NULL;
			if (other) {
				ret = sort_merge(state, merged, other, &merged);
				if (ret) {
					sort_runs_splice(state, todo);
					return ret;
				}
			}
			merged->next_run = state->runs;
			state->runs = merged;
		}
	}
	return 0;
}

static int phyr_list_check_overlap(struct phyr_list *list)
{
	struct sort_state state = {};
	struct sort_page *next;
	int ret;

	ret = sort_load(&state, list);
	if (!ret)
		ret = sort_merge_all(&state);

	for (; state.runs; state.runs = next) {
		next = state.runs->next_run;
		sort_run_put(&state, state.runs);
	}
	for (; state.pool; state.pool = next) {
		next = state.pool->next;
		kfree(state.pool);
	}
	return ret;
}

/* One entry by itself, whatever its neighbours are. */
static int phyr_check_entry(const struct phyr_mem *mem,
			    const struct phys_vec *vec)
{
	u64 end;

	if (!vec->len || !PAGE_ALIGNED(vec->paddr) || !PAGE_ALIGNED(vec->len))
		return -EINVAL;
	if (check_add_overflow(vec->paddr, vec->len, &end))
		return -EINVAL;
	if (vec->paddr < mem->start || end > mem->end)
		return -EINVAL;
	return 0;
}

/**
 * phyr_list_check - judge a list
 * @list: the list
 * @size: bytes that it must add up to
 *
 * For lists that userspace had a say in: errors only, no warning. Costs one
 * pass where addresses ascend; otherwise a merge sort in single pages.
 *
 * Context: may sleep, and does for a long list.
 * Return: 0; -EINVAL for an empty list, a wrong total, or an entry that is
 * empty, not page-aligned, overflowing, outside its memory or overlapping
 * another; -EOVERFLOW for a total beyond size_t; -ENOMEM.
 */
int phyr_list_check(struct phyr_list *list, u64 size)
{
	struct phyr_chunk *chunk;
	bool ascending = true;
	u64 end = 0, total = 0;
	unsigned int i;
	int ret;

	if (!list->count)
		return -EINVAL;

	for (chunk = &list->head; chunk; chunk = chunk->next) {
		for (i = 0; i < chunk->nr; i++) {
			const struct phys_vec *vec = &chunk->vecs[i];

			ret = phyr_check_entry(chunk->mem, vec);
			if (ret)
				return ret;
			if (check_add_overflow(total, vec->len, &total) ||
			    overflows_type(total, size_t))
				return -EOVERFLOW;
			ascending &= vec->paddr >= end;
			end = vec->paddr + vec->len;
		}
		cond_resched();
	}

	if (total != size)
		return -EINVAL;
	return ascending ? 0 : phyr_list_check_overlap(list);
}
EXPORT_SYMBOL_NS_GPL(phyr_list_check, "PHYR_EXPORTER");

/**
 * phyr_list_finish - judge a list and make it constant
 * @list: the list
 * @size: bytes of the dma-buf that it describes
 * @exporter: name for the warning, if the list is malformed
 *
 * Context: may sleep, and does for a long list.
 * Return: as phyr_list_check(). Anything but -ENOMEM is the exporter's bug and
 * warned about, once.
 */
int phyr_list_finish(struct phyr_list *list, u64 size, const char *exporter)
{
	int ret;

	ret = phyr_list_check(list, size);
	WARN_ONCE(ret && ret != -ENOMEM,
		  "%s: malformed phyr list of %llu entries for %llu bytes: %pe\n",
		  exporter, list->count, size, ERR_PTR(ret));
	if (ret)
		return ret;

	list->size = size;
	list->finished = true;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(phyr_list_finish, "PHYR_EXPORTER");

/**
 * phyr_list_get - take a reference
 * @list: the list
 *
 * Context: any.
 * Return: @list.
 */
struct phyr_list *phyr_list_get(struct phyr_list *list)
{
	kref_get(&list->ref);
	return list;
}
EXPORT_SYMBOL_NS_GPL(phyr_list_get, "PHYR_EXPORTER");

static void phyr_list_release(struct kref *ref)
{
	struct phyr_list *list = container_of(ref, struct phyr_list, ref);
	struct phyr_chunk *chunk, *next;

	for (chunk = list->head.next; chunk; chunk = next) {
		next = chunk->next;
		phyr_mem_put(chunk->mem);
		kfree(chunk);
		cond_resched();
	}
	if (list->head.mem)
		phyr_mem_put(list->head.mem);
	kfree(list);
}

/**
 * phyr_list_put - drop a reference
 * @list: the list, or NULL
 *
 * Context: may sleep.
 */
void phyr_list_put(struct phyr_list *list)
{
	if (list)
		kref_put(&list->ref, phyr_list_release);
}
EXPORT_SYMBOL_NS_GPL(phyr_list_put, "PHYR_EXPORTER");

/**
 * phyr_list_is_pageless - does any of it lie outside system memory?
 * @list: finished list
 *
 * Context: any.
 * Return: true for a list that needs its exporter's device to be there.
 */
bool phyr_list_is_pageless(const struct phyr_list *list)
{
	const struct phyr_chunk *chunk;

	for (chunk = &list->head; chunk; chunk = chunk->next)
		if (chunk->mem->kind != PHYR_MEM_RAM)
			return true;
	return false;
}

/**
 * phyr_list_size - bytes of a finished list
 * @list: the list
 *
 * Context: any.
 * Return: bytes.
 */
u64 phyr_list_size(const struct phyr_list *list)
{
	return list->size;
}
EXPORT_SYMBOL_NS_GPL(phyr_list_size, "PHYR_EXPORTER");

/**
 * phyr_list_count - entries of a list
 * @list: the list
 *
 * Context: any.
 * Return: entries, after merging.
 */
u64 phyr_list_count(const struct phyr_list *list)
{
	return list->count;
}
EXPORT_SYMBOL_NS_GPL(phyr_list_count, "PHYR_EXPORTER");

/**
 * phyr_chunk_seek - find the extent that a byte lies in
 * @chunk: chunk to start from
 * @offset: in: bytes from the start of @chunk; out: bytes into the extent
 * @index: out: the extent's index in the chunk returned
 *
 * Goes by chunk first, then by extent.
 *
 * Context: any.
 * Return: the chunk, or NULL where @offset is at or behind the list's end.
 */
const struct phyr_chunk *phyr_chunk_seek(const struct phyr_chunk *chunk,
					 u64 *offset, unsigned int *index)
{
	unsigned int i = 0;

	for (; chunk && *offset >= chunk->len; chunk = chunk->next)
		*offset -= chunk->len;
	for (; chunk && *offset >= chunk->vecs[i].len; i++)
		*offset -= chunk->vecs[i].len;

	*index = i;
	return chunk;
}

/**
 * phyr_list_first - the list's first chunk
 * @list: the list
 *
 * Context: any.
 * Return: the chunk; never NULL.
 */
const struct phyr_chunk *phyr_list_first(const struct phyr_list *list)
{
	return &list->head;
}

/**
 * phyr_cursor_init - start a walk
 * @cursor: the cursor
 * @list: finished list; must outlive the walk
 * @offset: bytes to skip
 * @len: bytes to walk; @offset + @len must not exceed the list's size
 *
 * Context: any.
 */
void phyr_cursor_init(struct phyr_cursor *cursor, const struct phyr_list *list,
		      u64 offset, u64 len)
{
	cursor->chunk = phyr_chunk_seek(&list->head, &offset, &cursor->index);
	cursor->skip = offset;
	cursor->left = len;
}
EXPORT_SYMBOL_NS_GPL(phyr_cursor_init, "PHYR_EXPORTER");

/**
 * phyr_next - take the next extent
 * @cursor: the cursor
 * @vec: out: the extent, cut where the walk starts or ends inside it
 * @mem: out: the memory it lies in, if not NULL; no reference
 *
 * Context: any.
 * Return: false at the end of the walk.
 */
bool phyr_next(struct phyr_cursor *cursor, struct phys_vec *vec,
	       struct phyr_mem **mem)
{
	const struct phyr_chunk *chunk = cursor->chunk;
	const struct phys_vec *from;

	if (!cursor->left || !chunk)
		return false;

	from = &chunk->vecs[cursor->index];
	vec->paddr = from->paddr + cursor->skip;
	vec->len = min(from->len - cursor->skip, cursor->left);
	if (mem)
		*mem = chunk->mem;

	cursor->left -= vec->len;
	cursor->skip = 0;
	if (++cursor->index == chunk->nr) {
		cursor->chunk = chunk->next;
		cursor->index = 0;
	}
	return true;
}
EXPORT_SYMBOL_NS_GPL(phyr_next, "PHYR_EXPORTER");

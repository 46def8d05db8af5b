// SPDX-License-Identifier: GPL-2.0
/*
 * Overlap of entries that are not in ascending order
 *
 * An exporter whose list has a page twice has a bug. Finding it takes longer
 * than most maps, so only CONFIG_DMABUF_DEBUG and check_lists enable it.
 *
 * Sorts a copy page by page and merges the sorted pages pairwise. Needs as
 * much memory as the list itself, in single pages, and two pages more.
 */
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "internal.h"

static bool check_lists = IS_ENABLED(CONFIG_DMABUF_DEBUG);
module_param(check_lists, bool, 0644);
MODULE_PARM_DESC(check_lists, "sort the lists of exporters to find entries that overlap (default: CONFIG_DMABUF_DEBUG)");

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

/* Sort the entries of one page and add them as a run. */
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

static int sort_load(struct sort_state *state, const struct phyr_chunk *chunk)
{
	struct sort_page *page = NULL;
	unsigned int i;
	int ret;

	for (; chunk; chunk = chunk->next) {
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

/* Reader of a sorted run; pages that were read go back to the pool. */
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
 * Merge runs @a and @b, which are not in state->runs, into @result. Fails at
 * the first entry that starts before the previous one ends.
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

/* Put the remaining runs of an aborted pass back into the state. */
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

/**
 * phyr_chunk_check_overlap - find two entries that overlap, if so configured
 * @chunk: a list's first chunk; no entry is empty or overflows
 *
 * Context: may sleep, and does for a long list.
 * Return: 0, also if overlaps are not looked for; -EINVAL if two entries
 * overlap; -ENOMEM.
 */
int phyr_chunk_check_overlap(const struct phyr_chunk *chunk)
{
	struct sort_state state = {};
	struct sort_page *next;
	int ret;

	if (!READ_ONCE(check_lists))
		return 0;

	ret = sort_load(&state, chunk);
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

// SPDX-License-Identifier: GPL-2.0
/*
 * phyr_list: the physical extents of a buffer
 *
 * A phyr is a physical extent {paddr, len}. A list is a chain of chunks; a
 * chunk holds phyrs of one memory. The first few entries are stored in the
 * list itself. Later chunks grow up to one page, so a list of any length needs
 * no large allocation.
 *
 * Invariants of a finished list: it is not empty; every entry is page-aligned,
 * inside its memory's window and not empty; no two entries overlap; extents
 * that are adjacent in the buffer and in memory are one entry; the lengths add
 * up to the buffer's size. A finished list is constant and refcounted: every
 * mapping holds the list it was created from, also after the buffer has moved.
 */
#include <linux/export.h>
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "internal.h"

#define PHYR_LIST_INLINE	4

/**
 * struct phyr_list - a buffer's extents
 * @ref: references
 * @tail: chunk that gets the next entry
 * @count: number of entries
 * @size: bytes; valid once finished
 * @finished: the list is constant
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
 * phyr_list_create - create an empty list
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

/*
 * Each chunk has twice the bytes of the one before it, up to a page. One that
 * is added because the memory changed starts small again: the change says
 * nothing about the number of entries to come.
 */
static int phyr_list_add_chunk(struct phyr_list *list, struct phyr_mem *mem)
{
	struct phyr_chunk *tail = list->tail, *chunk;
	size_t bytes;

	if (tail->mem == mem)
		bytes = 2 * struct_size(tail, vecs, tail->max);
	else
		bytes = struct_size(tail, vecs, 1);
	bytes = min(roundup_pow_of_two(bytes), PAGE_SIZE);
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
 * Grow the last entry if the new one starts right behind it. The seam must be
 * page-aligned, so that phyr_list_check() still finds a misaligned entry.
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
 * phyr_list_append - append an extent to a list
 * @list: list that is not finished
 * @mem: memory that contains the extent; the list takes its own reference
 * @paddr: physical address of its first byte
 * @len: bytes
 *
 * Does not validate; phyr_list_check() does.
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

/* Validate one entry, independent of the others. */
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
 * phyr_list_check - validate a list
 * @list: the list
 * @size: required total in bytes
 *
 * For lists that userspace can influence: returns an error and does not warn.
 * Takes one pass if addresses ascend; otherwise also a merge sort in single
 * pages.
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
	return ascending ? 0 : phyr_chunk_check_overlap(&list->head);
}
EXPORT_SYMBOL_NS_GPL(phyr_list_check, "PHYR_EXPORTER");

/**
 * phyr_list_finish - validate a list and make it constant
 * @list: the list
 * @size: size in bytes of the dma-buf that it describes
 * @exporter: name for the warning about a malformed list
 *
 * Context: may sleep, and does for a long list.
 * Return: as phyr_list_check(). Any error but -ENOMEM is a bug of the exporter;
 * the first one is warned about.
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
 * phyr_list_is_finished - test whether phyr_list_finish() has accepted a list
 * @list: the list
 *
 * Context: any.
 * Return: true if the list is valid and constant.
 */
bool phyr_list_is_finished(const struct phyr_list *list)
{
	return list->finished;
}

/**
 * phyr_list_is_pageless - test whether a list has page-less memory
 * @list: finished list
 *
 * Context: any.
 * Return: true if any extent lies outside system memory, so that the list
 * depends on the exporter's device.
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
 * phyr_list_size - get the size of a finished list
 * @list: the list
 *
 * Context: any.
 * Return: size in bytes.
 */
u64 phyr_list_size(const struct phyr_list *list)
{
	return list->size;
}
EXPORT_SYMBOL_NS_GPL(phyr_list_size, "PHYR_EXPORTER");

/**
 * phyr_list_count - count the entries of a list
 * @list: the list
 *
 * Context: any.
 * Return: number of entries, after merging.
 */
u64 phyr_list_count(const struct phyr_list *list)
{
	return list->count;
}
EXPORT_SYMBOL_NS_GPL(phyr_list_count, "PHYR_EXPORTER");

/**
 * phyr_chunk_seek - find the extent that contains a byte
 * @chunk: chunk to start from
 * @offset: in: bytes from the start of @chunk; out: bytes into the extent
 * @index: out: the extent's index in the chunk returned
 *
 * Skips whole chunks first, then extents.
 *
 * Context: any.
 * Return: the chunk, or NULL if @offset is at or beyond the end of the list.
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
 * phyr_list_first - get the first chunk of a list
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
 * phyr_cursor_init - start a walk of a list
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
 * phyr_next - get the next extent of a walk
 * @cursor: the cursor
 * @vec: out: the extent, cut at the start and end of the walk
 * @mem: out: the memory that contains it, without a reference; may be NULL
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

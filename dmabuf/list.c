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
 * inside its memory's window and not empty; extents that are adjacent in the
 * buffer and in memory are one entry; the lengths add up to the buffer's size.
 * A finished list is constant and refcounted: every mapping holds the list it
 * was created from, also after the buffer has moved. A long one has an index
 * (index.c), so that a byte at a random offset is found in O(log n).
 *
 * There are two kinds of list. An exporter's list (phyr_list_finish())
 * describes memory that the exporter allocated: a malformed one is a bug and
 * warns, and no two entries may overlap. Finding an overlap takes a sort, so
 * only debug kernels and check_lists look for it (overlap.c).
 *
 * A composed list (phyr_list_finish_composed()) describes what userspace named:
 * pinned user memory, or parts of other buffers. A malformed one is userspace's
 * fault and never warns; the same page may occur again. It starts and ends at
 * any byte: @skip bytes of the first page and the rest of the last page do not
 * belong to the buffer. Only whole pages can be mapped, so the entries are
 * whole pages, and walks cut them.
 *
 * Composed lists own what they describe: a release hook unpins it or drops the
 * references. The last reference to a list is often dropped under a reservation
 * lock, while the hook may take the mmap lock, folio locks or other reservation
 * locks. It is therefore called from a workqueue, without any lock.
 */
#include <linux/export.h>
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "internal.h"

#define PHYR_LIST_INLINE	4

/**
 * struct phyr_list - a buffer's extents
 * @ref: references
 * @skip: bytes of the first page before the buffer
 * @finished: the list is constant
 * @mixed: not all entries are in one memory
 * @pageless: some entry is not in system memory
 * @paged: some entry is in system memory
 * @peer: some entry is in a BAR
 * @no_cpu: some entry is in memory that the CPU must not map
 * @readonly: devices must not write it
 * @tail: chunk that gets the next entry
 * @count: number of entries
 * @size: bytes of the buffer; valid once finished
 * @index: index of the entries, or NULL; valid once finished
 * @release: called after the last reference is dropped, or NULL
 * @priv: for @release
 * @work: calls @release
 * @head: the first chunk, with room for PHYR_LIST_INLINE entries
 */
struct phyr_list {
	struct kref ref;
	unsigned int skip;
	bool finished;
	bool mixed;
	bool pageless;
	bool paged;
	bool peer;
	bool no_cpu;
	bool readonly;
	struct phyr_chunk *tail;
	u64 count;
	u64 size;
	struct phyr_index *index;
	void (*release)(struct phyr_list *list, void *priv);
	void *priv;
	struct work_struct work;
	struct phyr_chunk head;
};

/* Runs the release hooks. */
static struct workqueue_struct *phyr_list_wq;

/**
 * phyr_list_init - prepare for release hooks
 *
 * Context: module init.
 * Return: 0 or -ENOMEM.
 */
int phyr_list_init(void)
{
	/* Hooks may take long, and nothing in reclaim waits for them. */
	phyr_list_wq = alloc_workqueue("phyr_release", WQ_UNBOUND, 0);
	return phyr_list_wq ? 0 : -ENOMEM;
}

/**
 * phyr_list_exit - run the release hooks that are left
 *
 * Context: module exit; may sleep.
 */
void phyr_list_exit(void)
{
	destroy_workqueue(phyr_list_wq);
}

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
	if (mem->kind == PHYR_MEM_RAM)
		list->paged = true;
	else
		list->pageless = true;
	list->peer |= mem->kind == PHYR_MEM_P2P;
	list->no_cpu |= mem->cache == PHYR_MEM_NO_CPU;
	list->mixed |= mem != list->head.mem;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(phyr_list_append, "PHYR_EXPORTER");

/**
 * phyr_list_append_part - append the pages of a part of another list
 * @list: list that is not finished
 * @from: finished list; not kept
 * @offset: first byte of the part, in the buffer that @from describes
 * @len: bytes, not 0; @offset + @len is within that buffer
 * @skip: out: bytes of the first page that is appended before the part's first
 *	byte
 *
 * Appends whole pages: the first and the last may have bytes that do not belong
 * to the part. If devices must not write @from, they must not write @list.
 *
 * Context: one caller at a time; may sleep.
 * Return: 0 or -ENOMEM.
 */
int phyr_list_append_part(struct phyr_list *list, const struct phyr_list *from,
			  u64 offset, u64 len, u64 *skip)
{
	u64 start = from->skip + offset;
	struct phyr_cursor cursor = {
		.skip = round_down(start, PAGE_SIZE),
		.left = round_up(start + len, PAGE_SIZE) -
			round_down(start, PAGE_SIZE),
	};
	struct phyr_mem *mem;
	struct phys_vec vec;
	int ret;

	cursor.chunk = phyr_list_seek(from, &cursor.skip, &cursor.index);
	while (phyr_next(&cursor, &vec, &mem)) {
		ret = phyr_list_append(list, mem, vec.paddr, vec.len);
		if (ret)
			return ret;
		cond_resched();
	}
	list->readonly |= from->readonly;
	*skip = offset_in_page(start);
	return 0;
}

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

/*
 * Validate each entry and add up the lengths. @ascending is set if the
 * addresses ascend, so that no two entries can overlap.
 */
static int phyr_list_check_entries(const struct phyr_list *list, u64 *total,
				   bool *ascending)
{
	const struct phyr_chunk *chunk;
	unsigned int i;
	u64 end = 0;
	int ret;

	*total = 0;
	*ascending = true;
	if (!list->count)
		return -EINVAL;

	for (chunk = &list->head; chunk; chunk = chunk->next) {
		for (i = 0; i < chunk->nr; i++) {
			const struct phys_vec *vec = &chunk->vecs[i];

			ret = phyr_check_entry(chunk->mem, vec);
			if (ret)
				return ret;
			if (check_add_overflow(*total, vec->len, total) ||
			    overflows_type(*total, size_t))
				return -EOVERFLOW;
			*ascending &= vec->paddr >= end;
			end = vec->paddr + vec->len;
		}
		cond_resched();
	}
	return 0;
}

/**
 * phyr_list_check - validate an exporter's list
 * @list: the list
 * @size: required total in bytes
 *
 * Returns an error and does not warn. Takes one pass. With CONFIG_DMABUF_DEBUG,
 * or the module parameter check_lists, it also looks for overlaps: unless
 * addresses ascend, that is a merge sort in single pages.
 *
 * Context: may sleep, and does for a long list.
 * Return: 0; -EINVAL for an empty list, a wrong total, or an entry that is
 * empty, not page-aligned, overflowing, outside its memory or, if that is
 * looked for, overlapping another; -EOVERFLOW for a total beyond size_t;
 * -ENOMEM.
 */
int phyr_list_check(struct phyr_list *list, u64 size)
{
	bool ascending;
	u64 total;
	int ret;

	ret = phyr_list_check_entries(list, &total, &ascending);
	if (ret)
		return ret;
	if (total != size)
		return -EINVAL;
	return ascending ? 0 : phyr_chunk_check_overlap(&list->head);
}
EXPORT_SYMBOL_NS_GPL(phyr_list_check, "PHYR_EXPORTER");

static int phyr_list_create_index(struct phyr_list *list)
{
	struct phyr_chunk *chunk;
	struct phyr_index *index;
	unsigned int i;

	if (list->count <= PHYR_INDEX_MIN)
		return 0;

	index = phyr_index_create(list->count);
	if (!index)
		return -ENOMEM;

	for (chunk = &list->head; chunk; chunk = chunk->next) {
		for (i = 0; i < chunk->nr; i++) {
			if (phyr_index_add(index, chunk, i,
					   chunk->vecs[i].len)) {
				phyr_index_free(index);
				return -ENOMEM;
			}
		}
		cond_resched();
	}
	list->index = index;
	return 0;
}

/* Make a valid list constant. */
static int phyr_list_seal(struct phyr_list *list, unsigned int skip, u64 size)
{
	int ret;

	ret = phyr_list_create_index(list);
	if (ret)
		return ret;

	list->skip = skip;
	list->size = size;
	list->finished = true;
	return 0;
}

/**
 * phyr_list_finish - validate an exporter's list and make it constant
 * @list: the list
 * @size: size in bytes of the dma-buf that it describes
 * @exporter: name for the warning about a malformed list
 *
 * Context: may sleep, and does for a long list.
 * Return: as phyr_list_check(). Any error but -ENOMEM is a bug of the exporter;
 * the first one is warned about. -EINVAL also for a list that is finished.
 */
int phyr_list_finish(struct phyr_list *list, u64 size, const char *exporter)
{
	int ret;

	if (WARN_ON_ONCE(list->finished))
		return -EINVAL;

	ret = phyr_list_check(list, size);
	WARN_ONCE(ret && ret != -ENOMEM,
		  "%s: malformed phyr list of %llu entries for %llu bytes: %pe\n",
		  exporter, list->count, size, ERR_PTR(ret));
	return ret ?: phyr_list_seal(list, 0, size);
}
EXPORT_SYMBOL_NS_GPL(phyr_list_finish, "PHYR_EXPORTER");

/**
 * phyr_list_finish_composed - validate a composed list and make it constant
 * @list: the list, of whole pages; a page may occur more than once
 * @skip: bytes of the first page before the first byte; less than PAGE_SIZE
 * @size: bytes from there; the buffer ends in the last page of the list
 *
 * For lists that userspace composes: pinned user memory, parts of buffers. A
 * malformed list is an error and no bug of the caller: does not warn.
 *
 * Context: may sleep, and does for a long list.
 * Return: 0; -EINVAL for an empty list, an entry that is empty, not
 * page-aligned, overflowing or outside its memory, an @skip of a page or more,
 * a @size of 0 or one that does not end in the last page, or a list that is
 * finished; -EOVERFLOW for a total beyond S64_MAX; -ENOMEM.
 */
int phyr_list_finish_composed(struct phyr_list *list, u64 skip, u64 size)
{
	bool ascending;
	u64 total, end;
	int ret;

	if (list->finished)
		return -EINVAL;

	ret = phyr_list_check_entries(list, &total, &ascending);
	if (ret)
		return ret;
	/* Neither a file nor an IOVA range can be larger. */
	if (total > S64_MAX)
		return -EOVERFLOW;
	if (!size || skip >= PAGE_SIZE || check_add_overflow(skip, size, &end) ||
	    end > total || total - end >= PAGE_SIZE)
		return -EINVAL;
	return phyr_list_seal(list, skip, size);
}
EXPORT_SYMBOL_NS_GPL(phyr_list_finish_composed, "PHYR_EXPORTER");

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

static void phyr_list_free(struct phyr_list *list)
{
	struct phyr_chunk *chunk, *next;

	for (chunk = list->head.next; chunk; chunk = next) {
		next = chunk->next;
		phyr_mem_put(chunk->mem);
		kfree(chunk);
		cond_resched();
	}
	if (list->head.mem)
		phyr_mem_put(list->head.mem);
	phyr_index_free(list->index);
	kfree(list);
}

static void phyr_list_work(struct work_struct *work)
{
	struct phyr_list *list = container_of(work, struct phyr_list, work);

	list->release(list, list->priv);
	phyr_list_free(list);
}

/**
 * phyr_list_set_release - set the hook for the last reference
 * @list: the list, finished or not, to which the caller has the only reference
 * @release: called once, after the last reference is dropped, with @priv and
 *	with the list, which it may walk but not keep
 * @priv: for @release
 *
 * From here on the list owns what it describes: @release unpins the memory or
 * drops the references to it, also if the list is never finished. It is called
 * from a workqueue, without any lock, and may sleep. A module that passes a
 * function of its own must call phyr_list_flush() before it is unloaded, after
 * it has dropped its last such list.
 *
 * Context: any.
 */
void phyr_list_set_release(struct phyr_list *list,
			   void (*release)(struct phyr_list *list, void *priv),
			   void *priv)
{
	INIT_WORK(&list->work, phyr_list_work);
	list->priv = priv;
	list->release = release;
}
EXPORT_SYMBOL_NS_GPL(phyr_list_set_release, "PHYR_EXPORTER");

/**
 * phyr_list_flush - wait for release hooks
 *
 * Returns when the hook of every list whose last reference was dropped before
 * the call has run. If such a hook drops the last reference to another list with
 * a hook, that one may still be due: flush once for each level.
 *
 * Context: no lock that a hook takes is held; sleeps.
 */
void phyr_list_flush(void)
{
	flush_workqueue(phyr_list_wq);
}
EXPORT_SYMBOL_NS_GPL(phyr_list_flush, "PHYR_EXPORTER");

static void phyr_list_release(struct kref *ref)
{
	struct phyr_list *list = container_of(ref, struct phyr_list, ref);

	if (list->release)
		queue_work(phyr_list_wq, &list->work);
	else
		phyr_list_free(list);
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
 * phyr_list_is_finished - test whether a list was accepted
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
 * @list: the list
 *
 * Context: any.
 * Return: true if any extent lies outside system memory, so that the list
 * depends on the exporter's device.
 */
bool phyr_list_is_pageless(const struct phyr_list *list)
{
	return list->pageless;
}

/**
 * phyr_list_is_mappable - test whether the CPU may map all memory of a list
 * @list: the list
 *
 * Context: any.
 * Return: true if it may.
 */
bool phyr_list_is_mappable(const struct phyr_list *list)
{
	return !list->no_cpu;
}

/**
 * phyr_list_has_pages - test whether a list has system memory
 * @list: the list
 *
 * Context: any.
 * Return: true if any extent lies in system memory.
 */
bool phyr_list_has_pages(const struct phyr_list *list)
{
	return list->paged;
}

/**
 * phyr_list_has_peer - test whether a list has memory of a device
 * @list: the list
 *
 * Context: any.
 * Return: true if any extent lies in a BAR.
 */
bool phyr_list_has_peer(const struct phyr_list *list)
{
	return list->peer;
}

/**
 * phyr_list_set_readonly - forbid devices to write
 * @list: list to which the caller has the only reference
 *
 * A map of @list fails with -EACCES, unless it is DMA_TO_DEVICE.
 *
 * Context: any.
 */
void phyr_list_set_readonly(struct phyr_list *list)
{
	list->readonly = true;
}
EXPORT_SYMBOL_NS_GPL(phyr_list_set_readonly, "PHYR_EXPORTER");

/**
 * phyr_list_is_readonly - test whether devices must not write
 * @list: the list
 *
 * Context: any.
 * Return: true after phyr_list_set_readonly().
 */
bool phyr_list_is_readonly(const struct phyr_list *list)
{
	return list->readonly;
}

/**
 * phyr_list_mem - get the only memory of a list
 * @list: list with at least one entry
 *
 * Context: any.
 * Return: the memory that contains all entries, without a reference; NULL if
 * they are in several.
 */
struct phyr_mem *phyr_list_mem(const struct phyr_list *list)
{
	return list->mixed ? NULL : list->head.mem;
}

/**
 * phyr_list_skip - get the start of the buffer in a list
 * @list: finished list
 *
 * Context: any.
 * Return: bytes of the first page before the first byte; 0 unless the list is
 * composed.
 */
u64 phyr_list_skip(const struct phyr_list *list)
{
	return list->skip;
}

/**
 * phyr_list_size - get the size of a finished list
 * @list: the list
 *
 * Context: any.
 * Return: size of the buffer in bytes.
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

/*
 * Find the extent that contains the byte @offset, counted from entry @i of
 * @chunk. Skips whole chunks where it can.
 */
static const struct phyr_chunk *
phyr_chunk_seek_from(const struct phyr_chunk *chunk, unsigned int i,
		     u64 *offset, unsigned int *index)
{
	for (; chunk; chunk = chunk->next, i = 0) {
		if (!i && *offset >= chunk->len) {
			*offset -= chunk->len;
			continue;
		}
		for (; i < chunk->nr; i++) {
			if (*offset < chunk->vecs[i].len)
				goto found;
			*offset -= chunk->vecs[i].len;
		}
	}
	i = 0;
found:
	*index = i;
	return chunk;
}

/**
 * phyr_chunk_seek - find the extent that contains a byte, without an index
 * @chunk: chunk to start from
 * @offset: in: bytes from the start of @chunk; out: bytes into the extent
 * @index: out: the extent's index in the chunk returned
 *
 * Linear: for short lists, and for bytes in or near @chunk.
 *
 * Context: any.
 * Return: the chunk, or NULL if @offset is at or beyond the end of the list.
 */
const struct phyr_chunk *phyr_chunk_seek(const struct phyr_chunk *chunk,
					 u64 *offset, unsigned int *index)
{
	return phyr_chunk_seek_from(chunk, 0, offset, index);
}

/**
 * phyr_list_seek - find the extent that contains a byte
 * @list: the list
 * @offset: in: bytes from the start of the first entry, the list's skip
 *	included; out: bytes into the extent
 * @index: out: the extent's index in the chunk returned
 *
 * O(log n) in a finished list. Reads at most PHYR_INDEX_STRIDE extents, or the
 * PHYR_INDEX_MIN extents of a list that has no index.
 *
 * Context: any.
 * Return: the chunk, or NULL if @offset is at or beyond the end of the list.
 */
const struct phyr_chunk *phyr_list_seek(const struct phyr_list *list,
					u64 *offset, unsigned int *index)
{
	const struct phyr_index_entry *from;

	if (!list->index)
		return phyr_chunk_seek_from(&list->head, 0, offset, index);

	from = phyr_index_find(list->index, *offset);
	*offset -= from->start;
	return phyr_chunk_seek_from(from->at, from->i, offset, index);
}

/**
 * phyr_list_find_chunk - find the chunk that contains a byte
 * @list: the list
 * @offset: in: bytes from the start of the first entry; less than the sum of
 *	all. Out: bytes into the chunk
 *
 * Takes as long as phyr_list_seek(), and adds up the extents of one chunk.
 *
 * Context: any.
 * Return: the chunk.
 */
const struct phyr_chunk *phyr_list_find_chunk(const struct phyr_list *list,
					      u64 *offset)
{
	const struct phyr_chunk *chunk;
	unsigned int index;

	chunk = phyr_list_seek(list, offset, &index);
	while (index--)
		*offset += chunk->vecs[index].len;
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
 * @offset: bytes of the buffer to skip
 * @len: bytes to walk; cut at the end of the buffer
 *
 * Context: any.
 */
void phyr_cursor_init(struct phyr_cursor *cursor, const struct phyr_list *list,
		      u64 offset, u64 len)
{
	/* The rest of a composed list's last page is somebody else's. */
	if (list->finished) {
		offset = min(offset, list->size);
		len = min(len, list->size - offset);
	}
	offset += list->skip;
	cursor->chunk = phyr_list_seek(list, &offset, &cursor->index);
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

// SPDX-License-Identifier: GPL-2.0
/*
 * phyr_index: where the entries of a long list start
 *
 * A list is a chain, so that it needs no large allocation. An importer that
 * maps or walks a part of it must find the entry that contains a byte without
 * reading the chain from its start. The index has the position of one entry of
 * PHYR_INDEX_STRIDE, in ascending order, in blocks of at most a page; further
 * levels of blocks find the block. A search reads one block per level, and at
 * most PHYR_INDEX_STRIDE entries of the list.
 *
 * An index does not know what it indexes: the extents of a phyr list, the
 * stored ranges of a mapping, the entries of a scatterlist or the segments of a
 * dma_range_list. It is filled once, together with its list, and constant after
 * that.
 */
#include <linux/sched.h>
#include <linux/slab.h>

#include "internal.h"

/**
 * struct phyr_index_block - a node of the tree
 * @next: the block allocated before this one, of any level, or NULL
 * @nr: entries in use
 * @max: capacity of @entries
 * @entries: ascending; on level 0 positions in the list, above that blocks
 */
struct phyr_index_block {
	struct phyr_index_block *next;
	unsigned int nr;
	unsigned int max;
	struct phyr_index_entry entries[] __counted_by(max);
};

#define PHYR_INDEX_BLOCK_MAX \
	((PAGE_SIZE - offsetof(struct phyr_index_block, entries)) / \
	 sizeof(struct phyr_index_entry))

/* 170^7 is more than 2^48, the number of entries for 2^64 bytes of pages. */
#define PHYR_INDEX_LEVELS	7

/**
 * struct phyr_index - an index
 * @blocks: all blocks, for the free
 * @last: per level, the block that gets the next entry
 * @levels: levels in use; the highest has one block
 * @left: entries of level 0 that are expected; sizes its blocks
 * @nr: entries of the list that were added
 * @end: first byte behind them
 */
struct phyr_index {
	struct phyr_index_block *blocks;
	struct phyr_index_block *last[PHYR_INDEX_LEVELS];
	unsigned int levels;
	u64 left;
	u64 nr;
	u64 end;
};

/**
 * phyr_index_create - create an index
 * @count: number of entries of the list
 *
 * Context: may sleep.
 * Return: an empty index, to be released by phyr_index_free(), or NULL.
 */
struct phyr_index *phyr_index_create(u64 count)
{
	struct phyr_index *index;

	index = kzalloc_obj(*index, GFP_KERNEL_ACCOUNT);
	if (index)
		index->left = DIV_ROUND_UP_ULL(count, PHYR_INDEX_STRIDE);
	return index;
}

/**
 * phyr_index_free - free an index
 * @index: the index, complete or not, or NULL
 *
 * Context: may sleep.
 */
void phyr_index_free(struct phyr_index *index)
{
	struct phyr_index_block *block, *next;

	if (!index)
		return;

	for (block = index->blocks; block; block = next) {
		next = block->next;
		kfree(block);
		cond_resched();
	}
	kfree(index);
}

/* Make @block the last one of @level; @first is its first entry. */
static struct phyr_index_block *
phyr_index_add_block(struct phyr_index *index, unsigned int level,
		     const struct phyr_index_entry *first)
{
	struct phyr_index_block *block;
	u64 room = PHYR_INDEX_BLOCK_MAX;

	if (!level) {
		room = clamp(index->left, 1, room);
		index->left -= min(index->left, room);
	}
	block = kmalloc(struct_size(block, entries, room), GFP_KERNEL_ACCOUNT);
	if (!block)
		return NULL;

	block->max = room;
	block->nr = 1;
	block->entries[0] = *first;
	block->next = index->blocks;
	index->blocks = block;
	index->last[level] = block;
	index->levels = max(index->levels, level + 1);
	return block;
}

/*
 * Insert behind all others: into the last block, or into a new one, which the
 * level above must then know.
 */
static int phyr_index_insert(struct phyr_index *index,
			     struct phyr_index_entry entry)
{
	struct phyr_index_block *block, *added;
	struct phyr_index_entry first;
	unsigned int level;

	for (level = 0;; level++) {
		block = index->last[level];
		if (block && block->nr < block->max) {
			block->entries[block->nr++] = entry;
			return 0;
		}
		added = phyr_index_add_block(index, level, &entry);
		if (!added)
			return -ENOMEM;
		if (!block)
			return 0;

		/* The only block of a level has no parent. */
		first = (struct phyr_index_entry) {
			.start = block->entries[0].start,
			.at = block,
		};
		if (!index->last[level + 1] &&
		    !phyr_index_add_block(index, level + 1, &first))
			return -ENOMEM;
		entry = (struct phyr_index_entry) {
			.start = entry.start,
			.at = added,
		};
	}
}

/**
 * phyr_index_add - add the next entry of the list
 * @index: the index
 * @at: chunk, scatterlist entry or segment
 * @i: position in the chunk
 * @len: bytes of the entry; may be 0
 *
 * Call it once for each entry, in the list's order. Stores one of
 * PHYR_INDEX_STRIDE.
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM; then only phyr_index_free() may follow.
 */
int phyr_index_add(struct phyr_index *index, const void *at, unsigned int i,
		   u64 len)
{
	struct phyr_index_entry entry = { .start = index->end, .at = at,
					  .i = i };

	index->end += len;
	if (index->nr++ % PHYR_INDEX_STRIDE)
		return 0;
	return phyr_index_insert(index, entry);
}

/* Find the last entry that starts at or before @offset, as the first one does. */
static const struct phyr_index_entry *
phyr_index_block_find(const struct phyr_index_block *block, u64 offset)
{
	unsigned int low = 0, high = block->nr, mid;

	while (high - low > 1) {
		mid = low + (high - low) / 2;
		if (block->entries[mid].start <= offset)
			low = mid;
		else
			high = mid;
	}
	return &block->entries[low];
}

/**
 * phyr_index_find - find a position from which a byte is near
 * @index: index with at least one entry
 * @offset: the byte, counted from the start of the list
 *
 * Context: any.
 * Return: the last position in the index that is at or before @offset. The
 * entry that contains @offset, if there is one, is less than PHYR_INDEX_STRIDE
 * entries behind it.
 */
const struct phyr_index_entry *phyr_index_find(const struct phyr_index *index,
					       u64 offset)
{
	unsigned int level = index->levels - 1;
	const struct phyr_index_block *block = index->last[level];
	const struct phyr_index_entry *entry;

	for (;;) {
		entry = phyr_index_block_find(block, offset);
		if (!level--)
			return entry;
		block = entry->at;
	}
}

// SPDX-License-Identifier: GPL-2.0
/*
 * dma_range_list: a mapping that an importer walks
 *
 * A list is a chain of segments; a segment is a run of memory mapped in one mode.
 * Most lists have one segment. Behind an IOMMU a segment is one range, and those
 * of a list lie in one IOVA range. With bus addresses or a window it is the phyr
 * list plus a constant offset, and no ranges are stored. Ranges are stored only
 * if each extent is mapped separately.
 *
 * Nothing is stored for the importer's segment limits either: the cursor
 * splits ranges during the walk.
 *
 * A walk may start at any byte. It takes O(log n) to get there: stored ranges,
 * tables and segments have an index (index.c) if there are many, and the phyr
 * list has its own.
 */
#include <linux/dma-map-ops.h>
#include <linux/export.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "internal.h"

/**
 * dma_range_list_alloc - allocate an empty list
 * @limits: segment limits that the cursor applies, or NULL
 *
 * Context: may sleep.
 * Return: a list without segments, or NULL.
 */
struct dma_range_list *dma_range_list_alloc(const struct phyr_limits *limits)
{
	struct dma_range_list *ranges;

	ranges = kzalloc_obj(*ranges, GFP_KERNEL_ACCOUNT);
	if (!ranges)
		return NULL;

	INIT_LIST_HEAD(&ranges->node);
	if (limits)
		ranges->limits = *limits;
	return ranges;
}

/* False for memory that CPU and device may use without a sync. */
static bool dma_range_segment_syncs(const struct dma_range_list *ranges,
				    const struct dma_range_segment *segment)
{
	return segment->mode == PHYR_MAP_EXTENT && !segment->attrs &&
	       !dev_is_dma_coherent(ranges->dev);
}

/*
 * Sync what the mapping covers of a stored range that starts @pos bytes after
 * the first mapped page. The rest of the first and of the last page is somebody
 * else's, who may have written it by the CPU meanwhile.
 */
static void dma_range_sync(const struct dma_range_list *ranges,
			   const struct dma_range_extent *range, u64 pos,
			   bool for_cpu)
{
	u64 start = max(pos, ranges->skip);
	u64 end = min(pos + range->len, ranges->skip + ranges->len);
	dma_addr_t addr = range->addr + (start - pos);

	if (for_cpu)
		dma_sync_single_for_cpu(ranges->dev, addr, end - start,
					ranges->dir);
	else
		dma_sync_single_for_device(ranges->dev, addr, end - start,
					   ranges->dir);
}

static void dma_range_sync_extents(const struct dma_range_list *ranges,
				   const struct dma_range_segment *segment,
				   u64 pos, bool for_cpu)
{
	const struct dma_range_chunk *chunk;
	unsigned int i;

	for (chunk = segment->chunks; chunk; chunk = chunk->next) {
		for (i = 0; i < chunk->nr; i++) {
			dma_range_sync(ranges, &chunk->ranges[i], pos, for_cpu);
			pos += chunk->ranges[i].len;
		}
		cond_resched();
	}
}

/**
 * dma_range_list_sync - hand the memory of a mapping to the CPU or the device
 * @ranges: the list; may be unmapped already
 * @for_cpu: to the CPU
 *
 * Context: the dma-buf's reservation lock is held; may sleep.
 */
void dma_range_list_sync(struct dma_range_list *ranges, bool for_cpu)
{
	const struct dma_range_segment *segment;
	u64 pos = 0;

	if (!ranges->len)
		return;

	for (segment = ranges->segments; segment; segment = segment->next) {
		if (dma_range_segment_syncs(ranges, segment))
			dma_range_sync_extents(ranges, segment, pos, for_cpu);
		pos += segment->len;
		cond_resched();
	}
}

/*
 * Does not touch CPU caches: the memory may belong to somebody else by now.
 * dma_range_list_sync() has, if it does not.
 */
static void dma_range_unmap_extents(struct dma_range_list *ranges,
				    const struct dma_range_segment *segment)
{
	unsigned long attrs = segment->attrs ?: DMA_ATTR_SKIP_CPU_SYNC;
	const struct dma_range_chunk *chunk;
	unsigned int i;

	for (chunk = segment->chunks; chunk; chunk = chunk->next) {
		for (i = 0; i < chunk->nr; i++)
			dma_unmap_phys(ranges->dev, chunk->ranges[i].addr,
				       chunk->ranges[i].len, ranges->dir,
				       attrs);
		cond_resched();
	}
}

/**
 * dma_range_segment_unmap - unmap one segment
 * @ranges: the segment's list
 * @segment: a mapped segment
 *
 * Context: the dma-buf's reservation lock is held; may sleep.
 */
void dma_range_segment_unmap(struct dma_range_list *ranges,
			     struct dma_range_segment *segment)
{
	switch (segment->mode) {
	case PHYR_MAP_EXTENT:
		dma_range_unmap_extents(ranges, segment);
		break;
	case PHYR_MAP_SGT:
		if (ranges->table_of)
			dma_buf_unmap_attachment(ranges->table_of, segment->sgt,
						 ranges->dir);
		break;
	case PHYR_MAP_IOVA:	/* see dma_range_list_unmap() */
	case PHYR_MAP_BUS:
	case PHYR_MAP_WINDOW:
		break;
	case PHYR_MAP_DOMAIN:
		phyr_domain_unmap(segment->range);
		break;
	}
}

/**
 * dma_range_list_set_priv - attach the importer's data to a mapping
 * @ranges: the list
 * @priv: private pointer, for dma_range_list_priv()
 * @destroy: called once with @priv when the mapping ends, or NULL
 *
 * For descriptors that are built from the ranges once and used until the
 * mapping ends, whoever ends it: a move, a revoke, phyr_unmap() or
 * phyr_detach(). @destroy is called before the memory is unmapped, when no DMA
 * uses the mapping any more, and from then on dma_range_list_priv() returns
 * NULL.
 *
 * Context of @destroy: that of the task that ends the mapping, which may be
 * another client's. The dma-buf's reservation lock is held, or that of a part
 * of a composed one, so @destroy must not take it, nor detach, nor map or
 * unmap through the attachment, nor wait for anyone who does. It may sleep, but must
 * not wait for fences, nor allocate memory, since the buffer may be moving
 * because memory is short. For a list of dma_range_list_from_sgt(): the
 * context of dma_range_list_free().
 *
 * Context: as a walk: under all locks of phyr_attachment_resv(), or under a
 * fence in each.
 * Return: 0; -EAGAIN if the mapping has ended already, -EEXIST if it has a
 * private pointer. On error the caller still owns @priv.
 */
int dma_range_list_set_priv(struct dma_range_list *ranges, void *priv,
			    void (*destroy)(void *priv))
{
	if (!ranges->len)
		return -EAGAIN;
	if (ranges->priv || ranges->destroy)
		return -EEXIST;

	ranges->priv = priv;
	ranges->destroy = destroy;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_range_list_set_priv, "PHYR");

/**
 * dma_range_list_priv - get the importer's data of a mapping
 * @ranges: the list
 *
 * Context: as a walk: under all locks of phyr_attachment_resv(), or under a
 * fence in each.
 * Return: the @priv of dma_range_list_set_priv(), or NULL if there is none, or
 * if the mapping has ended.
 */
void *dma_range_list_priv(const struct dma_range_list *ranges)
{
	return ranges->priv;
}
EXPORT_SYMBOL_NS_GPL(dma_range_list_priv, "PHYR");

static void dma_range_list_destroy_priv(struct dma_range_list *ranges)
{
	void (*destroy)(void *priv) = ranges->destroy;
	void *priv = ranges->priv;

	ranges->destroy = NULL;
	ranges->priv = NULL;
	if (destroy)
		destroy(priv);
}

/**
 * dma_range_lists_destroy_priv - end the importer's data of mappings
 * @lists: struct dma_range_list that are to be unmapped together, linked by
 *	their node; some may have no data
 *
 * Context: as @destroy of dma_range_list_set_priv().
 */
void dma_range_lists_destroy_priv(struct list_head *lists)
{
	struct dma_range_list *ranges;

	list_for_each_entry(ranges, lists, node)
		dma_range_list_destroy_priv(ranges);
}

/**
 * dma_range_list_unmap - unmap a list without freeing it
 * @ranges: the list; may be unmapped already
 *
 * Afterwards the device reaches nothing through @ranges, its walk is empty, and
 * the importer's data is gone.
 *
 * Context: the dma-buf's reservation lock is held; may sleep.
 */
void dma_range_list_unmap(struct dma_range_list *ranges)
{
	struct dma_range_segment *segment;

	if (!ranges->len)
		return;

	dma_range_list_destroy_priv(ranges);
	for (segment = ranges->segments; segment; segment = segment->next) {
		dma_range_segment_unmap(ranges, segment);
		cond_resched();
	}
	/* Whatever is linked there has no CPU caches to maintain. */
	if (dma_use_iova(&ranges->iova))
		dma_iova_destroy(ranges->dev, &ranges->iova, ranges->linked,
				 ranges->dir, DMA_ATTR_SKIP_CPU_SYNC);
	ranges->len = 0;
}

static int dma_range_index_extents(struct phyr_index *index,
				   const struct dma_range_segment *segment)
{
	const struct dma_range_chunk *chunk;
	unsigned int i;
	int ret;

	for (chunk = segment->chunks; chunk; chunk = chunk->next) {
		for (i = 0; i < chunk->nr; i++) {
			ret = phyr_index_add(index, chunk, i,
					     chunk->ranges[i].len);
			if (ret)
				return ret;
		}
		cond_resched();
	}
	return 0;
}

static int dma_range_index_sgt(struct phyr_index *index,
			       const struct dma_range_segment *segment)
{
	struct scatterlist *sg;
	unsigned int i;
	int ret;

	for_each_sgtable_dma_sg(segment->sgt, sg, i) {
		ret = phyr_index_add(index, sg, 0, sg_dma_len(sg));
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}

/**
 * dma_range_segment_create_index - index the stored ranges of a segment
 * @segment: segment with stored ranges or a table
 * @count: number of ranges or entries; a few need no index
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int dma_range_segment_create_index(struct dma_range_segment *segment, u64 count)
{
	struct phyr_index *index;
	int ret;

	segment->index = NULL;
	if (count <= PHYR_INDEX_MIN)
		return 0;

	index = phyr_index_create(count);
	if (!index)
		return -ENOMEM;

	if (segment->mode == PHYR_MAP_EXTENT)
		ret = dma_range_index_extents(index, segment);
	else
		ret = dma_range_index_sgt(index, segment);
	if (ret)
		phyr_index_free(index);
	else
		segment->index = index;
	return ret;
}

/**
 * dma_range_list_create_index - index the segments of a list
 * @ranges: list with all its segments; a few need no index
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int dma_range_list_create_index(struct dma_range_list *ranges)
{
	const struct dma_range_segment *segment;
	u64 count = 0;
	int ret;

	for (segment = ranges->segments; segment; segment = segment->next)
		count++;
	if (count <= PHYR_INDEX_MIN)
		return 0;

	ranges->index = phyr_index_create(count);
	if (!ranges->index)
		return -ENOMEM;

	for (segment = ranges->segments; segment; segment = segment->next) {
		ret = phyr_index_add(ranges->index, segment, 0, segment->len);
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}

/**
 * dma_range_segment_free - free what a segment stores
 * @segment: the segment; the list frees the segment itself
 *
 * Context: may sleep.
 */
void dma_range_segment_free(struct dma_range_segment *segment)
{
	struct dma_range_chunk *chunk, *next;

	if (segment->mode == PHYR_MAP_EXTENT || segment->mode == PHYR_MAP_SGT)
		phyr_index_free(segment->index);
	if (segment->mode == PHYR_MAP_DOMAIN)
		phyr_domain_range_free(segment->range);
	if (segment->mode != PHYR_MAP_EXTENT)
		return;

	for (chunk = segment->chunks; chunk; chunk = next) {
		next = chunk->next;
		kfree(chunk);
		cond_resched();
	}
}

/**
 * dma_range_list_free - free a list
 * @ranges: a list from dma_range_list_from_sgt(), or one that the core has
 *	unmapped
 *
 * Use phyr_unmap() for a list from phyr_map().
 *
 * Context: may sleep.
 */
void dma_range_list_free(struct dma_range_list *ranges)
{
	struct dma_range_segment *segment, *next;

	dma_range_list_destroy_priv(ranges);
	for (segment = ranges->segments; segment; segment = next) {
		next = segment->next;
		dma_range_segment_free(segment);
		if (segment != &ranges->first)
			kfree(segment);
		cond_resched();
	}
	phyr_index_free(ranges->index);
	phyr_list_put(ranges->list);
	kfree(ranges);
}
EXPORT_SYMBOL_NS_GPL(dma_range_list_free, "PHYR");

/**
 * dma_range_list_len - get the size of a list
 * @ranges: the list
 *
 * Context: as for dma_range_cursor_init().
 * Return: mapped bytes; 0 for a list that was invalidated and unmapped.
 */
u64 dma_range_list_len(const struct dma_range_list *ranges)
{
	return ranges->len;
}
EXPORT_SYMBOL_NS_GPL(dma_range_list_len, "PHYR");

/**
 * phyr_map_mode_name - get the name of a mode
 * @mode: the mode
 *
 * Context: any.
 * Return: as dma_range_list_mode().
 */
const char *phyr_map_mode_name(enum phyr_map_mode mode)
{
	static const char * const names[] = {
		[PHYR_MAP_IOVA] = "iova",
		[PHYR_MAP_BUS] = "bus",
		[PHYR_MAP_WINDOW] = "window",
		[PHYR_MAP_EXTENT] = "extent",
		[PHYR_MAP_SGT] = "sgt",
		[PHYR_MAP_DOMAIN] = "domain",
	};

	return names[mode];
}

/**
 * dma_range_list_mode - get the name of the mode a list was mapped in
 * @ranges: the list
 *
 * Context: any.
 * Return: "iova", "bus", "window", "extent", "sgt", "domain", or "mixed" if
 * segments differ.
 */
const char *dma_range_list_mode(const struct dma_range_list *ranges)
{
	const struct dma_range_segment *segment = ranges->segments;
	enum phyr_map_mode mode = segment->mode;

	for (; segment; segment = segment->next)
		if (segment->mode != mode)
			return "mixed";
	return phyr_map_mode_name(mode);
}
EXPORT_SYMBOL_NS_GPL(dma_range_list_mode, "PHYR");

/* Find the chunk of the phyr list; returns bytes into the extent. */
static u64 dma_range_seek_phyr(struct dma_range_cursor *cursor,
			       const struct dma_range_segment *segment,
			       u64 offset)
{
	/* The next segment of a walk starts in a chunk that is known. */
	if (offset) {
		offset += segment->start;
		cursor->chunk = phyr_list_seek(cursor->ranges->list, &offset,
					       &cursor->index);
	} else {
		offset = segment->chunk_skip;
		cursor->chunk = phyr_chunk_seek(segment->chunk, &offset,
						&cursor->index);
	}
	return offset;
}

static u64 dma_range_seek_extent(struct dma_range_cursor *cursor,
				 const struct dma_range_segment *segment,
				 u64 offset)
{
	const struct dma_range_chunk *chunk = segment->chunks;
	const struct phyr_index_entry *from;
	unsigned int i = 0;

	if (segment->index) {
		from = phyr_index_find(segment->index, offset);
		offset -= from->start;
		chunk = from->at;
		i = from->i;
	}
	while (offset >= chunk->ranges[i].len) {
		offset -= chunk->ranges[i].len;
		if (++i == chunk->nr) {
			chunk = chunk->next;
			i = 0;
		}
	}
	cursor->chunk = chunk;
	cursor->index = i;
	return offset;
}

static u64 dma_range_seek_sgt(struct dma_range_cursor *cursor,
			      const struct dma_range_segment *segment,
			      u64 offset)
{
	const struct phyr_index_entry *from;
	struct scatterlist *sg;

	if (segment->index) {
		from = phyr_index_find(segment->index, offset);
		offset -= from->start;
		sg = (struct scatterlist *)from->at;
	} else {
		sg = segment->sgt->sgl;
	}
	for (; offset >= sg_dma_len(sg); sg = sg_next(sg))
		offset -= sg_dma_len(sg);
	cursor->chunk = sg;
	return offset;
}

/* Position the cursor at @offset; @offset < @segment->len. */
static void dma_range_seek(struct dma_range_cursor *cursor,
			   const struct dma_range_segment *segment, u64 offset)
{
	cursor->segment = segment;
	cursor->segment_left = segment->len - offset;
	cursor->chunk = NULL;
	cursor->index = 0;

	switch (segment->mode) {
	case PHYR_MAP_IOVA:
	case PHYR_MAP_DOMAIN:
		cursor->skip = offset;
		break;
	case PHYR_MAP_BUS:
	case PHYR_MAP_WINDOW:
		cursor->skip = dma_range_seek_phyr(cursor, segment, offset);
		break;
	case PHYR_MAP_EXTENT:
		cursor->skip = dma_range_seek_extent(cursor, segment, offset);
		break;
	case PHYR_MAP_SGT:
		cursor->skip = dma_range_seek_sgt(cursor, segment, offset);
		break;
	}
}

/**
 * dma_range_cursor_init - start a walk of a list
 * @cursor: the cursor
 * @ranges: the list
 * @offset: bytes to skip; the walk is empty at or beyond the end of the list
 *
 * O(log n) for any @offset.
 *
 * Context: any, while all locks of phyr_attachment_resv(), or a fence in each,
 * keep @ranges mapped.
 */
void dma_range_cursor_init(struct dma_range_cursor *cursor,
			   const struct dma_range_list *ranges, u64 offset)
{
	const struct dma_range_segment *segment = ranges->segments;
	const struct phyr_index_entry *from;
	u64 skip;

	memset(cursor, 0, sizeof(*cursor));
	cursor->ranges = ranges;
	if (offset >= ranges->len)
		return;

	cursor->left = ranges->len - offset;
	skip = ranges->skip + offset;
	if (ranges->index) {
		from = phyr_index_find(ranges->index, skip);
		skip -= from->start;
		segment = from->at;
	}
	for (; skip >= segment->len; segment = segment->next)
		skip -= segment->len;
	dma_range_seek(cursor, segment, skip);
}
EXPORT_SYMBOL_NS_GPL(dma_range_cursor_init, "PHYR");

/* The range from the cursor to the end of the stored entry. */
static struct dma_range dma_range_here(const struct dma_range_cursor *cursor)
{
	const struct dma_range_segment *segment = cursor->segment;
	const struct dma_range_chunk *ranges;
	const struct phyr_chunk *phyrs;
	struct scatterlist *sg;
	struct dma_range here = { .flags = segment->flags };

	switch (segment->mode) {
	case PHYR_MAP_IOVA:
		here.addr = segment->addr;
		here.len = segment->len;
		break;
	case PHYR_MAP_DOMAIN:
		here.addr = phyr_domain_range_iova(segment->range);
		here.len = segment->len;
		break;
	case PHYR_MAP_BUS:
	case PHYR_MAP_WINDOW:
		phyrs = cursor->chunk;
		here.addr = phyrs->vecs[cursor->index].paddr + segment->delta;
		here.len = phyrs->vecs[cursor->index].len;
		break;
	case PHYR_MAP_EXTENT:
		ranges = cursor->chunk;
		here.addr = ranges->ranges[cursor->index].addr;
		here.len = ranges->ranges[cursor->index].len;
		break;
	case PHYR_MAP_SGT:
		sg = (struct scatterlist *)cursor->chunk;
		here.addr = sg_dma_address(sg);
		here.len = sg_dma_len(sg);
		break;
	}

	here.addr += cursor->skip;
	here.len -= cursor->skip;
	return here;
}

/* Advance to the next stored entry; the segment has bytes left. */
static void dma_range_step(struct dma_range_cursor *cursor)
{
	const struct dma_range_segment *segment = cursor->segment;
	const struct dma_range_chunk *ranges;
	const struct phyr_chunk *phyrs;
	struct scatterlist *sg;

	cursor->skip = 0;
	switch (segment->mode) {
	case PHYR_MAP_IOVA:
	case PHYR_MAP_DOMAIN:
		break;
	case PHYR_MAP_BUS:
	case PHYR_MAP_WINDOW:
		phyrs = cursor->chunk;
		if (++cursor->index < phyrs->nr)
			return;
		cursor->chunk = phyrs->next;
		break;
	case PHYR_MAP_EXTENT:
		ranges = cursor->chunk;
		if (++cursor->index < ranges->nr)
			return;
		cursor->chunk = ranges->next;
		break;
	case PHYR_MAP_SGT:
		/* Stock exporters may leave empty entries between others. */
		sg = (struct scatterlist *)cursor->chunk;
		do {
			sg = sg_next(sg);
		} while (!sg_dma_len(sg));
		cursor->chunk = sg;
		break;
	}
	cursor->index = 0;
}

static u64 dma_range_limit(const struct phyr_limits *limits, dma_addr_t addr,
			   u64 len)
{
	if (limits->max_len)
		len = min(len, limits->max_len);
	if (limits->boundary)
		len = min(len, limits->boundary -
			       (addr & (limits->boundary - 1)));
	return len;
}

/**
 * dma_range_next - get the next ranges of a walk
 * @cursor: the cursor
 * @ranges: out: up to @max ranges within the importer's limits
 * @max: room in @ranges
 *
 * Context: as for dma_range_cursor_init(); does not sleep.
 * Return: number of ranges filled in; 0 at the end.
 */
unsigned int dma_range_next(struct dma_range_cursor *cursor,
			    struct dma_range *ranges, unsigned int max)
{
	const struct dma_range_segment *segment;
	struct dma_range here;
	unsigned int n;
	u64 len;

	for (n = 0; n < max && cursor->left; n++) {
		here = dma_range_here(cursor);
		here.len = min3(here.len, cursor->segment_left, cursor->left);
		len = dma_range_limit(&cursor->ranges->limits, here.addr,
				      here.len);
		ranges[n].addr = here.addr;
		ranges[n].len = len;
		ranges[n].flags = here.flags;

		cursor->skip += len;
		cursor->left -= len;
		cursor->segment_left -= len;
		if (len < here.len || !cursor->left)
			continue;
		if (cursor->segment_left) {
			dma_range_step(cursor);
		} else {
			segment = cursor->segment;
			dma_range_seek(cursor, segment->next, 0);
		}
	}
	return n;
}
EXPORT_SYMBOL_NS_GPL(dma_range_next, "PHYR");

/**
 * dma_range_list_count - count the ranges of a list
 * @ranges: the list
 *
 * Walks the whole list.
 *
 * Context: as for dma_range_cursor_init(); does not sleep.
 * Return: number of ranges, split by the importer's limits.
 */
u64 dma_range_list_count(const struct dma_range_list *ranges)
{
	struct dma_range_cursor cursor;
	struct dma_range range[16];
	unsigned int n;
	u64 count = 0;

	dma_range_cursor_init(&cursor, ranges, 0);
	while ((n = dma_range_next(&cursor, range, ARRAY_SIZE(range))))
		count += n;
	return count;
}
EXPORT_SYMBOL_NS_GPL(dma_range_list_count, "PHYR");

static const char *dma_range_flags_name(u32 flags)
{
	if (flags & DMA_RANGE_BUS)
		return "bus,peer";
	return flags & DMA_RANGE_PEER ? "peer" : "-";
}

/**
 * dma_range_list_show - print the ranges of a list to a debugfs file
 * @m: the file. Only root may be able to read it, because an untranslated DMA
 *	address is a physical address
 * @ranges: the list
 *
 * Prints a line "  range ADDR LEN FLAGS" for each range, with both numbers in
 * hexadecimal; FLAGS is "-", "peer" or "bus,peer". Stops when @m overflows.
 *
 * Context: as for dma_range_cursor_init(); does not sleep.
 */
void dma_range_list_show(struct seq_file *m,
			 const struct dma_range_list *ranges)
{
	struct dma_range_cursor cursor;
	struct dma_range range;

	dma_range_cursor_init(&cursor, ranges, 0);
	while (dma_range_next(&cursor, &range, 1) && !seq_has_overflowed(m))
		seq_printf(m, "  range 0x%llx 0x%llx %s\n", (u64)range.addr,
			   range.len, dma_range_flags_name(range.flags));
}
EXPORT_SYMBOL_NS_GPL(dma_range_list_show, "PHYR");

// SPDX-License-Identifier: GPL-2.0
/*
 * Mapping of a phyr list to DMA addresses of one device
 *
 * A list is mapped run by run; a run is a piece in one memory, which is mapped
 * as its route says (route.c). All runs that an IOMMU translates share one IOVA
 * range, in which each follows the one before: the memory behind a byte does not
 * change how many ranges the importer gets, except where the flags of a range
 * change.
 *
 * Addresses are checked against the device's mask before the DMA API is
 * called, because the DMA API would warn. A failed map leaves nothing mapped
 * or allocated. Unmapping (dma_range_list_unmap()) cannot fail and allocates
 * nothing.
 */
#include <linux/dma-map-ops.h>
#include <linux/dma-resv.h>
#include <linux/iommu-dma.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "internal.h"

/**
 * struct phyr_run - a piece of a list in one memory
 * @list: the list
 * @chunk: chunk that it starts in
 * @skip: bytes of @chunk before it
 * @start: bytes of @list before it
 * @len: its bytes
 * @left: bytes that follow it
 */
struct phyr_run {
	const struct phyr_list *list;
	const struct phyr_chunk *chunk;
	u64 skip;
	u64 start;
	u64 len;
	u64 left;
};

static void phyr_run_find_end(struct phyr_run *run)
{
	const struct phyr_chunk *chunk = run->chunk;
	u64 skip = run->skip;

	run->len = run->left;
	if (!phyr_list_mem(run->list)) {
		run->len = 0;
		for (; chunk && chunk->mem == run->chunk->mem &&
		     run->len < run->left; chunk = chunk->next) {
			run->len += chunk->len - skip;
			skip = 0;
		}
		run->len = min(run->len, run->left);
	}
	run->left -= run->len;
}

/* Find the first run of @len bytes from @start. */
static void phyr_run_first(struct phyr_run *run, const struct phyr_list *list,
			   u64 start, u64 len)
{
	run->list = list;
	run->start = start;
	run->skip = start;
	run->chunk = phyr_list_find_chunk(list, &run->skip);
	run->left = len;
	phyr_run_find_end(run);
}

static bool phyr_run_next(struct phyr_run *run)
{
	if (!run->left)
		return false;

	run->start += run->len;
	run->skip += run->len;
	for (; run->skip >= run->chunk->len; run->chunk = run->chunk->next)
		run->skip -= run->chunk->len;
	phyr_run_find_end(run);
	return true;
}

/* Allocate the IOVA range of all runs that are to be linked into one. */
static int phyr_map_alloc_iova(struct phyr_attachment *attach,
			       struct dma_range_list *ranges,
			       struct phyr_run run)
{
	struct phyr_route *route;
	u64 len = 0;

	do {
		route = phyr_route_find(attach, run.chunk->mem);
		if (IS_ERR(route))
			return PTR_ERR(route);
		if (route->mode == PHYR_MAP_IOVA)
			len += run.len;
		cond_resched();
	} while (phyr_run_next(&run));

	if (len && !dma_iova_try_alloc(ranges->dev, &ranges->iova, 0, len))
		return -ENOSPC;
	return 0;
}

/* Link a run behind what is linked. */
static int phyr_map_iova(struct dma_range_list *ranges,
			 struct dma_range_segment *segment,
			 struct phyr_cursor *cursor)
{
	struct phys_vec vec;
	int ret;

	if (!segment->len)
		segment->addr = ranges->iova.addr + ranges->linked;

	while (phyr_next(cursor, &vec, NULL)) {
		ret = dma_iova_link(ranges->dev, &ranges->iova, vec.paddr,
				    ranges->linked, vec.len, ranges->dir,
				    segment->attrs);
		if (ret)
			return ret;
		ranges->linked += vec.len;
		cond_resched();
	}
	return 0;
}

/* Nothing is mapped; only check that the device can reach it. */
static int phyr_map_offset(const struct phyr_route *route, struct device *dev,
			   struct phyr_cursor *cursor)
{
	struct phys_vec vec;

	if (route->whole)
		return 0;

	while (phyr_next(cursor, &vec, NULL)) {
		if (!phyr_route_reaches(route, dev, &vec))
			return -EREMOTEIO;
		cond_resched();
	}
	return 0;
}

#define DMA_RANGE_CHUNK_MAX \
	((PAGE_SIZE - offsetof(struct dma_range_chunk, ranges)) / \
	 sizeof(struct dma_range_extent))

static struct dma_range_chunk *dma_range_chunk_add(struct dma_range_chunk **end,
						   u64 left)
{
	struct dma_range_chunk *chunk;
	u64 max;

	max = min_t(u64, left >> PAGE_SHIFT, DMA_RANGE_CHUNK_MAX);
	chunk = kmalloc(struct_size(chunk, ranges, max), GFP_KERNEL_ACCOUNT);
	if (!chunk)
		return NULL;

	chunk->next = NULL;
	chunk->nr = 0;
	*end = chunk;
	return chunk;
}

/*
 * The DMA API would sync whole pages: leave that to dma_range_list_sync(), which
 * knows what of the first and the last page is mapped.
 */
static int phyr_map_extents(struct dma_range_list *ranges,
			    struct dma_range_segment *segment,
			    const struct phyr_route *route,
			    struct phyr_cursor *cursor)
{
	unsigned long attrs = segment->attrs ?: DMA_ATTR_SKIP_CPU_SYNC;
	struct dma_range_chunk **end = &segment->chunks, *chunk = NULL;
	u64 left = cursor->left, count = 0;
	struct phys_vec vec;
	dma_addr_t addr;
	int ret;

	while (phyr_next(cursor, &vec, NULL)) {
		ret = -EREMOTEIO;
		if (!phyr_route_reaches(route, ranges->dev, &vec))
			goto unmap;

		ret = -ENOMEM;
		if (!chunk || chunk->nr == DMA_RANGE_CHUNK_MAX) {
			if (chunk)
				end = &chunk->next;
			chunk = dma_range_chunk_add(end, left);
			if (!chunk)
				goto unmap;
			cond_resched();
		}

		addr = dma_map_phys(ranges->dev, vec.paddr, vec.len,
				    ranges->dir, attrs);
		/* The DMA API does not say why. Behind an IOMMU: no IOVA range. */
		ret = use_dma_iommu(ranges->dev) ? -ENOSPC : -ENOMEM;
		if (dma_mapping_error(ranges->dev, addr))
			goto unmap;
		chunk->ranges[chunk->nr].addr = addr;
		chunk->ranges[chunk->nr].len = vec.len;
		chunk->nr++;
		left -= vec.len;
		count++;
	}

	ret = dma_range_segment_create_index(segment, count);
	if (!ret)
		return 0;
unmap:
	dma_range_segment_unmap(ranges, segment);
	dma_range_segment_free(segment);
	return ret;
}

static u32 phyr_route_flags(const struct phyr_route *route)
{
	if (route->mem->kind != PHYR_MEM_P2P)
		return 0;
	return route->mode == PHYR_MAP_BUS ? DMA_RANGE_PEER | DMA_RANGE_BUS :
					     DMA_RANGE_PEER;
}

static int phyr_map_run(struct dma_range_list *ranges,
			struct dma_range_segment *segment,
			const struct phyr_run *run,
			const struct phyr_route *route)
{
	struct phyr_cursor cursor = { .left = run->len, .skip = run->skip };

	segment->mode = route->mode;
	segment->flags = phyr_route_flags(route);
	segment->attrs = route->attrs;
	cursor.chunk = phyr_chunk_seek(run->chunk, &cursor.skip, &cursor.index);

	switch (route->mode) {
	case PHYR_MAP_IOVA:
		return phyr_map_iova(ranges, segment, &cursor);
	case PHYR_MAP_EXTENT:
		return phyr_map_extents(ranges, segment, route, &cursor);
	case PHYR_MAP_BUS:
	case PHYR_MAP_WINDOW:
		segment->chunk = run->chunk;
		segment->chunk_skip = run->skip;
		segment->start = run->start;
		segment->delta = route->delta;
		return phyr_map_offset(route, ranges->dev, &cursor);
	case PHYR_MAP_SGT:
	case PHYR_MAP_DOMAIN:
		break;	/* not the mode of a route of phyr_map() */
	}
	return -EINVAL;
}

/*
 * Get the segment of the next run: @last, if both are linked into the IOVA range
 * and have the same flags, or a new one. NULL without memory.
 */
static struct dma_range_segment *
dma_range_segment_next(struct dma_range_list *ranges,
		       struct dma_range_segment *last,
		       const struct phyr_route *route)
{
	if (!last)
		return &ranges->first;
	if (last->mode == PHYR_MAP_IOVA && route->mode == PHYR_MAP_IOVA &&
	    last->flags == phyr_route_flags(route))
		return last;
	return kzalloc_obj(*last, GFP_KERNEL_ACCOUNT);
}

/* On error, what is mapped stays so. */
static int phyr_map_runs(struct phyr_attachment *attach,
			 struct dma_range_list *ranges, struct phyr_run run)
{
	struct dma_range_segment **end = &ranges->segments;
	struct dma_range_segment *segment, *last = NULL;
	struct phyr_route *route;
	int ret;

	do {
		route = phyr_route_find(attach, run.chunk->mem);
		if (IS_ERR(route))
			return PTR_ERR(route);
		route->used = true;

		segment = dma_range_segment_next(ranges, last, route);
		if (!segment)
			return -ENOMEM;
		ret = phyr_map_run(ranges, segment, &run, route);
		if (ret) {
			if (segment != last && segment != &ranges->first)
				kfree(segment);
			return ret;
		}

		segment->len += run.len;
		if (segment != last)
			*end = segment;
		end = &segment->next;
		last = segment;
		cond_resched();
	} while (phyr_run_next(&run));

	if (ranges->linked) {
		ret = dma_iova_sync(ranges->dev, &ranges->iova, 0,
				    ranges->linked);
		if (ret)
			return ret;
	}
	return dma_range_list_create_index(ranges);
}

/**
 * phyr_map_list - map part of a list for an attachment's device
 * @attach: the attachment
 * @list: finished list; the mapping takes a reference
 * @offset: first byte
 * @len: bytes, not 0; @offset + @len is within @list
 * @dir: direction
 *
 * Maps whole pages. A walk of the mapping starts and ends at the exact byte.
 * Finds @offset in O(log n), however long @list is.
 *
 * Context: the reservation lock is held; may sleep.
 * Return: the mapping, or ERR_PTR: -EACCES for a read-only list and another
 * @dir than DMA_TO_DEVICE, -EREMOTEIO if the device cannot reach the memory,
 * -ENOSPC if IOVA space ran out, -ENOMEM, or the IOMMU driver's error.
 */
struct dma_range_list *phyr_map_list(struct phyr_attachment *attach,
				     struct phyr_list *list, u64 offset,
				     u64 len, enum dma_data_direction dir)
{
	u64 first = phyr_list_skip(list) + offset;
	u64 start = round_down(first, PAGE_SIZE);
	u64 end = round_up(first + len, PAGE_SIZE);
	struct dma_range_list *ranges;
	struct phyr_run run;
	int ret;

	dma_resv_assert_held(attach->attach->dmabuf->resv);

	if (phyr_list_is_readonly(list) && dir != DMA_TO_DEVICE)
		return ERR_PTR(-EACCES);

	ranges = dma_range_list_alloc(&attach->limits);
	if (!ranges)
		return ERR_PTR(-ENOMEM);

	ranges->list = phyr_list_get(list);
	ranges->dev = attach->attach->dev;
	ranges->dir = dir;
	ranges->skip = first - start;
	ranges->len = len;

	phyr_run_first(&run, list, start, end - start);
	ret = phyr_map_alloc_iova(attach, ranges, run);
	if (!ret)
		ret = phyr_map_runs(attach, ranges, run);
	if (ret) {
		dma_range_list_unmap(ranges);
		dma_range_list_free(ranges);
		return ERR_PTR(ret);
	}
	dma_range_list_sync(ranges, false);
	return ranges;
}

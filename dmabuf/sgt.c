// SPDX-License-Identifier: GPL-2.0
/*
 * sg_table and dma_range_list, both ways
 *
 * A mapped scatterlist has DMA addresses too, 32-bit lengths apart. Seen
 * through a dma_range_list, an importer walks it like everything else. The
 * CPU side of the table, which page-less tables do not have, is never looked
 * at.
 *
 * For an importer that wants a table, a dma_range list is written out as one
 * without pages: orig_nents, which counts the CPU's entries, is 0 while the
 * importer has it, and is what sg_free_table() needs again afterwards.
 */
#include <linux/export.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "internal.h"

/**
 * dma_range_list_from_sgt - walk a mapped sg_table as a dma_range_list
 * @sgt: table that is mapped for the device; it stays its mapper's, and must
 *	stay mapped until dma_range_list_free()
 * @limits: what the cursor is to apply, or NULL
 *
 * Context: may sleep.
 * Return: the list, or ERR_PTR: -EINVAL for a table without DMA segments,
 * -ENOMEM.
 */
struct dma_range_list *
dma_range_list_from_sgt(struct sg_table *sgt, const struct phyr_limits *limits)
{
	struct dma_range_list *ranges;
	struct scatterlist *sg;
	u64 len = 0;
	int i;

	for_each_sgtable_dma_sg(sgt, sg, i)
		len += sg_dma_len(sg);
	if (!len)
		return ERR_PTR(-EINVAL);

	ranges = dma_range_list_alloc(limits);
	if (!ranges)
		return ERR_PTR(-ENOMEM);

	ranges->len = len;
	ranges->first.mode = PHYR_MAP_SGT;
	ranges->first.len = len;
	ranges->first.sgt = sgt;
	ranges->segments = &ranges->first;
	return ranges;
}
EXPORT_SYMBOL_NS_GPL(dma_range_list_from_sgt, "PHYR");

/**
 * struct phyr_sgt - a dma_range list written out as a table
 * @sgt: what the importer gets
 * @ranges: what it was made of
 */
struct phyr_sgt {
	struct sg_table sgt;
	struct dma_range_list *ranges;
};

static void phyr_sgt_fill(struct sg_table *sgt,
			  const struct dma_range_list *ranges)
{
	struct scatterlist *sg = sgt->sgl;
	struct dma_range_cursor cursor;
	struct dma_range range;

	dma_range_cursor_init(&cursor, ranges, 0);
	while (dma_range_next(&cursor, &range, 1)) {
		sg_set_page(sg, NULL, 0, 0);
		sg_dma_address(sg) = range.addr;
		sg_dma_len(sg) = range.len;
		sg = sg_next(sg);
	}
}

/**
 * phyr_sgt_create - write a list out as a page-less table
 * @ranges: list whose limits keep each range within 32 bits
 *
 * Context: may sleep.
 * Return: the table, to be ended by phyr_sgt_destroy(), or ERR_PTR: -ENOMEM,
 * -EOVERFLOW for more ranges than a table can count.
 */
struct sg_table *phyr_sgt_create(struct dma_range_list *ranges)
{
	struct phyr_sgt *table;
	u64 count;
	int ret;

	count = dma_range_list_count(ranges);
	if (overflows_type(count, table->sgt.nents))
		return ERR_PTR(-EOVERFLOW);

	table = kzalloc_obj(*table, GFP_KERNEL_ACCOUNT);
	if (!table)
		return ERR_PTR(-ENOMEM);

	ret = sg_alloc_table(&table->sgt, count, GFP_KERNEL_ACCOUNT);
	if (ret) {
		kfree(table);
		return ERR_PTR(ret);
	}

	phyr_sgt_fill(&table->sgt, ranges);
	table->sgt.orig_nents = 0;
	table->ranges = ranges;
	return &table->sgt;
}

/**
 * phyr_sgt_destroy - free a table
 * @sgt: what phyr_sgt_create() returned
 *
 * Context: may sleep.
 * Return: the list it was made of, which is the caller's again.
 */
struct dma_range_list *phyr_sgt_destroy(struct sg_table *sgt)
{
	struct phyr_sgt *table = container_of(sgt, struct phyr_sgt, sgt);
	struct dma_range_list *ranges = table->ranges;

	sgt->orig_nents = sgt->nents;
	sg_free_table(sgt);
	kfree(table);
	return ranges;
}

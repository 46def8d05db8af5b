// SPDX-License-Identifier: GPL-2.0
/*
 * sg_table and dma_range_list
 *
 * A mapped scatterlist has DMA addresses too, 32-bit lengths apart. Seen
 * through a dma_range_list, an importer walks it like everything else. The
 * CPU side of the table, which page-less tables do not have, is never looked
 * at.
 */
#include <linux/export.h>
#include <linux/scatterlist.h>

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

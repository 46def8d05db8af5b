// SPDX-License-Identifier: GPL-2.0
/*
 * Conversion between sg_table and dma_range_list
 *
 * A mapped sg_table has DMA addresses, with 32-bit lengths. An importer walks
 * it through a dma_range_list like any other mapping. The CPU entries of the
 * table are never read: page-less tables have none.
 *
 * For an importer that needs a table, a dma_range_list is converted to one
 * without pages. orig_nents counts CPU entries and is therefore 0 while the
 * importer has the table. sg_free_table() needs orig_nents, so it is restored
 * before the free.
 */
#include <linux/dma-map-ops.h>
#include <linux/export.h>
#include <linux/overflow.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "internal.h"

/**
 * dma_range_list_from_sgt - wrap a mapped sg_table in a dma_range_list
 * @sgt: table that is mapped for the device. The caller keeps ownership and
 *	must keep it mapped until dma_range_list_free()
 * @limits: segment limits that the cursor applies, or NULL
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
	if (dma_range_segment_create_index(&ranges->first, sgt->nents)) {
		dma_range_list_free(ranges);
		return ERR_PTR(-ENOMEM);
	}
	return ranges;
}
EXPORT_SYMBOL_NS_GPL(dma_range_list_from_sgt, "PHYR");

/**
 * phyr_sgt_check - check that a device can use a stock exporter's table
 * @sgt: table that is mapped for @dev
 * @dev: the device
 *
 * The exporter may have filled in bus or physical addresses that the DMA API
 * has not seen. An importer that drops their upper bits would access somebody
 * else's memory.
 *
 * A bounce buffer is recognized by its need of a sync, which on a device that
 * is not coherent all memory has.
 *
 * Context: may sleep.
 * Return: 0, or -EREMOTEIO if an address exceeds @dev's mask or belongs to a
 * bounce buffer.
 */
int phyr_sgt_check(struct sg_table *sgt, struct device *dev)
{
	bool bounces = phyr_dev_untranslated(dev) && dev_is_dma_coherent(dev);
	u64 limit = phyr_dev_limit(dev);
	struct scatterlist *sg;
	u64 last;
	int i;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		if (!sg_dma_len(sg))
			continue;
		if (check_add_overflow((u64)sg_dma_address(sg),
				       (u64)sg_dma_len(sg) - 1, &last) ||
		    last > limit)
			return -EREMOTEIO;
		if (bounces && dma_need_sync(dev, sg_dma_address(sg)))
			return -EREMOTEIO;
		cond_resched();
	}
	return 0;
}

/**
 * struct phyr_sgt - an sg_table converted from a dma_range_list
 * @sgt: the table, for the importer
 * @ranges: the list
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
 * phyr_sgt_create - convert a list to a page-less table
 * @ranges: list whose limits keep each length within 32 bits; owned by the
 *	table on success
 *
 * Context: may sleep.
 * Return: the table, to be freed by phyr_sgt_destroy(), or ERR_PTR: -ENOMEM,
 * -EOVERFLOW for more ranges than a table can hold.
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
	ranges->table = &table->sgt;
	return &table->sgt;
}

/**
 * phyr_sgt_destroy - free a table
 * @sgt: table returned by phyr_sgt_create()
 *
 * Context: may sleep.
 * Return: the list it was created from; the caller owns it again.
 */
struct dma_range_list *phyr_sgt_destroy(struct sg_table *sgt)
{
	struct phyr_sgt *table = container_of(sgt, struct phyr_sgt, sgt);
	struct dma_range_list *ranges = table->ranges;

	ranges->table = NULL;
	sgt->orig_nents = sgt->nents;
	sg_free_table(sgt);
	kfree(table);
	return ranges;
}

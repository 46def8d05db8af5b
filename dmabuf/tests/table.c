// SPDX-License-Identifier: GPL-2.0
/*
 * The sg_tables of phyr_test's exporter
 *
 * A table may name addresses that the importer's device cannot use: that is what
 * the tests of the core's checks need.
 */
#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/sched.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "phyr_test.h"
#include "table.h"

#define TEST_TABLE_ATTRS (DMA_ATTR_MMIO | DMA_ATTR_DEBUGGING_IGNORE_CACHELINES)

/**
 * struct test_table - a table
 * @sgt: the table
 * @style: PHYR_TEST_STYLE_*
 * @dev: device that its entries are mapped for
 * @dir: direction that its entries are mapped with
 */
struct test_table {
	struct sg_table sgt;
	u32 style;
	struct device *dev;
	enum dma_data_direction dir;
};

/* Does entry @i have a mapping of its own? */
static bool test_table_maps(const struct test_table *table, unsigned int i)
{
	switch (table->style) {
	case PHYR_TEST_STYLE_RAW:
		return false;
	case PHYR_TEST_STYLE_ONE_RAW:
		return i != table->sgt.nents / 2;
	case PHYR_TEST_STYLE_REPEATED:
		return !i;
	default:
		return true;
	}
}

static void test_table_clear(struct test_table *table, unsigned int count)
{
	struct scatterlist *sg;
	int i;

	for_each_sg(table->sgt.sgl, sg, count, i)
		if (test_table_maps(table, i))
			dma_unmap_phys(table->dev, sg_dma_address(sg),
				       sg_dma_len(sg), table->dir,
				       TEST_TABLE_ATTRS);
}

static int test_table_fill(struct test_table *table, const struct phys_vec *vecs)
{
	struct scatterlist *sg;
	int i;

	for_each_sgtable_dma_sg(&table->sgt, sg, i) {
		sg_dma_len(sg) = vecs[i].len;
		sg_dma_address(sg) = table->style == PHYR_TEST_STYLE_REPEATED ?
					     sg_dma_address(table->sgt.sgl) :
					     vecs[i].paddr;
		if (!test_table_maps(table, i))
			continue;
		sg_dma_address(sg) = dma_map_phys(table->dev, vecs[i].paddr,
						  sg_dma_len(sg), table->dir,
						  TEST_TABLE_ATTRS);
		if (dma_mapping_error(table->dev, sg_dma_address(sg))) {
			test_table_clear(table, i);
			return -ENOMEM;
		}
		cond_resched();
	}
	return 0;
}

/**
 * test_table_create - create a table
 * @style: PHYR_TEST_STYLE_RAW and the following ones
 * @vecs: the extents
 * @count: entries in @vecs
 * @dev: the importer's device
 * @other: the device that PHYR_TEST_STYLE_OTHER maps for
 * @dir: direction
 *
 * Context: may sleep.
 * Return: the table, to be freed by test_table_destroy(), or ERR_PTR.
 */
struct sg_table *test_table_create(u32 style, const struct phys_vec *vecs,
				   size_t count, struct device *dev,
				   struct device *other,
				   enum dma_data_direction dir)
{
	struct test_table *table;
	int ret = -ENOMEM;

	table = kzalloc_obj(*table);
	if (!table)
		return ERR_PTR(-ENOMEM);

	table->style = style;
	table->dev = style == PHYR_TEST_STYLE_OTHER ? other : dev;
	table->dir = dir;
	if (!table->dev || sg_alloc_table(&table->sgt, count, GFP_KERNEL))
		goto err_free;
	ret = test_table_fill(table, vecs);
	if (ret)
		goto err_free_sgt;

	if (style == PHYR_TEST_STYLE_STALE)
		test_table_clear(table, count);
	return &table->sgt;

err_free_sgt:
	sg_free_table(&table->sgt);
err_free:
	kfree(table);
	return ERR_PTR(ret);
}

/**
 * test_table_destroy - free a table
 * @sgt: table returned by test_table_create()
 *
 * Context: may sleep.
 */
void test_table_destroy(struct sg_table *sgt)
{
	struct test_table *table = container_of(sgt, struct test_table, sgt);

	if (table->style != PHYR_TEST_STYLE_STALE)
		test_table_clear(table, sgt->nents);
	sg_free_table(sgt);
	kfree(table);
}

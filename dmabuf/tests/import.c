// SPDX-License-Identifier: GPL-2.0
/*
 * One import from attach to detach, through phyr.h or through the dma-buf API
 */
#include <drm/drm_prime.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/mm.h>
#include <linux/phyr.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "import.h"

static void test_invalidate(struct phyr_attachment *attach)
{
}

static const struct phyr_importer_ops test_importer_ops = {
	.invalidate = test_invalidate,
};

/**
 * struct test_import - an import in progress
 * @args: the ioctl's arguments and results
 * @ranges: array of phyr_test_import.max_ranges. Filled under the reservation
 *	lock, copied to userspace after the lock is dropped
 */
struct test_import {
	struct phyr_test_import *args;
	struct phyr_test_range *ranges;
};

static void test_put_range(struct test_import *import, u64 addr, u64 len)
{
	struct phyr_test_import *args = import->args;

	if (args->nr_ranges < args->max_ranges) {
		import->ranges[args->nr_ranges].addr = addr;
		import->ranges[args->nr_ranges].len = len;
	}
	args->nr_ranges++;
	args->total += len;
}

static void test_read_ranges(struct test_import *import,
			     const struct dma_range_list *list)
{
	struct phyr_test_import *args = import->args;
	struct dma_range_cursor cursor;
	struct dma_range ranges[16];
	unsigned int i, n;

	strscpy(args->mode, dma_range_list_mode(list));
	dma_range_cursor_init(&cursor, list, 0);
	while ((n = dma_range_next(&cursor, ranges, ARRAY_SIZE(ranges)))) {
		for (i = 0; i < n; i++)
			test_put_range(import, ranges[i].addr, ranges[i].len);
		cond_resched();
	}
}

static void test_read_sgt(struct test_import *import, struct sg_table *sgt)
{
	struct scatterlist *sg;
	int i;

	strscpy(import->args->mode, "sgt");
	for_each_sgtable_dma_sg(sgt, sg, i)
		test_put_range(import, sg_dma_address(sg), sg_dma_len(sg));
}

static int test_read_pages(struct test_import *import, struct device *dev,
			   struct sg_table *sgt)
{
	struct phyr_test_import *args = import->args;
	struct page **pages;
	u64 i, max;
	int ret;

	if (IS_ENABLED(CONFIG_DMABUF_DEBUG)) {
		args->nr_pages = PHYR_TEST_PAGES_HIDDEN;
		return 0;
	}
	if (!sgt->orig_nents)
		return 0;

	max = args->total >> PAGE_SHIFT;
	pages = kvzalloc_objs(*pages, max);
	if (!pages)
		return -ENOMEM;

	/* As importers of pages do. Fails if a page is in two entries. */
	ret = drm_prime_sg_to_page_array(sgt, pages, max);
	for (i = 0; i < max; i++)
		args->nr_pages += !!pages[i];
	kvfree(pages);

	if (args->nr_pages) {
		dma_sync_sgtable_for_cpu(dev, sgt, DMA_BIDIRECTIONAL);
		dma_sync_sgtable_for_device(dev, sgt, DMA_BIDIRECTIONAL);
	}
	return ret;
}

static int test_map_phyr(struct phyr_attachment *attach,
			 struct dma_buf *dmabuf, struct test_import *import)
{
	struct phyr_test_import *args = import->args;
	struct dma_range_list *list;
	u64 len = args->len;
	int ret = 0;

	if (!len && args->offset < dmabuf->size)
		len = dmabuf->size - args->offset;

	dma_resv_lock(dmabuf->resv, NULL);
	list = phyr_map(attach, args->offset, len, DMA_BIDIRECTIONAL);
	if (IS_ERR(list)) {
		ret = PTR_ERR(list);
	} else {
		if (args->iterations == 1)
			test_read_ranges(import, list);
		phyr_unmap(attach, list);
	}
	dma_resv_unlock(dmabuf->resv);
	return ret;
}

static int test_import_phyr(struct dma_buf *dmabuf, struct device *dev,
			    struct test_import *import)
{
	struct phyr_test_import *args = import->args;
	struct phyr_limits limits = { .max_len = args->max_len,
				      .boundary = args->boundary };
	struct phyr_attachment *attach;
	int ret = 0;

	attach = phyr_attach(dmabuf, dev, &test_importer_ops, &limits, NULL);
	if (IS_ERR(attach))
		return PTR_ERR(attach);

	for (; args->iterations && !ret; args->iterations--) {
		ret = test_map_phyr(attach, dmabuf, import);
		cond_resched();
	}
	phyr_detach(attach);
	return ret;
}

static void test_stock_invalidate(struct dma_buf_attachment *attach)
{
}

static const struct dma_buf_attach_ops test_stock_importer_ops = {
	.allow_peer2peer = true,
	.invalidate_mappings = test_stock_invalidate,
};

static int test_map_stock(struct dma_buf_attachment *attach,
			  struct test_import *import)
{
	struct sg_table *sgt;
	int ret = 0;

	dma_resv_lock(attach->dmabuf->resv, NULL);
	sgt = dma_buf_map_attachment(attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt)) {
		ret = PTR_ERR(sgt);
	} else {
		if (import->args->iterations == 1) {
			test_read_sgt(import, sgt);
			ret = test_read_pages(import, attach->dev, sgt);
		}
		dma_buf_unmap_attachment(attach, sgt, DMA_BIDIRECTIONAL);
	}
	dma_resv_unlock(attach->dmabuf->resv);
	return ret;
}

static int test_import_stock(struct dma_buf *dmabuf, struct device *dev,
			     struct test_import *import)
{
	struct phyr_test_import *args = import->args;
	struct dma_buf_attachment *attach;
	int ret = 0;

	attach = dma_buf_dynamic_attach(dmabuf, dev, &test_stock_importer_ops,
					import);
	if (IS_ERR(attach))
		return PTR_ERR(attach);

	for (; args->iterations && !ret; args->iterations--) {
		ret = test_map_stock(attach, import);
		cond_resched();
	}
	dma_buf_detach(dmabuf, attach);
	return ret;
}

static int test_put_ranges(const struct test_import *import)
{
	const struct phyr_test_import *args = import->args;
	u64 n = min_t(u64, args->nr_ranges, args->max_ranges);

	return copy_to_user(u64_to_user_ptr(args->ranges), import->ranges,
			    n * sizeof(*import->ranges)) ? -EFAULT : 0;
}

/**
 * test_import - attach a dma-buf, map it, read the ranges, detach it
 * @dev: the importing device
 * @args: the ioctl's arguments and results
 *
 * Return: 0, -EINVAL for a wrong argument, -EFAULT, or what the attach or the
 * map fails with.
 */
int test_import(struct device *dev, struct phyr_test_import *args)
{
	struct test_import import = { .args = args };
	struct dma_buf *dmabuf;
	int ret;

	if (args->api > PHYR_TEST_API_STOCK || !args->iterations)
		return -EINVAL;
	args->nr_ranges = 0;
	args->total = 0;
	args->nr_pages = 0;
	memset(args->mode, 0, sizeof(args->mode));

	dmabuf = dma_buf_get(args->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	import.ranges = kvzalloc_objs(*import.ranges, args->max_ranges);
	if (!import.ranges) {
		dma_buf_put(dmabuf);
		return -ENOMEM;
	}

	ret = args->api == PHYR_TEST_API_PHYR ?
		      test_import_phyr(dmabuf, dev, &import) :
		      test_import_stock(dmabuf, dev, &import);
	if (!ret)
		ret = test_put_ranges(&import);
	kvfree(import.ranges);
	dma_buf_put(dmabuf);
	return ret;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The exporter's half of the tests of importers with an IOMMU domain of their
 * own: compare what a device's domain translates to with a buffer's phyr list
 */
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/phyr_exporter.h>
#include <linux/sched.h>

#include "translated.h"

static void test_count_page(struct phyr_test_translated *args, phys_addr_t is,
			    phys_addr_t wanted)
{
	if (!is)
		args->unmapped++;
	else if (is == wanted)
		args->same++;
	else
		args->other++;
}

/* Without a list, that of a revoked buffer, any translation is another one. */
static void test_count_pages(struct phyr_test_translated *args,
			     struct iommu_domain *domain,
			     const struct phyr_list *list)
{
	struct phys_vec vec = { .len = args->len };
	struct phyr_cursor cursor;
	u64 iova = args->iova, end = iova + args->len;
	u64 i;

	if (list)
		phyr_cursor_init(&cursor, list, args->offset, args->len);
	while (iova < end && (!list || phyr_next(&cursor, &vec, NULL))) {
		for (i = 0; i < vec.len; i += PAGE_SIZE, iova += PAGE_SIZE)
			test_count_page(args, iommu_iova_to_phys(domain, iova),
					list ? vec.paddr + i : 0);
		cond_resched();
	}
}

static int test_translate(struct phyr_test_translated *args,
			  struct dma_buf *dmabuf, struct device *dev)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);
	const struct phyr_dma_buf_ops *ops;
	struct phyr_list *list;

	if (!domain || dmabuf->ops->attach != phyr_dma_buf_attach ||
	    args->offset + args->len > dmabuf->size ||
	    !PAGE_ALIGNED(args->offset | args->len))
		return -EINVAL;

	ops = container_of(dmabuf->ops, struct phyr_dma_buf_ops, ops);
	dma_resv_lock(dmabuf->resv, NULL);
	list = phyr_buffer_get_list(ops->buffer(dmabuf));
	test_count_pages(args, domain, IS_ERR(list) ? NULL : list);
	dma_resv_unlock(dmabuf->resv);
	return 0;
}

/**
 * test_translated - handle PHYR_TEST_IOC_TRANSLATED
 * @args: the ioctl's arguments
 *
 * Return: 0; -ENODEV if there is no such device; -EINVAL if it has no domain,
 * or for a dma-buf of a stock exporter.
 */
int test_translated(struct phyr_test_translated *args)
{
	struct dma_buf *dmabuf;
	struct device *dev;
	int ret;

	args->same = 0;
	args->other = 0;
	args->unmapped = 0;
	args->busid[sizeof(args->busid) - 1] = '\0';
	dev = bus_find_device_by_name(&pci_bus_type, NULL, args->busid);
	if (!dev)
		return -ENODEV;

	dmabuf = dma_buf_get(args->fd);
	ret = PTR_ERR_OR_ZERO(dmabuf);
	if (!ret) {
		ret = test_translate(args, dmabuf, dev);
		dma_buf_put(dmabuf);
	}
	put_device(dev);
	return ret;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The mock IOMMU, see mock_iommu.h
 */
#include <linux/slab.h>

#include "mock.h"
#include "mock_iommu.h"

struct mock_iommu mock_iommu;

/*
 * The domain's page table
 */

static int mock_iommu_add_page(u64 iova, u64 paddr, u64 size, int prot)
{
	struct mock_iommu_page *page;
	int ret;

	ret = mock_log_call(&(struct mock_entry) {
		.call = MOCK_IOMMU_MAP, .phys = paddr, .dma = iova,
		.len = size, .attrs = prot,
	});
	if (ret)
		return ret;
	if (mock_iommu_page(iova)) {
		KUNIT_FAIL(mock_iommu.test, "IOVA %#llx is mapped twice", iova);
		return -EADDRINUSE;
	}

	page = kzalloc_obj(*page);
	if (!page)
		return -ENOMEM;
	page->iova = iova;
	page->paddr = paddr;
	page->size = size;
	page->prot = prot;
	list_add_tail(&page->node, &mock_iommu.pages);
	return 0;
}

static int mock_iommu_map_pages(struct iommu_domain *domain, unsigned long iova,
				phys_addr_t paddr, size_t pgsize,
				size_t pgcount, int prot, gfp_t gfp,
				size_t *mapped)
{
	int ret = 0;

	for (; pgcount && !ret; pgcount--, iova += pgsize, paddr += pgsize) {
		ret = mock_iommu_add_page(iova, paddr, pgsize, prot);
		if (!ret)
			*mapped += pgsize;
	}
	return ret;
}

static size_t mock_iommu_unmap_pages(struct iommu_domain *domain,
				     unsigned long iova, size_t pgsize,
				     size_t pgcount,
				     struct iommu_iotlb_gather *gather)
{
	struct mock_iommu_page *page;
	size_t unmapped = 0;
	int err;

	err = mock_log_call(&(struct mock_entry) {
		.call = MOCK_IOMMU_UNMAP, .dma = iova, .len = pgsize * pgcount,
	});
	/*
	 * As the drivers do, stop at a page that is not mapped; and, as
	 * virtio-iommu, forget what could not be unmapped.
	 */
	while (unmapped < pgsize * pgcount) {
		page = (struct mock_iommu_page *)mock_iommu_page(iova +
								 unmapped);
		if (!page)
			break;
		unmapped += page->size;
		list_del(&page->node);
		kfree(page);
		mock_iommu.stale = true;
	}
	return err || mock_iommu.forgets ? 0 : unmapped;
}

static int mock_iommu_sync_map(struct iommu_domain *domain, unsigned long iova,
			       size_t size)
{
	return mock_log_call(&(struct mock_entry) {
		.call = MOCK_IOMMU_SYNC_MAP, .dma = iova, .len = size,
	});
}

static void mock_iommu_sync(struct iommu_domain *domain,
			    struct iommu_iotlb_gather *gather)
{
	mock_log_call(&(struct mock_entry) { .call = MOCK_IOMMU_FLUSH });
	mock_iommu.stale = false;
}

static phys_addr_t mock_iommu_iova_to_phys(struct iommu_domain *domain,
					   dma_addr_t iova)
{
	const struct mock_iommu_page *page = mock_iommu_page(iova);

	return page ? page->paddr + (iova - page->iova) : 0;
}

static const struct iommu_domain_ops mock_iommu_ops = {
	.map_pages = mock_iommu_map_pages,
	.unmap_pages = mock_iommu_unmap_pages,
	.iotlb_sync_map = mock_iommu_sync_map,
	.iotlb_sync = mock_iommu_sync,
	.iova_to_phys = mock_iommu_iova_to_phys,
};

/* The page that contains @iova, or NULL. */
const struct mock_iommu_page *mock_iommu_page(u64 iova)
{
	const struct mock_iommu_page *page;

	list_for_each_entry(page, &mock_iommu.pages, node)
		if (iova >= page->iova && iova - page->iova < page->size)
			return page;
	return NULL;
}

/* The number of pages that are mapped. */
unsigned int mock_iommu_pages(void)
{
	return list_count_nodes(&mock_iommu.pages);
}

/*
 * The device
 */

static void mock_iommu_end(void *unused)
{
	struct mock_iommu_page *page, *next;

	KUNIT_EXPECT_EQ_MSG(mock_iommu.test, mock_iommu_pages(), 0,
			    "pages stay mapped");
	KUNIT_EXPECT_FALSE_MSG(mock_iommu.test, mock_iommu.stale,
			       "the IOTLB is not flushed");
	KUNIT_EXPECT_EQ_MSG(mock_iommu.test, mock_iommu.claims, 1,
			    "claims of DMA ownership leak");
	list_for_each_entry_safe(page, next, &mock_iommu.pages, node) {
		list_del(&page->node);
		kfree(page);
	}
}

/* Start the mock for one case; the importer has claimed and attached. */
void mock_iommu_init(struct kunit *test, struct device *dev)
{
	mock_iommu = (struct mock_iommu) {
		.test = test,
		.domain = {
			.type = IOMMU_DOMAIN_UNMANAGED,
			.ops = &mock_iommu_ops,
			.pgsize_bitmap = SZ_4K | SZ_2M | SZ_1G,
			.geometry = {
				.aperture_end = DMA_BIT_MASK(48),
				.force_aperture = true,
			},
		},
		.devices = 1,
		.owner = test,
		.claims = 1,
	};
	mock.domain = &mock_iommu.domain;
	INIT_LIST_HEAD(&mock_iommu.reserved);
	INIT_LIST_HEAD(&mock_iommu.pages);
	mock_iommu.bridge = kunit_kzalloc(test, sizeof(*mock_iommu.bridge),
					  GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mock_iommu.bridge);
	INIT_LIST_HEAD(&mock_iommu.bridge->windows);
	INIT_LIST_HEAD(&mock_iommu.bridge->dma_ranges);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, mock_iommu_end,
							NULL), 0);
}

/* Add a reserved region. */
void mock_iommu_reserve(u64 start, u64 len, enum iommu_resv_type type)
{
	struct iommu_resv_region *region;

	region = kunit_kzalloc(mock_iommu.test, sizeof(*region), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(mock_iommu.test, region);
	region->start = start;
	region->length = len;
	region->type = type;
	list_add_tail(&region->list, &mock_iommu.reserved);
}

/* Add a window at bus address @start to one of the bridge's lists. */
void mock_iommu_window(struct list_head *windows, u64 start, u64 len,
		       u64 offset, unsigned long flags)
{
	struct resource_entry *entry;

	entry = kunit_kzalloc(mock_iommu.test, sizeof(*entry), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(mock_iommu.test, entry);
	entry->__res.start = start + offset;
	entry->__res.end = start + offset + len - 1;
	entry->__res.flags = flags;
	entry->res = &entry->__res;
	entry->offset = offset;
	list_add_tail(&entry->node, windows);
}

struct iommu_group *mock_iommu_group_get(struct device *dev)
{
	return mock_iommu.devices ? (struct iommu_group *)&mock_iommu : NULL;
}

void mock_iommu_group_put(struct iommu_group *group)
{
}

int mock_iommu_visit_devs(struct iommu_group *group, void *data,
			  int (*fn)(struct device *dev, void *data))
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < mock_iommu.devices && !ret; i++)
		ret = fn(NULL, data);
	return ret;
}

int mock_iommu_claim(struct device *dev, void *owner)
{
	if (owner != mock_iommu.owner)
		return -EPERM;
	mock_iommu.claims++;
	return 0;
}

void mock_iommu_release(struct device *dev)
{
	mock_iommu.claims--;
}

void mock_iommu_get_resv_regions(struct device *dev, struct list_head *list)
{
	list_splice_init(&mock_iommu.reserved, list);
}

void mock_iommu_put_resv_regions(struct device *dev, struct list_head *list)
{
	INIT_LIST_HEAD(list);
}

struct pci_host_bridge *mock_pci_find_host_bridge(struct pci_bus *bus)
{
	return mock_iommu.bridge;
}

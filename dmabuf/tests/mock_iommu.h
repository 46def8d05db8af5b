/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A mock IOMMU: one device in a group, and one paging domain
 *
 * The domain is real for iommu_map() and iommu_unmap_fast(); its page table is
 * a list of pages. A page may be mapped once only. The case fails if a page
 * stays mapped, if the IOTLB is not flushed after an unmap, or if DMA ownership
 * is not released. mock.domain is the domain that is attached.
 */
#ifndef _PHYR_MOCK_IOMMU_H
#define _PHYR_MOCK_IOMMU_H

#include <kunit/test.h>
#include <linux/iommu.h>
#include <linux/list.h>
#include <linux/pci.h>

/**
 * struct mock_iommu_page - a page of the domain
 * @node: in mock_iommu.pages
 * @iova: its IOVA
 * @paddr: physical address
 * @size: bytes
 * @prot: IOMMU_READ and so on
 */
struct mock_iommu_page {
	struct list_head node;
	u64 iova;
	u64 paddr;
	u64 size;
	int prot;
};

/**
 * struct mock_iommu - the mock
 * @test: the case
 * @domain: the domain
 * @devices: devices in the group; 0 for no group
 * @owner: who has claimed DMA ownership, or NULL
 * @claims: number of claims
 * @bridge: the host bridge
 * @reserved: reserved regions of the device
 * @pages: the domain's page table
 * @stale: pages were unmapped since the last flush
 * @forgets: unmaps fail, and forget the pages, as those of virtio-iommu without
 *	memory
 */
struct mock_iommu {
	struct kunit *test;
	struct iommu_domain domain;
	unsigned int devices;
	void *owner;
	unsigned int claims;
	struct pci_host_bridge *bridge;
	struct list_head reserved;
	struct list_head pages;
	bool stale;
	bool forgets;
};

extern struct mock_iommu mock_iommu;

void mock_iommu_init(struct kunit *test, struct device *dev);
void mock_iommu_reserve(u64 start, u64 len, enum iommu_resv_type type);
void mock_iommu_window(struct list_head *windows, u64 start, u64 len,
		       u64 offset, unsigned long flags);
const struct mock_iommu_page *mock_iommu_page(u64 iova);
unsigned int mock_iommu_pages(void);

struct iommu_group *mock_iommu_group_get(struct device *dev);
void mock_iommu_group_put(struct iommu_group *group);
int mock_iommu_visit_devs(struct iommu_group *group, void *data,
			  int (*fn)(struct device *dev, void *data));
int mock_iommu_claim(struct device *dev, void *owner);
void mock_iommu_release(struct device *dev);
void mock_iommu_get_resv_regions(struct device *dev, struct list_head *list);
void mock_iommu_put_resv_regions(struct device *dev, struct list_head *list);
struct pci_host_bridge *mock_pci_find_host_bridge(struct pci_bus *bus);

#endif

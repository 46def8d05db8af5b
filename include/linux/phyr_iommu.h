/* SPDX-License-Identifier: GPL-2.0 */
/*
 * phyr: dma-bufs without struct page, for importers with an IOMMU domain of
 * their own
 *
 * Such an importer chooses the IOVAs. It claims DMA ownership of its device,
 * attaches a paging domain to it, and passes both to the core, which maps
 * dma-bufs into the domain:
 *
 *	iommu_device_claim_dma_owner(dev, owner);
 *	iommu_attach_device(domain, dev);
 *	space = phyr_domain_create(dev, domain, owner);
 *	attach = phyr_attach_domain(dmabuf, space, &ops, priv);
 *	dma_resv_lock(dmabuf->resv, NULL);
 *	list = phyr_map_domain(attach, 0, dmabuf->size, iova,
 *			       IOMMU_READ | IOMMU_WRITE);
 *
 * Its PCI driver sets driver_managed_dma, without which no ownership can be
 * claimed. The DMA API does not work for the device then: the driver maps its
 * own memory, such as command buffers, into the domain itself, at IOVAs that
 * it does not pass to the core.
 *
 * The lifetime of a mapping is that of any other (see <linux/phyr.h>): the core
 * unmaps it when the memory moves or is revoked, after the invalidate callback
 * and the fences. A device that goes on faults in the IOMMU.
 *
 * All symbols are in the namespace PHYR.
 */
#ifndef _LINUX_PHYR_IOMMU_H
#define _LINUX_PHYR_IOMMU_H

#include <linux/phyr.h>
#include <linux/types.h>

struct iommu_domain;
struct phyr_domain;

struct phyr_domain *phyr_domain_create(struct device *dev,
				       struct iommu_domain *domain,
				       void *owner);
void phyr_domain_destroy(struct phyr_domain *space);

struct phyr_attachment *
phyr_attach_domain(struct dma_buf *dmabuf, struct phyr_domain *space,
		   const struct phyr_importer_ops *ops, void *priv);

struct dma_range_list *phyr_map_domain(struct phyr_attachment *attach,
				       u64 offset, u64 len, u64 iova, int prot);

/**
 * struct phyr_domain_mapping - a mapping to be unmapped with others
 * @attach: the attachment
 * @list: its list, from phyr_map_domain()
 */
struct phyr_domain_mapping {
	struct phyr_attachment *attach;
	struct dma_range_list *list;
};

void phyr_unmap_domain(struct phyr_domain *space,
		       const struct phyr_domain_mapping *mappings,
		       unsigned int nr);

/**
 * struct phyr_domain_pages - IOMMU pages of a mapping
 * @smallest: size of the smallest page in bytes
 * @largest: size of the largest page in bytes
 * @count: number of pages
 */
struct phyr_domain_pages {
	u64 smallest;
	u64 largest;
	u64 count;
};

void phyr_domain_list_pages(const struct dma_range_list *list,
			    struct phyr_domain_pages *pages);

#endif

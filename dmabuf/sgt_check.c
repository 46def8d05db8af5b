// SPDX-License-Identifier: GPL-2.0
/*
 * Validation of a stock exporter's sg_table
 *
 * An exporter should fill in what the DMA API returned for the importer's
 * device. Drivers have shipped that filled in physical addresses of a BAR,
 * addresses that were mapped for another device, or lengths that were cut to 32
 * bits. DMA to such a table faults or hits memory of somebody else. Each new
 * mapping is checked before the importer sees it:
 *
 *	the lengths		add up to at least the size of the dma-buf
 *	each address		is within the DMA mask of the device
 *	no segment		is a bounce buffer, which nobody would sync
 *	behind an IOMMU		a segment is mapped in the device's domain, or is
 *				a peer's bus address: it lies in a window of a
 *				bridge above the device that peer traffic reaches
 *				without being redirected to the root complex
 *
 * The last check is of a sample, so that its cost is bounded: the first and the
 * last segment and those at even distances between them, in total at most
 * SGT_CHECK_SEGMENTS + 1, with at most SGT_CHECK_STEPS + 1 look-ups each.
 *
 * Where no IOMMU translates, or a driver manages the domain of its device
 * itself, any address below the mask may be right. docs/dma-buf.md lists the
 * other lies that cannot be seen.
 *
 * iommu_iova_to_phys() must not race with an unmap of the same address, and
 * modules have no lock against that. An honest exporter keeps its mapping while
 * the table exists. An address of a BAR is not mapped, and never will be: PCI
 * windows are not allocated as IOVA. Only the address of another mapping of the
 * same device, which ends at that moment, can make the look-up read a page table
 * that was just freed.
 */
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-map-ops.h>
#include <linux/iommu-dma.h>
#include <linux/iommu.h>
#include <linux/overflow.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/swiotlb.h>

#include "internal.h"

#define SGT_CHECK_SEGMENTS	256
#define SGT_CHECK_STEPS		4

/**
 * struct sgt_check - what a table is checked against
 * @dev: the importer's device
 * @limit: highest address of @dev
 * @bounces: a segment that needs a sync is a bounce buffer
 * @domain: IOMMU domain that the table must be mapped in, or NULL
 * @bridge: bridge below which @dev can use bus addresses, or NULL
 */
struct sgt_check {
	struct device *dev;
	u64 limit;
	bool bounces;
	struct iommu_domain *domain;
	struct pci_dev *bridge;
};

/* A driver that manages its domain itself does not use the DMA API. */
static struct iommu_domain *sgt_check_domain(struct device *dev)
{
	struct iommu_domain *domain;

	if (!use_dma_iommu(dev))
		return NULL;
	domain = iommu_get_domain_for_dev(dev);
	if (!domain || !iommu_is_dma_domain(domain) ||
	    !domain->ops->iova_to_phys)
		return NULL;
	return domain;
}

/* As the kernel decides it. A port that is gone reads as all ones. */
static bool sgt_check_redirects(struct pci_dev *pdev)
{
	u16 ctrl;

	if (!pdev->acs_cap)
		return false;
	pci_read_config_word(pdev, pdev->acs_cap + PCI_ACS_CTRL, &ctrl);
	return ctrl & (PCI_ACS_RR | PCI_ACS_CR | PCI_ACS_EC);
}

/*
 * The highest bridge that the device's peer traffic reaches before a port sends
 * it to the root complex. Its windows contain those of the bridges below.
 */
static struct pci_dev *sgt_check_bridge(struct device *dev)
{
	struct pci_dev *bridge = NULL, *pdev, *up;

	if (!dev_is_pci(dev))
		return NULL;
	for (pdev = to_pci_dev(dev); !sgt_check_redirects(pdev); pdev = up) {
		up = pci_upstream_bridge(pdev);
		if (!up)
			break;
		bridge = up;
	}
	return bridge;
}

/* Does the bridge pass the bus addresses from @addr to @last downwards? */
static bool sgt_check_forwards(struct pci_dev *bridge, u64 addr, u64 last)
{
	struct pci_bus_region region;
	struct resource *res;
	int i;

	for (i = PCI_BRIDGE_MEM_WINDOW; i <= PCI_BRIDGE_PREF_MEM_WINDOW; i++) {
		res = pci_resource_n(bridge, i);
		if (!(res->flags & IORESOURCE_MEM) ||
		    res->flags & (IORESOURCE_UNSET | IORESOURCE_DISABLED))
			continue;
		pcibios_resource_to_bus(bridge->bus, &region, res);
		if (addr >= region.start && last <= region.end)
			return true;
	}
	return false;
}

static phys_addr_t sgt_check_translate(struct iommu_domain *domain, u64 addr)
{
	const struct iommu_domain_geometry *geometry = &domain->geometry;

	/* Page tables have no place for the upper bits: do not drop them. */
	if (geometry->force_aperture && (addr < geometry->aperture_start ||
					 addr > geometry->aperture_end))
		return 0;
	/* 0 means that nothing is mapped. An odd address never maps to 0. */
	return iommu_iova_to_phys(domain, addr | 1);
}

/* Pools that the kernel added later (SWIOTLB_DYNAMIC) are not visible here. */
static bool sgt_check_in_pool(struct device *dev, phys_addr_t phys)
{
#ifdef CONFIG_SWIOTLB
	const struct io_tlb_mem *mem = dev->dma_io_tlb_mem;

	return mem && phys >= mem->defpool.start && phys < mem->defpool.end;
#else
	return false;
#endif
}

static const char *sgt_check_mapped(const struct sgt_check *check, u64 addr)
{
	phys_addr_t phys = sgt_check_translate(check->domain, addr);

	if (!phys)
		return "an address is neither mapped for the device nor a bus address of a peer";
	if (sgt_check_in_pool(check->dev, phys))
		return "it has bounce buffers, which dma-bufs do not support";
	return NULL;
}

/* Both ends of the segment, and points in between */
static const char *sgt_check_look_up(const struct sgt_check *check, u64 addr,
				     u64 last)
{
	u64 step = max_t(u64, (last - addr) / SGT_CHECK_STEPS + 1, SZ_4K);
	const char *why = NULL;

	if (check->bridge && sgt_check_forwards(check->bridge, addr, last))
		return NULL;
	for (; addr < last && !why; addr += min(step, last - addr))
		why = sgt_check_mapped(check, addr);
	return why ?: sgt_check_mapped(check, last);
}

static const char *sgt_check_segment(const struct sgt_check *check, u64 addr,
				     u64 len, bool look_up)
{
	u64 last;

	if (check_add_overflow(addr, len - 1, &last) || last > check->limit)
		return "an address is beyond the device's DMA mask";
	if (check->bounces && dma_need_sync(check->dev, addr))
		return "it has bounce buffers, which dma-bufs do not support";
	return look_up ? sgt_check_look_up(check, addr, last) : NULL;
}

static const char *sgt_check_segments(const struct sgt_check *check,
				      struct sg_table *sgt, u64 *total)
{
	unsigned int distance = DIV_ROUND_UP(sgt->nents, SGT_CHECK_SEGMENTS);
	struct scatterlist *sg;
	const char *why;
	bool look_up;
	int i;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		if (!sg_dma_len(sg))
			continue;
		look_up = check->domain &&
			  (!(i % distance) || i == sgt->nents - 1);
		why = sgt_check_segment(check, sg_dma_address(sg),
					sg_dma_len(sg), look_up);
		if (why)
			return why;
		*total += sg_dma_len(sg);
		cond_resched();
	}
	return NULL;
}

/* Everybody may read the kernel log: no addresses. */
static int sgt_check_refuse(const struct dma_buf_attachment *attach,
			    const char *why, int err)
{
	phyr_dev_notice(attach->dev,
			"phyr: cannot use the table of a dma-buf of %s: %s\n",
			attach->dmabuf->exp_name, why);
	return err;
}

/**
 * phyr_sgt_check - check that a device can use a stock exporter's table
 * @sgt: table that is mapped for @attach
 * @attach: attachment of the importer
 *
 * A bounce buffer of an untranslated device is recognized by its need of a
 * sync, which on a device that is not coherent all memory has.
 *
 * Context: the reservation lock is held; may sleep.
 * Return: 0; -EREMOTEIO if an address exceeds the device's mask, is not mapped
 * for the device or belongs to a bounce buffer; -EINVAL if the table is shorter
 * than the dma-buf. The kernel log names the exporter.
 */
int phyr_sgt_check(struct sg_table *sgt, struct dma_buf_attachment *attach)
{
	struct device *dev = attach->dev;
	struct sgt_check check = {
		.dev = dev,
		.limit = phyr_dev_limit(dev),
		.bounces = phyr_dev_untranslated(dev) &&
			   dev_is_dma_coherent(dev),
		.domain = sgt_check_domain(dev),
	};
	const char *why;
	u64 total = 0;

	if (check.domain)
		check.bridge = sgt_check_bridge(dev);
	why = sgt_check_segments(&check, sgt, &total);
	if (why)
		return sgt_check_refuse(attach, why, -EREMOTEIO);
	if (total < attach->dmabuf->size)
		return sgt_check_refuse(attach, "it is shorter than the dma-buf",
					-EINVAL);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The mock devices
 */
#include <kunit/test-bug.h>
#include <linux/dma-map-ops.h>
#include <linux/iommu.h>

#include "mock.h"

/**
 * mock_pci_bus - create a PCI bus
 * @test: the case
 * @bridge: the bridge above it, or NULL for a root bus
 *
 * Return: the bus; freed at the end of @test.
 */
struct pci_bus *mock_pci_bus(struct kunit *test, struct pci_dev *bridge)
{
	struct pci_bus *bus = kunit_kzalloc(test, sizeof(*bus), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, bus);
	bus->self = bridge;
	bus->parent = bridge ? bridge->bus : NULL;
	return bus;
}

static void mock_pci_release(struct device *dev)
{
	/* kunit_kzalloc() frees it. */
}

static void mock_pci_end(void *data)
{
	struct kunit *test = kunit_get_current_test();
	struct device *dev = data;

	KUNIT_EXPECT_EQ_MSG(test, kref_read(&dev->kobj.kref), 1,
			    "a reference to %s leaks", dev_name(dev));
	/* The driver core would free it. */
	dev->dma_range_map = NULL;
	put_device(dev);
}

/**
 * mock_pci_dev - create a PCI device
 * @test: the case
 * @name: its name
 * @bus: its bus
 * @mask: its DMA mask; 0 for none
 *
 * The driver core does not know the device. The case fails if it ends with a
 * reference to the device left.
 *
 * Return: the device; freed at the end of @test.
 */
struct pci_dev *mock_pci_dev(struct kunit *test, const char *name,
			     struct pci_bus *bus, u64 mask)
{
	struct pci_dev *pdev = kunit_kzalloc(test, sizeof(*pdev), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, pdev);
	device_initialize(&pdev->dev);
	pdev->dev.release = mock_pci_release;
	pdev->dev.bus = &pci_bus_type;
	pdev->bus = bus;
	pdev->dma_mask = mask;
	if (mask)
		pdev->dev.dma_mask = &pdev->dma_mask;
	KUNIT_ASSERT_EQ(test, dev_set_name(&pdev->dev, "%s", name), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, mock_pci_end,
							&pdev->dev), 0);
	return pdev;
}

/**
 * mock_pci_bar - set a BAR of a device
 * @pdev: the device
 * @bar: its number
 * @start: physical address
 * @len: bytes; 0 for no BAR
 */
void mock_pci_bar(struct pci_dev *pdev, int bar, u64 start, u64 len)
{
	pdev->resource[bar] = (struct resource) {
		.start = start,
		.end = len ? start + len - 1 : 0,
		.flags = IORESOURCE_MEM,
	};
}

int mock_pci_read_config_word(const struct pci_dev *pdev, int where, u16 *val)
{
	*val = where == pdev->acs_cap + PCI_ACS_CTRL &&
	       pdev == mock.redirects ? PCI_ACS_RR : 0;
	return 0;
}

void mock_pcibios_resource_to_bus(struct pci_bus *bus,
				  struct pci_bus_region *region,
				  const struct resource *res)
{
	region->start = res->start - mock.window_offset;
	region->end = res->end - mock.window_offset;
}

/**
 * mock_device - create a device that is not a PCI device
 * @test: the case
 * @name: its name
 * @mask: its DMA mask; 0 for none
 *
 * Return: the device; freed at the end of @test.
 */
struct device *mock_device(struct kunit *test, const char *name, u64 mask)
{
	struct pci_dev *pdev = mock_pci_dev(test, name, NULL, mask);

	pdev->dev.bus = NULL;
	return &pdev->dev;
}

/*
 * What the kernel says of the device
 */

bool mock_use_dma_iommu(struct device *dev)
{
	return mock.iommu;
}

const struct dma_map_ops *mock_get_dma_ops(struct device *dev)
{
	static const struct dma_map_ops ops;

	return mock.other_ops ? &ops : NULL;
}

unsigned long mock_dma_get_merge_boundary(struct device *dev)
{
	return mock.merge_boundary;
}

bool mock_dev_is_dma_coherent(struct device *dev)
{
	return mock.coherent;
}

bool mock_is_swiotlb_force_bounce(struct device *dev)
{
	return mock.bounce;
}

bool mock_dma_addressing_limited(struct device *dev)
{
	return min_not_zero(*dev->dma_mask, dev->bus_dma_limit) <
	       mock.required_mask;
}

bool mock_dma_need_sync(struct device *dev, dma_addr_t addr)
{
	return !mock.coherent || (mock.need_sync && addr >= mock.need_sync);
}

static const struct iommu_domain_ops mock_dma_domain_ops = {};

/* The default of mock.domain: the DMA API's */
struct iommu_domain mock_dma_domain = {
	.type = IOMMU_DOMAIN_DMA,
	.ops = &mock_dma_domain_ops,
};

struct iommu_domain *mock_iommu_get_domain_for_dev(struct device *dev)
{
	return mock.domain;
}

pgprot_t mock_pgprot_decrypted(pgprot_t prot)
{
	return __pgprot(pgprot_val(prot) | MOCK_DECRYPTED);
}

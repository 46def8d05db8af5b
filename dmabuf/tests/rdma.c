// SPDX-License-Identifier: GPL-2.0
/*
 * phyr_rdma: memory regions of a pretended RDMA device, controlled by tests
 *
 * No driver in the kernel that runs in an emulator registers dma-bufs, so the
 * functions of the RDMA core by which all drivers do are called here, for a PCI
 * device that has nothing to do with RDMA. They read nothing of the ib_device
 * but the device that does the DMA, so it is never registered.
 */
#include <linux/fs.h>
#include <linux/iommu.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>
#include <rdma/ib_verbs.h>

#include "rdma.h"
#include "test_ioctl.h"

static DEFINE_MUTEX(rdma_lock);
/* By PHYR_RDMA_LSI and so on; guarded by rdma_lock. */
static struct rdma_device *rdma_devices[2];
/* The regions of all devices and files by id; guarded by rdma_lock. */
static DEFINE_XARRAY_ALLOC1(rdma_regions);

static struct rdma_device *rdma_device_find(u32 device)
{
	lockdep_assert_held(&rdma_lock);

	if (device >= ARRAY_SIZE(rdma_devices))
		return ERR_PTR(-EINVAL);
	return rdma_devices[device] ?: ERR_PTR(-ENODEV);
}

static struct rdma_region *rdma_region_find(const struct file *file, u32 id)
{
	struct rdma_region *region;

	lockdep_assert_held(&rdma_lock);

	region = xa_load(&rdma_regions, id);
	return region && region->owner == file ? region : ERR_PTR(-ENOENT);
}

static void rdma_region_remove(unsigned long id)
{
	rdma_region_destroy(xa_erase(&rdma_regions, id));
}

static int rdma_ioctl_reg(struct file *file, struct phyr_rdma_reg *args)
{
	struct rdma_device *rdma = rdma_device_find(args->device);
	struct rdma_region *region;
	int ret;

	if (IS_ERR(rdma))
		return PTR_ERR(rdma);

	region = rdma_region_create(rdma, args);
	if (IS_ERR(region))
		return PTR_ERR(region);

	region->owner = file;
	ret = xa_alloc(&rdma_regions, &args->id, region, xa_limit_31b,
		       GFP_KERNEL);
	if (ret)
		rdma_region_destroy(region);
	return ret;
}

static int rdma_ioctl_dereg(struct file *file, struct phyr_rdma_region *args)
{
	struct rdma_region *region = rdma_region_find(file, args->id);

	if (IS_ERR(region))
		return PTR_ERR(region);
	rdma_region_state(region, args);
	rdma_region_remove(args->id);
	return 0;
}

static int rdma_ioctl_region(struct file *file, struct phyr_rdma_region *args)
{
	struct rdma_region *region = rdma_region_find(file, args->id);

	if (IS_ERR(region))
		return PTR_ERR(region);
	rdma_region_state(region, args);
	return 0;
}

static int rdma_ioctl_table(struct file *file, struct phyr_rdma_table *args)
{
	struct rdma_region *region = rdma_region_find(file, args->id);

	return IS_ERR(region) ? PTR_ERR(region) :
				rdma_region_table(region, args);
}

static int rdma_ioctl_phys(struct phyr_rdma_phys *args)
{
	struct rdma_device *rdma = rdma_device_find(args->device);
	u64 __user *user = u64_to_user_ptr(args->addrs);
	struct iommu_domain *domain;
	u64 addr;
	u32 i;

	if (IS_ERR(rdma))
		return PTR_ERR(rdma);

	domain = iommu_get_domain_for_dev(&rdma->pdev->dev);
	for (i = 0; i < args->nr; i++) {
		if (get_user(addr, user + i))
			return -EFAULT;
		if (domain)
			addr = iommu_iova_to_phys(domain, addr);
		if (put_user(addr, user + i))
			return -EFAULT;
		cond_resched();
	}
	return 0;
}

static int rdma_ioctl_dma(struct file *file, const struct phyr_rdma_dma *args)
{
	struct rdma_region *region = rdma_region_find(file, args->id);

	return IS_ERR(region) ? PTR_ERR(region) : rdma_region_dma(region, args);
}

static int rdma_dispatch(struct file *file, unsigned int cmd, void *args)
{
	guard(mutex)(&rdma_lock);

	switch (cmd) {
	case PHYR_RDMA_IOC_REG:
		return rdma_ioctl_reg(file, args);
	case PHYR_RDMA_IOC_DEREG:
		return rdma_ioctl_dereg(file, args);
	case PHYR_RDMA_IOC_REGION:
		return rdma_ioctl_region(file, args);
	case PHYR_RDMA_IOC_TABLE:
		return rdma_ioctl_table(file, args);
	case PHYR_RDMA_IOC_PHYS:
		return rdma_ioctl_phys(args);
	case PHYR_RDMA_IOC_DMA:
		return rdma_ioctl_dma(file, args);
	default:
		return -ENOTTY;
	}
}

static long rdma_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	union {
		struct phyr_rdma_reg reg;
		struct phyr_rdma_region region;
		struct phyr_rdma_table table;
		struct phyr_rdma_phys phys;
		struct phyr_rdma_dma dma;
	} args = {};

	return test_ioctl_call(file, cmd, arg, &args, sizeof(args),
			       rdma_dispatch);
}

static int rdma_close(struct inode *inode, struct file *file)
{
	struct rdma_region *region;
	unsigned long id;

	guard(mutex)(&rdma_lock);
	xa_for_each(&rdma_regions, id, region)
		if (region->owner == file)
			rdma_region_remove(id);
	return 0;
}

static const struct file_operations rdma_fops = {
	.owner = THIS_MODULE,
	.release = rdma_close,
	.unlocked_ioctl = rdma_ioctl,
};

static struct miscdevice rdma_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "phyr_rdma",
	.fops = &rdma_fops,
	.mode = 0600,
};

/*
 * Devices
 */

static int rdma_init_lsi(struct rdma_device *rdma)
{
	struct device *dev = &rdma->pdev->dev;
	int ret;

	ret = dma_set_mask_and_coherent(dev, DMA_BIT_MASK(32));
	if (ret)
		return ret;
	rdma->bounce = dmam_alloc_coherent(dev, PHYR_RDMA_MAX_LEN,
					   &rdma->bounce_addr, GFP_KERNEL);
	if (!rdma->bounce)
		return -ENOMEM;
	return phyr_engine_init(&rdma->engine, rdma->pdev);
}

static int rdma_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct rdma_device *rdma;
	int ret;

	/* driver_override alone matches any device, with a wildcard id. */
	if (id->vendor == PCI_ANY_ID)
		return -ENODEV;

	rdma = devm_kzalloc(&pdev->dev, sizeof(*rdma), GFP_KERNEL);
	if (!rdma)
		return -ENOMEM;
	rdma->ib = devm_kzalloc(&pdev->dev, sizeof(*rdma->ib), GFP_KERNEL);
	if (!rdma->ib)
		return -ENOMEM;

	rdma->pdev = pdev;
	rdma->ib->dma_device = &pdev->dev;
	ret = devm_mutex_init(&pdev->dev, &rdma->lock);
	if (ret)
		return ret;
	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	/* Stock exporters split at this. */
	dma_set_max_seg_size(&pdev->dev, UINT_MAX);
	if (id->driver_data == PHYR_RDMA_LSI)
		ret = rdma_init_lsi(rdma);
	else
		ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;

	guard(mutex)(&rdma_lock);
	if (rdma_devices[id->driver_data])
		return -EBUSY;
	rdma_devices[id->driver_data] = rdma;
	pci_set_drvdata(pdev, rdma);
	return 0;
}

/* As the RDMA core does: no region of the device outlives it. */
static void rdma_remove(struct pci_dev *pdev)
{
	struct rdma_device *rdma = pci_get_drvdata(pdev);
	struct rdma_region *region;
	unsigned long id;
	size_t i;

	guard(mutex)(&rdma_lock);
	for (i = 0; i < ARRAY_SIZE(rdma_devices); i++)
		if (rdma_devices[i] == rdma)
			rdma_devices[i] = NULL;
	xa_for_each(&rdma_regions, id, region)
		if (region->rdma == rdma)
			rdma_region_remove(id);
	if (rdma->bounce)
		phyr_engine_stop(&rdma->engine);
}

static const struct pci_device_id rdma_ids[] = {
	{ PCI_DEVICE_DRIVER_OVERRIDE(0x1000, 0x0012, true),
	  .driver_data = PHYR_RDMA_LSI },
	{ PCI_DEVICE_DRIVER_OVERRIDE(0x1234, 0x11e8, true),
	  .driver_data = PHYR_RDMA_EDU },
	{}
};

static struct pci_driver rdma_driver = {
	.name = "phyr_rdma",
	.id_table = rdma_ids,
	.probe = rdma_probe,
	.remove = rdma_remove,
};

static int __init rdma_init(void)
{
	int ret;

	ret = misc_register(&rdma_misc);
	if (ret)
		return ret;

	ret = pci_register_driver(&rdma_driver);
	if (ret)
		misc_deregister(&rdma_misc);
	return ret;
}
module_init(rdma_init);

static void __exit rdma_exit(void)
{
	pci_unregister_driver(&rdma_driver);
	misc_deregister(&rdma_misc);
}
module_exit(rdma_exit);

MODULE_DESCRIPTION("Memory regions of a pretended RDMA device, for tests of phyr");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
MODULE_IMPORT_NS("PHYR");
MODULE_IMPORT_NS("PHYR_ENGINE");

// SPDX-License-Identifier: GPL-2.0
/*
 * phyr_awake: keep a guest's 9p file systems working across suspend
 *
 * The 9p virtio driver has no suspend callbacks: the device is reset, its
 * queues are lost, and pending requests never complete. While this module is
 * loaded, suspend skips such devices. For test guests only.
 */
#include <linux/device.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/virtio_ids.h>

#define VIRTIO_PCI_9P_TRANSITIONAL	0x1009
#define VIRTIO_PCI_9P			(0x1040 + VIRTIO_ID_9P)

static void awake_set(bool awake)
{
	struct pci_dev *pdev = NULL;

	for_each_pci_dev(pdev)
		if (pdev->vendor == PCI_VENDOR_ID_REDHAT_QUMRANET &&
		    (pdev->device == VIRTIO_PCI_9P_TRANSITIONAL ||
		     pdev->device == VIRTIO_PCI_9P))
			dev_pm_syscore_device(&pdev->dev, awake);
}

static int __init awake_init(void)
{
	awake_set(true);
	return 0;
}
module_init(awake_init);

static void __exit awake_exit(void)
{
	awake_set(false);
}
module_exit(awake_exit);

MODULE_DESCRIPTION("Keeps 9p file systems working across suspend");
MODULE_LICENSE("GPL");

// SPDX-License-Identifier: GPL-2.0
/*
 * phyr_awake: keep a guest's files and output working across suspend
 *
 * The 9p virtio driver has no suspend callbacks: the device is reset, its
 * queues are lost, and pending requests never complete. The virtio console
 * driver has them, but in 7.3.4 a port whose host end is open counts as closed
 * after resume, and a write to it never returns. While this module is loaded,
 * suspend skips both. For test guests only.
 */
#include <linux/device.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/virtio_ids.h>

#define VIRTIO_PCI_CONSOLE_TRANSITIONAL	0x1003
#define VIRTIO_PCI_9P_TRANSITIONAL	0x1009
#define VIRTIO_PCI_CONSOLE		(0x1040 + VIRTIO_ID_CONSOLE)
#define VIRTIO_PCI_9P			(0x1040 + VIRTIO_ID_9P)

static const struct pci_device_id awake_devices[] = {
	{ PCI_VDEVICE(REDHAT_QUMRANET, VIRTIO_PCI_CONSOLE_TRANSITIONAL) },
	{ PCI_VDEVICE(REDHAT_QUMRANET, VIRTIO_PCI_9P_TRANSITIONAL) },
	{ PCI_VDEVICE(REDHAT_QUMRANET, VIRTIO_PCI_CONSOLE) },
	{ PCI_VDEVICE(REDHAT_QUMRANET, VIRTIO_PCI_9P) },
	{ }
};

static void awake_set(bool awake)
{
	struct pci_dev *pdev = NULL;

	for_each_pci_dev(pdev)
		if (pci_match_id(awake_devices, pdev))
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

MODULE_DESCRIPTION("Keeps a guest's files and output working across suspend");
MODULE_LICENSE("GPL");

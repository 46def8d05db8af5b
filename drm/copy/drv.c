// SPDX-License-Identifier: GPL-2.0
/*
 * The device: probe, remove, ioctl table
 *
 * The driver binds by driver_override only, so it never takes a card from
 * sym53c8xx unasked. All resources are managed by the PCI device (pcim_, devm_)
 * or the DRM device (drmm_), except the scheduler, which remove() stops.
 */
#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/phyr_inject.h>
#include <linux/pm.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_ioctl.h>
#include <drm/drm_print.h>

#include "copy.h"

/* DRM_IOCTL_PHYR_COPY_INFO */
static int copy_info_ioctl(struct drm_device *drm, void *data,
			   struct drm_file *file)
{
	struct drm_phyr_copy_info *args = data;

	args->max_len = PHYR_COPY_MAX_LEN;
	args->max_jobs = PHYR_COPY_MAX_JOBS;
	args->max_seconds = PHYR_COPY_MAX_SECONDS;
	return 0;
}

static const struct drm_ioctl_desc copy_ioctls[] = {
	DRM_IOCTL_DEF_DRV(PHYR_COPY_GEM_CREATE, copy_gem_create_ioctl,
			  DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(PHYR_COPY_GEM_MMAP, copy_gem_mmap_ioctl,
			  DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(PHYR_COPY_GEM_INFO, copy_gem_info_ioctl,
			  DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(PHYR_COPY_SUBMIT, copy_submit_ioctl,
			  DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(PHYR_COPY_INFO, copy_info_ioctl,
			  DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(PHYR_COPY_GEM_USERPTR, copy_gem_userptr_ioctl,
			  DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(PHYR_COPY_GEM_COMPOSE, copy_gem_compose_ioctl,
			  DRM_RENDER_ALLOW),
};

static void copy_show_fdinfo(struct drm_printer *p, struct drm_file *file)
{
	struct copy_client *client = file->driver_priv;

	drm_printf(p, "drm-engine-copy:\t%llu ns\n",
		   (u64)atomic64_read(&client->busy));
	copy_bos_show_fdinfo(p, file);
}

static const struct file_operations copy_fops = {
	.owner = THIS_MODULE,
	DRM_GEM_FOPS,
	.show_fdinfo = drm_show_fdinfo,
};

static const struct drm_driver copy_driver = {
	.driver_features = DRIVER_GEM | DRIVER_RENDER | DRIVER_SYNCOBJ,
	.open = copy_client_open,
	.postclose = copy_client_close,
	.prime_fd_to_handle = copy_prime_fd_to_handle,
	.gem_prime_import = copy_prime_import,
	.show_fdinfo = copy_show_fdinfo,
	.debugfs_init = copy_debugfs_init,
	.ioctls = copy_ioctls,
	.num_ioctls = ARRAY_SIZE(copy_ioctls),
	.fops = &copy_fops,
	.name = "phyr_copy",
	.desc = "53C895A copy engine",
	.major = 1,
	.minor = 3,
};

static int copy_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct copy_device *copy;
	int ret;

	/* driver_override matches any device; unknown ones as PCI_ANY_ID. */
	if (id->vendor == PCI_ANY_ID)
		return -ENODEV;

	copy = devm_drm_dev_alloc(&pdev->dev, &copy_driver,
				  struct copy_device, drm);
	if (IS_ERR(copy))
		return PTR_ERR(copy);
	pci_set_drvdata(pdev, copy);
	xa_init(&copy->bos);
	early_imports_init(&copy->imports);
	init_waitqueue_head(&copy->idle);

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(32));
	if (ret)
		return ret;
	dma_set_max_seg_size(&pdev->dev, UINT_MAX);
	copy->dma32 = dma_addressing_limited(&pdev->dev);

	ret = phyr_engine_init(&copy->engine, pdev);
	if (ret)
		return ret;
	ret = copy_maps_init(copy);
	if (ret)
		return ret;
	ret = copy_clients_init(copy);
	if (ret)
		return ret;
	ret = copy_jobs_init(copy);
	if (ret)
		return ret;
	ret = drm_dev_register(&copy->drm, 0);
	if (ret) {
		copy_jobs_stop(copy);
		copy_jobs_fini(copy);
	}
	return ret;
}

static void copy_remove(struct pci_dev *pdev)
{
	struct copy_device *copy = pci_get_drvdata(pdev);

	drm_dev_unplug(&copy->drm);
	phyr_inject_delay();
	copy_jobs_stop(copy);
	copy_bos_stop(copy);
	copy_jobs_fini(copy);
}

static void copy_shutdown(struct pci_dev *pdev)
{
	pci_clear_master(pdev);
}

/* No MODULE_DEVICE_TABLE(): its alias would autoload the module. */
static const struct pci_device_id copy_ids[] = {
	{ PCI_DEVICE_DRIVER_OVERRIDE(0x1000, 0x0012, true) },
	{ }
};

static struct pci_driver copy_pci_driver = {
	.name = "phyr_copy",
	.id_table = copy_ids,
	.probe = copy_probe,
	.remove = copy_remove,
	.shutdown = copy_shutdown,
	.driver.pm = pm_sleep_ptr(&copy_pm_ops),
};

static int __init copy_init(void)
{
	return pci_register_driver(&copy_pci_driver);
}
module_init(copy_init);

static void __exit copy_exit(void)
{
	pci_unregister_driver(&copy_pci_driver);
}
module_exit(copy_exit);

MODULE_DESCRIPTION("Copy engine that reads and writes page-less dma-bufs");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
MODULE_IMPORT_NS("PHYR");
MODULE_IMPORT_NS("PHYR_ENGINE");

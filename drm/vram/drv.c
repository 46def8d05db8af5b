// SPDX-License-Identifier: GPL-2.0
/*
 * phyr_vram: the PCI and DRM driver
 *
 * Supports QEMU's ivshmem for its memory (BAR 2), and bochs-display for its
 * memory (BAR 0) and as a display (registers in BAR 2). Binds by
 * driver_override only, because these devices have other drivers.
 */
#include <drm/drm_drv.h>
#include <drm/drm_dumb_buffers.h>
#include <drm/drm_fbdev_ttm.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_gem_ttm_helper.h>
#include <drm/drm_ioctl.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>
#include <drm/phyr_vram_drm.h>
#include <drm/ttm/ttm_placement.h>
#include <linux/aperture.h>
#include <linux/dma-resv.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/phyr_inject.h>
#include <linux/pm.h>

#include "vram.h"

static int vram_info_ioctl(struct drm_device *drm, void *data,
			   struct drm_file *file)
{
	struct drm_phyr_vram_info *args = data;

	if (args->pad)
		return -EINVAL;

	args->vram_size = to_vram(drm)->mgr.base.size;
	args->fixed_size = to_vram(drm)->mgr.fixed_limit;
	args->page_size = PAGE_SIZE;
	return 0;
}

static bool vram_create_args_ok(const struct drm_phyr_vram_gem_create *args)
{
	const u32 places = DRM_PHYR_VRAM_PLACE_VRAM |
			   DRM_PHYR_VRAM_PLACE_SYSTEM;

	if (!args->size || args->flags || args->pad)
		return false;
	if (!args->placement || args->placement & ~places)
		return false;
	return !args->max_extent || (args->max_extent >= PAGE_SIZE &&
				     is_power_of_2(args->max_extent));
}

/* Create a buffer and a handle, which holds the only reference. */
static int vram_create_handle(struct drm_device *drm, struct drm_file *file,
			      u64 size, u32 placement, u64 max_extent,
			      u32 *handle)
{
	struct vram_bo *bo;
	int ret;

	ret = vram_bos_begin_move(to_vram(drm));
	if (ret)
		return ret;
	bo = vram_gem_create(to_vram(drm), file->driver_priv, size, placement,
			     max_extent);
	vram_bos_end_move(to_vram(drm));
	if (IS_ERR(bo))
		return PTR_ERR(bo);

	phyr_inject_delay();
	ret = drm_gem_handle_create(file, &bo->tbo.base, handle);
	vram_bo_put(bo);
	return ret;
}

static int vram_gem_create_ioctl(struct drm_device *drm, void *data,
				 struct drm_file *file)
{
	struct drm_phyr_vram_gem_create *args = data;
	u64 size;

	if (!vram_create_args_ok(args))
		return -EINVAL;
	if (check_add_overflow(args->size, PAGE_SIZE - 1, &size))
		return -E2BIG;

	args->size = round_down(size, PAGE_SIZE);
	return vram_create_handle(drm, file, args->size, args->placement,
				  args->max_extent, &args->handle);
}

static int vram_gem_mmap_ioctl(struct drm_device *drm, void *data,
			       struct drm_file *file)
{
	struct drm_phyr_vram_gem_mmap *args = data;

	if (args->pad)
		return -EINVAL;

	return drm_gem_ttm_dumb_map_offset(file, drm, args->handle,
					   &args->offset);
}

static int vram_gem_info_ioctl(struct drm_device *drm, void *data,
			       struct drm_file *file)
{
	struct drm_phyr_vram_gem_info *args = data;
	struct drm_gem_object *gem;
	struct vram_bo *bo;
	int ret;

	gem = drm_gem_object_lookup(file, args->handle);
	if (!gem)
		return -ENOENT;

	ret = -EOPNOTSUPP;
	if (!vram_gem_is_bo(gem))
		goto put;

	bo = to_vram_bo(gem);
	ret = dma_resv_lock_interruptible(gem->resv, NULL);
	if (!ret) {
		args->placement = bo->place == TTM_PL_VRAM ?
				  DRM_PHYR_VRAM_PLACE_VRAM :
				  DRM_PHYR_VRAM_PLACE_SYSTEM;
		args->size = gem->size;
		args->id = bo->id;
		args->extents = vram_bo_extents(bo);
		dma_resv_unlock(gem->resv);
	}
put:
	drm_gem_object_put(gem);
	return ret;
}

static int vram_gem_move_ioctl(struct drm_device *drm, void *data,
			       struct drm_file *file)
{
	struct drm_phyr_vram_gem_move *args = data;
	struct drm_gem_object *gem;
	u32 mem_type = TTM_PL_TT;
	int ret;

	if (!is_power_of_2(args->placement))
		return -EINVAL;
	if (args->placement == DRM_PHYR_VRAM_PLACE_VRAM)
		mem_type = TTM_PL_VRAM;

	gem = drm_gem_object_lookup(file, args->handle);
	if (!gem)
		return -ENOENT;

	ret = -EOPNOTSUPP;
	if (!vram_gem_is_bo(gem))
		goto put;
	ret = -EINVAL;
	if (!(to_vram_bo(gem)->placement & args->placement))
		goto put;

	ret = vram_bos_begin_move(to_vram(drm));
	if (ret)
		goto put;
	phyr_inject_delay();
	ret = dma_resv_lock_interruptible(gem->resv, NULL);
	if (!ret) {
		ret = vram_bo_move_to(to_vram_bo(gem), mem_type, true);
		if (!ret)
			to_vram_bo(gem)->evicted = false;
		dma_resv_unlock(gem->resv);
	}
	vram_bos_end_move(to_vram(drm));
put:
	drm_gem_object_put(gem);
	return ret;
}

static const struct drm_ioctl_desc vram_ioctls[] = {
	DRM_IOCTL_DEF_DRV(PHYR_VRAM_INFO, vram_info_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(PHYR_VRAM_GEM_CREATE, vram_gem_create_ioctl,
			  DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(PHYR_VRAM_GEM_MMAP, vram_gem_mmap_ioctl,
			  DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(PHYR_VRAM_GEM_INFO, vram_gem_info_ioctl,
			  DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(PHYR_VRAM_GEM_MOVE, vram_gem_move_ioctl,
			  DRM_RENDER_ALLOW),
};

static int vram_dumb_create(struct drm_file *file, struct drm_device *drm,
			    struct drm_mode_create_dumb *args)
{
	int ret;

	/* Lines must start at 32-bit words to be displayed. */
	ret = drm_mode_size_dumb(drm, args, sizeof(u32), 0);
	if (ret)
		return ret;

	return vram_create_handle(drm, file, args->size,
				  DRM_PHYR_VRAM_PLACE_VRAM |
				  DRM_PHYR_VRAM_PLACE_SYSTEM, 0, &args->handle);
}

static const struct file_operations vram_fops = {
	.owner = THIS_MODULE,
	DRM_GEM_FOPS,
	.show_fdinfo = drm_show_fdinfo,
};

static const struct drm_driver vram_driver = {
	.driver_features = DRIVER_GEM | DRIVER_RENDER | DRIVER_MODESET |
			   DRIVER_ATOMIC,
	.fops = &vram_fops,
	.ioctls = vram_ioctls,
	.num_ioctls = ARRAY_SIZE(vram_ioctls),
	.open = vram_client_open,
	.postclose = vram_client_close,
	.dumb_create = vram_dumb_create,
	.dumb_map_offset = drm_gem_ttm_dumb_map_offset,
	.prime_fd_to_handle = vram_prime_fd_to_handle,
	.gem_prime_import = vram_prime_import,
	.show_fdinfo = vram_client_show_fdinfo,
	.debugfs_init = vram_debugfs_init,
	DRM_FBDEV_TTM_DRIVER_OPS,
	.name = VRAM_DRIVER_NAME,
	.desc = "page-less VRAM",
	.major = 1,
	.minor = 0,
};

static void vram_mem_fini(struct drm_device *drm, void *arg)
{
	phyr_mem_put(arg);
}

/* The memory descriptions are released with the DRM device. */
static int vram_mem_init(struct vram_device *vram, struct pci_dev *pdev,
			 int bar)
{
	int ret;

	vram->mem = phyr_mem_create_p2p(pdev, bar, PHYR_MEM_WC);
	if (IS_ERR(vram->mem))
		return PTR_ERR(vram->mem);
	ret = drmm_add_action_or_reset(&vram->drm, vram_mem_fini, vram->mem);
	if (ret)
		return ret;

	vram->ram = phyr_mem_create_ram();
	if (IS_ERR(vram->ram))
		return PTR_ERR(vram->ram);
	return drmm_add_action_or_reset(&vram->drm, vram_mem_fini, vram->ram);
}

static void vram_bos_fini(struct drm_device *drm, void *arg)
{
	xa_destroy(&to_vram(drm)->bos);
}

/**
 * struct vram_model - a supported card model
 * @vram_bar: number of the BAR with the VRAM
 * @display_bar: number of the BAR with the display's registers, or -1
 */
struct vram_model {
	int vram_bar;
	int display_bar;
};

/* driver_data: index into vram_models; new_id defaults to 0. */
enum { VRAM_BOCHS_DISPLAY, VRAM_IVSHMEM };

static const struct vram_model vram_models[] = {
	[VRAM_BOCHS_DISPLAY] = { .vram_bar = 0, .display_bar = 2 },
	[VRAM_IVSHMEM] = { .vram_bar = 2, .display_bar = -1 },
};

/* Initialise all but the display. */
static int vram_init_memory(struct vram_device *vram, struct pci_dev *pdev,
			    const struct vram_model *model)
{
	int bar = model->vram_bar;
	int ret;

	vram->io = devm_ioremap_wc(&pdev->dev, pci_resource_start(pdev, bar),
				   pci_resource_len(pdev, bar));
	if (!vram->io)
		return -ENOMEM;

	ret = vram_mem_init(vram, pdev, bar);
	if (ret)
		return ret;
	ret = vram_users_init(vram);
	if (ret)
		return ret;
	ret = vram_ttm_init(vram);
	if (ret)
		return ret;
	ret = vram_mgr_init(vram, phyr_mem_len(vram->mem),
			    model->display_bar < 0 ? 0 : VRAM_DISPLAY_RESERVED);
	if (!ret && model->display_bar >= 0)
		vram_mgr_reserve_scanout(&vram->mgr);
	return ret;
}

static int vram_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	const struct vram_model *model = &vram_models[id->driver_data];
	struct vram_device *vram;
	int ret;

	/* driver_override alone matches any device, with a wildcard id. */
	if (id->vendor == PCI_ANY_ID)
		return -ENODEV;

	/* Remove the firmware framebuffer before the BARs are requested. */
	ret = aperture_remove_conflicting_pci_devices(pdev, VRAM_DRIVER_NAME);
	if (ret)
		return ret;
	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	ret = pcim_request_region(pdev, model->vram_bar, VRAM_DRIVER_NAME);
	if (ret)
		return ret;

	vram = devm_drm_dev_alloc(&pdev->dev, &vram_driver, struct vram_device,
				  drm);
	if (IS_ERR(vram))
		return PTR_ERR(vram);

	init_rwsem(&vram->reset_lock);
	early_imports_init(&vram->imports);
	xa_init_flags(&vram->bos, XA_FLAGS_ALLOC1);
	ret = drmm_add_action_or_reset(&vram->drm, vram_bos_fini, NULL);
	if (ret)
		return ret;

	ret = vram_init_memory(vram, pdev, model);
	if (ret)
		return ret;
	if (model->display_bar >= 0)
		ret = vram_display_init(vram, model->display_bar);
	else
		vram->drm.driver_features &= ~(DRIVER_MODESET | DRIVER_ATOMIC);
	if (ret)
		return ret;

	pci_set_drvdata(pdev, vram);
	ret = vram_pm_init(vram);
	if (ret)
		return ret;
	ret = drm_dev_register(&vram->drm, 0);
	if (ret)
		return ret;
	vram_display_register(vram);
	return 0;
}

/*
 * Stop all access to the card before devres unmaps the BARs: drm_dev_enter()
 * fails, the display shows black, and no CPU or device mapping is left.
 */
static void vram_remove(struct pci_dev *pdev)
{
	struct vram_device *vram = pci_get_drvdata(pdev);

	vram_display_hurry(vram);
	drm_dev_unplug(&vram->drm);
	vram_bos_wait_moves(vram);
	phyr_inject_delay();
	vram_display_remove(vram);
	vram_bos_revoke(vram);
}

static void vram_shutdown(struct pci_dev *pdev)
{
	vram_display_shutdown(pci_get_drvdata(pdev));
}

/*
 * While the card is reset its VRAM cannot be accessed. Block the creation and
 * moves of buffers until vram_reset_done().
 */
static void vram_reset_prepare(struct pci_dev *pdev)
{
	struct vram_device *vram = pci_get_drvdata(pdev);

	/* Commits take reset_lock for reading, so block them first. */
	if (vram_display_block(vram))
		drm_warn(&vram->drm, "failed to save the display's state; it may stay off after the reset\n");
	down_write(&vram->reset_lock);
	vram_bos_revoke(vram);
}

static void vram_reset_done(struct pci_dev *pdev)
{
	struct vram_device *vram = pci_get_drvdata(pdev);

	vram_bos_rearm(vram);
	up_write(&vram->reset_lock);
	if (vram_display_unblock(vram))
		drm_warn(&vram->drm, "failed to restore the display; it stays off after the reset\n");
}

static const struct pci_error_handlers vram_err_handler = {
	.reset_prepare = vram_reset_prepare,
	.reset_done = vram_reset_done,
};

/* No MODULE_DEVICE_TABLE: modpost would emit vfio_pci aliases. */
#define VRAM_DEVICE(vendor, device, model) \
	{ PCI_DEVICE_DRIVER_OVERRIDE(vendor, device, true), \
	  .driver_data = (model) }

static const struct pci_device_id vram_ids[] = {
	VRAM_DEVICE(PCI_VENDOR_ID_REDHAT_QUMRANET, 0x1110, VRAM_IVSHMEM),
	VRAM_DEVICE(0x1234, 0x1111, VRAM_BOCHS_DISPLAY),
	{}
};

static struct pci_driver vram_pci_driver = {
	.name = VRAM_DRIVER_NAME,
	.id_table = vram_ids,
	.probe = vram_probe,
	.remove = vram_remove,
	.shutdown = vram_shutdown,
	.driver.pm = pm_sleep_ptr(&vram_pm_ops),
	.err_handler = &vram_err_handler,
};

static int __init vram_init(void)
{
	int ret;

	ret = vram_commits_start();
	if (ret)
		return ret;
	ret = pci_register_driver(&vram_pci_driver);
	if (ret)
		vram_commits_end();
	return ret;
}
module_init(vram_init);

static void __exit vram_exit(void)
{
	pci_unregister_driver(&vram_pci_driver);
	vram_commits_end();
}
module_exit(vram_exit);

MODULE_DESCRIPTION("DRM driver for the page-less memory of a PCI card");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
MODULE_IMPORT_NS("PHYR");
MODULE_IMPORT_NS("PHYR_EXPORTER");

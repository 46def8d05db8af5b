// SPDX-License-Identifier: GPL-2.0
/*
 * The device: probe, remove, media graph, debugfs
 *
 * The driver binds by driver_override only, as phyr_copy does.
 *
 * Ownership: the engine's resources are managed by the PCI device (devm_,
 * pcim_). struct camera is freed with the last reference to the V4L2 device,
 * since files may stay open after unbind. The PCI device holds one such
 * reference, acquired first and therefore released last, after the interrupt.
 *
 * Limits: no runtime power management.
 */
#include <linux/debugfs.h>
#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/phyr_inject.h>
#include <linux/pm.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <media/v4l2-dev.h>
#include <media/v4l2-subdev.h>

#include "camera.h"

static bool multiplanar;
module_param(multiplanar, bool, 0644);
MODULE_PARM_DESC(multiplanar,
		 "multi-planar API and NV12M, for devices bound from now on (default: no)");

static struct dentry *camera_debugfs_root;

/*
 * debugfs, root only
 */

static int camera_buffers_show(struct seq_file *m, void *unused)
{
	struct camera *camera = m->private;

	vb2_phyr_show(m, &camera->queue);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(camera_buffers);

/*
 *	buffers		dma-bufs attached by the queue, and their DMA ranges
 *	jobs, hang	see phyr_engine_debugfs()
 */
static void camera_debugfs_init(struct camera *camera, struct pci_dev *pdev)
{
	camera->debugfs = debugfs_create_dir(pci_name(pdev),
					     camera_debugfs_root);
	debugfs_create_file("buffers", 0400, camera->debugfs, camera,
			    &camera_buffers_fops);
	phyr_engine_debugfs(&camera->engine, camera->debugfs);
}

/*
 * The media graph: a sensor linked to the video node
 */

static const struct v4l2_subdev_ops camera_sensor_ops = { };

static int camera_media_init(struct camera *camera, struct pci_dev *pdev)
{
	struct v4l2_subdev *sensor = &camera->sensor;
	int ret;

	v4l2_subdev_init(sensor, &camera_sensor_ops);
	strscpy(sensor->name, "test pattern", sizeof(sensor->name));
	sensor->entity.function = MEDIA_ENT_F_CAM_SENSOR;
	camera->source.flags = MEDIA_PAD_FL_SOURCE;
	ret = media_entity_pads_init(&sensor->entity, 1, &camera->source);
	if (ret)
		return ret;
	ret = v4l2_device_register_subdev(&camera->v4l2, sensor);
	if (ret)
		return ret;

	camera->sink.flags = MEDIA_PAD_FL_SINK;
	return media_entity_pads_init(&camera->vdev.entity, 1, &camera->sink);
}

static int camera_media_register(struct camera *camera)
{
	int ret;

	ret = media_create_pad_link(&camera->sensor.entity, 0,
				    &camera->vdev.entity, 0,
				    MEDIA_LNK_FL_ENABLED |
				    MEDIA_LNK_FL_IMMUTABLE);
	if (ret)
		return ret;
	return media_device_register(&camera->mdev);
}

/*
 * Lifetime
 */

static void camera_release(struct v4l2_device *v4l2)
{
	struct camera *camera = container_of(v4l2, struct camera, v4l2);

	v4l2_ctrl_handler_free(&camera->ctrls);
	media_device_cleanup(&camera->mdev);
	mutex_destroy(&camera->lock);
	kfree(camera);
}

static void camera_put(void *data)
{
	struct camera *camera = data;

	v4l2_device_unregister(&camera->v4l2);
	v4l2_device_put(&camera->v4l2);
}

static struct camera *camera_create(struct pci_dev *pdev)
{
	struct camera *camera;
	int ret;

	camera = kzalloc_obj(*camera);
	if (!camera)
		return ERR_PTR(-ENOMEM);

	mutex_init(&camera->lock);
	pci_set_drvdata(pdev, camera);
	media_device_pci_init(&camera->mdev, pdev, "LSI 53C895A camera");
	v4l2_ctrl_handler_init(&camera->ctrls, 2);
	camera->v4l2.mdev = &camera->mdev;
	camera->v4l2.ctrl_handler = &camera->ctrls;
	camera->v4l2.release = camera_release;
	ret = v4l2_device_register(&pdev->dev, &camera->v4l2);
	if (ret) {
		camera_release(&camera->v4l2);
		return ERR_PTR(ret);
	}

	/* From here on the reference is owned by the PCI device. */
	ret = devm_add_action_or_reset(&pdev->dev, camera_put, camera);
	return ret ? ERR_PTR(ret) : camera;
}

static int camera_hardware_init(struct camera *camera, struct pci_dev *pdev)
{
	int ret;

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(32));
	if (ret)
		return ret;
	dma_set_max_seg_size(&pdev->dev, UINT_MAX);
	return phyr_engine_init(&camera->engine, pdev);
}

static int camera_register_video(struct camera *camera)
{
	struct video_device *vdev = &camera->vdev;
	struct vb2_queue *vb2 = &camera->queue.vb2;

	strscpy(vdev->name, "phyr_camera", sizeof(vdev->name));
	/* Embedded in struct camera, which it keeps a reference to. */
	vdev->release = video_device_release_empty;
	vdev->fops = &camera_fops;
	vdev->ioctl_ops = &camera_ioctl_ops;
	vdev->device_caps = V4L2_CAP_STREAMING |
			    (V4L2_TYPE_IS_MULTIPLANAR(vb2->type) ?
			     V4L2_CAP_VIDEO_CAPTURE_MPLANE :
			     V4L2_CAP_VIDEO_CAPTURE);
	vdev->lock = &camera->lock;
	vdev->queue = vb2;
	vdev->v4l2_dev = &camera->v4l2;
	video_set_drvdata(vdev, camera);
	return video_register_device(vdev, VFL_TYPE_VIDEO, -1);
}

/*
 * The node must be registered before it can be linked to the sensor.
 * camera.lock keeps ioctls out in between: STREAMON would walk the links. Both
 * registrations take only locks of their cores, under which no ioctl is called.
 */
static int camera_register(struct camera *camera)
{
	int ret;

	mutex_lock(&camera->lock);
	ret = camera_register_video(camera);
	if (!ret)
		ret = camera_media_register(camera);
	mutex_unlock(&camera->lock);
	if (ret)
		vb2_video_unregister_device(&camera->vdev);
	return ret;
}

static int camera_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct camera *camera;
	int ret;

	/* driver_override matches any device; unknown ones as PCI_ANY_ID. */
	if (id->vendor == PCI_ANY_ID)
		return -ENODEV;

	camera = camera_create(pdev);
	if (IS_ERR(camera))
		return PTR_ERR(camera);
	ret = camera_hardware_init(camera, pdev);
	if (ret)
		return ret;
	ret = camera_queue_init(camera, &pdev->dev, multiplanar);
	if (ret)
		return ret;
	ret = camera_video_init(camera);
	if (ret)
		return ret;
	ret = camera_media_init(camera, pdev);
	if (ret)
		return ret;

	ret = camera_register(camera);
	if (ret)
		return ret;
	camera_debugfs_init(camera, pdev);
	return 0;
}

/*
 * Stop the engine first, to end its current run without a timeout; the stream's
 * thread cannot start another one. Unregistering the node stops the stream and
 * releases all attachments and mappings, even if the node is still open.
 */
static void camera_remove(struct pci_dev *pdev)
{
	struct camera *camera = pci_get_drvdata(pdev);

	debugfs_remove(camera->debugfs);
	phyr_inject_delay();
	phyr_engine_stop(&camera->engine);
	mutex_lock(&camera->lock);
	vb2_queue_error(&camera->queue.vb2);
	mutex_unlock(&camera->lock);
	/* Last: stopping the stream looks up the pipeline in the graph. */
	vb2_video_unregister_device(&camera->vdev);
	media_device_unregister(&camera->mdev);
}

/*
 * Also for hibernation. The PCI core saves and restores the configuration
 * space, and with it bus mastering.
 */
static int camera_suspend(struct device *dev)
{
	camera_stream_suspend(dev_get_drvdata(dev));
	return 0;
}

static int camera_resume(struct device *dev)
{
	camera_stream_resume(dev_get_drvdata(dev));
	return 0;
}

static DEFINE_SIMPLE_DEV_PM_OPS(camera_pm_ops, camera_suspend, camera_resume);

static void camera_shutdown(struct pci_dev *pdev)
{
	pci_clear_master(pdev);
}

/* No MODULE_DEVICE_TABLE(): its alias would autoload the module. */
static const struct pci_device_id camera_ids[] = {
	{ PCI_DEVICE_DRIVER_OVERRIDE(0x1000, 0x0012, true) },
	{ }
};

static struct pci_driver camera_pci_driver = {
	.name = "phyr_camera",
	.id_table = camera_ids,
	.probe = camera_probe,
	.remove = camera_remove,
	.shutdown = camera_shutdown,
	.driver.pm = pm_sleep_ptr(&camera_pm_ops),
};

static int __init camera_init(void)
{
	int ret;

	camera_debugfs_root = debugfs_create_dir("phyr_camera", NULL);
	ret = pci_register_driver(&camera_pci_driver);
	if (ret)
		debugfs_remove(camera_debugfs_root);
	return ret;
}
module_init(camera_init);

static void __exit camera_exit(void)
{
	pci_unregister_driver(&camera_pci_driver);
	debugfs_remove(camera_debugfs_root);

	/* Fence name callbacks may still use this module under RCU. */
	synchronize_rcu();
}
module_exit(camera_exit);

MODULE_DESCRIPTION("Camera that captures into page-less dma-bufs");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
MODULE_IMPORT_NS("PHYR");
MODULE_IMPORT_NS("PHYR_ENGINE");

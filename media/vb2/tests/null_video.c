// SPDX-License-Identifier: GPL-2.0
/*
 * Video nodes without hardware, to measure and test vb2_phyr_memops
 *
 * One device has several nodes, which differ in their memory operations:
 * phyr's, phyr's with limits, videobuf2-dma-contig and videobuf2-dma-sg if the
 * kernel has them. The card's name tells which one a node is. A buffer
 * completes when it is queued; nothing is written to it. The node with limits
 * returns a buffer with an error if one of its ranges violates them.
 *
 * Binds by driver_override only, to any PCI device: edu, in the guest.
 */
#include <linux/dma-mapping.h>
#include <linux/kconfig.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <media/v4l2-dev.h>
#include <media/v4l2-device.h>
#include <media/v4l2-fh.h>
#include <media/v4l2-ioctl.h>
#include <media/videobuf2-dma-contig.h>
#include <media/videobuf2-dma-sg.h>
#include <media/videobuf2-phyr.h>

#define NULL_WIDTH	640
#define NULL_HEIGHT	480
#define NULL_SIZE	(4 * NULL_WIDTH * NULL_HEIGHT)

/**
 * struct null_node - one node
 * @vdev: the node
 * @lock: serialises ioctls
 * @queue: the queue; with stock memory operations only @queue.vb2 is used
 */
struct null_node {
	struct video_device vdev;
	struct mutex lock;		/* ioctls */
	struct vb2_phyr_queue queue;
};

static const struct {
	const char *name;
	const struct vb2_mem_ops *mem_ops;
	struct phyr_limits limits;
} null_kinds[] = {
	{ "phyr", &vb2_phyr_memops },
	{ "phyr-limits", &vb2_phyr_memops,
	  { .max_len = SZ_16K, .boundary = SZ_32K } },
#if IS_ENABLED(CONFIG_VIDEOBUF2_DMA_CONTIG)
	{ "dma-contig", &vb2_dma_contig_memops },
#endif
#if IS_ENABLED(CONFIG_VIDEOBUF2_DMA_SG)
	{ "dma-sg", &vb2_dma_sg_memops },
#endif
};

/**
 * struct null_device - the device
 * @v4l2: base; dropping its last reference frees this struct
 * @nodes: one for each of null_kinds
 */
struct null_device {
	struct v4l2_device v4l2;
	struct null_node nodes[ARRAY_SIZE(null_kinds)];
};

static int null_queue_setup(struct vb2_queue *vb2, unsigned int *nr_buffers,
			    unsigned int *nr_planes, unsigned int sizes[],
			    struct device *alloc_devs[])
{
	if (*nr_planes)
		return sizes[0] < NULL_SIZE ? -EINVAL : 0;

	*nr_planes = 1;
	sizes[0] = NULL_SIZE;
	return 0;
}

static int null_buf_prepare(struct vb2_buffer *vb)
{
	vb2_set_plane_payload(vb, 0, NULL_SIZE);
	if (vb->vb2_queue->mem_ops == &vb2_phyr_memops)
		return vb2_phyr_prepare(vb);
	return 0;
}

static bool null_keeps_limits(struct vb2_buffer *vb,
			      const struct phyr_limits *limits)
{
	struct dma_range_cursor cursor;
	struct dma_range range;
	struct dma_fence *fence;
	bool kept = true;

	fence = vb2_phyr_begin(vb);
	if (IS_ERR(fence))
		return false;

	dma_range_cursor_init(&cursor, vb2_phyr_plane_ranges(vb, 0), 0);
	while (dma_range_next(&cursor, &range, 1))
		kept &= range.len <= limits->max_len &&
			(range.addr & (limits->boundary - 1)) + range.len <=
			limits->boundary;
	vb2_phyr_end(vb, fence, 0);
	return kept;
}

static void null_buf_queue(struct vb2_buffer *vb)
{
	struct null_node *node = vb2_get_drv_priv(vb->vb2_queue);
	const struct phyr_limits *limits = &node->queue.limits;
	bool good = !limits->max_len || null_keeps_limits(vb, limits);

	vb2_buffer_done(vb, good ? VB2_BUF_STATE_DONE : VB2_BUF_STATE_ERROR);
}

static int null_start_streaming(struct vb2_queue *vb2, unsigned int count)
{
	return 0;
}

static void null_stop_streaming(struct vb2_queue *vb2)
{
}

static void null_unprepare_streaming(struct vb2_queue *vb2)
{
	if (vb2->mem_ops == &vb2_phyr_memops)
		vb2_phyr_unprepare_streaming(vb2);
}

static const struct vb2_ops null_vb2_ops = {
	.queue_setup = null_queue_setup,
	.buf_prepare = null_buf_prepare,
	.buf_queue = null_buf_queue,
	.start_streaming = null_start_streaming,
	.stop_streaming = null_stop_streaming,
	.unprepare_streaming = null_unprepare_streaming,
};

static int null_querycap(struct file *file, void *fh,
			 struct v4l2_capability *cap)
{
	struct video_device *vdev = video_devdata(file);

	strscpy(cap->driver, "phyr_null_video", sizeof(cap->driver));
	strscpy(cap->card, vdev->name, sizeof(cap->card));
	return 0;
}

static int null_enum_fmt(struct file *file, void *fh, struct v4l2_fmtdesc *f)
{
	if (f->index)
		return -EINVAL;
	f->pixelformat = V4L2_PIX_FMT_XBGR32;
	return 0;
}

/* There is only one format. */
static int null_fmt(struct file *file, void *fh, struct v4l2_format *f)
{
	f->fmt.pix = (struct v4l2_pix_format) {
		.width = NULL_WIDTH,
		.height = NULL_HEIGHT,
		.pixelformat = V4L2_PIX_FMT_XBGR32,
		.field = V4L2_FIELD_NONE,
		.bytesperline = 4 * NULL_WIDTH,
		.sizeimage = NULL_SIZE,
		.colorspace = V4L2_COLORSPACE_SRGB,
	};
	return 0;
}

static const struct v4l2_ioctl_ops null_ioctl_ops = {
	.vidioc_querycap = null_querycap,
	.vidioc_enum_fmt_vid_cap = null_enum_fmt,
	.vidioc_g_fmt_vid_cap = null_fmt,
	.vidioc_s_fmt_vid_cap = null_fmt,
	.vidioc_try_fmt_vid_cap = null_fmt,
	.vidioc_reqbufs = vb2_ioctl_reqbufs,
	.vidioc_querybuf = vb2_ioctl_querybuf,
	.vidioc_qbuf = vb2_ioctl_qbuf,
	.vidioc_dqbuf = vb2_ioctl_dqbuf,
	.vidioc_streamon = vb2_ioctl_streamon,
	.vidioc_streamoff = vb2_ioctl_streamoff,
};

static const struct v4l2_file_operations null_fops = {
	.owner = THIS_MODULE,
	.open = v4l2_fh_open,
	.release = vb2_fop_release,
	.unlocked_ioctl = video_ioctl2,
	.mmap = vb2_fop_mmap,
	.poll = vb2_fop_poll,
};

static int null_node_register(struct null_device *null, unsigned int kind)
{
	struct null_node *node = &null->nodes[kind];
	struct vb2_queue *vb2 = &node->queue.vb2;
	struct video_device *vdev = &node->vdev;
	int ret;

	node->queue.limits = null_kinds[kind].limits;
	vb2_phyr_init(&node->queue);
	vb2->type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	vb2->io_modes = VB2_MMAP | VB2_DMABUF;
	vb2->dev = null->v4l2.dev;
	vb2->lock = &node->lock;
	vb2->drv_priv = node;
	vb2->buf_struct_size = sizeof(struct vb2_v4l2_buffer);
	vb2->ops = &null_vb2_ops;
	vb2->mem_ops = null_kinds[kind].mem_ops;
	vb2->timestamp_flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
	ret = vb2_queue_init(vb2);
	if (ret)
		return ret;

	strscpy(vdev->name, null_kinds[kind].name, sizeof(vdev->name));
	vdev->release = video_device_release_empty;
	vdev->fops = &null_fops;
	vdev->ioctl_ops = &null_ioctl_ops;
	vdev->device_caps = V4L2_CAP_STREAMING | V4L2_CAP_VIDEO_CAPTURE;
	vdev->lock = &node->lock;
	vdev->queue = vb2;
	vdev->v4l2_dev = &null->v4l2;
	return video_register_device(vdev, VFL_TYPE_VIDEO, -1);
}

static void null_release(struct v4l2_device *v4l2)
{
	struct null_device *null = container_of(v4l2, struct null_device, v4l2);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(null->nodes); i++)
		mutex_destroy(&null->nodes[i].lock);
	kfree(null);
}

static void null_unregister(struct null_device *null)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(null->nodes); i++)
		vb2_video_unregister_device(&null->nodes[i].vdev);
	v4l2_device_unregister(&null->v4l2);
	v4l2_device_put(&null->v4l2);
}

static int null_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct null_device *null;
	unsigned int i;
	int ret;

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;
	dma_set_max_seg_size(&pdev->dev, UINT_MAX);

	null = kzalloc_obj(*null);
	if (!null)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(null->nodes); i++)
		mutex_init(&null->nodes[i].lock);
	pci_set_drvdata(pdev, null);
	null->v4l2.release = null_release;
	ret = v4l2_device_register(&pdev->dev, &null->v4l2);
	if (ret) {
		null_release(&null->v4l2);
		return ret;
	}

	for (i = 0; i < ARRAY_SIZE(null->nodes) && !ret; i++)
		ret = null_node_register(null, i);
	if (ret)
		null_unregister(null);
	return ret;
}

static void null_remove(struct pci_dev *pdev)
{
	null_unregister(pci_get_drvdata(pdev));
}

/* Empty: binds by driver_override only. */
static const struct pci_device_id null_ids[] = {
	{ }
};

static struct pci_driver null_pci_driver = {
	.name = "phyr_null_video",
	.id_table = null_ids,
	.probe = null_probe,
	.remove = null_remove,
};
module_pci_driver(null_pci_driver);

MODULE_DESCRIPTION("Video nodes without hardware, to measure and test videobuf2");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("PHYR");

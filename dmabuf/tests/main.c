// SPDX-License-Identifier: GPL-2.0
/*
 * phyr_test: an exporter and an importer controlled by tests
 *
 * The exporter describes extents of a BAR that has no other user. It never
 * allocates, clears or accesses the memory, so lists can have any size and
 * shape. It exports the same extents either as a phyr list, as an sg_table from
 * dma_buf_phys_vec_to_sgt(), or as an sg_table such as broken drivers make
 * (table.c). The importer maps for a device (QEMU's edu) and returns the ranges
 * to the test, which checks them.
 *
 * Ranges are addresses: the device node is root-only, and the module is for
 * test machines only.
 */
#include <drm/drm_gem.h>
#include <linux/dma-buf-mapping.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/iosys-map.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/pci-p2pdma.h>
#include <linux/pci.h>
#include <linux/phyr.h>
#include <linux/phyr_exporter.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "hold.h"
#include "import.h"
#include "phyr_test.h"
#include "table.h"
#include "test_ioctl.h"
#include "translated.h"
#include "user.h"

#define TEST_NAME	"phyr_test"
#define EXPORTER_BAR	2

/* Bound devices; a test uses the last one of each kind. */
static DEFINE_MUTEX(test_lock);
static struct pci_dev *test_exporter;	/* guarded by test_lock */
static struct phyr_mem *test_mem;	/* guarded by test_lock */
static struct pci_dev *test_importer;	/* guarded by test_lock */
static unsigned int test_exporters;	/* guarded by test_lock */
static unsigned int test_importers;	/* guarded by test_lock */

/**
 * struct test_buffer - extents of the BAR
 * @phyr: the core's state, for PHYR_TEST_STYLE_PHYR
 * @resv: its reservation object
 * @list: its phyr list, with a reference
 * @style: PHYR_TEST_STYLE_*
 * @provider: for PHYR_TEST_STYLE_STOCK
 * @other: for PHYR_TEST_STYLE_OTHER, the importing device, with a reference
 * @vecs: the extents, for all but PHYR_TEST_STYLE_PHYR
 * @count: entries in @vecs
 */
struct test_buffer {
	struct phyr_buffer phyr;
	struct dma_resv resv;
	struct phyr_list *list;
	u32 style;
	struct p2pdma_provider *provider;
	struct device *other;
	struct phys_vec *vecs;
	size_t count;
};

static void test_buffer_free(struct test_buffer *buffer)
{
	phyr_buffer_fini(&buffer->phyr);
	phyr_list_put(buffer->list);
	dma_resv_fini(&buffer->resv);
	put_device(buffer->other);
	kvfree(buffer->vecs);
	kfree(buffer);
}

static void test_release(struct dma_buf *dmabuf)
{
	test_buffer_free(dmabuf->priv);
}

static struct phyr_buffer *test_phyr_buffer(struct dma_buf *dmabuf)
{
	struct test_buffer *buffer = dmabuf->priv;

	return &buffer->phyr;
}

static struct phyr_list *test_describe(struct phyr_buffer *phyr)
{
	return phyr_list_get(container_of(phyr, struct test_buffer,
					  phyr)->list);
}

static const struct phyr_dma_buf_ops test_phyr_ops = {
	.ops = { PHYR_DMA_BUF_OPS },
	.buffer = test_phyr_buffer,
	.release = test_release,
	.describe = test_describe,
};

static int test_pin(struct dma_buf_attachment *attach)
{
	return 0;
}

static void test_unpin(struct dma_buf_attachment *attach)
{
}

/* As vfio-pci: there is no other memory. */
static int test_stock_attach(struct dma_buf *dmabuf,
			     struct dma_buf_attachment *attach)
{
	return attach->peer2peer ? 0 : -EOPNOTSUPP;
}

static struct sg_table *test_stock_map(struct dma_buf_attachment *attach,
				       enum dma_data_direction dir)
{
	struct test_buffer *buffer = attach->dmabuf->priv;

	return dma_buf_phys_vec_to_sgt(attach, buffer->provider, buffer->vecs,
				       buffer->count, attach->dmabuf->size,
				       dir);
}

static void test_stock_unmap(struct dma_buf_attachment *attach,
			     struct sg_table *sgt, enum dma_data_direction dir)
{
	dma_buf_free_sgt(attach, sgt, dir);
}

static const struct dma_buf_ops test_stock_ops = {
	.attach = test_stock_attach,
	.map_dma_buf = test_stock_map,
	.unmap_dma_buf = test_stock_unmap,
	.pin = test_pin,
	.unpin = test_unpin,
	.release = test_release,
};

static struct sg_table *test_table_map(struct dma_buf_attachment *attach,
				       enum dma_data_direction dir)
{
	struct test_buffer *buffer = attach->dmabuf->priv;

	return test_table_create(buffer->style, buffer->vecs, buffer->count,
				 attach->dev, buffer->other, dir);
}

static void test_table_unmap(struct dma_buf_attachment *attach,
			     struct sg_table *sgt, enum dma_data_direction dir)
{
	test_table_destroy(sgt);
}

static const struct dma_buf_ops test_table_ops = {
	.map_dma_buf = test_table_map,
	.unmap_dma_buf = test_table_unmap,
	.pin = test_pin,
	.unpin = test_unpin,
	.release = test_release,
};

static int test_list_add(struct phyr_list *list,
			 const struct phyr_test_export *args)
{
	u64 paddr = phyr_mem_start(test_mem) + args->start;
	u64 i;
	int ret;

	for (i = 0; i < args->count; i++, paddr += args->stride) {
		ret = phyr_list_append(list, test_mem, paddr, args->len);
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}

/* Tests pass invalid lists: validate first, without the warning. */
static int test_fill_phyr(struct test_buffer *buffer,
			  const struct phyr_test_export *args, u64 size)
{
	int ret;

	buffer->list = phyr_list_create();
	if (IS_ERR(buffer->list)) {
		ret = PTR_ERR(buffer->list);
		buffer->list = NULL;
		return ret;
	}

	ret = test_list_add(buffer->list, args);
	if (!ret)
		ret = phyr_list_check(buffer->list, size);
	if (!ret)
		ret = phyr_list_finish(buffer->list, size, TEST_NAME);
	return ret;
}

static int test_fill_stock(struct test_buffer *buffer,
			   const struct phyr_test_export *args)
{
	u64 i;

	buffer->provider = pcim_p2pdma_provider(test_exporter, EXPORTER_BAR);
	buffer->count = args->count;
	buffer->vecs = kvmalloc_array(args->count, sizeof(*buffer->vecs),
				      GFP_KERNEL);
	if (!buffer->provider || !buffer->vecs)
		return -ENOMEM;

	for (i = 0; i < args->count; i++) {
		buffer->vecs[i].paddr = phyr_mem_start(test_mem) +
					args->start + i * args->stride;
		buffer->vecs[i].len = args->len;
	}
	return 0;
}

static struct test_buffer *test_buffer_create(struct phyr_test_export *args,
					      u64 size)
{
	struct test_buffer *buffer;
	int ret;

	lockdep_assert_held(&test_lock);

	if (!test_exporter)
		return ERR_PTR(-ENODEV);

	buffer = kzalloc_obj(*buffer);
	if (!buffer)
		return ERR_PTR(-ENOMEM);

	buffer->style = args->style;
	if (args->style == PHYR_TEST_STYLE_OTHER && test_importer)
		buffer->other = get_device(&test_importer->dev);
	dma_resv_init(&buffer->resv);
	phyr_buffer_init(&buffer->phyr, &test_phyr_ops, &buffer->resv);
	if (args->style == PHYR_TEST_STYLE_PHYR)
		ret = test_fill_phyr(buffer, args, size);
	else
		ret = test_fill_stock(buffer, args);
	if (ret) {
		test_buffer_free(buffer);
		return ERR_PTR(ret);
	}
	return buffer;
}

static const struct dma_buf_ops * const test_styles[] = {
	[PHYR_TEST_STYLE_STOCK] = &test_stock_ops,
	[PHYR_TEST_STYLE_RAW] = &test_table_ops,
	[PHYR_TEST_STYLE_MAPPED] = &test_table_ops,
	[PHYR_TEST_STYLE_OTHER] = &test_table_ops,
	[PHYR_TEST_STYLE_STALE] = &test_table_ops,
	[PHYR_TEST_STYLE_ONE_RAW] = &test_table_ops,
	[PHYR_TEST_STYLE_REPEATED] = &test_table_ops,
};

static struct dma_buf *test_export(struct phyr_test_export *args)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct test_buffer *buffer;
	struct dma_buf *dmabuf;
	u64 size;

	if (args->style >= ARRAY_SIZE(test_styles) || !args->count)
		return ERR_PTR(-EINVAL);
	if (check_mul_overflow(args->count, args->len, &size))
		return ERR_PTR(-EOVERFLOW);

	buffer = test_buffer_create(args, size);
	if (IS_ERR(buffer))
		return ERR_CAST(buffer);

	info.size = size;
	info.flags = O_CLOEXEC | O_RDWR;
	info.priv = buffer;
	if (args->style == PHYR_TEST_STYLE_PHYR) {
		dmabuf = phyr_dma_buf_export(&buffer->phyr, &info);
	} else {
		info.ops = test_styles[args->style];
		info.resv = &buffer->resv;
		dmabuf = dma_buf_export(&info);
	}
	/* On success the dma-buf owns the buffer. */
	if (IS_ERR(dmabuf))
		test_buffer_free(buffer);
	return dmabuf;
}

static int test_ioctl_export(struct phyr_test_export *args)
{
	struct dma_buf *dmabuf;
	int fd;

	args->fd = -1;
	scoped_guard(mutex, &test_lock)
		dmabuf = test_export(args);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	fd = dma_buf_fd(dmabuf, O_CLOEXEC);
	if (fd < 0) {
		dma_buf_put(dmabuf);
		return fd;
	}
	args->fd = fd;
	return 0;
}

static int test_ioctl_import(struct phyr_test_import *args)
{
	guard(mutex)(&test_lock);

	return test_importer ? test_import(&test_importer->dev, args) : -ENODEV;
}

/*
 * Lists and vmap
 */

static int test_check_list(struct phyr_list *list,
			   const struct phyr_test_check *args)
{
	struct phyr_test_range __user *from = u64_to_user_ptr(args->vecs);
	struct phyr_test_range vec;
	u64 i;
	int ret;

	for (i = 0; i < args->nr; i++) {
		if (copy_from_user(&vec, from + i, sizeof(vec)))
			return -EFAULT;
		ret = phyr_list_append(list, test_mem,
				       phyr_mem_start(test_mem) + vec.addr,
				       vec.len);
		if (ret)
			return ret;
	}
	return phyr_list_check(list, args->size);
}

static int test_ioctl_check(struct phyr_test_check *args)
{
	struct phyr_list *list;
	int ret;

	guard(mutex)(&test_lock);
	if (!test_exporter)
		return -ENODEV;

	list = phyr_list_create();
	if (IS_ERR(list))
		return PTR_ERR(list);

	ret = test_check_list(list, args);
	phyr_list_put(list);
	return ret;
}

static void test_fill_map(struct phyr_test_vmap *args, struct iosys_map *map,
			  size_t size)
{
	size_t i;

	args->is_iomem = map->is_iomem;
	args->was = iosys_map_rd(map, 0, u32);
	for (i = 0; i + sizeof(u32) <= size; i += sizeof(u32))
		iosys_map_wr(map, i, u32, args->fill);
}

static int test_ioctl_vmap(struct phyr_test_vmap *args)
{
	struct dma_buf *dmabuf;
	struct drm_gem_object *gem;
	struct iosys_map map;
	int ret = -EINVAL;

	dmabuf = dma_buf_get(args->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	/* priv is known to be a GEM object for dma-bufs of phyr_vram only. */
	if (!strcmp(dmabuf->exp_name, "phyr_vram")) {
		gem = dmabuf->priv;
		ret = drm_gem_vmap(gem, &map);
		if (!ret) {
			test_fill_map(args, &map, dmabuf->size);
			drm_gem_vunmap(gem, &map);
		}
	}
	dma_buf_put(dmabuf);
	return ret;
}

static int test_ioctl_dmabuf_vmap(struct phyr_test_vmap *args)
{
	struct dma_buf *dmabuf;
	struct iosys_map map;
	int ret;

	dmabuf = dma_buf_get(args->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	ret = dma_buf_vmap_unlocked(dmabuf, &map);
	if (!ret) {
		test_fill_map(args, &map, dmabuf->size);
		dma_buf_vunmap_unlocked(dmabuf, &map);
	}
	dma_buf_put(dmabuf);
	return ret;
}

static int test_ioctl_devices(struct phyr_test_devices *args)
{
	guard(mutex)(&test_lock);

	memset(args, 0, sizeof(*args));
	args->exporters = test_exporters;
	args->importers = test_importers;
	if (test_exporter) {
		args->bar_start = phyr_mem_start(test_mem);
		args->bar_len = phyr_mem_len(test_mem);
	}
	return 0;
}

static int test_ioctl_hold(struct xarray *holds, struct phyr_test_hold *args)
{
	guard(mutex)(&test_lock);

	return test_importer ? test_hold(holds, &test_importer->dev, args) :
			       -ENODEV;
}

/**
 * struct test_file - an open file
 * @lock: serializes the ioctls
 * @holds: importers that stay attached; guarded by @lock
 */
struct test_file {
	struct mutex lock;	/* holds */
	struct xarray holds;
};

static int test_dispatch(struct file *file, unsigned int cmd, void *args)
{
	struct test_file *test = file->private_data;
	struct xarray *holds = &test->holds;

	guard(mutex)(&test->lock);

	switch (cmd) {
	case PHYR_TEST_IOC_HOLD:
		return test_ioctl_hold(holds, args);
	case PHYR_TEST_IOC_HELD:
	case PHYR_TEST_IOC_MAP:
	case PHYR_TEST_IOC_UNMAP:
	case PHYR_TEST_IOC_RESERVE:
	case PHYR_TEST_IOC_COMMIT:
	case PHYR_TEST_IOC_PIN:
	case PHYR_TEST_IOC_RELEASE:
		return test_held(holds, cmd, args);
	case PHYR_TEST_IOC_EXPORT:
		return test_ioctl_export(args);
	case PHYR_TEST_IOC_IMPORT:
		return test_ioctl_import(args);
	case PHYR_TEST_IOC_CHECK:
		return test_ioctl_check(args);
	case PHYR_TEST_IOC_VMAP:
		return test_ioctl_vmap(args);
	case PHYR_TEST_IOC_DMABUF_VMAP:
		return test_ioctl_dmabuf_vmap(args);
	case PHYR_TEST_IOC_DEVICES:
		return test_ioctl_devices(args);
	case PHYR_TEST_IOC_USER:
		return test_user(args);
	case PHYR_TEST_IOC_TRANSLATED:
		return test_translated(args);
	default:
		return -ENOTTY;
	}
}

static int test_open(struct inode *inode, struct file *file)
{
	struct test_file *test;

	test = kzalloc_obj(*test);
	if (!test)
		return -ENOMEM;

	mutex_init(&test->lock);
	test_holds_init(&test->holds);
	file->private_data = test;
	return 0;
}

static int test_close(struct inode *inode, struct file *file)
{
	struct test_file *test = file->private_data;

	test_holds_fini(&test->holds);
	mutex_destroy(&test->lock);
	kfree(test);
	return 0;
}

static long test_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	union {
		struct phyr_test_export export;
		struct phyr_test_import import;
		struct phyr_test_check check;
		struct phyr_test_vmap vmap;
		struct phyr_test_devices devices;
		struct phyr_test_hold hold;
		struct phyr_test_held held;
		struct phyr_test_user user;
		struct phyr_test_translated translated;
	} args = {};

	return test_ioctl_call(file, cmd, arg, &args, sizeof(args),
			       test_dispatch);
}

static const struct file_operations test_fops = {
	.owner = THIS_MODULE,
	.open = test_open,
	.release = test_close,
	.unlocked_ioctl = test_ioctl,
};

static struct miscdevice test_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = TEST_NAME,
	.fops = &test_fops,
	.mode = 0600,
};

/*
 * Devices
 */

static int test_probe_exporter(struct pci_dev *pdev)
{
	struct phyr_mem *mem;
	int ret;

	ret = pcim_request_region(pdev, EXPORTER_BAR, TEST_NAME);
	if (ret)
		return ret;

	mem = phyr_mem_create_p2p(pdev, EXPORTER_BAR, PHYR_MEM_WC);
	if (IS_ERR(mem))
		return PTR_ERR(mem);

	guard(mutex)(&test_lock);
	if (test_mem)
		phyr_mem_put(test_mem);
	test_mem = mem;
	test_exporter = pdev;
	test_exporters++;
	return 0;
}

static int test_probe_importer(struct pci_dev *pdev)
{
	int ret;

	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;
	/* dma_map_sgtable(), which stock exporters use, checks this. */
	dma_set_max_seg_size(&pdev->dev, UINT_MAX);
	pci_set_master(pdev);

	guard(mutex)(&test_lock);
	test_importer = pdev;
	test_importers++;
	return 0;
}

static int test_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	int ret;

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;

	switch (pdev->device) {
	case 0x1110:
		return test_probe_exporter(pdev);
	case 0x11e8:
		return test_probe_importer(pdev);
	default:
		return -ENODEV;
	}
}

static void test_remove(struct pci_dev *pdev)
{
	guard(mutex)(&test_lock);

	if (pdev->device == 0x11e8) {
		test_importers--;
		if (test_importer == pdev)
			test_importer = NULL;
		return;
	}

	test_exporters--;
	if (test_exporter == pdev) {
		test_exporter = NULL;
		phyr_mem_put(test_mem);
		test_mem = NULL;
	}
}

static const struct pci_device_id test_ids[] = {
	{ PCI_DEVICE_DRIVER_OVERRIDE(PCI_VENDOR_ID_REDHAT_QUMRANET, 0x1110,
				     true) },			/* ivshmem */
	{ PCI_DEVICE_DRIVER_OVERRIDE(0x1234, 0x11e8, true) },	/* edu */
	{}
};

static struct pci_driver test_driver = {
	.name = TEST_NAME,
	.id_table = test_ids,
	.probe = test_probe,
	.remove = test_remove,
};

static int __init test_init(void)
{
	int ret;

	ret = misc_register(&test_misc);
	if (ret)
		return ret;

	ret = pci_register_driver(&test_driver);
	if (ret)
		misc_deregister(&test_misc);
	return ret;
}
module_init(test_init);

static void __exit test_exit(void)
{
	pci_unregister_driver(&test_driver);
	misc_deregister(&test_misc);
}
module_exit(test_exit);

MODULE_DESCRIPTION("Exporter and importer for tests of phyr");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
MODULE_IMPORT_NS("PHYR");
MODULE_IMPORT_NS("PHYR_EXPORTER");

// SPDX-License-Identifier: GPL-2.0
/*
 * phyr_domain: /dev/phyr_domain, see phyr_domain.h
 *
 * domain_lock is held for writing by probe, remove and most ioctls. MAP, STATE,
 * mmap, and UNMAP of one mapping hold it for reading and run at once. Unbinding
 * the device detaches all files from their dma-bufs; their ioctls fail
 * afterwards.
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/iommu.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/rwsem.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "domain_card.h"
#include "phyr_domain.h"
#include "test_ioctl.h"

#define DOMAIN_MAPS_MAX	32

static DECLARE_RWSEM(domain_lock);
static struct domain_card *domain_card;		/* guarded by domain_lock */
static LIST_HEAD(domain_attaches);		/* guarded by domain_lock */

/**
 * struct domain_attach - an attachment of a file
 * @node: in domain_attaches
 * @dmabuf: the dma-buf, with a reference; constant
 * @phyr: the attachment; NULL after the device was unbound
 * @maps: struct dma_range_list of its mappings
 * @invalidated: calls of invalidate; guarded by the reservation lock
 */
struct domain_attach {
	struct list_head node;
	struct dma_buf *dmabuf;
	struct phyr_attachment *phyr;
	struct xarray maps;
	u32 invalidated;
};

static void domain_invalidate(struct phyr_attachment *phyr)
{
	struct domain_attach *attach = phyr_attachment_priv(phyr);

	attach->invalidated++;
}

static const struct phyr_importer_ops domain_importer_ops = {
	.invalidate = domain_invalidate,
};

/*
 * Attachments
 */

static void domain_attach_end(struct domain_attach *attach)
{
	struct dma_range_list *list;
	unsigned long map;

	lockdep_assert_held_write(&domain_lock);

	if (!attach->phyr)
		return;
	dma_resv_lock(attach->dmabuf->resv, NULL);
	xa_for_each(&attach->maps, map, list)
		phyr_unmap(attach->phyr, list);
	dma_resv_unlock(attach->dmabuf->resv);
	xa_destroy(&attach->maps);
	phyr_detach(attach->phyr);
	attach->phyr = NULL;
}

static void domain_attach_free(struct domain_attach *attach)
{
	domain_attach_end(attach);
	list_del(&attach->node);
	dma_buf_put(attach->dmabuf);
	kfree(attach);
}

static int domain_ioctl_attach(struct xarray *attaches,
			       struct phyr_domain_attach *args)
{
	struct domain_attach *attach;
	struct dma_buf *dmabuf;
	int ret;

	dmabuf = dma_buf_get(args->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	attach = kzalloc_obj(*attach);
	if (!attach) {
		dma_buf_put(dmabuf);
		return -ENOMEM;
	}

	xa_init_flags(&attach->maps, XA_FLAGS_ALLOC1);
	attach->dmabuf = dmabuf;
	attach->phyr = phyr_attach_domain(dmabuf, domain_card->space,
					  &domain_importer_ops, attach);
	if (IS_ERR(attach->phyr)) {
		ret = PTR_ERR(attach->phyr);
		dma_buf_put(dmabuf);
		kfree(attach);
		return ret;
	}

	list_add(&attach->node, &domain_attaches);
	ret = xa_alloc(attaches, &args->id, attach, xa_limit_31b, GFP_KERNEL);
	if (ret)
		domain_attach_free(attach);
	return ret;
}

static int domain_ioctl_detach(struct xarray *attaches,
			       const struct phyr_domain_attach *args)
{
	struct domain_attach *attach = xa_erase(attaches, args->id);

	if (!attach)
		return -ENOENT;
	domain_attach_free(attach);
	return 0;
}

/*
 * Mappings
 */

static int domain_map_locked(struct domain_attach *attach,
			     struct phyr_domain_map *args)
{
	struct phyr_domain_pages pages;
	struct dma_range_list *list;
	int ret, prot = 0;

	if (args->prot & PHYR_DOMAIN_READ)
		prot |= IOMMU_READ;
	if (args->prot & PHYR_DOMAIN_WRITE)
		prot |= IOMMU_WRITE;
	if (args->native)
		list = phyr_map(attach->phyr, args->offset, args->len,
				DMA_BIDIRECTIONAL);
	else
		list = phyr_map_domain(attach->phyr, args->offset, args->len,
				       args->iova, prot);
	if (IS_ERR(list))
		return PTR_ERR(list);

	phyr_domain_list_pages(list, &pages);
	args->smallest = pages.smallest;
	args->largest = pages.largest;
	args->count = pages.count;
	ret = xa_alloc(&attach->maps, &args->map, list, xa_limit_31b,
		       GFP_KERNEL);
	if (ret)
		phyr_unmap(attach->phyr, list);
	return ret;
}

static int domain_ioctl_map(struct xarray *attaches,
			    struct phyr_domain_map *args)
{
	struct domain_attach *attach = xa_load(attaches, args->id);
	int ret;

	if (!attach || !attach->phyr)
		return -ENOENT;
	dma_resv_lock(attach->dmabuf->resv, NULL);
	ret = domain_map_locked(attach, args);
	dma_resv_unlock(attach->dmabuf->resv);
	return ret;
}

static u64 domain_attach_mapped(struct domain_attach *attach, bool *stale)
{
	struct dma_range_list *list;
	unsigned long map;
	u64 sum = 0;

	dma_resv_assert_held(attach->dmabuf->resv);

	xa_for_each(&attach->maps, map, list) {
		sum += dma_range_list_len(list);
		*stale |= !dma_range_list_len(list);
	}
	return sum;
}

static int domain_ioctl_state(struct xarray *attaches,
			      struct phyr_domain_state *args)
{
	struct domain_attach *attach = xa_load(attaches, args->id);
	bool stale = false;

	if (!attach)
		return -ENOENT;
	dma_resv_lock(attach->dmabuf->resv, NULL);
	args->invalidated = attach->invalidated;
	args->mapped = domain_attach_mapped(attach, &stale);
	dma_resv_unlock(attach->dmabuf->resv);
	return 0;
}

/*
 * Several reservation locks
 */

static void domain_unlock_all(struct domain_attach **attaches, unsigned int nr)
{
	unsigned int i, j;

	for (i = 0; i < nr; i++) {
		/* Two attachments of one buffer share the lock. */
		for (j = 0; j < i; j++)
			if (attaches[j]->dmabuf->resv ==
			    attaches[i]->dmabuf->resv)
				break;
		if (j == i)
			dma_resv_unlock(attaches[i]->dmabuf->resv);
	}
}

static void domain_lock_all(struct domain_attach **attaches, unsigned int nr,
			    struct ww_acquire_ctx *ctx)
{
	unsigned int i;
	int ret;

	ww_acquire_init(ctx, &reservation_ww_class);
	for (i = 0; i < nr; i++) {
		ret = dma_resv_lock(attaches[i]->dmabuf->resv, ctx);
		if (ret != -EDEADLK)
			continue;
		domain_unlock_all(attaches, i);
		dma_resv_lock_slow(attaches[i]->dmabuf->resv, ctx);
		/* It stays locked, as the first one. */
		swap(attaches[0], attaches[i]);
		i = 0;
	}
	ww_acquire_done(ctx);
}

/* Every mapping of the file, of however many dma-bufs. */
static int domain_unmap_all(struct xarray *attaches)
{
	struct phyr_domain_mapping mappings[DOMAIN_MAPS_MAX];
	struct domain_attach *held[DOMAIN_MAPS_MAX], *attach;
	unsigned int nr = 0, nr_held = 0, i;
	struct dma_range_list *list;
	struct ww_acquire_ctx ctx;
	unsigned long id, map;

	xa_for_each(attaches, id, attach)
		if (attach->phyr && nr_held < DOMAIN_MAPS_MAX)
			held[nr_held++] = attach;
	domain_lock_all(held, nr_held, &ctx);
	for (i = 0; i < nr_held; i++) {
		xa_for_each(&held[i]->maps, map, list) {
			if (nr == DOMAIN_MAPS_MAX)
				break;
			mappings[nr].attach = held[i]->phyr;
			mappings[nr++].list = list;
			xa_erase(&held[i]->maps, map);
		}
	}
	phyr_unmap_domain(domain_card->space, mappings, nr);
	domain_unlock_all(held, nr_held);
	ww_acquire_fini(&ctx);
	return 0;
}

static int domain_ioctl_unmap(struct xarray *attaches,
			      const struct phyr_domain_unmap *args)
{
	struct dma_range_list *list;
	struct domain_attach *attach;

	if (!args->id)
		return domain_unmap_all(attaches);

	attach = xa_load(attaches, args->id);
	if (!attach || !attach->phyr)
		return -ENOENT;
	list = xa_erase(&attach->maps, args->map);
	if (!list)
		return -ENOENT;
	dma_resv_lock(attach->dmabuf->resv, NULL);
	phyr_unmap(attach->phyr, list);
	dma_resv_unlock(attach->dmabuf->resv);
	return 0;
}

/*
 * Copies
 */

/* A dma_range list of IOVAs that need not be mapped. */
static struct dma_range_list *domain_raw_list(struct sg_table *sgt, u64 iova,
					      u64 len)
{
	struct dma_range_list *list;
	int ret;

	ret = sg_alloc_table(sgt, 1, GFP_KERNEL);
	if (ret)
		return ERR_PTR(ret);
	sg_dma_address(sgt->sgl) = iova;
	sg_dma_len(sgt->sgl) = len;
	list = dma_range_list_from_sgt(sgt, NULL);
	if (IS_ERR(list))
		sg_free_table(sgt);
	return list;
}

static void domain_raw_free(struct dma_range_list *list, struct sg_table *sgt)
{
	dma_range_list_free(list);
	sg_free_table(sgt);
}

/* Start under the reservation locks, and add the fence. */
static struct dma_fence *domain_start_locked(struct domain_attach **held,
					     unsigned int nr,
					     struct dma_range_list *src,
					     struct dma_range_list *dst,
					     u64 len)
{
	struct dma_fence *fence;
	bool stale = false;
	unsigned int i;
	int ret;

	for (i = 0; i < nr; i++) {
		domain_attach_mapped(held[i], &stale);
		if (stale)
			return ERR_PTR(-ESTALE);
		ret = dma_resv_reserve_fences(held[i]->dmabuf->resv, 1);
		if (ret)
			return ERR_PTR(ret);
		dma_resv_wait_timeout(held[i]->dmabuf->resv,
				      DMA_RESV_USAGE_KERNEL, false,
				      MAX_SCHEDULE_TIMEOUT);
	}

	fence = domain_card_start(domain_card, src, dst, len);
	for (i = 0; i < nr && !IS_ERR(fence); i++)
		dma_resv_add_fence(held[i]->dmabuf->resv, fence,
				   DMA_RESV_USAGE_WRITE);
	return fence;
}

static int domain_copy(struct domain_attach **held, unsigned int nr,
		       struct dma_range_list *src, struct dma_range_list *dst,
		       u64 len)
{
	struct ww_acquire_ctx ctx;
	struct dma_fence *fence;

	if (nr) {
		domain_lock_all(held, nr, &ctx);
		fence = domain_start_locked(held, nr, src, dst, len);
		domain_unlock_all(held, nr);
		ww_acquire_fini(&ctx);
	} else {
		fence = domain_card_start(domain_card, src, dst, len);
	}
	return IS_ERR(fence) ? PTR_ERR(fence) :
			       domain_card_wait(domain_card, fence);
}

static int domain_ioctl_copy(struct xarray *attaches,
			     const struct phyr_domain_copy *args)
{
	struct domain_attach *held[ARRAY_SIZE(args->ids)];
	struct dma_range_list *src, *dst;
	struct sg_table from, to;
	unsigned int i, nr = 0;
	int ret;

	if (!args->len || args->len > PHYR_DOMAIN_SCRATCH_LEN)
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(args->ids); i++) {
		if (!args->ids[i])
			continue;
		held[nr] = xa_load(attaches, args->ids[i]);
		if (!held[nr] || !held[nr]->phyr)
			return -ENOENT;
		nr++;
	}

	src = domain_raw_list(&from, args->src, args->len);
	if (IS_ERR(src))
		return PTR_ERR(src);
	dst = domain_raw_list(&to, args->dst, args->len);
	if (IS_ERR(dst)) {
		ret = PTR_ERR(dst);
	} else {
		ret = domain_copy(held, nr, src, dst, args->len);
		domain_raw_free(dst, &to);
	}
	domain_raw_free(src, &from);
	return ret;
}

/*
 * The file
 */

static int domain_ioctl_info(struct phyr_domain_info *args)
{
	args->page_sizes = domain_card->domain->pgsize_bitmap;
	args->last = domain_card->domain->geometry.aperture_end;
	return 0;
}

static int domain_ioctl_space(void)
{
	struct phyr_domain *space;

	space = phyr_domain_create(&domain_card->pdev->dev, domain_card->domain,
				   domain_card);
	if (IS_ERR(space))
		return PTR_ERR(space);
	phyr_domain_destroy(space);
	return 0;
}

/* What may run beside itself and beside each other */
static bool domain_is_parallel(unsigned int cmd, const void *args)
{
	const struct phyr_domain_unmap *unmap = args;

	return cmd == PHYR_DOMAIN_IOC_MAP || cmd == PHYR_DOMAIN_IOC_STATE ||
	       (cmd == PHYR_DOMAIN_IOC_UNMAP && unmap->id);
}

static int domain_run(struct xarray *attaches, unsigned int cmd, void *args)
{
	if (!domain_card)
		return -ENXIO;
	if (domain_card->error)
		return domain_card->error;

	switch (cmd) {
	case PHYR_DOMAIN_IOC_INFO:
		return domain_ioctl_info(args);
	case PHYR_DOMAIN_IOC_ATTACH:
		return domain_ioctl_attach(attaches, args);
	case PHYR_DOMAIN_IOC_DETACH:
		return domain_ioctl_detach(attaches, args);
	case PHYR_DOMAIN_IOC_MAP:
		return domain_ioctl_map(attaches, args);
	case PHYR_DOMAIN_IOC_UNMAP:
		return domain_ioctl_unmap(attaches, args);
	case PHYR_DOMAIN_IOC_STATE:
		return domain_ioctl_state(attaches, args);
	case PHYR_DOMAIN_IOC_COPY:
		return domain_ioctl_copy(attaches, args);
	case PHYR_DOMAIN_IOC_SPACE:
		return domain_ioctl_space();
	default:
		return -ENOTTY;
	}
}

static int domain_dispatch(struct file *file, unsigned int cmd, void *args)
{
	int ret;

	if (domain_is_parallel(cmd, args)) {
		scoped_guard(rwsem_read, &domain_lock)
			ret = domain_run(file->private_data, cmd, args);
	} else {
		scoped_guard(rwsem_write, &domain_lock)
			ret = domain_run(file->private_data, cmd, args);
	}
	return ret;
}

static long domain_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	union {
		struct phyr_domain_info info;
		struct phyr_domain_attach attach;
		struct phyr_domain_map map;
		struct phyr_domain_unmap unmap;
		struct phyr_domain_state state;
		struct phyr_domain_copy copy;
	} args = {};

	return test_ioctl_call(file, cmd, arg, &args, sizeof(args),
			       domain_dispatch);
}

static int domain_open(struct inode *inode, struct file *file)
{
	struct xarray *attaches = kzalloc_obj(*attaches);

	if (!attaches)
		return -ENOMEM;
	xa_init_flags(attaches, XA_FLAGS_ALLOC1);
	file->private_data = attaches;
	return 0;
}

static int domain_release(struct inode *inode, struct file *file)
{
	struct xarray *attaches = file->private_data;
	struct domain_attach *attach;
	unsigned long id;

	scoped_guard(rwsem_write, &domain_lock)
		xa_for_each(attaches, id, attach)
			domain_attach_free(attach);
	xa_destroy(attaches);
	kfree(attaches);
	return 0;
}

/* The scratch memory */
static int domain_mmap(struct file *file, struct vm_area_struct *vma)
{
	unsigned long addr = vma->vm_start;
	void *page;
	int ret = 0;

	guard(rwsem_read)(&domain_lock);

	if (!domain_card || domain_card->error)
		return -ENXIO;
	if (vma->vm_pgoff ||
	    vma->vm_end - vma->vm_start != PHYR_DOMAIN_SCRATCH_LEN)
		return -EINVAL;

	for (page = domain_card->scratch; addr < vma->vm_end && !ret;
	     addr += PAGE_SIZE, page += PAGE_SIZE)
		ret = vm_insert_page(vma, addr, virt_to_page(page));
	return ret;
}

static const struct file_operations domain_fops = {
	.owner = THIS_MODULE,
	.open = domain_open,
	.release = domain_release,
	.unlocked_ioctl = domain_ioctl,
	.mmap = domain_mmap,
};

static struct miscdevice domain_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "phyr_domain",
	.fops = &domain_fops,
	.mode = 0600,
};

/*
 * The device
 */

static int domain_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct domain_card *card;

	/* driver_override matches any device; unknown ones as PCI_ANY_ID. */
	if (id->vendor == PCI_ANY_ID)
		return -ENODEV;

	guard(rwsem_write)(&domain_lock);

	if (domain_card)
		return -EBUSY;
	card = domain_card_create(pdev);
	if (IS_ERR(card))
		return PTR_ERR(card);
	domain_card = card;
	return 0;
}

static void domain_remove(struct pci_dev *pdev)
{
	struct domain_attach *attach;

	guard(rwsem_write)(&domain_lock);

	list_for_each_entry(attach, &domain_attaches, node)
		domain_attach_end(attach);
	domain_card_destroy(domain_card);
	domain_card = NULL;
}

/* No copy is running: the ioctl waits for its end, and tasks are frozen. */
static int domain_suspend(struct device *dev)
{
	guard(rwsem_write)(&domain_lock);

	if (!domain_card->error)
		phyr_engine_pause(&domain_card->engine);
	return 0;
}

static int domain_resume(struct device *dev)
{
	guard(rwsem_write)(&domain_lock);

	if (!domain_card->error)
		phyr_engine_resume(&domain_card->engine);
	return 0;
}

static DEFINE_SIMPLE_DEV_PM_OPS(domain_pm_ops, domain_suspend, domain_resume);

static const struct pci_device_id domain_ids[] = {
	{ PCI_DEVICE_DRIVER_OVERRIDE(0x1000, 0x0012, true) },
	{ }
};

static struct pci_driver domain_driver = {
	.name = "phyr_domain",
	.id_table = domain_ids,
	.probe = domain_probe,
	.remove = domain_remove,
	.driver_managed_dma = true,
	.driver.pm = pm_sleep_ptr(&domain_pm_ops),
};

static int __init domain_init(void)
{
	int ret;

	ret = misc_register(&domain_misc);
	if (ret)
		return ret;

	ret = pci_register_driver(&domain_driver);
	if (ret)
		misc_deregister(&domain_misc);
	return ret;
}
module_init(domain_init);

static void __exit domain_exit(void)
{
	pci_unregister_driver(&domain_driver);
	misc_deregister(&domain_misc);
}
module_exit(domain_exit);

MODULE_DESCRIPTION("Importer with an IOMMU domain of its own, for tests of phyr");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
MODULE_IMPORT_NS("PHYR");
MODULE_IMPORT_NS("PHYR_ENGINE");

// SPDX-License-Identifier: GPL-2.0
/*
 * Buffers in RAM: MMAP and EXPBUF
 *
 * A buffer is referenced by the queue, by CPU mappings, and by the dma-bufs
 * that EXPBUF creates. The pages are freed with the last reference. The DMA
 * mapping belongs to the queue and ends with it: the device's driver may be
 * unbound long before the last importer detaches.
 *
 * The pages need not be contiguous: the device accepts any number of ranges.
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "memops.h"

static void vb2_phyr_ram_free_pages(struct vb2_phyr_ram *ram)
{
	while (ram->nr_pages)
		__free_page(ram->pages[--ram->nr_pages]);
	kvfree(ram->pages);
}

static void vb2_phyr_ram_put(void *priv)
{
	struct vb2_phyr_ram *ram = priv;

	if (!refcount_dec_and_test(&ram->ref))
		return;

	vb2_phyr_ram_free_pages(ram);
	mutex_destroy(&ram->lock);
	kfree(ram);
}

/* Prefer large blocks, for few ranges. */
static int vb2_phyr_ram_alloc_pages(struct vb2_phyr_ram *ram,
				    unsigned int count, gfp_t gfp)
{
	unsigned int order = MAX_PAGE_ORDER, i;
	struct page *block;
	gfp_t flags;

	gfp |= GFP_KERNEL_ACCOUNT | __GFP_ZERO;
	while (ram->nr_pages < count) {
		order = min_t(unsigned int, order,
			      ilog2(count - ram->nr_pages));
		flags = order ? gfp | __GFP_NORETRY | __GFP_NOWARN : gfp;
		block = alloc_pages(flags, order);
		if (!block && !order)
			return -ENOMEM;
		if (!block) {
			order--;
			continue;
		}

		/* Pages are freed and mapped to userspace one by one. */
		split_page(block, order);
		for (i = 0; i < 1U << order; i++)
			ram->pages[ram->nr_pages++] = &block[i];
	}
	return 0;
}

static int vb2_phyr_ram_map(struct vb2_phyr_ram *ram,
			    const struct phyr_limits *limits)
{
	int ret;

	ret = sg_alloc_table_from_pages(&ram->sgt, ram->pages, ram->nr_pages, 0,
					(size_t)ram->nr_pages << PAGE_SHIFT,
					GFP_KERNEL_ACCOUNT);
	if (ret)
		return ret;
	ret = dma_map_sgtable(ram->dev, &ram->sgt, ram->dir, 0);
	if (ret)
		goto err_free;

	ram->ranges = dma_range_list_from_sgt(&ram->sgt, limits);
	if (IS_ERR(ram->ranges)) {
		ret = PTR_ERR(ram->ranges);
		goto err_unmap;
	}
	ram->mapped = true;
	return 0;

err_unmap:
	dma_unmap_sgtable(ram->dev, &ram->sgt, ram->dir, 0);
err_free:
	sg_free_table(&ram->sgt);
	return ret;
}

static void vb2_phyr_ram_unmap(struct vb2_phyr_ram *ram)
{
	mutex_lock(&ram->lock);
	ram->mapped = false;
	mutex_unlock(&ram->lock);

	dma_range_list_free(ram->ranges);
	dma_unmap_sgtable(ram->dev, &ram->sgt, ram->dir, 0);
	sg_free_table(&ram->sgt);
}

/**
 * vb2_phyr_ram_alloc - &vb2_mem_ops.alloc
 * @vb: the buffer
 * @dev: the device that will do DMA
 * @size: bytes, whole pages
 *
 * Context: under vb2_queue.lock; may sleep.
 * Return: the memory, zeroed, or an ERR_PTR.
 */
void *vb2_phyr_ram_alloc(struct vb2_buffer *vb, struct device *dev,
			 unsigned long size)
{
	struct vb2_phyr_queue *queue = to_vb2_phyr_queue(vb->vb2_queue);
	unsigned int count = size >> PAGE_SHIFT;
	struct vb2_phyr_ram *ram;
	int ret = -ENOMEM;

	ram = kzalloc_obj(*ram, GFP_KERNEL_ACCOUNT);
	if (!ram)
		return ERR_PTR(-ENOMEM);

	refcount_set(&ram->ref, 1);
	mutex_init(&ram->lock);
	ram->dev = get_device(dev);
	ram->dir = queue->vb2.dma_dir;
	ram->handler.refcount = &ram->ref;
	ram->handler.put = vb2_phyr_ram_put;
	ram->handler.arg = ram;
	ram->pages = kvcalloc(count, sizeof(*ram->pages), GFP_KERNEL_ACCOUNT);
	if (!ram->pages)
		goto err_put;
	ret = vb2_phyr_ram_alloc_pages(ram, count, queue->vb2.gfp_flags);
	if (ret)
		goto err_put;
	ret = vb2_phyr_ram_map(ram, &queue->limits);
	if (ret)
		goto err_put;
	return ram;

err_put:
	put_device(ram->dev);
	vb2_phyr_ram_put(ram);
	return ERR_PTR(ret);
}

/**
 * vb2_phyr_ram_free - &vb2_mem_ops.put
 * @priv: the memory
 *
 * Ends the DMA mapping; the pages are freed with the last reference.
 *
 * Context: under vb2_queue.lock; may sleep.
 */
void vb2_phyr_ram_free(void *priv)
{
	struct vb2_phyr_ram *ram = priv;

	vb2_phyr_ram_unmap(ram);
	put_device(ram->dev);
	vb2_phyr_ram_put(ram);
}

/**
 * vb2_phyr_ram_mmap - &vb2_mem_ops.mmap
 * @priv: the memory
 * @vma: the CPU mapping, of the whole buffer or of a part
 *
 * Context: under mmap_lock.
 * Return: 0 or a negative errno.
 */
int vb2_phyr_ram_mmap(void *priv, struct vm_area_struct *vma)
{
	struct vb2_phyr_ram *ram = priv;
	int ret;

	ret = vm_map_pages(vma, ram->pages, ram->nr_pages);
	if (ret)
		return ret;

	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_private_data = &ram->handler;
	vma->vm_ops = &vb2_common_vm_ops;
	vma->vm_ops->open(vma);
	return 0;
}

/*
 * The dma-buf
 */

static struct sg_table *vb2_phyr_ram_dma_buf_map(struct dma_buf_attachment *at,
						 enum dma_data_direction dir)
{
	struct vb2_phyr_ram *ram = at->dmabuf->priv;
	struct sg_table *sgt;
	int ret;

	sgt = kzalloc_obj(*sgt, GFP_KERNEL_ACCOUNT);
	if (!sgt)
		return ERR_PTR(-ENOMEM);

	ret = sg_alloc_table_from_pages_segment(sgt, ram->pages, ram->nr_pages,
						0, at->dmabuf->size,
						dma_get_max_seg_size(at->dev),
						GFP_KERNEL_ACCOUNT);
	if (ret)
		goto err_free;
	ret = dma_map_sgtable(at->dev, sgt, dir, 0);
	if (ret)
		goto err_free_table;
	return sgt;

err_free_table:
	sg_free_table(sgt);
err_free:
	kfree(sgt);
	return ERR_PTR(ret);
}

static void vb2_phyr_ram_dma_buf_unmap(struct dma_buf_attachment *at,
				       struct sg_table *sgt,
				       enum dma_data_direction dir)
{
	dma_unmap_sgtable(at->dev, sgt, dir, 0);
	sg_free_table(sgt);
	kfree(sgt);
}

static int vb2_phyr_ram_dma_buf_begin(struct dma_buf *dmabuf,
				      enum dma_data_direction dir)
{
	struct vb2_phyr_ram *ram = dmabuf->priv;

	guard(mutex)(&ram->lock);
	if (ram->mapped)
		dma_sync_sgtable_for_cpu(ram->dev, &ram->sgt, ram->dir);
	return 0;
}

static int vb2_phyr_ram_dma_buf_end(struct dma_buf *dmabuf,
				    enum dma_data_direction dir)
{
	struct vb2_phyr_ram *ram = dmabuf->priv;

	guard(mutex)(&ram->lock);
	if (ram->mapped)
		dma_sync_sgtable_for_device(ram->dev, &ram->sgt, ram->dir);
	return 0;
}

static int vb2_phyr_ram_dma_buf_mmap(struct dma_buf *dmabuf,
				     struct vm_area_struct *vma)
{
	return vb2_phyr_ram_mmap(dmabuf->priv, vma);
}

static int vb2_phyr_ram_dma_buf_vmap(struct dma_buf *dmabuf,
				     struct iosys_map *map)
{
	struct vb2_phyr_ram *ram = dmabuf->priv;
	void *vaddr = vmap(ram->pages, ram->nr_pages, VM_MAP, PAGE_KERNEL);

	if (!vaddr)
		return -ENOMEM;
	iosys_map_set_vaddr(map, vaddr);
	return 0;
}

static void vb2_phyr_ram_dma_buf_vunmap(struct dma_buf *dmabuf,
					struct iosys_map *map)
{
	vunmap(map->vaddr);
}

static void vb2_phyr_ram_dma_buf_release(struct dma_buf *dmabuf)
{
	vb2_phyr_ram_put(dmabuf->priv);
}

static const struct dma_buf_ops vb2_phyr_ram_dma_buf_ops = {
	.map_dma_buf = vb2_phyr_ram_dma_buf_map,
	.unmap_dma_buf = vb2_phyr_ram_dma_buf_unmap,
	.begin_cpu_access = vb2_phyr_ram_dma_buf_begin,
	.end_cpu_access = vb2_phyr_ram_dma_buf_end,
	.mmap = vb2_phyr_ram_dma_buf_mmap,
	.vmap = vb2_phyr_ram_dma_buf_vmap,
	.vunmap = vb2_phyr_ram_dma_buf_vunmap,
	.release = vb2_phyr_ram_dma_buf_release,
};

/**
 * vb2_phyr_ram_export - &vb2_mem_ops.get_dmabuf
 * @vb: the buffer
 * @priv: the memory
 * @flags: flags of the dma-buf's file
 *
 * Context: under vb2_queue.lock; may sleep.
 * Return: a new dma-buf, or NULL on error, as videobuf2 expects.
 */
struct dma_buf *vb2_phyr_ram_export(struct vb2_buffer *vb, void *priv,
				    unsigned long flags)
{
	struct vb2_phyr_ram *ram = priv;
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;

	info.ops = &vb2_phyr_ram_dma_buf_ops;
	info.size = (size_t)ram->nr_pages << PAGE_SHIFT;
	info.flags = flags;
	info.priv = ram;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf))
		return NULL;

	/* Owned by the dma-buf, dropped in its release. */
	refcount_inc(&ram->ref);
	return dmabuf;
}

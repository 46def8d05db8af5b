// SPDX-License-Identifier: GPL-2.0
/*
 * Memory regions, registered as RDMA drivers do
 *
 *	dynamic		ib_umem_dmabuf_get(): mapped at the first use; a move
 *			invalidates the table, and the next use maps again, as a
 *			page fault of the device does
 *	pinned		ib_umem_dmabuf_get_pinned(): mapped until the end
 *	revocable	…_get_pinned_revocable_and_lock(): mapped until the end or
 *			until a revoke, after which it cannot be used again
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <rdma/ib_umem.h>
#include <rdma/ib_verbs.h>
#include <rdma/iter.h>

#include "rdma.h"

/*
 * Users address a region from here on; the lower bits are those of the offset
 * in the dma-buf, as the RDMA core demands. Aligned to any page size.
 */
#define RDMA_REGION_BASE	BIT_ULL(48)

#define RDMA_REGION_ACCESS	(IB_ACCESS_LOCAL_WRITE | \
				 IB_ACCESS_REMOTE_READ | IB_ACCESS_REMOTE_WRITE)

/* Make the device forget the table. DMA that is running ends before. */
static void rdma_region_zap(struct rdma_region *region)
{
	lockdep_assert_held(&region->rdma->lock);

	kvfree(region->blocks);
	region->blocks = NULL;
	region->nr = 0;
	region->page_size = 0;
}

static void rdma_region_invalidate(struct dma_buf_attachment *attach)
{
	struct ib_umem_dmabuf *umem = attach->importer_priv;
	struct rdma_region *region = umem->private;

	dma_resv_assert_held(attach->dmabuf->resv);

	/* May be called before rdma_region_create() has seen the umem. */
	if (!umem->sgt)
		return;

	scoped_guard(mutex, &region->rdma->lock) {
		rdma_region_zap(region);
		region->invalidated++;
	}
	ib_umem_dmabuf_unmap_pages(umem);
}

static const struct dma_buf_attach_ops rdma_dynamic_ops = {
	.allow_peer2peer = true,
	.invalidate_mappings = rdma_region_invalidate,
};

/* The RDMA core unmaps after this. */
static void rdma_region_revoke(void *priv)
{
	struct rdma_region *region = priv;

	guard(mutex)(&region->rdma->lock);
	rdma_region_zap(region);
	region->revoked = true;
	region->invalidated++;
}

/*
 * Fill the table. The umem is mapped, and cannot be unmapped meanwhile. It
 * counts the blocks by itself; do not trust that the iterator agrees.
 */
static int rdma_region_fill(struct rdma_region *region)
{
	struct ib_umem *umem = &region->umem->umem;
	struct ib_block_iter iter;
	unsigned long page_size;
	size_t nr, i = 0;
	u64 *blocks;

	page_size = ib_umem_find_best_pgsz(umem, region->page_sizes,
					   region->start);
	if (!page_size)
		return -EOPNOTSUPP;

	nr = ib_umem_num_dma_blocks(umem, page_size);
	blocks = kvmalloc_array(nr, sizeof(*blocks), GFP_KERNEL);
	if (!blocks)
		return -ENOMEM;

	rdma_umem_for_each_dma_block(umem, &iter, page_size) {
		if (i < nr)
			blocks[i] = rdma_block_iter_dma_address(&iter);
		i++;
	}
	if (i != nr) {
		kvfree(blocks);
		return -EIO;
	}

	guard(mutex)(&region->rdma->lock);
	rdma_region_zap(region);
	region->blocks = blocks;
	region->nr = nr;
	region->page_size = page_size;
	region->faults++;
	return 0;
}

static struct ib_umem_dmabuf *
rdma_region_get_umem(struct rdma_region *region,
		     const struct phyr_rdma_reg *args)
{
	struct ib_device *ib = region->rdma->ib;

	switch (args->kind) {
	case PHYR_RDMA_DYNAMIC:
		return ib_umem_dmabuf_get(ib, args->offset, args->len, args->fd,
					  RDMA_REGION_ACCESS,
					  &rdma_dynamic_ops);
	case PHYR_RDMA_PINNED:
		return ib_umem_dmabuf_get_pinned(ib, args->offset, args->len,
						 args->fd, RDMA_REGION_ACCESS);
	case PHYR_RDMA_REVOCABLE:
		return ib_umem_dmabuf_get_pinned_revocable_and_lock(ib,
								    args->offset,
								    args->len,
								    args->fd,
								    RDMA_REGION_ACCESS);
	default:
		return ERR_PTR(-EINVAL);
	}
}

/* What each kind does after it has its umem. */
static int rdma_region_start(struct rdma_region *region)
{
	int ret;

	switch (region->kind) {
	case PHYR_RDMA_PINNED:
		return rdma_region_fill(region);
	case PHYR_RDMA_REVOCABLE:
		ib_umem_dmabuf_set_revoke_locked(region->umem,
						 rdma_region_revoke, region);
		ret = rdma_region_fill(region);
		ib_umem_dmabuf_revoke_unlock(region->umem);
		return ret;
	default:
		region->umem->private = region;
		return 0;
	}
}

/**
 * rdma_region_create - register a part of a dma-buf
 * @rdma: the device
 * @args: the ioctl's arguments
 *
 * Return: the region, or ERR_PTR: the error of the RDMA core; -EOPNOTSUPP if
 * no supported page size fits the memory; -ENOMEM.
 */
struct rdma_region *rdma_region_create(struct rdma_device *rdma,
				       const struct phyr_rdma_reg *args)
{
	struct rdma_region *region;
	int ret;

	region = kzalloc_obj(*region);
	if (!region)
		return ERR_PTR(-ENOMEM);

	region->rdma = rdma;
	region->kind = args->kind;
	region->start = RDMA_REGION_BASE + offset_in_page(args->offset);
	region->len = args->len;
	region->page_sizes = args->page_sizes;
	region->umem = rdma_region_get_umem(region, args);
	if (IS_ERR(region->umem)) {
		ret = PTR_ERR(region->umem);
		kfree(region);
		return ERR_PTR(ret);
	}

	ret = rdma_region_start(region);
	if (ret) {
		rdma_region_destroy(region);
		return ERR_PTR(ret);
	}
	return region;
}

/**
 * rdma_region_destroy - deregister
 * @region: the region; freed
 */
void rdma_region_destroy(struct rdma_region *region)
{
	/* The device forgets the addresses before they are unmapped. */
	scoped_guard(mutex, &region->rdma->lock)
		rdma_region_zap(region);
	ib_umem_release(&region->umem->umem);
	kfree(region);
}

/**
 * rdma_region_fault - map a region whose table is missing
 * @region: the region
 *
 * Return: 0; -EKEYREVOKED for a revoked region; the error of the map;
 * -EOPNOTSUPP, -ENOMEM.
 */
int rdma_region_fault(struct rdma_region *region)
{
	struct dma_resv *resv = region->umem->attach->dmabuf->resv;
	int ret;

	/* Only dynamic regions are mapped again. */
	if (region->kind != PHYR_RDMA_DYNAMIC)
		return -EKEYREVOKED;

	dma_resv_lock(resv, NULL);
	ret = ib_umem_dmabuf_map_pages(region->umem);
	if (!ret)
		ret = rdma_region_fill(region);
	dma_resv_unlock(resv);
	return ret;
}

/**
 * rdma_region_state - report a region's state
 * @region: the region
 * @args: filled in
 */
void rdma_region_state(struct rdma_region *region,
		       struct phyr_rdma_region *args)
{
	guard(mutex)(&region->rdma->lock);

	args->mapped = !!region->blocks;
	args->revoked = region->revoked;
	args->invalidated = region->invalidated;
	args->faults = region->faults;
	args->page_size = region->page_size;
}

/* Return: a copy of the table, to be freed by kvfree(), or ERR_PTR. */
static u64 *rdma_region_copy(struct rdma_region *region,
			     struct phyr_rdma_table *args)
{
	u64 *blocks;

	guard(mutex)(&region->rdma->lock);
	if (!region->blocks)
		return NULL;

	args->nr = region->nr;
	args->page_size = region->page_size;
	args->first = region->start & (region->page_size - 1);
	blocks = kvmalloc_array(region->nr, sizeof(*blocks), GFP_KERNEL);
	if (!blocks)
		return ERR_PTR(-ENOMEM);
	memcpy(blocks, region->blocks, region->nr * sizeof(*blocks));
	return blocks;
}

/**
 * rdma_region_table - read a region's table
 * @region: the region
 * @args: the ioctl's arguments and results
 *
 * Return: 0, -EFAULT, or as rdma_region_fault().
 */
int rdma_region_table(struct rdma_region *region, struct phyr_rdma_table *args)
{
	u64 __user *user = u64_to_user_ptr(args->blocks);
	u64 *blocks;
	int ret = 0;

	while (!(blocks = rdma_region_copy(region, args)) && !ret)
		ret = rdma_region_fault(region);
	if (ret)
		return ret;
	if (IS_ERR(blocks))
		return PTR_ERR(blocks);

	if (copy_to_user(user, blocks,
			 min(args->nr, args->max) * sizeof(*blocks)))
		ret = -EFAULT;
	kvfree(blocks);
	return ret;
}

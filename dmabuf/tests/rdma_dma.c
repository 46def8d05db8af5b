// SPDX-License-Identifier: GPL-2.0
/*
 * DMA of the pretended RDMA device, which knows of a region its table only
 */
#include <linux/dma-fence.h>
#include <linux/overflow.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "rdma.h"

#define RDMA_DMA_TIMEOUT	secs_to_jiffies(10)

/* Copy @len bytes with the engine; takes ownership of @fence. */
static int rdma_run(struct rdma_device *rdma, struct dma_range_list *src,
		    struct dma_range_list *dst, u64 len,
		    struct dma_fence *fence)
{
	struct phyr_engine_run run = {
		.len = len,
		.left = len,
		.fence = fence,
	};
	struct dma_fence *started;
	int ret;

	lockdep_assert_held(&rdma->lock);

	dma_range_cursor_init(&run.src.cursor, src, 0);
	dma_range_cursor_init(&run.dst.cursor, dst, 0);
	started = phyr_engine_start(&rdma->engine, &run);
	if (IS_ERR(started)) {
		kfree(fence);
		return PTR_ERR(started);
	}

	if (!dma_fence_wait_timeout(started, false, RDMA_DMA_TIMEOUT))
		phyr_engine_abort(&rdma->engine, &run, -ETIMEDOUT);
	/* The run is on the stack: the engine must have let go of it. */
	dma_fence_wait(started, false);
	ret = dma_fence_get_status(started);
	dma_fence_put(started);
	dma_fence_put(fence);
	return min(ret, 0);
}

/* The DMA addresses of @len bytes at @offset, by the table. */
static void rdma_walk(struct rdma_region *region, u64 offset, u64 len,
		      struct sg_table *sgt)
{
	u64 page = region->page_size;
	u64 pos = (region->start & (page - 1)) + offset;
	struct scatterlist *sg;
	u64 piece;
	int i;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		piece = min(page - (pos & (page - 1)), len);
		sg_dma_address(sg) = region->blocks[pos / page] +
				     (pos & (page - 1));
		sg_dma_len(sg) = piece;
		pos += piece;
		len -= piece;
	}
}

static u64 rdma_pieces(const struct rdma_region *region, u64 offset, u64 len)
{
	u64 page = region->page_size;
	u64 pos = (region->start & (page - 1)) + offset;

	return (pos + len - 1) / page - pos / page + 1;
}

static int rdma_copy(struct rdma_region *region, struct sg_table *there,
		     u64 len, bool write)
{
	struct rdma_device *rdma = region->rdma;
	struct dma_range_list *region_list, *list;
	struct scatterlist bounce;
	struct sg_table here = { .sgl = &bounce, .nents = 1 };
	struct dma_fence *fence;
	int ret = -ENOMEM;

	sg_init_table(&bounce, 1);
	sg_dma_address(&bounce) = rdma->bounce_addr;
	sg_dma_len(&bounce) = len;
	list = dma_range_list_from_sgt(&here, NULL);
	if (IS_ERR(list))
		return PTR_ERR(list);
	region_list = dma_range_list_from_sgt(there, NULL);
	if (IS_ERR(region_list)) {
		ret = PTR_ERR(region_list);
		goto out_list;
	}

	fence = kzalloc_obj(*fence);
	if (fence)
		ret = rdma_run(rdma, write ? list : region_list,
			       write ? region_list : list, len, fence);
	dma_range_list_free(region_list);
out_list:
	dma_range_list_free(list);
	return ret;
}

/* Return: 0; -EAGAIN if the region has no table; the error of the DMA. */
static int rdma_region_try(struct rdma_region *region,
			   const struct phyr_rdma_dma *args)
{
	struct sg_table sgt;
	int ret;

	guard(mutex)(&region->rdma->lock);
	if (!region->blocks)
		return -EAGAIN;

	ret = sg_alloc_table(&sgt, rdma_pieces(region, args->offset, args->len),
			     GFP_KERNEL);
	if (ret)
		return ret;
	rdma_walk(region, args->offset, args->len, &sgt);
	ret = rdma_copy(region, &sgt, args->len, args->write);
	sg_free_table(&sgt);
	return ret;
}

static int rdma_dma_check(const struct rdma_region *region,
			  const struct phyr_rdma_dma *args)
{
	u64 end;

	if (!region->rdma->bounce)
		return -EOPNOTSUPP;
	if (!args->len || args->len > PHYR_RDMA_MAX_LEN ||
	    check_add_overflow(args->offset, args->len, &end) ||
	    end > region->len)
		return -EINVAL;
	return 0;
}

/**
 * rdma_region_dma - read or write a region
 * @region: the region
 * @args: the ioctl's arguments
 *
 * Return: 0; -EINVAL for a part that exceeds the region; -EOPNOTSUPP for a
 * device without DMA; -EFAULT; or as rdma_region_fault() and the engine.
 */
int rdma_region_dma(struct rdma_region *region,
		    const struct phyr_rdma_dma *args)
{
	void __user *user = u64_to_user_ptr(args->user);
	void *bounce = region->rdma->bounce;
	int ret;

	ret = rdma_dma_check(region, args);
	if (ret)
		return ret;
	if (args->write && copy_from_user(bounce, user, args->len))
		return -EFAULT;

	/* As after a page fault of the device, another move may come first. */
	while ((ret = rdma_region_try(region, args)) == -EAGAIN) {
		ret = rdma_region_fault(region);
		if (ret)
			return ret;
	}
	if (!ret && !args->write && copy_to_user(user, bounce, args->len))
		ret = -EFAULT;
	return ret;
}

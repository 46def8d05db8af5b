// SPDX-License-Identifier: GPL-2.0
/*
 * Importers that stay attached, in all variants of the dma-buf API
 *
 * Each open file has its own importers in an xarray. The file's lock
 * serializes its ioctls. The invalidate callbacks and the worker run
 * concurrently; the dma-buf's reservation lock guards what they share.
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/phyr.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "hold.h"

/**
 * struct test_hold - one importer
 * @dmabuf: the dma-buf, with a reference; constant
 * @kind: PHYR_TEST_NATIVE and so on; constant
 * @unmap: PHYR_TEST_UNMAP_*; constant
 * @attach: for all but PHYR_TEST_NATIVE; constant
 * @phyr: for PHYR_TEST_NATIVE; constant
 * @sgt: mapping of @attach, or NULL; reservation lock
 * @list: mapping of @phyr, or NULL; reservation lock
 * @pinned: the buffer is pinned; reservation lock
 * @invalidated: number of invalidations; reservation lock
 * @destroyed: number of descriptors that are gone; reservation lock
 * @work: unmaps, for PHYR_TEST_UNMAP_SOON
 */
struct test_hold {
	struct dma_buf *dmabuf;
	u32 kind;
	u32 unmap;
	struct dma_buf_attachment *attach;
	struct phyr_attachment *phyr;
	struct sg_table *sgt;
	struct dma_range_list *list;
	bool pinned;
	u32 invalidated;
	u32 destroyed;
	struct work_struct work;
};

/**
 * struct test_descriptor - what a driver would build once from a mapping
 * @hold: the importer
 * @ranges: number of ranges
 */
struct test_descriptor {
	struct test_hold *hold;
	u64 ranges;
};

/* The mapping ends: by the importer, a move or a revoke. */
static void test_descriptor_destroy(void *priv)
{
	struct test_descriptor *descriptor = priv;

	dma_resv_assert_held(descriptor->hold->dmabuf->resv);
	descriptor->hold->destroyed++;
	kfree(descriptor);
}

static int test_descriptor_create(struct test_hold *hold,
				  struct dma_range_list *list)
{
	struct test_descriptor *descriptor;
	int ret;

	dma_resv_assert_held(hold->dmabuf->resv);

	descriptor = kzalloc_obj(*descriptor);
	if (!descriptor)
		return -ENOMEM;

	descriptor->hold = hold;
	descriptor->ranges = dma_range_list_count(list);
	ret = dma_range_list_set_priv(list, descriptor,
				      test_descriptor_destroy);
	if (ret)
		kfree(descriptor);
	return ret;
}

static void test_hold_unmap(struct test_hold *hold)
{
	dma_resv_assert_held(hold->dmabuf->resv);

	if (hold->list)
		phyr_unmap(hold->phyr, hold->list);
	if (hold->sgt)
		dma_buf_unmap_attachment(hold->attach, hold->sgt,
					 DMA_BIDIRECTIONAL);
	hold->list = NULL;
	hold->sgt = NULL;
}

/* Keep a native mapping, or the error in @list. */
static int test_hold_list(struct test_hold *hold, struct dma_range_list *list)
{
	int ret;

	if (IS_ERR(list))
		return PTR_ERR(list);
	ret = test_descriptor_create(hold, list);
	/* A reserved mapping may be stale by now, which the commit finds out. */
	if (ret && ret != -EAGAIN)
		phyr_unmap(hold->phyr, list);
	else
		hold->list = list;
	return ret == -EAGAIN ? 0 : ret;
}

static int test_hold_map(struct test_hold *hold)
{
	dma_resv_assert_held(hold->dmabuf->resv);

	test_hold_unmap(hold);
	if (hold->phyr)
		return test_hold_list(hold, phyr_map(hold->phyr, 0,
						     hold->dmabuf->size,
						     DMA_BIDIRECTIONAL));

	hold->sgt = dma_buf_map_attachment(hold->attach, DMA_BIDIRECTIONAL);
	if (!IS_ERR(hold->sgt))
		return 0;
	return PTR_ERR(no_free_ptr(hold->sgt));
}

/* Without the lock */
static int test_hold_reserve(struct test_hold *hold)
{
	struct dma_range_list *list;
	int ret;

	if (!hold->phyr)
		return -EINVAL;
	list = phyr_map_reserve(hold->phyr, 0, hold->dmabuf->size,
				DMA_BIDIRECTIONAL);

	dma_resv_lock(hold->dmabuf->resv, NULL);
	test_hold_unmap(hold);
	ret = test_hold_list(hold, list);
	dma_resv_unlock(hold->dmabuf->resv);
	return ret;
}

static int test_hold_commit(struct test_hold *hold)
{
	dma_resv_assert_held(hold->dmabuf->resv);

	return hold->list ? phyr_map_commit(hold->phyr, hold->list) : -EINVAL;
}

static void test_hold_work(struct work_struct *work)
{
	struct test_hold *hold = container_of(work, struct test_hold, work);

	dma_resv_lock(hold->dmabuf->resv, NULL);
	test_hold_unmap(hold);
	dma_resv_unlock(hold->dmabuf->resv);
}

static void test_hold_invalidate(struct test_hold *hold)
{
	dma_resv_assert_held(hold->dmabuf->resv);

	hold->invalidated++;
	if (hold->unmap == PHYR_TEST_UNMAP_NOW)
		test_hold_unmap(hold);
	else if (hold->unmap == PHYR_TEST_UNMAP_SOON)
		queue_work(system_dfl_wq, &hold->work);
}

static void test_native_invalidate(struct phyr_attachment *attach)
{
	test_hold_invalidate(phyr_attachment_priv(attach));
}

static void test_stock_invalidate(struct dma_buf_attachment *attach)
{
	test_hold_invalidate(attach->importer_priv);
}

static const struct phyr_importer_ops test_native_ops = {
	.invalidate = test_native_invalidate,
};

static const struct dma_buf_attach_ops test_stock_ops[] = {
	[PHYR_TEST_DYNAMIC] = {
		.invalidate_mappings = test_stock_invalidate,
	},
	[PHYR_TEST_PEER] = {
		.allow_peer2peer = true,
	},
	[PHYR_TEST_REVOCABLE] = {
		.allow_peer2peer = true,
		.invalidate_mappings = test_stock_invalidate,
	},
};

static int test_hold_attach(struct test_hold *hold, struct device *dev)
{
	const struct phyr_limits limits = {
		.ram_only = hold->kind == PHYR_TEST_RAM_ONLY,
	};

	switch (hold->kind) {
	case PHYR_TEST_NATIVE:
	case PHYR_TEST_RAM_ONLY:
		hold->phyr = phyr_attach(hold->dmabuf, dev, &test_native_ops,
					 &limits, hold);
		return PTR_ERR_OR_ZERO(hold->phyr);
	case PHYR_TEST_NO_OPS:
		hold->phyr = phyr_attach(hold->dmabuf, dev, NULL, NULL, hold);
		return PTR_ERR_OR_ZERO(hold->phyr);
	case PHYR_TEST_STATIC:
		hold->attach = dma_buf_attach(hold->dmabuf, dev);
		return PTR_ERR_OR_ZERO(hold->attach);
	case PHYR_TEST_DYNAMIC:
	case PHYR_TEST_PEER:
	case PHYR_TEST_REVOCABLE:
		hold->attach = dma_buf_dynamic_attach(hold->dmabuf, dev,
						      &test_stock_ops[hold->kind],
						      hold);
		return PTR_ERR_OR_ZERO(hold->attach);
	default:
		return -EINVAL;
	}
}

static void test_hold_unpin(struct test_hold *hold)
{
	if (hold->phyr)
		phyr_unpin(hold->phyr);
	else
		dma_buf_unpin(hold->attach);
}

static void test_hold_free(struct test_hold *hold)
{
	dma_resv_lock(hold->dmabuf->resv, NULL);
	test_hold_unmap(hold);
	if (hold->pinned)
		test_hold_unpin(hold);
	dma_resv_unlock(hold->dmabuf->resv);

	if (hold->phyr)
		phyr_detach(hold->phyr);
	else
		dma_buf_detach(hold->dmabuf, hold->attach);
	/* After the detach nothing queues the work. */
	cancel_work_sync(&hold->work);
	dma_buf_put(hold->dmabuf);
	kfree(hold);
}

/**
 * test_hold - handle PHYR_TEST_IOC_HOLD
 * @holds: the open file's importers
 * @dev: device to import for
 * @args: the ioctl's arguments
 *
 * Return: 0, or the error of the attach.
 */
int test_hold(struct xarray *holds, struct device *dev,
	      struct phyr_test_hold *args)
{
	struct test_hold *hold;
	int ret;

	hold = kzalloc_obj(*hold);
	if (!hold)
		return -ENOMEM;

	INIT_WORK(&hold->work, test_hold_work);
	hold->kind = args->kind;
	hold->unmap = args->unmap;
	hold->dmabuf = dma_buf_get(args->fd);
	if (IS_ERR(hold->dmabuf)) {
		ret = PTR_ERR(hold->dmabuf);
		kfree(hold);
		return ret;
	}

	ret = test_hold_attach(hold, dev);
	if (ret) {
		dma_buf_put(hold->dmabuf);
		kfree(hold);
		return ret;
	}

	ret = xa_alloc(holds, &args->id, hold, xa_limit_31b, GFP_KERNEL);
	if (ret)
		test_hold_free(hold);
	return ret;
}

static int test_hold_pin(struct test_hold *hold, bool pin)
{
	int ret = 0;

	if (hold->kind == PHYR_TEST_STATIC)
		return -EINVAL;
	if (pin && !hold->pinned)
		ret = hold->phyr ? phyr_pin(hold->phyr) :
				   dma_buf_pin(hold->attach);
	else if (!pin && hold->pinned)
		test_hold_unpin(hold);
	if (!ret)
		hold->pinned = pin;
	return ret;
}

static u64 test_hold_ranges(const struct test_hold *hold)
{
	const struct test_descriptor *descriptor = NULL;

	if (hold->sgt)
		return hold->sgt->nents;
	if (hold->list)
		descriptor = dma_range_list_priv(hold->list);
	return descriptor ? descriptor->ranges : 0;
}

static int test_held_locked(struct test_hold *hold, unsigned int cmd,
			    struct phyr_test_held *args)
{
	int ret = 0;

	switch (cmd) {
	case PHYR_TEST_IOC_MAP:
		ret = test_hold_map(hold);
		break;
	case PHYR_TEST_IOC_UNMAP:
		test_hold_unmap(hold);
		break;
	case PHYR_TEST_IOC_COMMIT:
		ret = test_hold_commit(hold);
		break;
	case PHYR_TEST_IOC_PIN:
		ret = test_hold_pin(hold, args->pinned);
		break;
	default:
		break;
	}

	args->pinned = hold->pinned;
	args->mapped = hold->sgt || hold->list;
	args->invalidated = hold->invalidated;
	args->destroyed = hold->destroyed;
	args->ranges = test_hold_ranges(hold);
	return ret;
}

/**
 * test_held - handle an ioctl on an attached importer
 * @holds: the open file's importers
 * @cmd: PHYR_TEST_IOC_HELD, _MAP, _UNMAP, _RESERVE, _COMMIT, _PIN or _RELEASE
 * @args: the ioctl's arguments
 *
 * Return: 0, -ENOENT, or the error of the dma-buf call.
 */
int test_held(struct xarray *holds, unsigned int cmd,
	      struct phyr_test_held *args)
{
	struct test_hold *hold;
	int ret;

	hold = xa_load(holds, args->id);
	if (!hold)
		return -ENOENT;

	if (cmd == PHYR_TEST_IOC_RESERVE) {
		ret = test_hold_reserve(hold);
		if (ret)
			return ret;
	}

	dma_resv_lock(hold->dmabuf->resv, NULL);
	ret = test_held_locked(hold, cmd, args);
	dma_resv_unlock(hold->dmabuf->resv);

	if (cmd == PHYR_TEST_IOC_RELEASE) {
		xa_erase(holds, args->id);
		test_hold_free(hold);
	}
	return ret;
}

/**
 * test_holds_init - initialize the importers of an open file
 * @holds: the importers
 */
void test_holds_init(struct xarray *holds)
{
	xa_init_flags(holds, XA_FLAGS_ALLOC1);
}

/**
 * test_holds_fini - detach and free the importers of an open file
 * @holds: the importers
 */
void test_holds_fini(struct xarray *holds)
{
	struct test_hold *hold;
	unsigned long id;

	xa_for_each(holds, id, hold)
		test_hold_free(hold);
	xa_destroy(holds);
}

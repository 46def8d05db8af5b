// SPDX-License-Identifier: GPL-2.0
/*
 * debugfs files, root only
 *
 *	buffers		the live buffers, and the DMA ranges of the part of each
 *			that is mapped, which starts at "offset"
 *	jobs, hang	see phyr_engine_debugfs()
 *
 * Only root may read them: without an IOMMU, DMA addresses are physical
 * addresses.
 */
#include <linux/debugfs.h>
#include <linux/dma-resv.h>
#include <linux/seq_file.h>

#include <drm/drm_debugfs.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>

#include "copy.h"

static void copy_buffer_show(struct seq_file *m, const struct copy_bo *bo)
{
	const struct dma_range_list *ranges;
	const char *type = "own";
	u64 start;

	dma_resv_assert_held(copy_bo_resv(bo));

	if (bo->composed)
		type = "composed";
	else if (bo->dmabuf)
		type = bo->user ? "user" : "imported";
	ranges = copy_map_ranges(bo->map, &start);
	seq_printf(m, "buffer %lu size %llu %s mode %s ranges %llu offset %llu\n",
		   bo->id, copy_bo_size(bo), type,
		   ranges ? dma_range_list_mode(ranges) : "none",
		   ranges ? dma_range_list_count(ranges) : 0, start);
	if (ranges)
		dma_range_list_show(m, ranges);
}

static int copy_buffers_show_all(struct seq_file *m, struct copy_device *copy)
{
	struct phyr_locks locks;
	struct copy_bo *bo;
	unsigned long id = 0;
	int ret;

	while ((bo = copy_bo_next(copy, &id))) {
		phyr_locks_init(&locks);
		ret = copy_bo_add_locks(bo, &locks) ?: phyr_locks_take(&locks);
		if (!ret)
			copy_buffer_show(m, bo);
		phyr_locks_drop(&locks);
		copy_bo_put(bo);
		if (ret)
			return ret == -EINTR ? -ERESTARTSYS : ret;
	}
	return 0;
}

static int copy_buffers_show(struct seq_file *m, void *unused)
{
	struct copy_device *copy = m->private;
	int idx;
	int ret;

	/* After remove() there is nothing to show. */
	if (!drm_dev_enter(&copy->drm, &idx))
		return 0;
	ret = copy_buffers_show_all(m, copy);
	drm_dev_exit(idx);
	return ret;
}
DEFINE_SHOW_ATTRIBUTE(copy_buffers);

/**
 * copy_debugfs_init - &drm_driver.debugfs_init
 * @minor: the device's primary node
 */
void copy_debugfs_init(struct drm_minor *minor)
{
	struct copy_device *copy = to_copy_device(minor->dev);
	struct dentry *root = minor->debugfs_root;

	debugfs_create_file("buffers", 0400, root, copy, &copy_buffers_fops);
	phyr_engine_debugfs(&copy->engine, root);
}

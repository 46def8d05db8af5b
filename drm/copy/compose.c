// SPDX-License-Identifier: GPL-2.0
/*
 * Buffers of parts of others
 *
 * The core composes the dma-buf (dmabuf/compose.c); this file finds the parts.
 *
 * A buffer that starts or ends inside a page cannot be exported: an importer
 * would get the rest of that page, too, and many drivers take it for granted that
 * a dma-buf has whole pages.
 */
#include <linux/dma-buf.h>
#include <linux/phyr_inject.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>

#include "copy.h"

/**
 * struct copy_parts - what a client wants to compose
 * @nr: number of @part that have a reference to their dma-buf
 * @user: one of them is user memory
 * @readonly: one of them must not be written
 * @odd: the first starts, or the last ends inside a page
 * @part: the parts
 */
struct copy_parts {
	unsigned int nr;
	bool user;
	bool readonly;
	bool odd;
	struct phyr_part part[];
};

static void copy_parts_free(struct copy_parts *parts)
{
	while (parts->nr)
		dma_buf_put(parts->part[--parts->nr].dmabuf);
	kvfree(parts);
}

static int copy_parts_add(struct copy_parts *parts, struct drm_file *file,
			  const struct drm_phyr_copy_part *arg)
{
	struct copy_bo *bo;

	if (arg->pad)
		return -EINVAL;

	bo = copy_bo_lookup(file, arg->handle);
	if (!bo)
		return -ENOENT;
	/* Own buffers are in shmem, whose exporter is DRM's. */
	if (!bo->dmabuf) {
		copy_bo_put(bo);
		return -EOPNOTSUPP;
	}

	get_dma_buf(bo->dmabuf);
	parts->part[parts->nr].dmabuf = bo->dmabuf;
	parts->part[parts->nr].offset = arg->offset;
	parts->part[parts->nr].len = arg->len;
	/* In the middle the core accepts whole pages only. */
	parts->odd |= !PAGE_ALIGNED(arg->offset) || !PAGE_ALIGNED(arg->len);
	parts->nr++;
	parts->user |= !!bo->user;
	parts->readonly |= bo->readonly;
	copy_bo_put(bo);
	return 0;
}

static struct copy_parts *
copy_parts_get(struct drm_file *file,
	       const struct drm_phyr_copy_gem_compose *args)
{
	struct drm_phyr_copy_part *from;
	struct copy_parts *parts;
	unsigned int i;
	int ret = 0;

	from = vmemdup_array_user(u64_to_user_ptr(args->parts), args->count,
				  sizeof(*from));
	if (IS_ERR(from))
		return ERR_CAST(from);

	parts = kvzalloc_flex(*parts, part, args->count, GFP_KERNEL_ACCOUNT);
	if (!parts)
		ret = -ENOMEM;
	for (i = 0; i < args->count && !ret; i++)
		ret = copy_parts_add(parts, file, &from[i]);
	kvfree(from);
	if (ret && parts)
		copy_parts_free(parts);
	return ret ? ERR_PTR(ret) : parts;
}

static struct dma_buf *copy_bo_composed_export(struct drm_gem_object *obj,
					       int flags)
{
	struct copy_bo *bo = to_copy_bo(obj);

	get_dma_buf(bo->dmabuf);
	return bo->dmabuf;
}

static const struct drm_gem_object_funcs copy_bo_composed_funcs = {
	.free = copy_bo_free,
	.export = copy_bo_composed_export,
	.status = copy_bo_status,
};

static struct dma_buf *copy_bo_odd_export(struct drm_gem_object *obj, int flags)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static const struct drm_gem_object_funcs copy_bo_odd_funcs = {
	.free = copy_bo_free,
	.export = copy_bo_odd_export,
	.status = copy_bo_status,
};

static const struct drm_gem_object_funcs *
copy_parts_funcs(const struct copy_parts *parts)
{
	if (parts->user)
		return &copy_bo_user_funcs;
	return parts->odd ? &copy_bo_odd_funcs : &copy_bo_composed_funcs;
}

static struct copy_bo *copy_bo_compose(struct copy_device *copy,
				       const struct drm_file *file,
				       const struct copy_parts *parts)
{
	struct dma_buf *dmabuf;
	struct copy_bo *bo;
	int idx;

	dmabuf = phyr_compose(parts->part, parts->nr);
	if (IS_ERR(dmabuf))
		return ERR_CAST(dmabuf);

	phyr_inject_delay();
	bo = ERR_PTR(-ENODEV);
	if (drm_dev_enter(&copy->drm, &idx)) {
		bo = copy_bo_attach(copy, dmabuf, copy_parts_funcs(parts));
		drm_dev_exit(idx);
	}
	dma_buf_put(dmabuf);
	if (!IS_ERR(bo)) {
		bo->composed = true;
		bo->readonly = parts->readonly;
		bo->user = parts->user ? file : NULL;
	}
	return bo;
}

/**
 * copy_gem_compose_ioctl - DRM_IOCTL_PHYR_COPY_GEM_COMPOSE
 * @drm: the device
 * @data: struct drm_phyr_copy_gem_compose
 * @file: the client
 *
 * Return: 0 or a negative errno.
 */
int copy_gem_compose_ioctl(struct drm_device *drm, void *data,
			   struct drm_file *file)
{
	struct drm_phyr_copy_gem_compose *args = data;
	struct copy_parts *parts;
	struct copy_bo *bo;
	int ret;

	if (args->flags || args->pad || !args->count ||
	    args->count > PHYR_COPY_MAX_PARTS)
		return -EINVAL;

	parts = copy_parts_get(file, args);
	if (IS_ERR(parts))
		return PTR_ERR(parts);
	bo = copy_bo_compose(to_copy_device(drm), file, parts);
	copy_parts_free(parts);
	if (IS_ERR(bo))
		return PTR_ERR(bo);

	args->size = copy_bo_size(bo);
	ret = drm_gem_handle_create(file, &bo->shmem.base, &args->handle);
	copy_bo_put(bo);
	return ret;
}

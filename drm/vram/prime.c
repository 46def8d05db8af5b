// SPDX-License-Identifier: GPL-2.0
/*
 * PRIME: buffers leave as phyr dma-bufs, and others' come in
 *
 * The dma-buf's file shares the DRM node's address_space
 * (drm_gem_dmabuf_export()), so that one zap reaches the mappings made through
 * either.
 */
#include <drm/drm_drv.h>
#include <drm/drm_gem_shmem_helper.h>
#include <drm/drm_prime.h>
#include <drm/phyr_vram_drm.h>
#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_tt.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/iosys-map.h>
#include <linux/phyr_inject.h>

#include "vram.h"

static struct phyr_buffer *vram_dma_buf_buffer(struct dma_buf *dmabuf)
{
	return &to_vram_bo(dmabuf->priv)->phyr;
}

static int vram_describe_vram(struct vram_bo *bo, struct phyr_list *list)
{
	struct vram_device *vram = ttm_to_vram(bo->tbo.bdev);
	u64 bar = phyr_mem_start(vram->mem);
	struct gpu_buddy_block *block;
	int ret;

	list_for_each_entry(block, &to_vram_resource(bo->tbo.resource)->blocks,
			    link) {
		ret = phyr_list_append(list, vram->mem,
				       bar + gpu_buddy_block_offset(block),
				       gpu_buddy_block_size(&vram->mgr.buddy,
							    block));
		if (ret)
			return ret;
	}
	return 0;
}

static int vram_describe_system(struct vram_bo *bo, struct phyr_list *list)
{
	struct vram_device *vram = ttm_to_vram(bo->tbo.bdev);
	struct ttm_operation_ctx ctx = { .interruptible = true };
	struct ttm_tt *tt;
	u32 i;
	int ret;

	/* Swaps the pages in where they were out. */
	ret = vram_bo_move_to(bo, TTM_PL_TT, true);
	if (!ret)
		ret = ttm_bo_populate(&bo->tbo, &ctx);
	if (ret)
		return ret;

	tt = bo->tbo.ttm;
	for (i = 0; i < tt->num_pages; i++) {
		ret = phyr_list_append(list, vram->ram,
				       page_to_phys(tt->pages[i]), PAGE_SIZE);
		if (ret)
			return ret;
	}
	return 0;
}

static struct phyr_list *vram_describe(struct phyr_buffer *buffer)
{
	struct vram_bo *bo = container_of(buffer, struct vram_bo, phyr);
	struct phyr_list *list;
	int ret;

	dma_resv_assert_held(bo->tbo.base.resv);

	list = phyr_list_create();
	if (IS_ERR(list))
		return list;

	if (bo->tbo.resource->mem_type == TTM_PL_VRAM)
		ret = vram_describe_vram(bo, list);
	else
		ret = vram_describe_system(bo, list);
	if (!ret)
		ret = phyr_list_finish(list, bo->tbo.base.size,
				       VRAM_DRIVER_NAME);
	if (ret) {
		phyr_list_put(list);
		return ERR_PTR(ret);
	}
	return list;
}

static int vram_pin_system(struct phyr_buffer *buffer)
{
	return vram_bo_pin_system(container_of(buffer, struct vram_bo, phyr));
}

static void vram_unpin_system(struct phyr_buffer *buffer)
{
	ttm_bo_unpin(&container_of(buffer, struct vram_bo, phyr)->tbo);
}

/*
 * Pin where it is. An importer that needed the buffer elsewhere has had it
 * moved and pinned when it attached, so that this need not fail.
 */
static int vram_dma_buf_pin(struct dma_buf_attachment *attach)
{
	struct vram_bo *bo = to_vram_bo(attach->dmabuf->priv);

	dma_resv_assert_held(attach->dmabuf->resv);
	ttm_bo_pin(&bo->tbo);
	return 0;
}

static void vram_dma_buf_unpin(struct dma_buf_attachment *attach)
{
	struct vram_bo *bo = to_vram_bo(attach->dmabuf->priv);

	dma_resv_assert_held(attach->dmabuf->resv);
	ttm_bo_unpin(&bo->tbo);
}

/*
 * Stock importers drop the mark that says I/O memory, and would touch VRAM
 * with plain loads and stores: they get system memory.
 */
static int vram_dma_buf_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct vram_bo *bo = to_vram_bo(dmabuf->priv);
	int ret;

	dma_resv_assert_held(dmabuf->resv);

	if (phyr_buffer_is_revoked(&bo->phyr))
		return vram_vmap_dummy(bo, map);

	ret = vram_bo_pin_system(bo);
	if (ret)
		return ret;

	ret = ttm_bo_vmap(&bo->tbo, map);
	if (ret)
		ttm_bo_unpin(&bo->tbo);
	return ret;
}

static void vram_dma_buf_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct vram_bo *bo = to_vram_bo(dmabuf->priv);

	dma_resv_assert_held(dmabuf->resv);

	if (vram_vunmap_dummy(bo, map))
		return;
	ttm_bo_vunmap(&bo->tbo, map);
	ttm_bo_unpin(&bo->tbo);
}

static void vram_dma_buf_release(struct dma_buf *dmabuf)
{
	phyr_buffer_remove_dma_buf(vram_dma_buf_buffer(dmabuf), dmabuf);
	phyr_inject_delay();
	drm_gem_dmabuf_release(dmabuf);
}

static const struct phyr_dma_buf_ops vram_movable_ops = {
	.ops = {
		PHYR_DMA_BUF_OPS,
		.pin = vram_dma_buf_pin,
		.unpin = vram_dma_buf_unpin,
		.release = vram_dma_buf_release,
		.mmap = drm_gem_dmabuf_mmap,
		.vmap = vram_dma_buf_vmap,
		.vunmap = vram_dma_buf_vunmap,
	},
	.buffer = vram_dma_buf_buffer,
	.describe = vram_describe,
	.pin_system = vram_pin_system,
	.unpin_system = vram_unpin_system,
};

/*
 * For buffers that must be in VRAM. Without a vmap the dma-buf core refuses
 * quietly; with one that fails it warns, whoever asked.
 */
static const struct phyr_dma_buf_ops vram_fixed_ops = {
	.ops = {
		PHYR_DMA_BUF_OPS,
		.pin = vram_dma_buf_pin,
		.unpin = vram_dma_buf_unpin,
		.release = vram_dma_buf_release,
		.mmap = drm_gem_dmabuf_mmap,
	},
	.buffer = vram_dma_buf_buffer,
	.describe = vram_describe,
};

/**
 * vram_dma_buf_ops - how a buffer is exported
 * @bo: the buffer, with its placement
 *
 * Return: the ops of its dma-bufs.
 */
const struct phyr_dma_buf_ops *vram_dma_buf_ops(const struct vram_bo *bo)
{
	return bo->placement & DRM_PHYR_VRAM_PLACE_SYSTEM ? &vram_movable_ops :
							    &vram_fixed_ops;
}

/**
 * vram_prime_export - export a buffer as a phyr dma-buf
 * @gem: the buffer
 * @flags: O_* for the dma-buf's file
 *
 * Context: object_name_lock is held; may sleep.
 * Return: the dma-buf, or ERR_PTR: -ENOMEM, or as dma_buf_export().
 */
struct dma_buf *vram_prime_export(struct drm_gem_object *gem, int flags)
{
	struct dma_buf_export_info info = {
		.exp_name = VRAM_DRIVER_NAME,
		.owner = gem->dev->driver->fops->owner,
		.ops = &to_vram_bo(gem)->phyr.ops->ops,
		.size = gem->size,
		.flags = flags,
		.priv = gem,
		.resv = gem->resv,
	};
	struct dma_buf *dmabuf;
	int ret;

	dmabuf = drm_gem_dmabuf_export(gem->dev, &info);
	if (IS_ERR(dmabuf))
		return dmabuf;

	phyr_inject_delay();
	ret = phyr_buffer_add_dma_buf(&to_vram_bo(gem)->phyr, dmabuf);
	if (ret) {
		dma_buf_put(dmabuf);
		return ERR_PTR(ret);
	}
	return dmabuf;
}

/**
 * vram_prime_import - a GEM object for a dma-buf
 * @drm: the DRM device
 * @dmabuf: any dma-buf
 *
 * A buffer of this card comes back as itself; the DRM helper knows its own ops
 * only, hence this function. Any other can be mapped by the CPU, and shown by a
 * copy: the card has no engine that could reach it.
 *
 * Context: object_name_lock is held; may sleep.
 * Return: the object with a new reference; ERR_PTR: what the exporter's attach
 * says, -ENOMEM.
 */
struct drm_gem_object *vram_prime_import(struct drm_device *drm,
					 struct dma_buf *dmabuf)
{
	struct drm_gem_object *gem = dmabuf->priv;

	if ((dmabuf->ops != &vram_movable_ops.ops &&
	     dmabuf->ops != &vram_fixed_ops.ops) || gem->dev != drm)
		return drm_gem_shmem_prime_import_no_map(drm, dmabuf);

	phyr_inject_delay();
	drm_gem_object_get(gem);
	return gem;
}

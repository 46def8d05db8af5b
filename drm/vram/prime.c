// SPDX-License-Identifier: GPL-2.0
/*
 * PRIME: export as phyr dma-bufs, import of any dma-buf
 *
 * The dma-buf's file shares the DRM node's address_space, so one zap covers the
 * user mappings of both.
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

	/* Swap in the pages if necessary. */
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

static struct phyr_mem *vram_memory(struct phyr_buffer *buffer, unsigned int i)
{
	struct vram_bo *bo = container_of(buffer, struct vram_bo, phyr);
	struct vram_device *vram = ttm_to_vram(bo->tbo.bdev);
	struct phyr_mem *mems[3] = {};
	unsigned int n = 0;

	if (bo->placement & DRM_PHYR_VRAM_PLACE_VRAM)
		mems[n++] = vram->mem;
	if (bo->placement & DRM_PHYR_VRAM_PLACE_SYSTEM)
		mems[n++] = vram->ram;
	return i < n ? mems[i] : NULL;
}

static int vram_pin_system(struct phyr_buffer *buffer)
{
	return vram_bo_pin_system(container_of(buffer, struct vram_bo, phyr),
				  true);
}

static void vram_unpin_system(struct phyr_buffer *buffer)
{
	vram_front_unpin_system(container_of(buffer, struct vram_bo, phyr));
}

/*
 * Pin in the current place. If the importer needs system memory, the core
 * already moved and pinned the buffer when it attached. The core calls this for
 * an importer that asks for a pin, and for one whose device does not reach every
 * place of the buffer.
 *
 * A buffer that TTM has evicted from system memory, to swap it out, returns
 * there first: pinned, it could neither move nor be described.
 */
static int vram_pin(struct phyr_buffer *buffer)
{
	struct vram_bo *bo = container_of(buffer, struct vram_bo, phyr);

	dma_resv_assert_held(buffer->resv);

	if (bo->place != TTM_PL_VRAM)
		return vram_bo_pin_system(bo, true);
	ttm_bo_pin(&bo->tbo);
	return 0;
}

static void vram_unpin(struct phyr_buffer *buffer)
{
	vram_bo_unpin_locked(container_of(buffer, struct vram_bo, phyr));
}

/*
 * Map in system memory: many stock importers ignore iosys_map.is_iomem and
 * would access VRAM with plain loads and stores. A buffer that is shown moves,
 * too: the dma-buf core warns if this fails.
 */
static int vram_dma_buf_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct vram_bo *bo = to_vram_bo(dmabuf->priv);
	int ret;

	dma_resv_assert_held(dmabuf->resv);

	if (phyr_buffer_is_revoked(&bo->phyr))
		return vram_vmap_dummy(bo, map);

	ret = vram_front_pin_system(bo, false);
	if (ret)
		return ret;

	ret = ttm_bo_vmap(&bo->tbo, map);
	if (ret)
		vram_front_unpin_system(bo);
	else
		bo->vmaps++;
	return ret;
}

static void vram_dma_buf_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct vram_bo *bo = to_vram_bo(dmabuf->priv);

	dma_resv_assert_held(dmabuf->resv);

	if (vram_vunmap_dummy(bo, map))
		return;
	ttm_bo_vunmap(&bo->tbo, map);
	bo->vmaps--;
	vram_front_unpin_system(bo);
}

static const struct phyr_dma_buf_ops vram_movable_ops = {
	.ops = {
		PHYR_DMA_BUF_OPS,
		.mmap = drm_gem_dmabuf_mmap,
		.vmap = vram_dma_buf_vmap,
		.vunmap = vram_dma_buf_vunmap,
	},
	.buffer = vram_dma_buf_buffer,
	.release = drm_gem_dmabuf_release,
	.describe = vram_describe,
	.memory = vram_memory,
	.pin = vram_pin,
	.unpin = vram_unpin,
	.pin_system = vram_pin_system,
	.unpin_system = vram_unpin_system,
};

/*
 * For buffers that may only be in VRAM. No .vmap: the dma-buf core then returns
 * an error, whereas it warns if .vmap fails.
 */
static const struct phyr_dma_buf_ops vram_fixed_ops = {
	.ops = {
		PHYR_DMA_BUF_OPS,
		.mmap = drm_gem_dmabuf_mmap,
	},
	.buffer = vram_dma_buf_buffer,
	.release = drm_gem_dmabuf_release,
	.describe = vram_describe,
	.memory = vram_memory,
	.pin = vram_pin,
	.unpin = vram_unpin,
};

/**
 * vram_dma_buf_ops - select the dma-buf ops of a buffer
 * @bo: the buffer, with its placement set
 *
 * Return: the ops.
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
 * Context: object_name_lock is held; takes the reservation lock; may sleep.
 * Return: the dma-buf, or ERR_PTR as phyr_dma_buf_export().
 */
struct dma_buf *vram_prime_export(struct drm_gem_object *gem, int flags)
{
	const struct dma_buf_export_info info = {
		.exp_name = VRAM_DRIVER_NAME,
		.owner = gem->dev->driver->fops->owner,
		.size = gem->size,
		.flags = flags,
		.priv = gem,
	};
	struct dma_buf *dmabuf;

	dmabuf = phyr_dma_buf_export(&to_vram_bo(gem)->phyr, &info);
	if (IS_ERR(dmabuf))
		return dmabuf;

	/* Dropped by drm_gem_dmabuf_release() */
	drm_dev_get(gem->dev);
	drm_gem_object_get(gem);
	dmabuf->file->f_mapping = gem->dev->anon_inode->i_mapping;
	return dmabuf;
}

/*
 * Returns the original object for a buffer of this card; the DRM helper
 * recognizes only its own dma-buf ops. Any other buffer can be mapped by the
 * CPU and displayed through a copy: the card has no DMA engine.
 *
 * Return: the object with a new reference, or ERR_PTR: -ENOMEM, or the error of
 * the exporter's attach.
 */
static struct drm_gem_object *vram_gem_import(struct drm_device *drm,
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

/**
 * vram_prime_fd_to_handle - import a dma-buf
 * @drm: the DRM device
 * @file: the client
 * @fd: file descriptor of any dma-buf
 * @handle: out: a GEM handle
 *
 * Context: may sleep, also for fences and while another exporter moves the
 * buffer to system memory.
 * Return: 0 or a negative errno.
 */
int vram_prime_fd_to_handle(struct drm_device *drm, struct drm_file *file,
			    int fd, u32 *handle)
{
	struct vram_device *vram = to_vram(drm);

	return early_import_fd_to_handle(&vram->imports, drm, file, fd, handle,
					 vram_gem_import);
}

/**
 * vram_prime_import - hand over what vram_prime_fd_to_handle() has imported
 * @drm: the DRM device
 * @dmabuf: the dma-buf
 *
 * Context: object_name_lock is held.
 * Return: the object with a new reference, or ERR_PTR().
 */
struct drm_gem_object *vram_prime_import(struct drm_device *drm,
					 struct dma_buf *dmabuf)
{
	return early_import_take(&to_vram(drm)->imports, dmabuf);
}

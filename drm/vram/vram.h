/* SPDX-License-Identifier: GPL-2.0 */
/*
 * phyr_vram: a DRM driver for the page-less memory of a PCI card
 *
 * Lock order, outermost first
 *
 *	vram_device.reset_lock		what may allocate VRAM
 *	drm_device.object_name_lock	PRIME
 *	drm_gem_object.resv		a buffer: its place, its CPU mappings,
 *					its phyr_buffer
 *	vram_device.mgr.lock		the VRAM allocator
 *	vram_device.bos (xa_lock)	which buffers there are
 */
#ifndef _PHYR_VRAM_H
#define _PHYR_VRAM_H

#include <drm/drm_device.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_device.h>
#include <linux/gpu_buddy.h>
#include <linux/mutex.h>
#include <linux/phyr_exporter.h>
#include <linux/rwsem.h>
#include <linux/xarray.h>

#define VRAM_DRIVER_NAME	"phyr_vram"

struct drm_printer;

/**
 * struct vram_mgr - the VRAM allocator
 * @base: what TTM sees
 * @lock: guards @buddy
 * @buddy: which parts of VRAM are taken
 */
struct vram_mgr {
	struct ttm_resource_manager base;
	struct mutex lock;	/* buddy */
	struct gpu_buddy buddy;
};

/**
 * struct vram_resource - a buffer's place in VRAM
 * @base: what TTM sees
 * @blocks: struct gpu_buddy_block, in the buffer's order; constant
 */
struct vram_resource {
	struct ttm_resource base;
	struct list_head blocks;
};

static inline struct vram_resource *to_vram_resource(struct ttm_resource *res)
{
	return container_of(res, struct vram_resource, base);
}

/**
 * struct vram_device - a card
 * @drm: the DRM device
 * @ttm: buffer placement; ends with @drm
 * @mgr: VRAM placement
 * @mem: the BAR as phyr describes it, with a reference
 * @ram: system memory as phyr describes it, with a reference
 * @io: the whole BAR, write-combined. Gone with the PCI device: only inside
 *	drm_dev_enter()
 * @reset_lock: held for writing while the card is being reset: nobody places
 *	a buffer in VRAM, or takes one out, meanwhile
 * @bos: all buffers by struct vram_bo.id; no references
 * @next_id: for @bos
 */
struct vram_device {
	struct drm_device drm;
	struct ttm_device ttm;
	struct vram_mgr mgr;
	struct phyr_mem *mem;
	struct phyr_mem *ram;
	void __iomem *io;
	struct rw_semaphore reset_lock;
	struct xarray bos;
	u32 next_id;
};

static inline struct vram_device *to_vram(struct drm_device *drm)
{
	return container_of(drm, struct vram_device, drm);
}

static inline struct vram_device *ttm_to_vram(struct ttm_device *ttm)
{
	return container_of(ttm, struct vram_device, ttm);
}

/**
 * struct vram_bo - a buffer
 * @tbo: the TTM buffer, and in it the GEM object
 * @phyr: the core's part; guarded by the reservation lock
 * @id: key in vram_device.bos, constant
 * @placement: DRM_PHYR_VRAM_PLACE_* that are allowed, constant
 * @max_extent: largest extent in VRAM in bytes, or 0; constant
 * @place: TTM_PL_* where it is; written under the reservation lock, read
 *	anywhere
 * @dummy: what a vmap finds after the card has gone; reservation lock
 */
struct vram_bo {
	struct ttm_buffer_object tbo;
	struct phyr_buffer phyr;
	u32 id;
	u32 placement;
	u64 max_extent;
	u32 place;
	struct page *dummy;
};

static inline struct vram_bo *to_vram_bo(struct drm_gem_object *gem)
{
	return container_of(gem, struct vram_bo, tbo.base);
}

static inline struct vram_bo *ttm_to_vram_bo(struct ttm_buffer_object *tbo)
{
	return container_of(tbo, struct vram_bo, tbo);
}

/* mgr.c */
int vram_mgr_init(struct vram_device *vram, u64 size);
u64 vram_mgr_avail(struct vram_mgr *mgr);

/* ttm.c */
int vram_ttm_init(struct vram_device *vram);
void vram_poison(struct vram_device *vram, u64 offset, u64 len);
void vram_check_poison(struct vram_device *vram, u64 offset, u64 len);

/* bo.c */
struct vram_bo *vram_bo_create(struct vram_device *vram, u64 size,
			       u32 placement, u64 max_extent);
struct vram_bo *vram_bo_next(struct vram_device *vram, unsigned long *id);
void vram_bo_put(struct vram_bo *bo);
unsigned int vram_bo_extents(struct vram_bo *bo);
int vram_bo_move_to(struct vram_bo *bo, u32 mem_type, bool interruptible);
int vram_bo_pin_system(struct vram_bo *bo);
void vram_bos_revoke(struct vram_device *vram);
void vram_bos_rearm(struct vram_device *vram);

/* prime.c */
const struct phyr_dma_buf_ops *vram_dma_buf_ops(const struct vram_bo *bo);
struct dma_buf *vram_gem_export(struct drm_gem_object *gem, int flags);
struct drm_gem_object *vram_gem_import(struct drm_device *drm,
				       struct dma_buf *dmabuf);

/* debugfs.c */
void vram_debugfs_init(struct drm_minor *minor);

#endif

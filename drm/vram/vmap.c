// SPDX-License-Identifier: GPL-2.0
/*
 * CPU mappings of buffers for the kernel
 *
 * vram_bos_revoke() waits until the last mapping of VRAM is unmapped. A revoked
 * buffer, or one whose card is gone, gets a dummy mapping: one page repeated,
 * because callers of vmap warn when it fails.
 */
#include <drm/drm_drv.h>
#include <drm/ttm/ttm_placement.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/wait_bit.h>

#include "vram.h"

/**
 * vram_dummy_page - get the page that stands for a revoked buffer
 * @bo: the buffer
 *
 * Allocated by the first caller and freed with the buffer. It is zeroed; what a
 * client writes to it reaches only those who map the same buffer.
 *
 * Context: the reservation lock is held; may sleep.
 * Return: the page, or NULL.
 */
struct page *vram_dummy_page(struct vram_bo *bo)
{
	dma_resv_assert_held(bo->tbo.base.resv);

	if (!bo->dummy)
		bo->dummy = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	return bo->dummy;
}

/**
 * vram_vmap_dummy - create a dummy mapping of a revoked buffer
 * @bo: the buffer
 * @map: out: one page, repeated for the size of the buffer
 *
 * Undone by vram_vunmap_dummy().
 *
 * Context: the reservation lock is held; may sleep.
 * Return: 0 or -ENOMEM.
 */
int vram_vmap_dummy(struct vram_bo *bo, struct iosys_map *map)
{
	size_t i, n = PFN_UP(bo->tbo.base.size);
	struct page **pages, *dummy = vram_dummy_page(bo);
	void *vaddr;

	pages = kvmalloc_array(n, sizeof(*pages), GFP_KERNEL);
	if (!dummy || !pages) {
		kvfree(pages);
		return -ENOMEM;
	}

	for (i = 0; i < n; i++)
		pages[i] = dummy;
	vaddr = vmap(pages, n, VM_MAP, PAGE_KERNEL);
	kvfree(pages);
	if (!vaddr)
		return -ENOMEM;

	iosys_map_set_vaddr(map, vaddr);
	return 0;
}

/**
 * vram_vunmap_dummy - unmap a buffer if it has a dummy mapping
 * @bo: the buffer
 * @map: any mapping of it
 *
 * Context: the reservation lock is held; may sleep.
 * Return: true if @map was a dummy mapping; otherwise nothing was done.
 */
bool vram_vunmap_dummy(struct vram_bo *bo, struct iosys_map *map)
{
	dma_resv_assert_held(bo->tbo.base.resv);

	if (map->is_iomem || !bo->dummy ||
	    vmalloc_to_page(map->vaddr) != bo->dummy)
		return false;
	vunmap(map->vaddr);
	return true;
}

/* Map a fragmented buffer in VRAM as one range. */
static void *vram_vmap_fragments(struct vram_bo *bo)
{
	struct vram_device *vram = ttm_to_vram(bo->tbo.bdev);
	u64 bar = phyr_mem_start(vram->mem);
	struct gpu_buddy_block *block;
	unsigned long *pfns;
	bool pageless = true;
	size_t n = 0;
	void *vaddr;
	u64 pos, len;

	/* Only kernels with i915 or xe have vmap_pfn(). */
	if (!IS_ENABLED(CONFIG_VMAP_PFN))
		return ERR_PTR(-EOPNOTSUPP);

	pfns = kvmalloc_array(PFN_UP(bo->tbo.base.size), sizeof(*pfns),
			      GFP_KERNEL);
	if (!pfns)
		return NULL;

	list_for_each_entry(block, &to_vram_resource(bo->tbo.resource)->blocks,
			    link) {
		len = gpu_buddy_block_size(&vram->mgr.buddy, block);
		for (pos = 0; pos < len; pos += PAGE_SIZE) {
			pfns[n] = PHYS_PFN(bar + pos +
					   gpu_buddy_block_offset(block));
			pageless &= !pfn_valid(pfns[n++]);
		}
	}

	/*
	 * If RAM ends within a memory section, the rest of the section has
	 * unused struct pages, and vmap_pfn() warns about their pfns.
	 */
	if (pageless)
		vaddr = vmap_pfn(pfns, n,
				 phyr_mem_pgprot(vram->mem, PAGE_KERNEL));
	else
		vaddr = ERR_PTR(-EOPNOTSUPP);
	kvfree(pfns);
	return vaddr;
}

/* Counted in io_maps, for which vram_bos_revoke() waits. */
static int vram_vmap_io(struct vram_bo *bo, struct iosys_map *map)
{
	struct vram_device *vram = ttm_to_vram(bo->tbo.bdev);
	void __iomem *io;

	if (vram_bo_extents(bo) == 1)
		io = vram->io + vram_resource_offset(bo->tbo.resource);
	else
		io = (void __iomem *)vram_vmap_fragments(bo);
	if (IS_ERR_OR_NULL(io))
		return io ? PTR_ERR(io) : -ENOMEM;

	atomic_inc(&vram->io_maps);
	iosys_map_set_vaddr_iomem(map, io);
	return 0;
}

static void vram_vunmap_io(struct vram_bo *bo, struct iosys_map *map)
{
	struct vram_device *vram = ttm_to_vram(bo->tbo.bdev);

	/* The buffer is pinned: it has not moved since it was mapped. */
	if (vram_bo_extents(bo) > 1)
		vunmap((void __force *)map->vaddr_iomem);
	if (atomic_dec_and_test(&vram->io_maps))
		wake_up_var(&vram->io_maps);
}

/**
 * vram_vmap - map a buffer for a kernel client of this driver
 * @gem: the buffer
 * @map: out: the mapping
 *
 * Pins the buffer where it is until vram_vunmap(). A revoked buffer, and one
 * whose card is gone, gets a dummy mapping.
 *
 * Context: the reservation lock is held; may sleep.
 * Return: 0; -ENOMEM; -EOPNOTSUPP for a fragmented buffer in VRAM that the
 * kernel cannot map.
 */
int vram_vmap(struct drm_gem_object *gem, struct iosys_map *map)
{
	struct vram_bo *bo = to_vram_bo(gem);
	int ret, idx;

	dma_resv_assert_held(gem->resv);

	if (!drm_dev_enter(gem->dev, &idx))
		return vram_vmap_dummy(bo, map);

	if (phyr_buffer_is_revoked(&bo->phyr)) {
		ret = vram_vmap_dummy(bo, map);
		goto exit;
	}
	if (bo->tbo.resource->mem_type == TTM_PL_VRAM)
		ret = vram_vmap_io(bo, map);
	else
		ret = ttm_bo_vmap(&bo->tbo, map);
	if (!ret) {
		ttm_bo_pin(&bo->tbo);
		/* The mapping is of this place: see vram_bo_pin_system(). */
		bo->evicted = false;
	}
exit:
	drm_dev_exit(idx);
	return ret;
}

/**
 * vram_vunmap - undo vram_vmap()
 * @gem: the buffer
 * @map: its mapping; cleared
 *
 * Context: the reservation lock is held; may sleep.
 */
void vram_vunmap(struct drm_gem_object *gem, struct iosys_map *map)
{
	struct vram_bo *bo = to_vram_bo(gem);

	dma_resv_assert_held(gem->resv);

	if (!vram_vunmap_dummy(bo, map)) {
		if (map->is_iomem)
			vram_vunmap_io(bo, map);
		else
			ttm_bo_vunmap(&bo->tbo, map);
		vram_front_unpin_system(bo);
	}
	iosys_map_clear(map);
}

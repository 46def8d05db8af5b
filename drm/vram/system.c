// SPDX-License-Identifier: GPL-2.0
/*
 * System memory: a TTM resource manager that counts bytes
 *
 * A buffer in TTM_PL_TT has pages, which need no addresses of their own, so
 * this memory has no layout and cannot be fragmented. The limit bounds the
 * buffers in TTM_PL_TT, not their pages: a buffer that is evicted to
 * TTM_PL_SYSTEM keeps its pages until TTM swaps it out. TTM does so when all
 * pages reach half of RAM, and without a swap device the buffer then takes its
 * size again, in shmem, before its pages are free. The limit is a quarter of
 * RAM, so that there is room for any one buffer.
 */
#include <drm/phyr_vram_drm.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_resource.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "vram.h"

static struct vram_system *to_vram_system(struct ttm_resource_manager *man)
{
	return container_of(man, struct vram_system, base);
}

/*
 * What is in VRAM must be able to leave it, however much importers have pinned
 * here: others need the VRAM, or the card is suspended. So there is room for all
 * of VRAM beyond the limit, for moves out of VRAM and for the way back.
 */
static bool vram_system_take(struct vram_system *system,
			     const struct vram_bo *bo)
{
	struct vram_device *vram = ttm_to_vram(bo->tbo.bdev);
	s64 size = bo->tbo.base.size;
	s64 used = atomic64_read(&system->used);
	s64 limit = system->base.size;

	if (bo->place == TTM_PL_VRAM || bo->evicted)
		limit += vram->mgr.base.size;
	do {
		if (size > limit - used)
			return false;
	} while (!atomic64_try_cmpxchg(&system->used, &used, used + size));
	return true;
}

static int vram_system_alloc(struct ttm_resource_manager *man,
			     struct ttm_buffer_object *tbo,
			     const struct ttm_place *place,
			     struct ttm_resource **res)
{
	struct vram_system *system = to_vram_system(man);

	*res = kzalloc_obj(**res, GFP_KERNEL_ACCOUNT);
	if (!*res)
		return -ENOMEM;
	if (!vram_system_take(system, ttm_to_vram_bo(tbo))) {
		kfree(*res);
		*res = NULL;
		return -ENOSPC;
	}
	ttm_resource_init(tbo, place, *res);
	return 0;
}

static void vram_system_free(struct ttm_resource_manager *man,
			     struct ttm_resource *res)
{
	atomic64_sub(res->size, &to_vram_system(man)->used);
	ttm_resource_fini(man, res);
	kfree(res);
}

static const struct ttm_resource_manager_func vram_system_func = {
	.alloc = vram_system_alloc,
	.free = vram_system_free,
};

/**
 * vram_system_init - initialise the manager of system memory
 * @vram: the card, with its TTM device
 *
 * Undone by vram_system_fini().
 */
void vram_system_init(struct vram_device *vram)
{
	struct vram_system *system = &vram->system;

	atomic64_set(&system->used, 0);
	system->base.func = &vram_system_func;
	system->base.use_tt = true;
	ttm_resource_manager_init(&system->base, &vram->ttm,
				  (u64)totalram_pages() / 4 << PAGE_SHIFT);
	ttm_set_driver_manager(&vram->ttm, TTM_PL_TT, &system->base);
	ttm_resource_manager_set_used(&system->base, true);
}

/**
 * vram_system_fini - undo vram_system_init()
 * @vram: the card; no buffer has references left
 *
 * Context: may sleep.
 */
void vram_system_fini(struct vram_device *vram)
{
	struct ttm_resource_manager *man = &vram->system.base;

	/* TTM may still be freeing buffers. */
	ttm_resource_manager_set_used(man, false);
	ttm_resource_manager_evict_all(&vram->ttm, man);
	WARN_ON(atomic64_read(&vram->system.used));
	ttm_resource_manager_cleanup(man);
	ttm_set_driver_manager(&vram->ttm, TTM_PL_TT, NULL);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings of buffers for the engine
 *
 * Terms
 *	mapping		dma_range list of a part of a buffer
 *	user		a job that walks a mapping and is not freed yet
 *	idle		without users
 *
 * The engine has 32-bit addresses. Behind an IOMMU all buffers share an address
 * space of about 2 GiB, in which an allocation is aligned to its size. So a job
 * maps the part that it needs, rounded to COPY_MAP_ALIGN. A buffer keeps its
 * last mapping for further jobs; it is unmapped when a job needs another part,
 * when the exporter invalidates it, or when it is idle and a job of any client
 * finds no address space. Those idle for longest go first.
 *
 * If all of the space is in use, a client waits for jobs to end, one client at
 * a time. Submission fails only if the space is too small for the job alone.
 *
 * Invariants
 * - Mappings are created and destroyed under the reservation lock.
 * - A mapping is destroyed when it has no users and is not copy_bo.map; so it
 *   stays for its jobs whatever happens to the buffer. If the exporter
 *   invalidated it, the core has unmapped it, and destroying frees memory only.
 * - A mapping does not hold a reference to its buffer; its users do.
 *
 * Limits: own buffers require a cache-coherent device without bounce buffers:
 * they are never synchronised.
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/iommu-dma.h>
#include <linux/jiffies.h>
#include <linux/phyr_inject.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include <drm/drm_managed.h>
#include <drm/drm_prime.h>

#include "copy.h"

#define COPY_MAP_ALIGN	SZ_16M

/*
 * Without strict mode the IOMMU driver collects freed addresses for 10 ms
 * before they can be allocated again.
 */
#define COPY_MAP_FLUSH	msecs_to_jiffies(50)

/**
 * struct copy_map - a mapping
 * @bo: the buffer, without a reference; constant
 * @start: first mapped byte of @bo; constant
 * @len: mapped bytes; constant
 * @ranges: the DMA ranges; constant
 * @sgt: table of an own buffer's pages that @ranges reads; NULL for an imported
 *	buffer and for user memory; constant
 * @kept: it is @bo's copy_bo.map; guarded by copy_device.maps_lock
 * @users: number of users; guarded by copy_device.maps_lock
 * @node: in copy_device.idle_maps while it is idle and kept; guarded by
 *	copy_device.maps_lock
 */
struct copy_map {
	struct copy_bo *bo;
	u64 start;
	u64 len;
	struct dma_range_list *ranges;
	struct sg_table *sgt;
	bool kept;
	unsigned int users;
	struct list_head node;
};

static struct copy_device *copy_map_device(const struct copy_map *map)
{
	return to_copy_device(map->bo->shmem.base.dev);
}

/*
 * Creation and destruction
 */

/*
 * True if DMA through @sgt uses bounce buffers. Those are copied only at map
 * and unmap, but a mapping outlives a job. Behind an IOMMU, page-aligned memory
 * is never bounced.
 */
static bool copy_map_needs_sync(struct sg_table *sgt, struct device *dev)
{
	struct scatterlist *sg;
	unsigned int i;

	if (use_dma_iommu(dev))
		return false;

	for_each_sgtable_dma_sg(sgt, sg, i)
		if (dma_need_sync(dev, sg_dma_address(sg)))
			return true;
	return false;
}

static int copy_map_own(struct copy_map *map, struct device *dev)
{
	struct drm_gem_object *obj = &map->bo->shmem.base;
	struct sg_table *sgt;
	int ret;

	sgt = drm_prime_pages_to_sg(obj->dev, map->bo->shmem.pages +
				    (map->start >> PAGE_SHIFT),
				    map->len >> PAGE_SHIFT);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);

	ret = dma_map_sgtable(dev, sgt, DMA_BIDIRECTIONAL, 0);
	if (ret) {
		/* Behind an IOMMU this says that there is no IOVA range. */
		if (ret == -ENOMEM && use_dma_iommu(dev))
			ret = -ENOSPC;
		goto err_free;
	}
	ret = -EREMOTEIO;
	if (copy_map_needs_sync(sgt, dev))
		goto err_unmap;
	map->ranges = dma_range_list_from_sgt(sgt, NULL);
	ret = PTR_ERR_OR_ZERO(map->ranges);
	if (ret)
		goto err_unmap;
	map->sgt = sgt;
	return 0;

err_unmap:
	dma_unmap_sgtable(dev, sgt, DMA_BIDIRECTIONAL, 0);
err_free:
	sg_free_table(sgt);
	kfree(sgt);
	return ret;
}

static int copy_map_imported(struct copy_map *map, struct device *dev)
{
	struct phyr_attachment *attach = map->bo->attach;
	int ret;

	map->ranges = phyr_map(attach, map->start, map->len,
			       map->bo->readonly ? DMA_TO_DEVICE :
						   DMA_BIDIRECTIONAL);
	ret = PTR_ERR_OR_ZERO(map->ranges);
	/* A stock exporter has no other error for a full address space. */
	if (ret == -ENOMEM && use_dma_iommu(dev) &&
	    !phyr_attachment_maps_parts(attach))
		ret = -ENOSPC;
	return ret;
}

/* Choose the part of @map->bo to map, which contains @len bytes at @offset. */
static void copy_map_place(struct copy_map *map, u64 offset, u64 len)
{
	struct copy_bo *bo = map->bo;
	u64 size = copy_bo_size(bo);

	map->len = size;
	/* A stock exporter maps the whole buffer anyway: do so once. */
	if (bo->attach && !phyr_attachment_maps_parts(bo->attach))
		return;

	map->start = round_down(offset, COPY_MAP_ALIGN);
	map->len = min(round_up(offset + len, COPY_MAP_ALIGN), size) -
		   map->start;
}

static struct copy_map *copy_map_create(struct copy_bo *bo, u64 offset, u64 len)
{
	struct device *dev = bo->shmem.base.dev->dev;
	struct copy_map *map;
	int ret;

	map = kzalloc_obj(*map, GFP_KERNEL_ACCOUNT);
	if (!map)
		return ERR_PTR(-ENOMEM);

	map->bo = bo;
	INIT_LIST_HEAD(&map->node);
	copy_map_place(map, offset, len);
	ret = bo->dmabuf ? copy_map_imported(map, dev) : copy_map_own(map, dev);
	if (ret) {
		kfree(map);
		return ERR_PTR(ret);
	}
	return map;
}

static void copy_map_destroy(struct copy_map *map)
{
	struct device *dev = map->bo->shmem.base.dev->dev;

	dma_resv_assert_held(copy_bo_resv(map->bo));

	if (map->sgt) {
		dma_range_list_free(map->ranges);
		dma_unmap_sgtable(dev, map->sgt, DMA_BIDIRECTIONAL, 0);
		sg_free_table(map->sgt);
		kfree(map->sgt);
	} else {
		phyr_unmap(map->bo->attach, map->ranges);
	}
	kfree(map);
}

/*
 * Users
 */

static void copy_map_add_user(struct copy_map *map)
{
	struct copy_device *copy = copy_map_device(map);

	guard(spinlock)(&copy->maps_lock);
	if (!map->users++) {
		list_del_init(&map->node);
		copy->busy_maps++;
	}
}

/*
 * Return: true if nobody needs @map any more. It counts as busy until the
 * caller has destroyed it and called copy_maps_not_busy().
 */
static bool copy_map_remove_user(struct copy_map *map)
{
	struct copy_device *copy = copy_map_device(map);

	guard(spinlock)(&copy->maps_lock);
	if (--map->users)
		return false;
	if (!map->kept)
		return true;

	list_add_tail(&map->node, &copy->idle_maps);
	copy->busy_maps--;
	copy->maps_freed++;
	wake_up_all(&copy->maps_wait);
	return false;
}

/* @freed: there is more room now than before the current submission. */
static void copy_maps_not_busy(struct copy_device *copy, bool freed)
{
	guard(spinlock)(&copy->maps_lock);
	copy->busy_maps--;
	if (freed) {
		copy->maps_freed++;
		copy->maps_unmapped = jiffies;
	}
	wake_up_all(&copy->maps_wait);
}

/*
 * Stop to use @bo's mapping for further jobs; with @if_idle only if it has no
 * users. Return: bytes unmapped.
 */
static u64 copy_bo_drop_map(struct copy_bo *bo, bool if_idle)
{
	struct copy_map *map = bo->map;
	struct copy_device *copy;
	u64 len;

	dma_resv_assert_held(copy_bo_resv(bo));

	if (!map)
		return 0;

	copy = copy_map_device(map);
	scoped_guard(spinlock, &copy->maps_lock) {
		if (if_idle && map->users)
			return 0;
		WRITE_ONCE(bo->map, NULL);
		map->kept = false;
		if (map->users)
			return 0;
		list_del_init(&map->node);
		copy->busy_maps++;
	}

	len = map->len;
	copy_map_destroy(map);
	copy_maps_not_busy(copy, true);
	return len;
}

/**
 * copy_map_is_stale - test whether a mapping has ended
 * @map: the mapping
 *
 * When a part of a composed buffer moves, the core ends the mapping without
 * calling invalidate.
 *
 * Context: under the reservation locks of copy_bo_add_locks().
 * Return: true if it has.
 */
bool copy_map_is_stale(const struct copy_map *map)
{
	const struct copy_bo *bo = map->bo;

	return bo->attach && phyr_map_commit(bo->attach, map->ranges);
}

/**
 * copy_map_get - get a mapping of a part of a buffer, for one user
 * @bo: the buffer; an own one must be populated
 * @offset: first byte
 * @len: bytes, not 0; within the buffer
 *
 * Context: between drm_dev_enter() and drm_dev_exit(), under the reservation
 * locks of copy_bo_add_locks(); may sleep.
 * Return: the mapping, to be released by copy_map_put() or
 * copy_map_cancel(), or ERR_PTR: -ENOSPC if there is no DMA address space
 * now, -EREMOTEIO if the engine cannot reach the memory or would need bounce
 * buffers, -ENODEV if the memory was revoked, or another error.
 */
struct copy_map *copy_map_get(struct copy_bo *bo, u64 offset, u64 len)
{
	struct copy_map *map = bo->map;

	dma_resv_assert_held(copy_bo_resv(bo));

	if (!map || offset < map->start ||
	    offset + len > map->start + map->len || copy_map_is_stale(map)) {
		copy_map_drop(bo);
		map = copy_map_create(bo, offset, len);
		if (IS_ERR(map))
			return map;
		map->kept = true;
		WRITE_ONCE(bo->map, map);
	}
	copy_map_add_user(map);
	return map;
}

/**
 * copy_map_put - release a mapping
 * @map: the mapping; it stays for other jobs, unless the buffer has dropped it
 *
 * Context: the caller holds a reference to the buffer and no lock; may sleep.
 * Not from the scheduler's work items.
 */
void copy_map_put(struct copy_map *map)
{
	struct copy_device *copy = copy_map_device(map);
	struct dma_resv *resv = copy_bo_resv(map->bo);

	if (!copy_map_remove_user(map))
		return;

	phyr_inject_delay();
	dma_resv_lock(resv, NULL);
	copy_map_destroy(map);
	dma_resv_unlock(resv);
	copy_maps_not_busy(copy, true);
}

/**
 * copy_map_cancel - release a mapping that is not used after all
 * @map: the mapping; it is destroyed unless it has other users
 *
 * Context: the buffer's reservation lock is held; may sleep.
 */
void copy_map_cancel(struct copy_map *map)
{
	struct copy_device *copy = copy_map_device(map);
	bool last;

	scoped_guard(spinlock, &copy->maps_lock) {
		last = !--map->users;
		if (last && map->kept) {
			WRITE_ONCE(map->bo->map, NULL);
			map->kept = false;
		}
	}
	if (!last)
		return;

	copy_map_destroy(map);
	copy_maps_not_busy(copy, false);
}

/**
 * copy_map_drop - do not use a buffer's mapping for further jobs
 * @bo: the buffer
 *
 * The mapping is destroyed when it has no users.
 *
 * Context: the reservation lock is held; may sleep.
 */
void copy_map_drop(struct copy_bo *bo)
{
	copy_bo_drop_map(bo, false);
}

/**
 * copy_map_start - position a walk in a mapping
 * @map: the mapping
 * @walk: out: position of a run
 * @offset: offset in the buffer, within the mapping
 *
 * Context: the caller is a user of @map, and holds the reservation lock or a
 * fence in the reservation object.
 */
void copy_map_start(const struct copy_map *map, struct phyr_engine_walk *walk,
		    u64 offset)
{
	dma_range_cursor_init(&walk->cursor, map->ranges, offset - map->start);
}

/**
 * copy_map_ranges - get the DMA ranges of a mapping
 * @map: the mapping, or NULL
 * @start: out: offset in the buffer of the first range
 *
 * Context: the reservation lock is held.
 * Return: the ranges, valid under the lock; NULL if @map is NULL.
 */
const struct dma_range_list *copy_map_ranges(const struct copy_map *map,
					     u64 *start)
{
	*start = map ? map->start : 0;
	return map ? map->ranges : NULL;
}

/*
 * Address space
 */

/**
 * copy_maps_init - initialise the list of mappings
 * @copy: the device
 *
 * Context: probe.
 * Return: 0 or a negative errno.
 */
int copy_maps_init(struct copy_device *copy)
{
	spin_lock_init(&copy->maps_lock);
	INIT_LIST_HEAD(&copy->idle_maps);
	init_waitqueue_head(&copy->maps_wait);
	copy->maps_unmapped = jiffies;
	return drmm_mutex_init(&copy->drm, &copy->room_lock);
}

/**
 * copy_maps_alone - test whether all of the DMA address space is free
 * @copy: the device
 * @freed: out: what copy_maps_make_room() needs to notice later changes
 *
 * Context: may sleep.
 * Return: true if nothing is mapped, and nothing was unmapped a moment ago.
 */
bool copy_maps_alone(struct copy_device *copy, u64 *freed)
{
	guard(spinlock)(&copy->maps_lock);
	*freed = copy->maps_freed;
	return !copy->busy_maps && list_empty(&copy->idle_maps) &&
	       time_after(jiffies, copy->maps_unmapped + COPY_MAP_FLUSH);
}

/*
 * Find the mapping idle for longest whose buffer is not being freed, and with
 * @lock its lock is free, which is then taken.
 *
 * Return: the buffer with a reference, or NULL.
 */
static struct copy_bo *copy_maps_oldest(struct copy_device *copy, bool lock)
{
	struct copy_map *map;
	struct copy_bo *bo;

	guard(spinlock)(&copy->maps_lock);
	list_for_each_entry(map, &copy->idle_maps, node) {
		bo = map->bo;
		if (lock && !dma_resv_trylock(copy_bo_resv(bo)))
			continue;
		if (kref_get_unless_zero(&bo->shmem.base.refcount))
			return bo;
		if (lock)
			dma_resv_unlock(copy_bo_resv(bo));
	}
	return NULL;
}

/*
 * Return: bytes given up; 0 if no mapping is idle; -EINTR or -ERESTARTSYS.
 */
static s64 copy_maps_give_up(struct copy_device *copy)
{
	struct copy_bo *bo = copy_maps_oldest(copy, true);
	s64 bytes = 0;
	int ret;

	if (!bo) {
		/* Wait for the locks of buffers that are moving. */
		bo = copy_maps_oldest(copy, false);
		if (!bo)
			return 0;
		ret = dma_resv_lock_interruptible(copy_bo_resv(bo), NULL);
		if (ret) {
			copy_bo_put(bo);
			return ret;
		}
	}

	bytes = copy_bo_drop_map(bo, true);
	dma_resv_unlock(copy_bo_resv(bo));
	copy_bo_put(bo);
	return bytes;
}

static bool copy_maps_changed(struct copy_device *copy, u64 freed)
{
	u64 now;

	return copy_maps_alone(copy, &now) || now != freed;
}

/**
 * copy_maps_make_room - make or wait for DMA address space
 * @copy: the device
 * @bytes: bytes needed
 * @freed: from copy_maps_alone(), before the attempt that found no space
 *
 * Context: copy_device.room_lock is held and no other lock; sleeps,
 * interruptibly.
 * Return: 0 if there may be room now, -EINTR or -ERESTARTSYS.
 */
int copy_maps_make_room(struct copy_device *copy, u64 bytes, u64 freed)
{
	u64 sum = 0;
	s64 ret;

	lockdep_assert_held(&copy->room_lock);

	while (sum < bytes) {
		ret = copy_maps_give_up(copy);
		if (ret < 0)
			return ret;
		if (!ret)
			break;
		sum += ret;
		cond_resched();
	}
	if (sum)
		return 0;

	/* The timeout is for copy_maps_alone(), which depends on the time. */
	do
		ret = wait_event_interruptible_timeout(copy->maps_wait,
						       copy_maps_changed(copy, freed),
						       COPY_MAP_FLUSH);
	while (!ret);
	return min(ret, 0);
}

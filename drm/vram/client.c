// SPDX-License-Identifier: GPL-2.0
/*
 * Clients: open files of a card, and what their fdinfo shows
 *
 * A client can have many handles of one buffer. It counts once: the client
 * counts the handles of each buffer.
 */
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_print.h>
#include <drm/ttm/ttm_placement.h>
#include <linux/dma-resv.h>
#include <linux/slab.h>

#include "vram.h"

/**
 * vram_client_open - &drm_driver.open
 * @drm: the DRM device
 * @file: the file; gets a struct vram_client
 *
 * Return: 0 or -ENOMEM.
 */
int vram_client_open(struct drm_device *drm, struct drm_file *file)
{
	struct vram_client *client;

	client = kzalloc_obj(*client, GFP_KERNEL_ACCOUNT);
	if (!client)
		return -ENOMEM;

	kref_init(&client->refs);
	mutex_init(&client->lock);
	xa_init(&client->handles);
	file->driver_priv = client;
	return 0;
}

static void vram_client_free(struct kref *refs)
{
	struct vram_client *client = container_of(refs, struct vram_client,
						  refs);

	xa_destroy(&client->handles);
	mutex_destroy(&client->lock);
	kfree(client);
}

/**
 * vram_client_get - take a reference
 * @client: the client, or NULL
 *
 * Return: @client.
 */
struct vram_client *vram_client_get(struct vram_client *client)
{
	if (client)
		kref_get(&client->refs);
	return client;
}

/**
 * vram_client_put - drop a reference
 * @client: the client, or NULL
 */
void vram_client_put(struct vram_client *client)
{
	if (client)
		kref_put(&client->refs, vram_client_free);
}

/**
 * vram_client_close - &drm_driver.postclose
 * @drm: the DRM device
 * @file: the file; its handles are closed
 */
void vram_client_close(struct drm_device *drm, struct drm_file *file)
{
	vram_client_put(file->driver_priv);
}

/* Set the number of handles of a buffer; cannot fail unless it was 0. */
static int vram_client_set_handles(struct vram_client *client,
				   const struct vram_bo *bo, unsigned long n)
{
	if (!n) {
		xa_erase(&client->handles, bo->id);
		return 0;
	}
	return xa_err(xa_store(&client->handles, bo->id, xa_mk_value(n),
			       GFP_KERNEL_ACCOUNT));
}

static unsigned long vram_client_handles(struct vram_client *client,
					 const struct vram_bo *bo)
{
	void *entry = xa_load(&client->handles, bo->id);

	return entry ? xa_to_value(entry) : 0;
}

/**
 * vram_client_open_handle - &drm_gem_object_funcs.open
 * @gem: the buffer
 * @file: the client that gets a handle
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int vram_client_open_handle(struct drm_gem_object *gem, struct drm_file *file)
{
	struct vram_client *client = file->driver_priv;
	struct vram_bo *bo = to_vram_bo(gem);

	guard(mutex)(&client->lock);
	return vram_client_set_handles(client, bo,
				       vram_client_handles(client, bo) + 1);
}

/**
 * vram_client_close_handle - &drm_gem_object_funcs.close
 * @gem: the buffer
 * @file: the client that loses a handle
 *
 * Context: may sleep.
 */
void vram_client_close_handle(struct drm_gem_object *gem, struct drm_file *file)
{
	struct vram_client *client = file->driver_priv;
	struct vram_bo *bo = to_vram_bo(gem);

	guard(mutex)(&client->lock);
	vram_client_set_handles(client, bo,
				vram_client_handles(client, bo) - 1);
}

/* Another client has a handle, or there is a dma-buf. */
static bool vram_client_shares(const struct drm_gem_object *gem,
			       unsigned long own_handles)
{
	return READ_ONCE(gem->handle_count) > own_handles ||
	       READ_ONCE(gem->dma_buf);
}

static void vram_client_add_buffer(struct drm_memory_stats *stats,
				   struct drm_gem_object *gem,
				   unsigned long own_handles)
{
	if (vram_client_shares(gem, own_handles))
		stats->shared += gem->size;
	else
		stats->private += gem->size;
	stats->resident += gem->size;
	if (!dma_resv_test_signaled(gem->resv, DMA_RESV_USAGE_BOOKKEEP))
		stats->active += gem->size;
}

/**
 * vram_client_show_fdinfo - &drm_driver.show_fdinfo
 * @p: the printer
 * @file: the client
 *
 * Shows the memory of the client's buffers, each once, and the time of moves as
 * an engine: tools such as gputop list only clients with an engine entry.
 * Imported buffers are accounted by their own driver.
 *
 * Context: may sleep.
 */
void vram_client_show_fdinfo(struct drm_printer *p, struct drm_file *file)
{
	struct vram_device *vram = to_vram(file->minor->dev);
	struct vram_client *client = file->driver_priv;
	struct drm_memory_stats in_vram = {}, in_system = {}, *stats;
	struct vram_bo *bo;
	unsigned long id;
	void *entry;

	mutex_lock(&client->lock);
	xa_for_each(&client->handles, id, entry) {
		/* The handle's reference is dropped after its entry. */
		bo = xa_load(&vram->bos, id);
		if (WARN_ON_ONCE(!bo))
			continue;
		stats = READ_ONCE(bo->place) == TTM_PL_VRAM ? &in_vram :
							      &in_system;
		vram_client_add_buffer(stats, &bo->tbo.base,
				       xa_to_value(entry));
	}
	mutex_unlock(&client->lock);

	drm_printf(p, "drm-engine-move:\t%llu ns\n",
		   (u64)atomic64_read(&client->busy));
	drm_print_memory_stats(p, &in_vram, DRM_GEM_OBJECT_RESIDENT |
			       DRM_GEM_OBJECT_ACTIVE, "vram");
	drm_print_memory_stats(p, &in_system, DRM_GEM_OBJECT_RESIDENT |
			       DRM_GEM_OBJECT_ACTIVE, "system");
}

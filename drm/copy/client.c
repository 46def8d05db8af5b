// SPDX-License-Identifier: GPL-2.0
/*
 * Clients: open files
 *
 * A client lives until its file is closed and its last job is freed. Closing
 * waits for nothing: the file may be the last user of a socket, which a worker
 * closes that all files of the system share.
 */
#include <linux/phyr_inject.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_managed.h>

#include "copy.h"

static void copy_client_release(struct kref *ref)
{
	struct copy_client *client = container_of(ref, struct copy_client, ref);
	struct copy_device *copy = client->copy;
	bool ours;

	mutex_lock(&copy->clients_lock);
	ours = !list_empty(&client->node);
	list_del_init(&client->node);
	mutex_unlock(&copy->clients_lock);

	phyr_inject_delay();
	if (ours) {
		/* All jobs are freed, so there is nothing to wait for. */
		drm_sched_entity_fini(&client->entity);
		copy_dec_and_wake(copy, &copy->live_clients);
	}
	mutex_destroy(&client->lock);
	/* Fence callbacks of the scheduler may still read the entity. */
	kfree_rcu(client, rcu);
}

/**
 * copy_client_get_room - count one more job of a client
 * @client: the client
 *
 * Waits until the client has less than %PHYR_COPY_MAX_JOBS jobs.
 *
 * Context: sleeps, interruptibly; no lock is held.
 * Return: 0, in which case copy_client_put_room() must follow, or -ERESTARTSYS.
 */
int copy_client_get_room(struct copy_client *client)
{
	int ret;

	ret = wait_event_interruptible(client->room,
				       atomic_add_unless(&client->jobs, 1,
							 PHYR_COPY_MAX_JOBS));
	if (!ret)
		kref_get(&client->ref);
	return ret;
}

/**
 * copy_client_put_room - undo copy_client_get_room()
 * @client: the client; possibly freed on return
 *
 * Context: may sleep; the file is open, or the job is still counted in
 * copy_device.live_jobs.
 */
void copy_client_put_room(struct copy_client *client)
{
	atomic_dec(&client->jobs);
	wake_up(&client->room);
	kref_put(&client->ref, copy_client_release);
}

/**
 * copy_client_open - &drm_driver.open
 * @drm: the device
 * @file: the new client
 *
 * Return: 0 or a negative errno.
 */
int copy_client_open(struct drm_device *drm, struct drm_file *file)
{
	struct copy_device *copy = to_copy_device(drm);
	struct drm_gpu_scheduler *sched = &copy->sched;
	struct copy_client *client;
	int ret = -ENODEV;
	int idx;

	client = kzalloc_obj(*client, GFP_KERNEL_ACCOUNT);
	if (!client)
		return -ENOMEM;

	if (!drm_dev_enter(drm, &idx))
		goto err_free;
	ret = drm_sched_entity_init(&client->entity, DRM_SCHED_PRIORITY_NORMAL,
				    &sched, 1, NULL);
	if (ret)
		goto err_exit;

	client->copy = copy;
	kref_init(&client->ref);
	mutex_init(&client->lock);
	spin_lock_init(&client->queue_lock);
	INIT_LIST_HEAD(&client->queue);
	init_waitqueue_head(&client->room);
	mutex_lock(&copy->clients_lock);
	list_add(&client->node, &copy->clients);
	atomic_inc(&copy->live_clients);
	mutex_unlock(&copy->clients_lock);
	drm_dev_exit(idx);

	file->driver_priv = client;
	return 0;

err_exit:
	drm_dev_exit(idx);
err_free:
	kfree(client);
	return ret;
}

/**
 * copy_client_close - &drm_driver.postclose
 * @drm: the device, possibly removed
 * @file: the client
 *
 * The client's jobs continue.
 */
void copy_client_close(struct drm_device *drm, struct drm_file *file)
{
	struct copy_client *client = file->driver_priv;

	kref_put(&client->ref, copy_client_release);
}

/**
 * copy_clients_init - initialise the list of clients
 * @copy: the device
 *
 * Context: probe.
 * Return: 0 or a negative errno.
 */
int copy_clients_init(struct copy_device *copy)
{
	INIT_LIST_HEAD(&copy->clients);
	return drmm_mutex_init(&copy->drm, &copy->clients_lock);
}

/**
 * copy_clients_stop - destroy the entities of all clients
 * @copy: the device
 *
 * Context: no job is left and no client is being opened; may sleep.
 */
void copy_clients_stop(struct copy_device *copy)
{
	struct copy_client *client, *next;

	mutex_lock(&copy->clients_lock);
	list_for_each_entry_safe(client, next, &copy->clients, node) {
		list_del_init(&client->node);
		drm_sched_entity_fini(&client->entity);
		copy_dec_and_wake(copy, &copy->live_clients);
	}
	mutex_unlock(&copy->clients_lock);

	/* Wait for clients that are being released. */
	wait_event(copy->idle, !atomic_read(&copy->live_clients));
}

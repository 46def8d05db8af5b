/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Import of a dma-buf before drm_device.object_name_lock is taken
 *
 * drm_gem_prime_fd_to_handle() calls &drm_driver.gem_prime_import under
 * object_name_lock, which every client of the device needs to import and
 * export. An exporter may move the buffer when a device attaches, which waits
 * for fences and copies gigabytes. So &drm_driver.prime_fd_to_handle imports
 * first, and &drm_driver.gem_prime_import only hands over the result.
 */
#ifndef _PHYR_EARLY_IMPORT_H
#define _PHYR_EARLY_IMPORT_H

#include <linux/dma-buf.h>
#include <linux/err.h>
#include <linux/list.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

#include <drm/drm_gem.h>
#include <drm/drm_prime.h>

struct drm_device;
struct drm_file;

/**
 * struct early_imports - imports that are not handed over yet
 * @lock: guards @list
 * @list: the imports of a device
 */
struct early_imports {
	spinlock_t lock;		/* list */
	struct list_head list;
};

/**
 * struct early_import - an import by one task
 * @node: in early_imports.list
 * @task: the task, which owns this struct
 * @dmabuf: the dma-buf, with a reference
 * @obj: the object with a reference, an error, or NULL once it is handed over
 */
struct early_import {
	struct list_head node;
	struct task_struct *task;
	struct dma_buf *dmabuf;
	struct drm_gem_object *obj;
};

static inline void early_imports_init(struct early_imports *imports)
{
	spin_lock_init(&imports->lock);
	INIT_LIST_HEAD(&imports->list);
}

/**
 * early_import_take - hand over the current task's import
 * @imports: the device's imports
 * @dmabuf: the dma-buf
 *
 * Context: &drm_driver.gem_prime_import.
 * Return: the object with its reference, the error of the import, or
 * ERR_PTR(-EAGAIN) if the file descriptor was replaced by another dma-buf's
 * meanwhile.
 */
static inline struct drm_gem_object *
early_import_take(struct early_imports *imports, struct dma_buf *dmabuf)
{
	struct drm_gem_object *obj;
	struct early_import *early;

	guard(spinlock)(&imports->lock);
	list_for_each_entry(early, &imports->list, node) {
		if (early->task != current || early->dmabuf != dmabuf)
			continue;
		obj = early->obj;
		early->obj = NULL;
		return obj;
	}
	return ERR_PTR(-EAGAIN);
}

/**
 * early_import_fd_to_handle - import a dma-buf and create a handle
 * @imports: the device's imports
 * @drm: the device
 * @file: the client
 * @fd: file descriptor of the dma-buf
 * @handle: out: the handle
 * @import: imports a dma-buf; called without a lock
 *
 * Context: &drm_driver.prime_fd_to_handle.
 * Return: 0 or a negative errno.
 */
static inline int
early_import_fd_to_handle(struct early_imports *imports, struct drm_device *drm,
			  struct drm_file *file, int fd, u32 *handle,
			  struct drm_gem_object *(*import)(struct drm_device *drm,
							   struct dma_buf *dmabuf))
{
	struct early_import early = { .task = current };
	int ret;

	early.dmabuf = dma_buf_get(fd);
	if (IS_ERR(early.dmabuf))
		return PTR_ERR(early.dmabuf);

	/* Finds an existing handle; otherwise early_import_take() fails. */
	ret = drm_gem_prime_fd_to_handle(drm, file, fd, handle);
	if (ret != -EAGAIN) {
		dma_buf_put(early.dmabuf);
		return ret;
	}

	early.obj = import(drm, early.dmabuf);
	scoped_guard(spinlock, &imports->lock)
		list_add(&early.node, &imports->list);
	ret = drm_gem_prime_fd_to_handle(drm, file, fd, handle);
	scoped_guard(spinlock, &imports->lock)
		list_del(&early.node);

	/* Not handed over: @file has a handle, or there was an error. */
	if (!IS_ERR_OR_NULL(early.obj))
		drm_gem_object_put(early.obj);
	dma_buf_put(early.dmabuf);
	return ret;
}

#endif

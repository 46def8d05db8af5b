/* SPDX-License-Identifier: MIT */
/* A fence: in a syncobj, in a sync_file, or in a dma-buf's reservation object. */
#ifndef PHYR_FENCE_H
#define PHYR_FENCE_H

#include <stdbool.h>
#include <stdint.h>

int phyr_syncobj_create(int fd, uint32_t *syncobj);
void phyr_syncobj_destroy(int fd, uint32_t syncobj);

/*
 * Wait until the fence is signalled. 0, the error that the fence was marked
 * with, or -ETIME when it has not been signalled in PHYR_WAIT_SECONDS.
 */
#define PHYR_WAIT_SECONDS	120
int phyr_syncobj_wait(int fd, uint32_t syncobj);

/* 1: signalled, 0: not yet, negative: signalled with this error. */
int phyr_syncobj_status(int fd, uint32_t syncobj);
int phyr_sync_file_status(int sync_file);

/*
 * The fences that a reader (@write false) or a writer (@write true) of the
 * dma-buf has to wait for, as a sync_file.
 */
int phyr_dmabuf_sync_file(int dmabuf, bool write);

#endif

/* SPDX-License-Identifier: MIT */
/* Fences: in a syncobj, a sync_file or the reservation object of a dma-buf. */
#ifndef PHYR_FENCE_H
#define PHYR_FENCE_H

#include <stdbool.h>
#include <stdint.h>

int phyr_syncobj_create(int fd, uint32_t *syncobj);
void phyr_syncobj_destroy(int fd, uint32_t syncobj);

/*
 * Wait for the fence. Returns 0, the error of the fence, or -ETIME after
 * PHYR_WAIT_SECONDS.
 */
#define PHYR_WAIT_SECONDS	120
int phyr_syncobj_wait(int fd, uint32_t syncobj);

/* Returns 1 if signalled, 0 if not, the error if signalled with one. */
int phyr_syncobj_status(int fd, uint32_t syncobj);
int phyr_sync_file_status(int sync_file);

/*
 * Export the fences that a reader of the dma-buf must wait for, or with @write
 * a writer. Returns the file descriptor of a sync_file or a negative errno.
 */
int phyr_dmabuf_sync_file(int dmabuf, bool write);

#endif

/* SPDX-License-Identifier: MIT */
/* A buffer: a GEM handle of one client, and the dma-buf that carries it to others. */
#ifndef PHYR_BUFFER_H
#define PHYR_BUFFER_H

#include <stddef.h>
#include <stdint.h>

/* All return 0, or a file descriptor, or a negative errno. */
int phyr_close_handle(int fd, uint32_t handle);
int phyr_export(int fd, uint32_t handle);
int phyr_import(int fd, int dmabuf, uint32_t *handle);

/* mmap() a dma-buf or a DRM node; MAP_FAILED and errno on failure. */
void *phyr_mmap(int fd, size_t len, int prot, uint64_t offset);

#endif

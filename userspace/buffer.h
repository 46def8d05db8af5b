/* SPDX-License-Identifier: MIT */
/* Buffers: GEM handles, and the dma-bufs that share them between clients. */
#ifndef PHYR_BUFFER_H
#define PHYR_BUFFER_H

#include <stddef.h>
#include <stdint.h>

/* Each returns 0, or for phyr_export() a file descriptor, or a negative errno. */
int phyr_close_handle(int fd, uint32_t handle);
int phyr_export(int fd, uint32_t handle);
int phyr_import(int fd, int dmabuf, uint32_t *handle);

/* mmap() a dma-buf or a DRM node. On failure, MAP_FAILED and errno. */
void *phyr_mmap(int fd, size_t len, int prot, uint64_t offset);

#endif

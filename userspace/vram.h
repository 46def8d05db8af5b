/* SPDX-License-Identifier: MIT */
/* Ioctls of phyr_vram. Each returns 0 or a negative errno. */
#ifndef PHYR_VRAM_H
#define PHYR_VRAM_H

#include <stddef.h>
#include <stdint.h>

#include <phyr_vram_drm.h>

int phyr_vram_info(int fd, struct drm_phyr_vram_info *info);
int phyr_vram_create(int fd, uint64_t size, uint32_t placement,
		     uint64_t max_extent, uint32_t *handle);
int phyr_vram_gem_info(int fd, uint32_t handle,
		       struct drm_phyr_vram_gem_info *info);

/* On failure, MAP_FAILED and errno. */
void *phyr_vram_mmap(int fd, uint32_t handle, size_t len, int prot);

#endif

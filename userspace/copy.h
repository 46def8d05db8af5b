/* SPDX-License-Identifier: MIT */
/* Ioctls of phyr_copy. Each returns 0 or a negative errno. */
#ifndef PHYR_COPY_H
#define PHYR_COPY_H

#include <stddef.h>
#include <stdint.h>

#include <phyr_copy_drm.h>

int phyr_copy_create(int fd, uint64_t size, uint32_t *handle);
/*
 * Make a buffer of this process's memory, which stays pinned until the handle is
 * closed. @flags: DRM_PHYR_COPY_USERPTR_*.
 */
int phyr_copy_userptr(int fd, const void *addr, uint64_t size, uint32_t flags,
		      uint32_t *handle);
/* Make one buffer of @count parts of others. */
int phyr_copy_compose(int fd, const struct drm_phyr_copy_part *parts,
		      uint32_t count, uint32_t *handle);
int phyr_copy_gem_info(int fd, uint32_t handle,
		       struct drm_phyr_copy_gem_info *info);

/* mmap() a buffer created by phyr_copy. On failure, MAP_FAILED and errno. */
void *phyr_copy_mmap(int fd, uint32_t handle, size_t len, int prot);

int phyr_copy_info(int fd, struct drm_phyr_copy_info *info);
int phyr_copy_submit(int fd, struct drm_phyr_copy_submit *submit);

/*
 * Queue a copy and wait for it. A copy larger than the engine's limit is split;
 * an error may leave its first parts copied. A negative errno is that of an
 * ioctl or the error of a fence.
 */
int phyr_copy_run(int fd, uint32_t src, uint64_t src_offset, uint32_t dst,
		  uint64_t dst_offset, uint64_t len);

#endif

// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "buffer.h"
#include "device.h"
#include "vram.h"

int phyr_vram_info(int fd, struct drm_phyr_vram_info *info)
{
	memset(info, 0, sizeof(*info));
	return phyr_ioctl(fd, DRM_IOCTL_PHYR_VRAM_INFO, info);
}

int phyr_vram_create(int fd, uint64_t size, uint32_t placement,
		     uint64_t max_extent, uint32_t *handle)
{
	struct drm_phyr_vram_gem_create create = {
		.size = size,
		.placement = placement,
		.max_extent = max_extent,
	};
	int err = phyr_ioctl(fd, DRM_IOCTL_PHYR_VRAM_GEM_CREATE, &create);

	if (!err)
		*handle = create.handle;
	return err;
}

int phyr_vram_gem_info(int fd, uint32_t handle,
		       struct drm_phyr_vram_gem_info *info)
{
	memset(info, 0, sizeof(*info));
	info->handle = handle;
	return phyr_ioctl(fd, DRM_IOCTL_PHYR_VRAM_GEM_INFO, info);
}

void *phyr_vram_mmap(int fd, uint32_t handle, size_t len, int prot)
{
	struct drm_phyr_vram_gem_mmap map = { .handle = handle };
	int err = phyr_ioctl(fd, DRM_IOCTL_PHYR_VRAM_GEM_MMAP, &map);

	if (err) {
		errno = -err;
		return MAP_FAILED;
	}
	return phyr_mmap(fd, len, prot, map.offset);
}

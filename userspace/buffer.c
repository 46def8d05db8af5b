// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <xf86drm.h>

#include "buffer.h"
#include "device.h"

int phyr_close_handle(int fd, uint32_t handle)
{
	struct drm_gem_close close = { .handle = handle };

	return phyr_ioctl(fd, DRM_IOCTL_GEM_CLOSE, &close);
}

int phyr_export(int fd, uint32_t handle)
{
	struct drm_prime_handle prime = {
		.handle = handle,
		.flags = DRM_CLOEXEC | DRM_RDWR,
		.fd = -1,
	};
	int err = phyr_ioctl(fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime);

	return err ? err : prime.fd;
}

int phyr_import(int fd, int dmabuf, uint32_t *handle)
{
	struct drm_prime_handle prime = { .fd = dmabuf };
	int err = phyr_ioctl(fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime);

	if (!err)
		*handle = prime.handle;
	return err;
}

void *phyr_mmap(int fd, size_t len, int prot, uint64_t offset)
{
	return mmap(NULL, len, prot, MAP_SHARED, fd, offset);
}

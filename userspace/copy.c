// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "buffer.h"
#include "copy.h"
#include "device.h"
#include "fence.h"

int phyr_copy_create(int fd, uint64_t size, uint32_t *handle)
{
	struct drm_phyr_copy_gem_create create = { .size = size };
	int err = phyr_ioctl(fd, DRM_IOCTL_PHYR_COPY_GEM_CREATE, &create);

	if (!err)
		*handle = create.handle;
	return err;
}

int phyr_copy_userptr(int fd, const void *addr, uint64_t size, uint32_t flags,
		      uint32_t *handle)
{
	struct drm_phyr_copy_gem_userptr user = {
		.addr = (uintptr_t)addr,
		.size = size,
		.flags = flags,
	};
	int err = phyr_ioctl(fd, DRM_IOCTL_PHYR_COPY_GEM_USERPTR, &user);

	if (!err)
		*handle = user.handle;
	return err;
}

int phyr_copy_compose(int fd, const struct drm_phyr_copy_part *parts,
		      uint32_t count, uint32_t *handle)
{
	struct drm_phyr_copy_gem_compose compose = {
		.parts = (uintptr_t)parts,
		.count = count,
	};
	int err = phyr_ioctl(fd, DRM_IOCTL_PHYR_COPY_GEM_COMPOSE, &compose);

	if (!err)
		*handle = compose.handle;
	return err;
}

int phyr_copy_gem_info(int fd, uint32_t handle,
		       struct drm_phyr_copy_gem_info *info)
{
	memset(info, 0, sizeof(*info));
	info->handle = handle;
	return phyr_ioctl(fd, DRM_IOCTL_PHYR_COPY_GEM_INFO, info);
}

void *phyr_copy_mmap(int fd, uint32_t handle, size_t len, int prot)
{
	struct drm_phyr_copy_gem_mmap map = { .handle = handle };
	int err = phyr_ioctl(fd, DRM_IOCTL_PHYR_COPY_GEM_MMAP, &map);

	if (err) {
		errno = -err;
		return MAP_FAILED;
	}
	return phyr_mmap(fd, len, prot, map.offset);
}

int phyr_copy_submit(int fd, struct drm_phyr_copy_submit *submit)
{
	return phyr_ioctl(fd, DRM_IOCTL_PHYR_COPY_SUBMIT, submit);
}

int phyr_copy_info(int fd, struct drm_phyr_copy_info *info)
{
	memset(info, 0, sizeof(*info));
	return phyr_ioctl(fd, DRM_IOCTL_PHYR_COPY_INFO, info);
}

static int submit_and_wait(int fd, struct drm_phyr_copy_submit *submit)
{
	int err = phyr_syncobj_create(fd, &submit->out_syncobj);

	if (err)
		return err;
	err = phyr_copy_submit(fd, submit);
	if (!err)
		err = phyr_syncobj_wait(fd, submit->out_syncobj);
	phyr_syncobj_destroy(fd, submit->out_syncobj);
	return err;
}

int phyr_copy_run(int fd, uint32_t src, uint64_t src_offset, uint32_t dst,
		  uint64_t dst_offset, uint64_t len)
{
	struct drm_phyr_copy_submit submit = {
		.src_handle = src,
		.dst_handle = dst,
		.src_offset = src_offset,
		.dst_offset = dst_offset,
		.len = len,
	};
	struct drm_phyr_copy_info info;
	int err;

	/* One ioctl checks all arguments, unless the copy must be split. */
	err = submit_and_wait(fd, &submit);
	if (err != -E2BIG)
		return err;

	err = phyr_copy_info(fd, &info);
	if (err)
		return err;
	/* The parts do not overlap themselves; the whole must not, either. */
	if (src == dst && src_offset < dst_offset + len &&
	    dst_offset < src_offset + len)
		return -EINVAL;
	while (!err && len) {
		submit.len = len < info.max_len ? len : info.max_len;
		err = submit_and_wait(fd, &submit);
		submit.src_offset += submit.len;
		submit.dst_offset += submit.len;
		len -= submit.len;
	}
	return err;
}

// SPDX-License-Identifier: MIT
#include <string.h>

#include "compose.h"

struct drm_phyr_copy_part part_of(uint32_t handle, uint64_t offset,
				  uint64_t len)
{
	return (struct drm_phyr_copy_part){
		.handle = handle, .offset = offset, .len = len,
	};
}

int try_compose(int fd, const struct drm_phyr_copy_part *parts,
		unsigned int count, uint32_t *handle)
{
	*handle = 0;
	return phyr_copy_compose(fd, parts, count, handle);
}

uint32_t compose(int fd, const struct drm_phyr_copy_part *parts,
		 unsigned int count)
{
	struct drm_phyr_copy_gem_info info;
	uint64_t size = 0;
	uint32_t handle;
	int err = try_compose(fd, parts, count, &handle);

	igt_assert_f(!err, "%u parts: %s\n", count, strerror(-err));
	for (unsigned int i = 0; i < count; i++)
		size += parts[i].len;
	igt_assert(handle);
	igt_assert_eq(phyr_copy_gem_info(fd, handle, &info), 0);
	igt_assert(info.flags & DRM_PHYR_COPY_GEM_COMPOSED);
	igt_assert_eq_u64(info.size, size);
	return handle;
}

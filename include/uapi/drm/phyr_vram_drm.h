/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * phyr_vram: buffers in the page-less memory of a PCI card
 *
 * Every padding and unused flag must be zero; anything else is -EINVAL.
 * No ioctl tells where in physical memory a buffer lies. System memory that a
 * buffer takes is charged to the memory cgroup of the client that made it.
 */
#ifndef _UAPI_PHYR_VRAM_DRM_H
#define _UAPI_PHYR_VRAM_DRM_H

#include "drm.h"

#if defined(__cplusplus)
extern "C" {
#endif

#define DRM_PHYR_VRAM_INFO		0x00
#define DRM_PHYR_VRAM_GEM_CREATE	0x01
#define DRM_PHYR_VRAM_GEM_MMAP		0x02
#define DRM_PHYR_VRAM_GEM_INFO		0x03
#define DRM_PHYR_VRAM_GEM_MOVE		0x04

/**
 * struct drm_phyr_vram_info - the card
 * @vram_size: bytes of VRAM that buffers can be placed in
 * @page_size: bytes; sizes and extents are multiples of it
 * @pad: must be zero
 */
struct drm_phyr_vram_info {
	__u64 vram_size;
	__u32 page_size;
	__u32 pad;
};

/* Places a buffer may be in; the driver moves it between them as needed. */
#define DRM_PHYR_VRAM_PLACE_VRAM	(1 << 0)
#define DRM_PHYR_VRAM_PLACE_SYSTEM	(1 << 1)

/**
 * struct drm_phyr_vram_gem_create - a new, zeroed buffer
 * @size: bytes, more than 0; rounded up to whole pages and written back
 * @placement: DRM_PHYR_VRAM_PLACE_* or both. With both, the buffer starts in
 *	VRAM and may be evicted to system memory
 * @flags: must be zero
 * @max_extent: largest contiguous piece of VRAM to use, in bytes: a power of
 *	two and at least a page, or 0 for no limit. Forces fragmentation; a
 *	buffer that has been shown on a display is in one piece all the same
 * @handle: out: GEM handle
 * @pad: must be zero
 *
 * -EINVAL: one of the above is not so. -E2BIG: more than the card's VRAM, for
 * a buffer that must be in VRAM, or more than the system's memory. -ENOSPC:
 * VRAM is full and nothing could be evicted. -ENOMEM: no system memory.
 */
struct drm_phyr_vram_gem_create {
	__u64 size;
	__u32 placement;
	__u32 flags;
	__u64 max_extent;
	__u32 handle;
	__u32 pad;
};

/**
 * struct drm_phyr_vram_gem_mmap - where to mmap() a buffer
 * @handle: GEM handle
 * @pad: must be zero
 * @offset: out: offset for mmap() of the DRM node, in bytes
 */
struct drm_phyr_vram_gem_mmap {
	__u32 handle;
	__u32 pad;
	__u64 offset;
};

/**
 * struct drm_phyr_vram_gem_info - a buffer as it is now
 * @handle: GEM handle
 * @placement: out: the one DRM_PHYR_VRAM_PLACE_* it is in
 * @size: out: bytes
 * @id: out: number that names this buffer in the device's debugfs files
 * @extents: out: contiguous pieces of VRAM; 0 in system memory
 *
 * -ENOENT: no such handle. -EOPNOTSUPP: an imported buffer, which another
 * driver has placed.
 */
struct drm_phyr_vram_gem_info {
	__u32 handle;
	__u32 placement;
	__u64 size;
	__u64 id;
	__u64 extents;
};

/**
 * struct drm_phyr_vram_gem_move - put a buffer elsewhere, contents and all
 * @handle: GEM handle
 * @placement: one DRM_PHYR_VRAM_PLACE_* that the buffer was created with
 *
 * Importers are told, and their DMA is waited for; CPU mappings find the new
 * place. The buffer may be evicted again at any time.
 *
 * -EINVAL: not such a placement. -ENOENT: no such handle. -EOPNOTSUPP: an
 * imported buffer. -EBUSY: the buffer is pinned elsewhere, for instance because
 * a display shows it. -ENODEV: the card is gone. -ENOSPC, -ENOMEM: no room.
 */
struct drm_phyr_vram_gem_move {
	__u32 handle;
	__u32 placement;
};

#define DRM_IOCTL_PHYR_VRAM_INFO \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_PHYR_VRAM_INFO, \
		 struct drm_phyr_vram_info)
#define DRM_IOCTL_PHYR_VRAM_GEM_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_PHYR_VRAM_GEM_CREATE, \
		 struct drm_phyr_vram_gem_create)
#define DRM_IOCTL_PHYR_VRAM_GEM_MMAP \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_PHYR_VRAM_GEM_MMAP, \
		 struct drm_phyr_vram_gem_mmap)
#define DRM_IOCTL_PHYR_VRAM_GEM_INFO \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_PHYR_VRAM_GEM_INFO, \
		 struct drm_phyr_vram_gem_info)

#define DRM_IOCTL_PHYR_VRAM_GEM_MOVE \
	DRM_IOW(DRM_COMMAND_BASE + DRM_PHYR_VRAM_GEM_MOVE, \
		struct drm_phyr_vram_gem_move)

#if defined(__cplusplus)
}
#endif

#endif

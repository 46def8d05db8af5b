/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * phyr_vram: buffers in the page-less memory of a PCI card
 *
 * Padding and unused flags must be zero, or the ioctl fails with -EINVAL.
 * No ioctl exposes physical addresses. The system memory of a buffer is charged
 * to the memory cgroup of the client that created it.
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
 * struct drm_phyr_vram_info - properties of the card
 * @vram_size: bytes of VRAM available to buffers
 * @page_size: bytes; sizes and extents are multiples of it
 * @pad: must be zero
 * @fixed_size: bytes of it that all buffers that may only be in VRAM get together
 */
struct drm_phyr_vram_info {
	__u64 vram_size;
	__u32 page_size;
	__u32 pad;
	__u64 fixed_size;
};

/* Places allowed for a buffer. The driver moves it between them as needed. */
#define DRM_PHYR_VRAM_PLACE_VRAM	(1 << 0)
#define DRM_PHYR_VRAM_PLACE_SYSTEM	(1 << 1)

/**
 * struct drm_phyr_vram_gem_create - create a zeroed buffer
 * @size: bytes, more than 0; rounded up to whole pages and written back
 * @placement: one or both of DRM_PHYR_VRAM_PLACE_*. With both, the buffer
 *	starts in VRAM if there is room, and may be evicted to system memory
 * @flags: must be zero
 * @max_extent: largest contiguous piece of VRAM to use, in bytes: a power of
 *	two and at least a page, or 0 for no limit. Forces fragmentation, except
 *	that displaying the buffer moves it to contiguous VRAM
 * @handle: out: GEM handle
 * @pad: must be zero
 *
 * Buffers that may only be in VRAM are never evicted. All of them together get
 * &struct drm_phyr_vram_info.fixed_size, which is a quarter of VRAM on a card with
 * a display, and those of a user without CAP_SYS_RESOURCE get half of that. Such a
 * user's buffers with a @max_extent get 65,536 extents. A buffer counts until it
 * is closed and no device uses it.
 *
 * -EINVAL: an argument violates the rules above. -E2BIG: larger than a quarter
 * of the system's memory, or, if @placement allows only VRAM, than all such
 * buffers can be. -ENOSPC: VRAM is full and nothing can be evicted, or the user
 * has what it gets. -ENOMEM: out of system memory. -ENODEV: the card is gone.
 * -EINTR: a signal ended it, also while the buffer was cleared; no buffer was
 * created.
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
 * struct drm_phyr_vram_gem_mmap - get the mmap() offset of a buffer
 * @handle: GEM handle
 * @pad: must be zero
 * @offset: out: offset for mmap() of the DRM node, in bytes
 *
 * An access to the mapping never raises SIGBUS because of the card. During a
 * reset it waits for the end of the reset, or for SIGKILL. After the card is
 * gone, all pages of the mapping are the same page of the buffer's own, which is
 * zeroed at first; nobody else has it.
 *
 * -EINVAL: @pad is not zero. -ENOENT: unknown handle.
 */
struct drm_phyr_vram_gem_mmap {
	__u32 handle;
	__u32 pad;
	__u64 offset;
};

/**
 * struct drm_phyr_vram_gem_info - current state of a buffer
 * @handle: GEM handle
 * @placement: out: the current DRM_PHYR_VRAM_PLACE_*
 * @size: out: bytes
 * @id: out: number of the buffer in the device's debugfs files
 * @extents: out: number of contiguous pieces of VRAM; 0 in system memory
 *
 * -ENOENT: unknown handle. -EOPNOTSUPP: an imported buffer, which another
 * driver places. -EINTR: interrupted by a signal.
 */
struct drm_phyr_vram_gem_info {
	__u32 handle;
	__u32 placement;
	__u64 size;
	__u64 id;
	__u64 extents;
};

/**
 * struct drm_phyr_vram_gem_move - move a buffer with its contents
 * @handle: GEM handle
 * @placement: destination, one of the DRM_PHYR_VRAM_PLACE_* that the buffer was
 *	created with
 *
 * Notifies importers and waits for their DMA. CPU mappings follow the move. The
 * buffer may be evicted again at any time.
 *
 * -EINVAL: @placement is not one allowed place. -ENOENT: unknown handle.
 * -EOPNOTSUPP: an imported buffer. -EBUSY: the buffer is pinned elsewhere, for
 * example because it is displayed, or imported by a device that does not reach
 * @placement. -ENODEV: the card is gone. -ENOSPC, -ENOMEM: not enough room at
 * the destination. -EINTR: a signal ended it; the buffer is where it was.
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

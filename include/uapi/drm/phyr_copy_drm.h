/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * phyr_copy: a copy engine that reads and writes other drivers' dma-bufs
 *
 * Foreign buffers come in by DRM_IOCTL_PRIME_FD_TO_HANDLE. Every padding and
 * unused flag must be zero; anything else is -EINVAL. No ioctl tells a DMA
 * address. What a client makes is charged to its memory cgroup.
 */
#ifndef _UAPI_PHYR_COPY_DRM_H
#define _UAPI_PHYR_COPY_DRM_H

#include "drm.h"

#if defined(__cplusplus)
extern "C" {
#endif

#define DRM_PHYR_COPY_GEM_CREATE	0x00
#define DRM_PHYR_COPY_GEM_MMAP		0x01
#define DRM_PHYR_COPY_GEM_INFO		0x02
#define DRM_PHYR_COPY_SUBMIT		0x03

/**
 * struct drm_phyr_copy_gem_create - a new, zeroed buffer in system memory
 * @size: bytes, more than 0; rounded up to whole pages and written back
 * @flags: must be zero
 * @handle: out: GEM handle
 *
 * -EINVAL: one of the above is not so. -E2BIG: more than the system's memory.
 * -ENOMEM: no memory; -ENOSPC: none for what shmem keeps of a file.
 */
struct drm_phyr_copy_gem_create {
	__u64 size;
	__u32 flags;
	__u32 handle;
};

/**
 * struct drm_phyr_copy_gem_mmap - where to mmap() a buffer
 * @handle: GEM handle of a buffer made by DRM_IOCTL_PHYR_COPY_GEM_CREATE;
 *	-EINVAL for an imported one, which is its exporter's to map
 * @pad: must be zero
 * @offset: out: offset for mmap() of the DRM node, in bytes
 */
struct drm_phyr_copy_gem_mmap {
	__u32 handle;
	__u32 pad;
	__u64 offset;
};

#define DRM_PHYR_COPY_GEM_IMPORTED	(1 << 0)

/**
 * struct drm_phyr_copy_gem_info - a buffer
 * @handle: GEM handle
 * @flags: out: DRM_PHYR_COPY_GEM_IMPORTED
 * @size: out: bytes
 * @id: out: number that names this buffer in the device's debugfs files
 */
struct drm_phyr_copy_gem_info {
	__u32 handle;
	__u32 flags;
	__u64 size;
	__u64 id;
};

/* Copies of one client, an open file, that are queued and not yet done. */
#define PHYR_COPY_MAX_JOBS	256

/**
 * struct drm_phyr_copy_submit - queue one copy
 * @src_handle: GEM handle to read from
 * @dst_handle: GEM handle to write to; may be @src_handle where the two
 *	ranges do not overlap
 * @src_offset: bytes into the source
 * @dst_offset: bytes into the destination
 * @len: bytes, more than 0
 * @flags: must be zero
 * @in_syncobj: syncobj to wait for before the copy starts, or 0
 * @out_syncobj: syncobj that gets the copy's fence, or 0
 * @pad: must be zero
 *
 * Returns when the copy is queued. A client that has PHYR_COPY_MAX_JOBS queued
 * already waits until one is done; a signal breaks that off.
 *
 * The copy waits for what the buffers' reservation objects ask for, and its
 * fence is added to them: read on the source, write on the destination.
 *
 * -EINVAL: one of the above is not so, or a range leaves its buffer. -ENOENT:
 * no such handle or syncobj. -EREMOTEIO: the engine cannot reach the memory.
 * -ENODEV: a buffer was revoked, or the engine is gone. -ENOMEM: no memory.
 * -EINTR: see above.
 * A copy that fails later marks its fence with -ETIMEDOUT (the engine hung and
 * was reset), -EIO (the engine reported an error), -ECANCELED (it was removed)
 * or -ESRCH (the client died before the copy started).
 */
struct drm_phyr_copy_submit {
	__u32 src_handle;
	__u32 dst_handle;
	__u64 src_offset;
	__u64 dst_offset;
	__u64 len;
	__u32 flags;
	__u32 in_syncobj;
	__u32 out_syncobj;
	__u32 pad;
};

#define DRM_IOCTL_PHYR_COPY_GEM_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_PHYR_COPY_GEM_CREATE, \
		 struct drm_phyr_copy_gem_create)
#define DRM_IOCTL_PHYR_COPY_GEM_MMAP \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_PHYR_COPY_GEM_MMAP, \
		 struct drm_phyr_copy_gem_mmap)
#define DRM_IOCTL_PHYR_COPY_GEM_INFO \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_PHYR_COPY_GEM_INFO, \
		 struct drm_phyr_copy_gem_info)
#define DRM_IOCTL_PHYR_COPY_SUBMIT \
	DRM_IOW(DRM_COMMAND_BASE + DRM_PHYR_COPY_SUBMIT, \
		struct drm_phyr_copy_submit)

#if defined(__cplusplus)
}
#endif

#endif

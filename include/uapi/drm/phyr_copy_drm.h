/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * phyr_copy: a copy engine that reads and writes other drivers' dma-bufs
 *
 * Other drivers' buffers are imported with DRM_IOCTL_PRIME_FD_TO_HANDLE.
 * Padding and unused flags must be zero, otherwise -EINVAL is returned. No
 * ioctl exposes a DMA address. Objects created by a client are charged to its
 * memory cgroup.
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
 * struct drm_phyr_copy_gem_create - create a zeroed buffer in system memory
 * @size: in: bytes, not 0; out: the same rounded up to whole pages
 * @flags: must be zero
 * @handle: out: GEM handle
 *
 * -EINVAL: an argument violates the rules above. -E2BIG: @size exceeds the
 * system's memory. -ENOMEM: out of memory. -ENOSPC: out of memory for the shmem
 * file.
 */
struct drm_phyr_copy_gem_create {
	__u64 size;
	__u32 flags;
	__u32 handle;
};

/**
 * struct drm_phyr_copy_gem_mmap - get the mmap() offset of a buffer
 * @handle: GEM handle of a buffer created by DRM_IOCTL_PHYR_COPY_GEM_CREATE;
 *	-EINVAL for an imported one, which must be mapped through its exporter
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
 * struct drm_phyr_copy_gem_info - query a buffer
 * @handle: GEM handle
 * @flags: out: DRM_PHYR_COPY_GEM_IMPORTED
 * @size: out: bytes
 * @id: out: number of this buffer in the device's debugfs files
 */
struct drm_phyr_copy_gem_info {
	__u32 handle;
	__u32 flags;
	__u64 size;
	__u64 id;
};

/* Maximum number of queued and unfinished copies per client (open file). */
#define PHYR_COPY_MAX_JOBS	256

/**
 * struct drm_phyr_copy_submit - queue one copy
 * @src_handle: GEM handle to read from
 * @dst_handle: GEM handle to write to; may be @src_handle if the two ranges do
 *	not overlap
 * @src_offset: bytes into the source
 * @dst_offset: bytes into the destination
 * @len: bytes, not 0
 * @flags: must be zero
 * @in_syncobj: syncobj to wait for before the copy starts, or 0
 * @out_syncobj: syncobj to attach the copy's fence to, or 0
 * @pad: must be zero
 *
 * Returns once the copy is queued. If the client has PHYR_COPY_MAX_JOBS copies
 * queued, the call blocks until one has finished; a signal interrupts the wait.
 *
 * Synchronisation is implicit: the copy waits for the fences in the buffers'
 * reservation objects and adds its own, as a reader of the source and a writer
 * of the destination.
 *
 * -EINVAL: an argument violates the rules above, or a range exceeds its buffer.
 * -ENOENT: no such handle or syncobj. -EREMOTEIO: the engine cannot reach the
 * memory. -ENODEV: a buffer was revoked, or the engine is gone. -ENOMEM: out of
 * memory. -EINTR: interrupted by a signal.
 * If the copy fails later, its fence has the error -ETIMEDOUT (the engine hung
 * and was reset), -EIO (the engine reported an error), -ECANCELED (the engine
 * was removed) or -ESRCH (the client died before the copy started).
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

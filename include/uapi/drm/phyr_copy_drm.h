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
#define DRM_PHYR_COPY_INFO		0x04
#define DRM_PHYR_COPY_GEM_USERPTR	0x05
#define DRM_PHYR_COPY_GEM_COMPOSE	0x06

/* Maximum number of queued and unfinished copies per client (open file). */
#define PHYR_COPY_MAX_JOBS	256

/* Maximum size of one copy, in bytes. */
#define PHYR_COPY_MAX_LEN	(256ULL << 20)

/*
 * A copy that runs for longer fails with -ETIMEDOUT. One of PHYR_COPY_MAX_LEN
 * takes about 4 s on a 32-bit PCI bus.
 */
#define PHYR_COPY_MAX_SECONDS	60

/**
 * struct drm_phyr_copy_info - limits of the engine
 * @max_len: out: maximum size of one copy, in bytes; larger ones must be split
 * @max_jobs: out: maximum number of queued and unfinished copies per client
 * @max_seconds: out: time after which a copy that has started fails
 *
 * The engine runs one copy at a time. Clients with queued copies take turns,
 * one copy each. So a copy whose dependencies are met starts after at most one
 * copy of each other client, apart from copies of its own client.
 *
 * -ENODEV: the engine is gone.
 */
struct drm_phyr_copy_info {
	__u64 max_len;
	__u32 max_jobs;
	__u32 max_seconds;
};

/**
 * struct drm_phyr_copy_gem_create - create a zeroed buffer in system memory
 * @size: in: bytes, not 0; out: the same rounded up to whole pages
 * @flags: must be zero
 * @handle: out: GEM handle
 *
 * -EINVAL: an argument violates the rules above. -E2BIG: @size exceeds the
 * system's memory. -ENOMEM: out of memory. -ENOSPC: out of memory for the shmem
 * file. -EINTR: interrupted by a signal. -ENODEV: the engine is gone.
 */
struct drm_phyr_copy_gem_create {
	__u64 size;
	__u32 flags;
	__u32 handle;
};

/* The engine reads the memory and never writes it. */
#define DRM_PHYR_COPY_USERPTR_READONLY	(1 << 0)

/**
 * struct drm_phyr_copy_gem_userptr - make a buffer of the caller's memory
 * @addr: in: address of the first byte; need not be aligned
 * @size: in: bytes, not 0; need not be aligned
 * @flags: in: 0, or DRM_PHYR_COPY_USERPTR_READONLY
 * @handle: out: GEM handle
 *
 * The engine reads the memory and, without DRM_PHYR_COPY_USERPTR_READONLY,
 * writes it; CPU and engine see each other's writes. The range must be readable,
 * and writable without that flag. Memory that was not touched before is
 * allocated.
 *
 * All pages of the range are pinned until the handle is closed and the last copy
 * that uses the buffer is freed, soon after its fence has signalled; a worker
 * unpins them. They count against RLIMIT_MEMLOCK (VmPin in /proc/PID/status) as
 * often as they are pinned, and pages that the engine may have written are
 * marked dirty. The buffer keeps these pages whatever happens to the addresses:
 * it does not follow munmap(), mremap() or a later mmap(). After fork() it is
 * the parent's memory. Copies that are queued run even if the process exits.
 *
 * The buffer cannot be mapped (DRM_IOCTL_PHYR_COPY_GEM_MMAP: -EINVAL) or
 * exported (DRM_IOCTL_PRIME_HANDLE_TO_FD: -EOPNOTSUPP), and a copy to a
 * read-only one fails with -EACCES.
 *
 * -EINVAL: an argument violates the rules above. -EFAULT: a part of the range is
 * not mapped, or not with the access that is needed, or is memory that cannot be
 * pinned: a mapping of a device's memory or of another driver's buffer, or,
 * without DRM_PHYR_COPY_USERPTR_READONLY, a shared mapping of a file on a disk.
 * -EOPNOTSUPP: a file in DAX memory. -EREMOTEIO: the engine cannot reach the
 * memory (without an IOMMU it reaches 4 GiB). -ENOMEM: the pages that the
 * process has pinned would exceed RLIMIT_MEMLOCK, and it has no CAP_IPC_LOCK; or
 * out of memory. -EINTR: interrupted by a fatal signal. -ENODEV: the engine is
 * gone.
 */
struct drm_phyr_copy_gem_userptr {
	__u64 addr;
	__u64 size;
	__u32 flags;
	__u32 handle;
};

/* Maximum number of parts of a composed buffer. */
#define PHYR_COPY_MAX_PARTS	1024

/**
 * struct drm_phyr_copy_part - a part of a composed buffer
 * @handle: GEM handle of an imported buffer whose exporter knows phyr, or of
 *	user memory
 * @pad: must be zero
 * @offset: first byte
 * @len: bytes, not 0
 */
struct drm_phyr_copy_part {
	__u32 handle;
	__u32 pad;
	__u64 offset;
	__u64 len;
};

/**
 * struct drm_phyr_copy_gem_compose - make one buffer of parts of others
 * @parts: in: address of an array of struct drm_phyr_copy_part
 * @count: in: number of parts; from 1 to PHYR_COPY_MAX_PARTS
 * @flags: must be zero
 * @handle: out: GEM handle
 * @pad: must be zero
 * @size: out: bytes, the sum of the lengths
 *
 * The buffer has the bytes of its parts, one after the other, in whatever memory
 * they are; nothing is copied. The same bytes may occur in several parts; what a
 * copy between buffers that share bytes leaves there is not defined. Only the
 * first part may start inside a page of its memory, and only the last one may end
 * inside a page. A copy writes to none of the parts if one is read-only
 * user memory (-EACCES).
 *
 * The parts may move or be revoked as before: a copy of the composed buffer
 * waits for them, as a reader or writer of each, and finds them where they are.
 * The buffer keeps its parts; their handles may be closed.
 *
 * DRM_IOCTL_PRIME_HANDLE_TO_FD makes a dma-buf of it, unless a part is user
 * memory, or the buffer starts or ends inside a page (-EOPNOTSUPP). An
 * importer that does not lock all parts, such as one that needs an sg_table,
 * gets each of them in system memory, where it is pinned meanwhile, or is
 * refused. The dma-buf cannot be mapped by the CPU: its parts can.
 *
 * -EINVAL: an argument violates the rules above, a part exceeds its buffer, or
 * is of a composed buffer. -EFAULT: @parts is not readable. -ENOENT: no such
 * handle. -EOPNOTSUPP: a part is a buffer of DRM_IOCTL_PHYR_COPY_GEM_CREATE,
 * or its exporter does not know phyr. -EOVERFLOW: the sum of the lengths
 * exceeds 2^63 - 1. -E2BIG: the parts are of more than 512 buffers, or the sum
 * of the lengths exceeds that of the buffers' sizes by more than 1 GiB.
 * -EREMOTEIO: the engine cannot reach a part. -ENODEV: a part was revoked, or
 * the engine is gone. -ENOMEM: out of memory. -EINTR: interrupted by a signal.
 */
struct drm_phyr_copy_gem_compose {
	__u64 parts;
	__u32 count;
	__u32 flags;
	__u32 handle;
	__u32 pad;
	__u64 size;
};

/**
 * struct drm_phyr_copy_gem_mmap - get the mmap() offset of a buffer
 * @handle: GEM handle of a buffer created by DRM_IOCTL_PHYR_COPY_GEM_CREATE;
 *	-EINVAL for an imported one, which must be mapped through its exporter,
 *	for user memory, which is mapped, and for a composed one
 * @pad: must be zero
 * @offset: out: offset for mmap() of the DRM node, in bytes
 *
 * -EINVAL: @pad is not zero. -ENOENT: no such handle. -ENODEV: the engine is
 * gone.
 */
struct drm_phyr_copy_gem_mmap {
	__u32 handle;
	__u32 pad;
	__u64 offset;
};

#define DRM_PHYR_COPY_GEM_IMPORTED	(1 << 0)
#define DRM_PHYR_COPY_GEM_USER		(1 << 1)
#define DRM_PHYR_COPY_GEM_COMPOSED	(1 << 2)

/**
 * struct drm_phyr_copy_gem_info - query a buffer
 * @handle: GEM handle
 * @flags: out: DRM_PHYR_COPY_GEM_IMPORTED, DRM_PHYR_COPY_GEM_USER for a buffer
 *	of DRM_IOCTL_PHYR_COPY_GEM_USERPTR, DRM_PHYR_COPY_GEM_COMPOSED for one of
 *	DRM_IOCTL_PHYR_COPY_GEM_COMPOSE, also with USER if a part is user memory,
 *	or 0; ignored as input
 * @size: out: bytes
 * @id: out: number of this buffer in the device's debugfs files
 *
 * -ENOENT: no such handle. -ENODEV: the engine is gone.
 */
struct drm_phyr_copy_gem_info {
	__u32 handle;
	__u32 flags;
	__u64 size;
	__u64 id;
};

/**
 * struct drm_phyr_copy_submit - queue one copy
 * @src_handle: GEM handle to read from
 * @dst_handle: GEM handle to write to; may be @src_handle if the two ranges do
 *	not overlap
 * @src_offset: bytes into the source
 * @dst_offset: bytes into the destination
 * @len: bytes, not 0; at most drm_phyr_copy_info.max_len
 * @flags: must be zero
 * @in_syncobj: syncobj to wait for before the copy starts, or 0; it must have
 *	a fence
 * @out_syncobj: syncobj to attach the copy's fence to, or 0
 * @pad: must be zero
 *
 * Returns once the copy is queued. If the client has PHYR_COPY_MAX_JOBS copies
 * queued, the call blocks until one has finished. If the copies that are queued
 * need all of the engine's DMA address space (behind an IOMMU about 2 GiB), it
 * blocks until enough of them have finished. A signal interrupts both waits.
 *
 * Closing the file waits for nothing: copies that are queued run. So do those
 * of a client that was killed.
 *
 * Synchronisation is implicit: the copy waits for the fences in the buffers'
 * reservation objects and adds its own, as a reader of the source and a writer
 * of the destination.
 *
 * -EINVAL: an argument violates the rules above, a range exceeds its buffer, or
 * @in_syncobj has no fence. -ENOENT: no such handle or syncobj. -E2BIG: @len
 * exceeds the engine's limit. -EACCES: the destination is read-only user memory,
 * or has a part that is. -EREMOTEIO: the engine cannot reach the memory.
 * -ENOSPC: the engine's DMA address space is too small for this copy alone; an
 * exporter without phyr maps whole buffers, however small the copy. -ENODEV: a
 * buffer was revoked, or the engine is gone. -ENOMEM: out of memory. -EINTR:
 * interrupted by a signal.
 * If the copy fails later, its fence has the error -ETIMEDOUT (the engine hung
 * or was too slow, and was reset), -EIO (the engine reported an error) or
 * -ENODEV (the engine was removed).
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
#define DRM_IOCTL_PHYR_COPY_INFO \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_PHYR_COPY_INFO, \
		 struct drm_phyr_copy_info)
#define DRM_IOCTL_PHYR_COPY_GEM_USERPTR \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_PHYR_COPY_GEM_USERPTR, \
		 struct drm_phyr_copy_gem_userptr)
#define DRM_IOCTL_PHYR_COPY_GEM_COMPOSE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_PHYR_COPY_GEM_COMPOSE, \
		 struct drm_phyr_copy_gem_compose)

#if defined(__cplusplus)
}
#endif

#endif

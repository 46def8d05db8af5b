/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * /dev/phyr_domain: an importer with an IOMMU domain of its own
 *
 * phyr_domain.ko binds (by driver_override) an LSI 53C895A, claims DMA
 * ownership of it, and attaches a domain. A test chooses the IOVAs; the module
 * checks nothing. Root only.
 */
#ifndef _PHYR_DOMAIN_TEST_H
#define _PHYR_DOMAIN_TEST_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* In the domain already: the engine's script, and memory for the test to mmap */
#define PHYR_DOMAIN_SCRIPT	0x10000
#define PHYR_DOMAIN_SCRATCH	0x1000000
#define PHYR_DOMAIN_SCRATCH_LEN	0x200000

/**
 * struct phyr_domain_info - the domain
 * @page_sizes: out: bit mask of the domain's page sizes
 * @last: out: last IOVA of its aperture
 *
 * The ioctl returns the error of phyr_domain_create(), or of what the driver
 * does before it. All other ioctls return it, too.
 */
struct phyr_domain_info {
	__u64 page_sizes;
	__u64 last;
};

/**
 * struct phyr_domain_attach - attach to a dma-buf
 * @fd: any dma-buf
 * @id: out: the attachment, for other ioctls of this file; in DETACH, in.
 *	Closing the file detaches
 */
struct phyr_domain_attach {
	__s32 fd;
	__u32 id;
};

#define PHYR_DOMAIN_READ	1
#define PHYR_DOMAIN_WRITE	2

/**
 * struct phyr_domain_map - map a part of a dma-buf
 * @id: the attachment
 * @prot: PHYR_DOMAIN_READ and PHYR_DOMAIN_WRITE
 * @offset: first byte
 * @len: bytes
 * @iova: first IOVA
 * @native: call phyr_map() instead
 * @map: out: the mapping
 * @smallest: out: as in struct phyr_domain_pages
 * @largest: out: likewise
 * @count: out: likewise
 */
struct phyr_domain_map {
	__u32 id;
	__u32 prot;
	__u64 offset;
	__u64 len;
	__u64 iova;
	__u32 native;
	__u32 map;
	__u64 smallest;
	__u64 largest;
	__u64 count;
};

/**
 * struct phyr_domain_unmap - unmap
 * @id: the attachment; 0 for all mappings of the file, with one flush
 * @map: the mapping
 */
struct phyr_domain_unmap {
	__u32 id;
	__u32 map;
};

/**
 * struct phyr_domain_state - an attachment's state
 * @id: the attachment
 * @invalidated: out: calls of its invalidate callback
 * @mapped: out: bytes that are mapped
 */
struct phyr_domain_state {
	__u32 id;
	__u32 invalidated;
	__u64 mapped;
};

/**
 * struct phyr_domain_copy - let the engine copy, and wait for it
 * @src: IOVA to read from
 * @dst: IOVA to write to
 * @len: bytes
 * @ids: attachments of the dma-bufs that are copied from or to, or 0. Their
 *	reservation objects get the fence. With no id the driver breaks the
 *	rules: it uses IOVAs whether or not anything is mapped there
 *
 * The ioctl returns -ESTALE if a mapping of @ids was invalidated.
 */
struct phyr_domain_copy {
	__u64 src;
	__u64 dst;
	__u64 len;
	__u32 ids[2];
};

#define PHYR_DOMAIN_IOC_INFO	_IOR('Q', 0, struct phyr_domain_info)
#define PHYR_DOMAIN_IOC_ATTACH	_IOWR('Q', 1, struct phyr_domain_attach)
#define PHYR_DOMAIN_IOC_DETACH	_IOW('Q', 2, struct phyr_domain_attach)
#define PHYR_DOMAIN_IOC_MAP	_IOWR('Q', 3, struct phyr_domain_map)
#define PHYR_DOMAIN_IOC_UNMAP	_IOW('Q', 4, struct phyr_domain_unmap)
#define PHYR_DOMAIN_IOC_STATE	_IOWR('Q', 5, struct phyr_domain_state)
#define PHYR_DOMAIN_IOC_COPY	_IOW('Q', 6, struct phyr_domain_copy)
/* Pass the domain to the core once more, and take it back. */
#define PHYR_DOMAIN_IOC_SPACE	_IO('Q', 7)

#endif

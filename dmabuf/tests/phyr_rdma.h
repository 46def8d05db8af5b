/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * /dev/phyr_rdma: memory regions of a pretended RDMA device
 *
 * phyr_rdma.ko binds (by driver_override) an LSI 53C895A, which does the DMA,
 * and QEMU's edu, which has no 32-bit limit. It registers dma-bufs as RDMA
 * drivers do, with the RDMA core's own functions, and keeps the DMA blocks that
 * the core returns in a table, as an RDMA device does. DMA uses that table
 * only. The module does not check results; the tests do. Root only: tables and
 * translations are addresses.
 */
#ifndef _PHYR_RDMA_H
#define _PHYR_RDMA_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Devices */
#define PHYR_RDMA_LSI		0
#define PHYR_RDMA_EDU		1	/* addresses of 64 bits, no DMA */

/* How a region is registered */
#define PHYR_RDMA_DYNAMIC	0	/* ib_umem_dmabuf_get() */
#define PHYR_RDMA_PINNED	1	/* ib_umem_dmabuf_get_pinned() */
#define PHYR_RDMA_REVOCABLE	2	/* …_get_pinned_revocable_and_lock() */

/* The longest DMA, in bytes */
#define PHYR_RDMA_MAX_LEN	(256 * 1024)

/**
 * struct phyr_rdma_reg - register a part of a dma-buf
 * @fd: any dma-buf
 * @kind: PHYR_RDMA_DYNAMIC, _PINNED or _REVOCABLE
 * @device: PHYR_RDMA_LSI or PHYR_RDMA_EDU
 * @id: out: the region
 * @offset: first byte
 * @len: bytes
 * @page_sizes: the page sizes that the device's table supports, as a bitmap
 *
 * -ENODEV: no such device is bound. -EINVAL: unknown @kind or @device, or as
 * the RDMA core says. -EOPNOTSUPP: none of @page_sizes fits the memory; a
 * dynamic region reports that, and errors of the map, at its first use.
 */
struct phyr_rdma_reg {
	__s32 fd;
	__u32 kind;
	__u32 device;
	__u32 id;
	__u64 offset;
	__u64 len;
	__u64 page_sizes;
};

/**
 * struct phyr_rdma_region - state of a region
 * @id: the region
 * @mapped: out: 1 while its table is valid
 * @revoked: out: 1 once the revoke callback was called
 * @invalidated: out: number of invalidations and revokes
 * @faults: out: number of times the table was filled
 * @page_size: out: of the table; 0 without one
 */
struct phyr_rdma_region {
	__u32 id;
	__u32 mapped;
	__u32 revoked;
	__u32 invalidated;
	__u64 faults;
	__u64 page_size;
};

/**
 * struct phyr_rdma_table - read a region's table
 * @id: the region; a dynamic one is mapped if necessary
 * @pad: unused
 * @page_size: out: bytes of a block
 * @first: out: bytes from the start of the first block to that of the region
 * @max: capacity of @blocks
 * @blocks: user address of an array of __u64; gets the DMA addresses
 * @nr: out: number of blocks; may exceed @max
 */
struct phyr_rdma_table {
	__u32 id;
	__u32 pad;
	__u64 page_size;
	__u64 first;
	__u64 max;
	__u64 blocks;
	__u64 nr;
};

/**
 * struct phyr_rdma_phys - translate DMA addresses of a device
 * @device: PHYR_RDMA_*
 * @nr: number of @addrs
 * @addrs: user address of an array of __u64; each is replaced by the physical
 *	address, 0 if the device's IOMMU domain has none
 */
struct phyr_rdma_phys {
	__u32 device;
	__u32 nr;
	__u64 addrs;
};

/**
 * struct phyr_rdma_dma - read or write a region by DMA
 * @id: the region, of PHYR_RDMA_LSI; a dynamic one is mapped if necessary
 * @write: 1 to write the region
 * @offset: first byte in the region
 * @len: bytes, at most PHYR_RDMA_MAX_LEN
 * @user: user address of the other side
 *
 * -EINVAL: exceeds the region. -EKEYREVOKED: it was revoked.
 */
struct phyr_rdma_dma {
	__u32 id;
	__u32 write;
	__u64 offset;
	__u64 len;
	__u64 user;
};

/*
 * -ENOENT: the region does not exist (any more): unbinding a device releases
 * its regions, as does closing the file that registered them.
 */
#define PHYR_RDMA_IOC_REG	_IOWR('R', 0, struct phyr_rdma_reg)
#define PHYR_RDMA_IOC_DEREG	_IOWR('R', 1, struct phyr_rdma_region)
#define PHYR_RDMA_IOC_REGION	_IOWR('R', 2, struct phyr_rdma_region)
#define PHYR_RDMA_IOC_TABLE	_IOWR('R', 3, struct phyr_rdma_table)
#define PHYR_RDMA_IOC_PHYS	_IOWR('R', 4, struct phyr_rdma_phys)
#define PHYR_RDMA_IOC_DMA	_IOW('R', 5, struct phyr_rdma_dma)

#endif

/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * /dev/phyr_test: an exporter and an importer controlled by tests
 *
 * phyr_test.ko binds (by driver_override) QEMU's edu, which it imports for,
 * and an ivshmem, whose BAR 2 it exports. The module does not check results;
 * the tests do. Root only.
 */
#ifndef _PHYR_TEST_H
#define _PHYR_TEST_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define PHYR_TEST_STYLE_PHYR	0	/* a phyr list */
#define PHYR_TEST_STYLE_STOCK	1	/* dma_buf_phys_vec_to_sgt() */
/* An sg_table. The lengths are cut to 32 bits, as those of a table are. */
#define PHYR_TEST_STYLE_RAW	2	/* physical addresses, never mapped */
#define PHYR_TEST_STYLE_MAPPED	3	/* each extent is mapped by itself */
#define PHYR_TEST_STYLE_OTHER	4	/* mapped for the importing device */
#define PHYR_TEST_STYLE_STALE	5	/* mapped and unmapped again */
#define PHYR_TEST_STYLE_ONE_RAW	6	/* mapped, but the middle one is raw */
#define PHYR_TEST_STYLE_REPEATED	7	/* all are the first one's mapping */

/**
 * struct phyr_test_export - create a dma-buf of extents of the BAR
 * @style: PHYR_TEST_STYLE_*
 * @fd: out: the dma-buf, or -1
 * @start: offset of the first extent in the BAR, in bytes; may exceed the BAR
 *	with PHYR_TEST_STYLE_RAW
 * @count: number of extents
 * @len: bytes of each extent
 * @stride: distance in bytes between the starts of two extents; may be
 *	negative
 */
struct phyr_test_export {
	__u32 style;
	__s32 fd;
	__u64 start;
	__u64 count;
	__u64 len;
	__s64 stride;
};

/* One DMA segment of a mapping */
struct phyr_test_range {
	__u64 addr;
	__u64 len;
};

#define PHYR_TEST_API_PHYR	0	/* phyr_attach(), phyr_map() */
#define PHYR_TEST_API_STOCK	1	/* dma_buf_dynamic_attach(), … */

#define PHYR_TEST_PAGES_HIDDEN	(~0ULL)

/**
 * struct phyr_test_import - attach, map and unmap @iterations times, detach
 * @fd: any dma-buf
 * @api: PHYR_TEST_API_*; the stock one ignores offset, len and limits
 * @offset: first byte to map
 * @len: bytes to map; 0 for everything from @offset
 * @max_len: importer's largest segment, 0 for no limit
 * @boundary: importer's segment boundary, 0 for none
 * @iterations: number of maps and unmaps, at least 1
 * @max_ranges: capacity of @ranges; may be 0
 * @ranges: user address of an array of struct phyr_test_range; gets the
 *	first ranges of the last mapping
 * @nr_ranges: out: number of ranges of the last mapping; may exceed
 *	@max_ranges
 * @total: out: bytes of the last mapping
 * @nr_pages: out: with PHYR_TEST_API_STOCK, pages in the CPU entries of the last
 *	table; PHYR_TEST_PAGES_HIDDEN if CONFIG_DMABUF_DEBUG hides them
 * @mode: out: dma_range_list_mode(), or "sgt"
 *
 * The ioctl returns the error of the step that failed.
 */
struct phyr_test_import {
	__s32 fd;
	__u32 api;
	__u64 offset;
	__u64 len;
	__u64 max_len;
	__u64 boundary;
	__u32 iterations;
	__u32 max_ranges;
	__u64 ranges;
	__u64 nr_ranges;
	__u64 total;
	__u64 nr_pages;
	char mode[16];
};

/**
 * struct phyr_test_check - run phyr_list_check() on a list
 * @vecs: user address of an array of struct phyr_test_range; addresses are
 *	relative to the BAR's start
 * @nr: entries in @vecs
 * @size: size argument of phyr_list_check()
 *
 * The ioctl returns the error of phyr_list_append() or phyr_list_check().
 */
struct phyr_test_check {
	__u64 vecs;
	__u64 nr;
	__u64 size;
};

/**
 * struct phyr_test_vmap - vmap a phyr_vram buffer as a kernel client does
 * @fd: dma-buf of a phyr_vram buffer
 * @fill: 32-bit word to fill the buffer with
 * @is_iomem: out: 1 if the driver returned I/O memory
 * @was: out: first word before the fill
 */
struct phyr_test_vmap {
	__s32 fd;
	__u32 fill;
	__u32 is_iomem;
	__u32 was;
};

/**
 * struct phyr_test_devices - devices bound to the module
 * @bar_len: size of the exporter's BAR in bytes
 * @bar_start: physical address of the BAR
 * @exporters: number of bound exporter devices
 * @importers: number of bound importer devices
 */
struct phyr_test_devices {
	__u64 bar_len;
	__u64 bar_start;
	__u32 exporters;
	__u32 importers;
};

/* Importers, in all variants of the dma-buf API */
#define PHYR_TEST_NATIVE	0	/* phyr_attach() */
#define PHYR_TEST_STATIC	1	/* dma_buf_attach() */
#define PHYR_TEST_DYNAMIC	2	/* invalidate, no peer memory */
#define PHYR_TEST_PEER		3	/* peer memory, no invalidate */
#define PHYR_TEST_REVOCABLE	4	/* peer memory and invalidate */
#define PHYR_TEST_NO_OPS	5	/* phyr_attach() without callbacks */
#define PHYR_TEST_RAM_ONLY	6	/* phyr_attach() with limits.ram_only */

/* What the invalidate callback of an importer does */
#define PHYR_TEST_UNMAP_NOW	0	/* unmap in the callback */
#define PHYR_TEST_UNMAP_SOON	1	/* unmap from a worker */
#define PHYR_TEST_UNMAP_LATE	2	/* nothing; unmap by ioctl */

/**
 * struct phyr_test_hold - attach and stay attached
 * @fd: any dma-buf
 * @kind: importer, PHYR_TEST_NATIVE to PHYR_TEST_RAM_ONLY
 * @unmap: PHYR_TEST_UNMAP_*; PHYR_TEST_UNMAP_LATE for kinds without invalidate
 * @id: out: importer for the other ioctls of this open file
 *
 * The ioctl returns the error of the attach. Closing the file releases the
 * importer.
 */
struct phyr_test_hold {
	__s32 fd;
	__u32 kind;
	__u32 unmap;
	__u32 id;
};

/**
 * struct phyr_test_held - an importer that stays attached
 * @id: the importer
 * @pinned: in PHYR_TEST_IOC_PIN: 1 to pin, 0 to unpin; out: current state
 * @mapped: out: 1 while it has a mapping
 * @invalidated: out: number of calls of its invalidate callback
 * @ranges: out: number of DMA ranges of its mapping; of a native one, as noted
 *	in the descriptor that is built from it, 0 once that is gone
 * @destroyed: out: number of descriptors that are gone
 * @pad: not used
 */
struct phyr_test_held {
	__u32 id;
	__u32 pinned;
	__u32 mapped;
	__u32 invalidated;
	__u64 ranges;
	__u32 destroyed;
	__u32 pad;
};

/* All but PHYR_TEST_IOC_HOLD take struct phyr_test_held and fill it in. */
#define PHYR_TEST_IOC_HOLD	_IOWR('P', 5, struct phyr_test_hold)
#define PHYR_TEST_IOC_HELD	_IOWR('P', 6, struct phyr_test_held)
#define PHYR_TEST_IOC_MAP	_IOWR('P', 7, struct phyr_test_held)
#define PHYR_TEST_IOC_UNMAP	_IOWR('P', 8, struct phyr_test_held)
#define PHYR_TEST_IOC_PIN	_IOWR('P', 9, struct phyr_test_held)
#define PHYR_TEST_IOC_RELEASE	_IOWR('P', 10, struct phyr_test_held)
/* Native importers: the first step of a map in two steps, and the second */
#define PHYR_TEST_IOC_RESERVE	_IOWR('P', 12, struct phyr_test_held)
#define PHYR_TEST_IOC_COMMIT	_IOWR('P', 13, struct phyr_test_held)

/**
 * struct phyr_test_user - pin memory of the caller, and unpin it
 * @addr: user address; page-aligned with PHYR_TEST_API_STOCK
 * @len: bytes; page-aligned with PHYR_TEST_API_STOCK
 * @api: PHYR_TEST_API_PHYR for phyr_list_pin_user(); PHYR_TEST_API_STOCK for
 *	pin_user_pages_fast() and sg_alloc_table_from_pages()
 * @write: 1 to pin for writing
 * @entries: out: entries of the phyr list or of the sg_table
 * @pin_ns: out: time that it took to pin the memory and to make that
 * @unpin_ns: out: time that it took to free and unpin
 */
struct phyr_test_user {
	__u64 addr;
	__u64 len;
	__u32 api;
	__u32 write;
	__u64 entries;
	__u64 pin_ns;
	__u64 unpin_ns;
};

#define PHYR_TEST_IOC_USER	_IOWR('P', 14, struct phyr_test_user)

/**
 * struct phyr_test_translated - compare a device's IOMMU domain with a buffer
 * @fd: dma-buf of any phyr exporter
 * @busid: name of a PCI device, such as 0000:00:1c.0
 * @iova: IOVA of the first page in the domain of that device
 * @offset: offset in the buffer of the memory that should be there, in bytes
 * @len: bytes
 * @same: out: pages that translate to the buffer's memory
 * @other: out: pages that translate to other memory, or to any if the buffer is
 *	revoked
 * @unmapped: out: pages that translate to none
 */
struct phyr_test_translated {
	__s32 fd;
	char busid[20];
	__u64 iova;
	__u64 offset;
	__u64 len;
	__u64 same;
	__u64 other;
	__u64 unmapped;
};

#define PHYR_TEST_IOC_EXPORT	_IOWR('P', 0, struct phyr_test_export)
#define PHYR_TEST_IOC_IMPORT	_IOWR('P', 1, struct phyr_test_import)
#define PHYR_TEST_IOC_CHECK	_IOW('P', 2, struct phyr_test_check)
#define PHYR_TEST_IOC_VMAP	_IOWR('P', 3, struct phyr_test_vmap)
#define PHYR_TEST_IOC_DEVICES	_IOR('P', 4, struct phyr_test_devices)
/* As PHYR_TEST_IOC_VMAP, but for any dma-buf, with dma_buf_vmap() */
#define PHYR_TEST_IOC_DMABUF_VMAP	_IOWR('P', 11, struct phyr_test_vmap)
#define PHYR_TEST_IOC_TRANSLATED	_IOWR('P', 32, struct phyr_test_translated)

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private types of phyr_rdma.ko
 *
 * Lock order, outermost first
 *	rdma_lock		devices, regions; all ioctls
 *	dma_buf.resv		a region's umem
 *	rdma_device.lock	the hardware: engine and tables
 *
 * The RDMA core calls back under dma_buf.resv, and the callback must wait for
 * DMA that is running: no reservation lock is taken, and no user memory
 * accessed, under rdma_device.lock.
 */
#ifndef _PHYR_TEST_RDMA_H
#define _PHYR_TEST_RDMA_H

#include <linux/mutex.h>
#include <linux/types.h>

#include "../../engine/engine.h"
#include "phyr_rdma.h"

struct ib_device;
struct ib_umem_dmabuf;
struct pci_dev;

/**
 * struct rdma_device - a PCI device that pretends to be an RDMA device
 * @pdev: the PCI device; constant
 * @ib: what the RDMA core gets; it reads only ib_device.dma_device
 * @lock: the hardware does one thing at a time
 * @engine: does the DMA; unused by edu
 * @bounce: PHYR_RDMA_MAX_LEN bytes, the other side of the DMA; guarded by
 *	rdma_lock; NULL for edu
 * @bounce_addr: DMA address of @bounce
 */
struct rdma_device {
	struct pci_dev *pdev;
	struct ib_device *ib;
	struct mutex lock;	/* engine; table of each region */
	struct phyr_engine engine;
	void *bounce;
	dma_addr_t bounce_addr;
};

/**
 * struct rdma_region - a registered part of a dma-buf
 * @rdma: the device; constant
 * @owner: open file that registered it; constant
 * @umem: what the RDMA core returned; constant
 * @kind: PHYR_RDMA_*; constant
 * @start: address of the region's first byte as seen by users of the device;
 *	constant
 * @len: bytes; constant
 * @page_sizes: bitmap of supported page sizes; constant
 * @blocks: the table, DMA addresses of blocks of @page_size; NULL while the
 *	region is not mapped. This and the following are guarded by
 *	rdma_device.lock
 * @nr: entries in @blocks
 * @page_size: bytes of a block
 * @revoked: the revoke callback was called
 * @invalidated: calls of the invalidate or revoke callback
 * @faults: times that @blocks was filled
 */
struct rdma_region {
	struct rdma_device *rdma;
	const void *owner;
	struct ib_umem_dmabuf *umem;
	u32 kind;
	u64 start;
	u64 len;
	u64 page_sizes;
	u64 *blocks;
	size_t nr;
	u64 page_size;
	bool revoked;
	u32 invalidated;
	u64 faults;
};

struct rdma_region *rdma_region_create(struct rdma_device *rdma,
				       const struct phyr_rdma_reg *args);
void rdma_region_destroy(struct rdma_region *region);
int rdma_region_fault(struct rdma_region *region);
void rdma_region_state(struct rdma_region *region,
		       struct phyr_rdma_region *args);
int rdma_region_table(struct rdma_region *region, struct phyr_rdma_table *args);

int rdma_region_dma(struct rdma_region *region,
		    const struct phyr_rdma_dma *args);

#endif

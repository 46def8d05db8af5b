/* SPDX-License-Identifier: MIT */
/*
 * Memory regions of /dev/phyr_rdma. As in lib.h every helper asserts success;
 * try_*() return 0 or a negative errno.
 */
#ifndef PHYR_TESTS_RDMA_H
#define PHYR_TESTS_RDMA_H

#include "lib.h"
#include "phyr_rdma.h"

#define RDMA_DRIVER	"phyr_rdma"
/* All page sizes from 4 KiB to 1 GiB */
#define ALL_PAGE_SIZES	0x7ffff000ull

extern int rdma;

/* Open /dev/phyr_rdma, with the second LSI or with edu bound to it. */
void open_rdma(void);
void bind_rdma_edu(void);

/* Register @len bytes at @offset for the LSI, with all page sizes. */
struct phyr_rdma_reg region_part(int dmabuf, uint32_t kind, uint64_t offset,
				 uint64_t len);
int try_register_region(struct phyr_rdma_reg *reg);
uint32_t register_region(int dmabuf, uint32_t kind, uint64_t len);
int try_deregister_region(uint32_t id);
void deregister_region(uint32_t id);
struct phyr_rdma_region region_state(uint32_t id);
int try_region_dma(uint32_t id, bool write, void *bytes, uint64_t offset,
		   uint64_t len);
/* Read a region by DMA, which holds the pattern @seed from byte @at on. */
void assert_region_dma(uint32_t id, uint64_t seed, uint64_t at, uint64_t len);

/**
 * struct region_table - a region's table
 * @page_size: bytes of a block
 * @first: bytes from the start of the first block to that of the region
 * @block: DMA addresses
 * @nr: number of @block
 */
struct region_table {
	uint64_t page_size;
	uint64_t first;
	uint64_t *block;
	uint64_t nr;
};

int try_region_table(uint32_t id, struct region_table *table);
void region_table_free(struct region_table *table);

#endif

/* SPDX-License-Identifier: MIT */
/* The subtests of phyr_rdma, and what several of them call. */
#ifndef PHYR_TESTS_RDMA_SUBTESTS_H
#define PHYR_TESTS_RDMA_SUBTESTS_H

#include "rdma.h"

/*
 * Register part of a dma-buf with each page size, compare every block with
 * @vecs, the memory of the whole dma-buf, and verify that the RDMA core refuses
 * the page sizes that do not fit.
 */
void assert_part(struct phyr_rdma_reg reg, const struct phyr_vec *vecs,
		 size_t nr);

/* blocks.c */
void blocks_vram(uint64_t size, uint64_t max_extent, uint64_t extents);
void blocks_system(void);
void blocks_parts(void);
void blocks_edu(void);
void blocks_stock(void);
void blocks_udmabuf(void);
void blocks_above_4g(void);

/* refuse.c */
void refuse_parts(void);
void refuse_page_sizes(void);
void refuse_pinned(void);
void refuse_out_of_reach(void);
void refuse_revoked(void);

/* life.c */
void life_pinned(void);
void life_revocable(void);
void life_moves(void);
void life_registers(void);
void life_close(void);
void life_unbind_exporter(void);
void life_unbind_importer(void);
void life_resets(void);
void life_suspend(void);
void life_shown(void);

#endif

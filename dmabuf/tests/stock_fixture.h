/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Fixture for the KUnit cases with a stock exporter, which provides an sg_table
 * and nothing else
 */
#ifndef _PHYR_STOCK_FIXTURE_H
#define _PHYR_STOCK_FIXTURE_H

#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/scatterlist.h>

#include "buffer_fixture.h"

#define STOCK_EXTENTS	3

/**
 * struct stock_test - a dma-buf of a stock exporter
 * @resv: its reservation object
 * @dmabuf: the dma-buf
 * @sgt: its table, while mapped
 * @nents: number of entries of stock_test_dma[] in the table
 * @map_err: error of map_dma_buf, or 0
 * @attach_err: error of attach, or 0
 * @pin_err: error of pin, or 0
 * @peer: the last importer accepts peer memory
 * @pins: pins less unpins
 * @mapped: maps less unmaps
 */
struct stock_test {
	struct dma_resv resv;
	struct dma_buf *dmabuf;
	struct sg_table sgt;
	unsigned int nents;
	int map_err;
	int attach_err;
	int pin_err;
	bool peer;
	int pins;
	int mapped;
};

extern const struct dma_range stock_test_dma[STOCK_EXTENTS];

struct stock_test *stock_test_create(struct kunit *test);
struct buffer_importer *stock_test_import(struct buffer_test *t,
					  struct stock_test *stock);
void stock_test_invalidate(struct stock_test *stock);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The sg_tables of phyr_test's exporter: honest ones, and such as broken drivers
 * make
 */
#ifndef _PHYR_TEST_TABLE_H
#define _PHYR_TEST_TABLE_H

#include <linux/dma-direction.h>
#include <linux/types.h>

struct device;
struct sg_table;

struct sg_table *test_table_create(u32 style, const struct phys_vec *vecs,
				   size_t count, struct device *dev,
				   struct device *other,
				   enum dma_data_direction dir);
void test_table_destroy(struct sg_table *sgt);

#endif

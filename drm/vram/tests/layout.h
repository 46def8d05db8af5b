/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Resources in VRAM with a layout chosen by the test
 */
#ifndef _PHYR_VRAM_LAYOUT_H
#define _PHYR_VRAM_LAYOUT_H

#include <kunit/test.h>
#include <linux/prandom.h>

#include "../vram.h"

/**
 * struct layout_block - a block to allocate
 * @page: number of its first page in VRAM, a multiple of @pages
 * @pages: number of pages, a power of two
 */
struct layout_block {
	u32 page;
	u32 pages;
};

/**
 * struct layout - a resource in VRAM
 * @res: the resource; not on any list of TTM
 * @vram: the card
 * @pages: number of pages
 * @offset: offset of each page in VRAM, in bytes
 */
struct layout {
	struct vram_resource res;
	struct vram_device *vram;
	u32 pages;
	u64 *offset;
};

struct layout *layout_create(struct kunit *test, struct vram_device *vram,
			     const struct layout_block *blocks, size_t n);
struct layout *layout_random(struct kunit *test, struct vram_device *vram,
			     struct rnd_state *rnd, u32 pages);
void layout_release(void *arg);

#endif

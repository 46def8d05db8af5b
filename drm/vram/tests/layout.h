/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Places in VRAM that a test lays out itself
 */
#ifndef _PHYR_VRAM_LAYOUT_H
#define _PHYR_VRAM_LAYOUT_H

#include <kunit/test.h>
#include <linux/prandom.h>

#include "../vram.h"

/**
 * struct layout_block - a block to take
 * @page: number of its first page in VRAM, a multiple of @pages
 * @pages: its length, a power of two
 */
struct layout_block {
	u32 page;
	u32 pages;
};

/**
 * struct layout - a place in VRAM
 * @res: what the driver sees; in no list of TTM's
 * @vram: the card
 * @pages: its length
 * @offset: for each of its pages, bytes from the start of VRAM
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
void layout_release(void *layout);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A card for KUnit tests: a struct vram_device whose VRAM is ordinary memory
 */
#ifndef _PHYR_VRAM_CARD_H
#define _PHYR_VRAM_CARD_H

#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/prandom.h>

#include "../vram.h"

/* Pretended BAR address; no guest has memory there. */
#define CARD_BAR	0x300000000000ULL
/* Initial value of each byte of VRAM */
#define CARD_FILL	0xa5

/**
 * struct card - a card
 * @vram: the device under test, with TTM and the VRAM allocator
 * @bytes: its VRAM
 * @size: size of VRAM in bytes
 */
struct card {
	struct vram_device *vram;
	u8 *bytes;
	u64 size;
};

/**
 * struct card_importer - an importer of a buffer, without a device
 * @attach: its attachment, which holds a reference to the dma-buf
 * @invalidated: calls of its invalidate callback
 * @pinned: it has pinned the buffer, and unpins when it is notified
 */
struct card_importer {
	struct dma_buf_attachment attach;
	unsigned int invalidated;
	bool pinned;
};

struct card *card_create(struct kunit *test, u64 size, u64 reserved);
struct card *card_create_display(struct kunit *test, u64 size, u64 reserved);
void card_unplug(struct card *card);
struct vram_bo *card_bo(struct kunit *test, struct card *card, u64 size,
			u32 placement, u64 max_extent);
void card_bo_put(struct kunit *test, struct vram_bo *bo);
u8 *card_bo_page(struct card *card, struct vram_bo *bo, u32 page);
void card_bo_fill(struct card *card, struct vram_bo *bo, u8 first);
void card_bo_expect_filled(struct kunit *test, struct card *card,
			   struct vram_bo *bo, u8 first);
void card_import(struct kunit *test, struct card_importer *importer,
		 struct vram_bo *bo);
void card_import_end(struct card_importer *importer);
void card_import_pin(struct kunit *test, struct card_importer *importer);
void card_import_unpin(struct card_importer *importer);
unsigned int card_bo_extents(struct vram_bo *bo);
void card_expect_avail(struct kunit *test, struct card *card, u64 avail);
void card_seed(struct kunit *test, struct rnd_state *rnd);
void card_fail_after(struct kunit *test, int calls);
bool card_fails(void);

#endif

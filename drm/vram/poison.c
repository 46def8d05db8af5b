// SPDX-License-Identifier: GPL-2.0
/*
 * Poison: a pattern in free VRAM that shows stray writes
 *
 * mgr.c fills blocks when they are freed and checks them when they are
 * allocated, if the module parameter "poison" is set.
 */
#include <drm/drm_drv.h>
#include <linux/io.h>

#include "vram.h"

/* An unlikely value for a stray write. */
#define VRAM_POISON	0x5a6b5a6b5a6b5a6bULL

/**
 * vram_poison_fill - fill free VRAM with the pattern
 * @vram: the card
 * @offset: bytes from the start of VRAM, a multiple of 8
 * @len: bytes, a multiple of 8
 *
 * Does nothing if the card is gone.
 */
void vram_poison_fill(struct vram_device *vram, u64 offset, u64 len)
{
	u64 i;
	int idx;

	if (!drm_dev_enter(&vram->drm, &idx))
		return;
	for (i = 0; i < len; i += sizeof(u64))
		writeq(VRAM_POISON, vram->io + offset + i);
	drm_dev_exit(idx);
}

/**
 * vram_poison_check - check that free VRAM still has the pattern
 * @vram: the card
 * @offset: bytes from the start of VRAM, a multiple of 8
 * @len: bytes, a multiple of 8
 *
 * Warns about the first word that differs. Does nothing if the card is gone.
 */
void vram_poison_check(struct vram_device *vram, u64 offset, u64 len)
{
	u64 i, word;
	int idx;

	if (!drm_dev_enter(&vram->drm, &idx))
		return;
	for (i = 0; i < len; i += sizeof(u64)) {
		word = readq(vram->io + offset + i);
		if (WARN(word != VRAM_POISON,
			 "free VRAM was written: %#llx at offset %#llx\n",
			 word, offset + i))
			break;
	}
	drm_dev_exit(idx);
}

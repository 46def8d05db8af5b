/* SPDX-License-Identifier: MIT */
/* Pictures of memory, for a terminal 100 columns wide. */
#ifndef PHYR_DRAW_H
#define PHYR_DRAW_H

#include <stdint.h>

#include "debugfs.h"

/* UTF-8 and colour, where the locale and the terminal have them. */
void draw_init(void);

/* A headed section of the output. */
__attribute__((format(printf, 1, 2)))
void draw_heading(const char *format, ...);

/* VRAM, one character per block of it; the buffer @id stands out. */
void draw_vram(const struct phyr_vram_dump *vram, uint64_t id);

/*
 * A buffer from its first byte to its last: its phyr list above its
 * dma_range list, so that one sees which extents fall into which range.
 */
void draw_lists(const struct phyr_list_dump *list,
		const struct phyr_ranges_dump *ranges);

/* The entries of either list, at most @max of them. */
void draw_vecs(const struct phyr_list_dump *list, unsigned int max);
void draw_ranges(const struct phyr_ranges_dump *ranges, unsigned int max);

#endif

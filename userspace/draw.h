/* SPDX-License-Identifier: MIT */
/* Draws memory on a terminal of at least 112 columns. */
#ifndef PHYR_DRAW_H
#define PHYR_DRAW_H

#include <stdint.h>

#include "debugfs.h"

/* Enable UTF-8 and colour if the locale and the terminal support them. */
void draw_init(void);

/* Print the heading of a section. */
__attribute__((format(printf, 1, 2)))
void draw_heading(const char *format, ...);

/* Draw VRAM, one character per block. Buffer @id is highlighted. */
void draw_vram(const struct phyr_vram_dump *vram, uint64_t id);

/*
 * Draw a buffer to scale: its phyr list above its dma_range list, to show
 * which extents each range covers.
 */
void draw_lists(const struct phyr_list_dump *list,
		const struct phyr_ranges_dump *ranges);

/* Print at most @max entries of a list as a table. */
void draw_vecs(const struct phyr_list_dump *list, unsigned int max);
void draw_ranges(const struct phyr_ranges_dump *ranges, unsigned int max);

#endif

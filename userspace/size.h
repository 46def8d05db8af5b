/* SPDX-License-Identifier: MIT */
/* Sizes as text: 4096, 64K, 16M, 2G. */
#ifndef PHYR_SIZE_H
#define PHYR_SIZE_H

#include <stdint.h>

/* Returns 0, or -EINVAL if @text is not a size. */
int parse_size(const char *text, uint64_t *size);

/* "16 MiB", "12 KiB", "5 B": uses the largest unit that divides @size. */
#define SIZE_TEXT	32
const char *format_size(uint64_t size, char text[SIZE_TEXT]);

#endif

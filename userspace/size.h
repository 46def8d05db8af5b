/* SPDX-License-Identifier: MIT */
/* Sizes in people's notation: 4096, 64K, 16M, 2G. */
#ifndef PHYR_SIZE_H
#define PHYR_SIZE_H

#include <stdint.h>

/* 0, or -EINVAL where @text is no size. */
int parse_size(const char *text, uint64_t *size);

/* "16 MiB", "12 KiB", "5 B": in the largest unit that divides @size. */
#define SIZE_TEXT	32
const char *format_size(uint64_t size, char text[SIZE_TEXT]);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Bytes to fill a buffer with: a pattern in which every 8-byte word is told
 * by the seed and its place, so that no two places hold the same.
 */
#ifndef PHYR_BYTES_H
#define PHYR_BYTES_H

#include <stdint.h>

/* The byte at @offset of the pattern that @seed tells. */
uint8_t phyr_byte(uint64_t seed, uint64_t offset);

/* Fill @len bytes with the pattern from its byte @offset on. */
void phyr_fill(void *mem, uint64_t seed, uint64_t offset, uint64_t len);

/* -1 where the bytes are the pattern's, else the first differing position. */
int64_t phyr_verify(const void *mem, uint64_t seed, uint64_t offset,
		    uint64_t len);

/* Likewise, where all must be @byte. */
int64_t phyr_verify_byte(const void *mem, uint8_t byte, uint64_t len);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Test pattern. Each 8-byte word is a bijective hash of seed and position, so
 * words at different positions differ.
 */
#ifndef PHYR_BYTES_H
#define PHYR_BYTES_H

#include <stdint.h>

/* The byte at @offset of the pattern of @seed. */
uint8_t phyr_byte(uint64_t seed, uint64_t offset);

/* Fill @len bytes with the pattern, starting at its byte @offset. */
void phyr_fill(void *mem, uint64_t seed, uint64_t offset, uint64_t len);

/* -1 if @mem holds the pattern, else the offset of the first wrong byte. */
int64_t phyr_verify(const void *mem, uint64_t seed, uint64_t offset,
		    uint64_t len);

/* The same for a buffer filled with @byte. */
int64_t phyr_verify_byte(const void *mem, uint8_t byte, uint64_t len);

#endif

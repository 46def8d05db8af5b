// SPDX-License-Identifier: MIT
#include <string.h>

#include "bytes.h"

/* The finaliser of the splitmix64 generator. */
static uint64_t word(uint64_t seed, uint64_t index)
{
	uint64_t x = (seed << 32) + (index + 1) * 0x9e3779b97f4a7c15ull;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

uint8_t phyr_byte(uint64_t seed, uint64_t offset)
{
	return word(seed, offset / 8) >> (offset % 8 * 8);
}

void phyr_fill(void *mem, uint64_t seed, uint64_t offset, uint64_t len)
{
	uint8_t *p = mem;
	uint64_t w;

	for (; len && offset % 8; len--)
		*p++ = phyr_byte(seed, offset++);
	for (; len >= 8; len -= 8, offset += 8, p += 8) {
		w = word(seed, offset / 8);
		memcpy(p, &w, 8);
	}
	for (; len; len--)
		*p++ = phyr_byte(seed, offset++);
}

int64_t phyr_verify(const void *mem, uint64_t seed, uint64_t offset,
		    uint64_t len)
{
	const uint8_t *p = mem;
	uint64_t w, i = 0;

	while (i < len) {
		if ((offset + i) % 8 == 0 && len - i >= 8) {
			memcpy(&w, p + i, 8);
			if (w == word(seed, (offset + i) / 8)) {
				i += 8;
				continue;
			}
		}
		if (p[i] != phyr_byte(seed, offset + i))
			return i;
		i++;
	}
	return -1;
}

int64_t phyr_verify_byte(const void *mem, uint8_t byte, uint64_t len)
{
	const uint8_t *p = mem;
	uint64_t w, all = byte * 0x0101010101010101ull, i = 0;

	while (i < len) {
		if (len - i >= 8) {
			memcpy(&w, p + i, 8);
			if (w == all) {
				i += 8;
				continue;
			}
		}
		if (p[i] != byte)
			return i;
		i++;
	}
	return -1;
}

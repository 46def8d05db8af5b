/* SPDX-License-Identifier: MIT */
/* dma-heaps, among them the carve-outs of phyr_carveout. */
#ifndef PHYR_TESTS_HEAP_H
#define PHYR_TESTS_HEAP_H

#include "lib.h"

int open_heap(const char *heap);
/* Return: a dma-buf, or a negative errno. */
int try_alloc_from(int fd, uint64_t size, uint32_t fd_flags);
int try_alloc_heap(const char *heap, uint64_t size);
int alloc_heap(const char *heap, uint64_t size);

/**
 * struct carveout - memory that memmap= takes from the kernel, with a dma-heap
 * @heap: name of the heap
 * @start: physical address
 * @len: bytes
 * @free: bytes that are not allocated
 * @valid: bytes whose pages pfn_valid() finds
 */
struct carveout {
	char heap[32];
	uint64_t start;
	uint64_t len;
	uint64_t free;
	uint64_t valid;
};

bool carveouts_are_loaded(void);
/*
 * Load phyr_carveout, whose carve-outs are on the kernel's command line
 * (phyr_carveout.regions=), and read what it says of number @index.
 */
struct carveout load_carveout(unsigned int index);
/* A worker may drop the last reference to a buffer. */
void wait_for_free_carveout(unsigned int index);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The drivers' debugfs files, which only root may read: VRAM, phyr lists,
 * dma_range lists, jobs. Readers return 0 or a negative errno; -EPROTO if the
 * text does not parse. Free a result with the *_free() function next to its
 * reader; after an error there is nothing to free.
 */
#ifndef PHYR_DEBUGFS_H
#define PHYR_DEBUGFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device.h"

/**
 * struct phyr_vram_block - one allocated block of VRAM
 * @offset: bytes from the start of the BAR
 * @len: bytes
 * @buffer: id of the buffer that owns it
 */
struct phyr_vram_block {
	uint64_t offset;
	uint64_t len;
	uint64_t buffer;
};

/**
 * struct phyr_vram_dump - the VRAM of a card
 * @size: bytes
 * @free: bytes
 * @bar: physical address
 * @blocks: allocated blocks
 * @nr: number of @blocks
 */
struct phyr_vram_dump {
	uint64_t size;
	uint64_t free;
	uint64_t bar;
	struct phyr_vram_block *blocks;
	size_t nr;
};

int phyr_vram_dump_read(const struct phyr_device *device,
			struct phyr_vram_dump *dump);
void phyr_vram_dump_free(struct phyr_vram_dump *dump);

/**
 * struct phyr_vec - one entry of a phyr list
 * @paddr: physical address
 * @len: bytes
 * @offset: bytes from the start of the BAR; 0 in system memory
 * @pages: true if it has struct pages
 */
struct phyr_vec {
	uint64_t paddr;
	uint64_t len;
	uint64_t offset;
	bool pages;
};

/**
 * struct phyr_list_dump - a buffer of phyr_vram
 * @size: bytes
 * @extents: number of extents, as counted by the driver
 * @dmabufs: number of live dma-bufs of the buffer
 * @in_vram: true if it is in VRAM now
 * @vecs: its phyr list
 * @nr: number of @vecs
 */
struct phyr_list_dump {
	uint64_t size;
	uint64_t extents;
	uint64_t dmabufs;
	bool in_vram;
	struct phyr_vec *vecs;
	size_t nr;
};

int phyr_list_dump_read(const struct phyr_device *device, uint64_t id,
			struct phyr_list_dump *dump);
void phyr_list_dump_free(struct phyr_list_dump *dump);

/**
 * struct phyr_range - one DMA range
 * @addr: DMA address
 * @len: bytes
 * @peer: memory of a device
 * @bus: @addr is a bus address of that device, which nothing translates
 */
struct phyr_range {
	uint64_t addr;
	uint64_t len;
	bool peer;
	bool bus;
};

/**
 * struct phyr_ranges_dump - a buffer of phyr_copy
 * @size: bytes
 * @imported: true if another driver exports it
 * @composed: true if it consists of parts of others
 * @mode: how it is mapped; "none" while unmapped
 * @offset: where the mapped part starts, in bytes
 * @ranges: dma_range list of the mapped part
 * @nr: number of @ranges
 */
struct phyr_ranges_dump {
	uint64_t size;
	bool imported;
	bool composed;
	char mode[16];
	uint64_t offset;
	struct phyr_range *ranges;
	size_t nr;
};

int phyr_ranges_dump_read(const struct phyr_device *device, uint64_t id,
			  struct phyr_ranges_dump *dump);
void phyr_ranges_dump_free(struct phyr_ranges_dump *dump);

/**
 * struct phyr_job - a copy of the engine, queued or done
 * @seqno: sequence number
 * @len: bytes
 * @moves: number of Memory Move instructions
 * @scripts: number of scripts that hold them
 * @status: 0 or a negative errno
 */
struct phyr_job {
	uint64_t seqno;
	uint64_t len;
	uint64_t moves;
	uint64_t scripts;
	int status;
};

/* The job with the highest seqno; -ENOENT if there was none. */
int phyr_last_job(const struct phyr_device *device, struct phyr_job *job);

/* Make the next @jobs jobs of a copy engine hang. */
int phyr_hang(const struct phyr_device *device, unsigned int jobs);

#endif

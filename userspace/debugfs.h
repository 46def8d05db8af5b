/* SPDX-License-Identifier: MIT */
/*
 * What the drivers tell root in debugfs: VRAM, phyr lists, dma_range lists,
 * jobs. All readers return 0 or a negative errno (-EPROTO: not understood),
 * and what they filled in is freed by the function next to them.
 */
#ifndef PHYR_DEBUGFS_H
#define PHYR_DEBUGFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device.h"

/**
 * struct phyr_vram_block - one allocated piece of VRAM
 * @offset: bytes from the BAR's start
 * @len: bytes
 * @buffer: id of the buffer that has it
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
 * @blocks: allocated pieces
 * @nr: their number
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
 * @offset: bytes from the BAR's start
 * @pages: has struct pages
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
 * @extents: as the driver counts them
 * @dmabufs: live dma-bufs of the buffer
 * @in_vram: where it is now
 * @vecs: its phyr list
 * @nr: entries
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
 */
struct phyr_range {
	uint64_t addr;
	uint64_t len;
};

/**
 * struct phyr_ranges_dump - a buffer as the copy engine has it
 * @size: bytes
 * @imported: from another driver
 * @mode: how it is mapped; "none" while it is not
 * @ranges: its dma_range list
 * @nr: entries
 */
struct phyr_ranges_dump {
	uint64_t size;
	bool imported;
	char mode[16];
	struct phyr_range *ranges;
	size_t nr;
};

int phyr_ranges_dump_read(const struct phyr_device *device, uint64_t id,
			  struct phyr_ranges_dump *dump);
void phyr_ranges_dump_free(struct phyr_ranges_dump *dump);

/**
 * struct phyr_job - a copy that the engine did or is to do
 * @seqno: its number
 * @len: bytes
 * @moves: Memory Move instructions
 * @scripts: scripts that they were split into
 * @status: 0 or a negative errno
 */
struct phyr_job {
	uint64_t seqno;
	uint64_t len;
	uint64_t moves;
	uint64_t scripts;
	int status;
};

/* The job with the highest seqno; -ENOENT where there has been none. */
int phyr_last_job(const struct phyr_device *device, struct phyr_job *job);

/* Hang the next @jobs jobs of a copy engine. */
int phyr_hang(const struct phyr_device *device, unsigned int jobs);

#endif

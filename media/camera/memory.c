// SPDX-License-Identifier: GPL-2.0
/*
 * Coherent memory, the source of the DMA
 *
 * Allocated in chunks: without an IOMMU, 8 MiB of contiguous memory are rarely
 * available. One range list covers all chunks.
 */
#include <linux/dma-mapping.h>
#include <linux/minmax.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "camera.h"

#define CAMERA_CHUNK SZ_256K

static int camera_memory_list(struct camera_memory *memory)
{
	struct scatterlist *sg;
	unsigned int i;
	int ret;

	ret = sg_alloc_table(&memory->sgt, memory->nr, GFP_KERNEL);
	if (ret)
		return ret;

	/* DMA addresses only: coherent memory need not have pages. */
	for_each_sgtable_dma_sg(&memory->sgt, sg, i) {
		sg_dma_address(sg) = memory->chunks[i].addr;
		sg_dma_len(sg) = memory->chunks[i].len;
	}
	memory->ranges = dma_range_list_from_sgt(&memory->sgt, NULL);
	if (!IS_ERR(memory->ranges))
		return 0;

	ret = PTR_ERR(memory->ranges);
	memory->ranges = NULL;
	sg_free_table(&memory->sgt);
	return ret;
}

/**
 * camera_memory_alloc - allocate memory for a plane
 * @memory: zeroed
 * @dev: the device
 * @size: bytes
 *
 * Context: may sleep.
 * Return: 0 or a negative errno.
 */
int camera_memory_alloc(struct camera_memory *memory, struct device *dev,
			size_t size)
{
	unsigned int count = DIV_ROUND_UP(size, CAMERA_CHUNK);
	struct camera_chunk *chunk;
	int ret = -ENOMEM;

	memory->dev = dev;
	memory->chunks = kzalloc_objs(*memory->chunks, count);
	if (!memory->chunks)
		return -ENOMEM;

	while (memory->nr < count) {
		chunk = &memory->chunks[memory->nr];
		chunk->len = min_t(size_t, CAMERA_CHUNK,
				   size - (size_t)memory->nr * CAMERA_CHUNK);
		chunk->vaddr = dma_alloc_coherent(dev, chunk->len, &chunk->addr,
						  GFP_KERNEL);
		if (!chunk->vaddr)
			goto err_free;
		memory->nr++;
	}
	ret = camera_memory_list(memory);
	if (ret)
		goto err_free;
	return 0;

err_free:
	camera_memory_free(memory);
	return ret;
}

/**
 * camera_memory_free - free a plane's memory
 * @memory: the memory; zeroed if it was never allocated
 *
 * Context: no DMA from @memory; may sleep.
 */
void camera_memory_free(struct camera_memory *memory)
{
	struct camera_chunk *chunk;

	if (memory->ranges) {
		dma_range_list_free(memory->ranges);
		sg_free_table(&memory->sgt);
	}
	while (memory->nr) {
		chunk = &memory->chunks[--memory->nr];
		dma_free_coherent(memory->dev, chunk->len, chunk->vaddr,
				  chunk->addr);
	}
	kfree(memory->chunks);
	*memory = (struct camera_memory) { };
}

/**
 * camera_memory_write - copy data into a plane's memory
 * @memory: the memory
 * @offset: byte offset in @memory
 * @bytes: data to copy
 * @len: bytes to copy; @offset + @len must not exceed the memory
 *
 * Context: any; no DMA from the part being written.
 */
void camera_memory_write(struct camera_memory *memory, size_t offset,
			 const void *bytes, size_t len)
{
	struct camera_chunk *chunk = &memory->chunks[offset / CAMERA_CHUNK];
	size_t part;

	for (offset %= CAMERA_CHUNK; len; len -= part, offset = 0, chunk++) {
		part = min(len, chunk->len - offset);
		memcpy(chunk->vaddr + offset, bytes, part);
		bytes += part;
	}
}

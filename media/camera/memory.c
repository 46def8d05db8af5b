// SPDX-License-Identifier: GPL-2.0
/*
 * The device's coherent memory, where a frame begins
 *
 * In chunks, because 8 MiB in one piece are rarely to be had without an IOMMU.
 * The engine reads them as one list.
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

	/* There are no pages: coherent memory is the DMA API's own. */
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
 * camera_memory_alloc - memory for a plane
 * @memory: zeroed
 * @dev: the device
 * @size: bytes
 *
 * Context: may sleep.
 * Return: 0; -ENOMEM.
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
 * camera_memory_free - give a plane's memory back
 * @memory: the memory; nothing happens where it was not allocated
 *
 * Context: the engine does not use it; may sleep.
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
 * camera_memory_write - fill a part of a plane
 * @memory: the memory
 * @offset: of the first byte
 * @bytes: what to write
 * @len: bytes; they end within the memory
 *
 * Context: any; the engine does not read that part.
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

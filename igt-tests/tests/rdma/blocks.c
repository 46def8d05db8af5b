// SPDX-License-Identifier: MIT
/* The DMA blocks of a region against the memory that the exporter has. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "subtests.h"

#define SEED	70
#define GIB	(1024 * SZ_1M)

/* A part of an exported buffer of the first card, with each page size. */
static void assert_card_reg(const struct card_buffer *buffer,
			    struct phyr_rdma_reg reg)
{
	struct phyr_device card = vram_device(0);
	struct phyr_list_dump list;

	igt_assert_eq(phyr_list_dump_read(&card, vram_info(buffer->vram,
							   buffer->handle).id,
					  &list), 0);
	assert_part(reg, list.vecs, list.nr);
	phyr_list_dump_free(&list);
}

static void assert_card_part(const struct card_buffer *buffer, uint32_t kind,
			     uint64_t offset, uint64_t len)
{
	assert_card_reg(buffer, region_part(buffer->dmabuf, kind, offset, len));
}

/* DMA both ways, by a table of @pages. */
static void assert_data(const struct card_buffer *buffer, uint32_t kind,
			uint64_t size, uint64_t pages)
{
	struct phyr_rdma_reg reg = region_part(buffer->dmabuf, kind, 0, size);
	uint8_t *bytes = malloc(SZ_64K);
	uint64_t at = size / 2 - 12345;

	igt_assert(bytes);
	reg.page_sizes = pages;
	fill_vram(buffer->vram, buffer->handle, size, SEED);
	igt_assert_eq(try_register_region(&reg), 0);
	assert_region_dma(reg.id, SEED, 0, size);
	phyr_fill(bytes, SEED + 1, at, SZ_64K);
	igt_assert_eq(try_region_dma(reg.id, true, bytes, at, SZ_64K), 0);
	free(bytes);
	bytes = map_vram(buffer->vram, buffer->handle, size);
	assert_bytes(bytes, SEED, 0, at);
	assert_bytes(bytes + at, SEED + 1, at, SZ_64K);
	assert_bytes(bytes + at + SZ_64K, SEED, at + SZ_64K,
		     size - at - SZ_64K);
	unmap(bytes, size);
	deregister_region(reg.id);
}

void blocks_vram(uint64_t size, uint64_t max_extent, uint64_t extents)
{
	struct card_buffer buffer = open_card_buffer(size, IN_VRAM, max_extent);

	igt_assert_eq_u64(vram_info(buffer.vram, buffer.handle).extents,
			  extents);
	assert_card_part(&buffer, PHYR_RDMA_DYNAMIC, 0, size);
	assert_card_part(&buffer, PHYR_RDMA_REVOCABLE, 0, size);
	assert_data(&buffer, PHYR_RDMA_DYNAMIC, size, SZ_4K);
	assert_data(&buffer, PHYR_RDMA_REVOCABLE, size, ALL_PAGE_SIZES);
	close_card_buffer(&buffer);
}

void blocks_system(void)
{
	struct card_buffer buffer = open_card_buffer(SZ_1M, EVICTABLE, 0);

	move_buffer(buffer.vram, buffer.handle, IN_SYSTEM);
	assert_card_part(&buffer, PHYR_RDMA_PINNED, 0, SZ_1M);
	assert_card_part(&buffer, PHYR_RDMA_DYNAMIC, 0, SZ_1M);
	assert_card_part(&buffer, PHYR_RDMA_REVOCABLE, 0, SZ_1M);
	assert_data(&buffer, PHYR_RDMA_PINNED, SZ_1M, SZ_4K);
	assert_data(&buffer, PHYR_RDMA_DYNAMIC, SZ_1M, ALL_PAGE_SIZES);
	close_card_buffer(&buffer);
}

static void parts_of(uint64_t max_extent)
{
	const uint64_t size = SZ_1M;
	struct card_buffer buffer = open_card_buffer(size, IN_VRAM, max_extent);
	const struct {
		uint64_t offset, len;
	} parts[] = {
		{ 0, 1 }, { 1, 1 }, { 4095, 1 }, { 4095, 2 }, { 4095, SZ_4K + 2 },
		{ SZ_4K, SZ_4K }, { 5 * SZ_4K + 123, 9 * SZ_4K + 45 },
		{ SZ_64K - 1, SZ_64K + 2 }, { size / 2, size / 2 },
		{ size / 2 + 1, size / 2 - 1 }, { size - SZ_4K, SZ_4K },
		{ size - 1, 1 }, { 1, size - 2 },
	};

	fill_vram(buffer.vram, buffer.handle, size, SEED);
	for (unsigned int i = 0; i < ARRAY_SIZE(parts); i++) {
		uint32_t kind = i % 2 ? PHYR_RDMA_DYNAMIC : PHYR_RDMA_REVOCABLE;
		struct phyr_rdma_reg reg = region_part(buffer.dmabuf, kind,
						       parts[i].offset,
						       parts[i].len);

		assert_card_reg(&buffer, reg);
		igt_assert_eq(try_register_region(&reg), 0);
		assert_region_dma(reg.id, SEED, reg.offset, reg.len);
		deregister_region(reg.id);
	}
	close_card_buffer(&buffer);
}

void blocks_parts(void)
{
	parts_of(0);
	parts_of(SZ_4K);
	parts_of(SZ_64K);
}

/* Another device, which gets bus addresses where it shares a switch. */
void blocks_edu(void)
{
	const uint64_t extents[] = { 0, SZ_4K, SZ_64K };

	bind_rdma_edu();
	for (unsigned int i = 0; i < ARRAY_SIZE(extents); i++) {
		struct card_buffer buffer = open_card_buffer(SZ_1M, IN_VRAM,
							     extents[i]);
		struct phyr_rdma_reg reg = region_part(buffer.dmabuf,
						       PHYR_RDMA_DYNAMIC, 0, SZ_1M);

		reg.device = PHYR_RDMA_EDU;
		assert_card_reg(&buffer, reg);
		reg.kind = PHYR_RDMA_REVOCABLE;
		reg.offset = SZ_64K + 1;
		reg.len = SZ_1M / 2;
		assert_card_reg(&buffer, reg);
		close_card_buffer(&buffer);
	}
}

/*
 * An exporter without phyr, for comparison: if the checks are right, they hold
 * for its table, too. More than one range behind an IOMMU fails: phyr_upstream.
 */
void blocks_stock(void)
{
	int test = open_phyr_test(SECOND_IVSHMEM), dmabuf;
	const uint64_t count = iommu_is_on() ? 1 : 16;
	struct phyr_vec vecs[16];

	dmabuf = test_export(test, PHYR_TEST_STYLE_STOCK, SZ_64K, count, SZ_64K,
			     SZ_1M);
	for (uint64_t i = 0; i < count; i++)
		vecs[i] = (struct phyr_vec){
			.paddr = test_bar(test) + SZ_64K + i * SZ_1M,
			.len = SZ_64K,
		};
	assert_part(region_part(dmabuf, PHYR_RDMA_DYNAMIC, 0, count * SZ_64K), vecs,
		    count);
	assert_part(region_part(dmabuf, PHYR_RDMA_REVOCABLE, 12345, 50000), vecs,
		    count);
	close(dmabuf);
	close(test);
}

/* udmabuf's addresses are not known: only the bytes are compared. */
void blocks_udmabuf(void)
{
	int dmabuf = create_udmabuf(SZ_1M);
	void *mem = map_dmabuf(dmabuf, SZ_1M);

	phyr_fill(mem, SEED, 0, SZ_1M);
	unmap(mem, SZ_1M);
	for (uint32_t kind = PHYR_RDMA_DYNAMIC; kind <= PHYR_RDMA_PINNED;
	     kind++) {
		struct phyr_rdma_reg reg = region_part(dmabuf, kind, 777,
						       SZ_1M - 999);

		igt_assert_eq(try_register_region(&reg), 0);
		assert_region_dma(reg.id, SEED, 777, SZ_1M - 999);
		deregister_region(reg.id);
	}
	close(dmabuf);
}

/* Where byte @at of the buffers of blocks_above_4g() lies in the BAR. */
static uint64_t large_at(bool one, uint64_t at)
{
	if (one)
		return at;
	/* Two extents of 6 GiB, the second one first. */
	return at < 6 * GIB ? 8 * GIB + at : at - 6 * GIB;
}

static void assert_large(struct phyr_rdma_reg reg, uint64_t bar, bool one)
{
	struct phyr_rdma_phys phys = { .device = reg.device };
	struct region_table table;

	igt_assert_eq(try_register_region(&reg), 0);
	igt_assert_eq(try_region_table(reg.id, &table), 0);
	igt_info("%llu MiB: %" PRIu64 " blocks of %" PRIu64 " KiB\n",
		 reg.len >> 20, table.nr, table.page_size >> 10);
	igt_assert_eq_u64(table.nr, (table.first + reg.len + table.page_size -
				     1) / table.page_size);
	phys.nr = table.nr;
	phys.addrs = (uintptr_t)table.block;
	igt_assert_eq(phyr_ioctl(rdma, PHYR_RDMA_IOC_PHYS, &phys), 0);
	for (uint64_t i = 0; i < table.nr; i++)
		igt_assert_eq_u64(table.block[i],
				  bar + large_at(one, reg.offset - table.first +
						 i * table.page_size));
	region_table_free(&table);
	deregister_region(reg.id);
}

void blocks_above_4g(void)
{
	int test = open_phyr_test(FIRST_IVSHMEM);
	uint64_t bar = test_bar(test);
	int one = test_export(test, PHYR_TEST_STYLE_PHYR, 0, 1, 20 * GIB, 0);
	int two = test_export(test, PHYR_TEST_STYLE_PHYR, 8 * GIB, 2, 6 * GIB,
			      -8 * (int64_t)GIB);
	struct phyr_rdma_reg reg = region_part(one, PHYR_RDMA_DYNAMIC, 0, 20 * GIB);

	bind_rdma_edu();
	reg.device = PHYR_RDMA_EDU;
	reg.page_sizes = 0x200000 | 0x40000000;
	assert_large(reg, bar, true);
	reg.kind = PHYR_RDMA_REVOCABLE;
	reg.offset = 4 * GIB - SZ_4K;
	reg.len = 9 * GIB + 3 * SZ_4K + 1;
	reg.page_sizes = SZ_4K;
	assert_large(reg, bar, true);
	reg.fd = two;
	reg.offset = 5 * GIB;
	reg.len = 6 * GIB;
	reg.page_sizes = ALL_PAGE_SIZES;
	assert_large(reg, bar, false);
	close(one);
	close(two);
	close(test);
}

// SPDX-License-Identifier: MIT
/* What cannot be registered or used, and with which error. */
#include <fcntl.h>
#include <string.h>

#include "foreign.h"
#include "subtests.h"

static int reg_error(int dmabuf, uint32_t kind, uint64_t offset, uint64_t len)
{
	struct phyr_rdma_reg reg = region_part(dmabuf, kind, offset, len);
	int err = try_register_region(&reg);

	if (!err)
		deregister_region(reg.id);
	return err;
}

void refuse_parts(void)
{
	struct card_buffer buffer = open_card_buffer(SZ_1M, EVICTABLE, SZ_4K);
	const struct {
		uint64_t offset, len;
	} parts[] = {
		{ 0, 0 }, { SZ_4K, 0 }, { SZ_1M, 0 }, { 0, SZ_1M + 1 },
		{ 1, SZ_1M }, { SZ_1M, 1 }, { SZ_1M - 1, 2 }, { ~0ull, 1 },
		{ ~0ull, 2 }, { SZ_4K, ~0ull }, { SZ_4K, -SZ_4K },
		{ 1ull << 32, SZ_4K }, { 0, 1ull << 32 }, { -SZ_4K, SZ_4K },
	};
	char byte;

	for (uint32_t kind = 0; kind <= PHYR_RDMA_REVOCABLE; kind++) {
		for (unsigned int i = 0; i < ARRAY_SIZE(parts); i++)
			igt_assert_eq(reg_error(buffer.dmabuf, kind,
						parts[i].offset, parts[i].len),
				      -EINVAL);
		igt_assert_eq(reg_error(buffer.dmabuf, kind, 0, SZ_1M), 0);
		igt_assert_eq(reg_error(-1, kind, 0, SZ_1M), -EBADF);
		igt_assert_eq(reg_error(rdma, kind, 0, SZ_1M), -EINVAL);
	}
	igt_assert_eq(reg_error(buffer.dmabuf, PHYR_RDMA_REVOCABLE + 1, 0,
				SZ_1M), -EINVAL);
	igt_assert_eq(try_region_dma(12345, false, &byte, 0, 1), -ENOENT);
	igt_assert_eq(find_attachments("phyr_vram", NULL, NULL), 0);
	close_card_buffer(&buffer);
}

/* A device with large pages only cannot use scattered ones. */
void refuse_page_sizes(void)
{
	struct card_buffer buffer = open_card_buffer(SZ_1M, EVICTABLE, SZ_4K);
	struct phyr_rdma_reg reg = region_part(buffer.dmabuf, PHYR_RDMA_REVOCABLE,
					       0, SZ_1M);
	int want = iommu_is_on() ? 0 : -EOPNOTSUPP;
	struct region_table table;

	reg.page_sizes = SZ_64K;
	igt_assert_eq(try_register_region(&reg), want);
	if (!want)
		deregister_region(reg.id);
	/* The pin is gone. */
	move_buffer(buffer.vram, buffer.handle, IN_SYSTEM);
	move_buffer(buffer.vram, buffer.handle, IN_VRAM);
	reg.kind = PHYR_RDMA_DYNAMIC;
	igt_assert_eq(try_register_region(&reg), 0);
	igt_assert_eq(try_region_table(reg.id, &table), want);
	if (!want)
		region_table_free(&table);
	/* A region whose table failed is no obstacle for a move. */
	move_buffer(buffer.vram, buffer.handle, IN_SYSTEM);
	deregister_region(reg.id);
	close_card_buffer(&buffer);
}

/* Without a callback there is no page-less memory, and so no VRAM. */
void refuse_pinned(void)
{
	struct card_buffer fixed = open_card_buffer(SZ_1M, IN_VRAM, 0);
	struct card_buffer buffer = open_card_buffer(SZ_1M, EVICTABLE, 0);
	uint32_t revocable;

	igt_assert_eq(reg_error(fixed.dmabuf, PHYR_RDMA_PINNED, 0, SZ_1M),
		      -EBUSY);
	igt_assert_eq(vram_info(fixed.vram, fixed.handle).placement, IN_VRAM);
	/* Another region keeps it in VRAM. */
	revocable = register_region(buffer.dmabuf, PHYR_RDMA_REVOCABLE, SZ_1M);
	igt_assert_eq(reg_error(buffer.dmabuf, PHYR_RDMA_PINNED, 0, SZ_1M),
		      -EBUSY);
	deregister_region(revocable);
	igt_assert_eq(reg_error(buffer.dmabuf, PHYR_RDMA_PINNED, 0, SZ_1M), 0);
	close_card_buffer(&fixed);
	close_card_buffer(&buffer);
}

/* VRAM above 4 GiB, without an IOMMU, and a device with a 32-bit mask. */
void refuse_out_of_reach(void)
{
	struct card_buffer fixed = open_card_buffer(SZ_1M, IN_VRAM, 0);
	struct card_buffer buffer = open_card_buffer(SZ_1M, EVICTABLE, 0);

	for (uint32_t kind = 0; kind <= PHYR_RDMA_REVOCABLE; kind++) {
		uint32_t id;

		igt_assert_eq(reg_error(fixed.dmabuf, kind, 0, SZ_1M),
			      kind == PHYR_RDMA_PINNED ? -EBUSY : -EREMOTEIO);
		move_buffer(buffer.vram, buffer.handle, IN_VRAM);
		fill_vram(buffer.vram, buffer.handle, SZ_1M, kind);
		id = register_region(buffer.dmabuf, kind, SZ_1M);
		igt_assert_eq(vram_info(buffer.vram, buffer.handle).placement,
			      IN_SYSTEM);
		igt_assert_eq(try_move_buffer(buffer.vram, buffer.handle,
					      IN_VRAM), -EBUSY);
		assert_region_dma(id, kind, 0, SZ_1M);
		deregister_region(id);
	}
	close_card_buffer(&fixed);
	close_card_buffer(&buffer);
}

/* Registered or not, a dma-buf of a card that is gone cannot be mapped. */
void refuse_revoked(void)
{
	struct phyr_device card = vram_device(0);
	struct card_buffer buffer = open_card_buffer(SZ_1M, IN_VRAM, 0);
	uint32_t unused = register_region(buffer.dmabuf, PHYR_RDMA_DYNAMIC,
					  SZ_1M);
	struct region_table table;

	remove_device(card.busid, UNBIND);
	for (uint32_t kind = 0; kind <= PHYR_RDMA_REVOCABLE; kind++)
		igt_assert_eq(reg_error(buffer.dmabuf, kind, 0, SZ_1M),
			      -ENODEV);
	igt_assert_eq(try_region_table(unused, &table), -ENODEV);
	igt_assert_eq(region_state(unused).invalidated, 0);
	deregister_region(unused);
	close_card_buffer(&buffer);
	restore_device(card.busid, PHYR_VRAM_DRIVER, UNBIND);
}

// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <string.h>

#include "lib.h"

IGT_TEST_DESCRIPTION("A card above 4 GiB and an engine with a 32-bit DMA mask (vm/run --vram 8G)");

static struct phyr_device card;

static void assert_card_is_high(void)
{
	struct phyr_vram_dump dump;

	igt_assert_eq(phyr_vram_dump_read(&card, &dump), 0);
	igt_assert_lte_u64(SZ_4G, dump.bar);
	phyr_vram_dump_free(&dump);
}

/*
 * Import and copy. Return the error; on success the buffer must be in @place.
 */
static int copy_error(uint32_t placement, uint32_t place, uint64_t max_extent,
		      bool to_vram)
{
	int vram = open_device(&card), engine = open_copy(0), dmabuf, err;
	uint32_t own = create_own(engine, SZ_1M), handle, imported;

	handle = create_vram(vram, SZ_1M, placement, max_extent);
	fill_vram(vram, handle, SZ_1M, 1);
	fill_own(engine, own, SZ_1M, 2);
	dmabuf = export_buffer(vram, handle);
	err = phyr_import(engine, dmabuf, &imported);
	if (!err)
		err = phyr_copy_run(engine, to_vram ? own : imported, 0,
				    to_vram ? imported : own, 0, SZ_1M);
	/* On failure neither buffer is written. */
	if (err) {
		assert_vram(vram, handle, SZ_1M, 1);
		assert_own(engine, own, SZ_1M, 2);
	} else if (to_vram) {
		assert_vram(vram, handle, SZ_1M, 2);
	} else {
		assert_own(engine, own, SZ_1M, 1);
	}
	igt_assert_eq(vram_info(vram, handle).placement, err ? IN_VRAM : place);
	close(dmabuf);
	close(engine);
	close(vram);
	return err;
}

static void engine(uint32_t placement, uint32_t place, int expected)
{
	assert_card_is_high();
	for (int to_vram = 0; to_vram < 2; to_vram++) {
		igt_assert_eq(copy_error(placement, place, 0, to_vram),
			      expected);
		igt_assert_eq(copy_error(placement, place, SZ_4K, to_vram),
			      expected);
	}
}

/* The buffer must stay in VRAM. */
static void refused(void)
{
	engine(IN_VRAM, IN_VRAM, iommu_is_on() ? 0 : -EREMOTEIO);
}

/* If the engine cannot reach VRAM, the buffer moves to system memory. */
static void moved(void)
{
	engine(EVICTABLE, iommu_is_on() ? IN_VRAM : IN_SYSTEM, 0);
}

static void moved_and_kept(void)
{
	int vram = open_device(&card), engine = open_copy(0);
	struct drm_phyr_vram_gem_move move = { .placement = IN_VRAM };
	uint32_t imported;

	assert_card_is_high();
	move.handle = create_vram(vram, SZ_1M, EVICTABLE, SZ_4K);
	imported = import_from(engine, vram, move.handle);
	igt_assert_eq(phyr_ioctl(vram, DRM_IOCTL_PHYR_VRAM_GEM_MOVE, &move),
		      iommu_is_on() ? 0 : -EBUSY);
	igt_assert_eq(phyr_close_handle(engine, imported), 0);
	igt_assert_eq(phyr_ioctl(vram, DRM_IOCTL_PHYR_VRAM_GEM_MOVE, &move), 0);
	close(engine);
	close(vram);
}

/*
 * Import while the buffer is in system memory, which the engine reaches. A
 * later move must not leave the import unusable.
 */
static void imported_in_system(void)
{
	int vram = open_device(&card), engine = open_copy(0), moved;
	uint32_t own = create_own(engine, SZ_1M), handle, imported;

	assert_card_is_high();
	handle = create_vram(vram, SZ_1M, EVICTABLE, SZ_4K);
	move_buffer(vram, handle, IN_SYSTEM);
	fill_vram(vram, handle, SZ_1M, 1);
	imported = import_from(engine, vram, handle);
	copy_bytes(engine, imported, own, SZ_1M);
	moved = try_move_buffer(vram, handle, IN_VRAM);

	for (uint64_t seed = 2; seed < 5; seed++) {
		fill_own(engine, own, SZ_1M, seed);
		copy_bytes(engine, own, imported, SZ_1M);
		assert_vram(vram, handle, SZ_1M, seed);
	}
	igt_assert_eq(moved, iommu_is_on() ? 0 : -EBUSY);
	igt_assert_eq(vram_info(vram, handle).placement,
		      iommu_is_on() ? IN_VRAM : IN_SYSTEM);

	igt_assert_eq(phyr_close_handle(engine, imported), 0);
	move_when_unpinned(vram, handle, IN_VRAM);
	assert_vram(vram, handle, SZ_1M, 4);
	close(engine);
	close(vram);
}

/*
 * A stock exporter's table with addresses above the engine's mask. Copy from
 * there first: an engine that truncates then only reads what it must not.
 */
static void high_table(void)
{
	static const struct {
		uint64_t addr, count, len;
	} tables[] = {
		{ SZ_4G + SZ_1M, 1, SZ_1M },
		/* Only the second extent; only the end of an extent. */
		{ SZ_4G - SZ_1M, 2, SZ_1M },
		{ SZ_4G - SZ_64K, 1, SZ_1M },
	};
	int test = open_phyr_test(SECOND_IVSHMEM), engine = open_copy(0);
	uint32_t own = create_own(engine, SZ_1M), imported;

	fill_own(engine, own, SZ_1M, 5);
	for (unsigned int i = 0; i < ARRAY_SIZE(tables); i++) {
		int dmabuf = test_export(test, PHYR_TEST_STYLE_RAW,
					 tables[i].addr - test_bar(test),
					 tables[i].count, tables[i].len,
					 tables[i].len);

		imported = import_buffer(engine, dmabuf);
		igt_assert_eq(phyr_copy_run(engine, imported, 0, own, 0,
					    SZ_4K), -EREMOTEIO);
		igt_assert_eq(phyr_copy_run(engine, own, 0, imported, 0,
					    SZ_4K), -EREMOTEIO);
		assert_own(engine, own, SZ_1M, 5);
		igt_assert_eq(phyr_close_handle(engine, imported), 0);
		close(dmabuf);
	}
	close(engine);
	close(test);
}

/* The engine still works after a refused import. */
static void copy_after_refusal(void)
{
	int fd = open_copy(0);
	uint32_t src = create_own(fd, SZ_1M), dst = create_own(fd, SZ_1M);

	refused();
	fill_own(fd, src, SZ_1M, 3);
	copy_bytes(fd, src, dst, SZ_1M);
	assert_own(fd, dst, SZ_1M, 3);
	close(fd);
}

/* A device with a 64-bit mask reaches the card. */
static void wide_mask(void)
{
	int test = open_phyr_test(SECOND_IVSHMEM), vram = open_device(&card);
	uint32_t handle = create_vram(vram, SZ_1M, IN_VRAM, 0);
	struct phyr_test_range range;
	struct phyr_test_import import = {
		.api = PHYR_TEST_API_PHYR,
		.iterations = 1,
		.max_ranges = 1,
		.ranges = (uintptr_t)&range,
	};
	struct phyr_list_dump list;

	assert_card_is_high();
	import.fd = export_buffer(vram, handle);
	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_IMPORT, &import), 0);
	igt_assert_eq_u64(import.total, SZ_1M);
	igt_assert_eq(phyr_list_dump_read(&card, vram_info(vram, handle).id,
					  &list), 0);
	if (!iommu_is_on())
		igt_assert_eq_u64(range.addr, list.vecs[0].paddr);
	phyr_list_dump_free(&list);
	close(import.fd);
	close(vram);
	close(test);
}

igt_main()
{
	igt_fixture()
		card = vram_device(0);

	igt_describe("The engine copies behind an IOMMU and is refused without one");
	igt_subtest("engine")
		refused();

	igt_describe("A buffer that may be in system memory is moved there for the engine");
	igt_subtest("engine-moved")
		moved();

	igt_describe("The buffer stays in system memory while the engine imports it");
	igt_subtest("engine-moved-and-kept")
		moved_and_kept();

	igt_describe("A buffer imported while in system memory can be used after a move");
	igt_subtest("engine-imported-in-system")
		imported_in_system();

	igt_describe("The engine is never given an address above its mask, whoever exports");
	igt_subtest("engine-high-table")
		high_table();

	igt_describe("After a refusal the engine still copies");
	igt_subtest("engine-goes-on")
		copy_after_refusal();

	igt_describe("A device with a 64-bit mask maps the same memory");
	igt_subtest("wide-mask")
		wide_mask();
}

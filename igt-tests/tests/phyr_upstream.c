// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <string.h>

#include "lib.h"

IGT_TEST_DESCRIPTION("Bugs of the stock kernel's dma_buf_phys_vec_to_sgt() behind an IOMMU, compared with phyr on the same ranges, card and device");

static int test;

static int map(int dmabuf, uint32_t api, uint32_t iterations,
	       struct phyr_test_import *import)
{
	*import = (struct phyr_test_import){
		.fd = dmabuf,
		.api = api,
		.iterations = iterations,
	};
	return phyr_ioctl(test, PHYR_TEST_IOC_IMPORT, import);
}

static int map_stock(uint64_t count, uint64_t len, uint64_t stride)
{
	int dmabuf = test_export(test, PHYR_TEST_STYLE_STOCK, 0, count, len,
				 stride);
	struct phyr_test_import import;
	int err = map(dmabuf, PHYR_TEST_API_STOCK, 1, &import);

	if (!err)
		igt_assert_eq_u64(import.total, count * len);
	close(dmabuf);
	return err;
}

static void map_phyr(uint64_t count, uint64_t len, uint64_t stride)
{
	int dmabuf = test_export(test, PHYR_TEST_STYLE_PHYR, 0, count, len,
				 stride);
	struct phyr_test_import import;

	igt_assert_eq(map(dmabuf, PHYR_TEST_API_PHYR, 1, &import), 0);
	igt_assert_eq_u64(import.total, count * len);
	igt_assert_eq_u64(import.nr_ranges, 1);
	close(dmabuf);
}

static void one_range(void)
{
	igt_assert_eq(map_stock(1, SZ_1M, 0), 0);
	map_phyr(1, SZ_1M, 0);
}

static void ranges(uint64_t count, uint64_t len, uint64_t stride)
{
	int err = map_stock(count, len, stride);

	igt_assert_f(err == -EADDRINUSE,
		     "the stock kernel's dma_buf_phys_vec_to_sgt() returned %d (%s) for %" PRIu64
		     " ranges, expected -EADDRINUSE, a known bug: it links each range at offset 0 of the IOVA. If the kernel was fixed, change this test\n",
		     err, strerror(-err), count);
	igt_info("stock kernel, %" PRIu64 " ranges: %s\n", count,
		 strerror(-err));
	map_phyr(count, len, stride);
	igt_info("phyr, the same %" PRIu64 " ranges: mapped as one range\n", count);
}

/* Number of objects that @maps maps leak in kmalloc-32. */
static int64_t leaked_objects(uint32_t style, uint32_t api, int maps)
{
	int dmabuf = test_export(test, style, 0, 1, SZ_1M, 0);
	struct phyr_test_import import;
	uint64_t before;

	/* Map once first, for objects that are allocated only once. */
	igt_assert_eq(map(dmabuf, api, 1, &import), 0);
	before = kmalloc_objects(32);
	igt_assert_eq(map(dmabuf, api, maps, &import), 0);
	close(dmabuf);
	return kmalloc_objects(32) - before;
}

static void leak(void)
{
	int maps = repeats(20000);
	int64_t stock = leaked_objects(PHYR_TEST_STYLE_STOCK,
				       PHYR_TEST_API_STOCK, maps);
	int64_t phyr = leaked_objects(PHYR_TEST_STYLE_PHYR,
				      PHYR_TEST_API_PHYR, maps);

	igt_info("objects in kmalloc-32 after %d maps and unmaps: stock kernel %+"
		 PRId64 ", phyr %+" PRId64 "\n", maps, stock, phyr);
	igt_assert_f(stock > maps * 9 / 10,
		     "the stock kernel leaked %" PRId64 " objects in %d maps, expected one per map, a known bug. If the kernel was fixed, change this test\n",
		     stock, maps);
	igt_assert_f(phyr < maps / 20,
		     "phyr leaked %" PRId64 " objects in %d maps\n", phyr,
		     maps);
}

igt_main()
{
	igt_fixture() {
		igt_require_f(iommu_is_on(),
			      "the stock kernel's bugs occur only behind an IOMMU\n");
		test = open_phyr_test(SECOND_IVSHMEM);
	}

	igt_describe("The stock kernel and phyr both map one range");
	igt_subtest("one-range")
		one_range();

	igt_describe("The stock kernel fails to map two ranges, phyr maps them");
	igt_subtest("two-ranges")
		ranges(2, SZ_4K, SZ_64K);

	igt_describe("The stock kernel fails to map 512 ranges, phyr maps them");
	igt_subtest("many-ranges")
		ranges(512, SZ_4K, SZ_64K);

	igt_describe("The stock kernel leaks a scatterlist per map, phyr nothing");
	igt_subtest("leak")
		leak();
}

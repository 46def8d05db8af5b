// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <string.h>

#include "lib.h"

IGT_TEST_DESCRIPTION("What the stock kernel's dma_buf_phys_vec_to_sgt() cannot do, and phyr does, over the same ranges of the same card for the same device behind an IOMMU");

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
		     "the stock kernel's dma_buf_phys_vec_to_sgt() gave %d (%s) for %" PRIu64
		     " ranges, expected its known -EADDRINUSE: it links each range at offset 0 of the IOVA. If the kernel was repaired, this test is to be changed; phyr is not what failed here\n",
		     err, strerror(-err), count);
	igt_info("stock kernel, %" PRIu64 " ranges: %s\n", count,
		 strerror(-err));
	map_phyr(count, len, stride);
	igt_info("phyr, the same %" PRIu64 " ranges: mapped as one\n", count);
}

/* Objects that @maps maps leave behind in kmalloc-32. */
static int64_t left_behind(uint32_t style, uint32_t api, int maps)
{
	int dmabuf = test_export(test, style, 0, 1, SZ_1M, 0);
	struct phyr_test_import import;
	uint64_t before;

	/* Once before, for what is allocated but once. */
	igt_assert_eq(map(dmabuf, api, 1, &import), 0);
	before = kmalloc_objects(32);
	igt_assert_eq(map(dmabuf, api, maps, &import), 0);
	close(dmabuf);
	return kmalloc_objects(32) - before;
}

static void leak(void)
{
	int maps = repeats(20000);
	int64_t stock = left_behind(PHYR_TEST_STYLE_STOCK, PHYR_TEST_API_STOCK,
				    maps);
	int64_t phyr = left_behind(PHYR_TEST_STYLE_PHYR, PHYR_TEST_API_PHYR,
				   maps);

	igt_info("objects in kmalloc-32 after %d maps and unmaps: stock kernel %+"
		 PRId64 ", phyr %+" PRId64 "\n", maps, stock, phyr);
	igt_assert_f(stock > maps * 9 / 10,
		     "the stock kernel leaked %" PRId64 " objects in %d maps, expected its known one per map; if it was repaired, this test is to be changed\n",
		     stock, maps);
	igt_assert_f(phyr < maps / 20,
		     "phyr left %" PRId64 " objects behind in %d maps\n", phyr,
		     maps);
}

igt_main()
{
	igt_fixture() {
		igt_require_f(iommu_is_on(),
			      "the stock kernel's failures need an IOMMU\n");
		test = open_phyr_test(SECOND_IVSHMEM);
	}

	igt_describe("One range: both can");
	igt_subtest("one-range")
		one_range();

	igt_describe("Two ranges: the stock kernel fails, phyr maps them");
	igt_subtest("two-ranges")
		ranges(2, SZ_4K, SZ_64K);

	igt_describe("512 ranges: the stock kernel fails, phyr maps them");
	igt_subtest("many-ranges")
		ranges(512, SZ_4K, SZ_64K);

	igt_describe("The stock kernel leaks a scatterlist with every map, phyr nothing");
	igt_subtest("leak")
		leak();
}

// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "lib.h"
#include "log.h"

IGT_TEST_DESCRIPTION("Stock exporters whose sg_table lies are refused before any DMA");

#define PART	SZ_4K

/* /dev/phyr_test, whose exporter has the second ivshmem and whose importer is edu */
static int test;

/* Where @addr is, seen from the exporter's BAR */
static uint64_t at(uint64_t addr)
{
	return addr - test_bar(test);
}

/* Map the first page for edu. The whole table is checked. */
static int map_error(int dmabuf)
{
	struct phyr_test_import import = {
		.fd = dmabuf,
		.api = PHYR_TEST_API_PHYR,
		.len = PART,
		.iterations = 1,
	};

	return phyr_ioctl(test, PHYR_TEST_IOC_IMPORT, &import);
}

/*
 * Copy from there first: if the exporter is believed, the engine then only reads
 * what it must not.
 */
static int copy_error(int index, int dmabuf)
{
	int engine = open_copy(index), err;
	uint32_t own = create_own(engine, PART);
	uint32_t imported = import_buffer(engine, dmabuf);

	fill_own(engine, own, PART, 1);
	err = phyr_copy_run(engine, imported, 0, own, 0, PART);
	if (err) {
		igt_assert_eq(phyr_copy_run(engine, own, 0, imported, 0, PART),
			      err);
		assert_own(engine, own, PART, 1);
	}
	close(engine);
	return err;
}

/* No device is given such a table. */
static void refused(uint32_t style, uint64_t start, uint64_t count,
		    uint64_t len, uint64_t stride, int err)
{
	int dmabuf = test_export(test, style, start, count, len, stride);

	igt_assert_eq(map_error(dmabuf), err);
	for (int i = 0; i < 2; i++)
		igt_assert_eq(copy_error(i, dmabuf), err);
	close(dmabuf);
}

static void require_iommu(void)
{
	igt_require_f(iommu_is_on(),
		      "without an IOMMU every address may be right\n");
}

/*
 * A BAR's physical address is right without an IOMMU, and below a switch that
 * the two devices share.
 */
static void raw_bar(uint64_t count)
{
	int dmabuf = test_export(test, PHYR_TEST_STYLE_RAW, SZ_1M, count,
				 SZ_64K, 2 * SZ_64K);
	bool shared = is_on_switch();
	int err = iommu_is_on() ? -EREMOTEIO : 0;

	igt_assert_eq(map_error(dmabuf), shared ? 0 : err);
	/* QEMU's switch sends peer traffic to the IOMMU all the same. */
	if (!shared || !err)
		igt_assert_eq(copy_error(0, dmabuf), err);
	/* The second engine is not below the switch. */
	igt_assert_eq(copy_error(1, dmabuf), err);
	close(dmabuf);
}

/*
 * Much memory, because the devices' IOVA allocators return similar addresses: an
 * engine has as much mapped only in its own tests.
 */
static void other_device(void)
{
	int dmabuf = test_export(test, PHYR_TEST_STYLE_OTHER, 0, 1, SZ_16M, 0);

	require_iommu();
	igt_assert_eq(map_error(dmabuf), 0);
	for (int i = 0; i < 2; i++)
		igt_assert_eq(copy_error(i, dmabuf), -EREMOTEIO);
	close(dmabuf);
}

/* Copy through a table of many mappings and look at the bytes. */
static void copy_mapped(uint64_t count)
{
	uint64_t size = count * SZ_4K;
	int dmabuf = test_export(test, PHYR_TEST_STYLE_MAPPED, SZ_1M, count,
				 SZ_4K, SZ_64K), engine = open_copy(0);
	uint32_t in = create_own(engine, size), out = create_own(engine, size);
	uint32_t imported;

	igt_assert_eq(map_error(dmabuf), 0);
	imported = import_buffer(engine, dmabuf);
	fill_own(engine, in, size, 2);
	copy_bytes(engine, in, imported, size);
	copy_bytes(engine, imported, out, size);
	assert_own(engine, out, size, 2);
	close(engine);
	close(dmabuf);
}

/* The kernel's helper maps one extent behind an IOMMU, many below a switch. */
static void from_helper(void)
{
	uint64_t count = iommu_is_on() && !is_on_switch() ? 1 : 500;
	int dmabuf = test_export(test, PHYR_TEST_STYLE_STOCK, SZ_1M, count,
				 SZ_4K, SZ_64K);

	igt_assert_eq(map_error(dmabuf), 0);
	close(dmabuf);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* The time is not asserted: the host may be busy. */
static void table_cost(uint64_t count, uint32_t times)
{
	int dmabuf = test_export(test, PHYR_TEST_STYLE_REPEATED, 0, count,
				 SZ_4K, 0);
	struct phyr_test_import import = {
		.fd = dmabuf,
		.api = PHYR_TEST_API_PHYR,
		.iterations = times,
	};
	uint64_t start = now_ns();

	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_IMPORT, &import), 0);
	igt_info("Figures: map and unmap of a table of %" PRIu64 " entries: %" PRIu64 " ns\n",
		 count, (now_ns() - start) / times);
	close(dmabuf);
}

static void large_table(void)
{
	table_cost(1, 1000);
	table_cost(256, 100);
	table_cost(262144, 1);
}

/* The kernel limits how often it says so. */
static void assert_log_says(int dmabuf, int err, const char *why)
{
	int log = open_log();
	char expected[256];
	bool said = false;

	/* The end of the line: nothing follows, no address either. */
	snprintf(expected, sizeof(expected),
		 ": phyr: cannot use the table of a dma-buf of phyr_test: %s\n",
		 why);
	for (int i = 0; i < 100 && !said; i++) {
		igt_assert_eq(map_error(dmabuf), err);
		said = log_has(log, expected);
		if (!said)
			usleep(200000);
	}
	igt_assert_f(said, "the kernel log does not say: %s", expected);
	close(log);
}

static void log_names_exporter(void)
{
	int dmabuf = test_export(test, PHYR_TEST_STYLE_MAPPED, 0, 1,
				 SZ_4G + SZ_64K, 0);

	assert_log_says(dmabuf, -EINVAL, "it is shorter than the dma-buf");
	close(dmabuf);
	if (!iommu_is_on() || is_on_switch())
		return;
	dmabuf = test_export(test, PHYR_TEST_STYLE_RAW, 0, 1, SZ_64K, 0);
	assert_log_says(dmabuf, -EREMOTEIO,
			"an address is neither mapped for the device nor a bus address of a peer");
	close(dmabuf);
}

igt_main()
{
	igt_fixture() {
		bind_engines();
		test = open_phyr_test(SECOND_IVSHMEM);
	}

	igt_describe("Physical addresses of a BAR are refused where an IOMMU translates");
	igt_subtest("raw-bar") {
		raw_bar(1);
		raw_bar(16);
	}

	igt_describe("Addresses that were mapped for another device are refused");
	igt_subtest("other-device")
		other_device();

	igt_describe("Addresses that are not mapped any more are refused");
	igt_subtest("stale") {
		require_iommu();
		refused(PHYR_TEST_STYLE_STALE, 0, 1, SZ_16M, 0,
			-EREMOTEIO);
		refused(PHYR_TEST_STYLE_STALE, 0, 16, SZ_64K, SZ_64K,
			-EREMOTEIO);
	}

	igt_describe("The address of interrupts, which no IOMMU maps, is refused");
	igt_subtest("interrupts") {
		require_iommu();
		refused(PHYR_TEST_STYLE_RAW, at(0xfee00000), 1, SZ_4K, 0,
			-EREMOTEIO);
	}

	igt_describe("Address 0, the start of memory, is refused");
	igt_subtest("zero") {
		require_iommu();
		refused(PHYR_TEST_STYLE_RAW, at(0), 1, SZ_64K, 0,
			-EREMOTEIO);
	}

	igt_describe("One wrong segment among 255 right ones is found");
	igt_subtest("one-of-many") {
		require_iommu();
		igt_require_f(!is_on_switch(), "below the switch it is right\n");
		refused(PHYR_TEST_STYLE_ONE_RAW, 0, 256, SZ_4K, SZ_4K,
			-EREMOTEIO);
	}

	igt_describe("A length that was cut to 32 bits is refused, also to map a part that it covers");
	igt_subtest("cut-length") {
		refused(PHYR_TEST_STYLE_MAPPED, 0, 1, SZ_4G + SZ_64K, 0,
			-EINVAL);
		refused(PHYR_TEST_STYLE_MAPPED, 0, 3, SZ_4G + SZ_64K, 0,
			-EINVAL);
	}

	igt_describe("Addresses above the engine's mask are refused");
	igt_subtest("beyond-mask") {
		int dmabuf = test_export(test, PHYR_TEST_STYLE_RAW,
					 at(SZ_4G + SZ_1M), 1, SZ_64K, 0);

		igt_assert_eq(map_error(dmabuf), iommu_is_on() ? -EREMOTEIO : 0);
		for (int i = 0; i < 2; i++)
			igt_assert_eq(copy_error(i, dmabuf), -EREMOTEIO);
		close(dmabuf);
	}

	igt_describe("The kernel log names the exporter and the reason, and no address");
	igt_subtest("log")
		log_names_exporter();

	igt_describe("DMA through 256 mappings of an honest exporter, with bytes verified");
	igt_subtest("honest") {
		igt_require_f(!iommu_is_on() || !is_on_switch(),
			      "QEMU does not map memory behind a switch for peers outside it\n");
		copy_mapped(1);
		copy_mapped(256);
	}

	igt_describe("Tables of the kernel's helper pass, with bus addresses below a switch");
	igt_subtest("helper")
		from_helper();

	igt_describe("Tables of up to 262,144 entries pass; the time is printed");
	igt_subtest("large-table")
		large_table();
}

// SPDX-License-Identifier: MIT
/* What can be mapped where */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "domain.h"

/* The IOVAs that the engine, with its mask of 32 bits, has. */
#define LAST_IOVA	0xffffffffull

#define EXTENTS		512
#define STRIDE		SZ_64K
#define SIZE		(EXTENTS * SZ_4K)

static int export_extents(const struct domain *domain)
{
	return test_export(domain->test, PHYR_TEST_STYLE_PHYR, 0, EXTENTS,
			   SZ_4K, STRIDE);
}

/* The device gets no domain: all calls fail with @error. */
static void assert_refused(int engine, int error)
{
	struct phyr_domain_info info;
	char busid[20], driver[64];
	int fd;

	run_command("modprobe phyr_domain");
	igt_assert(pci_find("0x1000", "0x0012", engine, busid));
	pci_driver(busid, driver, sizeof(driver));
	pci_bind(busid, "phyr_domain");
	fd = open("/dev/phyr_domain", O_RDWR | O_CLOEXEC);
	igt_assert(fd >= 0);
	igt_assert_eq(phyr_ioctl(fd, PHYR_DOMAIN_IOC_INFO, &info), error);
	close(fd);
	pci_bind(busid, driver);
}

void domain_no_iommu(void)
{
	igt_require_f(iommu_is("off"), "there is an IOMMU\n");
	assert_refused(1, -ENODEV);
}

/* The first engine is behind the switch. Its neighbours use the DMA API. */
void domain_shared_group(void)
{
	static const struct {
		const char *vendor, *device;
		int index;
	} others[] = {
		{ "0x1af4", "0x1110", 0 }, { "0x1af4", "0x1110", 1 },
		{ "0x1234", "0x11e8", 0 },
	};
	char busids[ARRAY_SIZE(others)][20], drivers[ARRAY_SIZE(others)][64];

	igt_require_f(is_on_switch(), "all groups have one device\n");
	for (unsigned int i = 0; i < ARRAY_SIZE(others); i++) {
		igt_assert(pci_find(others[i].vendor, others[i].device,
				    others[i].index, busids[i]));
		pci_driver(busids[i], drivers[i], sizeof(drivers[i]));
		if (drivers[i][0])
			remove_device(busids[i], UNBIND);
	}
	assert_refused(0, -EINVAL);
	for (unsigned int i = 0; i < ARRAY_SIZE(others); i++)
		if (drivers[i][0])
			pci_bind(busids[i], drivers[i]);
}

void domain_many_extents(void)
{
	struct domain domain = open_domain();
	int dmabuf = export_extents(&domain);
	uint32_t id = attach(&domain, dmabuf);
	struct phyr_domain_map whole, part;

	whole = map(&domain, id, 0, SIZE, DOMAIN_IOVA);
	igt_assert_eq_u64(whole.smallest, SZ_4K);
	igt_assert_eq_u64(whole.largest, SZ_4K);
	igt_assert_eq_u64(whole.count, EXTENTS);
	igt_assert_eq_u64(state(&domain, id).mapped, SIZE);
	assert_translated(&domain, dmabuf, 0, SIZE, DOMAIN_IOVA);
	assert_unmapped(&domain, dmabuf, SZ_1M, DOMAIN_IOVA + SIZE);
	assert_unmapped(&domain, dmabuf, SZ_1M, DOMAIN_IOVA - SZ_1M);

	/* The same memory, once more. */
	part = map(&domain, id, 77 * SZ_4K, 100 * SZ_4K,
		   DOMAIN_IOVA + SIZE + SZ_4K);
	igt_assert_eq_u64(part.count, 100);
	assert_translated(&domain, dmabuf, 77 * SZ_4K, 100 * SZ_4K,
			  DOMAIN_IOVA + SIZE + SZ_4K);
	unmap_one(&domain, &whole);
	assert_unmapped(&domain, dmabuf, SIZE, DOMAIN_IOVA);
	assert_translated(&domain, dmabuf, 77 * SZ_4K, 100 * SZ_4K,
			  DOMAIN_IOVA + SIZE + SZ_4K);
	unmap_one(&domain, &part);
	assert_unmapped(&domain, dmabuf, SIZE, DOMAIN_IOVA);
	assert_unmapped(&domain, dmabuf, SIZE, DOMAIN_IOVA + SIZE);
	detach(&domain, id);
	close(dmabuf);
	close_domain(&domain);
}

/* The pages of one extent: always the largest that fits and is aligned. */
static struct phyr_domain_map expected_pages(uint64_t sizes, uint64_t iova,
					     uint64_t paddr, uint64_t len)
{
	struct phyr_domain_map pages = { .smallest = UINT64_MAX };
	uint64_t page;

	for (; len; len -= page, iova += page, paddr += page) {
		for (page = 1ull << 62; page; page /= 2)
			if (page & sizes && page <= len &&
			    !((iova | paddr) % page))
				break;
		igt_assert(page);
		pages.count++;
		if (page < pages.smallest)
			pages.smallest = page;
		if (page > pages.largest)
			pages.largest = page;
	}
	return pages;
}

void domain_page_sizes(void)
{
	static const struct {
		uint64_t start, len, iova;
	} maps[] = {
		{ 0, 16 * SZ_1M, DOMAIN_IOVA },
		{ 0, 16 * SZ_1M, DOMAIN_IOVA + SZ_4K },
		{ 0, 16 * SZ_1M, DOMAIN_IOVA + 2 * SZ_1M },
		{ SZ_4K, 16 * SZ_1M, DOMAIN_IOVA + SZ_4K },
		{ 3 * SZ_64K, 5 * SZ_1M + SZ_4K, DOMAIN_IOVA + 3 * SZ_64K },
		{ 32 * SZ_1M, 32 * SZ_1M, DOMAIN_IOVA },
	};
	struct domain domain = open_domain();
	uint64_t bar = test_bar(domain.test);
	uint64_t largest = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(maps); i++) {
		struct phyr_domain_map got, want;
		uint32_t id;
		int dmabuf;

		dmabuf = test_export(domain.test, PHYR_TEST_STYLE_PHYR,
				     maps[i].start, 1, maps[i].len, 0);
		id = attach(&domain, dmabuf);
		got = map(&domain, id, 0, maps[i].len, maps[i].iova);
		want = expected_pages(domain.info.page_sizes, maps[i].iova,
				      bar + maps[i].start, maps[i].len);
		igt_assert_eq_u64(got.smallest, want.smallest);
		igt_assert_eq_u64(got.largest, want.largest);
		igt_assert_eq_u64(got.count, want.count);
		assert_translated(&domain, dmabuf, 0, maps[i].len,
				  maps[i].iova);
		unmap_one(&domain, &got);
		assert_unmapped(&domain, dmabuf, maps[i].len, maps[i].iova);
		detach(&domain, id);
		close(dmabuf);
		if (got.largest > largest)
			largest = got.largest;
	}
	igt_info("Figures: page sizes %#llx, largest page used %" PRIu64 " KiB\n",
		 domain.info.page_sizes, largest >> 10);
	igt_assert(largest >= 2 * SZ_1M);
	close_domain(&domain);
}

void domain_bad_arguments(void)
{
	static const struct {
		uint64_t offset, len, iova;
		int error;
	} bad[] = {
		{ 0, 0, DOMAIN_IOVA, -EINVAL },
		{ 1, SZ_4K, DOMAIN_IOVA, -EINVAL },
		{ 0, 4095, DOMAIN_IOVA, -EINVAL },
		{ 0, 1, DOMAIN_IOVA, -EINVAL },
		{ 0, SZ_4K, DOMAIN_IOVA + 1, -EINVAL },
		{ 0, SZ_4K, DOMAIN_IOVA + 2048, -EINVAL },
		{ 0, SIZE + SZ_4K, DOMAIN_IOVA, -EINVAL },
		{ SIZE, SZ_4K, DOMAIN_IOVA, -EINVAL },
		{ SZ_4K, SIZE, DOMAIN_IOVA, -EINVAL },
		{ SZ_4K, -SZ_4K, DOMAIN_IOVA, -EINVAL },
		{ -SZ_4K, 2 * SZ_4K, DOMAIN_IOVA, -EINVAL },
		{ 0, -SZ_4K, DOMAIN_IOVA, -EINVAL },
		{ 0, 2 * SZ_4K, -SZ_4K, -EINVAL },
		{ 0, SIZE, -SZ_4K, -EINVAL },
		{ 0, SZ_4K, LAST_IOVA + 1, -ERANGE },
		{ 0, SZ_4K, 1ull << 48, -ERANGE },
		{ 0, SZ_4K, 1ull << 62, -ERANGE },
	};
	struct domain domain = open_domain();
	struct phyr_domain_map args = {
		.len = SZ_4K,
		.iova = DOMAIN_IOVA,
	};
	int dmabuf = export_extents(&domain);

	args.id = attach(&domain, dmabuf);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		int err = try_map(&domain, args.id, bad[i].offset, bad[i].len,
				  bad[i].iova);

		igt_assert_f(err == bad[i].error, "map %u: %d, expected %d\n",
			     i, err, bad[i].error);
	}
	igt_assert_eq(phyr_ioctl(domain.fd, PHYR_DOMAIN_IOC_MAP, &args),
		      -EINVAL);
	assert_unmapped(&domain, dmabuf, SIZE, DOMAIN_IOVA);
	close(dmabuf);
	close_domain(&domain);
}

void domain_in_use(void)
{
	struct domain domain = open_domain();
	int dmabuf = export_extents(&domain);
	uint32_t id = attach(&domain, dmabuf), other = attach(&domain, dmabuf);
	const struct {
		uint64_t len, iova;
		int error;
	} maps[] = {
		{ SIZE, DOMAIN_IOVA, -EADDRINUSE },
		{ SZ_4K, DOMAIN_IOVA, -EADDRINUSE },
		{ SZ_4K, DOMAIN_IOVA + SIZE / 2, -EADDRINUSE },
		{ SZ_4K, DOMAIN_IOVA + SIZE - SZ_4K, -EADDRINUSE },
		{ 2 * SZ_4K, DOMAIN_IOVA - SZ_4K, -EADDRINUSE },
		{ 2 * SZ_4K, DOMAIN_IOVA + SIZE - SZ_4K, -EADDRINUSE },
		{ SZ_4K, DOMAIN_IOVA - SZ_4K, 0 },
		{ SZ_4K, DOMAIN_IOVA + SIZE, 0 },
		/* What the driver has mapped itself. */
		{ SZ_4K, PHYR_DOMAIN_SCRIPT, -EADDRINUSE },
		{ SZ_64K, PHYR_DOMAIN_SCRIPT - 4 * SZ_4K, -EADDRINUSE },
		{ SZ_4K, PHYR_DOMAIN_SCRATCH, -EADDRINUSE },
		{ SIZE, PHYR_DOMAIN_SCRATCH - SZ_1M, -EADDRINUSE },
		{ SZ_4K, PHYR_DOMAIN_SCRATCH + PHYR_DOMAIN_SCRATCH_LEN - SZ_4K,
		  -EADDRINUSE },
		{ SZ_4K, PHYR_DOMAIN_SCRATCH + PHYR_DOMAIN_SCRATCH_LEN, 0 },
	};
	struct phyr_domain_map whole;

	whole = map(&domain, id, 0, SIZE, DOMAIN_IOVA);
	for (unsigned int i = 0; i < ARRAY_SIZE(maps); i++) {
		for (unsigned int j = 0; j < 2; j++) {
			int err = try_map(&domain, j ? id : other, 0,
					  maps[i].len, maps[i].iova);

			igt_assert_f(err == maps[i].error,
				     "map %u: %d, expected %d\n", i, err,
				     maps[i].error);
		}
	}
	assert_translated(&domain, dmabuf, 0, SIZE, DOMAIN_IOVA);
	/* What was mapped before the page that is in use */
	assert_unmapped(&domain, dmabuf, SZ_1M, PHYR_DOMAIN_SCRATCH - SZ_1M);
	assert_unmapped(&domain, dmabuf, 4 * SZ_4K,
			PHYR_DOMAIN_SCRIPT - 4 * SZ_4K);

	/* The driver's own mappings still work. */
	phyr_fill(domain.scratch, 1, 0, SZ_4K);
	memset(domain.scratch + SZ_64K, 0, SZ_4K);
	copy(&domain, PHYR_DOMAIN_SCRATCH, PHYR_DOMAIN_SCRATCH + SZ_64K, SZ_4K,
	     0);
	assert_bytes(domain.scratch + SZ_64K, 1, 0, SZ_4K);
	unmap_one(&domain, &whole);
	assert_unmapped(&domain, dmabuf, SIZE, DOMAIN_IOVA);
	close(dmabuf);
	close_domain(&domain);
}

/* Expect that neither end of a region can be mapped. */
static void assert_reserved(const struct domain *domain, uint32_t id,
			    uint64_t first, uint64_t last, const char *what)
{
	const uint64_t iovas[] = { first & -SZ_4K, last & -SZ_4K };

	for (unsigned int i = 0; i < ARRAY_SIZE(iovas); i++) {
		int want = iovas[i] > LAST_IOVA ? -ERANGE : -EINVAL;
		int err = try_map(domain, id, 0, SZ_4K, iovas[i]);

		igt_assert_f(err == want, "%s at %#" PRIx64 ": %d, expected %d\n",
			     what, iovas[i], err, want);
	}
	if (last < LAST_IOVA - SIZE && first > SIZE)
		igt_assert_eq(try_map(domain, id, 0, SIZE,
				      (first & -SZ_4K) - SIZE + SZ_4K), -EINVAL);
}

static unsigned int assert_reserved_regions(const struct domain *domain,
					    uint32_t id)
{
	uint64_t first, last;
	unsigned int n = 0;
	char path[96];
	FILE *file;

	snprintf(path, sizeof(path),
		 "/sys/bus/pci/devices/%s/iommu_group/reserved_regions",
		 domain->busid);
	file = fopen(path, "re");
	igt_assert_f(file, "%s: %s\n", path, strerror(errno));
	while (fscanf(file, "%" SCNx64 " %" SCNx64 " %*s", &first, &last) == 2) {
		assert_reserved(domain, id, first, last, "reserved region");
		n++;
	}
	fclose(file);
	return n;
}

/* The root bus's windows, in the first column of the file. */
static unsigned int assert_bridge_windows(const struct domain *domain,
					  uint32_t id)
{
	uint64_t first, last;
	unsigned int n = 0;
	char line[256];
	FILE *file = fopen("/proc/iomem", "re");

	igt_assert_f(file, "/proc/iomem: %s\n", strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		if (line[0] == ' ' || !strstr(line, ": PCI Bus 0000:00") ||
		    sscanf(line, "%" SCNx64 "-%" SCNx64, &first, &last) != 2)
			continue;
		assert_reserved(domain, id, first, last, "PCI window");
		n++;
	}
	fclose(file);
	return n;
}

void domain_reserved(void)
{
	struct domain domain = open_domain();
	int dmabuf = export_extents(&domain);
	uint32_t id = attach(&domain, dmabuf);
	unsigned int regions, windows;

	regions = assert_reserved_regions(&domain, id);
	windows = assert_bridge_windows(&domain, id);
	igt_info("%u reserved regions, %u windows\n", regions, windows);
	igt_assert(regions && windows);
	igt_assert_eq(try_map(&domain, id, 0, SIZE, DOMAIN_IOVA), 0);
	close(dmabuf);
	close_domain(&domain);
}

/* The DMA API does not work for the device, so neither does what uses it. */
void domain_other_apis(void)
{
	struct domain domain = open_domain();
	struct phyr_domain_map args = {
		.prot = DOMAIN_RW,
		.len = SZ_4K,
		.native = 1,
	};
	int udmabuf = create_udmabuf(SZ_64K);
	int stock = test_export(domain.test, PHYR_TEST_STYLE_STOCK, 0, 1,
				SZ_64K, 0);
	int dmabuf = export_extents(&domain);
	uint32_t id;

	igt_assert_eq(try_attach(&domain, udmabuf, &id), -EOPNOTSUPP);
	igt_assert_eq(try_attach(&domain, stock, &id), -EOPNOTSUPP);
	args.id = attach(&domain, dmabuf);
	igt_assert_eq(phyr_ioctl(domain.fd, PHYR_DOMAIN_IOC_MAP, &args),
		      -EINVAL);
	close(dmabuf);
	close(stock);
	close(udmabuf);
	close_domain(&domain);
}

/* Of several dma-bufs, some of them twice, in one call. */
void domain_unmap_together(void)
{
	struct domain domain = open_domain();
	struct phyr_domain_unmap all = { 0 };
	int dmabufs[5];

	for (unsigned int i = 0; i < ARRAY_SIZE(dmabufs); i++) {
		uint32_t id;

		dmabufs[i] = test_export(domain.test, PHYR_TEST_STYLE_PHYR,
					 i * SZ_1M, 8, SZ_4K, SZ_64K);
		for (unsigned int j = 0; j < 2; j++) {
			id = attach(&domain, dmabufs[i]);
			map(&domain, id, 0, 8 * SZ_4K,
			    DOMAIN_IOVA + (2 * i + j) * 8 * SZ_4K);
		}
	}
	for (unsigned int i = 0; i < 10; i++)
		assert_translated(&domain, dmabufs[i / 2], 0, 8 * SZ_4K,
				  DOMAIN_IOVA + i * 8 * SZ_4K);
	igt_assert_eq(phyr_ioctl(domain.fd, PHYR_DOMAIN_IOC_UNMAP, &all), 0);
	for (unsigned int i = 0; i < 10; i++)
		assert_unmapped(&domain, dmabufs[i / 2], 8 * SZ_4K,
				DOMAIN_IOVA + i * 8 * SZ_4K);
	for (unsigned int i = 0; i < ARRAY_SIZE(dmabufs); i++)
		close(dmabufs[i]);
	close_domain(&domain);
}

/*
 * One of two tasks: page by page between the other's pages, in the same page
 * tables; and at an IOVA that both want, where one of them may fail.
 */
static void map_beside(const struct domain *domain, int dmabuf, unsigned int task)
{
	const uint64_t both = DOMAIN_IOVA + 8 * SZ_1M;
	uint32_t id = attach(domain, dmabuf);
	struct phyr_domain_map maps[8];
	int err;

	for (int round = 0; round < repeats(30); round++) {
		for (unsigned int i = 0; i < ARRAY_SIZE(maps); i++) {
			uint64_t iova = DOMAIN_IOVA + (2 * i + task) * SZ_4K;

			maps[i] = map(domain, id, i * SZ_4K, SZ_4K, iova);
			assert_translated(domain, dmabuf, i * SZ_4K, SZ_4K,
					  iova);
		}
		err = try_map(domain, id, 0, 8 * SZ_4K, both);
		igt_assert(!err || err == -EADDRINUSE);
		for (unsigned int i = 0; i < ARRAY_SIZE(maps); i++) {
			uint64_t iova = DOMAIN_IOVA + (2 * i + task) * SZ_4K;

			assert_translated(domain, dmabuf, i * SZ_4K, SZ_4K,
					  iova);
			unmap_one(domain, &maps[i]);
			assert_unmapped(domain, dmabuf, SZ_4K, iova);
		}
	}
	detach(domain, id);
}

void domain_two_tasks(void)
{
	const uint64_t both = DOMAIN_IOVA + 8 * SZ_1M;
	struct domain domain = open_domain();
	int dmabufs[2];

	for (unsigned int i = 0; i < ARRAY_SIZE(dmabufs); i++)
		dmabufs[i] = test_export(domain.test, PHYR_TEST_STYLE_PHYR,
					 i * SZ_1M, 8, SZ_4K, SZ_64K);
	igt_fork(task, 2)
		map_beside(&domain, dmabufs[task], task);
	igt_waitchildren();
	for (unsigned int i = 0; i < ARRAY_SIZE(dmabufs); i++) {
		uint32_t id = attach(&domain, dmabufs[i]);

		assert_unmapped(&domain, dmabufs[i], 8 * SZ_4K, both);
		map(&domain, id, 0, 8 * SZ_4K, both);
		detach(&domain, id);
		close(dmabufs[i]);
	}
	close_domain(&domain);
}

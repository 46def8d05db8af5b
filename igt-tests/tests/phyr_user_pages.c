// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/mman.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "lib.h"

IGT_TEST_DESCRIPTION("User memory in pages of all sizes: entries of the list, cost and DMA, in a guest whose clock counts instructions (vm/run --icount)");

#define SZ_2M		(2 * SZ_1M)
#define SZ_1G		(1024 * SZ_1M)
#define SEED		91

/* vm/run --icount advances the clock by 2 ns per instruction. */
#define INSTRUCTIONS_PER_NS	0.5
#define REPEATS		3

#define HUGEPAGES	"/sys/kernel/mm/hugepages/hugepages-%" PRIu64 "kB/%s"

static int test = -1, engine = -1;

/*
 * Pages
 */

static uint64_t hugepages(uint64_t size, const char *name)
{
	char path[128];
	unsigned long long count = 0;
	FILE *file;

	snprintf(path, sizeof(path), HUGEPAGES, size / 1024, name);
	file = fopen(path, "r");
	if (!file)
		return 0;
	igt_assert_eq(fscanf(file, "%llu", &count), 1);
	fclose(file);
	return count;
}

static void set_hugepages(uint64_t size, unsigned int count)
{
	char path[128], text[16];

	snprintf(path, sizeof(path), HUGEPAGES, size / 1024, "nr_hugepages");
	snprintf(text, sizeof(text), "%u", count);
	write_file(path, text);
}

/* Pins of the whole system: a pin that is left, or undone twice, shows. */
static int64_t pins_now(void)
{
	unsigned long long value, acquired = 0, released = 0;
	char line[128];
	FILE *file;

	/* Adds up what each processor has counted. */
	file = fopen("/proc/sys/vm/stat_refresh", "r");
	igt_assert(file);
	while (fgets(line, sizeof(line), file))
		;
	fclose(file);
	file = fopen("/proc/vmstat", "r");
	igt_assert(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "nr_foll_pin_acquired %llu", &value) == 1)
			acquired = value;
		if (sscanf(line, "nr_foll_pin_released %llu", &value) == 1)
			released = value;
	}
	fclose(file);
	igt_assert(acquired);
	return acquired - released;
}

static void wait_for_pins(int64_t pins)
{
	for (int tries = 0; tries < 300 && pins_now() != pins; tries++)
		usleep(100000);
	igt_assert_eq(pins_now(), pins);
}

static uint8_t *map_anonymous(uint64_t size, int flags)
{
	uint8_t *mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	igt_assert_f(mem != MAP_FAILED, "mmap: %s\n", strerror(errno));
	return mem;
}

/* Touch one byte per @stride. */
static void touch(uint8_t *mem, uint64_t from, uint64_t stride)
{
	for (uint64_t at = from; at < SZ_1G; at += stride)
		mem[at] = 1;
}

static uint8_t *map_aligned(uint64_t size, uint64_t align, int advice)
{
	uint8_t *mem = map_anonymous(size + align, MAP_NORESERVE);
	uint64_t skip = -(uintptr_t)mem % align;

	if (skip)
		unmap(mem, skip);
	unmap(mem + skip + size, align - skip);
	igt_assert_eq(madvise(mem + skip, size, advice), 0);
	return mem + skip;
}

/* Neighbours in the list are not neighbours in memory. */
static uint8_t *map_small(void)
{
	uint8_t *mem = map_aligned(SZ_1G, SZ_2M, MADV_NOHUGEPAGE);

	touch(mem, 0, 2 * SZ_4K);
	touch(mem, SZ_4K, 2 * SZ_4K);
	return mem;
}

static uint8_t *map_thp(void)
{
	uint8_t *mem = map_aligned(SZ_1G, SZ_2M, MADV_HUGEPAGE);

	touch(mem, 0, SZ_2M);
	return mem;
}

static uint8_t *map_hugetlb(uint64_t size, int flag)
{
	uint8_t *mem = map_anonymous(SZ_1G, MAP_HUGETLB | flag);

	touch(mem, 0, size);
	return mem;
}

/*
 * Lists and DMA
 */

static struct phyr_test_user pin(const void *mem, uint64_t len, uint32_t api,
				 bool write)
{
	struct phyr_test_user user = {
		.addr = (uintptr_t)mem, .len = len, .api = api, .write = write,
	};

	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_USER, &user), 0);
	return user;
}

static uint64_t entries(const void *mem, uint64_t len)
{
	return pin(mem, len, PHYR_TEST_API_PHYR, true).entries;
}

/* Instructions of pin and unpin; the minimum, because interrupts only add. */
static uint64_t cost(const void *mem, uint32_t api)
{
	uint64_t best = UINT64_MAX, now;
	struct phyr_test_user user;

	for (int i = 0; i < REPEATS; i++) {
		user = pin(mem, SZ_1G, api, true);
		now = (user.pin_ns + user.unpin_ns) * INSTRUCTIONS_PER_NS;
		if (now < best)
			best = now;
	}
	return best;
}

/* Both ways, in windows at the start, across large pages, and at the end. */
static void check_dma(uint8_t *mem)
{
	static const uint64_t windows[] = {
		0, 7, SZ_2M - SZ_64K - 3, SZ_1G / 2 - 100, SZ_1G - SZ_1M,
	};
	uint32_t user = create_user(engine, mem, SZ_1G, 0);
	uint32_t own = create_own(engine, SZ_1M);
	uint8_t *seen = map_own(engine, own, SZ_1M);

	igt_assert_eq_u64(pinned_bytes(), SZ_1G);
	for (unsigned int i = 0; i < ARRAY_SIZE(windows); i++) {
		uint8_t *window = mem + windows[i];

		phyr_fill(window, SEED + i, 0, SZ_1M);
		copy_part(engine, user, windows[i], own, 0, SZ_1M);
		assert_bytes(seen, SEED + i, 0, SZ_1M);
		phyr_fill(seen, SEED + 10 + i, 0, SZ_1M);
		copy_part(engine, own, 0, user, windows[i], SZ_1M);
		assert_bytes(window, SEED + 10 + i, 0, SZ_1M);
	}
	unmap(seen, SZ_1M);
	igt_assert_eq(phyr_close_handle(engine, own), 0);
	igt_assert_eq(phyr_close_handle(engine, user), 0);
	wait_for_pinned_bytes(0);
}

/**
 * struct figures - of 1 GiB
 * @entries: of the phyr list
 * @phyr: instructions of pin and unpin
 * @table: the same for pin_user_pages_fast() and sg_alloc_table_from_pages()
 */
struct figures {
	uint64_t entries;
	uint64_t phyr;
	uint64_t table;
};

static struct figures measure(uint8_t *mem, const char *pages)
{
	int64_t pins = pins_now();
	struct figures figures = {
		.entries = entries(mem, SZ_1G),
		.phyr = cost(mem, PHYR_TEST_API_PHYR),
		.table = cost(mem, PHYR_TEST_API_STOCK),
	};

	igt_info("Figures: 1 GiB in %s: %" PRIu64 " phyrs, %" PRIu64
		 " instructions to pin and unpin, %" PRIu64
		 " with an array of pages and an sg_table\n", pages,
		 figures.entries, figures.phyr, figures.table);
	check_dma(mem);
	unmap(mem, SZ_1G);
	wait_for_pins(pins);
	return figures;
}

static void small_pages(void)
{
	struct figures figures;

	set_hugepages(SZ_2M, 0);
	figures = measure(map_small(), "4 KiB pages");

	igt_assert_lte_u64(figures.entries, SZ_1G / SZ_4K);
	igt_assert_lte_u64(SZ_1G / SZ_4K / 2, figures.entries);
}

static void thp(void)
{
	struct figures figures;

	set_hugepages(SZ_2M, 0);
	figures = measure(map_thp(), "transparent huge pages");

	/* Where no 2 MiB are free, the kernel gives small pages. */
	igt_assert_lte_u64(figures.entries, SZ_1G / SZ_2M + 64);
}

static void hugetlb_2m(void)
{
	uint64_t before = hugepages(SZ_2M, "nr_hugepages");
	struct figures figures;

	set_hugepages(SZ_2M, SZ_1G / SZ_2M);
	igt_assert_eq_u64(hugepages(SZ_2M, "free_hugepages"), SZ_1G / SZ_2M);
	figures = measure(map_hugetlb(SZ_2M, MAP_HUGE_2MB),
			  "2 MiB hugetlb pages");
	igt_assert_lte_u64(figures.entries, SZ_1G / SZ_2M);
	igt_assert_eq_u64(hugepages(SZ_2M, "free_hugepages"), SZ_1G / SZ_2M);
	set_hugepages(SZ_2M, before);
}

static void hugetlb_1g(void)
{
	struct figures figures;

	igt_require_f(hugepages(SZ_1G, "free_hugepages"),
		      "no hugetlb page of 1 GiB; see hugepagesz= on the kernel's command line\n");
	figures = measure(map_hugetlb(SZ_1G, MAP_HUGE_1GB),
			  "one 1 GiB hugetlb page");
	igt_assert_eq_u64(figures.entries, 1);
	igt_assert_f(figures.phyr * 100 <= figures.table,
		     "%" PRIu64 " instructions are more than 1 %% of %" PRIu64 "\n",
		     figures.phyr, figures.table);
}

/*
 * Parts and sequences of hugetlb pages
 */

#define PAGES		8

static int create_hugetlb(void)
{
	int memfd = memfd_create("phyr", MFD_CLOEXEC | MFD_HUGETLB |
				 MAP_HUGE_2MB);

	igt_assert_f(memfd >= 0, "memfd_create: %s\n", strerror(errno));
	igt_assert_eq(ftruncate(memfd, PAGES * SZ_2M), 0);
	return memfd;
}

/* At the places of @order in a row: pages of @memfd, or small ones for -1 */
static uint8_t *map_row(int memfd, const int *order, unsigned int nr)
{
	uint8_t *mem = map_aligned(nr * SZ_2M, SZ_2M, MADV_NOHUGEPAGE);

	for (unsigned int i = 0; i < nr; i++) {
		if (order[i] >= 0)
			igt_assert(mmap(mem + i * SZ_2M, SZ_2M,
					PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_FIXED, memfd,
					order[i] * SZ_2M) != MAP_FAILED);
		memset(mem + i * SZ_2M, i + 1, SZ_2M);
	}
	return mem;
}

/* Pin parts of the row that start and end anywhere, and use them. */
static void pin_parts(uint8_t *mem, unsigned int nr)
{
	static const uint64_t starts[] = {
		0, 1, SZ_4K, SZ_2M - SZ_4K, SZ_2M - 1, SZ_2M, SZ_2M + SZ_4K,
	};
	int64_t pins = pins_now();
	uint64_t len;

	for (unsigned int i = 0; i < ARRAY_SIZE(starts); i++) {
		for (unsigned int j = 0; j < ARRAY_SIZE(starts); j++) {
			len = nr * SZ_2M - starts[i] - starts[j];
			entries(mem + starts[i], len);
			entries(mem + starts[i], 1 + starts[j]);
			igt_assert_eq(pins_now(), pins);
		}
	}
}

static void hugetlb_parts(void)
{
	static const int same[] = { 0, 0, 1, 1, 0 };
	static const int row[] = { 0, 1, 2, 3, 4, 5, 6, 7 };
	static const int between[] = { -1, 2, -1, 3, 4, -1 };
	uint64_t before = hugepages(SZ_2M, "nr_hugepages");
	uint8_t *mem;
	int memfd;

	set_hugepages(SZ_2M, 2 * PAGES);
	memfd = create_hugetlb();
	mem = map_row(memfd, row, ARRAY_SIZE(row));
	igt_assert_lte_u64(entries(mem, PAGES * SZ_2M), PAGES);
	pin_parts(mem, ARRAY_SIZE(row));
	unmap(mem, ARRAY_SIZE(row) * SZ_2M);
	mem = map_row(memfd, same, ARRAY_SIZE(same));
	/* The same page twice is two entries. */
	igt_assert_lte_u64(4, entries(mem, ARRAY_SIZE(same) * SZ_2M));
	pin_parts(mem, ARRAY_SIZE(same));
	unmap(mem, ARRAY_SIZE(same) * SZ_2M);
	mem = map_row(memfd, between, ARRAY_SIZE(between));
	pin_parts(mem, ARRAY_SIZE(between));
	unmap(mem, ARRAY_SIZE(between) * SZ_2M);
	close(memfd);
	igt_assert_eq_u64(hugepages(SZ_2M, "free_hugepages"), 2 * PAGES);
	set_hugepages(SZ_2M, before);
}

/* Resolve each fault of one region by a copy of a page. */
struct server {
	int uffd;
	uint8_t *page;
};

static void *serve_faults(void *data)
{
	const struct server *server = data;
	struct uffd_msg message;

	while (read(server->uffd, &message, sizeof(message)) == sizeof(message)) {
		struct uffdio_copy copy = {
			.dst = message.arg.pagefault.address & -SZ_2M,
			.src = (uintptr_t)server->page,
			.len = SZ_2M,
		};

		if (message.event == UFFD_EVENT_PAGEFAULT)
			ioctl(server->uffd, UFFDIO_COPY, &copy);
	}
	return NULL;
}

/*
 * The missing pages come while the call waits without the lock, so page by page
 * at first. What one page holds is one pin nevertheless.
 */
static void hugetlb_missing(void)
{
	uint64_t before = hugepages(SZ_2M, "nr_hugepages");
	struct uffdio_register region = {
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct uffdio_api api = { .api = UFFD_API };
	int64_t pins = pins_now();
	struct server server;
	pthread_t thread;
	uint8_t *mem;

	set_hugepages(SZ_2M, PAGES + 1);
	mem = map_anonymous(PAGES * SZ_2M, MAP_HUGETLB | MAP_HUGE_2MB);
	server.page = map_anonymous(SZ_2M, MAP_HUGETLB | MAP_HUGE_2MB);
	memset(server.page, 1, SZ_2M);
	server.uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	igt_assert(server.uffd >= 0);
	region.range.start = (uintptr_t)mem;
	region.range.len = PAGES * SZ_2M;
	igt_assert_eq(ioctl(server.uffd, UFFDIO_API, &api), 0);
	igt_assert_eq(ioctl(server.uffd, UFFDIO_REGISTER, &region), 0);
	igt_assert_eq(pthread_create(&thread, NULL, serve_faults, &server), 0);
	igt_assert_lte_u64(entries(mem + SZ_4K, PAGES * SZ_2M - 2 * SZ_4K),
			   PAGES);
	igt_assert_eq(pins_now(), pins);
	igt_assert_eq(pthread_cancel(thread), 0);
	igt_assert_eq(pthread_join(thread, NULL), 0);
	close(server.uffd);
	unmap(server.page, SZ_2M);
	unmap(mem, PAGES * SZ_2M);
	igt_assert_eq_u64(hugepages(SZ_2M, "free_hugepages"), PAGES + 1);
	set_hugepages(SZ_2M, before);
}

/*
 * Files in DAX memory
 */

#define PMEM		"/dev/pmem0"
#define PMEM_MOUNT	"/run/phyr-dax"

static int try_user(const void *mem, uint64_t size, uint32_t flags)
{
	struct drm_phyr_copy_gem_userptr args = {
		.addr = (uintptr_t)mem, .size = size, .flags = flags,
	};

	return phyr_ioctl(engine, DRM_IOCTL_PHYR_COPY_GEM_USERPTR, &args);
}

/* Their pages are the file system's, which may truncate them at any time. */
static void fsdax(void)
{
	uint8_t *shared, *private;
	int file;

	/* This one is RAM. */
	igt_info("Expected in the kernel log: unable to guarantee persistence\n");
	/* Its devices are registered asynchronously. */
	run_command("modprobe nd_pmem && modprobe nd_e820");
	for (int i = 0; i < 100 && access(PMEM, F_OK); i++)
		usleep(50000);
	igt_require_f(access(PMEM, F_OK) == 0,
		      "no " PMEM ": needs memmap=SIZE!ADDRESS\n");
	run_command("mke2fs -q -F -t ext4 -b 4096 " PMEM " && mkdir -p " PMEM_MOUNT
		    " && mount -t ext4 -o dax=always " PMEM " " PMEM_MOUNT);
	file = open(PMEM_MOUNT "/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	igt_assert(file >= 0);
	igt_assert_eq(posix_fallocate(file, 0, SZ_64K), 0);

	shared = mmap(NULL, SZ_64K, PROT_READ | PROT_WRITE, MAP_SHARED, file,
		      0);
	private = mmap(NULL, SZ_64K, PROT_READ, MAP_PRIVATE, file, 0);
	igt_assert(shared != MAP_FAILED && private != MAP_FAILED);
	memset(shared, 1, SZ_64K);
	igt_assert_eq(try_user(shared, SZ_64K, 0), -EOPNOTSUPP);
	igt_assert_eq(try_user(shared, SZ_4K, DRM_PHYR_COPY_USERPTR_READONLY),
		      -EOPNOTSUPP);
	igt_assert_eq(try_user(private, SZ_4K, DRM_PHYR_COPY_USERPTR_READONLY),
		      -EOPNOTSUPP);

	/* Nothing is left pinned: the file can be cut, the device removed. */
	wait_for_pinned_bytes(0);
	unmap(private, SZ_64K);
	unmap(shared, SZ_64K);
	igt_assert_eq(ftruncate(file, 0), 0);
	close(file);
	run_command("umount " PMEM_MOUNT " && rmdir " PMEM_MOUNT);
}

static const struct {
	const char *name;
	const char *describe;
	void (*run)(void);
} subtests[] = {
	{ "hugetlb-parts", "Parts of rows of hugetlb pages, and the pins they hold",
	  hugetlb_parts },
	{ "hugetlb-missing", "hugetlb pages that userfaultfd provides",
	  hugetlb_missing },
	{ "hugetlb-2m", "1 GiB in hugetlb pages of 2 MiB", hugetlb_2m },
	{ "hugetlb-1g", "1 GiB in one hugetlb page is one entry",
	  hugetlb_1g },
	{ "thp", "1 GiB in transparent huge pages", thp },
	{ "small-pages", "1 GiB in pages of 4 KiB", small_pages },
	{ "fsdax", "Files in DAX memory are refused", fsdax },
};

igt_main()
{
	static unsigned int i;

	igt_fixture() {
		test = open_phyr_test(FIRST_IVSHMEM);
		engine = open_copy(0);
	}

	for (i = 0; i < ARRAY_SIZE(subtests); i++) {
		igt_describe(subtests[i].describe);
		igt_subtest(subtests[i].name)
			subtests[i].run();
	}

	igt_fixture() {
		close(engine);
		close(test);
	}
}

// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/stat.h>

#include "attacker.h"
#include "lib.h"

IGT_TEST_DESCRIPTION("No world-readable file reveals the address of a buffer");

/**
 * struct secret - numbers that must not be revealed
 * @start: the first
 * @count: their count
 * @what: their meaning
 */
struct secret {
	uint64_t start;
	uint64_t count;
	const char *what;
};

static struct secret secrets[64];
static unsigned int nr_secrets;

static void add_secret(uint64_t start, uint64_t count, const char *what)
{
	igt_assert(nr_secrets < ARRAY_SIZE(secrets));
	secrets[nr_secrets++] = (struct secret){ start, count, what };
}

static const struct secret *find_secret(uint64_t number)
{
	for (unsigned int i = 0; i < nr_secrets; i++)
		if (number - secrets[i].start < secrets[i].count)
			return &secrets[i];
	return NULL;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
	       (c >= 'A' && c <= 'F');
}

/*
 * Treat every run of digits as hexadecimal (with or without 0x) and as
 * decimal; the "0" of "0x" makes no difference.
 */
static const struct secret *find_in_text(const char *text, size_t len,
					 uint64_t *number)
{
	const struct secret *found = NULL;

	for (size_t at = 0; at < len && !found;) {
		size_t digits = 0, decimal = 0;
		char run[24] = "";

		while (at + digits < len && is_hex(text[at + digits])) {
			decimal += text[at + digits] <= '9';
			digits++;
		}
		if (digits && digits < sizeof(run)) {
			memcpy(run, text + at, digits);
			*number = strtoull(run, NULL, 16);
			found = find_secret(*number);
			if (!found && decimal == digits) {
				*number = strtoull(run, NULL, 10);
				found = find_secret(*number);
			}
		}
		at += digits + 1;
	}
	return found;
}

/* Search for them in binary form. Shorter words match by chance. */
static const struct secret *find_in_words(const char *bytes, size_t len,
					  uint64_t *number)
{
	const struct secret *found = NULL;

	for (size_t at = 0; at + 8 <= len && !found; at++) {
		memcpy(number, bytes + at, 8);
		found = find_secret(*number);
	}
	return found;
}

static char file_bytes[1 << 20];

/* -1 if it may not be read. */
static ssize_t read_all(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	size_t len = 0;
	ssize_t got;

	if (fd < 0)
		return -1;
	while (len < sizeof(file_bytes) &&
	       (got = read(fd, file_bytes + len, sizeof(file_bytes) - len)) > 0)
		len += got;
	close(fd);
	return len;
}

static const struct secret *find_in_file(const char *path, uint64_t *number)
{
	ssize_t len = read_all(path);
	const struct secret *found = NULL;

	if (len > 0)
		found = find_in_text(file_bytes, len, number);
	if (len > 0 && !found)
		found = find_in_words(file_bytes, len, number);
	return found;
}

/*
 * The PCI core shows everybody the BARs of each device in two files, whatever
 * its driver: "resource", and "config", whose first 64 bytes are the standard
 * header. No other file may.
 */
static bool is_excepted(const char *path)
{
	const char *name = strrchr(path, '/') + 1;

	return !strncmp(path, "/sys/devices/pci", 16) &&
	       (!strcmp(name, "resource") || !strcmp(name, "config"));
}

static unsigned int files_seen, files_excepted;

static void search_file(const char *path)
{
	const struct secret *found;
	uint64_t number;

	found = find_in_file(path, &number);
	files_seen++;
	if (found && is_excepted(path)) {
		igt_info("exception: PCI's own %s tells a %s\n", path,
			 found->what);
		files_excepted++;
		return;
	}
	igt_assert_f(!found, "%s tells a %s, %#" PRIx64 "\n", path,
		     found ? found->what : "", number);
}

static int search_entry(const char *path, const struct stat *stat, int type,
			struct FTW *ftw)
{
	(void)ftw;
	if (type == FTW_F && S_ISREG(stat->st_mode))
		search_file(path);
	return 0;
}

static void search_tree(const char *path)
{
	char real[PATH_MAX];

	if (realpath(path, real))
		igt_assert_eq(nftw(real, search_entry, 16, FTW_PHYS), 0);
}

/* @exceptions: files in which the search must find it. */
static void search_device(const struct phyr_device *device,
			  unsigned int exceptions)
{
	char path[64];
	unsigned int before = files_excepted;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", device->busid);
	search_tree(path);
	igt_assert_eq(files_excepted, before + exceptions);
}

/* The low 55 bits are the page frame number, for privileged readers. */
static void search_pagemap(const void *mem, uint64_t size)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry;

	igt_assert(fd >= 0);
	for (uint64_t at = 0; at < size; at += SZ_4K) {
		off_t offset = ((uintptr_t)mem + at) / SZ_4K * 8;

		(void)*((const volatile char *)mem + at);
		igt_assert_eq(pread(fd, &entry, 8, offset), 8);
		igt_assert_eq_u64(entry & ((1ull << 55) - 1), 0);
	}
	close(fd);
}

/* The PCI core logs the BARs for those who may read the log; phyr must not. */
static void search_log(void)
{
	int len = klogctl(3, file_bytes, sizeof(file_bytes));
	uint64_t number;
	char *line, *next;

	if (len < 0) {
		igt_assert_eq(errno, EPERM);
		igt_info("the kernel's log is not for it\n");
		return;
	}
	for (line = file_bytes; line < file_bytes + len; line = next) {
		const struct secret *found;

		next = memchr(line, '\n', file_bytes + len - line);
		next = next ? next + 1 : file_bytes + len;
		if (!memmem(line, next - line, "phyr", 4))
			continue;
		found = find_in_text(line, next - line, &number);
		igt_assert_f(!found, "the log tells a %s: %.*s\n",
			     found ? found->what : "", (int)(next - line), line);
	}
}

/* The searcher's buffers, whose addresses the victim looks up. */
struct holdings {
	int vram;
	int screen;
	int engine;
	uint32_t in_vram;
	uint32_t on_screen;
	uint32_t imported;
	void *node;
	void *file;
};

static struct holdings hold_buffers(void)
{
	struct holdings have = {
		.vram = open_device(&scene.card),
		.screen = open_device(&scene.display),
		.engine = open_device(&scene.engine),
	};
	uint32_t own;
	int dmabuf;

	/* Few pages, so that chance matches are unlikely. */
	have.in_vram = create_vram(have.vram, 4 * SZ_4K, IN_VRAM, SZ_4K);
	have.on_screen = create_vram(have.screen, 4 * SZ_4K, IN_VRAM, SZ_4K);
	dmabuf = export_buffer(have.vram, have.in_vram);
	have.node = map_vram(have.vram, have.in_vram, 4 * SZ_4K);
	have.file = map_dmabuf(dmabuf, 4 * SZ_4K);
	have.imported = import_buffer(have.engine, dmabuf);
	own = create_own(have.engine, 4 * SZ_4K);
	memset(have.node, 1, 4 * SZ_4K);
	copy_bytes(have.engine, have.imported, own, 4 * SZ_4K);
	map_vram(have.screen, have.on_screen, 4 * SZ_4K);
	return have;
}

static const char *const secret_names[] = {
	"physical address", "page frame number", "DMA address",
};

static void search_attack(void)
{
	static const char *const trees[] = {
		"/sys/bus/pci/drivers/phyr_vram", "/sys/bus/pci/drivers/phyr_copy",
		"/sys/bus/pci/drivers/phyr_test", "/sys/module/phyr",
		"/sys/module/phyr_vram", "/sys/module/phyr_copy",
		"/sys/module/phyr_test", "/sys/kernel/dmabuf", "/sys/class/drm",
		"/sys/devices/virtual/drm", "/sys/devices/virtual/misc/phyr_test",
		"/proc/self/fdinfo", "/proc/self/map_files",
	};
	static const char *const files[] = {
		"/proc/self/maps", "/proc/self/smaps", "/proc/self/numa_maps",
		"/proc/iomem", "/proc/ioports", "/proc/interrupts",
		"/proc/modules", "/proc/mtrr", "/proc/slabinfo",
		"/proc/vmallocinfo", "/proc/zoneinfo",
	};
	struct holdings have = hold_buffers();
	struct drm_phyr_copy_gem_info info;
	uint64_t count;

	igt_assert_eq(phyr_copy_gem_info(have.engine, have.imported, &info), 0);
	send_number(vram_info(have.vram, have.in_vram).id);
	send_number(vram_info(have.screen, have.on_screen).id);
	send_number(info.id);
	for (count = receive_number(); count; count--) {
		uint64_t start = receive_number(), len = receive_number();

		add_secret(start, len, secret_names[receive_number()]);
	}

	search_device(&scene.card, 2);
	search_device(&scene.display, 2);
	search_device(&scene.engine, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(trees); i++)
		search_tree(trees[i]);
	for (unsigned int i = 0; i < ARRAY_SIZE(files); i++)
		search_file(files[i]);
	search_pagemap(have.node, 4 * SZ_4K);
	search_pagemap(have.file, 4 * SZ_4K);
	search_log();
	igt_info("%u files searched for %u secrets, %u told one\n", files_seen,
		 nr_secrets, files_excepted);
}

static void add_bar(const struct phyr_device *device)
{
	struct phyr_vram_dump dump;

	igt_assert_eq(phyr_vram_dump_read(device, &dump), 0);
	add_secret(dump.bar, dump.size, secret_names[0]);
	phyr_vram_dump_free(&dump);
}

static void add_buffer(const struct phyr_device *device, uint64_t id)
{
	struct phyr_list_dump list;

	igt_assert_eq(phyr_list_dump_read(device, id, &list), 0);
	igt_assert(list.nr);
	for (size_t i = 0; i < list.nr; i++)
		add_secret(list.vecs[i].paddr >> 12, list.vecs[i].len >> 12,
			   secret_names[1]);
	phyr_list_dump_free(&list);
}

static void add_ranges(const struct phyr_device *device, uint64_t id)
{
	struct phyr_ranges_dump dump;

	igt_assert_eq(phyr_ranges_dump_read(device, id, &dump), 0);
	igt_assert(dump.nr);
	for (size_t i = 0; i < dump.nr; i++)
		add_secret(dump.ranges[i].addr, dump.ranges[i].len,
			   secret_names[2]);
	phyr_ranges_dump_free(&dump);
}

/* The numbers are in root's files: the search must find one there. */
static void assert_root_finds(const struct phyr_device *device,
			      const char *file)
{
	char path[128];
	uint64_t number;

	phyr_device_debugfs(device, file, path, sizeof(path));
	igt_assert_f(find_in_file(path, &number), "%s tells no address\n",
		     path);
}

static void search_victim(pid_t attacker)
{
	(void)attacker;
	nr_secrets = 0;
	add_bar(&scene.card);
	add_bar(&scene.display);
	add_buffer(&scene.card, receive_number());
	add_buffer(&scene.display, receive_number());
	add_ranges(&scene.engine, receive_number());
	assert_root_finds(&scene.card, "vram");
	assert_root_finds(&scene.card, "buffers");
	assert_root_finds(&scene.display, "buffers");
	assert_root_finds(&scene.engine, "buffers");
	send_number(nr_secrets);
	for (unsigned int i = 0; i < nr_secrets; i++) {
		unsigned int name = 0;

		while (secrets[i].what != secret_names[name])
			name++;
		send_number(secrets[i].start);
		send_number(secrets[i].count);
		send_number(name);
	}
	nr_secrets = 0;
}

igt_main()
{
	igt_describe("No file that phyr creates or fills reveals an address");
	igt_subtest("addresses")
		under_attack(search_attack, search_victim);
}

// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib.h"

IGT_TEST_DESCRIPTION("Clients cannot access each other or learn physical addresses");

#define NOBODY	65534

static void other_clients_handle(void)
{
	int mine = open_vram(0), other = open_vram(0);
	uint32_t handle = create_vram(mine, SZ_64K, IN_VRAM, 0);
	struct drm_phyr_vram_gem_info info;

	igt_assert_eq(phyr_vram_gem_info(other, handle, &info), -ENOENT);
	igt_assert(phyr_vram_mmap(other, handle, SZ_64K, PROT_READ) ==
		   MAP_FAILED);
	igt_assert_eq(errno, ENOENT);
	igt_assert_eq(phyr_export(other, handle), -ENOENT);
	igt_assert_eq(phyr_close_handle(other, handle), -EINVAL);
	igt_assert_eq(phyr_vram_gem_info(mine, handle, &info), 0);
	close(other);
	close(mine);
}

static void other_clients_handle_engine(void)
{
	int mine = open_copy(0), other = open_copy(0);
	struct drm_phyr_copy_gem_info info;
	struct drm_phyr_copy_submit submit = { .len = SZ_4K };

	submit.src_handle = create_own(mine, SZ_64K);
	submit.dst_handle = create_own(mine, SZ_64K);
	igt_assert_eq(phyr_copy_gem_info(other, submit.src_handle, &info),
		      -ENOENT);
	igt_assert_eq(phyr_copy_submit(other, &submit), -ENOENT);
	igt_assert_eq(phyr_copy_submit(mine, &submit), 0);
	close(other);
	close(mine);
}

static void other_clients_offset(void)
{
	int mine = open_vram(0), other = open_vram(0);
	struct drm_phyr_vram_gem_mmap map = { 0 };

	map.handle = create_vram(mine, SZ_64K, IN_VRAM, 0);
	igt_assert_eq(phyr_ioctl(mine, DRM_IOCTL_PHYR_VRAM_GEM_MMAP, &map), 0);
	igt_assert(phyr_mmap(other, SZ_64K, PROT_READ, map.offset) ==
		   MAP_FAILED);
	igt_assert_eq(errno, EACCES);
	close(other);
	close(mine);
}

static bool is_root_only(const char *path)
{
	struct stat stat_buf;

	igt_assert_f(!stat(path, &stat_buf), "%s: %s\n", path, strerror(errno));
	return stat_buf.st_uid == 0 && !(stat_buf.st_mode & 0077);
}

static const struct {
	const char *driver;
	const char *file;
} address_files[] = {
	{ PHYR_VRAM_DRIVER, "vram" }, { PHYR_VRAM_DRIVER, "buffers" },
	{ PHYR_COPY_DRIVER, "buffers" }, { PHYR_COPY_DRIVER, "jobs" },
	{ PHYR_COPY_DRIVER, "hang" },
};

static void address_file(unsigned int i, char *path, size_t size)
{
	struct phyr_device device;

	igt_assert_eq(phyr_device_find(address_files[i].driver, 0, &device), 0);
	phyr_device_debugfs(&device, address_files[i].file, path, size);
}

static void debugfs_modes(void)
{
	char path[128];

	for (unsigned int i = 0; i < ARRAY_SIZE(address_files); i++) {
		address_file(i, path, sizeof(path));
		igt_assert_f(is_root_only(path),
			     "%s is accessible to users other than root\n", path);
	}
}

static void drop_privileges(void)
{
	igt_assert_eq(setresgid(NOBODY, NOBODY, NOBODY), 0);
	igt_assert_eq(setresuid(NOBODY, NOBODY, NOBODY), 0);
}

/* Even if the parent directories were accessible, hence O_PATH. */
static void debugfs_for_nobody(void)
{
	int fds[ARRAY_SIZE(address_files)];
	char path[128], name[32], byte;

	for (unsigned int i = 0; i < ARRAY_SIZE(address_files); i++) {
		address_file(i, path, sizeof(path));
		fds[i] = open(path, O_PATH | O_CLOEXEC);
		igt_assert_f(fds[i] >= 0, "%s: %s\n", path, strerror(errno));
	}
	igt_fork(child, 1) {
		drop_privileges();
		for (unsigned int i = 0; i < ARRAY_SIZE(address_files); i++) {
			snprintf(name, sizeof(name), "/proc/self/fd/%d", fds[i]);
			igt_assert_eq(open(name, O_RDONLY), -1);
			igt_assert_eq(errno, EACCES);
			igt_assert_eq(open(name, O_WRONLY), -1);
			igt_assert_eq(errno, EACCES);
			igt_assert_eq(read(fds[i], &byte, 1), -1);
		}
	}
	igt_waitchildren();
	for (unsigned int i = 0; i < ARRAY_SIZE(address_files); i++)
		close(fds[i]);
}

static void test_device_for_nobody(void)
{
	int test = open_phyr_test(SECOND_IVSHMEM);

	igt_assert(is_root_only("/dev/phyr_test"));
	igt_fork(child, 1) {
		struct phyr_test_devices devices;

		drop_privileges();
		/* Not even with a file descriptor from root. */
		igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_DEVICES, &devices),
			      -EPERM);
	}
	igt_waitchildren();
	close(test);
}

/* Physical and DMA addresses, which no ioctl may return. */
struct addresses {
	struct phyr_list_dump list;
	struct phyr_ranges_dump ranges;
};

static void assert_no_address(const struct addresses *addresses,
			      const void *result, size_t size,
			      const char *request)
{
	const uint8_t *bytes = result;
	uint64_t word;

	for (size_t at = 0; at + 8 <= size; at++) {
		memcpy(&word, bytes + at, 8);
		for (size_t i = 0; i < addresses->list.nr; i++) {
			const struct phyr_vec *vec = &addresses->list.vecs[i];

			igt_assert_f(word - vec->paddr >= vec->len,
				     "%s returns the physical address %#" PRIx64
				     "\n", request, word);
			igt_assert_f(word != vec->paddr >> 12,
				     "%s returns the page frame number %#"
				     PRIx64 "\n", request, word);
		}
		for (size_t i = 0; i < addresses->ranges.nr; i++) {
			const struct phyr_range *range =
				&addresses->ranges.ranges[i];

			igt_assert_f(word - range->addr >= range->len,
				     "%s returns the DMA address %#" PRIx64
				     "\n", request, word);
		}
	}
}

#define ASSERT_NO_ADDRESS(fd, request, type, ...) \
	do { \
		type args = { __VA_ARGS__ }; \
		\
		igt_assert_eq(phyr_ioctl(fd, request, &args), 0); \
		assert_no_address(&addresses, &args, sizeof(args), #request); \
	} while (0)

static void ioctls_hide_addresses(void)
{
	struct phyr_device card = vram_device(0), device = copy_device(0);
	int vram = open_device(&card), engine = open_device(&device);
	struct drm_phyr_copy_gem_info info;
	struct addresses addresses;
	uint32_t handle, imported, own;

	handle = create_vram(vram, SZ_1M, IN_VRAM, SZ_64K);
	imported = import_from(engine, vram, handle);
	own = create_own(engine, SZ_1M);
	copy_bytes(engine, imported, own, SZ_1M);
	igt_assert_eq(phyr_copy_gem_info(engine, imported, &info), 0);
	igt_assert_eq(phyr_list_dump_read(&card, vram_info(vram, handle).id,
					  &addresses.list), 0);
	igt_assert_eq(phyr_ranges_dump_read(&device, info.id, &addresses.ranges),
		      0);
	igt_assert(addresses.list.nr && addresses.ranges.nr);

	ASSERT_NO_ADDRESS(vram, DRM_IOCTL_PHYR_VRAM_INFO,
			  struct drm_phyr_vram_info, 0);
	ASSERT_NO_ADDRESS(vram, DRM_IOCTL_PHYR_VRAM_GEM_INFO,
			  struct drm_phyr_vram_gem_info, .handle = handle);
	ASSERT_NO_ADDRESS(vram, DRM_IOCTL_PHYR_VRAM_GEM_MMAP,
			  struct drm_phyr_vram_gem_mmap, .handle = handle);
	ASSERT_NO_ADDRESS(engine, DRM_IOCTL_PHYR_COPY_GEM_INFO,
			  struct drm_phyr_copy_gem_info, .handle = imported);
	ASSERT_NO_ADDRESS(engine, DRM_IOCTL_PHYR_COPY_GEM_MMAP,
			  struct drm_phyr_copy_gem_mmap, .handle = own);
	ASSERT_NO_ADDRESS(engine, DRM_IOCTL_PHYR_COPY_SUBMIT,
			  struct drm_phyr_copy_submit,
			  .src_handle = imported, .dst_handle = own,
			  .len = SZ_1M);
	phyr_list_dump_free(&addresses.list);
	phyr_ranges_dump_free(&addresses.ranges);
	close(engine);
	close(vram);
}

/* An unprivileged client can create, share, map and copy buffers. */
static void works_for_nobody(void)
{
	int vram = open_vram(0), engine = open_copy(0);

	igt_fork(child, 1) {
		uint32_t handle, own;

		drop_privileges();
		handle = create_vram(vram, SZ_1M, IN_VRAM, SZ_4K);
		own = create_own(engine, SZ_1M);
		fill_vram(vram, handle, SZ_1M, 1);
		copy_bytes(engine, import_from(engine, vram, handle), own, SZ_1M);
		assert_own(engine, own, SZ_1M, 1);
	}
	igt_waitchildren();
	close(engine);
	close(vram);
}

/* Fill all of VRAM; the next client must find only zeroes. */
static void vram_cleared(void)
{
	struct phyr_device card = vram_device(0);
	uint64_t free = vram_free(&card), size = 8 * SZ_1M;
	uint32_t handle;
	void *mem;
	int vram;

	for (int round = 0; round < 2; round++) {
		vram = open_device(&card);
		for (uint64_t at = 0; at + size <= free; at += size) {
			handle = create_vram(vram, size, IN_VRAM,
					     round ? SZ_64K : 0);
			mem = map_vram(vram, handle, size);
			assert_zero(mem, size);
			memset(mem, 0xc7, size);
			unmap(mem, size);
		}
		close(vram);
		wait_for_vram_free(&card, free);
	}
}

/* VRAM is cleared after the eviction of a buffer. */
static void evicted_vram_cleared(void)
{
	struct phyr_device card = small_vram_device();
	uint64_t free = vram_free(&card);
	int victim = open_device(&card), other = open_device(&card);
	uint32_t handle = create_vram(victim, free, EVICTABLE, 0);
	void *mem;

	igt_assert_eq(vram_info(victim, handle).placement, IN_VRAM);
	fill_vram(victim, handle, free, 2);
	mem = map_vram(other, create_vram(other, free, IN_VRAM, 0), free);
	igt_assert_eq(vram_info(victim, handle).placement, IN_SYSTEM);
	assert_zero(mem, free);
	assert_vram(victim, handle, free, 2);
	unmap(mem, free);
	close(other);
	close(victim);
	wait_for_vram_free(&card, free);
}

/* Pages that a client's buffer freed are cleared for the next client. */
static void system_memory_cleared(void)
{
	for (int round = 0; round < 6; round++) {
		int engine = open_copy(0), vram = open_vram(0);
		uint32_t own = create_own(engine, 4 * SZ_1M);
		uint32_t system = create_vram(vram, 4 * SZ_1M, IN_SYSTEM, 0);
		void *mem;

		mem = map_own(engine, own, 4 * SZ_1M);
		assert_zero(mem, 4 * SZ_1M);
		memset(mem, 0xc7, 4 * SZ_1M);
		unmap(mem, 4 * SZ_1M);
		mem = map_vram(vram, system, 4 * SZ_1M);
		assert_zero(mem, 4 * SZ_1M);
		memset(mem, 0xc7, 4 * SZ_1M);
		unmap(mem, 4 * SZ_1M);
		close(vram);
		close(engine);
	}
}

/* Queue copies forever; write a byte to @pipe after each. */
static void queue_forever(int pipe)
{
	int vram = phyr_open(PHYR_VRAM_DRIVER, 0);
	int engine = phyr_open(PHYR_COPY_DRIVER, 0);
	struct drm_phyr_copy_submit submit = { .len = 4 * SZ_1M };
	uint32_t handle;
	int dmabuf;

	if (phyr_vram_create(vram, submit.len, IN_VRAM, SZ_4K, &handle))
		_exit(1);
	dmabuf = phyr_export(vram, handle);
	if (phyr_import(engine, dmabuf, &submit.dst_handle) ||
	    phyr_copy_create(engine, submit.len, &submit.src_handle))
		_exit(1);
	for (;;)
		if (phyr_copy_submit(engine, &submit) ||
		    write(pipe, "", 1) != 1)
			_exit(1);
}

static void killed_in_dma(void)
{
	struct phyr_device card = vram_device(0), device = copy_device(0);
	uint64_t free = vram_free(&card);
	int engine = open_device(&device), queued[2], status;
	uint32_t src = create_own(engine, SZ_1M), dst = create_own(engine, SZ_1M);
	char byte;

	fill_own(engine, src, SZ_1M, 3);
	for (int round = 0; round < 5; round++) {
		pid_t child;

		igt_assert_eq(pipe(queued), 0);
		child = fork();
		if (!child)
			queue_forever(queued[1]);
		close(queued[1]);
		for (int jobs = 0; jobs < 20; jobs++)
			igt_assert_eq(read(queued[0], &byte, 1), 1);
		igt_assert_eq(kill(child, SIGKILL), 0);
		igt_assert_eq(waitpid(child, &status, 0), child);
		igt_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		close(queued[0]);
		/* This copy runs after those that the killed client queued. */
		copy_bytes(engine, src, dst, SZ_1M);
		assert_own(engine, dst, SZ_1M, 3);
		wait_for_vram_free(&card, free);
	}
	close(engine);
}

/* The clients of exporter and importer close while the engine hangs. */
static void closed_in_hang(void)
{
	struct phyr_device card = vram_device(0), device = copy_device(0);
	uint64_t free = vram_free(&card);
	int vram = open_device(&card), engine = open_device(&device);
	struct drm_phyr_copy_submit submit = { .len = SZ_1M };

	igt_assert_eq(phyr_hang(&device, 1), 0);
	submit.src_handle = create_own(engine, SZ_1M);
	submit.dst_handle = import_from(engine, vram,
					create_vram(vram, SZ_1M, IN_VRAM,
						    SZ_4K));
	igt_assert_eq(phyr_copy_submit(engine, &submit), 0);
	close(vram);
	close(engine);
	engine = open_device(&device);
	copy_bytes(engine, create_own(engine, SZ_4K), create_own(engine, SZ_4K),
		   SZ_4K);
	close(engine);
	wait_for_vram_free(&card, free);
}

/* Value of a key of /proc/self/fdinfo/FD, in bytes; -1 if missing. */
static int64_t fdinfo(int fd, const char *key)
{
	char path[64], line[256], unit[8];
	int64_t value = -1;
	uint64_t number;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	igt_assert_f(file, "%s: %s\n", path, strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		size_t len = strlen(key);
		int fields;

		if (strncmp(line, key, len) || line[len] != ':')
			continue;
		fields = sscanf(line + len + 1, "%" SCNu64 " %7s", &number,
				unit);
		igt_assert(fields >= 1);
		value = number;
		if (fields == 2)
			value <<= !strcmp(unit, "KiB") ? 10 :
				  !strcmp(unit, "MiB") ? 20 : 0;
	}
	fclose(file);
	return value;
}

static void client_memory(void)
{
	int vram = open_vram(0), other = open_vram(0);
	uint32_t handle;

	igt_assert_eq_u64(fdinfo(vram, "drm-total-vram"), 0);
	handle = create_vram(vram, SZ_1M, IN_VRAM, SZ_4K);
	create_vram(vram, 12 * SZ_4K, IN_VRAM, 0);
	create_vram(vram, 3 * SZ_4K, IN_SYSTEM, 0);
	igt_assert_eq_u64(fdinfo(vram, "drm-total-vram"), SZ_1M + 12 * SZ_4K);
	igt_assert_eq_u64(fdinfo(vram, "drm-resident-vram"),
			  SZ_1M + 12 * SZ_4K);
	igt_assert_eq_u64(fdinfo(vram, "drm-total-system"), 3 * SZ_4K);
	igt_assert_eq_u64(fdinfo(vram, "drm-shared-vram"), 0);
	igt_assert_eq_u64(fdinfo(other, "drm-total-vram"), 0);
	igt_assert_eq(phyr_close_handle(vram, handle), 0);
	igt_assert_eq_u64(fdinfo(vram, "drm-total-vram"), 12 * SZ_4K);
	close(other);
	close(vram);
}

igt_main()
{
	igt_describe("A client cannot use another client's handle");
	igt_subtest("other-clients-handle")
		other_clients_handle();

	igt_describe("A client of the engine cannot use, or copy, another client's handle");
	igt_subtest("other-clients-handle-engine")
		other_clients_handle_engine();

	igt_describe("A client cannot map another client's buffer by its offset");
	igt_subtest("other-clients-offset")
		other_clients_offset();

	igt_describe("debugfs files with addresses have modes for root only");
	igt_subtest("debugfs-modes")
		debugfs_modes();

	igt_describe("An unprivileged user cannot open debugfs files with addresses");
	igt_subtest("debugfs-for-nobody")
		debugfs_for_nobody();

	igt_describe("The test module's device is accessible to root only");
	igt_subtest("test-device-for-nobody")
		test_device_for_nobody();

	igt_describe("No ioctl returns a physical or a DMA address");
	igt_subtest("ioctls-tell-nothing")
		ioctls_hide_addresses();

	igt_describe("Creating, sharing and copying buffers need no privilege");
	igt_subtest("works-for-nobody")
		works_for_nobody();

	igt_describe("All of VRAM is cleared between clients");
	igt_subtest("vram-cleared")
		vram_cleared();

	igt_describe("VRAM is cleared after an eviction");
	igt_subtest("evicted-vram-cleared")
		evicted_vram_cleared();

	igt_describe("New buffers in system memory are zeroed");
	igt_subtest("system-memory-cleared")
		system_memory_cleared();

	igt_describe("A client is killed during its DMA; the engine still works and VRAM is freed");
	igt_subtest("killed-in-dma")
		killed_in_dma();

	igt_describe("Clients close while the engine hangs in their copy");
	igt_subtest("closed-in-hang")
		closed_in_hang();

	igt_describe("Each client's memory is reported in its fdinfo");
	igt_subtest("client-memory")
		client_memory();
}

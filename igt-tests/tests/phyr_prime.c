// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <xf86drm.h>

#include "foreign.h"
#include "lib.h"

IGT_TEST_DESCRIPTION("Export and import of buffers as dma-bufs");

static void basic(void)
{
	struct drm_phyr_copy_gem_info info;
	int vram = open_vram(0), engine = open_copy(0);
	uint32_t handle;

	handle = import_from(engine, vram, create_vram(vram, SZ_1M, IN_VRAM,
						       SZ_64K));
	igt_assert_eq(phyr_copy_gem_info(engine, handle, &info), 0);
	igt_assert_eq_u64(info.size, SZ_1M);
	igt_assert_eq(info.flags, DRM_PHYR_COPY_GEM_IMPORTED);
	close(engine);
	close(vram);
}

static void self_import(void)
{
	int vram = open_vram(0), other = open_vram(0), dmabuf;
	uint32_t handle = create_vram(vram, SZ_64K, IN_VRAM, 0), imported;

	dmabuf = export_buffer(vram, handle);
	igt_assert_eq(import_buffer(vram, dmabuf), handle);
	imported = import_buffer(other, dmabuf);
	igt_assert_eq_u64(vram_info(other, imported).id,
			  vram_info(vram, handle).id);
	close(dmabuf);
	close(other);
	close(vram);
}

static void import_twice(void)
{
	int vram = open_vram(0), engine = open_copy(0);
	int dmabuf = create_dmabuf(vram, SZ_64K, 0);
	uint32_t handle = import_buffer(engine, dmabuf);

	igt_assert_eq(import_buffer(engine, dmabuf), handle);
	igt_assert_eq(phyr_close_handle(engine, handle), 0);
	igt_assert(import_buffer(engine, dmabuf));
	close(dmabuf);
	close(engine);
	close(vram);
}

static uint64_t inode(int fd)
{
	struct stat stat;

	igt_assert_eq(fstat(fd, &stat), 0);
	return stat.st_ino;
}

static void export_twice(void)
{
	int vram = open_vram(0), first, second;
	uint32_t handle = create_vram(vram, SZ_64K, IN_VRAM, 0);

	first = export_buffer(vram, handle);
	second = export_buffer(vram, handle);
	igt_assert_eq_u64(inode(first), inode(second));
	close(first);
	close(second);
	close(vram);
}

static void export_after_close(void)
{
	int vram = open_vram(0), engine = open_copy(0), first, second;
	uint32_t handle = create_vram(vram, SZ_1M, IN_VRAM, SZ_4K), own;

	fill_vram(vram, handle, SZ_1M, 1);
	first = export_buffer(vram, handle);
	igt_assert_eq(phyr_close_handle(vram, handle), 0);
	handle = import_buffer(vram, first);
	second = export_buffer(vram, handle);
	close(first);
	igt_assert_eq(phyr_close_handle(vram, handle), 0);
	own = create_own(engine, SZ_1M);
	copy_bytes(engine, import_buffer(engine, second), own, SZ_1M);
	assert_own(engine, own, SZ_1M, 1);
	close(second);
	close(engine);
	close(vram);
}

static void outlives_client(void)
{
	struct phyr_device card = vram_device(0);
	struct drm_phyr_vram_info info;
	int vram = open_device(&card), dmabuf;
	uint64_t free;
	void *mem;

	igt_assert_eq(phyr_vram_info(vram, &info), 0);
	free = info.vram_size;
	/* Buffers of earlier subtests may still be on their way. */
	wait_for_vram_free(&card, free);
	dmabuf = create_dmabuf(vram, SZ_1M, 0);
	close(vram);
	igt_assert_eq_u64(vram_free(&card), free - SZ_1M);
	mem = map_dmabuf(dmabuf, SZ_1M);
	phyr_fill(mem, 2, 0, SZ_1M);
	close(dmabuf);
	assert_bytes(mem, 2, 0, SZ_1M);
	igt_assert_eq_u64(vram_free(&card), free - SZ_1M);
	unmap(mem, SZ_1M);
	wait_for_vram_free(&card, free);
}

static void importer_keeps(void)
{
	struct phyr_device card = vram_device(0);
	uint64_t free = vram_free(&card);
	int vram = open_device(&card), engine = open_copy(0);
	uint32_t handle, own = create_own(engine, SZ_1M);

	handle = create_vram(vram, SZ_1M, IN_VRAM, SZ_4K);
	fill_vram(vram, handle, SZ_1M, 3);
	handle = import_from(engine, vram, handle);
	close(vram);
	igt_assert_eq_u64(vram_free(&card), free - SZ_1M);
	copy_bytes(engine, handle, own, SZ_1M);
	assert_own(engine, own, SZ_1M, 3);
	igt_assert_eq(phyr_close_handle(engine, handle), 0);
	wait_for_vram_free(&card, free);
	close(engine);
}

static void fd_flags(void)
{
	struct drm_prime_handle prime = { .fd = -1 };
	int vram = open_vram(0);

	prime.handle = create_vram(vram, SZ_64K, IN_VRAM, 0);
	igt_assert_eq(phyr_ioctl(vram, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime), 0);
	igt_assert_eq(fcntl(prime.fd, F_GETFD), 0);
	igt_assert_eq(fcntl(prime.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	igt_assert(mmap(NULL, SZ_64K, PROT_READ | PROT_WRITE, MAP_SHARED,
			prime.fd, 0) == MAP_FAILED);
	igt_assert_eq(errno, EACCES);
	close(prime.fd);
	/* A handle keeps its dma-buf with that access mode: use another. */
	prime.handle = create_vram(vram, SZ_64K, IN_VRAM, 0);
	prime.flags = DRM_CLOEXEC | DRM_RDWR;
	igt_assert_eq(phyr_ioctl(vram, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime), 0);
	igt_assert_eq(fcntl(prime.fd, F_GETFD), FD_CLOEXEC);
	igt_assert_eq(fcntl(prime.fd, F_GETFL) & O_ACCMODE, O_RDWR);
	close(prime.fd);
	prime.flags = 0x10;
	igt_assert_eq(phyr_ioctl(vram, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime),
		      -EINVAL);
	close(vram);
}

static void size(void)
{
	int vram = open_vram(0), dmabuf = create_dmabuf(vram, SZ_1M, SZ_4K);

	igt_assert_eq_u64(lseek(dmabuf, 0, SEEK_END), SZ_1M);
	close(dmabuf);
	close(vram);
}

static void no_dmabuf(void)
{
	int fds[] = {
		open_vram(0), open_copy(0),
		eventfd(0, EFD_CLOEXEC), memfd_create("phyr", MFD_CLOEXEC),
		open("/dev/null", O_RDWR | O_CLOEXEC),
	};

	igt_assert_eq(ftruncate(fds[3], SZ_64K), 0);
	for (unsigned int importer = 0; importer < 2; importer++) {
		for (unsigned int i = 0; i < ARRAY_SIZE(fds); i++) {
			igt_assert(fds[i] >= 0);
			igt_assert_eq(try_import(fds[importer], fds[i]),
				      -EINVAL);
		}
		igt_assert_eq(try_import(fds[importer], 9999), -EBADF);
		igt_assert_eq(try_import(fds[importer], -1), -EBADF);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

/* The engine imports any dma-buf; phyr_stock verifies the bytes. */
static void foreign_into_engine(void)
{
	int engine = open_copy(0), dmabuf = create_udmabuf(SZ_64K);
	struct drm_phyr_copy_gem_info info;
	uint32_t handle = import_buffer(engine, dmabuf);

	igt_assert_eq(import_buffer(engine, dmabuf), handle);
	igt_assert_eq(phyr_copy_gem_info(engine, handle, &info), 0);
	igt_assert_eq_u64(info.size, SZ_64K);
	igt_assert_eq(info.flags, DRM_PHYR_COPY_GEM_IMPORTED);
	close(dmabuf);
	close(engine);
}

static void assert_same_memory(int vram, uint32_t handle, int dmabuf,
			       uint64_t size)
{
	uint64_t *drm_mem = map_vram(vram, handle, size);
	uint64_t *dmabuf_mem = map_dmabuf(dmabuf, size);

	dmabuf_mem[0] = 1;
	drm_mem[size / 8 - 1] = 2;
	igt_assert_eq_u64(drm_mem[0], 1);
	igt_assert_eq_u64(dmabuf_mem[size / 8 - 1], 2);
	unmap(dmabuf_mem, size);
	unmap(drm_mem, size);
}

/* A card imports a foreign dma-buf for CPU access only. */
static void foreign_into_card(void)
{
	int vram = open_vram(0), dmabuf = create_udmabuf(SZ_64K), again;
	uint32_t handle = import_buffer(vram, dmabuf);
	struct drm_phyr_vram_gem_info info = { .handle = handle };
	struct drm_phyr_vram_gem_move move = { .handle = handle,
					       .placement = IN_VRAM };

	igt_assert_eq(import_buffer(vram, dmabuf), handle);
	assert_same_memory(vram, handle, dmabuf, SZ_64K);
	again = export_buffer(vram, handle);
	igt_assert_eq_u64(inode(again), inode(dmabuf));

	/* Its placement is up to the exporter. */
	igt_assert(drmIoctl(vram, DRM_IOCTL_PHYR_VRAM_GEM_INFO, &info));
	igt_assert_eq(errno, EOPNOTSUPP);
	igt_assert(drmIoctl(vram, DRM_IOCTL_PHYR_VRAM_GEM_MOVE, &move));
	igt_assert_eq(errno, EOPNOTSUPP);
	close(again);
	close(dmabuf);
	close(vram);
}

static void other_card(void)
{
	int vram = open_vram(0), other = open_vram(1), dmabuf;
	uint32_t handle = create_vram(vram, SZ_64K, EVICTABLE, 0);

	igt_assert_eq_u64(vram_info(vram, handle).placement, IN_VRAM);
	dmabuf = export_buffer(vram, handle);
	assert_same_memory(other, import_buffer(other, dmabuf), dmabuf, SZ_64K);
	igt_assert_eq_u64(vram_info(vram, handle).placement, IN_SYSTEM);
	close(dmabuf);

	/* The other card cannot import a buffer that must stay in VRAM. */
	dmabuf = create_dmabuf(vram, SZ_64K, 0);
	igt_assert_eq(try_import(other, dmabuf), -EBUSY);
	close(dmabuf);
	close(other);
	close(vram);
}

static void reexport_imported(void)
{
	int vram = open_vram(0), engine = open_copy(0), second = open_copy(1);
	int dmabuf = create_dmabuf(vram, SZ_64K, 0), again;
	uint32_t handle = import_buffer(engine, dmabuf);

	/* An importer re-exports the exporter's dma-buf, not a new one. */
	again = export_buffer(engine, handle);
	igt_assert_eq_u64(inode(again), inode(dmabuf));
	igt_assert(import_buffer(second, again));
	close(again);
	close(dmabuf);
	close(second);
	close(engine);
	close(vram);
}

static void bad_export(void)
{
	int vram = open_vram(0), engine = open_copy(0);

	igt_assert_eq(phyr_export(vram, 0), -ENOENT);
	igt_assert_eq(phyr_export(vram, 0x7fffffff), -ENOENT);
	igt_assert_eq(phyr_export(engine, 1), -ENOENT);
	close(engine);
	close(vram);
}

/* Drop all clean pages that nobody uses, as reclaim does. */
static void drop_pages(void)
{
	write_file("/proc/sys/vm/drop_caches", "1");
}

/* Nobody but the importer has used the pages: their exporter has to keep them. */
static void importer_writes(void)
{
	int engine = open_copy(0), other = open_copy(1), dmabuf;
	uint32_t handle = create_own(engine, SZ_64K);
	uint32_t src = create_own(other, SZ_64K), imported;

	fill_own(other, src, SZ_64K, 1);
	dmabuf = export_buffer(engine, handle);
	imported = import_buffer(other, dmabuf);
	copy_bytes(other, src, imported, SZ_64K);
	igt_assert_eq(phyr_close_handle(other, imported), 0);
	close(dmabuf);
	wait_for_no_attachment(NULL, NULL);

	drop_pages();
	assert_own(engine, handle, SZ_64K, 1);
	close(other);
	close(engine);
}

/* All faults happen while the mapping is read-only. */
static void written_later(void)
{
	int engine = open_copy(0);
	uint32_t handle = create_own(engine, SZ_64K);
	uint8_t *mem = phyr_copy_mmap(engine, handle, SZ_64K, PROT_READ);

	igt_assert(mem != MAP_FAILED);
	for (uint64_t i = 0; i < SZ_64K; i += SZ_4K)
		igt_assert_eq(mem[i], 0);
	igt_assert_eq(mprotect(mem, SZ_64K, PROT_READ | PROT_WRITE), 0);
	phyr_fill(mem, 2, 0, SZ_64K);
	munmap(mem, SZ_64K);

	drop_pages();
	assert_own(engine, handle, SZ_64K, 2);
	close(engine);
}

static void races(void)
{
	int vram = open_vram(0), dmabuf = create_dmabuf(vram, SZ_64K, SZ_4K);
	struct phyr_device card = vram_device(0);
	uint64_t free = vram_free(&card);

	igt_fork(child, 4) {
		int engine = phyr_open(PHYR_COPY_DRIVER, child % 2);

		igt_assert(engine >= 0);
		for (int i = 0; i < 200; i++) {
			uint32_t handle = import_buffer(engine, dmabuf);
			int again = export_buffer(engine, handle);

			close(again);
			igt_assert_eq(phyr_close_handle(engine, handle), 0);
		}
		close(engine);
	}
	igt_waitchildren();
	igt_assert_eq_u64(vram_free(&card), free);
	close(dmabuf);
	close(vram);
}

igt_main()
{
	igt_fixture()
		bind_engines();

	igt_describe("A copy engine imports a buffer of a card");
	igt_subtest("basic")
		basic();

	igt_describe("Importing an own buffer returns the same handle");
	igt_subtest("self-import")
		self_import();

	igt_describe("Importing a dma-buf twice returns the same handle");
	igt_subtest("import-twice")
		import_twice();

	igt_describe("Exporting a buffer twice gives the same dma-buf");
	igt_subtest("export-twice")
		export_twice();

	igt_describe("A buffer can be exported again after its handle was closed");
	igt_subtest("export-after-close")
		export_after_close();

	igt_describe("A dma-buf, then a mapping, keeps the buffer after its client is closed");
	igt_subtest("outlives-client")
		outlives_client();

	igt_describe("An importer keeps the buffer after the exporter's client is closed");
	igt_subtest("importer-keeps")
		importer_keeps();

	igt_describe("The dma-buf's file has the requested flags and access mode");
	igt_subtest("fd-flags")
		fd_flags();

	igt_describe("lseek() returns the dma-buf's size");
	igt_subtest("size")
		size();

	igt_describe("File descriptors that are not dma-bufs are refused");
	igt_subtest("no-dmabuf")
		no_dmabuf();

	igt_describe("The engine imports dma-bufs of stock drivers");
	igt_subtest("foreign-into-engine")
		foreign_into_engine();

	igt_describe("A card imports a foreign dma-buf for CPU access only");
	igt_subtest("foreign-into-card")
		foreign_into_card();

	igt_describe("A card imports another card's buffer only if it can be in system memory");
	igt_subtest("other-card")
		other_card();

	igt_describe("An importer re-exports the dma-buf that it imported");
	igt_subtest("re-export-imported")
		reexport_imported();

	igt_describe("Invalid handles cannot be exported");
	igt_subtest("bad-export")
		bad_export();

	igt_describe("What an importer wrote into the engine's buffer stays when memory is reclaimed");
	igt_subtest("importer-writes")
		importer_writes();

	igt_describe("So does what was written after mprotect() made a mapping writable");
	igt_subtest("written-later")
		written_later();

	igt_describe("Several clients import, export and close at the same time");
	igt_subtest("races")
		races();
}

// SPDX-License-Identifier: MIT
#include <linux/dma-buf.h>
#include <string.h>

#include "lib.h"

IGT_TEST_DESCRIPTION("CPU mappings of page-less memory");

#define SIZE	SZ_1M

static void same_bytes(uint32_t placement, uint64_t max_extent)
{
	struct card_buffer buffer = open_card_buffer(SIZE, placement, max_extent);
	void *drm_mem = map_vram(buffer.vram, buffer.handle, SIZE);
	void *dmabuf_mem = map_dmabuf(buffer.dmabuf, SIZE);

	phyr_fill(drm_mem, 1, 0, SIZE);
	assert_bytes(dmabuf_mem, 1, 0, SIZE);
	phyr_fill(dmabuf_mem, 2, 0, SIZE);
	assert_bytes(drm_mem, 2, 0, SIZE);
	unmap(drm_mem, SIZE);
	unmap(dmabuf_mem, SIZE);
	close_card_buffer(&buffer);
}

static void part(void)
{
	int vram = open_vram(0), dmabuf = create_dmabuf(vram, SIZE, SZ_4K);
	uint8_t *whole = map_dmabuf(dmabuf, SIZE), *part;

	phyr_fill(whole, 4, 0, SIZE);
	part = phyr_mmap(dmabuf, 3 * SZ_4K, PROT_READ, 5 * SZ_4K);
	igt_assert(part != MAP_FAILED);
	assert_bytes(part, 4, 5 * SZ_4K, 3 * SZ_4K);
	unmap(part, 3 * SZ_4K);
	part = phyr_mmap(dmabuf, SZ_4K, PROT_READ, SIZE - SZ_4K);
	igt_assert(part != MAP_FAILED);
	assert_bytes(part, 4, SIZE - SZ_4K, SZ_4K);
	unmap(part, SZ_4K);
	unmap(whole, SIZE);
	close(dmabuf);
	close(vram);
}

static uint64_t mmap_offset(int vram, uint32_t handle)
{
	struct drm_phyr_vram_gem_mmap map = { .handle = handle };

	igt_assert_eq(phyr_ioctl(vram, DRM_IOCTL_PHYR_VRAM_GEM_MMAP, &map), 0);
	return map.offset;
}

static int mmap_error(int fd, uint64_t len, int prot, int flags,
		      uint64_t offset)
{
	void *mem = mmap(NULL, len, prot, flags, fd, offset);

	if (mem == MAP_FAILED)
		return errno;
	unmap(mem, len);
	return 0;
}

/* The mapping cannot become executable; it is unmapped. */
static void assert_mprotect_refuses_exec(void *mem)
{
	igt_assert_eq(mprotect(mem, SIZE, PROT_READ | PROT_EXEC), -1);
	igt_assert_eq(errno, EACCES);
	unmap(mem, SIZE);
}

static void no_exec(void)
{
	struct card_buffer buffer = open_card_buffer(SIZE, IN_VRAM, 0);
	uint64_t offset = mmap_offset(buffer.vram, buffer.handle);

	igt_assert_eq(mmap_error(buffer.vram, SIZE, PROT_READ | PROT_EXEC,
				 MAP_SHARED, offset), EPERM);
	igt_assert_eq(mmap_error(buffer.dmabuf, SIZE, PROT_READ | PROT_EXEC,
				 MAP_SHARED, 0), EPERM);
	assert_mprotect_refuses_exec(map_vram(buffer.vram, buffer.handle,
					      SIZE));
	assert_mprotect_refuses_exec(map_dmabuf(buffer.dmabuf, SIZE));
	close_card_buffer(&buffer);
}

static void past_end(void)
{
	struct card_buffer buffer = open_card_buffer(SIZE, IN_VRAM, 0);
	uint64_t offset = mmap_offset(buffer.vram, buffer.handle);

	igt_assert_eq(mmap_error(buffer.vram, SIZE + SZ_4K, PROT_READ,
				 MAP_SHARED, offset), EINVAL);
	igt_assert_eq(mmap_error(buffer.dmabuf, SIZE + SZ_4K, PROT_READ,
				 MAP_SHARED, 0), EINVAL);
	igt_assert_eq(mmap_error(buffer.dmabuf, 2 * SZ_4K, PROT_READ,
				 MAP_SHARED, SIZE - SZ_4K), EINVAL);
	igt_assert_eq(mmap_error(buffer.dmabuf, SZ_4K, PROT_READ, MAP_SHARED,
				 SIZE), EINVAL);
	close_card_buffer(&buffer);
}

static void no_private(void)
{
	struct card_buffer buffer = open_card_buffer(SIZE, IN_VRAM, 0);
	uint64_t offset = mmap_offset(buffer.vram, buffer.handle);

	igt_assert_eq(mmap_error(buffer.vram, SIZE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE, offset), EINVAL);
	igt_assert_eq(mmap_error(buffer.dmabuf, SIZE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE, 0), EINVAL);
	close_card_buffer(&buffer);
}

static void after_close(void)
{
	struct phyr_device card = vram_device(0);
	uint64_t free = vram_free(&card);
	int vram = open_device(&card);
	uint32_t handle = create_vram(vram, SIZE, IN_VRAM, SZ_4K);
	void *mem = map_vram(vram, handle, SIZE);

	phyr_fill(mem, 5, 0, SIZE);
	igt_assert_eq(phyr_close_handle(vram, handle), 0);
	close(vram);
	assert_bytes(mem, 5, 0, SIZE);
	igt_assert_eq_u64(vram_free(&card), free - SIZE);
	unmap(mem, SIZE);
	wait_for_vram_free(&card, free);
}

/* Evict a buffer that is mapped through both files, and access it again. */
static void survives_eviction(void)
{
	struct phyr_device card = small_vram_device();
	uint64_t free = vram_free(&card);
	int vram = open_device(&card), dmabuf;
	uint32_t handle = create_vram(vram, SIZE, EVICTABLE, SZ_4K), big;
	void *drm_mem, *dmabuf_mem;

	dmabuf = export_buffer(vram, handle);
	drm_mem = map_vram(vram, handle, SIZE);
	dmabuf_mem = map_dmabuf(dmabuf, SIZE);
	phyr_fill(drm_mem, 6, 0, SIZE);
	assert_bytes(dmabuf_mem, 6, 0, SIZE);

	/* Fill all of VRAM with another buffer, whose bytes must not appear. */
	big = create_vram(vram, free, IN_VRAM, 0);
	igt_assert_eq(vram_info(vram, handle).placement, IN_SYSTEM);
	fill_vram(vram, big, free, 7);
	assert_bytes(drm_mem, 6, 0, SIZE);
	assert_bytes(dmabuf_mem, 6, 0, SIZE);
	phyr_fill(dmabuf_mem, 8, 0, SIZE);
	assert_bytes(drm_mem, 8, 0, SIZE);
	assert_vram(vram, big, free, 7);
	unmap(drm_mem, SIZE);
	unmap(dmabuf_mem, SIZE);
	close(dmabuf);
	close(vram);
	wait_for_vram_free(&card, free);
}

/* Mappings in different processes show the same memory. */
static void shared_by_processes(void)
{
	int vram = open_vram(0), dmabuf = create_dmabuf(vram, SIZE, SZ_4K);
	void *mem = map_dmabuf(dmabuf, SIZE);

	phyr_fill(mem, 9, 0, SIZE);
	igt_fork(child, 1) {
		void *own = map_dmabuf(dmabuf, SIZE);

		assert_bytes(own, 9, 0, SIZE);
		phyr_fill(own, 10, 0, SIZE);
	}
	igt_waitchildren();
	assert_bytes(mem, 10, 0, SIZE);
	unmap(mem, SIZE);
	close(dmabuf);
	close(vram);
}

static int sync_error(int dmabuf, uint64_t flags)
{
	struct dma_buf_sync sync = { .flags = flags };

	return phyr_ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, &sync);
}

static void sync_ioctl(void)
{
	int vram = open_vram(0), dmabuf = create_dmabuf(vram, SIZE, 0);

	igt_assert_eq(sync_error(dmabuf, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW),
		      0);
	igt_assert_eq(sync_error(dmabuf, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW), 0);
	igt_assert_eq(sync_error(dmabuf, 0), -EINVAL);
	igt_assert_eq(sync_error(dmabuf, 1ull << 40), -EINVAL);
	close(dmabuf);
	close(vram);
}

static void kernel_vmap(uint64_t max_extent, uint32_t placement)
{
	int test = open_phyr_test(SECOND_IVSHMEM), vram = open_vram(0);
	uint32_t handle = create_vram(vram, SIZE, placement, max_extent);
	struct phyr_test_vmap vmap = { .fill = 0xa5a5a5a5 };
	uint8_t *mem = map_vram(vram, handle, SIZE);

	memset(mem, 0x3c, SIZE);
	vmap.fd = export_buffer(vram, handle);
	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_VMAP, &vmap), 0);
	igt_assert_eq(vmap.is_iomem, placement == IN_VRAM);
	igt_assert_eq(vmap.was, 0x3c3c3c3c);
	igt_assert_eq_u64(phyr_verify_byte(mem, 0xa5, SIZE), -1);
	unmap(mem, SIZE);
	close(vmap.fd);
	close(vram);
	close(test);
}

static void own_buffer(void)
{
	struct drm_phyr_copy_gem_mmap map = { 0 };
	int engine = open_copy(0), vram = open_vram(0);
	void *mem;

	map.handle = create_own(engine, SIZE);
	mem = map_own(engine, map.handle, SIZE);
	assert_zero(mem, SIZE);
	phyr_fill(mem, 11, 0, SIZE);
	unmap(mem, SIZE);
	assert_own(engine, map.handle, SIZE, 11);
	map.pad = 1;
	igt_assert_eq(phyr_ioctl(engine, DRM_IOCTL_PHYR_COPY_GEM_MMAP, &map),
		      -EINVAL);
	map.pad = 0;
	map.handle = import_from(engine, vram, create_vram(vram, SIZE, IN_VRAM,
							   0));
	igt_assert_eq(phyr_ioctl(engine, DRM_IOCTL_PHYR_COPY_GEM_MMAP, &map),
		      -EINVAL);
	close(engine);
	close(vram);
}

/* Map from an offset; unmap only the first page of a mapping. */
static void own_buffer_part(void)
{
	int engine = open_copy(0), dmabuf;
	uint32_t own = create_own(engine, SIZE);
	uint8_t *mem;

	fill_own(engine, own, SIZE, 12);
	dmabuf = export_buffer(engine, own);
	mem = phyr_mmap(dmabuf, SIZE - SZ_4K, PROT_READ | PROT_WRITE, SZ_4K);
	igt_assert(mem != MAP_FAILED);
	assert_bytes(mem, 12, SZ_4K, SIZE - SZ_4K);
	unmap(mem, SIZE - SZ_4K);
	mem = map_own(engine, own, SIZE);
	unmap(mem, SZ_4K);
	assert_bytes(mem + SZ_4K, 12, SZ_4K, SIZE - SZ_4K);
	unmap(mem + SZ_4K, SIZE - SZ_4K);
	close(dmabuf);
	close(engine);
}

igt_main()
{
	igt_describe("The DRM node and the dma-buf map the same bytes");
	igt_subtest("same-bytes")
		same_bytes(IN_VRAM, 0);

	igt_describe("The DRM node and the dma-buf map the same pages of a fragmented buffer");
	igt_subtest("same-bytes-fragmented")
		same_bytes(IN_VRAM, SZ_4K);

	igt_describe("The DRM node and the dma-buf map the same bytes in system memory");
	igt_subtest("same-bytes-system")
		same_bytes(IN_SYSTEM, 0);

	igt_describe("Parts of a dma-buf are mapped");
	igt_subtest("part")
		part();

	igt_describe("Executable mappings are refused, also by mprotect()");
	igt_subtest("no-exec")
		no_exec();

	igt_describe("Mappings beyond the end of the buffer are refused");
	igt_subtest("past-end")
		past_end();

	igt_describe("Private mappings are refused");
	igt_subtest("no-private")
		no_private();

	igt_describe("A mapping keeps the buffer after its handle and client are closed");
	igt_subtest("after-close")
		after_close();

	igt_describe("Mappings through both files follow an evicted buffer");
	igt_subtest("survives-eviction")
		survives_eviction();

	igt_describe("Processes that map the same dma-buf share its bytes");
	igt_subtest("shared-by-processes")
		shared_by_processes();

	igt_describe("DMA_BUF_IOCTL_SYNC works and refuses unknown flags");
	igt_subtest("sync-ioctl")
		sync_ioctl();

	igt_describe("A kernel client maps a buffer as I/O memory");
	igt_subtest("kernel-vmap")
		kernel_vmap(0, IN_VRAM);

	igt_describe("A kernel client maps a fragmented buffer as one range");
	igt_subtest("kernel-vmap-fragmented") {
		kernel_vmap(SZ_4K, IN_VRAM);
		/* Extents of several pages each. */
		kernel_vmap(SZ_64K, IN_VRAM);
	}

	igt_describe("A kernel client maps a buffer in system memory");
	igt_subtest("kernel-vmap-system")
		kernel_vmap(0, IN_SYSTEM);

	igt_describe("The engine maps its own buffers but not imported ones");
	igt_subtest("engine-buffer")
		own_buffer();

	igt_describe("Parts of the engine's own buffers map the correct bytes");
	igt_subtest("engine-buffer-part")
		own_buffer_part();
}

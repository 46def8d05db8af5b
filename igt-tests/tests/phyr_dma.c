// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xf86drm.h>

#include "lib.h"

IGT_TEST_DESCRIPTION("DMA by a copy engine to and from page-less memory");

static void to_vram(uint64_t size, uint64_t max_extent)
{
	int vram = open_vram(0), engine = open_copy(0);
	uint32_t own = create_own(engine, size), handle;

	handle = create_vram(vram, size, IN_VRAM, max_extent);
	fill_own(engine, own, size, 1);
	copy_bytes(engine, own, import_from(engine, vram, handle), size);
	assert_vram(vram, handle, size, 1);
	close(engine);
	close(vram);
}

static void from_vram(uint64_t size, uint64_t max_extent)
{
	int vram = open_vram(0), engine = open_copy(0);
	uint32_t own = create_own(engine, size), handle;

	handle = create_vram(vram, size, IN_VRAM, max_extent);
	fill_vram(vram, handle, size, 2);
	copy_bytes(engine, import_from(engine, vram, handle), own, size);
	assert_own(engine, own, size, 2);
	close(engine);
	close(vram);
}

static void vram_to_vram(int src_card, uint64_t src_extent, int dst_card,
			 uint64_t dst_extent, uint64_t size)
{
	int src_fd = open_vram(src_card), dst_fd = open_vram(dst_card);
	int engine = open_copy(0);
	uint32_t src, dst;

	src = create_vram(src_fd, size, IN_VRAM, src_extent);
	dst = create_vram(dst_fd, size, IN_VRAM, dst_extent);
	fill_vram(src_fd, src, size, 3);
	copy_bytes(engine, import_from(engine, src_fd, src),
		   import_from(engine, dst_fd, dst), size);
	assert_vram(dst_fd, dst, size, 3);
	assert_vram(src_fd, src, size, 3);
	close(engine);
	close(dst_fd);
	close(src_fd);
}

static void system_to_system(void)
{
	int engine = open_copy(0);
	uint32_t src = create_own(engine, SZ_1M), dst = create_own(engine, SZ_1M);

	fill_own(engine, src, SZ_1M, 4);
	copy_bytes(engine, src, dst, SZ_1M);
	assert_own(engine, dst, SZ_1M, 4);
	close(engine);
}

/**
 * struct copy_range - a copy of part of a buffer
 * @src: offset of the first byte to read
 * @dst: offset of the first byte to write
 * @len: bytes
 */
struct copy_range {
	uint64_t src;
	uint64_t dst;
	uint64_t len;
};

static const struct copy_range odd_ranges[] = {
	{ 0, 0, 1 }, { 1, 0, 1 }, { 0, 1, 1 }, { 4094, 4096, 3 },
	{ 4096, 4094, 3 }, { 1, 2, 4096 }, { 3, 3, 8191 },
	{ 4097, 12289, 65535 }, { 123456, 7, 200001 }, { 5, 9, SZ_1M - 9 },
};

static const struct copy_range last_bytes[] = {
	{ 4095, 4096, 2 }, { 4096, 4095, 2 }, { 4095, 8191, 8193 },
	{ SZ_1M - 1, 0, 1 }, { 0, SZ_1M - 1, 1 },
};

/*
 * The bytes before and after the copied range must not change. The buffer is
 * fragmented, so most copies cross extents.
 */
static void copy_ranges(const struct copy_range *copies, unsigned int nr)
{
	int vram = open_vram(0), engine = open_copy(0);
	uint32_t src = create_own(engine, SZ_1M), handle, dst;
	uint8_t *mem;

	handle = create_vram(vram, SZ_1M, IN_VRAM, SZ_4K);
	dst = import_from(engine, vram, handle);
	mem = map_vram(vram, handle, SZ_1M);
	fill_own(engine, src, SZ_1M, 5);
	for (unsigned int i = 0; i < nr; i++) {
		const struct copy_range *range = &copies[i];
		uint64_t end = range->dst + range->len;

		phyr_fill(mem, 6, 0, SZ_1M);
		igt_assert_eq(phyr_copy_run(engine, src, range->src, dst,
					    range->dst, range->len), 0);
		assert_bytes(mem, 6, 0, range->dst);
		assert_bytes(mem + range->dst, 5, range->src, range->len);
		assert_bytes(mem + end, 6, end, SZ_1M - end);
	}
	unmap(mem, SZ_1M);
	close(engine);
	close(vram);
}

/* A reproducible pseudo-random number. */
static uint64_t random_below(uint64_t *state, uint64_t limit)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return (*state >> 33) % limit;
}

static void random_ranges(void)
{
	uint64_t state = 2026, size = SZ_1M;
	int vram = open_vram(0), engine = open_copy(0);
	uint32_t src_handle = create_vram(vram, size, IN_VRAM, SZ_4K);
	uint32_t dst_handle = create_vram(vram, size, IN_VRAM, 2 * SZ_4K);
	uint32_t src = import_from(engine, vram, src_handle);
	uint32_t dst = import_from(engine, vram, dst_handle);
	uint8_t *want = malloc(size), *mem = map_vram(vram, dst_handle, size);

	igt_assert(want);
	fill_vram(vram, src_handle, size, 7);
	phyr_fill(mem, 8, 0, size);
	phyr_fill(want, 8, 0, size);
	for (int i = 0; i < 100; i++) {
		uint64_t len = 1 + random_below(&state, 40000);
		uint64_t from = random_below(&state, size - len);
		uint64_t to = random_below(&state, size - len);

		phyr_fill(want + to, 7, from, len);
		igt_assert_eq(phyr_copy_run(engine, src, from, dst, to, len), 0);
	}
	igt_assert_f(!memcmp(mem, want, size),
		     "wrong bytes in the destination after 100 copies (seed 2026)\n");
	free(want);
	unmap(mem, size);
	close(engine);
	close(vram);
}

static void script_length(void)
{
	struct phyr_device device = copy_device(0);
	int vram = open_vram(0), engine = open_device(&device);
	uint32_t src, dst;
	struct phyr_job job;

	src = import_from(engine, vram,
			  create_vram(vram, 4 * SZ_1M, IN_VRAM, SZ_4K));
	dst = import_from(engine, vram,
			  create_vram(vram, 4 * SZ_1M, IN_VRAM, SZ_64K));
	copy_bytes(engine, src, dst, 4 * SZ_1M);
	job = last_job(&device);
	igt_assert_eq_u64(job.len, 4 * SZ_1M);
	igt_assert_eq(job.status, 0);
	igt_info("%" PRIu64 " moves in %" PRIu64 " scripts\n", job.moves,
		 job.scripts);
	if (iommu_is_on() && !is_on_switch()) {
		/* Source and destination are one IOVA range each. */
		igt_assert_eq_u64(job.moves, 1);
		igt_assert_eq_u64(job.scripts, 1);
	} else {
		igt_assert_lte_u64(512, job.moves);
		igt_assert_lte_u64(2, job.scripts);
	}
	close(engine);
	close(vram);
}

/* The DMA ranges of the imported buffer match its extents and the mode. */
static void check_ranges(void)
{
	struct phyr_device device = copy_device(0), card = vram_device(0);
	int vram = open_device(&card), engine = open_device(&device);
	uint32_t handle = create_vram(vram, SZ_1M, IN_VRAM, SZ_4K), imported;
	struct drm_phyr_copy_gem_info info;
	struct phyr_ranges_dump ranges;
	struct phyr_list_dump list;

	imported = import_from(engine, vram, handle);
	copy_bytes(engine, imported, create_own(engine, SZ_1M), SZ_1M);
	igt_assert_eq(phyr_copy_gem_info(engine, imported, &info), 0);
	igt_assert_eq(phyr_ranges_dump_read(&device, info.id, &ranges), 0);
	igt_assert_eq(phyr_list_dump_read(&card, vram_info(vram, handle).id,
					  &list), 0);
	igt_assert(ranges.imported);
	if (is_on_switch() || !iommu_is_on()) {
		const char *mode = is_on_switch() ? "bus" : "window";

		igt_assert_f(!strcmp(ranges.mode, mode),
			     "mode '%s', expected '%s'\n", ranges.mode, mode);
		igt_assert_eq_u64(ranges.nr, list.nr);
		for (size_t i = 0; i < list.nr; i++) {
			igt_assert_eq_u64(ranges.ranges[i].addr,
					  list.vecs[i].paddr);
			igt_assert_eq_u64(ranges.ranges[i].len,
					  list.vecs[i].len);
		}
	} else {
		igt_assert_f(!strcmp(ranges.mode, "iova"),
			     "mode '%s', expected 'iova'\n", ranges.mode);
		igt_assert_eq_u64(ranges.nr, 1);
		igt_assert_eq_u64(ranges.ranges[0].len, SZ_1M);
	}
	phyr_ranges_dump_free(&ranges);
	phyr_list_dump_free(&list);
	close(engine);
	close(vram);
}

static void dumb_copy(void)
{
	struct drm_mode_create_dumb create = {
		.width = 256, .height = 256, .bpp = 32,
	};
	struct phyr_device card = vram_device(0);
	int vram = open(card.primary, O_RDWR | O_CLOEXEC), engine = open_copy(0);
	uint32_t own;

	igt_assert_f(vram >= 0, "%s: %s\n", card.primary, strerror(errno));
	igt_assert_eq(phyr_ioctl(vram, DRM_IOCTL_MODE_CREATE_DUMB, &create), 0);
	own = create_own(engine, create.size);
	fill_vram(vram, create.handle, create.size, 43);
	copy_bytes(engine, import_from(engine, vram, create.handle), own,
		   create.size);
	assert_own(engine, own, create.size, 43);
	close(engine);
	close(vram);
}

/* What a debugger does: read and write a mapping through /proc/PID/mem. */
static void debugger(void)
{
	const uint64_t size = 4 * SZ_4K, at = SZ_4K - 100, len = 2 * SZ_4K;
	int engine = open_copy(0), mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	uint32_t handle = create_own(engine, size);
	uint8_t bytes[2 * SZ_4K], *own = map_own(engine, handle, size);

	igt_assert(mem >= 0);
	phyr_fill(own, 44, 0, size);
	igt_assert_eq(pread(mem, bytes, len, (uintptr_t)own + at), len);
	assert_bytes(bytes, 44, at, len);
	phyr_fill(bytes, 45, 0, len);
	igt_assert_eq(pwrite(mem, bytes, len, (uintptr_t)own + at), len);
	assert_bytes(own, 44, 0, at);
	assert_bytes(own + at, 45, 0, len);
	assert_bytes(own + at + len, 44, at + len, size - at - len);

	/* A mapping whose front is gone. */
	unmap(own, SZ_4K);
	igt_assert_eq(pread(mem, bytes, SZ_4K, (uintptr_t)own + 2 * SZ_4K),
		      SZ_4K);
	assert_bytes(bytes, 45, SZ_4K + 100, SZ_4K - 100);
	assert_bytes(bytes + SZ_4K - 100, 44, at + len, 100);
	/* Not beyond what is mapped, though the buffer goes on. */
	unmap(own + size - SZ_4K, SZ_4K);
	igt_assert_eq(pread(mem, bytes, SZ_4K,
			    (uintptr_t)own + size - SZ_4K - 100), 100);
	unmap(own + SZ_4K, size - 2 * SZ_4K);
	close(mem);
	close(engine);
}

/*
 * 40 buffers of 64 MiB, each used by one small job, fill the engine's DMA
 * address space of 2 GiB: their exporter maps only whole buffers. The client
 * that used them idles, and others must find room.
 */
static void idle_buffers(void)
{
	enum { BUFFERS = 40 };
	const uint64_t size = 64 * SZ_1M;
	int idle = open_copy(0), other = open_copy(0), dmabufs[BUFFERS];
	int memfd = create_sealed_memfd(size);
	uint32_t own = create_own(idle, SZ_4K), src, dst;

	for (int i = 0; i < BUFFERS; i++) {
		dmabufs[i] = create_udmabuf_of(memfd, size);
		copy_part(idle, import_buffer(idle, dmabufs[i]), size - SZ_4K,
			  own, 0, SZ_4K);
	}
	src = create_own(other, SZ_1M);
	dst = create_own(other, SZ_1M);
	fill_own(other, src, SZ_1M, 46);
	copy_bytes(other, src, dst, SZ_1M);
	assert_own(other, dst, SZ_1M, 46);
	copy_bytes(other, import_buffer(other, dmabufs[0]), dst, SZ_1M);
	close(idle);
	close(other);
	for (int i = 0; i < BUFFERS; i++)
		close(dmabufs[i]);
	close(memfd);
}

igt_main()
{
	igt_fixture()
		bind_engines();

	igt_describe("System memory to VRAM");
	igt_subtest("to-vram")
		to_vram(SZ_1M, 0);

	igt_describe("VRAM to system memory");
	igt_subtest("from-vram")
		from_vram(SZ_1M, 0);

	igt_describe("Within one card");
	igt_subtest("vram-to-vram")
		vram_to_vram(0, 0, 0, 0, SZ_1M);

	igt_describe("From one card to another, without a copy in system memory");
	igt_subtest("card-to-card") {
		vram_to_vram(0, SZ_64K, 1, SZ_4K, SZ_1M);
		vram_to_vram(1, 0, 0, SZ_4K, SZ_1M);
	}

	igt_describe("System memory to system memory");
	igt_subtest("system-to-system")
		system_to_system();

	igt_describe("Fragmented buffers whose extents have different borders");
	igt_subtest("fragmented") {
		to_vram(SZ_1M, SZ_4K);
		from_vram(SZ_1M, SZ_4K);
		vram_to_vram(0, SZ_4K, 0, SZ_64K, SZ_1M);
		vram_to_vram(0, SZ_64K, 0, SZ_4K, SZ_1M);
	}

	igt_describe("16 MiB in extents of a page, each way");
	igt_subtest("large") {
		to_vram(SZ_16M, SZ_4K);
		from_vram(SZ_16M, SZ_4K);
	}

	igt_describe("Sizes that are not a power of two");
	igt_subtest("odd-sizes") {
		to_vram(SZ_1M + SZ_4K, SZ_64K);
		from_vram(7 * SZ_4K, 2 * SZ_4K);
	}

	igt_describe("Unaligned offsets and lengths; other bytes do not change");
	igt_subtest("odd-places")
		copy_ranges(odd_ranges, ARRAY_SIZE(odd_ranges));

	igt_describe("Copies that start at the last byte of a page");
	igt_subtest("last-byte-of-page") {
		igt_require_f(!iommu_is("virtio"),
			      "QEMU's virtio-iommu translates an access that starts at the last byte of a mapping with the next mapping\n");
		copy_ranges(last_bytes, ARRAY_SIZE(last_bytes));
	}

	igt_describe("Random ranges of fragmented buffers");
	igt_subtest("random-places")
		random_ranges();

	igt_describe("The script has a move per pair of DMA ranges and is split if too long");
	igt_subtest("script-length")
		script_length();

	igt_describe("The engine's DMA ranges match the configuration");
	igt_subtest("ranges")
		check_ranges();

	igt_describe("A dumb buffer is copied");
	igt_subtest("dumb")
		dumb_copy();

	igt_describe("A debugger reads and writes a mapping of the engine's own buffer");
	igt_subtest("debugger")
		debugger();

	igt_describe("Idle buffers of one client that fill the engine's DMA address space are unmapped for others");
	igt_subtest("idle-buffers")
		idle_buffers();
}

// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <xf86drm.h>

#include "lib.h"

IGT_TEST_DESCRIPTION("Creation of buffers in the page-less memory of a card");

static struct phyr_device card;

static int create_error(struct drm_phyr_vram_gem_create create)
{
	int fd = open_device(&card);
	int err = phyr_ioctl(fd, DRM_IOCTL_PHYR_VRAM_GEM_CREATE, &create);

	close(fd);
	return err;
}

#define CREATE_ERROR(...) \
	create_error((struct drm_phyr_vram_gem_create){ \
		.size = SZ_64K, .placement = IN_VRAM, __VA_ARGS__ })

static void basic(void)
{
	struct drm_phyr_vram_gem_info info;
	int fd = open_device(&card);

	info = vram_info(fd, create_vram(fd, SZ_1M, IN_VRAM, 0));
	igt_assert_eq_u64(info.size, SZ_1M);
	igt_assert_eq(info.placement, IN_VRAM);
	igt_assert_lte_u64(1, info.extents);
	close(fd);
}

static void round_up(void)
{
	struct drm_phyr_vram_gem_create create = {
		.size = SZ_4K + 1,
		.placement = IN_VRAM,
	};
	int fd = open_device(&card);

	igt_assert_eq(phyr_ioctl(fd, DRM_IOCTL_PHYR_VRAM_GEM_CREATE, &create),
		      0);
	igt_assert_eq_u64(create.size, 2 * SZ_4K);
	igt_assert_eq_u64(vram_info(fd, create.handle).size, 2 * SZ_4K);
	close(fd);
}

static void system_memory(void)
{
	struct drm_phyr_vram_gem_info info;
	uint64_t free = vram_free(&card);
	int fd = open_device(&card);
	uint32_t handle = create_vram(fd, SZ_1M, IN_SYSTEM, 0);

	info = vram_info(fd, handle);
	igt_assert_eq(info.placement, IN_SYSTEM);
	igt_assert_eq_u64(info.extents, 0);
	igt_assert_eq_u64(vram_free(&card), free);
	fill_vram(fd, handle, SZ_1M, 1);
	assert_vram(fd, handle, SZ_1M, 1);
	close(fd);
}

/* The buffer's extents in debugfs are consistent and in range. */
static void assert_list(int fd, uint32_t handle, uint64_t max_extent)
{
	struct drm_phyr_vram_gem_info info = vram_info(fd, handle);
	struct phyr_list_dump list;
	struct phyr_vram_dump vram;
	uint64_t total = 0;

	igt_assert_eq(phyr_vram_dump_read(&card, &vram), 0);
	igt_assert_eq(phyr_list_dump_read(&card, info.id, &list), 0);
	igt_assert_eq_u64(list.nr, info.extents);
	igt_assert_eq_u64(list.extents, info.extents);
	igt_assert_eq_u64(list.size, info.size);
	for (size_t i = 0; i < list.nr; i++) {
		const struct phyr_vec *vec = &list.vecs[i];

		igt_assert_f(!vec->pages, "extent %zu has struct pages\n", i);
		igt_assert_lte_u64(vec->len, max_extent);
		igt_assert_lte_u64(vec->offset + vec->len, vram.size);
		igt_assert_eq_u64(vec->paddr, vram.bar + vec->offset);
		igt_assert_eq_u64(vec->paddr % SZ_4K, 0);
		total += vec->len;
	}
	igt_assert_eq_u64(total, info.size);
	phyr_list_dump_free(&list);
	phyr_vram_dump_free(&vram);
}

static void fragmented(void)
{
	static const uint64_t extents[] = { SZ_4K, SZ_64K, SZ_1M };
	int fd = open_device(&card);

	for (unsigned int i = 0; i < ARRAY_SIZE(extents); i++) {
		uint32_t handle = create_vram(fd, 4 * SZ_1M, IN_VRAM,
					      extents[i]);

		igt_assert_lte_u64(4 * SZ_1M / extents[i],
				   vram_info(fd, handle).extents);
		assert_list(fd, handle, extents[i]);
		igt_assert_eq(phyr_close_handle(fd, handle), 0);
	}
	close(fd);
}

static void odd_size(void)
{
	uint64_t size = SZ_1M + 3 * SZ_4K;
	int fd = open_device(&card);
	uint32_t handle = create_vram(fd, size, IN_VRAM, SZ_64K);

	assert_list(fd, handle, SZ_64K);
	fill_vram(fd, handle, size, 2);
	assert_vram(fd, handle, size, 2);
	close(fd);
}

/* Allocated blocks do not overlap, and blocks plus free VRAM equal its size. */
static void map_adds_up(void)
{
	struct phyr_vram_dump vram;
	int fd = open_device(&card);
	uint64_t used = 0;

	for (int i = 0; i < 32; i++)
		create_vram(fd, (i + 1) * SZ_4K, IN_VRAM, i % 2 ? SZ_4K : 0);
	igt_assert_eq(phyr_vram_dump_read(&card, &vram), 0);
	for (size_t i = 0; i < vram.nr; i++) {
		const struct phyr_vram_block *a = &vram.blocks[i];

		used += a->len;
		igt_assert_lte_u64(a->offset + a->len, vram.size);
		for (size_t k = 0; k < i; k++) {
			const struct phyr_vram_block *b = &vram.blocks[k];

			igt_assert_f(a->offset >= b->offset + b->len ||
				     b->offset >= a->offset + a->len,
				     "blocks %zu and %zu overlap\n", i, k);
		}
	}
	igt_assert_eq_u64(used + vram.free, vram.size);
	phyr_vram_dump_free(&vram);
	close(fd);
}

static void cleared(void)
{
	int fd = open_device(&card);
	uint32_t handle;
	void *mem;

	for (int round = 0; round < 4; round++) {
		handle = create_vram(fd, SZ_1M, IN_VRAM, round % 2 ? SZ_4K : 0);
		mem = map_vram(fd, handle, SZ_1M);
		assert_zero(mem, SZ_1M);
		memset(mem, 0x5a, SZ_1M);
		unmap(mem, SZ_1M);
		igt_assert_eq(phyr_close_handle(fd, handle), 0);
	}
	close(fd);
}

static void free_returns(void)
{
	uint64_t free = vram_free(&card);
	int fd = open_device(&card);
	uint32_t handle = create_vram(fd, 2 * SZ_1M, IN_VRAM, SZ_64K);

	igt_assert_eq_u64(vram_free(&card), free - 2 * SZ_1M);
	igt_assert_eq(phyr_close_handle(fd, handle), 0);
	wait_for_vram_free(&card, free);
	create_vram(fd, SZ_1M, IN_VRAM, 0);
	close(fd);
	wait_for_vram_free(&card, free);
}

static void many(void)
{
	uint64_t free = vram_free(&card);
	int fd = open_device(&card);
	uint64_t last = 0;

	for (int i = 0; i < 500; i++) {
		uint64_t id = vram_info(fd, create_vram(fd, SZ_4K, IN_VRAM,
							0)).id;

		igt_assert_f(id && id != last,
			     "id %llu of buffer %d is 0 or that of buffer %d\n",
			     (unsigned long long)id, i, i - 1);
		last = id;
	}
	igt_assert_eq_u64(vram_free(&card), free - 500 * SZ_4K);
	close(fd);
	wait_for_vram_free(&card, free);
}

static uint64_t vram_size(void)
{
	struct drm_phyr_vram_info info;
	int fd = open_device(&card);

	igt_assert_eq(phyr_vram_info(fd, &info), 0);
	igt_assert_eq(info.page_size, 4096);
	igt_assert(info.vram_size);
	close(fd);
	return info.vram_size;
}

static void huge_size(void)
{
	static const uint64_t sizes[] = {
		1ull << 40, 1ull << 62, ~0ull, ~0ull - SZ_4K + 2,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++)
		for (uint32_t place = IN_VRAM; place <= EVICTABLE; place++)
			igt_assert_eq(CREATE_ERROR(.size = sizes[i],
						   .placement = place), -E2BIG);
}

/* It starts in system memory, and no other buffer makes way for it. */
static void evictable_larger_than_vram(void)
{
	uint64_t size = vram_size() + 44 * SZ_1M;
	int fd = open_device(&card);
	uint32_t other = create_vram(fd, SZ_1M, EVICTABLE, SZ_4K);
	uint32_t handle = create_vram(fd, size, EVICTABLE, 0);
	uint8_t *mem = map_vram(fd, handle, size);

	igt_assert_eq(vram_info(fd, handle).placement, IN_SYSTEM);
	phyr_fill(mem, 1, 0, SZ_64K);
	phyr_fill(mem + size - SZ_64K, 1, size - SZ_64K, SZ_64K);
	igt_assert_eq(try_move_buffer(fd, handle, IN_VRAM), -ENOSPC);
	igt_assert_eq(vram_info(fd, handle).placement, IN_SYSTEM);
	igt_assert_eq(vram_info(fd, other).placement, IN_VRAM);
	assert_bytes(mem, 1, 0, SZ_64K);
	assert_bytes(mem + size - SZ_64K, 1, size - SZ_64K, SZ_64K);
	unmap(mem, size);
	close(fd);
}

static void on_alarm(int number)
{
	(void)number;
}

#define LONG_SIZE	(128 * SZ_1M)

/*
 * Signals come more often than the operation takes. Not phyr_ioctl(), which
 * starts again.
 */
static void assert_interrupted(int fd, unsigned long request, void *arg)
{
	struct sigaction action = { .sa_handler = on_alarm };
	const struct itimerval never = { 0 }, often = {
		.it_value.tv_usec = 2000, .it_interval.tv_usec = 2000,
	};
	int ret, err;

	igt_assert_eq(sigaction(SIGALRM, &action, NULL), 0);
	igt_assert_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
	ret = ioctl(fd, request, arg);
	err = errno;
	igt_assert_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
	igt_assert_eq(ret, -1);
	igt_assert_eq(err, EINTR);
}

static void interrupted(void)
{
	struct drm_phyr_vram_gem_create create = {
		.size = LONG_SIZE, .placement = IN_VRAM,
	};
	struct drm_phyr_vram_gem_move move = { .placement = IN_SYSTEM };
	uint64_t free = vram_free(&card);
	int fd = open_device(&card);
	uint8_t *mem;

	assert_interrupted(fd, DRM_IOCTL_PHYR_VRAM_GEM_CREATE, &create);
	wait_for_vram_free(&card, free);
	create.placement = IN_SYSTEM;
	assert_interrupted(fd, DRM_IOCTL_PHYR_VRAM_GEM_CREATE, &create);

	move.handle = create_vram(fd, LONG_SIZE, EVICTABLE, 0);
	mem = map_vram(fd, move.handle, LONG_SIZE);
	phyr_fill(mem + LONG_SIZE - SZ_64K, 1, 0, SZ_64K);
	assert_interrupted(fd, DRM_IOCTL_PHYR_VRAM_GEM_MOVE, &move);
	igt_assert_eq(vram_info(fd, move.handle).placement, IN_VRAM);
	assert_bytes(mem + LONG_SIZE - SZ_64K, 1, 0, SZ_64K);
	move_buffer(fd, move.handle, IN_SYSTEM);
	assert_bytes(mem + LONG_SIZE - SZ_64K, 1, 0, SZ_64K);
	unmap(mem, LONG_SIZE);
	close(fd);
	wait_for_vram_free(&card, free);
}

static void info_errors(void)
{
	struct drm_phyr_vram_gem_mmap map = { .pad = 1 };
	struct drm_phyr_vram_info pad = { .pad = 1 };
	struct drm_phyr_vram_gem_info info;
	int fd = open_device(&card);

	igt_assert_eq(phyr_ioctl(fd, DRM_IOCTL_PHYR_VRAM_INFO, &pad), -EINVAL);
	map.handle = create_vram(fd, SZ_4K, IN_VRAM, 0);
	igt_assert_eq(phyr_ioctl(fd, DRM_IOCTL_PHYR_VRAM_GEM_MMAP, &map),
		      -EINVAL);
	igt_assert_eq(phyr_vram_gem_info(fd, 0, &info), -ENOENT);
	close(fd);
}

static void stale_handle(void)
{
	struct drm_phyr_vram_gem_info info;
	int fd = open_device(&card);
	uint32_t handle = create_vram(fd, SZ_4K, IN_VRAM, 0);

	igt_assert_eq(phyr_close_handle(fd, handle), 0);
	igt_assert_eq(phyr_vram_gem_info(fd, handle, &info), -ENOENT);
	igt_assert(phyr_vram_mmap(fd, handle, SZ_4K, PROT_READ) == MAP_FAILED);
	igt_assert_eq(errno, ENOENT);
	igt_assert_eq(phyr_export(fd, handle), -ENOENT);
	igt_assert_eq(phyr_close_handle(fd, handle), -EINVAL);
	close(fd);
}

static void full(void)
{
	struct phyr_device small = small_vram_device();
	uint64_t free = vram_free(&small), taken = 0;
	int fd = open_device(&small), err;
	uint32_t handle, last = 0;

	for (;;) {
		err = phyr_vram_create(fd, SZ_1M, IN_VRAM, 0, &handle);
		if (err)
			break;
		last = handle;
		taken += SZ_1M;
		igt_assert_lte_u64(taken, free);
	}
	igt_assert_eq(err, -ENOSPC);
	igt_assert_lte_u64(free - taken, SZ_1M - 1);
	igt_assert_eq_u64(vram_free(&small), free - taken);
	/* A buffer that may be in system memory still fits there. */
	handle = create_vram(fd, SZ_1M, EVICTABLE, 0);
	igt_assert_eq(vram_info(fd, handle).placement, IN_SYSTEM);
	/* An allocation that fails halfway frees its extents. */
	igt_assert_eq(phyr_close_handle(fd, last), 0);
	wait_for_vram_free(&small, free - taken + SZ_1M);
	igt_assert_eq(phyr_vram_create(fd, 2 * SZ_1M, IN_VRAM, SZ_4K, &handle),
		      -ENOSPC);
	wait_for_vram_free(&small, free - taken + SZ_1M);
	close(fd);
	wait_for_vram_free(&small, free);
}

/* Fill VRAM and free every second buffer. */
static void full_of_holes(void)
{
	struct phyr_device small = small_vram_device();
	uint64_t free = vram_free(&small);
	uint32_t handles[64], handle;
	int fd = open_device(&small);
	unsigned int nr = 0;

	while (nr < ARRAY_SIZE(handles) &&
	       !phyr_vram_create(fd, free / ARRAY_SIZE(handles), IN_VRAM, 0,
				 &handles[nr]))
		nr++;
	igt_assert_lte_u64(8, nr);
	for (unsigned int i = 0; i < nr; i += 2)
		igt_assert_eq(phyr_close_handle(fd, handles[i]), 0);
	handle = create_vram(fd, free / 4, IN_VRAM, 0);
	igt_assert_lte_u64(2, vram_info(fd, handle).extents);
	fill_vram(fd, handle, free / 4, 3);
	assert_vram(fd, handle, free / 4, 3);
	close(fd);
	wait_for_vram_free(&small, free);
}

static void evict(void)
{
	struct phyr_device small = small_vram_device();
	uint64_t free = vram_free(&small);
	unsigned int nr = free / SZ_1M, evicted = 0;
	int fd = open_device(&small);
	uint32_t handles[nr], big;

	for (unsigned int i = 0; i < nr; i++) {
		handles[i] = create_vram(fd, SZ_1M, EVICTABLE,
					 i % 3 ? SZ_4K : 0);
		fill_vram(fd, handles[i], SZ_1M, i);
	}
	big = create_vram(fd, free / 2, IN_VRAM, 0);
	fill_vram(fd, big, free / 2, 1000);
	for (unsigned int i = 0; i < nr; i++) {
		evicted += vram_info(fd, handles[i]).placement == IN_SYSTEM;
		assert_vram(fd, handles[i], SZ_1M, i);
	}
	igt_assert_lte_u64(free / 2 / SZ_1M, evicted);
	assert_vram(fd, big, free / 2, 1000);
	close(fd);
	wait_for_vram_free(&small, free);
}

static void dumb(void)
{
	struct drm_mode_create_dumb create = {
		.width = 640, .height = 480, .bpp = 32,
	};
	struct drm_mode_map_dumb map = { 0 };
	struct phyr_device device = vram_device(0);
	int fd = open(device.primary, O_RDWR | O_CLOEXEC);
	void *mem;

	igt_assert_f(fd >= 0, "%s: %s\n", device.primary, strerror(errno));
	igt_assert_eq(phyr_ioctl(fd, DRM_IOCTL_MODE_CREATE_DUMB, &create), 0);
	igt_assert_lte_u64(640 * 4, create.pitch);
	igt_assert_lte_u64((uint64_t)create.pitch * 480, create.size);
	map.handle = create.handle;
	igt_assert_eq(phyr_ioctl(fd, DRM_IOCTL_MODE_MAP_DUMB, &map), 0);
	mem = phyr_mmap(fd, create.size, PROT_READ | PROT_WRITE, map.offset);
	igt_assert(mem != MAP_FAILED);
	assert_zero(mem, create.size);
	phyr_fill(mem, 4, 0, create.size);
	assert_bytes(mem, 4, 0, create.size);
	unmap(mem, create.size);
	close(fd);
}

igt_main()
{
	igt_fixture()
		card = vram_device(0);

	igt_describe("A buffer has the requested size and placement");
	igt_subtest("basic")
		basic();

	igt_describe("Sizes are rounded up to pages, and the result is returned");
	igt_subtest("round-up")
		round_up();

	igt_describe("A buffer in system memory takes no VRAM");
	igt_subtest("system-memory")
		system_memory();

	igt_describe("No extent exceeds max_extent or has struct pages");
	igt_subtest("fragmented")
		fragmented();

	igt_describe("A size that is not a power of two is allocated exactly");
	igt_subtest("odd-size")
		odd_size();

	igt_describe("Allocated blocks do not overlap and add up with free VRAM");
	igt_subtest("vram-map-adds-up")
		map_adds_up();

	igt_describe("A new buffer is zeroed");
	igt_subtest("cleared")
		cleared();

	igt_describe("Closing a handle or the client frees VRAM");
	igt_subtest("free-returns")
		free_returns();

	igt_describe("500 small buffers have different ids");
	igt_subtest("many")
		many();

	igt_describe("A size of 0 is refused");
	igt_subtest("zero-size")
		for (uint32_t place = IN_VRAM; place <= EVICTABLE; place++)
			igt_assert_eq(CREATE_ERROR(.size = 0,
						   .placement = place),
				      -EINVAL);

	igt_describe("Sizes beyond all memory are refused, even if rounding up overflows");
	igt_subtest("huge-size")
		huge_size();

	igt_describe("A buffer larger than VRAM is refused if it must be in VRAM");
	igt_subtest("larger-than-vram")
		igt_assert_eq(CREATE_ERROR(.size = vram_size() + 1), -E2BIG);

	igt_describe("A buffer larger than VRAM starts in system memory if it may (300 MiB on 256)");
	igt_subtest("evictable-larger-than-vram")
		evictable_larger_than_vram();

	igt_describe("A signal ends clearing a new buffer and moving one, which stays as it was");
	igt_subtest("interrupted")
		interrupted();

	igt_describe("Unknown flags are refused");
	igt_subtest("unknown-flags")
		for (int bit = 0; bit < 32; bit++)
			igt_assert_eq(CREATE_ERROR(.flags = 1u << bit),
				      -EINVAL);

	igt_describe("Padding must be zero");
	igt_subtest("padding")
		igt_assert_eq(CREATE_ERROR(.pad = 1), -EINVAL);

	igt_describe("A buffer without a placement is refused");
	igt_subtest("no-placement")
		igt_assert_eq(CREATE_ERROR(.placement = 0), -EINVAL);

	igt_describe("Unknown placements are refused");
	igt_subtest("unknown-placement")
		for (int bit = 2; bit < 32; bit++)
			igt_assert_eq(CREATE_ERROR(.placement = IN_VRAM |
							1u << bit), -EINVAL);

	igt_describe("max_extent must be a power of two and at least a page");
	igt_subtest("bad-max-extent") {
		igt_assert_eq(CREATE_ERROR(.max_extent = 1), -EINVAL);
		igt_assert_eq(CREATE_ERROR(.max_extent = 2048), -EINVAL);
		igt_assert_eq(CREATE_ERROR(.max_extent = 3 * SZ_4K), -EINVAL);
		igt_assert_eq(CREATE_ERROR(.max_extent = ~0ull), -EINVAL);
	}

	igt_describe("The other ioctls refuse padding and invalid handles, too");
	igt_subtest("info-errors")
		info_errors();

	igt_describe("A closed handle is refused");
	igt_subtest("stale-handle")
		stale_handle();

	igt_describe("Full VRAM is an error only for buffers that must be in VRAM");
	igt_subtest("full")
		full();

	igt_describe("A buffer larger than any free block gets several extents");
	igt_subtest("full-of-holes")
		full_of_holes();

	igt_describe("Evictable buffers are evicted for others and keep their bytes");
	igt_subtest("evict")
		evict();

	igt_describe("Dumb buffers are zeroed and keep their bytes");
	igt_subtest("dumb")
		dumb();
}

// SPDX-License-Identifier: MIT
/* Bytes of other clients: in new buffers, and out of the range of a copy. */
#include <string.h>

#include "attacks.h"

/*
 * Allocate all VRAM of the smaller card; check every byte up to the end of the
 * last page.
 */
static void stale_bytes_attack(void)
{
	int vram = open_device(&scene.display), engine = open_device(&scene.engine);
	static const uint64_t sizes[] = { 1, SZ_4K - 1, SZ_4K + 1, SZ_64K + 7 };
	uint32_t handle;
	void *mem;

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint64_t whole = (sizes[i] + SZ_4K - 1) & ~(SZ_4K - 1);

		handle = create_vram(vram, sizes[i], IN_SYSTEM, 0);
		mem = map_vram(vram, handle, whole);
		assert_zero(mem, whole);
		unmap(mem, whole);
		mem = map_own(engine, create_own(engine, sizes[i]), whole);
		assert_zero(mem, whole);
		unmap(mem, whole);
		handle = create_vram(vram, sizes[i], IN_VRAM, 0);
		mem = map_vram(vram, handle, whole);
		assert_zero(mem, whole);
		unmap(mem, whole);
	}
	for (uint64_t size = SZ_1M; size >= SZ_4K; size /= 16)
		while (!phyr_vram_create(vram, size, IN_VRAM, 0, &handle)) {
			mem = map_vram(vram, handle, size);
			assert_zero(mem, size);
			unmap(mem, size);
		}
}

static void fill_all(int vram)
{
	uint32_t handle;

	for (uint64_t size = SZ_1M; size >= SZ_4K; size /= 16)
		while (!phyr_vram_create(vram, size, IN_VRAM, 0, &handle)) {
			void *mem = map_vram(vram, handle, size);

			memset(mem, MARK, size);
			unmap(mem, size);
		}
}

void stale_bytes(void)
{
	struct phyr_device small = small_vram_device();
	int vram = open_device(&small), engine = open_copy(0);
	uint64_t free = vram_free(&small);

	fill_all(vram);
	for (int i = 0; i < 8; i++) {
		uint32_t system = create_vram(vram, SZ_1M, IN_SYSTEM, 0);
		void *mem = map_vram(vram, system, SZ_1M);

		memset(mem, MARK, SZ_1M);
		unmap(mem, SZ_1M);
		mem = map_own(engine, create_own(engine, SZ_1M), SZ_1M);
		memset(mem, MARK, SZ_1M);
		unmap(mem, SZ_1M);
	}
	close(engine);
	close(vram);
	wait_for_vram_free(&small, free);
	under_attack(stale_bytes_attack, NULL);
	wait_for_vram_free(&small, free);
}

/* Copies out of range, by one byte or by the whole address space. */
static void copy_out_of_range_attack(void)
{
	static const struct {
		uint64_t src;
		uint64_t dst;
		uint64_t len;
		int err;
	} copies[] = {
		{ 0, 0, SIZE + 1, -EINVAL },
		{ 1, 0, SIZE, -EINVAL },
		{ 0, 1, SIZE, -EINVAL },
		{ SIZE, 0, 1, -EINVAL },
		{ 0, SIZE, 1, -EINVAL },
		{ SIZE - 1, 0, 2, -EINVAL },
		{ 0, 0, 0, -EINVAL },
		{ 0, 0, SZ_4G, -EINVAL },
		{ 0, 0, SZ_4G + 1, -EINVAL },
		{ SZ_4G, 0, 1, -EINVAL },
		{ 0, SZ_4G, 1, -EINVAL },
		{ 0, 0, 1ull << 63, -EINVAL },
		{ 0, 0, UINT64_MAX, -EINVAL },
		{ UINT64_MAX, 0, 1, -EINVAL },
		{ 0, UINT64_MAX, 1, -EINVAL },
		{ UINT64_MAX, 0, 2, -EINVAL },
		{ 0, UINT64_MAX - SIZE + 1, SIZE, -EINVAL },
		{ -SZ_4K, 0, 2 * SZ_4K, -EINVAL },
		{ 0, -SZ_4K, 2 * SZ_4K, -EINVAL },
		{ 1ull << 63, 1ull << 63, 1ull << 63, -EINVAL },
		{ SIZE - 1, SIZE - 1, 1, 0 },
		{ 0, 0, SIZE, 0 },
	};
	int vram = open_device(&scene.card), engine = open_device(&scene.engine);
	uint32_t handle = create_vram(vram, SIZE, IN_VRAM, 0);
	uint32_t imported = import_from(engine, vram, handle);
	uint32_t own = create_own(engine, SIZE);

	for (unsigned int i = 0; i < ARRAY_SIZE(copies); i++) {
		igt_assert_eq(phyr_copy_run(engine, imported, copies[i].src, own,
					    copies[i].dst, copies[i].len),
			      copies[i].err);
		igt_assert_eq(phyr_copy_run(engine, own, copies[i].src, imported,
					    copies[i].dst, copies[i].len),
			      copies[i].err);
	}
	/* Overlapping copies are refused. */
	igt_assert_eq(phyr_copy_run(engine, own, 0, own, SZ_4K - 1, SZ_4K),
		      -EINVAL);
	igt_assert_eq(phyr_copy_run(engine, own, SZ_4K - 1, own, 0, SZ_4K),
		      -EINVAL);
	/* Everything is still zero: no foreign byte was copied. */
	for (int i = 0; i < 2; i++) {
		void *mem = i ? map_own(engine, own, SIZE) :
				map_vram(vram, handle, SIZE);

		assert_zero(mem, SIZE);
		unmap(mem, SIZE);
	}
}

/* The client's buffers are neighbours, in VRAM and in system memory. */
void copy_out_of_range(void)
{
	uint32_t others[8];

	start_client();
	for (unsigned int i = 0; i < ARRAY_SIZE(others); i++) {
		others[i] = create_vram(client.vram, SIZE, IN_VRAM, 0);
		fill_vram(client.vram, others[i], SIZE, 10 + i);
	}
	igt_assert_eq(phyr_close_handle(client.vram, others[3]), 0);
	under_attack(copy_out_of_range_attack, NULL);
	for (unsigned int i = 0; i < ARRAY_SIZE(others); i++)
		if (i != 3)
			assert_vram(client.vram, others[i], SIZE, 10 + i);
	end_client();
}

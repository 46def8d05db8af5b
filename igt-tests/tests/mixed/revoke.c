// SPDX-License-Identifier: MIT
/* Parts that are revoked, and engines that are unbound. */
#include <string.h>

#include "traffic.h"
#include "whole.h"

/* Traffic needs four lanes of whole pages in a quarter of the whole. */
#define PAGES		64
#define SIZE		(PAGES * SZ_4K)
#define UNBINDS		200
#define RESETS		20

/* Four pages by turns; the first source is the one that is revoked. */
static const struct piece pieces[] = {
	{ 0, 0, 4 * SZ_4K }, { 1, 4 * SZ_4K, 4 * SZ_4K },
	{ 0, 9 * SZ_4K, 4 * SZ_4K }, { 1, 9 * SZ_4K, 4 * SZ_4K },
	{ 0, 18 * SZ_4K, 4 * SZ_4K }, { 1, 17 * SZ_4K, 4 * SZ_4K },
	{ 0, 27 * SZ_4K, 4 * SZ_4K }, { 1, 25 * SZ_4K, 4 * SZ_4K },
	{ 0, 36 * SZ_4K, 16 * SZ_4K }, { 1, 33 * SZ_4K, 16 * SZ_4K },
};

static const struct piece of_other[] = {
	{ 0, 99, 3 * SZ_4K - 99 }, { 0, 50 * SZ_4K, 5 * SZ_4K },
};

static int copy_error(const struct whole *whole, uint32_t own, bool write)
{
	return phyr_copy_run(whole->engine, write ? own : whole->handle, 0,
			     write ? whole->handle : own, 0, whole->size);
}

static void assert_revoked(const struct whole *whole)
{
	uint32_t own = create_own(whole->engine, whole->size), again;
	struct drm_phyr_copy_part part = part_of(whole->sources[0].handle, 0,
						 SZ_4K);

	igt_assert_eq(copy_error(whole, own, false), -ENODEV);
	igt_assert_eq(copy_error(whole, own, true), -ENODEV);
	igt_assert_eq(try_compose(whole->engine, &part, 1, &again), -ENODEV);
	igt_assert_eq(phyr_close_handle(whole->engine, own), 0);
}

/* The bytes of the source that was not revoked, in the first half. */
static void assert_other(const struct whole *whole, uint64_t seed)
{
	uint64_t at = 0;

	for (unsigned int i = 0; at < whole->size / 2; i++) {
		const struct piece *piece = &whole->pieces[i];

		if (piece->source)
			assert_bytes(whole->sources[1].mem + piece->offset,
				     seed, at, piece->len);
		at += piece->len;
	}
}

/* Whoever has another whole does not notice. */
void revoked(void)
{
	struct phyr_device card = vram_device(0);
	int engine = open_copy(0), other_engine = open_copy(0), dmabuf;
	const struct source sources[] = {
		open_source(engine, VRAM, SIZE),
		open_source(engine, OTHER_CARD, SIZE),
		open_source(engine, USER, SIZE),
	};
	struct whole whole = MAKE_WHOLE(engine, sources, pieces);
	struct whole of_user = make_whole(engine, sources + 2, 1, of_other,
					  ARRAY_SIZE(of_other));
	struct whole other = make_whole(engine, sources + 1, 2, pieces,
					ARRAY_SIZE(pieces));
	struct whole imported = whole;

	dmabuf = export_buffer(engine, whole.handle);
	imported.engine = other_engine;
	imported.handle = import_buffer(other_engine, dmabuf);
	verify_whole(&imported);
	remove_device(card.busid, UNBIND);
	assert_revoked(&whole);
	igt_assert_eq(copy_error(&imported, create_own(other_engine, SIZE),
				 false), -ENODEV);
	assert_other(&whole, SEED + 1);
	verify_whole(&other);
	verify_whole(&of_user);
	assert_revoked(&whole);
	restore_device(card.busid, PHYR_VRAM_DRIVER, UNBIND);
	/* A new buffer of the card is not the old one. */
	assert_revoked(&whole);
	close(dmabuf);
	close(other_engine);
	close(engine);
	CLOSE_SOURCES(sources);
	wait_for_unpin();
}

/* DMA is in flight, and another client submits more, at each unbind. */
static void unbind_under_traffic(int engine, const struct source *other,
				 int round)
{
	struct phyr_device card = vram_device(0), device = copy_device(0);
	const struct source sources[] = {
		open_on_card(engine, 0, SIZE, round & 2 ? EVICTABLE : IN_VRAM,
			     round & 4 ? SZ_64K : SZ_4K),
		*other,
	};
	struct whole whole = MAKE_WHOLE(engine, sources, pieces);
	int dmabuf = export_buffer(engine, whole.handle);
	struct traffic traffic;

	write_whole(&whole, SEED + round);
	traffic = traffic_start(&device, dmabuf, whole.size, SEED + round);
	traffic_wait(&traffic, 1);
	remove_device(card.busid, UNBIND);
	traffic_assert_gone(&traffic);
	if (round % 2)
		restore_device(card.busid, PHYR_VRAM_DRIVER, UNBIND);
	assert_revoked(&whole);
	assert_other(&whole, SEED + round);
	close(dmabuf);
	igt_assert_eq(phyr_close_handle(engine, sources[0].handle), 0);
	close_whole(&whole);
	close_source(&sources[0]);
	if (!(round % 2))
		restore_device(card.busid, PHYR_VRAM_DRIVER, UNBIND);
}

void revoked_while_copying(void)
{
	struct phyr_device card = vram_device(0);
	uint64_t free = vram_free(&card);
	int engine = open_copy(0);
	const struct source other = open_source(engine, OTHER_CARD, SIZE);
	int rounds = repeats(UNBINDS);

	for (int round = 0; round < rounds; round++)
		unbind_under_traffic(engine, &other, round);
	close(engine);
	close_source(&other);
	card = vram_device(0);
	wait_for_vram_free(&card, free);
}

/* An importer that was told of nothing keeps its system memory. */
void revoked_stock(void)
{
	static const uint32_t kinds[] = {
		PHYR_TEST_STATIC, PHYR_TEST_DYNAMIC, PHYR_TEST_PEER,
		PHYR_TEST_REVOCABLE, PHYR_TEST_NATIVE,
	};
	int test = open_phyr_test(SECOND_IVSHMEM), engine = open_copy(0);
	const struct source other = open_on_card(engine, 1, SIZE, EVICTABLE, 0);

	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct phyr_device card = vram_device(0);
		const struct source sources[] = {
			open_on_card(engine, 0, SIZE, EVICTABLE, SZ_4K), other,
		};
		struct whole whole = MAKE_WHOLE(engine, sources, pieces);
		int dmabuf = export_buffer(engine, whole.handle);
		uint32_t id = hold_mapped(test, dmabuf, kinds[i],
					  PHYR_TEST_UNMAP_NOW);

		verify_whole(&whole);
		remove_device(card.busid, UNBIND);
		assert_revoked(&whole);
		assert_other(&whole, SEED + 1);
		release_held(test, id);
		restore_device(card.busid, PHYR_VRAM_DRIVER, UNBIND);
		close(dmabuf);
		close_whole(&whole);
		igt_assert_eq(phyr_close_handle(engine, sources[0].handle), 0);
		close_source(&sources[0]);
		move_source(&other, IN_SYSTEM);
		move_source(&other, IN_VRAM);
	}
	close(engine);
	close(test);
	close_source(&other);
}

/* After a reset the same whole works again. */
static void reset_under_traffic(const char *path)
{
	struct phyr_device device = copy_device(0);
	int engine = open_device(&device), dmabuf;
	const struct source sources[] = {
		open_source(engine, VRAM, SIZE),
		open_source(engine, OTHER_CARD, SIZE),
	};
	struct whole whole = MAKE_WHOLE(engine, sources, pieces);

	dmabuf = export_buffer(engine, whole.handle);
	for (int round = 0; round < RESETS; round++) {
		struct traffic traffic;

		write_whole(&whole, SEED + round);
		traffic = traffic_start(&device, dmabuf, whole.size,
					SEED + round);
		traffic_wait(&traffic, 1);
		write_file(path, "1");
		traffic_stop_or_gone(&traffic);
		assert_part(&whole, SEED + round, 0, whole.size / 2);
		verify_whole(&whole);
	}
	assert_ranges(&whole, &device);
	close(dmabuf);
	close(engine);
	CLOSE_SOURCES(sources);
}

void reset_while_copying(void)
{
	struct phyr_device card = vram_device(0);
	char path[96];

	reset_path(&card, path, sizeof(path));
	reset_under_traffic(path);
}

/*
 * The engine of the whole is unbound under traffic. Its dma-buf outlives it,
 * and the memory is usable without it.
 */
static void unbind_engine(int round)
{
	struct phyr_device device = copy_device(0);
	int engine = open_device(&device), dmabuf;
	const struct source sources[] = {
		open_on_card(engine, 0, SIZE, EVICTABLE, SZ_4K),
		open_source(engine, round % 2 ? RAM : OTHER_CARD, SIZE),
		open_source(engine, USER, SIZE),
	};
	struct whole whole = MAKE_WHOLE(engine, sources, pieces);
	struct whole with_user = make_whole(engine, sources + 1, 2, pieces,
					    ARRAY_SIZE(pieces));
	uint32_t own = create_own(engine, SIZE), again;
	struct drm_phyr_copy_part part = part_of(sources[0].handle, 0, SZ_4K);
	struct traffic traffic;

	write_whole(&whole, SEED);
	dmabuf = export_buffer(engine, whole.handle);
	for (int i = 0; i < 4; i++)
		submit_job(engine, copy_job(with_user.handle, own,
					    with_user.size));
	traffic = traffic_start(&device, dmabuf, whole.size, SEED);
	traffic_wait(&traffic, 1);
	remove_device(device.busid, UNBIND);
	traffic_assert_gone(&traffic);
	igt_assert_eq(copy_error(&whole, own, false), -ENODEV);
	igt_assert_eq(try_compose(engine, &part, 1, &again), -ENODEV);
	assert_part(&whole, SEED, 0, whole.size / 2);
	move_source(&sources[0], IN_SYSTEM);
	move_source(&sources[0], IN_VRAM);
	assert_part(&whole, SEED, 0, whole.size / 2);
	if (round & 2) {
		close(dmabuf);
		close(engine);
	}
	restore_device(device.busid, PHYR_COPY_DRIVER, UNBIND);
	if (!(round & 2)) {
		/* Whatever becomes of an import, it ends. */
		try_import_into_engine(dmabuf);
		close(engine);
		close(dmabuf);
	}
	CLOSE_SOURCES(sources);
	wait_for_unpin();
}

void engine_unbound(void)
{
	int rounds = 4 * repeats(10);

	for (int round = 0; round < rounds; round++)
		unbind_engine(round);
}

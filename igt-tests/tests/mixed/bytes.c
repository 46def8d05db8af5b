// SPDX-License-Identifier: MIT
/* Bytes and addresses of wholes. */
#include <stdlib.h>
#include <string.h>

#include "whole.h"

#define PAGES		24

/* Five pieces of two memories, of different sizes; only the ends are odd. */
static const struct piece of_two[] = {
	{ 0, 3 * SZ_4K + 123, 2 * SZ_4K - 123 }, { 1, 0, SZ_4K },
	{ 0, 8 * SZ_4K, 7 * SZ_4K }, { 1, 5 * SZ_4K, 3 * SZ_4K },
	{ 0, SZ_4K, SZ_4K + 55 },
};

/* Once with each memory at the ends. */
void pair(enum memory first, enum memory second)
{
	int engine = open_copy(0);

	require_memory(first);
	require_memory(second);
	for (int turn = 0; turn < 2; turn++) {
		const struct source sources[] = {
			open_source(engine, turn ? second : first,
				    PAGES * SZ_4K),
			open_source(engine, turn ? first : second,
				    PAGES * SZ_4K),
		};
		struct whole whole = MAKE_WHOLE(engine, sources, of_two);

		verify_whole(&whole);
		close_whole(&whole);
		CLOSE_SOURCES(sources);
	}
	close(engine);
	wait_for_unpin();
}

/**
 * struct everything - a whole of all memories that the guest has
 * @sources: one per memory
 * @pieces: three per memory
 * @whole: the whole
 */
struct everything {
	struct source sources[NR_MEMORIES];
	struct piece pieces[3 * NR_MEMORIES];
	struct whole whole;
};

static void make_everything(struct everything *all, int engine)
{
	unsigned int nr = 0;

	for (enum memory memory = 0; memory < NR_MEMORIES; memory++)
		if (has_memory(memory))
			all->sources[nr++] = open_source(engine, memory,
							 PAGES * SZ_4K);
	for (unsigned int i = 0; i < 3 * nr; i++)
		all->pieces[i] = (struct piece){
			.source = i % nr,
			.offset = (20 - 7 * (i / nr)) * SZ_4K,
			.len = (1 + i % 4) * SZ_4K,
		};
	all->pieces[0].offset += 1000;
	all->pieces[0].len -= 1000;
	all->pieces[3 * nr - 1].len -= 777;
	all->whole = make_whole(engine, all->sources, nr, all->pieces, 3 * nr);
}

static void close_everything(struct everything *all)
{
	close_whole(&all->whole);
	close_sources(all->sources, all->whole.nr_sources);
}

void all_memories(void)
{
	int engine = open_copy(0);
	struct everything all;

	make_everything(&all, engine);
	verify_whole(&all.whole);
	close_everything(&all);
	close(engine);
	wait_for_unpin();
}

/*
 * DMA only to and from RAM, which maps all of the whole: behind a switch and an
 * IOMMU QEMU does not route DMA between devices.
 */
void ranges(void)
{
	struct phyr_device device = copy_device(0);
	int engine = open_device(&device);
	uint32_t own = create_own(engine, SZ_64K);
	uint8_t *mem = map_own(engine, own, SZ_64K);
	uint64_t at = 0;
	struct everything all;

	make_everything(&all, engine);
	write_whole(&all.whole, SEED);
	for (unsigned int i = 0; i < all.whole.nr; i++) {
		const struct piece *piece = &all.pieces[i];

		if (all.sources[piece->source].memory == RAM) {
			copy_part(engine, all.whole.handle, at, own, 0,
				  piece->len);
			assert_bytes(mem, SEED, at, piece->len);
			copy_part(engine, own, 0, all.whole.handle, at,
				  piece->len);
			assert_ranges(&all.whole, &device);
		}
		at += piece->len;
	}
	assert_whole(&all.whole, SEED);
	close_everything(&all);
	unmap(mem, SZ_64K);
	close(engine);
}

#define WAIT_SECONDS	120
#define REQUEST		"mixed-outside"

static void assert_on_host(const struct source *source, const uint8_t *bytes)
{
	struct phyr_hostcheck check = { .dir = "/out", .name = REQUEST };
	struct phyr_device card = vram_device(0);
	struct phyr_list_dump list;
	char verdict[256];
	int err;

	igt_assert_eq(phyr_list_dump_read(&card, vram_info(source->card,
							   source->buffer).id,
					  &list), 0);
	igt_assert_eq_u64(list.size, source->size);
	igt_assert_eq(phyr_hostcheck_request(&check, &list, bytes), 0);
	err = phyr_hostcheck_wait(&check, WAIT_SECONDS, verdict,
				  sizeof(verdict));
	igt_assert_f(err != -ETIME,
		     "no verdict after %d s: run 'userspace/verify-vram %s'\n",
		     WAIT_SECONDS, REQUEST);
	igt_info("the host says: %s", verdict);
	igt_assert_eq(err, 0);
	phyr_list_dump_free(&list);
}

/* The pages of a buffer in VRAM, last one first, with RAM between them. */
void outside(void)
{
	int engine = open_copy(0);
	const struct source sources[] = {
		open_source(engine, VRAM, PAGES * SZ_4K),
		open_source(engine, RAM, PAGES * SZ_4K),
	};
	struct piece pieces[2 * PAGES];
	struct whole whole;
	uint8_t *bytes = malloc(PAGES * SZ_4K);

	igt_assert(bytes);
	for (unsigned int i = 0; i < 2 * PAGES; i++)
		pieces[i] = (struct piece){
			i % 2, (PAGES - 1 - i / 2) * SZ_4K, SZ_4K,
		};
	whole = MAKE_WHOLE(engine, sources, pieces);
	copy_to_whole(&whole, SEED);
	fill_source(&whole, 0, bytes, SEED);
	assert_on_host(&sources[0], bytes);
	free(bytes);
	close(engine);
	CLOSE_SOURCES(sources);
}

/* Some bytes of one buffer, and none beside them. */
void part(void)
{
	static const struct piece parts[] = {
		{ 0, 0, 1 }, { 0, SZ_4K - 1, 1 }, { 0, SZ_4K - 1, 2 },
		{ 0, 5 * SZ_4K + 1, 10 }, { 0, 0, PAGES * SZ_4K },
		{ 0, 3 * SZ_4K + 99, 9 * SZ_4K + 123 },
		{ 0, PAGES * SZ_4K - 1, 1 },
	};
	static const enum memory memories[] = { VRAM, RAM, USER };
	int engine = open_copy(0);
	uint32_t own = create_own(engine, PAGES * SZ_4K);

	for (unsigned int i = 0; i < ARRAY_SIZE(memories); i++) {
		struct source source = open_source(engine, memories[i],
						   PAGES * SZ_4K);

		for (unsigned int k = 0; k < ARRAY_SIZE(parts); k++) {
			struct whole whole = make_whole(engine, &source, 1,
							&parts[k], 1);

			verify_whole(&whole);
			igt_assert_eq(phyr_copy_run(engine, whole.handle, 1,
						    own, 0, whole.size),
				      -EINVAL);
			igt_assert_eq(phyr_copy_run(engine, own, 0,
						    whole.handle, whole.size,
						    1), -EINVAL);
			assert_whole(&whole, SEED + 1);
			close_whole(&whole);
		}
		close_source(&source);
	}
	close(engine);
}

/* All copies of the part are the same bytes. */
void same_part_twice(void)
{
	static const struct piece pieces[] = {
		{ 0, SZ_4K, 3 * SZ_4K }, { 1, 0, 2 * SZ_4K },
		{ 0, SZ_4K, 3 * SZ_4K }, { 0, 0, SZ_4K }, { 0, 0, SZ_4K },
		{ 0, 3 * SZ_4K, SZ_4K },
	};
	const uint64_t len = 3 * SZ_4K, again = 5 * SZ_4K, size = 11 * SZ_4K;
	int engine = open_copy(0);
	const struct source sources[] = {
		open_source(engine, VRAM, PAGES * SZ_4K),
		open_source(engine, USER, PAGES * SZ_4K),
	};
	struct whole whole = MAKE_WHOLE(engine, sources, pieces);
	uint32_t own = create_own(engine, size);
	uint8_t *mem = map_own(engine, own, size);

	igt_assert_eq_u64(whole.size, size);
	phyr_fill(sources[0].mem, SEED, 0, PAGES * SZ_4K);
	copy_bytes(engine, whole.handle, own, size);
	assert_bytes(mem, SEED, SZ_4K, len);
	assert_bytes(mem + again, SEED, SZ_4K, len);
	assert_bytes(mem + size - 3 * SZ_4K, SEED, 0, SZ_4K);
	assert_bytes(mem + size - 2 * SZ_4K, SEED, 0, SZ_4K);
	assert_bytes(mem + size - SZ_4K, SEED, 3 * SZ_4K, SZ_4K);

	/* What is written through one of them is read through the other. */
	phyr_fill(mem, SEED + 1, 0, len);
	copy_part(engine, own, 0, whole.handle, again, len);
	assert_bytes(sources[0].mem + SZ_4K, SEED + 1, 0, len);
	memset(mem, 0, size);
	copy_part(engine, whole.handle, 0, own, 0, len);
	assert_bytes(mem, SEED + 1, 0, len);
	copy_part(engine, whole.handle, 0, whole.handle, len, 2 * SZ_4K);
	assert_bytes(sources[1].mem, SEED + 1, 0, 2 * SZ_4K);
	unmap(mem, size);
	close(engine);
	CLOSE_SOURCES(sources);
}

/* As many parts as are allowed: single pages of two buffers. */
void many_parts(void)
{
	struct phyr_device device = copy_device(0);
	int engine = open_device(&device);
	const unsigned int pages = PHYR_COPY_MAX_PARTS / 2;
	const struct source sources[] = {
		open_source(engine, VRAM, pages * SZ_4K),
		open_source(engine, RAM, pages * SZ_4K),
	};
	struct piece pieces[PHYR_COPY_MAX_PARTS];
	struct whole whole;

	for (unsigned int i = 0; i < ARRAY_SIZE(pieces); i++)
		pieces[i] = (struct piece){
			.source = i % 2,
			.offset = (i % 2 ? pages - 1 - i / 2 : i / 2) * SZ_4K,
			.len = SZ_4K,
		};
	whole = MAKE_WHOLE(engine, sources, pieces);
	verify_whole(&whole);
	assert_ranges(&whole, &device);
	close(engine);
	CLOSE_SOURCES(sources);
}

#define EXTENTS		512

/* Parts that have many extents themselves. */
void fragmented(void)
{
	static const struct piece pieces[] = {
		{ 0, 5, EXTENTS / 2 * SZ_4K - 5 }, { 1, 0, EXTENTS / 2 * SZ_4K },
		{ 0, EXTENTS / 2 * SZ_4K, EXTENTS / 2 * SZ_4K },
		{ 1, EXTENTS / 2 * SZ_4K, 100 * SZ_4K + 1 },
	};
	struct phyr_device device = copy_device(0);
	int engine = open_device(&device);
	const struct source sources[] = {
		open_source(engine, VRAM, EXTENTS * SZ_4K),
		open_source(engine, OTHER_CARD, EXTENTS * SZ_4K),
	};
	struct whole whole = MAKE_WHOLE(engine, sources, pieces);

	for (unsigned int i = 0; i < ARRAY_SIZE(sources); i++)
		igt_assert_eq(vram_info(sources[i].card,
					sources[i].buffer).extents, EXTENTS);
	verify_whole(&whole);
	assert_ranges(&whole, &device);
	close(engine);
	CLOSE_SOURCES(sources);
}

/*
 * Much more than an engine maps at a time, which is 16 MiB: two buffers by
 * turns, again and again.
 */
void large(void)
{
	const uint64_t size = 2 * SZ_1M, len = SZ_64K;
	static struct drm_phyr_copy_part parts[64];
	int engine = open_copy(0);
	const struct source sources[] = {
		open_source(engine, VRAM, size), open_source(engine, RAM, size),
	};
	uint32_t own = create_own(engine, SZ_64K), whole;
	uint8_t *mem = map_own(engine, own, SZ_64K);

	for (unsigned int i = 0; i < ARRAY_SIZE(parts); i++)
		parts[i] = part_of(sources[i % 2].handle, 0, size);
	whole = compose(engine, parts, ARRAY_SIZE(parts));
	for (int i = 0; i < 2; i++)
		phyr_fill(sources[i].mem, SEED, i * size, size);
	for (uint64_t seam = size; seam < ARRAY_SIZE(parts) * size;
	     seam += 7 * size) {
		uint64_t before = len / 2 - 77, at = seam / size % 2;

		copy_part(engine, whole, seam - before, own, 0, len);
		assert_bytes(mem, SEED, (2 - at) * size - before, before);
		assert_bytes(mem + before, SEED, at * size, len - before);
	}
	copy_part(engine, whole, ARRAY_SIZE(parts) * size - len, own, 0, len);
	assert_bytes(mem, SEED, 2 * size - len, len);
	phyr_fill(mem, SEED + 1, 0, len);
	copy_part(engine, own, 0, whole, 8 * SZ_16M - size - 99, len);
	assert_bytes(sources[0].mem + size - 99, SEED + 1, 0, 99);
	assert_bytes(sources[1].mem, SEED + 1, 99, len - 99);
	unmap(mem, SZ_64K);
	close(engine);
	CLOSE_SOURCES(sources);
}

/* A border of a part is one of its pages, wherever the buffer starts. */
void user_unaligned(void)
{
	const uint64_t skip = 100, size = 5 * SZ_4K + 9;
	int engine = open_copy(0);
	const struct source sources[] = {
		open_user(engine, skip, size, 0),
		open_source(engine, VRAM, PAGES * SZ_4K),
	};
	const struct piece all[] = {
		{ 0, 0, size },
	};
	const struct piece first[] = {
		{ 0, 7, SZ_4K - skip - 7 }, { 1, 0, SZ_4K },
		{ 0, 2 * SZ_4K - skip, SZ_4K }, { 1, 2 * SZ_4K, SZ_4K + 1 },
	};
	const struct piece last[] = {
		{ 1, SZ_4K, SZ_4K }, { 0, SZ_4K - skip, 2 * SZ_4K },
		{ 1, 0, SZ_4K }, { 0, 4 * SZ_4K - skip, size - 4 * SZ_4K + skip },
	};
	const struct whole wholes[] = {
		MAKE_WHOLE(engine, sources, all),
		MAKE_WHOLE(engine, sources, first),
		MAKE_WHOLE(engine, sources, last),
	};
	const struct drm_phyr_copy_part bad[][2] = {
		{ part_of(sources[1].handle, 0, SZ_4K),
		  part_of(sources[0].handle, 0, SZ_4K) },
		{ part_of(sources[0].handle, 0, SZ_4K),
		  part_of(sources[1].handle, 0, SZ_4K) },
		{ part_of(sources[0].handle, 0, size),
		  part_of(sources[1].handle, 0, SZ_4K) },
	};
	uint32_t handle;

	for (unsigned int i = 0; i < ARRAY_SIZE(wholes); i++)
		verify_whole(&wholes[i]);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		igt_assert_eq(try_compose(engine, bad[i], 2, &handle), -EINVAL);
	close(engine);
	CLOSE_SOURCES(sources);
	wait_for_unpin();
}

/* Both ends of a copy are composed, and of one copy the same buffer is both. */
void between_wholes(void)
{
	static const struct piece from[] = {
		{ 0, 77, 3 * SZ_4K - 77 }, { 1, SZ_4K, 5 * SZ_4K },
		{ 0, 6 * SZ_4K, 2 * SZ_4K + 5 },
	};
	static const struct piece to[] = {
		{ 1, 10 * SZ_4K + 4095, 1 }, { 0, 16 * SZ_4K, 6 * SZ_4K },
		{ 1, 12 * SZ_4K, 4 * SZ_4K }, { 0, 10 * SZ_4K, 9 },
	};
	int engine = open_copy(0);
	const struct source sources[] = {
		open_source(engine, VRAM, PAGES * SZ_4K),
		open_source(engine, USER, PAGES * SZ_4K),
	};
	struct whole src = MAKE_WHOLE(engine, sources, from);
	struct whole dst = MAKE_WHOLE(engine, sources, to);
	uint64_t half = dst.size / 2;

	write_whole(&src, SEED);
	copy_bytes(engine, src.handle, dst.handle, src.size);
	assert_part(&dst, SEED, 0, src.size);
	assert_part(&src, SEED, 0, src.size);
	copy_part(engine, dst.handle, 5, dst.handle, half, half - 5);
	assert_part(&dst, SEED, 0, half);
	copy_part(engine, dst.handle, half, src.handle, 0, half - 5);
	copy_bytes(engine, src.handle, dst.handle, half - 5);
	copy_part(engine, src.handle, 0, dst.handle, 5, half - 5);
	assert_part(&dst, SEED, 5, half - 5);
	close(engine);
	CLOSE_SOURCES(sources);
	wait_for_unpin();
}

static bool reaches(const struct phyr_device *card)
{
	struct phyr_vram_dump dump;

	igt_assert_eq(phyr_vram_dump_read(card, &dump), 0);
	phyr_vram_dump_free(&dump);
	return iommu_is_on() || dump.bar < SZ_4G;
}

/*
 * A part in VRAM above 4 GiB, which the engine reaches behind an IOMMU only: it
 * is pinned in system memory, also when only the whole is left.
 */
void out_of_reach(void)
{
	struct phyr_device card = vram_device(0);
	bool in_reach = reaches(&card);
	int engine = open_copy(0);
	const struct source sources[] = {
		open_on_card(engine, 0, PAGES * SZ_4K, EVICTABLE, SZ_4K),
		open_source(engine, OTHER_CARD, PAGES * SZ_4K),
	};
	struct whole whole = MAKE_WHOLE(engine, sources, of_two);

	verify_whole(&whole);
	igt_assert_eq(vram_info(sources[0].card, sources[0].buffer).placement,
		      in_reach ? IN_VRAM : IN_SYSTEM);
	igt_assert_eq(phyr_close_handle(engine, sources[0].handle), 0);
	igt_assert_eq(try_move_source(&sources[0], IN_VRAM),
		      in_reach ? 0 : -EBUSY);
	verify_whole(&whole);
	close_whole(&whole);
	move_when_unpinned(sources[0].card, sources[0].buffer, IN_VRAM);
	assert_whole(&whole, SEED + 1);
	close(engine);
	CLOSE_SOURCES(sources);
}

// SPDX-License-Identifier: MIT
/* Wholes as dma-bufs, and their importers. */
#include <stdlib.h>
#include <string.h>

#include "foreign.h"
#include "video.h"
#include "whole.h"

#define PAGES		16
#define SIZE		(PAGES * SZ_4K)

/* Whole pages: others are not exported. */
static const struct piece pieces[] = {
	{ 0, SZ_4K, 3 * SZ_4K }, { 1, 4 * SZ_4K, 5 * SZ_4K },
	{ 0, 8 * SZ_4K, SZ_4K }, { 1, 0, SZ_4K }, { 0, 10 * SZ_4K, SZ_4K },
};

static void close_parts(int engine, const struct source *sources,
			unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		igt_assert_eq(phyr_close_handle(engine, sources[i].handle), 0);
}

/* Whoever has the dma-buf has the whole, and needs no handle of its parts. */
void exported(void)
{
	int engine = open_copy(0), other = open_copy(0), dmabuf, fence;
	const struct source sources[] = {
		open_source(engine, VRAM, SIZE), open_source(engine, RAM, SIZE),
	};
	struct whole whole = MAKE_WHOLE(engine, sources, pieces), second = whole;

	dmabuf = export_buffer(engine, whole.handle);
	igt_assert_eq_u64(lseek(dmabuf, 0, SEEK_END), whole.size);
	igt_assert(mmap(NULL, SZ_4K, PROT_READ, MAP_SHARED, dmabuf, 0) ==
		   MAP_FAILED);
	fence = phyr_dmabuf_sync_file(dmabuf, true);
	igt_assert_eq(phyr_sync_file_status(fence), 1);
	close(fence);
	igt_assert_eq(import_buffer(engine, dmabuf), whole.handle);
	second.engine = other;
	second.handle = import_buffer(other, dmabuf);
	verify_whole(&second);
	verify_whole(&whole);

	close_parts(engine, sources, ARRAY_SIZE(sources));
	close_whole(&whole);
	close(engine);
	verify_whole(&second);
	close_whole(&second);
	/* Only the file is left. */
	second.handle = import_buffer(other, dmabuf);
	verify_whole(&second);
	close(dmabuf);
	verify_whole(&second);
	close(other);
	CLOSE_SOURCES(sources);
}

/* It attaches as any other driver does. */
static void copy_by_both(void)
{
	int engine = open_copy(0), other = open_copy(1), dmabuf;
	struct drm_phyr_copy_part part = { .len = SZ_4K };
	const struct source sources[] = {
		open_on_card(engine, 0, SIZE, EVICTABLE, SZ_4K),
		open_source(engine, RAM, SIZE),
	};
	struct whole whole = MAKE_WHOLE(engine, sources, pieces), second = whole;
	uint32_t own;

	dmabuf = export_buffer(engine, whole.handle);
	second.engine = other;
	second.handle = import_buffer(other, dmabuf);
	part.handle = second.handle;
	igt_assert_eq(try_compose(other, &part, 1, &own), -EINVAL);
	verify_whole(&second);
	verify_whole(&whole);
	/* One writes what the other reads. */
	copy_to_whole(&second, SEED + 3);
	assert_copy_of_whole(&whole, SEED + 3);
	close_parts(engine, sources, ARRAY_SIZE(sources));
	close(engine);
	verify_whole(&second);
	close(other);
	close(dmabuf);
	CLOSE_SOURCES(sources);
}

void second_engine(void)
{
	bind_engines();
	copy_by_both();
}

/* The whole keeps the memory, whoever closes what. */
void closed_parts(void)
{
	struct phyr_device card = vram_device(0);
	uint64_t free = vram_free(&card), pinned = pinned_bytes();
	int engine = open_copy(0);
	const struct source sources[] = {
		open_source(engine, VRAM, SIZE), open_source(engine, USER, SIZE),
	};
	struct whole whole = MAKE_WHOLE(engine, sources, pieces);

	close_parts(engine, sources, ARRAY_SIZE(sources));
	verify_whole(&whole);
	/* Now without the file of the card, the dma-buf and any mapping. */
	CLOSE_SOURCES(sources);
	assert_copy_of_whole(&whole, SEED + 1);
	copy_to_whole(&whole, SEED + 4);
	assert_copy_of_whole(&whole, SEED + 4);
	igt_assert_eq_u64(pinned_bytes(), pinned + SIZE);
	wait_for_vram_free(&card, free - SIZE);
	close_whole(&whole);
	wait_for_vram_free(&card, free);
	wait_for_unpin();
	close(engine);
}

static void assert_placement(const struct source *source, uint32_t placement)
{
	igt_assert_eq(vram_info(source->card, source->buffer).placement,
		      placement);
}

static const char *const kind_names[] = {
	[PHYR_TEST_STATIC] = "static", [PHYR_TEST_DYNAMIC] = "dynamic",
	[PHYR_TEST_PEER] = "peer", [PHYR_TEST_REVOCABLE] = "revocable",
	[PHYR_TEST_RAM_ONLY] = "RAM-only",
};

/* All parts are in system memory and stay there until the importer detaches. */
static void in_system(int test, uint32_t kind)
{
	int engine = open_copy(0), dmabuf;
	const struct source sources[] = {
		open_on_card(engine, 0, SIZE, EVICTABLE, SZ_4K),
		open_on_card(engine, 1, SIZE, EVICTABLE, SZ_4K),
	};
	struct whole whole = MAKE_WHOLE(engine, sources, pieces);
	uint32_t id;

	igt_info("importer %s\n", kind_names[kind]);
	dmabuf = export_buffer(engine, whole.handle);
	verify_whole(&whole);
	for (unsigned int i = 0; i < ARRAY_SIZE(sources); i++)
		assert_placement(&sources[i], IN_VRAM);
	id = hold_mapped(test, dmabuf, kind, PHYR_TEST_UNMAP_LATE);
	for (unsigned int i = 0; i < ARRAY_SIZE(sources); i++) {
		assert_placement(&sources[i], IN_SYSTEM);
		igt_assert_eq(try_move_source(&sources[i], IN_VRAM), -EBUSY);
	}
	verify_whole(&whole);
	igt_assert(held_now(test, id).mapped);
	release_held(test, id);
	for (unsigned int i = 0; i < ARRAY_SIZE(sources); i++)
		move_source(&sources[i], IN_VRAM);
	verify_whole(&whole);
	close(dmabuf);
	close(engine);
	CLOSE_SOURCES(sources);
}

void stock_importers(void)
{
	int test = open_phyr_test(SECOND_IVSHMEM);

	for (uint32_t kind = 0; kind < ARRAY_SIZE(kind_names); kind++)
		if (kind_names[kind])
			in_system(test, kind);
	close(test);
}

/* A part that must stay in VRAM: nothing is moved, nothing stays pinned. */
void stock_importers_fixed(void)
{
	int test = open_phyr_test(SECOND_IVSHMEM);
	int engine = open_copy(0), dmabuf;
	const struct source sources[] = {
		open_on_card(engine, 0, SIZE, EVICTABLE, SZ_4K),
		open_source(engine, OTHER_CARD, SIZE),
	};
	struct whole whole = MAKE_WHOLE(engine, sources, pieces);
	uint32_t id;

	dmabuf = export_buffer(engine, whole.handle);
	verify_whole(&whole);
	for (uint32_t kind = 0; kind < ARRAY_SIZE(kind_names); kind++) {
		if (!kind_names[kind])
			continue;
		igt_info("importer %s\n", kind_names[kind]);
		igt_assert_eq(try_hold(test, dmabuf, kind, PHYR_TEST_UNMAP_LATE,
				       &id),
			      kind == PHYR_TEST_RAM_ONLY ? -EREMOTEIO : -EBUSY);
		assert_placement(&sources[0], IN_VRAM);
		move_source(&sources[0], IN_SYSTEM);
		move_source(&sources[0], IN_VRAM);
		verify_whole(&whole);
	}
	close(test);
	close(dmabuf);
	close(engine);
	CLOSE_SOURCES(sources);
}

/* Copy the pieces to one another's end, as the whole has them. */
static void gather(const struct whole *whole, uint8_t *bytes)
{
	for (unsigned int i = 0; i < whole->nr; i++) {
		const struct piece *piece = &whole->pieces[i];

		memcpy(bytes, whole->sources[piece->source].mem + piece->offset,
		       piece->len);
		bytes += piece->len;
	}
}

/* The camera captures a frame of 64 pages into five pieces. */
void camera(void)
{
	static const struct piece of_frame[] = {
		{ 0, 3 * SZ_4K, 13 * SZ_4K }, { 1, 0, 7 * SZ_4K },
		{ 0, 20 * SZ_4K, 30 * SZ_4K }, { 1, 9 * SZ_4K, 13 * SZ_4K },
		{ 0, 0, SZ_4K },
	};
	int engine = open_copy(0), dmabuf;
	const struct source sources[] = {
		open_on_card(engine, 0, 64 * SZ_4K, EVICTABLE, SZ_4K),
		open_source(engine, RAM, 64 * SZ_4K),
	};
	struct whole whole = MAKE_WHOLE(engine, sources, of_frame);
	struct video video = open_video();
	uint8_t *bytes = malloc(whole.size);
	struct video_frame frame;

	igt_assert(bytes);
	dmabuf = export_buffer(engine, whole.handle);
	video_set_format(&video, 256, 256, V4L2_PIX_FMT_XBGR32, 0);
	igt_assert_eq_u64(video.pix.plane_fmt[0].sizeimage, whole.size);
	video_request(&video, V4L2_MEMORY_DMABUF, 1);
	video_start(&video);
	for (int i = 0; i < 3; i++) {
		video_queue(&video, 0, &dmabuf);
		frame = video_take(&video);
		gather(&whole, bytes);
		assert_frame(&video, (const uint8_t *const[]) { bytes },
			     (struct video_look) { frame.sequence, VIDEO_BARS,
						   VIDEO_BRIGHTNESS });
	}
	video_stop(&video);
	close_video(&video);
	free(bytes);
	close(dmabuf);
	close(engine);
	CLOSE_SOURCES(sources);
}

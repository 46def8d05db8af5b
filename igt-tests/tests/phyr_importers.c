// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <linux/videodev2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <xf86drm.h>

#include "foreign.h"

IGT_TEST_DESCRIPTION("All kinds of stock dma-buf importers either map phyr buffers or are refused");

#define SIZE	SZ_1M

/* /dev/phyr_test, its importing device, and that device's routes to memory. */
static int test;
static char importer[16];
static const char *vram_route, *system_route;

static void assert_place(int vram, uint32_t handle, uint32_t placement)
{
	igt_assert_eq(vram_info(vram, handle).placement, placement);
}

static uint32_t hold(int dmabuf, uint32_t kind, uint32_t unmap)
{
	uint32_t id;

	igt_assert_eq(try_hold(test, dmabuf, kind, unmap, &id), 0);
	return id;
}

static struct phyr_test_held held(unsigned long call, uint32_t id)
{
	struct phyr_test_held held = { .id = id };

	igt_assert_eq(phyr_ioctl(test, call, &held), 0);
	return held;
}

static int pin(uint32_t id, bool pinned)
{
	struct phyr_test_held held = { .id = id, .pinned = pinned };

	return phyr_ioctl(test, PHYR_TEST_IOC_PIN, &held);
}

/* Not by phyr_ioctl(), which repeats after -EAGAIN. */
static int commit(uint32_t id)
{
	struct phyr_test_held now = { .id = id };

	return ioctl(test, PHYR_TEST_IOC_COMMIT, &now) ? -errno : 0;
}

#define MAP(id)		held(PHYR_TEST_IOC_MAP, id)
#define RESERVE(id)	held(PHYR_TEST_IOC_RESERVE, id)
#define UNMAP(id)	held(PHYR_TEST_IOC_UNMAP, id)
#define HELD(id)	held(PHYR_TEST_IOC_HELD, id)
#define RELEASE(id)	held(PHYR_TEST_IOC_RELEASE, id)

static struct card_buffer create(uint32_t placement, uint64_t seed)
{
	struct card_buffer buffer = open_card_buffer(SIZE, placement, SZ_4K);

	fill_vram(buffer.vram, buffer.handle, SIZE, seed);
	return buffer;
}

static void destroy(struct card_buffer *buffer)
{
	igt_assert_eq(find_attachments("phyr_vram", importer, NULL), 0);
	close_card_buffer(buffer);
}

/**
 * struct outcome - the expected result of an attach
 * @name: the kind of importer
 * @kind: PHYR_TEST_*
 * @placement: allowed placements of the buffer
 * @err: error of the attach
 * @place: where the buffer is after the attach
 * @move_err: error of moving it elsewhere while it is attached
 * @mode: the mode in debugfs
 * @why: part of the reason in debugfs
 */
struct outcome {
	const char *name;
	uint32_t kind;
	uint32_t placement;
	int err;
	uint32_t place;
	int move_err;
	struct {
		const char *mode;
		const char *why;
	};
};

#define NATIVE	{ "native", "both sides know phyr" }
#define RAM_ONLY	{ "native", "takes RAM only" }
#define TABLE	{ "to-stock", "wants an sg_table" }
#define NO_PEER	{ "to-stock", "takes no peer memory" }
#define NO_TELL	{ "to-stock", "cannot be revoked" }
#define NONE	{ NULL, NULL }

static const struct outcome outcomes[] = {
	/* VRAM only: the importer must accept peer memory and support revoke. */
	{ "native", PHYR_TEST_NATIVE, IN_VRAM, 0, IN_VRAM, -EINVAL, NATIVE },
	{ "static", PHYR_TEST_STATIC, IN_VRAM, -EBUSY, IN_VRAM, -EINVAL, NONE },
	{ "dynamic", PHYR_TEST_DYNAMIC, IN_VRAM, -EBUSY, IN_VRAM, -EINVAL, NONE },
	{ "peer", PHYR_TEST_PEER, IN_VRAM, -EBUSY, IN_VRAM, -EINVAL, NONE },
	{ "revocable", PHYR_TEST_REVOCABLE, IN_VRAM, 0, IN_VRAM, -EINVAL, TABLE },
	{ "no-ops", PHYR_TEST_NO_OPS, IN_VRAM, -EINVAL, IN_VRAM, -EINVAL, NONE },
	{ "RAM-only", PHYR_TEST_RAM_ONLY, IN_VRAM, -EREMOTEIO, IN_VRAM, -EINVAL, NONE },
	/* Either: other importers cause a move to system memory and a pin. */
	{ "native", PHYR_TEST_NATIVE, EVICTABLE, 0, IN_VRAM, 0, NATIVE },
	{ "static", PHYR_TEST_STATIC, EVICTABLE, 0, IN_SYSTEM, -EBUSY, NO_PEER },
	{ "dynamic", PHYR_TEST_DYNAMIC, EVICTABLE, 0, IN_SYSTEM, -EBUSY, NO_PEER },
	{ "peer", PHYR_TEST_PEER, EVICTABLE, 0, IN_SYSTEM, -EBUSY, NO_TELL },
	{ "revocable", PHYR_TEST_REVOCABLE, EVICTABLE, 0, IN_VRAM, 0, TABLE },
	{ "no-ops", PHYR_TEST_NO_OPS, EVICTABLE, -EINVAL, IN_VRAM, 0, NONE },
	{ "RAM-only", PHYR_TEST_RAM_ONLY, EVICTABLE, 0, IN_SYSTEM, -EBUSY, RAM_ONLY },
	/* System memory only: any importer with callbacks. */
	{ "native", PHYR_TEST_NATIVE, IN_SYSTEM, 0, IN_SYSTEM, -EINVAL, NATIVE },
	{ "static", PHYR_TEST_STATIC, IN_SYSTEM, 0, IN_SYSTEM, -EINVAL, NO_PEER },
	{ "dynamic", PHYR_TEST_DYNAMIC, IN_SYSTEM, 0, IN_SYSTEM, -EINVAL, NO_PEER },
	{ "peer", PHYR_TEST_PEER, IN_SYSTEM, 0, IN_SYSTEM, -EINVAL, NO_TELL },
	{ "revocable", PHYR_TEST_REVOCABLE, IN_SYSTEM, 0, IN_SYSTEM, -EINVAL, TABLE },
	{ "no-ops", PHYR_TEST_NO_OPS, IN_SYSTEM, -EINVAL, IN_SYSTEM, -EINVAL, NONE },
	{ "RAM-only", PHYR_TEST_RAM_ONLY, IN_SYSTEM, 0, IN_SYSTEM, -EINVAL, RAM_ONLY },
};

static uint32_t other_place(uint32_t place)
{
	return place == IN_VRAM ? IN_SYSTEM : IN_VRAM;
}

static void assert_mapped(const struct outcome *outcome, uint32_t id)
{
	const char *route = outcome->place == IN_VRAM ? vram_route :
							system_route;
	struct phyr_test_held now = MAP(id);

	igt_assert_eq(now.mapped, 1);
	/* Behind an IOMMU all extents map to one range. */
	if (iommu_is_on())
		igt_assert_eq_u64(now.ranges, 1);
	else
		igt_assert_lte_u64(1, now.ranges);
	assert_attachment("phyr_vram", importer, outcome->mode, route, 1,
			  outcome->why);
	now = UNMAP(id);
	igt_assert_eq(now.mapped, 0);
	igt_assert_eq_u64(now.ranges, 0);
	assert_attachment("phyr_vram", importer, outcome->mode, route, 0,
			  outcome->why);
}

static void assert_outcome(const struct outcome *outcome)
{
	struct card_buffer buffer = create(outcome->placement, 1);
	uint32_t id;
	int err;

	trace_attachments();
	err = try_hold(test, buffer.dmabuf, outcome->kind, PHYR_TEST_UNMAP_NOW,
		       &id);
	igt_assert_f(err == outcome->err,
		     "%s importer, placement %#x: attach returned %d, expected %d\n",
		     outcome->name, outcome->placement, err, outcome->err);
	if (!err)
		igt_assert_eq(traced_attachments("phyr_vram", importer,
						 outcome->mode), 1);
	assert_place(buffer.vram, buffer.handle, outcome->place);
	assert_vram(buffer.vram, buffer.handle, SIZE, 1);
	if (!err)
		assert_mapped(outcome, id);
	igt_assert_eq(try_move_buffer(buffer.vram, buffer.handle,
				      other_place(outcome->place)),
		      outcome->move_err);
	if (!outcome->move_err)
		move_buffer(buffer.vram, buffer.handle, outcome->place);
	if (!err)
		RELEASE(id);
	/* After the detach the buffer can move again. */
	if (outcome->placement == EVICTABLE) {
		move_buffer(buffer.vram, buffer.handle, IN_VRAM);
		move_buffer(buffer.vram, buffer.handle, IN_SYSTEM);
	}
	assert_vram(buffer.vram, buffer.handle, SIZE, 1);
	destroy(&buffer);
}

static void all_outcomes(uint32_t placement)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(outcomes); i++)
		if (outcomes[i].placement == placement)
			assert_outcome(&outcomes[i]);
}

/* phyr_attach() requires an invalidate callback for every exporter. */
static void no_ops(void)
{
	int foreign = create_udmabuf(SIZE), dmabuf;
	uint32_t id;

	dmabuf = test_export(test, PHYR_TEST_STYLE_PHYR, 0, 2, SZ_4K, SZ_64K);
	igt_assert_eq(try_hold(test, foreign, PHYR_TEST_NO_OPS,
			       PHYR_TEST_UNMAP_LATE, &id), -EINVAL);
	igt_assert_eq(try_hold(test, dmabuf, PHYR_TEST_NO_OPS,
			       PHYR_TEST_UNMAP_LATE, &id), -EINVAL);
	igt_assert_eq(find_attachments(NULL, importer, NULL), 0);
	close(dmabuf);
	close(foreign);
}

/* An exporter that has no system memory, so its buffers cannot move. */
static void fixed_exporter(void)
{
	static const int errs[] = {
		[PHYR_TEST_NATIVE] = 0,
		[PHYR_TEST_STATIC] = -EBUSY,
		[PHYR_TEST_DYNAMIC] = -EBUSY,
		[PHYR_TEST_PEER] = -EBUSY,
		[PHYR_TEST_REVOCABLE] = 0,
		[PHYR_TEST_NO_OPS] = -EINVAL,
		[PHYR_TEST_RAM_ONLY] = -EREMOTEIO,
	};
	int dmabuf = test_export(test, PHYR_TEST_STYLE_PHYR, 0, 64, SZ_4K,
				 SZ_64K);
	uint32_t id;

	for (uint32_t kind = 0; kind < ARRAY_SIZE(errs); kind++) {
		igt_assert_eq(try_hold(test, dmabuf, kind, PHYR_TEST_UNMAP_LATE,
				       &id), errs[kind]);
		if (errs[kind])
			continue;
		igt_assert_eq_u64(MAP(id).ranges, iommu_is_on() ? 1 : 64);
		RELEASE(id);
	}
	close(dmabuf);
}

/*
 * Stock exporters: one that has system memory only, one that has peer memory
 * only and says so, as vfio-pci does, and one that does not.
 */
static void ram_only(void)
{
	int foreign = create_udmabuf(SIZE), peer, liar;
	uint32_t id;

	peer = test_export(test, PHYR_TEST_STYLE_STOCK, 0, 1, SIZE, 0);
	liar = test_export(test, PHYR_TEST_STYLE_RAW, 0, 1, SIZE, 0);
	id = hold(foreign, PHYR_TEST_RAM_ONLY, PHYR_TEST_UNMAP_LATE);
	igt_assert_lte_u64(1, MAP(id).ranges);
	RELEASE(id);
	igt_assert_eq(try_hold(test, peer, PHYR_TEST_RAM_ONLY,
			       PHYR_TEST_UNMAP_LATE, &id), -EOPNOTSUPP);

	/* With CONFIG_DMABUF_DEBUG no importer can tell RAM from a BAR. */
	if (!kasan_is_on()) {
		struct phyr_test_held map = { 0 };

		map.id = hold(liar, PHYR_TEST_RAM_ONLY, PHYR_TEST_UNMAP_LATE);
		igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_MAP, &map),
			      -EREMOTEIO);
		RELEASE(map.id);
	}
	igt_assert_eq(find_attachments(NULL, importer, NULL), 0);
	close(liar);
	close(peer);
	close(foreign);
}

/* Pins are counted; the buffer can move when the last one is gone. */
static void pins(uint32_t kind)
{
	struct card_buffer buffer = create(EVICTABLE, 2);
	uint32_t first = hold(buffer.dmabuf, kind, PHYR_TEST_UNMAP_NOW);
	uint32_t second = hold(buffer.dmabuf, kind, PHYR_TEST_UNMAP_NOW), id;

	igt_assert_eq(pin(first, true), 0);
	igt_assert_eq(pin(second, true), 0);
	igt_assert_eq(try_move_buffer(buffer.vram, buffer.handle, IN_SYSTEM), -EBUSY);
	/* An importer that needs system memory cannot attach. */
	igt_assert_eq(try_hold(test, buffer.dmabuf, PHYR_TEST_STATIC,
			       PHYR_TEST_UNMAP_LATE, &id), -EBUSY);
	igt_assert_eq(try_hold(test, buffer.dmabuf, PHYR_TEST_RAM_ONLY,
			       PHYR_TEST_UNMAP_LATE, &id), -EREMOTEIO);
	igt_assert_eq(pin(first, false), 0);
	igt_assert_eq(try_move_buffer(buffer.vram, buffer.handle, IN_SYSTEM), -EBUSY);
	/* A move to its current place is allowed. */
	move_buffer(buffer.vram, buffer.handle, IN_VRAM);
	igt_assert_eq(HELD(first).invalidated, 0);
	RELEASE(second);
	move_buffer(buffer.vram, buffer.handle, IN_SYSTEM);
	igt_assert_eq(pin(first, true), 0);
	igt_assert_eq(try_move_buffer(buffer.vram, buffer.handle, IN_VRAM), -EBUSY);
	igt_assert_eq(pin(first, false), 0);
	move_buffer(buffer.vram, buffer.handle, IN_VRAM);
	assert_vram(buffer.vram, buffer.handle, SIZE, 2);
	RELEASE(first);
	destroy(&buffer);
}

/* A native importer pins what others export, and what cannot move. */
static void pins_elsewhere(void)
{
	int dmabufs[] = {
		create_udmabuf(SIZE),
		test_export(test, PHYR_TEST_STYLE_PHYR, 0, 2, SZ_4K, SZ_64K),
		test_export(test, PHYR_TEST_STYLE_STOCK, 0, 1, SZ_4K, 0),
	};
	uint32_t id;

	for (unsigned int i = 0; i < ARRAY_SIZE(dmabufs); i++) {
		id = hold(dmabufs[i], PHYR_TEST_NATIVE, PHYR_TEST_UNMAP_LATE);
		igt_assert_eq(pin(id, true), 0);
		igt_assert_lte_u64(1, MAP(id).ranges);
		igt_assert_eq(HELD(id).pinned, 1);
		igt_assert_eq(pin(id, false), 0);
		RELEASE(id);
		close(dmabufs[i]);
	}
}

/* Between the steps the buffer moves; then the second says that it is late. */
static void two_steps(void)
{
	struct card_buffer buffer = create(EVICTABLE, 14);
	uint32_t id = hold(buffer.dmabuf, PHYR_TEST_NATIVE,
			   PHYR_TEST_UNMAP_LATE);
	uint32_t place = IN_VRAM, ram;
	uint64_t ranges;

	igt_assert_eq(commit(id), -EINVAL);
	for (int round = 0; round < 4; round++) {
		ranges = RESERVE(id).ranges;
		igt_assert_lte_u64(1, ranges);
		igt_assert_eq(commit(id), 0);
		igt_assert_eq(commit(id), 0);
		place = other_place(place);
		move_buffer(buffer.vram, buffer.handle, place);
		igt_assert_eq(commit(id), -EAGAIN);
		if (round % 2)
			UNMAP(id);
	}

	/* Another importer makes it move, and keeps it there. */
	RESERVE(id);
	ram = hold(buffer.dmabuf, PHYR_TEST_RAM_ONLY, PHYR_TEST_UNMAP_LATE);
	igt_assert_eq(commit(id), -EAGAIN);
	RESERVE(id);
	igt_assert_eq(try_move_buffer(buffer.vram, buffer.handle, IN_VRAM), -EBUSY);
	igt_assert_eq(commit(id), 0);
	RELEASE(ram);
	RELEASE(id);
	destroy(&buffer);
}

static void two_steps_foreign(void)
{
	int foreign = create_udmabuf(SIZE);
	uint32_t id = hold(foreign, PHYR_TEST_NATIVE, PHYR_TEST_UNMAP_LATE);

	RESERVE(id);
	igt_assert_eq(commit(id), 0);
	RELEASE(id);
	close(foreign);
}

/* What is built from a mapping is gone once it ends, whoever ends it. */
static void descriptors(void)
{
	struct card_buffer buffer = create(EVICTABLE, 15);
	uint32_t late = hold(buffer.dmabuf, PHYR_TEST_NATIVE,
			     PHYR_TEST_UNMAP_LATE);
	uint32_t now = hold(buffer.dmabuf, PHYR_TEST_NATIVE,
			    PHYR_TEST_UNMAP_NOW);
	uint32_t place = IN_VRAM;

	for (uint32_t round = 1; round <= 4; round++) {
		MAP(late);
		MAP(now);
		igt_assert_eq(HELD(late).destroyed, round - 1);
		place = other_place(place);
		move_buffer(buffer.vram, buffer.handle, place);
		igt_assert_eq(HELD(late).destroyed, round);
		igt_assert_eq_u64(HELD(late).ranges, 0);
		igt_assert_eq(HELD(now).destroyed, round);
		UNMAP(late);
		igt_assert_eq(HELD(late).destroyed, round);
	}
	MAP(late);
	UNMAP(late);
	igt_assert_eq(HELD(late).destroyed, 5);
	RELEASE(late);
	RELEASE(now);
	destroy(&buffer);
}

/* Each importer that needs system memory pins the buffer there. */
static void system_pins(void)
{
	struct card_buffer buffer = create(EVICTABLE, 3);
	uint32_t first = hold(buffer.dmabuf, PHYR_TEST_STATIC,
			      PHYR_TEST_UNMAP_LATE);
	uint32_t second = hold(buffer.dmabuf, PHYR_TEST_DYNAMIC,
			       PHYR_TEST_UNMAP_NOW);
	uint32_t third = hold(buffer.dmabuf, PHYR_TEST_NATIVE,
			      PHYR_TEST_UNMAP_NOW);

	MAP(first);
	MAP(second);
	MAP(third);
	igt_assert_eq(try_move_buffer(buffer.vram, buffer.handle, IN_VRAM), -EBUSY);
	RELEASE(first);
	igt_assert_eq(try_move_buffer(buffer.vram, buffer.handle, IN_VRAM), -EBUSY);
	RELEASE(second);
	igt_assert_eq(HELD(third).invalidated, 0);
	move_buffer(buffer.vram, buffer.handle, IN_VRAM);
	igt_assert_eq(HELD(third).invalidated, 1);
	RELEASE(third);
	assert_vram(buffer.vram, buffer.handle, SIZE, 3);
	destroy(&buffer);
}

/* Poll: there is no event for the worker's unmap. */
static void wait_for_unmap(uint32_t id)
{
	for (int tries = 0; HELD(id).mapped && tries < 300; tries++)
		usleep(100000);
	igt_assert_eq(HELD(id).mapped, 0);
}

/* Check the mapping after a move, for each time at which an importer unmaps. */
static void assert_unmapped(uint32_t kind, uint32_t unmap, uint32_t id,
			    uint64_t ranges)
{
	switch (unmap) {
	case PHYR_TEST_UNMAP_NOW:
		igt_assert_eq(HELD(id).mapped, 0);
		break;
	case PHYR_TEST_UNMAP_SOON:
		wait_for_unmap(id);
		break;
	case PHYR_TEST_UNMAP_LATE:
		igt_assert_eq(HELD(id).mapped, 1);
		/* The core unmaps native mappings; it cannot unmap tables. */
		igt_assert_eq_u64(HELD(id).ranges,
				  kind == PHYR_TEST_NATIVE ? 0 : ranges);
		UNMAP(id);
		break;
	}
}

static void move_mapped(uint32_t kind, uint32_t unmap)
{
	struct card_buffer buffer = create(EVICTABLE, 4);
	uint32_t id = hold(buffer.dmabuf, kind, unmap), place = IN_VRAM;
	uint64_t ranges;

	for (uint32_t moves = 1; moves <= 4; moves++) {
		ranges = MAP(id).ranges;
		igt_assert_lte_u64(1, ranges);
		place = other_place(place);
		move_buffer(buffer.vram, buffer.handle, place);
		assert_place(buffer.vram, buffer.handle, place);
		igt_assert_eq(HELD(id).invalidated, moves);
		assert_unmapped(kind, unmap, id, ranges);
		assert_vram(buffer.vram, buffer.handle, SIZE, 4);
	}
	/* Detaching also unmaps. */
	MAP(id);
	RELEASE(id);
	destroy(&buffer);
}

/* A move invalidates every importer once. */
static void move_all(void)
{
	struct card_buffer buffer = create(EVICTABLE, 5);
	uint32_t ids[6], nr = ARRAY_SIZE(ids);
	uint64_t map;

	for (uint32_t i = 0; i < nr; i++) {
		ids[i] = hold(buffer.dmabuf, i % 2 ? PHYR_TEST_REVOCABLE :
						     PHYR_TEST_NATIVE, i / 2);
		map = MAP(ids[i]).ranges;
		igt_assert_lte_u64(1, map);
	}
	igt_assert_eq(find_attachments("phyr_vram", importer, NULL), nr);
	move_buffer(buffer.vram, buffer.handle, IN_SYSTEM);
	for (uint32_t i = 0; i < nr; i++)
		igt_assert_eq(HELD(ids[i]).invalidated, 1);
	for (uint32_t i = 0; i < nr; i++)
		RELEASE(ids[i]);
	assert_vram(buffer.vram, buffer.handle, SIZE, 5);
	destroy(&buffer);
}

/* DMA segments of an sg_table. */
struct table {
	struct phyr_test_range *range;
	uint64_t max;
	struct phyr_test_import import;
};

static struct table map_table(int dmabuf, uint64_t max)
{
	struct table table = {
		.range = calloc(max, sizeof(*table.range)),
		.max = max,
		.import = {
			.fd = dmabuf,
			.api = PHYR_TEST_API_STOCK,
			.iterations = 1,
			.max_ranges = max,
		},
	};

	igt_assert(table.range);
	table.import.ranges = (uintptr_t)table.range;
	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_IMPORT, &table.import), 0);
	igt_assert_lte_u64(table.import.nr_ranges, max);
	return table;
}

/* Behind an IOMMU one entry, else those of @want. Frees the table. */
static void assert_table(struct table *table, uint64_t size,
			 const struct phyr_vec *want, uint64_t nr)
{
	igt_assert_eq_u64(table->import.total, size);
	if (iommu_is_on()) {
		igt_assert_eq_u64(table->import.nr_ranges, 1);
		igt_assert_eq_u64(table->range[0].addr % SZ_4K, 0);
		igt_assert_eq_u64(table->range[0].len, size);
	} else {
		igt_assert_eq_u64(table->import.nr_ranges, nr);
		for (uint64_t i = 0; i < nr; i++) {
			igt_assert_eq_u64(table->range[i].addr, want[i].paddr);
			igt_assert_eq_u64(table->range[i].len, want[i].len);
		}
	}
	free(table->range);
}

static void fragmented(void)
{
	struct phyr_device card = vram_device(0);
	struct card_buffer buffer = create(IN_VRAM, 6);
	struct table table = map_table(buffer.dmabuf, SIZE / SZ_4K);
	struct phyr_list_dump list;

	igt_assert_eq(phyr_list_dump_read(&card, vram_info(buffer.vram,
							   buffer.handle).id,
					  &list), 0);
	assert_table(&table, SIZE, list.vecs, list.nr);
	phyr_list_dump_free(&list);
	destroy(&buffer);
}

/* System memory has its pages in the table, as of any other exporter. */
static void table_pages(void)
{
	static const struct {
		uint32_t placement;
		uint64_t pages;
	} cases[] = {
		{ IN_SYSTEM, SIZE / SZ_4K },
		{ IN_VRAM, 0 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		struct card_buffer buffer = create(cases[i].placement, 7);
		struct table table = map_table(buffer.dmabuf, SIZE / SZ_4K);

		igt_assert_eq_u64(table.import.total, SIZE);
		if (table.import.nr_pages != PHYR_TEST_PAGES_HIDDEN)
			igt_assert_eq_u64(table.import.nr_pages,
					  cases[i].pages);
		free(table.range);
		destroy(&buffer);
	}
}

/* dma_buf_phys_vec_to_sgt() fails here behind an IOMMU: see phyr_upstream. */
static void many_ranges(int64_t start, int64_t stride)
{
	enum { COUNT = 512 };
	int dmabuf = test_export(test, PHYR_TEST_STYLE_PHYR, start, COUNT,
				 SZ_4K, stride);
	struct table table = map_table(dmabuf, COUNT);
	struct phyr_vec want[COUNT];

	for (int i = 0; i < COUNT; i++)
		want[i] = (struct phyr_vec){
			.paddr = test_bar(test) + start + i * stride,
			.len = SZ_4K,
		};
	assert_table(&table, COUNT * SZ_4K, want, COUNT);
	close(dmabuf);
}

#define MAPS	20000

/* dma_buf_phys_vec_to_sgt() leaks one scatterlist per map. */
static void leak(uint64_t count)
{
	static const unsigned int sizes[] = { 32, 64, 128, 256 };
	struct phyr_test_import import = {
		.api = PHYR_TEST_API_STOCK,
		.iterations = 1,
	};
	uint64_t before[ARRAY_SIZE(sizes)];

	igt_require_f(!kasan_is_on(),
		      "KASAN keeps freed objects in quarantine, where they count as in use\n");
	import.fd = test_export(test, PHYR_TEST_STYLE_PHYR, 0, count, SZ_4K,
				SZ_64K);
	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_IMPORT, &import), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++)
		before[i] = kmalloc_objects(sizes[i]);
	import.iterations = MAPS;
	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_IMPORT, &import), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		int64_t left = kmalloc_objects(sizes[i]) - before[i];

		igt_assert_f(left < MAPS / 20, "%" PRId64
			     " objects are left in kmalloc-%u after %d maps\n",
			     left, sizes[i], MAPS);
	}
	close(import.fd);
}

/*
 * vivid writes images by the CPU through the dma-buf's vmap, and does not
 * handle I/O memory.
 */
static void capture_into(uint32_t placement)
{
	struct camera camera = open_camera(V4L2_MEMORY_DMABUF);
	struct card_buffer buffer = create(placement, 7);
	int engine = open_copy(0);
	uint32_t own = create_own(engine, SIZE), imported;
	void *mem, *copied;

	imported = import_buffer(engine, buffer.dmabuf);
	copy_bytes(engine, imported, own, SIZE);
	assert_place(buffer.vram, buffer.handle,
		     placement == EVICTABLE ? IN_VRAM : IN_SYSTEM);

	igt_assert_eq(camera_queue(&camera, 0, buffer.dmabuf), 0);
	assert_place(buffer.vram, buffer.handle, IN_SYSTEM);
	if (placement == EVICTABLE)
		igt_assert_eq(try_move_buffer(buffer.vram, buffer.handle, IN_VRAM),
			      -EBUSY);
	igt_assert_eq(camera_capture(&camera), 0);

	/* The CPU and the engine both see the image. */
	copy_bytes(engine, imported, own, SIZE);
	mem = map_vram(buffer.vram, buffer.handle, SIZE);
	copied = map_own(engine, own, SIZE);
	igt_assert_f(phyr_verify(mem, 7, 0, camera.size) >= 0 &&
		     phyr_verify_byte(mem, 0, camera.size) >= 0,
		     "vivid captured no image: the buffer is unchanged or zero\n");
	assert_bytes((char *)mem + camera.size, 7, camera.size,
		     SIZE - camera.size);
	igt_assert(!memcmp(mem, copied, SIZE));

	camera_stop(&camera);
	if (placement == EVICTABLE) {
		move_buffer(buffer.vram, buffer.handle, IN_VRAM);
		igt_assert(!memcmp(mem, copied, SIZE));
	}
	unmap(mem, SIZE);
	unmap(copied, SIZE);
	close_camera(&camera);
	close(engine);
	destroy(&buffer);
}

/* VRAM has no vmap that vivid can use: expect an error and no kernel report. */
static void camera_refused(void)
{
	struct camera camera = open_camera(V4L2_MEMORY_DMABUF);
	struct card_buffer buffer = create(IN_VRAM, 8);
	int other = export_buffer(buffer.vram,
				  create_vram(buffer.vram, SIZE, EVICTABLE, 0));

	igt_assert_eq(camera_queue(&camera, 0, buffer.dmabuf), -EFAULT);
	assert_place(buffer.vram, buffer.handle, IN_VRAM);
	assert_vram(buffer.vram, buffer.handle, SIZE, 8);
	/* The camera still works with another buffer. */
	igt_assert_eq(camera_queue(&camera, 0, other), 0);
	igt_assert_eq(camera_capture(&camera), 0);
	camera_stop(&camera);
	close_camera(&camera);
	close(other);
	destroy(&buffer);
}

/* vgem attaches as a static importer; mmap is left to the exporter. */
static void vgem(void)
{
	struct card_buffer fixed = create(IN_VRAM, 9), both = create(EVICTABLE, 10);
	uint32_t handle = 0;
	int fd, again;
	void *mem;

	run_command("modprobe vgem");
	fd = open_drm("vgem");
	igt_assert_eq(phyr_import(fd, fixed.dmabuf, &handle), -EBUSY);
	assert_place(fixed.vram, fixed.handle, IN_VRAM);
	assert_vram(fixed.vram, fixed.handle, SIZE, 9);

	handle = import_buffer(fd, both.dmabuf);
	assert_attachment("phyr_vram", "vgem", "to-stock", "extent", 0,
			  "takes no peer memory");
	assert_place(both.vram, both.handle, IN_SYSTEM);
	igt_assert_eq(try_move_buffer(both.vram, both.handle, IN_VRAM), -EBUSY);
	/* vgem exports the same dma-buf. */
	again = export_buffer(fd, handle);
	mem = map_dmabuf(again, SIZE);
	assert_bytes(mem, 10, 0, SIZE);
	phyr_fill(mem, 11, 0, SIZE);
	assert_vram(both.vram, both.handle, SIZE, 11);
	unmap(mem, SIZE);
	close(again);
	igt_assert_eq(phyr_close_handle(fd, handle), 0);
	igt_assert_eq(find_attachments("phyr_vram", "vgem", NULL), 0);
	move_buffer(both.vram, both.handle, IN_VRAM);
	assert_vram(both.vram, both.handle, SIZE, 11);
	close(fd);
	destroy(&both);
	destroy(&fixed);
}

/*
 * virtio-gpu imports foreign buffers only if the host supports it (blob=true).
 * Otherwise it attaches and maps as a static importer and then fails; the
 * buffer, which was moved for it, can move back.
 */
static void virtio_gpu(void)
{
	struct card_buffer fixed = create(IN_VRAM, 12), both = create(EVICTABLE, 13);
	uint32_t handle = 0;
	int fd;

	run_command("modprobe virtio_gpu");
	fd = open_drm("virtio_gpu");
	igt_assert_eq(phyr_import(fd, fixed.dmabuf, &handle), -EBUSY);
	assert_place(fixed.vram, fixed.handle, IN_VRAM);
	igt_assert_eq(phyr_import(fd, both.dmabuf, &handle), -ENODEV);
	assert_place(both.vram, both.handle, IN_SYSTEM);
	igt_assert_eq(find_attachments("phyr_vram", NULL, NULL), 0);
	move_buffer(both.vram, both.handle, IN_VRAM);
	assert_vram(both.vram, both.handle, SIZE, 13);
	assert_vram(fixed.vram, fixed.handle, SIZE, 12);
	close(fd);
	destroy(&both);
	destroy(&fixed);
}

igt_main()
{
	static const char *const policies[] = { "now", "soon", "late" };

	igt_fixture() {
		bind_engines();
		test = open_phyr_test(SECOND_IVSHMEM);
		igt_assert(pci_find("0x1234", "0x11e8", 0, importer));
		vram_route = iommu_is_on() ? "iova" : "window";
		system_route = iommu_is_on() ? "iova" : "extent";
	}

	igt_describe("Each kind of importer attaches to a buffer that must be in VRAM");
	igt_subtest("vram-only")
		all_outcomes(IN_VRAM);

	igt_describe("Each kind of importer attaches to a buffer that may be in VRAM or system memory");
	igt_subtest("vram-or-system")
		all_outcomes(EVICTABLE);

	igt_describe("Each kind of importer attaches to a buffer in system memory");
	igt_subtest("system-only")
		all_outcomes(IN_SYSTEM);

	igt_describe("Each kind of importer attaches to an exporter without system memory");
	igt_subtest("fixed-exporter")
		fixed_exporter();

	igt_describe("Importers without callbacks are refused by every exporter");
	igt_subtest("no-ops")
		no_ops();

	igt_describe("An importer that takes RAM only gets nothing else, whoever exports");
	igt_subtest("ram-only")
		ram_only();

	igt_describe("A buffer that stock importers have pinned cannot move until its last pin is gone");
	igt_subtest("pins")
		pins(PHYR_TEST_REVOCABLE);

	igt_describe("A buffer that native importers have pinned cannot move until its last pin is gone");
	igt_subtest("pins-native")
		pins(PHYR_TEST_NATIVE);

	igt_describe("A native importer pins buffers of stock exporters and of one that never moves them");
	igt_subtest("pins-elsewhere")
		pins_elsewhere();

	igt_describe("A mapping that was reserved is committed unless the buffer has moved since");
	igt_subtest("two-steps")
		two_steps();

	igt_describe("A mapping of a stock exporter's buffer is reserved and committed");
	igt_subtest("two-steps-foreign")
		two_steps_foreign();

	igt_describe("What an importer has built from a mapping is destroyed once, when the mapping ends");
	igt_subtest("descriptors")
		descriptors();

	igt_describe("Importers that need system memory keep the buffer there");
	igt_subtest("system-pins")
		system_pins();

	for (volatile uint32_t unmap = 0; unmap < ARRAY_SIZE(policies); unmap++) {
		char name[48];

		snprintf(name, sizeof(name), "move-native-unmaps-%s",
			 policies[unmap]);
		igt_describe("A buffer mapped by an importer moves four times");
		igt_subtest(name)
			move_mapped(PHYR_TEST_NATIVE, unmap);

		snprintf(name, sizeof(name), "move-revocable-unmaps-%s",
			 policies[unmap]);
		igt_describe("A buffer mapped by an importer moves four times");
		igt_subtest(name)
			move_mapped(PHYR_TEST_REVOCABLE, unmap);
	}

	igt_describe("A move invalidates each of many importers once");
	igt_subtest("move-many-importers")
		move_all();

	igt_describe("A fragmented VRAM buffer maps to a correct sg_table");
	igt_subtest("fragmented")
		fragmented();

	igt_describe("A table of system memory has its pages and can be synced; one of VRAM has none");
	igt_subtest("table-pages")
		table_pages();

	igt_describe("512 ranges map to a correct sg_table; the stock helper fails behind an IOMMU");
	igt_subtest("many-ranges")
		many_ranges(0, SZ_64K);

	igt_describe("512 ranges in descending order map to a correct sg_table");
	igt_subtest("many-ranges-descending")
		many_ranges(48 * SZ_1M, -(int64_t)SZ_64K);

	igt_describe("20,000 maps of a table of one range leak nothing");
	igt_subtest("leak")
		leak(1);

	igt_describe("20,000 maps of a table of eight ranges leak nothing");
	igt_subtest("leak-many-ranges")
		leak(8);

	igt_describe("vivid captures into a VRAM buffer, which moves to system memory");
	igt_subtest("vivid")
		capture_into(EVICTABLE);

	igt_describe("vivid captures into a buffer in system memory");
	igt_subtest("vivid-system")
		capture_into(IN_SYSTEM);

	igt_describe("vivid cannot import a buffer that must be in VRAM");
	igt_subtest("vivid-vram-only")
		camera_refused();

	igt_describe("vgem imports a buffer that can be in system memory");
	igt_subtest("vgem")
		vgem();

	igt_describe("virtio-gpu refuses foreign buffers and leaves no attachment or pin");
	igt_subtest("virtio-gpu")
		virtio_gpu();
}

// SPDX-License-Identifier: MIT
/* Importers of a dma-buf: attach, map, unmap, detach, pin; and a carve-out. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "heap.h"
#include "stage.h"

static int make_movable(void)
{
	int dmabuf;

	setup_buffer(&movable);
	dmabuf = export_buffer(stage.vram, stage.handle);
	igt_assert_eq(phyr_close_handle(stage.vram, stage.handle), 0);
	return dmabuf;
}

static int make_fixed(void)
{
	return create_dmabuf(stage.vram, SIZE, SZ_4K);
}

static int make_in_system(void)
{
	int dmabuf;

	setup_buffer(&in_system);
	dmabuf = export_buffer(stage.vram, stage.handle);
	igt_assert_eq(phyr_close_handle(stage.vram, stage.handle), 0);
	return dmabuf;
}

static int make_extents(void)
{
	return test_export(stage.test, PHYR_TEST_STYLE_PHYR, 0, EXTENTS, SZ_4K,
			   2 * SZ_4K);
}

static int make_foreign(void)
{
	return create_udmabuf(SIZE);
}

static int make_carveout(void)
{
	return alloc_heap(load_carveout(0).heap, SIZE);
}

/* An importer, and the exporter of its dma-buf. */
struct importer {
	const char *name;
	uint32_t kind;
	int (*make)(void);
};

static const struct importer importers[] = {
	{ "native, VRAM", PHYR_TEST_NATIVE, make_fixed },
	{ "native, movable", PHYR_TEST_NATIVE, make_movable },
	{ "native, system memory", PHYR_TEST_NATIVE, make_in_system },
	{ "native, extents", PHYR_TEST_NATIVE, make_extents },
	{ "native, a udmabuf", PHYR_TEST_NATIVE, make_foreign },
	{ "native, a carve-out", PHYR_TEST_NATIVE, make_carveout },
	{ "native, composed", PHYR_TEST_NATIVE, make_composed },
	{ "RAM only", PHYR_TEST_RAM_ONLY, make_movable },
	{ "static", PHYR_TEST_STATIC, make_movable },
	{ "static, composed", PHYR_TEST_STATIC, make_composed },
	{ "dynamic", PHYR_TEST_DYNAMIC, make_movable },
	{ "peer", PHYR_TEST_PEER, make_movable },
	{ "revocable, VRAM", PHYR_TEST_REVOCABLE, make_fixed },
	{ "revocable, system memory", PHYR_TEST_REVOCABLE, make_in_system },
	{ "revocable, extents", PHYR_TEST_REVOCABLE, make_extents },
	{ "revocable, a carve-out", PHYR_TEST_REVOCABLE, make_carveout },
};

static void setup_dmabuf(const void *data)
{
	const struct importer *importer = data;

	stage.dmabuf = importer->make();
}

static int attach(const void *data)
{
	const struct importer *importer = data;

	return try_hold(stage.test, stage.dmabuf, importer->kind,
			PHYR_TEST_UNMAP_LATE, &stage.held.id);
}

static void setup_attached(const void *data)
{
	setup_dmabuf(data);
	igt_assert_eq(attach(data), 0);
}

static int test_call(unsigned long request)
{
	return phyr_ioctl(stage.test, request, &stage.held);
}

static int map_held(const void *data)
{
	(void)data;
	return test_call(PHYR_TEST_IOC_MAP);
}

static int reserve_held(const void *data)
{
	(void)data;
	return test_call(PHYR_TEST_IOC_RESERVE);
}

static void setup_held(const void *data)
{
	setup_attached(data);
	igt_assert_eq(map_held(data), 0);
}

static int unmap_held(const void *data)
{
	(void)data;
	return test_call(PHYR_TEST_IOC_UNMAP);
}

static int detach(const void *data)
{
	(void)data;
	return test_call(PHYR_TEST_IOC_RELEASE);
}

/* Mapped or not, it can still be mapped; then release it. */
static void verify_held(const void *data, int result)
{
	(void)data;
	(void)result;
	stage.held = held_now(stage.test, stage.held.id);
	igt_assert_eq(map_held(NULL), 0);
	igt_assert(stage.held.mapped && stage.held.ranges);
	release_held(stage.test, stage.held.id);
	close(stage.dmabuf);
	assert_works();
}

static void verify_attached(const void *data, int result)
{
	if (result)
		igt_assert_eq(attach(data), 0);
	verify_held(data, result);
}

static void verify_map(const void *data, int result)
{
	igt_assert_eq(held_now(stage.test, stage.held.id).mapped, !result);
	verify_held(data, result);
}

static void verify_detached(const void *data, int result)
{
	igt_assert_eq(result, 0);
	verify_attached(data, -ENOENT);
}

static int pin_held(const void *data)
{
	(void)data;
	stage.held.pinned = 1;
	return test_call(PHYR_TEST_IOC_PIN);
}

static int unpin_held(const void *data)
{
	(void)data;
	stage.held.pinned = 0;
	return test_call(PHYR_TEST_IOC_PIN);
}

static void setup_pinned(const void *data)
{
	setup_attached(data);
	igt_assert_eq(pin_held(data), 0);
}

static void sweep_importer(const struct importer *importer)
{
	const struct fail_nth_call calls[] = {
		{ "attach", setup_dmabuf, attach, verify_attached,
		  .data = NULL },
		{ "map", setup_attached, map_held, verify_map,
		  .data = NULL },
		{ "reserve", setup_attached, reserve_held, verify_map,
		  .data = NULL },
		{ "unmap", setup_held, unmap_held, verify_held,
		  .data = NULL },
		{ "detach", setup_attached, detach, verify_detached,
		  .data = NULL },
		{ "pin", setup_attached, pin_held, verify_held,
		  .data = NULL },
		{ "unpin", setup_pinned, unpin_held, verify_held,
		  .data = NULL },
	};
	bool native = importer->kind == PHYR_TEST_NATIVE ||
		      importer->kind == PHYR_TEST_RAM_ONLY;
	bool pins = native || importer->kind == PHYR_TEST_DYNAMIC ||
		    importer->kind == PHYR_TEST_REVOCABLE;
	char name[64];

	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++) {
		struct fail_nth_call call = calls[i];

		if (strstr(call.name, "pin") && !pins)
			continue;
		if (!strcmp(call.name, "reserve") && !native)
			continue;
		snprintf(name, sizeof(name), "dma-buf %s, %s", call.name,
			 importer->name);
		call.name = name;
		call.data = importer;
		fail_nth_sweep(&call);
	}
}

static void setup_heap(const void *data)
{
	(void)data;
	stage.fd = open_heap(load_carveout(0).heap);
}

static int alloc_carveout(const void *data)
{
	(void)data;
	return as_fd(try_alloc_from(stage.fd, SIZE, O_RDWR | O_CLOEXEC),
		     &stage.dmabuf);
}

static void verify_carveout(const void *data, int result)
{
	void *mem;

	(void)data;
	if (!result) {
		mem = map_dmabuf(stage.dmabuf, SIZE);
		assert_zero(mem, SIZE);
		unmap(mem, SIZE);
		close(stage.dmabuf);
	}
	close(stage.fd);
	wait_for_free_carveout(0);
	assert_works();
}

void sweep_importers(void)
{
	const struct fail_nth_call alloc = {
		"allocate from a carve-out", setup_heap, alloc_carveout,
		verify_carveout, .data = NULL,
	};

	fail_nth_sweep(&alloc);
	for (unsigned int i = 0; i < ARRAY_SIZE(importers); i++)
		sweep_importer(&importers[i]);
}

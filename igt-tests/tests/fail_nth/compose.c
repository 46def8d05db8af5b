// SPDX-License-Identifier: MIT
/*
 * Composed buffers: pages of a buffer of the card and of other memory, by turns.
 * The composed one is stage.imported, and holds the pattern SEED as all of its
 * parts do.
 */
#include "compose.h"
#include "stage.h"

static uint32_t part_handles[2];

/* The card's buffer, as @data says, and user memory. */
static void setup_parts(const void *data)
{
	setup_buffer(data);
	stage.mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	igt_assert(stage.mem != MAP_FAILED);
	phyr_fill(stage.mem, SEED, 0, SIZE);
	part_handles[0] = import_from(stage.copy, stage.vram, stage.handle);
	part_handles[1] = create_user(stage.copy, stage.mem, SIZE, 0);
}

static int compose_parts(const void *data)
{
	struct drm_phyr_copy_part parts[EXTENTS];

	(void)data;
	for (unsigned int i = 0; i < EXTENTS; i++)
		parts[i] = part_of(part_handles[i % 2], i * SZ_4K, SZ_4K);
	return try_compose(stage.copy, parts, EXTENTS, &stage.imported);
}

static void close_parts(void)
{
	for (int i = 0; i < 2; i++)
		igt_assert_eq(phyr_close_handle(stage.copy, part_handles[i]),
			      0);
}

/* Only the composed buffer keeps the parts. */
static void setup_composed(const void *data)
{
	setup_parts(data);
	igt_assert_eq(compose_parts(data), 0);
	close_parts();
}

static int close_composed(const void *data)
{
	(void)data;
	return phyr_close_handle(stage.copy, stage.imported);
}

static void verify_parts(const void *data, int result)
{
	assert_bytes(stage.mem, SEED, 0, SIZE);
	unmap(stage.mem, SIZE);
	verify_buffer(data, result);
}

static void verify_composed(const void *data, int result)
{
	if (result)
		igt_assert_eq(compose_parts(data), 0);
	close_parts();
	copy_bytes(stage.copy, stage.imported, stage.witness_out, SIZE);
	assert_bytes(stage.out_mem, SEED, 0, SIZE);
	igt_assert_eq(close_composed(data), 0);
	verify_parts(data, result);
}

static void setup_composed_job(const void *data)
{
	setup_composed(data);
	stage.own = create_own(stage.copy, SIZE);
	create_fences(false);
}

/* It was mapped in another place. */
static void setup_stale_job(const void *data)
{
	setup_composed_job(data);
	copy_bytes(stage.copy, stage.imported, stage.own, SIZE);
	move_buffer(stage.vram, stage.handle, IN_SYSTEM);
	fill_own(stage.copy, stage.own, SIZE, 0);
}

static void verify_composed_job(const void *data, int result)
{
	finish_job(result);
	verify_parts(data, result);
}

static void setup_mapped(const void *data)
{
	setup_composed(data);
	copy_bytes(stage.copy, stage.imported, stage.witness_out, SIZE);
}

/* After a move, or one that failed, a copy finds the bytes. */
static void verify_mapped_out(const void *data, int result)
{
	copy_bytes(stage.copy, stage.imported, stage.witness_out, SIZE);
	assert_bytes(stage.out_mem, SEED, 0, SIZE);
	igt_assert_eq(close_composed(data), 0);
	unmap(stage.mem, SIZE);
	verify_moved_out(data, result);
}

/*
 * Without user memory, which is not exported
 */

static void setup_shareable(const void *data)
{
	struct drm_phyr_copy_part parts[EXTENTS];
	uint32_t system = create_vram(stage.vram, SIZE, IN_SYSTEM, 0);

	setup_buffer(data);
	fill_vram(stage.vram, system, SIZE, SEED);
	part_handles[0] = import_from(stage.copy, stage.vram, stage.handle);
	part_handles[1] = import_from(stage.copy, stage.vram, system);
	igt_assert_eq(phyr_close_handle(stage.vram, system), 0);
	for (unsigned int i = 0; i < EXTENTS; i++)
		parts[i] = part_of(part_handles[i % 2], i * SZ_4K, SZ_4K);
	stage.imported = compose(stage.copy, parts, EXTENTS);
	close_parts();
}

static int export_composed(const void *data)
{
	(void)data;
	return as_fd(phyr_export(stage.copy, stage.imported), &stage.dmabuf);
}

static void verify_exported_whole(const void *data, int result)
{
	if (result)
		igt_assert_eq(export_composed(data), 0);
	igt_assert_eq(close_composed(data), 0);
	stage.imported = import_buffer(stage.copy, stage.dmabuf);
	close(stage.dmabuf);
	copy_bytes(stage.copy, stage.imported, stage.witness_out, SIZE);
	assert_bytes(stage.out_mem, SEED, 0, SIZE);
	igt_assert_eq(close_composed(data), 0);
	verify_buffer(data, result);
}

int make_composed(void)
{
	setup_shareable(&movable);
	igt_assert_eq(export_composed(NULL), 0);
	igt_assert_eq(close_composed(NULL), 0);
	igt_assert_eq(phyr_close_handle(stage.vram, stage.handle), 0);
	return stage.dmabuf;
}

/* The second engine imports it as another driver would. */
static void setup_second(const void *data)
{
	(void)data;
	stage.dmabuf = make_composed();
	stage.other = open_copy(1);
}

static int import_into_second(const void *data)
{
	(void)data;
	return phyr_import(stage.other, stage.dmabuf, &stage.imported);
}

static int copy_by_second(const void *data)
{
	struct drm_phyr_copy_submit job = copy_job(stage.imported, stage.own,
						   SIZE);

	(void)data;
	return phyr_copy_submit(stage.other, &job);
}

static void verify_second(const void *data, int result)
{
	(void)data;
	if (result)
		stage.imported = import_buffer(stage.other, stage.dmabuf);
	stage.own = create_own(stage.other, SIZE);
	copy_bytes(stage.other, stage.imported, stage.own, SIZE);
	assert_own(stage.other, stage.own, SIZE, SEED);
	close(stage.other);
	close(stage.dmabuf);
	assert_works();
}

static void setup_second_job(const void *data)
{
	setup_second(data);
	stage.imported = import_buffer(stage.other, stage.dmabuf);
	stage.own = create_own(stage.other, SIZE);
}

static void verify_second_job(const void *data, int result)
{
	(void)result;
	verify_second(data, 0);
}

void sweep_compose(void)
{
	const struct fail_nth_call calls[] = {
		{ "copy compose", setup_parts, compose_parts, verify_composed,
		  .data = &pieces },
		{ "copy compose, movable", setup_parts, compose_parts,
		  verify_composed, .data = &movable },
		{ "copy compose close", setup_composed, close_composed,
		  verify_parts, .data = &pieces },
		{ "copy submit, composed", setup_composed_job, submit,
		  verify_composed_job, .also = ENOSPC, .data = &pieces },
		{ "copy submit, composed, moved", setup_stale_job, submit,
		  verify_composed_job, .also = ENOSPC, .data = &movable },
		{ "vram move out, composed", setup_mapped, move_out,
		  verify_mapped_out, .data = &movable },
		{ "copy export, composed", setup_shareable, export_composed,
		  verify_exported_whole, .data = &pieces },
		{ "copy import, composed", setup_second, import_into_second,
		  verify_second, .data = NULL },
		{ "copy submit, composed, imported", setup_second_job,
		  copy_by_second, verify_second_job, .also = ENOSPC,
		  .data = NULL },
	};

	bind_engines();
	sweep_all(calls, ARRAY_SIZE(calls));
}

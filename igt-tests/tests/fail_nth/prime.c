// SPDX-License-Identifier: MIT
/* PRIME: exports and imports of both drivers. */
#include "foreign.h"
#include "stage.h"

static int export_handle(const void *data)
{
	(void)data;
	return as_fd(phyr_export(stage.vram, stage.handle), &stage.dmabuf);
}

static void verify_exported(const void *data, int result)
{
	if (result)
		stage.dmabuf = export_buffer(stage.vram, stage.handle);
	stage.imported = import_buffer(stage.copy, stage.dmabuf);
	copy_bytes(stage.copy, stage.imported, stage.witness_out, SIZE);
	assert_bytes(stage.out_mem, SEED, 0, SIZE);
	igt_assert_eq(phyr_close_handle(stage.copy, stage.imported), 0);
	close(stage.dmabuf);
	verify_buffer(data, result);
}

static void setup_exported(const void *data)
{
	setup_buffer(data);
	stage.other = export_buffer(stage.vram, stage.handle);
}

static void verify_exported_again(const void *data, int result)
{
	close(stage.other);
	verify_exported(data, result);
}

static int close_dmabuf(const void *data)
{
	(void)data;
	return as_errno(close(stage.other));
}

void setup_own(const void *data)
{
	(void)data;
	stage.own = create_own(stage.copy, SIZE);
	fill_own(stage.copy, stage.own, SIZE, SEED);
}

static int export_own(const void *data)
{
	(void)data;
	return as_fd(phyr_export(stage.copy, stage.own), &stage.dmabuf);
}

void verify_own(const void *data, int result)
{
	(void)data;
	(void)result;
	assert_own(stage.copy, stage.own, SIZE, SEED);
	igt_assert_eq(phyr_close_handle(stage.copy, stage.own), 0);
	assert_works();
}

static void verify_own_exported(const void *data, int result)
{
	if (!result)
		close(stage.dmabuf);
	verify_own(data, result);
}

void setup_import(const void *data)
{
	setup_buffer(data);
	stage.dmabuf = export_buffer(stage.vram, stage.handle);
}

static int import_into_engine(const void *data)
{
	(void)data;
	return phyr_import(stage.copy, stage.dmabuf, &stage.imported);
}

static void verify_imported(const void *data, int result)
{
	if (!result)
		igt_assert_eq(phyr_close_handle(stage.copy, stage.imported), 0);
	/* verify_exported() imports once more. */
	verify_exported(data, 0);
}

static void fill_dmabuf(int dmabuf)
{
	void *mem = map_dmabuf(dmabuf, SIZE);

	begin_cpu(dmabuf);
	phyr_fill(mem, SEED, 0, SIZE);
	end_cpu(dmabuf);
	unmap(mem, SIZE);
}

void setup_foreign(const void *data)
{
	(void)data;
	stage.dmabuf = create_udmabuf(SIZE);
	fill_dmabuf(stage.dmabuf);
}

static void verify_foreign_imported(const void *data, int result)
{
	(void)data;
	if (result)
		stage.imported = import_buffer(stage.copy, stage.dmabuf);
	copy_bytes(stage.copy, stage.imported, stage.witness_out, SIZE);
	assert_bytes(stage.out_mem, SEED, 0, SIZE);
	igt_assert_eq(phyr_close_handle(stage.copy, stage.imported), 0);
	close(stage.dmabuf);
	assert_works();
}

static void setup_own_import(const void *data)
{
	setup_own(data);
	stage.dmabuf = export_buffer(stage.copy, stage.own);
}

static int import_into_card(const void *data)
{
	(void)data;
	return phyr_import(stage.vram, stage.dmabuf, &stage.handle);
}

static void verify_card_imported(const void *data, int result)
{
	(void)data;
	if (result)
		stage.handle = import_buffer(stage.vram, stage.dmabuf);
	igt_assert_eq(phyr_close_handle(stage.vram, stage.handle), 0);
	close(stage.dmabuf);
	assert_works();
}

static void verify_own_imported(const void *data, int result)
{
	verify_card_imported(data, result);
	verify_own(data, result);
}

/* Import into the exporting card, by another client. */
static int import_home(const void *data)
{
	(void)data;
	return phyr_import(stage.fd, stage.dmabuf, &stage.imported);
}

static void setup_home(const void *data)
{
	setup_import(data);
	stage.fd = open_device(&stage.card);
}

static void verify_home(const void *data, int result)
{
	if (result)
		stage.imported = import_buffer(stage.fd, stage.dmabuf);
	assert_vram(stage.fd, stage.imported, SIZE, SEED);
	close(stage.fd);
	close(stage.dmabuf);
	verify_buffer(data, result);
}

void sweep_prime(void)
{
	const struct fail_nth_call calls[] = {
		{ "vram export", setup_buffer, export_handle, verify_exported,
		  .data = &pieces },
		{ "vram export again", setup_exported, export_handle,
		  verify_exported_again, .data = &pieces },
		{ "vram import, its own", setup_home, import_home, verify_home,
		  .data = &pieces },
		{ "vram import, a udmabuf", setup_foreign, import_into_card,
		  verify_card_imported,
		  .data = NULL },
		{ "vram import, the engine's", setup_own_import,
		  import_into_card, verify_own_imported,
		  .data = NULL },
		{ "copy export", setup_own, export_own, verify_own_exported,
		  .data = NULL },
		{ "copy import, VRAM", setup_import, import_into_engine,
		  verify_imported, .data = &pieces },
		{ "copy import, system memory", setup_import,
		  import_into_engine, verify_imported, .data = &in_system },
		{ "copy import, a udmabuf", setup_foreign, import_into_engine,
		  verify_foreign_imported,
		  .data = NULL },
		{ "dma-buf close", setup_exported, close_dmabuf, verify_buffer,
		  .data = &pieces },
	};

	sweep_all(calls, ARRAY_SIZE(calls));
}

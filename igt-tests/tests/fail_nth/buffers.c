// SPDX-License-Identifier: MIT
/* Buffers of the card. */
#include "stage.h"

static const struct kind one_piece = { IN_VRAM, 0 };
const struct kind pieces = { IN_VRAM, SZ_4K };
const struct kind in_system = { IN_SYSTEM, 0 };
const struct kind movable = { EVICTABLE, SZ_4K };

void setup_buffer(const void *data)
{
	const struct kind *kind = data;

	stage.handle = create_vram(stage.vram, SIZE, kind->placement,
				   kind->max_extent);
	fill_vram(stage.vram, stage.handle, SIZE, SEED);
}

static int close_handle(const void *data)
{
	(void)data;
	return phyr_close_handle(stage.vram, stage.handle);
}

void verify_buffer(const void *data, int result)
{
	(void)data;
	(void)result;
	assert_vram(stage.vram, stage.handle, SIZE, SEED);
	igt_assert_eq(phyr_close_handle(stage.vram, stage.handle), 0);
	assert_works();
}

static int create(const void *data)
{
	const struct kind *kind = data;

	return phyr_vram_create(stage.vram, SIZE, kind->placement,
				kind->max_extent, &stage.handle);
}

static void verify_created(const void *data, int result)
{
	void *mem;

	(void)data;
	if (!result) {
		mem = map_vram(stage.vram, stage.handle, SIZE);
		assert_zero(mem, SIZE);
		unmap(mem, SIZE);
		igt_assert_eq(phyr_close_handle(stage.vram, stage.handle), 0);
	}
	assert_works();
}

static int create_dumb_buffer(const void *data)
{
	struct drm_mode_create_dumb dumb = {
		.width = 64, .height = SIZE / 256, .bpp = 32,
	};
	int err = phyr_ioctl(stage.vram, DRM_IOCTL_MODE_CREATE_DUMB, &dumb);

	(void)data;
	stage.handle = dumb.handle;
	return err;
}

static int map_dumb_buffer(const void *data)
{
	struct drm_mode_map_dumb map = { .handle = stage.handle };

	(void)data;
	return phyr_ioctl(stage.vram, DRM_IOCTL_MODE_MAP_DUMB, &map);
}

static int card_info(const void *data)
{
	struct drm_phyr_vram_info info;

	(void)data;
	return phyr_vram_info(stage.vram, &info);
}

static int buffer_info(const void *data)
{
	struct drm_phyr_vram_gem_info info;

	(void)data;
	return phyr_vram_gem_info(stage.vram, stage.handle, &info);
}

static int buffer_offset(const void *data)
{
	struct drm_phyr_vram_gem_mmap map = { .handle = stage.handle };

	(void)data;
	return phyr_ioctl(stage.vram, DRM_IOCTL_PHYR_VRAM_GEM_MMAP, &map);
}

static void setup_moved_out(const void *data)
{
	setup_buffer(data);
	move_buffer(stage.vram, stage.handle, IN_SYSTEM);
}

int move_out(const void *data)
{
	(void)data;
	return try_move_buffer(stage.vram, stage.handle, IN_SYSTEM);
}

int move_in(const void *data)
{
	(void)data;
	return try_move_buffer(stage.vram, stage.handle, IN_VRAM);
}

/* A failed move leaves the buffer in place, and the next move succeeds. */
void verify_moved_out(const void *data, int result)
{
	igt_assert_eq(vram_info(stage.vram, stage.handle).placement,
		      result ? IN_VRAM : IN_SYSTEM);
	assert_vram(stage.vram, stage.handle, SIZE, SEED);
	move_buffer(stage.vram, stage.handle, IN_SYSTEM);
	verify_buffer(data, result);
}

void verify_moved_in(const void *data, int result)
{
	igt_assert_eq(vram_info(stage.vram, stage.handle).placement,
		      result ? IN_SYSTEM : IN_VRAM);
	assert_vram(stage.vram, stage.handle, SIZE, SEED);
	move_buffer(stage.vram, stage.handle, IN_VRAM);
	verify_buffer(data, result);
}

void sweep_buffers(void)
{
	const struct fail_nth_call calls[] = {
		{ "vram info", NULL, card_info, verify_works,
		  .data = NULL },
		{ "vram create, one piece", NULL, create, verify_created,
		  .data = &one_piece },
		{ "vram create, pieces", NULL, create, verify_created,
		  .data = &pieces },
		{ "vram create, system memory", NULL, create, verify_created,
		  .data = &in_system },
		{ "vram create, movable", NULL, create, verify_created,
		  .data = &movable },
		{ "vram create dumb", NULL, create_dumb_buffer, verify_created,
		  .data = NULL },
		{ "vram map dumb", setup_buffer, map_dumb_buffer, verify_buffer,
		  .data = &pieces },
		{ "vram gem info", setup_buffer, buffer_info, verify_buffer,
		  .data = &pieces },
		{ "vram gem mmap", setup_buffer, buffer_offset, verify_buffer,
		  .data = &pieces },
		{ "vram gem close", setup_buffer, close_handle, verify_works,
		  .data = &pieces },
		{ "vram gem close, system memory", setup_buffer, close_handle,
		  verify_works, .data = &in_system },
		{ "vram move out", setup_buffer, move_out, verify_moved_out,
		  .data = &movable },
		{ "vram move in", setup_moved_out, move_in, verify_moved_in,
		  .data = &movable },
	};

	sweep_all(calls, ARRAY_SIZE(calls));
}

/* A full card: a new buffer evicts another. */

static uint32_t ballast;

/* Leave room for one buffer, in scattered pages. */
static void fill_card(void)
{
	uint64_t free = vram_free(&stage.card);

	igt_assert_lte_u64(SIZE, free);
	ballast = create_vram(stage.vram, free - SIZE, IN_VRAM, 0);
	igt_assert_eq_u64(vram_free(&stage.card), SIZE);
}

static void verify_evicted(const void *data, int result)
{
	struct drm_phyr_vram_gem_info victim = vram_info(stage.vram, stage.own);

	if (!result)
		igt_assert_eq(victim.placement, IN_SYSTEM);
	assert_vram(stage.vram, stage.own, SIZE, SEED);
	if (!result)
		igt_assert_eq(phyr_close_handle(stage.vram, stage.handle), 0);
	wait_for_vram_free(&stage.card,
			   vram_info(stage.vram, stage.own).placement ==
			   IN_VRAM ? 0 : SIZE);
	move_buffer(stage.vram, stage.own, IN_VRAM);
	assert_vram(stage.vram, stage.own, SIZE, SEED);
	igt_assert_eq(phyr_close_handle(stage.vram, stage.own), 0);
	wait_for_vram_free(&stage.card, SIZE);
	(void)data;
	assert_works();
}

static void setup_victim(const void *data)
{
	(void)data;
	stage.own = create_vram(stage.vram, SIZE, EVICTABLE, SZ_4K);
	fill_vram(stage.vram, stage.own, SIZE, SEED);
	igt_assert_eq(vram_info(stage.vram, stage.own).placement, IN_VRAM);
}

void sweep_eviction(void)
{
	const struct fail_nth_call call = {
		"vram create, evicting", setup_victim, create, verify_evicted,
		.also = ENOSPC, .data = &pieces,
	};

	fill_card();
	fail_nth_sweep(&call);
	igt_assert_eq(phyr_close_handle(stage.vram, ballast), 0);
}

// SPDX-License-Identifier: MIT
/*
 * Create buffers whose size is at a limit or beside it. They are checked at
 * few places, and closed at once: comparing all bytes would take minutes.
 */
#include <string.h>
#include <sys/ioctl.h>

#include "world.h"

#define PLACES		6	/* to look at in a large buffer */

/**
 * struct large - a buffer of a size at a limit
 * @file: whose buffer it is
 * @handle: its handle
 * @size: bytes, whole pages
 * @placement: allowed DRM_PHYR_VRAM_PLACE_*
 * @vram: bytes of VRAM of its card; 0 for an engine's buffer
 * @most: bytes of the card's largest buffer that may only be in VRAM
 */
struct large {
	struct file *file;
	uint32_t handle;
	uint64_t size;
	uint32_t placement;
	uint64_t vram;
	uint64_t most;
};

static uint64_t ram_bytes(void)
{
	return (uint64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
}

/* A page or a byte less, exactly, or a byte or a page more. */
static uint64_t beside(struct world *world, uint64_t limit)
{
	static const int64_t steps[] = { -SZ_4K, -1, 0, 0, 1, SZ_4K };

	return limit + steps[below(world, ARRAY_SIZE(steps))];
}

/*
 * Sizes up to that of VRAM are the most likely ones: others take seconds. A card
 * has a quarter of RAM for all its buffers in system memory; while a buffer that
 * takes all of it gets its pages, other clients find no room.
 */
static uint64_t any_limit(struct world *world, uint64_t vram)
{
	if (vram && percent(world, 50))
		return beside(world, vram);
	if (world->clients == 1 && percent(world, 40))
		return beside(world, ram_bytes() / 4);
	switch (below(world, 5)) {
	case 0:
		return beside(world, 1ull << 30);
	case 1:
		return beside(world, SZ_4G);
	case 2:
		return beside(world, vram ? 4 * vram : SZ_16M);
	}
	return beside(world, ram_bytes());
}

/* Would it fit even if all other buffers were in system memory? */
static bool fits_easily(struct world *world, uint64_t size)
{
	return world->clients == 1 && size <= ram_bytes() / 8;
}

/* Check the result of a creation, as the uapi headers describe it. */
static int expect_size(struct world *world, const struct large *large, int err)
{
	bool system = !large->vram || large->placement & IN_SYSTEM;

	if (!system)
		return large->size > large->most ?
		       EXPECT(world, err, -E2BIG) :
		       EXPECT(world, err, 0, -ENOSPC);
	if (large->size > ram_bytes())
		return EXPECT(world, err, -E2BIG);
	if (fits_easily(world, large->size))
		return EXPECT(world, err, 0);
	return EXPECT(world, err, 0, -E2BIG, -ENOMEM, -ENOSPC);
}

/*
 * It is zeroed, and holds what is written; look at both ends and between. The
 * first access to an engine's buffer allocates all of it, as shmem does, which
 * may invoke the OOM killer.
 */
static void check_places(struct world *world, const struct large *large)
{
	uint64_t pages = large->size / SZ_4K, word, at[PLACES];
	uint8_t *mem;

	if (!large->vram && !fits_easily(world, large->size))
		return;
	mem = large->vram ?
	      phyr_vram_mmap(large->file->fd, large->handle, large->size,
			     PROT_READ | PROT_WRITE) :
	      phyr_copy_mmap(large->file->fd, large->handle, large->size,
			     PROT_READ | PROT_WRITE);
	MUST(world, mem != MAP_FAILED);
	for (unsigned int i = 0; i < PLACES; i++) {
		at[i] = (i == 0 ? 0 : i == 1 ? pages - 1 :
			 below(world, pages)) * SZ_4K + SZ_4K - sizeof(word);
		memcpy(&word, mem + at[i], sizeof(word));
		MUST(world, !word || word == at[i] + 1);
		word = at[i] + 1;
		memcpy(mem + at[i], &word, sizeof(word));
	}
	for (unsigned int i = 0; i < PLACES; i++) {
		memcpy(&word, mem + at[i], sizeof(word));
		MUST(world, word == at[i] + 1);
	}
	EXPECT(world, munmap(mem, large->size), 0);
}

/* Larger than VRAM: there is no place for it there, now or later. */
static void move_large(struct world *world, const struct large *large)
{
	uint32_t to = percent(world, 50) ? IN_VRAM : IN_SYSTEM;
	int err = try_move_buffer(large->file->fd, large->handle, to);

	if (to == IN_VRAM && large->size > large->vram)
		EXPECT(world, err, -ENOSPC);
	else if (to == IN_VRAM)
		EXPECT(world, err, 0, -ENOSPC);
	else if (fits_easily(world, large->size))
		EXPECT(world, err, 0);
	else
		EXPECT(world, err, 0, -ENOMEM, -ENOSPC);
}

/* Copy its last bytes by an engine that imports it. */
static void copy_from_large(struct world *world, const struct large *large)
{
	struct file *engine = any_file(world, true);
	int dmabuf = phyr_export(large->file->fd, large->handle);
	uint32_t handle;

	MUST(world, dmabuf >= 0);
	MUST(world, lseek(dmabuf, 0, SEEK_END) == (off_t)large->size);
	EXPECT(world, phyr_import(engine->fd, dmabuf, &handle), 0);
	EXPECT(world, phyr_copy_run(engine->fd, handle, large->size - 64,
				    engine->scratch, 0, 64), 0);
	EXPECT(world, phyr_close_handle(engine->fd, handle), 0);
	EXPECT(world, close(dmabuf), 0);
}

static void use_large(struct world *world, const struct large *large)
{
	NOTE("%#llx bytes, placement %u",
	     (unsigned long long)large->size, large->placement);
	check_places(world, large);
	if (large->vram && large->placement == EVICTABLE && percent(world, 50))
		move_large(world, large);
	if (large->vram && percent(world, 50) &&
	    fits_easily(world, large->size))
		copy_from_large(world, large);
	if (percent(world, 50))
		check_places(world, large);
	EXPECT(world, phyr_close_handle(large->file->fd, large->handle), 0);
}

static int create_large_in_card(struct world *world)
{
	struct file *file = any_file(world, false);
	struct drm_phyr_vram_gem_create create = {
		.placement = 1 + below(world, 3),
		.max_extent = percent(world, 10) ? SZ_4K << below(world, 8) : 0,
	};
	struct drm_phyr_vram_info info;
	struct large large;

	EXPECT(world, phyr_vram_info(file->fd, &info), 0);
	create.size = any_limit(world, percent(world, 80) ? info.vram_size :
						       info.fixed_size);
	large = (struct large){
		.file = file, .placement = create.placement,
		.size = (create.size + SZ_4K - 1) & ~(SZ_4K - 1),
		.vram = info.vram_size,
		.most = info.fixed_size,
	};
	NOTE("GEM_CREATE of %#llx bytes, placement %u",
	     (unsigned long long)create.size, create.placement);
	if (expect_size(world, &large,
			phyr_ioctl(file->fd, DRM_IOCTL_PHYR_VRAM_GEM_CREATE,
				   &create)))
		return -ENOSPC;
	MUST(world, create.size == large.size);
	large.handle = create.handle;
	use_large(world, &large);
	return 0;
}

static int create_large_in_engine(struct world *world)
{
	struct file *file = any_file(world, true);
	struct drm_phyr_copy_gem_create create = {
		.size = any_limit(world, 0),
	};
	struct large large = {
		.file = file, .placement = IN_SYSTEM,
		.size = (create.size + SZ_4K - 1) & ~(SZ_4K - 1),
	};

	NOTE("GEM_CREATE of %#llx bytes by an engine",
	     (unsigned long long)create.size);
	if (expect_size(world, &large,
			phyr_ioctl(file->fd, DRM_IOCTL_PHYR_COPY_GEM_CREATE,
				   &create)))
		return -ENOSPC;
	MUST(world, create.size == large.size);
	large.handle = create.handle;
	use_large(world, &large);
	return 0;
}

/* Dumb buffers can be evicted, so that one larger than VRAM is no error. */
static int create_large_dumb(struct world *world)
{
	struct file *file = display_file(world);
	struct drm_mode_create_dumb dumb = { .width = 1024, .bpp = 32 };
	struct drm_phyr_vram_info info;
	struct large large;
	int err;

	if (!file)
		return NOT_NOW;
	EXPECT(world, phyr_vram_info(file->fd, &info), 0);
	dumb.height = (any_limit(world, info.vram_size) + SZ_4K - 1) / SZ_4K;
	large = (struct large){
		.file = file, .placement = EVICTABLE,
		.size = (uint64_t)dumb.height * SZ_4K, .vram = info.vram_size,
	};
	NOTE("CREATE_DUMB of %u lines of 4 KiB", dumb.height);
	err = phyr_ioctl(file->fd, DRM_IOCTL_MODE_CREATE_DUMB, &dumb);
	/* DRM's core calculates with 32 bits. */
	if (large.size > UINT32_MAX)
		return EXPECT(world, err, -EINVAL);
	if (expect_size(world, &large, err))
		return -ENOSPC;
	MUST(world, dumb.size == large.size);
	large.handle = dumb.handle;
	use_large(world, &large);
	return 0;
}

const struct operation limit_operations[] = {
	{ "create large in card", 60, create_large_in_card },
	{ "create large in engine", 15, create_large_in_engine },
	{ "create large dumb", 15, create_large_dumb },
	{ }
};

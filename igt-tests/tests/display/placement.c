// SPDX-License-Identifier: MIT
/* Buffers in fragments, at the end of VRAM, out of reach, or in system memory. */
#include "subtests.h"

static uint64_t offset_in_vram(const struct display *display, uint32_t handle)
{
	struct phyr_list_dump list;
	uint64_t id = vram_info(display->fd, handle).id, offset;

	igt_assert_eq(phyr_list_dump_read(&display->card, id, &list), 0);
	igt_assert(list.in_vram && list.nr);
	offset = list.vecs[0].offset;
	phyr_list_dump_free(&list);
	return offset;
}

/* The display's own reservation is not part of the memory for buffers. */
static uint64_t vram_end(const struct display *display)
{
	struct phyr_vram_dump dump;

	igt_assert_eq(phyr_vram_dump_read(&display->card, &dump), 0);
	phyr_vram_dump_free(&dump);
	return (dump.size + SZ_1M - 1) & ~(SZ_1M - 1);
}

/**
 * struct tenants - pinned buffers that fill VRAM
 * @size: bytes of each
 * @handles: the buffers
 * @offsets: their offsets in VRAM
 * @nr: their number
 */
struct tenants {
	uint64_t size;
	uint32_t handles[64];
	uint64_t offsets[64];
	unsigned int nr;
};

static void add_tenant(const struct display *display, struct tenants *tenants,
		       uint32_t handle)
{
	igt_assert(tenants->nr < ARRAY_SIZE(tenants->handles));
	tenants->handles[tenants->nr] = handle;
	tenants->offsets[tenants->nr++] = offset_in_vram(display, handle);
}

/* First the part of VRAM for buffers that are never evicted, then the rest. */
static struct tenants occupy(const struct display *display, uint64_t size)
{
	struct tenants tenants = { .size = size };
	uint32_t handle;

	while (!phyr_vram_create(display->fd, size, IN_VRAM, 0, &handle))
		add_tenant(display, &tenants, handle);
	while (vram_free(&display->card) >= size)
		add_tenant(display, &tenants,
			   create_vram(display->fd, size, EVICTABLE, 0));
	return tenants;
}

/* Free one tenant that lies entirely in this range of VRAM. */
static void vacate(const struct display *display, struct tenants *tenants,
		   uint64_t start, uint64_t end)
{
	for (unsigned int i = 0; i < tenants->nr; i++) {
		if (tenants->offsets[i] < start ||
		    tenants->offsets[i] + tenants->size > end)
			continue;
		igt_assert_eq(phyr_close_handle(display->fd,
						tenants->handles[i]), 0);
		tenants->offsets[i] = UINT64_MAX - tenants->size;
		return;
	}
	igt_assert_f(false, "no buffer was from %#llx to %#llx\n",
		     (unsigned long long)start, (unsigned long long)end);
}

/* The last line of a buffer at the very end of VRAM can be shown. */
void pan_at_end(uint32_t placement)
{
	struct fb fb = {
		.width = 1024,
		.height = 1024,
		.format = DRM_FORMAT_XRGB8888,
		.placement = placement,
	};
	struct display display = open_display();
	struct tenants tenants = occupy(&display, 4 * SZ_1M);
	uint64_t end = vram_end(&display), start = end - tenants.size;

	use_mode(&display, 640, 480);
	vacate(&display, &tenants, start, end);
	fb = create_fb(&display, fb, 70);
	igt_assert_eq_u64(offset_in_vram(&display, fb.handle), start);
	/*
	 * The display reads whole lines, and cannot where the last one crosses
	 * the end: then the buffer moves, or it is copied.
	 */
	show_at(&display, &fb, 0, 0);
	assert_shown_at(&display, &fb, 0, 0);
	show_at(&display, &fb, 384, 544);
	assert_shown_at(&display, &fb, 384, 544);
	remove_fb(&display, &fb);
	close_display(&display);
}

void fragmented(uint32_t placement)
{
	struct display display = open_display();

	for (unsigned int i = 0; i < NR_FORMATS; i++) {
		struct fb fb = create_fb(&display, (struct fb){
			.width = 1024,
			.height = 768,
			.format = formats[i],
			.placement = placement,
			.max_extent = SZ_4K,
		}, 80 + i);

		igt_assert_eq_u64(vram_info(display.fd, fb.handle).extents,
				  fb.size / SZ_4K);
		show(&display, &fb);
		assert_not_copied(&display, &fb);
		assert_shown(&display, &fb);
		remove_fb(&display, &fb);
	}
	close_display(&display);
}

void from_system(void)
{
	struct display display = open_display();

	for (unsigned int i = 0; i < NR_FORMATS; i++) {
		struct fb fb = create_mode_fb(&display, formats[i], 90 + i);

		move_buffer(display.fd, fb.handle, IN_SYSTEM);
		show(&display, &fb);
		assert_not_copied(&display, &fb);
		assert_shown(&display, &fb);
		remove_fb(&display, &fb);
	}
	close_display(&display);
}

/* It cannot move to VRAM: it is copied, and stays. */
void system_only(void)
{
	struct rect part = { 500, 300, 77, 55 };
	struct display display = open_display();
	struct fb fb;

	fb = create_fb(&display, (struct fb){
		.width = 1024,
		.height = 768,
		.format = DRM_FORMAT_XRGB8888,
		.placement = IN_SYSTEM,
	}, 95);
	show(&display, &fb);
	assert_shown(&display, &fb);
	igt_assert_eq(vram_info(display.fd, fb.handle).placement, IN_SYSTEM);
	patch_fb(&fb, &part, 96);
	igt_assert_eq(drmModeDirtyFB(display.fd, fb.id, NULL, 0), 0);
	assert_shown(&display, &fb);
	remove_fb(&display, &fb);
	close_display(&display);
}

/*
 * The offset registers count up to 65,535 lines, so short lines do not reach
 * the end of VRAM: a buffer there moves, or is copied if it may not.
 */
void out_of_reach(uint32_t placement)
{
	struct fb fb = {
		.width = 64,
		.height = 64,
		.format = DRM_FORMAT_RGB565,
		.placement = placement,
	};
	struct display display = open_display();
	struct tenants tenants = occupy(&display, SZ_1M);
	uint64_t reach = 64 * 2 * 65535;

	display.mode = make_mode(64, 64);
	while (vram_free(&display.card) >= SZ_4K)
		create_vram(display.fd, SZ_4K, EVICTABLE, 0);
	vacate(&display, &tenants, reach, vram_end(&display));
	fb = create_fb(&display, fb, 120);
	igt_assert_lte_u64(reach, offset_in_vram(&display, fb.handle));
	show(&display, &fb);
	assert_shown(&display, &fb);
	if (placement == EVICTABLE) {
		assert_not_copied(&display, &fb);
		igt_assert_lte_u64(offset_in_vram(&display, fb.handle), reach);
	} else {
		igt_assert_lte_u64(reach, offset_in_vram(&display, fb.handle));
	}
	remove_fb(&display, &fb);
	close_display(&display);
}

/* A large picture occupies all of VRAM that short lines reach. */
void out_of_reach_beside_large(void)
{
	struct display display = open_display();
	struct fb large, fb;

	use_mode(&display, 640, 480);
	large = create_fb(&display, (struct fb){
		.width = 640,
		.height = 480,
		.format = DRM_FORMAT_XRGB8888,
		.pitch = 34800,
	}, 121);
	show(&display, &large);
	assert_not_copied(&display, &large);
	assert_shown(&display, &large);
	igt_assert_lte_u64(64 * 2 * 65535,
			   offset_in_vram(&display, large.handle) + large.size);

	display.mode = make_mode(64, 64);
	fb = create_mode_fb(&display, DRM_FORMAT_RGB565, 122);
	show(&display, &fb);
	assert_shown(&display, &fb);
	remove_fb(&display, &large);
	remove_fb(&display, &fb);
	close_display(&display);
}

// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "display.h"
#include "lib.h"

IGT_TEST_DESCRIPTION("A card whose BAR begins in the memory section in which RAM ends, so that pfn_valid() is true for it (vm/run --memory 1568)");

/* A sparsemem section: pfn_valid() is true for all of it if RAM was at boot. */
#define SECTION	0x8000000ull
#define SIZE	SZ_1M

static struct phyr_device card;

static uint64_t last_byte_of_ram(void)
{
	FILE *file = fopen("/proc/iomem", "r");
	uint64_t first, last, ram = 0;
	char name[64];

	igt_assert(file);
	while (fscanf(file, " %" SCNx64 "-%" SCNx64 " : %63[^\n]", &first,
		      &last, name) == 3)
		if (!strcmp(name, "System RAM") && last < SZ_4G)
			ram = last;
	fclose(file);
	return ram;
}

/* Hot-plugged, the card gets the lowest free address, unlike from the firmware. */
static void replug(void)
{
	struct phyr_device before = display_device();
	struct phyr_vram_dump dump;
	uint64_t ram = last_byte_of_ram();

	remove_device(before.busid, UNPLUG);
	restore_device(before.busid, PHYR_VRAM_DRIVER, UNPLUG);
	card = display_device();
	igt_assert_eq(phyr_vram_dump_read(&card, &dump), 0);
	igt_assert_f(dump.bar / SECTION == ram / SECTION,
		     "the BAR begins at 0x%" PRIx64 ", the last byte of RAM is at 0x%"
		     PRIx64 ": not in the same memory section\n",
		     dump.bar, ram);
	phyr_vram_dump_free(&dump);
}

/* Access the buffer by the CPU and, imported, by an engine. */
static void access_bytes(uint64_t max_extent)
{
	int vram = open_device(&card), engine = open_copy(0), dmabuf;
	uint32_t own = create_own(engine, SIZE), handle, imported;
	void *mem;

	handle = create_vram(vram, SIZE, IN_VRAM, max_extent);
	fill_vram(vram, handle, SIZE, 1);
	assert_vram(vram, handle, SIZE, 1);
	dmabuf = export_buffer(vram, handle);
	mem = map_dmabuf(dmabuf, SIZE);
	assert_bytes(mem, 1, 0, SIZE);
	unmap(mem, SIZE);

	imported = import_buffer(engine, dmabuf);
	copy_bytes(engine, imported, own, SIZE);
	assert_own(engine, own, SIZE, 1);
	fill_own(engine, own, SIZE, 2);
	copy_bytes(engine, own, imported, SIZE);
	assert_vram(vram, handle, SIZE, 2);
	close(dmabuf);
	close(engine);
	close(vram);
}

/*
 * A framebuffer that extends beyond the screen is copied by the CPU, which maps
 * it in system memory if it may be there. In VRAM it is mapped with ioremap() if
 * contiguous, else with vmap_pfn().
 */
static void copy_to_screen(const struct display *display, uint32_t placement,
			   uint64_t max_extent, int expected)
{
	struct fb fb = { .width = 128, .height = 128,
			 .format = DRM_FORMAT_XRGB8888,
			 .placement = placement, .max_extent = max_extent };
	struct view view = { .fb = &fb, .src = { 0, 0, 128, 128 },
			     .dst = { -20, -10, 128, 128 } };

	fb = create_fb(display, fb, 3);
	igt_assert_eq(try_show_view(display, &view, 0), expected);
	if (!expected)
		assert_view(display, &view);
	remove_fb(display, &fb);
}

static void show_copied(uint32_t placement, uint64_t max_extent, int expected)
{
	struct display display = open_display();

	use_mode(&display, 640, 480);
	copy_to_screen(&display, placement, max_extent, expected);
	close_display(&display);
}

/* A refused framebuffer does not prevent others from being shown. */
static void show_after_refusal(void)
{
	struct fb fb = { .width = 640, .height = 480,
			 .format = DRM_FORMAT_XRGB8888, .max_extent = SZ_4K };
	struct display display = open_display();

	use_mode(&display, 640, 480);
	copy_to_screen(&display, IN_VRAM, SZ_4K, -EOPNOTSUPP);
	fb = create_fb(&display, fb, 4);
	show(&display, &fb);
	assert_not_copied(&display, &fb);
	assert_shown(&display, &fb);
	remove_fb(&display, &fb);
	close_display(&display);
}

igt_main()
{
	igt_fixture()
		replug();

	igt_describe("The CPU and an engine read and write a contiguous buffer");
	igt_subtest("bytes")
		access_bytes(0);

	igt_describe("The CPU and an engine read and write a fragmented buffer");
	igt_subtest("bytes-fragmented")
		access_bytes(SZ_4K);

	igt_describe("A contiguous framebuffer is copied to the screen");
	igt_subtest("copied")
		show_copied(IN_VRAM, 0, 0);

	igt_describe("A fragmented framebuffer that may be in system memory is copied to the screen");
	igt_subtest("copied-in-system")
		show_copied(EVICTABLE, SZ_4K, 0);

	igt_describe("A fragmented framebuffer that must be in VRAM is refused, without a warning from vmap_pfn()");
	igt_subtest("copied-fragmented")
		show_copied(IN_VRAM, SZ_4K, -EOPNOTSUPP);

	igt_describe("After the refusal, a fragmented framebuffer that needs no copy is shown");
	igt_subtest("goes-on")
		show_after_refusal();
}

// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "display.h"
#include "lib.h"

IGT_TEST_DESCRIPTION("A card whose BAR begins in the section of memory in which RAM ends, where pfn_valid() says that there are struct pages (vm/run --memory 1568)");

/* What pfn_valid() is the same for where some of it is RAM from the beginning. */
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

/* The kernel, unlike the firmware, has a card begin as low as can be. */
static void plug_again(void)
{
	struct phyr_device before = display_device();
	struct phyr_vram_dump dump;
	uint64_t ram = last_byte_of_ram();

	take_away(before.busid, UNPLUG);
	give_back(before.busid, PHYR_VRAM_DRIVER, UNPLUG);
	card = display_device();
	igt_assert_eq(phyr_vram_dump_read(&card, &dump), 0);
	igt_assert_f(dump.bar / SECTION == ram / SECTION,
		     "the card begins at 0x%" PRIx64 ", RAM's last byte is at 0x%"
		     PRIx64 ": not within one section of memory\n",
		     dump.bar, ram);
	phyr_vram_dump_free(&dump);
}

/* By the CPU and by an engine, which imports it, there and back. */
static void bytes(uint64_t max_extent)
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
	copy(engine, imported, own, SIZE);
	assert_own(engine, own, SIZE, 1);
	fill_own(engine, own, SIZE, 2);
	copy(engine, own, imported, SIZE);
	assert_vram(vram, handle, SIZE, 2);
	close(dmabuf);
	close(engine);
	close(vram);
}

/*
 * What reaches over an edge of the screen is copied there, by the CPU, for which
 * the framebuffer is mapped: in one piece by ioremap(), else by vmap_pfn().
 */
static void copy_to_screen(const struct display *display, uint64_t max_extent,
			   int expected)
{
	struct fb fb = { .width = 128, .height = 128,
			 .format = DRM_FORMAT_XRGB8888,
			 .max_extent = max_extent };
	struct view view = { .fb = &fb, .src = { 0, 0, 128, 128 },
			     .dst = { -20, -10, 128, 128 } };

	fb = create_fb(display, fb, 3);
	igt_assert_eq(try_show_view(display, &view, 0), expected);
	if (!expected)
		assert_view(display, &view);
	remove_fb(display, &fb);
}

static void copied(uint64_t max_extent, int expected)
{
	struct display display = open_display();

	use_mode(&display, 640, 480);
	copy_to_screen(&display, max_extent, expected);
	close_display(&display);
}

/* The refusal was of that picture only. */
static void goes_on(void)
{
	struct fb fb = { .width = 640, .height = 480,
			 .format = DRM_FORMAT_XRGB8888, .max_extent = SZ_4K };
	struct display display = open_display();

	use_mode(&display, 640, 480);
	copy_to_screen(&display, SZ_4K, -EOPNOTSUPP);
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
		plug_again();

	igt_describe("The CPU and an engine read and write a buffer in one piece");
	igt_subtest("bytes")
		bytes(0);

	igt_describe("The same in many pieces");
	igt_subtest("bytes-fragmented")
		bytes(SZ_4K);

	igt_describe("A picture in one piece is copied to the screen");
	igt_subtest("copied")
		copied(0, 0);

	igt_describe("One in many pieces is refused, without a warning of vmap_pfn()'s");
	igt_subtest("copied-fragmented")
		copied(SZ_4K, -EOPNOTSUPP);

	igt_describe("After that, one in many pieces is shown that need not be copied");
	igt_subtest("goes-on")
		goes_on();
}

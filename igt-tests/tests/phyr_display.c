// SPDX-License-Identifier: MIT
#include "display/subtests.h"

IGT_TEST_DESCRIPTION("The picture on the display, seen from outside the guest");

igt_main()
{
	igt_describe("A picture in each format at the smallest offered mode");
	igt_subtest("mode-640x480")
		offered_mode(640, 480);

	igt_describe("A picture in each format at a medium mode");
	igt_subtest("mode-1024x768")
		offered_mode(1024, 768);

	igt_describe("A picture in each format at the preferred mode");
	igt_subtest("mode-1280x800")
		offered_mode(1280, 800);

	igt_describe("A picture in each format at a width that is not a multiple of 16");
	igt_subtest("mode-1400x1050")
		offered_mode(1400, 1050);

	igt_describe("A picture in each format at the largest offered mode");
	igt_subtest("mode-largest")
		largest_mode();

	igt_describe("A picture in each format at the smallest mode of the hardware");
	igt_subtest("mode-64x64")
		own_mode(64, 64);

	igt_describe("A picture in each format at an odd mode that the connector does not list");
	igt_subtest("mode-odd")
		own_mode(801, 603);

	igt_describe("Every offered mode can be set, and none is too large for the card");
	igt_subtest("modes-offered")
		offered_modes();

	igt_describe("A pitch larger than a line");
	igt_subtest("pitch")
		long_pitch();

	igt_describe("Pictures that start at an offset in their buffers");
	igt_subtest("offset")
		pictures_at_offset();

	igt_describe("The CRC depends on the picture, not on format, pitch and offset");
	igt_subtest("crc")
		crcs();

	igt_describe("Parts of a larger picture, from any pixel on");
	igt_subtest("pan")
		pan_over_picture(DRM_FORMAT_XRGB8888);

	igt_describe("Parts of a larger picture with pixels of 16 bits, from any pixel on");
	igt_subtest("pan-rgb565")
		pan_over_picture(DRM_FORMAT_RGB565);

	igt_describe("The bottom right part of a picture at the end of VRAM");
	igt_subtest("pan-at-end")
		pan_at_end(EVICTABLE);

	igt_describe("The bottom right part of a picture at the end of VRAM, in a buffer that cannot leave VRAM");
	igt_subtest("pan-at-end-vram")
		pan_at_end(IN_VRAM);

	igt_describe("Pictures that cover a part of the screen or cross its edges");
	igt_subtest("parts")
		parts_of_screen(DRM_FORMAT_XRGB8888);

	igt_describe("Pictures with pixels of 16 bits that cover a part of the screen or cross its edges");
	igt_subtest("parts-rgb565")
		parts_of_screen(DRM_FORMAT_RGB565);

	igt_describe("Pictures in another driver's buffer that cover a part of the screen or cross its edges");
	igt_subtest("parts-foreign")
		parts_foreign();

	igt_describe("A picture across the top left corner does not change other buffers");
	igt_subtest("parts-keep-out-before")
		parts_keep_out(-60, -50);

	igt_describe("A picture across the bottom right corner does not change other buffers");
	igt_subtest("parts-keep-out-behind")
		parts_keep_out(600, 450);

	igt_describe("A picture inside the bottom right corner does not change other buffers");
	igt_subtest("parts-keep-out")
		parts_keep_out(539, 379);

	igt_describe("Fragmented buffers are made contiguous and shown without a copy");
	igt_subtest("fragmented")
		fragmented(EVICTABLE);

	igt_describe("Fragmented buffers that cannot leave VRAM are made contiguous and shown without a copy");
	igt_subtest("fragmented-vram")
		fragmented(IN_VRAM);

	igt_describe("Buffers in system memory are moved to VRAM and shown from there");
	igt_subtest("from-system")
		from_system();

	igt_describe("A buffer that cannot move to VRAM is shown by a copy");
	igt_subtest("system-only")
		system_only();

	igt_describe("A buffer beyond the reach of the offset registers is moved");
	igt_subtest("out-of-reach")
		out_of_reach(EVICTABLE);

	igt_describe("A buffer beyond the reach of the offset registers that cannot leave VRAM is shown by a copy");
	igt_subtest("out-of-reach-vram")
		out_of_reach(IN_VRAM);

	igt_describe("A picture of short lines is shown although a large one occupies all that they reach");
	igt_subtest("out-of-reach-beside-large")
		out_of_reach_beside_large();

	igt_describe("A dumb buffer with the legacy calls");
	igt_subtest("legacy")
		legacy_calls();

	igt_describe("CPU writes into the shown picture are visible");
	igt_subtest("cpu-writes")
		cpu_writes();

	igt_describe("Off is black, and on shows the picture again");
	igt_subtest("off")
		off_and_on();

	igt_describe("Removing the shown framebuffer blanks the screen");
	igt_subtest("removed")
		removed_fb();

	igt_describe("Without a console, closing the last client blanks the screen");
	igt_subtest("last-close")
		last_close();

	igt_fixture()
		set_console(true);

	igt_describe("The console returns when the last client closes");
	igt_subtest("console")
		console_returns();

	igt_describe("Refuse framebuffers that the display cannot show");
	igt_subtest("refused-framebuffers")
		refused_fbs();

	igt_describe("Refuse planes that the display does not support");
	igt_subtest("refused-planes")
		refused_views();

	igt_describe("Pictures in formats with alpha, whose colour is shown");
	igt_subtest("alpha")
		alpha();

	igt_describe("Refuse modes that the display does not support");
	igt_subtest("refused-modes")
		refused_modes();

	igt_describe("A test card for people");
	igt_subtest("test-card")
		show_testcard();

	igt_describe("A card without a display reports that, and renders");
	igt_subtest("render-only")
		render_only();

	igt_describe("A render node cannot show a picture");
	igt_subtest("render-node")
		render_node();

	igt_describe("A lessee shows and flips until the lease ends");
	igt_subtest("lease")
		lessee();
}

// SPDX-License-Identifier: MIT
#include "display/subtests.h"

IGT_TEST_DESCRIPTION("What the display shows, seen from outside the guest");

igt_main()
{
	igt_describe("A picture in each format at the smallest mode that is offered");
	igt_subtest("mode-640x480")
		offered_mode(640, 480);

	igt_describe("The same at a mode in the middle");
	igt_subtest("mode-1024x768")
		offered_mode(1024, 768);

	igt_describe("The same at the mode that is preferred");
	igt_subtest("mode-1280x800")
		offered_mode(1280, 800);

	igt_describe("The same at a width that is no multiple of 16");
	igt_subtest("mode-1400x1050")
		offered_mode(1400, 1050);

	igt_describe("The same at the largest mode that is offered");
	igt_subtest("mode-largest")
		largest_mode();

	igt_describe("The same at the smallest mode that the hardware has");
	igt_subtest("mode-64x64")
		own_mode(64, 64);

	igt_describe("The same at an odd mode that only userspace knows");
	igt_subtest("mode-odd")
		own_mode(801, 603);

	igt_describe("Every mode that is offered can be set, and none is too large for the card");
	igt_subtest("modes-offered")
		offered_modes();

	igt_describe("Lines that are further apart than they are long");
	igt_subtest("pitch")
		long_pitch();

	igt_describe("Pictures that begin within their buffers");
	igt_subtest("offset")
		pictures_at_offset();

	igt_describe("A picture has one CRC, whatever its format and wherever its lines are");
	igt_subtest("crc")
		crcs();

	igt_describe("Parts of a larger picture, from any pixel on");
	igt_subtest("pan")
		pan_over_picture(DRM_FORMAT_XRGB8888);

	igt_describe("The same with pixels of 16 bits");
	igt_subtest("pan-rgb565")
		pan_over_picture(DRM_FORMAT_RGB565);

	igt_describe("The bottom right part of a picture that ends where VRAM does");
	igt_subtest("pan-at-end")
		pan_at_end(EVICTABLE);

	igt_describe("The same with a buffer that cannot leave VRAM");
	igt_subtest("pan-at-end-vram")
		pan_at_end(IN_VRAM);

	igt_describe("Pictures that cover a part of the screen, and reach over its edges");
	igt_subtest("parts")
		parts_of_screen(DRM_FORMAT_XRGB8888);

	igt_describe("The same with pixels of 16 bits");
	igt_subtest("parts-rgb565")
		parts_of_screen(DRM_FORMAT_RGB565);

	igt_describe("The same with another driver's buffer");
	igt_subtest("parts-foreign")
		parts_foreign();

	igt_describe("A picture over the top left corner changes no other client's buffer");
	igt_subtest("parts-keep-out-before")
		parts_keep_out(-60, -50);

	igt_describe("Nor does one over the bottom right corner");
	igt_subtest("parts-keep-out-behind")
		parts_keep_out(600, 450);

	igt_describe("Nor does one within that corner");
	igt_subtest("parts-keep-out")
		parts_keep_out(539, 379);

	igt_describe("Buffers that were in many pieces are shown, in one piece and without a copy");
	igt_subtest("fragmented")
		fragmented(EVICTABLE);

	igt_describe("The same with buffers that cannot leave VRAM");
	igt_subtest("fragmented-vram")
		fragmented(IN_VRAM);

	igt_describe("Buffers that were in system memory are shown from VRAM");
	igt_subtest("from-system")
		from_system();

	igt_describe("A buffer that cannot be in VRAM is shown by a copy");
	igt_subtest("system-only")
		system_only();

	igt_describe("A buffer where the display's registers do not reach moves");
	igt_subtest("out-of-reach")
		out_of_reach();

	igt_describe("A dumb buffer, by the calls from before atomic commits");
	igt_subtest("legacy")
		legacy_calls();

	igt_describe("What the CPU writes into a picture that is shown is seen");
	igt_subtest("cpu-writes")
		cpu_writes();

	igt_describe("Off is black, and on is the picture again");
	igt_subtest("off")
		off_and_on();

	igt_describe("A picture whose framebuffer is removed is gone from the screen");
	igt_subtest("removed")
		removed_fb();

	igt_describe("The last client's picture goes with it, where there is no console");
	igt_subtest("last-close")
		last_close();

	igt_fixture()
		set_console(true);

	igt_describe("The console comes back when the last client goes");
	igt_subtest("console")
		console_returns();

	igt_describe("Framebuffers that the display could not show");
	igt_subtest("refused-framebuffers")
		refused_fbs();

	igt_describe("Planes that the display does not have");
	igt_subtest("refused-planes")
		refused_views();

	igt_describe("Transparency is not shown");
	igt_subtest("refused-alpha")
		refused_alpha();

	igt_describe("Modes that the display does not have");
	igt_subtest("refused-modes")
		refused_modes();

	igt_describe("A picture for people");
	igt_subtest("test-card")
		show_testcard();

	igt_describe("A card without a display says so, and renders");
	igt_subtest("render-only")
		render_only();

	igt_describe("A render node shows nothing");
	igt_subtest("render-node")
		render_node();

	igt_describe("A lessee of the display shows and flips, until the lease ends");
	igt_subtest("lease")
		lessee();
}

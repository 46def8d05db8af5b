// SPDX-License-Identifier: MIT
#include "camera/shot.h"

IGT_TEST_DESCRIPTION("A camera captures into RAM, and into page-less VRAM");

igt_main()
{
	igt_describe("Every format, in sizes small, odd, padded and large, byte for byte");
	igt_subtest("single-planar")
		single_planar();

	igt_describe("The same with the multi-planar API");
	igt_subtest("multi-planar")
		multi_planar();

	igt_describe("A frame in two buffers of VRAM, then twice in one");
	igt_subtest("multi-planar-vram")
		multi_planar_vram();

	igt_describe("Pattern and brightness, changed while it streams");
	igt_subtest("controls")
		controls();

	igt_describe("No gap and no double in 60 frames, twice; an event for each");
	igt_subtest("sequence")
		sequence();

	igt_describe("The camera's own buffer, exported, outlives the queue");
	igt_subtest("exported")
		exported();

	igt_describe("What a device takes in one piece is heeded in RAM, and in VRAM");
	igt_subtest("limits")
		in_segments();

	igt_describe("Into VRAM in 20 pieces, attached and mapped once each");
	igt_subtest("vram")
		vram_frames();

	igt_describe("A buffer is recognised at another index");
	igt_subtest("recognised")
		recognised();

	igt_describe("Which buffers have the flag for a CPU mapping");
	igt_subtest("mapped-flag")
		mapped_flag();

	igt_describe("The cache keeps no VRAM alive");
	igt_subtest("forgotten")
		forgotten();

	igt_describe("Without a stream nothing is kept that no buffer has");
	igt_subtest("uncached")
		uncached();

	igt_describe("100 moves of buffers that are queued, captured into, and done");
	igt_subtest("moved")
		moved();

	igt_describe("A move waits for the frame in flight, and for nothing else");
	igt_subtest("moved-in-flight")
		moved_in_flight();

	igt_describe("100 times, a card goes whose buffer is used; others go on");
	igt_subtest("revoked")
		revoked(UNBIND, repeats(100));

	igt_describe("20 times, such a card is unplugged");
	igt_subtest("revoked-unplugged")
		revoked(UNPLUG, repeats(20));

	igt_describe("A card goes whose buffer waits for the stream to begin");
	igt_subtest("revoked-while-queued")
		revoked_while_queued();

	igt_describe("A card goes while its buffer is being queued");
	igt_subtest("revoked-beside")
		revoked_beside();

	igt_describe("The camera's driver is unbound while it streams");
	igt_subtest("camera-unbound")
		camera_gone(UNBIND);

	igt_describe("The camera is unplugged while it streams");
	igt_subtest("camera-unplugged")
		camera_gone(UNPLUG);

	igt_describe("The camera's own buffers outlive its driver");
	igt_subtest("camera-unbound-exported")
		camera_gone_ram();

	igt_describe("An engine that hangs costs one frame");
	igt_subtest("hang")
		hang();

	igt_describe("User pointers, buffers too small, and what is no dma-buf");
	igt_subtest("refused")
		refused();

	igt_describe("A dma-buf shorter than it is said to be leaves nothing behind");
	igt_subtest("refused-length")
		refused_length();

	igt_describe("Neither do a dma-buf of a card that is gone, and the other plane's");
	igt_subtest("refused-revoked")
		refused_revoked();

	igt_describe("A dma-buf in two planes, too short for the second");
	igt_subtest("refused-shared")
		refused_shared();
}

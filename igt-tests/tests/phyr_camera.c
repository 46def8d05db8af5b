// SPDX-License-Identifier: MIT
#include "camera/shot.h"

IGT_TEST_DESCRIPTION("A camera captures into RAM and into page-less VRAM");

igt_main()
{
	igt_describe("Every format in small, odd, padded and large sizes, byte for byte");
	igt_subtest("single-planar")
		single_planar();

	igt_describe("The same with the multi-planar API");
	igt_subtest("multi-planar")
		multi_planar();

	igt_describe("A frame in two buffers of VRAM, then both planes in one");
	igt_subtest("multi-planar-vram")
		multi_planar_vram();

	igt_describe("Change pattern and brightness while streaming");
	igt_subtest("controls")
		controls();

	igt_describe("60 frames without gap or duplicate, twice, with an event for each");
	igt_subtest("sequence")
		sequence();

	igt_describe("The camera's own buffer, exported, outlives the queue");
	igt_subtest("exported")
		exported();

	igt_describe("The device's segment limits are respected in RAM and in VRAM");
	igt_subtest("limits")
		in_segments();

	igt_describe("Capture into VRAM in 20 extents, attached and mapped once each");
	igt_subtest("vram")
		vram_frames();

	igt_describe("A buffer is recognised at another index");
	igt_subtest("recognised")
		recognised();

	igt_describe("The flag V4L2_BUF_FLAG_MAPPED");
	igt_subtest("mapped-flag")
		mapped_flag();

	igt_describe("The cache keeps no VRAM alive");
	igt_subtest("forgotten")
		forgotten();

	igt_describe("Without a stream, only buffers in use stay attached");
	igt_subtest("uncached")
		uncached();

	igt_describe("100 moves of buffers that are queued, being captured into, and done");
	igt_subtest("moved")
		moved();

	igt_describe("A move waits for the frame in flight, and for nothing else");
	igt_subtest("moved-in-flight")
		moved_in_flight();

	igt_describe("Suspend while streaming: one frame is lost, the stream continues");
	igt_subtest("suspended")
		suspended();

	igt_describe("Unbind a card whose buffer is in use, 100 times; other buffers continue");
	igt_subtest("revoked")
		revoked(UNBIND, repeats(100));

	igt_describe("The same with the card unplugged, 20 times");
	igt_subtest("revoked-unplugged")
		revoked(UNPLUG, repeats(20));

	igt_describe("Unbind a card whose buffer is queued before the stream starts");
	igt_subtest("revoked-while-queued")
		revoked_while_queued();

	igt_describe("Unbind a card while its buffer is being queued");
	igt_subtest("revoked-beside")
		revoked_beside();

	igt_describe("Unbind the camera while it streams");
	igt_subtest("camera-unbound")
		camera_gone(UNBIND);

	igt_describe("Unplug the camera while it streams");
	igt_subtest("camera-unplugged")
		camera_gone(UNPLUG);

	igt_describe("The camera's exported buffers outlive its driver");
	igt_subtest("camera-unbound-exported")
		camera_gone_ram();

	igt_describe("A hanging engine loses one frame");
	igt_subtest("hang")
		hang();

	igt_describe("Refuse user pointers, short buffers, and files that are not dma-bufs");
	igt_subtest("refused")
		refused();

	igt_describe("A dma-buf shorter than claimed is refused without a leak");
	igt_subtest("refused-length")
		refused_length();

	igt_describe("So is a dma-buf of an unbound card, along with the other plane's");
	igt_subtest("refused-revoked")
		refused_revoked();

	igt_describe("A dma-buf for two planes that is too short for the second");
	igt_subtest("refused-shared")
		refused_shared();
}

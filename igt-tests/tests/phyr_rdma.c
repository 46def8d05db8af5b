// SPDX-License-Identifier: MIT
#include "rdma/subtests.h"

IGT_TEST_DESCRIPTION("The RDMA core's memory regions of phyr buffers, with DMA by the tables that a device gets");

igt_main()
{
	igt_fixture()
		open_rdma();

	igt_describe("One extent of VRAM: every DMA block, with every page size");
	igt_subtest("one-extent")
		blocks_vram(4 * SZ_1M, 0, 1);

	igt_describe("512 extents of 4 KiB: every DMA block, with every page size");
	igt_subtest("many-extents")
		blocks_vram(2 * SZ_1M, SZ_4K, 512);

	igt_describe("32 extents of 64 KiB: every DMA block, with every page size");
	igt_subtest("large-extents")
		blocks_vram(2 * SZ_1M, SZ_64K, 32);

	igt_describe("System memory: every DMA block, with every page size");
	igt_subtest("system")
		blocks_system();

	igt_describe("Parts, aligned to pages or not: every DMA block, and the bytes");
	igt_subtest("parts")
		blocks_parts();

	igt_describe("A device with addresses of 64 bits, which shares the card's switch if there is one");
	igt_subtest("edu")
		blocks_edu();

	igt_describe("A stock exporter's BAR passes the same checks");
	igt_subtest("stock")
		blocks_stock();

	igt_describe("DMA to a udmabuf");
	igt_subtest("udmabuf")
		blocks_udmabuf();

	igt_describe("Regions larger than 4 GiB, in one extent and in two");
	igt_subtest("above-4g")
		blocks_above_4g();

	igt_describe("Empty parts, and parts beyond the end, are refused");
	igt_subtest("bad-parts")
		refuse_parts();

	igt_describe("A page size that does not fit is refused and leaves nothing");
	igt_subtest("bad-page-sizes")
		refuse_page_sizes();

	igt_describe("A pinned region gets no VRAM");
	igt_subtest("pinned-vram")
		refuse_pinned();

	igt_describe("VRAM that the device does not reach: in system memory, or not at all");
	igt_subtest("out-of-reach")
		refuse_out_of_reach();

	igt_describe("A dma-buf of a card that is gone is refused");
	igt_subtest("revoked")
		refuse_revoked();

	igt_describe("Pinned regions keep the buffer in system memory until the last is gone");
	igt_subtest("pinned")
		life_pinned();

	igt_describe("A revocable region keeps the buffer where it is");
	igt_subtest("revocable")
		life_revocable();

	igt_describe("1,000 moves with the region in use");
	igt_subtest("moves")
		life_moves();

	igt_describe("A buffer moves all the time while regions of it are registered");
	igt_subtest("registers")
		life_registers();

	igt_describe("A process that uses a region is killed");
	igt_subtest("killed")
		life_close();

	igt_describe("Unbind the exporter 200 times with the region in use");
	igt_subtest("unbind-exporter")
		life_unbind_exporter();

	igt_describe("Unbind the importer 100 times with the region in use");
	igt_subtest("unbind-importer")
		life_unbind_importer();

	igt_describe("1,000 resets of the card with the region in use, registered anew after each");
	igt_subtest("resets")
		life_resets();

	igt_describe("Suspend with regions in use");
	igt_subtest("suspend")
		life_suspend();

	igt_describe("A displayed buffer that another driver maps by the CPU");
	igt_subtest("shown")
		life_shown();
}

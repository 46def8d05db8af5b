// SPDX-License-Identifier: MIT
#include "domain/domain.h"

IGT_TEST_DESCRIPTION("Importers that map dma-bufs into an IOMMU domain of their own");

igt_main()
{
	igt_describe("Without an IOMMU there is no domain");
	igt_subtest("no-iommu")
		domain_no_iommu();
	igt_describe("Other devices of the IOMMU group would reach the buffers, too");
	igt_subtest("shared-group")
		domain_shared_group();

	igt_describe("Each of 512 extents is at its IOVA, and nothing beside them");
	igt_subtest("many-extents")
		domain_many_extents();
	igt_describe("The largest pages that the alignment allows");
	igt_subtest("page-sizes")
		domain_page_sizes();
	igt_describe("Misaligned, empty, overflowing, and beyond the buffer or the mask");
	igt_subtest("bad-arguments")
		domain_bad_arguments();
	igt_describe("IOVAs that are mapped already, also by the driver itself");
	igt_subtest("in-use")
		domain_in_use();
	igt_describe("IOVAs of reserved regions and of the host bridge's windows");
	igt_subtest("reserved")
		domain_reserved();
	igt_describe("Stock exporters and phyr_map() are refused");
	igt_subtest("other-apis")
		domain_other_apis();
	igt_describe("Mappings of several dma-bufs are unmapped by one call");
	igt_subtest("unmap-together")
		domain_unmap_together();
	igt_describe("Two tasks map and unmap at once, at IOVAs side by side and at one");
	igt_subtest("two-tasks")
		domain_two_tasks();

	igt_describe("The engine copies by the IOVAs that the driver chose");
	igt_subtest("copies")
		domain_copies();
	igt_describe("A move unmaps, and the new place is mapped at the same IOVA");
	igt_subtest("move")
		domain_move();
	igt_describe("Moves wait for copies, which arrive");
	igt_subtest("move-while-copying")
		domain_move_while_copying();
	igt_describe("A suspend unmaps, and the buffer is mapped again after it");
	igt_subtest("suspend")
		domain_suspend();
	igt_describe("The driver is unbound with live mappings");
	igt_subtest("importer-unbound")
		domain_importer_unbound();
	igt_describe("The file is closed with live mappings");
	igt_subtest("file-closed")
		domain_file_closed();
	igt_describe("After a revoke, DMA faults and touches nothing");
	igt_subtest("revoked")
		domain_revoked();

	igt_fixture() {
		char busid[20];

		domain_bind(1, "phyr_camera", busid);
	}
}

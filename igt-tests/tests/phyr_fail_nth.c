// SPDX-License-Identifier: MIT
#include <sys/eventfd.h>

#include "fail_nth/stage.h"

IGT_TEST_DESCRIPTION("Each allocation of each call fails once");

#define FEWEST_POINTS	301

/* Unbind the drivers so that DMA-API debug reports what is still mapped. */
static void leaks(void)
{
	clear_stage();
	run_command("rmmod phyr_test phyr_copy phyr_vram");
	run_command("/phyr/vm/guest/bind");
	set_stage();
	assert_works();
	run_command("/phyr/vm/guest/leaks");
}

static const struct {
	const char *name;
	const char *describe;
	void (*run)(void);
} subtests[] = {
	{ "files", "Open, close and read files of both drivers", sweep_files },
	{ "buffers", "Create, query, move and close buffers of the card",
	  sweep_buffers },
	{ "evict", "Create a buffer that evicts another", sweep_eviction },
	{ "mmap", "mmap and page faults, of nodes and dma-bufs", sweep_mappings },
	{ "prime", "Exports and imports of both drivers", sweep_prime },
	{ "engine", "Buffers and jobs of the engine", sweep_engine },
	{ "compose", "Composed buffers: copies, exports, moves of parts",
	  sweep_compose },
	{ "importers",
	  "Attach, map, unmap, detach, pin: native and stock importers",
	  sweep_importers },
	{ "dma-buf", "Moves under importers, CPU access, vmap", sweep_dma_buf },
	{ "revoke", "The card is unbound under importers", sweep_revocation },
	{ "rdma", "Memory regions of the RDMA core", sweep_rdma },
	{ "domain", "Attach, map, unmap: an IOMMU domain of the importer",
	  sweep_domain },
	{ "display", "Framebuffers, commits, flips and CRCs", sweep_display },
	{ "engine-workers", "The engine's threads, in the middle of a job",
	  sweep_engine_workers },
	{ "display-workers",
	  "The worker that copies another driver's framebuffer",
	  sweep_display_workers },
};

igt_main()
{
	static unsigned int i, ran;

	igt_fixture() {
		igt_require_f(fail_nth_available(),
			      "the kernel has no fault injection; see vm/run --kernel debug\n");
		stage.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		set_stage();
		assert_works();
		fail_nth_begin();
	}

	for (i = 0; i < ARRAY_SIZE(subtests); i++) {
		igt_describe(subtests[i].describe);
		igt_subtest(subtests[i].name) {
			/*
			 * TTM, debugfs and others log failed allocations;
			 * vm/scan-log knows which messages are bugs.
			 */
			igt_emit_ignore_dmesg_regex(".");
			subtests[i].run();
			ran++;
		}
	}

	igt_describe("Nothing is left mapped or allocated");
	igt_subtest("leaks")
		leaks();

	igt_describe("All sweeps together have more than 300 failure points");
	igt_subtest("points") {
		igt_require_f(ran == ARRAY_SIZE(subtests),
			      "%u of %zu other subtests have run\n", ran,
			      ARRAY_SIZE(subtests));
		igt_info("Figures: %u points\n", fail_nth_points());
		igt_assert_lte_u64(FEWEST_POINTS, fail_nth_points());
	}

	igt_fixture() {
		fail_nth_end();
		clear_stage();
	}
}

// SPDX-License-Identifier: MIT
#include "mixed/whole.h"

IGT_TEST_DESCRIPTION("Buffers composed of parts in any memory (GEM_COMPOSE)");

static const struct {
	const char *name;
	enum memory first;
	enum memory second;
} pairs[] = {
	{ "vram-vram", VRAM, VRAM },
	{ "vram-ram", VRAM, RAM },
	{ "vram-other-card", VRAM, OTHER_CARD },
	{ "vram-user", VRAM, USER },
	{ "ram-other-card", RAM, OTHER_CARD },
	{ "ram-user", RAM, USER },
	{ "other-card-user", OTHER_CARD, USER },
	{ "vram-carveout", VRAM, CARVEOUT },
	{ "ram-carveout", RAM, CARVEOUT },
	{ "other-card-carveout", OTHER_CARD, CARVEOUT },
	{ "user-carveout", USER, CARVEOUT },
	{ "carveout-carveout", CARVEOUT, CARVEOUT_PAGES },
};

static const struct {
	const char *name;
	const char *describe;
	void (*run)(void);
} subtests[] = {
	{ "all-memories", "Parts of all memories, across all seams",
	  all_memories },
	{ "ranges", "One range of IOVAs behind an IOMMU; flags and addresses of each memory",
	  ranges },
	{ "outside", "What DMA writes to VRAM through a whole, seen from outside the guest",
	  outside },
	{ "part", "Some bytes of one buffer, and no others", part },
	{ "same-part-twice", "Several parts are the same bytes",
	  same_part_twice },
	{ "many-parts", "1,024 pages of two memories", many_parts },
	{ "fragmented", "Parts with hundreds of extents", fragmented },
	{ "large", "Copies of parts of a whole of 128 MiB", large },
	{ "user-unaligned", "User memory that starts inside a page",
	  user_unaligned },
	{ "between-wholes", "Both ends of a copy are composed",
	  between_wholes },
	{ "out-of-reach", "A part that the engine reaches in system memory only",
	  out_of_reach },
	{ "bad-input", "Parts that cannot be composed are refused, and leave nothing",
	  bad_input },
	{ "bad-borders", "Borders inside a page, except at the ends, are refused",
	  bad_borders },
	{ "bad-pointers", "Parts that cannot be read", bad_pointers },
	{ "read-only", "A read-only part makes all of it read-only",
	  read_only },
	{ "not-shared", "With user memory or parts of pages no export; no mmap of any",
	  not_shared },
	{ "names", "With user memory, only the owner opens the global name",
	  names },
	{ "exported", "A dma-buf of a whole, imported by clients of the engine",
	  exported },
	{ "second-engine", "The same, imported by another engine",
	  second_engine },
	{ "closed-parts", "A whole keeps its parts when they are closed",
	  closed_parts },
	{ "stock-importers", "Other importers get all parts in system memory, pinned",
	  stock_importers },
	{ "stock-importers-fixed", "They are refused if a part must stay in VRAM",
	  stock_importers_fixed },
	{ "camera", "The camera captures into a whole", camera },
	{ "implicit-sync", "Copies of parts and wholes wait for each other",
	  implicit_sync },
	{ "fences", "A copy adds its fence to all parts of both wholes",
	  fences },
	{ "moved", "Parts move between copies", moved },
	{ "suspended", "A suspend moves a part out of VRAM and back",
	  suspended },
	{ "moved-while-copying", "200 moves of parts while another client copies",
	  moved_while_copying },
	{ "moved-with-user-memory", "200 moves of a part while copies are queued",
	  moved_with_user_memory },
	{ "two-orders", "Processes copy wholes of the same parts in opposite order while these move",
	  two_orders },
	{ "revoked", "A part is revoked: -ENODEV, and other wholes work",
	  revoked },
	{ "revoked-while-copying", "200 unbinds of a part's card while another client copies",
	  revoked_while_copying },
	{ "revoked-stock", "The same while importers have it in system memory",
	  revoked_stock },
	{ "reset-while-copying", "20 resets of a part's card while another client copies",
	  reset_while_copying },
	{ "engine-unbound", "40 unbinds of the engine while clients copy",
	  engine_unbound },
	{ "close-race", "Threads and processes compose, copy and close at the same time",
	  close_race },
	{ "killed-with-jobs", "A process is killed with queued copies",
	  killed_with_jobs },
	{ "killed-anywhere", "Processes are killed while they compose and copy",
	  killed_anywhere },
	{ "accounting", "1,000 wholes pin and keep nothing", accounting },
};

igt_main()
{
	static unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pairs); i++) {
		igt_describe("Parts of two memories, across all seams");
		igt_subtest(pairs[i].name) {
			settle();
			pair(pairs[i].first, pairs[i].second);
		}
	}

	for (i = 0; i < ARRAY_SIZE(subtests); i++) {
		igt_describe(subtests[i].describe);
		igt_subtest(subtests[i].name) {
			settle();
			subtests[i].run();
		}
	}
}

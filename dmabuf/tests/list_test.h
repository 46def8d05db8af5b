/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared by list_test.c and list_check_test.c
 */
#ifndef _PHYR_LIST_TEST_H
#define _PHYR_LIST_TEST_H

#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/types.h>

struct phyr_index;
struct phyr_list;
struct phyr_mem;

#define LIST_TEST_BAR		BIT_ULL(32)
#define LIST_TEST_BAR_LEN	BIT_ULL(30)
#define LIST_TEST_CARVE		BIT_ULL(40)
#define LIST_TEST_CARVE_LEN	BIT_ULL(38)
/* One page used, one skipped, so that entries do not merge */
#define LIST_TEST_STRIDE	(2 * PAGE_SIZE)
#define LIST_TEST_MODEL_MAX	600

void list_test_append(struct kunit *test, struct phyr_list *list,
		      struct phyr_mem *mem, u64 paddr, u64 len);
bool list_test_is_finished(const struct phyr_list *list);
const struct phyr_index *list_test_index(const struct phyr_list *list);
void list_test_check_overlap(bool on);

/* list_composed_test.c */
void seek_reads_two_chunks(struct kunit *test, struct phyr_list *list, u64 nr,
			   u64 (*paddr)(u64 i));

/* list_check_test.c, for the suite in list_test.c */
const void *list_refusal_params(struct kunit *test, const void *prev,
				char *desc);
const void *list_acceptance_params(struct kunit *test, const void *prev,
				   char *desc);
const void *list_order_params(struct kunit *test, const void *prev, char *desc);
void check_refuses(struct kunit *test);
void finish_refuses(struct kunit *test);
void finish_accepts(struct kunit *test);
void finish_after_refusal(struct kunit *test);
void finish_no_memory(struct kunit *test);
void check_overlap_none(struct kunit *test);
void check_overlap_one(struct kunit *test);
void check_ascending_allocates_nothing(struct kunit *test);
void check_overlap_allocates_single_pages(struct kunit *test);
void check_overlap_no_memory(struct kunit *test);
void check_overlap_random(struct kunit *test);
void check_overlap_not_asked_for(struct kunit *test);
void list_2pow22_ascending(struct kunit *test);
void list_2pow22_scattered(struct kunit *test);
void list_2pow16_one_overlap(struct kunit *test);

#endif

// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: gup.c and user.c, on memory of the test's own address space
 */
#include <kunit/test.h>
#include <linux/capability.h>
#include <linux/dma-resv.h>
#include <linux/fcntl.h>
#include <linux/hugetlb.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "redirect.h"
#include "../gup.c"
#include "../user.c"
#include "map_fixture.h"

#define GUP_PAGES	600

static unsigned long gup_map_as(struct kunit *test, unsigned long prot,
				unsigned long flags)
{
	unsigned long addr = kunit_vm_mmap(test, NULL, 0, GUP_PAGES * PAGE_SIZE,
					   prot, MAP_ANONYMOUS | flags, 0);

	KUNIT_ASSERT_FALSE(test, !addr || IS_ERR_VALUE(addr));
	KUNIT_ASSERT_NOT_NULL(test, current->mm);
	return addr;
}

static unsigned long gup_map(struct kunit *test, unsigned long prot)
{
	return gup_map_as(test, prot, MAP_PRIVATE);
}

static u64 gup_pinned(void)
{
	return atomic64_read(&current->mm->pinned_vm);
}

/* The page at @addr, which is not pinned by this */
static struct page *gup_page(struct kunit *test, unsigned long addr)
{
	struct page *page;

	KUNIT_ASSERT_EQ(test, get_user_pages_fast(addr, 1, 0, &page), 1);
	put_page(page);
	return page;
}

static bool gup_is_pinned(struct kunit *test, unsigned long addr)
{
	return folio_maybe_dma_pinned(page_folio(gup_page(test, addr)));
}

static void gup_pins_each_byte(struct kunit *test)
{
	static const struct {
		unsigned int start;
		unsigned int len;
		unsigned int pages;
	} parts[] = {
		{ 0, 1, 1 }, { 4095, 1, 1 }, { 4095, 2, 2 }, { 0, 4096, 1 },
		{ 1, 4096, 2 }, { 100, 9000, 3 }, { 0, 600 * 4096, 600 },
		{ 4095, 599 * 4096 + 1, 600 },
	};
	unsigned long addr = gup_map(test, PROT_READ | PROT_WRITE);
	struct phyr_cursor cursor;
	struct phyr_list *list;
	struct phys_vec vec;
	unsigned int i;
	u64 at, wrong;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		list = phyr_list_pin_user(addr + parts[i].start, parts[i].len,
					  i % 2);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
		KUNIT_EXPECT_EQ(test, phyr_list_size(list), parts[i].len);
		KUNIT_EXPECT_EQ(test, phyr_list_is_readonly(list), !(i % 2));
		KUNIT_EXPECT_EQ(test, gup_pinned(), parts[i].pages);
		KUNIT_EXPECT_TRUE(test, gup_is_pinned(test, addr));

		at = addr + parts[i].start;
		wrong = 0;
		phyr_cursor_init(&cursor, list, 0, parts[i].len);
		while (phyr_next(&cursor, &vec, NULL)) {
			for (; vec.len; vec.len--, vec.paddr++, at++)
				if (offset_in_page(vec.paddr) == 0 ||
				    at == addr + parts[i].start)
					wrong += vec.paddr !=
						 page_to_phys(gup_page(test, at)) +
						 offset_in_page(at);
		}
		KUNIT_EXPECT_EQ(test, at, addr + parts[i].start + parts[i].len);
		KUNIT_EXPECT_EQ(test, wrong, 0);

		phyr_list_put(list);
		phyr_list_flush();
		KUNIT_EXPECT_EQ(test, gup_pinned(), 0);
		KUNIT_EXPECT_FALSE(test, gup_is_pinned(test, addr));
	}
}

/* The list keeps the pages when the range is unmapped. */
static void gup_outlives_unmap(struct kunit *test)
{
	unsigned long addr = gup_map(test, PROT_READ | PROT_WRITE);
	struct phyr_list *list;
	struct page *page;

	list = phyr_list_pin_user(addr, 3 * PAGE_SIZE, true);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	page = gup_page(test, addr);
	KUNIT_EXPECT_EQ(test, vm_munmap(addr, 3 * PAGE_SIZE), 0);
	KUNIT_EXPECT_TRUE(test, folio_maybe_dma_pinned(page_folio(page)));
	KUNIT_EXPECT_EQ(test, gup_pinned(), 3);
	phyr_list_put(list);
	phyr_list_flush();
	KUNIT_EXPECT_EQ(test, gup_pinned(), 0);
}

/*
 * What a device may have written is dirty after the unpin, so that it is written
 * back or swapped out; what it could not write is not. As after a writeback,
 * the pages, of a file in memory, are clean while they are pinned.
 */
static void gup_marks_dirty(struct kunit *test)
{
	unsigned long addr = gup_map_as(test, PROT_READ | PROT_WRITE,
					MAP_SHARED);
	unsigned int i, dirty, write;
	struct phyr_list *list;

	for (write = 0; write < 2; write++) {
		list = phyr_list_pin_user(addr + 100, GUP_PAGES * PAGE_SIZE - 200,
					  write);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
		for (i = 0; i < GUP_PAGES; i++)
			folio_clear_dirty(page_folio(gup_page(test, addr +
							      i * PAGE_SIZE)));
		phyr_list_put(list);
		phyr_list_flush();

		dirty = 0;
		for (i = 0; i < GUP_PAGES; i++)
			dirty += PageDirty(gup_page(test, addr + i * PAGE_SIZE));
		KUNIT_EXPECT_EQ(test, dirty, write ? GUP_PAGES : 0);
	}
}

/* What was pinned before the error is unpinned. */
static void gup_undoes_a_part(struct kunit *test)
{
	unsigned long addr = gup_map(test, PROT_READ | PROT_WRITE);

	KUNIT_ASSERT_EQ(test, vm_munmap(addr + 590 * PAGE_SIZE, PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, PTR_ERR(phyr_list_pin_user(addr,
							 600 * PAGE_SIZE,
							 true)), -EFAULT);
	KUNIT_EXPECT_EQ(test, gup_pinned(), 0);
	KUNIT_EXPECT_FALSE(test, gup_is_pinned(test, addr));
	KUNIT_EXPECT_FALSE(test, gup_is_pinned(test, addr + 589 * PAGE_SIZE));
}

static void gup_refuses(struct kunit *test)
{
	unsigned long addr = gup_map(test, PROT_READ);
	const struct {
		u64 addr;
		u64 len;
		bool write;
		int err;
	} calls[] = {
		{ addr, 0, false, -EINVAL },
		{ addr, PAGE_SIZE, true, -EFAULT },
		{ addr, U64_MAX, false, -EFAULT },
		{ U64_MAX, 1, false, -EFAULT },
		{ U64_MAX - 1, 3, false, -EFAULT },
		{ (unsigned long)test, 1, false, -EFAULT },
		{ 0, 1, false, -EFAULT },
	};
	struct phyr_list *list;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		list = phyr_list_pin_user(calls[i].addr, calls[i].len,
					  calls[i].write);
		KUNIT_EXPECT_EQ_MSG(test, PTR_ERR_OR_ZERO(list), calls[i].err,
				    "call %u", i);
		KUNIT_EXPECT_EQ(test, gup_pinned(), 0);
	}
	KUNIT_EXPECT_EQ(test, PTR_ERR(phyr_pin_user(addr, 1, 2)), -EINVAL);
}

/* Each allocation fails once. */
static void gup_no_memory(struct kunit *test)
{
	unsigned long addr = gup_map(test, PROT_READ | PROT_WRITE);
	struct dma_buf *dmabuf;
	unsigned int nth;

	for (nth = 1; nth < 100; nth++) {
		mock_forget();
		mock_fail(MOCK_ALLOC, nth, -ENOMEM);
		dmabuf = phyr_pin_user(addr, 600 * PAGE_SIZE, 0);
		if (!IS_ERR(dmabuf))
			break;
		KUNIT_EXPECT_EQ(test, PTR_ERR(dmabuf), -ENOMEM);
		phyr_list_flush();
		KUNIT_EXPECT_EQ(test, gup_pinned(), 0);
		KUNIT_EXPECT_FALSE(test, gup_is_pinned(test, addr));
	}
	mock_fail(MOCK_ALLOC, 0, 0);
	/* The buffer, the list, what it owns, and the export */
	KUNIT_EXPECT_GT(test, nth, 4);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	KUNIT_EXPECT_EQ(test, dmabuf->size, 600 * PAGE_SIZE);
	dma_buf_put(dmabuf);
	flush_delayed_fput();
	phyr_list_flush();
	KUNIT_EXPECT_EQ(test, gup_pinned(), 0);
}

static void gup_no_export(struct kunit *test)
{
	unsigned long addr = gup_map(test, PROT_READ | PROT_WRITE);

	mock_fail(MOCK_EXPORT, 1, -ENFILE);
	KUNIT_EXPECT_EQ(test, PTR_ERR(phyr_pin_user(addr, 1, 0)), -ENFILE);
	phyr_list_flush();
	KUNIT_EXPECT_EQ(test, gup_pinned(), 0);
}

/* A read-only list is mapped for reading only. */
static void gup_readonly_is_not_written(struct kunit *test)
{
	static const enum dma_data_direction writes[] = {
		DMA_BIDIRECTIONAL, DMA_FROM_DEVICE,
	};
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct phyr_list *list;
	unsigned int i;

	list = map_test_list(test, t->ram, MAP_RAM, 3, SZ_4K, SZ_64K);
	phyr_list_set_readonly(list);
	for (i = 0; i < ARRAY_SIZE(writes); i++) {
		ranges = map_test_map_list(&t->importer, list, 0,
					   phyr_list_size(list), writes[i]);
		KUNIT_EXPECT_PTR_EQ(test, ranges, ERR_PTR(-EACCES));
		map_test_expect_untouched(test);
	}

	ranges = map_test_map_list(&t->importer, list, 0, phyr_list_size(list),
				   DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ranges);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_MAP, 1)->dir, DMA_TO_DEVICE);
	map_test_unmap(ranges);
}

static int gup_test_init(struct kunit *test)
{
	int ret = mock_init(test);

	return ret ?: phyr_user_init();
}

static void gup_test_exit(struct kunit *test)
{
	phyr_list_flush();
	phyr_user_exit();
}

static int gup_suite_init(struct kunit_suite *suite)
{
	return phyr_list_init();
}

static void gup_suite_exit(struct kunit_suite *suite)
{
	phyr_list_exit();
}

static struct kunit_case gup_test_cases[] = {
	KUNIT_CASE(gup_pins_each_byte),
	KUNIT_CASE(gup_outlives_unmap),
	KUNIT_CASE(gup_marks_dirty),
	KUNIT_CASE(gup_undoes_a_part),
	KUNIT_CASE(gup_refuses),
	KUNIT_CASE(gup_no_memory),
	KUNIT_CASE(gup_no_export),
	{}
};

static struct kunit_suite gup_test_suite = {
	.name = "phyr_gup",
	.suite_init = gup_suite_init,
	.suite_exit = gup_suite_exit,
	.init = gup_test_init,
	.exit = gup_test_exit,
	.test_cases = gup_test_cases,
};

static struct kunit_case gup_map_cases[] = {
	KUNIT_CASE(gup_readonly_is_not_written),
	{}
};

static struct kunit_suite gup_map_suite = {
	.name = "phyr_gup_map",
	.init = map_test_init,
	.test_cases = gup_map_cases,
};

kunit_test_suites(&gup_test_suite, &gup_map_suite);

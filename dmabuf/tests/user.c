// SPDX-License-Identifier: GPL-2.0
/*
 * Pin and unpin user memory: as phyr does, and as drivers do that have an array
 * of pages and an sg_table
 */
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/phyr_exporter.h>
#include <linux/sched.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "user.h"

static int test_user_phyr(struct phyr_test_user *args)
{
	struct phyr_list *list;
	ktime_t start;

	start = ktime_get();
	list = phyr_list_pin_user(args->addr, args->len, args->write);
	if (IS_ERR(list))
		return PTR_ERR(list);
	args->pin_ns = ktime_to_ns(ktime_sub(ktime_get(), start));
	args->entries = phyr_list_count(list);

	start = ktime_get();
	phyr_list_put(list);
	phyr_list_flush();
	args->unpin_ns = ktime_to_ns(ktime_sub(ktime_get(), start));
	return 0;
}

static int test_user_pin_pages(struct page **pages, unsigned long nr,
			       const struct phyr_test_user *args)
{
	unsigned int flags = FOLL_LONGTERM | (args->write ? FOLL_WRITE : 0);
	unsigned long done;
	int pinned;

	for (done = 0; done < nr; done += pinned) {
		pinned = pin_user_pages_fast(args->addr + (done << PAGE_SHIFT),
					     min(nr - done, INT_MAX), flags,
					     pages + done);
		if (pinned <= 0) {
			unpin_user_pages(pages, done);
			return pinned ?: -EFAULT;
		}
		cond_resched();
	}
	return 0;
}

static int test_user_table(struct phyr_test_user *args)
{
	unsigned long nr = args->len >> PAGE_SHIFT;
	struct sg_table sgt;
	struct page **pages;
	ktime_t start;
	int ret;

	if (!nr || !PAGE_ALIGNED(args->addr | args->len))
		return -EINVAL;

	start = ktime_get();
	pages = kvmalloc_objs(*pages, nr);
	if (!pages)
		return -ENOMEM;
	ret = test_user_pin_pages(pages, nr, args);
	if (ret)
		goto free;
	ret = sg_alloc_table_from_pages(&sgt, pages, nr, 0, args->len,
					GFP_KERNEL);
	if (!ret) {
		args->pin_ns = ktime_to_ns(ktime_sub(ktime_get(), start));
		args->entries = sgt.orig_nents;
		start = ktime_get();
		sg_free_table(&sgt);
	}
	unpin_user_pages_dirty_lock(pages, nr, args->write && !ret);
free:
	kvfree(pages);
	args->unpin_ns = ktime_to_ns(ktime_sub(ktime_get(), start));
	return ret;
}

/**
 * test_user - PHYR_TEST_IOC_USER
 * @args: the ioctl's arguments and results
 *
 * Return: 0 or a negative errno.
 */
int test_user(struct phyr_test_user *args)
{
	switch (args->api) {
	case PHYR_TEST_API_PHYR:
		return test_user_phyr(args);
	case PHYR_TEST_API_STOCK:
		return test_user_table(args);
	default:
		return -EINVAL;
	}
}

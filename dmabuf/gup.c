// SPDX-License-Identifier: GPL-2.0
/*
 * Lists of user memory
 *
 * phyr_list_pin_user() pins a range of the caller's address space for as long
 * as the list lives. The list is a composed one: it starts and ends at any byte,
 * and a page that is mapped twice occurs twice. Its release hook unpins.
 *
 * Memory is pinned in steps: a hugetlb page is one step, one pin and one entry,
 * whatever its size; everything else comes through an array of one page.
 * Neighbours in memory become one entry, so a transparent huge page is one, too.
 *
 * Invariant: of a hugetlb page, each run of the list that is contiguous in
 * memory holds one pin. Of other memory each page of the list holds one. The
 * shared zero page carries no pin; the kernel's functions know that. The
 * invariant depends on folios only, not on the VMA that was seen before a pin,
 * which other threads may replace at any time.
 *
 * FOLL_LONGTERM decides what can be pinned: no files of a file system with DAX,
 * no file that is written back if the device writes; nothing without pages. A
 * private mapping is copied first, so that the device sees what the process
 * writes later. The pins stay what they are when the process unmaps the range,
 * forks or exits.
 *
 * Pages count in mm->pinned_vm (VmPin in /proc/PID/status) against
 * RLIMIT_MEMLOCK, as those of RDMA memory regions.
 *
 * Faulting in memory takes the mmap lock, folio locks and, with userfaultfd, as
 * long as userspace likes: the caller holds no lock that anybody else needs.
 */
#include <linux/capability.h>
#include <linux/export.h>
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "internal.h"

#define PHYR_USER_BATCH		(PAGE_SIZE / sizeof(struct page *))

/**
 * struct phyr_user - what a list of user memory owns, beside its pins
 * @mm: address space that the pages are charged to; referenced by mmgrab()
 * @nr: pages charged
 * @dirty: a device may have written the pages
 */
struct phyr_user {
	struct mm_struct *mm;
	unsigned long nr;
	bool dirty;
};

/**
 * struct phyr_user_walk - state of phyr_list_pin_user()
 * @list: list that gets the pages
 * @flags: FOLL_* of all pins
 * @end: end of the last page in @list; 0 before the first
 * @pages: array of PHYR_USER_BATCH entries
 */
struct phyr_user_walk {
	struct phyr_list *list;
	unsigned int flags;
	phys_addr_t end;
	struct page **pages;
};

/* The memory of all lists of user memory */
static struct phyr_mem *phyr_user_ram;

/**
 * phyr_user_init - prepare for user memory
 *
 * Context: module init.
 * Return: 0 or -ENOMEM.
 */
int phyr_user_init(void)
{
	phyr_user_ram = phyr_mem_create_ram();
	return PTR_ERR_OR_ZERO(phyr_user_ram);
}

/**
 * phyr_user_exit - undo phyr_user_init()
 *
 * Context: module exit; no list of user memory is left.
 */
void phyr_user_exit(void)
{
	phyr_mem_put(phyr_user_ram);
}

/*
 * Accounting
 */

static int phyr_user_try_charge(struct mm_struct *mm, unsigned long nr)
{
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;

	if (atomic64_add_return(nr, &mm->pinned_vm) <= limit ||
	    capable(CAP_IPC_LOCK))
		return 0;

	atomic64_sub(nr, &mm->pinned_vm);
	return -ENOMEM;
}

static int phyr_user_charge(struct phyr_user *user, unsigned long nr)
{
	struct mm_struct *mm = current->mm;
	int ret;

	ret = phyr_user_try_charge(mm, nr);
	if (ret && nr <= rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT) {
		/* What the caller has dropped before is uncharged by a worker. */
		phyr_list_flush();
		ret = phyr_user_try_charge(mm, nr);
	}
	if (ret)
		return ret;

	mmgrab(mm);
	user->mm = mm;
	user->nr = nr;
	return 0;
}

static void phyr_user_uncharge(struct phyr_user *user)
{
	atomic64_sub(user->nr, &user->mm->pinned_vm);
	mmdrop(user->mm);
}

/*
 * Unpinning
 */

static void phyr_user_unpin_extent(const struct phys_vec *vec, bool dirty)
{
	struct page *page = pfn_to_page(PHYS_PFN(vec->paddr));
	unsigned long left = vec->len >> PAGE_SHIFT, nr;
	struct folio *folio;

	for (; left; left -= nr, page += nr) {
		folio = page_folio(page);
		nr = min(left, folio_nr_pages(folio) -
			       folio_page_idx(folio, page));
		unpin_user_page_range_dirty_lock(page,
						 folio_test_hugetlb(folio) ?
						 1 : nr, dirty);
		cond_resched();
	}
}

static void phyr_user_unpin(struct phyr_list *list, struct phyr_user *user)
{
	const struct phyr_chunk *chunk;
	unsigned int i;

	for (chunk = phyr_list_first(list); chunk; chunk = chunk->next)
		for (i = 0; i < chunk->nr; i++)
			phyr_user_unpin_extent(&chunk->vecs[i], user->dirty);
	phyr_user_uncharge(user);
	kfree(user);
}

static void phyr_user_release(struct phyr_list *list, void *priv)
{
	phyr_user_unpin(list, priv);
}

/*
 * Pinning
 */

/*
 * Append @nr pages of one folio, which are contiguous and hold @pins pins. The
 * list owns the pins, also those of an append that fails.
 */
static int phyr_user_append(struct phyr_user_walk *walk, struct page *page,
			    unsigned long nr, unsigned long pins)
{
	phys_addr_t paddr = PFN_PHYS(page_to_pfn(page));
	struct folio *folio = page_folio(page);
	unsigned long keep = pins;
	int ret;

	/* The run may continue the one before it, which has a pin. */
	if (folio_test_hugetlb(folio))
		keep = paddr != walk->end || page == folio_page(folio, 0);
	if (pins > keep)
		unpin_user_folio(folio, pins - keep);

	ret = phyr_list_append(walk->list, phyr_user_ram, paddr,
			       (u64)nr << PAGE_SHIFT);
	if (ret) {
		if (keep)
			unpin_user_folio(folio, keep);
		return ret;
	}
	walk->end = paddr + ((u64)nr << PAGE_SHIFT);
	return 0;
}

/* Count the first pages of an array that follow each other in one folio. */
static unsigned long phyr_user_run(struct page **pages, unsigned long max)
{
	struct folio *folio = page_folio(pages[0]);
	unsigned long pfn = page_to_pfn(pages[0]), nr;

	max = min(max, folio_nr_pages(folio) - folio_page_idx(folio, pages[0]));
	for (nr = 1; nr < max; nr++)
		if (page_to_pfn(pages[nr]) != pfn + nr)
			break;
	return nr;
}

/* Pin some of @left pages. Return: number of pages, or an errno. */
static long phyr_user_pin_pages(struct phyr_user_walk *walk,
				unsigned long addr, unsigned long left)
{
	long pinned, done, nr;
	int ret;

	pinned = pin_user_pages_fast(addr, min(left, PHYR_USER_BATCH),
				     walk->flags, walk->pages);
	if (pinned <= 0) {
		if (fatal_signal_pending(current))
			return -EINTR;
		/* -EEXIST: something is mapped, but has no page. */
		return pinned && pinned != -EEXIST ? pinned : -EFAULT;
	}

	for (done = 0; done < pinned; done += nr) {
		nr = phyr_user_run(walk->pages + done, pinned - done);
		ret = phyr_user_append(walk, walk->pages[done], nr, nr);
		if (ret) {
			done += nr;
			unpin_user_pages(walk->pages + done, pinned - done);
			return ret;
		}
	}
	return pinned;
}

/*
 * Pin the rest of a hugetlb page. The mmap lock guarantees that the pages behind
 * the one that is pinned are mapped to the addresses behind @addr.
 *
 * A fault here could not drop the lock, which userfaultfd wants and a fault that
 * clears 1 GiB should: phyr_user_pin_pages() takes it.
 *
 * Return: number of pages; 0 if the memory is not hugetlb or needs a fault; or
 * an errno.
 */
static long phyr_user_pin_hugetlb(struct phyr_user_walk *walk,
				  unsigned long addr, unsigned long left)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	struct folio *folio;
	struct page *page;
	long pinned = 0;
	int ret;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	vma = vma_lookup(mm, addr);
	if (vma && is_vm_hugetlb_page(vma)) {
		left = min(left, (vma->vm_end - addr) >> PAGE_SHIFT);
		pinned = pin_user_pages(addr, 1, walk->flags | FOLL_NOFAULT,
					&page);
	}
	mmap_read_unlock(mm);
	if (pinned <= 0)
		return 0;

	folio = page_folio(page);
	left = min(left, folio_nr_pages(folio) - folio_page_idx(folio, page));
	ret = phyr_user_append(walk, page, left, 1);
	return ret ?: left;
}

static int phyr_user_pin(struct phyr_user_walk *walk, unsigned long addr,
			 unsigned long left)
{
	long nr;

	while (left) {
		/* A fast pin does not look at signals. */
		if (fatal_signal_pending(current))
			return -EINTR;

		nr = phyr_user_pin_hugetlb(walk, addr, left);
		if (!nr)
			nr = phyr_user_pin_pages(walk, addr, left);
		if (nr < 0)
			return nr;
		addr += nr << PAGE_SHIFT;
		left -= nr;
		cond_resched();
	}
	return 0;
}

static int phyr_user_fill(struct phyr_list *list, struct phyr_user *user,
			  unsigned long addr, u64 len, bool write)
{
	struct phyr_user_walk walk = {
		.list = list,
		.flags = FOLL_LONGTERM | (write ? FOLL_WRITE : 0),
	};
	int ret;

	walk.pages = (struct page **)__get_free_page(GFP_KERNEL);
	if (!walk.pages)
		return -ENOMEM;

	ret = phyr_user_pin(&walk, addr & PAGE_MASK, user->nr);
	free_page((unsigned long)walk.pages);
	if (ret)
		return ret;

	/* No DMA has happened to what is unpinned after an error. */
	ret = phyr_list_finish_composed(list, offset_in_page(addr), len);
	user->dirty = write && !ret;
	return ret;
}

static int phyr_user_own(struct phyr_list *list, unsigned long addr, u64 len,
			 bool write)
{
	unsigned long nr = PAGE_ALIGN(offset_in_page(addr) + len) >> PAGE_SHIFT;
	struct phyr_user *user;
	int ret;

	user = kzalloc_obj(*user, GFP_KERNEL_ACCOUNT);
	if (!user)
		return -ENOMEM;

	ret = phyr_user_charge(user, nr);
	if (ret) {
		kfree(user);
		return ret;
	}
	ret = phyr_user_fill(list, user, addr, len, write);
	if (ret) {
		phyr_user_unpin(list, user);
		return ret;
	}

	/* The list owns @user from here on. */
	phyr_list_set_release(list, phyr_user_release, user);
	if (!write)
		phyr_list_set_readonly(list);
	return 0;
}

/**
 * phyr_list_pin_user - pin a range of the caller's address space
 * @addr: user address of the first byte
 * @len: bytes; the range may start and end inside a page
 * @write: devices may write it, and the pages are marked dirty when they are
 *	unpinned; otherwise the list is read-only
 *
 * Allocates memory that was not touched before. Whatever the process maps there
 * later, the list keeps its pages. They are unpinned by a worker after the last
 * reference to the list is dropped; until then they count against
 * RLIMIT_MEMLOCK, also if the process has exited. A page that is pinned twice
 * counts twice.
 *
 * Context: a process's own; no lock is held; sleeps, with userfaultfd for as
 * long as userspace likes. Only a fatal signal interrupts it.
 * Return: a finished list with one reference, or ERR_PTR, in which case nothing
 * is pinned: -EINVAL for 0 bytes; -EFAULT if a part of the range is not mapped
 * or not accessible that way, has no pages, or is of a file that must not be
 * written by a device; -EOPNOTSUPP for a file in DAX memory; -EREMOTEIO for
 * peer memory; -ENOMEM for more than RLIMIT_MEMLOCK allows, or out of memory;
 * -EINTR; -EBUSY for memory of a device that cannot migrate; or another error of
 * pin_user_pages_fast().
 */
struct phyr_list *phyr_list_pin_user(u64 addr, u64 len, bool write)
{
	struct phyr_list *list;
	int ret;

	if (!len)
		return ERR_PTR(-EINVAL);
	if (overflows_type(addr, unsigned long) ||
	    overflows_type(len, unsigned long) ||
	    !access_ok(u64_to_user_ptr(addr), len))
		return ERR_PTR(-EFAULT);

	list = phyr_list_create();
	if (IS_ERR(list))
		return list;

	ret = phyr_user_own(list, untagged_addr((unsigned long)addr), len,
			    write);
	if (ret) {
		phyr_list_put(list);
		return ERR_PTR(ret);
	}
	return list;
}
EXPORT_SYMBOL_NS_GPL(phyr_list_pin_user, "PHYR_EXPORTER");

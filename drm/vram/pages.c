// SPDX-License-Identifier: GPL-2.0
/*
 * Page allocation for buffers in system memory
 *
 * TTM's own allocator charges no memory cgroup. This one charges every page to
 * the cgroup of the client that created the buffer, regardless of the task that
 * moves it, so the client's limit bounds the kernel memory it can use. If that
 * cgroup is full and the buffer is being moved out of VRAM, the current task's
 * cgroup is charged instead. Otherwise a client at its limit could block
 * evictions.
 */
#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_tt.h>
#include <linux/log2.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/swap.h>

#include "vram.h"

/* Pages to allocate or free before other tasks run. */
#define VRAM_PAGES_BATCH	1024

/**
 * vram_pages_free - &ttm_device_funcs.ttm_tt_unpopulate
 * @ttm: the TTM device
 * @tt: the TTM pages; entries may be NULL
 *
 * Context: may sleep.
 */
void vram_pages_free(struct ttm_device *ttm, struct ttm_tt *tt)
{
	u32 i;

	for (i = 0; i < tt->num_pages; i++) {
		if (tt->pages[i])
			__free_page(tt->pages[i]);
		tt->pages[i] = NULL;
		if (!(i % VRAM_PAGES_BATCH))
			cond_resched();
	}
}

/*
 * Try higher orders without reclaim, because they map efficiently; reclaim only
 * for single pages. Do not invoke the OOM killer: the client gets -ENOMEM.
 */
static struct page *vram_pages_get(unsigned int order)
{
	gfp_t gfp = GFP_HIGHUSER | __GFP_ZERO | __GFP_ACCOUNT | __GFP_NOWARN;
	struct page *page;

	if (order)
		gfp = (gfp | __GFP_NORETRY) & ~__GFP_RECLAIM;
	else
		gfp |= __GFP_RETRY_MAYFAIL;

	page = alloc_pages(gfp, order);
	if (page)
		split_page(page, order);
	return page;
}

/*
 * Fail before reclaim has taken everything from everybody, if reclaim cannot
 * help.
 */
static bool vram_pages_available(const struct ttm_tt *tt)
{
	return tt->num_pages <= si_mem_available() + get_nr_swap_pages();
}

/*
 * Allocate all pages, charged to @payer, or to the current task if NULL. On
 * failure some of them stay allocated.
 */
static int vram_pages_charge(struct ttm_tt *tt, struct mem_cgroup *payer,
			     bool interruptible)
{
	struct mem_cgroup *old = set_active_memcg(payer);
	unsigned int order = MAX_PAGE_ORDER;
	struct page *page;
	int ret = 0;
	u32 i = 0, n;

	while (i < tt->num_pages) {
		if (interruptible && signal_pending(current)) {
			ret = -ERESTARTSYS;
			break;
		}
		order = min_t(unsigned int, order, ilog2(tt->num_pages - i));
		page = vram_pages_get(order);
		if (!page && !order) {
			ret = -ENOMEM;
			break;
		}
		if (!page) {
			order--;
			continue;
		}
		for (n = 0; n < 1U << order; n++)
			tt->pages[i++] = page + n;
		cond_resched();
	}

	set_active_memcg(old);
	return ret;
}

/**
 * vram_pages_alloc - &ttm_device_funcs.ttm_tt_populate
 * @ttm: the TTM device
 * @tt: the TTM pages, not populated
 * @ctx: whether a signal stops the allocation
 *
 * Context: the reservation lock is held; may sleep.
 * Return: 0 with zeroed pages; -ENOMEM; -ERESTARTSYS.
 */
int vram_pages_alloc(struct ttm_device *ttm, struct ttm_tt *tt,
		     struct ttm_operation_ctx *ctx)
{
	struct vram_bo *bo = to_vram_tt(tt)->bo;
	int ret;

	if (!vram_pages_available(tt))
		return -ENOMEM;

	ret = vram_pages_charge(tt, bo->memcg, ctx->interruptible);
	if (!ret)
		return 0;

	vram_pages_free(ttm, tt);
	if (ret != -ENOMEM || bo->place != TTM_PL_VRAM)
		return ret;

	/* An eviction: charge the current task. */
	ret = vram_pages_charge(tt, NULL, ctx->interruptible);
	if (ret)
		vram_pages_free(ttm, tt);
	return ret;
}

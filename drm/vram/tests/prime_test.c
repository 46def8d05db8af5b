// SPDX-License-Identifier: GPL-2.0
/*
 * Description of VRAM and of system pages as phyr lists
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/dma-fence.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <linux/workqueue.h>

#include "redirect.h"
#include "../prime.c"

#include "layout.h"

#define PAGES(n)	((u64)(n) << PAGE_SHIFT)

KUNIT_DEFINE_ACTION_WRAPPER(list_put, phyr_list_put, struct phyr_list *);

/* Create a buffer with the resource @layout, enough for vram_describe(). */
static struct vram_bo *bo_at(struct kunit *test, struct layout *layout)
{
	struct vram_bo *bo = kunit_kzalloc(test, sizeof(*bo), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, bo);
	bo->tbo.bdev = &layout->vram->ttm;
	bo->tbo.base.size = layout->res.base.size;
	bo->tbo.base.resv = &bo->tbo.base._resv;
	dma_resv_init(bo->tbo.base.resv);
	bo->tbo.resource = &layout->res.base;
	return bo;
}

static struct phyr_list *describe(struct kunit *test, struct vram_bo *bo)
{
	struct phyr_list *list;

	dma_resv_lock(bo->tbo.base.resv, NULL);
	list = vram_describe(&bo->phyr);
	dma_resv_unlock(bo->tbo.base.resv);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, list_put,
							   list));
	return list;
}

/* Check the address of each page, and that adjacent extents are merged. */
static void list_check(struct kunit *test, struct phyr_list *list,
		       struct layout *layout)
{
	struct phyr_cursor cursor;
	struct phyr_mem *mem;
	struct phys_vec vec;
	u64 pos, end = 0;
	u32 n = 0, count = 0;

	phyr_cursor_init(&cursor, list, 0, phyr_list_size(list));
	while (phyr_next(&cursor, &vec, &mem)) {
		KUNIT_EXPECT_PTR_EQ(test, mem, layout->vram->mem);
		KUNIT_EXPECT_NE(test, vec.paddr, end);
		for (pos = 0; pos < vec.len; pos += PAGE_SIZE) {
			KUNIT_ASSERT_LT(test, n, layout->pages);
			KUNIT_EXPECT_EQ(test, vec.paddr + pos,
					CARD_BAR + layout->offset[n++]);
		}
		end = vec.paddr + vec.len;
		count++;
	}
	KUNIT_EXPECT_EQ(test, n, layout->pages);
	KUNIT_EXPECT_EQ(test, count, phyr_list_count(list));
	KUNIT_EXPECT_EQ(test, count,
			vram_resource_extents(&layout->vram->mgr,
					      &layout->res.base));
}

static void vram_describe_one_block(struct kunit *test)
{
	static const struct layout_block one[] = { { 16, 16 } };
	struct card *card = card_create(test, SZ_1M, 0);
	struct layout *layout = layout_create(test, card->vram, one,
					      ARRAY_SIZE(one));
	struct phyr_list *list = describe(test, bo_at(test, layout));

	KUNIT_EXPECT_EQ(test, phyr_list_count(list), 1);
	KUNIT_EXPECT_EQ(test, phyr_list_size(list), PAGES(16));
	list_check(test, list, layout);
}

static void vram_describe_keeps_order(struct kunit *test)
{
	static const struct layout_block blocks[] = {
		{ 64, 4 }, { 8, 1 }, { 255, 1 }, { 0, 2 }, { 32, 16 },
	};
	struct card *card = card_create(test, SZ_1M, 0);
	struct layout *layout = layout_create(test, card->vram, blocks,
					      ARRAY_SIZE(blocks));
	struct phyr_list *list = describe(test, bo_at(test, layout));

	KUNIT_EXPECT_EQ(test, phyr_list_count(list), ARRAY_SIZE(blocks));
	list_check(test, list, layout);
}

static void vram_describe_merges_neighbours(struct kunit *test)
{
	static const struct layout_block blocks[] = {
		{ 6, 2 }, { 8, 8 }, { 16, 1 }, { 5, 1 }, { 3, 1 }, { 4, 1 },
	};
	struct card *card = card_create(test, SZ_1M, 0);
	struct layout *layout = layout_create(test, card->vram, blocks,
					      ARRAY_SIZE(blocks));
	struct phyr_list *list = describe(test, bo_at(test, layout));

	KUNIT_EXPECT_EQ(test, phyr_list_count(list), 3);
	list_check(test, list, layout);
}

static void vram_describe_all_of_vram(struct kunit *test)
{
	static const struct layout_block all[] = { { 0, 256 } };
	struct card *card = card_create(test, SZ_1M, 0);
	struct layout *layout = layout_create(test, card->vram, all,
					      ARRAY_SIZE(all));

	list_check(test, describe(test, bo_at(test, layout)), layout);
}

static const u32 random_params[] = { 1, 2, 7, 33, 100, 200 };

static void random_describe(const u32 *pages, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u pages", *pages);
}

KUNIT_ARRAY_PARAM(random, random_params, random_describe);

static void vram_describe_random(struct kunit *test)
{
	const u32 pages = *(const u32 *)test->param_value;
	struct card *card = card_create(test, SZ_1M, 0);
	struct layout *layout;
	struct rnd_state rnd;

	card_seed(test, &rnd);
	layout = layout_random(test, card->vram, &rnd, pages);
	list_check(test, describe(test, bo_at(test, layout)), layout);
}

/* Blocks from the allocator, fragmented by max_extent */
static void vram_describe_max_extent(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(64),
				     DRM_PHYR_VRAM_PLACE_VRAM, PAGES(2));
	struct phyr_list *list = describe(test, bo);
	struct phyr_cursor cursor;
	struct phyr_mem *mem;
	struct phys_vec vec;

	KUNIT_EXPECT_EQ(test, phyr_list_count(list), 32);
	phyr_cursor_init(&cursor, list, 0, PAGES(64));
	while (phyr_next(&cursor, &vec, &mem))
		KUNIT_EXPECT_EQ(test, vec.len, PAGES(2));
}

static void vram_describe_system_pages(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(5),
				     DRM_PHYR_VRAM_PLACE_SYSTEM, 0);
	struct phyr_list *list = describe(test, bo);
	struct phyr_cursor cursor;
	struct phyr_mem *mem;
	struct phys_vec vec;
	u32 n = 0;
	u64 pos;

	KUNIT_ASSERT_TRUE(test, ttm_tt_is_populated(bo->tbo.ttm));
	KUNIT_EXPECT_EQ(test, phyr_list_size(list), PAGES(5));
	phyr_cursor_init(&cursor, list, 0, PAGES(5));
	while (phyr_next(&cursor, &vec, &mem)) {
		KUNIT_EXPECT_PTR_EQ(test, mem, card->vram->ram);
		for (pos = 0; pos < vec.len; pos += PAGE_SIZE)
			KUNIT_EXPECT_EQ(test, vec.paddr + pos,
					page_to_phys(bo->tbo.ttm->pages[n++]));
	}
	KUNIT_EXPECT_EQ(test, n, 5);
	KUNIT_EXPECT_EQ(test, bo->place, TTM_PL_TT);
}

/* As TTM evicts a buffer from system memory, before it swaps it out. */
static void vram_pin_of_evicted(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(5),
				     DRM_PHYR_VRAM_PLACE_SYSTEM, 0);
	struct ttm_place place = { .mem_type = TTM_PL_SYSTEM };
	struct ttm_placement placement = { .num_placement = 1,
					   .placement = &place };
	struct ttm_operation_ctx ctx = {};

	dma_resv_lock(bo->tbo.base.resv, NULL);
	KUNIT_EXPECT_EQ(test, ttm_bo_validate(&bo->tbo, &placement, &ctx), 0);
	KUNIT_EXPECT_EQ(test, bo->place, TTM_PL_SYSTEM);
	KUNIT_EXPECT_EQ(test, vram_pin(&bo->phyr), 0);
	dma_resv_unlock(bo->tbo.base.resv);

	KUNIT_EXPECT_EQ(test, bo->place, TTM_PL_TT);
	KUNIT_EXPECT_EQ(test, phyr_list_size(describe(test, bo)), PAGES(5));
	dma_resv_lock(bo->tbo.base.resv, NULL);
	ttm_bo_unpin(&bo->tbo);
	dma_resv_unlock(bo->tbo.base.resv);
}

/*
 * Waits for fences
 */

static const char *fence_name(struct dma_fence *fence)
{
	return "phyr_vram_prime";
}

static const struct dma_fence_ops fence_ops = {
	.get_driver_name = fence_name,
	.get_timeline_name = fence_name,
};

/**
 * struct slow_dma - DMA that uses a buffer for a second
 * @fence: its fence, in the buffer's reservation object
 * @lock: of @fence
 * @work: ends it
 */
struct slow_dma {
	struct dma_fence *fence;
	spinlock_t lock;		/* of the fence */
	struct delayed_work work;
};

static void slow_dma_end(struct work_struct *work)
{
	struct slow_dma *dma = container_of(work, struct slow_dma, work.work);

	dma_fence_signal(dma->fence);
}

static void slow_dma_start(struct kunit *test, struct slow_dma *dma,
			   struct vram_bo *bo)
{
	struct dma_resv *resv = bo->tbo.base.resv;

	dma->fence = kzalloc_obj(*dma->fence);
	KUNIT_ASSERT_NOT_NULL(test, dma->fence);
	spin_lock_init(&dma->lock);
	dma_fence_init(dma->fence, &fence_ops, &dma->lock,
		       dma_fence_context_alloc(1), 1);
	dma_resv_lock(resv, NULL);
	KUNIT_EXPECT_EQ(test, dma_resv_reserve_fences(resv, 1), 0);
	dma_resv_add_fence(resv, dma->fence, DMA_RESV_USAGE_BOOKKEEP);
	dma_resv_unlock(resv);
	INIT_DELAYED_WORK_ONSTACK(&dma->work, slow_dma_end);
	schedule_delayed_work(&dma->work, HZ);
}

/* Also puts the buffer: its reference to the fence must not outlive the lock. */
static void slow_dma_finish(struct kunit *test, struct slow_dma *dma,
			    struct vram_bo *bo)
{
	flush_delayed_work(&dma->work);
	destroy_delayed_work_on_stack(&dma->work);
	card_bo_put(test, bo);
	dma_fence_put(dma->fence);
	rcu_barrier();
}

/* An attach is in an ioctl, and ends. */
static void vram_pin_system_interrupted(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(5),
				     DRM_PHYR_VRAM_PLACE_VRAM |
				     DRM_PHYR_VRAM_PLACE_SYSTEM, 0);
	struct slow_dma dma;
	int ret;

	slow_dma_start(test, &dma, bo);
	set_tsk_thread_flag(current, TIF_SIGPENDING);
	dma_resv_lock(bo->tbo.base.resv, NULL);
	ret = vram_pin_system(&bo->phyr);
	KUNIT_EXPECT_EQ(test, ret, -ERESTARTSYS);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(dma.fence));
	KUNIT_EXPECT_EQ(test, bo->place, TTM_PL_VRAM);
	KUNIT_EXPECT_EQ(test, bo->tbo.pin_count, !ret);
	if (!ret)
		vram_unpin_system(&bo->phyr);
	dma_resv_unlock(bo->tbo.base.resv);
	clear_tsk_thread_flag(current, TIF_SIGPENDING);
	slow_dma_finish(test, &dma, bo);
}

/**
 * struct slow_move - a task that holds a buffer's reservation lock for long
 * @work: the task
 * @resv: the buffer's reservation object
 * @locked: the task has the lock
 */
struct slow_move {
	struct work_struct work;
	struct dma_resv *resv;
	struct completion locked;
};

static void slow_move_work(struct work_struct *work)
{
	struct slow_move *move = container_of(work, struct slow_move, work);

	dma_resv_lock(move->resv, NULL);
	complete(&move->locked);
	msleep(500);
	dma_resv_unlock(move->resv);
}

/* There is no dma-buf afterwards, whose release would wait for the lock. */
static void vram_prime_export_interrupted(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(5),
				     DRM_PHYR_VRAM_PLACE_VRAM, 0);
	struct slow_move move = { .resv = bo->tbo.base.resv };
	struct dma_buf *dmabuf;

	init_completion(&move.locked);
	INIT_WORK_ONSTACK(&move.work, slow_move_work);
	schedule_work(&move.work);
	wait_for_completion(&move.locked);

	set_tsk_thread_flag(current, TIF_SIGPENDING);
	dmabuf = vram_prime_export(&bo->tbo.base, O_RDWR);
	clear_tsk_thread_flag(current, TIF_SIGPENDING);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(dmabuf), -ERESTARTSYS);
	if (!IS_ERR(dmabuf))
		__fput_sync(dmabuf->file);
	flush_work(&move.work);
	destroy_work_on_stack(&move.work);
}

/* The dma-buf core warns of a vmap that fails, so it waits. */
static void vram_dma_buf_vmap_not_interrupted(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(5),
				     DRM_PHYR_VRAM_PLACE_VRAM |
				     DRM_PHYR_VRAM_PLACE_SYSTEM, 0);
	struct dma_buf dmabuf = { .priv = &bo->tbo.base,
				  .resv = bo->tbo.base.resv };
	struct slow_dma dma;
	struct iosys_map map;
	int ret;

	slow_dma_start(test, &dma, bo);
	set_tsk_thread_flag(current, TIF_SIGPENDING);
	dma_resv_lock(bo->tbo.base.resv, NULL);
	ret = vram_dma_buf_vmap(&dmabuf, &map);
	KUNIT_EXPECT_EQ(test, ret, 0);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(dma.fence));
	KUNIT_EXPECT_EQ(test, bo->place, TTM_PL_TT);
	if (!ret)
		vram_dma_buf_vunmap(&dmabuf, &map);
	dma_resv_unlock(bo->tbo.base.resv);
	clear_tsk_thread_flag(current, TIF_SIGPENDING);
	slow_dma_finish(test, &dma, bo);
}

static void vram_dma_buf_ops_by_placement(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_bo *fixed, *movable;

	fixed = card_bo(test, card, PAGES(1), DRM_PHYR_VRAM_PLACE_VRAM, 0);
	movable = card_bo(test, card, PAGES(1), DRM_PHYR_VRAM_PLACE_VRAM |
			  DRM_PHYR_VRAM_PLACE_SYSTEM, 0);
	KUNIT_EXPECT_NULL(test, vram_dma_buf_ops(fixed)->pin_system);
	KUNIT_EXPECT_NULL(test, vram_dma_buf_ops(fixed)->ops.vmap);
	KUNIT_EXPECT_NOT_NULL(test, vram_dma_buf_ops(movable)->pin_system);
	KUNIT_EXPECT_NOT_NULL(test, vram_dma_buf_ops(movable)->ops.vmap);
}

static struct kunit_case vram_prime_cases[] = {
	KUNIT_CASE(vram_describe_one_block),
	KUNIT_CASE(vram_describe_keeps_order),
	KUNIT_CASE(vram_describe_merges_neighbours),
	KUNIT_CASE(vram_describe_all_of_vram),
	KUNIT_CASE_PARAM(vram_describe_random, random_gen_params),
	KUNIT_CASE(vram_describe_max_extent),
	KUNIT_CASE(vram_describe_system_pages),
	KUNIT_CASE(vram_pin_of_evicted),
	KUNIT_CASE_SLOW(vram_pin_system_interrupted),
	KUNIT_CASE_SLOW(vram_prime_export_interrupted),
	KUNIT_CASE_SLOW(vram_dma_buf_vmap_not_interrupted),
	KUNIT_CASE(vram_dma_buf_ops_by_placement),
	{}
};

static struct kunit_suite vram_prime_suite = {
	.name = "phyr_vram_prime",
	.test_cases = vram_prime_cases,
};

kunit_test_suite(vram_prime_suite);

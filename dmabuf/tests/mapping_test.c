// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: mappings in two steps, and the importer's data of a mapping
 */
#include "redirect.h"
#include "buffer_fixture.h"
#include "stock_fixture.h"

#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/kthread.h>

/*
 * Reserve and commit
 */

static struct dma_buf *mapping_test_dmabuf(struct buffer_importer *importer)
{
	return importer->native->attach->dmabuf;
}

static int mapping_test_reserve(struct buffer_importer *importer)
{
	importer->ranges = phyr_map_reserve(importer->native, 0,
					    mapping_test_dmabuf(importer)->size,
					    DMA_FROM_DEVICE);
	if (!IS_ERR(importer->ranges))
		return 0;
	return PTR_ERR(no_free_ptr(importer->ranges));
}

static int mapping_test_commit(struct buffer_importer *importer)
{
	struct dma_resv *resv = mapping_test_dmabuf(importer)->resv;
	int ret;

	dma_resv_lock(resv, NULL);
	ret = phyr_map_commit(importer->native, importer->ranges);
	dma_resv_unlock(resv);
	return ret;
}

static void mapping_test_unmap(struct buffer_importer *importer)
{
	struct dma_resv *resv = mapping_test_dmabuf(importer)->resv;

	dma_resv_lock(resv, NULL);
	buffer_test_unmap_locked(importer);
	dma_resv_unlock(resv);
}

static void commit_stands(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer = buffer_test_native(t, 0, false);
	enum mock_call call;

	KUNIT_ASSERT_EQ(test, mapping_test_reserve(importer), 0);
	buffer_test_expect_extents(t, importer->ranges, BUFFER_BAR);

	/* Nothing is allocated or mapped, nobody is asked. */
	mock_forget();
	t->described = 0;
	KUNIT_EXPECT_EQ(test, mapping_test_commit(importer), 0);
	KUNIT_EXPECT_EQ(test, mapping_test_commit(importer), 0);
	for (call = 0; call < MOCK_CALLS; call++)
		KUNIT_EXPECT_EQ(test, mock_count(call), 0);
	KUNIT_EXPECT_EQ(test, t->described, 0);
}

static void commit_after_a_move(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer = buffer_test_native(t, 0, false);

	KUNIT_ASSERT_EQ(test, mapping_test_reserve(importer), 0);
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
	KUNIT_EXPECT_EQ(test, mapping_test_commit(importer), -EAGAIN);
	mapping_test_unmap(importer);

	KUNIT_ASSERT_EQ(test, mapping_test_reserve(importer), 0);
	KUNIT_EXPECT_EQ(test, mapping_test_commit(importer), 0);
	buffer_test_expect_extents(t, importer->ranges, BUFFER_BAR + SZ_1M);

	/* It is where it was, but the mapping is gone. */
	KUNIT_EXPECT_EQ(test, buffer_test_move_to(t, true), 0);
	KUNIT_EXPECT_EQ(test, buffer_test_move_to(t, false), 0);
	KUNIT_EXPECT_EQ(test, mapping_test_commit(importer), -EAGAIN);
}

static void commit_after_a_revoke(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer = buffer_test_native(t, 0, false);

	KUNIT_ASSERT_EQ(test, mapping_test_reserve(importer), 0);
	buffer_test_revoke(t);
	KUNIT_EXPECT_EQ(test, mapping_test_commit(importer), -ENODEV);
	phyr_buffer_revoke_wait(&t->buffer);
	buffer_lock(t);
	phyr_buffer_rearm(&t->buffer);
	buffer_unlock(t);
	KUNIT_EXPECT_EQ(test, mapping_test_commit(importer), -EAGAIN);
	mapping_test_unmap(importer);
	KUNIT_ASSERT_EQ(test, mapping_test_reserve(importer), 0);
	KUNIT_EXPECT_EQ(test, mapping_test_commit(importer), 0);
}

static void mapping_test_fence_on_notify(struct buffer_importer *importer)
{
	buffer_test_add_fence_locked(importer->t, &importer->t->resv);
}

/* Keep a wait that must be interrupted from hanging the case. */
static void mapping_test_end_wait(void *data)
{
	struct buffer_test *t = data;

	if (t->fence && !mock_nth(MOCK_WAIT, mock_count(MOCK_WAIT))->dir)
		dma_fence_signal(t->fence);
}

/* Make a move end after it has notified. */
static void mapping_test_interrupt_move(struct buffer_importer *importer)
{
	struct buffer_test *t = importer->t;
	int ret;

	importer->on_notify = mapping_test_fence_on_notify;
	mock.before_wait = mapping_test_end_wait;
	mock.arg = t;
	buffer_lock(t);
	set_tsk_thread_flag(current, TIF_SIGPENDING);
	ret = phyr_buffer_move_begin(&t->buffer, true, false);
	clear_tsk_thread_flag(current, TIF_SIGPENDING);
	buffer_unlock(t);
	KUNIT_EXPECT_EQ(t->test, ret, -ERESTARTSYS);
	KUNIT_EXPECT_EQ(t->test, importer->notified, 1);
	importer->on_notify = NULL;
}

static void commit_after_an_interrupted_move(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer = buffer_test_native(t, 0, false);

	KUNIT_ASSERT_EQ(test, mapping_test_reserve(importer), 0);
	mapping_test_interrupt_move(importer);
	KUNIT_EXPECT_EQ(test, mapping_test_commit(importer), 0);
	buffer_test_expect_extents(t, importer->ranges, BUFFER_BAR);
}

static void mapping_test_commit_on_notify(struct buffer_importer *importer)
{
	importer->result = phyr_map_commit(importer->native, importer->ranges);
}

static void commit_in_invalidate(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer = buffer_test_native(t, 0, false);

	importer->on_notify = mapping_test_commit_on_notify;
	KUNIT_ASSERT_EQ(test, mapping_test_reserve(importer), 0);
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
	KUNIT_EXPECT_EQ(test, importer->result, -EBUSY);
	mapping_test_unmap(importer);
	KUNIT_ASSERT_EQ(test, mapping_test_reserve(importer), 0);
	importer->result = 0;
	buffer_test_revoke(t);
	KUNIT_EXPECT_EQ(test, importer->result, -EBUSY);
}

static void commit_from_stock(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct stock_test *stock = stock_test_create(test);
	struct buffer_importer *importer = stock_test_import(t, stock);

	importer->on_notify = mapping_test_commit_on_notify;
	KUNIT_ASSERT_EQ(test, mapping_test_reserve(importer), 0);
	KUNIT_EXPECT_EQ(test, mapping_test_commit(importer), 0);
	stock_test_invalidate(stock);
	KUNIT_EXPECT_EQ(test, importer->result, -EBUSY);
	KUNIT_EXPECT_EQ(test, mapping_test_commit(importer), -EAGAIN);
	mapping_test_unmap(importer);
	KUNIT_ASSERT_EQ(test, mapping_test_reserve(importer), 0);
	KUNIT_EXPECT_EQ(test, mapping_test_commit(importer), 0);
}

static void reserve_fails(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer = buffer_test_native(t, 0, false);
	unsigned int before = mock_allocated();
	struct buffer_holder holder;

	mock_fail(MOCK_ALLOC, 1, -ENOMEM);
	KUNIT_EXPECT_EQ(test, mapping_test_reserve(importer), -ENOMEM);
	KUNIT_EXPECT_PTR_EQ(test, phyr_map_reserve(importer->native, 0, 0,
						   DMA_TO_DEVICE),
			    ERR_PTR(-EINVAL));

	buffer_test_start_holder(&holder, t);
	set_tsk_thread_flag(current, TIF_SIGPENDING);
	KUNIT_EXPECT_EQ(test, mapping_test_reserve(importer), -ERESTARTSYS);
	clear_tsk_thread_flag(current, TIF_SIGPENDING);
	buffer_test_end_holder(&holder);

	buffer_test_revoke(t);
	KUNIT_EXPECT_EQ(test, mapping_test_reserve(importer), -ENODEV);
	KUNIT_EXPECT_LE(test, mock_allocated(), before);
}

static void commit_asserts_the_lock(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer = buffer_test_native(t, 0, true);

	if (!IS_ENABLED(CONFIG_PROVE_LOCKING))
		kunit_skip(test, "lockdep is needed to see it");

	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, phyr_map_commit(importer->native,
						      importer->ranges), 0);
		KUNIT_EXPECT_GE(test, KUNIT_SUPPRESSED_WARNING_COUNT(), 1);
	}
}

/*
 * The importer's data
 */

/**
 * struct mapping_priv - what an importer has built from a mapping
 * @resv: reservation object of the dma-buf
 * @destroyed: number of destroy() calls
 * @locked: the lock was held at the last one
 * @mapped: mock_mapped() at the last one
 */
struct mapping_priv {
	struct dma_resv *resv;
	unsigned int destroyed;
	bool locked;
	unsigned int mapped;
};

static void mapping_test_destroy(void *data)
{
	struct mapping_priv *priv = data;

	priv->destroyed++;
	priv->locked = dma_resv_is_locked(priv->resv);
	priv->mapped = mock_mapped();
}

static int mapping_test_set_priv(struct buffer_importer *importer,
				 struct mapping_priv *priv)
{
	int ret;

	priv->resv = mapping_test_dmabuf(importer)->resv;
	dma_resv_lock(priv->resv, NULL);
	ret = dma_range_list_set_priv(importer->ranges, priv,
				      mapping_test_destroy);
	dma_resv_unlock(priv->resv);
	return ret;
}

static struct buffer_importer *mapping_test_native(struct buffer_test *t,
						   struct mapping_priv *priv)
{
	struct buffer_importer *importer = buffer_test_native(t, 0, true);

	KUNIT_EXPECT_NULL(t->test, dma_range_list_priv(importer->ranges));
	KUNIT_ASSERT_EQ(t->test, mapping_test_set_priv(importer, priv), 0);
	KUNIT_EXPECT_PTR_EQ(t->test, dma_range_list_priv(importer->ranges),
			    (void *)priv);
	return importer;
}

/* Destroyed once, under the lock, and before the memory was unmapped */
static void mapping_test_expect_destroyed(struct kunit *test,
					  const struct mapping_priv *priv)
{
	KUNIT_EXPECT_EQ(test, priv->destroyed, 1);
	KUNIT_EXPECT_TRUE(test, priv->locked);
	KUNIT_EXPECT_EQ(test, priv->mapped, 1);
}

static void priv_ends_with_the_unmap(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;
	struct mapping_priv priv = {};

	mock.iommu = true;
	importer = mapping_test_native(t, &priv);
	mapping_test_unmap(importer);
	mapping_test_expect_destroyed(test, &priv);
}

static void priv_ends_with_a_move(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;
	struct mapping_priv priv = {};

	mock.iommu = true;
	importer = mapping_test_native(t, &priv);
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
	mapping_test_expect_destroyed(test, &priv);
	KUNIT_EXPECT_NULL(test, dma_range_list_priv(importer->ranges));

	/* The rest is memory to free. It gets no new data. */
	KUNIT_EXPECT_EQ(test, mapping_test_set_priv(importer, &priv), -EAGAIN);
	mapping_test_unmap(importer);
	KUNIT_EXPECT_EQ(test, priv.destroyed, 1);
}

static void priv_ends_with_a_revoke(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;
	struct mapping_priv priv = {};

	mock.iommu = true;
	importer = mapping_test_native(t, &priv);
	buffer_test_revoke(t);
	mapping_test_expect_destroyed(test, &priv);
	mapping_test_unmap(importer);
	KUNIT_EXPECT_EQ(test, priv.destroyed, 1);
}

/* The importer unmaps while it is notified. */
static void priv_ends_in_invalidate(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;
	struct mapping_priv priv = {};

	mock.iommu = true;
	importer = mapping_test_native(t, &priv);
	importer->on_notify = buffer_test_unmap_locked;
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
	mapping_test_expect_destroyed(test, &priv);
}

static void priv_ends_with_the_detach(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;
	struct mapping_priv priv = {};

	mock.iommu = true;
	importer = mapping_test_native(t, &priv);
	importer->ranges = NULL;
	kunit_warning_suppress(test) {
		buffer_test_end_importer(importer);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	mapping_test_expect_destroyed(test, &priv);
}

static void priv_outlives_an_interrupted_move(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;
	struct mapping_priv priv = {};

	importer = mapping_test_native(t, &priv);
	mapping_test_interrupt_move(importer);
	KUNIT_EXPECT_EQ(test, priv.destroyed, 0);
	KUNIT_EXPECT_PTR_EQ(test, dma_range_list_priv(importer->ranges),
			    (void *)&priv);
	mapping_test_unmap(importer);
	KUNIT_EXPECT_EQ(test, priv.destroyed, 1);
}

static void priv_is_set_once(struct kunit *test)
{
	struct mapping_priv priv = {}, other = {};
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;

	importer = mapping_test_native(t, &priv);
	KUNIT_EXPECT_EQ(test, mapping_test_set_priv(importer, &other),
			-EEXIST);
	mapping_test_unmap(importer);
	KUNIT_EXPECT_EQ(test, priv.destroyed, 1);
	KUNIT_EXPECT_EQ(test, other.destroyed, 0);
}

static void priv_without_a_destructor(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer = buffer_test_native(t, 0, true);

	buffer_lock(t);
	KUNIT_EXPECT_EQ(test, dma_range_list_set_priv(importer->ranges, t,
						      NULL), 0);
	KUNIT_EXPECT_PTR_EQ(test, dma_range_list_priv(importer->ranges),
			    (void *)t);
	buffer_unlock(t);
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
	KUNIT_EXPECT_NULL(test, dma_range_list_priv(importer->ranges));
}

/* A table of a stock exporter, and one that the importer has mapped itself */
static void priv_of_a_table(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct stock_test *stock = stock_test_create(test);
	struct buffer_importer *importer = stock_test_import(t, stock);
	struct mapping_priv priv = {}, own = {};
	struct dma_range_list *ranges;

	KUNIT_ASSERT_EQ(test, buffer_test_try_map(importer), 0);
	KUNIT_ASSERT_EQ(test, mapping_test_set_priv(importer, &priv), 0);

	ranges = dma_range_list_from_sgt(&stock->sgt, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(ranges));
	own.resv = &t->resv;
	KUNIT_EXPECT_EQ(test, dma_range_list_set_priv(ranges, &own,
						      mapping_test_destroy),
			0);
	dma_range_list_free(ranges);
	KUNIT_EXPECT_EQ(test, own.destroyed, 1);

	stock_test_invalidate(stock);
	KUNIT_EXPECT_EQ(test, priv.destroyed, 1);
	KUNIT_EXPECT_TRUE(test, priv.locked);
}

/*
 * Commits that race with moves
 */

#define RACE_ROUNDS	400

/* How the moves and the commit of a round meet */
enum mapping_race_kind {
	RACE_STANDS,	/* no move until the commit */
	RACE_LATE,	/* a move between the two steps */
	RACE_OPEN,	/* as it happens */
	RACE_KINDS
};

/**
 * struct mapping_race - a thread that moves the buffer all the time
 * @t: the fixture
 * @thread: the thread
 * @paused: the thread does not move the buffer; guarded by its lock
 * @moves: number of moves
 * @failed: number of moves that failed
 */
struct mapping_race {
	struct buffer_test *t;
	struct task_struct *thread;
	bool paused;
	atomic_t moves;
	unsigned int failed;
};

static int mapping_race_thread(void *data)
{
	struct mapping_race *race = data;
	struct buffer_test *t = race->t;

	while (!kthread_should_stop()) {
		buffer_lock(t);
		if (race->paused) {
			/* Nothing to do. */
		} else if (phyr_buffer_move_begin(&t->buffer, false, false)) {
			race->failed++;
		} else {
			t->offset = (t->offset + SZ_1M) % SZ_32M;
			phyr_buffer_move_end(&t->buffer);
			atomic_inc(&race->moves);
		}
		buffer_unlock(t);
		usleep_range(10, 200);
	}
	return 0;
}

static void mapping_race_pause(struct mapping_race *race, bool pause)
{
	buffer_lock(race->t);
	race->paused = pause;
	buffer_unlock(race->t);
}

static void mapping_race_wait(struct mapping_race *race)
{
	int moves = atomic_read(&race->moves);

	while (atomic_read(&race->moves) == moves)
		usleep_range(10, 100);
}

static int mapping_race_round(struct mapping_race *race,
			      struct buffer_importer *importer,
			      struct mapping_priv *priv,
			      enum mapping_race_kind kind)
{
	struct buffer_test *t = race->t;
	unsigned int destroyed = priv->destroyed;
	int ret, set;

	mapping_race_pause(race, kind == RACE_STANDS);
	ret = mapping_test_reserve(importer);
	KUNIT_EXPECT_EQ(t->test, ret, 0);
	if (ret)
		return ret;
	set = mapping_test_set_priv(importer, priv);
	if (kind == RACE_LATE)
		mapping_race_wait(race);

	buffer_lock(t);
	ret = phyr_map_commit(importer->native, importer->ranges);
	if (!ret) {
		/* What the device would use is where the buffer is now. */
		KUNIT_EXPECT_EQ(t->test, set, 0);
		KUNIT_EXPECT_EQ(t->test, priv->destroyed, destroyed);
		buffer_test_expect_extents(t, importer->ranges,
					   BUFFER_BAR + t->offset);
	} else {
		KUNIT_EXPECT_EQ(t->test, ret, -EAGAIN);
		KUNIT_EXPECT_EQ(t->test, dma_range_list_len(importer->ranges),
				0);
	}
	buffer_test_unmap_locked(importer);
	KUNIT_EXPECT_EQ(t->test, priv->destroyed, destroyed + !set);
	buffer_unlock(t);
	return ret;
}

static void commit_races_with_moves(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer = buffer_test_native(t, 0, false);
	struct mapping_race race = { .t = t };
	unsigned int stood[RACE_KINDS] = {}, round;
	struct mapping_priv priv = {};

	race.thread = kthread_create(mapping_race_thread, &race, "mapping_race");
	KUNIT_ASSERT_FALSE(test, IS_ERR(race.thread));
	get_task_struct(race.thread);
	wake_up_process(race.thread);
	for (round = 0; round < RACE_ROUNDS * RACE_KINDS; round++)
		stood[round % RACE_KINDS] +=
			!mapping_race_round(&race, importer, &priv,
					    round % RACE_KINDS);
	kthread_stop_put(race.thread);

	KUNIT_EXPECT_EQ(test, race.failed, 0);
	KUNIT_EXPECT_EQ(test, stood[RACE_STANDS], RACE_ROUNDS);
	KUNIT_EXPECT_EQ(test, stood[RACE_LATE], 0);
	kunit_info(test, "%u of %u mappings stood while moves raced, %d moves\n",
		   stood[RACE_OPEN], RACE_ROUNDS, atomic_read(&race.moves));
}

static struct kunit_case mapping_test_cases[] = {
	KUNIT_CASE(commit_stands),
	KUNIT_CASE(commit_after_a_move),
	KUNIT_CASE(commit_after_a_revoke),
	KUNIT_CASE(commit_after_an_interrupted_move),
	KUNIT_CASE(commit_in_invalidate),
	KUNIT_CASE(commit_from_stock),
	KUNIT_CASE(reserve_fails),
	KUNIT_CASE(commit_asserts_the_lock),
	KUNIT_CASE(priv_ends_with_the_unmap),
	KUNIT_CASE(priv_ends_with_a_move),
	KUNIT_CASE(priv_ends_with_a_revoke),
	KUNIT_CASE(priv_ends_in_invalidate),
	KUNIT_CASE(priv_ends_with_the_detach),
	KUNIT_CASE(priv_outlives_an_interrupted_move),
	KUNIT_CASE(priv_is_set_once),
	KUNIT_CASE(priv_without_a_destructor),
	KUNIT_CASE(priv_of_a_table),
	KUNIT_CASE_SLOW(commit_races_with_moves),
	{}
};

static struct kunit_suite mapping_test_suite = {
	.name = "phyr_mapping",
	.init = buffer_test_init,
	.test_cases = mapping_test_cases,
};

kunit_test_suite(mapping_test_suite);

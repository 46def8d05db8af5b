// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: buffer.c, states of a buffer
 */
#include "redirect.h"
#include "../buffer.c"
#include "buffer_fixture.h"

/*
 * The buffer by itself
 */

static void buffer_list_asks_once_per_place(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct phyr_list *list;

	buffer_lock(t);
	list = phyr_buffer_get_list(&t->buffer);
	KUNIT_EXPECT_FALSE(test, IS_ERR(list));
	KUNIT_EXPECT_PTR_EQ(test, phyr_buffer_get_list(&t->buffer), list);
	KUNIT_EXPECT_EQ(test, t->described, 1);
	buffer_unlock(t);

	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
	/* The move freed the list of the old place. */
	KUNIT_EXPECT_EQ(test, mock_allocated(), BUFFER_DMA_BUFS + 2);

	buffer_lock(t);
	KUNIT_EXPECT_FALSE(test, IS_ERR(phyr_buffer_get_list(&t->buffer)));
	KUNIT_EXPECT_EQ(test, t->described, 2);
	buffer_unlock(t);
}

static void buffer_list_exporter_fails(struct kunit *test)
{
	struct buffer_test *t = test->priv;

	t->describe_err = -EIO;
	buffer_lock(t);
	KUNIT_EXPECT_PTR_EQ(test, phyr_buffer_get_list(&t->buffer),
			    ERR_PTR(-EIO));
	/* The error is not cached. */
	t->describe_err = 0;
	KUNIT_EXPECT_FALSE(test, IS_ERR(phyr_buffer_get_list(&t->buffer)));
	KUNIT_EXPECT_EQ(test, t->described, 2);
	buffer_unlock(t);
}

enum buffer_op {
	OP_BEGIN,
	OP_END,
	OP_REVOKE,
	OP_REARM,
	OP_LIST,
	OP_MAP,
	OP_ATTACH,
	OP_ATTACH_STOCK,
};

/**
 * struct buffer_step - one operation in one state
 * @name: description
 * @from: state before
 * @op: operation
 * @ret: expected result
 * @to: expected state afterwards
 * @warns: the operation is a bug of the caller and warns
 */
struct buffer_step {
	const char *name;
	enum phyr_buffer_state from;
	enum buffer_op op;
	int ret;
	enum phyr_buffer_state to;
	bool warns;
};

#define LIVE	PHYR_BUFFER_LIVE
#define MOVING	PHYR_BUFFER_MOVING
#define REVOKED	PHYR_BUFFER_REVOKED

static const struct buffer_step buffer_steps[] = {
	{ "live begin", LIVE, OP_BEGIN, 0, MOVING },
	{ "live end", LIVE, OP_END, 0, LIVE },
	{ "live revoke", LIVE, OP_REVOKE, 0, REVOKED },
	{ "live rearm", LIVE, OP_REARM, 0, LIVE, true },
	{ "live list", LIVE, OP_LIST, 0, LIVE },
	{ "live map", LIVE, OP_MAP, 0, LIVE },
	{ "live attach", LIVE, OP_ATTACH, 0, LIVE },
	{ "live attach stock", LIVE, OP_ATTACH_STOCK, 0, LIVE },
	{ "moving begin", MOVING, OP_BEGIN, 0, MOVING },
	{ "moving end", MOVING, OP_END, 0, LIVE },
	{ "moving revoke", MOVING, OP_REVOKE, 0, REVOKED },
	{ "moving rearm", MOVING, OP_REARM, 0, MOVING, true },
	{ "moving list", MOVING, OP_LIST, -EBUSY, MOVING },
	{ "moving map", MOVING, OP_MAP, -EBUSY, MOVING },
	{ "moving attach", MOVING, OP_ATTACH, -EBUSY, MOVING },
	{ "moving attach stock", MOVING, OP_ATTACH_STOCK, -EBUSY, MOVING },
	{ "revoked begin", REVOKED, OP_BEGIN, 0, REVOKED },
	{ "revoked end", REVOKED, OP_END, 0, REVOKED },
	{ "revoked revoke", REVOKED, OP_REVOKE, 0, REVOKED },
	{ "revoked rearm", REVOKED, OP_REARM, 0, LIVE },
	{ "revoked list", REVOKED, OP_LIST, -ENODEV, REVOKED },
	{ "revoked map", REVOKED, OP_MAP, -ENODEV, REVOKED },
	{ "revoked attach", REVOKED, OP_ATTACH, -ENODEV, REVOKED },
	{ "revoked attach stock", REVOKED, OP_ATTACH_STOCK, -ENODEV,
	  REVOKED },
};

static void buffer_step_desc(const struct buffer_step *step, char *desc)
{
	strscpy(desc, step->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(buffer_step, buffer_steps, buffer_step_desc);

/* The operations that need the lock */
static int buffer_step_locked(struct buffer_test *t, enum buffer_op op)
{
	int ret = 0;

	buffer_lock(t);
	switch (op) {
	case OP_BEGIN:
		ret = phyr_buffer_move_begin(&t->buffer, false, false);
		break;
	case OP_END:
		phyr_buffer_move_end(&t->buffer);
		break;
	case OP_REVOKE:
		phyr_buffer_revoke(&t->buffer);
		break;
	case OP_REARM:
		phyr_buffer_rearm(&t->buffer);
		break;
	default:
		ret = PTR_ERR_OR_ZERO(phyr_buffer_get_list(&t->buffer));
		break;
	}
	buffer_unlock(t);
	return ret;
}

static int buffer_step_take(struct buffer_test *t, enum buffer_op op,
			    struct buffer_importer *mapper)
{
	switch (op) {
	case OP_MAP:
		return buffer_test_try_map(mapper);
	case OP_ATTACH:
		return buffer_test_try_native(buffer_test_importer(t),
					      t->dmabufs[1]);
	case OP_ATTACH_STOCK:
		return buffer_test_try_stock(buffer_test_importer(t),
					     t->dmabufs[1],
					     &buffer_test_revocable_ops);
	default:
		return buffer_step_locked(t, op);
	}
}

static void buffer_each_step_in_each_state(struct kunit *test)
{
	const struct buffer_step *step = test->param_value;
	struct buffer_test *t = test->priv;
	struct buffer_importer *mapper;

	mapper = buffer_test_native(t, 0, false);
	if (step->from == MOVING)
		buffer_step_locked(t, OP_BEGIN);
	else if (step->from == REVOKED)
		buffer_step_locked(t, OP_REVOKE);
	KUNIT_ASSERT_EQ(test, buffer_test_state(t), step->from);

	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, buffer_step_take(t, step->op, mapper),
				step->ret);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, step->warns);
	}
	KUNIT_EXPECT_EQ(test, buffer_test_state(t), step->to);
}

/* Public functions that need the lock warn if it is not held. */
static void buffer_functions_assert_the_lock(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct phyr_buffer *buffer = &t->buffer;
	struct buffer_importer *importer;
	struct dma_range_list *ranges = ERR_PTR(-EINVAL);

	if (!IS_ENABLED(CONFIG_PROVE_LOCKING))
		kunit_skip(test, "lockdep is needed to see it");

	importer = buffer_test_native(t, 0, false);

#define EXPECT_LOCK_ASSERTED(statement) \
do { \
	kunit_warning_suppress(test) { \
		statement; \
		KUNIT_EXPECT_GE_MSG(test, KUNIT_SUPPRESSED_WARNING_COUNT(), 1, \
				    "%s", #statement); \
	} \
} while (0)

	EXPECT_LOCK_ASSERTED((void)phyr_buffer_get_list(buffer));
	EXPECT_LOCK_ASSERTED((void)phyr_buffer_is_revoked(buffer));
	EXPECT_LOCK_ASSERTED((void)phyr_buffer_dma_bufs(buffer));
	EXPECT_LOCK_ASSERTED((void)phyr_buffer_is_mapped(buffer));
	EXPECT_LOCK_ASSERTED(ranges = phyr_map(importer->native, 0, SZ_4K,
					       DMA_TO_DEVICE));
	KUNIT_ASSERT_FALSE(test, IS_ERR(ranges));
	EXPECT_LOCK_ASSERTED(phyr_unmap(importer->native, ranges));
	EXPECT_LOCK_ASSERTED((void)phyr_buffer_move_begin(buffer, false, true));
	EXPECT_LOCK_ASSERTED(phyr_buffer_move_end(buffer));
	EXPECT_LOCK_ASSERTED(phyr_buffer_revoke(buffer));
	EXPECT_LOCK_ASSERTED(phyr_buffer_rearm(buffer));
#undef EXPECT_LOCK_ASSERTED
}

static void buffer_dma_bufs_are_counted(struct kunit *test)
{
	struct buffer_test *t = test->priv;

	buffer_lock(t);
	KUNIT_EXPECT_EQ(test, phyr_buffer_dma_bufs(&t->buffer), 2);
	buffer_unlock(t);

	kunit_release_action(test, buffer_test_put_dma_buf, t->dmabufs[0]);
	buffer_lock(t);
	KUNIT_EXPECT_EQ(test, phyr_buffer_dma_bufs(&t->buffer), 1);
	buffer_unlock(t);
}

static void buffer_fini_with_a_dma_buf_left(struct kunit *test)
{
	struct buffer_test *t = test->priv;

	kunit_warning_suppress(test) {
		phyr_buffer_fini(&t->buffer);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
}

static void buffer_fini_puts_its_list(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	unsigned int before = mock_allocated();

	buffer_lock(t);
	KUNIT_EXPECT_FALSE(test, IS_ERR(phyr_buffer_get_list(&t->buffer)));
	buffer_unlock(t);
	KUNIT_EXPECT_GT(test, mock_allocated(), before);
	kunit_release_action(test, buffer_test_put_dma_buf, t->dmabufs[0]);
	kunit_release_action(test, buffer_test_put_dma_buf, t->dmabufs[1]);
	kunit_release_action(test, buffer_test_fini_buffer, &t->buffer);
	KUNIT_EXPECT_EQ(test, mock_allocated(), before - 2);
}

static void buffer_is_mapped_while_it_is(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;

	importer = buffer_test_native(t, 1, false);
	buffer_lock(t);
	KUNIT_EXPECT_FALSE(test, phyr_buffer_is_mapped(&t->buffer));
	buffer_unlock(t);

	KUNIT_EXPECT_EQ(test, buffer_test_try_map(importer), 0);
	buffer_lock(t);
	KUNIT_EXPECT_TRUE(test, phyr_buffer_is_mapped(&t->buffer));
	buffer_unlock(t);

	/* A stale mapping does not count, even before its phyr_unmap(). */
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
	buffer_lock(t);
	KUNIT_EXPECT_FALSE(test, phyr_buffer_is_mapped(&t->buffer));
	buffer_unlock(t);
}

/*
 * Moves
 */

static void move_tells_every_importer_of_every_dma_buf(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importers[6];
	int i;

	for (i = 0; i < 6; i++)
		importers[i] = i < 4 ? buffer_test_native(t, i % 2, i < 2) :
			buffer_test_stock(t, i % 2,
					  &buffer_test_revocable_ops, false);
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
	for (i = 0; i < 6; i++)
		KUNIT_EXPECT_EQ(test, importers[i]->notified, 1);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_INVALIDATE), BUFFER_DMA_BUFS);
}

static void move_after_a_dma_buf_is_gone(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer = buffer_test_native(t, 1, true);

	kunit_release_action(test, buffer_test_put_dma_buf, t->dmabufs[0]);
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
	KUNIT_EXPECT_EQ(test, importer->notified, 1);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_INVALIDATE), 1);
}

/* @nth: which of the waits is the one that the unmap needs */
static void buffer_test_expect_order(struct kunit *test, unsigned int nth)
{
	KUNIT_EXPECT_GE(test, mock_index(MOCK_NOTIFIED, 1), 0);
	KUNIT_EXPECT_GT(test, mock_index(MOCK_NOTIFIED, 1),
			mock_index(MOCK_INVALIDATE, 1));
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_WAIT), nth);
	KUNIT_EXPECT_GT(test, mock_index(MOCK_WAIT, nth),
			mock_index(MOCK_NOTIFIED, 2));
	KUNIT_EXPECT_GT(test, mock_index(MOCK_IOVA_DESTROY, 1),
			mock_index(MOCK_WAIT, nth));
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_DESTROY), 2);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_WAIT, nth)->attrs,
			DMA_RESV_USAGE_BOOKKEEP);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_WAIT, nth)->dir, 0);
}

static void buffer_test_fence_on_notify(struct buffer_importer *importer)
{
	buffer_test_add_fence_locked(importer->t, &importer->t->resv);
}

/* The second wait is for fences that importers add when they are notified. */
static void move_tells_then_waits_then_unmaps(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_wait wait = { .t = t };

	mock.iommu = true;
	buffer_test_native(t, 0, true);
	buffer_test_native(t, 1, true)->on_notify = buffer_test_fence_on_notify;
	buffer_test_watch_wait(&wait);
	mock_forget();
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);

	buffer_test_expect_order(test, 2);
	KUNIT_EXPECT_EQ(test, wait.waits, 2);
	KUNIT_EXPECT_EQ(test, wait.state, MOVING);
	KUNIT_EXPECT_EQ(test, wait.mapped, 2);
	KUNIT_EXPECT_FALSE(test, wait.fence_was_signaled);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

/*
 * Most of the waiting is done before importers are notified, so that a move
 * that is interrupted does not disturb them.
 */
static void move_waits_before_it_tells(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_wait wait = { .t = t };

	mock.iommu = true;
	buffer_test_native(t, 0, true);
	buffer_test_native(t, 1, true);
	buffer_test_add_fence(t, &t->resv);
	buffer_test_watch_wait(&wait);
	mock_forget();
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);

	KUNIT_EXPECT_LT(test, mock_index(MOCK_WAIT, 1),
			mock_index(MOCK_INVALIDATE, 1));
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_WAIT, 1)->attrs,
			DMA_RESV_USAGE_BOOKKEEP);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_WAIT, 1)->dir, 0);
	KUNIT_EXPECT_TRUE(test, wait.fence_was_signaled);
	buffer_test_expect_order(test, 2);
}

/* Keep a wait that must not happen, or must abort, from hanging the case. */
static void buffer_test_end_wrong_wait(void *data)
{
	struct buffer_test *t = data;

	if (!mock_nth(MOCK_WAIT, mock_count(MOCK_WAIT))->dir)
		dma_fence_signal(t->fence);
}

static void move_no_wait_with_a_fence(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;

	mock.iommu = true;
	importer = buffer_test_native(t, 0, true);
	buffer_test_add_fence(t, &t->resv);
	mock.before_wait = buffer_test_end_wrong_wait;
	mock.arg = t;
	buffer_lock(t);
	KUNIT_EXPECT_EQ(test, phyr_buffer_move_begin(&t->buffer, false, true),
			-EBUSY);
	buffer_unlock(t);
	KUNIT_EXPECT_EQ(test, buffer_test_state(t), LIVE);
	KUNIT_EXPECT_EQ(test, importer->notified, 0);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 1);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_WAIT), 0);

	/* A signaled fence needs no wait. */
	dma_fence_signal(t->fence);
	buffer_lock(t);
	KUNIT_EXPECT_EQ(test, phyr_buffer_move_begin(&t->buffer, false, true),
			0);
	phyr_buffer_move_end(&t->buffer);
	buffer_unlock(t);
	KUNIT_EXPECT_EQ(test, importer->notified, 1);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

static void move_interrupted_by_a_signal(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;
	int ret;

	mock.iommu = true;
	importer = buffer_test_native(t, 0, true);
	buffer_test_add_fence(t, &t->resv);
	mock.before_wait = buffer_test_end_wrong_wait;
	mock.arg = t;

	buffer_lock(t);
	set_tsk_thread_flag(current, TIF_SIGPENDING);
	ret = phyr_buffer_move_begin(&t->buffer, true, false);
	clear_tsk_thread_flag(current, TIF_SIGPENDING);
	buffer_unlock(t);
	KUNIT_EXPECT_EQ(test, ret, -ERESTARTSYS);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_WAIT, 1)->dir, 1);

	/* Nothing changed, the mapping is usable, and nobody was notified. */
	KUNIT_EXPECT_EQ(test, importer->notified, 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_INVALIDATE), 0);
	KUNIT_EXPECT_EQ(test, buffer_test_state(t), LIVE);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 1);
	KUNIT_EXPECT_EQ(test, dma_range_list_len(importer->ranges),
			BUFFER_SIZE);
}

/* Mapping in the invalidate callback would map the old place. */
static void buffer_test_map_on_notify(struct buffer_importer *importer)
{
	struct dma_range_list *ranges;

	ranges = phyr_map(importer->native, 0, SZ_4K, DMA_TO_DEVICE);
	importer->result = PTR_ERR_OR_ZERO(ranges);
	if (!importer->result)
		phyr_unmap(importer->native, ranges);
}

static void move_maps_nothing_in_between(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer = buffer_test_native(t, 0, false);

	importer->on_notify = buffer_test_map_on_notify;
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
	KUNIT_EXPECT_EQ(test, importer->result, -EBUSY);
}

static void move_importer_unmaps_when_told(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *native, *stock;

	mock.iommu = true;
	native = buffer_test_native(t, 0, true);
	native->on_notify = buffer_test_unmap_locked;
	stock = buffer_test_stock(t, 1, &buffer_test_revocable_ops, true);
	stock->on_notify = buffer_test_unmap_locked;
	KUNIT_EXPECT_EQ(test, mock_mapped(), 2);
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_DESTROY), 2);
	KUNIT_EXPECT_EQ(test, t->buffer.tables, 0);
}

static void move_leaves_memory_to_free(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;
	struct dma_range_cursor cursor;
	struct dma_range range;

	mock.iommu = true;
	importer = buffer_test_native(t, 0, true);
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
	KUNIT_EXPECT_EQ(test, dma_range_list_len(importer->ranges), 0);
	dma_range_cursor_init(&cursor, importer->ranges, 0);
	KUNIT_EXPECT_EQ(test, dma_range_next(&cursor, &range, 1), 0);

	buffer_test_unmap(importer);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_DESTROY), 1);
}

/* A walk that started before the move does not access freed memory. */
static void move_and_a_walk_through_a_window(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer = buffer_test_native(t, 0, true);
	struct dma_range_cursor cursor;
	struct dma_range range;

	dma_range_cursor_init(&cursor, importer->ranges, 0);
	KUNIT_EXPECT_EQ(test, dma_range_next(&cursor, &range, 1), 1);
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
	while (dma_range_next(&cursor, &range, 1))
		KUNIT_EXPECT_GE(test, range.addr, BUFFER_BAR);
}

static void move_leaves_stock_tables_mapped(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *stock;

	mock.iommu = true;
	stock = buffer_test_stock(t, 0, &buffer_test_revocable_ops, true);
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
	KUNIT_EXPECT_EQ(test, stock->notified, 1);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 1);
	buffer_test_unmap(stock);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

static void move_then_map_finds_the_new_place(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer = buffer_test_native(t, 0, true);

	buffer_test_expect_extents(t, importer->ranges, BUFFER_BAR);
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
	buffer_test_unmap(importer);
	KUNIT_ASSERT_EQ(test, buffer_test_try_map(importer), 0);
	buffer_test_expect_extents(t, importer->ranges, BUFFER_BAR + SZ_1M);
}

static void move_to_another_memory(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer = buffer_test_native(t, 0, true);

	t->in_system = true;
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
	buffer_test_unmap(importer);
	KUNIT_ASSERT_EQ(test, buffer_test_try_map(importer), 0);
	KUNIT_EXPECT_STREQ(test, dma_range_list_mode(importer->ranges),
			   "extent");
	buffer_test_expect_extents(t, importer->ranges, BUFFER_RAM + SZ_1M);
}

/*
 * Revocation
 */

static void revoke_tells_then_waits_then_unmaps(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_wait wait = { .t = t };
	struct buffer_importer *importer;

	mock.iommu = true;
	importer = buffer_test_native(t, 0, true);
	buffer_test_native(t, 1, true);
	buffer_test_add_fence(t, &t->resv);
	buffer_test_watch_wait(&wait);
	mock_forget();
	buffer_test_revoke(t);

	buffer_test_expect_order(test, 1);
	KUNIT_EXPECT_EQ(test, wait.waits, 1);
	/* Until importers are unmapped, phyr_map() must return -EBUSY. */
	KUNIT_EXPECT_EQ(test, wait.state, MOVING);
	KUNIT_EXPECT_EQ(test, wait.mapped, 2);
	KUNIT_EXPECT_FALSE(test, wait.fence_was_signaled);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);

	buffer_lock(t);
	KUNIT_EXPECT_TRUE(test, phyr_buffer_is_revoked(&t->buffer));
	buffer_unlock(t);
	buffer_test_unmap(importer);
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(importer), -ENODEV);
}

static void revoke_map_when_told(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer = buffer_test_native(t, 0, false);

	importer->on_notify = buffer_test_map_on_notify;
	buffer_test_revoke(t);
	KUNIT_EXPECT_EQ(test, importer->result, -EBUSY);
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(importer), -ENODEV);
}

static void revoke_wait_without_tables(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer = buffer_test_native(t, 0, true);

	KUNIT_EXPECT_EQ(test, mock_mapped(), 1);
	buffer_test_revoke(t);
	/* The window is unmapped once no table refers to the memory. */
	KUNIT_EXPECT_EQ(test, mock_mapped(), 1);
	phyr_buffer_revoke_wait(&t->buffer);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
	/* The list of the stale mapping held the last reference. */
	buffer_test_unmap(importer);
	KUNIT_EXPECT_EQ(test, kref_read(&t->bar->ref), 1);
}

static void revoke_wait_until_stock_tables_are_unmapped(struct kunit *test)
{
	struct buffer_importer *first, *second;
	struct buffer_waiter waiter = {};
	struct buffer_test *t = test->priv;

	mock.iommu = true;
	first = buffer_test_stock(t, 0, &buffer_test_revocable_ops, true);
	second = buffer_test_stock(t, 1, &buffer_test_revocable_ops, true);
	buffer_test_revoke(t);
	KUNIT_EXPECT_EQ(test, first->notified, 1);
	KUNIT_EXPECT_EQ(test, second->notified, 1);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 2);

	buffer_test_start_waiter(&waiter, t);
	KUNIT_EXPECT_FALSE(test, completion_done(&waiter.done));
	/* The waiter does not hold the lock; one unmap does not wake it. */
	buffer_test_unmap(first);
	KUNIT_EXPECT_FALSE(test, completion_done(&waiter.done));
	KUNIT_EXPECT_EQ(test, t->buffer.tables, 1);
	buffer_test_unmap(second);
	buffer_test_end_waiter(&waiter);
	KUNIT_EXPECT_EQ(test, waiter.mapped, 0);
}

/* System memory outlives the device. */
static void revoke_wait_not_for_system_memory(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_waiter waiter = {};

	buffer_test_stock(t, 0, NULL, true);
	KUNIT_EXPECT_TRUE(test, t->in_system);
	KUNIT_EXPECT_EQ(test, t->buffer.tables, 0);
	buffer_test_revoke(t);
	buffer_test_start_waiter(&waiter, t);
	buffer_test_end_waiter(&waiter);
	KUNIT_EXPECT_EQ(test, waiter.mapped, BUFFER_EXTENTS);
}

static void rearm_after_a_reset(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *native, *stock;

	native = buffer_test_native(t, 0, true);
	stock = buffer_test_stock(t, 1, &buffer_test_revocable_ops, true);
	stock->on_notify = buffer_test_unmap_locked;
	buffer_test_revoke(t);
	phyr_buffer_revoke_wait(&t->buffer);
	buffer_test_unmap(native);
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(native), -ENODEV);
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(stock), -ENODEV);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);

	buffer_lock(t);
	phyr_buffer_rearm(&t->buffer);
	KUNIT_EXPECT_FALSE(test, phyr_buffer_is_revoked(&t->buffer));
	buffer_unlock(t);

	/* The list and the routes are created again. */
	mock_forget();
	mock.dma_offset = SZ_1G;
	KUNIT_ASSERT_EQ(test, buffer_test_try_map(native), 0);
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(stock), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_DISTANCE), 1);
	KUNIT_EXPECT_EQ(test, t->described, 2);
	buffer_test_expect_extents(t, native->ranges, BUFFER_BAR + SZ_1G);

	/* It can be revoked again. */
	stock->notified = 0;
	buffer_test_revoke(t);
	KUNIT_EXPECT_EQ(test, stock->notified, 1);
	phyr_buffer_revoke_wait(&t->buffer);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

static struct kunit_case buffer_test_cases[] = {
	KUNIT_CASE(buffer_list_asks_once_per_place),
	KUNIT_CASE(buffer_list_exporter_fails),
	KUNIT_CASE_PARAM(buffer_each_step_in_each_state,
			 buffer_step_gen_params),
	KUNIT_CASE(buffer_functions_assert_the_lock),
	KUNIT_CASE(buffer_dma_bufs_are_counted),
	KUNIT_CASE(buffer_fini_with_a_dma_buf_left),
	KUNIT_CASE(buffer_fini_puts_its_list),
	KUNIT_CASE(buffer_is_mapped_while_it_is),
	KUNIT_CASE(move_tells_every_importer_of_every_dma_buf),
	KUNIT_CASE(move_after_a_dma_buf_is_gone),
	KUNIT_CASE(move_tells_then_waits_then_unmaps),
	KUNIT_CASE(move_waits_before_it_tells),
	KUNIT_CASE(move_no_wait_with_a_fence),
	KUNIT_CASE(move_interrupted_by_a_signal),
	KUNIT_CASE(move_maps_nothing_in_between),
	KUNIT_CASE(move_importer_unmaps_when_told),
	KUNIT_CASE(move_leaves_memory_to_free),
	KUNIT_CASE(move_and_a_walk_through_a_window),
	KUNIT_CASE(move_leaves_stock_tables_mapped),
	KUNIT_CASE(move_then_map_finds_the_new_place),
	KUNIT_CASE(move_to_another_memory),
	KUNIT_CASE(revoke_tells_then_waits_then_unmaps),
	KUNIT_CASE(revoke_map_when_told),
	KUNIT_CASE(revoke_wait_without_tables),
	KUNIT_CASE(revoke_wait_until_stock_tables_are_unmapped),
	KUNIT_CASE(revoke_wait_not_for_system_memory),
	KUNIT_CASE(rearm_after_a_reset),
	{}
};

static struct kunit_suite buffer_test_suite = {
	.name = "phyr_buffer",
	.init = buffer_test_init,
	.test_cases = buffer_test_cases,
};

kunit_test_suite(buffer_test_suite);

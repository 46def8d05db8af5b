// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: exporters and importers that break the rules
 *
 * The core must report the fault and keep everything else working: no invalid
 * access, no leak, no wait without end.
 */
#include "redirect.h"
#include "buffer_fixture.h"
#include "stock_fixture.h"

#include <linux/delay.h>

/*
 * Exporters
 */

/**
 * struct bad_list - what describe() returns
 * @name: description
 * @null: no list
 * @unfinished: a list that is not finished
 * @extents: number of extents in the list
 */
struct bad_list {
	const char *name;
	bool null;
	bool unfinished;
	unsigned int extents;
};

static const struct bad_list bad_lists[] = {
	{ "too short", .extents = BUFFER_EXTENTS - 1 },
	{ "too long", .extents = BUFFER_EXTENTS + 1 },
	{ "unfinished", .extents = BUFFER_EXTENTS, .unfinished = true },
	{ "unfinished empty", .unfinished = true },
	{ "no list", .null = true },
};

KUNIT_ARRAY_PARAM_DESC(bad_list, bad_lists, name);

static struct phyr_list *hostile_describe(struct buffer_test *t)
{
	const struct bad_list *bad = t->test->param_value;
	struct phyr_list *list;
	unsigned int i;

	if (bad->null)
		return NULL;
	list = phyr_list_create();
	KUNIT_ASSERT_FALSE(t->test, IS_ERR(list));
	for (i = 0; i < bad->extents; i++)
		KUNIT_EXPECT_EQ(t->test, phyr_list_append(list, t->bar,
							  BUFFER_BAR +
							  i * BUFFER_STRIDE,
							  SZ_4K), 0);
	if (!bad->unfinished)
		KUNIT_EXPECT_EQ(t->test, phyr_list_finish(list,
							  bad->extents * SZ_4K,
							  "hostile"), 0);
	return list;
}

static void attach_checks_the_list(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer = buffer_test_importer(t);
	unsigned int before = mock_allocated();

	t->describe = hostile_describe;
	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, buffer_test_try_native(importer,
							     t->dmabufs[0]),
				-EINVAL);
		KUNIT_EXPECT_EQ(test, buffer_test_try_stock(importer,
							    t->dmabufs[0],
							    NULL), -EINVAL);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 2);
	}
	KUNIT_EXPECT_EQ(test, mock_allocated(), before);

	/* Nothing of it is kept. */
	t->describe = NULL;
	KUNIT_EXPECT_EQ(test, buffer_test_try_native(importer, t->dmabufs[0]),
			0);
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(importer), 0);
}

static void map_checks_the_list(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *native = buffer_test_native(t, 0, false);
	struct buffer_importer *stock;

	stock = buffer_test_stock(t, 1, &buffer_test_revocable_ops, false);
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
	t->describe = hostile_describe;
	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, buffer_test_try_map(native), -EINVAL);
		KUNIT_EXPECT_EQ(test, buffer_test_try_map(stock), -EINVAL);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 2);
	}
	KUNIT_EXPECT_EQ(test, t->buffer.tables, 0);

	t->describe = NULL;
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(native), 0);
	buffer_test_expect_extents(t, native->ranges, BUFFER_BAR + SZ_1M);
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(stock), 0);
}

/* The device disappears while the exporter describes. */
static struct phyr_list *hostile_describe_revokes(struct buffer_test *t)
{
	struct phyr_list *list;

	t->describe = NULL;
	list = t->buffer.ops->describe(&t->buffer);
	phyr_buffer_revoke(&t->buffer);
	return list;
}

static struct phyr_list *hostile_describe_moves(struct buffer_test *t)
{
	struct phyr_list *list;

	t->describe = NULL;
	list = t->buffer.ops->describe(&t->buffer);
	KUNIT_EXPECT_EQ(t->test, phyr_buffer_move_begin(&t->buffer, false,
							false), 0);
	return list;
}

static void describe_changes_the_state(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer = buffer_test_native(t, 0, false);

	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
	t->describe = hostile_describe_moves;
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(importer), -EBUSY);
	buffer_test_unmap(importer);
	buffer_lock(t);
	phyr_buffer_move_end(&t->buffer);
	buffer_unlock(t);

	t->describe = hostile_describe_revokes;
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(importer), -ENODEV);
}

/* For an importer that takes RAM only, and for a static one. */
static void pin_system_lies(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer = buffer_test_ram_only(t);

	t->pin_lies = true;
	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, buffer_test_try_native(importer,
							     t->dmabufs[0]),
				-EINVAL);
		KUNIT_EXPECT_EQ(test, buffer_test_try_stock(importer,
							    t->dmabufs[0],
							    NULL), -EINVAL);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 2);
	}
	KUNIT_EXPECT_EQ(test, t->pins, 0);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

/*
 * Importers that map in their invalidate callback
 */

static void hostile_map(struct buffer_importer *importer,
			struct phyr_attachment *attach)
{
	struct dma_range_list *ranges;

	ranges = phyr_map(attach, 0, SZ_4K, DMA_TO_DEVICE);
	importer->result = PTR_ERR_OR_ZERO(ranges);
	if (!importer->result)
		phyr_unmap(attach, ranges);
}

static void hostile_map_on_notify(struct buffer_importer *importer)
{
	hostile_map(importer, importer->notified_by);
}

static void hostile_map_other_on_notify(struct buffer_importer *importer)
{
	hostile_map(importer, importer->other->native);
}

static void from_stock_map_in_invalidate(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct stock_test *stock = stock_test_create(test);
	struct buffer_importer *importer = stock_test_import(t, stock);

	importer->on_notify = hostile_map_on_notify;
	stock_test_invalidate(stock);
	KUNIT_EXPECT_EQ(test, importer->notified, 1);
	KUNIT_EXPECT_EQ(test, importer->result, -EBUSY);

	/* It is over when the callback has returned. */
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(importer), 0);
}

/* One of the two has been invalidated and unmapped before. */
static void from_stock_map_other_in_invalidate(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct stock_test *stock = stock_test_create(test);
	struct buffer_importer *first = stock_test_import(t, stock);
	struct buffer_importer *second = stock_test_import(t, stock);

	first->other = second;
	first->on_notify = hostile_map_other_on_notify;
	second->other = first;
	second->on_notify = hostile_map_other_on_notify;
	stock_test_invalidate(stock);
	KUNIT_EXPECT_EQ(test, first->result, -EBUSY);
	KUNIT_EXPECT_EQ(test, second->result, -EBUSY);
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(first), 0);
}

static void map_other_in_invalidate(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *first = buffer_test_native(t, 0, false);
	struct buffer_importer *second = buffer_test_native(t, 1, false);

	first->other = second;
	first->on_notify = hostile_map_other_on_notify;
	second->other = first;
	second->on_notify = hostile_map_other_on_notify;
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
	KUNIT_EXPECT_EQ(test, first->result, -EBUSY);
	KUNIT_EXPECT_EQ(test, second->result, -EBUSY);
	first->result = 0;
	second->result = 0;
	buffer_test_revoke(t);
	KUNIT_EXPECT_EQ(test, first->result, -EBUSY);
	KUNIT_EXPECT_EQ(test, second->result, -EBUSY);
}

static void hostile_invalidate_stock(void *stock)
{
	stock_test_invalidate(stock);
}

/* Another thread moves the buffer before phyr_attach() returns. */
static void from_stock_invalidate_during_attach(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct stock_test *stock = stock_test_create(test);
	struct buffer_importer *importer = buffer_test_importer(t);

	importer->on_notify = hostile_map_on_notify;
	mock.attached = hostile_invalidate_stock;
	mock.arg = stock;
	KUNIT_EXPECT_EQ(test, buffer_test_try_native(importer, stock->dmabuf),
			0);
	mock.attached = NULL;
	KUNIT_EXPECT_EQ(test, importer->notified, 1);
	KUNIT_EXPECT_EQ(test, importer->result, -EBUSY);
	KUNIT_EXPECT_PTR_EQ(test, importer->notified_by, importer->native);
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(importer), 0);
}

static void hostile_move(void *t)
{
	buffer_test_move(t);
}

static void invalidate_during_attach(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer = buffer_test_importer(t);

	importer->on_notify = hostile_map_on_notify;
	mock.attached = hostile_move;
	mock.arg = t;
	KUNIT_EXPECT_EQ(test, buffer_test_try_native(importer, t->dmabufs[0]),
			0);
	mock.attached = NULL;
	KUNIT_EXPECT_EQ(test, importer->notified, 1);
	KUNIT_EXPECT_EQ(test, importer->result, -EBUSY);
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(importer), 0);
}

/*
 * Importers that add a fence in their invalidate callback
 */

static void hostile_fence_on_notify(struct buffer_importer *importer)
{
	buffer_test_add_fence_locked(importer->t, &importer->t->resv);
}

/* Keep a wait that must not happen from hanging the case. */
static void hostile_end_wait(void *data)
{
	struct buffer_test *t = data;

	if (t->fence && !mock_nth(MOCK_WAIT, mock_count(MOCK_WAIT))->dir)
		dma_fence_signal(t->fence);
}

static void move_no_wait_importer_adds_a_fence(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;

	mock.iommu = true;
	importer = buffer_test_native(t, 0, true);
	importer->on_notify = hostile_fence_on_notify;
	mock.before_wait = hostile_end_wait;
	mock.arg = t;
	buffer_lock(t);
	KUNIT_EXPECT_EQ(test, phyr_buffer_move_begin(&t->buffer, false, true),
			-EBUSY);
	buffer_unlock(t);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_WAIT), 0);
	KUNIT_EXPECT_EQ(test, buffer_test_state(t), PHYR_BUFFER_LIVE);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 1);

	importer->on_notify = NULL;
	dma_fence_signal(t->fence);
	buffer_lock(t);
	KUNIT_EXPECT_EQ(test, phyr_buffer_move_begin(&t->buffer, false, true),
			0);
	phyr_buffer_move_end(&t->buffer);
	buffer_unlock(t);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

/* The importer was notified for nothing; its mapping is still valid. */
static void move_interrupted_importer_adds_a_fence(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;
	int ret;

	mock.iommu = true;
	importer = buffer_test_native(t, 0, true);
	importer->on_notify = hostile_fence_on_notify;
	mock.before_wait = hostile_end_wait;
	mock.arg = t;
	buffer_lock(t);
	set_tsk_thread_flag(current, TIF_SIGPENDING);
	ret = phyr_buffer_move_begin(&t->buffer, true, false);
	clear_tsk_thread_flag(current, TIF_SIGPENDING);
	buffer_unlock(t);
	KUNIT_EXPECT_EQ(test, ret, -ERESTARTSYS);
	KUNIT_EXPECT_EQ(test, importer->notified, 1);
	KUNIT_EXPECT_EQ(test, buffer_test_state(t), PHYR_BUFFER_LIVE);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 1);
	KUNIT_EXPECT_EQ(test, dma_range_list_len(importer->ranges),
			BUFFER_SIZE);
}

/*
 * Importers that detach without unmapping
 */

static void from_stock_detach_with_a_mapping_left(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct stock_test *stock = stock_test_create(test);
	struct buffer_importer *importer = stock_test_import(t, stock);

	KUNIT_ASSERT_EQ(test, buffer_test_try_map(importer), 0);
	importer->ranges = NULL;
	kunit_warning_suppress(test) {
		buffer_test_end_importer(importer);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_EQ(test, stock->mapped, 0);
}

/*
 * Map as dma_buf_map_attachment() does, but without the copy that a kernel with
 * DMABUF_DEBUG gives to the importer: the importer would lose it.
 */
static void hostile_map_table(struct buffer_importer *importer)
{
	struct dma_buf_attachment *attach = importer->stock;
	struct sg_table *sgt;

	dma_resv_lock(attach->dmabuf->resv, NULL);
	if (!attach->importer_ops)
		attach->dmabuf->ops->pin(attach);
	sgt = phyr_dma_buf_map(attach, DMA_FROM_DEVICE);
	dma_resv_unlock(attach->dmabuf->resv);
	KUNIT_EXPECT_FALSE(importer->t->test, IS_ERR(sgt));
}

static void detach_with_a_table_left(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer, *other;
	struct buffer_waiter waiter = {};

	mock.iommu = true;
	importer = buffer_test_stock(t, 0, &buffer_test_revocable_ops, false);
	other = buffer_test_stock(t, 1, &buffer_test_revocable_ops, true);
	hostile_map_table(importer);
	hostile_map_table(importer);
	KUNIT_EXPECT_EQ(test, t->buffer.tables, 3);
	buffer_test_revoke(t);
	buffer_test_start_waiter(&waiter, t);
	KUNIT_EXPECT_FALSE(test, completion_done(&waiter.done));
	kunit_warning_suppress(test) {
		buffer_test_end_importer(importer);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_EQ(test, t->buffer.tables, 1);
	KUNIT_EXPECT_FALSE(test, completion_done(&waiter.done));
	buffer_test_unmap(other);
	buffer_test_end_waiter(&waiter);
	KUNIT_EXPECT_EQ(test, waiter.mapped, 0);
}

/* The dma-buf core pinned the buffer for the table. */
static void detach_static_with_a_table_left(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;

	importer = buffer_test_stock(t, 0, NULL, false);
	hostile_map_table(importer);
	KUNIT_EXPECT_EQ(test, buffer_test_place_pins(t), 1);
	kunit_warning_suppress(test) {
		buffer_test_end_importer(importer);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
	KUNIT_EXPECT_EQ(test, t->pins, 0);
	KUNIT_EXPECT_EQ(test, buffer_test_place_pins(t), 0);
}

/*
 * Importers that unmap late
 */

static void revoke_wait_names_the_importer(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *late;
	struct buffer_waiter waiter = {};
	struct device *dev = &t->pdev->dev;
	int tries;

	mock.iommu = true;
	late = buffer_test_stock(t, 0, &buffer_test_revocable_ops, true);
	/* These are not what it waits for. */
	t->pdev = mock_pci_dev(test, "other", t->bus, ~0ULL);
	buffer_test_stock(t, 0, &buffer_test_revocable_ops, false);
	buffer_test_native(t, 1, true);
	buffer_test_revoke(t);
	mock_forget();
	buffer_test_start_waiter(&waiter, t);
	for (tries = 0; tries < 600 && !mock_count(MOCK_WARN); tries++)
		msleep(100);
	KUNIT_EXPECT_FALSE(test, completion_done(&waiter.done));
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_WARN), 1);
	if (mock_count(MOCK_WARN))
		KUNIT_EXPECT_PTR_EQ(test, mock_nth(MOCK_WARN, 1)->who,
				    (const void *)dev);
	buffer_test_unmap(late);
	buffer_test_end_waiter(&waiter);
}

static struct kunit_case hostile_test_cases[] = {
	KUNIT_CASE(describe_changes_the_state),
	KUNIT_CASE(pin_system_lies),
	KUNIT_CASE(from_stock_map_in_invalidate),
	KUNIT_CASE(from_stock_map_other_in_invalidate),
	KUNIT_CASE(map_other_in_invalidate),
	KUNIT_CASE(invalidate_during_attach),
	KUNIT_CASE(move_no_wait_importer_adds_a_fence),
	KUNIT_CASE(move_interrupted_importer_adds_a_fence),
	KUNIT_CASE(from_stock_detach_with_a_mapping_left),
	KUNIT_CASE(detach_with_a_table_left),
	KUNIT_CASE(detach_static_with_a_table_left),
	KUNIT_CASE_SLOW(revoke_wait_names_the_importer),
	KUNIT_CASE_PARAM(attach_checks_the_list, bad_list_gen_params),
	KUNIT_CASE_PARAM(map_checks_the_list, bad_list_gen_params),
	KUNIT_CASE(from_stock_invalidate_during_attach),
	{}
};

static struct kunit_suite hostile_test_suite = {
	.name = "phyr_hostile",
	.init = buffer_test_init,
	.test_cases = hostile_test_cases,
};

kunit_test_suite(hostile_test_suite);

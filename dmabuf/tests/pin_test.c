// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: pin.c, pins that importers ask for
 */
#include "redirect.h"
#include "../pin.c"
#include "buffer_fixture.h"
#include "stock_fixture.h"

/* Pin as the importer does, native or stock. */
static int pin_test_pin(struct buffer_importer *importer)
{
	struct dma_buf_attachment *attach = importer->native ?
		importer->native->attach : importer->stock;
	int ret;

	dma_resv_lock(attach->dmabuf->resv, NULL);
	ret = importer->native ? phyr_pin(importer->native) :
				 dma_buf_pin(attach);
	dma_resv_unlock(attach->dmabuf->resv);
	return ret;
}

static void pin_test_unpin(struct buffer_importer *importer)
{
	struct dma_buf_attachment *attach = importer->native ?
		importer->native->attach : importer->stock;

	dma_resv_lock(attach->dmabuf->resv, NULL);
	if (importer->native)
		phyr_unpin(importer->native);
	else
		dma_buf_unpin(attach);
	dma_resv_unlock(attach->dmabuf->resv);
}

/* The exporter has no pin callback: the core keeps the buffer where it is. */
static void pin_counted_by_the_core(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *native, *stock;

	buffer_test_use_ops(t, &buffer_test_ops_fixed);
	native = buffer_test_native(t, 0, true);
	stock = buffer_test_stock(t, 1, &buffer_test_revocable_ops, false);
	KUNIT_EXPECT_EQ(test, pin_test_pin(native), 0);
	KUNIT_EXPECT_EQ(test, pin_test_pin(native), 0);
	KUNIT_EXPECT_EQ(test, pin_test_pin(stock), 0);
	KUNIT_EXPECT_EQ(test, t->buffer.pins, 3);
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), -EBUSY);
	KUNIT_EXPECT_EQ(test, native->notified, 0);

	pin_test_unpin(native);
	pin_test_unpin(stock);
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), -EBUSY);
	pin_test_unpin(native);
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
	KUNIT_EXPECT_EQ(test, native->notified, 1);
}

/* The exporter has one: it decides, and moves the buffer for a suspend. */
static void pin_counted_by_the_exporter(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *native, *stock;

	buffer_test_use_ops(t, &buffer_test_ops);
	native = buffer_test_native(t, 0, true);
	stock = buffer_test_stock(t, 1, &buffer_test_revocable_ops, false);
	KUNIT_EXPECT_EQ(test, pin_test_pin(native), 0);
	KUNIT_EXPECT_EQ(test, pin_test_pin(stock), 0);
	KUNIT_EXPECT_EQ(test, t->place_pins, 2);
	KUNIT_EXPECT_EQ(test, t->pins, 0);
	KUNIT_EXPECT_FALSE(test, t->in_system);

	KUNIT_EXPECT_EQ(test, buffer_test_move_to(t, true), 0);
	KUNIT_EXPECT_EQ(test, native->notified, 1);
	KUNIT_EXPECT_EQ(test, t->place_pins, 2);
	buffer_test_unmap(native);
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(native), 0);
	pin_test_unpin(native);
	pin_test_unpin(stock);
	KUNIT_EXPECT_EQ(test, t->place_pins, 0);
}

static void pin_exporter_fails(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;

	buffer_test_use_ops(t, &buffer_test_ops);
	importer = buffer_test_native(t, 0, false);
	t->place_err = -ENOMEM;
	KUNIT_EXPECT_EQ(test, pin_test_pin(importer), -ENOMEM);
	KUNIT_EXPECT_EQ(test, importer->native->pins, 0);

	t->place_err = 0;
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
	t->describe_err = -EIO;
	KUNIT_EXPECT_EQ(test, pin_test_pin(importer), -EIO);
	KUNIT_EXPECT_EQ(test, t->place_pins, 0);
}

/*
 * Twice: an error path of the importer runs after the unpin that it undoes. Only
 * the native importer's is worth a warning: stock drivers do it, too.
 */
static void unpin_twice(struct kunit *test)
{
	struct buffer_importer *native, *stock, *other;
	struct buffer_test *t = test->priv;

	buffer_test_use_ops(t, &buffer_test_ops);
	native = buffer_test_native(t, 0, false);
	stock = buffer_test_stock(t, 1, &buffer_test_revocable_ops, false);
	other = buffer_test_native(t, 1, false);
	KUNIT_EXPECT_EQ(test, pin_test_pin(native), 0);
	KUNIT_EXPECT_EQ(test, pin_test_pin(stock), 0);
	KUNIT_EXPECT_EQ(test, pin_test_pin(other), 0);
	pin_test_unpin(native);
	pin_test_unpin(stock);
	kunit_warning_suppress(test) {
		pin_test_unpin(native);
		pin_test_unpin(stock);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	/* The other importer keeps its pin. */
	KUNIT_EXPECT_EQ(test, t->place_pins, 1);
	pin_test_unpin(other);
	KUNIT_EXPECT_EQ(test, t->place_pins, 0);
}

static void detach_with_a_pin_left(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *native, *stock;

	buffer_test_use_ops(t, &buffer_test_ops);
	native = buffer_test_native(t, 0, true);
	stock = buffer_test_stock(t, 1, &buffer_test_revocable_ops, true);
	KUNIT_EXPECT_EQ(test, pin_test_pin(native), 0);
	KUNIT_EXPECT_EQ(test, pin_test_pin(native), 0);
	KUNIT_EXPECT_EQ(test, pin_test_pin(stock), 0);
	kunit_warning_suppress(test) {
		buffer_test_end_importer(native);
		buffer_test_end_importer(stock);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_EQ(test, t->place_pins, 0);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

/* A pin outlives a revoke, and can be undone at any time. */
static void pin_and_revoke(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer, *other;

	buffer_test_use_ops(t, &buffer_test_ops_fixed);
	importer = buffer_test_native(t, 0, true);
	other = buffer_test_native(t, 1, false);
	KUNIT_EXPECT_EQ(test, pin_test_pin(importer), 0);
	KUNIT_EXPECT_EQ(test, pin_test_pin(other), 0);
	buffer_test_revoke(t);
	KUNIT_EXPECT_EQ(test, importer->notified, 1);
	phyr_buffer_revoke_wait(&t->buffer);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);

	KUNIT_EXPECT_EQ(test, pin_test_pin(importer), -ENODEV);
	pin_test_unpin(other);
	buffer_test_unmap(importer);
	buffer_lock(t);
	phyr_buffer_rearm(&t->buffer);
	buffer_unlock(t);
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(importer), 0);
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), -EBUSY);
	pin_test_unpin(importer);
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
}

static void pin_on_notify(struct buffer_importer *importer)
{
	importer->result = phyr_pin(importer->native);
}

static void pin_other_on_notify(struct buffer_importer *importer)
{
	importer->result = phyr_pin(importer->other->native);
}

static void pin_in_invalidate(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;

	buffer_test_use_ops(t, &buffer_test_ops);
	importer = buffer_test_native(t, 0, true);
	importer->on_notify = pin_on_notify;
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
	KUNIT_EXPECT_EQ(test, importer->result, -EBUSY);
	importer->result = 0;
	buffer_test_revoke(t);
	KUNIT_EXPECT_EQ(test, importer->result, -EBUSY);
	KUNIT_EXPECT_EQ(test, t->place_pins, 0);
}

/* As a map does, a pin moves the buffer to where the device reaches it. */
static void pin_after_reach_is_lost(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;

	buffer_test_use_ops(t, &buffer_test_ops_silent);
	t->in_system = true;
	mock.distance = -1;
	importer = buffer_test_native(t, 0, false);
	KUNIT_EXPECT_EQ(test, buffer_test_move_to(t, false), 0);
	t->pin_err = -EBUSY;
	KUNIT_EXPECT_EQ(test, pin_test_pin(importer), -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, t->place_pins, 0);

	t->pin_err = 0;
	KUNIT_EXPECT_EQ(test, pin_test_pin(importer), 0);
	KUNIT_EXPECT_TRUE(test, t->in_system);
	KUNIT_EXPECT_EQ(test, t->place_pins, 1);
	pin_test_unpin(importer);
	KUNIT_EXPECT_EQ(test, t->place_pins, 0);
	/* It stays there until the detach. */
	KUNIT_EXPECT_EQ(test, t->pins, 1);
}

static void pin_ram_only(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;

	buffer_test_use_ops(t, &buffer_test_ops);
	importer = buffer_test_ram_only(t);
	KUNIT_ASSERT_EQ(test, buffer_test_try_native(importer, t->dmabufs[0]),
			0);
	KUNIT_EXPECT_TRUE(test, t->in_system);
	KUNIT_EXPECT_EQ(test, pin_test_pin(importer), 0);
	KUNIT_EXPECT_EQ(test, t->place_pins, 1);
	KUNIT_EXPECT_EQ(test, t->pins, 1);
	pin_test_unpin(importer);
}

static void pin_from_stock(struct kunit *test)
{
	struct buffer_importer *importer, *other;
	struct buffer_test *t = test->priv;
	struct stock_test *stock = stock_test_create(test);

	importer = stock_test_import(t, stock);
	other = stock_test_import(t, stock);
	stock->pin_err = -ENOSPC;
	KUNIT_EXPECT_EQ(test, pin_test_pin(importer), -ENOSPC);
	stock->pin_err = 0;
	KUNIT_EXPECT_EQ(test, pin_test_pin(importer), 0);
	KUNIT_EXPECT_EQ(test, pin_test_pin(importer), 0);
	KUNIT_EXPECT_EQ(test, pin_test_pin(other), 0);
	KUNIT_EXPECT_EQ(test, stock->pins, 3);
	pin_test_unpin(other);
	kunit_warning_suppress(test) {
		pin_test_unpin(other);
		buffer_test_end_importer(importer);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 2);
	}
	KUNIT_EXPECT_EQ(test, stock->pins, 0);

	/* The exporter is about to move it. */
	importer = stock_test_import(t, stock);
	importer->other = other;
	importer->on_notify = pin_other_on_notify;
	stock_test_invalidate(stock);
	KUNIT_EXPECT_EQ(test, importer->result, -EBUSY);
	KUNIT_EXPECT_EQ(test, stock->pins, 0);
}

static void pin_asserts_the_lock(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;

	if (!IS_ENABLED(CONFIG_PROVE_LOCKING))
		kunit_skip(test, "lockdep is needed to see it");

	buffer_test_use_ops(t, &buffer_test_ops_fixed);
	importer = buffer_test_native(t, 0, false);
	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, phyr_pin(importer->native), 0);
		KUNIT_EXPECT_GE(test, KUNIT_SUPPRESSED_WARNING_COUNT(), 1);
	}
	kunit_warning_suppress(test) {
		phyr_unpin(importer->native);
		KUNIT_EXPECT_GE(test, KUNIT_SUPPRESSED_WARNING_COUNT(), 1);
	}
}

static struct kunit_case pin_test_cases[] = {
	KUNIT_CASE(pin_counted_by_the_core),
	KUNIT_CASE(pin_counted_by_the_exporter),
	KUNIT_CASE(pin_exporter_fails),
	KUNIT_CASE(unpin_twice),
	KUNIT_CASE(detach_with_a_pin_left),
	KUNIT_CASE(pin_and_revoke),
	KUNIT_CASE(pin_in_invalidate),
	KUNIT_CASE(pin_after_reach_is_lost),
	KUNIT_CASE(pin_ram_only),
	KUNIT_CASE(pin_from_stock),
	KUNIT_CASE(pin_asserts_the_lock),
	{}
};

static struct kunit_suite pin_test_suite = {
	.name = "phyr_pin",
	.init = buffer_test_prepare,
	.test_cases = pin_test_cases,
};

kunit_test_suite(pin_test_suite);

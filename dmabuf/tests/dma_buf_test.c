// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: dma_buf.c and attachment.c, attachments and mappings of a buffer
 */
#include "redirect.h"
#include "../attachment.c"
#include "../dma_buf.c"
#include "buffer_fixture.h"
#include "stock_fixture.h"

/*
 * Negotiation
 */

enum buffer_kind {
	NATIVE,
	STATIC,
	DYNAMIC,
	PEER,
	REVOCABLE,
};

static const struct dma_buf_attach_ops *const buffer_kind_ops[] = {
	[DYNAMIC] = &buffer_test_dynamic_ops,
	[PEER] = &buffer_test_peer_ops,
	[REVOCABLE] = &buffer_test_revocable_ops,
};

/**
 * struct buffer_negotiation - an attach and its expected result
 * @name: description
 * @kind: importer
 * @fixed: the exporter has no pin_system
 * @unreachable: the importer's device does not reach the BAR
 * @pin_err: error of pin_system, or 0
 * @no_mask: the device has no DMA mask
 * @ret: expected result of the attach
 * @pinned: the buffer is expected to be pinned in system memory
 */
struct buffer_negotiation {
	const char *name;
	enum buffer_kind kind;
	bool fixed;
	bool unreachable;
	int pin_err;
	bool no_mask;
	int ret;
	bool pinned;
};

static const struct buffer_negotiation buffer_negotiations[] = {
	{ "native", NATIVE },
	{ "native fixed", NATIVE, .fixed = true },
	{ "native unreachable", NATIVE, .unreachable = true, .pinned = true },
	{ "native unreachable fixed", NATIVE, .unreachable = true,
	  .fixed = true, .ret = -EREMOTEIO },
	{ "native unreachable pin busy", NATIVE, .unreachable = true,
	  .pin_err = -EBUSY, .ret = -EREMOTEIO },
	{ "native unreachable pin no memory", NATIVE, .unreachable = true,
	  .pin_err = -ENOMEM, .ret = -ENOMEM },
	{ "native unreachable interrupted", NATIVE, .unreachable = true,
	  .pin_err = -ERESTARTSYS, .ret = -ERESTARTSYS },
	{ "native without mask", NATIVE, .no_mask = true, .ret = -EINVAL },
	{ "static", STATIC, .pinned = true },
	{ "static fixed", STATIC, .fixed = true, .ret = -EBUSY },
	{ "static pin busy", STATIC, .pin_err = -EBUSY, .ret = -EBUSY },
	{ "static pin no space", STATIC, .pin_err = -ENOSPC, .ret = -ENOSPC },
	{ "static interrupted", STATIC, .pin_err = -ERESTARTSYS,
	  .ret = -ERESTARTSYS },
	{ "static without mask", STATIC, .no_mask = true, .ret = -EINVAL },
	{ "dynamic", DYNAMIC, .pinned = true },
	{ "dynamic fixed", DYNAMIC, .fixed = true, .ret = -EBUSY },
	{ "peer", PEER, .pinned = true },
	{ "peer fixed", PEER, .fixed = true, .ret = -EBUSY },
	{ "revocable", REVOCABLE },
	{ "revocable fixed", REVOCABLE, .fixed = true },
	{ "revocable unreachable", REVOCABLE, .unreachable = true,
	  .pinned = true },
	{ "revocable unreachable fixed", REVOCABLE, .unreachable = true,
	  .fixed = true, .ret = -EREMOTEIO },
	{ "revocable unreachable pin busy", REVOCABLE, .unreachable = true,
	  .pin_err = -EBUSY, .ret = -EREMOTEIO },
	{ "revocable without mask", REVOCABLE, .no_mask = true,
	  .ret = -EINVAL },
};

static void buffer_negotiation_desc(const struct buffer_negotiation *n,
				    char *desc)
{
	strscpy(desc, n->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(buffer_negotiation, buffer_negotiations, buffer_negotiation_desc);

static void attach_negotiates(struct kunit *test)
{
	const struct buffer_negotiation *n = test->param_value;
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;
	unsigned int before;
	int ret;

	buffer_test_use_ops(t, n->fixed ? &buffer_test_ops_fixed :
					     &buffer_test_ops);
	mock.distance = n->unreachable ? -1 : 0;
	t->pin_err = n->pin_err;
	if (n->no_mask)
		t->pdev->dev.dma_mask = NULL;
	buffer_lock(t);
	KUNIT_EXPECT_FALSE(test, IS_ERR(phyr_buffer_get_list(&t->buffer)));
	buffer_unlock(t);
	before = mock_allocated();

	importer = buffer_test_importer(t);
	ret = n->kind == NATIVE ?
		buffer_test_try_native(importer, t->dmabufs[0]) :
		buffer_test_try_stock(importer, t->dmabufs[0],
				      buffer_kind_ops[n->kind]);
	KUNIT_EXPECT_EQ(test, ret, n->ret);
	KUNIT_EXPECT_EQ(test, t->pins, n->pinned);
	if (n->ret) {
		KUNIT_EXPECT_TRUE(test, list_empty(&t->buffer.attachments));
		KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
		if (!t->in_system)
			KUNIT_EXPECT_EQ(test, mock_allocated(), before);
	} else {
		KUNIT_EXPECT_EQ(test, buffer_test_try_map(importer), 0);
	}

	buffer_test_end_importer(importer);
	KUNIT_EXPECT_EQ(test, t->pins, 0);
	KUNIT_EXPECT_EQ(test, buffer_test_place_pins(t), 0);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

/*
 * An exporter that has system memory only needs no pin_system. Its buffer stays
 * where it is while a static importer is attached.
 */
static void attach_static_without_pin_system(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;

	t->in_system = true;
	buffer_test_use_ops(t, &buffer_test_ops_fixed);
	importer = buffer_test_importer(t);
	KUNIT_ASSERT_EQ(test, buffer_test_try_stock(importer, t->dmabufs[0],
						    NULL), 0);
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(importer), 0);
	KUNIT_EXPECT_EQ(test, t->buffer.tables, 0);
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), -EBUSY);
	KUNIT_EXPECT_EQ(test, mock_mapped(), BUFFER_EXTENTS);
	buffer_test_end_importer(importer);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);

	/* An importer that follows moves does not keep it there. */
	KUNIT_EXPECT_EQ(test, buffer_test_try_native(importer, t->dmabufs[0]),
			0);
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
}

static struct phyr_attachment *buffer_test_phyr(struct buffer_importer *i)
{
	return i->native ?: i->stock->priv;
}

static void attach_says_which_way_and_why(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct phyr_attachment *native, *stock, *pinned;
	struct buffer_importer *importer;

	native = buffer_test_phyr(buffer_test_native(t, 0, false));
	stock = buffer_test_phyr(buffer_test_stock(t, 0,
						   &buffer_test_revocable_ops,
						   false));
	KUNIT_EXPECT_EQ(test, native->kind, PHYR_KIND_NATIVE);
	KUNIT_EXPECT_EQ(test, stock->kind, PHYR_KIND_TO_STOCK);
	KUNIT_EXPECT_EQ(test, stock->limits.max_len, 0);
	KUNIT_EXPECT_STREQ(test, native->why, "both sides know phyr");
	KUNIT_EXPECT_STREQ(test, stock->why, "importer wants an sg_table");
	KUNIT_EXPECT_FALSE(test, native->pinned || stock->pinned);

	pinned = buffer_test_phyr(buffer_test_stock(t, 0, NULL, false));
	KUNIT_EXPECT_STREQ(test, pinned->why, "importer takes no peer memory");
	KUNIT_EXPECT_EQ(test, pinned->pinned, PHYR_PINNED_SYSTEM);
	pinned = buffer_test_phyr(buffer_test_stock(t, 0,
						    &buffer_test_peer_ops,
						    false));
	KUNIT_EXPECT_STREQ(test, pinned->why, "importer cannot be revoked");
	KUNIT_EXPECT_EQ(test, t->pins, 2);

	importer = buffer_test_ram_only(t);
	KUNIT_ASSERT_EQ(test, buffer_test_try_native(importer, t->dmabufs[0]),
			0);
	KUNIT_EXPECT_STREQ(test, importer->native->why,
			   "importer takes RAM only");
}

static void attach_checks_its_arguments(struct kunit *test)
{
	static const struct phyr_importer_ops no_invalidate;
	struct phyr_limits limits = { .boundary = 3 * SZ_4K };
	struct buffer_test *t = test->priv;
	struct device *dev = &t->pdev->dev;

	KUNIT_EXPECT_PTR_EQ(test, phyr_attach(t->dmabufs[0], dev, NULL, NULL,
					      NULL), ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test, phyr_attach(t->dmabufs[0], dev,
					      &no_invalidate, NULL, NULL),
			    ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test, phyr_attach(t->dmabufs[0], dev,
					      &buffer_test_native_ops, &limits,
					      NULL), ERR_PTR(-EINVAL));
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_ALLOC), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_ATTACH), 0);
}

static void attach_keeps_limits_and_priv(struct kunit *test)
{
	const struct phyr_limits limits = { .max_len = SZ_2K,
					    .boundary = SZ_4K };
	struct buffer_test *t = test->priv;
	struct phyr_attachment *attach;

	attach = phyr_attach(t->dmabufs[0], &t->pdev->dev,
			     &buffer_test_native_ops, &limits, t);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	KUNIT_EXPECT_PTR_EQ(test, phyr_attachment_priv(attach), t);
	KUNIT_EXPECT_EQ(test, attach->limits.max_len, SZ_2K);
	KUNIT_EXPECT_EQ(test, attach->limits.boundary, SZ_4K);
	phyr_detach(attach);
}

/* Whoever holds the lock may be waiting for a fence. */
static void attach_interrupted(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer = buffer_test_importer(t);
	struct buffer_holder holder;
	unsigned int before;
	int native, ret;

	for (native = 0; native < 2; native++) {
		buffer_test_start_holder(&holder, t);
		before = mock_allocated();
		set_tsk_thread_flag(current, TIF_SIGPENDING);
		ret = native ? buffer_test_try_native(importer, t->dmabufs[0]) :
			       buffer_test_try_stock(importer, t->dmabufs[0],
						     &buffer_test_peer_ops);
		clear_tsk_thread_flag(current, TIF_SIGPENDING);
		KUNIT_EXPECT_EQ(test, ret, -ERESTARTSYS);
		KUNIT_EXPECT_EQ(test, mock_allocated(), before);
		buffer_test_end_holder(&holder);
		KUNIT_EXPECT_TRUE(test, list_empty(&t->buffer.attachments));
		buffer_test_end_importer(importer);
	}
}

static void attach_decides_before_the_first_map(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer = buffer_test_native(t, 0, false);

	KUNIT_EXPECT_EQ(test, mock_count(MOCK_DISTANCE), 1);
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(importer), 0);
	buffer_test_unmap(importer);
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(importer), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_DISTANCE), 1);
}

/* Fail each allocation of an attach in turn; nothing may be left over. */
static void buffer_test_attach_sweep(struct buffer_test *t, bool native,
				     const struct dma_buf_attach_ops *ops)
{
	struct buffer_importer *importer = buffer_test_importer(t);
	unsigned int nth, before;
	int ret;

	/* Create the list first: the buffer keeps it. */
	buffer_lock(t);
	KUNIT_EXPECT_FALSE(t->test, IS_ERR(phyr_buffer_get_list(&t->buffer)));
	buffer_unlock(t);
	before = mock_allocated();
	for (nth = 1; nth < 20; nth++) {
		mock_fail(MOCK_ALLOC, nth, -ENOMEM);
		ret = native ? buffer_test_try_native(importer,
						      t->dmabufs[0]) :
			       buffer_test_try_stock(importer, t->dmabufs[0],
						     ops);
		if (!ret)
			break;
		KUNIT_EXPECT_EQ(t->test, ret, -ENOMEM);
		KUNIT_EXPECT_FALSE(t->test, mock_fail_due());
		KUNIT_EXPECT_EQ(t->test, mock_mapped(), 0);
		KUNIT_EXPECT_EQ(t->test, t->pins, 0);
		KUNIT_EXPECT_TRUE(t->test, list_empty(&t->buffer.attachments));
		if (!t->in_system)
			KUNIT_EXPECT_EQ(t->test, mock_allocated(), before);
	}
	mock_fail(MOCK_ALLOC, 0, 0);
	KUNIT_EXPECT_EQ(t->test, ret, 0);
	KUNIT_EXPECT_GE(t->test, nth, 4);
}

static void attach_native_each_allocation_fails(struct kunit *test)
{
	buffer_test_attach_sweep(test->priv, true, NULL);
}

static void attach_stock_each_allocation_fails(struct kunit *test)
{
	buffer_test_attach_sweep(test->priv, false,
				 &buffer_test_revocable_ops);
}

static void attach_static_each_allocation_fails(struct kunit *test)
{
	buffer_test_attach_sweep(test->priv, false, NULL);
}

/* The window of the first memory is mapped when the second route fails. */
static void attach_mixed_each_allocation_fails(struct kunit *test)
{
	struct buffer_test *t = test->priv;

	t->mixed = true;
	buffer_test_attach_sweep(t, true, NULL);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 1);
}

static void attach_window_fails_to_map(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer = buffer_test_importer(t);

	/* Treated as unreachable: the buffer moves to system memory. */
	mock_fail(MOCK_MAP, 1, -ENOMEM);
	KUNIT_EXPECT_EQ(test, buffer_test_try_native(importer, t->dmabufs[0]),
			0);
	KUNIT_EXPECT_EQ(test, t->pins, 1);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

static void attach_core_fails(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer = buffer_test_importer(t);
	unsigned int before = mock_allocated();

	mock_fail(MOCK_ATTACH, 1, -ENXIO);
	KUNIT_EXPECT_EQ(test, buffer_test_try_native(importer, t->dmabufs[0]),
			-ENXIO);
	KUNIT_EXPECT_EQ(test, mock_allocated(), before);
}

static void attach_exporter_cannot_describe(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer = buffer_test_importer(t);

	t->describe_err = -EIO;
	KUNIT_EXPECT_EQ(test, buffer_test_try_native(importer, t->dmabufs[0]),
			-EIO);
	KUNIT_EXPECT_EQ(test, buffer_test_try_stock(importer, t->dmabufs[0],
						    NULL), -EIO);
	KUNIT_EXPECT_EQ(test, t->pins, 0);
}

/* System memory is unreachable, too: the pin is undone. */
static void attach_system_memory_out_of_reach(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer = buffer_test_importer(t);

	KUNIT_ASSERT_EQ(test, buffer_test_try_stock(importer, t->dmabufs[0],
						    NULL), 0);
	KUNIT_EXPECT_EQ(test, t->pins, 1);
	buffer_test_end_importer(importer);
	KUNIT_EXPECT_EQ(test, t->pins, 0);

	t->pdev->dev.dma_mask = NULL;
	KUNIT_EXPECT_EQ(test, buffer_test_try_stock(importer, t->dmabufs[0],
						    NULL), -EINVAL);
	KUNIT_EXPECT_EQ(test, t->pins, 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->buffer.attachments));
}

static void detach_gives_everything_back(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *native, *pinned;
	unsigned int before;

	buffer_lock(t);
	KUNIT_EXPECT_FALSE(test, IS_ERR(phyr_buffer_get_list(&t->buffer)));
	buffer_unlock(t);
	before = mock_allocated();

	native = buffer_test_native(t, 0, false);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 1);
	buffer_test_end_importer(native);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
	KUNIT_EXPECT_EQ(test, mock_allocated(), before);

	pinned = buffer_test_stock(t, 1, NULL, false);
	KUNIT_EXPECT_EQ(test, t->pins, 1);
	buffer_test_end_importer(pinned);
	KUNIT_EXPECT_EQ(test, t->pins, 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->buffer.attachments));
}

static void detach_with_a_mapping_left(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;

	mock.iommu = true;
	importer = buffer_test_native(t, 0, true);
	importer->ranges = NULL;
	kunit_warning_suppress(test) {
		buffer_test_end_importer(importer);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

static void detach_after_the_buffer_was_revoked(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *native, *pinned;

	native = buffer_test_native(t, 0, true);
	pinned = buffer_test_stock(t, 1, NULL, false);
	buffer_test_revoke(t);
	phyr_buffer_revoke_wait(&t->buffer);
	buffer_test_end_importer(native);
	buffer_test_end_importer(pinned);
	KUNIT_EXPECT_EQ(test, t->pins, 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->buffer.attachments));
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

/*
 * Mapping
 */

static void map_checks_its_arguments(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer = buffer_test_native(t, 0, false);
	const struct {
		u64 offset;
		u64 len;
		enum dma_data_direction dir;
	} wrong[] = {
		{ 0, 0, DMA_TO_DEVICE },
		{ 0, BUFFER_SIZE + 1, DMA_TO_DEVICE },
		{ BUFFER_SIZE, 1, DMA_TO_DEVICE },
		{ 1, BUFFER_SIZE, DMA_TO_DEVICE },
		{ U64_MAX, 2, DMA_TO_DEVICE },
		{ SZ_4K, U64_MAX - SZ_4K + 1, DMA_TO_DEVICE },
		{ 0, SZ_4K, DMA_NONE },
		{ 0, SZ_4K, DMA_NONE + 1 },
		{ 0, SZ_4K, -1 },
	};
	int i;

	mock_forget();
	buffer_lock(t);
	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		KUNIT_EXPECT_PTR_EQ(test, phyr_map(importer->native,
						   wrong[i].offset,
						   wrong[i].len, wrong[i].dir),
				    ERR_PTR(-EINVAL));
	buffer_unlock(t);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_ALLOC), 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&importer->native->mappings));
}

static void map_a_part(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer = buffer_test_native(t, 0, false);
	struct dma_range_list *first, *last;
	struct dma_range_cursor cursor;
	struct dma_range range;

	buffer_lock(t);
	first = phyr_map(importer->native, SZ_4K + 10, 20, DMA_TO_DEVICE);
	last = phyr_map(importer->native, BUFFER_SIZE - 1, 1, DMA_TO_DEVICE);
	buffer_unlock(t);
	KUNIT_ASSERT_FALSE(test, IS_ERR(first) || IS_ERR(last));
	KUNIT_EXPECT_EQ(test, list_count_nodes(&importer->native->mappings), 2);

	dma_range_cursor_init(&cursor, first, 0);
	KUNIT_EXPECT_EQ(test, dma_range_next(&cursor, &range, 1), 1);
	KUNIT_EXPECT_EQ(test, range.addr, BUFFER_BAR + BUFFER_STRIDE + 10);
	KUNIT_EXPECT_EQ(test, range.len, 20);
	KUNIT_EXPECT_EQ(test, dma_range_next(&cursor, &range, 1), 0);
	dma_range_cursor_init(&cursor, last, 0);
	KUNIT_EXPECT_EQ(test, dma_range_next(&cursor, &range, 1), 1);
	KUNIT_EXPECT_EQ(test, range.addr, BUFFER_BAR + SZ_4K - 1 +
			(BUFFER_EXTENTS - 1) * BUFFER_STRIDE);

	buffer_lock(t);
	phyr_unmap(importer->native, first);
	KUNIT_EXPECT_TRUE(test, phyr_buffer_is_mapped(&t->buffer));
	phyr_unmap(importer->native, last);
	KUNIT_EXPECT_FALSE(test, phyr_buffer_is_mapped(&t->buffer));
	buffer_unlock(t);
}

/* A native importer that calls dma_buf_map_attachment() gets no table. */
static void map_native_through_the_stock_call(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer = buffer_test_native(t, 0, false);
	struct sg_table *sgt;

	buffer_lock(t);
	sgt = dma_buf_map_attachment(importer->native->attach, DMA_TO_DEVICE);
	buffer_unlock(t);
	KUNIT_EXPECT_PTR_EQ(test, sgt, ERR_PTR(-EINVAL));
	KUNIT_EXPECT_EQ(test, t->buffer.tables, 0);
}

static void map_to_stock_is_a_pageless_table(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;
	struct scatterlist *sg;
	int i;

	importer = buffer_test_stock(t, 0, &buffer_test_revocable_ops, true);
	KUNIT_EXPECT_EQ(test, importer->sgt->nents, BUFFER_EXTENTS);
	for_each_sgtable_dma_sg(importer->sgt, sg, i) {
		KUNIT_EXPECT_EQ(test, sg_dma_address(sg),
				BUFFER_BAR + i * BUFFER_STRIDE);
		KUNIT_EXPECT_EQ(test, sg_dma_len(sg), SZ_4K);
		KUNIT_EXPECT_NULL(test, sg_page(sg));
	}
	KUNIT_EXPECT_EQ(test, t->buffer.tables, 1);
	buffer_test_unmap(importer);
	KUNIT_EXPECT_EQ(test, t->buffer.tables, 0);
	buffer_lock(t);
	KUNIT_EXPECT_FALSE(test, phyr_buffer_is_mapped(&t->buffer));
	buffer_unlock(t);
}

static void map_to_stock_each_step_fails(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;
	unsigned int nth, before;

	mock.iommu = true;
	importer = buffer_test_stock(t, 0, &buffer_test_revocable_ops, false);
	before = mock_allocated();
	/* The first allocates the ranges, the second the table. */
	for (nth = 1; nth <= 2; nth++) {
		mock_fail(MOCK_ALLOC, nth, -ENOMEM);
		KUNIT_EXPECT_EQ(test, buffer_test_try_map(importer), -ENOMEM);
		KUNIT_EXPECT_EQ(test, mock_allocated(), before);
		KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
	}
	mock_fail(MOCK_SG_ALLOC, 1, -ENOMEM);
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(importer), -ENOMEM);
	mock_fail(MOCK_IOVA_SYNC, 1, -EIO);
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(importer), -EIO);
	KUNIT_EXPECT_EQ(test, mock_allocated(), before);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
	KUNIT_EXPECT_EQ(test, t->buffer.tables, 0);
}

/*
 * A stock exporter, which provides an sg_table only
 */

static void from_stock_walks_the_table(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct stock_test *stock = stock_test_create(test);
	struct buffer_importer *importer = stock_test_import(t, stock);
	struct dma_range_cursor cursor;
	struct dma_range range;
	int i;

	KUNIT_EXPECT_EQ(test, importer->native->kind, PHYR_KIND_FROM_STOCK);
	KUNIT_ASSERT_EQ(test, buffer_test_try_map(importer), 0);
	KUNIT_EXPECT_EQ(test, stock->mapped, 1);
	dma_range_cursor_init(&cursor, importer->ranges, 0);
	for (i = 0; dma_range_next(&cursor, &range, 1); i++) {
		KUNIT_EXPECT_EQ(test, range.addr, stock_test_dma[i].addr);
		KUNIT_EXPECT_EQ(test, range.len, stock_test_dma[i].len);
	}
	KUNIT_EXPECT_EQ(test, i, STOCK_EXTENTS);

	buffer_test_end_importer(importer);
	KUNIT_EXPECT_EQ(test, stock->mapped, 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_SGT_UNMAP), 1);
}

/* It is the exporter that knows other places. */
static void from_stock_is_told_about_ram_only(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct stock_test *stock = stock_test_create(test);
	struct buffer_importer *importer;

	stock_test_import(t, stock);
	KUNIT_EXPECT_TRUE(test, stock->peer);
	importer = buffer_test_ram_only(t);
	KUNIT_ASSERT_EQ(test, buffer_test_try_native(importer, stock->dmabuf),
			0);
	KUNIT_EXPECT_FALSE(test, stock->peer);
	KUNIT_EXPECT_EQ(test, importer->native->kind, PHYR_KIND_FROM_STOCK);

	/* The dma-buf core hides pages with CONFIG_DMABUF_DEBUG. */
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(importer),
			IS_ENABLED(CONFIG_DMABUF_DEBUG) ? 0 : -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, stock->mapped, !!importer->ranges);
}

static void from_stock_a_part(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct stock_test *stock = stock_test_create(test);
	struct buffer_importer *importer = stock_test_import(t, stock);
	struct dma_range_cursor cursor;
	struct dma_range ranges[3];

	dma_resv_lock(&stock->resv, NULL);
	importer->ranges = phyr_map(importer->native, SZ_8K + 16, SZ_4K,
				    DMA_TO_DEVICE);
	dma_resv_unlock(&stock->resv);
	KUNIT_ASSERT_FALSE(test, IS_ERR(importer->ranges));
	KUNIT_EXPECT_EQ(test, dma_range_list_len(importer->ranges), SZ_4K);
	dma_range_cursor_init(&cursor, importer->ranges, 0);
	KUNIT_EXPECT_EQ(test, dma_range_next(&cursor, ranges, 3), 2);
	KUNIT_EXPECT_EQ(test, ranges[0].addr, 0x900000010);
	KUNIT_EXPECT_EQ(test, ranges[0].len, SZ_4K - 16);
	KUNIT_EXPECT_EQ(test, ranges[1].addr, 0x40000);
	KUNIT_EXPECT_EQ(test, ranges[1].len, 16);
}

/* phyr_sgt_check() refuses the table, which must be unmapped then. */
static void from_stock_above_the_mask(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct stock_test *stock = stock_test_create(test);
	struct buffer_importer *importer = stock_test_import(t, stock);

	t->pdev->dma_mask = DMA_BIT_MASK(32);
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(importer), -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, stock->mapped, 0);
	t->pdev->dma_mask = DMA_BIT_MASK(36);
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(importer), 0);
}

static void from_stock_table_too_short(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct stock_test *stock = stock_test_create(test);
	struct buffer_importer *importer = stock_test_import(t, stock);

	stock->nents = 2;
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(importer), -EINVAL);
	KUNIT_EXPECT_EQ(test, stock->mapped, 0);

	/* Not even the part that the table covers: what else is wrong? */
	dma_resv_lock(&stock->resv, NULL);
	KUNIT_EXPECT_PTR_EQ(test, phyr_map(importer->native, 0, SZ_4K,
					   DMA_TO_DEVICE), ERR_PTR(-EINVAL));
	dma_resv_unlock(&stock->resv);
	KUNIT_EXPECT_EQ(test, stock->mapped, 0);
}

static void from_stock_each_step_fails(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct stock_test *stock = stock_test_create(test);
	struct buffer_importer *importer = buffer_test_importer(t);
	unsigned int before = mock_allocated();

	stock->attach_err = -EPERM;
	KUNIT_EXPECT_EQ(test, buffer_test_try_native(importer, stock->dmabuf),
			-EPERM);
	stock->attach_err = 0;
	mock_fail(MOCK_ALLOC, 1, -ENOMEM);
	KUNIT_EXPECT_EQ(test, buffer_test_try_native(importer, stock->dmabuf),
			-ENOMEM);
	KUNIT_EXPECT_EQ(test, mock_allocated(), before);

	KUNIT_ASSERT_EQ(test, buffer_test_try_native(importer, stock->dmabuf),
			0);
	stock->map_err = -ENOSPC;
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(importer), -ENOSPC);
	stock->map_err = 0;
	mock_fail(MOCK_ALLOC, 1, -ENOMEM);
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(importer), -ENOMEM);
	KUNIT_EXPECT_EQ(test, stock->mapped, 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&importer->native->mappings));
}

/* As for phyr exporters */
static void from_stock_invalidate_tells_waits_unmaps(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct stock_test *stock = stock_test_create(test);
	struct buffer_importer *importer = stock_test_import(t, stock);
	struct buffer_wait wait = { .t = t };

	KUNIT_ASSERT_EQ(test, buffer_test_try_map(importer), 0);
	buffer_test_add_fence(t, &stock->resv);
	buffer_test_watch_wait(&wait);
	mock_forget();

	stock_test_invalidate(stock);
	KUNIT_EXPECT_EQ(test, importer->notified, 1);
	KUNIT_EXPECT_EQ(test, stock->mapped, 0);
	KUNIT_EXPECT_FALSE(test, wait.fence_was_signaled);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(t->fence));
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_WAIT, 1)->attrs,
			DMA_RESV_USAGE_BOOKKEEP);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_WAIT, 1)->dir, 0);
	KUNIT_EXPECT_LT(test, mock_index(MOCK_NOTIFIED, 1),
			mock_index(MOCK_WAIT, 1));
	KUNIT_EXPECT_LT(test, mock_index(MOCK_WAIT, 1),
			mock_index(MOCK_SGT_UNMAP, 1));

	/* phyr_unmap() only frees memory; a new map gets a new table. */
	dma_resv_lock(&stock->resv, NULL);
	phyr_unmap(importer->native, importer->ranges);
	dma_resv_unlock(&stock->resv);
	importer->ranges = NULL;
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_SGT_UNMAP), 1);
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(importer), 0);
	KUNIT_EXPECT_EQ(test, stock->mapped, 1);
}

static void from_stock_two_mappings_are_invalidated(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct stock_test *stock = stock_test_create(test);
	struct buffer_importer *first = stock_test_import(t, stock);
	struct buffer_importer *second = stock_test_import(t, stock);

	/* The exporter has one table; the second importer stays unmapped. */
	KUNIT_ASSERT_EQ(test, buffer_test_try_map(first), 0);
	stock_test_invalidate(stock);
	KUNIT_EXPECT_EQ(test, first->notified, 1);
	KUNIT_EXPECT_EQ(test, second->notified, 1);
	KUNIT_EXPECT_EQ(test, dma_range_list_len(first->ranges), 0);
	KUNIT_EXPECT_EQ(test, stock->mapped, 0);
}

/*
 * The module
 */

static void module_init_primes_lockdep(struct kunit *test)
{
	unsigned int before = mock_allocated();

	KUNIT_EXPECT_EQ(test, phyr_init(), 0);
	phyr_exit();
	KUNIT_EXPECT_EQ(test, mock_allocated(), before);

	if (!IS_ENABLED(CONFIG_LOCKDEP))
		return;
	mock_fail(MOCK_ALLOC, 1, -ENOMEM);
	KUNIT_EXPECT_EQ(test, phyr_init(), -ENOMEM);
}

/* A static importer's table of system memory outlives the revoke. */
static void move_of_revoked_and_pinned(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;

	buffer_test_use_ops(t, &buffer_test_ops_fixed);
	t->in_system = true;
	importer = buffer_test_stock(t, 0, NULL, true);
	buffer_test_revoke(t);

	buffer_lock(t);
	KUNIT_EXPECT_EQ(test, phyr_buffer_move_begin(&t->buffer, false, false),
			-EBUSY);
	buffer_unlock(t);
	buffer_test_end_importer(importer);
	buffer_lock(t);
	KUNIT_EXPECT_EQ(test, phyr_buffer_move_begin(&t->buffer, false, false),
			0);
	buffer_unlock(t);
}

static struct kunit_case attach_test_cases[] = {
	KUNIT_CASE(attach_says_which_way_and_why),
	KUNIT_CASE(attach_checks_its_arguments),
	KUNIT_CASE(attach_keeps_limits_and_priv),
	KUNIT_CASE(attach_interrupted),
	KUNIT_CASE(attach_decides_before_the_first_map),
	KUNIT_CASE(attach_native_each_allocation_fails),
	KUNIT_CASE(attach_stock_each_allocation_fails),
	KUNIT_CASE(attach_static_each_allocation_fails),
	KUNIT_CASE(attach_mixed_each_allocation_fails),
	KUNIT_CASE(attach_window_fails_to_map),
	KUNIT_CASE(attach_core_fails),
	KUNIT_CASE(attach_exporter_cannot_describe),
	KUNIT_CASE(attach_system_memory_out_of_reach),
	KUNIT_CASE(detach_gives_everything_back),
	KUNIT_CASE(detach_with_a_mapping_left),
	KUNIT_CASE(detach_after_the_buffer_was_revoked),
	KUNIT_CASE(map_checks_its_arguments),
	KUNIT_CASE(map_a_part),
	KUNIT_CASE(map_native_through_the_stock_call),
	KUNIT_CASE(map_to_stock_is_a_pageless_table),
	KUNIT_CASE(map_to_stock_each_step_fails),
	KUNIT_CASE(from_stock_walks_the_table),
	KUNIT_CASE(from_stock_is_told_about_ram_only),
	KUNIT_CASE(from_stock_a_part),
	KUNIT_CASE(from_stock_above_the_mask),
	KUNIT_CASE(from_stock_table_too_short),
	KUNIT_CASE(from_stock_each_step_fails),
	KUNIT_CASE(from_stock_invalidate_tells_waits_unmaps),
	KUNIT_CASE(from_stock_two_mappings_are_invalidated),
	KUNIT_CASE(module_init_primes_lockdep),
	{}
};

static struct kunit_case negotiation_test_cases[] = {
	KUNIT_CASE_PARAM(attach_negotiates, buffer_negotiation_gen_params),
	KUNIT_CASE(attach_static_without_pin_system),
	KUNIT_CASE(move_of_revoked_and_pinned),
	{}
};

static struct kunit_suite attach_test_suite = {
	.name = "phyr_attach",
	.init = buffer_test_init,
	.test_cases = attach_test_cases,
};

/* These cases choose the exporter's ops. */
static struct kunit_suite negotiation_test_suite = {
	.name = "phyr_negotiation",
	.init = buffer_test_prepare,
	.test_cases = negotiation_test_cases,
};

kunit_test_suites(&attach_test_suite, &negotiation_test_suite);

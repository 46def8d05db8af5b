// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: compose.c, dma-bufs of parts of others, and locks.c
 */
#include <linux/kthread.h>

#include "redirect.h"
#include "../whole.c"
#include "../locks.c"
#include "../compose.c"
#include "buffer_fixture.h"
#include "stock_fixture.h"

/**
 * struct compose_test - two buffers, a whole of parts of them, an importer
 * @a: the fixture's buffer
 * @b: another one
 * @whole: the composed dma-buf
 * @importer: an importer that locks the parts
 */
struct compose_test {
	struct buffer_test *a;
	struct buffer_test *b;
	struct dma_buf *whole;
	struct buffer_importer *importer;
};

/* Not called: nobody holds the lock of the whole when a part moves. */
static void compose_test_notified(struct phyr_attachment *attach)
{
	struct buffer_importer *importer = phyr_attachment_priv(attach);

	KUNIT_FAIL(importer->t->test, "the importer of a whole was notified");
}

static const struct phyr_importer_ops compose_test_importer_ops = {
	.invalidate = compose_test_notified,
	.locks_parts = true,
};

/* Another buffer of the same exporter, with other extents */
static struct buffer_test *compose_test_buffer(struct buffer_test *t,
					       const struct phyr_dma_buf_ops *ops)
{
	struct buffer_test *other;

	other = kunit_kzalloc(t->test, sizeof(*other), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(t->test, other);
	other->test = t->test;
	other->owner = t->owner;
	other->pdev = t->pdev;
	other->bar = t->bar;
	other->ram = t->ram;
	other->size = BUFFER_SIZE;
	other->ram_at = BUFFER_RAM + SZ_16M;
	other->offset = SZ_16M;
	dma_resv_init(&other->resv);
	buffer_test_action(t->test, buffer_test_fini_resv, &other->resv);
	buffer_test_use_ops(other, ops);
	return other;
}

/* A worker frees the whole. */
static void compose_test_put(void *whole)
{
	buffer_test_put_dma_buf(whole);
	flush_workqueue(phyr_whole_wq);
}

static struct dma_buf *compose_test_whole(struct kunit *test,
					  const struct phyr_part *parts,
					  unsigned int nr)
{
	struct dma_buf *whole = phyr_compose(parts, nr);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, whole);
	buffer_test_action(test, compose_test_put, whole);
	return whole;
}

static int compose_test_attach(struct buffer_importer *importer,
			       struct dma_buf *whole,
			       const struct phyr_importer_ops *ops)
{
	struct phyr_attachment *attach;

	attach = phyr_attach(whole, &importer->t->pdev->dev, ops,
			     &importer->limits, importer);
	if (IS_ERR(attach))
		return PTR_ERR(attach);
	importer->native = attach;
	return 0;
}

static void compose_test_lock(struct compose_test *c, struct phyr_locks *locks)
{
	struct kunit *test = c->a->test;

	phyr_locks_init(locks);
	KUNIT_ASSERT_EQ(test, phyr_locks_add_attachment(locks,
							c->importer->native),
			0);
	KUNIT_ASSERT_EQ(test, phyr_locks_take(locks), 0);
}

static int compose_test_map(struct compose_test *c)
{
	struct dma_range_list *ranges;
	struct phyr_locks locks;

	compose_test_lock(c, &locks);
	ranges = phyr_map(c->importer->native, 0, c->whole->size,
			  DMA_BIDIRECTIONAL);
	phyr_locks_drop(&locks);
	if (IS_ERR(ranges))
		return PTR_ERR(ranges);
	c->importer->ranges = ranges;
	return 0;
}

static void compose_test_unmap(struct compose_test *c)
{
	dma_resv_lock(c->whole->resv, NULL);
	phyr_unmap(c->importer->native, c->importer->ranges);
	dma_resv_unlock(c->whole->resv);
	c->importer->ranges = NULL;
}

static int compose_test_commit(struct compose_test *c)
{
	struct phyr_locks locks;
	int ret;

	compose_test_lock(c, &locks);
	ret = phyr_map_commit(c->importer->native, c->importer->ranges);
	phyr_locks_drop(&locks);
	return ret;
}

/* Pages 1 and 2 of a, pages 0 and 1 of b, page 2 of a again */
static void compose_test_init(struct kunit *test, struct compose_test *c)
{
	struct buffer_test *t = test->priv;
	struct phyr_part parts[3];

	c->a = t;
	c->b = compose_test_buffer(t, &buffer_test_ops);
	parts[0] = (struct phyr_part){ t->dmabufs[0], SZ_4K, SZ_8K };
	parts[1] = (struct phyr_part){ c->b->dmabufs[0], 0, SZ_8K };
	parts[2] = (struct phyr_part){ t->dmabufs[1], SZ_8K, SZ_4K };
	c->whole = compose_test_whole(test, parts, ARRAY_SIZE(parts));
	c->importer = buffer_test_importer(t);
	KUNIT_ASSERT_EQ(test, compose_test_attach(c->importer, c->whole,
						  &compose_test_importer_ops),
			0);
	mock_forget();
}

static void compose_expect(struct kunit *test, struct dma_range_list *ranges,
			   const u64 *addr, unsigned int nr)
{
	struct dma_range_cursor cursor;
	struct dma_range range;
	unsigned int i;

	dma_range_cursor_init(&cursor, ranges, 0);
	for (i = 0; dma_range_next(&cursor, &range, 1) && i < nr; i++) {
		KUNIT_EXPECT_EQ(test, range.addr, addr[i]);
		KUNIT_EXPECT_EQ(test, range.len, SZ_4K);
		KUNIT_EXPECT_EQ(test, range.flags,
				DMA_RANGE_BUS | DMA_RANGE_PEER);
	}
	KUNIT_EXPECT_EQ(test, i, nr);
}

/* The bus address of page @i of a buffer in the BAR */
static u64 compose_page(const struct buffer_test *t, unsigned int i)
{
	return BUFFER_BAR + t->offset + i * BUFFER_STRIDE;
}

static void compose_expect_parts(struct compose_test *c)
{
	u64 addr[] = {
		compose_page(c->a, 1), compose_page(c->a, 2),
		compose_page(c->b, 0), compose_page(c->b, 1),
		compose_page(c->a, 2),
	};

	compose_expect(c->a->test, c->importer->ranges, addr, ARRAY_SIZE(addr));
}

static void compose_parts_in_order(struct kunit *test)
{
	struct compose_test c;

	mock.bus = true;
	compose_test_init(test, &c);
	KUNIT_EXPECT_EQ(test, c.whole->size, 5 * SZ_4K);
	KUNIT_EXPECT_EQ(test, compose_test_map(&c), 0);
	compose_expect_parts(&c);
	/* Two sources, however many parts and dma-bufs */
	KUNIT_EXPECT_EQ(test, phyr_dma_buf_buffer(c.whole)->whole->nr_sources,
			2);
}

/* One IOVA range for a BAR and for system memory */
static void compose_one_iova(struct kunit *test)
{
	struct compose_test c;
	struct dma_range_cursor cursor;
	struct dma_range range[4];

	mock.iommu = true;
	compose_test_init(test, &c);
	KUNIT_EXPECT_EQ(test, buffer_test_move_to(c.b, true), 0);
	KUNIT_EXPECT_EQ(test, compose_test_map(&c), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_ALLOC), 1);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_SYNC), 1);

	dma_range_cursor_init(&cursor, c.importer->ranges, 0);
	KUNIT_ASSERT_EQ(test, dma_range_next(&cursor, range, 4), 3);
	KUNIT_EXPECT_EQ(test, range[0].flags, DMA_RANGE_PEER);
	KUNIT_EXPECT_EQ(test, range[1].flags, 0);
	KUNIT_EXPECT_EQ(test, range[2].flags, DMA_RANGE_PEER);
	KUNIT_EXPECT_EQ(test, range[1].addr, range[0].addr + SZ_8K);
	KUNIT_EXPECT_EQ(test, range[2].addr, range[1].addr + SZ_8K);

	compose_test_unmap(&c);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_DESTROY), 1);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

/* Only the first part starts inside a page, only the last one ends so. */
static void compose_bytes(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct phyr_part parts[] = {
		{ t->dmabufs[0], 100, SZ_4K - 100 },
		{ t->dmabufs[0], SZ_8K, 7 },
	};
	struct compose_test c = { .a = t };
	struct dma_range_cursor cursor;
	struct dma_range range[3];

	mock.bus = true;
	c.whole = compose_test_whole(test, parts, ARRAY_SIZE(parts));
	c.importer = buffer_test_importer(t);
	KUNIT_ASSERT_EQ(test, compose_test_attach(c.importer, c.whole,
						  &compose_test_importer_ops),
			0);
	KUNIT_EXPECT_EQ(test, c.whole->size, SZ_4K - 100 + 7);
	KUNIT_ASSERT_EQ(test, compose_test_map(&c), 0);
	dma_range_cursor_init(&cursor, c.importer->ranges, 0);
	KUNIT_ASSERT_EQ(test, dma_range_next(&cursor, range, 3), 2);
	KUNIT_EXPECT_EQ(test, range[0].addr, compose_page(t, 0) + 100);
	KUNIT_EXPECT_EQ(test, range[0].len, SZ_4K - 100);
	KUNIT_EXPECT_EQ(test, range[1].addr, compose_page(t, 2));
	KUNIT_EXPECT_EQ(test, range[1].len, 7);
}

/**
 * struct bad_parts - parts that cannot be composed
 * @name: description
 * @part: two of the first dma-buf
 * @err: expected error
 */
struct bad_parts {
	const char *name;
	struct phyr_part part[2];
	int err;
};

static const struct bad_parts bad_parts[] = {
	{ "empty", { { .len = SZ_4K }, {} }, -EINVAL },
	{ "overflow", { { .len = SZ_4K },
			{ .offset = SZ_4K, .len = U64_MAX - SZ_4K + 1 } },
	  -EINVAL },
	{ "beyond", { { .len = SZ_4K },
		      { .offset = BUFFER_SIZE - SZ_4K, .len = SZ_4K + 1 } },
	  -EINVAL },
	{ "starts inside a page", { { .len = SZ_4K },
				    { .offset = 1, .len = SZ_4K } }, -EINVAL },
	{ "ends inside a page", { { .len = SZ_4K - 1 }, { .len = SZ_4K } },
	  -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(bad_parts, bad_parts, name);

static void compose_bad_parts(struct kunit *test)
{
	const struct bad_parts *bad = test->param_value;
	struct buffer_test *t = test->priv;
	struct phyr_part parts[2];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		parts[i] = bad->part[i];
		parts[i].dmabuf = t->dmabufs[0];
	}
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(phyr_compose(parts, 2)),
			bad->err);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->buffer.sources));
}

static void compose_bad_dma_bufs(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct stock_test *stock = stock_test_create(test);
	struct phyr_part part = { t->dmabufs[0], 0, SZ_4K };
	struct phyr_part of_stock = { stock->dmabuf, 0, SZ_4K };
	struct phyr_part of_whole = { .len = SZ_4K };

	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(phyr_compose(&part, 0)), -EINVAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(phyr_compose(&of_stock, 1)),
			-EOPNOTSUPP);
	of_whole.dmabuf = compose_test_whole(test, &part, 1);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(phyr_compose(&of_whole, 1)),
			-EINVAL);
	t->describe_err = -EIO;
	buffer_test_move(t);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(phyr_compose(&part, 1)), -EIO);
	buffer_test_revoke(t);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(phyr_compose(&part, 1)), -ENODEV);
}

static void compose_part_moves(struct kunit *test)
{
	struct compose_test c;

	mock.bus = true;
	compose_test_init(test, &c);
	KUNIT_ASSERT_EQ(test, compose_test_map(&c), 0);
	KUNIT_EXPECT_EQ(test, compose_test_commit(&c), 0);

	KUNIT_EXPECT_EQ(test, buffer_test_move(c.b), 0);
	KUNIT_EXPECT_EQ(test, dma_range_list_len(c.importer->ranges), 0);
	KUNIT_EXPECT_EQ(test, compose_test_commit(&c), -EAGAIN);
	compose_test_unmap(&c);

	KUNIT_ASSERT_EQ(test, compose_test_map(&c), 0);
	compose_expect_parts(&c);
	KUNIT_EXPECT_EQ(test, compose_test_commit(&c), 0);
}

/* The move unmaps, and not before the fence of the DMA to the whole. */
static void compose_part_move_waits(struct kunit *test)
{
	struct buffer_wait wait = {};
	struct phyr_locks locks;
	struct compose_test c;

	mock.iommu = true;
	compose_test_init(test, &c);
	KUNIT_ASSERT_EQ(test, compose_test_map(&c), 0);
	compose_test_lock(&c, &locks);
	KUNIT_EXPECT_PTR_EQ(test, phyr_attachment_resv(c.importer->native, 2),
			    &c.b->resv);
	KUNIT_EXPECT_NULL(test, phyr_attachment_resv(c.importer->native, 3));
	buffer_test_add_fence_locked(c.b, &c.b->resv);
	phyr_locks_drop(&locks);

	wait.t = c.b;
	buffer_test_watch_wait(&wait);
	KUNIT_EXPECT_EQ(test, buffer_test_move(c.b), 0);
	KUNIT_EXPECT_GT(test, wait.waits, 0);
	KUNIT_EXPECT_EQ(test, wait.mapped, 1);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

static void compose_part_revoked(struct kunit *test)
{
	struct compose_test c;

	compose_test_init(test, &c);
	KUNIT_ASSERT_EQ(test, compose_test_map(&c), 0);
	buffer_test_revoke(c.a);
	KUNIT_EXPECT_EQ(test, dma_range_list_len(c.importer->ranges), 0);
	KUNIT_EXPECT_EQ(test, compose_test_commit(&c), -EAGAIN);
	compose_test_unmap(&c);
	KUNIT_EXPECT_EQ(test, compose_test_map(&c), -ENODEV);

	/* The window of the BAR goes with the last route to it. */
	phyr_buffer_revoke_wait(&c.a->buffer);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);

	buffer_lock(c.a);
	phyr_buffer_rearm(&c.a->buffer);
	buffer_unlock(c.a);
	KUNIT_EXPECT_EQ(test, compose_test_map(&c), 0);
}

/* Both steps, and the hints, are about the locks and fences of all parts. */
static void compose_all_locks(struct kunit *test)
{
	struct dma_range_list *ranges;
	struct compose_test c;

	compose_test_init(test, &c);
	ranges = phyr_map_reserve(c.importer->native, 0, c.whole->size,
				  DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ranges);
	c.importer->ranges = ranges;
	KUNIT_EXPECT_EQ(test, compose_test_commit(&c), 0);

	KUNIT_EXPECT_FALSE(test, phyr_dma_buf_is_locked(c.whole));
	KUNIT_EXPECT_TRUE(test, phyr_dma_buf_is_idle(c.whole));
	buffer_lock(c.b);
	KUNIT_EXPECT_TRUE(test, phyr_dma_buf_is_locked(c.whole));
	buffer_test_add_fence_locked(c.b, &c.b->resv);
	buffer_unlock(c.b);
	KUNIT_EXPECT_FALSE(test, phyr_dma_buf_is_locked(c.whole));
	KUNIT_EXPECT_FALSE(test, phyr_dma_buf_is_idle(c.whole));
	dma_fence_signal(c.b->fence);
	KUNIT_EXPECT_TRUE(test, phyr_dma_buf_is_idle(c.whole));
}

static int compose_test_pin(struct compose_test *c, bool pin)
{
	struct phyr_locks locks;
	int ret = 0;

	compose_test_lock(c, &locks);
	if (pin)
		ret = phyr_pin(c->importer->native);
	else
		phyr_unpin(c->importer->native);
	phyr_locks_drop(&locks);
	return ret;
}

static void compose_pins_all_parts(struct kunit *test)
{
	struct compose_test c;

	compose_test_init(test, &c);
	KUNIT_EXPECT_EQ(test, compose_test_pin(&c, true), 0);
	KUNIT_EXPECT_EQ(test, c.a->place_pins, 1);
	KUNIT_EXPECT_EQ(test, c.b->place_pins, 1);
	compose_test_pin(&c, false);
	KUNIT_EXPECT_EQ(test, c.a->place_pins, 0);
	KUNIT_EXPECT_EQ(test, c.b->place_pins, 0);

	c.b->place_err = -EIO;
	KUNIT_EXPECT_EQ(test, compose_test_pin(&c, true), -EIO);
	KUNIT_EXPECT_EQ(test, c.a->place_pins, 0);
}

static struct buffer_importer *compose_test_stock(struct compose_test *c)
{
	struct buffer_importer *importer = buffer_test_importer(c->a);

	KUNIT_ASSERT_EQ(c->a->test,
			buffer_test_try_stock(importer, c->whole,
					      &buffer_test_revocable_ops), 0);
	return importer;
}

static void compose_expect_table(struct compose_test *c, struct sg_table *sgt)
{
	const u64 phys[] = {
		c->a->ram_at + c->a->offset + BUFFER_STRIDE,
		c->a->ram_at + c->a->offset + 2 * BUFFER_STRIDE,
		c->b->ram_at + c->b->offset,
		c->b->ram_at + c->b->offset + BUFFER_STRIDE,
		c->a->ram_at + c->a->offset + 2 * BUFFER_STRIDE,
	};
	struct scatterlist *sg;
	unsigned int i;

	/* With CONFIG_DMABUF_DEBUG the pages are hidden. */
	KUNIT_ASSERT_EQ(c->a->test, sgt->nents, ARRAY_SIZE(phys));
	for_each_sgtable_dma_sg(sgt, sg, i) {
		KUNIT_EXPECT_EQ(c->a->test, sg_dma_address(sg), phys[i]);
		KUNIT_EXPECT_EQ(c->a->test, sg_dma_len(sg), SZ_4K);
	}
}

/* An importer that does not lock the parts gets them in system memory. */
static void compose_stock_importer(struct kunit *test)
{
	struct buffer_importer *stock;
	struct compose_test c;

	compose_test_init(test, &c);
	KUNIT_ASSERT_EQ(test, compose_test_map(&c), 0);
	stock = compose_test_stock(&c);
	KUNIT_EXPECT_TRUE(test, c.a->in_system && c.b->in_system);
	KUNIT_EXPECT_EQ(test, c.a->pins, 1);
	KUNIT_EXPECT_EQ(test, c.b->pins, 1);
	KUNIT_EXPECT_EQ(test, compose_test_commit(&c), -EAGAIN);

	KUNIT_ASSERT_EQ(test, buffer_test_try_map(stock), 0);
	compose_expect_table(&c, stock->sgt);

	/* A revoke leaves system memory alone, and does not wait for it. */
	buffer_test_revoke(c.a);
	phyr_buffer_revoke_wait(&c.a->buffer);
	dma_resv_lock(c.whole->resv, NULL);
	buffer_test_unmap_locked(stock);
	dma_resv_unlock(c.whole->resv);
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(stock), -ENODEV);

	buffer_test_end_importer(stock);
	KUNIT_EXPECT_EQ(test, c.a->pins, 0);
	KUNIT_EXPECT_EQ(test, c.b->pins, 0);
}

static void compose_stock_importer_pins(struct kunit *test)
{
	struct buffer_importer *stock;
	struct compose_test c;

	compose_test_init(test, &c);
	stock = compose_test_stock(&c);
	dma_resv_lock(c.whole->resv, NULL);
	KUNIT_EXPECT_EQ(test, dma_buf_pin(stock->stock), 0);
	dma_buf_unpin(stock->stock);
	dma_resv_unlock(c.whole->resv);
	KUNIT_EXPECT_EQ(test, c.a->place_pins, 0);
	KUNIT_EXPECT_EQ(test, c.a->pins, 1);
}

static void compose_native_that_locks_one(struct kunit *test)
{
	struct buffer_importer *importer;
	struct compose_test c;

	compose_test_init(test, &c);
	importer = buffer_test_importer(c.a);
	KUNIT_ASSERT_EQ(test, buffer_test_try_native(importer, c.whole), 0);
	KUNIT_EXPECT_EQ(test, c.b->pins, 1);
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(importer), 0);
	KUNIT_EXPECT_NULL(test, phyr_attachment_resv(importer->native, 1));

	/* Pinned, so that a mapping of it outlives what unmaps the others. */
	buffer_test_revoke(c.b);
	KUNIT_EXPECT_EQ(test, dma_range_list_len(importer->ranges),
			c.whole->size);
}

/* A part that is only in a BAR: refused, and the other does not move. */
static void compose_fixed_part(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_test *fixed = compose_test_buffer(t,
							&buffer_test_ops_fixed);
	struct phyr_part parts[] = {
		{ t->dmabufs[0], 0, SZ_4K }, { fixed->dmabufs[0], 0, SZ_4K },
	};
	struct buffer_importer *importer;
	struct dma_buf *whole;

	whole = compose_test_whole(test, parts, ARRAY_SIZE(parts));
	importer = buffer_test_importer(t);
	KUNIT_EXPECT_EQ(test,
			buffer_test_try_stock(importer, whole,
					      &buffer_test_revocable_ops),
			-EBUSY);
	KUNIT_EXPECT_EQ(test, buffer_test_try_native(importer, whole),
			-EREMOTEIO);
	KUNIT_EXPECT_EQ(test, t->pins, 0);
	KUNIT_EXPECT_FALSE(test, t->in_system);
	KUNIT_EXPECT_EQ(test, fixed->buffer.pins, 0);
	KUNIT_EXPECT_EQ(test, compose_test_attach(importer, whole,
						  &compose_test_importer_ops),
			0);
}

/* Not for a driver that takes whole pages for granted */
static void compose_odd_bytes(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct phyr_part parts[] = {
		{ t->dmabufs[0], 100, SZ_4K }, { t->dmabufs[0], 0, 100 },
	};
	struct buffer_importer *importer;
	struct dma_buf *whole[2];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(parts); i++)
		whole[i] = compose_test_whole(test, &parts[i], 1);
	importer = buffer_test_importer(t);
	for (i = 0; i < ARRAY_SIZE(parts); i++)
		KUNIT_EXPECT_EQ(test,
				buffer_test_try_stock(importer, whole[i],
						      &buffer_test_revocable_ops),
				-EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, t->pins, 0);
	KUNIT_EXPECT_FALSE(test, t->in_system);
}

/* So much may be named twice, and not more. */
static void compose_repeats(struct kunit *test)
{
	const unsigned int nr = 64 * SZ_1K;
	struct buffer_test *t = test->priv;
	struct phyr_part *parts;
	unsigned int i;

	parts = kvzalloc_objs(*parts, nr);
	KUNIT_ASSERT_NOT_NULL(test, parts);
	for (i = 0; i < nr; i++)
		parts[i] = (struct phyr_part){ t->dmabufs[0], 0, BUFFER_SIZE };
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(phyr_compose(parts, nr)), -E2BIG);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->buffer.sources));
	kvfree(parts);
}

static void compose_incoherent_device(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct phyr_part part = { t->dmabufs[0], 0, SZ_4K };
	struct dma_buf *whole = compose_test_whole(test, &part, 1);
	struct buffer_importer *importer = buffer_test_importer(t);

	mock.coherent = false;
	KUNIT_EXPECT_EQ(test, compose_test_attach(importer, whole,
						  &compose_test_importer_ops),
			-EREMOTEIO);
	mock.coherent = true;
}

static void compose_keeps_its_parts(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct phyr_part part = { .len = SZ_4K };
	struct dma_buf *whole;

	part.dmabuf = buffer_test_try_export(t, t->size);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, part.dmabuf);
	whole = phyr_compose(&part, 1);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, whole);
	dma_buf_put(part.dmabuf);
	KUNIT_EXPECT_EQ(test, t->released, 0);

	compose_test_put(whole);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->buffer.sources));
	/* In a kthread a worker drops the last reference. */
	flush_delayed_fput();
	KUNIT_EXPECT_EQ(test, t->released, 1);
}

/*
 * Locks
 */

static void locks_once_each(struct kunit *test)
{
	struct dma_resv resvs[3];
	struct phyr_locks locks;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(resvs); i++)
		dma_resv_init(&resvs[i]);

	phyr_locks_init(&locks);
	for (j = 0; j < 4; j++)
		for (i = 0; i < ARRAY_SIZE(resvs); i++)
			KUNIT_EXPECT_EQ(test, phyr_locks_add(&locks, &resvs[i]),
					0);
	KUNIT_EXPECT_EQ(test, phyr_locks_take(&locks), 0);
	KUNIT_EXPECT_EQ(test, locks.nr, ARRAY_SIZE(resvs));
	for (i = 0; i < ARRAY_SIZE(resvs); i++)
		KUNIT_EXPECT_TRUE(test, dma_resv_is_locked(&resvs[i]));
	phyr_locks_drop(&locks);
	for (i = 0; i < ARRAY_SIZE(resvs); i++) {
		KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(&resvs[i]));
		dma_resv_fini(&resvs[i]);
	}
}

#define LOCKS_NR	6
#define LOCKS_ROUNDS	200

/**
 * struct locks_thread - a task that takes the same locks in its own order
 * @resvs: the locks
 * @step: order
 * @held: number of tasks that hold all of them
 * @wrong: more than one held a lock, or none was taken
 * @done: the task is done
 */
struct locks_thread {
	struct dma_resv *resvs;
	unsigned int step;
	unsigned int *held;
	unsigned int wrong;
	struct completion done;
};

static int locks_test_thread(void *data)
{
	struct locks_thread *thread = data;
	struct phyr_locks locks;
	unsigned int round, i;

	for (round = 0; round < LOCKS_ROUNDS; round++) {
		phyr_locks_init(&locks);
		for (i = 0; i < LOCKS_NR; i++)
			thread->wrong +=
				!!phyr_locks_add(&locks,
						 &thread->resvs[i * thread->step %
								(LOCKS_NR + 1) %
								LOCKS_NR]);
		thread->wrong += !!phyr_locks_take(&locks);
		thread->wrong += (*thread->held)++ != 0;
		cond_resched();
		(*thread->held)--;
		phyr_locks_drop(&locks);
		cond_resched();
	}
	complete(&thread->done);
	return 0;
}

/* Opposite orders, with duplicates: each ends, and holds all of them. */
static void locks_in_any_order(struct kunit *test)
{
	struct locks_thread threads[3];
	struct task_struct *tasks[3];
	struct dma_resv resvs[LOCKS_NR];
	unsigned int held = 0, i;

	for (i = 0; i < LOCKS_NR; i++)
		dma_resv_init(&resvs[i]);
	for (i = 0; i < ARRAY_SIZE(threads); i++) {
		threads[i] = (struct locks_thread){
			.resvs = resvs, .step = 2 * i + 1, .held = &held,
		};
		init_completion(&threads[i].done);
		tasks[i] = kthread_create(locks_test_thread, &threads[i],
					  "locks_test");
		KUNIT_ASSERT_FALSE(test, IS_ERR(tasks[i]));
		get_task_struct(tasks[i]);
	}
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		wake_up_process(tasks[i]);
	for (i = 0; i < ARRAY_SIZE(threads); i++) {
		wait_for_completion(&threads[i].done);
		kthread_stop_put(tasks[i]);
		KUNIT_EXPECT_EQ(test, threads[i].wrong, 0);
	}
	for (i = 0; i < LOCKS_NR; i++)
		dma_resv_fini(&resvs[i]);
}

static struct kunit_case compose_test_cases[] = {
	KUNIT_CASE(compose_parts_in_order),
	KUNIT_CASE(compose_one_iova),
	KUNIT_CASE(compose_bytes),
	KUNIT_CASE_PARAM(compose_bad_parts, bad_parts_gen_params),
	KUNIT_CASE(compose_bad_dma_bufs),
	KUNIT_CASE(compose_part_moves),
	KUNIT_CASE(compose_part_move_waits),
	KUNIT_CASE(compose_part_revoked),
	KUNIT_CASE(compose_all_locks),
	KUNIT_CASE(compose_pins_all_parts),
	KUNIT_CASE(compose_stock_importer),
	KUNIT_CASE(compose_stock_importer_pins),
	KUNIT_CASE(compose_native_that_locks_one),
	KUNIT_CASE(compose_fixed_part),
	KUNIT_CASE(compose_odd_bytes),
	KUNIT_CASE(compose_repeats),
	KUNIT_CASE(compose_incoherent_device),
	KUNIT_CASE(compose_keeps_its_parts),
	KUNIT_CASE(locks_once_each),
	KUNIT_CASE(locks_in_any_order),
	{}
};

static int compose_suite_init(struct kunit_suite *suite)
{
	return phyr_list_init() ?: phyr_whole_init();
}

static void compose_suite_exit(struct kunit_suite *suite)
{
	phyr_whole_exit();
	phyr_list_exit();
}

static struct kunit_suite compose_test_suite = {
	.name = "phyr_compose",
	.suite_init = compose_suite_init,
	.suite_exit = compose_suite_exit,
	.init = buffer_test_init,
	.test_cases = compose_test_cases,
};

kunit_test_suite(compose_test_suite);

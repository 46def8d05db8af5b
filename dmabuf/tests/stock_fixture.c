// SPDX-License-Identifier: GPL-2.0
/*
 * Fixture for the KUnit cases with a stock exporter
 *
 * The exporter has one sg_table, whose addresses are made up.
 */
#include "redirect.h"
#include "stock_fixture.h"

const struct dma_range stock_test_dma[STOCK_EXTENTS] = {
	{ 0x10000, SZ_8K },
	{ 0x900000000, SZ_4K },
	{ 0x40000, SZ_4K },
};

static int stock_test_attach(struct dma_buf *dmabuf,
			     struct dma_buf_attachment *attach)
{
	struct stock_test *stock = dmabuf->priv;

	stock->peer = attach->peer2peer;
	return stock->attach_err;
}

static int stock_test_pin(struct dma_buf_attachment *attach)
{
	struct stock_test *stock = attach->dmabuf->priv;

	if (stock->pin_err)
		return stock->pin_err;
	stock->pins++;
	return 0;
}

static void stock_test_unpin(struct dma_buf_attachment *attach)
{
	struct stock_test *stock = attach->dmabuf->priv;

	stock->pins--;
}

static struct sg_table *stock_test_map(struct dma_buf_attachment *attach,
				       enum dma_data_direction dir)
{
	struct stock_test *stock = attach->dmabuf->priv;
	struct scatterlist *sg;
	int i, ret;

	if (stock->map_err)
		return ERR_PTR(stock->map_err);
	/* The parentheses bypass the mock. */
	ret = (sg_alloc_table)(&stock->sgt, stock->nents, GFP_KERNEL);
	if (ret)
		return ERR_PTR(ret);
	for_each_sgtable_dma_sg(&stock->sgt, sg, i) {
		sg_dma_address(sg) = stock_test_dma[i].addr;
		sg_dma_len(sg) = stock_test_dma[i].len;
	}
	stock->mapped++;
	return &stock->sgt;
}

static void stock_test_unmap(struct dma_buf_attachment *attach,
			     struct sg_table *sgt, enum dma_data_direction dir)
{
	struct stock_test *stock = attach->dmabuf->priv;

	(sg_free_table)(sgt);
	stock->mapped--;
}

static void stock_test_release(struct dma_buf *dmabuf)
{
}

static const struct dma_buf_ops stock_test_ops = {
	.attach = stock_test_attach,
	.pin = stock_test_pin,
	.unpin = stock_test_unpin,
	.map_dma_buf = stock_test_map,
	.unmap_dma_buf = stock_test_unmap,
	.release = stock_test_release,
};

struct stock_test *stock_test_create(struct kunit *test)
{
	struct stock_test *stock;

	stock = kunit_kzalloc(test, sizeof(*stock), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, stock);
	stock->nents = STOCK_EXTENTS;
	dma_resv_init(&stock->resv);
	buffer_test_action(test, buffer_test_fini_resv, &stock->resv);
	stock->dmabuf = buffer_test_export(test, &stock_test_ops, &stock->resv,
					   SZ_16K, stock);
	mock_forget();
	return stock;
}

struct buffer_importer *stock_test_import(struct buffer_test *t,
					  struct stock_test *stock)
{
	struct buffer_importer *importer = buffer_test_importer(t);

	KUNIT_ASSERT_EQ(t->test, buffer_test_try_native(importer,
							stock->dmabuf), 0);
	return importer;
}

void stock_test_invalidate(struct stock_test *stock)
{
	dma_resv_lock(&stock->resv, NULL);
	dma_buf_invalidate_mappings(stock->dmabuf);
	dma_resv_unlock(&stock->resv);
}

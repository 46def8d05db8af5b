// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: iommu.c, dma-bufs in the IOMMU domain of an importer
 */
#include "redirect.h"
#include "../iommu.c"
#include "buffer_fixture.h"
#include "stock_fixture.h"

#define IOMMU_IOVA	0x40000000ULL

/**
 * struct iommu_importer - an importer with a domain of its own
 * @t: the fixture
 * @attach: its attachment, or NULL
 * @notified: number of invalidate callbacks
 * @result: of a map in the callback, if @maps
 * @maps: the callback tries to map
 */
struct iommu_importer {
	struct buffer_test *t;
	struct phyr_attachment *attach;
	unsigned int notified;
	bool maps;
	int result;
};

static struct phyr_domain *iommu_test_space;

static void iommu_test_end_space(void *space)
{
	phyr_domain_destroy(space);
}

static int iommu_test_prepare(struct kunit *test)
{
	int ret = buffer_test_prepare(test);
	struct buffer_test *t = test->priv;

	if (ret)
		return ret;
	mock_iommu_init(test, &t->pdev->dev);
	iommu_test_space = phyr_domain_create(&t->pdev->dev, &mock_iommu.domain,
					      test);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, iommu_test_space);
	buffer_test_action(test, iommu_test_end_space, iommu_test_space);
	return 0;
}

static int iommu_test_init(struct kunit *test)
{
	int ret = iommu_test_prepare(test);

	if (!ret)
		buffer_test_use_ops(test->priv, &buffer_test_ops);
	return ret;
}

static struct dma_range_list *iommu_test_map_part(struct iommu_importer *importer,
						  u64 offset, u64 len, u64 iova,
						  int prot)
{
	struct dma_range_list *list;

	buffer_lock(importer->t);
	list = phyr_map_domain(importer->attach, offset, len, iova, prot);
	buffer_unlock(importer->t);
	return list;
}

/* Map the whole buffer. */
static struct dma_range_list *iommu_test_map(struct iommu_importer *importer,
					     u64 iova)
{
	struct dma_range_list *list;

	list = iommu_test_map_part(importer, 0, importer->t->size, iova,
				   IOMMU_READ | IOMMU_WRITE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(importer->t->test, list);
	return list;
}

static void iommu_test_unmap(struct iommu_importer *importer,
			     struct dma_range_list *list)
{
	buffer_lock(importer->t);
	phyr_unmap(importer->attach, list);
	buffer_unlock(importer->t);
}

static void iommu_test_notified(struct phyr_attachment *attach)
{
	struct iommu_importer *importer = phyr_attachment_priv(attach);
	struct dma_range_list *list;

	importer->notified++;
	if (!importer->maps)
		return;
	list = phyr_map_domain(attach, 0, SZ_4K, IOMMU_IOVA + SZ_1G,
			       IOMMU_READ);
	importer->result = PTR_ERR_OR_ZERO(list);
}

static const struct phyr_importer_ops iommu_test_ops = {
	.invalidate = iommu_test_notified,
};

static void iommu_test_end_importer(void *data)
{
	struct iommu_importer *importer = data;

	if (importer->attach)
		phyr_detach(importer->attach);
	importer->attach = NULL;
}

static int iommu_test_try_attach(struct iommu_importer *importer,
				 struct dma_buf *dmabuf)
{
	struct phyr_attachment *attach;

	attach = phyr_attach_domain(dmabuf, iommu_test_space, &iommu_test_ops,
				    importer);
	if (IS_ERR(attach))
		return PTR_ERR(attach);
	importer->attach = attach;
	return 0;
}

static struct iommu_importer *iommu_test_importer(struct buffer_test *t)
{
	struct iommu_importer *importer;

	importer = kunit_kzalloc(t->test, sizeof(*importer), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(t->test, importer);
	importer->t = t;
	buffer_test_action(t->test, iommu_test_end_importer, importer);
	return importer;
}

static struct iommu_importer *iommu_test_attach(struct buffer_test *t,
						int dmabuf)
{
	struct iommu_importer *importer = iommu_test_importer(t);

	KUNIT_ASSERT_EQ(t->test, iommu_test_try_attach(importer,
						       t->dmabufs[dmabuf]), 0);
	mock_forget();
	return importer;
}

/* Expect each extent of the buffer at @iova, and nothing behind it. */
static void iommu_test_expect_extents(struct buffer_test *t, u64 iova,
				      u64 start)
{
	const struct mock_iommu_page *page;
	int i;

	for (i = 0; i < BUFFER_EXTENTS; i++) {
		page = mock_iommu_page(iova + i * SZ_4K);
		KUNIT_ASSERT_NOT_NULL(t->test, page);
		KUNIT_EXPECT_EQ(t->test, page->paddr,
				start + i * BUFFER_STRIDE);
		KUNIT_EXPECT_EQ(t->test, page->size, SZ_4K);
	}
	KUNIT_EXPECT_NULL(t->test, mock_iommu_page(iova + BUFFER_SIZE));
}

/*
 * Attach
 */

static void attach_uses_no_dma_api(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct iommu_importer *importer;
	struct dma_range_list *list;

	/* Devices whose DMA the DMA API would refuse */
	mock.iommu = true;
	mock.bounce = true;
	mock.other_ops = true;
	mock.bus = true;
	importer = iommu_test_attach(t, 0);
	KUNIT_EXPECT_EQ(test, importer->attach->kind, PHYR_KIND_DOMAIN);
	list = iommu_test_map(importer, IOMMU_IOVA);
	KUNIT_EXPECT_STREQ(test, dma_range_list_mode(list), "domain");
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_PROBE), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_ALLOC), 0);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
	iommu_test_unmap(importer, list);
}

static void attach_peer_out_of_reach(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct iommu_importer *importer;
	struct dma_range_list *list;

	mock.distance = -1;
	importer = iommu_test_attach(t, 0);
	KUNIT_EXPECT_TRUE(test, t->in_system);
	KUNIT_EXPECT_EQ(test, t->pins, 1);
	list = iommu_test_map(importer, IOMMU_IOVA);
	iommu_test_expect_extents(t, IOMMU_IOVA, BUFFER_RAM);
	KUNIT_EXPECT_EQ(test, mock_iommu_page(IOMMU_IOVA)->prot,
			IOMMU_READ | IOMMU_WRITE | IOMMU_CACHE);
	iommu_test_unmap(importer, list);
}

static void attach_peer_out_of_reach_fixed(struct kunit *test)
{
	struct buffer_test *t = test->priv;

	buffer_test_use_ops(t, &buffer_test_ops_fixed);
	mock.distance = -1;
	KUNIT_EXPECT_EQ(test, iommu_test_try_attach(iommu_test_importer(t),
						    t->dmabufs[0]),
			-EREMOTEIO);
}

/* Nobody would flush the CPU's caches. */
static void attach_incoherent_device(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct iommu_importer *importer;

	mock.coherent = false;
	buffer_test_use_ops(t, &buffer_test_ops_fixed);
	importer = iommu_test_attach(t, 0);
	iommu_test_unmap(importer, iommu_test_map(importer, IOMMU_IOVA));

	/* The first importer detaches before the buffer gets there. */
	iommu_test_end_importer(importer);
	t->in_system = true;
	buffer_lock(t);
	KUNIT_EXPECT_EQ(test, phyr_buffer_move_begin(&t->buffer, false, false),
			0);
	phyr_buffer_move_end(&t->buffer);
	buffer_unlock(t);
	KUNIT_EXPECT_EQ(test, iommu_test_try_attach(importer, t->dmabufs[0]),
			-EREMOTEIO);
}

static void attach_to_a_stock_exporter(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct iommu_importer *importer = iommu_test_importer(t);
	struct stock_test *stock = stock_test_create(test);

	KUNIT_EXPECT_EQ(test, iommu_test_try_attach(importer, stock->dmabuf),
			-EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_ATTACH), 0);
}

static void attach_fails(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct iommu_importer *importer = iommu_test_importer(t);

	KUNIT_EXPECT_PTR_EQ(test, phyr_attach_domain(t->dmabufs[0],
						     iommu_test_space, NULL,
						     importer),
			    ERR_PTR(-EINVAL));
	mock_fail(MOCK_ALLOC, 1, -ENOMEM);
	KUNIT_EXPECT_EQ(test, iommu_test_try_attach(importer, t->dmabufs[0]),
			-ENOMEM);
	mock_fail(MOCK_ATTACH, 1, -ENOMEM);
	KUNIT_EXPECT_EQ(test, iommu_test_try_attach(importer, t->dmabufs[0]),
			-ENOMEM);
	/* phyr_domain_destroy() warns about a reference that leaks. */
}

/*
 * Map
 */

static void map_whole_and_part(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct iommu_importer *importer = iommu_test_attach(t, 0);
	struct dma_range_list *whole, *part;
	struct phyr_domain_pages pages;
	struct dma_range_cursor cursor;
	struct dma_range range;

	whole = iommu_test_map(importer, IOMMU_IOVA);
	iommu_test_expect_extents(t, IOMMU_IOVA, BUFFER_BAR);
	phyr_domain_list_pages(whole, &pages);
	KUNIT_EXPECT_EQ(test, pages.smallest, SZ_4K);
	KUNIT_EXPECT_EQ(test, pages.largest, SZ_4K);
	KUNIT_EXPECT_EQ(test, pages.count, BUFFER_EXTENTS);

	/* The importer sees one range at the IOVA that it chose. */
	dma_range_cursor_init(&cursor, whole, SZ_4K + 1);
	KUNIT_ASSERT_EQ(test, dma_range_next(&cursor, &range, 1), 1);
	KUNIT_EXPECT_EQ(test, range.addr, IOMMU_IOVA + SZ_4K + 1);
	KUNIT_EXPECT_EQ(test, range.len, BUFFER_SIZE - SZ_4K - 1);
	KUNIT_EXPECT_EQ(test, dma_range_next(&cursor, &range, 1), 0);

	part = iommu_test_map_part(importer, 2 * SZ_4K, 2 * SZ_4K,
				   IOMMU_IOVA + SZ_1M, IOMMU_READ);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, part);
	KUNIT_EXPECT_EQ(test, mock_iommu_pages(), BUFFER_EXTENTS + 2);
	KUNIT_EXPECT_EQ(test, mock_iommu_page(IOMMU_IOVA + SZ_1M)->paddr,
			BUFFER_BAR + 2 * BUFFER_STRIDE);
	KUNIT_EXPECT_EQ(test, mock_iommu_page(IOMMU_IOVA + SZ_1M)->prot,
			IOMMU_READ | IOMMU_MMIO);
	iommu_test_unmap(importer, whole);
	KUNIT_EXPECT_EQ(test, mock_iommu_pages(), 2);
	iommu_test_unmap(importer, part);
}

static void map_bad_arguments(struct kunit *test)
{
	static const struct {
		u64 offset, len, iova;
		int prot;
	} bad[] = {
		{ 0, 0, IOMMU_IOVA, IOMMU_READ },
		{ 1, SZ_4K, IOMMU_IOVA, IOMMU_READ },
		{ 0, SZ_4K - 1, IOMMU_IOVA, IOMMU_READ },
		{ 0, SZ_4K, IOMMU_IOVA + 1, IOMMU_READ },
		{ 0, BUFFER_SIZE + SZ_4K, IOMMU_IOVA, IOMMU_READ },
		{ BUFFER_SIZE, SZ_4K, IOMMU_IOVA, IOMMU_READ },
		{ SZ_4K, -(u64)SZ_4K, IOMMU_IOVA, IOMMU_READ },
		{ -(u64)SZ_4K, 2 * SZ_4K, IOMMU_IOVA, IOMMU_READ },
		{ 0, 2 * SZ_4K, -(u64)SZ_4K, IOMMU_READ },
		{ 0, SZ_4K, IOMMU_IOVA, 0 },
		{ 0, SZ_4K, IOMMU_IOVA, IOMMU_NOEXEC },
		{ 0, SZ_4K, IOMMU_IOVA, IOMMU_READ | IOMMU_MMIO },
		{ 0, SZ_4K, IOMMU_IOVA, IOMMU_READ | IOMMU_CACHE },
		{ 0, SZ_4K, IOMMU_IOVA, -1 },
	};
	struct buffer_test *t = test->priv;
	struct iommu_importer *importer = iommu_test_attach(t, 0);
	struct dma_range_list *list;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		list = iommu_test_map_part(importer, bad[i].offset, bad[i].len,
					   bad[i].iova, bad[i].prot);
		KUNIT_EXPECT_PTR_EQ_MSG(test, list, ERR_PTR(-EINVAL),
					"arguments %u", i);
	}
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOMMU_MAP), 0);
}

static void map_calls_of_the_other_kind(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct iommu_importer *importer = iommu_test_attach(t, 0);
	struct buffer_importer *native = buffer_test_native(t, 1, false);
	struct dma_range_list *list;

	buffer_lock(t);
	list = phyr_map(importer->attach, 0, SZ_4K, DMA_TO_DEVICE);
	KUNIT_EXPECT_PTR_EQ(test, list, ERR_PTR(-EINVAL));
	list = phyr_map_domain(native->native, 0, SZ_4K, IOMMU_IOVA,
			       IOMMU_READ);
	KUNIT_EXPECT_PTR_EQ(test, list, ERR_PTR(-EINVAL));
	buffer_unlock(t);
}

static void map_no_memory(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct iommu_importer *importer = iommu_test_attach(t, 0);
	unsigned int before = mock_allocated();
	struct dma_range_list *list;
	unsigned int nth;

	for (nth = 1; nth <= 2; nth++) {
		mock_fail(MOCK_ALLOC, nth, -ENOMEM);
		list = iommu_test_map_part(importer, 0, SZ_4K, IOMMU_IOVA,
					   IOMMU_READ);
		KUNIT_EXPECT_PTR_EQ(test, list, ERR_PTR(-ENOMEM));
		KUNIT_EXPECT_EQ(test, mock_allocated(), before);
	}
	mock_fail(MOCK_IOMMU_MAP, 4, -ENOSPC);
	list = iommu_test_map_part(importer, 0, BUFFER_SIZE, IOMMU_IOVA,
				   IOMMU_READ);
	KUNIT_EXPECT_PTR_EQ(test, list, ERR_PTR(-ENOSPC));
	KUNIT_EXPECT_EQ(test, mock_allocated(), before);
	KUNIT_EXPECT_EQ(test, mock_iommu_pages(), 0);
	iommu_test_unmap(importer, iommu_test_map(importer, IOMMU_IOVA));
}

static struct phyr_list *iommu_test_describe_skip(struct buffer_test *t)
{
	struct phyr_list *list = phyr_list_create();
	int ret;

	if (IS_ERR(list))
		return list;
	ret = phyr_list_append(list, t->bar, BUFFER_BAR, t->size + SZ_4K);
	if (!ret)
		ret = phyr_list_finish_composed(list, SZ_2K, t->size);
	if (ret) {
		phyr_list_put(list);
		return ERR_PTR(ret);
	}
	return list;
}

/* Whole pages would map what does not belong to the buffer. */
static void map_list_with_skip(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct iommu_importer *importer;
	struct dma_range_list *list;

	t->describe = iommu_test_describe_skip;
	importer = iommu_test_attach(t, 0);
	list = iommu_test_map_part(importer, 0, SZ_4K, IOMMU_IOVA, IOMMU_READ);
	KUNIT_EXPECT_PTR_EQ(test, list, ERR_PTR(-EINVAL));
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOMMU_MAP), 0);
	KUNIT_EXPECT_EQ(test, mock_iommu_pages(), 0);
}

static struct phyr_list *iommu_test_describe_readonly(struct buffer_test *t)
{
	struct phyr_list *list = phyr_list_create();
	int ret;

	if (IS_ERR(list))
		return list;
	ret = phyr_list_append(list, t->bar, BUFFER_BAR, t->size);
	if (!ret)
		ret = phyr_list_finish(list, t->size, "iommu_test");
	if (ret) {
		phyr_list_put(list);
		return ERR_PTR(ret);
	}
	phyr_list_set_readonly(list);
	return list;
}

static void map_readonly_list(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct iommu_importer *importer;
	struct dma_range_list *list;

	t->describe = iommu_test_describe_readonly;
	importer = iommu_test_attach(t, 0);
	list = iommu_test_map_part(importer, 0, SZ_4K, IOMMU_IOVA,
				   IOMMU_READ | IOMMU_WRITE);
	KUNIT_EXPECT_PTR_EQ(test, list, ERR_PTR(-EACCES));
	KUNIT_EXPECT_EQ(test, mock_iommu_pages(), 0);
	list = iommu_test_map_part(importer, 0, SZ_4K, IOMMU_IOVA, IOMMU_READ);
	KUNIT_ASSERT_FALSE(test, IS_ERR(list));
	KUNIT_EXPECT_EQ(test, mock_iommu_pages(), 1);
	iommu_test_unmap(importer, list);
}

/*
 * Moves and revokes
 */

/* The number of pages that are still mapped when the data ends */
static void iommu_test_destroy_priv(void *priv)
{
	*(unsigned int *)priv = mock_iommu_pages();
}

static void move_ends_data_and_commit(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct iommu_importer *importer = iommu_test_attach(t, 0);
	struct dma_range_list *list = iommu_test_map(importer, IOMMU_IOVA);
	unsigned int pages = 0;

	buffer_lock(t);
	KUNIT_EXPECT_EQ(test, dma_range_list_set_priv(list, &pages,
						      iommu_test_destroy_priv),
			0);
	KUNIT_EXPECT_EQ(test, phyr_map_commit(importer->attach, list), 0);
	buffer_unlock(t);
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
	KUNIT_EXPECT_EQ(test, pages, BUFFER_EXTENTS);
	KUNIT_EXPECT_EQ(test, mock_iommu_pages(), 0);
	buffer_lock(t);
	KUNIT_EXPECT_NULL(test, dma_range_list_priv(list));
	KUNIT_EXPECT_EQ(test, phyr_map_commit(importer->attach, list), -EAGAIN);
	buffer_unlock(t);
	iommu_test_unmap(importer, list);
}

static void move_unmaps_with_one_flush(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct iommu_importer *importer = iommu_test_attach(t, 0);
	struct dma_range_list *old[3], *new;
	int i;

	for (i = 0; i < 3; i++)
		old[i] = iommu_test_map(importer, IOMMU_IOVA + i * SZ_1M);
	mock_forget();
	KUNIT_EXPECT_EQ(test, buffer_test_move_to(t, true), 0);
	KUNIT_EXPECT_EQ(test, importer->notified, 1);
	KUNIT_EXPECT_EQ(test, mock_iommu_pages(), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOMMU_FLUSH), 1);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, dma_range_list_len(old[i]), 0);

	/* At the same IOVA, while the old lists are not unmapped. */
	new = iommu_test_map(importer, IOMMU_IOVA);
	iommu_test_expect_extents(t, IOMMU_IOVA, BUFFER_RAM);
	for (i = 0; i < 3; i++)
		iommu_test_unmap(importer, old[i]);
	iommu_test_expect_extents(t, IOMMU_IOVA, BUFFER_RAM);
	iommu_test_unmap(importer, new);
}

static void move_waits_for_fences_first(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct iommu_importer *importer = iommu_test_attach(t, 0);
	struct dma_range_list *list = iommu_test_map(importer, IOMMU_IOVA);
	struct buffer_wait wait = { .t = t };

	buffer_test_add_fence(t, &t->resv);
	buffer_test_watch_wait(&wait);
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
	KUNIT_EXPECT_GE(test, wait.waits, 1);
	KUNIT_EXPECT_GT(test, mock_index(MOCK_IOMMU_UNMAP, 1),
			mock_index(MOCK_WAIT, wait.waits));
	KUNIT_EXPECT_EQ(test, mock_iommu_pages(), 0);
	iommu_test_unmap(importer, list);
}

static void revoke_unmaps(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct iommu_importer *importer = iommu_test_attach(t, 0);
	struct dma_range_list *list = iommu_test_map(importer, IOMMU_IOVA);
	struct dma_range_list *again;

	importer->maps = true;
	buffer_test_revoke(t);
	KUNIT_EXPECT_EQ(test, importer->result, -EBUSY);
	KUNIT_EXPECT_EQ(test, mock_iommu_pages(), 0);
	KUNIT_EXPECT_EQ(test, dma_range_list_len(list), 0);
	again = iommu_test_map_part(importer, 0, SZ_4K, IOMMU_IOVA, IOMMU_READ);
	KUNIT_EXPECT_PTR_EQ(test, again, ERR_PTR(-ENODEV));

	/* No table is waited for. */
	phyr_buffer_revoke_wait(&t->buffer);
	buffer_lock(t);
	phyr_buffer_rearm(&t->buffer);
	buffer_unlock(t);
	again = iommu_test_map(importer, IOMMU_IOVA);
	iommu_test_expect_extents(t, IOMMU_IOVA, BUFFER_BAR);
	iommu_test_unmap(importer, list);
	iommu_test_unmap(importer, again);
}

/* The exporter uses a memory that it did not announce. */
static void map_after_reach_is_lost_in_a_domain(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct iommu_importer *importer;
	struct dma_range_list *list;

	buffer_test_use_ops(t, &buffer_test_ops_silent);
	t->in_system = true;
	importer = iommu_test_attach(t, 0);
	mock.distance = -1;
	KUNIT_EXPECT_EQ(test, buffer_test_move_to(t, false), 0);
	list = iommu_test_map(importer, IOMMU_IOVA);
	KUNIT_EXPECT_TRUE(test, t->in_system);
	KUNIT_EXPECT_EQ(test, t->pins, 1);
	iommu_test_expect_extents(t, IOMMU_IOVA, BUFFER_RAM);
	iommu_test_unmap(importer, list);
}

/*
 * Unmap
 */

static void unmap_several_with_one_flush(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct iommu_importer *first = iommu_test_attach(t, 0);
	struct iommu_importer *second = iommu_test_attach(t, 1);
	struct phyr_domain_mapping mappings[4];
	int i;

	for (i = 0; i < 4; i++) {
		struct iommu_importer *importer = i & 1 ? first : second;

		mappings[i].attach = importer->attach;
		mappings[i].list = iommu_test_map(importer,
						  IOMMU_IOVA + i * SZ_1M);
	}
	mock_forget();
	buffer_lock(t);
	phyr_unmap_domain(iommu_test_space, mappings, 4);
	buffer_unlock(t);
	KUNIT_EXPECT_EQ(test, mock_iommu_pages(), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOMMU_FLUSH), 1);
	KUNIT_EXPECT_TRUE(test, list_empty(&first->attach->mappings));
	KUNIT_EXPECT_TRUE(test, list_empty(&second->attach->mappings));
}

static void unmap_several_after_a_move(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct iommu_importer *importer = iommu_test_attach(t, 0);
	struct phyr_domain_mapping mappings[2];

	mappings[0].attach = importer->attach;
	mappings[0].list = iommu_test_map(importer, IOMMU_IOVA);
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
	mappings[1].attach = importer->attach;
	mappings[1].list = iommu_test_map(importer, IOMMU_IOVA);
	buffer_lock(t);
	phyr_unmap_domain(iommu_test_space, mappings, 2);
	buffer_unlock(t);
	KUNIT_EXPECT_EQ(test, mock_iommu_pages(), 0);
}

static void unmap_in_another_space(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct iommu_importer *importer = iommu_test_attach(t, 0);
	struct phyr_domain_mapping mapping = { .attach = importer->attach };
	struct phyr_domain *other;

	other = phyr_domain_create(&t->pdev->dev, &mock_iommu.domain, test);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other);
	mapping.list = iommu_test_map(importer, IOMMU_IOVA);
	buffer_lock(t);
	kunit_warning_suppress(test) {
		phyr_unmap_domain(other, &mapping, 1);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	buffer_unlock(t);
	KUNIT_EXPECT_EQ(test, mock_iommu_pages(), 0);
	phyr_domain_destroy(other);
}

static void detach_with_a_domain_mapping_left(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct iommu_importer *importer = iommu_test_attach(t, 0);

	iommu_test_map(importer, IOMMU_IOVA);
	kunit_warning_suppress(test) {
		iommu_test_end_importer(importer);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_EQ(test, mock_iommu_pages(), 0);
}

static struct kunit_case iommu_test_cases[] = {
	KUNIT_CASE(attach_uses_no_dma_api),
	KUNIT_CASE(attach_peer_out_of_reach),
	KUNIT_CASE(attach_to_a_stock_exporter),
	KUNIT_CASE(attach_fails),
	KUNIT_CASE(map_whole_and_part),
	KUNIT_CASE(map_bad_arguments),
	KUNIT_CASE(map_calls_of_the_other_kind),
	KUNIT_CASE(map_no_memory),
	KUNIT_CASE(map_list_with_skip),
	KUNIT_CASE(map_readonly_list),
	KUNIT_CASE(move_ends_data_and_commit),
	KUNIT_CASE(move_unmaps_with_one_flush),
	KUNIT_CASE(move_waits_for_fences_first),
	KUNIT_CASE(revoke_unmaps),
	KUNIT_CASE(unmap_several_with_one_flush),
	KUNIT_CASE(unmap_several_after_a_move),
	KUNIT_CASE(unmap_in_another_space),
	KUNIT_CASE(detach_with_a_domain_mapping_left),
	{}
};

static struct kunit_suite iommu_test_suite = {
	.name = "phyr_iommu",
	.init = iommu_test_init,
	.test_cases = iommu_test_cases,
};

/* With exporters of their own */
static struct kunit_case iommu_ops_test_cases[] = {
	KUNIT_CASE(attach_peer_out_of_reach_fixed),
	KUNIT_CASE(attach_incoherent_device),
	KUNIT_CASE(map_after_reach_is_lost_in_a_domain),
	{}
};

static struct kunit_suite iommu_ops_test_suite = {
	.name = "phyr_iommu_ops",
	.init = iommu_test_prepare,
	.test_cases = iommu_ops_test_cases,
};

kunit_test_suites(&iommu_test_suite, &iommu_ops_test_suite);

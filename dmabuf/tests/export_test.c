// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: export.c, dma-bufs of a buffer
 */
#include "redirect.h"
#include "../export.c"
#include "buffer_fixture.h"

static unsigned int export_test_count(struct buffer_test *t)
{
	unsigned int count;

	buffer_lock(t);
	count = phyr_buffer_dma_bufs(&t->buffer);
	buffer_unlock(t);
	return count;
}

static void export_is_of_the_buffer(struct kunit *test)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;
	struct dma_buf_ops other = {};
	struct dma_buf *dmabuf;
	struct dma_resv resv;

	/* Ops and reservation object of something else */
	dma_resv_init(&resv);
	info.ops = &other;
	info.resv = &resv;
	info.size = t->size;
	info.priv = t;
	dmabuf = phyr_dma_buf_export(&t->buffer, &info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	KUNIT_EXPECT_PTR_EQ(test, dmabuf->ops, &buffer_test_ops.ops);
	KUNIT_EXPECT_PTR_EQ(test, dmabuf->resv, &t->resv);
	KUNIT_EXPECT_EQ(test, export_test_count(t), BUFFER_DMA_BUFS + 1);

	/* Its importers are notified. */
	importer = buffer_test_importer(t);
	KUNIT_EXPECT_EQ(test, buffer_test_try_native(importer, dmabuf), 0);
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
	KUNIT_EXPECT_EQ(test, importer->notified, 1);
	buffer_test_end_importer(importer);
	buffer_test_put_dma_buf(dmabuf);
	KUNIT_EXPECT_EQ(test, export_test_count(t), BUFFER_DMA_BUFS);
	KUNIT_EXPECT_EQ(test, t->released, 1);
	dma_resv_fini(&resv);
}

enum export_lack {
	NO_ATTACH,
	NO_PIN,
	NO_RELEASE,
	NO_BUFFER,
	NO_DESCRIBE,
	HALF_PIN,
	HALF_UNPIN,
	HALF_PIN_SYSTEM,
	HALF_UNPIN_SYSTEM,
};

static const struct export_param {
	const char *name;
	enum export_lack lack;
} export_params[] = {
	{ "no attach", NO_ATTACH },
	{ "other pin", NO_PIN },
	{ "other release", NO_RELEASE },
	{ "no buffer", NO_BUFFER },
	{ "no describe", NO_DESCRIBE },
	{ "pin without unpin", HALF_PIN },
	{ "unpin without pin", HALF_UNPIN },
	{ "pin_system without unpin_system", HALF_PIN_SYSTEM },
	{ "unpin_system without pin_system", HALF_UNPIN_SYSTEM },
};

KUNIT_ARRAY_PARAM_DESC(export, export_params, name);

static void export_lacking(struct phyr_dma_buf_ops *ops, enum export_lack lack)
{
	*ops = buffer_test_ops;
	switch (lack) {
	case NO_ATTACH:
		ops->ops.attach = NULL;
		break;
	case NO_PIN:
		ops->ops.pin = NULL;
		break;
	case NO_RELEASE:
		ops->ops.release = NULL;
		break;
	case NO_BUFFER:
		ops->buffer = NULL;
		break;
	case NO_DESCRIBE:
		ops->describe = NULL;
		break;
	case HALF_PIN:
		ops->unpin = NULL;
		break;
	case HALF_UNPIN:
		ops->pin = NULL;
		break;
	case HALF_PIN_SYSTEM:
		ops->unpin_system = NULL;
		break;
	case HALF_UNPIN_SYSTEM:
		ops->pin_system = NULL;
		break;
	}
}

static void export_checks_the_ops(struct kunit *test)
{
	const struct export_param *param = test->param_value;
	struct buffer_test *t = test->priv;
	struct phyr_dma_buf_ops ops;

	export_lacking(&ops, param->lack);
	t->buffer.ops = &ops;
	kunit_warning_suppress(test) {
		KUNIT_EXPECT_PTR_EQ(test, buffer_test_try_export(t, t->size),
				    ERR_PTR(-EINVAL));
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	t->buffer.ops = &buffer_test_ops;
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_EXPORT), 0);
	KUNIT_EXPECT_EQ(test, export_test_count(t), BUFFER_DMA_BUFS);
}

static void export_another_size(struct kunit *test)
{
	struct buffer_test *t = test->priv;

	kunit_warning_suppress(test) {
		KUNIT_EXPECT_PTR_EQ(test,
				    buffer_test_try_export(t, t->size + SZ_4K),
				    ERR_PTR(-EINVAL));
		KUNIT_EXPECT_PTR_EQ(test, buffer_test_try_export(t, 0),
				    ERR_PTR(-EINVAL));
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 2);
	}
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_EXPORT), 0);

	/* The size stays when the last dma-buf is gone. */
	kunit_release_action(test, buffer_test_put_dma_buf, t->dmabufs[0]);
	kunit_release_action(test, buffer_test_put_dma_buf, t->dmabufs[1]);
	KUNIT_EXPECT_EQ(test, export_test_count(t), 0);
	KUNIT_EXPECT_EQ(test, t->released, 2);
	kunit_warning_suppress(test) {
		KUNIT_EXPECT_PTR_EQ(test,
				    buffer_test_try_export(t, t->size - SZ_4K),
				    ERR_PTR(-EINVAL));
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
}

/* The list came first. */
static void export_another_size_than_the_list(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct phyr_buffer buffer;
	struct dma_buf *dmabuf;

	DEFINE_DMA_BUF_EXPORT_INFO(info);

	phyr_buffer_init(&buffer, &buffer_test_ops, &t->resv);
	buffer_lock(t);
	buffer.list = phyr_list_get(phyr_buffer_get_list(&t->buffer));
	buffer_unlock(t);
	info.size = t->size + SZ_4K;
	info.priv = t;
	kunit_warning_suppress(test) {
		dmabuf = phyr_dma_buf_export(&buffer, &info);
		KUNIT_EXPECT_PTR_EQ(test, dmabuf, ERR_PTR(-EINVAL));
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_EQ(test, buffer.size, 0);
	phyr_buffer_fini(&buffer);
}

/* The release, which drops what the exporter has not taken yet, is not called. */
static void export_each_step_fails(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	unsigned int before = mock_allocated();
	struct dma_buf *dmabuf;

	mock_fail(MOCK_ALLOC, 1, -ENOMEM);
	KUNIT_EXPECT_PTR_EQ(test, buffer_test_try_export(t, t->size),
			    ERR_PTR(-ENOMEM));
	mock_fail(MOCK_EXPORT, 1, -ENFILE);
	KUNIT_EXPECT_PTR_EQ(test, buffer_test_try_export(t, t->size),
			    ERR_PTR(-ENFILE));
	KUNIT_EXPECT_EQ(test, mock_allocated(), before);
	KUNIT_EXPECT_EQ(test, export_test_count(t), BUFFER_DMA_BUFS);
	KUNIT_EXPECT_EQ(test, t->released, 0);

	dmabuf = buffer_test_try_export(t, t->size);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	buffer_test_put_dma_buf(dmabuf);
	KUNIT_EXPECT_EQ(test, t->released, 1);
	KUNIT_EXPECT_EQ(test, mock_allocated(), before);
}

static void export_interrupted(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_holder holder;
	struct dma_buf *dmabuf;

	buffer_test_start_holder(&holder, t);
	set_tsk_thread_flag(current, TIF_SIGPENDING);
	dmabuf = buffer_test_try_export(t, t->size);
	clear_tsk_thread_flag(current, TIF_SIGPENDING);
	buffer_test_end_holder(&holder);
	KUNIT_EXPECT_PTR_EQ(test, dmabuf, ERR_PTR(-ERESTARTSYS));
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_EXPORT), 0);
}

static struct kunit_case export_test_cases[] = {
	KUNIT_CASE(export_is_of_the_buffer),
	KUNIT_CASE_PARAM(export_checks_the_ops, export_gen_params),
	KUNIT_CASE(export_another_size),
	KUNIT_CASE(export_another_size_than_the_list),
	KUNIT_CASE(export_each_step_fails),
	KUNIT_CASE(export_interrupted),
	{}
};

static struct kunit_suite export_test_suite = {
	.name = "phyr_export",
	.init = buffer_test_init,
	.test_cases = export_test_cases,
};

kunit_test_suite(export_test_suite);

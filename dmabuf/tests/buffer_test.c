// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: dma_buf.c, a buffer's life and what importers get of it
 *
 * The dma-bufs are real ones, made by dma_buf_export(); the DMA API is mocked.
 * The exporter here has its buffer in a BAR or in system memory, and says so
 * at each describe; it moves when it is told to.
 */
#include "redirect.h"
#include "../attachment.c"
#include "../buffer.c"
#include "../dma_buf.c"

#include <linux/delay.h>
#include <linux/dma-fence.h>
#include <linux/file.h>
#include <linux/kthread.h>

#define BUFFER_BAR	0xc0000000ULL
#define BUFFER_BAR_LEN	(64ULL * SZ_1M)
#define BUFFER_RAM	0x100000000ULL
#define BUFFER_EXTENTS	6
#define BUFFER_STRIDE	SZ_64K
#define BUFFER_SIZE	(BUFFER_EXTENTS * SZ_4K)
#define BUFFER_DMA_BUFS	2

/**
 * struct buffer_importer - an importer, native or stock
 * @t: the fixture
 * @native: the attachment of a native one
 * @stock: the attachment of a stock one
 * @ranges: a native mapping
 * @sgt: a stock mapping
 * @told: how often it was told to let go
 * @on_told: what it does then, besides counting; or NULL
 * @result: for @on_told
 */
struct buffer_importer {
	struct buffer_test *t;
	struct phyr_attachment *native;
	struct dma_buf_attachment *stock;
	struct dma_range_list *ranges;
	struct sg_table *sgt;
	unsigned int told;
	void (*on_told)(struct buffer_importer *importer);
	long result;
};

/**
 * struct buffer_test - the fixture: an exporter with one buffer
 * @test: the case
 * @bus: where both devices sit
 * @owner: the device with the BAR
 * @pdev: the importer's device
 * @bar: its memory
 * @ram: system memory
 * @resv: reservation object of the buffer
 * @buffer: the buffer
 * @dmabufs: its dma-bufs
 * @in_system: where it is now
 * @offset: where in that
 * @mixed: its last extent is in RAM wherever it is
 * @size: bytes
 * @described: how often it was asked
 * @describe_err: what it says instead
 * @pin_err: what pin_system says
 * @pins: pins less unpins in system memory
 * @stock_pins: pins less unpins by static importers
 * @fence: somebody's DMA; NULL if there is none
 * @fence_storage: its memory, which lives longer than any resv that has it
 */
struct buffer_test {
	struct kunit *test;
	struct pci_bus *bus;
	struct pci_dev *owner;
	struct pci_dev *pdev;
	struct phyr_mem *bar;
	struct phyr_mem *ram;
	struct dma_resv resv;
	struct phyr_buffer buffer;
	struct dma_buf *dmabufs[BUFFER_DMA_BUFS];
	bool in_system;
	bool mixed;
	u64 offset;
	u64 size;
	unsigned int described;
	int describe_err;
	int pin_err;
	int pins;
	int stock_pins;
	struct dma_fence *fence;
	struct dma_fence fence_storage;
};

/*
 * The exporter
 */

static struct phyr_buffer *buffer_test_buffer(struct dma_buf *dmabuf)
{
	struct buffer_test *t = dmabuf->priv;

	return &t->buffer;
}

static struct phyr_list *buffer_test_describe(struct phyr_buffer *buffer)
{
	struct buffer_test *t = container_of(buffer, struct buffer_test,
					     buffer);
	struct phyr_list *list;
	int i, ret = 0;

	t->described++;
	if (t->describe_err)
		return ERR_PTR(t->describe_err);

	list = phyr_list_create();
	if (IS_ERR(list))
		return list;
	for (i = 0; i < BUFFER_EXTENTS && !ret; i++) {
		bool ram = t->in_system ||
			   (t->mixed && i == BUFFER_EXTENTS - 1);

		ret = phyr_list_append(list, ram ? t->ram : t->bar,
				       (ram ? BUFFER_RAM : BUFFER_BAR) +
				       t->offset + i * BUFFER_STRIDE, SZ_4K);
	}
	if (!ret)
		ret = phyr_list_finish(list, t->size, "buffer_test");
	if (ret) {
		phyr_list_put(list);
		return ERR_PTR(ret);
	}
	return list;
}

static int buffer_test_pin_system(struct phyr_buffer *buffer)
{
	struct buffer_test *t = container_of(buffer, struct buffer_test,
					     buffer);
	int ret;

	dma_resv_assert_held(buffer->resv);

	if (t->pin_err)
		return t->pin_err;
	if (!t->in_system) {
		ret = phyr_buffer_move_begin(buffer, false, false);
		if (ret)
			return ret;
		t->in_system = true;
		phyr_buffer_move_end(buffer);
	}
	t->pins++;
	return 0;
}

static void buffer_test_unpin_system(struct phyr_buffer *buffer)
{
	struct buffer_test *t = container_of(buffer, struct buffer_test,
					     buffer);

	dma_resv_assert_held(buffer->resv);
	t->pins--;
}

static int buffer_test_pin(struct dma_buf_attachment *attach)
{
	struct buffer_test *t = attach->dmabuf->priv;

	t->stock_pins++;
	return 0;
}

static void buffer_test_unpin(struct dma_buf_attachment *attach)
{
	struct buffer_test *t = attach->dmabuf->priv;

	t->stock_pins--;
}

static void buffer_test_release(struct dma_buf *dmabuf)
{
	struct buffer_test *t = dmabuf->priv;

	phyr_buffer_remove_dma_buf(&t->buffer, dmabuf);
}

#define BUFFER_TEST_OPS \
	.ops = { \
		PHYR_DMA_BUF_OPS, \
		.pin = buffer_test_pin, \
		.unpin = buffer_test_unpin, \
		.release = buffer_test_release, \
	}, \
	.buffer = buffer_test_buffer, \
	.describe = buffer_test_describe

static const struct phyr_dma_buf_ops buffer_test_ops = {
	BUFFER_TEST_OPS,
	.pin_system = buffer_test_pin_system,
	.unpin_system = buffer_test_unpin_system,
};

/* An exporter whose buffer cannot be anywhere else. */
static const struct phyr_dma_buf_ops buffer_test_ops_fixed = {
	BUFFER_TEST_OPS,
};

static void buffer_lock(struct buffer_test *t)
{
	dma_resv_lock(&t->resv, NULL);
}

static void buffer_unlock(struct buffer_test *t)
{
	dma_resv_unlock(&t->resv);
}

static void buffer_test_put_mem(void *mem)
{
	phyr_mem_put(mem);
}

static void buffer_test_fini_resv(void *resv)
{
	dma_resv_fini(resv);
}

static void buffer_test_fini_buffer(void *buffer)
{
	phyr_buffer_fini(buffer);
}

/* A kthread's fput() is left to a worker: do it now. */
static void buffer_test_put_dma_buf(void *dmabuf)
{
	__fput_sync(((struct dma_buf *)dmabuf)->file);
}

static void buffer_test_action(struct kunit *test, kunit_action_t *action,
			       void *arg)
{
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, action, arg), 0);
}

static struct dma_buf *buffer_test_export(struct kunit *test,
					  const struct dma_buf_ops *ops,
					  struct dma_resv *resv, u64 size,
					  void *priv)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;

	info.exp_name = "buffer_test";
	info.ops = ops;
	info.size = size;
	info.resv = resv;
	info.priv = priv;
	dmabuf = dma_buf_export(&info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	buffer_test_action(test, buffer_test_put_dma_buf, dmabuf);
	return dmabuf;
}

static void buffer_test_use_ops(struct buffer_test *t,
				const struct phyr_dma_buf_ops *ops)
{
	struct kunit *test = t->test;
	int i;

	phyr_buffer_init(&t->buffer, ops, &t->resv);
	buffer_test_action(test, buffer_test_fini_buffer, &t->buffer);
	for (i = 0; i < BUFFER_DMA_BUFS; i++) {
		t->dmabufs[i] = buffer_test_export(test, &ops->ops, &t->resv,
						   t->size, t);
		KUNIT_ASSERT_EQ(test, phyr_buffer_add_dma_buf(&t->buffer,
							      t->dmabufs[i]),
				0);
	}
	mock_forget();
}

/* The fixture without its buffer, for cases that say what exporter it is. */
static int buffer_test_prepare(struct kunit *test)
{
	struct pci_dev *bridge;
	struct buffer_test *t;
	int ret;

	ret = mock_init(test);
	if (ret)
		return ret;
	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	if (!t)
		return -ENOMEM;
	test->priv = t;
	t->test = test;
	t->size = BUFFER_SIZE;

	bridge = mock_pci_dev(test, "bridge", mock_pci_bus(test, NULL), ~0ULL);
	t->bus = mock_pci_bus(test, bridge);
	t->owner = mock_pci_dev(test, "owner", t->bus, ~0ULL);
	t->pdev = mock_pci_dev(test, "importer", t->bus, ~0ULL);
	mock_pci_bar(t->owner, 0, BUFFER_BAR, BUFFER_BAR_LEN);
	t->bar = phyr_mem_create_p2p(t->owner, 0, PHYR_MEM_WC);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t->bar);
	buffer_test_action(test, buffer_test_put_mem, t->bar);
	t->ram = phyr_mem_create_ram();
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t->ram);
	buffer_test_action(test, buffer_test_put_mem, t->ram);

	dma_resv_init(&t->resv);
	buffer_test_action(test, buffer_test_fini_resv, &t->resv);
	return 0;
}

static int buffer_test_init(struct kunit *test)
{
	int ret = buffer_test_prepare(test);

	if (!ret)
		buffer_test_use_ops(test->priv, &buffer_test_ops);
	return ret;
}

/* Move elsewhere in the BAR. */
static int buffer_test_move(struct buffer_test *t)
{
	int ret;

	buffer_lock(t);
	ret = phyr_buffer_move_begin(&t->buffer, false, false);
	if (!ret) {
		t->offset += SZ_1M;
		phyr_buffer_move_end(&t->buffer);
	}
	buffer_unlock(t);
	return ret;
}

static void buffer_test_revoke(struct buffer_test *t)
{
	buffer_lock(t);
	phyr_buffer_revoke(&t->buffer);
	buffer_unlock(t);
}

static enum phyr_buffer_state buffer_test_state(struct buffer_test *t)
{
	return READ_ONCE(t->buffer.state);
}

/*
 * Importers
 */

static void buffer_test_native_told(struct phyr_attachment *attach)
{
	struct buffer_importer *importer = phyr_attachment_priv(attach);

	importer->told++;
	mock_note(MOCK_TOLD, importer);
	if (importer->on_told)
		importer->on_told(importer);
}

static const struct phyr_importer_ops buffer_test_native_ops = {
	.invalidate = buffer_test_native_told,
};

static void buffer_test_stock_told(struct dma_buf_attachment *attach)
{
	struct buffer_importer *importer = attach->importer_priv;

	importer->told++;
	mock_note(MOCK_TOLD, importer);
	if (importer->on_told)
		importer->on_told(importer);
}

static const struct dma_buf_attach_ops buffer_test_revocable_ops = {
	.allow_peer2peer = true,
	.invalidate_mappings = buffer_test_stock_told,
};

static const struct dma_buf_attach_ops buffer_test_dynamic_ops = {
	.invalidate_mappings = buffer_test_stock_told,
};

static const struct dma_buf_attach_ops buffer_test_peer_ops = {
	.allow_peer2peer = true,
};

/* Cleans up whatever the importer still has. */
static void buffer_test_end_importer(void *data)
{
	struct buffer_importer *importer = data;
	struct dma_buf *dmabuf;

	if (!importer->native && !importer->stock)
		return;
	dmabuf = importer->native ? importer->native->attach->dmabuf :
				    importer->stock->dmabuf;
	dma_resv_lock(dmabuf->resv, NULL);
	if (importer->ranges)
		phyr_unmap(importer->native, importer->ranges);
	if (importer->sgt)
		dma_buf_unmap_attachment(importer->stock, importer->sgt,
					 DMA_FROM_DEVICE);
	dma_resv_unlock(dmabuf->resv);
	if (importer->native)
		phyr_detach(importer->native);
	else
		dma_buf_detach(dmabuf, importer->stock);
	importer->native = NULL;
	importer->stock = NULL;
	importer->ranges = NULL;
	importer->sgt = NULL;
}

static struct buffer_importer *buffer_test_importer(struct buffer_test *t)
{
	struct buffer_importer *importer;

	importer = kunit_kzalloc(t->test, sizeof(*importer), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(t->test, importer);
	importer->t = t;
	buffer_test_action(t->test, buffer_test_end_importer, importer);
	return importer;
}

/* Returns what the attach did. */
static int buffer_test_try_native(struct buffer_importer *importer,
				  struct dma_buf *dmabuf)
{
	struct phyr_attachment *attach;

	attach = phyr_attach(dmabuf, &importer->t->pdev->dev,
			     &buffer_test_native_ops, NULL, importer);
	if (IS_ERR(attach))
		return PTR_ERR(attach);
	importer->native = attach;
	return 0;
}

static int buffer_test_try_stock(struct buffer_importer *importer,
				 struct dma_buf *dmabuf,
				 const struct dma_buf_attach_ops *ops)
{
	struct dma_buf_attachment *attach;

	attach = dma_buf_dynamic_attach(dmabuf, &importer->t->pdev->dev, ops,
					importer);
	if (IS_ERR(attach))
		return PTR_ERR(attach);
	importer->stock = attach;
	return 0;
}

static int buffer_test_try_map(struct buffer_importer *importer)
{
	struct dma_buf *dmabuf = importer->native ?
		importer->native->attach->dmabuf : importer->stock->dmabuf;
	int ret;

	dma_resv_lock(dmabuf->resv, NULL);
	if (importer->native) {
		importer->ranges = phyr_map(importer->native, 0, dmabuf->size,
					    DMA_FROM_DEVICE);
		ret = PTR_ERR_OR_ZERO(importer->ranges);
		if (ret)
			importer->ranges = NULL;
	} else {
		importer->sgt = dma_buf_map_attachment(importer->stock,
						       DMA_FROM_DEVICE);
		ret = PTR_ERR_OR_ZERO(importer->sgt);
		if (ret)
			importer->sgt = NULL;
	}
	dma_resv_unlock(dmabuf->resv);
	return ret;
}

static void buffer_test_unmap_locked(struct buffer_importer *importer)
{
	if (importer->ranges)
		phyr_unmap(importer->native, importer->ranges);
	if (importer->sgt)
		dma_buf_unmap_attachment(importer->stock, importer->sgt,
					 DMA_FROM_DEVICE);
	importer->ranges = NULL;
	importer->sgt = NULL;
}

static void buffer_test_unmap(struct buffer_importer *importer)
{
	buffer_lock(importer->t);
	buffer_test_unmap_locked(importer);
	buffer_unlock(importer->t);
}

static struct buffer_importer *buffer_test_native(struct buffer_test *t,
						  int dmabuf, bool map)
{
	struct buffer_importer *importer = buffer_test_importer(t);

	KUNIT_ASSERT_EQ(t->test, buffer_test_try_native(importer,
							t->dmabufs[dmabuf]),
			0);
	if (map)
		KUNIT_ASSERT_EQ(t->test, buffer_test_try_map(importer), 0);
	return importer;
}

static struct buffer_importer *
buffer_test_stock(struct buffer_test *t, int dmabuf,
		  const struct dma_buf_attach_ops *ops, bool map)
{
	struct buffer_importer *importer = buffer_test_importer(t);

	KUNIT_ASSERT_EQ(t->test, buffer_test_try_stock(importer,
						       t->dmabufs[dmabuf],
						       ops), 0);
	if (map)
		KUNIT_ASSERT_EQ(t->test, buffer_test_try_map(importer), 0);
	return importer;
}

/* Each extent of the buffer, @start being the first one's DMA address. */
static void buffer_test_expect_extents(struct buffer_test *t,
				       const struct dma_range_list *ranges,
				       u64 start)
{
	struct dma_range_cursor cursor;
	struct dma_range range;
	int i;

	dma_range_cursor_init(&cursor, ranges, 0);
	for (i = 0; dma_range_next(&cursor, &range, 1); i++) {
		KUNIT_EXPECT_EQ(t->test, range.addr, start + i * BUFFER_STRIDE);
		KUNIT_EXPECT_EQ(t->test, range.len, SZ_4K);
	}
	KUNIT_EXPECT_EQ(t->test, i, BUFFER_EXTENTS);
}

/*
 * Fences
 */

static const char *buffer_test_fence_name(struct dma_fence *fence)
{
	return "buffer_test";
}

static void buffer_test_fence_release(struct dma_fence *fence)
{
	/* It is the fixture's. */
}

static const struct dma_fence_ops buffer_test_fence_ops = {
	.get_driver_name = buffer_test_fence_name,
	.get_timeline_name = buffer_test_fence_name,
	.release = buffer_test_fence_release,
};

static DEFINE_SPINLOCK(buffer_test_fence_lock);

static void buffer_test_end_fence(void *data)
{
	struct dma_fence *fence = data;

	if (!dma_fence_is_signaled(fence))
		dma_fence_signal(fence);
	dma_fence_put(fence);
}

/* DMA that nobody but a BOOKKEEP fence tells of. */
static void buffer_test_add_fence(struct buffer_test *t, struct dma_resv *resv)
{
	t->fence = &t->fence_storage;
	dma_fence_init(t->fence, &buffer_test_fence_ops,
		       &buffer_test_fence_lock, dma_fence_context_alloc(1), 1);
	buffer_test_action(t->test, buffer_test_end_fence, t->fence);
	dma_resv_lock(resv, NULL);
	if (!dma_resv_reserve_fences(resv, 1))
		dma_resv_add_fence(resv, t->fence, DMA_RESV_USAGE_BOOKKEEP);
	dma_resv_unlock(resv);
}

/*
 * The buffer by itself
 */

static void buffer_list_asks_once_per_place(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct phyr_list *list;

	buffer_lock(t);
	list = phyr_buffer_list(&t->buffer);
	KUNIT_EXPECT_FALSE(test, IS_ERR(list));
	KUNIT_EXPECT_PTR_EQ(test, phyr_buffer_list(&t->buffer), list);
	KUNIT_EXPECT_EQ(test, t->described, 1);
	buffer_unlock(t);

	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
	/* The list of the old place is gone with it. */
	KUNIT_EXPECT_EQ(test, mock_allocated(), BUFFER_DMA_BUFS + 2);

	buffer_lock(t);
	KUNIT_EXPECT_FALSE(test, IS_ERR(phyr_buffer_list(&t->buffer)));
	KUNIT_EXPECT_EQ(test, t->described, 2);
	buffer_unlock(t);
}

static void buffer_list_exporter_fails(struct kunit *test)
{
	struct buffer_test *t = test->priv;

	t->describe_err = -EIO;
	buffer_lock(t);
	KUNIT_EXPECT_PTR_EQ(test, phyr_buffer_list(&t->buffer), ERR_PTR(-EIO));
	/* Not kept: asked again. */
	t->describe_err = 0;
	KUNIT_EXPECT_FALSE(test, IS_ERR(phyr_buffer_list(&t->buffer)));
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
 * @name: for the log
 * @from: state before
 * @op: operation
 * @ret: what it returns
 * @to: state afterwards
 * @warns: it is a mistake of the caller's, and the kernel says so
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

/* The operations that want the lock. */
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
		ret = PTR_ERR_OR_ZERO(phyr_buffer_list(&t->buffer));
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

/* The public functions that want the lock say so without it. */
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

	EXPECT_LOCK_ASSERTED((void)phyr_buffer_list(buffer));
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

	/* Never added, or added no more: nothing happens. */
	phyr_buffer_remove_dma_buf(&t->buffer, t->dmabufs[0]);
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
	KUNIT_EXPECT_FALSE(test, IS_ERR(phyr_buffer_list(&t->buffer)));
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

	/* Stale is not mapped, though its phyr_unmap() is due. */
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
	buffer_lock(t);
	KUNIT_EXPECT_FALSE(test, phyr_buffer_is_mapped(&t->buffer));
	buffer_unlock(t);
}

/*
 * Making a dma-buf known
 */

static void add_dma_buf_that_is_not_ours(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct phyr_dma_buf_ops still = buffer_test_ops;
	struct dma_buf dmabuf = { .resv = &t->resv };
	struct dma_buf_ops foreign = buffer_test_ops.ops;
	struct dma_resv other;

	dma_resv_init(&other);
	kunit_warning_suppress(test) {
		foreign.attach = NULL;
		dmabuf.ops = &foreign;
		KUNIT_EXPECT_EQ(test, phyr_buffer_add_dma_buf(&t->buffer,
							      &dmabuf),
				-EINVAL);
		/* Cannot be told to move. */
		still.ops.pin = NULL;
		dmabuf.ops = &still.ops;
		KUNIT_EXPECT_EQ(test, phyr_buffer_add_dma_buf(&t->buffer,
							      &dmabuf),
				-EINVAL);
		/* Another buffer's. */
		dmabuf.ops = &buffer_test_ops.ops;
		dmabuf.resv = &other;
		KUNIT_EXPECT_EQ(test, phyr_buffer_add_dma_buf(&t->buffer,
							      &dmabuf),
				-EINVAL);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 3);
	}
	dma_resv_fini(&other);
	buffer_lock(t);
	KUNIT_EXPECT_EQ(test, phyr_buffer_dma_bufs(&t->buffer), 2);
	buffer_unlock(t);
}

static void add_dma_buf_no_memory(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct dma_buf *dmabuf;

	dmabuf = buffer_test_export(test, &buffer_test_ops.ops, &t->resv,
				    t->size, t);
	mock_fail(MOCK_ALLOC, 1, -ENOMEM);
	KUNIT_EXPECT_EQ(test, phyr_buffer_add_dma_buf(&t->buffer, dmabuf),
			-ENOMEM);
	buffer_lock(t);
	KUNIT_EXPECT_EQ(test, phyr_buffer_dma_bufs(&t->buffer), 2);
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
		KUNIT_EXPECT_EQ(test, importers[i]->told, 1);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_INVALIDATE), BUFFER_DMA_BUFS);
}

static void move_after_a_dma_buf_is_gone(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer = buffer_test_native(t, 1, true);

	kunit_release_action(test, buffer_test_put_dma_buf, t->dmabufs[0]);
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
	KUNIT_EXPECT_EQ(test, importer->told, 1);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_INVALIDATE), 1);
}

/* What the state is, and what is mapped, when the fences are waited for. */
struct buffer_wait {
	struct buffer_test *t;
	unsigned int waits;
	enum phyr_buffer_state state;
	unsigned int mapped;
	bool fence_was_signaled;
};

static void buffer_test_before_wait(void *data)
{
	struct buffer_wait *wait = data;

	wait->waits++;
	wait->state = buffer_test_state(wait->t);
	wait->mapped = mock_mapped();
	if (wait->t->fence) {
		wait->fence_was_signaled = dma_fence_is_signaled(wait->t->fence);
		dma_fence_signal(wait->t->fence);
	}
}

static void buffer_test_watch_wait(struct buffer_wait *wait)
{
	mock.before_wait = buffer_test_before_wait;
	mock.arg = wait;
}

static void buffer_test_expect_order(struct kunit *test, bool interruptible)
{
	KUNIT_EXPECT_GE(test, mock_index(MOCK_TOLD, 1), 0);
	KUNIT_EXPECT_GT(test, mock_index(MOCK_TOLD, 1),
			mock_index(MOCK_INVALIDATE, 1));
	KUNIT_EXPECT_GT(test, mock_index(MOCK_WAIT, 1),
			mock_index(MOCK_TOLD, 2));
	KUNIT_EXPECT_GT(test, mock_index(MOCK_IOVA_DESTROY, 1),
			mock_index(MOCK_WAIT, 1));
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_DESTROY), 2);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_WAIT, 1)->attrs,
			DMA_RESV_USAGE_BOOKKEEP);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_WAIT, 1)->dir, interruptible);
}

static void move_tells_then_waits_then_unmaps(struct kunit *test)
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

	buffer_test_expect_order(test, false);
	KUNIT_EXPECT_EQ(test, wait.waits, 1);
	KUNIT_EXPECT_EQ(test, wait.state, MOVING);
	KUNIT_EXPECT_EQ(test, wait.mapped, 2);
	KUNIT_EXPECT_FALSE(test, wait.fence_was_signaled);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

/* A wait that should not be, or should break off, shall not hang the case. */
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
	KUNIT_EXPECT_EQ(test, importer->told, 0);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 1);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_WAIT), 0);

	/* A fence that has signalled is nothing to wait for. */
	dma_fence_signal(t->fence);
	buffer_lock(t);
	KUNIT_EXPECT_EQ(test, phyr_buffer_move_begin(&t->buffer, false, true),
			0);
	phyr_buffer_move_end(&t->buffer);
	buffer_unlock(t);
	KUNIT_EXPECT_EQ(test, importer->told, 1);
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

	/* Everything is as it was, and the mapping usable. */
	KUNIT_EXPECT_EQ(test, buffer_test_state(t), LIVE);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 1);
	KUNIT_EXPECT_EQ(test, dma_range_list_len(importer->ranges),
			BUFFER_SIZE);
}

/* Told to move, an importer that maps at once would map the old place. */
static void buffer_test_map_when_told(struct buffer_importer *importer)
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

	importer->on_told = buffer_test_map_when_told;
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
	KUNIT_EXPECT_EQ(test, importer->result, -EBUSY);
}

static void move_importer_unmaps_when_told(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *native, *stock;

	mock.iommu = true;
	native = buffer_test_native(t, 0, true);
	native->on_told = buffer_test_unmap_locked;
	stock = buffer_test_stock(t, 1, &buffer_test_revocable_ops, true);
	stock->on_told = buffer_test_unmap_locked;
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

/* A walk that began before the move never meets freed memory. */
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
	KUNIT_EXPECT_EQ(test, stock->told, 1);
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

	buffer_test_expect_order(test, false);
	KUNIT_EXPECT_EQ(test, wait.waits, 1);
	KUNIT_EXPECT_EQ(test, wait.state, REVOKED);
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

	importer->on_told = buffer_test_map_when_told;
	buffer_test_revoke(t);
	KUNIT_EXPECT_EQ(test, importer->result, -ENODEV);
}

static void revoke_wait_without_tables(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer = buffer_test_native(t, 0, true);

	KUNIT_EXPECT_EQ(test, mock_mapped(), 1);
	buffer_test_revoke(t);
	/* The window goes when nobody refers to the memory any more. */
	KUNIT_EXPECT_EQ(test, mock_mapped(), 1);
	phyr_buffer_revoke_wait(&t->buffer);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
	/* The stale mapping's list is the last that knows the memory. */
	buffer_test_unmap(importer);
	KUNIT_EXPECT_EQ(test, kref_read(&t->bar->ref), 1);
}

/**
 * struct buffer_waiter - phyr_buffer_revoke_wait() in a thread of its own
 * @t: the fixture
 * @mapped: what is mapped when it comes back
 * @done: it came back
 */
struct buffer_waiter {
	struct buffer_test *t;
	unsigned int mapped;
	struct completion done;
};

static int buffer_test_wait_thread(void *data)
{
	struct buffer_waiter *waiter = data;

	phyr_buffer_revoke_wait(&waiter->t->buffer);
	waiter->mapped = mock_mapped();
	complete(&waiter->done);
	return 0;
}

/* Returns when the thread sleeps, or has come back without. */
static void buffer_test_start_waiter(struct buffer_waiter *waiter,
				     struct buffer_test *t)
{
	struct task_struct *thread;

	waiter->t = t;
	init_completion(&waiter->done);
	thread = kthread_run(buffer_test_wait_thread, waiter, "buffer_test");
	KUNIT_ASSERT_FALSE(t->test, IS_ERR(thread));
	while (!wq_has_sleeper(&t->buffer.idle) &&
	       !completion_done(&waiter->done))
		usleep_range(1000, 2000);
}

/* One that nobody wakes is a failure, and is woken to end the case. */
static void buffer_test_end_waiter(struct buffer_waiter *waiter)
{
	struct buffer_test *t = waiter->t;
	bool woken;

	woken = wait_for_completion_timeout(&waiter->done, 60 * HZ);
	KUNIT_EXPECT_TRUE_MSG(t->test, woken, "nobody woke the waiter");
	if (!woken) {
		WRITE_ONCE(t->buffer.tables, 0);
		wake_up_all(&t->buffer.idle);
		wait_for_completion(&waiter->done);
	}
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
	KUNIT_EXPECT_EQ(test, first->told, 1);
	KUNIT_EXPECT_EQ(test, second->told, 1);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 2);

	buffer_test_start_waiter(&waiter, t);
	KUNIT_EXPECT_FALSE(test, completion_done(&waiter.done));
	/* It does not hold the lock that this needs; and one is not all. */
	buffer_test_unmap(first);
	KUNIT_EXPECT_FALSE(test, completion_done(&waiter.done));
	KUNIT_EXPECT_EQ(test, t->buffer.tables, 1);
	buffer_test_unmap(second);
	buffer_test_end_waiter(&waiter);
	KUNIT_EXPECT_EQ(test, waiter.mapped, 0);
}

/* System memory does not go with the device. */
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
	stock->on_told = buffer_test_unmap_locked;
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

	/* Its place is asked for anew, and how it is reached decided anew. */
	mock_forget();
	mock.dma_offset = SZ_1G;
	KUNIT_ASSERT_EQ(test, buffer_test_try_map(native), 0);
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(stock), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_DISTANCE), 2);
	KUNIT_EXPECT_EQ(test, t->described, 2);
	buffer_test_expect_extents(t, native->ranges, BUFFER_BAR + SZ_1G);

	/* And it can be revoked a second time. */
	stock->told = 0;
	buffer_test_revoke(t);
	KUNIT_EXPECT_EQ(test, stock->told, 1);
	phyr_buffer_revoke_wait(&t->buffer);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

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
 * struct buffer_deal - who attaches to what, and what comes of it
 * @name: for the log
 * @kind: importer
 * @fixed: the exporter has no pin_system
 * @unreachable: the importer's device does not reach the BAR
 * @pin_err: what pin_system says
 * @no_mask: the device has no DMA mask
 * @ret: what the attach returns
 * @pinned: the buffer is pinned in system memory
 */
struct buffer_deal {
	const char *name;
	enum buffer_kind kind;
	bool fixed;
	bool unreachable;
	int pin_err;
	bool no_mask;
	int ret;
	bool pinned;
};

static const struct buffer_deal buffer_deals[] = {
	{ "native", NATIVE },
	{ "native fixed", NATIVE, .fixed = true },
	{ "native unreachable", NATIVE, .unreachable = true, .pinned = true },
	{ "native unreachable fixed", NATIVE, .unreachable = true,
	  .fixed = true, .ret = -EREMOTEIO },
	{ "native unreachable pin busy", NATIVE, .unreachable = true,
	  .pin_err = -EBUSY, .ret = -EREMOTEIO },
	{ "native unreachable pin no memory", NATIVE, .unreachable = true,
	  .pin_err = -ENOMEM, .ret = -ENOMEM },
	{ "native without mask", NATIVE, .no_mask = true, .ret = -EINVAL },
	{ "static", STATIC, .pinned = true },
	{ "static fixed", STATIC, .fixed = true, .ret = -EBUSY },
	{ "static pin busy", STATIC, .pin_err = -EBUSY, .ret = -EBUSY },
	{ "static pin no space", STATIC, .pin_err = -ENOSPC, .ret = -ENOSPC },
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

static void buffer_deal_desc(const struct buffer_deal *deal, char *desc)
{
	strscpy(desc, deal->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(buffer_deal, buffer_deals, buffer_deal_desc);

static void attach_negotiates(struct kunit *test)
{
	const struct buffer_deal *deal = test->param_value;
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;
	unsigned int before;
	int ret;

	buffer_test_use_ops(t, deal->fixed ? &buffer_test_ops_fixed :
					     &buffer_test_ops);
	mock.distance = deal->unreachable ? -1 : 0;
	t->pin_err = deal->pin_err;
	if (deal->no_mask)
		t->pdev->dev.dma_mask = NULL;
	buffer_lock(t);
	KUNIT_EXPECT_FALSE(test, IS_ERR(phyr_buffer_list(&t->buffer)));
	buffer_unlock(t);
	before = mock_allocated();

	importer = buffer_test_importer(t);
	ret = deal->kind == NATIVE ?
		buffer_test_try_native(importer, t->dmabufs[0]) :
		buffer_test_try_stock(importer, t->dmabufs[0],
				      buffer_kind_ops[deal->kind]);
	KUNIT_EXPECT_EQ(test, ret, deal->ret);
	KUNIT_EXPECT_EQ(test, t->pins, deal->pinned);
	if (deal->ret) {
		KUNIT_EXPECT_TRUE(test, list_empty(&t->buffer.attachments));
		KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
		if (!t->in_system)
			KUNIT_EXPECT_EQ(test, mock_allocated(), before);
	} else {
		/* A static importer is what pin() is for: another story. */
		KUNIT_EXPECT_EQ(test, buffer_test_try_map(importer), 0);
	}

	buffer_test_end_importer(importer);
	KUNIT_EXPECT_EQ(test, t->pins, 0);
	KUNIT_EXPECT_EQ(test, t->stock_pins, 0);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

static struct phyr_attachment *buffer_test_phyr(struct buffer_importer *i)
{
	return i->native ?: i->stock->priv;
}

static void attach_says_which_way_and_why(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct phyr_attachment *native, *stock, *pinned;

	native = buffer_test_phyr(buffer_test_native(t, 0, false));
	stock = buffer_test_phyr(buffer_test_stock(t, 0,
						   &buffer_test_revocable_ops,
						   false));
	KUNIT_EXPECT_EQ(test, native->way, PHYR_WAY_NATIVE);
	KUNIT_EXPECT_EQ(test, stock->way, PHYR_WAY_TO_STOCK);
	KUNIT_EXPECT_EQ(test, stock->limits.max_len, 0xfffff000);
	KUNIT_EXPECT_STREQ(test, native->why, "both sides know phyr");
	KUNIT_EXPECT_STREQ(test, stock->why, "importer wants an sg_table");
	KUNIT_EXPECT_FALSE(test, native->pinned || stock->pinned);

	pinned = buffer_test_phyr(buffer_test_stock(t, 0, NULL, false));
	KUNIT_EXPECT_STREQ(test, pinned->why, "importer takes no peer memory");
	KUNIT_EXPECT_TRUE(test, pinned->pinned);
	pinned = buffer_test_phyr(buffer_test_stock(t, 0,
						    &buffer_test_peer_ops,
						    false));
	KUNIT_EXPECT_STREQ(test, pinned->why, "importer cannot be revoked");
	KUNIT_EXPECT_EQ(test, t->pins, 2);
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

/* Sweep: each allocation on the way fails, and leaves nothing behind. */
static void buffer_test_attach_sweep(struct buffer_test *t, bool native,
				     const struct dma_buf_attach_ops *ops)
{
	struct buffer_importer *importer = buffer_test_importer(t);
	unsigned int nth, before;
	int ret;

	/* Where the buffer is does not count: it is kept. */
	buffer_lock(t);
	KUNIT_EXPECT_FALSE(t->test, IS_ERR(phyr_buffer_list(&t->buffer)));
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

/* The first memory's window is mapped when the way to the second fails. */
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

	/* Out of reach, then; so it goes where it is in reach. */
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

/* System memory, too, is out of reach: pinned, and unpinned again. */
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
	KUNIT_EXPECT_FALSE(test, IS_ERR(phyr_buffer_list(&t->buffer)));
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

/* A native importer that takes the stock way by mistake gets no table. */
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
	/* The ranges, the table. */
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
 * A stock exporter: one whose table is all there is
 */

static const struct dma_range stock_test_dma[] = {
	{ 0x10000, SZ_8K },
	{ 0x900000000, SZ_4K },
	{ 0x40000, SZ_4K },
};

/**
 * struct stock_test - a dma-buf of somebody else's
 * @resv: its reservation object
 * @dmabuf: it
 * @sgt: its table, while mapped
 * @nents: entries of stock_test_dma[] that the table has
 * @map_err: what map_dma_buf says instead
 * @attach_err: what attach says
 * @mapped: maps less unmaps
 */
struct stock_test {
	struct dma_resv resv;
	struct dma_buf *dmabuf;
	struct sg_table sgt;
	unsigned int nents;
	int map_err;
	int attach_err;
	int mapped;
};

static int stock_test_attach(struct dma_buf *dmabuf,
			     struct dma_buf_attachment *attach)
{
	struct stock_test *stock = dmabuf->priv;

	return stock->attach_err;
}

static int stock_test_pin(struct dma_buf_attachment *attach)
{
	return 0;
}

static void stock_test_unpin(struct dma_buf_attachment *attach)
{
}

static struct sg_table *stock_test_map(struct dma_buf_attachment *attach,
				       enum dma_data_direction dir)
{
	struct stock_test *stock = attach->dmabuf->priv;
	struct scatterlist *sg;
	int i, ret;

	if (stock->map_err)
		return ERR_PTR(stock->map_err);
	/* In parentheses: the kernel's own, not the mock. */
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

static struct stock_test *stock_test_create(struct kunit *test)
{
	struct stock_test *stock;

	stock = kunit_kzalloc(test, sizeof(*stock), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, stock);
	stock->nents = ARRAY_SIZE(stock_test_dma);
	dma_resv_init(&stock->resv);
	buffer_test_action(test, buffer_test_fini_resv, &stock->resv);
	stock->dmabuf = buffer_test_export(test, &stock_test_ops, &stock->resv,
					   SZ_16K, stock);
	mock_forget();
	return stock;
}

static struct buffer_importer *stock_test_import(struct buffer_test *t,
						 struct stock_test *stock)
{
	struct buffer_importer *importer = buffer_test_importer(t);

	KUNIT_ASSERT_EQ(t->test, buffer_test_try_native(importer,
							stock->dmabuf), 0);
	return importer;
}

static void from_stock_walks_the_table(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct stock_test *stock = stock_test_create(test);
	struct buffer_importer *importer = stock_test_import(t, stock);
	struct dma_range_cursor cursor;
	struct dma_range range;
	int i;

	KUNIT_EXPECT_EQ(test, importer->native->way, PHYR_WAY_FROM_STOCK);
	KUNIT_ASSERT_EQ(test, buffer_test_try_map(importer), 0);
	KUNIT_EXPECT_EQ(test, stock->mapped, 1);
	dma_range_cursor_init(&cursor, importer->ranges, 0);
	for (i = 0; dma_range_next(&cursor, &range, 1); i++) {
		KUNIT_EXPECT_EQ(test, range.addr, stock_test_dma[i].addr);
		KUNIT_EXPECT_EQ(test, range.len, stock_test_dma[i].len);
	}
	KUNIT_EXPECT_EQ(test, i, ARRAY_SIZE(stock_test_dma));

	buffer_test_end_importer(importer);
	KUNIT_EXPECT_EQ(test, stock->mapped, 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_SGT_UNMAP), 1);
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

static void from_stock_table_too_short(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct stock_test *stock = stock_test_create(test);
	struct buffer_importer *importer = stock_test_import(t, stock);

	stock->nents = 2;
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(importer), -EINVAL);
	KUNIT_EXPECT_EQ(test, stock->mapped, 0);

	/* What it has can be mapped. */
	dma_resv_lock(&stock->resv, NULL);
	importer->ranges = phyr_map(importer->native, 0, SZ_8K + SZ_4K,
				    DMA_TO_DEVICE);
	dma_resv_unlock(&stock->resv);
	KUNIT_EXPECT_FALSE(test, IS_ERR(importer->ranges));
	if (IS_ERR(importer->ranges))
		importer->ranges = NULL;
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

/* The rule is the one that our own exporters keep. */
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

	dma_resv_lock(&stock->resv, NULL);
	dma_buf_invalidate_mappings(stock->dmabuf);
	dma_resv_unlock(&stock->resv);
	KUNIT_EXPECT_EQ(test, importer->told, 1);
	KUNIT_EXPECT_EQ(test, stock->mapped, 0);
	KUNIT_EXPECT_FALSE(test, wait.fence_was_signaled);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(t->fence));
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_WAIT, 1)->attrs,
			DMA_RESV_USAGE_BOOKKEEP);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_WAIT, 1)->dir, 0);
	KUNIT_EXPECT_LT(test, mock_index(MOCK_TOLD, 1),
			mock_index(MOCK_WAIT, 1));
	KUNIT_EXPECT_LT(test, mock_index(MOCK_WAIT, 1),
			mock_index(MOCK_SGT_UNMAP, 1));

	/* What is left is memory to free, and a new map is a new table. */
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

	/* One table each would need two tables: the second stays unmapped. */
	KUNIT_ASSERT_EQ(test, buffer_test_try_map(first), 0);
	dma_resv_lock(&stock->resv, NULL);
	dma_buf_invalidate_mappings(stock->dmabuf);
	dma_resv_unlock(&stock->resv);
	KUNIT_EXPECT_EQ(test, first->told, 1);
	KUNIT_EXPECT_EQ(test, second->told, 1);
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
	KUNIT_CASE(add_dma_buf_that_is_not_ours),
	KUNIT_CASE(add_dma_buf_no_memory),
	KUNIT_CASE(move_tells_every_importer_of_every_dma_buf),
	KUNIT_CASE(move_after_a_dma_buf_is_gone),
	KUNIT_CASE(move_tells_then_waits_then_unmaps),
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

static struct kunit_case attach_test_cases[] = {
	KUNIT_CASE(attach_says_which_way_and_why),
	KUNIT_CASE(attach_checks_its_arguments),
	KUNIT_CASE(attach_keeps_limits_and_priv),
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
	KUNIT_CASE(from_stock_a_part),
	KUNIT_CASE(from_stock_table_too_short),
	KUNIT_CASE(from_stock_each_step_fails),
	KUNIT_CASE(from_stock_invalidate_tells_waits_unmaps),
	KUNIT_CASE(from_stock_two_mappings_are_invalidated),
	KUNIT_CASE(module_init_primes_lockdep),
	{}
};

static struct kunit_case deal_test_cases[] = {
	KUNIT_CASE_PARAM(attach_negotiates, buffer_deal_gen_params),
	{}
};

static struct kunit_suite buffer_test_suite = {
	.name = "phyr_buffer",
	.init = buffer_test_init,
	.test_cases = buffer_test_cases,
};

static struct kunit_suite attach_test_suite = {
	.name = "phyr_attach",
	.init = buffer_test_init,
	.test_cases = attach_test_cases,
};

/* These choose their exporter themselves. */
static struct kunit_suite deal_test_suite = {
	.name = "phyr_negotiation",
	.init = buffer_test_prepare,
	.test_cases = deal_test_cases,
};

kunit_test_suites(&buffer_test_suite, &attach_test_suite, &deal_test_suite);

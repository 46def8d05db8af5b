// SPDX-License-Identifier: GPL-2.0
/*
 * Fixture for the KUnit cases of buffer.c and dma_buf.c
 *
 * The dma-bufs are real, made by dma_buf_export(); the DMA API is mocked. The
 * exporter keeps its buffer in a BAR or in system memory, describes it
 * accordingly, and moves it on request.
 */
#include "redirect.h"
#include "buffer_fixture.h"
#include "fixture.h"

#include <linux/delay.h>
#include <linux/dma-fence.h>
#include <linux/file.h>
#include <linux/kthread.h>

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
	if (t->describe)
		return t->describe(t);
	if (t->describe_err)
		return ERR_PTR(t->describe_err);

	list = phyr_list_create();
	if (IS_ERR(list))
		return list;
	for (i = 0; i < BUFFER_EXTENTS && !ret; i++) {
		bool ram = t->in_system ||
			   (t->mixed && i == BUFFER_EXTENTS - 1);

		ret = phyr_list_append(list, ram ? t->ram : t->bar,
				       (ram ? t->ram_at : BUFFER_BAR) +
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

static struct phyr_mem *buffer_test_memory(struct phyr_buffer *buffer,
					   unsigned int i)
{
	struct buffer_test *t = container_of(buffer, struct buffer_test,
					     buffer);
	struct phyr_mem *mems[] = { t->bar, t->ram, NULL };

	dma_resv_assert_held(buffer->resv);
	return mems[i];
}

static int buffer_test_pin_system(struct phyr_buffer *buffer)
{
	struct buffer_test *t = container_of(buffer, struct buffer_test,
					     buffer);
	int ret;

	dma_resv_assert_held(buffer->resv);

	t->pin_calls++;
	if (t->pin_err)
		return t->pin_err;
	if (!t->in_system && !t->pin_lies) {
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

static int buffer_test_pin(struct phyr_buffer *buffer)
{
	struct buffer_test *t = container_of(buffer, struct buffer_test,
					     buffer);

	dma_resv_assert_held(buffer->resv);
	if (t->place_err)
		return t->place_err;
	t->place_pins++;
	return 0;
}

static void buffer_test_unpin(struct phyr_buffer *buffer)
{
	struct buffer_test *t = container_of(buffer, struct buffer_test,
					     buffer);

	dma_resv_assert_held(buffer->resv);
	t->place_pins--;
}

static void buffer_test_release(struct dma_buf *dmabuf)
{
	struct buffer_test *t = dmabuf->priv;

	/* The core has forgotten it, and holds no lock. */
	t->released++;
	buffer_lock(t);
	buffer_unlock(t);
}

#define BUFFER_TEST_OPS \
	.ops = { PHYR_DMA_BUF_OPS }, \
	.buffer = buffer_test_buffer, \
	.describe = buffer_test_describe

const struct phyr_dma_buf_ops buffer_test_ops = {
	BUFFER_TEST_OPS,
	.release = buffer_test_release,
	.memory = buffer_test_memory,
	.pin = buffer_test_pin,
	.unpin = buffer_test_unpin,
	.pin_system = buffer_test_pin_system,
	.unpin_system = buffer_test_unpin_system,
};

/* An exporter that has no more callbacks than it must */
const struct phyr_dma_buf_ops buffer_test_ops_fixed = {
	BUFFER_TEST_OPS,
};

/* An exporter that moves its buffer, and does not say where to */
const struct phyr_dma_buf_ops buffer_test_ops_silent = {
	BUFFER_TEST_OPS,
	.pin = buffer_test_pin,
	.unpin = buffer_test_unpin,
	.pin_system = buffer_test_pin_system,
	.unpin_system = buffer_test_unpin_system,
};

void buffer_lock(struct buffer_test *t)
{
	dma_resv_lock(&t->resv, NULL);
}

void buffer_unlock(struct buffer_test *t)
{
	dma_resv_unlock(&t->resv);
}

void buffer_test_fini_resv(void *resv)
{
	dma_resv_fini(resv);
}

void buffer_test_fini_buffer(void *buffer)
{
	phyr_buffer_fini(buffer);
}

/* In a kthread, fput() defers the release to a worker; do it now. */
void buffer_test_put_dma_buf(void *dmabuf)
{
	__fput_sync(((struct dma_buf *)dmabuf)->file);
}

void buffer_test_action(struct kunit *test, kunit_action_t *action,
			void *arg)
{
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, action, arg), 0);
}

struct dma_buf *buffer_test_export(struct kunit *test,
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

void buffer_test_use_ops(struct buffer_test *t,
			 const struct phyr_dma_buf_ops *ops)
{
	struct kunit *test = t->test;
	int i;

	phyr_buffer_init(&t->buffer, ops, &t->resv);
	buffer_test_action(test, buffer_test_fini_buffer, &t->buffer);
	for (i = 0; i < BUFFER_DMA_BUFS; i++) {
		t->dmabufs[i] = buffer_test_try_export(t, t->size);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t->dmabufs[i]);
		buffer_test_action(test, buffer_test_put_dma_buf,
				   t->dmabufs[i]);
	}
	mock_forget();
}

struct dma_buf *buffer_test_try_export(struct buffer_test *t, u64 size)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);

	info.exp_name = "buffer_test";
	info.size = size;
	info.priv = t;
	return phyr_dma_buf_export(&t->buffer, &info);
}

/* The fixture without its buffer, for cases that choose the exporter's ops */
int buffer_test_prepare(struct kunit *test)
{
	struct fixture_peers peers;
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
	t->ram_at = BUFFER_RAM;

	fixture_peers_init(test, &peers);
	t->bus = peers.bus;
	t->owner = peers.owner;
	t->pdev = peers.importer;
	t->bar = fixture_bar(test, t->owner, 0, BUFFER_BAR, BUFFER_BAR_LEN);
	t->ram = fixture_ram(test);

	dma_resv_init(&t->resv);
	buffer_test_action(test, buffer_test_fini_resv, &t->resv);
	return 0;
}

int buffer_test_init(struct kunit *test)
{
	int ret = buffer_test_prepare(test);

	if (!ret)
		buffer_test_use_ops(test->priv, &buffer_test_ops);
	return ret;
}

/* Pins in place, whoever counts them */
int buffer_test_place_pins(const struct buffer_test *t)
{
	return t->place_pins + t->buffer.pins;
}

/* Move within the memory. */
int buffer_test_move(struct buffer_test *t)
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

/* Move to another memory. */
int buffer_test_move_to(struct buffer_test *t, bool in_system)
{
	int ret;

	buffer_lock(t);
	ret = phyr_buffer_move_begin(&t->buffer, false, false);
	if (!ret) {
		t->in_system = in_system;
		phyr_buffer_move_end(&t->buffer);
	}
	buffer_unlock(t);
	return ret;
}

void buffer_test_revoke(struct buffer_test *t)
{
	buffer_lock(t);
	phyr_buffer_revoke(&t->buffer);
	buffer_unlock(t);
}

enum phyr_buffer_state buffer_test_state(struct buffer_test *t)
{
	return READ_ONCE(t->buffer.state);
}

/*
 * Importers
 */

static void buffer_test_native_notified(struct phyr_attachment *attach)
{
	struct buffer_importer *importer = phyr_attachment_priv(attach);

	importer->notified++;
	importer->notified_by = attach;
	mock_note(MOCK_NOTIFIED, importer);
	if (importer->on_notify)
		importer->on_notify(importer);
}

const struct phyr_importer_ops buffer_test_native_ops = {
	.invalidate = buffer_test_native_notified,
};

static void buffer_test_stock_notified(struct dma_buf_attachment *attach)
{
	struct buffer_importer *importer = attach->importer_priv;

	importer->notified++;
	mock_note(MOCK_NOTIFIED, importer);
	if (importer->on_notify)
		importer->on_notify(importer);
}

const struct dma_buf_attach_ops buffer_test_revocable_ops = {
	.allow_peer2peer = true,
	.invalidate_mappings = buffer_test_stock_notified,
};

const struct dma_buf_attach_ops buffer_test_dynamic_ops = {
	.invalidate_mappings = buffer_test_stock_notified,
};

const struct dma_buf_attach_ops buffer_test_peer_ops = {
	.allow_peer2peer = true,
};

/* Unmap and detach, as far as not done yet. */
void buffer_test_end_importer(void *data)
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

struct buffer_importer *buffer_test_importer(struct buffer_test *t)
{
	struct buffer_importer *importer;

	importer = kunit_kzalloc(t->test, sizeof(*importer), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(t->test, importer);
	importer->t = t;
	buffer_test_action(t->test, buffer_test_end_importer, importer);
	return importer;
}

/* Returns the result of the attach. */
int buffer_test_try_native(struct buffer_importer *importer,
			   struct dma_buf *dmabuf)
{
	struct phyr_attachment *attach;

	attach = phyr_attach(dmabuf, &importer->t->pdev->dev,
			     &buffer_test_native_ops, &importer->limits,
			     importer);
	if (IS_ERR(attach))
		return PTR_ERR(attach);
	importer->native = attach;
	return 0;
}

int buffer_test_try_stock(struct buffer_importer *importer,
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

int buffer_test_try_map(struct buffer_importer *importer)
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

void buffer_test_unmap_locked(struct buffer_importer *importer)
{
	if (importer->ranges)
		phyr_unmap(importer->native, importer->ranges);
	if (importer->sgt)
		dma_buf_unmap_attachment(importer->stock, importer->sgt,
					 DMA_FROM_DEVICE);
	importer->ranges = NULL;
	importer->sgt = NULL;
}

void buffer_test_unmap(struct buffer_importer *importer)
{
	buffer_lock(importer->t);
	buffer_test_unmap_locked(importer);
	buffer_unlock(importer->t);
}

/* An importer that takes RAM only */
struct buffer_importer *buffer_test_ram_only(struct buffer_test *t)
{
	struct buffer_importer *importer = buffer_test_importer(t);

	importer->limits.ram_only = true;
	return importer;
}

struct buffer_importer *buffer_test_native(struct buffer_test *t,
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

struct buffer_importer *
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

/* Expect each extent of the buffer; the first has DMA address @start. */
void buffer_test_expect_extents(struct buffer_test *t,
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
	/* The fixture owns the memory. */
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

/* Simulate DMA that only a BOOKKEEP fence covers. */
void buffer_test_add_fence_locked(struct buffer_test *t, struct dma_resv *resv)
{
	t->fence = &t->fence_storage;
	dma_fence_init(t->fence, &buffer_test_fence_ops,
		       &buffer_test_fence_lock, dma_fence_context_alloc(1), 1);
	buffer_test_action(t->test, buffer_test_end_fence, t->fence);
	if (!dma_resv_reserve_fences(resv, 1))
		dma_resv_add_fence(resv, t->fence, DMA_RESV_USAGE_BOOKKEEP);
}

void buffer_test_add_fence(struct buffer_test *t, struct dma_resv *resv)
{
	dma_resv_lock(resv, NULL);
	buffer_test_add_fence_locked(t, resv);
	dma_resv_unlock(resv);
}

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

void buffer_test_watch_wait(struct buffer_wait *wait)
{
	mock.before_wait = buffer_test_before_wait;
	mock.arg = wait;
}

/*
 * A thread that holds the reservation lock
 */

/* For a second at most, in case that the case waits for it after all. */
static int buffer_test_hold_thread(void *data)
{
	struct buffer_holder *holder = data;

	buffer_lock(holder->t);
	complete(&holder->locked);
	wait_for_completion_timeout(&holder->end, HZ);
	buffer_unlock(holder->t);
	return 0;
}

/* Returns when the lock is held. */
void buffer_test_start_holder(struct buffer_holder *holder,
			      struct buffer_test *t)
{
	holder->t = t;
	init_completion(&holder->locked);
	init_completion(&holder->end);
	holder->thread = kthread_create(buffer_test_hold_thread, holder,
					"buffer_test");
	KUNIT_ASSERT_FALSE(t->test, IS_ERR(holder->thread));
	get_task_struct(holder->thread);
	wake_up_process(holder->thread);
	wait_for_completion(&holder->locked);
}

void buffer_test_end_holder(struct buffer_holder *holder)
{
	complete(&holder->end);
	kthread_stop_put(holder->thread);
}

/*
 * A thread that waits for the end of a revoke
 */

static int buffer_test_wait_thread(void *data)
{
	struct buffer_waiter *waiter = data;

	phyr_buffer_revoke_wait(&waiter->t->buffer);
	waiter->mapped = mock_mapped();
	complete(&waiter->done);
	return 0;
}

/* Returns when the thread sleeps or is done. */
void buffer_test_start_waiter(struct buffer_waiter *waiter,
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

/* Fail if the thread was not woken, and wake it to end the case. */
void buffer_test_end_waiter(struct buffer_waiter *waiter)
{
	struct buffer_test *t = waiter->t;
	bool woken;

	woken = wait_for_completion_timeout(&waiter->done, 60 * HZ);
	KUNIT_EXPECT_TRUE_MSG(t->test, woken, "the waiter was not woken");
	if (!woken) {
		WRITE_ONCE(t->buffer.tables, 0);
		wake_up_all(&t->buffer.idle);
		wait_for_completion(&waiter->done);
	}
}

// SPDX-License-Identifier: GPL-2.0
/*
 * vb2_phyr_kunit.ko: KUnit cases of vb2_phyr_memops
 *
 * Wrong use by a driver, and what a dma-buf that cannot be mapped leads to. The
 * cases call the memory operations as videobuf2 and a driver would. The dma-buf
 * is a stock one, whose map fails for lack of memory unless a case wants it; or
 * one page of RAM that a phyr exporter moves.
 */
#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/fcntl.h>
#include <linux/gfp.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/phyr.h>
#include <linux/phyr_exporter.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <media/videobuf2-phyr.h>

#define MEMOPS_BUFFERS 2
#define MEMOPS_ADDR	SZ_1M

/**
 * struct memops_exporter - a dma-buf that can be attached
 * @dmabuf: the dma-buf
 * @can_map: it can be mapped, too
 * @maps: calls of map_dma_buf
 * @attached: current attachments
 * @released: the last reference is gone
 */
struct memops_exporter {
	struct dma_buf *dmabuf;
	bool can_map;
	unsigned int maps;
	unsigned int attached;
	struct completion released;
};

/**
 * struct memops_test - a queue with one buffer of one plane for each dma-buf
 * @queue: the queue
 * @lock: vb2_queue.lock; each case holds it, as an ioctl does
 * @dev: the importing device
 * @dma_mask: of @dev
 * @vbs: the buffers
 * @exporters: the dma-bufs
 */
struct memops_test {
	struct vb2_phyr_queue queue;
	struct mutex lock;		/* vb2_queue.lock */
	struct device *dev;
	u64 dma_mask;
	struct vb2_buffer vbs[MEMOPS_BUFFERS];
	struct memops_exporter exporters[MEMOPS_BUFFERS];
};

static int memops_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *at)
{
	struct memops_exporter *exporter = dmabuf->priv;

	exporter->attached++;
	return 0;
}

static void memops_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *at)
{
	struct memops_exporter *exporter = dmabuf->priv;

	exporter->attached--;
}

static struct sg_table *memops_map(struct dma_buf_attachment *at,
				   enum dma_data_direction dir)
{
	struct memops_exporter *exporter = at->dmabuf->priv;

	struct sg_table *sgt;

	exporter->maps++;
	sgt = exporter->can_map ? kzalloc_obj(*sgt) : NULL;
	if (!sgt)
		return ERR_PTR(-ENOMEM);
	if (sg_alloc_table(sgt, 1, GFP_KERNEL)) {
		kfree(sgt);
		return ERR_PTR(-ENOMEM);
	}
	sg_dma_address(sgt->sgl) = MEMOPS_ADDR;
	sg_dma_len(sgt->sgl) = at->dmabuf->size;
	return sgt;
}

static void memops_unmap(struct dma_buf_attachment *at, struct sg_table *sgt,
			 enum dma_data_direction dir)
{
	sg_free_table(sgt);
	kfree(sgt);
}

static void memops_release(struct dma_buf *dmabuf)
{
	struct memops_exporter *exporter = dmabuf->priv;

	complete(&exporter->released);
}

static const struct dma_buf_ops memops_dma_buf_ops = {
	.attach = memops_attach,
	.detach = memops_detach,
	.map_dma_buf = memops_map,
	.unmap_dma_buf = memops_unmap,
	.release = memops_release,
};

/* A kernel thread's last reference to a file is dropped by a worker. */
static void memops_put(void *data)
{
	struct memops_exporter *exporter = data;

	dma_buf_put(exporter->dmabuf);
	wait_for_completion(&exporter->released);
}

static void memops_export(struct kunit *test, struct memops_exporter *exporter)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);

	init_completion(&exporter->released);
	info.ops = &memops_dma_buf_ops;
	info.size = SZ_16K;
	info.flags = O_RDWR;
	info.priv = exporter;
	exporter->dmabuf = dma_buf_export(&info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, exporter->dmabuf);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, memops_put,
							exporter), 0);
}

static int memops_init(struct kunit *test)
{
	struct memops_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	unsigned int i;

	if (!t)
		return -ENOMEM;
	test->priv = t;
	t->dev = kunit_device_register(test, "camera");
	if (IS_ERR(t->dev))
		return PTR_ERR(t->dev);
	t->dma_mask = DMA_BIT_MASK(32);
	t->dev->dma_mask = &t->dma_mask;

	mutex_init(&t->lock);
	t->queue.vb2.lock = &t->lock;
	t->queue.vb2.dma_dir = DMA_FROM_DEVICE;
	t->queue.vb2.mem_ops = &vb2_phyr_memops;
	vb2_phyr_init(&t->queue);
	for (i = 0; i < MEMOPS_BUFFERS; i++) {
		memops_export(test, &t->exporters[i]);
		t->vbs[i].vb2_queue = &t->queue.vb2;
		t->vbs[i].memory = VB2_MEMORY_DMABUF;
		t->vbs[i].num_planes = 1;
		t->vbs[i].planes[0].length = SZ_4K;
	}
	return 0;
}

/* As videobuf2 does in QBUF, and when another dma-buf comes to the index. */
static void memops_plane_get(struct memops_test *t, unsigned int i)
{
	struct vb2_plane *plane = &t->vbs[i].planes[0];

	plane->dbuf = t->exporters[i].dmabuf;
	plane->mem_priv = vb2_phyr_memops.attach_dmabuf(&t->vbs[i], t->dev,
							plane->dbuf, SZ_4K);
}

static void memops_plane_put(struct memops_test *t, unsigned int i)
{
	vb2_phyr_memops.detach_dmabuf(t->vbs[i].planes[0].mem_priv);
}

static void prepare_without_init(struct kunit *test)
{
	struct memops_test *t = test->priv;

	guard(mutex)(&t->lock);
	t->queue.context = 0;
	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, vb2_phyr_prepare(&t->vbs[0]), -EINVAL);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
}

static void begin_without_prepare(struct kunit *test)
{
	struct memops_test *t = test->priv;
	struct dma_fence *fence;

	guard(mutex)(&t->lock);
	memops_plane_get(t, 0);
	kunit_warning_suppress(test) {
		fence = vb2_phyr_begin(&t->vbs[0]);
		KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(fence), -EINVAL);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_EQ(test, t->exporters[0].attached, 0);
	memops_plane_put(t, 0);
}

/* What the driver has forgotten to drop is dropped at the next chance. */
static void idle_without_unprepare(struct kunit *test)
{
	struct memops_test *t = test->priv;

	guard(mutex)(&t->lock);
	t->queue.vb2.streaming = 1;
	memops_plane_get(t, 0);
	KUNIT_EXPECT_EQ(test, vb2_phyr_prepare(&t->vbs[0]), -ENOMEM);
	memops_plane_put(t, 0);
	KUNIT_EXPECT_EQ(test, t->exporters[0].attached, 1);

	t->queue.vb2.streaming = 0;
	kunit_warning_suppress(test) {
		memops_plane_get(t, 1);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_EQ(test, t->exporters[0].attached, 0);
	memops_plane_put(t, 1);
}

static void unprepare_drops_idle(struct kunit *test)
{
	struct memops_test *t = test->priv;

	guard(mutex)(&t->lock);
	t->queue.vb2.streaming = 1;
	memops_plane_get(t, 0);
	KUNIT_EXPECT_EQ(test, vb2_phyr_prepare(&t->vbs[0]), -ENOMEM);
	memops_plane_put(t, 0);
	vb2_phyr_unprepare_streaming(&t->queue.vb2);
	t->queue.vb2.streaming = 0;
	KUNIT_EXPECT_EQ(test, t->exporters[0].attached, 0);
	memops_plane_get(t, 1);
	memops_plane_put(t, 1);
}

/* Once for each idle dma-buf that was given up, and once more. */
static void map_retries_after_giving_up(struct kunit *test)
{
	struct memops_test *t = test->priv;

	guard(mutex)(&t->lock);
	t->queue.vb2.streaming = 1;
	memops_plane_get(t, 0);
	KUNIT_EXPECT_EQ(test, vb2_phyr_prepare(&t->vbs[0]), -ENOMEM);
	KUNIT_EXPECT_EQ(test, t->exporters[0].maps, 1);
	memops_plane_put(t, 0);

	memops_plane_get(t, 1);
	KUNIT_EXPECT_EQ(test, vb2_phyr_prepare(&t->vbs[1]), -ENOMEM);
	KUNIT_EXPECT_EQ(test, t->exporters[0].attached, 0);
	KUNIT_EXPECT_EQ(test, t->exporters[1].maps, 2);
	t->queue.vb2.streaming = 0;
	memops_plane_put(t, 1);
	KUNIT_EXPECT_EQ(test, t->exporters[1].attached, 0);
}

/* QBUF leaves a locked dma-buf alone. */
static void prepare_while_locked(struct kunit *test)
{
	struct memops_test *t = test->priv;
	struct dma_resv *resv = t->exporters[0].dmabuf->resv;

	guard(mutex)(&t->lock);
	memops_plane_get(t, 0);
	dma_resv_lock(resv, NULL);
	KUNIT_EXPECT_EQ(test, vb2_phyr_prepare(&t->vbs[0]), 0);
	dma_resv_unlock(resv);
	KUNIT_EXPECT_EQ(test, t->exporters[0].attached, 0);

	/* The error that QBUF could not report. */
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(vb2_phyr_begin(&t->vbs[0])),
			-ENOMEM);
	KUNIT_EXPECT_EQ(test, t->exporters[0].attached, 1);
	memops_plane_put(t, 0);
	KUNIT_EXPECT_EQ(test, t->exporters[0].attached, 0);
}

static const char *memops_fence_name(struct dma_fence *fence)
{
	return "memops_test";
}

static const struct dma_fence_ops memops_fence_ops = {
	.get_driver_name = memops_fence_name,
	.get_timeline_name = memops_fence_name,
};

/* DMA of somebody else that uses the dma-buf until the fence is signalled */
static struct dma_fence *memops_add_fence(struct kunit *test,
					  struct dma_resv *resv)
{
	struct dma_fence *fence = kzalloc_obj(*fence);

	KUNIT_ASSERT_NOT_NULL(test, fence);
	dma_fence_init(fence, &memops_fence_ops, NULL,
		       dma_fence_context_alloc(1), 1);
	dma_resv_lock(resv, NULL);
	KUNIT_EXPECT_EQ(test, dma_resv_reserve_fences(resv, 1), 0);
	dma_resv_add_fence(resv, fence, DMA_RESV_USAGE_BOOKKEEP);
	dma_resv_unlock(resv);
	return fence;
}

/* QBUF waits for no fence: it neither attaches nor maps, which might move. */
static void prepare_while_fenced(struct kunit *test)
{
	struct memops_test *t = test->priv;
	struct dma_resv *resv = t->exporters[0].dmabuf->resv;
	struct dma_fence *fence;

	guard(mutex)(&t->lock);
	memops_plane_get(t, 0);
	fence = memops_add_fence(test, resv);
	KUNIT_EXPECT_EQ(test, vb2_phyr_prepare(&t->vbs[0]), 0);
	KUNIT_EXPECT_EQ(test, t->exporters[0].attached, 0);
	dma_fence_signal(fence);
	dma_fence_put(fence);

	KUNIT_EXPECT_EQ(test, vb2_phyr_prepare(&t->vbs[0]), -ENOMEM);
	KUNIT_EXPECT_EQ(test, t->exporters[0].attached, 1);
	KUNIT_EXPECT_EQ(test, t->exporters[0].maps, 1);

	fence = memops_add_fence(test, resv);
	KUNIT_EXPECT_EQ(test, vb2_phyr_prepare(&t->vbs[0]), 0);
	KUNIT_EXPECT_EQ(test, t->exporters[0].maps, 1);
	dma_fence_signal(fence);
	dma_fence_put(fence);
	memops_plane_put(t, 0);
}

/* Transfer a frame of @payload bytes in a plane of @len. */
static void memops_frame(struct kunit *test, u32 payload, u32 len,
			 unsigned int maps, u64 mapped)
{
	struct memops_test *t = test->priv;
	struct vb2_buffer *vb = &t->vbs[0];
	struct dma_fence *fence;

	vb->planes[0].length = len;
	vb->planes[0].bytesused = payload;
	KUNIT_EXPECT_EQ(test, vb2_phyr_prepare(vb), 0);
	fence = vb2_phyr_begin(vb);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, fence);
	KUNIT_EXPECT_EQ(test, t->exporters[0].maps, maps);
	KUNIT_EXPECT_EQ(test, dma_range_list_len(vb2_phyr_plane_ranges(vb, 0)),
			mapped);
	vb2_phyr_end(vb, fence, 0);
}

/* The dma-buf may be larger than the device's address space. */
static void map_what_the_plane_needs(struct kunit *test)
{
	struct memops_test *t = test->priv;

	guard(mutex)(&t->lock);
	t->exporters[0].can_map = true;
	memops_plane_get(t, 0);
	memops_frame(test, 0, SZ_4K, 1, SZ_4K);
	memops_frame(test, 100, SZ_16K, 1, SZ_4K);
	memops_frame(test, SZ_8K + 100, SZ_16K, 2, SZ_8K + 100);
	memops_frame(test, SZ_4K, SZ_4K, 2, SZ_8K + 100);
	memops_frame(test, 0, SZ_16K, 3, SZ_16K);
	memops_plane_put(t, 0);
	KUNIT_EXPECT_EQ(test, t->exporters[0].attached, 0);
}

/*
 * A buffer that moves
 */

/**
 * struct memops_mover - an exporter of one page of RAM, and an importer
 * @buffer: the buffer
 * @resv: its reservation object
 * @ram: its memory
 * @page: the page
 * @dmabuf: the dma-buf
 * @other: an importer that delays moves
 * @fence: what @other adds when it is notified, or NULL
 * @released: the last reference to the dma-buf is gone
 */
struct memops_mover {
	struct phyr_buffer buffer;
	struct dma_resv resv;
	struct phyr_mem *ram;
	struct page *page;
	struct dma_buf *dmabuf;
	struct phyr_attachment *other;
	struct dma_fence *fence;
	struct completion released;
};

static struct phyr_buffer *memops_mover_buffer(struct dma_buf *dmabuf)
{
	struct memops_mover *mover = dmabuf->priv;

	return &mover->buffer;
}

static void memops_mover_release(struct dma_buf *dmabuf)
{
	struct memops_mover *mover = dmabuf->priv;

	complete(&mover->released);
}

static struct phyr_list *memops_mover_describe(struct phyr_buffer *buffer)
{
	struct memops_mover *mover = container_of(buffer, struct memops_mover,
						  buffer);
	struct phyr_list *list = phyr_list_create();
	int ret;

	if (IS_ERR(list))
		return list;
	ret = phyr_list_append(list, mover->ram, page_to_phys(mover->page),
			       PAGE_SIZE);
	if (!ret)
		ret = phyr_list_finish(list, PAGE_SIZE, "memops_test");
	if (!ret)
		return list;
	phyr_list_put(list);
	return ERR_PTR(ret);
}

static const struct phyr_dma_buf_ops memops_mover_ops = {
	.ops = { PHYR_DMA_BUF_OPS },
	.buffer = memops_mover_buffer,
	.release = memops_mover_release,
	.describe = memops_mover_describe,
};

static void memops_mover_delay(struct phyr_attachment *attach)
{
	struct memops_mover *mover = phyr_attachment_priv(attach);

	if (mover->fence && !dma_resv_reserve_fences(&mover->resv, 1))
		dma_resv_add_fence(&mover->resv, mover->fence,
				   DMA_RESV_USAGE_BOOKKEEP);
}

static const struct phyr_importer_ops memops_mover_importer_ops = {
	.invalidate = memops_mover_delay,
};

static void memops_mover_fini(void *data)
{
	struct memops_mover *mover = data;

	if (mover->other)
		phyr_detach(mover->other);
	if (mover->dmabuf) {
		dma_buf_put(mover->dmabuf);
		wait_for_completion(&mover->released);
	}
	phyr_buffer_fini(&mover->buffer);
	dma_resv_fini(&mover->resv);
	if (mover->ram)
		phyr_mem_put(mover->ram);
	if (mover->page)
		__free_page(mover->page);
}

static struct memops_mover *memops_mover_create(struct kunit *test)
{
	struct memops_test *t = test->priv;
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct memops_mover *mover;
	struct phyr_mem *ram;
	struct dma_buf *dmabuf;

	mover = kunit_kzalloc(test, sizeof(*mover), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mover);
	init_completion(&mover->released);
	dma_resv_init(&mover->resv);
	phyr_buffer_init(&mover->buffer, &memops_mover_ops, &mover->resv);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, memops_mover_fini,
							mover), 0);

	mover->page = alloc_page(GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mover->page);
	ram = phyr_mem_create_ram();
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ram);
	mover->ram = ram;
	info.size = PAGE_SIZE;
	info.flags = O_RDWR;
	info.priv = mover;
	dmabuf = phyr_dma_buf_export(&mover->buffer, &info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	mover->dmabuf = dmabuf;
	mover->other = phyr_attach(dmabuf, t->dev, &memops_mover_importer_ops,
				   NULL, mover);
	if (IS_ERR(mover->other))
		mover->other = NULL;
	KUNIT_ASSERT_NOT_NULL(test, mover->other);
	return mover;
}

/* Return: what phyr_buffer_move_begin() returned. */
static int memops_mover_move(struct memops_mover *mover)
{
	int ret;

	dma_resv_lock(&mover->resv, NULL);
	ret = phyr_buffer_move_begin(&mover->buffer, false, true);
	if (!ret)
		phyr_buffer_move_end(&mover->buffer);
	dma_resv_unlock(&mover->resv);
	return ret;
}

static void memops_transfer(struct kunit *test, struct vb2_buffer *vb)
{
	struct dma_fence *fence = vb2_phyr_begin(vb);

	KUNIT_ASSERT_FALSE(test, IS_ERR(fence));
	vb2_phyr_end(vb, fence, 0);
}

/* A move that did not take place ends no mapping; the next frame uses it. */
static void frames_and_moves(struct kunit *test)
{
	struct memops_test *t = test->priv;
	struct vb2_buffer *vb = &t->vbs[0];
	struct memops_mover *mover;

	KUNIT_ASSERT_EQ(test, dma_coerce_mask_and_coherent(t->dev,
							   DMA_BIT_MASK(64)),
			0);
	mover = memops_mover_create(test);
	guard(mutex)(&t->lock);
	vb->planes[0].dbuf = mover->dmabuf;
	vb->planes[0].mem_priv =
		vb2_phyr_memops.attach_dmabuf(vb, t->dev, mover->dmabuf, SZ_4K);
	KUNIT_EXPECT_EQ(test, vb2_phyr_prepare(vb), 0);
	memops_transfer(test, vb);
	KUNIT_EXPECT_EQ(test, atomic64_read(&t->queue.mapped), 1);

	mover->fence = kzalloc_obj(*mover->fence);
	KUNIT_EXPECT_NOT_NULL(test, mover->fence);
	if (mover->fence) {
		dma_fence_init(mover->fence, &memops_fence_ops, NULL,
			       dma_fence_context_alloc(1), 1);
		KUNIT_EXPECT_EQ(test, memops_mover_move(mover), -EBUSY);
		dma_fence_signal(mover->fence);
		dma_fence_put(mover->fence);
		mover->fence = NULL;
	}
	memops_transfer(test, vb);
	KUNIT_EXPECT_EQ(test, atomic64_read(&t->queue.mapped), 1);
	KUNIT_EXPECT_EQ(test, vb2_phyr_prepare(vb), 0);

	KUNIT_EXPECT_EQ(test, memops_mover_move(mover), 0);
	memops_transfer(test, vb);
	KUNIT_EXPECT_EQ(test, atomic64_read(&t->queue.mapped), 2);
	memops_plane_put(t, 0);
}

static struct kunit_case memops_cases[] = {
	KUNIT_CASE(prepare_without_init),
	KUNIT_CASE(begin_without_prepare),
	KUNIT_CASE(idle_without_unprepare),
	KUNIT_CASE(unprepare_drops_idle),
	KUNIT_CASE(map_retries_after_giving_up),
	KUNIT_CASE(prepare_while_locked),
	KUNIT_CASE(prepare_while_fenced),
	KUNIT_CASE(map_what_the_plane_needs),
	KUNIT_CASE(frames_and_moves),
	{ }
};

static struct kunit_suite memops_suite = {
	.name = "vb2_phyr_memops",
	.init = memops_init,
	.test_cases = memops_cases,
};

kunit_test_suite(memops_suite);

MODULE_DESCRIPTION("KUnit tests of vb2_phyr_memops");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
MODULE_IMPORT_NS("PHYR");
MODULE_IMPORT_NS("PHYR_EXPORTER");

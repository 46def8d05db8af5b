// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: cpu_access.c, and the cache maintenance of map, move and unmap
 */
#include "redirect.h"
#include "../cpu_access.c"
#include "buffer_fixture.h"

static int cpu_test_begin(struct buffer_test *t, enum dma_data_direction dir)
{
	return dma_buf_begin_cpu_access(t->dmabufs[0], dir);
}

static int cpu_test_end(struct buffer_test *t, enum dma_data_direction dir)
{
	return dma_buf_end_cpu_access(t->dmabufs[0], dir);
}

/*
 * Expect @nr calls for RAM, all with @attrs. An importer that may get the buffer
 * in VRAM, too, also has a window of the card, mapped as MMIO.
 */
static void cpu_test_expect_calls(struct kunit *test, enum mock_call call,
				  unsigned int nr, unsigned long attrs)
{
	const struct mock_entry *entry;
	unsigned int i, found = 0;

	for (i = 1; i <= mock_count(call); i++) {
		entry = mock_nth(call, i);
		if (entry->attrs & DMA_ATTR_MMIO)
			continue;
		found++;
		KUNIT_EXPECT_EQ(test, entry->attrs, attrs);
	}
	KUNIT_EXPECT_EQ(test, found, nr);
}

/* Expect that all teardown left the CPU's caches alone. */
static void cpu_test_expect_unmaps(struct kunit *test, unsigned int nr)
{
	cpu_test_expect_calls(test, MOCK_UNMAP, nr, DMA_ATTR_SKIP_CPU_SYNC);
}

/* The lock is held by somebody else, and nobody waits for it. */
static void coherent_devices_cost_nothing(struct kunit *test)
{
	struct buffer_test *t = test->priv;

	t->in_system = true;
	buffer_test_native(t, 0, true);
	buffer_test_add_fence(t, &t->resv);
	buffer_lock(t);
	KUNIT_EXPECT_EQ(test,
			phyr_dma_buf_begin_cpu_access(t->dmabufs[0],
						      DMA_BIDIRECTIONAL), 0);
	KUNIT_EXPECT_EQ(test,
			phyr_dma_buf_end_cpu_access(t->dmabufs[0],
						    DMA_BIDIRECTIONAL), 0);
	buffer_unlock(t);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_WAIT), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_SYNC_CPU), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_SYNC_DEVICE), 0);
}

/* Untranslated (0) and behind an IOMMU (1) */
static void incoherent_memory_is_handed_over(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;
	int iommu;

	t->in_system = true;
	mock.coherent = false;
	for (iommu = 0; iommu < 2; iommu++) {
		mock.iommu = iommu;
		mock_forget();
		importer = buffer_test_native(t, 0, true);
		cpu_test_expect_calls(test, MOCK_MAP, BUFFER_EXTENTS,
				      DMA_ATTR_SKIP_CPU_SYNC);
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_SYNC_DEVICE),
				BUFFER_EXTENTS);
		mock_forget();

		KUNIT_EXPECT_EQ(test, cpu_test_begin(t, DMA_FROM_DEVICE), 0);
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_SYNC_CPU),
				BUFFER_EXTENTS);
		KUNIT_EXPECT_GT(test, mock_index(MOCK_SYNC_CPU, 1),
				mock_index(MOCK_WAIT, 1));
		KUNIT_EXPECT_EQ(test, mock_nth(MOCK_WAIT, 1)->attrs,
				DMA_RESV_USAGE_WRITE);
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_SYNC_DEVICE), 0);
		KUNIT_EXPECT_EQ(test, cpu_test_end(t, DMA_FROM_DEVICE), 0);
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_SYNC_DEVICE),
				BUFFER_EXTENTS);

		/* Who writes waits for readers, too. */
		KUNIT_EXPECT_EQ(test, cpu_test_begin(t, DMA_TO_DEVICE), 0);
		KUNIT_EXPECT_EQ(test, mock_nth(MOCK_WAIT, 2)->attrs,
				DMA_RESV_USAGE_READ);
		KUNIT_EXPECT_EQ(test, cpu_test_end(t, DMA_TO_DEVICE), 0);

		/* An unmap hands the pages, still the buffer's, to the CPU. */
		mock_forget();
		buffer_test_end_importer(importer);
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_SYNC_CPU),
				BUFFER_EXTENTS);
		KUNIT_EXPECT_LT(test,
				mock_index(MOCK_SYNC_CPU, BUFFER_EXTENTS),
				mock_index(MOCK_UNMAP, 1));
		cpu_test_expect_unmaps(test, BUFFER_EXTENTS);
		KUNIT_EXPECT_EQ(test, t->buffer.incoherent, 0);
	}
}

static void cpu_test_note_lock(void *data)
{
	struct buffer_importer *importer = data;

	importer->result = dma_resv_is_locked(&importer->t->resv);
}

/* Others use the buffer while a CPU access waits for its fences. */
static void begin_waits_without_the_lock(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;

	t->in_system = true;
	mock.coherent = false;
	importer = buffer_test_native(t, 0, true);
	importer->result = -1;
	mock.before_wait = cpu_test_note_lock;
	mock.arg = importer;
	KUNIT_EXPECT_EQ(test, cpu_test_begin(t, DMA_FROM_DEVICE), 0);
	mock.before_wait = NULL;
	KUNIT_EXPECT_EQ(test, importer->result, 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_WAIT), 1);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_SYNC_CPU), BUFFER_EXTENTS);
}

static void pageless_memory_is_not_cached(struct kunit *test)
{
	struct buffer_test *t = test->priv;

	mock.coherent = false;
	buffer_test_native(t, 0, true);
	KUNIT_EXPECT_EQ(test, cpu_test_begin(t, DMA_BIDIRECTIONAL), 0);
	KUNIT_EXPECT_EQ(test, cpu_test_end(t, DMA_BIDIRECTIONAL), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_SYNC_CPU), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_SYNC_DEVICE), 0);
}

static void begin_is_interrupted(struct kunit *test)
{
	struct buffer_test *t = test->priv;

	t->in_system = true;
	mock.coherent = false;
	buffer_test_native(t, 0, true);
	mock_fail(MOCK_WAIT, 1, -ERESTARTSYS);
	KUNIT_EXPECT_EQ(test, cpu_test_begin(t, DMA_FROM_DEVICE),
			-ERESTARTSYS);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_SYNC_CPU), 0);
	KUNIT_EXPECT_TRUE(test, dma_resv_trylock(&t->resv));
	buffer_unlock(t);
}

/*
 * Before a move the CPU must see what the devices wrote, then nothing else. A
 * move of a revoked buffer (1) is no different.
 */
static void stock_importer_unmaps_late(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;
	int revoke;

	mock.coherent = false;
	t->in_system = true;
	for (revoke = 0; revoke < 2; revoke++) {
		importer = buffer_test_stock(t, 0, &buffer_test_revocable_ops,
					     true);
		if (revoke)
			buffer_test_revoke(t);
		mock_forget();
		KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
		KUNIT_EXPECT_EQ(test, importer->notified, 1);
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_SYNC_CPU),
				BUFFER_EXTENTS);
		if (!revoke)
			KUNIT_EXPECT_GT(test, mock_index(MOCK_SYNC_CPU, 1),
					mock_index(MOCK_WAIT, 1));
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_UNMAP), 0);

		/* The pages may belong to somebody else now. */
		mock_forget();
		KUNIT_EXPECT_EQ(test, cpu_test_begin(t, DMA_BIDIRECTIONAL), 0);
		KUNIT_EXPECT_EQ(test, cpu_test_end(t, DMA_BIDIRECTIONAL), 0);
		buffer_test_end_importer(importer);
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_SYNC_CPU), 0);
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_SYNC_DEVICE), 0);
		cpu_test_expect_unmaps(test, BUFFER_EXTENTS);
	}
}

static void cpu_test_expect_access_syncs(struct buffer_test *t)
{
	struct kunit *test = t->test;

	mock_forget();
	KUNIT_EXPECT_EQ(test, cpu_test_begin(t, DMA_BIDIRECTIONAL), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_SYNC_CPU), BUFFER_EXTENTS);
	KUNIT_EXPECT_EQ(test, cpu_test_end(t, DMA_BIDIRECTIONAL), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_SYNC_DEVICE), BUFFER_EXTENTS);
}

/*
 * A static importer does not know of a reset, and uses its table afterwards. The
 * pages were the buffer's all the time.
 */
static void static_importer_survives_a_reset(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;

	mock.coherent = false;
	importer = buffer_test_stock(t, 0, NULL, true);
	KUNIT_ASSERT_TRUE(test, t->in_system);
	cpu_test_expect_access_syncs(t);

	buffer_test_revoke(t);
	phyr_buffer_revoke_wait(&t->buffer);
	cpu_test_expect_access_syncs(t);
	buffer_lock(t);
	phyr_buffer_rearm(&t->buffer);
	buffer_unlock(t);
	cpu_test_expect_access_syncs(t);

	mock_forget();
	buffer_test_end_importer(importer);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_SYNC_CPU), BUFFER_EXTENTS);
	cpu_test_expect_unmaps(test, BUFFER_EXTENTS);
}

static void native_mapping_before_a_move(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;

	mock.coherent = false;
	t->in_system = true;
	importer = buffer_test_native(t, 0, true);
	mock_forget();
	KUNIT_EXPECT_EQ(test, buffer_test_move(t), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_SYNC_CPU), BUFFER_EXTENTS);
	KUNIT_EXPECT_LT(test, mock_index(MOCK_SYNC_CPU, BUFFER_EXTENTS),
			mock_index(MOCK_UNMAP, 1));
	cpu_test_expect_unmaps(test, BUFFER_EXTENTS);

	mock_forget();
	buffer_test_unmap(importer);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_SYNC_CPU), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_UNMAP), 0);
}

/* A failed map hands nothing to the CPU: the device has not had it. */
static void map_fails_half_way(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer = buffer_test_importer(t);

	mock.coherent = false;
	t->in_system = true;
	KUNIT_ASSERT_EQ(test, buffer_test_try_native(importer, t->dmabufs[0]),
			0);
	mock_fail(MOCK_MAP, 4, -ENOMEM);
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(importer), -ENOMEM);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_SYNC_CPU), 0);
	cpu_test_expect_unmaps(test, 3);
}

static struct kunit_case cpu_access_test_cases[] = {
	KUNIT_CASE(coherent_devices_cost_nothing),
	KUNIT_CASE(incoherent_memory_is_handed_over),
	KUNIT_CASE(begin_waits_without_the_lock),
	KUNIT_CASE(pageless_memory_is_not_cached),
	KUNIT_CASE(begin_is_interrupted),
	KUNIT_CASE(stock_importer_unmaps_late),
	KUNIT_CASE(static_importer_survives_a_reset),
	KUNIT_CASE(native_mapping_before_a_move),
	KUNIT_CASE(map_fails_half_way),
	{}
};

static struct kunit_suite cpu_access_test_suite = {
	.name = "phyr_cpu_access",
	.init = buffer_test_init,
	.test_cases = cpu_access_test_cases,
};

kunit_test_suite(cpu_access_test_suite);

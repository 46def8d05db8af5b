// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: admission.c, every pair of memory and device
 */
#include "redirect.h"
#include "../admission.c"
#include "buffer_fixture.h"

#define LOW_RAM		0x1000000ULL

/* The last byte of a mask that ends inside the BAR */
#define MASK_IN_BAR	(BUFFER_BAR + SZ_1M - 1)

/**
 * struct admission - a buffer, a device and what attach is expected to decide
 * @name: description
 * @is_static: the importer supports system memory only
 * @ram_only: it is native, and takes RAM only
 * @fixed: the exporter keeps the buffer where it is
 * @in_system: the buffer is in system memory
 * @mixed: its last extent is, in any case
 * @offset: offset of the buffer in its memory
 * @low_ram: the pages are below any mask
 * @no_peer: the kernel forbids peer traffic
 * @bus: the device and the BAR are behind one switch
 * @iommu: the device is behind an IOMMU
 * @bounce: untranslated DMA bounces
 * @other_ops: the device has dma_map_ops
 * @mask: the device's mask
 * @required: mask that covers all RAM; 0 if every mask does
 * @ret: expected result
 * @pinned: expected pin
 */
struct admission {
	const char *name;
	bool is_static;
	bool ram_only;
	bool fixed;
	bool in_system;
	bool mixed;
	u64 offset;
	bool low_ram;
	bool no_peer;
	bool bus;
	bool iommu;
	bool bounce;
	bool other_ops;
	u64 mask;
	u64 required;
	int ret;
	enum phyr_pinned pinned;
};

static const struct admission admissions[] = {
	{ "all reached", .mask = ~0ULL },
	{ "all reached, in system", .in_system = true, .mask = ~0ULL },
	{ "IOMMU short mask", .iommu = true, .mask = DMA_BIT_MASK(28) },
	{ "IOMMU short mask, in system", .in_system = true, .iommu = true,
	  .mask = DMA_BIT_MASK(28) },
	{ "no peer", .no_peer = true, .mask = ~0ULL,
	  .pinned = PHYR_PINNED_SYSTEM },
	{ "no peer, in system", .in_system = true, .no_peer = true,
	  .mask = ~0ULL, .pinned = PHYR_PINNED_SYSTEM },
	{ "no peer, fixed", .fixed = true, .no_peer = true, .mask = ~0ULL,
	  .ret = -EREMOTEIO },
	{ "mask below BAR", .low_ram = true, .mask = DMA_BIT_MASK(28),
	  .pinned = PHYR_PINNED_SYSTEM },
	{ "mask below BAR, in system", .in_system = true, .low_ram = true,
	  .mask = DMA_BIT_MASK(28), .pinned = PHYR_PINNED_SYSTEM },
	{ "mask below BAR, fixed", .fixed = true, .mask = DMA_BIT_MASK(28),
	  .ret = -EREMOTEIO },
	{ "mask in BAR", .low_ram = true, .mask = MASK_IN_BAR,
	  .pinned = PHYR_PINNED_SYSTEM },
	{ "mask in BAR, in system", .in_system = true, .low_ram = true,
	  .mask = MASK_IN_BAR, .pinned = PHYR_PINNED_SYSTEM },
	{ "mask in BAR, fixed", .fixed = true, .mask = MASK_IN_BAR,
	  .pinned = PHYR_PINNED_PLACE },
	{ "mask before the buffer, fixed", .fixed = true, .offset = SZ_2M,
	  .mask = MASK_IN_BAR, .ret = -EREMOTEIO },
	{ "RAM in part", .mask = DMA_BIT_MASK(32),
	  .required = DMA_BIT_MASK(33), .pinned = PHYR_PINNED_PLACE },
	{ "RAM in part, fixed", .fixed = true, .mask = DMA_BIT_MASK(32),
	  .required = DMA_BIT_MASK(33) },
	{ "RAM in part, in its low part", .in_system = true, .low_ram = true,
	  .mask = DMA_BIT_MASK(32), .required = DMA_BIT_MASK(33),
	  .pinned = PHYR_PINNED_PLACE },
	{ "RAM in part, in its high part", .in_system = true,
	  .mask = DMA_BIT_MASK(32), .required = DMA_BIT_MASK(33),
	  .ret = -EREMOTEIO },
	{ "RAM in part, no peer", .low_ram = true, .no_peer = true,
	  .mask = DMA_BIT_MASK(32), .required = DMA_BIT_MASK(33),
	  .pinned = PHYR_PINNED_SYSTEM },
	{ "RAM high, no peer", .no_peer = true, .mask = DMA_BIT_MASK(32),
	  .required = DMA_BIT_MASK(33), .ret = -EREMOTEIO },
	{ "bus", .bus = true, .mask = ~0ULL },
	{ "bus IOMMU", .bus = true, .iommu = true, .mask = DMA_BIT_MASK(32) },
	{ "bus IOMMU mask below BAR", .bus = true, .iommu = true,
	  .mask = DMA_BIT_MASK(28), .pinned = PHYR_PINNED_SYSTEM },
	{ "bus IOMMU mask below BAR, system", .in_system = true, .bus = true,
	  .iommu = true, .mask = DMA_BIT_MASK(28),
	  .pinned = PHYR_PINNED_SYSTEM },
	{ "bus IOMMU mask below BAR, fixed", .fixed = true, .bus = true,
	  .iommu = true, .mask = DMA_BIT_MASK(28), .ret = -EREMOTEIO },
	{ "bus IOMMU mask in BAR", .bus = true, .iommu = true,
	  .mask = MASK_IN_BAR, .pinned = PHYR_PINNED_SYSTEM },
	{ "bus IOMMU mask in BAR, fixed", .fixed = true, .bus = true,
	  .iommu = true, .mask = MASK_IN_BAR, .pinned = PHYR_PINNED_PLACE },
	{ "bounce", .bounce = true, .mask = ~0ULL, .ret = -EREMOTEIO },
	{ "bounce, in system", .in_system = true, .bounce = true,
	  .mask = ~0ULL, .ret = -EREMOTEIO },
	{ "bounce, fixed", .fixed = true, .bounce = true, .mask = ~0ULL,
	  .ret = -EREMOTEIO },
	{ "bounce bus", .bounce = true, .bus = true, .mask = ~0ULL,
	  .pinned = PHYR_PINNED_PLACE },
	{ "bounce bus, in system", .in_system = true, .bounce = true,
	  .bus = true, .mask = ~0ULL, .ret = -EREMOTEIO },
	{ "bounce bus, fixed", .fixed = true, .bounce = true, .bus = true,
	  .mask = ~0ULL },
	{ "bounce IOMMU", .bounce = true, .iommu = true,
	  .mask = DMA_BIT_MASK(32) },
	{ "other ops", .other_ops = true, .mask = ~0ULL, .ret = -EREMOTEIO },
	{ "other ops, in system", .in_system = true, .other_ops = true,
	  .mask = ~0ULL, .ret = -EREMOTEIO },
	{ "other ops, fixed", .fixed = true, .other_ops = true, .mask = ~0ULL,
	  .ret = -EREMOTEIO },
	{ "static", .is_static = true, .mask = ~0ULL,
	  .pinned = PHYR_PINNED_SYSTEM },
	{ "static, fixed", .is_static = true, .fixed = true, .mask = ~0ULL,
	  .ret = -EBUSY },
	{ "static, fixed in system", .is_static = true, .fixed = true,
	  .in_system = true, .mask = ~0ULL, .pinned = PHYR_PINNED_PLACE },
	{ "static, fixed in high RAM", .is_static = true, .fixed = true,
	  .in_system = true, .mask = DMA_BIT_MASK(32),
	  .required = DMA_BIT_MASK(33), .ret = -EREMOTEIO },
	{ "static, RAM in part", .is_static = true, .low_ram = true,
	  .mask = DMA_BIT_MASK(32), .required = DMA_BIT_MASK(33),
	  .pinned = PHYR_PINNED_SYSTEM },
	{ "static, RAM high", .is_static = true, .mask = DMA_BIT_MASK(32),
	  .required = DMA_BIT_MASK(33), .ret = -EREMOTEIO },
	{ "static, RAM high, in system", .is_static = true, .in_system = true,
	  .mask = DMA_BIT_MASK(32), .required = DMA_BIT_MASK(33),
	  .ret = -EREMOTEIO },
	{ "static, bounce", .is_static = true, .bounce = true, .mask = ~0ULL,
	  .ret = -EREMOTEIO },
	{ "static, bounce IOMMU", .is_static = true, .bounce = true,
	  .iommu = true, .mask = DMA_BIT_MASK(32),
	  .pinned = PHYR_PINNED_SYSTEM },
	{ "static, other ops", .is_static = true, .other_ops = true,
	  .mask = ~0ULL, .ret = -EREMOTEIO },
	{ "RAM only", .ram_only = true, .mask = ~0ULL,
	  .pinned = PHYR_PINNED_SYSTEM },
	{ "RAM only, in system", .ram_only = true, .in_system = true,
	  .mask = ~0ULL, .pinned = PHYR_PINNED_SYSTEM },
	{ "RAM only, mixed", .ram_only = true, .mixed = true, .mask = ~0ULL,
	  .pinned = PHYR_PINNED_SYSTEM },
	{ "RAM only, bus", .ram_only = true, .bus = true, .mask = ~0ULL,
	  .pinned = PHYR_PINNED_SYSTEM },
	{ "RAM only, IOMMU", .ram_only = true, .iommu = true,
	  .mask = DMA_BIT_MASK(32), .pinned = PHYR_PINNED_SYSTEM },
	{ "RAM only, fixed", .ram_only = true, .fixed = true, .mask = ~0ULL,
	  .ret = -EREMOTEIO },
	{ "RAM only, fixed, mixed", .ram_only = true, .fixed = true,
	  .mixed = true, .mask = ~0ULL, .ret = -EREMOTEIO },
	{ "RAM only, fixed in system", .ram_only = true, .fixed = true,
	  .in_system = true, .mask = ~0ULL, .pinned = PHYR_PINNED_PLACE },
	{ "RAM only, RAM high", .ram_only = true, .mask = DMA_BIT_MASK(32),
	  .required = DMA_BIT_MASK(33), .ret = -EREMOTEIO },
	{ "RAM only, bounce", .ram_only = true, .bounce = true, .mask = ~0ULL,
	  .ret = -EREMOTEIO },
};

static void admission_desc(const struct admission *want, char *desc)
{
	strscpy(desc, want->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(admission, admissions, admission_desc);

static struct phyr_attachment *
admission_test_attachment(struct buffer_importer *importer)
{
	return importer->native ?: importer->stock->priv;
}

static void admission_test_setup(struct buffer_test *t,
				 const struct admission *want)
{
	buffer_test_use_ops(t, want->fixed ? &buffer_test_ops_fixed :
					     &buffer_test_ops);
	t->in_system = want->in_system;
	t->mixed = want->mixed;
	t->offset = want->offset;
	if (want->low_ram)
		t->ram_at = LOW_RAM;
	t->pdev->dma_mask = want->mask;
	mock.distance = want->no_peer ? -1 : 0;
	mock.bus = want->bus;
	mock.iommu = want->iommu;
	mock.bounce = want->bounce;
	mock.other_ops = want->other_ops;
	mock.required_mask = want->required;
}

static void admission_test_admitted(struct buffer_importer *importer,
				    const struct admission *want)
{
	struct buffer_test *t = importer->t;
	struct kunit *test = t->test;
	int i;

	KUNIT_EXPECT_EQ(test, admission_test_attachment(importer)->pinned,
			want->pinned);
	KUNIT_EXPECT_EQ(test, t->pins, want->pinned == PHYR_PINNED_SYSTEM);
	KUNIT_EXPECT_EQ(test, buffer_test_place_pins(t),
			want->pinned == PHYR_PINNED_PLACE);
	if (want->pinned == PHYR_PINNED_SYSTEM)
		KUNIT_EXPECT_TRUE(test, t->in_system);
	else
		KUNIT_EXPECT_EQ(test, t->in_system, want->in_system);

	/* Wherever the buffer may be, a map succeeds. */
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, buffer_test_try_map(importer), 0);
		buffer_test_unmap(importer);
		if (!want->fixed && !want->pinned)
			KUNIT_EXPECT_EQ(test,
					buffer_test_move_to(t, !t->in_system),
					0);
	}
}

static void admit_once(struct buffer_test *t, const struct admission *want,
		       bool native, const struct dma_buf_attach_ops *ops)
{
	struct buffer_importer *importer = buffer_test_importer(t);
	struct kunit *test = t->test;
	int ret;

	importer->limits.ram_only = want->ram_only;
	KUNIT_ASSERT_EQ(test, buffer_test_move_to(t, want->in_system), 0);
	ret = native ? buffer_test_try_native(importer, t->dmabufs[0]) :
		       buffer_test_try_stock(importer, t->dmabufs[0], ops);
	KUNIT_ASSERT_EQ(test, ret, want->ret);
	if (!ret)
		admission_test_admitted(importer, want);
	buffer_test_end_importer(importer);
	KUNIT_EXPECT_EQ(test, t->pins, 0);
	KUNIT_EXPECT_EQ(test, buffer_test_place_pins(t), 0);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->buffer.attachments));
	/* A refused importer does not move or pin the buffer in vain. */
	if (ret && (want->bounce || want->other_ops))
		KUNIT_EXPECT_EQ(test, t->in_system, want->in_system);
	if (ret && want->in_system)
		KUNIT_EXPECT_EQ(test, t->pin_calls, 0);
}

static void admit_decides(struct kunit *test)
{
	const struct admission *want = test->param_value;
	struct buffer_test *t = test->priv;

	admission_test_setup(t, want);
	if (want->is_static) {
		admit_once(t, want, false, &buffer_test_peer_ops);
		admit_once(t, want, false, &buffer_test_dynamic_ops);
	} else {
		admit_once(t, want, true, NULL);
		if (!want->ram_only)
			admit_once(t, want, false, &buffer_test_revocable_ops);
	}
}

/* The exporter moved the buffer to a memory that it had not announced. */
static void map_after_reach_is_lost(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *native, *stock;

	buffer_test_use_ops(t, &buffer_test_ops_silent);
	t->in_system = true;
	mock.distance = -1;
	native = buffer_test_native(t, 0, true);
	stock = buffer_test_stock(t, 0, &buffer_test_revocable_ops, false);
	KUNIT_EXPECT_EQ(test, t->pins, 0);

	KUNIT_EXPECT_EQ(test, buffer_test_move_to(t, false), 0);
	buffer_test_unmap(native);
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(native), 0);
	KUNIT_EXPECT_TRUE(test, t->in_system);
	KUNIT_EXPECT_EQ(test, t->pins, 1);
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(stock), 0);
	KUNIT_EXPECT_EQ(test, t->pins, 1);
	buffer_test_end_importer(native);
	KUNIT_EXPECT_EQ(test, t->pins, 0);

	/* Nor can it move: the error is the map's. */
	buffer_test_unmap(stock);
	KUNIT_EXPECT_EQ(test, buffer_test_move_to(t, false), 0);
	t->pin_err = -EBUSY;
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(stock), -EREMOTEIO);
	t->pin_err = -ENOMEM;
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(stock), -ENOMEM);
	t->pin_err = 0;
	KUNIT_EXPECT_EQ(test, t->pins, 0);
}

/* A driver that lowers its mask while it is attached */
static void map_after_the_mask_shrank(struct kunit *test)
{
	struct buffer_test *t = test->priv;
	struct buffer_importer *importer;

	mock.bus = true;
	buffer_test_use_ops(t, &buffer_test_ops);
	t->ram_at = LOW_RAM;
	importer = buffer_test_native(t, 0, true);
	buffer_test_unmap(importer);

	/* A reset drops the routes, which are then decided again. */
	t->pdev->dma_mask = DMA_BIT_MASK(28);
	buffer_test_revoke(t);
	phyr_buffer_revoke_wait(&t->buffer);
	buffer_lock(t);
	phyr_buffer_rearm(&t->buffer);
	buffer_unlock(t);
	KUNIT_EXPECT_EQ(test, buffer_test_try_map(importer), 0);
	KUNIT_EXPECT_TRUE(test, t->in_system);
	KUNIT_EXPECT_EQ(test, t->pins, 1);
}

static struct kunit_case admission_test_cases[] = {
	KUNIT_CASE_PARAM(admit_decides, admission_gen_params),
	KUNIT_CASE(map_after_reach_is_lost),
	KUNIT_CASE(map_after_the_mask_shrank),
	{}
};

static struct kunit_suite admission_test_suite = {
	.name = "phyr_admission",
	.init = buffer_test_prepare,
	.test_cases = admission_test_cases,
};

kunit_test_suite(admission_test_suite);

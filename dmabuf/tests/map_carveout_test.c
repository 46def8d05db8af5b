// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: map.c and range.c, mappings of carve-outs
 *
 * The expected attributes are written out, not taken from internal.h.
 */
#include "redirect.h"
#include "map_fixture.h"

#define CARVEOUT_EXTENTS	5

/**
 * struct carveout_device - a device, and how it maps a carve-out
 * @name: description
 * @iommu: the IOMMU layer translates
 * @large: the IOMMU's pages are larger than the processor's
 * @incoherent: the device is not coherent
 * @within: the device's mask ends within the carve-out
 * @mode: expected mode
 */
struct carveout_device {
	const char *name;
	bool iommu;
	bool large;
	bool incoherent;
	bool within;
	const char *mode;
};

static const struct carveout_device carveout_devices[] = {
	{ "IOMMU", .iommu = true, .mode = "iova" },
	{ "IOMMU incoherent", .iommu = true, .incoherent = true,
	  .mode = "iova" },
	{ "IOMMU of large pages", .iommu = true, .large = true,
	  .mode = "extent" },
	{ "IOMMU of large pages, incoherent", .iommu = true, .large = true,
	  .incoherent = true, .mode = "extent" },
	{ "untranslated", .mode = "window" },
	{ "untranslated incoherent", .incoherent = true, .mode = "window" },
	{ "mask within", .within = true, .mode = "extent" },
	{ "mask within, incoherent", .within = true, .incoherent = true,
	  .mode = "extent" },
};

KUNIT_ARRAY_PARAM_DESC(carveout_device, carveout_devices, name);

static struct phyr_list *carveout_test_list(struct kunit *test)
{
	struct map_test *t = test->priv;

	return map_test_list(test, t->carveout, MAP_CARVEOUT, CARVEOUT_EXTENTS,
			     SZ_8K, SZ_1M);
}

static void carveout_test_device(struct map_test *t)
{
	const struct carveout_device *device = t->test->param_value;

	mock.iommu = device->iommu;
	mock.merge_boundary = device->large ? SZ_64K - 1 : 0;
	mock.coherent = !device->incoherent;
	if (device->within)
		t->pdev->dma_mask = MAP_CARVEOUT + CARVEOUT_EXTENTS * SZ_1M;
}

/* Expect @nr calls, all for the device, with @dir and the right attributes. */
static void carveout_test_expect(struct map_test *t, enum mock_call call,
				 unsigned int nr, enum dma_data_direction dir)
{
	unsigned long attrs = MAP_CARVEOUT_ATTRS;
	const struct mock_entry *entry;
	unsigned int i;

	if (mock.coherent)
		attrs |= DMA_ATTR_REQUIRE_COHERENT;
	/* The IOVA range of a list may have memories of several kinds. */
	if (call == MOCK_IOVA_DESTROY)
		attrs = DMA_ATTR_SKIP_CPU_SYNC;

	KUNIT_EXPECT_EQ(t->test, mock_count(call), nr);
	for (i = 1; i <= nr; i++) {
		entry = mock_nth(call, i);
		KUNIT_EXPECT_PTR_EQ(t->test, entry->who, &t->pdev->dev);
		KUNIT_EXPECT_EQ(t->test, entry->dir, dir);
		KUNIT_EXPECT_EQ(t->test, entry->attrs, attrs);
	}
}

/* Map, hand over to the CPU and back, unmap. */
static void carveout_test_cycle(struct map_test *t, struct phyr_list *list,
				enum dma_data_direction dir)
{
	const struct carveout_device *device = t->test->param_value;
	bool iova = !strcmp(device->mode, "iova");
	bool extent = !strcmp(device->mode, "extent");
	struct dma_range_list *ranges;

	mock_forget();
	ranges = map_test_map_list(&t->importer, list, 0, phyr_list_size(list),
				   dir);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(t->test, ranges);
	KUNIT_EXPECT_STREQ(t->test, dma_range_list_mode(ranges), device->mode);
	carveout_test_expect(t, MOCK_IOVA_LINK, iova ? CARVEOUT_EXTENTS : 0,
			     dir);
	carveout_test_expect(t, MOCK_MAP, extent ? CARVEOUT_EXTENTS : 0, dir);

	dma_range_list_sync(ranges, true);
	dma_range_list_sync(ranges, false);
	KUNIT_EXPECT_EQ(t->test, mock_count(MOCK_SYNC_CPU), 0);
	KUNIT_EXPECT_EQ(t->test, mock_count(MOCK_SYNC_DEVICE), 0);

	map_test_unmap(ranges);
	carveout_test_expect(t, MOCK_IOVA_DESTROY, iova, dir);
	carveout_test_expect(t, MOCK_UNMAP, extent ? CARVEOUT_EXTENTS : 0, dir);
}

static void carveout_attributes_of_each_call(struct kunit *test)
{
	static const enum dma_data_direction dirs[] = {
		DMA_BIDIRECTIONAL, DMA_TO_DEVICE, DMA_FROM_DEVICE,
	};
	const struct carveout_device *device = test->param_value;
	bool window = !strcmp(device->mode, "window");
	struct map_test *t = test->priv;
	struct phyr_list *list = carveout_test_list(test);
	unsigned int i;

	carveout_test_device(t);
	KUNIT_EXPECT_EQ(test, map_test_routes(&t->importer, list), 0);
	/* The window serves all directions. */
	carveout_test_expect(t, MOCK_MAP, window, DMA_BIDIRECTIONAL);
	for (i = 0; i < ARRAY_SIZE(dirs); i++)
		carveout_test_cycle(t, list, dirs[i]);

	mock_forget();
	map_test_drop_routes(&t->importer);
	carveout_test_expect(t, MOCK_UNMAP, window, DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

/* A map that fails half way unmaps with the attributes it mapped with. */
static void carveout_failed_map(struct kunit *test)
{
	const struct carveout_device *device = test->param_value;
	struct map_test *t = test->priv;
	struct phyr_list *list = carveout_test_list(test);
	bool iova = !strcmp(device->mode, "iova");

	if (!strcmp(device->mode, "window"))
		kunit_skip(test, "nothing is mapped that could fail");

	carveout_test_device(t);
	mock_fail(iova ? MOCK_IOVA_LINK : MOCK_MAP, 3, -ENOMEM);
	/* dma_map_phys() does not say why. */
	map_test_expect_error(t, list, device->iommu && !iova ? -ENOSPC :
								-ENOMEM);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

/* Page-less memory beyond the mask must not reach the DMA API: it would bounce. */
static void carveout_beyond_the_mask(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *list = carveout_test_list(test);
	int incoherent;

	for (incoherent = 0; incoherent < 2; incoherent++) {
		mock.coherent = !incoherent;
		mock_forget();
		/* One byte short of the last extent, then just enough */
		t->pdev->dma_mask = MAP_CARVEOUT +
				    (CARVEOUT_EXTENTS - 1) * SZ_1M + SZ_8K - 2;
		KUNIT_EXPECT_EQ(test, map_test_routes(&t->importer, list),
				-EREMOTEIO);
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), 0);
		map_test_expect_error(t, list, -EREMOTEIO);
		KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
		map_test_drop_routes(&t->importer);

		t->pdev->dma_mask++;
		KUNIT_EXPECT_EQ(test, map_test_routes(&t->importer, list), 0);
		map_test_unmap(map_test_map(t, list, 0, phyr_list_size(list)));
		map_test_drop_routes(&t->importer);
	}
}

/* Neither the map nor the attach tries, also on a device that is not coherent. */
static void carveout_bounce_is_refused(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *list = carveout_test_list(test);
	int incoherent;

	mock.bounce = true;
	for (incoherent = 0; incoherent < 2; incoherent++) {
		mock.coherent = !incoherent;
		KUNIT_EXPECT_EQ(test, map_test_routes(&t->importer, list),
				-EREMOTEIO);
		map_test_expect_error(t, list, -EREMOTEIO);
		map_test_expect_untouched(test);
	}
}

/*
 * Buses with offsets of their own: from the window's start 1 GiB at one offset,
 * then 1 GiB at another
 */

static const struct bus_dma_region carveout_regions[] = {
	{ .cpu_start = MAP_CARVEOUT, .dma_start = 0, .size = SZ_1G },
	{ .cpu_start = MAP_CARVEOUT + SZ_1G, .dma_start = 0x100000000ULL,
	  .size = SZ_1G },
	{}
};

/* Two offsets have no window. */
static void carveout_bus_has_offsets(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *list;

	t->pdev->dev.dma_range_map = carveout_regions;
	t->pdev->dma_mask = DMA_BIT_MASK(33);
	list = map_test_list(test, t->carveout, MAP_CARVEOUT + SZ_1G - SZ_2M, 4,
			     SZ_4K, SZ_1M);
	KUNIT_EXPECT_EQ(test, map_test_routes(&t->importer, list), 0);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
	map_test_unmap(map_test_map(t, list, 0, 4 * SZ_4K));
	carveout_test_expect(t, MOCK_MAP, 4, DMA_FROM_DEVICE);
	carveout_test_expect(t, MOCK_UNMAP, 4, DMA_FROM_DEVICE);
}

/* The DMA API would map all of an extent by the offset of its first byte. */
static void carveout_bus_extent_of_two_offsets(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *list;

	/* The mask allows any address. */
	KUNIT_ASSERT_EQ(test, t->pdev->dma_mask, MAP_ALL_BITS);

	t->pdev->dev.dma_range_map = carveout_regions;
	list = map_test_list(test, t->carveout, MAP_CARVEOUT + SZ_1G - SZ_4K, 1,
			     SZ_8K, SZ_8K);
	KUNIT_EXPECT_EQ(test, map_test_routes(&t->importer, list), -EREMOTEIO);
	map_test_expect_error(t, list, -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), 0);

	/* The same for RAM, all of which the bus reaches. */
	list = map_test_list(test, t->ram, MAP_CARVEOUT + SZ_1G - SZ_4K, 1,
			     SZ_8K, SZ_8K);
	KUNIT_EXPECT_EQ(test, map_test_routes(&t->importer, list), -EREMOTEIO);
	map_test_expect_error(t, list, -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), 0);
}

/* Both ends of an extent have the same offset, its middle has not. */
static void carveout_bus_extent_around_another(struct kunit *test)
{
	static const struct bus_dma_region around[][4] = {
		/* Another offset in the middle */
		{ { MAP_CARVEOUT, 0, SZ_1G },
		  { MAP_CARVEOUT + SZ_1G, 0x100000000ULL, SZ_1G },
		  { MAP_CARVEOUT + 2ULL * SZ_1G, 2ULL * SZ_1G, SZ_1G }, {} },
		/* None */
		{ { MAP_CARVEOUT, 0, SZ_1G },
		  { MAP_CARVEOUT + 2ULL * SZ_1G, 2ULL * SZ_1G, SZ_1G }, {} },
	};
	struct map_test *t = test->priv;
	struct phyr_list *list;
	unsigned int i;

	list = map_test_list(test, t->carveout, MAP_CARVEOUT + SZ_1G - SZ_4K, 1,
			     SZ_1G + SZ_8K, SZ_1G + SZ_8K);
	for (i = 0; i < ARRAY_SIZE(around); i++) {
		t->pdev->dev.dma_range_map = around[i];
		KUNIT_EXPECT_EQ(test, map_test_routes(&t->importer, list),
				-EREMOTEIO);
		map_test_expect_error(t, list, -EREMOTEIO);
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), 0);
		map_test_drop_routes(&t->importer);
	}
}

/* One offset for all of the carve-out has a window, however it is described. */
static void carveout_bus_has_one_offset(struct kunit *test)
{
	static const struct bus_dma_region one[] = {
		{ MAP_CARVEOUT, 0x100000000ULL, SZ_1G },
		{ MAP_CARVEOUT + SZ_1G, 0x140000000ULL,
		  MAP_CARVEOUT_LEN - SZ_1G }, {}
	};
	struct map_test *t = test->priv;
	struct dma_range_cursor cursor;
	struct dma_range_list *ranges;

	t->pdev->dev.dma_range_map = one;
	mock.dma_offset = 0x100000000ULL - MAP_CARVEOUT;
	ranges = map_test_map(t, map_test_list(test, t->carveout,
					       MAP_CARVEOUT + SZ_1G - SZ_4K, 1,
					       SZ_8K, SZ_8K), 0, SZ_8K);
	KUNIT_EXPECT_STREQ(test, dma_range_list_mode(ranges), "window");
	dma_range_cursor_init(&cursor, ranges, 0);
	map_test_expect_range(test, &cursor, 0x140000000ULL - SZ_4K, SZ_8K);
	map_test_expect_end(test, &cursor);
	map_test_unmap(ranges);
}

/* The start of the carve-out is out of reach, a part of it is not. */
static void carveout_bus_reaches_the_middle(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *list;

	t->pdev->dev.dma_range_map = carveout_regions + 1;
	list = map_test_list(test, t->carveout, MAP_CARVEOUT + SZ_1G, 2, SZ_4K,
			     SZ_1M);
	KUNIT_EXPECT_EQ(test, map_test_routes(&t->importer, list), 0);
	map_test_unmap(map_test_map(t, list, 0, 2 * SZ_4K));

	list = carveout_test_list(test);
	KUNIT_EXPECT_EQ(test, map_test_routes(&t->importer, list), -EREMOTEIO);
	map_test_expect_error(t, list, -EREMOTEIO);
}

/* Behind an IOMMU the offsets of the bus do not apply. */
static void carveout_bus_has_offsets_and_iommu(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;

	t->pdev->dev.dma_range_map = carveout_regions + 1;
	mock.iommu = true;
	ranges = map_test_map(t, carveout_test_list(test), 0,
			      CARVEOUT_EXTENTS * SZ_8K);
	KUNIT_EXPECT_STREQ(test, dma_range_list_mode(ranges), "iova");
	map_test_unmap(ranges);
}

static struct kunit_case carveout_test_cases[] = {
	KUNIT_CASE_PARAM(carveout_attributes_of_each_call,
			 carveout_device_gen_params),
	KUNIT_CASE_PARAM(carveout_failed_map, carveout_device_gen_params),
	KUNIT_CASE(carveout_beyond_the_mask),
	KUNIT_CASE(carveout_bounce_is_refused),
	KUNIT_CASE(carveout_bus_has_offsets),
	KUNIT_CASE(carveout_bus_extent_of_two_offsets),
	KUNIT_CASE(carveout_bus_extent_around_another),
	KUNIT_CASE(carveout_bus_has_one_offset),
	KUNIT_CASE(carveout_bus_reaches_the_middle),
	KUNIT_CASE(carveout_bus_has_offsets_and_iommu),
	{}
};

static struct kunit_suite carveout_test_suite = {
	.name = "phyr_map_carveout",
	.init = map_test_init,
	.test_cases = carveout_test_cases,
};

kunit_test_suite(carveout_test_suite);

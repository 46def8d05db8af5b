// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: route.c
 */
#include "redirect.h"
#include "../route.c"
#include "map_fixture.h"

/*
 * Routes
 */

/**
 * struct map_route - a device, a memory and the expected route
 * @name: description
 * @kind: kind of the memory
 * @iommu: the IOMMU layer translates
 * @other_ops: other dma_map_ops translate
 * @bus: the device and the memory are below one switch
 * @incoherent: the device is not coherent
 * @bounce: untranslated DMA bounces
 * @untrusted: the device is an external PCI device
 * @boundary: the IOMMU's page size minus one
 * @mask: DMA mask
 * @ret: expected result
 * @mode: expected mode
 * @attrs: expected DMA_ATTR_*
 * @limit: expected limit
 * @part: the device is expected to reach only a part of the memory
 */
struct map_route {
	const char *name;
	enum phyr_mem_kind kind;
	bool iommu;
	bool other_ops;
	bool bus;
	bool incoherent;
	bool bounce;
	bool untrusted;
	unsigned long boundary;
	u64 mask;
	int ret;
	enum phyr_map_mode mode;
	unsigned long attrs;
	u64 limit;
	bool part;
};

static const struct map_route map_routes[] = {
	{ "P2P bus", PHYR_MEM_P2P, .bus = true, .mask = MAP_ALL_BITS,
	  .mode = PHYR_MAP_BUS, .limit = MAP_ALL_BITS },
	{ "P2P bus with IOMMU", PHYR_MEM_P2P, .iommu = true, .bus = true,
	  .mask = DMA_BIT_MASK(40), .mode = PHYR_MAP_BUS,
	  .limit = DMA_BIT_MASK(40) },
	{ "P2P IOMMU", PHYR_MEM_P2P, .iommu = true, .mask = DMA_BIT_MASK(32),
	  .mode = PHYR_MAP_IOVA, .attrs = PHYR_MMIO_ATTRS,
	  .limit = U64_MAX },
	{ "P2P bus mask below the BAR", PHYR_MEM_P2P, .iommu = true,
	  .bus = true, .mask = DMA_BIT_MASK(30), .ret = -EREMOTEIO },
	{ "P2P bus mask within the BAR", PHYR_MEM_P2P, .iommu = true,
	  .bus = true, .mask = MAP_BAR - SZ_1G + SZ_1M,
	  .mode = PHYR_MAP_BUS, .limit = MAP_BAR - SZ_1G + SZ_1M,
	  .part = true },
	{ "P2P bus mask just enough", PHYR_MEM_P2P, .iommu = true,
	  .bus = true, .mask = MAP_BAR - SZ_1G + MAP_BAR_LEN - 1,
	  .mode = PHYR_MAP_BUS, .limit = MAP_BAR - SZ_1G + MAP_BAR_LEN - 1 },
	{ "P2P other ops", PHYR_MEM_P2P, .other_ops = true,
	  .mask = MAP_ALL_BITS, .ret = -EREMOTEIO },
	{ "P2P bus other ops", PHYR_MEM_P2P, .other_ops = true, .bus = true,
	  .mask = MAP_ALL_BITS, .ret = -EREMOTEIO },
	{ "P2P bounce", PHYR_MEM_P2P, .bounce = true, .mask = MAP_ALL_BITS,
	  .ret = -EREMOTEIO },
	{ "P2P bus bounce", PHYR_MEM_P2P, .bounce = true, .bus = true,
	  .mask = MAP_ALL_BITS, .mode = PHYR_MAP_BUS, .limit = MAP_ALL_BITS },
	{ "P2P IOMMU bounce", PHYR_MEM_P2P, .bounce = true, .iommu = true,
	  .mask = DMA_BIT_MASK(32), .mode = PHYR_MAP_IOVA,
	  .attrs = PHYR_MMIO_ATTRS, .limit = U64_MAX },
	{ "P2P untranslated", PHYR_MEM_P2P, .mask = DMA_BIT_MASK(32),
	  .mode = PHYR_MAP_WINDOW, .attrs = PHYR_MMIO_ATTRS,
	  .limit = DMA_BIT_MASK(32) },
	{ "P2P mask within the BAR", PHYR_MEM_P2P, .mask = MAP_BAR + SZ_1M,
	  .mode = PHYR_MAP_EXTENT, .attrs = PHYR_MMIO_ATTRS,
	  .limit = MAP_BAR + SZ_1M, .part = true },
	{ "P2P mask one byte short", PHYR_MEM_P2P,
	  .mask = MAP_BAR + MAP_BAR_LEN - 2, .mode = PHYR_MAP_EXTENT,
	  .attrs = PHYR_MMIO_ATTRS, .limit = MAP_BAR + MAP_BAR_LEN - 2,
	  .part = true },
	{ "P2P mask just enough", PHYR_MEM_P2P,
	  .mask = MAP_BAR + MAP_BAR_LEN - 1, .mode = PHYR_MAP_WINDOW,
	  .attrs = PHYR_MMIO_ATTRS, .limit = MAP_BAR + MAP_BAR_LEN - 1 },
	{ "P2P mask below the BAR", PHYR_MEM_P2P, .mask = DMA_BIT_MASK(28),
	  .ret = -EREMOTEIO },
	{ "carve-out IOMMU", PHYR_MEM_CARVEOUT, .iommu = true,
	  .mask = DMA_BIT_MASK(32), .mode = PHYR_MAP_IOVA,
	  .attrs = MAP_CARVEOUT_ATTRS | DMA_ATTR_REQUIRE_COHERENT,
	  .limit = U64_MAX },
	{ "carve-out IOMMU incoherent", PHYR_MEM_CARVEOUT, .iommu = true,
	  .incoherent = true, .mask = DMA_BIT_MASK(32), .mode = PHYR_MAP_IOVA,
	  .attrs = MAP_CARVEOUT_ATTRS, .limit = U64_MAX },
	{ "carve-out IOMMU of large pages", PHYR_MEM_CARVEOUT, .iommu = true,
	  .boundary = SZ_64K - 1, .mask = MAP_ALL_BITS,
	  .mode = PHYR_MAP_EXTENT,
	  .attrs = MAP_CARVEOUT_ATTRS | DMA_ATTR_REQUIRE_COHERENT,
	  .limit = U64_MAX },
	{ "carve-out bus is not asked", PHYR_MEM_CARVEOUT, .iommu = true,
	  .bus = true, .mask = MAP_ALL_BITS, .mode = PHYR_MAP_IOVA,
	  .attrs = MAP_CARVEOUT_ATTRS | DMA_ATTR_REQUIRE_COHERENT,
	  .limit = U64_MAX },
	{ "carve-out untranslated", PHYR_MEM_CARVEOUT, .mask = MAP_ALL_BITS,
	  .mode = PHYR_MAP_WINDOW,
	  .attrs = MAP_CARVEOUT_ATTRS | DMA_ATTR_REQUIRE_COHERENT,
	  .limit = MAP_ALL_BITS },
	{ "carve-out untranslated incoherent", PHYR_MEM_CARVEOUT,
	  .incoherent = true, .mask = MAP_ALL_BITS, .mode = PHYR_MAP_WINDOW,
	  .attrs = MAP_CARVEOUT_ATTRS, .limit = MAP_ALL_BITS },
	{ "carve-out mask below", PHYR_MEM_CARVEOUT, .mask = DMA_BIT_MASK(32),
	  .ret = -EREMOTEIO },
	{ "carve-out mask within", PHYR_MEM_CARVEOUT,
	  .mask = MAP_CARVEOUT + SZ_1M, .mode = PHYR_MAP_EXTENT,
	  .attrs = MAP_CARVEOUT_ATTRS | DMA_ATTR_REQUIRE_COHERENT,
	  .limit = MAP_CARVEOUT + SZ_1M, .part = true },
	{ "carve-out mask one byte short", PHYR_MEM_CARVEOUT,
	  .incoherent = true, .mask = MAP_CARVEOUT + MAP_CARVEOUT_LEN - 2,
	  .mode = PHYR_MAP_EXTENT, .attrs = MAP_CARVEOUT_ATTRS,
	  .limit = MAP_CARVEOUT + MAP_CARVEOUT_LEN - 2, .part = true },
	{ "carve-out mask just enough", PHYR_MEM_CARVEOUT,
	  .mask = MAP_CARVEOUT + MAP_CARVEOUT_LEN - 1,
	  .mode = PHYR_MAP_WINDOW,
	  .attrs = MAP_CARVEOUT_ATTRS | DMA_ATTR_REQUIRE_COHERENT,
	  .limit = MAP_CARVEOUT + MAP_CARVEOUT_LEN - 1 },
	{ "carve-out other ops", PHYR_MEM_CARVEOUT, .other_ops = true,
	  .mask = MAP_ALL_BITS, .ret = -EREMOTEIO },
	{ "carve-out bounce", PHYR_MEM_CARVEOUT, .bounce = true,
	  .mask = MAP_ALL_BITS, .ret = -EREMOTEIO },
	{ "carve-out bounce incoherent", PHYR_MEM_CARVEOUT, .bounce = true,
	  .incoherent = true, .mask = MAP_ALL_BITS, .ret = -EREMOTEIO },
	{ "carve-out IOMMU bounce", PHYR_MEM_CARVEOUT, .bounce = true,
	  .iommu = true, .mask = MAP_ALL_BITS, .mode = PHYR_MAP_IOVA,
	  .attrs = MAP_CARVEOUT_ATTRS | DMA_ATTR_REQUIRE_COHERENT,
	  .limit = U64_MAX },
	{ "carve-out untrusted", PHYR_MEM_CARVEOUT, .iommu = true,
	  .untrusted = true, .mask = MAP_ALL_BITS, .mode = PHYR_MAP_IOVA,
	  .attrs = MAP_CARVEOUT_ATTRS | DMA_ATTR_REQUIRE_COHERENT,
	  .limit = U64_MAX },
	{ "carve-out untrusted large pages", PHYR_MEM_CARVEOUT, .iommu = true,
	  .untrusted = true, .boundary = SZ_64K - 1, .mask = MAP_ALL_BITS,
	  .ret = -EREMOTEIO },
	{ "RAM IOMMU", PHYR_MEM_RAM, .iommu = true, .mask = DMA_BIT_MASK(32),
	  .mode = PHYR_MAP_IOVA, .attrs = DMA_ATTR_REQUIRE_COHERENT,
	  .limit = U64_MAX },
	{ "RAM IOMMU of large pages", PHYR_MEM_RAM, .iommu = true,
	  .boundary = SZ_64K - 1, .mask = MAP_ALL_BITS,
	  .mode = PHYR_MAP_EXTENT, .attrs = DMA_ATTR_REQUIRE_COHERENT,
	  .limit = U64_MAX },
	{ "RAM untrusted", PHYR_MEM_RAM, .iommu = true, .untrusted = true,
	  .mask = MAP_ALL_BITS, .mode = PHYR_MAP_IOVA,
	  .attrs = DMA_ATTR_REQUIRE_COHERENT, .limit = U64_MAX },
	{ "RAM untrusted large pages", PHYR_MEM_RAM, .iommu = true,
	  .untrusted = true, .boundary = SZ_64K - 1, .mask = MAP_ALL_BITS,
	  .ret = -EREMOTEIO },
	{ "P2P untrusted large pages", PHYR_MEM_P2P, .iommu = true,
	  .untrusted = true, .boundary = SZ_64K - 1, .mask = MAP_ALL_BITS,
	  .mode = PHYR_MAP_EXTENT, .attrs = PHYR_MMIO_ATTRS,
	  .limit = U64_MAX },
	{ "RAM IOMMU of our pages", PHYR_MEM_RAM, .iommu = true,
	  .boundary = PAGE_SIZE - 1, .mask = MAP_ALL_BITS,
	  .mode = PHYR_MAP_IOVA, .attrs = DMA_ATTR_REQUIRE_COHERENT,
	  .limit = U64_MAX },
	{ "RAM IOMMU incoherent", PHYR_MEM_RAM, .iommu = true,
	  .incoherent = true, .mask = MAP_ALL_BITS, .mode = PHYR_MAP_EXTENT,
	  .limit = U64_MAX },
	{ "P2P IOMMU incoherent", PHYR_MEM_P2P, .iommu = true,
	  .incoherent = true, .mask = MAP_ALL_BITS, .mode = PHYR_MAP_IOVA,
	  .attrs = PHYR_MMIO_ATTRS, .limit = U64_MAX },
	{ "RAM untranslated", PHYR_MEM_RAM, .mask = DMA_BIT_MASK(40),
	  .mode = PHYR_MAP_EXTENT, .attrs = DMA_ATTR_REQUIRE_COHERENT,
	  .limit = DMA_BIT_MASK(40) },
	{ "RAM untranslated incoherent", PHYR_MEM_RAM, .incoherent = true,
	  .mask = DMA_BIT_MASK(40), .mode = PHYR_MAP_EXTENT,
	  .limit = DMA_BIT_MASK(40) },
	{ "RAM in part", PHYR_MEM_RAM, .mask = DMA_BIT_MASK(32),
	  .mode = PHYR_MAP_EXTENT, .attrs = DMA_ATTR_REQUIRE_COHERENT,
	  .limit = DMA_BIT_MASK(32), .part = true },
	{ "RAM other ops", PHYR_MEM_RAM, .other_ops = true,
	  .mask = MAP_ALL_BITS, .ret = -EREMOTEIO },
	{ "RAM bounce", PHYR_MEM_RAM, .bounce = true, .mask = MAP_ALL_BITS,
	  .ret = -EREMOTEIO },
	{ "RAM bounce incoherent", PHYR_MEM_RAM, .bounce = true,
	  .incoherent = true, .mask = MAP_ALL_BITS, .ret = -EREMOTEIO },
	{ "RAM IOMMU bounce", PHYR_MEM_RAM, .bounce = true, .iommu = true,
	  .mask = DMA_BIT_MASK(32), .mode = PHYR_MAP_IOVA,
	  .attrs = DMA_ATTR_REQUIRE_COHERENT, .limit = U64_MAX },
};

static void map_route_desc(const struct map_route *want, char *desc)
{
	strscpy(desc, want->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(map_route, map_routes, map_route_desc);

const void *map_route_params(struct kunit *test, const void *prev, char *desc)
{
	return map_route_gen_params(test, prev, desc);
}

void route_create_decides(struct kunit *test)
{
	const struct map_route *want = test->param_value;
	struct map_test *t = test->priv;
	struct phyr_route *route;

	mock.iommu = want->iommu;
	mock.other_ops = want->other_ops;
	mock.bus = want->bus;
	mock.coherent = !want->incoherent;
	mock.bounce = want->bounce;
	mock.merge_boundary = want->boundary;
	t->pdev->untrusted = want->untrusted;
	mock.required_mask = DMA_BIT_MASK(36);
	t->pdev->dma_mask = want->mask;

	route = map_test_route(&t->attach, map_test_mem(t, want->kind));
	if (want->ret) {
		KUNIT_EXPECT_PTR_EQ(test, route, ERR_PTR(want->ret));
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), 0);
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_ALLOC), 0);
		KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
		/* Only bus addresses could make it reachable. */
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_PROBE),
				want->kind == PHYR_MEM_P2P &&
				(want->bounce || want->bus) &&
				!want->other_ops);
		return;
	}
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, route);

	KUNIT_EXPECT_EQ(test, route->mode, want->mode);
	KUNIT_EXPECT_EQ(test, route->attrs, want->attrs);
	KUNIT_EXPECT_EQ(test, route->limit, want->limit);
	KUNIT_EXPECT_EQ(test, route->whole, !want->part);
	KUNIT_EXPECT_EQ(test, mock_mapped(), want->mode == PHYR_MAP_WINDOW);
	if (want->mode == PHYR_MAP_BUS)
		KUNIT_EXPECT_EQ(test, route->delta, mock.bus_offset);
	phyr_route_destroy(route);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

/* The driver of the device has attached it to a domain of its own. */
void route_create_own_domain(struct kunit *test)
{
	struct iommu_domain domain = { .type = IOMMU_DOMAIN_UNMANAGED };
	struct iommu_domain *const domains[] = { &domain, NULL };
	struct map_test *t = test->priv;
	unsigned int i;
	int kind;

	mock.iommu = true;
	for (i = 0; i < ARRAY_SIZE(domains); i++) {
		mock.domain = domains[i];
		for (kind = PHYR_MEM_RAM; kind <= PHYR_MEM_CARVEOUT; kind++)
			KUNIT_EXPECT_PTR_EQ(test,
					    map_test_route(&t->attach,
							   map_test_mem(t, kind)),
					    ERR_PTR(-EREMOTEIO));
	}
	map_test_expect_untouched(test);
}

void route_create_without_mask(struct kunit *test)
{
	struct map_test *t = test->priv;
	int kind;

	t->pdev->dev.dma_mask = NULL;
	for (kind = PHYR_MEM_RAM; kind <= PHYR_MEM_CARVEOUT; kind++)
		KUNIT_EXPECT_PTR_EQ(test,
				    map_test_route(&t->attach,
						   map_test_mem(t, kind)),
				    ERR_PTR(-EINVAL));
	map_test_expect_untouched(test);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_DISTANCE), 0);
}

void route_create_bus_dma_limit(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_route *route;

	t->pdev->dev.bus_dma_limit = DMA_BIT_MASK(36);
	route = map_test_route(&t->attach, t->ram);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, route);
	KUNIT_EXPECT_EQ(test, route->limit, DMA_BIT_MASK(36));
	phyr_route_destroy(route);

	/* The smaller of mask and bus limit applies. */
	t->pdev->dma_mask = DMA_BIT_MASK(32);
	route = map_test_route(&t->attach, t->ram);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, route);
	KUNIT_EXPECT_EQ(test, route->limit, DMA_BIT_MASK(32));
	phyr_route_destroy(route);

	KUNIT_EXPECT_PTR_EQ(test, map_test_route(&t->attach, t->carveout),
			    ERR_PTR(-EREMOTEIO));
}

void route_create_no_memory(struct kunit *test)
{
	struct map_test *t = test->priv;

	mock_fail(MOCK_ALLOC, 1, -ENOMEM);
	KUNIT_EXPECT_PTR_EQ(test, map_test_route(&t->attach, t->ram),
			    ERR_PTR(-ENOMEM));
	map_test_expect_untouched(test);
}

void route_create_without_lock(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_route *route;

	if (!IS_ENABLED(CONFIG_PROVE_LOCKING))
		kunit_skip(test, "lockdep is needed to see it");

	kunit_warning_suppress(test) {
		route = phyr_route_create(&t->attach, t->ram);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, route);
	phyr_route_destroy(route);
}

void route_create_holds_its_memory(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_route *route;

	route = map_test_route(&t->attach, t->carveout);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, route);
	KUNIT_EXPECT_EQ(test, kref_read(&t->carveout->ref), 2);
	phyr_route_destroy(route);
	KUNIT_EXPECT_EQ(test, kref_read(&t->carveout->ref), 1);

	/* A failed route holds no reference. */
	t->pdev->dma_mask = DMA_BIT_MASK(32);
	KUNIT_EXPECT_PTR_EQ(test, map_test_route(&t->attach, t->carveout),
			    ERR_PTR(-EREMOTEIO));
	KUNIT_EXPECT_EQ(test, kref_read(&t->carveout->ref), 1);
}

/*
 * Probe for bus addresses
 */

/* Attachments of a device share the answer, as long as one has a route. */
void probe_bus_once_for_all_routes(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_route *first, *second;
	int bus;

	for (bus = 0; bus < 2; bus++) {
		mock.bus = bus;
		mock_forget();
		first = map_test_route(&t->attach, t->p2p);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, first);
		second = map_test_route(&t->attach, t->p2p);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, second);
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_DISTANCE), 1);
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_PROBE), 1);
		KUNIT_EXPECT_EQ(test, second->mode, first->mode);
		phyr_route_destroy(first);

		/* What the mask forbids is decided for each of them. */
		t->pdev->dma_mask = DMA_BIT_MASK(28);
		KUNIT_EXPECT_PTR_EQ(test, map_test_route(&t->attach, t->p2p),
				    ERR_PTR(-EREMOTEIO));
		t->pdev->dma_mask = MAP_ALL_BITS;
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_DISTANCE), 1);
		phyr_route_destroy(second);
		KUNIT_EXPECT_TRUE(test, list_empty(&t->p2p->peers));
	}
}

void probe_bus_asks_the_distance_each_time(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_route *route;
	int i;

	for (i = 1; i <= 3; i++) {
		route = map_test_route(&t->attach, t->p2p);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, route);
		phyr_route_destroy(route);
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_DISTANCE), i);
		KUNIT_EXPECT_LT(test, mock_index(MOCK_DISTANCE, i),
				mock_index(MOCK_PROBE, i));
	}
}

void probe_bus_distance_negative(struct kunit *test)
{
	struct map_test *t = test->priv;

	mock.distance = -1;
	KUNIT_EXPECT_PTR_EQ(test, map_test_route(&t->attach, t->p2p),
			    ERR_PTR(-EREMOTEIO));
	map_test_expect_untouched(test);

	/* A carve-out is not peer memory. */
	KUNIT_EXPECT_EQ(test, map_test_routes(&t->importer,
					      map_test_list(test, t->carveout,
							    MAP_CARVEOUT, 1,
							    SZ_4K, SZ_4K)), 0);
}

void probe_bus_device_not_on_pci(struct kunit *test)
{
	struct map_test *t = test->priv;

	t->attach.dev = mock_device(test, "platform", MAP_ALL_BITS);
	KUNIT_EXPECT_PTR_EQ(test, map_test_route(&t->attach, t->p2p),
			    ERR_PTR(-EREMOTEIO));
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_DISTANCE), 0);
	map_test_expect_untouched(test);
}

/* Two root buses: the kernel always chooses the host bridge. */
void probe_bus_no_common_bridge(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_route *route;

	t->pdev->bus = mock_pci_bus(test, NULL);
	mock.bus = true;
	mock.iommu = true;
	route = map_test_route(&t->attach, t->p2p);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, route);
	KUNIT_EXPECT_EQ(test, route->mode, PHYR_MAP_IOVA);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_DISTANCE), 1);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_PROBE), 0);
	phyr_route_destroy(route);
}

/* The common bridge may be several levels up, or one of the devices. */
void probe_bus_common_bridge_far_up(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_route *route;
	struct pci_dev *bridge;

	bridge = mock_pci_dev(test, "port", t->bus, MAP_ALL_BITS);
	bridge = mock_pci_dev(test, "port2", mock_pci_bus(test, bridge),
			      MAP_ALL_BITS);
	t->pdev->bus = mock_pci_bus(test, bridge);
	mock.bus = true;
	route = map_test_route(&t->attach, t->p2p);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, route);
	KUNIT_EXPECT_EQ(test, route->mode, PHYR_MAP_BUS);
	phyr_route_destroy(route);

	t->owner->bus = mock_pci_bus(test, NULL);
	t->attach.dev = &t->owner->dev;
	route = map_test_route(&t->attach, t->p2p);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, route);
	KUNIT_EXPECT_EQ(test, route->mode, PHYR_MAP_BUS);
	phyr_route_destroy(route);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_PROBE), 2);
}

/* The probe maps one page to the device, with PHYR_BUS_MARK as address. */
void probe_bus_maps_one_page_to_the_mark(struct kunit *test)
{
	const struct mock_entry *probe, *end;
	struct map_test *t = test->priv;
	struct phyr_route *route;

	route = map_test_route(&t->attach, t->p2p);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, route);
	phyr_route_destroy(route);

	probe = mock_nth(MOCK_PROBE, 1);
	KUNIT_EXPECT_PTR_EQ(test, probe->who, &t->pdev->dev);
	KUNIT_EXPECT_EQ(test, probe->phys, MAP_BAR);
	KUNIT_EXPECT_EQ(test, probe->dma, BIT_ULL(63));
	KUNIT_EXPECT_EQ(test, probe->len, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, probe->dir, DMA_TO_DEVICE);
	end = mock_nth(MOCK_PROBE_END, 1);
	KUNIT_EXPECT_EQ(test, end->dma, MAP_BAR);
	KUNIT_EXPECT_EQ(test, end->dir, DMA_TO_DEVICE);
}

void probe_bus_releases_its_table(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_route *route;

	mock.bus = true;
	route = map_test_route(&t->attach, t->p2p);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, route);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_PROBE_END), 1);
	phyr_route_destroy(route);

	mock.bus = false;
	route = map_test_route(&t->attach, t->p2p);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, route);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_PROBE_END), 2);
	phyr_route_destroy(route);
}

void probe_bus_errors(struct kunit *test)
{
	/* The kernel returns -EINVAL if it cannot map at all. */
	static const int errors[][2] = {
		{ -EINVAL, -EREMOTEIO },
		{ -ENOMEM, -ENOMEM },
		{ -EIO, -EIO },
	};
	struct map_test *t = test->priv;
	int i;

	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		mock_fail(MOCK_PROBE, 1, errors[i][0]);
		KUNIT_EXPECT_PTR_EQ(test, map_test_route(&t->attach, t->p2p),
				    ERR_PTR(errors[i][1]));
	}
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_PROBE_END), 0);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

/*
 * Windows
 */

void window_is_shared_by_attachments(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_attachment *second;
	struct phyr_list *list;

	second = kunit_kzalloc(test, sizeof(*second), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, second);
	map_test_importer(test, t, second, &t->attach, &t->pdev->dev);
	list = map_test_list(test, t->p2p, MAP_BAR, 2, SZ_4K, SZ_8K);

	KUNIT_EXPECT_EQ(test, map_test_routes(&t->importer, list), 0);
	KUNIT_EXPECT_EQ(test, map_test_routes(second, list), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), 1);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_MAP, 1)->phys, MAP_BAR);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_MAP, 1)->len, MAP_BAR_LEN);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_MAP, 1)->dir, DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_MAP, 1)->attrs, PHYR_MMIO_ATTRS);

	map_test_drop_routes(&t->importer);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_UNMAP), 0);
	map_test_drop_routes(second);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_UNMAP), 1);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

void window_is_one_per_device(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_buf_attachment attach = { .dmabuf = &t->dmabuf };
	struct phyr_route *first, *second;

	attach.dev = &mock_pci_dev(test, "second", t->bus, MAP_ALL_BITS)->dev;
	first = map_test_route(&t->attach, t->p2p);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, first);
	second = map_test_route(&attach, t->p2p);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, second);

	KUNIT_EXPECT_PTR_NE(test, first->window, second->window);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 2);
	KUNIT_EXPECT_PTR_EQ(test, mock_nth(MOCK_MAP, 2)->who, attach.dev);
	phyr_route_destroy(first);
	KUNIT_EXPECT_PTR_EQ(test, mock_nth(MOCK_UNMAP, 1)->who,
			    &t->pdev->dev);
	phyr_route_destroy(second);
}

void window_fails_to_map(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_route *route;

	mock_fail(MOCK_MAP, 1, -ENOMEM);
	KUNIT_EXPECT_PTR_EQ(test, map_test_route(&t->attach, t->carveout),
			    ERR_PTR(-EREMOTEIO));
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_UNMAP), 0);

	/* The failed window is not kept. */
	route = map_test_route(&t->attach, t->carveout);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, route);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), 2);
	phyr_route_destroy(route);
}

void window_no_memory(struct kunit *test)
{
	struct map_test *t = test->priv;

	/* The first allocates the route, the second the window. */
	mock_fail(MOCK_ALLOC, 2, -ENOMEM);
	KUNIT_EXPECT_PTR_EQ(test, map_test_route(&t->attach, t->carveout),
			    ERR_PTR(-ENOMEM));
	map_test_expect_untouched(test);
}

/*
 * Lists of routes
 */

void route_list_decides_once_per_memory(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *list = map_test_list_new(test);

	map_test_append(test, list, t->p2p, MAP_BAR, 6, SZ_4K, SZ_8K);
	map_test_append(test, list, t->ram, MAP_RAM, 2, SZ_4K, SZ_8K);
	map_test_append(test, list, t->p2p, MAP_BAR + SZ_1M, 1, SZ_4K, SZ_8K);
	KUNIT_ASSERT_EQ(test, phyr_list_finish(list, 9 * SZ_4K, "test"), 0);

	KUNIT_EXPECT_EQ(test, map_test_routes(&t->importer, list), 0);
	KUNIT_EXPECT_EQ(test, list_count_nodes(&t->importer.routes), 2);
	KUNIT_EXPECT_EQ(test, map_test_routes(&t->importer, list), 0);
	KUNIT_EXPECT_EQ(test, list_count_nodes(&t->importer.routes), 2);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_DISTANCE), 1);
}

void route_list_second_memory_out_of_reach(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *list = map_test_list_new(test);

	map_test_append(test, list, t->ram, MAP_RAM, 1, SZ_4K, SZ_4K);
	map_test_append(test, list, t->p2p, MAP_BAR, 1, SZ_4K, SZ_4K);
	KUNIT_ASSERT_EQ(test, phyr_list_finish(list, 2 * SZ_4K, "test"), 0);

	mock.distance = -1;
	KUNIT_EXPECT_EQ(test, map_test_routes(&t->importer, list), -EREMOTEIO);
	map_test_expect_untouched(test);
}

/* A route to the memory is not enough: the mask may end before an extent. */
void route_list_extent_out_of_reach(struct kunit *test)
{
	static const u64 masks[] = {
		MAP_BAR + SZ_1M - 1,		/* just before the last */
		MAP_BAR + SZ_1M + SZ_4K - 2,	/* inside the last */
		MAP_BAR + SZ_1M + SZ_4K - 1,	/* just enough */
	};
	struct map_test *t = test->priv;
	struct phyr_list *list = map_test_list_new(test);
	int i;

	map_test_append(test, list, t->p2p, MAP_BAR, 5, SZ_4K, SZ_8K);
	map_test_append(test, list, t->p2p, MAP_BAR + SZ_1M, 1, SZ_4K, SZ_4K);
	KUNIT_ASSERT_EQ(test, phyr_list_finish(list, 6 * SZ_4K, "test"), 0);

	for (i = 0; i < ARRAY_SIZE(masks); i++) {
		t->pdev->dma_mask = masks[i];
		KUNIT_EXPECT_EQ(test, map_test_routes(&t->importer, list),
				i < 2 ? -EREMOTEIO : 0);
		KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
		map_test_drop_routes(&t->importer);
	}
}

void route_name_of_what_was_decided(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *bar, *ram;

	bar = map_test_list(test, t->p2p, MAP_BAR, 1, SZ_4K, SZ_4K);
	ram = map_test_list(test, t->ram, MAP_RAM, 1, SZ_4K, SZ_4K);

	KUNIT_EXPECT_STREQ(test, phyr_route_name(&t->importer), "-");
	/* A memory that the buffer may move to is not in use. */
	dma_resv_lock(&t->resv, NULL);
	KUNIT_EXPECT_EQ(test, phyr_route_mem(&t->importer, t->ram), 1);
	dma_resv_unlock(&t->resv);
	KUNIT_EXPECT_STREQ(test, phyr_route_name(&t->importer), "-");
	KUNIT_EXPECT_EQ(test, map_test_routes(&t->importer, bar), 0);
	KUNIT_EXPECT_STREQ(test, phyr_route_name(&t->importer), "window");
	KUNIT_EXPECT_EQ(test, map_test_routes(&t->importer, ram), 0);
	KUNIT_EXPECT_STREQ(test, phyr_route_name(&t->importer), "mixed");
	t->importer.kind = PHYR_KIND_FROM_STOCK;
	KUNIT_EXPECT_STREQ(test, phyr_route_name(&t->importer), "sgt");
}

/* A full address space has one errno, however the memory is mapped. */
void map_extents_no_iova_space(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *list;

	mock.iommu = true;
	mock.coherent = false;
	list = map_test_list(test, t->ram, MAP_RAM, 12, SZ_4K, SZ_8K);
	mock_fail(MOCK_MAP, 7, -ENOMEM);
	map_test_expect_error(t, list, -ENOSPC);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), 7);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_ALLOC), 0);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: map.c, routes and mappings against a mocked DMA API
 *
 * The fixture has one memory of each kind and one PCI importer. A dma-buf is
 * needed for its reservation lock only.
 */
#include "redirect.h"
#include "../map.c"

#define MAP_BAR		0xc0000000ULL		/* below 4 GiB */
#define MAP_BAR_LEN	(256ULL * SZ_1M)
#define MAP_MMIO	0x2000000000ULL
#define MAP_MMIO_LEN	(64ULL * SZ_1G)
#define MAP_RAM		0x100000000ULL
#define MAP_ALL_BITS	(~0ULL)

struct map_test {
	struct kunit *test;
	struct pci_bus *bus;
	struct pci_dev *owner;
	struct pci_dev *pdev;
	struct dma_buf dmabuf;
	struct dma_resv resv;
	struct dma_buf_attachment attach;
	struct phyr_attachment importer;
	struct phyr_mem *p2p;
	struct phyr_mem *mmio;
	struct phyr_mem *ram;
};

static void map_test_resv_end(void *resv)
{
	dma_resv_fini(resv);
}

static void map_test_forget_routes(void *data)
{
	struct phyr_attachment *importer = data;
	struct phyr_route *route, *next;

	list_for_each_entry_safe(route, next, &importer->routes, node) {
		list_del(&route->node);
		phyr_route_destroy(route);
	}
}

static void map_test_put_mem(void *mem)
{
	phyr_mem_put(mem);
}

static struct phyr_mem *map_test_keep(struct kunit *test, struct phyr_mem *mem)
{
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mem);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, map_test_put_mem,
							mem), 0);
	return mem;
}

static void map_test_importer(struct kunit *test, struct map_test *t,
			      struct phyr_attachment *importer,
			      struct dma_buf_attachment *attach,
			      struct device *dev)
{
	attach->dmabuf = &t->dmabuf;
	attach->dev = dev;
	importer->attach = attach;
	INIT_LIST_HEAD(&importer->routes);
	INIT_LIST_HEAD(&importer->mappings);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test,
							map_test_forget_routes,
							importer), 0);
}

/* A bridge, the owner of the memory and the importer below it. */
static int map_test_init(struct kunit *test)
{
	struct pci_bus *root;
	struct pci_dev *bridge;
	struct map_test *t;
	int ret;

	ret = mock_init(test);
	if (ret)
		return ret;
	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	if (!t)
		return -ENOMEM;
	test->priv = t;
	t->test = test;

	root = mock_pci_bus(test, NULL);
	bridge = mock_pci_dev(test, "bridge", root, MAP_ALL_BITS);
	t->bus = mock_pci_bus(test, bridge);
	t->owner = mock_pci_dev(test, "owner", t->bus, MAP_ALL_BITS);
	t->pdev = mock_pci_dev(test, "importer", t->bus, MAP_ALL_BITS);
	mock_pci_bar(t->owner, 2, MAP_BAR, MAP_BAR_LEN);

	mock.bus_offset = -SZ_1G;
	t->p2p = map_test_keep(test, phyr_mem_create_p2p(t->owner, 2,
							 PHYR_MEM_WC));
	t->mmio = map_test_keep(test, phyr_mem_create_mmio(MAP_MMIO,
							   MAP_MMIO_LEN,
							   PHYR_MEM_WC));
	t->ram = map_test_keep(test, phyr_mem_create_ram());

	dma_resv_init(&t->resv);
	ret = kunit_add_action_or_reset(test, map_test_resv_end, &t->resv);
	if (ret)
		return ret;
	t->dmabuf.resv = &t->resv;
	map_test_importer(test, t, &t->importer, &t->attach, &t->pdev->dev);
	mock_forget();
	return 0;
}

static void map_test_put_list(void *list)
{
	phyr_list_put(list);
}

static struct phyr_list *map_test_list_new(struct kunit *test)
{
	struct phyr_list *list = phyr_list_create();

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, map_test_put_list,
							list), 0);
	return list;
}

static void map_test_append(struct kunit *test, struct phyr_list *list,
			    struct phyr_mem *mem, u64 start, unsigned int nr,
			    u64 len, u64 stride)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		KUNIT_ASSERT_EQ(test, phyr_list_append(list, mem,
						       start + i * stride,
						       len), 0);
}

/* @nr extents of @len bytes, a @stride apart. */
static struct phyr_list *map_test_list(struct kunit *test, struct phyr_mem *mem,
				       u64 start, unsigned int nr, u64 len,
				       u64 stride)
{
	struct phyr_list *list = map_test_list_new(test);

	map_test_append(test, list, mem, start, nr, len, stride);
	KUNIT_ASSERT_EQ(test, phyr_list_finish(list, nr * len, "test"), 0);
	mock_forget();
	return list;
}

/*
 * The calls that want the reservation lock. Each takes it for itself: a case
 * that ends early is cleaned up by another thread.
 */

static struct phyr_route *map_test_route(struct dma_buf_attachment *attach,
					 struct phyr_mem *mem)
{
	struct phyr_route *route;

	dma_resv_lock(attach->dmabuf->resv, NULL);
	route = phyr_route_create(attach, mem);
	dma_resv_unlock(attach->dmabuf->resv);
	return route;
}

static int map_test_routes(struct phyr_attachment *importer,
			   struct phyr_list *list)
{
	int ret;

	dma_resv_lock(importer->attach->dmabuf->resv, NULL);
	ret = phyr_route_list(importer, list);
	dma_resv_unlock(importer->attach->dmabuf->resv);
	return ret;
}

static struct dma_range_list *
map_test_map_list(struct phyr_attachment *importer, struct phyr_list *list,
		  u64 offset, u64 len, enum dma_data_direction dir)
{
	struct dma_range_list *ranges;

	dma_resv_lock(importer->attach->dmabuf->resv, NULL);
	ranges = phyr_map_list(importer, list, offset, len, dir);
	dma_resv_unlock(importer->attach->dmabuf->resv);
	return ranges;
}

static struct dma_range_list *map_test_map(struct map_test *t,
					   struct phyr_list *list, u64 offset,
					   u64 len)
{
	struct dma_range_list *ranges;

	ranges = map_test_map_list(&t->importer, list, offset, len,
				   DMA_FROM_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(t->test, ranges);
	KUNIT_EXPECT_EQ(t->test, dma_range_list_len(ranges), len);
	return ranges;
}

static void map_test_unmap(struct dma_range_list *ranges)
{
	dma_range_list_unmap(ranges);
	dma_range_list_free(ranges);
}

/* The next range is @addr and @len, taken at once or not. */
static void map_test_expect_range(struct kunit *test,
				  struct dma_range_cursor *cursor, u64 addr,
				  u64 len)
{
	struct dma_range range;

	KUNIT_ASSERT_EQ(test, dma_range_next(cursor, &range, 1), 1);
	KUNIT_EXPECT_EQ(test, range.addr, addr);
	KUNIT_EXPECT_EQ(test, range.len, len);
}

static void map_test_expect_end(struct kunit *test,
				struct dma_range_cursor *cursor)
{
	struct dma_range range;

	KUNIT_EXPECT_EQ(test, dma_range_next(cursor, &range, 1), 0);
}

/* No call of the DMA API that maps anything. */
static void map_test_expect_untouched(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_ALLOC), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_PROBE), 0);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

static void map_test_expect_error(struct map_test *t, struct phyr_list *list,
				  int err)
{
	struct dma_range_list *ranges;

	ranges = map_test_map_list(&t->importer, list, 0, phyr_list_size(list),
				   DMA_FROM_DEVICE);
	KUNIT_EXPECT_PTR_EQ(t->test, ranges, ERR_PTR(err));
}

/*
 * Routes
 */

/**
 * struct map_route - what a device finds, and what is to be decided
 * @name: for the log
 * @kind: kind of the memory
 * @iommu: the IOMMU layer translates
 * @other_ops: other dma_map_ops do
 * @bus: below one switch
 * @incoherent: the device is not coherent
 * @boundary: the IOMMU's page size less one
 * @mask: DMA mask
 * @ret: what the decision returns
 * @mode: what it is
 * @attrs: DMA_ATTR_* of mappings
 * @limit: highest address
 */
struct map_route {
	const char *name;
	enum phyr_mem_kind kind;
	bool iommu;
	bool other_ops;
	bool bus;
	bool incoherent;
	unsigned long boundary;
	u64 mask;
	int ret;
	enum phyr_map_mode mode;
	unsigned long attrs;
	u64 limit;
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
	{ "P2P other ops", PHYR_MEM_P2P, .other_ops = true,
	  .mask = DMA_BIT_MASK(32), .mode = PHYR_MAP_EXTENT,
	  .attrs = PHYR_MMIO_ATTRS, .limit = U64_MAX },
	{ "P2P untranslated", PHYR_MEM_P2P, .mask = DMA_BIT_MASK(32),
	  .mode = PHYR_MAP_WINDOW, .attrs = PHYR_MMIO_ATTRS,
	  .limit = DMA_BIT_MASK(32) },
	{ "P2P mask within the BAR", PHYR_MEM_P2P, .mask = MAP_BAR + SZ_1M,
	  .mode = PHYR_MAP_EXTENT, .attrs = PHYR_MMIO_ATTRS,
	  .limit = MAP_BAR + SZ_1M },
	{ "P2P mask one byte short", PHYR_MEM_P2P,
	  .mask = MAP_BAR + MAP_BAR_LEN - 2, .mode = PHYR_MAP_EXTENT,
	  .attrs = PHYR_MMIO_ATTRS, .limit = MAP_BAR + MAP_BAR_LEN - 2 },
	{ "P2P mask just enough", PHYR_MEM_P2P,
	  .mask = MAP_BAR + MAP_BAR_LEN - 1, .mode = PHYR_MAP_WINDOW,
	  .attrs = PHYR_MMIO_ATTRS, .limit = MAP_BAR + MAP_BAR_LEN - 1 },
	{ "P2P mask below the BAR", PHYR_MEM_P2P, .mask = DMA_BIT_MASK(28),
	  .ret = -EREMOTEIO },
	{ "MMIO IOMMU", PHYR_MEM_MMIO, .iommu = true,
	  .mask = DMA_BIT_MASK(32), .mode = PHYR_MAP_IOVA,
	  .attrs = PHYR_MMIO_ATTRS, .limit = U64_MAX },
	{ "MMIO bus is not asked", PHYR_MEM_MMIO, .iommu = true, .bus = true,
	  .mask = MAP_ALL_BITS, .mode = PHYR_MAP_IOVA,
	  .attrs = PHYR_MMIO_ATTRS, .limit = U64_MAX },
	{ "MMIO untranslated", PHYR_MEM_MMIO, .mask = MAP_ALL_BITS,
	  .mode = PHYR_MAP_WINDOW, .attrs = PHYR_MMIO_ATTRS,
	  .limit = MAP_ALL_BITS },
	{ "MMIO mask too short", PHYR_MEM_MMIO, .mask = DMA_BIT_MASK(32),
	  .ret = -EREMOTEIO },
	{ "RAM IOMMU", PHYR_MEM_RAM, .iommu = true, .mask = DMA_BIT_MASK(32),
	  .mode = PHYR_MAP_IOVA, .attrs = DMA_ATTR_REQUIRE_COHERENT,
	  .limit = U64_MAX },
	{ "RAM IOMMU of large pages", PHYR_MEM_RAM, .iommu = true,
	  .boundary = SZ_64K - 1, .mask = MAP_ALL_BITS,
	  .mode = PHYR_MAP_EXTENT, .attrs = DMA_ATTR_REQUIRE_COHERENT,
	  .limit = U64_MAX },
	{ "RAM IOMMU of our pages", PHYR_MEM_RAM, .iommu = true,
	  .boundary = PAGE_SIZE - 1, .mask = MAP_ALL_BITS,
	  .mode = PHYR_MAP_IOVA, .attrs = DMA_ATTR_REQUIRE_COHERENT,
	  .limit = U64_MAX },
	{ "RAM IOMMU incoherent", PHYR_MEM_RAM, .iommu = true,
	  .incoherent = true, .mask = MAP_ALL_BITS, .mode = PHYR_MAP_IOVA,
	  .limit = U64_MAX },
	{ "RAM untranslated", PHYR_MEM_RAM, .mask = DMA_BIT_MASK(40),
	  .mode = PHYR_MAP_EXTENT, .attrs = DMA_ATTR_REQUIRE_COHERENT,
	  .limit = DMA_BIT_MASK(40) },
	{ "RAM untranslated incoherent", PHYR_MEM_RAM, .incoherent = true,
	  .mask = DMA_BIT_MASK(40), .mode = PHYR_MAP_EXTENT,
	  .limit = DMA_BIT_MASK(40) },
	{ "RAM other ops", PHYR_MEM_RAM, .other_ops = true,
	  .mask = DMA_BIT_MASK(32), .mode = PHYR_MAP_EXTENT,
	  .attrs = DMA_ATTR_REQUIRE_COHERENT, .limit = U64_MAX },
};

static void map_route_desc(const struct map_route *want, char *desc)
{
	strscpy(desc, want->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(map_route, map_routes, map_route_desc);

static struct phyr_mem *map_test_mem(struct map_test *t,
				     enum phyr_mem_kind kind)
{
	return kind == PHYR_MEM_P2P ? t->p2p :
	       kind == PHYR_MEM_MMIO ? t->mmio : t->ram;
}

static void route_create_decides(struct kunit *test)
{
	const struct map_route *want = test->param_value;
	struct map_test *t = test->priv;
	struct phyr_route *route;

	mock.iommu = want->iommu;
	mock.other_ops = want->other_ops;
	mock.bus = want->bus;
	mock.coherent = !want->incoherent;
	mock.merge_boundary = want->boundary;
	t->pdev->dma_mask = want->mask;

	route = map_test_route(&t->attach, map_test_mem(t, want->kind));
	if (want->ret) {
		KUNIT_EXPECT_PTR_EQ(test, route, ERR_PTR(want->ret));
		map_test_expect_untouched(test);
		return;
	}
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, route);

	KUNIT_EXPECT_EQ(test, route->mode, want->mode);
	KUNIT_EXPECT_EQ(test, route->attrs, want->attrs);
	KUNIT_EXPECT_EQ(test, route->limit, want->limit);
	KUNIT_EXPECT_EQ(test, mock_mapped(), want->mode == PHYR_MAP_WINDOW);
	if (want->mode == PHYR_MAP_BUS)
		KUNIT_EXPECT_EQ(test, route->delta, mock.bus_offset);
	phyr_route_destroy(route);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

static void route_create_without_mask(struct kunit *test)
{
	struct map_test *t = test->priv;
	int kind;

	t->pdev->dev.dma_mask = NULL;
	for (kind = PHYR_MEM_RAM; kind <= PHYR_MEM_MMIO; kind++)
		KUNIT_EXPECT_PTR_EQ(test,
				    map_test_route(&t->attach,
						   map_test_mem(t, kind)),
				    ERR_PTR(-EINVAL));
	map_test_expect_untouched(test);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_DISTANCE), 0);
}

static void route_create_bus_dma_limit(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_route *route;

	t->pdev->dev.bus_dma_limit = DMA_BIT_MASK(36);
	route = map_test_route(&t->attach, t->ram);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, route);
	KUNIT_EXPECT_EQ(test, route->limit, DMA_BIT_MASK(36));
	phyr_route_destroy(route);

	/* Where the mask is the shorter one, it counts. */
	t->pdev->dma_mask = DMA_BIT_MASK(32);
	route = map_test_route(&t->attach, t->ram);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, route);
	KUNIT_EXPECT_EQ(test, route->limit, DMA_BIT_MASK(32));
	phyr_route_destroy(route);

	KUNIT_EXPECT_PTR_EQ(test, map_test_route(&t->attach, t->mmio),
			    ERR_PTR(-EREMOTEIO));
}

static void route_create_no_memory(struct kunit *test)
{
	struct map_test *t = test->priv;

	mock_fail(MOCK_ALLOC, 1, -ENOMEM);
	KUNIT_EXPECT_PTR_EQ(test, map_test_route(&t->attach, t->ram),
			    ERR_PTR(-ENOMEM));
	map_test_expect_untouched(test);
}

static void route_create_without_lock(struct kunit *test)
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

static void route_create_holds_its_memory(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_route *route;

	route = map_test_route(&t->attach, t->mmio);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, route);
	KUNIT_EXPECT_EQ(test, kref_read(&t->mmio->ref), 2);
	phyr_route_destroy(route);
	KUNIT_EXPECT_EQ(test, kref_read(&t->mmio->ref), 1);

	/* A route that was not taken holds nothing. */
	t->pdev->dma_mask = DMA_BIT_MASK(32);
	KUNIT_EXPECT_PTR_EQ(test, map_test_route(&t->attach, t->mmio),
			    ERR_PTR(-EREMOTEIO));
	KUNIT_EXPECT_EQ(test, kref_read(&t->mmio->ref), 1);
}

/*
 * The question whether peer traffic stays below a switch
 */

static void probe_bus_asks_the_distance_each_time(struct kunit *test)
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

static void probe_bus_distance_negative(struct kunit *test)
{
	struct map_test *t = test->priv;

	mock.distance = -1;
	KUNIT_EXPECT_PTR_EQ(test, map_test_route(&t->attach, t->p2p),
			    ERR_PTR(-EREMOTEIO));
	map_test_expect_untouched(test);

	/* Memory behind the memory controller is nobody's peer. */
	KUNIT_EXPECT_EQ(test, map_test_routes(&t->importer,
					      map_test_list(test, t->mmio,
							    MAP_MMIO, 1, SZ_4K,
							    SZ_4K)), 0);
}

static void probe_bus_device_not_on_pci(struct kunit *test)
{
	struct map_test *t = test->priv;

	t->attach.dev = mock_device(test, "platform", MAP_ALL_BITS);
	KUNIT_EXPECT_PTR_EQ(test, map_test_route(&t->attach, t->p2p),
			    ERR_PTR(-EREMOTEIO));
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_DISTANCE), 0);
	map_test_expect_untouched(test);
}

/* Each on a root bus of its own: the kernel's own choice is host bridge. */
static void probe_bus_no_common_bridge(struct kunit *test)
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

/* The common bridge may be several levels up, or one of the two itself. */
static void probe_bus_common_bridge_far_up(struct kunit *test)
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

/* One page towards the device, through a provider that leads to the mark. */
static void probe_bus_maps_one_page_to_the_mark(struct kunit *test)
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

static void probe_bus_releases_its_table(struct kunit *test)
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

static void probe_bus_errors(struct kunit *test)
{
	/* The kernel says -EINVAL where it would not map at all. */
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

static void window_is_shared_by_attachments(struct kunit *test)
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

	map_test_forget_routes(&t->importer);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_UNMAP), 0);
	map_test_forget_routes(second);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_UNMAP), 1);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

static void window_is_one_per_device(struct kunit *test)
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

static void window_fails_to_map(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_route *route;

	mock_fail(MOCK_MAP, 1, -ENOMEM);
	KUNIT_EXPECT_PTR_EQ(test, map_test_route(&t->attach, t->mmio),
			    ERR_PTR(-EREMOTEIO));
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_UNMAP), 0);

	/* And is not remembered as if it had. */
	route = map_test_route(&t->attach, t->mmio);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, route);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), 2);
	phyr_route_destroy(route);
}

static void window_no_memory(struct kunit *test)
{
	struct map_test *t = test->priv;

	/* The route, then the window. */
	mock_fail(MOCK_ALLOC, 2, -ENOMEM);
	KUNIT_EXPECT_PTR_EQ(test, map_test_route(&t->attach, t->mmio),
			    ERR_PTR(-ENOMEM));
	map_test_expect_untouched(test);
}

/*
 * Lists of routes
 */

static void route_list_decides_once_per_memory(struct kunit *test)
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

static void route_list_second_memory_out_of_reach(struct kunit *test)
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

static void route_name_of_what_was_decided(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *bar, *ram;

	bar = map_test_list(test, t->p2p, MAP_BAR, 1, SZ_4K, SZ_4K);
	ram = map_test_list(test, t->ram, MAP_RAM, 1, SZ_4K, SZ_4K);

	KUNIT_EXPECT_STREQ(test, phyr_route_name(&t->importer), "-");
	KUNIT_EXPECT_EQ(test, map_test_routes(&t->importer, bar), 0);
	KUNIT_EXPECT_STREQ(test, phyr_route_name(&t->importer), "window");
	KUNIT_EXPECT_EQ(test, map_test_routes(&t->importer, ram), 0);
	KUNIT_EXPECT_STREQ(test, phyr_route_name(&t->importer), "mixed");
	t->importer.way = PHYR_WAY_FROM_STOCK;
	KUNIT_EXPECT_STREQ(test, phyr_route_name(&t->importer), "sgt");
}

/*
 * Behind an IOMMU
 */

/* Extents of different lengths, more than the list has inline. */
static struct phyr_list *map_test_stairs(struct kunit *test,
					 struct phyr_mem *mem, u64 start,
					 unsigned int nr)
{
	struct phyr_list *list = map_test_list_new(test);
	u64 size = 0;
	unsigned int i;

	for (i = 1; i <= nr; i++) {
		map_test_append(test, list, mem, start + i * SZ_1M, 1,
				i * SZ_4K, 0);
		size += i * SZ_4K;
	}
	KUNIT_ASSERT_EQ(test, phyr_list_finish(list, size, "test"), 0);
	mock_forget();
	return list;
}

static void map_iova_links_at_running_offsets(struct kunit *test)
{
	struct map_test *t = test->priv;
	const struct mock_entry *link;
	struct dma_range_list *ranges;
	struct dma_range_cursor cursor;
	struct phyr_list *list;
	u64 offset = 0;
	int i;

	mock.iommu = true;
	list = map_test_stairs(test, t->p2p, MAP_BAR, 20);
	ranges = map_test_map(t, list, 0, phyr_list_size(list));

	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_ALLOC), 1);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_IOVA_ALLOC, 1)->len,
			phyr_list_size(list));
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_LINK), 20);
	for (i = 1; i <= 20; i++) {
		link = mock_nth(MOCK_IOVA_LINK, i);
		KUNIT_EXPECT_EQ(test, link->phys, MAP_BAR + i * SZ_1M);
		KUNIT_EXPECT_EQ(test, link->len, i * SZ_4K);
		KUNIT_EXPECT_EQ(test, link->offset, offset);
		KUNIT_EXPECT_EQ(test, link->dir, DMA_FROM_DEVICE);
		KUNIT_EXPECT_EQ(test, link->attrs, PHYR_MMIO_ATTRS);
		offset += link->len;
	}
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_SYNC), 1);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_IOVA_SYNC, 1)->len, offset);
	KUNIT_EXPECT_GT(test, mock_index(MOCK_IOVA_SYNC, 1),
			mock_index(MOCK_IOVA_LINK, 20));
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), 0);

	KUNIT_EXPECT_STREQ(test, dma_range_list_mode(ranges), "iova");
	dma_range_cursor_init(&cursor, ranges, 0);
	map_test_expect_range(test, &cursor, mock_nth(MOCK_IOVA_ALLOC, 1)->dma,
			      offset);
	map_test_expect_end(test, &cursor);

	map_test_unmap(ranges);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_DESTROY), 1);
}

static void map_iova_no_space(struct kunit *test)
{
	struct map_test *t = test->priv;

	mock.iommu = true;
	mock_fail(MOCK_IOVA_ALLOC, 1, -ENOSPC);
	map_test_expect_error(t, map_test_stairs(test, t->p2p, MAP_BAR, 3),
			      -ENOMEM);
	/* Never a window, never extents: it gets the buffer and no more. */
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_LINK), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_DESTROY), 0);
}

/* The mock holds against each destroy what was linked before. */
static void map_iova_each_link_fails(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *list;
	u64 linked = 0;
	int k;

	mock.iommu = true;
	list = map_test_stairs(test, t->p2p, MAP_BAR, 12);
	for (k = 1; k <= 12; k++) {
		mock_forget();
		mock_fail(MOCK_IOVA_LINK, k, -EADDRINUSE);
		map_test_expect_error(t, list, -EADDRINUSE);
		KUNIT_EXPECT_FALSE(test, mock_fail_due());
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_LINK), k);
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_SYNC), 0);
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_DESTROY), 1);
		KUNIT_EXPECT_EQ(test, mock_nth(MOCK_IOVA_DESTROY, 1)->len,
				linked);
		KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
		linked += k * SZ_4K;
	}
}

static void map_iova_sync_fails(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *list;

	mock.iommu = true;
	list = map_test_stairs(test, t->ram, MAP_RAM, 5);
	mock_fail(MOCK_IOVA_SYNC, 1, -EIO);
	map_test_expect_error(t, list, -EIO);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_IOVA_DESTROY, 1)->len,
			phyr_list_size(list));
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

static void map_iova_beyond_4gib(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct dma_range_cursor cursor;
	struct phyr_list *list;
	u64 iova;

	mock.iommu = true;
	/* A long one, then offsets that need more than 32 bits. */
	list = map_test_list(test, t->mmio, MAP_MMIO, 3, 6ULL * SZ_1G,
			     8ULL * SZ_1G);
	ranges = map_test_map(t, list, 0, 18ULL * SZ_1G);

	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_LINK), 3);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_IOVA_LINK, 1)->len, 6ULL * SZ_1G);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_IOVA_LINK, 2)->offset,
			6ULL * SZ_1G);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_IOVA_LINK, 3)->offset,
			12ULL * SZ_1G);
	iova = mock_nth(MOCK_IOVA_ALLOC, 1)->dma;
	dma_range_cursor_init(&cursor, ranges, 17ULL * SZ_1G);
	map_test_expect_range(test, &cursor, iova + 17ULL * SZ_1G, SZ_1G);
	map_test_unmap(ranges);
}

/*
 * As bus addresses
 */

static void map_bus_calls_nobody(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct dma_range_cursor cursor;
	struct phyr_list *list;
	int i;

	mock.bus = true;
	mock.iommu = true;
	list = map_test_list(test, t->p2p, MAP_BAR, 20, SZ_4K, SZ_64K);
	KUNIT_EXPECT_EQ(test, map_test_routes(&t->importer, list), 0);
	mock_forget();
	ranges = map_test_map(t, list, 0, 20 * SZ_4K);

	KUNIT_EXPECT_EQ(test, mock_count(MOCK_DISTANCE), 0);
	map_test_expect_untouched(test);
	/* The list and nothing stored per extent. */
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_ALLOC), 1);
	KUNIT_EXPECT_STREQ(test, dma_range_list_mode(ranges), "bus");
	dma_range_cursor_init(&cursor, ranges, 0);
	for (i = 0; i < 20; i++)
		map_test_expect_range(test, &cursor,
				      MAP_BAR - SZ_1G + i * SZ_64K, SZ_4K);
	map_test_expect_end(test, &cursor);
	map_test_unmap(ranges);
}

/* Of a BAR that the mask covers in part, the buffer's extents count. */
static void map_bus_beyond_the_mask(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *inside, *outside;

	mock.bus = true;
	t->pdev->dma_mask = MAP_BAR - SZ_1G + SZ_1M - 1;
	t->pdev->dev.bus_dma_limit = 0;
	/* The probe's page lies at MAP_BAR: beyond that mask, but translated. */
	mock.iommu = true;
	inside = map_test_list(test, t->p2p, MAP_BAR + SZ_512K, 2, SZ_128K,
			       SZ_256K);
	outside = map_test_list(test, t->p2p, MAP_BAR + SZ_512K, 6, SZ_128K,
				SZ_256K);
	map_test_unmap(map_test_map(t, inside, 0, 2 * SZ_128K));
	map_test_expect_error(t, outside, -EREMOTEIO);
	/* What is asked for of it lies within. */
	map_test_unmap(map_test_map(t, outside, 0, 2 * SZ_128K));
}

static void map_bus_up_to_the_mask(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *list;

	mock.bus = true;
	mock.iommu = true;
	list = map_test_list(test, t->p2p, MAP_BAR, 2, SZ_4K, SZ_8K);
	t->pdev->dma_mask = MAP_BAR - SZ_1G + 3 * SZ_4K - 1;
	map_test_unmap(map_test_map(t, list, 0, 2 * SZ_4K));

	map_test_forget_routes(&t->importer);
	t->pdev->dma_mask--;
	map_test_expect_error(t, list, -EREMOTEIO);
}

/*
 * Through a window
 */

static void map_window_is_an_offset(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct dma_range_cursor cursor;
	struct phyr_list *list;
	int i;

	mock.dma_offset = 0x7000000000;
	list = map_test_list(test, t->p2p, MAP_BAR + SZ_1M, 20, SZ_4K, SZ_64K);
	ranges = map_test_map(t, list, 0, 20 * SZ_4K);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), 1);
	KUNIT_EXPECT_STREQ(test, dma_range_list_mode(ranges), "window");

	dma_range_cursor_init(&cursor, ranges, 0);
	for (i = 0; i < 20; i++)
		map_test_expect_range(test, &cursor,
				      0x7000000000 + MAP_BAR + SZ_1M +
				      i * SZ_64K, SZ_4K);
	map_test_expect_end(test, &cursor);

	mock_forget();
	map_test_unmap(ranges);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_UNMAP), 0);
	map_test_unmap(map_test_map(t, list, 0, SZ_4K));
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), 0);
}

static void map_window_beyond_4gib(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct dma_range_cursor cursor;
	struct phyr_list *list;

	list = map_test_list(test, t->mmio, MAP_MMIO, 3, 6ULL * SZ_1G,
			     8ULL * SZ_1G);
	ranges = map_test_map(t, list, 0, 18ULL * SZ_1G);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_MAP, 1)->len, MAP_MMIO_LEN);
	dma_range_cursor_init(&cursor, ranges, 5ULL * SZ_1G);
	map_test_expect_range(test, &cursor, MAP_MMIO + 5ULL * SZ_1G, SZ_1G);
	map_test_expect_range(test, &cursor, MAP_MMIO + 8ULL * SZ_1G,
			      6ULL * SZ_1G);
	map_test_expect_range(test, &cursor, MAP_MMIO + 16ULL * SZ_1G,
			      6ULL * SZ_1G);
	map_test_expect_end(test, &cursor);
	map_test_unmap(ranges);
}

/*
 * Per extent
 */

static void map_extents_each_and_in_order(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct dma_range_cursor cursor;
	const struct mock_entry *map;
	struct phyr_list *list;
	int i;

	mock.dma_offset = SZ_1G;
	list = map_test_stairs(test, t->ram, MAP_RAM, 20);
	ranges = map_test_map(t, list, 0, phyr_list_size(list));
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), 20);
	KUNIT_EXPECT_STREQ(test, dma_range_list_mode(ranges), "extent");

	dma_range_cursor_init(&cursor, ranges, 0);
	for (i = 1; i <= 20; i++) {
		map = mock_nth(MOCK_MAP, i);
		KUNIT_EXPECT_EQ(test, map->phys, MAP_RAM + i * SZ_1M);
		KUNIT_EXPECT_EQ(test, map->len, i * SZ_4K);
		KUNIT_EXPECT_EQ(test, map->dir, DMA_FROM_DEVICE);
		KUNIT_EXPECT_EQ(test, map->attrs, DMA_ATTR_REQUIRE_COHERENT);
		map_test_expect_range(test, &cursor, map->dma, map->len);
	}
	map_test_expect_end(test, &cursor);

	map_test_unmap(ranges);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_UNMAP), 20);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

static void map_extents_each_map_fails(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *list;
	int k, i;

	list = map_test_stairs(test, t->ram, MAP_RAM, 12);
	for (k = 1; k <= 12; k++) {
		mock_forget();
		mock_fail(MOCK_MAP, k, -ENOMEM);
		map_test_expect_error(t, list, -ENOMEM);
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), k);
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_UNMAP), k - 1);
		for (i = 1; i < k; i++)
			KUNIT_EXPECT_EQ(test, mock_nth(MOCK_UNMAP, i)->dma,
					mock_nth(MOCK_MAP, i)->dma);
		KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
	}
}

static void map_extents_over_many_chunks(struct kunit *test)
{
	const unsigned int nr = 3 * DMA_RANGE_CHUNK_MAX + 1;
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct dma_range_cursor cursor;
	struct phyr_list *list;
	unsigned int i;

	list = map_test_list(test, t->ram, MAP_RAM, nr, SZ_4K, SZ_8K);
	ranges = map_test_map(t, list, 0, nr * SZ_4K);
	KUNIT_EXPECT_EQ(test, mock_mapped(), nr);
	dma_range_cursor_init(&cursor, ranges, 0);
	for (i = 0; i < nr; i++)
		map_test_expect_range(test, &cursor, MAP_RAM + i * SZ_8K,
				      SZ_4K);
	map_test_expect_end(test, &cursor);
	map_test_unmap(ranges);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

static void map_extents_no_memory_for_a_chunk(struct kunit *test)
{
	const unsigned int nr = 2 * DMA_RANGE_CHUNK_MAX + 1;
	struct map_test *t = test->priv;
	struct phyr_list *list;
	int i;

	list = map_test_list(test, t->ram, MAP_RAM, nr, SZ_4K, SZ_8K);
	KUNIT_EXPECT_EQ(test, map_test_routes(&t->importer, list), 0);
	for (i = 0; i < 3; i++) {
		mock_forget();
		/* The list comes first. */
		mock_fail(MOCK_ALLOC, 2 + i, -ENOMEM);
		map_test_expect_error(t, list, -ENOMEM);
		KUNIT_EXPECT_FALSE(test, mock_fail_due());
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP),
				i * DMA_RANGE_CHUNK_MAX);
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_UNMAP),
				i * DMA_RANGE_CHUNK_MAX);
	}
}

/* The mock fails the case if the DMA API sees what it would warn of. */
static void map_extents_beyond_the_mask(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *list;

	t->pdev->dma_mask = MAP_RAM + 2 * SZ_1M - 1;
	list = map_test_list(test, t->ram, MAP_RAM, 3, SZ_4K, SZ_1M);
	map_test_expect_error(t, list, -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), 2);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_UNMAP), 2);

	/* The last byte of the last extent. */
	map_test_forget_routes(&t->importer);
	t->pdev->dma_mask = MAP_RAM + 2 * SZ_1M + SZ_4K - 2;
	map_test_expect_error(t, list, -EREMOTEIO);
	map_test_forget_routes(&t->importer);
	t->pdev->dma_mask++;
	map_test_unmap(map_test_map(t, list, 0, 3 * SZ_4K));
}

static void map_extents_of_a_bar_in_part_reached(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct phyr_list *list;

	t->pdev->dma_mask = MAP_BAR + SZ_1M - 1;
	list = map_test_list(test, t->p2p, MAP_BAR, 4, SZ_4K, SZ_256K);
	ranges = map_test_map(t, list, 0, 4 * SZ_4K);
	KUNIT_EXPECT_STREQ(test, dma_range_list_mode(ranges), "extent");
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_MAP, 1)->attrs, PHYR_MMIO_ATTRS);
	map_test_unmap(ranges);

	list = map_test_list(test, t->p2p, MAP_BAR, 5, SZ_4K, SZ_256K);
	map_test_expect_error(t, list, -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

/* A platform whose bus sees memory elsewhere: the mask is about the bus. */
static void map_extents_bus_sees_ram_elsewhere(struct kunit *test)
{
	static const struct bus_dma_region regions[] = {
		{ .cpu_start = MAP_RAM, .dma_start = 0, .size = SZ_1G },
		{}
	};
	struct map_test *t = test->priv;
	struct phyr_list *list;

	t->pdev->dev.dma_range_map = regions;
	t->pdev->dma_mask = DMA_BIT_MASK(30);
	mock.dma_offset = -MAP_RAM;
	list = map_test_list(test, t->ram, MAP_RAM, 3, SZ_4K, SZ_1M);
	map_test_unmap(map_test_map(t, list, 0, 3 * SZ_4K));

	/* Not behind that bus at all. */
	list = map_test_list(test, t->ram, MAP_RAM + SZ_1G, 1, SZ_4K, SZ_4K);
	map_test_expect_error(t, list, -EREMOTEIO);
}

/*
 * Mixed memory
 */

static struct phyr_list *map_test_mixed(struct map_test *t)
{
	struct phyr_list *list = map_test_list_new(t->test);

	map_test_append(t->test, list, t->ram, MAP_RAM, 2, SZ_4K, SZ_8K);
	map_test_append(t->test, list, t->p2p, MAP_BAR, 3, SZ_4K, SZ_8K);
	map_test_append(t->test, list, t->mmio, MAP_MMIO, 1, SZ_8K, SZ_8K);
	map_test_append(t->test, list, t->ram, MAP_RAM + SZ_1M, 1, SZ_4K,
			SZ_8K);
	KUNIT_ASSERT_EQ(t->test, phyr_list_finish(list, 8 * SZ_4K, "test"), 0);
	mock_forget();
	return list;
}

static void map_mixed_a_segment_per_run(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct dma_range_cursor cursor;
	struct phyr_list *list = map_test_mixed(t);

	mock.bus = true;
	ranges = map_test_map(t, list, 0, 8 * SZ_4K);
	KUNIT_EXPECT_STREQ(test, dma_range_list_mode(ranges), "mixed");

	dma_range_cursor_init(&cursor, ranges, 0);
	map_test_expect_range(test, &cursor, MAP_RAM, SZ_4K);
	map_test_expect_range(test, &cursor, MAP_RAM + SZ_8K, SZ_4K);
	map_test_expect_range(test, &cursor, MAP_BAR - SZ_1G, SZ_4K);
	map_test_expect_range(test, &cursor, MAP_BAR - SZ_1G + SZ_8K, SZ_4K);
	map_test_expect_range(test, &cursor, MAP_BAR - SZ_1G + SZ_16K, SZ_4K);
	map_test_expect_range(test, &cursor, MAP_MMIO, SZ_8K);
	map_test_expect_range(test, &cursor, MAP_RAM + SZ_1M, SZ_4K);
	map_test_expect_end(test, &cursor);

	map_test_unmap(ranges);
	/* The window of the carve-out stays with its route. */
	KUNIT_EXPECT_EQ(test, mock_mapped(), 1);
}

static void map_mixed_behind_an_iommu(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct phyr_list *list = map_test_mixed(t);

	mock.iommu = true;
	ranges = map_test_map(t, list, 0, 8 * SZ_4K);
	KUNIT_EXPECT_STREQ(test, dma_range_list_mode(ranges), "iova");
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_ALLOC), 4);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_IOVA_LINK, 1)->attrs,
			DMA_ATTR_REQUIRE_COHERENT);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_IOVA_LINK, 3)->attrs,
			PHYR_MMIO_ATTRS);
	/* Each run begins anew at offset 0. */
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_IOVA_LINK, 3)->offset, 0);
	map_test_unmap(ranges);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

static void map_mixed_each_run_fails(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *list = map_test_mixed(t);
	int k, i;

	mock.iommu = true;
	for (k = 1; k <= 4; k++) {
		mock_forget();
		mock_fail(MOCK_IOVA_SYNC, k, -EIO);
		map_test_expect_error(t, list, -EIO);
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_DESTROY), k);
		/* The failing run first, by itself; then those before it. */
		KUNIT_EXPECT_EQ(test, mock_nth(MOCK_IOVA_DESTROY, 1)->dma,
				mock_nth(MOCK_IOVA_ALLOC, k)->dma);
		for (i = 1; i < k; i++)
			KUNIT_EXPECT_EQ(test,
					mock_nth(MOCK_IOVA_DESTROY, i + 1)->dma,
					mock_nth(MOCK_IOVA_ALLOC, i)->dma);
		KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
	}
}

static void map_mixed_one_run_out_of_reach(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct phyr_list *list = map_test_mixed(t);

	mock.distance = -1;
	map_test_expect_error(t, list, -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), 2);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_UNMAP), 2);
}

/*
 * Parts, limits, errors, whatever the mode
 */

/* Ways to see the same bytes; the last row behind each is the memory. */
struct map_setup {
	const char *name;
	enum phyr_mem_kind kind;
	bool iommu;
	bool bus;
	const char *mode;
};

static const struct map_setup map_setups[] = {
	{ "iova", PHYR_MEM_P2P, true, false, "iova" },
	{ "bus", PHYR_MEM_P2P, false, true, "bus" },
	{ "window", PHYR_MEM_P2P, false, false, "window" },
	{ "extent", PHYR_MEM_RAM, false, false, "extent" },
};

static void map_setup_desc(const struct map_setup *setup, char *desc)
{
	strscpy(desc, setup->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(map_setup, map_setups, map_setup_desc);

#define MAP_PARTS	10
#define MAP_PART	(3 * SZ_4K)

/* MAP_PARTS extents of MAP_PART, in the memory that the setup asks for. */
static struct phyr_list *map_test_setup(struct map_test *t, u64 *start)
{
	const struct map_setup *setup = t->test->param_value;

	mock.iommu = setup->iommu;
	mock.bus = setup->bus;
	*start = setup->kind == PHYR_MEM_P2P ? MAP_BAR : MAP_RAM;
	return map_test_list(t->test, map_test_mem(t, setup->kind), *start,
			     MAP_PARTS, MAP_PART, SZ_1M);
}

/* The DMA address of byte @offset of that list. */
static u64 map_test_addr(struct kunit *test, u64 start, u64 offset, u64 skip)
{
	const struct map_setup *setup = test->param_value;
	u64 phys = start + offset / MAP_PART * SZ_1M + offset % MAP_PART;

	if (setup->iommu)
		return mock_nth(MOCK_IOVA_ALLOC, 1)->dma + offset - skip;
	return setup->bus ? phys - SZ_1G : phys;
}

static void map_list_expect_part(struct map_test *t, struct phyr_list *list,
				 u64 start, u64 offset, u64 len)
{
	const struct map_setup *setup = t->test->param_value;
	struct dma_range_list *ranges;
	struct dma_range_cursor cursor;
	struct dma_range range;
	u64 at = offset;

	mock_forget();
	ranges = map_test_map(t, list, offset, len);
	KUNIT_EXPECT_STREQ(t->test, dma_range_list_mode(ranges), setup->mode);
	dma_range_cursor_init(&cursor, ranges, 0);
	while (dma_range_next(&cursor, &range, 1)) {
		KUNIT_EXPECT_EQ(t->test, range.addr,
				map_test_addr(t->test, start, at,
					      round_down(offset, PAGE_SIZE)));
		KUNIT_EXPECT_NE(t->test, range.len, 0);
		at += range.len;
		if (!setup->iommu && at < offset + len)
			KUNIT_EXPECT_EQ(t->test, at % MAP_PART, 0);
	}
	KUNIT_EXPECT_EQ(t->test, at, offset + len);
	map_test_unmap(ranges);
}

static void map_list_parts(struct kunit *test)
{
	static const u64 parts[][2] = {
		{ 0, MAP_PARTS * MAP_PART },
		{ 0, 1 },
		{ 1, 1 },
		{ SZ_4K - 1, 2 },
		{ MAP_PART - 1, 2 },
		{ MAP_PART, MAP_PART },
		{ MAP_PART + 5, MAP_PART },
		/* Across the border of the chunk that the list has inline. */
		{ 4 * MAP_PART - 1, 2 },
		{ 4 * MAP_PART, SZ_4K },
		{ 3 * MAP_PART + SZ_4K, 5 * MAP_PART },
		{ MAP_PARTS * MAP_PART - 1, 1 },
	};
	struct map_test *t = test->priv;
	struct phyr_list *list;
	u64 start;
	int i;

	list = map_test_setup(t, &start);
	for (i = 0; i < ARRAY_SIZE(parts); i++)
		map_list_expect_part(t, list, start, parts[i][0], parts[i][1]);
}

/* Nothing is mapped that was not asked for, but the rest of its pages. */
static void map_list_maps_whole_pages_of_a_part(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct phyr_list *list;
	u64 start;

	list = map_test_setup(t, &start);
	ranges = map_test_map(t, list, MAP_PART + SZ_4K + 7, SZ_4K);
	KUNIT_EXPECT_EQ(test, ranges->skip, 7);
	KUNIT_EXPECT_EQ(test, ranges->segments->len, SZ_8K);
	if (ranges->segments->mode == PHYR_MAP_IOVA) {
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_LINK), 1);
		KUNIT_EXPECT_EQ(test, mock_nth(MOCK_IOVA_LINK, 1)->phys,
				start + SZ_1M + SZ_4K);
		KUNIT_EXPECT_EQ(test, mock_nth(MOCK_IOVA_LINK, 1)->len, SZ_8K);
	} else if (ranges->segments->mode == PHYR_MAP_EXTENT) {
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), 1);
		KUNIT_EXPECT_EQ(test, mock_nth(MOCK_MAP, 1)->phys,
				start + SZ_1M + SZ_4K);
		KUNIT_EXPECT_EQ(test, mock_nth(MOCK_MAP, 1)->len, SZ_8K);
	}
	map_test_unmap(ranges);
}

static void map_list_limits(struct kunit *test)
{
	static const struct phyr_limits limits[] = {
		{ .max_len = SZ_4K },
		{ .max_len = SZ_8K },
		{ .max_len = 1000 },
		{ .boundary = SZ_4K },
		{ .boundary = SZ_8K },
		{ .max_len = 5000, .boundary = SZ_8K },
		{ .max_len = SZ_1G, .boundary = SZ_4G },
	};
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct dma_range_cursor cursor;
	const struct phyr_limits *limit;
	struct dma_range range;
	struct phyr_list *list;
	u64 start, at;

	list = map_test_setup(t, &start);
	for (limit = limits; limit < limits + ARRAY_SIZE(limits); limit++) {
		t->importer.limits = *limit;
		mock_forget();
		ranges = map_test_map(t, list, 0, MAP_PARTS * MAP_PART);
		dma_range_cursor_init(&cursor, ranges, 0);
		for (at = 0; dma_range_next(&cursor, &range, 1);
		     at += range.len) {
			KUNIT_EXPECT_EQ(test, range.addr,
					map_test_addr(test, start, at, 0));
			if (limit->max_len)
				KUNIT_EXPECT_LE(test, range.len,
						limit->max_len);
			if (limit->boundary)
				KUNIT_EXPECT_EQ(test,
						range.addr / limit->boundary,
						(range.addr + range.len - 1) /
						limit->boundary);
		}
		KUNIT_EXPECT_EQ(test, at, MAP_PARTS * MAP_PART);
		map_test_unmap(ranges);
	}
}

static void map_list_each_direction(struct kunit *test)
{
	static const enum dma_data_direction dirs[] = {
		DMA_BIDIRECTIONAL, DMA_TO_DEVICE, DMA_FROM_DEVICE,
	};
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct phyr_list *list;
	u64 start;
	int i;

	list = map_test_setup(t, &start);
	KUNIT_EXPECT_EQ(test, map_test_routes(&t->importer, list), 0);
	for (i = 0; i < ARRAY_SIZE(dirs); i++) {
		mock_forget();
		ranges = map_test_map_list(&t->importer, list, 0, SZ_4K, dirs[i]);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ranges);
		if (mock_count(MOCK_MAP))
			KUNIT_EXPECT_EQ(test, mock_nth(MOCK_MAP, 1)->dir,
					dirs[i]);
		if (mock_count(MOCK_IOVA_LINK))
			KUNIT_EXPECT_EQ(test, mock_nth(MOCK_IOVA_LINK, 1)->dir,
					dirs[i]);
		/* The mock wants the same at unmap. */
		map_test_unmap(ranges);
	}
}

static void map_list_each_allocation_fails(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_list *ranges = ERR_PTR(-ENOMEM);
	unsigned int nth, before;
	struct phyr_list *list;
	u64 start;

	list = map_test_setup(t, &start);
	for (nth = 1; IS_ERR(ranges); nth++) {
		KUNIT_ASSERT_LT(test, nth, 10);
		before = mock_allocated();
		mock_fail(MOCK_ALLOC, nth, -ENOMEM);
		ranges = map_test_map_list(&t->importer, list, 0,
					   MAP_PARTS * MAP_PART, DMA_TO_DEVICE);
		if (!IS_ERR(ranges))
			break;
		KUNIT_EXPECT_PTR_EQ(test, ranges, ERR_PTR(-ENOMEM));
		/* A route that was decided stays, with its window. */
		map_test_forget_routes(&t->importer);
		KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
		KUNIT_EXPECT_EQ(test, mock_allocated(), before);
	}
	mock_fail(MOCK_ALLOC, 0, 0);
	KUNIT_EXPECT_GE(test, nth, 3);
	map_test_unmap(ranges);
}

static void map_list_holds_its_list(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct dma_range_cursor cursor;
	struct phyr_list *list;
	u64 start;

	list = map_test_setup(t, &start);
	ranges = map_test_map(t, list, 0, MAP_PART);
	kunit_release_action(test, map_test_put_list, list);

	/* KASAN would tell. */
	dma_range_cursor_init(&cursor, ranges, 0);
	map_test_expect_range(test, &cursor,
			      map_test_addr(test, start, 0, 0), MAP_PART);
	map_test_unmap(ranges);
}

static void map_list_unmap_twice(struct kunit *test)
{
	struct map_test *t = test->priv;
	struct dma_range_list *ranges;
	struct dma_range_cursor cursor;
	struct phyr_list *list;
	unsigned int calls;
	u64 start;

	list = map_test_setup(t, &start);
	ranges = map_test_map(t, list, 0, MAP_PARTS * MAP_PART);
	dma_range_list_unmap(ranges);
	calls = mock_count(MOCK_UNMAP) + mock_count(MOCK_IOVA_DESTROY);
	KUNIT_EXPECT_EQ(test, dma_range_list_len(ranges), 0);
	dma_range_cursor_init(&cursor, ranges, 0);
	map_test_expect_end(test, &cursor);

	dma_range_list_unmap(ranges);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_UNMAP) +
			      mock_count(MOCK_IOVA_DESTROY), calls);
	dma_range_list_free(ranges);
}

static void map_list_without_lock(struct kunit *test)
{
	struct dma_range_list *ranges;
	struct map_test *t = test->priv;
	struct phyr_list *list;

	if (!IS_ENABLED(CONFIG_PROVE_LOCKING))
		kunit_skip(test, "lockdep is needed to see it");

	list = map_test_list(test, t->ram, MAP_RAM, 1, SZ_4K, SZ_4K);
	KUNIT_EXPECT_EQ(test, map_test_routes(&t->importer, list), 0);
	kunit_warning_suppress(test) {
		ranges = phyr_map_list(&t->importer, list, 0, SZ_4K,
				       DMA_TO_DEVICE);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, phyr_route_list(&t->importer, list), 0);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ranges);
	map_test_unmap(ranges);
}

static struct kunit_case map_test_cases[] = {
	KUNIT_CASE_PARAM(route_create_decides, map_route_gen_params),
	KUNIT_CASE(route_create_without_mask),
	KUNIT_CASE(route_create_bus_dma_limit),
	KUNIT_CASE(route_create_no_memory),
	KUNIT_CASE(route_create_without_lock),
	KUNIT_CASE(route_create_holds_its_memory),
	KUNIT_CASE(probe_bus_asks_the_distance_each_time),
	KUNIT_CASE(probe_bus_distance_negative),
	KUNIT_CASE(probe_bus_device_not_on_pci),
	KUNIT_CASE(probe_bus_no_common_bridge),
	KUNIT_CASE(probe_bus_common_bridge_far_up),
	KUNIT_CASE(probe_bus_maps_one_page_to_the_mark),
	KUNIT_CASE(probe_bus_releases_its_table),
	KUNIT_CASE(probe_bus_errors),
	KUNIT_CASE(window_is_shared_by_attachments),
	KUNIT_CASE(window_is_one_per_device),
	KUNIT_CASE(window_fails_to_map),
	KUNIT_CASE(window_no_memory),
	KUNIT_CASE(route_list_decides_once_per_memory),
	KUNIT_CASE(route_list_second_memory_out_of_reach),
	KUNIT_CASE(route_name_of_what_was_decided),
	KUNIT_CASE(map_iova_links_at_running_offsets),
	KUNIT_CASE(map_iova_no_space),
	KUNIT_CASE(map_iova_each_link_fails),
	KUNIT_CASE(map_iova_sync_fails),
	KUNIT_CASE(map_iova_beyond_4gib),
	KUNIT_CASE(map_bus_calls_nobody),
	KUNIT_CASE(map_bus_beyond_the_mask),
	KUNIT_CASE(map_bus_up_to_the_mask),
	KUNIT_CASE(map_window_is_an_offset),
	KUNIT_CASE(map_window_beyond_4gib),
	KUNIT_CASE(map_extents_each_and_in_order),
	KUNIT_CASE(map_extents_each_map_fails),
	KUNIT_CASE(map_extents_over_many_chunks),
	KUNIT_CASE(map_extents_no_memory_for_a_chunk),
	KUNIT_CASE(map_extents_beyond_the_mask),
	KUNIT_CASE(map_extents_of_a_bar_in_part_reached),
	KUNIT_CASE(map_extents_bus_sees_ram_elsewhere),
	KUNIT_CASE(map_mixed_a_segment_per_run),
	KUNIT_CASE(map_mixed_behind_an_iommu),
	KUNIT_CASE(map_mixed_each_run_fails),
	KUNIT_CASE(map_mixed_one_run_out_of_reach),
	KUNIT_CASE_PARAM(map_list_parts, map_setup_gen_params),
	KUNIT_CASE_PARAM(map_list_maps_whole_pages_of_a_part,
			 map_setup_gen_params),
	KUNIT_CASE_PARAM(map_list_limits, map_setup_gen_params),
	KUNIT_CASE_PARAM(map_list_each_direction, map_setup_gen_params),
	KUNIT_CASE_PARAM(map_list_each_allocation_fails, map_setup_gen_params),
	KUNIT_CASE_PARAM(map_list_holds_its_list, map_setup_gen_params),
	KUNIT_CASE_PARAM(map_list_unmap_twice, map_setup_gen_params),
	KUNIT_CASE(map_list_without_lock),
	{}
};

static struct kunit_suite map_test_suite = {
	.name = "phyr_map",
	.init = map_test_init,
	.test_cases = map_test_cases,
};

kunit_test_suite(map_test_suite);

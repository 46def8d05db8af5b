// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: domain.c, an IOMMU domain without dma-bufs
 */
#include "redirect.h"
#include "../domain.c"
#include "fixture.h"

#include <linux/prandom.h>

#define DOMAIN_BAR	0x8000000000ULL
#define DOMAIN_BAR_LEN	(16ULL * SZ_1G)
#define DOMAIN_IOVA	(64ULL * SZ_1G)

/**
 * struct domain_test - the fixture
 * @pdev: the importer's device
 * @p2p: a BAR
 * @ram: system memory
 * @space: the importer's domain, or NULL
 */
struct domain_test {
	struct pci_dev *pdev;
	struct phyr_mem *p2p;
	struct phyr_mem *ram;
	struct phyr_domain *space;
};

static int domain_test_init(struct kunit *test)
{
	struct fixture_peers peers;
	struct domain_test *t;
	int ret;

	ret = mock_init(test);
	if (ret)
		return ret;
	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	if (!t)
		return -ENOMEM;
	test->priv = t;

	fixture_peers_init(test, &peers);
	t->pdev = peers.importer;
	t->p2p = fixture_bar(test, peers.owner, 2, DOMAIN_BAR, DOMAIN_BAR_LEN);
	t->ram = fixture_ram(test);
	mock_iommu_init(test, &t->pdev->dev);
	return 0;
}

static void domain_test_end_space(void *space)
{
	phyr_domain_destroy(space);
}

/* End the space before the case does. */
static void domain_test_destroy(struct kunit *test)
{
	struct domain_test *t = test->priv;

	kunit_release_action(test, domain_test_end_space, t->space);
}

static void domain_test_create(struct kunit *test)
{
	struct domain_test *t = test->priv;

	t->space = phyr_domain_create(&t->pdev->dev, &mock_iommu.domain, test);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t->space);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test,
							domain_test_end_space,
							t->space), 0);
	mock_forget();
}

static struct phyr_list *domain_test_list(struct kunit *test,
					  struct phyr_mem *mem, u64 start,
					  unsigned int nr, u64 len, u64 stride)
{
	struct phyr_list *list = fixture_list(test);
	unsigned int i;

	for (i = 0; i < nr; i++)
		KUNIT_ASSERT_EQ(test, phyr_list_append(list, mem,
						       start + i * stride,
						       len), 0);
	KUNIT_ASSERT_EQ(test, phyr_list_finish(list, nr * len, "test"), 0);
	return list;
}

static struct phyr_domain_range *domain_test_map(struct kunit *test,
						 struct phyr_list *list,
						 u64 iova)
{
	struct domain_test *t = test->priv;
	struct phyr_cursor cursor;

	phyr_cursor_init(&cursor, list, 0, phyr_list_size(list));
	return phyr_domain_map(t->space, &cursor, iova,
			       IOMMU_READ | IOMMU_WRITE);
}

static void domain_test_unmap(struct phyr_domain_range *range)
{
	phyr_domain_unmap(range);
	phyr_domain_range_free(range);
}

/* Expect the result of a map at @iova, and undo it. */
static void domain_test_try(struct kunit *test, struct phyr_list *list,
			    u64 iova, int err)
{
	struct phyr_domain_range *range = domain_test_map(test, list, iova);

	KUNIT_EXPECT_EQ_MSG(test, PTR_ERR_OR_ZERO(range), err, "at IOVA %#llx",
			    iova);
	if (!IS_ERR(range))
		domain_test_unmap(range);
}

/*
 * Creation
 */

static void domain_test_refused(struct kunit *test, int err)
{
	struct domain_test *t = test->priv;

	KUNIT_EXPECT_PTR_EQ(test, phyr_domain_create(&t->pdev->dev,
						     &mock_iommu.domain, test),
			    ERR_PTR(err));
	KUNIT_EXPECT_EQ(test, mock_iommu.claims, 1);
}

static void create_without_iommu(struct kunit *test)
{
	struct domain_test *t = test->priv;

	mock_iommu.devices = 0;
	domain_test_refused(test, -ENODEV);
	/* The importer could not allocate a domain. */
	KUNIT_EXPECT_PTR_EQ(test, phyr_domain_create(&t->pdev->dev, NULL, test),
			    ERR_PTR(-ENODEV));
}

static void create_in_a_shared_group(struct kunit *test)
{
	mock_iommu.devices = 2;
	domain_test_refused(test, -EINVAL);
}

static void create_without_ownership(struct kunit *test)
{
	struct domain_test *t = test->priv;

	mock_iommu.owner = t;
	domain_test_refused(test, -EPERM);
	KUNIT_EXPECT_PTR_EQ(test, phyr_domain_create(&t->pdev->dev,
						     &mock_iommu.domain, NULL),
			    ERR_PTR(-EINVAL));
}

static void create_with_another_domain(struct kunit *test)
{
	struct iommu_domain other = mock_iommu.domain;

	mock.domain = &other;
	domain_test_refused(test, -EINVAL);
	mock.domain = NULL;
	domain_test_refused(test, -EINVAL);
	mock.domain = &mock_iommu.domain;
	mock_iommu.domain.type = IOMMU_DOMAIN_BLOCKED;
	domain_test_refused(test, -EINVAL);
	mock_iommu.domain.type = IOMMU_DOMAIN_IDENTITY;
	domain_test_refused(test, -EINVAL);
}

static void create_with_large_pages_only(struct kunit *test)
{
	mock_iommu.domain.pgsize_bitmap = SZ_64K | SZ_2M;
	domain_test_refused(test, -EINVAL);
	mock_iommu.domain.pgsize_bitmap = 0;
	domain_test_refused(test, -EINVAL);
}

static void create_without_mask(struct kunit *test)
{
	struct domain_test *t = test->priv;

	t->pdev->dev.dma_mask = NULL;
	domain_test_refused(test, -EINVAL);
}

static void create_no_memory(struct kunit *test)
{
	mock_fail(MOCK_ALLOC, 1, -ENOMEM);
	domain_test_refused(test, -ENOMEM);
}

/*
 * IOVAs
 */

static void iova_reserved(struct kunit *test)
{
	struct domain_test *t = test->priv;
	struct phyr_list *list;

	mock_iommu_reserve(0xfee00000, SZ_1M, IOMMU_RESV_MSI);
	mock_iommu_reserve(DOMAIN_IOVA, SZ_4K, IOMMU_RESV_DIRECT);
	mock_iommu_reserve(-(u64)SZ_4K, SZ_4K, IOMMU_RESV_RESERVED);
	mock_iommu.domain.geometry.aperture_end = U64_MAX;
	domain_test_create(test);
	list = domain_test_list(test, t->p2p, DOMAIN_BAR, 1, 2 * SZ_4K, 0);

	domain_test_try(test, list, 0xfee00000 - 2 * SZ_4K, 0);
	domain_test_try(test, list, 0xfee00000 - SZ_4K, -EINVAL);
	domain_test_try(test, list, 0xfee80000, -EINVAL);
	domain_test_try(test, list, 0xfef00000 - SZ_4K, -EINVAL);
	domain_test_try(test, list, 0xfef00000, 0);
	domain_test_try(test, list, DOMAIN_IOVA - SZ_4K, -EINVAL);
	domain_test_try(test, list, DOMAIN_IOVA, -EINVAL);
	domain_test_try(test, list, DOMAIN_IOVA + SZ_4K, 0);
	domain_test_try(test, list, -(u64)2 * SZ_4K, -EINVAL);
}

static void iova_of_a_bar(struct kunit *test)
{
	struct list_head *windows = &mock_iommu.bridge->windows;
	struct domain_test *t = test->priv;
	struct phyr_list *list;

	mock_iommu_window(windows, 0xc0000000, SZ_256M, 0, IORESOURCE_MEM);
	mock_iommu_window(windows, 0x1000, SZ_16M, 0, IORESOURCE_IO);
	/* On the bus, not where the CPU sees it. */
	mock_iommu_window(windows, DOMAIN_IOVA, SZ_1G, SZ_4G, IORESOURCE_MEM);
	domain_test_create(test);
	list = domain_test_list(test, t->p2p, DOMAIN_BAR, 1, 2 * SZ_4K, 0);

	domain_test_try(test, list, 0xc0000000 - 2 * SZ_4K, 0);
	domain_test_try(test, list, 0xc0000000 - SZ_4K, -EINVAL);
	domain_test_try(test, list, 0xd0000000 - SZ_4K, -EINVAL);
	domain_test_try(test, list, 0xd0000000, 0);
	domain_test_try(test, list, SZ_4K, 0);
	domain_test_try(test, list, DOMAIN_IOVA, -EINVAL);
	domain_test_try(test, list, DOMAIN_IOVA + SZ_1G, 0);
	domain_test_try(test, list, DOMAIN_IOVA + SZ_4G, 0);

	/* Larger than the window, which it contains. */
	list = domain_test_list(test, t->p2p, DOMAIN_BAR, 1, SZ_1G, 0);
	domain_test_try(test, list, 0xb0000000, -EINVAL);
}

static void iova_outside_the_inbound_windows(struct kunit *test)
{
	struct list_head *windows = &mock_iommu.bridge->dma_ranges;
	struct domain_test *t = test->priv;
	struct phyr_list *list;

	mock_iommu_window(windows, SZ_1G, SZ_1G, SZ_4G, IORESOURCE_MEM);
	mock_iommu_window(windows, DOMAIN_IOVA, SZ_1G, 0, IORESOURCE_MEM);
	domain_test_create(test);
	list = domain_test_list(test, t->p2p, DOMAIN_BAR, 1, 2 * SZ_4K, 0);

	domain_test_try(test, list, SZ_1G - SZ_4K, -ERANGE);
	domain_test_try(test, list, SZ_1G, 0);
	domain_test_try(test, list, 2 * (u64)SZ_1G - SZ_4K, -ERANGE);
	domain_test_try(test, list, DOMAIN_IOVA, 0);
	domain_test_try(test, list, DOMAIN_IOVA + SZ_1G, -ERANGE);
}

static void iova_beyond_aperture_or_mask(struct kunit *test)
{
	struct domain_test *t = test->priv;
	struct phyr_list *list;

	mock_iommu.domain.geometry.aperture_start = SZ_1M;
	mock_iommu.domain.geometry.aperture_end = DMA_BIT_MASK(40);
	domain_test_create(test);
	list = domain_test_list(test, t->p2p, DOMAIN_BAR, 1, 2 * SZ_4K, 0);

	domain_test_try(test, list, 0, -ERANGE);
	domain_test_try(test, list, SZ_1M - SZ_4K, -ERANGE);
	domain_test_try(test, list, SZ_1M, 0);
	domain_test_try(test, list, BIT_ULL(40) - 2 * SZ_4K, 0);
	domain_test_try(test, list, BIT_ULL(40) - SZ_4K, -ERANGE);
	domain_test_try(test, list, BIT_ULL(40), -ERANGE);
	domain_test_try(test, list, -(u64)SZ_4K, -EINVAL);

	t->pdev->dma_mask = DMA_BIT_MASK(32);
	domain_test_try(test, list, SZ_4G - 2 * SZ_4K, 0);
	domain_test_try(test, list, SZ_4G - SZ_4K, -ERANGE);
	t->pdev->dev.bus_dma_limit = DMA_BIT_MASK(31);
	domain_test_try(test, list, SZ_2G - SZ_4K, -ERANGE);
	KUNIT_EXPECT_EQ(test, mock_iommu_pages(), 0);
}

static void iova_at_the_top(struct kunit *test)
{
	struct domain_test *t = test->priv;
	struct phyr_list *list;

	mock_iommu.domain.geometry.aperture_end = U64_MAX;
	domain_test_create(test);
	list = domain_test_list(test, t->p2p, DOMAIN_BAR, 2, SZ_4K, SZ_64K);
	domain_test_try(test, list, -(u64)2 * SZ_4K, 0);
	domain_test_try(test, list, -(u64)SZ_4K, -EINVAL);
}

static void iova_in_use(struct kunit *test)
{
	struct domain_test *t = test->priv;
	struct phyr_domain_range *range;
	struct phyr_list *list, *page;

	domain_test_create(test);
	list = domain_test_list(test, t->p2p, DOMAIN_BAR, 3, SZ_4K, SZ_64K);
	page = domain_test_list(test, t->ram, SZ_1G, 1, SZ_4K, 0);
	range = domain_test_map(test, list, DOMAIN_IOVA);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, range);

	domain_test_try(test, list, DOMAIN_IOVA - 2 * SZ_4K, -EADDRINUSE);
	domain_test_try(test, list, DOMAIN_IOVA, -EADDRINUSE);
	domain_test_try(test, page, DOMAIN_IOVA + SZ_4K, -EADDRINUSE);
	domain_test_try(test, list, DOMAIN_IOVA + 2 * SZ_4K, -EADDRINUSE);
	domain_test_try(test, list, DOMAIN_IOVA - 3 * SZ_4K, 0);
	domain_test_try(test, list, DOMAIN_IOVA + 3 * SZ_4K, 0);
	KUNIT_EXPECT_EQ(test, mock_iommu_pages(), 3);
	domain_test_unmap(range);
	domain_test_try(test, page, DOMAIN_IOVA + SZ_4K, 0);
}

/* The importer's command buffer, of which the core does not know. */
static void iova_in_use_by_the_importer(struct kunit *test)
{
	struct domain_test *t = test->priv;
	struct phyr_list *list;

	domain_test_create(test);
	list = domain_test_list(test, t->p2p, DOMAIN_BAR, 3, SZ_4K, SZ_64K);
	KUNIT_ASSERT_EQ(test, iommu_map(&mock_iommu.domain,
					DOMAIN_IOVA + 2 * SZ_4K, SZ_1G, SZ_4K,
					IOMMU_READ, GFP_KERNEL), 0);
	domain_test_try(test, list, DOMAIN_IOVA, -EADDRINUSE);
	domain_test_try(test, list, DOMAIN_IOVA + 2 * SZ_4K, -EADDRINUSE);
	domain_test_try(test, list, DOMAIN_IOVA + 3 * SZ_4K, 0);
	KUNIT_EXPECT_EQ(test, mock_iommu_page(DOMAIN_IOVA + 2 * SZ_4K)->paddr,
			SZ_1G);
	iommu_unmap(&mock_iommu.domain, DOMAIN_IOVA + 2 * SZ_4K, SZ_4K);
}

/*
 * Pages
 */

/* Compare what the map says of its pages with those that are there. */
static void domain_test_expect_pages(struct kunit *test,
				     const struct phyr_domain_range *range)
{
	struct phyr_domain_pages pages = { };
	const struct mock_iommu_page *page;

	list_for_each_entry(page, &mock_iommu.pages, node) {
		pages.smallest = min_not_zero(pages.smallest, page->size);
		pages.largest = max(pages.largest, page->size);
		pages.count++;
	}
	KUNIT_EXPECT_EQ(test, range->pages.smallest, pages.smallest);
	KUNIT_EXPECT_EQ(test, range->pages.largest, pages.largest);
	KUNIT_EXPECT_EQ(test, range->pages.count, pages.count);
}

static void pages_are_the_largest(struct kunit *test)
{
	static const struct {
		u64 paddr, iova, len;
		u64 smallest, largest, count;
		unsigned int runs;
	} cases[] = {
		{ 0, 0, SZ_4K, SZ_4K, SZ_4K, 1, 1 },
		{ 0, 0, SZ_2M, SZ_2M, SZ_2M, 1, 1 },
		{ 0, 0, SZ_2M - SZ_4K, SZ_4K, SZ_4K, 511, 1 },
		{ 0, 0, SZ_2M + SZ_4K, SZ_4K, SZ_2M, 2, 2 },
		{ 0, SZ_4K, SZ_2M, SZ_4K, SZ_4K, 512, 1 },
		/* Across a border of 2 MiB, with no large page behind it. */
		{ SZ_4K, SZ_4K, SZ_2M, SZ_4K, SZ_4K, 512, 1 },
		{ SZ_4K, SZ_4K, 2 * SZ_2M - SZ_8K, SZ_4K, SZ_4K, 1022, 1 },
		{ SZ_4K, SZ_4K, 2 * SZ_2M - SZ_4K, SZ_4K, SZ_2M, 512, 2 },
		{ SZ_4K, SZ_4K, 2 * SZ_2M, SZ_4K, SZ_2M, 513, 3 },
		{ SZ_1G - SZ_2M, SZ_1G - SZ_2M, SZ_1G + 2 * SZ_2M, SZ_2M,
		  SZ_1G, 3, 3 },
		{ 0, SZ_2M, SZ_1G, SZ_2M, SZ_2M, 512, 1 },
	};
	struct domain_test *t = test->priv;
	struct phyr_domain_range *range;
	struct phyr_list *list;
	unsigned int i;

	domain_test_create(test);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		list = domain_test_list(test, t->p2p,
					DOMAIN_BAR + cases[i].paddr, 1,
					cases[i].len, 0);
		mock_forget();
		range = domain_test_map(test, list,
					DOMAIN_IOVA + cases[i].iova);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, range);
		KUNIT_EXPECT_EQ(test, range->pages.smallest, cases[i].smallest);
		KUNIT_EXPECT_EQ(test, range->pages.largest, cases[i].largest);
		KUNIT_EXPECT_EQ(test, range->pages.count, cases[i].count);
		/* One per iommu_map() */
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOMMU_SYNC_MAP),
				cases[i].runs);
		domain_test_expect_pages(test, range);
		domain_test_unmap(range);
	}
}

static void pages_of_random_lists(struct kunit *test)
{
	struct domain_test *t = test->priv;
	struct phyr_domain_range *range;
	struct phyr_list *list;
	struct rnd_state rnd;
	u64 start, len;
	int i, extent;

	fixture_random(test, &rnd);
	domain_test_create(test);
	for (i = 0; i < 20; i++) {
		mock_iommu.domain.pgsize_bitmap = SZ_4K |
			(prandom_u32_state(&rnd) & GENMASK(24, 13));
		list = fixture_list(test);
		start = DOMAIN_BAR;
		len = 0;
		for (extent = 0; extent < 4; extent++) {
			u64 bytes = (1 + fixture_below(&rnd, 200)) * SZ_4K;

			start += (1 + fixture_below(&rnd, 4096)) * SZ_4K;
			KUNIT_ASSERT_EQ(test, phyr_list_append(list, t->p2p,
							       start, bytes),
					0);
			start += bytes;
			len += bytes;
		}
		KUNIT_ASSERT_EQ(test, phyr_list_finish(list, len, "test"), 0);
		range = domain_test_map(test, list, DOMAIN_IOVA +
					fixture_below(&rnd, 4096) * SZ_4K);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, range);
		domain_test_expect_pages(test, range);
		domain_test_unmap(range);
	}
}

static void prot_of_each_memory(struct kunit *test)
{
	struct domain_test *t = test->priv;
	struct phyr_mem *carveout = fixture_carveout(test, SZ_2G, SZ_1M);
	struct phyr_domain_range *range;
	struct phyr_list *list;

	domain_test_create(test);
	list = fixture_list(test);
	KUNIT_ASSERT_EQ(test, phyr_list_append(list, t->p2p, DOMAIN_BAR,
					       SZ_4K), 0);
	KUNIT_ASSERT_EQ(test, phyr_list_append(list, t->ram, SZ_1G, SZ_4K), 0);
	KUNIT_ASSERT_EQ(test, phyr_list_append(list, carveout, SZ_2G, SZ_4K),
			0);
	KUNIT_ASSERT_EQ(test, phyr_list_finish(list, 3 * SZ_4K, "test"), 0);
	range = domain_test_map(test, list, DOMAIN_IOVA);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, range);
	KUNIT_ASSERT_EQ(test, mock_iommu_pages(), 3);
	KUNIT_EXPECT_EQ(test, mock_iommu_page(DOMAIN_IOVA)->prot,
			IOMMU_READ | IOMMU_WRITE | IOMMU_MMIO);
	KUNIT_EXPECT_EQ(test, mock_iommu_page(DOMAIN_IOVA + SZ_4K)->prot,
			IOMMU_READ | IOMMU_WRITE | IOMMU_CACHE);
	KUNIT_EXPECT_EQ(test, mock_iommu_page(DOMAIN_IOVA + 2 * SZ_4K)->prot,
			IOMMU_READ | IOMMU_WRITE | IOMMU_CACHE);
	domain_test_unmap(range);

	mock.coherent = false;
	range = domain_test_map(test, list, DOMAIN_IOVA);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, range);
	KUNIT_EXPECT_EQ(test, mock_iommu_page(DOMAIN_IOVA + 2 * SZ_4K)->prot,
			IOMMU_READ | IOMMU_WRITE);
	domain_test_unmap(range);
}

/*
 * Failures
 */

/* Let each page, each sync and each allocation fail. */
static void map_fails_at_each_step(struct kunit *test)
{
	static const enum mock_call calls[] = {
		MOCK_ALLOC, MOCK_IOMMU_MAP, MOCK_IOMMU_SYNC_MAP,
	};
	struct domain_test *t = test->priv;
	struct phyr_domain_range *range;
	struct phyr_list *list;
	unsigned int i, nth;

	domain_test_create(test);
	list = domain_test_list(test, t->p2p, DOMAIN_BAR, 5, 4 * SZ_4K,
				SZ_64K);
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		for (nth = 1; ; nth++) {
			mock_fail(calls[i], nth, -ENOMEM);
			range = domain_test_map(test, list, DOMAIN_IOVA);
			if (!IS_ERR(range))
				break;
			KUNIT_EXPECT_PTR_EQ(test, range, ERR_PTR(-ENOMEM));
			KUNIT_EXPECT_EQ(test, mock_iommu_pages(), 0);
			KUNIT_EXPECT_FALSE(test, mock_iommu.stale);
			KUNIT_ASSERT_LE(test, nth, 30);
		}
		mock_fail(calls[i], 0, 0);
		KUNIT_EXPECT_EQ(test, nth, calls[i] == MOCK_ALLOC ? 2 :
					   calls[i] == MOCK_IOMMU_MAP ? 21 : 6);
		domain_test_unmap(range);
	}
}

/*
 * A map fails in the middle of an extent, and so does the unmap of what was
 * mapped: the device may have it for ever.
 */
static void map_fails_and_its_unmap(struct kunit *test)
{
	struct domain_test *t = test->priv;
	struct phyr_domain_range *other;
	struct phyr_list *list;

	domain_test_create(test);
	list = domain_test_list(test, t->p2p, DOMAIN_BAR + SZ_2M - 2 * SZ_4K, 1,
				2 * SZ_2M, 0);
	other = domain_test_map(test, list, DOMAIN_IOVA);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other);
	mock_forget();

	/* Two pages of 4 KiB are mapped, and the first of 2 MiB is not. */
	mock_fail(MOCK_IOMMU_MAP, 3, -ENOMEM);
	mock_iommu.forgets = true;
	kunit_warning_suppress(test) {
		domain_test_try(test, list, DOMAIN_IOVA + SZ_1G + SZ_2M -
				2 * SZ_4K, -ENOMEM);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	mock_iommu.forgets = false;
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_IOMMU_MAP, 3)->len, SZ_2M);
	domain_test_try(test, list, DOMAIN_IOVA + SZ_2G, -EIO);
	domain_test_unmap(other);
	KUNIT_EXPECT_EQ(test, mock_iommu_pages(), 0);
	KUNIT_EXPECT_FALSE(test, mock_iommu.stale);
}

/*
 * An importer that unmaps what the core mapped; the rest is unmapped. The space
 * maps nothing any more; another space does.
 */
static void unmap_finds_less(struct kunit *test)
{
	static const u64 holes[] = { 0, 1, 3, 7 };
	struct domain_test *t = test->priv;
	struct phyr_domain_range *range;
	struct phyr_list *list;
	unsigned int i;

	list = domain_test_list(test, t->p2p, DOMAIN_BAR, 8, SZ_4K, SZ_64K);
	kunit_warning_suppress(test) {
		for (i = 0; i < ARRAY_SIZE(holes); i++) {
			domain_test_create(test);
			range = domain_test_map(test, list, DOMAIN_IOVA);
			KUNIT_ASSERT_NOT_ERR_OR_NULL(test, range);
			iommu_unmap(&mock_iommu.domain,
				    DOMAIN_IOVA + holes[i] * SZ_4K, SZ_4K);
			iommu_unmap(&mock_iommu.domain,
				    DOMAIN_IOVA + 5 * SZ_4K, SZ_4K);
			domain_test_unmap(range);
			KUNIT_EXPECT_EQ(test, mock_iommu_pages(), 0);
			KUNIT_EXPECT_FALSE(test, mock_iommu.stale);
			domain_test_try(test, list, DOMAIN_IOVA, -EIO);
			domain_test_destroy(test);
		}
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, ARRAY_SIZE(holes));
	}
}

/* The IOMMU driver fails; other mappings remain usable and can be unmapped. */
static void unmap_fails(struct kunit *test)
{
	struct domain_test *t = test->priv;
	struct phyr_domain_range *range, *other;
	struct phyr_list *list;

	domain_test_create(test);
	list = domain_test_list(test, t->p2p, DOMAIN_BAR, 8, SZ_4K, SZ_64K);
	range = domain_test_map(test, list, DOMAIN_IOVA);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, range);
	other = domain_test_map(test, list, DOMAIN_IOVA + SZ_1M);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other);
	kunit_warning_suppress(test) {
		mock_fail(MOCK_IOMMU_UNMAP, 1, -ENOMEM);
		domain_test_unmap(range);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
		mock_fail(MOCK_IOMMU_UNMAP, 0, 0);
	}
	KUNIT_EXPECT_EQ(test, mock_iommu_pages(), 8);
	domain_test_try(test, list, DOMAIN_IOVA, -EIO);
	domain_test_try(test, list, DOMAIN_IOVA + SZ_2M, -EIO);
	domain_test_unmap(other);
	KUNIT_EXPECT_EQ(test, mock_iommu_pages(), 0);
	KUNIT_EXPECT_FALSE(test, mock_iommu.stale);
}

/*
 * The domain's life
 */

/* What is mapped in a domain that may be freed is left alone. */
static void domain_is_detached_too_early(struct kunit *test)
{
	struct domain_test *t = test->priv;
	struct phyr_domain_range *range;
	struct phyr_list *list;

	domain_test_create(test);
	list = domain_test_list(test, t->p2p, DOMAIN_BAR, 1, SZ_4K, 0);
	range = domain_test_map(test, list, DOMAIN_IOVA);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, range);
	mock.domain = NULL;
	mock_forget();
	kunit_warning_suppress(test) {
		domain_test_unmap(range);
		domain_test_try(test, list, DOMAIN_IOVA + SZ_4K, -ENODEV);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOMMU_UNMAP), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOMMU_FLUSH), 0);

	/* Not even if it is attached again. */
	mock.domain = &mock_iommu.domain;
	domain_test_try(test, list, DOMAIN_IOVA + SZ_4K, -ENODEV);
	iommu_unmap(&mock_iommu.domain, DOMAIN_IOVA, SZ_4K);
}

static void destroy_with_mappings_left(struct kunit *test)
{
	struct domain_test *t = test->priv;
	struct phyr_domain_range *ranges[3];
	struct phyr_list *list;
	int i;

	domain_test_create(test);
	list = domain_test_list(test, t->p2p, DOMAIN_BAR, 2, SZ_4K, SZ_64K);
	for (i = 0; i < 3; i++) {
		ranges[i] = domain_test_map(test, list, DOMAIN_IOVA + i * SZ_1M);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ranges[i]);
	}
	phyr_domain_get(t->space);
	mock_forget();
	kunit_warning_suppress(test) {
		kunit_release_action(test, domain_test_end_space, t->space);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_EQ(test, mock_iommu_pages(), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOMMU_FLUSH), 1);
	KUNIT_EXPECT_EQ(test, mock_iommu.claims, 1);

	/* The importer frees the domain now; nothing accesses it later. */
	mock.domain = NULL;
	domain_test_try(test, list, DOMAIN_IOVA, -ENODEV);
	for (i = 0; i < 3; i++)
		domain_test_unmap(ranges[i]);
	phyr_domain_put(t->space);
}

static struct kunit_case domain_test_cases[] = {
	KUNIT_CASE(create_without_iommu),
	KUNIT_CASE(create_in_a_shared_group),
	KUNIT_CASE(create_without_ownership),
	KUNIT_CASE(create_with_another_domain),
	KUNIT_CASE(create_with_large_pages_only),
	KUNIT_CASE(create_without_mask),
	KUNIT_CASE(create_no_memory),
	KUNIT_CASE(iova_reserved),
	KUNIT_CASE(iova_of_a_bar),
	KUNIT_CASE(iova_outside_the_inbound_windows),
	KUNIT_CASE(iova_beyond_aperture_or_mask),
	KUNIT_CASE(iova_at_the_top),
	KUNIT_CASE(iova_in_use),
	KUNIT_CASE(iova_in_use_by_the_importer),
	KUNIT_CASE(pages_are_the_largest),
	KUNIT_CASE(pages_of_random_lists),
	KUNIT_CASE(prot_of_each_memory),
	KUNIT_CASE(map_fails_at_each_step),
	KUNIT_CASE(map_fails_and_its_unmap),
	KUNIT_CASE(unmap_finds_less),
	KUNIT_CASE(unmap_fails),
	KUNIT_CASE(domain_is_detached_too_early),
	KUNIT_CASE(destroy_with_mappings_left),
	{}
};

static struct kunit_suite domain_test_suite = {
	.name = "phyr_domain",
	.init = domain_test_init,
	.test_cases = domain_test_cases,
};

kunit_test_suite(domain_test_suite);

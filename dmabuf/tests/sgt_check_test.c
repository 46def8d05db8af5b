// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: sgt_check.c, validation of a stock exporter's sg_table
 */
#include "redirect.h"
#include "../sgt_check.c"

#define CHECK_BAR	0xc0000000ULL
#define CHECK_LOOK_UPS	((SGT_CHECK_SEGMENTS + 1) * (SGT_CHECK_STEPS + 1))

static const struct dma_range check_dma[] = {
	{ 0x10000, 0x3000 },
	{ 0x900000000, 0x1000 },
	{ 0x40000, 0x20000 },
};

#define CHECK_SIZE	0x24000ULL

/**
 * struct check_domain - an IOMMU domain
 * @domain: the kernel's type
 * @ops: its operations
 * @mapped: what is mapped
 * @nr: entries in @mapped
 * @phys: physical address of each of @mapped; address bits are its lower bits
 * @look_ups: number of calls of iova_to_phys
 */
struct check_domain {
	struct iommu_domain domain;
	struct iommu_domain_ops ops;
	const struct dma_range *mapped;
	unsigned int nr;
	u64 phys;
	unsigned int look_ups;
};

static phys_addr_t check_iova_to_phys(struct iommu_domain *domain,
				      dma_addr_t iova)
{
	struct check_domain *check = container_of(domain, struct check_domain,
						  domain);
	unsigned int i;

	check->look_ups++;
	for (i = 0; i < check->nr; i++)
		if (iova >= check->mapped[i].addr &&
		    iova - check->mapped[i].addr < check->mapped[i].len)
			return check->phys + iova - check->mapped[i].addr;
	return 0;
}

/* Put an IOMMU before all devices, with @nr ranges of check_dma[] mapped. */
static struct check_domain *check_domain(struct kunit *test, unsigned int nr)
{
	struct check_domain *check;

	check = kunit_kzalloc(test, sizeof(*check), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, check);
	check->domain.type = IOMMU_DOMAIN_DMA;
	check->domain.ops = &check->ops;
	check->ops.iova_to_phys = check_iova_to_phys;
	check->mapped = check_dma;
	check->nr = nr;
	check->phys = SZ_1G;
	mock.iommu = true;
	mock.domain = &check->domain;
	return check;
}

static void check_free_table(void *sgt)
{
	(sg_free_table)(sgt);
}

/* A table of @nents segments; freed at the end of @test */
static struct sg_table *check_table(struct kunit *test, unsigned int nents,
				    const struct dma_range *dma)
{
	struct scatterlist *sg;
	struct sg_table *sgt;
	unsigned int i;

	sgt = kunit_kzalloc(test, sizeof(*sgt), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, sgt);
	KUNIT_ASSERT_EQ(test, (sg_alloc_table)(sgt, nents, GFP_KERNEL), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, check_free_table,
							sgt), 0);
	for_each_sgtable_dma_sg(sgt, sg, i) {
		sg_dma_address(sg) = dma[i].addr;
		sg_dma_len(sg) = dma[i].len;
	}
	return sgt;
}

static int check_of_size(struct sg_table *sgt, struct device *dev, u64 size)
{
	struct dma_buf dmabuf = { .size = size, .exp_name = "liar" };
	struct dma_buf_attachment attach = { .dmabuf = &dmabuf, .dev = dev };

	return phyr_sgt_check(sgt, &attach);
}

static int check(struct sg_table *sgt, struct device *dev)
{
	return check_of_size(sgt, dev, CHECK_SIZE);
}

/* A device drops the bits above its mask, whoever filled in the table. */
static void check_holds_addresses_against_the_mask(struct kunit *test)
{
	static const struct {
		u64 mask, bus_limit;
		int ret;
	} cases[] = {
		{ DMA_BIT_MASK(32), 0, -EREMOTEIO },
		{ 0x900000000 - 1, 0, -EREMOTEIO },
		{ 0x900000000 + SZ_4K - 2, 0, -EREMOTEIO },
		{ DMA_BIT_MASK(64), 0x900000000, -EREMOTEIO },
		{ 0x900000000 + SZ_4K - 1, 0, 0 },
		{ DMA_BIT_MASK(64), 0x900000000 + SZ_4K - 1, 0 },
	};
	struct device *dev = mock_device(test, "importer", 1);
	struct sg_table *sgt = check_table(test, 3, check_dma);
	int i;

	for (i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		mock.iommu = i & 1;
		*dev->dma_mask = cases[i / 2].mask;
		dev->bus_dma_limit = cases[i / 2].bus_limit;
		KUNIT_EXPECT_EQ_MSG(test, check(sgt, dev), cases[i / 2].ret,
				    "case %d", i / 2);
	}

	/* An entry that wraps around, and an empty one */
	*dev->dma_mask = DMA_BIT_MASK(64);
	dev->bus_dma_limit = 0;
	sg_dma_address(sg_next(sgt->sgl)) = -(u64)SZ_2K;
	KUNIT_EXPECT_EQ(test, check(sgt, dev), -EREMOTEIO);
	sg_dma_len(sg_next(sgt->sgl)) = 0;
	KUNIT_EXPECT_EQ(test, check_of_size(sgt, dev, CHECK_SIZE - SZ_4K), 0);
}

/* Nobody would sync a bounce buffer. */
static void check_refuses_bounce_buffers(struct kunit *test)
{
	struct device *dev = mock_device(test, "importer", DMA_BIT_MASK(64));
	struct sg_table *sgt = check_table(test, 3, check_dma);

	mock.need_sync = 0x900000000;
	KUNIT_EXPECT_EQ(test, check(sgt, dev), -EREMOTEIO);

	/* Behind an IOMMU the addresses of the pool mean nothing. */
	mock.iommu = true;
	KUNIT_EXPECT_EQ(test, check(sgt, dev), 0);

	/* On an incoherent device everything needs a sync. */
	mock.iommu = false;
	mock.coherent = false;
	KUNIT_EXPECT_EQ(test, check(sgt, dev), 0);
}

/* What an IOVA leads to may be a bounce buffer. */
static void check_refuses_mapped_bounce_buffers(struct kunit *test)
{
	struct device *dev = mock_device(test, "importer", DMA_BIT_MASK(64));
	struct sg_table *sgt = check_table(test, 3, check_dma);
	struct check_domain *domain = check_domain(test, 3);
	struct io_tlb_mem *pool = kunit_kzalloc(test, sizeof(*pool),
						GFP_KERNEL);
	struct io_tlb_mem *was = dev->dma_io_tlb_mem;

	pool->defpool.start = SZ_1G + 0x1f000;
	pool->defpool.end = SZ_1G + 0x20000;
	dev->dma_io_tlb_mem = pool;
	KUNIT_EXPECT_EQ(test, check(sgt, dev), -EREMOTEIO);
	domain->phys = SZ_2G;
	KUNIT_EXPECT_EQ(test, check(sgt, dev), 0);
	dev->dma_io_tlb_mem = NULL;
	KUNIT_EXPECT_EQ(test, check(sgt, dev), 0);
	dev->dma_io_tlb_mem = was;
}

static void check_accepts_what_is_mapped(struct kunit *test)
{
	struct device *dev = mock_device(test, "importer", DMA_BIT_MASK(64));
	struct sg_table *sgt = check_table(test, 3, check_dma);
	struct check_domain *domain = check_domain(test, 3);

	KUNIT_EXPECT_EQ(test, check(sgt, dev), 0);
	KUNIT_EXPECT_GE(test, domain->look_ups, 6);
	KUNIT_EXPECT_LE(test, domain->look_ups, 3 * (SGT_CHECK_STEPS + 1));

	/* Physical page 0 is a page like others. */
	domain->phys = 0;
	KUNIT_EXPECT_EQ(test, check(sgt, dev), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_NOTICE), 0);
}

/* Mapped up to some byte, from some byte, and with a hole */
static void check_refuses_what_is_not_mapped(struct kunit *test)
{
	static const struct dma_range lies[][2] = {
		{ { 0, 0 }, { 0, 0 } },
		{ { 0x10000, 0x1000 }, { 0, 0 } },
		{ { 0x10000, 0x7000 }, { 0, 0 } },
		{ { 0x11000, 0x7000 }, { 0, 0 } },
		{ { 0x10000, 0x2000 }, { 0x16000, 0x2000 } },
		{ { 0x410000, 0x8000 }, { 0, 0 } },
	};
	static const struct dma_range dma = { 0x10000, 0x8000 };
	struct device *dev = mock_device(test, "importer", DMA_BIT_MASK(64));
	struct sg_table *sgt = check_table(test, 1, &dma);
	struct check_domain *domain = check_domain(test, 2);
	int i;

	for (i = 0; i < ARRAY_SIZE(lies); i++) {
		domain->mapped = lies[i];
		KUNIT_EXPECT_EQ_MSG(test, check_of_size(sgt, dev, dma.len),
				    -EREMOTEIO, "case %d", i);
	}
	domain->mapped = &dma;
	domain->nr = 1;
	KUNIT_EXPECT_EQ(test, check_of_size(sgt, dev, dma.len), 0);
}

/* IOMMU drivers may drop the bits that their page tables have no place for. */
static void check_refuses_what_is_beyond_the_aperture(struct kunit *test)
{
	struct device *dev = mock_device(test, "importer", DMA_BIT_MASK(64));
	struct sg_table *sgt = check_table(test, 3, check_dma);
	struct check_domain *domain = check_domain(test, 3);
	struct iommu_domain_geometry *geometry = &domain->domain.geometry;

	*geometry = (struct iommu_domain_geometry) {
		.aperture_start = 0x10000,
		.aperture_end = 0x900000fff,
		.force_aperture = true,
	};
	KUNIT_EXPECT_EQ(test, check(sgt, dev), 0);
	geometry->aperture_end--;
	KUNIT_EXPECT_EQ(test, check(sgt, dev), -EREMOTEIO);
	geometry->aperture_end++;
	geometry->aperture_start++;
	KUNIT_EXPECT_EQ(test, check(sgt, dev), -EREMOTEIO);
	geometry->force_aperture = false;
	KUNIT_EXPECT_EQ(test, check(sgt, dev), 0);
}

/* Domains that say nothing about the DMA API's addresses */
static void check_leaves_other_domains_alone(struct kunit *test)
{
	struct device *dev = mock_device(test, "importer", DMA_BIT_MASK(64));
	struct sg_table *sgt = check_table(test, 3, check_dma);
	struct check_domain *domain = check_domain(test, 0);

	KUNIT_EXPECT_EQ(test, check(sgt, dev), -EREMOTEIO);
	domain->look_ups = 0;

	domain->domain.type = IOMMU_DOMAIN_UNMANAGED;
	KUNIT_EXPECT_EQ(test, check(sgt, dev), 0);
	domain->domain.type = IOMMU_DOMAIN_IDENTITY;
	KUNIT_EXPECT_EQ(test, check(sgt, dev), 0);
	domain->domain.type = IOMMU_DOMAIN_DMA;
	domain->ops.iova_to_phys = NULL;
	KUNIT_EXPECT_EQ(test, check(sgt, dev), 0);
	mock.domain = NULL;
	KUNIT_EXPECT_EQ(test, check(sgt, dev), 0);

	/* Not this domain, but physical addresses or operations of the bus */
	mock.domain = &domain->domain;
	domain->ops.iova_to_phys = check_iova_to_phys;
	mock.iommu = false;
	KUNIT_EXPECT_EQ(test, check(sgt, dev), 0);
	mock.other_ops = true;
	KUNIT_EXPECT_EQ(test, check(sgt, dev), 0);
	KUNIT_EXPECT_EQ(test, domain->look_ups, 0);
}

/*
 * Bus addresses: a device below two bridges. The inner one has a window of 16
 * MiB, the outer one of 64 MiB.
 */

/**
 * struct check_switch - a device below two bridges
 * @outer: bridge on the root bus, with a window of 64 MiB at CHECK_BAR
 * @inner: bridge below it, with a window of the first 16 MiB
 * @pdev: device below @inner
 * @dev: the same
 */
struct check_switch {
	struct pci_dev *outer;
	struct pci_dev *inner;
	struct pci_dev *pdev;
	struct device *dev;
};

static struct check_switch check_switch(struct kunit *test)
{
	struct check_switch sw;

	sw.outer = mock_pci_dev(test, "outer", mock_pci_bus(test, NULL), 0);
	sw.inner = mock_pci_dev(test, "inner", mock_pci_bus(test, sw.outer), 0);
	sw.pdev = mock_pci_dev(test, "importer", mock_pci_bus(test, sw.inner),
			       DMA_BIT_MASK(64));
	sw.dev = &sw.pdev->dev;
	mock_pci_bar(sw.outer, PCI_BRIDGE_PREF_MEM_WINDOW, CHECK_BAR, SZ_64M);
	mock_pci_bar(sw.inner, PCI_BRIDGE_PREF_MEM_WINDOW, CHECK_BAR, SZ_16M);
	sw.outer->acs_cap = 0x100;
	sw.inner->acs_cap = 0x140;
	sw.pdev->acs_cap = 0x180;
	return sw;
}

static int check_segment_at(struct kunit *test, struct device *dev, u64 addr)
{
	const struct dma_range dma = { addr, SZ_1M };
	struct sg_table *sgt = check_table(test, 1, &dma);

	return check_of_size(sgt, dev, dma.len);
}

static void check_accepts_bus_addresses(struct kunit *test)
{
	static const struct {
		u64 addr;
		int ret;
	} cases[] = {
		{ CHECK_BAR, 0 },
		{ CHECK_BAR + SZ_64M - SZ_1M, 0 },
		{ CHECK_BAR - SZ_4K, -EREMOTEIO },
		{ CHECK_BAR + SZ_64M - SZ_1M + SZ_4K, -EREMOTEIO },
		{ CHECK_BAR + SZ_64M, -EREMOTEIO },
	};
	struct check_domain *domain = check_domain(test, 3);
	struct check_switch sw = check_switch(test);
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test, check_segment_at(test, sw.dev,
							   cases[i].addr),
				    cases[i].ret, "case %d", i);

	/* The other window; and the one that is no memory */
	swap(sw.outer->resource[PCI_BRIDGE_PREF_MEM_WINDOW],
	     sw.outer->resource[PCI_BRIDGE_MEM_WINDOW]);
	KUNIT_EXPECT_EQ(test, check_segment_at(test, sw.dev, CHECK_BAR), 0);
	swap(sw.outer->resource[PCI_BRIDGE_IO_WINDOW],
	     sw.outer->resource[PCI_BRIDGE_MEM_WINDOW]);
	KUNIT_EXPECT_EQ(test, check_segment_at(test, sw.dev, CHECK_BAR),
			-EREMOTEIO);
	/* Bus addresses are not looked up. */
	KUNIT_EXPECT_EQ(test, domain->look_ups, 4);
}

static void check_translates_windows_to_the_bus(struct kunit *test)
{
	struct check_switch sw = check_switch(test);

	check_domain(test, 0);
	mock.window_offset = SZ_1G;
	KUNIT_EXPECT_EQ(test, check_segment_at(test, sw.dev, CHECK_BAR),
			-EREMOTEIO);
	KUNIT_EXPECT_EQ(test, check_segment_at(test, sw.dev, CHECK_BAR - SZ_1G),
			0);
}

static void check_ignores_windows_that_are_off(struct kunit *test)
{
	static const unsigned long off[] = {
		IORESOURCE_UNSET, IORESOURCE_DISABLED, IORESOURCE_MEM,
	};
	struct check_switch sw = check_switch(test);
	struct resource *res;
	int i;

	check_domain(test, 0);
	res = pci_resource_n(sw.outer, PCI_BRIDGE_PREF_MEM_WINDOW);
	for (i = 0; i < ARRAY_SIZE(off); i++) {
		res->flags ^= off[i];
		KUNIT_EXPECT_EQ_MSG(test, check_segment_at(test, sw.dev,
							   CHECK_BAR),
				    -EREMOTEIO, "case %d", i);
		res->flags ^= off[i];
	}
}

/* A port that redirects sends peer traffic up to the IOMMU. */
static void check_stops_where_traffic_is_redirected(struct kunit *test)
{
	struct check_switch sw = check_switch(test);

	check_domain(test, 0);
	mock.redirects = sw.pdev;
	KUNIT_EXPECT_EQ(test, check_segment_at(test, sw.dev, CHECK_BAR),
			-EREMOTEIO);
	/* Peers below the same bridge */
	mock.redirects = sw.inner;
	KUNIT_EXPECT_EQ(test, check_segment_at(test, sw.dev, CHECK_BAR), 0);
	KUNIT_EXPECT_EQ(test, check_segment_at(test, sw.dev,
					       CHECK_BAR + SZ_16M),
			-EREMOTEIO);
	mock.redirects = sw.outer;
	KUNIT_EXPECT_EQ(test, check_segment_at(test, sw.dev,
					       CHECK_BAR + SZ_16M), 0);
	/* Without the capability nothing redirects. */
	mock.redirects = sw.pdev;
	sw.pdev->acs_cap = 0;
	KUNIT_EXPECT_EQ(test, check_segment_at(test, sw.dev, CHECK_BAR), 0);
}

static void check_knows_no_bus_address_without_a_bridge(struct kunit *test)
{
	struct device *dev = mock_device(test, "platform", DMA_BIT_MASK(64));
	struct pci_dev *pdev = mock_pci_dev(test, "root",
					    mock_pci_bus(test, NULL),
					    DMA_BIT_MASK(64));

	check_domain(test, 0);
	mock_pci_bar(pdev, 2, CHECK_BAR, SZ_64M);
	KUNIT_EXPECT_EQ(test, check_segment_at(test, dev, CHECK_BAR),
			-EREMOTEIO);
	KUNIT_EXPECT_EQ(test, check_segment_at(test, &pdev->dev, CHECK_BAR),
			-EREMOTEIO);
}

static void check_adds_the_lengths_up(struct kunit *test)
{
	static const struct dma_range large[] = {
		{ 0x100000000, 0xfffff000 },
		{ 0x300000000, 0xfffff000 },
		{ 0x500000000, 0x2000 },
	};
	struct device *dev = mock_device(test, "importer", DMA_BIT_MASK(64));
	struct sg_table *sgt = check_table(test, 3, large);
	u64 size = 2 * SZ_4G;

	KUNIT_EXPECT_EQ(test, check_of_size(sgt, dev, size), 0);
	KUNIT_EXPECT_EQ(test, check_of_size(sgt, dev, size - 1), 0);
	KUNIT_EXPECT_EQ(test, check_of_size(sgt, dev, size + 1), -EINVAL);
	sg_dma_len(sgt->sgl) = 0;
	KUNIT_EXPECT_EQ(test, check_of_size(sgt, dev, size), -EINVAL);
	sgt->nents = 0;
	KUNIT_EXPECT_EQ(test, check_of_size(sgt, dev, size), -EINVAL);
	check_domain(test, 0);
	KUNIT_EXPECT_EQ(test, check_of_size(sgt, dev, size), -EINVAL);
	sgt->nents = 3;
}

/* Whatever the table, the cost of the look-ups has a limit. */
static void check_looks_a_sample_up(struct kunit *test)
{
	static const struct dma_range mapped = { SZ_1G, SZ_64K };
	const unsigned int nents[] = { 1, 255, 256, 257, 511, 513, 262144 };
	struct device *dev = mock_device(test, "importer", DMA_BIT_MASK(64));
	struct check_domain *domain = check_domain(test, 1);
	struct sg_table *sgt = kunit_kzalloc(test, sizeof(*sgt), GFP_KERNEL);
	struct scatterlist *sg;
	int i, n;

	KUNIT_ASSERT_NOT_NULL(test, sgt);
	domain->mapped = &mapped;
	for (n = 0; n < ARRAY_SIZE(nents); n++) {
		KUNIT_ASSERT_EQ(test, (sg_alloc_table)(sgt, nents[n],
						       GFP_KERNEL), 0);
		for_each_sgtable_dma_sg(sgt, sg, i) {
			sg_dma_address(sg) = mapped.addr;
			sg_dma_len(sg) = mapped.len;
		}
		domain->look_ups = 0;
		KUNIT_EXPECT_EQ(test, check_of_size(sgt, dev,
						    nents[n] * mapped.len), 0);
		KUNIT_EXPECT_LE(test, domain->look_ups, CHECK_LOOK_UPS);
		KUNIT_EXPECT_GE(test, domain->look_ups,
				min(nents[n], SGT_CHECK_SEGMENTS / 2));

		/* The first and the last one are in the sample. */
		sg_dma_address(sgt->sgl) = SZ_2G;
		KUNIT_EXPECT_EQ(test, check_of_size(sgt, dev, 1), -EREMOTEIO);
		sg_dma_address(sgt->sgl) = mapped.addr;
		sg_dma_address(sg_last(sgt->sgl, nents[n])) = SZ_2G;
		KUNIT_EXPECT_EQ(test, check_of_size(sgt, dev, 1), -EREMOTEIO);
		(sg_free_table)(sgt);
	}
}

/* Up to this length every segment is. */
static void check_looks_all_of_a_short_table_up(struct kunit *test)
{
	static const struct dma_range mapped = { SZ_1G, SZ_4K };
	struct device *dev = mock_device(test, "importer", DMA_BIT_MASK(64));
	struct check_domain *domain = check_domain(test, 1);
	struct scatterlist *sg;
	struct sg_table *sgt;
	struct dma_range *dma;
	int i;

	dma = kunit_kcalloc(test, SGT_CHECK_SEGMENTS, sizeof(*dma), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, dma);
	for (i = 0; i < SGT_CHECK_SEGMENTS; i++)
		dma[i] = mapped;
	sgt = check_table(test, SGT_CHECK_SEGMENTS, dma);
	domain->mapped = &mapped;
	for_each_sgtable_dma_sg(sgt, sg, i) {
		sg_dma_address(sg) = SZ_2G;
		KUNIT_EXPECT_EQ_MSG(test, check_of_size(sgt, dev, 1),
				    -EREMOTEIO, "segment %d", i);
		sg_dma_address(sg) = mapped.addr;
	}
	KUNIT_EXPECT_EQ(test, check_of_size(sgt, dev, 1), 0);
}

/* Everybody may read the kernel log. */
static void check_logs_the_exporter_and_no_address(struct kunit *test)
{
	struct device *dev = mock_device(test, "importer", DMA_BIT_MASK(64));
	struct sg_table *sgt = check_table(test, 3, check_dma);
	struct check_domain *domain = check_domain(test, 0);

	KUNIT_EXPECT_EQ(test, check(sgt, dev), -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_NOTICE), 1);
	KUNIT_EXPECT_NOT_NULL(test, strstr(mock.notice, "dma-buf of liar: "));
	KUNIT_EXPECT_NULL(test, strpbrk(mock.notice, "0123456789"));

	domain->nr = 3;
	KUNIT_EXPECT_EQ(test, check_of_size(sgt, dev, SZ_1M), -EINVAL);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_NOTICE), 2);
	KUNIT_EXPECT_NOT_NULL(test, strstr(mock.notice, "dma-buf of liar: "));
	KUNIT_EXPECT_NULL(test, strpbrk(mock.notice, "0123456789"));
}

static struct kunit_case check_test_cases[] = {
	KUNIT_CASE(check_holds_addresses_against_the_mask),
	KUNIT_CASE(check_refuses_bounce_buffers),
	KUNIT_CASE(check_refuses_mapped_bounce_buffers),
	KUNIT_CASE(check_accepts_what_is_mapped),
	KUNIT_CASE(check_refuses_what_is_not_mapped),
	KUNIT_CASE(check_refuses_what_is_beyond_the_aperture),
	KUNIT_CASE(check_leaves_other_domains_alone),
	KUNIT_CASE(check_accepts_bus_addresses),
	KUNIT_CASE(check_translates_windows_to_the_bus),
	KUNIT_CASE(check_ignores_windows_that_are_off),
	KUNIT_CASE(check_stops_where_traffic_is_redirected),
	KUNIT_CASE(check_knows_no_bus_address_without_a_bridge),
	KUNIT_CASE(check_adds_the_lengths_up),
	KUNIT_CASE(check_looks_a_sample_up),
	KUNIT_CASE(check_looks_all_of_a_short_table_up),
	KUNIT_CASE(check_logs_the_exporter_and_no_address),
	{}
};

static struct kunit_suite check_test_suite = {
	.name = "phyr_sgt_check",
	.init = mock_init,
	.test_cases = check_test_cases,
};

kunit_test_suite(check_test_suite);

// SPDX-License-Identifier: MIT
/* A region's table against the exporter's memory. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "subtests.h"

/* The physical address of byte @at of a list. */
static uint64_t phys_at(const struct phyr_vec *vecs, size_t nr, uint64_t at)
{
	for (size_t i = 0; i < nr; i++) {
		if (at < vecs[i].len)
			return vecs[i].paddr + at;
		at -= vecs[i].len;
	}
	igt_assert_f(false, "beyond the end of the list\n");
	return 0;
}

/**
 * struct pages - DMA addresses of the pages of a region
 * @addr: by page
 * @nr: number of @addr
 */
struct pages {
	uint64_t *addr;
	uint64_t nr;
};

/* The pages that a region touches, as its table has them. */
static struct pages table_pages(const struct region_table *table, uint64_t len)
{
	uint64_t start = table->first / SZ_4K;
	uint64_t end = (table->first + len + SZ_4K - 1) / SZ_4K;
	struct pages pages = {
		.addr = calloc(end - start, sizeof(*pages.addr)),
		.nr = end - start,
	};

	igt_assert(pages.addr);
	for (uint64_t i = 0; i < pages.nr; i++) {
		uint64_t pos = (start + i) * SZ_4K;

		igt_assert_lte_u64(pos / table->page_size + 1, table->nr);
		pages.addr[i] = table->block[pos / table->page_size] +
				pos % table->page_size;
	}
	return pages;
}

/*
 * Only edu shares the card's switch. Its bus addresses are those of the memory
 * and are never translated.
 */
static bool is_translated(const struct phyr_rdma_reg *reg)
{
	return iommu_is_on() &&
	       !(is_on_switch() && reg->device == PHYR_RDMA_EDU);
}

static void assert_phys(const struct phyr_rdma_reg *reg,
			const struct pages *pages, const struct phyr_vec *vecs,
			size_t nr)
{
	struct phyr_rdma_phys phys = { .device = reg->device, .nr = pages->nr };
	uint64_t *addr = malloc(pages->nr * sizeof(*addr));
	uint64_t page = reg->offset / SZ_4K * SZ_4K;

	igt_assert(addr);
	memcpy(addr, pages->addr, pages->nr * sizeof(*addr));
	phys.addrs = (uintptr_t)addr;
	if (is_translated(reg))
		igt_assert_eq(phyr_ioctl(rdma, PHYR_RDMA_IOC_PHYS, &phys), 0);
	for (uint64_t i = 0; i < pages->nr; i++) {
		uint64_t want = phys_at(vecs, nr, page + i * SZ_4K);

		igt_assert_f(addr[i] == want,
			     "page %" PRIu64 " of %" PRIu64 ": DMA address %#"
			     PRIx64 " is %#" PRIx64 ", expected %#" PRIx64 "\n",
			     i, pages->nr, pages->addr[i], addr[i], want);
	}
	free(addr);
}

/* Whether blocks of @size, from the first page on, can describe @pages. */
static bool size_fits(const struct pages *pages, uint64_t size)
{
	uint64_t block = 0;

	for (uint64_t i = 0; i < pages->nr; i++) {
		uint64_t in_block = i * SZ_4K % size;

		if (!in_block)
			block = pages->addr[i];
		if (pages->addr[i] - in_block != block || block % size)
			return false;
	}
	return true;
}

static uint64_t count_blocks(const struct phyr_rdma_reg *reg, uint64_t size)
{
	return (reg->offset % SZ_4K + reg->len + size - 1) / size;
}

/* Register with one page size, or with several. */
static void assert_sizes(struct phyr_rdma_reg reg, uint64_t sizes, bool fits,
			 const struct phyr_vec *vecs, size_t nr,
			 struct region_table *table)
{
	struct pages pages;
	int err;

	reg.page_sizes = sizes;
	err = try_register_region(&reg);
	if (!err)
		err = try_region_table(reg.id, table);
	igt_assert_f(err == (fits ? 0 : -EOPNOTSUPP),
		     "page sizes %#" PRIx64 ": %s\n", sizes, strerror(-err));
	if (err) {
		/* Only a dynamic region reports it after its registration. */
		if (reg.kind == PHYR_RDMA_DYNAMIC)
			deregister_region(reg.id);
		return;
	}
	igt_assert(sizes & table->page_size);
	igt_assert_eq_u64(table->first, reg.offset % SZ_4K);
	igt_assert_eq_u64(table->nr, count_blocks(&reg, table->page_size));
	pages = table_pages(table, reg.len);
	assert_phys(&reg, &pages, vecs, nr);
	free(pages.addr);
	deregister_region(reg.id);
}

static struct pages small_pages(struct phyr_rdma_reg reg)
{
	struct pages pages;
	struct region_table table;

	reg.page_sizes = SZ_4K;
	igt_assert_eq(try_register_region(&reg), 0);
	igt_assert_eq(try_region_table(reg.id, &table), 0);
	pages = table_pages(&table, reg.len);
	region_table_free(&table);
	deregister_region(reg.id);
	return pages;
}

void assert_part(struct phyr_rdma_reg reg, const struct phyr_vec *vecs,
		 size_t nr)
{
	struct pages pages = small_pages(reg);
	uint64_t fewest = ~0ull;
	struct region_table table;

	/*
	 * Each registration may get another IOVA, aligned to the size of the
	 * dma-buf: larger pages may fit one and not the next.
	 */
	for (uint64_t size = SZ_4K; size <= SZ_4K << 18; size *= 2) {
		if (is_translated(&reg) && size > reg.len)
			break;
		assert_sizes(reg, size, size_fits(&pages, size), vecs, nr,
			     &table);
		if (!size_fits(&pages, size))
			continue;
		if (table.nr < fewest)
			fewest = table.nr;
		region_table_free(&table);
	}
	assert_sizes(reg, ALL_PAGE_SIZES, true, vecs, nr, &table);
	igt_assert_lte_u64(table.nr, fewest);
	igt_info("offset %#llx, %#llx bytes: %" PRIu64 " blocks of %" PRIu64
		 " KiB\n", reg.offset, reg.len, table.nr,
		 table.page_size / 1024);
	region_table_free(&table);
	free(pages.addr);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Conversion between sg_table and the two lists
 *
 * An sg_table holds two lists in one array, with 32-bit lengths: CPU entries
 * (pages; orig_nents of them) and DMA entries (DMA addresses; nents of them).
 *
 * A phyr importer walks the DMA entries of a stock exporter's table through a
 * dma_range_list like any other mapping. The CPU entries are never read: a
 * dma-buf's pages are its exporter's.
 *
 * An importer that needs a table of a phyr dma-buf gets the DMA entries from
 * the dma_range_list and the CPU entries from the phyr list (phyr_sgt_create()).
 * System memory has its pages, as from every other exporter; an entry of
 * page-less memory has neither page nor length, so that walks of the pages skip
 * it. If there is no system memory, there are no CPU entries at all.
 *
 * Where each extent is mapped separately (without an IOMMU, or for a device
 * that is not coherent), CPU and DMA entries are one to one: dma-direct syncs
 * the length of a CPU entry at its DMA address, so dma_sync_sgtable_for_cpu()
 * and dma_sync_sgtable_for_device() work on the table. Behind an IOMMU there
 * are fewer DMA entries, as after dma_map_sgtable().
 *
 * sg_free_table() frees orig_nents entries, so that is set to the size of the
 * array before the free.
 *
 * phyr_list_to_sgt() and phyr_list_from_sgt() convert a phyr list of system
 * memory, for drivers whose other code takes tables. The idea is sg_map_phyrs()
 * of Matthew Wilcox's phyr proposal (2022).
 */
#include <linux/dma-map-ops.h>
#include <linux/export.h>
#include <linux/math64.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "internal.h"

/**
 * dma_range_list_from_sgt - wrap a mapped sg_table in a dma_range_list
 * @sgt: table that is mapped for the device. The caller keeps ownership and
 *	must keep it mapped until dma_range_list_free()
 * @limits: segment limits that the cursor applies, or NULL
 *
 * Context: may sleep.
 * Return: the list, or ERR_PTR: -EINVAL for a table without DMA segments,
 * -ENOMEM.
 */
struct dma_range_list *
dma_range_list_from_sgt(struct sg_table *sgt, const struct phyr_limits *limits)
{
	struct dma_range_list *ranges;
	struct scatterlist *sg;
	u64 len = 0;
	int i;

	for_each_sgtable_dma_sg(sgt, sg, i)
		len += sg_dma_len(sg);
	if (!len)
		return ERR_PTR(-EINVAL);

	ranges = dma_range_list_alloc(limits);
	if (!ranges)
		return ERR_PTR(-ENOMEM);

	ranges->len = len;
	ranges->first.mode = PHYR_MAP_SGT;
	ranges->first.len = len;
	ranges->first.sgt = sgt;
	ranges->segments = &ranges->first;
	if (dma_range_segment_create_index(&ranges->first, sgt->nents)) {
		dma_range_list_free(ranges);
		return ERR_PTR(-ENOMEM);
	}
	return ranges;
}
EXPORT_SYMBOL_NS_GPL(dma_range_list_from_sgt, "PHYR");

/**
 * phyr_sgt_has_pages - test whether a stock exporter's table is of RAM
 * @sgt: table that is mapped
 *
 * With CONFIG_DMABUF_DEBUG the dma-buf core hides the pages of every table;
 * exporters are trusted then.
 *
 * Context: may sleep.
 * Return: true if the whole table has pages, and none of them is a device's.
 */
bool phyr_sgt_has_pages(struct sg_table *sgt)
{
	struct scatterlist *sg;
	int i;

	if (IS_ENABLED(CONFIG_DMABUF_DEBUG))
		return true;
	if (!sgt->orig_nents)
		return false;

	for_each_sgtable_sg(sgt, sg, i) {
		if (!sg_page(sg) || is_zone_device_page(sg_page(sg)))
			return false;
		cond_resched();
	}
	return true;
}

/**
 * struct phyr_sgt - an sg_table converted from a dma_range_list
 * @sgt: the table, for the importer
 * @ranges: the list
 * @entries: size of the table's array
 */
struct phyr_sgt {
	struct sg_table sgt;
	struct dma_range_list *ranges;
	unsigned int entries;
};

/* The longest entry: the most pages whose bytes a 32-bit length counts */
#define PHYR_SG_MAX_LEN	ALIGN_DOWN((u64)UINT_MAX, PAGE_SIZE)

/*
 * Bytes of the entry that starts at @addr, of @left bytes. An entry of a long
 * extent ends with a page, wherever it starts: the entries of a table share no
 * page, so that a walk of the pages sees each once. No sum of offset and length
 * exceeds 32 bits, in which that walk adds them.
 */
static unsigned int phyr_sg_len(u64 addr, u64 left)
{
	return min(left, PHYR_SG_MAX_LEN - offset_in_page(addr));
}

/* Entries of @len bytes at @addr; @len is not 0. */
static u64 phyr_sg_count(u64 addr, u64 len)
{
	return div_u64(offset_in_page(addr) + len - 1, PHYR_SG_MAX_LEN) + 1;
}

/* CPU entries that a list needs: one per extent, more for a very long one */
static u64 phyr_sgt_count_pages(const struct phyr_list *list)
{
	struct phyr_cursor cursor;
	struct phys_vec vec;
	u64 count = 0;

	phyr_cursor_init(&cursor, list, 0, phyr_list_size(list));
	while (phyr_next(&cursor, &vec, NULL)) {
		count += phyr_sg_count(vec.paddr, vec.len);
		cond_resched();
	}
	return count;
}

/* DMA entries; an address has the offset in the page that the memory has. */
static u64 phyr_sgt_count_dma(const struct dma_range_list *ranges)
{
	struct dma_range_cursor cursor;
	struct dma_range range;
	u64 count = 0;

	dma_range_cursor_init(&cursor, ranges, 0);
	while (dma_range_next(&cursor, &range, 1)) {
		count += phyr_sg_count(range.addr, range.len);
		cond_resched();
	}
	return count;
}

/*
 * A pfn finds the struct page of each page of an entry, and the entry names the
 * first one only.
 */
static_assert(!IS_ENABLED(CONFIG_SPARSEMEM) ||
	      IS_ENABLED(CONFIG_SPARSEMEM_VMEMMAP));

/* Fill in the CPU entries of one extent. Returns the entry behind them. */
static struct scatterlist *phyr_sgt_set_pages(struct scatterlist *sg,
					      const struct phyr_mem *mem,
					      struct phys_vec vec)
{
	unsigned int len;

	for (; vec.len; vec.paddr += len, vec.len -= len) {
		len = phyr_sg_len(vec.paddr, vec.len);
		if (mem->kind == PHYR_MEM_RAM)
			sg_set_page(sg, pfn_to_page(PHYS_PFN(vec.paddr)), len,
				    offset_in_page(vec.paddr));
		else
			sg_set_page(sg, NULL, 0, 0);
		sg = sg_next(sg);
	}
	return sg;
}

static void phyr_sgt_fill_pages(struct scatterlist *sg,
				const struct phyr_list *list)
{
	struct phyr_cursor cursor;
	struct phyr_mem *mem;
	struct phys_vec vec;

	phyr_cursor_init(&cursor, list, 0, phyr_list_size(list));
	while (phyr_next(&cursor, &vec, &mem)) {
		sg = phyr_sgt_set_pages(sg, mem, vec);
		cond_resched();
	}
}

static void phyr_sgt_fill_dma(struct scatterlist *sg,
			      const struct dma_range_list *ranges)
{
	struct dma_range_cursor cursor;
	struct dma_range range;
	unsigned int len;

	dma_range_cursor_init(&cursor, ranges, 0);
	while (dma_range_next(&cursor, &range, 1)) {
		for (; range.len; range.addr += len, range.len -= len) {
			len = phyr_sg_len(range.addr, range.len);
			sg_dma_address(sg) = range.addr;
			sg_dma_len(sg) = len;
			sg = sg_next(sg);
		}
		cond_resched();
	}
}

/*
 * CPU entries of a mapping's table. A device that is not coherent gets none of
 * a mixed list: for its sync the cache operations of some architectures touch
 * one line even of an entry of length 0, and page-less memory has no kernel
 * address. Nor do those where an entry has one length for both lists.
 */
static u64 phyr_sgt_count_cpu(const struct dma_range_list *ranges)
{
	const struct phyr_list *list = ranges->list;

	if (!list || !phyr_list_has_pages(list))
		return 0;
	if (phyr_list_is_pageless(list) &&
	    (!dev_is_dma_coherent(ranges->dev) ||
	     !IS_ENABLED(CONFIG_NEED_SG_DMA_LENGTH)))
		return 0;
	return phyr_sgt_count_pages(list);
}

/**
 * phyr_sgt_create - convert a mapping to a table
 * @ranges: mapping of a whole phyr list; owned by the table on success
 *
 * Context: may sleep.
 * Return: the table, to be freed by phyr_sgt_destroy(), or ERR_PTR: -ENOMEM,
 * -EOVERFLOW for more ranges or extents than a table can hold.
 */
struct sg_table *phyr_sgt_create(struct dma_range_list *ranges)
{
	u64 dma = phyr_sgt_count_dma(ranges);
	u64 cpu = phyr_sgt_count_cpu(ranges);
	struct phyr_sgt *table;
	u64 entries;
	int ret;

	entries = max(dma, cpu);
	if (overflows_type(entries, table->entries))
		return ERR_PTR(-EOVERFLOW);

	table = kzalloc_obj(*table, GFP_KERNEL_ACCOUNT);
	if (!table)
		return ERR_PTR(-ENOMEM);

	table->entries = entries;
	ret = sg_alloc_table(&table->sgt, entries, GFP_KERNEL_ACCOUNT);
	if (ret) {
		kfree(table);
		return ERR_PTR(ret);
	}

	/* In this order: without NEED_SG_DMA_LENGTH there is one length. */
	if (cpu)
		phyr_sgt_fill_pages(table->sgt.sgl, ranges->list);
	phyr_sgt_fill_dma(table->sgt.sgl, ranges);
	table->sgt.nents = dma;
	table->sgt.orig_nents = cpu;
	table->ranges = ranges;
	ranges->table = &table->sgt;
	return &table->sgt;
}

/**
 * phyr_sgt_destroy - free a table
 * @sgt: table returned by phyr_sgt_create()
 *
 * Context: may sleep.
 * Return: the list it was created from; the caller owns it again.
 */
struct dma_range_list *phyr_sgt_destroy(struct sg_table *sgt)
{
	struct phyr_sgt *table = container_of(sgt, struct phyr_sgt, sgt);
	struct dma_range_list *ranges = table->ranges;

	ranges->table = NULL;
	sgt->orig_nents = table->entries;
	sg_free_table(sgt);
	kfree(table);
	return ranges;
}

/**
 * phyr_list_to_sgt - allocate and fill an sg_table for a list
 * @list: finished list of system memory
 * @sgt: out: the table, with one entry per extent, or per 4 GiB of one; to be
 *	freed by sg_free_table()
 *
 * The table is not mapped: dma_map_sgtable() and all that follows work on it as
 * on a table of sg_alloc_table_from_pages(). It holds no reference to @list or
 * to the pages. The idea is sg_map_phyrs() of Matthew Wilcox's phyr proposal
 * (2022).
 *
 * Context: may sleep.
 * Return: 0; -EOPNOTSUPP if @list has page-less memory, which only a mapping
 * can describe in a table; -EOVERFLOW for more entries than a table can hold;
 * -ENOMEM.
 */
int phyr_list_to_sgt(const struct phyr_list *list, struct sg_table *sgt)
{
	u64 count;
	int ret;

	if (phyr_list_is_pageless(list))
		return -EOPNOTSUPP;

	count = phyr_sgt_count_pages(list);
	if (overflows_type(count, sgt->nents))
		return -EOVERFLOW;

	ret = sg_alloc_table(sgt, count, GFP_KERNEL_ACCOUNT);
	if (!ret)
		phyr_sgt_fill_pages(sgt->sgl, list);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(phyr_list_to_sgt, "PHYR_EXPORTER");

/*
 * Append the whole pages of a CPU entry. @end is the first byte behind the
 * entry before it, 0 for none: only the table's first byte may start inside a
 * page, only its last one may end there, and an entry may continue the one
 * before it.
 */
static int phyr_list_append_sg(struct phyr_list *list, struct phyr_mem *ram,
			       struct scatterlist *sg, u64 *end)
{
	struct page *page = sg_page(sg);
	u64 start, from, to;

	if (!page || is_zone_device_page(page))
		return -EINVAL;

	start = sg_phys(sg);
	from = round_down(start, PAGE_SIZE);
	if (start == *end)
		from = round_up(start, PAGE_SIZE);
	else if (*end && !PAGE_ALIGNED(start | *end))
		return -EINVAL;
	*end = start + sg->length;
	to = round_up(*end, PAGE_SIZE);
	return from < to ? phyr_list_append(list, ram, from, to - from) : 0;
}

static int phyr_list_fill_from_sgt(struct phyr_list *list,
				   struct phyr_mem *ram, struct sg_table *sgt)
{
	u64 skip = 0, size = 0, end = 0;
	struct scatterlist *sg;
	unsigned int i;
	int ret;

	for_each_sgtable_sg(sgt, sg, i) {
		if (!sg->length)
			continue;
		if (!size)
			skip = offset_in_page(sg->offset);
		ret = phyr_list_append_sg(list, ram, sg, &end);
		if (ret)
			return ret;
		size += sg->length;
		cond_resched();
	}
	return phyr_list_finish_composed(list, skip, size);
}

/**
 * phyr_list_from_sgt - create a list of the pages of an sg_table
 * @ram: memory returned by phyr_mem_create_ram()
 * @sgt: the caller's own table, with pages; need not be mapped. Never a
 *	dma-buf's: the pages of an imported buffer belong to its exporter, which
 *	moves or revokes them without looking at page references
 *
 * A composed list: the table may start and end inside a page and may have a
 * page more than once. The list takes no reference to the pages: the caller
 * keeps them until the list's last reference is gone, which
 * phyr_list_set_release() tells.
 *
 * Context: may sleep.
 * Return: a finished list with one reference, or ERR_PTR: -EINVAL if @ram is not
 * system memory, or if @sgt has no bytes, an entry without a page or with one
 * of a device, or a gap inside a page; -ENOMEM.
 */
struct phyr_list *phyr_list_from_sgt(struct phyr_mem *ram, struct sg_table *sgt)
{
	struct phyr_list *list;
	int ret;

	if (ram->kind != PHYR_MEM_RAM)
		return ERR_PTR(-EINVAL);

	list = phyr_list_create();
	if (IS_ERR(list))
		return list;

	ret = phyr_list_fill_from_sgt(list, ram, sgt);
	if (ret) {
		phyr_list_put(list);
		return ERR_PTR(ret);
	}
	return list;
}
EXPORT_SYMBOL_NS_GPL(phyr_list_from_sgt, "PHYR_EXPORTER");

// SPDX-License-Identifier: GPL-2.0
/*
 * phyr_cpu_map: the CPU's access to a piece of a phyr list
 *
 * For exporters and for drivers that pin user memory. Nothing here takes an
 * address of the linear map, which page-less memory does not have: RAM is mapped
 * page by page, a BAR or a carve-out for the moment, as its phyr_mem says that
 * the CPU maps it. The caller keeps the memory in place meanwhile, by the
 * reservation lock or a pin.
 *
 * Cache maintenance for devices that are not coherent is not done here, but by
 * begin_cpu_access and end_cpu_access of the dma-buf (cpu_access.c).
 */
#include <linux/export.h>
#include <linux/highmem.h>
#include <linux/io.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sizes.h>

#include "internal.h"

/* Address space and page tables that one mapping takes at most. */
#define PHYR_CPU_MAP_MAX	SZ_64K

/* Bytes on the stack, to copy between two BARs. */
#define PHYR_CPU_BOUNCE		256

static int phyr_cpu_map_ram(phys_addr_t paddr, u64 len,
			    struct phyr_cpu_map *map)
{
	map->page = kmap_local_page(pfn_to_page(PHYS_PFN(paddr)));
	iosys_map_set_vaddr(&map->map, map->page + offset_in_page(paddr));
	map->len = min_t(u64, len, PAGE_SIZE - offset_in_page(paddr));
	return 0;
}

static int phyr_cpu_map_io(const struct phyr_mem *mem, phys_addr_t paddr,
			   u64 len, struct phyr_cpu_map *map)
{
	map->len = min_t(u64, len, PHYR_CPU_MAP_MAX);
	if (mem->cache == PHYR_MEM_WC)
		map->io = ioremap_wc(paddr, map->len);
	else
		map->io = ioremap(paddr, map->len);
	if (!map->io)
		return -ENOMEM;
	iosys_map_set_vaddr_iomem(&map->map, map->io);
	return 0;
}

/* Uncached, it is for I/O accessors: plain ones may be unaligned. */
static int phyr_cpu_map_carveout(const struct phyr_mem *mem, phys_addr_t paddr,
				 u64 len, struct phyr_cpu_map *map)
{
	if (mem->cache != PHYR_MEM_WC)
		return phyr_cpu_map_io(mem, paddr, len, map);

	map->len = min_t(u64, len, PHYR_CPU_MAP_MAX);
	map->wc = memremap(paddr, map->len, MEMREMAP_WC);
	if (!map->wc)
		return -ENOMEM;
	iosys_map_set_vaddr(&map->map, map->wc);
	return 0;
}

static int phyr_cpu_map_vec(const struct phyr_mem *mem,
			    const struct phys_vec *vec, u64 len,
			    struct phyr_cpu_map *map)
{
	*map = (struct phyr_cpu_map){};
	len = min(len, vec->len);
	switch (mem->kind) {
	case PHYR_MEM_RAM:
		return phyr_cpu_map_ram(vec->paddr, len, map);
	case PHYR_MEM_P2P:
		return phyr_cpu_map_io(mem, vec->paddr, len, map);
	case PHYR_MEM_CARVEOUT:
		return phyr_cpu_map_carveout(mem, vec->paddr, len, map);
	}
	return -EINVAL;
}

static int phyr_cpu_check(const struct phyr_list *list, u64 offset, u64 len)
{
	u64 end;

	if (check_add_overflow(offset, len, &end) || end > phyr_list_size(list))
		return -EINVAL;
	return phyr_list_is_mappable(list) ? 0 : -EACCES;
}

/**
 * phyr_cpu_map - map a piece of a list for the CPU
 * @list: finished list, whose memory the caller keeps in place
 * @offset: first byte
 * @len: bytes that are wanted, not 0
 * @map: out: the mapping, with the number of bytes that it has: at least one,
 *	and at most the rest of a page of RAM, or 64 KiB of other memory in one
 *	extent. The caller goes on behind it.
 *
 * Whatever the memory is, access it by the functions of struct iosys_map.
 *
 * Context: may sleep. The same task calls phyr_cpu_unmap(), for the newest
 * mapping first.
 * Return: 0; -EINVAL for an empty range or one that exceeds the list; -EACCES
 * if some memory of the list is PHYR_MEM_NO_CPU; -ENOMEM.
 */
int phyr_cpu_map(const struct phyr_list *list, u64 offset, u64 len,
		 struct phyr_cpu_map *map)
{
	struct phyr_cursor cursor;
	struct phyr_mem *mem;
	struct phys_vec vec;
	int ret;

	ret = phyr_cpu_check(list, offset, len);
	if (ret)
		return ret;

	phyr_cursor_init(&cursor, list, offset, len);
	if (!phyr_next(&cursor, &vec, &mem))
		return -EINVAL;
	return phyr_cpu_map_vec(mem, &vec, len, map);
}
EXPORT_SYMBOL_NS_GPL(phyr_cpu_map, "PHYR_EXPORTER");

/**
 * phyr_cpu_unmap - undo phyr_cpu_map()
 * @map: the mapping
 *
 * Context: the task that mapped, newest mapping first; may sleep.
 */
void phyr_cpu_unmap(struct phyr_cpu_map *map)
{
	if (map->page)
		kunmap_local(map->page);
	if (map->io)
		iounmap(map->io);
	if (map->wc)
		memunmap(map->wc);
	iosys_map_clear(&map->map);
}
EXPORT_SYMBOL_NS_GPL(phyr_cpu_unmap, "PHYR_EXPORTER");

/**
 * struct phyr_cpu_walk - pieces of a list, one after the other
 * @cursor: position behind @vec
 * @vec: what is left of an extent
 * @mem: the memory of @vec
 */
struct phyr_cpu_walk {
	struct phyr_cursor cursor;
	struct phys_vec vec;
	struct phyr_mem *mem;
};

static void phyr_cpu_walk_init(struct phyr_cpu_walk *walk,
			       const struct phyr_list *list, u64 offset,
			       u64 len)
{
	phyr_cursor_init(&walk->cursor, list, offset, len);
	walk->vec.len = 0;
}

/* Map the next @len bytes at most. */
static int phyr_cpu_walk_map(struct phyr_cpu_walk *walk, u64 len,
			     struct phyr_cpu_map *map)
{
	if (!walk->vec.len && !phyr_next(&walk->cursor, &walk->vec, &walk->mem))
		return -EINVAL;
	return phyr_cpu_map_vec(walk->mem, &walk->vec, len, map);
}

static void phyr_cpu_walk_advance(struct phyr_cpu_walk *walk, u64 len)
{
	walk->vec.paddr += len;
	walk->vec.len -= len;
}

static int phyr_cpu_access(const struct phyr_list *list, u64 offset, void *buf,
			   size_t len, bool write)
{
	struct phyr_cpu_walk walk;
	struct phyr_cpu_map map;
	int ret;

	ret = phyr_cpu_check(list, offset, len);
	phyr_cpu_walk_init(&walk, list, offset, len);
	while (!ret && len) {
		ret = phyr_cpu_walk_map(&walk, len, &map);
		if (ret)
			break;
		if (write)
			iosys_map_memcpy_to(&map.map, 0, buf, map.len);
		else
			iosys_map_memcpy_from(buf, &map.map, 0, map.len);
		phyr_cpu_unmap(&map);
		phyr_cpu_walk_advance(&walk, map.len);
		buf += map.len;
		len -= map.len;
		cond_resched();
	}
	return ret;
}

/**
 * phyr_list_read - copy from a list by the CPU
 * @list: finished list, whose memory the caller keeps in place
 * @offset: first byte
 * @to: where to
 * @len: bytes
 *
 * Context: may sleep; reschedules.
 * Return: 0, or as phyr_cpu_map(); -ENOMEM may come after a part was copied.
 */
int phyr_list_read(const struct phyr_list *list, u64 offset, void *to,
		   size_t len)
{
	return phyr_cpu_access(list, offset, to, len, false);
}
EXPORT_SYMBOL_NS_GPL(phyr_list_read, "PHYR_EXPORTER");

/**
 * phyr_list_write - copy to a list by the CPU
 * @list: finished list, whose memory the caller keeps in place
 * @offset: first byte
 * @from: where from
 * @len: bytes
 *
 * A device that the caller starts afterwards sees the bytes, if it is coherent.
 *
 * Context: may sleep; reschedules.
 * Return: as phyr_list_read().
 */
int phyr_list_write(const struct phyr_list *list, u64 offset, const void *from,
		    size_t len)
{
	int ret = phyr_cpu_access(list, offset, (void *)from, len, true);

	/* Write-combined stores are not ordered against what starts a device. */
	wmb();
	return ret;
}
EXPORT_SYMBOL_NS_GPL(phyr_list_write, "PHYR_EXPORTER");

static void phyr_cpu_copy(struct iosys_map *to, const struct iosys_map *from,
			  size_t len)
{
	u8 bounce[PHYR_CPU_BOUNCE];
	size_t pos, n;

	if (!to->is_iomem) {
		iosys_map_memcpy_from(to->vaddr, from, 0, len);
		return;
	}
	if (!from->is_iomem) {
		iosys_map_memcpy_to(to, 0, from->vaddr, len);
		return;
	}
	for (pos = 0; pos < len; pos += n) {
		n = min(len - pos, sizeof(bounce));
		iosys_map_memcpy_from(bounce, from, pos, n);
		iosys_map_memcpy_to(to, pos, bounce, n);
	}
}

/* Copy one piece. @len: out: its bytes */
static int phyr_cpu_copy_piece(struct phyr_cpu_walk *to,
			       struct phyr_cpu_walk *from, u64 left, u64 *len)
{
	struct phyr_cpu_map to_map, from_map;
	int ret;

	ret = phyr_cpu_walk_map(from, left, &from_map);
	if (ret)
		return ret;
	ret = phyr_cpu_walk_map(to, from_map.len, &to_map);
	if (!ret) {
		*len = to_map.len;
		phyr_cpu_copy(&to_map.map, &from_map.map, *len);
		phyr_cpu_unmap(&to_map);
		phyr_cpu_walk_advance(to, *len);
		phyr_cpu_walk_advance(from, *len);
	}
	phyr_cpu_unmap(&from_map);
	return ret;
}

/**
 * phyr_list_copy - copy between lists by the CPU
 * @to: finished list, whose memory the caller keeps in place
 * @to_offset: its first byte
 * @from: another one or the same; the two ranges must not have bytes in common
 * @from_offset: its first byte
 * @len: bytes
 *
 * Context: may sleep; reschedules.
 * Return: as phyr_list_read().
 */
int phyr_list_copy(const struct phyr_list *to, u64 to_offset,
		   const struct phyr_list *from, u64 from_offset, u64 len)
{
	struct phyr_cpu_walk to_walk, from_walk;
	u64 n;
	int ret;

	ret = phyr_cpu_check(to, to_offset, len);
	if (!ret)
		ret = phyr_cpu_check(from, from_offset, len);
	phyr_cpu_walk_init(&to_walk, to, to_offset, len);
	phyr_cpu_walk_init(&from_walk, from, from_offset, len);
	while (!ret && len) {
		ret = phyr_cpu_copy_piece(&to_walk, &from_walk, len, &n);
		if (ret)
			break;
		len -= n;
		cond_resched();
	}
	/* As in phyr_list_write() */
	wmb();
	return ret;
}
EXPORT_SYMBOL_NS_GPL(phyr_list_copy, "PHYR_EXPORTER");

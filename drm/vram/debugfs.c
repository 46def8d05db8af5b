// SPDX-License-Identifier: GPL-2.0
/*
 * debugfs files, readable by root only because they show physical addresses
 *
 *	vram		size BYTES free BYTES bar ADDR
 *			block OFFSET LEN buffer ID, for each allocated block,
 *			those of a buffer's front included
 *	buffers		buffer ID size BYTES place PLACE extents N dmabufs N
 *			followed by the buffer's phyr list:
 *			phyr ADDR LEN offset OFFSET pages yes|no
 *
 * Offsets are relative to the start of the BAR. ADDR is hexadecimal, all other
 * numbers are decimal, lengths are in bytes. "pages" is yes if any page of the
 * extent has a struct page.
 */
#include <drm/drm_debugfs.h>
#include <drm/drm_file.h>
#include <drm/ttm/ttm_placement.h>
#include <linux/debugfs.h>
#include <linux/dma-resv.h>
#include <linux/mmzone.h>
#include <linux/seq_file.h>
#include <linux/string_choices.h>

#include "vram.h"

static void vram_show_blocks(struct seq_file *m, struct vram_bo *bo,
			     struct ttm_resource *res)
{
	struct vram_device *vram = ttm_to_vram(bo->tbo.bdev);
	struct gpu_buddy_block *block;

	if (!res || res->mem_type != TTM_PL_VRAM)
		return;

	list_for_each_entry(block, &to_vram_resource(res)->blocks, link)
		seq_printf(m, "block %llu %llu buffer %u\n",
			   gpu_buddy_block_offset(block),
			   gpu_buddy_block_size(&vram->mgr.buddy, block),
			   bo->id);
}

static int vram_show(struct seq_file *m, void *unused)
{
	struct vram_device *vram = m->private;
	unsigned long id = 0;
	struct vram_bo *bo;

	seq_printf(m, "size %llu free %llu bar %#llx\n", vram->mgr.base.size,
		   vram_mgr_avail(&vram->mgr),
		   (u64)phyr_mem_start(vram->mem));

	while ((bo = vram_bo_next(vram, &id))) {
		dma_resv_lock(bo->tbo.base.resv, NULL);
		vram_show_blocks(m, bo, bo->tbo.resource);
		vram_show_blocks(m, bo, bo->front);
		dma_resv_unlock(bo->tbo.base.resv);
		vram_bo_put(bo);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vram);

static bool vram_has_pages(const struct phys_vec *vec)
{
	unsigned long pfn = PHYS_PFN(vec->paddr);
	unsigned long end = PHYS_PFN(vec->paddr + vec->len);

	for (; pfn < end; pfn++)
		if (pfn_valid(pfn))
			return true;
	return false;
}

static void vram_show_list(struct seq_file *m, struct vram_device *vram,
			   struct vram_bo *bo)
{
	u64 start = phyr_mem_start(vram->mem);
	struct phyr_cursor cursor;
	struct phyr_list *list;
	struct phyr_mem *mem;
	struct phys_vec vec;

	list = phyr_buffer_get_list(&bo->phyr);
	if (IS_ERR(list)) {
		seq_printf(m, "  no list: %pe\n", list);
		return;
	}

	phyr_cursor_init(&cursor, list, 0, phyr_list_size(list));
	while (phyr_next(&cursor, &vec, &mem)) {
		seq_printf(m, "  phyr %#llx %zu", (u64)vec.paddr, vec.len);
		if (mem == vram->mem)
			seq_printf(m, " offset %llu", vec.paddr - start);
		seq_printf(m, " pages %s\n",
			   str_yes_no(vram_has_pages(&vec)));
	}
}

static int vram_buffers_show(struct seq_file *m, void *unused)
{
	struct vram_device *vram = m->private;
	unsigned int dmabufs;
	unsigned long id = 0;
	struct vram_bo *bo;
	bool in_vram;

	while ((bo = vram_bo_next(vram, &id))) {
		dma_resv_lock(bo->tbo.base.resv, NULL);
		dmabufs = phyr_buffer_dma_bufs(&bo->phyr);
		in_vram = bo->place == TTM_PL_VRAM;
		seq_printf(m, "buffer %u size %zu place %s extents %u dmabufs %u\n",
			   bo->id, bo->tbo.base.size,
			   in_vram ? "vram" : "system", vram_bo_extents(bo),
			   dmabufs);
		if (in_vram || dmabufs)
			vram_show_list(m, vram, bo);
		dma_resv_unlock(bo->tbo.base.resv);
		vram_bo_put(bo);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vram_buffers);

/**
 * vram_debugfs_init - create the debugfs files
 * @minor: the primary node's minor
 */
void vram_debugfs_init(struct drm_minor *minor)
{
	struct vram_device *vram = to_vram(minor->dev);

	debugfs_create_file("vram", 0400, minor->debugfs_root, vram,
			    &vram_fops);
	debugfs_create_file("buffers", 0400, minor->debugfs_root, vram,
			    &vram_buffers_fops);
}

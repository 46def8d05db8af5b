/* SPDX-License-Identifier: GPL-2.0 */
/*
 * phyr: dma-bufs without struct page, for importers
 *
 * An importer attaches to a dma-buf for one device, maps it, and walks the
 * DMA ranges of that mapping. Only the exporter and the core know physical
 * addresses; this header exposes none.
 *
 *	attach = phyr_attach(dmabuf, dev, &ops, &limits, priv);
 *	dma_resv_lock(dmabuf->resv, NULL);
 *	list = phyr_map(attach, 0, dmabuf->size, DMA_TO_DEVICE);
 *	dma_range_cursor_init(&cursor, list, 0);
 *	while ((n = dma_range_next(&cursor, ranges, ARRAY_SIZE(ranges))))
 *		... program the device with ranges[0 .. n) ...
 *
 * phyr_map_reserve() and phyr_map_commit() map in two steps, before and under
 * the lock. dma_range_list_set_priv() keeps what the importer has built from the
 * ranges as long as they are valid. phyr_pin() is for devices that cannot follow
 * a move. phyr_pin_user() makes a dma-buf of a process's memory, phyr_compose()
 * one of parts of others; struct phyr_locks holds the locks of all parts.
 *
 * dmabuf/buffer.c documents the lifetime of a mapping.
 */
#ifndef _LINUX_PHYR_H
#define _LINUX_PHYR_H

#include <linux/bits.h>
#include <linux/dma-direction.h>
#include <linux/types.h>
#include <linux/ww_mutex.h>

struct device;
struct dma_buf;
struct dma_range_list;
struct dma_resv;
struct phyr_attachment;
struct seq_file;
struct sg_table;

/*
 * Flags of a DMA segment. The idea is that of Logan Gunthorpe's dma_range (2022).
 *
 * DMA_RANGE_BUS: @addr is a peer's bus address. No bridge or IOMMU may translate
 * it, so a device that uses address translation services must not request one.
 *
 * DMA_RANGE_PEER: memory of a device. A device that sets the attributes of its
 * requests (relaxed ordering, no snoop) may need others than for DRAM.
 */
#define DMA_RANGE_BUS	BIT(0)
#define DMA_RANGE_PEER	BIT(1)

/**
 * struct dma_range - one DMA segment, as one device sees it
 * @addr: start of the segment, as seen by the device it was mapped for
 * @len: bytes; not limited to 4 GiB
 * @flags: DMA_RANGE_*; 0 for RAM and for carve-outs, and for the table of a stock
 *	exporter, which does not say
 */
struct dma_range {
	dma_addr_t addr;
	u64 len;
	u32 flags;
};

/**
 * struct phyr_limits - what a device can take
 * @max_len: longest segment in bytes; 0 for no limit
 * @boundary: a segment must not cross a multiple of this power of two; 0 for
 *	no boundary
 * @ram_only: only RAM, memory with pages. A phyr exporter moves the buffer to
 *	system memory and pins it there until the detach, or the attach fails. A
 *	stock exporter is told not to use peer memory
 *
 * Set by the importer. The core ignores dma_get_max_seg_size(): for most PCI
 * devices it returns the default of 64 KiB. Stock exporters do use it, so a
 * driver that imports from them must call dma_set_max_seg_size(), with
 * UINT_MAX if the device has no limit.
 */
struct phyr_limits {
	u64 max_len;
	u64 boundary;
	bool ram_only;
};

/**
 * struct phyr_importer_ops - callbacks of an importer
 */
struct phyr_importer_ops {
	/**
	 * @invalidate: the memory is about to move or to be revoked (mandatory)
	 *
	 * Do not start new DMA with a list mapped earlier. Fences in the
	 * dma-buf's reservation object must cover DMA that is already running:
	 * the core waits for all of them (DMA_RESV_USAGE_BOOKKEEP) and then
	 * unmaps. The importer must still call phyr_unmap() for each old list,
	 * in this callback or at any later time; after the core's unmap it
	 * only frees memory. The next phyr_map() returns the new place, or
	 * -ENODEV if the buffer was revoked. phyr_map() in this callback fails
	 * with -EBUSY.
	 *
	 * A move that is interrupted after this call leaves old lists mapped:
	 * phyr_map_commit() returns 0 for such a list, and it need not be mapped
	 * again.
	 *
	 * May be called before phyr_attach() has returned: another thread may
	 * move the buffer as soon as it is attached.
	 *
	 * Context: the dma-buf's reservation lock is held. May sleep. Must
	 * not wait for anything but the device.
	 */
	void (*invalidate)(struct phyr_attachment *attach);
	/**
	 * @locks_parts: the importer takes all of phyr_attachment_resv()
	 *
	 * Set by an importer that holds all these locks, by struct phyr_locks,
	 * whenever it calls phyr_map(), phyr_map_commit(), phyr_pin() or
	 * phyr_unpin(), waits for the fences of all, and adds its own to all.
	 * It then gets a composed dma-buf (phyr_compose()) with the parts
	 * wherever they are.
	 *
	 * A part that moves or is revoked ends the mappings of the composed
	 * dma-buf without a call of @invalidate. Therefore such an importer
	 * calls phyr_map_commit() for each mapping before it uses it again, and
	 * has all DMA under a fence, also while the dma-buf is pinned.
	 * phyr_unmap() needs the dma-buf's own lock only.
	 */
	bool locks_parts;
};

/**
 * struct phyr_locks - reservation locks that are held together
 *
 * Lives on the caller's stack:
 *
 *	phyr_locks_init(&locks);
 *	ret = phyr_locks_add_attachment(&locks, src);
 *	if (!ret)
 *		ret = phyr_locks_add_attachment(&locks, dst);
 *	if (!ret)
 *		ret = phyr_locks_take(&locks);
 *	...
 *	phyr_locks_drop(&locks);
 */
struct phyr_locks {
	/* private: */
	struct ww_acquire_ctx ctx;
	struct dma_resv **resvs;
	unsigned int nr;
	unsigned int max;
	bool taken;
	struct dma_resv *few[4];
};

void phyr_locks_init(struct phyr_locks *locks);
int phyr_locks_add(struct phyr_locks *locks, struct dma_resv *resv);
int phyr_locks_add_attachment(struct phyr_locks *locks,
			      const struct phyr_attachment *attach);
int phyr_locks_take(struct phyr_locks *locks);
void phyr_locks_drop(struct phyr_locks *locks);
bool phyr_dma_buf_is_locked(struct dma_buf *dmabuf);
bool phyr_dma_buf_is_idle(struct dma_buf *dmabuf);
struct dma_resv *phyr_attachment_resv(const struct phyr_attachment *attach,
				      unsigned int i);

/**
 * struct phyr_part - a part of a composed dma-buf
 * @dmabuf: the dma-buf that has the bytes
 * @offset: the first of them
 * @len: their number
 */
struct phyr_part {
	struct dma_buf *dmabuf;
	u64 offset;
	u64 len;
};

struct dma_buf *phyr_compose(const struct phyr_part *parts, unsigned int nr);

/* Flag of phyr_pin_user(): devices must not write the memory. */
#define PHYR_USER_READONLY	BIT(0)

struct dma_buf *phyr_pin_user(u64 addr, u64 len, u32 flags);

struct phyr_attachment *phyr_attach(struct dma_buf *dmabuf, struct device *dev,
				    const struct phyr_importer_ops *ops,
				    const struct phyr_limits *limits,
				    void *priv);
void phyr_detach(struct phyr_attachment *attach);
void *phyr_attachment_priv(const struct phyr_attachment *attach);
bool phyr_attachment_maps_parts(const struct phyr_attachment *attach);

struct dma_range_list *phyr_map(struct phyr_attachment *attach, u64 offset,
				u64 len, enum dma_data_direction dir);
void phyr_unmap(struct phyr_attachment *attach, struct dma_range_list *ranges);
struct dma_range_list *phyr_map_reserve(struct phyr_attachment *attach,
					u64 offset, u64 len,
					enum dma_data_direction dir);
int phyr_map_commit(struct phyr_attachment *attach,
		    const struct dma_range_list *ranges);
int phyr_pin(struct phyr_attachment *attach);
void phyr_unpin(struct phyr_attachment *attach);

struct dma_range_list *
dma_range_list_from_sgt(struct sg_table *sgt, const struct phyr_limits *limits);
void dma_range_list_free(struct dma_range_list *ranges);
int dma_range_list_set_priv(struct dma_range_list *ranges, void *priv,
			    void (*destroy)(void *priv));
void *dma_range_list_priv(const struct dma_range_list *ranges);
u64 dma_range_list_len(const struct dma_range_list *ranges);
const char *dma_range_list_mode(const struct dma_range_list *ranges);

/**
 * struct dma_range_cursor - a position in a dma_range_list
 *
 * Lives on the walker's stack; needs no clean-up. All members are private to
 * dma_range_cursor_init() and dma_range_next(). Valid while the list is
 * mapped: walk under all locks of phyr_attachment_resv(), or under a fence in
 * each.
 */
struct dma_range_cursor {
	/* private: */
	const struct dma_range_list *ranges;
	const void *segment;
	const void *chunk;
	unsigned int index;
	u64 skip;
	u64 segment_left;
	u64 left;
};

void dma_range_cursor_init(struct dma_range_cursor *cursor,
			   const struct dma_range_list *ranges, u64 offset);
unsigned int dma_range_next(struct dma_range_cursor *cursor,
			    struct dma_range *ranges, unsigned int max);

u64 dma_range_list_count(const struct dma_range_list *ranges);
void dma_range_list_show(struct seq_file *m,
			 const struct dma_range_list *ranges);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private types of phyr.ko, among them those that <linux/phyr.h> and
 * <linux/phyr_exporter.h> declare as opaque
 */
#ifndef _PHYR_INTERNAL_H
#define _PHYR_INTERNAL_H

#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/phyr.h>
#include <linux/phyr_exporter.h>
#include <linux/phyr_inject.h>
#include <linux/phyr_iommu.h>
#include <linux/ratelimit.h>
#include <linux/workqueue.h>

struct phyr_index;

static inline struct phyr_buffer *phyr_dma_buf_buffer(struct dma_buf *dmabuf)
{
	const struct phyr_dma_buf_ops *ops =
		container_of(dmabuf->ops, struct phyr_dma_buf_ops, ops);

	return ops->buffer(dmabuf);
}

/*
 * dev_notice_ratelimited(), but silent about what it drops: that would be a
 * warning, and clients can bring it about.
 */
#define phyr_dev_notice(dev, fmt, ...) \
do { \
	static struct ratelimit_state rs = RATELIMIT_STATE_INIT_FLAGS(rs, \
		DEFAULT_RATELIMIT_INTERVAL, DEFAULT_RATELIMIT_BURST, \
		RATELIMIT_MSG_ON_RELEASE); \
\
	if (__ratelimit(&rs)) \
		dev_notice(dev, fmt, ##__VA_ARGS__); \
} while (0)

/* DMA_ATTR_* of every mapping of a BAR */
#define PHYR_MMIO_ATTRS \
	(DMA_ATTR_MMIO | DMA_ATTR_DEBUGGING_IGNORE_CACHELINES)

/*
 * DMA_ATTR_* of every mapping of a carve-out; on coherent devices also
 * DMA_ATTR_REQUIRE_COHERENT
 */
#define PHYR_CARVEOUT_ATTRS \
	(DMA_ATTR_SKIP_CPU_SYNC | DMA_ATTR_DEBUGGING_IGNORE_CACHELINES)

/**
 * struct phyr_window - a whole memory, mapped for one device
 * @node: in phyr_mem.windows; guarded by phyr_mem.lock
 * @dev: the device
 * @addr: DMA address of phyr_mem.start
 * @attrs: DMA_ATTR_* it was mapped with
 * @users: number of routes that use it; guarded by phyr_mem.lock
 */
struct phyr_window {
	struct list_head node;
	struct device *dev;
	dma_addr_t addr;
	unsigned long attrs;
	unsigned int users;
};

/**
 * struct phyr_peer - a device that reaches a BAR
 * @node: in phyr_mem.peers; guarded by phyr_mem.lock
 * @dev: the device
 * @bus: the kernel chooses bus addresses for it
 * @users: number of routes that use it; guarded by phyr_mem.lock
 */
struct phyr_peer {
	struct list_head node;
	struct device *dev;
	bool bus;
	unsigned int users;
};

/**
 * struct phyr_mem - one kind of memory
 * @ref: references
 * @kind: constant
 * @cache: how the CPU maps it, constant
 * @start: first byte, constant
 * @end: first byte after the window, constant
 * @owner: for PHYR_MEM_P2P, the PCI device, with a reference; constant
 * @bus_offset: for PHYR_MEM_P2P, bus address minus physical address; constant.
 *	A copy, because the kernel's p2pdma_provider is freed when the driver
 *	unbinds and this object with its last list
 * @lock: guards @windows and @peers; nests inside any reservation lock
 * @windows: mappings of the whole memory, one per device
 * @peers: for PHYR_MEM_P2P, what the kernel says of each device with a route
 */
struct phyr_mem {
	struct kref ref;
	enum phyr_mem_kind kind;
	enum phyr_mem_cache cache;
	u64 start;
	u64 end;
	struct device *owner;
	u64 bus_offset;
	struct mutex lock;		/* windows, peers */
	struct list_head windows;
	struct list_head peers;
};

struct phyr_window *phyr_window_get(struct phyr_mem *mem, struct device *dev,
				    unsigned long attrs);
void phyr_window_put(struct phyr_mem *mem, struct phyr_window *window);

/**
 * struct phyr_chunk - a run of phyrs in one memory
 * @next: the list's next chunk, or NULL
 * @mem: memory that contains @vecs; a reference is held
 * @len: sum of the lengths in @vecs, for seeking
 * @nr: entries in use
 * @max: capacity of @vecs
 * @vecs: the entries, in the buffer's order
 */
struct phyr_chunk {
	struct phyr_chunk *next;
	struct phyr_mem *mem;
	u64 len;
	unsigned int nr;
	unsigned int max;
	struct phys_vec vecs[] __counted_by(max);
};

int phyr_chunk_check_overlap(const struct phyr_chunk *chunk);

/* One entry of an index stands for so many entries of its list. */
#define PHYR_INDEX_STRIDE	16
/* A list of more entries than this has an index. */
#define PHYR_INDEX_MIN		(4ULL * PHYR_INDEX_STRIDE)

/**
 * struct phyr_index_entry - a position in a list
 * @start: bytes of the list before it
 * @at: the chunk, scatterlist entry or segment
 * @i: for a chunk, the entry's position in it
 */
struct phyr_index_entry {
	u64 start;
	const void *at;
	unsigned int i;
};

struct phyr_index *phyr_index_create(u64 count);
void phyr_index_free(struct phyr_index *index);
int phyr_index_add(struct phyr_index *index, const void *at, unsigned int i,
		   u64 len);
const struct phyr_index_entry *phyr_index_find(const struct phyr_index *index,
					       u64 offset);

int phyr_user_init(void);
void phyr_user_exit(void);

int phyr_list_init(void);
void phyr_list_exit(void);
const struct phyr_chunk *phyr_list_first(const struct phyr_list *list);
u64 phyr_list_skip(const struct phyr_list *list);
int phyr_list_append_part(struct phyr_list *list, const struct phyr_list *from,
			  u64 offset, u64 len, u64 *skip);
struct phyr_mem *phyr_list_mem(const struct phyr_list *list);
const struct phyr_chunk *phyr_list_seek(const struct phyr_list *list,
					u64 *offset, unsigned int *index);
const struct phyr_chunk *phyr_list_find_chunk(const struct phyr_list *list,
					      u64 *offset);
const struct phyr_chunk *phyr_chunk_seek(const struct phyr_chunk *chunk,
					 u64 *offset, unsigned int *index);

/*
 * How a device reaches a memory. phyr_map_mode_name() returns the names.
 */
enum phyr_map_mode {
	PHYR_MAP_IOVA,		/* linked into one IOVA range */
	PHYR_MAP_BUS,		/* PCI bus addresses, never mapped */
	PHYR_MAP_WINDOW,	/* an offset into a phyr_window */
	PHYR_MAP_EXTENT,	/* dma_map_phys() of each extent */
	PHYR_MAP_SGT,		/* an sg_table that its owner has mapped */
	PHYR_MAP_DOMAIN,	/* a range of the importer's own IOMMU domain */
};

/**
 * struct phyr_route - how one device reaches one memory
 * @node: in phyr_attachment.routes, and guarded as that is
 * @mem: the memory; a reference is held
 * @window: for PHYR_MAP_WINDOW, the window; this route is one of its users
 * @peer: for PHYR_MEM_P2P, the device; this route is one of its users
 * @mode: how the memory is mapped
 * @delta: for PHYR_MAP_BUS and PHYR_MAP_WINDOW: DMA address minus physical
 *	address, modulo 2^64
 * @limit: highest DMA address that the device can use; U64_MAX for any, and
 *	if an IOMMU translates
 * @whole: the device reaches all of @mem
 * @used: the buffer has been in @mem; otherwise it may move there
 * @attrs: DMA_ATTR_* of every mapping that uses this route; 0 for RAM of a
 *	device that is not coherent
 */
struct phyr_route {
	struct list_head node;
	struct phyr_mem *mem;
	struct phyr_window *window;
	struct phyr_peer *peer;
	enum phyr_map_mode mode;
	u64 delta;
	u64 limit;
	bool whole;
	bool used;
	unsigned long attrs;
};

bool phyr_dev_untranslated(struct device *dev);
u64 phyr_dev_limit(struct device *dev);
struct phyr_route *phyr_route_create(struct dma_buf_attachment *attach,
				     struct phyr_mem *mem);
void phyr_route_destroy(struct phyr_route *route);
bool phyr_route_reaches(const struct phyr_route *route, struct device *dev,
			const struct phys_vec *vec);
struct phyr_route *phyr_route_find(struct phyr_attachment *attach,
				   struct phyr_mem *mem);

/**
 * struct dma_range_extent - a stored range
 * @addr: DMA address
 * @len: bytes
 */
struct dma_range_extent {
	dma_addr_t addr;
	u64 len;
};

/**
 * struct dma_range_chunk - stored ranges of a PHYR_MAP_EXTENT segment
 * @next: the segment's next chunk, or NULL
 * @nr: entries in use
 * @ranges: the entries, one per extent
 */
struct dma_range_chunk {
	struct dma_range_chunk *next;
	unsigned int nr;
	struct dma_range_extent ranges[];
};

/**
 * struct dma_range_segment - a run of memory, mapped in one mode
 * @next: the list's next segment, or NULL
 * @mode: how it was mapped, for the unmap
 * @flags: DMA_RANGE_* of all its ranges
 * @attrs: PHYR_MAP_EXTENT: DMA_ATTR_* it was mapped with
 * @len: mapped bytes
 * @addr: PHYR_MAP_IOVA: its start in the list's IOVA range
 * @chunk: PHYR_MAP_BUS, PHYR_MAP_WINDOW: chunk of the phyr list it starts in
 * @chunk_skip: PHYR_MAP_BUS, PHYR_MAP_WINDOW: bytes of @chunk before its start
 * @start: PHYR_MAP_BUS, PHYR_MAP_WINDOW: bytes of the phyr list before its start
 * @delta: PHYR_MAP_BUS, PHYR_MAP_WINDOW: as in struct phyr_route
 * @chunks: PHYR_MAP_EXTENT: the stored ranges
 * @sgt: PHYR_MAP_SGT: the table; not owned by the segment
 * @index: PHYR_MAP_EXTENT, PHYR_MAP_SGT: of @chunks or @sgt; NULL for a short
 *	one
 * @range: PHYR_MAP_DOMAIN: the IOVA range
 */
struct dma_range_segment {
	struct dma_range_segment *next;
	enum phyr_map_mode mode;
	u32 flags;
	unsigned long attrs;
	u64 len;
	union {
		dma_addr_t addr;
		struct {
			const struct phyr_chunk *chunk;
			u64 chunk_skip;
			u64 start;
			u64 delta;
		};
		struct {
			union {
				struct dma_range_chunk *chunks;
				struct sg_table *sgt;
			};
			struct phyr_index *index;
		};
		struct phyr_domain_range *range;
	};
};

/**
 * struct dma_range_list - a mapping
 * @node: in phyr_attachment.mappings; guarded by the reservation lock
 * @list: the mapped phyr list; a reference is held, so that a walk of a stale
 *	mapping does not access freed memory. NULL for PHYR_MAP_SGT
 * @dev: device it is mapped for
 * @table_of: for the sg_table of a stock exporter, the attachment it was
 *	mapped through, for the unmap; NULL otherwise
 * @table: the sg_table that phyr_sgt_create() made of it, or NULL
 * @dir: direction it was mapped with
 * @limits: segment limits that the cursor applies
 * @skip: mapped bytes before the first requested one: whole pages are mapped
 * @len: requested bytes; 0 once the core has unmapped the list
 * @moved: still mapped, but the buffer has left this memory, which may belong to
 *	somebody else
 * @priv: the importer's private pointer
 * @destroy: called with @priv when the mapping ends; NULL without one
 * @iova: the IOVA range of all PHYR_MAP_IOVA segments
 * @linked: bytes linked into @iova, from its start
 * @segments: the first segment
 * @index: of the segments; NULL for a few
 * @first: storage of the first segment; most lists have no other
 */
struct dma_range_list {
	struct list_head node;
	struct phyr_list *list;
	struct device *dev;
	struct dma_buf_attachment *table_of;
	struct sg_table *table;
	enum dma_data_direction dir;
	struct phyr_limits limits;
	u64 skip;
	u64 len;
	bool moved;
	void *priv;
	void (*destroy)(void *priv);
	struct dma_iova_state iova;
	u64 linked;
	struct dma_range_segment *segments;
	struct phyr_index *index;
	struct dma_range_segment first;
};

struct dma_range_list *dma_range_list_alloc(const struct phyr_limits *limits);
const char *phyr_map_mode_name(enum phyr_map_mode mode);
void dma_range_list_sync(struct dma_range_list *ranges, bool for_cpu);
void dma_range_lists_destroy_priv(struct list_head *lists);
void dma_range_list_unmap(struct dma_range_list *ranges);
void dma_range_segment_unmap(struct dma_range_list *ranges,
			     struct dma_range_segment *segment);
void dma_range_segment_free(struct dma_range_segment *segment);
int dma_range_segment_create_index(struct dma_range_segment *segment,
				   u64 count);
int dma_range_list_create_index(struct dma_range_list *ranges);

int phyr_buffer_lock(struct phyr_buffer *buffer, struct phyr_locks *locks,
		     bool interruptible);
void phyr_buffer_unlock(struct phyr_locks *locks);
int phyr_attachment_lock(struct phyr_attachment *attach,
			 struct phyr_locks *locks);
void phyr_attachment_assert_held(const struct phyr_attachment *attach);
int phyr_buffer_check_live(const struct phyr_buffer *buffer);
int phyr_buffer_pin(struct phyr_buffer *buffer);
void phyr_buffer_unpin(struct phyr_buffer *buffer);

/**
 * struct phyr_export - a dma-buf of a buffer
 * @node: in phyr_buffer.exports; guarded by the reservation lock
 * @dmabuf: the dma-buf, without a reference; its release removes the export
 */
struct phyr_export {
	struct list_head node;
	struct dma_buf *dmabuf;
};

/*
 * The data that passes between the two sides of an attachment; decided at
 * attach.
 */
enum phyr_kind {
	PHYR_KIND_NATIVE,	/* phyr list to dma_range list */
	PHYR_KIND_TO_STOCK,	/* our dma-buf, an importer that needs a table */
	PHYR_KIND_FROM_STOCK,	/* our importer, a dma-buf with a table only */
	PHYR_KIND_DOMAIN,	/* as native, into the importer's IOMMU domain */
};

/* Where an attachment pins the buffer until it detaches, see admission.c */
enum phyr_pinned {
	PHYR_PINNED_NOT,
	PHYR_PINNED_SYSTEM,	/* in system memory, by pin_system */
	PHYR_PINNED_PLACE,	/* where it was, by pin */
};

/**
 * struct phyr_attachment - one importer's device at one dma-buf
 * @attach: the dma-buf core's attachment; constant once attached
 * @kind: result of the negotiation; constant once attached
 * @why: reason for @kind or @pinned, as text; constant once attached
 * @ops: the importer's callbacks; NULL for PHYR_KIND_TO_STOCK; constant
 * @domain: for PHYR_KIND_DOMAIN, the importer's IOMMU domain, with a reference;
 *	NULL for other kinds; constant
 * @limits: segment limits of the device, constant
 * @priv: the importer's private pointer, constant
 * @pinned: where the attachment pins the buffer; guarded by the reservation
 *	lock
 * @pins: number of pins that the importer has asked for, see pin.c; guarded by
 *	the reservation lock
 * @list: for an importer of a composed buffer that does not lock the parts, the
 *	list of the memory in which they are pinned, with a reference; NULL
 *	otherwise; constant once attached
 * @invalidating: for PHYR_KIND_FROM_STOCK, the exporter is calling the
 *	invalidate callback; guarded by the reservation lock
 * @node: in phyr_buffer.attachments; guarded by the reservation lock. Unused
 *	for PHYR_KIND_FROM_STOCK, which has no phyr_buffer
 * @all: in phyr_attachments; guarded by phyr_attachments_lock
 * @routes: one per memory that the buffer is, was or may be in; guarded by the
 *	reservation lock, and of a composed buffer by phyr_whole.lock, too
 * @mappings: lists that are not passed to phyr_unmap() yet; guarded as @routes
 */
struct phyr_attachment {
	struct dma_buf_attachment *attach;
	enum phyr_kind kind;
	const char *why;
	const struct phyr_importer_ops *ops;
	struct phyr_domain *domain;
	struct phyr_limits limits;
	void *priv;
	enum phyr_pinned pinned;
	unsigned int pins;
	struct phyr_list *list;
	bool invalidating;
	struct list_head node;
	struct list_head all;
	struct list_head routes;
	struct list_head mappings;
};

static inline bool
phyr_attachment_locks_parts(const struct phyr_attachment *attach)
{
	return attach->ops && attach->ops->locks_parts;
}

struct phyr_attachment *phyr_attachment_alloc(void);
void phyr_attachment_add(struct phyr_buffer *buffer,
			 struct phyr_attachment *attach);
void phyr_attachment_remove(struct phyr_buffer *buffer,
			    struct phyr_attachment *attach);
void phyr_attachment_sync(struct phyr_attachment *attach, bool for_cpu);
void phyr_attachment_unmap(struct phyr_attachment *attach);
void phyr_attachment_leave(struct phyr_attachment *attach);
bool phyr_attachment_has_table(const struct phyr_attachment *attach);
bool phyr_attachments_are_mapped(const struct phyr_buffer *buffer);
void phyr_attachment_drop_routes(struct phyr_attachment *attach);

struct dma_range_list *phyr_map_list(struct phyr_attachment *attach,
				     struct phyr_list *list, u64 offset,
				     u64 len, enum dma_data_direction dir);
int phyr_route_list(struct phyr_attachment *attach, struct phyr_list *list);
int phyr_route_mem(struct phyr_attachment *attach, struct phyr_mem *mem);
bool phyr_routes_are_whole(const struct phyr_attachment *attach);
const char *phyr_route_name(const struct phyr_attachment *attach);
bool phyr_list_is_finished(const struct phyr_list *list);
bool phyr_list_is_pageless(const struct phyr_list *list);
bool phyr_list_has_pages(const struct phyr_list *list);
bool phyr_list_has_peer(const struct phyr_list *list);
bool phyr_list_is_mappable(const struct phyr_list *list);
bool phyr_list_is_readonly(const struct phyr_list *list);

int phyr_admit(struct phyr_buffer *buffer, struct phyr_attachment *importer);
int phyr_admit_again(struct phyr_buffer *buffer,
		     struct phyr_attachment *importer);
void phyr_discharge(struct phyr_buffer *buffer,
		    struct phyr_attachment *importer);

int phyr_pin_importer(struct phyr_attachment *importer);
void phyr_unpin_importer(struct phyr_attachment *importer);
void phyr_unpin_left(struct phyr_attachment *importer);

/**
 * struct phyr_source - a buffer with parts in a whole
 * @node: in phyr_buffer.sources; guarded by the buffer's reservation lock
 * @whole: the whole
 * @dmabuf: a dma-buf of the buffer, with a reference
 * @buffer: the buffer
 */
struct phyr_source {
	struct list_head node;
	struct phyr_whole *whole;
	struct dma_buf *dmabuf;
	struct phyr_buffer *buffer;
};

/**
 * struct phyr_whole_part - a piece of a whole
 * @source: the buffer that has the bytes
 * @offset: the first of them
 * @len: their number
 */
struct phyr_whole_part {
	struct phyr_source *source;
	u64 offset;
	u64 len;
};

/**
 * struct phyr_whole - a composed buffer
 * @phyr: base
 * @resv: its reservation object
 * @lock: guards @phyr.list, and the mappings and routes of all attachments,
 *	against moves of several sources. Nests inside any reservation lock.
 *	Memory is allocated under it
 * @resvs: @resv and those of the sources, each once; constant
 * @nr_resvs: their number
 * @sources: the sources, constant
 * @nr_sources: their number
 * @work: frees the whole
 * @parts: the parts, constant
 * @nr_parts: their number
 */
struct phyr_whole {
	struct phyr_buffer phyr;
	struct dma_resv resv;
	struct mutex lock;		/* what two moves touch */
	struct dma_resv **resvs;
	unsigned int nr_resvs;
	struct phyr_source *sources;
	unsigned int nr_sources;
	struct work_struct work;
	unsigned int nr_parts;
	struct phyr_whole_part parts[] __counted_by(nr_parts);
};

struct dma_resv **phyr_whole_resvs(struct phyr_buffer *buffer,
				   unsigned int *nr);
static inline bool
phyr_attachment_is_of_whole(const struct phyr_attachment *attach)
{
	return attach->kind != PHYR_KIND_FROM_STOCK &&
	       phyr_dma_buf_buffer(attach->attach->dmabuf)->whole;
}

int phyr_whole_init(void);
void phyr_whole_exit(void);
void phyr_whole_queue(struct work_struct *work);
void phyr_whole_lock(struct phyr_buffer *buffer);
void phyr_whole_unlock(struct phyr_buffer *buffer);
bool phyr_whole_is_live(const struct phyr_buffer *buffer);
void phyr_wholes_unmap(struct phyr_buffer *buffer);
bool phyr_wholes_are_mapped(const struct phyr_buffer *buffer);
void phyr_wholes_drop_routes(struct phyr_buffer *buffer);

struct phyr_domain_range;
struct phyr_domain *phyr_domain_get(struct phyr_domain *space);
void phyr_domain_put(struct phyr_domain *space);
struct device *phyr_domain_dev(const struct phyr_domain *space);
struct phyr_domain_range *phyr_domain_map(struct phyr_domain *space,
					  struct phyr_cursor *cursor, u64 iova,
					  int prot);
void phyr_domain_unmap(struct phyr_domain_range *range);
void phyr_domain_unmap_lists(struct phyr_domain *space,
			     struct list_head *lists);
void phyr_domain_range_free(struct phyr_domain_range *range);
dma_addr_t phyr_domain_range_iova(const struct phyr_domain_range *range);

int phyr_sgt_check(struct sg_table *sgt, struct dma_buf_attachment *attach);
bool phyr_sgt_has_pages(struct sg_table *sgt);
struct sg_table *phyr_sgt_create(struct dma_range_list *ranges);
struct dma_range_list *phyr_sgt_destroy(struct sg_table *sgt);

bool phyr_dma_buf_is_ours(const struct dma_buf *dmabuf);
void phyr_keep_mapping(struct phyr_attachment *attach,
		       struct dma_range_list *ranges);

void phyr_attachment_publish(struct phyr_attachment *attach);
void phyr_attachment_unpublish(struct phyr_attachment *attach);
void phyr_debugfs_init(void);
void phyr_debugfs_exit(void);

#ifdef CONFIG_FAULT_INJECTION_DEBUG_FS
void phyr_inject_init(struct dentry *dir);
#else
static inline void phyr_inject_init(struct dentry *dir)
{
}
#endif

#endif

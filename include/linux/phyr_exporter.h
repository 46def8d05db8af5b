/* SPDX-License-Identifier: GPL-2.0 */
/*
 * phyr: dma-bufs without struct page, for exporters
 *
 * An exporter describes its memory (struct phyr_mem) and the parts of it that
 * form a buffer (struct phyr_list), and reports changes
 * (phyr_buffer_move_begin(), phyr_buffer_revoke()). It maps nothing.
 *
 * All symbols are in the namespace PHYR_EXPORTER. An importer that uses
 * physical addresses must therefore import it explicitly.
 */
#ifndef _LINUX_PHYR_EXPORTER_H
#define _LINUX_PHYR_EXPORTER_H

#include <linux/dma-buf.h>
#include <linux/iosys-map.h>
#include <linux/list.h>
#include <linux/pgtable.h>
#include <linux/types.h>
#include <linux/wait.h>

struct dma_resv;
struct pci_dev;
struct phyr_dma_buf_ops;
struct phyr_list;
struct phyr_mem;
struct phyr_whole;
struct sg_table;

/**
 * enum phyr_mem_kind - type of a struct phyr_mem
 * @PHYR_MEM_RAM: system memory, with pages
 * @PHYR_MEM_P2P: a BAR of a PCI device
 * @PHYR_MEM_CARVEOUT: DRAM without pages, behind the memory controller
 */
enum phyr_mem_kind {
	PHYR_MEM_RAM,
	PHYR_MEM_P2P,
	PHYR_MEM_CARVEOUT,
};

/**
 * enum phyr_mem_cache - how the CPU maps a struct phyr_mem
 * @PHYR_MEM_CACHED: write-back
 * @PHYR_MEM_WC: write-combined
 * @PHYR_MEM_UC: uncached
 * @PHYR_MEM_NO_CPU: not at all, for memory that only devices may access. The
 *	exporter has no mmap, vmap or access callback for it
 */
enum phyr_mem_cache {
	PHYR_MEM_CACHED,
	PHYR_MEM_WC,
	PHYR_MEM_UC,
	PHYR_MEM_NO_CPU,
};

struct phyr_mem *phyr_mem_create_ram(void);
struct phyr_mem *phyr_mem_create_p2p(struct pci_dev *pdev, int bar,
				     enum phyr_mem_cache cache);
struct phyr_mem *phyr_mem_create_carveout(phys_addr_t start, u64 len,
					  enum phyr_mem_cache cache);
struct phyr_mem *phyr_mem_get(struct phyr_mem *mem);
void phyr_mem_put(struct phyr_mem *mem);
phys_addr_t phyr_mem_start(const struct phyr_mem *mem);
u64 phyr_mem_len(const struct phyr_mem *mem);
enum phyr_mem_kind phyr_mem_kind(const struct phyr_mem *mem);
pgprot_t phyr_mem_pgprot(const struct phyr_mem *mem, pgprot_t prot);

struct phyr_list *phyr_list_create(void);
int phyr_list_append(struct phyr_list *list, struct phyr_mem *mem,
		     phys_addr_t paddr, u64 len);
int phyr_list_check(struct phyr_list *list, u64 size);
int phyr_list_finish(struct phyr_list *list, u64 size, const char *exporter);
int phyr_list_finish_composed(struct phyr_list *list, u64 skip, u64 size);
void phyr_list_set_release(struct phyr_list *list,
			   void (*release)(struct phyr_list *list, void *priv),
			   void *priv);
void phyr_list_flush(void);
void phyr_list_set_readonly(struct phyr_list *list);
struct phyr_list *phyr_list_pin_user(u64 addr, u64 len, bool write);
struct phyr_list *phyr_list_get(struct phyr_list *list);
void phyr_list_put(struct phyr_list *list);
u64 phyr_list_size(const struct phyr_list *list);
u64 phyr_list_count(const struct phyr_list *list);
int phyr_list_to_sgt(const struct phyr_list *list, struct sg_table *sgt);
struct phyr_list *phyr_list_from_sgt(struct phyr_mem *ram,
				     struct sg_table *sgt);

/**
 * struct phyr_cursor - a position in a finished phyr_list
 *
 * Lives on the caller's stack; needs no cleanup.
 */
struct phyr_cursor {
	/* private: */
	const void *chunk;
	unsigned int index;
	u64 skip;
	u64 left;
};

void phyr_cursor_init(struct phyr_cursor *cursor, const struct phyr_list *list,
		      u64 offset, u64 len);
bool phyr_next(struct phyr_cursor *cursor, struct phys_vec *vec,
	       struct phyr_mem **mem);

/**
 * struct phyr_cpu_map - a CPU mapping of a piece of a list
 *
 * Lives on the caller's stack, from phyr_cpu_map() to phyr_cpu_unmap().
 */
struct phyr_cpu_map {
	/** @map: the first byte */
	struct iosys_map map;
	/** @len: bytes that are mapped */
	size_t len;
	/* private: the one that is not NULL is to be unmapped */
	void *page;
	void __iomem *io;
	void *wc;
};

int phyr_cpu_map(const struct phyr_list *list, u64 offset, u64 len,
		 struct phyr_cpu_map *map);
void phyr_cpu_unmap(struct phyr_cpu_map *map);
int phyr_list_read(const struct phyr_list *list, u64 offset, void *to,
		   size_t len);
int phyr_list_write(const struct phyr_list *list, u64 offset, const void *from,
		    size_t len);
int phyr_list_copy(const struct phyr_list *to, u64 to_offset,
		   const struct phyr_list *from, u64 from_offset, u64 len);

/**
 * enum phyr_buffer_state - state of a buffer
 * @PHYR_BUFFER_LIVE: can be mapped
 * @PHYR_BUFFER_MOVING: between phyr_buffer_move_begin() and
 *	phyr_buffer_move_end(), and while phyr_buffer_revoke() notifies; maps
 *	fail with -EBUSY
 * @PHYR_BUFFER_REVOKED: maps fail with -ENODEV until phyr_buffer_rearm()
 */
enum phyr_buffer_state {
	PHYR_BUFFER_LIVE,
	PHYR_BUFFER_MOVING,
	PHYR_BUFFER_REVOKED,
};

/**
 * struct phyr_buffer - the core's state of one buffer
 *
 * Embedded in the exporter's buffer object. One buffer may have several
 * dma-bufs: a GEM object drops its dma-buf with its last handle, and may be
 * exported again while the first dma-buf is still alive.
 *
 * The reservation lock guards all members that are not constant.
 */
struct phyr_buffer {
	/** @resv: the buffer's reservation object, constant */
	struct dma_resv *resv;
	/** @ops: the exporter's callbacks, constant */
	const struct phyr_dma_buf_ops *ops;
	/* private: */
	struct list_head exports;
	struct list_head attachments;
	struct list_head sources;
	struct phyr_whole *whole;
	struct phyr_list *list;
	u64 size;
	enum phyr_buffer_state state;
	unsigned int tables;
	unsigned int incoherent;
	unsigned int pins;
	wait_queue_head_t idle;
};

/**
 * struct phyr_dma_buf_ops - a phyr exporter's side of a dma-buf
 *
 * The attach pointer identifies a phyr dma-buf, as in virtio_dma_buf.
 * PHYR_DMA_BUF_OPS sets it and the other callbacks that the core implements.
 * A buffer that never moves, in system memory or not, needs @buffer, @describe
 * and @release only.
 */
struct phyr_dma_buf_ops {
	/** @ops: the dma-buf's ops; must start with PHYR_DMA_BUF_OPS */
	struct dma_buf_ops ops;
	/** @buffer: return the phyr_buffer of a dma-buf; must not fail */
	struct phyr_buffer *(*buffer)(struct dma_buf *dmabuf);
	/**
	 * @release: a dma-buf of the buffer is freed (optional)
	 *
	 * For the reference to the buffer that the dma-buf holds. The core has
	 * forgotten @dmabuf, and no importer is attached. Not called if
	 * phyr_dma_buf_export() fails. No lock is held; may sleep.
	 */
	void (*release)(struct dma_buf *dmabuf);
	/**
	 * @describe: create a list of the buffer's current memory
	 *
	 * Returns a list that phyr_list_finish() or
	 * phyr_list_finish_composed() has accepted for the size of the
	 * dma-buf, and passes its reference to the core, or returns an
	 * ERR_PTR. The core warns about any other list, and the attach or map
	 * fails with -EINVAL. The core keeps the list until the next move.
	 * Called under the reservation lock; may sleep.
	 */
	struct phyr_list *(*describe)(struct phyr_buffer *buffer);
	/**
	 * @memory: return a memory that the buffer may be placed in (optional)
	 *
	 * Called with @i = 0, 1, … until it returns NULL. Takes no reference.
	 * Without it, the buffer must stay in the memories of its current
	 * list. An importer whose device does not reach all of them gets the
	 * buffer pinned where it does, or its attach fails. Called under the
	 * reservation lock.
	 */
	struct phyr_mem *(*memory)(struct phyr_buffer *buffer, unsigned int i);
	/**
	 * @pin: pin the buffer where it is (optional)
	 *
	 * The buffer must not move until @unpin, except in a suspend, a reset
	 * or an unbind, which notify the importer like any move. Pins are
	 * counted. Called under the reservation lock, for a buffer that is not
	 * revoked; may sleep. Returns 0 or an errno, but not -EBUSY, about
	 * which the dma-buf core warns.
	 *
	 * Without it the core counts pins, and phyr_buffer_move_begin() returns
	 * -EBUSY while there are any: an exporter that moves its buffers for a
	 * suspend must implement it.
	 */
	int (*pin)(struct phyr_buffer *buffer);
	/**
	 * @unpin: undo one @pin; mandatory with @pin
	 *
	 * Called under the reservation lock, also for a revoked buffer.
	 */
	void (*unpin)(struct phyr_buffer *buffer);
	/**
	 * @pin_system: move to system memory and pin there (optional)
	 *
	 * For importers that cannot reach the buffer where it is, or that
	 * have no invalidate callback. Returns 0, or an errno if the buffer
	 * must not be in system memory or is pinned elsewhere. Called under
	 * the reservation lock; may sleep. A signal should end a wait for
	 * fences with -ERESTARTSYS: this is called for an attach in an ioctl.
	 *
	 * Without it such an importer is accepted only while the buffer is in
	 * system memory, where it is pinned by @pin until it has detached.
	 */
	int (*pin_system)(struct phyr_buffer *buffer);
	/**
	 * @unpin_system: undo one @pin_system; mandatory with @pin_system
	 *
	 * Called under the reservation lock.
	 */
	void (*unpin_system)(struct phyr_buffer *buffer);
};

struct dma_buf *
phyr_dma_buf_export(struct phyr_buffer *buffer,
		    const struct dma_buf_export_info *info);

int phyr_dma_buf_attach(struct dma_buf *dmabuf,
			struct dma_buf_attachment *attach);
void phyr_dma_buf_detach(struct dma_buf *dmabuf,
			 struct dma_buf_attachment *attach);
int phyr_dma_buf_pin(struct dma_buf_attachment *attach);
void phyr_dma_buf_unpin(struct dma_buf_attachment *attach);
struct sg_table *phyr_dma_buf_map(struct dma_buf_attachment *attach,
				  enum dma_data_direction dir);
void phyr_dma_buf_unmap(struct dma_buf_attachment *attach,
			struct sg_table *sgt, enum dma_data_direction dir);
int phyr_dma_buf_begin_cpu_access(struct dma_buf *dmabuf,
				  enum dma_data_direction dir);
int phyr_dma_buf_end_cpu_access(struct dma_buf *dmabuf,
				enum dma_data_direction dir);
void phyr_dma_buf_release(struct dma_buf *dmabuf);

#define PHYR_DMA_BUF_OPS \
	.attach = phyr_dma_buf_attach, \
	.detach = phyr_dma_buf_detach, \
	.pin = phyr_dma_buf_pin, \
	.unpin = phyr_dma_buf_unpin, \
	.map_dma_buf = phyr_dma_buf_map, \
	.unmap_dma_buf = phyr_dma_buf_unmap, \
	.begin_cpu_access = phyr_dma_buf_begin_cpu_access, \
	.end_cpu_access = phyr_dma_buf_end_cpu_access, \
	.release = phyr_dma_buf_release

void phyr_buffer_init(struct phyr_buffer *buffer,
		      const struct phyr_dma_buf_ops *ops,
		      struct dma_resv *resv);
void phyr_buffer_fini(struct phyr_buffer *buffer);
struct phyr_list *phyr_buffer_get_list(struct phyr_buffer *buffer);
int phyr_buffer_move_begin(struct phyr_buffer *buffer, bool interruptible,
			   bool no_wait);
void phyr_buffer_move_end(struct phyr_buffer *buffer);
void phyr_buffer_revoke(struct phyr_buffer *buffer);
void phyr_buffer_revoke_wait(struct phyr_buffer *buffer);
void phyr_buffer_rearm(struct phyr_buffer *buffer);
bool phyr_buffer_is_revoked(const struct phyr_buffer *buffer);
unsigned int phyr_buffer_dma_bufs(const struct phyr_buffer *buffer);
bool phyr_buffer_is_mapped(const struct phyr_buffer *buffer);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Fixture for the KUnit cases of buffer.c and dma_buf.c: an exporter with one
 * buffer, importers of every kind, and a fence
 */
#ifndef _PHYR_BUFFER_FIXTURE_H
#define _PHYR_BUFFER_FIXTURE_H

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/sizes.h>

#include "../internal.h"

#define BUFFER_BAR	0xc0000000ULL
#define BUFFER_BAR_LEN	(64ULL * SZ_1M)
#define BUFFER_RAM	0x100000000ULL
#define BUFFER_EXTENTS	6
#define BUFFER_STRIDE	SZ_64K
#define BUFFER_SIZE	(BUFFER_EXTENTS * SZ_4K)
#define BUFFER_DMA_BUFS	2

/**
 * struct buffer_importer - an importer, native or stock
 * @t: the fixture
 * @native: attachment of a native importer
 * @stock: attachment of a stock importer
 * @ranges: a native mapping
 * @sgt: a stock mapping
 * @limits: limits of a native importer
 * @notified: number of invalidate callbacks
 * @notified_by: the attachment of a native importer's last callback
 * @on_notify: called by the invalidate callback, or NULL
 * @other: for @on_notify
 * @result: for @on_notify
 */
struct buffer_importer {
	struct buffer_test *t;
	struct phyr_attachment *native;
	struct dma_buf_attachment *stock;
	struct dma_range_list *ranges;
	struct sg_table *sgt;
	struct phyr_limits limits;
	unsigned int notified;
	struct phyr_attachment *notified_by;
	void (*on_notify)(struct buffer_importer *importer);
	struct buffer_importer *other;
	long result;
};

/**
 * struct buffer_test - the fixture: an exporter with one buffer
 * @test: the case
 * @bus: bus of both devices
 * @owner: the device with the BAR
 * @pdev: the importer's device
 * @bar: memory of the BAR
 * @ram: system memory
 * @resv: reservation object of the buffer
 * @buffer: the buffer
 * @dmabufs: its dma-bufs
 * @in_system: the buffer is in system memory, not in the BAR
 * @offset: offset of the buffer in that memory
 * @ram_at: address of the system memory, BUFFER_RAM by default
 * @mixed: the last extent is always in system memory
 * @size: size of the buffer in bytes
 * @described: number of describe() calls
 * @describe: replaces the rest of describe(), or NULL
 * @describe_err: error of describe(), or 0
 * @pin_err: error of pin_system(), or 0
 * @pin_calls: number of pin_system() calls
 * @pin_lies: pin_system() does not move the buffer
 * @pins: pins less unpins in system memory
 * @place_err: error of pin(), or 0
 * @place_pins: pins less unpins in place
 * @released: number of release() calls
 * @fence: fence of running DMA, or NULL
 * @fence_storage: storage of @fence; outlives any reservation object with it
 */
struct buffer_test {
	struct kunit *test;
	struct pci_bus *bus;
	struct pci_dev *owner;
	struct pci_dev *pdev;
	struct phyr_mem *bar;
	struct phyr_mem *ram;
	struct dma_resv resv;
	struct phyr_buffer buffer;
	struct dma_buf *dmabufs[BUFFER_DMA_BUFS];
	bool in_system;
	bool mixed;
	u64 offset;
	u64 ram_at;
	u64 size;
	unsigned int described;
	struct phyr_list *(*describe)(struct buffer_test *t);
	int describe_err;
	int pin_err;
	unsigned int pin_calls;
	bool pin_lies;
	int pins;
	int place_err;
	int place_pins;
	unsigned int released;
	struct dma_fence *fence;
	struct dma_fence fence_storage;
};

/* State and mappings at the time of the wait for fences */
struct buffer_wait {
	struct buffer_test *t;
	unsigned int waits;
	enum phyr_buffer_state state;
	unsigned int mapped;
	bool fence_was_signaled;
};

/**
 * struct buffer_holder - a thread that holds the reservation lock for a while
 * @t: the fixture
 * @thread: the thread
 * @locked: the lock is held
 * @end: it may be dropped
 */
struct buffer_holder {
	struct buffer_test *t;
	struct task_struct *thread;
	struct completion locked;
	struct completion end;
};

/**
 * struct buffer_waiter - a thread that calls phyr_buffer_revoke_wait()
 * @t: the fixture
 * @mapped: mock_mapped() when the call returned
 * @done: the call returned
 */
struct buffer_waiter {
	struct buffer_test *t;
	unsigned int mapped;
	struct completion done;
};

extern const struct phyr_dma_buf_ops buffer_test_ops;
extern const struct phyr_dma_buf_ops buffer_test_ops_fixed;
extern const struct phyr_dma_buf_ops buffer_test_ops_silent;
extern const struct phyr_importer_ops buffer_test_native_ops;
extern const struct dma_buf_attach_ops buffer_test_revocable_ops;
extern const struct dma_buf_attach_ops buffer_test_dynamic_ops;
extern const struct dma_buf_attach_ops buffer_test_peer_ops;

void buffer_lock(struct buffer_test *t);
void buffer_unlock(struct buffer_test *t);
void buffer_test_fini_resv(void *resv);
void buffer_test_fini_buffer(void *buffer);
void buffer_test_put_dma_buf(void *dmabuf);
void buffer_test_action(struct kunit *test, kunit_action_t *action,
			void *arg);
struct dma_buf *buffer_test_export(struct kunit *test,
				   const struct dma_buf_ops *ops,
				   struct dma_resv *resv, u64 size,
				   void *priv);
void buffer_test_use_ops(struct buffer_test *t,
			 const struct phyr_dma_buf_ops *ops);
struct dma_buf *buffer_test_try_export(struct buffer_test *t, u64 size);
int buffer_test_prepare(struct kunit *test);
int buffer_test_init(struct kunit *test);
int buffer_test_place_pins(const struct buffer_test *t);
int buffer_test_move(struct buffer_test *t);
int buffer_test_move_to(struct buffer_test *t, bool in_system);
void buffer_test_revoke(struct buffer_test *t);
enum phyr_buffer_state buffer_test_state(struct buffer_test *t);
void buffer_test_end_importer(void *data);
struct buffer_importer *buffer_test_importer(struct buffer_test *t);
int buffer_test_try_native(struct buffer_importer *importer,
			   struct dma_buf *dmabuf);
int buffer_test_try_stock(struct buffer_importer *importer,
			  struct dma_buf *dmabuf,
			  const struct dma_buf_attach_ops *ops);
int buffer_test_try_map(struct buffer_importer *importer);
void buffer_test_unmap_locked(struct buffer_importer *importer);
void buffer_test_unmap(struct buffer_importer *importer);
struct buffer_importer *buffer_test_ram_only(struct buffer_test *t);
struct buffer_importer *buffer_test_native(struct buffer_test *t,
					   int dmabuf, bool map);
struct buffer_importer *
buffer_test_stock(struct buffer_test *t, int dmabuf,
		  const struct dma_buf_attach_ops *ops, bool map);
void buffer_test_expect_extents(struct buffer_test *t,
				const struct dma_range_list *ranges,
				u64 start);
void buffer_test_add_fence(struct buffer_test *t, struct dma_resv *resv);
void buffer_test_add_fence_locked(struct buffer_test *t, struct dma_resv *resv);
void buffer_test_watch_wait(struct buffer_wait *wait);
void buffer_test_start_holder(struct buffer_holder *holder,
			      struct buffer_test *t);
void buffer_test_end_holder(struct buffer_holder *holder);
void buffer_test_start_waiter(struct buffer_waiter *waiter,
			      struct buffer_test *t);
void buffer_test_end_waiter(struct buffer_waiter *waiter);

#endif

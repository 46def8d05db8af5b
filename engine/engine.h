/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The SCRIPTS processor of an LSI 53C895A as a copy engine
 *
 * Users: phyr_copy exposes it to userspace, phyr_camera moves frames with it.
 *
 * The driver binds the PCI device and embeds struct phyr_engine. It neither
 * walks range lists nor accesses registers: it fills in a run, i.e. a cursor in
 * each of two dma_range lists and a length, and gets a fence.
 */
#ifndef _PHYR_ENGINE_H
#define _PHYR_ENGINE_H

#include <linux/atomic.h>
#include <linux/dma-fence.h>
#include <linux/mutex.h>
#include <linux/phyr.h>
#include <linux/types.h>
#include <linux/wait.h>

struct dentry;
struct device;
struct pci_dev;

/* Finished runs that debugfs shows. */
#define PHYR_ENGINE_RECORDS 16

/**
 * struct phyr_engine_walk - position in the source or destination of a run
 * @cursor: position after @range
 * @range: rest of the current range; empty before the first one
 *
 * Guarded by phyr_engine.lock once the run has started.
 */
struct phyr_engine_walk {
	struct dma_range_cursor cursor;
	struct dma_range range;
};

/**
 * struct phyr_engine_run - one copy
 * @src: read position
 * @dst: write position
 * @len: total bytes to copy; constant
 * @left: bytes not yet copied by completed scripts
 * @moves: Memory Moves in completed scripts
 * @scripts: completed scripts
 * @scripts_seen: @scripts at the last phyr_engine_progress()
 * @hang: start the next script with an instruction that never completes
 * @injected: @hang was set for this run
 * @fence: allocated by the submitter, initialised when the run starts; the
 *	run's owner holds a reference. The pointer is constant
 *
 * phyr_engine.lock guards everything that is not constant.
 */
struct phyr_engine_run {
	struct phyr_engine_walk src;
	struct phyr_engine_walk dst;
	u64 len;
	u64 left;
	u64 moves;
	u64 scripts;
	u64 scripts_seen;
	bool hang;
	bool injected;
	struct dma_fence *fence;
};

/**
 * struct phyr_engine_record - result of a finished run
 * @seqno: sequence number of the run's fence
 * @len: bytes requested
 * @moves: Memory Moves in completed scripts
 * @scripts: completed scripts
 * @status: 0 or a negative errno
 */
struct phyr_engine_record {
	u64 seqno;
	u64 len;
	u64 moves;
	u64 scripts;
	int status;
};

/**
 * struct phyr_engine - the hardware
 * @dev: the PCI device; constant
 * @regs: BAR 1; constant
 * @irq: interrupt number, possibly shared; constant
 * @script: one page of instructions, fetched by the engine by DMA; guarded by
 *	@lock, owned by the engine while a script runs. phyr_engine_init()
 *	allocates it, unless the driver has set it and @script_addr
 * @script_addr: DMA address of @script, 32 bits; constant
 * @context: fence context of the runs; constant
 * @status: interrupt causes read by the hard handler and not yet handled by
 *	the thread; atomic
 * @idle: woken when @busy becomes false
 * @lock: guards everything below, and the registers except those read by the
 *	hard handler. Innermost; taken inside fence signalling critical
 *	sections, so nothing under it may allocate memory or wait for a fence
 * @run: the current run, or NULL
 * @busy: a script of @run is running; false between two scripts, and while
 *	it is paused
 * @script_bytes: bytes copied by the current script
 * @script_moves: Memory Moves in the current script
 * @script_seq: number of the current script, reported in LSI_DSPS by its
 *	interrupt instruction
 * @seqno: sequence number of the last run
 * @stopped: phyr_engine_start() fails
 * @paused: phyr_engine_start() fails, and no further script of @run starts
 * @hang: number of following runs that are to hang, for tests
 * @records: ring of the last finished runs
 * @record_count: runs finished so far
 */
struct phyr_engine {
	struct device *dev;
	void __iomem *regs;
	int irq;
	__le32 *script;
	dma_addr_t script_addr;
	u64 context;
	atomic_t status;
	wait_queue_head_t idle;

	struct mutex lock;		/* guards the fields below */
	struct phyr_engine_run *run;
	bool busy;
	u64 script_bytes;
	u32 script_moves;
	u32 script_seq;
	u64 seqno;
	bool stopped;
	bool paused;
	u32 hang;
	struct phyr_engine_record records[PHYR_ENGINE_RECORDS];
	u64 record_count;
};

int phyr_engine_init(struct phyr_engine *engine, struct pci_dev *pdev);
void phyr_engine_stop(struct phyr_engine *engine);
void phyr_engine_pause(struct phyr_engine *engine);
void phyr_engine_resume(struct phyr_engine *engine);
struct dma_fence *phyr_engine_start(struct phyr_engine *engine,
				    struct phyr_engine_run *run);
bool phyr_engine_progress(struct phyr_engine *engine,
			  struct phyr_engine_run *run);
void phyr_engine_abort(struct phyr_engine *engine, struct phyr_engine_run *run,
		       int error);
void phyr_engine_debugfs(struct phyr_engine *engine, struct dentry *root);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The SCRIPTS processor of an LSI 53C895A as a copy engine, for the drivers that
 * have one: phyr_copy offers it to userspace, phyr_camera moves frames with it
 *
 * The driver binds the PCI device and owns struct phyr_engine. It walks no list
 * and touches no register itself: it fills in a run, two dma_range lists from
 * some byte on, and gets a fence.
 */
#ifndef _PHYR_ENGINE_H
#define _PHYR_ENGINE_H

#include <linux/atomic.h>
#include <linux/dma-fence.h>
#include <linux/mutex.h>
#include <linux/phyr.h>
#include <linux/types.h>

struct dentry;
struct device;
struct pci_dev;

/* Finished copies that debugfs remembers. */
#define PHYR_ENGINE_RECORDS 16

/**
 * struct phyr_engine_walk - one side of a copy: where its next byte is
 * @cursor: what comes after @range
 * @range: what is left of the range in hand; empty before the first one
 *
 * Guarded by phyr_engine.lock once the run has started.
 */
struct phyr_engine_walk {
	struct dma_range_cursor cursor;
	struct dma_range range;
};

/**
 * struct phyr_engine_run - one copy, as the engine sees it
 * @src: where to read
 * @dst: where to write
 * @len: bytes to copy in all; constant
 * @left: bytes that no completed script has copied
 * @moves: Memory Moves in completed scripts
 * @scripts: completed scripts
 * @scripts_seen: @scripts at the last timeout
 * @hang: begin the next script with an instruction that never ends
 * @injected: @hang was set once
 * @fence: allocated by the submitter, initialised when the run starts; the
 *	run's owner has a reference
 *
 * All but @len and the pointer @fence is guarded by phyr_engine.lock.
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
 * struct phyr_engine_record - what became of a copy
 * @seqno: the engine's number for it
 * @len: bytes asked for
 * @moves: Memory Moves that completed scripts held
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
 * @script: one page that the engine fetches its instructions from; guarded by
 *	@lock, and the engine's while a script runs
 * @script_addr: @script for the engine; constant
 * @context: fence context of the runs; constant
 * @status: interrupt causes that the hard handler has taken from the device
 *	and the thread has not; atomic
 * @lock: everything below, and the registers, except what the hard handler
 *	reads. Innermost, and held while fences are about to be signalled:
 *	nothing under it may allocate or wait for a fence
 * @run: the copy in progress, or NULL
 * @script_bytes: bytes that the running script copies
 * @script_moves: Memory Moves in the running script
 * @script_seq: number that the running script hands to its interrupt
 * @seqno: of the latest run
 * @stopped: no run starts any more
 * @hang: runs to come that shall hang, for tests
 * @records: the latest finished runs, a ring
 * @record_count: finished runs ever
 */
struct phyr_engine {
	struct device *dev;
	void __iomem *regs;
	int irq;
	__le32 *script;
	dma_addr_t script_addr;
	u64 context;
	atomic_t status;

	struct mutex lock;		/* what follows */
	struct phyr_engine_run *run;
	u64 script_bytes;
	u32 script_moves;
	u32 script_seq;
	u64 seqno;
	bool stopped;
	u32 hang;
	struct phyr_engine_record records[PHYR_ENGINE_RECORDS];
	u64 record_count;
};

int phyr_engine_init(struct phyr_engine *engine, struct pci_dev *pdev);
void phyr_engine_stop(struct phyr_engine *engine);
struct dma_fence *phyr_engine_start(struct phyr_engine *engine,
				    struct phyr_engine_run *run);
bool phyr_engine_progress(struct phyr_engine *engine, struct phyr_engine_run *run);
void phyr_engine_abort(struct phyr_engine *engine, struct phyr_engine_run *run,
		       int error);
void phyr_engine_debugfs(struct phyr_engine *engine, struct dentry *root);

#endif

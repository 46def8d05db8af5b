// SPDX-License-Identifier: GPL-2.0
/*
 * The SCRIPTS processor of the LSI 53C895A as a copy engine
 *
 * Terms
 *	run	one copy, from phyr_engine_start() to its fence
 *	script	instructions for a part of a run: Memory Moves, which copy
 *		between two DMA addresses, then one that interrupts
 *
 * A script is built by walking the run's two dma_range lists side by side, and
 * started by writing its address. A run takes as many scripts as it needs; the
 * interrupt of each starts the next. Emulators run a script inside that write,
 * so the state of the engine is complete before it.
 *
 * Invariants
 * - The device works on behalf of @run and nothing else; without a run it is
 *   idle. Whoever takes the run away resets the device first, unless a script of
 *   the run has just interrupted.
 * - A run's fence is signalled once, after the run was taken away, without the
 *   lock held. The run may be freed from then on.
 * - The registers stay mapped longer than anybody here touches them: until the
 *   driver is unbound. After phyr_engine_stop() nothing starts.
 * - No memory is allocated between the start of a run and its fence.
 *
 * Limits: 24 bits of length in a move and 32 of address. A real card moves only
 * between addresses that are equal modulo 4, and reports an illegal instruction
 * otherwise (-EIO); QEMU moves anything.
 */
#include <linux/bitops.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/phyr_inject.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>

#include "engine.h"

#define LSI_DSTAT		0x0c
#define LSI_ISTAT0		0x14
#define   LSI_ISTAT0_DIP	BIT(0)	/* DSTAT has something */
#define   LSI_ISTAT0_SIP	BIT(1)	/* SIST0 or SIST1 has something */
#define   LSI_ISTAT0_SRST	BIT(6)
#define   LSI_ISTAT0_GONE	0xff	/* nobody answers */
#define LSI_DSP		0x2c
#define LSI_DSPS		0x30
#define LSI_DMODE		0x38
#define   LSI_DMODE_BURST16	0xc0
#define LSI_DIEN		0x39
#define LSI_SIEN0		0x40
#define   LSI_SIEN0_ERRORS	0x0c	/* gross error, unexpected disconnect */
#define LSI_SIST0		0x42
#define LSI_SIST1		0x43

/* Bits of DSTAT and DIEN. */
#define LSI_DMA_ILLEGAL	BIT(0)
#define LSI_DMA_SCRIPT		BIT(2)	/* the script's interrupt instruction */
#define LSI_DMA_ABORTED	BIT(4)
#define LSI_DMA_BUS_FAULT	BIT(5)
#define LSI_DMA_PARITY		BIT(6)
#define LSI_DMA_ALL		(LSI_DMA_ILLEGAL | LSI_DMA_SCRIPT | \
				 LSI_DMA_ABORTED | LSI_DMA_BUS_FAULT | \
				 LSI_DMA_PARITY)

/* In phyr_engine.status, beside the bits of DSTAT. */
#define LSI_STATUS_SCSI	BIT(8)

#define LSI_OP_MOVE		0xc0000000
#define LSI_OP_INTERRUPT	0x98080000
#define LSI_OP_WAIT_RESELECT	0x50000000

/*
 * Newer QEMUs stop a script after 100 instructions. The bytes bound the time
 * that a script takes, some 40 ms on the card's 32-bit bus: what makes no
 * progress in the scheduler's timeout hangs.
 */
#define LSI_SCRIPT_MOVES	96
#define LSI_SCRIPT_BYTES	(4ULL << 20)
#define LSI_SCRIPT_WORDS	(LSI_SCRIPT_MOVES * 3 + 2 + 2)

static const char *phyr_engine_fence_driver_name(struct dma_fence *fence)
{
	return "phyr_engine";
}

static const char *phyr_engine_fence_timeline_name(struct dma_fence *fence)
{
	return "copies";
}

static const struct dma_fence_ops phyr_engine_fence_ops = {
	.get_driver_name = phyr_engine_fence_driver_name,
	.get_timeline_name = phyr_engine_fence_timeline_name,
};

/*
 * The script
 */

/* Return: bytes of the walk's range in hand; 0 at the end. */
static u64 phyr_engine_walk_left(struct phyr_engine_walk *walk)
{
	if (!walk->range.len)
		dma_range_next(&walk->cursor, &walk->range, 1);
	return walk->range.len;
}

static u32 phyr_engine_walk_take(struct phyr_engine_walk *walk, u64 len)
{
	u32 addr = lower_32_bits(walk->range.addr);

	walk->range.addr += len;
	walk->range.len -= len;
	return addr;
}

/* Return: 0, or -EIO when a walk ends before the run does. */
static int phyr_engine_build(struct phyr_engine *engine, struct phyr_engine_run *run)
{
	u64 left = min(run->left, LSI_SCRIPT_BYTES);
	__le32 *word = engine->script;
	u64 len;

	BUILD_BUG_ON(LSI_SCRIPT_WORDS * sizeof(*word) > PAGE_SIZE);
	BUILD_BUG_ON(LSI_SCRIPT_BYTES >> 24);
	lockdep_assert_held(&engine->lock);

	if (phyr_inject_fault())
		return -EIO;

	engine->script_bytes = 0;
	engine->script_moves = 0;
	engine->script_seq++;
	if (run->hang) {
		*word++ = cpu_to_le32(LSI_OP_WAIT_RESELECT);
		*word++ = 0;
		run->hang = false;
	}

	for (; left && engine->script_moves < LSI_SCRIPT_MOVES; left -= len) {
		len = min3(left, phyr_engine_walk_left(&run->src),
			   phyr_engine_walk_left(&run->dst));
		if (WARN_ON_ONCE(!len))
			return -EIO;

		*word++ = cpu_to_le32(LSI_OP_MOVE | (u32)len);
		*word++ = cpu_to_le32(phyr_engine_walk_take(&run->src, len));
		*word++ = cpu_to_le32(phyr_engine_walk_take(&run->dst, len));
		engine->script_bytes += len;
		engine->script_moves++;
	}

	*word++ = cpu_to_le32(LSI_OP_INTERRUPT);
	*word++ = cpu_to_le32(engine->script_seq);
	return 0;
}

/*
 * The device
 */

/*
 * Afterwards the device is idle, has no interrupt pending, and nobody will
 * hear of one that it raised before.
 */
static void phyr_engine_reset(struct phyr_engine *engine)
{
	lockdep_assert_held(&engine->lock);

	writeb(LSI_ISTAT0_SRST, engine->regs + LSI_ISTAT0);
	readb(engine->regs + LSI_ISTAT0);
	usleep_range(100, 200);
	writeb(0, engine->regs + LSI_ISTAT0);

	writeb(LSI_DMODE_BURST16, engine->regs + LSI_DMODE);
	writeb(LSI_DMA_ALL, engine->regs + LSI_DIEN);
	writeb(LSI_SIEN0_ERRORS, engine->regs + LSI_SIEN0);
	readb(engine->regs + LSI_ISTAT0);

	synchronize_hardirq(engine->irq);
	atomic_set(&engine->status, 0);
}

static void phyr_engine_record(struct phyr_engine *engine,
			       const struct phyr_engine_run *run, int error)
{
	u64 slot = engine->record_count++ % PHYR_ENGINE_RECORDS;

	engine->records[slot] = (struct phyr_engine_record) {
		.seqno = run->fence->seqno,
		.len = run->len,
		.moves = run->moves,
		.scripts = run->scripts,
		.status = error,
	};
}

/*
 * Return: the run's fence, for the caller to signal and put once it has
 * released the lock.
 */
static struct dma_fence *phyr_engine_finish(struct phyr_engine *engine,
					    int error)
{
	struct dma_fence *fence = dma_fence_get(engine->run->fence);

	lockdep_assert_held(&engine->lock);

	if (error)
		dma_fence_set_error(fence, error);
	phyr_engine_record(engine, engine->run, error);
	engine->run = NULL;
	return fence;
}

static void phyr_engine_fence_complete(struct dma_fence *fence)
{
	if (!fence)
		return;

	dma_fence_signal(fence);
	dma_fence_put(fence);
}

/* Return: as phyr_engine_finish(), or NULL while the run goes on. */
static struct dma_fence *phyr_engine_step(struct phyr_engine *engine,
					  int status)
{
	struct phyr_engine_run *run = engine->run;

	if (status != LSI_DMA_SCRIPT) {
		dev_err(engine->dev, "engine error, status %#x\n", status);
		phyr_engine_reset(engine);
		return phyr_engine_finish(engine, -EIO);
	}
	if (readl(engine->regs + LSI_DSPS) != engine->script_seq)
		return NULL;

	run->left -= engine->script_bytes;
	run->moves += engine->script_moves;
	run->scripts++;
	if (!run->left)
		return phyr_engine_finish(engine, 0);
	if (phyr_engine_build(engine, run))
		return phyr_engine_finish(engine, -EIO);

	writel(lower_32_bits(engine->script_addr), engine->regs + LSI_DSP);
	return NULL;
}

static irqreturn_t phyr_engine_irq(int irq, void *data)
{
	struct phyr_engine *engine = data;
	u8 istat = readb(engine->regs + LSI_ISTAT0);
	int status = 0;

	if (istat == LSI_ISTAT0_GONE ||
	    !(istat & (LSI_ISTAT0_DIP | LSI_ISTAT0_SIP)))
		return IRQ_NONE;

	/* Reading clears, and takes the interrupt line down. */
	if (istat & LSI_ISTAT0_SIP) {
		if (readb(engine->regs + LSI_SIST0) & LSI_SIEN0_ERRORS)
			status |= LSI_STATUS_SCSI;
		readb(engine->regs + LSI_SIST1);
	}
	if (istat & LSI_ISTAT0_DIP)
		status |= readb(engine->regs + LSI_DSTAT) & LSI_DMA_ALL;
	if (!status)
		return IRQ_HANDLED;

	atomic_or(status, &engine->status);
	return IRQ_WAKE_THREAD;
}

static irqreturn_t phyr_engine_thread(int irq, void *data)
{
	struct phyr_engine *engine = data;
	struct dma_fence *fence = NULL;
	bool cookie;
	int status;

	phyr_inject_delay();
	cookie = dma_fence_begin_signalling();
	mutex_lock(&engine->lock);
	status = atomic_xchg(&engine->status, 0);
	if (status && engine->run)
		fence = phyr_engine_step(engine, status);
	mutex_unlock(&engine->lock);

	phyr_engine_fence_complete(fence);
	dma_fence_end_signalling(cookie);
	return IRQ_HANDLED;
}

/**
 * phyr_engine_start - start a run
 * @engine: the engine; it has no run
 * @run: the run; stays until its fence is signalled
 *
 * Context: may sleep; on the way to signalling a fence.
 * Return: a reference to the run's fence; -ECANCELED when the engine is gone,
 * -EIO when the run's lists are too short. The fence is not initialised then.
 */
struct dma_fence *phyr_engine_start(struct phyr_engine *engine,
				    struct phyr_engine_run *run)
{
	struct dma_fence *fence;
	int ret = -ECANCELED;

	mutex_lock(&engine->lock);
	if (engine->stopped)
		goto err_unlock;
	if (engine->hang) {
		engine->hang--;
		run->hang = true;
		run->injected = true;
	}
	ret = phyr_engine_build(engine, run);
	if (ret)
		goto err_unlock;

	dma_fence_init(run->fence, &phyr_engine_fence_ops, NULL, engine->context,
		       ++engine->seqno);
	fence = dma_fence_get(run->fence);
	WARN_ON_ONCE(engine->run);
	engine->run = run;
	writel(lower_32_bits(engine->script_addr), engine->regs + LSI_DSP);
	mutex_unlock(&engine->lock);
	return fence;

err_unlock:
	mutex_unlock(&engine->lock);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_NS_GPL(phyr_engine_start, "PHYR_ENGINE");

/**
 * phyr_engine_progress - whether a run is done or has got on
 * @engine: the engine
 * @run: a run that has not been freed
 *
 * Context: may sleep.
 * Return: false when no script of @run was completed since the last call, or
 * since it started.
 */
bool phyr_engine_progress(struct phyr_engine *engine, struct phyr_engine_run *run)
{
	bool progress;

	/* An interrupt that nobody had time for is none of the device's fault. */
	synchronize_irq(engine->irq);

	mutex_lock(&engine->lock);
	progress = engine->run != run || run->scripts != run->scripts_seen;
	run->scripts_seen = run->scripts;
	mutex_unlock(&engine->lock);
	return progress;
}
EXPORT_SYMBOL_NS_GPL(phyr_engine_progress, "PHYR_ENGINE");

/**
 * phyr_engine_abort - reset the device to get rid of a run
 * @engine: the engine
 * @run: the run; nothing happens if it is done
 * @error: negative errno for its fence
 *
 * Context: may sleep; on the way to signalling a fence.
 */
void phyr_engine_abort(struct phyr_engine *engine, struct phyr_engine_run *run,
		       int error)
{
	struct dma_fence *fence = NULL;

	mutex_lock(&engine->lock);
	if (engine->run == run) {
		phyr_engine_reset(engine);
		fence = phyr_engine_finish(engine, error);
	}
	mutex_unlock(&engine->lock);

	phyr_engine_fence_complete(fence);
}
EXPORT_SYMBOL_NS_GPL(phyr_engine_abort, "PHYR_ENGINE");

/**
 * phyr_engine_stop - stop the device for good
 * @engine: the engine
 *
 * What it does is cancelled, and nothing starts any more. The device may be
 * there, and busy, although its driver is being unbound: it is reset anyway.
 *
 * Context: before the driver is unbound; may sleep.
 */
void phyr_engine_stop(struct phyr_engine *engine)
{
	struct dma_fence *fence = NULL;

	mutex_lock(&engine->lock);
	engine->stopped = true;
	phyr_engine_reset(engine);
	writeb(0, engine->regs + LSI_DIEN);
	writeb(0, engine->regs + LSI_SIEN0);
	if (engine->run)
		fence = phyr_engine_finish(engine, -ECANCELED);
	mutex_unlock(&engine->lock);

	phyr_engine_fence_complete(fence);
}
EXPORT_SYMBOL_NS_GPL(phyr_engine_stop, "PHYR_ENGINE");

/**
 * phyr_engine_init - take the hardware over
 * @engine: the engine
 * @pdev: the enabled PCI device, which owns everything acquired here; its DMA
 *	mask is set
 *
 * Context: probe.
 * Return: 0 or a negative errno.
 */
int phyr_engine_init(struct phyr_engine *engine, struct pci_dev *pdev)
{
	const char *name = dev_driver_string(&pdev->dev);
	int ret;

	engine->dev = &pdev->dev;
	engine->irq = pdev->irq;
	engine->context = dma_fence_context_alloc(1);
	ret = devm_mutex_init(&pdev->dev, &engine->lock);
	if (ret)
		return ret;

	engine->regs = pcim_iomap_region(pdev, 1, name);
	if (IS_ERR(engine->regs))
		return PTR_ERR(engine->regs);
	engine->script = dmam_alloc_coherent(&pdev->dev, PAGE_SIZE,
					     &engine->script_addr, GFP_KERNEL);
	if (!engine->script)
		return -ENOMEM;

	mutex_lock(&engine->lock);
	phyr_engine_reset(engine);
	mutex_unlock(&engine->lock);

	pci_set_master(pdev);
	return devm_request_threaded_irq(&pdev->dev, engine->irq,
					 phyr_engine_irq, phyr_engine_thread,
					 IRQF_SHARED, name, engine);
}
EXPORT_SYMBOL_NS_GPL(phyr_engine_init, "PHYR_ENGINE");

/*
 * What root may read, and break
 */

static int phyr_engine_jobs_show(struct seq_file *m, void *unused)
{
	struct phyr_engine *engine = m->private;
	const struct phyr_engine_record *record;
	u64 i;

	guard(mutex)(&engine->lock);
	i = engine->record_count - min(engine->record_count, PHYR_ENGINE_RECORDS);
	for (; i < engine->record_count; i++) {
		record = &engine->records[i % PHYR_ENGINE_RECORDS];
		seq_printf(m, "job %llu len %llu moves %llu scripts %llu status %d\n",
			   record->seqno, record->len, record->moves,
			   record->scripts, record->status);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(phyr_engine_jobs);

static int phyr_engine_hang_get(void *data, u64 *value)
{
	struct phyr_engine *engine = data;

	guard(mutex)(&engine->lock);
	*value = engine->hang;
	return 0;
}

static int phyr_engine_hang_set(void *data, u64 value)
{
	struct phyr_engine *engine = data;

	if (value > U32_MAX)
		return -EINVAL;

	guard(mutex)(&engine->lock);
	engine->hang = value;
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(phyr_engine_hang_fops, phyr_engine_hang_get, phyr_engine_hang_set,
			 "%llu\n");

/**
 * phyr_engine_debugfs - two files for root
 * @engine: the engine
 * @root: the driver's directory, which it removes before it is unbound
 *
 * "jobs" has the latest runs; what is written to "hang" is how many runs to come
 * shall hang the engine.
 *
 * Context: probe.
 */
void phyr_engine_debugfs(struct phyr_engine *engine, struct dentry *root)
{
	debugfs_create_file("jobs", 0400, root, engine, &phyr_engine_jobs_fops);
	debugfs_create_file_unsafe("hang", 0600, root, engine,
				   &phyr_engine_hang_fops);
}
EXPORT_SYMBOL_NS_GPL(phyr_engine_debugfs, "PHYR_ENGINE");

static void __exit phyr_engine_exit(void)
{
	/* Who asks a fence for its name may still be in this module. */
	synchronize_rcu();
}
module_exit(phyr_engine_exit);

static int __init phyr_engine_load(void)
{
	return 0;
}
module_init(phyr_engine_load);

MODULE_DESCRIPTION("LSI 53C895A as a copy engine");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("PHYR");

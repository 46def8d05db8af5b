// SPDX-License-Identifier: GPL-2.0
/*
 * The SCRIPTS processor of the LSI 53C895A as a copy engine
 *
 * Terms
 *	run	one copy, from phyr_engine_start() until its fence signals
 *	script	instructions for a part of a run: Memory Moves, which copy
 *		between two DMA addresses, and a final interrupt instruction
 *
 * phyr_engine_build() builds a script by walking the run's two dma_range lists
 * in parallel. Writing the script's address to LSI_DSP starts it. A run may
 * need several scripts; the interrupt of each one starts the next. Emulators
 * execute the script inside the register write, so all state is updated before.
 *
 * Invariants
 * - The device works for phyr_engine.run only; it is idle while that is NULL.
 *   Clearing it requires a reset first, unless a script of the run has just
 *   interrupted.
 * - A run's fence is signalled once, after phyr_engine.run is cleared, without
 *   the lock held. From then on the run may be freed.
 * - The registers stay mapped until the driver is unbound. No run starts after
 *   phyr_engine_stop(), unless phyr_engine_resume() follows.
 * - No memory is allocated between the start of a run and its fence.
 * - phyr_engine_pause() pauses a run between two scripts.
 *
 * Limits: a move has 24 bits of length and 32 bits of address. Real hardware
 * requires source and destination to be equal modulo 4 and raises an illegal
 * instruction interrupt otherwise (-EIO); QEMU does not check.
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
#define   LSI_ISTAT0_DIP	BIT(0)	/* interrupt pending in DSTAT */
#define   LSI_ISTAT0_SIP	BIT(1)	/* ... in SIST0 or SIST1 */
#define   LSI_ISTAT0_SRST	BIT(6)
#define   LSI_ISTAT0_GONE	0xff	/* the device does not respond */
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
#define LSI_DMA_ILLEGAL		BIT(0)
#define LSI_DMA_SCRIPT		BIT(2)	/* the script's interrupt instruction */
#define LSI_DMA_ABORTED	BIT(4)
#define LSI_DMA_BUS_FAULT	BIT(5)
#define LSI_DMA_PARITY		BIT(6)
#define LSI_DMA_ALL		(LSI_DMA_ILLEGAL | LSI_DMA_SCRIPT | \
				 LSI_DMA_ABORTED | LSI_DMA_BUS_FAULT | \
				 LSI_DMA_PARITY)

/* In phyr_engine.status, in addition to the bits of DSTAT. */
#define LSI_STATUS_SCSI		BIT(8)

#define LSI_OP_MOVE		0xc0000000
#define LSI_OP_INTERRUPT	0x98080000
#define LSI_OP_WAIT_RESELECT	0x50000000

/*
 * Recent QEMU versions stop a script after 100 instructions. LSI_SCRIPT_BYTES
 * bounds the run time of a script to about 40 ms on the card's 32-bit bus, well
 * below the drivers' timeouts: no script completed within one means a hang.
 */
#define LSI_SCRIPT_MOVES	96
#define LSI_SCRIPT_BYTES	(4ULL << 20)
#define LSI_SCRIPT_WORDS	(LSI_SCRIPT_MOVES * 3 + 2 + 2)

/* phyr_engine_pause() takes a script that runs for longer than this for hung. */
#define PHYR_ENGINE_PAUSE_TIMEOUT	secs_to_jiffies(1)

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

/* Return: bytes left in the current range, loading the next; 0 at the end. */
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

/* Return: 0, or -EIO if a range list is shorter than the run. */
static int phyr_engine_build(struct phyr_engine *engine,
			     struct phyr_engine_run *run)
{
	__le32 *word = engine->script;
	u64 left, len;

	BUILD_BUG_ON(LSI_SCRIPT_WORDS * sizeof(*word) > PAGE_SIZE);
	BUILD_BUG_ON(LSI_SCRIPT_BYTES >> 24);
	lockdep_assert_held(&engine->lock);

	if (phyr_inject_fault())
		return -EIO;

	left = min(run->left, LSI_SCRIPT_BYTES);
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
 * On return the device is idle, no interrupt is pending, and interrupts raised
 * before the reset have been discarded.
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
	engine->busy = false;
	wake_up(&engine->idle);
}

/* Start the script that was built last. */
static void phyr_engine_go(struct phyr_engine *engine)
{
	lockdep_assert_held(&engine->lock);

	engine->busy = true;
	writel(lower_32_bits(engine->script_addr), engine->regs + LSI_DSP);
}

static void phyr_engine_record(struct phyr_engine *engine,
			       const struct phyr_engine_run *run, int error)
{
	u64 slot;

	lockdep_assert_held(&engine->lock);

	slot = engine->record_count++ % PHYR_ENGINE_RECORDS;
	engine->records[slot] = (struct phyr_engine_record) {
		.seqno = run->fence->seqno,
		.len = run->len,
		.moves = run->moves,
		.scripts = run->scripts,
		.status = error,
	};
}

/* Return: the run's fence; the caller signals and puts it after unlocking. */
static struct dma_fence *phyr_engine_finish(struct phyr_engine *engine,
					    int error)
{
	struct dma_fence *fence;

	lockdep_assert_held(&engine->lock);

	fence = dma_fence_get(engine->run->fence);
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

/* Return: as phyr_engine_finish(), or NULL if the run is not finished. */
static struct dma_fence *phyr_engine_step(struct phyr_engine *engine,
					  int status)
{
	struct phyr_engine_run *run;

	lockdep_assert_held(&engine->lock);

	run = engine->run;
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
	engine->busy = false;
	wake_up(&engine->idle);
	if (!run->left)
		return phyr_engine_finish(engine, 0);
	if (engine->paused)
		return NULL;
	if (phyr_engine_build(engine, run))
		return phyr_engine_finish(engine, -EIO);

	phyr_engine_go(engine);
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

	/* Reading clears the cause and deasserts the interrupt line. */
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
 * @engine: the engine; it must be idle
 * @run: the run; must stay allocated until its fence is signalled
 *
 * Initialises @run->fence on success only.
 *
 * Context: may sleep; inside a fence signalling critical section.
 * Return: a reference to the run's fence; ERR_PTR(-ENODEV) after
 * phyr_engine_stop(), ERR_PTR(-EAGAIN) after phyr_engine_pause(),
 * ERR_PTR(-EIO) if a range list is too short.
 */
struct dma_fence *phyr_engine_start(struct phyr_engine *engine,
				    struct phyr_engine_run *run)
{
	struct dma_fence *fence;
	int ret = -ENODEV;

	mutex_lock(&engine->lock);
	if (engine->stopped)
		goto err_unlock;
	ret = -EAGAIN;
	if (engine->paused)
		goto err_unlock;
	if (engine->hang) {
		engine->hang--;
		run->hang = true;
		run->injected = true;
	}
	ret = phyr_engine_build(engine, run);
	if (ret)
		goto err_unlock;

	dma_fence_init(run->fence, &phyr_engine_fence_ops, NULL,
		       engine->context, ++engine->seqno);
	fence = dma_fence_get(run->fence);
	WARN_ON_ONCE(engine->run);
	engine->run = run;
	phyr_engine_go(engine);
	mutex_unlock(&engine->lock);
	return fence;

err_unlock:
	mutex_unlock(&engine->lock);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_NS_GPL(phyr_engine_start, "PHYR_ENGINE");

/**
 * phyr_engine_progress - check a run for progress
 * @engine: the engine
 * @run: a run that has not been freed
 *
 * Context: may sleep.
 * Return: true if @run is finished or has completed a script since the last
 * call, or since it started if this is the first call; false otherwise.
 */
bool phyr_engine_progress(struct phyr_engine *engine,
			  struct phyr_engine_run *run)
{
	bool progress;

	/* Let a pending irq thread run first; a starved thread is no hang. */
	synchronize_irq(engine->irq);

	mutex_lock(&engine->lock);
	progress = engine->run != run || run->scripts != run->scripts_seen;
	run->scripts_seen = run->scripts;
	mutex_unlock(&engine->lock);
	return progress;
}
EXPORT_SYMBOL_NS_GPL(phyr_engine_progress, "PHYR_ENGINE");

/**
 * phyr_engine_abort - reset the device and end a run
 * @engine: the engine
 * @run: the run; if it is finished, nothing is done
 * @error: negative errno for the run's fence
 *
 * Context: may sleep; inside a fence signalling critical section.
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
 * phyr_engine_stop - stop the device
 * @engine: the engine
 *
 * Ends the current run with -ENODEV; phyr_engine_start() fails until
 * phyr_engine_resume(). Resets the device unconditionally: on driver unbind it
 * may still be present and busy. On return it does no DMA and raises no
 * interrupt, and the engine writes no register until it is resumed.
 *
 * Context: on suspend, and before the driver is unbound; may sleep.
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
		fence = phyr_engine_finish(engine, -ENODEV);
	mutex_unlock(&engine->lock);

	phyr_engine_fence_complete(fence);
}
EXPORT_SYMBOL_NS_GPL(phyr_engine_stop, "PHYR_ENGINE");

/**
 * phyr_engine_pause - stop the device until phyr_engine_resume()
 * @engine: the engine
 *
 * The current run pauses after the script that is running, which takes 40 ms at
 * most. If that script takes longer than a second, it hangs, and the run ends
 * with -ETIMEDOUT. On return the device does no DMA, raises no interrupt, and
 * may lose power. The caller must keep its own watchdog from calling
 * phyr_engine_progress(), since a paused run makes no progress.
 *
 * Context: on suspend; may sleep, for a second at most.
 */
void phyr_engine_pause(struct phyr_engine *engine)
{
	struct dma_fence *fence = NULL;
	bool hung;

	mutex_lock(&engine->lock);
	engine->paused = true;
	mutex_unlock(&engine->lock);

	wait_event_timeout(engine->idle, !READ_ONCE(engine->busy),
			   PHYR_ENGINE_PAUSE_TIMEOUT);
	/* Let a pending irq thread run first; a starved thread is no hang. */
	synchronize_irq(engine->irq);

	mutex_lock(&engine->lock);
	hung = engine->busy;
	phyr_engine_reset(engine);
	if (hung) {
		if (engine->run->injected)
			dev_notice(engine->dev, "injected hang at suspend, reset\n");
		else
			dev_err(engine->dev, "engine hangs at suspend, reset\n");
		fence = phyr_engine_finish(engine, -ETIMEDOUT);
	}
	writeb(0, engine->regs + LSI_DIEN);
	writeb(0, engine->regs + LSI_SIEN0);
	mutex_unlock(&engine->lock);

	phyr_engine_fence_complete(fence);
}
EXPORT_SYMBOL_NS_GPL(phyr_engine_pause, "PHYR_ENGINE");

/**
 * phyr_engine_resume - make a paused or stopped device usable again
 * @engine: the engine, after phyr_engine_pause() or phyr_engine_stop()
 *
 * Initialises the registers, which may have lost their values, and continues
 * the run that was paused.
 *
 * Context: on resume; may sleep.
 */
void phyr_engine_resume(struct phyr_engine *engine)
{
	struct dma_fence *fence = NULL;

	mutex_lock(&engine->lock);
	phyr_engine_reset(engine);
	engine->stopped = false;
	engine->paused = false;
	if (engine->run) {
		if (phyr_engine_build(engine, engine->run))
			fence = phyr_engine_finish(engine, -EIO);
		else
			phyr_engine_go(engine);
	}
	mutex_unlock(&engine->lock);

	phyr_engine_fence_complete(fence);
}
EXPORT_SYMBOL_NS_GPL(phyr_engine_resume, "PHYR_ENGINE");

/**
 * phyr_engine_init - initialise the engine and its hardware
 * @engine: the engine; zeroed, except for the script of a driver without DMA API
 * @pdev: the PCI device, enabled and with its DMA mask set; all resources are
 *	device-managed
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
	init_waitqueue_head(&engine->idle);
	ret = devm_mutex_init(&pdev->dev, &engine->lock);
	if (ret)
		return ret;

	engine->regs = pcim_iomap_region(pdev, 1, name);
	if (IS_ERR(engine->regs))
		return PTR_ERR(engine->regs);
	if (!engine->script)
		engine->script = dmam_alloc_coherent(&pdev->dev, PAGE_SIZE,
						     &engine->script_addr,
						     GFP_KERNEL);
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
 * debugfs, root only
 */

static int phyr_engine_jobs_show(struct seq_file *m, void *unused)
{
	struct phyr_engine *engine = m->private;
	const struct phyr_engine_record *record;
	u64 i;

	guard(mutex)(&engine->lock);
	i = engine->record_count -
	    min(engine->record_count, PHYR_ENGINE_RECORDS);
	for (; i < engine->record_count; i++) {
		record = &engine->records[i % PHYR_ENGINE_RECORDS];
		seq_printf(m,
			   "job %llu len %llu moves %llu scripts %llu status %d\n",
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
DEFINE_DEBUGFS_ATTRIBUTE(phyr_engine_hang_fops, phyr_engine_hang_get,
			 phyr_engine_hang_set, "%llu\n");

/**
 * phyr_engine_debugfs - create the engine's debugfs files
 * @engine: the engine
 * @root: the driver's directory; the driver removes it before it is unbound
 *
 * "jobs" lists the last %PHYR_ENGINE_RECORDS runs. Writing N to "hang" makes
 * the next N runs hang the engine.
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
	/* Fence name callbacks in this module may still run under RCU. */
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

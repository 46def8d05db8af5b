// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <xf86drm.h>

#include "foreign.h"
#include "traffic.h"

IGT_TEST_DESCRIPTION("Fences of dma-bufs: implicit synchronization, sync_files and poll()");

/*
 * A copy that hangs is a fence that stays unsignalled until the engine's watchdog
 * resets it. Meanwhile the tests check what waits for that fence.
 */
#define SIZE	SZ_64K

/* A sync_file of a copy that hangs, between private buffers. */
static int hanging_fence(int engine)
{
	struct phyr_device device = copy_device(0);

	igt_assert_eq(phyr_hang(&device, 1), 0);
	return submit_for_fence(engine, copy_job(create_own(engine, SIZE),
						 create_own(engine, SIZE), SIZE));
}

static void poll_until(int fd, short events)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };

	igt_assert_eq(poll(&poll_fd, 1, PHYR_WAIT_SECONDS * 1000), 1);
	igt_assert_eq(poll_fd.revents, events);
}

/* Close the sync_file and return its status. */
static int close_fence(int sync_file)
{
	int status = phyr_sync_file_status(sync_file);

	close(sync_file);
	return status;
}

static int export_fence(int dmabuf, uint32_t flags, int *sync_file)
{
	struct dma_buf_export_sync_file export = { .flags = flags, .fd = -1 };
	int err = phyr_ioctl(dmabuf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &export);

	*sync_file = export.fd;
	return err;
}

static int fence_of(int dmabuf, uint32_t flags)
{
	int sync_file;

	igt_assert_eq(export_fence(dmabuf, flags, &sync_file), 0);
	return sync_file;
}

static int import_fence(int dmabuf, uint32_t flags, int sync_file)
{
	struct dma_buf_import_sync_file import = {
		.flags = flags,
		.fd = sync_file,
	};

	return phyr_ioctl(dmabuf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &import);
}

/* Copy through a stock driver's dma-buf from one engine to the other. */
static void foreign_chain(void)
{
	int first = open_copy(0), second = open_copy(1);
	int dmabuf = create_udmabuf(4 * SZ_1M);
	uint32_t src = create_own(first, 4 * SZ_1M);
	uint32_t dst = create_own(second, 4 * SZ_1M);
	uint32_t in = import_buffer(first, dmabuf);
	uint32_t out = import_buffer(second, dmabuf);

	for (int round = 0; round < 8; round++) {
		fill_own(first, src, 4 * SZ_1M, 10 + round);
		submit_job(first, copy_job(src, in, 4 * SZ_1M));
		copy_bytes(second, out, dst, 4 * SZ_1M);
		assert_own(second, dst, 4 * SZ_1M, 10 + round);
	}
	close(dmabuf);
	close(second);
	close(first);
}

/* A write waits for a read by the other engine. */
static void foreign_write_after_read(void)
{
	int first = open_copy(0), second = open_copy(1);
	int dmabuf = create_udmabuf(4 * SZ_1M);
	uint32_t old = create_own(first, 4 * SZ_1M);
	uint32_t src = create_own(second, 4 * SZ_1M);
	void *mem = map_dmabuf(dmabuf, 4 * SZ_1M);

	phyr_fill(mem, 20, 0, 4 * SZ_1M);
	fill_own(second, src, 4 * SZ_1M, 21);
	submit_job(first, copy_job(import_buffer(first, dmabuf), old, 4 * SZ_1M));
	copy_bytes(second, src, import_buffer(second, dmabuf), 4 * SZ_1M);
	assert_own(first, old, 4 * SZ_1M, 20);
	assert_bytes(mem, 21, 0, 4 * SZ_1M);
	unmap(mem, 4 * SZ_1M);
	close(dmabuf);
	close(second);
	close(first);
}

/* A copy by the second engine waits for the hung write to its source. */
static void waits_for_hang(int dmabuf, uint32_t flags)
{
	struct phyr_device device = copy_device(0);
	int first = open_device(&device), second = open_copy(1), write, read;

	(void)flags;
	igt_assert_eq(phyr_hang(&device, 1), 0);
	write = submit_for_fence(first, copy_job(create_own(first, SIZE),
						 import_buffer(first, dmabuf), SIZE));
	read = submit_for_fence(second, copy_job(import_buffer(second, dmabuf),
						 create_own(second, SIZE), SIZE));
	igt_assert_eq(phyr_sync_file_status(write), 0);
	igt_assert_eq(phyr_sync_file_status(read), 0);
	igt_assert_eq(poll_now(dmabuf, POLLIN), 0);
	poll_until(read, POLLIN);
	igt_assert_eq(close_fence(write), -ETIMEDOUT);
	igt_assert_eq(close_fence(read), 1);
	poll_until(dmabuf, POLLOUT);
	close(dmabuf);
	close(second);
	close(first);
}

/* Export fences while the engine reads or writes, by @flags. */
static void export_sync_file(int dmabuf, uint32_t flags)
{
	struct phyr_device device = copy_device(0);
	int engine = open_device(&device), reader, writer, both;
	uint32_t imported = import_buffer(engine, dmabuf);
	uint32_t own = create_own(engine, SIZE);
	bool writing = flags & DMA_BUF_SYNC_WRITE;

	/* An idle dma-buf exports a signalled sync_file. */
	igt_assert_eq(close_fence(fence_of(dmabuf, DMA_BUF_SYNC_RW)), 1);
	igt_assert_eq(phyr_hang(&device, 1), 0);
	submit_job(engine, writing ? copy_job(own, imported, SIZE) :
				 copy_job(imported, own, SIZE));
	reader = fence_of(dmabuf, DMA_BUF_SYNC_READ);
	writer = fence_of(dmabuf, DMA_BUF_SYNC_WRITE);
	both = fence_of(dmabuf, DMA_BUF_SYNC_RW);
	igt_assert_eq(phyr_sync_file_status(reader), writing ? 0 : 1);
	igt_assert_eq(phyr_sync_file_status(writer), 0);
	igt_assert_eq(phyr_sync_file_status(both), 0);
	poll_until(both, POLLIN);
	poll_until(writer, POLLIN);
	igt_assert_eq(close_fence(both), -ETIMEDOUT);
	igt_assert_eq(close_fence(writer), -ETIMEDOUT);
	igt_assert_eq(close_fence(reader), writing ? -ETIMEDOUT : 1);
	close(dmabuf);
	close(engine);
}

/* poll() and exported sync_files include an imported fence, by its @flags. */
static void import_sync_file(int dmabuf, uint32_t flags)
{
	bool writes = flags & DMA_BUF_SYNC_WRITE;
	int engine = open_copy(0), fence, seen;

	igt_assert_eq(poll_now(dmabuf, POLLOUT), POLLOUT);
	fence = hanging_fence(engine);
	igt_assert_eq(import_fence(dmabuf, flags, fence), 0);
	igt_assert_eq(poll_now(dmabuf, POLLIN), writes ? 0 : POLLIN);
	igt_assert_eq(poll_now(dmabuf, POLLOUT), 0);
	seen = fence_of(dmabuf, DMA_BUF_SYNC_WRITE);
	igt_assert_eq(phyr_sync_file_status(seen), 0);
	igt_assert_eq(phyr_sync_file_status(fence), 0);

	poll_until(dmabuf, POLLOUT);
	igt_assert_eq(close_fence(fence), -ETIMEDOUT);
	igt_assert_eq(close_fence(seen), -ETIMEDOUT);
	close(dmabuf);
	close(engine);
}

/*
 * An engine waits for an imported sync_file: a read for one imported as a write,
 * a write for one imported as a read.
 */
static void imported_orders_engine(int dmabuf, uint32_t flags)
{
	int first = open_copy(0), second = open_copy(1), fence, after;
	uint32_t imported = import_buffer(second, dmabuf);
	uint32_t own = create_own(second, SIZE);
	bool reads = flags == DMA_BUF_SYNC_READ;

	fence = hanging_fence(first);
	igt_assert_eq(import_fence(dmabuf, flags, fence), 0);
	after = submit_for_fence(second, reads ? copy_job(own, imported, SIZE) :
						 copy_job(imported, own, SIZE));
	igt_assert_eq(phyr_sync_file_status(after), 0);
	poll_until(after, POLLIN);
	igt_assert_eq(close_fence(fence), -ETIMEDOUT);
	igt_assert_eq(close_fence(after), 1);
	close(dmabuf);
	close(second);
	close(first);
}

/* A copy of other buffers waits for a fence exported from the dma-buf. */
static void exported_orders_engine(void)
{
	struct phyr_device device = copy_device(0);
	int first = open_device(&device), second = open_copy(1), fence, other;
	struct drm_phyr_copy_submit next;
	int dmabuf = create_fragmented(SIZE, IN_VRAM);
	uint32_t syncobj;

	igt_assert_eq(phyr_hang(&device, 1), 0);
	submit_job(first, copy_job(create_own(first, SIZE), import_buffer(first, dmabuf),
				   SIZE));
	fence = fence_of(dmabuf, DMA_BUF_SYNC_READ);
	igt_assert_eq(phyr_syncobj_create(second, &syncobj), 0);
	igt_assert_eq(drmSyncobjImportSyncFile(second, syncobj, fence), 0);
	next = copy_job(create_own(second, SIZE), create_own(second, SIZE), SIZE);
	next.in_syncobj = syncobj;
	other = submit_for_fence(second, next);
	igt_assert_eq(phyr_sync_file_status(other), 0);
	poll_until(other, POLLIN);
	igt_assert_eq(close_fence(fence), -ETIMEDOUT);
	igt_assert_eq(close_fence(other), 1);
	close(dmabuf);
	close(second);
	close(first);
}

/* A move waits for an imported sync_file and keeps the bytes. */
static void move_waits(uint32_t flags)
{
	int vram = open_vram(0), engine = open_copy(0), dmabuf, fence;
	struct drm_phyr_vram_gem_move move = { .placement = IN_SYSTEM };

	move.handle = create_vram(vram, SIZE, EVICTABLE, SZ_4K);
	fill_vram(vram, move.handle, SIZE, 30);
	dmabuf = export_buffer(vram, move.handle);
	fence = hanging_fence(engine);
	igt_assert_eq(import_fence(dmabuf, flags, fence), 0);
	igt_assert_eq(phyr_sync_file_status(fence), 0);
	igt_assert_eq(phyr_ioctl(vram, DRM_IOCTL_PHYR_VRAM_GEM_MOVE, &move), 0);
	igt_assert_eq(close_fence(fence), -ETIMEDOUT);
	igt_assert_eq(vram_info(vram, move.handle).placement, IN_SYSTEM);
	assert_vram(vram, move.handle, SIZE, 30);
	close(dmabuf);
	close(engine);
	close(vram);
}

/* A process that moves a buffer and waits for a fence, with the lock held. */
static pid_t move_in_background(int vram, uint32_t handle, uint32_t placement)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	igt_assert(pid >= 0);
	if (!pid)
		_exit(try_move_buffer(vram, handle, placement) != 0);
	wait_until_sleeps_in(pid, "phyr_buffer_move_begin");
	return pid;
}

static void kill_and_wait(pid_t pid)
{
	int status;

	igt_assert_eq(kill(pid, SIGKILL), 0);
	igt_assert_eq(waitpid(pid, &status, 0), pid);
	igt_assert(WIFSIGNALED(status));
}

static void assert_untouched(int test, uint32_t id, uint64_t ranges)
{
	struct phyr_test_held held = held_now(test, id);

	igt_assert_eq(held.invalidated, 0);
	igt_assert(held.mapped);
	igt_assert_eq_u64(held.ranges, ranges);
}

/* Importers are not notified of a move that a signal interrupts. */
static void move_interrupted(void)
{
	int test = open_phyr_test(SECOND_IVSHMEM);
	int vram = open_vram(0), engine = open_copy(0), dmabuf, fence;
	uint32_t handle = create_vram(vram, SIZE, EVICTABLE, SZ_4K);
	uint32_t native, stock;
	uint64_t ranges;

	fill_vram(vram, handle, SIZE, 31);
	dmabuf = export_buffer(vram, handle);
	native = hold_mapped(test, dmabuf, PHYR_TEST_NATIVE,
			     PHYR_TEST_UNMAP_LATE);
	stock = hold_mapped(test, dmabuf, PHYR_TEST_REVOCABLE,
			    PHYR_TEST_UNMAP_LATE);
	ranges = held_now(test, native).ranges;
	fence = hanging_fence(engine);
	igt_assert_eq(import_fence(dmabuf, DMA_BUF_SYNC_READ, fence), 0);

	kill_and_wait(move_in_background(vram, handle, IN_SYSTEM));
	assert_untouched(test, native, ranges);
	assert_untouched(test, stock, ranges);
	igt_assert_eq(phyr_sync_file_status(fence), 0);
	igt_assert_eq(vram_info(vram, handle).placement, IN_VRAM);

	poll_until(fence, POLLIN);
	igt_assert_eq(close_fence(fence), -ETIMEDOUT);
	igt_assert_eq(try_move_buffer(vram, handle, IN_SYSTEM), 0);
	igt_assert_eq(held_now(test, native).invalidated, 1);
	igt_assert_eq(held_now(test, stock).invalidated, 1);
	assert_vram(vram, handle, SIZE, 31);
	close(test);
	close(dmabuf);
	close(engine);
	close(vram);
}

/* A process that attaches an importer which needs system memory. */
static pid_t attach_in_background(int test, int dmabuf)
{
	uint32_t id;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	igt_assert(pid >= 0);
	if (!pid)
		_exit(try_hold(test, dmabuf, PHYR_TEST_STATIC,
			       PHYR_TEST_UNMAP_LATE, &id) != 0);
	wait_until_sleeps_in(pid, "phyr_buffer_move_begin");
	return pid;
}

/* A process that imports, and waits for the lock. */
static pid_t import_in_background(int engine, int dmabuf)
{
	uint32_t handle;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	igt_assert(pid >= 0);
	if (!pid)
		_exit(phyr_import(engine, dmabuf, &handle) != 0);
	wait_until_sleeps_in(pid, "phyr_dma_buf_attach");
	return pid;
}

/*
 * A signal ends an attach that waits for a fence to move the buffer, and one
 * that waits for the first. The buffer is as before.
 */
static void attach_interrupted(void)
{
	int test = open_phyr_test(SECOND_IVSHMEM);
	int vram = open_vram(0), engine = open_copy(0), other = open_copy(1);
	uint32_t handle = create_vram(vram, SIZE, EVICTABLE, SZ_4K), id;
	int dmabuf = export_buffer(vram, handle), fence;
	pid_t attacher, importer;

	fill_vram(vram, handle, SIZE, 32);
	fence = hanging_fence(engine);
	igt_assert_eq(import_fence(dmabuf, DMA_BUF_SYNC_READ, fence), 0);
	attacher = attach_in_background(test, dmabuf);
	importer = import_in_background(other, dmabuf);
	kill_and_wait(importer);
	igt_assert_eq(phyr_sync_file_status(fence), 0);
	kill_and_wait(attacher);
	igt_assert_eq(phyr_sync_file_status(fence), 0);
	igt_assert_eq(vram_info(vram, handle).placement, IN_VRAM);
	igt_assert_eq(find_attachments("phyr_vram", NULL, NULL), 0);

	poll_until(fence, POLLIN);
	igt_assert_eq(close_fence(fence), -ETIMEDOUT);
	/* Nothing is left pinned, and the same attach succeeds. */
	igt_assert_eq(try_move_buffer(vram, handle, IN_SYSTEM), 0);
	igt_assert_eq(try_move_buffer(vram, handle, IN_VRAM), 0);
	igt_assert_eq(try_hold(test, dmabuf, PHYR_TEST_STATIC,
			       PHYR_TEST_UNMAP_LATE, &id), 0);
	igt_assert_eq(vram_info(vram, handle).placement, IN_SYSTEM);
	assert_vram(vram, handle, SIZE, 32);
	close(test);
	close(dmabuf);
	close(other);
	close(engine);
	close(vram);
}

/*
 * A buffer that is locked until a fence signals delays neither readers of the
 * list of attachments nor attaches to other buffers.
 */
static void attachments_busy(void)
{
	int vram = open_vram(0), engine = open_copy(0), other = open_copy(1);
	uint32_t handle = create_vram(vram, SIZE, EVICTABLE, SZ_4K);
	int dmabuf = export_buffer(vram, handle), fence;
	int second = create_fragmented(SIZE, IN_VRAM);
	struct attachment seen = { 0 };
	pid_t mover;

	import_buffer(other, dmabuf);
	assert_attachment("phyr_vram", NULL, "native",
			  iommu_is_on() ? "iova" : "window", 0, "");
	fence = hanging_fence(engine);
	igt_assert_eq(import_fence(dmabuf, DMA_BUF_SYNC_READ, fence), 0);
	mover = move_in_background(vram, handle, IN_SYSTEM);

	igt_assert_eq(find_attachments("phyr_vram", NULL, &seen), 1);
	igt_assert_eq(phyr_sync_file_status(fence), 0);
	igt_assert_f(!strcmp(seen.mode, "native") &&
		     !strcmp(seen.route, "busy") && !seen.mappings,
		     "attachment '%s %s %u', expected 'native busy -'\n",
		     seen.mode, seen.route, seen.mappings);
	import_buffer(other, second);
	igt_assert_eq(find_attachments("phyr_vram", NULL, NULL), 2);
	igt_assert_eq(phyr_sync_file_status(fence), 0);
	igt_assert(sleeps_in(mover, "phyr_buffer_move_begin"));

	poll_until(fence, POLLIN);
	igt_assert_eq(close_fence(fence), -ETIMEDOUT);
	assert_ends_well(mover);
	close(second);
	close(dmabuf);
	close(other);
	close(engine);
	close(vram);
}

/* DMA_BUF_IOCTL_SYNC waits for an imported write. */
static void sync_ioctl_waits(void)
{
	struct dma_buf_sync sync = {
		.flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ,
	};
	int engine = open_copy(0), dmabuf = create_fragmented(SIZE, IN_VRAM), fence;

	fence = hanging_fence(engine);
	igt_assert_eq(import_fence(dmabuf, DMA_BUF_SYNC_WRITE, fence), 0);
	igt_assert_eq(phyr_sync_file_status(fence), 0);
	igt_assert_eq(phyr_ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, &sync), 0);
	igt_assert_eq(close_fence(fence), -ETIMEDOUT);
	sync.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ;
	igt_assert_eq(phyr_ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, &sync), 0);
	close(dmabuf);
	close(engine);
}

/**
 * struct dmabuf_subtest - a subtest that is given an idle dma-buf
 * @name: the subtest
 * @description: its description
 * @run: the test; it closes the dma-buf
 * @placement: of a buffer of phyr_vram, or 0 for a stock driver's buffer
 * @flags: DMA_BUF_SYNC_* for @run
 */
struct dmabuf_subtest {
	const char *name;
	const char *description;
	void (*run)(int dmabuf, uint32_t flags);
	uint32_t placement;
	uint32_t flags;
};

static const struct dmabuf_subtest dmabuf_subtests[] = {
	{ "foreign-hang",
	  "A copy out of a stock driver's buffer waits for a hung copy into it",
	  waits_for_hang, 0, 0 },
	{ "vram-hang",
	  "A copy out of a VRAM buffer waits for a hung copy into it",
	  waits_for_hang, IN_VRAM, 0 },
	{ "export-while-written",
	  "Export sync_files of a dma-buf while it is written",
	  export_sync_file, IN_VRAM, DMA_BUF_SYNC_WRITE },
	{ "export-while-read",
	  "Export sync_files of a dma-buf while it is read",
	  export_sync_file, IN_VRAM, DMA_BUF_SYNC_READ },
	{ "export-foreign",
	  "Export sync_files of a stock driver's dma-buf while it is written",
	  export_sync_file, 0, DMA_BUF_SYNC_WRITE },
	{ "import-as-write",
	  "Import a sync_file into a dma-buf as a write",
	  import_sync_file, IN_VRAM, DMA_BUF_SYNC_WRITE },
	{ "import-as-read",
	  "Import a sync_file into a dma-buf as a read",
	  import_sync_file, IN_VRAM, DMA_BUF_SYNC_READ },
	{ "import-system",
	  "Import a sync_file into a dma-buf in system memory, as both",
	  import_sync_file, IN_SYSTEM, DMA_BUF_SYNC_RW },
	{ "import-orders-engine",
	  "An engine waits for a sync_file imported into a VRAM dma-buf",
	  imported_orders_engine, IN_VRAM, DMA_BUF_SYNC_WRITE },
	{ "import-as-read-orders-engine",
	  "An engine's write waits for a sync_file imported as a read",
	  imported_orders_engine, IN_VRAM, DMA_BUF_SYNC_READ },
	{ "import-orders-engine-foreign",
	  "An engine waits for a sync_file imported into a stock dma-buf",
	  imported_orders_engine, 0, DMA_BUF_SYNC_WRITE },
};

static void dmabuf_subtest(const struct dmabuf_subtest *test)
{
	igt_describe(test->description);
	igt_subtest(test->name)
		test->run(test->placement ? create_fragmented(SIZE, test->placement) :
					    create_udmabuf(SIZE), test->flags);
}

static void errors(void)
{
	int engine = open_copy(0), dmabuf = create_fragmented(SIZE, IN_VRAM), fence, none;
	int event = eventfd(0, EFD_CLOEXEC);

	fence = fence_of(dmabuf, DMA_BUF_SYNC_RW);
	igt_assert_eq(export_fence(dmabuf, 0, &none), -EINVAL);
	igt_assert_eq(export_fence(dmabuf, ~0u, &none), -EINVAL);
	igt_assert_eq(import_fence(dmabuf, 0, fence), -EINVAL);
	igt_assert_eq(import_fence(dmabuf, ~0u, fence), -EINVAL);
	igt_assert_eq(import_fence(dmabuf, DMA_BUF_SYNC_WRITE, -1), -EINVAL);
	igt_assert_eq(import_fence(dmabuf, DMA_BUF_SYNC_WRITE, event), -EINVAL);
	igt_assert_eq(import_fence(dmabuf, DMA_BUF_SYNC_WRITE, dmabuf), -EINVAL);
	igt_assert_eq(import_fence(dmabuf, DMA_BUF_SYNC_WRITE, fence), 0);
	igt_assert_eq(poll_now(dmabuf, POLLOUT), POLLOUT);
	close(event);
	close(fence);
	close(dmabuf);
	close(engine);
}

igt_main()
{
	igt_fixture()
		bind_engines();

	igt_describe("Two engines copy through a stock driver's buffer, ordered only by fences");
	igt_subtest("foreign-chain")
		foreign_chain();

	igt_describe("A write to a stock driver's buffer waits for a read by another engine");
	igt_subtest("foreign-write-after-read")
		foreign_write_after_read();

	for (unsigned int i = 0; i < ARRAY_SIZE(dmabuf_subtests); i++)
		dmabuf_subtest(&dmabuf_subtests[i]);

	igt_describe("A copy of other buffers waits for a sync_file exported from a dma-buf");
	igt_subtest("export-orders-engine")
		exported_orders_engine();

	igt_describe("A move waits for a sync_file imported as a read");
	igt_subtest("move-waits-for-reader")
		move_waits(DMA_BUF_SYNC_READ);

	igt_describe("A move waits for a sync_file imported as a write");
	igt_subtest("move-waits-for-writer")
		move_waits(DMA_BUF_SYNC_WRITE);

	igt_describe("A move that a signal interrupts does not disturb importers");
	igt_subtest("move-interrupted")
		move_interrupted();

	igt_describe("A signal ends an attach that waits for a fence, or for another attach");
	igt_subtest("attach-interrupted")
		attach_interrupted();

	igt_describe("The list of attachments waits for no buffer, and attaches do not wait for it");
	igt_subtest("attachments-busy")
		attachments_busy();

	igt_describe("DMA_BUF_IOCTL_SYNC waits for an imported sync_file");
	igt_subtest("sync-ioctl-waits")
		sync_ioctl_waits();

	igt_describe("Invalid flags and files that are not sync_files are refused");
	igt_subtest("errors")
		errors();
}

// SPDX-License-Identifier: MIT
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <xf86drm.h>

#include "lib.h"

IGT_TEST_DESCRIPTION("Jobs of a copy engine: order, fences, hangs, clients and errors");

static uint32_t create_syncobj(int fd)
{
	uint32_t syncobj;

	igt_assert_eq(phyr_syncobj_create(fd, &syncobj), 0);
	return syncobj;
}

/* 300 jobs write to one buffer; the last job determines its bytes. */
static void many_jobs(void)
{
	enum { JOBS = 300, SRCS = 4 };
	struct drm_phyr_copy_submit next = { 0 };
	int vram = open_vram(0), engine = open_copy(0);
	uint32_t handle = create_vram(vram, SZ_64K, IN_VRAM, SZ_4K), dst;
	uint32_t srcs[SRCS], syncobj = create_syncobj(engine);

	dst = import_from(engine, vram, handle);
	for (int i = 0; i < SRCS; i++) {
		srcs[i] = create_own(engine, SZ_64K);
		fill_own(engine, srcs[i], SZ_64K, 10 + i);
	}
	for (int i = 0; i < JOBS; i++) {
		next = copy_job(srcs[i % SRCS], dst, SZ_64K);
		next.out_syncobj = syncobj;
		submit_job(engine, next);
	}
	igt_assert_eq(phyr_syncobj_wait(engine, syncobj), 0);
	assert_vram(vram, handle, SZ_64K, 10 + (JOBS - 1) % SRCS);
	close(engine);
	close(vram);
}

/* Copy A to B, B to C, C to D on engines ordered only by implicit fences. */
static void implicit_sync(int first, int second)
{
	int vram = open_vram(0), fds[2] = { open_copy(first), open_copy(second) };
	uint64_t size = 4 * SZ_1M;
	uint32_t handles[4], imported[2][4];

	for (int i = 0; i < 4; i++) {
		handles[i] = create_vram(vram, size, IN_VRAM, SZ_64K);
		for (int k = 0; k < 2; k++)
			imported[k][i] = import_from(fds[k], vram,
						     handles[i]);
	}
	fill_vram(vram, handles[0], size, 20);
	submit_job(fds[0], copy_job(imported[0][0], imported[0][1], size));
	submit_job(fds[1], copy_job(imported[1][1], imported[1][2], size));
	igt_assert_eq(phyr_copy_run(fds[0], imported[0][2], 0, imported[0][3],
				    0, size), 0);
	assert_vram(vram, handles[3], size, 20);
	close(fds[0]);
	close(fds[1]);
	close(vram);
}

/* The second job writes what the first one reads, so it must wait. */
static void write_after_read(void)
{
	int vram = open_vram(0), first = open_copy(0), second = open_copy(1);
	uint64_t size = 4 * SZ_1M;
	uint32_t a = create_vram(vram, size, IN_VRAM, SZ_4K);
	uint32_t b = create_vram(vram, size, IN_VRAM, 0);
	uint32_t c = create_own(second, size);

	fill_vram(vram, a, size, 21);
	fill_own(second, c, size, 22);
	submit_job(first, copy_job(import_from(first, vram, a),
				   import_from(first, vram, b), size));
	igt_assert_eq(phyr_copy_run(second, c, 0, import_from(second, vram, a),
				    0, size), 0);
	assert_vram(vram, b, size, 21);
	assert_vram(vram, a, size, 22);
	close(first);
	close(second);
	close(vram);
}

/*
 * Only the syncobj orders these two jobs: they share no buffer. The first one
 * is queued behind a hung job.
 */
static void syncobj_in(void)
{
	struct phyr_device device = copy_device(0);
	int first = open_device(&device), second = open_copy(1);
	uint32_t a = create_own(first, SZ_4K), b = create_own(first, SZ_4K);
	uint32_t c = create_own(second, SZ_4K), d = create_own(second, SZ_4K);
	uint32_t out = create_syncobj(first), in, done = create_syncobj(second);
	struct drm_phyr_copy_submit next;
	int sync_file;

	igt_assert_eq(phyr_hang(&device, 1), 0);
	submit_job(first, copy_job(b, a, SZ_4K));
	next = copy_job(a, b, SZ_4K);
	next.out_syncobj = out;
	submit_job(first, next);
	igt_assert_eq(drmSyncobjExportSyncFile(first, out, &sync_file), 0);
	in = create_syncobj(second);
	igt_assert_eq(drmSyncobjImportSyncFile(second, in, sync_file), 0);
	next = copy_job(c, d, SZ_4K);
	next.in_syncobj = in;
	next.out_syncobj = done;
	submit_job(second, next);
	igt_assert_eq(phyr_syncobj_wait(second, done), 0);
	/* The second job is done, so the first one must be, too. */
	igt_assert_eq(phyr_sync_file_status(sync_file), 1);
	close(sync_file);
	close(first);
	close(second);
}

static void hang(void)
{
	struct phyr_device device = copy_device(0);
	int vram = open_vram(0), engine = open_device(&device);
	uint32_t handle = create_vram(vram, SZ_1M, IN_VRAM, SZ_4K), dst, src;

	dst = import_from(engine, vram, handle);
	src = create_own(engine, SZ_1M);
	fill_own(engine, src, SZ_1M, 30);
	igt_assert_eq(phyr_hang(&device, 1), 0);
	igt_assert_eq(phyr_copy_run(engine, src, 0, dst, 0, SZ_1M), -ETIMEDOUT);
	igt_assert_eq(last_job(&device).status, -ETIMEDOUT);
	copy_bytes(engine, src, dst, SZ_1M);
	igt_assert_eq(last_job(&device).status, 0);
	assert_vram(vram, handle, SZ_1M, 30);
	close(engine);
	close(vram);
}

/* Jobs queued behind a hung one run after the reset. */
static void hang_with_queue(void)
{
	enum { JOBS = 8 };
	struct phyr_device device = copy_device(0);
	int vram = open_vram(0), engine = open_device(&device);
	uint32_t handles[JOBS], syncobjs[JOBS], src = create_own(engine, SZ_64K);
	struct drm_phyr_copy_submit next;

	fill_own(engine, src, SZ_64K, 31);
	igt_assert_eq(phyr_hang(&device, 2), 0);
	for (int i = 0; i < JOBS; i++) {
		handles[i] = create_vram(vram, SZ_64K, IN_VRAM, SZ_4K);
		syncobjs[i] = create_syncobj(engine);
		next = copy_job(src, import_from(engine, vram, handles[i]), SZ_64K);
		next.out_syncobj = syncobjs[i];
		submit_job(engine, next);
	}
	for (int i = 0; i < JOBS; i++)
		igt_assert_eq(phyr_syncobj_wait(engine, syncobjs[i]),
			      i < 2 ? -ETIMEDOUT : 0);
	for (int i = 2; i < JOBS; i++)
		assert_vram(vram, handles[i], SZ_64K, 31);
	close(engine);
	close(vram);
}

/*
 * While the engine hangs in a copy, the destination is neither readable nor
 * writable, and the source is readable only.
 */
static void poll_dmabuf(void)
{
	struct phyr_device device = copy_device(0);
	int vram = open_vram(0), engine = open_device(&device), sync_file;
	int src = create_dmabuf(vram, SZ_64K, 0);
	int dst = create_dmabuf(vram, SZ_64K, 0);
	struct pollfd poll_fd = { .fd = dst, .events = POLLIN };

	igt_assert_eq(poll_now(dst, POLLIN), POLLIN);
	igt_assert_eq(poll_now(dst, POLLOUT), POLLOUT);
	igt_assert_eq(phyr_hang(&device, 1), 0);
	submit_job(engine, copy_job(import_buffer(engine, src),
				    import_buffer(engine, dst), SZ_64K));
	igt_assert_eq(poll_now(dst, POLLIN), 0);
	igt_assert_eq(poll_now(dst, POLLOUT), 0);
	igt_assert_eq(poll_now(src, POLLIN), POLLIN);
	igt_assert_eq(poll_now(src, POLLOUT), 0);
	sync_file = phyr_dmabuf_sync_file(dst, false);
	igt_assert(sync_file >= 0);
	igt_assert_eq(phyr_sync_file_status(sync_file), 0);

	igt_assert_eq(poll(&poll_fd, 1, PHYR_WAIT_SECONDS * 1000), 1);
	igt_assert_eq(poll_fd.revents, POLLIN);
	igt_assert_eq(phyr_sync_file_status(sync_file), -ETIMEDOUT);
	close(sync_file);
	close(src);
	close(dst);
	close(engine);
	close(vram);
}

/* After poll() the bytes can be read without another wait. */
static void poll_then_read(void)
{
	int vram = open_vram(0), engine = open_copy(0);
	int dmabuf = create_dmabuf(vram, SZ_16M, SZ_64K);
	struct pollfd poll_fd = { .fd = dmabuf, .events = POLLIN };
	uint32_t src = create_own(engine, SZ_16M);
	void *mem = map_dmabuf(dmabuf, SZ_16M);

	fill_own(engine, src, SZ_16M, 32);
	submit_job(engine, copy_job(src, import_buffer(engine, dmabuf), SZ_16M));
	igt_assert_eq(poll(&poll_fd, 1, PHYR_WAIT_SECONDS * 1000), 1);
	assert_bytes(mem, 32, 0, SZ_16M);
	unmap(mem, SZ_16M);
	close(dmabuf);
	close(engine);
	close(vram);
}

/* Evict a buffer that the engine has mapped while a job writes it. */
static void evicted_between_jobs(void)
{
	struct phyr_device card = small_vram_device();
	uint64_t free = vram_free(&card);
	int vram = open_device(&card), engine = open_copy(0);
	uint32_t handle = create_vram(vram, SZ_1M, EVICTABLE, SZ_4K), dst, src;
	uint32_t big;

	dst = import_from(engine, vram, handle);
	src = create_own(engine, SZ_1M);
	fill_own(engine, src, SZ_1M, 40);
	submit_job(engine, copy_job(src, dst, SZ_1M));
	big = create_vram(vram, free, IN_VRAM, 0);
	igt_assert_eq(vram_info(vram, handle).placement, IN_SYSTEM);
	assert_vram(vram, handle, SZ_1M, 40);
	/* The next job maps it again at its new place. */
	fill_own(engine, src, SZ_1M, 41);
	fill_vram(vram, big, free, 42);
	copy_bytes(engine, src, dst, SZ_1M);
	assert_vram(vram, handle, SZ_1M, 41);
	assert_vram(vram, big, free, 42);
	close(engine);
	close(vram);
	wait_for_vram_free(&card, free);
}

/* Jobs of several processes on the same engine do not interfere. */
static void several_clients(void)
{
	igt_fork(child, 3) {
		int vram = open_vram(0), engine = open_copy(child % 2);
		uint32_t handle = create_vram(vram, SZ_1M, IN_VRAM, SZ_4K);
		uint32_t own = create_own(engine, SZ_1M), imported;

		imported = import_from(engine, vram, handle);
		for (int i = 0; i < 20; i++) {
			fill_own(engine, own, SZ_1M, 100 * child + i);
			copy_bytes(engine, own, imported, SZ_1M);
			assert_vram(vram, handle, SZ_1M, 100 * child + i);
		}
	}
	igt_waitchildren();
}

/*
 * Errors
 */

/* Valid arguments, of which each test replaces one. */
static struct {
	int vram;
	int engine;
	uint32_t small;
	uint32_t large;
} valid;

static void open_valid(void)
{
	valid.vram = open_vram(0);
	valid.engine = open_copy(0);
	valid.small = create_own(valid.engine, SZ_64K);
	valid.large = import_from(valid.engine, valid.vram,
				  create_vram(valid.vram, SZ_1M, IN_VRAM, 0));
}

static void close_valid(void)
{
	close(valid.engine);
	close(valid.vram);
}

#define SUBMIT_ERROR(...) \
	({ \
		struct drm_phyr_copy_submit args = { \
			.src_handle = valid.large, .dst_handle = valid.small, \
			.len = SZ_4K, __VA_ARGS__ \
		}; \
		phyr_copy_submit(valid.engine, &args); \
	})

static void bad_ranges(void)
{
	open_valid();
	igt_assert_eq(SUBMIT_ERROR(.len = SZ_64K), 0);
	igt_assert_eq(SUBMIT_ERROR(.len = 0), -EINVAL);
	igt_assert_eq(SUBMIT_ERROR(.len = SZ_64K + 1), -EINVAL);
	igt_assert_eq(SUBMIT_ERROR(.len = SZ_1M), -EINVAL);
	igt_assert_eq(SUBMIT_ERROR(.len = ~0ull), -EINVAL);
	igt_assert_eq(SUBMIT_ERROR(.dst_offset = SZ_64K), -EINVAL);
	igt_assert_eq(SUBMIT_ERROR(.dst_offset = SZ_64K - SZ_4K + 1), -EINVAL);
	igt_assert_eq(SUBMIT_ERROR(.src_offset = SZ_1M), -EINVAL);
	igt_assert_eq(SUBMIT_ERROR(.src_offset = ~0ull - SZ_4K + 1), -EINVAL);
	igt_assert_eq(SUBMIT_ERROR(.dst_offset = ~0ull - SZ_4K + 2), -EINVAL);
	igt_assert_eq(SUBMIT_ERROR(.src_offset = ~0ull, .len = 2), -EINVAL);
	close_valid();
}

static void same_buffer(void)
{
	uint8_t *mem;

	open_valid();
	mem = map_own(valid.engine, valid.small, SZ_64K);
	phyr_fill(mem, 50, 0, SZ_64K);
	igt_assert_eq(phyr_copy_run(valid.engine, valid.small, 0, valid.small,
				    SZ_64K / 2, SZ_64K / 2), 0);
	assert_bytes(mem, 50, 0, SZ_64K / 2);
	assert_bytes(mem + SZ_64K / 2, 50, 0, SZ_64K / 2);
	igt_assert_eq(SUBMIT_ERROR(.src_handle = valid.small,
				   .dst_offset = SZ_4K - 1), -EINVAL);
	igt_assert_eq(SUBMIT_ERROR(.src_handle = valid.small,
				   .src_offset = SZ_4K - 1), -EINVAL);
	igt_assert_eq(SUBMIT_ERROR(.src_handle = valid.small), -EINVAL);
	unmap(mem, SZ_64K);
	close_valid();
}

static void bad_flags(void)
{
	open_valid();
	for (int bit = 0; bit < 32; bit++)
		igt_assert_eq(SUBMIT_ERROR(.flags = 1u << bit), -EINVAL);
	igt_assert_eq(SUBMIT_ERROR(.pad = 1), -EINVAL);
	close_valid();
}

static void bad_handles(void)
{
	open_valid();
	igt_assert_eq(SUBMIT_ERROR(.src_handle = 0), -ENOENT);
	igt_assert_eq(SUBMIT_ERROR(.dst_handle = 0x7fffffff), -ENOENT);
	igt_assert_eq(phyr_close_handle(valid.engine, valid.large), 0);
	igt_assert_eq(SUBMIT_ERROR(.len = 1), -ENOENT);
	close_valid();
}

static void bad_syncobjs(void)
{
	open_valid();
	igt_assert_eq(SUBMIT_ERROR(.in_syncobj = 4711), -ENOENT);
	igt_assert_eq(SUBMIT_ERROR(.out_syncobj = 4711), -ENOENT);
	/* A syncobj without a fence cannot be waited for. */
	igt_assert_eq(SUBMIT_ERROR(.in_syncobj =
				   create_syncobj(valid.engine)), -EINVAL);
	close_valid();
}

static int create_own_error(int fd, uint64_t size, uint32_t flags)
{
	struct drm_phyr_copy_gem_create create = { .size = size, .flags = flags };

	return phyr_ioctl(fd, DRM_IOCTL_PHYR_COPY_GEM_CREATE, &create);
}

static void own_errors(void)
{
	int fd = open_copy(0);

	igt_assert_eq(create_own_error(fd, 0, 0), -EINVAL);
	igt_assert_eq(create_own_error(fd, ~0ull, 0), -E2BIG);
	igt_assert_eq(create_own_error(fd, 1ull << 40, 0), -E2BIG);
	igt_assert_eq(create_own_error(fd, 1ull << 62, 0), -E2BIG);
	for (int bit = 0; bit < 32; bit++)
		igt_assert_eq(create_own_error(fd, SZ_4K, 1u << bit), -EINVAL);
	close(fd);
}

/* The output of an ioctl is valid input. */
static void info_again(void)
{
	struct drm_phyr_copy_gem_info info = { 0 }, again;

	open_valid();
	info.handle = valid.large;
	igt_assert_eq(phyr_ioctl(valid.engine, DRM_IOCTL_PHYR_COPY_GEM_INFO,
				 &info), 0);
	igt_assert_eq(info.flags, DRM_PHYR_COPY_GEM_IMPORTED);
	again = info;
	igt_assert_eq(phyr_ioctl(valid.engine, DRM_IOCTL_PHYR_COPY_GEM_INFO,
				 &again), 0);
	igt_assert(!memcmp(&info, &again, sizeof(info)));
	close_valid();
}

igt_main()
{
	igt_fixture()
		bind_engines();

	igt_describe("300 queued jobs run in order");
	igt_subtest("many-jobs")
		many_jobs();

	igt_describe("Dependent jobs on one engine need no explicit wait");
	igt_subtest("implicit-sync")
		implicit_sync(0, 0);

	igt_describe("Dependent jobs on two engines need no explicit wait");
	igt_subtest("implicit-sync-two-engines")
		implicit_sync(0, 1);

	igt_describe("A job that writes waits for another engine's reader");
	igt_subtest("write-after-read")
		write_after_read();

	igt_describe("A job waits for its input syncobj");
	igt_subtest("syncobj-in")
		syncobj_in();

	igt_describe("A hung engine is reset, its job fails and the next job runs");
	igt_subtest("hang")
		hang();

	igt_describe("Jobs queued behind hung jobs run after the reset");
	igt_subtest("hang-with-queue")
		hang_with_queue();

	igt_describe("poll() on a dma-buf distinguishes readers from writers");
	igt_subtest("poll")
		poll_dmabuf();

	igt_describe("After poll() on a dma-buf the copy is complete");
	igt_subtest("poll-then-read")
		poll_then_read();

	igt_describe("A buffer evicted during a job keeps its bytes, and the next job maps it again");
	igt_subtest("evicted-between-jobs")
		evicted_between_jobs();

	igt_describe("Several clients copy at the same time");
	igt_subtest("clients")
		several_clients();

	igt_describe("Empty copies and ranges that overflow or exceed a buffer are refused");
	igt_subtest("bad-ranges")
		bad_ranges();

	igt_describe("A copy within a buffer is refused only if the ranges overlap");
	igt_subtest("same-buffer")
		same_buffer();

	igt_describe("Unknown flags and padding are refused");
	igt_subtest("bad-flags")
		bad_flags();

	igt_describe("Invalid and closed handles are refused");
	igt_subtest("bad-handles")
		bad_handles();

	igt_describe("Invalid syncobjs and syncobjs without a fence are refused");
	igt_subtest("bad-syncobjs")
		bad_syncobjs();

	igt_describe("Invalid sizes and flags of the engine's own buffers are refused");
	igt_subtest("own-buffer-errors")
		own_errors();

	igt_describe("GEM_INFO accepts its own output");
	igt_subtest("info-again")
		info_again();
}

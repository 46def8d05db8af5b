// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <xf86drm.h>

#include "lib.h"

IGT_TEST_DESCRIPTION("DMA to and from user memory (GEM_USERPTR)");

#define READONLY	DRM_PHYR_COPY_USERPTR_READONLY
#define SEED		90
#define NOBODY		65534

static int engine = -1;

/* Memory of @pages pages, not touched yet. */
static uint8_t *map_pages(unsigned int pages)
{
	uint8_t *mem = mmap(NULL, pages * SZ_4K, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	igt_assert(mem != MAP_FAILED);
	return mem;
}

static void close_user(uint32_t handle)
{
	igt_assert_eq(phyr_close_handle(engine, handle), 0);
}

static int try_user(const void *mem, uint64_t size, uint32_t flags)
{
	uint32_t handle;
	int err = phyr_copy_userptr(engine, mem, size, flags, &handle);

	if (!err)
		close_user(handle);
	return err;
}

/*
 * DMA
 */

/* All bytes of @mem but those in the middle have this value. */
#define GUARD	0xa5

static void assert_guarded(const uint8_t *mem, uint64_t all, uint64_t start,
			   uint64_t len)
{
	igt_assert_eq(phyr_verify_byte(mem, GUARD, start), -1);
	igt_assert_eq(phyr_verify_byte(mem + start + len, GUARD,
				       all - start - len), -1);
}

/* From @from to a buffer of the engine, and from there to @to. */
static void copy_there_and_back(uint64_t start, uint64_t len)
{
	uint64_t all = start + len + 3 * SZ_4K;
	uint8_t *from = map_pages(all / SZ_4K + 1);
	uint8_t *to = map_pages(all / SZ_4K + 1);
	uint32_t src, dst, own = create_own(engine, len);

	memset(from, GUARD, all);
	memset(to, GUARD, all);
	phyr_fill(from + start, SEED, 0, len);
	src = create_user(engine, from + start, len, READONLY);
	dst = create_user(engine, to + start, len, 0);
	copy_bytes(engine, src, own, len);
	copy_bytes(engine, own, dst, len);
	assert_bytes(to + start, SEED, 0, len);
	assert_guarded(from, all, start, len);
	assert_guarded(to, all, start, len);
	close_user(src);
	close_user(dst);
	close_user(own);
	unmap(from, (all / SZ_4K + 1) * SZ_4K);
	unmap(to, (all / SZ_4K + 1) * SZ_4K);
}

static void both_ways(void)
{
	static const struct {
		uint64_t start;
		uint64_t len;
	} parts[] = {
		{ 0, SZ_4K }, { 0, 1 }, { SZ_4K - 1, 1 }, { SZ_4K - 1, 2 },
		{ 1, SZ_4K }, { 123, 3 * SZ_4K + 77 }, { 0, 5 * SZ_1M + 1 },
		{ 4000, SZ_16M + 2 * SZ_1M + 333 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(parts); i++)
		copy_there_and_back(parts[i].start, parts[i].len);
}

/* A copy of a part maps a part, which starts anywhere. */
static void parts(void)
{
	uint64_t len = 40 * SZ_1M + 99;
	uint8_t *mem = map_pages(41 * 256);
	uint32_t own = create_own(engine, SZ_1M), user;
	uint8_t *seen = map_own(engine, own, SZ_1M);
	static const uint64_t offsets[] = {
		0, 1, SZ_16M - 1, SZ_16M, 2 * SZ_16M - 777, 39 * SZ_1M,
	};

	phyr_fill(mem + 7, SEED, 0, len);
	user = create_user(engine, mem + 7, len, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(offsets); i++) {
		copy_part(engine, user, offsets[i], own, 0, SZ_1M);
		assert_bytes(seen, SEED, offsets[i], SZ_1M);
		copy_part(engine, own, 0, user, offsets[i] / 2, 100);
		assert_bytes(mem + 7 + offsets[i] / 2, SEED, offsets[i], 100);
		phyr_fill(mem + 7 + offsets[i] / 2, SEED, offsets[i] / 2, 100);
	}
	assert_bytes(mem + 7, SEED, 0, len);
	unmap(seen, SZ_1M);
	close_user(user);
	close_user(own);
	unmap(mem, 41 * SZ_1M);
}

static void vram(void)
{
	int card = open_vram(0);
	uint32_t buffer = create_vram(card, SZ_64K, IN_VRAM, SZ_4K);
	uint32_t imported = import_from(engine, card, buffer), user;
	uint8_t *mem = map_pages(17);

	phyr_fill(mem + 100, SEED, 0, SZ_64K);
	user = create_user(engine, mem + 100, SZ_64K, 0);
	copy_bytes(engine, user, imported, SZ_64K);
	assert_vram(card, buffer, SZ_64K, SEED);
	fill_vram(card, buffer, SZ_64K, SEED + 1);
	copy_bytes(engine, imported, user, SZ_64K);
	assert_bytes(mem + 100, SEED + 1, 0, SZ_64K);
	close_user(user);
	close_user(imported);
	unmap(mem, 17 * SZ_4K);
	close(card);
}

/* The same pages in two buffers: source and destination of one copy, too. */
static void twice(void)
{
	uint8_t *mem = map_pages(4);
	uint32_t first, second, again;

	phyr_fill(mem, SEED, 0, 4 * SZ_4K);
	first = create_user(engine, mem, 4 * SZ_4K, 0);
	second = create_user(engine, mem, 4 * SZ_4K, 0);
	again = create_user(engine, mem + SZ_4K, SZ_4K, READONLY);
	copy_bytes(engine, first, second, 4 * SZ_4K);
	assert_bytes(mem, SEED, 0, 4 * SZ_4K);
	copy_bytes(engine, again, first, SZ_4K);
	assert_bytes(mem, SEED, SZ_4K, SZ_4K);
	wait_for_pinned_bytes(9 * SZ_4K);
	close_user(first);
	close_user(again);
	copy_part(engine, second, 0, second, 2 * SZ_4K, SZ_4K);
	assert_bytes(mem + 2 * SZ_4K, SEED, SZ_4K, SZ_4K);
	close_user(second);
	unmap(mem, 4 * SZ_4K);
	wait_for_pinned_bytes(0);
}

/* One page mapped at each address: the list has it many times. */
static void repeated(void)
{
	int memfd = memfd_create("phyr", MFD_CLOEXEC);
	uint8_t *mem = map_pages(8);
	uint32_t own = create_own(engine, 8 * SZ_4K), user;

	igt_assert_eq(ftruncate(memfd, SZ_4K), 0);
	for (int i = 0; i < 8; i++)
		igt_assert(mmap(mem + i * SZ_4K, SZ_4K, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_FIXED, memfd, 0) !=
			   MAP_FAILED);
	fill_own(engine, own, 8 * SZ_4K, SEED);
	user = create_user(engine, mem, 8 * SZ_4K, 0);
	copy_bytes(engine, own, user, 8 * SZ_4K);
	assert_bytes(mem, SEED, 7 * SZ_4K, SZ_4K);
	assert_bytes(mem + 3 * SZ_4K, SEED, 7 * SZ_4K, SZ_4K);
	close_user(user);
	close_user(own);
	unmap(mem, 8 * SZ_4K);
	close(memfd);
}

static void read_only(void)
{
	uint8_t *mem = map_pages(2);
	uint32_t own = create_own(engine, 2 * SZ_4K), user;

	/* Not touched yet: what the process writes later is what is read. */
	user = create_user(engine, mem, 2 * SZ_4K, READONLY);
	phyr_fill(mem, SEED, 0, 2 * SZ_4K);
	copy_bytes(engine, user, own, 2 * SZ_4K);
	assert_own(engine, own, 2 * SZ_4K, SEED);
	igt_assert_eq(phyr_copy_run(engine, own, 0, user, 0, SZ_4K), -EACCES);
	igt_assert_eq(phyr_copy_run(engine, user, 0, user, SZ_4K, SZ_4K),
		      -EACCES);
	close_user(user);

	igt_assert_eq(mprotect(mem, 2 * SZ_4K, PROT_READ), 0);
	igt_assert_eq(try_user(mem, SZ_4K, 0), -EFAULT);
	user = create_user(engine, mem, 2 * SZ_4K, READONLY);
	copy_bytes(engine, user, own, 2 * SZ_4K);
	assert_own(engine, own, 2 * SZ_4K, SEED);
	close_user(user);
	igt_assert_eq(mprotect(mem, 2 * SZ_4K, PROT_NONE), 0);
	igt_assert_eq(try_user(mem, SZ_4K, READONLY), -EFAULT);
	close_user(own);
	unmap(mem, 2 * SZ_4K);
}

/*
 * Refusals
 */

static void refused(void)
{
	uint8_t *mem = map_pages(1024);
	const struct {
		uint64_t addr;
		uint64_t size;
		uint32_t flags;
		int err;
	} calls[] = {
		{ (uintptr_t)mem, SZ_4K, 2, -EINVAL },
		{ (uintptr_t)mem, SZ_4K, 1u << 31, -EINVAL },
		{ (uintptr_t)mem, 0, 0, -EINVAL },
		{ 0, SZ_4K, 0, -EFAULT },
		{ (uintptr_t)mem, -(uint64_t)SZ_4K, 0, -EFAULT },
		{ (uintptr_t)mem, UINT64_MAX, 0, -EFAULT },
		{ UINT64_MAX, 1, 0, -EFAULT },
		{ UINT64_MAX - SZ_4K, 2 * SZ_4K, 0, -EFAULT },
		{ 0xffff888000000000, SZ_4K, READONLY, -EFAULT },
		{ 0x00007fffffffe000, 2 * SZ_4K, READONLY, -EFAULT },
		{ (uintptr_t)mem, 1ull << 46, 0, -EFAULT },
		/* A hole behind the first batches, and none. */
		{ (uintptr_t)mem, 1023 * SZ_4K, 0, 0 },
		{ (uintptr_t)mem, 1023 * SZ_4K + 1, 0, -EFAULT },
		{ (uintptr_t)mem + 1023 * SZ_4K, 1, 0, -EFAULT },
	};

	unmap(mem + 1023 * SZ_4K, SZ_4K);
	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++) {
		int err = try_user((void *)(uintptr_t)calls[i].addr,
				   calls[i].size, calls[i].flags);

		igt_assert_f(err == calls[i].err,
			     "call %u: %d instead of %d\n", i, err,
			     calls[i].err);
		wait_for_pinned_bytes(0);
	}
	unmap(mem, 1023 * SZ_4K);
}

/* Mappings of memory that has no pages, or whose pages are a driver's. */
static void device_memory(void)
{
	struct card_buffer card = open_card_buffer(SZ_64K, IN_VRAM, 0);
	uint32_t own = create_own(engine, SZ_64K);
	int udmabuf = create_udmabuf(SZ_64K);
	void *const mem[] = {
		map_vram(card.vram, card.handle, SZ_64K),
		map_dmabuf(card.dmabuf, SZ_64K),
		map_own(engine, own, SZ_64K),
		map_dmabuf(udmabuf, SZ_64K),
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(mem); i++) {
		memset(mem[i], 1, SZ_64K);
		igt_assert_eq(try_user(mem[i], SZ_4K, 0), -EFAULT);
		igt_assert_eq(try_user(mem[i], SZ_64K, READONLY), -EFAULT);
		unmap(mem[i], SZ_64K);
	}
	wait_for_pinned_bytes(0);
	close_user(own);
	close(udmabuf);
	close_card_buffer(&card);
}

/* The kernel forbids long pins of pages that it writes back. */
static void files(void)
{
	char path[] = "/root/phyr-XXXXXX";
	int file = mkstemp(path);
	uint32_t own = create_own(engine, SZ_4K), user;
	uint8_t *mem;

	igt_assert(file >= 0);
	igt_assert_eq(unlink(path), 0);
	igt_assert_eq(ftruncate(file, SZ_4K), 0);
	mem = mmap(NULL, SZ_4K, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	igt_assert(mem != MAP_FAILED);
	phyr_fill(mem, SEED, 0, SZ_4K);
	igt_assert_eq(try_user(mem, SZ_4K, 0), -EFAULT);
	user = create_user(engine, mem, SZ_4K, READONLY);
	copy_bytes(engine, user, own, SZ_4K);
	assert_own(engine, own, SZ_4K, SEED);
	close_user(user);
	unmap(mem, SZ_4K);

	/* A private mapping is memory of the process. */
	mem = mmap(NULL, SZ_4K, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
	igt_assert(mem != MAP_FAILED);
	user = create_user(engine, mem, SZ_4K, READONLY);
	phyr_fill(mem, SEED + 1, 0, SZ_4K);
	copy_bytes(engine, user, own, SZ_4K);
	assert_own(engine, own, SZ_4K, SEED + 1);
	close_user(user);
	unmap(mem, SZ_4K);
	close_user(own);
	close(file);
}

/* Its owner opens a global name, and nobody else. */
static void not_shared_by_name(uint8_t *mem)
{
	struct phyr_device device = copy_device(0);
	int owner = open(device.primary, O_RDWR | O_CLOEXEC);
	int other = open(device.primary, O_RDWR | O_CLOEXEC);
	struct drm_gem_flink flink = { 0 };
	struct drm_gem_open name = { 0 };

	igt_assert(owner >= 0 && other >= 0);
	flink.handle = create_user(owner, mem, SZ_4K, 0);
	igt_assert_eq(phyr_ioctl(owner, DRM_IOCTL_GEM_FLINK, &flink), 0);
	name.name = flink.name;
	igt_assert_eq(phyr_ioctl(other, DRM_IOCTL_GEM_OPEN, &name), -EACCES);
	igt_assert_eq(phyr_ioctl(owner, DRM_IOCTL_GEM_OPEN, &name), 0);
	close(owner);
	igt_assert_eq(phyr_ioctl(other, DRM_IOCTL_GEM_OPEN, &name), -ENOENT);
	close(other);
}

/* A buffer of user memory stays with its file. */
static void not_shared(void)
{
	uint8_t *mem = map_pages(1);
	uint32_t user = create_user(engine, mem + 5, 6, 0);
	struct drm_phyr_copy_gem_mmap map = { .handle = user };
	struct drm_phyr_copy_gem_info info;

	igt_assert_eq(phyr_export(engine, user), -EOPNOTSUPP);
	igt_assert_eq(phyr_ioctl(engine, DRM_IOCTL_PHYR_COPY_GEM_MMAP, &map),
		      -EINVAL);
	igt_assert_eq(phyr_copy_gem_info(engine, user, &info), 0);
	igt_assert_eq(info.flags, DRM_PHYR_COPY_GEM_USER);
	igt_assert_eq_u64(info.size, 6);
	igt_assert_eq(phyr_copy_run(engine, user, 0, user, 3, 3), 0);
	igt_assert_eq(phyr_copy_run(engine, user, 0, user, 3, 4), -EINVAL);
	igt_assert_eq(phyr_copy_run(engine, user, 0, user, 2, 3), -EINVAL);
	close_user(user);
	not_shared_by_name(mem);
	unmap(mem, SZ_4K);
}

/*
 * Accounting
 */

static void become_nobody(void)
{
	igt_assert_eq(setgroups(0, NULL), 0);
	igt_assert_eq(setresgid(NOBODY, NOBODY, NOBODY), 0);
	igt_assert_eq(setresuid(NOBODY, NOBODY, NOBODY), 0);
}

/* In a process without CAP_IPC_LOCK */
static void use_limit(unsigned int pages)
{
	const struct rlimit limit = { pages * SZ_4K, pages * SZ_4K };
	uint8_t *mem = map_pages(pages + 1);
	uint32_t user, more;

	igt_assert_eq(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	for (int i = 0; i < 20; i++) {
		igt_assert_eq(try_user(mem, (pages + 1) * SZ_4K, 0), -ENOMEM);
		igt_assert_eq(try_user(mem + 1, pages * SZ_4K, 0), -ENOMEM);
		/* What was closed before does not count, without a wait. */
		user = create_user(engine, mem, (pages - 1) * SZ_4K, READONLY);
		more = create_user(engine, mem, 1, 0);
		igt_assert_eq(try_user(mem, 1, READONLY), -ENOMEM);
		igt_assert_eq_u64(pinned_bytes(), pages * SZ_4K);
		close_user(more);
		close_user(user);
	}
	wait_for_pinned_bytes(0);
	/* No limit is left. */
	igt_assert_eq(setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ 0, 0 }), 0);
	igt_assert_eq(try_user(mem, 1, READONLY), -ENOMEM);
}

static void rlimit_memlock(void)
{
	igt_fork(child, 1) {
		become_nobody();
		use_limit(16);
	}
	igt_waitchildren();
}

static void accounting(void)
{
	int file = open_copy(0);
	uint8_t *mem = map_pages(600);
	uint32_t own = create_own(file, 600 * SZ_4K), user;

	wait_for_pinned_bytes(0);
	user = create_user(file, mem + 1, 600 * SZ_4K - 1, 0);
	igt_assert_eq_u64(pinned_bytes(), 600 * SZ_4K);
	copy_bytes(file, user, own, 600 * SZ_4K - 1);
	igt_assert_eq(phyr_close_handle(file, user), 0);
	wait_for_pinned_bytes(0);
	create_user(file, mem, 600 * SZ_4K, 0);
	create_user(file, mem, SZ_4K, READONLY);
	igt_assert_eq_u64(pinned_bytes(), 601 * SZ_4K);
	close(file);
	wait_for_pinned_bytes(0);
	unmap(mem, 600 * SZ_4K);
}

/*
 * What else processes do to their memory
 */

/* Copies of all of @src to @dst that take a while; a sync_file of the last. */
static int copy_often(int fd, uint32_t src, uint32_t dst, uint64_t len)
{
	for (int i = 0; i < 7; i++)
		submit_job(fd, copy_job(src, dst, len));
	return submit_for_fence(fd, copy_job(src, dst, len));
}

static void wait_for_copy(int fence)
{
	struct pollfd poll_fd = { .fd = fence, .events = POLLIN };

	igt_assert_eq(poll_again(&poll_fd, PHYR_WAIT_SECONDS), 1);
	igt_assert_eq(phyr_sync_file_status(fence), 1);
	close(fence);
}

/* The buffer keeps its pages; what is mapped there now is not touched. */
static void unmapped(void)
{
	uint8_t *from = map_pages(1024), *to = map_pages(1024), *now;
	uint32_t own = create_own(engine, 4 * SZ_1M), src, dst;
	int fence;

	phyr_fill(from, SEED, 0, 4 * SZ_1M);
	src = create_user(engine, from, 4 * SZ_1M, READONLY);
	dst = create_user(engine, to, 4 * SZ_1M, 0);
	fence = copy_often(engine, src, dst, 4 * SZ_1M);
	unmap(from, 4 * SZ_1M);
	unmap(to, 4 * SZ_1M);
	now = mmap(to, 4 * SZ_1M, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	igt_assert(now == to);
	memset(now, GUARD, 4 * SZ_1M);
	wait_for_copy(fence);
	igt_assert_eq(phyr_verify_byte(now, GUARD, 4 * SZ_1M), -1);
	copy_bytes(engine, dst, own, 4 * SZ_1M);
	assert_own(engine, own, 4 * SZ_1M, SEED);
	close_user(src);
	close_user(dst);
	close_user(own);
	unmap(now, 4 * SZ_1M);
}

static void forked(void)
{
	uint8_t *mem = map_pages(64);
	uint32_t own = create_own(engine, 64 * SZ_4K), user;

	phyr_fill(mem, SEED, 0, 64 * SZ_4K);
	user = create_user(engine, mem, 64 * SZ_4K, 0);
	igt_fork(child, 1) {
		assert_bytes(mem, SEED, 0, 64 * SZ_4K);
		memset(mem, GUARD, 64 * SZ_4K);
		/* It sees its own copy, and the engine its parent's memory. */
		fill_own(engine, own, 64 * SZ_4K, SEED + 1);
		copy_bytes(engine, own, user, 64 * SZ_4K);
		igt_assert_eq(phyr_verify_byte(mem, GUARD, 64 * SZ_4K), -1);
	}
	igt_waitchildren();
	assert_bytes(mem, SEED + 1, 0, 64 * SZ_4K);
	phyr_fill(mem, SEED + 2, 0, 64 * SZ_4K);
	copy_bytes(engine, user, own, 64 * SZ_4K);
	assert_own(engine, own, 64 * SZ_4K, SEED + 2);
	close_user(user);
	close_user(own);
	unmap(mem, 64 * SZ_4K);
}

static void await_end(pid_t pid, int signal)
{
	int status;

	igt_assert_eq(waitpid(pid, &status, 0), pid);
	igt_assert_f(WIFSIGNALED(status) && WTERMSIG(status) == signal,
		     "the process ended with status %#x\n", status);
}

/* The process is killed with queued copies: they run. */
static void killed_with_jobs(void)
{
	struct card_buffer card = open_card_buffer(SZ_1M, IN_VRAM, 0);
	pid_t pid = fork();
	int fence;

	igt_assert(pid >= 0);
	if (!pid) {
		int file = open_copy(0);
		uint8_t *mem = map_pages(256);
		uint32_t user, imported = import_buffer(file, card.dmabuf);

		phyr_fill(mem, SEED, 0, SZ_1M);
		user = create_user(file, mem, SZ_1M, 0);
		copy_often(file, user, imported, SZ_1M);
		/* And the other direction, into memory that is gone. */
		copy_often(file, imported, user, SZ_1M);
		raise(SIGKILL);
	}
	await_end(pid, SIGKILL);
	fence = phyr_dmabuf_sync_file(card.dmabuf, true);
	igt_assert(fence >= 0);
	wait_for_copy(fence);
	assert_vram(card.vram, card.handle, SZ_1M, SEED);
	close_card_buffer(&card);
}

/* Threads wait in GEM_USERPTR until userspace gives them a page. */
static int make_missing(uint8_t *mem, uint64_t size)
{
	struct uffdio_register region = {
		.range = { .start = (uintptr_t)mem, .len = size },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct uffdio_api api = { .api = UFFD_API };
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);

	igt_assert_f(uffd >= 0, "userfaultfd: %s\n", strerror(errno));
	igt_assert_eq(ioctl(uffd, UFFDIO_API, &api), 0);
	igt_assert_eq(ioctl(uffd, UFFDIO_REGISTER, &region), 0);
	return uffd;
}

static void await_fault(int uffd)
{
	struct uffd_msg message;

	igt_assert_eq(read(uffd, &message, sizeof(message)), sizeof(message));
	igt_assert_eq(message.event, UFFD_EVENT_PAGEFAULT);
}

/* A process that waits in the call, with 600 pages pinned. */
static pid_t start_waiting(void)
{
	int ready[2];
	uint8_t byte;
	pid_t pid;

	igt_assert_eq(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	igt_assert(pid >= 0);
	if (!pid) {
		int file = open_copy(0);
		uint8_t *mem = map_pages(700);
		int uffd = make_missing(mem + 600 * SZ_4K, 100 * SZ_4K);
		uint32_t handle;

		/* Another process sees the fault of this one. */
		if (!fork()) {
			await_fault(uffd);
			_exit(write(ready[1], "", 1) != 1);
		}
		phyr_copy_userptr(file, mem, 700 * SZ_4K, 0, &handle);
		_exit(1);
	}
	close(ready[1]);
	igt_assert_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void killed(void)
{
	struct phyr_device device = copy_device(0);
	pid_t pid = start_waiting();

	igt_assert_eq(kill(pid, SIGKILL), 0);
	await_end(pid, SIGKILL);

	/* An unbind does not wait for userspace. */
	pid = start_waiting();
	close(engine);
	remove_device(device.busid, UNBIND);
	restore_device(device.busid, "phyr_copy", UNBIND);
	engine = open_copy(0);
	igt_assert_eq(kill(pid, SIGKILL), 0);
	await_end(pid, SIGKILL);
}

/* Killed anywhere in the call, with all that is pinned until then. */
static void killed_anywhere(void)
{
	for (int i = 0; i < 10; i++) {
		pid_t pid = fork();

		igt_assert(pid >= 0);
		if (!pid) {
			uint8_t *mem = map_pages(16384);

			for (;;)
				try_user(mem, 16384 * SZ_4K, i % 2);
		}
		usleep(1000 + 20000 * i);
		igt_assert_eq(kill(pid, SIGKILL), 0);
		await_end(pid, SIGKILL);
	}
}

static const struct {
	const char *name;
	const char *describe;
	void (*run)(void);
} subtests[] = {
	{ "both-ways", "Bytes at any address, of any length, and no others",
	  both_ways },
	{ "parts", "Copies of parts of a large buffer", parts },
	{ "vram", "Copies between user memory and VRAM", vram },
	{ "twice", "A page in several buffers", twice },
	{ "repeated", "A page several times in one buffer", repeated },
	{ "read-only", "Read-only memory is read and never written",
	  read_only },
	{ "refused", "Bad flags, lengths and addresses", refused },
	{ "device-memory", "Mappings of drivers' buffers are refused",
	  device_memory },
	{ "files", "Mappings of files", files },
	{ "not-shared", "No export, no mmap, no byte outside", not_shared },
	{ "rlimit", "RLIMIT_MEMLOCK holds, and closing frees at once",
	  rlimit_memlock },
	{ "accounting", "VmPin counts what is pinned", accounting },
	{ "unmapped", "munmap() while copies run", unmapped },
	{ "forked", "fork() with pinned memory", forked },
	{ "killed-with-jobs", "A process is killed with queued copies",
	  killed_with_jobs },
	{ "killed", "A process is killed while it waits in the call; unbind meanwhile",
	  killed },
	{ "killed-anywhere", "Processes are killed while they pin",
	  killed_anywhere },
};

igt_main()
{
	static unsigned int i;

	igt_fixture()
		engine = open_copy(0);

	for (i = 0; i < ARRAY_SIZE(subtests); i++) {
		igt_describe(subtests[i].describe);
		igt_subtest(subtests[i].name)
			subtests[i].run();
	}

	igt_fixture()
		close(engine);
}

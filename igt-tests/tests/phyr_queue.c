// SPDX-License-Identifier: MIT
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <linux/sync_file.h>

#include "lib.h"

IGT_TEST_DESCRIPTION("Queues of a copy engine: how they end, and whose turn it is");

#define JOBS	256
#define LARGE	(256 * SZ_1M)

/* Wait for the fence and return its status: 1, or its error. */
static int wait_for_fence(int sync_file)
{
	struct pollfd poll_fd = { .fd = sync_file, .events = POLLIN };

	igt_assert_eq(poll(&poll_fd, 1, PHYR_WAIT_SECONDS * 1000), 1);
	return phyr_sync_file_status(sync_file);
}

/* When the fence was signalled, in nanoseconds. */
static uint64_t fence_time(int sync_file)
{
	struct sync_fence_info fence = { 0 };
	struct sync_file_info info = {
		.num_fences = 1,
		.sync_fence_info = (uintptr_t)&fence,
	};

	igt_assert_eq(phyr_ioctl(sync_file, SYNC_IOC_FILE_INFO, &info), 0);
	igt_assert_eq(info.num_fences, 1);
	igt_assert(fence.status);
	return fence.timestamp_ns;
}

/*
 * If closing waited for the queue, the last but one job would be done after it.
 * The queue is too long to wait for: removing the engine ends its jobs.
 */
static void close_with_queue(void)
{
	struct phyr_device device = copy_device(0);
	int engine = open_device(&device), fences[JOBS];
	uint32_t src = create_own(engine, LARGE);
	uint32_t dst = create_own(engine, LARGE);

	/* Otherwise an emulated engine may end all of them meanwhile. */
	igt_assert_eq(phyr_hang(&device, 2), 0);
	for (int i = 0; i < JOBS; i++)
		fences[i] = submit_for_fence(engine, copy_job(src, dst, LARGE));
	close(engine);
	igt_assert_eq(phyr_sync_file_status(fences[0]), 0);
	igt_assert_eq(phyr_sync_file_status(fences[JOBS - 1]), 0);

	/* The next job runs, and hangs. */
	igt_assert_eq(wait_for_fence(fences[0]), -ETIMEDOUT);
	igt_assert_eq(phyr_sync_file_status(fences[1]), 0);

	remove_device(device.busid, UNBIND);
	igt_assert_eq(phyr_sync_file_status(fences[JOBS - 2]), -ENODEV);
	igt_assert_eq(phyr_sync_file_status(fences[JOBS - 1]), -ENODEV);
	restore_device(device.busid, PHYR_COPY_DRIVER, UNBIND);
	for (int i = 0; i < JOBS; i++)
		close(fences[i]);
}

/* Two hung jobs take 10 s; their client does not. */
static void close_with_hung_jobs(void)
{
	struct phyr_device device = copy_device(0);
	int engine = open_device(&device), vram = open_vram(0), fences[3];
	uint32_t handle = create_vram(vram, SZ_1M, IN_VRAM, 0), src, dst;

	src = create_own(engine, SZ_1M);
	dst = import_from(engine, vram, handle);
	fill_own(engine, src, SZ_1M, 60);
	igt_assert_eq(phyr_hang(&device, 2), 0);
	for (int i = 0; i < 3; i++)
		fences[i] = submit_for_fence(engine, copy_job(src, dst, SZ_1M));
	close(engine);
	igt_assert_eq(phyr_sync_file_status(fences[0]), 0);
	igt_assert_eq(wait_for_fence(fences[0]), -ETIMEDOUT);
	igt_assert_eq(wait_for_fence(fences[1]), -ETIMEDOUT);
	igt_assert_eq(wait_for_fence(fences[2]), 1);
	assert_vram(vram, handle, SZ_1M, 60);
	for (int i = 0; i < 3; i++)
		close(fences[i]);
	close(vram);
}

/* Send files through a socket. */
static void send_files(int socket, const int *fds, unsigned int nr)
{
	char byte = 0, control[CMSG_SPACE(4 * sizeof(int))] = { 0 };
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = CMSG_SPACE(nr * sizeof(int)),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	igt_assert_lte_u64(nr, 4);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(nr * sizeof(int));
	memcpy(CMSG_DATA(header), fds, nr * sizeof(int));
	igt_assert_eq(sendmsg(socket, &message, 0), 1);
}

static void close_pair(int pair[2])
{
	close(pair[0]);
	close(pair[1]);
}

/*
 * Each socket of the pair holds the other one's file, so the kernel's collector
 * finds them, and a worker that all files share closes what they hold. On both
 * sides of the engine's file are pipes, one of which is closed after it.
 */
static void close_in_socket(void)
{
	struct phyr_device device = copy_device(0);
	int engine = open_device(&device), sockets[2], pipes[2][2], fences[2];
	int files[4];
	uint32_t src = create_own(engine, SZ_64K);
	uint32_t dst = create_own(engine, SZ_64K);
	struct pollfd ends[2];

	igt_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	for (int i = 0; i < 2; i++) {
		igt_assert_eq(pipe(pipes[i]), 0);
		ends[i].fd = pipes[i][0];
	}
	igt_assert_eq(phyr_hang(&device, 2), 0);
	for (int i = 0; i < 2; i++)
		fences[i] = submit_for_fence(engine,
					     copy_job(src, dst, SZ_64K));
	files[0] = pipes[0][1];
	files[1] = engine;
	files[2] = pipes[1][1];
	files[3] = sockets[0];
	send_files(sockets[0], files, ARRAY_SIZE(files));
	send_files(sockets[1], &sockets[1], 1);
	close(engine);
	close(pipes[0][1]);
	close(pipes[1][1]);
	close_pair(sockets);
	/* The collector runs when the next socket is closed. */
	igt_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	close_pair(sockets);

	for (int i = 0; i < 2; i++) {
		igt_assert_eq(poll(&ends[i], 1, PHYR_WAIT_SECONDS * 1000), 1);
		igt_assert(ends[i].revents & POLLHUP);
		close(ends[i].fd);
	}
	igt_assert_eq(phyr_sync_file_status(fences[0]), 0);
	for (int i = 0; i < 2; i++) {
		igt_assert_eq(wait_for_fence(fences[i]), -ETIMEDOUT);
		close(fences[i]);
	}
}

/* Submit three jobs and die of SIGKILL, once the parent has closed the file. */
__attribute__((noreturn))
static void submit_and_die(int engine, struct drm_phyr_copy_submit job, int start)
{
	char byte;

	if (read(start, &byte, 1) != 1)
		_exit(1);
	for (int i = 0; i < 3; i++)
		if (phyr_copy_submit(engine, &job))
			_exit(2);
	raise(SIGKILL);
	_exit(3);
}

/* A client that is killed leaves its jobs to end by themselves. */
static void killed_with_queue(void)
{
	struct phyr_device device = copy_device(0);
	int vram = open_vram(0), engine = open_device(&device);
	uint32_t handle = create_vram(vram, SZ_1M, IN_VRAM, 0);
	int dmabuf = export_buffer(vram, handle), start[2], status, sync_file;
	uint32_t src = create_own(engine, SZ_1M), dst;
	pid_t pid;

	dst = import_buffer(engine, dmabuf);
	fill_own(engine, src, SZ_1M, 61);
	igt_assert_eq(pipe(start), 0);
	igt_assert_eq(phyr_hang(&device, 1), 0);
	pid = fork();
	igt_assert(pid >= 0);
	if (!pid)
		submit_and_die(engine, copy_job(src, dst, SZ_1M), start[0]);
	close(engine);
	igt_assert_eq(write(start[1], "", 1), 1);
	igt_assert_eq(waitpid(pid, &status, 0), pid);
	igt_assert_f(WIFSIGNALED(status), "the client ended with wait status %#x\n",
		     status);
	sync_file = phyr_dmabuf_sync_file(dmabuf, false);
	igt_assert(sync_file >= 0);
	igt_assert_eq(wait_for_fence(sync_file), 1);
	assert_vram(vram, handle, SZ_1M, 61);
	close_pair(start);
	close(sync_file);
	close(dmabuf);
	close(vram);
}

/*
 * The other client's copy is submitted while the first of 32 hangs. The second
 * one is queued already; then it is the other client's turn.
 */
static void turns(void)
{
	struct phyr_device device = copy_device(0);
	int first = open_device(&device), second = open_device(&device);
	uint32_t src = create_own(first, SZ_1M), dst = create_own(first, SZ_1M);
	uint32_t a = create_own(second, SZ_4K), b = create_own(second, SZ_4K);
	int fences[32], other;

	igt_assert_eq(phyr_hang(&device, 1), 0);
	for (int i = 0; i < 32; i++)
		fences[i] = submit_for_fence(first, copy_job(src, dst, SZ_1M));
	other = submit_for_fence(second, copy_job(a, b, SZ_4K));
	igt_assert_eq(phyr_sync_file_status(fences[0]), 0);
	igt_assert_eq(wait_for_fence(other), 1);
	igt_assert_eq(wait_for_fence(fences[31]), 1);
	igt_assert_lte_u64(fence_time(other), fence_time(fences[2]));
	for (int i = 0; i < 32; i++)
		close(fences[i]);
	close(other);
	close(first);
	close(second);
}

/* The limit is stated, and holds; libphyr splits what is larger. */
static void limit(void)
{
	struct drm_phyr_copy_info info;
	struct phyr_device device = copy_device(0);
	int engine = open_device(&device);
	struct drm_phyr_copy_submit job;
	uint32_t handle, src;
	uint64_t size;
	uint8_t *mem;

	igt_assert_eq(phyr_copy_info(engine, &info), 0);
	igt_assert_eq_u64(info.max_len, LARGE);
	igt_assert_eq(info.max_jobs, JOBS);
	igt_assert(info.max_seconds);

	size = info.max_len + SZ_1M;
	handle = create_own(engine, size + SZ_64K);
	src = create_own(engine, size);
	job = copy_job(src, handle, size);
	igt_assert_eq(phyr_copy_submit(engine, &job), -E2BIG);
	job.len = info.max_len + 1;
	igt_assert_eq(phyr_copy_submit(engine, &job), -E2BIG);
	/* Not a range of the buffer, rather than too large. */
	job.len = ~0ull;
	igt_assert_eq(phyr_copy_submit(engine, &job), -EINVAL);

	mem = map_own(engine, src, size);
	phyr_fill(mem, 70, 0, SZ_64K);
	phyr_fill(mem + size - SZ_1M - SZ_64K, 71, 0, SZ_1M + SZ_64K);
	unmap(mem, size);
	igt_assert_eq(phyr_copy_run(engine, src, 0, handle, SZ_4K, size), 0);
	igt_assert_eq_u64(last_job(&device).len, SZ_1M);
	mem = map_own(engine, handle, size + SZ_64K);
	assert_zero(mem, SZ_4K);
	assert_bytes(mem + SZ_4K, 70, 0, SZ_64K);
	assert_bytes(mem + SZ_4K + size - SZ_1M - SZ_64K, 71, 0,
		     SZ_1M + SZ_64K);
	assert_zero(mem + SZ_4K + size, SZ_64K - SZ_4K);
	unmap(mem, size + SZ_64K);
	/* The parts would not overlap themselves. */
	igt_assert_eq(phyr_copy_run(engine, handle, 0, handle, SZ_64K, size),
		      -EINVAL);
	close(engine);
}

igt_main()
{
	igt_fixture()
		bind_engines();

	igt_describe("Closing a file with 256 copies of 256 MiB queued waits for none of them; those of an engine that is removed end with -ENODEV");
	igt_subtest("close")
		close_with_queue();

	igt_describe("Closing a file waits for no hung copy, and those queued behind it run");
	igt_subtest("close-hung")
		close_with_hung_jobs();

	igt_describe("A file that is closed in a socket does not hold up the kernel's worker");
	igt_subtest("close-in-socket")
		close_in_socket();

	igt_describe("The copies of a client that was killed run");
	igt_subtest("killed")
		killed_with_queue();

	igt_describe("A client with one copy does not wait for another client's queue");
	igt_subtest("turns")
		turns();

	igt_describe("SUBMIT refuses more than the stated size with -E2BIG, and libphyr splits it");
	igt_subtest("limit")
		limit();
}

// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "lib.h"
#include "traffic.h"

#define LANES	4

/* Exit statuses of a traffic process; any other is a failure. */
enum { TRAFFIC_STOPPED = 0, TRAFFIC_WRONG = 1, TRAFFIC_GONE = 2 };

/**
 * struct lane - one round trip of bytes at a time
 * @syncobj: its fence
 * @out: a buffer of the engine with the bytes to write
 * @back: likewise, for the bytes read back, followed by a part of the first half
 * @out_mem: mapping of @out
 * @back_mem: mapping of @back
 * @seed: of the bytes in @out
 * @first: offset in the dma-buf of the second part of @back
 * @busy: jobs are queued
 */
struct lane {
	uint32_t syncobj;
	uint32_t out;
	uint32_t back;
	uint8_t *out_mem;
	uint8_t *back_mem;
	uint64_t seed;
	uint64_t first;
	bool busy;
};

/**
 * struct road - a traffic process
 * @fd: the engine
 * @buffer: the dma-buf, imported
 * @size: bytes of the dma-buf
 * @len: bytes per lane
 * @seed: pattern of the first half
 * @copies: queued so far
 * @lanes: all of them
 */
struct road {
	int fd;
	uint32_t buffer;
	uint64_t size;
	uint64_t len;
	uint64_t seed;
	uint64_t copies;
	struct lane lanes[LANES];
};

static volatile sig_atomic_t stopped;

static void on_stop(int signal)
{
	(void)signal;
	stopped = 1;
}

static int lane_open(struct road *road, struct lane *lane)
{
	int err = phyr_syncobj_create(road->fd, &lane->syncobj);

	if (!err)
		err = phyr_copy_create(road->fd, road->len, &lane->out);
	if (!err)
		err = phyr_copy_create(road->fd, 2 * road->len, &lane->back);
	if (err)
		return err;
	lane->out_mem = phyr_copy_mmap(road->fd, lane->out, road->len,
				       PROT_READ | PROT_WRITE);
	lane->back_mem = phyr_copy_mmap(road->fd, lane->back, 2 * road->len,
					PROT_READ | PROT_WRITE);
	return lane->out_mem == MAP_FAILED || lane->back_mem == MAP_FAILED ?
	       -errno : 0;
}

static int road_open(struct road *road, const struct phyr_device *engine,
		     int dmabuf)
{
	int err;

	road->fd = phyr_device_open(engine);
	if (road->fd < 0)
		return road->fd;
	err = phyr_import(road->fd, dmabuf, &road->buffer);
	for (int i = 0; !err && i < LANES; i++)
		err = lane_open(road, &road->lanes[i]);
	return err;
}

/* Queue three jobs: write, read back, read a part of the first half. */
static int lane_queue(struct road *road, struct lane *lane)
{
	uint64_t at = road->size / 2 + (lane - road->lanes) * road->len;
	struct drm_phyr_copy_submit jobs[] = {
		{ .src_handle = lane->out, .dst_handle = road->buffer,
		  .dst_offset = at, .len = road->len },
		{ .src_handle = road->buffer, .src_offset = at,
		  .dst_handle = lane->back, .len = road->len },
		{ .src_handle = road->buffer, .dst_handle = lane->back,
		  .dst_offset = road->len, .len = road->len,
		  .out_syncobj = lane->syncobj },
	};
	int err = 0;

	lane->seed = road->seed + ++road->copies;
	lane->first = road->copies * SZ_4K % (road->size / 2 - road->len);
	jobs[2].src_offset = lane->first;
	phyr_fill(lane->out_mem, lane->seed, 0, road->len);
	memset(lane->back_mem, 0xee, 2 * road->len);
	for (unsigned int i = 0; !err && i < ARRAY_SIZE(jobs); i++)
		err = phyr_copy_submit(road->fd, &jobs[i]);
	lane->busy = !err;
	return err;
}

static int lane_finish(struct road *road, struct lane *lane)
{
	int64_t wrote, read;
	int err;

	if (!lane->busy)
		return 0;
	lane->busy = false;
	err = phyr_syncobj_wait(road->fd, lane->syncobj);
	if (err)
		return err;
	wrote = phyr_verify(lane->back_mem, lane->seed, 0, road->len);
	read = phyr_verify(lane->back_mem + road->len, road->seed, lane->first,
			   road->len);
	if (wrote < 0 && read < 0)
		return 0;
	printf("copy %llu: wrong at byte %lld of what was written, %lld of what was there\n",
	       (unsigned long long)road->copies, (long long)wrote,
	       (long long)read);
	return -EILSEQ;
}

static int road_run(struct road *road, int beats)
{
	int err = 0;

	while (!stopped && !err) {
		struct lane *lane = &road->lanes[road->copies % LANES];

		if (lane->busy) {
			err = lane_finish(road, lane);
			/* If nobody reads, the pipe is full; ignore that. */
			if (!err && write(beats, "", 1) < 0 && errno != EAGAIN)
				err = -errno;
		}
		if (!err)
			err = lane_queue(road, lane);
	}
	for (int i = 0; !err && i < LANES; i++)
		err = lane_finish(road, &road->lanes[i]);
	return err;
}

__attribute__((noreturn))
static void traffic_main(struct road *road, const struct phyr_device *engine,
			 int dmabuf, int beats)
{
	struct sigaction stop = { .sa_handler = on_stop };
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigaction(SIGTERM, &stop, NULL);
	fcntl(beats, F_SETFL, O_NONBLOCK);
	err = road_open(road, engine, dmabuf);
	if (err) {
		printf("traffic does not start: %s\n", strerror(-err));
		fflush(stdout);
		_exit(TRAFFIC_WRONG);
	}
	err = road_run(road, beats);
	if (!err)
		_exit(TRAFFIC_STOPPED);
	if (err == -ENODEV)
		_exit(TRAFFIC_GONE);
	printf("traffic ends: %s\n", strerror(-err));
	fflush(stdout);
	_exit(TRAFFIC_WRONG);
}

struct traffic traffic_start(const struct phyr_device *engine, int dmabuf,
			     uint64_t size, uint64_t seed)
{
	struct road road = { .size = size, .len = size / 4 / LANES,
			     .seed = seed };
	struct traffic traffic;
	int beats[2];

	igt_assert_eq(pipe2(beats, O_CLOEXEC), 0);
	fflush(stdout);
	traffic.pid = fork();
	igt_assert(traffic.pid >= 0);
	if (!traffic.pid)
		traffic_main(&road, engine, dmabuf, beats[1]);
	close(beats[1]);
	traffic.beats = beats[0];
	return traffic;
}

void traffic_wait(struct traffic *traffic, int copies)
{
	char bytes[4096];
	int old = 0;

	igt_assert_eq(ioctl(traffic->beats, FIONREAD, &old), 0);
	for (ssize_t got; old > 0; old -= got) {
		got = read(traffic->beats, bytes,
			   old < (int)sizeof(bytes) ? old : (int)sizeof(bytes));
		igt_assert(got > 0);
	}
	while (copies--)
		igt_assert_f(read(traffic->beats, bytes, 1) == 1,
			     "the traffic process has ended\n");
}

static int traffic_end(struct traffic *traffic)
{
	int status;

	igt_assert_eq(waitpid(traffic->pid, &status, 0), traffic->pid);
	close(traffic->beats);
	igt_assert_f(WIFEXITED(status), "the traffic's status is %#x\n", status);
	return WEXITSTATUS(status);
}

void traffic_stop(struct traffic *traffic)
{
	igt_assert_eq(kill(traffic->pid, SIGTERM), 0);
	igt_assert_eq(traffic_end(traffic), TRAFFIC_STOPPED);
}

void traffic_assert_gone(struct traffic *traffic)
{
	igt_assert_eq(traffic_end(traffic), TRAFFIC_GONE);
}

void traffic_stop_or_gone(struct traffic *traffic)
{
	int status;

	igt_assert_eq(kill(traffic->pid, SIGTERM), 0);
	status = traffic_end(traffic);
	igt_assert(status == TRAFFIC_STOPPED || status == TRAFFIC_GONE);
}

static sigjmp_buf bus_error;

static void on_bus_error(int signal)
{
	(void)signal;
	siglongjmp(bus_error, 1);
}

bool raises_sigbus(const void *mem)
{
	struct sigaction catch = { .sa_handler = on_bus_error }, old;
	volatile bool raised = true;

	sigaction(SIGBUS, &catch, &old);
	if (!sigsetjmp(bus_error, 1)) {
		(void)*(const volatile uint8_t *)mem;
		raised = false;
	}
	sigaction(SIGBUS, &old, NULL);
	return raised;
}

void assert_dummy(void *mem, uint64_t size)
{
	volatile uint8_t *first = mem, *last = first + size - 1;

	igt_assert(!raises_sigbus(mem));
	assert_zero(mem, size);
	first[SZ_4K - 1] = 0x5a;
	igt_assert_eq(*last, 0x5a);
	first[SZ_4K - 1] = 0;
	igt_assert_eq(*last, 0);
}

struct stuck_job stuck_job_queue(int dmabuf, uint64_t size)
{
	/* Each takes 5 s of the guest's clock. */
	const int hung = 24;
	struct stuck_job job = { .engine = copy_device(0) };
	uint32_t src, dst;

	job.fd = open_device(&job.engine);
	src = create_own(job.fd, size);
	dst = create_own(job.fd, size);
	igt_assert_eq(phyr_hang(&job.engine, hung), 0);
	for (int i = 0; i < hung; i++)
		submit_job(job.fd, copy_job(src, dst, size));
	if (dmabuf >= 0)
		dst = import_buffer(job.fd, dmabuf);
	job.fence = submit_for_fence(job.fd, copy_job(src, dst, size));
	return job;
}

bool stuck_job_is_pending(const struct stuck_job *job)
{
	return !poll_now(job->fence, POLLIN);
}

void stuck_job_cancel(struct stuck_job *job)
{
	remove_device(job->engine.busid, UNBIND);
	igt_assert(!stuck_job_is_pending(job));
	close(job->fence);
	close(job->fd);
	restore_device(job->engine.busid, PHYR_COPY_DRIVER, UNBIND);
}

bool sleeps_in(pid_t pid, const char *function)
{
	char path[64], line[256];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stack", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		found |= !!strstr(line, function);
	if (file)
		fclose(file);
	return found;
}

void wait_until_sleeps_in(pid_t pid, const char *function)
{
	int status;

	while (!sleeps_in(pid, function)) {
		igt_assert_f(!waitpid(pid, &status, WNOHANG),
			     "the process ended and never slept in %s\n",
			     function);
		usleep(10000);
	}
}

pid_t write_in_background(const char *path, const char *text)
{
	pid_t pid;
	int fd;

	fflush(stdout);
	pid = fork();
	igt_assert(pid >= 0);
	if (pid)
		return pid;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	_exit(fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text));
}

void assert_ends_well(pid_t pid)
{
	int status;

	igt_assert_eq(waitpid(pid, &status, 0), pid);
	igt_assert_f(WIFEXITED(status) && !WEXITSTATUS(status),
		     "a process ended with status %#x\n", status);
}

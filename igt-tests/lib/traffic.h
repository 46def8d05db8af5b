/* SPDX-License-Identifier: MIT */
/*
 * Traffic: a process that imports a dma-buf and keeps a copy engine busy with
 * it, several jobs deep, while the test acts on the buffer. And a job that does
 * not run until the test says so.
 *
 * The traffic only reads the first half, which always holds the pattern @seed.
 * It writes the third quarter and reads it back. It compares every byte that
 * it reads. It does not access the last quarter.
 */
#ifndef PHYR_TESTS_TRAFFIC_H
#define PHYR_TESTS_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "libphyr.h"

struct traffic {
	pid_t pid;
	int beats;
};

struct traffic traffic_start(const struct phyr_device *engine, int dmabuf,
			     uint64_t size, uint64_t seed);

/* Wait until @copies more copies were done and verified. */
void traffic_wait(struct traffic *traffic, int copies);

/* Stop it; assert that all its bytes were right. */
void traffic_stop(struct traffic *traffic);

/* Assert that it ends by itself because the engine or the memory is gone. */
void traffic_assert_gone(struct traffic *traffic);

/* Either of these: the device may be back before the traffic uses it. */
void traffic_stop_or_gone(struct traffic *traffic);

/**
 * struct stuck_job - a job behind others that hang the first engine
 * @engine: the engine
 * @fd: its DRM node
 * @fence: sync_file of the job
 */
struct stuck_job {
	struct phyr_device engine;
	int fd;
	int fence;
};

/*
 * Queue a job that would write @size bytes of @dmabuf, or of a buffer of the
 * engine if @dmabuf is -1. It does not run for minutes.
 */
struct stuck_job stuck_job_queue(int dmabuf, uint64_t size);
bool stuck_job_is_pending(const struct stuck_job *job);
/* Signal the fence: unbind the engine, which cancels the job, and bind it. */
void stuck_job_cancel(struct stuck_job *job);

/* True if reading the byte at @mem raises SIGBUS. */
bool raises_sigbus(const void *mem);
/*
 * The buffer's card is gone. A mapping of @size bytes does not raise SIGBUS: all
 * its pages are the same page, zeroed, of the buffer's own. Leaves zeroes.
 */
void assert_dummy(void *mem, uint64_t size);

/* True if @function is on the kernel stack of @pid (needs root). */
bool sleeps_in(pid_t pid, const char *function);

/* Wait until @pid sleeps in @function; fail if it ends before that. */
void wait_until_sleeps_in(pid_t pid, const char *function);

/* Start a process that writes @text to @path and then exits. */
pid_t write_in_background(const char *path, const char *text);
void assert_ends_well(pid_t pid);

#endif

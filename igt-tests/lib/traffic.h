/* SPDX-License-Identifier: MIT */
/*
 * Traffic: a process of its own that imports a dma-buf and keeps a copy engine
 * busy with it, several jobs deep, while the test does something to the buffer.
 *
 * It only reads the first half, which holds the pattern @seed all the time, and
 * writes the third quarter and reads it back. Every byte that comes out of the
 * engine is compared. The last quarter is not touched.
 */
#ifndef PHYR_TESTS_TRAFFIC_H
#define PHYR_TESTS_TRAFFIC_H

#include <stdint.h>
#include <sys/types.h>

#include "libphyr.h"

struct traffic {
	pid_t pid;
	int beats;
};

struct traffic traffic_start(const struct phyr_device *engine, int dmabuf,
			     uint64_t size, uint64_t seed);

/* Until @copies more have been done, and found right, from now on. */
void traffic_wait(struct traffic *traffic, int copies);

/* Make it stop; all it has seen was right. */
void traffic_stop(struct traffic *traffic);

/* It ends of itself: its engine, or the memory, says that it is gone. */
void traffic_assert_gone(struct traffic *traffic);

/* Either: what was gone may be back before it looked. */
void traffic_stop_or_gone(struct traffic *traffic);

/* One byte at @mem: does touching it raise SIGBUS? */
bool raises_sigbus(const void *mem);

/* Which process: its kernel stack has @function (needs root). */
bool sleeps_in(pid_t pid, const char *function);

/* Wait until @pid sleeps in @function; it must not end before. */
void wait_until_sleeps_in(pid_t pid, const char *function);

/* A process that writes @text to @path; ends as it is done. */
pid_t write_in_background(const char *path, const char *text);
void assert_ends_well(pid_t pid);

#endif

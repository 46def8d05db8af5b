/* SPDX-License-Identifier: MIT */
/*
 * The watchdog of random clients. Each client writes into shared memory what
 * it is doing; its parent reads that, and fails the test if a client stays in
 * one call for more than CALL_SECONDS, or outlives SIGKILL by more than
 * KILL_SECONDS. Both count the guest's clock.
 */
#ifndef PHYR_TESTS_WATCH_H
#define PHYR_TESTS_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CALL_SECONDS	30
#define KILL_SECONDS	20

#define MAX_OPERATIONS	100
#define MAX_NOTES	48
#define NOTE_SIZE	160

/**
 * struct tally - statistics of an operation
 * @calls: number of calls
 * @refused: number of calls that failed as expected
 * @seconds: time taken
 */
struct tally {
	uint64_t calls;
	uint64_t refused;
	double seconds;
};

/**
 * struct watched - a client, in shared memory
 * @pid: its process; 0 if it has ended
 * @seed: determines its operations
 * @op: number of its current operation, from 0
 * @op_name: name of that operation
 * @beats: number of checked calls; constant while the client is in one
 * @signals: number of signals that interrupted it
 * @tallies: by number of the operation
 * @nr_notes: number of notes that it has written
 * @notes: the latest of them
 */
struct watched {
	pid_t pid;
	uint64_t seed;
	uint64_t op;
	const char *op_name;
	uint64_t beats;
	uint64_t signals;
	struct tally tallies[MAX_OPERATIONS];
	unsigned int nr_notes;
	char notes[MAX_NOTES][NOTE_SIZE];
};

/**
 * struct watch - what the watchdog remembers of a client
 * @beats: @beats when it last changed
 * @since: time of that change, in seconds
 */
struct watch {
	uint64_t beats;
	double since;
};

/* Seconds of the guest's clock. */
double seconds(void);

/* Zeroed memory for @nr clients, shared with child processes. */
struct watched *watched_alloc(unsigned int nr);
void watched_free(struct watched *watched, unsigned int nr);

/* Remember a line about what the process does. @watched may be NULL. */
void watched_note(struct watched *watched, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Print seed, operation and the latest notes. */
void watched_print(const struct watched *watched);

/* True if @watched has been in one call for more than CALL_SECONDS. */
bool watch_is_stuck(struct watch *watch, const struct watched *watched);

/* Print what the process does: its state, system call and kernel stack. */
void watch_print_task(pid_t pid);

/*
 * Wait at most @limit seconds for the end of a child, and store its status.
 * Meanwhile the caller counts as being alive. Return: false if it still runs.
 */
bool watch_wait(struct watched *watched, pid_t pid, unsigned int limit,
		int *status);

/* Kill a child. Return: false if it still runs after KILL_SECONDS. */
bool watch_kill(struct watched *watched, pid_t pid, int *status);

#endif

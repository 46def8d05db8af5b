/* SPDX-License-Identifier: MIT */
/*
 * An attacker: a process of its own with uid and gid 65534, without groups and
 * capabilities. It has what udev's rules give to the users of a desktop: all
 * nodes of phyr's devices, opened by itself. While it lives their mode is 0666,
 * which stands for the groups "render" and "video".
 *
 * As in lib.h every helper asserts success; failures end the subtest, also those
 * in the attacker.
 */
#ifndef PHYR_TESTS_ATTACKER_H
#define PHYR_TESTS_ATTACKER_H

#include <errno.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib.h"

/**
 * struct scene - what both sides know; the attacker gets a copy
 * @card: the card whose VRAM is a file of the host
 * @display: the card with a display
 * @engine: a copy engine
 * @victim: pid of the process with privileges
 */
struct scene {
	struct phyr_device card;
	struct phyr_device display;
	struct phyr_device engine;
	pid_t victim;
};

extern struct scene scene;

/*
 * Runs @attack in an attacker, and, unless it is NULL, @victim meanwhile in this
 * process, with the attacker's pid; returns when both are done.
 */
void under_attack(void (*attack)(void), void (*victim)(pid_t attacker));

/* The same in a memory cgroup of its own, limited to @bytes. */
void under_attack_limited(uint64_t bytes, void (*attack)(void),
			  void (*victim)(pid_t attacker));

/* The same in a cgroup that may have @bytes of @card's VRAM. */
void under_attack_with_vram(const struct phyr_device *card, uint64_t bytes,
			    void (*attack)(void),
			    void (*victim)(pid_t attacker));

/* Between the two sides: one number is sent, and taken by the other side. */
void tell(uint64_t number);
uint64_t be_told(void);

/* Of that cgroup; also when the attacker has ended, until the next one begins. */
uint64_t limited_bytes(void);
uint64_t limited_event(const char *event);

#define ASSERT_ERRNO(call, wanted) \
	do { \
		errno = 0; \
		igt_assert_eq((long)(call), -1); \
		igt_assert_eq(errno, wanted); \
	} while (0)

/* To read and write. */
int open_path(const char *path);

/* ARENA bytes to read and write, and nothing behind them. */
#define ARENA	(8 * SZ_4K)
uint8_t *make_arena(void);

/* What root does to the nodes is undone, if a subtest failed before it could. */
void close_nodes(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * An attacker: a separate process with uid and gid 65534, without
 * supplementary groups and capabilities. It can open all nodes of phyr's
 * devices, as udev's rules allow desktop users: while it runs, their mode is
 * 0666, which stands for the groups "render" and "video".
 *
 * As in lib.h every helper asserts success. A failure in the attacker fails
 * the subtest, too.
 */
#ifndef PHYR_TESTS_ATTACKER_H
#define PHYR_TESTS_ATTACKER_H

#include <errno.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib.h"

/**
 * struct scene - devices and processes; the attacker has a copy
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
 * Run @attack in an attacker and, unless @victim is NULL, @victim with the
 * attacker's pid in this process at the same time. Return when both are done.
 */
void under_attack(void (*attack)(void), void (*victim)(pid_t attacker));

/* The same with the attacker in its own memory cgroup, limited to @bytes. */
void under_attack_limited(uint64_t bytes, void (*attack)(void),
			  void (*victim)(pid_t attacker));

/*
 * The same with the attacker in a dmem cgroup limited to @bytes of @card's
 * VRAM.
 */
void under_attack_with_vram(const struct phyr_device *card, uint64_t bytes,
			    void (*attack)(void),
			    void (*victim)(pid_t attacker));
/* The same for any region of the dmem controller. */
void under_attack_with_region(const char *region, uint64_t bytes,
			      void (*attack)(void),
			      void (*victim)(pid_t attacker));

/* Send a number to the other process; wait for one from it. */
void send_number(uint64_t number);
uint64_t receive_number(void);

/*
 * memory.current and memory.events of the attacker's cgroup. Valid until the
 * next attacker starts, also after this one has ended.
 */
uint64_t limited_bytes(void);
uint64_t limited_event(const char *event);

#define ASSERT_ERRNO(call, wanted) \
	do { \
		errno = 0; \
		igt_assert_eq((long)(call), -1); \
		igt_assert_eq(errno, wanted); \
	} while (0)

/* Open for reading and writing. */
int open_path(const char *path);

/* ARENA bytes of memory, followed by an inaccessible page. */
#define ARENA	(8 * SZ_4K)
uint8_t *make_arena(void);

/* Restore the nodes' modes; needed where a subtest failed before it could. */
void close_nodes(void);

#endif

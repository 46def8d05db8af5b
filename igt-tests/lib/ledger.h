/* SPDX-License-Identifier: MIT */
/*
 * What a test holds, and what phyr holds for it. A difference between two
 * ledgers is a leak.
 */
#ifndef PHYR_TESTS_LEDGER_H
#define PHYR_TESTS_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct ledger - counts
 * @fds: this process's file descriptors
 * @pinned: bytes that this process has pinned
 * @handles: bytes of the buffers that its GEM handles refer to
 * @attachments: of phyr, in the whole system
 * @dmabufs: in the whole system
 * @framebuffers: of all cards
 * @buffers: of all cards and engines
 * @bytes: of @buffers
 * @lost: bytes of VRAM that are neither free nor part of a buffer
 */
struct ledger {
	uint64_t fds;
	uint64_t pinned;
	uint64_t handles;
	uint64_t attachments;
	uint64_t dmabufs;
	uint64_t framebuffers;
	uint64_t buffers;
	uint64_t bytes;
	uint64_t lost;
};

struct ledger ledger_now(void);

/*
 * Wait until the ledger equals @before again; workers may drop the last
 * references.
 */
bool ledger_comes_to(const struct ledger *before, struct ledger *now);

/* Describe the difference; valid until the next call. */
const char *ledger_difference(const struct ledger *before,
			      const struct ledger *now);

#endif

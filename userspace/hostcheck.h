/* SPDX-License-Identifier: MIT */
/*
 * Host check: compares a buffer in VRAM from outside the guest. The VRAM is a
 * file on the host; userspace/verify-vram on the host compares that file with
 * the bytes that the guest expects.
 *
 * Guest and host share a directory. NAME tells requests of different programs
 * apart:
 *
 *	NAME.listens	by the host; exists while it waits for a request
 *	NAME.extents	by the guest; per extent a line "OFFSET-IN-VRAM LENGTH
 *			OFFSET-IN-BUFFER", in bytes
 *	NAME.expected	by the guest; the bytes of the buffer
 *	NAME.ready	by the guest, last; a line with the request's id
 *	NAME.verdict	by the host; a line "ok …" or "bad …", then a line
 *			"request ID"
 *
 * The id is a random number. A verdict with another id answers an earlier
 * request and is ignored.
 */
#ifndef PHYR_HOSTCHECK_H
#define PHYR_HOSTCHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "debugfs.h"

/**
 * struct phyr_hostcheck - a request to the host
 * @dir: the shared directory
 * @name: the NAME of its files
 * @id: identifies the request; set by phyr_hostcheck_request()
 */
struct phyr_hostcheck {
	const char *dir;
	const char *name;
	char id[17];
};

/* True if the host waits for a request of this name. */
bool phyr_hostcheck_listens(const struct phyr_hostcheck *check);

/*
 * Ask the host whether VRAM holds @bytes, list->size of them, in the extents
 * of @list. Returns 0 or a negative errno.
 */
int phyr_hostcheck_request(struct phyr_hostcheck *check,
			   const struct phyr_list_dump *list,
			   const void *bytes);

/*
 * Wait at most @seconds for the verdict and store its first line, which ends
 * with a newline, in @verdict. Returns 0 if the host found the bytes, -EBADMSG
 * if it found others, -ETIME if no verdict came.
 */
int phyr_hostcheck_wait(const struct phyr_hostcheck *check,
			unsigned int seconds, char *verdict, size_t size);

#endif

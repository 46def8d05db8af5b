/* SPDX-License-Identifier: MIT */
#ifndef PHYR_TESTS_LOG_H
#define PHYR_TESTS_LOG_H

#include <stdbool.h>

/*
 * The kernel log from now on; and whether a line that was not read yet has
 * @text. Reads it.
 */
int open_log(void);
bool log_has(int log, const char *text);

#endif

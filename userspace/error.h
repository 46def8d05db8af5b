/* SPDX-License-Identifier: MIT */
/* Errors of phyrctl. */
#ifndef PHYR_ERROR_H
#define PHYR_ERROR_H

/* Print "phyrctl: …" on standard error and exit with status 1. */
__attribute__((noreturn, format(printf, 1, 2)))
void fail(const char *format, ...);

#endif

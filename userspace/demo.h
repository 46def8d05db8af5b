/* SPDX-License-Identifier: MIT */
#ifndef PHYR_DEMO_H
#define PHYR_DEMO_H

/* The command "demo"; its exit status. */
int demo(int argc, char **argv);

/* Print "phyrctl: …" on standard error and exit with status 1. */
__attribute__((noreturn, format(printf, 1, 2)))
void fail(const char *format, ...);

#endif

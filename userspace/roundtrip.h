/* SPDX-License-Identifier: MIT */
/* The command "phyrctl demo": see roundtrip.c. */
#ifndef PHYR_ROUNDTRIP_H
#define PHYR_ROUNDTRIP_H

/* Run the command. Returns the exit status of phyrctl. */
int roundtrip(int argc, char **argv);

#endif

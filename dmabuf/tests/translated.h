/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _PHYR_TRANSLATED_H
#define _PHYR_TRANSLATED_H

#include "phyr_test.h"

int test_translated(struct phyr_test_translated *args);

#endif

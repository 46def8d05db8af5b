/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _PHYR_TEST_USER_H
#define _PHYR_TEST_USER_H

#include "phyr_test.h"

int test_user(struct phyr_test_user *args);

#endif

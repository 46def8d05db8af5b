/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _PHYR_TEST_HOLD_H
#define _PHYR_TEST_HOLD_H

#include <linux/xarray.h>

#include "phyr_test.h"

struct device;

void test_holds_init(struct xarray *holds);
void test_holds_fini(struct xarray *holds);
int test_hold(struct xarray *holds, struct device *dev,
	      struct phyr_test_hold *args);
int test_held(struct xarray *holds, unsigned int cmd,
	      struct phyr_test_held *args);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _PHYR_TEST_IMPORT_H
#define _PHYR_TEST_IMPORT_H

#include "phyr_test.h"

struct device;

int test_import(struct device *dev, struct phyr_test_import *args);

#endif

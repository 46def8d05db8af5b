// SPDX-License-Identifier: GPL-2.0
#include "redirect.h"
#include "../dma_buf.c"

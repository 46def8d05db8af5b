/* SPDX-License-Identifier: MIT */
/* libphyr: thin wrappers around the userspace interfaces of the phyr drivers. */
#ifndef LIBPHYR_H
#define LIBPHYR_H

#include "buffer.h"
#include "bytes.h"
#include "copy.h"
#include "debugfs.h"
#include "device.h"
#include "fence.h"
#include "hostcheck.h"
#include "vram.h"

#endif

/* SPDX-License-Identifier: MIT */
/* Buffers of phyr_copy that are composed of parts of others. */
#ifndef PHYR_TESTS_COMPOSE_H
#define PHYR_TESTS_COMPOSE_H

#include <stdint.h>

#include "lib.h"

struct drm_phyr_copy_part part_of(uint32_t handle, uint64_t offset,
				  uint64_t len);
int try_compose(int fd, const struct drm_phyr_copy_part *parts,
		unsigned int count, uint32_t *handle);
/* Assert that the buffer has the flag and the size of a composed one. */
uint32_t compose(int fd, const struct drm_phyr_copy_part *parts,
		 unsigned int count);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Redirections for the production file that a KUnit test includes
 *
 *	#include "redirect.h"
 *	#include "../mgr.c"
 *
 * The file becomes part of phyr_vram_kunit.ko, so that tests can call its static
 * functions. phyr_vram.ko may be loaded too, since it exports no symbols. Card
 * accesses are not redirected: the VRAM of struct card is ordinary memory.
 */
#ifndef _PHYR_VRAM_REDIRECT_H
#define _PHYR_VRAM_REDIRECT_H

#include <linux/gpu_buddy.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>

#include "card.h"

/* Turn the included file's module parameters into plain variables. */
#undef module_param
#define module_param(name, type, perm)
#undef MODULE_PARM_DESC
#define MODULE_PARM_DESC(name, text)

/* Allocations that card_fail_after() can make fail */
#undef kzalloc_obj
#define kzalloc_obj(obj, ...) \
	(card_fails() ? NULL : kzalloc(sizeof(obj), default_gfp(__VA_ARGS__)))
#undef alloc_pages
#define alloc_pages(...) (card_fails() ? NULL : alloc_pages_noprof(__VA_ARGS__))
#define gpu_buddy_alloc_blocks(...) \
	(card_fails() ? -ENOMEM : gpu_buddy_alloc_blocks(__VA_ARGS__))

#endif

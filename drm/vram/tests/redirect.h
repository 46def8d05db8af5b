/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a KUnit test includes before the production file that it tests
 *
 *	#include "redirect.h"
 *	#include "../mgr.c"
 *
 * The file becomes part of phyr_vram_kunit.ko, static functions included.
 * phyr_vram.ko may be loaded: it exports nothing. What needs no redirection is
 * the card: struct card has ordinary memory where the BAR would be mapped.
 */
#ifndef _PHYR_VRAM_REDIRECT_H
#define _PHYR_VRAM_REDIRECT_H

#include <linux/gpu_buddy.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>

#include "card.h"

/* The included file's parameters are plain variables here. */
#undef module_param
#define module_param(name, type, perm)
#undef MODULE_PARM_DESC
#define MODULE_PARM_DESC(name, text)

/* Allocations that a test can make fail: card_fail_after() */
#undef kzalloc_obj
#define kzalloc_obj(obj, ...) \
	(card_fails() ? NULL : kzalloc(sizeof(obj), default_gfp(__VA_ARGS__)))
#undef alloc_pages
#define alloc_pages(...) (card_fails() ? NULL : alloc_pages_noprof(__VA_ARGS__))
#define gpu_buddy_alloc_blocks(...) \
	(card_fails() ? -ENOMEM : gpu_buddy_alloc_blocks(__VA_ARGS__))

#endif

/* SPDX-License-Identifier: MIT */
/* The attacks of phyr_attack, and the client that most of them are made on. */
#ifndef PHYR_TESTS_ATTACKS_H
#define PHYR_TESTS_ATTACKS_H

#include <stdint.h>

#include "attacker.h"
#include "lib.h"

#define SIZE	SZ_64K
/* Every byte that must not leak. */
#define MARK	0xa7

/**
 * struct client - a client of the card and of the engine, with privileges
 * @vram: file of scene.card
 * @engine: file of scene.engine
 * @dmabuf: of @handle
 * @handle: a buffer in VRAM
 * @own: a buffer of the engine
 * @syncobj: of @engine
 */
struct client {
	int vram;
	int engine;
	int dmabuf;
	uint32_t handle;
	uint32_t own;
	uint32_t syncobj;
};

/* Between start_client() and end_client(), which checks its bytes. */
extern struct client client;

void start_client(void);
void end_client(void);
/* Run @attack while the client lives. */
void attack_client(void (*attack)(void));

/* Offsets to mmap() buffers at. */
uint64_t vram_offset(int vram, uint32_t handle);
uint64_t own_offset(int engine, uint32_t handle);

/* What an attacker runs. */
void guess_handles(void);
void never_shared(void);
void others_syncobjs(void);
void mmap_past_end(void);
void dmabuf_as_a_file(void);
void mmap_after_close(void);
void mmap_exec(void);
void mmap_private(void);
void mmap_read_only(void);
void master_only_attack(void);
void atomic_attack(void);
void others_framebuffers_attack(void);

/* Whole subtests. */
void guess_names(void);
void mmap_guessed(void);
void hold_card(void);
void hold_engine(void);
void stale_bytes(void);
void copy_out_of_range(void);
void root_files(void);
void others_blobs(void);
/* Run @attack while this process is the DRM master and shows a picture. */
void attack_display(void (*attack)(void));

#endif

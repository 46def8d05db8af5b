/* SPDX-License-Identifier: MIT */
/*
 * The calls of phyr_fail_nth, which lib/fail_nth.h sweeps. Each has an
 * optional set-up function, and a verify function that undoes both.
 */
#ifndef PHYR_TESTS_STAGE_H
#define PHYR_TESTS_STAGE_H

#include <errno.h>
#include <stdint.h>

#include "fail_nth.h"
#include "lib.h"

/* As many extents as pages. */
#define EXTENTS		8
#define SIZE		(EXTENTS * SZ_4K)
#define SEED		55

/**
 * struct stage - what the calls work with
 * @card: a card without a display
 * @engine: a copy engine
 * @vram: a file of @card's primary node, for dumb buffers
 * @copy: a file of @engine
 * @test: /dev/phyr_test
 * @witness: a buffer in VRAM that no call touches
 * @witness_in: the engine's handle of @witness
 * @witness_out: a buffer of the engine that no call touches
 * @witness_fence: syncobj of the latest copy from @witness to @witness_out
 * @witness_mem: @witness, mapped
 * @out_mem: @witness_out, mapped
 * @turn: seed of the pattern that both witnesses hold
 * @event: an eventfd
 * @fd: an open file; this and what follows belong to one call, from its set-up to
 *	its verify function
 * @dmabuf: a dma-buf
 * @other: a second file
 * @handle: a buffer
 * @imported: a handle of an imported buffer
 * @own: a buffer of the engine
 * @in_fence: syncobj to wait for
 * @out_fence: syncobj to signal
 * @offset: for mmap()
 * @held: an attachment of /dev/phyr_test
 * @mem: a mapping
 */
struct stage {
	struct phyr_device card, engine;
	int vram, copy, test;
	uint32_t witness, witness_in, witness_out, witness_fence;
	uint8_t *witness_mem, *out_mem;
	uint64_t turn;
	int event;

	int fd, dmabuf, other;
	uint32_t handle, imported, own, in_fence, out_fence;
	uint64_t offset;
	struct phyr_test_held held;
	void *mem;
};

extern struct stage stage;

void set_stage(void);
void clear_stage(void);

/* Check with few calls, since each step does, that card and engine work. */
void assert_works(void);

/* Results of system calls, as struct fail_nth_call wants them. */
int as_errno(int result);
int as_fd(int fd, int *to);

/* A verify function for calls that leave nothing to undo. */
void verify_works(const void *data, int result);

void sweep_all(const struct fail_nth_call *calls, unsigned int nr);

/* buffers.c: buffers of the card, for the functions that take one as @data. */
struct kind {
	uint32_t placement;
	uint64_t max_extent;
};

extern const struct kind pieces;
extern const struct kind in_system;
extern const struct kind movable;

void setup_buffer(const void *data);
void verify_buffer(const void *data, int result);
int move_out(const void *data);
int move_in(const void *data);
/* The other functions expect @stage.handle as setup_buffer() made it. */
void verify_moved_out(const void *data, int result);
void verify_moved_in(const void *data, int result);

/* prime.c: a dma-buf of the card, of the engine, and a udmabuf. */
void setup_import(const void *data);
void setup_own(const void *data);
void verify_own(const void *data, int result);
void setup_foreign(const void *data);

/*
 * engine.c: a job that copies @stage.imported to @stage.own. finish_job() submits
 * it once more after an error, and closes both.
 */
void create_fences(bool in);
int submit(const void *data);
void finish_job(int result);

/* compose.c: a dma-buf that nothing else refers to. */
int make_composed(void);

/*
 * dma_buf.c: "bind" or "unbind" of the card's driver, without its display. The
 * stage is clear meanwhile.
 */
void open_card_file(const char *file);
int write_card_file(const void *data);
void close_card_file(void);

/* The subtests. */
void sweep_files(void);
void sweep_buffers(void);
void sweep_eviction(void);
void sweep_mappings(void);
void sweep_prime(void);
void sweep_engine(void);
void sweep_engine_workers(void);
void sweep_compose(void);
void sweep_importers(void);
void sweep_dma_buf(void);
void sweep_revocation(void);
void sweep_rdma(void);
void sweep_domain(void);
void sweep_display(void);
void sweep_display_workers(void);

#endif

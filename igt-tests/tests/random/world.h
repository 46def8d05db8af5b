/* SPDX-License-Identifier: MIT */
/*
 * The state of a random client: nodes, open files, buffers with the expected
 * value of every byte, and all references between them.
 *
 * All decisions come from one generator and from this state, so a seed
 * determines a run. A copy that is submitted to the engine is applied here at
 * once; accesses to the bytes of a buffer wait for the engine first.
 */
#ifndef PHYR_TESTS_WORLD_H
#define PHYR_TESTS_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "display.h"
#include "lib.h"
#include "watch.h"

#define MAX_NODES	5
#define MAX_FILES	9
#define MAX_BUFFERS	40
#define MAX_MAPPINGS	40
#define MAX_HOLDS	6
#define MAX_FBS		6
#define MAX_SIZE	(256 * 1024)

/* Result of an operation that has nothing to operate on: choose another. */
#define NOT_NOW		1

/**
 * struct node - a device
 * @device: the device
 * @engine: a copy engine; a card otherwise
 * @shows: it has a display, and this client is its master
 * @free: bytes of free VRAM before the test, of a card
 */
struct node {
	struct phyr_device device;
	bool engine;
	bool shows;
	uint64_t free;
};

/**
 * struct file - an open DRM node
 * @fd: its file descriptor
 * @node: its device
 * @syncobj: of an engine: the fence of its latest job
 * @unmarked: the latest job was submitted without @syncobj
 * @scratch: a page of the engine's own
 */
struct file {
	int fd;
	struct node *node;
	uint32_t syncobj;
	bool unmarked;
	uint32_t scratch;
};

/**
 * struct buffer - a buffer of any exporter
 * @home: its device; NULL for pages of a memfd
 * @size: bytes; 0 where there is no buffer
 * @placement: allowed DRM_PHYR_VRAM_PLACE_*
 * @bytes: expected contents
 * @handle: by number of the file; 0 where the file has none
 * @dmabuf: its dma-buf, or -1
 * @writers: bit set of files whose jobs may still write it
 * @readers: likewise, read
 * @id: the driver's id; 0 until queried
 * @pinned: it was shown or pinned by an importer, and may still be
 */
struct buffer {
	struct node *home;
	uint64_t size;
	uint32_t placement;
	uint8_t *bytes;
	uint32_t handle[MAX_FILES];
	int dmabuf;
	uint32_t writers;
	uint32_t readers;
	uint64_t id;
	bool pinned;
};

/**
 * struct mapping - a CPU mapping of a part of a buffer
 * @buffer: NULL where there is no mapping
 * @mem: its address
 * @offset: of the first byte in the buffer
 * @len: bytes
 */
struct mapping {
	struct buffer *buffer;
	uint8_t *mem;
	uint64_t offset;
	uint64_t len;
};

/**
 * struct hold - an importer of /dev/phyr_test that stays attached
 * @buffer: NULL where there is none
 * @kind: PHYR_TEST_*
 * @id: its number
 * @pinned: it has pinned the buffer
 */
struct hold {
	struct buffer *buffer;
	uint32_t kind;
	uint32_t id;
	bool pinned;
};

/**
 * struct random_fb - a framebuffer
 * @buffer: NULL where there is none
 * @fb: for display.h's functions
 */
struct random_fb {
	struct buffer *buffer;
	struct fb fb;
};

struct world {
	struct watched *watched;
	uint64_t seed;
	uint64_t random;
	uint64_t op;			/* of this client, from 0 */
	const char *op_name;
	unsigned int client;
	unsigned int clients;
	struct node nodes[MAX_NODES];
	struct file files[MAX_FILES];
	struct buffer buffers[MAX_BUFFERS];
	struct mapping mappings[MAX_MAPPINGS];
	struct hold holds[MAX_HOLDS];
	int test;			/* /dev/phyr_test */
	struct display display;
	struct random_fb fbs[MAX_FBS];
	struct random_fb *shown;	/* NULL: off */
	struct view view;		/* of @shown */
	unsigned int flips;		/* pending flip events */
	int rival;			/* a file that fills a card, or -1 */
};

/* Random: a number, one below @limit, true in @chance percent of calls. */
uint64_t random_u64(struct world *world);
uint64_t below(struct world *world, uint64_t limit);
bool percent(struct world *world, unsigned int chance);

/* The latest notes appear in the log of a failing test. */
#define NOTE(...) watched_note(world->watched, __VA_ARGS__)
#define NR(world, buffer) ((int)((buffer) - (world)->buffers))

/* Fail the test unless @err is one of the listed values. Return: @err. */
#define EXPECT(world, err, ...) \
	expect(world, err, #err, (const int[]){ __VA_ARGS__ }, \
	       sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int))
int expect(struct world *world, int err, const char *what, const int *allowed,
	   unsigned int nr);
#define MUST(world, condition) \
	do { \
		if (!(condition)) \
			broken(world, #condition); \
	} while (0)
void broken(struct world *world, const char *what)
	__attribute__((noreturn));

/* Set-up and teardown, which checks that everything was freed. */
void world_open(struct world *world);
void world_close(struct world *world);
void open_file(struct world *world, unsigned int number, struct node *node);
void close_file(struct world *world, struct file *file);
/* The same, but something else refers to the file, for a moment. */
void close_file_late(struct world *world, struct file *file);

/* Random selection; NULL if there is no such object. */
struct file *any_file(struct world *world, bool engine);
unsigned int file_number(const struct world *world, const struct file *file);
struct buffer *any_buffer(struct world *world);
struct buffer *buffer_of(struct world *world, const struct file *file);
struct buffer *buffer_of_kind(struct world *world, bool engine,
			      struct file **file);
uint32_t no_handle(struct world *world, const struct file *file);

/* Life of a buffer: it is freed with the last reference. */
struct buffer *add_buffer(struct world *world, struct node *home,
			  uint64_t size, uint32_t placement);
bool room_for_buffer(struct world *world);
void set_handle(struct world *world, struct buffer *buffer, struct file *file,
		uint32_t handle);
void drop_handle(struct world *world, struct buffer *buffer, struct file *file);
void put_buffer(struct world *world, struct buffer *buffer);
int need_dmabuf(struct world *world, struct buffer *buffer);
bool is_fixed(const struct buffer *buffer);
bool may_be_pinned(struct world *world, const struct buffer *buffer);

/* Bytes. */
void *map_buffer(struct world *world, struct buffer *buffer, uint64_t offset,
		 uint64_t len);
void drop_mapping(struct world *world, struct mapping *mapping);
void wait_for_file(struct world *world, struct file *file);
void wait_for_jobs(struct world *world, struct buffer *buffer, bool write);
/* The DMA_BUF_SYNC_* direction that its exporter supports. */
uint64_t sync_kind(const struct buffer *buffer, uint64_t wanted);
/*
 * Fail the test unless the @len bytes at @mem are those of @buffer at @offset.
 * The message tells whether they stay wrong, and whether other mappings show
 * the same.
 */
void compare(struct world *world, struct buffer *buffer, const uint8_t *mem,
	     uint64_t offset, uint64_t len);
int check_bytes(struct world *world, struct buffer *buffer, uint64_t offset,
		uint64_t len);
int write_bytes(struct world *world, struct buffer *buffer, uint64_t offset,
		uint64_t len);

/* The display; display_file() is NULL for clients without it. */
struct file *display_file(struct world *world);
void wait_for_picture(struct world *world);
void drop_fb(struct world *world, struct random_fb *fb);

/**
 * struct operation - an operation
 * @name: for messages
 * @weight: relative frequency
 * @run: 0, the negative errno of an expected failure, or NOT_NOW
 */
struct operation {
	const char *name;
	unsigned int weight;
	int (*run)(struct world *world);
};

extern const struct operation memory_operations[];
extern const struct operation share_operations[];
extern const struct operation engine_operations[];
extern const struct operation compose_operations[];
extern const struct operation display_operations[];
extern const struct operation wrong_operations[];
/* Rare ones: a hundredth of the weight. */
extern const struct operation limit_operations[];
extern const struct operation process_operations[];
extern const struct operation pressure_operations[];

/*
 * Prepare the guest for pressure_operations, with swap; restore what a killed
 * client may have left behind; and undo all.
 */
void pressure_start(void);
void pressure_restore(void);
void pressure_end(void);

#endif

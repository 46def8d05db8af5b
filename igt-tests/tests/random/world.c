// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/dma-buf.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "foreign.h"
#include "world.h"

/* Random numbers: splitmix64 */

uint64_t random_u64(struct world *world)
{
	uint64_t x = world->random += 0x9e3779b97f4a7c15ull;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

uint64_t below(struct world *world, uint64_t limit)
{
	return random_u64(world) % limit;
}

bool percent(struct world *world, unsigned int chance)
{
	return below(world, 100) < chance;
}

/* Checks */

void broken(struct world *world, const char *what)
{
	igt_assert_f(false, "client %u, operation %" PRIu64 " (%s): %s\n"
		     "again: %s --seed %" PRIu64 " --ops %" PRIu64 "%s\n",
		     world->client, world->op, world->op_name, what,
		     "build/bin/igt/phyr_random --run-subtest one-client",
		     world->seed, world->op + 1, world->clients > 1 ?
		     ", though other clients may be involved" : "");
	__builtin_unreachable();
}

int expect(struct world *world, int err, const char *what, const int *allowed,
	   unsigned int nr)
{
	char text[256];
	size_t len;

	world->watched->beats++;
	for (unsigned int i = 0; i < nr; i++)
		if (err == allowed[i])
			return err;
	len = snprintf(text, sizeof(text), "%.100s is %d, not", what, err);
	for (unsigned int i = 0; i < nr && len < sizeof(text); i++)
		len += snprintf(text + len, sizeof(text) - len, "%s %d",
				i ? " or" : "", allowed[i]);
	broken(world, text);
}

/*
 * The display
 */

struct file *display_file(struct world *world)
{
	for (unsigned int i = 0; i < MAX_FILES; i++)
		if (world->files[i].node->shows)
			return &world->files[i];
	return NULL;
}

void wait_for_picture(struct world *world)
{
	for (; world->flips; world->flips--)
		wait_for_flip(&world->display);
}

void drop_fb(struct world *world, struct random_fb *fb)
{
	struct buffer *buffer = fb->buffer;

	EXPECT(world, drmModeRmFB(world->display.fd, fb->fb.id), 0);
	if (world->shown == fb)
		world->shown = NULL;
	fb->buffer = NULL;
	put_buffer(world, buffer);
}

/*
 * Files
 */

static void open_engine(struct world *world, struct file *file)
{
	EXPECT(world, phyr_syncobj_create(file->fd, &file->syncobj), 0);
	EXPECT(world, phyr_copy_create(file->fd, SZ_4K, &file->scratch), 0);
}

void open_file(struct world *world, unsigned int number, struct node *node)
{
	struct file *file = &world->files[number];

	*file = (struct file){ .node = node };
	if (node->shows) {
		file->fd = open(node->device.primary, O_RDWR | O_CLOEXEC);
		MUST(world, file->fd >= 0 && drmIsMaster(file->fd));
		world->display = open_display_of(file->fd);
		world->display.mode = make_mode(64, 64);
	} else {
		file->fd = phyr_device_open(&node->device);
		MUST(world, file->fd >= 0);
	}
	if (node->engine)
		open_engine(world, file);
}

/* Mappings keep a file open, and with it its handles and its DRM master. */
static void drop_mappings_at(struct world *world, const struct node *node)
{
	for (unsigned int i = 0; i < MAX_MAPPINGS; i++) {
		struct mapping *mapping = &world->mappings[i];

		if (mapping->buffer && mapping->buffer->home == node)
			drop_mapping(world, mapping);
	}
}

static void close_display_file(struct world *world, struct file *file)
{
	wait_for_picture(world);
	for (unsigned int i = 0; i < MAX_FBS; i++)
		if (world->fbs[i].buffer)
			drop_fb(world, &world->fbs[i]);
	drop_mappings_at(world, file->node);
}

/* @keep: something may still refer to the file's buffers as importer. */
static void forget_file(struct world *world, struct file *file, bool keep)
{
	EXPECT(world, close(file->fd), 0);
	file->fd = -1;
	for (unsigned int i = 0; i < MAX_BUFFERS; i++) {
		struct buffer *buffer = &world->buffers[i];

		if (!buffer->size ||
		    !buffer->handle[file_number(world, file)])
			continue;
		buffer->pinned |= keep && !file->node->engine;
		buffer->handle[file_number(world, file)] = 0;
		put_buffer(world, buffer);
	}
}

void close_file(struct world *world, struct file *file)
{
	bool keep = percent(world, 50);

	if (file->node->shows)
		close_display_file(world, file);
	else if (!keep)
		drop_mappings_at(world, file->node);
	if (file->node->engine)
		wait_for_file(world, file);
	forget_file(world, file, keep);
}

void close_file_late(struct world *world, struct file *file)
{
	forget_file(world, file, true);
}

unsigned int file_number(const struct world *world, const struct file *file)
{
	return file - world->files;
}

struct file *any_file(struct world *world, bool engine)
{
	unsigned int first = below(world, MAX_FILES);

	for (unsigned int i = 0; i < MAX_FILES; i++) {
		struct file *file = &world->files[(first + i) % MAX_FILES];

		if (file->node->engine == engine)
			return file;
	}
	broken(world, "a file of each kind is open");
}

/* A handle that the file does not have, but might once have had. */
uint32_t no_handle(struct world *world, const struct file *file)
{
	uint32_t handle = percent(world, 50) ? 1 + below(world, 64) :
			  random_u64(world) >> (32 + below(world, 24));
	unsigned int number = file_number(world, file);

	for (unsigned int i = 0; i < MAX_BUFFERS; i++)
		if (world->buffers[i].size &&
		    world->buffers[i].handle[number] == handle)
			return 0x7fffffff;
	return handle == file->scratch ? 0 : handle;
}

/*
 * Buffers
 */

struct buffer *any_buffer(struct world *world)
{
	unsigned int first = below(world, MAX_BUFFERS);

	for (unsigned int i = 0; i < MAX_BUFFERS; i++) {
		struct buffer *buffer =
			&world->buffers[(first + i) % MAX_BUFFERS];

		if (buffer->size)
			return buffer;
	}
	return NULL;
}

struct buffer *buffer_of(struct world *world, const struct file *file)
{
	unsigned int first = below(world, MAX_BUFFERS);
	unsigned int number = file_number(world, file);

	for (unsigned int i = 0; i < MAX_BUFFERS; i++) {
		struct buffer *buffer =
			&world->buffers[(first + i) % MAX_BUFFERS];

		if (buffer->size && buffer->handle[number])
			return buffer;
	}
	return NULL;
}

struct buffer *buffer_of_kind(struct world *world, bool engine,
			      struct file **file)
{
	*file = any_file(world, engine);
	return buffer_of(world, *file);
}

static struct buffer *free_buffer(struct world *world)
{
	for (unsigned int i = 0; i < MAX_BUFFERS; i++)
		if (!world->buffers[i].size)
			return &world->buffers[i];
	return NULL;
}

bool room_for_buffer(struct world *world)
{
	return free_buffer(world);
}

struct buffer *add_buffer(struct world *world, struct node *home,
			  uint64_t size, uint32_t placement)
{
	struct buffer *buffer = free_buffer(world);

	MUST(world, buffer);
	*buffer = (struct buffer){
		.home = home, .size = size, .placement = placement,
		.dmabuf = -1, .bytes = calloc(1, size),
	};
	MUST(world, buffer->bytes);
	NOTE("%d: %#" PRIx64 " bytes, placement %u, at %s", NR(world, buffer),
	     size, placement, home ? home->device.busid : "nobody's");
	return buffer;
}

void set_handle(struct world *world, struct buffer *buffer, struct file *file,
		uint32_t handle)
{
	unsigned int number = file_number(world, file);

	MUST(world, handle);
	for (unsigned int i = 0; i < MAX_BUFFERS; i++)
		MUST(world, !world->buffers[i].size ||
		     world->buffers[i].handle[number] != handle);
	buffer->handle[number] = handle;
}

void drop_handle(struct world *world, struct buffer *buffer, struct file *file)
{
	uint32_t *handle = &buffer->handle[file_number(world, file)];

	EXPECT(world, phyr_close_handle(file->fd, *handle), 0);
	*handle = 0;
	put_buffer(world, buffer);
}

void put_buffer(struct world *world, struct buffer *buffer)
{
	if (buffer->dmabuf >= 0)
		return;
	for (unsigned int i = 0; i < MAX_FILES; i++)
		if (buffer->handle[i])
			return;
	for (unsigned int i = 0; i < MAX_MAPPINGS; i++)
		if (world->mappings[i].buffer == buffer)
			return;
	for (unsigned int i = 0; i < MAX_HOLDS; i++)
		if (world->holds[i].buffer == buffer)
			return;
	for (unsigned int i = 0; i < MAX_FBS; i++)
		if (world->fbs[i].buffer == buffer)
			return;
	free(buffer->bytes);
	buffer->size = 0;
}

/* Export it unless it is exported. Return: -1 if no handle is left. */
int need_dmabuf(struct world *world, struct buffer *buffer)
{
	for (unsigned int i = 0; i < MAX_FILES && buffer->dmabuf < 0; i++) {
		if (!buffer->handle[i])
			continue;
		buffer->dmabuf = phyr_export(world->files[i].fd,
					     buffer->handle[i]);
		MUST(world, buffer->dmabuf >= 0);
	}
	return buffer->dmabuf;
}

/* It must stay in VRAM. */
bool is_fixed(const struct buffer *buffer)
{
	return buffer->placement == IN_VRAM;
}

/* Importers without invalidation pin it in system memory, a display in VRAM. */
bool may_be_pinned(struct world *world, const struct buffer *buffer)
{
	if (buffer->pinned)
		return true;
	for (unsigned int i = 0; i < MAX_FILES; i++)
		if (buffer->handle[i] && !world->files[i].node->engine &&
		    world->files[i].node != buffer->home)
			return true;
	for (unsigned int i = 0; i < MAX_HOLDS; i++)
		if (world->holds[i].buffer == buffer)
			return true;
	for (unsigned int i = 0; i < MAX_FBS; i++)
		if (world->fbs[i].buffer == buffer)
			return true;
	return false;
}

/*
 * Bytes
 */

static void *map_at_file(struct world *world, struct buffer *buffer,
			 struct file *file, uint64_t len)
{
	uint32_t handle = buffer->handle[file_number(world, file)];

	if (!file->node->engine)
		return phyr_vram_mmap(file->fd, handle, len,
				      PROT_READ | PROT_WRITE);
	/* An imported buffer is mapped by its exporter. */
	if (file->node != buffer->home)
		return NULL;
	return phyr_copy_mmap(file->fd, handle, len, PROT_READ | PROT_WRITE);
}

/* Map it by any node or dma-buf; NULL if there is none. */
void *map_buffer(struct world *world, struct buffer *buffer, uint64_t offset,
		 uint64_t len)
{
	unsigned int first = below(world, MAX_FILES);
	void *mem = NULL;

	if (buffer->dmabuf >= 0 && percent(world, 50))
		mem = phyr_mmap(buffer->dmabuf, len, PROT_READ | PROT_WRITE,
				offset);
	for (unsigned int i = 0; !offset && !mem && i < MAX_FILES; i++) {
		struct file *file = &world->files[(first + i) % MAX_FILES];

		if (buffer->handle[file_number(world, file)])
			mem = map_at_file(world, buffer, file, len);
	}
	if (!mem && need_dmabuf(world, buffer) >= 0)
		mem = phyr_mmap(buffer->dmabuf, len, PROT_READ | PROT_WRITE,
				offset);
	MUST(world, mem != MAP_FAILED);
	return mem;
}

void drop_mapping(struct world *world, struct mapping *mapping)
{
	struct buffer *buffer = mapping->buffer;

	EXPECT(world, munmap(mapping->mem, mapping->len), 0);
	mapping->buffer = NULL;
	put_buffer(world, buffer);
}

/* Wait for all jobs of the file, which run in order. */
void wait_for_file(struct world *world, struct file *file)
{
	struct drm_phyr_copy_submit job = {
		.src_handle = file->scratch, .dst_handle = file->scratch,
		.dst_offset = SZ_4K / 2, .len = 64,
		.out_syncobj = file->syncobj,
	};
	uint32_t bit = 1u << file_number(world, file);
	uint32_t busy = 0;

	for (unsigned int i = 0; i < MAX_BUFFERS; i++)
		if (world->buffers[i].size)
			busy |= world->buffers[i].writers |
				world->buffers[i].readers;
	if (file->unmarked)
		EXPECT(world, phyr_copy_submit(file->fd, &job), 0);
	if (file->unmarked || busy & bit)
		EXPECT(world, phyr_syncobj_wait(file->fd, file->syncobj), 0);
	file->unmarked = false;
	for (unsigned int i = 0; i < MAX_BUFFERS; i++) {
		world->buffers[i].writers &= ~bit;
		world->buffers[i].readers &= ~bit;
	}
}

/*
 * udmabuf maps its pages for the direction of the first sync, and then syncs
 * them for any other, which DMA-API debug reports. So use only the direction
 * that a framebuffer is read with.
 */
uint64_t sync_kind(const struct buffer *buffer, uint64_t wanted)
{
	return buffer->home ? wanted : DMA_BUF_SYNC_READ;
}

static void wait_for_dmabuf(struct world *world, struct buffer *buffer,
			    bool write)
{
	uint64_t kind = write ? DMA_BUF_SYNC_RW : DMA_BUF_SYNC_READ;
	struct pollfd fds = { .fd = buffer->dmabuf,
			      .events = write ? POLLOUT : POLLIN };
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_START | kind };

	if (sync_kind(buffer, kind) == kind && percent(world, 50)) {
		EXPECT(world, phyr_ioctl(buffer->dmabuf, DMA_BUF_IOCTL_SYNC,
					 &sync), 0);
		sync.flags ^= DMA_BUF_SYNC_START ^ DMA_BUF_SYNC_END;
		EXPECT(world, phyr_ioctl(buffer->dmabuf, DMA_BUF_IOCTL_SYNC,
					 &sync), 0);
		return;
	}
	if (percent(world, 50))
		fds.fd = phyr_dmabuf_sync_file(buffer->dmabuf, write);
	if (fds.fd != buffer->dmabuf)
		fds.events = POLLIN;
	MUST(world, fds.fd >= 0);
	EXPECT(world, poll_again(&fds, PHYR_WAIT_SECONDS), 1);
	if (fds.fd == buffer->dmabuf)
		return;
	EXPECT(world, phyr_sync_file_status(fds.fd), 1);
	EXPECT(world, close(fds.fd), 0);
}

void wait_for_jobs(struct world *world, struct buffer *buffer, bool write)
{
	uint32_t busy = buffer->writers | (write ? buffer->readers : 0);

	if (!busy)
		return;
	if (buffer->dmabuf >= 0 && percent(world, 60)) {
		wait_for_dmabuf(world, buffer, write);
		buffer->writers = 0;
		if (write)
			buffer->readers = 0;
		return;
	}
	for (unsigned int i = 0; i < MAX_FILES; i++)
		if (busy & 1u << i)
			wait_for_file(world, &world->files[i]);
}

static struct mapping *mapping_of(struct world *world, struct buffer *buffer,
				  uint64_t offset, uint64_t len)
{
	for (unsigned int i = 0; i < MAX_MAPPINGS; i++) {
		struct mapping *mapping = &world->mappings[i];

		if (mapping->buffer == buffer && mapping->offset <= offset &&
		    offset + len <= mapping->offset + mapping->len)
			return mapping;
	}
	return NULL;
}

/* Bytes that differ: their number, how many of them are zero, first and last. */
struct difference {
	uint64_t nr;
	uint64_t zero;
	uint64_t first;
	uint64_t last;
};

static struct difference difference(const uint8_t *mem, const uint8_t *bytes,
				    uint64_t len)
{
	struct difference it = { 0 };

	for (uint64_t i = 0; i < len; i++) {
		if (mem[i] == bytes[i])
			continue;
		if (!it.nr++)
			it.first = i;
		it.zero += !mem[i];
		it.last = i;
	}
	return it;
}

/* How many bytes differ in a mapping that is new; -1 if there is none. */
static int64_t difference_elsewhere(struct world *world, struct buffer *buffer,
				    uint64_t offset, uint64_t len)
{
	uint64_t first = offset & ~(SZ_4K - 1);
	uint64_t mapped = offset - first + len;
	uint8_t *mem;

	if (need_dmabuf(world, buffer) < 0)
		return -1;
	mem = phyr_mmap(buffer->dmabuf, mapped, PROT_READ, first);
	if (mem == MAP_FAILED)
		return -1;
	return difference(mem + (offset - first), buffer->bytes + offset,
			  len).nr;
}

/* What is known about a buffer with wrong bytes, and of the engines' jobs. */
static void print_state(struct world *world, struct buffer *buffer)
{
	char path[128], command[160];

	igt_info("buffer %d: %" PRIu64 " bytes, placement %u, at %s%s\n",
		 NR(world, buffer), buffer->size, buffer->placement,
		 buffer->home ? buffer->home->device.busid : "nobody's",
		 buffer->pinned ? ", may be pinned" : "");
	for (unsigned int i = 0; i < MAX_NODES; i++) {
		if (!world->nodes[i].engine)
			continue;
		phyr_device_debugfs(&world->nodes[i].device, "jobs", path,
				    sizeof(path));
		snprintf(command, sizeof(command), "cat %s", path);
		igt_info("%s\n", command);
		fflush(stdout);
		if (system(command))
			igt_info("no list of jobs\n");
	}
}

void compare(struct world *world, struct buffer *buffer, const uint8_t *mem,
	     uint64_t offset, uint64_t len)
{
	const uint8_t *bytes = buffer->bytes + offset;
	struct difference now, later;
	char text[256];

	if (!memcmp(mem, bytes, len))
		return;
	now = difference(mem, bytes, len);
	sleep(1);
	later = difference(mem, bytes, len);
	print_state(world, buffer);
	snprintf(text, sizeof(text), "byte %#" PRIx64 " of buffer %d (%#" PRIx64
		 " of %#" PRIx64 " compared) is %#x, not %#x; %" PRIu64
		 " differ, %" PRIu64 " of them 0, the last %#" PRIx64
		 "; %" PRIu64 " after 1 s, %" PRId64 " in a new mapping",
		 offset + now.first, NR(world, buffer), now.first, len,
		 mem[now.first], bytes[now.first], now.nr, now.zero,
		 offset + now.last, later.nr,
		 difference_elsewhere(world, buffer, offset, len));
	broken(world, text);
}

/* Read or write the bytes; NOT_NOW if they cannot be mapped. */
static int access_bytes(struct world *world, struct buffer *buffer,
			uint64_t offset, uint64_t len, bool write)
{
	struct mapping *mapping = mapping_of(world, buffer, offset, len);
	uint8_t *expected = buffer->bytes + offset;
	uint64_t first = offset & ~(SZ_4K - 1), mapped = 0;
	uint8_t *mem, *at;

	/* Mapping for one access is slow, so do it rarely. */
	if (mapping && percent(world, 95)) {
		mem = mapping->mem;
		first = mapping->offset;
	} else {
		if (percent(world, 75))
			return NOT_NOW;
		if (percent(world, 50))
			first = 0;
		mapped = (offset + len - first + SZ_4K - 1) & ~(SZ_4K - 1);
		mem = map_buffer(world, buffer, first, mapped);
	}
	if (!mem)
		return NOT_NOW;
	wait_for_jobs(world, buffer, write);
	at = mem + (offset - first);
	NOTE("%s %#" PRIx64 "+%#" PRIx64 " of %d", write ? "writes" : "reads",
	     offset, len, NR(world, buffer));
	if (write)
		memcpy(at, expected, len);
	else
		compare(world, buffer, at, offset, len);
	if (mapped)
		EXPECT(world, munmap(mem, mapped), 0);
	return 0;
}

int check_bytes(struct world *world, struct buffer *buffer, uint64_t offset,
		uint64_t len)
{
	return access_bytes(world, buffer, offset, len, false);
}

int write_bytes(struct world *world, struct buffer *buffer, uint64_t offset,
		uint64_t len)
{
	uint64_t seed = random_u64(world);
	uint8_t *old = malloc(len);
	int ret;

	MUST(world, old);
	memcpy(old, buffer->bytes + offset, len);
	phyr_fill(buffer->bytes + offset, seed, offset, len);
	ret = access_bytes(world, buffer, offset, len, true);
	if (ret)
		memcpy(buffer->bytes + offset, old, len);
	free(old);
	return ret;
}

/* Set-up and teardown */

static void add_node(struct world *world, unsigned int number,
		     struct phyr_device device, bool engine)
{
	struct node *node = &world->nodes[number];

	*node = (struct node){ .device = device, .engine = engine };
	if (engine)
		return;
	node->shows = device.vendor == 0x1234 && !world->client;
	node->free = vram_free(&device);
}

/* Open all nodes once and some twice; a display has only one master. */
void world_open(struct world *world)
{
	unsigned int cards = 3;

	for (unsigned int i = 0; i < cards; i++)
		add_node(world, i, vram_device(i), false);
	for (unsigned int i = cards; i < MAX_NODES; i++)
		add_node(world, i, copy_device(i - cards), true);
	for (unsigned int i = 0; i < MAX_FILES; i++)
		world->files[i].fd = -1;
	world->rival = -1;
	world->test = open("/dev/phyr_test", O_RDWR | O_CLOEXEC);
	MUST(world, world->test >= 0);
	for (unsigned int i = 0; i < MAX_FILES; i++) {
		struct node *node = &world->nodes[i % MAX_NODES];

		if (i >= MAX_NODES && node->shows)
			node = &world->nodes[0];
		open_file(world, i, node);
	}
}

static void let_go(struct world *world)
{
	for (unsigned int i = 0; i < MAX_HOLDS; i++) {
		struct buffer *buffer = world->holds[i].buffer;

		world->holds[i].buffer = NULL;
		if (buffer)
			put_buffer(world, buffer);
	}
	for (unsigned int i = 0; i < MAX_MAPPINGS; i++)
		if (world->mappings[i].buffer)
			drop_mapping(world, &world->mappings[i]);
	for (unsigned int i = 0; i < MAX_BUFFERS; i++) {
		struct buffer *buffer = &world->buffers[i];

		if (!buffer->size || buffer->dmabuf < 0)
			continue;
		EXPECT(world, close(buffer->dmabuf), 0);
		buffer->dmabuf = -1;
		put_buffer(world, buffer);
	}
}

void world_close(struct world *world)
{
	world->op_name = "the end";
	if (world->rival >= 0)
		EXPECT(world, close(world->rival), 0);
	EXPECT(world, close(world->test), 0);
	for (unsigned int i = 0; i < MAX_FILES; i++)
		close_file(world, &world->files[i]);
	let_go(world);
	for (unsigned int i = 0; i < MAX_BUFFERS; i++)
		MUST(world, !world->buffers[i].size);
	if (world->clients > 1)
		return;
	for (unsigned int i = 0; i < MAX_NODES; i++)
		if (!world->nodes[i].engine)
			wait_for_vram_free(&world->nodes[i].device,
					   world->nodes[i].free);
	wait_for_no_attachment(NULL, NULL);
}

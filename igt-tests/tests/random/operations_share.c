// SPDX-License-Identifier: MIT
/* Export and import buffers, with DRM drivers and the test module. */
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <string.h>
#include <sys/ioctl.h>

#include "world.h"

static struct buffer *with_dmabuf(struct world *world)
{
	struct buffer *buffer = any_buffer(world);

	return buffer && need_dmabuf(world, buffer) >= 0 ? buffer : NULL;
}

static int export(struct world *world)
{
	struct file *file;
	struct buffer *buffer = buffer_of_kind(world, percent(world, 50),
					       &file);
	int dmabuf;

	if (!buffer)
		return NOT_NOW;
	dmabuf = phyr_export(file->fd,
			     buffer->handle[file_number(world, file)]);
	MUST(world, dmabuf >= 0);
	MUST(world, lseek(dmabuf, 0, SEEK_END) == (off_t)buffer->size);
	if (buffer->dmabuf >= 0)
		EXPECT(world, close(buffer->dmabuf), 0);
	buffer->dmabuf = dmabuf;
	return 0;
}

static int close_dmabuf(struct world *world)
{
	struct buffer *buffer = any_buffer(world);

	if (!buffer || buffer->dmabuf < 0)
		return NOT_NOW;
	EXPECT(world, close(buffer->dmabuf), 0);
	buffer->dmabuf = -1;
	put_buffer(world, buffer);
	return 0;
}

/* Other cards pin it in system memory. */
static int expect_import(struct world *world, struct buffer *buffer,
			 const struct node *node, int err)
{
	if (node->engine || node == buffer->home || !buffer->home ||
	    buffer->home->engine)
		return EXPECT(world, err, 0);
	if (is_fixed(buffer))
		return EXPECT(world, err, -EBUSY);
	if (may_be_pinned(world, buffer))
		return EXPECT(world, err, 0, -EBUSY);
	return EXPECT(world, err, 0);
}

static int import(struct world *world)
{
	struct file *file = any_file(world, percent(world, 70));
	struct buffer *buffer = with_dmabuf(world);
	uint32_t handle = 0, had;
	int err;

	if (!buffer)
		return NOT_NOW;
	had = buffer->handle[file_number(world, file)];
	err = phyr_import(file->fd, buffer->dmabuf, &handle);
	if (had) {
		EXPECT(world, err, 0);
		MUST(world, handle == had);
		return 0;
	}
	if (!expect_import(world, buffer, file->node, err))
		set_handle(world, buffer, file, handle);
	return err;
}

/*
 * dma-buf ioctls
 */

static int sync_cpu(struct world *world)
{
	static const uint64_t kinds[] = {
		DMA_BUF_SYNC_READ, DMA_BUF_SYNC_WRITE, DMA_BUF_SYNC_RW,
	};
	struct buffer *buffer = with_dmabuf(world);
	struct dma_buf_sync sync;

	if (!buffer)
		return NOT_NOW;
	sync.flags = DMA_BUF_SYNC_START |
		     sync_kind(buffer, kinds[below(world, 3)]);
	EXPECT(world, phyr_ioctl(buffer->dmabuf, DMA_BUF_IOCTL_SYNC, &sync), 0);
	sync.flags ^= DMA_BUF_SYNC_START ^ DMA_BUF_SYNC_END;
	EXPECT(world, phyr_ioctl(buffer->dmabuf, DMA_BUF_IOCTL_SYNC, &sync), 0);
	return 0;
}

/* Make jobs on one buffer wait for the fences of another. */
static int hand_fences_on(struct world *world)
{
	struct dma_buf_export_sync_file from = {
		.flags = 1 + below(world, DMA_BUF_SYNC_RW),
	};
	struct dma_buf_import_sync_file to = {
		.flags = 1 + below(world, DMA_BUF_SYNC_RW),
	};
	struct buffer *source = with_dmabuf(world);
	struct buffer *buffer = with_dmabuf(world);

	if (!source || !buffer)
		return NOT_NOW;
	EXPECT(world, phyr_ioctl(source->dmabuf,
				 DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &from), 0);
	to.fd = from.fd;
	EXPECT(world, phyr_ioctl(buffer->dmabuf,
				 DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &to), 0);
	EXPECT(world, close(from.fd), 0);
	return 0;
}

static int set_name(struct world *world)
{
	struct buffer *buffer = with_dmabuf(world);

	if (!buffer)
		return NOT_NOW;
	return EXPECT(world, phyr_ioctl(buffer->dmabuf, DMA_BUF_SET_NAME_B,
					"random"), 0);
}

/*
 * /dev/phyr_test
 */

static int import_for_test(struct world *world)
{
	struct buffer *buffer = with_dmabuf(world);
	struct phyr_test_range ranges[8];
	struct phyr_test_import import = {
		.api = below(world, 2),
		.iterations = 1 + below(world, 3),
		.max_ranges = ARRAY_SIZE(ranges),
		.ranges = (uintptr_t)ranges,
	};

	if (!buffer)
		return NOT_NOW;
	import.fd = buffer->dmabuf;
	if (import.api == PHYR_TEST_API_PHYR) {
		import.offset = below(world, buffer->size);
		import.len = 1 + below(world, buffer->size - import.offset);
		import.boundary = percent(world, 30) ?
				  SZ_4K << below(world, 6) : 0;
		import.max_len = percent(world, 30) ?
				 1 + below(world, SZ_64K) : 0;
	}
	EXPECT(world, phyr_ioctl(world->test, PHYR_TEST_IOC_IMPORT, &import), 0);
	MUST(world, import.total == (import.api == PHYR_TEST_API_PHYR ?
				     import.len : buffer->size));
	MUST(world, import.nr_ranges);
	for (uint64_t i = 0; i < import.nr_ranges && i < ARRAY_SIZE(ranges);
	     i++)
		MUST(world, !import.max_len || ranges[i].len <= import.max_len);
	return 0;
}

/* Importers without peer-to-peer or invalidation need system memory. */
static bool wants_system(uint32_t kind)
{
	return kind == PHYR_TEST_STATIC || kind == PHYR_TEST_DYNAMIC ||
	       kind == PHYR_TEST_PEER;
}

static int hold(struct world *world)
{
	struct hold *hold = &world->holds[below(world, MAX_HOLDS)];
	uint32_t kind = below(world, PHYR_TEST_REVOCABLE + 1);
	uint32_t policy = below(world, PHYR_TEST_UNMAP_LATE + 1);
	struct buffer *buffer = with_dmabuf(world);
	int err;

	if (!buffer || hold->buffer)
		return NOT_NOW;
	err = try_hold(world->test, buffer->dmabuf, kind, policy, &hold->id);
	if (!buffer->home || buffer->home->engine || !wants_system(kind))
		EXPECT(world, err, 0);
	else if (is_fixed(buffer))
		EXPECT(world, err, -EBUSY);
	else if (may_be_pinned(world, buffer))
		EXPECT(world, err, 0, -EBUSY);
	else
		EXPECT(world, err, 0);
	if (err)
		return err;
	hold->buffer = buffer;
	hold->kind = kind;
	hold->pinned = false;
	return 0;
}

static struct hold *any_hold(struct world *world)
{
	struct hold *hold = &world->holds[below(world, MAX_HOLDS)];

	return hold->buffer ? hold : NULL;
}

static int map_held(struct world *world)
{
	struct hold *hold = any_hold(world);
	struct phyr_test_held held = { 0 };

	if (!hold)
		return NOT_NOW;
	held.id = hold->id;
	EXPECT(world, phyr_ioctl(world->test, percent(world, 60) ?
				 PHYR_TEST_IOC_MAP : PHYR_TEST_IOC_UNMAP,
				 &held), 0);
	MUST(world, !held.mapped == !held.ranges);
	return 0;
}

static int pin_held(struct world *world)
{
	struct hold *hold = any_hold(world);
	struct phyr_test_held held = { .pinned = percent(world, 50) };

	if (!hold || (hold->kind != PHYR_TEST_NATIVE &&
		      hold->kind != PHYR_TEST_DYNAMIC &&
		      hold->kind != PHYR_TEST_REVOCABLE))
		return NOT_NOW;
	held.id = hold->id;
	EXPECT(world, phyr_ioctl(world->test, PHYR_TEST_IOC_PIN, &held), 0);
	hold->pinned = held.pinned;
	return 0;
}

static int release(struct world *world)
{
	struct hold *hold = any_hold(world);
	struct phyr_test_held held = { 0 };
	struct buffer *buffer;

	if (!hold)
		return NOT_NOW;
	held.id = hold->id;
	EXPECT(world, phyr_ioctl(world->test, PHYR_TEST_IOC_RELEASE, &held), 0);
	buffer = hold->buffer;
	hold->buffer = NULL;
	put_buffer(world, buffer);
	return 0;
}

/* A kernel vmap writes all of it, through the driver or the dma-buf. */
static int vmap(struct world *world)
{
	struct buffer *buffer = with_dmabuf(world);
	struct phyr_test_vmap vmap = { .fill = random_u64(world) };
	bool drivers = percent(world, 50);
	int err;

	if (!buffer || buffer->size > SZ_64K / 4 || may_be_pinned(world, buffer))
		return NOT_NOW;
	if (drivers && (!buffer->home || buffer->home->engine))
		return NOT_NOW;
	wait_for_jobs(world, buffer, true);
	vmap.fd = buffer->dmabuf;
	err = phyr_ioctl(world->test, drivers ? PHYR_TEST_IOC_VMAP :
			 PHYR_TEST_IOC_DMABUF_VMAP, &vmap);
	if (drivers)
		EXPECT(world, err, 0, -EOPNOTSUPP);
	else
		EXPECT(world, err, is_fixed(buffer) ? -EINVAL : 0);
	if (err)
		return err;
	MUST(world, !memcmp(&vmap.was, buffer->bytes, sizeof(vmap.was)));
	for (uint64_t i = 0; i < buffer->size; i += sizeof(vmap.fill))
		memcpy(buffer->bytes + i, &vmap.fill, sizeof(vmap.fill));
	return 0;
}

const struct operation share_operations[] = {
	{ "export", 40, export },
	{ "import", 90, import },
	{ "close dma-buf", 40, close_dmabuf },
	{ "dma-buf sync", 12, sync_cpu },
	{ "dma-buf sync_file", 12, hand_fences_on },
	{ "dma-buf name", 3, set_name },
	{ "map for edu", 20, import_for_test },
	{ "attach edu", 14, hold },
	{ "map or unmap for edu", 25, map_held },
	{ "pin or unpin for edu", 8, pin_held },
	{ "detach edu", 14, release },
	{ "vmap", 6, vmap },
	{ }
};

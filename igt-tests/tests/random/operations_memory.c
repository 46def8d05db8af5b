// SPDX-License-Identifier: MIT
/* Create, move, map, write, read and close buffers. */
#include "world.h"

/* Mostly small, since clearing, copying and comparing is slow. */
static uint64_t any_size(struct world *world)
{
	uint64_t pages = 1 + below(world, percent(world, 90) ? 8 :
				   MAX_SIZE / SZ_4K);

	return pages * SZ_4K;
}

static int create_in_card(struct world *world)
{
	static const uint32_t placements[] = {
		IN_VRAM, IN_SYSTEM, EVICTABLE, EVICTABLE, EVICTABLE,
	};
	struct file *file = any_file(world, false);
	struct drm_phyr_vram_gem_create create = {
		.size = any_size(world) - below(world, SZ_4K),
		.placement = placements[below(world, ARRAY_SIZE(placements))],
		.max_extent = percent(world, 50) ?
			      SZ_4K << below(world, 8) : 0,
	};
	uint64_t size = (create.size + SZ_4K - 1) & ~(SZ_4K - 1);
	struct buffer *buffer;
	int err;

	if (!room_for_buffer(world))
		return NOT_NOW;
	err = phyr_ioctl(file->fd, DRM_IOCTL_PHYR_VRAM_GEM_CREATE, &create);
	/* The card may be full of buffers that cannot be evicted. */
	if (create.placement == IN_VRAM)
		EXPECT(world, err, 0, -ENOSPC);
	else
		EXPECT(world, err, 0);
	if (err)
		return err;
	MUST(world, create.size == size);
	buffer = add_buffer(world, file->node, size, create.placement);
	set_handle(world, buffer, file, create.handle);
	return 0;
}

static int create_in_engine(struct world *world)
{
	struct file *file = any_file(world, true);
	struct drm_phyr_copy_gem_create create = {
		.size = any_size(world) - below(world, SZ_4K),
	};
	uint64_t size = (create.size + SZ_4K - 1) & ~(SZ_4K - 1);
	struct buffer *buffer;

	if (!room_for_buffer(world))
		return NOT_NOW;
	EXPECT(world, phyr_ioctl(file->fd, DRM_IOCTL_PHYR_COPY_GEM_CREATE,
				 &create), 0);
	MUST(world, create.size == size);
	buffer = add_buffer(world, file->node, size, IN_SYSTEM);
	set_handle(world, buffer, file, create.handle);
	return 0;
}

static int create_of_memfd(struct world *world)
{
	uint64_t size = any_size(world);
	struct buffer *buffer;

	if (!room_for_buffer(world))
		return NOT_NOW;
	buffer = add_buffer(world, NULL, size, IN_SYSTEM);
	buffer->dmabuf = create_udmabuf(size);
	return 0;
}

/* This may be the last chance to check it. */
static int close_handle(struct world *world)
{
	struct file *file;
	struct buffer *buffer = buffer_of_kind(world, percent(world, 50),
					       &file);

	if (!buffer)
		return NOT_NOW;
	if (percent(world, 8))
		check_bytes(world, buffer, 0, buffer->size);
	drop_handle(world, buffer, file);
	return 0;
}

static void check_id(struct world *world, struct buffer *buffer, uint64_t id)
{
	MUST(world, id);
	MUST(world, !buffer->id || buffer->id == id);
	buffer->id = id;
}

static int card_info(struct world *world)
{
	struct file *file;
	struct buffer *buffer = buffer_of_kind(world, false, &file);
	struct drm_phyr_vram_gem_info info;
	int err;

	if (!buffer)
		return NOT_NOW;
	err = phyr_vram_gem_info(file->fd,
				 buffer->handle[file_number(world, file)],
				 &info);
	if (buffer->home != file->node)
		return EXPECT(world, err, -EOPNOTSUPP);
	EXPECT(world, err, 0);
	MUST(world, info.size == buffer->size);
	MUST(world, info.placement == IN_VRAM || info.placement == IN_SYSTEM);
	MUST(world, info.placement & buffer->placement);
	MUST(world, !info.extents == (info.placement == IN_SYSTEM));
	MUST(world, info.extents <= buffer->size / SZ_4K);
	check_id(world, buffer, info.id);
	return 0;
}

static int engine_info(struct world *world)
{
	struct file *file;
	struct buffer *buffer = buffer_of_kind(world, true, &file);
	struct drm_phyr_copy_gem_info info;
	bool imported;

	if (!buffer)
		return NOT_NOW;
	EXPECT(world, phyr_copy_gem_info(file->fd,
					 buffer->handle[file_number(world, file)],
					 &info), 0);
	imported = buffer->home != file->node;
	MUST(world, info.size == buffer->size);
	MUST(world, info.flags ==
	     (imported ? DRM_PHYR_COPY_GEM_IMPORTED : 0));
	if (!imported)
		check_id(world, buffer, info.id);
	return 0;
}

static int node_info(struct world *world)
{
	struct file *file = any_file(world, false);
	struct drm_phyr_vram_info info;

	EXPECT(world, phyr_vram_info(file->fd, &info), 0);
	MUST(world, info.page_size == SZ_4K);
	MUST(world, info.vram_size >= file->node->free);
	return 0;
}

static int move(struct world *world)
{
	struct file *file;
	struct buffer *buffer = buffer_of_kind(world, false, &file);
	uint32_t to = percent(world, 50) ? IN_VRAM : IN_SYSTEM, handle;
	int err;

	if (!buffer || buffer->home != file->node || !(buffer->placement & to))
		return NOT_NOW;
	handle = buffer->handle[file_number(world, file)];
	err = try_move_buffer(file->fd, handle, to);
	if (may_be_pinned(world, buffer))
		EXPECT(world, err, 0, -EBUSY, -ENOSPC);
	else if (to == IN_VRAM)
		EXPECT(world, err, 0, -ENOSPC);
	else
		EXPECT(world, err, 0);
	/* Other clients may cause its eviction at once. */
	if (!err && world->clients == 1)
		MUST(world, vram_info(file->fd, handle).placement == to);
	return err;
}

static int map(struct world *world)
{
	struct mapping *mapping = &world->mappings[below(world, MAX_MAPPINGS)];
	struct buffer *buffer = any_buffer(world);
	uint64_t pages;

	if (!buffer || mapping->buffer)
		return NOT_NOW;
	pages = buffer->size / SZ_4K;
	mapping->offset = percent(world, 60) ? 0 : below(world, pages) * SZ_4K;
	mapping->len = buffer->size - mapping->offset;
	if (percent(world, 30))
		mapping->len = (1 + below(world, mapping->len / SZ_4K)) * SZ_4K;
	mapping->mem = map_buffer(world, buffer, mapping->offset,
				  mapping->len);
	if (!mapping->mem)
		return NOT_NOW;
	mapping->buffer = buffer;
	return 0;
}

static int unmap_any(struct world *world)
{
	struct mapping *mapping = &world->mappings[below(world, MAX_MAPPINGS)];

	if (!mapping->buffer)
		return NOT_NOW;
	drop_mapping(world, mapping);
	return 0;
}

/* The first part or the last. */
static int unmap_part(struct world *world)
{
	struct mapping *mapping = &world->mappings[below(world, MAX_MAPPINGS)];
	uint64_t pages = mapping->buffer ? mapping->len / SZ_4K : 0, len;

	if (pages < 2)
		return NOT_NOW;
	len = (1 + below(world, pages - 1)) * SZ_4K;
	mapping->len -= len;
	if (percent(world, 50))
		return EXPECT(world, munmap(mapping->mem + mapping->len, len),
			      0);
	EXPECT(world, munmap(mapping->mem, len), 0);
	mapping->mem += len;
	mapping->offset += len;
	return 0;
}

/* At any offset, mostly few bytes. */
static void any_part(struct world *world, const struct buffer *buffer,
		     uint64_t *offset, uint64_t *len)
{
	uint64_t most;

	*offset = below(world, buffer->size);
	most = buffer->size - *offset;
	if (percent(world, 90) && most > 2048)
		most = 2048;
	*len = 1 + below(world, most);
}

static int write_some(struct world *world)
{
	struct buffer *buffer = any_buffer(world);
	uint64_t offset, len;

	if (!buffer)
		return NOT_NOW;
	any_part(world, buffer, &offset, &len);
	return write_bytes(world, buffer, offset, len);
}

static int read_some(struct world *world)
{
	struct buffer *buffer = any_buffer(world);
	uint64_t offset, len;

	if (!buffer)
		return NOT_NOW;
	any_part(world, buffer, &offset, &len);
	return check_bytes(world, buffer, offset, len);
}

static int read_all(struct world *world)
{
	struct buffer *buffer = any_buffer(world);

	return buffer ? check_bytes(world, buffer, 0, buffer->size) : NOT_NOW;
}

/* Reopen a node; its buffers live while something refers to them. */
static int reopen(struct world *world)
{
	struct file *file = any_file(world, percent(world, 50));
	struct node *node = file->node;

	/* Restoring the console is the slowest operation. */
	if (node->shows && !percent(world, 20))
		return NOT_NOW;
	close_file(world, file);
	open_file(world, file_number(world, file), node);
	return 0;
}

const struct operation memory_operations[] = {
	{ "create in card", 60, create_in_card },
	{ "create in engine", 30, create_in_engine },
	{ "create of memfd", 5, create_of_memfd },
	{ "close handle", 100, close_handle },
	{ "info of card's buffer", 30, card_info },
	{ "info of engine's buffer", 30, engine_info },
	{ "info of card", 5, node_info },
	{ "move", 60, move },
	{ "mmap", 60, map },
	{ "munmap", 40, unmap_any },
	{ "munmap part", 12, unmap_part },
	{ "write", 220, write_some },
	{ "read", 220, read_some },
	{ "read all", 15, read_all },
	{ "close and open node", 4, reopen },
	{ }
};

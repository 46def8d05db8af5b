// SPDX-License-Identifier: MIT
/*
 * Compose buffers of the cards, copy to or from the whole, and close it. Its
 * bytes are those of its parts, so the whole itself is no buffer of the world.
 */
#include <inttypes.h>
#include <string.h>

#include "world.h"

#define MAX_PARTS	12

/**
 * struct whole - a composed buffer
 * @handle: its handle
 * @size: bytes
 * @parts: as the engine gets them
 * @of: the buffer of each
 * @nr: number of @parts
 */
struct whole {
	uint32_t handle;
	uint64_t size;
	struct drm_phyr_copy_part parts[MAX_PARTS];
	struct buffer *of[MAX_PARTS];
	unsigned int nr;
};

/* One that the file has, of a card, other than @not; or NULL. */
static struct buffer *part_buffer(struct world *world, const struct file *file,
				  const struct buffer *not)
{
	for (int tries = 0; tries < 8; tries++) {
		struct buffer *buffer = buffer_of(world, file);

		if (buffer && buffer != not && buffer->home &&
		    !buffer->home->engine && buffer->size >= SZ_4K)
			return buffer;
	}
	return NULL;
}

static void add_part(struct world *world, const struct file *file,
		     struct whole *whole, struct buffer *buffer)
{
	uint64_t pages = buffer->size / SZ_4K, first = below(world, pages);
	uint64_t most = pages - first;
	struct drm_phyr_copy_part *part = &whole->parts[whole->nr];

	*part = (struct drm_phyr_copy_part){
		.handle = buffer->handle[file_number(world, file)],
		.offset = first * SZ_4K,
		.len = (1 + below(world, most < 4 ? most : 4)) * SZ_4K,
	};
	whole->of[whole->nr++] = buffer;
}

/* Parts of few buffers; both ends of the whole may be inside a page. */
static bool choose_parts(struct world *world, const struct file *file,
			 const struct buffer *not, struct whole *whole)
{
	unsigned int nr = 1 + below(world, MAX_PARTS), skip, cut;
	struct buffer *few[3];

	for (unsigned int i = 0; i < 3; i++) {
		few[i] = part_buffer(world, file, not);
		if (!few[i])
			return false;
	}
	while (whole->nr < nr)
		add_part(world, file, whole, few[below(world, 3)]);
	if (percent(world, 50)) {
		skip = below(world, SZ_4K / 2);
		whole->parts[0].offset += skip;
		whole->parts[0].len -= skip;
		cut = below(world, SZ_4K / 2);
		whole->parts[nr - 1].len -= cut;
	}
	for (unsigned int i = 0; i < nr; i++)
		whole->size += whole->parts[i].len;
	return true;
}

/* Two parts have bytes in common. */
static bool repeats_bytes(const struct whole *whole)
{
	for (unsigned int i = 0; i < whole->nr; i++)
		for (unsigned int k = 0; k < i; k++)
			if (whole->of[i] == whole->of[k] &&
			    whole->parts[i].offset < whole->parts[k].offset +
						     whole->parts[k].len &&
			    whole->parts[k].offset < whole->parts[i].offset +
						     whole->parts[i].len)
				return true;
	return false;
}

/* What a copy of @len bytes does, at @offset of the whole and at @at. */
static void apply(const struct whole *whole, uint64_t offset, uint8_t *at,
		  uint64_t len, bool to_whole)
{
	for (unsigned int i = 0; i < whole->nr && len; i++) {
		const struct drm_phyr_copy_part *part = &whole->parts[i];
		uint8_t *bytes = whole->of[i]->bytes + part->offset + offset;
		uint64_t piece;

		if (offset >= part->len) {
			offset -= part->len;
			continue;
		}
		piece = part->len - offset < len ? part->len - offset : len;
		if (to_whole)
			memcpy(bytes, at, piece);
		else
			memcpy(at, bytes, piece);
		at += piece;
		len -= piece;
		offset = 0;
	}
}

/* A fence is added to all parts, whatever the copy touches. */
static void note_users(struct world *world, const struct file *file,
		       const struct whole *whole, struct buffer *buffer,
		       bool to_whole)
{
	uint32_t bit = 1u << file_number(world, file);

	for (unsigned int i = 0; i < whole->nr; i++) {
		whole->of[i]->writers |= to_whole ? bit : 0;
		whole->of[i]->readers |= to_whole ? 0 : bit;
	}
	buffer->writers |= to_whole ? 0 : bit;
	buffer->readers |= to_whole ? bit : 0;
}

static void copy_whole(struct world *world, struct file *file,
		       const struct whole *whole, struct buffer *buffer)
{
	uint64_t most = whole->size < buffer->size ? whole->size : buffer->size;
	uint32_t handle = buffer->handle[file_number(world, file)];
	bool to_whole = !repeats_bytes(whole) && percent(world, 50);
	uint64_t len = 1 + below(world, most);
	uint64_t in_whole = below(world, whole->size - len + 1);
	uint64_t in_buffer = below(world, buffer->size - len + 1);
	struct drm_phyr_copy_submit job = {
		.src_handle = to_whole ? handle : whole->handle,
		.dst_handle = to_whole ? whole->handle : handle,
		.src_offset = to_whole ? in_buffer : in_whole,
		.dst_offset = to_whole ? in_whole : in_buffer,
		.len = len,
		.out_syncobj = percent(world, 70) ? file->syncobj : 0,
	};

	EXPECT(world, phyr_copy_submit(file->fd, &job), 0);
	file->unmarked = !job.out_syncobj;
	NOTE("copies %#llx, %#" PRIx64 " of a whole %s %#" PRIx64 " of %d",
	     job.len, in_whole, to_whole ? "from" : "to", in_buffer,
	     NR(world, buffer));
	apply(whole, in_whole, buffer->bytes + in_buffer, len, to_whole);
	note_users(world, file, whole, buffer, to_whole);
}

static void export_whole(struct world *world, const struct file *file,
			 const struct whole *whole)
{
	const struct drm_phyr_copy_part *last = &whole->parts[whole->nr - 1];
	bool odd = whole->parts[0].offset % SZ_4K || last->len % SZ_4K;
	int dmabuf = phyr_export(file->fd, whole->handle);

	if (odd) {
		EXPECT(world, dmabuf, -EOPNOTSUPP);
		return;
	}
	MUST(world, dmabuf >= 0);
	MUST(world, lseek(dmabuf, 0, SEEK_END) == (off_t)whole->size);
	EXPECT(world, close(dmabuf), 0);
}

static int compose_and_copy(struct world *world)
{
	struct file *file = any_file(world, true);
	struct buffer *buffer = buffer_of(world, file);
	struct whole whole = { 0 };

	if (!buffer || !choose_parts(world, file, buffer, &whole))
		return NOT_NOW;
	for (unsigned int i = 0; i < whole.nr; i++)
		NOTE("part %u: %#llx+%#llx of %d", i, whole.parts[i].offset,
		     whole.parts[i].len, NR(world, whole.of[i]));
	EXPECT(world, phyr_copy_compose(file->fd, whole.parts, whole.nr,
					&whole.handle), 0);
	for (unsigned int i = below(world, 4); i > 0; i--)
		copy_whole(world, file, &whole, buffer);
	if (percent(world, 20))
		export_whole(world, file, &whole);
	EXPECT(world, phyr_close_handle(file->fd, whole.handle), 0);
	return 0;
}

const struct operation compose_operations[] = {
	{ "compose and copy", 40, compose_and_copy },
	{ }
};

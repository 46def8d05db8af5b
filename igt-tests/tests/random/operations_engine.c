// SPDX-License-Identifier: MIT
/* Submit copies, and wait for them. */
#include <string.h>
#include <xf86drm.h>

#include "world.h"

/* An offset at which @len bytes fit into @size. */
static uint64_t any_place(struct world *world, uint64_t size, uint64_t len)
{
	return below(world, size - len + 1);
}

static uint64_t any_len(struct world *world, const struct buffer *src,
			const struct buffer *dst)
{
	uint64_t most = src->size < dst->size ? src->size : dst->size;

	if (src == dst)
		most /= 2;
	if (percent(world, 80) && most > SZ_4K * 4)
		most = SZ_4K * 4;
	return 1 + below(world, most);
}

/* The latest job of a random engine file; 0 if there is none. */
static uint32_t import_syncobj(struct world *world, const struct file *file)
{
	struct file *other = any_file(world, true);
	uint32_t syncobj = 0;
	int fd;

	EXPECT(world, drmSyncobjHandleToFD(other->fd, other->syncobj, &fd), 0);
	EXPECT(world, drmSyncobjFDToHandle(file->fd, fd, &syncobj), 0);
	EXPECT(world, close(fd), 0);
	return syncobj;
}

static bool has_fence(const struct file *file, uint32_t syncobj)
{
	return phyr_syncobj_status(file->fd, syncobj) != -EINVAL;
}

static void note_job(struct world *world, const struct file *file,
		     struct buffer *src, struct buffer *dst,
		     const struct drm_phyr_copy_submit *job)
{
	NOTE("copies %#llx+%#llx of %d to %#llx of %d", job->src_offset,
	     job->len, NR(world, src), job->dst_offset, NR(world, dst));
	memmove(dst->bytes + job->dst_offset, src->bytes + job->src_offset,
		job->len);
	src->readers |= 1u << file_number(world, file);
	dst->writers |= 1u << file_number(world, file);
}

static int submit(struct world *world)
{
	struct file *file = any_file(world, true);
	unsigned int number = file_number(world, file);
	struct buffer *src = buffer_of(world, file);
	struct buffer *dst = buffer_of(world, file);
	struct drm_phyr_copy_submit job = { 0 };
	bool overlaps;
	int err;

	/* Avoid most copies within a buffer: half of all offsets overlap. */
	if (!src || (src == dst && percent(world, 70)))
		return NOT_NOW;
	job.src_handle = src->handle[number];
	job.dst_handle = dst->handle[number];
	job.len = any_len(world, src, dst);
	job.src_offset = any_place(world, src->size, job.len);
	job.dst_offset = any_place(world, dst->size, job.len);
	overlaps = src == dst && job.src_offset < job.dst_offset + job.len &&
		   job.dst_offset < job.src_offset + job.len;
	/* The latest marked job has not failed, if there is one. */
	EXPECT(world, phyr_syncobj_status(file->fd, file->syncobj), 0, 1,
	       -EINVAL);
	if (percent(world, 70))
		job.out_syncobj = file->syncobj;
	if (percent(world, 20))
		job.in_syncobj = import_syncobj(world, file);
	err = phyr_copy_submit(file->fd, &job);
	if (overlaps || (job.in_syncobj && !has_fence(file, job.in_syncobj)))
		EXPECT(world, err, -EINVAL);
	else
		EXPECT(world, err, 0);
	if (job.in_syncobj)
		phyr_syncobj_destroy(file->fd, job.in_syncobj);
	if (err)
		return err;
	file->unmarked = !job.out_syncobj;
	note_job(world, file, src, dst, &job);
	return 0;
}

static int wait_for_engine(struct world *world)
{
	wait_for_file(world, any_file(world, true));
	return 0;
}

static int wait_for_buffer(struct world *world)
{
	struct buffer *buffer = any_buffer(world);

	if (!buffer || !(buffer->writers | buffer->readers))
		return NOT_NOW;
	wait_for_jobs(world, buffer, percent(world, 50));
	return 0;
}

const struct operation engine_operations[] = {
	{ "copy", 120, submit },
	{ "wait for engine", 10, wait_for_engine },
	{ "wait for buffer", 15, wait_for_buffer },
	{ }
};

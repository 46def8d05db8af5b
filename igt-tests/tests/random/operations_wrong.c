// SPDX-License-Identifier: MIT
/*
 * Invalid arguments: each call has one error, must return the documented
 * errno, and changes nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <string.h>
#include <sys/ioctl.h>
#include <xf86drm.h>

#include "world.h"

static uint32_t any_bit(struct world *world)
{
	return 1u << below(world, 32);
}

/* A size larger than any memory. */
static uint64_t huge(struct world *world)
{
	return percent(world, 20) ? ~0ull - below(world, 2 * SZ_4K) :
	       1ull << (40 + below(world, 24));
}

static int wrong_create_in_card(struct world *world)
{
	struct file *file = any_file(world, false);
	struct drm_phyr_vram_gem_create create = {
		.size = SZ_4K, .placement = EVICTABLE,
	};
	int wanted = -EINVAL;

	switch (below(world, 7)) {
	case 0:
		create.size = 0;
		break;
	case 1:
		create.flags = any_bit(world);
		break;
	case 2:
		create.pad = any_bit(world);
		break;
	case 3:
		create.placement = 0;
		break;
	case 4:
		create.placement |= 4u << below(world, 30);
		break;
	case 5:
		create.max_extent = percent(world, 50) ?
				    1 + below(world, SZ_4K - 1) :
				    3 * SZ_4K << below(world, 20);
		break;
	case 6:
		create.size = huge(world);
		create.placement = 1 + below(world, 3);
		wanted = -E2BIG;
		break;
	}
	return EXPECT(world, phyr_ioctl(file->fd,
					DRM_IOCTL_PHYR_VRAM_GEM_CREATE,
					&create), wanted);
}

static int wrong_create_in_engine(struct world *world)
{
	struct file *file = any_file(world, true);
	struct drm_phyr_copy_gem_create create = { .size = SZ_4K };
	int wanted = -EINVAL;

	switch (below(world, 3)) {
	case 0:
		create.size = 0;
		break;
	case 1:
		create.flags = any_bit(world);
		break;
	case 2:
		create.size = huge(world);
		wanted = -E2BIG;
		break;
	}
	return EXPECT(world, phyr_ioctl(file->fd,
					DRM_IOCTL_PHYR_COPY_GEM_CREATE,
					&create), wanted);
}

static int vram_info_err(int fd, uint32_t handle)
{
	struct drm_phyr_vram_gem_info info;

	return phyr_vram_gem_info(fd, handle, &info);
}

static int vram_move_err(int fd, uint32_t handle)
{
	return try_move_buffer(fd, handle, IN_VRAM);
}

static int vram_mmap_err(int fd, uint32_t handle)
{
	struct drm_phyr_vram_gem_mmap map = { .handle = handle };

	return phyr_ioctl(fd, DRM_IOCTL_PHYR_VRAM_GEM_MMAP, &map);
}

static int copy_info_err(int fd, uint32_t handle)
{
	struct drm_phyr_copy_gem_info info;

	return phyr_copy_gem_info(fd, handle, &info);
}

static int copy_mmap_err(int fd, uint32_t handle)
{
	struct drm_phyr_copy_gem_mmap map = { .handle = handle };

	return phyr_ioctl(fd, DRM_IOCTL_PHYR_COPY_GEM_MMAP, &map);
}

/* An ioctl that takes a handle, and its error for one that does not exist. */
struct handle_call {
	const char *name;
	int (*call)(int fd, uint32_t handle);
	int err;
};

static int wrong_handle(struct world *world, bool engine,
			const struct handle_call *calls, unsigned int nr)
{
	struct file *file = any_file(world, engine);
	uint32_t handle = no_handle(world, file);
	const struct handle_call *call = &calls[below(world, nr)];

	return expect(world, call->call(file->fd, handle), call->name,
		      &call->err, 1);
}

static int wrong_handle_at_card(struct world *world)
{
	static const struct handle_call calls[] = {
		{ "VRAM_GEM_INFO", vram_info_err, -ENOENT },
		{ "VRAM_GEM_MOVE", vram_move_err, -ENOENT },
		{ "VRAM_GEM_MMAP", vram_mmap_err, -ENOENT },
		{ "GEM_CLOSE", phyr_close_handle, -EINVAL },
	};

	return wrong_handle(world, false, calls, ARRAY_SIZE(calls));
}

static int wrong_handle_at_engine(struct world *world)
{
	static const struct handle_call calls[] = {
		{ "COPY_GEM_INFO", copy_info_err, -ENOENT },
		{ "COPY_GEM_MMAP", copy_mmap_err, -ENOENT },
		{ "GEM_CLOSE", phyr_close_handle, -EINVAL },
	};

	return wrong_handle(world, true, calls, ARRAY_SIZE(calls));
}

static int wrong_move(struct world *world)
{
	struct file *file;
	struct buffer *buffer = buffer_of_kind(world, false, &file);
	uint32_t handle, to = IN_VRAM;
	int wanted = -EINVAL;

	if (!buffer)
		return NOT_NOW;
	handle = buffer->handle[file_number(world, file)];
	if (buffer->home != file->node)
		wanted = -EOPNOTSUPP;
	else if (buffer->placement != EVICTABLE && percent(world, 50))
		to = buffer->placement ^ EVICTABLE;
	else
		to = percent(world, 50) ? 0 : EVICTABLE |
		     4u << below(world, 30);
	return EXPECT(world, try_move_buffer(file->fd, handle, to), wanted);
}

/* Try to mmap() a DRM node or a dma-buf. */
static int try_mmap(int fd, uint64_t offset, uint64_t len, int prot, int flags)
{
	void *mem = mmap(NULL, len, prot, flags, fd, offset);

	if (mem == MAP_FAILED)
		return -errno;
	munmap(mem, len);
	return 0;
}

static int wrong_mmap(struct world *world)
{
	struct file *file;
	struct buffer *buffer = buffer_of_kind(world, false, &file);
	struct drm_phyr_vram_gem_mmap map = { 0 };
	const int both = PROT_READ | PROT_WRITE;

	if (!buffer || buffer->home != file->node)
		return NOT_NOW;
	map.handle = buffer->handle[file_number(world, file)];
	map.pad = any_bit(world);
	EXPECT(world, phyr_ioctl(file->fd, DRM_IOCTL_PHYR_VRAM_GEM_MMAP, &map),
	       -EINVAL);
	map.pad = 0;
	EXPECT(world, phyr_ioctl(file->fd, DRM_IOCTL_PHYR_VRAM_GEM_MMAP, &map),
	       0);
	switch (below(world, 5)) {
	case 0:
		return EXPECT(world, try_mmap(file->fd, map.offset,
					      buffer->size, PROT_READ |
					      PROT_EXEC, MAP_SHARED), -EPERM);
	case 1:
		return EXPECT(world, try_mmap(file->fd, map.offset,
					      buffer->size, both, MAP_PRIVATE),
			      -EINVAL);
	case 2:
		return EXPECT(world, try_mmap(file->fd, map.offset,
					      buffer->size + SZ_4K, both,
					      MAP_SHARED), -EINVAL);
	case 3:
		return EXPECT(world, try_mmap(file->fd, SZ_4K *
					      below(world, 1024), SZ_4K, both,
					      MAP_SHARED), -EINVAL);
	}
	if (buffer->dmabuf < 0)
		return NOT_NOW;
	return EXPECT(world, try_mmap(buffer->dmabuf, buffer->size -
				      SZ_4K * below(world, buffer->size / SZ_4K),
				      buffer->size + SZ_4K, both, MAP_SHARED),
		      -EINVAL);
}

static int wrong_copy(struct world *world)
{
	struct file *file;
	struct buffer *buffer = buffer_of_kind(world, true, &file);
	struct drm_phyr_copy_submit job = { .len = 1 };
	int wanted = -EINVAL;

	if (!buffer)
		return NOT_NOW;
	job.src_handle = buffer->handle[file_number(world, file)];
	job.dst_handle = file->scratch;
	switch (below(world, 11)) {
	case 0:
		job.len = 0;
		break;
	case 1:
		job.flags = any_bit(world);
		break;
	case 2:
		job.pad = any_bit(world);
		break;
	case 3:
		job.len = SZ_4K + 1 + below(world, SZ_1M);
		break;
	case 4:
		job.len = huge(world);
		break;
	case 5:
		job.src_offset = buffer->size + below(world, SZ_1M);
		break;
	case 6:
		job.dst_offset = huge(world);
		break;
	case 7:
		job.src_handle = no_handle(world, file);
		wanted = -ENOENT;
		break;
	case 8:
		job.dst_handle = no_handle(world, file);
		wanted = -ENOENT;
		break;
	case 9:
		job.in_syncobj = 0x10000 + below(world, SZ_1M);
		wanted = -ENOENT;
		break;
	case 10:
		job.out_syncobj = 0x10000 + below(world, SZ_1M);
		wanted = -ENOENT;
		break;
	}
	return EXPECT(world, phyr_copy_submit(file->fd, &job), wanted);
}

static int wrong_import(struct world *world)
{
	struct file *file = any_file(world, percent(world, 50));

	if (percent(world, 50))
		return EXPECT(world, try_import(file->fd, file->fd), -EINVAL);
	return EXPECT(world, try_import(file->fd, percent(world, 50) ?
					-1 - (int)below(world, 1000) :
					100000 + (int)below(world, 1000)),
		      -EBADF);
}

static int wrong_export(struct world *world)
{
	struct file *file;
	struct buffer *buffer = buffer_of_kind(world, percent(world, 50),
					       &file);
	struct drm_prime_handle prime = { .flags = DRM_RDWR };

	if (!buffer)
		return NOT_NOW;
	prime.handle = buffer->handle[file_number(world, file)];
	if (percent(world, 50))
		return EXPECT(world, phyr_export(file->fd,
						 no_handle(world, file)),
			      -ENOENT);
	prime.flags |= 4 << below(world, 16);
	return EXPECT(world, phyr_ioctl(file->fd, DRM_IOCTL_PRIME_HANDLE_TO_FD,
					&prime), -EINVAL);
}

static int wrong_dmabuf_ioctl(struct world *world)
{
	struct buffer *buffer = any_buffer(world);
	struct dma_buf_sync sync = {
		.flags = DMA_BUF_SYNC_READ | 8ull << below(world, 60),
	};
	struct dma_buf_export_sync_file from = {
		.flags = percent(world, 50) ? 0 : 4u << below(world, 30),
	};
	struct dma_buf_import_sync_file to = {
		.flags = DMA_BUF_SYNC_READ, .fd = -1,
	};
	int dmabuf;

	if (!buffer || need_dmabuf(world, buffer) < 0)
		return NOT_NOW;
	dmabuf = buffer->dmabuf;
	switch (below(world, 4)) {
	case 0:
		return EXPECT(world, phyr_ioctl(dmabuf, DMA_BUF_IOCTL_SYNC,
						&sync), -EINVAL);
	case 1:
		return EXPECT(world, phyr_ioctl(dmabuf,
						DMA_BUF_IOCTL_EXPORT_SYNC_FILE,
						&from), -EINVAL);
	case 2:
		return EXPECT(world, phyr_ioctl(dmabuf,
						DMA_BUF_IOCTL_IMPORT_SYNC_FILE,
						&to), -EINVAL);
	}
	return EXPECT(world, phyr_ioctl(dmabuf, _IOWR(DMA_BUF_BASE, 100 +
						      below(world, 100), sync),
					&sync), -ENOTTY);
}

/* Unknown ioctl numbers, and ioctls of features that the drivers lack. */
static int wrong_ioctl(struct world *world)
{
	struct file *card = any_file(world, false);
	struct file *engine = any_file(world, true);
	struct drm_mode_create_dumb dumb = { .width = 16, .height = 16,
					     .bpp = 32 };
	struct drm_syncobj_create syncobj = { 0 };
	uint64_t args[8] = { 0 };

	switch (below(world, 4)) {
	case 0:
		return EXPECT(world, phyr_ioctl(card->fd,
			DRM_IOWR(DRM_COMMAND_BASE + 5 + below(world, 90), args),
			args), -EINVAL);
	case 1:
		return EXPECT(world, phyr_ioctl(engine->fd,
			DRM_IOWR(DRM_COMMAND_BASE + 5 + below(world, 90), args),
			args), -EINVAL);
	case 2:
		return EXPECT(world, phyr_ioctl(card->fd,
			DRM_IOCTL_SYNCOBJ_CREATE, &syncobj), -EOPNOTSUPP);
	}
	return EXPECT(world, phyr_ioctl(engine->fd, DRM_IOCTL_MODE_CREATE_DUMB,
					&dumb), -EACCES);
}

static int wrong_for_edu(struct world *world)
{
	struct buffer *buffer = any_buffer(world);
	struct phyr_test_import import = { .iterations = 1 };
	struct phyr_test_held held = { .id = 1000 + below(world, SZ_1M) };
	uint32_t id;

	if (!buffer || need_dmabuf(world, buffer) < 0)
		return NOT_NOW;
	import.fd = buffer->dmabuf;
	switch (below(world, 4)) {
	case 0:
		import.offset = buffer->size + below(world, SZ_1M);
		import.len = 1;
		break;
	case 1:
		import.offset = below(world, buffer->size);
		import.len = huge(world);
		break;
	case 2:
		return EXPECT(world, phyr_ioctl(world->test,
						PHYR_TEST_IOC_MAP, &held),
			      -ENOENT);
	case 3:
		return EXPECT(world, try_hold(world->test, buffer->dmabuf,
					      PHYR_TEST_NO_OPS, 0, &id),
			      -EINVAL);
	}
	return EXPECT(world, phyr_ioctl(world->test, PHYR_TEST_IOC_IMPORT,
					&import), -EINVAL);
}

static int wrong_framebuffer(struct world *world)
{
	struct fb fb = { .width = 64, .height = 64, .pitch = 256,
			 .format = DRM_FORMAT_XRGB8888 };
	struct file *file = display_file(world);
	struct buffer *buffer = file ? buffer_of(world, file) : NULL;
	uint32_t id;

	if (!buffer)
		return NOT_NOW;
	fb.handle = buffer->handle[file_number(world, file)];
	switch (below(world, 7)) {
	case 0:
		fb.width = 0;
		break;
	case 1:
		fb.height = 0;
		break;
	case 2:
		fb.pitch = 4 * below(world, 64);
		break;
	case 3:
		fb.pitch = 257 + 4 * below(world, 64);
		break;
	case 4:
		fb.format = DRM_FORMAT_NV12;
		break;
	case 5:
		fb.offset = buffer->size;
		break;
	case 6:
		fb.handle = no_handle(world, file);
		return EXPECT(world, try_add_fb(file->fd, &fb, &id), -ENOENT);
	}
	return EXPECT(world, try_add_fb(file->fd, &fb, &id), -EINVAL);
}

static int wrong_display(struct world *world)
{
	struct fb fb = { .id = 0x10000 + below(world, SZ_1M) };
	struct drm_mode_create_dumb dumb = { .width = 16, .height = 16,
					     .bpp = 32 };
	struct display *display = &world->display;

	if (world->client)
		return NOT_NOW;
	switch (below(world, 4)) {
	case 0:
		return EXPECT(world, try_flip(display, &fb, 0), -EINVAL);
	case 1:
		return EXPECT(world, try_flip(display, &fb,
					      0x10000u << below(world, 16)),
			      -EINVAL);
	case 2:
		return EXPECT(world, drmModeRmFB(display->fd, fb.id), -ENOENT);
	}
	if (percent(world, 50))
		dumb.width = 0;
	else
		dumb.height = ~0u;
	return EXPECT(world, phyr_ioctl(display->fd, DRM_IOCTL_MODE_CREATE_DUMB,
					&dumb), -EINVAL);
}

const struct operation wrong_operations[] = {
	{ "wrong create in card", 12, wrong_create_in_card },
	{ "wrong create in engine", 8, wrong_create_in_engine },
	{ "wrong handle at card", 12, wrong_handle_at_card },
	{ "wrong handle at engine", 10, wrong_handle_at_engine },
	{ "wrong move", 10, wrong_move },
	{ "wrong mmap", 14, wrong_mmap },
	{ "wrong copy", 20, wrong_copy },
	{ "wrong import", 8, wrong_import },
	{ "wrong export", 8, wrong_export },
	{ "wrong dma-buf ioctl", 8, wrong_dmabuf_ioctl },
	{ "wrong ioctl", 8, wrong_ioctl },
	{ "wrong for edu", 8, wrong_for_edu },
	{ "wrong framebuffer", 6, wrong_framebuffer },
	{ "wrong display", 6, wrong_display },
	{ }
};

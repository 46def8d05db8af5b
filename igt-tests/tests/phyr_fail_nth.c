// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/sync_file.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "display.h"
#include "fail_nth.h"
#include "lib.h"
#include "stock.h"
#include "traffic.h"

IGT_TEST_DESCRIPTION("Every allocation of every call fails in its turn");

/* As many extents as pages. */
#define EXTENTS		8
#define SIZE		(EXTENTS * SZ_4K)
#define SEED		55
#define FEWEST_POINTS	301

/*
 * What the calls play with. No call touches @witness, a buffer in VRAM that
 * @witness_in is the engine's handle to, nor @witness_out, a buffer of the
 * engine. @witness_fence is of the latest copy between them, @turn is what both
 * hold. From @fd on: of one call.
 */
static struct stage {
	struct phyr_device card, engine;
	int vram, copy, test;
	uint32_t witness, witness_in, witness_out, witness_fence;
	uint8_t *witness_mem, *out_mem;
	uint64_t turn;

	int fd, dmabuf, other;
	int event;
	uint32_t handle, imported, own, in_fence, out_fence;
	uint64_t offset;
	struct phyr_test_held held;
	void *mem;
} s;

static void set_stage(void)
{
	struct phyr_device primary;

	s.card = vram_device(0);
	s.engine = copy_device(0);
	s.test = open_phyr_test(SECOND_IVSHMEM);
	/* Dumb buffers are not for render nodes. */
	primary = s.card;
	primary.render[0] = '\0';
	s.vram = open_device(&primary);
	s.copy = open_device(&s.engine);
	s.witness = create_vram(s.vram, SIZE, IN_VRAM, SZ_4K);
	s.witness_in = import_from(s.copy, s.vram, s.witness);
	s.witness_out = create_own(s.copy, SIZE);
	s.witness_mem = map_vram(s.vram, s.witness, SIZE);
	s.out_mem = map_own(s.copy, s.witness_out, SIZE);
	igt_assert_eq(phyr_syncobj_create(s.copy, &s.witness_fence), 0);
}

static void clear_stage(void)
{
	unmap(s.witness_mem, SIZE);
	unmap(s.out_mem, SIZE);
	close(s.vram);
	close(s.copy);
	close(s.test);
}

/* Card and engine do what they are there for: in few calls, for it is often. */
static void assert_works(void)
{
	struct drm_phyr_copy_submit job = {
		.src_handle = s.witness_in,
		.dst_handle = s.witness_out,
		.len = SZ_4K,
		.out_syncobj = s.witness_fence,
	};
	uint64_t seed = ++s.turn;

	phyr_fill(s.witness_mem, seed, 0, SZ_4K);
	igt_assert_eq(phyr_copy_submit(s.copy, &job), 0);
	igt_assert_eq(drmSyncobjWait(s.copy, &s.witness_fence, 1, INT64_MAX, 0,
				     NULL), 0);
	assert_bytes(s.out_mem, seed, 0, SZ_4K);
}

static int as_errno(int result)
{
	return result < 0 ? -errno : 0;
}

static int as_fd(int fd, int *to)
{
	*to = fd;
	return fd < 0 ? fd : 0;
}

/*
 * Files
 */

static int open_node(const void *data)
{
	return as_fd(phyr_device_open(data), &s.fd);
}

static void close_node(const void *data, int result)
{
	(void)data;
	if (!result)
		close(s.fd);
	assert_works();
}

static int open_primary(const void *data)
{
	const struct phyr_device *device = data;

	s.fd = open(device->primary, O_RDWR | O_CLOEXEC);
	return as_errno(s.fd);
}

/* With a buffer that goes with it. */
static void setup_close(const void *data)
{
	s.fd = open_device(data);
	if (data == &s.card)
		create_vram(s.fd, SIZE, IN_VRAM, SZ_4K);
	else
		create_own(s.fd, SIZE);
}

static int close_file(const void *data)
{
	(void)data;
	return as_errno(close(s.fd));
}

static void verify_works(const void *data, int result)
{
	(void)data;
	(void)result;
	assert_works();
}

static int read_file(const char *path)
{
	char text[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	ssize_t len;

	if (fd < 0)
		return -errno;
	do
		len = read(fd, text, sizeof(text));
	while (len > 0);
	if (len < 0)
		err = -errno;
	close(fd);
	return err;
}

static int read_fdinfo(const void *data)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", *(const int *)data);
	return read_file(path);
}

static int read_debugfs(const void *data)
{
	char path[96];

	phyr_device_debugfs(data, "buffers", path, sizeof(path));
	return read_file(path);
}

static int read_attachments(const void *data)
{
	(void)data;
	return read_file("/sys/kernel/debug/phyr/attachments");
}

static void files(void)
{
	const struct fail_nth_call calls[] = {
		{ "vram open", NULL, open_node, close_node, .data = &s.card },
		{ "vram open primary", NULL, open_primary, close_node,
		  .data = &s.card },
		{ "vram close", setup_close, close_file, verify_works,
		  .data = &s.card },
		{ "vram fdinfo", NULL, read_fdinfo, verify_works,
		  .data = &s.vram },
		{ "vram debugfs", NULL, read_debugfs, verify_works,
		  .data = &s.card },
		{ "copy open", NULL, open_node, close_node, .data = &s.engine },
		{ "copy open primary", NULL, open_primary, close_node,
		  .data = &s.engine },
		{ "copy close", setup_close, close_file, verify_works,
		  .data = &s.engine },
		{ "copy fdinfo", NULL, read_fdinfo, verify_works,
		  .data = &s.copy },
		{ "copy debugfs", NULL, read_debugfs, verify_works,
		  .data = &s.engine },
		{ "phyr attachments", NULL, read_attachments, verify_works,
		  .data = NULL },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++)
		fail_nth_sweep(&calls[i]);
}

/*
 * Buffers of the card
 */

/* Of a buffer of the card. */
struct kind {
	uint32_t placement;
	uint64_t max_extent;
};

static const struct kind one_piece = { IN_VRAM, 0 };
static const struct kind pieces = { IN_VRAM, SZ_4K };
static const struct kind in_system = { IN_SYSTEM, 0 };
static const struct kind movable = { EVICTABLE, SZ_4K };

static void setup_buffer(const void *data)
{
	const struct kind *kind = data;

	s.handle = create_vram(s.vram, SIZE, kind->placement, kind->max_extent);
	fill_vram(s.vram, s.handle, SIZE, SEED);
}

static int close_handle(const void *data)
{
	(void)data;
	return phyr_close_handle(s.vram, s.handle);
}

static void verify_buffer(const void *data, int result)
{
	(void)data;
	(void)result;
	assert_vram(s.vram, s.handle, SIZE, SEED);
	igt_assert_eq(phyr_close_handle(s.vram, s.handle), 0);
	assert_works();
}

static int create(const void *data)
{
	const struct kind *kind = data;

	return phyr_vram_create(s.vram, SIZE, kind->placement,
				kind->max_extent, &s.handle);
}

static void verify_created(const void *data, int result)
{
	void *mem;

	(void)data;
	if (!result) {
		mem = map_vram(s.vram, s.handle, SIZE);
		assert_zero(mem, SIZE);
		unmap(mem, SIZE);
		igt_assert_eq(phyr_close_handle(s.vram, s.handle), 0);
	}
	assert_works();
}

static int create_dumb_buffer(const void *data)
{
	struct drm_mode_create_dumb dumb = {
		.width = 64, .height = SIZE / 256, .bpp = 32,
	};
	int err = phyr_ioctl(s.vram, DRM_IOCTL_MODE_CREATE_DUMB, &dumb);

	(void)data;
	s.handle = dumb.handle;
	return err;
}

static int map_dumb_buffer(const void *data)
{
	struct drm_mode_map_dumb map = { .handle = s.handle };

	(void)data;
	return phyr_ioctl(s.vram, DRM_IOCTL_MODE_MAP_DUMB, &map);
}

static int card_info(const void *data)
{
	struct drm_phyr_vram_info info;

	(void)data;
	return phyr_vram_info(s.vram, &info);
}

static int buffer_info(const void *data)
{
	struct drm_phyr_vram_gem_info info;

	(void)data;
	return phyr_vram_gem_info(s.vram, s.handle, &info);
}

static int buffer_offset(const void *data)
{
	struct drm_phyr_vram_gem_mmap map = { .handle = s.handle };

	(void)data;
	return phyr_ioctl(s.vram, DRM_IOCTL_PHYR_VRAM_GEM_MMAP, &map);
}

static void setup_moved_out(const void *data)
{
	setup_buffer(data);
	move_buffer(s.vram, s.handle, IN_SYSTEM);
}

static int move_out(const void *data)
{
	(void)data;
	return try_move_buffer(s.vram, s.handle, IN_SYSTEM);
}

static int move_in(const void *data)
{
	(void)data;
	return try_move_buffer(s.vram, s.handle, IN_VRAM);
}

/* A move that failed leaves it where it was, and the next one gets through. */
static void verify_moved_out(const void *data, int result)
{
	igt_assert_eq(vram_info(s.vram, s.handle).placement,
		      result ? IN_VRAM : IN_SYSTEM);
	assert_vram(s.vram, s.handle, SIZE, SEED);
	move_buffer(s.vram, s.handle, IN_SYSTEM);
	verify_buffer(data, result);
}

static void verify_moved_in(const void *data, int result)
{
	igt_assert_eq(vram_info(s.vram, s.handle).placement,
		      result ? IN_SYSTEM : IN_VRAM);
	assert_vram(s.vram, s.handle, SIZE, SEED);
	move_buffer(s.vram, s.handle, IN_VRAM);
	verify_buffer(data, result);
}

static void buffers(void)
{
	const struct fail_nth_call calls[] = {
		{ "vram info", NULL, card_info, verify_works,
		  .data = NULL },
		{ "vram create, one piece", NULL, create, verify_created,
		  .data = &one_piece },
		{ "vram create, pieces", NULL, create, verify_created,
		  .data = &pieces },
		{ "vram create, system memory", NULL, create, verify_created,
		  .data = &in_system },
		{ "vram create, movable", NULL, create, verify_created,
		  .data = &movable },
		{ "vram create dumb", NULL, create_dumb_buffer, verify_created,
		  .data = NULL },
		{ "vram map dumb", setup_buffer, map_dumb_buffer, verify_buffer,
		  .data = &pieces },
		{ "vram gem info", setup_buffer, buffer_info, verify_buffer,
		  .data = &pieces },
		{ "vram gem mmap", setup_buffer, buffer_offset, verify_buffer,
		  .data = &pieces },
		{ "vram gem close", setup_buffer, close_handle, verify_works,
		  .data = &pieces },
		{ "vram gem close, system memory", setup_buffer, close_handle,
		  verify_works, .data = &in_system },
		{ "vram move out", setup_buffer, move_out, verify_moved_out,
		  .data = &movable },
		{ "vram move in", setup_moved_out, move_in, verify_moved_in,
		  .data = &movable },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++)
		fail_nth_sweep(&calls[i]);
}

/*
 * A full card: what is made has to push out what is there.
 */

static uint32_t ballast;

/* Leaves just as much as one buffer needs, in pages that are not neighbours. */
static void fill_card(void)
{
	uint64_t free = vram_free(&s.card);

	igt_assert_lte_u64(SIZE, free);
	ballast = create_vram(s.vram, free - SIZE, IN_VRAM, 0);
	igt_assert_eq_u64(vram_free(&s.card), SIZE);
}

static void verify_evicted(const void *data, int result)
{
	struct drm_phyr_vram_gem_info victim = vram_info(s.vram, s.own);

	if (!result)
		igt_assert_eq(victim.placement, IN_SYSTEM);
	assert_vram(s.vram, s.own, SIZE, SEED);
	if (!result)
		igt_assert_eq(phyr_close_handle(s.vram, s.handle), 0);
	wait_for_vram_free(&s.card, vram_info(s.vram, s.own).placement ==
			   IN_VRAM ? 0 : SIZE);
	move_buffer(s.vram, s.own, IN_VRAM);
	assert_vram(s.vram, s.own, SIZE, SEED);
	igt_assert_eq(phyr_close_handle(s.vram, s.own), 0);
	wait_for_vram_free(&s.card, SIZE);
	(void)data;
	assert_works();
}

static void setup_victim(const void *data)
{
	(void)data;
	s.own = create_vram(s.vram, SIZE, EVICTABLE, SZ_4K);
	fill_vram(s.vram, s.own, SIZE, SEED);
	igt_assert_eq(vram_info(s.vram, s.own).placement, IN_VRAM);
}

static void evict(void)
{
	const struct fail_nth_call call = {
		"vram create, evicting", setup_victim, create, verify_evicted,
		.also = ENOSPC, .data = &pieces,
	};

	fill_card();
	fail_nth_sweep(&call);
	igt_assert_eq(phyr_close_handle(s.vram, ballast), 0);
}

/*
 * CPU mappings
 */

static void setup_offset(const void *data)
{
	struct drm_phyr_vram_gem_mmap map = { 0 };

	setup_buffer(data);
	map.handle = s.handle;
	igt_assert_eq(phyr_ioctl(s.vram, DRM_IOCTL_PHYR_VRAM_GEM_MMAP, &map),
		      0);
	s.fd = s.vram;
	s.offset = map.offset;
}

static int map_offset(const void *data)
{
	(void)data;
	s.mem = phyr_mmap(s.fd, SIZE, PROT_READ | PROT_WRITE, s.offset);
	return s.mem == MAP_FAILED ? -errno : 0;
}

static void verify_mapped(const void *data, int result)
{
	if (!result) {
		assert_bytes(s.mem, SEED, 0, SIZE);
		unmap(s.mem, SIZE);
	}
	verify_buffer(data, result);
}

static void setup_mapped(const void *data)
{
	setup_offset(data);
	igt_assert_eq(map_offset(data), 0);
}

/* By the kernel's hand: it gets an errno where a program gets a signal. */
static int fault(const void *data)
{
	(void)data;
	if (write(s.event, s.mem, sizeof(uint64_t)) < 0 && errno == EFAULT)
		return -EFAULT;
	return 0;
}

static void verify_faulted(const void *data, int result)
{
	(void)result;
	verify_mapped(data, 0);
}

static void setup_dmabuf_mapped(const void *data)
{
	setup_buffer(data);
	s.dmabuf = export_buffer(s.vram, s.handle);
	s.mem = map_dmabuf(s.dmabuf, SIZE);
}

static void setup_dmabuf_unmapped(const void *data)
{
	setup_buffer(data);
	s.dmabuf = export_buffer(s.vram, s.handle);
	s.fd = s.dmabuf;
	s.offset = 0;
}

static void verify_dmabuf_mapped(const void *data, int result)
{
	verify_mapped(data, result);
	close(s.dmabuf);
}

static void verify_dmabuf_faulted(const void *data, int result)
{
	(void)result;
	verify_dmabuf_mapped(data, 0);
}

static void setup_own_mapped(const void *data)
{
	(void)data;
	s.own = create_own(s.copy, SIZE);
	s.mem = map_own(s.copy, s.own, SIZE);
}

static void verify_own_faulted(const void *data, int result)
{
	(void)data;
	(void)result;
	assert_zero(s.mem, SIZE);
	unmap(s.mem, SIZE);
	igt_assert_eq(phyr_close_handle(s.copy, s.own), 0);
	assert_works();
}

static void mappings(void)
{
	const struct fail_nth_call calls[] = {
		{ "vram mmap", setup_offset, map_offset, verify_mapped,
		  .data = &pieces },
		{ "vram fault", setup_mapped, fault, verify_faulted,
		  .also = EFAULT, .data = &pieces },
		{ "vram fault, system memory", setup_mapped, fault,
		  verify_faulted, .also = EFAULT, .data = &in_system },
		{ "dma-buf mmap", setup_dmabuf_unmapped, map_offset,
		  verify_dmabuf_mapped, .data = &pieces },
		{ "dma-buf fault", setup_dmabuf_mapped, fault,
		  verify_dmabuf_faulted, .also = EFAULT, .data = &pieces },
		{ "copy fault", setup_own_mapped, fault, verify_own_faulted,
		  .also = EFAULT },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++)
		fail_nth_sweep(&calls[i]);
}

/*
 * PRIME
 */

static int export_handle(const void *data)
{
	(void)data;
	return as_fd(phyr_export(s.vram, s.handle), &s.dmabuf);
}

static void verify_exported(const void *data, int result)
{
	if (result)
		s.dmabuf = export_buffer(s.vram, s.handle);
	s.imported = import_buffer(s.copy, s.dmabuf);
	copy(s.copy, s.imported, s.witness_out, SIZE);
	assert_bytes(s.out_mem, SEED, 0, SIZE);
	igt_assert_eq(phyr_close_handle(s.copy, s.imported), 0);
	close(s.dmabuf);
	verify_buffer(data, result);
}

static void setup_exported(const void *data)
{
	setup_buffer(data);
	s.other = export_buffer(s.vram, s.handle);
}

static void verify_exported_again(const void *data, int result)
{
	close(s.other);
	verify_exported(data, result);
}

static int close_dmabuf(const void *data)
{
	(void)data;
	return as_errno(close(s.other));
}

static void setup_own(const void *data)
{
	(void)data;
	s.own = create_own(s.copy, SIZE);
	fill_own(s.copy, s.own, SIZE, SEED);
}

static int export_own(const void *data)
{
	(void)data;
	return as_fd(phyr_export(s.copy, s.own), &s.dmabuf);
}

static void verify_own(const void *data, int result)
{
	(void)data;
	(void)result;
	assert_own(s.copy, s.own, SIZE, SEED);
	igt_assert_eq(phyr_close_handle(s.copy, s.own), 0);
	assert_works();
}

static void verify_own_exported(const void *data, int result)
{
	if (!result)
		close(s.dmabuf);
	verify_own(data, result);
}

static void setup_import(const void *data)
{
	setup_buffer(data);
	s.dmabuf = export_buffer(s.vram, s.handle);
}

static int import_into_engine(const void *data)
{
	(void)data;
	return phyr_import(s.copy, s.dmabuf, &s.imported);
}

static void verify_imported(const void *data, int result)
{
	if (!result)
		igt_assert_eq(phyr_close_handle(s.copy, s.imported), 0);
	/* verify_exported() imports once more. */
	verify_exported(data, 0);
}

static void fill_dmabuf(int dmabuf)
{
	void *mem = map_dmabuf(dmabuf, SIZE);

	begin_cpu(dmabuf);
	phyr_fill(mem, SEED, 0, SIZE);
	end_cpu(dmabuf);
	unmap(mem, SIZE);
}

static void setup_foreign(const void *data)
{
	(void)data;
	s.dmabuf = create_udmabuf(SIZE);
	fill_dmabuf(s.dmabuf);
}

static void verify_foreign_imported(const void *data, int result)
{
	(void)data;
	if (result)
		s.imported = import_buffer(s.copy, s.dmabuf);
	copy(s.copy, s.imported, s.witness_out, SIZE);
	assert_bytes(s.out_mem, SEED, 0, SIZE);
	igt_assert_eq(phyr_close_handle(s.copy, s.imported), 0);
	close(s.dmabuf);
	assert_works();
}

static void setup_own_import(const void *data)
{
	setup_own(data);
	s.dmabuf = export_buffer(s.copy, s.own);
}

static int import_into_card(const void *data)
{
	(void)data;
	return phyr_import(s.vram, s.dmabuf, &s.handle);
}

static void verify_card_imported(const void *data, int result)
{
	(void)data;
	if (result)
		s.handle = import_buffer(s.vram, s.dmabuf);
	igt_assert_eq(phyr_close_handle(s.vram, s.handle), 0);
	close(s.dmabuf);
	assert_works();
}

static void verify_own_imported(const void *data, int result)
{
	verify_card_imported(data, result);
	verify_own(data, result);
}

/* Into the card that it is from: the handle is another client's. */
static int import_home(const void *data)
{
	(void)data;
	return phyr_import(s.fd, s.dmabuf, &s.imported);
}

static void setup_home(const void *data)
{
	setup_import(data);
	s.fd = open_device(&s.card);
}

static void verify_home(const void *data, int result)
{
	if (result)
		s.imported = import_buffer(s.fd, s.dmabuf);
	assert_vram(s.fd, s.imported, SIZE, SEED);
	close(s.fd);
	close(s.dmabuf);
	verify_buffer(data, result);
}

static void prime(void)
{
	const struct fail_nth_call calls[] = {
		{ "vram export", setup_buffer, export_handle, verify_exported,
		  .data = &pieces },
		{ "vram export again", setup_exported, export_handle,
		  verify_exported_again, .data = &pieces },
		{ "vram import, its own", setup_home, import_home, verify_home,
		  .data = &pieces },
		{ "vram import, a udmabuf", setup_foreign, import_into_card,
		  verify_card_imported,
		  .data = NULL },
		{ "vram import, the engine's", setup_own_import,
		  import_into_card, verify_own_imported,
		  .data = NULL },
		{ "copy export", setup_own, export_own, verify_own_exported,
		  .data = NULL },
		{ "copy import, VRAM", setup_import, import_into_engine,
		  verify_imported, .data = &pieces },
		{ "copy import, system memory", setup_import,
		  import_into_engine, verify_imported, .data = &in_system },
		{ "copy import, a udmabuf", setup_foreign, import_into_engine,
		  verify_foreign_imported,
		  .data = NULL },
		{ "dma-buf close", setup_exported, close_dmabuf, verify_buffer,
		  .data = &pieces },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++)
		fail_nth_sweep(&calls[i]);
}

/*
 * The engine
 */

static int create_engines(const void *data)
{
	(void)data;
	return phyr_copy_create(s.copy, SIZE, &s.own);
}

static void verify_engines(const void *data, int result)
{
	(void)data;
	if (!result)
		igt_assert_eq(phyr_close_handle(s.copy, s.own), 0);
	assert_works();
}

static int own_info(const void *data)
{
	struct drm_phyr_copy_gem_info info;

	(void)data;
	return phyr_copy_gem_info(s.copy, s.own, &info);
}

static int own_offset(const void *data)
{
	struct drm_phyr_copy_gem_mmap map = { .handle = s.own };

	(void)data;
	return phyr_ioctl(s.copy, DRM_IOCTL_PHYR_COPY_GEM_MMAP, &map);
}

static int close_own(const void *data)
{
	(void)data;
	return phyr_close_handle(s.copy, s.own);
}

static struct drm_phyr_copy_submit the_job(uint64_t len)
{
	return (struct drm_phyr_copy_submit){
		.src_handle = s.imported,
		.dst_handle = s.own,
		.len = len,
		.in_syncobj = s.in_fence,
		.out_syncobj = s.out_fence,
	};
}

static void create_fences(bool in)
{
	struct drm_phyr_copy_submit job = {
		.src_handle = s.witness_in,
		.dst_handle = s.witness_out,
		.len = SZ_4K,
	};

	s.in_fence = 0;
	igt_assert_eq(phyr_syncobj_create(s.copy, &s.out_fence), 0);
	if (!in)
		return;
	igt_assert_eq(phyr_syncobj_create(s.copy, &s.in_fence), 0);
	job.out_syncobj = s.in_fence;
	igt_assert_eq(phyr_copy_submit(s.copy, &job), 0);
}

static void setup_job(const void *data)
{
	setup_buffer(data);
	s.imported = import_from(s.copy, s.vram, s.handle);
	s.own = create_own(s.copy, SIZE);
	create_fences(false);
}

static void setup_foreign_job(const void *data)
{
	setup_foreign(data);
	s.imported = import_buffer(s.copy, s.dmabuf);
	s.own = create_own(s.copy, SIZE);
	create_fences(false);
}

static void setup_second_job(const void *data)
{
	setup_job(data);
	copy(s.copy, s.imported, s.own, SIZE);
	fill_own(s.copy, s.own, SIZE, 0);
}

static void setup_fenced_job(const void *data)
{
	setup_buffer(data);
	s.imported = import_from(s.copy, s.vram, s.handle);
	s.own = create_own(s.copy, SIZE);
	create_fences(true);
}

static int submit(const void *data)
{
	struct drm_phyr_copy_submit job = the_job(SIZE);

	(void)data;
	return phyr_copy_submit(s.copy, &job);
}

/* What was not queued has no fence; the next one runs. */
static void finish_job(int result)
{
	if (result) {
		igt_assert_eq(phyr_syncobj_status(s.copy, s.out_fence),
			      -EINVAL);
		igt_assert_eq(submit(NULL), 0);
	}
	igt_assert_eq(phyr_syncobj_wait(s.copy, s.out_fence), 0);
	assert_own(s.copy, s.own, SIZE, SEED);
	phyr_syncobj_destroy(s.copy, s.out_fence);
	if (s.in_fence)
		phyr_syncobj_destroy(s.copy, s.in_fence);
	igt_assert_eq(phyr_close_handle(s.copy, s.imported), 0);
	igt_assert_eq(phyr_close_handle(s.copy, s.own), 0);
}

static void verify_job(const void *data, int result)
{
	finish_job(result);
	verify_buffer(data, result);
}

static void verify_foreign_job(const void *data, int result)
{
	(void)data;
	finish_job(result);
	close(s.dmabuf);
	assert_works();
}

static int create_syncobj(const void *data)
{
	(void)data;
	return phyr_syncobj_create(s.copy, &s.out_fence);
}

static void verify_syncobj(const void *data, int result)
{
	(void)data;
	if (!result)
		phyr_syncobj_destroy(s.copy, s.out_fence);
	assert_works();
}

static void engine(void)
{
	const struct fail_nth_call calls[] = {
		/* shmem says ENOSPC when it gets no inode. */
		{ "copy create", NULL, create_engines, verify_engines,
		  .also = ENOSPC },
		{ "copy gem info", setup_own, own_info, verify_own,
		  .data = NULL },
		{ "copy gem mmap", setup_own, own_offset, verify_own,
		  .data = NULL },
		{ "copy gem close", setup_own, close_own, verify_works,
		  .data = NULL },
		{ "copy syncobj", NULL, create_syncobj, verify_syncobj,
		  .data = NULL },
		{ "copy submit, VRAM", setup_job, submit, verify_job,
		  .data = &pieces },
		{ "copy submit, system memory", setup_job, submit, verify_job,
		  .data = &in_system },
		{ "copy submit, a udmabuf", setup_foreign_job, submit,
		  verify_foreign_job,
		  .data = NULL },
		{ "copy submit, again", setup_second_job, submit, verify_job,
		  .data = &pieces },
		{ "copy submit, fences", setup_fenced_job, submit, verify_job,
		  .data = &pieces },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++)
		fail_nth_sweep(&calls[i]);
}

/*
 * Importers of a dma-buf
 */

static int make_movable(void)
{
	int dmabuf;

	setup_buffer(&movable);
	dmabuf = export_buffer(s.vram, s.handle);
	igt_assert_eq(phyr_close_handle(s.vram, s.handle), 0);
	return dmabuf;
}

static int make_fixed(void)
{
	return create_dmabuf(s.vram, SIZE, SZ_4K);
}

static int make_in_system(void)
{
	int dmabuf;

	setup_buffer(&in_system);
	dmabuf = export_buffer(s.vram, s.handle);
	igt_assert_eq(phyr_close_handle(s.vram, s.handle), 0);
	return dmabuf;
}

static int make_extents(void)
{
	return test_export(s.test, PHYR_TEST_STYLE_PHYR, 0, EXTENTS, SZ_4K,
			   2 * SZ_4K);
}

static int make_foreign(void)
{
	return create_udmabuf(SIZE);
}

/* An importer, and what it imports. */
struct importer {
	const char *name;
	uint32_t kind;
	int (*make)(void);
};

static const struct importer importers[] = {
	{ "native, VRAM", PHYR_TEST_NATIVE, make_fixed },
	{ "native, movable", PHYR_TEST_NATIVE, make_movable },
	{ "native, system memory", PHYR_TEST_NATIVE, make_in_system },
	{ "native, extents", PHYR_TEST_NATIVE, make_extents },
	{ "native, a udmabuf", PHYR_TEST_NATIVE, make_foreign },
	{ "static", PHYR_TEST_STATIC, make_movable },
	{ "dynamic", PHYR_TEST_DYNAMIC, make_movable },
	{ "peer", PHYR_TEST_PEER, make_movable },
	{ "revocable, VRAM", PHYR_TEST_REVOCABLE, make_fixed },
	{ "revocable, system memory", PHYR_TEST_REVOCABLE, make_in_system },
	{ "revocable, extents", PHYR_TEST_REVOCABLE, make_extents },
};

static void setup_dmabuf(const void *data)
{
	const struct importer *importer = data;

	s.dmabuf = importer->make();
}

static int attach(const void *data)
{
	const struct importer *importer = data;

	return try_hold(s.test, s.dmabuf, importer->kind,
			PHYR_TEST_UNMAP_LATE, &s.held.id);
}

static void setup_attached(const void *data)
{
	setup_dmabuf(data);
	igt_assert_eq(attach(data), 0);
}

static int test_call(unsigned long request)
{
	return phyr_ioctl(s.test, request, &s.held);
}

static int map_held(const void *data)
{
	(void)data;
	return test_call(PHYR_TEST_IOC_MAP);
}

static void setup_held(const void *data)
{
	setup_attached(data);
	igt_assert_eq(map_held(data), 0);
}

static int unmap_held(const void *data)
{
	(void)data;
	return test_call(PHYR_TEST_IOC_UNMAP);
}

static int detach(const void *data)
{
	(void)data;
	return test_call(PHYR_TEST_IOC_RELEASE);
}

/* Mapped or not, it can be mapped; then it goes. */
static void verify_held(const void *data, int result)
{
	(void)data;
	(void)result;
	s.held = held_now(s.test, s.held.id);
	igt_assert_eq(map_held(NULL), 0);
	igt_assert(s.held.mapped && s.held.ranges);
	release_held(s.test, s.held.id);
	close(s.dmabuf);
	assert_works();
}

static void verify_attached(const void *data, int result)
{
	if (result)
		igt_assert_eq(attach(data), 0);
	verify_held(data, result);
}

static void verify_map(const void *data, int result)
{
	igt_assert_eq(held_now(s.test, s.held.id).mapped, !result);
	verify_held(data, result);
}

static void verify_detached(const void *data, int result)
{
	igt_assert_eq(result, 0);
	verify_attached(data, -ENOENT);
}

static int pin_held(const void *data)
{
	(void)data;
	s.held.pinned = 1;
	return test_call(PHYR_TEST_IOC_PIN);
}

static int unpin_held(const void *data)
{
	(void)data;
	s.held.pinned = 0;
	return test_call(PHYR_TEST_IOC_PIN);
}

static void setup_pinned(const void *data)
{
	setup_attached(data);
	igt_assert_eq(pin_held(data), 0);
}

static void sweep_importer(const struct importer *importer)
{
	const struct fail_nth_call calls[] = {
		{ "attach", setup_dmabuf, attach, verify_attached,
		  .data = NULL },
		{ "map", setup_attached, map_held, verify_map,
		  .data = NULL },
		{ "unmap", setup_held, unmap_held, verify_held,
		  .data = NULL },
		{ "detach", setup_attached, detach, verify_detached,
		  .data = NULL },
		{ "pin", setup_attached, pin_held, verify_held,
		  .data = NULL },
		{ "unpin", setup_pinned, unpin_held, verify_held,
		  .data = NULL },
	};
	bool pins = importer->kind == PHYR_TEST_DYNAMIC ||
		    importer->kind == PHYR_TEST_REVOCABLE;
	char name[64];

	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++) {
		struct fail_nth_call call = calls[i];

		if (strstr(call.name, "pin") && !pins)
			continue;
		snprintf(name, sizeof(name), "dma-buf %s, %s", call.name,
			 importer->name);
		call.name = name;
		call.data = importer;
		fail_nth_sweep(&call);
	}
}

static void dmabufs(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(importers); i++)
		sweep_importer(&importers[i]);
}

/*
 * What else is done to a dma-buf
 */

static void setup_movable(const void *data)
{
	setup_import(data);
	s.held.id = hold_mapped(s.test, s.dmabuf, PHYR_TEST_NATIVE,
				PHYR_TEST_UNMAP_LATE);
	s.other = hold_mapped(s.test, s.dmabuf, PHYR_TEST_REVOCABLE,
			      PHYR_TEST_UNMAP_NOW);
	s.imported = import_buffer(s.copy, s.dmabuf);
	copy(s.copy, s.imported, s.witness_out, SIZE);
}

static void setup_movable_back(const void *data)
{
	setup_movable(data);
	move_buffer(s.vram, s.handle, IN_SYSTEM);
}

static void let_go(void)
{
	struct phyr_test_held held = { .id = s.other };

	copy(s.copy, s.imported, s.witness_out, SIZE);
	assert_bytes(s.out_mem, SEED, 0, SIZE);
	igt_assert_eq(phyr_ioctl(s.test, PHYR_TEST_IOC_MAP, &held), 0);
	igt_assert_eq(phyr_close_handle(s.copy, s.imported), 0);
	release_held(s.test, s.held.id);
	release_held(s.test, s.other);
	close(s.dmabuf);
}

static void verify_movable_out(const void *data, int result)
{
	let_go();
	verify_moved_out(data, result);
}

static void verify_movable_back(const void *data, int result)
{
	let_go();
	verify_moved_in(data, result);
}

static int sync_for_cpu(const void *data)
{
	struct dma_buf_sync sync = {
		.flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW,
	};
	int err = phyr_ioctl(s.dmabuf, DMA_BUF_IOCTL_SYNC, &sync);

	(void)data;
	sync.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW;
	return err ? err : phyr_ioctl(s.dmabuf, DMA_BUF_IOCTL_SYNC, &sync);
}

static int export_fences(const void *data)
{
	(void)data;
	return as_fd(phyr_dmabuf_sync_file(s.dmabuf, true), &s.other);
}

static void verify_closed(const void *data, int result)
{
	(void)result;
	close(s.dmabuf);
	verify_buffer(data, result);
}

static void verify_fences(const void *data, int result)
{
	if (!result)
		close(s.other);
	verify_closed(data, result);
}

/* The word that it writes is put right again. */
static int vmap_kernel(const void *data)
{
	struct phyr_test_vmap vmap = { .fd = s.dmabuf, .fill = 0x5a5a5a5a };

	(void)data;
	return phyr_ioctl(s.test, PHYR_TEST_IOC_VMAP, &vmap);
}

static int vmap_dmabuf(const void *data)
{
	struct phyr_test_vmap vmap = { .fd = s.dmabuf, .fill = 0x5a5a5a5a };

	(void)data;
	return phyr_ioctl(s.test, PHYR_TEST_IOC_DMABUF_VMAP, &vmap);
}

static void verify_vmapped(const void *data, int result)
{
	fill_vram(s.vram, s.handle, SIZE, SEED);
	verify_closed(data, result);
}

static int import_once(uint32_t api)
{
	struct phyr_test_range ranges[2 * EXTENTS];
	struct phyr_test_import import = {
		.fd = s.dmabuf,
		.api = api,
		.iterations = 1,
		.max_ranges = ARRAY_SIZE(ranges),
		.ranges = (uintptr_t)ranges,
	};

	return phyr_ioctl(s.test, PHYR_TEST_IOC_IMPORT, &import);
}

static int import_native(const void *data)
{
	(void)data;
	return import_once(PHYR_TEST_API_PHYR);
}

static int import_stock(const void *data)
{
	(void)data;
	return import_once(PHYR_TEST_API_STOCK);
}

static int export_extents(const void *data)
{
	struct phyr_test_export export = {
		.style = PHYR_TEST_STYLE_PHYR,
		.fd = -1,
		.count = EXTENTS,
		.len = SZ_4K,
		.stride = 2 * SZ_4K,
	};
	int err = phyr_ioctl(s.test, PHYR_TEST_IOC_EXPORT, &export);

	(void)data;
	s.dmabuf = export.fd;
	return err;
}

static void verify_export(const void *data, int result)
{
	if (!result)
		close(s.dmabuf);
	verify_works(data, result);
}

/* More entries than there is room for in a list without a chunk of its own. */
static int check_list(const void *data)
{
	struct phyr_test_range vecs[600];
	struct phyr_test_check check = {
		.vecs = (uintptr_t)vecs,
		.nr = ARRAY_SIZE(vecs),
		.size = ARRAY_SIZE(vecs) * SZ_4K,
	};

	(void)data;
	/* Descending, so that the check has to sort. */
	for (unsigned int i = 0; i < ARRAY_SIZE(vecs); i++) {
		vecs[i].addr = (ARRAY_SIZE(vecs) - i) * 2 * SZ_4K;
		vecs[i].len = SZ_4K;
	}
	return phyr_ioctl(s.test, PHYR_TEST_IOC_CHECK, &check);
}

static void operations(void)
{
	const struct fail_nth_call calls[] = {
		{ "dma-buf move out", setup_movable, move_out,
		  verify_movable_out, .data = &movable },
		{ "dma-buf move in", setup_movable_back, move_in,
		  verify_movable_back, .data = &movable },
		{ "dma-buf begin and end CPU access", setup_import,
		  sync_for_cpu, verify_closed, .data = &pieces },
		{ "dma-buf export sync file", setup_import, export_fences,
		  verify_fences, .data = &pieces },
		{ "kernel vmap, pieces", setup_import, vmap_kernel,
		  verify_vmapped, .data = &pieces },
		{ "kernel vmap, system memory", setup_import, vmap_kernel,
		  verify_vmapped, .data = &in_system },
		{ "dma-buf vmap", setup_import, vmap_dmabuf, verify_vmapped,
		  .data = &movable },
		{ "import native", setup_import, import_native, verify_closed,
		  .data = &pieces },
		{ "import stock", setup_import, import_stock, verify_closed,
		  .data = &pieces },
		{ "export extents", NULL, export_extents, verify_export,
		  .data = NULL },
		{ "check list", NULL, check_list, verify_works,
		  .data = NULL },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++)
		fail_nth_sweep(&calls[i]);
}

/*
 * The card goes, and comes back
 */

static int card_file = -1;

static void open_card_file(const char *file)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/" PHYR_VRAM_DRIVER
		 "/%s", file);
	card_file = open(path, O_WRONLY | O_CLOEXEC);
	igt_assert_f(card_file >= 0, "%s: %s\n", path, strerror(errno));
}

static int write_card_file(const void *data)
{
	(void)data;
	return as_errno(write(card_file, s.card.busid,
			      strlen(s.card.busid)) < 0 ? -1 : 0);
}

static void setup_revoke(const void *data)
{
	s.vram = open_device(&s.card);
	setup_import(data);
	s.held.id = hold_mapped(s.test, s.dmabuf, PHYR_TEST_NATIVE,
				PHYR_TEST_UNMAP_LATE);
	s.other = hold_mapped(s.test, s.dmabuf, PHYR_TEST_REVOCABLE,
			      PHYR_TEST_UNMAP_NOW);
	s.mem = map_vram(s.vram, s.handle, SIZE);
	open_card_file("unbind");
}

/* Gone for everybody, whatever failed; and the card can be had again. */
static void verify_revoked(const void *data, int result)
{
	struct phyr_test_held held = { .id = s.held.id };

	(void)data;
	/* The kernel's own file may fail before it gets to the driver. */
	igt_assert_eq(raises_sigbus(s.mem), !result);
	if (!result) {
		igt_assert_eq(phyr_ioctl(s.test, PHYR_TEST_IOC_MAP, &held),
			      -ENODEV);
		held.id = s.other;
		igt_assert_eq(phyr_ioctl(s.test, PHYR_TEST_IOC_MAP, &held),
			      -ENODEV);
	}
	unmap(s.mem, SIZE);
	release_held(s.test, s.held.id);
	release_held(s.test, s.other);
	close(s.dmabuf);
	close(s.vram);
	close(card_file);
	if (!result)
		pci_bind(s.card.busid, PHYR_VRAM_DRIVER);
}

static void revocation(void)
{
	const struct fail_nth_call call = {
		"revoke", setup_revoke, write_card_file, verify_revoked,
		.data = &movable,
	};

	clear_stage();
	s.test = open_phyr_test(SECOND_IVSHMEM);
	fail_nth_sweep(&call);
	close(s.test);
	set_stage();
	assert_works();
}

/*
 * The display
 */

static struct display display;
static struct fb shown, other, foreign, reread;

static const struct fb small = {
	.width = 640,
	.height = 480,
	.format = DRM_FORMAT_RGB565,
};

static void set_display(void)
{
	display = open_display();
	use_mode(&display, 640, 480);
	shown = create_fb(&display, small, 1);
	other = create_fb(&display, small, 2);
	foreign = import_fb(&display, small, create_udmabuf(2 * 640 * 480), 3);
	show(&display, &shown);
}

static void clear_display(void)
{
	remove_fb(&display, &shown);
	remove_fb(&display, &other);
	remove_fb(&display, &foreign);
	close_display(&display);
}

static void setup_shown(const void *data)
{
	(void)data;
	show(&display, &shown);
}

static int add_fb(const void *data)
{
	return try_add_fb(display.fd, data, &reread.id);
}

static void verify_fb_added(const void *data, int result)
{
	(void)data;
	if (!result)
		igt_assert_eq(drmModeRmFB(display.fd, reread.id), 0);
	flip(&display, &other);
	flip(&display, &shown);
}

static void setup_fb(const void *data)
{
	igt_assert_eq(add_fb(data), 0);
}

static int remove_id(const void *data)
{
	(void)data;
	return phyr_ioctl(display.fd, DRM_IOCTL_MODE_RMFB, &reread.id);
}

static void verify_fb_removed(const void *data, int result)
{
	if (result)
		igt_assert_eq(remove_id(data), 0);
	flip(&display, &other);
	flip(&display, &shown);
}

static void setup_off(const void *data)
{
	(void)data;
	turn_off(&display);
}

/* As a program without atomic commits does it. */
static int set_mode(const void *data)
{
	const struct fb *fb = data;
	struct drm_mode_crtc crtc = {
		.set_connectors_ptr = (uintptr_t)&display.connector,
		.count_connectors = 1,
		.crtc_id = display.crtc,
		.fb_id = fb->id,
		.mode_valid = 1,
	};

	memcpy(&crtc.mode, &display.mode, sizeof(crtc.mode));
	return phyr_ioctl(display.fd, DRM_IOCTL_MODE_SETCRTC, &crtc);
}

static void verify_shown(const void *data, int result)
{
	(void)data;
	(void)result;
	show(&display, &shown);
}

static int commit_test(const void *data)
{
	return try_flip(&display, data, DRM_MODE_ATOMIC_TEST_ONLY);
}

static int commit_fb(const void *data)
{
	return try_flip(&display, data, 0);
}

static int commit_event(const void *data)
{
	return try_flip(&display, data, DRM_MODE_ATOMIC_NONBLOCK |
			DRM_MODE_PAGE_FLIP_EVENT);
}

static int page_flip(const void *data)
{
	const struct fb *fb = data;
	struct drm_mode_crtc_page_flip flip = {
		.crtc_id = display.crtc,
		.fb_id = fb->id,
		.flags = DRM_MODE_PAGE_FLIP_EVENT,
	};

	return phyr_ioctl(display.fd, DRM_IOCTL_MODE_PAGE_FLIP, &flip);
}

static void verify_committed(const void *data, int result)
{
	(void)result;
	flip(&display, data);
	flip(&display, &shown);
}

static void verify_flipped(const void *data, int result)
{
	if (!result)
		wait_for_flip(&display);
	verify_committed(data, result);
}

static int dirty_fb(const void *data)
{
	const struct fb *fb = data;
	struct drm_mode_fb_dirty_cmd dirty = { .fb_id = fb->id };

	return phyr_ioctl(display.fd, DRM_IOCTL_MODE_DIRTYFB, &dirty);
}

static void setup_data_shown(const void *data)
{
	flip(&display, data);
}

static int turn_display_off(const void *data)
{
	(void)data;
	return try_turn_off(&display);
}

static void verify_off(const void *data, int result)
{
	if (result)
		turn_off(&display);
	verify_shown(data, result);
}

static int open_crc(const void *data)
{
	char path[96];

	(void)data;
	phyr_device_debugfs(&display.card, "crtc-0/crc/data", path,
			    sizeof(path));
	s.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return as_errno(s.fd);
}

static void verify_crc(const void *data, int result)
{
	if (result)
		igt_assert_eq(open_crc(data), 0);
	close(s.fd);
	verify_committed(data, 0);
}

static void displays(void)
{
	const struct fail_nth_call calls[] = {
		{ "display add framebuffer", setup_shown, add_fb,
		  verify_fb_added, .data = &other },
		{ "display add framebuffer, foreign", setup_shown, add_fb,
		  verify_fb_added, .data = &foreign },
		{ "display remove framebuffer", setup_fb, remove_id,
		  verify_fb_removed, .data = &other },
		{ "display test", setup_shown, commit_test, verify_committed,
		  .data = &other },
		{ "display set mode", setup_off, set_mode, verify_shown,
		  .data = &other },
		{ "display turn off", setup_shown, turn_display_off, verify_off,
		  .data = NULL },
		{ "display commit", setup_shown, commit_fb, verify_committed,
		  .data = &other },
		/* udmabuf's vmap says EINVAL when it cannot map. */
		{ "display commit, foreign", setup_shown, commit_fb,
		  verify_committed, .data = &foreign, .also = EINVAL },
		{ "display commit, later", setup_shown, commit_event,
		  verify_flipped, .data = &other },
		{ "display commit, foreign, later", setup_shown, commit_event,
		  verify_flipped, .data = &foreign, .also = EINVAL },
		{ "display page flip", setup_shown, page_flip, verify_flipped,
		  .data = &other },
		{ "display dirty", setup_shown, dirty_fb, verify_committed,
		  .data = &shown },
		{ "display dirty, foreign", setup_data_shown, dirty_fb,
		  verify_committed, .data = &foreign },
		{ "display crc", setup_shown, open_crc, verify_crc,
		  .data = &other },
	};

	set_display();
	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++) {
		fail_nth_sweep(&calls[i]);
		assert_shown(&display, &shown);
	}
	clear_display();
}

/*
 * What workers do
 */

#define LONG	(5 * SZ_1M)

/* A job of several scripts, whichever way the engine sees the memory. */
static void setup_long_job(const void *data)
{
	(void)data;
	create_fences(false);
}

static int run_long_job(const void *data)
{
	struct drm_phyr_copy_submit job = the_job(LONG);

	(void)data;
	igt_assert_eq(phyr_copy_submit(s.copy, &job), 0);
	return phyr_syncobj_wait(s.copy, s.out_fence);
}

static void verify_long_job(const void *data, int result)
{
	(void)data;
	(void)result;
	phyr_syncobj_destroy(s.copy, s.out_fence);
	copy(s.copy, s.imported, s.own, LONG);
	assert_own(s.copy, s.own, LONG, SEED);
	fill_own(s.copy, s.own, LONG, SEED + 1);
	assert_works();
}

static void engine_workers(void)
{
	const struct fail_nth_call call = {
		"copy job", setup_long_job, run_long_job, verify_long_job,
		.also = EIO, .in_worker = true,
	};

	s.handle = create_vram(s.vram, LONG, IN_VRAM, SZ_64K);
	fill_vram(s.vram, s.handle, LONG, SEED);
	s.imported = import_from(s.copy, s.vram, s.handle);
	s.own = create_own(s.copy, LONG);
	fail_nth_sweep(&call);
	igt_assert_eq(phyr_close_handle(s.vram, s.handle), 0);
	igt_assert_eq(phyr_close_handle(s.copy, s.imported), 0);
	igt_assert_eq(phyr_close_handle(s.copy, s.own), 0);
}

static int commit_and_wait(const void *data)
{
	int err = commit_event(data);

	if (!err)
		wait_for_flip(&display);
	return err;
}

/* A commit does not fail late: what it could not copy comes with the next. */
static void verify_copied(const void *data, int result)
{
	const struct fb *fb = data;
	drmModeClip clip = { 0, 0, 8, 8 };

	igt_assert_eq(result, 0);
	igt_assert_eq(drmModeDirtyFB(display.fd, fb->id, &clip, 1), 0);
	assert_shown(&display, fb);
	flip(&display, &shown);
}

static void display_workers(void)
{
	const struct fail_nth_call call = {
		"display copy", setup_shown, commit_and_wait, verify_copied,
		.in_worker = true, .data = &foreign,
	};

	set_display();
	fail_nth_sweep(&call);
	clear_display();
}

/*
 * Leaks that nobody's books show
 */

/* Drivers are unbound, so that DMA-API debugging tells what is still mapped. */
static void leaks(void)
{
	clear_stage();
	run("rmmod phyr_test phyr_copy phyr_vram");
	run("/phyr/vm/guest/bind");
	set_stage();
	assert_works();
	run("/phyr/vm/guest/leaks");
}

static const struct {
	const char *name;
	const char *describe;
	void (*run)(void);
} subtests[] = {
	{ "files", "Files of both drivers: opened, closed, read", files },
	{ "buffers", "Buffers of the card: made, looked at, moved, closed",
	  buffers },
	{ "evict", "A buffer for which another one has to go", evict },
	{ "mmap", "mmap and page faults, of nodes and dma-bufs", mappings },
	{ "prime", "Exports and imports of both drivers", prime },
	{ "engine", "Buffers and jobs of the engine", engine },
	{ "importers",
	  "Attach, map, unmap, detach, pin: native and stock importers",
	  dmabufs },
	{ "dma-buf", "Moves under importers, CPU access, vmap", operations },
	{ "revoke", "The card is unbound under importers", revocation },
	{ "display", "Framebuffers, commits, flips and CRCs", displays },
	{ "engine-workers", "The engine's threads, in the middle of a job",
	  engine_workers },
	{ "display-workers",
	  "The worker that copies another driver's framebuffer",
	  display_workers },
};

igt_main()
{
	static unsigned int i, ran;

	igt_fixture() {
		igt_require_f(fail_nth_available(),
			      "the kernel has no fault injection; see vm/run --kernel debug\n");
		s.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		set_stage();
		assert_works();
		fail_nth_begin();
	}

	for (i = 0; i < ARRAY_SIZE(subtests); i++) {
		igt_describe(subtests[i].describe);
		igt_subtest(subtests[i].name) {
			/*
			 * TTM, debugfs and others tell of what they did not
			 * get; vm/scan-log knows what would be a bug.
			 */
			igt_emit_ignore_dmesg_regex(".");
			subtests[i].run();
			ran++;
		}
	}

	igt_describe("Nothing is left mapped or allocated");
	igt_subtest("leaks")
		leaks();

	igt_describe("All of them have more than 300 points to fail at");
	igt_subtest("points") {
		igt_require_f(ran == ARRAY_SIZE(subtests),
			      "%u of %zu other subtests have run\n", ran,
			      ARRAY_SIZE(subtests));
		igt_info("Figures: %u points\n", fail_nth_points());
		igt_assert_lte_u64(FEWEST_POINTS, fail_nth_points());
	}

	igt_fixture() {
		fail_nth_end();
		clear_stage();
	}
}

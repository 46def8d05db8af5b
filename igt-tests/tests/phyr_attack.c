// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <inttypes.h>
#include <linux/dma-buf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#include "attacker.h"
#include "display.h"
#include "lib.h"
#include "traffic.h"

IGT_TEST_DESCRIPTION("What a process without privileges may try, and what it gets for it");

#define SIZE	SZ_64K
/* What a secret is made of. */
#define MARK	0xa7

static uint64_t vram_offset(int vram, uint32_t handle)
{
	struct drm_phyr_vram_gem_mmap map = { .handle = handle };

	igt_assert_eq(phyr_ioctl(vram, DRM_IOCTL_PHYR_VRAM_GEM_MMAP, &map), 0);
	return map.offset;
}

static uint64_t own_offset(int engine, uint32_t handle)
{
	struct drm_phyr_copy_gem_mmap map = { .handle = handle };

	igt_assert_eq(phyr_ioctl(engine, DRM_IOCTL_PHYR_COPY_GEM_MMAP, &map), 0);
	return map.offset;
}

/* The victim of most attacks: a client of its own on each device. */
static struct {
	int vram;
	int engine;
	int dmabuf;
	uint32_t handle;
	uint32_t own;
	uint32_t syncobj;
} victim;

static void start_victim(void)
{
	victim.vram = open_vram(0);
	victim.engine = open_copy(0);
	victim.handle = create_vram(victim.vram, SIZE, IN_VRAM, 0);
	victim.own = create_own(victim.engine, SIZE);
	fill_vram(victim.vram, victim.handle, SIZE, 1);
	fill_own(victim.engine, victim.own, SIZE, 2);
	victim.dmabuf = export_buffer(victim.vram, victim.handle);
	igt_assert_eq(phyr_syncobj_create(victim.engine, &victim.syncobj), 0);
}

static void end_victim(void)
{
	assert_vram(victim.vram, victim.handle, SIZE, 1);
	assert_own(victim.engine, victim.own, SIZE, 2);
	close(victim.dmabuf);
	close(victim.engine);
	close(victim.vram);
}

static void attack_victim(void (*attack)(void))
{
	start_victim();
	under_attack(attack, NULL);
	end_victim();
}

/*
 * Guessing
 */

static void guess_handle(int vram, int engine, uint32_t handle)
{
	struct drm_phyr_vram_gem_info info;
	struct drm_phyr_vram_gem_mmap map = { .handle = handle };
	struct drm_phyr_copy_gem_info own_info;
	struct drm_phyr_copy_gem_mmap own_map = { .handle = handle };
	struct drm_phyr_copy_submit submit = {
		.src_handle = handle, .dst_handle = handle, .len = 1,
	};

	igt_assert_eq(phyr_vram_gem_info(vram, handle, &info), -ENOENT);
	igt_assert_eq(phyr_ioctl(vram, DRM_IOCTL_PHYR_VRAM_GEM_MMAP, &map),
		      -ENOENT);
	igt_assert_eq(try_move_buffer(vram, handle, IN_SYSTEM), -ENOENT);
	igt_assert_eq(phyr_export(vram, handle), -ENOENT);
	igt_assert_eq(phyr_close_handle(vram, handle), -EINVAL);
	igt_assert_eq(phyr_copy_gem_info(engine, handle, &own_info), -ENOENT);
	igt_assert_eq(phyr_ioctl(engine, DRM_IOCTL_PHYR_COPY_GEM_MMAP, &own_map),
		      -ENOENT);
	igt_assert_eq(phyr_copy_submit(engine, &submit), -ENOENT);
	igt_assert_eq(phyr_export(engine, handle), -ENOENT);
	igt_assert_eq(phyr_close_handle(engine, handle), -EINVAL);
}

static void guess_handles(void)
{
	static const uint32_t odd[] = {
		0, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff,
	};
	int vram = open_device(&scene.card), engine = open_device(&scene.engine);

	for (uint32_t handle = 1; handle <= 1000; handle++)
		guess_handle(vram, engine, handle);
	for (unsigned int i = 0; i < ARRAY_SIZE(odd); i++)
		guess_handle(vram, engine, odd[i]);
}

/* Global names are an old way to share; those who have them are DRM masters' friends. */
static void guess_names_on(const char *path, uint32_t known)
{
	int fd = open_path(path);
	struct drm_gem_flink flink = { .handle = 1 };

	for (uint32_t name = 0; name <= 100; name++) {
		struct drm_gem_open open = { .name = name ? name : known };

		ASSERT_ERRNO(ioctl(fd, DRM_IOCTL_GEM_OPEN, &open), EACCES);
	}
	ASSERT_ERRNO(ioctl(fd, DRM_IOCTL_GEM_FLINK, &flink), EACCES);
	close(fd);
}

static uint32_t flink_name;

static void guess_names_attack(void)
{
	guess_names_on(scene.card.render, flink_name);
	guess_names_on(scene.engine.render, flink_name);
	guess_names_on(scene.card.primary, flink_name);
	guess_names_on(scene.engine.primary, flink_name);
}

static void guess_names(void)
{
	struct phyr_device card = vram_device(0);
	struct drm_gem_flink flink = { 0 };
	/* Root's: master of the one, and on the other at least no attacker is. */
	int primary = open_path(card.primary);
	int master = open_path(copy_device(0).primary);

	flink.handle = create_vram(primary, SIZE, IN_VRAM, 0);
	igt_assert_eq(phyr_ioctl(primary, DRM_IOCTL_GEM_FLINK, &flink), 0);
	flink_name = flink.name;
	under_attack(guess_names_attack, NULL);
	close(master);
	close(primary);
}

static void import_no_dmabuf(int drm, int fd, int err)
{
	uint32_t handle;

	igt_assert_eq(phyr_import(drm, fd, &handle), err);
}

static void never_shared(void)
{
	int vram = open_device(&scene.card), engine = open_device(&scene.engine);
	int null = open_path("/dev/null"), memfd = memfd_create("x", MFD_CLOEXEC);
	int drm[] = { vram, engine }, pidfd;
	char path[64], byte;
	struct iovec local = { &byte, 1 }, remote = { &victim, 1 };

	for (unsigned int i = 0; i < ARRAY_SIZE(drm); i++) {
		for (int fd = 500; fd < 600; fd++)
			import_no_dmabuf(drm[i], fd, -EBADF);
		import_no_dmabuf(drm[i], -1, -EBADF);
		import_no_dmabuf(drm[i], null, -EINVAL);
		import_no_dmabuf(drm[i], memfd, -EINVAL);
		import_no_dmabuf(drm[i], vram, -EINVAL);
		import_no_dmabuf(drm[i], engine, -EINVAL);
	}

	pidfd = syscall(SYS_pidfd_open, scene.victim, 0);
	igt_assert(pidfd >= 0);
	ASSERT_ERRNO(syscall(SYS_pidfd_getfd, pidfd, victim.dmabuf, 0), EPERM);
	ASSERT_ERRNO(syscall(SYS_pidfd_getfd, pidfd, victim.vram, 0), EPERM);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", scene.victim,
		 victim.dmabuf);
	ASSERT_ERRNO(open(path, O_RDWR), EACCES);
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", scene.victim,
		 victim.dmabuf);
	ASSERT_ERRNO(open(path, O_RDONLY), EACCES);
	snprintf(path, sizeof(path), "/proc/%d/mem", scene.victim);
	ASSERT_ERRNO(open(path, O_RDONLY), EACCES);
	ASSERT_ERRNO(ptrace(PTRACE_ATTACH, scene.victim, 0, 0), EPERM);
	ASSERT_ERRNO(process_vm_readv(scene.victim, &local, 1, &remote, 1, 0),
		     EPERM);
}

/*
 * Mapping
 */

/* Something of SIZE bytes that the attacker may map, all of it. */
struct window {
	const char *name;
	int fd;
	uint64_t offset;
};

/* VRAM, system memory and the engine's own; each by its node and as a dma-buf. */
static unsigned int open_windows(struct window *windows)
{
	int vram = open_device(&scene.card), engine = open_device(&scene.engine);
	uint32_t in_vram = create_vram(vram, SIZE, IN_VRAM, SZ_4K);
	uint32_t in_system = create_vram(vram, SIZE, IN_SYSTEM, 0);
	uint32_t own = create_own(engine, SIZE);
	const struct window all[] = {
		{ "VRAM, by the node", vram, vram_offset(vram, in_vram) },
		{ "VRAM, as a dma-buf", export_buffer(vram, in_vram), 0 },
		{ "system memory, by the node", vram,
		  vram_offset(vram, in_system) },
		{ "system memory, as a dma-buf",
		  export_buffer(vram, in_system), 0 },
		{ "the engine's, by the node", engine, own_offset(engine, own) },
		{ "the engine's, as a dma-buf", export_buffer(engine, own), 0 },
	};

	memcpy(windows, all, sizeof(all));
	return ARRAY_SIZE(all);
}

#define MAX_WINDOWS	6

static void *map_window(const struct window *window)
{
	void *mem = phyr_mmap(window->fd, SIZE, PROT_READ | PROT_WRITE,
			      window->offset);

	igt_assert_f(mem != MAP_FAILED, "%s: %s\n", window->name,
		     strerror(errno));
	return mem;
}

static void assert_no_map(const struct window *window, uint64_t skip,
			  uint64_t len, int prot, int flags, int err)
{
	void *mem = mmap(NULL, len, prot, flags, window->fd,
			 window->offset + skip);

	igt_assert_f(mem == MAP_FAILED, "%s: %#" PRIx64 " bytes at %#" PRIx64
		     " were mapped\n", window->name, len, skip);
	igt_assert_f(errno == err, "%s: %#" PRIx64 " bytes at %#" PRIx64
		     ": %s, not %s\n", window->name, len, skip, strerror(errno),
		     strerror(err));
}

static void mmap_past_end(void)
{
	struct window windows[MAX_WINDOWS];
	unsigned int nr = open_windows(windows);
	void *mem;

	for (unsigned int i = 0; i < nr; i++) {
		const struct window *window = &windows[i];

		assert_no_map(window, 0, SIZE + 1, PROT_READ, MAP_SHARED, EINVAL);
		assert_no_map(window, 0, SIZE + SZ_4K, PROT_READ, MAP_SHARED,
			      EINVAL);
		assert_no_map(window, 0, SZ_4G, PROT_READ, MAP_SHARED, EINVAL);
		/* Behind it on the node is the next buffer, which is its own. */
		if (!window->offset)
			assert_no_map(window, SIZE, SZ_4K, PROT_READ,
				      MAP_SHARED, EINVAL);
		assert_no_map(window, SIZE - SZ_4K, 2 * SZ_4K, PROT_READ,
			      MAP_SHARED, EINVAL);
		/* The last page that there is, by a number that overflows. */
		assert_no_map(window, (1ull << 63) - SZ_4K - window->offset,
			      SZ_4K, PROT_READ, MAP_SHARED, EINVAL);
		assert_no_map(window, -SZ_4K - window->offset, 2 * SZ_4K,
			      PROT_READ, MAP_SHARED, EOVERFLOW);
	}

	for (unsigned int i = 0; i < nr; i++) {
		mem = map_window(&windows[i]);
		/* A mapping cannot grow, */
		ASSERT_ERRNO((long)mremap(mem, SIZE, 2 * SIZE, MREMAP_MAYMOVE),
			     EFAULT);
		ASSERT_ERRNO((long)mremap(mem, 0, 2 * SIZE, MREMAP_MAYMOVE),
			     EFAULT);
		/* and not slide along the file. */
		ASSERT_ERRNO(remap_file_pages(mem, SIZE, 0, 1ull << 40, 0),
			     EINVAL);
		unmap(mem, SIZE);
	}
}

/* Nor is there another way into a dma-buf, or out of its size. */
static void dmabuf_as_a_file(void)
{
	struct window windows[MAX_WINDOWS];
	unsigned int nr = open_windows(windows);
	char bytes[64];

	for (unsigned int i = 1; i < nr; i += 2) {
		int dmabuf = windows[i].fd;

		ASSERT_ERRNO(read(dmabuf, bytes, sizeof(bytes)), EINVAL);
		ASSERT_ERRNO(write(dmabuf, bytes, sizeof(bytes)), EINVAL);
		ASSERT_ERRNO(pread(dmabuf, bytes, sizeof(bytes), SIZE), ESPIPE);
		ASSERT_ERRNO(lseek(dmabuf, SIZE, SEEK_SET), EINVAL);
		igt_assert_eq(lseek(dmabuf, 0, SEEK_END), SIZE);
		ASSERT_ERRNO(ftruncate(dmabuf, 2 * SIZE), EINVAL);
		ASSERT_ERRNO(fallocate(dmabuf, 0, 0, 2 * SIZE), ENODEV);
		igt_assert_eq(lseek(dmabuf, 0, SEEK_END), SIZE);
	}
}

static uint64_t victims_offset, victims_own_offset;

static void guess_offsets_of(int fd, uint64_t known)
{
	const uint64_t first = SZ_4G;
	unsigned int denied = 0;
	void *mem;

	mem = phyr_mmap(fd, SIZE, PROT_READ, known);
	igt_assert(mem == MAP_FAILED);
	igt_assert_eq(errno, EACCES);

	/* Offsets are given out from here on, without gaps. */
	for (uint64_t page = 0; page < 2000; page++) {
		mem = phyr_mmap(fd, SZ_4K, PROT_READ, first + page * SZ_4K);
		igt_assert(mem == MAP_FAILED);
		igt_assert_f(errno == EACCES || errno == EINVAL,
			     "offset %#" PRIx64 ": %s\n", (uint64_t)(first + page * SZ_4K),
			     strerror(errno));
		denied += errno == EACCES;
	}
	igt_info("%u offsets denied\n", denied);
}

static void mmap_guessed_attack(void)
{
	guess_offsets_of(open_device(&scene.card), victims_offset);
	guess_offsets_of(open_device(&scene.engine), victims_own_offset);
	/* The same device by its other node. */
	guess_offsets_of(open_path(scene.card.primary), victims_offset);
	guess_offsets_of(open_path(scene.engine.primary), victims_own_offset);
}

static void mmap_guessed(void)
{
	start_victim();
	victims_offset = vram_offset(victim.vram, victim.handle);
	victims_own_offset = own_offset(victim.engine, victim.own);
	under_attack(mmap_guessed_attack, NULL);
	end_victim();
}

/* What was allowed once is so no more when the handle is closed. */
static void mmap_after_close(void)
{
	int vram = open_device(&scene.card), engine = open_device(&scene.engine);
	uint32_t handle = create_vram(vram, SIZE, IN_VRAM, 0);
	uint32_t own = create_own(engine, SIZE);
	struct window closed[] = {
		{ "VRAM", vram, vram_offset(vram, handle) },
		{ "the engine's", engine, own_offset(engine, own) },
	};
	int dmabufs[] = { export_buffer(vram, handle),
			  export_buffer(engine, own) };

	igt_assert_eq(phyr_close_handle(vram, handle), 0);
	igt_assert_eq(phyr_close_handle(engine, own), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(closed); i++) {
		/* The dma-buf keeps the buffer, but not the right to it. */
		assert_no_map(&closed[i], 0, SIZE, PROT_READ, MAP_SHARED,
			      EACCES);
		close(dmabufs[i]);
		assert_no_map(&closed[i], 0, SIZE, PROT_READ, MAP_SHARED,
			      EINVAL);
	}
}

static void mmap_exec(void)
{
	struct window windows[MAX_WINDOWS];
	unsigned int nr = open_windows(windows);
	int was = personality(0xffffffff);

	for (unsigned int i = 0; i < nr; i++) {
		void *mem;

		assert_no_map(&windows[i], 0, SIZE, PROT_EXEC, MAP_SHARED,
			      EPERM);
		assert_no_map(&windows[i], 0, SIZE,
			      PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED,
			      EPERM);
		mem = map_window(&windows[i]);
		ASSERT_ERRNO(mprotect(mem, SIZE, PROT_READ | PROT_EXEC), EACCES);
		ASSERT_ERRNO(mprotect(mem, SZ_4K, PROT_EXEC), EACCES);
		/* Old programs get PROT_EXEC with PROT_READ, unasked. */
		igt_assert(personality(was | READ_IMPLIES_EXEC) >= 0);
		/* Not of dma-bufs, whose file system is one without programs. */
		if (windows[i].offset)
			assert_no_map(&windows[i], 0, SIZE, PROT_READ,
				      MAP_SHARED, EPERM);
		else
			unmap(map_window(&windows[i]), SIZE);
		ASSERT_ERRNO(mprotect(mem, SIZE, PROT_READ | PROT_EXEC), EACCES);
		igt_assert(personality(was) >= 0);
		unmap(mem, SIZE);
	}
}

static void mmap_private(void)
{
	struct window windows[MAX_WINDOWS];
	unsigned int nr = open_windows(windows);

	for (unsigned int i = 0; i < nr; i++) {
		assert_no_map(&windows[i], 0, SIZE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE, EINVAL);
		assert_no_map(&windows[i], 0, SIZE, PROT_READ, MAP_PRIVATE,
			      EINVAL);
		assert_no_map(&windows[i], 0, SIZE, PROT_NONE, MAP_PRIVATE,
			      EINVAL);
	}
}

/* Who got it to read may not map it to write. */
static void mmap_read_only(void)
{
	int vram = open_device(&scene.card), dmabuf;
	uint32_t handle = create_vram(vram, SIZE, IN_VRAM, 0);
	struct window window = { .name = "a read-only dma-buf" };
	void *mem;

	igt_assert_eq(drmPrimeHandleToFD(vram, handle, DRM_CLOEXEC, &dmabuf), 0);
	window.fd = dmabuf;
	assert_no_map(&window, 0, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
		      EACCES);
	mem = phyr_mmap(dmabuf, SIZE, PROT_READ, 0);
	igt_assert(mem != MAP_FAILED);
	ASSERT_ERRNO(mprotect(mem, SIZE, PROT_READ | PROT_WRITE), EACCES);
	unmap(mem, SIZE);
}

/*
 * Holding on
 */

static void wait_for_jobs(int engine, uint32_t syncobj, int wanted)
{
	igt_assert_eq(phyr_syncobj_wait(engine, syncobj), wanted);
}

static void hold_card_attack(void)
{
	int vram = open_device(&scene.card), engine = open_device(&scene.engine);
	uint32_t handle = create_vram(vram, SIZE, IN_VRAM, SZ_4K), imported;
	struct drm_phyr_copy_submit submit = { .len = SIZE };
	struct drm_phyr_vram_gem_info info;
	int dmabuf = export_buffer(vram, handle);
	uint8_t *node = map_vram(vram, handle, SIZE);
	uint8_t *file = map_dmabuf(dmabuf, SIZE), *own, *late;

	memset(node, MARK, SIZE);
	imported = import_buffer(engine, dmabuf);
	submit.src_handle = imported;
	submit.dst_handle = create_own(engine, SIZE);
	own = map_own(engine, submit.dst_handle, SIZE);
	igt_assert_eq(phyr_syncobj_create(engine, &submit.out_syncobj), 0);
	tell(0);
	be_told();
	igt_assert_eq(phyr_copy_submit(engine, &submit), 0);
	tell(0);
	/* The card goes, and comes back with another client on it. */
	for (int round = 0; round < 2; round++) {
		be_told();
		igt_assert(raises_sigbus(node));
		igt_assert(raises_sigbus(node + SIZE - 1));
		igt_assert(raises_sigbus(file));
		igt_assert_eq(phyr_vram_gem_info(vram, handle, &info), -ENODEV);
		igt_assert_eq(phyr_export(vram, handle), -ENODEV);
		igt_assert_eq(phyr_import(open_device(&scene.engine), dmabuf,
					  &imported), -ENODEV);
		igt_assert_eq(phyr_copy_submit(engine, &submit), -ENODEV);
		late = phyr_mmap(dmabuf, SIZE, PROT_READ, 0);
		igt_assert(late == MAP_FAILED || raises_sigbus(late));
		/* The job was the engine's until it gave up; it copied nothing. */
		wait_for_jobs(engine, submit.out_syncobj, -ETIMEDOUT);
		assert_zero(own, SIZE);
		tell(0);
	}
}

static void hold_card_victim(pid_t attacker)
{
	uint64_t free = vram_free(&scene.card);
	int vram;

	(void)attacker;
	be_told();
	igt_assert_eq(phyr_hang(&scene.engine, 1), 0);
	tell(0);
	be_told();
	take_away(scene.card.busid, UNBIND);
	tell(0);
	be_told();
	give_back(scene.card.busid, PHYR_VRAM_DRIVER, UNBIND);
	vram = open_vram(0);
	free = vram_free(&scene.card);
	fill_vram(vram, create_vram(vram, 4 * SZ_1M, IN_VRAM, 0), 4 * SZ_1M, 3);
	tell(0);
	be_told();
	close(vram);
	wait_for_vram_free(&scene.card, free);
}

static void hold_engine_attack(void)
{
	int engine = open_device(&scene.engine), vram = open_device(&scene.card);
	struct drm_phyr_copy_submit submit = { .len = SIZE };
	struct drm_phyr_copy_gem_info info;
	uint32_t handle;
	int dmabuf;
	void *mem;

	submit.src_handle = create_own(engine, SIZE);
	submit.dst_handle = import_from(engine, vram,
					create_vram(vram, SIZE, IN_VRAM, 0));
	igt_assert_eq(phyr_syncobj_create(engine, &submit.out_syncobj), 0);
	dmabuf = export_buffer(engine, submit.src_handle);
	mem = map_own(engine, submit.src_handle, SIZE);
	memset(mem, MARK, SIZE);
	tell(0);
	be_told();
	igt_assert_eq(phyr_copy_submit(engine, &submit), 0);
	tell(0);
	be_told();
	igt_assert_eq(phyr_copy_submit(engine, &submit), -ENODEV);
	igt_assert_eq(phyr_copy_gem_info(engine, submit.src_handle, &info),
		      -ENODEV);
	igt_assert_eq(phyr_copy_create(engine, SIZE, &handle), -ENODEV);
	/* Its own pages stay its own, and nobody else's. */
	igt_assert(raises_sigbus(mem) || *(uint8_t *)mem == MARK);
	close(dmabuf);
	tell(0);
}

static void hold_engine_victim(pid_t attacker)
{
	(void)attacker;
	be_told();
	igt_assert_eq(phyr_hang(&scene.engine, 1), 0);
	tell(0);
	be_told();
	take_away(scene.engine.busid, UNBIND);
	tell(0);
	be_told();
	give_back(scene.engine.busid, PHYR_COPY_DRIVER, UNBIND);
}

static void hold_card(void)
{
	under_attack(hold_card_attack, hold_card_victim);
}

static void hold_engine(void)
{
	under_attack(hold_engine_attack, hold_engine_victim);
}

/*
 * Bytes of others
 */

/* New buffers, all VRAM of the smaller card, to their last page's last byte. */
static void stale_bytes_attack(void)
{
	int vram = open_device(&scene.display), engine = open_device(&scene.engine);
	static const uint64_t sizes[] = { 1, SZ_4K - 1, SZ_4K + 1, SZ_64K + 7 };
	uint32_t handle;
	void *mem;

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint64_t whole = (sizes[i] + SZ_4K - 1) & ~(SZ_4K - 1);

		handle = create_vram(vram, sizes[i], IN_SYSTEM, 0);
		mem = map_vram(vram, handle, whole);
		assert_zero(mem, whole);
		unmap(mem, whole);
		mem = map_own(engine, create_own(engine, sizes[i]), whole);
		assert_zero(mem, whole);
		unmap(mem, whole);
		handle = create_vram(vram, sizes[i], IN_VRAM, 0);
		mem = map_vram(vram, handle, whole);
		assert_zero(mem, whole);
		unmap(mem, whole);
	}
	for (uint64_t size = SZ_1M; size >= SZ_4K; size /= 16)
		while (!phyr_vram_create(vram, size, IN_VRAM, 0, &handle)) {
			mem = map_vram(vram, handle, size);
			assert_zero(mem, size);
			unmap(mem, size);
		}
}

static void fill_all(int vram)
{
	uint32_t handle;

	for (uint64_t size = SZ_1M; size >= SZ_4K; size /= 16)
		while (!phyr_vram_create(vram, size, IN_VRAM, 0, &handle)) {
			void *mem = map_vram(vram, handle, size);

			memset(mem, MARK, size);
			unmap(mem, size);
		}
}

static void stale_bytes(void)
{
	struct phyr_device small = small_vram_device();
	int vram = open_device(&small), engine = open_copy(0);
	uint64_t free = vram_free(&small);

	fill_all(vram);
	for (int i = 0; i < 8; i++) {
		uint32_t system = create_vram(vram, SZ_1M, IN_SYSTEM, 0);
		void *mem = map_vram(vram, system, SZ_1M);

		memset(mem, MARK, SZ_1M);
		unmap(mem, SZ_1M);
		mem = map_own(engine, create_own(engine, SZ_1M), SZ_1M);
		memset(mem, MARK, SZ_1M);
		unmap(mem, SZ_1M);
	}
	close(engine);
	close(vram);
	wait_for_vram_free(&small, free);
	under_attack(stale_bytes_attack, NULL);
	wait_for_vram_free(&small, free);
}

/* Copies that leave their buffers, by a byte or by the whole address space. */
static void copy_out_of_range(void)
{
	static const struct {
		uint64_t src;
		uint64_t dst;
		uint64_t len;
		int err;
	} copies[] = {
		{ 0, 0, SIZE + 1, -EINVAL },
		{ 1, 0, SIZE, -EINVAL },
		{ 0, 1, SIZE, -EINVAL },
		{ SIZE, 0, 1, -EINVAL },
		{ 0, SIZE, 1, -EINVAL },
		{ SIZE - 1, 0, 2, -EINVAL },
		{ 0, 0, 0, -EINVAL },
		{ 0, 0, SZ_4G, -EINVAL },
		{ 0, 0, SZ_4G + 1, -EINVAL },
		{ SZ_4G, 0, 1, -EINVAL },
		{ 0, SZ_4G, 1, -EINVAL },
		{ 0, 0, 1ull << 63, -EINVAL },
		{ 0, 0, UINT64_MAX, -EINVAL },
		{ UINT64_MAX, 0, 1, -EINVAL },
		{ 0, UINT64_MAX, 1, -EINVAL },
		{ UINT64_MAX, 0, 2, -EINVAL },
		{ 0, UINT64_MAX - SIZE + 1, SIZE, -EINVAL },
		{ -SZ_4K, 0, 2 * SZ_4K, -EINVAL },
		{ 0, -SZ_4K, 2 * SZ_4K, -EINVAL },
		{ 1ull << 63, 1ull << 63, 1ull << 63, -EINVAL },
		{ SIZE - 1, SIZE - 1, 1, 0 },
		{ 0, 0, SIZE, 0 },
	};
	int vram = open_device(&scene.card), engine = open_device(&scene.engine);
	uint32_t handle = create_vram(vram, SIZE, IN_VRAM, 0);
	uint32_t imported = import_from(engine, vram, handle);
	uint32_t own = create_own(engine, SIZE);

	for (unsigned int i = 0; i < ARRAY_SIZE(copies); i++) {
		igt_assert_eq(phyr_copy_run(engine, imported, copies[i].src, own,
					    copies[i].dst, copies[i].len),
			      copies[i].err);
		igt_assert_eq(phyr_copy_run(engine, own, copies[i].src, imported,
					    copies[i].dst, copies[i].len),
			      copies[i].err);
	}
	/* Nor may a buffer be copied onto itself. */
	igt_assert_eq(phyr_copy_run(engine, own, 0, own, SZ_4K - 1, SZ_4K),
		      -EINVAL);
	igt_assert_eq(phyr_copy_run(engine, own, SZ_4K - 1, own, 0, SZ_4K),
		      -EINVAL);
	/* All of it is zero, as it was made: nobody else's byte came in. */
	for (int i = 0; i < 2; i++) {
		void *mem = i ? map_own(engine, own, SIZE) :
				map_vram(vram, handle, SIZE);

		assert_zero(mem, SIZE);
		unmap(mem, SIZE);
	}
}

/* The victim's buffers are the neighbours, in VRAM and in system memory. */
static void copy_out_of_range_between(void)
{
	uint32_t others[8];

	start_victim();
	for (unsigned int i = 0; i < ARRAY_SIZE(others); i++) {
		others[i] = create_vram(victim.vram, SIZE, IN_VRAM, 0);
		fill_vram(victim.vram, others[i], SIZE, 10 + i);
	}
	igt_assert_eq(phyr_close_handle(victim.vram, others[3]), 0);
	under_attack(copy_out_of_range, NULL);
	for (unsigned int i = 0; i < ARRAY_SIZE(others); i++)
		if (i != 3)
			assert_vram(victim.vram, others[i], SIZE, 10 + i);
	end_victim();
}

/*
 * Privileges
 */

static void assert_closed(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	igt_assert_f(fd < 0, "%s is open to everybody\n", path);
	igt_assert_f(errno == EACCES, "%s: %s\n", path, strerror(errno));
}

static void assert_closed_of(const struct phyr_device *device, const char *file)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", device->busid,
		 file);
	assert_closed(path, O_WRONLY);
}

static void root_files_attack(void)
{
	static const char *const read_files[] = {
		"/sys/kernel/debug", "/sys/kernel/debug/phyr/attachments",
		"/sys/kernel/debug/dri", "/sys/kernel/debug/dma_buf/bufinfo",
		"/sys/kernel/tracing", "/sys/kernel/tracing/trace",
		"/sys/kernel/tracing/events/phyr/enable", "/dev/phyr_test",
		"/sys/module/phyr_vram/parameters/poison", "/proc/slabinfo",
	};
	static const char *const written_files[] = {
		"/sys/bus/pci/drivers/phyr_vram/new_id",
		"/sys/bus/pci/drivers/phyr_vram/bind",
		"/sys/bus/pci/drivers/phyr_vram/unbind",
		"/sys/bus/pci/drivers/phyr_copy/bind",
		"/sys/bus/pci/drivers/phyr_copy/unbind",
		"/sys/bus/pci/drivers_probe", "/sys/bus/pci/rescan",
		"/sys/module/phyr_vram/parameters/poison",
	};
	static const char *const device_files[] = {
		"driver_override", "remove", "config", "enable",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(read_files); i++)
		assert_closed(read_files[i], O_RDONLY);
	for (unsigned int i = 0; i < ARRAY_SIZE(written_files); i++)
		assert_closed(written_files[i], O_WRONLY);
	for (unsigned int i = 0; i < ARRAY_SIZE(device_files); i++) {
		assert_closed_of(&scene.card, device_files[i]);
		assert_closed_of(&scene.engine, device_files[i]);
	}
	/* The BAR itself. */
	assert_closed_of(&scene.card, "resource2");
	assert_closed_of(&scene.card, "resource2_wc");
	assert_closed_of(&scene.display, "resource0");
	assert_closed("/dev/mem", O_RDONLY);
}

static int passed_test_device;

/* Not even with a file descriptor from root. */
static void test_device_attack(void)
{
	static const unsigned long requests[] = {
		PHYR_TEST_IOC_EXPORT, PHYR_TEST_IOC_IMPORT, PHYR_TEST_IOC_CHECK,
		PHYR_TEST_IOC_VMAP, PHYR_TEST_IOC_DEVICES, PHYR_TEST_IOC_HOLD,
		PHYR_TEST_IOC_HELD, PHYR_TEST_IOC_MAP, PHYR_TEST_IOC_UNMAP,
		PHYR_TEST_IOC_PIN, PHYR_TEST_IOC_RELEASE,
		PHYR_TEST_IOC_DMABUF_VMAP,
	};
	uint64_t args[64] = { 0 };

	for (unsigned int i = 0; i < ARRAY_SIZE(requests); i++)
		ASSERT_ERRNO(ioctl(passed_test_device, requests[i], args), EPERM);
	ASSERT_ERRNO(open("/dev/phyr_test", O_RDWR), EACCES);
}

static void root_files(void)
{
	passed_test_device = open_phyr_test(SECOND_IVSHMEM);
	under_attack(root_files_attack, NULL);
	under_attack(test_device_attack, NULL);
	close(passed_test_device);
}

static struct display shown;
static struct fb shown_fb;

/* The victim is the DRM master, and shows something. */
static void attack_display(void (*attack)(void))
{
	shown = open_display();
	shown_fb = create_mode_fb(&shown, DRM_FORMAT_XRGB8888, 610);
	show(&shown, &shown_fb);
	under_attack(attack, NULL);
	assert_shown(&shown, &shown_fb);
	remove_fb(&shown, &shown_fb);
	close_display(&shown);
}

static void master_only_attack(void)
{
	static const unsigned long requests[] = {
		DRM_IOCTL_SET_VERSION, DRM_IOCTL_AUTH_MAGIC,
		DRM_IOCTL_MODE_SETCRTC, DRM_IOCTL_MODE_CURSOR,
		DRM_IOCTL_MODE_CURSOR2, DRM_IOCTL_MODE_SETGAMMA,
		DRM_IOCTL_MODE_SETPROPERTY, DRM_IOCTL_MODE_PAGE_FLIP,
		DRM_IOCTL_MODE_DIRTYFB, DRM_IOCTL_MODE_SETPLANE,
		DRM_IOCTL_MODE_OBJ_SETPROPERTY, DRM_IOCTL_MODE_ATOMIC,
		DRM_IOCTL_MODE_CREATE_LEASE, DRM_IOCTL_MODE_LIST_LESSEES,
		DRM_IOCTL_MODE_GET_LEASE, DRM_IOCTL_MODE_REVOKE_LEASE,
		DRM_IOCTL_SET_MASTER, DRM_IOCTL_DROP_MASTER,
		DRM_IOCTL_GEM_FLINK, DRM_IOCTL_GEM_OPEN,
	};
	static const struct phyr_device *const cards[] = {
		&scene.display, &scene.engine,
	};
	uint64_t args[64] = { 0 };

	for (unsigned int n = 0; n < ARRAY_SIZE(cards); n++) {
		/* The engine has a primary node too, without a master now. */
		int fd = open_path(cards[n]->primary);

		for (unsigned int i = 0; n == 0 && i < ARRAY_SIZE(requests); i++)
			ASSERT_ERRNO(ioctl(fd, requests[i], args), EACCES);
		/* Dumb buffers and all of KMS are not for render nodes. */
		close(fd);
		fd = open_path(cards[n]->render);
		for (unsigned int i = 0; i < ARRAY_SIZE(requests); i++)
			ASSERT_ERRNO(ioctl(fd, requests[i], args), EACCES);
		ASSERT_ERRNO(ioctl(fd, DRM_IOCTL_MODE_CREATE_DUMB, args), EACCES);
		ASSERT_ERRNO(ioctl(fd, DRM_IOCTL_MODE_ADDFB2, args), EACCES);
		ASSERT_ERRNO(ioctl(fd, DRM_IOCTL_MODE_GETRESOURCES, args), EACCES);
		close(fd);
	}
}

static void atomic_attack(void)
{
	struct display mine = open_display_of(open_path(scene.display.primary));
	struct view view = { 0 };
	struct fb fb;

	mine.mode = shown.mode;
	fb = create_mode_fb(&mine, DRM_FORMAT_XRGB8888, 611);
	view.fb = &fb;

	/* With what is there, and with the master's own. */
	igt_assert_eq(try_show_view(&mine, &view, 0), -EACCES);
	igt_assert_eq(try_show_view(&mine, &view, DRM_MODE_ATOMIC_ALLOW_MODESET),
		      -EACCES);
	igt_assert_eq(try_show_view(&mine, &view, DRM_MODE_ATOMIC_TEST_ONLY),
		      -EACCES);
	igt_assert_eq(try_flip(&mine, &fb, 0), -EACCES);
	igt_assert_eq(try_flip(&mine, &shown_fb, 0), -EACCES);
	igt_assert_eq(try_turn_off(&mine), -EACCES);
	igt_assert_eq(drmModeObjectSetProperty(mine.fd, mine.plane,
					       DRM_MODE_OBJECT_PLANE,
					       mine.properties[PLANE_FB],
					       fb.id), -EACCES);
}

/* A framebuffer's number is known to all; the buffer in it is not. */
static void others_framebuffers_attack(void)
{
	int fd = open_path(scene.display.primary);
	struct drm_mode_fb_cmd get = { .fb_id = shown_fb.id };
	struct drm_mode_fb_cmd2 get2 = { .fb_id = shown_fb.id };
	struct drm_mode_closefb closefb = { .fb_id = shown_fb.id };
	struct drm_mode_fb_cmd2 add = {
		.width = 64, .height = 64, .pixel_format = DRM_FORMAT_XRGB8888,
		.handles = { shown_fb.handle }, .pitches = { 256 },
	};
	struct drm_mode_map_dumb map = { .handle = shown_fb.handle };
	struct drm_mode_destroy_dumb destroy = { .handle = shown_fb.handle };
	uint32_t id = shown_fb.id;

	igt_assert_eq(phyr_ioctl(fd, DRM_IOCTL_MODE_GETFB, &get), 0);
	igt_assert_eq(get.handle, 0);
	igt_assert_eq(phyr_ioctl(fd, DRM_IOCTL_MODE_GETFB2, &get2), 0);
	igt_assert_eq(get2.handles[0], 0);
	igt_assert_eq(phyr_ioctl(fd, DRM_IOCTL_MODE_ADDFB2, &add), -ENOENT);
	igt_assert_eq(phyr_ioctl(fd, DRM_IOCTL_MODE_RMFB, &id), -ENOENT);
	igt_assert_eq(phyr_ioctl(fd, DRM_IOCTL_MODE_CLOSEFB, &closefb), -ENOENT);
	igt_assert_eq(phyr_ioctl(fd, DRM_IOCTL_MODE_MAP_DUMB, &map), -ENOENT);
	igt_assert_eq(phyr_ioctl(fd, DRM_IOCTL_MODE_DESTROY_DUMB, &destroy),
		      -EINVAL);
}

static uint32_t victims_blob;

static void others_blobs_attack(void)
{
	int fd = open_path(scene.display.primary);
	struct drm_mode_destroy_blob destroy = { .blob_id = victims_blob };

	igt_assert_eq(phyr_ioctl(fd, DRM_IOCTL_MODE_DESTROYPROPBLOB, &destroy),
		      -EPERM);
	destroy.blob_id = 0xffffffff;
	igt_assert_eq(phyr_ioctl(fd, DRM_IOCTL_MODE_DESTROYPROPBLOB, &destroy),
		      -ENOENT);
}

static void others_blobs(void)
{
	struct display display = open_display();

	igt_assert_eq(drmModeCreatePropertyBlob(display.fd, "phyr", 4,
						&victims_blob), 0);
	under_attack(others_blobs_attack, NULL);
	close_display(&display);
}

/*
 * Others
 */

static int set_name(int dmabuf, const void *name)
{
	uint64_t pointer = (uintptr_t)name;

	return ioctl(dmabuf, _IOW(DMA_BUF_BASE, 1, uint64_t), pointer) ?
	       errno : 0;
}

static void dmabuf_ioctls(void)
{
	int vram = open_device(&scene.card);
	int dmabuf = export_buffer(vram, create_vram(vram, SIZE, IN_VRAM, 0));
	struct dma_buf_sync sync = { 0 };
	struct dma_buf_export_sync_file export = { .fd = -1 };
	struct dma_buf_import_sync_file import = {
		.flags = DMA_BUF_SYNC_RW, .fd = -1,
	};
	uint8_t *arena = make_arena();
	char path[64], text[256];
	int fdinfo;

	igt_assert_eq(set_name(dmabuf, NULL), EFAULT);
	igt_assert_eq(set_name(dmabuf, arena + ARENA), EFAULT);
	igt_assert_eq(set_name(dmabuf, (void *)0xffff888000000000), EFAULT);
	memset(arena, 0xff, ARENA);
	igt_assert_eq(set_name(dmabuf, arena), EINVAL);
	igt_assert_eq(set_name(dmabuf, arena + ARENA - 8), EFAULT);
	igt_assert_eq(set_name(dmabuf, "%s%n\n\x1b[2Jsize: 0 \xff\xfe"), 0);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", dmabuf);
	fdinfo = open(path, O_RDONLY | O_CLOEXEC);
	igt_assert(read(fdinfo, text, sizeof(text)) > 0);
	close(fdinfo);
	igt_assert_eq(set_name(dmabuf, ""), 0);

	ASSERT_ERRNO(ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, &sync), EINVAL);
	sync.flags = ~0ull;
	ASSERT_ERRNO(ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, &sync), EINVAL);
	ASSERT_ERRNO(ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, NULL), EFAULT);
	ASSERT_ERRNO(ioctl(dmabuf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &export),
		     EINVAL);
	export.flags = ~0;
	ASSERT_ERRNO(ioctl(dmabuf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &export),
		     EINVAL);
	ASSERT_ERRNO(ioctl(dmabuf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &import),
		     EINVAL);
	import.fd = vram;
	ASSERT_ERRNO(ioctl(dmabuf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &import),
		     EINVAL);
}

static void guess_syncobj(int engine, uint32_t own, uint32_t syncobj)
{
	struct drm_syncobj_wait wait = {
		.handles = (uintptr_t)&syncobj, .count_handles = 1,
		.flags = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT,
	};
	struct drm_syncobj_array array = {
		.handles = (uintptr_t)&syncobj, .count_handles = 1,
	};
	struct drm_syncobj_destroy destroy = { .handle = syncobj };
	struct drm_syncobj_handle handle = { .handle = syncobj, .fd = -1 };
	struct drm_phyr_copy_submit submit = {
		.src_handle = own, .dst_handle = own, .dst_offset = SZ_4K,
		.len = SZ_4K, .in_syncobj = syncobj,
	};

	igt_assert_eq(phyr_ioctl(engine, DRM_IOCTL_SYNCOBJ_WAIT, &wait), -ENOENT);
	igt_assert_eq(phyr_ioctl(engine, DRM_IOCTL_SYNCOBJ_SIGNAL, &array),
		      -ENOENT);
	igt_assert_eq(phyr_ioctl(engine, DRM_IOCTL_SYNCOBJ_RESET, &array),
		      -ENOENT);
	igt_assert_eq(phyr_ioctl(engine, DRM_IOCTL_SYNCOBJ_DESTROY, &destroy),
		      -EINVAL);
	igt_assert_eq(phyr_ioctl(engine, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &handle),
		      -EINVAL);
	igt_assert_eq(phyr_copy_submit(engine, &submit), -ENOENT);
	submit.in_syncobj = 0;
	submit.out_syncobj = syncobj;
	igt_assert_eq(phyr_copy_submit(engine, &submit), -ENOENT);
}

static void others_syncobjs(void)
{
	int vram = open_device(&scene.card), engine = open_device(&scene.engine);
	uint32_t own = create_own(engine, SIZE);
	struct drm_syncobj_handle handle = { .fd = vram };
	struct drm_syncobj_create create = { 0 };

	guess_syncobj(engine, own, victim.syncobj);
	for (uint32_t syncobj = 1; syncobj < 200; syncobj++)
		guess_syncobj(engine, own, syncobj);
	guess_syncobj(engine, own, 0xffffffff);
	igt_assert_eq(phyr_ioctl(engine, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &handle),
		      -EINVAL);
	/* The card has none. */
	igt_assert_eq(phyr_ioctl(vram, DRM_IOCTL_SYNCOBJ_CREATE, &create),
		      -EOPNOTSUPP);
}

igt_main()
{
	igt_describe("GEM handles of others, by number");
	igt_subtest("guess-handles")
		attack_victim(guess_handles);

	igt_describe("Buffers by global name, also one that exists");
	igt_subtest("guess-names")
		guess_names();

	igt_describe("Importing what is no dma-buf; taking one from another process");
	igt_subtest("never-shared")
		attack_victim(never_shared);

	igt_describe("Mapping more than there is, in all places, by node and dma-buf");
	igt_subtest("mmap-past-end") {
		/* Of one of the system calls that are tried. */
		igt_emit_ignore_dmesg_regex("deprecated remap_file_pages");
		under_attack(mmap_past_end, NULL);
	}

	igt_describe("A dma-buf has no bytes to read, and does not change its size");
	igt_subtest("dmabuf-as-a-file")
		under_attack(dmabuf_as_a_file, NULL);

	igt_describe("Mapping another client's buffer by its offset, known or guessed");
	igt_subtest("mmap-guessed-offset")
		mmap_guessed();

	igt_describe("Mapping by the offset of a buffer whose handle was closed");
	igt_subtest("mmap-after-close")
		under_attack(mmap_after_close, NULL);

	igt_describe("No mapping is executable, now or later");
	igt_subtest("mmap-exec")
		under_attack(mmap_exec, NULL);

	igt_describe("No mapping is a private one");
	igt_subtest("mmap-private")
		under_attack(mmap_private, NULL);

	igt_describe("A read-only dma-buf is not mapped to be written, now or later");
	igt_subtest("mmap-read-only")
		under_attack(mmap_read_only, NULL);

	igt_describe("Files, mappings, a dma-buf and a job, while the card goes and comes back");
	igt_subtest("hold-card")
		hold_card();

	igt_describe("The same while the engine goes");
	igt_subtest("hold-engine")
		hold_engine();

	igt_describe("New buffers, to the end of their last page, after another client");
	igt_subtest("stale-bytes")
		stale_bytes();

	igt_describe("Copies that leave their buffers");
	igt_subtest("copy-out-of-range")
		copy_out_of_range_between();

	igt_describe("What is root's: debugfs, tracing, the test device, binding, the BARs");
	igt_subtest("root-files")
		root_files();

	igt_describe("What is the DRM master's, on the primary and on the render node");
	igt_subtest("master-only")
		attack_display(master_only_attack);

	igt_describe("Atomic commits of somebody who is not the master");
	igt_subtest("atomic-by-others")
		attack_display(atomic_attack);

	igt_describe("Framebuffers of others give nothing away");
	igt_subtest("others-framebuffers")
		attack_display(others_framebuffers_attack);

	igt_describe("Property blobs of others stay");
	igt_subtest("others-blobs")
		others_blobs();

	igt_describe("Names, CPU access and fences of a dma-buf, with garbage");
	igt_subtest("dmabuf-ioctls")
		under_attack(dmabuf_ioctls, NULL);

	igt_describe("Syncobjs of others, by number");
	igt_subtest("others-syncobjs")
		attack_victim(others_syncobjs);

	igt_fixture()
		close_nodes();
}

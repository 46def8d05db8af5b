// SPDX-License-Identifier: MIT
/* Mappings: out of bounds, guessed, executable, private, read-only. */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/personality.h>
#include <xf86drm.h>

#include "attacks.h"

/* A buffer of SIZE bytes that the attacker may map. */
struct window {
	const char *name;
	int fd;
	uint64_t offset;
};

/*
 * Buffers in VRAM, in system memory and of the engine, each by its node and as
 * a dma-buf.
 */
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

void mmap_past_end(void)
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
		/*
		 * On the node it is followed by the next buffer, which is the
		 * client's own.
		 */
		if (!window->offset)
			assert_no_map(window, SIZE, SZ_4K, PROT_READ,
				      MAP_SHARED, EINVAL);
		assert_no_map(window, SIZE - SZ_4K, 2 * SZ_4K, PROT_READ,
			      MAP_SHARED, EINVAL);
		/* The offset of the last page, so that the sum overflows. */
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
		/* nor move to another offset. */
		ASSERT_ERRNO(remap_file_pages(mem, SIZE, 0, 1ull << 40, 0),
			     EINVAL);
		unmap(mem, SIZE);
	}
}

/* A dma-buf cannot be read, written or resized. */
void dmabuf_as_a_file(void)
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

	/* Offsets are allocated from here, without gaps. */
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
	/* The same device by its primary node. */
	guess_offsets_of(open_path(scene.card.primary), victims_offset);
	guess_offsets_of(open_path(scene.engine.primary), victims_own_offset);
}

void mmap_guessed(void)
{
	start_client();
	victims_offset = vram_offset(client.vram, client.handle);
	victims_own_offset = own_offset(client.engine, client.own);
	under_attack(mmap_guessed_attack, NULL);
	end_client();
}

/* Closing the handle revokes the permission to map. */
void mmap_after_close(void)
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
		/* The dma-buf keeps the buffer, but not the permission. */
		assert_no_map(&closed[i], 0, SIZE, PROT_READ, MAP_SHARED,
			      EACCES);
		close(dmabufs[i]);
		assert_no_map(&closed[i], 0, SIZE, PROT_READ, MAP_SHARED,
			      EINVAL);
	}
}

void mmap_exec(void)
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
		/* READ_IMPLIES_EXEC adds PROT_EXEC to PROT_READ. */
		igt_assert(personality(was | READ_IMPLIES_EXEC) >= 0);
		/* Not for dma-bufs: their file system is mounted noexec. */
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

void mmap_private(void)
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

/* A read-only dma-buf cannot be mapped for writing. */
void mmap_read_only(void)
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

// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <xf86drm.h>

#include "lib.h"
#include "traffic.h"

IGT_TEST_DESCRIPTION("CPU mappings of page-less memory");

#define SIZE	SZ_1M

static void same_bytes(uint32_t placement, uint64_t max_extent)
{
	struct card_buffer buffer = open_card_buffer(SIZE, placement, max_extent);
	void *drm_mem = map_vram(buffer.vram, buffer.handle, SIZE);
	void *dmabuf_mem = map_dmabuf(buffer.dmabuf, SIZE);

	phyr_fill(drm_mem, 1, 0, SIZE);
	assert_bytes(dmabuf_mem, 1, 0, SIZE);
	phyr_fill(dmabuf_mem, 2, 0, SIZE);
	assert_bytes(drm_mem, 2, 0, SIZE);
	unmap(drm_mem, SIZE);
	unmap(dmabuf_mem, SIZE);
	close_card_buffer(&buffer);
}

static void part(void)
{
	int vram = open_vram(0), dmabuf = create_dmabuf(vram, SIZE, SZ_4K);
	uint8_t *whole = map_dmabuf(dmabuf, SIZE), *part;

	phyr_fill(whole, 4, 0, SIZE);
	part = phyr_mmap(dmabuf, 3 * SZ_4K, PROT_READ, 5 * SZ_4K);
	igt_assert(part != MAP_FAILED);
	assert_bytes(part, 4, 5 * SZ_4K, 3 * SZ_4K);
	unmap(part, 3 * SZ_4K);
	part = phyr_mmap(dmabuf, SZ_4K, PROT_READ, SIZE - SZ_4K);
	igt_assert(part != MAP_FAILED);
	assert_bytes(part, 4, SIZE - SZ_4K, SZ_4K);
	unmap(part, SZ_4K);
	unmap(whole, SIZE);
	close(dmabuf);
	close(vram);
}

static uint64_t mmap_offset(int vram, uint32_t handle)
{
	struct drm_phyr_vram_gem_mmap map = { .handle = handle };

	igt_assert_eq(phyr_ioctl(vram, DRM_IOCTL_PHYR_VRAM_GEM_MMAP, &map), 0);
	return map.offset;
}

static int mmap_error(int fd, uint64_t len, int prot, int flags,
		      uint64_t offset)
{
	void *mem = mmap(NULL, len, prot, flags, fd, offset);

	if (mem == MAP_FAILED)
		return errno;
	unmap(mem, len);
	return 0;
}

/* The mapping cannot become executable; it is unmapped. */
static void assert_mprotect_refuses_exec(void *mem)
{
	igt_assert_eq(mprotect(mem, SIZE, PROT_READ | PROT_EXEC), -1);
	igt_assert_eq(errno, EACCES);
	unmap(mem, SIZE);
}

static void no_exec(void)
{
	struct card_buffer buffer = open_card_buffer(SIZE, IN_VRAM, 0);
	uint64_t offset = mmap_offset(buffer.vram, buffer.handle);

	igt_assert_eq(mmap_error(buffer.vram, SIZE, PROT_READ | PROT_EXEC,
				 MAP_SHARED, offset), EPERM);
	igt_assert_eq(mmap_error(buffer.dmabuf, SIZE, PROT_READ | PROT_EXEC,
				 MAP_SHARED, 0), EPERM);
	assert_mprotect_refuses_exec(map_vram(buffer.vram, buffer.handle,
					      SIZE));
	assert_mprotect_refuses_exec(map_dmabuf(buffer.dmabuf, SIZE));
	close_card_buffer(&buffer);
}

static void past_end(void)
{
	struct card_buffer buffer = open_card_buffer(SIZE, IN_VRAM, 0);
	uint64_t offset = mmap_offset(buffer.vram, buffer.handle);

	igt_assert_eq(mmap_error(buffer.vram, SIZE + SZ_4K, PROT_READ,
				 MAP_SHARED, offset), EINVAL);
	igt_assert_eq(mmap_error(buffer.dmabuf, SIZE + SZ_4K, PROT_READ,
				 MAP_SHARED, 0), EINVAL);
	igt_assert_eq(mmap_error(buffer.dmabuf, 2 * SZ_4K, PROT_READ,
				 MAP_SHARED, SIZE - SZ_4K), EINVAL);
	igt_assert_eq(mmap_error(buffer.dmabuf, SZ_4K, PROT_READ, MAP_SHARED,
				 SIZE), EINVAL);
	close_card_buffer(&buffer);
}

static void no_private(void)
{
	struct card_buffer buffer = open_card_buffer(SIZE, IN_VRAM, 0);
	uint64_t offset = mmap_offset(buffer.vram, buffer.handle);

	igt_assert_eq(mmap_error(buffer.vram, SIZE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE, offset), EINVAL);
	igt_assert_eq(mmap_error(buffer.dmabuf, SIZE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE, 0), EINVAL);
	close_card_buffer(&buffer);
}

static void after_close(void)
{
	struct phyr_device card = vram_device(0);
	uint64_t free = vram_free(&card);
	int vram = open_device(&card);
	uint32_t handle = create_vram(vram, SIZE, IN_VRAM, SZ_4K);
	void *mem = map_vram(vram, handle, SIZE);

	phyr_fill(mem, 5, 0, SIZE);
	igt_assert_eq(phyr_close_handle(vram, handle), 0);
	close(vram);
	assert_bytes(mem, 5, 0, SIZE);
	igt_assert_eq_u64(vram_free(&card), free - SIZE);
	unmap(mem, SIZE);
	wait_for_vram_free(&card, free);
}

/* Evict a buffer that is mapped through both files, and access it again. */
static void survives_eviction(void)
{
	struct phyr_device card = small_vram_device();
	uint64_t free = vram_free(&card);
	int vram = open_device(&card), dmabuf;
	uint32_t handle = create_vram(vram, SIZE, EVICTABLE, SZ_4K), big;
	void *drm_mem, *dmabuf_mem;

	dmabuf = export_buffer(vram, handle);
	drm_mem = map_vram(vram, handle, SIZE);
	dmabuf_mem = map_dmabuf(dmabuf, SIZE);
	phyr_fill(drm_mem, 6, 0, SIZE);
	assert_bytes(dmabuf_mem, 6, 0, SIZE);

	/* Fill all of VRAM with another buffer, whose bytes must not appear. */
	big = create_vram(vram, free, IN_VRAM, 0);
	igt_assert_eq(vram_info(vram, handle).placement, IN_SYSTEM);
	fill_vram(vram, big, free, 7);
	assert_bytes(drm_mem, 6, 0, SIZE);
	assert_bytes(dmabuf_mem, 6, 0, SIZE);
	phyr_fill(dmabuf_mem, 8, 0, SIZE);
	assert_bytes(drm_mem, 8, 0, SIZE);
	assert_vram(vram, big, free, 7);
	unmap(drm_mem, SIZE);
	unmap(dmabuf_mem, SIZE);
	close(dmabuf);
	close(vram);
	wait_for_vram_free(&card, free);
}

/* Mappings in different processes show the same memory. */
static void shared_by_processes(void)
{
	int vram = open_vram(0), dmabuf = create_dmabuf(vram, SIZE, SZ_4K);
	void *mem = map_dmabuf(dmabuf, SIZE);

	phyr_fill(mem, 9, 0, SIZE);
	igt_fork(child, 1) {
		void *own = map_dmabuf(dmabuf, SIZE);

		assert_bytes(own, 9, 0, SIZE);
		phyr_fill(own, 10, 0, SIZE);
	}
	igt_waitchildren();
	assert_bytes(mem, 10, 0, SIZE);
	unmap(mem, SIZE);
	close(dmabuf);
	close(vram);
}

static int sync_error(int dmabuf, uint64_t flags)
{
	struct dma_buf_sync sync = { .flags = flags };

	return phyr_ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, &sync);
}

static void sync_ioctl(void)
{
	int vram = open_vram(0), dmabuf = create_dmabuf(vram, SIZE, 0);

	igt_assert_eq(sync_error(dmabuf, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW),
		      0);
	igt_assert_eq(sync_error(dmabuf, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW), 0);
	igt_assert_eq(sync_error(dmabuf, 0), -EINVAL);
	igt_assert_eq(sync_error(dmabuf, 1ull << 40), -EINVAL);
	close(dmabuf);
	close(vram);
}

static void kernel_vmap(uint64_t max_extent, uint32_t placement)
{
	int test = open_phyr_test(SECOND_IVSHMEM), vram = open_vram(0);
	uint32_t handle = create_vram(vram, SIZE, placement, max_extent);
	struct phyr_test_vmap vmap = { .fill = 0xa5a5a5a5 };
	uint8_t *mem = map_vram(vram, handle, SIZE);

	memset(mem, 0x3c, SIZE);
	vmap.fd = export_buffer(vram, handle);
	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_VMAP, &vmap), 0);
	igt_assert_eq(vmap.is_iomem, placement == IN_VRAM);
	igt_assert_eq(vmap.was, 0x3c3c3c3c);
	igt_assert_eq_u64(phyr_verify_byte(mem, 0xa5, SIZE), -1);
	unmap(mem, SIZE);
	close(vmap.fd);
	close(vram);
	close(test);
}

static void own_buffer(void)
{
	struct drm_phyr_copy_gem_mmap map = { 0 };
	int engine = open_copy(0), vram = open_vram(0);
	void *mem;

	map.handle = create_own(engine, SIZE);
	mem = map_own(engine, map.handle, SIZE);
	assert_zero(mem, SIZE);
	phyr_fill(mem, 11, 0, SIZE);
	unmap(mem, SIZE);
	assert_own(engine, map.handle, SIZE, 11);
	map.pad = 1;
	igt_assert_eq(phyr_ioctl(engine, DRM_IOCTL_PHYR_COPY_GEM_MMAP, &map),
		      -EINVAL);
	map.pad = 0;
	map.handle = import_from(engine, vram, create_vram(vram, SIZE, IN_VRAM,
							   0));
	igt_assert_eq(phyr_ioctl(engine, DRM_IOCTL_PHYR_COPY_GEM_MMAP, &map),
		      -EINVAL);
	close(engine);
	close(vram);
}

/* Map from an offset; unmap only the first page of a mapping. */
static void own_buffer_part(void)
{
	int engine = open_copy(0), dmabuf;
	uint32_t own = create_own(engine, SIZE);
	uint8_t *mem;

	fill_own(engine, own, SIZE, 12);
	dmabuf = export_buffer(engine, own);
	mem = phyr_mmap(dmabuf, SIZE - SZ_4K, PROT_READ | PROT_WRITE, SZ_4K);
	igt_assert(mem != MAP_FAILED);
	assert_bytes(mem, 12, SZ_4K, SIZE - SZ_4K);
	unmap(mem, SIZE - SZ_4K);
	mem = map_own(engine, own, SIZE);
	unmap(mem, SZ_4K);
	assert_bytes(mem + SZ_4K, 12, SZ_4K, SIZE - SZ_4K);
	unmap(mem + SZ_4K, SIZE - SZ_4K);
	close(dmabuf);
	close(engine);
}

/*
 * A debugger's access to a mapping: /proc/PID/mem, ptrace()
 */

static int open_memory(void)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

	igt_assert_f(fd >= 0, "/proc/self/mem: %s\n", strerror(errno));
	return fd;
}

/* Read @len bytes at @mem as a debugger does, and compare. */
static void assert_peek(int memory, const void *mem, uint64_t len)
{
	uint8_t *bytes = malloc(len);

	igt_assert(bytes);
	igt_assert_eq_u64(pread(memory, bytes, len, (uintptr_t)mem), len);
	igt_assert(!memcmp(bytes, mem, len));
	free(bytes);
}

static void poke(int memory, void *mem, const void *bytes, uint64_t len)
{
	igt_assert_eq_u64(pwrite(memory, bytes, len, (uintptr_t)mem), len);
}

static void debugger(uint32_t placement, uint64_t max_extent)
{
	static const char text[] = "across the border of two pages";
	struct card_buffer buffer = open_card_buffer(SIZE, placement, max_extent);
	uint8_t *drm_mem = map_vram(buffer.vram, buffer.handle, SIZE);
	uint8_t *dmabuf_mem = map_dmabuf(buffer.dmabuf, SIZE);
	int memory = open_memory();

	phyr_fill(drm_mem, 13, 0, SIZE);
	assert_peek(memory, drm_mem, SIZE);
	assert_peek(memory, dmabuf_mem + 5, 3 * SZ_4K);
	assert_peek(memory, drm_mem + SIZE - 1, 1);
	poke(memory, dmabuf_mem + SZ_64K - 7, text, sizeof(text));
	igt_assert(!memcmp(drm_mem + SZ_64K - 7, text, sizeof(text)));
	assert_bytes(drm_mem, 13, 0, SZ_64K - 7);
	assert_bytes(drm_mem + SZ_64K - 7 + sizeof(text), 13,
		     SZ_64K - 7 + sizeof(text),
		     SIZE - SZ_64K + 7 - sizeof(text));
	close(memory);
	unmap(drm_mem, SIZE);
	unmap(dmabuf_mem, SIZE);
	close_card_buffer(&buffer);
}

/* Words of a stopped child by PTRACE_PEEKDATA and PTRACE_POKEDATA. */
static void debugger_ptrace(void)
{
	struct card_buffer buffer = open_card_buffer(SIZE, IN_VRAM, SZ_4K);
	uint8_t *mem = map_vram(buffer.vram, buffer.handle, SIZE);
	long word, new = 0x1122334455667788;
	int status;
	pid_t pid;

	phyr_fill(mem, 14, 0, SIZE);
	fflush(stdout);
	pid = fork();
	igt_assert(pid >= 0);
	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		_exit(memcmp(mem + 2 * SZ_4K, &new, sizeof(new)));
	}
	igt_assert_eq(waitpid(pid, &status, 0), pid);
	igt_assert(WIFSTOPPED(status));
	errno = 0;
	word = ptrace(PTRACE_PEEKDATA, pid, mem + SZ_4K, 0);
	igt_assert_f(!errno, "PTRACE_PEEKDATA: %s\n", strerror(errno));
	igt_assert(!memcmp(mem + SZ_4K, &word, sizeof(word)));
	igt_assert_eq(ptrace(PTRACE_POKEDATA, pid, mem + 2 * SZ_4K, new), 0);
	igt_assert(!memcmp(mem + 2 * SZ_4K, &new, sizeof(new)));
	igt_assert_eq(ptrace(PTRACE_CONT, pid, 0, 0), 0);
	assert_ends_well(pid);
	unmap(mem, SIZE);
	close_card_buffer(&buffer);
}

/* Not beyond the mapping, though the buffer goes on. */
static void debugger_part(void)
{
	struct card_buffer buffer = open_card_buffer(SIZE, IN_VRAM, SZ_4K);
	uint8_t *whole = map_dmabuf(buffer.dmabuf, SIZE), bytes[SZ_4K];
	int memory = open_memory();
	uint8_t *mem, *next;

	phyr_fill(whole, 15, 0, SIZE);
	mem = phyr_mmap(buffer.dmabuf, 2 * SZ_4K, PROT_READ | PROT_WRITE,
			3 * SZ_4K);
	igt_assert(mem != MAP_FAILED);
	assert_peek(memory, mem, 2 * SZ_4K);
	/* Other memory follows. */
	next = mmap(mem + SZ_4K, SZ_4K, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	igt_assert(next == mem + SZ_4K);
	memset(next, 0x77, SZ_4K);
	assert_peek(memory, mem + SZ_4K / 2, SZ_4K);
	memset(bytes, 0x66, sizeof(bytes));
	poke(memory, mem + SZ_4K / 2, bytes, sizeof(bytes));
	igt_assert_eq_u64(phyr_verify_byte(next, 0x66, SZ_4K / 2), -1);
	igt_assert_eq_u64(phyr_verify_byte(next + SZ_4K / 2, 0x77, SZ_4K / 2),
			  -1);
	assert_bytes(whole + 4 * SZ_4K, 15, 4 * SZ_4K, SIZE - 4 * SZ_4K);
	/* Nothing follows. */
	unmap(next, SZ_4K);
	igt_assert_eq(pread(memory, bytes, SZ_4K, (uintptr_t)mem + SZ_4K / 2),
		      SZ_4K / 2);
	close(memory);
	unmap(mem, SZ_4K);
	unmap(whole, SIZE);
	close_card_buffer(&buffer);
}

/*
 * A client that got the buffer for reading does not write to it through
 * /proc/self/mem.
 */
static void debugger_read_only(void)
{
	struct card_buffer buffer = open_card_buffer(SIZE, IN_VRAM, 0);
	uint8_t *mem = map_vram(buffer.vram, buffer.handle, SIZE), byte = 1;
	int memory = open_memory();
	struct drm_prime_handle export = {
		.handle = buffer.handle, .flags = DRM_CLOEXEC,
	};
	uint8_t *read_only;

	phyr_fill(mem, 16, 0, SIZE);
	igt_assert_eq(phyr_ioctl(buffer.vram, DRM_IOCTL_PRIME_HANDLE_TO_FD,
				 &export), 0);
	read_only = phyr_mmap(export.fd, SIZE, PROT_READ, 0);
	igt_assert(read_only != MAP_FAILED);
	assert_peek(memory, read_only, SIZE);
	igt_assert_eq(pwrite(memory, &byte, 1, (uintptr_t)read_only), -1);
	igt_assert_eq(errno, EIO);
	assert_bytes(mem, 16, 0, SIZE);
	unmap(read_only, SIZE);
	close(export.fd);
	close(memory);
	unmap(mem, SIZE);
	close_card_buffer(&buffer);
}

/* The same bytes as the client itself sees: those of the dummy page. */
static void debugger_gone(void)
{
	struct phyr_device card = vram_device(0);
	struct card_buffer buffer = open_card_buffer(SIZE, EVICTABLE, SZ_4K);
	uint8_t *mem = map_vram(buffer.vram, buffer.handle, SIZE);
	int memory = open_memory();

	phyr_fill(mem, 17, 0, SIZE);
	remove_device(card.busid, UNBIND);
	assert_peek(memory, mem, SIZE);
	poke(memory, mem + 5, "own", 3);
	igt_assert(!memcmp(mem + SZ_4K + 5, "own", 3));
	assert_peek(memory, mem + 3, 2 * SZ_4K);
	memset(mem, 0, SZ_4K);
	assert_dummy(mem, SIZE);
	close(memory);
	unmap(mem, SIZE);
	close_card_buffer(&buffer);
	restore_device(card.busid, PHYR_VRAM_DRIVER, UNBIND);
}

/* Like O_DIRECT of any file: the disk of the guest can always be read. */
static int read_disk(void *to)
{
	int disk = open("/dev/vda", O_RDONLY | O_DIRECT | O_CLOEXEC);
	int err;

	igt_assert(disk >= 0);
	err = read(disk, to, SZ_4K) == SZ_4K ? 0 : -errno;
	close(disk);
	return err;
}

/* Whoever pins pages finds none, wherever the buffer is. */
static void not_pinned(uint32_t placement)
{
	struct card_buffer buffer = open_card_buffer(SIZE, placement, 0);
	uint8_t *mem = map_vram(buffer.vram, buffer.handle, SIZE);
	uint8_t *own = mmap(NULL, SZ_4K, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec local = { .iov_base = own, .iov_len = SZ_4K };
	struct iovec remote = { .iov_base = mem, .iov_len = SZ_4K };

	igt_assert(own != MAP_FAILED);
	igt_assert_eq(read_disk(own), 0);
	phyr_fill(mem, 18, 0, SIZE);
	igt_assert_eq(read_disk(mem), -EFAULT);
	igt_assert_eq(process_vm_readv(getpid(), &local, 1, &remote, 1, 0), -1);
	igt_assert_eq(errno, EFAULT);
	igt_assert_eq(process_vm_writev(getpid(), &local, 1, &remote, 1, 0),
		      -1);
	igt_assert_eq(errno, EFAULT);
	assert_bytes(mem, 18, 0, SIZE);
	munmap(own, SZ_4K);
	unmap(mem, SIZE);
	close_card_buffer(&buffer);
}

igt_main()
{
	igt_describe("The DRM node and the dma-buf map the same bytes");
	igt_subtest("same-bytes")
		same_bytes(IN_VRAM, 0);

	igt_describe("The DRM node and the dma-buf map the same pages of a fragmented buffer");
	igt_subtest("same-bytes-fragmented")
		same_bytes(IN_VRAM, SZ_4K);

	igt_describe("The DRM node and the dma-buf map the same bytes in system memory");
	igt_subtest("same-bytes-system")
		same_bytes(IN_SYSTEM, 0);

	igt_describe("Parts of a dma-buf are mapped");
	igt_subtest("part")
		part();

	igt_describe("Executable mappings are refused, also by mprotect()");
	igt_subtest("no-exec")
		no_exec();

	igt_describe("Mappings beyond the end of the buffer are refused");
	igt_subtest("past-end")
		past_end();

	igt_describe("Private mappings are refused");
	igt_subtest("no-private")
		no_private();

	igt_describe("A mapping keeps the buffer after its handle and client are closed");
	igt_subtest("after-close")
		after_close();

	igt_describe("Mappings through both files follow an evicted buffer");
	igt_subtest("survives-eviction")
		survives_eviction();

	igt_describe("Processes that map the same dma-buf share its bytes");
	igt_subtest("shared-by-processes")
		shared_by_processes();

	igt_describe("DMA_BUF_IOCTL_SYNC works and refuses unknown flags");
	igt_subtest("sync-ioctl")
		sync_ioctl();

	igt_describe("A kernel client maps a buffer as I/O memory");
	igt_subtest("kernel-vmap")
		kernel_vmap(0, IN_VRAM);

	igt_describe("A kernel client maps a fragmented buffer as one range");
	igt_subtest("kernel-vmap-fragmented") {
		kernel_vmap(SZ_4K, IN_VRAM);
		/* Extents of several pages each. */
		kernel_vmap(SZ_64K, IN_VRAM);
	}

	igt_describe("A kernel client maps a buffer in system memory");
	igt_subtest("kernel-vmap-system")
		kernel_vmap(0, IN_SYSTEM);

	igt_describe("The engine maps its own buffers but not imported ones");
	igt_subtest("engine-buffer")
		own_buffer();

	igt_describe("Parts of the engine's own buffers map the correct bytes");
	igt_subtest("engine-buffer-part")
		own_buffer_part();

	igt_describe("/proc/PID/mem reads and writes a mapping of VRAM");
	igt_subtest("debugger")
		debugger(IN_VRAM, 0);

	igt_describe("/proc/PID/mem reads and writes a mapping of fragmented VRAM");
	igt_subtest("debugger-fragmented")
		debugger(IN_VRAM, SZ_4K);

	igt_describe("/proc/PID/mem reads and writes a mapping of a buffer in system memory");
	igt_subtest("debugger-system")
		debugger(IN_SYSTEM, 0);

	igt_describe("ptrace() reads and writes words of a mapping");
	igt_subtest("debugger-ptrace")
		debugger_ptrace();

	igt_describe("A debugger's access stays inside the mapping");
	igt_subtest("debugger-part")
		debugger_part();

	igt_describe("/proc/PID/mem does not write to a read-only mapping");
	igt_subtest("debugger-read-only")
		debugger_read_only();

	igt_describe("A debugger sees the zeroed page of a buffer whose card is gone");
	igt_subtest("debugger-gone")
		debugger_gone();

	igt_describe("O_DIRECT and process_vm_readv(), which pin pages, fail on a mapping");
	igt_subtest("no-pages") {
		not_pinned(IN_VRAM);
		not_pinned(IN_SYSTEM);
	}
}

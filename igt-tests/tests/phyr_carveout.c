// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <inttypes.h>
#include <linux/dma-heap.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "attacker.h"
#include "heap.h"
#include "lib.h"
#include "video.h"

IGT_TEST_DESCRIPTION("Carve-outs: DRAM that memmap= takes from the kernel, one without struct pages and one with reserved ones");

#define SIZE	SZ_1M
#define HOLES	16
#define KEPT	SZ_4K

static struct carveout carveouts[2];

/**
 * struct buffer - a buffer of a carve-out, and what makes it fragmented
 * @dmabuf: SIZE bytes
 * @extents: number of its extents
 * @kept: buffers between its extents
 * @rest: all other memory of the carve-out
 */
struct buffer {
	int dmabuf;
	unsigned int extents;
	int kept[HOLES];
	int rest;
};

static struct buffer create_contiguous(const struct carveout *carveout)
{
	return (struct buffer) {
		.dmabuf = alloc_heap(carveout->heap, SIZE),
		.extents = 1,
	};
}

/* Its memory had other bytes before. */
static struct buffer create_in_holes(const struct carveout *carveout)
{
	struct buffer buffer = { .extents = HOLES };
	int holes[HOLES];
	void *mem;

	wait_for_free_carveout(carveout - carveouts);
	for (unsigned int i = 0; i < HOLES; i++) {
		holes[i] = alloc_heap(carveout->heap, SIZE / HOLES);
		mem = map_dmabuf(holes[i], SIZE / HOLES);
		memset(mem, 0xa5, SIZE / HOLES);
		unmap(mem, SIZE / HOLES);
		buffer.kept[i] = alloc_heap(carveout->heap, KEPT);
	}
	buffer.rest = alloc_heap(carveout->heap,
				 carveout->len - SIZE - HOLES * KEPT);
	for (unsigned int i = 0; i < HOLES; i++)
		close(holes[i]);
	buffer.dmabuf = alloc_heap(carveout->heap, SIZE);
	return buffer;
}

static struct buffer create_buffer(const struct carveout *carveout,
				   bool fragmented)
{
	return fragmented ? create_in_holes(carveout) :
			    create_contiguous(carveout);
}

static void close_buffer(const struct buffer *buffer)
{
	close(buffer->dmabuf);
	if (buffer->extents == 1)
		return;
	for (unsigned int i = 0; i < HOLES; i++)
		close(buffer->kept[i]);
	close(buffer->rest);
}

/* One IOVA range; without an IOMMU, an offset into the carve-out's window. */
static void assert_mapped(int engine, uint32_t imported,
			  const struct carveout *carveout,
			  unsigned int extents)
{
	const char *mode = iommu_is_on() ? "iova" : "window";
	struct phyr_device device = copy_device(0);
	struct drm_phyr_copy_gem_info info;
	struct phyr_ranges_dump ranges;

	igt_assert_eq(phyr_copy_gem_info(engine, imported, &info), 0);
	igt_assert_eq(phyr_ranges_dump_read(&device, info.id, &ranges), 0);
	igt_assert_f(!strcmp(ranges.mode, mode), "mode '%s', expected '%s'\n",
		     ranges.mode, mode);
	igt_assert_eq_u64(ranges.nr, iommu_is_on() ? 1 : extents);
	for (size_t i = 0; i < ranges.nr && !iommu_is_on(); i++) {
		igt_assert_lte_u64(carveout->start, ranges.ranges[i].addr);
		igt_assert_lte_u64(ranges.ranges[i].addr +
				   ranges.ranges[i].len,
				   carveout->start + carveout->len);
	}
	phyr_ranges_dump_free(&ranges);
}

static void dma(const struct carveout *carveout, bool fragmented)
{
	struct buffer buffer = create_buffer(carveout, fragmented);
	int vram = open_vram(0), engine = open_copy(0);
	uint32_t handle = create_vram(vram, SIZE, IN_VRAM, SZ_64K);
	uint32_t own = create_own(engine, SIZE);
	uint32_t card = import_from(engine, vram, handle);
	uint32_t imported = import_buffer(engine, buffer.dmabuf);
	void *mem = map_dmabuf(buffer.dmabuf, SIZE);

	/* From VRAM and back */
	fill_vram(vram, handle, SIZE, 1);
	copy_bytes(engine, card, imported, SIZE);
	assert_bytes(mem, 1, 0, SIZE);
	assert_mapped(engine, imported, carveout, buffer.extents);
	phyr_fill(mem, 2, 0, SIZE);
	copy_bytes(engine, imported, card, SIZE);
	assert_vram(vram, handle, SIZE, 2);
	/* From RAM and back */
	fill_own(engine, own, SIZE, 3);
	copy_bytes(engine, own, imported, SIZE);
	assert_bytes(mem, 3, 0, SIZE);
	phyr_fill(mem, 4, 0, SIZE);
	copy_bytes(engine, imported, own, SIZE);
	assert_own(engine, own, SIZE, 4);

	unmap(mem, SIZE);
	close(engine);
	close(vram);
	close_buffer(&buffer);
}

/* Each of the two is source and destination, and has one end in the middle. */
static void dma_between(void)
{
	struct buffer from = create_buffer(&carveouts[0], true);
	struct buffer to = create_buffer(&carveouts[1], true);
	void *src = map_dmabuf(from.dmabuf, SIZE);
	void *dst = map_dmabuf(to.dmabuf, SIZE);
	int engine = open_copy(0);
	uint32_t a = import_buffer(engine, from.dmabuf);
	uint32_t b = import_buffer(engine, to.dmabuf);
	const uint64_t at = SIZE / HOLES - 100, len = SIZE / 2;

	phyr_fill(src, 5, 0, SIZE);
	copy_bytes(engine, a, b, SIZE);
	assert_bytes(dst, 5, 0, SIZE);
	phyr_fill(dst, 6, 0, SIZE);
	copy_part(engine, b, at, a, 0, len);
	assert_bytes(src, 6, at, len);
	assert_bytes((uint8_t *)src + len, 5, len, SIZE - len);

	close(engine);
	unmap(dst, SIZE);
	unmap(src, SIZE);
	close_buffer(&to);
	close_buffer(&from);
}

/* Assert that the CPU maps [@start, @start + @len) write-combined only. */
static void assert_write_combined(uint64_t start, uint64_t len)
{
	FILE *file = fopen("/sys/kernel/debug/x86/pat_memtype_list", "re");
	uint64_t first, end;
	unsigned int found = 0;
	char line[128], *at;

	igt_assert(file);
	while (fgets(line, sizeof(line), file)) {
		at = strchr(line, '[');
		if (!at || sscanf(at, "[mem 0x%" SCNx64 "-0x%" SCNx64 "]",
				  &first, &end) != 2 ||
		    first >= start + len || end <= start)
			continue;
		found++;
		igt_assert_f(strstr(line, "write-combining"), "%s", line);
	}
	fclose(file);
	igt_assert_f(found, "the CPU does not map 0x%" PRIx64 "\n", start);
}

static void *try_mmap(int dmabuf, int prot, int flags)
{
	void *mem = mmap(NULL, SIZE, prot, flags, dmabuf, 0);

	if (mem != MAP_FAILED)
		unmap(mem, SIZE);
	return mem;
}

static void cpu_mapping(const struct carveout *carveout, bool fragmented)
{
	struct buffer buffer = create_buffer(carveout, fragmented);
	const uint64_t at = SIZE / 2 + SZ_4K;
	uint8_t *mem = map_dmabuf(buffer.dmabuf, SIZE), *part;
	struct iovec local, remote = { .iov_base = mem, .iov_len = SZ_4K };
	char bytes[SZ_4K];

	assert_zero(mem, SIZE);
	phyr_fill(mem, 7, 0, SIZE);
	assert_write_combined(carveout->start, carveout->len);
	part = phyr_mmap(buffer.dmabuf, SIZE - at, PROT_READ, at);
	igt_assert(part != MAP_FAILED);
	assert_bytes(part, 7, at, SIZE - at);
	unmap(part, SIZE - at);

	igt_assert(try_mmap(buffer.dmabuf, PROT_READ, MAP_PRIVATE) ==
		   MAP_FAILED);
	igt_assert(try_mmap(buffer.dmabuf, PROT_READ | PROT_EXEC,
			    MAP_SHARED) == MAP_FAILED);
	igt_assert(mprotect(mem, SIZE, PROT_READ | PROT_EXEC) == -1);
	/* No page is pinned, whatever pfn_valid() says. */
	local = (struct iovec) { .iov_base = bytes, .iov_len = SZ_4K };
	igt_assert(process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == -1);
	igt_assert_eq(errno, EFAULT);

	unmap(mem, SIZE);
	close_buffer(&buffer);
}

/* What a debugger does, across extents. */
static void debugger(const struct carveout *carveout)
{
	const uint64_t at = SIZE / HOLES - 100, len = SZ_4K;
	struct buffer buffer = create_buffer(carveout, true);
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	uint8_t *mem = map_dmabuf(buffer.dmabuf, SIZE), bytes[SZ_4K];

	igt_assert(fd >= 0);
	phyr_fill(mem, 8, 0, SIZE);
	igt_assert_eq(pread(fd, bytes, len, (uintptr_t)mem + at), len);
	assert_bytes(bytes, 8, at, len);
	phyr_fill(bytes, 9, 0, len);
	igt_assert_eq(pwrite(fd, bytes, len, (uintptr_t)mem + at), len);
	assert_bytes(mem, 8, 0, at);
	assert_bytes(mem + at, 9, 0, len);
	assert_bytes(mem + at + len, 8, at + len, SIZE - at - len);

	/* Not what the client may not do, and not beyond its mapping. */
	igt_assert_eq(mprotect(mem, SIZE, PROT_READ), 0);
	igt_assert(pwrite(fd, bytes, len, (uintptr_t)mem) == -1);
	unmap(mem + SZ_64K, SIZE - SZ_64K);
	igt_assert_eq(pread(fd, bytes, len, (uintptr_t)mem + SZ_64K - 100),
		      100);
	unmap(mem, SZ_64K);
	close(fd);
	close_buffer(&buffer);
}

/* A kernel mapping of a fragmented buffer would need vmap_pfn(). */
static void kernel_mapping(const struct carveout *carveout)
{
	struct phyr_test_vmap vmap = { .fill = 0x5a5a5a5a };
	struct buffer buffer = create_buffer(carveout, false);
	uint32_t *mem = map_dmabuf(buffer.dmabuf, SIZE);
	int test = open_phyr_test(SECOND_IVSHMEM);

	mem[0] = 0x12345678;
	vmap.fd = buffer.dmabuf;
	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_DMABUF_VMAP, &vmap), 0);
	igt_assert_eq(vmap.is_iomem, 0);
	igt_assert_eq(vmap.was, 0x12345678);
	igt_assert_eq(phyr_verify_byte(mem, 0x5a, SIZE), -1);
	unmap(mem, SIZE);
	close_buffer(&buffer);

	buffer = create_buffer(carveout, true);
	vmap.fd = buffer.dmabuf;
	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_DMABUF_VMAP, &vmap),
		      -EINVAL);
	close_buffer(&buffer);
	close(test);
}

static void importers(const struct carveout *carveout)
{
	static const struct {
		uint32_t kind;
		int ret;
	} kinds[] = {
		{ PHYR_TEST_NATIVE, 0 }, { PHYR_TEST_REVOCABLE, 0 },
		{ PHYR_TEST_STATIC, -EBUSY }, { PHYR_TEST_DYNAMIC, -EBUSY },
		{ PHYR_TEST_PEER, -EBUSY },
	};
	struct buffer buffer = create_buffer(carveout, true);
	int test = open_phyr_test(SECOND_IVSHMEM);
	struct phyr_test_held held;

	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
		held = (struct phyr_test_held) {};
		igt_assert_eq(try_hold(test, buffer.dmabuf, kinds[i].kind,
				       PHYR_TEST_UNMAP_LATE, &held.id),
			      kinds[i].ret);
		if (kinds[i].ret)
			continue;
		igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_MAP, &held), 0);
		igt_assert_eq_u64(held.ranges,
				  iommu_is_on() ? 1 : buffer.extents);
		release_held(test, held.id);
	}
	close(test);
	close_buffer(&buffer);
}

/* The camera captures into a buffer in several extents. */
static void camera(const struct carveout *carveout)
{
	struct buffer buffer = create_buffer(carveout, true);
	uint8_t *mem = map_dmabuf(buffer.dmabuf, SIZE);
	struct video video = open_video();
	struct video_frame frame;

	video_set_format(&video, 320, 240, V4L2_PIX_FMT_XBGR32, 0);
	video_request(&video, V4L2_MEMORY_DMABUF, 1);
	video_queue(&video, 0, &buffer.dmabuf);
	video_start(&video);
	frame = video_take(&video);
	assert_frame(&video, (const uint8_t *const[]) { mem },
		     (struct video_look) { frame.sequence, VIDEO_BARS,
					   VIDEO_BRIGHTNESS });
	close_video(&video);
	unmap(mem, SIZE);
	close_buffer(&buffer);
}

/* A dma-buf that is opened for reading may be mapped for reading. */
static void read_only(const struct carveout *carveout)
{
	int heap = open_heap(carveout->heap);
	int dmabuf = try_alloc_from(heap, SIZE, O_RDONLY | O_CLOEXEC);
	void *mem;

	igt_assert(dmabuf >= 0);
	mem = phyr_mmap(dmabuf, SIZE, PROT_READ, 0);
	igt_assert_f(mem != MAP_FAILED, "mmap: %s\n", strerror(errno));
	assert_zero(mem, SIZE);
	ASSERT_ERRNO(mprotect(mem, SIZE, PROT_READ | PROT_WRITE), EACCES);
	igt_assert(try_mmap(dmabuf, PROT_READ | PROT_WRITE, MAP_SHARED) ==
		   MAP_FAILED);
	igt_assert_eq(errno, EACCES);
	igt_assert(try_mmap(dmabuf, PROT_READ, MAP_PRIVATE) == MAP_FAILED);
	igt_assert_eq(errno, EINVAL);
	unmap(mem, SIZE);
	close(dmabuf);
	close(heap);
}

/* Nobody handles a fault in it: it stays mapped until munmap(). */
static void assert_stays_mapped(uint8_t *mem, uint64_t seed)
{
	ASSERT_ERRNO(madvise(mem, SIZE, MADV_DONTNEED), EINVAL);
	ASSERT_ERRNO(mremap(mem, SIZE, 2 * SIZE, MREMAP_MAYMOVE), EFAULT);
	igt_assert_eq(mprotect(mem, SIZE, PROT_NONE), 0);
	igt_assert_eq(mprotect(mem, SIZE, PROT_READ | PROT_WRITE), 0);
	igt_fork(child, 1)
		assert_bytes(mem, seed, 0, SIZE);
	igt_waitchildren();
	assert_bytes(mem, seed, 0, SIZE);
}

/* A mapping and an importer keep a buffer, and each buffer the module. */
static void outlives(const struct carveout *carveout)
{
	struct buffer buffer = create_buffer(carveout, true);
	uint8_t *mem = map_dmabuf(buffer.dmabuf, SIZE);
	int engine = open_copy(0);
	uint32_t own = create_own(engine, SIZE);
	uint32_t imported;

	phyr_fill(mem, 11, 0, SIZE);
	close(buffer.dmabuf);
	igt_assert_eq(try_alloc_heap(carveout->heap, SZ_4K), -ENOMEM);
	assert_stays_mapped(mem, 11);
	ASSERT_ERRNO(syscall(SYS_delete_module, "phyr_carveout", O_NONBLOCK),
		     EBUSY);
	unmap(mem, SIZE);

	buffer.dmabuf = alloc_heap(carveout->heap, SIZE);
	imported = import_buffer(engine, buffer.dmabuf);
	close(buffer.dmabuf);
	igt_assert_eq(try_alloc_heap(carveout->heap, SZ_4K), -ENOMEM);
	fill_own(engine, own, SIZE, 12);
	copy_bytes(engine, own, imported, SIZE);
	fill_own(engine, own, SIZE, 13);
	copy_bytes(engine, imported, own, SIZE);
	assert_own(engine, own, SIZE, 12);
	close(engine);

	for (unsigned int i = 0; i < HOLES; i++)
		close(buffer.kept[i]);
	close(buffer.rest);
	wait_for_free_carveout(carveout - carveouts);
}

/* Allocations that fail after, or before, the heap has made a buffer */
static void bad_ioctls(const struct carveout *carveout)
{
	static const struct dma_heap_allocation_data bad[] = {
		{ .len = 0, .fd_flags = O_RDWR },
		{ .len = UINT64_MAX, .fd_flags = O_RDWR },
		{ .len = SIZE, .fd_flags = O_RDWR | O_TRUNC },
		{ .len = SIZE, .fd_flags = O_RDWR, .heap_flags = 1 },
		{ .len = SIZE, .fd_flags = O_RDWR, .fd = 1 },
	};
	struct dma_heap_allocation_data alloc, *sealed;
	int heap = open_heap(carveout->heap);
	struct rlimit files, none;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		alloc = bad[i];
		igt_assert_eq(phyr_ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &alloc),
			      -EINVAL);
	}

	/* The buffer's number cannot be written back. */
	sealed = mmap(NULL, SZ_4K, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	igt_assert(sealed != MAP_FAILED);
	*sealed = (struct dma_heap_allocation_data) {
		.len = SIZE,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	igt_assert_eq(mprotect(sealed, SZ_4K, PROT_READ), 0);
	igt_assert_eq(phyr_ioctl(heap, DMA_HEAP_IOCTL_ALLOC, sealed), -EFAULT);
	unmap(sealed, SZ_4K);

	/* There is no number. */
	igt_assert_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
	none = (struct rlimit) { .rlim_cur = 0, .rlim_max = files.rlim_max };
	igt_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	igt_assert_eq(try_alloc_from(heap, SIZE, O_RDWR), -EMFILE);
	igt_assert_eq(setrlimit(RLIMIT_NOFILE, &files), 0);

	close(heap);
	wait_for_free_carveout(carveout - carveouts);
}

static void alloc_until_killed(const struct carveout *carveout)
{
	/* By the parent, also if that fails */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		close(try_alloc_heap(carveout->heap, carveout->len));
}

/* Zeroing all of it takes long enough to be interrupted. */
static void killed(const struct carveout *carveout)
{
	pid_t child;
	int status;

	for (int i = 0; i < repeats(20); i++) {
		child = fork();
		igt_assert(child >= 0);
		if (!child)
			alloc_until_killed(carveout);
		usleep(10000 + 7000 * (i % 10));
		igt_assert_eq(kill(child, SIGKILL), 0);
		igt_assert_eq(waitpid(child, &status, 0), child);
		igt_assert(WIFSIGNALED(status));
		wait_for_free_carveout(carveout - carveouts);
	}
}

/* What a client in a cgroup with a limit gets of a carve-out */
#define SHARE	(4 * SZ_1M)

static struct {
	const struct carveout *carveout;
	int heap;
} shared;

static void take_share(void)
{
	char path[64];
	int dmabuf[2];

	/* The node is root's; this client was passed the file. */
	snprintf(path, sizeof(path), "/dev/dma_heap/%s", shared.carveout->heap);
	ASSERT_ERRNO(open(path, O_RDWR), EACCES);

	for (int i = 0; i < 2; i++) {
		igt_assert_eq(try_alloc_from(shared.heap, SHARE + SZ_4K,
					     O_RDWR), -ENOMEM);
		dmabuf[0] = try_alloc_from(shared.heap, SHARE - SZ_4K, O_RDWR);
		igt_assert(dmabuf[0] >= 0);
		dmabuf[1] = try_alloc_from(shared.heap, SZ_4K, O_RDWR);
		igt_assert(dmabuf[1] >= 0);
		igt_assert_eq(try_alloc_from(shared.heap, SZ_4K, O_RDWR),
			      -ENOMEM);
		if (i)
			break;
		/* What is freed is not charged any more. */
		close(dmabuf[0]);
		close(dmabuf[1]);
	}
	send_number(0);
	receive_number();
}

static void take_rest(pid_t attacker)
{
	(void)attacker;
	receive_number();
	close(alloc_heap(shared.carveout->heap, shared.carveout->len - SHARE));
	send_number(0);
}

static void cgroup(const struct carveout *carveout)
{
	char region[64];

	wait_for_free_carveout(carveout - carveouts);
	shared.carveout = carveout;
	shared.heap = open_heap(carveout->heap);
	snprintf(region, sizeof(region), "dma-heap/%s", carveout->heap);
	under_attack_with_region(region, SHARE, take_share, take_rest);
	close(shared.heap);
	wait_for_free_carveout(carveout - carveouts);
}

/* A region that does not load takes nothing. */
static void refused_regions(void)
{
	static const char *const regions[] = {
		"16M", "16M@", "@0x2a000000", "0@0x2a000000",
		"16M@0x2a000000x", "2K@0x2a000000", "16M@0x2a000800",
		"16M$0x2a000000",
		/* Past the last address; of the processor, too */
		"16M@0xfffffffffffff000", "16M@0xffffffff000000",
		/* The kernel's RAM, all of it and half of it */
		"16M@0x10000000", "32M@0x2a000000", "16T@0x20000000",
		/* The first one is fine. */
		"16M@0x2a000000,4K@0x2afff000", "16M@0x2a000000,",
	};
	char command[128];

	igt_require_f(!carveouts_are_loaded(),
		      "phyr_carveout cannot be unloaded: run this first\n");
	for (unsigned int i = 0; i < ARRAY_SIZE(regions); i++) {
		snprintf(command, sizeof(command),
			 "modprobe phyr_carveout regions='%s' 2>/dev/null",
			 regions[i]);
		igt_assert_f(system(command), "regions=%s was accepted\n",
			     regions[i]);
		igt_assert(!carveouts_are_loaded());
	}
	load_carveout(0);
}

static void full(const struct carveout *carveout)
{
	int dmabuf;
	void *mem;

	wait_for_free_carveout(carveout - carveouts);
	igt_assert_eq(try_alloc_heap(carveout->heap, carveout->len + SZ_4K),
		      -ENOMEM);
	igt_assert_eq(try_alloc_heap(carveout->heap, 1ull << 50), -ENOMEM);
	for (int i = 0; i < 2; i++) {
		dmabuf = alloc_heap(carveout->heap, carveout->len);
		igt_assert_eq(try_alloc_heap(carveout->heap, SZ_4K), -ENOMEM);
		mem = map_dmabuf(dmabuf, carveout->len);
		/* Nobody sees what the last owner left. */
		assert_zero(mem, carveout->len);
		phyr_fill(mem, 10, 0, carveout->len);
		unmap(mem, carveout->len);
		close(dmabuf);
	}
}

/* Valid until the next call. */
static const char *name_of(const char *what, const char *name)
{
	static char full_name[48];

	snprintf(full_name, sizeof(full_name), "%s-%s", what, name);
	return full_name;
}

static void subtests(const struct carveout *carveout, const char *name)
{
	igt_describe("The engine copies between a contiguous buffer and VRAM or RAM");
	igt_subtest(name_of("dma", name))
		dma(carveout, false);

	igt_describe("The same with a buffer in 16 extents");
	igt_subtest(name_of("dma-fragmented", name))
		dma(carveout, true);

	igt_describe("Userspace maps the dma-buf write-combined, shared and not executable");
	igt_subtest(name_of("mmap", name)) {
		cpu_mapping(carveout, false);
		cpu_mapping(carveout, true);
	}

	igt_describe("A debugger reads and writes a mapping");
	igt_subtest(name_of("debugger", name))
		debugger(carveout);

	igt_describe("vmap of a contiguous buffer is a plain pointer; of a fragmented one it is refused");
	igt_subtest(name_of("vmap", name))
		kernel_mapping(carveout);

	igt_describe("Importers that take page-less memory and can be revoked get it, others are refused");
	igt_subtest(name_of("importers", name))
		importers(carveout);

	igt_describe("The camera captures into a fragmented buffer");
	igt_subtest(name_of("camera", name))
		camera(carveout);

	igt_describe("Mappings and importers keep a buffer whose file is closed; the module stays");
	igt_subtest(name_of("outlives", name))
		outlives(carveout);
}

igt_main()
{
	igt_describe("Regions that are malformed, or the kernel's, are refused, and the module does not load");
	igt_subtest("refused-regions")
		refused_regions();

	igt_fixture()
		for (unsigned int i = 0; i < ARRAY_SIZE(carveouts); i++)
			carveouts[i] = load_carveout(i);

	igt_describe("One carve-out has no struct pages, the other has them for all of it");
	igt_subtest("pages") {
		igt_assert_eq_u64(carveouts[0].valid, 0);
		igt_assert_eq_u64(carveouts[1].valid, carveouts[1].len);
	}

	subtests(&carveouts[0], "without-pages");
	subtests(&carveouts[1], "with-pages");

	igt_describe("The engine copies between the two carve-outs");
	igt_subtest("dma-between")
		dma_between();

	igt_describe("All of a carve-out can be allocated, is zeroed, and is free again after the last close");
	igt_subtest("full")
		full(&carveouts[1]);

	igt_describe("A dma-buf that is opened for reading is mapped for reading only");
	igt_subtest("read-only")
		read_only(&carveouts[1]);

	igt_describe("Allocations with bad arguments leave nothing allocated");
	igt_subtest("bad-ioctls")
		bad_ioctls(&carveouts[1]);

	igt_describe("SIGKILL ends an allocation, and all is free again");
	igt_subtest("killed")
		killed(&carveouts[0]);

	igt_describe("A cgroup limits what a client gets of a carve-out");
	igt_subtest("cgroup")
		cgroup(&carveouts[1]);
}

// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <inttypes.h>
#include <linux/dma-heap.h>
#include <stdio.h>
#include <string.h>

#include "heap.h"

#define CARVEOUTS	"/sys/kernel/debug/phyr_carveout"

int open_heap(const char *heap)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/dma_heap/%s", heap);
	fd = open(path, O_RDWR | O_CLOEXEC);
	igt_assert_f(fd >= 0, "%s: %s\n", path, strerror(errno));
	return fd;
}

int try_alloc_from(int fd, uint64_t size, uint32_t fd_flags)
{
	struct dma_heap_allocation_data alloc = {
		.len = size,
		.fd_flags = fd_flags,
	};
	int ret = phyr_ioctl(fd, DMA_HEAP_IOCTL_ALLOC, &alloc);

	return ret ? ret : (int)alloc.fd;
}

int try_alloc_heap(const char *heap, uint64_t size)
{
	int fd = open_heap(heap);
	int ret = try_alloc_from(fd, size, O_RDWR | O_CLOEXEC);

	close(fd);
	return ret;
}

int alloc_heap(const char *heap, uint64_t size)
{
	int dmabuf = try_alloc_heap(heap, size);

	igt_assert_f(dmabuf >= 0, "%s: %s\n", heap, strerror(-dmabuf));
	return dmabuf;
}

static struct carveout read_carveout(unsigned int index)
{
	struct carveout found = { .len = 0 };
	FILE *file = fopen(CARVEOUTS, "re");
	char line[160];

	igt_assert_f(file, CARVEOUTS ": %s\n", strerror(errno));
	for (unsigned int i = 0; fgets(line, sizeof(line), file); i++) {
		if (i != index)
			continue;
		igt_assert_f(sscanf(line, "%31s 0x%" SCNx64 " 0x%" SCNx64 " free 0x%"
				    SCNx64 " pfn_valid 0x%" SCNx64, found.heap,
				    &found.start, &found.len, &found.free,
				    &found.valid) == 5,
			     CARVEOUTS ": %s", line);
	}
	fclose(file);
	igt_assert_f(found.len, CARVEOUTS " has no line %u\n", index + 1);
	return found;
}

bool carveouts_are_loaded(void)
{
	return !access("/sys/module/phyr_carveout", F_OK);
}

struct carveout load_carveout(unsigned int index)
{
	run_command("modprobe phyr_carveout");
	return read_carveout(index);
}

void wait_for_free_carveout(unsigned int index)
{
	struct carveout now = read_carveout(index);

	for (int tries = 0; tries < 300 && now.free < now.len; tries++) {
		usleep(100000);
		now = read_carveout(index);
	}
	igt_assert_eq_u64(now.free, now.len);
}

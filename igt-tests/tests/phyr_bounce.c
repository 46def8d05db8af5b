// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>

#include "heap.h"
#include "lib.h"
#include "video.h"

IGT_TEST_DESCRIPTION("Devices whose DMA needs bounce buffers (vm/run --iommu off --append swiotlb=force)");

static struct phyr_device card;

/* The kernel log from the latest message of phyr.ko about bounce buffers on. */
static bool log_says_bounce(const char *device)
{
	static char log[1 << 20];
	int len = klogctl(3, log, sizeof(log) - 1);
	char line[128];

	igt_assert(len >= 0);
	log[len] = '\0';
	snprintf(line, sizeof(line), "%s: phyr: ", device);
	for (char *at = log; (at = strstr(at, line)); at++) {
		char *end = strchrnul(at, '\n');

		if (memmem(at, end - at, "bounce buffers", 14))
			return true;
	}
	return false;
}

static uint32_t create_in(int vram, uint32_t placement, uint32_t place)
{
	uint32_t handle = create_vram(vram, SZ_1M, placement, SZ_64K);

	if (placement == EVICTABLE)
		move_buffer(vram, handle, place);
	fill_vram(vram, handle, SZ_1M, 1);
	return handle;
}

static const struct {
	uint32_t placement;
	uint32_t place;
} buffers[] = {
	{ IN_VRAM, IN_VRAM },
	{ EVICTABLE, IN_VRAM },
	{ EVICTABLE, IN_SYSTEM },
	{ IN_SYSTEM, IN_SYSTEM },
};

/* Nobody syncs a bounce buffer of a dma-buf: refuse at import, not later. */
static void refused(void)
{
	int vram = open_device(&card);

	for (unsigned int i = 0; i < ARRAY_SIZE(buffers); i++) {
		uint32_t handle = create_in(vram, buffers[i].placement,
					    buffers[i].place);
		int dmabuf = export_buffer(vram, handle);

		igt_assert_eq(try_import_into_engine(dmabuf), -EREMOTEIO);
		igt_assert_eq(vram_info(vram, handle).placement,
			      buffers[i].place);
		assert_vram(vram, handle, SZ_1M, 1);
		/* It is not left pinned. */
		if (buffers[i].placement == EVICTABLE) {
			move_buffer(vram, handle, IN_SYSTEM);
			move_buffer(vram, handle, IN_VRAM);
		}
		close(dmabuf);
	}
	igt_assert(log_says_bounce(copy_device(0).busid));
	close(vram);
}

static void refused_stock(void)
{
	static const uint32_t kinds[] = {
		PHYR_TEST_NATIVE, PHYR_TEST_STATIC, PHYR_TEST_DYNAMIC,
		PHYR_TEST_PEER, PHYR_TEST_REVOCABLE,
	};
	int vram = open_device(&card), test = open_phyr_test(SECOND_IVSHMEM);

	for (unsigned int i = 0; i < ARRAY_SIZE(buffers); i++) {
		uint32_t handle = create_in(vram, buffers[i].placement,
					    buffers[i].place), id;
		int dmabuf = export_buffer(vram, handle);

		for (unsigned int k = 0; k < ARRAY_SIZE(kinds); k++) {
			/* Those must not have VRAM, reachable or not. */
			bool no_vram = kinds[k] != PHYR_TEST_NATIVE &&
				       kinds[k] != PHYR_TEST_REVOCABLE;

			igt_assert_eq(try_hold(test, dmabuf, kinds[k],
					       PHYR_TEST_UNMAP_LATE, &id),
				      buffers[i].placement == IN_VRAM &&
				      no_vram ? -EBUSY : -EREMOTEIO);
		}
		assert_vram(vram, handle, SZ_1M, 1);
		close(dmabuf);
	}
	close(test);
	close(vram);
}

/* A stock exporter's table is known at the map only. */
static void refused_table(void)
{
	int engine = open_copy(0), dmabuf = create_udmabuf(SZ_1M);
	int vram = open_device(&card);
	uint32_t imported = import_buffer(engine, dmabuf);

	for (int i = 0; i < 2; i++)
		igt_assert_eq(phyr_copy_run(engine, imported, 0, imported,
					    SZ_64K, SZ_64K), -EREMOTEIO);
	close(vram);
	close(dmabuf);
	close(engine);
}

static void refused_camera(void)
{
	int vram = open_device(&card), dmabuf;
	struct video video = open_video();
	uint64_t size;

	video_set_format(&video, 640, 480, V4L2_PIX_FMT_XBGR32, 0);
	video_request(&video, V4L2_MEMORY_DMABUF, 1);
	size = video.pix.plane_fmt[0].sizeimage;
	for (unsigned int i = 0; i < ARRAY_SIZE(buffers); i++) {
		dmabuf = export_buffer(vram, create_vram(vram, size,
							 buffers[i].placement,
							 0));
		igt_assert_eq(try_video_queue(&video, 0, &dmabuf), -EREMOTEIO);
		close(dmabuf);
	}
	close_video(&video);
	close(vram);
}

/* A bounce would copy by an address in the linear map, which it does not have. */
static void refused_carveout(void)
{
	struct carveout carveout = load_carveout(0);
	int dmabuf;

	dmabuf = alloc_heap(carveout.heap, SZ_1M);
	igt_assert_eq(try_import_into_engine(dmabuf), -EREMOTEIO);
	close(dmabuf);
}

igt_main()
{
	igt_fixture()
		card = vram_device(0);

	igt_describe("An engine that would need bounce buffers is refused at import, and the log says why");
	igt_subtest("refused")
		refused();

	igt_describe("The same for importers of every kind");
	igt_subtest("refused-stock")
		refused_stock();

	igt_describe("A stock exporter's table with bounce buffers is refused");
	igt_subtest("refused-table")
		refused_table();

	igt_describe("The camera refuses the buffer when it is queued");
	igt_subtest("refused-camera")
		refused_camera();

	igt_describe("A carve-out is refused at import");
	igt_subtest("refused-carveout")
		refused_carveout();
}

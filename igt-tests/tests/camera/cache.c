// SPDX-License-Identifier: MIT
/* What the queue keeps attached and mapped. */
#include <string.h>

#include "shot.h"

void vram_frames(void)
{
	struct phyr_device card = vram_device(0);
	uint64_t free = vram_free(&card);
	struct video video = open_video();
	int vram = open_device(&card);
	struct shot shots[BUFFERS];
	struct video_cache cache;

	video_set_format(&video, 640, 480, V4L2_PIX_FMT_XBGR32, 0);
	video_set_rate(&video, FAST);
	start_with(&video, shots, vram, IN_VRAM, BUFFERS);
	for (int i = 0; i < BUFFERS; i++)
		igt_assert(vram_info(vram, shots[i].handle).extents >= 8);
	for (int i = 0; i < 2 * BUFFERS; i++)
		go_on(&video, shots);

	cache = video_cache(&video);
	igt_assert_eq_u64(cache.attached, BUFFERS);
	igt_assert_eq_u64(cache.mapped, BUFFERS);
	igt_assert_eq(cache.imports, BUFFERS);
	if (iommu_is_on()) {
		igt_assert(!strcmp(cache.mode, "iova"));
		igt_assert_eq(cache.ranges, 1);
	} else {
		igt_assert(!strcmp(cache.mode, is_on_switch() ? "extent" :
					       "window"));
		igt_assert(cache.ranges >= 8);
	}
	video_stop(&video);
	close_video(&video);
	for (int i = 0; i < BUFFERS; i++)
		close_shot(vram, &shots[i]);
	close(vram);
	wait_for_vram_free(&card, free);
}

/* A dma-buf is recognised at any index. */
void recognised(void)
{
	struct video video = open_video();
	int vram = open_vram(0);
	struct shot shots[BUFFERS];
	struct video_frame frame;
	int at[2] = { 0, 1 };

	video_set_format(&video, 64, 64, V4L2_PIX_FMT_XBGR32, 0);
	video_set_rate(&video, FAST);
	video_request(&video, V4L2_MEMORY_DMABUF, 2);
	for (int i = 0; i < BUFFERS; i++)
		shots[i] = create_shot(vram, &video, IN_VRAM);
	for (int i = 0; i < 2; i++)
		video_queue(&video, i, &shots[i].dmabuf);
	video_start(&video);
	for (int i = 2; i < 8 * BUFFERS; i++) {
		frame = video_take(&video);
		assert_shot(&video, &shots[at[frame.index]], frame.sequence);
		/* 7 and 4 are coprime: each buffer gets to each index. */
		at[frame.index] = i * 7 / 3 % BUFFERS;
		if (at[frame.index] == at[!frame.index])
			at[frame.index] = (at[frame.index] + 1) % BUFFERS;
		video_queue(&video, frame.index, &shots[at[frame.index]].dmabuf);
	}
	igt_assert_eq_u64(video_cache(&video).attached, BUFFERS);
	igt_assert_eq_u64(video_cache(&video).mapped, BUFFERS);
	igt_assert_eq(video_cache(&video).imports, BUFFERS);

	/* Without a stream, buffers without an index are detached. */
	video_stop(&video);
	igt_assert_eq(video_cache(&video).imports, 2);
	video_request(&video, V4L2_MEMORY_DMABUF, 0);
	igt_assert_eq(video_cache(&video).imports, 0);
	close_video(&video);
	for (int i = 0; i < BUFFERS; i++)
		close_shot(vram, &shots[i]);
	close(vram);
}

/* Only the camera's own buffers are mapped by a process. */
void mapped_flag(void)
{
	struct video video = open_video();
	int vram = open_vram(0);
	struct shot shot;

	video_set_format(&video, 64, 64, V4L2_PIX_FMT_XBGR32, 0);
	video_request(&video, V4L2_MEMORY_MMAP, 1);
	igt_assert(video_flags(&video, 0) & V4L2_BUF_FLAG_MAPPED);
	video_request(&video, V4L2_MEMORY_MMAP, 0);

	start_with(&video, &shot, vram, IN_VRAM, 1);
	igt_assert(!(video_flags(&video, 0) & V4L2_BUF_FLAG_MAPPED));
	igt_assert(!(video_take(&video).flags & V4L2_BUF_FLAG_MAPPED));
	igt_assert(!(video_flags(&video, 0) & V4L2_BUF_FLAG_MAPPED));
	video_stop(&video);
	close_video(&video);
	close_shot(vram, &shot);
	close(vram);
}

/* The cache drops buffers that userspace has closed. */
void forgotten(void)
{
	struct phyr_device card = vram_device(0);
	struct video video = open_video();
	int vram = open_device(&card);
	struct shot keep, shots[BUFFERS];
	uint64_t free;

	video_set_format(&video, 640, 480, V4L2_PIX_FMT_XBGR32, 0);
	video_set_rate(&video, FAST);
	keep = create_shot(vram, &video, IN_VRAM);
	free = vram_free(&card);
	video_request(&video, V4L2_MEMORY_DMABUF, 2);
	video_start(&video);
	video_queue(&video, 0, &keep.dmabuf);
	for (int i = 0; i < BUFFERS; i++) {
		shots[i] = create_shot(vram, &video, IN_VRAM);
		video_queue(&video, 1, &shots[i].dmabuf);
		while (video_take(&video).index != 1)
			video_queue(&video, 0, &keep.dmabuf);
	}
	igt_assert(video_cache(&video).imports >= BUFFERS);
	for (int i = 0; i < BUFFERS; i++)
		close_shot(vram, &shots[i]);

	/* Drops them at the next QBUF while streaming. */
	video_queue(&video, 1, &keep.dmabuf);
	wait_for_vram_free(&card, free);
	igt_assert_eq(video_cache(&video).imports, 1);

	/* Close the node while streaming. */
	close_video(&video);
	close_shot(vram, &keep);
	close(vram);
}

/* Without a stream nothing is cached. */
void uncached(void)
{
	struct phyr_device card = vram_device(0);
	uint64_t free = vram_free(&card);
	struct video video = open_video();
	int vram = open_device(&card);
	struct shot shots[3];

	video_set_format(&video, 64, 64, V4L2_PIX_FMT_XBGR32, 0);
	video_request(&video, V4L2_MEMORY_DMABUF, 2);
	for (int i = 0; i < 3; i++)
		shots[i] = create_shot(vram, &video, IN_VRAM);
	for (int i = 0; i < 2; i++)
		video_queue(&video, i, &shots[i].dmabuf);
	igt_assert_eq(video_cache(&video).imports, 2);

	/* Return them, and queue another buffer at one index. */
	video_stop(&video);
	video_queue(&video, 0, &shots[2].dmabuf);
	igt_assert_eq(video_cache(&video).imports, 2);
	video_stop(&video);
	video_remove(&video, 0);
	igt_assert_eq(video_cache(&video).imports, 1);
	video_remove(&video, 1);
	igt_assert_eq(video_cache(&video).imports, 0);
	for (int i = 0; i < 3; i++)
		close_shot(vram, &shots[i]);
	wait_for_vram_free(&card, free);
	close(vram);
	close_video(&video);
}

/*
 * A dma-buf that is not queued again is detached while the stream goes on: an
 * attachment may pin memory, and takes IOVA space.
 */
void idle(void)
{
	struct video video = open_video();
	int vram = open_vram(0);
	struct shot shots[BUFFERS];

	video_set_format(&video, 64, 64, V4L2_PIX_FMT_XBGR32, 0);
	video_set_rate(&video, FAST);
	video_request(&video, V4L2_MEMORY_DMABUF, 2);
	video_start(&video);
	for (int i = 0; i < BUFFERS; i++) {
		shots[i] = create_shot(vram, &video, IN_VRAM);
		video_queue(&video, 0, &shots[i].dmabuf);
		video_take(&video);
	}
	igt_assert_eq(video_cache(&video).imports, BUFFERS);
	for (int i = 0; i < 40; i++) {
		video_queue(&video, 0, &shots[0].dmabuf);
		video_take(&video);
	}
	igt_assert_eq(video_cache(&video).imports, 1);
	igt_assert_eq_u64(video_cache(&video).attached, BUFFERS);
	video_stop(&video);
	close_video(&video);
	for (int i = 0; i < BUFFERS; i++)
		close_shot(vram, &shots[i]);
	close(vram);
}

/*
 * Dma-bufs of 256 MiB, one after the other, at two indices. Their exporter maps
 * all of each, however small the frames are, and the camera's 4 GiB of IOVA
 * space have room for a few of them: the queue must give up those that it only
 * caches. Each one is all of a card's memory, so that neither memory nor time is
 * spent on them.
 */
void given_up(void)
{
	enum { COUNT = 20 };
	struct video video;
	int dmabufs[COUNT], test;
	char card[16];

	igt_require_f(iommu_is_on(), "without an IOMMU there is no IOVA space\n");
	test = open_phyr_test(FIRST_IVSHMEM);
	video = open_video();
	video_set_format(&video, 64, 64, V4L2_PIX_FMT_XBGR32, 0);
	video_set_rate(&video, FAST);
	video_request(&video, V4L2_MEMORY_DMABUF, 2);
	video_start(&video);
	for (int i = 0; i < COUNT; i++) {
		dmabufs[i] = test_export(test, PHYR_TEST_STYLE_STOCK, 0, 1,
					 256 * SZ_1M, 0);
		video_queue(&video, i % 2, &dmabufs[i]);
		video_take(&video);
	}
	igt_assert(video_cache(&video).imports < COUNT);
	igt_assert_eq_u64(video_cache(&video).attached, COUNT);
	video_stop(&video);
	close_video(&video);
	for (int i = 0; i < COUNT; i++)
		close(dmabufs[i]);
	close(test);
	igt_assert(pci_find("0x1af4", "0x1110", 0, card));
	pci_bind(card, PHYR_VRAM_DRIVER);
}

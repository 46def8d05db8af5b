// SPDX-License-Identifier: MIT
/* What the camera refuses. */
#include <stdio.h>
#include <string.h>

#include "shot.h"

void refused(void)
{
	struct v4l2_requestbuffers request = {
		.count = 1, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_USERPTR,
	};
	struct video video = open_video();
	int vram = open_vram(0), small, none = -1, no_dmabuf = video.fd;

	igt_assert_eq(phyr_ioctl(video.fd, VIDIOC_REQBUFS, &request), -EINVAL);
	video_set_format(&video, 640, 480, V4L2_PIX_FMT_XBGR32, 0);
	video_request(&video, V4L2_MEMORY_DMABUF, 1);
	small = create_dmabuf(vram, video.pix.plane_fmt[0].sizeimage - SZ_4K,
			      SZ_4K);
	igt_assert_eq(try_video_queue(&video, 0, &small), -EINVAL);
	igt_assert_eq(try_video_queue(&video, 0, &none), -EINVAL);
	igt_assert_eq(try_video_queue(&video, 0, &no_dmabuf), -EINVAL);
	igt_assert_eq(video_cache(&video).imports, 0);
	close(small);
	close(vram);
	close_video(&video);
}

/* A dma-buf shorter than the length given with it. */
void refused_length(void)
{
	struct phyr_device card = vram_device(0);
	uint64_t free = vram_free(&card);
	struct video video = open_video();
	int vram = open_device(&card), small;
	uint32_t length;

	video_set_format(&video, 640, 480, V4L2_PIX_FMT_XBGR32, 0);
	length = video.pix.plane_fmt[0].sizeimage;
	video_request(&video, V4L2_MEMORY_DMABUF, 1);
	small = create_dmabuf(vram, length - SZ_4K, SZ_4K);
	igt_assert_eq(try_video_queue_lengths(&video, 0, &small, &length),
		      -EFAULT);
	close(small);
	wait_for_vram_free(&card, free);
	igt_assert_eq(video_cache(&video).imports, 0);
	close(vram);
	close_video(&video);
}

static unsigned int module_users(const char *module)
{
	unsigned int users;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", module);
	file = fopen(path, "re");
	igt_assert_f(file, "%s: %s\n", path, strerror(errno));
	igt_assert_eq(fscanf(file, "%u", &users), 1);
	fclose(file);
	return users;
}

/* Each dma-buf is a user, and a worker may drop the last one. */
static void wait_for_module_users(const char *module, unsigned int users)
{
	for (int tries = 0; tries < 300; tries++) {
		if (module_users(module) == users)
			return;
		usleep(100000);
	}
	igt_assert_eq(module_users(module), users);
}

/*
 * The card of one plane is unbound before the camera attaches. Its debugfs is
 * gone, so check for leaks by the module's reference count.
 */
void refused_revoked(void)
{
	struct phyr_device cards[] = { vram_device(0), vram_device(1) };
	uint64_t free = vram_free(&cards[1]);
	struct video video = open_multiplanar_video();
	int vrams[VIDEO_PLANES], dmabufs[VIDEO_PLANES], swapped[VIDEO_PLANES];
	unsigned int users;

	for (int i = 0; i < VIDEO_PLANES; i++)
		vrams[i] = open_device(&cards[i]);
	users = module_users(PHYR_VRAM_DRIVER);
	for (int i = 0; i < VIDEO_PLANES; i++) {
		dmabufs[i] = create_dmabuf(vrams[i], SZ_4K, 0);
		swapped[!i] = dmabufs[i];
	}
	igt_assert_eq(module_users(PHYR_VRAM_DRIVER), users + VIDEO_PLANES);
	video_set_format(&video, 64, 64, V4L2_PIX_FMT_NV12M, 0);
	video_request(&video, V4L2_MEMORY_DMABUF, 1);
	remove_device(cards[0].busid, UNBIND);
	igt_assert_eq(try_video_queue(&video, 0, dmabufs), -ENODEV);
	igt_assert_eq(try_video_queue(&video, 0, swapped), -ENODEV);
	for (int i = 0; i < VIDEO_PLANES; i++)
		close(dmabufs[i]);
	wait_for_vram_free(&cards[1], free);
	wait_for_module_users(PHYR_VRAM_DRIVER, users);
	for (int i = 0; i < VIDEO_PLANES; i++)
		close(vrams[i]);
	close_video(&video);
	restore_device(cards[0].busid, PHYR_VRAM_DRIVER, UNBIND);
}

/* A dma-buf large enough for the first plane, but not for the second. */
void refused_shared(void)
{
	struct phyr_device card = vram_device(0);
	uint64_t free = vram_free(&card);
	struct video video = open_multiplanar_video();
	int vram = open_device(&card), dmabufs[VIDEO_PLANES];
	uint32_t lengths[VIDEO_PLANES];

	dmabufs[0] = create_dmabuf(vram, SZ_4K, 0);
	dmabufs[1] = dmabufs[0];
	video_set_format(&video, 64, 64, V4L2_PIX_FMT_NV12M, 0);
	video_set_pitch(&video, 1, 16384);
	for (int i = 0; i < VIDEO_PLANES; i++)
		lengths[i] = video.pix.plane_fmt[i].sizeimage;
	igt_assert_eq_u64(lengths[0], SZ_4K);
	video_request(&video, V4L2_MEMORY_DMABUF, 1);
	igt_assert_eq(try_video_queue_lengths(&video, 0, dmabufs, lengths),
		      -EFAULT);
	video_request(&video, V4L2_MEMORY_DMABUF, 0);

	/*
	 * The same while it is attached for planes that it is large enough
	 * for.
	 */
	video_set_pitch(&video, 1, 64);
	video_request(&video, V4L2_MEMORY_DMABUF, 1);
	video_queue(&video, 0, dmabufs);
	video_stop(&video);
	igt_assert_eq(try_video_queue_lengths(&video, 0, dmabufs, lengths),
		      -EFAULT);
	close(dmabufs[0]);
	close(vram);
	wait_for_vram_free(&card, free);
	close_video(&video);
}

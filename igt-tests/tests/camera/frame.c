// SPDX-License-Identifier: MIT
/* Frames: formats, controls, sequence numbers, and the camera's own buffers. */
#include <string.h>

#include "shot.h"

static void one_frame(struct video *video, uint32_t width, uint32_t height,
		      uint32_t fourcc, uint32_t pitch)
{
	const uint8_t *planes[VIDEO_PLANES];
	struct video_frame frame;

	video_set_format(video, width, height, fourcc, pitch);
	video_request(video, V4L2_MEMORY_MMAP, 1);
	video_queue(video, 0, NULL);
	video_start(video);
	frame = video_take(video);
	for (int i = 0; i < VIDEO_PLANES; i++)
		planes[i] = video->mem[frame.index][i];
	assert_frame(video, planes, look_at(frame.sequence));
	video_stop(video);
	video_request(video, V4L2_MEMORY_MMAP, 0);
}

static void formats(struct video video, const uint32_t *fourccs, int count)
{
	for (int i = 0; i < count; i++) {
		one_frame(&video, 64, 64, fourccs[i], 0);
		one_frame(&video, 322, 242, fourccs[i], 0);
		one_frame(&video, 640, 480, fourccs[i], 4096);
	}
	one_frame(&video, 1920, 1080, fourccs[0], 0);
	one_frame(&video, 1920, 1080, fourccs[count - 1], 0);
	close_video(&video);
}

void single_planar(void)
{
	static const uint32_t fourccs[] = {
		V4L2_PIX_FMT_XBGR32, V4L2_PIX_FMT_XRGB32, V4L2_PIX_FMT_RGB565,
		V4L2_PIX_FMT_YUYV, V4L2_PIX_FMT_NV12,
	};

	formats(open_video(), fourccs, ARRAY_SIZE(fourccs));
}

void multi_planar(void)
{
	static const uint32_t fourccs[] = {
		V4L2_PIX_FMT_XBGR32, V4L2_PIX_FMT_NV12, V4L2_PIX_FMT_NV12M,
	};

	formats(open_multiplanar_video(), fourccs, ARRAY_SIZE(fourccs));
}

/* One dma-buf per plane, then both planes in the same. */
void multi_planar_vram(void)
{
	struct video video = open_multiplanar_video();
	int vram = open_vram(0), dmabufs[VIDEO_PLANES];
	const uint8_t *planes[VIDEO_PLANES];
	struct shot shots[VIDEO_PLANES];
	struct video_frame frame;

	video_set_format(&video, 640, 480, V4L2_PIX_FMT_NV12M, 0);
	video_request(&video, V4L2_MEMORY_DMABUF, 1);
	for (int i = 0; i < VIDEO_PLANES; i++) {
		shots[i] = create_shot(vram, &video, IN_VRAM);
		dmabufs[i] = shots[i].dmabuf;
		planes[i] = shots[i].mem;
	}
	video_start(&video);
	video_queue(&video, 0, dmabufs);
	frame = video_take(&video);
	assert_frame(&video, planes, look_at(frame.sequence));

	/* videobuf2 attaches to it once, for the first plane. */
	dmabufs[1] = dmabufs[0];
	video_queue(&video, 0, dmabufs);
	frame = video_take(&video);
	assert_shared_frame(&video, shots[0].mem, look_at(frame.sequence));
	video_stop(&video);
	close_video(&video);
	for (int i = 0; i < VIDEO_PLANES; i++)
		close_shot(vram, &shots[i]);
	close(vram);
}

/* A control changes the following frames. */
void controls(void)
{
	struct video video = open_video();
	uint32_t patterns[] = { VIDEO_BARS, VIDEO_GRADIENT, VIDEO_CHECKERBOARD };
	int32_t levels[] = { 128, 0, 64, 255 };

	video_set_format(&video, 320, 240, V4L2_PIX_FMT_XBGR32, 0);
	video_set_rate(&video, FAST);
	video_request(&video, V4L2_MEMORY_MMAP, 1);
	video_start(&video);
	for (unsigned int i = 0; i < ARRAY_SIZE(patterns); i++) {
		for (unsigned int j = 0; j < ARRAY_SIZE(levels); j++) {
			struct video_look look = {
				.pattern = patterns[i], .brightness = levels[j],
			};
			const uint8_t *planes[] = { video.mem[0][0] };

			video_set_control(&video, V4L2_CID_TEST_PATTERN,
					  patterns[i]);
			video_set_control(&video, V4L2_CID_BRIGHTNESS,
					  levels[j]);
			video_queue(&video, 0, NULL);
			look.number = video_take(&video).sequence;
			assert_frame(&video, planes, look);
		}
	}
	video_set_control(&video, V4L2_CID_TEST_PATTERN, VIDEO_BARS);
	video_set_control(&video, V4L2_CID_BRIGHTNESS, VIDEO_BRIGHTNESS);
	video_stop(&video);
	close_video(&video);
}

/* No frame is lost or repeated, and each has an event. */
void sequence(void)
{
	struct v4l2_event_subscription subscription = {
		.type = V4L2_EVENT_FRAME_SYNC,
	};
	struct video video = open_video();
	struct video_frame frame;
	uint64_t before = 0;
	uint32_t i;

	video_set_format(&video, 64, 64, V4L2_PIX_FMT_YUYV, 0);
	video_set_rate(&video, FAST);
	igt_assert_eq(phyr_ioctl(video.fd, VIDIOC_SUBSCRIBE_EVENT,
				 &subscription), 0);
	for (int round = 0; round < 2; round++) {
		video_request(&video, V4L2_MEMORY_MMAP, BUFFERS);
		for (i = 0; i < BUFFERS; i++)
			video_queue(&video, i, NULL);
		video_start(&video);
		for (i = 0; i < 60; i++) {
			frame = video_take(&video);
			igt_assert_eq(frame.sequence, i);
			igt_assert_eq(frame.index, i % BUFFERS);
			igt_assert(frame.time > before);
			igt_assert_eq(frame.flags &
				      V4L2_BUF_FLAG_TIMESTAMP_MASK,
				      V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC);
			before = frame.time;
			igt_assert_eq(next_frame_sync(video.fd), i);
			/*
			 * The last four buffers of the round are not queued
			 * again.
			 */
			if (i < 60 - BUFFERS)
				video_queue(&video, frame.index, NULL);
		}
		video_stop(&video);
		video_request(&video, V4L2_MEMORY_MMAP, 0);
	}
	close_video(&video);
}

/* An exported buffer of the camera is copied without the CPU. */
void exported(void)
{
	struct export export = capture_exported(640, 480);
	uint8_t *mem;

	copy_bytes(export.engine, export.imported, export.own, export.size);
	video_stop(&export.video);

	/* The pages outlive the queue that they were allocated for. */
	video_request(&export.video, V4L2_MEMORY_MMAP, 0);
	assert_copy(&export);
	close_video(&export.video);
	copy_bytes(export.engine, export.imported, export.own, export.size);
	mem = map_dmabuf(export.dmabuf, export.size);
	assert_frame(&export.video, (const uint8_t *const[]) { mem },
		     look_at(export.frame.sequence));
	unmap(mem, export.size);
	close(export.dmabuf);
	close(export.engine);
}

/* READ_IMPLIES_EXEC adds PROT_EXEC to every mapping of a program. */
void executable(void)
{
	struct v4l2_buffer buffer = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_MMAP,
	};
	struct video video = open_video();
	uint64_t size;
	void *mem;

	video_set_format(&video, 64, 64, V4L2_PIX_FMT_XBGR32, 0);
	size = video.pix.plane_fmt[0].sizeimage;
	video_request(&video, V4L2_MEMORY_MMAP, 1);
	igt_assert_eq(mprotect(video.mem[0][0], size, PROT_READ | PROT_EXEC),
		      0);
	igt_assert_eq(phyr_ioctl(video.fd, VIDIOC_QUERYBUF, &buffer), 0);
	mem = mmap(NULL, size, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED,
		   video.fd, buffer.m.offset);
	igt_assert_f(mem != MAP_FAILED, "mmap: %s\n", strerror(errno));
	unmap(mem, size);
	close_video(&video);
}

/*
 * phyr_null_video checks its ranges, and fails a frame with one that is too
 * long.
 */
static void within_limits(struct video *video, uint32_t memory,
			  const int *dmabuf)
{
	video_request(video, memory, 1);
	video_start(video);
	video_queue(video, 0, dmabuf);
	video_take(video);
	video_stop(video);
	video_request(video, memory, 0);
}

void in_segments(void)
{
	struct video video = open_null_video("phyr-limits");
	int vram = open_vram(0), dmabuf;

	within_limits(&video, V4L2_MEMORY_MMAP, NULL);
	dmabuf = create_dmabuf(vram, video.pix.plane_fmt[0].sizeimage,
			       MAX_EXTENT);
	within_limits(&video, V4L2_MEMORY_DMABUF, &dmabuf);
	close(dmabuf);
	close(vram);
	close_video(&video);
}

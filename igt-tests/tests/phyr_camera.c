// SPDX-License-Identifier: MIT
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "lib.h"
#include "traffic.h"
#include "video.h"

IGT_TEST_DESCRIPTION("A camera captures into RAM, and into page-less VRAM");

#define BUFFERS		4
#define MAX_EXTENT	SZ_64K
#define FAST		60

static struct video_look look_at(uint32_t number)
{
	return (struct video_look) {
		.number = number, .brightness = VIDEO_BRIGHTNESS,
	};
}

/*
 * Buffers in VRAM
 */

/**
 * struct shot - a buffer in VRAM, to capture into
 * @handle: of the card's client
 * @dmabuf: what the camera gets
 * @mem: mapping
 * @size: bytes
 */
struct shot {
	uint32_t handle;
	int dmabuf;
	uint8_t *mem;
	uint64_t size;
};

static struct shot create_shot(int vram, const struct video *video,
			       uint32_t placement)
{
	struct shot shot = { 0 };

	shot.size = (video->pix.plane_fmt[0].sizeimage + SZ_4K - 1) &
		    ~(SZ_4K - 1);
	shot.handle = create_vram(vram, shot.size, placement, MAX_EXTENT);
	shot.dmabuf = export_buffer(vram, shot.handle);
	shot.mem = map_vram(vram, shot.handle, shot.size);
	return shot;
}

static void close_shot(int vram, struct shot *shot)
{
	unmap(shot->mem, shot->size);
	close(shot->dmabuf);
	igt_assert_eq(phyr_close_handle(vram, shot->handle), 0);
}

static void assert_shot(const struct video *video, const struct shot *shot,
			uint32_t number)
{
	const uint8_t *planes[] = { shot->mem };

	assert_frame(video, planes, look_at(number));
}

/* A camera that streams into @count shots, each queued at its own index. */
static void start_with(struct video *video, struct shot *shots, int vram,
		       uint32_t placement, int count)
{
	video_request(video, V4L2_MEMORY_DMABUF, count);
	for (int i = 0; i < count; i++) {
		shots[i] = create_shot(vram, video, placement);
		video_queue(video, i, &shots[i].dmabuf);
	}
	video_start(video);
}

/* One more frame, right in all its bytes, whose buffer goes back at once. */
static void go_on(const struct video *video, const struct shot *shots)
{
	struct video_frame frame = video_take(video);

	assert_shot(video, &shots[frame.index], frame.sequence);
	video_queue(video, frame.index, &shots[frame.index].dmabuf);
}

/*
 * RAM
 */

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

static void single_planar(void)
{
	static const uint32_t fourccs[] = {
		V4L2_PIX_FMT_XBGR32, V4L2_PIX_FMT_XRGB32, V4L2_PIX_FMT_RGB565,
		V4L2_PIX_FMT_YUYV, V4L2_PIX_FMT_NV12,
	};

	formats(open_video(), fourccs, ARRAY_SIZE(fourccs));
}

static void multi_planar(void)
{
	static const uint32_t fourccs[] = {
		V4L2_PIX_FMT_XBGR32, V4L2_PIX_FMT_NV12, V4L2_PIX_FMT_NV12M,
	};

	formats(open_multiplanar_video(), fourccs, ARRAY_SIZE(fourccs));
}

/* Both planes of a frame in one dma-buf each, then in the same. */
static void multi_planar_vram(void)
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

/* While it streams, a control changes the frames that follow. */
static void controls(void)
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

static uint32_t next_frame_sync(int fd)
{
	struct v4l2_event event = { 0 };
	struct pollfd waiting = { .fd = fd, .events = POLLPRI };

	igt_assert_eq(poll(&waiting, 1, -1), 1);
	igt_assert_eq(phyr_ioctl(fd, VIDIOC_DQEVENT, &event), 0);
	igt_assert_eq(event.type, V4L2_EVENT_FRAME_SYNC);
	return event.u.frame_sync.frame_sequence;
}

/* No frame is lost, none comes twice, and each was announced. */
static void sequence(void)
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
			/* The last four are this round's last. */
			if (i < 60 - BUFFERS)
				video_queue(&video, frame.index, NULL);
		}
		video_stop(&video);
		video_request(&video, V4L2_MEMORY_MMAP, 0);
	}
	close_video(&video);
}

/* What a camera's own buffer holds goes on, by its dma-buf, without the CPU. */
static void exported(void)
{
	struct video video = open_video();
	int engine = open_copy(0), dmabuf;
	struct video_frame frame;
	uint32_t own, imported;
	uint64_t size;
	uint8_t *mem;

	video_set_format(&video, 640, 480, V4L2_PIX_FMT_XBGR32, 0);
	size = video.pix.plane_fmt[0].sizeimage;
	video_request(&video, V4L2_MEMORY_MMAP, 1);
	dmabuf = video_export(&video, 0, 0);
	imported = import_buffer(engine, dmabuf);
	own = create_own(engine, size);
	video_queue(&video, 0, NULL);
	video_start(&video);
	frame = video_take(&video);
	copy(engine, imported, own, size);
	video_stop(&video);

	/* The pages outlive the queue that they were made for. */
	video_request(&video, V4L2_MEMORY_MMAP, 0);
	mem = map_own(engine, own, size);
	assert_frame(&video, (const uint8_t *const[]) { mem },
		     look_at(frame.sequence));
	unmap(mem, size);
	close_video(&video);
	copy(engine, imported, own, size);
	mem = map_dmabuf(dmabuf, size);
	assert_frame(&video, (const uint8_t *const[]) { mem },
		     look_at(frame.sequence));
	unmap(mem, size);
	close(dmabuf);
	close(engine);
}

/* One frame of a camera that looks at its ranges, and fails one that is too long. */
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

static void in_segments(void)
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

/*
 * VRAM
 */

static void vram_frames(void)
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

/* A buffer is recognised at whatever index it comes back. */
static void recognised(void)
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
		/* 7 and 4 have no common divisor: each comes to each index. */
		at[frame.index] = i * 7 / 3 % BUFFERS;
		if (at[frame.index] == at[!frame.index])
			at[frame.index] = (at[frame.index] + 1) % BUFFERS;
		video_queue(&video, frame.index, &shots[at[frame.index]].dmabuf);
	}
	igt_assert_eq_u64(video_cache(&video).attached, BUFFERS);
	igt_assert_eq_u64(video_cache(&video).mapped, BUFFERS);
	igt_assert_eq(video_cache(&video).imports, BUFFERS);

	/* Without a stream, what no index has is let go of. */
	video_stop(&video);
	igt_assert_eq(video_cache(&video).imports, 2);
	video_request(&video, V4L2_MEMORY_DMABUF, 0);
	igt_assert_eq(video_cache(&video).imports, 0);
	close_video(&video);
	for (int i = 0; i < BUFFERS; i++)
		close_shot(vram, &shots[i]);
	close(vram);
}

/* The camera's own buffer is in somebody's address space, another's is not. */
static void mapped_flag(void)
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

/* What its users have closed does not live on in the cache. */
static void forgotten(void)
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

	/* The next buffer to be queued, while it streams. */
	video_queue(&video, 1, &keep.dmabuf);
	wait_for_vram_free(&card, free);
	igt_assert_eq(video_cache(&video).imports, 1);

	/* Closing the node, with a stream and buffers. */
	close_video(&video);
	close_shot(vram, &keep);
	close(vram);
}

/* Without a stream there is no cache, whatever other buffers have. */
static void uncached(void)
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

	/* They come back, and one index gets another. */
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
 * Memory that moves, and goes
 */

/* Between two frames, and while it waits for its frame. */
static void moved(void)
{
	struct video video = open_video();
	int vram = open_vram(0), rounds = repeats(100);
	struct shot shots[2];

	video_set_format(&video, 320, 240, V4L2_PIX_FMT_XBGR32, 0);
	video_set_rate(&video, FAST);
	start_with(&video, shots, vram, EVICTABLE, 2);
	for (int round = 0; round < rounds; round++) {
		uint32_t place = round % 2 ? IN_VRAM : IN_SYSTEM;
		struct video_frame frame = video_take(&video);
		struct shot *shot = &shots[frame.index];

		assert_shot(&video, shot, frame.sequence);
		/* One is ours, the other is queued or in flight. */
		move_buffer(vram, shot->handle, place);
		move_buffer(vram, shots[!frame.index].handle, place);
		assert_shot(&video, shot, frame.sequence);
		video_queue(&video, frame.index, &shot->dmabuf);
	}
	igt_assert(video_cache(&video).mapped >= (uint64_t)rounds);
	igt_assert_eq_u64(video_cache(&video).attached, 2);
	video_stop(&video);
	close_video(&video);
	for (int i = 0; i < 2; i++)
		close_shot(vram, &shots[i]);
	close(vram);
}

/* In the clock and the units of frames' timestamps. */
static uint64_t now(void)
{
	struct timespec time;

	igt_assert(!clock_gettime(CLOCK_MONOTONIC, &time));
	return time.tv_sec * 1000000ull + time.tv_nsec / 1000;
}

/*
 * A move waits for the frame in flight, not for the queue. A frame's fence is there
 * when its event comes, and its timestamp is taken before that signals: a move that
 * begins after the event ends after the timestamp. One that began after that, too,
 * has shown nothing: once more.
 */
static void moved_in_flight(void)
{
	struct v4l2_event_subscription subscription = {
		.type = V4L2_EVENT_FRAME_SYNC,
	};
	struct video video = open_video();
	uint32_t place = IN_VRAM, number = 0;
	struct video_frame frame;
	struct shot shots[1];
	int vram = open_vram(0);
	uint64_t start, end;

	video_set_format(&video, 320, 240, V4L2_PIX_FMT_XBGR32, 0);
	igt_assert_eq(phyr_ioctl(video.fd, VIDIOC_SUBSCRIBE_EVENT,
				 &subscription), 0);
	video_request(&video, V4L2_MEMORY_DMABUF, 1);
	shots[0] = create_shot(vram, &video, EVICTABLE);
	video_start(&video);
	do {
		video_hang(&video, 1);
		video_queue(&video, 0, &shots[0].dmabuf);
		igt_assert_eq(next_frame_sync(video.fd), number++);
		place ^= EVICTABLE;
		start = now();
		move_buffer(vram, shots[0].handle, place);
		end = now();
		igt_assert_eq(try_video_take(&video, &frame), 0);
		igt_assert(frame.flags & V4L2_BUF_FLAG_ERROR);
		igt_assert_lte_u64(frame.time, end);
	} while (start >= frame.time);
	video_queue(&video, 0, &shots[0].dmabuf);
	go_on(&video, shots);

	/* Nothing is in flight before STREAMON: this returns. */
	video_stop(&video);
	video_queue(&video, 0, &shots[0].dmabuf);
	move_buffer(vram, shots[0].handle, place ^ EVICTABLE);
	video_start(&video);
	go_on(&video, shots);
	video_stop(&video);
	close_video(&video);
	close_shot(vram, &shots[0]);
	close(vram);
}

/* Take frames until the buffer at @index came back with the error flag. */
static void wait_for_error(const struct video *video, uint32_t index,
			   const struct shot *others)
{
	struct video_frame frame;

	do {
		igt_assert_eq(try_video_take(video, &frame), 0);
		if (frame.index != index) {
			igt_assert(!(frame.flags & V4L2_BUF_FLAG_ERROR));
			assert_shot(video, &others[frame.index],
				    frame.sequence);
			video_queue(video, frame.index,
				    &others[frame.index].dmabuf);
		}
	} while (frame.index != index ||
		 !(frame.flags & V4L2_BUF_FLAG_ERROR));
}

/*
 * One buffer is on the card that goes, three on the other: those go on. The
 * camera takes frames all the while, so that some revokes find one in flight.
 */
static void revoked(enum way way, int rounds)
{
	struct phyr_device card = vram_device(0);
	struct video video = open_video();
	int other = open_vram(1), vram;
	struct shot shots[BUFFERS];
	uint32_t gone = BUFFERS - 1;
	struct video_frame frame;
	int errors = 0;

	video_set_format(&video, 320, 240, V4L2_PIX_FMT_XBGR32, 0);
	video_set_rate(&video, FAST);
	start_with(&video, shots, other, IN_VRAM, gone);
	video_stop(&video);
	video_request(&video, V4L2_MEMORY_DMABUF, 0);
	video_request(&video, V4L2_MEMORY_DMABUF, BUFFERS);
	for (uint32_t i = 0; i < gone; i++)
		video_queue(&video, i, &shots[i].dmabuf);
	video_start(&video);
	/* A round may have all frames captured before the card goes. */
	for (int round = 0; round < rounds || !errors; round++) {
		vram = open_device(&card);
		shots[gone] = create_shot(vram, &video, IN_VRAM);
		video_queue(&video, gone, &shots[gone].dmabuf);
		if (round % 2) {
			/* It was captured into, and is queued once more. */
			do {
				frame = video_take(&video);
				video_queue(&video, frame.index,
					    &shots[frame.index].dmabuf);
			} while (frame.index != gone);
		}
		take_away(card.busid, way);
		do {
			igt_assert_eq(try_video_take(&video, &frame), 0);
			if (frame.index != gone) {
				igt_assert(!(frame.flags &
					     V4L2_BUF_FLAG_ERROR));
				video_queue(&video, frame.index,
					    &shots[frame.index].dmabuf);
			}
		} while (frame.index != gone);
		errors += !!(frame.flags & V4L2_BUF_FLAG_ERROR);
		igt_assert_eq(try_video_queue(&video, gone,
					      &shots[gone].dmabuf), -ENODEV);
		go_on(&video, shots);
		unmap(shots[gone].mem, shots[gone].size);
		close(shots[gone].dmabuf);
		close(vram);
		give_back(card.busid, PHYR_VRAM_DRIVER, way);
		card = vram_device(0);
	}
	igt_info("%d of the frames came back with the error flag\n", errors);
	video_stop(&video);
	close_video(&video);
	for (uint32_t i = 0; i < gone; i++)
		close_shot(other, &shots[i]);
	close(other);
}

/* Surely while it is queued: the stream has not begun. */
static void revoked_while_queued(void)
{
	struct phyr_device card = vram_device(0);
	struct video video = open_video();
	int other = open_vram(1), vram = open_device(&card);
	struct shot shots[2];

	video_set_format(&video, 320, 240, V4L2_PIX_FMT_XBGR32, 0);
	video_request(&video, V4L2_MEMORY_DMABUF, 2);
	shots[0] = create_shot(other, &video, IN_VRAM);
	shots[1] = create_shot(vram, &video, IN_VRAM);
	for (int i = 0; i < 2; i++)
		video_queue(&video, i, &shots[i].dmabuf);
	take_away(card.busid, UNBIND);
	video_start(&video);
	wait_for_error(&video, 1, shots);
	igt_assert_eq(try_video_queue(&video, 1, &shots[1].dmabuf), -ENODEV);
	go_on(&video, shots);
	video_stop(&video);
	close_video(&video);
	unmap(shots[1].mem, shots[1].size);
	close(shots[1].dmabuf);
	close(vram);
	close_shot(other, &shots[0]);
	close(other);
	give_back(card.busid, PHYR_VRAM_DRIVER, UNBIND);
}

/*
 * Queued again and again while the card goes, to a camera that sees nothing and takes
 * no time: once refused, it stays refused, at the latest when the card is gone.
 */
static void revoked_beside(void)
{
	struct phyr_device card = vram_device(0);
	struct video video = open_null_video("phyr");
	int rounds = repeats(50), err, refused, status;
	struct shot shot;
	char path[64];
	pid_t unbinder;
	bool gone;

	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s/unbind",
		 PHYR_VRAM_DRIVER);
	for (int round = 0; round < rounds; round++) {
		int vram = open_device(&card);

		start_with(&video, &shot, vram, IN_VRAM, 1);
		video_take(&video);
		unbinder = write_in_background(path, card.busid);
		refused = 0;
		do {
			gone = waitpid(unbinder, &status, WNOHANG) == unbinder;
			err = try_video_queue(&video, 0, &shot.dmabuf);
			igt_assert(err == -ENODEV || (!err && !refused));
			refused = err;
			if (!err)
				video_take(&video);
		} while (!gone);
		igt_assert_eq(status, 0);
		igt_assert_eq(err, -ENODEV);
		video_stop(&video);
		video_request(&video, V4L2_MEMORY_DMABUF, 0);
		unmap(shot.mem, shot.size);
		close(shot.dmabuf);
		close(vram);
		give_back(card.busid, PHYR_VRAM_DRIVER, UNBIND);
		card = vram_device(0);
	}
	close_video(&video);
}

/* All of the stream's buffers are taken, and a process waits for another. */
static pid_t wait_in_vain(const struct video *video)
{
	struct video_frame frame;
	pid_t pid;

	for (int i = 0; i < BUFFERS; i++)
		video_take(video);
	fflush(stdout);
	pid = fork();
	igt_assert(pid >= 0);
	if (!pid)
		_exit(-try_video_take(video, &frame));
	wait_until_sleeps_in(pid, "vb2_core_dqbuf");
	return pid;
}

static void assert_told(pid_t pid)
{
	int status;

	igt_assert_eq(waitpid(pid, &status, 0), pid);
	igt_assert(WIFEXITED(status));
	igt_assert_f(WEXITSTATUS(status) == EIO || WEXITSTATUS(status) == EINVAL,
		     "DQBUF ended with %d\n", WEXITSTATUS(status));
}

/* The camera goes while it streams, and who has it open is told. */
static void camera_gone(enum way way)
{
	struct phyr_device card = vram_device(0);
	uint64_t free = vram_free(&card);
	int rounds = repeats(50);

	for (int round = 0; round < rounds; round++) {
		struct video video = open_video();
		int vram = open_device(&card), again = open_video_again(&video);
		struct shot shots[BUFFERS];
		struct video_frame frame;
		pid_t waiter = 0;

		video_set_format(&video, 320, 240, V4L2_PIX_FMT_XBGR32, 0);
		video_set_rate(&video, FAST);
		start_with(&video, shots, vram, IN_VRAM, BUFFERS);
		for (int i = 0; i < round % 3; i++)
			go_on(&video, shots);
		if (round % 2)
			waiter = wait_in_vain(&video);
		take_away(video.busid, way);
		if (waiter)
			assert_told(waiter);
		igt_assert_eq(try_video_take(&video, &frame), -ENODEV);
		igt_assert_eq(try_video_queue(&video, 0, &shots[0].dmabuf),
			      -ENODEV);
		for (int i = 0; i < BUFFERS; i++)
			close_shot(vram, &shots[i]);
		/* All that the camera had is given back, whoever has it open. */
		wait_for_vram_free(&card, free);
		close(vram);
		give_back(video.busid, VIDEO_DRIVER, way);
		close(again);
		close_video(&video);
	}
}

/* With its own buffers mapped, exported and imported by another engine. */
static void camera_gone_ram(void)
{
	struct video video = open_video();
	int engine = open_copy(0), dmabuf;
	struct video_frame frame;
	uint32_t own, imported;
	uint64_t size;
	uint8_t *mem;

	video_set_format(&video, 320, 240, V4L2_PIX_FMT_XBGR32, 0);
	size = video.pix.plane_fmt[0].sizeimage;
	video_request(&video, V4L2_MEMORY_MMAP, 2);
	dmabuf = video_export(&video, 0, 0);
	imported = import_buffer(engine, dmabuf);
	own = create_own(engine, size);
	video_queue(&video, 0, NULL);
	video_start(&video);
	frame = video_take(&video);
	igt_assert_eq(frame.index, 0);
	take_away(video.busid, UNBIND);
	assert_frame(&video, (const uint8_t *const[]) { video.mem[0][0] },
		     look_at(frame.sequence));
	copy(engine, imported, own, size);
	mem = map_own(engine, own, size);
	assert_frame(&video, (const uint8_t *const[]) { mem },
		     look_at(frame.sequence));
	unmap(mem, size);
	close(dmabuf);
	close(engine);
	close_video(&video);
	give_back(video.busid, VIDEO_DRIVER, UNBIND);
}

/* A frame that the engine hangs in is returned as an error; the next is not. */
static void hang(void)
{
	struct video video = open_video();
	int vram = open_vram(0);
	struct video_frame frame;
	struct shot shots[1];

	video_set_format(&video, 64, 64, V4L2_PIX_FMT_XBGR32, 0);
	start_with(&video, shots, vram, IN_VRAM, 1);
	go_on(&video, shots);
	video_take(&video);
	video_hang(&video, 1);
	video_queue(&video, 0, &shots[0].dmabuf);
	igt_assert_eq(try_video_take(&video, &frame), 0);
	igt_assert(frame.flags & V4L2_BUF_FLAG_ERROR);
	video_queue(&video, 0, &shots[0].dmabuf);
	go_on(&video, shots);
	video_stop(&video);
	close_video(&video);
	close_shot(vram, &shots[0]);
	close(vram);
}

/*
 * What is refused
 */

static void refused(void)
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

/* A dma-buf that is said to be long enough, and is not. */
static void refused_length(void)
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

/* A dma-buf is one, and the last to let go may be a worker. */
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
 * The card of one plane is gone before the camera sees its dma-buf. The books of
 * that card say nothing of what is left; its module's users do.
 */
static void refused_revoked(void)
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
	take_away(cards[0].busid, UNBIND);
	igt_assert_eq(try_video_queue(&video, 0, dmabufs), -ENODEV);
	igt_assert_eq(try_video_queue(&video, 0, swapped), -ENODEV);
	for (int i = 0; i < VIDEO_PLANES; i++)
		close(dmabufs[i]);
	wait_for_vram_free(&cards[1], free);
	wait_for_module_users(PHYR_VRAM_DRIVER, users);
	for (int i = 0; i < VIDEO_PLANES; i++)
		close(vrams[i]);
	close_video(&video);
	give_back(cards[0].busid, PHYR_VRAM_DRIVER, UNBIND);
}

/* A dma-buf that has room for the first plane, and not for the second. */
static void refused_shared(void)
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

	/* Likewise if it is attached already, for planes that it has room for. */
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

igt_main()
{
	igt_describe("Every format, in sizes small, odd, padded and large, byte for byte");
	igt_subtest("single-planar")
		single_planar();

	igt_describe("The same with the multi-planar API");
	igt_subtest("multi-planar")
		multi_planar();

	igt_describe("A frame in two buffers of VRAM, then twice in one");
	igt_subtest("multi-planar-vram")
		multi_planar_vram();

	igt_describe("Pattern and brightness, changed while it streams");
	igt_subtest("controls")
		controls();

	igt_describe("No gap and no double in 60 frames, twice; an event for each");
	igt_subtest("sequence")
		sequence();

	igt_describe("The camera's own buffer, exported, outlives the queue");
	igt_subtest("exported")
		exported();

	igt_describe("What a device takes in one piece is heeded in RAM, and in VRAM");
	igt_subtest("limits")
		in_segments();

	igt_describe("Into VRAM in 20 pieces, attached and mapped once each");
	igt_subtest("vram")
		vram_frames();

	igt_describe("A buffer is recognised at another index");
	igt_subtest("recognised")
		recognised();

	igt_describe("Which buffers have the flag for a CPU mapping");
	igt_subtest("mapped-flag")
		mapped_flag();

	igt_describe("The cache keeps no VRAM alive");
	igt_subtest("forgotten")
		forgotten();

	igt_describe("Without a stream nothing is kept that no buffer has");
	igt_subtest("uncached")
		uncached();

	igt_describe("100 moves of buffers that are queued, captured into, and done");
	igt_subtest("moved")
		moved();

	igt_describe("A move waits for the frame in flight, and for nothing else");
	igt_subtest("moved-in-flight")
		moved_in_flight();

	igt_describe("100 times, a card goes whose buffer is used; others go on");
	igt_subtest("revoked")
		revoked(UNBIND, repeats(100));

	igt_describe("20 times, such a card is unplugged");
	igt_subtest("revoked-unplugged")
		revoked(UNPLUG, repeats(20));

	igt_describe("A card goes whose buffer waits for the stream to begin");
	igt_subtest("revoked-while-queued")
		revoked_while_queued();

	igt_describe("A card goes while its buffer is being queued");
	igt_subtest("revoked-beside")
		revoked_beside();

	igt_describe("The camera's driver is unbound while it streams");
	igt_subtest("camera-unbound")
		camera_gone(UNBIND);

	igt_describe("The camera is unplugged while it streams");
	igt_subtest("camera-unplugged")
		camera_gone(UNPLUG);

	igt_describe("The camera's own buffers outlive its driver");
	igt_subtest("camera-unbound-exported")
		camera_gone_ram();

	igt_describe("An engine that hangs costs one frame");
	igt_subtest("hang")
		hang();

	igt_describe("User pointers, buffers too small, and what is no dma-buf");
	igt_subtest("refused")
		refused();

	igt_describe("A dma-buf shorter than it is said to be leaves nothing behind");
	igt_subtest("refused-length")
		refused_length();

	igt_describe("Neither do a dma-buf of a card that is gone, and the other plane's");
	igt_subtest("refused-revoked")
		refused_revoked();

	igt_describe("A dma-buf in two planes, too short for the second");
	igt_subtest("refused-shared")
		refused_shared();
}

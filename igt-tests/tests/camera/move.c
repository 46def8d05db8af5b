// SPDX-License-Identifier: MIT
/* Memory that moves. */
#include <time.h>

#include "shot.h"

/* Moves between two frames, and while a buffer waits for its frame. */
void moved(void)
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
		/* One is dequeued, the other is queued or in flight. */
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

/* The clock and units of frame timestamps. */
static uint64_t now(void)
{
	struct timespec time;

	igt_assert(!clock_gettime(CLOCK_MONOTONIC, &time));
	return time.tv_sec * 1000000ull + time.tv_nsec / 1000;
}

/*
 * A move waits for the frame in flight, not for the queue. A frame's fence
 * exists when its event arrives, and its timestamp is taken before the fence
 * signals. So a move that begins after the event ends after the timestamp. If
 * it began after the timestamp, too, the round has shown nothing: repeat it.
 */
void moved_in_flight(void)
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

	/* Before STREAMON nothing is in flight, so the move returns. */
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

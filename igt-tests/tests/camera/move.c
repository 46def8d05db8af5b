// SPDX-License-Identifier: MIT
/* Memory that moves. */
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <xf86drm.h>

#include "fence.h"
#include "shot.h"
#include "traffic.h"

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

/* A copy out of @dmabuf that hangs for seconds; return its fence. */
static int hang_copy(int engine, int dmabuf, uint64_t size)
{
	struct phyr_device device = copy_device(0);
	struct drm_phyr_copy_submit job =
		copy_job(import_buffer(engine, dmabuf),
			 create_own(engine, size), size);
	int fence;

	igt_assert_eq(phyr_hang(&device, 1), 0);
	igt_assert_eq(phyr_syncobj_create(engine, &job.out_syncobj), 0);
	submit_job(engine, job);
	igt_assert_eq(drmSyncobjExportSyncFile(engine, job.out_syncobj, &fence),
		      0);
	phyr_syncobj_destroy(engine, job.out_syncobj);
	return fence;
}

static void wait_for_hang(int fence)
{
	struct pollfd waiting = { .fd = fence, .events = POLLIN };

	igt_assert_eq(poll(&waiting, 1, PHYR_WAIT_SECONDS * 1000), 1);
	igt_assert_eq(phyr_sync_file_status(fence), -ETIMEDOUT);
}

static void on_signal(int signal)
{
	(void)signal;
}

/* A process that moves @handle, which waits; it exits with the errno. */
static pid_t move_in_background(int vram, uint32_t handle, uint32_t placement)
{
	struct drm_phyr_vram_gem_move move = {
		.handle = handle, .placement = placement,
	};
	struct sigaction action = { .sa_handler = on_signal };
	pid_t pid;

	fflush(stdout);
	pid = fork();
	igt_assert(pid >= 0);
	if (!pid) {
		sigaction(SIGUSR1, &action, NULL);
		_exit(ioctl(vram, DRM_IOCTL_PHYR_VRAM_GEM_MOVE, &move) ?
		      errno : 0);
	}
	wait_until_sleeps_in(pid, "phyr_buffer_move_begin");
	return pid;
}

static void assert_exits(pid_t pid, int status)
{
	int ended;

	igt_assert_eq(waitpid(pid, &ended, 0), pid);
	igt_assert(WIFEXITED(ended));
	igt_assert_eq(WEXITSTATUS(ended), status);
}

/* Three shots: two are dequeued, the last one is queued and not captured. */
enum { MOVING, SPARE, NEW, SHOTS };

/*
 * A signal interrupts a move that waits for a copy. The importers have been
 * notified all the same. Queueing, capturing into and dequeueing the buffer,
 * and others, does not wait for the copy.
 */
void moved_interrupted(void)
{
	struct video video = open_video();
	int vram = open_vram(0), engine = open_copy(0), fence;
	struct shot shots[SHOTS];
	struct video_frame frame;
	pid_t mover;

	video_set_format(&video, 64, 64, V4L2_PIX_FMT_XBGR32, 0);
	video_set_rate(&video, FAST);
	start_with(&video, shots, vram, EVICTABLE, SHOTS);
	for (int i = 0; i < SHOTS; i++)
		video_take(&video);

	fence = hang_copy(engine, shots[MOVING].dmabuf, shots[MOVING].size);
	mover = move_in_background(vram, shots[MOVING].handle, IN_SYSTEM);
	igt_assert_eq(kill(mover, SIGUSR1), 0);
	assert_exits(mover, EINTR);
	igt_assert_eq(vram_info(vram, shots[MOVING].handle).placement, IN_VRAM);

	/* Twice at the head of the queue, once at another index. */
	for (int round = 0; round < 2; round++) {
		video_queue(&video, MOVING, &shots[MOVING].dmabuf);
		video_queue(&video, SPARE, &shots[SPARE].dmabuf);
		for (int i = 0; i < 2; i++) {
			frame = video_take(&video);
			igt_assert_eq(frame.index, i);
			assert_shot(&video, &shots[frame.index],
				    frame.sequence);
		}
	}
	video_queue(&video, NEW, &shots[MOVING].dmabuf);
	igt_assert_eq(video_take(&video).index, NEW);
	igt_assert_eq(phyr_sync_file_status(fence), 0);
	wait_for_hang(fence);

	move_buffer(vram, shots[MOVING].handle, IN_SYSTEM);
	video_queue(&video, MOVING, &shots[MOVING].dmabuf);
	go_on(&video, shots);
	video_stop(&video);
	close_video(&video);
	close(fence);
	close(engine);
	for (int i = 0; i < SHOTS; i++)
		close_shot(vram, &shots[i]);
	close(vram);
}

/*
 * A buffer that is being moved can be queued, whether the queue knows it or
 * not: neither QBUF nor the frame before it waits for the move.
 */
void moved_while_queueing(void)
{
	struct video video = open_video();
	int vram = open_vram(0), engine = open_copy(0), fence;
	struct shot shots[SHOTS], *shot;
	pid_t mover;

	video_set_format(&video, 64, 64, V4L2_PIX_FMT_XBGR32, 0);
	video_set_rate(&video, FAST);
	start_with(&video, shots, vram, EVICTABLE, SHOTS - 1);
	for (int i = 0; i < SHOTS - 1; i++)
		video_take(&video);
	shots[NEW] = create_shot(vram, &video, EVICTABLE);

	for (int i = 0; i < 2; i++) {
		shot = &shots[i ? NEW : MOVING];
		fence = hang_copy(engine, shot->dmabuf, shot->size);
		mover = move_in_background(vram, shot->handle, IN_SYSTEM);
		video_queue(&video, SPARE, &shots[SPARE].dmabuf);
		video_queue(&video, MOVING, &shot->dmabuf);
		igt_assert_eq(video_take(&video).index, SPARE);
		igt_assert_eq(phyr_sync_file_status(fence), 0);

		/* Its own frame comes after the move. */
		igt_assert_eq(video_take(&video).index, MOVING);
		igt_assert_eq(phyr_sync_file_status(fence), -ETIMEDOUT);
		assert_exits(mover, 0);
		video_queue(&video, MOVING, &shot->dmabuf);
		assert_shot(&video, shot, video_take(&video).sequence);
		close(fence);
	}
	video_stop(&video);
	close_video(&video);
	close(engine);
	for (int i = 0; i < SHOTS; i++)
		close_shot(vram, &shots[i]);
	close(vram);
}

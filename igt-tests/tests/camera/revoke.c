// SPDX-License-Identifier: MIT
/* Memory that is revoked, a camera that is unbound, and an engine that hangs. */
#include <stdio.h>
#include <sys/wait.h>

#include "shot.h"
#include "traffic.h"

/* Dequeue until the buffer at @index has the error flag. */
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
 * One buffer is on the card that is removed; three are on another card and
 * must continue. Frames are captured all the time, so that some revokes find
 * one in flight.
 */
void revoked(enum removal removal, int rounds)
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
	/* All frames of a round may be captured before the card is removed. */
	for (int round = 0; round < rounds || !errors; round++) {
		vram = open_device(&card);
		shots[gone] = create_shot(vram, &video, IN_VRAM);
		video_queue(&video, gone, &shots[gone].dmabuf);
		if (round % 2) {
			/* It has been captured into and is queued again. */
			do {
				frame = video_take(&video);
				video_queue(&video, frame.index,
					    &shots[frame.index].dmabuf);
			} while (frame.index != gone);
		}
		remove_device(card.busid, removal);
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
		restore_device(card.busid, PHYR_VRAM_DRIVER, removal);
		card = vram_device(0);
	}
	igt_info("%d of the frames came back with the error flag\n", errors);
	video_stop(&video);
	close_video(&video);
	for (uint32_t i = 0; i < gone; i++)
		close_shot(other, &shots[i]);
	close(other);
}

/* Certainly queued: the stream has not started. */
void revoked_while_queued(void)
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
	remove_device(card.busid, UNBIND);
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
	restore_device(card.busid, PHYR_VRAM_DRIVER, UNBIND);
}

/*
 * PREPARE_BUF has done the work of QBUF: videobuf2 does not ask again, so the
 * error comes with DQBUF.
 */
void revoked_prepared(void)
{
	struct phyr_device card = vram_device(0);
	struct video video = open_video();
	int vram = open_device(&card);
	struct video_frame frame;
	struct shot shot;

	video_set_format(&video, 64, 64, V4L2_PIX_FMT_XBGR32, 0);
	video_request(&video, V4L2_MEMORY_DMABUF, 1);
	shot = create_shot(vram, &video, IN_VRAM);
	video_prepare(&video, 0, &shot.dmabuf);
	remove_device(card.busid, UNBIND);
	igt_assert_eq(try_video_queue(&video, 0, &shot.dmabuf), 0);
	video_start(&video);
	igt_assert_eq(try_video_take(&video, &frame), 0);
	igt_assert(frame.flags & V4L2_BUF_FLAG_ERROR);
	igt_assert_eq(try_video_queue(&video, 0, &shot.dmabuf), -ENODEV);
	video_stop(&video);
	close_video(&video);
	unmap(shot.mem, shot.size);
	close(shot.dmabuf);
	close(vram);
	restore_device(card.busid, PHYR_VRAM_DRIVER, UNBIND);
}

/*
 * Queue repeatedly while the card is being unbound, to a camera without
 * hardware that completes at once. After the first failure no frame succeeds.
 * QBUF may accept the buffer while somebody holds its lock, for example to revoke
 * it: then the frame has the error flag. Once the card is gone, QBUF refuses it.
 */
void revoked_beside(void)
{
	struct phyr_device card = vram_device(0);
	struct video video = open_null_video("phyr");
	int rounds = repeats(50), err, status;
	struct video_frame frame;
	struct shot shot;
	char path[64];
	pid_t unbinder;
	bool gone, failed, ever;

	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s/unbind",
		 PHYR_VRAM_DRIVER);
	for (int round = 0; round < rounds; round++) {
		int vram = open_device(&card);

		start_with(&video, &shot, vram, IN_VRAM, 1);
		video_take(&video);
		unbinder = write_in_background(path, card.busid);
		ever = false;
		do {
			gone = waitpid(unbinder, &status, WNOHANG) == unbinder;
			err = try_video_queue(&video, 0, &shot.dmabuf);
			igt_assert(!err || err == -ENODEV);
			failed = err;
			if (!err) {
				igt_assert_eq(try_video_take(&video, &frame), 0);
				failed = frame.flags & V4L2_BUF_FLAG_ERROR;
			}
			igt_assert(failed || !ever);
			ever |= failed;
		} while (!gone);
		igt_assert_eq(status, 0);
		igt_assert_eq(err, -ENODEV);
		video_stop(&video);
		video_request(&video, V4L2_MEMORY_DMABUF, 0);
		unmap(shot.mem, shot.size);
		close(shot.dmabuf);
		close(vram);
		restore_device(card.busid, PHYR_VRAM_DRIVER, UNBIND);
		card = vram_device(0);
	}
	close_video(&video);
}

/* Dequeue all buffers; another process waits for one. */
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

/* Remove the camera while it streams; its open files return errors. */
void camera_gone(enum removal removal)
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
		remove_device(video.busid, removal);
		if (waiter)
			assert_told(waiter);
		igt_assert_eq(try_video_take(&video, &frame), -ENODEV);
		igt_assert_eq(try_video_queue(&video, 0, &shots[0].dmabuf),
			      -ENODEV);
		for (int i = 0; i < BUFFERS; i++)
			close_shot(vram, &shots[i]);
		/* All its memory is freed while the node is still open. */
		wait_for_vram_free(&card, free);
		close(vram);
		restore_device(video.busid, VIDEO_DRIVER, removal);
		close(again);
		close_video(&video);
	}
}

/* With its own buffers mapped, exported, and imported by another engine. */
void camera_gone_ram(void)
{
	struct export export = capture_exported(320, 240);
	struct video *video = &export.video;

	remove_device(video->busid, UNBIND);
	assert_frame(video, (const uint8_t *const[]) { video->mem[0][0] },
		     look_at(export.frame.sequence));
	copy_bytes(export.engine, export.imported, export.own, export.size);
	assert_copy(&export);
	close(export.dmabuf);
	close(export.engine);
	close_video(video);
	restore_device(video->busid, VIDEO_DRIVER, UNBIND);
}

/* A frame whose job hangs has the error flag; the next one does not. */
void hang(void)
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

// SPDX-License-Identifier: MIT
/* Suspend while the camera streams. */
#include "shot.h"
#include "suspend.h"

/* Buffers enough to keep the camera busy until the devices are resumed. */
#define QUEUED		16
#define SLOW		5

/*
 * Frames are due before, while and after the devices are suspended. At most
 * one is in flight at that time. If the first frame hangs, one certainly is,
 * unless the engine's timeout came first.
 */
void suspended(void)
{
	struct video video = open_video();
	struct shot shots[QUEUED];
	int vram = open_vram(0);
	struct video_frame frame;

	video_set_format(&video, 64, 64, V4L2_PIX_FMT_XBGR32, 0);
	video_set_rate(&video, SLOW);
	/* Without a frame that hangs, then with one. */
	for (int round = 0; round < 2; round++) {
		int errors = 0;

		video_hang(&video, round % 2);
		start_with(&video, shots, vram, EVICTABLE, QUEUED);
		suspend();
		for (int i = 0; i < QUEUED; i++) {
			igt_assert_eq(try_video_take(&video, &frame), 0);
			igt_assert_eq(frame.sequence, i);
			igt_assert_eq(frame.index, i);
			if (frame.flags & V4L2_BUF_FLAG_ERROR)
				errors++;
			else
				assert_shot(&video, &shots[i], i);
		}
		igt_info("%d of %d frames have the error flag\n", errors,
			 QUEUED);
		igt_assert(errors >= round % 2 && errors <= 1 + round % 2);
		video_queue(&video, 0, &shots[0].dmabuf);
		go_on(&video, shots);
		video_stop(&video);
		video_request(&video, V4L2_MEMORY_DMABUF, 0);
		for (int i = 0; i < QUEUED; i++)
			close_shot(vram, &shots[i]);
	}
	close_video(&video);
	close(vram);
}

// SPDX-License-Identifier: MIT
/* What the subtests capture into: see shot.h. */
#include <poll.h>
#include <string.h>

#include "shot.h"

struct video_look look_at(uint32_t number)
{
	return (struct video_look) {
		.number = number, .brightness = VIDEO_BRIGHTNESS,
	};
}

struct shot create_shot(int vram, const struct video *video,
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

void close_shot(int vram, struct shot *shot)
{
	unmap(shot->mem, shot->size);
	close(shot->dmabuf);
	igt_assert_eq(phyr_close_handle(vram, shot->handle), 0);
}

void assert_shot(const struct video *video, const struct shot *shot,
			uint32_t number)
{
	const uint8_t *planes[] = { shot->mem };

	assert_frame(video, planes, look_at(number));
}

/* A camera that streams into @count shots, each queued at its own index. */
void start_with(struct video *video, struct shot *shots, int vram,
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
void go_on(const struct video *video, const struct shot *shots)
{
	struct video_frame frame = video_take(video);

	assert_shot(video, &shots[frame.index], frame.sequence);
	video_queue(video, frame.index, &shots[frame.index].dmabuf);
}

uint32_t next_frame_sync(int fd)
{
	struct v4l2_event event = { 0 };
	struct pollfd waiting = { .fd = fd, .events = POLLPRI };

	igt_assert_eq(poll(&waiting, 1, -1), 1);
	igt_assert_eq(phyr_ioctl(fd, VIDIOC_DQEVENT, &event), 0);
	igt_assert_eq(event.type, V4L2_EVENT_FRAME_SYNC);
	return event.u.frame_sync.frame_sequence;
}

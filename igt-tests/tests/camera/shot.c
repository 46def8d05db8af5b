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

struct export capture_exported(uint32_t width, uint32_t height)
{
	struct export export = { .video = open_video() };
	struct video *video = &export.video;

	video_set_format(video, width, height, V4L2_PIX_FMT_XBGR32, 0);
	export.size = video->pix.plane_fmt[0].sizeimage;
	video_request(video, V4L2_MEMORY_MMAP, 1);
	export.dmabuf = video_export(video, 0, 0);
	export.engine = open_copy(0);
	export.imported = import_buffer(export.engine, export.dmabuf);
	export.own = create_own(export.engine, export.size);
	video_queue(video, 0, NULL);
	video_start(video);
	export.frame = video_take(video);
	igt_assert_eq(export.frame.index, 0);
	return export;
}

void assert_copy(const struct export *export)
{
	uint8_t *mem = map_own(export->engine, export->own, export->size);

	assert_frame(&export->video, (const uint8_t *const[]) { mem },
		     look_at(export->frame.sequence));
	unmap(mem, export->size);
}

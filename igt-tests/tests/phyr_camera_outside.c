// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "video.h"

IGT_TEST_DESCRIPTION("A frame in VRAM, compared from outside the guest by userspace/verify-vram");

#define MAX_EXTENT	SZ_64K
#define WAIT_SECONDS	120
#define REQUEST		"camera-outside"

static void assert_on_host(const struct phyr_list_dump *list,
			   const uint8_t *bytes)
{
	struct phyr_hostcheck check = { .dir = "/out", .name = REQUEST };
	char verdict[256];
	int err;

	igt_assert_eq(phyr_hostcheck_request(&check, list, bytes), 0);
	err = phyr_hostcheck_wait(&check, WAIT_SECONDS, verdict,
				  sizeof(verdict));
	igt_assert_f(err != -ETIME,
		     "no verdict after %d s: run 'userspace/verify-vram %s'\n",
		     WAIT_SECONDS, REQUEST);
	igt_info("the host says: %s", verdict);
	igt_assert_eq(err, 0);
}

/* Draw the expected frame from its number, without reading VRAM. */
static uint8_t *draw(const struct video *video, uint32_t number)
{
	struct video_look look = {
		.number = number, .brightness = VIDEO_BRIGHTNESS,
	};
	uint32_t pitch = video->pix.plane_fmt[0].bytesperline;
	uint8_t *bytes = calloc(1, video->pix.plane_fmt[0].sizeimage);

	igt_assert(bytes);
	for (uint32_t y = 0; y < video->pix.height; y++) {
		for (uint32_t x = 0; x < video->pix.width; x++) {
			uint32_t colour = video_colour(video, look, x, y);
			uint8_t *at = bytes + (uint64_t)y * pitch + 4 * x;

			at[0] = colour;
			at[1] = colour >> 8;
			at[2] = colour >> 16;
		}
	}
	return bytes;
}

static void frame(void)
{
	struct phyr_device card = vram_device(0);
	struct video video = open_video();
	int vram = open_device(&card), dmabuf;
	struct phyr_list_dump list;
	uint32_t handle, number = 0;
	uint64_t size;
	uint8_t *bytes;

	video_set_format(&video, 640, 480, V4L2_PIX_FMT_XBGR32, 0);
	size = video.pix.plane_fmt[0].sizeimage;
	handle = create_vram(vram, size, IN_VRAM, MAX_EXTENT);
	igt_assert(vram_info(vram, handle).extents >= 8);
	dmabuf = export_buffer(vram, handle);
	video_request(&video, V4L2_MEMORY_DMABUF, 1);
	video_start(&video);
	for (int i = 0; i < 6; i++) {
		video_queue(&video, 0, &dmabuf);
		number = video_take(&video).sequence;
	}
	igt_assert_eq(number, 5);
	igt_assert_eq(phyr_list_dump_read(&card, vram_info(vram, handle).id,
					  &list), 0);
	for (size_t i = 0; i < list.nr; i++)
		igt_assert(!list.vecs[i].pages);
	bytes = draw(&video, number);
	igt_assert_eq_u64(list.size, size);
	assert_on_host(&list, bytes);
	free(bytes);
	phyr_list_dump_free(&list);
	video_stop(&video);
	close_video(&video);
	close(dmabuf);
	close(vram);
}

igt_main()
{
	igt_describe("Frame 5 in 19 extents of VRAM");
	igt_subtest("frame")
		frame();
}

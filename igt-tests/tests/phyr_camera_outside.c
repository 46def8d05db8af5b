// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "video.h"

IGT_TEST_DESCRIPTION("A frame in VRAM, compared from outside the guest by userspace/verify-vram");

#define MAX_EXTENT	SZ_64K
#define WAIT_SECONDS	120

static FILE *open_out(const char *name)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/out/demo.%s", name);
	file = fopen(path, "we");
	igt_assert_f(file, "%s: %s\n", path, strerror(errno));
	return file;
}

static void close_out(FILE *file)
{
	igt_assert(!ferror(file) && !fflush(file) && !fsync(fileno(file)));
	igt_assert_eq(fclose(file), 0);
}

/* The expected bytes and their places in the file behind the card's VRAM. */
static void tell_host(const struct phyr_list_dump *list, const uint8_t *bytes,
		      uint64_t size)
{
	uint64_t at = 0;
	FILE *file;

	file = open_out("extents");
	for (size_t i = 0; i < list->nr; i++) {
		fprintf(file, "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
			list->vecs[i].offset, list->vecs[i].len, at);
		at += list->vecs[i].len;
	}
	close_out(file);
	igt_assert_eq_u64(at, size);
	file = open_out("expected");
	igt_assert_eq_u64(fwrite(bytes, 1, size, file), size);
	close_out(file);
	file = open_out("ready");
	fputs("ready\n", file);
	close_out(file);
}

static void assert_verdict(void)
{
	char verdict[256];
	FILE *file;

	for (int tries = 0; tries < WAIT_SECONDS * 10; tries++) {
		file = fopen("/out/demo.verdict", "re");
		if (file && fgets(verdict, sizeof(verdict), file)) {
			fclose(file);
			igt_info("the host says: %s", verdict);
			igt_assert(!strncmp(verdict, "ok ", 3));
			return;
		}
		if (file)
			fclose(file);
		usleep(100000);
	}
	igt_assert_f(false, "no /out/demo.verdict in %d s: userspace/verify-vram does not run\n",
		     WAIT_SECONDS);
}

/* The expected frame, computed without reading VRAM. */
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
	tell_host(&list, bytes, size);
	assert_verdict();
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

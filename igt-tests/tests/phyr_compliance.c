// SPDX-License-Identifier: MIT
#include <linux/videodev2.h>
#include <stdio.h>
#include <string.h>

#include "foreign.h"
#include "video.h"

IGT_TEST_DESCRIPTION("v4l2-compliance reports no failure and no warning for the camera");

#define WIDTH		640
#define HEIGHT		480
#define FOURCC		V4L2_PIX_FMT_XBGR32

/* expbuf.so is in the directory of this program. */
static void preload(const char *where, char *text, size_t size)
{
	char path[256];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);

	igt_assert(len > 0);
	path[len] = '\0';
	*strrchr(path, '/') = '\0';
	snprintf(text, size, "LD_PRELOAD=%s/expbuf.so PHYR_EXPBUF=%s ", path,
		 where);
}

/* Both devices need the same format; v4l2-compliance does not set it. */
static void set_formats(int vivid)
{
	struct v4l2_format format = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE };
	struct video video = open_video();

	video_set_format(&video, WIDTH, HEIGHT, FOURCC, 0);
	close_video(&video);
	format.fmt.pix.width = WIDTH;
	format.fmt.pix.height = HEIGHT;
	format.fmt.pix.pixelformat = FOURCC;
	igt_assert_eq(phyr_ioctl(vivid, VIDIOC_S_FMT, &format), 0);
	igt_assert_eq(format.fmt.pix.sizeimage, 4 * WIDTH * HEIGHT);
}

/* Progress messages such as "Frame #001" overwrite themselves. */
static void print_line(const char *line)
{
	const char *text = strrchr(line, '\r');

	igt_info("%s", text ? text + 1 : line);
}

/*
 * Close @video; assert no failure, no warning and at least @needed tests of
 * @kind.
 */
static void comply(struct video video, const char *prefix, const char *options,
		   const char *kind, int needed)
{
	int passed, failed = -1, warnings = -1, ran = 0;
	char command[512], line[4096];
	FILE *pipe;

	close_video(&video);
	snprintf(command, sizeof(command), "%sv4l2-compliance -d %s %s 2>&1",
		 prefix, video.node, options);
	igt_info("%s\n", command);
	pipe = popen(command, "re");
	igt_assert(pipe);
	while (fgets(line, sizeof(line), pipe)) {
		const char *total = strstr(line, "Succeeded:");

		print_line(line);
		if (total)
			igt_assert(sscanf(total, "Succeeded: %d, Failed: %d, Warnings: %d",
					  &passed, &failed, &warnings) == 3);
		if (strstr(line, kind) && strstr(line, ": OK\n"))
			ran++;
	}
	igt_assert_eq(pclose(pipe), 0);
	igt_assert_eq(failed, 0);
	igt_assert_eq(warnings, 0);
	igt_assert(passed > 50);
	igt_info("Figures: %d tests succeeded, %d failed, %d warnings\n", passed,
		 failed, warnings);
	igt_assert_f(ran >= needed, "%d of %d tests of %s ran\n", ran, needed,
		     kind);
}

/*
 * Assert that the camera attaches to @exporter's dma-bufs, so that an
 * ineffective preload is noticed.
 */
static void from_exporter(const char *prefix, const char *exporter,
			  const char *way)
{
	char busid[16];
	struct camera camera = open_camera(V4L2_MEMORY_MMAP);
	char options[128], path[64], node[64];
	ssize_t len;

	camera_stop(&camera);
	set_formats(camera.fd);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", camera.fd);
	len = readlink(path, node, sizeof(node) - 1);
	igt_assert(len > 0);
	node[len] = '\0';
	/* An open file of the exporter would own its queue. */
	close_camera(&camera);
	snprintf(options, sizeof(options), "-s --expbuf-device %s", node);
	find_camera(busid);
	trace_attachments();
	comply(open_video(), prefix, options, "test DMABUF (", 2);
	igt_assert(traced_attachments(exporter, busid, way) > 0);
}

static void from_elsewhere(const char *where, const char *exporter,
			   const char *way)
{
	char prefix[320];

	preload(where, prefix, sizeof(prefix));
	from_exporter(prefix, exporter, way);
}

igt_main()
{
	igt_describe("MMAP, in all formats");
	igt_subtest("mmap")
		comply(open_video(), "", "-s -f", "test MMAP (", 6);

	igt_describe("DMABUF, from vivid");
	igt_subtest("vivid")
		from_exporter("", "videobuf2_vmalloc", "from-stock");

	igt_describe("DMABUF, from VRAM in extents");
	igt_subtest("vram")
		from_elsewhere("vram", PHYR_VRAM_DRIVER, "native");

	igt_describe("DMABUF, from the dma-heap");
	igt_subtest("heap")
		from_elsewhere("heap", "system", "from-stock");

	igt_describe("MMAP, in all formats of the multi-planar API");
	igt_subtest("multi-planar")
		comply(open_multiplanar_video(), "", "-s -f", "test MMAP (", 6);
}

// SPDX-License-Identifier: MIT
/* Nodes of both drivers, and their procfs and debugfs files. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "stage.h"

static int open_node(const void *data)
{
	return as_fd(phyr_device_open(data), &stage.fd);
}

static void close_node(const void *data, int result)
{
	(void)data;
	if (!result)
		close(stage.fd);
	assert_works();
}

static int open_primary(const void *data)
{
	const struct phyr_device *device = data;

	stage.fd = open(device->primary, O_RDWR | O_CLOEXEC);
	return as_errno(stage.fd);
}

/* With a buffer that close() frees. */
static void setup_close(const void *data)
{
	stage.fd = open_device(data);
	if (data == &stage.card)
		create_vram(stage.fd, SIZE, IN_VRAM, SZ_4K);
	else
		create_own(stage.fd, SIZE);
}

static int close_file(const void *data)
{
	(void)data;
	return as_errno(close(stage.fd));
}

static int read_file(const char *path)
{
	char text[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	ssize_t len;

	if (fd < 0)
		return -errno;
	do
		len = read(fd, text, sizeof(text));
	while (len > 0);
	if (len < 0)
		err = -errno;
	close(fd);
	return err;
}

static int read_fdinfo(const void *data)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", *(const int *)data);
	return read_file(path);
}

static int read_debugfs(const void *data)
{
	char path[96];

	phyr_device_debugfs(data, "buffers", path, sizeof(path));
	return read_file(path);
}

static int read_attachments(const void *data)
{
	(void)data;
	return read_file("/sys/kernel/debug/phyr/attachments");
}

void sweep_files(void)
{
	const struct fail_nth_call calls[] = {
		{ "vram open", NULL, open_node, close_node,
		  .data = &stage.card },
		{ "vram open primary", NULL, open_primary, close_node,
		  .data = &stage.card },
		{ "vram close", setup_close, close_file, verify_works,
		  .data = &stage.card },
		{ "vram fdinfo", NULL, read_fdinfo, verify_works,
		  .data = &stage.vram },
		{ "vram debugfs", NULL, read_debugfs, verify_works,
		  .data = &stage.card },
		{ "copy open", NULL, open_node, close_node,
		  .data = &stage.engine },
		{ "copy open primary", NULL, open_primary, close_node,
		  .data = &stage.engine },
		{ "copy close", setup_close, close_file, verify_works,
		  .data = &stage.engine },
		{ "copy fdinfo", NULL, read_fdinfo, verify_works,
		  .data = &stage.copy },
		{ "copy debugfs", NULL, read_debugfs, verify_works,
		  .data = &stage.engine },
		{ "phyr attachments", NULL, read_attachments, verify_works,
		  .data = NULL },
	};

	sweep_all(calls, ARRAY_SIZE(calls));
}

// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "debugfs.h"

static int open_dump(const struct phyr_device *device, const char *name,
		     FILE **file)
{
	char path[128];

	phyr_device_debugfs(device, name, path, sizeof(path));
	*file = fopen(path, "re");
	return *file ? 0 : -errno;
}

/* Room for one more at the end of an array whose capacity doubles. */
static int grow(void *array, size_t nr, size_t size)
{
	void **old = array, *new;

	if (nr & (nr - 1))
		return 0;
	new = realloc(*old, (nr ? nr * 2 : 1) * size);
	if (!new)
		return -ENOMEM;
	*old = new;
	return 0;
}

static int read_blocks(FILE *file, struct phyr_vram_dump *dump)
{
	struct phyr_vram_block block;
	char line[256];

	if (!fgets(line, sizeof(line), file) ||
	    sscanf(line, "size %" SCNu64 " free %" SCNu64 " bar 0x%" SCNx64,
		   &dump->size, &dump->free, &dump->bar) != 3)
		return -EPROTO;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "block %" SCNu64 " %" SCNu64
			   " buffer %" SCNu64, &block.offset, &block.len,
			   &block.buffer) != 3)
			return -EPROTO;
		if (grow(&dump->blocks, dump->nr, sizeof(block)))
			return -ENOMEM;
		dump->blocks[dump->nr++] = block;
	}
	return 0;
}

int phyr_vram_dump_read(const struct phyr_device *device,
			struct phyr_vram_dump *dump)
{
	FILE *file;
	int err;

	memset(dump, 0, sizeof(*dump));
	err = open_dump(device, "vram", &file);
	if (err)
		return err;
	err = read_blocks(file, dump);
	fclose(file);
	if (err)
		phyr_vram_dump_free(dump);
	return err;
}

void phyr_vram_dump_free(struct phyr_vram_dump *dump)
{
	free(dump->blocks);
	dump->blocks = NULL;
	dump->nr = 0;
}

/* Go to the line "buffer ID …"; what follows the id is left in @line. */
static int find_buffer(FILE *file, uint64_t id, char *line, size_t size)
{
	uint64_t found;
	int rest;

	while (fgets(line, size, file)) {
		if (sscanf(line, "buffer %" SCNu64 "%n", &found, &rest) != 1 ||
		    found != id)
			continue;
		memmove(line, line + rest, strlen(line + rest) + 1);
		return 0;
	}
	return -ENOENT;
}

static int read_vecs(FILE *file, uint64_t id, struct phyr_list_dump *dump)
{
	char line[256], place[16], pages[8];
	struct phyr_vec vec;
	int err;

	err = find_buffer(file, id, line, sizeof(line));
	if (err)
		return err;
	if (sscanf(line, " size %" SCNu64 " place %15s extents %" SCNu64
		   " dmabufs %" SCNu64, &dump->size, place, &dump->extents,
		   &dump->dmabufs) != 4)
		return -EPROTO;
	dump->in_vram = !strcmp(place, "vram");
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, " phyr 0x%" SCNx64 " %" SCNu64
			   " offset %" SCNu64 " pages %7s", &vec.paddr,
			   &vec.len, &vec.offset, pages) != 4)
			break;
		vec.pages = !strcmp(pages, "yes");
		if (grow(&dump->vecs, dump->nr, sizeof(vec)))
			return -ENOMEM;
		dump->vecs[dump->nr++] = vec;
	}
	return 0;
}

int phyr_list_dump_read(const struct phyr_device *device, uint64_t id,
			struct phyr_list_dump *dump)
{
	FILE *file;
	int err;

	memset(dump, 0, sizeof(*dump));
	err = open_dump(device, "buffers", &file);
	if (err)
		return err;
	err = read_vecs(file, id, dump);
	fclose(file);
	if (err)
		phyr_list_dump_free(dump);
	return err;
}

void phyr_list_dump_free(struct phyr_list_dump *dump)
{
	free(dump->vecs);
	dump->vecs = NULL;
	dump->nr = 0;
}

static int read_ranges(FILE *file, uint64_t id, struct phyr_ranges_dump *dump)
{
	char line[256], origin[16];
	struct phyr_range range;
	uint64_t nr;
	int err;

	err = find_buffer(file, id, line, sizeof(line));
	if (err)
		return err;
	if (sscanf(line, " size %" SCNu64 " %15s mode %15s ranges %" SCNu64,
		   &dump->size, origin, dump->mode, &nr) != 4)
		return -EPROTO;
	dump->imported = !strcmp(origin, "imported");
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, " range 0x%" SCNx64 " 0x%" SCNx64,
			   &range.addr, &range.len) != 2)
			break;
		if (grow(&dump->ranges, dump->nr, sizeof(range)))
			return -ENOMEM;
		dump->ranges[dump->nr++] = range;
	}
	return dump->nr == nr ? 0 : -EPROTO;
}

int phyr_ranges_dump_read(const struct phyr_device *device, uint64_t id,
			  struct phyr_ranges_dump *dump)
{
	FILE *file;
	int err;

	memset(dump, 0, sizeof(*dump));
	err = open_dump(device, "buffers", &file);
	if (err)
		return err;
	err = read_ranges(file, id, dump);
	fclose(file);
	if (err)
		phyr_ranges_dump_free(dump);
	return err;
}

void phyr_ranges_dump_free(struct phyr_ranges_dump *dump)
{
	free(dump->ranges);
	dump->ranges = NULL;
	dump->nr = 0;
}

int phyr_last_job(const struct phyr_device *device, struct phyr_job *job)
{
	struct phyr_job line_job;
	char line[256];
	FILE *file;
	int err;

	err = open_dump(device, "jobs", &file);
	if (err)
		return err;
	err = -ENOENT;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "job %" SCNu64 " len %" SCNu64 " moves %" SCNu64
			   " scripts %" SCNu64 " status %d", &line_job.seqno,
			   &line_job.len, &line_job.moves, &line_job.scripts,
			   &line_job.status) != 5) {
			err = -EPROTO;
			break;
		}
		if (err == -ENOENT || line_job.seqno > job->seqno)
			*job = line_job;
		err = 0;
	}
	fclose(file);
	return err;
}

int phyr_hang(const struct phyr_device *device, unsigned int jobs)
{
	char path[128], text[16];
	int fd, len, err = 0;

	phyr_device_debugfs(device, "hang", path, sizeof(path));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	len = snprintf(text, sizeof(text), "%u\n", jobs);
	if (write(fd, text, len) != len)
		err = -errno;
	close(fd);
	return err;
}

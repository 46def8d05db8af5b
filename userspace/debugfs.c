// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "debugfs.h"

/* Parses what @file says of buffer @id, or of the device, into @result. */
typedef int (*parse_fn)(FILE *file, uint64_t id, void *result);

static int read_file(const struct phyr_device *device, const char *name,
		     parse_fn parse, uint64_t id, void *result)
{
	char path[128];
	FILE *file;
	int err;

	phyr_device_debugfs(device, name, path, sizeof(path));
	file = fopen(path, "re");
	if (!file)
		return -errno;
	err = parse(file, id, result);
	fclose(file);
	return err;
}

/*
 * Append an element of @size bytes to the array that @array points to. The
 * capacity doubles whenever @nr reaches a power of two.
 */
static int append(void *array, size_t *nr, const void *element, size_t size)
{
	void **items = array, *new;

	if (!(*nr & (*nr - 1))) {
		new = realloc(*items, (*nr ? *nr * 2 : 1) * size);
		if (!new)
			return -ENOMEM;
		*items = new;
	}
	memcpy((char *)*items + *nr * size, element, size);
	++*nr;
	return 0;
}

static int parse_blocks(FILE *file, uint64_t id, void *result)
{
	struct phyr_vram_dump *dump = result;
	struct phyr_vram_block block;
	char line[256];
	int err = 0;

	(void)id;
	if (!fgets(line, sizeof(line), file) ||
	    sscanf(line, "size %" SCNu64 " free %" SCNu64 " bar 0x%" SCNx64,
		   &dump->size, &dump->free, &dump->bar) != 3)
		return -EPROTO;
	while (!err && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "block %" SCNu64 " %" SCNu64
			   " buffer %" SCNu64, &block.offset, &block.len,
			   &block.buffer) != 3)
			return -EPROTO;
		err = append(&dump->blocks, &dump->nr, &block, sizeof(block));
	}
	return err;
}

/* Skip to the line "buffer ID …" and leave the text after the id in @line. */
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

/* System memory has no offset. Return: true if the line describes an extent. */
static bool parse_vec(const char *line, struct phyr_vec *vec)
{
	char pages[8];
	int rest = 0;

	vec->offset = 0;
	if (sscanf(line, " phyr 0x%" SCNx64 " %" SCNu64 "%n", &vec->paddr,
		   &vec->len, &rest) != 2)
		return false;
	line += rest;
	if (sscanf(line, " offset %" SCNu64 "%n", &vec->offset, &rest) == 1)
		line += rest;
	if (sscanf(line, " pages %7s", pages) != 1)
		return false;
	vec->pages = !strcmp(pages, "yes");
	return true;
}

static int parse_vecs(FILE *file, uint64_t id, void *result)
{
	struct phyr_list_dump *dump = result;
	char line[256], place[16];
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
	while (!err && fgets(line, sizeof(line), file) && parse_vec(line, &vec))
		err = append(&dump->vecs, &dump->nr, &vec, sizeof(vec));
	return err;
}

/* Return: true if the line describes a range. */
static bool parse_range(const char *line, struct phyr_range *range)
{
	char flags[16] = "";

	if (sscanf(line, " range 0x%" SCNx64 " 0x%" SCNx64 " %15s",
		   &range->addr, &range->len, flags) < 2)
		return false;
	range->peer = strstr(flags, "peer");
	range->bus = strstr(flags, "bus");
	return true;
}

static int parse_ranges(FILE *file, uint64_t id, void *result)
{
	struct phyr_ranges_dump *dump = result;
	char line[256], origin[16];
	struct phyr_range range;
	uint64_t nr;
	int err;

	err = find_buffer(file, id, line, sizeof(line));
	if (err)
		return err;
	if (sscanf(line, " size %" SCNu64 " %15s mode %15s ranges %" SCNu64
		   " offset %" SCNu64, &dump->size, origin, dump->mode, &nr,
		   &dump->offset) != 5)
		return -EPROTO;
	dump->imported = !strcmp(origin, "imported");
	dump->composed = !strcmp(origin, "composed");
	while (!err && fgets(line, sizeof(line), file) &&
	       parse_range(line, &range))
		err = append(&dump->ranges, &dump->nr, &range, sizeof(range));
	if (!err && dump->nr != nr)
		err = -EPROTO;
	return err;
}

static int parse_last_job(FILE *file, uint64_t id, void *result)
{
	struct phyr_job *last = result, job;
	int err = -ENOENT;
	char line[256];

	(void)id;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "job %" SCNu64 " len %" SCNu64 " moves %" SCNu64
			   " scripts %" SCNu64 " status %d", &job.seqno,
			   &job.len, &job.moves, &job.scripts,
			   &job.status) != 5)
			return -EPROTO;
		if (err || job.seqno > last->seqno)
			*last = job;
		err = 0;
	}
	return err;
}

int phyr_vram_dump_read(const struct phyr_device *device,
			struct phyr_vram_dump *dump)
{
	int err;

	*dump = (struct phyr_vram_dump){ 0 };
	err = read_file(device, "vram", parse_blocks, 0, dump);
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

int phyr_list_dump_read(const struct phyr_device *device, uint64_t id,
			struct phyr_list_dump *dump)
{
	int err;

	*dump = (struct phyr_list_dump){ 0 };
	err = read_file(device, "buffers", parse_vecs, id, dump);
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

int phyr_ranges_dump_read(const struct phyr_device *device, uint64_t id,
			  struct phyr_ranges_dump *dump)
{
	int err;

	*dump = (struct phyr_ranges_dump){ 0 };
	err = read_file(device, "buffers", parse_ranges, id, dump);
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
	return read_file(device, "jobs", parse_last_job, 0, job);
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

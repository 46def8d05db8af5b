// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "hostcheck.h"

#define PATH_SIZE	256

static void path_of(const struct phyr_hostcheck *check, const char *name,
		    char path[PATH_SIZE])
{
	snprintf(path, PATH_SIZE, "%s/%s.%s", check->dir, check->name, name);
}

bool phyr_hostcheck_listens(const struct phyr_hostcheck *check)
{
	char path[PATH_SIZE];

	path_of(check, "listens", path);
	return !access(path, F_OK);
}

static int remove_file(const struct phyr_hostcheck *check, const char *name)
{
	char path[PATH_SIZE];

	path_of(check, name, path);
	return unlink(path) && errno != ENOENT ? -errno : 0;
}

static void write_extents(FILE *file, const struct phyr_list_dump *list)
{
	uint64_t at = 0;

	for (size_t i = 0; i < list->nr; i++) {
		const struct phyr_vec *vec = &list->vecs[i];

		fprintf(file, "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
			vec->offset, vec->len, at);
		at += vec->len;
	}
}

/* Through a buffer: write() cannot pin the pages of a device's mapping. */
static void write_bytes(FILE *file, const char *bytes, uint64_t size)
{
	static char buffer[1 << 16];
	size_t len;

	for (uint64_t at = 0; at < size; at += len) {
		len = size - at < sizeof(buffer) ? size - at : sizeof(buffer);
		memcpy(buffer, bytes + at, len);
		fwrite(buffer, 1, len, file);
	}
}

static int open_file(const struct phyr_hostcheck *check, const char *name,
		     FILE **file)
{
	char path[PATH_SIZE];

	path_of(check, name, path);
	*file = fopen(path, "we");
	return *file ? 0 : -errno;
}

/* Close @file when all that was written to it is on the host. */
static int close_file(FILE *file)
{
	int err = 0;

	if (fflush(file) || fsync(fileno(file)))
		err = -errno;
	else if (ferror(file))
		err = -EIO;
	if (fclose(file) && !err)
		err = -errno;
	return err;
}

int phyr_hostcheck_request(struct phyr_hostcheck *check,
			   const struct phyr_list_dump *list,
			   const void *bytes)
{
	uint64_t id;
	FILE *file;
	int err;

	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return -EIO;
	snprintf(check->id, sizeof(check->id), "%016" PRIx64, id);

	/* Withdraw the last request before its files change. */
	err = remove_file(check, "ready");
	if (!err)
		err = open_file(check, "extents", &file);
	if (err)
		return err;
	write_extents(file, list);
	err = close_file(file);
	if (!err)
		err = open_file(check, "expected", &file);
	if (err)
		return err;
	write_bytes(file, bytes, list->size);
	err = close_file(file);
	if (!err)
		err = open_file(check, "ready", &file);
	if (err)
		return err;
	fprintf(file, "%s\n", check->id);
	return close_file(file);
}

/* True if there is a whole verdict on this request. */
static bool read_verdict(const struct phyr_hostcheck *check, char *verdict,
			 size_t size)
{
	char path[PATH_SIZE], line[64], expected[64];
	bool ours;
	FILE *file;

	path_of(check, "verdict", path);
	file = fopen(path, "re");
	if (!file)
		return false;
	snprintf(expected, sizeof(expected), "request %s\n", check->id);
	ours = fgets(verdict, size, file) && fgets(line, sizeof(line), file) &&
	       !strcmp(line, expected);
	fclose(file);
	return ours;
}

int phyr_hostcheck_wait(const struct phyr_hostcheck *check,
			unsigned int seconds, char *verdict, size_t size)
{
	for (unsigned int tries = 0; tries < seconds * 10; tries++) {
		if (read_verdict(check, verdict, size))
			return strncmp(verdict, "ok ", 3) ? -EBADMSG : 0;
		usleep(100000);
	}
	return -ETIME;
}

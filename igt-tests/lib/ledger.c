// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ledger.h"
#include "lib.h"

#define BUFINFO		"/sys/kernel/debug/dma_buf/bufinfo"
#define ATTACHMENTS	"/sys/kernel/debug/phyr/attachments"

static const struct {
	const char *name;
	size_t offset;
} columns[] = {
	{ "file descriptors", offsetof(struct ledger, fds) },
	{ "bytes pinned", offsetof(struct ledger, pinned) },
	{ "bytes behind handles", offsetof(struct ledger, handles) },
	{ "attachments", offsetof(struct ledger, attachments) },
	{ "dma-bufs", offsetof(struct ledger, dmabufs) },
	{ "framebuffers", offsetof(struct ledger, framebuffers) },
	{ "buffers", offsetof(struct ledger, buffers) },
	{ "bytes of buffers", offsetof(struct ledger, bytes) },
	{ "bytes of VRAM lost", offsetof(struct ledger, lost) },
};

static uint64_t column(const struct ledger *ledger, size_t i)
{
	uint64_t value;

	memcpy(&value, (const char *)ledger + columns[i].offset,
	       sizeof(value));
	return value;
}

static void each_line(const char *path, void (*see)(const char *line,
						    struct ledger *ledger),
		      struct ledger *ledger)
{
	FILE *file = fopen(path, "re");
	char line[512];

	igt_assert_f(file, "%s: %s\n", path, strerror(errno));
	while (fgets(line, sizeof(line), file))
		see(line, ledger);
	fclose(file);
}

/* drm-total-vram:	128 KiB */
static void see_fdinfo(const char *line, struct ledger *ledger)
{
	uint64_t value;
	char unit[8] = "";

	if (strncmp(line, "drm-total-", 10) ||
	    sscanf(line, "%*s %" SCNu64 " %7s", &value, unit) < 1)
		return;
	if (unit[0] == 'K')
		value <<= 10;
	else if (unit[0] == 'M')
		value <<= 20;
	ledger->handles += value;
}

static void count_fds(struct ledger *ledger)
{
	char path[300], target[64];
	struct dirent *entry;
	DIR *dir = opendir("/proc/self/fd");
	ssize_t len;

	igt_assert(dir);
	while ((entry = readdir(dir))) {
		len = readlinkat(dirfd(dir), entry->d_name, target,
				 sizeof(target) - 1);
		if (len < 0)
			continue;
		target[len] = '\0';
		ledger->fds++;
		if (strncmp(target, "/dev/dri/", 9))
			continue;
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%s",
			 entry->d_name);
		each_line(path, see_fdinfo, ledger);
	}
	closedir(dir);
}

static void see_attachment(const char *line, struct ledger *ledger)
{
	(void)line;
	ledger->attachments++;
}

static void see_bufinfo(const char *line, struct ledger *ledger)
{
	uint64_t dmabufs;

	if (sscanf(line, "Total %" SCNu64 " objects", &dmabufs) == 1)
		ledger->dmabufs = dmabufs;
}

static void see_framebuffer(const char *line, struct ledger *ledger)
{
	ledger->framebuffers += !strncmp(line, "framebuffer[", 12);
}

/* Both drivers use the same prefix. */
static void see_buffer(const char *line, struct ledger *ledger)
{
	uint64_t size;

	if (sscanf(line, "buffer %*u size %" SCNu64, &size) != 1)
		return;
	ledger->buffers++;
	ledger->bytes += size;
}

/* Find it once; the search takes longer than everything else. */
static struct phyr_device devices[8];
static int nr_cards, nr_devices;

static void find_devices(void)
{
	if (nr_devices)
		return;
	nr_cards = phyr_device_list(PHYR_VRAM_DRIVER, devices, 4);
	nr_devices = nr_cards + phyr_device_list(PHYR_COPY_DRIVER,
						 devices + nr_cards, 4);
}

static void see_file(const struct phyr_device *device, const char *name,
		     void (*see)(const char *line, struct ledger *ledger),
		     struct ledger *ledger)
{
	char path[96];

	phyr_device_debugfs(device, name, path, sizeof(path));
	if (!access(path, R_OK))
		each_line(path, see, ledger);
}

static void count_lost(const struct phyr_device *card, struct ledger *ledger)
{
	struct phyr_vram_dump dump;

	igt_assert_eq(phyr_vram_dump_read(card, &dump), 0);
	ledger->lost += dump.size - dump.free;
	for (size_t i = 0; i < dump.nr; i++)
		ledger->lost -= dump.blocks[i].len;
	phyr_vram_dump_free(&dump);
}

struct ledger ledger_now(void)
{
	struct ledger ledger = { 0 };

	find_devices();
	count_fds(&ledger);
	ledger.pinned = pinned_bytes();
	each_line(ATTACHMENTS, see_attachment, &ledger);
	each_line(BUFINFO, see_bufinfo, &ledger);
	for (int i = 0; i < nr_devices; i++) {
		see_file(&devices[i], "buffers", see_buffer, &ledger);
		see_file(&devices[i], "framebuffer", see_framebuffer, &ledger);
		if (i < nr_cards)
			count_lost(&devices[i], &ledger);
	}
	return ledger;
}

bool ledger_comes_to(const struct ledger *before, struct ledger *now)
{
	for (int tries = 0; tries < 3000; tries++) {
		*now = ledger_now();
		if (!memcmp(now, before, sizeof(*now)))
			return true;
		usleep(10000);
	}
	return false;
}

const char *ledger_difference(const struct ledger *before,
			      const struct ledger *now)
{
	static char text[512];
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		if (column(before, i) == column(now, i))
			continue;
		len += snprintf(text + len, sizeof(text) - len,
				"%s%s: %" PRIu64 ", were %" PRIu64,
				len ? "; " : "", columns[i].name,
				column(now, i), column(before, i));
	}
	return text;
}

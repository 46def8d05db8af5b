// SPDX-License-Identifier: MIT
/*
 * phyrctl demo: one buffer's way from page-less VRAM through the copy
 * engine's DMA and back, each step verified, the last by the host, which reads
 * the same bytes from the file that is the card's VRAM.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "demo.h"
#include "draw.h"
#include "libphyr.h"
#include "size.h"

#define BUFFER_SIZE	(16ull << 20)
#define MAX_EXTENT	(1ull << 20)
#define MIN_EXTENTS	16
#define SEED		2026
#define LIST_LINES	20

/**
 * struct scene - what the demo's steps share
 * @card: the VRAM
 * @engine: the copy engine
 * @card_fd: client of the card
 * @engine_fd: client of the engine
 * @id: of the buffer, in the card's debugfs
 * @engine_id: of the same buffer, in the engine's debugfs
 * @imported: its handle at the engine
 * @source: handle of the engine's own buffer that the bytes come from
 * @target: handle of the engine's own buffer that the bytes go back to
 * @vram: the buffer, mapped through its dma-buf
 * @source_mem: @source, mapped
 * @target_mem: @target, mapped
 * @list: the buffer's phyr list
 */
struct scene {
	struct phyr_device card;
	struct phyr_device engine;
	int card_fd;
	int engine_fd;
	uint64_t id;
	uint64_t engine_id;
	uint32_t imported;
	uint32_t source;
	uint32_t target;
	void *vram;
	void *source_mem;
	void *target_mem;
	struct phyr_list_dump list;
};

static void must(int err, const char *what)
{
	if (err < 0)
		fail("demo: %s: %s", what, strerror(-err));
}

static void must_map(const void *mem, const char *what)
{
	if (mem == MAP_FAILED)
		fail("demo: mmap of %s: %s", what, strerror(errno));
}

static void open_devices(struct scene *scene)
{
	if (phyr_device_find(PHYR_VRAM_DRIVER, 0, &scene->card))
		fail("demo: no card is bound to phyr_vram; see 'phyrctl devices'");
	if (phyr_device_find(PHYR_COPY_DRIVER, 0, &scene->engine))
		fail("demo: no engine is bound to phyr_copy; see 'phyrctl devices'");
	scene->card_fd = phyr_device_open(&scene->card);
	must(scene->card_fd, scene->card.busid);
	scene->engine_fd = phyr_device_open(&scene->engine);
	must(scene->engine_fd, scene->engine.busid);
}

static void check_extents(const struct scene *scene)
{
	uint64_t total = 0;

	for (size_t i = 0; i < scene->list.nr; i++) {
		if (scene->list.vecs[i].pages)
			fail("demo: pfn_valid() is true for extent %zu at %#" PRIx64,
			     i, scene->list.vecs[i].paddr);
		total += scene->list.vecs[i].len;
	}
	if (scene->list.nr < MIN_EXTENTS || total != BUFFER_SIZE)
		fail("demo: the phyr list has %zu entries of %" PRIu64
		     " bytes in all; expected at least %d of %llu",
		     scene->list.nr, total, MIN_EXTENTS, BUFFER_SIZE);
}

static void make_buffer(struct scene *scene)
{
	struct drm_phyr_vram_gem_info info;
	struct phyr_vram_dump vram;
	uint32_t handle;
	int dmabuf;

	must(phyr_vram_create(scene->card_fd, BUFFER_SIZE,
			      DRM_PHYR_VRAM_PLACE_VRAM, MAX_EXTENT, &handle),
	     "create 16 MiB in VRAM in pieces of at most 1 MiB");
	must(phyr_vram_gem_info(scene->card_fd, handle, &info), "buffer info");
	dmabuf = phyr_export(scene->card_fd, handle);
	must(dmabuf, "export");
	must(phyr_import(scene->engine_fd, dmabuf, &scene->imported),
	     "import into the copy engine");
	scene->vram = phyr_mmap(dmabuf, BUFFER_SIZE, PROT_READ | PROT_WRITE, 0);
	must_map(scene->vram, "the dma-buf");
	close(dmabuf);

	scene->id = info.id;
	must(phyr_vram_dump_read(&scene->card, &vram), "debugfs vram");
	must(phyr_list_dump_read(&scene->card, info.id, &scene->list),
	     "debugfs buffers");
	check_extents(scene);

	draw_heading("A buffer in the VRAM of %s", scene->card.busid);
	draw_vram(&vram, info.id);
	printf("\nIts phyr list, as the exporter hands it over; no entry has struct pages:\n");
	draw_vecs(&scene->list, LIST_LINES);
	phyr_vram_dump_free(&vram);
}

static void make_own_buffers(struct scene *scene)
{
	must(phyr_copy_create(scene->engine_fd, BUFFER_SIZE, &scene->source),
	     "create 16 MiB of system memory");
	must(phyr_copy_create(scene->engine_fd, BUFFER_SIZE, &scene->target),
	     "create another 16 MiB of system memory");
	scene->source_mem = phyr_copy_mmap(scene->engine_fd, scene->source,
					   BUFFER_SIZE, PROT_READ | PROT_WRITE);
	must_map(scene->source_mem, "the source");
	scene->target_mem = phyr_copy_mmap(scene->engine_fd, scene->target,
					   BUFFER_SIZE, PROT_READ);
	must_map(scene->target_mem, "the target");
	phyr_fill(scene->source_mem, SEED, 0, BUFFER_SIZE);
}

static void verify(const void *mem, const char *what)
{
	int64_t at = phyr_verify(mem, SEED, 0, BUFFER_SIZE);

	if (at >= 0)
		fail("demo: %s is wrong from byte %" PRId64 " on", what, at);
	printf("%s: 16777216 bytes verified\n", what);
}

static void show_job(struct scene *scene)
{
	struct phyr_job job;

	must(phyr_last_job(&scene->engine, &job), "debugfs jobs");
	if (job.status)
		fail("demo: the engine's job ended with %s", strerror(-job.status));
	if (job.len != BUFFER_SIZE || !job.moves || !job.scripts)
		fail("demo: the engine's last job is not the demo's");
	printf("The engine's script for it: %" PRIu64
	       " memory moves in %" PRIu64 " script%s\n", job.moves, job.scripts,
	       job.scripts == 1 ? "" : "s");
}

static void copy_in(struct scene *scene)
{
	draw_heading("System memory to VRAM, by DMA of %s", scene->engine.busid);
	must(phyr_copy_run(scene->engine_fd, scene->source, 0, scene->imported,
			   0, BUFFER_SIZE), "copy into VRAM");
	show_job(scene);
	verify(scene->vram, "VRAM, read by the CPU");
}

static void show_lists(struct scene *scene)
{
	struct drm_phyr_copy_gem_info info;
	struct phyr_ranges_dump ranges;
	uint64_t total = 0;

	must(phyr_copy_gem_info(scene->engine_fd, scene->imported, &info),
	     "info of the imported buffer");
	must(phyr_ranges_dump_read(&scene->engine, info.id, &ranges),
	     "debugfs buffers of the engine");
	for (size_t i = 0; i < ranges.nr; i++)
		total += ranges.ranges[i].len;
	if (!strcmp(ranges.mode, "iova") && ranges.nr != 1)
		fail("demo: behind an IOMMU the buffer is one DMA range, but here are %zu",
		     ranges.nr);
	if (total != BUFFER_SIZE)
		fail("demo: the dma_range list has %" PRIu64 " bytes, expected %llu",
		     total, BUFFER_SIZE);

	draw_heading("What the importer got: %zu DMA range%s, mode '%s'",
		     ranges.nr, ranges.nr == 1 ? "" : "s", ranges.mode);
	draw_lists(&scene->list, &ranges);
	draw_ranges(&ranges, LIST_LINES);
	phyr_ranges_dump_free(&ranges);
}

static void copy_out(struct scene *scene)
{
	draw_heading("VRAM to system memory, by DMA");
	must(phyr_copy_run(scene->engine_fd, scene->imported, 0, scene->target,
			   0, BUFFER_SIZE), "copy out of VRAM");
	show_job(scene);
	verify(scene->target_mem, "System memory");
	if (memcmp(scene->source_mem, scene->target_mem, BUFFER_SIZE))
		fail("demo: the bytes that came back are not those that went in");
	printf("The bytes that came back are those that went in\n");
}

static FILE *open_out(const char *dir, const char *name, char *path,
		      size_t size)
{
	FILE *file;

	snprintf(path, size, "%s/demo.%s", dir, name);
	file = fopen(path, "we");
	if (!file)
		fail("demo: %s: %s", path, strerror(errno));
	return file;
}

static void close_out(FILE *file, const char *path)
{
	if (ferror(file) || fflush(file) || fsync(fileno(file)) || fclose(file))
		fail("demo: %s: %s", path, strerror(errno));
}

/* By way of plain memory: write() cannot pin pages of a device's mapping. */
static void write_expected(const struct scene *scene, FILE *file)
{
	static char bytes[1 << 16];

	for (uint64_t at = 0; at < BUFFER_SIZE; at += sizeof(bytes)) {
		memcpy(bytes, (char *)scene->source_mem + at, sizeof(bytes));
		fwrite(bytes, 1, sizeof(bytes), file);
	}
}

/* Tell the host where in the VRAM file which bytes must be. */
static void tell_host(const struct scene *scene, const char *dir)
{
	char path[256];
	uint64_t at = 0;
	FILE *file;

	file = open_out(dir, "extents", path, sizeof(path));
	for (size_t i = 0; i < scene->list.nr; i++) {
		const struct phyr_vec *vec = &scene->list.vecs[i];

		fprintf(file, "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
			vec->offset, vec->len, at);
		at += vec->len;
	}
	close_out(file, path);
	file = open_out(dir, "expected", path, sizeof(path));
	write_expected(scene, file);
	close_out(file, path);
	file = open_out(dir, "ready", path, sizeof(path));
	fputs("ready\n", file);
	close_out(file, path);
}

static bool read_verdict(const char *dir, char *verdict, size_t size)
{
	char path[256];
	FILE *file;
	bool whole;

	snprintf(path, sizeof(path), "%s/demo.verdict", dir);
	file = fopen(path, "re");
	if (!file)
		return false;
	whole = fgets(verdict, size, file) && strchr(verdict, '\n');
	fclose(file);
	return whole;
}

static void ask_host(const struct scene *scene, const char *dir,
		     unsigned int seconds)
{
	char verdict[256];

	draw_heading("The same bytes, from outside the guest");
	tell_host(scene, dir);
	printf("%s/demo.extents tells where in the VRAM file the buffer lies\n",
	       dir);
	fflush(stdout);
	if (!seconds) {
		printf("The host was not asked (--wait 0)\n");
		return;
	}
	for (unsigned int tries = 0; tries < seconds * 10; tries++) {
		if (read_verdict(dir, verdict, sizeof(verdict))) {
			printf("The host says: %s", verdict);
			if (strncmp(verdict, "ok ", 3))
				fail("demo: the host's bytes differ");
			return;
		}
		usleep(100000);
	}
	fail("demo: no %s/demo.verdict came in %u s; is userspace/verify-vram running on the host? (--wait 0 does without)",
	     dir, seconds);
}

static const char usage[] =
"usage: phyrctl demo [--wait SECONDS] [--out DIR]\n"
"\n"
"Creates 16 MiB of VRAM in at least 16 extents, copies 16 MiB into it and out of\n"
"it by the copy engine's DMA, and verifies each step. Leaves in DIR, for the host:\n"
"demo.extents (lines of: offset in the VRAM file, length, offset in the buffer; in\n"
"bytes), demo.expected (the buffer's bytes), demo.ready (last). Run it as root.\n"
"\n"
"  --wait SECONDS  wait that long for DIR/demo.verdict, which userspace/verify-vram\n"
"                  writes on the host; default 120, 0: do not wait\n"
"  --out DIR       default /out\n"
"\n"
"Exit status 0 only if everything was verified.\n";

int demo(int argc, char **argv)
{
	static const struct option options[] = {
		{ "wait", required_argument, NULL, 'w' },
		{ "out", required_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct scene scene = { 0 };
	const char *dir = "/out";
	uint64_t seconds = 120;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'w':
			if (parse_size(optarg, &seconds) || seconds > 3600)
				fail("demo: --wait '%s' is no number of seconds from 0 to 3600",
				     optarg);
			break;
		case 'o':
			dir = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (geteuid())
		fail("demo: addresses are root's to see: run it as root");

	open_devices(&scene);
	make_buffer(&scene);
	make_own_buffers(&scene);
	copy_in(&scene);
	show_lists(&scene);
	copy_out(&scene);
	ask_host(&scene, dir, seconds);
	draw_heading("Verified: page-less VRAM, one phyr list, real DMA both ways");
	return 0;
}

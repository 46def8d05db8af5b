// SPDX-License-Identifier: MIT
/*
 * phyrctl demo: copy 16 MiB from system memory to page-less VRAM and back by
 * DMA of the copy engine. The CPU verifies each copy; the host verifies the
 * bytes in VRAM, which is a file there.
 *
 * userspace/demo runs this command in a guest, igt-tests/tests/phyr_demo.c
 * tests phyrctl with it.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "draw.h"
#include "error.h"
#include "libphyr.h"
#include "roundtrip.h"
#include "size.h"

#define BUFFER_SIZE	(16ull << 20)
#define MAX_EXTENT	(1ull << 20)
#define MIN_EXTENTS	16
#define SEED		2026
#define LIST_LINES	20
#define WAIT_SECONDS	120

/**
 * struct roundtrip - devices and buffers of the copies
 * @card: card with the VRAM
 * @engine: copy engine
 * @card_fd: open node of @card
 * @engine_fd: open node of @engine
 * @imported: engine's handle of the VRAM buffer
 * @source: engine's handle of its system memory buffer to copy from
 * @target: engine's handle of its system memory buffer to copy back to
 * @vram: CPU mapping of the VRAM buffer, through its dma-buf
 * @source_mem: CPU mapping of @source
 * @target_mem: CPU mapping of @target
 * @list: phyr list of the VRAM buffer
 */
struct roundtrip {
	struct phyr_device card;
	struct phyr_device engine;
	int card_fd;
	int engine_fd;
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

static void open_devices(struct roundtrip *trip)
{
	if (phyr_device_find(PHYR_VRAM_DRIVER, 0, &trip->card))
		fail("demo: no device is bound to phyr_vram; see 'phyrctl devices'");
	if (phyr_device_find(PHYR_COPY_DRIVER, 0, &trip->engine))
		fail("demo: no device is bound to phyr_copy; see 'phyrctl devices'");
	trip->card_fd = phyr_device_open(&trip->card);
	must(trip->card_fd, trip->card.busid);
	trip->engine_fd = phyr_device_open(&trip->engine);
	must(trip->engine_fd, trip->engine.busid);
}

static void check_extents(const struct roundtrip *trip)
{
	uint64_t total = 0;

	for (size_t i = 0; i < trip->list.nr; i++) {
		if (trip->list.vecs[i].pages)
			fail("demo: pfn_valid() is true for extent %zu at %#" PRIx64,
			     i, trip->list.vecs[i].paddr);
		total += trip->list.vecs[i].len;
	}
	if (trip->list.nr < MIN_EXTENTS || total != BUFFER_SIZE)
		fail("demo: the phyr list has %zu entries of %" PRIu64
		     " bytes in all; expected at least %d of %llu",
		     trip->list.nr, total, MIN_EXTENTS, BUFFER_SIZE);
}

static void make_buffer(struct roundtrip *trip)
{
	struct drm_phyr_vram_gem_info info;
	struct phyr_vram_dump vram;
	uint32_t handle;
	int dmabuf;

	must(phyr_vram_create(trip->card_fd, BUFFER_SIZE,
			      DRM_PHYR_VRAM_PLACE_VRAM, MAX_EXTENT, &handle),
	     "create 16 MiB in VRAM in extents of at most 1 MiB");
	must(phyr_vram_gem_info(trip->card_fd, handle, &info), "buffer info");
	dmabuf = phyr_export(trip->card_fd, handle);
	must(dmabuf, "export");
	must(phyr_import(trip->engine_fd, dmabuf, &trip->imported),
	     "import into the copy engine");
	trip->vram = phyr_mmap(dmabuf, BUFFER_SIZE, PROT_READ | PROT_WRITE, 0);
	must_map(trip->vram, "the dma-buf");
	close(dmabuf);

	must(phyr_vram_dump_read(&trip->card, &vram), "debugfs vram");
	must(phyr_list_dump_read(&trip->card, info.id, &trip->list),
	     "debugfs buffers");
	check_extents(trip);

	draw_heading("A buffer in the VRAM of %s", trip->card.busid);
	draw_vram(&vram, info.id);
	printf("\nThe phyr list from the exporter; no entry has struct pages:\n");
	draw_vecs(&trip->list, LIST_LINES);
	phyr_vram_dump_free(&vram);
}

static void make_own_buffers(struct roundtrip *trip)
{
	must(phyr_copy_create(trip->engine_fd, BUFFER_SIZE, &trip->source),
	     "create 16 MiB of system memory");
	must(phyr_copy_create(trip->engine_fd, BUFFER_SIZE, &trip->target),
	     "create another 16 MiB of system memory");
	trip->source_mem = phyr_copy_mmap(trip->engine_fd, trip->source,
					  BUFFER_SIZE, PROT_READ | PROT_WRITE);
	must_map(trip->source_mem, "the source");
	trip->target_mem = phyr_copy_mmap(trip->engine_fd, trip->target,
					  BUFFER_SIZE, PROT_READ);
	must_map(trip->target_mem, "the target");
	phyr_fill(trip->source_mem, SEED, 0, BUFFER_SIZE);
}

static void verify(const void *mem, const char *what)
{
	int64_t at = phyr_verify(mem, SEED, 0, BUFFER_SIZE);

	if (at >= 0)
		fail("demo: %s: wrong byte at offset %" PRId64, what, at);
	printf("%s: 16777216 bytes verified\n", what);
}

static void show_job(struct roundtrip *trip)
{
	struct phyr_job job;

	must(phyr_last_job(&trip->engine, &job), "debugfs jobs");
	if (job.status)
		fail("demo: the engine's job failed: %s", strerror(-job.status));
	if (job.len != BUFFER_SIZE || !job.moves || !job.scripts)
		fail("demo: the engine's last job is another client's; stop other users of the engine");
	printf("The engine ran %" PRIu64 " memory moves in %" PRIu64 " script%s\n",
	       job.moves, job.scripts,
	       job.scripts == 1 ? "" : "s");
}

static void copy_in(struct roundtrip *trip)
{
	draw_heading("System memory to VRAM, by DMA of %s", trip->engine.busid);
	must(phyr_copy_run(trip->engine_fd, trip->source, 0, trip->imported,
			   0, BUFFER_SIZE), "copy into VRAM");
	show_job(trip);
	verify(trip->vram, "VRAM, read by the CPU");
}

static void show_lists(struct roundtrip *trip)
{
	struct drm_phyr_copy_gem_info info;
	struct phyr_ranges_dump ranges;
	uint64_t total = 0;

	must(phyr_copy_gem_info(trip->engine_fd, trip->imported, &info),
	     "info of the imported buffer");
	must(phyr_ranges_dump_read(&trip->engine, info.id, &ranges),
	     "debugfs buffers of the engine");
	for (size_t i = 0; i < ranges.nr; i++)
		total += ranges.ranges[i].len;
	if (!strcmp(ranges.mode, "iova") && ranges.nr != 1)
		fail("demo: the buffer has %zu DMA ranges; expected 1 behind an IOMMU",
		     ranges.nr);
	if (total != BUFFER_SIZE)
		fail("demo: the dma_range list has %" PRIu64 " bytes; expected %llu",
		     total, BUFFER_SIZE);

	draw_heading("The importer's dma_range list: %zu DMA range%s, mode '%s'",
		     ranges.nr, ranges.nr == 1 ? "" : "s", ranges.mode);
	draw_lists(&trip->list, &ranges);
	draw_ranges(&ranges, LIST_LINES);
	phyr_ranges_dump_free(&ranges);
}

static void copy_out(struct roundtrip *trip)
{
	draw_heading("VRAM to system memory, by DMA");
	must(phyr_copy_run(trip->engine_fd, trip->imported, 0, trip->target,
			   0, BUFFER_SIZE), "copy out of VRAM");
	show_job(trip);
	verify(trip->target_mem, "System memory");
	if (memcmp(trip->source_mem, trip->target_mem, BUFFER_SIZE))
		fail("demo: the bytes copied back differ from the source");
	printf("The bytes copied back equal the source\n");
}

/* @insist: fail if nobody listens on the host. */
static void check_on_host(const struct roundtrip *trip, const char *dir,
			  unsigned int seconds, bool insist)
{
	struct phyr_hostcheck check = { .dir = dir, .name = "demo" };
	char verdict[256];
	int err;

	draw_heading("The same bytes, read on the host");
	if (!insist && !phyr_hostcheck_listens(&check)) {
		printf("Not verified on the host: %s/demo.listens is missing. Start userspace/verify-vram on the host first\n",
		       dir);
		return;
	}
	err = phyr_hostcheck_request(&check, &trip->list, trip->source_mem);
	if (err)
		fail("demo: cannot write %s/demo.*: %s; --out names another directory",
		     dir, strerror(-err));
	printf("%s/demo.extents lists the buffer's offsets in the VRAM file\n",
	       dir);
	fflush(stdout);
	if (!seconds) {
		printf("Not verified on the host (--wait 0)\n");
		return;
	}
	err = phyr_hostcheck_wait(&check, seconds, verdict, sizeof(verdict));
	if (err == -ETIME)
		fail("demo: no verdict in %s/demo.verdict after %u s: start userspace/verify-vram on the host before, or skip the check on the host with --wait 0",
		     dir, seconds);
	printf("The host says: %s", verdict);
	if (err)
		fail("demo: the host found other bytes in VRAM");
}

static const char usage[] =
"usage: phyrctl demo [--wait SECONDS] [--out DIR]\n"
"\n"
"Creates a 16 MiB buffer in VRAM with at least 16 extents, copies 16 MiB into it\n"
"and back by DMA of the copy engine, and verifies each copy. If\n"
"userspace/verify-vram runs on the host, as DIR/demo.listens tells, it then\n"
"compares the VRAM file with these files in DIR:\n"
"\n"
"  demo.extents   per extent: offset in the VRAM file, length, offset in the buffer;\n"
"                 in bytes\n"
"  demo.expected  the buffer's bytes\n"
"  demo.ready     written last: the id of this request\n"
"\n"
"Requires root.\n"
"\n"
"  --wait SECONDS  how long to wait for the host's verdict, DIR/demo.verdict, and\n"
"                  insist on one; 0: write the files, do not wait. Default: 120 if\n"
"                  the host listens, otherwise no check on the host\n"
"  --out DIR       directory shared with the host; default /out\n"
"\n"
"Exit status: 0 if every check passed, 1 if not, 2 for wrong usage.\n";

int roundtrip(int argc, char **argv)
{
	static const struct option options[] = {
		{ "wait", required_argument, NULL, 'w' },
		{ "out", required_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct roundtrip trip = { 0 };
	const char *dir = "/out";
	uint64_t seconds = WAIT_SECONDS;
	bool insist = false;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'w':
			if (parse_size(optarg, &seconds) || seconds > 3600)
				fail("demo: invalid --wait '%s': choose 0 to 3600 seconds",
				     optarg);
			insist = true;
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
		fail("demo: permission denied: only root may see addresses");

	open_devices(&trip);
	make_buffer(&trip);
	make_own_buffers(&trip);
	copy_in(&trip);
	show_lists(&trip);
	copy_out(&trip);
	check_on_host(&trip, dir, seconds, insist);
	draw_heading("Verified: page-less VRAM, one phyr list, real DMA both ways");
	return 0;
}

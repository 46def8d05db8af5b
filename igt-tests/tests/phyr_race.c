// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "compose.h"
#include "display.h"
#include "foreign.h"
#include "lib.h"
#include "traffic.h"

IGT_TEST_DESCRIPTION("Four processes race on one buffer, with delays injected where locks are dropped");

#define SIZE		SZ_64K
#define PART		(SIZE / 4)
#define SEED		77
#define ROUNDS		240	/* of each process */
#define REMOVALS	30	/* unbinds or resets of a device */
#define DELAYS		"/sys/kernel/debug/phyr/delay"

/* Errors of a device that is unbound, being unbound, or bound again. */
static bool is_gone(int err)
{
	return err == -ENODEV || err == -ENOENT || err == -ENXIO;
}

/*
 * Delays, if the kernel has fault injection
 */

static void set_delays(bool on)
{
	if (access(DELAYS, F_OK))
		return;
	write_file(DELAYS "/probability", on ? "20" : "0");
	write_file(DELAYS "/times", on ? "-1" : "1");
	write_file(DELAYS "_max_us", on ? "3000" : "1000");
}

/*
 * State created before the fork and inherited by the four processes
 */

static struct {
	struct phyr_device card;
	struct phyr_device engines[2];
	uint64_t free;
	unsigned int files;
	int rounds;
	int removals;
	int vram;
	uint32_t handle;
	int dmabuf;
	uint8_t *mem;
} ctx;

/* Find devices once: that is slow compared with the work of the processes. */
static void find_devices(void)
{
	ctx.card = vram_device(0);
	for (int i = 0; i < 2; i++)
		ctx.engines[i] = copy_device(i);
}

static void record_state(void)
{
	wait_for_no_attachment(NULL, NULL);
	find_devices();
	ctx.files = open_files();
	ctx.free = vram_free(&ctx.card);
	ctx.rounds = chances(ROUNDS);
	ctx.removals = chances(REMOVALS);
}

static void open_buffer(void)
{
	record_state();
	ctx.vram = open_device(&ctx.card);
	ctx.handle = create_vram(ctx.vram, SIZE, EVICTABLE, SZ_4K);
	ctx.dmabuf = export_buffer(ctx.vram, ctx.handle);
	ctx.mem = map_dmabuf(ctx.dmabuf, SIZE);
	phyr_fill(ctx.mem, SEED, 0, SIZE);
}

/* The devices still work: copy into VRAM. */
static void assert_devices_work(void)
{
	int vram = open_device(&ctx.card);
	int engine = open_device(&ctx.engines[0]);
	uint32_t handle = create_vram(vram, SIZE, IN_VRAM, SZ_4K);
	uint32_t own = create_own(engine, SIZE);
	uint32_t imported = import_from(engine, vram, handle);

	fill_own(engine, own, SIZE, SEED + 1);
	copy_bytes(engine, own, imported, SIZE);
	assert_vram(vram, handle, SIZE, SEED + 1);
	close(engine);
	close(vram);
}

static void check_state(void)
{
	assert_devices_work();
	wait_for_vram_free(&ctx.card, ctx.free);
	wait_for_no_attachment(NULL, NULL);
	igt_assert_eq(open_files(), ctx.files);
}

/* Processes that write restore the pattern, so it must be complete. */
static void close_buffer(void)
{
	assert_bytes(ctx.mem, SEED, 0, SIZE);
	unmap(ctx.mem, SIZE);
	close(ctx.dmabuf);
	close(ctx.vram);
	check_state();
}

/*
 * The processes
 */

/* Attach, map, unmap and detach, as importers of every kind. */
static void attach_and_detach(int child)
{
	int test = open("/dev/phyr_test", O_RDWR | O_CLOEXEC);

	igt_assert(test >= 0);
	for (int round = 0; round < ctx.rounds; round++) {
		struct phyr_test_held held = { 0 };
		uint32_t kind = (round + child) % (PHYR_TEST_REVOCABLE + 1);
		int err = try_hold(test, ctx.dmabuf, kind,
				   round % (PHYR_TEST_UNMAP_LATE + 1),
				   &held.id);

		if (err == -EBUSY)
			continue;
		igt_assert_eq(err, 0);
		for (int i = 0; i < 3; i++) {
			igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_MAP,
						 &held), 0);
			if (i)
				igt_assert_eq(phyr_ioctl(test,
							 PHYR_TEST_IOC_UNMAP,
							 &held), 0);
		}
		release_held(test, held.id);
	}
	close(test);
}

/* Copy between the engine and this child's own part of the buffer. */
static void import_and_copy(int child)
{
	uint64_t at = (child % 4) * PART;

	for (int round = 0; round < ctx.rounds / 3; round++) {
		int engine = open_device(&ctx.engines[child % 2]);
		uint32_t own = create_own(engine, SIZE);
		uint32_t imported = import_buffer(engine, ctx.dmabuf);
		uint8_t *mem = map_own(engine, own, SIZE);

		for (int i = 0; i < 3; i++) {
			igt_assert_eq(phyr_copy_run(engine, imported, at, own,
						    at, PART), 0);
			assert_bytes(mem + at, SEED, at, PART);
			igt_assert_eq(phyr_copy_run(engine, own, at, imported,
						    at, PART), 0);
		}
		unmap(mem, SIZE);
		igt_assert_eq(phyr_close_handle(engine, imported), 0);
		close(engine);
	}
}

/* The same by a buffer composed of both halves of the part, second one first. */
static void compose_and_copy(int child)
{
	uint64_t at = (child % 4) * PART, half = PART / 2;

	for (int round = 0; round < ctx.rounds / 3; round++) {
		int engine = open_device(&ctx.engines[child % 2]);
		uint32_t own = create_own(engine, PART), imported, whole;
		uint8_t *mem = map_own(engine, own, PART);

		imported = import_buffer(engine, ctx.dmabuf);
		whole = compose(engine, (const struct drm_phyr_copy_part[]) {
			part_of(imported, at + half, half),
			part_of(imported, at, half) }, 2);
		if (round % 2)
			igt_assert_eq(phyr_close_handle(engine, imported), 0);
		for (int i = 0; i < 3; i++) {
			copy_bytes(engine, whole, own, PART);
			assert_bytes(mem, SEED, at + half, half);
			assert_bytes(mem + half, SEED, at, half);
			copy_bytes(engine, own, whole, PART);
		}
		unmap(mem, PART);
		igt_assert_eq(phyr_close_handle(engine, whole), 0);
		close(engine);
	}
}

/* Write and read this child's own part of the buffer by the CPU. */
static void map_and_access(int child)
{
	uint64_t at = (child % 4) * PART;

	for (int round = 0; round < ctx.rounds; round++) {
		uint8_t *mem = round % 2 ?
			       map_vram(ctx.vram, ctx.handle, SIZE) :
			       map_dmabuf(ctx.dmabuf, SIZE);

		phyr_fill(mem + at, SEED + round, at, PART);
		assert_bytes(ctx.mem + at, SEED + round, at, PART);
		phyr_fill(ctx.mem + at, SEED, at, PART);
		assert_bytes(mem + at, SEED, at, PART);
		unmap(mem, SIZE);
	}
}

/* -EBUSY: an importer that needs system memory has pinned the buffer. */
static void move_repeatedly(int child)
{
	int err;

	(void)child;
	for (int round = 0; round < 2 * ctx.rounds; round++) {
		err = try_move_buffer(ctx.vram, ctx.handle,
				      round % 2 ? IN_VRAM : IN_SYSTEM);
		igt_assert_f(!err || err == -EBUSY, "move: %s\n",
			     strerror(-err));
	}
}

/*
 * The processes share the open file and thus the handles: one may close a
 * handle that another has just imported.
 */
static void import_and_close(int child)
{
	for (int round = 0; round < 2 * ctx.rounds; round++) {
		uint32_t handle;
		int err, dmabuf;

		igt_assert_eq(phyr_import(ctx.vram, ctx.dmabuf, &handle),
			      0);
		dmabuf = phyr_export(ctx.vram, handle);
		igt_assert(dmabuf >= 0 || dmabuf == -ENOENT);
		if (dmabuf >= 0)
			close(dmabuf);
		if ((round + child) % 3) {
			err = phyr_close_handle(ctx.vram, handle);
			igt_assert(!err || err == -EINVAL);
		}
	}
}

/* Close handles, dma-bufs and clients while the engine copies. */
static void create_and_close(int child)
{
	for (int round = 0; round < ctx.rounds / 3; round++) {
		struct drm_phyr_copy_submit job = { .len = PART };
		int vram = open_device(&ctx.card);
		int engine = open_device(&ctx.engines[child % 2]);
		uint32_t handle = create_vram(vram, SIZE, EVICTABLE, SZ_4K);
		int dmabuf = export_buffer(vram, handle);

		job.src_handle = import_buffer(engine, ctx.dmabuf);
		job.dst_handle = import_buffer(engine, dmabuf);
		igt_assert_eq(phyr_copy_submit(engine, &job), 0);
		igt_assert_eq(phyr_close_handle(engine, job.dst_handle), 0);
		igt_assert_eq(phyr_close_handle(vram, handle), 0);
		if (round % 2)
			close(dmabuf);
		close(engine);
		if (!(round % 2))
			close(dmabuf);
		close(vram);
	}
}

/*
 * Removal of a device while other processes use it
 */

/* Shared by the processes: number of successful uses, and the request to stop. */
static struct {
	atomic_uint done;
	atomic_bool stop;
} *uses;

static void map_shared(void)
{
	uses = mmap(NULL, SZ_4K, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	igt_assert(uses != MAP_FAILED);
}

/*
 * The device may be unbound, and has another node once it is bound again. Look
 * it up by its bus ID; an index among the bound devices may be another device.
 */
static int try_open(const struct phyr_device *device)
{
	char path[96];
	glob_t nodes;
	int fd;

	snprintf(path, sizeof(path),
		 "/sys/bus/pci/devices/%.15s/drm/renderD*", device->busid);
	if (glob(path, 0, NULL, &nodes))
		return -ENOENT;
	snprintf(path, sizeof(path), "/dev/dri/%s",
		 strrchr(nodes.gl_pathv[0], '/') + 1);
	globfree(&nodes);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Create, share, copy and move a buffer. The caller closes the nodes. */
static int try_use(int child, int *card, int *engine)
{
	uint32_t handle, own, imported;
	int dmabuf = -1, err;

	*card = try_open(&ctx.card);
	if (*card < 0)
		return *card;
	/* Two processes use the engine that may be unbound, one the other. */
	*engine = try_open(&ctx.engines[child / 3]);
	if (*engine < 0)
		return *engine;
	err = phyr_vram_create(*card, SIZE, IN_VRAM, SZ_4K, &handle);
	if (!err)
		err = phyr_copy_create(*engine, SIZE, &own);
	if (!err) {
		dmabuf = phyr_export(*card, handle);
		err = dmabuf < 0 ? dmabuf :
				   phyr_import(*engine, dmabuf, &imported);
	}
	for (int i = 0; !err && i < 4; i++)
		err = phyr_copy_run(*engine, i % 2 ? imported : own, 0,
				    i % 2 ? own : imported, 0, SIZE);
	if (!err)
		err = try_move_buffer(*card, handle, IN_VRAM);
	if (dmabuf >= 0)
		close(dmabuf);
	return err;
}

static void use_until_stopped(int child)
{
	unsigned int done = 0, lost = 0;

	while (!atomic_load(&uses->stop)) {
		int card = -1, engine = -1;
		int err = try_use(child, &card, &engine);

		igt_assert_f(!err || is_gone(err), "process %d, use %u: %s\n", child,
			     done + lost, strerror(-err));
		if (engine >= 0)
			close(engine);
		if (card >= 0)
			close(card);
		if (!err) {
			done++;
			atomic_fetch_add(&uses->done, 1);
		} else if (engine >= 0) {
			lost++;
		} else {
			/* The device is unbound: yield the CPU to the process that binds it. */
			usleep(2000);
		}
	}
	igt_info("process %d: %u uses succeeded, %u were interrupted\n", child, done, lost);
}

static void unbind_and_bind(const char *busid, const char *driver)
{
	remove_device(busid, UNBIND);
	restore_device(busid, driver, UNBIND);
}

static void unbind_exporter(void)
{
	unbind_and_bind(ctx.card.busid, PHYR_VRAM_DRIVER);
}

static void unbind_importer(void)
{
	unbind_and_bind(ctx.engines[0].busid, PHYR_COPY_DRIVER);
}

static void reset_exporter(void)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/reset",
		 ctx.card.busid);
	write_file(path, "1");
}

static void remove_repeatedly(void (*remove_device)(void))
{
	for (int i = 0; i < ctx.removals; i++) {
		unsigned int done = atomic_load(&uses->done);

		/* Wait until the device was used since the last removal. */
		while (atomic_load(&uses->done) == done)
			usleep(5000);
		remove_device();
	}
	atomic_store(&uses->stop, true);
}

/* Three processes use the devices while one removes a device. */
static void race_removal(void (*remove_device)(void))
{
	atomic_store(&uses->stop, false);
	igt_fork(child, 4) {
		if (child)
			use_until_stopped(child);
		else
			remove_repeatedly(remove_device);
	}
	igt_waitchildren();
}

static void race_unbind(void (*unbind)(void))
{
	record_state();
	race_removal(unbind);
	find_devices();
	check_state();
}

/* The buffer keeps its bytes; imports fail during a reset. */
static void race_reset(void)
{
	open_buffer();
	race_removal(reset_exporter);
	close_buffer();
}

static bool can_reset(void)
{
	struct phyr_device card = vram_device(0);
	char path[96];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/reset",
		 card.busid);
	return !access(path, F_OK);
}

/**
 * struct race - a subtest of four processes that run at the same time
 * @name: the subtest
 * @description: its description
 * @processes: what each process runs
 */
struct race {
	const char *name;
	const char *description;
	void (*processes[4])(int child);
};

static const struct race races[] = {
	{ "attach-move", "Attach, map, unmap and detach while the buffer moves",
	  { attach_and_detach, attach_and_detach, attach_and_detach,
	    move_repeatedly } },
	{ "copy-move", "Copy and write by the CPU while the buffer moves",
	  { import_and_copy, import_and_copy, map_and_access, move_repeatedly } },
	{ "import-move", "Copy, attach and detach while the buffer moves",
	  { import_and_copy, attach_and_detach, import_and_copy, move_repeatedly } },
	{ "compose-move", "Copy by composed buffers while their parts move",
	  { compose_and_copy, compose_and_copy, import_and_copy,
	    move_repeatedly } },
	{ "compose-attach", "The same while others attach to the buffer",
	  { compose_and_copy, compose_and_copy, attach_and_detach,
	    move_repeatedly } },
	{ "import-close", "Close handles while they are imported and exported",
	  { import_and_close, import_and_close, import_and_close,
	    import_and_close } },
	{ "close", "Close buffers and clients while engines use them",
	  { create_and_close, create_and_close, create_and_close,
	    attach_and_detach } },
};

static void race_subtest(const struct race *race)
{
	igt_describe(race->description);
	igt_subtest(race->name) {
		open_buffer();
		igt_fork(child, 4)
			race->processes[child](child);
		igt_waitchildren();
		close_buffer();
	}
}

/*
 * The display: one process flips, one moves, two copy
 */

static void flip_repeatedly(const struct display *display, const struct fb *fbs)
{
	for (int round = 0; round < ctx.rounds / 2; round++)
		flip(display, &fbs[round % 2]);
}

static void move_fbs(const struct display *display, const struct fb *fbs)
{
	for (int round = 0; round < 2 * ctx.rounds; round++) {
		int err = try_move_buffer(display->fd, fbs[round % 2].handle,
					  round / 2 % 2 ? IN_VRAM : IN_SYSTEM);

		igt_assert(!err || err == -EBUSY);
	}
}

static void copy_fbs(const struct fb *fbs, const int *dmabufs)
{
	for (int round = 0; round < ctx.rounds / 2; round++) {
		int engine = open_device(&ctx.engines[round % 2]);
		uint32_t imported = import_buffer(engine, dmabufs[round % 2]);
		uint32_t own = create_own(engine, fbs->size);

		copy_bytes(engine, imported, own, fbs->size);
		copy_bytes(engine, own, imported, fbs->size);
		close(engine);
	}
}

static void race_flip(void)
{
	struct display display;
	int dmabufs[2];
	struct fb fbs[2];

	record_state();
	display = open_display();
	display.mode = make_mode(64, 64);
	for (int i = 0; i < 2; i++) {
		fbs[i] = create_mode_fb(&display, DRM_FORMAT_XRGB8888, i + 1);
		dmabufs[i] = export_buffer(display.fd, fbs[i].handle);
	}
	show(&display, &fbs[0]);
	igt_fork(child, 4) {
		if (child == 0)
			flip_repeatedly(&display, fbs);
		else if (child == 1)
			move_fbs(&display, fbs);
		else
			copy_fbs(fbs, dmabufs);
	}
	igt_waitchildren();
	flip(&display, &fbs[0]);
	assert_shown_at(&display, &fbs[0], 0, 0);
	for (int i = 0; i < 2; i++) {
		close(dmabufs[i]);
		remove_fb(&display, &fbs[i]);
	}
	close_display(&display);
	check_state();
}

igt_main()
{
	igt_fixture() {
		bind_engines();
		close(open_phyr_test(SECOND_IVSHMEM));
		map_shared();
		set_delays(true);
	}

	for (unsigned int i = 0; i < ARRAY_SIZE(races); i++)
		race_subtest(&races[i]);

	igt_describe("Unbind the exporter while others create, import and copy");
	igt_subtest("unbind-exporter")
		race_unbind(unbind_exporter);

	igt_describe("Unbind the importer while others create, import and copy");
	igt_subtest("unbind-importer")
		race_unbind(unbind_importer);

	igt_describe("Reset the exporter while others create, import and copy");
	igt_subtest("revoke") {
		igt_require_f(can_reset(), "the card shares its port, so it has no bus reset\n");
		race_reset();
	}

	igt_describe("Flip, move and copy framebuffers at the same time");
	igt_subtest("flip")
		race_flip();

	igt_fixture()
		set_delays(false);
}

// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "display.h"
#include "lib.h"
#include "stock.h"
#include "traffic.h"

IGT_TEST_DESCRIPTION("Four processes at one buffer, with delays where locks are dropped");

#define SIZE		SZ_64K
#define PART		(SIZE / 4)
#define SEED		77
#define ROUNDS		240	/* of each process, */
#define LOSSES		30	/* but where something is taken away so often */
#define DELAYS		"/sys/kernel/debug/phyr/delay"

/* Errnos of a card or an engine that has gone, or is about to. */
static bool is_gone(int err)
{
	return err == -ENODEV || err == -ECANCELED || err == -ESRCH ||
	       err == -ENOENT || err == -ENXIO;
}

/*
 * Delays, in kernels that have them
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
 * What four processes race for: made before they are, and inherited
 */

static struct {
	struct phyr_device card;
	struct phyr_device engines[2];
	uint64_t free;
	unsigned int files;
	int rounds;
	int losses;
	int vram;
	uint32_t handle;
	int dmabuf;
	uint8_t *mem;
} arena;

/* What it takes to find a device would be most of what the processes do. */
static void arena_find(void)
{
	arena.card = vram_device(0);
	for (int i = 0; i < 2; i++)
		arena.engines[i] = copy_device(i);
}

static void arena_enter(void)
{
	wait_for_no_attachment(NULL, NULL);
	arena_find();
	arena.files = open_files();
	arena.free = vram_free(&arena.card);
	arena.rounds = chances(ROUNDS);
	arena.losses = chances(LOSSES);
}

static void arena_open(void)
{
	arena_enter();
	arena.vram = open_device(&arena.card);
	arena.handle = create_vram(arena.vram, SIZE, EVICTABLE, SZ_4K);
	arena.dmabuf = export_buffer(arena.vram, arena.handle);
	arena.mem = map_dmabuf(arena.dmabuf, SIZE);
	phyr_fill(arena.mem, SEED, 0, SIZE);
}

/* There and back: the devices do what they should. */
static void assert_usable(void)
{
	int vram = open_device(&arena.card);
	int engine = open_device(&arena.engines[0]);
	uint32_t handle = create_vram(vram, SIZE, IN_VRAM, SZ_4K);
	uint32_t own = create_own(engine, SIZE);
	uint32_t imported = import_from(engine, vram, handle);

	fill_own(engine, own, SIZE, SEED + 1);
	copy(engine, own, imported, SIZE);
	assert_vram(vram, handle, SIZE, SEED + 1);
	close(engine);
	close(vram);
}

static void arena_leave(void)
{
	assert_usable();
	wait_for_vram_free(&arena.card, arena.free);
	wait_for_no_attachment(NULL, NULL);
	igt_assert_eq(open_files(), arena.files);
}

/* Who wrote has put back what was there. */
static void arena_close(void)
{
	assert_bytes(arena.mem, SEED, 0, SIZE);
	unmap(arena.mem, SIZE);
	close(arena.dmabuf);
	close(arena.vram);
	arena_leave();
}

/*
 * The processes
 */

/* Attach, map, unmap and detach, as importers of every kind. */
static void attach_and_detach(int child)
{
	int test = open("/dev/phyr_test", O_RDWR | O_CLOEXEC);

	igt_assert(test >= 0);
	for (int round = 0; round < arena.rounds; round++) {
		struct phyr_test_held held = { 0 };
		uint32_t kind = (round + child) % (PHYR_TEST_REVOCABLE + 1);
		int err = try_hold(test, arena.dmabuf, kind,
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

/* The engine reads all of it, and writes and reads a part that is its own. */
static void import_and_copy(int child)
{
	uint64_t at = (child % 4) * PART;

	for (int round = 0; round < arena.rounds / 3; round++) {
		int engine = open_device(&arena.engines[child % 2]);
		uint32_t own = create_own(engine, SIZE);
		uint32_t imported = import_buffer(engine, arena.dmabuf);
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

/* The CPU writes, and reads, a part that is its own. */
static void map_and_look(int child)
{
	uint64_t at = (child % 4) * PART;

	for (int round = 0; round < arena.rounds; round++) {
		uint8_t *mem = round % 2 ?
			       map_vram(arena.vram, arena.handle, SIZE) :
			       map_dmabuf(arena.dmabuf, SIZE);

		phyr_fill(mem + at, SEED + round, at, PART);
		assert_bytes(arena.mem + at, SEED + round, at, PART);
		phyr_fill(arena.mem + at, SEED, at, PART);
		assert_bytes(mem + at, SEED, at, PART);
		unmap(mem, SIZE);
	}
}

/* Importers that want it in system memory keep it there for a while. */
static void move_about(int child)
{
	int err;

	(void)child;
	for (int round = 0; round < 2 * arena.rounds; round++) {
		err = try_move_buffer(arena.vram, arena.handle,
				      round % 2 ? IN_VRAM : IN_SYSTEM);
		igt_assert_f(!err || err == -EBUSY, "move: %s\n",
			     strerror(-err));
	}
}

/*
 * All share the open file, and thus the handles: one closes what another has
 * just been given.
 */
static void import_and_close(int child)
{
	for (int round = 0; round < 2 * arena.rounds; round++) {
		uint32_t handle;
		int err, dmabuf;

		igt_assert_eq(phyr_import(arena.vram, arena.dmabuf, &handle),
			      0);
		dmabuf = phyr_export(arena.vram, handle);
		igt_assert(dmabuf >= 0 || dmabuf == -ENOENT);
		if (dmabuf >= 0)
			close(dmabuf);
		if ((round + child) % 3) {
			err = phyr_close_handle(arena.vram, handle);
			igt_assert(!err || err == -EINVAL);
		}
	}
}

/* Buffers that come and go; each process closes what the engine works on. */
static void create_and_close(int child)
{
	for (int round = 0; round < arena.rounds / 3; round++) {
		struct drm_phyr_copy_submit job = { .len = PART };
		int vram = open_device(&arena.card);
		int engine = open_device(&arena.engines[child % 2]);
		uint32_t handle = create_vram(vram, SIZE, EVICTABLE, SZ_4K);
		int dmabuf = export_buffer(vram, handle);

		job.src_handle = import_buffer(engine, arena.dmabuf);
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
 * What goes while the others use it
 */

/* Shared by the processes: uses that nothing came in between, and the end. */
static struct {
	atomic_uint done;
	atomic_bool over;
} *uses;

static void map_uses(void)
{
	uses = mmap(NULL, SZ_4K, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	igt_assert(uses != MAP_FAILED);
}

/*
 * The device may be unbound, and has another node when it comes back: by its
 * place among those that are bound, one might be taken for the other.
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

/* 0, or what was in the way. */
static int use_all(int child, int *card, int *engine)
{
	uint32_t handle, own, imported;
	int dmabuf = -1, err;

	*card = try_open(&arena.card);
	if (*card < 0)
		return *card;
	/* Two at the engine that may go, one at the other. */
	*engine = try_open(&arena.engines[child / 3]);
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

static void use_and_lose(int child)
{
	unsigned int done = 0, lost = 0;

	while (!atomic_load(&uses->over)) {
		int card = -1, engine = -1;
		int err = use_all(child, &card, &engine);

		igt_assert_f(!err || is_gone(err), "use %u: %s\n", done + lost,
			     strerror(-err));
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
			/* Nothing to race with: leave the processor to who brings it back. */
			usleep(2000);
		}
	}
	igt_info("process %d: %u uses, %u more lost\n", child, done, lost);
}

static void unbind_and_bind(const char *busid, const char *driver)
{
	take_away(busid, UNBIND);
	give_back(busid, driver, UNBIND);
}

static void unbind_exporter(void)
{
	unbind_and_bind(arena.card.busid, PHYR_VRAM_DRIVER);
}

static void unbind_importer(void)
{
	unbind_and_bind(arena.engines[0].busid, PHYR_COPY_DRIVER);
}

static void reset_exporter(void)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/reset",
		 arena.card.busid);
	write_file(path, "1");
}

static void take_away_often(void (*once)(void))
{
	for (int loss = 0; loss < arena.losses; loss++) {
		unsigned int done = atomic_load(&uses->done);

		/* What nobody had found again could not be lost. */
		while (atomic_load(&uses->done) == done)
			usleep(5000);
		once();
	}
	atomic_store(&uses->over, true);
}

/* 3 use, one takes away. */
static void lose(void (*once)(void))
{
	atomic_store(&uses->over, false);
	igt_fork(child, 4) {
		if (child)
			use_and_lose(child);
		else
			take_away_often(once);
	}
	igt_waitchildren();
}

static void race_unbind(void (*once)(void))
{
	arena_enter();
	lose(once);
	arena_find();
	arena_leave();
}

/* The buffer stays, and its bytes: who imports is refused while it lasts. */
static void race_reset(void)
{
	arena_open();
	lose(reset_exporter);
	arena_close();
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
	    move_about } },
	{ "copy-move", "Copy and write by the CPU while the buffer moves",
	  { import_and_copy, import_and_copy, map_and_look, move_about } },
	{ "import-move", "Copy, attach and detach while the buffer moves",
	  { import_and_copy, attach_and_detach, import_and_copy, move_about } },
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
		arena_open();
		igt_fork(child, 4)
			race->processes[child](child);
		igt_waitchildren();
		arena_close();
	}
}

/*
 * The display: one flips, one moves, one copies, one looks
 */

static void flip_about(const struct display *display, const struct fb *fbs)
{
	for (int round = 0; round < arena.rounds / 2; round++)
		flip(display, &fbs[round % 2]);
}

static void move_fbs(const struct display *display, const struct fb *fbs)
{
	for (int round = 0; round < 2 * arena.rounds; round++) {
		int err = try_move_buffer(display->fd, fbs[round % 2].handle,
					  round / 2 % 2 ? IN_VRAM : IN_SYSTEM);

		igt_assert(!err || err == -EBUSY);
	}
}

static void copy_fbs(const struct fb *fbs, const int *dmabufs)
{
	for (int round = 0; round < arena.rounds / 2; round++) {
		int engine = open_device(&arena.engines[round % 2]);
		uint32_t imported = import_buffer(engine, dmabufs[round % 2]);
		uint32_t own = create_own(engine, fbs->size);

		copy(engine, imported, own, fbs->size);
		copy(engine, own, imported, fbs->size);
		close(engine);
	}
}

static void race_flip(void)
{
	struct display display;
	int dmabufs[2];
	struct fb fbs[2];

	arena_enter();
	display = open_display();
	display.mode = make_mode(64, 64);
	for (int i = 0; i < 2; i++) {
		fbs[i] = create_mode_fb(&display, DRM_FORMAT_XRGB8888, i + 1);
		dmabufs[i] = export_buffer(display.fd, fbs[i].handle);
	}
	show(&display, &fbs[0]);
	igt_fork(child, 4) {
		if (child == 0)
			flip_about(&display, fbs);
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
	arena_leave();
}

igt_main()
{
	igt_fixture() {
		bind_engines();
		close(open_phyr_test(SECOND_IVSHMEM));
		map_uses();
		set_delays(true);
	}

	for (unsigned int i = 0; i < ARRAY_SIZE(races); i++)
		race_subtest(&races[i]);

	igt_describe("The exporter is unbound while others create, import and copy");
	igt_subtest("unbind-exporter")
		race_unbind(unbind_exporter);

	igt_describe("The importer is unbound, likewise");
	igt_subtest("unbind-importer")
		race_unbind(unbind_importer);

	igt_describe("The exporter is revoked by a reset and rearmed, likewise");
	igt_subtest("revoke") {
		igt_require_f(can_reset(), "the card is not alone behind a port: it has no reset\n");
		race_reset();
	}

	igt_describe("Framebuffers are flipped, moved and copied");
	igt_subtest("flip")
		race_flip();

	igt_fixture()
		set_delays(false);
}

// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <xf86drm.h>

#include "attacker.h"
#include "display.h"
#include "lib.h"
#include "traffic.h"

IGT_TEST_DESCRIPTION("A client that wants everything gets its share, and others go on");

#define SIZE	SZ_64K

/*
 * VRAM
 */

/* All the VRAM there is; how many bytes. */
static uint64_t take_vram(int vram)
{
	uint64_t taken = 0;
	uint32_t handle;
	int err;

	for (uint64_t size = SZ_1M; size >= SZ_4K; size /= 16) {
		while (!(err = phyr_vram_create(vram, size, IN_VRAM, 0, &handle)))
			taken += size;
		igt_assert_eq(err, -ENOSPC);
	}
	return taken;
}

static void exhaust_vram_attack(void)
{
	int vram = open_device(&scene.display);
	uint64_t taken = take_vram(vram);
	uint32_t handle;

	igt_info("the attacker has %" PRIu64 " KiB\n", taken / 1024);
	igt_assert(taken >= SZ_1M);
	/* It can have no more, neither so */
	handle = create_vram(vram, SIZE, EVICTABLE, 0);
	igt_assert_eq(vram_info(vram, handle).placement, IN_SYSTEM);
	igt_assert_eq(try_move_buffer(vram, handle, IN_VRAM), -ENOSPC);
	/* nor so. */
	igt_assert_eq(phyr_vram_create(vram, SZ_4K, IN_VRAM, SZ_4K, &handle),
		      -ENOSPC);
	igt_assert_eq(phyr_vram_create(vram, SZ_4G, IN_VRAM, 0, &handle),
		      -E2BIG);
	tell(0);
	be_told();
}

static struct display shown;
static struct fb shown_fb;
/* Another buffer of the victim's, in VRAM. */
static uint32_t kept;

/* What the victim shows stays; it makes do with system memory otherwise. */
static void exhaust_vram_victim(pid_t attacker)
{
	struct rect patch = { 16, 16, 64, 64 };
	uint32_t handle;

	(void)attacker;
	be_told();
	assert_shown(&shown, &shown_fb);
	assert_not_copied(&shown, &shown_fb);
	patch_fb(&shown_fb, &patch, 601);
	assert_shown(&shown, &shown_fb);
	assert_vram(shown.fd, kept, SIZE, 4);
	igt_assert_eq(phyr_vram_create(shown.fd, SIZE, IN_VRAM, 0, &handle),
		      -ENOSPC);
	handle = create_vram(shown.fd, SIZE, EVICTABLE, 0);
	igt_assert_eq(vram_info(shown.fd, handle).placement, IN_SYSTEM);
	fill_vram(shown.fd, handle, SIZE, 5);
	assert_vram(shown.fd, handle, SIZE, 5);
	igt_assert_eq(phyr_close_handle(shown.fd, handle), 0);
	tell(0);
}

static void exhaust_vram(void)
{
	uint64_t free;
	int vram;

	shown = open_display();
	shown_fb = create_mode_fb(&shown, DRM_FORMAT_XRGB8888, 600);
	show(&shown, &shown_fb);
	kept = create_vram(shown.fd, SIZE, IN_VRAM, SZ_4K);
	fill_vram(shown.fd, kept, SIZE, 4);
	/* The console, which nobody sees now, gives way already to this. */
	vram = open_device(&shown.card);
	take_vram(vram);
	close(vram);
	free = vram_free(&shown.card);
	under_attack(exhaust_vram_attack, exhaust_vram_victim);
	wait_for_vram_free(&shown.card, free);
	assert_shown(&shown, &shown_fb);
	igt_assert_eq(phyr_close_handle(shown.fd, kept), 0);
	remove_fb(&shown, &shown_fb);
	close_display(&shown);
}

/* Where the administrator gives each client its share. */
#define SHARE	(8 * SZ_1M)

static void share_vram_attack(void)
{
	int vram = open_device(&scene.card);
	uint32_t handle;

	igt_assert_eq_u64(take_vram(vram), SHARE);
	igt_assert_eq(phyr_vram_create(vram, SZ_4K, IN_VRAM, SZ_4K, &handle),
		      -ENOSPC);
	handle = create_vram(vram, SIZE, EVICTABLE, 0);
	igt_assert_eq(vram_info(vram, handle).placement, IN_SYSTEM);
	igt_assert_eq(try_move_buffer(vram, handle, IN_VRAM), -ENOSPC);
	tell(0);
	be_told();
}

static uint64_t all_free;

static void share_vram_victim(pid_t attacker)
{
	int vram;

	(void)attacker;
	be_told();
	vram = open_device(&scene.card);
	igt_assert_eq_u64(take_vram(vram), all_free - SHARE);
	close(vram);
	tell(0);
}

static void share_vram(void)
{
	struct phyr_device card = vram_device(0);

	all_free = vram_free(&card);
	under_attack_with_vram(&card, SHARE, share_vram_attack,
			       share_vram_victim);
	wait_for_vram_free(&card, all_free);
}

/*
 * Memory: in a cgroup with that limit. What makes the buffers is a process of the
 * attacker's own that the kernel kills first, should it kill any.
 */
#define LIMIT		(64 * SZ_1M)
#define STEP		(4 * SZ_1M)

enum { GOT_ENOMEM, GOT_SOMETHING_ELSE, GOT_TOO_MUCH };

/* Returns how @make ended: 0 or a negative errno, or GOT_TOO_MUCH. */
static int repeat(int (*make)(int fd), int fd, unsigned int most)
{
	for (unsigned int i = 0; i < most; i++) {
		int err = make(fd);

		if (err)
			return err;
	}
	return GOT_TOO_MUCH;
}

static void expect_enomem(const struct phyr_device *device,
			  int (*make)(int fd), unsigned int most)
{
	int status, fd;
	pid_t child;

	fflush(stdout);
	child = fork();
	igt_assert(child >= 0);
	if (!child) {
		int score = open("/proc/self/oom_score_adj", O_WRONLY);

		if (score < 0 || write(score, "1000", 4) != 4)
			_exit(GOT_SOMETHING_ELSE);
		fd = phyr_device_open(device);
		switch (repeat(make, fd, most)) {
		case -ENOMEM:
			tell(0);
			be_told();
			_exit(GOT_ENOMEM);
		case GOT_TOO_MUCH:
			_exit(GOT_TOO_MUCH);
		default:
			_exit(GOT_SOMETHING_ELSE);
		}
	}
	igt_assert_eq(waitpid(child, &status, 0), child);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
		igt_info("killed\n");
		tell(1);
		be_told();
		return;
	}
	igt_assert_f(WIFEXITED(status), "status %#x\n", status);
	igt_assert_eq(WEXITSTATUS(status), GOT_ENOMEM);
}

static int make_system(int fd)
{
	uint32_t handle;

	return phyr_vram_create(fd, STEP, IN_SYSTEM, 0, &handle);
}

/* In VRAM until they must make room for each other. */
static int make_evictable(int fd)
{
	uint32_t handle;

	return phyr_vram_create(fd, STEP, EVICTABLE, 0, &handle);
}

static int make_own(int fd)
{
	uint32_t handle;
	int err = phyr_copy_create(fd, STEP, &handle);

	if (err)
		return err;
	/* Pages are made when it is mapped. */
	if (phyr_copy_mmap(fd, handle, STEP, PROT_READ) == MAP_FAILED)
		return -errno;
	return 0;
}

static int make_untouched(int fd)
{
	uint32_t handle;

	return phyr_copy_create(fd, SZ_4K, &handle);
}

static int make_small(int fd)
{
	uint32_t handle;

	return phyr_vram_create(fd, SZ_4K, IN_VRAM, 0, &handle);
}

static int make_fb(int fd)
{
	static uint32_t handle;
	struct drm_mode_fb_cmd2 cmd = {
		.width = 16, .height = 16, .pixel_format = DRM_FORMAT_XRGB8888,
		.pitches = { 64 },
	};
	int err = 0;

	if (!handle)
		err = phyr_vram_create(fd, SZ_4K, IN_VRAM, 0, &handle);
	if (err)
		return err;
	cmd.handles[0] = handle;
	return phyr_ioctl(fd, DRM_IOCTL_MODE_ADDFB2, &cmd);
}

static void exhaust_system_attack(void)
{
	expect_enomem(&scene.card, make_system, 2 * LIMIT / STEP);
}

static void exhaust_evictable_attack(void)
{
	expect_enomem(&scene.display, make_evictable, 4 * LIMIT / STEP);
}

static void exhaust_own_attack(void)
{
	expect_enomem(&scene.engine, make_own, 2 * LIMIT / STEP);
}

static void exhaust_untouched_attack(void)
{
	expect_enomem(&scene.engine, make_untouched, 100000);
}

static void exhaust_small_attack(void)
{
	expect_enomem(&scene.card, make_small, 100000);
}

static void exhaust_fbs_attack(void)
{
	struct phyr_device primary = scene.display;

	/* Framebuffers are the primary node's. */
	primary.render[0] = '\0';
	expect_enomem(&primary, make_fb, 1000000);
}

static uint64_t limit;

/* Everybody else goes on, whatever they want. */
static void exhaust_memory_victim(pid_t attacker)
{
	int vram, engine;
	uint32_t handle, system, own;
	bool killed;

	(void)attacker;
	killed = be_told();
	igt_info("the attacker's cgroup has %" PRIu64 " of %" PRIu64
		 " KiB, %" PRIu64 " processes killed\n", limited_bytes() / 1024,
		 limit / 1024, limited_event("oom_kill"));
	igt_assert_lte_u64(limited_bytes(), limit);
	igt_assert_eq_u64(limited_event("oom_kill"), killed);

	vram = open_device(&scene.card);
	engine = open_device(&scene.engine);
	handle = create_vram(vram, STEP, IN_VRAM, 0);
	system = create_vram(vram, STEP, IN_SYSTEM, 0);
	own = create_own(engine, STEP);
	fill_own(engine, own, STEP, 6);
	copy(engine, own, import_from(engine, vram, handle), STEP);
	copy(engine, import_from(engine, vram, handle),
	     import_from(engine, vram, system), STEP);
	assert_vram(vram, system, STEP, 6);
	close(engine);
	close(vram);
	tell(0);
}

/* Freed memory is uncharged when the last CPU has handed it back. */
static void wait_until_uncharged(void)
{
	for (int tries = 0; tries < 300; tries++) {
		if (limited_bytes() < SZ_1M)
			return;
		usleep(100000);
	}
	igt_assert_lte_u64(limited_bytes(), SZ_1M);
}

static void exhaust_memory(uint64_t bytes, void (*attack)(void))
{
	limit = bytes;
	/*
	 * The kernel tells of a client that it kills, in dozens of lines, and TTM
	 * of an eviction that nobody can pay for. What would be a bug among these
	 * lines, vm/scan-log still finds.
	 */
	igt_emit_ignore_dmesg_regex(".");
	under_attack_limited(bytes, attack, exhaust_memory_victim);
	wait_until_uncharged();
}

/*
 * A client whose cgroup is full has VRAM, of buffers that may be evicted: it must
 * not keep others out of it because it cannot pay for the pages.
 */
static void full_evictable_attack(void)
{
	int vram = open_device(&scene.display);
	uint64_t evictable = 0;
	uint32_t handle = 1;

	while (!phyr_vram_create(vram, STEP, EVICTABLE, 0, &handle) &&
	       vram_info(vram, handle).placement == IN_VRAM &&
	       vram_info(vram, 1).placement == IN_VRAM)
		evictable += STEP;
	igt_assert(evictable >= STEP);
	while (!make_system(vram))
		;
	tell(0);
	be_told();
}

static void full_evictable_victim(pid_t attacker)
{
	int vram;
	uint32_t handle;

	(void)attacker;
	be_told();
	igt_assert(limited_bytes() > limit - 2 * STEP);
	vram = open_device(&scene.display);
	handle = create_vram(vram, STEP + STEP / 2, IN_VRAM, 0);
	fill_vram(vram, handle, STEP + STEP / 2, 7);
	assert_vram(vram, handle, STEP + STEP / 2, 7);
	igt_assert_lte_u64(limited_bytes(), limit);
	close(vram);
	tell(0);
}

static void full_evictable(void)
{
	limit = LIMIT;
	under_attack_limited(LIMIT, full_evictable_attack,
			     full_evictable_victim);
	wait_until_uncharged();
}

/*
 * Copies
 */

static void on_signal(int signal)
{
	(void)signal;
}

static void exhaust_jobs_attack(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	int engine = open_device(&scene.engine);
	struct drm_phyr_copy_submit submit = { .len = SZ_4K };
	int queued = 0;

	igt_assert_eq(sigaction(SIGUSR1, &action, NULL), 0);
	submit.src_handle = create_own(engine, SZ_4K);
	submit.dst_handle = create_own(engine, SZ_4K);
	/* The engine hangs in the first. */
	while (!ioctl(engine, DRM_IOCTL_PHYR_COPY_SUBMIT, &submit)) {
		queued++;
		igt_assert_lte_u64(queued, PHYR_COPY_MAX_JOBS);
		if (queued == PHYR_COPY_MAX_JOBS)
			tell(queued);
	}
	igt_assert_eq(errno, EINTR);
	igt_assert_eq(queued, PHYR_COPY_MAX_JOBS);
	tell(0);
	/* What it has queued gets done. */
	igt_assert_eq(phyr_copy_run(engine, submit.src_handle, 0,
				    submit.dst_handle, 0, SZ_4K), 0);
}

static void exhaust_jobs_victim(pid_t attacker)
{
	int engine = open_device(&scene.engine);
	uint32_t src = create_own(engine, SIZE), dst = create_own(engine, SIZE);

	be_told();
	wait_until_sleeps_in(attacker, "copy_submit_ioctl");
	igt_assert_eq(kill(attacker, SIGUSR1), 0);
	be_told();
	/* Others are not behind all of the attacker's, nor refused. */
	fill_own(engine, src, SIZE, 8);
	copy(engine, src, dst, SIZE);
	assert_own(engine, dst, SIZE, 8);
	close(engine);
}

static void exhaust_jobs(void)
{
	struct phyr_device engine = copy_device(0);

	igt_assert_eq(phyr_hang(&engine, 1), 0);
	under_attack(exhaust_jobs_attack, exhaust_jobs_victim);
}

igt_main()
{
	igt_describe("All VRAM of a card, while another client has it shown on its display");
	igt_subtest("vram")
		exhaust_vram();

	igt_describe("VRAM is bounded by the client's cgroup for device memory");
	igt_subtest("vram-share")
		share_vram();

	igt_describe("Buffers in system memory are bounded by the client's memory cgroup");
	igt_subtest("system-memory")
		exhaust_memory(LIMIT, exhaust_system_attack);

	igt_describe("Buffers that evict one another are, too");
	igt_subtest("eviction")
		exhaust_memory(LIMIT / 4, exhaust_evictable_attack);

	igt_describe("The engine's own buffers are, too");
	igt_subtest("engine-memory")
		exhaust_memory(LIMIT, exhaust_own_attack);

	igt_describe("Buffers that nobody touches are bounded by what the kernel knows of them");
	igt_subtest("untouched")
		exhaust_memory(LIMIT / 8, exhaust_untouched_attack);

	igt_describe("So are the smallest buffers in VRAM");
	igt_subtest("small")
		exhaust_memory(LIMIT / 8, exhaust_small_attack);

	igt_describe("So are framebuffers");
	igt_subtest("framebuffers")
		exhaust_memory(LIMIT / 8, exhaust_fbs_attack);

	igt_describe("A client that can pay for no more memory makes room in VRAM all the same");
	igt_subtest("full-and-evictable")
		full_evictable();

	igt_describe("A client's copies are bounded, and others' are not behind them");
	igt_subtest("jobs")
		exhaust_jobs();

	igt_fixture()
		close_nodes();
}

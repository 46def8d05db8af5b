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
#include "compose.h"
#include "display.h"
#include "lib.h"
#include "traffic.h"

IGT_TEST_DESCRIPTION("A client that exhausts memory gets only its share, and others continue");

#define SIZE	SZ_64K

/*
 * VRAM
 */

/* Allocate all VRAM. Return: the number of bytes. */
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

static uint64_t vram_size_of(int vram)
{
	struct drm_phyr_vram_info info;

	igt_assert_eq(phyr_vram_info(vram, &info), 0);
	return info.vram_size;
}

/* Evicts everything that can be evicted and is older. */
static void fill_evictable(int vram)
{
	for (uint64_t size = 0; size < vram_size_of(vram); size += SZ_1M)
		create_vram(vram, SZ_1M, EVICTABLE, SZ_4K);
}

static void exhaust_vram_attack(void)
{
	int vram = open_device(&scene.display);
	uint64_t taken = take_vram(vram);
	uint32_t handle;

	igt_info("the attacker has %" PRIu64 " KiB\n", taken / 1024);
	igt_assert(taken >= SZ_1M);
	/* A user has a share of what all buffers in VRAM only can have. */
	igt_assert_lte_u64(taken, vram_size_of(vram) / 7);
	/* No more fits, neither in large pieces nor in small ones. */
	igt_assert_eq(phyr_vram_create(vram, SIZE, IN_VRAM, 0, &handle),
		      -ENOSPC);
	igt_assert_eq(phyr_vram_create(vram, SZ_4K, IN_VRAM, SZ_4K, &handle),
		      -ENOSPC);
	igt_assert_eq(phyr_vram_create(vram, SZ_4G, IN_VRAM, 0, &handle),
		      -E2BIG);
	fill_evictable(vram);
	send_number(0);
	receive_number();
}

static struct display shown;
static struct fb shown_fb, next_fb;
/* Another buffer of the victim in VRAM. */
static uint32_t kept;

/*
 * The shown buffer stays, and there is room for the next one, which the attacker
 * has evicted.
 */
static void exhaust_vram_victim(pid_t attacker)
{
	struct rect patch = { 16, 16, 64, 64 };
	uint32_t handle;

	(void)attacker;
	receive_number();
	assert_shown(&shown, &shown_fb);
	assert_not_copied(&shown, &shown_fb);
	patch_fb(&shown_fb, &patch, 601);
	assert_shown(&shown, &shown_fb);
	assert_vram(shown.fd, kept, SIZE, 4);
	for (int i = 0; i < 2; i++) {
		flip(&shown, &next_fb);
		assert_shown(&shown, &next_fb);
		assert_not_copied(&shown, &next_fb);
		flip(&shown, &shown_fb);
		patch_fb(&shown_fb, &patch, 601);
		assert_shown(&shown, &shown_fb);
	}
	handle = create_vram(shown.fd, SIZE, EVICTABLE, 0);
	fill_vram(shown.fd, handle, SIZE, 5);
	assert_vram(shown.fd, handle, SIZE, 5);
	igt_assert_eq(phyr_close_handle(shown.fd, handle), 0);
	send_number(0);
}

static void exhaust_vram(void)
{
	uint64_t free;
	int vram;

	shown = open_display();
	shown_fb = create_mode_fb(&shown, DRM_FORMAT_XRGB8888, 600);
	next_fb = create_mode_fb(&shown, DRM_FORMAT_XRGB8888, 610);
	show(&shown, &shown_fb);
	kept = create_vram(shown.fd, SIZE, IN_VRAM, SZ_4K);
	fill_vram(shown.fd, kept, SIZE, 4);
	/* Evicts the console, which is not shown now. */
	vram = open_device(&shown.card);
	fill_evictable(vram);
	close(vram);
	free = vram_free(&shown.card);
	under_attack(exhaust_vram_attack, exhaust_vram_victim);
	move_buffer(shown.fd, next_fb.handle, IN_SYSTEM);
	wait_for_vram_free(&shown.card, free);
	assert_shown(&shown, &shown_fb);
	igt_assert_eq(phyr_close_handle(shown.fd, kept), 0);
	remove_fb(&shown, &next_fb);
	remove_fb(&shown, &shown_fb);
	close_display(&shown);
}

/* Where cgroups limit VRAM per client. */
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
	send_number(0);
	receive_number();
}

static uint64_t all_free;

static void share_vram_victim(pid_t attacker)
{
	int vram;

	(void)attacker;
	receive_number();
	vram = open_device(&scene.card);
	igt_assert_eq_u64(take_vram(vram), all_free - SHARE);
	close(vram);
	send_number(0);
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
 * Memory: in a cgroup with a limit. The buffers are allocated by a child of
 * the attacker that the OOM killer prefers.
 */
#define LIMIT		(64 * SZ_1M)
#define STEP		(4 * SZ_1M)

enum { GOT_ENOMEM, GOT_SOMETHING_ELSE, GOT_TOO_MUCH };

/* Return: the result of @make: 0, a negative errno, or GOT_TOO_MUCH. */
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
			send_number(0);
			receive_number();
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
		send_number(1);
		receive_number();
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

/* In VRAM until they evict each other. */
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
	/* Pages are allocated at the first fault. */
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

/* Of as many parts as are allowed, none of which follows the one before it. */
static int make_composed(int fd)
{
	struct drm_phyr_copy_part parts[PHYR_COPY_MAX_PARTS];
	static uint32_t part;
	uint32_t handle;

	if (!part) {
		int vram = phyr_device_open(&scene.card), err, dmabuf = -1;

		err = phyr_vram_create(vram, 3 * SZ_4K, IN_VRAM, 0, &handle);
		if (!err)
			dmabuf = phyr_export(vram, handle);
		if (dmabuf < 0)
			return err ? err : dmabuf;
		err = phyr_import(fd, dmabuf, &part);
		if (err)
			return err;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(parts); i++)
		parts[i] = part_of(part, i % 2 * 2 * SZ_4K, SZ_4K);
	return phyr_copy_compose(fd, parts, ARRAY_SIZE(parts), &handle);
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

static void exhaust_composed_attack(void)
{
	expect_enomem(&scene.engine, make_composed, 10000);
}

static void exhaust_fbs_attack(void)
{
	struct phyr_device primary = scene.display;

	/* Framebuffers need the primary node. */
	primary.render[0] = '\0';
	expect_enomem(&primary, make_fb, 1000000);
}

static uint64_t limit;

/* Other clients continue. */
static void exhaust_memory_victim(pid_t attacker)
{
	int vram, engine;
	uint32_t handle, system, own;
	bool killed;

	(void)attacker;
	killed = receive_number();
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
	copy_bytes(engine, own, import_from(engine, vram, handle), STEP);
	copy_bytes(engine, import_from(engine, vram, handle),
		   import_from(engine, vram, system), STEP);
	assert_vram(vram, system, STEP, 6);
	close(engine);
	close(vram);
	send_number(0);
}

/* Memory is uncharged when the last CPU has returned it. */
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
	 * The kernel logs an OOM kill in dozens of lines, and TTM a failed
	 * eviction. vm/scan-log still finds bugs among them.
	 */
	igt_emit_ignore_dmesg_regex(".");
	under_attack_limited(bytes, attack, exhaust_memory_victim);
	wait_until_uncharged();
}

/*
 * A client with a full cgroup has evictable buffers in VRAM. It must not keep
 * others out of VRAM because it cannot be charged for the pages.
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
	send_number(0);
	receive_number();
}

static void full_evictable_victim(pid_t attacker)
{
	int vram;
	uint32_t handle;

	(void)attacker;
	receive_number();
	igt_assert(limited_bytes() > limit - 2 * STEP);
	vram = open_device(&scene.display);
	handle = create_vram(vram, STEP + STEP / 2, IN_VRAM, 0);
	fill_vram(vram, handle, STEP + STEP / 2, 7);
	assert_vram(vram, handle, STEP + STEP / 2, 7);
	igt_assert_lte_u64(limited_bytes(), limit);
	close(vram);
	send_number(0);
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
	/* The engine hangs in the first job. */
	while (!ioctl(engine, DRM_IOCTL_PHYR_COPY_SUBMIT, &submit)) {
		queued++;
		igt_assert_lte_u64(queued, PHYR_COPY_MAX_JOBS);
		if (queued == PHYR_COPY_MAX_JOBS)
			send_number(queued);
	}
	igt_assert_eq(errno, EINTR);
	igt_assert_eq(queued, PHYR_COPY_MAX_JOBS);
	send_number(0);
	/* Its queued jobs complete. */
	igt_assert_eq(phyr_copy_run(engine, submit.src_handle, 0,
				    submit.dst_handle, 0, SZ_4K), 0);
}

static void exhaust_jobs_victim(pid_t attacker)
{
	int engine = open_device(&scene.engine);
	uint32_t src = create_own(engine, SIZE), dst = create_own(engine, SIZE);

	receive_number();
	wait_until_sleeps_in(attacker, "copy_submit_ioctl");
	igt_assert_eq(kill(attacker, SIGUSR1), 0);
	receive_number();
	/*
	 * Other clients do not wait behind all of the attacker's jobs and are
	 * not refused.
	 */
	fill_own(engine, src, SIZE, 8);
	copy_bytes(engine, src, dst, SIZE);
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
	igt_describe("Exhaust a card's VRAM while another client shows a buffer on its display");
	igt_subtest("vram")
		exhaust_vram();

	igt_describe("VRAM is limited by the client's dmem cgroup");
	igt_subtest("vram-share")
		share_vram();

	igt_describe("Buffers in system memory are limited by the client's memory cgroup");
	igt_subtest("system-memory")
		exhaust_memory(LIMIT, exhaust_system_attack);

	igt_describe("Buffers that evict one another are limited by the client's memory cgroup");
	igt_subtest("eviction")
		exhaust_memory(LIMIT / 4, exhaust_evictable_attack);

	igt_describe("The engine's buffers are limited by the client's memory cgroup");
	igt_subtest("engine-memory")
		exhaust_memory(LIMIT, exhaust_own_attack);

	igt_describe("Buffers that are never touched are limited by the kernel's own data structures");
	igt_subtest("untouched")
		exhaust_memory(LIMIT / 8, exhaust_untouched_attack);

	igt_describe("The smallest buffers in VRAM are limited by the kernel's own data structures");
	igt_subtest("small")
		exhaust_memory(LIMIT / 8, exhaust_small_attack);

	igt_describe("Composed buffers are limited by the kernel's own data structures");
	igt_subtest("composed")
		exhaust_memory(LIMIT / 8, exhaust_composed_attack);

	igt_describe("Framebuffers are limited by the kernel's own data structures");
	igt_subtest("framebuffers")
		exhaust_memory(LIMIT / 8, exhaust_fbs_attack);

	igt_describe("VRAM of a client with a full memory cgroup can be evicted");
	igt_subtest("full-and-evictable")
		full_evictable();

	igt_describe("A client's queued copies are limited and do not delay others");
	igt_subtest("jobs")
		exhaust_jobs();

	igt_fixture()
		close_nodes();
}

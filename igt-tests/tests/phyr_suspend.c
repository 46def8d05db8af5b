// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include "display.h"
#include "lib.h"
#include "suspend.h"

IGT_TEST_DESCRIPTION("Suspend with jobs queued, without room, and with pinned buffers");

#define SIZE	SZ_1M
#define SEED	600

/*
 * Seconds of the guest's clock for a suspend and resume: the kernel's test
 * delay, up to 10 s of waiting for fences, and the guest's other devices. A
 * hung job alone takes 5 s without a suspend.
 */
#define SUSPEND_LIMIT	30.0

#define DELAYS	"/sys/kernel/debug/phyr/delay"

/* Hibernation adds a delay of 5 s, and the image's memory. */
#define HIBERNATE_LIMIT	60.0

/* igt-tests/runner/summary accepts kernel messages that match. */
static void expect_failure(int err, const char *reason)
{
	igt_info("Expected in the kernel log: %s\n", reason);
	igt_info("Expected in the kernel log: pci_pm_prepare returns %d$\n",
		 err);
	igt_info("Expected in the kernel log: PM: Some devices failed to suspend\n");
}

static int timed_suspend(const char *state, double limit)
{
	double before = clock_now(), took;
	int err = try_suspend(state);

	took = clock_now() - before;
	igt_info("suspend returned %d after %.1f s\n", err, took);
	igt_assert_f(took <= limit,
		     "suspend took %.1f s by the guest's clock, expected %.0f at most\n",
		     took, limit);
	return err;
}

/**
 * struct queue - jobs of one client, with the fence of each
 * @engine: the client
 * @jobs: number of jobs
 * @syncobjs: their fences
 */
struct queue {
	int engine;
	int jobs;
	uint32_t syncobjs[64];
};

static void queue_job(struct queue *queue, uint32_t src, uint32_t dst,
		      uint64_t len)
{
	struct drm_phyr_copy_submit job = copy_job(src, dst, len);

	igt_assert(queue->jobs < (int)ARRAY_SIZE(queue->syncobjs));
	igt_assert_eq(phyr_syncobj_create(queue->engine,
					  &queue->syncobjs[queue->jobs]), 0);
	job.out_syncobj = queue->syncobjs[queue->jobs++];
	submit_job(queue->engine, job);
}

/* The first @hung jobs time out, all others succeed. */
static void assert_queue(struct queue *queue, int hung)
{
	for (int i = 0; i < queue->jobs; i++) {
		int err = phyr_syncobj_wait(queue->engine, queue->syncobjs[i]);

		igt_assert_f(err == (i < hung ? -ETIMEDOUT : 0),
			     "job %d of %d: %s\n", i, queue->jobs,
			     strerror(-err));
	}
}

/* 20 jobs are queued behind a hung one; in @vram, or -1 for system memory. */
static void behind_hung(int vram)
{
	struct phyr_device device = copy_device(0);
	struct queue queue = { .engine = open_device(&device) };
	uint32_t handles[21], src = create_own(queue.engine, SIZE), dst;

	fill_own(queue.engine, src, SIZE, SEED);
	igt_assert_eq(phyr_hang(&device, 1), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(handles); i++) {
		if (vram < 0) {
			handles[i] = create_own(queue.engine, SIZE);
			dst = handles[i];
		} else {
			handles[i] = create_vram(vram, SIZE, EVICTABLE, SZ_64K);
			dst = import_from(queue.engine, vram, handles[i]);
		}
		queue_job(&queue, src, dst, SIZE);
	}
	igt_assert_eq(timed_suspend("mem", SUSPEND_LIMIT), 0);
	assert_queue(&queue, 1);
	for (unsigned int i = 1; i < ARRAY_SIZE(handles); i++) {
		if (vram < 0) {
			assert_own(queue.engine, handles[i], SIZE, SEED);
			continue;
		}
		igt_assert_eq(vram_info(vram, handles[i]).placement, IN_VRAM);
		assert_vram(vram, handles[i], SIZE, SEED);
	}
	close(queue.engine);
}

static void behind_hung_everywhere(void)
{
	int vram = open_vram(0);

	prepare_suspend();
	behind_hung(-1);
	behind_hung(vram);
	close(vram);
}

/*
 * Make each script of the engine take longer, so that jobs are running when
 * the engine's driver is suspended. Return false if the kernel has no delay
 * injection: an emulated engine may then be done before.
 */
static bool slow_engine(bool on)
{
	if (access(DELAYS, F_OK))
		return false;
	write_file(DELAYS "/probability", on ? "100" : "0");
	write_file(DELAYS "/times", on ? "-1" : "1");
	write_file(DELAYS "_max_us", on ? "20000" : "1000");
	return true;
}

/*
 * 40 jobs of 16 MiB. Nothing hangs. The first half reads VRAM and must be over
 * before the card sleeps; the rest may wait for resume.
 */
static void under_load(void)
{
	bool slow;

	struct phyr_device device = copy_device(0);
	struct queue queue = { .engine = open_device(&device) };
	int vram = open_vram(0), pending = 0;
	uint32_t handle = create_vram(vram, SZ_16M, EVICTABLE, SZ_64K);
	uint32_t imported = import_from(queue.engine, vram, handle);
	uint32_t first = create_own(queue.engine, SZ_16M);
	uint32_t second = create_own(queue.engine, SZ_16M);
	uint32_t third = create_own(queue.engine, SZ_16M);

	fill_vram(vram, handle, SZ_16M, SEED + 1);
	fill_own(queue.engine, second, SZ_16M, SEED + 2);
	prepare_suspend();
	for (int i = 0; i < 20; i++)
		queue_job(&queue, imported, first, SZ_16M);
	for (int i = 0; i < 20; i++)
		queue_job(&queue, second, third, SZ_16M);
	slow = slow_engine(true);
	igt_assert_eq(timed_suspend("mem", SUSPEND_LIMIT), 0);
	for (int i = 0; i < queue.jobs; i++)
		pending += !phyr_syncobj_status(queue.engine,
						queue.syncobjs[i]);
	igt_info("%d of %d jobs are pending after resume\n", pending,
		 queue.jobs);
	slow_engine(false);
	igt_assert(!slow || pending);
	assert_queue(&queue, 0);
	assert_own(queue.engine, first, SZ_16M, SEED + 1);
	assert_own(queue.engine, third, SZ_16M, SEED + 2);
	igt_assert_eq(vram_info(vram, handle).placement, IN_VRAM);
	close(queue.engine);
	close(vram);
}

/* A picture on the screen, which must be there after the suspend. */
static struct fb show_picture(const struct display *display, uint32_t seed)
{
	struct fb fb = create_mode_fb(display, DRM_FORMAT_XRGB8888, seed);

	show(display, &fb);
	assert_shown(display, &fb);
	return fb;
}

static void assert_picture(struct display *display, struct fb *fb)
{
	assert_shown(display, fb);
	assert_not_copied(display, fb);
	remove_fb(display, fb);
	close_display(display);
}

/*
 * Three hung jobs need 15 s, and a suspend waits for 10: it fails, and all is
 * as it was, also on the other card, which was ready to sleep.
 */
static void too_busy(void)
{
	static const uint32_t placements[] = { IN_VRAM, EVICTABLE, EVICTABLE };
	struct phyr_device device = copy_device(0);
	struct queue queue = { .engine = open_device(&device) };
	struct display display = open_display();
	struct fb fb = show_picture(&display, SEED + 3);
	uint32_t handles[ARRAY_SIZE(placements)], own, other;
	int vram = open_vram(0);

	own = create_own(queue.engine, SIZE);
	other = create_vram(display.fd, SIZE, EVICTABLE, SZ_4K);
	fill_vram(display.fd, other, SIZE, SEED + 9);
	for (unsigned int i = 0; i < ARRAY_SIZE(placements); i++) {
		handles[i] = create_vram(vram, SIZE, placements[i], SZ_64K);
		fill_vram(vram, handles[i], SIZE, SEED + 10 + i);
	}
	prepare_suspend();
	expect_failure(-EBUSY, "cannot suspend: buffer .* a device is using it");
	igt_assert_eq(phyr_hang(&device, 3), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(placements); i++)
		queue_job(&queue, import_from(queue.engine, vram, handles[2]),
			  own, SIZE);
	igt_assert_eq(timed_suspend("mem", SUSPEND_LIMIT), -EBUSY);
	assert_shown(&display, &fb);
	igt_assert_eq(vram_info(display.fd, other).placement, IN_VRAM);
	for (unsigned int i = 0; i < ARRAY_SIZE(placements); i++) {
		igt_assert_eq(vram_info(vram, handles[i]).placement, IN_VRAM);
		assert_vram(vram, handles[i], SIZE, SEED + 10 + i);
	}
	assert_queue(&queue, 3);
	igt_assert_eq(timed_suspend("mem", SUSPEND_LIMIT), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(placements); i++) {
		igt_assert_eq(vram_info(vram, handles[i]).placement, IN_VRAM);
		assert_vram(vram, handles[i], SIZE, SEED + 10 + i);
	}
	igt_assert_eq(vram_info(display.fd, other).placement, IN_VRAM);
	assert_vram(display.fd, other, SIZE, SEED + 9);
	igt_assert_eq(drmCloseBufferHandle(display.fd, other), 0);
	assert_picture(&display, &fb);
	close(vram);
	close(queue.engine);
}

/* The fence that a flip waits for is in no buffer of the card. */
static void flip_behind_hung(void)
{
	struct phyr_device device = copy_device(0);
	struct queue queue = { .engine = open_device(&device) };
	struct display display = open_display();
	struct fb fbs[2];
	uint32_t own = create_own(queue.engine, SIZE);
	uint32_t other = create_own(queue.engine, SIZE);
	int fence;

	for (int i = 0; i < 2; i++)
		fbs[i] = create_mode_fb(&display, DRM_FORMAT_XRGB8888,
					SEED + 40 + i);
	show(&display, &fbs[1]);
	show(&display, &fbs[0]);
	prepare_suspend();
	expect_failure(-EBUSY, "cannot suspend: a flip waits for a fence");
	igt_assert_eq(phyr_hang(&device, 3), 0);
	queue_job(&queue, own, other, SIZE);
	queue_job(&queue, own, other, SIZE);
	fence = submit_for_fence(queue.engine, copy_job(own, other, SIZE));
	igt_assert_eq(try_flip_after(&display, &fbs[1], fence), 0);
	close(fence);
	igt_assert_eq(timed_suspend("mem", SUSPEND_LIMIT), -EBUSY);
	igt_assert(!flip_is_over(&display));
	assert_shown(&display, &fbs[0]);
	wait_for_flip(&display);
	assert_queue(&queue, 2);
	assert_shown(&display, &fbs[1]);
	igt_assert_eq(timed_suspend("mem", SUSPEND_LIMIT), 0);
	assert_shown(&display, &fbs[1]);
	remove_fb(&display, &fbs[1]);
	remove_fb(&display, &fbs[0]);
	close_display(&display);
	close(queue.engine);
}

static uint64_t available(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	uint64_t kib = 0;
	char line[128];
	bool found = false;

	igt_assert(file);
	while (!found && fgets(line, sizeof(line), file))
		found = sscanf(line, "MemAvailable: %" SCNu64, &kib) == 1;
	fclose(file);
	igt_assert(found);
	return kib << 10;
}

/* More bytes in VRAM than RAM has room for. */
static void no_room(void)
{
	const uint64_t size = 64 * SZ_1M;
	struct phyr_device card = vram_device(0);
	struct display display = open_display();
	struct fb fb = show_picture(&display, SEED + 4);
	uint64_t kills = oom_kills(), free;
	uint32_t handles[64];
	unsigned int n = 0;
	int vram = open_device(&card);

	igt_require_f(vram_free(&card) > available() + size,
		      "VRAM fits into RAM: needs a larger card or a guest with less memory\n");
	while (n * size <= available() + size / 2) {
		igt_assert(n < ARRAY_SIZE(handles));
		handles[n] = create_vram(vram, size, EVICTABLE, 0);
		igt_assert_eq(vram_info(vram, handles[n]).placement, IN_VRAM);
		fill_vram(vram, handles[n], SIZE, SEED + 20 + n);
		n++;
	}
	expect_failure(-ENOMEM, "to suspend, .* of VRAM must be moved");
	igt_info("%u MiB in VRAM, %" PRIu64 " MiB available\n", n * 64,
		 available() >> 20);
	for (int i = 0; i < 2; i++) {
		igt_assert_eq(timed_suspend(i ? "disk" : "mem",
					    HIBERNATE_LIMIT), -ENOMEM);
		igt_assert_eq_u64(oom_kills(), kills);
		for (unsigned int k = 0; k < n; k++)
			igt_assert_eq(vram_info(vram, handles[k]).placement,
				      IN_VRAM);
		assert_shown(&display, &fb);
	}
	for (unsigned int k = 0; k < n; k++)
		assert_vram(vram, handles[k], SIZE, SEED + 20 + k);
	free = vram_free(&card);
	close(vram);
	wait_for_vram_free(&card, free + n * size);
	igt_assert_eq(timed_suspend("mem", SUSPEND_LIMIT), 0);
	assert_picture(&display, &fb);
}

static int try_pin(int test, uint32_t id, bool pinned)
{
	struct phyr_test_held held = { .id = id, .pinned = pinned };

	return phyr_ioctl(test, PHYR_TEST_IOC_PIN, &held);
}

/*
 * A pin keeps a buffer in VRAM against moves and evictions, but not against a
 * suspend, which tells the importer to stop.
 */
static void pinned(uint32_t placement, uint32_t kind, uint32_t unmap)
{
	int test = open_phyr_test(SECOND_IVSHMEM), vram = open_vram(0), dmabuf;
	uint32_t handle = create_vram(vram, SIZE, placement, SZ_64K);
	struct phyr_test_held held;

	fill_vram(vram, handle, SIZE, SEED + 5);
	dmabuf = export_buffer(vram, handle);
	held.id = hold_mapped(test, dmabuf, kind, unmap);
	igt_assert_eq(try_pin(test, held.id, true), 0);
	if (placement == EVICTABLE)
		igt_assert_eq(try_move_buffer(vram, handle, IN_SYSTEM), -EBUSY);

	igt_assert_eq(timed_suspend("mem", SUSPEND_LIMIT), 0);
	igt_assert_eq(vram_info(vram, handle).placement, IN_VRAM);
	assert_vram(vram, handle, SIZE, SEED + 5);
	held = held_now(test, held.id);
	igt_assert(held.invalidated);
	igt_assert_eq(!!held.mapped, unmap == PHYR_TEST_UNMAP_LATE);

	/* The importer still has its pin, and may map again. */
	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_UNMAP, &held), 0);
	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_MAP, &held), 0);
	igt_assert(held.mapped && held.ranges && held.pinned);
	if (placement == EVICTABLE)
		igt_assert_eq(try_move_buffer(vram, handle, IN_SYSTEM), -EBUSY);
	igt_assert_eq(try_pin(test, held.id, false), 0);
	if (placement == EVICTABLE)
		igt_assert_eq(try_move_buffer(vram, handle, IN_SYSTEM), 0);
	release_held(test, held.id);
	close(dmabuf);
	close(vram);
	close(test);
}

/* The callbacks of hibernation, which also start and end with a notifier. */
static void hibernate(void)
{
	static const uint32_t placements[] = { IN_VRAM, EVICTABLE, IN_SYSTEM };
	struct phyr_device device = copy_device(0);
	struct queue queue = { .engine = open_device(&device) };
	struct display display = open_display();
	struct fb fb = show_picture(&display, SEED + 6);
	uint32_t handles[ARRAY_SIZE(placements)], own;
	int vram = open_vram(0);

	own = create_own(queue.engine, SIZE);
	for (unsigned int i = 0; i < ARRAY_SIZE(placements); i++) {
		handles[i] = create_vram(vram, SIZE, placements[i], SZ_64K);
		fill_vram(vram, handles[i], SIZE, SEED + 30 + i);
		queue_job(&queue, import_from(queue.engine, vram, handles[i]),
			  own, SIZE);
	}
	igt_assert_eq(timed_suspend("disk", HIBERNATE_LIMIT), 0);
	assert_queue(&queue, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(placements); i++) {
		igt_assert_eq(vram_info(vram, handles[i]).placement,
			      placements[i] == IN_SYSTEM ? IN_SYSTEM : IN_VRAM);
		assert_vram(vram, handles[i], SIZE, SEED + 30 + i);
	}
	assert_picture(&display, &fb);
	close(vram);
	close(queue.engine);
}

/* A bound device stays powered, whatever its power/control says. */
static void runtime_pm(void)
{
	const struct phyr_device devices[] = {
		vram_device(0), display_device(), copy_device(0),
	};
	char path[320], status[32];

	for (unsigned int i = 0; i < ARRAY_SIZE(devices); i++) {
		FILE *file;

		snprintf(path, sizeof(path),
			 "/sys/bus/pci/devices/%s/power/control",
			 devices[i].busid);
		write_file(path, "auto");
		usleep(300000);
		snprintf(path, sizeof(path),
			 "/sys/bus/pci/devices/%s/power/runtime_status",
			 devices[i].busid);
		file = fopen(path, "re");
		igt_assert(file);
		igt_assert(fgets(status, sizeof(status), file));
		fclose(file);
		igt_assert_f(!strcmp(status, "active\n"), "%s: %s", path,
			     status);
		snprintf(path, sizeof(path),
			 "/sys/bus/pci/devices/%s/power/control",
			 devices[i].busid);
		write_file(path, "on");
	}
}

static void on_alarm(int number)
{
	(void)number;
}

/* The task that suspends has signals pending all the time. */
static void signalled(void)
{
	struct sigaction action = { .sa_handler = on_alarm };
	const struct itimerval never = { 0 }, often = {
		.it_value.tv_usec = 2000, .it_interval.tv_usec = 2000,
	};
	struct display display = open_display();
	struct fb fb = create_mode_fb(&display, DRM_FORMAT_XRGB8888, SEED + 20);

	show(&display, &fb);
	prepare_suspend();
	igt_assert_eq(sigaction(SIGALRM, &action, NULL), 0);
	for (int i = 0; i < 5; i++) {
		igt_assert_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
		suspend();
		igt_assert_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
		assert_shown(&display, &fb);
	}
	remove_fb(&display, &fb);
	close_display(&display);
}

igt_main()
{
	igt_describe("Suspend with 20 jobs queued behind a hung one: bounded time, and they succeed");
	igt_subtest("behind-hung")
		behind_hung_everywhere();

	igt_describe("40 jobs of 16 MiB: a suspend takes bounded time, and none fails");
	igt_subtest("under-load")
		under_load();

	igt_describe("A suspend that waits too long fails; everything is where it was");
	igt_subtest("too-busy")
		too_busy();

	igt_describe("A suspend fails if a flip waits for a hung engine, and the flip happens afterwards");
	igt_subtest("flip-behind-hung")
		flip_behind_hung();

	igt_describe("Signals for the task that suspends do not keep the picture from coming back");
	igt_subtest("signalled")
		signalled();

	igt_describe("A suspend fails if VRAM does not fit into RAM; everything is where it was");
	igt_subtest("no-room")
		no_room();

	igt_describe("A suspend revokes what importers have pinned in VRAM");
	igt_subtest("pinned") {
		pinned(EVICTABLE, PHYR_TEST_REVOCABLE, PHYR_TEST_UNMAP_NOW);
		pinned(EVICTABLE, PHYR_TEST_REVOCABLE, PHYR_TEST_UNMAP_LATE);
		pinned(IN_VRAM, PHYR_TEST_REVOCABLE, PHYR_TEST_UNMAP_NOW);
		pinned(EVICTABLE, PHYR_TEST_NATIVE, PHYR_TEST_UNMAP_NOW);
		pinned(IN_VRAM, PHYR_TEST_NATIVE, PHYR_TEST_UNMAP_LATE);
	}

	igt_describe("Buffers and picture survive the callbacks of hibernation");
	igt_subtest("hibernate")
		hibernate();

	igt_describe("No bound device is suspended at run time");
	igt_subtest("runtime-pm")
		runtime_pm();
}

// SPDX-License-Identifier: MIT
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "display.h"
#include "lib.h"
#include "screen.h"
#include "traffic.h"

IGT_TEST_DESCRIPTION("Bus resets of the exporter's card; its buffers survive");

#define SIZE	(SZ_1M / 4)
#define SEED	33

/* A process that creates a buffer and checks that it is zeroed. */
static pid_t create_in_background(int vram)
{
	uint32_t handle;
	uint8_t *mem;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	igt_assert(pid >= 0);
	if (pid)
		return pid;
	if (phyr_vram_create(vram, SIZE, IN_VRAM, 0, &handle))
		_exit(1);
	mem = phyr_vram_mmap(vram, handle, SIZE, PROT_READ);
	_exit(mem == MAP_FAILED || phyr_verify_byte(mem, 0, SIZE) >= 0);
}

/* A process that reads a mapping, which has the pattern SEED. */
static pid_t read_in_background(const void *mem)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	igt_assert(pid >= 0);
	if (!pid)
		_exit(phyr_verify(mem, SEED, 0, SIZE) >= 0);
	return pid;
}

static void assert_killable(pid_t pid)
{
	int status;

	igt_assert_eq(kill(pid, SIGKILL), 0);
	igt_assert_eq(waitpid(pid, &status, 0), pid);
	igt_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* Inspect the state during a reset that waits for the unmap of an importer. */
static void revoke_and_rearm(void)
{
	struct phyr_device card = vram_device(0);
	int test = open_phyr_test(SECOND_IVSHMEM), vram = open_device(&card);
	int engine = open_copy(0), dmabuf;
	uint32_t handle = create_vram(vram, SIZE, IN_VRAM, SZ_4K);
	uint32_t own = create_own(engine, SIZE), imported, native;
	struct drm_phyr_copy_submit job = { .len = SIZE };
	struct phyr_test_held held = { 0 };
	void *drm_mem, *dmabuf_mem;
	char path[96];
	pid_t resetter, creator, readers[3];

	reset_path(&card, path, sizeof(path));
	dmabuf = export_buffer(vram, handle);
	drm_mem = map_vram(vram, handle, SIZE);
	dmabuf_mem = map_dmabuf(dmabuf, SIZE);
	phyr_fill(drm_mem, SEED, 0, SIZE);
	imported = import_buffer(engine, dmabuf);
	copy_bytes(engine, imported, own, SIZE);
	native = hold_mapped(test, dmabuf, PHYR_TEST_NATIVE,
			     PHYR_TEST_UNMAP_NOW);
	held.id = hold_mapped(test, dmabuf, PHYR_TEST_REVOCABLE,
			      PHYR_TEST_UNMAP_LATE);

	resetter = write_in_background(path, "1");
	wait_until_sleeps_in(resetter, "phyr_buffer_revoke_wait");
	/* An access waits for the end of the reset, or for SIGKILL. */
	for (unsigned int i = 0; i < ARRAY_SIZE(readers); i++) {
		readers[i] = read_in_background(i % 2 ? dmabuf_mem : drm_mem);
		wait_until_sleeps_in(readers[i], "vram_gem_fault");
	}
	assert_killable(readers[2]);
	job.src_handle = imported;
	job.dst_handle = own;
	igt_assert_eq(phyr_copy_submit(engine, &job), -ENODEV);
	igt_assert_eq(try_import_into_engine(dmabuf), -ENODEV);
	creator = create_in_background(vram);
	wait_until_sleeps_in(creator, "drm_ioctl_kernel");
	igt_assert(!held_now(test, native).mapped);
	held = held_now(test, held.id);
	igt_assert(held.mapped);
	igt_assert(sleeps_in(resetter, "phyr_buffer_revoke_wait"));
	igt_assert(sleeps_in(creator, "drm_ioctl_kernel"));
	igt_assert(sleeps_in(readers[0], "vram_gem_fault"));
	igt_assert(sleeps_in(readers[1], "vram_gem_fault"));
	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_UNMAP, &held), 0);
	assert_ends_well(resetter);
	assert_ends_well(creator);
	assert_ends_well(readers[0]);
	assert_ends_well(readers[1]);

	/* Existing mappings and imports work again, and so do new ones. */
	assert_bytes(drm_mem, SEED, 0, SIZE);
	assert_bytes(dmabuf_mem, SEED, 0, SIZE);
	phyr_fill(dmabuf_mem, SEED + 1, 0, SIZE);
	copy_bytes(engine, imported, own, SIZE);
	assert_own(engine, own, SIZE, SEED + 1);
	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_MAP, &held), 0);
	igt_assert(held.mapped && held.ranges);
	held.id = native;
	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_MAP, &held), 0);
	igt_assert(held.mapped && held.ranges);
	igt_assert_eq(try_import_into_engine(dmabuf), 0);
	unmap(drm_mem, SIZE);
	unmap(dmabuf_mem, SIZE);
	close(dmabuf);
	close(engine);
	close(test);
	close(vram);
}

/* Reset repeatedly while a second process copies with the engine. */
static void reset_under_dma(void)
{
	struct phyr_device card = vram_device(0), device = copy_device(0);
	uint64_t free = vram_free(&card);
	int vram = open_device(&card), engine = open_device(&device), dmabuf;
	uint32_t handle = create_vram(vram, SIZE, EVICTABLE, SZ_4K);
	uint32_t own = create_own(engine, SIZE), imported;
	char path[96];
	void *drm_mem;

	reset_path(&card, path, sizeof(path));
	dmabuf = export_buffer(vram, handle);
	drm_mem = map_vram(vram, handle, SIZE);
	phyr_fill(drm_mem, SEED, 0, SIZE);
	imported = import_buffer(engine, dmabuf);
	for (int round = 0; round < 20; round++) {
		struct traffic traffic = traffic_start(&device, dmabuf, SIZE,
						       SEED);

		traffic_wait(&traffic, 1);
		write_file(path, "1");
		traffic_stop_or_gone(&traffic);
		assert_bytes(drm_mem, SEED, 0, SIZE / 2);
		copy_bytes(engine, imported, own, SIZE / 2);
	}
	close(dmabuf);
	close(engine);
	close(vram);
	unmap(drm_mem, SIZE);
	wait_for_vram_free(&card, free);
}

/* A reset of the display. */
static void reset_picture(void)
{
	struct display display = open_display();
	struct fb fbs[2];
	char path[96];

	reset_path(&display.card, path, sizeof(path));
	for (int i = 0; i < 2; i++)
		fbs[i] = create_mode_fb(&display, DRM_FORMAT_XRGB8888,
					SEED + 10 + i);
	show(&display, &fbs[0]);
	for (int i = 0; i < 3; i++) {
		write_file(path, "1");
		assert_shown(&display, &fbs[i % 2]);
		assert_not_copied(&display, &fbs[i % 2]);
		flip(&display, &fbs[(i + 1) % 2]);
		assert_shown(&display, &fbs[(i + 1) % 2]);
	}
	remove_fb(&display, &fbs[1]);
	remove_fb(&display, &fbs[0]);
	close_display(&display);
}

/* A flip waits for an IN_FENCE_FD, without a lock. */
static void reset_behind_hung(void)
{
	struct display display = open_display();
	struct stuck_job job;
	struct fb fbs[2];
	char path[96];

	reset_path(&display.card, path, sizeof(path));
	for (int i = 0; i < 2; i++)
		fbs[i] = create_mode_fb(&display, DRM_FORMAT_XRGB8888,
					SEED + 20 + i);
	show(&display, &fbs[0]);
	job = stuck_job_queue(-1, SIZE);
	igt_assert_eq(try_flip_after(&display, &fbs[1], job.fence), 0);
	assert_shown(&display, &fbs[0]);
	write_file(path, "1");
	igt_assert(stuck_job_is_pending(&job));
	wait_for_flip(&display);
	assert_shown(&display, &fbs[1]);
	flip(&display, &fbs[0]);
	assert_shown(&display, &fbs[0]);

	/* The next flips wait again. */
	igt_assert_eq(try_flip_after(&display, &fbs[1], job.fence), 0);
	assert_shown(&display, &fbs[0]);
	stuck_job_cancel(&job);
	wait_for_flip(&display);
	assert_shown(&display, &fbs[1]);
	remove_fb(&display, &fbs[1]);
	remove_fb(&display, &fbs[0]);
	close_display(&display);
}

/*
 * A flip waits for the fence of a foreign buffer, with all modeset locks. The
 * buffer cannot be copied before it signals.
 */
static void reset_behind_foreign(void)
{
	struct display display = open_display();
	struct fb fb = create_mode_fb(&display, DRM_FORMAT_XRGB8888, SEED + 30);
	struct fb foreign = import_fb(&display, (struct fb){
		.width = fb.width,
		.height = fb.height,
		.format = DRM_FORMAT_XRGB8888,
	}, create_udmabuf(4 * SZ_1M), SEED + 31);
	struct stuck_job job;
	char path[96];
	pid_t flipper;

	reset_path(&display.card, path, sizeof(path));
	show(&display, &fb);
	job = stuck_job_queue(foreign.dmabuf, SIZE);
	fflush(stdout);
	flipper = fork();
	igt_assert(flipper >= 0);
	if (!flipper)
		_exit(try_flip(&display, &foreign, 0) != 0);
	wait_until_sleeps_in(flipper, "vram_commit_wait");
	write_file(path, "1");
	igt_assert(stuck_job_is_pending(&job));
	assert_ends_well(flipper);
	assert_screen_black();
	stuck_job_cancel(&job);
	igt_assert_eq(drmModeDirtyFB(display.fd, foreign.id, NULL, 0), 0);
	assert_shown(&display, &foreign);
	remove_fb(&display, &foreign);
	remove_fb(&display, &fb);
	close_display(&display);
}

igt_main()
{
	igt_describe("Buffers are revoked during a reset and work again afterwards");
	igt_subtest("revoke-and-rearm")
		revoke_and_rearm();

	igt_describe("20 resets with DMA in flight");
	igt_subtest("again")
		reset_under_dma();

	igt_describe("A reset of the display's card, which shows the same picture afterwards");
	igt_subtest("picture")
		reset_picture();

	igt_describe("A reset waits 10 s for a flip that waits for a hung engine, and then lets it happen");
	igt_subtest("flip-behind-hung") {
		igt_info("Expected in the kernel log: the display is busy; commits do not wait for fences any longer\n");
		reset_behind_hung();
		reset_behind_foreign();
	}
}

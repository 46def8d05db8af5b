// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "display.h"
#include "lib.h"
#include "screen.h"
#include "suspend.h"
#include "traffic.h"

IGT_TEST_DESCRIPTION("A display that is suspended, and one that is removed");

#define SIZE	SZ_1M

/*
 * Suspend
 */

static void suspend_native(void)
{
	struct display display = open_display();
	struct fb fbs[2];

	fbs[0] = create_mode_fb(&display, DRM_FORMAT_BGRX8888, 500);
	fbs[1] = create_mode_fb(&display, DRM_FORMAT_XRGB8888, 501);
	show(&display, &fbs[0]);
	for (int i = 0; i < 3; i++) {
		suspend();
		assert_shown(&display, &fbs[i % 2]);
		assert_not_copied(&display, &fbs[i % 2]);
		flip(&display, &fbs[(i + 1) % 2]);
		assert_shown(&display, &fbs[(i + 1) % 2]);
	}
	remove_fb(&display, &fbs[1]);
	remove_fb(&display, &fbs[0]);
	close_display(&display);
}

static void suspend_foreign(void)
{
	struct display display = open_display();
	struct fb fb = import_fb(&display, (struct fb){
		.width = 1024,
		.height = 768,
		.format = DRM_FORMAT_XRGB8888,
	}, create_udmabuf(3 * SZ_1M), 510);

	show(&display, &fb);
	suspend();
	assert_shown(&display, &fb);
	paint_fb(&fb, 511);
	igt_assert_eq(drmModeDirtyFB(display.fd, fb.id, NULL, 0), 0);
	assert_shown(&display, &fb);
	remove_fb(&display, &fb);
	close_display(&display);
}

static void suspend_off(void)
{
	struct display display = open_display();
	struct fb fb = create_mode_fb(&display, DRM_FORMAT_XRGB8888, 520);

	suspend();
	show(&display, &fb);
	turn_off(&display);
	suspend();
	assert_screen_black();
	show(&display, &fb);
	assert_shown(&display, &fb);
	remove_fb(&display, &fb);
	close_display(&display);
}

/*
 * VRAM loses its contents, so everything in it must be moved out. Afterwards
 * each buffer is where it was.
 */
static void suspend_buffers(void)
{
	static const struct {
		uint32_t placement;
		uint64_t max_extent;
	} kinds[] = {
		{ EVICTABLE, 0 }, { EVICTABLE, SZ_4K }, { IN_VRAM, 0 },
		{ IN_VRAM, SZ_4K }, { IN_VRAM, SZ_64K }, { IN_SYSTEM, 0 },
	};
	struct display display = open_display();
	uint32_t handles[ARRAY_SIZE(kinds)], imported[ARRAY_SIZE(kinds)];
	uint8_t *mem[ARRAY_SIZE(kinds)];
	int engine = open_copy(0);
	uint32_t own = create_own(engine, SIZE);

	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
		handles[i] = create_vram(display.fd, SIZE, kinds[i].placement,
					 kinds[i].max_extent);
		mem[i] = map_vram(display.fd, handles[i], SIZE);
		phyr_fill(mem[i], 530 + i, 0, SIZE);
		imported[i] = import_from(engine, display.fd, handles[i]);
		copy_bytes(engine, imported[i], own, SIZE);
		assert_own(engine, own, SIZE, 530 + i);
	}
	suspend();
	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
		igt_assert_eq(vram_info(display.fd, handles[i]).placement,
			      kinds[i].placement == IN_SYSTEM ? IN_SYSTEM :
			      IN_VRAM);
		assert_bytes(mem[i], 530 + i, 0, SIZE);
		copy_bytes(engine, imported[i], own, SIZE);
		assert_own(engine, own, SIZE, 530 + i);
		unmap(mem[i], SIZE);
	}
	close(engine);
	close_display(&display);
}

/* Only the cursor may have changed on the console. */
static void suspend_console(void)
{
	struct screen before = take_screen(), after;
	uint64_t wrong = 0;

	igt_assert_lte_u64(640, before.width);
	suspend();
	after = take_screen();
	igt_assert_eq(after.width, before.width);
	igt_assert_eq(after.height, before.height);
	for (uint32_t y = 0; y < before.height; y++)
		for (uint32_t x = 0; x < before.width; x++)
			wrong += screen_colour(&before, x, y) !=
				 screen_colour(&after, x, y);
	free_screen(&before);
	free_screen(&after);
	igt_assert_lte_u64(wrong, 32 * 64);
}

/* Removal */

static void assert_gone(const struct display *display, const struct fb *fb)
{
	uint32_t handle;

	assert_screen_black();
	assert_dummy(fb->mem, fb->size);
	igt_assert_eq(try_flip(display, fb, 0), -ENODEV);
	igt_assert_eq(phyr_ioctl(display->fd, DRM_IOCTL_MODE_RMFB,
				 &(uint32_t){ fb->id }), -ENODEV);
	igt_assert_eq(phyr_vram_create(display->fd, SIZE, IN_VRAM, 0, &handle),
		      -ENODEV);
}

static void works(void)
{
	struct display display = open_display();
	struct fb fb = create_mode_fb(&display, DRM_FORMAT_RGB565, 540);

	show(&display, &fb);
	assert_shown(&display, &fb);
	remove_fb(&display, &fb);
	close_display(&display);
}

/* Close the clients before or after the card is bound again. */
static void gone(enum removal removal)
{
	struct phyr_device card = display_device();
	uint64_t free = vram_free(&card);

	for (int late = 0; late < 2; late++) {
		struct display display = open_display();
		struct fb fb, other;
		int dmabuf;

		fb = create_mode_fb(&display, DRM_FORMAT_XRGB8888, 541);
		other = create_mode_fb(&display, DRM_FORMAT_XRGB8888, 542);
		dmabuf = export_buffer(display.fd, fb.handle);
		show(&display, &fb);
		assert_shown(&display, &fb);
		remove_device(card.busid, removal);
		assert_gone(&display, &fb);
		assert_dummy(other.mem, other.size);
		if (late) {
			restore_device(card.busid, PHYR_VRAM_DRIVER, removal);
			card = display_device();
			assert_dummy(fb.mem, fb.size);
		}
		abandon_fb(&fb);
		abandon_fb(&other);
		close(dmabuf);
		leave_display(&display);
		if (!late) {
			assert_screen_black();
			restore_device(card.busid, PHYR_VRAM_DRIVER, removal);
			card = display_device();
		}
		works();
		wait_for_vram_free(&card, free);
	}
}

static void gone_foreign(void)
{
	struct phyr_device card = display_device();
	uint64_t free = vram_free(&card);
	struct display display = open_display();
	struct fb fb = import_fb(&display, (struct fb){
		.width = 1024,
		.height = 768,
		.format = DRM_FORMAT_XRGB8888,
	}, create_udmabuf(3 * SZ_1M), 550);

	show(&display, &fb);
	assert_shown(&display, &fb);
	remove_device(card.busid, UNBIND);
	assert_screen_black();
	/* The imported memory belongs to another exporter and stays valid. */
	paint_fb(&fb, 551);
	abandon_fb(&fb);
	leave_display(&display);
	restore_device(card.busid, PHYR_VRAM_DRIVER, UNBIND);
	card = display_device();
	works();
	wait_for_vram_free(&card, free);
}

static void flip_until_gone(const struct display *display,
			    const struct fb *fbs, int beats)
{
	int err = 0;

	for (int i = 0; !err; i++) {
		err = try_flip(display, &fbs[i % 2], 0);
		if (i == 10)
			igt_assert_eq(write(beats, "", 1), 1);
	}
	igt_assert_eq(err, -ENODEV);
}

/* Repeatedly, in the middle of flips. */
static void gone_flipping(void)
{
	struct phyr_device card = display_device();
	uint64_t free = vram_free(&card);

	for (int round = 0; round < 1 + repeats(9); round++) {
		struct display display = open_display();
		struct fb fbs[2];
		int beats[2];
		char beat;

		igt_assert_eq(pipe(beats), 0);
		for (int i = 0; i < 2; i++)
			fbs[i] = create_mode_fb(&display, DRM_FORMAT_XRGB8888,
						560 + i);
		show(&display, &fbs[1]);
		igt_fork(child, 1)
			flip_until_gone(&display, fbs, beats[1]);
		igt_assert_eq(read(beats[0], &beat, 1), 1);
		remove_device(card.busid, UNBIND);
		assert_screen_black();
		igt_waitchildren();
		for (int i = 0; i < 2; i++)
			abandon_fb(&fbs[i]);
		leave_display(&display);
		close(beats[0]);
		close(beats[1]);
		restore_device(card.busid, PHYR_VRAM_DRIVER, UNBIND);
		card = display_device();
		wait_for_vram_free(&card, free);
	}
	works();
}

/* A flip to @fb, which waits for a fence. */
static pid_t flip_in_background(const struct display *display,
				const struct fb *fb)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	igt_assert(pid >= 0);
	if (!pid)
		_exit(try_flip(display, fb, 0) != 0);
	wait_until_sleeps_in(pid, "vram_commit_wait");
	return pid;
}

/*
 * A flip waits for a fence when the card is unbound: without a lock for an
 * IN_FENCE_FD, and with all modeset locks for that of a @foreign buffer.
 */
static void gone_behind_hung(bool foreign)
{
	struct phyr_device card = display_device();
	uint64_t free = vram_free(&card);
	struct display display = open_display();
	struct fb fb = create_mode_fb(&display, DRM_FORMAT_XRGB8888, 570), next;
	struct stuck_job job;
	pid_t flipper;

	if (foreign)
		next = import_fb(&display, (struct fb){
			.width = fb.width,
			.height = fb.height,
			.format = DRM_FORMAT_XRGB8888,
		}, create_udmabuf(4 * SZ_1M), 571);
	else
		next = create_mode_fb(&display, DRM_FORMAT_XRGB8888, 571);
	show(&display, &fb);
	job = stuck_job_queue(foreign ? next.dmabuf : -1, SIZE);
	if (foreign)
		flipper = flip_in_background(&display, &next);
	else
		igt_assert_eq(try_flip_after(&display, &next, job.fence), 0);
	assert_shown(&display, &fb);
	remove_device(card.busid, UNBIND);
	igt_assert(stuck_job_is_pending(&job));
	assert_gone(&display, &fb);
	if (foreign)
		assert_ends_well(flipper);
	abandon_fb(&fb);
	abandon_fb(&next);
	leave_display(&display);
	stuck_job_cancel(&job);
	restore_device(card.busid, PHYR_VRAM_DRIVER, UNBIND);
	card = display_device();
	works();
	wait_for_vram_free(&card, free);
}

igt_main()
{
	igt_describe("After a suspend the picture returns and flips continue");
	igt_subtest("suspend")
		suspend_native();

	igt_describe("After a suspend the picture in a foreign buffer returns and flips continue");
	igt_subtest("suspend-foreign")
		suspend_foreign();

	igt_describe("A display that was off stays off");
	igt_subtest("suspend-off")
		suspend_off();

	igt_describe("The console returns after a suspend");
	igt_subtest("suspend-console")
		suspend_console();

	igt_describe("Buffers are moved out of VRAM for a suspend and back, and keep their bytes");
	igt_subtest("suspend-buffers")
		suspend_buffers();

	igt_describe("Unbinding removes the picture from the screen, and the card works again");
	igt_subtest("unbind")
		gone(UNBIND);

	igt_describe("Unbinding removes a foreign buffer's picture from the screen, and the card works again");
	igt_subtest("unbind-foreign")
		gone_foreign();

	igt_describe("Unbind in the middle of flips");
	igt_subtest("unbind-flipping")
		gone_flipping();

	igt_describe("An unbind does not wait for a flip that waits for a hung engine");
	igt_subtest("unbind-behind-hung") {
		gone_behind_hung(false);
		gone_behind_hung(true);
	}

	igt_describe("Unplug the card while it shows a picture, and replug it");
	igt_subtest("unplug")
		gone(UNPLUG);
}

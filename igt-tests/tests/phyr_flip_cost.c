// SPDX-License-Identifier: MIT
#include <time.h>

#include "display.h"
#include "lib.h"

IGT_TEST_DESCRIPTION("CPU cost of a page flip, in a guest whose clock counts instructions (vm/run --icount)");

#define FLIPS	9

/* vm/run --icount advances the clock by 2 ns per instruction. */
#define INSTRUCTIONS_PER_NS	0.5

/* CPU time of this thread in user and kernel mode, without waiting, in ns. */
static uint64_t cpu_time(void)
{
	struct timespec time;

	igt_assert(!clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time));
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

/*
 * The minimum, because interrupts only add. The commit is blocking, so this
 * thread does all of its work.
 */
static uint64_t cost_of_flip(const struct display *display,
			     const struct fb *fbs)
{
	uint64_t best = UINT64_MAX, start, cost;

	show(display, &fbs[0]);
	for (int i = 1; i <= FLIPS; i++) {
		start = cpu_time();
		igt_assert_eq(try_flip(display, &fbs[i % 2], 0), 0);
		cost = (cpu_time() - start) * INSTRUCTIONS_PER_NS;
		if (cost < best)
			best = cost;
	}
	return best;
}

static uint64_t cost_in_mode(bool foreign, bool largest)
{
	struct display display = open_display();
	struct fb fbs[2];
	uint64_t cost;

	if (largest)
		use_largest_mode(&display);
	else
		use_mode(&display, 640, 480);
	for (int i = 0; i < 2; i++) {
		struct fb fb = {
			.width = display.mode.hdisplay,
			.height = display.mode.vdisplay,
			.format = DRM_FORMAT_XRGB8888,
		};

		fbs[i] = foreign ?
			 import_fb(&display, fb,
				   create_udmabuf(4 * fb.width * fb.height),
				   600 + i) :
			 create_fb(&display, fb, 600 + i);
	}
	cost = cost_of_flip(&display, fbs);
	assert_shown(&display, &fbs[FLIPS % 2]);
	igt_info("Figures: %s buffer, %s: %llu instructions per flip\n",
		 foreign ? "a foreign" : "the card's", display.mode.name,
		 (unsigned long long)cost);
	remove_fb(&display, &fbs[1]);
	remove_fb(&display, &fbs[0]);
	close_display(&display);
	return cost;
}

/* 1920x1440 has nine times the pixels of 640x480. */
static void native(void)
{
	uint64_t small = cost_in_mode(false, false);
	uint64_t large = cost_in_mode(false, true);

	igt_assert_f(large * 20 <= small * 21 && small * 20 <= large * 21,
		     "a flip costs %llu instructions in the small mode, %llu in the large one: more than 5 %% apart\n",
		     (unsigned long long)small, (unsigned long long)large);
}

/* Verify that the measurement detects the cost of a copy. */
static void foreign(void)
{
	uint64_t small = cost_in_mode(true, false);
	uint64_t large = cost_in_mode(true, true), own;

	igt_assert_f(large > 4 * small,
		     "a copying flip costs %llu instructions in the small mode, %llu in the large one: expected more than 4 times as many\n",
		     (unsigned long long)small, (unsigned long long)large);
	own = cost_in_mode(false, false);
	igt_assert_f(small > 2 * own,
		     "a copying flip costs %llu instructions, one without a copy %llu: expected more than twice as many\n",
		     (unsigned long long)small, (unsigned long long)own);
}

igt_main()
{
	igt_describe("A flip between the card's buffers costs the same in every mode");
	igt_subtest("native")
		native();

	igt_describe("A flip to a foreign buffer costs a copy, which the measurement detects");
	igt_subtest("foreign")
		foreign();
}

// SPDX-License-Identifier: MIT
#include <time.h>

#include "display.h"
#include "lib.h"

IGT_TEST_DESCRIPTION("What a page flip costs, in a guest whose time counts instructions (vm/run --icount)");

#define FLIPS	9

/* vm/run's icount: a nanosecond of the guest's is half an instruction. */
#define INSTRUCTIONS_PER_NS	0.5

/* Of this thread, in the kernel and out of it: no waiting is in it. */
static uint64_t now(void)
{
	struct timespec time;

	igt_assert(!clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time));
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

/* The cheapest: interrupts only add. The commit is done by the caller. */
static uint64_t cost_of_flip(const struct display *display,
			     const struct fb *fbs)
{
	uint64_t best = UINT64_MAX, start, cost;

	show(display, &fbs[0]);
	for (int i = 1; i <= FLIPS; i++) {
		start = now();
		igt_assert_eq(try_flip(display, &fbs[i % 2], 0), 0);
		cost = (now() - start) * INSTRUCTIONS_PER_NS;
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
	igt_info("Figures: %s buffer, %s: %llu instructions a flip\n",
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
		     "%llu instructions and %llu: more than 5 %% apart\n",
		     (unsigned long long)small, (unsigned long long)large);
}

/* So that a comparison which sees nothing does not pass. */
static void foreign(void)
{
	uint64_t small = cost_in_mode(true, false);
	uint64_t large = cost_in_mode(true, true);

	igt_assert_f(large > 4 * small,
		     "%llu instructions and %llu: a copy is not seen\n",
		     (unsigned long long)small, (unsigned long long)large);
	igt_assert_f(small > 2 * cost_in_mode(false, false),
		     "a copy costs nothing\n");
}

igt_main()
{
	igt_describe("A flip between the card's buffers costs the same in every mode");
	igt_subtest("native")
		native();

	igt_describe("A flip to a foreign buffer costs a copy, and is seen to");
	igt_subtest("foreign")
		foreign();
}

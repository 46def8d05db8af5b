/* SPDX-License-Identifier: MIT */
/* A test card: a picture for people, with a legend of what shows it. */
#ifndef PHYR_TESTS_TESTCARD_H
#define PHYR_TESTS_TESTCARD_H

#include <stdint.h>

#define CARD_WIDTH	640
#define CARD_HEIGHT	480

/* Its colours, 0xRRGGBB. */
struct testcard {
	uint32_t colours[CARD_HEIGHT][CARD_WIDTH];
};

/* A title, and two lines below; of letters and digits, and a few others. */
void draw_testcard(struct testcard *card, const char *title, const char *line,
		   const char *second);

#endif

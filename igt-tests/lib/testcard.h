/* SPDX-License-Identifier: MIT */
/* A test card: a picture for people, with a legend that names the driver. */
#ifndef PHYR_TESTS_TESTCARD_H
#define PHYR_TESTS_TESTCARD_H

#include <stdint.h>

#define CARD_WIDTH	640
#define CARD_HEIGHT	480

/* Colours, 0xRRGGBB. */
struct testcard {
	uint32_t colours[CARD_HEIGHT][CARD_WIDTH];
};

/*
 * Draw a title and two lines of text: letters, digits and a few other
 * characters.
 */
void draw_testcard(struct testcard *card, const char *title, const char *line,
		   const char *second);

#endif

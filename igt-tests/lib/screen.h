/* SPDX-License-Identifier: MIT */
/*
 * The screen of the bochs-display as seen from outside the guest (vm/run
 * --help: phyr.screen).
 */
#ifndef PHYR_TESTS_SCREEN_H
#define PHYR_TESTS_SCREEN_H

#include <stdint.h>

/**
 * struct screen - a picture of the screen
 * @width: pixels
 * @height: pixels
 * @rgb: three bytes a pixel, red first, without gaps
 */
struct screen {
	uint32_t width;
	uint32_t height;
	uint8_t *rgb;
};

struct screen take_screen(void);
void free_screen(struct screen *screen);
uint32_t screen_colour(const struct screen *screen, uint32_t x, uint32_t y);

/* Assert the screen's size, and the colour that @want returns at each pixel. */
void assert_screen(uint32_t width, uint32_t height,
		   uint32_t (*want)(const void *data, uint32_t x, uint32_t y),
		   const void *data);

/* Assert a black screen of any size. */
void assert_screen_black(void);

/* Keep the screen of the latest assertion as /out/NAME.ppm. */
void keep_screen(const char *name);

#endif

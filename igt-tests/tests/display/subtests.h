/* SPDX-License-Identifier: MIT */
/* The subtests of phyr_display. */
#ifndef PHYR_TESTS_DISPLAY_SUBTESTS_H
#define PHYR_TESTS_DISPLAY_SUBTESTS_H

#include <stdint.h>

#include "display.h"
#include "lib.h"

/* The formats of the primary plane: an array of NR_FORMATS. */
#define NR_FORMATS	3
extern const uint32_t formats[NR_FORMATS];

/* mode.c */
void offered_mode(uint32_t width, uint32_t height);
void largest_mode(void);
void alpha(void);
void own_mode(uint32_t width, uint32_t height);
void offered_modes(void);
void long_pitch(void);
void pictures_at_offset(void);
void crcs(void);

/* placement.c */
void pan_at_end(uint32_t placement);
void fragmented(uint32_t placement);
void from_system(void);
void system_only(void);
void out_of_reach(uint32_t placement);
void out_of_reach_beside_large(void);

/* part.c */
void pan_over_picture(uint32_t format);
void parts_of_screen(uint32_t format);
void parts_keep_out(uint32_t x, uint32_t y);
void parts_foreign(void);

/* life.c */
void legacy_calls(void);
void cpu_writes(void);
void off_and_on(void);
void removed_fb(void);
void set_console(bool on);
void last_close(void);
void console_returns(void);

/* refuse.c */
void refused_fbs(void);
void refused_views(void);
void refused_modes(void);

/* client.c */
void show_testcard(void);
void render_only(void);
void render_node(void);
void lessee(void);

#endif

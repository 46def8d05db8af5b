// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "draw.h"
#include "size.h"

#define COLUMNS		96	/* of a bar, without its frame */
#define LABEL		"%-15s"

static bool utf8, colour;

/* Arms of a box-drawing character. */
enum { UP = 1, DOWN = 2, LEFT = 4, RIGHT = 8 };

static const char *const joints[16] = {
	[UP | DOWN] = "│", [LEFT | RIGHT] = "─",
	[DOWN | RIGHT] = "┌", [DOWN | LEFT] = "┐",
	[UP | RIGHT] = "└", [UP | LEFT] = "┘",
	[UP | DOWN | RIGHT] = "├", [UP | DOWN | LEFT] = "┤",
	[DOWN | LEFT | RIGHT] = "┬", [UP | LEFT | RIGHT] = "┴",
	[UP | DOWN | LEFT | RIGHT] = "┼",
};

static void joint(unsigned int arms)
{
	if (utf8)
		fputs(joints[arms], stdout);
	else
		putchar(arms == (LEFT | RIGHT) ? '-' :
			arms == (UP | DOWN) ? '|' : '+');
}

static void style(const char *code)
{
	if (colour)
		printf("\033[%sm", code);
}

void draw_init(void)
{
	setlocale(LC_CTYPE, "");
	utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
}

void draw_heading(const char *format, ...)
{
	va_list args;

	putchar('\n');
	style("1");
	fputs("== ", stdout);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	style("0");
	putchar('\n');
}

enum cell { FREE, OTHER, OURS };

/* Give each cell the highest enum cell value of the blocks in it. */
static void mark_cells(const struct phyr_vram_dump *vram, uint64_t id,
		       uint64_t per_cell, enum cell *cells, uint64_t nr)
{
	for (size_t i = 0; i < vram->nr; i++) {
		const struct phyr_vram_block *block = &vram->blocks[i];
		enum cell kind = block->buffer == id ? OURS : OTHER;
		uint64_t last = (block->offset + block->len - 1) / per_cell;

		for (uint64_t c = block->offset / per_cell;
		     c <= last && c < nr; c++)
			if (cells[c] < kind)
				cells[c] = kind;
	}
}

static void put_cell(enum cell kind)
{
	static const char *const signs[2][3] = {
		{ ".", "o", "#" },
		{ "·", "▒", "█" },
	};

	if (kind == OURS)
		style("32");
	fputs(signs[utf8][kind], stdout);
	if (kind == OURS)
		style("0");
}

/* At most four lines of 64 cells; a cell is 1 MiB of 256 MiB of VRAM. */
void draw_vram(const struct phyr_vram_dump *vram, uint64_t id)
{
	enum { WIDTH = 64, MAX_CELLS = 4 * WIDTH };
	enum cell cells[MAX_CELLS] = { FREE };
	char per[SIZE_TEXT], size[SIZE_TEXT], left[SIZE_TEXT];
	uint64_t per_cell = 4096, nr;

	while (per_cell * MAX_CELLS < vram->size)
		per_cell *= 2;
	nr = (vram->size + per_cell - 1) / per_cell;
	mark_cells(vram, id, per_cell, cells, nr);
	printf("%s of VRAM, %s free; one character is %s: ",
	       format_size(vram->size, size), format_size(vram->free, left),
	       format_size(per_cell, per));
	put_cell(OURS);
	fputs(" this buffer, ", stdout);
	put_cell(OTHER);
	fputs(" other buffers, ", stdout);
	put_cell(FREE);
	puts(" free");
	for (uint64_t c = 0; c < nr; c++) {
		if (c % WIDTH == 0)
			printf("  %10" PRIu64 " MiB  ", c * per_cell >> 20);
		put_cell(cells[c]);
		if (c % WIDTH == WIDTH - 1 || c == nr - 1)
			putchar('\n');
	}
}

/* Borders between boxes of a row: at[i] is between columns i - 1 and i. */
struct seams {
	bool at[COLUMNS + 1];
};

static void add_seam(struct seams *seams, uint64_t offset, uint64_t size)
{
	seams->at[size ? offset * COLUMNS / size : 0] = true;
}

static void rule(const struct seams *above, const struct seams *below)
{
	printf(LABEL, "");
	for (int i = 0; i <= COLUMNS; i++) {
		unsigned int arms = 0;

		if (above && above->at[i])
			arms |= UP;
		if (below && below->at[i])
			arms |= DOWN;
		if (i > 0)
			arms |= LEFT;
		if (i < COLUMNS)
			arms |= RIGHT;
		joint(arms);
	}
	putchar('\n');
}

/*
 * A row of boxes. @name writes the longest label of box @i that fits @room, or
 * a longer one if none does, and returns its length.
 */
struct row {
	const char *label;
	size_t nr;
	uint64_t size;
	uint64_t (*len)(const void *list, size_t i);
	int (*name)(const void *list, size_t i, int room, char *text, size_t size);
	const void *list;
};

static void row_seams(const struct row *row, struct seams *seams)
{
	uint64_t offset = 0;

	memset(seams, 0, sizeof(*seams));
	add_seam(seams, 0, row->size);
	for (size_t i = 0; i < row->nr; i++) {
		offset += row->len(row->list, i);
		add_seam(seams, offset, row->size);
	}
	seams->at[COLUMNS] = true;
}

static void draw_row(const struct row *row, const struct seams *seams)
{
	char text[64];
	uint64_t offset = 0;
	int column = 0;

	printf(LABEL, row->label);
	joint(UP | DOWN);
	for (size_t i = 0; i < row->nr; i++) {
		int start = offset * COLUMNS / row->size, end, room, used = 0;

		offset += row->len(row->list, i);
		end = offset * COLUMNS / row->size;
		room = end - start - 1;
		if (start < column || room < 1)
			continue;
		for (; column < start; column++)
			fputs(seams->at[column + 1] ? "|" : " ", stdout);
		if (row->name(row->list, i, room, text, sizeof(text)) <= room)
			used = printf("%s", text);
		printf("%*s", room - used, "");
		joint(UP | DOWN);
		column = end;
	}
	for (; column < COLUMNS; column++)
		fputs(seams->at[column + 1] ? "|" : " ", stdout);
	putchar('\n');
}

static uint64_t vec_len(const void *list, size_t i)
{
	return ((const struct phyr_list_dump *)list)->vecs[i].len;
}

static uint64_t range_len(const void *list, size_t i)
{
	return ((const struct phyr_ranges_dump *)list)->ranges[i].len;
}

/* The first that fits of: address and length, address, index. */
static int name_piece(uint64_t addr, uint64_t len, size_t i, int room,
		      char *text, size_t size)
{
	char len_text[SIZE_TEXT];
	int nr;

	nr = snprintf(text, size, "%#" PRIx64 " + %s", addr,
		      format_size(len, len_text));
	if (nr > room)
		nr = snprintf(text, size, "%#" PRIx64, addr);
	if (nr > room)
		nr = snprintf(text, size, "%zu", i);
	return nr;
}

static int vec_name(const void *list, size_t i, int room, char *text,
		    size_t size)
{
	const struct phyr_vec *vec =
		&((const struct phyr_list_dump *)list)->vecs[i];

	return name_piece(vec->paddr, vec->len, i, room, text, size);
}

static int range_name(const void *list, size_t i, int room, char *text,
		      size_t size)
{
	const struct phyr_range *range =
		&((const struct phyr_ranges_dump *)list)->ranges[i];

	return name_piece(range->addr, range->len, i, room, text, size);
}

void draw_lists(const struct phyr_list_dump *list,
		const struct phyr_ranges_dump *ranges)
{
	const struct row above = {
		"phyr list", list->nr, list->size, vec_len, vec_name, list,
	};
	const struct row below = {
		"dma_range list", ranges->nr, list->size, range_len, range_name,
		ranges,
	};
	char size[SIZE_TEXT];
	struct seams upper, lower;

	row_seams(&above, &upper);
	row_seams(&below, &lower);
	printf(LABEL "0%*s\n", "buffer's byte", COLUMNS,
	       format_size(list->size, size));
	rule(NULL, &upper);
	draw_row(&above, &upper);
	rule(&upper, &lower);
	draw_row(&below, &lower);
	rule(&lower, NULL);
}

void draw_vecs(const struct phyr_list_dump *list, unsigned int max)
{
	char len[SIZE_TEXT];
	uint64_t at = 0;

	printf("  %6s  %18s  %10s  %14s  %14s  %s\n", "phyr", "physical", "bytes",
	       "in VRAM at", "in buffer at", "pfn_valid");
	for (size_t i = 0; i < list->nr && i < max; i++) {
		const struct phyr_vec *vec = &list->vecs[i];

		printf("  %6zu  %#18" PRIx64 "  %10s  %#14" PRIx64 "  %#14" PRIx64
		       "  %s\n", i, vec->paddr, format_size(vec->len, len),
		       vec->offset, at, vec->pages ? "true" : "false");
		at += vec->len;
	}
	if (list->nr > max)
		printf("  %6s  and %zu more\n", "", list->nr - max);
}

void draw_ranges(const struct phyr_ranges_dump *ranges, unsigned int max)
{
	char len[SIZE_TEXT];
	uint64_t at = 0;

	printf("  %6s  %18s  %10s  %14s\n", "range", "DMA address", "bytes",
	       "in buffer at");
	for (size_t i = 0; i < ranges->nr && i < max; i++) {
		const struct phyr_range *range = &ranges->ranges[i];

		printf("  %6zu  %#18" PRIx64 "  %10s  %#14" PRIx64 "\n", i,
		       range->addr, format_size(range->len, len), at);
		at += range->len;
	}
	if (ranges->nr > max)
		printf("  %6s  and %zu more\n", "", ranges->nr - max);
}

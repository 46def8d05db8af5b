// SPDX-License-Identifier: MIT
/* What the subtests compose: see whole.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "ledger.h"
#include "whole.h"

/*
 * Sources
 */

/* The carve-outs on the kernel's command line. */
static unsigned int nr_carveouts(void)
{
	FILE *file = fopen("/proc/cmdline", "re");
	char line[2048] = "", *at;
	unsigned int nr = 0;

	igt_assert(file && fgets(line, sizeof(line), file));
	fclose(file);
	at = strstr(line, "phyr_carveout.regions=");
	for (; at && *at && *at != ' ' && *at != '\n'; at++)
		nr += *at == '@';
	return nr;
}

bool has_memory(enum memory memory)
{
	return (memory != CARVEOUT && memory != CARVEOUT_PAGES) ||
	       memory - CARVEOUT < nr_carveouts();
}

void require_memory(enum memory memory)
{
	igt_require_f(has_memory(memory),
		      "vm/run gave the guest no such carve-out\n");
}

static void add_import(struct source *source, int engine)
{
	source->mem = map_dmabuf(source->dmabuf, source->size);
	source->handle = import_buffer(engine, source->dmabuf);
}

struct source open_on_card(int engine, int index, uint64_t size,
			   uint32_t placement, uint64_t max_extent)
{
	struct source source = {
		.memory = placement == IN_SYSTEM ? RAM :
			  index ? OTHER_CARD : VRAM,
		.card = open_vram(index), .index = index, .size = size,
	};

	source.buffer = create_vram(source.card, size, placement, max_extent);
	source.dmabuf = export_buffer(source.card, source.buffer);
	add_import(&source, engine);
	return source;
}

struct source open_user(int engine, uint64_t skip, uint64_t size,
			uint32_t flags)
{
	struct source source = {
		.memory = USER, .card = -1, .dmabuf = -1, .size = size,
	};

	source.mem = mmap(NULL, skip + size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	igt_assert(source.mem != MAP_FAILED);
	source.mem += skip;
	source.handle = create_user(engine, source.mem, size, flags);
	return source;
}

static struct source open_carveout(int engine, enum memory memory,
				   uint64_t size)
{
	struct carveout carveout = load_carveout(memory - CARVEOUT);
	struct source source = {
		.memory = memory, .card = -1, .size = size,
		.dmabuf = alloc_heap(carveout.heap, size),
	};

	add_import(&source, engine);
	return source;
}

struct source open_source(int engine, enum memory memory, uint64_t size)
{
	switch (memory) {
	case USER:
		return open_user(engine, 0, size, 0);
	case CARVEOUT:
	case CARVEOUT_PAGES:
		return open_carveout(engine, memory, size);
	default:
		return open_on_card(engine, memory == OTHER_CARD, size,
				    memory == RAM ? IN_SYSTEM : IN_VRAM,
				    SZ_4K);
	}
}

void close_source(const struct source *source)
{
	uint64_t skip = (uintptr_t)source->mem % SZ_4K;

	unmap(source->mem - skip, skip + source->size);
	if (source->dmabuf >= 0)
		close(source->dmabuf);
	if (source->card >= 0)
		close(source->card);
}

void close_sources(const struct source *sources, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		close_source(&sources[i]);
}

struct source source_in(const struct source *source, int engine)
{
	struct source other = *source;

	other.handle = import_buffer(engine, source->dmabuf);
	return other;
}

int try_move_source(const struct source *source, uint32_t placement)
{
	return try_move_buffer(source->card, source->buffer, placement);
}

void move_source(const struct source *source, uint32_t placement)
{
	move_buffer(source->card, source->buffer, placement);
}

/*
 * Wholes
 */

struct whole make_whole(int engine, const struct source *sources,
			unsigned int nr_sources, const struct piece *pieces,
			unsigned int nr)
{
	struct whole whole = {
		.engine = engine, .sources = sources,
		.nr_sources = nr_sources, .pieces = pieces, .nr = nr,
	};
	struct drm_phyr_copy_part *parts = calloc(nr, sizeof(*parts));

	igt_assert(parts);
	for (unsigned int i = 0; i < nr; i++) {
		parts[i] = part_of(sources[pieces[i].source].handle,
				   pieces[i].offset, pieces[i].len);
		whole.size += pieces[i].len;
	}
	whole.handle = compose(engine, parts, nr);
	free(parts);
	return whole;
}

static uint64_t pinned_before;

/* If a subtest failed, something stays. */
void settle(void)
{
	static struct ledger idle;
	static bool known;
	struct ledger now = ledger_now();

	if (!known)
		idle = now;
	known = true;
	for (int tries = 0; tries < 300 && memcmp(&now, &idle, sizeof(now));
	     tries++) {
		usleep(100000);
		now = ledger_now();
	}
	idle = now;
	pinned_before = now.pinned;
}

void wait_for_unpin(void)
{
	for (int tries = 0; tries < 300 && pinned_bytes() > pinned_before;
	     tries++)
		usleep(100000);
	igt_assert_lte_u64(pinned_bytes(), pinned_before);
}

void close_whole(const struct whole *whole)
{
	igt_assert_eq(phyr_close_handle(whole->engine, whole->handle), 0);
}

void fill_source(const struct whole *whole, unsigned int number, uint8_t *bytes,
		 uint64_t seed)
{
	uint64_t at = 0;

	memset(bytes, GUARD, whole->sources[number].size);
	for (unsigned int i = 0; i < whole->nr; i++) {
		const struct piece *piece = &whole->pieces[i];

		if (piece->source == number)
			phyr_fill(bytes + piece->offset, seed, at, piece->len);
		at += piece->len;
	}
}

void write_whole(const struct whole *whole, uint64_t seed)
{
	for (unsigned int i = 0; i < whole->nr_sources; i++)
		fill_source(whole, i, whole->sources[i].mem, seed);
}

static void assert_source(const struct whole *whole, unsigned int number,
			  uint64_t seed)
{
	const struct source *source = &whole->sources[number];
	uint8_t *want = malloc(source->size);
	uint64_t at = 0;

	igt_assert(want);
	fill_source(whole, number, want, seed);
	if (memcmp(want, source->mem, source->size)) {
		while (want[at] == source->mem[at])
			at++;
		igt_assert_f(false, "byte %" PRIu64 " of source %u (memory %d) is %#x, not %#x\n",
			     at, number, source->memory, source->mem[at],
			     want[at]);
	}
	free(want);
}

void assert_whole(const struct whole *whole, uint64_t seed)
{
	for (unsigned int i = 0; i < whole->nr_sources; i++)
		assert_source(whole, i, seed);
}

void copy_to_whole(const struct whole *whole, uint64_t seed)
{
	uint32_t own = create_own(whole->engine, whole->size);
	uint8_t *mem = map_own(whole->engine, own, whole->size);

	phyr_fill(mem, seed, 0, whole->size);
	copy_bytes(whole->engine, own, whole->handle, whole->size);
	unmap(mem, whole->size);
	igt_assert_eq(phyr_close_handle(whole->engine, own), 0);
}

void assert_copy_of_whole(const struct whole *whole, uint64_t seed)
{
	uint32_t own = create_own(whole->engine, whole->size);
	uint8_t *mem = map_own(whole->engine, own, whole->size);

	copy_bytes(whole->engine, whole->handle, own, whole->size);
	assert_bytes(mem, seed, 0, whole->size);
	unmap(mem, whole->size);
	igt_assert_eq(phyr_close_handle(whole->engine, own), 0);
}

void assert_part(const struct whole *whole, uint64_t seed, uint64_t offset,
		 uint64_t len)
{
	uint64_t start = 0;

	for (unsigned int i = 0; i < whole->nr; i++) {
		const struct piece *piece = &whole->pieces[i];
		uint64_t end = start + piece->len;
		uint64_t from = offset > start ? offset : start;
		uint64_t to = offset + len < end ? offset + len : end;

		if (from < to)
			assert_bytes(whole->sources[piece->source].mem +
				     piece->offset + from - start, seed, from,
				     to - from);
		start = end;
	}
}

/* The bytes around @seam: a copy from there, and one to there. */
#define AROUND	101

static void verify_seam(const struct whole *whole, uint32_t own, uint8_t *mem,
			uint64_t seam)
{
	uint64_t from = seam > AROUND ? seam - AROUND : 0;
	uint64_t len = whole->size - from;

	if (len > 2 * AROUND)
		len = 2 * AROUND;
	copy_part(whole->engine, whole->handle, from, own, 3, len);
	assert_bytes(mem + 3, SEED + 1, from, len);
	phyr_fill(mem + 3, SEED + 2, from, len);
	copy_part(whole->engine, own, 3, whole->handle, from, len);
	assert_part(whole, SEED + 2, from, len);
	phyr_fill(mem + 3, SEED + 1, from, len);
	copy_part(whole->engine, own, 3, whole->handle, from, len);
}

void verify_whole(const struct whole *whole)
{
	uint32_t own = create_own(whole->engine, SZ_4K);
	uint8_t *mem = map_own(whole->engine, own, SZ_4K);
	unsigned int step = whole->nr / 32 + 1;
	uint64_t seam = 0;

	write_whole(whole, SEED);
	assert_copy_of_whole(whole, SEED);
	copy_to_whole(whole, SEED + 1);
	assert_whole(whole, SEED + 1);
	for (unsigned int i = 0; i + 1 < whole->nr; i++) {
		seam += whole->pieces[i].len;
		if (i % step == 0)
			verify_seam(whole, own, mem, seam);
	}
	assert_whole(whole, SEED + 1);
	unmap(mem, SZ_4K);
	igt_assert_eq(phyr_close_handle(whole->engine, own), 0);
}

/*
 * DMA ranges
 */

/**
 * struct run - bytes that are contiguous in their memory
 * @addr: physical address, or the lowest that it may be
 * @end: likewise, the end
 * @len: bytes
 * @peer: memory of a device
 * @bus: the engine uses its bus address
 */
struct run {
	uint64_t addr;
	uint64_t end;
	uint64_t len;
	bool peer;
	bool bus;
};

/**
 * struct runs - the runs of a whole
 * @run: the runs
 * @nr: number of @run
 * @translated: behind an IOMMU
 * @on_switch: behind a switch with the first card
 */
struct runs {
	struct run *run;
	size_t nr;
	bool translated;
	bool on_switch;
};

static void add_run(struct runs *runs, struct run run)
{
	runs->run = realloc(runs->run, (runs->nr + 1) * sizeof(run));
	igt_assert(runs->run);
	runs->run[runs->nr++] = run;
}

static void add_runs_on_card(struct runs *runs, const struct source *source,
			     const struct phyr_list_dump *list, uint64_t offset,
			     uint64_t len)
{
	uint64_t start = 0;

	for (size_t i = 0; i < list->nr && start < offset + len; i++) {
		uint64_t end = start + list->vecs[i].len;
		uint64_t from = offset > start ? offset : start;
		uint64_t to = offset + len < end ? offset + len : end;
		uint64_t addr = list->vecs[i].paddr + from - start;

		/* The second card is not behind the engine's switch. */
		if (from < to)
			add_run(runs, (struct run){
				.addr = addr, .end = addr + to - from,
				.len = to - from, .peer = list->in_vram,
				.bus = list->in_vram && !source->index &&
				       runs->on_switch,
			});
		start = end;
	}
}

static void add_runs(struct runs *runs, const struct source *source,
		     const struct phyr_list_dump *list, uint64_t offset,
		     uint64_t len)
{
	struct run run = { .end = UINT64_MAX, .len = len };

	if (source->card >= 0) {
		add_runs_on_card(runs, source, list, offset, len);
		return;
	}
	if (source->memory != USER) {
		struct carveout carveout =
			load_carveout(source->memory - CARVEOUT);

		run.addr = carveout.start;
		run.end = carveout.start + carveout.len;
	}
	add_run(runs, run);
}

/* One per source; empty for those that are on no card. */
static struct phyr_list_dump *read_lists(const struct whole *whole)
{
	struct phyr_list_dump *lists = calloc(whole->nr_sources,
					      sizeof(*lists));

	igt_assert(lists);
	for (unsigned int i = 0; i < whole->nr_sources; i++) {
		const struct source *source = &whole->sources[i];
		struct phyr_device card;

		if (source->card < 0)
			continue;
		card = vram_device(source->index);
		igt_assert_eq(phyr_list_dump_read(&card,
						  vram_info(source->card,
							    source->buffer).id,
						  &lists[i]), 0);
	}
	return lists;
}

static void free_lists(const struct whole *whole, struct phyr_list_dump *lists)
{
	for (unsigned int i = 0; i < whole->nr_sources; i++)
		phyr_list_dump_free(&lists[i]);
	free(lists);
}

static const char *mode_of(const struct runs *runs, const struct run *run,
			   const struct source *source)
{
	if (run->bus)
		return "bus";
	if (runs->translated)
		return "iova";
	return run->peer || source->memory == CARVEOUT ||
	       source->memory == CARVEOUT_PAGES ? "window" : "extent";
}

/* The runs of the whole; and its mode. */
static struct runs expected_runs(const struct whole *whole, const char **mode)
{
	struct phyr_list_dump *lists = read_lists(whole);
	struct runs runs = {
		.translated = iommu_is_on(), .on_switch = is_on_switch(),
	};

	*mode = NULL;
	for (unsigned int i = 0; i < whole->nr; i++) {
		const struct piece *piece = &whole->pieces[i];
		const struct source *source = &whole->sources[piece->source];
		const char *its_mode;
		size_t before = runs.nr;

		add_runs(&runs, source, &lists[piece->source], piece->offset,
			 piece->len);
		its_mode = mode_of(&runs, &runs.run[before], source);
		if (*mode && strcmp(*mode, its_mode))
			its_mode = "mixed";
		*mode = its_mode;
	}
	free_lists(whole, lists);
	return runs;
}

/* Take @len bytes of the run, which are at @addr. */
static void assert_run(const struct runs *runs, struct run *run,
		       const struct phyr_range *range, uint64_t addr,
		       uint64_t len)
{
	bool exact = run->end - run->addr == run->len;

	igt_assert_f(range->peer == run->peer && range->bus == run->bus,
		     "the range at %#" PRIx64 " has the flags %s%s, expected %s%s\n",
		     range->addr, range->bus ? "bus " : "",
		     range->peer ? "peer" : "", run->bus ? "bus " : "",
		     run->peer ? "peer" : "");
	if (!runs->translated || run->bus)
		igt_assert_f(exact ? addr == run->addr :
			     addr >= run->addr && addr + len <= run->end,
			     "%#" PRIx64 " + %#" PRIx64 " should be at %#" PRIx64
			     "\n", addr, len, run->addr);
	if (exact)
		run->addr += len;
	run->len -= len;
}

static void assert_run_by_run(const struct phyr_ranges_dump *ranges,
			      struct runs *runs)
{
	uint64_t next = 0;
	size_t at = 0;

	for (size_t i = 0; i < ranges->nr; i++) {
		const struct phyr_range *range = &ranges->ranges[i];
		uint64_t done = 0, len;

		for (; done < range->len; done += len) {
			igt_assert(at < runs->nr);
			len = runs->run[at].len;
			if (len > range->len - done)
				len = range->len - done;
			assert_run(runs, &runs->run[at], range,
				   range->addr + done, len);
			at += !runs->run[at].len;
		}
		/* All that is translated is one run of IOVAs. */
		if (!runs->translated || range->bus)
			continue;
		if (next)
			igt_assert_eq_u64(range->addr, next);
		next = range->addr + range->len;
	}
	igt_assert_eq_u64(at, runs->nr);
}

/* A new range begins where the flags change. */
static size_t count_flags(const struct runs *runs)
{
	size_t nr = 1;

	for (size_t i = 1; i < runs->nr; i++)
		nr += runs->run[i].peer != runs->run[i - 1].peer ||
		      runs->run[i].bus != runs->run[i - 1].bus;
	return nr;
}

void assert_ranges(const struct whole *whole, const struct phyr_device *engine)
{
	const struct piece *first = &whole->pieces[0];
	uint64_t page = (uintptr_t)whole->sources[first->source].mem +
			first->offset;
	struct drm_phyr_copy_gem_info info;
	struct phyr_ranges_dump ranges;
	const char *mode;
	struct runs runs = expected_runs(whole, &mode);

	igt_assert_eq(phyr_copy_gem_info(whole->engine, whole->handle, &info),
		      0);
	igt_assert_eq(phyr_ranges_dump_read(engine, info.id, &ranges), 0);
	igt_assert(ranges.composed);
	igt_assert_eq_u64(ranges.size, whole->size);
	igt_assert_eq_u64(ranges.offset, 0);
	igt_assert_f(!strcmp(ranges.mode, mode), "mode '%s', expected '%s'\n",
		     ranges.mode, mode);
	igt_assert_eq_u64(ranges.ranges[0].addr % SZ_4K, page % SZ_4K);
	if (runs.translated && !runs.on_switch)
		igt_assert_eq_u64(ranges.nr, count_flags(&runs));
	assert_run_by_run(&ranges, &runs);
	phyr_ranges_dump_free(&ranges);
	free(runs.run);
}

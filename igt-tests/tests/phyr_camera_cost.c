// SPDX-License-Identifier: MIT
#include <time.h>

#include "video.h"

IGT_TEST_DESCRIPTION("What queueing a buffer costs, in a guest whose time counts instructions (vm/run --icount)");

#define REPEATS		9
#define MAX_EXTENT	SZ_64K
/* A frame of the camera and of the null nodes, in whole pages. */
#define FULL_HD		(1920 * 1080 * 4ull)
#define SMALL		(640 * 480 * 4ull)

/* With vm/run --icount a guest nanosecond is half an instruction. */
#define INSTRUCTIONS_PER_NS	0.5

/* Time of this thread in kernel and user mode, without waiting. */
static uint64_t now(void)
{
	struct timespec time;

	igt_assert(!clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time));
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static uint64_t cost_of_queueing(const struct video *video, uint32_t index,
				 int dmabuf)
{
	uint64_t start = now();

	igt_assert_eq(try_video_queue(video, index, &dmabuf), 0);
	return (now() - start) * INSTRUCTIONS_PER_NS;
}

static void keep_least(uint64_t *least, uint64_t cost)
{
	if (!*least || cost < *least)
		*least = cost;
}

/**
 * struct costs - instructions of a QBUF, the least of several
 * @first: of a buffer that the queue does not know
 * @same: of one that it knows, at the index where it was
 * @other: at another index
 */
struct costs {
	uint64_t first;
	uint64_t same;
	uint64_t other;
};

/* Two buffers at three indices while streaming, so that the cache is used. */
static struct costs measure(struct video video, const int *dmabufs,
			    const char *what)
{
	struct costs costs = { 0 };

	for (int round = 0; round < REPEATS; round++) {
		video_request(&video, V4L2_MEMORY_DMABUF, 3);
		video_start(&video);
		for (int i = 0; i < 2; i++) {
			keep_least(&costs.first,
				   cost_of_queueing(&video, i, dmabufs[i]));
			video_take(&video);
		}
		for (int i = 0; i < 2; i++) {
			keep_least(&costs.same,
				   cost_of_queueing(&video, i, dmabufs[i]));
			video_take(&video);
		}
		for (int i = 0; i < 2; i++) {
			keep_least(&costs.other,
				   cost_of_queueing(&video, i, dmabufs[!i]));
			video_take(&video);
		}
		video_stop(&video);
		video_request(&video, V4L2_MEMORY_DMABUF, 0);
	}
	close_video(&video);
	igt_info("Figures: %s: first %llu, again %llu, at another index %llu instructions a QBUF\n",
		 what, (unsigned long long)costs.first,
		 (unsigned long long)costs.same,
		 (unsigned long long)costs.other);
	return costs;
}

static struct video open_full_hd(void)
{
	struct video video = open_video();

	video_set_format(&video, 1920, 1080, V4L2_PIX_FMT_XBGR32, 0);
	return video;
}

static void assert_cheap(struct costs costs)
{
	igt_assert_f(costs.same * 10 <= costs.first,
		     "again: %llu instructions, more than a tenth of %llu\n",
		     (unsigned long long)costs.same,
		     (unsigned long long)costs.first);
	igt_assert_f(costs.other * 10 <= costs.first,
		     "at another index: %llu instructions, more than a tenth of %llu\n",
		     (unsigned long long)costs.other,
		     (unsigned long long)costs.first);
}

/* Untranslated VRAM is mapped once as a whole: there is nothing to save. */
static void assert_no_map(struct costs costs)
{
	igt_assert_f(costs.first <= 2 * costs.same,
		     "first: %llu instructions, more than twice %llu\n",
		     (unsigned long long)costs.first,
		     (unsigned long long)costs.same);
}

static void vram(void)
{
	struct costs costs;
	int card = open_vram(0), dmabufs[2];

	for (int i = 0; i < 2; i++)
		dmabufs[i] = create_dmabuf(card, FULL_HD, MAX_EXTENT);
	costs = measure(open_full_hd(), dmabufs, "VRAM in 127 pieces");
	if (iommu_is_on())
		assert_cheap(costs);
	else
		assert_no_map(costs);
	for (int i = 0; i < 2; i++)
		close(dmabufs[i]);
	close(card);
}

static void ram(void)
{
	int dmabufs[2];

	for (int i = 0; i < 2; i++)
		dmabufs[i] = create_udmabuf(FULL_HD);
	assert_cheap(measure(open_full_hd(), dmabufs, "pages of udmabuf"));
	for (int i = 0; i < 2; i++)
		close(dmabufs[i]);
}

/* Stock operations detach the previous buffer of an index. */
static void stock(void)
{
	static const char *const kinds[] = { "dma-contig", "dma-sg" };
	struct costs phyr, other;
	int dmabufs[2];

	igt_require_f(iommu_is_on(), "without an IOMMU, pages are not contiguous\n");
	for (int i = 0; i < 2; i++)
		dmabufs[i] = create_udmabuf(SMALL);
	phyr = measure(open_null_video("phyr"), dmabufs, "phyr, udmabuf");
	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
		char what[64];

		snprintf(what, sizeof(what), "%s, udmabuf", kinds[i]);
		other = measure(open_null_video(kinds[i]), dmabufs, what);
		igt_assert_f(phyr.other * 10 <= other.other,
			     "%llu instructions, with %s %llu\n",
			     (unsigned long long)phyr.other, kinds[i],
			     (unsigned long long)other.other);
		igt_assert_f(phyr.same <= 2 * other.same,
			     "%llu instructions, with %s %llu\n",
			     (unsigned long long)phyr.same, kinds[i],
			     (unsigned long long)other.same);
	}
	for (int i = 0; i < 2; i++)
		close(dmabufs[i]);
}

igt_main()
{
	igt_describe("VRAM: queueing again costs at most a tenth of the first time, or nothing is mapped");
	igt_subtest("vram")
		vram();

	igt_describe("Another exporter's pages: queueing again costs at most a tenth of the first time");
	igt_subtest("ram")
		ram();

	igt_describe("Compared with videobuf2's own operations: another index costs a tenth, the same index at most twice as much");
	igt_subtest("stock")
		stock();
}

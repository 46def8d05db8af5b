// SPDX-License-Identifier: GPL-2.0
/*
 * Poison in free VRAM
 */
#include <kunit/test.h>

#include "redirect.h"
#include "../poison.c"

/* What card_create() fills VRAM with */
static void expect_untouched(struct kunit *test, struct card *card, u64 start,
			     u64 end)
{
	KUNIT_EXPECT_NULL(test, memchr_inv(card->bytes + start, CARD_FILL,
					   end - start));
}

static void vram_poison_fill_keeps_to_its_range(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	u64 *words = (u64 *)card->bytes;
	int i;

	vram_poison_fill(card->vram, SZ_4K, SZ_8K);
	expect_untouched(test, card, 0, SZ_4K);
	for (i = SZ_4K / 8; i < (SZ_4K + SZ_8K) / 8; i++)
		KUNIT_EXPECT_EQ(test, words[i], VRAM_POISON);
	expect_untouched(test, card, SZ_4K + SZ_8K, SZ_1M);
}

static void vram_poison_check_of_each_border(struct kunit *test)
{
	static const u64 written[] = { SZ_4K, SZ_4K + 7, SZ_8K, SZ_16K - 1 };
	static const u64 outside[] = { SZ_4K - 1, SZ_16K };
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_device *vram = card->vram;
	int i;

	kunit_warning_suppress(test) {
		for (i = 0; i < ARRAY_SIZE(outside); i++) {
			vram_poison_fill(vram, 0, SZ_1M);
			card->bytes[outside[i]] ^= 0x80;
			vram_poison_check(vram, SZ_4K, SZ_16K - SZ_4K);
			KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
		}
		for (i = 0; i < ARRAY_SIZE(written); i++) {
			vram_poison_fill(vram, 0, SZ_1M);
			card->bytes[written[i]] ^= 0x80;
			vram_poison_check(vram, SZ_4K, SZ_16K - SZ_4K);
			KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, i + 1);
		}
	}
}

static void vram_poison_unplugged(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);

	card_unplug(card);
	vram_poison_fill(card->vram, 0, SZ_1M);
	expect_untouched(test, card, 0, SZ_1M);
	/* The check does not read either: it would warn. */
	vram_poison_check(card->vram, 0, SZ_1M);
}

static struct kunit_case vram_poison_cases[] = {
	KUNIT_CASE(vram_poison_fill_keeps_to_its_range),
	KUNIT_CASE(vram_poison_check_of_each_border),
	KUNIT_CASE(vram_poison_unplugged),
	{}
};

static struct kunit_suite vram_poison_suite = {
	.name = "phyr_vram_poison",
	.test_cases = vram_poison_cases,
};

kunit_test_suite(vram_poison_suite);

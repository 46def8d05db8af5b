// SPDX-License-Identifier: GPL-2.0
/*
 * CPU mappings of buffers for the kernel
 */
#include <drm/phyr_vram_drm.h>
#include <kunit/test.h>

#include "redirect.h"
#include "../vmap.c"

#define PAGES(n)	((u64)(n) << PAGE_SHIFT)
#define SYSTEM_ONLY	DRM_PHYR_VRAM_PLACE_SYSTEM
#define ANYWHERE	(DRM_PHYR_VRAM_PLACE_VRAM | SYSTEM_ONLY)

static int vmap_of(struct vram_bo *bo, struct iosys_map *map)
{
	int ret;

	dma_resv_lock(bo->tbo.base.resv, NULL);
	ret = vram_vmap(&bo->tbo.base, map);
	dma_resv_unlock(bo->tbo.base.resv);
	return ret;
}

static void vunmap_of(struct vram_bo *bo, struct iosys_map *map)
{
	dma_resv_lock(bo->tbo.base.resv, NULL);
	vram_vunmap(&bo->tbo.base, map);
	dma_resv_unlock(bo->tbo.base.resv);
}

static void vram_vmap_one_piece(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(4), ANYWHERE, 0);
	struct iosys_map map = {};

	KUNIT_ASSERT_EQ(test, vmap_of(bo, &map), 0);
	KUNIT_EXPECT_TRUE(test, map.is_iomem);
	KUNIT_EXPECT_EQ(test, map.vaddr_iomem - card->vram->io,
			vram_resource_offset(bo->tbo.resource));
	KUNIT_EXPECT_EQ(test, bo->tbo.pin_count, 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&card->vram->io_maps), 1);
	vunmap_of(bo, &map);
	KUNIT_EXPECT_EQ(test, bo->tbo.pin_count, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&card->vram->io_maps), 0);
}

static void vram_vmap_fragmented(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(9), ANYWHERE, PAGES(2));
	struct iosys_map map = {};
	unsigned long pfn;
	u32 i;

	if (!IS_ENABLED(CONFIG_VMAP_PFN))
		kunit_skip(test, "the kernel has no vmap_pfn()");
	KUNIT_ASSERT_EQ(test, vmap_of(bo, &map), 0);
	for (i = 0; i < 9; i++) {
		pfn = vmalloc_to_pfn((void __force *)map.vaddr_iomem +
				     PAGES(i));
		KUNIT_EXPECT_EQ(test, PAGES(pfn) - CARD_BAR,
				card_bo_page(card, bo, i) - card->bytes);
	}
	vunmap_of(bo, &map);
	KUNIT_EXPECT_EQ(test, bo->tbo.pin_count, 0);
}

static void vram_vmap_system(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(3), SYSTEM_ONLY, 0);
	struct iosys_map map = {};

	KUNIT_ASSERT_EQ(test, vmap_of(bo, &map), 0);
	KUNIT_EXPECT_FALSE(test, map.is_iomem);
	KUNIT_EXPECT_NULL(test, memchr_inv(map.vaddr, 0, PAGES(3)));
	KUNIT_EXPECT_EQ(test, atomic_read(&card->vram->io_maps), 0);
	vunmap_of(bo, &map);
	KUNIT_EXPECT_EQ(test, bo->tbo.pin_count, 0);
}

/* Check for a dummy mapping: one page repeated, outside VRAM. */
static void dummy_check(struct kunit *test, struct card *card,
			struct vram_bo *bo)
{
	struct iosys_map map = {};

	KUNIT_ASSERT_EQ(test, vmap_of(bo, &map), 0);
	KUNIT_EXPECT_FALSE(test, map.is_iomem);
	KUNIT_EXPECT_NULL(test, memchr_inv(map.vaddr, 0, PAGES(3)));
	memset(map.vaddr, 0x42, PAGE_SIZE);
	KUNIT_EXPECT_NULL(test, memchr_inv(map.vaddr, 0x42, PAGES(3)));
	KUNIT_EXPECT_EQ(test, bo->tbo.pin_count, 0);
	vunmap_of(bo, &map);
	KUNIT_EXPECT_EQ(test, bo->tbo.pin_count, 0);
	KUNIT_EXPECT_TRUE(test, iosys_map_is_null(&map));
}

static void vram_vmap_revoked(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(3), ANYWHERE, 0);

	vram_bos_revoke(card->vram);
	dummy_check(test, card, bo);
	vram_bos_rearm(card->vram);
}

static void vram_vmap_unplugged(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGES(3), ANYWHERE, 0);

	card_unplug(card);
	dummy_check(test, card, bo);
}

static struct kunit_case vram_vmap_cases[] = {
	KUNIT_CASE(vram_vmap_one_piece),
	KUNIT_CASE(vram_vmap_fragmented),
	KUNIT_CASE(vram_vmap_system),
	KUNIT_CASE(vram_vmap_revoked),
	KUNIT_CASE(vram_vmap_unplugged),
	{}
};

static struct kunit_suite vram_vmap_suite = {
	.name = "phyr_vram_vmap",
	.test_cases = vram_vmap_cases,
};

kunit_test_suite(vram_vmap_suite);

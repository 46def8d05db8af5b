// SPDX-License-Identifier: GPL-2.0
/*
 * A card for KUnit tests
 */
#include <drm/drm_drv.h>
#include <drm/drm_kunit_helpers.h>
#include <drm/drm_managed.h>
#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_tt.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/vmalloc.h>

#include "card.h"

static unsigned long long seed;
module_param(seed, ullong, 0400);
MODULE_PARM_DESC(seed, "Seed of random tests (default: 0, a random seed; each test prints it)");

/* Not locked: tests run one after the other. */
static int fail_after = -1;

KUNIT_DEFINE_ACTION_WRAPPER(card_vfree, vfree, void *);
KUNIT_DEFINE_ACTION_WRAPPER(card_mem_put, phyr_mem_put, struct phyr_mem *);
KUNIT_DEFINE_ACTION_WRAPPER(card_bo_put_action, vram_bo_put, struct vram_bo *);
KUNIT_DEFINE_ACTION_WRAPPER(card_fronts_stop, vram_fronts_stop,
			    struct vram_display *);

static void card_xa_destroy(void *bos)
{
	xa_destroy(bos);
}

static void card_stop_failing(void *unused)
{
	fail_after = -1;
}

/* Actions run in reverse order: the memory is freed after the device. */
static void card_create_vram(struct kunit *test, struct card *card, u64 size)
{
	card->size = size;
	card->bytes = vmalloc(size);
	KUNIT_ASSERT_NOT_NULL(test, card->bytes);
	memset(card->bytes, CARD_FILL, size);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, card_vfree,
							   card->bytes));
}

static struct phyr_mem *card_mem(struct kunit *test, struct phyr_mem *mem)
{
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mem);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, card_mem_put,
							   mem));
	return mem;
}

static const struct file_operations card_fops = {
	.owner = THIS_MODULE,
};

static const struct drm_driver card_driver = {
	.driver_features = DRIVER_GEM,
	.fops = &card_fops,
};

/**
 * card_create - create a card without buffers
 * @test: the test; owns the card
 * @size: bytes of VRAM
 * @reserved: bytes at the start of VRAM to exclude from allocation
 *
 * Return: the card.
 */
struct card *card_create(struct kunit *test, u64 size, u64 reserved)
{
	struct vram_device *vram;
	struct phyr_mem *mem, *ram;
	struct device *dev;
	struct card *card;

	card = kunit_kzalloc(test, sizeof(*card), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, card);
	card_create_vram(test, card, size);
	mem = card_mem(test, phyr_mem_create_carveout(CARD_BAR, size,
						      PHYR_MEM_WC));
	ram = card_mem(test, phyr_mem_create_ram());

	dev = drm_kunit_helper_alloc_device(test);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	vram = drm_kunit_helper_alloc_drm_device_with_driver(test, dev,
							     struct vram_device,
							     drm, &card_driver);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vram);

	vram->mem = mem;
	vram->ram = ram;
	vram->io = (void __force __iomem *)card->bytes;
	init_rwsem(&vram->reset_lock);
	xa_init_flags(&vram->bos, XA_FLAGS_ALLOC1);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
							   card_xa_destroy,
							   &vram->bos));
	KUNIT_ASSERT_EQ(test, 0, vram_users_init(vram));
	KUNIT_ASSERT_EQ(test, 0, vram_ttm_init(vram));
	KUNIT_ASSERT_EQ(test, 0, vram_mgr_init(vram, size, reserved));
	card->vram = vram;
	return card;
}

/**
 * card_create_display - create a card with a display that has fronts
 * @test: the test; owns the card
 * @size: bytes of VRAM
 * @reserved: bytes at the start of VRAM to exclude from allocation
 *
 * The last quarter of VRAM is for buffers that may only be in VRAM.
 *
 * Return: the card.
 */
struct card *card_create_display(struct kunit *test, u64 size, u64 reserved)
{
	struct card *card = card_create(test, size, reserved);
	struct vram_display *display;

	/* A lock of it is destroyed with the device. */
	display = drmm_kzalloc(&card->vram->drm, sizeof(*display), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, display);
	display->vram = card->vram;
	KUNIT_ASSERT_EQ(test, vram_fronts_init(display), 0);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
							   card_fronts_stop,
							   display));
	card->vram->display = display;
	vram_mgr_reserve_scanout(&card->vram->mgr);
	return card;
}

/**
 * card_unplug - make drm_dev_enter() fail
 * @card: the card
 */
void card_unplug(struct card *card)
{
	card->vram->drm.unplugged = true;
}

/**
 * card_bo - create a buffer
 * @test: the test; owns the reference
 * @card: the card
 * @size: bytes
 * @placement: DRM_PHYR_VRAM_PLACE_*
 * @max_extent: bytes, or 0
 *
 * Return: the buffer.
 */
struct vram_bo *card_bo(struct kunit *test, struct card *card, u64 size,
			u32 placement, u64 max_extent)
{
	struct vram_bo *bo = vram_gem_create(card->vram, NULL, size,
					     placement, max_extent);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, bo);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
							   card_bo_put_action,
							   bo));
	return bo;
}

/**
 * card_bo_put - drop the reference of card_bo() before the test ends
 * @test: the test
 * @bo: the buffer
 */
void card_bo_put(struct kunit *test, struct vram_bo *bo)
{
	kunit_release_action(test, card_bo_put_action, bo);
}

/**
 * card_bo_page - find the bytes of one page of a buffer
 * @card: the card
 * @bo: the buffer, in VRAM or in system memory and populated
 * @page: number of the page in the buffer
 *
 * Return: the page's bytes; NULL if the buffer in VRAM has no such page.
 */
u8 *card_bo_page(struct card *card, struct vram_bo *bo, u32 page)
{
	struct gpu_buddy_block *block;
	u64 len;

	if (bo->place != TTM_PL_VRAM)
		return page_address(bo->tbo.ttm->pages[page]);

	list_for_each_entry(block, &to_vram_resource(bo->tbo.resource)->blocks,
			    link) {
		len = gpu_buddy_block_size(&card->vram->mgr.buddy, block) >>
		      PAGE_SHIFT;
		if (page < len)
			return card->bytes + gpu_buddy_block_offset(block) +
			       ((u64)page << PAGE_SHIFT);
		page -= len;
	}
	return NULL;
}

/**
 * card_bo_fill - write a different byte into each page of a buffer
 * @card: the card
 * @bo: the buffer, in VRAM or in system memory and populated
 * @first: byte for the first page; each next page gets one more
 */
void card_bo_fill(struct card *card, struct vram_bo *bo, u8 first)
{
	u32 i;

	for (i = 0; i < PFN_UP(bo->tbo.base.size); i++)
		memset(card_bo_page(card, bo, i), first + i, PAGE_SIZE);
}

/**
 * card_bo_expect_filled - check that a buffer has the bytes of card_bo_fill()
 * @test: the test
 * @card: the card
 * @bo: the buffer, in VRAM or in system memory and populated
 * @first: byte that card_bo_fill() wrote into the first page
 */
void card_bo_expect_filled(struct kunit *test, struct card *card,
			   struct vram_bo *bo, u8 first)
{
	u32 i;

	for (i = 0; i < PFN_UP(bo->tbo.base.size); i++)
		KUNIT_EXPECT_NULL(test, memchr_inv(card_bo_page(card, bo, i),
						   (u8)(first + i), PAGE_SIZE));
}

/* An attachment would need a device that reaches the card: pins bypass the core. */
static void card_import_drop(struct card_importer *importer)
{
	struct vram_bo *bo = to_vram_bo(importer->attach.dmabuf->priv);

	bo->phyr.ops->unpin(&bo->phyr);
}

/* As the RDMA core does. */
static void card_import_invalidate(struct dma_buf_attachment *attach)
{
	struct card_importer *importer = attach->importer_priv;

	importer->invalidated++;
	if (importer->pinned)
		card_import_drop(importer);
	importer->pinned = false;
}

static const struct dma_buf_attach_ops card_import_ops = {
	.allow_peer2peer = true,
	.invalidate_mappings = card_import_invalidate,
};

/**
 * card_import - export a buffer to an importer
 * @test: the test
 * @importer: out: the importer; card_import_end() ends it
 * @bo: the buffer
 */
void card_import(struct kunit *test, struct card_importer *importer,
		 struct vram_bo *bo)
{
	struct dma_buf *dmabuf;

	dmabuf = vram_prime_export(&bo->tbo.base, O_RDWR);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);

	*importer = (struct card_importer){
		.attach = {
			.dmabuf = dmabuf,
			.importer_ops = &card_import_ops,
			.importer_priv = importer,
		},
	};
	dma_resv_lock(dmabuf->resv, NULL);
	list_add(&importer->attach.node, &dmabuf->attachments);
	dma_resv_unlock(dmabuf->resv);
}

/**
 * card_import_end - undo card_import()
 * @importer: the importer
 */
void card_import_end(struct card_importer *importer)
{
	struct dma_buf *dmabuf = importer->attach.dmabuf;

	dma_resv_lock(dmabuf->resv, NULL);
	list_del(&importer->attach.node);
	dma_resv_unlock(dmabuf->resv);
	/* In a kthread, fput() defers the release to a worker; do it now. */
	__fput_sync(dmabuf->file);
}

/**
 * card_import_pin - pin the buffer for an importer
 * @test: the test
 * @importer: the importer
 */
void card_import_pin(struct kunit *test, struct card_importer *importer)
{
	struct dma_buf *dmabuf = importer->attach.dmabuf;
	struct vram_bo *bo = to_vram_bo(dmabuf->priv);

	dma_resv_lock(dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, bo->phyr.ops->pin(&bo->phyr), 0);
	importer->pinned = true;
	dma_resv_unlock(dmabuf->resv);
}

/**
 * card_import_unpin - unpin the buffer, as if it had been notified
 * @importer: the importer
 *
 * Notes only afterwards that the pin is gone, as the RDMA core does.
 */
void card_import_unpin(struct card_importer *importer)
{
	struct dma_buf *dmabuf = importer->attach.dmabuf;

	dma_resv_lock(dmabuf->resv, NULL);
	card_import_drop(importer);
	importer->pinned = false;
	dma_resv_unlock(dmabuf->resv);
}

/**
 * card_bo_extents - vram_bo_extents() under the reservation lock
 * @bo: the buffer
 *
 * Return: contiguous pieces of VRAM; 0 for a buffer in system memory.
 */
unsigned int card_bo_extents(struct vram_bo *bo)
{
	unsigned int extents;

	dma_resv_lock(bo->tbo.base.resv, NULL);
	extents = vram_bo_extents(bo);
	dma_resv_unlock(bo->tbo.base.resv);
	return extents;
}

/**
 * card_expect_avail - check the amount of free VRAM
 * @test: the test
 * @card: the card
 * @avail: expected bytes; TTM must count the rest as used
 */
void card_expect_avail(struct kunit *test, struct card *card, u64 avail)
{
	struct ttm_resource_manager *man = &card->vram->mgr.base;

	KUNIT_EXPECT_EQ(test, vram_mgr_avail(&card->vram->mgr), avail);
	KUNIT_EXPECT_EQ(test, ttm_resource_manager_usage(man),
			man->size - avail);
}

/**
 * card_seed - seed the random numbers of a test and print the seed
 * @test: the test
 * @rnd: out: the random state
 */
void card_seed(struct kunit *test, struct rnd_state *rnd)
{
	u64 start = seed ?: get_random_u64();

	kunit_info(test, "seed=%llu", start);
	prandom_seed_state(rnd, start);
}

/**
 * card_fail_after - make one allocation of the driver fail
 * @test: the test; its end cancels the failure
 * @calls: number of allocations that succeed before
 */
void card_fail_after(struct kunit *test, int calls)
{
	fail_after = calls;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
							   card_stop_failing,
							   NULL));
}

/**
 * card_fails - fault-injection hook of redirect.h, called per allocation
 *
 * Return: true if this allocation must fail.
 */
bool card_fails(void)
{
	if (fail_after < 0)
		return false;
	fail_after--;
	return fail_after < 0;
}

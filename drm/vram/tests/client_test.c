// SPDX-License-Identifier: GPL-2.0
/*
 * Clients
 */
#include <drm/phyr_vram_drm.h>
#include <kunit/test.h>
#include <linux/dma-buf.h>

#include "redirect.h"
#include "../client.c"

static void file_close(void *file)
{
	vram_client_close(NULL, file);
}

static struct drm_file *file_open(struct kunit *test)
{
	struct drm_file *file = kunit_kzalloc(test, sizeof(*file), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, file);
	KUNIT_ASSERT_EQ(test, vram_client_open(NULL, file), 0);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, file_close,
							   file));
	return file;
}

static void vram_client_counts_handles(struct kunit *test)
{
	struct card *card = card_create(test, SZ_1M, 0);
	struct vram_bo *bo = card_bo(test, card, PAGE_SIZE,
				     DRM_PHYR_VRAM_PLACE_VRAM, 0);
	struct drm_file *file = file_open(test);
	struct vram_client *client = file->driver_priv;
	int i;

	for (i = 1; i <= 3; i++) {
		KUNIT_ASSERT_EQ(test, 0,
				vram_client_open_handle(&bo->tbo.base, file));
		KUNIT_EXPECT_EQ(test, vram_client_handles(client, bo), i);
	}
	while (--i) {
		vram_client_close_handle(&bo->tbo.base, file);
		KUNIT_EXPECT_EQ(test, vram_client_handles(client, bo), i - 1);
	}
	KUNIT_EXPECT_TRUE(test, xa_empty(&client->handles));
}

static void vram_client_shares_with_others_only(struct kunit *test)
{
	struct drm_gem_object gem = { .handle_count = 3 };
	struct dma_buf dmabuf;

	KUNIT_EXPECT_FALSE(test, vram_client_shares(&gem, 3));
	KUNIT_EXPECT_TRUE(test, vram_client_shares(&gem, 2));
	gem.dma_buf = &dmabuf;
	KUNIT_EXPECT_TRUE(test, vram_client_shares(&gem, 3));
}

static void vram_client_open_without_memory(struct kunit *test)
{
	struct drm_file file = {};

	card_fail_after(test, 0);
	KUNIT_EXPECT_EQ(test, vram_client_open(NULL, &file), -ENOMEM);
}

static struct kunit_case vram_client_cases[] = {
	KUNIT_CASE(vram_client_counts_handles),
	KUNIT_CASE(vram_client_shares_with_others_only),
	KUNIT_CASE(vram_client_open_without_memory),
	{}
};

static struct kunit_suite vram_client_suite = {
	.name = "phyr_vram_client",
	.test_cases = vram_client_cases,
};

kunit_test_suite(vram_client_suite);

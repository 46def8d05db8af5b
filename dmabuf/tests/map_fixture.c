// SPDX-License-Identifier: GPL-2.0
/*
 * Fixture for the KUnit cases of map.c
 *
 * The dma-buf has a reservation lock and nothing else.
 */
#include "redirect.h"
#include "fixture.h"
#include "map_fixture.h"

static void map_test_resv_end(void *resv)
{
	dma_resv_fini(resv);
}

void map_test_drop_routes(void *importer)
{
	phyr_attachment_drop_routes(importer);
}

void map_test_importer(struct kunit *test, struct map_test *t,
		       struct phyr_attachment *importer,
		       struct dma_buf_attachment *attach,
		       struct device *dev)
{
	attach->dmabuf = &t->dmabuf;
	attach->dev = dev;
	importer->attach = attach;
	INIT_LIST_HEAD(&importer->routes);
	INIT_LIST_HEAD(&importer->mappings);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test,
							map_test_drop_routes,
							importer), 0);
}

/* Create a bridge and, below it, the memory's owner and the importer. */
int map_test_init(struct kunit *test)
{
	struct fixture_peers peers;
	struct map_test *t;
	int ret;

	ret = mock_init(test);
	if (ret)
		return ret;
	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	if (!t)
		return -ENOMEM;
	test->priv = t;
	t->test = test;

	fixture_peers_init(test, &peers);
	t->bus = peers.bus;
	t->owner = peers.owner;
	t->pdev = peers.importer;

	mock.bus_offset = -SZ_1G;
	t->p2p = fixture_bar(test, t->owner, 2, MAP_BAR, MAP_BAR_LEN);
	t->carveout = fixture_carveout(test, MAP_CARVEOUT, MAP_CARVEOUT_LEN);
	t->ram = fixture_ram(test);

	dma_resv_init(&t->resv);
	ret = kunit_add_action_or_reset(test, map_test_resv_end, &t->resv);
	if (ret)
		return ret;
	t->dmabuf.resv = &t->resv;
	map_test_importer(test, t, &t->importer, &t->attach, &t->pdev->dev);
	mock_forget();
	return 0;
}

void map_test_put_list(void *list)
{
	phyr_list_put(list);
}

struct phyr_list *map_test_list_new(struct kunit *test)
{
	struct phyr_list *list = phyr_list_create();

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, map_test_put_list,
							list), 0);
	return list;
}

void map_test_append(struct kunit *test, struct phyr_list *list,
		     struct phyr_mem *mem, u64 start, unsigned int nr,
		     u64 len, u64 stride)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		KUNIT_ASSERT_EQ(test, phyr_list_append(list, mem,
						       start + i * stride,
						       len), 0);
}

struct phyr_mem *map_test_mem(struct map_test *t,
			      enum phyr_mem_kind kind)
{
	return kind == PHYR_MEM_P2P ? t->p2p :
	       kind == PHYR_MEM_CARVEOUT ? t->carveout : t->ram;
}

/* Create a list of @nr extents of @len bytes, @stride bytes apart. */
struct phyr_list *map_test_list(struct kunit *test, struct phyr_mem *mem,
				u64 start, unsigned int nr, u64 len,
				u64 stride)
{
	struct phyr_list *list = map_test_list_new(test);

	map_test_append(test, list, mem, start, nr, len, stride);
	KUNIT_ASSERT_EQ(test, phyr_list_finish(list, nr * len, "test"), 0);
	mock_forget();
	return list;
}

/*
 * Calls that need the reservation lock. Each takes and drops it, because
 * another thread cleans up after a case that ends early.
 */

struct phyr_route *map_test_route(struct dma_buf_attachment *attach,
				  struct phyr_mem *mem)
{
	struct phyr_route *route;

	dma_resv_lock(attach->dmabuf->resv, NULL);
	route = phyr_route_create(attach, mem);
	dma_resv_unlock(attach->dmabuf->resv);
	return route;
}

int map_test_routes(struct phyr_attachment *importer,
		    struct phyr_list *list)
{
	int ret;

	dma_resv_lock(importer->attach->dmabuf->resv, NULL);
	ret = phyr_route_list(importer, list);
	dma_resv_unlock(importer->attach->dmabuf->resv);
	return ret;
}

struct dma_range_list *
map_test_map_list(struct phyr_attachment *importer, struct phyr_list *list,
		  u64 offset, u64 len, enum dma_data_direction dir)
{
	struct dma_range_list *ranges;

	dma_resv_lock(importer->attach->dmabuf->resv, NULL);
	ranges = phyr_map_list(importer, list, offset, len, dir);
	dma_resv_unlock(importer->attach->dmabuf->resv);
	return ranges;
}

struct dma_range_list *map_test_map(struct map_test *t,
				    struct phyr_list *list, u64 offset,
				    u64 len)
{
	struct dma_range_list *ranges;

	ranges = map_test_map_list(&t->importer, list, offset, len,
				   DMA_FROM_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(t->test, ranges);
	KUNIT_EXPECT_EQ(t->test, dma_range_list_len(ranges), len);
	return ranges;
}

void map_test_unmap(struct dma_range_list *ranges)
{
	dma_range_list_unmap(ranges);
	dma_range_list_free(ranges);
}

/* Expect @addr and @len as the next range. */
void map_test_expect_range(struct kunit *test,
			   struct dma_range_cursor *cursor, u64 addr,
			   u64 len)
{
	struct dma_range range;

	KUNIT_ASSERT_EQ(test, dma_range_next(cursor, &range, 1), 1);
	KUNIT_EXPECT_EQ(test, range.addr, addr);
	KUNIT_EXPECT_EQ(test, range.len, len);
}

void map_test_expect_end(struct kunit *test,
			 struct dma_range_cursor *cursor)
{
	struct dma_range range;

	KUNIT_EXPECT_EQ(test, dma_range_next(cursor, &range, 1), 0);
}

/* Expect no mapping call of the DMA API. */
void map_test_expect_untouched(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_IOVA_ALLOC), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_PROBE), 0);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

void map_test_expect_error(struct map_test *t, struct phyr_list *list,
			   int err)
{
	struct dma_range_list *ranges;

	ranges = map_test_map_list(&t->importer, list, 0, phyr_list_size(list),
				   DMA_FROM_DEVICE);
	KUNIT_EXPECT_PTR_EQ(t->test, ranges, ERR_PTR(err));
}

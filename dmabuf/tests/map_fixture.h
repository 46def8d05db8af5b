/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Fixture for the KUnit cases of map.c and route.c: one memory of each kind and
 * one PCI importer; and the cases of map_route_test.c
 */
#ifndef _PHYR_MAP_FIXTURE_H
#define _PHYR_MAP_FIXTURE_H

#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/pci.h>
#include <linux/sizes.h>

#include "../internal.h"

#define MAP_BAR		0xc0000000ULL		/* below 4 GiB */
#define MAP_BAR_LEN	(256ULL * SZ_1M)
#define MAP_CARVEOUT	0x2000000000ULL
#define MAP_CARVEOUT_LEN	(64ULL * SZ_1G)
/* On every device; on a coherent one also DMA_ATTR_REQUIRE_COHERENT */
#define MAP_CARVEOUT_ATTRS \
	(DMA_ATTR_SKIP_CPU_SYNC | DMA_ATTR_DEBUGGING_IGNORE_CACHELINES)
#define MAP_RAM		0x100000000ULL
#define MAP_ALL_BITS	(~0ULL)

struct map_test {
	struct kunit *test;
	struct pci_bus *bus;
	struct pci_dev *owner;
	struct pci_dev *pdev;
	struct dma_buf dmabuf;
	struct dma_resv resv;
	struct dma_buf_attachment attach;
	struct phyr_attachment importer;
	struct phyr_mem *p2p;
	struct phyr_mem *carveout;
	struct phyr_mem *ram;
};

void map_test_importer(struct kunit *test, struct map_test *t,
		       struct phyr_attachment *importer,
		       struct dma_buf_attachment *attach,
		       struct device *dev);
void map_test_drop_routes(void *importer);
struct phyr_mem *map_test_mem(struct map_test *t,
			      enum phyr_mem_kind kind);
int map_test_init(struct kunit *test);
void map_test_put_list(void *list);
struct phyr_list *map_test_list_new(struct kunit *test);
void map_test_append(struct kunit *test, struct phyr_list *list,
		     struct phyr_mem *mem, u64 start, unsigned int nr,
		     u64 len, u64 stride);
struct phyr_list *map_test_list(struct kunit *test, struct phyr_mem *mem,
				u64 start, unsigned int nr, u64 len,
				u64 stride);
struct phyr_route *map_test_route(struct dma_buf_attachment *attach,
				  struct phyr_mem *mem);
int map_test_routes(struct phyr_attachment *importer,
		    struct phyr_list *list);
struct dma_range_list *
map_test_map_list(struct phyr_attachment *importer, struct phyr_list *list,
		  u64 offset, u64 len, enum dma_data_direction dir);
struct dma_range_list *map_test_map(struct map_test *t,
				    struct phyr_list *list, u64 offset,
				    u64 len);
void map_test_unmap(struct dma_range_list *ranges);
void map_test_expect_range(struct kunit *test,
			   struct dma_range_cursor *cursor, u64 addr,
			   u64 len);
void map_test_expect_end(struct kunit *test,
			 struct dma_range_cursor *cursor);
void map_test_expect_untouched(struct kunit *test);
void map_test_expect_error(struct map_test *t, struct phyr_list *list,
			   int err);

/* map_route_test.c, for the suite in map_test.c */
const void *map_route_params(struct kunit *test, const void *prev, char *desc);
void route_create_decides(struct kunit *test);
void route_create_own_domain(struct kunit *test);
void route_create_without_mask(struct kunit *test);
void route_create_bus_dma_limit(struct kunit *test);
void route_create_no_memory(struct kunit *test);
void route_create_without_lock(struct kunit *test);
void route_create_holds_its_memory(struct kunit *test);
void probe_bus_once_for_all_routes(struct kunit *test);
void probe_bus_asks_the_distance_each_time(struct kunit *test);
void probe_bus_distance_negative(struct kunit *test);
void probe_bus_device_not_on_pci(struct kunit *test);
void probe_bus_no_common_bridge(struct kunit *test);
void probe_bus_common_bridge_far_up(struct kunit *test);
void probe_bus_maps_one_page_to_the_mark(struct kunit *test);
void probe_bus_releases_its_table(struct kunit *test);
void probe_bus_errors(struct kunit *test);
void window_is_shared_by_attachments(struct kunit *test);
void window_is_one_per_device(struct kunit *test);
void window_fails_to_map(struct kunit *test);
void window_no_memory(struct kunit *test);
void route_list_decides_once_per_memory(struct kunit *test);
void route_list_second_memory_out_of_reach(struct kunit *test);
void route_list_extent_out_of_reach(struct kunit *test);
void route_name_of_what_was_decided(struct kunit *test);
void map_extents_no_iova_space(struct kunit *test);

#endif

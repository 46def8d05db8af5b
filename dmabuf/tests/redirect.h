/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Include before the production file that a KUnit test tests
 *
 *	#include "redirect.h"
 *	#include "../map.c"
 *
 * The production file becomes part of phyr_kunit.ko, including its static
 * functions, and its calls of kernel functions go to the mocks of mock.h.
 * phyr.ko is not needed but may be loaded: phyr_kunit.ko exports nothing.
 *
 * Include all headers that dmabuf/ uses here, or the macros below would rename
 * their declarations. All macros are function-like, so that members and
 * variables of the same name are not renamed.
 */
#ifndef _PHYR_REDIRECT_H
#define _PHYR_REDIRECT_H

#include <kunit/test.h>
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-mapping.h>
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/interval_tree.h>
#include <linux/iommu.h>
#include <linux/iommu-dma.h>
#include <linux/kref.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/pci-p2pdma.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/swiotlb.h>
#include <linux/workqueue.h>

#include "../internal.h"
#include "mock.h"
#include "mock_iommu.h"

/* Remove exports and module boilerplate of the included file. */
#undef EXPORT_SYMBOL_NS_GPL
#define EXPORT_SYMBOL_NS_GPL(sym, ns)
#undef __init
#define __init __maybe_unused
#undef __exit
#define __exit __maybe_unused
#undef module_init
#define module_init(fn)
#undef module_exit
#define module_exit(fn)
#undef MODULE_DESCRIPTION
#define MODULE_DESCRIPTION(text)
#undef MODULE_LICENSE
#define MODULE_LICENSE(text)
#undef MODULE_IMPORT_NS
#define MODULE_IMPORT_NS(ns)

/* Memory; kzalloc_obj() and similar macros expand to these. */
#undef kmalloc
#define kmalloc(size, gfp) mock_kmalloc(size, gfp)
#undef kzalloc
#define kzalloc(size, gfp) mock_kmalloc(size, (gfp) | __GFP_ZERO)
#define kfree(ptr) mock_kfree(ptr)
#define sg_alloc_table(...) mock_sg_alloc_table(__VA_ARGS__)
#define sg_free_table(...) mock_sg_free_table(__VA_ARGS__)

/* Properties of the device and of its path to the memory */
#define use_dma_iommu(dev) mock_use_dma_iommu(dev)
#define get_dma_ops(dev) mock_get_dma_ops(dev)
#define dma_get_merge_boundary(dev) mock_dma_get_merge_boundary(dev)
#define dev_is_dma_coherent(dev) mock_dev_is_dma_coherent(dev)
#define is_swiotlb_force_bounce(dev) mock_is_swiotlb_force_bounce(dev)
#define dma_addressing_limited(dev) mock_dma_addressing_limited(dev)
#define dma_need_sync(...) mock_dma_need_sync(__VA_ARGS__)
#undef pgprot_decrypted
#define pgprot_decrypted(prot) mock_pgprot_decrypted(prot)
#define pci_p2pdma_distance(...) mock_pci_p2pdma_distance(__VA_ARGS__)
#define pci_read_config_word(...) mock_pci_read_config_word(__VA_ARGS__)
#define pcibios_resource_to_bus(...) mock_pcibios_resource_to_bus(__VA_ARGS__)
#define iommu_get_domain_for_dev(dev) mock_iommu_get_domain_for_dev(dev)
#define pcim_p2pdma_init(pdev) mock_pcim_p2pdma_init(pdev)
#define pcim_p2pdma_provider(...) mock_pcim_p2pdma_provider(__VA_ARGS__)

/* The DMA API */
#define dma_map_phys(...) mock_dma_map_phys(__VA_ARGS__)
#define dma_unmap_phys(...) mock_dma_unmap_phys(__VA_ARGS__)
#define dma_sync_single_for_cpu(...) mock_dma_sync_single_for_cpu(__VA_ARGS__)
#define dma_sync_single_for_device(...) \
	mock_dma_sync_single_for_device(__VA_ARGS__)
#define dma_mapping_error(...) mock_dma_mapping_error(__VA_ARGS__)
#define dma_iova_try_alloc(...) mock_dma_iova_try_alloc(__VA_ARGS__)
#define dma_iova_link(...) mock_dma_iova_link(__VA_ARGS__)
#define dma_iova_sync(...) mock_dma_iova_sync(__VA_ARGS__)
#define dma_iova_destroy(...) mock_dma_iova_destroy(__VA_ARGS__)
#define dma_buf_phys_vec_to_sgt(...) mock_dma_buf_phys_vec_to_sgt(__VA_ARGS__)
#define dma_buf_free_sgt(...) mock_dma_buf_free_sgt(__VA_ARGS__)

/* The IOMMU; iommu_map() and iommu_unmap_fast() take a mock domain */
#define iommu_group_get(dev) mock_iommu_group_get(dev)
#define iommu_group_put(group) mock_iommu_group_put(group)
#define iommu_group_for_each_dev(...) mock_iommu_visit_devs(__VA_ARGS__)
#define iommu_device_claim_dma_owner(...) mock_iommu_claim(__VA_ARGS__)
#define iommu_device_release_dma_owner(dev) mock_iommu_release(dev)
#define iommu_get_resv_regions(...) mock_iommu_get_resv_regions(__VA_ARGS__)
#define iommu_put_resv_regions(...) mock_iommu_put_resv_regions(__VA_ARGS__)
#define pci_find_host_bridge(bus) mock_pci_find_host_bridge(bus)

/* dma-buf: logged and made to fail, otherwise passed to the kernel */
#define dma_buf_export(...) mock_dma_buf_export(__VA_ARGS__)
#define dma_buf_dynamic_attach(...) mock_dma_buf_dynamic_attach(__VA_ARGS__)
#define dma_buf_detach(...) mock_dma_buf_detach(__VA_ARGS__)
#define dma_buf_map_attachment(...) mock_dma_buf_map_attachment(__VA_ARGS__)
#define dma_buf_unmap_attachment(...) \
	mock_dma_buf_unmap_attachment(__VA_ARGS__)
#define dma_buf_invalidate_mappings(dmabuf) \
	mock_dma_buf_invalidate_mappings(dmabuf)
#define dma_resv_wait_timeout(...) mock_dma_resv_wait_timeout(__VA_ARGS__)

/* Messages that a test expects */
#undef dev_warn
#define dev_warn(dev, fmt, ...) \
do { \
	no_printk(fmt, ##__VA_ARGS__); \
	mock_dev_warn(dev); \
} while (0)

#undef phyr_dev_notice
#define phyr_dev_notice(...) mock_dev_notice(__VA_ARGS__)

/* These are in phyr.ko, which this module does not depend on. */
#define phyr_inject_fault() false
#define phyr_inject_delay() do { } while (0)

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Mocks of the kernel functions that dmabuf/ calls, and mock devices
 *
 * Each mock logs its call, fails if the test asked for it, and checks the call
 * against earlier ones. A mapping must be unmapped with the same address,
 * length, direction and attributes, of which only the unmap may skip the sync
 * of CPU caches. Only a mapping may be synced, with its direction. An IOVA range
 * must be linked without gaps, synced once and destroyed with the linked length.
 * No address beyond the device's mask may reach the DMA API. A case fails if
 * anything is still mapped or allocated when it ends.
 *
 *	static struct kunit_suite suite = { .init = mock_init, ... };
 *
 * KUnit runs one case at a time: there is one struct mock.
 */
#ifndef _PHYR_MOCK_H
#define _PHYR_MOCK_H

#include <kunit/test.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/pci.h>
#include <linux/pci-p2pdma.h>

struct dma_buf;
struct dma_buf_attach_ops;
struct dma_buf_export_info;
struct dma_buf_attachment;
struct dma_map_ops;
struct dma_resv;
struct iommu_domain;
struct sg_table;

/**
 * enum mock_call - the mocked functions
 * @MOCK_ALLOC: kmalloc() and kzalloc(); fails with NULL
 * @MOCK_SG_ALLOC: sg_alloc_table()
 * @MOCK_MAP: dma_map_phys(); fails with DMA_MAPPING_ERROR
 * @MOCK_UNMAP: dma_unmap_phys()
 * @MOCK_SYNC_CPU: dma_sync_single_for_cpu()
 * @MOCK_SYNC_DEVICE: dma_sync_single_for_device()
 * @MOCK_IOVA_ALLOC: dma_iova_try_alloc(); fails with false
 * @MOCK_IOVA_LINK: dma_iova_link()
 * @MOCK_IOVA_SYNC: dma_iova_sync()
 * @MOCK_IOVA_DESTROY: dma_iova_destroy()
 * @MOCK_DISTANCE: pci_p2pdma_distance()
 * @MOCK_PROBE: dma_buf_phys_vec_to_sgt()
 * @MOCK_PROBE_END: dma_buf_free_sgt()
 * @MOCK_P2P_INIT: pcim_p2pdma_init()
 * @MOCK_P2P_PROVIDER: pcim_p2pdma_provider(); fails with NULL
 * @MOCK_EXPORT: dma_buf_export()
 * @MOCK_ATTACH: dma_buf_dynamic_attach()
 * @MOCK_DETACH: dma_buf_detach()
 * @MOCK_SGT_MAP: dma_buf_map_attachment()
 * @MOCK_SGT_UNMAP: dma_buf_unmap_attachment()
 * @MOCK_INVALIDATE: dma_buf_invalidate_mappings()
 * @MOCK_WAIT: dma_resv_wait_timeout()
 * @MOCK_WARN: dev_warn()
 * @MOCK_NOTICE: dev_notice_ratelimited()
 * @MOCK_IOMMU_MAP: a page is mapped in the mock IOMMU domain
 * @MOCK_IOMMU_SYNC_MAP: &iommu_domain_ops.iotlb_sync_map of that domain
 * @MOCK_IOMMU_UNMAP: &iommu_domain_ops.unmap_pages of that domain
 * @MOCK_IOMMU_FLUSH: &iommu_domain_ops.iotlb_sync of that domain
 * @MOCK_NOTIFIED: not a mock; for mock_note() in an importer's callback
 * @MOCK_CALLS: number of functions
 */
enum mock_call {
	MOCK_ALLOC,
	MOCK_SG_ALLOC,
	MOCK_MAP,
	MOCK_UNMAP,
	MOCK_SYNC_CPU,
	MOCK_SYNC_DEVICE,
	MOCK_IOVA_ALLOC,
	MOCK_IOVA_LINK,
	MOCK_IOVA_SYNC,
	MOCK_IOVA_DESTROY,
	MOCK_DISTANCE,
	MOCK_PROBE,
	MOCK_PROBE_END,
	MOCK_P2P_INIT,
	MOCK_P2P_PROVIDER,
	MOCK_EXPORT,
	MOCK_ATTACH,
	MOCK_DETACH,
	MOCK_SGT_MAP,
	MOCK_SGT_UNMAP,
	MOCK_INVALIDATE,
	MOCK_WAIT,
	MOCK_WARN,
	MOCK_NOTICE,
	MOCK_IOMMU_MAP,
	MOCK_IOMMU_SYNC_MAP,
	MOCK_IOMMU_UNMAP,
	MOCK_IOMMU_FLUSH,
	MOCK_NOTIFIED,
	MOCK_CALLS,
};

/**
 * struct mock_entry - a logged call; arguments that it does not have are 0
 * @call: the function
 * @who: device, dma-buf or reservation object of the call
 * @phys: physical address
 * @dma: DMA address
 * @offset: offset into an IOVA range
 * @len: bytes
 * @dir: direction; in MOCK_WAIT, 1 for an interruptible wait
 * @attrs: DMA_ATTR_*; in MOCK_WAIT, the enum dma_resv_usage
 */
struct mock_entry {
	enum mock_call call;
	const void *who;
	u64 phys;
	u64 dma;
	u64 offset;
	u64 len;
	int dir;
	unsigned long attrs;
};

/**
 * struct mock - the simulated machine, set by the test
 * @iommu: use_dma_iommu()
 * @other_ops: get_dma_ops() is not NULL
 * @coherent: dev_is_dma_coherent()
 * @bounce: is_swiotlb_force_bounce(); the DMA API then fails unless bus
 *	addresses are used
 * @need_sync: first DMA address that dma_need_sync() is true for; 0 for none
 * @required_mask: mask that covers all RAM, for dma_addressing_limited()
 * @merge_boundary: dma_get_merge_boundary()
 * @distance: pci_p2pdma_distance()
 * @bus: the kernel chooses bus addresses
 * @dma_offset: DMA address minus physical address in dma_map_phys()
 * @iova: address of the next IOVA range
 * @bus_offset: of the provider that pcim_p2pdma_provider() returns
 * @domain: iommu_get_domain_for_dev()
 * @redirects: device whose ACS control says that it redirects peer traffic
 * @window_offset: physical address minus bus address in
 *	pcibios_resource_to_bus()
 * @notice: the last dev_notice_ratelimited()
 * @before_wait: called by dma_resv_wait_timeout(), or NULL
 * @attached: called by dma_buf_dynamic_attach() before it returns, or NULL
 * @arg: for @before_wait and @attached
 *
 * mock_init() makes it an untranslated, coherent machine whose DMA addresses
 * are physical addresses and whose peers use the host bridge.
 */
struct mock {
	bool iommu;
	bool other_ops;
	bool coherent;
	bool bounce;
	u64 need_sync;
	u64 required_mask;
	unsigned long merge_boundary;
	int distance;
	bool bus;
	u64 dma_offset;
	u64 iova;
	u64 bus_offset;
	struct iommu_domain *domain;
	const struct pci_dev *redirects;
	u64 window_offset;
	char notice[192];
	void (*before_wait)(void *arg);
	void (*attached)(void *arg);
	void *arg;
};

extern struct mock mock;

/* What mock_pgprot_decrypted() sets: a bit that no kernel mapping has */
#define MOCK_DECRYPTED	_PAGE_SOFTW3

int mock_init(struct kunit *test);
void mock_fail(enum mock_call call, unsigned int nth, int err);
bool mock_fail_due(void);
unsigned int mock_count(enum mock_call call);
const struct mock_entry *mock_nth(enum mock_call call, unsigned int nth);
int mock_index(enum mock_call call, unsigned int nth);
int mock_log_call(const struct mock_entry *entry);
void mock_note(enum mock_call call, const void *who);
void mock_forget(void);
unsigned int mock_mapped(void);
unsigned int mock_allocated(void);
u64 mock_bytes(void);
int mock_use_arena(size_t len);

struct pci_bus *mock_pci_bus(struct kunit *test, struct pci_dev *bridge);
struct pci_dev *mock_pci_dev(struct kunit *test, const char *name,
			     struct pci_bus *bus, u64 mask);
void mock_pci_bar(struct pci_dev *pdev, int bar, u64 start, u64 len);
int mock_pci_read_config_word(const struct pci_dev *pdev, int where, u16 *val);
void mock_pcibios_resource_to_bus(struct pci_bus *bus,
				  struct pci_bus_region *region,
				  const struct resource *res);
struct device *mock_device(struct kunit *test, const char *name, u64 mask);

void *mock_kmalloc(size_t size, gfp_t gfp);
void mock_kfree(const void *ptr);
int mock_sg_alloc_table(struct sg_table *sgt, unsigned int nents, gfp_t gfp);
void mock_sg_free_table(struct sg_table *sgt);

bool mock_use_dma_iommu(struct device *dev);
const struct dma_map_ops *mock_get_dma_ops(struct device *dev);
unsigned long mock_dma_get_merge_boundary(struct device *dev);
bool mock_dev_is_dma_coherent(struct device *dev);
bool mock_is_swiotlb_force_bounce(struct device *dev);
bool mock_dma_addressing_limited(struct device *dev);
bool mock_dma_need_sync(struct device *dev, dma_addr_t addr);
extern struct iommu_domain mock_dma_domain;
struct iommu_domain *mock_iommu_get_domain_for_dev(struct device *dev);
pgprot_t mock_pgprot_decrypted(pgprot_t prot);
int mock_pci_p2pdma_distance(struct pci_dev *provider, struct device *client,
			     bool verbose);
int mock_pcim_p2pdma_init(struct pci_dev *pdev);
struct p2pdma_provider *mock_pcim_p2pdma_provider(struct pci_dev *pdev,
						  int bar);

dma_addr_t mock_dma_map_phys(struct device *dev, phys_addr_t phys, size_t size,
			     enum dma_data_direction dir, unsigned long attrs);
void mock_dma_unmap_phys(struct device *dev, dma_addr_t addr, size_t size,
			 enum dma_data_direction dir, unsigned long attrs);
void mock_dma_sync_single_for_cpu(struct device *dev, dma_addr_t addr,
				  size_t size, enum dma_data_direction dir);
void mock_dma_sync_single_for_device(struct device *dev, dma_addr_t addr,
				     size_t size, enum dma_data_direction dir);
int mock_dma_mapping_error(struct device *dev, dma_addr_t addr);
bool mock_dma_iova_try_alloc(struct device *dev, struct dma_iova_state *state,
			     phys_addr_t phys, size_t size);
int mock_dma_iova_link(struct device *dev, struct dma_iova_state *state,
		       phys_addr_t phys, size_t offset, size_t size,
		       enum dma_data_direction dir, unsigned long attrs);
int mock_dma_iova_sync(struct device *dev, struct dma_iova_state *state,
		       size_t offset, size_t size);
void mock_dma_iova_destroy(struct device *dev, struct dma_iova_state *state,
			   size_t mapped_len, enum dma_data_direction dir,
			   unsigned long attrs);
struct sg_table *
mock_dma_buf_phys_vec_to_sgt(struct dma_buf_attachment *attach,
			     struct p2pdma_provider *provider,
			     struct phys_vec *vec, size_t nr, size_t size,
			     enum dma_data_direction dir);
void mock_dma_buf_free_sgt(struct dma_buf_attachment *attach,
			   struct sg_table *sgt, enum dma_data_direction dir);

struct dma_buf *mock_dma_buf_export(const struct dma_buf_export_info *info);
struct dma_buf_attachment *
mock_dma_buf_dynamic_attach(struct dma_buf *dmabuf, struct device *dev,
			    const struct dma_buf_attach_ops *ops, void *priv);
void mock_dma_buf_detach(struct dma_buf *dmabuf,
			 struct dma_buf_attachment *attach);
struct sg_table *mock_dma_buf_map_attachment(struct dma_buf_attachment *attach,
					     enum dma_data_direction dir);
void mock_dma_buf_unmap_attachment(struct dma_buf_attachment *attach,
				   struct sg_table *sgt,
				   enum dma_data_direction dir);
void mock_dma_buf_invalidate_mappings(struct dma_buf *dmabuf);
long mock_dma_resv_wait_timeout(struct dma_resv *resv,
				enum dma_resv_usage usage, bool intr,
				unsigned long timeout);
void mock_dev_warn(const struct device *dev);
__printf(2, 3)
void mock_dev_notice(const struct device *dev, const char *fmt, ...);

#endif

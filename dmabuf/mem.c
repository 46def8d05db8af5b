// SPDX-License-Identifier: GPL-2.0
/*
 * phyr_mem: one kind of memory
 *
 * A phyr_mem is a window [start, end) of physical addresses with the same
 * properties throughout: with or without pages, owner device, CPU cache
 * attribute. How a device reaches a memory is therefore decided once per pair,
 * not per extent.
 *
 * A device that sees untranslated physical addresses can reach the whole
 * window anyway. For such a device the window is mapped once (struct
 * phyr_window), and buffers are offsets into it.
 */
#include <linux/device.h>
#include <linux/export.h>
#include <linux/pci-p2pdma.h>
#include <linux/pci.h>
#include <linux/phyr_inject.h>
#include <linux/slab.h>

#include "internal.h"

static struct phyr_mem *phyr_mem_create(enum phyr_mem_kind kind,
					enum phyr_mem_cache cache, u64 start,
					u64 end)
{
	struct phyr_mem *mem;

	mem = kzalloc_obj(*mem);
	if (!mem)
		return ERR_PTR(-ENOMEM);

	kref_init(&mem->ref);
	mem->kind = kind;
	mem->cache = cache;
	mem->start = start;
	mem->end = end;
	mutex_init(&mem->lock);
	INIT_LIST_HEAD(&mem->windows);
	INIT_LIST_HEAD(&mem->peers);
	return mem;
}

/**
 * phyr_mem_create_ram - describe system memory
 *
 * Every page of a list in it must have a struct page: stock importers get them
 * in their tables. Page-less memory is never system memory.
 *
 * Context: may sleep.
 * Return: a reference, or ERR_PTR(-ENOMEM).
 */
struct phyr_mem *phyr_mem_create_ram(void)
{
	return phyr_mem_create(PHYR_MEM_RAM, PHYR_MEM_CACHED, 0, PHYS_ADDR_MAX);
}
EXPORT_SYMBOL_NS_GPL(phyr_mem_create_ram, "PHYR_EXPORTER");

/**
 * phyr_mem_create_p2p - describe a BAR
 * @pdev: the device, bound to the caller's driver
 * @bar: number of a memory BAR that the caller has requested
 * @cache: how the CPU maps the BAR; never PHYR_MEM_CACHED
 *
 * Makes @pdev a provider of peer memory if it is not one already. The phyr_mem
 * may outlive the driver's binding; all buffers in it must be revoked before
 * the driver unbinds.
 *
 * Context: probe of @pdev's driver; may sleep.
 * Return: a reference, or ERR_PTR: -EINVAL if @bar is not a memory BAR or
 * would be cached, -EOPNOTSUPP if the kernel does not support peer-to-peer DMA, -ENOMEM.
 */
struct phyr_mem *phyr_mem_create_p2p(struct pci_dev *pdev, int bar,
				     enum phyr_mem_cache cache)
{
	struct p2pdma_provider *provider;
	struct phyr_mem *mem;
	u64 start;
	int ret;

	if (cache == PHYR_MEM_CACHED)
		return ERR_PTR(-EINVAL);

	ret = pcim_p2pdma_init(pdev);
	if (ret)
		return ERR_PTR(ret);

	provider = pcim_p2pdma_provider(pdev, bar);
	if (!provider || !pci_resource_len(pdev, bar))
		return ERR_PTR(-EINVAL);

	start = pci_resource_start(pdev, bar);
	mem = phyr_mem_create(PHYR_MEM_P2P, cache, start,
			      start + pci_resource_len(pdev, bar));
	if (IS_ERR(mem))
		return mem;

	mem->owner = get_device(provider->owner);
	mem->bus_offset = provider->bus_offset;
	return mem;
}
EXPORT_SYMBOL_NS_GPL(phyr_mem_create_p2p, "PHYR_EXPORTER");

/**
 * phyr_mem_create_carveout - describe a carve-out
 * @start: physical address of the first byte, page-aligned
 * @len: bytes, a multiple of the page size, not 0
 * @cache: how the CPU maps it; never PHYR_MEM_CACHED
 *
 * For DRAM that the kernel does not manage, such as a no-map region: behind the
 * memory controller, but without pages that anybody may use. pfn_valid() does
 * not tell: the region may have reserved struct pages. Devices reach it as they
 * reach RAM, by the bus's own translation, and CPU caches are never flushed for
 * it. Therefore neither the kernel nor userspace may map it cached, the linear
 * map included. Kernel mappings are made by memremap() or ioremap_wc().
 *
 * Context: may sleep.
 * Return: a reference, or ERR_PTR: -EINVAL for a window that is empty, not
 * page-aligned or exceeds the address space, or would be cached; -ENOMEM.
 */
struct phyr_mem *phyr_mem_create_carveout(phys_addr_t start, u64 len,
					  enum phyr_mem_cache cache)
{
	u64 end;

	if (cache == PHYR_MEM_CACHED)
		return ERR_PTR(-EINVAL);
	if (!len || !PAGE_ALIGNED(start) || !PAGE_ALIGNED(len) ||
	    check_add_overflow(start, len, &end))
		return ERR_PTR(-EINVAL);

	return phyr_mem_create(PHYR_MEM_CARVEOUT, cache, start, end);
}
EXPORT_SYMBOL_NS_GPL(phyr_mem_create_carveout, "PHYR_EXPORTER");

/**
 * phyr_mem_get - take a reference
 * @mem: the memory
 *
 * Context: any.
 * Return: @mem.
 */
struct phyr_mem *phyr_mem_get(struct phyr_mem *mem)
{
	kref_get(&mem->ref);
	return mem;
}
EXPORT_SYMBOL_NS_GPL(phyr_mem_get, "PHYR_EXPORTER");

static void phyr_mem_release(struct kref *ref)
{
	struct phyr_mem *mem = container_of(ref, struct phyr_mem, ref);

	WARN_ON_ONCE(!list_empty(&mem->windows));
	WARN_ON_ONCE(!list_empty(&mem->peers));
	mutex_destroy(&mem->lock);
	put_device(mem->owner);
	kfree(mem);
}

/**
 * phyr_mem_put - drop a reference
 * @mem: the memory
 *
 * Context: may sleep.
 */
void phyr_mem_put(struct phyr_mem *mem)
{
	kref_put(&mem->ref, phyr_mem_release);
}
EXPORT_SYMBOL_NS_GPL(phyr_mem_put, "PHYR_EXPORTER");

/**
 * phyr_mem_start - get the start of a memory
 * @mem: the memory
 *
 * Context: any.
 * Return: physical address of the first byte.
 */
phys_addr_t phyr_mem_start(const struct phyr_mem *mem)
{
	return mem->start;
}
EXPORT_SYMBOL_NS_GPL(phyr_mem_start, "PHYR_EXPORTER");

/**
 * phyr_mem_len - get the size of a memory
 * @mem: the memory
 *
 * Context: any.
 * Return: size in bytes.
 */
u64 phyr_mem_len(const struct phyr_mem *mem)
{
	return mem->end - mem->start;
}
EXPORT_SYMBOL_NS_GPL(phyr_mem_len, "PHYR_EXPORTER");

/**
 * phyr_mem_kind - get the kind of a memory
 * @mem: the memory
 *
 * Context: any.
 * Return: the kind.
 */
enum phyr_mem_kind phyr_mem_kind(const struct phyr_mem *mem)
{
	return mem->kind;
}
EXPORT_SYMBOL_NS_GPL(phyr_mem_kind, "PHYR_EXPORTER");

/**
 * phyr_mem_pgprot - get the page protection for CPU mappings
 * @mem: the memory; not PHYR_MEM_NO_CPU
 * @prot: protection to start from, without cache bits
 *
 * The memory controller decrypts, and a BAR is not behind it.
 *
 * Context: any.
 * Return: @prot with the memory's cache attribute; for a BAR, without memory
 * encryption.
 */
pgprot_t phyr_mem_pgprot(const struct phyr_mem *mem, pgprot_t prot)
{
	if (mem->kind == PHYR_MEM_P2P)
		prot = pgprot_decrypted(prot);

	switch (mem->cache) {
	case PHYR_MEM_WC:
		return pgprot_writecombine(prot);
	case PHYR_MEM_NO_CPU:
		WARN_ON_ONCE(1);
		fallthrough;
	case PHYR_MEM_UC:
		return pgprot_noncached(prot);
	default:
		return prot;
	}
}
EXPORT_SYMBOL_NS_GPL(phyr_mem_pgprot, "PHYR_EXPORTER");

static struct phyr_window *phyr_window_create(struct phyr_mem *mem,
					      struct device *dev,
					      unsigned long attrs)
{
	struct phyr_window *window;

	window = kzalloc_obj(*window);
	if (!window)
		return ERR_PTR(-ENOMEM);

	window->addr = dma_map_phys(dev, mem->start, mem->end - mem->start,
				    DMA_BIDIRECTIONAL, attrs);
	if (dma_mapping_error(dev, window->addr)) {
		kfree(window);
		return ERR_PTR(-EREMOTEIO);
	}

	window->dev = dev;
	window->attrs = attrs;
	list_add(&window->node, &mem->windows);
	return window;
}

/**
 * phyr_window_get - map a whole memory for an untranslated device
 * @mem: memory without pages
 * @dev: device whose mask covers all of @mem
 * @attrs: DMA_ATTR_* of the mapping; always the same for @mem and @dev
 *
 * Context: takes &phyr_mem.lock; may sleep.
 * Return: the window of @mem and @dev with one more user, or ERR_PTR: -ENOMEM,
 * -EREMOTEIO if the DMA API cannot map it.
 */
struct phyr_window *phyr_window_get(struct phyr_mem *mem, struct device *dev,
				    unsigned long attrs)
{
	struct phyr_window *window;

	phyr_inject_delay();
	guard(mutex)(&mem->lock);

	list_for_each_entry(window, &mem->windows, node)
		if (window->dev == dev)
			goto found;

	window = phyr_window_create(mem, dev, attrs);
	if (IS_ERR(window))
		return window;
found:
	window->users++;
	return window;
}

/**
 * phyr_window_put - drop a user of a window; the last one unmaps it
 * @mem: the memory
 * @window: window returned by phyr_window_get()
 *
 * Context: takes &phyr_mem.lock; may sleep.
 */
void phyr_window_put(struct phyr_mem *mem, struct phyr_window *window)
{
	phyr_inject_delay();
	guard(mutex)(&mem->lock);

	if (--window->users)
		return;

	dma_unmap_phys(window->dev, window->addr, mem->end - mem->start,
		       DMA_BIDIRECTIONAL, window->attrs);
	list_del(&window->node);
	kfree(window);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * phyr_domain: the IOMMU domain of an importer that manages its own
 *
 * Terms
 *	domain	the importer's struct iommu_domain
 *	space	the core's view of it (struct phyr_domain)
 *	range	IOVAs that one mapping of a dma-buf uses (struct
 *		phyr_domain_range)
 *
 * Ownership: the importer owns the domain. It attaches the domain to its device
 * before it creates the space, and destroys the space before it detaches or
 * frees the domain. Meanwhile the space has its own claim to the device's DMA
 * ownership, so the DMA API cannot be used and nobody else can attach a domain.
 * If the domain was detached after all, the core warns, and does not access the
 * domain any more, since it may be freed. It must not be attached again: what
 * the core did not unmap is still in its page table.
 *
 * IOVAs: a range overlaps no other range, no reserved region of the device (an
 * MSI window, for example) and no window of the host bridge, where the access
 * might reach another device without passing the IOMMU. It lies within the
 * domain's aperture, the device's mask and the bridge's inbound windows. The
 * importer's own mappings in the domain are not ranges. Domains with the
 * generic page table refuse an IOVA that is in use; for any other domain the
 * core looks up each page first, because some drivers lose or overwrite the
 * mapping that was there.
 *
 * A range is reserved before it is mapped, and released after it is unmapped,
 * both under phyr_domain.lock. Mapping itself needs no lock: IOMMU drivers
 * allow concurrent maps of ranges that do not overlap.
 *
 * An unmap is complete when the IOTLB is flushed; the flush is before the
 * reservation lock is dropped. Unmaps of several ranges share one.
 *
 * An unmap cannot fail, but IOMMU drivers can: virtio-iommu without memory for
 * its request forgets a mapping that the device keeps. The space is broken then
 * and maps nothing any more. What is left ends when the importer detaches the
 * domain.
 */
#include <linux/device.h>
#include <linux/dma-map-ops.h>
#include <linux/export.h>
#include <linux/interval_tree.h>
#include <linux/iommu.h>
#include <linux/overflow.h>
#include <linux/pci.h>
#include <linux/phyr_inject.h>
#include <linux/phyr_iommu.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "internal.h"

/**
 * struct phyr_domain - an importer's IOMMU domain
 * @ref: references: the importer and its attachments
 * @dev: the device, with a reference; constant
 * @domain: the domain, which the importer owns; constant. Only accessed while
 *	it is attached to @dev
 * @reserved: reserved regions of @dev (struct iommu_resv_region); constant
 *	until phyr_domain_destroy()
 * @lock: guards @ranges, @gone and @broken; nests inside any reservation lock
 * @ranges: interval tree of struct phyr_domain_range
 * @gone: the importer has destroyed the space or detached the domain
 * @broken: an unmap failed in part: no further maps
 */
struct phyr_domain {
	struct kref ref;
	struct device *dev;
	struct iommu_domain *domain;
	struct list_head reserved;
	struct mutex lock;		/* ranges, gone, broken */
	struct rb_root_cached ranges;
	bool gone;
	bool broken;
};

/**
 * struct phyr_domain_range - IOVAs of a mapping
 * @node: first and last IOVA; in phyr_domain.ranges while @reserved
 * @space: the space, which the attachment has a reference to; constant
 * @reserved: not unmapped yet; guarded by phyr_domain.lock
 * @pages: the IOMMU pages that it was mapped with
 */
struct phyr_domain_range {
	struct interval_tree_node node;
	struct phyr_domain *space;
	bool reserved;
	struct phyr_domain_pages pages;
};

/*
 * The space
 */

static int phyr_domain_count_dev(struct device *dev, void *data)
{
	unsigned int *count = data;

	(*count)++;
	return 0;
}

/* The other devices of a shared group would reach the buffers, too. */
static int phyr_domain_check_group(struct device *dev)
{
	struct iommu_group *group = iommu_group_get(dev);
	unsigned int count = 0;

	if (!group)
		return -ENODEV;

	iommu_group_for_each_dev(group, &count, phyr_domain_count_dev);
	iommu_group_put(group);
	return count == 1 ? 0 : -EINVAL;
}

static int phyr_domain_check_domain(struct device *dev,
				    const struct iommu_domain *domain)
{
	if (iommu_get_domain_for_dev(dev) != domain)
		return -EINVAL;
	/* Pages larger than the buffer's would map more than the buffer. */
	if (!(domain->type & __IOMMU_DOMAIN_PAGING) ||
	    !(domain->pgsize_bitmap & GENMASK(PAGE_SHIFT, 0)))
		return -EINVAL;
	return dev->dma_mask ? 0 : -EINVAL;
}

/**
 * phyr_domain_create - pass an importer's IOMMU domain to the core
 * @dev: the importer's device, bound to its driver
 * @domain: a paging domain that is attached to @dev. The importer keeps it
 *	attached until phyr_domain_destroy(). It must not have had a space that
 *	failed with -EIO
 * @owner: the cookie that the importer claimed DMA ownership of @dev with
 *
 * Context: no reservation lock is held; may sleep.
 * Return: the space, to be released by phyr_domain_destroy(), or ERR_PTR:
 * -ENODEV if @dev is not behind an IOMMU, whatever @domain is; -EINVAL if it
 * shares an IOMMU group, has no DMA mask, if @domain is not attached to it, is
 * not a paging domain or has no pages as small as the processor's; -EPERM if DMA
 * ownership was not claimed with @owner; -EBUSY if another domain is attached;
 * -ENOMEM.
 */
struct phyr_domain *phyr_domain_create(struct device *dev,
				       struct iommu_domain *domain,
				       void *owner)
{
	struct phyr_domain *space;
	int ret;

	ret = phyr_domain_check_group(dev);
	if (ret)
		return ERR_PTR(ret);
	if (!domain || !owner)
		return ERR_PTR(-EINVAL);
	ret = iommu_device_claim_dma_owner(dev, owner);
	if (ret)
		return ERR_PTR(ret);
	ret = phyr_domain_check_domain(dev, domain);
	if (ret)
		goto err_release;

	ret = -ENOMEM;
	space = kzalloc_obj(*space);
	if (!space)
		goto err_release;

	kref_init(&space->ref);
	space->dev = get_device(dev);
	space->domain = domain;
	mutex_init(&space->lock);
	space->ranges = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&space->reserved);
	iommu_get_resv_regions(dev, &space->reserved);
	return space;

err_release:
	iommu_device_release_dma_owner(dev);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_NS_GPL(phyr_domain_create, "PHYR");

/**
 * phyr_domain_get - take a reference
 * @space: the space
 *
 * Context: any.
 * Return: @space.
 */
struct phyr_domain *phyr_domain_get(struct phyr_domain *space)
{
	kref_get(&space->ref);
	return space;
}

static void phyr_domain_release(struct kref *ref)
{
	struct phyr_domain *space = container_of(ref, struct phyr_domain, ref);

	mutex_destroy(&space->lock);
	put_device(space->dev);
	kfree(space);
}

/**
 * phyr_domain_put - drop a reference
 * @space: the space
 *
 * Context: may sleep.
 */
void phyr_domain_put(struct phyr_domain *space)
{
	kref_put(&space->ref, phyr_domain_release);
}

/**
 * phyr_domain_dev - get the device of a space
 * @space: the space
 *
 * Context: any.
 * Return: the device, without a reference.
 */
struct device *phyr_domain_dev(const struct phyr_domain *space)
{
	return space->dev;
}

/*
 * A domain that was detached may be freed: do not access it. The pointer of
 * iommu_get_domain_for_dev() is only compared, because it is not the DMA API's
 * domain here, and may be that of another attach.
 */
static bool phyr_domain_is_usable(struct phyr_domain *space)
{
	lockdep_assert_held(&space->lock);

	if (space->gone)
		return false;
	if (!WARN_ONCE(iommu_get_domain_for_dev(space->dev) != space->domain,
		       "phyr: the IOMMU domain of %s was detached before phyr_domain_destroy()\n",
		       dev_name(space->dev)))
		return true;
	space->gone = true;
	return false;
}

/*
 * IOVAs
 */

static bool phyr_domain_is_reserved(struct phyr_domain *space, u64 first,
				    u64 last)
{
	const struct iommu_resv_region *region;

	list_for_each_entry(region, &space->reserved, list)
		if (first <= region->start + region->length - 1 &&
		    last >= region->start)
			return true;
	return false;
}

/* Would the access reach a BAR instead of the IOMMU? */
static bool phyr_domain_is_routed(const struct pci_host_bridge *bridge,
				  u64 first, u64 last)
{
	struct resource_entry *window;

	resource_list_for_each_entry(window, &bridge->windows)
		if (resource_type(window->res) == IORESOURCE_MEM &&
		    first <= window->res->end - window->offset &&
		    last >= window->res->start - window->offset)
			return true;
	return false;
}

/* Does the bridge pass the access? One without inbound windows passes all. */
static bool phyr_domain_is_inbound(const struct pci_host_bridge *bridge,
				   u64 first, u64 last)
{
	struct resource_entry *window;

	if (list_empty(&bridge->dma_ranges))
		return true;

	resource_list_for_each_entry(window, &bridge->dma_ranges)
		if (first >= window->res->start - window->offset &&
		    last <= window->res->end - window->offset)
			return true;
	return false;
}

static int phyr_domain_check_iova(struct phyr_domain *space, u64 first,
				  u64 last)
{
	const struct iommu_domain_geometry *geometry = &space->domain->geometry;
	const struct pci_host_bridge *bridge;

	if (first < geometry->aperture_start ||
	    last > geometry->aperture_end ||
	    last > min_not_zero(dma_get_mask(space->dev),
				space->dev->bus_dma_limit))
		return -ERANGE;
	if (phyr_domain_is_reserved(space, first, last))
		return -EINVAL;
	if (!dev_is_pci(space->dev))
		return 0;

	bridge = pci_find_host_bridge(to_pci_dev(space->dev)->bus);
	if (phyr_domain_is_routed(bridge, first, last))
		return -EINVAL;
	return phyr_domain_is_inbound(bridge, first, last) ? 0 : -ERANGE;
}

/* The importer's own mappings; a generic page table looks for them itself. */
static bool phyr_domain_is_mapped(struct iommu_domain *domain, u64 first,
				  u64 last)
{
	u64 page = BIT_ULL(__ffs(domain->pgsize_bitmap)), offset;

	if (domain->is_iommupt)
		return false;

	for (offset = 0; offset <= last - first; offset += page) {
		if (iommu_iova_to_phys(domain, first + offset))
			return true;
		cond_resched();
	}
	return false;
}

static int phyr_domain_reserve(struct phyr_domain_range *range)
{
	struct phyr_domain *space = range->space;
	u64 first = range->node.start, last = range->node.last;
	int ret;

	guard(mutex)(&space->lock);

	if (!phyr_domain_is_usable(space))
		return -ENODEV;
	if (space->broken)
		return -EIO;
	ret = phyr_domain_check_iova(space, first, last);
	if (ret)
		return ret;
	if (interval_tree_iter_first(&space->ranges, first, last))
		return -EADDRINUSE;

	range->reserved = true;
	interval_tree_insert(&range->node, &space->ranges);
	return 0;
}

/*
 * @range has no page in the domain any more, the domain is gone, or its space
 * is broken.
 */
static void phyr_domain_unreserve(struct phyr_domain_range *range)
{
	lockdep_assert_held(&range->space->lock);

	interval_tree_remove(&range->node, &range->space->ranges);
	range->reserved = false;
}

/*
 * Mapping
 */

/* The page that the IOMMU layer chooses for the start of an extent. */
static u64 phyr_domain_page(const struct iommu_domain *domain, u64 iova,
			    u64 paddr, u64 len)
{
	unsigned long sizes = domain->pgsize_bitmap & GENMASK(__fls(len), 0);

	if (iova | paddr)
		sizes &= GENMASK(__ffs(iova | paddr), 0);
	return BIT_ULL(__fls(sizes));
}

/* Number of pages of that size until one of the next larger size follows. */
static u64 phyr_domain_run(const struct iommu_domain *domain, u64 iova,
			   u64 paddr, u64 len, u64 page)
{
	unsigned long larger = domain->pgsize_bitmap & ~(page | (page - 1));
	u64 next, before;

	if (larger) {
		next = BIT_ULL(__ffs(larger));
		before = next - (iova & (next - 1));
		if (!((iova ^ paddr) & (next - 1)) && len > before &&
		    len - before >= next)
			len = before;
	}
	return len / page;
}

static void phyr_domain_add_pages(struct phyr_domain_pages *pages,
				  const struct iommu_domain *domain, u64 iova,
				  u64 paddr, u64 left)
{
	u64 page, nr;

	for (; left; left -= nr * page, iova += nr * page, paddr += nr * page) {
		page = phyr_domain_page(domain, iova, paddr, left);
		nr = phyr_domain_run(domain, iova, paddr, left, page);
		pages->smallest = min_not_zero(pages->smallest, page);
		pages->largest = max(pages->largest, page);
		pages->count += nr;
	}
}

/*
 * Bytes to pass to one iommu_map(), which undoes what it has mapped when it
 * fails, but ignores an unmap that fails. So pass what the driver maps in one
 * call, the pages of one size: this file undoes the calls before, and checks
 * it. virtio-iommu, whose unmap can fail, maps all of a call or nothing. The
 * generic page table maps an extent in one call, and its unmap cannot fail.
 */
static u64 phyr_domain_map_len(const struct iommu_domain *domain, u64 iova,
			       u64 paddr, u64 len)
{
	u64 page;

	if (domain->is_iommupt)
		return len;
	page = phyr_domain_page(domain, iova, paddr, len);
	return page * phyr_domain_run(domain, iova, paddr, len, page);
}

static int phyr_domain_prot(struct device *dev, const struct phyr_mem *mem)
{
	if (mem->kind == PHYR_MEM_P2P)
		return IOMMU_MMIO;
	return dev_is_dma_coherent(dev) ? IOMMU_CACHE : 0;
}

/* On error, *@iova is where the mapped part ends. */
static int phyr_domain_map_extent(struct phyr_domain_range *range,
				  struct phys_vec vec, int prot, u64 *iova)
{
	struct iommu_domain *domain = range->space->domain;
	u64 len;
	int ret;

	for (; vec.len; vec.len -= len, vec.paddr += len, *iova += len) {
		len = phyr_domain_map_len(domain, *iova, vec.paddr, vec.len);
		ret = iommu_map(domain, *iova, vec.paddr, len, prot,
				GFP_KERNEL_ACCOUNT);
		if (ret)
			return ret;
		phyr_domain_add_pages(&range->pages, domain, *iova, vec.paddr,
				      len);
	}
	return 0;
}

/* As phyr_domain_map_extent(), for all that @cursor walks. */
static int phyr_domain_map_extents(struct phyr_domain_range *range,
				   struct phyr_cursor *cursor, int prot,
				   u64 *iova)
{
	struct device *dev = range->space->dev;
	struct phyr_mem *mem;
	struct phys_vec vec;
	int ret;

	if (phyr_domain_is_mapped(range->space->domain, *iova,
				  range->node.last))
		return -EADDRINUSE;

	while (phyr_next(cursor, &vec, &mem)) {
		ret = phyr_domain_map_extent(range, vec,
					     prot | phyr_domain_prot(dev, mem),
					     iova);
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}

/*
 * Unmap @len bytes, the mapped part of a range; the caller flushes.
 *
 * An unmap stops at a page that is not mapped, or that the driver fails to
 * unmap. Continue after it: soon the memory may be somebody else's. What the
 * driver has forgotten is out of reach here: virtio-iommu forgets a whole range
 * before it asks its device to unmap it.
 */
static void phyr_domain_unmap_pages(struct phyr_domain_range *range, u64 len,
				    struct iommu_iotlb_gather *gather)
{
	struct phyr_domain *space = range->space;
	bool missing = false;
	u64 offset = 0;

	if (!len || !phyr_domain_is_usable(space))
		return;

	for (;;) {
		offset += iommu_unmap_fast(space->domain,
					   range->node.start + offset,
					   len - offset, gather);
		if (offset >= len)
			break;
		missing = true;
		offset += PAGE_SIZE;
		if (offset >= len)
			break;
		cond_resched();
	}
	space->broken |= missing;
	WARN_ONCE(missing,
		  "phyr: could not unmap all of a dma-buf from the IOMMU domain of %s; the device may access it until the domain is detached\n",
		  dev_name(space->dev));
}

static void phyr_domain_flush(struct phyr_domain *space,
			      struct iommu_iotlb_gather *gather)
{
	if (phyr_domain_is_usable(space))
		iommu_iotlb_sync(space->domain, gather);
}

static void phyr_domain_unmap_part(struct phyr_domain_range *range, u64 len)
{
	struct phyr_domain *space = range->space;
	struct iommu_iotlb_gather gather;

	guard(mutex)(&space->lock);

	if (!range->reserved)
		return;
	iommu_iotlb_gather_init(&gather);
	phyr_domain_unmap_pages(range, len, &gather);
	phyr_domain_flush(space, &gather);
	phyr_domain_unreserve(range);
}

/**
 * phyr_domain_map - map a part of a phyr list
 * @space: the space
 * @cursor: walk of the part, whole pages
 * @iova: first IOVA, page-aligned
 * @prot: IOMMU_READ, IOMMU_WRITE, IOMMU_NOEXEC and IOMMU_PRIV
 *
 * A failed map leaves nothing mapped.
 *
 * Context: the reservation lock is held; may sleep.
 * Return: the range, to be unmapped by phyr_domain_unmap() and freed by
 * phyr_domain_range_free(), or ERR_PTR as phyr_map_domain().
 */
struct phyr_domain_range *phyr_domain_map(struct phyr_domain *space,
					  struct phyr_cursor *cursor, u64 iova,
					  int prot)
{
	struct phyr_domain_range *range;
	unsigned long last;
	int ret;

	if (check_add_overflow(iova, cursor->left - 1, &last))
		return ERR_PTR(-EINVAL);

	range = kzalloc_obj(*range, GFP_KERNEL_ACCOUNT);
	if (!range)
		return ERR_PTR(-ENOMEM);

	range->space = space;
	range->node.start = iova;
	range->node.last = last;
	ret = phyr_domain_reserve(range);
	if (ret)
		goto err_free;

	phyr_inject_delay();
	ret = phyr_domain_map_extents(range, cursor, prot, &iova);
	if (!ret)
		return range;

	phyr_domain_unmap_part(range, iova - range->node.start);
err_free:
	kfree(range);
	return ERR_PTR(ret);
}

static u64 phyr_domain_range_len(const struct phyr_domain_range *range)
{
	return range->node.last - range->node.start + 1;
}

/**
 * phyr_domain_unmap - unmap a range and flush the IOTLB
 * @range: the range; may be unmapped already
 *
 * Context: the reservation lock of its mapping is held; may sleep.
 */
void phyr_domain_unmap(struct phyr_domain_range *range)
{
	phyr_inject_delay();
	phyr_domain_unmap_part(range, phyr_domain_range_len(range));
}

/* Unmap what is mapped, of a space that is locked. */
static void phyr_domain_unmap_range(struct phyr_domain_range *range,
				    struct iommu_iotlb_gather *gather)
{
	if (range->reserved)
		phyr_domain_unmap_pages(range, phyr_domain_range_len(range),
					gather);
}

/**
 * phyr_domain_unmap_lists - unmap lists with one flush of the IOTLB
 * @space: the space
 * @lists: struct dma_range_list of PHYR_MAP_DOMAIN, linked by their node; some
 *	may be unmapped already
 *
 * Afterwards the device reaches nothing through @lists, unless an unmap fails and
 * the space is broken. The caller has ended the importer's data by
 * dma_range_lists_destroy_priv().
 *
 * Context: the reservation locks of all lists are held; may sleep.
 */
void phyr_domain_unmap_lists(struct phyr_domain *space,
			     struct list_head *lists)
{
	struct iommu_iotlb_gather gather;
	struct dma_range_list *ranges;

	phyr_inject_delay();
	guard(mutex)(&space->lock);

	iommu_iotlb_gather_init(&gather);
	list_for_each_entry(ranges, lists, node)
		phyr_domain_unmap_range(ranges->first.range, &gather);
	phyr_domain_flush(space, &gather);

	/* Not before: whoever maps these IOVAs next may not use old entries. */
	list_for_each_entry(ranges, lists, node) {
		if (ranges->first.range->reserved)
			phyr_domain_unreserve(ranges->first.range);
		ranges->len = 0;
	}
}

/**
 * phyr_domain_destroy - take an IOMMU domain back from the core
 * @space: the space; no attachment is left
 *
 * Afterwards the importer may detach and free its domain. Warns about
 * attachments and mappings that are left, and unmaps those.
 *
 * Context: no reservation lock is held, and no phyr_map_domain() into @space is
 * running; may sleep.
 */
void phyr_domain_destroy(struct phyr_domain *space)
{
	struct iommu_iotlb_gather gather;
	struct interval_tree_node *node;
	struct phyr_domain_range *range;

	WARN_ONCE(kref_read(&space->ref) > 1,
		  "phyr: %s takes back its IOMMU domain before it detached from all dma-bufs\n",
		  dev_name(space->dev));

	mutex_lock(&space->lock);
	iommu_iotlb_gather_init(&gather);
	while ((node = interval_tree_iter_first(&space->ranges, 0,
						ULONG_MAX))) {
		range = container_of(node, struct phyr_domain_range, node);
		phyr_domain_unmap_range(range, &gather);
		phyr_domain_unreserve(range);
	}
	phyr_domain_flush(space, &gather);
	space->gone = true;
	mutex_unlock(&space->lock);

	iommu_put_resv_regions(space->dev, &space->reserved);
	iommu_device_release_dma_owner(space->dev);
	phyr_domain_put(space);
}
EXPORT_SYMBOL_NS_GPL(phyr_domain_destroy, "PHYR");

/**
 * phyr_domain_range_free - free the range of a mapping
 * @range: an unmapped range
 *
 * Context: may sleep.
 */
void phyr_domain_range_free(struct phyr_domain_range *range)
{
	kfree(range);
}

/**
 * phyr_domain_range_iova - get the first IOVA of a range
 * @range: the range
 *
 * Context: any.
 * Return: the IOVA.
 */
dma_addr_t phyr_domain_range_iova(const struct phyr_domain_range *range)
{
	return range->node.start;
}

/**
 * phyr_domain_list_pages - get the sizes of the IOMMU pages of a mapping
 * @list: a list from phyr_map_domain()
 * @pages: out: the pages that the IOMMU layer uses, the largest that the
 *	alignment of IOVA and memory allows
 *
 * Context: any.
 */
void phyr_domain_list_pages(const struct dma_range_list *list,
			    struct phyr_domain_pages *pages)
{
	*pages = list->first.range->pages;
}
EXPORT_SYMBOL_NS_GPL(phyr_domain_list_pages, "PHYR");

// SPDX-License-Identifier: GPL-2.0
/*
 * phyr_route: how one device reaches one memory
 *
 * A route records how a device reaches a memory. It is decided once per
 * attachment and memory, and all mappings of that memory use it. What the kernel
 * says of peer traffic between the two takes a walk of the PCI tree and a trial
 * mapping; attachments of the same device share the answer (struct phyr_peer).
 *
 *	memory		device			mode
 *	P2P		behind one switch	PHYR_MAP_BUS
 *	any other	behind an IOMMU		PHYR_MAP_IOVA
 *	P2P, CARVEOUT	untranslated		PHYR_MAP_WINDOW; where the mask
 *						is too short or the bus has
 *						several offsets, PHYR_MAP_EXTENT
 *	RAM		untranslated		PHYR_MAP_EXTENT
 *	P2P		unreachable		-EREMOTEIO
 *	any		importer's own domain	PHYR_MAP_DOMAIN, see iommu.c
 *
 *	any but bus	bounce buffers		-EREMOTEIO
 *	any		other dma_map_ops	-EREMOTEIO
 *	any		own domain, but not by	-EREMOTEIO
 *			phyr_attach_domain()
 *
 * A device is untranslated if it uses neither the IOMMU layer nor other
 * dma_map_ops. If IOVA space runs out the map fails; it never falls back to a
 * window, which would give a device behind an IOMMU more than the buffer.
 *
 * Nobody syncs a bounce buffer of a dma-buf: the importer does not know of it.
 * Untranslated devices bounce everything under swiotlb=force, with a restricted
 * pool or with memory encryption. Behind an IOMMU page-aligned memory does not
 * bounce, except that untrusted devices must not see the rest of an IOMMU
 * granule that is larger than a page. Other dma_map_ops, such as Xen's, bounce
 * without being asked.
 *
 * RAM of a device that is not coherent is mapped extent by extent, because
 * cpu_access.c syncs it with dma_sync_single_for_cpu(), which takes addresses
 * of dma_map_phys() only.
 *
 * A carve-out is mapped as RAM, without DMA_ATTR_MMIO: it is behind the memory
 * controller, so the bus's offset and the memory encryption bit apply, and an
 * IOMMU maps it cacheable for coherent devices. The CPU never caches it, so
 * DMA_ATTR_SKIP_CPU_SYNC: a flush would need a linear-map address, which it does
 * not have. A bounce would need one, too. DMA_ATTR_REQUIRE_COHERENT makes the DMA
 * API fail instead, but on coherent devices only: on others it fails always. No
 * attribute forbids a bounce there, so only the checks at attach and against the
 * mask do.
 */
#include <linux/dma-buf-mapping.h>
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-resv.h>
#include <linux/iommu.h>
#include <linux/iommu-dma.h>
#include <linux/pci-p2pdma.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/swiotlb.h>

#include "internal.h"

/**
 * phyr_dev_untranslated - test whether a device sees physical addresses
 * @dev: the device
 *
 * Context: any.
 * Return: true if neither an IOMMU nor other dma_map_ops translate for @dev.
 */
bool phyr_dev_untranslated(struct device *dev)
{
	return !use_dma_iommu(dev) && !get_dma_ops(dev);
}

/**
 * phyr_dev_limit - get the highest DMA address that a device can use
 * @dev: the device
 *
 * Context: any.
 * Return: the address.
 */
u64 phyr_dev_limit(struct device *dev)
{
	return min_not_zero(dma_get_mask(dev), dev->bus_dma_limit);
}

/* Clients cause this: do not let them fill the log. */
static int phyr_dev_refuse(struct device *dev, const char *why)
{
	phyr_dev_notice(dev, "phyr: %s\n", why);
	return -EREMOTEIO;
}

static bool phyr_dev_bounces(struct device *dev)
{
	return phyr_dev_untranslated(dev) && is_swiotlb_force_bounce(dev);
}

static bool phyr_dev_links_pages(struct device *dev)
{
	return use_dma_iommu(dev) && dma_get_merge_boundary(dev) < PAGE_SIZE;
}

/*
 * The DMA API would map into a domain that the device is not attached to, and
 * the same address may be somebody else's memory in the one that it is.
 */
static bool phyr_dev_has_own_domain(struct device *dev)
{
	struct iommu_domain *domain;

	if (!use_dma_iommu(dev))
		return false;
	domain = iommu_get_domain_for_dev(dev);
	return !domain || !iommu_is_dma_domain(domain);
}

/* For RAM and carve-outs; DMA_ATTR_MMIO forbids it for a BAR. */
static bool phyr_dev_bounces_ram(struct device *dev)
{
	if (phyr_dev_bounces(dev))
		return true;
	return use_dma_iommu(dev) && !phyr_dev_links_pages(dev) &&
	       dev_is_pci(dev) && to_pci_dev(dev)->untrusted;
}

/* True if traffic between the two passes a common bridge or one of them. */
static bool phyr_share_bridge(struct pci_dev *a, struct pci_dev *b)
{
	struct pci_dev *up;

	for (; a; a = pci_upstream_bridge(a))
		for (up = b; up; up = pci_upstream_bridge(up))
			if (up == a)
				return true;
	return false;
}

/* Only a bus-address mapping can yield this address. */
#define PHYR_BUS_MARK	BIT_ULL(63)

/*
 * Find out whether peer traffic from @attach->dev to @mem stays below a switch.
 *
 * pci_p2pdma_map_type() knows, but is not exported to modules. Therefore map
 * one page through a private provider whose bus offset leads to PHYR_BUS_MARK:
 * the page is mapped to that address if and only if the kernel chose bus
 * addresses.
 *
 * Query the distance first, because that refreshes the kernel's cached map type,
 * which may belong to devices that were unplugged. If the two have no common
 * bridge, traffic goes through the host bridge and no probe is needed.
 *
 * Returns 1 for bus addresses, 0 for the host bridge, -EREMOTEIO if peer
 * traffic is impossible, or another errno.
 */
static int phyr_probe_bus(struct dma_buf_attachment *attach,
			  struct phyr_mem *mem, u64 limit)
{
	struct p2pdma_provider provider = {
		.owner = mem->owner,
		.bus_offset = PHYR_BUS_MARK - mem->start,
	};
	struct phys_vec vec = { .paddr = mem->start, .len = PAGE_SIZE };
	struct pci_dev *owner = to_pci_dev(mem->owner);
	struct sg_table *sgt;
	bool bus;

	if (!dev_is_pci(attach->dev) ||
	    pci_p2pdma_distance(owner, attach->dev, false) < 0)
		return -EREMOTEIO;
	if (!phyr_share_bridge(owner, to_pci_dev(attach->dev)))
		return 0;
	if (mem->start + PAGE_SIZE - 1 > limit)
		return -EREMOTEIO;

	/* DMA_TO_DEVICE, so that DMA-API debugging tracks no cacheline. */
	sgt = dma_buf_phys_vec_to_sgt(attach, &provider, &vec, 1, PAGE_SIZE,
				      DMA_TO_DEVICE);
	/* With bus addresses nothing is mapped, and nothing can bounce. */
	if (sgt == ERR_PTR(-ENOMEM) && phyr_dev_bounces(attach->dev))
		return 0;
	if (IS_ERR(sgt))
		return PTR_ERR(sgt) == -EINVAL ? -EREMOTEIO : PTR_ERR(sgt);

	bus = sg_dma_address(sgt->sgl) == PHYR_BUS_MARK;
	/* The helper set it to 0; sg_free_table() needs the real count. */
	sgt->orig_nents = sgt->nents;
	dma_buf_free_sgt(attach, sgt, DMA_TO_DEVICE);
	return bus;
}

static struct phyr_peer *phyr_peer_create(struct dma_buf_attachment *attach,
					  struct phyr_mem *mem, u64 limit)
{
	struct phyr_peer *peer;
	int bus;

	bus = phyr_probe_bus(attach, mem, limit);
	if (bus < 0)
		return ERR_PTR(bus);

	peer = kzalloc_obj(*peer);
	if (!peer)
		return ERR_PTR(-ENOMEM);

	peer->dev = attach->dev;
	peer->bus = bus;
	list_add(&peer->node, &mem->peers);
	return peer;
}

/* The answer is kept as long as the device has a route to @mem. */
static struct phyr_peer *phyr_peer_get(struct dma_buf_attachment *attach,
				       struct phyr_mem *mem, u64 limit)
{
	struct phyr_peer *peer;

	guard(mutex)(&mem->lock);

	list_for_each_entry(peer, &mem->peers, node)
		if (peer->dev == attach->dev)
			goto found;

	peer = phyr_peer_create(attach, mem, limit);
	if (IS_ERR(peer))
		return peer;
found:
	peer->users++;
	return peer;
}

static void phyr_peer_put(struct phyr_mem *mem, struct phyr_peer *peer)
{
	guard(mutex)(&mem->lock);

	if (--peer->users)
		return;
	list_del(&peer->node);
	kfree(peer);
}

/*
 * Get how many bytes of [@start, @last] the bus reaches by one offset; 0 if it
 * has several there. The DMA API uses the offset of an extent's first byte for
 * all of it.
 */
static u64 phyr_bus_reach(const struct device *dev, u64 start, u64 last)
{
	const struct bus_dma_region *region;
	u64 first, end, offset = 0, bytes = 0;

	for (region = dev->dma_range_map; region->size; region++) {
		first = max(region->cpu_start, start);
		end = min(region->cpu_start + region->size - 1, last);
		if (first > end)
			continue;
		if (bytes && region->dma_start - region->cpu_start != offset)
			return 0;
		offset = region->dma_start - region->cpu_start;
		bytes += end - first + 1;
	}
	return bytes;
}

/* Does the bus have offsets of its own, maybe several for parts of the memory? */
static bool phyr_route_has_offsets(const struct phyr_route *route,
				   struct device *dev)
{
	return route->mem->kind != PHYR_MEM_P2P && dev->dma_range_map &&
	       phyr_dev_untranslated(dev);
}

/**
 * phyr_route_reaches - test whether a device reaches an extent
 * @route: the device's route to the extent's memory
 * @dev: the device
 * @vec: the extent
 *
 * Context: any.
 * Return: true if it reaches all of @vec.
 */
bool phyr_route_reaches(const struct phyr_route *route, struct device *dev,
			const struct phys_vec *vec)
{
	u64 addr = vec->paddr + route->delta;
	u64 last;

	/* A bus with offsets may leave out what the mask would allow. */
	if (route->limit == U64_MAX && !phyr_route_has_offsets(route, dev))
		return true;
	/* DMA_MAPPING_ERROR, the highest address, if the bus cannot address it */
	if (route->mem->kind != PHYR_MEM_P2P)
		addr = phys_to_dma(dev, vec->paddr);
	if (check_add_overflow(addr, vec->len - 1, &last) ||
	    last > route->limit)
		return false;
	return !phyr_route_has_offsets(route, dev) ||
	       phyr_bus_reach(dev, vec->paddr,
			      vec->paddr + vec->len - 1) == vec->len;
}

/*
 * Set phyr_route.whole.
 *
 * Returns 0, or -EREMOTEIO if the device reaches no page of the memory.
 */
static int phyr_route_extent(struct phyr_route *route, struct device *dev)
{
	struct phyr_mem *mem = route->mem;
	struct phys_vec vec = { .paddr = mem->start,
				.len = mem->end - mem->start };

	/* The window of RAM has holes, and no machine fills it. */
	if (mem->kind == PHYR_MEM_RAM &&
	    (route->limit != U64_MAX || phyr_route_has_offsets(route, dev))) {
		route->whole = !dma_addressing_limited(dev) &&
			       (!phyr_route_has_offsets(route, dev) ||
				phyr_bus_reach(dev, 0, U64_MAX));
		return 0;
	}

	route->whole = phyr_route_reaches(route, dev, &vec);
	/* It may reach the middle and not the start. */
	if (phyr_route_has_offsets(route, dev))
		return 0;
	vec.len = PAGE_SIZE;
	return phyr_route_reaches(route, dev, &vec) ? 0 : -EREMOTEIO;
}

static int phyr_route_window(struct phyr_route *route, struct device *dev)
{
	struct phyr_mem *mem = route->mem;
	int ret;

	route->mode = PHYR_MAP_EXTENT;
	ret = phyr_route_extent(route, dev);
	if (ret || !route->whole)
		return ret;

	route->window = phyr_window_get(mem, dev, route->attrs);
	if (IS_ERR(route->window))
		return PTR_ERR(route->window);
	route->mode = PHYR_MAP_WINDOW;
	route->delta = route->window->addr - mem->start;
	return 0;
}

/*
 * A dma-buf importer does not sync bounce buffers: fail the mapping if it needs
 * one, where the DMA API can be told so.
 */
static unsigned long phyr_route_attrs(const struct phyr_mem *mem,
				      struct device *dev)
{
	unsigned long coherent = 0;

	if (dev_is_dma_coherent(dev))
		coherent = DMA_ATTR_REQUIRE_COHERENT;

	switch (mem->kind) {
	case PHYR_MEM_P2P:
		return PHYR_MMIO_ATTRS;
	case PHYR_MEM_CARVEOUT:
		return PHYR_CARVEOUT_ATTRS | coherent;
	case PHYR_MEM_RAM:
		break;
	}
	return coherent;
}

/* RAM of a device that is not coherent (without attributes) is not linked. */
static bool phyr_route_links(const struct phyr_route *route, struct device *dev)
{
	return phyr_dev_links_pages(dev) && route->attrs;
}

static int phyr_route_decide(struct phyr_route *route,
			     struct dma_buf_attachment *attach)
{
	struct device *dev = attach->dev;
	struct phyr_mem *mem = route->mem;
	bool untranslated = phyr_dev_untranslated(dev);
	struct phyr_peer *peer;
	u64 mask;

	if (!dev->dma_mask)
		return -EINVAL;

	if (get_dma_ops(dev))
		return phyr_dev_refuse(dev, "its bus has DMA operations of its own (Xen, or another IOMMU layer), which may use bounce buffers; dma-bufs are not supported");

	if (phyr_dev_has_own_domain(dev))
		return phyr_dev_refuse(dev, "its driver manages an IOMMU domain of its own, in which DMA API mappings do nothing; attach it by phyr_attach_domain()");

	mask = phyr_dev_limit(dev);
	route->limit = untranslated ? mask : U64_MAX;

	if (mem->kind == PHYR_MEM_P2P) {
		peer = phyr_peer_get(attach, mem, route->limit);
		if (IS_ERR(peer))
			return PTR_ERR(peer);
		route->peer = peer;
		if (peer->bus) {
			route->mode = PHYR_MAP_BUS;
			route->delta = mem->bus_offset;
			route->limit = mask;
			return phyr_route_extent(route, dev);
		}
	}

	if (mem->kind == PHYR_MEM_P2P ? phyr_dev_bounces(dev) :
					phyr_dev_bounces_ram(dev))
		return phyr_dev_refuse(dev, "DMA needs bounce buffers (swiotlb=force, a restricted pool, memory encryption, or an untrusted device behind an IOMMU with large pages), which dma-bufs do not support; put the device behind an IOMMU whose pages are not larger than the processor's");

	route->attrs = phyr_route_attrs(mem, dev);
	if (mem->kind != PHYR_MEM_RAM && untranslated)
		return phyr_route_window(route, dev);
	route->mode = phyr_route_links(route, dev) ? PHYR_MAP_IOVA :
						     PHYR_MAP_EXTENT;
	return phyr_route_extent(route, dev);
}

static void phyr_route_drop_peer(struct phyr_route *route)
{
	if (route->peer)
		phyr_peer_put(route->mem, route->peer);
}

/**
 * phyr_route_create - decide how a device reaches a memory
 * @attach: attachment of the device
 * @mem: the memory; the route takes a reference
 *
 * Context: @attach's reservation lock is held; may sleep.
 * Return: the route, or ERR_PTR: -EREMOTEIO if @mem is unreachable, or only by
 * bounce buffers; -EINVAL for a device without a DMA mask; -ENOMEM if memory or
 * IOVA space ran out.
 */
struct phyr_route *phyr_route_create(struct dma_buf_attachment *attach,
				     struct phyr_mem *mem)
{
	struct phyr_route *route;
	int ret;

	dma_resv_assert_held(attach->dmabuf->resv);

	route = kzalloc_obj(*route, GFP_KERNEL_ACCOUNT);
	if (!route)
		return ERR_PTR(-ENOMEM);

	route->mem = mem;
	ret = phyr_route_decide(route, attach);
	if (ret) {
		phyr_route_drop_peer(route);
		kfree(route);
		return ERR_PTR(ret);
	}
	phyr_mem_get(mem);
	return route;
}

/**
 * phyr_route_destroy - free a route
 * @route: the route; no mapping that uses it is left
 *
 * Context: the attachment's reservation lock is held; may sleep.
 */
void phyr_route_destroy(struct phyr_route *route)
{
	if (route->mode == PHYR_MAP_WINDOW)
		phyr_window_put(route->mem, route->window);
	phyr_route_drop_peer(route);
	phyr_mem_put(route->mem);
	kfree(route);
}

/*
 * The route of an importer with an IOMMU domain of its own, to which the DMA
 * API's rules do not apply. Nobody could maintain CPU caches for its device.
 */
static struct phyr_route *phyr_route_create_domain(struct device *dev,
						   struct phyr_mem *mem)
{
	struct phyr_route *route;

	if (mem->kind == PHYR_MEM_P2P &&
	    pci_p2pdma_distance(to_pci_dev(mem->owner), dev, false) < 0)
		return ERR_PTR(-EREMOTEIO);
	if (mem->kind == PHYR_MEM_RAM && !dev_is_dma_coherent(dev))
		return ERR_PTR(-EREMOTEIO);

	route = kzalloc_obj(*route, GFP_KERNEL_ACCOUNT);
	if (!route)
		return ERR_PTR(-ENOMEM);

	route->mem = phyr_mem_get(mem);
	route->mode = PHYR_MAP_DOMAIN;
	route->limit = U64_MAX;
	route->whole = true;
	return route;
}

/**
 * phyr_route_find - get the route of an attachment to a memory
 * @attach: the attachment, which keeps the route
 * @mem: the memory
 *
 * Context: the reservation lock is held; may sleep.
 * Return: the route, which is created if there is none, or ERR_PTR as
 * phyr_route_create().
 */
struct phyr_route *phyr_route_find(struct phyr_attachment *attach,
				   struct phyr_mem *mem)
{
	struct phyr_route *route;

	list_for_each_entry(route, &attach->routes, node)
		if (route->mem == mem)
			return route;

	if (attach->domain)
		route = phyr_route_create_domain(attach->attach->dev, mem);
	else
		route = phyr_route_create(attach->attach, mem);
	if (!IS_ERR(route))
		list_add(&route->node, &attach->routes);
	return route;
}

/**
 * phyr_route_mem - create the route to a memory
 * @attach: the attachment
 * @mem: a memory that the buffer may move to
 *
 * Context: the reservation lock is held; may sleep.
 * Return: 1 if the device reaches all of @mem, 0 if it reaches a part, or as
 * phyr_route_create().
 */
int phyr_route_mem(struct phyr_attachment *attach, struct phyr_mem *mem)
{
	struct phyr_route *route;

	dma_resv_assert_held(attach->attach->dmabuf->resv);

	route = phyr_route_find(attach, mem);
	return IS_ERR(route) ? PTR_ERR(route) : route->whole;
}

/**
 * phyr_routes_are_whole - test whether an attachment's routes have no limits
 * @attach: the attachment
 *
 * Context: the reservation lock is held.
 * Return: true if the device reaches all of each memory that @attach has a
 * route to.
 */
bool phyr_routes_are_whole(const struct phyr_attachment *attach)
{
	const struct phyr_route *route;

	dma_resv_assert_held(attach->attach->dmabuf->resv);

	list_for_each_entry(route, &attach->routes, node)
		if (!route->whole)
			return false;
	return true;
}

static bool phyr_route_reaches_chunk(const struct phyr_route *route,
				     struct device *dev,
				     const struct phyr_chunk *chunk)
{
	unsigned int i;

	for (i = 0; i < chunk->nr; i++)
		if (!phyr_route_reaches(route, dev, &chunk->vecs[i]))
			return false;
	return true;
}

/**
 * phyr_route_list - create the routes to all memories of a list
 * @attach: the attachment
 * @list: finished list
 *
 * Context: the reservation lock is held; may sleep.
 * Return: 0 if the device reaches all extents of @list, -EREMOTEIO if not, or
 * as phyr_route_create().
 */
int phyr_route_list(struct phyr_attachment *attach, struct phyr_list *list)
{
	const struct phyr_chunk *chunk;
	struct phyr_route *route = NULL;

	dma_resv_assert_held(attach->attach->dmabuf->resv);

	for (chunk = phyr_list_first(list); chunk; chunk = chunk->next) {
		if (!route || route->mem != chunk->mem)
			route = phyr_route_find(attach, chunk->mem);
		if (IS_ERR(route))
			return PTR_ERR(route);
		route->used = true;
		if (route->whole && phyr_list_mem(list))
			return 0;
		if (!route->whole &&
		    !phyr_route_reaches_chunk(route, attach->attach->dev,
					      chunk))
			return -EREMOTEIO;
		cond_resched();
	}
	return 0;
}

/**
 * phyr_route_name - describe how an attachment reaches its memory
 * @attach: the attachment
 *
 * Context: the reservation lock is held.
 * Return: as dma_range_list_mode(), or "-" if no route is used yet.
 */
const char *phyr_route_name(const struct phyr_attachment *attach)
{
	const struct phyr_route *route, *used = NULL;

	if (attach->kind == PHYR_KIND_FROM_STOCK)
		return phyr_map_mode_name(PHYR_MAP_SGT);
	list_for_each_entry(route, &attach->routes, node) {
		if (!route->used)
			continue;
		if (used)
			return "mixed";
		used = route;
	}
	return used ? phyr_map_mode_name(used->mode) : "-";
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Mapping of dma-bufs into an importer's own IOMMU domain
 *
 * The importer passes domain, IOVA, offset, length and protection; the core maps
 * the phyr list (domain.c does) and returns a dma_range list of one range. The
 * importer sees no physical address.
 *
 * Such an attachment is of its own kind (PHYR_KIND_DOMAIN): it uses neither the
 * DMA API, which does not work for the device, nor phyr_map(). Its routes are
 * decided by pci_p2pdma_distance() alone. That an address would be routed to a
 * peer directly, below a switch, does not matter: no IOVA looks like a peer's
 * address, because the windows of the host bridge are refused.
 *
 * For moves and revokes the attachment is a native one.
 */
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/phyr_iommu.h>

#include "internal.h"

#define PHYR_DOMAIN_PROT \
	(IOMMU_READ | IOMMU_WRITE | IOMMU_NOEXEC | IOMMU_PRIV)

/* Return: the buffer's list, which the device reaches, or ERR_PTR. */
static struct phyr_list *phyr_domain_get_list(struct phyr_attachment *attach)
{
	struct phyr_buffer *buffer = phyr_dma_buf_buffer(attach->attach->dmabuf);
	struct phyr_list *list;
	int ret;

	list = phyr_buffer_get_list(buffer);
	if (IS_ERR(list))
		return list;

	ret = phyr_route_list(attach, list);
	if (ret == -EREMOTEIO) {
		ret = phyr_admit_again(buffer, attach);
		if (ret)
			return ERR_PTR(ret);
		list = phyr_buffer_get_list(buffer);
		if (IS_ERR(list))
			return list;
	}
	/* An IOMMU page would start outside the buffer. */
	if (!ret && phyr_list_skip(list))
		ret = -EINVAL;
	return ret ? ERR_PTR(ret) : list;
}

static int phyr_domain_check_args(const struct phyr_attachment *attach,
				  u64 offset, u64 len, u64 iova, int prot)
{
	u64 end;

	if (attach->kind != PHYR_KIND_DOMAIN)
		return -EINVAL;
	if (!len || !PAGE_ALIGNED(offset) || !PAGE_ALIGNED(len) ||
	    !PAGE_ALIGNED(iova))
		return -EINVAL;
	if (check_add_overflow(offset, len, &end) ||
	    end > attach->attach->dmabuf->size)
		return -EINVAL;
	if (prot & ~PHYR_DOMAIN_PROT || !(prot & (IOMMU_READ | IOMMU_WRITE)))
		return -EINVAL;
	return 0;
}

/**
 * phyr_map_domain - map part of a dma-buf at a given IOVA
 * @attach: attachment of phyr_attach_domain()
 * @offset: first byte, page-aligned
 * @len: bytes, page-aligned
 * @iova: first IOVA, page-aligned
 * @prot: IOMMU_READ, IOMMU_WRITE or both, and IOMMU_NOEXEC and IOMMU_PRIV
 *
 * Uses the largest IOMMU pages that the alignment of @iova and the memory
 * allows, see phyr_domain_list_pages(). The same part may be mapped several
 * times, at different IOVAs. After a move, the same IOVA may be mapped again
 * before the old list is unmapped.
 *
 * Otherwise as phyr_map(): wait for DMA_RESV_USAGE_KERNEL fences, and use the
 * IOVAs under the reservation lock or a fence in it only. phyr_map_commit(),
 * phyr_pin() and dma_range_list_set_priv() work as for phyr_map().
 *
 * Context: the reservation lock is held, and those of all parts of a composed
 * dma-buf; may sleep.
 * Return: a list of one range, to be released by phyr_unmap() or
 * phyr_unmap_domain(), or ERR_PTR: -EINVAL for an argument that violates the
 * rules above, an @iova + @len that overflows, an IOVA that is reserved or in a
 * window of the host bridge, a buffer that does not start at a page boundary of
 * its memory, or another kind of attachment; -EACCES for IOMMU_WRITE to a
 * read-only buffer; -ERANGE beyond the domain's aperture or the device's mask;
 * -EADDRINUSE if an IOVA is mapped already, by whomever; -EBUSY in an invalidate
 * callback; -ENODEV for a revoked buffer, or if the domain is detached; -EIO
 * after an unmap in the space that failed in part, until the importer creates
 * another with another domain; -EREMOTEIO if the device does not reach the
 * memory; -ENOMEM; or another error of the IOMMU driver.
 */
struct dma_range_list *phyr_map_domain(struct phyr_attachment *attach,
				       u64 offset, u64 len, u64 iova, int prot)
{
	struct phyr_domain_range *range;
	struct dma_range_list *ranges;
	struct phyr_cursor cursor;
	struct phyr_list *list;
	int ret;

	phyr_attachment_assert_held(attach);

	ret = phyr_domain_check_args(attach, offset, len, iova, prot);
	if (ret)
		return ERR_PTR(ret);
	list = phyr_domain_get_list(attach);
	if (IS_ERR(list))
		return ERR_CAST(list);
	if (phyr_list_is_readonly(list) && prot & IOMMU_WRITE)
		return ERR_PTR(-EACCES);

	ranges = dma_range_list_alloc(NULL);
	if (!ranges)
		return ERR_PTR(-ENOMEM);
	phyr_cursor_init(&cursor, list, offset, len);
	range = phyr_domain_map(attach->domain, &cursor, iova, prot);
	if (IS_ERR(range)) {
		dma_range_list_free(ranges);
		return ERR_CAST(range);
	}

	ranges->list = phyr_list_get(list);
	ranges->dev = attach->attach->dev;
	ranges->dir = DMA_BIDIRECTIONAL;
	ranges->len = len;
	ranges->first.mode = PHYR_MAP_DOMAIN;
	ranges->first.flags = phyr_list_has_peer(list) ? DMA_RANGE_PEER : 0;
	ranges->first.len = len;
	ranges->first.range = range;
	ranges->segments = &ranges->first;
	phyr_keep_mapping(attach, ranges);
	return ranges;
}
EXPORT_SYMBOL_NS_GPL(phyr_map_domain, "PHYR");

/**
 * phyr_unmap_domain - unmap and free mappings, with one flush of the IOTLB
 * @space: the space that all of them are mapped in; warns about others, which
 *	are unmapped by themselves, as are those of composed dma-bufs
 * @mappings: array of mappings, of one or several dma-bufs
 * @nr: their number
 *
 * phyr_unmap() of each does the same with a flush for each. The caller
 * guarantees that no DMA through the lists is running or will start. Cannot
 * fail.
 *
 * Context: the reservation locks of all dma-bufs are held; may sleep.
 */
void phyr_unmap_domain(struct phyr_domain *space,
		       const struct phyr_domain_mapping *mappings,
		       unsigned int nr)
{
	struct dma_range_list *ranges, *next;
	LIST_HEAD(lists);
	unsigned int i;

	for (i = 0; i < nr; i++) {
		dma_resv_assert_held(mappings[i].attach->attach->dmabuf->resv);
		/* A part of a composed buffer may be about to unmap it. */
		if (WARN_ON_ONCE(mappings[i].attach->domain != space) ||
		    phyr_attachment_is_of_whole(mappings[i].attach))
			phyr_unmap(mappings[i].attach, mappings[i].list);
		else
			list_move_tail(&mappings[i].list->node, &lists);
	}

	dma_range_lists_destroy_priv(&lists);
	phyr_domain_unmap_lists(space, &lists);
	list_for_each_entry_safe(ranges, next, &lists, node)
		dma_range_list_free(ranges);
}
EXPORT_SYMBOL_NS_GPL(phyr_unmap_domain, "PHYR");

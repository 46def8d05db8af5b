// SPDX-License-Identifier: GPL-2.0
/*
 * phyr_attachment: one importer's device at one dma-buf
 *
 * An attachment keeps its routes (one per memory) and its mappings. Both are
 * guarded by the dma-buf's reservation lock.
 */
#include <linux/export.h>
#include <linux/slab.h>

#include "internal.h"

/**
 * phyr_attachment_alloc - allocate an attachment
 *
 * Context: may sleep.
 * Return: an attachment without routes and mappings, to be freed by kfree(),
 * or NULL.
 */
struct phyr_attachment *phyr_attachment_alloc(void)
{
	struct phyr_attachment *attach;

	attach = kzalloc_obj(*attach, GFP_KERNEL_ACCOUNT);
	if (attach) {
		INIT_LIST_HEAD(&attach->node);
		INIT_LIST_HEAD(&attach->routes);
		INIT_LIST_HEAD(&attach->mappings);
	}
	return attach;
}

/**
 * phyr_attachment_priv - get the importer's private pointer
 * @attach: the attachment
 *
 * Context: any.
 * Return: the @priv that was passed to phyr_attach().
 */
void *phyr_attachment_priv(const struct phyr_attachment *attach)
{
	return attach->priv;
}
EXPORT_SYMBOL_NS_GPL(phyr_attachment_priv, "PHYR");

/**
 * phyr_attachment_maps_parts - test whether a part can be mapped alone
 * @attach: the attachment
 *
 * Context: any.
 * Return: true if phyr_map() maps the pages of the requested part only; false
 * for a stock exporter, which maps the whole buffer each time.
 */
bool phyr_attachment_maps_parts(const struct phyr_attachment *attach)
{
	return attach->kind != PHYR_KIND_FROM_STOCK;
}
EXPORT_SYMBOL_NS_GPL(phyr_attachment_maps_parts, "PHYR");

/**
 * phyr_attachment_unmap - unmap all mappings of an attachment
 * @attach: the attachment
 *
 * Afterwards the lists map nothing; phyr_unmap() only frees them.
 *
 * Context: the reservation lock is held; may sleep.
 */
void phyr_attachment_unmap(struct phyr_attachment *attach)
{
	struct dma_range_list *ranges;

	list_for_each_entry(ranges, &attach->mappings, node)
		dma_range_list_unmap(ranges);
}

/**
 * phyr_attachment_drop_routes - destroy all routes of an attachment
 * @attach: the attachment; no mapping along its routes is left
 *
 * Context: the reservation lock is held; may sleep.
 */
void phyr_attachment_drop_routes(struct phyr_attachment *attach)
{
	struct phyr_route *route, *next;

	list_for_each_entry_safe(route, next, &attach->routes, node) {
		list_del(&route->node);
		phyr_route_destroy(route);
	}
}

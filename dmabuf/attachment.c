// SPDX-License-Identifier: GPL-2.0
/*
 * phyr_attachment: one importer's device at one dma-buf
 *
 * An attachment keeps its routes (one per memory) and its mappings. Both are
 * guarded by the dma-buf's reservation lock; see compose.c for those of a composed
 * one.
 */
#include <linux/dma-map-ops.h>
#include <linux/dma-resv.h>
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
 * phyr_attachment_add - add an attachment to a buffer
 * @buffer: the buffer
 * @attach: the attachment
 *
 * Context: the reservation lock is held.
 */
void phyr_attachment_add(struct phyr_buffer *buffer,
			 struct phyr_attachment *attach)
{
	dma_resv_assert_held(buffer->resv);

	list_add(&attach->node, &buffer->attachments);
	if (!dev_is_dma_coherent(attach->attach->dev))
		WRITE_ONCE(buffer->incoherent, buffer->incoherent + 1);
}

/**
 * phyr_attachment_remove - remove an attachment from a buffer
 * @buffer: the buffer
 * @attach: the attachment
 *
 * Context: the reservation lock is held.
 */
void phyr_attachment_remove(struct phyr_buffer *buffer,
			    struct phyr_attachment *attach)
{
	dma_resv_assert_held(buffer->resv);

	list_del(&attach->node);
	if (!dev_is_dma_coherent(attach->attach->dev))
		WRITE_ONCE(buffer->incoherent, buffer->incoherent - 1);
}

/**
 * phyr_attachment_sync - hand mapped memory to the CPU or to the device
 * @attach: the attachment
 * @for_cpu: to the CPU
 *
 * Does nothing for a device that is coherent.
 *
 * Context: the reservation lock is held; may sleep.
 */
void phyr_attachment_sync(struct phyr_attachment *attach, bool for_cpu)
{
	struct dma_range_list *ranges;

	list_for_each_entry(ranges, &attach->mappings, node)
		if (!ranges->moved)
			dma_range_list_sync(ranges, for_cpu);
}

/**
 * phyr_attachment_unmap - unmap all mappings of an attachment
 * @attach: the attachment; the buffer has not moved yet
 *
 * Afterwards the CPU sees what the device wrote, and the lists map nothing;
 * phyr_unmap() only frees them.
 *
 * Context: the reservation lock is held; may sleep.
 */
void phyr_attachment_unmap(struct phyr_attachment *attach)
{
	struct dma_range_list *ranges;

	if (attach->domain) {
		dma_range_lists_destroy_priv(&attach->mappings);
		phyr_domain_unmap_lists(attach->domain, &attach->mappings);
		return;
	}

	phyr_attachment_sync(attach, true);
	list_for_each_entry(ranges, &attach->mappings, node)
		dma_range_list_unmap(ranges);
}

/**
 * phyr_attachments_are_mapped - test whether a buffer has mappings of its own
 * @buffer: the buffer
 *
 * Context: what guards the mappings is held: the reservation lock, or
 * phyr_whole.lock.
 * Return: true if at least one mapping is valid.
 */
bool phyr_attachments_are_mapped(const struct phyr_buffer *buffer)
{
	const struct phyr_attachment *attach;
	const struct dma_range_list *ranges;

	list_for_each_entry(attach, &buffer->attachments, node)
		list_for_each_entry(ranges, &attach->mappings, node)
			if (ranges->len && !ranges->moved)
				return true;
	return false;
}

/**
 * phyr_attachment_leave - prepare mappings that stay for a move of the buffer
 * @attach: the attachment of a stock importer; the buffer has not moved yet
 *
 * Afterwards the CPU sees what the device wrote. Unmapping does not touch CPU
 * caches: by then the memory may belong to somebody else.
 *
 * Context: the reservation lock is held; may sleep.
 */
void phyr_attachment_leave(struct phyr_attachment *attach)
{
	struct dma_range_list *ranges;

	phyr_attachment_sync(attach, true);
	list_for_each_entry(ranges, &attach->mappings, node)
		ranges->moved = true;
}

/**
 * phyr_attachment_has_table - test whether an importer keeps a table mapped
 * @attach: the attachment
 *
 * Context: the reservation lock is held.
 * Return: true if phyr_buffer.tables counts a table of @attach.
 */
bool phyr_attachment_has_table(const struct phyr_attachment *attach)
{
	const struct dma_range_list *ranges;

	list_for_each_entry(ranges, &attach->mappings, node)
		if (ranges->table && phyr_list_is_pageless(ranges->list))
			return true;
	return false;
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

// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/debug/phyr/attachments, readable by root only
 *
 *	EXPORTER DEVICE KIND ROUTE MAPPINGS WHY
 *
 * One line for each attachment of a phyr exporter or importer. KIND is native,
 * to-stock, from-stock or domain; ROUTE is as in dma_range_list_mode(); MAPPINGS
 * is a count. While another task holds the dma-buf's reservation lock, ROUTE is
 * "busy" and MAPPINGS is "-".
 */
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/module.h>
#include <linux/seq_file.h>

#include "internal.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

/*
 * Taken outside any reservation lock. Each attach and detach takes it, so
 * nobody may wait for anything while holding it: a reservation lock can be held
 * for as long as a fence takes to signal.
 */
static DEFINE_MUTEX(phyr_attachments_lock);
static LIST_HEAD(phyr_attachments);	/* guarded by phyr_attachments_lock */
static struct dentry *phyr_debugfs_dir;

static const char * const phyr_kind_names[] = {
	[PHYR_KIND_NATIVE] = "native",
	[PHYR_KIND_TO_STOCK] = "to-stock",
	[PHYR_KIND_FROM_STOCK] = "from-stock",
	[PHYR_KIND_DOMAIN] = "domain",
};

/**
 * phyr_attachment_publish - list an attachment in debugfs
 * @attach: the attachment, after negotiation
 *
 * Context: no reservation lock is held.
 */
void phyr_attachment_publish(struct phyr_attachment *attach)
{
	trace_phyr_attach(attach->attach->dmabuf, attach->attach->dev,
			  phyr_kind_names[attach->kind], attach->why);

	guard(mutex)(&phyr_attachments_lock);
	list_add_tail(&attach->all, &phyr_attachments);
}

/**
 * phyr_attachment_unpublish - remove an attachment from debugfs
 * @attach: the attachment
 *
 * Context: no reservation lock is held.
 */
void phyr_attachment_unpublish(struct phyr_attachment *attach)
{
	guard(mutex)(&phyr_attachments_lock);
	list_del(&attach->all);
}

static void attachment_show_mappings(struct seq_file *m,
				     struct phyr_attachment *attach)
{
	struct phyr_buffer *buffer = NULL;

	if (attach->kind != PHYR_KIND_FROM_STOCK)
		buffer = phyr_dma_buf_buffer(attach->attach->dmabuf);
	if (buffer)
		phyr_whole_lock(buffer);
	seq_printf(m, "%s %zu", phyr_route_name(attach),
		   list_count_nodes(&attach->mappings));
	if (buffer)
		phyr_whole_unlock(buffer);
}

static void attachment_show(struct seq_file *m, struct phyr_attachment *attach)
{
	struct dma_buf *dmabuf = attach->attach->dmabuf;

	seq_printf(m, "%s %s %s ", dmabuf->exp_name,
		   dev_name(attach->attach->dev),
		   phyr_kind_names[attach->kind]);
	if (dma_resv_trylock(dmabuf->resv)) {
		attachment_show_mappings(m, attach);
		dma_resv_unlock(dmabuf->resv);
	} else {
		seq_puts(m, "busy -");
	}
	seq_printf(m, " %s\n", attach->why);
}

static int attachments_show(struct seq_file *m, void *unused)
{
	struct phyr_attachment *attach;

	guard(mutex)(&phyr_attachments_lock);
	list_for_each_entry(attach, &phyr_attachments, all)
		attachment_show(m, attach);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(attachments);

/**
 * phyr_debugfs_init - create the debugfs files
 *
 * Context: module init.
 */
void phyr_debugfs_init(void)
{
	phyr_debugfs_dir = debugfs_create_dir("phyr", NULL);
	debugfs_create_file("attachments", 0400, phyr_debugfs_dir, NULL,
			    &attachments_fops);
	phyr_inject_init(phyr_debugfs_dir);
}

/**
 * phyr_debugfs_exit - remove the debugfs files
 *
 * Context: module exit; no attachment is left.
 */
void phyr_debugfs_exit(void)
{
	debugfs_remove_recursive(phyr_debugfs_dir);
}

/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _PHYR_DOMAIN_CARD_H
#define _PHYR_DOMAIN_CARD_H

#include <linux/list.h>
#include <linux/phyr_iommu.h>

#include "../../engine/engine.h"

struct iommu_domain;
struct pci_dev;

/**
 * struct domain_card - an engine in an IOMMU domain of its own
 * @pdev: the device; constant
 * @error: why there is no @space, or 0; constant
 * @group: the device's IOMMU group, with a reference; constant
 * @domain: the domain; constant
 * @space: the core's view of it; constant
 * @script: the page of the engine's script, mapped at PHYR_DOMAIN_SCRIPT
 * @scratch: memory mapped at PHYR_DOMAIN_SCRATCH
 * @engine: the engine
 * @run: its current copy
 */
struct domain_card {
	struct pci_dev *pdev;
	int error;
	struct iommu_group *group;
	struct iommu_domain *domain;
	struct phyr_domain *space;
	void *script;
	void *scratch;
	struct phyr_engine engine;
	struct phyr_engine_run run;
};

struct domain_card *domain_card_create(struct pci_dev *pdev);
void domain_card_destroy(struct domain_card *card);
struct dma_fence *domain_card_start(struct domain_card *card,
				    struct dma_range_list *src,
				    struct dma_range_list *dst, u64 len);
int domain_card_wait(struct domain_card *card, struct dma_fence *fence);

#endif

// SPDX-License-Identifier: GPL-2.0
/*
 * An engine in an IOMMU domain of its own
 *
 * The driver owns the domain. It maps the engine's script and some memory of
 * its own into it, and passes it to phyr.ko for the dma-bufs.
 */
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "domain_card.h"
#include "phyr_domain.h"

/* The engine hangs if no script completes within this time. */
#define DOMAIN_TIMEOUT	msecs_to_jiffies(2000)

/* Map the driver's own memory. */
static int domain_card_map(struct domain_card *card)
{
	int ret;

	card->script = alloc_pages_exact(PAGE_SIZE, GFP_KERNEL | __GFP_ZERO);
	card->scratch = alloc_pages_exact(PHYR_DOMAIN_SCRATCH_LEN,
					  GFP_KERNEL | __GFP_ZERO);
	if (!card->script || !card->scratch)
		return -ENOMEM;

	ret = iommu_map(card->domain, PHYR_DOMAIN_SCRIPT,
			virt_to_phys(card->script), PAGE_SIZE,
			IOMMU_READ | IOMMU_CACHE, GFP_KERNEL);
	if (ret)
		return ret;
	return iommu_map(card->domain, PHYR_DOMAIN_SCRATCH,
			 virt_to_phys(card->scratch), PHYR_DOMAIN_SCRATCH_LEN,
			 IOMMU_READ | IOMMU_WRITE | IOMMU_CACHE, GFP_KERNEL);
}

/* Freeing the domain unmaps it. The pages may be mapped by processes, too. */
static void domain_card_free(struct domain_card *card)
{
	iommu_domain_free(card->domain);
	if (card->scratch)
		free_pages_exact(card->scratch, PHYR_DOMAIN_SCRATCH_LEN);
	if (card->script)
		free_pages_exact(card->script, PAGE_SIZE);
}

static int domain_card_attach(struct domain_card *card)
{
	struct device *dev = &card->pdev->dev;
	int ret;

	card->domain = iommu_paging_domain_alloc(dev);
	if (IS_ERR(card->domain))
		return PTR_ERR(card->domain);

	ret = domain_card_map(card);
	if (ret)
		goto err_free;
	ret = iommu_attach_group(card->domain, card->group);
	if (ret)
		goto err_free;
	card->space = phyr_domain_create(dev, card->domain, card);
	ret = PTR_ERR_OR_ZERO(card->space);
	if (!ret)
		return 0;

	iommu_detach_group(card->domain, card->group);
err_free:
	domain_card_free(card);
	return ret;
}

static int domain_card_own(struct domain_card *card)
{
	struct device *dev = &card->pdev->dev;
	int ret;

	card->group = iommu_group_get(dev);
	if (!card->group)
		return PTR_ERR(phyr_domain_create(dev, NULL, card));

	ret = iommu_device_claim_dma_owner(dev, card);
	if (ret)
		goto err_put;
	ret = domain_card_attach(card);
	if (!ret)
		return 0;

	iommu_device_release_dma_owner(dev);
err_put:
	iommu_group_put(card->group);
	return ret;
}

static void domain_card_disown(struct domain_card *card)
{
	phyr_domain_destroy(card->space);
	iommu_detach_group(card->domain, card->group);
	iommu_device_release_dma_owner(&card->pdev->dev);
	domain_card_free(card);
	iommu_group_put(card->group);
}

/**
 * domain_card_create - make a device ready
 * @pdev: the device
 *
 * Context: probe.
 * Return: the card; its error tells if it has no IOMMU domain. ERR_PTR if it
 * has no engine.
 */
struct domain_card *domain_card_create(struct pci_dev *pdev)
{
	struct domain_card *card;
	int ret;

	card = devm_kzalloc(&pdev->dev, sizeof(*card), GFP_KERNEL);
	if (!card)
		return ERR_PTR(-ENOMEM);
	card->pdev = pdev;
	ret = pcim_enable_device(pdev);
	if (ret)
		return ERR_PTR(ret);
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(32));
	if (ret)
		return ERR_PTR(ret);

	card->error = domain_card_own(card);
	if (card->error)
		return card;

	card->engine.script = card->script;
	card->engine.script_addr = PHYR_DOMAIN_SCRIPT;
	ret = phyr_engine_init(&card->engine, pdev);
	if (ret) {
		domain_card_disown(card);
		return ERR_PTR(ret);
	}
	return card;
}

/**
 * domain_card_destroy - stop a device and free its domain
 * @card: the card; it is attached to no dma-buf
 *
 * Context: remove.
 */
void domain_card_destroy(struct domain_card *card)
{
	if (card->error)
		return;
	phyr_engine_stop(&card->engine);
	domain_card_disown(card);
}

/**
 * domain_card_start - start a copy
 * @card: the card; no copy is running
 * @src: what to read; valid until domain_card_wait() returns
 * @dst: what to write; likewise
 * @len: bytes
 *
 * Context: may sleep.
 * Return: the fence of the copy, for domain_card_wait(), or ERR_PTR.
 */
struct dma_fence *domain_card_start(struct domain_card *card,
				    struct dma_range_list *src,
				    struct dma_range_list *dst, u64 len)
{
	struct phyr_engine_run *run = &card->run;
	struct dma_fence *started;

	*run = (struct phyr_engine_run) { .len = len, .left = len };
	run->fence = kzalloc_obj(*run->fence);
	if (!run->fence)
		return ERR_PTR(-ENOMEM);

	dma_range_cursor_init(&run->src.cursor, src, 0);
	dma_range_cursor_init(&run->dst.cursor, dst, 0);
	started = phyr_engine_start(&card->engine, run);
	if (IS_ERR(started))
		kfree(run->fence);
	return started;
}

/**
 * domain_card_wait - wait for a copy
 * @card: the card
 * @fence: from domain_card_start(); put
 *
 * Context: no reservation lock is held; may sleep.
 * Return: 0, or the error of the copy.
 */
int domain_card_wait(struct domain_card *card, struct dma_fence *fence)
{
	int status;

	while (!dma_fence_wait_timeout(fence, false, DOMAIN_TIMEOUT))
		if (!phyr_engine_progress(&card->engine, &card->run))
			phyr_engine_abort(&card->engine, &card->run,
					  -ETIMEDOUT);
	status = dma_fence_get_status(fence);
	dma_fence_put(fence);
	dma_fence_put(card->run.fence);
	return min(status, 0);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Memories, lists and random numbers for the KUnit cases
 *
 * The code under test creates the objects. A case ends if that fails.
 */
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/random.h>

#include "../internal.h"
#include "fixture.h"
#include "mock.h"

static ulong seed;
module_param(seed, ulong, 0444);
MODULE_PARM_DESC(seed, "seed of the random cases, to reproduce a run; 0 for a random seed (default 0)");

KUNIT_DEFINE_ACTION_WRAPPER(fixture_mem_end, phyr_mem_put, struct phyr_mem *);
KUNIT_DEFINE_ACTION_WRAPPER(fixture_list_end, phyr_list_put,
			    struct phyr_list *);

static struct phyr_mem *fixture_mem(struct kunit *test, struct phyr_mem *mem)
{
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mem);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, fixture_mem_end,
							mem), 0);
	return mem;
}

/**
 * fixture_ram - create a phyr_mem of system memory
 * @test: the case
 *
 * Return: the memory; @test drops its first reference at the end.
 */
struct phyr_mem *fixture_ram(struct kunit *test)
{
	return fixture_mem(test, phyr_mem_create_ram());
}

/**
 * fixture_carveout - create a phyr_mem of a carve-out
 * @test: the case
 * @start: physical address
 * @len: bytes
 *
 * Return: as fixture_ram().
 */
struct phyr_mem *fixture_carveout(struct kunit *test, u64 start, u64 len)
{
	return fixture_mem(test, phyr_mem_create_carveout(start, len,
							  PHYR_MEM_WC));
}

/**
 * fixture_p2p - create a device with a BAR and a phyr_mem of that BAR
 * @test: the case
 * @start: physical address
 * @len: bytes
 *
 * Return: as fixture_ram().
 */
struct phyr_mem *fixture_p2p(struct kunit *test, u64 start, u64 len)
{
	struct pci_dev *pdev;

	pdev = mock_pci_dev(test, "card", mock_pci_bus(test, NULL),
			    DMA_BIT_MASK(64));
	return fixture_bar(test, pdev, 2, start, len);
}

/**
 * fixture_bar - create a phyr_mem of a device's BAR
 * @test: the case
 * @owner: the device
 * @bar: number of the BAR
 * @start: physical address
 * @len: bytes
 *
 * Return: as fixture_ram().
 */
struct phyr_mem *fixture_bar(struct kunit *test, struct pci_dev *owner, int bar,
			     u64 start, u64 len)
{
	mock_pci_bar(owner, bar, start, len);
	return fixture_mem(test, phyr_mem_create_p2p(owner, bar, PHYR_MEM_WC));
}

/**
 * fixture_peers_init - create a bridge and two devices below it
 * @test: the case
 * @peers: out: the devices, with masks of 64 bits
 */
void fixture_peers_init(struct kunit *test, struct fixture_peers *peers)
{
	struct pci_dev *bridge;

	bridge = mock_pci_dev(test, "bridge", mock_pci_bus(test, NULL),
			      DMA_BIT_MASK(64));
	peers->bus = mock_pci_bus(test, bridge);
	peers->owner = mock_pci_dev(test, "owner", peers->bus,
				    DMA_BIT_MASK(64));
	peers->importer = mock_pci_dev(test, "importer", peers->bus,
				       DMA_BIT_MASK(64));
}

/**
 * fixture_list - create an empty list
 * @test: the case
 *
 * Return: the list; @test drops its first reference at the end.
 */
struct phyr_list *fixture_list(struct kunit *test)
{
	struct phyr_list *list = phyr_list_create();

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, fixture_list_end,
							list), 0);
	return list;
}

/**
 * fixture_list_put - drop the first reference before the case ends
 * @test: the case
 * @list: list returned by fixture_list()
 */
void fixture_list_put(struct kunit *test, struct phyr_list *list)
{
	kunit_release_action(test, fixture_list_end, list);
}

/**
 * fixture_random - seed a random number generator and log the seed
 * @test: the case
 * @rnd: out: state of the generator
 */
void fixture_random(struct kunit *test, struct rnd_state *rnd)
{
	u64 from = seed ?: get_random_u32();

	kunit_info(test, "seed=%llu\n", from);
	prandom_seed_state(rnd, from);
}

/**
 * fixture_below - get a random number
 * @rnd: state of the generator
 * @ceil: exclusive upper bound, not 0
 *
 * Return: a number from 0 to @ceil - 1.
 */
u64 fixture_below(struct rnd_state *rnd, u64 ceil)
{
	u64 high = prandom_u32_state(rnd);
	u64 value = high << 32 | prandom_u32_state(rnd), rest;

	div64_u64_rem(value, ceil, &rest);
	return rest;
}

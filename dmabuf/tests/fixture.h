/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared by KUnit cases of several files: memories and lists that are released
 * with the case, and reproducible random numbers
 */
#ifndef _PHYR_FIXTURE_H
#define _PHYR_FIXTURE_H

#include <kunit/test.h>
#include <linux/prandom.h>
#include <linux/types.h>

struct pci_bus;
struct pci_dev;
struct phyr_list;
struct phyr_mem;

/**
 * struct fixture_peers - two devices behind one PCI bridge
 * @bus: the bus below the bridge
 * @owner: device of the memory
 * @importer: the importer's device
 */
struct fixture_peers {
	struct pci_bus *bus;
	struct pci_dev *owner;
	struct pci_dev *importer;
};

void fixture_peers_init(struct kunit *test, struct fixture_peers *peers);
struct phyr_mem *fixture_bar(struct kunit *test, struct pci_dev *owner, int bar,
			     u64 start, u64 len);
struct phyr_mem *fixture_ram(struct kunit *test);
struct phyr_mem *fixture_carveout(struct kunit *test, u64 start, u64 len);
struct phyr_mem *fixture_p2p(struct kunit *test, u64 start, u64 len);
struct phyr_list *fixture_list(struct kunit *test);
void fixture_list_put(struct kunit *test, struct phyr_list *list);

void fixture_random(struct kunit *test, struct rnd_state *rnd);
u64 fixture_below(struct rnd_state *rnd, u64 ceil);

#endif

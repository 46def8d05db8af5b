// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: mem.c, memories and their windows
 */
#include <linux/completion.h>
#include <linux/kthread.h>

#include "fixture.h"
#include "redirect.h"
#include "../mem.c"

#define MEM_TEST_BAR		0x380000000000ULL
#define MEM_TEST_BAR_LEN	0x200000000ULL
#define MEM_TEST_ATTRS		DMA_ATTR_DEBUGGING_IGNORE_CACHELINES

static struct pci_dev *mem_test_card(struct kunit *test)
{
	struct pci_dev *pdev;

	pdev = mock_pci_dev(test, "card", mock_pci_bus(test, NULL),
			    DMA_BIT_MASK(64));
	mock_pci_bar(pdev, 2, MEM_TEST_BAR, MEM_TEST_BAR_LEN);
	return pdev;
}

static unsigned int mem_test_refs(struct pci_dev *pdev)
{
	return kref_read(&pdev->dev.kobj.kref);
}

/*
 * Memories
 */

static void create_ram_is_everything(struct kunit *test)
{
	struct phyr_mem *mem = fixture_ram(test);

	KUNIT_EXPECT_EQ(test, phyr_mem_kind(mem), PHYR_MEM_RAM);
	KUNIT_EXPECT_EQ(test, phyr_mem_start(mem), 0);
	KUNIT_EXPECT_EQ(test, phyr_mem_len(mem), U64_MAX);
	KUNIT_EXPECT_EQ(test, mem->cache, PHYR_MEM_CACHED);
	KUNIT_EXPECT_NULL(test, mem->owner);
	KUNIT_EXPECT_TRUE(test, list_empty(&mem->windows));
}

static void create_no_memory(struct kunit *test)
{
	struct pci_dev *pdev = mem_test_card(test);

	mock_fail(MOCK_ALLOC, 1, -ENOMEM);
	KUNIT_EXPECT_EQ(test, PTR_ERR(phyr_mem_create_ram()), -ENOMEM);
	mock_fail(MOCK_ALLOC, 1, -ENOMEM);
	KUNIT_EXPECT_EQ(test,
			PTR_ERR(phyr_mem_create_carveout(PAGE_SIZE, PAGE_SIZE,
							 PHYR_MEM_UC)),
			-ENOMEM);
	mock_fail(MOCK_ALLOC, 1, -ENOMEM);
	KUNIT_EXPECT_EQ(test,
			PTR_ERR(phyr_mem_create_p2p(pdev, 2, PHYR_MEM_UC)),
			-ENOMEM);
	KUNIT_EXPECT_EQ(test, mem_test_refs(pdev), 1);
}

/**
 * struct mem_window - a carve-out
 * @name: description
 * @start: first byte
 * @len: bytes
 * @ret: expected result of phyr_mem_create_carveout()
 */
struct mem_window {
	const char *name;
	u64 start;
	u64 len;
	int ret;
};

static const struct mem_window mem_windows[] = {
	{ "one page", 0x10000, 0x1000, 0 },
	{ "from address 0", 0, 0x1000, 0 },
	{ "longer than 4 GiB", 0x100000000, 0x4000000000, 0 },
	{ "last page but one", -0x2000ULL, 0x1000, 0 },
	{ "length 0", 0x10000, 0, -EINVAL },
	{ "start off by 1", 0x10001, 0x1000, -EINVAL },
	{ "start inside a page", 0x10800, 0x1000, -EINVAL },
	{ "length off by 1", 0x10000, 0x1001, -EINVAL },
	{ "length of half a page", 0x10000, 0x800, -EINVAL },
	{ "start and length inside a page", 0x10800, 0x800, -EINVAL },
	{ "end at 2^64", -0x1000ULL, 0x1000, -EINVAL },
	{ "end beyond 2^64", -0x1000ULL, 0x2000, -EINVAL },
	{ "longest", 0x1000, -0x1000ULL, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(mem_window, mem_windows, name);

static void create_carveout_by_window(struct kunit *test)
{
	const struct mem_window *window = test->param_value;
	struct phyr_mem *mem;

	mem = phyr_mem_create_carveout(window->start, window->len, PHYR_MEM_WC);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(mem), window->ret);
	if (IS_ERR(mem))
		return;

	KUNIT_EXPECT_EQ(test, phyr_mem_kind(mem), PHYR_MEM_CARVEOUT);
	KUNIT_EXPECT_EQ(test, phyr_mem_start(mem), window->start);
	KUNIT_EXPECT_EQ(test, phyr_mem_len(mem), window->len);
	KUNIT_EXPECT_EQ(test, mem->cache, PHYR_MEM_WC);
	KUNIT_EXPECT_NULL(test, mem->owner);
	phyr_mem_put(mem);
}

static void create_p2p_copies_provider(struct kunit *test)
{
	struct pci_dev *pdev = mem_test_card(test);
	struct phyr_mem *mem;

	mock.bus_offset = -MEM_TEST_BAR + 0x1000000;
	mem = phyr_mem_create_p2p(pdev, 2, PHYR_MEM_UC);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mem);
	KUNIT_EXPECT_EQ(test, phyr_mem_kind(mem), PHYR_MEM_P2P);
	KUNIT_EXPECT_EQ(test, phyr_mem_start(mem), MEM_TEST_BAR);
	KUNIT_EXPECT_EQ(test, phyr_mem_len(mem), MEM_TEST_BAR_LEN);
	KUNIT_EXPECT_EQ(test, mem->cache, PHYR_MEM_UC);
	KUNIT_EXPECT_PTR_EQ(test, mem->owner, &pdev->dev);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_P2P_PROVIDER, 1)->offset, 2);
	KUNIT_EXPECT_LT(test, mock_index(MOCK_P2P_INIT, 1),
			mock_index(MOCK_P2P_PROVIDER, 1));

	/* The provider is freed when the driver unbinds, or replaced. */
	mock.bus_offset = 0x7000;
	pcim_p2pdma_provider(pdev, 2);
	KUNIT_EXPECT_EQ(test, mem->bus_offset, -MEM_TEST_BAR + 0x1000000);
	phyr_mem_put(mem);
}

static void create_p2p_without_support(struct kunit *test)
{
	struct pci_dev *pdev = mem_test_card(test);
	unsigned int allocated = mock_allocated();

	mock_fail(MOCK_P2P_INIT, 1, -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test,
			PTR_ERR(phyr_mem_create_p2p(pdev, 2, PHYR_MEM_WC)),
			-EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, mem_test_refs(pdev), 1);
	KUNIT_EXPECT_EQ(test, mock_allocated(), allocated);
}

static void create_p2p_without_provider(struct kunit *test)
{
	struct pci_dev *pdev = mem_test_card(test);

	mock_fail(MOCK_P2P_PROVIDER, 1, -EINVAL);
	KUNIT_EXPECT_EQ(test,
			PTR_ERR(phyr_mem_create_p2p(pdev, 2, PHYR_MEM_WC)),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, mem_test_refs(pdev), 1);
}

static void create_p2p_without_bar(struct kunit *test)
{
	struct pci_dev *pdev = mem_test_card(test);

	mock_pci_bar(pdev, 2, 0, 0);
	KUNIT_EXPECT_EQ(test,
			PTR_ERR(phyr_mem_create_p2p(pdev, 2, PHYR_MEM_WC)),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, mem_test_refs(pdev), 1);
}

static void put_last_reference(struct kunit *test)
{
	struct pci_dev *pdev = mem_test_card(test);
	unsigned int allocated = mock_allocated();
	struct phyr_mem *mem;

	mem = phyr_mem_create_p2p(pdev, 2, PHYR_MEM_WC);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mem);
	KUNIT_EXPECT_EQ(test, mem_test_refs(pdev), 2);

	KUNIT_EXPECT_PTR_EQ(test, phyr_mem_get(mem), mem);
	phyr_mem_put(mem);
	KUNIT_EXPECT_EQ(test, phyr_mem_start(mem), MEM_TEST_BAR);
	KUNIT_EXPECT_EQ(test, mem_test_refs(pdev), 2);

	phyr_mem_put(mem);
	KUNIT_EXPECT_EQ(test, mem_test_refs(pdev), 1);
	KUNIT_EXPECT_EQ(test, mock_allocated(), allocated);
}

static void pgprot_by_cache(struct kunit *test)
{
	static const enum phyr_mem_cache caches[] = {
		PHYR_MEM_CACHED, PHYR_MEM_WC, PHYR_MEM_UC,
	};
	const pgprot_t want[] = {
		PAGE_KERNEL,
		pgprot_writecombine(PAGE_KERNEL),
		pgprot_noncached(PAGE_KERNEL),
	};
	struct phyr_mem *mem;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(caches); i++) {
		mem = caches[i] == PHYR_MEM_CACHED ? phyr_mem_create_ram() :
			phyr_mem_create_carveout(0x10000, 0x1000, caches[i]);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mem);
		KUNIT_EXPECT_EQ(test,
				pgprot_val(phyr_mem_pgprot(mem, PAGE_KERNEL)),
				pgprot_val(want[i]));
		phyr_mem_put(mem);
	}
	KUNIT_EXPECT_NE(test, pgprot_val(want[0]), pgprot_val(want[1]));
	KUNIT_EXPECT_NE(test, pgprot_val(want[1]), pgprot_val(want[2]));
}

/* A BAR is not behind the memory controller, which encrypts. */
static void pgprot_of_a_bar_is_decrypted(struct kunit *test)
{
	struct pci_dev *pdev = mem_test_card(test);
	struct phyr_mem *bar, *carveout, *ram;
	pgprot_t prot;

	bar = phyr_mem_create_p2p(pdev, 2, PHYR_MEM_WC);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, bar);
	prot = phyr_mem_pgprot(bar, PAGE_KERNEL);
	KUNIT_EXPECT_EQ(test, pgprot_val(prot) & MOCK_DECRYPTED,
			MOCK_DECRYPTED);
	KUNIT_EXPECT_EQ(test, pgprot_val(prot) & ~MOCK_DECRYPTED,
			pgprot_val(pgprot_writecombine(PAGE_KERNEL)));
	phyr_mem_put(bar);

	/* A carve-out is. */
	carveout = phyr_mem_create_carveout(0x10000, 0x1000, PHYR_MEM_WC);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, carveout);
	KUNIT_EXPECT_EQ(test,
			pgprot_val(phyr_mem_pgprot(carveout, PAGE_KERNEL)),
			pgprot_val(pgprot_writecombine(PAGE_KERNEL)));
	phyr_mem_put(carveout);

	ram = phyr_mem_create_ram();
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ram);
	KUNIT_EXPECT_EQ(test, pgprot_val(phyr_mem_pgprot(ram, PAGE_KERNEL)),
			pgprot_val(PAGE_KERNEL));
	phyr_mem_put(ram);
}

static void create_p2p_is_never_cached(struct kunit *test)
{
	struct pci_dev *pdev = mem_test_card(test);

	KUNIT_EXPECT_EQ(test,
			PTR_ERR(phyr_mem_create_p2p(pdev, 2, PHYR_MEM_CACHED)),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_P2P_INIT), 0);
	KUNIT_EXPECT_EQ(test, mem_test_refs(pdev), 1);
}

/* Nobody flushes CPU caches for it. */
static void create_carveout_is_never_cached(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test,
			PTR_ERR(phyr_mem_create_carveout(0x10000, 0x1000,
							 PHYR_MEM_CACHED)),
			-EINVAL);
}

/*
 * Windows
 */

static struct phyr_window *mem_test_get(struct phyr_mem *mem,
					struct device *dev)
{
	return phyr_window_get(mem, dev, MEM_TEST_ATTRS);
}

static void window_get_maps_all_of_it(struct kunit *test)
{
	struct phyr_mem *mem = fixture_p2p(test, MEM_TEST_BAR,
					   MEM_TEST_BAR_LEN);
	struct device *dev = mock_device(test, "importer", DMA_BIT_MASK(64));
	const struct mock_entry *map, *unmap;
	struct phyr_window *window;

	mock.dma_offset = 0x1000000;
	window = mem_test_get(mem, dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, window);
	KUNIT_EXPECT_EQ(test, window->addr, MEM_TEST_BAR + 0x1000000);
	KUNIT_EXPECT_PTR_EQ(test, window->dev, dev);
	KUNIT_EXPECT_EQ(test, window->users, 1);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 1);

	map = mock_nth(MOCK_MAP, 1);
	KUNIT_EXPECT_EQ(test, map->phys, MEM_TEST_BAR);
	KUNIT_EXPECT_EQ(test, map->len, MEM_TEST_BAR_LEN);
	KUNIT_EXPECT_EQ(test, map->dir, DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_EQ(test, map->attrs,
			MEM_TEST_ATTRS);

	phyr_window_put(mem, window);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
	unmap = mock_nth(MOCK_UNMAP, 1);
	KUNIT_EXPECT_EQ(test, unmap->dma, map->dma);
	KUNIT_EXPECT_EQ(test, unmap->len, map->len);
	KUNIT_EXPECT_EQ(test, unmap->attrs, map->attrs);
	KUNIT_EXPECT_TRUE(test, list_empty(&mem->windows));
}

static void window_get_shares_per_device(struct kunit *test)
{
	struct phyr_mem *mem = fixture_carveout(test, 0x10000, 0x100000);
	struct device *dev = mock_device(test, "importer", DMA_BIT_MASK(64));
	struct phyr_window *window;
	unsigned int i;

	window = mem_test_get(mem, dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, window);
	for (i = 2; i <= 10; i++) {
		KUNIT_EXPECT_PTR_EQ(test, mem_test_get(mem, dev), window);
		KUNIT_EXPECT_EQ(test, window->users, i);
	}
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), 1);

	for (i = 9; i; i--) {
		phyr_window_put(mem, window);
		KUNIT_EXPECT_EQ(test, window->users, i);
	}
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_UNMAP), 0);
	phyr_window_put(mem, window);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_UNMAP), 1);
}

static void window_get_per_device(struct kunit *test)
{
	struct phyr_mem *mem = fixture_carveout(test, 0x10000, 0x100000);
	struct device *dev[] = {
		mock_device(test, "one", DMA_BIT_MASK(64)),
		mock_device(test, "two", DMA_BIT_MASK(32)),
		mock_device(test, "three", DMA_BIT_MASK(64)),
	};
	struct phyr_window *window[ARRAY_SIZE(dev)];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(dev); i++) {
		window[i] = mem_test_get(mem, dev[i]);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, window[i]);
	}
	KUNIT_EXPECT_EQ(test, mock_mapped(), 3);
	for (i = 0; i < ARRAY_SIZE(dev); i++) {
		KUNIT_EXPECT_PTR_EQ(test, mem_test_get(mem, dev[i]),
				    window[i]);
		phyr_window_put(mem, window[i]);
	}
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), 3);

	/* Remove from the middle, so that neighbours are relinked */
	phyr_window_put(mem, window[1]);
	KUNIT_EXPECT_PTR_EQ(test, mock_nth(MOCK_UNMAP, 1)->who, dev[1]);
	KUNIT_EXPECT_PTR_EQ(test, mem_test_get(mem, dev[0]), window[0]);
	KUNIT_EXPECT_PTR_EQ(test, mem_test_get(mem, dev[2]), window[2]);
	phyr_window_put(mem, window[0]);
	phyr_window_put(mem, window[2]);
	phyr_window_put(mem, window[0]);
	phyr_window_put(mem, window[2]);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
}

static void window_get_per_memory(struct kunit *test)
{
	struct phyr_mem *low = fixture_carveout(test, 0x10000, 0x10000);
	struct phyr_mem *high = fixture_carveout(test, 0x80000, 0x20000);
	struct device *dev = mock_device(test, "importer", DMA_BIT_MASK(64));
	struct phyr_window *a, *b;

	a = mem_test_get(low, dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, a);
	b = mem_test_get(high, dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, b);
	KUNIT_EXPECT_EQ(test, a->addr, 0x10000);
	KUNIT_EXPECT_EQ(test, b->addr, 0x80000);
	phyr_window_put(low, a);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_UNMAP, 1)->len, 0x10000);
	phyr_window_put(high, b);
	KUNIT_EXPECT_EQ(test, mock_nth(MOCK_UNMAP, 2)->len, 0x20000);
}

static void window_get_after_last_put(struct kunit *test)
{
	struct phyr_mem *mem = fixture_carveout(test, 0x10000, 0x100000);
	struct device *dev = mock_device(test, "importer", DMA_BIT_MASK(64));
	struct phyr_window *window;
	unsigned int i;

	for (i = 1; i <= 3; i++) {
		window = mem_test_get(mem, dev);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, window);
		KUNIT_EXPECT_EQ(test, window->users, 1);
		KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), i);
		phyr_window_put(mem, window);
	}
}

static void window_get_fails(struct kunit *test, enum mock_call call, int err)
{
	struct phyr_mem *mem = fixture_carveout(test, 0x10000, 0x100000);
	struct device *dev = mock_device(test, "importer", DMA_BIT_MASK(64));
	struct device *other = mock_device(test, "other", DMA_BIT_MASK(64));
	struct phyr_window *window, *before;
	unsigned int allocated;

	before = mem_test_get(mem, other);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, before);
	allocated = mock_allocated();

	mock_fail(call, 1, -ENOMEM);
	KUNIT_EXPECT_EQ(test, PTR_ERR(mem_test_get(mem, dev)), err);
	KUNIT_EXPECT_EQ(test, mock_allocated(), allocated);
	KUNIT_EXPECT_EQ(test, mock_mapped(), 1);
	KUNIT_EXPECT_TRUE(test, list_is_singular(&mem->windows));
	KUNIT_EXPECT_EQ(test, before->users, 1);

	window = mem_test_get(mem, dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, window);
	KUNIT_EXPECT_EQ(test, window->users, 1);
	phyr_window_put(mem, window);
	phyr_window_put(mem, before);
}

static void window_get_no_memory(struct kunit *test)
{
	window_get_fails(test, MOCK_ALLOC, -ENOMEM);
}

static void window_get_not_mapped(struct kunit *test)
{
	window_get_fails(test, MOCK_MAP, -EREMOTEIO);
}

#define MEM_TEST_THREADS	4
#define MEM_TEST_ROUNDS		500

/**
 * struct mem_race - threads that get and put one memory's windows
 * @mem: the memory
 * @dev: two devices, for two threads each
 * @failed: number of failed phyr_window_get()
 * @done: completed by each thread
 */
struct mem_race {
	struct phyr_mem *mem;
	struct device *dev[2];
	atomic_t failed;
	struct completion done;
};

static struct mem_race mem_race;

static int mem_test_thread(void *data)
{
	struct device *dev = data;
	struct phyr_window *window;
	unsigned int i;

	for (i = 0; i < MEM_TEST_ROUNDS; i++) {
		window = mem_test_get(mem_race.mem, dev);
		if (IS_ERR(window)) {
			atomic_inc(&mem_race.failed);
			continue;
		}
		if (window->dev != dev || window->addr != 0x10000)
			atomic_inc(&mem_race.failed);
		cond_resched();
		phyr_window_put(mem_race.mem, window);
	}
	complete(&mem_race.done);
	return 0;
}

/* Race the last put of one thread with the first get of another. */
static void window_get_races_put(struct kunit *test)
{
	struct task_struct *thread[MEM_TEST_THREADS];
	unsigned int i, started = 0;

	mem_race = (struct mem_race) {
		.mem = fixture_carveout(test, 0x10000, 0x100000),
		.dev = { mock_device(test, "one", DMA_BIT_MASK(64)),
			 mock_device(test, "two", DMA_BIT_MASK(64)) },
	};
	init_completion(&mem_race.done);
	for (i = 0; i < MEM_TEST_THREADS; i++) {
		thread[started] = kthread_run(mem_test_thread,
					      mem_race.dev[i % 2],
					      "kunit-window/%u", i);
		if (!IS_ERR(thread[started]))
			get_task_struct(thread[started++]);
	}
	KUNIT_EXPECT_EQ(test, started, MEM_TEST_THREADS);
	for (i = 0; i < started; i++)
		wait_for_completion(&mem_race.done);
	for (i = 0; i < started; i++)
		kthread_stop_put(thread[i]);

	KUNIT_EXPECT_EQ(test, atomic_read(&mem_race.failed), 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&mem_race.mem->windows));
	KUNIT_EXPECT_EQ(test, mock_mapped(), 0);
	KUNIT_EXPECT_EQ(test, mock_count(MOCK_MAP), mock_count(MOCK_UNMAP));
}

/* Freeing a memory that a device can still reach warns. */
static void put_with_window_warns(struct kunit *test)
{
	struct device *dev = mock_device(test, "importer", DMA_BIT_MASK(64));
	struct phyr_window *window;
	struct phyr_mem *mem;

	mem = phyr_mem_create_carveout(0x10000, 0x100000, PHYR_MEM_WC);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mem);
	window = mem_test_get(mem, dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, window);

	kunit_warning_suppress(test) {
		phyr_mem_put(mem);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	dma_unmap_phys(dev, window->addr, 0x100000, DMA_BIDIRECTIONAL,
		       MEM_TEST_ATTRS);
	kfree(window);
}

static struct kunit_case mem_test_cases[] = {
	KUNIT_CASE(create_ram_is_everything),
	KUNIT_CASE(create_no_memory),
	KUNIT_CASE_PARAM(create_carveout_by_window, mem_window_gen_params),
	KUNIT_CASE(create_carveout_is_never_cached),
	KUNIT_CASE(create_p2p_copies_provider),
	KUNIT_CASE(create_p2p_without_support),
	KUNIT_CASE(create_p2p_without_provider),
	KUNIT_CASE(create_p2p_without_bar),
	KUNIT_CASE(put_last_reference),
	KUNIT_CASE(pgprot_by_cache),
	KUNIT_CASE(pgprot_of_a_bar_is_decrypted),
	KUNIT_CASE(create_p2p_is_never_cached),
	KUNIT_CASE(window_get_maps_all_of_it),
	KUNIT_CASE(window_get_shares_per_device),
	KUNIT_CASE(window_get_per_device),
	KUNIT_CASE(window_get_per_memory),
	KUNIT_CASE(window_get_after_last_put),
	KUNIT_CASE(window_get_no_memory),
	KUNIT_CASE(window_get_not_mapped),
	KUNIT_CASE(window_get_races_put),
	KUNIT_CASE(put_with_window_warns),
	{}
};

static struct kunit_suite mem_test_suite = {
	.name = "phyr_mem",
	.init = mock_init,
	.test_cases = mem_test_cases,
};

kunit_test_suite(mem_test_suite);

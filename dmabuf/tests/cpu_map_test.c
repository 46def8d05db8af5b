// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: the CPU's access to pieces of phyr lists
 *
 * RAM is real pages. What a BAR or a carve-out would be mapped to is an array
 * of the case, so that its bytes can be compared.
 */
#include <linux/highmem.h>
#include <linux/io.h>
#include <linux/iosys-map.h>

#include "redirect.h"
#include "fixture.h"
#include "list_test.h"

#undef ioremap
#undef ioremap_wc
#undef iounmap
#define ioremap(paddr, len) cpu_io_map(paddr, len, CPU_UC)
#define ioremap_wc(paddr, len) cpu_io_map(paddr, len, CPU_WC)
#define memremap(paddr, len, flags) \
	((__force void *)cpu_io_map(paddr, len, (flags) == MEMREMAP_WC ? \
						CPU_MEM : CPU_WAYS))
#define iounmap(io) cpu_io_unmap((__force void *)(io))
#define memunmap(vaddr) cpu_io_unmap(vaddr)

/* How something was mapped */
enum cpu_way {
	CPU_UC,
	CPU_WC,
	CPU_MEM,
	CPU_WAYS
};

static void __iomem *cpu_io_map(phys_addr_t paddr, size_t len,
				enum cpu_way way);
static void cpu_io_unmap(void *vaddr);

#include "../cpu_map.c"

#define CPU_BAR		BIT_ULL(36)
#define CPU_CARVEOUT	BIT_ULL(38)
#define CPU_SIZE	SZ_256K
#define CPU_EXTENT	SZ_8K
#define CPU_SKIP	0x123

/* Two lists of interleaved extents in each of these */
enum cpu_memory {
	CPU_IN_RAM,
	CPU_IN_BAR,
	CPU_IN_CARVEOUT,
	CPU_MEMORIES
};

/**
 * struct cpu_test - the memories of a case
 * @test: the case
 * @mem: each memory
 * @start: physical address of each
 * @bytes: CPU_SIZE bytes of each
 * @pages: what CPU_IN_RAM is
 * @mapped: mappings of I/O memory that exist
 * @ways: times that each way of mapping was used
 * @longest: of those, the longest in bytes
 * @fail: the mapping that fails, counted from 1, or 0
 */
struct cpu_test {
	struct kunit *test;
	struct phyr_mem *mem[CPU_MEMORIES];
	u64 start[CPU_MEMORIES];
	u8 *bytes[CPU_MEMORIES];
	struct page *pages;
	int mapped;
	unsigned int ways[CPU_WAYS];
	size_t longest;
	unsigned int fail;
};

/* Of the running case: the mocks get no pointer. */
static struct cpu_test *cpu_test;

static void __iomem *cpu_io_map(phys_addr_t paddr, size_t len, enum cpu_way way)
{
	enum cpu_memory i = paddr < CPU_CARVEOUT ? CPU_IN_BAR : CPU_IN_CARVEOUT;
	struct cpu_test *t = cpu_test;
	u64 offset = paddr - t->start[i];

	if (way >= CPU_WAYS || offset + len > CPU_SIZE) {
		KUNIT_FAIL(t->test, "way %d, bytes %#llx to %#llx", way, offset,
			   offset + len);
		return NULL;
	}
	if (t->fail) {
		t->fail--;
		if (!t->fail)
			return NULL;
	}
	t->mapped++;
	t->ways[way]++;
	t->longest = max(t->longest, len);
	return (__force void __iomem *)t->bytes[i] + offset;
}

static void cpu_io_unmap(void *vaddr)
{
	KUNIT_EXPECT_NOT_NULL(cpu_test->test, vaddr);
	cpu_test->mapped--;
}

/* In pieces, because sparse warns of a long memset(). */
static void cpu_clear(struct cpu_test *t, enum cpu_memory i)
{
	u64 offset;

	for (offset = 0; offset < CPU_SIZE; offset += SZ_64K)
		memset(t->bytes[i] + offset, 0, SZ_64K);
}

static void cpu_test_exit(struct kunit *test)
{
	struct cpu_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, t->mapped, 0);
	if (t->pages)
		__free_pages(t->pages, get_order(CPU_SIZE));
	cpu_test = NULL;
}

static int cpu_test_init(struct kunit *test)
{
	struct cpu_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	int ret = mock_init(test), i;

	if (!t || ret)
		return ret ?: -ENOMEM;
	test->priv = t;
	t->test = test;
	cpu_test = t;

	t->pages = alloc_pages(GFP_KERNEL | __GFP_COMP, get_order(CPU_SIZE));
	KUNIT_ASSERT_NOT_NULL(test, t->pages);
	t->start[CPU_IN_RAM] = page_to_phys(t->pages);
	t->bytes[CPU_IN_RAM] = page_address(t->pages);
	t->mem[CPU_IN_RAM] = fixture_ram(test);
	t->start[CPU_IN_BAR] = CPU_BAR;
	t->mem[CPU_IN_BAR] = fixture_p2p(test, CPU_BAR, CPU_SIZE);
	t->start[CPU_IN_CARVEOUT] = CPU_CARVEOUT;
	t->mem[CPU_IN_CARVEOUT] = fixture_carveout(test, CPU_CARVEOUT,
						   CPU_SIZE);
	for (i = CPU_IN_BAR; i < CPU_MEMORIES; i++) {
		t->bytes[i] = kunit_kmalloc(test, CPU_SIZE, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, t->bytes[i]);
	}
	for (i = 0; i < CPU_MEMORIES; i++)
		cpu_clear(t, i);
	return 0;
}

/* Every other extent of one memory, from the first or the second, composed. */
static struct phyr_list *cpu_list(struct cpu_test *t, enum cpu_memory i,
				  unsigned int first)
{
	struct phyr_list *list = fixture_list(t->test);
	u64 offset, size = 0;

	for (offset = first * CPU_EXTENT; offset < CPU_SIZE;
	     offset += 2 * CPU_EXTENT, size += CPU_EXTENT)
		list_test_append(t->test, list, t->mem[i], t->start[i] + offset,
				 CPU_EXTENT);
	KUNIT_ASSERT_EQ(t->test,
			phyr_list_finish_composed(list, CPU_SKIP,
						  size - CPU_SKIP), 0);
	return list;
}

/* The byte of cpu_list() at @offset */
static u8 *cpu_byte(struct cpu_test *t, enum cpu_memory i, unsigned int first,
		    u64 offset)
{
	u64 at = offset + CPU_SKIP;

	return t->bytes[i] + (2 * (at / CPU_EXTENT) + first) * CPU_EXTENT +
	       at % CPU_EXTENT;
}

static u8 cpu_pattern(u64 offset)
{
	return offset * 7 + (offset >> 8);
}

/* From @offset of the list on there are @len bytes of the pattern, alone. */
static void cpu_expect(struct cpu_test *t, enum cpu_memory i,
		       unsigned int first, u64 offset, u64 len)
{
	u64 wrong = 0, other = 0, n;

	for (n = 0; n < len; n++)
		wrong += *cpu_byte(t, i, first, offset + n) != cpu_pattern(n);
	KUNIT_EXPECT_EQ(t->test, wrong, 0);
	for (n = 0; n < CPU_SIZE; n++)
		other += !!t->bytes[i][n];
	for (n = 0; n < len; n++)
		other -= !!cpu_pattern(n);
	KUNIT_EXPECT_EQ(t->test, other, 0);
}

static void write_and_read(struct kunit *test)
{
	const u64 offset = 5 * SZ_4K - 77, len = 3 * SZ_16K + 99;
	struct cpu_test *t = test->priv;
	u8 *from, *to;
	u64 n;
	int i;

	from = kunit_kmalloc(test, len, GFP_KERNEL);
	to = kunit_kzalloc(test, len, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, from);
	KUNIT_ASSERT_NOT_NULL(test, to);
	for (n = 0; n < len; n++)
		from[n] = cpu_pattern(n);
	for (i = 0; i < CPU_MEMORIES; i++) {
		struct phyr_list *list = cpu_list(t, i, 1);

		KUNIT_EXPECT_EQ(test, phyr_list_write(list, offset, from, len),
				0);
		cpu_expect(t, i, 1, offset, len);
		KUNIT_EXPECT_EQ(test, phyr_list_read(list, offset, to, len), 0);
		KUNIT_EXPECT_MEMEQ(test, to, from, len);
		memset(to, 0, len);
	}
	/* Each as its memory says */
	KUNIT_EXPECT_GT(test, t->ways[CPU_WC], 0);
	KUNIT_EXPECT_GT(test, t->ways[CPU_MEM], 0);
	KUNIT_EXPECT_EQ(test, t->ways[CPU_UC], 0);
}

/* Each memory to each, itself included, at offsets that differ */
static void copy_between(struct kunit *test)
{
	const u64 to_at = SZ_4K + 5, from_at = 3 * SZ_4K - 11;
	const u64 len = 2 * SZ_16K + 1;
	struct cpu_test *t = test->priv;
	int from, to, ret;
	u64 n;

	for (from = 0; from < CPU_MEMORIES; from++) {
		for (to = 0; to < CPU_MEMORIES; to++) {
			for (n = 0; n < len; n++)
				*cpu_byte(t, from, 0, from_at + n) =
					cpu_pattern(n);
			ret = phyr_list_copy(cpu_list(t, to, 1), to_at,
					     cpu_list(t, from, 0), from_at,
					     len);
			KUNIT_EXPECT_EQ(test, ret, 0);
			for (n = 0; n < len; n++)
				*cpu_byte(t, from, 0, from_at + n) = 0;
			cpu_expect(t, to, 1, to_at, len);
			cpu_clear(t, to);
		}
	}
}

static void map_is_bounded(struct kunit *test)
{
	struct cpu_test *t = test->priv;
	struct phyr_cpu_map map;
	struct phyr_list *list;
	int i;

	for (i = 0; i < CPU_MEMORIES; i++) {
		list = fixture_list(test);
		list_test_append(test, list, t->mem[i], t->start[i], CPU_SIZE);
		KUNIT_ASSERT_EQ(test, phyr_list_finish(list, CPU_SIZE, "test"),
				0);
		KUNIT_ASSERT_EQ(test, phyr_cpu_map(list, 100, CPU_SIZE - 100,
						   &map), 0);
		KUNIT_EXPECT_EQ(test, map.len,
				i == CPU_IN_RAM ? SZ_4K - 100 : SZ_64K);
		KUNIT_EXPECT_EQ(test, map.map.is_iomem, i == CPU_IN_BAR);
		iosys_map_wr(&map.map, 3, u8, 0x5a);
		phyr_cpu_unmap(&map);
		KUNIT_EXPECT_EQ(test, t->bytes[i][103], 0x5a);
		KUNIT_EXPECT_TRUE(test, iosys_map_is_null(&map.map));

		KUNIT_ASSERT_EQ(test, phyr_cpu_map(list, CPU_SIZE - 1, 1, &map),
				0);
		KUNIT_EXPECT_EQ(test, map.len, 1);
		phyr_cpu_unmap(&map);
		/* An extent ends it, too. */
		KUNIT_ASSERT_EQ(test, phyr_cpu_map(cpu_list(t, i, 0), SZ_4K,
						   SZ_64K, &map), 0);
		KUNIT_EXPECT_LE(test, map.len, CPU_EXTENT);
		phyr_cpu_unmap(&map);
	}
	KUNIT_EXPECT_EQ(test, t->longest, SZ_64K);
}

/* Plain accessors may be unaligned, which uncached memory does not bear. */
static void uncached_is_for_io_accessors(struct kunit *test)
{
	struct cpu_test *t = test->priv;
	struct phyr_cpu_map map;
	struct phyr_list *list;
	struct phyr_mem *mem;

	mem = phyr_mem_create_carveout(CPU_CARVEOUT, CPU_SIZE, PHYR_MEM_UC);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mem);
	list = fixture_list(test);
	list_test_append(test, list, mem, CPU_CARVEOUT, SZ_4K);
	phyr_mem_put(mem);
	KUNIT_ASSERT_EQ(test, phyr_list_finish(list, SZ_4K, "test"), 0);
	KUNIT_ASSERT_EQ(test, phyr_cpu_map(list, 0, SZ_4K, &map), 0);
	KUNIT_EXPECT_TRUE(test, map.map.is_iomem);
	KUNIT_EXPECT_EQ(test, t->ways[CPU_UC], 1);
	phyr_cpu_unmap(&map);
}

static void refuses_bad_ranges(struct kunit *test)
{
	struct cpu_test *t = test->priv;
	struct phyr_list *list = cpu_list(t, CPU_IN_BAR, 0);
	u64 size = phyr_list_size(list);
	struct phyr_cpu_map map;
	u8 byte;

	KUNIT_EXPECT_EQ(test, phyr_cpu_map(list, 0, 0, &map), -EINVAL);
	KUNIT_EXPECT_EQ(test, phyr_cpu_map(list, size, 1, &map), -EINVAL);
	KUNIT_EXPECT_EQ(test, phyr_cpu_map(list, 1, size, &map), -EINVAL);
	KUNIT_EXPECT_EQ(test, phyr_cpu_map(list, U64_MAX, 2, &map), -EINVAL);
	KUNIT_EXPECT_EQ(test, phyr_list_read(list, size, &byte, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, phyr_list_write(list, U64_MAX, &byte, 1),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, phyr_list_copy(list, 0, list, size, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, phyr_list_copy(list, size, list, 0, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, phyr_list_read(list, size, &byte, 0), 0);
	KUNIT_EXPECT_EQ(test, t->ways[CPU_WC], 0);
}

/* Nothing of such a list is touched, nor what lies beside it. */
static void refuses_memory_that_is_not_for_the_cpu(struct kunit *test)
{
	struct cpu_test *t = test->priv;
	struct phyr_list *list, *other = cpu_list(t, CPU_IN_BAR, 0);
	struct phyr_mem *hidden;
	struct phyr_cpu_map map;
	u8 byte = 1;

	hidden = phyr_mem_create_carveout(CPU_CARVEOUT, CPU_SIZE,
					  PHYR_MEM_NO_CPU);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, hidden);
	list = fixture_list(test);
	list_test_append(test, list, t->mem[CPU_IN_BAR], CPU_BAR, SZ_4K);
	list_test_append(test, list, hidden, CPU_CARVEOUT, SZ_4K);
	phyr_mem_put(hidden);
	KUNIT_ASSERT_EQ(test, phyr_list_finish_composed(list, 0, SZ_8K), 0);

	KUNIT_EXPECT_EQ(test, phyr_cpu_map(list, 0, 1, &map), -EACCES);
	KUNIT_EXPECT_EQ(test, phyr_list_read(list, SZ_4K, &byte, 1), -EACCES);
	KUNIT_EXPECT_EQ(test, phyr_list_write(list, 0, &byte, 1), -EACCES);
	KUNIT_EXPECT_EQ(test, phyr_list_copy(list, 0, other, 0, 1), -EACCES);
	KUNIT_EXPECT_EQ(test, phyr_list_copy(other, 0, list, 0, 1), -EACCES);
	KUNIT_EXPECT_EQ(test, t->ways[CPU_WC] + t->ways[CPU_MEM] +
			t->ways[CPU_UC], 0);
}

/* Fail each mapping in turn; cpu_test_exit() looks for one that is left. */
static void each_mapping_fails(struct kunit *test)
{
	struct cpu_test *t = test->priv;
	struct phyr_list *to = cpu_list(t, CPU_IN_BAR, 0);
	struct phyr_list *from = cpu_list(t, CPU_IN_CARVEOUT, 0);
	u8 bytes[16] = {};
	int i, ret = -ENOMEM;

	for (i = 1; ret && i < 100; i++) {
		t->fail = i;
		ret = phyr_list_copy(to, 0, from, 0, SZ_16K);
		KUNIT_EXPECT_TRUE(test, !ret || ret == -ENOMEM);
		KUNIT_EXPECT_EQ(test, t->mapped, 0);
	}
	KUNIT_EXPECT_EQ(test, ret, 0);
	KUNIT_EXPECT_GT(test, i, 4);

	t->fail = 1;
	KUNIT_EXPECT_EQ(test, phyr_list_read(to, 0, bytes, sizeof(bytes)),
			-ENOMEM);
	t->fail = 1;
	KUNIT_EXPECT_EQ(test, phyr_list_write(from, 0, bytes, sizeof(bytes)),
			-ENOMEM);
	t->fail = 0;
}

static struct kunit_case cpu_map_test_cases[] = {
	KUNIT_CASE(write_and_read),
	KUNIT_CASE(copy_between),
	KUNIT_CASE(map_is_bounded),
	KUNIT_CASE(uncached_is_for_io_accessors),
	KUNIT_CASE(refuses_bad_ranges),
	KUNIT_CASE(refuses_memory_that_is_not_for_the_cpu),
	KUNIT_CASE(each_mapping_fails),
	{}
};

static struct kunit_suite cpu_map_test_suite = {
	.name = "phyr_cpu_map",
	.init = cpu_test_init,
	.exit = cpu_test_exit,
	.test_cases = cpu_map_test_cases,
};

kunit_test_suite(cpu_map_test_suite);

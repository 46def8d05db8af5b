// SPDX-License-Identifier: GPL-2.0
/*
 * The mocks: log, planned failures, live mappings
 *
 * See mock.h for the contract. The mocks use KUNIT_FAIL() and expectations
 * that do not abort: a mock still does its work after it found an error, and
 * the case runs to its own cleanup.
 */
#include <linux/dma-buf.h>
#include <linux/dma-direct.h>
#include <linux/dma-resv.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "../internal.h"
#include "mock.h"

#define MOCK_LOG_MAX	4096
#define MOCK_IOVA_START	BIT_ULL(40)

/**
 * struct mock_live - a mapping, or an IOVA range
 * @node: in mock_state.live, in the order of mapping
 * @entry: the call that created it
 * @linked: for an IOVA range, bytes linked
 * @synced: for an IOVA range, dma_iova_sync() was called
 */
struct mock_live {
	struct list_head node;
	struct mock_entry entry;
	u64 linked;
	bool synced;
};

struct mock mock;

/* A mutex: callers may sleep, and a case may start threads. */
static DEFINE_MUTEX(mock_lock);

/* Guarded by mock_lock */
static struct {
	struct kunit *test;
	unsigned int calls[MOCK_CALLS];
	unsigned int logged;
	enum mock_call fail_call;
	unsigned int fail_left;
	int fail_err;
	unsigned int allocated;
	unsigned int tables;
	u64 bytes;
	void *arena;
	size_t arena_len;
	size_t arena_used;
	struct list_head live;
	struct mock_entry log[MOCK_LOG_MAX];
} mock_state;

/* Log the call. Returns the planned errno, or 0. */
static int mock_record(const struct mock_entry *entry)
{
	lockdep_assert_held(&mock_lock);

	mock_state.calls[entry->call]++;
	if (mock_state.logged < MOCK_LOG_MAX)
		mock_state.log[mock_state.logged++] = *entry;

	if (!mock_state.fail_left || mock_state.fail_call != entry->call)
		return 0;
	mock_state.fail_left--;
	return mock_state.fail_left ? 0 : mock_state.fail_err;
}

static void mock_live_add(const struct mock_entry *entry)
{
	struct mock_live *live = kzalloc_obj(*live);

	KUNIT_EXPECT_NOT_NULL(mock_state.test, live);
	if (!live)
		return;
	live->entry = *entry;
	list_add_tail(&live->node, &mock_state.live);
}

static struct mock_live *mock_live_find(enum mock_call call,
					const struct device *dev, u64 dma)
{
	struct mock_live *live;

	list_for_each_entry(live, &mock_state.live, node)
		if (live->entry.call == call && live->entry.who == dev &&
		    live->entry.dma == dma)
			return live;
	return NULL;
}

/* The dma_map_phys() mapping that @len bytes at @dma are in */
static struct mock_live *mock_live_with(const struct device *dev, u64 dma,
					u64 len)
{
	struct mock_live *live;

	list_for_each_entry(live, &mock_state.live, node)
		if (live->entry.call == MOCK_MAP && live->entry.who == dev &&
		    dma >= live->entry.dma &&
		    dma + len <= live->entry.dma + live->entry.len)
			return live;
	return NULL;
}

static void mock_live_del(struct mock_live *live)
{
	list_del(&live->node);
	kfree(live);
}

static void mock_check(void *unused)
{
	struct mock_live *live, *next;
	struct kunit *test;

	guard(mutex)(&mock_lock);

	test = mock_state.test;
	KUNIT_EXPECT_EQ_MSG(test, mock_state.allocated, 0, "memory leaks");
	KUNIT_EXPECT_EQ_MSG(test, mock_state.tables, 0, "an sg_table leaks");
	KUNIT_EXPECT_EQ_MSG(test, mock_state.fail_left, 0,
			    "the planned failure did not happen");
	list_for_each_entry_safe(live, next, &mock_state.live, node) {
		KUNIT_FAIL(test, "%s at DMA address %#llx stays mapped",
			   live->entry.call == MOCK_MAP ? "a mapping" :
							  "an IOVA range",
			   live->entry.dma);
		mock_live_del(live);
	}
	vfree(mock_state.arena);
	mock_state.arena = NULL;
	mock_state.test = NULL;
}

/**
 * mock_init - start the mocks for one case
 * @test: the case
 *
 * Call it first in the suite's init, so that its final checks run last.
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int mock_init(struct kunit *test)
{
	scoped_guard(mutex, &mock_lock) {
		memset(&mock_state, 0, sizeof(mock_state));
		INIT_LIST_HEAD(&mock_state.live);
		mock_state.test = test;
	}
	mock = (struct mock) {
		.coherent = true,
		.iova = MOCK_IOVA_START,
		.domain = &mock_dma_domain,
	};
	return kunit_add_action_or_reset(test, mock_check, NULL);
}

/**
 * mock_fail - plan the failure of a call
 * @call: the function
 * @nth: which call from now on, from 1; 0 to cancel the plan
 * @err: error to return, if the function returns an errno
 *
 * The case fails if the planned failure has not happened by its end.
 */
void mock_fail(enum mock_call call, unsigned int nth, int err)
{
	guard(mutex)(&mock_lock);

	mock_state.fail_call = call;
	mock_state.fail_left = nth;
	mock_state.fail_err = err;
}

/**
 * mock_fail_due - test whether the planned failure is still pending
 *
 * Return: false once the call has failed.
 */
bool mock_fail_due(void)
{
	guard(mutex)(&mock_lock);

	return mock_state.fail_left;
}

/**
 * mock_count - count the calls of a function
 * @call: the function
 *
 * Return: calls since mock_init() or mock_forget(), including failed ones.
 */
unsigned int mock_count(enum mock_call call)
{
	guard(mutex)(&mock_lock);

	return mock_state.calls[call];
}

/**
 * mock_index - get the position of a call in the log
 * @call: the function
 * @nth: which of its calls, from 1
 *
 * Return: position among all calls, from 0; -1 if there is no such call.
 */
int mock_index(enum mock_call call, unsigned int nth)
{
	unsigned int i;

	guard(mutex)(&mock_lock);

	for (i = 0; i < mock_state.logged; i++)
		if (mock_state.log[i].call == call && !--nth)
			return i;
	return -1;
}

/**
 * mock_nth - get the arguments of a call
 * @call: the function
 * @nth: which of its calls, from 1
 *
 * Ends the case if there is no such call.
 *
 * Return: the entry, valid until mock_forget().
 */
const struct mock_entry *mock_nth(enum mock_call call, unsigned int nth)
{
	int i = mock_index(call, nth);

	KUNIT_ASSERT_GE_MSG(mock_state.test, i, 0, "no call %d number %u", call,
			    nth);
	return &mock_state.log[i];
}

/**
 * mock_log_call - log a call of a mock in another file
 * @entry: the call
 *
 * Return: the planned errno, or 0.
 */
int mock_log_call(const struct mock_entry *entry)
{
	guard(mutex)(&mock_lock);

	return mock_record(entry);
}

/**
 * mock_note - add an entry to the log
 * @call: type of the entry
 * @who: object of the entry
 *
 * For a test's own callbacks, to check their order among the mocks.
 */
void mock_note(enum mock_call call, const void *who)
{
	guard(mutex)(&mock_lock);

	mock_record(&(struct mock_entry) { .call = call, .who = who });
}

/**
 * mock_forget - clear the log and the counts
 *
 * Live mappings and allocations are kept.
 */
void mock_forget(void)
{
	guard(mutex)(&mock_lock);

	mock_state.logged = 0;
	mock_state.bytes = 0;
	memset(mock_state.calls, 0, sizeof(mock_state.calls));
}

/**
 * mock_mapped - count live mappings
 *
 * Return: number of live mappings and IOVA ranges.
 */
unsigned int mock_mapped(void)
{
	guard(mutex)(&mock_lock);

	return list_count_nodes(&mock_state.live);
}

/**
 * mock_allocated - count live allocations
 *
 * Return: number of allocations and sg_tables that are not freed yet.
 */
unsigned int mock_allocated(void)
{
	guard(mutex)(&mock_lock);

	return mock_state.allocated + mock_state.tables;
}

/**
 * mock_bytes - add up the allocations
 *
 * Return: bytes that the slab allocator gave for all calls of kmalloc() and
 * kzalloc() since mock_init() or mock_forget(), whether or not they were freed.
 */
u64 mock_bytes(void)
{
	guard(mutex)(&mock_lock);

	return mock_state.bytes;
}

/*
 * Memory
 */

/**
 * mock_use_arena - serve the allocations of a case from one block
 * @len: bytes of the block
 *
 * For cases with very many small allocations: each takes KASAN and kmemleak half
 * a millisecond in an emulated machine. Freed memory is not used again.
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int mock_use_arena(size_t len)
{
	guard(mutex)(&mock_lock);

	mock_state.arena = vzalloc(len);
	if (!mock_state.arena)
		return -ENOMEM;
	mock_state.arena_len = len;
	return 0;
}

static bool mock_in_arena(const void *ptr)
{
	return mock_state.arena && ptr >= mock_state.arena &&
	       ptr < mock_state.arena + mock_state.arena_len;
}

static void *mock_allocate(size_t size, gfp_t gfp)
{
	size_t len = kmalloc_size_roundup(size);
	void *ptr;

	if (!mock_state.arena ||
	    len > mock_state.arena_len - mock_state.arena_used)
		return kmalloc(size, gfp);
	ptr = mock_state.arena + mock_state.arena_used;
	mock_state.arena_used += len;
	return ptr;
}

void *mock_kmalloc(size_t size, gfp_t gfp)
{
	struct mock_entry entry = { .call = MOCK_ALLOC, .len = size };
	void *ptr;

	guard(mutex)(&mock_lock);

	if (mock_record(&entry))
		return NULL;
	ptr = mock_allocate(size, gfp);
	if (ptr) {
		mock_state.allocated++;
		mock_state.bytes += kmalloc_size_roundup(size);
	}
	return ptr;
}

void mock_kfree(const void *ptr)
{
	guard(mutex)(&mock_lock);

	if (ptr)
		mock_state.allocated--;
	if (!mock_in_arena(ptr))
		kfree(ptr);
}

int mock_sg_alloc_table(struct sg_table *sgt, unsigned int nents, gfp_t gfp)
{
	struct mock_entry entry = { .call = MOCK_SG_ALLOC, .len = nents };
	int ret;

	guard(mutex)(&mock_lock);

	ret = mock_record(&entry);
	if (!ret)
		ret = sg_alloc_table(sgt, nents, gfp);
	if (!ret)
		mock_state.tables++;
	return ret;
}

void mock_sg_free_table(struct sg_table *sgt)
{
	guard(mutex)(&mock_lock);

	/* sg_free_table() frees orig_nents entries. */
	KUNIT_EXPECT_NE(mock_state.test, sgt->orig_nents, 0);
	mock_state.tables--;
	sg_free_table(sgt);
}

/*
 * The path to the memory
 */

int mock_pci_p2pdma_distance(struct pci_dev *provider, struct device *client,
			     bool verbose)
{
	struct mock_entry entry = { .call = MOCK_DISTANCE, .who = client };

	guard(mutex)(&mock_lock);

	return mock_record(&entry) ?: mock.distance;
}

int mock_pcim_p2pdma_init(struct pci_dev *pdev)
{
	struct mock_entry entry = { .call = MOCK_P2P_INIT, .who = pdev };

	guard(mutex)(&mock_lock);

	return mock_record(&entry);
}

struct p2pdma_provider *mock_pcim_p2pdma_provider(struct pci_dev *pdev,
						  int bar)
{
	static struct p2pdma_provider provider;
	struct mock_entry entry = { .call = MOCK_P2P_PROVIDER, .who = pdev,
				    .offset = bar };

	guard(mutex)(&mock_lock);

	if (mock_record(&entry))
		return NULL;
	provider.owner = &pdev->dev;
	provider.bus_offset = mock.bus_offset;
	return &provider;
}

/*
 * The DMA API
 */

/* The DMA API warns about an address beyond the device's mask. */
static void mock_check_mask(struct device *dev, u64 phys, u64 len)
{
	u64 limit, last;

	if (mock.iommu || mock.other_ops)
		return;

	KUNIT_EXPECT_NOT_NULL(mock_state.test, dev->dma_mask);
	if (!dev->dma_mask)
		return;
	limit = min_not_zero(*dev->dma_mask, dev->bus_dma_limit);
	KUNIT_EXPECT_FALSE(mock_state.test,
			   check_add_overflow(phys, len - 1, &last));
	KUNIT_EXPECT_LE_MSG(mock_state.test, last, limit,
			    "the DMA API would warn: beyond the mask");
}

dma_addr_t mock_dma_map_phys(struct device *dev, phys_addr_t phys, size_t size,
			     enum dma_data_direction dir, unsigned long attrs)
{
	struct mock_entry entry = {
		.call = MOCK_MAP,
		.who = dev,
		.phys = phys,
		.dma = phys + mock.dma_offset,
		.len = size,
		.dir = dir,
		.attrs = attrs,
	};

	guard(mutex)(&mock_lock);

	mock_check_mask(dev, attrs & DMA_ATTR_MMIO ? phys :
						     phys_to_dma(dev, phys),
			size);
	KUNIT_EXPECT_FALSE(mock_state.test, mock.other_ops);
	KUNIT_EXPECT_FALSE(mock_state.test, mock.bounce && !mock.iommu);
	if (mock_record(&entry))
		return DMA_MAPPING_ERROR;
	mock_live_add(&entry);
	return entry.dma;
}

void mock_dma_unmap_phys(struct device *dev, dma_addr_t addr, size_t size,
			 enum dma_data_direction dir, unsigned long attrs)
{
	struct mock_entry entry = {
		.call = MOCK_UNMAP,
		.who = dev,
		.dma = addr,
		.len = size,
		.dir = dir,
		.attrs = attrs,
	};
	struct mock_live *live;

	guard(mutex)(&mock_lock);

	mock_record(&entry);
	list_for_each_entry(live, &mock_state.live, node) {
		if (live->entry.call != MOCK_MAP || live->entry.who != dev ||
		    live->entry.dma != addr || live->entry.len != size ||
		    live->entry.dir != dir ||
		    (live->entry.attrs != attrs &&
		     (live->entry.attrs | DMA_ATTR_SKIP_CPU_SYNC) != attrs))
			continue;
		mock_live_del(live);
		return;
	}
	KUNIT_FAIL(mock_state.test,
		   "unmap of what was not mapped so: address %#llx, %zu bytes, direction %d, attributes %#lx",
		   (u64)addr, size, dir, attrs);
}

static void mock_sync(enum mock_call call, struct device *dev, dma_addr_t addr,
		      size_t size, enum dma_data_direction dir)
{
	struct mock_entry entry = {
		.call = call,
		.who = dev,
		.dma = addr,
		.len = size,
		.dir = dir,
	};
	struct mock_live *live;

	guard(mutex)(&mock_lock);

	mock_record(&entry);
	/* Of all or part of it */
	live = mock_live_with(dev, addr, size);
	KUNIT_EXPECT_NOT_NULL_MSG(mock_state.test, live,
				  "sync of what dma_map_phys() did not map");
	if (!live)
		return;
	KUNIT_EXPECT_EQ(mock_state.test, live->entry.dir, dir);
}

void mock_dma_sync_single_for_cpu(struct device *dev, dma_addr_t addr,
				  size_t size, enum dma_data_direction dir)
{
	mock_sync(MOCK_SYNC_CPU, dev, addr, size, dir);
}

void mock_dma_sync_single_for_device(struct device *dev, dma_addr_t addr,
				     size_t size, enum dma_data_direction dir)
{
	mock_sync(MOCK_SYNC_DEVICE, dev, addr, size, dir);
}

int mock_dma_mapping_error(struct device *dev, dma_addr_t addr)
{
	return addr == DMA_MAPPING_ERROR ? -ENOMEM : 0;
}

bool mock_dma_iova_try_alloc(struct device *dev, struct dma_iova_state *state,
			     phys_addr_t phys, size_t size)
{
	struct mock_entry entry = {
		.call = MOCK_IOVA_ALLOC,
		.who = dev,
		.phys = phys,
		.dma = mock.iova,
		.len = size,
	};

	guard(mutex)(&mock_lock);

	memset(state, 0, sizeof(*state));
	KUNIT_EXPECT_TRUE(mock_state.test, mock.iommu);
	KUNIT_EXPECT_TRUE(mock_state.test, size && PAGE_ALIGNED(size));
	if (mock_record(&entry))
		return false;

	mock_live_add(&entry);
	state->addr = entry.dma;
	state->__size = size;
	mock.iova += size + PAGE_SIZE;
	return true;
}

int mock_dma_iova_link(struct device *dev, struct dma_iova_state *state,
		       phys_addr_t phys, size_t offset, size_t size,
		       enum dma_data_direction dir, unsigned long attrs)
{
	struct mock_entry entry = {
		.call = MOCK_IOVA_LINK,
		.who = dev,
		.phys = phys,
		.dma = state->addr,
		.offset = offset,
		.len = size,
		.dir = dir,
		.attrs = attrs,
	};
	struct kunit *test;
	struct mock_live *live;
	int ret;

	guard(mutex)(&mock_lock);

	test = mock_state.test;
	live = mock_live_find(MOCK_IOVA_ALLOC, dev, state->addr);
	KUNIT_EXPECT_NOT_NULL_MSG(test, live, "link into a range that is not allocated");
	ret = mock_record(&entry);
	if (ret || !live)
		return ret;

	KUNIT_EXPECT_FALSE(test, live->synced);
	KUNIT_EXPECT_EQ_MSG(test, live->linked, offset,
			    "a gap, or a link over another");
	KUNIT_EXPECT_LE(test, offset + size, live->entry.len);
	if (live->linked)
		KUNIT_EXPECT_EQ(test, live->entry.dir, dir);
	live->entry.dir = dir;
	live->entry.attrs = attrs;
	live->linked += size;
	return 0;
}

int mock_dma_iova_sync(struct device *dev, struct dma_iova_state *state,
		       size_t offset, size_t size)
{
	struct mock_entry entry = {
		.call = MOCK_IOVA_SYNC,
		.who = dev,
		.dma = state->addr,
		.offset = offset,
		.len = size,
	};
	struct mock_live *live;
	int ret;

	guard(mutex)(&mock_lock);

	live = mock_live_find(MOCK_IOVA_ALLOC, dev, state->addr);
	KUNIT_EXPECT_NOT_NULL_MSG(mock_state.test, live,
				  "sync of no IOVA range");
	ret = mock_record(&entry);
	if (ret || !live)
		return ret;

	KUNIT_EXPECT_FALSE(mock_state.test, live->synced);
	KUNIT_EXPECT_EQ(mock_state.test, offset, 0);
	KUNIT_EXPECT_EQ(mock_state.test, size, live->linked);
	KUNIT_EXPECT_EQ(mock_state.test, size, live->entry.len);
	live->synced = true;
	return 0;
}

void mock_dma_iova_destroy(struct device *dev, struct dma_iova_state *state,
			   size_t mapped_len, enum dma_data_direction dir,
			   unsigned long attrs)
{
	struct mock_entry entry = {
		.call = MOCK_IOVA_DESTROY,
		.who = dev,
		.dma = state->addr,
		.len = mapped_len,
		.dir = dir,
		.attrs = attrs,
	};
	struct mock_live *live;

	guard(mutex)(&mock_lock);

	mock_record(&entry);
	live = mock_live_find(MOCK_IOVA_ALLOC, dev, state->addr);
	KUNIT_EXPECT_NOT_NULL_MSG(mock_state.test, live,
				  "destroy of no IOVA range");
	if (!live)
		return;

	KUNIT_EXPECT_EQ_MSG(mock_state.test, mapped_len, live->linked,
			    "unlinks what was not linked, or not all");
	if (live->linked) {
		KUNIT_EXPECT_EQ(mock_state.test, dir, live->entry.dir);
		/* Memories with other attributes may be linked there. */
		KUNIT_EXPECT_EQ(mock_state.test, attrs,
				DMA_ATTR_SKIP_CPU_SYNC);
	}
	mock_live_del(live);
}

struct sg_table *
mock_dma_buf_phys_vec_to_sgt(struct dma_buf_attachment *attach,
			     struct p2pdma_provider *provider,
			     struct phys_vec *vec, size_t nr, size_t size,
			     enum dma_data_direction dir)
{
	struct mock_entry entry = {
		.call = MOCK_PROBE,
		.who = attach->dev,
		.phys = vec->paddr,
		.dma = vec->paddr + provider->bus_offset,
		.len = size,
		.dir = dir,
	};
	struct sg_table *sgt;
	int ret;

	dma_resv_assert_held(attach->dmabuf->resv);

	guard(mutex)(&mock_lock);

	ret = mock_record(&entry);
	if (ret)
		return ERR_PTR(ret);
	KUNIT_EXPECT_FALSE(mock_state.test, mock.other_ops);
	if (mock.bounce && !mock.iommu && !mock.bus)
		return ERR_PTR(-ENOMEM);

	mock_check_mask(attach->dev, vec->paddr, size);
	KUNIT_EXPECT_EQ(mock_state.test, nr, 1);
	KUNIT_EXPECT_EQ(mock_state.test, vec->len, size);
	sgt = kzalloc_obj(*sgt);
	if (!sgt || sg_alloc_table(sgt, 1, GFP_KERNEL)) {
		kfree(sgt);
		return ERR_PTR(-ENOMEM);
	}
	sg_dma_address(sgt->sgl) = mock.bus ? entry.dma :
					      vec->paddr + mock.dma_offset;
	sg_dma_len(sgt->sgl) = size;
	sgt->orig_nents = 0;
	mock_state.tables++;
	return sgt;
}

void mock_dma_buf_free_sgt(struct dma_buf_attachment *attach,
			   struct sg_table *sgt, enum dma_data_direction dir)
{
	struct mock_entry entry = {
		.call = MOCK_PROBE_END,
		.who = attach->dev,
		.dma = sg_dma_address(sgt->sgl),
		.dir = dir,
	};

	guard(mutex)(&mock_lock);

	mock_record(&entry);
	KUNIT_EXPECT_EQ_MSG(mock_state.test, sgt->orig_nents, 1,
			    "the kernel would leak the table's entries");
	sgt->orig_nents = 1;
	sg_free_table(sgt);
	kfree(sgt);
	mock_state.tables--;
}

/*
 * dma-buf: call functions that call back into the tested code without mock_lock
 */

static int mock_call(enum mock_call call, const void *who)
{
	guard(mutex)(&mock_lock);

	return mock_record(&(struct mock_entry) { .call = call, .who = who });
}

struct dma_buf *mock_dma_buf_export(const struct dma_buf_export_info *info)
{
	int ret = mock_call(MOCK_EXPORT, info->priv);

	return ret ? ERR_PTR(ret) : dma_buf_export(info);
}

struct dma_buf_attachment *
mock_dma_buf_dynamic_attach(struct dma_buf *dmabuf, struct device *dev,
			    const struct dma_buf_attach_ops *ops, void *priv)
{
	int ret = mock_call(MOCK_ATTACH, dmabuf);
	struct dma_buf_attachment *attach;

	if (ret)
		return ERR_PTR(ret);
	attach = dma_buf_dynamic_attach(dmabuf, dev, ops, priv);
	if (!IS_ERR(attach) && mock.attached)
		mock.attached(mock.arg);
	return attach;
}

void mock_dma_buf_detach(struct dma_buf *dmabuf,
			 struct dma_buf_attachment *attach)
{
	mock_call(MOCK_DETACH, dmabuf);
	dma_buf_detach(dmabuf, attach);
}

struct sg_table *mock_dma_buf_map_attachment(struct dma_buf_attachment *attach,
					     enum dma_data_direction dir)
{
	int ret = mock_call(MOCK_SGT_MAP, attach);

	if (ret)
		return ERR_PTR(ret);
	return dma_buf_map_attachment(attach, dir);
}

void mock_dma_buf_unmap_attachment(struct dma_buf_attachment *attach,
				   struct sg_table *sgt,
				   enum dma_data_direction dir)
{
	mock_call(MOCK_SGT_UNMAP, attach);
	dma_buf_unmap_attachment(attach, sgt, dir);
}

void mock_dma_buf_invalidate_mappings(struct dma_buf *dmabuf)
{
	mock_call(MOCK_INVALIDATE, dmabuf);
	dma_buf_invalidate_mappings(dmabuf);
}

long mock_dma_resv_wait_timeout(struct dma_resv *resv,
				enum dma_resv_usage usage, bool intr,
				unsigned long timeout)
{
	struct mock_entry entry = { .call = MOCK_WAIT, .who = resv,
				    .dir = intr, .attrs = usage };
	int ret;

	scoped_guard(mutex, &mock_lock)
		ret = mock_record(&entry);
	if (ret)
		return ret;
	if (mock.before_wait)
		mock.before_wait(mock.arg);
	return dma_resv_wait_timeout(resv, usage, intr, timeout);
}

void mock_dev_warn(const struct device *dev)
{
	mock_call(MOCK_WARN, dev);
}

void mock_dev_notice(const struct device *dev, const char *fmt, ...)
{
	va_list args;

	mock_call(MOCK_NOTICE, dev);
	va_start(args, fmt);
	vscnprintf(mock.notice, sizeof(mock.notice), fmt, args);
	va_end(args);
}

/*
 * phyr_kunit.ko does not contain debugfs.c, whose files and trace event may
 * exist only once. Check that each attachment is published exactly while it is
 * attached.
 */

void phyr_attachment_publish(struct phyr_attachment *attach)
{
	KUNIT_EXPECT_NOT_NULL(mock_state.test, attach->why);
	scoped_guard(mutex, &mock_lock)
		mock_state.allocated++;
}

void phyr_attachment_unpublish(struct phyr_attachment *attach)
{
	guard(mutex)(&mock_lock);

	mock_state.allocated--;
}

void phyr_debugfs_init(void)
{
}

void phyr_debugfs_exit(void)
{
}

MODULE_DESCRIPTION("KUnit tests of phyr");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");

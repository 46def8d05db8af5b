// SPDX-License-Identifier: GPL-2.0
/*
 * phyr_carveout: dma-heaps over carve-outs
 *
 * A carve-out is DRAM that the kernel does not manage: taken away by memmap= on
 * the command line, or by firmware. Each is a dma-heap, carveout@ADDRESS, whose
 * dma-bufs are phyr lists. A buffer is contiguous if the carve-out has room for
 * that, else in several extents, and never moves.
 *
 * The memory has no struct page that may be used, even if pfn_valid() is true,
 * so no page is ever looked up. CPU caches are never flushed for it: userspace
 * and the kernel map it write-combined. The kernel maps the whole carve-out once
 * and for ever, which also makes x86 refuse any other cache attribute.
 *
 * Whoever may open the heap may take all of it, unless the administrator limits
 * the client's cgroup (region dma-heap/carveout@ADDRESS of CGROUP_DMEM).
 *
 * A dma-heap cannot be removed, so the module cannot be unloaded.
 */
#include <linux/bitmap.h>
#include <linux/cc_platform.h>
#include <linux/cgroup_dmem.h>
#include <linux/debugfs.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/dma-resv.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/iosys-map.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/phyr_exporter.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>

#define CARVEOUT_MAX	8

static char *regions[CARVEOUT_MAX];
static unsigned int nr_regions;
module_param_array(regions, charp, &nr_regions, 0444);
MODULE_PARM_DESC(regions, "the carve-outs, as SIZE@ADDRESS, separated by commas; suffixes K, M, G");

/**
 * struct carveout - a carve-out
 * @name: of the heap, constant
 * @mem: constant
 * @start: physical address, constant
 * @len: bytes, constant
 * @vaddr: all of it, write-combined; constant
 * @region: for limits per cgroup; NULL without CONFIG_CGROUP_DMEM; constant
 * @lock: guards @used
 * @used: a bit per page
 */
struct carveout {
	char name[32];
	struct phyr_mem *mem;
	phys_addr_t start;
	u64 len;
	void *vaddr;
	struct dmem_cgroup_region *region;
	struct mutex lock;	/* used */
	unsigned long *used;
};

/**
 * struct carveout_buffer - a buffer
 * @phyr: the core's state
 * @resv: its reservation object
 * @carveout: where it is
 * @list: its phyr list, which also records what of the carve-out it uses
 * @pool: the cgroup that is charged, or NULL
 */
struct carveout_buffer {
	struct phyr_buffer phyr;
	struct dma_resv resv;
	struct carveout *carveout;
	struct phyr_list *list;
	struct dmem_cgroup_pool_state *pool;
};

static struct carveout *carveouts[CARVEOUT_MAX];	/* constant after init */

/*
 * Allocation
 */

static int carveout_append(struct carveout *carveout, struct phyr_list *list,
			   unsigned long page, unsigned long nr)
{
	return phyr_list_append(list, carveout->mem,
				carveout->start + ((u64)page << PAGE_SHIFT),
				(u64)nr << PAGE_SHIFT);
}

/* Append @nr free pages to @list: contiguous ones, else the first ones. */
static int carveout_find(struct carveout *carveout, struct phyr_list *list,
			 unsigned long nr)
{
	unsigned long pages = carveout->len >> PAGE_SHIFT, page, end;
	int ret;

	lockdep_assert_held(&carveout->lock);

	page = bitmap_find_next_zero_area(carveout->used, pages, 0, nr, 0);
	if (page < pages)
		return carveout_append(carveout, list, page, nr);

	for (end = 0; nr; nr -= end - page) {
		page = find_next_zero_bit(carveout->used, pages, end);
		if (page == pages)
			return -ENOMEM;
		end = min(find_next_bit(carveout->used, pages, page),
			  page + nr);
		ret = carveout_append(carveout, list, page, end - page);
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}

static void carveout_mark(struct carveout *carveout,
			  const struct phyr_list *list, bool used)
{
	struct phyr_cursor cursor;
	struct phys_vec vec;
	unsigned long page;

	lockdep_assert_held(&carveout->lock);

	phyr_cursor_init(&cursor, list, 0, phyr_list_size(list));
	while (phyr_next(&cursor, &vec, NULL)) {
		page = (vec.paddr - carveout->start) >> PAGE_SHIFT;
		if (used)
			bitmap_set(carveout->used, page, vec.len >> PAGE_SHIFT);
		else
			bitmap_clear(carveout->used, page,
				     vec.len >> PAGE_SHIFT);
	}
}

static int carveout_take(struct carveout *carveout, struct phyr_list *list,
			 u64 size)
{
	int ret;

	/* A long list takes time to build. */
	ret = mutex_lock_killable(&carveout->lock);
	if (ret)
		return ret;

	ret = carveout_find(carveout, list, size >> PAGE_SHIFT);
	if (!ret)
		ret = phyr_list_finish(list, size, KBUILD_MODNAME);
	if (!ret)
		carveout_mark(carveout, list, true);
	mutex_unlock(&carveout->lock);
	return ret;
}

static struct phyr_list *carveout_alloc(struct carveout *carveout, u64 size)
{
	struct phyr_list *list;
	int ret;

	list = phyr_list_create();
	if (IS_ERR(list))
		return list;

	ret = carveout_take(carveout, list, size);
	if (ret) {
		phyr_list_put(list);
		return ERR_PTR(ret);
	}
	return list;
}

static void carveout_free(struct carveout *carveout, struct phyr_list *list)
{
	scoped_guard(mutex, &carveout->lock)
		carveout_mark(carveout, list, false);
	phyr_list_put(list);
}

/*
 * Until then it has the bytes of an earlier buffer. Many gigabytes take seconds,
 * so SIGKILL ends it.
 */
static int carveout_clear(struct carveout *carveout,
			  const struct phyr_list *list)
{
	struct phyr_cursor cursor;
	struct phys_vec vec;
	u64 len;

	phyr_cursor_init(&cursor, list, 0, phyr_list_size(list));
	while (phyr_next(&cursor, &vec, NULL)) {
		for (; vec.len; vec.len -= len, vec.paddr += len) {
			if (fatal_signal_pending(current))
				return -EINTR;
			len = min(vec.len, SZ_1M);
			memset(carveout->vaddr + (vec.paddr - carveout->start),
			       0, len);
			cond_resched();
		}
	}
	/* Empty the write-combining buffers before a device writes. */
	wmb();
	return 0;
}

/* Like carveout_alloc(), but zeroed. */
static struct phyr_list *carveout_alloc_clear(struct carveout *carveout,
					      u64 size)
{
	struct phyr_list *list;
	int ret;

	list = carveout_alloc(carveout, size);
	if (IS_ERR(list))
		return list;

	ret = carveout_clear(carveout, list);
	if (ret) {
		carveout_free(carveout, list);
		return ERR_PTR(ret);
	}
	return list;
}

/*
 * Buffers
 */

static void carveout_buffer_free(struct carveout_buffer *buffer)
{
	u64 size = phyr_list_size(buffer->list);

	phyr_buffer_fini(&buffer->phyr);
	carveout_free(buffer->carveout, buffer->list);
	dmem_cgroup_uncharge(buffer->pool, size);
	dma_resv_fini(&buffer->resv);
	kfree(buffer);
}

static void carveout_release(struct dma_buf *dmabuf)
{
	carveout_buffer_free(dmabuf->priv);
}

/*
 * For debuggers and /proc/PID/mem. generic_access_phys() takes what follows the
 * first page for contiguous, and extents are not. The core does not check what
 * the client may do with a mapping without pages, nor where it ends.
 */
static int carveout_access(struct vm_area_struct *vma, unsigned long addr,
			   void *buf, int len, int write)
{
	struct carveout_buffer *buffer = vma->vm_private_data;
	u64 offset = ((u64)vma->vm_pgoff << PAGE_SHIFT) +
		     (addr - vma->vm_start);
	int ret;

	if (!(vma->vm_flags & (write ? VM_WRITE : VM_MAYREAD)))
		return -EACCES;

	len = min_t(unsigned long, len, vma->vm_end - addr);
	ret = write ? phyr_list_write(buffer->list, offset, buf, len) :
		      phyr_list_read(buffer->list, offset, buf, len);
	return ret ?: len;
}

static const struct vm_operations_struct carveout_vm_ops = {
	.access = carveout_access,
};

/* Nothing unmaps it before the last munmap(), since it never moves. */
static int carveout_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct carveout_buffer *buffer = dmabuf->priv;
	unsigned long addr = vma->vm_start;
	struct phyr_cursor cursor;
	struct phys_vec vec;
	int ret;

	/*
	 * A private mapping would copy from pages. Not VM_SHARED, which a
	 * shared mapping of a read-only file lacks.
	 */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;

	vm_flags_clear(vma, VM_MAYEXEC);
	vma->vm_ops = &carveout_vm_ops;
	vma->vm_private_data = buffer;
	vma->vm_page_prot = phyr_mem_pgprot(buffer->carveout->mem,
					    vma->vm_page_prot);
	phyr_cursor_init(&cursor, buffer->list,
			 (u64)vma->vm_pgoff << PAGE_SHIFT,
			 vma->vm_end - vma->vm_start);
	while (phyr_next(&cursor, &vec, NULL)) {
		ret = remap_pfn_range(vma, addr, PHYS_PFN(vec.paddr), vec.len,
				      vma->vm_page_prot);
		if (ret)
			return ret;
		addr += vec.len;
		cond_resched();
	}
	return 0;
}

/* memremap() has made it a pointer like any other, not I/O memory. */
static int carveout_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct carveout_buffer *buffer = dmabuf->priv;
	struct phyr_cursor cursor;
	struct phys_vec vec;

	phyr_cursor_init(&cursor, buffer->list, 0, dmabuf->size);
	phyr_next(&cursor, &vec, NULL);
	iosys_map_set_vaddr(map, buffer->carveout->vaddr +
			    (vec.paddr - buffer->carveout->start));
	return 0;
}

static struct phyr_buffer *carveout_phyr_buffer(struct dma_buf *dmabuf)
{
	struct carveout_buffer *buffer = dmabuf->priv;

	return &buffer->phyr;
}

static struct phyr_list *carveout_describe(struct phyr_buffer *phyr)
{
	return phyr_list_get(container_of(phyr, struct carveout_buffer,
					  phyr)->list);
}

#define CARVEOUT_DMA_BUF_OPS \
	PHYR_DMA_BUF_OPS, \
	.mmap = carveout_mmap

/*
 * Without vmap: memremap() takes a contiguous range, and vmap_pfn() refuses what
 * has struct pages. An exporter's vmap that fails makes the dma-buf core warn.
 */
static const struct phyr_dma_buf_ops carveout_ops = {
	.ops = { CARVEOUT_DMA_BUF_OPS },
	.buffer = carveout_phyr_buffer,
	.release = carveout_release,
	.describe = carveout_describe,
};

static const struct phyr_dma_buf_ops carveout_contiguous_ops = {
	.ops = { CARVEOUT_DMA_BUF_OPS, .vmap = carveout_vmap },
	.buffer = carveout_phyr_buffer,
	.release = carveout_release,
	.describe = carveout_describe,
};

static int carveout_charge(struct carveout *carveout, u64 size,
			   struct dmem_cgroup_pool_state **pool)
{
	int ret;

	if (size > carveout->len)
		return -ENOMEM;

	ret = dmem_cgroup_try_charge(carveout->region, size, pool, NULL);
	/* A client that repeats the ioctl on -EAGAIN would do so for ever. */
	return ret == -EAGAIN ? -ENOMEM : ret;
}

static struct carveout_buffer *carveout_buffer_create(struct carveout *carveout,
						      u64 size)
{
	const struct phyr_dma_buf_ops *ops = &carveout_ops;
	struct carveout_buffer *buffer;
	int ret;

	buffer = kzalloc_obj(*buffer, GFP_KERNEL_ACCOUNT);
	if (!buffer)
		return ERR_PTR(-ENOMEM);

	ret = carveout_charge(carveout, size, &buffer->pool);
	if (ret)
		goto free;

	buffer->list = carveout_alloc_clear(carveout, size);
	if (IS_ERR(buffer->list)) {
		ret = PTR_ERR(buffer->list);
		goto uncharge;
	}

	if (phyr_list_count(buffer->list) == 1)
		ops = &carveout_contiguous_ops;
	buffer->carveout = carveout;
	dma_resv_init(&buffer->resv);
	phyr_buffer_init(&buffer->phyr, ops, &buffer->resv);
	return buffer;

uncharge:
	dmem_cgroup_uncharge(buffer->pool, size);
free:
	kfree(buffer);
	return ERR_PTR(ret);
}

static struct dma_buf *carveout_heap_allocate(struct dma_heap *heap,
					      unsigned long len, u32 fd_flags,
					      u64 heap_flags)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct carveout_buffer *buffer;
	struct dma_buf *dmabuf;

	buffer = carveout_buffer_create(dma_heap_get_drvdata(heap), len);
	if (IS_ERR(buffer))
		return ERR_CAST(buffer);

	info.size = len;
	info.flags = fd_flags;
	info.priv = buffer;
	dmabuf = phyr_dma_buf_export(&buffer->phyr, &info);
	if (IS_ERR(dmabuf))
		carveout_buffer_free(buffer);
	return dmabuf;
}

static const struct dma_heap_ops carveout_heap_ops = {
	.allocate = carveout_heap_allocate,
};

/*
 * Carve-outs
 */

static int carveout_parse(struct carveout *carveout, const char *region)
{
	char *end;

	carveout->len = memparse(region, &end);
	if (*end != '@')
		return -EINVAL;
	carveout->start = memparse(end + 1, &end);
	return *end ? -EINVAL : 0;
}

/* Take it from the kernel, whose RAM it must not be, and map it. */
static int carveout_map(struct carveout *carveout)
{
	if (region_intersects(carveout->start, carveout->len,
			      IORESOURCE_SYSTEM_RAM,
			      IORES_DESC_NONE) != REGION_DISJOINT)
		return -EBUSY;
	if (!request_mem_region(carveout->start, carveout->len,
				KBUILD_MODNAME))
		return -EBUSY;

	carveout->vaddr = memremap(carveout->start, carveout->len,
				   MEMREMAP_WC);
	if (carveout->vaddr)
		return 0;
	release_mem_region(carveout->start, carveout->len);
	return -ENOMEM;
}

/* Returns NULL without CONFIG_CGROUP_DMEM. */
static struct dmem_cgroup_region *
carveout_register_region(const struct carveout *carveout)
{
#ifdef HAVE_DMEM_CGROUP_INIT
	const struct dmem_cgroup_init init = { .size = carveout->len };

	return dmem_cgroup_register_region(&init, "dma-heap/%s",
					   carveout->name);
#else
	return dmem_cgroup_register_region(carveout->len, "dma-heap/%s",
					   carveout->name);
#endif
}

static void carveout_destroy(struct carveout *carveout)
{
	dmem_cgroup_unregister_region(carveout->region);
	if (carveout->vaddr) {
		memunmap(carveout->vaddr);
		release_mem_region(carveout->start, carveout->len);
	}
	if (carveout->mem)
		phyr_mem_put(carveout->mem);
	kvfree(carveout->used);
	mutex_destroy(&carveout->lock);
	kfree(carveout);
}

static int carveout_fill(struct carveout *carveout, const char *region)
{
	struct dmem_cgroup_region *limits;
	struct phyr_mem *mem;
	int ret;

	ret = carveout_parse(carveout, region);
	if (ret)
		return ret;

	mem = phyr_mem_create_carveout(carveout->start, carveout->len,
				       PHYR_MEM_WC);
	if (IS_ERR(mem))
		return PTR_ERR(mem);
	carveout->mem = mem;
	/* bitmap_set() counts in 32 bits. */
	if (carveout->len >> PAGE_SHIFT > INT_MAX)
		return -EFBIG;

	snprintf(carveout->name, sizeof(carveout->name), "carveout@%llx",
		 (u64)carveout->start);
	carveout->used = kvcalloc(BITS_TO_LONGS(carveout->len >> PAGE_SHIFT),
				  sizeof(long), GFP_KERNEL);
	if (!carveout->used)
		return -ENOMEM;

	ret = carveout_map(carveout);
	if (ret)
		return ret;
	limits = carveout_register_region(carveout);
	if (IS_ERR(limits))
		return PTR_ERR(limits);
	carveout->region = limits;
	return 0;
}

static struct carveout *carveout_create(const char *region)
{
	struct carveout *carveout;
	int ret;

	carveout = kzalloc_obj(*carveout);
	if (!carveout)
		return ERR_PTR(-ENOMEM);

	mutex_init(&carveout->lock);
	ret = carveout_fill(carveout, region);
	if (ret) {
		pr_notice("%s: %s: error %d; it must be SIZE@ADDRESS, whole pages, and none of the kernel's memory (memmap=SIZE$ADDRESS)\n",
			  KBUILD_MODNAME, region, ret);
		carveout_destroy(carveout);
		return ERR_PTR(ret);
	}
	return carveout;
}

/* Pages for which pfn_valid() is true: for tests; nothing depends on it. */
static unsigned long carveout_valid(const struct carveout *carveout)
{
	unsigned long pfn = PHYS_PFN(carveout->start), valid = 0;
	unsigned long end = PHYS_PFN(carveout->start + carveout->len);

	for (; pfn < end; pfn++) {
		valid += pfn_valid(pfn);
		cond_resched();
	}
	return valid;
}

static int carveouts_show(struct seq_file *m, void *unused)
{
	struct carveout *carveout;
	unsigned long pages, used;
	unsigned int i;

	for (i = 0; i < CARVEOUT_MAX && carveouts[i]; i++) {
		carveout = carveouts[i];
		pages = carveout->len >> PAGE_SHIFT;
		scoped_guard(mutex, &carveout->lock)
			used = bitmap_weight(carveout->used, pages);
		seq_printf(m, "%s 0x%llx 0x%llx free 0x%lx pfn_valid 0x%lx\n",
			   carveout->name, (u64)carveout->start, carveout->len,
			   (pages - used) << PAGE_SHIFT,
			   carveout_valid(carveout) << PAGE_SHIFT);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(carveouts);

static void carveout_destroy_from(unsigned int i)
{
	for (; i < CARVEOUT_MAX && carveouts[i]; i++) {
		carveout_destroy(carveouts[i]);
		carveouts[i] = NULL;
	}
}

/* Once there is a heap, the module must stay. */
static int carveout_add_heaps(void)
{
	struct dma_heap_export_info info = { .ops = &carveout_heap_ops };
	struct dma_heap *heap;
	unsigned int i;

	for (i = 0; i < nr_regions; i++) {
		info.name = carveouts[i]->name;
		info.priv = carveouts[i];
		heap = dma_heap_add(&info);
		if (IS_ERR(heap)) {
			pr_notice("%s: %s: no dma-heap: %pe\n",
				  KBUILD_MODNAME, regions[i], heap);
			carveout_destroy_from(i);
			if (!i)
				return PTR_ERR(heap);
			break;
		}
	}
	debugfs_create_file(KBUILD_MODNAME, 0400, NULL, NULL, &carveouts_fops);
	return 0;
}

static int __init carveout_init(void)
{
	struct carveout *carveout;
	unsigned int i;

	/*
	 * memremap(MEMREMAP_WC) would see the encrypted bytes, userspace and
	 * devices the others.
	 */
	if (cc_platform_has(CC_ATTR_MEM_ENCRYPT))
		return -EOPNOTSUPP;
	if (!nr_regions)
		return -ENODEV;

	for (i = 0; i < nr_regions; i++) {
		carveout = carveout_create(regions[i]);
		if (IS_ERR(carveout)) {
			carveout_destroy_from(0);
			return PTR_ERR(carveout);
		}
		carveouts[i] = carveout;
	}
	return carveout_add_heaps();
}
module_init(carveout_init);

MODULE_DESCRIPTION("dma-heaps over memory that the kernel does not manage");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
MODULE_IMPORT_NS("DMA_BUF_HEAP");
MODULE_IMPORT_NS("PHYR_EXPORTER");

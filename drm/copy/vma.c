// SPDX-License-Identifier: GPL-2.0
/*
 * CPU mappings of the engine's own buffers
 *
 * Replaces the fault handlers of the shmem helper, which count pages from the
 * start of the VMA. A VMA may start inside the buffer: a dma-buf can be mapped
 * in part, and the front of a mapping can be unmapped.
 */
#include <linux/dma-resv.h>
#include <linux/highmem.h>
#include <linux/huge_mm.h>
#include <linux/mm.h>

#include <drm/drm_gem.h>
#include <drm/drm_vma_manager.h>

#include "copy.h"

/* Return: offset of @addr in the buffer, in bytes; possibly beyond its end. */
static u64 copy_vma_offset(const struct vm_area_struct *vma, unsigned long addr)
{
	struct drm_gem_object *obj = vma->vm_private_data;
	u64 page = vma->vm_pgoff - drm_vma_node_start(&obj->vma_node);

	return (page << PAGE_SHIFT) + (addr - vma->vm_start);
}

#ifdef CONFIG_ARCH_SUPPORTS_PMD_PFNMAP
/* True if the PMD at the fault lies in the VMA and is one folio. */
static bool copy_vma_is_huge(const struct vm_fault *vmf, struct page *page)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long start = ALIGN_DOWN(vmf->address, PMD_SIZE);

	return vma->vm_start <= start && start + PMD_SIZE <= vma->vm_end &&
	       !((vmf->address ^ page_to_phys(page)) & ~PMD_MASK & PAGE_MASK) &&
	       folio_test_pmd_mappable(page_folio(page));
}
#endif

static vm_fault_t copy_vma_insert(struct vm_fault *vmf, struct page *page,
				  unsigned int order)
{
	if (!order)
		return vmf_insert_pfn(vmf->vma, vmf->address,
				      page_to_pfn(page));
#ifdef CONFIG_ARCH_SUPPORTS_PMD_PFNMAP
	if (order == PMD_ORDER && copy_vma_is_huge(vmf, page))
		return vmf_insert_pfn_pmd(vmf, page_to_pfn(page) &
					  (PMD_MASK >> PAGE_SHIFT),
					  vmf->flags & FAULT_FLAG_WRITE);
#endif
	return VM_FAULT_FALLBACK;
}

static vm_fault_t copy_vma_huge_fault(struct vm_fault *vmf, unsigned int order)
{
	struct vm_area_struct *vma = vmf->vma;
	struct drm_gem_object *obj = vma->vm_private_data;
	struct drm_gem_shmem_object *shmem = &to_copy_bo(obj)->shmem;
	u64 offset = copy_vma_offset(vma, vmf->address);
	vm_fault_t ret = VM_FAULT_SIGBUS;
	struct page *page;

	dma_resv_lock(obj->resv, NULL);
	if (shmem->pages && offset < obj->size) {
		page = shmem->pages[offset >> PAGE_SHIFT];
		ret = copy_vma_insert(vmf, page, order);
		/* mprotect() can make the mapping writable later. */
		if (ret == VM_FAULT_NOPAGE && vma->vm_flags & VM_MAYWRITE)
			shmem->pages_mark_dirty_on_put = true;
	}
	dma_resv_unlock(obj->resv);
	return ret;
}

static vm_fault_t copy_vma_fault(struct vm_fault *vmf)
{
	return copy_vma_huge_fault(vmf, 0);
}

/*
 * A debugger's access, which does not follow PFN mappings. It must respect what
 * the client may do with its mapping, and end with the mapping: the core checks
 * neither.
 */
static int copy_vma_access(struct vm_area_struct *vma, unsigned long addr,
			   void *buf, int len, int write)
{
	struct drm_gem_object *obj = vma->vm_private_data;
	struct drm_gem_shmem_object *shmem = &to_copy_bo(obj)->shmem;
	u64 offset = copy_vma_offset(vma, addr);
	int done = 0, part;
	struct page *page;
	int ret;

	if (!(vma->vm_flags & (write ? VM_WRITE : VM_MAYREAD)))
		return -EACCES;
	len = min_t(unsigned long, len, vma->vm_end - addr);

	ret = dma_resv_lock_interruptible(obj->resv, NULL);
	if (ret)
		return ret;
	for (; shmem->pages && done < len && offset < obj->size; done += part) {
		page = shmem->pages[offset >> PAGE_SHIFT];
		part = min_t(int, len - done, PAGE_SIZE - offset_in_page(offset));
		if (write) {
			memcpy_to_page(page, offset_in_page(offset), buf + done,
				       part);
			shmem->pages_mark_dirty_on_put = true;
		} else {
			memcpy_from_page(buf + done, page,
					 offset_in_page(offset), part);
		}
		offset += part;
	}
	dma_resv_unlock(obj->resv);
	return done;
}

static void copy_vma_open(struct vm_area_struct *vma)
{
	drm_gem_shmem_vm_ops.open(vma);
}

static void copy_vma_close(struct vm_area_struct *vma)
{
	drm_gem_shmem_vm_ops.close(vma);
}

const struct vm_operations_struct copy_bo_vm_ops = {
	.fault = copy_vma_fault,
#ifdef CONFIG_ARCH_SUPPORTS_PMD_PFNMAP
	.huge_fault = copy_vma_huge_fault,
#endif
	.access = copy_vma_access,
	.open = copy_vma_open,
	.close = copy_vma_close,
};

/**
 * copy_bo_own_mmap - &drm_gem_object_funcs.mmap
 * @obj: an own buffer
 * @vma: the new mapping, of the DRM node or the dma-buf
 *
 * Return: 0; -EPERM for an executable mapping; or another negative errno.
 */
int copy_bo_own_mmap(struct drm_gem_object *obj, struct vm_area_struct *vma)
{
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;

	vm_flags_clear(vma, VM_MAYEXEC);
	return drm_gem_shmem_object_mmap(obj, vma);
}

// SPDX-License-Identifier: MIT
/* CPU mappings: mmap and page faults. */
#include "stage.h"

static void setup_offset(const void *data)
{
	struct drm_phyr_vram_gem_mmap map = { 0 };

	setup_buffer(data);
	map.handle = stage.handle;
	igt_assert_eq(phyr_ioctl(stage.vram, DRM_IOCTL_PHYR_VRAM_GEM_MMAP,
				 &map), 0);
	stage.fd = stage.vram;
	stage.offset = map.offset;
}

static int map_offset(const void *data)
{
	(void)data;
	stage.mem = phyr_mmap(stage.fd, SIZE, PROT_READ | PROT_WRITE,
			      stage.offset);
	return stage.mem == MAP_FAILED ? -errno : 0;
}

static void verify_mapped(const void *data, int result)
{
	if (!result) {
		assert_bytes(stage.mem, SEED, 0, SIZE);
		unmap(stage.mem, SIZE);
	}
	verify_buffer(data, result);
}

static void setup_mapped(const void *data)
{
	setup_offset(data);
	igt_assert_eq(map_offset(data), 0);
}

/* Let write() fault: it returns an errno instead of raising a signal. */
static int fault(const void *data)
{
	(void)data;
	if (write(stage.event, stage.mem, sizeof(uint64_t)) < 0 &&
	    errno == EFAULT)
		return -EFAULT;
	return 0;
}

static void verify_faulted(const void *data, int result)
{
	(void)result;
	verify_mapped(data, 0);
}

static void setup_dmabuf_mapped(const void *data)
{
	setup_buffer(data);
	stage.dmabuf = export_buffer(stage.vram, stage.handle);
	stage.mem = map_dmabuf(stage.dmabuf, SIZE);
}

static void setup_dmabuf_unmapped(const void *data)
{
	setup_buffer(data);
	stage.dmabuf = export_buffer(stage.vram, stage.handle);
	stage.fd = stage.dmabuf;
	stage.offset = 0;
}

static void verify_dmabuf_mapped(const void *data, int result)
{
	verify_mapped(data, result);
	close(stage.dmabuf);
}

static void verify_dmabuf_faulted(const void *data, int result)
{
	(void)result;
	verify_dmabuf_mapped(data, 0);
}

static void setup_own_mapped(const void *data)
{
	(void)data;
	stage.own = create_own(stage.copy, SIZE);
	stage.mem = map_own(stage.copy, stage.own, SIZE);
}

static void verify_own_faulted(const void *data, int result)
{
	(void)data;
	(void)result;
	assert_zero(stage.mem, SIZE);
	unmap(stage.mem, SIZE);
	igt_assert_eq(phyr_close_handle(stage.copy, stage.own), 0);
	assert_works();
}

void sweep_mappings(void)
{
	const struct fail_nth_call calls[] = {
		{ "vram mmap", setup_offset, map_offset, verify_mapped,
		  .data = &pieces },
		{ "vram fault", setup_mapped, fault, verify_faulted,
		  .also = EFAULT, .data = &pieces },
		{ "vram fault, system memory", setup_mapped, fault,
		  verify_faulted, .also = EFAULT, .data = &in_system },
		{ "dma-buf mmap", setup_dmabuf_unmapped, map_offset,
		  verify_dmabuf_mapped, .data = &pieces },
		{ "dma-buf fault", setup_dmabuf_mapped, fault,
		  verify_dmabuf_faulted, .also = EFAULT, .data = &pieces },
		{ "copy fault", setup_own_mapped, fault, verify_own_faulted,
		  .also = EFAULT },
	};

	sweep_all(calls, ARRAY_SIZE(calls));
}

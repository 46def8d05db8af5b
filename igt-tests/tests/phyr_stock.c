// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <linux/vfio.h>
#include <linux/videodev2.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <xf86drm.h>

#include "foreign.h"
#include "heap.h"

IGT_TEST_DESCRIPTION("The copy engine imports buffers of stock drivers; its DMA is verified");

static struct phyr_device engine_device;

/*
 * DMA into the foreign buffer and check it through the exporter's mapping; write
 * through that mapping and check by DMA out of the buffer. First the whole
 * buffer, then an unaligned part.
 */
static void verify_dma(int engine, uint32_t imported, int dmabuf, void *cpu,
		       uint64_t size)
{
	uint32_t in = create_own(engine, size), out = create_own(engine, size);
	uint64_t part = size / 2 - 12345;
	void *mem;

	fill_own(engine, in, size, 1);
	copy_bytes(engine, in, imported, size);
	begin_cpu(dmabuf);
	assert_bytes(cpu, 1, 0, size);
	phyr_fill(cpu, 2, 0, size);
	end_cpu(dmabuf);
	copy_bytes(engine, imported, out, size);
	assert_own(engine, out, size, 2);

	igt_assert_eq(phyr_copy_run(engine, in, 4095, imported, 4095, part), 0);
	igt_assert_eq(phyr_copy_run(engine, imported, 0, out, 0, size), 0);
	mem = map_own(engine, out, size);
	assert_bytes(mem, 2, 0, 4095);
	assert_bytes((char *)mem + 4095, 1, 4095, part);
	assert_bytes((char *)mem + 4095 + part, 2, 4095 + part,
		     size - 4095 - part);
	unmap(mem, size);
}

/* Import, verify DMA and attachments, detach. @cpu: the exporter's mapping. */
static void import_from_stock(const char *exporter, int dmabuf, void *cpu,
			      uint64_t size)
{
	int engine = open_device(&engine_device);
	uint32_t imported;

	igt_assert_eq(find_attachments(exporter, NULL, NULL), 0);
	trace_attachments();
	imported = import_buffer(engine, dmabuf);
	igt_assert_eq(traced_attachments(exporter, engine_device.busid,
					 "from-stock"), 1);
	assert_attachment(exporter, engine_device.busid, "from-stock", "sgt", 0,
			  "sg_table only");
	verify_dma(engine, imported, dmabuf, cpu, size);
	assert_attachment(exporter, engine_device.busid, "from-stock", "sgt", 1,
			  "sg_table only");
	igt_assert_eq(phyr_close_handle(engine, imported), 0);
	wait_for_no_attachment(exporter, NULL);
	close(engine);
}

/* The dma-buf can be mapped by the CPU. Closes it. */
static void import_mappable(const char *exporter, int dmabuf, uint64_t size)
{
	void *cpu = map_dmabuf(dmabuf, size);

	import_from_stock(exporter, dmabuf, cpu, size);
	unmap(cpu, size);
	close(dmabuf);
}

static void system_heap(void)
{
	import_mappable("system", alloc_heap("system", SZ_1M), SZ_1M);
}

/* The client maps its dumb buffer through the DRM node. */
static void dumb(const char *driver, const char *exporter)
{
	uint64_t size;
	uint32_t handle;
	int fd, dmabuf;
	void *cpu;

	fd = open_drm(driver);
	handle = create_dumb(fd, &size);
	cpu = map_dumb(fd, handle, size);
	dmabuf = export_buffer(fd, handle);
	import_from_stock(exporter, dmabuf, cpu, size);
	unmap(cpu, size);
	close(dmabuf);
	close(fd);
}

static void vivid(void)
{
	struct camera camera = open_camera(V4L2_MEMORY_MMAP);

	import_mappable("videobuf2_vmalloc", camera_export(&camera),
			camera.size);
	close_camera(&camera);
}

/* Copy an image from vivid's own buffer into VRAM by DMA. */
static void vivid_frame(void)
{
	struct camera camera = open_camera(V4L2_MEMORY_MMAP);
	int engine = open_device(&engine_device), vram = open_vram(0);
	int dmabuf = camera_export(&camera);
	uint64_t size = (camera.size + SZ_4K - 1) & ~(SZ_4K - 1);
	uint32_t handle = create_vram(vram, size, IN_VRAM, SZ_4K);
	void *frame, *copied;

	igt_assert_eq(camera_queue(&camera, 0, 0), 0);
	igt_assert_eq(camera_capture(&camera), 0);
	copy_bytes(engine, import_buffer(engine, dmabuf),
		   import_from(engine, vram, handle), camera.size);
	frame = map_dmabuf(dmabuf, camera.size);
	copied = map_vram(vram, handle, size);
	igt_assert_f(phyr_verify_byte(frame, 0, camera.size) >= 0,
		     "vivid captured an image of zeroes\n");
	igt_assert(!memcmp(frame, copied, camera.size));
	unmap(copied, size);
	unmap(frame, camera.size);
	close(dmabuf);
	close(vram);
	close(engine);
	close_camera(&camera);
}

/* The second ivshmem, bound to vfio-pci, with a CPU mapping of its BAR 2. */
struct vfio {
	int container;
	int group;
	int device;
	void *bar;
	uint64_t bar_len;
};

static int open_path(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	igt_assert_f(fd >= 0, "%s: %s\n", path, strerror(errno));
	return fd;
}

static int open_vfio_group(const char *busid)
{
	char path[96], target[256], *number;
	ssize_t len;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group",
		 busid);
	len = readlink(path, target, sizeof(target) - 1);
	igt_assert_f(len > 0, "%s: %s\n", path, strerror(errno));
	target[len] = '\0';
	number = strrchr(target, '/') + 1;
	snprintf(path, sizeof(path), "/dev/vfio/%.16s", number);
	return open_path(path);
}

static struct vfio open_vfio(void)
{
	struct vfio_region_info region = {
		.argsz = sizeof(region),
		.index = VFIO_PCI_BAR2_REGION_INDEX,
	};
	struct vfio vfio;
	char busid[16];

	/* The emulated IOMMU has no interrupt remapping. */
	run_command("modprobe vfio_iommu_type1 allow_unsafe_interrupts=1 && modprobe vfio-pci");
	igt_assert_f(pci_find("0x1af4", "0x1110", 1, busid),
		     "the machine has no second ivshmem\n");
	pci_bind(busid, "vfio-pci");
	vfio.container = open_path("/dev/vfio/vfio");
	vfio.group = open_vfio_group(busid);
	igt_assert_eq(ioctl(vfio.group, VFIO_GROUP_SET_CONTAINER,
			    &vfio.container), 0);
	igt_assert_eq(ioctl(vfio.container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU),
		      0);
	vfio.device = ioctl(vfio.group, VFIO_GROUP_GET_DEVICE_FD, busid);
	igt_assert_f(vfio.device >= 0, "VFIO_GROUP_GET_DEVICE_FD: %s\n",
		     strerror(errno));
	igt_assert_eq(phyr_ioctl(vfio.device, VFIO_DEVICE_GET_REGION_INFO,
				 &region), 0);
	vfio.bar_len = region.size;
	vfio.bar = phyr_mmap(vfio.device, region.size, PROT_READ | PROT_WRITE,
			     region.offset);
	igt_assert_f(vfio.bar != MAP_FAILED, "mmap of the BAR: %s\n",
		     strerror(errno));
	return vfio;
}

static void close_vfio(struct vfio *vfio)
{
	unmap(vfio->bar, vfio->bar_len);
	close(vfio->device);
	close(vfio->group);
	close(vfio->container);
}

/* @count ranges of @len bytes of the BAR, @stride apart. */
static int export_vfio(const struct vfio *vfio, uint32_t count, uint64_t start,
		       uint64_t len, uint64_t stride)
{
	size_t size = sizeof(struct vfio_device_feature) +
		      sizeof(struct vfio_device_feature_dma_buf) +
		      count * sizeof(struct vfio_region_dma_range);
	struct vfio_device_feature *feature = calloc(1, size);
	struct vfio_device_feature_dma_buf *get;
	int dmabuf;

	igt_assert(feature);
	feature->argsz = size;
	feature->flags = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_BUF;
	get = (void *)feature->data;
	get->region_index = VFIO_PCI_BAR2_REGION_INDEX;
	get->open_flags = O_RDWR | O_CLOEXEC;
	get->nr_ranges = count;
	for (uint32_t i = 0; i < count; i++) {
		get->dma_ranges[i].offset = start + i * stride;
		get->dma_ranges[i].length = len;
	}
	dmabuf = ioctl(vfio->device, VFIO_DEVICE_FEATURE, feature);
	igt_assert_f(dmabuf >= 0, "VFIO_DEVICE_FEATURE_DMA_BUF: %s\n",
		     strerror(errno));
	free(feature);
	return dmabuf;
}

/* vfio-pci's group interface needs an IOMMU. */
static void require_vfio(void)
{
	igt_require_f(iommu_is_on(),
		      "without an IOMMU a device has no VFIO group, and this kernel is built without CONFIG_VFIO_NOIOMMU\n");
}

#define VFIO_EXPORTER	"vfio_pci_core"

static void vfio_one_range(void)
{
	uint64_t start = 5 * SZ_1M + SZ_4K;
	struct vfio vfio;
	int dmabuf;

	require_vfio();
	vfio = open_vfio();
	dmabuf = export_vfio(&vfio, 1, start, SZ_1M, 0);
	import_from_stock(VFIO_EXPORTER, dmabuf, (char *)vfio.bar + start,
			  SZ_1M);
	close(dmabuf);
	close_vfio(&vfio);
}

/*
 * The attach succeeds but every map fails: vfio-pci maps with the stock kernel's
 * dma_buf_phys_vec_to_sgt(), which links each range at offset 0 of the IOVA.
 */
static void vfio_ranges(uint32_t count)
{
	int engine = open_device(&engine_device), dmabuf, err;
	uint32_t own = create_own(engine, SZ_64K), imported;
	struct vfio vfio;

	require_vfio();
	vfio = open_vfio();
	dmabuf = export_vfio(&vfio, count, 0, SZ_4K, SZ_64K);
	imported = import_buffer(engine, dmabuf);
	assert_attachment(VFIO_EXPORTER, engine_device.busid, "from-stock",
			  "sgt", 0, "sg_table only");
	fill_own(engine, own, SZ_64K, 3);
	memset(vfio.bar, 0x5a, SZ_1M);
	err = phyr_copy_run(engine, own, 0, imported, 0, count * SZ_4K);
	igt_assert_f(err == -EADDRINUSE,
		     "vfio-pci's map of %u ranges returned %d (%s), expected -EADDRINUSE, a known bug of dma_buf_phys_vec_to_sgt() in the stock kernel. If the kernel was fixed, change this test to verify the bytes\n",
		     count, err, strerror(-err));
	igt_info("the stock kernel's vfio-pci cannot map %u ranges behind an IOMMU; phyr returns its error: %s\n",
		 count, strerror(-err));
	igt_assert(phyr_verify_byte(vfio.bar, 0x5a, SZ_1M) < 0);
	assert_attachment(VFIO_EXPORTER, engine_device.busid, "from-stock",
			  "sgt", 0, "sg_table only");
	igt_assert_eq(phyr_close_handle(engine, imported), 0);
	close(dmabuf);
	wait_for_no_attachment(VFIO_EXPORTER, NULL);
	/* After the failure another import works. */
	dmabuf = export_vfio(&vfio, 1, 0, SZ_64K, 0);
	copy_bytes(engine, own, import_buffer(engine, dmabuf), SZ_64K);
	assert_bytes(vfio.bar, 3, 0, SZ_64K);
	close(dmabuf);
	close(engine);
	close_vfio(&vfio);
}

/*
 * vfio-pci revokes its dma-buf when the guest disables the BAR: the engine
 * unmaps, and DMA fails until the BAR is enabled again.
 */
static void vfio_revoked(void)
{
	int engine = open_device(&engine_device), dmabuf;
	struct vfio_region_info config = {
		.argsz = sizeof(config),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	uint32_t own = create_own(engine, SZ_64K), imported;
	uint16_t on, off;
	struct vfio vfio;

	require_vfio();
	vfio = open_vfio();
	igt_assert_eq(phyr_ioctl(vfio.device, VFIO_DEVICE_GET_REGION_INFO,
				 &config), 0);
	dmabuf = export_vfio(&vfio, 1, 0, SZ_64K, 0);
	imported = import_buffer(engine, dmabuf);
	fill_own(engine, own, SZ_64K, 4);
	copy_bytes(engine, own, imported, SZ_64K);
	assert_attachment(VFIO_EXPORTER, engine_device.busid, "from-stock",
			  "sgt", 1, "sg_table only");

	igt_assert_eq(pread(vfio.device, &on, 2, config.offset + 4), 2);
	off = on & ~2;
	igt_assert_eq(pwrite(vfio.device, &off, 2, config.offset + 4), 2);
	igt_assert_eq(phyr_copy_run(engine, own, 0, imported, 0, SZ_64K),
		      -ENODEV);
	igt_assert_eq(pwrite(vfio.device, &on, 2, config.offset + 4), 2);

	fill_own(engine, own, SZ_64K, 5);
	copy_bytes(engine, own, imported, SZ_64K);
	assert_bytes(vfio.bar, 5, 0, SZ_64K);
	close(dmabuf);
	close(engine);
	wait_for_no_attachment(VFIO_EXPORTER, NULL);
	close_vfio(&vfio);
}

/* Copy between two foreign buffers, with each engine. */
static void two_of_them(void)
{
	int src = create_udmabuf(SZ_1M), dst = create_udmabuf(SZ_1M);
	void *from = map_dmabuf(src, SZ_1M), *to = map_dmabuf(dst, SZ_1M);

	for (int i = 0; i < 2; i++) {
		int engine = open_copy(i);

		begin_cpu(src);
		phyr_fill(from, 6 + i, 0, SZ_1M);
		end_cpu(src);
		copy_bytes(engine, import_buffer(engine, src),
			   import_buffer(engine, dst), SZ_1M);
		begin_cpu(dst);
		assert_bytes(to, 6 + i, 0, SZ_1M);
		end_cpu(dst);
		close(engine);
	}
	unmap(from, SZ_1M);
	unmap(to, SZ_1M);
	close(src);
	close(dst);
}

/* Close both handles while the copy runs. */
static void closed_in_dma(void)
{
	int engine = open_device(&engine_device), dmabuf = create_udmabuf(SZ_1M);
	void *cpu = map_dmabuf(dmabuf, SZ_1M);
	struct drm_phyr_copy_submit submit = { .len = SZ_1M };
	struct drm_phyr_copy_gem_info info;

	submit.src_handle = create_own(engine, SZ_1M);
	submit.dst_handle = import_buffer(engine, dmabuf);
	igt_assert_eq(phyr_copy_gem_info(engine, submit.dst_handle, &info), 0);
	igt_assert_eq_u64(info.size, SZ_1M);
	igt_assert_eq(info.flags, DRM_PHYR_COPY_GEM_IMPORTED);
	fill_own(engine, submit.src_handle, SZ_1M, 8);
	igt_assert_eq(phyr_copy_submit(engine, &submit), 0);
	igt_assert_eq(phyr_close_handle(engine, submit.src_handle), 0);
	igt_assert_eq(phyr_close_handle(engine, submit.dst_handle), 0);
	begin_cpu(dmabuf);
	assert_bytes(cpu, 8, 0, SZ_1M);
	end_cpu(dmabuf);
	wait_for_no_attachment("udmabuf", NULL);
	unmap(cpu, SZ_1M);
	close(dmabuf);
	close(engine);
}

igt_main()
{
	igt_fixture() {
		bind_engines();
		engine_device = copy_device(0);
	}

	igt_describe("Import a udmabuf, that is pages of a memfd");
	igt_subtest("udmabuf")
		import_mappable("udmabuf", create_udmabuf(SZ_1M), SZ_1M);

	igt_describe("Import a buffer of the system dma-heap");
	igt_subtest("system-heap")
		system_heap();

	igt_describe("Import a dumb buffer of vgem");
	igt_subtest("vgem") {
		run_command("modprobe vgem");
		dumb("vgem", "drm");
	}

	igt_describe("Import a dumb buffer of virtio-gpu");
	igt_subtest("virtio-gpu") {
		run_command("modprobe virtio_gpu");
		dumb("virtio_gpu", "virtio_gpu");
	}

	igt_describe("Import vivid's MMAP buffer, exported by VIDIOC_EXPBUF");
	igt_subtest("vivid")
		vivid();

	igt_describe("Copy an image that vivid captured into VRAM");
	igt_subtest("vivid-frame")
		vivid_frame();

	igt_describe("Import one range of a BAR from vfio-pci: memory without pages");
	igt_subtest("vfio-pci")
		vfio_one_range();

	igt_describe("Import two ranges from vfio-pci, whose map fails behind an IOMMU");
	igt_subtest("vfio-pci-two-ranges")
		vfio_ranges(2);

	igt_describe("Import eight ranges from vfio-pci, whose map fails behind an IOMMU");
	igt_subtest("vfio-pci-many-ranges")
		vfio_ranges(8);

	igt_describe("vfio-pci revokes its BAR and enables it again");
	igt_subtest("vfio-pci-revoked")
		vfio_revoked();

	igt_describe("Copy between two foreign buffers, with each engine");
	igt_subtest("two-of-them")
		two_of_them();

	igt_describe("Close the handles while the engine copies");
	igt_subtest("closed-in-dma")
		closed_in_dma();
}

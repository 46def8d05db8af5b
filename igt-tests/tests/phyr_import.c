// SPDX-License-Identifier: MIT
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <linux/dma-buf.h>
#include <xf86drm.h>

#include "lib.h"

IGT_TEST_DESCRIPTION("An import that waits for the exporter's move holds up no other client of the device");

/*
 * Add the fence of a copy by the second engine, which hangs, to the dma-buf.
 * Return a sync_file with the fence.
 */
static int add_hung_fence(int dmabuf)
{
	struct phyr_device device = copy_device(1);
	struct dma_buf_import_sync_file import = { .flags = DMA_BUF_SYNC_WRITE };
	int engine = open_device(&device), sync_file;
	struct drm_phyr_copy_submit job;

	job = copy_job(create_own(engine, SZ_4K), create_own(engine, SZ_4K),
		       SZ_4K);
	igt_assert_eq(phyr_syncobj_create(engine, &job.out_syncobj), 0);
	igt_assert_eq(phyr_hang(&device, 1), 0);
	submit_job(engine, job);
	igt_assert_eq(drmSyncobjExportSyncFile(engine, job.out_syncobj,
					       &sync_file), 0);
	import.fd = sync_file;
	igt_assert_eq(phyr_ioctl(dmabuf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE,
				 &import), 0);
	close(engine);
	return sync_file;
}

/* The task sleeps in a wait for a fence. */
static bool waits_for_fence(pid_t pid)
{
	char path[64], text[128] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/wchan", pid);
	file = fopen(path, "re");
	igt_assert_f(file, "%s: %s\n", path, strerror(errno));
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	return strstr(text, "dma_fence");
}

/*
 * @importer cannot use the VRAM of @card, so the evictable buffer moves to
 * system memory when it is attached, which waits for the hung copy. Meanwhile
 * another client imports and exports.
 */
static void beside(const struct phyr_device *importer, int card)
{
	int vram = open_vram(card), other = open_device(importer), dmabuf, fence;
	int udmabuf = create_udmabuf(SZ_64K), status;
	uint32_t handle = create_vram(vram, SZ_1M, EVICTABLE, 0);
	pid_t pid;

	igt_assert_eq(vram_info(vram, handle).placement, IN_VRAM);
	dmabuf = export_buffer(vram, handle);
	fence = add_hung_fence(dmabuf);
	pid = fork();
	igt_assert(pid >= 0);
	if (!pid) {
		int fd = phyr_device_open(importer);

		_exit(fd < 0 || phyr_import(fd, dmabuf, &handle));
	}
	while (!waits_for_fence(pid)) {
		igt_assert_eq(phyr_sync_file_status(fence), 0);
		usleep(10000);
	}

	handle = import_buffer(other, udmabuf);
	igt_assert_eq(phyr_sync_file_status(fence), 0);
	igt_assert(waits_for_fence(pid));

	igt_assert_eq(waitpid(pid, &status, 0), pid);
	igt_assert_eq(status, 0);
	igt_assert_eq(phyr_sync_file_status(fence), -ETIMEDOUT);
	close(fence);
	close(dmabuf);
	close(udmabuf);
	close(other);
	close(vram);
}

/* A handle that exists is returned, whatever an import would say. */
static void again(void)
{
	int vram = open_vram(0), engine = open_copy(0), other = open_copy(0);
	uint32_t handle = create_vram(vram, SZ_64K, IN_VRAM, 0), imported, same;
	int dmabuf = export_buffer(vram, handle), own;

	imported = import_buffer(engine, dmabuf);
	igt_assert_eq(phyr_import(engine, dmabuf, &same), 0);
	igt_assert_eq(same, imported);
	igt_assert_eq(phyr_import(vram, dmabuf, &same), 0);
	igt_assert_eq(same, handle);
	own = export_buffer(engine, create_own(engine, SZ_4K));
	igt_assert_eq(phyr_import(other, own, &same), 0);
	copy_bytes(other, same, create_own(other, SZ_4K), SZ_4K);
	igt_assert_eq(try_import(engine, 0x7fffffff), -EBADF);
	close(own);
	close(dmabuf);
	close(other);
	close(engine);
	close(vram);
}

igt_main()
{
	igt_fixture()
		bind_engines();

	igt_describe("A card imports for others while an import of another card's buffer waits");
	igt_subtest("card") {
		struct phyr_device card = vram_device(0);

		beside(&card, 1);
	}

	igt_describe("An engine imports for others while an import of a buffer that it does not reach waits");
	igt_subtest("engine") {
		struct phyr_device engine = copy_device(0);
		int vram = open_vram(0);
		int dmabuf = create_dmabuf(vram, SZ_64K, 0);
		int err = try_import_into_engine(dmabuf);

		close(dmabuf);
		close(vram);
		igt_require_f(err == -EREMOTEIO,
			      "the engine reaches the VRAM (vm/run --vram 8G --iommu off)\n");
		beside(&engine, 0);
	}

	igt_describe("Importing a dma-buf again returns the same handle");
	igt_subtest("again")
		again();
}

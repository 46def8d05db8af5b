// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>
#include <linux/dma-buf.h>
#include <linux/sync_file.h>
#include <xf86drm.h>

#include "device.h"
#include "fence.h"

#define NSEC_PER_SEC	1000000000ll

int phyr_syncobj_create(int fd, uint32_t *syncobj)
{
	return drmSyncobjCreate(fd, 0, syncobj) ? -errno : 0;
}

void phyr_syncobj_destroy(int fd, uint32_t syncobj)
{
	drmSyncobjDestroy(fd, syncobj);
}

int phyr_syncobj_wait(int fd, uint32_t syncobj)
{
	struct timespec now;
	int64_t until;
	int ret;

	clock_gettime(CLOCK_MONOTONIC, &now);
	until = (now.tv_sec + PHYR_WAIT_SECONDS) * NSEC_PER_SEC + now.tv_nsec;
	ret = drmSyncobjWait(fd, &syncobj, 1, until,
			     DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT, NULL);
	if (ret)
		return ret;
	ret = phyr_syncobj_status(fd, syncobj);
	return ret < 0 ? ret : 0;
}

int phyr_syncobj_status(int fd, uint32_t syncobj)
{
	int sync_file, status;

	if (drmSyncobjExportSyncFile(fd, syncobj, &sync_file))
		return -errno;
	status = phyr_sync_file_status(sync_file);
	close(sync_file);
	return status;
}

int phyr_sync_file_status(int sync_file)
{
	struct sync_file_info info = { 0 };
	int err = phyr_ioctl(sync_file, SYNC_IOC_FILE_INFO, &info);

	return err ? err : info.status;
}

int phyr_dmabuf_sync_file(int dmabuf, bool write)
{
	struct dma_buf_export_sync_file export = {
		.flags = write ? DMA_BUF_SYNC_WRITE : DMA_BUF_SYNC_READ,
		.fd = -1,
	};
	int err = phyr_ioctl(dmabuf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &export);

	return err ? err : export.fd;
}

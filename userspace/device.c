// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <xf86drm.h>

#include "device.h"

#define MAX_DRM_DEVICES	64
#define IVSHMEM_VENDOR	0x1af4

int phyr_ioctl(int fd, unsigned long request, void *arg)
{
	return drmIoctl(fd, request, arg) ? -errno : 0;
}

static bool has_node(const drmDevice *drm, int type)
{
	return drm->available_nodes & (1 << type);
}

static bool driver_is(const char *node, const char *driver)
{
	int fd = open(node, O_RDWR | O_CLOEXEC);
	drmVersionPtr version;
	bool same = false;

	if (fd < 0)
		return false;
	version = drmGetVersion(fd);
	if (version) {
		same = !strcmp(version->name, driver);
		drmFreeVersion(version);
	}
	close(fd);
	return same;
}

static void describe(const drmDevice *drm, struct phyr_device *device)
{
	const drmPciBusInfo *pci = drm->businfo.pci;

	memset(device, 0, sizeof(*device));
	snprintf(device->busid, sizeof(device->busid), "%04x:%02x:%02x.%u",
		 pci->domain, pci->bus, pci->dev, pci->func & 7u);
	if (has_node(drm, DRM_NODE_PRIMARY))
		snprintf(device->primary, sizeof(device->primary), "%s",
			 drm->nodes[DRM_NODE_PRIMARY]);
	if (has_node(drm, DRM_NODE_RENDER))
		snprintf(device->render, sizeof(device->render), "%s",
			 drm->nodes[DRM_NODE_RENDER]);
	device->vendor = drm->deviceinfo.pci->vendor_id;
	device->device = drm->deviceinfo.pci->device_id;
}

static const char *best_node(const struct phyr_device *device)
{
	return device->render[0] ? device->render : device->primary;
}

/* Grows with the number of bridges between the root bus and the device. */
static int depth(const struct phyr_device *device)
{
	char link[64], path[PATH_MAX];
	int slashes = 0;

	snprintf(link, sizeof(link), "/sys/bus/pci/devices/%s", device->busid);
	if (!realpath(link, path))
		return 0;
	for (const char *p = path; *p; p++)
		slashes += *p == '/';
	return slashes;
}

static int by_rank(const void *left, const void *right)
{
	const struct phyr_device *a = left, *b = right;
	int rank = (a->vendor != IVSHMEM_VENDOR) - (b->vendor != IVSHMEM_VENDOR);

	if (!rank)
		rank = depth(b) - depth(a);
	return rank ? rank : strcmp(a->busid, b->busid);
}

int phyr_device_list(const char *driver, struct phyr_device *devices, int max)
{
	struct phyr_device found[MAX_DRM_DEVICES];
	drmDevicePtr drm[MAX_DRM_DEVICES];
	int total, nr = 0;

	total = drmGetDevices2(0, drm, MAX_DRM_DEVICES);
	if (total < 0)
		return total;
	for (int i = 0; i < total; i++) {
		if (drm[i]->bustype != DRM_BUS_PCI)
			continue;
		describe(drm[i], &found[nr]);
		if (driver_is(best_node(&found[nr]), driver))
			nr++;
	}
	drmFreeDevices(drm, total);
	qsort(found, nr, sizeof(*found), by_rank);
	if (max > 0)
		memcpy(devices, found,
		       (nr < max ? nr : max) * sizeof(*found));
	return nr;
}

int phyr_device_find(const char *driver, int index, struct phyr_device *device)
{
	struct phyr_device devices[MAX_DRM_DEVICES];
	int nr = phyr_device_list(driver, devices, MAX_DRM_DEVICES);

	if (nr < 0)
		return nr;
	if (index >= nr)
		return -ENODEV;
	*device = devices[index];
	return 0;
}

int phyr_device_open(const struct phyr_device *device)
{
	int fd = open(best_node(device), O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int phyr_open(const char *driver, int index)
{
	struct phyr_device device;
	int err = phyr_device_find(driver, index, &device);

	return err ? err : phyr_device_open(&device);
}

void phyr_device_debugfs(const struct phyr_device *device, const char *file,
			 char *path, size_t size)
{
	struct stat node;

	snprintf(path, size, "/sys/kernel/debug/dri/%s/%s", device->busid, file);
	if (!access(path, F_OK) || stat(device->primary, &node))
		return;
	snprintf(path, size, "/sys/kernel/debug/dri/%u/%s",
		 minor(node.st_rdev), file);
}

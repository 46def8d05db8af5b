/* SPDX-License-Identifier: MIT */
/* A device: a PCI card with a DRM node, found by its driver's name. */
#ifndef PHYR_DEVICE_H
#define PHYR_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#define PHYR_VRAM_DRIVER	"phyr_vram"
#define PHYR_COPY_DRIVER	"phyr_copy"

/**
 * struct phyr_device - a card of one of our drivers
 * @busid: PCI address, "0000:00:04.0"
 * @primary: path of the primary node
 * @render: path of the render node, "" where the driver has none
 * @vendor: PCI vendor id
 * @device: PCI device id
 */
struct phyr_device {
	char busid[16];
	char primary[32];
	char render[32];
	uint16_t vendor;
	uint16_t device;
};

/*
 * Cards of @driver in a constant order: first those whose VRAM is a file of
 * the host (ivshmem), then those behind most bridges, then by PCI address.
 * Returns how many there are, which may be more than @max, or -errno.
 */
int phyr_device_list(const char *driver, struct phyr_device *devices, int max);

/* The card of @driver at @index of that order; -ENODEV where there is none. */
int phyr_device_find(const char *driver, int index, struct phyr_device *device);

/* Open the render node where there is one. A file descriptor or -errno. */
int phyr_device_open(const struct phyr_device *device);

/* Find and open in one. */
int phyr_open(const char *driver, int index);

/* Path of one of the device's debugfs files (root only). */
void phyr_device_debugfs(const struct phyr_device *device, const char *file,
			 char *path, size_t size);

/* ioctl() that is repeated when a signal interrupts it; 0 or -errno. */
int phyr_ioctl(int fd, unsigned long request, void *arg);

#endif

/* SPDX-License-Identifier: MIT */
/* Devices: PCI cards with a DRM node, looked up by the name of their driver. */
#ifndef PHYR_DEVICE_H
#define PHYR_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#define PHYR_VRAM_DRIVER	"phyr_vram"
#define PHYR_COPY_DRIVER	"phyr_copy"

/**
 * struct phyr_device - a card of phyr_vram or phyr_copy
 * @busid: PCI address, "0000:00:04.0"
 * @primary: path of the primary node
 * @render: path of the render node, "" if the driver has none
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
 * List the cards of @driver in a fixed order: first ivshmem cards, whose VRAM
 * is a file on the host; then by number of bridges above the card, most first;
 * then by PCI address. Returns the number of cards, which may exceed @max, or
 * a negative errno.
 */
int phyr_device_list(const char *driver, struct phyr_device *devices, int max);

/* The card of @driver at @index of that order; -ENODEV if there is none. */
int phyr_device_find(const char *driver, int index, struct phyr_device *device);

/*
 * Open the render node, or the primary node if there is none. Returns a file
 * descriptor or a negative errno.
 */
int phyr_device_open(const struct phyr_device *device);

/* phyr_device_find() and phyr_device_open(). */
int phyr_open(const char *driver, int index);

/* Path of a debugfs file of the device; only root may open it. */
void phyr_device_debugfs(const struct phyr_device *device, const char *file,
			 char *path, size_t size);

/* ioctl(), restarted after a signal. Returns 0 or a negative errno. */
int phyr_ioctl(int fd, unsigned long request, void *arg);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Helpers that all tests share. Every helper asserts that it succeeds; try_*()
 * return 0 or a negative errno. Tests of failures use those, libphyr or the
 * ioctl itself.
 */
#ifndef PHYR_TESTS_LIB_H
#define PHYR_TESTS_LIB_H

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "igt.h"
#include "libphyr.h"
#include "phyr_test.h"

#define SZ_4K		0x1000ull
#define SZ_64K		0x10000ull
#define SZ_1M		0x100000ull
#define SZ_16M		0x1000000ull
#define SZ_4G		0x100000000ull
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define IN_VRAM		DRM_PHYR_VRAM_PLACE_VRAM
#define IN_SYSTEM	DRM_PHYR_VRAM_PLACE_SYSTEM
#define EVICTABLE	(IN_VRAM | IN_SYSTEM)

/* The guest's configuration, from PHYR_IOMMU and PHYR_TOPOLOGY and sysfs. */
bool iommu_is(const char *mode);
bool iommu_is_on(void);
bool is_on_switch(void);

/* Devices. */
struct phyr_device vram_device(int index);
/* The smallest card without a display. */
struct phyr_device small_vram_device(void);
struct phyr_device copy_device(int index);
int open_vram(int index);
int open_copy(int index);
int open_device(const struct phyr_device *device);
uint64_t vram_free(const struct phyr_device *device);
void wait_for_vram_free(const struct phyr_device *device, uint64_t bytes);
struct phyr_job last_job(const struct phyr_device *engine);

/* Buffers. */
uint32_t create_vram(int fd, uint64_t size, uint32_t placement,
		     uint64_t max_extent);
uint32_t create_own(int fd, uint64_t size);
/* A buffer of this process's memory; @flags: DRM_PHYR_COPY_USERPTR_*. */
uint32_t create_user(int fd, const void *mem, uint64_t size, uint32_t flags);
/* Bytes that this process has pinned. */
uint64_t pinned_bytes(void);
/* A worker unpins. */
void wait_for_pinned_bytes(uint64_t bytes);
struct drm_phyr_vram_gem_info vram_info(int fd, uint32_t handle);
int export_buffer(int fd, uint32_t handle);
uint32_t import_buffer(int fd, int dmabuf);
int try_import(int fd, int dmabuf);
/* By a new client of the first engine, which is closed again. */
int try_import_into_engine(int dmabuf);
uint32_t import_from(int fd, int exporter, uint32_t handle);
int create_dmabuf(int fd, uint64_t size, uint64_t max_extent);
/* A dma-buf of the first card, whose file is closed, in extents of a page. */
int create_fragmented(uint64_t size, uint32_t placement);

/**
 * struct card_buffer - a buffer of the first card, and both files to map it by
 * @vram: DRM node of the card
 * @handle: the buffer's handle in @vram
 * @dmabuf: the exported buffer
 */
struct card_buffer {
	int vram;
	uint32_t handle;
	int dmabuf;
};

struct card_buffer open_card_buffer(uint64_t size, uint32_t placement,
				    uint64_t max_extent);
void close_card_buffer(const struct card_buffer *buffer);

/* Bytes. */
void *map_vram(int fd, uint32_t handle, uint64_t size);
void *map_own(int fd, uint32_t handle, uint64_t size);
void *map_dmabuf(int dmabuf, uint64_t size);
void unmap(void *mem, uint64_t size);
void fill_vram(int fd, uint32_t handle, uint64_t size, uint64_t seed);
void fill_own(int fd, uint32_t handle, uint64_t size, uint64_t seed);
void assert_bytes(const void *mem, uint64_t seed, uint64_t offset,
		  uint64_t len);
void assert_zero(const void *mem, uint64_t len);
void assert_vram(int fd, uint32_t handle, uint64_t size, uint64_t seed);
void assert_own(int fd, uint32_t handle, uint64_t size, uint64_t seed);
void copy_bytes(int fd, uint32_t src, uint32_t dst, uint64_t len);
void copy_part(int fd, uint32_t src, uint64_t src_offset, uint32_t dst,
	       uint64_t dst_offset, uint64_t len);
/*
 * A copy of the first @len bytes of @src to @dst. The caller adds fences;
 * launch() submits it and does not wait.
 */
struct drm_phyr_copy_submit copy_job(uint32_t src, uint32_t dst, uint64_t len);
void submit_job(int fd, struct drm_phyr_copy_submit job);
/*
 * Submit @job and return a sync_file of its fence. Unlike a syncobj, it can be
 * asked after @fd is closed.
 */
int submit_for_fence(int fd, struct drm_phyr_copy_submit job);

/* The events that are pending, of @events. */
int poll_now(int fd, short events);
/* poll() of one file for at most @limit seconds, which signals do not end. */
int poll_again(struct pollfd *poll_fd, unsigned int limit);

/* A dma-buf of memfd pages; of those of a memfd from create_sealed_memfd(). */
int create_udmabuf(uint64_t size);
int create_udmabuf_of(int memfd, uint64_t size);
int create_sealed_memfd(uint64_t size);

/* Run @command in the shell and assert that it exits with 0. */
void run_command(const char *command);

/* Write @text to an existing file. */
void write_file(const char *path, const char *text);

/*
 * PCI devices by vendor, device and index; @busid has room for 16 characters.
 */
bool pci_find(const char *vendor, const char *device, int index, char *busid);
void pci_driver(const char *busid, char *driver, size_t size);
void pci_bind(const char *busid, const char *driver);

/*
 * Unbind a device or remove it from the bus; and bring it back and bind it to
 * @driver.
 */
enum removal { UNBIND, UNPLUG };
void remove_device(const char *busid, enum removal removal);
void restore_device(const char *busid, const char *driver, enum removal removal);

/*
 * The file that resets the card when "1" is written to it. Skips the subtest if
 * the card has no bus reset; only one that is alone behind its port has.
 */
void reset_path(const struct phyr_device *card, char *path, size_t size);

void bind_engines(void);

/* /dev/phyr_test, bound to edu and to the first or second ivshmem device. */
enum { FIRST_IVSHMEM, SECOND_IVSHMEM };
int open_phyr_test(int ivshmem);
uint64_t test_bar(int test);
int test_export(int test, uint32_t style, uint64_t start, uint64_t count,
		uint64_t len, int64_t stride);

/* Move a buffer to another placement (GEM_MOVE). */
void move_buffer(int fd, uint32_t handle, uint32_t placement);
int try_move_buffer(int fd, uint32_t handle, uint32_t placement);
/* Retry: pins end some time after the last job's fence or the flip's event. */
void move_when_unpinned(int fd, uint32_t handle, uint32_t placement);

/* Importers of /dev/phyr_test that stay attached. */
int try_hold(int test, int dmabuf, uint32_t kind, uint32_t unmap, uint32_t *id);
uint32_t hold_mapped(int test, int dmabuf, uint32_t kind, uint32_t unmap);
struct phyr_test_held held_now(int test, uint32_t id);
void release_held(int test, uint32_t id);

/*
 * Reload phyr_vram with module parameters such as "poison=1", and bind its
 * cards.
 */
void reload_vram(const char *parameters);

/* Number of live objects in the slab caches for kmalloc(@size). */
uint64_t kmalloc_objects(unsigned int size);
unsigned int open_files(void);
bool kasan_is_on(void);
int repeats(int times);
int chances(int times);

/* The function tracer and trace events. */
void trace_reset(void);
void trace_write(const char *file, const char *text);
void trace_append(const char *file, const char *text);
void trace_start(void);
void trace_stop(void);
/* Call @see for each line of the trace. */
void trace_each(void (*see)(char *line, void *data), void *data);

#endif

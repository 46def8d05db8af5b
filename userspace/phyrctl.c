// SPDX-License-Identifier: MIT
/*
 * phyrctl: inspect phyr devices and copy between their buffers
 *
 * A buffer is freed with its last reference, at the latest when the process
 * exits. Each command therefore creates the buffers it needs; "export" passes
 * one to the command that it runs.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "draw.h"
#include "error.h"
#include "libphyr.h"
#include "roundtrip.h"
#include "size.h"

#define MAX_DEVICES	16
#define DEFAULT_SEED	1
#define LIST_LINES	16

/**
 * struct buffer - a BUFFER of the command line
 * @spec: the argument, "vram:1M"
 * @size: bytes
 * @own: true if the copy engine allocated it
 * @id: id in the card's debugfs; 0 if no card allocated it
 * @handle: GEM handle of the copy engine if @own, else of the card
 * @card_fd: open node of the card, or -1
 * @dmabuf: the dma-buf, or -1
 */
struct buffer {
	const char *spec;
	uint64_t size;
	bool own;
	uint64_t id;
	uint32_t handle;
	int card_fd;
	int dmabuf;
};

static struct phyr_device card, engine;
static int engine_fd = -1;

static void open_engine(void)
{
	int err;

	if (engine_fd >= 0)
		return;
	err = phyr_device_find(PHYR_COPY_DRIVER, 0, &engine);
	if (err)
		fail("no device is bound to phyr_copy (%s); see 'phyrctl devices'",
		     strerror(-err));
	engine_fd = phyr_device_open(&engine);
	if (engine_fd < 0)
		fail("copy engine %s: %s", engine.busid, strerror(-engine_fd));
}

static void find_card(void)
{
	int err = phyr_device_find(PHYR_VRAM_DRIVER, 0, &card);

	if (err)
		fail("no device is bound to phyr_vram (%s); see 'phyrctl devices'",
		     strerror(-err));
}

static const char *create_error(int err)
{
	switch (err) {
	case -E2BIG:
		return "larger than the memory; choose a smaller SIZE";
	case -ENOSPC:
		return "VRAM is full; stop a program that uses it, or choose both:SIZE";
	case -ENOMEM:
		return "out of memory; choose a smaller SIZE";
	case -EINVAL:
		return "SIZE must be at least 1, EXTENT a power of two and at least 4K";
	}
	return strerror(-err);
}

static void parse_fd(struct buffer *buffer, const char *text)
{
	struct stat stat;
	uint64_t fd;
	off_t size;

	if (parse_size(text, &fd) || fd > 65535 || fstat(fd, &stat))
		fail("%s: '%s' is not an open file descriptor", buffer->spec, text);
	size = lseek(fd, 0, SEEK_END);
	if (size <= 0)
		fail("%s: file descriptor %s is not a dma-buf", buffer->spec, text);
	buffer->dmabuf = fd;
	buffer->size = size;
}

static void parse_sizes(const struct buffer *buffer, char *text,
			uint64_t *size, uint64_t *extent)
{
	char *colon = strchr(text, ':');

	*extent = 0;
	if (colon) {
		*colon = '\0';
		if (parse_size(colon + 1, extent))
			fail("%s: invalid EXTENT '%s'; examples: 4096, 64K, 1M",
			     buffer->spec, colon + 1);
	}
	if (parse_size(text, size))
		fail("%s: invalid SIZE '%s'; examples: 4096, 64K, 16M",
		     buffer->spec, text);
}

static void create_own(struct buffer *buffer)
{
	int err;

	open_engine();
	err = phyr_copy_create(engine_fd, buffer->size, &buffer->handle);
	if (err)
		fail("%s: cannot create the buffer: %s", buffer->spec,
		     create_error(err));
	buffer->own = true;
}

static void create_on_card(struct buffer *buffer, uint32_t placement,
			   uint64_t extent)
{
	struct drm_phyr_vram_gem_info info;
	int err;

	find_card();
	buffer->card_fd = phyr_device_open(&card);
	if (buffer->card_fd < 0)
		fail("card %s: %s", card.busid, strerror(-buffer->card_fd));
	err = phyr_vram_create(buffer->card_fd, buffer->size, placement, extent,
			       &buffer->handle);
	if (err)
		fail("%s: cannot create the buffer: %s", buffer->spec,
		     create_error(err));
	err = phyr_vram_gem_info(buffer->card_fd, buffer->handle, &info);
	if (err)
		fail("%s: cannot query the buffer: %s", buffer->spec, strerror(-err));
	buffer->id = info.id;
	buffer->size = info.size;
	buffer->dmabuf = phyr_export(buffer->card_fd, buffer->handle);
	if (buffer->dmabuf < 0)
		fail("%s: cannot export the buffer: %s", buffer->spec,
		     strerror(-buffer->dmabuf));
}

static const char spec_help[] =
"BUFFER is one of\n"
"  vram:SIZE[:EXTENT]    new buffer in VRAM, in extents of at most EXTENT\n"
"  both:SIZE[:EXTENT]    the same, but the kernel may evict it to system memory\n"
"  system:SIZE           new buffer in system memory, allocated by the card's driver\n"
"  own:SIZE              new buffer in system memory, allocated by the engine's driver\n"
"  fd:N                  dma-buf that is open as file descriptor N\n"
"SIZE, EXTENT, LEN and offsets are in bytes, or have a unit: 64K, 16M, 1G.\n";

static void get_buffer(struct buffer *buffer, const char *spec)
{
	static const struct {
		const char *name;
		uint32_t placement;
	} places[] = {
		{ "vram", DRM_PHYR_VRAM_PLACE_VRAM },
		{ "both", DRM_PHYR_VRAM_PLACE_VRAM | DRM_PHYR_VRAM_PLACE_SYSTEM },
		{ "system", DRM_PHYR_VRAM_PLACE_SYSTEM },
		{ "own", 0 },
	};
	char *kind = strdup(spec), *rest = strchr(kind, ':');
	uint64_t extent;

	*buffer = (struct buffer){ .spec = spec, .card_fd = -1, .dmabuf = -1 };
	if (rest) {
		*rest++ = '\0';
		if (!strcmp(kind, "fd")) {
			parse_fd(buffer, rest);
			free(kind);
			return;
		}
		for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
			if (strcmp(kind, places[i].name))
				continue;
			parse_sizes(buffer, rest, &buffer->size, &extent);
			free(kind);
			if (places[i].placement)
				create_on_card(buffer, places[i].placement,
					       extent);
			else
				create_own(buffer);
			return;
		}
	}
	fail("invalid BUFFER '%s': use vram:SIZE, both:SIZE, system:SIZE, own:SIZE or fd:N",
	     spec);
}

/* Import the buffer into the copy engine, unless it allocated it. */
static uint32_t engine_handle(const struct buffer *buffer)
{
	uint32_t handle;
	int err;

	open_engine();
	if (buffer->own)
		return buffer->handle;
	err = phyr_import(engine_fd, buffer->dmabuf, &handle);
	if (err == -EOPNOTSUPP)
		fail("%s: the copy engine imports only dma-bufs with a phyr list",
		     buffer->spec);
	if (err == -EREMOTEIO)
		fail("%s: the copy engine %s cannot reach this memory",
		     buffer->spec, engine.busid);
	if (err)
		fail("%s: the copy engine %s cannot import the buffer: %s", buffer->spec,
		     engine.busid, strerror(-err));
	return handle;
}

static void *map_buffer(const struct buffer *buffer, int prot)
{
	void *mem;

	if (buffer->own)
		mem = phyr_copy_mmap(engine_fd, buffer->handle, buffer->size,
				     prot);
	else
		mem = phyr_mmap(buffer->dmabuf, buffer->size, prot, 0);
	if (mem == MAP_FAILED)
		fail("%s: mmap of %" PRIu64 " bytes: %s", buffer->spec,
		     buffer->size, strerror(errno));
	return mem;
}

static void print_link(const char *busid, const char *name, const char *label)
{
	char path[256], target[256];
	ssize_t len;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%.15s/%s", busid,
		 name);
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0) {
		printf("  %s none", label);
		return;
	}
	target[len] = '\0';
	printf("  %s %s", label, strrchr(target, '/') + 1);
}

static void show_vram_size(const struct phyr_device *device)
{
	char size[SIZE_TEXT], left[SIZE_TEXT];
	struct drm_phyr_vram_info info;
	struct phyr_vram_dump dump;
	int fd = phyr_device_open(device), err;

	if (fd < 0)
		return;
	err = phyr_vram_info(fd, &info);
	close(fd);
	if (err)
		return;
	printf("  VRAM %s", format_size(info.vram_size, size));
	if (!phyr_vram_dump_read(device, &dump)) {
		printf(", %s free", format_size(dump.free, left));
		phyr_vram_dump_free(&dump);
	}
}

static int list_driver(const char *driver)
{
	struct phyr_device devices[MAX_DEVICES];
	int nr = phyr_device_list(driver, devices, MAX_DEVICES);

	if (nr < 0)
		fail("cannot list the devices of %s: %s", driver, strerror(-nr));
	for (int i = 0; i < nr && i < MAX_DEVICES; i++) {
		const struct phyr_device *device = &devices[i];

		printf("%s  %s  %04x:%04x  %s%s%s", device->busid, driver,
		       device->vendor, device->device, device->primary,
		       device->render[0] ? " " : "", device->render);
		print_link(device->busid, "iommu_group", "IOMMU group");
		if (!strcmp(driver, PHYR_VRAM_DRIVER))
			show_vram_size(device);
		putchar('\n');
	}
	return nr;
}

static int cmd_devices(int argc, char **argv)
{
	(void)argv;
	if (argc != 1)
		return -1;
	if (list_driver(PHYR_VRAM_DRIVER) + list_driver(PHYR_COPY_DRIVER) == 0)
		fail("no device is bound to phyr_vram or phyr_copy: load the modules, write the driver's name to the device's driver_override and the device's address to /sys/bus/pci/drivers_probe");
	return 0;
}

static int cmd_create(int argc, char **argv)
{
	struct drm_phyr_vram_gem_info info;
	char size[SIZE_TEXT];
	struct buffer buffer;

	if (argc != 2)
		return -1;
	get_buffer(&buffer, argv[1]);
	if (buffer.card_fd < 0) {
		printf("%s: %s\n", buffer.spec, format_size(buffer.size, size));
		return 0;
	}
	if (phyr_vram_gem_info(buffer.card_fd, buffer.handle, &info))
		fail("%s: cannot query the buffer", buffer.spec);
	printf("%s: buffer %llu on %s, %s in %s, %llu extents\n",
	       buffer.spec, info.id, card.busid, format_size(info.size, size),
	       info.placement == DRM_PHYR_VRAM_PLACE_VRAM ? "VRAM" : "system memory",
	       info.extents);
	return 0;
}

static int cmd_export(int argc, char **argv)
{
	struct buffer buffer;
	int first = 2;

	if (argc > first && !strcmp(argv[first], "--"))
		first++;
	if (argc <= first)
		return -1;
	get_buffer(&buffer, argv[1]);
	if (buffer.dmabuf < 0)
		fail("%s: buffers of the copy engine cannot be exported; use vram:SIZE",
		     buffer.spec);
	if (dup2(buffer.dmabuf, 3) != 3 || fcntl(3, F_SETFD, 0))
		fail("%s: dup2 to 3: %s", buffer.spec, strerror(errno));
	execvp(argv[first], argv + first);
	fail("cannot run '%s': %s", argv[first], strerror(errno));
}

static uint64_t size_argument(const char *name, const char *text)
{
	uint64_t size;

	if (parse_size(text, &size))
		fail("invalid %s '%s'; examples: 4096, 64K, 16M",
		     name, text);
	return size;
}

static int cmd_copy(int argc, char **argv)
{
	uint64_t src_offset, dst_offset, len;
	uint32_t src_handle, dst_handle;
	struct buffer src, dst;
	uint8_t *src_mem, *dst_mem;
	char size[SIZE_TEXT];
	bool is_new;
	int err;

	if (argc != 3 && argc != 6)
		return -1;
	get_buffer(&src, argv[1]);
	get_buffer(&dst, argv[2]);
	len = argc == 6 ? size_argument("LEN", argv[3]) :
	      src.size < dst.size ? src.size : dst.size;
	src_offset = argc == 6 ? size_argument("SRC-OFFSET", argv[4]) : 0;
	dst_offset = argc == 6 ? size_argument("DST-OFFSET", argv[5]) : 0;
	is_new = src.id || src.own;
	src_mem = map_buffer(&src, is_new ? PROT_READ | PROT_WRITE : PROT_READ);
	if (is_new)
		phyr_fill(src_mem, DEFAULT_SEED, 0, src.size);
	src_handle = engine_handle(&src);
	dst_handle = engine_handle(&dst);
	err = phyr_copy_run(engine_fd, src_handle, src_offset, dst_handle,
			    dst_offset, len);
	if (err == -EINVAL)
		fail("cannot copy %" PRIu64 " bytes from offset %" PRIu64
		     " of %s (%" PRIu64 " bytes) to offset %" PRIu64
		     " of %s (%" PRIu64
		     " bytes): LEN must be at least 1, and both ranges must lie within their buffers",
		     len, src_offset, src.spec, src.size, dst_offset, dst.spec,
		     dst.size);
	if (err)
		fail("copy from %s to %s: %s", src.spec, dst.spec,
		     strerror(-err));
	dst_mem = map_buffer(&dst, PROT_READ);
	if (memcmp(src_mem + src_offset, dst_mem + dst_offset, len))
		fail("copy from %s to %s: the copied bytes differ from the source",
		     src.spec, dst.spec);
	printf("%s copied from %s to %s and verified\n", format_size(len, size),
	       src.spec, dst.spec);
	return 0;
}

static int cmd_verify(int argc, char **argv)
{
	struct buffer buffer;
	int64_t at;

	if (argc != 2 && argc != 3)
		return -1;
	get_buffer(&buffer, argv[1]);
	at = phyr_verify(map_buffer(&buffer, PROT_READ),
			 argc == 3 ? size_argument("SEED", argv[2]) :
				     DEFAULT_SEED, 0, buffer.size);
	if (at >= 0)
		fail("%s: wrong byte at offset %" PRId64, buffer.spec, at);
	printf("%s: %" PRIu64 " bytes verified\n", buffer.spec, buffer.size);
	return 0;
}

static int cmd_map(int argc, char **argv)
{
	struct drm_phyr_copy_gem_info info;
	struct phyr_ranges_dump ranges;
	struct drm_phyr_copy_info limits;
	struct phyr_list_dump list;
	struct phyr_vram_dump vram;
	struct buffer buffer;
	uint32_t handle, own;
	int err;

	if (argc != 2)
		return -1;
	if (geteuid())
		fail("map: permission denied: only root may see addresses");
	get_buffer(&buffer, argv[1]);
	if (!buffer.id)
		fail("%s: the card did not allocate this buffer; use vram:SIZE[:EXTENT]",
		     buffer.spec);
	handle = engine_handle(&buffer);
	err = phyr_copy_info(engine_fd, &limits);
	if (err)
		fail("copy engine %s: %s", engine.busid, strerror(-err));
	if (buffer.size > limits.max_len)
		fail("%s: the copy engine maps at most %" PRIu64 " bytes at once; choose a smaller SIZE",
		     buffer.spec, (uint64_t)limits.max_len);
	/* The first copy maps the buffer. */
	err = phyr_copy_create(engine_fd, buffer.size, &own);
	if (!err)
		err = phyr_copy_run(engine_fd, handle, 0, own, 0, buffer.size);
	if (err)
		fail("%s: copy failed: %s", buffer.spec, strerror(-err));
	err = phyr_copy_gem_info(engine_fd, handle, &info);
	if (!err)
		err = phyr_vram_dump_read(&card, &vram);
	if (!err)
		err = phyr_list_dump_read(&card, buffer.id, &list);
	if (!err)
		err = phyr_ranges_dump_read(&engine, info.id, &ranges);
	if (err)
		fail("map: cannot read debugfs: %s", strerror(-err));

	draw_heading("VRAM of %s", card.busid);
	draw_vram(&vram, buffer.id);
	draw_heading("Buffer %" PRIu64 ": %zu extents; %s has %zu DMA range%s, mode '%s'",
		     buffer.id, list.nr, engine.busid, ranges.nr,
		     ranges.nr == 1 ? "" : "s", ranges.mode);
	draw_lists(&list, &ranges);
	draw_vecs(&list, LIST_LINES);
	draw_ranges(&ranges, LIST_LINES);
	return 0;
}

/* @run returns the exit status, or -1 for wrong usage. */
static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *arguments;
	const char *help;
} commands[] = {
	{ "devices", cmd_devices, "",
	  "Lists the devices of phyr_vram and phyr_copy: PCI address, driver, PCI ids, DRM\n"
	  "nodes, IOMMU group, size of VRAM.\n" },
	{ "create", cmd_create, "BUFFER",
	  "Creates a buffer and prints its size, place and number of extents. The buffer is\n"
	  "freed when phyrctl exits.\n" },
	{ "export", cmd_export, "BUFFER -- COMMAND [ARG...]",
	  "Creates a buffer and runs COMMAND with the buffer's dma-buf as file descriptor 3:\n"
	  "  phyrctl export vram:16M:64K -- phyrctl copy own:16M fd:3\n" },
	{ "copy", cmd_copy, "SRC DST [LEN SRC-OFFSET DST-OFFSET]",
	  "Copies LEN bytes (default: the size of the smaller buffer) from BUFFER SRC to\n"
	  "BUFFER DST by DMA of the copy engine. The CPU then compares both. A new SRC is\n"
	  "first filled with the pattern that 'verify' expects. Fails if a range exceeds its\n"
	  "buffer, if the engine cannot reach the memory, or if the engine hangs.\n" },
	{ "verify", cmd_verify, "BUFFER [SEED]",
	  "Reads the buffer by the CPU and checks for the pattern of SEED (default 1).\n" },
	{ "map", cmd_map, "BUFFER",
	  "Draws VRAM, and the buffer's phyr list above the copy engine's dma_range list.\n"
	  "Requires root, since it prints addresses.\n" },
	{ "demo", roundtrip, "[--wait SECONDS] [--out DIR]",
	  "Copies 16 MiB to VRAM and back and verifies it; see phyrctl demo --help.\n" },
};

#define NR_COMMANDS	(sizeof(commands) / sizeof(*commands))

static void usage(FILE *file)
{
	fputs("usage: phyrctl COMMAND [ARGUMENTS]\n"
	      "       phyrctl COMMAND --help\n\n",
	      file);
	for (size_t i = 0; i < NR_COMMANDS; i++)
		fprintf(file, "  %-8s %s\n", commands[i].name,
			commands[i].arguments);
	fprintf(file, "\n%s", spec_help);
	fputs("\nExit status: 0 on success, 1 on failure, 2 for wrong usage.\n",
	      file);
}

static void command_usage(const struct command *command, FILE *file)
{
	fprintf(file, "usage: phyrctl %s %s\n\n%s", command->name,
		command->arguments, command->help);
	if (strstr(command->arguments, "BUFFER") ||
	    strstr(command->arguments, "SRC"))
		fprintf(file, "\n%s", spec_help);
}

int main(int argc, char **argv)
{
	int status;

	draw_init();
	if (argc < 2) {
		usage(stderr);
		return 2;
	}
	if (!strcmp(argv[1], "--help")) {
		usage(stdout);
		return 0;
	}
	for (size_t i = 0; i < NR_COMMANDS; i++) {
		if (strcmp(argv[1], commands[i].name))
			continue;
		if (argc > 2 && !strcmp(argv[2], "--help") &&
		    commands[i].run != roundtrip) {
			command_usage(&commands[i], stdout);
			return 0;
		}
		status = commands[i].run(argc - 1, argv + 1);
		if (status < 0) {
			command_usage(&commands[i], stderr);
			return 2;
		}
		return status;
	}
	fprintf(stderr, "phyrctl: unknown command '%s'\n\n", argv[1]);
	usage(stderr);
	return 2;
}

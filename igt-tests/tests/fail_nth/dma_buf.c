// SPDX-License-Identifier: MIT
/* Other calls on a dma-buf; and unbinding the card under importers. */
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <stdio.h>
#include <string.h>

#include "stage.h"
#include "traffic.h"

static void setup_movable(const void *data)
{
	setup_import(data);
	stage.held.id = hold_mapped(stage.test, stage.dmabuf, PHYR_TEST_NATIVE,
				    PHYR_TEST_UNMAP_LATE);
	stage.other = hold_mapped(stage.test, stage.dmabuf, PHYR_TEST_REVOCABLE,
				  PHYR_TEST_UNMAP_NOW);
	stage.imported = import_buffer(stage.copy, stage.dmabuf);
	copy_bytes(stage.copy, stage.imported, stage.witness_out, SIZE);
}

static void setup_movable_back(const void *data)
{
	setup_movable(data);
	move_buffer(stage.vram, stage.handle, IN_SYSTEM);
}

static void release_importers(void)
{
	struct phyr_test_held held = { .id = stage.other };

	copy_bytes(stage.copy, stage.imported, stage.witness_out, SIZE);
	assert_bytes(stage.out_mem, SEED, 0, SIZE);
	igt_assert_eq(phyr_ioctl(stage.test, PHYR_TEST_IOC_MAP, &held), 0);
	igt_assert_eq(phyr_close_handle(stage.copy, stage.imported), 0);
	release_held(stage.test, stage.held.id);
	release_held(stage.test, stage.other);
	close(stage.dmabuf);
}

static void verify_movable_out(const void *data, int result)
{
	release_importers();
	verify_moved_out(data, result);
}

static void verify_movable_back(const void *data, int result)
{
	release_importers();
	verify_moved_in(data, result);
}

static int sync_for_cpu(const void *data)
{
	struct dma_buf_sync sync = {
		.flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW,
	};
	int err = phyr_ioctl(stage.dmabuf, DMA_BUF_IOCTL_SYNC, &sync);

	(void)data;
	sync.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW;
	return err ? err : phyr_ioctl(stage.dmabuf, DMA_BUF_IOCTL_SYNC, &sync);
}

static int export_fences(const void *data)
{
	(void)data;
	return as_fd(phyr_dmabuf_sync_file(stage.dmabuf, true), &stage.other);
}

static void verify_closed(const void *data, int result)
{
	(void)result;
	close(stage.dmabuf);
	verify_buffer(data, result);
}

static void verify_fences(const void *data, int result)
{
	if (!result)
		close(stage.other);
	verify_closed(data, result);
}

/* Restore the word that vmap writes. */
static int vmap_kernel(const void *data)
{
	struct phyr_test_vmap vmap = { .fd = stage.dmabuf, .fill = 0x5a5a5a5a };

	(void)data;
	return phyr_ioctl(stage.test, PHYR_TEST_IOC_VMAP, &vmap);
}

static int vmap_dmabuf(const void *data)
{
	struct phyr_test_vmap vmap = { .fd = stage.dmabuf, .fill = 0x5a5a5a5a };

	(void)data;
	return phyr_ioctl(stage.test, PHYR_TEST_IOC_DMABUF_VMAP, &vmap);
}

static void verify_vmapped(const void *data, int result)
{
	fill_vram(stage.vram, stage.handle, SIZE, SEED);
	verify_closed(data, result);
}

static int import_once(uint32_t api)
{
	struct phyr_test_range ranges[2 * EXTENTS];
	struct phyr_test_import import = {
		.fd = stage.dmabuf,
		.api = api,
		.iterations = 1,
		.max_ranges = ARRAY_SIZE(ranges),
		.ranges = (uintptr_t)ranges,
	};

	return phyr_ioctl(stage.test, PHYR_TEST_IOC_IMPORT, &import);
}

static int import_native(const void *data)
{
	(void)data;
	return import_once(PHYR_TEST_API_PHYR);
}

static int import_stock(const void *data)
{
	(void)data;
	return import_once(PHYR_TEST_API_STOCK);
}

static int export_extents(const void *data)
{
	struct phyr_test_export export = {
		.style = PHYR_TEST_STYLE_PHYR,
		.fd = -1,
		.count = EXTENTS,
		.len = SZ_4K,
		.stride = 2 * SZ_4K,
	};
	int err = phyr_ioctl(stage.test, PHYR_TEST_IOC_EXPORT, &export);

	(void)data;
	stage.dmabuf = export.fd;
	return err;
}

static void verify_export(const void *data, int result)
{
	if (!result)
		close(stage.dmabuf);
	verify_works(data, result);
}

/* More entries than a list can hold without an extra chunk. */
static int check_list(const void *data)
{
	struct phyr_test_range vecs[600];
	struct phyr_test_check check = {
		.vecs = (uintptr_t)vecs,
		.nr = ARRAY_SIZE(vecs),
		.size = ARRAY_SIZE(vecs) * SZ_4K,
	};

	(void)data;
	/* Descending, so that the check must sort. */
	for (unsigned int i = 0; i < ARRAY_SIZE(vecs); i++) {
		vecs[i].addr = (ARRAY_SIZE(vecs) - i) * 2 * SZ_4K;
		vecs[i].len = SZ_4K;
	}
	return phyr_ioctl(stage.test, PHYR_TEST_IOC_CHECK, &check);
}

void sweep_dma_buf(void)
{
	const struct fail_nth_call calls[] = {
		{ "dma-buf move out", setup_movable, move_out,
		  verify_movable_out, .data = &movable },
		{ "dma-buf move in", setup_movable_back, move_in,
		  verify_movable_back, .data = &movable },
		{ "dma-buf begin and end CPU access", setup_import,
		  sync_for_cpu, verify_closed, .data = &pieces },
		{ "dma-buf export sync file", setup_import, export_fences,
		  verify_fences, .data = &pieces },
		{ "kernel vmap, pieces", setup_import, vmap_kernel,
		  verify_vmapped, .data = &pieces },
		{ "kernel vmap, system memory", setup_import, vmap_kernel,
		  verify_vmapped, .data = &in_system },
		{ "dma-buf vmap", setup_import, vmap_dmabuf, verify_vmapped,
		  .data = &movable },
		{ "import native", setup_import, import_native, verify_closed,
		  .data = &pieces },
		{ "import stock", setup_import, import_stock, verify_closed,
		  .data = &pieces },
		{ "export extents", NULL, export_extents, verify_export,
		  .data = NULL },
		{ "check list", NULL, check_list, verify_works,
		  .data = NULL },
	};

	sweep_all(calls, ARRAY_SIZE(calls));
}

/* The card is unbound and bound again */

static int card_file = -1;

void open_card_file(const char *file)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/" PHYR_VRAM_DRIVER
		 "/%s", file);
	card_file = open(path, O_WRONLY | O_CLOEXEC);
	igt_assert_f(card_file >= 0, "%s: %s\n", path, strerror(errno));
}

int write_card_file(const void *data)
{
	(void)data;
	return as_errno(write(card_file, stage.card.busid,
			      strlen(stage.card.busid)) < 0 ? -1 : 0);
}

void close_card_file(void)
{
	close(card_file);
}

static void setup_revoke(const void *data)
{
	stage.vram = open_device(&stage.card);
	setup_import(data);
	stage.held.id = hold_mapped(stage.test, stage.dmabuf, PHYR_TEST_NATIVE,
				    PHYR_TEST_UNMAP_LATE);
	stage.other = hold_mapped(stage.test, stage.dmabuf, PHYR_TEST_REVOCABLE,
				  PHYR_TEST_UNMAP_NOW);
	stage.mem = map_vram(stage.vram, stage.handle, SIZE);
	phyr_fill(stage.mem, SEED, 0, SIZE);
	open_card_file("unbind");
}

/*
 * The mapping and the importers are revoked, and the card can be bound again.
 */
static void verify_revoked(const void *data, int result)
{
	struct phyr_test_held held = { .id = stage.held.id };

	(void)data;
	/* The sysfs file itself may fail before it calls the driver. */
	if (result)
		assert_bytes(stage.mem, SEED, 0, SIZE);
	else
		assert_dummy(stage.mem, SIZE);
	if (!result) {
		igt_assert_eq(phyr_ioctl(stage.test, PHYR_TEST_IOC_MAP, &held),
			      -ENODEV);
		held.id = stage.other;
		igt_assert_eq(phyr_ioctl(stage.test, PHYR_TEST_IOC_MAP, &held),
			      -ENODEV);
	}
	unmap(stage.mem, SIZE);
	release_held(stage.test, stage.held.id);
	release_held(stage.test, stage.other);
	close(stage.dmabuf);
	close(stage.vram);
	close_card_file();
	if (!result)
		pci_bind(stage.card.busid, PHYR_VRAM_DRIVER);
}

void sweep_revocation(void)
{
	const struct fail_nth_call call = {
		"revoke", setup_revoke, write_card_file, verify_revoked,
		.data = &movable,
	};

	clear_stage();
	stage.test = open_phyr_test(SECOND_IVSHMEM);
	fail_nth_sweep(&call);
	close(stage.test);
	set_stage();
	assert_works();
}

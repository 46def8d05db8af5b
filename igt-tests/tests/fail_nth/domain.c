// SPDX-License-Identifier: MIT
/* An IOMMU domain of the importer: attach, map, move, unmap, revoke, detach. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "phyr_domain.h"
#include "stage.h"

/*
 * Another IOVA for each map, so that each needs new page tables, for its first
 * half and for its second: what is mapped already must go when that fails.
 */
#define FIRST_IOVA	(0x40200000ull - SIZE / 2)
#define IOVA_STRIDE	(4 * SZ_1M)

static int domain = -1;
static char busid[20];
static struct phyr_domain_attach attached;
static struct phyr_domain_map mapped;
static uint64_t next_iova = FIRST_IOVA;

static int call_attach(const void *data)
{
	(void)data;
	attached = (struct phyr_domain_attach){ .fd = stage.dmabuf };
	return phyr_ioctl(domain, PHYR_DOMAIN_IOC_ATTACH, &attached);
}

static int call_detach(const void *data)
{
	(void)data;
	return phyr_ioctl(domain, PHYR_DOMAIN_IOC_DETACH, &attached);
}

static int call_map(const void *data)
{
	(void)data;
	mapped = (struct phyr_domain_map){
		.id = attached.id,
		.prot = PHYR_DOMAIN_READ | PHYR_DOMAIN_WRITE,
		.len = SIZE,
		.iova = next_iova,
	};
	next_iova += IOVA_STRIDE;
	return phyr_ioctl(domain, PHYR_DOMAIN_IOC_MAP, &mapped);
}

static int call_unmap(const void *data)
{
	struct phyr_domain_unmap args = { .id = attached.id, .map = mapped.map };

	(void)data;
	return phyr_ioctl(domain, PHYR_DOMAIN_IOC_UNMAP, &args);
}

/* All mappings of the file */
static int call_unmap_all(const void *data)
{
	struct phyr_domain_unmap args = { 0 };

	(void)data;
	return phyr_ioctl(domain, PHYR_DOMAIN_IOC_UNMAP, &args);
}

static int call_space(const void *data)
{
	(void)data;
	return phyr_ioctl(domain, PHYR_DOMAIN_IOC_SPACE, NULL);
}

static void setup_exported(const void *data)
{
	setup_buffer(data);
	stage.dmabuf = export_buffer(stage.vram, stage.handle);
}

static void setup_attached(const void *data)
{
	setup_exported(data);
	igt_assert_eq(call_attach(data), 0);
}

static void setup_mapped(const void *data)
{
	setup_attached(data);
	igt_assert_eq(call_map(data), 0);
}

/* The last time at the IOVA of @mapped, the others before it */
#define OFTEN	3

static void setup_mapped_often(const void *data)
{
	setup_mapped(data);
	for (int i = 1; i < OFTEN; i++)
		igt_assert_eq(call_map(data), 0);
}

static void setup_revoke(const void *data)
{
	stage.vram = open_device(&stage.card);
	setup_mapped(data);
	open_card_file("unbind");
}

/* All pages at the IOVA of the last map are the buffer's, or none is mapped. */
static void assert_pages(bool all)
{
	struct phyr_test_translated args = {
		.fd = stage.dmabuf,
		.iova = mapped.iova,
		.len = SIZE,
	};

	snprintf(args.busid, sizeof(args.busid), "%s", busid);
	igt_assert_eq(phyr_ioctl(stage.test, PHYR_TEST_IOC_TRANSLATED, &args),
		      0);
	igt_assert_eq_u64(args.same, all ? EXTENTS : 0);
	igt_assert_eq_u64(args.unmapped, all ? 0 : EXTENTS);
}

static void end_exported(void)
{
	close(stage.dmabuf);
	igt_assert_eq(phyr_close_handle(stage.vram, stage.handle), 0);
	assert_works();
}

static void verify_attached(const void *data, int result)
{
	if (result)
		igt_assert_eq(call_attach(data), 0);
	igt_assert_eq(call_detach(data), 0);
	end_exported();
}

/* A map that fails leaves nothing mapped. */
static void verify_mapped(const void *data, int result)
{
	if (result) {
		assert_pages(false);
		igt_assert_eq(call_map(data), 0);
	}
	assert_pages(true);
	igt_assert_eq(call_unmap(data), 0);
	assert_pages(false);
	verify_attached(data, 0);
}

static void verify_unmapped(const void *data, int result)
{
	igt_assert_eq(result, 0);
	assert_pages(false);
	verify_attached(data, 0);
}

static void verify_unmapped_all(const void *data, int result)
{
	igt_assert_eq(result, 0);
	for (int i = 0; i < OFTEN; i++) {
		assert_pages(false);
		mapped.iova -= IOVA_STRIDE;
	}
	verify_attached(data, 0);
}

static void verify_detached(const void *data, int result)
{
	(void)data;
	igt_assert_eq(result, 0);
	assert_pages(false);
	end_exported();
}

static void verify_space(const void *data, int result)
{
	if (result)
		igt_assert_eq(call_space(data), 0);
}

/* The sysfs file itself may fail before it calls the driver. */
static void verify_revoked(const void *data, int result)
{
	assert_pages(result);
	igt_assert_eq(call_unmap(data), 0);
	assert_pages(false);
	igt_assert_eq(call_map(data), result ? 0 : -ENODEV);
	igt_assert_eq(call_detach(data), 0);
	assert_pages(false);
	close(stage.dmabuf);
	close(stage.vram);
	close_card_file();
	if (!result)
		pci_bind(stage.card.busid, PHYR_VRAM_DRIVER);
}

static void sweep_revoke(void)
{
	const struct fail_nth_call call = {
		"domain revoke", setup_revoke, write_card_file, verify_revoked,
		.data = &pieces,
	};

	clear_stage();
	stage.test = open_phyr_test(SECOND_IVSHMEM);
	fail_nth_sweep(&call);
	close(stage.test);
	set_stage();
	assert_works();
}

/* A move that fails may have unmapped or not. */
static void verify_moved_mapped(const void *data, int result)
{
	if (!result)
		assert_pages(false);
	igt_assert_eq(call_unmap(data), 0);
	assert_pages(false);
	igt_assert_eq(call_map(data), 0);
	verify_mapped(data, 0);
}

void sweep_domain(void)
{
	const struct fail_nth_call calls[] = {
		{ "domain space", NULL, call_space, verify_space,
		  .data = NULL },
		{ "domain attach, VRAM", setup_exported, call_attach,
		  verify_attached, .data = &pieces },
		{ "domain attach, movable", setup_exported, call_attach,
		  verify_attached, .data = &movable },
		{ "domain map, VRAM", setup_attached, call_map,
		  verify_mapped, .data = &pieces },
		{ "domain map, system memory", setup_attached, call_map,
		  verify_mapped, .data = &in_system },
		{ "domain move", setup_mapped, move_out, verify_moved_mapped,
		  .data = &movable },
		{ "domain unmap", setup_mapped, call_unmap, verify_unmapped,
		  .data = &pieces },
		{ "domain unmap together", setup_mapped_often, call_unmap_all,
		  verify_unmapped_all, .data = &pieces },
		{ "domain detach", setup_attached, call_detach,
		  verify_detached, .data = &pieces },
	};
	char driver[64];

	igt_require_f(!iommu_is("off"), "there is no IOMMU\n");
	run_command("modprobe phyr_domain");
	igt_assert_f(pci_find("0x1000", "0x0012", 1, busid), "no second LSI\n");
	pci_driver(busid, driver, sizeof(driver));
	pci_bind(busid, "phyr_domain");
	domain = open("/dev/phyr_domain", O_RDWR | O_CLOEXEC);
	igt_assert_f(domain >= 0, "/dev/phyr_domain: %s\n", strerror(errno));
	/* assert_pages() of a buffer that was never mapped */
	mapped.iova = FIRST_IOVA;
	sweep_all(calls, ARRAY_SIZE(calls));
	sweep_revoke();
	close(domain);
	if (driver[0])
		pci_bind(busid, driver);
	run_command("rmmod phyr_domain");
}

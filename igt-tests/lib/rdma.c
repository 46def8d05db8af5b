// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "rdma.h"

int rdma = -1;

void open_rdma(void)
{
	char busid[16];

	igt_require_f(!system("modinfo " RDMA_DRIVER " >/dev/null 2>&1"),
		      "the kernel has no RDMA core (CONFIG_INFINIBAND_USER_MEM)\n");
	run_command("modprobe " RDMA_DRIVER);
	igt_assert_f(pci_find("0x1000", "0x0012", 1, busid), "no second LSI\n");
	pci_bind(busid, RDMA_DRIVER);
	rdma = open("/dev/phyr_rdma", O_RDWR | O_CLOEXEC);
	igt_assert_f(rdma >= 0, "/dev/phyr_rdma: %s\n", strerror(errno));
}

void bind_rdma_edu(void)
{
	char busid[16];

	igt_assert_f(pci_find("0x1234", "0x11e8", 0, busid), "no edu\n");
	pci_bind(busid, RDMA_DRIVER);
}

struct phyr_rdma_reg region_part(int dmabuf, uint32_t kind, uint64_t offset,
				 uint64_t len)
{
	return (struct phyr_rdma_reg){
		.fd = dmabuf,
		.kind = kind,
		.device = PHYR_RDMA_LSI,
		.offset = offset,
		.len = len,
		.page_sizes = ALL_PAGE_SIZES,
	};
}

int try_register_region(struct phyr_rdma_reg *reg)
{
	return phyr_ioctl(rdma, PHYR_RDMA_IOC_REG, reg);
}

uint32_t register_region(int dmabuf, uint32_t kind, uint64_t len)
{
	struct phyr_rdma_reg reg = region_part(dmabuf, kind, 0, len);

	igt_assert_eq(try_register_region(&reg), 0);
	return reg.id;
}

int try_deregister_region(uint32_t id)
{
	struct phyr_rdma_region region = { .id = id };

	return phyr_ioctl(rdma, PHYR_RDMA_IOC_DEREG, &region);
}

void deregister_region(uint32_t id)
{
	igt_assert_eq(try_deregister_region(id), 0);
}

struct phyr_rdma_region region_state(uint32_t id)
{
	struct phyr_rdma_region region = { .id = id };

	igt_assert_eq(phyr_ioctl(rdma, PHYR_RDMA_IOC_REGION, &region), 0);
	return region;
}

int try_region_dma(uint32_t id, bool write, void *bytes, uint64_t offset,
		   uint64_t len)
{
	struct phyr_rdma_dma dma = {
		.id = id,
		.write = write,
		.offset = offset,
		.len = len,
		.user = (uintptr_t)bytes,
	};

	return phyr_ioctl(rdma, PHYR_RDMA_IOC_DMA, &dma);
}

void assert_region_dma(uint32_t id, uint64_t seed, uint64_t at, uint64_t len)
{
	uint8_t *bytes = malloc(PHYR_RDMA_MAX_LEN);

	igt_assert(bytes);
	for (uint64_t done = 0, piece; done < len; done += piece) {
		piece = len - done < PHYR_RDMA_MAX_LEN ? len - done :
							 PHYR_RDMA_MAX_LEN;
		memset(bytes, 0xee, piece);
		igt_assert_eq(try_region_dma(id, false, bytes, done, piece), 0);
		assert_bytes(bytes, seed, at + done, piece);
	}
	free(bytes);
}

int try_region_table(uint32_t id, struct region_table *table)
{
	struct phyr_rdma_table args = { .id = id };
	int err = phyr_ioctl(rdma, PHYR_RDMA_IOC_TABLE, &args);

	if (err)
		return err;
	*table = (struct region_table){
		.page_size = args.page_size,
		.first = args.first,
		.block = calloc(args.nr, sizeof(*table->block)),
		.nr = args.nr,
	};
	igt_assert(table->block);
	args.blocks = (uintptr_t)table->block;
	args.max = args.nr;
	igt_assert_eq(phyr_ioctl(rdma, PHYR_RDMA_IOC_TABLE, &args), 0);
	igt_assert_eq_u64(args.nr, table->nr);
	return 0;
}

void region_table_free(struct region_table *table)
{
	free(table->block);
}

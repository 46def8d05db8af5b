// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <string.h>

#include "domain.h"

void domain_bind(int engine, const char *driver, char *busid)
{
	igt_assert_f(pci_find("0x1000", "0x0012", engine, busid),
		     "no LSI 53C895A %d\n", engine);
	pci_bind(busid, driver);
}

struct domain open_domain(void)
{
	struct domain domain = { 0 };

	domain.test = open_phyr_test(SECOND_IVSHMEM);
	run_command("modprobe phyr_domain");
	domain_bind(1, "phyr_domain", domain.busid);
	domain.fd = open("/dev/phyr_domain", O_RDWR | O_CLOEXEC);
	igt_assert_f(domain.fd >= 0, "/dev/phyr_domain: %s\n", strerror(errno));
	igt_assert_eq(phyr_ioctl(domain.fd, PHYR_DOMAIN_IOC_INFO, &domain.info),
		      0);
	domain.scratch = mmap(NULL, PHYR_DOMAIN_SCRATCH_LEN,
			      PROT_READ | PROT_WRITE, MAP_SHARED, domain.fd, 0);
	igt_assert_f(domain.scratch != MAP_FAILED, "mmap: %s\n",
		     strerror(errno));
	return domain;
}

void close_domain(const struct domain *domain)
{
	unmap(domain->scratch, PHYR_DOMAIN_SCRATCH_LEN);
	close(domain->fd);
	close(domain->test);
}

int try_attach(const struct domain *domain, int dmabuf, uint32_t *id)
{
	struct phyr_domain_attach args = { .fd = dmabuf };
	int err = phyr_ioctl(domain->fd, PHYR_DOMAIN_IOC_ATTACH, &args);

	*id = args.id;
	return err;
}

uint32_t attach(const struct domain *domain, int dmabuf)
{
	uint32_t id;

	igt_assert_eq(try_attach(domain, dmabuf, &id), 0);
	return id;
}

void detach(const struct domain *domain, uint32_t id)
{
	struct phyr_domain_attach args = { .id = id };

	igt_assert_eq(phyr_ioctl(domain->fd, PHYR_DOMAIN_IOC_DETACH, &args), 0);
}

static int map_ioctl(const struct domain *domain, struct phyr_domain_map *args,
		     uint32_t id, uint64_t offset, uint64_t len, uint64_t iova)
{
	*args = (struct phyr_domain_map){
		.id = id,
		.prot = DOMAIN_RW,
		.offset = offset,
		.len = len,
		.iova = iova,
	};
	return phyr_ioctl(domain->fd, PHYR_DOMAIN_IOC_MAP, args);
}

/* On success, unmap again. */
int try_map(const struct domain *domain, uint32_t id, uint64_t offset,
	    uint64_t len, uint64_t iova)
{
	struct phyr_domain_map args;
	int err = map_ioctl(domain, &args, id, offset, len, iova);

	if (!err)
		unmap_one(domain, &args);
	return err;
}

struct phyr_domain_map map(const struct domain *domain, uint32_t id,
			   uint64_t offset, uint64_t len, uint64_t iova)
{
	struct phyr_domain_map args;

	igt_assert_eq(map_ioctl(domain, &args, id, offset, len, iova), 0);
	return args;
}

void unmap_one(const struct domain *domain, const struct phyr_domain_map *map)
{
	struct phyr_domain_unmap args = { .id = map->id, .map = map->map };

	igt_assert_eq(phyr_ioctl(domain->fd, PHYR_DOMAIN_IOC_UNMAP, &args), 0);
}

struct phyr_domain_state state(const struct domain *domain, uint32_t id)
{
	struct phyr_domain_state args = { .id = id };

	igt_assert_eq(phyr_ioctl(domain->fd, PHYR_DOMAIN_IOC_STATE, &args), 0);
	return args;
}

int try_copy(const struct domain *domain, uint64_t src, uint64_t dst,
	     uint64_t len, uint32_t id)
{
	struct phyr_domain_copy args = {
		.src = src,
		.dst = dst,
		.len = len,
		.ids = { id },
	};

	return phyr_ioctl(domain->fd, PHYR_DOMAIN_IOC_COPY, &args);
}

void copy(const struct domain *domain, uint64_t src, uint64_t dst,
	  uint64_t len, uint32_t id)
{
	igt_assert_eq(try_copy(domain, src, dst, len, id), 0);
}

static struct phyr_test_translated translated(const struct domain *domain,
					      int dmabuf, uint64_t offset,
					      uint64_t len, uint64_t iova)
{
	struct phyr_test_translated args = {
		.fd = dmabuf,
		.iova = iova,
		.offset = offset,
		.len = len,
	};

	snprintf(args.busid, sizeof(args.busid), "%s", domain->busid);
	igt_assert_eq(phyr_ioctl(domain->test, PHYR_TEST_IOC_TRANSLATED, &args),
		      0);
	return args;
}

void assert_translated(const struct domain *domain, int dmabuf, uint64_t offset,
		       uint64_t len, uint64_t iova)
{
	struct phyr_test_translated pages;

	pages = translated(domain, dmabuf, offset, len, iova);
	igt_assert_eq_u64(pages.same, len / SZ_4K);
	igt_assert_eq_u64(pages.other, 0);
	igt_assert_eq_u64(pages.unmapped, 0);
}

void assert_unmapped(const struct domain *domain, int dmabuf, uint64_t len,
		     uint64_t iova)
{
	struct phyr_test_translated pages;

	pages = translated(domain, dmabuf, 0, len, iova);
	igt_assert_eq_u64(pages.unmapped, len / SZ_4K);
}

/* SPDX-License-Identifier: MIT */
/* /dev/phyr_domain, bound to the second engine, and the subtests that use it. */
#ifndef PHYR_TESTS_DOMAIN_H
#define PHYR_TESTS_DOMAIN_H

#include "lib.h"
#include "phyr_domain.h"

#define DOMAIN_RW	(PHYR_DOMAIN_READ | PHYR_DOMAIN_WRITE)
/* Free in every configuration, and aligned to the largest page. */
#define DOMAIN_IOVA	0x40000000ull

/**
 * struct domain - an importer with an IOMMU domain of its own
 * @fd: /dev/phyr_domain
 * @test: /dev/phyr_test, for the exporter's half
 * @busid: the engine
 * @scratch: memory that is mapped at PHYR_DOMAIN_SCRATCH
 * @info: the domain
 */
struct domain {
	int fd;
	int test;
	char busid[20];
	uint8_t *scratch;
	struct phyr_domain_info info;
};

/* Bind @engine to @driver, and return its PCI address in @busid. */
void domain_bind(int engine, const char *driver, char *busid);
struct domain open_domain(void);
void close_domain(const struct domain *domain);

int try_attach(const struct domain *domain, int dmabuf, uint32_t *id);
uint32_t attach(const struct domain *domain, int dmabuf);
void detach(const struct domain *domain, uint32_t id);
int try_map(const struct domain *domain, uint32_t id, uint64_t offset,
	    uint64_t len, uint64_t iova);
struct phyr_domain_map map(const struct domain *domain, uint32_t id,
			   uint64_t offset, uint64_t len, uint64_t iova);
void unmap_one(const struct domain *domain, const struct phyr_domain_map *map);
struct phyr_domain_state state(const struct domain *domain, uint32_t id);
int try_copy(const struct domain *domain, uint64_t src, uint64_t dst,
	     uint64_t len, uint32_t id);
void copy(const struct domain *domain, uint64_t src, uint64_t dst,
	  uint64_t len, uint32_t id);

/*
 * The exporter's half: each page at @iova is that of the buffer at @offset; or
 * none is mapped.
 */
void assert_translated(const struct domain *domain, int dmabuf, uint64_t offset,
		       uint64_t len, uint64_t iova);
void assert_unmapped(const struct domain *domain, int dmabuf, uint64_t len,
		     uint64_t iova);

/* map.c */
void domain_no_iommu(void);
void domain_shared_group(void);
void domain_many_extents(void);
void domain_page_sizes(void);
void domain_bad_arguments(void);
void domain_in_use(void);
void domain_reserved(void);
void domain_other_apis(void);
void domain_unmap_together(void);
void domain_two_tasks(void);

/* move.c */
void domain_copies(void);
void domain_move(void);
void domain_move_while_copying(void);
void domain_suspend(void);
void domain_importer_unbound(void);
void domain_file_closed(void);
void domain_revoked(void);

#endif

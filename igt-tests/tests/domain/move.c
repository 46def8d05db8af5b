// SPDX-License-Identifier: MIT
/* DMA through a domain, and what a move, an unbind or a revoke does to it */
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "domain.h"
#include "suspend.h"

#define SIZE		SZ_64K
#define REVOKED_PAGES	512
#define REVOKED_SIZE	(REVOKED_PAGES * SZ_4K)
#define REQUEST		"domain-outside"
#define WAIT_SECONDS	120

static void fill_scratch(const struct domain *domain, uint64_t seed)
{
	phyr_fill(domain->scratch, seed, 0, SIZE);
}

/* From fragmented VRAM, into it, and from one place of it to another. */
void domain_copies(void)
{
	struct domain domain = open_domain();
	struct phyr_device card = vram_device(0);
	int vram = open_device(&card), dmabufs[2];
	uint32_t handles[2], ids[2];
	struct phyr_domain_copy both = {
		.src = DOMAIN_IOVA,
		.dst = DOMAIN_IOVA + SIZE,
		.len = SIZE,
	};

	for (int i = 0; i < 2; i++) {
		handles[i] = create_vram(vram, SIZE, IN_VRAM, SZ_4K);
		dmabufs[i] = export_buffer(vram, handles[i]);
		ids[i] = attach(&domain, dmabufs[i]);
		both.ids[i] = ids[i];
		map(&domain, ids[i], 0, SIZE, DOMAIN_IOVA + i * SIZE);
		assert_translated(&domain, dmabufs[i], 0, SIZE,
				  DOMAIN_IOVA + i * SIZE);
	}
	igt_assert(vram_info(vram, handles[0]).extents > 1);

	fill_scratch(&domain, 1);
	copy(&domain, PHYR_DOMAIN_SCRATCH, DOMAIN_IOVA, SIZE, ids[0]);
	assert_vram(vram, handles[0], SIZE, 1);
	igt_assert_eq(phyr_ioctl(domain.fd, PHYR_DOMAIN_IOC_COPY, &both), 0);
	assert_vram(vram, handles[1], SIZE, 1);
	fill_vram(vram, handles[1], SIZE, 2);
	copy(&domain, DOMAIN_IOVA + SIZE, PHYR_DOMAIN_SCRATCH, SIZE, ids[1]);
	assert_bytes(domain.scratch, 2, 0, SIZE);
	for (int i = 0; i < 2; i++) {
		detach(&domain, ids[i]);
		close(dmabufs[i]);
	}
	close(vram);
	close_domain(&domain);
}

void domain_move(void)
{
	struct domain domain = open_domain();
	struct phyr_device card = vram_device(0);
	int vram = open_device(&card), dmabuf;
	uint32_t handle = create_vram(vram, SIZE, EVICTABLE, SZ_4K), id;
	struct phyr_domain_map old, now;

	dmabuf = export_buffer(vram, handle);
	id = attach(&domain, dmabuf);
	fill_scratch(&domain, 1);
	old = map(&domain, id, 0, SIZE, DOMAIN_IOVA);
	copy(&domain, PHYR_DOMAIN_SCRATCH, DOMAIN_IOVA, SIZE, id);

	for (int i = 0; i < 6; i++) {
		uint32_t place = i % 2 ? IN_VRAM : IN_SYSTEM;

		move_buffer(vram, handle, place);
		igt_assert_eq(vram_info(vram, handle).placement, place);
		igt_assert_eq(state(&domain, id).invalidated, i + 1);
		igt_assert_eq_u64(state(&domain, id).mapped, 0);
		assert_unmapped(&domain, dmabuf, SIZE, DOMAIN_IOVA);
		igt_assert_eq(try_copy(&domain, DOMAIN_IOVA,
				       PHYR_DOMAIN_SCRATCH, SIZE, id), -ESTALE);

		/* The IOVA is free before the old mapping is. */
		now = map(&domain, id, 0, SIZE, DOMAIN_IOVA);
		unmap_one(&domain, &old);
		old = now;
		assert_translated(&domain, dmabuf, 0, SIZE, DOMAIN_IOVA);
		memset(domain.scratch, 0, SIZE);
		copy(&domain, DOMAIN_IOVA, PHYR_DOMAIN_SCRATCH, SIZE, id);
		assert_bytes(domain.scratch, i + 1, 0, SIZE);
		fill_scratch(&domain, i + 2);
		copy(&domain, PHYR_DOMAIN_SCRATCH, DOMAIN_IOVA, SIZE, id);
		assert_vram(vram, handle, SIZE, i + 2);
	}
	close(dmabuf);
	close(vram);
	close_domain(&domain);
}

/* As a driver does: map again when the memory has moved. */
static void copy_on(const struct domain *domain, uint32_t id, uint64_t src,
		    uint64_t dst, struct phyr_domain_map *map_now)
{
	int err;

	while ((err = try_copy(domain, src, dst, SIZE, id)) == -ESTALE) {
		unmap_one(domain, map_now);
		*map_now = map(domain, id, 0, SIZE, DOMAIN_IOVA);
	}
	igt_assert_eq(err, 0);
}

void domain_move_while_copying(void)
{
	struct domain domain = open_domain();
	struct phyr_device card = vram_device(0);
	int vram = open_device(&card), dmabuf;
	uint32_t handle = create_vram(vram, SIZE, EVICTABLE, SZ_4K), id;
	atomic_uint *done;
	struct phyr_domain_map now;

	done = mmap(NULL, SZ_4K, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	igt_assert(done != MAP_FAILED);
	dmabuf = export_buffer(vram, handle);
	id = attach(&domain, dmabuf);
	now = map(&domain, id, 0, SIZE, DOMAIN_IOVA);
	igt_fork(child, 1) {
		while (!*done) {
			move_buffer(vram, handle, IN_SYSTEM);
			move_buffer(vram, handle, IN_VRAM);
		}
	}
	for (uint64_t seed = 1; seed <= (uint64_t)repeats(100); seed++) {
		fill_scratch(&domain, seed);
		copy_on(&domain, id, PHYR_DOMAIN_SCRATCH, DOMAIN_IOVA, &now);
		memset(domain.scratch, 0, SIZE);
		copy_on(&domain, id, DOMAIN_IOVA, PHYR_DOMAIN_SCRATCH, &now);
		assert_bytes(domain.scratch, seed, 0, SIZE);
	}
	*done = 1;
	igt_waitchildren();
	igt_assert(state(&domain, id).invalidated);
	unmap(done, SZ_4K);
	close(dmabuf);
	close(vram);
	close_domain(&domain);
}

/*
 * The card moves the buffer to system memory before the engine is suspended, and
 * back: two moves for the importer, who maps it again.
 */
void domain_suspend(void)
{
	struct phyr_device card = vram_device(0);
	struct phyr_domain_map old;
	struct domain domain;
	uint32_t handle, id;
	int vram, dmabuf;

	igt_require_f(!iommu_is("virtio"),
		      "virtio_iommu cannot be suspended: it has no callbacks for it, and waits for ever for its next request\n");
	domain = open_domain();
	vram = open_device(&card);
	handle = create_vram(vram, SIZE, IN_VRAM, SZ_4K);
	dmabuf = export_buffer(vram, handle);
	id = attach(&domain, dmabuf);
	fill_scratch(&domain, 1);
	old = map(&domain, id, 0, SIZE, DOMAIN_IOVA);
	copy(&domain, PHYR_DOMAIN_SCRATCH, DOMAIN_IOVA, SIZE, id);
	for (uint64_t seed = 1; seed <= 2; seed++) {
		suspend();
		igt_assert_eq(vram_info(vram, handle).placement, IN_VRAM);
		igt_assert_lte_u64(seed, state(&domain, id).invalidated);
		igt_assert_eq_u64(state(&domain, id).mapped, 0);
		assert_unmapped(&domain, dmabuf, SIZE, DOMAIN_IOVA);
		igt_assert_eq(try_copy(&domain, DOMAIN_IOVA,
				       PHYR_DOMAIN_SCRATCH, SIZE, id), -ESTALE);

		unmap_one(&domain, &old);
		old = map(&domain, id, 0, SIZE, DOMAIN_IOVA);
		assert_translated(&domain, dmabuf, 0, SIZE, DOMAIN_IOVA);
		memset(domain.scratch, 0, SIZE);
		copy(&domain, DOMAIN_IOVA, PHYR_DOMAIN_SCRATCH, SIZE, id);
		assert_bytes(domain.scratch, seed, 0, SIZE);
		fill_scratch(&domain, seed + 1);
		copy(&domain, PHYR_DOMAIN_SCRATCH, DOMAIN_IOVA, SIZE, id);
		assert_vram(vram, handle, SIZE, seed + 1);
	}
	close(dmabuf);
	close(vram);
	close_domain(&domain);
}

/* The driver is unbound with live mappings. The exporter does not notice. */
void domain_importer_unbound(void)
{
	struct domain domain = open_domain();
	struct phyr_device card = vram_device(0);
	int vram = open_device(&card), dmabuf;
	uint32_t handle = create_vram(vram, SIZE, EVICTABLE, SZ_4K), id;
	struct phyr_domain_info info;

	dmabuf = export_buffer(vram, handle);
	for (int round = 0; round < 10; round++) {
		id = attach(&domain, dmabuf);
		map(&domain, id, 0, SIZE, DOMAIN_IOVA);
		map(&domain, id, 0, SIZE, DOMAIN_IOVA + SIZE);
		fill_scratch(&domain, round);
		copy(&domain, PHYR_DOMAIN_SCRATCH, DOMAIN_IOVA, SIZE, id);
		remove_device(domain.busid, UNBIND);
		igt_assert_eq(phyr_ioctl(domain.fd, PHYR_DOMAIN_IOC_INFO,
					 &info), -ENXIO);
		assert_vram(vram, handle, SIZE, round);
		move_buffer(vram, handle, round % 2 ? IN_VRAM : IN_SYSTEM);

		/* The file stays open, and its attachment is dead. */
		restore_device(domain.busid, "phyr_domain", UNBIND);
		igt_assert_eq(try_map(&domain, id, 0, SIZE, DOMAIN_IOVA),
			      -ENOENT);
		detach(&domain, id);
		close_domain(&domain);
		domain = open_domain();
	}
	close(dmabuf);
	close(vram);
	close_domain(&domain);
}

void domain_file_closed(void)
{
	struct domain domain = open_domain();
	struct phyr_device card = vram_device(0);
	int vram = open_device(&card), dmabuf;
	uint32_t handle = create_vram(vram, SIZE, EVICTABLE, SZ_4K);

	dmabuf = export_buffer(vram, handle);
	map(&domain, attach(&domain, dmabuf), 0, SIZE, DOMAIN_IOVA);
	close_domain(&domain);
	domain = open_domain();
	assert_unmapped(&domain, dmabuf, SIZE, DOMAIN_IOVA);
	move_buffer(vram, handle, IN_SYSTEM);
	close(dmabuf);
	close(vram);
	close_domain(&domain);
}

/* Ask the host whether VRAM has the pattern of @seed in these extents. */
static void assert_on_host(const struct phyr_list_dump *list, uint64_t seed)
{
	struct phyr_hostcheck check = { .dir = "/out", .name = REQUEST };
	uint8_t *bytes = malloc(REVOKED_SIZE);
	char verdict[256];
	int err;

	igt_assert(bytes);
	phyr_fill(bytes, seed, 0, REVOKED_SIZE);
	igt_assert_eq(phyr_hostcheck_request(&check, list, bytes), 0);
	err = phyr_hostcheck_wait(&check, WAIT_SECONDS, verdict,
				  sizeof(verdict));
	igt_assert_f(err != -ETIME,
		     "no verdict after %d s: run 'userspace/verify-vram %s'\n",
		     WAIT_SECONDS, REQUEST);
	igt_info("the host says: %s", verdict);
	igt_assert_eq(err, 0);
	free(bytes);
}

/* The device's number, in the log of the virtio IOMMU */
static unsigned int endpoint(const struct domain *domain)
{
	unsigned int bus, slot, function;

	int fields = sscanf(domain->busid, "%*x:%x:%x.%x", &bus, &slot,
			    &function);

	igt_assert_eq(fields, 3);
	return bus << 8 | slot << 3 | function;
}

/*
 * igt_runner takes no report of the device's faults for a failure. It reads the
 * expression from the kernel log, which escapes backslashes.
 */
static void ignore_faults(const struct domain *domain)
{
	char regex[160];

	snprintf(regex, sizeof(regex),
		 "DMAR: DRHD: handling fault status|.%s. fault addr|%s: AMD-Vi:.*IO_PAGE_FAULT|fault from EP %u ",
		 domain->busid, domain->busid, endpoint(domain));
	igt_emit_ignore_dmesg_regex(regex);
}

static const char *find_behind(const char *line, const char *text)
{
	const char *at = strstr(line, text);

	return at ? at + strlen(text) : NULL;
}

/* Is it the report of a fault of the device, in a page of the mapping? */
static bool is_fault(const struct domain *domain, const char *line)
{
	char intel[48], amd[64], virtio[48];
	const char *at;
	uint64_t iova;

	snprintf(intel, sizeof(intel), "[%s] fault addr ", domain->busid);
	snprintf(amd, sizeof(amd), "%s: AMD-Vi: Event logged [IO_PAGE_FAULT",
		 domain->busid);
	snprintf(virtio, sizeof(virtio), "fault from EP %u at ",
		 endpoint(domain));
	at = find_behind(line, intel) ?: find_behind(line, virtio);
	if (!at && strstr(line, amd))
		at = find_behind(line, "address=");
	return at && sscanf(at, "%" SCNx64, &iova) == 1 &&
	       iova >= DOMAIN_IOVA && iova < DOMAIN_IOVA + REVOKED_SIZE;
}

/* Wait until the kernel log says that the device's DMA faulted. */
static void wait_for_fault(const struct domain *domain, int kmsg)
{
	char line[1024];

	for (int i = 0; i < 300;) {
		ssize_t len = read(kmsg, line, sizeof(line) - 1);

		if (len < 0) {
			/* EPIPE: lines were lost */
			igt_assert(errno == EAGAIN || errno == EPIPE);
			usleep(100000);
			i++;
			continue;
		}
		line[len] = '\0';
		if (is_fault(domain, line))
			return;
	}
	igt_assert_f(false, "the kernel log has no IOMMU fault of %s\n",
		     domain->busid);
}

/* The engine reads nothing of VRAM, which has the pattern of @seed. */
static void assert_reads_nothing(const struct domain *domain, uint64_t seed)
{
	uint8_t bytes[64];

	try_copy(domain, DOMAIN_IOVA, PHYR_DOMAIN_SCRATCH, REVOKED_SIZE, 0);
	for (uint64_t offset = 0; offset < REVOKED_SIZE; offset += SZ_4K) {
		phyr_fill(bytes, seed, offset, sizeof(bytes));
		igt_assert_f(memcmp(domain->scratch + offset, bytes,
				    sizeof(bytes)),
			     "the engine has read VRAM at byte %#" PRIx64 "\n",
			     offset);
	}
}

/*
 * The exporter is unbound while the engine writes. The driver breaks the rules:
 * it adds no fence, and goes on after the revoke.
 */
void domain_revoked(void)
{
	int kmsg = open("/dev/kmsg", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct domain domain = open_domain();
	struct phyr_device card = vram_device(0);
	int vram = open_device(&card), dmabuf;
	uint32_t handle = create_vram(vram, REVOKED_SIZE, IN_VRAM, SZ_4K), id;
	struct phyr_list_dump list;
	atomic_uint *shared;

	igt_assert(kmsg >= 0);
	ignore_faults(&domain);
	shared = mmap(NULL, SZ_4K, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	igt_assert(shared != MAP_FAILED);
	dmabuf = export_buffer(vram, handle);
	id = attach(&domain, dmabuf);
	map(&domain, id, 0, REVOKED_SIZE, DOMAIN_IOVA);
	phyr_fill(domain.scratch, 1, 0, REVOKED_SIZE);
	igt_assert_eq(phyr_list_dump_read(&card, vram_info(vram, handle).id,
					  &list), 0);
	igt_assert_eq(list.nr, REVOKED_PAGES);

	igt_fork(child, 1) {
		while (!shared[0]) {
			copy(&domain, PHYR_DOMAIN_SCRATCH, DOMAIN_IOVA, REVOKED_SIZE, 0);
			shared[1]++;
			usleep(10000);
		}
	}
	while (!shared[1])
		usleep(1000);
	assert_vram(vram, handle, REVOKED_SIZE, 1);
	igt_assert(lseek(kmsg, 0, SEEK_END) >= 0);
	remove_device(card.busid, UNBIND);
	phyr_fill(domain.scratch, 2, 0, REVOKED_SIZE);
	igt_assert_eq(state(&domain, id).invalidated, 1);
	igt_assert_eq_u64(state(&domain, id).mapped, 0);
	assert_unmapped(&domain, dmabuf, REVOKED_SIZE, DOMAIN_IOVA);
	igt_assert_eq(try_map(&domain, id, 0, REVOKED_SIZE, DOMAIN_IOVA), -ENODEV);
	copy(&domain, PHYR_DOMAIN_SCRATCH, DOMAIN_IOVA, REVOKED_SIZE, 0);
	/* QEMU's AMD IOMMU logs no event for a page that is not mapped. */
	if (!iommu_is("amd"))
		wait_for_fault(&domain, kmsg);
	shared[0] = 1;
	igt_waitchildren();
	assert_reads_nothing(&domain, 1);
	assert_on_host(&list, 1);

	phyr_list_dump_free(&list);
	close(dmabuf);
	close(vram);
	close(kmsg);
	unmap(shared, SZ_4K);
	close_domain(&domain);
	restore_device(card.busid, PHYR_VRAM_DRIVER, UNBIND);
}

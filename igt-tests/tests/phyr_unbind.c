// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib.h"
#include "log.h"
#include "traffic.h"

IGT_TEST_DESCRIPTION("Drivers are unbound and cards unplugged while in use");

#define SIZE	(SZ_1M / 4)
#define SEED	55
#define UNBINDS	200
#define UNPLUGS	50

static const char *driver_of(bool exporter)
{
	return exporter ? PHYR_VRAM_DRIVER : PHYR_COPY_DRIVER;
}

/**
 * struct client - all kinds of resources that a client can hold
 * @vram: DRM node of the exporter
 * @engine: DRM node of the importer
 * @handle: a buffer in VRAM, in @vram
 * @imported: the same buffer, in @engine
 * @own: a buffer of the engine
 * @dmabuf: the exported buffer
 * @drm_mem: mapping of the buffer through @vram
 * @dmabuf_mem: mapping of the buffer through @dmabuf
 * @own_mem: mapping of @own
 */
struct client {
	int vram;
	int engine;
	uint32_t handle;
	uint32_t imported;
	uint32_t own;
	int dmabuf;
	uint8_t *drm_mem;
	uint8_t *dmabuf_mem;
	uint8_t *own_mem;
};

static struct client client_open(uint32_t placement)
{
	struct client client = { .vram = open_vram(0), .engine = open_copy(0) };

	client.handle = create_vram(client.vram, SIZE, placement, SZ_4K);
	client.own = create_own(client.engine, SIZE);
	client.dmabuf = export_buffer(client.vram, client.handle);
	client.imported = import_buffer(client.engine, client.dmabuf);
	client.drm_mem = map_vram(client.vram, client.handle, SIZE);
	client.dmabuf_mem = map_dmabuf(client.dmabuf, SIZE);
	client.own_mem = map_own(client.engine, client.own, SIZE);
	phyr_fill(client.drm_mem, SEED, 0, SIZE);
	copy_bytes(client.engine, client.imported, client.own, SIZE);
	assert_bytes(client.own_mem, SEED, 0, SIZE);
	assert_bytes(client.dmabuf_mem, SEED, 0, SIZE);
	return client;
}

static void client_close(struct client *client)
{
	unmap(client->drm_mem, SIZE);
	unmap(client->dmabuf_mem, SIZE);
	unmap(client->own_mem, SIZE);
	close(client->dmabuf);
	close(client->engine);
	close(client->vram);
}

static int submit(struct client *client)
{
	struct drm_phyr_copy_submit job = {
		.src_handle = client->own, .dst_handle = client->imported,
		.dst_offset = SIZE * 3 / 4, .len = SIZE / 4,
	};

	return phyr_copy_submit(client->engine, &job);
}

static void assert_exporter_gone(struct client *client)
{
	struct drm_phyr_vram_gem_info info;
	int importer = open_copy(0);
	uint32_t handle;

	assert_dummy(client->drm_mem, SIZE);
	assert_dummy(client->dmabuf_mem, SIZE);
	igt_assert_eq(phyr_vram_gem_info(client->vram, client->handle, &info),
		      -ENODEV);
	igt_assert_eq(phyr_vram_create(client->vram, SIZE, IN_VRAM, 0, &handle),
		      -ENODEV);
	igt_assert_eq(try_move_buffer(client->vram, client->handle, IN_VRAM),
		      -ENODEV);
	igt_assert_eq(phyr_export(client->vram, client->handle), -ENODEV);
	igt_assert_eq(submit(client), -ENODEV);
	igt_assert_eq(phyr_import(importer, client->dmabuf, &handle), -ENODEV);
	close(importer);
	/* The engine still works. */
	copy_bytes(client->engine, client->own, create_own(client->engine, SIZE),
		   SIZE);
	assert_bytes(client->own_mem, SEED, 0, SIZE);
}

static void assert_importer_gone(struct client *client)
{
	struct drm_phyr_copy_gem_info info;
	uint32_t handle;

	igt_assert_eq(submit(client), -ENODEV);
	igt_assert_eq(phyr_copy_create(client->engine, SIZE, &handle), -ENODEV);
	igt_assert_eq(phyr_copy_gem_info(client->engine, client->own, &info),
		      -ENODEV);
	igt_assert_eq(phyr_import(client->engine, client->dmabuf, &handle),
		      -ENODEV);
	/* The buffer is unchanged, except for the part that the traffic writes. */
	igt_assert(!raises_sigbus(client->drm_mem));
	assert_bytes(client->drm_mem, SEED, 0, SIZE / 2);
	assert_bytes(client->dmabuf_mem, SEED, 0, SIZE / 2);
	assert_bytes(client->drm_mem + SIZE * 3 / 4, SEED,
		     SIZE * 3 / 4, SIZE / 4);
	assert_bytes(client->own_mem, SEED, 0, SIZE);
}

/*
 * Two processes import and DMA is in flight when the device is removed. With
 * @close_after_return the client closes after the device is bound again.
 */
static void round_trip(bool exporter, enum removal removal, bool close_after_return)
{
	struct phyr_device card = vram_device(0), engine = copy_device(0);
	const char *busid = exporter ? card.busid : engine.busid;
	struct client client = client_open(IN_VRAM);
	struct traffic traffic;

	traffic = traffic_start(&engine, client.dmabuf, SIZE, SEED);
	traffic_wait(&traffic, 1);
	remove_device(busid, removal);
	traffic_assert_gone(&traffic);
	if (close_after_return)
		restore_device(busid, driver_of(exporter), removal);
	if (exporter)
		assert_exporter_gone(&client);
	else
		assert_importer_gone(&client);
	client_close(&client);
	if (!close_after_return)
		restore_device(busid, driver_of(exporter), removal);
}

/**
 * struct memory - memory use of the kernel
 * @free: bytes not used by the kernel, see mem_free()
 * @objects: live objects of kmalloc(16 << i)
 */
struct memory {
	uint64_t free;
	uint64_t objects[9];
};

/*
 * Memory that is free, used by processes, or reclaimable. Memory of processes
 * counts because udev starts and ends some whenever a card appears.
 */
static uint64_t mem_free(void)
{
	static const char *const kinds[] = {
		"MemFree:", "Buffers:", "Cached:", "SwapCached:", "AnonPages:",
		"SReclaimable:", "KernelStack:", "PageTables:",
	};
	char line[128], kind[64];
	uint64_t kib, sum = 0;
	unsigned int found = 0;
	FILE *file = fopen("/proc/meminfo", "re");

	igt_assert(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%63s %" SCNu64, kind, &kib) != 2)
			continue;
		for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
			if (!strcmp(kind, kinds[i])) {
				sum += kib << 10;
				found++;
			}
		}
	}
	fclose(file);
	igt_assert_eq(found, ARRAY_SIZE(kinds));
	return sum;
}

/* Per-CPU lists hold free pages, too, and possibly more than a test uses. */
static uint64_t mem_in_cpu_lists(void)
{
	uint64_t pages, sum = 0;
	char line[128];
	FILE *file = fopen("/proc/zoneinfo", "re");

	igt_assert(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, " count: %" SCNu64, &pages) == 1)
			sum += pages * SZ_4K;
	fclose(file);
	return sum;
}

static struct memory memory_now(void)
{
	struct memory memory = { 0 };

	sync();
	write_file("/proc/sys/vm/drop_caches", "3");
	memory.free = mem_free() + mem_in_cpu_lists();
	for (unsigned int i = 0; i < ARRAY_SIZE(memory.objects); i++)
		memory.objects[i] = kmalloc_objects(16 << i);
	return memory;
}

/* The smaller growth of the two halves: a cache grows only once. */
static int64_t growth(uint64_t before, uint64_t middle, uint64_t after)
{
	int64_t first = middle - before, second = after - middle;

	return first < second ? first : second;
}

/*
 * A leak grows in both halves. Per-CPU lists of pages and objects grow only in
 * one, by dozens of objects.
 *
 * KASAN keeps freed objects in quarantine, where they count as in use; leave the
 * check to kmemleak then.
 */
static void assert_memory_returned(const struct memory *before,
				   const struct memory *middle,
				   const struct memory *after, int rounds)
{
	int64_t lost = growth(-before->free, -middle->free, -after->free);

	igt_info("%d rounds: lost %" PRId64 " KiB in each half\n", rounds, lost / 1024);
	if (kasan_is_on())
		return;
	igt_assert_f(lost < 2 * (int64_t)SZ_1M, "%" PRId64
		     " bytes are lost in each half of %d rounds\n", lost,
		     rounds);
	for (unsigned int i = 0; i < ARRAY_SIZE(after->objects); i++) {
		int64_t more = growth(before->objects[i], middle->objects[i],
				      after->objects[i]);

		igt_assert_f(more <= (16 << i < 1024 ? 120 : rounds / 4 + 10),
			     "%" PRId64 " more objects of kmalloc-%u in each half of %d rounds\n",
			     more, 16 << i, rounds);
	}
}

static void round_trips_to(uint64_t free, bool exporter, enum removal removal,
			   int rounds)
{
	for (int i = 0; i < rounds; i++) {
		struct phyr_device card;

		round_trip(exporter, removal, i % 2);
		card = vram_device(0);
		wait_for_vram_free(&card, free);
	}
}

static void round_trips(bool exporter, enum removal removal, int rounds)
{
	struct phyr_device card = vram_device(0);
	uint64_t free = vram_free(&card);
	struct memory before, middle, after;

	round_trips_to(free, exporter, removal, repeats(5));
	before = memory_now();
	round_trips_to(free, exporter, removal, rounds / 2);
	middle = memory_now();
	round_trips_to(free, exporter, removal, rounds / 2);
	after = memory_now();
	assert_memory_returned(&before, &middle, &after, rounds);
}

/* Importers that have mapped the buffer do not block the unbind. */
static void mapped_importer(uint32_t kind, uint32_t policy)
{
	int test = open_phyr_test(SECOND_IVSHMEM);
	struct phyr_device card = vram_device(0);
	uint32_t id, other;

	for (int round = 0; round < 20; round++) {
		struct client client = client_open(EVICTABLE);
		struct phyr_test_held held;

		id = hold_mapped(test, client.dmabuf, kind, policy);
		igt_assert_eq(vram_info(client.vram, client.handle).placement,
			      IN_VRAM);
		remove_device(card.busid, UNBIND);
		held = held_now(test, id);
		igt_assert(held.invalidated);
		igt_assert_eq_u64(held.ranges, 0);
		igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_MAP, &held),
			      -ENODEV);
		for (uint32_t any = PHYR_TEST_NATIVE;
		     any <= PHYR_TEST_REVOCABLE; any++)
			igt_assert_eq(try_hold(test, client.dmabuf, any,
					       policy, &other), -ENODEV);
		assert_exporter_gone(&client);
		release_held(test, id);
		client_close(&client);
		restore_device(card.busid, PHYR_VRAM_DRIVER, UNBIND);
	}
	close(test);
}

/* A pin and a mapping that was reserved do not outlive the card either. */
static void pinned_importer(void)
{
	int test = open_phyr_test(SECOND_IVSHMEM);
	struct phyr_device card = vram_device(0);
	struct client client = client_open(EVICTABLE);
	struct phyr_test_held held = { .pinned = 1 };

	igt_assert_eq(try_hold(test, client.dmabuf, PHYR_TEST_NATIVE,
			       PHYR_TEST_UNMAP_LATE, &held.id), 0);
	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_PIN, &held), 0);
	igt_assert_eq(try_move_buffer(client.vram, client.handle, IN_SYSTEM),
		      -EBUSY);
	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_RESERVE, &held), 0);
	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_COMMIT, &held), 0);

	remove_device(card.busid, UNBIND);
	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_COMMIT, &held), -ENODEV);
	held = held_now(test, held.id);
	igt_assert(held.pinned && held.mapped && held.invalidated);
	igt_assert_eq_u64(held.ranges, 0);
	igt_assert_eq(held.destroyed, 1);
	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_RESERVE, &held), -ENODEV);

	/* It can be unpinned, and not pinned again. */
	held.pinned = 0;
	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_PIN, &held), 0);
	held.pinned = 1;
	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_PIN, &held), -ENODEV);
	assert_exporter_gone(&client);
	release_held(test, held.id);
	client_close(&client);
	close(test);
	restore_device(card.busid, PHYR_VRAM_DRIVER, UNBIND);
}

/* Read the kernel log until a line has @text. */
static void wait_for_log(int log, const char *text)
{
	while (!log_has(log, text))
		usleep(100000);
}

/*
 * remove() waits for the unmap of a table of VRAM, without holding a lock. After
 * a while the kernel log tells which importer it waits for.
 */
static void remove_waits(void)
{
	int test = open_phyr_test(SECOND_IVSHMEM);
	int log = open_log();
	struct phyr_device card = vram_device(0);
	struct client client = client_open(EVICTABLE);
	struct phyr_test_held held = { 0 };
	char importer[16], expected[128];
	pid_t remover;

	igt_assert(pci_find("0x1234", "0x11e8", 0, importer));
	snprintf(expected, sizeof(expected),
		 "%s: still maps a dma-buf of phyr_vram that was revoked",
		 importer);
	igt_emit_ignore_dmesg_regex("still maps a dma-buf of phyr_vram that was revoked");
	held.id = hold_mapped(test, client.dmabuf, PHYR_TEST_REVOCABLE,
			      PHYR_TEST_UNMAP_LATE);
	remover = write_in_background("/sys/bus/pci/drivers/phyr_vram/unbind",
				      card.busid);
	wait_until_sleeps_in(remover, "phyr_buffer_revoke_wait");
	held = held_now(test, held.id);
	igt_assert(held.mapped && held.invalidated);
	assert_exporter_gone(&client);
	igt_assert(sleeps_in(remover, "phyr_buffer_revoke_wait"));
	wait_for_log(log, expected);
	igt_assert(sleeps_in(remover, "phyr_buffer_revoke_wait"));
	close(log);
	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_UNMAP, &held), 0);
	assert_ends_well(remover);
	release_held(test, held.id);
	client_close(&client);
	close(test);
	restore_device(card.busid, PHYR_VRAM_DRIVER, UNBIND);
}

/* Importers of system memory keep it, and the unbind does not wait for them. */
static void system_importer(void)
{
	int test = open_phyr_test(SECOND_IVSHMEM);
	struct phyr_device card = vram_device(0);
	struct client client = client_open(EVICTABLE);
	uint32_t id = hold_mapped(test, client.dmabuf, PHYR_TEST_STATIC,
				  PHYR_TEST_UNMAP_LATE);

	igt_assert_eq(vram_info(client.vram, client.handle).placement,
		      IN_SYSTEM);
	remove_device(card.busid, UNBIND);
	igt_assert(held_now(test, id).mapped);
	assert_exporter_gone(&client);
	release_held(test, id);
	client_close(&client);
	close(test);
	restore_device(card.busid, PHYR_VRAM_DRIVER, UNBIND);
}

static struct phyr_test_vmap vmap(int test, int dmabuf, uint32_t fill)
{
	struct phyr_test_vmap vmap = { .fd = dmabuf, .fill = fill };

	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_DMABUF_VMAP, &vmap), 0);
	igt_assert(!vmap.is_iomem);
	return vmap;
}

/* A vmap of the dma-buf shows the buffer before the unbind, zeroes after. */
static void vmap_after_unbind(void)
{
	int test = open_phyr_test(SECOND_IVSHMEM);
	struct phyr_device card = vram_device(0);
	struct client client = client_open(EVICTABLE);

	memset(client.drm_mem, 0x11, SIZE);
	igt_assert_eq(vmap(test, client.dmabuf, 0x22222222).was, 0x11111111);
	igt_assert_eq_u64(phyr_verify_byte(client.dmabuf_mem, 0x22, SIZE), -1);
	igt_assert_eq(vram_info(client.vram, client.handle).placement,
		      IN_SYSTEM);
	move_buffer(client.vram, client.handle, IN_VRAM);
	remove_device(card.busid, UNBIND);
	igt_assert_eq(vmap(test, client.dmabuf, 0).was, 0);
	igt_assert_eq(vmap(test, client.dmabuf, 0).was, 0);
	client_close(&client);
	close(test);
	restore_device(card.busid, PHYR_VRAM_DRIVER, UNBIND);
}

/* Unbind both, in either order, before the client closes. */
static void both_gone(void)
{
	struct phyr_device card = vram_device(0), engine = copy_device(0);

	for (int round = 0; round < 2 * repeats(5); round++) {
		struct client client = client_open(EVICTABLE);
		bool exporter = round % 2;

		remove_device(exporter ? card.busid : engine.busid, UNBIND);
		remove_device(exporter ? engine.busid : card.busid, UNBIND);
		assert_dummy(client.drm_mem, SIZE);
		igt_assert_eq(submit(&client), -ENODEV);
		client_close(&client);
		restore_device(card.busid, PHYR_VRAM_DRIVER, UNBIND);
		restore_device(engine.busid, PHYR_COPY_DRIVER, UNBIND);
	}
}

igt_main()
{
	igt_describe("200 unbinds of the exporter, under DMA and with all resources in use");
	igt_subtest("exporter")
		round_trips(true, UNBIND, repeats(UNBINDS));

	igt_describe("200 unbinds of the importer, under DMA and with all resources in use");
	igt_subtest("importer")
		round_trips(false, UNBIND, repeats(UNBINDS));

	igt_describe("50 unplugs of the exporter's card");
	igt_subtest("exporter-unplug")
		round_trips(true, UNPLUG, repeats(UNPLUGS));

	igt_describe("50 unplugs of the importer's card");
	igt_subtest("importer-unplug")
		round_trips(false, UNPLUG, repeats(UNPLUGS));

	igt_describe("A stock importer unmaps in its invalidate callback");
	igt_subtest("stock-now")
		mapped_importer(PHYR_TEST_REVOCABLE, PHYR_TEST_UNMAP_NOW);

	igt_describe("A stock importer unmaps from a worker, which takes the lock of the revoke: no deadlock");
	igt_subtest("stock-soon")
		mapped_importer(PHYR_TEST_REVOCABLE, PHYR_TEST_UNMAP_SOON);

	igt_describe("A native importer that does not unmap does not block the unbind");
	igt_subtest("native-late")
		mapped_importer(PHYR_TEST_NATIVE, PHYR_TEST_UNMAP_LATE);

	igt_describe("An importer's pin does not block the unbind, and a reserved mapping ends");
	igt_subtest("native-pinned")
		pinned_importer();

	igt_describe("An unbind waits for the unmap of a stock importer, without the lock that the unmap needs");
	igt_subtest("waits-for-unmap")
		remove_waits();

	igt_describe("Importers of system memory keep it after the unbind");
	igt_subtest("system-memory")
		system_importer();

	igt_describe("A kernel client that maps a revoked buffer gets zero pages");
	igt_subtest("vmap")
		vmap_after_unbind();

	igt_describe("Exporter and importer are unbound before their client closes");
	igt_subtest("both")
		both_gone();
}

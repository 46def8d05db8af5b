// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/udmabuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <xf86drm.h>

#include "lib.h"

#define PCI_DEVICES	"/sys/bus/pci/devices"

static const char *from_environment(const char *name, const char *fallback)
{
	const char *value = getenv(name);

	return value ? value : fallback;
}

bool iommu_is(const char *mode)
{
	return !strcmp(from_environment("PHYR_IOMMU", "intel"), mode);
}

/* From the environment; checked against edu's IOMMU group. */
bool iommu_is_on(void)
{
	bool told = !iommu_is("off");
	char busid[16], path[96];

	igt_assert_f(pci_find("0x1234", "0x11e8", 0, busid), "no edu\n");
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/iommu_group", busid);
	igt_assert_f(told == !access(path, F_OK),
		     "PHYR_IOMMU says the IOMMU is %s, %s says otherwise\n",
		     told ? "on" : "off", path);
	return told;
}

/* From the environment; checked against edu's PCI address. */
bool is_on_switch(void)
{
	bool told = !strcmp(from_environment("PHYR_TOPOLOGY", "flat"), "switch");
	char busid[16];

	igt_assert_f(pci_find("0x1234", "0x11e8", 0, busid), "no edu\n");
	igt_assert_f(told == !!strncmp(busid, "0000:00:", 8),
		     "PHYR_TOPOLOGY says edu is%s behind a switch, its address %s says otherwise\n",
		     told ? "" : " not", busid);
	return told;
}

static struct phyr_device find_device(const char *driver, int index)
{
	struct phyr_device device;
	int err = phyr_device_find(driver, index, &device);

	igt_assert_f(!err, "device %d of %s: %s\n", index, driver,
		     strerror(-err));
	return device;
}

struct phyr_device vram_device(int index)
{
	return find_device(PHYR_VRAM_DRIVER, index);
}

struct phyr_device copy_device(int index)
{
	return find_device(PHYR_COPY_DRIVER, index);
}

struct phyr_device small_vram_device(void)
{
	struct phyr_device devices[8], *small = NULL;
	int nr = phyr_device_list(PHYR_VRAM_DRIVER, devices, 8);
	uint64_t smallest = UINT64_MAX;

	for (int i = 0; i < nr; i++) {
		struct drm_phyr_vram_info info;
		int fd = open_device(&devices[i]);

		igt_assert_eq(phyr_vram_info(fd, &info), 0);
		close(fd);
		/* A card with a display keeps space for it. */
		if (info.fixed_size < info.vram_size ||
		    info.vram_size >= smallest)
			continue;
		smallest = info.vram_size;
		small = &devices[i];
	}
	igt_assert_f(small, "no device without a display is bound to phyr_vram\n");
	return *small;
}

int open_device(const struct phyr_device *device)
{
	int fd = phyr_device_open(device);

	igt_assert_f(fd >= 0, "open %s: %s\n", device->busid, strerror(-fd));
	return fd;
}

int open_vram(int index)
{
	struct phyr_device device = vram_device(index);

	return open_device(&device);
}

int open_copy(int index)
{
	struct phyr_device device = copy_device(index);

	return open_device(&device);
}

/* Bytes that are allocated for no buffer: they are being freed. */
static uint64_t vram_leaving(const struct phyr_vram_dump *dump)
{
	uint64_t bytes = dump->size - dump->free;

	for (size_t i = 0; i < dump->nr; i++)
		bytes -= dump->blocks[i].len;
	return bytes;
}

/*
 * A worker may still be freeing what an earlier test has left, for longer than
 * this if other clients are busy.
 */
uint64_t vram_free(const struct phyr_device *device)
{
	struct phyr_vram_dump dump;
	uint64_t leaving;

	for (int tries = 0; tries < 30; tries++) {
		igt_assert_eq(phyr_vram_dump_read(device, &dump), 0);
		leaving = vram_leaving(&dump);
		phyr_vram_dump_free(&dump);
		if (!leaving)
			break;
		usleep(100000);
	}
	return dump.free;
}

/*
 * A worker may still be freeing. The limit is far below igt_runner's timeout.
 */
void wait_for_vram_free(const struct phyr_device *device, uint64_t bytes)
{
	for (int tries = 0; tries < 300; tries++) {
		if (vram_free(device) == bytes)
			return;
		usleep(100000);
	}
	igt_assert_eq_u64(vram_free(device), bytes);
}

struct phyr_job last_job(const struct phyr_device *engine)
{
	struct phyr_job job;

	igt_assert_eq(phyr_last_job(engine, &job), 0);
	return job;
}

uint32_t create_vram(int fd, uint64_t size, uint32_t placement,
		     uint64_t max_extent)
{
	uint32_t handle = 0;

	igt_assert_eq(phyr_vram_create(fd, size, placement, max_extent,
				       &handle), 0);
	igt_assert(handle);
	return handle;
}

uint32_t create_own(int fd, uint64_t size)
{
	uint32_t handle = 0;

	igt_assert_eq(phyr_copy_create(fd, size, &handle), 0);
	igt_assert(handle);
	return handle;
}

uint32_t create_user(int fd, const void *mem, uint64_t size, uint32_t flags)
{
	uint32_t handle = 0;

	igt_assert_eq(phyr_copy_userptr(fd, mem, size, flags, &handle), 0);
	return handle;
}

uint64_t pinned_bytes(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	unsigned long long kib;
	char line[128];
	bool found = false;

	igt_assert(file);
	while (!found && fgets(line, sizeof(line), file))
		found = sscanf(line, "VmPin: %llu kB", &kib) == 1;
	fclose(file);
	igt_assert(found);
	return kib * 1024;
}

void wait_for_pinned_bytes(uint64_t bytes)
{
	for (int tries = 0; tries < 300 && pinned_bytes() != bytes; tries++)
		usleep(100000);
	igt_assert_eq_u64(pinned_bytes(), bytes);
}

struct drm_phyr_vram_gem_info vram_info(int fd, uint32_t handle)
{
	struct drm_phyr_vram_gem_info info;

	igt_assert_eq(phyr_vram_gem_info(fd, handle, &info), 0);
	return info;
}

int export_buffer(int fd, uint32_t handle)
{
	int dmabuf = phyr_export(fd, handle);

	igt_assert_f(dmabuf >= 0, "export: %s\n", strerror(-dmabuf));
	return dmabuf;
}

uint32_t import_buffer(int fd, int dmabuf)
{
	uint32_t handle = 0;

	igt_assert_eq(phyr_import(fd, dmabuf, &handle), 0);
	igt_assert(handle);
	return handle;
}

int try_import(int fd, int dmabuf)
{
	uint32_t handle;

	return phyr_import(fd, dmabuf, &handle);
}

int try_import_into_engine(int dmabuf)
{
	int engine = open_copy(0);
	int err = try_import(engine, dmabuf);

	close(engine);
	return err;
}

uint32_t import_from(int fd, int exporter, uint32_t handle)
{
	int dmabuf = export_buffer(exporter, handle);
	uint32_t imported = import_buffer(fd, dmabuf);

	close(dmabuf);
	return imported;
}

int create_dmabuf(int fd, uint64_t size, uint64_t max_extent)
{
	uint32_t handle = create_vram(fd, size, IN_VRAM, max_extent);
	int dmabuf = export_buffer(fd, handle);

	igt_assert_eq(phyr_close_handle(fd, handle), 0);
	return dmabuf;
}

int create_fragmented(uint64_t size, uint32_t placement)
{
	struct card_buffer buffer = open_card_buffer(size, placement, SZ_4K);

	close(buffer.vram);
	return buffer.dmabuf;
}

struct card_buffer open_card_buffer(uint64_t size, uint32_t placement,
				    uint64_t max_extent)
{
	struct card_buffer buffer = { .vram = open_vram(0) };

	buffer.handle = create_vram(buffer.vram, size, placement, max_extent);
	buffer.dmabuf = export_buffer(buffer.vram, buffer.handle);
	return buffer;
}

void close_card_buffer(const struct card_buffer *buffer)
{
	close(buffer->dmabuf);
	close(buffer->vram);
}

int poll_now(int fd, short events)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };
	int ret = poll(&poll_fd, 1, 0);

	igt_assert(ret >= 0);
	return ret ? poll_fd.revents : 0;
}

int poll_again(struct pollfd *poll_fd, unsigned int limit)
{
	int ret;

	do
		ret = poll(poll_fd, 1, limit * 1000);
	while (ret < 0 && errno == EINTR);
	return ret;
}

static void *assert_mapped(void *mem, const char *what)
{
	igt_assert_f(mem != MAP_FAILED, "mmap of %s: %s\n", what,
		     strerror(errno));
	return mem;
}

void *map_vram(int fd, uint32_t handle, uint64_t size)
{
	return assert_mapped(phyr_vram_mmap(fd, handle, size,
					    PROT_READ | PROT_WRITE),
			     "a VRAM buffer");
}

void *map_own(int fd, uint32_t handle, uint64_t size)
{
	return assert_mapped(phyr_copy_mmap(fd, handle, size,
					    PROT_READ | PROT_WRITE),
			     "the engine's own buffer");
}

void *map_dmabuf(int dmabuf, uint64_t size)
{
	return assert_mapped(phyr_mmap(dmabuf, size, PROT_READ | PROT_WRITE, 0),
			     "a dma-buf");
}

void unmap(void *mem, uint64_t size)
{
	igt_assert_eq(munmap(mem, size), 0);
}

static void fill_and_unmap(void *mem, uint64_t size, uint64_t seed)
{
	phyr_fill(mem, seed, 0, size);
	unmap(mem, size);
}

void fill_vram(int fd, uint32_t handle, uint64_t size, uint64_t seed)
{
	fill_and_unmap(map_vram(fd, handle, size), size, seed);
}

void fill_own(int fd, uint32_t handle, uint64_t size, uint64_t seed)
{
	fill_and_unmap(map_own(fd, handle, size), size, seed);
}

void assert_bytes(const void *mem, uint64_t seed, uint64_t offset,
		  uint64_t len)
{
	int64_t at = phyr_verify(mem, seed, offset, len);

	igt_assert_f(at < 0, "byte %" PRId64 " of %" PRIu64
		     " is %#x; pattern %" PRIu64 " has %#x there\n", at, len,
		     ((const uint8_t *)mem)[at], seed,
		     phyr_byte(seed, offset + at));
}

void assert_zero(const void *mem, uint64_t len)
{
	int64_t at = phyr_verify_byte(mem, 0, len);

	igt_assert_f(at < 0, "byte %" PRId64 " of %" PRIu64
		     " is %#x, not 0\n", at, len, ((const uint8_t *)mem)[at]);
}

static void assert_and_unmap(void *mem, uint64_t size, uint64_t seed)
{
	assert_bytes(mem, seed, 0, size);
	unmap(mem, size);
}

void assert_vram(int fd, uint32_t handle, uint64_t size, uint64_t seed)
{
	assert_and_unmap(map_vram(fd, handle, size), size, seed);
}

void assert_own(int fd, uint32_t handle, uint64_t size, uint64_t seed)
{
	assert_and_unmap(map_own(fd, handle, size), size, seed);
}

void copy_bytes(int fd, uint32_t src, uint32_t dst, uint64_t len)
{
	igt_assert_eq(phyr_copy_run(fd, src, 0, dst, 0, len), 0);
}

void copy_part(int fd, uint32_t src, uint64_t src_offset, uint32_t dst,
	       uint64_t dst_offset, uint64_t len)
{
	igt_assert_eq(phyr_copy_run(fd, src, src_offset, dst, dst_offset, len),
		      0);
}

struct drm_phyr_copy_submit copy_job(uint32_t src, uint32_t dst, uint64_t len)
{
	return (struct drm_phyr_copy_submit){
		.src_handle = src,
		.dst_handle = dst,
		.len = len,
	};
}

void submit_job(int fd, struct drm_phyr_copy_submit job)
{
	igt_assert_eq(phyr_copy_submit(fd, &job), 0);
}

int submit_for_fence(int fd, struct drm_phyr_copy_submit job)
{
	int sync_file;

	igt_assert_eq(phyr_syncobj_create(fd, &job.out_syncobj), 0);
	submit_job(fd, job);
	igt_assert_eq(drmSyncobjExportSyncFile(fd, job.out_syncobj, &sync_file),
		      0);
	phyr_syncobj_destroy(fd, job.out_syncobj);
	return sync_file;
}

/*
 * Write to the pages: fallocate() does not clear them, so udmabuf would expose
 * their old contents.
 */
int create_sealed_memfd(uint64_t size)
{
	int memfd = memfd_create("phyr", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	igt_assert_eq(ftruncate(memfd, size), 0);
	for (uint64_t at = 0; at < size; at += SZ_4K)
		igt_assert_eq(pwrite(memfd, "", 1, at), 1);
	igt_assert_eq(fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	return memfd;
}

/*
 * udmabuf builds one segment per run of contiguous pages and never raises its
 * device's maximum segment size of 64 KiB. DMA-API debug reports longer
 * segments, which occur when memory is not fragmented. List the odd pieces of
 * 64 KiB before the even ones, so that no two neighbouring entries are
 * contiguous. The pages were allocated in order.
 */
int create_udmabuf_of(int memfd, uint64_t size)
{
	const uint64_t piece = SZ_64K;
	struct udmabuf_create_list *create;
	int device, dmabuf;

	device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	igt_assert_f(device >= 0, "/dev/udmabuf: %s\n", strerror(errno));
	create = calloc(1, sizeof(*create) + (size / piece + 1) *
			   sizeof(create->list[0]));
	igt_assert(create);
	create->flags = UDMABUF_FLAGS_CLOEXEC;
	for (unsigned int odd = 2; odd--;)
		for (uint64_t at = odd * piece; at < size; at += 2 * piece)
			create->list[create->count++] =
				(struct udmabuf_create_item){
					.memfd = memfd,
					.offset = at,
					.size = size - at < piece ? size - at :
								    piece,
				};
	dmabuf = ioctl(device, UDMABUF_CREATE_LIST, create);
	igt_assert_f(dmabuf >= 0, "UDMABUF_CREATE_LIST, %u pieces: %s\n",
		     create->count, strerror(errno));
	free(create);
	close(device);
	return dmabuf;
}

int create_udmabuf(uint64_t size)
{
	int memfd = create_sealed_memfd(size);
	int dmabuf = create_udmabuf_of(memfd, size);

	close(memfd);
	return dmabuf;
}

/* Redirect stderr: igt_runner reports any output on it as a warning. */
void run_command(const char *command)
{
	char line[512];
	int status;

	igt_assert(snprintf(line, sizeof(line), "exec 2>&1; %s", command) <
		   (int)sizeof(line));
	status = system(line);
	igt_assert_f(!status, "'%s' ended with status %#x\n", command, status);
}

static bool file_says(const char *busid, const char *name, const char *value)
{
	char path[96], text[32] = "";
	FILE *file;
	bool same;

	snprintf(path, sizeof(path), PCI_DEVICES "/%.15s/%s", busid, name);
	file = fopen(path, "re");
	if (!file)
		return false;
	same = fgets(text, sizeof(text), file) &&
	       !strncmp(text, value, strlen(value));
	fclose(file);
	return same;
}

bool pci_find(const char *vendor, const char *device, int index, char *busid)
{
	struct dirent **names;
	bool found = false;
	int nr = scandir(PCI_DEVICES, &names, NULL, alphasort);

	igt_assert_f(nr >= 0, PCI_DEVICES ": %s\n", strerror(errno));
	for (int i = 0; i < nr; i++) {
		if (!found && file_says(names[i]->d_name, "vendor", vendor) &&
		    file_says(names[i]->d_name, "device", device) &&
		    index-- == 0) {
			found = true;
			snprintf(busid, 16, "%.15s", names[i]->d_name);
		}
		free(names[i]);
	}
	free(names);
	return found;
}

/* The name of the bound driver, or "". */
void pci_driver(const char *busid, char *driver, size_t size)
{
	char path[96], target[256];
	ssize_t len;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver", busid);
	len = readlink(path, target, sizeof(target) - 1);
	target[len < 0 ? 0 : len] = '\0';
	snprintf(driver, size, "%s",
		 len < 0 ? "" : strrchr(target, '/') + 1);
}

void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	igt_assert_f(fd >= 0, "%s: %s\n", path, strerror(errno));
	igt_assert_f(write(fd, text, strlen(text)) == (ssize_t)strlen(text),
		     "'%s' > %s: %s\n", text, path, strerror(errno));
	close(fd);
}

void pci_bind(const char *busid, const char *driver)
{
	char path[96], bound[64];

	pci_driver(busid, bound, sizeof(bound));
	if (!strcmp(bound, driver))
		return;
	if (bound[0]) {
		snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver/unbind",
			 busid);
		write_file(path, busid);
	}
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver_override", busid);
	write_file(path, driver);
	write_file("/sys/bus/pci/drivers_probe", busid);
	pci_driver(busid, bound, sizeof(bound));
	igt_assert_f(!strcmp(bound, driver), "%s is bound to '%s', not to %s\n",
		     busid, bound, driver);
}

void remove_device(const char *busid, enum removal removal)
{
	char path[96];

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/%s", busid,
		 removal == UNPLUG ? "remove" : "driver/unbind");
	write_file(path, removal == UNPLUG ? "1" : busid);
}

/* A rescanned device is a new device to sysfs, without driver_override. */
void restore_device(const char *busid, const char *driver, enum removal removal)
{
	if (removal == UNPLUG) {
		write_file("/sys/bus/pci/drivers_autoprobe", "0");
		write_file("/sys/bus/pci/rescan", "1");
		write_file("/sys/bus/pci/drivers_autoprobe", "1");
	}
	pci_bind(busid, driver);
}

/* A card that is alone behind its port has a bus reset. */
void reset_path(const struct phyr_device *card, char *path, size_t size)
{
	char method[64] = "";
	FILE *file;

	snprintf(path, size, "/sys/bus/pci/devices/%s/reset_method",
		 card->busid);
	file = fopen(path, "re");
	igt_require_f(file, "%s has no reset method\n", card->busid);
	if (fgets(method, sizeof(method), file))
		igt_info("reset method: %s", method);
	fclose(file);
	igt_assert_f(strstr(method, "bus"),
		     "%s has reset methods '%s', expected bus\n", card->busid,
		     method);
	snprintf(path, size, "/sys/bus/pci/devices/%s/reset", card->busid);
}

/* vm/guest/bind may have bound only one of them. */
void bind_engines(void)
{
	char busid[16];

	for (int i = 0; i < 2; i++) {
		igt_assert_f(pci_find("0x1000", "0x0012", i, busid),
			     "no LSI 53C895A %d\n", i);
		pci_bind(busid, PHYR_COPY_DRIVER);
	}
}

/*
 * The first ivshmem device is backed by build/vram.bin and is phyr_vram's card
 * in all configurations but phyr_huge's. Bus numbers follow the order of
 * vm/run.
 */
int open_phyr_test(int ivshmem)
{
	struct phyr_test_devices devices = { 0 };
	char busid[16];
	int fd;

	run_command("modprobe phyr_test");
	igt_assert_f(pci_find("0x1234", "0x11e8", 0, busid), "no edu\n");
	pci_bind(busid, "phyr_test");
	igt_assert_f(pci_find("0x1af4", "0x1110", ivshmem, busid),
		     "no ivshmem %d\n", ivshmem);
	pci_bind(busid, "phyr_test");
	fd = open("/dev/phyr_test", O_RDWR | O_CLOEXEC);
	igt_assert_f(fd >= 0, "/dev/phyr_test: %s\n", strerror(errno));
	igt_assert_eq(phyr_ioctl(fd, PHYR_TEST_IOC_DEVICES, &devices), 0);
	igt_assert_eq(devices.exporters, 1);
	igt_assert_eq(devices.importers, 1);
	return fd;
}

uint64_t test_bar(int test)
{
	struct phyr_test_devices devices = { 0 };

	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_DEVICES, &devices), 0);
	return devices.bar_start;
}

int test_export(int test, uint32_t style, uint64_t start, uint64_t count,
		uint64_t len, int64_t stride)
{
	struct phyr_test_export export = {
		.style = style,
		.fd = -1,
		.start = start,
		.count = count,
		.len = len,
		.stride = stride,
	};

	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_EXPORT, &export), 0);
	igt_assert(export.fd >= 0);
	return export.fd;
}

/* Cache names such as kmalloc-32 and kmalloc-rnd-07-1k end in the size. */
uint64_t kmalloc_objects(unsigned int size)
{
	char line[512], name[64], suffix[16];
	uint64_t active, sum = 0;
	FILE *file = fopen("/proc/slabinfo", "re");
	int caches = 0;

	igt_assert_f(file, "/proc/slabinfo: %s\n", strerror(errno));
	snprintf(suffix, sizeof(suffix), size < 1024 ? "-%u" : "-%uk",
		 size < 1024 ? size : size / 1024);
	while (fgets(line, sizeof(line), file)) {
		size_t len;

		if (sscanf(line, "%63s %" SCNu64, name, &active) != 2)
			continue;
		len = strlen(name);
		if (strncmp(name, "kmalloc-", 8) || len < strlen(suffix) ||
		    strcmp(name + len - strlen(suffix), suffix))
			continue;
		sum += active;
		caches++;
	}
	fclose(file);
	igt_assert_f(caches, "/proc/slabinfo has no kmalloc%s\n", suffix);
	return sum;
}

/* Two more than the number of open file descriptors; only for comparisons. */
unsigned int open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;

	igt_assert(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

/*
 * Only kernels with CONFIG_IKCONFIG_PROC can have it, such as the debug
 * kernel.
 */
bool kasan_is_on(void)
{
	return !access("/proc/config.gz", R_OK) &&
	       !system("zcat /proc/config.gz | grep -q '^CONFIG_KASAN=y'");
}

/*
 * Number of rounds for @times rounds on the stock kernel. KASAN, lockdep and
 * DMA-API debug slow a round down tenfold, but detect in one round what
 * otherwise takes many.
 */
int repeats(int times)
{
	return kasan_is_on() ? (times + 19) / 20 : times;
}

/* The same for random tests: a tenth. */
int chances(int times)
{
	return kasan_is_on() ? (times + 9) / 10 : times;
}

static void write_trace_file(const char *file, const char *text, int flags)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/tracing/%s", file);
	fd = open(path, O_WRONLY | O_CLOEXEC | flags);
	igt_assert_f(fd >= 0, "%s: %s\n", path, strerror(errno));
	if (*text)
		igt_assert_f(write(fd, text, strlen(text)) ==
			     (ssize_t)strlen(text), "'%s' > %s: %s\n", text,
			     path, strerror(errno));
	close(fd);
}

void trace_write(const char *file, const char *text)
{
	write_trace_file(file, text, O_TRUNC);
}

void trace_append(const char *file, const char *text)
{
	write_trace_file(file, text, O_APPEND);
}

void trace_reset(void)
{
	trace_write("tracing_on", "0");
	trace_write("current_tracer", "nop");
	trace_write("set_event", "");
	trace_write("set_ftrace_filter", "");
	trace_write("trace", "");
}

void trace_start(void)
{
	trace_write("trace", "");
	trace_write("tracing_on", "1");
}

void trace_stop(void)
{
	trace_write("tracing_on", "0");
}

void trace_each(void (*see)(char *line, void *data), void *data)
{
	FILE *file = fopen("/sys/kernel/tracing/trace", "re");
	char *line = NULL;
	size_t size = 0;

	igt_assert_f(file, "trace: %s\n", strerror(errno));
	while (getline(&line, &size, file) > 0)
		if (line[0] != '#')
			see(line, data);
	free(line);
	fclose(file);
}

void move_buffer(int fd, uint32_t handle, uint32_t placement)
{
	igt_assert_eq(try_move_buffer(fd, handle, placement), 0);
	igt_assert_eq(vram_info(fd, handle).placement, placement);
}

void move_when_unpinned(int fd, uint32_t handle, uint32_t placement)
{
	int tries = 0;

	while (try_move_buffer(fd, handle, placement) == -EBUSY && tries++ < 300)
		usleep(100000);
	igt_assert_eq(vram_info(fd, handle).placement, placement);
}

int try_move_buffer(int fd, uint32_t handle, uint32_t placement)
{
	struct drm_phyr_vram_gem_move move = {
		.handle = handle,
		.placement = placement,
	};

	return phyr_ioctl(fd, DRM_IOCTL_PHYR_VRAM_GEM_MOVE, &move);
}

int try_hold(int test, int dmabuf, uint32_t kind, uint32_t unmap, uint32_t *id)
{
	struct phyr_test_hold hold = {
		.fd = dmabuf,
		.kind = kind,
		.unmap = unmap,
	};
	int err = phyr_ioctl(test, PHYR_TEST_IOC_HOLD, &hold);

	*id = hold.id;
	return err;
}

uint32_t hold_mapped(int test, int dmabuf, uint32_t kind, uint32_t unmap)
{
	struct phyr_test_held held = { 0 };

	igt_assert_eq(try_hold(test, dmabuf, kind, unmap, &held.id), 0);
	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_MAP, &held), 0);
	igt_assert(held.mapped && held.ranges);
	return held.id;
}

struct phyr_test_held held_now(int test, uint32_t id)
{
	struct phyr_test_held held = { .id = id };

	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_HELD, &held), 0);
	return held;
}

void release_held(int test, uint32_t id)
{
	struct phyr_test_held held = { .id = id };

	igt_assert_eq(phyr_ioctl(test, PHYR_TEST_IOC_RELEASE, &held), 0);
}

void reload_vram(const char *parameters)
{
	char busid[16], command[64];

	run_command("rmmod phyr_vram");
	snprintf(command, sizeof(command), "modprobe phyr_vram %s", parameters);
	run_command(command);
	igt_assert(pci_find("0x1af4", "0x1110", 0, busid));
	pci_bind(busid, PHYR_VRAM_DRIVER);
	igt_assert(pci_find("0x1234", "0x1111", 0, busid));
	pci_bind(busid, PHYR_VRAM_DRIVER);
}

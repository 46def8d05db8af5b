// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <inttypes.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <xf86drm.h>

#include "lib.h"

IGT_TEST_DESCRIPTION("A client's memory in /proc/PID/fdinfo and gputop");

/* Sizes of a client's buffers in one memory region, in bytes. */
struct usage {
	uint64_t total;
	uint64_t shared;
	uint64_t resident;
	uint64_t active;
};

static char fdinfo_text[4096];

/* Read the file into fdinfo_text, where key_text() looks up keys. */
static void read_fdinfo(pid_t pid, int fd)
{
	char path[64];
	FILE *file;
	size_t len;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	file = fopen(path, "re");
	igt_assert_f(file, "%s: %s\n", path, strerror(errno));
	len = fread(fdinfo_text, 1, sizeof(fdinfo_text) - 1, file);
	fdinfo_text[len] = '\0';
	fclose(file);
}

/* The text after "@key:\t". */
static const char *key_text(const char *key)
{
	const char *at = fdinfo_text;
	size_t len = strlen(key);

	for (; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (!strncmp(at, key, len) && at[len] == ':')
			return at + len + 1 + strspn(at + len + 1, "\t ");
	}
	igt_assert_f(false, "no key %s in fdinfo:\n%s\n", key, fdinfo_text);
	return NULL;
}

static uint64_t key_bytes(const char *kind, const char *place)
{
	char key[48], unit[8] = "";
	const char *text;
	uint64_t value;

	snprintf(key, sizeof(key), "drm-%s-%s", kind, place);
	text = key_text(key);
	/* No unit means bytes; then the first word of the next line follows. */
	igt_assert(sscanf(text, "%" SCNu64 "%7[ KMGiB]", &value, unit) >= 1);
	if (!strcmp(unit, " KiB"))
		return value << 10;
	if (!strcmp(unit, " MiB"))
		return value << 20;
	igt_assert_f(!unit[0], "unknown unit '%s' of %s\n", unit, key);
	return value;
}

static struct usage usage_of(const char *place)
{
	return (struct usage){
		.total = key_bytes("total", place),
		.shared = key_bytes("shared", place),
		.resident = key_bytes("resident", place),
		.active = key_bytes("active", place),
	};
}

static void assert_usage(const char *place, struct usage expected)
{
	struct usage usage = usage_of(place);

	igt_assert_f(!memcmp(&usage, &expected, sizeof(usage)),
		     "%s: total %" PRIu64 " shared %" PRIu64 " resident %"
		     PRIu64 " active %" PRIu64 ", expected %" PRIu64 " %"
		     PRIu64 " %" PRIu64 " %" PRIu64 "\n", place, usage.total,
		     usage.shared, usage.resident, usage.active,
		     expected.total, expected.shared, expected.resident,
		     expected.active);
}

#define ASSERT_USAGE(place, ...) \
	assert_usage(place, (struct usage){ __VA_ARGS__ })

static void identity(void)
{
	struct phyr_device card = vram_device(0);
	int fd = open_device(&card), other = open_device(&card);
	int same = dup(fd);
	long id;

	read_fdinfo(getpid(), fd);
	igt_assert(!strncmp(key_text("drm-driver"), PHYR_VRAM_DRIVER "\n",
			    strlen(PHYR_VRAM_DRIVER) + 1));
	igt_assert(!strncmp(key_text("drm-pdev"), card.busid,
			    strlen(card.busid)));
	id = atol(key_text("drm-client-id"));
	igt_assert(id > 0);
	read_fdinfo(getpid(), same);
	igt_assert_eq(atol(key_text("drm-client-id")), id);
	read_fdinfo(getpid(), other);
	igt_assert(atol(key_text("drm-client-id")) != id);
	close(same);
	close(other);
	close(fd);
}

static void places(void)
{
	int fd = open_vram(0);
	uint32_t handle;

	read_fdinfo(getpid(), fd);
	ASSERT_USAGE("vram", 0);
	ASSERT_USAGE("system", 0);
	handle = create_vram(fd, 3 * SZ_1M, EVICTABLE, 0);
	create_vram(fd, 12 * SZ_4K, IN_VRAM, SZ_4K);
	create_vram(fd, 5 * SZ_4K, IN_SYSTEM, 0);
	read_fdinfo(getpid(), fd);
	ASSERT_USAGE("vram", .total = 3 * SZ_1M + 12 * SZ_4K,
		     .resident = 3 * SZ_1M + 12 * SZ_4K);
	ASSERT_USAGE("system", .total = 5 * SZ_4K, .resident = 5 * SZ_4K);
	move_buffer(fd, handle, IN_SYSTEM);
	read_fdinfo(getpid(), fd);
	ASSERT_USAGE("vram", .total = 12 * SZ_4K, .resident = 12 * SZ_4K);
	ASSERT_USAGE("system", .total = 3 * SZ_1M + 5 * SZ_4K,
		     .resident = 3 * SZ_1M + 5 * SZ_4K);
	igt_assert_eq(phyr_close_handle(fd, handle), 0);
	read_fdinfo(getpid(), fd);
	ASSERT_USAGE("system", .total = 5 * SZ_4K, .resident = 5 * SZ_4K);
	close(fd);
}

/* A buffer counts as shared if it has more than one handle, in any client. */
static void shared(void)
{
	int fd = open_vram(0), other = open_vram(0);
	uint32_t handle = create_vram(fd, SZ_1M, IN_VRAM, 0), imported;

	create_vram(fd, SZ_64K, IN_VRAM, 0);
	imported = import_from(other, fd, handle);
	read_fdinfo(getpid(), fd);
	ASSERT_USAGE("vram", .total = SZ_1M + SZ_64K, .shared = SZ_1M,
		     .resident = SZ_1M + SZ_64K);
	read_fdinfo(getpid(), other);
	ASSERT_USAGE("vram", .total = SZ_1M, .shared = SZ_1M,
		     .resident = SZ_1M);
	igt_assert_eq(phyr_close_handle(other, imported), 0);
	read_fdinfo(getpid(), other);
	ASSERT_USAGE("vram", 0);
	close(other);
	close(fd);
}

#define HANDLES	100

/* GEM_OPEN of a buffer's global name gives a new handle each time. */
static void many_handles(void)
{
	struct phyr_device card = small_vram_device();
	int fd = open(card.primary, O_RDWR | O_CLOEXEC);
	struct drm_gem_flink name = { 0 };
	struct drm_gem_open more = { 0 };
	uint32_t handles[HANDLES];

	igt_assert_f(fd >= 0, "%s: %s\n", card.primary, strerror(errno));
	handles[0] = create_vram(fd, 3 * SZ_1M, EVICTABLE, 0);
	name.handle = handles[0];
	igt_assert_eq(phyr_ioctl(fd, DRM_IOCTL_GEM_FLINK, &name), 0);
	more.name = name.name;
	for (int i = 1; i < HANDLES; i++) {
		igt_assert_eq(phyr_ioctl(fd, DRM_IOCTL_GEM_OPEN, &more), 0);
		handles[i] = more.handle;
		igt_assert(handles[i] != handles[i - 1]);
	}
	read_fdinfo(getpid(), fd);
	/* All handles are of one client: the buffer is not shared. */
	ASSERT_USAGE("vram", .total = 3 * SZ_1M, .resident = 3 * SZ_1M);
	move_buffer(fd, handles[HANDLES / 2], IN_SYSTEM);
	for (int i = 0; i < HANDLES - 1; i++)
		igt_assert_eq(phyr_close_handle(fd, handles[i]), 0);
	read_fdinfo(getpid(), fd);
	ASSERT_USAGE("vram", 0);
	ASSERT_USAGE("system", .total = 3 * SZ_1M, .resident = 3 * SZ_1M);
	igt_assert_eq(phyr_close_handle(fd, handles[HANDLES - 1]), 0);
	read_fdinfo(getpid(), fd);
	ASSERT_USAGE("system", 0);
	close(fd);
}

/* A hung job keeps its buffer busy until the engine times out. */
static void active(void)
{
	struct phyr_device device = copy_device(0);
	int fd = open_vram(0), engine = open_device(&device);
	uint32_t handle = create_vram(fd, SZ_1M, IN_VRAM, 0);
	struct drm_phyr_copy_submit submit = {
		.len = SZ_1M,
		.src_handle = create_own(engine, SZ_1M),
		.dst_handle = import_from(engine, fd, handle),
	};

	create_vram(fd, SZ_64K, IN_VRAM, 0);
	igt_assert_eq(phyr_hang(&device, 1), 0);
	igt_assert_eq(phyr_copy_submit(engine, &submit), 0);
	read_fdinfo(getpid(), fd);
	igt_assert_eq_u64(usage_of("vram").active, SZ_1M);
	/* Wait for the fences of the buffer, and so for the job. */
	move_buffer(fd, handle, IN_VRAM);
	unmap(map_vram(fd, handle, SZ_1M), SZ_1M);
	copy_bytes(engine, create_own(engine, SZ_4K), create_own(engine, SZ_4K),
		   SZ_4K);
	read_fdinfo(getpid(), fd);
	igt_assert_eq_u64(usage_of("vram").active, 0);
	close(engine);
	close(fd);
}

static uint64_t engine_time(int fd)
{
	uint64_t value;
	char unit[8] = "";

	read_fdinfo(getpid(), fd);
	igt_assert(sscanf(key_text("drm-engine-copy"), "%" SCNu64 " %7s",
			  &value, unit) == 2);
	igt_assert(!strcmp(unit, "ns"));
	return value;
}

/* The engine's time is that of the client whose copies it ran. */
static void engine(void)
{
	int fd = open_copy(0), other = open_copy(0);
	uint32_t src = create_own(fd, SZ_16M), dst = create_own(fd, SZ_16M);
	uint64_t before, after;

	igt_assert_eq_u64(engine_time(fd), 0);
	copy_bytes(fd, src, dst, SZ_16M);
	/* The time of a job is added after its fence has signalled. */
	for (int tries = 0; tries < 300 && !engine_time(fd); tries++)
		usleep(100000);
	before = engine_time(fd);
	igt_assert(before > 0);
	for (int i = 0; i < 8; i++)
		copy_bytes(fd, src, dst, SZ_16M);
	for (int tries = 0; tries < 300 && engine_time(fd) < 4 * before; tries++)
		usleep(100000);
	after = engine_time(fd);
	igt_info("16 MiB: %" PRIu64 " ns, then 128 MiB: %" PRIu64 " ns\n",
		 before, after - before);
	igt_assert(after > before);
	igt_assert_eq_u64(engine_time(other), 0);
	read_fdinfo(getpid(), fd);
	ASSERT_USAGE("memory", .total = 2 * SZ_16M, .resident = 2 * SZ_16M);
	close(fd);
	close(other);
}

/* Each GEM_OPEN of a name creates another handle of the same buffer. */
static void engine_handles(void)
{
	struct phyr_device device = copy_device(0);
	int fd = open(device.primary, O_RDWR | O_CLOEXEC);
	struct drm_gem_flink flink = { .handle = create_own(fd, SZ_1M) };

	igt_assert_eq(phyr_ioctl(fd, DRM_IOCTL_GEM_FLINK, &flink), 0);
	for (int i = 0; i < 10; i++) {
		struct drm_gem_open name = { .name = flink.name };

		igt_assert_eq(phyr_ioctl(fd, DRM_IOCTL_GEM_OPEN, &name), 0);
	}
	read_fdinfo(getpid(), fd);
	igt_assert_eq_u64(key_bytes("total", "memory"), SZ_1M);
	close(fd);
}

/* gputop needs a terminal. Its second update is of clients it knows. */
static const char *gputop_output(void)
{
	struct winsize size = { .ws_row = 50, .ws_col = 120 };
	static char text[65536];
	int terminal, status;
	size_t len = 0;
	ssize_t got;
	pid_t pid;

	pid = forkpty(&terminal, NULL, NULL, &size);
	igt_assert(pid >= 0);
	if (!pid) {
		execlp("gputop", "gputop", "-n", "2", "-d", "1", NULL);
		_exit(127);
	}
	while (len < sizeof(text) - 1 &&
	       (got = read(terminal, text + len, sizeof(text) - 1 - len)) > 0)
		len += got;
	text[len] = '\0';
	igt_assert_eq(waitpid(pid, &status, 0), pid);
	igt_assert_f(!status, "gputop ended with wait status %#x\n", status);
	close(terminal);
	igt_info("%s\n", text);
	return text;
}

/* Format like gputop: rounded down, in the largest unit that gives at least 1. */
static void gputop_size(uint64_t bytes, char text[16])
{
	const char *unit = "BKMG";

	for (; bytes >= 1024 && unit[1]; unit++)
		bytes /= 1024;
	snprintf(text, 16, "%" PRIu64 "%c", bytes, *unit);
}

/* gputop's last update has one row for @pid, with these two sizes. */
static void assert_row(const char *text, pid_t pid, uint64_t total,
		       uint64_t resident)
{
	char mem[16], rss[16], seen_mem[16], seen_rss[16];
	const char *line;
	int rows = 0, seen_pid;

	gputop_size(total, mem);
	gputop_size(resident, rss);
	for (line = strrchr(text, 'H'); line; line = strchr(line, '\n')) {
		line++;
		if (sscanf(line, "%d %15s %15s", &seen_pid, seen_mem,
			   seen_rss) != 3 || seen_pid != pid)
			continue;
		rows++;
		igt_assert_f(!strcmp(mem, seen_mem) && !strcmp(rss, seen_rss),
			     "gputop shows %s %s for client %d, expected %s %s\n",
			     seen_mem, seen_rss, pid, mem, rss);
	}
	igt_assert_f(rows == 1, "gputop shows %d rows for client %d, expected 1\n", rows,
		     pid);
}

/* Bytes allocated by each client, which are processes of their own. */
static const struct {
	uint64_t vram;
	uint64_t system;
} clients[] = {
	{ 7 * SZ_1M, 0 },
	/* A sum in KiB; that of the first client is in MiB. */
	{ 37 * SZ_4K, 5 * SZ_4K },
	{ SZ_1M + SZ_4K, 3 * SZ_1M - SZ_4K },
	/* Also imports a buffer of its parent. */
	{ SZ_4K, 0 },
};

#define SHARING_CLIENT	3

struct report {
	pid_t pid;
	int fd;
};

/* Pipes: clients report to the parent, and exit when it closes @end. */
struct pipes {
	int report[2];
	int end[2];
};

static void run_client(int number, int dmabuf, struct pipes *pipes)
{
	struct report report = { .pid = getpid(), .fd = open_vram(0) };
	char byte;

	close(pipes->end[1]);
	if (clients[number].vram)
		create_vram(report.fd, clients[number].vram, IN_VRAM, SZ_4K);
	if (clients[number].system)
		create_vram(report.fd, clients[number].system, IN_SYSTEM, 0);
	if (number == SHARING_CLIENT)
		import_buffer(report.fd, dmabuf);
	igt_assert(write(pipes->report[1], &report, sizeof(report)) ==
		   (ssize_t)sizeof(report));
	igt_assert_eq(read(pipes->end[0], &byte, 1), 0);
}

static void assert_client(int number, struct report report,
			  const char *output, uint64_t shared)
{
	uint64_t vram = clients[number].vram, system = clients[number].system;

	if (number != SHARING_CLIENT)
		shared = 0;
	vram += shared;
	read_fdinfo(report.pid, report.fd);
	ASSERT_USAGE("vram", .total = vram, .shared = shared,
		     .resident = vram);
	ASSERT_USAGE("system", .total = system, .resident = system);
	assert_row(output, report.pid, vram + system, vram + system);
}

static void gputop_agrees(void)
{
	int fd = open_vram(0), dmabuf = create_dmabuf(fd, 2 * SZ_1M, 0);
	struct report reports[ARRAY_SIZE(clients)];
	const char *output;
	struct pipes pipes;
	unsigned int i;

	igt_assert_eq(pipe2(pipes.end, O_CLOEXEC), 0);
	for (i = 0; i < ARRAY_SIZE(clients); i++) {
		/* One pipe per client, so that reports come in order. */
		igt_assert_eq(pipe2(pipes.report, O_CLOEXEC), 0);
		igt_fork(child, 1)
			run_client(i, dmabuf, &pipes);
		close(pipes.report[1]);
		igt_assert_f(read(pipes.report[0], &reports[i],
				  sizeof(reports[i])) ==
			     (ssize_t)sizeof(reports[i]),
			     "client %u sent no report\n", i);
		close(pipes.report[0]);
	}
	output = gputop_output();
	for (i = 0; i < ARRAY_SIZE(clients); i++)
		assert_client(i, reports[i], output, 2 * SZ_1M);
	close(pipes.end[0]);
	close(pipes.end[1]);
	igt_waitchildren();
	close(dmabuf);
	close(fd);
}

igt_main()
{
	igt_describe("fdinfo names the driver, the card and the client");
	igt_subtest("identity")
		identity();

	igt_describe("The bytes in VRAM and in system memory are exact and follow buffers that move");
	igt_subtest("places")
		places();

	igt_describe("A buffer with a handle in two clients is shared for both");
	igt_subtest("shared")
		shared();

	igt_describe("100 handles of one buffer count as one buffer");
	igt_subtest("many-handles")
		many_handles();

	igt_describe("A buffer is active while it is under DMA");
	igt_subtest("active")
		active();

	igt_describe("The time that the copy engine worked for a client");
	igt_subtest("engine")
		engine();

	igt_describe("A buffer of the copy engine counts once, however many handles it has");
	igt_subtest("engine-handles")
		engine_handles();

	igt_describe("gputop shows the same numbers for clients in other processes");
	igt_subtest("gputop")
		gputop_agrees();
}

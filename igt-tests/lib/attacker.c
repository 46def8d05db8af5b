// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "attacker.h"
#include "display.h"

#define NOBODY		65534
#define CGROUPS		"/run/phyr-cgroups"
#define CGROUP		CGROUPS "/attacker"

struct scene scene;

static bool is_attacker;
static int to_attacker[2] = { -1, -1 }, to_victim[2] = { -1, -1 };

/*
 * Close the old ends: an attacker left over from a failed subtest waits for
 * them.
 */
static void make_pipe(int ends[2])
{
	close(ends[0]);
	close(ends[1]);
	igt_assert_eq(pipe2(ends, O_CLOEXEC), 0);
}

void send_number(uint64_t number)
{
	int fd = is_attacker ? to_victim[1] : to_attacker[1];

	igt_assert_eq(write(fd, &number, sizeof(number)), sizeof(number));
}

uint64_t receive_number(void)
{
	int fd = is_attacker ? to_attacker[0] : to_victim[0];
	uint64_t number = 0;

	igt_assert_f(read(fd, &number, sizeof(number)) == sizeof(number),
		     "the other side has ended\n");
	return number;
}

int open_path(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	igt_assert_f(fd >= 0, "%s: %s\n", path, strerror(errno));
	return fd;
}

uint8_t *make_arena(void)
{
	uint8_t *mem = mmap(NULL, ARENA + SZ_4K, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	igt_assert(mem != MAP_FAILED);
	igt_assert_eq(mprotect(mem + ARENA, SZ_4K, PROT_NONE), 0);
	return mem;
}

/*
 * Nodes
 */

static struct {
	char path[32];
	mode_t mode;
} nodes[16];
static unsigned int nr_nodes;

static void open_node(const char *path)
{
	struct stat was;

	if (!path[0])
		return;
	igt_assert(nr_nodes < ARRAY_SIZE(nodes));
	igt_assert_eq(stat(path, &was), 0);
	nodes[nr_nodes].mode = was.st_mode & 07777;
	snprintf(nodes[nr_nodes].path, sizeof(nodes[nr_nodes].path), "%s",
		 path);
	nr_nodes++;
	igt_assert_eq(chmod(path, 0666), 0);
}

static void open_nodes(const char *driver)
{
	struct phyr_device devices[8];
	int nr = phyr_device_list(driver, devices, ARRAY_SIZE(devices));

	for (int i = 0; i < nr; i++) {
		open_node(devices[i].primary);
		open_node(devices[i].render);
	}
}

/* A node may have been removed with its card and created again. */
void close_nodes(void)
{
	while (nr_nodes--)
		chmod(nodes[nr_nodes].path, nodes[nr_nodes].mode);
	nr_nodes = 0;
}

/*
 * The attacker
 */

static void assert_no_capabilities(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[128];
	uint64_t set;
	int seen = 0;

	igt_assert(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "CapPrm: %" SCNx64, &set) == 1 ||
		    sscanf(line, "CapEff: %" SCNx64, &set) == 1 ||
		    sscanf(line, "CapAmb: %" SCNx64, &set) == 1) {
			igt_assert_eq_u64(set, 0);
			seen++;
		}
	fclose(file);
	igt_assert_eq(seen, 3);
}

static void become_attacker(void)
{
	is_attacker = true;
	close(to_attacker[1]);
	close(to_victim[0]);
	igt_assert_eq(setgroups(0, NULL), 0);
	igt_assert_eq(setresgid(NOBODY, NOBODY, NOBODY), 0);
	igt_assert_eq(setresuid(NOBODY, NOBODY, NOBODY), 0);
	igt_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	/* Otherwise its own files in /proc would belong to root. */
	igt_assert_eq(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), 0);
	assert_no_capabilities();
}

static void enter_cgroup(void)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	write_file(CGROUP "/cgroup.procs", pid);
	/*
	 * libigt sets this to the maximum for itself; undo it for the
	 * attacker.
	 */
	write_file("/proc/self/oom_score_adj", "0");
}

static void run_attack(bool limited, void (*attack)(void),
		       void (*victim)(pid_t attacker))
{
	scene.card = vram_device(0);
	scene.display = display_device();
	scene.engine = copy_device(0);
	scene.victim = getpid();
	make_pipe(to_attacker);
	make_pipe(to_victim);
	close_nodes();
	/* Set the modes that udev would set. */
	run_command("/phyr/vm/guest/udev");
	open_nodes(PHYR_VRAM_DRIVER);
	open_nodes(PHYR_COPY_DRIVER);

	igt_fork(child, 1) {
		if (limited)
			enter_cgroup();
		become_attacker();
		send_number(getpid());
		attack();
	}
	close(to_victim[1]);
	to_victim[1] = -1;
	close(to_attacker[0]);
	to_attacker[0] = -1;
	pid_t attacker = receive_number();

	if (victim)
		victim(attacker);
	igt_waitchildren();
	close_nodes();
}

void under_attack(void (*attack)(void), void (*victim)(pid_t attacker))
{
	run_attack(false, attack, victim);
}

/* The attacker's cgroup */

static void mount_cgroups(void)
{
	mkdir(CGROUPS, 0755);
	if (access(CGROUPS "/cgroup.procs", F_OK))
		igt_assert_eq(mount("cgroup2", CGROUPS, "cgroup2", 0, NULL), 0);
}

static bool has_controller(const char *name)
{
	FILE *file = fopen(CGROUPS "/cgroup.controllers", "re");
	char line[256] = "";
	bool found;

	igt_assert(file);
	found = fgets(line, sizeof(line), file) && strstr(line, name);
	fclose(file);
	return found;
}

/*
 * Replace the old cgroup, which may still be charged for memory that is being
 * freed.
 */
static void make_cgroup(const char *controller, const char *limit)
{
	char text[64];

	rmdir(CGROUP);
	snprintf(text, sizeof(text), "+%s", controller);
	write_file(CGROUPS "/cgroup.subtree_control", text);
	igt_assert_eq(mkdir(CGROUP, 0755), 0);
	snprintf(text, sizeof(text), "%s/%s.max", CGROUP, controller);
	write_file(text, limit);
}

void under_attack_limited(uint64_t bytes, void (*attack)(void),
			  void (*victim)(pid_t attacker))
{
	char limit[32];

	mount_cgroups();
	igt_require_f(has_controller("memory"),
		      "this kernel has no memory cgroups (CONFIG_MEMCG)\n");
	snprintf(limit, sizeof(limit), "%" PRIu64, bytes);
	make_cgroup("memory", limit);
	run_attack(true, attack, victim);
}

void under_attack_with_region(const char *region, uint64_t bytes,
			      void (*attack)(void),
			      void (*victim)(pid_t attacker))
{
	char limit[96];

	mount_cgroups();
	igt_require_f(has_controller("dmem"),
		      "this kernel has no cgroups for device memory (CONFIG_CGROUP_DMEM)\n");
	snprintf(limit, sizeof(limit), "%s %" PRIu64, region, bytes);
	make_cgroup("dmem", limit);
	run_attack(true, attack, victim);
}

void under_attack_with_vram(const struct phyr_device *card, uint64_t bytes,
			    void (*attack)(void),
			    void (*victim)(pid_t attacker))
{
	char region[64];

	snprintf(region, sizeof(region), "drm/%s/vram", card->busid);
	under_attack_with_region(region, bytes, attack, victim);
}

uint64_t limited_bytes(void)
{
	FILE *file = fopen(CGROUP "/memory.current", "re");
	uint64_t bytes;

	igt_assert(file);
	igt_assert_eq(fscanf(file, "%" SCNu64, &bytes), 1);
	fclose(file);
	return bytes;
}

uint64_t limited_event(const char *event)
{
	FILE *file = fopen(CGROUP "/memory.events", "re");
	char name[32];
	uint64_t count;

	igt_assert(file);
	while (fscanf(file, "%31s %" SCNu64, name, &count) == 2)
		if (!strcmp(name, event)) {
			fclose(file);
			return count;
		}
	igt_assert_f(false, "memory.events has no %s\n", event);
	return 0;
}

// SPDX-License-Identifier: MIT
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "random/world.h"

IGT_TEST_DESCRIPTION("Random operations, valid and invalid, in random order");

#define PROGRESS_LINES	20
#define MAX_CLIENTS	16
#define MAX_WITHOUT	32
#define COMMON		100	/* the weight of lists that are not rare */
#define LIFE		2000	/* operations of a client until it is killed */
#define GENERATION	1000	/* between the seeds of a client's lives */
#define INTERRUPTED	4	/* percent of operations */

static struct {
	uint64_t seed;
	uint64_t ops;
	unsigned int clients;
	const char *without[MAX_WITHOUT];
	unsigned int nr_without;
} options = { .seed = 1, .clients = 3 };

static struct world world;
static struct operation operations[MAX_OPERATIONS];
static unsigned int nr_operations;
static unsigned int weights;

static bool is_left_out(const char *name)
{
	for (unsigned int i = 0; i < options.nr_without; i++)
		if (!strcmp(options.without[i], name))
			return true;
	return false;
}

static void add_operations(const struct operation *more, unsigned int weight)
{
	for (; more->name; more++) {
		if (is_left_out(more->name))
			continue;
		igt_assert(nr_operations < MAX_OPERATIONS);
		operations[nr_operations] = *more;
		operations[nr_operations].weight *= weight;
		weights += operations[nr_operations++].weight;
	}
}

static unsigned int any_operation(void)
{
	unsigned int left = below(&world, weights), i;

	for (i = 0; left >= operations[i].weight; i++)
		left -= operations[i].weight;
	return i;
}

/*
 * Signals
 */

static volatile sig_atomic_t signals_left;

static void stop_signals(void)
{
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
}

static void on_alarm(int number)
{
	(void)number;
	world.watched->signals++;
	if (signals_left-- <= 1)
		stop_signals();
}

/* A few signals in short intervals, so that some hit a system call. */
static void start_signals(void)
{
	struct sigaction action = {
		.sa_handler = on_alarm,
		.sa_flags = percent(&world, 50) ? SA_RESTART : 0,
	};
	struct itimerval timer = { 0 };

	sigaction(SIGALRM, &action, NULL);
	timer.it_value.tv_usec = 20 + below(&world, 500);
	timer.it_interval = timer.it_value;
	signals_left = 1 + below(&world, 20);
	setitimer(ITIMER_REAL, &timer, NULL);
}

/*
 * A client
 */

static int run_operation(unsigned int i)
{
	struct tally *tally = &world.watched->tallies[i];
	bool interrupted = percent(&world, INTERRUPTED);
	double start = seconds();
	int ret;

	world.op_name = operations[i].name;
	world.watched->op_name = world.op_name;
	if (interrupted)
		start_signals();
	ret = operations[i].run(&world);
	if (interrupted)
		stop_signals();
	if (ret == NOT_NOW)
		return ret;
	watched_note(world.watched, "%" PRIu64 " %s: %d", world.op,
		     world.op_name, ret);
	tally->calls++;
	tally->refused += ret != 0;
	tally->seconds += seconds() - start;
	return ret;
}

/* What never came up is done once, where it can be. */
static void run_the_others(void)
{
	for (unsigned int i = 0; i < nr_operations; i++)
		for (unsigned int tries = 0;
		     !world.watched->tallies[i].calls && tries < 1000; tries++)
			run_operation(i);
}

/* Print the seed in signal handlers, too, where libigt would not. */
static void on_fault(int number)
{
	char text[256];
	int len = snprintf(text, sizeof(text),
			   "signal %d: client %u, operation %" PRIu64
			   " (%s); again: build/bin/igt/phyr_random --run-subtest one-client --seed %"
			   PRIu64 " --ops %" PRIu64 "\n", number, world.client,
			   world.op, world.op_name, world.seed, world.op + 1);

	if (write(STDOUT_FILENO, text, len) != len)
		_exit(98);
	_exit(99);
}

static void catch_faults(void)
{
	signal(SIGBUS, on_fault);
	signal(SIGSEGV, on_fault);
}

static void be_client(struct watched *watched, unsigned int client,
		      unsigned int clients, uint64_t ops)
{
	unsigned int files;

	memset(&world, 0, sizeof(world));
	world.watched = watched;
	world.client = client;
	world.clients = clients;
	world.seed = watched->seed;
	world.random = world.seed;
	world.op_name = "the beginning";
	catch_faults();
	files = open_files();
	world_open(&world);
	for (world.op = 0; world.op < ops; world.op++) {
		watched->op = world.op;
		while (run_operation(any_operation()) == NOT_NOW)
			;
	}
	if (clients == 1)
		run_the_others();
	world_close(&world);
	igt_assert_eq(open_files(), files);
}

/*
 * The supervisor: it starts clients, and watches and kills them
 */

/**
 * struct life - a client's lives, one after the other
 * @ops: operations still to do
 * @kill_at: number of the operation to kill it at
 * @number: of the life
 * @watch: of the watchdog
 */
struct life {
	uint64_t ops;
	uint64_t kill_at;
	unsigned int number;
	struct watch watch;
};

static struct watched *watched;
static struct life lives[MAX_CLIENTS];
static unsigned int nr_clients;
static uint64_t kills;

static void start_client(unsigned int client)
{
	struct watched *it = &watched[client];
	struct life *life = &lives[client];
	bool last;
	pid_t pid;

	it->seed = options.seed + client + GENERATION * life->number++;
	it->op = 0;
	it->op_name = "the beginning";
	life->watch = (struct watch){ 0 };
	last = nr_clients == 1 || life->ops <= 2 * LIFE;
	life->kill_at = last ? UINT64_MAX : LIFE / 2 + it->seed * 7919 % LIFE;
	fflush(stdout);
	pid = fork();
	igt_assert(pid >= 0);
	if (pid) {
		it->pid = pid;
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	be_client(it, client, nr_clients, last ? life->ops : UINT64_MAX);
	exit(0);
}

/* End all clients and the test. */
static void give_up(unsigned int client, const char *why)
{
	int status;

	watched_print(&watched[client]);
	for (unsigned int i = 0; i < nr_clients; i++)
		if (watched[i].pid && !watch_kill(NULL, watched[i].pid, &status))
			igt_info("client %u has outlived SIGKILL by %d s\n", i,
				 KILL_SECONDS);
	igt_assert_f(false, "client %u, seed %" PRIu64 ", operation %" PRIu64
		     " (%s): %s\n", client, watched[client].seed,
		     watched[client].op, watched[client].op_name, why);
}

static void kill_at_random(unsigned int client)
{
	struct watched *it = &watched[client];
	int status;

	if (it->op < lives[client].kill_at)
		return;
	if (!watch_kill(it, it->pid, &status))
		give_up(client, "SIGKILL did not end it");
	kills++;
	it->pid = 0;
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		give_up(client, "it failed");
	lives[client].ops -= it->op;
	start_client(client);
}

static void look_after(unsigned int client)
{
	struct watched *it = &watched[client];
	char why[128];
	int status;

	if (waitpid(it->pid, &status, WNOHANG) == it->pid) {
		it->pid = 0;
		snprintf(why, sizeof(why), "it ended with status %#x", status);
		if (status)
			give_up(client, why);
		lives[client].ops = 0;
		return;
	}
	if (watch_is_stuck(&lives[client].watch, it)) {
		watch_print_task(it->pid);
		snprintf(why, sizeof(why), "it has been in one call for %d s",
			 CALL_SECONDS);
		give_up(client, why);
	}
	kill_at_random(client);
}

static uint64_t ops_done(uint64_t ops)
{
	for (unsigned int i = 0; i < nr_clients; i++)
		ops -= lives[i].ops - (watched[i].pid ? watched[i].op : 0);
	return ops;
}

static void tell_progress(uint64_t ops, double start, unsigned int *lines)
{
	uint64_t done = ops_done(ops);

	if (done * PROGRESS_LINES < ops * *lines)
		return;
	(*lines)++;
	igt_info("seed %" PRIu64 ": %" PRIu64 " of %" PRIu64
		 " operations, %.0f a second\n", options.seed, done, ops,
		 done / (seconds() - start + 1e-9));
	fflush(stdout);
}

static struct tally tally_of(unsigned int i)
{
	struct tally sum = { 0 };

	for (unsigned int client = 0; client < nr_clients; client++) {
		sum.calls += watched[client].tallies[i].calls;
		sum.refused += watched[client].tallies[i].refused;
		sum.seconds += watched[client].tallies[i].seconds;
	}
	return sum;
}

static void tell_tally(const char *name, struct tally tally)
{
	igt_info("%-24s %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %10.0f %8.1f\n",
		 name, tally.calls, tally.calls - tally.refused, tally.refused,
		 1e6 * tally.seconds / (tally.calls + 1e-9), tally.seconds);
}

/* Pages that the kernel has swapped out since it booted. */
static uint64_t swapped_out(void)
{
	FILE *file = fopen("/proc/vmstat", "re");
	uint64_t pages = 0;
	char line[128];

	igt_assert(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "pswpout %" SCNu64, &pages) == 1)
			break;
	fclose(file);
	return pages;
}

static void tell_summary(double start, uint64_t swapped)
{
	struct tally all = { 0 };
	uint64_t signals = 0;

	igt_info("seed %" PRIu64 ", %u client%s:\n%-24s %9s %9s %9s %10s %8s\n",
		 options.seed, nr_clients, nr_clients == 1 ? "" : "s",
		 "operation", "calls", "succeeded", "refused", "us each",
		 "s in all");
	for (unsigned int i = 0; i < nr_operations; i++) {
		struct tally tally = tally_of(i);

		all.calls += tally.calls;
		all.refused += tally.refused;
		all.seconds += tally.seconds;
		tell_tally(operations[i].name, tally);
	}
	tell_tally("all", all);
	for (unsigned int i = 0; i < nr_clients; i++)
		signals += watched[i].signals;
	igt_info("Figures: seed %" PRIu64 ", %u client%s: %" PRIu64
		 " operations, %" PRIu64 " of them refused; %" PRIu64
		 " signals, %" PRIu64 " clients killed, %" PRIu64
		 " pages swapped out; %.0f operations a second\n",
		 options.seed, nr_clients, nr_clients == 1 ? "" : "s",
		 all.calls, all.refused, signals, kills, swapped,
		 all.calls / (seconds() - start));
}

static void supervise(uint64_t ops)
{
	uint64_t swapped = swapped_out();
	double start = seconds();
	unsigned int lines = 0;
	bool running = true;

	for (unsigned int i = 0; i < nr_clients; i++) {
		lives[i] = (struct life){ .ops = ops / nr_clients };
		start_client(i);
	}
	ops = ops / nr_clients * nr_clients;
	while (running) {
		tell_progress(ops, start, &lines);
		usleep(20000);
		running = false;
		for (unsigned int i = 0; i < nr_clients; i++) {
			if (watched[i].pid)
				look_after(i);
			running |= watched[i].pid;
		}
	}
	tell_summary(start, swapped_out() - swapped);
}

/*
 * The supervisor is a process of its own: this one must be able to end even
 * where a client cannot.
 */
static void run_clients(unsigned int clients)
{
	struct phyr_device cards[8];
	uint64_t free[8];
	int nr = phyr_device_list(PHYR_VRAM_DRIVER, cards, 8);

	for (int i = 0; i < nr; i++)
		free[i] = vram_free(&cards[i]);
	nr_clients = clients;
	watched = watched_alloc(clients);
	igt_fork(child, 1) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		supervise(options.ops);
	}
	igt_waitchildren();
	watched_free(watched, clients);
	pressure_restore();
	for (int i = 0; i < nr; i++)
		wait_for_vram_free(&cards[i], free[i]);
}

/* Three cards, two engines and an importer; vm/guest/bind binds fewer. */
static void bind_all(void)
{
	char busid[16];

	bind_engines();
	for (int i = 0; i < 2; i++) {
		igt_assert(pci_find("0x1af4", "0x1110", i, busid));
		pci_bind(busid, PHYR_VRAM_DRIVER);
	}
	run_command("modprobe phyr_test");
	igt_assert(pci_find("0x1234", "0x11e8", 0, busid));
	pci_bind(busid, "phyr_test");
}

static int take_option(int option, int index, void *data)
{
	uint64_t value = strtoull(optarg, NULL, 0);

	(void)index;
	(void)data;
	if (option == 's')
		options.seed = value;
	else if (option == 'o')
		options.ops = value;
	else if (option == 'c' && value > 0 && value <= MAX_CLIENTS)
		options.clients = value;
	else if (option == 'w' && options.nr_without < MAX_WITHOUT)
		options.without[options.nr_without++] = optarg;
	else
		return IGT_OPT_HANDLER_ERROR;
	return IGT_OPT_HANDLER_SUCCESS;
}

static const struct option long_options[] = {
	{ "seed", required_argument, NULL, 's' },
	{ "ops", required_argument, NULL, 'o' },
	{ "clients", required_argument, NULL, 'c' },
	{ "without", required_argument, NULL, 'w' },
	{ }
};

static const char help[] =
	"  --seed N              determines all operations; client I uses N + I (default 1)\n"
	"  --ops N               operations of all clients together (default 20000,\n"
	"                        on a debug kernel 2000)\n"
	"  --clients N           processes in the subtest clients, at most 16 (default 3)\n"
	"  --without OPERATION   leave it out; may be given 32 times\n";

igt_main_args("", long_options, help, take_option, NULL)
{
	igt_fixture() {
		bind_all();
		pressure_start();
		add_operations(memory_operations, COMMON);
		add_operations(share_operations, COMMON);
		add_operations(engine_operations, COMMON);
		add_operations(compose_operations, COMMON);
		add_operations(display_operations, COMMON);
		add_operations(wrong_operations, COMMON);
		add_operations(limit_operations, 1);
		add_operations(process_operations, 1);
		add_operations(pressure_operations, 1);
		if (!options.ops)
			options.ops = chances(20000);
		igt_info("seed %" PRIu64 ", %" PRIu64 " operations\n",
			 options.seed, options.ops);
	}

	igt_describe("One client with random operations; every byte is checked");
	igt_subtest("one-client")
		run_clients(1);

	igt_describe("Several clients on the same devices, which are killed now and then");
	igt_subtest("clients")
		run_clients(options.clients);

	igt_fixture()
		pressure_end();
}

// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "random/world.h"

IGT_TEST_DESCRIPTION("Random operations, valid and invalid, in random order");

#define MAX_OPERATIONS	80
#define PROGRESS_LINES	20

static struct {
	uint64_t seed;
	uint64_t ops;
	unsigned int clients;
} options = { .seed = 1, .clients = 3 };

static struct world world;
static struct operation operations[MAX_OPERATIONS];
static struct tally tallies[MAX_OPERATIONS];
static unsigned int nr_operations;
static unsigned int weights;

static void add_operations(const struct operation *more)
{
	for (; more->name; more++) {
		igt_assert(nr_operations < MAX_OPERATIONS);
		operations[nr_operations++] = *more;
		weights += more->weight;
	}
}

static unsigned int any_operation(void)
{
	unsigned int left = below(&world, weights), i;

	for (i = 0; left >= operations[i].weight; i++)
		left -= operations[i].weight;
	return i;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static void one_operation(void)
{
	double start;
	unsigned int i;
	int ret;

	do {
		start = seconds();
		i = any_operation();
		world.op_name = operations[i].name;
		ret = operations[i].run(&world);
		NOTE("%" PRIu64 " %s: %d\n", world.op, world.op_name, ret);
	} while (ret == NOT_NOW);
	tallies[i].calls++;
	tallies[i].refused += ret != 0;
	tallies[i].seconds += seconds() - start;
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

static void tell_progress(uint64_t ops, double start)
{
	uint64_t step = ops / PROGRESS_LINES + 1;

	if (world.op % step)
		return;
	igt_info("seed %" PRIu64 ": %" PRIu64 " of %" PRIu64
		 " operations, %.0f a second\n", world.seed, world.op, ops,
		 world.op / (seconds() - start + 1e-9));
	fflush(stdout);
}

static void tell_summary(uint64_t ops, double start)
{
	uint64_t calls = 0, refused = 0;

	igt_info("seed %" PRIu64 ", client %u:\n%-24s %9s %9s %9s %9s\n",
		 world.seed, world.client, "operation", "calls", "succeeded",
		 "refused", "us each");
	for (unsigned int i = 0; i < nr_operations; i++) {
		calls += tallies[i].calls;
		refused += tallies[i].refused;
		igt_info("%-24s %9" PRIu64 " %9" PRIu64 " %9" PRIu64
			 " %9.0f\n", operations[i].name, tallies[i].calls,
			 tallies[i].calls - tallies[i].refused,
			 tallies[i].refused, 1e6 * tallies[i].seconds /
			 (tallies[i].calls + 1e-9));
	}
	igt_info("%-24s %9" PRIu64 " %9" PRIu64 " %9" PRIu64 "\n", "all",
		 calls, calls - refused, refused);
	igt_info("Figures: seed %" PRIu64 ", client %u: %" PRIu64
		 " operations, %" PRIu64 " of them refused\n", world.seed,
		 world.client, calls, refused);
	igt_info("seed %" PRIu64 ": %.0f operations a second\n", world.seed,
		 ops / (seconds() - start));
}

static void be_client(unsigned int client, unsigned int clients, uint64_t ops)
{
	unsigned int files;
	double start = seconds();

	memset(&world, 0, sizeof(world));
	memset(tallies, 0, sizeof(tallies));
	world.client = client;
	world.clients = clients;
	world.seed = options.seed + client;
	world.random = world.seed;
	world.op_name = "the beginning";
	catch_faults();
	files = open_files();
	world_open(&world);
	for (world.op = 0; world.op < ops; world.op++) {
		tell_progress(ops, start);
		one_operation();
	}
	world_close(&world);
	igt_assert_eq(open_files(), files);
	tell_summary(ops, start);
}

static void many_clients(void)
{
	struct phyr_device cards[8];
	uint64_t free[8];
	int nr = phyr_device_list(PHYR_VRAM_DRIVER, cards, 8);

	for (int i = 0; i < nr; i++)
		free[i] = vram_free(&cards[i]);
	igt_fork(child, (int)options.clients)
		be_client(child, options.clients,
			  options.ops / options.clients);
	igt_waitchildren();
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
	else if (option == 'c')
		options.clients = value;
	else
		return IGT_OPT_HANDLER_ERROR;
	return IGT_OPT_HANDLER_SUCCESS;
}

static const struct option long_options[] = {
	{ "seed", required_argument, NULL, 's' },
	{ "ops", required_argument, NULL, 'o' },
	{ "clients", required_argument, NULL, 'c' },
	{ }
};

static const char help[] =
	"  --seed N              determines all operations; client I uses N + I (default 1)\n"
	"  --ops N               operations of all clients together (default 20000,\n"
	"                        on a debug kernel 2000)\n"
	"  --clients N           processes in the subtest clients (default 3)\n";

igt_main_args("", long_options, help, take_option, NULL)
{
	igt_fixture() {
		bind_all();
		add_operations(memory_operations);
		add_operations(share_operations);
		add_operations(engine_operations);
		add_operations(display_operations);
		add_operations(wrong_operations);
		if (!options.ops)
			options.ops = chances(20000);
		igt_info("seed %" PRIu64 ", %" PRIu64 " operations\n",
			 options.seed, options.ops);
	}

	igt_describe("One client with random operations; every byte is checked");
	igt_subtest("one-client")
		be_client(0, 1, options.ops);

	igt_describe("Several clients on the same devices");
	igt_subtest("clients")
		many_clients();
}

// SPDX-License-Identifier: MIT
/*
 * Tests of phyrctl, including its command "demo" (userspace/roundtrip.c). The
 * script behind "make demo" is userspace/demo, which this does not run.
 */
#include <stdlib.h>

#include "lib.h"

IGT_TEST_DESCRIPTION("phyrctl and its demo");

/* As after 'make demo' and in a new guest: all files but that of a listener. */
static void old_verdict(void)
{
	char dir[] = "/tmp/phyr-demo-XXXXXX", command[256];

	igt_assert(mkdtemp(dir));
	snprintf(command, sizeof(command),
		 "cd %s && echo 0123456789abcdef >demo.ready && printf 'ok 16 extents\nrequest 0123456789abcdef\n' >demo.verdict",
		 dir);
	run_command(command);
	snprintf(command, sizeof(command),
		 "phyrctl demo --out %s | tee %s/said && grep -q '^Not verified on the host' %s/said && ! grep -q '^The host says' %s/said",
		 dir, dir, dir, dir);
	run_command(command);
	/* With a listener, which does not answer, and without one. */
	snprintf(command, sizeof(command),
		 "phyrctl demo --out %s --wait 1; test $? = 1", dir);
	run_command(command);
	snprintf(command, sizeof(command),
		 ": >%s/demo.listens; phyrctl demo --out %s --wait 1; test $? = 1",
		 dir, dir);
	run_command(command);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	run_command(command);
}

igt_main()
{
	igt_describe("The demo succeeds; bytes are verified in the guest, and from outside by userspace/verify-vram");
	igt_subtest("demo")
		run_command("phyrctl demo --wait 120");

	igt_describe("Without a listener on the host the demo does not ask it, and no old verdict counts");
	igt_subtest("old-verdict")
		old_verdict();

	igt_describe("Every command succeeds");
	igt_subtest("commands") {
		run_command("phyrctl --help");
		run_command("phyrctl devices");
		run_command("phyrctl create vram:1M:64K");
		run_command("phyrctl create system:12K");
		run_command("phyrctl copy own:1M vram:1M:4K");
		run_command("phyrctl copy vram:2M:64K own:2M 1000001 3 17");
		run_command("phyrctl export vram:1M:64K -- phyrctl copy own:1M fd:3");
		run_command("phyrctl export vram:1M -- sh -c 'phyrctl copy own:1M fd:3 && phyrctl verify fd:3'");
		run_command("phyrctl map vram:4M:64K");
	}

	igt_describe("Invalid arguments are refused with the documented exit status");
	igt_subtest("bad-usage") {
		run_command("phyrctl; test $? = 2");
		run_command("phyrctl nonsense; test $? = 2");
		run_command("phyrctl copy vram:1M; test $? = 2");
		run_command("phyrctl demo --nonsense; test $? = 2");
		run_command("phyrctl create vram:1X; test $? = 1");
		run_command("phyrctl create vram:0; test $? = 1");
		run_command("phyrctl create vram:1M:3K; test $? = 1");
		run_command("phyrctl create vram:99999G; test $? = 1");
		run_command("phyrctl verify fd:99; test $? = 1");
		run_command("phyrctl verify vram:1M; test $? = 1");
		run_command("phyrctl copy own:4K vram:4K 8192 0 0; test $? = 1");
		run_command("phyrctl demo --wait x; test $? = 1");
	}
}

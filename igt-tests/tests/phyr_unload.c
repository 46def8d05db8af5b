// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>

#include "lib.h"

IGT_TEST_DESCRIPTION("Modules can be unloaded if and only if they are unused");

static int unload(const char *module)
{
	return syscall(SYS_delete_module, module, O_NONBLOCK) ? -errno : 0;
}

static bool loaded(const char *module)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/module/%s", module);
	return !access(path, F_OK);
}

static void assert_in_use(const char *module)
{
	int err = unload(module);

	igt_assert_f(err == -EWOULDBLOCK || err == -EBUSY,
		     "unloading %s returned %d (%s), expected -EWOULDBLOCK or -EBUSY\n",
		     module, err, strerror(-err));
	igt_assert_f(loaded(module), "%s was unloaded while in use\n", module);
}

static void open_node(void)
{
	int vram = open_vram(0), engine = open_copy(0);

	assert_in_use("phyr_vram");
	assert_in_use("phyr_copy");
	assert_in_use("phyr");
	close(engine);
	close(vram);
}

static void dmabuf_only(void)
{
	int vram = open_vram(0), dmabuf = create_dmabuf(vram, SZ_64K, 0);
	void *mem;

	close(vram);
	assert_in_use("phyr_vram");
	mem = map_dmabuf(dmabuf, SZ_64K);
	close(dmabuf);
	assert_in_use("phyr_vram");
	phyr_fill(mem, 1, 0, SZ_64K);
	assert_bytes(mem, 1, 0, SZ_64K);
	unmap(mem, SZ_64K);
}

static void imported(void)
{
	int vram = open_vram(0), engine = open_copy(0);
	uint32_t handle, own = create_own(engine, SZ_64K);

	handle = import_from(engine, vram, create_vram(vram, SZ_64K, IN_VRAM,
						       SZ_4K));
	close(vram);
	assert_in_use("phyr_vram");
	copy_bytes(engine, handle, own, SZ_64K);
	assert_in_use("phyr_vram");
	assert_in_use("phyr_copy");
	close(engine);
}

static void core(void)
{
	/* Nothing is open, but the driver modules depend on it. */
	assert_in_use("phyr");
}

static void test_module(void)
{
	int test = open_phyr_test(SECOND_IVSHMEM), dmabuf;

	dmabuf = test_export(test, PHYR_TEST_STYLE_PHYR, 0, 4, SZ_4K, SZ_64K);
	assert_in_use("phyr_test");
	close(test);
	assert_in_use("phyr_test");
	close(dmabuf);
}

static void bind_all(void)
{
	char busid[16];

	run_command("modprobe phyr_vram");
	run_command("modprobe phyr_copy");
	igt_assert(pci_find("0x1af4", "0x1110", 0, busid));
	pci_bind(busid, PHYR_VRAM_DRIVER);
	igt_assert(pci_find("0x1234", "0x1111", 0, busid));
	pci_bind(busid, PHYR_VRAM_DRIVER);
	bind_engines();
}

/* A bound device that is not open does not keep its module. */
static void reload(void)
{
	static const char *const modules[] = {
		"phyr_test", "phyr_rdma", "phyr_copy", "phyr_camera",
		"videobuf2_phyr", "phyr_engine", "phyr_vram", "phyr",
	};
	/* At least twice, so that reloaded modules are used, too. */
	int rounds = 1 + repeats(9);

	run_command("modprobe phyr_test");
	for (int round = 0; round < rounds; round++) {
		int vram = open_vram(0), engine = open_copy(0);
		uint32_t handle, own;

		handle = create_vram(vram, SZ_1M, IN_VRAM, SZ_4K);
		own = create_own(engine, SZ_1M);
		fill_vram(vram, handle, SZ_1M, round);
		copy_bytes(engine, import_from(engine, vram, handle), own, SZ_1M);
		assert_own(engine, own, SZ_1M, round);
		close(engine);
		close(vram);
		for (unsigned int i = 0; i < ARRAY_SIZE(modules); i++) {
			if (!loaded(modules[i]))
				continue;
			igt_assert_eq(unload(modules[i]), 0);
			igt_assert(!loaded(modules[i]));
		}
		bind_all();
	}
}

igt_main()
{
	igt_fixture()
		bind_engines();

	igt_describe("An open DRM node keeps its driver module");
	igt_subtest("open-node")
		open_node();

	igt_describe("A dma-buf, then a mapping, keeps the module of the exporter");
	igt_subtest("dmabuf")
		dmabuf_only();

	igt_describe("An import keeps the module of the exporter");
	igt_subtest("imported")
		imported();

	igt_describe("Driver modules keep the core module");
	igt_subtest("core")
		core();

	igt_describe("Dma-bufs of the test module keep it");
	igt_subtest("test-module")
		test_module();

	igt_describe("Unused modules can be unloaded, reloaded and used again");
	igt_subtest("reload")
		reload();
}

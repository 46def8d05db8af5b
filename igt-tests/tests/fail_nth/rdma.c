// SPDX-License-Identifier: MIT
/* Memory regions of the RDMA core: register, map, deregister. */
#include <stdio.h>
#include <string.h>

#include "rdma.h"
#include "stage.h"

/**
 * struct registration - how to register a dma-buf
 * @name: for messages
 * @kind: PHYR_RDMA_*
 * @buffer: the buffer of the card
 */
struct registration {
	const char *name;
	uint32_t kind;
	const struct kind *buffer;
};

static const struct registration registrations[] = {
	{ "dynamic, VRAM", PHYR_RDMA_DYNAMIC, &pieces },
	{ "dynamic, system memory", PHYR_RDMA_DYNAMIC, &in_system },
	{ "pinned, movable", PHYR_RDMA_PINNED, &movable },
	{ "revocable, VRAM", PHYR_RDMA_REVOCABLE, &pieces },
	{ "revocable, movable", PHYR_RDMA_REVOCABLE, &movable },
};

/* The region of the call; in stage.held.id, which nobody else uses then. */
static int register_held(const void *data)
{
	const struct registration *registration = data;
	struct phyr_rdma_reg reg = region_part(stage.dmabuf, registration->kind,
					       0, SIZE);
	int err = try_register_region(&reg);

	stage.held.id = reg.id;
	return err;
}

static void setup_exported(const void *data)
{
	const struct registration *registration = data;

	setup_buffer(registration->buffer);
	stage.dmabuf = export_buffer(stage.vram, stage.handle);
}

static void setup_registered(const void *data)
{
	setup_exported(data);
	igt_assert_eq(register_held(data), 0);
}

static int use_held(const void *data)
{
	struct phyr_rdma_table table = { .id = stage.held.id };

	(void)data;
	return phyr_ioctl(rdma, PHYR_RDMA_IOC_TABLE, &table);
}

static int deregister_held(const void *data)
{
	(void)data;
	return try_deregister_region(stage.held.id);
}

/* The region can be used, and no pin is left after it. */
static void verify_registered(const void *data, int result)
{
	const struct registration *registration = data;

	if (result)
		igt_assert_eq(register_held(data), 0);
	igt_assert_eq(use_held(data), 0);
	igt_assert_eq(deregister_held(data), 0);
	if (registration->buffer == &movable) {
		move_buffer(stage.vram, stage.handle, IN_SYSTEM);
		move_buffer(stage.vram, stage.handle, IN_VRAM);
	}
	close(stage.dmabuf);
	igt_assert_eq(phyr_close_handle(stage.vram, stage.handle), 0);
	assert_works();
}

static void verify_used(const void *data, int result)
{
	(void)result;
	verify_registered(data, 0);
}

static void verify_deregistered(const void *data, int result)
{
	igt_assert_eq(result, 0);
	verify_registered(data, -ENOENT);
}

static void sweep_registration(const struct registration *registration)
{
	const struct fail_nth_call calls[] = {
		{ "register", setup_exported, register_held, verify_registered,
		  .data = NULL },
		{ "use", setup_registered, use_held, verify_used,
		  .data = NULL },
		{ "deregister", setup_registered, deregister_held,
		  verify_deregistered, .data = NULL },
	};
	char name[64];

	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++) {
		struct fail_nth_call call = calls[i];

		snprintf(name, sizeof(name), "region %s, %s", call.name,
			 registration->name);
		call.name = name;
		call.data = registration;
		fail_nth_sweep(&call);
	}
}

void sweep_rdma(void)
{
	open_rdma();
	for (unsigned int i = 0; i < ARRAY_SIZE(registrations); i++)
		sweep_registration(&registrations[i]);
	close(rdma);
	run_command("rmmod phyr_rdma");
}

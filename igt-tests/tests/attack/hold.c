// SPDX-License-Identifier: MIT
/* Files, mappings and jobs of a device that is unbound. */
#include <string.h>

#include "attacks.h"
#include "traffic.h"

static void wait_for_jobs(int engine, uint32_t syncobj, int wanted)
{
	igt_assert_eq(phyr_syncobj_wait(engine, syncobj), wanted);
}

static void hold_card_attack(void)
{
	int vram = open_device(&scene.card), engine = open_device(&scene.engine);
	uint32_t handle = create_vram(vram, SIZE, IN_VRAM, SZ_4K), imported;
	struct drm_phyr_copy_submit submit = { .len = SIZE };
	struct drm_phyr_vram_gem_info info;
	int dmabuf = export_buffer(vram, handle);
	uint8_t *node = map_vram(vram, handle, SIZE);
	uint8_t *file = map_dmabuf(dmabuf, SIZE), *own, *late;

	memset(node, MARK, SIZE);
	imported = import_buffer(engine, dmabuf);
	submit.src_handle = imported;
	submit.dst_handle = create_own(engine, SIZE);
	own = map_own(engine, submit.dst_handle, SIZE);
	igt_assert_eq(phyr_syncobj_create(engine, &submit.out_syncobj), 0);
	send_number(0);
	receive_number();
	igt_assert_eq(phyr_copy_submit(engine, &submit), 0);
	send_number(0);
	/* The card is unbound, and bound again with another client on it. */
	for (int round = 0; round < 2; round++) {
		receive_number();
		assert_dummy(node, SIZE);
		assert_dummy(file, SIZE);
		igt_assert_eq(phyr_vram_gem_info(vram, handle, &info), -ENODEV);
		igt_assert_eq(phyr_export(vram, handle), -ENODEV);
		igt_assert_eq(try_import(open_device(&scene.engine), dmabuf),
			      -ENODEV);
		igt_assert_eq(phyr_copy_submit(engine, &submit), -ENODEV);
		late = phyr_mmap(dmabuf, SIZE, PROT_READ, 0);
		if (late != MAP_FAILED)
			assert_zero(late, SIZE);
		/* Those pages are this buffer's; the victim checks its own. */
		memset(node, MARK, SIZE);
		igt_assert_eq_u64(phyr_verify_byte(file, MARK, SIZE), -1);
		memset(node, 0, SIZE);
		/* The job timed out in the engine, and copied nothing. */
		wait_for_jobs(engine, submit.out_syncobj, -ETIMEDOUT);
		assert_zero(own, SIZE);
		send_number(0);
	}
}

/* Unbind @device while the engine hangs in the attacker's job. */
static void hang_and_unbind(const struct phyr_device *device)
{
	receive_number();
	igt_assert_eq(phyr_hang(&scene.engine, 1), 0);
	send_number(0);
	receive_number();
	remove_device(device->busid, UNBIND);
	send_number(0);
	receive_number();
}

static void hold_card_victim(pid_t attacker)
{
	uint64_t free = vram_free(&scene.card);
	uint32_t handle;
	int vram;

	(void)attacker;
	hang_and_unbind(&scene.card);
	restore_device(scene.card.busid, PHYR_VRAM_DRIVER, UNBIND);
	vram = open_vram(0);
	free = vram_free(&scene.card);
	handle = create_vram(vram, 4 * SZ_1M, IN_VRAM, 0);
	fill_vram(vram, handle, 4 * SZ_1M, 3);
	send_number(0);
	receive_number();
	assert_vram(vram, handle, 4 * SZ_1M, 3);
	close(vram);
	wait_for_vram_free(&scene.card, free);
}

static void hold_engine_attack(void)
{
	int engine = open_device(&scene.engine), vram = open_device(&scene.card);
	struct drm_phyr_copy_submit submit = { .len = SIZE };
	struct drm_phyr_copy_gem_info info;
	uint32_t handle;
	int dmabuf;
	void *mem;

	submit.src_handle = create_own(engine, SIZE);
	submit.dst_handle = import_from(engine, vram,
					create_vram(vram, SIZE, IN_VRAM, 0));
	igt_assert_eq(phyr_syncobj_create(engine, &submit.out_syncobj), 0);
	dmabuf = export_buffer(engine, submit.src_handle);
	mem = map_own(engine, submit.src_handle, SIZE);
	memset(mem, MARK, SIZE);
	send_number(0);
	receive_number();
	igt_assert_eq(phyr_copy_submit(engine, &submit), 0);
	send_number(0);
	receive_number();
	igt_assert_eq(phyr_copy_submit(engine, &submit), -ENODEV);
	igt_assert_eq(phyr_copy_gem_info(engine, submit.src_handle, &info),
		      -ENODEV);
	igt_assert_eq(phyr_copy_create(engine, SIZE, &handle), -ENODEV);
	/* Its own pages stay, and belong to nobody else. */
	igt_assert(!raises_sigbus(mem));
	igt_assert_eq_u64(phyr_verify_byte(mem, MARK, SIZE), -1);
	close(dmabuf);
	send_number(0);
}

static void hold_engine_victim(pid_t attacker)
{
	(void)attacker;
	hang_and_unbind(&scene.engine);
	restore_device(scene.engine.busid, PHYR_COPY_DRIVER, UNBIND);
}

void hold_card(void)
{
	under_attack(hold_card_attack, hold_card_victim);
}

void hold_engine(void)
{
	under_attack(hold_engine_attack, hold_engine_victim);
}

// SPDX-License-Identifier: MIT
/* State and helpers of all calls: see stage.h. */
#include <errno.h>
#include <xf86drm.h>

#include "stage.h"

struct stage stage;

void set_stage(void)
{
	struct phyr_device primary;

	stage.card = vram_device(0);
	stage.engine = copy_device(0);
	stage.test = open_phyr_test(SECOND_IVSHMEM);
	/* Render nodes have no dumb buffers: use the primary node. */
	primary = stage.card;
	primary.render[0] = '\0';
	stage.vram = open_device(&primary);
	stage.copy = open_device(&stage.engine);
	stage.witness = create_vram(stage.vram, SIZE, IN_VRAM, SZ_4K);
	stage.witness_in = import_from(stage.copy, stage.vram, stage.witness);
	stage.witness_out = create_own(stage.copy, SIZE);
	stage.witness_mem = map_vram(stage.vram, stage.witness, SIZE);
	stage.out_mem = map_own(stage.copy, stage.witness_out, SIZE);
	igt_assert_eq(phyr_syncobj_create(stage.copy, &stage.witness_fence), 0);
}

void clear_stage(void)
{
	unmap(stage.witness_mem, SIZE);
	unmap(stage.out_mem, SIZE);
	close(stage.vram);
	close(stage.copy);
	close(stage.test);
}

void assert_works(void)
{
	struct drm_phyr_copy_submit job = {
		.src_handle = stage.witness_in,
		.dst_handle = stage.witness_out,
		.len = SZ_4K,
		.out_syncobj = stage.witness_fence,
	};
	uint64_t seed = ++stage.turn;

	phyr_fill(stage.witness_mem, seed, 0, SZ_4K);
	igt_assert_eq(phyr_copy_submit(stage.copy, &job), 0);
	igt_assert_eq(drmSyncobjWait(stage.copy, &stage.witness_fence, 1,
				     INT64_MAX, 0, NULL), 0);
	assert_bytes(stage.out_mem, seed, 0, SZ_4K);
}

int as_errno(int result)
{
	return result < 0 ? -errno : 0;
}

int as_fd(int fd, int *to)
{
	*to = fd;
	return fd < 0 ? fd : 0;
}

void verify_works(const void *data, int result)
{
	(void)data;
	(void)result;
	assert_works();
}

void sweep_all(const struct fail_nth_call *calls, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		fail_nth_sweep(&calls[i]);
}

// SPDX-License-Identifier: MIT
/* The client that most attacks are made on. */
#include "attacks.h"

uint64_t vram_offset(int vram, uint32_t handle)
{
	struct drm_phyr_vram_gem_mmap map = { .handle = handle };

	igt_assert_eq(phyr_ioctl(vram, DRM_IOCTL_PHYR_VRAM_GEM_MMAP, &map), 0);
	return map.offset;
}

uint64_t own_offset(int engine, uint32_t handle)
{
	struct drm_phyr_copy_gem_mmap map = { .handle = handle };

	igt_assert_eq(phyr_ioctl(engine, DRM_IOCTL_PHYR_COPY_GEM_MMAP, &map), 0);
	return map.offset;
}

struct client client;

void start_client(void)
{
	client.vram = open_vram(0);
	client.engine = open_copy(0);
	client.handle = create_vram(client.vram, SIZE, IN_VRAM, 0);
	client.own = create_own(client.engine, SIZE);
	fill_vram(client.vram, client.handle, SIZE, 1);
	fill_own(client.engine, client.own, SIZE, 2);
	client.dmabuf = export_buffer(client.vram, client.handle);
	igt_assert_eq(phyr_syncobj_create(client.engine, &client.syncobj), 0);
}

void end_client(void)
{
	assert_vram(client.vram, client.handle, SIZE, 1);
	assert_own(client.engine, client.own, SIZE, 2);
	close(client.dmabuf);
	close(client.engine);
	close(client.vram);
}

void attack_client(void (*attack)(void))
{
	start_client();
	under_attack(attack, NULL);
	end_client();
}

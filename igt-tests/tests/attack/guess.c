// SPDX-License-Identifier: MIT
/* Guess handles, names, file descriptors and syncobjs of other clients. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "attacks.h"

static void guess_handle(int vram, int engine, uint32_t handle)
{
	struct drm_phyr_vram_gem_info info;
	struct drm_phyr_vram_gem_mmap map = { .handle = handle };
	struct drm_phyr_copy_gem_info own_info;
	struct drm_phyr_copy_gem_mmap own_map = { .handle = handle };
	struct drm_phyr_copy_submit submit = {
		.src_handle = handle, .dst_handle = handle, .len = 1,
	};

	igt_assert_eq(phyr_vram_gem_info(vram, handle, &info), -ENOENT);
	igt_assert_eq(phyr_ioctl(vram, DRM_IOCTL_PHYR_VRAM_GEM_MMAP, &map),
		      -ENOENT);
	igt_assert_eq(try_move_buffer(vram, handle, IN_SYSTEM), -ENOENT);
	igt_assert_eq(phyr_export(vram, handle), -ENOENT);
	igt_assert_eq(phyr_close_handle(vram, handle), -EINVAL);
	igt_assert_eq(phyr_copy_gem_info(engine, handle, &own_info), -ENOENT);
	igt_assert_eq(phyr_ioctl(engine, DRM_IOCTL_PHYR_COPY_GEM_MMAP, &own_map),
		      -ENOENT);
	igt_assert_eq(phyr_copy_submit(engine, &submit), -ENOENT);
	igt_assert_eq(phyr_export(engine, handle), -ENOENT);
	igt_assert_eq(phyr_close_handle(engine, handle), -EINVAL);
}

void guess_handles(void)
{
	static const uint32_t odd[] = {
		0, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff,
	};
	int vram = open_device(&scene.card), engine = open_device(&scene.engine);

	for (uint32_t handle = 1; handle <= 1000; handle++)
		guess_handle(vram, engine, handle);
	for (unsigned int i = 0; i < ARRAY_SIZE(odd); i++)
		guess_handle(vram, engine, odd[i]);
}

/* Global names (flink): only authenticated clients may use them. */
static void guess_names_on(const char *path, uint32_t known)
{
	int fd = open_path(path);
	struct drm_gem_flink flink = { .handle = 1 };

	for (uint32_t name = 0; name <= 100; name++) {
		struct drm_gem_open open = { .name = name ? name : known };

		ASSERT_ERRNO(ioctl(fd, DRM_IOCTL_GEM_OPEN, &open), EACCES);
	}
	ASSERT_ERRNO(ioctl(fd, DRM_IOCTL_GEM_FLINK, &flink), EACCES);
	close(fd);
}

static uint32_t flink_name;

static void guess_names_attack(void)
{
	guess_names_on(scene.card.render, flink_name);
	guess_names_on(scene.engine.render, flink_name);
	guess_names_on(scene.card.primary, flink_name);
	guess_names_on(scene.engine.primary, flink_name);
}

void guess_names(void)
{
	struct phyr_device card = vram_device(0);
	struct drm_gem_flink flink = { 0 };
	/*
	 * Root is master of the card; open the engine so that no attacker
	 * becomes its master.
	 */
	int primary = open_path(card.primary);
	int master = open_path(copy_device(0).primary);

	flink.handle = create_vram(primary, SIZE, IN_VRAM, 0);
	igt_assert_eq(phyr_ioctl(primary, DRM_IOCTL_GEM_FLINK, &flink), 0);
	flink_name = flink.name;
	under_attack(guess_names_attack, NULL);
	close(master);
	close(primary);
}

void never_shared(void)
{
	int vram = open_device(&scene.card), engine = open_device(&scene.engine);
	int null = open_path("/dev/null"), memfd = memfd_create("x", MFD_CLOEXEC);
	int drm[] = { vram, engine }, pidfd;
	char path[64], byte;
	struct iovec local = { &byte, 1 }, remote = { &client, 1 };

	for (unsigned int i = 0; i < ARRAY_SIZE(drm); i++) {
		for (int fd = 500; fd < 600; fd++)
			igt_assert_eq(try_import(drm[i], fd), -EBADF);
		igt_assert_eq(try_import(drm[i], -1), -EBADF);
		igt_assert_eq(try_import(drm[i], null), -EINVAL);
		igt_assert_eq(try_import(drm[i], memfd), -EINVAL);
		igt_assert_eq(try_import(drm[i], vram), -EINVAL);
		igt_assert_eq(try_import(drm[i], engine), -EINVAL);
	}

	pidfd = syscall(SYS_pidfd_open, scene.victim, 0);
	igt_assert(pidfd >= 0);
	ASSERT_ERRNO(syscall(SYS_pidfd_getfd, pidfd, client.dmabuf, 0), EPERM);
	ASSERT_ERRNO(syscall(SYS_pidfd_getfd, pidfd, client.vram, 0), EPERM);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", scene.victim,
		 client.dmabuf);
	ASSERT_ERRNO(open(path, O_RDWR), EACCES);
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", scene.victim,
		 client.dmabuf);
	ASSERT_ERRNO(open(path, O_RDONLY), EACCES);
	snprintf(path, sizeof(path), "/proc/%d/mem", scene.victim);
	ASSERT_ERRNO(open(path, O_RDONLY), EACCES);
	ASSERT_ERRNO(ptrace(PTRACE_ATTACH, scene.victim, 0, 0), EPERM);
	ASSERT_ERRNO(process_vm_readv(scene.victim, &local, 1, &remote, 1, 0),
		     EPERM);
}

static void guess_syncobj(int engine, uint32_t own, uint32_t syncobj)
{
	struct drm_syncobj_wait wait = {
		.handles = (uintptr_t)&syncobj, .count_handles = 1,
		.flags = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT,
	};
	struct drm_syncobj_array array = {
		.handles = (uintptr_t)&syncobj, .count_handles = 1,
	};
	struct drm_syncobj_destroy destroy = { .handle = syncobj };
	struct drm_syncobj_handle handle = { .handle = syncobj, .fd = -1 };
	struct drm_phyr_copy_submit submit = {
		.src_handle = own, .dst_handle = own, .dst_offset = SZ_4K,
		.len = SZ_4K, .in_syncobj = syncobj,
	};

	igt_assert_eq(phyr_ioctl(engine, DRM_IOCTL_SYNCOBJ_WAIT, &wait), -ENOENT);
	igt_assert_eq(phyr_ioctl(engine, DRM_IOCTL_SYNCOBJ_SIGNAL, &array),
		      -ENOENT);
	igt_assert_eq(phyr_ioctl(engine, DRM_IOCTL_SYNCOBJ_RESET, &array),
		      -ENOENT);
	igt_assert_eq(phyr_ioctl(engine, DRM_IOCTL_SYNCOBJ_DESTROY, &destroy),
		      -EINVAL);
	igt_assert_eq(phyr_ioctl(engine, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &handle),
		      -EINVAL);
	igt_assert_eq(phyr_copy_submit(engine, &submit), -ENOENT);
	submit.in_syncobj = 0;
	submit.out_syncobj = syncobj;
	igt_assert_eq(phyr_copy_submit(engine, &submit), -ENOENT);
}

void others_syncobjs(void)
{
	int vram = open_device(&scene.card), engine = open_device(&scene.engine);
	uint32_t own = create_own(engine, SIZE);
	struct drm_syncobj_handle handle = { .fd = vram };
	struct drm_syncobj_create create = { 0 };

	guess_syncobj(engine, own, client.syncobj);
	for (uint32_t syncobj = 1; syncobj < 200; syncobj++)
		guess_syncobj(engine, own, syncobj);
	guess_syncobj(engine, own, 0xffffffff);
	igt_assert_eq(phyr_ioctl(engine, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &handle),
		      -EINVAL);
	/* The card's driver has no syncobjs. */
	igt_assert_eq(phyr_ioctl(vram, DRM_IOCTL_SYNCOBJ_CREATE, &create),
		      -EOPNOTSUPP);
}

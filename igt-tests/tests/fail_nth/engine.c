// SPDX-License-Identifier: MIT
/* The copy engine: its buffers, its jobs, and its threads. */
#include <string.h>

#include "stage.h"

static int create_own_buffer(const void *data)
{
	(void)data;
	return phyr_copy_create(stage.copy, SIZE, &stage.own);
}

static void verify_own_created(const void *data, int result)
{
	(void)data;
	if (!result)
		igt_assert_eq(phyr_close_handle(stage.copy, stage.own), 0);
	assert_works();
}

static int own_info(const void *data)
{
	struct drm_phyr_copy_gem_info info;

	(void)data;
	return phyr_copy_gem_info(stage.copy, stage.own, &info);
}

static int own_offset(const void *data)
{
	struct drm_phyr_copy_gem_mmap map = { .handle = stage.own };

	(void)data;
	return phyr_ioctl(stage.copy, DRM_IOCTL_PHYR_COPY_GEM_MMAP, &map);
}

static int close_own(const void *data)
{
	(void)data;
	return phyr_close_handle(stage.copy, stage.own);
}

static struct drm_phyr_copy_submit the_job(uint64_t len)
{
	return (struct drm_phyr_copy_submit){
		.src_handle = stage.imported,
		.dst_handle = stage.own,
		.len = len,
		.in_syncobj = stage.in_fence,
		.out_syncobj = stage.out_fence,
	};
}

void create_fences(bool in)
{
	struct drm_phyr_copy_submit job = {
		.src_handle = stage.witness_in,
		.dst_handle = stage.witness_out,
		.len = SZ_4K,
	};

	stage.in_fence = 0;
	igt_assert_eq(phyr_syncobj_create(stage.copy, &stage.out_fence), 0);
	if (!in)
		return;
	igt_assert_eq(phyr_syncobj_create(stage.copy, &stage.in_fence), 0);
	job.out_syncobj = stage.in_fence;
	igt_assert_eq(phyr_copy_submit(stage.copy, &job), 0);
}

static void setup_job(const void *data)
{
	setup_buffer(data);
	stage.imported = import_from(stage.copy, stage.vram, stage.handle);
	stage.own = create_own(stage.copy, SIZE);
	create_fences(false);
}

static void setup_foreign_job(const void *data)
{
	setup_foreign(data);
	stage.imported = import_buffer(stage.copy, stage.dmabuf);
	stage.own = create_own(stage.copy, SIZE);
	create_fences(false);
}

static void setup_second_job(const void *data)
{
	setup_job(data);
	copy_bytes(stage.copy, stage.imported, stage.own, SIZE);
	fill_own(stage.copy, stage.own, SIZE, 0);
}

static void setup_fenced_job(const void *data)
{
	setup_buffer(data);
	stage.imported = import_from(stage.copy, stage.vram, stage.handle);
	stage.own = create_own(stage.copy, SIZE);
	create_fences(true);
}

int submit(const void *data)
{
	struct drm_phyr_copy_submit job = the_job(SIZE);

	(void)data;
	return phyr_copy_submit(stage.copy, &job);
}

/* A refused job has no fence; the next one runs. */
void finish_job(int result)
{
	if (result) {
		igt_assert_eq(phyr_syncobj_status(stage.copy, stage.out_fence),
			      -EINVAL);
		igt_assert_eq(submit(NULL), 0);
	}
	igt_assert_eq(phyr_syncobj_wait(stage.copy, stage.out_fence), 0);
	assert_own(stage.copy, stage.own, SIZE, SEED);
	phyr_syncobj_destroy(stage.copy, stage.out_fence);
	if (stage.in_fence)
		phyr_syncobj_destroy(stage.copy, stage.in_fence);
	igt_assert_eq(phyr_close_handle(stage.copy, stage.imported), 0);
	igt_assert_eq(phyr_close_handle(stage.copy, stage.own), 0);
}

static void verify_job(const void *data, int result)
{
	finish_job(result);
	verify_buffer(data, result);
}

static void verify_foreign_job(const void *data, int result)
{
	(void)data;
	finish_job(result);
	close(stage.dmabuf);
	assert_works();
}

/* User memory that starts inside a page; with @data NULL not touched yet */
static void setup_user(const void *data)
{
	stage.mem = mmap(NULL, SIZE + SZ_4K, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	igt_assert(stage.mem != MAP_FAILED);
	if (data)
		phyr_fill((uint8_t *)stage.mem + 100, SEED, 0, SIZE);
}

static int create_user_buffer(const void *data)
{
	(void)data;
	return phyr_copy_userptr(stage.copy, (uint8_t *)stage.mem + 100, SIZE, 0,
				 &stage.imported);
}

static void setup_user_buffer(const void *data)
{
	setup_user(data);
	igt_assert_eq(create_user_buffer(data), 0);
}

static int close_user(const void *data)
{
	(void)data;
	return phyr_close_handle(stage.copy, stage.imported);
}

static void verify_user_closed(const void *data, int result)
{
	(void)data;
	(void)result;
	unmap(stage.mem, SIZE + SZ_4K);
	assert_works();
}

static void verify_user(const void *data, int result)
{
	if (result)
		igt_assert_eq(create_user_buffer(data), 0);
	copy_bytes(stage.copy, stage.imported, stage.witness_out, SIZE);
	if (data)
		assert_bytes(stage.out_mem, SEED, 0, SIZE);
	else
		assert_zero(stage.out_mem, SIZE);
	verify_user_closed(data, close_user(data));
}

static void setup_user_job(const void *data)
{
	setup_user_buffer(data);
	stage.own = create_own(stage.copy, SIZE);
	create_fences(false);
}

static void verify_user_job(const void *data, int result)
{
	finish_job(result);
	verify_user_closed(data, 0);
}

/* A hugetlb page; @stage.mem is inside of it, as with setup_user(). */
#define HUGE	(2 * SZ_1M)

static void setup_hugetlb(const void *data)
{
	(void)data;
	stage.mem = mmap(NULL, HUGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	igt_assert_f(stage.mem != MAP_FAILED, "hugetlb: %s\n", strerror(errno));
	phyr_fill((uint8_t *)stage.mem + 100, SEED, 0, SIZE);
}

static void verify_hugetlb(const void *data, int result)
{
	if (result)
		igt_assert_eq(create_user_buffer(data), 0);
	copy_bytes(stage.copy, stage.imported, stage.witness_out, SIZE);
	assert_bytes(stage.out_mem, SEED, 0, SIZE);
	igt_assert_eq(close_user(data), 0);
	unmap(stage.mem, HUGE);
	assert_works();
}

static void sweep_hugetlb(void)
{
	const struct fail_nth_call call = {
		"copy userptr, hugetlb", setup_hugetlb, create_user_buffer,
		verify_hugetlb, .data = NULL,
	};

	write_file("/proc/sys/vm/nr_hugepages", "2");
	fail_nth_sweep(&call);
	write_file("/proc/sys/vm/nr_hugepages", "0");
}

static int create_syncobj(const void *data)
{
	(void)data;
	return phyr_syncobj_create(stage.copy, &stage.out_fence);
}

static void verify_syncobj(const void *data, int result)
{
	(void)data;
	if (!result)
		phyr_syncobj_destroy(stage.copy, stage.out_fence);
	assert_works();
}

void sweep_engine(void)
{
	const struct fail_nth_call calls[] = {
		/* shmem returns ENOSPC when it cannot allocate an inode. */
		{ "copy create", NULL, create_own_buffer, verify_own_created,
		  .also = ENOSPC },
		{ "copy gem info", setup_own, own_info, verify_own,
		  .data = NULL },
		{ "copy gem mmap", setup_own, own_offset, verify_own,
		  .data = NULL },
		{ "copy gem close", setup_own, close_own, verify_works,
		  .data = NULL },
		{ "copy syncobj", NULL, create_syncobj, verify_syncobj,
		  .data = NULL },
		/* An IOVA range that cannot be allocated is ENOSPC. */
		{ "copy submit, VRAM", setup_job, submit, verify_job,
		  .also = ENOSPC, .data = &pieces },
		{ "copy submit, system memory", setup_job, submit, verify_job,
		  .also = ENOSPC, .data = &in_system },
		{ "copy submit, a udmabuf", setup_foreign_job, submit,
		  verify_foreign_job,
		  .also = ENOSPC, .data = NULL },
		{ "copy submit, again", setup_second_job, submit, verify_job,
		  .also = ENOSPC, .data = &pieces },
		{ "copy submit, fences", setup_fenced_job, submit, verify_job,
		  .also = ENOSPC, .data = &pieces },
		{ "copy userptr", setup_user, create_user_buffer, verify_user,
		  .data = &pieces },
		{ "copy userptr, not touched", setup_user, create_user_buffer,
		  verify_user, .data = NULL },
		{ "copy userptr close", setup_user_buffer, close_user,
		  verify_user_closed, .data = &pieces },
		{ "copy submit, user memory", setup_user_job, submit,
		  verify_user_job, .also = ENOSPC, .data = &pieces },
	};

	sweep_all(calls, ARRAY_SIZE(calls));
	sweep_hugetlb();
}

/*
 * The engine's threads
 */

#define LONG	(5 * SZ_1M)

/* A job of several scripts, however the engine's memory is mapped. */
static void setup_long_job(const void *data)
{
	(void)data;
	create_fences(false);
}

static int run_long_job(const void *data)
{
	struct drm_phyr_copy_submit job = the_job(LONG);

	(void)data;
	igt_assert_eq(phyr_copy_submit(stage.copy, &job), 0);
	return phyr_syncobj_wait(stage.copy, stage.out_fence);
}

static void verify_long_job(const void *data, int result)
{
	(void)data;
	(void)result;
	phyr_syncobj_destroy(stage.copy, stage.out_fence);
	copy_bytes(stage.copy, stage.imported, stage.own, LONG);
	assert_own(stage.copy, stage.own, LONG, SEED);
	fill_own(stage.copy, stage.own, LONG, SEED + 1);
	assert_works();
}

void sweep_engine_workers(void)
{
	const struct fail_nth_call call = {
		"copy job", setup_long_job, run_long_job, verify_long_job,
		.also = EIO, .in_worker = true,
	};

	stage.handle = create_vram(stage.vram, LONG, IN_VRAM, SZ_64K);
	fill_vram(stage.vram, stage.handle, LONG, SEED);
	stage.imported = import_from(stage.copy, stage.vram, stage.handle);
	stage.own = create_own(stage.copy, LONG);
	fail_nth_sweep(&call);
	igt_assert_eq(phyr_close_handle(stage.vram, stage.handle), 0);
	igt_assert_eq(phyr_close_handle(stage.copy, stage.imported), 0);
	igt_assert_eq(phyr_close_handle(stage.copy, stage.own), 0);
}

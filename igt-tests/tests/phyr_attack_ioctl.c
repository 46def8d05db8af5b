// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/dma-buf.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <xf86drm.h>

#include "attacker.h"
#include "lib.h"

IGT_TEST_DESCRIPTION("Ioctls with a wrong number, size, direction or argument");

/*
 * Whatever size a call has, the driver sees the bytes passed, followed by
 * zeroes. The expected result of each ioctl for such arguments is computed
 * here.
 */

static int judge_vram_info(const void *args)
{
	const struct drm_phyr_vram_info *info = args;

	return info->pad ? EINVAL : 0;
}

/* No fill byte used here makes a valid buffer. */
static int judge_vram_create(const void *args)
{
	(void)args;
	return EINVAL;
}

static int judge_mmap(const void *args)
{
	const struct drm_phyr_vram_gem_mmap *mmap = args;

	return mmap->pad ? EINVAL : ENOENT;
}

static int judge_vram_gem_info(const void *args)
{
	(void)args;
	return ENOENT;
}

static int judge_vram_move(const void *args)
{
	const struct drm_phyr_vram_gem_move *move = args;

	return __builtin_popcount(move->placement) == 1 ? ENOENT : EINVAL;
}

static int judge_copy_create(const void *args)
{
	const struct drm_phyr_copy_gem_create *create = args;

	if (create->flags || !create->size)
		return EINVAL;
	return create->size > sysconf(_SC_PHYS_PAGES) * SZ_4K ? E2BIG : 0;
}

static int judge_copy_info(const void *args)
{
	(void)args;
	return ENOENT;
}

static int judge_engine_info(const void *args)
{
	(void)args;
	return 0;
}

static int judge_submit(const void *args)
{
	const struct drm_phyr_copy_submit *submit = args;

	return submit->flags || submit->pad || !submit->len ? EINVAL : ENOENT;
}

/* No fill byte used here is an address. */
static int judge_userptr(const void *args)
{
	const struct drm_phyr_copy_gem_userptr *user = args;

	if (user->flags & ~DRM_PHYR_COPY_USERPTR_READONLY || !user->size)
		return EINVAL;
	return EFAULT;
}

static int judge_compose(const void *args)
{
	const struct drm_phyr_copy_gem_compose *compose = args;

	if (compose->flags || compose->pad || !compose->count ||
	    compose->count > PHYR_COPY_MAX_PARTS)
		return EINVAL;
	return EFAULT;
}

struct call {
	bool of_engine;
	unsigned long request;
	int (*judge)(const void *args);
};

static const struct call calls[] = {
	{ false, DRM_IOCTL_PHYR_VRAM_INFO, judge_vram_info },
	{ false, DRM_IOCTL_PHYR_VRAM_GEM_CREATE, judge_vram_create },
	{ false, DRM_IOCTL_PHYR_VRAM_GEM_MMAP, judge_mmap },
	{ false, DRM_IOCTL_PHYR_VRAM_GEM_INFO, judge_vram_gem_info },
	{ false, DRM_IOCTL_PHYR_VRAM_GEM_MOVE, judge_vram_move },
	{ true, DRM_IOCTL_PHYR_COPY_GEM_CREATE, judge_copy_create },
	{ true, DRM_IOCTL_PHYR_COPY_GEM_MMAP, judge_mmap },
	{ true, DRM_IOCTL_PHYR_COPY_GEM_INFO, judge_copy_info },
	{ true, DRM_IOCTL_PHYR_COPY_SUBMIT, judge_submit },
	{ true, DRM_IOCTL_PHYR_COPY_INFO, judge_engine_info },
	{ true, DRM_IOCTL_PHYR_COPY_GEM_USERPTR, judge_userptr },
	{ true, DRM_IOCTL_PHYR_COPY_GEM_COMPOSE, judge_compose },
};

/* _IOC_SIZE has 14 bits. */
#define HUGE_SIZE	((1u << _IOC_SIZEBITS) - 1)

static unsigned long resized(unsigned long request, unsigned int dir,
			     unsigned int size)
{
	return _IOC(dir, _IOC_TYPE(request), _IOC_NR(request), size);
}

/*
 * Call with @size bytes of @fill at the end of the mapping, so that an access
 * beyond them faults.
 */
static void try_call(const int fds[2], uint8_t *arena, const struct call *call,
		     unsigned int dir, unsigned int size, uint8_t fill)
{
	unsigned int real = _IOC_SIZE(call->request), in;
	bool read_by_both = dir & _IOC_DIR(call->request) & _IOC_WRITE;
	bool written_by_both = dir & _IOC_DIR(call->request) & _IOC_READ;
	uint8_t seen[256] = { 0 }, *args = arena + ARENA - size;
	int wanted, got;

	memset(arena, 0x5a, ARENA);
	memset(args, fill, size);
	in = read_by_both ? (size < real ? size : real) : 0;
	memset(seen, fill, in);
	wanted = call->judge(seen);
	got = ioctl(fds[call->of_engine], resized(call->request, dir, size),
		    args) ? errno : 0;
	igt_assert_f(got == wanted, "ioctl %#lx, direction %u, %u bytes of %#x: %s, not %s\n",
		     call->request, dir, size, fill, strerror(got),
		     strerror(wanted));
	for (unsigned int i = 0; i < ARENA - size; i++)
		igt_assert(arena[i] == 0x5a);
	for (unsigned int i = 0; !written_by_both && i < size; i++)
		igt_assert(args[i] == fill);
}

static void ioctl_sizes(void)
{
	int fds[] = { open_device(&scene.card), open_device(&scene.engine) };
	uint8_t *arena = make_arena();

	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++) {
		unsigned int real = _IOC_SIZE(calls[i].request);
		unsigned int dir = _IOC_DIR(calls[i].request);
		const unsigned int large[] = {
			real + 1, 2 * real, SZ_4K, SZ_4K + 1, HUGE_SIZE,
		};

		for (unsigned int size = 0; size <= real; size++) {
			try_call(fds, arena, &calls[i], dir, size, 0);
			try_call(fds, arena, &calls[i], dir, size, 0xff);
			try_call(fds, arena, &calls[i], dir, size, 0x81);
		}
		for (unsigned int n = 0; n < ARRAY_SIZE(large); n++) {
			try_call(fds, arena, &calls[i], dir, large[n], 0);
			try_call(fds, arena, &calls[i], dir, large[n], 0xff);
		}
	}
}

static void ioctl_directions(void)
{
	int fds[] = { open_device(&scene.card), open_device(&scene.engine) };
	uint8_t *arena = make_arena();

	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++)
		for (unsigned int dir = 0; dir < 1u << _IOC_DIRBITS; dir++) {
			unsigned int real = _IOC_SIZE(calls[i].request);

			try_call(fds, arena, &calls[i], dir, 0, 0xff);
			try_call(fds, arena, &calls[i], dir, real - 1, 0xff);
			try_call(fds, arena, &calls[i], dir, real, 0xff);
			try_call(fds, arena, &calls[i], dir, HUGE_SIZE, 0xff);
		}
}

static void ioctl_pointers(void)
{
	int fds[] = { open_device(&scene.card), open_device(&scene.engine) };
	uint8_t *arena = make_arena();
	void *bad[] = {
		NULL, arena + ARENA, arena + ARENA - 1,
		(void *)0x00007ffffffff000, (void *)0xdead000000000000,
		(void *)0xffff888000000000, (void *)0xfffffffffffffff8,
	};
	uint64_t *create = (uint64_t *)arena;

	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++) {
		const struct call *call = &calls[i];
		int fd = fds[call->of_engine], got, wanted;

		for (unsigned int n = 0; n < ARRAY_SIZE(bad); n++)
			ASSERT_ERRNO(ioctl(fd, call->request, bad[n]), EFAULT);

		/*
		 * Read-only arguments: results cannot be copied back, so
		 * EFAULT.
		 */
		memset(arena, 0, SZ_4K);
		igt_assert_eq(mprotect(arena, SZ_4K, PROT_READ), 0);
		wanted = _IOC_DIR(call->request) & _IOC_READ ?
			 EFAULT : call->judge(arena);
		got = ioctl(fd, call->request, arena) ? errno : 0;
		igt_assert_eq(got, wanted);
		igt_assert_eq(mprotect(arena, SZ_4K, PROT_READ | PROT_WRITE), 0);
	}

	/*
	 * The client still owns the buffer whose handle could not be returned.
	 */
	create[0] = SZ_1M;
	create[1] = IN_VRAM;
	igt_assert_eq(mprotect(arena, SZ_4K, PROT_READ), 0);
	ASSERT_ERRNO(ioctl(fds[0], DRM_IOCTL_PHYR_VRAM_GEM_CREATE, arena),
		     EFAULT);
	igt_assert_eq(phyr_close_handle(fds[0], 1), 0);
	igt_assert_eq(phyr_close_handle(fds[0], 1), -EINVAL);
}

/* DRM's ioctls on render nodes; others are for primary nodes or unused. */
static bool for_render_nodes(unsigned int nr)
{
	static const unsigned int numbers[] = {
		0x00, 0x09, 0x0c, 0x2d, 0x2e, 0xd1, 0xd2,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(numbers); i++)
		if (numbers[i] == nr)
			return true;
	return (nr >= 0xbf && nr <= 0xc5) || (nr >= 0xca && nr <= 0xcd) ||
	       nr == 0xcf;
}

/* Numbers that DRM does not use in any driver. */
static bool is_hole(unsigned int nr)
{
	return nr == 0x03 || nr == 0x04 || nr == 0x08 || nr == 0x0e ||
	       nr == 0x0f || (nr >= 0x14 && nr <= 0x1d) ||
	       (nr >= 0x20 && nr <= 0x26) || (nr >= 0x29 && nr <= 0x2b) ||
	       (nr >= 0x2f && nr <= 0x39) || nr == 0x3d || nr == 0x3e ||
	       nr >= 0xd3;
}

static void ioctl_numbers_on(int fd, unsigned int own_calls)
{
	uint64_t args[64];

	for (unsigned int nr = 0; nr < 0x100; nr++) {
		int wanted = is_hole(nr) ? EINVAL : EACCES;

		if (nr >= DRM_COMMAND_BASE && nr < DRM_COMMAND_END)
			wanted = nr - DRM_COMMAND_BASE < own_calls ? 0 : EINVAL;
		else if (for_render_nodes(nr))
			wanted = 0;
		for (unsigned int dir = 0; dir < 4 && wanted; dir++) {
			int got;

			memset(args, 0, sizeof(args));
			got = ioctl(fd, _IOC(dir, DRM_IOCTL_BASE, nr, 64), args) ?
			      errno : 0;
			igt_assert_f(got == wanted, "number %#x: %s, not %s\n",
				     nr, strerror(got), strerror(wanted));
		}
		/* Other type letters belong to other subsystems. */
		for (unsigned int type = 0; type < 0x100; type++)
			if (type != DRM_IOCTL_BASE &&
			    _IOC(3, type, nr, 16) != FIOQSIZE)
				ASSERT_ERRNO(ioctl(fd, _IOC(3, type, nr, 16),
						   args), ENOTTY);
	}
}

static void ioctl_numbers(void)
{
	int vram = open_device(&scene.card), engine = open_device(&scene.engine);
	int dmabuf = create_dmabuf(vram, SZ_4K, 0);
	uint64_t args[8] = { 0 };

	ioctl_numbers_on(vram, 5);
	ioctl_numbers_on(engine, 7);
	for (unsigned int nr = 4; nr < 0x100; nr++)
		ASSERT_ERRNO(ioctl(dmabuf, _IOC(3, DMA_BUF_BASE, nr, 16), args),
			     ENOTTY);
}

igt_main()
{
	igt_describe("Every ioctl with every size up to its own, and larger ones");
	igt_subtest("sizes")
		under_attack(ioctl_sizes, NULL);

	igt_describe("Every ioctl with every direction");
	igt_subtest("directions")
		under_attack(ioctl_directions, NULL);

	igt_describe("Every ioctl with unmapped and read-only arguments");
	igt_subtest("pointers")
		under_attack(ioctl_pointers, NULL);

	igt_describe("All numbers and types that are not ioctls of a render node");
	igt_subtest("numbers")
		under_attack(ioctl_numbers, NULL);
}

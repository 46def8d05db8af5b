// SPDX-License-Identifier: MIT
/* What cannot be composed, and what cannot be done with a whole. */
#include <fcntl.h>
#include <string.h>

#include "ledger.h"
#include "whole.h"

#define PAGES		16
#define SIZE		(PAGES * SZ_4K)

/**
 * struct refusal - a call and its result
 * @what: describes it
 * @err: the expected result
 * @count: number of parts
 * @flags: member of the ioctl
 * @pad: likewise
 * @parts: the parts
 */
struct refusal {
	const char *what;
	int err;
	uint32_t count;
	uint32_t flags;
	uint32_t pad;
	struct drm_phyr_copy_part parts[3];
};

/* Nothing is left of what was refused, and of what was closed. */
static void assert_refused(int engine, const struct refusal *calls,
			   unsigned int nr)
{
	struct ledger before = ledger_now(), now;

	for (unsigned int i = 0; i < nr; i++) {
		struct drm_phyr_copy_gem_compose args = {
			.parts = (uintptr_t)calls[i].parts,
			.count = calls[i].count,
			.flags = calls[i].flags,
			.pad = calls[i].pad,
		};
		int err = phyr_ioctl(engine, DRM_IOCTL_PHYR_COPY_GEM_COMPOSE,
				     &args);

		igt_assert_f(err == calls[i].err, "%s: %d, expected %d\n",
			     calls[i].what, err, calls[i].err);
		if (!err)
			igt_assert_eq(phyr_close_handle(engine, args.handle),
				      0);
	}
	igt_assert_f(ledger_comes_to(&before, &now), "%s\n",
		     ledger_difference(&before, &now));
}

#define ASSERT_REFUSED(engine, calls) \
	assert_refused(engine, calls, ARRAY_SIZE(calls))

static void too_many_parts(int engine, uint32_t handle)
{
	static struct drm_phyr_copy_part parts[PHYR_COPY_MAX_PARTS + 1];
	uint32_t whole;

	for (unsigned int i = 0; i < ARRAY_SIZE(parts); i++)
		parts[i] = part_of(handle, 0, SZ_4K);
	igt_assert_eq(try_compose(engine, parts, PHYR_COPY_MAX_PARTS, &whole),
		      0);
	igt_assert_eq(phyr_close_handle(engine, whole), 0);
	igt_assert_eq(try_compose(engine, parts, PHYR_COPY_MAX_PARTS + 1,
				  &whole), -EINVAL);
	igt_assert_eq(try_compose(engine, parts, UINT32_MAX, &whole), -EINVAL);
	igt_assert_eq(try_compose(engine, NULL, 0, &whole), -EINVAL);
}

/* A job takes all locks. */
static void copy_both_ways(int engine, uint32_t whole, uint64_t size)
{
	uint32_t own = create_own(engine, size);

	fill_own(engine, own, size, SEED);
	copy_bytes(engine, own, whole, size);
	fill_own(engine, own, size, 0);
	copy_bytes(engine, whole, own, size);
	assert_own(engine, own, size, SEED);
}

/* Of the parts, 512 buffers; of bytes that occur again, 1 GiB. */
static void too_much(int engine)
{
	static struct drm_phyr_copy_part parts[600];
	const uint64_t size = 2 * SZ_1M;
	const unsigned int most = 512;
	int card = open_vram(0);
	uint32_t whole;

	for (unsigned int i = 0; i <= most; i++)
		parts[i] = part_of(import_from(engine, card,
					       create_vram(card, SZ_4K,
							   IN_VRAM, 0)),
				   0, SZ_4K);
	igt_assert_eq(try_compose(engine, parts, most, &whole), 0);
	copy_both_ways(engine, whole, most * SZ_4K);
	igt_assert_eq(phyr_close_handle(engine, whole), 0);
	igt_assert_eq(try_compose(engine, parts, most + 1, &whole), -E2BIG);

	parts[0] = part_of(import_from(engine, card,
				       create_vram(card, size, IN_VRAM, 0)),
			   0, size);
	for (unsigned int i = 1; i < ARRAY_SIZE(parts); i++)
		parts[i] = parts[0];
	igt_assert_eq(try_compose(engine, parts, most + 1, &whole), 0);
	igt_assert_eq(phyr_close_handle(engine, whole), 0);
	parts[most + 1].len = SZ_4K;
	igt_assert_eq(try_compose(engine, parts, most + 2, &whole), -E2BIG);
	close(card);
}

void bad_input(void)
{
	int engine = open_copy(0);
	const struct source source = open_source(engine, VRAM, SIZE);
	uint32_t a = source.handle, own = create_own(engine, SIZE);
	int udmabuf = create_udmabuf(SIZE);
	uint32_t foreign = import_buffer(engine, udmabuf);
	const struct drm_phyr_copy_part good = part_of(a, 0, SZ_4K);
	uint32_t whole = compose(engine, &good, 1);
	const struct refusal calls[] = {
		{ "one part", 0, 1, .parts = { good } },
		{ "three parts", 0, 3, .parts = { good, good, good } },
		{ "no part", -EINVAL, 0, .parts = { good } },
		{ "a flag", -EINVAL, 1, .flags = 1, .parts = { good } },
		{ "another flag", -EINVAL, 1, .flags = 1u << 31,
		  .parts = { good } },
		{ "pad", -EINVAL, 1, .pad = 1, .parts = { good } },
		{ "pad of a part", -EINVAL, 1, .parts = { { a, 1, 0, SZ_4K } } },
		{ "pad of the last part", -EINVAL, 2,
		  .parts = { good, { a, 1u << 31, 0, SZ_4K } } },
		{ "no byte", -EINVAL, 1, .parts = { { a, 0, 0, 0 } } },
		{ "no byte at the end", -EINVAL, 2,
		  .parts = { good, { a, 0, SIZE, 0 } } },
		{ "a part after none", -EINVAL, 2,
		  .parts = { { a, 0, 0, 0 }, good } },
		{ "the last byte", 0, 1, .parts = { { a, 0, SIZE - 1, 1 } } },
		{ "one byte past the buffer", -EINVAL, 1,
		  .parts = { { a, 0, 0, SIZE + 1 } } },
		{ "a byte behind the buffer", -EINVAL, 1,
		  .parts = { { a, 0, SIZE, 1 } } },
		{ "a page past the buffer", -EINVAL, 2,
		  .parts = { good, { a, 0, SIZE - SZ_4K, 2 * SZ_4K } } },
		{ "the end overflows", -EINVAL, 1,
		  .parts = { { a, 0, UINT64_MAX, 2 } } },
		{ "the end overflows by pages", -EINVAL, 2,
		  .parts = { good, { a, 0, -SZ_4K, 2 * SZ_4K } } },
		{ "a length beyond all", -EINVAL, 1,
		  .parts = { { a, 0, SZ_4K, UINT64_MAX } } },
		{ "a length beyond all pages", -EINVAL, 1,
		  .parts = { { a, 0, SZ_4K, -SZ_4K } } },
		{ "lengths whose sum overflows", -EINVAL, 3,
		  .parts = { { a, 0, 0, 1ull << 63 }, { a, 0, 0, 1ull << 63 },
			     good } },
		{ "handle 0", -ENOENT, 1, .parts = { { 0, 0, 0, SZ_4K } } },
		{ "no such handle", -ENOENT, 1,
		  .parts = { { 0x7fffffff, 0, 0, SZ_4K } } },
		{ "no such handle at the end", -ENOENT, 3,
		  .parts = { good, good, { UINT32_MAX, 0, 0, SZ_4K } } },
		{ "the engine's own buffer", -EOPNOTSUPP, 1,
		  .parts = { { own, 0, 0, SZ_4K } } },
		{ "the engine's own buffer at the end", -EOPNOTSUPP, 2,
		  .parts = { good, { own, 0, 0, SZ_4K } } },
		{ "a udmabuf", -EOPNOTSUPP, 1,
		  .parts = { { foreign, 0, 0, SZ_4K } } },
		{ "a udmabuf at the end", -EOPNOTSUPP, 3,
		  .parts = { good, good, { foreign, 0, 0, SZ_4K } } },
		{ "a whole", -EINVAL, 1, .parts = { { whole, 0, 0, SZ_4K } } },
		{ "a whole at the end", -EINVAL, 2,
		  .parts = { good, { whole, 0, 0, SZ_4K } } },
	};

	ASSERT_REFUSED(engine, calls);
	too_many_parts(engine, a);
	too_much(engine);
	close(engine);
	close(udmabuf);
	close_source(&source);
}

/* Only the first part may start inside a page, and only the last one end. */
void bad_borders(void)
{
	int engine = open_copy(0);
	const struct source sources[] = {
		open_source(engine, VRAM, SIZE), open_source(engine, RAM, SIZE),
	};
	uint32_t a = sources[0].handle, b = sources[1].handle;
	const struct refusal calls[] = {
		{ "within a page", 0, 1, .parts = { { a, 0, 1, SZ_4K - 2 } } },
		{ "both ends", 0, 3,
		  .parts = { { a, 0, 1, SZ_4K - 1 }, { b, 0, 0, SZ_4K },
			     { a, 0, SZ_4K, 1 } } },
		{ "ends at a border only by its length", -EINVAL, 2,
		  .parts = { { a, 0, 1, SZ_4K }, { b, 0, 0, SZ_4K } } },
		{ "the first one ends", -EINVAL, 2,
		  .parts = { { a, 0, 0, SZ_4K - 1 }, { b, 0, 0, SZ_4K } } },
		{ "the first one is within a page", -EINVAL, 2,
		  .parts = { { a, 0, 1, SZ_4K - 2 }, { b, 0, 0, SZ_4K } } },
		{ "the last one starts", -EINVAL, 2,
		  .parts = { { a, 0, 0, SZ_4K }, { b, 0, 1, SZ_4K - 1 } } },
		{ "the last one is within a page", -EINVAL, 2,
		  .parts = { { a, 0, 0, SZ_4K }, { b, 0, 1, SZ_4K - 2 } } },
		{ "one in the middle starts", -EINVAL, 3,
		  .parts = { { a, 0, 0, SZ_4K }, { b, 0, 512, SZ_4K - 512 },
			     { a, 0, SZ_4K, SZ_4K } } },
		{ "one in the middle ends", -EINVAL, 3,
		  .parts = { { a, 0, 0, SZ_4K }, { b, 0, 0, 512 },
			     { a, 0, SZ_4K, SZ_4K } } },
		/* No gap in the page, but it is a border inside it. */
		{ "two halves of a page", -EINVAL, 2,
		  .parts = { { a, 0, 0, 2048 }, { a, 0, 2048, 2048 } } },
	};

	ASSERT_REFUSED(engine, calls);
	close(engine);
	CLOSE_SOURCES(sources);
}

void bad_pointers(void)
{
	int engine = open_copy(0);
	const struct source source = open_source(engine, VRAM, SIZE);
	const struct drm_phyr_copy_part good = part_of(source.handle, 0, SZ_4K);
	uint8_t *mem = mmap(NULL, 2 * SZ_4K, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *const bad[] = {
		NULL, (void *)16, (void *)0xffff888000000000,
		(void *)UINT64_MAX, mem + SZ_4K, mem + SZ_4K - sizeof(good) - 1,
	};
	uint32_t handle;

	igt_assert(mem != MAP_FAILED);
	unmap(mem + SZ_4K, SZ_4K);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		if (i == ARRAY_SIZE(bad) - 1)
			memcpy(bad[i], &good, sizeof(good));
		igt_assert_eq(try_compose(engine, bad[i], 2, &handle), -EFAULT);
	}
	/* At any address that can be read. */
	memcpy(mem + 1, &good, sizeof(good));
	igt_assert_eq(mprotect(mem, SZ_4K, PROT_READ), 0);
	igt_assert_eq(try_compose(engine, (void *)(mem + 1), 1, &handle), 0);
	unmap(mem, SZ_4K);
	close(engine);
	close_source(&source);
}

/* All of the whole is read-only if a part is. */
void read_only(void)
{
	static const struct piece pieces[] = {
		{ 0, 0, 4 * SZ_4K }, { 1, 0, 2 * SZ_4K }, { 0, 8 * SZ_4K, SZ_4K },
	};
	int engine = open_copy(0);
	const struct source sources[] = {
		open_source(engine, VRAM, SIZE),
		open_user(engine, 0, SIZE, DRM_PHYR_COPY_USERPTR_READONLY),
	};
	struct whole whole = MAKE_WHOLE(engine, sources, pieces);
	uint32_t own = create_own(engine, SIZE);

	write_whole(&whole, SEED);
	assert_copy_of_whole(&whole, SEED);
	igt_assert_eq(phyr_copy_run(engine, own, 0, whole.handle, 0,
				    whole.size), -EACCES);
	igt_assert_eq(phyr_copy_run(engine, own, 0, whole.handle, 0, 1),
		      -EACCES);
	igt_assert_eq(phyr_copy_run(engine, whole.handle, 0, whole.handle,
				    2 * SZ_4K, SZ_4K), -EACCES);
	assert_whole(&whole, SEED);
	/* The part itself can be written as before. */
	copy_bytes(engine, whole.handle, sources[0].handle, SZ_4K);
	assert_whole(&whole, SEED);
	close(engine);
	CLOSE_SOURCES(sources);
	wait_for_unpin();
}

static void assert_flags(int engine, uint32_t handle, uint32_t flags)
{
	struct drm_phyr_copy_gem_info info;

	igt_assert_eq(phyr_copy_gem_info(engine, handle, &info), 0);
	igt_assert_eq(info.flags, flags);
}

/*
 * A whole with user memory stays with its file; one that starts or ends inside a
 * page would show the rest of it.
 */
void not_shared(void)
{
	static const struct piece pieces[] = {
		{ 0, 0, SZ_4K }, { 1, 0, SZ_4K },
	};
	static const struct piece starts_inside[] = {
		{ 0, 1, SZ_4K - 1 }, { 0, 2 * SZ_4K, SZ_4K },
	};
	static const struct piece ends_inside[] = {
		{ 0, 0, SZ_4K }, { 0, 2 * SZ_4K, SZ_4K - 1 },
	};
	static const struct piece inside = { 0, 512, SZ_4K };
	int engine = open_copy(0);
	const struct source sources[] = {
		open_source(engine, VRAM, SIZE), open_source(engine, USER, SIZE),
		open_source(engine, RAM, SIZE),
	};
	const struct whole wholes[] = {
		MAKE_WHOLE(engine, sources, pieces),
		make_whole(engine, sources + 1, 2, pieces, 2),
		make_whole(engine, sources + 1, 1, pieces, 1),
		MAKE_WHOLE(engine, sources, starts_inside),
		MAKE_WHOLE(engine, sources, ends_inside),
		make_whole(engine, sources, 1, &inside, 1),
		make_whole(engine, sources, 1, pieces, 1),
	};
	const unsigned int shared = ARRAY_SIZE(wholes) - 1;

	for (unsigned int i = 0; i < ARRAY_SIZE(wholes); i++) {
		struct drm_phyr_copy_gem_mmap map = {
			.handle = wholes[i].handle,
		};
		bool user = i < 3;
		int dmabuf = phyr_export(engine, wholes[i].handle);

		assert_flags(engine, wholes[i].handle,
			     DRM_PHYR_COPY_GEM_COMPOSED |
			     (user ? DRM_PHYR_COPY_GEM_USER : 0));
		igt_assert_eq(phyr_ioctl(engine, DRM_IOCTL_PHYR_COPY_GEM_MMAP,
					 &map), -EINVAL);
		igt_assert_f(i < shared ? dmabuf == -EOPNOTSUPP : dmabuf >= 0,
			     "export of whole %u: %d\n", i, dmabuf);
		if (dmabuf >= 0)
			close(dmabuf);
	}
	close(engine);
	CLOSE_SOURCES(sources);
	wait_for_unpin();
}

static int open_primary(const struct phyr_device *device)
{
	int fd = open(device->primary, O_RDWR | O_CLOEXEC);

	igt_assert_f(fd >= 0, "%s: %s\n", device->primary, strerror(errno));
	return fd;
}

/* Global names: of one with user memory, only its owner opens it. */
void names(void)
{
	static const struct piece pieces[] = {
		{ 0, 0, SZ_4K }, { 1, 0, SZ_4K },
	};
	struct phyr_device device = copy_device(0);

	for (int user = 0; user < 2; user++) {
		int owner = open_primary(&device), other = open_primary(&device);
		const struct source sources[] = {
			open_source(owner, VRAM, SIZE),
			open_source(owner, user ? USER : RAM, SIZE),
		};
		struct whole whole = MAKE_WHOLE(owner, sources, pieces);
		struct drm_gem_flink flink = { .handle = whole.handle };
		struct drm_gem_open name = { 0 };

		igt_assert_eq(phyr_ioctl(owner, DRM_IOCTL_GEM_FLINK, &flink), 0);
		name.name = flink.name;
		igt_assert_eq(phyr_ioctl(other, DRM_IOCTL_GEM_OPEN, &name),
			      user ? -EACCES : 0);
		if (!user) {
			whole.engine = other;
			whole.handle = name.handle;
		}
		igt_assert_eq(phyr_ioctl(owner, DRM_IOCTL_GEM_OPEN, &name), 0);
		if (!user)
			close(owner);
		verify_whole(&whole);
		if (user)
			close(owner);
		close(other);
		CLOSE_SOURCES(sources);
	}
	wait_for_unpin();
}

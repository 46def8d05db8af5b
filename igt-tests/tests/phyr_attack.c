// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "attack/attacks.h"

IGT_TEST_DESCRIPTION("What an unprivileged process can and cannot do");

static int set_name(int dmabuf, const void *name)
{
	uint64_t pointer = (uintptr_t)name;

	return ioctl(dmabuf, _IOW(DMA_BUF_BASE, 1, uint64_t), pointer) ?
	       errno : 0;
}

static void dmabuf_ioctls(void)
{
	int vram = open_device(&scene.card);
	int dmabuf = export_buffer(vram, create_vram(vram, SIZE, IN_VRAM, 0));
	struct dma_buf_sync sync = { 0 };
	struct dma_buf_export_sync_file export = { .fd = -1 };
	struct dma_buf_import_sync_file import = {
		.flags = DMA_BUF_SYNC_RW, .fd = -1,
	};
	uint8_t *arena = make_arena();
	char path[64], text[256];
	int fdinfo;

	igt_assert_eq(set_name(dmabuf, NULL), EFAULT);
	igt_assert_eq(set_name(dmabuf, arena + ARENA), EFAULT);
	igt_assert_eq(set_name(dmabuf, (void *)0xffff888000000000), EFAULT);
	memset(arena, 0xff, ARENA);
	igt_assert_eq(set_name(dmabuf, arena), EINVAL);
	igt_assert_eq(set_name(dmabuf, arena + ARENA - 8), EFAULT);
	igt_assert_eq(set_name(dmabuf, "%s%n\n\x1b[2Jsize: 0 \xff\xfe"), 0);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", dmabuf);
	fdinfo = open(path, O_RDONLY | O_CLOEXEC);
	igt_assert(read(fdinfo, text, sizeof(text)) > 0);
	close(fdinfo);
	igt_assert_eq(set_name(dmabuf, ""), 0);

	ASSERT_ERRNO(ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, &sync), EINVAL);
	sync.flags = ~0ull;
	ASSERT_ERRNO(ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, &sync), EINVAL);
	ASSERT_ERRNO(ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, NULL), EFAULT);
	ASSERT_ERRNO(ioctl(dmabuf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &export),
		     EINVAL);
	export.flags = ~0;
	ASSERT_ERRNO(ioctl(dmabuf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &export),
		     EINVAL);
	ASSERT_ERRNO(ioctl(dmabuf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &import),
		     EINVAL);
	import.fd = vram;
	ASSERT_ERRNO(ioctl(dmabuf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &import),
		     EINVAL);
}

igt_main()
{
	igt_describe("Guess GEM handles of other clients");
	igt_subtest("guess-handles")
		attack_client(guess_handles);

	igt_describe("Guess global names, one of which exists");
	igt_subtest("guess-names")
		guess_names();

	igt_describe("Import files that are not dma-bufs; take a dma-buf from another process");
	igt_subtest("never-shared")
		attack_client(never_shared);

	igt_describe("Map beyond the end of buffers in all placements, by node and dma-buf");
	igt_subtest("mmap-past-end") {
		/* remap_file_pages() causes it. */
		igt_emit_ignore_dmesg_regex("deprecated remap_file_pages");
		under_attack(mmap_past_end, NULL);
	}

	igt_describe("A dma-buf cannot be read, written or resized");
	igt_subtest("dmabuf-as-a-file")
		under_attack(dmabuf_as_a_file, NULL);

	igt_describe("Map another client's buffer by its offset, known or guessed");
	igt_subtest("mmap-guessed-offset")
		mmap_guessed();

	igt_describe("Map by the offset of a buffer whose handle was closed");
	igt_subtest("mmap-after-close")
		under_attack(mmap_after_close, NULL);

	igt_describe("No mapping can be or become executable");
	igt_subtest("mmap-exec")
		under_attack(mmap_exec, NULL);

	igt_describe("No mapping can be private");
	igt_subtest("mmap-private")
		under_attack(mmap_private, NULL);

	igt_describe("A read-only dma-buf cannot be mapped for writing, at once or later");
	igt_subtest("mmap-read-only")
		under_attack(mmap_read_only, NULL);

	igt_describe("Hold files, mappings, a dma-buf and a job while the card is unbound and bound");
	igt_subtest("hold-card")
		hold_card();

	igt_describe("Hold files, mappings, a dma-buf and a job while the engine is unbound and bound");
	igt_subtest("hold-engine")
		hold_engine();

	igt_describe("New buffers contain no bytes of an earlier client, up to the end of their last page");
	igt_subtest("stale-bytes")
		stale_bytes();

	igt_describe("Copies out of range");
	igt_subtest("copy-out-of-range")
		copy_out_of_range();

	igt_describe("Root's files: debugfs, tracing, the test device, binding, the BARs");
	igt_subtest("root-files")
		root_files();

	igt_describe("The DRM master's ioctls, on the primary and on the render node");
	igt_subtest("master-only")
		attack_display(master_only_attack);

	igt_describe("Atomic commits by a client that is not the master");
	igt_subtest("atomic-by-others")
		attack_display(atomic_attack);

	igt_describe("Framebuffers of other clients do not reveal their handles");
	igt_subtest("others-framebuffers")
		attack_display(others_framebuffers_attack);

	igt_describe("Property blobs of other clients cannot be destroyed");
	igt_subtest("others-blobs")
		others_blobs();

	igt_describe("Invalid arguments for names, CPU access and fences of a dma-buf");
	igt_subtest("dmabuf-ioctls")
		under_attack(dmabuf_ioctls, NULL);

	igt_describe("Guess syncobjs of other clients");
	igt_subtest("others-syncobjs")
		attack_client(others_syncobjs);

	igt_fixture()
		close_nodes();
}

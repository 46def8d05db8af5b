// SPDX-License-Identifier: MIT
/* Files that are root's, and ioctls that are the DRM master's. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <xf86drmMode.h>

#include "attacks.h"
#include "display.h"

static void assert_closed(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	igt_assert_f(fd < 0, "%s is open to everybody\n", path);
	igt_assert_f(errno == EACCES, "%s: %s\n", path, strerror(errno));
}

static void assert_closed_of(const struct phyr_device *device, const char *file)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", device->busid,
		 file);
	assert_closed(path, O_WRONLY);
}

static void root_files_attack(void)
{
	static const char *const read_files[] = {
		"/sys/kernel/debug", "/sys/kernel/debug/phyr/attachments",
		"/sys/kernel/debug/dri", "/sys/kernel/debug/dma_buf/bufinfo",
		"/sys/kernel/tracing", "/sys/kernel/tracing/trace",
		"/sys/kernel/tracing/events/phyr/enable", "/dev/phyr_test",
		"/sys/module/phyr_vram/parameters/poison", "/proc/slabinfo",
	};
	static const char *const written_files[] = {
		"/sys/bus/pci/drivers/phyr_vram/new_id",
		"/sys/bus/pci/drivers/phyr_vram/bind",
		"/sys/bus/pci/drivers/phyr_vram/unbind",
		"/sys/bus/pci/drivers/phyr_copy/bind",
		"/sys/bus/pci/drivers/phyr_copy/unbind",
		"/sys/bus/pci/drivers_probe", "/sys/bus/pci/rescan",
		"/sys/module/phyr_vram/parameters/poison",
	};
	static const char *const device_files[] = {
		"driver_override", "remove", "config", "enable",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(read_files); i++)
		assert_closed(read_files[i], O_RDONLY);
	for (unsigned int i = 0; i < ARRAY_SIZE(written_files); i++)
		assert_closed(written_files[i], O_WRONLY);
	for (unsigned int i = 0; i < ARRAY_SIZE(device_files); i++) {
		assert_closed_of(&scene.card, device_files[i]);
		assert_closed_of(&scene.engine, device_files[i]);
	}
	/* The BARs. */
	assert_closed_of(&scene.card, "resource2");
	assert_closed_of(&scene.card, "resource2_wc");
	assert_closed_of(&scene.display, "resource0");
	assert_closed("/dev/mem", O_RDONLY);
}

static int passed_test_device;

/* Not even with root's file descriptor. */
static void test_device_attack(void)
{
	static const unsigned long requests[] = {
		PHYR_TEST_IOC_EXPORT, PHYR_TEST_IOC_IMPORT, PHYR_TEST_IOC_CHECK,
		PHYR_TEST_IOC_VMAP, PHYR_TEST_IOC_DEVICES, PHYR_TEST_IOC_HOLD,
		PHYR_TEST_IOC_HELD, PHYR_TEST_IOC_MAP, PHYR_TEST_IOC_UNMAP,
		PHYR_TEST_IOC_PIN, PHYR_TEST_IOC_RELEASE,
		PHYR_TEST_IOC_DMABUF_VMAP, PHYR_TEST_IOC_RESERVE,
		PHYR_TEST_IOC_COMMIT,
	};
	uint64_t args[64] = { 0 };

	for (unsigned int i = 0; i < ARRAY_SIZE(requests); i++)
		ASSERT_ERRNO(ioctl(passed_test_device, requests[i], args), EPERM);
	ASSERT_ERRNO(open("/dev/phyr_test", O_RDWR), EACCES);
}

void root_files(void)
{
	passed_test_device = open_phyr_test(SECOND_IVSHMEM);
	under_attack(root_files_attack, NULL);
	under_attack(test_device_attack, NULL);
	close(passed_test_device);
}

static struct display shown;
static struct fb shown_fb;

/* This process is the DRM master and shows a picture. */
void attack_display(void (*attack)(void))
{
	shown = open_display();
	shown_fb = create_mode_fb(&shown, DRM_FORMAT_XRGB8888, 610);
	show(&shown, &shown_fb);
	under_attack(attack, NULL);
	assert_shown(&shown, &shown_fb);
	remove_fb(&shown, &shown_fb);
	close_display(&shown);
}

void master_only_attack(void)
{
	static const unsigned long requests[] = {
		DRM_IOCTL_SET_VERSION, DRM_IOCTL_AUTH_MAGIC,
		DRM_IOCTL_MODE_SETCRTC, DRM_IOCTL_MODE_CURSOR,
		DRM_IOCTL_MODE_CURSOR2, DRM_IOCTL_MODE_SETGAMMA,
		DRM_IOCTL_MODE_SETPROPERTY, DRM_IOCTL_MODE_PAGE_FLIP,
		DRM_IOCTL_MODE_DIRTYFB, DRM_IOCTL_MODE_SETPLANE,
		DRM_IOCTL_MODE_OBJ_SETPROPERTY, DRM_IOCTL_MODE_ATOMIC,
		DRM_IOCTL_MODE_CREATE_LEASE, DRM_IOCTL_MODE_LIST_LESSEES,
		DRM_IOCTL_MODE_GET_LEASE, DRM_IOCTL_MODE_REVOKE_LEASE,
		DRM_IOCTL_SET_MASTER, DRM_IOCTL_DROP_MASTER,
		DRM_IOCTL_GEM_FLINK, DRM_IOCTL_GEM_OPEN,
	};
	static const struct phyr_device *const cards[] = {
		&scene.display, &scene.engine,
	};
	uint64_t args[64] = { 0 };

	for (unsigned int n = 0; n < ARRAY_SIZE(cards); n++) {
		/*
		 * The engine has a primary node, too, at the moment without a
		 * master.
		 */
		int fd = open_path(cards[n]->primary);

		for (unsigned int i = 0; n == 0 && i < ARRAY_SIZE(requests); i++)
			ASSERT_ERRNO(ioctl(fd, requests[i], args), EACCES);
		/* Render nodes have no dumb buffers and no KMS. */
		close(fd);
		fd = open_path(cards[n]->render);
		for (unsigned int i = 0; i < ARRAY_SIZE(requests); i++)
			ASSERT_ERRNO(ioctl(fd, requests[i], args), EACCES);
		ASSERT_ERRNO(ioctl(fd, DRM_IOCTL_MODE_CREATE_DUMB, args), EACCES);
		ASSERT_ERRNO(ioctl(fd, DRM_IOCTL_MODE_ADDFB2, args), EACCES);
		ASSERT_ERRNO(ioctl(fd, DRM_IOCTL_MODE_GETRESOURCES, args), EACCES);
		close(fd);
	}
}

void atomic_attack(void)
{
	struct display mine = open_display_of(open_path(scene.display.primary));
	struct view view = { 0 };
	struct fb fb;

	mine.mode = shown.mode;
	fb = create_mode_fb(&mine, DRM_FORMAT_XRGB8888, 611);
	view.fb = &fb;

	/* Commit its own framebuffer, and the master's. */
	igt_assert_eq(try_show_view(&mine, &view, 0), -EACCES);
	igt_assert_eq(try_show_view(&mine, &view, DRM_MODE_ATOMIC_ALLOW_MODESET),
		      -EACCES);
	igt_assert_eq(try_show_view(&mine, &view, DRM_MODE_ATOMIC_TEST_ONLY),
		      -EACCES);
	igt_assert_eq(try_flip(&mine, &fb, 0), -EACCES);
	igt_assert_eq(try_flip(&mine, &shown_fb, 0), -EACCES);
	igt_assert_eq(try_turn_off(&mine), -EACCES);
	igt_assert_eq(drmModeObjectSetProperty(mine.fd, mine.plane,
					       DRM_MODE_OBJECT_PLANE,
					       mine.properties[PLANE_FB],
					       fb.id), -EACCES);
}

/* Framebuffer ids are public; the handles in them are not. */
void others_framebuffers_attack(void)
{
	int fd = open_path(scene.display.primary);
	struct drm_mode_fb_cmd get = { .fb_id = shown_fb.id };
	struct drm_mode_fb_cmd2 get2 = { .fb_id = shown_fb.id };
	struct drm_mode_closefb closefb = { .fb_id = shown_fb.id };
	struct drm_mode_fb_cmd2 add = {
		.width = 64, .height = 64, .pixel_format = DRM_FORMAT_XRGB8888,
		.handles = { shown_fb.handle }, .pitches = { 256 },
	};
	struct drm_mode_map_dumb map = { .handle = shown_fb.handle };
	struct drm_mode_destroy_dumb destroy = { .handle = shown_fb.handle };
	uint32_t id = shown_fb.id;

	igt_assert_eq(phyr_ioctl(fd, DRM_IOCTL_MODE_GETFB, &get), 0);
	igt_assert_eq(get.handle, 0);
	igt_assert_eq(phyr_ioctl(fd, DRM_IOCTL_MODE_GETFB2, &get2), 0);
	igt_assert_eq(get2.handles[0], 0);
	igt_assert_eq(phyr_ioctl(fd, DRM_IOCTL_MODE_ADDFB2, &add), -ENOENT);
	igt_assert_eq(phyr_ioctl(fd, DRM_IOCTL_MODE_RMFB, &id), -ENOENT);
	igt_assert_eq(phyr_ioctl(fd, DRM_IOCTL_MODE_CLOSEFB, &closefb), -ENOENT);
	igt_assert_eq(phyr_ioctl(fd, DRM_IOCTL_MODE_MAP_DUMB, &map), -ENOENT);
	igt_assert_eq(phyr_ioctl(fd, DRM_IOCTL_MODE_DESTROY_DUMB, &destroy),
		      -EINVAL);
}

static uint32_t victims_blob;

static void others_blobs_attack(void)
{
	int fd = open_path(scene.display.primary);
	struct drm_mode_destroy_blob destroy = { .blob_id = victims_blob };

	igt_assert_eq(phyr_ioctl(fd, DRM_IOCTL_MODE_DESTROYPROPBLOB, &destroy),
		      -EPERM);
	destroy.blob_id = 0xffffffff;
	igt_assert_eq(phyr_ioctl(fd, DRM_IOCTL_MODE_DESTROYPROPBLOB, &destroy),
		      -ENOENT);
}

void others_blobs(void)
{
	struct display display = open_display();

	igt_assert_eq(drmModeCreatePropertyBlob(display.fd, "phyr", 4,
						&victims_blob), 0);
	under_attack(others_blobs_attack, NULL);
	close_display(&display);
}

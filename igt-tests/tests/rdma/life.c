// SPDX-License-Identifier: MIT
/* Moves, revokes and unbinds of memory that a region's DMA is using. */
#include <fcntl.h>
#include <linux/videodev2.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "display.h"
#include "foreign.h"
#include "suspend.h"
#include "subtests.h"

#define SIZE	SZ_64K
#define SEED	80
#define MOVES	1000
#define RESETS	1000
#define UNBINDS	100
#define REGISTRATIONS	100

/**
 * struct shared - what a user process and the test tell each other
 * @stop: the user shall end
 * @rounds: rounds of DMA that the user has done and verified
 * @registrations: times that it has registered
 */
struct shared {
	atomic_bool stop;
	atomic_uint rounds;
	atomic_uint registrations;
};

/**
 * struct user - a process that keeps the device busy with a dma-buf
 * @pid: the process
 * @dmabuf: the dma-buf of SIZE bytes, whose first half has the pattern SEED
 * @kind: how it registers, PHYR_RDMA_*
 * @reg: what it has registered
 * @again: register anew when the region was revoked, or unusable for a while
 * @own_file: open /dev/phyr_rdma itself, so that its end closes it
 * @shared: shared memory
 */
struct user {
	pid_t pid;
	int dmabuf;
	uint32_t kind;
	struct phyr_rdma_reg reg;
	bool again;
	bool own_file;
	struct shared *shared;
};

/* Read the first half; write the second half and read it back. */
static int user_round(const struct user *user, uint32_t id, uint8_t *bytes)
{
	uint64_t seed = SEED + 1 + user->shared->rounds;
	int err = try_region_dma(id, false, bytes, 0, SIZE / 2);

	if (err)
		return err;
	if (phyr_verify(bytes, SEED, 0, SIZE / 2) >= 0)
		return -EILSEQ;
	phyr_fill(bytes, seed, 0, SIZE / 2);
	err = try_region_dma(id, true, bytes, SIZE / 2, SIZE / 2);
	if (err)
		return err;
	memset(bytes, 0, SIZE / 2);
	err = try_region_dma(id, false, bytes, SIZE / 2, SIZE / 2);
	if (!err && phyr_verify(bytes, seed, 0, SIZE / 2) >= 0)
		err = -EILSEQ;
	return err;
}

static int user_loop(struct user *user, uint8_t *bytes)
{
	int err = try_register_region(&user->reg);

	if (err)
		return err;
	user->shared->registrations++;
	while (!err && !user->shared->stop) {
		err = user_round(user, user->reg.id, bytes);
		if (!err)
			user->shared->rounds++;
	}
	/* -ENOENT: its device is gone, and the region with it. */
	if (err != -ENOENT && try_deregister_region(user->reg.id))
		return -EPROTO;
	return err;
}

/* A revoke, or a reset that goes on. */
static bool is_revoke(int err)
{
	return err == -EKEYREVOKED || err == -ENODEV;
}

/* Return: 0 if it was stopped, or the error that ended it. */
static int user_run(struct user *user)
{
	uint8_t *bytes = malloc(SIZE / 2);
	int err = bytes ? 0 : -ENOMEM;

	if (user->own_file)
		rdma = open("/dev/phyr_rdma", O_RDWR | O_CLOEXEC);
	while (!err && !user->shared->stop) {
		err = user_loop(user, bytes);
		if (user->again && is_revoke(err))
			err = 0;
	}
	free(bytes);
	return err;
}

static struct user user_start(struct user user)
{
	user.reg = region_part(user.dmabuf, user.kind, 0, SIZE);
	user.shared = mmap(NULL, sizeof(*user.shared), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	igt_assert(user.shared != MAP_FAILED);
	fflush(stdout);
	user.pid = fork();
	igt_assert(user.pid >= 0);
	if (!user.pid)
		_exit(-user_run(&user) & 0xff);
	return user;
}

/* Wait until it has done @rounds more rounds. */
static void user_wait(const struct user *user, unsigned int rounds)
{
	unsigned int before = user->shared->rounds;
	int status;

	while (user->shared->rounds - before < rounds) {
		igt_assert_f(!waitpid(user->pid, &status, WNOHANG),
			     "the user ended with status %#x\n", status);
		usleep(1000);
	}
}

/* Wait for its end; assert that @err was the reason. */
static void user_assert_ended(const struct user *user, int err)
{
	int status;

	igt_assert_eq(waitpid(user->pid, &status, 0), user->pid);
	igt_assert(WIFEXITED(status));
	igt_assert_f(WEXITSTATUS(status) == -err, "the user ended: %s, expected %s\n",
		     strerror(WEXITSTATUS(status)), strerror(-err));
	munmap(user->shared, sizeof(*user->shared));
}

static void user_stop(const struct user *user)
{
	user->shared->stop = true;
	user_assert_ended(user, 0);
}

static struct card_buffer open_filled(uint32_t placement)
{
	struct card_buffer buffer = open_card_buffer(SIZE, placement, SZ_4K);

	fill_vram(buffer.vram, buffer.handle, SIZE, SEED);
	return buffer;
}

static void assert_place(const struct card_buffer *buffer, uint32_t place)
{
	igt_assert_eq(vram_info(buffer->vram, buffer->handle).placement, place);
}

static void assert_pinned(const struct card_buffer *buffer, uint32_t place)
{
	assert_place(buffer, place);
	igt_assert_eq(try_move_buffer(buffer->vram, buffer->handle,
				      EVICTABLE & ~place), -EBUSY);
	assert_place(buffer, place);
}

/* The user writes the second half. */
static void assert_movable(const struct card_buffer *buffer)
{
	void *mem = map_vram(buffer->vram, buffer->handle, SIZE);

	move_buffer(buffer->vram, buffer->handle, IN_VRAM);
	move_buffer(buffer->vram, buffer->handle, IN_SYSTEM);
	assert_bytes(mem, SEED, 0, SIZE / 2);
	unmap(mem, SIZE);
}

void life_pinned(void)
{
	struct card_buffer buffer = open_filled(EVICTABLE);
	uint32_t first = register_region(buffer.dmabuf, PHYR_RDMA_PINNED, SIZE);
	uint32_t second;

	assert_pinned(&buffer, IN_SYSTEM);
	second = register_region(buffer.dmabuf, PHYR_RDMA_PINNED, SIZE);
	deregister_region(first);
	assert_pinned(&buffer, IN_SYSTEM);
	assert_region_dma(second, SEED, 0, SIZE);
	deregister_region(second);
	assert_movable(&buffer);
	close_card_buffer(&buffer);
}

void life_revocable(void)
{
	struct card_buffer buffer = open_filled(EVICTABLE);
	uint32_t id = register_region(buffer.dmabuf, PHYR_RDMA_REVOCABLE, SIZE);

	assert_pinned(&buffer, IN_VRAM);
	assert_region_dma(id, SEED, 0, SIZE);
	igt_assert_eq(region_state(id).invalidated, 0);
	deregister_region(id);
	assert_movable(&buffer);
	assert_place(&buffer, IN_SYSTEM);
	id = register_region(buffer.dmabuf, PHYR_RDMA_REVOCABLE, SIZE);
	assert_pinned(&buffer, IN_SYSTEM);
	assert_region_dma(id, SEED, 0, SIZE);
	deregister_region(id);
	assert_movable(&buffer);
	close_card_buffer(&buffer);
}

/* A region that is not in use has nothing to invalidate. */
static void assert_invalidated(const struct card_buffer *buffer, uint32_t id,
			       uint32_t times)
{
	igt_assert_eq(region_state(id).invalidated, times);
	igt_assert(!region_state(id).mapped);
	assert_region_dma(id, SEED, 0, SIZE / 2);
	igt_assert(region_state(id).mapped);
	igt_assert_eq_u64(region_state(id).faults, times + 1);
	move_buffer(buffer->vram, buffer->handle, IN_SYSTEM);
	move_buffer(buffer->vram, buffer->handle, IN_VRAM);
}

/*
 * DMA runs while the buffer moves, and each move finds a region mapped, because
 * the user has done a round since the last one.
 */
void life_moves(void)
{
	struct card_buffer buffer = open_filled(EVICTABLE);
	uint32_t beside = register_region(buffer.dmabuf, PHYR_RDMA_DYNAMIC,
					  SIZE);
	struct user user = user_start((struct user){
		.dmabuf = buffer.dmabuf, .kind = PHYR_RDMA_DYNAMIC,
	});
	int moves = repeats(MOVES);

	for (int i = 0; i < moves; i++) {
		user_wait(&user, 1);
		move_buffer(buffer.vram, buffer.handle,
			    i % 2 ? IN_VRAM : IN_SYSTEM);
	}
	user_wait(&user, 2);
	igt_info("%d moves, %u rounds of DMA\n", moves, user.shared->rounds);
	user_stop(&user);
	for (uint32_t times = 0; times < 3; times++)
		assert_invalidated(&buffer, beside, times);
	deregister_region(beside);
	assert_movable(&buffer);
	close_card_buffer(&buffer);
}

/* Move the buffer until told to stop. Each try is a round. */
static int mover_run(const struct card_buffer *buffer, struct shared *shared)
{
	int err = 0;

	for (int i = 0; !shared->stop && (!err || err == -EBUSY); i++) {
		err = try_move_buffer(buffer->vram, buffer->handle,
				      i % 2 ? IN_VRAM : IN_SYSTEM);
		shared->rounds++;
	}
	return err == -EBUSY ? 0 : err;
}

/*
 * A move between the attach and the pin of a registration: the RDMA core revokes
 * the region before there is one, fails, and leaves its pin behind.
 */
void life_registers(void)
{
	struct card_buffer buffer = open_filled(EVICTABLE);
	struct user mover = {
		.shared = mmap(NULL, sizeof(*mover.shared),
			       PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0),
	};
	int rounds = repeats(REGISTRATIONS), failed = 0;

	igt_assert(mover.shared != MAP_FAILED);
	fflush(stdout);
	mover.pid = fork();
	igt_assert(mover.pid >= 0);
	if (!mover.pid)
		_exit(-mover_run(&buffer, mover.shared) & 0xff);

	for (int i = 0; i < rounds; i++) {
		struct phyr_rdma_reg reg = region_part(buffer.dmabuf,
						       PHYR_RDMA_REVOCABLE, 0,
						       SIZE);
		int err;

		user_wait(&mover, 1);
		err = try_register_region(&reg);
		if (!err)
			deregister_region(reg.id);
		else
			igt_assert_eq(err, -EINVAL);
		failed += !!err;
	}
	igt_info("%d registrations, %d failed because of a move\n", rounds,
		 failed);
	user_stop(&mover);
	assert_movable(&buffer);
	close_card_buffer(&buffer);
}

/* A process that is killed, whose file is closed with a region in use. */
void life_close(void)
{
	for (uint32_t kind = 0; kind <= PHYR_RDMA_REVOCABLE; kind++) {
		struct card_buffer buffer = open_filled(EVICTABLE);
		struct user user = user_start((struct user){
			.dmabuf = buffer.dmabuf, .kind = kind, .own_file = true,
		});
		int status;

		user_wait(&user, 1);
		igt_assert_eq(find_attachments("phyr_vram", NULL, NULL), 1);
		igt_assert_eq(kill(user.pid, SIGKILL), 0);
		igt_assert_eq(waitpid(user.pid, &status, 0), user.pid);
		igt_assert(WIFSIGNALED(status));
		wait_for_no_attachment("phyr_vram", NULL);
		munmap(user.shared, sizeof(*user.shared));
		assert_movable(&buffer);
		close_card_buffer(&buffer);
	}
}

static void unbind_exporter(uint32_t kind, int ends_with)
{
	struct phyr_device card = vram_device(0);
	struct card_buffer buffer = open_filled(IN_VRAM);
	struct user user = user_start((struct user){
		.dmabuf = buffer.dmabuf, .kind = kind,
	});

	user_wait(&user, 1);
	remove_device(card.busid, UNBIND);
	user_assert_ended(&user, ends_with);
	close_card_buffer(&buffer);
	restore_device(card.busid, PHYR_VRAM_DRIVER, UNBIND);
}

void life_unbind_exporter(void)
{
	int rounds = repeats(UNBINDS);

	for (int i = 0; i < rounds; i++) {
		unbind_exporter(PHYR_RDMA_REVOCABLE, -EKEYREVOKED);
		unbind_exporter(PHYR_RDMA_DYNAMIC, -ENODEV);
	}
}

static void rebind_importer(const char *busid, uint32_t kind)
{
	struct card_buffer buffer = open_filled(EVICTABLE);
	struct user user = user_start((struct user){
		.dmabuf = buffer.dmabuf, .kind = kind,
	});

	user_wait(&user, 1);
	remove_device(busid, UNBIND);
	user_assert_ended(&user, -ENOENT);
	igt_assert_eq(find_attachments("phyr_vram", NULL, NULL), 0);
	assert_movable(&buffer);
	pci_bind(busid, RDMA_DRIVER);
	close_card_buffer(&buffer);
}

void life_unbind_importer(void)
{
	int rounds = repeats(UNBINDS);
	char busid[16];

	igt_assert(pci_find("0x1000", "0x0012", 1, busid));
	for (int i = 0; i < rounds; i++)
		rebind_importer(busid, i % (PHYR_RDMA_REVOCABLE + 1));
}

/* The user registers anew after each reset; a dynamic region stays. */
void life_resets(void)
{
	struct phyr_device card = vram_device(0);
	struct card_buffer buffer = open_filled(IN_VRAM);
	uint32_t beside = register_region(buffer.dmabuf, PHYR_RDMA_DYNAMIC,
					  SIZE);
	int resets = repeats(RESETS);
	char path[96];
	struct user user;

	reset_path(&card, path, sizeof(path));
	user = user_start((struct user){
		.dmabuf = buffer.dmabuf, .kind = PHYR_RDMA_REVOCABLE,
		.again = true,
	});
	for (int i = 0; i < resets; i++) {
		user_wait(&user, 1);
		if (i % 10 == 0)
			assert_region_dma(beside, SEED, 0, SIZE / 2);
		igt_assert_eq(user.shared->registrations, i + 1);
		write_file(path, "1");
	}
	user_wait(&user, 1);
	igt_info("%d resets, %u rounds of DMA\n", resets, user.shared->rounds);
	user_stop(&user);
	igt_assert_eq(region_state(beside).invalidated, (resets + 9) / 10);
	assert_region_dma(beside, SEED, 0, SIZE / 2);
	deregister_region(beside);
	close_card_buffer(&buffer);
}

/*
 * A suspend moves the buffer although it is pinned: to the RDMA core it is a
 * revoke, in which it unpins.
 */
void life_suspend(void)
{
	struct card_buffer buffer = open_filled(EVICTABLE);
	struct card_buffer system = open_filled(EVICTABLE);
	uint32_t pinned = register_region(system.dmabuf, PHYR_RDMA_PINNED,
					  SIZE);
	uint32_t revocable = register_region(buffer.dmabuf,
					     PHYR_RDMA_REVOCABLE, SIZE);
	uint32_t dynamic = register_region(buffer.dmabuf, PHYR_RDMA_DYNAMIC,
					   SIZE);
	struct user user = user_start((struct user){
		.dmabuf = buffer.dmabuf, .kind = PHYR_RDMA_REVOCABLE,
		.again = true,
	});
	char byte;

	assert_pinned(&buffer, IN_VRAM);
	user_wait(&user, 1);
	assert_region_dma(dynamic, SEED, 0, SIZE / 2);
	suspend();
	user_wait(&user, 1);
	igt_assert(region_state(revocable).revoked);
	igt_assert_eq(try_region_dma(revocable, false, &byte, 0, 1), -EKEYREVOKED);
	igt_assert_lte_u64(1, region_state(dynamic).invalidated);
	assert_region_dma(dynamic, SEED, 0, SIZE / 2);
	igt_assert_eq(region_state(pinned).invalidated, 0);
	assert_region_dma(pinned, SEED, 0, SIZE);
	assert_pinned(&system, IN_SYSTEM);
	/* Back in VRAM, where the user has pinned it anew. */
	assert_place(&buffer, IN_VRAM);
	user_stop(&user);
	deregister_region(revocable);
	deregister_region(pinned);
	/* No pin is left. */
	assert_movable(&buffer);
	assert_movable(&system);
	deregister_region(dynamic);
	close_card_buffer(&buffer);
	close_card_buffer(&system);
}

/*
 * A region of a buffer that is displayed, and in system memory because another
 * driver has mapped it for the CPU. Its pin is the last but the display's.
 */
void life_shown(void)
{
	struct camera camera = open_camera(V4L2_MEMORY_DMABUF);
	struct display display = open_display();
	struct fb fb = create_mode_fb(&display, DRM_FORMAT_XRGB8888, SEED);
	struct fb other = create_mode_fb(&display, DRM_FORMAT_XRGB8888, SEED);
	uint32_t revocable, dynamic;
	char byte;
	int dmabuf;

	show(&display, &fb);
	dmabuf = export_buffer(display.fd, fb.handle);
	igt_assert_eq(camera_queue(&camera, 0, dmabuf), 0);
	igt_assert_eq(vram_info(display.fd, fb.handle).placement, IN_SYSTEM);
	revocable = register_region(dmabuf, PHYR_RDMA_REVOCABLE, SIZE);
	dynamic = register_region(dmabuf, PHYR_RDMA_DYNAMIC, SIZE);
	igt_assert_eq(try_region_dma(revocable, false, &byte, 0, 1), 0);
	igt_assert_eq(try_region_dma(dynamic, false, &byte, 0, 1), 0);
	camera_stop(&camera);
	igt_assert(!region_state(revocable).revoked);
	igt_assert_eq(try_region_dma(revocable, false, &byte, 0, 1), 0);
	deregister_region(revocable);
	assert_shown(&display, &fb);
	deregister_region(dynamic);
	show(&display, &other);
	close(dmabuf);
	/* No pin is left, and the display's was not dropped. */
	move_buffer(display.fd, fb.handle, IN_VRAM);
	move_buffer(display.fd, fb.handle, IN_SYSTEM);
	show(&display, &fb);
	assert_shown(&display, &fb);
	remove_fb(&display, &fb);
	remove_fb(&display, &other);
	close_display(&display);
	close_camera(&camera);
}

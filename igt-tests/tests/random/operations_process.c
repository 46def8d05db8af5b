// SPDX-License-Identifier: MIT
/*
 * What processes do with open files and mappings: fork, pass files through
 * sockets, read each other's memory, end with work queued, be killed.
 */
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "world.h"

/* A close of files whose engine hangs must be far below the job's timeout. */
#define CLOSE_SECONDS	2
#define CHILD_SECONDS	60
#define MAX_QUEUED	64

static struct mapping *any_mapping(struct world *world)
{
	unsigned int first = below(world, MAX_MAPPINGS);

	for (unsigned int i = 0; i < MAX_MAPPINGS; i++) {
		struct mapping *mapping =
			&world->mappings[(first + i) % MAX_MAPPINGS];

		if (mapping->buffer)
			return mapping;
	}
	return NULL;
}

static pid_t start_child(struct world *world)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	MUST(world, pid >= 0);
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

/*
 * fork()
 */

/* In a child: inherited mappings and files are as good as the parent's. */
static void be_fork(struct world *world, const struct mapping *mapping)
{
	struct buffer *buffer = mapping->buffer;
	uint64_t half = mapping->len / SZ_4K / 2 * SZ_4K;

	compare(world, buffer, mapping->mem, mapping->offset, mapping->len);
	if (half)
		EXPECT(world, munmap(mapping->mem + half, mapping->len - half),
		       0);
	for (unsigned int i = 0; i < MAX_FILES; i++) {
		struct file *file = &world->files[i];
		uint32_t handle = buffer->handle[i];
		struct drm_phyr_copy_gem_info info;

		if (handle && file->node->engine)
			EXPECT(world, phyr_copy_gem_info(file->fd, handle,
							 &info), 0);
	}
	_exit(0);
}

static int fork_any(struct world *world)
{
	struct mapping *mapping = any_mapping(world);
	struct buffer *buffer;
	int status;
	pid_t pid;

	if (!mapping)
		return NOT_NOW;
	buffer = mapping->buffer;
	wait_for_jobs(world, buffer, false);
	pid = start_child(world);
	if (!pid)
		be_fork(world, mapping);
	/* Meanwhile it moves, and this process unmaps it. */
	for (unsigned int i = 0; i < MAX_FILES; i++)
		if (buffer->handle[i] && buffer->placement == EVICTABLE &&
		    world->files[i].node == buffer->home)
			try_move_buffer(world->files[i].fd, buffer->handle[i],
					1 + below(world, 2));
	if (percent(world, 50))
		drop_mapping(world, mapping);
	MUST(world, watch_wait(world->watched, pid, CHILD_SECONDS, &status));
	return EXPECT(world, status, 0);
}

/*
 * Sockets
 */

static void send_fd(struct world *world, int socket, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec byte = { .iov_base = "", .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &byte, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	EXPECT(world, sendmsg(socket, &message, 0), 1);
}

static int receive_fd(struct world *world, int socket)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char text;
	struct iovec byte = { .iov_base = &text, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &byte, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	int fd;

	EXPECT(world, recvmsg(socket, &message, MSG_CMSG_CLOEXEC), 1);
	MUST(world, message.msg_controllen >= CMSG_LEN(sizeof(int)));
	memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
	return fd;
}

/* Through a socket, which alone holds it for a moment. */
static int pass_fd(struct world *world, int fd)
{
	int ends[2];

	EXPECT(world, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends),
	       0);
	send_fd(world, ends[0], fd);
	EXPECT(world, close(fd), 0);
	fd = receive_fd(world, ends[1]);
	EXPECT(world, close(ends[0]), 0);
	EXPECT(world, close(ends[1]), 0);
	return fd;
}

static int pass_dmabuf(struct world *world)
{
	struct buffer *buffer = any_buffer(world);

	if (!buffer || buffer->dmabuf < 0)
		return NOT_NOW;
	buffer->dmabuf = pass_fd(world, buffer->dmabuf);
	MUST(world, lseek(buffer->dmabuf, 0, SEEK_END) ==
	     (off_t)buffer->size);
	return 0;
}

/* The display's file stays where it is: struct display has its number, too. */
static int pass_file(struct world *world)
{
	struct file *file = any_file(world, percent(world, 50));

	if (file->node->shows)
		return NOT_NOW;
	file->fd = pass_fd(world, file->fd);
	return 0;
}

/*
 * Close a file that only a socket holds, so that the kernel's workers close
 * it. In a cycle it is the sockets' garbage collector that finds it.
 */
static int leave_file(struct world *world)
{
	struct file *file = any_file(world, percent(world, 50));
	struct node *node = file->node;
	int ends[2];

	if (node->shows)
		return NOT_NOW;
	if (node->engine)
		wait_for_file(world, file);
	EXPECT(world, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends),
	       0);
	send_fd(world, ends[0], file->fd);
	if (percent(world, 50))
		send_fd(world, ends[0], ends[1]);
	EXPECT(world, close(ends[1]), 0);
	close_file_late(world, file);
	EXPECT(world, close(ends[0]), 0);
	open_file(world, file_number(world, file), node);
	return 0;
}

/*
 * Other processes' access to memory
 */

static int access_by_proc(struct world *world)
{
	struct mapping *mapping = any_mapping(world);
	bool write = percent(world, 40);
	uint64_t offset, len, seed;
	uint8_t bytes[2048];
	struct buffer *buffer;
	int mem;

	/* Pages of a memfd are mapped by udmabuf, which is not ours. */
	if (!mapping || !mapping->buffer->home)
		return NOT_NOW;
	buffer = mapping->buffer;
	wait_for_jobs(world, buffer, write);
	offset = below(world, mapping->len);
	len = 1 + below(world, mapping->len - offset < sizeof(bytes) ?
			mapping->len - offset : sizeof(bytes));
	seed = random_u64(world);
	mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	MUST(world, mem >= 0);
	NOTE("/proc/self/mem: %s %#llx+%#llx of %d", write ? "writes" : "reads",
	     (unsigned long long)(mapping->offset + offset),
	     (unsigned long long)len, NR(world, buffer));
	if (write) {
		phyr_fill(bytes, seed, 0, len);
		EXPECT(world, pwrite(mem, bytes, len,
				     (uintptr_t)mapping->mem + offset), len);
		memcpy(buffer->bytes + mapping->offset + offset, bytes, len);
	} else {
		EXPECT(world, pread(mem, bytes, len,
				    (uintptr_t)mapping->mem + offset), len);
	}
	EXPECT(world, close(mem), 0);
	compare(world, buffer, write ? mapping->mem + offset : bytes,
		mapping->offset + offset, len);
	return 0;
}

/*
 * Files that are closed with work queued
 */

/* A new file of an engine, with two buffers of its own. */
struct worker {
	int fd;
	uint32_t src;
	uint32_t dst;
	uint32_t syncobj;
};

static struct worker open_worker(struct world *world, const struct node *node)
{
	struct worker worker = { .fd = phyr_device_open(&node->device) };

	MUST(world, worker.fd >= 0);
	EXPECT(world, phyr_copy_create(worker.fd, SZ_64K, &worker.src), 0);
	EXPECT(world, phyr_copy_create(worker.fd, SZ_64K, &worker.dst), 0);
	EXPECT(world, phyr_syncobj_create(worker.fd, &worker.syncobj), 0);
	return worker;
}

static void queue_copies(struct world *world, const struct worker *worker,
			 unsigned int nr)
{
	struct drm_phyr_copy_submit job = {
		.src_handle = worker->src, .dst_handle = worker->dst,
		.out_syncobj = worker->syncobj,
	};

	while (nr--) {
		job.len = 1 + below(world, SZ_64K);
		EXPECT(world, phyr_copy_submit(worker->fd, &job), 0);
	}
}

static void close_at_once(struct world *world, int fd)
{
	double start = seconds();

	EXPECT(world, close(fd), 0);
	MUST(world, seconds() - start < CLOSE_SECONDS);
}

static struct node *any_engine(struct world *world)
{
	return any_file(world, true)->node;
}

static int close_with_work(struct world *world)
{
	struct worker worker = open_worker(world, any_engine(world));

	queue_copies(world, &worker, 1 + below(world, MAX_QUEUED));
	close_at_once(world, worker.fd);
	return 0;
}

/*
 * The queued job of a closed file writes to a buffer that others have, too.
 * Afterwards the job was done or it was not.
 */
static int close_with_write(struct world *world)
{
	struct worker worker;
	struct buffer *buffer = any_buffer(world);
	struct pollfd idle = { .events = POLLOUT };
	struct drm_phyr_copy_submit job = { 0 };
	uint8_t *mem, *bytes;
	uint32_t handle;

	if (!buffer || need_dmabuf(world, buffer) < 0)
		return NOT_NOW;
	wait_for_jobs(world, buffer, true);
	worker = open_worker(world, any_engine(world));
	EXPECT(world, phyr_import(worker.fd, buffer->dmabuf, &handle), 0);
	queue_copies(world, &worker, below(world, MAX_QUEUED));
	job.len = buffer->size < SZ_64K ? buffer->size : SZ_64K;
	job.src_handle = worker.src;
	job.dst_handle = handle;
	EXPECT(world, phyr_copy_submit(worker.fd, &job), 0);
	close_at_once(world, worker.fd);
	idle.fd = buffer->dmabuf;
	EXPECT(world, poll_again(&idle, PHYR_WAIT_SECONDS), 1);

	mem = phyr_mmap(buffer->dmabuf, buffer->size, PROT_READ, 0);
	MUST(world, mem != MAP_FAILED);
	bytes = calloc(1, job.len);
	MUST(world, bytes);
	/* The worker's source is zero. */
	if (!memcmp(mem, bytes, job.len))
		memset(buffer->bytes, 0, job.len);
	compare(world, buffer, mem, 0, buffer->size);
	free(bytes);
	EXPECT(world, munmap(mem, buffer->size), 0);
	return 0;
}

/*
 * A hung engine
 */

/*
 * Wait for all jobs of the engine, also those of closed files and of clients
 * that were killed, which wait for nothing but their turn: if none ran between
 * two of this client's, there is none.
 */
static void drain_engine(struct world *world, const struct node *node)
{
	struct worker worker = open_worker(world, node);
	uint64_t before, after = 0;

	for (unsigned int i = 0; i < MAX_FILES; i++)
		if (world->files[i].node == node)
			wait_for_file(world, &world->files[i]);
	do {
		before = after;
		queue_copies(world, &worker, 1);
		EXPECT(world, phyr_syncobj_wait(worker.fd, worker.syncobj), 0);
		after = last_job(&node->device).seqno;
	} while (after != before + 1);
	EXPECT(world, close(worker.fd), 0);
}

/*
 * One job hangs the engine, others wait behind it. Other clients' jobs could be
 * hit, so there must be none.
 */
static void start_hang(struct world *world, const struct node *node,
		       struct worker *hung, struct worker *behind)
{
	drain_engine(world, node);
	*hung = open_worker(world, node);
	*behind = open_worker(world, node);
	EXPECT(world, phyr_hang(&node->device, 1), 0);
	queue_copies(world, hung, 1);
	queue_copies(world, behind, 1 + below(world, MAX_QUEUED));
}

static int hang_engine(struct world *world)
{
	struct worker hung, behind;

	if (world->clients > 1)
		return NOT_NOW;
	start_hang(world, any_engine(world), &hung, &behind);
	EXPECT(world, phyr_syncobj_wait(hung.fd, hung.syncobj), -ETIMEDOUT);
	EXPECT(world, phyr_syncobj_wait(behind.fd, behind.syncobj), 0);
	EXPECT(world, close(hung.fd), 0);
	EXPECT(world, close(behind.fd), 0);
	return 0;
}

static int close_while_hung(struct world *world)
{
	struct node *node = any_engine(world);
	struct worker hung, behind;

	if (world->clients > 1)
		return NOT_NOW;
	start_hang(world, node, &hung, &behind);
	close_at_once(world, behind.fd);
	close_at_once(world, hung.fd);
	drain_engine(world, node);
	return 0;
}

/*
 * SIGKILL
 */

/* Keep both drivers busy, whatever they return, until killed. */
static void be_victim(struct world *world, const struct node *card,
		      const struct node *engine)
{
	int fd = phyr_device_open(&card->device);
	struct worker worker = open_worker(world, engine);
	struct drm_phyr_copy_submit job = {
		.src_handle = worker.src, .out_syncobj = worker.syncobj,
	};

	for (;;) {
		uint32_t placement = 1 + below(world, 3), handle, imported;
		uint64_t size = SZ_4K << below(world, 8);
		uint8_t *mem;
		int dmabuf;

		if (phyr_vram_create(fd, size, placement, 0, &handle))
			continue;
		mem = phyr_vram_mmap(fd, handle, size, PROT_READ | PROT_WRITE);
		if (mem != MAP_FAILED)
			memset(mem, 1, size);
		dmabuf = phyr_export(fd, handle);
		if (!phyr_import(worker.fd, dmabuf, &imported)) {
			job.dst_handle = imported;
			job.len = size < SZ_64K ? size : SZ_64K;
			for (unsigned int i = below(world, 300); i--;)
				phyr_copy_submit(worker.fd, &job);
		}
		close(dmabuf);
		try_move_buffer(fd, handle, 1 + below(world, 2));
		if (percent(world, 50))
			phyr_syncobj_wait(worker.fd, worker.syncobj);
		if (mem != MAP_FAILED)
			munmap(mem, size);
		phyr_close_handle(fd, handle);
		phyr_close_handle(worker.fd, imported);
	}
}

static int kill_client(struct world *world)
{
	const struct node *card = any_file(world, false)->node;
	const struct node *engine = any_engine(world);
	int status;
	pid_t pid;

	pid = start_child(world);
	if (!pid)
		be_victim(world, card, engine);
	usleep(below(world, 30000));
	MUST(world, watch_kill(world->watched, pid, &status));
	MUST(world, WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return 0;
}

const struct operation process_operations[] = {
	{ "fork", 300, fork_any },
	{ "pass dma-buf by socket", 500, pass_dmabuf },
	{ "pass file by socket", 400, pass_file },
	{ "leave file in socket", 150, leave_file },
	{ "/proc/self/mem", 2000, access_by_proc },
	{ "close with work queued", 300, close_with_work },
	{ "close with write queued", 200, close_with_write },
	{ "hang engine", 4, hang_engine },
	{ "close while hung", 4, close_while_hung },
	{ "kill a client", 120, kill_client },
	{ }
};

// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib.h"
#include "watch.h"

double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

struct watched *watched_alloc(unsigned int nr)
{
	struct watched *watched = mmap(NULL, nr * sizeof(*watched),
				       PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	igt_assert(watched != MAP_FAILED);
	return watched;
}

void watched_free(struct watched *watched, unsigned int nr)
{
	munmap(watched, nr * sizeof(*watched));
}

void watched_note(struct watched *watched, const char *format, ...)
{
	va_list arguments;

	if (!watched)
		return;
	va_start(arguments, format);
	vsnprintf(watched->notes[watched->nr_notes++ % MAX_NOTES], NOTE_SIZE,
		  format, arguments);
	va_end(arguments);
}

void watched_print(const struct watched *watched)
{
	unsigned int nr = watched->nr_notes;

	igt_info("seed %" PRIu64 ", operation %" PRIu64 " (%s); the notes before:\n",
		 watched->seed, watched->op, watched->op_name);
	for (unsigned int i = nr < MAX_NOTES ? 0 : nr - MAX_NOTES; i < nr; i++)
		igt_info("  %s\n", watched->notes[i % MAX_NOTES]);
}

bool watch_is_stuck(struct watch *watch, const struct watched *watched)
{
	if (watch->beats != watched->beats || !watch->since) {
		watch->beats = watched->beats;
		watch->since = seconds();
		return false;
	}
	return seconds() - watch->since > CALL_SECONDS;
}

/* The file's text, without the newline at its end; "" if it cannot be read. */
static void read_task(pid_t pid, const char *name, char *text, size_t size)
{
	ssize_t len = -1;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		len = read(fd, text, size - 1);
		close(fd);
	}
	text[len < 0 ? 0 : len] = '\0';
	if (len > 0 && text[len - 1] == '\n')
		text[len - 1] = '\0';
}

void watch_print_task(pid_t pid)
{
	static const char * const files[] = {
		"stat", "syscall", "wchan", "stack",
	};
	char text[4096];

	for (unsigned int i = 0; i < ARRAY_SIZE(files); i++) {
		read_task(pid, files[i], text, sizeof(text));
		igt_info("/proc/%d/%s: %s\n", pid, files[i], text);
	}
	/* A task on a processor has no readable stack: log all processors'. */
	read_task(pid, "stat", text, sizeof(text));
	if (strstr(text, ") R "))
		write_file("/proc/sysrq-trigger", "l");
	fflush(stdout);
}

bool watch_wait(struct watched *watched, pid_t pid, unsigned int limit,
		int *status)
{
	double until = seconds() + limit;
	pid_t ended;

	while (seconds() < until) {
		ended = waitpid(pid, status, WNOHANG);
		if (ended == pid)
			return true;
		igt_assert(ended == 0 || errno == EINTR);
		if (watched)
			watched->beats++;
		usleep(2000);
	}
	igt_info("process %d has not ended after %u s\n", pid, limit);
	watch_print_task(pid);
	return false;
}

bool watch_kill(struct watched *watched, pid_t pid, int *status)
{
	kill(pid, SIGKILL);
	return watch_wait(watched, pid, KILL_SECONDS, status);
}

// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "igt.h"
#include "log.h"

int open_log(void)
{
	int log = open("/dev/kmsg", O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	igt_assert_f(log >= 0, "/dev/kmsg: %s\n", strerror(errno));
	igt_assert(lseek(log, 0, SEEK_END) >= 0);
	return log;
}

bool log_has(int log, const char *text)
{
	char line[1024];
	ssize_t len;

	for (;;) {
		len = read(log, line, sizeof(line) - 1);
		if (len < 0) {
			/* EPIPE: lines were lost */
			igt_assert(errno == EAGAIN || errno == EPIPE);
			if (errno == EAGAIN)
				return false;
			continue;
		}
		line[len] = '\0';
		if (strstr(line, text))
			return true;
	}
}

/* SPDX-License-Identifier: MIT */
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

void write_all(int fd, const char *data, size_t n)
{
	while (n) {
		ssize_t r = write(fd, data, n);

		if (r < 0 && errno != EINTR && errno != EAGAIN)
			return;
		if (r > 0) {
			data += r;
			n -= r;
		}
	}
}

size_t read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t r;

	if (fd < 0)
		return 0;
	while (n < size - 1 && (r = read(fd, buf + n, size - 1 - n)) > 0)
		n += r;
	close(fd);
	buf[n] = 0;
	return n;
}

long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

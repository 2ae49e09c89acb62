/* SPDX-License-Identifier: MIT
 *
 * io STEP...: does each to /dev/vda and prints what the call returned and its errno.
 *
 *	rOFFSET+LENGTH	pread		wOFFSET+LENGTH	pwrite of 'w's		WOFFSET+LENGTH	the same with O_SYNC
 *	f		fsync		mOFFSET		a byte of a mapping	s		sleeps for ever
 *	z		prints "waiting" and reads a line of standard input
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char buf[8 << 20];

static long step(int fd, const char *text)
{
	char *rest;
	off_t at = strtoll(text + 1, &rest, 10);
	size_t n = *rest ? strtoul(rest + 1, NULL, 10) : 0;
	char *p;

	switch (text[0]) {
	case 'r':
		return pread(fd, buf, n, at);
	case 'W':
		fd = open("/dev/vda", O_RDWR | O_SYNC);
		/* fall through */
	case 'w':
		memset(buf, 'w', n);
		return pwrite(fd, buf, n, at);
	case 'f':
		return fsync(fd);
	case 'm':
		p = mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, at);
		return p == MAP_FAILED ? -1 : *(volatile unsigned char *)p;
	case 's':
		for (;;)
			pause();
	}
	return -2;
}

int main(int argc, char **argv)
{
	int fd = open("/dev/vda", O_RDWR);

	setbuf(stdout, NULL);
	if (fd < 0) {
		perror("/dev/vda");
		return 1;
	}
	for (int i = 1; i < argc; i++) {
		long r;

		if (argv[i][0] == 'z') {
			printf("waiting\n");
			if (getchar() < 0)
				return 1;
			continue;
		}
		errno = 0;
		r = step(fd, argv[i]);
		printf("%ld %d\n", r, r < 0 ? errno : 0);
	}
	return 0;
}

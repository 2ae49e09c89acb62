/* SPDX-License-Identifier: MIT
 *
 * Pipes: capacity, atomicity, end of file, SIGPIPE, non-blocking mode, large transfers.
 */
#include "test.h"
#include <sys/ioctl.h>

TEST(basic, "bytes come out in order; reads take what is there")
{
	int p[2];
	char buf[10];

	MUST(!pipe(p));
	CHECK_EQ(write(p[1], "hello", 5), 5);
	CHECK_EQ(write(p[1], "world", 5), 5);
	CHECK_EQ(read(p[0], buf, 3), 3);
	CHECK_EQ(memcmp(buf, "hel", 3), 0);
	CHECK_EQ(read(p[0], buf, 10), 7);
	CHECK_EQ(memcmp(buf, "loworld", 7), 0);
	close(p[0]);
	close(p[1]);
}

TEST(eof, "no writer left: end of file")
{
	int p[2];
	char c;

	MUST(!pipe(p));
	MUST(write(p[1], "x", 1) == 1);
	close(p[1]);
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_EQ(read(p[0], &c, 1), 0);
	CHECK_EQ(read(p[0], &c, 1), 0);
	close(p[0]);
}

TEST(sigpipe, "no reader left: EPIPE and SIGPIPE")
{
	int p[2];

	MUST(!pipe(p));
	close(p[0]);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERR(write(p[1], "x", 1), EPIPE);
	signal(SIGPIPE, SIG_DFL);
	pid_t pid = fork_checked();

	if (!pid) {
		if (write(p[1], "x", 1) < 0)
			_exit(1);
		_exit(0);
	}
	CHECK_EQ(WTERMSIG(wait_for(pid)), SIGPIPE);
	close(p[1]);
}

TEST(nonblock, "O_NONBLOCK: EAGAIN when empty and when full; 65536 bytes fit")
{
	static char page[PAGE];
	int p[2], n = 0;
	char c;

	MUST(!pipe2(p, O_NONBLOCK));
	CHECK_ERR(read(p[0], &c, 1), EAGAIN);
	while (write(p[1], page, PAGE) == (ssize_t)PAGE)
		n++;
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(n, 16);
	CHECK_EQ(read(p[0], page, PAGE), PAGE);
	CHECK_EQ(write(p[1], page, PAGE), PAGE);
	close(p[0]);
	close(p[1]);
}

TEST(atomic, "a non-blocking write of up to PIPE_BUF bytes goes in whole or not at all")
{
	static char buf[65536];
	int p[2], avail = 0;

	MUST(!pipe2(p, O_NONBLOCK));
	MUST(write(p[1], buf, 65536 - PAGE) == 65536 - (ssize_t)PAGE);
	MUST(write(p[1], buf, 100) == 100);
	CHECK_ERR(write(p[1], buf, PAGE), EAGAIN);
	CHECK_OK(ioctl(p[0], FIONREAD, &avail));
	CHECK_EQ(avail, 65536 - PAGE + 100);
	close(p[0]);
	close(p[1]);
}

TEST(large, "4 MiB through a pipe to a child arrive unchanged")
{
	static unsigned int buf[8192];
	int p[2];
	unsigned long total = 1024 * 1024;

	MUST(!pipe(p));
	pid_t pid = fork_checked();

	if (!pid) {
		unsigned int want = 0;
		ssize_t n;
		int wrong = 0;

		close(p[1]);
		while ((n = read(p[0], buf, sizeof(buf))) > 0) {
			/* Writes are multiples of 4 bytes and so are the reads of a full buffer. */
			for (ssize_t i = 0; i < n / 4; i++)
				wrong += buf[i] != want++;
			wrong += n % 4 != 0;
		}
		_exit(wrong || want != total);
	}
	close(p[0]);
	for (unsigned int i = 0; i < total;) {
		unsigned int k;

		for (k = 0; k < 8192 && i < total; k++)
			buf[k] = i++;
		MUST(write(p[1], buf, k * 4) == (ssize_t)k * 4);
	}
	close(p[1]);
	CHECK_EQ(wait_for(pid), 0);
}

TEST(blocks, "a read blocks until a writer comes, a write until there is room")
{
	static char buf[65536];
	int p[2];

	MUST(!pipe(p));
	pid_t pid = fork_checked();

	if (!pid) {
		sleep_ms(30);
		_exit(write(p[1], "x", 1) != 1);
	}
	CHECK_EQ(read(p[0], buf, 1), 1);
	CHECK_EQ(wait_for(pid), 0);
	MUST(write(p[1], buf, 65536) == 65536);
	pid = fork_checked();
	if (!pid) {
		sleep_ms(30);
		_exit(read(p[0], buf, 8192) != 8192);
	}
	CHECK_EQ(write(p[1], buf, PAGE), PAGE);
	CHECK_EQ(wait_for(pid), 0);
	close(p[0]);
	close(p[1]);
}

TEST(misc, "lseek ESPIPE, the wrong end EBADF, bad flags EINVAL, fstat says FIFO")
{
	int p[2];
	char c;
	struct stat st;

	MUST(!pipe2(p, O_CLOEXEC));
	CHECK_ERR(lseek(p[0], 0, SEEK_SET), ESPIPE);
	CHECK_ERR(write(p[0], "x", 1), EBADF);
	CHECK_ERR(read(p[1], &c, 1), EBADF);
	CHECK_ERR(pread(p[0], &c, 1, 0), ESPIPE);
	CHECK_EQ(SYS(pipe2, p, 0x40), -EINVAL);
	MUST(!fstat(p[0], &st));
	CHECK(S_ISFIFO(st.st_mode));
	CHECK_EQ(fcntl(p[0], F_GETFD), FD_CLOEXEC);
	CHECK_EQ(write(p[1], "", 0), 0);
	close(p[0]);
	close(p[1]);
}

TEST_MAIN()

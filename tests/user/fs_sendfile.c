/* SPDX-License-Identifier: MIT
 *
 * sendfile between files and pipes.
 */
#include "test.h"
#include <sys/sendfile.h>

TEST(to_file, "file to file: count, offset argument, positions")
{
	int in = tmp_file(3 * PAGE), out = tmp_file(0);
	off_t off = PAGE;
	char c;

	CHECK_EQ(sendfile(out, in, &off, PAGE + 10), PAGE + 10);
	CHECK_EQ(off, 2 * PAGE + 10);
	CHECK_EQ(lseek(in, 0, SEEK_CUR), 3 * PAGE); /* tmp_file() wrote up to there; not moved */
	CHECK_EQ(lseek(out, 0, SEEK_CUR), PAGE + 10);
	CHECK_EQ(pread(out, &c, 1, PAGE), 1);
	CHECK_EQ(c, 3);
	MUST(lseek(in, 2 * PAGE, SEEK_SET) == 2 * (off_t)PAGE);
	CHECK_EQ(sendfile(out, in, NULL, 10 * PAGE), PAGE);
	CHECK_EQ(lseek(in, 0, SEEK_CUR), 3 * PAGE);
	CHECK_EQ(sendfile(out, in, NULL, 10), 0);
	close(in);
	close(out);
}

TEST(to_pipe, "file to pipe, more than the pipe holds, with a reading child")
{
	int in = tmp_file(64 * PAGE), p[2];
	off_t off = 0;

	MUST(!pipe(p));
	pid_t pid = fork_checked();

	if (!pid) {
		static char buf[PAGE];
		size_t total = 0;
		ssize_t n;
		int wrong = 0;

		close(p[1]);
		while ((n = read(p[0], buf, sizeof(buf))) > 0)
			for (ssize_t i = 0; i < n; i++, total++)
				wrong += buf[i] != (char)(total / PAGE + 1);
		_exit(wrong || total != 64 * PAGE);
	}
	close(p[0]);
	while (off < (off_t)(64 * PAGE)) {
		ssize_t n = sendfile(p[1], in, &off, 64 * PAGE - off);

		MUST(n > 0);
	}
	close(p[1]);
	CHECK_EQ(wait_for(pid), 0);
	close(in);
}

TEST(errors,
     "bad descriptors EBADF, negative offset EINVAL, source a pipe EINVAL, bad pointer EFAULT")
{
	int in = tmp_file(PAGE), out = tmp_file(0), p[2];
	off_t off = -1;

	MUST(!pipe(p));
	CHECK_ERR(sendfile(out, 999, NULL, 1), EBADF);
	CHECK_ERR(sendfile(999, in, NULL, 1), EBADF);
	CHECK_ERR(sendfile(out, in, &off, 1), EINVAL);
	CHECK_ERR(sendfile(out, p[0], NULL, 1), EINVAL);
	CHECK_EQ(SYS(sendfile, out, in, KERNEL_ADDRESS, 1), -EFAULT);
	close(in);
	close(out);
	close(p[0]);
	close(p[1]);
}

TEST_MAIN()

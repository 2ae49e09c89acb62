/* SPDX-License-Identifier: MIT
 *
 * Mappings beyond the end of a file: SIGBUS for whole pages, zeroes in the last partial page.
 */
#include "test.h"

TEST(sigbus, "a page beyond the end: SIGBUS, BUS_ADRERR, read and write, shared and private")
{
	int fd = tmp_file(PAGE);
	int kinds[] = { MAP_SHARED, MAP_PRIVATE };

	for (int k = 0; k < 2; k++) {
		char *p = mmap(NULL, 3 * PAGE, RW, kinds[k], fd, 0);

		MUST(p != MAP_FAILED);
		CHECK_FAULT(load(p + PAGE), SIGBUS, BUS_ADRERR, p + PAGE);
		CHECK_EQ(fault_seen.err, 4);
		CHECK_FAULT(store(p + 2 * PAGE + 3, 1), SIGBUS, BUS_ADRERR, p + 2 * PAGE + 3);
		CHECK_EQ(fault_seen.err, 6);
		CHECK_EQ(load(p), 1);
		munmap(p, 3 * PAGE);
	}
	close(fd);
}

TEST(empty_file, "an empty file can be mapped; every access is SIGBUS")
{
	int fd = tmp_file(0);
	char *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);

	MUST(p != MAP_FAILED);
	CHECK_FAULT(load(p), SIGBUS, BUS_ADRERR, p);
	CHECK_FAULT(store(p, 1), SIGBUS, BUS_ADRERR, p);
	munmap(p, PAGE);
	close(fd);
}

TEST(partial, "the tail of the last partial page reads as zero and can be written")
{
	int fd = tmp_file(PAGE + 10);
	char *p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);

	MUST(p != MAP_FAILED);
	CHECK_EQ(load(p + PAGE + 9), 2);
	for (size_t i = 10; i < PAGE; i++)
		if (load(p + PAGE + i))
			FAIL("byte %zu is not 0", i);
	CHECK_NO_FAULT(store(p + 2 * PAGE - 1, 1));
	munmap(p, 2 * PAGE);
	close(fd);
}

TEST(grown, "when the file grows the pages are there, without mapping again")
{
	int fd = tmp_file(PAGE);
	char *p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);

	MUST(p != MAP_FAILED);
	CHECK_FAULT(load(p + PAGE), SIGBUS, BUS_ADRERR, p + PAGE);
	MUST(!ftruncate(fd, 2 * PAGE));
	CHECK_NO_FAULT(store(p + PAGE, 7));
	munmap(p, 2 * PAGE);
	close(fd);
}

TEST(syscalls, "system calls get EFAULT there, not SIGBUS")
{
	int fd = tmp_file(PAGE), out = tmp_file(0), pipefd[2];
	char *p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);

	MUST(p != MAP_FAILED && !pipe(pipefd));
	CHECK_ERR(write(out, p + PAGE, 10), EFAULT);
	CHECK_ERR(pread(fd, p + PAGE, 10, 0), EFAULT);
	CHECK_EQ(write(out, p + PAGE - 10, 20), 10);
	CHECK_ERR(write(pipefd[1], p + PAGE, 10), EFAULT);
	munmap(p, 2 * PAGE);
	close(fd);
	close(out);
	close(pipefd[0]);
	close(pipefd[1]);
}

TEST(default_action, "the default action of that SIGBUS is to kill")
{
	int fd = tmp_file(0);
	char *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	pid_t pid;

	MUST(p != MAP_FAILED);
	pid = fork_checked();
	if (!pid) {
		load(p);
		_exit(0);
	}
	int status = wait_for(pid);

	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGBUS);
	munmap(p, PAGE);
	close(fd);
}

TEST_MAIN()

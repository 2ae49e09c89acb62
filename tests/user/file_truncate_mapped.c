/* SPDX-License-Identifier: MIT
 *
 * ftruncate and hole punching under live mappings.
 */
#include "test.h"

TEST(shared_lost, "pages cut off by ftruncate are gone from shared mappings: SIGBUS")
{
	int fd = tmp_file(4 * PAGE);
	char *p = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);

	MUST(p != MAP_FAILED);
	memset(p, 9, 4 * PAGE);
	MUST(!ftruncate(fd, 2 * PAGE));
	CHECK_EQ(load(p + PAGE), 9);
	CHECK_FAULT(load(p + 2 * PAGE), SIGBUS, BUS_ADRERR, p + 2 * PAGE);
	CHECK_FAULT(store(p + 3 * PAGE, 1), SIGBUS, BUS_ADRERR, p + 3 * PAGE);
	munmap(p, 4 * PAGE);
	close(fd);
}

TEST(private_lost, "private copies beyond the new end are gone too")
{
	int fd = tmp_file(2 * PAGE);
	char *p = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE, fd, 0);

	MUST(p != MAP_FAILED);
	memset(p, 9, 2 * PAGE);
	MUST(!ftruncate(fd, PAGE));
	CHECK_EQ(load(p), 9);
	CHECK_FAULT(load(p + PAGE), SIGBUS, BUS_ADRERR, p + PAGE);
	MUST(!ftruncate(fd, 2 * PAGE));
	CHECK_EQ(load(p + PAGE), 0);
	munmap(p, 2 * PAGE);
	close(fd);
}

TEST(partial_zeroed, "cutting inside a page zeroes its tail, also when the file grows again")
{
	int fd = tmp_file(2 * PAGE);
	char *p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);

	MUST(p != MAP_FAILED);
	memset(p, 9, 2 * PAGE);
	MUST(!ftruncate(fd, PAGE + 100));
	CHECK_EQ(load(p + PAGE + 99), 9);
	CHECK_EQ(load(p + PAGE + 100), 0);
	MUST(!ftruncate(fd, 2 * PAGE));
	CHECK_EQ(load(p + PAGE + 100), 0);
	CHECK_EQ(load(p + 2 * PAGE - 1), 0);
	munmap(p, 2 * PAGE);
	close(fd);
}

TEST(dirty_tail,
     "bytes stored behind the end in the last page are zero after the file grows over them")
{
	int fd = tmp_file(100);
	char *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0), c = 1;

	MUST(p != MAP_FAILED);
	store(p + 500, 'x');
	MUST(!ftruncate(fd, 50) && !ftruncate(fd, PAGE));
	CHECK_EQ(pread(fd, &c, 1, 500), 1);
	CHECK_EQ(c, 0);
	CHECK_EQ(load(p + 500), 0);
	munmap(p, PAGE);
	close(fd);
}

TEST(punch, "a punched hole reads zero through the mapping, the rest stays, private copies stay")
{
	int fd = tmp_file(4 * PAGE);
	char *p = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);
	char *q = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd, 0);

	MUST(p != MAP_FAILED && q != MAP_FAILED);
	for (int i = 0; i < 4; i++)
		load(p + i * PAGE);
	store(q + PAGE, 77);
	CHECK_OK(fallocate(fd, 3 /* KEEP_SIZE | PUNCH_HOLE */, PAGE, 2 * PAGE));
	CHECK_EQ(load(p), 1);
	CHECK_EQ(load(p + PAGE), 0);
	CHECK_EQ(load(p + 2 * PAGE), 0);
	CHECK_EQ(load(p + 3 * PAGE), 4);
	CHECK_EQ(load(q + PAGE), 77);
	CHECK_EQ(load(q + 2 * PAGE), 0);
	store(p + PAGE, 5);
	char c = 0;

	CHECK_EQ(pread(fd, &c, 1, PAGE), 1);
	CHECK_EQ(c, 5);
	munmap(p, 4 * PAGE);
	munmap(q, 4 * PAGE);
	close(fd);
}

TEST(punch_partial, "a hole of part of a page zeroes just those bytes")
{
	int fd = tmp_file(PAGE);
	char *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);

	MUST(p != MAP_FAILED);
	CHECK_OK(fallocate(fd, 3, 100, 50));
	CHECK_EQ(load(p + 99), 1);
	CHECK_EQ(load(p + 100), 0);
	CHECK_EQ(load(p + 149), 0);
	CHECK_EQ(load(p + 150), 1);
	munmap(p, PAGE);
	close(fd);
}

TEST(other_process, "a child's mapping loses the page as well")
{
	int fd = tmp_file(PAGE);
	char *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	int go[2], ready[2];
	char c;

	MUST(p != MAP_FAILED && !pipe(go) && !pipe(ready));
	load(p);
	pid_t pid = fork_checked();

	if (!pid) {
		CHECK_EQ(load(p), 1);
		MUST(write(ready[1], "x", 1) == 1);
		MUST(read(go[0], &c, 1) == 1);
		CHECK_FAULT(load(p), SIGBUS, BUS_ADRERR, p);
		child_exit();
	}
	MUST(read(ready[0], &c, 1) == 1);
	MUST(!ftruncate(fd, 0));
	MUST(write(go[1], "x", 1) == 1);
	reap_checked(pid);
	munmap(p, PAGE);
	close(fd);
	close(go[0]);
	close(go[1]);
	close(ready[0]);
	close(ready[1]);
}

TEST_MAIN()

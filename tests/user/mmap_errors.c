/* SPDX-License-Identifier: MIT
 *
 * The errnos of mmap.
 */
#include "test.h"
#include <sched.h>
#include <sys/mount.h>

TEST(zero_length, "length 0 is EINVAL")
{
	CHECK_EQ(SYS(mmap, 0, 0, RW, ANON, -1, 0), -EINVAL);
	CHECK_EQ(SYS(mmap, free_area(1), 0, RW, ANON | MAP_FIXED, -1, 0), -EINVAL);
}

TEST(huge_length, "lengths that do not fit the address space are ENOMEM")
{
	CHECK_EQ(SYS(mmap, 0, USER_LIMIT + PAGE, PROT_NONE, ANON, -1, 0), -ENOMEM);
	CHECK_EQ(SYS(mmap, 0, 1UL << 63, PROT_NONE, ANON, -1, 0), -ENOMEM);
	CHECK_EQ(SYS(mmap, 0, -PAGE, PROT_NONE, ANON, -1, 0), -ENOMEM);
}

TEST(wrapping_length, "lengths whose rounding up wraps to 0 are ENOMEM, not EINVAL")
{
	CHECK_EQ(SYS(mmap, 0, -1UL, PROT_NONE, ANON, -1, 0), -ENOMEM);
	CHECK_EQ(SYS(mmap, 0, -PAGE + 1, PROT_NONE, ANON, -1, 0), -ENOMEM);
}

TEST(no_type, "neither MAP_SHARED nor MAP_PRIVATE is EINVAL")
{
	CHECK_EQ(SYS(mmap, 0, PAGE, RW, MAP_ANONYMOUS, -1, 0), -EINVAL);
}

TEST(bad_fd, "a file mapping of a bad descriptor is EBADF")
{
	CHECK_EQ(SYS(mmap, 0, PAGE, PROT_READ, MAP_PRIVATE, -1, 0), -EBADF);
	CHECK_EQ(SYS(mmap, 0, PAGE, PROT_READ, MAP_PRIVATE, 1000, 0), -EBADF);
}

TEST(anon_ignores_fd, "an anonymous mapping ignores the descriptor")
{
	long p = SYS(mmap, 0, PAGE, RW, ANON, 1000, 0);

	CHECK(p > 0);
	munmap((void *)p, PAGE);
}

TEST(offset_unaligned, "an unaligned offset is EINVAL, also for anonymous memory")
{
	int fd = tmp_file(2 * PAGE);

	CHECK_EQ(SYS(mmap, 0, PAGE, PROT_READ, MAP_PRIVATE, fd, 1), -EINVAL);
	CHECK_EQ(SYS(mmap, 0, PAGE, RW, ANON, -1, 512), -EINVAL);
	close(fd);
}

TEST(offset_overflow, "offset plus length beyond 2^63 is EOVERFLOW")
{
	int fd = tmp_file(PAGE);

	CHECK_EQ(SYS(mmap, 0, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, -PAGE), -EOVERFLOW);
	CHECK_EQ(SYS(mmap, 0, PAGE, PROT_READ, MAP_SHARED, fd, 0x7ffffffffffff000UL), -EOVERFLOW);
	CHECK_EQ(SYS(mmap, 0, PAGE, PROT_READ, MAP_SHARED_VALIDATE | 0x80000, fd,
		     0x7ffffffffffff000UL),
		 -EOVERFLOW);
	close(fd);
}

TEST(write_only_fd, "a mapping of a descriptor opened write-only is EACCES")
{
	char *path = scratch("wo");
	int fd = open(path, O_WRONLY | O_CREAT, 0644);

	MUST(fd >= 0 && !ftruncate(fd, PAGE));
	CHECK_EQ(SYS(mmap, 0, PAGE, PROT_READ, MAP_PRIVATE, fd, 0), -EACCES);
	CHECK_EQ(SYS(mmap, 0, PAGE, PROT_WRITE, MAP_SHARED, fd, 0), -EACCES);
	close(fd);
	unlink(path);
}

TEST(read_only_fd,
     "a read-only descriptor: shared and writable is EACCES, private and writable works")
{
	char *path = scratch("ro");
	int fd;

	write_file(path, "x", 1, 0644);
	fd = open(path, O_RDONLY);
	MUST(fd >= 0);
	CHECK_EQ(SYS(mmap, 0, PAGE, RW, MAP_SHARED, fd, 0), -EACCES);
	CHECK_EQ(SYS(mmap, 0, PAGE, PROT_WRITE, MAP_SHARED, fd, 0), -EACCES);
	long p = SYS(mmap, 0, PAGE, RW, MAP_PRIVATE, fd, 0);

	CHECK(p > 0);
	munmap((void *)p, PAGE);
	p = SYS(mmap, 0, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(p > 0);
	CHECK_ERR(mprotect((void *)p, PAGE, RW), EACCES);
	munmap((void *)p, PAGE);
	close(fd);
	unlink(path);
}

TEST(not_mappable, "directories and pipes are ENODEV")
{
	int fd = open("/", O_RDONLY | O_DIRECTORY), pipefd[2];

	MUST(fd >= 0 && !pipe(pipefd));
	CHECK_EQ(SYS(mmap, 0, PAGE, PROT_READ, MAP_PRIVATE, fd, 0), -ENODEV);
	CHECK_EQ(SYS(mmap, 0, PAGE, PROT_READ, MAP_PRIVATE, pipefd[0], 0), -ENODEV);
	/* how it was opened is looked at first */
	CHECK_EQ(SYS(mmap, 0, PAGE, PROT_READ, MAP_PRIVATE, pipefd[1], 0), -EACCES);
	CHECK_EQ(SYS(mmap, 0, PAGE, RW, MAP_SHARED, pipefd[0], 0), -EACCES);
	close(fd);
	close(pipefd[0]);
	close(pipefd[1]);
}

TEST(shared_validate, "MAP_SHARED_VALIDATE refuses unknown flags, MAP_SHARED ignores them")
{
	int fd = tmp_file(PAGE);
	int unknown = 1 << 22;
	long p = SYS(mmap, 0, PAGE, RW, MAP_SHARED | unknown, fd, 0);

	CHECK(p > 0);
	munmap((void *)p, PAGE);
	CHECK_EQ(SYS(mmap, 0, PAGE, RW, MAP_SHARED_VALIDATE | unknown, fd, 0), -EOPNOTSUPP);
	p = SYS(mmap, 0, PAGE, RW, MAP_SHARED_VALIDATE, fd, 0);
	CHECK(p > 0);
	munmap((void *)p, PAGE);
	close(fd);
}

TEST(hugetlb_none, "MAP_HUGETLB without reserved huge pages is ENOMEM (ENODEV, EINVAL: no hugetlb)")
{
	long r = SYS(mmap, 0, 2 * MIB, RW, ANON | MAP_HUGETLB, -1, 0);

	if (r > 0)
		munmap((void *)r, 2 * MIB); /* a host with huge pages set aside */
	else
		CHECK(r == -ENOMEM || r == -ENODEV || r == -EINVAL);
}

TEST(unknown_prot, "unknown protection bits are ignored by mmap, EINVAL for mprotect")
{
	long p = SYS(mmap, 0, PAGE, RW | 0x100, ANON, -1, 0);

	CHECK(p > 0);
	CHECK_ERR(mprotect((void *)p, PAGE, 0x100), EINVAL);
	munmap((void *)p, PAGE);
}

FORKED_TEST(noexec, "a file on a noexec mount: PROT_EXEC is EPERM, and mprotect cannot add it")
{
	char *dir = scratch("noexec"), path[128];
	int fd;
	char *p;

	MUST(!unshare(CLONE_NEWNS) || errno == EINVAL || errno == ENOSYS);
	MUST(!mkdir(dir, 0755));
	if (mount("none", dir, "tmpfs", MS_NOEXEC, NULL))
		SKIP("cannot mount");
	snprintf(path, sizeof(path), "%s/file", dir);
	write_file(path, "x", 1, 0755);
	fd = open(path, O_RDONLY);
	MUST(fd >= 0);
	CHECK_EQ(SYS(mmap, 0, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0), -EPERM);
	p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(p != MAP_FAILED);
	CHECK_EQ(SYS(mprotect, p, PAGE, PROT_READ | PROT_EXEC), -EACCES);
	munmap(p, PAGE);
	close(fd);
	umount2(dir, MNT_DETACH);
}

TEST_MAIN()

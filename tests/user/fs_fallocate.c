/* SPDX-License-Identifier: MIT
 *
 * fallocate on tmpfs: allocate, keep size, punch holes; fadvise, fsync.
 */
#include "test.h"
#include <sys/mount.h>

#define KEEP_SIZE 1
#define PUNCH_HOLE 2

static long blocks(int fd)
{
	struct stat st;

	MUST(!fstat(fd, &st));
	return st.st_blocks;
}

TEST(allocate, "mode 0 extends the file and takes memory; the bytes are zero")
{
	int fd = tmp_file(0);
	char c = 1;

	CHECK_OK(fallocate(fd, 0, 0, 64 * 1024));
	CHECK_EQ(size_of(fd), 64 * 1024);
	CHECK_EQ(blocks(fd), 128);
	CHECK_EQ(pread(fd, &c, 1, 5000), 1);
	CHECK_EQ(c, 0);
	close(fd);
}

TEST(keep, "KEEP_SIZE takes memory but does not extend; existing bytes stay")
{
	int fd = tmp_file(PAGE);
	char c = 0;

	CHECK_OK(fallocate(fd, KEEP_SIZE, 0, 16 * PAGE));
	CHECK_EQ(size_of(fd), PAGE);
	CHECK_EQ(blocks(fd), 128);
	CHECK_EQ(pread(fd, &c, 1, 100), 1);
	CHECK_EQ(c, 1);
	close(fd);
}

TEST(punch, "PUNCH_HOLE gives memory back, zeroes partial pages, keeps the size")
{
	int fd = tmp_file(8 * PAGE);
	static char page[PAGE];

	CHECK_EQ(blocks(fd), 64);
	CHECK_OK(fallocate(fd, KEEP_SIZE | PUNCH_HOLE, PAGE + 100, 3 * PAGE));
	CHECK_EQ(size_of(fd), 8 * PAGE);
	CHECK_EQ(blocks(fd), 48);
	CHECK_EQ(pread(fd, page, PAGE, PAGE), PAGE);
	CHECK_EQ(page[99], 2);
	CHECK_EQ(page[100], 0);
	CHECK_EQ(pread(fd, page, PAGE, 4 * PAGE), PAGE);
	CHECK_EQ(page[99], 0);
	CHECK_EQ(page[100], 5);
	CHECK_OK(fallocate(fd, KEEP_SIZE | PUNCH_HOLE, 0, 100 * PAGE));
	CHECK_EQ(blocks(fd), 0);
	CHECK_EQ(size_of(fd), 8 * PAGE);
	close(fd);
}

TEST(undone, "without room nothing is allocated; what an earlier call allocated stays, as data")
{
	char *dir = scratch("mnt"), name[256], data[5 * PAGE] = { 1 };
	int fd;

	MUST(!mkdir(dir, 0700) || errno == EEXIST);
	if (mount("tmpfs", dir, "tmpfs", 0, "size=64k,huge=never"))
		SKIP("not allowed to mount");
	snprintf(name, sizeof(name), "%s/file", dir);
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	MUST(fd >= 0 && pwrite(fd, data, sizeof(data), 100 * PAGE) == (ssize_t)sizeof(data));
	CHECK_EQ(blocks(fd), 5 * 8);
	CHECK_ERR(fallocate(fd, 0, 0, 12 * PAGE), ENOSPC);
	CHECK_EQ(blocks(fd), 5 * 8);
	CHECK_OK(fallocate(fd, 0, 2 * PAGE, 2 * PAGE));
	CHECK_EQ(lseek(fd, 0, SEEK_DATA), 100 * PAGE);
	CHECK_ERR(fallocate(fd, 0, 0, 12 * PAGE), ENOSPC);
	CHECK_EQ(blocks(fd), 7 * 8);
	CHECK_EQ(lseek(fd, 0, SEEK_DATA), 2 * PAGE);
	CHECK_EQ(lseek(fd, 2 * PAGE, SEEK_HOLE), 4 * PAGE);
	CHECK_OK(fallocate(fd, 0, 0, 11 * PAGE));
	CHECK_EQ(blocks(fd), 16 * 8);
	close(fd);
	MUST(!umount(dir) && !rmdir(dir));
}

TEST(errors, "EINVAL, EOPNOTSUPP, EBADF, ENODEV or ESPIPE, EFBIG")
{
	int fd = tmp_file(PAGE), p[2];

	MUST(!pipe(p));
	CHECK_EQ(SYS(fallocate, fd, 0, 0, 0), -EINVAL);
	CHECK_EQ(SYS(fallocate, fd, 0, -1, 100), -EINVAL);
	CHECK_EQ(SYS(fallocate, fd, 0, 0, -1), -EINVAL);
	CHECK_EQ(SYS(fallocate, fd, PUNCH_HOLE, 0, 100), -EOPNOTSUPP);
	CHECK_EQ(SYS(fallocate, fd, 0x4000, 0, 100), -EOPNOTSUPP);
	CHECK_EQ(SYS(fallocate, 999, 0, 0, 100), -EBADF);
	CHECK_EQ(SYS(fallocate, p[1], 0, 0, 100), -ESPIPE);
	CHECK_EQ(SYS(fallocate, fd, 0, 0x7fffffffffffffff, 100), -EFBIG);
	close(fd);
	close(p[0]);
	close(p[1]);
}

TEST(sync_, "fsync, fdatasync, posix_fadvise succeed on a file; fadvise of a pipe is ESPIPE")
{
	int fd = tmp_file(PAGE), p[2];

	MUST(!pipe(p));
	CHECK_OK(fsync(fd));
	CHECK_OK(fdatasync(fd));
	CHECK_EQ(SYS(fadvise64, fd, 0, 0, 3), 0);
	CHECK_EQ(SYS(fadvise64, fd, 0, 0, 99), -EINVAL);
	CHECK_EQ(SYS(fadvise64, p[0], 0, 0, 3), -ESPIPE);
	CHECK_ERR(fsync(p[0]), EINVAL);
	CHECK_ERR(fsync(999), EBADF);
	close(fd);
	close(p[0]);
	close(p[1]);
}

TEST_MAIN()

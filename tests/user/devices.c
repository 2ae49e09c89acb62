/* SPDX-License-Identifier: MIT
 *
 * /dev/null, /dev/zero, /dev/full.
 */
#include "test.h"

TEST(null, "/dev/null swallows and is empty")
{
	int fd = open("/dev/null", O_RDWR);
	char c = 5;

	MUST(fd >= 0);
	CHECK_EQ(write(fd, "abc", 3), 3);
	CHECK_EQ(read(fd, &c, 1), 0);
	CHECK_EQ(c, 5);
	CHECK_EQ(lseek(fd, 100, SEEK_SET), 0);
	CHECK_ERR(ftruncate(fd, 0), EINVAL);
	close(fd);
	fd = open("/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0666);
	CHECK(fd >= 0);
	close(fd);
}

TEST(zero, "/dev/zero is endless zeroes, writes vanish")
{
	int fd = open("/dev/zero", O_RDWR), wrong = 0;
	static char buf[3 * PAGE];

	MUST(fd >= 0);
	memset(buf, 7, sizeof(buf));
	CHECK_EQ(read(fd, buf, sizeof(buf)), sizeof(buf));
	for (size_t i = 0; i < sizeof(buf); i++)
		wrong += buf[i] != 0;
	CHECK_EQ(wrong, 0);
	CHECK_EQ(write(fd, "x", 1), 1);
	close(fd);
}

TEST(full, "/dev/full reads zeroes, writes are ENOSPC")
{
	int fd = open("/dev/full", O_RDWR);
	char c = 1;

	MUST(fd >= 0);
	CHECK_ERR(write(fd, "x", 1), ENOSPC);
	CHECK_EQ(read(fd, &c, 1), 1);
	CHECK_EQ(c, 0);
	close(fd);
}

TEST(numbers, "their device numbers are Linux's")
{
	static const struct {
		const char *name;
		unsigned int rdev;
	} list[] = { { "/dev/null", 0x103 },
		     { "/dev/zero", 0x105 },
		     { "/dev/full", 0x107 },
		     { "/dev/random", 0x108 },
		     { "/dev/urandom", 0x109 } };
	struct stat st;

	for (unsigned int i = 0; i < 5; i++) {
		MUST(!stat(list[i].name, &st));
		CHECK(S_ISCHR(st.st_mode));
		CHECK_EQ(st.st_rdev, list[i].rdev);
		CHECK_EQ(st.st_mode & 0666, 0666);
	}
}

TEST(ioctl_, "an ioctl that a device does not know is ENOTTY")
{
	char termios[256];
	int fd = open("/dev/null", O_RDWR), file = tmp_file(1);

	CHECK_EQ(SYS(ioctl, fd, 0x5401 /* TCGETS */, termios), -ENOTTY);
	CHECK_EQ(SYS(ioctl, file, 0x5401, termios), -ENOTTY);
	CHECK_EQ(SYS(ioctl, 999, 0x5401, termios), -EBADF);
	CHECK_EQ(isatty(fd), 0);
	close(fd);
	close(file);
}

TEST(zero_mapped, "a private mapping of /dev/zero has its name and offset, and pages of its own")
{
	int fd = open("/dev/zero", O_RDWR);
	struct map m;
	char *p;

	MUST(fd >= 0);
	p = mmap(NULL, 3 * PAGE, RW, MAP_PRIVATE, fd, 2 * PAGE);
	MUST(p != MAP_FAILED);
	close(fd);
	MUST(map_find(p, &m));
	CHECK_STR(m.name, "/dev/zero");
	CHECK_EQ(m.offset, 2 * PAGE);
	CHECK_EQ(load(p), 0);
	store(p + PAGE, 1);
	CHECK_EQ(load(p + PAGE), 1);
	CHECK_ERR(madvise(p, PAGE, MADV_WIPEONFORK), EINVAL);
	CHECK_ERR(madvise(p, PAGE, MADV_REMOVE), EACCES);
	IN_CHILD
	{
		CHECK_EQ(load(p + PAGE), 1);
	}
	munmap(p, 3 * PAGE);
}

TEST_MAIN()

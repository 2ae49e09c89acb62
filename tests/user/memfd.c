/* SPDX-License-Identifier: MIT
 *
 * memfd_create and its seals.
 */
#include "test.h"

static int memfd(unsigned int flags)
{
	int fd = (int)SYS(memfd_create, "test", flags);

	MUST(fd >= 0);
	return fd;
}

TEST(basic, "a memfd is an empty file that can be written, sized, mapped")
{
	int fd = memfd(0);
	struct stat st;
	char c = 0;

	MUST(!fstat(fd, &st));
	CHECK_EQ(st.st_size, 0);
	CHECK(S_ISREG(st.st_mode));
	CHECK_EQ(write(fd, "hello", 5), 5);
	CHECK_OK(ftruncate(fd, 2 * PAGE));
	char *p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);

	MUST(p != MAP_FAILED);
	CHECK_EQ(load(p + 1), 'e');
	store(p + PAGE, 'z');
	CHECK_EQ(pread(fd, &c, 1, PAGE), 1);
	CHECK_EQ(c, 'z');
	munmap(p, 2 * PAGE);
	close(fd);
}

TEST(name, "maps shows /memfd:NAME (deleted)")
{
	int fd = memfd(0);
	struct map m;

	MUST(!ftruncate(fd, PAGE));
	char *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

	MUST(p != MAP_FAILED && map_find(p, &m));
	CHECK_STR(m.name, "/memfd:test (deleted)");
	CHECK_STR(m.perms, "r--s");
	munmap(p, PAGE);
	close(fd);
}

TEST(flags,
     "unknown flags EINVAL, name too long EINVAL, bad pointer EFAULT, MFD_CLOEXEC sets the flag")
{
	static char name[512];

	memset(name, 'a', 300);
	CHECK_EQ(SYS(memfd_create, "x", 0x8000), -EINVAL);
	CHECK_EQ(SYS(memfd_create, name, 0), -EINVAL);
	name[249] = 0;
	long fd = SYS(memfd_create, name, 0);

	CHECK(fd >= 0);
	close(fd);
	name[249] = 'a';
	name[250] = 0;
	CHECK_EQ(SYS(memfd_create, name, 0), -EINVAL);
	CHECK_EQ(SYS(memfd_create, NULL, 0), -EFAULT);
	CHECK_EQ(SYS(memfd_create, KERNEL_ADDRESS, 0), -EFAULT);
	fd = memfd(MFD_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	fd = memfd(0);
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
	close(fd);
}

TEST(no_sealing, "without MFD_ALLOW_SEALING it is sealed against sealing")
{
	int fd = memfd(0), file = tmp_file(1);

	CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL);
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM);
	close(fd);
	int pipefd[2];

	MUST(!pipe(pipefd));
	CHECK_ERR(fcntl(pipefd[0], F_GET_SEALS), EINVAL);
	close(pipefd[0]);
	close(pipefd[1]);
	close(file);
}

TEST(shrink_grow, "F_SEAL_SHRINK and F_SEAL_GROW refuse ftruncate and growing writes")
{
	int fd = memfd(MFD_ALLOW_SEALING);

	MUST(!ftruncate(fd, PAGE));
	CHECK_EQ(fcntl(fd, F_GET_SEALS), 0);
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
	CHECK_ERR(ftruncate(fd, 0), EPERM);
	CHECK_OK(ftruncate(fd, 2 * PAGE));
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	CHECK_ERR(ftruncate(fd, 3 * PAGE), EPERM);
	CHECK_ERR(pwrite(fd, "x", 1, 2 * PAGE), EPERM);
	CHECK_EQ(pwrite(fd, "x", 1, 0), 1);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW);
	close(fd);
}

TEST(write_,
     "F_SEAL_WRITE: EBUSY while a writable shared mapping exists, then no write and no such mapping")
{
	int fd = memfd(MFD_ALLOW_SEALING);

	MUST(!ftruncate(fd, PAGE));
	char *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);

	MUST(p != MAP_FAILED);
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	munmap(p, PAGE);
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	CHECK_ERR(pwrite(fd, "x", 1, 0), EPERM);
	CHECK_EQ(SYS(mmap, 0, PAGE, RW, MAP_SHARED, fd, 0), -EPERM);
	p = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);
	CHECK(p != MAP_FAILED);
	CHECK_NO_FAULT(store(p, 1));
	munmap(p, PAGE);
	CHECK_ERR(fallocate(fd, 3, 0, PAGE), EPERM); /* KEEP_SIZE | PUNCH_HOLE */
	close(fd);
}

TEST(future_write, "F_SEAL_FUTURE_WRITE: the existing mapping stays writable, a new one is refused")
{
	int fd = memfd(MFD_ALLOW_SEALING);

	MUST(!ftruncate(fd, PAGE));
	char *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);

	MUST(p != MAP_FAILED);
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	CHECK_NO_FAULT(store(p, 5));
	CHECK_ERR(pwrite(fd, "x", 1, 0), EPERM);
	CHECK_EQ(SYS(mmap, 0, PAGE, RW, MAP_SHARED, fd, 0), -EPERM);
	char *q = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

	CHECK(q != MAP_FAILED);
	if (q != MAP_FAILED) {
		CHECK_EQ(load(q), 5);
		CHECK_ERR(mprotect(q, PAGE, RW), EACCES);
		munmap(q, PAGE);
	}
	munmap(p, PAGE);
	close(fd);
}

TEST(seal_seal, "F_SEAL_SEAL ends sealing; unknown seals are EINVAL; a read-only descriptor EPERM")
{
	int fd = memfd(MFD_ALLOW_SEALING);
	char path[64];

	CHECK_ERR(fcntl(fd, F_ADD_SEALS, 0x4000), EINVAL);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int ro = open(path, O_RDONLY);

	CHECK(ro >= 0);
	if (ro >= 0) {
		CHECK_ERR(fcntl(ro, F_ADD_SEALS, F_SEAL_GROW), EPERM);
		close(ro);
	}
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM);
	close(fd);
}

TEST_MAIN()

/* SPDX-License-Identifier: MIT
 *
 * memfd_secret: memory that only its mappings reach, and that is locked while it is mapped. Since Linux 5.14; off unless
 * secretmem.enable=1 was given at boot until 6.5.
 */
#include "lock.h"

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

static int secret(size_t pages)
{
	int fd = (int)SYS(memfd_secret, 0);

	MUST(fd >= 0);
	if (pages)
		MUST(!ftruncate(fd, (off_t)(pages * PAGE)));
	return fd;
}

static char *map_secret(int fd, size_t pages)
{
	char *p = mmap(NULL, pages * PAGE, RW, MAP_SHARED, fd, 0);

	MUST(p != MAP_FAILED);
	return p;
}

FORKED_TEST(flags, "O_CLOEXEC is the only flag")
{
	int fd = (int)SYS(memfd_secret, O_CLOEXEC);

	MUST(fd >= 0);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(secret(0), F_GETFD), 0);
	CHECK_EQ(SYS(memfd_secret, 1), -EINVAL);
	CHECK_EQ(SYS(memfd_secret, O_NONBLOCK), -EINVAL);
}

FORKED_TEST(size, "the size can be set once")
{
	int fd = secret(0);
	struct stat st;

	MUST(!fstat(fd, &st));
	CHECK_EQ(st.st_size, 0);
	CHECK(S_ISREG(st.st_mode));
	CHECK_OK(ftruncate(fd, 0));
	CHECK_OK(ftruncate(fd, 3 * PAGE));
	CHECK_ERR(ftruncate(fd, 4 * PAGE), EINVAL);
	CHECK_ERR(ftruncate(fd, 0), EINVAL);
	CHECK_ERR(ftruncate(fd, 3 * PAGE), EINVAL);
	MUST(!fstat(fd, &st));
	CHECK_EQ(st.st_size, 3 * PAGE);
}

FORKED_TEST(no_io, "the file cannot be read, written or seeked, only mapped")
{
	char c = 0;
	int fd = secret(1);

	CHECK_ERR(read(fd, &c, 1), EINVAL);
	CHECK_ERR(write(fd, &c, 1), EINVAL);
	CHECK_ERR(pread(fd, &c, 1, 0), ESPIPE);
	CHECK_ERR(lseek(fd, 0, SEEK_END), ESPIPE);
	CHECK_ERR(fcntl(fd, F_GET_SEALS), EINVAL);
	CHECK_ERR(posix_fallocate(fd, 0, PAGE) ? (errno = EOPNOTSUPP, -1) : 0, EOPNOTSUPP);
}

FORKED_TEST(mapping,
	    "a shared mapping is locked and charged from the start, filled as it is touched")
{
	int fd = secret(4);
	char *p = map_secret(fd, 4);

	CHECK_STR(locks(p, 4), "LLLL");
	CHECK_EQ(vmlck(), 4);
	CHECK_EQ(rss(p, 4), 0);
	store(p + PAGE, 5);
	CHECK_EQ(load(p), 0);
	CHECK_EQ(rss(p, 4), 2);
	CHECK_EQ(load(map_secret(fd, 4) + PAGE), 5);
	CHECK_EQ(vmlck(), 8);
	CHECK_STR(perms_at(p), "rw-s");
	CHECK(strstr(smaps_block(p), " dd "));
	MUST(!munmap(p, 4 * PAGE));
	CHECK_EQ(vmlck(), 4);
}

FORKED_TEST(name, "maps shows /secretmem (deleted)")
{
	char *p = map_secret(secret(1), 1);
	struct map m;

	MUST(map_find(p, &m));
	CHECK_STR(m.name, "/secretmem (deleted)");
}

FORKED_TEST(refused, "a private mapping is EINVAL, one beyond the limit EAGAIN")
{
	int fd = secret(4);

	CHECK_EQ(SYS(mmap, 0, PAGE, RW, MAP_PRIVATE, fd, 0), -EINVAL);
	ordinary_user(4 * PAGE);
	CHECK_EQ(SYS(mmap, 0, 5 * PAGE, RW, MAP_SHARED, fd, 0), -EAGAIN);
	(void)map_secret(fd, 4);
	CHECK_EQ(SYS(mmap, 0, PAGE, RW, MAP_SHARED, fd, 0), -EAGAIN);
}

FORKED_TEST(past_end, "an access past the end is SIGBUS, as is any without a size")
{
	char *p = map_secret(secret(1), 2), *q = map_secret(secret(0), 1);

	store(p, 1);
	CHECK_FAULT(load(p + PAGE), SIGBUS, BUS_ADRERR, p + PAGE);
	CHECK_FAULT(store(q, 1), SIGBUS, BUS_ADRERR, q);
}

FORKED_TEST(lock_calls, "mlock and populate cannot fill it; no unlock takes the lock away")
{
	char *p = map_secret(secret(4), 4);

	CHECK_EQ(SYS(mlock, p, 4 * PAGE), -ENOMEM);
	CHECK_EQ(rss(p, 4), 0);
	CHECK_EQ(SYS(madvise, p, PAGE, MADV_POPULATE_READ), -EINVAL);
	CHECK_EQ(SYS(madvise, p, PAGE, MADV_POPULATE_WRITE), -EINVAL);
	CHECK_EQ(SYS(munlock, p, 4 * PAGE), 0);
	CHECK_EQ(SYS(munlockall), 0);
	CHECK_STR(locks(p, 4), "LLLL");
	CHECK_EQ(vmlck(), 4);
	CHECK_EQ(SYS(mlockall, MCL_CURRENT | MCL_ONFAULT), 0);
	CHECK_STR(locks(p, 4), "LLLL");
	CHECK_EQ(SYS(munlockall), 0);
	CHECK_EQ(SYS(madvise, p, PAGE, MADV_DONTNEED), -EINVAL);
}

FORKED_TEST(no_back_door,
	    "/proc/PID/mem does not reach it; the kernel's copies for the process itself do")
{
	char *p = map_secret(secret(1), 1), c = 0;
	int fd = open("/proc/self/mem", O_RDWR), fds[2];

	MUST(fd >= 0 && !pipe(fds));
	store(p, 'x');
	CHECK_ERR(pread(fd, &c, 1, (off_t)p), EIO);
	CHECK_ERR(pwrite(fd, "y", 1, (off_t)p), EIO);
	CHECK_EQ(write(fds[1], p, 1), 1);
	CHECK_EQ(read(fds[0], &c, 1), 1);
	CHECK_EQ(c, 'x');
	CHECK_EQ(load(p), 'x');
}

FORKED_TEST(
	pages,
	"its pages are unevictable and mlocked, and all of that ends with the mapping and the file")
{
	int fd = secret(1024);
	char *p = map_secret(fd, 1024);
	long unevictable = proc_value("/proc/meminfo", "Unevictable:");
	long mlocked = proc_value("/proc/meminfo", "Mlocked:");

	fill(p, 1024);
	drain_batches();
	CHECK_EQ(kpageflags(p) & KPF_LOCK_BITS, KPF_LOCK_BITS);
	CHECK_RANGE(proc_value("/proc/meminfo", "Mlocked:") - mlocked, 3700, 4500);
	MUST(!munmap(p, 1024 * PAGE));
	CHECK_RANGE(proc_value("/proc/meminfo", "Mlocked:") - mlocked, -400, 400);
	CHECK_RANGE(proc_value("/proc/meminfo", "Unevictable:") - unevictable, 3700, 4500);
	close(fd);
	CHECK_RANGE(proc_value("/proc/meminfo", "Unevictable:") - unevictable, -400, 400);
}

FORKED_TEST(fork_, "a child shares the memory, without the lock")
{
	char *p = map_secret(secret(1), 1);

	IN_CHILD
	{
		CHECK_STR(locks(p, 1), "U");
		CHECK_EQ(vmlck(), 0);
		store(p, 9);
	}
	CHECK_EQ(load(p), 9);
	CHECK_STR(locks(p, 1), "L");
}

TEST_MAIN()

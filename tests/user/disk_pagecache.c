/* SPDX-License-Identifier: MIT
 *
 * A file with a disk behind it: read ahead, written back, the same for read, write and mappings. On Linux that is a
 * file in /var/tmp, here the first disk.
 */
#include "store.h"

#include <sys/syscall.h>

static unsigned long cached_pages(char *p)
{
	static unsigned char vec[PAGES];
	unsigned long n = 0;

	MUST(!mincore(p, FILE_SIZE, vec));
	for (unsigned long i = 0; i < PAGES; i++)
		n += vec[i] & 1;
	return n;
}

static long major_faults(void)
{
	struct rusage ru;

	MUST(!getrusage(RUSAGE_SELF, &ru));
	return ru.ru_majflt;
}

static long stat_of(const char *name)
{
	const char *at = strstr(slurp("/proc/vmstat"), name);

	return at ? atol(at + strlen(name)) : -1;
}

TEST(coherence, "read, write, shared and private mappings are one file")
{
	OPEN_STORE(fd);
	char *shared = map_store(fd, RW, MAP_SHARED), *private = map_store(fd, RW, MAP_PRIVATE);
	unsigned long x = 77, got = 0;

	CHECK_EQ(word(shared, 5), 5);
	CHECK_EQ(word(private, 5), 5);
	CHECK_EQ(pwrite(fd, &x, 8, 5 * PAGE), 8);
	CHECK_EQ(word(shared, 5), 77);
	CHECK_EQ(word(private, 5), 77);
	*(volatile unsigned long *)(shared + 6 * PAGE) = 78;
	*(volatile unsigned long *)(private + 7 * PAGE) = 79;
	CHECK_EQ(pread(fd, &got, 8, 6 * PAGE), 8);
	CHECK_EQ(got, 78);
	CHECK_EQ(pread(fd, &got, 8, 7 * PAGE), 8);
	CHECK_EQ(got, 7);
	CHECK_EQ(word(private, 6), 78);
	munmap(shared, FILE_SIZE);
	munmap(private, FILE_SIZE);
	close(fd);
}

TEST(partial_write, "a write to part of a page leaves the rest, cached or not")
{
	OPEN_STORE(fd);
	unsigned long words[PAGE / 8];

	CHECK_OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	CHECK_EQ(pwrite(fd, "abc", 3, 9 * PAGE + 100), 3);
	CHECK_EQ(pwrite(fd, "defgh", 5, 10 * PAGE - 2), 5);
	CHECK_EQ(pread(fd, words, PAGE, 9 * PAGE), PAGE);
	CHECK(!memcmp((char *)words + 100, "abc", 3));
	CHECK(!memcmp((char *)words + PAGE - 2, "de", 2));
	CHECK_EQ(words[0], 9);
	CHECK_EQ(words[20], 9);
	CHECK_EQ(pread(fd, words, PAGE, 10 * PAGE), PAGE);
	CHECK(!memcmp(words, "fgh", 3));
	CHECK_EQ(words[1], 10);
	close(fd);
}

TEST(dontneed_willneed, "POSIX_FADV_DONTNEED drops clean pages, WILLNEED and readahead bring them")
{
	OPEN_STORE(fd);
	char *p = map_store(fd, PROT_READ, MAP_SHARED);

	CHECK_OK(posix_fadvise(fd, 0, FILE_SIZE, POSIX_FADV_DONTNEED));
	if (cached_pages(p) > PAGES / 2)
		SKIP("the file system keeps its pages in memory");
	CHECK_EQ(cached_pages(p), 0);
	CHECK_OK(posix_fadvise(fd, 64 * PAGE, 16 * PAGE, POSIX_FADV_WILLNEED));
	CHECK_EQ(word(p, 79), 79);
	CHECK_RANGE(cached_pages(p), 16, 100);
	CHECK_EQ(SYS(readahead, fd, 200 * PAGE, 16 * PAGE), 0);
	CHECK_EQ(word(p, 215), 215);
	CHECK_OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	CHECK_OK(madvise(p + 300 * PAGE, 16 * PAGE, MADV_WILLNEED));
	CHECK_EQ(word(p, 315), 315);
	munmap(p, FILE_SIZE);
	close(fd);
}

TEST(major_faults, "a fault that waits for the disk is a major one, its neighbours are not")
{
	OPEN_STORE(fd);
	char *p = map_store(fd, PROT_READ, MAP_SHARED);
	long before, vmstat;

	CHECK_OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	if (cached_pages(p))
		SKIP("the file system keeps its pages in memory");
	before = major_faults();
	vmstat = stat_of("pgmajfault ");
	CHECK_EQ(word(p, 1000), 1000);
	CHECK_EQ(major_faults() - before, 1);
	CHECK(stat_of("pgmajfault ") > vmstat);
	CHECK_EQ(word(p, 1001), 1001);
	CHECK_EQ(word(p, 999), 999);
	CHECK_RANGE(major_faults() - before, 1, 2);
	CHECK_OK(madvise(p, FILE_SIZE, MADV_RANDOM));
	CHECK_EQ(word(p, 3500), 3500);
	before = cached_pages(p);
	CHECK_EQ(word(p, 3900), 3900);
	CHECK_EQ(cached_pages(p), before + 1);
	munmap(p, FILE_SIZE);
	close(fd);
}

TEST(sequential, "reading in order takes few waits, by read and through a mapping")
{
	OPEN_STORE(fd);
	char *p = map_store(fd, PROT_READ, MAP_SHARED);
	static unsigned long page[PAGE / 8];
	long before;

	CHECK_OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	MUST(!lseek(fd, 0, SEEK_SET));
	for (unsigned long i = 0; i < PAGES; i++) {
		MUST(read(fd, page, PAGE) == PAGE);
		if (page[0] != i || page[PAGE / 8 - 1] != i)
			CHECK_EQ(page[0], i);
	}
	CHECK_OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	CHECK_OK(madvise(p, FILE_SIZE, MADV_SEQUENTIAL));
	before = major_faults();
	for (unsigned long i = 0; i < PAGES; i++)
		if (word(p, i) != i)
			CHECK_EQ(word(p, i), i);
	CHECK_RANGE(major_faults() - before, 0, (long)PAGES / 16);
	munmap(p, FILE_SIZE);
	close(fd);
}

TEST(write_notice,
     "a shared mapping takes a fault for the first write to each page, and again after msync")
{
	OPEN_STORE(fd);
	char *p = map_store(fd, RW, MAP_SHARED);
	long before;

	for (unsigned long i = 0; i < 128; i++)
		(void)word(p, i);
	for (int round = 0; round < 2; round++) {
		before = minor_faults();
		for (unsigned long i = 0; i < 128; i++)
			p[i * PAGE] = 1;
		CHECK_RANGE(minor_faults() - before, 128, 131);
		before = minor_faults();
		for (unsigned long i = 0; i < 128; i++)
			p[i * PAGE] = 2;
		CHECK_RANGE(minor_faults() - before, 0, 2);
		CHECK_OK(msync(p, FILE_SIZE, MS_SYNC));
	}
	munmap(p, FILE_SIZE);
	close(fd);
}

TEST(written,
     "what fsync, msync and sync_file_range have written is there after the cache was dropped")
{
	OPEN_STORE(fd);
	char *p = map_store(fd, RW, MAP_SHARED);
	pid_t pid;

	p[3 * PAGE] = 1;
	CHECK_OK(msync(p + 3 * PAGE, PAGE, MS_SYNC));
	p[4 * PAGE] = 2;
	CHECK_OK(fdatasync(fd));
	p[5 * PAGE] = 3;
	CHECK_OK(sync_file_range(fd, 0, 0, 7));
	pid = fork();
	MUST(pid >= 0);
	if (pid == 0) {
		p[6 * PAGE] = 4;
		_exit(0);
	}
	MUST(waitpid(pid, NULL, 0) == pid);
	CHECK_OK(syncfs(fd));
	p[7 * PAGE] = 5;
	munmap(p, FILE_SIZE);
	sync();
	CHECK_OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	p = map_store(fd, PROT_READ, MAP_SHARED);
	for (int i = 3; i < 8; i++)
		CHECK_EQ(p[i * PAGE], i - 2);
	munmap(p, FILE_SIZE);
	close(fd);
}

TEST(errors, "what can be synchronised and read ahead, and what not")
{
	OPEN_STORE(fd);
	int pipes[2], wronly = open("/dev/null", O_WRONLY);

	MUST(!pipe(pipes));
	CHECK_ERR(fsync(pipes[0]), EINVAL);
	CHECK_ERR(fdatasync(pipes[0]), EINVAL);
	CHECK_ERR(sync_file_range(pipes[0], 0, 0, 0), ESPIPE);
	CHECK_ERR(sync_file_range(fd, 0, 0, 8), EINVAL);
	CHECK_ERR(sync_file_range(fd, -1, 0, 0), EINVAL);
	CHECK_ERR(sync_file_range(fd, 0, -1, 0), EINVAL);
	CHECK_EQ(SYS(readahead, pipes[0], 0, 1), -EINVAL);
	CHECK_EQ(SYS(readahead, wronly, 0, 1), -EBADF);
	CHECK_EQ(SYS(readahead, -1, 0, 1), -EBADF);
	CHECK_EQ(posix_fadvise(pipes[0], 0, 0, POSIX_FADV_NORMAL), ESPIPE);
	CHECK_EQ(posix_fadvise(fd, 0, 0, 99), EINVAL);
	CHECK_EQ(posix_fadvise(fd, 0, -1, POSIX_FADV_NORMAL), EINVAL);
	CHECK_ERR(syncfs(-1), EBADF);
	close(pipes[0]);
	close(pipes[1]);
	close(wronly);
	close(fd);
}

TEST(dirty_count, "nr_dirty and Dirty count what waits to be written")
{
	OPEN_STORE(fd);
	char *p = map_store(fd, RW, MAP_SHARED);
	long before;

	if (!on_disk)
		SKIP("other programs write, too");
	sync();
	before = stat_of("nr_dirty ");
	for (int i = 0; i < 10; i++)
		p[i * PAGE]++;
	CHECK_EQ(stat_of("nr_dirty ") - before, 10);
	CHECK(strstr(slurp("/proc/meminfo"), "Dirty:                40 kB"));
	CHECK_OK(msync(p, FILE_SIZE, MS_SYNC));
	CHECK_EQ(stat_of("nr_dirty "), before);
	munmap(p, FILE_SIZE);
	close(fd);
}

TEST_MAIN()

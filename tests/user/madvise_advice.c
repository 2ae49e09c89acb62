/* SPDX-License-Identifier: MIT
 *
 * The other advice values: which exist, what they refuse, what content survives.
 */
#include "test.h"

TEST(unknown, "unknown advice is EINVAL, also for length 0")
{
	char *p = map_anon(PAGE, RW);

	CHECK_EQ(SYS(madvise, p, PAGE, 5), -EINVAL);
	CHECK_EQ(SYS(madvise, p, PAGE, 999), -EINVAL);
	CHECK_EQ(SYS(madvise, p, PAGE, -1), -EINVAL);
	CHECK_EQ(SYS(madvise, p, 0, 999), -EINVAL);
	munmap(p, PAGE);
}

TEST(hints, "NORMAL, RANDOM, SEQUENTIAL, DONTDUMP, DODUMP keep the content")
{
	char *p = map_anon(3 * PAGE, RW);
	static const int advice[] = { MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_DONTDUMP,
				      MADV_DODUMP };

	memset(p, 4, 3 * PAGE);
	for (unsigned int i = 0; i < sizeof(advice) / sizeof(*advice); i++) {
		CHECK_EQ(SYS(madvise, p, 3 * PAGE, advice[i]), 0);
		CHECK_EQ(load(p + PAGE), 4);
	}
	munmap(p, 3 * PAGE);
}

TEST(split_merge, "advice on one page splits the area, the opposite advice merges it")
{
	char *at = map_at(free_area(5), 5 * PAGE, RW);

	CHECK_OK(madvise(at + 2 * PAGE, PAGE, MADV_RANDOM));
	CHECK_EQ(maps_in(at, 5 * PAGE), 3);
	CHECK_OK(madvise(at + 2 * PAGE, PAGE, MADV_NORMAL));
	CHECK_EQ(maps_in(at, 5 * PAGE), 1);
	CHECK_OK(madvise(at + 2 * PAGE, PAGE, MADV_DONTDUMP));
	CHECK_EQ(maps_in(at, 5 * PAGE), 3);
	CHECK_OK(madvise(at, 5 * PAGE, MADV_DODUMP));
	CHECK_EQ(maps_in(at, 5 * PAGE), 1);
	munmap(at, 5 * PAGE);
}

TEST(willneed, "WILLNEED: fine for a file, keeps content")
{
	int fd = tmp_file(2 * PAGE);
	char *p = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0);

	MUST(p != MAP_FAILED);
	CHECK_OK(madvise(p, 2 * PAGE, MADV_WILLNEED));
	CHECK_EQ(load(p + PAGE), 2);
	munmap(p, 2 * PAGE);
	close(fd);
	/* Anonymous memory: EBADF before 5.x without swap support, success now. */
	p = map_anon(PAGE, RW);
	long r = SYS(madvise, p, PAGE, MADV_WILLNEED);

	CHECK(r == 0 || r == -EBADF);
	munmap(p, PAGE);
}

TEST(free_, "FREE: private anonymous only; a write afterwards stays")
{
	char *p = map_anon(2 * PAGE, RW);
	char *s = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd = tmp_file(PAGE);
	char *f = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);

	MUST(s != MAP_FAILED && f != MAP_FAILED);
	memset(p, 6, 2 * PAGE);
	CHECK_OK(madvise(p, 2 * PAGE, MADV_FREE));
	/* The old content or zeroes, never anything else. */
	unsigned char c = load(p);

	CHECK(c == 6 || c == 0);
	store(p, 7);
	CHECK_EQ(load(p), 7);
	CHECK_ERR(madvise(s, PAGE, MADV_FREE), EINVAL);
	CHECK_ERR(madvise(f, PAGE, MADV_FREE), EINVAL);
	munmap(p, 2 * PAGE);
	munmap(s, PAGE);
	munmap(f, PAGE);
	close(fd);
}

TEST(free_large,
     "FREE of 2 MiB twice: a page that was written in between is noticed when it is written again")
{
	const unsigned long size = 2UL << 20;
	char *area = map_anon(2 * size, RW);
	char *p = (char *)(((unsigned long)area + size - 1) & ~(size - 1));

	(void)madvise(p, size, MADV_HUGEPAGE); /* EINVAL where there is no such thing */
	memset(p, 7, size);
	CHECK_OK(madvise(p, size, MADV_FREE));
	store(p + 5 * PAGE, 8);
	CHECK_OK(madvise(p, size, MADV_FREE));
	store(p + 5 * PAGE, 9);
	for (int i = 0; i < 3; i++)
		(void)madvise(p, size, MADV_PAGEOUT);
	CHECK_EQ(load(p + 5 * PAGE), 9);
	munmap(area, 2 * size);
}

TEST(remove_, "REMOVE punches a hole into shared memory; EINVAL for private, EACCES for read-only")
{
	char *s = mmap(NULL, 4 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *p = map_anon(PAGE, RW);
	int fd = tmp_file(PAGE);
	char *r = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

	MUST(s != MAP_FAILED && r != MAP_FAILED);
	memset(s, 8, 4 * PAGE);
	CHECK_OK(madvise(s + PAGE, 2 * PAGE, MADV_REMOVE));
	CHECK_EQ(load(s), 8);
	CHECK_EQ(load(s + PAGE), 0);
	CHECK_EQ(load(s + 2 * PAGE), 0);
	CHECK_EQ(load(s + 3 * PAGE), 8);
	CHECK_ERR(madvise(p, PAGE, MADV_REMOVE), EINVAL);
	/* Write permission of the mapping decides before 6.12, of the descriptor since. */
	if (madvise(r, PAGE, MADV_REMOVE))
		CHECK_EQ(errno, EACCES);
	munmap(s, 4 * PAGE);
	munmap(p, PAGE);
	munmap(r, PAGE);
	close(fd);
}

TEST(cold_pageout, "COLD and PAGEOUT keep the content (EINVAL where reclaim does not exist)")
{
	char *p = map_anon(2 * PAGE, RW);

	memset(p, 3, 2 * PAGE);
	for (int advice = MADV_COLD; advice <= MADV_PAGEOUT; advice++) {
		long r = SYS(madvise, p, 2 * PAGE, advice);

		CHECK(r == 0 || r == -EINVAL);
		CHECK_EQ(load(p), 3);
		CHECK_EQ(load(p + PAGE), 3);
	}
	munmap(p, 2 * PAGE);
}

TEST_MAIN()

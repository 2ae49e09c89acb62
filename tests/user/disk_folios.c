/* SPDX-License-Identifier: MIT
 *
 * Large folios of a disk's page cache (knob readahead.order; on Linux whatever the file system does): programs see the same
 * pages as ever, whatever they do to a part of one.
 */
#include "folio.h"
#include "store.h"

#include <sys/syscall.h>

/* What is cached, and clean, and mapped by nobody, goes, so that reading brings it anew. */
static void forget(int fd)
{
	MUST(!fsync(fd));
	MUST(!posix_fadvise(fd, 0, FILE_SIZE, POSIX_FADV_DONTNEED));
}

/* Everything is mapped and read in order. */
static char *read_all(int fd, int flags)
{
	char *p;

	forget(fd);
	p = map_store(fd, RW, flags);
	for (unsigned long i = 0; i < PAGES; i++)
		if (word(p, i) != i)
			FAIL("page %lu has %lu", i, word(p, i));
	return p;
}

static void set(char *p, unsigned long page, unsigned long value)
{
	*(volatile unsigned long *)(p + page * PAGE) = value;
}

/* The value of knob readahead.order; 0 on Linux. */
static long largest_order(void)
{
	return on_faultline() ? proc_value("/proc/knobs", "readahead.order=") : 0;
}

static bool is_compound(const char *p)
{
	return kpageflags(p) & KPF_COMPOUND;
}

TEST(frames, "reading in order brings folios of up to readahead.order, aligned by their size")
{
	OPEN_STORE(fd);
	char *p = read_all(fd, MAP_SHARED);
	long order = largest_order();
	static uint64_t words[PAGES];
	unsigned long large = 0;

	if (geteuid())
		SKIP("only root sees frames");
	pagemap_words(p, PAGES, words);
	for (unsigned long i = 0; i < PAGES; i++) {
		bool tail = kpageflags(p + i * PAGE) & KPF_COMPOUND_TAIL;

		large += is_compound(p + i * PAGE);
		if (!tail)
			continue;
		CHECK((i & ((1UL << MAX_ORDER) - 1)) != 0);
		CHECK_EQ(words[i] & PAGEMAP_PFN, (words[i - 1] & PAGEMAP_PFN) + 1);
	}
	if (on_disk)
		CHECK_EQ(large, order < MIN_ORDER ? 0 : PAGES);
	munmap(p, FILE_SIZE);
	close(fd);
}

TEST(partly_written,
     "what is written to parts arrives, and the rest stays, by mapping and by write")
{
	OPEN_STORE(fd);
	char *p = read_all(fd, MAP_SHARED);

	for (unsigned long i = 3; i < PAGES; i += 37)
		set(p, i, ~i);
	CHECK_OK(msync(p + 64 * PAGE, 100 * PAGE, MS_SYNC));
	for (unsigned long i = 5; i < PAGES; i += 41) {
		unsigned long value = i * 3;

		CHECK_EQ(pwrite(fd, &value, sizeof(value), (off_t)(i * PAGE)), sizeof(value));
	}
	CHECK_OK(msync(p, FILE_SIZE, MS_SYNC));
	set(p, 700, 1);
	munmap(p, FILE_SIZE);
	forget(fd);
	p = map_store(fd, PROT_READ, MAP_SHARED);
	for (unsigned long i = 0; i < PAGES; i++) {
		unsigned long want = i % 41 == 5 ? i * 3 : i % 37 == 3 ? ~i : i == 700 ? 1 : i;

		if (word(p, i) != want)
			FAIL("page %lu: %lx, not %lx", i, word(p, i), want);
	}
	munmap(p, FILE_SIZE);
	close(fd);
}

TEST(read_across, "pread at any place and of any length, over the ends of folios")
{
	OPEN_STORE(fd);
	static unsigned long words[40 * PAGE / sizeof(unsigned long)];

	forget(fd);
	for (unsigned long pos = 0, len = 24; pos + len < FILE_SIZE;
	     pos += len, len = len * 7 % sizeof(words) & ~7UL) {
		len = len < 8 ? 8 : len;
		CHECK_EQ(pread(fd, words, len, (off_t)pos), (ssize_t)len);
		for (unsigned long w = 0; w < len / 8; w++)
			if (words[w] != (pos + w * 8) / PAGE)
				FAIL("at %lu: %lu", pos + w * 8, words[w]);
	}
	close(fd);
}

TEST(private_copies,
     "a private mapping copies pages out of the middle, and a fork shares the copies")
{
	OPEN_STORE(fd);
	char *p = read_all(fd, MAP_PRIVATE);

	for (unsigned long i = 7; i < PAGES; i += 100)
		set(p, i, ~i);
	IN_CHILD
	{
		for (unsigned long i = 0; i < PAGES; i++)
			if (word(p, i) != (i % 100 == 7 ? ~i : i))
				FAIL("in the child page %lu has %lx", i, word(p, i));
		set(p, 8, 99);
	}
	for (unsigned long i = 0; i < PAGES; i++)
		if (word(p, i) != (i % 100 == 7 ? ~i : i))
			FAIL("page %lu has %lx", i, word(p, i));
	munmap(p, FILE_SIZE);
	p = map_store(fd, PROT_READ, MAP_SHARED);
	CHECK_EQ(word(p, 107), 107);
	munmap(p, FILE_SIZE);
	close(fd);
}

TEST(unmapped_in_part,
     "parts are unmapped, moved, protected and thrown away, and come back from the file")
{
	OPEN_STORE(fd);
	char *p = read_all(fd, MAP_SHARED), *q;

	CHECK_OK(munmap(p + 101 * PAGE, 3 * PAGE));
	q = mremap(p + 200 * PAGE, 50 * PAGE, 50 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		   map_anon(50 * PAGE, RW));
	CHECK(q != MAP_FAILED);
	CHECK_OK(mprotect(p + 301 * PAGE, 7 * PAGE, PROT_READ));
	CHECK_OK(madvise(p + 401 * PAGE, 9 * PAGE, MADV_DONTNEED));
	(void)madvise(p + 501 * PAGE, 9 * PAGE, MADV_PAGEOUT);
	for (unsigned long i = 0; i < 50; i++)
		CHECK_EQ(word(q, i), 200 + i);
	for (unsigned long i = 300; i < PAGES; i++)
		if (word(p, i) != i)
			FAIL("page %lu has %lu", i, word(p, i));
	set(p, 405, 1);
	set(q, 1, 2);
	CHECK_OK(fsync(fd));
	munmap(q, 50 * PAGE);
	munmap(p, FILE_SIZE);
	close(fd);
}

TEST(locked_in_part,
     "locked pages of a folio stay when the cache is dropped, and are counted one by one")
{
	OPEN_STORE(fd);
	char *p = read_all(fd, MAP_SHARED);
	long before = proc_value("/proc/meminfo", "Mlocked:") / 4;
	unsigned char vec[64];

	CHECK_OK(mlock(p + 100 * PAGE, 63 * PAGE));
	CHECK_OK(mlock(p + 300 * PAGE, PAGE));
	if (on_faultline())
		CHECK_EQ(proc_value("/proc/meminfo", "Mlocked:") / 4 - before, 64);
	(void)madvise(p + 96 * PAGE, 4 * PAGE, MADV_PAGEOUT);
	(void)madvise(p + 296 * PAGE, 4 * PAGE, MADV_PAGEOUT);
	CHECK_OK(posix_fadvise(fd, 0, FILE_SIZE, POSIX_FADV_DONTNEED));
	CHECK_OK(mincore(p + 100 * PAGE, 63 * PAGE, vec));
	for (unsigned int i = 0; i < 63; i++)
		CHECK(vec[i] & 1);
	CHECK_OK(munlock(p + 130 * PAGE, PAGE));
	if (on_faultline())
		CHECK_EQ(proc_value("/proc/meminfo", "Mlocked:") / 4 - before, 63);
	for (unsigned long i = 0; i < PAGES; i++)
		if (word(p, i) != i)
			FAIL("page %lu has %lu", i, word(p, i));
	munmap(p, FILE_SIZE);
	if (on_faultline())
		CHECK_EQ(proc_value("/proc/meminfo", "Mlocked:") / 4, before);
	close(fd);
}

#define WRITERS 3UL
#define ROUNDS 20UL

TEST(written_together,
     "several processes write pages of the same folios while they are written back")
{
	OPEN_STORE(fd);
	char *p = read_all(fd, MAP_SHARED);
	const unsigned long pages = 256;
	pid_t child[WRITERS];

	for (unsigned long w = 0; w < WRITERS; w++) {
		child[w] = fork_checked();
		if (child[w])
			continue;
		for (unsigned long round = 1; round <= ROUNDS; round++) {
			for (unsigned long i = w; i < pages; i += WRITERS)
				set(p, i, i + round * 1000);
			CHECK_OK(msync(p + w * 50 * PAGE, 100 * PAGE, MS_SYNC));
		}
		child_exit();
	}
	for (unsigned long w = 0; w < WRITERS; w++)
		reap_checked(child[w]);
	munmap(p, FILE_SIZE);
	forget(fd);
	p = map_store(fd, PROT_READ, MAP_SHARED);
	for (unsigned long i = 0; i < PAGES; i++)
		if (word(p, i) != (i < pages ? i + ROUNDS * 1000 : i))
			FAIL("page %lu has %lu", i, word(p, i));
	munmap(p, FILE_SIZE);
	close(fd);
}

TEST_MAIN()

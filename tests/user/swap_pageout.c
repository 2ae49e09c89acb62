/* SPDX-License-Identifier: MIT
 *
 * MADV_PAGEOUT, COLD and FREE where there is swap: what leaves memory, what stays, and that nothing is lost. Skipped
 * where no swap is turned on.
 */
#include "test.h"

#define PAGES 64UL
#define LENGTH (PAGES * PAGE)

#define NEEDS_SWAP()                                                                               \
	do {                                                                                       \
		if (proc_value("/proc/meminfo", "SwapTotal:") <= 0)                                \
			SKIP("no swap is turned on");                                              \
	} while (0)

#define PM_SWAPPED (1ULL << 62)
#define PM_PRESENT (1ULL << 63)

static uint64_t pagemap_word(const void *p)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t word = 0;

	MUST(fd >= 0);
	MUST(pread(fd, &word, sizeof(word), (off_t)((unsigned long)p / PAGE * 8)) == 8);
	close(fd);
	return word;
}

static unsigned long count_pages(const char *p, uint64_t bit)
{
	unsigned long n = 0;

	for (unsigned long i = 0; i < PAGES; i++)
		n += !!(pagemap_word(p + i * PAGE) & bit);
	return n;
}

static void fill(char *p, int seed)
{
	for (unsigned long i = 0; i < LENGTH; i++)
		p[i] = (char)(i * 7 + i / PAGE + (unsigned long)seed);
}

static unsigned long wrong_bytes(const char *p, int seed)
{
	unsigned long n = 0;

	for (unsigned long i = 0; i < LENGTH; i++)
		n += p[i] != (char)(i * 7 + i / PAGE + (unsigned long)seed);
	return n;
}

/* Written pages that PAGEOUT took. Some may be busy the first time. */
static char *paged_out(int seed)
{
	char *p = map_anon(LENGTH, PROT_READ | PROT_WRITE);

	fill(p, seed);
	for (int i = 0; i < 100 && count_pages(p, PM_SWAPPED) < PAGES; i++) {
		CHECK_OK(madvise(p, LENGTH, MADV_PAGEOUT));
		sleep_ms(1);
	}
	return p;
}

TEST(out_and_in,
     "PAGEOUT: entries say swapped, VmSwap and SwapFree know, the contents come back by major faults")
{
	struct rusage before, after;
	long swap;
	char *p;

	NEEDS_SWAP();
	swap = proc_value("/proc/self/status", "VmSwap:");
	p = paged_out(1);
	CHECK_EQ(count_pages(p, PM_SWAPPED), PAGES);
	CHECK_EQ(count_pages(p, PM_PRESENT), 0);
	CHECK_EQ(proc_value("/proc/self/status", "VmSwap:") - swap, LENGTH / 1024);
	CHECK(proc_value("/proc/meminfo", "SwapFree:") < proc_value("/proc/meminfo", "SwapTotal:"));
	getrusage(RUSAGE_SELF, &before);
	CHECK_EQ(wrong_bytes(p, 1), 0);
	getrusage(RUSAGE_SELF, &after);
	CHECK(after.ru_majflt + after.ru_minflt - before.ru_majflt - before.ru_minflt >=
	      (long)PAGES);
	CHECK_EQ(count_pages(p, PM_SWAPPED), 0);
	munmap(p, LENGTH);
}

TEST(rewritten, "pages that came back are written, go out again and come back as they are now")
{
	char *p;

	NEEDS_SWAP();
	p = paged_out(2);
	fill(p, 3);
	for (int i = 0; i < 100 && count_pages(p, PM_SWAPPED) < PAGES; i++) {
		CHECK_OK(madvise(p, LENGTH, MADV_PAGEOUT));
		sleep_ms(1);
	}
	CHECK_EQ(count_pages(p, PM_SWAPPED), PAGES);
	CHECK_EQ(wrong_bytes(p, 3), 0);
	munmap(p, LENGTH);
}

TEST(forked, "a child inherits pages that are swapped out; each has its own after a write")
{
	char *p;

	NEEDS_SWAP();
	p = paged_out(4);
	IN_CHILD
	{
		CHECK_EQ(wrong_bytes(p, 4), 0);
		fill(p, 5);
		CHECK_EQ(wrong_bytes(p, 5), 0);
	}
	CHECK_EQ(wrong_bytes(p, 4), 0);
	munmap(p, LENGTH);
}

TEST(others, "pages that a child maps as well stay")
{
	char *p;
	int go[2];

	NEEDS_SWAP();
	MUST(pipe(go) == 0);
	p = map_anon(LENGTH, PROT_READ | PROT_WRITE);
	fill(p, 6);
	pid_t pid = fork();

	MUST(pid >= 0);
	if (!pid) {
		char c;

		close(go[1]);
		_exit(read(go[0], &c, 1) == 0 ? 0 : 1);
	}
	CHECK_OK(madvise(p, LENGTH, MADV_PAGEOUT));
	CHECK_EQ(count_pages(p, PM_PRESENT), PAGES);
	close(go[0]);
	close(go[1]);
	CHECK_EQ(wait_for(pid), 0);
	munmap(p, LENGTH);
}

TEST(locked,
     "mlock brings pages in, whole and on fault alike; locked ones refuse PAGEOUT, COLD and FREE")
{
	char *p;

	NEEDS_SWAP();
	p = paged_out(7);
	CHECK_OK(mlock(p, LENGTH));
	CHECK_EQ(count_pages(p, PM_PRESENT), PAGES);
	CHECK_ERR(madvise(p, LENGTH, MADV_PAGEOUT), EINVAL);
	CHECK_ERR(madvise(p, LENGTH, MADV_COLD), EINVAL);
	CHECK_ERR(madvise(p, LENGTH, MADV_FREE), EINVAL);
	CHECK_EQ(wrong_bytes(p, 7), 0);
	CHECK_OK(munlock(p, LENGTH));
	munmap(p, LENGTH);
	p = paged_out(8);
	CHECK_OK((int)syscall(SYS_mlock2, p, LENGTH, 1));
	CHECK_EQ(count_pages(p, PM_PRESENT), 0);
	CHECK_EQ(wrong_bytes(p, 8), 0);
	CHECK_EQ(count_pages(p, PM_PRESENT), PAGES);
	CHECK_ERR(madvise(p, LENGTH, MADV_PAGEOUT), EINVAL);
	CHECK_OK(munlock(p, LENGTH));
	CHECK_OK(madvise(p, LENGTH, MADV_PAGEOUT));
	munmap(p, LENGTH);
}

TEST(incore, "mincore: pages that came back are in memory")
{
	unsigned char vec[PAGES];
	unsigned long in = 0;
	char *p;

	NEEDS_SWAP();
	p = paged_out(9);
	/* Pages in swap may be in the swap cache still, which counts as memory. */
	CHECK_OK(mincore(p, LENGTH, vec));
	CHECK_EQ(wrong_bytes(p, 9), 0);
	CHECK_OK(mincore(p, LENGTH, vec));
	for (unsigned long i = 0; i < PAGES; i++)
		in += vec[i] & 1;
	CHECK_EQ(in, PAGES);
	munmap(p, LENGTH);
}

TEST(moved, "mremap and mprotect of pages in swap")
{
	char *p, *q;

	NEEDS_SWAP();
	p = paged_out(10);
	q = mremap(p, LENGTH, 4 * LENGTH, MREMAP_MAYMOVE);
	MUST(q != MAP_FAILED);
	CHECK_OK(mprotect(q, LENGTH, PROT_READ));
	CHECK_EQ(wrong_bytes(q, 10), 0);
	CHECK_FAULT(q[0] = 1, SIGSEGV, SEGV_ACCERR, q);
	munmap(q, 4 * LENGTH);
}

TEST(dropped, "DONTNEED and munmap give the slots back")
{
	long before;
	char *p;

	NEEDS_SWAP();
	before = proc_value("/proc/self/status", "VmSwap:");
	p = paged_out(11);
	CHECK_OK(madvise(p, LENGTH / 2, MADV_DONTNEED));
	CHECK_EQ(proc_value("/proc/self/status", "VmSwap:") - before, LENGTH / 2 / 1024);
	CHECK_EQ(p[0], 0);
	munmap(p, LENGTH);
	CHECK_EQ(proc_value("/proc/self/status", "VmSwap:"), before);
}

TEST(freed, "FREE then PAGEOUT: zeroes, but for pages that were written again")
{
	char *p;

	NEEDS_SWAP();
	p = map_anon(LENGTH, PROT_READ | PROT_WRITE);
	fill(p, 12);
	CHECK_OK(madvise(p, LENGTH, MADV_FREE));
	for (unsigned long i = 0; i < PAGES; i += 2)
		p[i * PAGE] = 55;
	for (int i = 0; i < 10; i++) {
		CHECK_OK(madvise(p, LENGTH, MADV_PAGEOUT));
		sleep_ms(1);
	}
	for (unsigned long i = 0; i < PAGES; i++) {
		CHECK_EQ(p[i * PAGE], i % 2 ? 0 : 55);
		CHECK_EQ(p[i * PAGE + 1], i % 2 ? 0 : (char)((i * PAGE + 1) * 7 + i + 12));
	}
	munmap(p, LENGTH);
}

TEST(cold, "COLD changes nothing that one sees")
{
	char *p;

	NEEDS_SWAP();
	p = map_anon(LENGTH, PROT_READ | PROT_WRITE);
	fill(p, 13);
	CHECK_OK(madvise(p, LENGTH, MADV_COLD));
	CHECK_EQ(count_pages(p, PM_PRESENT), PAGES);
	CHECK_EQ(wrong_bytes(p, 13), 0);
	munmap(p, LENGTH);
}

TEST(shared_memory, "pages of shared memory go to swap and come back to all who map them")
{
	char *p, *q;
	int fd = memfd_create("shared", 0);

	NEEDS_SWAP();
	MUST(fd >= 0 && ftruncate(fd, LENGTH) == 0);
	p = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	MUST(p != MAP_FAILED);
	fill(p, 14);
	for (int i = 0; i < 10; i++) {
		CHECK_OK(madvise(p, LENGTH, MADV_PAGEOUT));
		sleep_ms(1);
	}
	CHECK_EQ(count_pages(p, PM_PRESENT), 0);
	q = mmap(NULL, LENGTH, PROT_READ, MAP_SHARED, fd, 0);
	MUST(q != MAP_FAILED);
	CHECK_EQ(wrong_bytes(q, 14), 0);
	CHECK_EQ(wrong_bytes(p, 14), 0);
	munmap(p, LENGTH);
	munmap(q, LENGTH);
	close(fd);
}

TEST_MAIN()

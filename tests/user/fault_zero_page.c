/* SPDX-License-Identifier: MIT
 *
 * Reading untouched anonymous memory costs no memory; faults are counted one a page.
 */
#include "test.h"

static long rss_kb(void)
{
	return proc_value("/proc/self/status", "VmRSS:");
}

TEST(reads_free, "reading 8 MiB of untouched memory does not raise VmRSS")
{
	char *p = map_anon(8 * MIB, RW);

	madvise(p, 8 * MIB, MADV_NOHUGEPAGE);
	long before = rss_kb();
	unsigned long sum = 0;

	for (size_t i = 0; i < 8 * MIB; i += PAGE)
		sum += load(p + i);
	CHECK_EQ(sum, 0);
	CHECK_RANGE(rss_kb() - before, 0, 512);
	munmap(p, 8 * MIB);
}

TEST(writes_cost, "writing it does")
{
	char *p = map_anon(8 * MIB, RW);

	madvise(p, 8 * MIB, MADV_NOHUGEPAGE);
	long before = rss_kb();

	for (size_t i = 0; i < 8 * MIB; i += PAGE)
		store(p + i, 1);
	/* Linux batches per-thread counters: up to 64 pages less on a kernel before 6.2. */
	CHECK_RANGE(rss_kb() - before, 8192 - 256, 8192 + 512);
	munmap(p, 8 * MIB);
}

TEST(counts, "one minor fault a page for the first write, none for the second")
{
	char *p = map_anon(64 * PAGE, RW);

	madvise(p, 64 * PAGE, MADV_NOHUGEPAGE);
	long before = minor_faults();

	for (int i = 0; i < 64; i++)
		store(p + i * PAGE, 1);
	CHECK_RANGE(minor_faults() - before, 64, 66);
	before = minor_faults();
	for (int i = 0; i < 64; i++)
		store(p + i * PAGE, 2);
	CHECK_RANGE(minor_faults() - before, 0, 2);
	munmap(p, 64 * PAGE);
}

TEST(read_then_write, "a read and a write are two faults")
{
	char *p = map_anon(32 * PAGE, RW);

	madvise(p, 32 * PAGE, MADV_NOHUGEPAGE);
	long before = minor_faults();

	for (int i = 0; i < 32; i++)
		load(p + i * PAGE);
	CHECK_RANGE(minor_faults() - before, 32, 34);
	before = minor_faults();
	for (int i = 0; i < 32; i++)
		store(p + i * PAGE, 1);
	CHECK_RANGE(minor_faults() - before, 32, 34);
	munmap(p, 32 * PAGE);
}

TEST(fresh_zero, "fresh pages are zero although dirty ones were freed just before")
{
	for (int round = 0; round < 4; round++) {
		char *p = map_anon(256 * PAGE, RW);
		int wrong = 0;

		for (size_t i = 0; i < 256 * PAGE; i += 64)
			wrong += load(p + i) != 0;
		for (size_t i = 0; i < 256 * PAGE; i += 8)
			wrong += *(unsigned long *)(p + i) != 0;
		CHECK_EQ(wrong, 0);
		memset(p, 0xa5, 256 * PAGE);
		munmap(p, 256 * PAGE);
	}
}

TEST(whole_page, "every byte of a page that was written once is zero but that one")
{
	char *p = map_anon(PAGE, RW);
	int wrong = 0;

	store(p + 1234, 1);
	for (size_t i = 0; i < PAGE; i++)
		wrong += load(p + i) != (i == 1234);
	CHECK_EQ(wrong, 0);
	munmap(p, PAGE);
}

TEST_MAIN()

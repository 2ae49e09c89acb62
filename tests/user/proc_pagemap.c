/* SPDX-License-Identifier: MIT
 *
 * /proc/self/pagemap: the bits of its entries and the rules for reading it.
 */
#include "test.h"

TEST(untouched, "untouched and unmapped pages are 0")
{
	char *p = map_anon(PAGE, RW), *hole = free_area(1);

	CHECK_EQ(pagemap_entry(p) & ~(1UL << 55), 0);
	CHECK_EQ(pagemap_entry(hole) & ~(1UL << 55), 0);
	munmap(p, PAGE);
}

TEST(anon, "a written private page: present, exclusive, not file, a frame number")
{
	char *p = map_anon(PAGE, RW);

	store(p, 1);
	uint64_t e = pagemap_entry(p);

	CHECK_EQ(e >> 61, 4); /* present; neither swapped nor file */
	CHECK(e & PAGEMAP_EXCLUSIVE);
	CHECK((e & PAGEMAP_PFN) != 0);
	MUST(!mprotect(p, PAGE, PROT_NONE));
	CHECK_EQ(pagemap_entry(p) & PAGEMAP_PFN, e & PAGEMAP_PFN);
	CHECK(pagemap_entry(p) & PAGEMAP_PRESENT);
	munmap(p, PAGE);
}

TEST(shared, "shared anonymous and file pages have bit 61")
{
	int fd = tmp_file(PAGE);
	char *s = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *f = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

	MUST(s != MAP_FAILED && f != MAP_FAILED);
	store(s, 1);
	load(f);
	CHECK(pagemap_entry(s) & PAGEMAP_FILE);
	CHECK(pagemap_entry(f) & PAGEMAP_FILE);
	munmap(s, PAGE);
	munmap(f, PAGE);
	close(fd);
}

TEST(zero, "the zero page: present, not exclusive")
{
	char *p = map_anon(PAGE, RW);

	load(p);
	uint64_t e = pagemap_entry(p);

	CHECK(e & PAGEMAP_PRESENT);
	CHECK_EQ(e & PAGEMAP_EXCLUSIVE, 0);
	munmap(p, PAGE);
}

TEST(reading,
     "offset and length must be multiples of 8; many entries at once; the end of user space is the end")
{
	char *p = map_anon(64 * PAGE, RW);
	uint64_t e[64];
	int fd = open("/proc/self/pagemap", O_RDONLY), n = 0;
	off_t at = (off_t)((unsigned long)p / PAGE * 8);

	MUST(fd >= 0);
	CHECK_ERR(pread(fd, e, 8, at + 1), EINVAL);
	CHECK_ERR(pread(fd, e, 9, at), EINVAL);
	for (int i = 0; i < 64; i += 3)
		store(p + i * PAGE, 1);
	CHECK_EQ(pread(fd, e, sizeof(e), at), sizeof(e));
	for (int i = 0; i < 64; i++)
		n += !!(e[i] & PAGEMAP_PRESENT) == (i % 3 == 0);
	CHECK_EQ(n, 64);
	CHECK_EQ(pread(fd, e, 8, (off_t)(1UL << 47) / PAGE * 8 + 8 * 4096), 0);
	close(fd);
	munmap(p, 64 * PAGE);
}

FORKED_TEST(unprivileged, "without CAP_SYS_ADMIN frame numbers are hidden, the other bits are not")
{
	char *p = map_anon(PAGE, RW);

	store(p, 1);
	MUST(!setuid(65534));
	/* Opened before the change of ids it would still be allowed. */
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t e = 0;

	/* A process that changed its ids is not dumpable: its own files belong to root. */
	if (fd < 0) {
		CHECK_EQ(errno, EACCES);
		return;
	}
	MUST(pread(fd, &e, 8, (off_t)((unsigned long)p / PAGE * 8)) == 8);
	CHECK(e & PAGEMAP_PRESENT);
	CHECK_EQ(e & PAGEMAP_PFN, 0);
}

TEST_MAIN()

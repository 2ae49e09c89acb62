/* SPDX-License-Identifier: MIT
 *
 * mincore: which pages are resident, and its errnos.
 */
#include "test.h"

TEST(anon, "anonymous: touched pages are resident, others are not")
{
	char *p = map_anon(8 * PAGE, RW);
	unsigned char vec[8];

	store(p + PAGE, 1);
	store(p + 6 * PAGE, 1);
	memset(vec, 0xff, sizeof(vec));
	CHECK_OK(mincore(p, 8 * PAGE, vec));
	for (int i = 0; i < 8; i++)
		CHECK_EQ(vec[i] & 1, i == 1 || i == 6);
	munmap(p, 8 * PAGE);
}

TEST(zero_page, "a page that maps the zero page is resident")
{
	char *p = map_anon(PAGE, RW);

	load(p);
	CHECK_EQ(resident(p, PAGE), 1);
	munmap(p, PAGE);
}

TEST(file, "file: what is in the page cache is resident even when no page table maps it")
{
	int fd = tmp_file(3 * PAGE);
	char *p = mmap(NULL, 3 * PAGE, PROT_READ, MAP_SHARED, fd, 0);

	MUST(p != MAP_FAILED);
	CHECK_EQ(resident(p, 3 * PAGE), 3);
	MUST(!ftruncate(fd, 0) && !ftruncate(fd, 3 * PAGE));
	CHECK_EQ(resident(p, 3 * PAGE), 0);
	munmap(p, 3 * PAGE);
	close(fd);
}

TEST(length_rounding, "the vector gets one byte a started page, no more")
{
	char *p = map_anon(4 * PAGE, RW);
	unsigned char vec[4] = { 0xaa, 0xaa, 0xaa, 0xaa };

	CHECK_OK(mincore(p, PAGE + 1, vec));
	CHECK_EQ(vec[0] & 1, 0);
	CHECK_EQ(vec[1] & 1, 0);
	CHECK_EQ(vec[2], 0xaa);
	munmap(p, 4 * PAGE);
}

TEST(errors, "unaligned EINVAL; hole ENOMEM; bad vector EFAULT; length 0 success")
{
	char *at = map_at(free_area(4), 4 * PAGE, RW);
	unsigned char vec[4];

	MUST(!munmap(at + 2 * PAGE, PAGE));
	CHECK_EQ(SYS(mincore, at + 1, PAGE, vec), -EINVAL);
	CHECK_EQ(SYS(mincore, at, 4 * PAGE, vec), -ENOMEM);
	CHECK_EQ(SYS(mincore, at + 2 * PAGE, PAGE, vec), -ENOMEM);
	CHECK_EQ(SYS(mincore, at, PAGE, NULL), -EFAULT);
	CHECK_EQ(SYS(mincore, at, PAGE, KERNEL_ADDRESS), -EFAULT);
	CHECK_EQ(SYS(mincore, at, 0, vec), 0);
	CHECK_EQ(SYS(mincore, KERNEL_ADDRESS, PAGE, vec), -ENOMEM);
	munmap(at, 4 * PAGE);
}

TEST(no_fault_in, "mincore itself faults nothing in")
{
	char *p = map_anon(4 * PAGE, RW);

	CHECK_EQ(resident(p, 4 * PAGE), 0);
	CHECK_EQ(resident(p, 4 * PAGE), 0);
	munmap(p, 4 * PAGE);
}

TEST(large, "64 MiB, every 100th page touched")
{
	size_t pages = 64 * MIB / PAGE;
	char *p = map_anon(64 * MIB, RW);
	static unsigned char vec[64 * MIB / PAGE];
	int wrong = 0;

	madvise(p, 64 * MIB, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < pages; i += 100)
		store(p + i * PAGE, 1);
	CHECK_OK(mincore(p, 64 * MIB, vec));
	for (size_t i = 0; i < pages; i++)
		wrong += (vec[i] & 1) != (i % 100 == 0);
	CHECK_EQ(wrong, 0);
	munmap(p, 64 * MIB);
}

TEST_MAIN()

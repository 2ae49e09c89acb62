/* SPDX-License-Identifier: MIT
 *
 * MADV_GUARD_INSTALL and MADV_GUARD_REMOVE: pages that no access may touch, without a mapping of their own. Since
 * Linux 6.13 (of files 6.15).
 */
#include "lock.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif

static long install(char *p, size_t pages)
{
	return SYS(madvise, p, pages * PAGE, MADV_GUARD_INSTALL);
}

static long take_away(char *p, size_t pages)
{
	return SYS(madvise, p, pages * PAGE, MADV_GUARD_REMOVE);
}

static void check_guard(char *p)
{
	CHECK_FAULT(load(p), SIGSEGV, SEGV_MAPERR, p);
	CHECK_FAULT(store(p, 1), SIGSEGV, SEGV_MAPERR, p);
}

FORKED_TEST(fault, "an access is SIGSEGV with SEGV_MAPERR, around it everything works")
{
	char *p = lonely_anon(4);

	fill(p, 4);
	CHECK_EQ(install(p + PAGE, 2), 0);
	check_guard(p + PAGE);
	check_guard(p + 2 * PAGE);
	CHECK_EQ(load(p), 1);
	CHECK_EQ(load(p + 3 * PAGE), 4);
	CHECK_EQ(maps_in(p, 4 * PAGE), 1);
	CHECK_EQ(rss(p, 4), 2);
}

FORKED_TEST(removal, "GUARD_REMOVE gives zeroes back, and leaves what is no guard alone")
{
	char *p = lonely_anon(4);

	fill(p, 4);
	CHECK_EQ(install(p + PAGE, 1), 0);
	CHECK_EQ(install(p + PAGE, 1), 0);
	CHECK_EQ(take_away(p, 4), 0);
	CHECK_EQ(load(p), 1);
	CHECK_EQ(load(p + PAGE), 0);
	CHECK_EQ(load(p + 2 * PAGE), 3);
	CHECK_EQ(take_away(p, 4), 0);
}

FORKED_TEST(syscalls, "a system call that touches one is EFAULT, /proc/PID/mem EIO")
{
	char *p = lonely_anon(2), c;
	int fds[2], fd = open("/proc/self/mem", O_RDONLY);

	MUST(fd >= 0 && !pipe(fds));
	fill(p, 2);
	MUST(!install(p, 1));
	CHECK_ERR(write(fds[1], p, 1), EFAULT);
	CHECK_ERR(pread(fd, &c, 1, (off_t)p), EIO);
	CHECK_EQ(pread(fd, &c, 1, (off_t)(p + PAGE)), 1);
}

FORKED_TEST(stays, "DONTNEED, mprotect, and faults nearby leave the guard where it is")
{
	char *p = lonely_anon(4);

	fill(p, 4);
	MUST(!install(p + PAGE, 1));
	CHECK_EQ(SYS(madvise, p, 4 * PAGE, MADV_DONTNEED), 0);
	CHECK_EQ(load(p), 0);
	check_guard(p + PAGE);
	MUST(!mprotect(p, 4 * PAGE, PROT_READ) && !mprotect(p, 4 * PAGE, RW));
	check_guard(p + PAGE);
	store(p, 1);
	check_guard(p + PAGE);
}

FORKED_TEST(new_mapping, "munmap and MAP_FIXED end it")
{
	char *p = lonely_anon(4);

	MUST(!install(p, 4));
	MUST(mmap(p, PAGE, RW, ANON | MAP_FIXED, -1, 0) == p);
	CHECK_EQ(load(p), 0);
	MUST(!munmap(p + PAGE, PAGE));
	map_at(p + PAGE, PAGE, RW);
	CHECK_EQ(load(p + PAGE), 0);
	check_guard(p + 2 * PAGE);
}

FORKED_TEST(moved, "mremap takes it along, fork copies it, WIPEONFORK does not")
{
	char *p = lonely_anon(2), *q = lonely_anon(2);

	store(p, 1);
	MUST(!install(p + PAGE, 1) && !install(q, 1));
	p = mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, free_area(2));
	MUST(p != MAP_FAILED);
	CHECK_EQ(load(p), 1);
	check_guard(p + PAGE);
	MUST(!madvise(q, 2 * PAGE, MADV_WIPEONFORK));
	IN_CHILD
	{
		CHECK_EQ(load(p), 1);
		check_guard(p + PAGE);
		CHECK_EQ(load(q), 0);
	}
	check_guard(q);
}

FORKED_TEST(locked, "not in a locked mapping; taken away in one it may be")
{
	char *p = lonely_anon(4);

	MUST(!install(p, 1));
	CHECK_EQ(SYS(mlock, p, 4 * PAGE), -ENOMEM);
	CHECK_STR(locks(p, 4), "LLLL");
	CHECK_EQ(install(p + PAGE, 1), -EINVAL);
	CHECK_EQ(take_away(p, 4), 0);
	CHECK_EQ(load(p), 0);
	CHECK_EQ(rss(p, 4), 0);
	CHECK_EQ(SYS(mlock, p, 4 * PAGE), 0);
	CHECK_EQ(rss(p, 4), 4);
}

FORKED_TEST(populate,
	    "MADV_POPULATE_READ and _WRITE are EFAULT at a guard, what lies before is filled")
{
	char *p = lonely_anon(4);

	MUST(!install(p + 2 * PAGE, 1));
	CHECK_EQ(SYS(madvise, p, 4 * PAGE, MADV_POPULATE_WRITE), -EFAULT);
	CHECK_EQ(rss(p, 4), 2);
	CHECK_EQ(SYS(madvise, p, 4 * PAGE, MADV_POPULATE_READ), -EFAULT);
}

FORKED_TEST(holes, "a hole in the range is ENOMEM, after the rest is done")
{
	char *p = lonely_anon(3);

	MUST(!munmap(p + PAGE, PAGE));
	CHECK_EQ(install(p, 3), -ENOMEM);
	check_guard(p);
	check_guard(p + 2 * PAGE);
	CHECK_EQ(install(p, 0), 0);
	CHECK_EQ(SYS(madvise, p + 1, PAGE, MADV_GUARD_INSTALL), -EINVAL);
}

FORKED_TEST(mincore_, "mincore says that nothing is there")
{
	char *p = lonely_anon(2);

	fill(p, 2);
	MUST(!install(p, 1));
	CHECK_EQ(resident(p, 2 * PAGE), 1);
}

FORKED_TEST(large, "a large range costs its page tables, and all of it goes with the mapping")
{
	char *p = lonely_anon(4096);

	fill(p, 4096);
	CHECK_EQ(install(p, 4096), 0);
	CHECK_EQ(rss(p, 4096), 0);
	check_guard(p + 2048 * PAGE);
	CHECK_EQ(SYS(madvise, p, 4096 * PAGE, MADV_DONTNEED), 0);
	check_guard(p + 4095 * PAGE);
	CHECK_EQ(take_away(p, 4096), 0);
	CHECK_EQ(load(p + 4095 * PAGE), 0);
}

static void check_file(int flags)
{
	int fd = tmp_file(3 * PAGE);
	char *p = lonely_file(3, RW, flags, fd);

	CHECK_EQ(load(p + PAGE), 2);
	if (install(p + PAGE, 1) == -EINVAL)
		SKIP("this Linux has guards in anonymous memory only");
	check_guard(p + PAGE);
	CHECK_EQ(resident(p, 3 * PAGE), 3);
	IN_CHILD
	{
		CHECK_EQ(load(p), 1);
		check_guard(p + PAGE);
	}
	MUST(!ftruncate(fd, PAGE) && !ftruncate(fd, 3 * PAGE));
	check_guard(p + PAGE);
	CHECK_EQ(take_away(p, 3), 0);
	CHECK_EQ(load(p + PAGE), 0);
	CHECK_EQ(load(p), 1);
}

FORKED_TEST(shared_file, "in a shared mapping of a file the file keeps its page")
{
	check_file(MAP_SHARED);
}

FORKED_TEST(private_file, "in a private mapping of a file, too")
{
	check_file(MAP_PRIVATE);
}

FORKED_TEST(pagemap, "pagemap shows a swap entry and bit 58")
{
	char *p = lonely_anon(1);

	store(p, 1);
	MUST(!install(p, 1));
	CHECK_EQ(pagemap_entry(p) & (PAGEMAP_PRESENT | 1UL << 62), 1UL << 62);
	if (!(pagemap_entry(p) & 1UL << 58))
		CHECK(!kernel_at_least(6, 15));
}

TEST_MAIN()

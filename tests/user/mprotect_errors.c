/* SPDX-License-Identifier: MIT
 *
 * The errnos of mprotect, and what a call that fails half-way has done.
 */
#include "test.h"

TEST(unaligned, "an unaligned address is EINVAL")
{
	char *at = map_anon(PAGE, RW);

	CHECK_EQ(SYS(mprotect, at + 1, PAGE, PROT_READ), -EINVAL);
	CHECK_STR(perms_at(at), "rw-p");
	munmap(at, PAGE);
}

TEST(zero_length, "length 0 is success, mapped or not")
{
	CHECK_EQ(SYS(mprotect, free_area(1), 0, PROT_READ), 0);
}

TEST(unmapped, "nothing mapped: ENOMEM")
{
	CHECK_EQ(SYS(mprotect, free_area(2), PAGE, PROT_READ), -ENOMEM);
	CHECK_EQ(SYS(mprotect, KERNEL_ADDRESS, PAGE, PROT_READ), -ENOMEM);
	CHECK_EQ(SYS(mprotect, USER_LIMIT, PAGE, PROT_READ), -ENOMEM);
}

TEST(wrap, "a range that wraps is ENOMEM")
{
	char *at = map_anon(PAGE, RW);

	CHECK_EQ(SYS(mprotect, at, -PAGE, PROT_READ), -ENOMEM);
	munmap(at, PAGE);
}

TEST(hole, "a hole is ENOMEM, after what lies before it was changed")
{
	char *at = map_at(free_area(6), 6 * PAGE, RW);

	MUST(!munmap(at + 2 * PAGE, 2 * PAGE));
	CHECK_EQ(SYS(mprotect, at, 6 * PAGE, PROT_READ), -ENOMEM);
	CHECK_STR(perms_at(at), "r--p");
	CHECK_STR(perms_at(at + 4 * PAGE), "rw-p");
	munmap(at, 6 * PAGE);
}

TEST(hole_first, "a range that starts in a hole changes nothing")
{
	char *at = free_area(4);

	map_at(at + 2 * PAGE, 2 * PAGE, RW);
	CHECK_EQ(SYS(mprotect, at, 4 * PAGE, PROT_READ), -ENOMEM);
	CHECK_STR(perms_at(at + 2 * PAGE), "rw-p");
	munmap(at + 2 * PAGE, 2 * PAGE);
}

TEST(growsdown, "PROT_GROWSDOWN and PROT_GROWSUP together, or on other areas: EINVAL")
{
	char *at = map_anon(2 * PAGE, RW);

	CHECK_EQ(SYS(mprotect, at, PAGE, PROT_READ | 0x01000000 | 0x02000000), -EINVAL);
	CHECK_EQ(SYS(mprotect, at, PAGE, PROT_READ | 0x01000000), -EINVAL);
	CHECK_EQ(SYS(mprotect, at, PAGE, PROT_READ | 0x02000000), -EINVAL);
	CHECK_EQ(SYS(mprotect, free_area(1), PAGE, PROT_READ | 0x02000000), -ENOMEM);
	munmap(at, 2 * PAGE);
}

TEST_MAIN()

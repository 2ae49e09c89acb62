/* SPDX-License-Identifier: MIT
 *
 * mlock, mlock2, munlock, mlockall, munlockall: which check comes first, how odd addresses and lengths are
 * rounded, where the range may lie.
 */
#include "lock.h"

#define ALL_BUT_ONE_PAGE (-PAGE)

FORKED_TEST(flags_first, "mlock2: an unknown flag is EINVAL before anything else is looked at")
{
	static const int bad[] = { 2, 3, 4, 0x100, -1, (int)0x80000000 };
	char *p = lonely_anon(1);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK_EQ(SYS(mlock2, p, PAGE, bad[i]), -EINVAL);
		CHECK_EQ(SYS(mlock2, p, 0, bad[i]), -EINVAL);
		CHECK_EQ(SYS(mlock2, NULL, PAGE, bad[i]), -EINVAL);
	}
	ordinary_user(0);
	CHECK_EQ(SYS(mlock2, p, PAGE, 2), -EINVAL);
	CHECK_EQ(SYS(mlock2, p, PAGE, 1), -EPERM);
	CHECK_EQ(vmlck(), 0);
}

FORKED_TEST(flags_width, "mlock2's flags are 32 bits wide: what is above is not looked at")
{
	char *p = lonely_anon(1);

	CHECK_EQ(SYS(mlock2, p, PAGE, 1UL << 32), 0);
	CHECK_STR(locks(p, 1), "L");
	CHECK_EQ(SYS(mlock2, p, PAGE, 1UL << 32 | 1), 0);
	CHECK_STR(locks(p, 1), "F");
}

FORKED_TEST(mlockall_flags, "mlockall: no flag, an unknown flag, ONFAULT alone are EINVAL")
{
	static const int bad[] = { 0, 4, 8, 1 | 8, 2 | 8, 16, -1, (int)0x80000000 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_EQ(SYS(mlockall, bad[i]), -EINVAL);
	CHECK_EQ(vmlck(), 0);
	ordinary_user(0);
	CHECK_EQ(SYS(mlockall, 4), -EINVAL);
	CHECK_EQ(SYS(mlockall, 8), -EINVAL);
}

FORKED_TEST(limit_zero, "a limit of exactly 0: every locking call is EPERM, whatever it asks for")
{
	char *p = lonely_anon(2);

	ordinary_user(0);
	CHECK_EQ(SYS(mlock, p, PAGE), -EPERM);
	CHECK_EQ(SYS(mlock, p, 0), -EPERM);
	CHECK_EQ(SYS(mlock, NULL, PAGE), -EPERM);
	CHECK_EQ(SYS(mlock, p, -1UL), -EPERM);
	CHECK_EQ(SYS(mlock2, p, 0, 0), -EPERM);
	CHECK_EQ(SYS(mlock2, p, PAGE, MLOCK_ONFAULT), -EPERM);
	CHECK_EQ(SYS(mlockall, MCL_CURRENT), -EPERM);
	CHECK_EQ(SYS(mlockall, MCL_FUTURE), -EPERM);
	CHECK_EQ(SYS(mlockall, MCL_FUTURE | MCL_ONFAULT), -EPERM);
	CHECK_STR(locks(p, 2), "UU");
}

FORKED_TEST(unlock_zero,
	    "unlocking needs no permission: with a limit of 0 it works on what was locked before")
{
	char *p = lonely_anon(3);

	MUST(!mlock(p, 3 * PAGE));
	ordinary_user(0);
	CHECK_EQ(SYS(munlock, p, PAGE), 0);
	CHECK_STR(locks(p, 3), "ULL");
	CHECK_EQ(SYS(munlock, p, 0), 0);
	CHECK_EQ(SYS(munlockall), 0);
	CHECK_STR(locks(p, 3), "UUU");
	CHECK_EQ(vmlck(), 0);
}

FORKED_TEST(root_zero, "CAP_IPC_LOCK: the limit does not matter, 0 neither")
{
	char *p = lonely_anon(2);

	set_memlock(0);
	CHECK_EQ(SYS(mlock, p, 2 * PAGE), 0);
	CHECK_EQ(SYS(mlock2, p, 2 * PAGE, 1), 0);
	CHECK_EQ(SYS(mlockall, MCL_FUTURE), 0);
	CHECK_EQ(SYS(munlockall), 0);
}

/* What a call with this offset and length does to three fresh pages. */
struct rounding {
	long offset;
	unsigned long len;
	const char *after;
};

static const struct rounding roundings[] = {
	{ 0, 0, "UUU" },
	{ 1, 0, "LUU" },
	{ 4095, 0, "LUU" },
	{ 0, 1, "LUU" },
	{ 0, 4096, "LUU" },
	{ 0, 4097, "LLU" },
	{ 1, 4095, "LUU" },
	{ 1, 4096, "LLU" },
	{ 4095, 1, "LUU" },
	{ 4095, 2, "LLU" },
	{ 4096, 1, "ULU" },
	{ 4097, 4096, "ULL" },
	{ 100, 3 * 4096 - 100, "LLL" },
	{ 8191, 4097, "ULL" },
};

FORKED_TEST(rounding_lock,
	    "mlock and mlock2 take every page that the bytes touch; p+1 with length 0 is a page")
{
	char *p = lonely_anon(3), want[4];

	for (size_t i = 0; i < sizeof(roundings) / sizeof(roundings[0]); i++) {
		const struct rounding *r = &roundings[i];

		CHECK_EQ(SYS(mlock, p + r->offset, r->len), 0);
		CHECK_STR(locks(p, 3), r->after);
		MUST(!munlockall());
		snprintf(want, sizeof(want), "%s", r->after);
		for (int j = 0; j < 3; j++)
			want[j] = want[j] == 'L' ? 'F' : 'U';
		CHECK_EQ(onfault(p + r->offset, r->len), 0);
		CHECK_STR(locks(p, 3), want);
		MUST(!munlockall());
	}
}

FORKED_TEST(rounding_unlock, "munlock rounds the same way")
{
	char *p = lonely_anon(3), want[4];

	for (size_t i = 0; i < sizeof(roundings) / sizeof(roundings[0]); i++) {
		const struct rounding *r = &roundings[i];

		MUST(!mlock(p, 3 * PAGE));
		CHECK_EQ(SYS(munlock, p + r->offset, r->len), 0);
		snprintf(want, sizeof(want), "%s", r->after);
		for (int j = 0; j < 3; j++)
			want[j] = want[j] == 'L' ? 'U' : 'L';
		CHECK_STR(locks(p, 3), want);
	}
}

FORKED_TEST(empty_anywhere,
	    "length 0 at an aligned address is success, mapped or not; p+1 in a hole is ENOMEM")
{
	char *hole = free_area(2);

	CHECK_EQ(SYS(mlock, hole, 0), 0);
	CHECK_EQ(SYS(munlock, hole, 0), 0);
	CHECK_EQ(onfault(hole, 0), 0);
	CHECK_EQ(SYS(mlock, KERNEL_ADDRESS, 0), 0);
	CHECK_EQ(SYS(mlock, hole + 1, 0), -ENOMEM);
	CHECK_EQ(SYS(munlock, hole + 1, 0), -ENOMEM);
	CHECK_EQ(onfault(hole + 1, 0), -ENOMEM);
	CHECK_EQ(vmlck(), 0);
}

static void check_wrap(char *p)
{
	/* The rounded length is 0: nothing to do. */
	CHECK_EQ(SYS(mlock, p, -1UL), 0);
	CHECK_EQ(SYS(mlock, p, -4095UL), 0);
	CHECK_EQ(SYS(mlock, p + 1, -2UL), 0);
	CHECK_EQ(onfault(p, -1UL), 0);
	CHECK_EQ(SYS(munlock, p, -1UL), 0);
	CHECK_EQ(SYS(munlock, p, -4095UL), 0);
	/* The sum wraps further: it is a length of one page again. */
	CHECK_EQ(SYS(munlock, p, ALL_BUT_ONE_PAGE), -EINVAL);
}

FORKED_TEST(wrap_root,
	    "a length whose rounding wraps to 0 is success and nothing; one page less is EINVAL")
{
	char *p = lonely_anon(2);

	check_wrap(p);
	CHECK_EQ(SYS(mlock, p, ALL_BUT_ONE_PAGE), -EINVAL);
	CHECK_EQ(onfault(p, ALL_BUT_ONE_PAGE), -EINVAL);
	CHECK_EQ(SYS(mlock, -PAGE, PAGE), -EINVAL);
	CHECK_EQ(SYS(munlock, -PAGE, PAGE), -EINVAL);
	CHECK_EQ(SYS(mlock, -1UL, 1), -EINVAL);
	CHECK_STR(locks(p, 2), "UU");
	CHECK_EQ(vmlck(), 0);
}

FORKED_TEST(wrap_user,
	    "the same for a user, but the limit is tested before the end: ENOMEM instead of EINVAL")
{
	char *p = lonely_anon(2);

	ordinary_user(16 * PAGE);
	check_wrap(p);
	CHECK_EQ(SYS(mlock, p, ALL_BUT_ONE_PAGE), -ENOMEM);
	CHECK_EQ(SYS(mlock, -PAGE, PAGE), -EINVAL);
	CHECK_EQ(SYS(mlock, -PAGE, 2 * PAGE), -EINVAL);
	CHECK_EQ(SYS(mlock, -PAGE, 17 * PAGE), -ENOMEM);
	CHECK_STR(locks(p, 2), "UU");
}

FORKED_TEST(wrap_far, "offset plus length past 2^64 starts over")
{
	char *p = lonely_anon(2);

	CHECK_EQ(SYS(mlock, p + 4095, -4095UL), 0);
	CHECK_STR(locks(p, 2), "UU");
	CHECK_EQ(SYS(mlock, p + 4095, -4094UL), 0);
	CHECK_STR(locks(p, 2), "LU");
	CHECK_EQ(SYS(munlock, p + 1, -1UL), 0);
	CHECK_STR(locks(p, 2), "LU");
	CHECK_EQ(SYS(munlock, p + 2, -1UL), 0);
	CHECK_STR(locks(p, 2), "UU");
}

FORKED_TEST(outside,
	    "where user space ends, in the kernel's half and at page 0 there is nothing: ENOMEM")
{
	static const unsigned long where[] = {
		0, USER_LIMIT, USER_LIMIT + PAGE, KERNEL_ADDRESS, NON_CANONICAL, -2 * PAGE
	};

	for (size_t i = 0; i < sizeof(where) / sizeof(where[0]); i++) {
		CHECK_EQ(SYS(mlock, where[i], PAGE), -ENOMEM);
		CHECK_EQ(SYS(mlock2, where[i], PAGE, 1), -ENOMEM);
		CHECK_EQ(SYS(munlock, where[i], PAGE), -ENOMEM);
	}
}

FORKED_TEST(below_stack,
	    "a range that starts below a MAP_GROWSDOWN area: ENOMEM, the area does not grow")
{
	char *at = free_area(8);
	char *p = mmap(at + 4 * PAGE, 4 * PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, -1, 0);

	MUST(p == at + 4 * PAGE);
	CHECK_EQ(SYS(mlock, p - PAGE, 2 * PAGE), -ENOMEM);
	CHECK_EQ(SYS(munlock, p - PAGE, 2 * PAGE), -ENOMEM);
	CHECK_STR(locks(at, 8), "----UUUU");
}

FORKED_TEST(limit_100,
	    "a limit of 100 bytes is 0 pages, but not 0: no EPERM, and nothing can be locked")
{
	char *p = lonely_anon(1);

	ordinary_user(100);
	CHECK_EQ(SYS(mlock, p, 1), -ENOMEM);
	CHECK_EQ(onfault(p, 1), -ENOMEM);
	CHECK_EQ(SYS(mlock, p, 0), 0);
	CHECK_EQ(SYS(mlockall, MCL_CURRENT), -ENOMEM);
	CHECK_EQ(SYS(mmap, NULL, PAGE, RW, ANON | MAP_LOCKED, -1, 0), -EAGAIN);
	CHECK_EQ(SYS(mlockall, MCL_FUTURE), 0);
	CHECK_EQ(SYS(mmap, NULL, PAGE, RW, ANON, -1, 0), -EAGAIN);
	CHECK_EQ(SYS(mmap, NULL, PAGE, PROT_NONE, ANON, -1, 0), -EAGAIN);
	CHECK_EQ(SYS(munlockall), 0);
	CHECK(SYS(mmap, NULL, PAGE, RW, ANON, -1, 0) > 0);
}

FORKED_TEST(limit_first, "the limit is tested before the range is looked at")
{
	char *hole = free_area(32);

	ordinary_user(16 * PAGE);
	CHECK_EQ(SYS(mlock, hole, 17 * PAGE), -ENOMEM);
	CHECK_EQ(SYS(munlock, hole, 17 * PAGE), -ENOMEM);
	CHECK_EQ(vmlck(), 0);
}

FORKED_TEST(mlockall_limit,
	    "mlockall(CURRENT) beyond the limit is ENOMEM and leaves MCL_FUTURE as it was")
{
	char *p;

	ordinary_user(16 * PAGE);
	CHECK_EQ(SYS(mlockall, MCL_FUTURE), 0);
	CHECK_EQ(SYS(mlockall, MCL_CURRENT), -ENOMEM);
	CHECK_EQ(SYS(mlockall, MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT), -ENOMEM);
	p = lonely(1, RW, ANON);
	CHECK_STR(locks(p, 1), "L");
	CHECK_EQ(SYS(munlockall), 0);
	CHECK_EQ(SYS(mlockall, MCL_CURRENT | MCL_FUTURE), -ENOMEM);
	p = lonely(1, RW, ANON);
	CHECK_STR(locks(p, 1), "U");
}

TEST_MAIN()

/* SPDX-License-Identifier: MIT
 *
 * getrandom and /dev/urandom.
 */
#include "test.h"

TEST(bytes, "32 bytes, twice different, not all equal")
{
	unsigned char a[32], b[32];
	int same = 1;

	CHECK_EQ(SYS(getrandom, a, 32, 0), 32);
	CHECK_EQ(SYS(getrandom, b, 32, 1 /* NONBLOCK */), 32);
	CHECK(memcmp(a, b, 32));
	for (int i = 1; i < 32; i++)
		same &= a[i] == a[0];
	CHECK(!same);
}

TEST(large, "1 MiB: every byte value occurs about as often")
{
	unsigned char *p = (unsigned char *)map_anon(MIB, RW);
	int n[256] = { 0 };

	size_t got = 0;

	while (got < MIB) {
		long r = SYS(getrandom, p + got, MIB - got, 0);

		MUST(r > 0);
		got += r;
	}
	for (size_t i = 0; i < MIB; i++)
		n[p[i]]++;
	for (int i = 0; i < 256; i++)
		CHECK_RANGE(n[i], 3600, 4600);
	munmap(p, MIB);
}

TEST(flags, "unknown flags EINVAL, length 0 is 0")
{
	char c;

	CHECK_EQ(SYS(getrandom, &c, 1, 0x80), -EINVAL);
	CHECK_EQ(SYS(getrandom, &c, 0, 0), 0);
}

TEST(children, "parent and child read different bytes")
{
	unsigned char *shared = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned char mine[16];

	MUST(shared != MAP_FAILED);
	IN_CHILD
	{
		CHECK_EQ(SYS(getrandom, shared, 16, 0), 16);
	}
	CHECK_EQ(SYS(getrandom, mine, 16, 0), 16);
	CHECK(memcmp(mine, shared, 16));
	munmap(shared, PAGE);
}

TEST(device, "/dev/urandom and /dev/random")
{
	char buf[64] = { 0 }, zero[64] = { 0 };
	static const char *const names[] = { "/dev/urandom", "/dev/random" };

	for (int i = 0; i < 2; i++) {
		int fd = open(names[i], O_RDWR);

		MUST(fd >= 0);
		CHECK_EQ(read(fd, buf, 64), 64);
		CHECK(memcmp(buf, zero, 64));
		CHECK_EQ(write(fd, buf, 64), 64);
		close(fd);
	}
}

TEST_MAIN()

/* SPDX-License-Identifier: MIT
 *
 * mremap with MREMAP_FIXED, MREMAP_DONTUNMAP and old size 0.
 */
#include "test.h"

#define MOVE (MREMAP_MAYMOVE | MREMAP_FIXED)

static char *filled(size_t pages)
{
	char *at = map_at(free_area(pages), pages * PAGE, RW);

	for (size_t i = 0; i < pages; i++)
		memset(at + i * PAGE, (int)i + 1, PAGE);
	return at;
}

TEST(fixed, "MREMAP_FIXED moves to the address")
{
	char *from = filled(4), *to = free_area(16);

	CHECK_EQ(SYS(mremap, from, 4 * PAGE, 4 * PAGE, MOVE, to), to);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(load(to + i * PAGE), i + 1);
	CHECK_EQ(maps_in(from, 4 * PAGE), 0);
	munmap(to, 4 * PAGE);
}

TEST(fixed_replaces, "MREMAP_FIXED unmaps what is at the destination")
{
	char *from = filled(2), *to = filled(6);

	memset(to, 99, 6 * PAGE);
	CHECK_EQ(SYS(mremap, from, 2 * PAGE, 2 * PAGE, MOVE, to + 2 * PAGE), to + 2 * PAGE);
	CHECK_EQ(load(to + PAGE), 99);
	CHECK_EQ(load(to + 2 * PAGE), 1);
	CHECK_EQ(load(to + 3 * PAGE), 2);
	CHECK_EQ(load(to + 4 * PAGE), 99);
	munmap(to, 6 * PAGE);
}

TEST(fixed_grow_shrink, "MREMAP_FIXED with another size")
{
	char *from = filled(4), *to = free_area(16);

	CHECK_EQ(SYS(mremap, from, 4 * PAGE, 6 * PAGE, MOVE, to), to);
	CHECK_EQ(load(to + 3 * PAGE), 4);
	CHECK_EQ(load(to + 5 * PAGE), 0);
	CHECK_EQ(SYS(mremap, to, 6 * PAGE, 2 * PAGE, MOVE, from), from);
	CHECK_EQ(load(from + PAGE), 2);
	CHECK_EQ(maps_in(from, 4 * PAGE), 1);
	CHECK_EQ(maps_in(to, 6 * PAGE), 0);
	munmap(from, 2 * PAGE);
}

TEST(middle_out, "moving the middle out splits the old area")
{
	char *from = filled(6), *to = free_area(16);

	CHECK_EQ(SYS(mremap, from + 2 * PAGE, 2 * PAGE, 2 * PAGE, MOVE, to), to);
	CHECK_EQ(maps_in(from, 6 * PAGE), 2);
	CHECK_EQ(load(from + PAGE), 2);
	CHECK_EQ(load(from + 4 * PAGE), 5);
	CHECK_EQ(load(to), 3);
	MUST(SYS(mremap, to, 2 * PAGE, 2 * PAGE, MOVE, from + 2 * PAGE) ==
	     (long)from + 2 * (long)PAGE);
	CHECK_EQ(maps_in(from, 6 * PAGE), 1);
	munmap(from, 6 * PAGE);
}

TEST(errors, "errors of MREMAP_FIXED: overlap, unaligned, no MAYMOVE, size 0, beyond user space")
{
	char *at = filled(4), *to = free_area(16);

	CHECK_EQ(SYS(mremap, at, 4 * PAGE, 4 * PAGE, MOVE, at + PAGE), -EINVAL);
	CHECK_EQ(SYS(mremap, at + PAGE, 2 * PAGE, 2 * PAGE, MOVE, at), -EINVAL);
	CHECK_EQ(SYS(mremap, at, PAGE, PAGE, MOVE, to + 1), -EINVAL);
	CHECK_EQ(SYS(mremap, at, PAGE, PAGE, MREMAP_FIXED, to), -EINVAL);
	CHECK_EQ(SYS(mremap, at, PAGE, 0, MOVE, to), -EINVAL);
	CHECK_EQ(SYS(mremap, at, PAGE, 2 * PAGE, MOVE, USER_LIMIT - PAGE), -EINVAL);
	CHECK_EQ(SYS(mremap, at, PAGE, PAGE, MOVE, KERNEL_ADDRESS), -EINVAL);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(load(at + i * PAGE), i + 1);
	munmap(at, 4 * PAGE);
}

TEST(general_errors, "unknown flags, unaligned address, size 0: EINVAL; unmapped: EFAULT")
{
	char *at = filled(2);

	CHECK_EQ(SYS(mremap, at, PAGE, PAGE, 8), -EINVAL);
	CHECK_EQ(SYS(mremap, at + 1, PAGE, PAGE, MREMAP_MAYMOVE), -EINVAL);
	CHECK_EQ(SYS(mremap, at, PAGE, 0, MREMAP_MAYMOVE), -EINVAL);
	CHECK_EQ(SYS(mremap, free_area(4), PAGE, 2 * PAGE, MREMAP_MAYMOVE), -EFAULT);
	CHECK_EQ(SYS(mremap, KERNEL_ADDRESS, PAGE, 2 * PAGE, MREMAP_MAYMOVE), -EFAULT);
	munmap(at, 2 * PAGE);
}

TEST(huge, "sizes that cannot be are EINVAL or ENOMEM and change nothing")
{
	char *at = filled(1);

	CHECK_EQ(SYS(mremap, at, PAGE, -1UL, MREMAP_MAYMOVE), -EINVAL);
	long r = SYS(mremap, at, PAGE, USER_LIMIT, MREMAP_MAYMOVE);

	/* ENOMEM up to 6.16, where the size was only found too large at placement. */
	CHECK(r == -ENOMEM || r == -EINVAL);
	CHECK_EQ(SYS(mremap, at, PAGE, USER_LIMIT / 2 + USER_LIMIT / 4, MREMAP_MAYMOVE), -ENOMEM);
	CHECK_EQ(load(at), 1);
	munmap(at, PAGE);
}

TEST(spanning, "growing across two areas is EFAULT")
{
	char *at = filled(4);

	MUST(!mprotect(at + 2 * PAGE, 2 * PAGE, PROT_READ));
	CHECK_EQ(SYS(mremap, at + PAGE, 2 * PAGE, 8 * PAGE, MREMAP_MAYMOVE), -EFAULT);
	munmap(at, 4 * PAGE);
}

TEST(dontunmap, "MREMAP_DONTUNMAP moves the pages and leaves an empty area")
{
	char *at = filled(4);
	char *p = (char *)SYS(mremap, at, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);

	MUST((long)p > 0);
	CHECK(p != at);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(load(p + i * PAGE), i + 1);
		CHECK_EQ(load(at + i * PAGE), 0);
	}
	CHECK_STR(perms_at(at), "rw-p");
	store(at, 7);
	CHECK_EQ(load(p), 1);
	munmap(p, 4 * PAGE);
	munmap(at, 4 * PAGE);
}

TEST(dontunmap_errors, "MREMAP_DONTUNMAP: needs MAYMOVE and the same size")
{
	char *at = filled(2);

	CHECK_EQ(SYS(mremap, at, PAGE, PAGE, MREMAP_DONTUNMAP, 0), -EINVAL);
	CHECK_EQ(SYS(mremap, at, PAGE, 2 * PAGE, MREMAP_DONTUNMAP | MREMAP_MAYMOVE, 0), -EINVAL);
	CHECK_EQ(SYS(mremap, at, 2 * PAGE, PAGE, MREMAP_DONTUNMAP | MREMAP_MAYMOVE, 0), -EINVAL);
	CHECK_EQ(load(at), 1);
	munmap(at, 2 * PAGE);
}

TEST(duplicate, "old size 0 of a shared mapping makes a second view; of a private one it is EINVAL")
{
	char *shared = mmap(NULL, 2 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	MUST(shared != MAP_FAILED);
	store(shared, 5);
	char *again = (char *)SYS(mremap, shared, 0, 2 * PAGE, MREMAP_MAYMOVE);

	MUST((long)again > 0);
	CHECK(again != shared);
	CHECK_EQ(load(again), 5);
	store(again + PAGE, 6);
	CHECK_EQ(load(shared + PAGE), 6);
	munmap(again, 2 * PAGE);
	munmap(shared, 2 * PAGE);

	char *priv = filled(1);

	CHECK_EQ(SYS(mremap, priv, 0, PAGE, MREMAP_MAYMOVE), -EINVAL);
	munmap(priv, PAGE);
}

TEST(file_offset, "a moved part of a file mapping keeps its file offset")
{
	int fd = tmp_file(4 * PAGE);
	char *at = mmap(NULL, 4 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0), *to = free_area(16);
	struct map m;

	MUST(at != MAP_FAILED);
	CHECK_EQ(SYS(mremap, at + 2 * PAGE, 2 * PAGE, 2 * PAGE, MOVE, to), to);
	MUST(map_find(to, &m));
	CHECK_EQ(m.offset, 2 * PAGE);
	CHECK_EQ(load(to + PAGE), 4);
	munmap(to, 2 * PAGE);
	munmap(at, 4 * PAGE);
	close(fd);
}

TEST(shrink_too_much, "MREMAP_FIXED from a size that reaches beyond user space is EINVAL")
{
	char *area = map_anon(8 * PAGE, RW), *at = area + 4 * PAGE;

	store(at + PAGE, 5);
	CHECK_EQ(SYS(mremap, at, USER_LIMIT, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, area), -EINVAL);
	CHECK_EQ(SYS(mremap, at, -PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, area), -EINVAL);
	CHECK_EQ(SYS(mremap, at, 0, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, area), -EINVAL);
	CHECK_EQ(load(at + PAGE), 5);
	munmap(area, 8 * PAGE);
}

TEST_MAIN()

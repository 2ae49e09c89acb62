/* SPDX-License-Identifier: MIT
 *
 * MAP_SHARED | MAP_ANONYMOUS: one object, seen by parent and child alike.
 */
#include "test.h"

#define SHANON (MAP_SHARED | MAP_ANONYMOUS)

TEST(both_ways, "parent and child see each other's writes, also to pages nobody had touched")
{
	char *p = mmap(NULL, 4 * PAGE, RW, SHANON, -1, 0);

	MUST(p != MAP_FAILED);
	store(p, 1);
	IN_CHILD
	{
		CHECK_EQ(load(p), 1);
		store(p, 2);
		store(p + PAGE, 3);
	}
	CHECK_EQ(load(p), 2);
	CHECK_EQ(load(p + PAGE), 3);
	CHECK_EQ(load(p + 2 * PAGE), 0);
	munmap(p, 4 * PAGE);
}

TEST(after_unmap, "the child's view outlives the parent's")
{
	char *p = mmap(NULL, PAGE, RW, SHANON, -1, 0);
	int go[2];
	char c;

	MUST(p != MAP_FAILED && !pipe(go));
	store(p, 7);
	pid_t pid = fork_checked();

	if (!pid) {
		MUST(read(go[0], &c, 1) == 1);
		CHECK_EQ(load(p), 7);
		child_exit();
	}
	munmap(p, PAGE);
	MUST(write(go[1], "x", 1) == 1);
	reap_checked(pid);
	close(go[0]);
	close(go[1]);
}

TEST(maps_name, "maps shows /dev/zero (deleted) and rw-s")
{
	char *p = mmap(NULL, PAGE, RW, SHANON, -1, 0);
	struct map m;

	MUST(p != MAP_FAILED && map_find(p, &m));
	CHECK_STR(m.name, "/dev/zero (deleted)");
	CHECK_STR(m.perms, "rw-s");
	munmap(p, PAGE);
}

TEST(read_first, "a first read maps a real page: a later write through another view is seen")
{
	char *p = mmap(NULL, PAGE, RW, SHANON, -1, 0);

	MUST(p != MAP_FAILED);
	CHECK_EQ(load(p), 0);
	char *q = (char *)SYS(mremap, p, 0, PAGE, MREMAP_MAYMOVE);

	MUST((long)q > 0);
	store(q, 4);
	CHECK_EQ(load(p), 4);
	munmap(p, PAGE);
	munmap(q, PAGE);
}

TEST(dev_zero, "a shared mapping of /dev/zero is the same thing; a private one too")
{
	int fd = open("/dev/zero", O_RDWR);
	char *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	char *q = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);

	MUST(fd >= 0);
	CHECK(p != MAP_FAILED && q != MAP_FAILED);
	if (p == MAP_FAILED || q == MAP_FAILED)
		return;
	IN_CHILD
	{
		store(p, 8);
		store(q, 8);
	}
	CHECK_EQ(load(p), 8);
	CHECK_EQ(load(q), 0);
	munmap(p, PAGE);
	munmap(q, PAGE);
	close(fd);
}

TEST_MAIN()

/* SPDX-License-Identifier: MIT
 *
 * Copy-on-write after fork, in both directions and over generations.
 */
#include "test.h"

TEST(child_writes, "the child's writes stay in the child")
{
	char *p = map_anon(8 * PAGE, RW);

	memset(p, 1, 8 * PAGE);
	IN_CHILD
	{
		memset(p, 2, 8 * PAGE);
		for (int i = 0; i < 8; i++)
			CHECK_EQ(load(p + i * PAGE + 17), 2);
	}
	for (int i = 0; i < 8; i++)
		CHECK_EQ(load(p + i * PAGE + 17), 1);
	munmap(p, 8 * PAGE);
}

TEST(parent_writes, "the parent's writes after fork do not reach the child")
{
	char *p = map_anon(PAGE, RW);
	int go[2];
	char c;

	MUST(!pipe(go));
	store(p, 1);
	pid_t pid = fork_checked();

	if (!pid) {
		MUST(read(go[0], &c, 1) == 1);
		CHECK_EQ(load(p), 1);
		child_exit();
	}
	store(p, 2);
	MUST(write(go[1], "x", 1) == 1);
	reap_checked(pid);
	CHECK_EQ(load(p), 2);
	munmap(p, PAGE);
	close(go[0]);
	close(go[1]);
}

TEST(kernel_writes, "a write by the kernel (read into the buffer) breaks the sharing too")
{
	char *p = map_anon(2 * PAGE, RW);
	int fd = open("/dev/zero", O_RDONLY);

	MUST(fd >= 0);
	memset(p, 5, 2 * PAGE);
	IN_CHILD
	{
		CHECK_EQ(read(fd, p + PAGE - 8, 16), 16);
		CHECK_EQ(load(p + PAGE), 0);
		CHECK_EQ(load(p + PAGE + 8), 5);
	}
	CHECK_EQ(load(p + PAGE), 5);
	CHECK_EQ(load(p + PAGE - 1), 5);
	munmap(p, 2 * PAGE);
	close(fd);
}

TEST(generations, "three generations, each its own value")
{
	char *p = map_anon(PAGE, RW);

	store(p, 1);
	IN_CHILD
	{
		store(p, 2);
		IN_CHILD
		{
			store(p, 3);
			IN_CHILD
			{
				CHECK_EQ(load(p), 3);
				store(p, 4);
			}
			CHECK_EQ(load(p), 3);
		}
		CHECK_EQ(load(p), 2);
	}
	CHECK_EQ(load(p), 1);
	munmap(p, PAGE);
}

TEST(file_private, "private file pages: the copy is inherited, the file untouched")
{
	int fd = tmp_file(2 * PAGE);
	char *p = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE, fd, 0), c;

	MUST(p != MAP_FAILED);
	store(p, 50);
	IN_CHILD
	{
		CHECK_EQ(load(p), 50);
		store(p, 60);
		store(p + PAGE, 61);
	}
	CHECK_EQ(load(p), 50);
	CHECK_EQ(load(p + PAGE), 2);
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	CHECK_EQ(c, 1);
	munmap(p, 2 * PAGE);
	close(fd);
}

TEST(mprotect_between, "mprotect to writable does not undo the sharing")
{
	char *p = map_anon(PAGE, RW);

	store(p, 1);
	IN_CHILD
	{
		MUST(!mprotect(p, PAGE, PROT_READ));
		MUST(!mprotect(p, PAGE, RW));
		store(p, 2);
	}
	CHECK_EQ(load(p), 1);
	munmap(p, PAGE);
}

TEST(mremap_between, "nor does mremap")
{
	char *p = map_anon(2 * PAGE, RW);

	memset(p, 1, 2 * PAGE);
	IN_CHILD
	{
		char *q = (char *)SYS(mremap, p, 2 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);

		MUST((long)q > 0);
		store(q, 2);
		CHECK_EQ(load(q + PAGE), 1);
	}
	CHECK_EQ(load(p), 1);
	munmap(p, 2 * PAGE);
}

TEST(many, "ten children write one page at a time")
{
	char *p = map_anon(16 * PAGE, RW);

	memset(p, 0x55, 16 * PAGE);
	for (int i = 0; i < 10; i++)
		IN_CHILD
		{
			store(p + i * PAGE, i);
			for (int j = 0; j < 16; j++)
				CHECK_EQ(load(p + j * PAGE), j == i ? i : 0x55);
		}
	for (int j = 0; j < 16; j++)
		CHECK_EQ(load(p + j * PAGE), 0x55);
	munmap(p, 16 * PAGE);
}

TEST_MAIN()

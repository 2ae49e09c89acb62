/* SPDX-License-Identifier: MIT
 *
 * Shared file mappings: mapping, read and write see one set of bytes.
 */
#include "test.h"

TEST(coherent, "mapping to file, file to mapping, mapping to mapping")
{
	int fd = tmp_file(2 * PAGE);
	char *p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);
	char *q = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE), c;

	MUST(p != MAP_FAILED && q != MAP_FAILED);
	store(p + PAGE + 7, 'm');
	CHECK_EQ(pread(fd, &c, 1, PAGE + 7), 1);
	CHECK_EQ(c, 'm');
	CHECK_EQ(load(q + 7), 'm');
	MUST(pwrite(fd, "w", 1, PAGE + 8) == 1);
	CHECK_EQ(load(p + PAGE + 8), 'w');
	CHECK_EQ(load(q + 8), 'w');
	munmap(p, 2 * PAGE);
	munmap(q, PAGE);
	close(fd);
}

TEST(processes, "a child's write is seen by the parent and in the file")
{
	int fd = tmp_file(PAGE);
	char *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0), c;

	MUST(p != MAP_FAILED);
	IN_CHILD
	{
		store(p, 'c');
	}
	CHECK_EQ(load(p), 'c');
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	CHECK_EQ(c, 'c');
	munmap(p, PAGE);
	close(fd);
}

TEST(not_extended, "a write into the last page behind the end does not extend the file")
{
	int fd = tmp_file(100);
	char *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	struct stat st;

	MUST(p != MAP_FAILED);
	CHECK_EQ(load(p + 100), 0);
	store(p + 200, 'x');
	MUST(!fstat(fd, &st));
	CHECK_EQ(st.st_size, 100);
	munmap(p, PAGE);
	close(fd);
}

TEST(sparse, "reading a hole through a mapping is zero and a later write to it is seen")
{
	int fd = tmp_file(0);

	MUST(!ftruncate(fd, 8 * PAGE));
	char *p = mmap(NULL, 8 * PAGE, RW, MAP_SHARED, fd, 0);

	MUST(p != MAP_FAILED);
	CHECK_EQ(load(p + 3 * PAGE), 0);
	MUST(pwrite(fd, "s", 1, 3 * PAGE) == 1);
	CHECK_EQ(load(p + 3 * PAGE), 's');
	store(p + 5 * PAGE, 't');
	char c = 0;

	CHECK_EQ(pread(fd, &c, 1, 5 * PAGE), 1);
	CHECK_EQ(c, 't');
	munmap(p, 8 * PAGE);
	close(fd);
}

TEST(unmap_keeps, "what was written stays in the file after munmap")
{
	int fd = tmp_file(4 * PAGE);
	char *p = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);
	static char page[PAGE];

	MUST(p != MAP_FAILED);
	memset(p, 'u', 4 * PAGE);
	munmap(p, 4 * PAGE);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(pread(fd, page, PAGE, i * PAGE), PAGE);
		CHECK_EQ(page[0], 'u');
		CHECK_EQ(page[PAGE - 1], 'u');
	}
	close(fd);
}

TEST(self_copy, "write() from a mapping of the same file into the file, read() back into it")
{
	int fd = tmp_file(4 * PAGE);
	char *p = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);

	MUST(p != MAP_FAILED);
	CHECK_EQ(pwrite(fd, p, PAGE, 2 * PAGE), PAGE);
	CHECK_EQ(load(p + 2 * PAGE), 1);
	CHECK_EQ(pread(fd, p + PAGE, PAGE, 3 * PAGE), PAGE);
	CHECK_EQ(load(p + PAGE), 4);
	CHECK_EQ(pwrite(fd, p, 2 * PAGE, PAGE), 2 * PAGE);
	munmap(p, 4 * PAGE);
	close(fd);
}

TEST_MAIN()

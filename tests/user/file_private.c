/* SPDX-License-Identifier: MIT
 *
 * Private file mappings.
 */
#include "test.h"

TEST(reads, "reads come from the file")
{
	int fd = tmp_file(20 * PAGE);
	char *p = mmap(NULL, 20 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

	MUST(p != MAP_FAILED);
	for (int i = 19; i >= 0; i--)
		CHECK_EQ(load(p + i * PAGE + i), i + 1);
	munmap(p, 20 * PAGE);
	close(fd);
}

TEST(writes_stay, "writes do not reach the file, nor another mapping")
{
	int fd = tmp_file(2 * PAGE);
	char *p = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE, fd, 0);
	char *q = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE, fd, 0), c;

	MUST(p != MAP_FAILED && q != MAP_FAILED);
	store(p, 9);
	CHECK_EQ(load(p + 1), 1);
	CHECK_EQ(load(q), 1);
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	CHECK_EQ(c, 1);
	munmap(p, 2 * PAGE);
	munmap(q, 2 * PAGE);
	close(fd);
}

TEST(file_changes, "a page not yet written follows the file, a written one does not")
{
	int fd = tmp_file(2 * PAGE);
	char *p = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE, fd, 0);

	MUST(p != MAP_FAILED);
	load(p);
	store(p + PAGE, 50);
	MUST(pwrite(fd, "A", 1, 0) == 1 && pwrite(fd, "B", 1, PAGE) == 1);
	CHECK_EQ(load(p), 'A');
	CHECK_EQ(load(p + PAGE), 50);
	munmap(p, 2 * PAGE);
	close(fd);
}

TEST(read_then_write, "a write after a read copies what was read")
{
	int fd = tmp_file(PAGE);
	char *p = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);

	MUST(p != MAP_FAILED);
	CHECK_EQ(load(p + 100), 1);
	store(p + 100, 2);
	CHECK_EQ(load(p + 99), 1);
	CHECK_EQ(load(p + 100), 2);
	CHECK_EQ(load(p + PAGE - 1), 1);
	munmap(p, PAGE);
	close(fd);
}

TEST(offset, "an offset")
{
	int fd = tmp_file(6 * PAGE);
	char *p = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 3 * PAGE);

	MUST(p != MAP_FAILED);
	CHECK_EQ(load(p), 4);
	CHECK_EQ(load(p + PAGE), 5);
	munmap(p, 2 * PAGE);
	close(fd);
}

TEST(fd_closed, "the mapping outlives the descriptor and the name")
{
	int fd = tmp_file(2 * PAGE);
	char *p = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

	MUST(p != MAP_FAILED);
	close(fd);
	CHECK_EQ(load(p + PAGE), 2);
	munmap(p, 2 * PAGE);
}

TEST(fault_around, "reading 64 cached pages in order takes far fewer than 64 faults")
{
	int fd = tmp_file(64 * PAGE);
	char *p = mmap(NULL, 64 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	long before = minor_faults();

	MUST(p != MAP_FAILED);
	for (int i = 0; i < 64; i++)
		load(p + i * PAGE);
	CHECK_RANGE(minor_faults() - before, 1, 10);
	munmap(p, 64 * PAGE);
	close(fd);
}

TEST(exec_mapping, "code in a file mapping runs")
{
	int fd = tmp_file(PAGE);
	static const unsigned char ret = RET_INSTRUCTION;

	MUST(pwrite(fd, &ret, 1, 16) == 1);
	char *p = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);

	MUST(p != MAP_FAILED);
	CHECK_NO_FAULT(jump_to(p + 16));
	munmap(p, PAGE);
	close(fd);
}

TEST_MAIN()

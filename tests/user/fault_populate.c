/* SPDX-License-Identifier: MIT
 *
 * MAP_POPULATE.
 */
#include "test.h"

static char *populate(size_t len, int prot, int flags, int fd)
{
	char *p = mmap(NULL, len, prot, flags | MAP_POPULATE, fd, 0);

	MUST(p != MAP_FAILED);
	return p;
}

TEST(anon, "anonymous: all resident, no fault on write")
{
	char *p = populate(64 * PAGE, RW, ANON, -1);

	CHECK_EQ(resident(p, 64 * PAGE), 64);
	long before = minor_faults();

	memset(p, 1, 64 * PAGE);
	CHECK_RANGE(minor_faults() - before, 0, 2);
	munmap(p, 64 * PAGE);
}

TEST(read_only, "read-only anonymous: zero page, RSS stays")
{
	long before = proc_value("/proc/self/status", "RssAnon:");
	char *p = populate(256 * PAGE, PROT_READ, ANON, -1);

	CHECK_RANGE(proc_value("/proc/self/status", "RssAnon:") - before, 0, 256);
	CHECK_EQ(resident(p, 256 * PAGE), 256);
	munmap(p, 256 * PAGE);
}

TEST(none, "PROT_NONE: nothing happens")
{
	char *p = populate(8 * PAGE, PROT_NONE, ANON, -1);

	CHECK_EQ(resident(p, 8 * PAGE), 0);
	munmap(p, 8 * PAGE);
}

TEST(nonblock, "MAP_NONBLOCK with it: nothing happens")
{
	char *p = populate(8 * PAGE, RW, ANON | MAP_NONBLOCK, -1);

	CHECK_EQ(resident(p, 8 * PAGE), 0);
	munmap(p, 8 * PAGE);
}

TEST(past_eof, "beyond the end of a file: success, what exists is mapped")
{
	int fd = tmp_file(2 * PAGE);
	char *p = populate(4 * PAGE, PROT_READ, MAP_SHARED, fd);

	CHECK_EQ(load(p + PAGE), 2);
	CHECK_FAULT(load(p + 2 * PAGE), SIGBUS, BUS_ADRERR, p + 2 * PAGE);
	munmap(p, 4 * PAGE);
	close(fd);
}

TEST(private_file, "a private writable file mapping is populated with copies")
{
	int fd = tmp_file(8 * PAGE);
	long before = proc_value("/proc/self/status", "RssAnon:");
	char *p = populate(8 * PAGE, RW, MAP_PRIVATE, fd), c;

	CHECK_RANGE(proc_value("/proc/self/status", "RssAnon:") - before, 0, 64);
	long faults = minor_faults();

	for (int i = 0; i < 8; i++)
		store(p + i * PAGE, 99);
	CHECK_RANGE(minor_faults() - faults, 0, 2);
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	CHECK_EQ(c, 1);
	munmap(p, 8 * PAGE);
	close(fd);
}

TEST(shared_file, "a shared file mapping: no read fault afterwards")
{
	int fd = tmp_file(64 * PAGE);
	char *p = populate(64 * PAGE, RW, MAP_SHARED, fd);
	long before = minor_faults();

	for (int i = 0; i < 64; i++)
		CHECK_EQ(load(p + i * PAGE), i + 1);
	CHECK_RANGE(minor_faults() - before, 0, 2);
	munmap(p, 64 * PAGE);
	close(fd);
}

TEST(gives_way, "while one process populates, another gets to run")
{
	volatile unsigned long *count = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned long before;
	pid_t other;
	char *p;

	MUST((void *)count != MAP_FAILED);
	other = fork_checked();
	if (!other)
		for (;;)
			++*count;
	while (!*count)
		sleep_ms(1);
	before = *count;
	p = mmap(NULL, 64 * MIB, RW, ANON | MAP_POPULATE, -1, 0);
	CHECK(p != MAP_FAILED);
	CHECK(*count != before);
	kill(other, SIGKILL);
	wait_for(other);
	munmap(p, 64 * MIB);
	munmap((void *)count, PAGE);
}

TEST_MAIN()

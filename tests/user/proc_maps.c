/* SPDX-License-Identifier: MIT
 *
 * /proc/self/maps, byte for byte; also read in small pieces.
 */
#include "test.h"

static char *line_at(const void *addr)
{
	char want[32], *text = slurp("/proc/self/maps"), *at;

	MUST(text);
	snprintf(want, sizeof(want), "%lx-", (unsigned long)addr);
	at = !strncmp(text, want, strlen(want)) ? text : NULL;
	if (!at) {
		snprintf(want, sizeof(want), "\n%lx-", (unsigned long)addr);
		at = strstr(text, want);
		if (!at)
			return NULL;
		at++;
	}
	if (strchr(at, '\n'))
		*strchr(at, '\n') = 0;
	return at;
}

TEST(anonymous, "an anonymous line ends with a space after inode 0")
{
	char *p = map_at(free_area(2), 2 * PAGE, RW), want[128];

	snprintf(want, sizeof(want), "%lx-%lx rw-p 00000000 00:00 0 ", (unsigned long)p,
		 (unsigned long)p + 2 * PAGE);
	CHECK_STR(line_at(p), want);
	MUST(!mprotect(p, 2 * PAGE, PROT_NONE));
	snprintf(want, sizeof(want), "%lx-%lx ---p 00000000 00:00 0 ", (unsigned long)p,
		 (unsigned long)p + 2 * PAGE);
	CHECK_STR(line_at(p), want);
	munmap(p, 2 * PAGE);
}

TEST(file, "a file line: offset, device, inode, name from column 73 on")
{
	char *path = scratch("mapped"), want[512];
	struct stat st;

	write_file(path, "x", 1, 0644);
	int fd = open(path, O_RDWR);

	MUST(fd >= 0 && !ftruncate(fd, 4 * PAGE) && !fstat(fd, &st));
	char *p = mmap(free_area(2), 2 * PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 2 * PAGE);

	MUST(p != MAP_FAILED);
	int n = snprintf(want, sizeof(want), "%lx-%lx r-xs 00002000 %02x:%02x %lu",
			 (unsigned long)p, (unsigned long)p + 2 * PAGE,
			 (unsigned int)(st.st_dev >> 8), (unsigned int)(st.st_dev & 0xff),
			 (unsigned long)st.st_ino);

	snprintf(want + n, sizeof(want) - n, "%*s%s", 73 - n, "", path);
	CHECK_STR(line_at(p), want);
	MUST(!unlink(path));
	strcat(want, " (deleted)");
	CHECK_STR(line_at(p), want);
	munmap(p, 2 * PAGE);
	close(fd);
}

TEST(escaped, "a newline in a name is \\012")
{
	char *path = scratch("two\nlines");

	write_file(path, "x", 1, 0644);
	int fd = open(path, O_RDONLY);
	char *p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

	MUST(p != MAP_FAILED);
	char *line = line_at(p);

	CHECK(line && strstr(line, "two\\012lines"));
	munmap(p, PAGE);
	close(fd);
	unlink(path);
}

TEST(sorted, "ascending, not overlapping, the program itself and the stack among them")
{
	char *text = slurp("/proc/self/maps"), exe[256];
	unsigned long last = 0;
	int stacks = 0, self = 0;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	struct map m;

	MUST(text && n > 0);
	exe[n] = 0;
	while (map_next(&text, &m)) {
		CHECK(m.start < m.end);
		/* The vsyscall page, where there is one, lies beyond user space. */
		CHECK(m.start >= last);
		last = m.end;
		stacks += !strcmp(m.name, "[stack]");
		self += !strcmp(m.name, exe);
	}
	CHECK_EQ(stacks, 1);
	CHECK(self >= 2);
}

TEST(pieces, "read in pieces of 1000 bytes it is the same text")
{
	static char pieces[64 * 1024];
	char *area[40];
	int fd = open("/proc/self/maps", O_RDONLY);
	size_t at = 0;
	ssize_t n;

	for (int i = 0; i < 40; i++) {
		area[i] = map_anon(2 * PAGE, PROT_NONE);
		mprotect(area[i], PAGE, PROT_READ);
	}
	while ((n = read(fd, pieces + at, 1000)) > 0)
		at += n;
	pieces[at] = 0;
	close(fd);
	CHECK_STR(slurp("/proc/self/maps"), pieces);
	for (int i = 0; i < 40; i++)
		munmap(area[i], 2 * PAGE);
}

TEST(other, "another process's maps can be read, a zombie's is empty")
{
	char path[64];
	siginfo_t si;
	pid_t pid = fork_checked();

	if (!pid)
		_exit(0);
	MUST(!waitid(P_PID, pid, &si, WEXITED | WNOWAIT));
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	char *text = slurp(path);

	CHECK(text && !*text);
	wait_for(pid);
	CHECK(!slurp(path));
	pid = fork_checked();
	if (!pid)
		for (;;)
			pause();
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	text = slurp(path);
	CHECK(text && strstr(text, "[stack]\n"));
	kill(pid, SIGKILL);
	wait_for(pid);
}

TEST_MAIN()

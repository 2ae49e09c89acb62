/* SPDX-License-Identifier: MIT
 *
 * vm.max_map_count: with that many mappings mmap and splits are ENOMEM; munmap and merging still work.
 */
#include "test.h"

static long limit_was;

static void set_limit(long n)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%ld\n", n);
	int fd = open("/proc/sys/vm/max_map_count", O_WRONLY);

	MUST(fd >= 0);
	MUST(write(fd, text, len) == len);
	close(fd);
}

/*
 * The limit is the machine's, not the process's. To leave the rest of the machine alone it is not
 * lowered: one child makes mappings until the limit that is there, which the default allows quickly.
 */
static char *fill(long pages)
{
	char *p = mmap(NULL, pages * PAGE, PROT_READ, ANON | MAP_NORESERVE, -1, 0);

	MUST(p != MAP_FAILED);
	return p;
}

FORKED_TEST(
	full,
	"at the limit: mmap, splitting munmap, mprotect, mremap fail; what needs no new area works")
{
	limit_was = proc_value("/proc/sys/vm/max_map_count", "");
	MUST(limit_was > 0);
	if (limit_was > 70000)
		SKIP("vm.max_map_count is raised here");
	char *p = fill(limit_was + 16);
	long i, r = 0;

	/* Each step makes two areas more out of one. */
	for (i = 1; i < limit_was + 16; i += 2) {
		r = SYS(mprotect, p + i * PAGE, PAGE, PROT_NONE);
		if (r)
			break;
	}
	CHECK_EQ(r, -ENOMEM);
	CHECK_RANGE(i, limit_was - 80, limit_was + 8);
	long count = maps_in(p, limit_was * PAGE);

	CHECK(count <= limit_was + 1);
	/* Mappings of another kind fill up to the limit itself. */
	for (int j = 0; j < 4; j++)
		r = SYS(mmap, 0, PAGE, j & 1 ? RW : PROT_READ | PROT_EXEC,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK_EQ(r, -ENOMEM);
	/* The tail of the filled range is one area of many pages: its middle cannot be cut out... */
	MUST(limit_was + 16 - i > 8);
	CHECK_EQ(SYS(munmap, p + (i + 4) * PAGE, PAGE), -ENOMEM);
	/* ...but an end can, and so can whole areas. */
	CHECK_EQ(SYS(munmap, p + (limit_was + 15) * PAGE, PAGE), 0);
	CHECK_EQ(SYS(munmap, p + PAGE, PAGE), 0);
	CHECK(SYS(mmap, 0, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0) > 0);
	/* One area again. */
	CHECK_EQ(SYS(mprotect, p + 2 * PAGE, (i - 3) * PAGE, PROT_READ), 0);
	CHECK_RANGE(maps_in(p + 2 * PAGE, (i - 3) * PAGE), 1, 2);
}

TEST(sysctl, "the entry can be written and read back")
{
	long was = proc_value("/proc/sys/vm/max_map_count", "");

	set_limit(was + 1);
	CHECK_EQ(proc_value("/proc/sys/vm/max_map_count", ""), was + 1);
	set_limit(was);
	CHECK_EQ(proc_value("/proc/sys/vm/max_map_count", ""), was);
}

TEST_MAIN()

/* SPDX-License-Identifier: MIT
 *
 * /proc/self/smaps: the order of its lines, their format, and what the counts mean.
 */
#include "test.h"

/* The block of the mapping at addr, from its header line on. */
static char *block_at(const void *addr)
{
	char want[32], *text = slurp("/proc/self/smaps"), *at;

	MUST(text);
	snprintf(want, sizeof(want), "\n%lx-", (unsigned long)addr);
	at = strstr(text, want);
	return at ? at + 1 : text;
}

static long field(const void *addr, const char *label)
{
	char *block = block_at(addr), want[40], *at;

	snprintf(want, sizeof(want), "\n%s:", label);
	at = strstr(block, want);
	return at ? strtol(at + strlen(want), NULL, 10) : -1;
}

TEST(order, "labels in order, values right-aligned in 8 columns behind 16, kB")
{
	/* KSM and ProtectionKey lines appear on some kernels and CPUs only. */
	static const char *const order[] = {
		"Size:",	  "KernelPageSize:", "MMUPageSize:",	 "Rss:",
		"Pss:",		  "Pss_Dirty:",	     "Shared_Clean:",	 "Shared_Dirty:",
		"Private_Clean:", "Private_Dirty:",  "Referenced:",	 "Anonymous:",
		"KSM:",		  "LazyFree:",	     "AnonHugePages:",	 "ShmemPmdMapped:",
		"FilePmdMapped:", "Shared_Hugetlb:", "Private_Hugetlb:", "Swap:",
		"SwapPss:",	  "Locked:",	     "THPeligible:",	 "ProtectionKey:",
		"VmFlags:",
	};
	char *p = map_at(free_area(4), 4 * PAGE, RW);

	store(p, 1);
	char *line = block_at(p);
	unsigned int at = 0, seen = 0;

	line = strchr(line, '\n') + 1;
	while (at < sizeof(order) / sizeof(*order) && line && *line) {
		char *next = strchr(line, '\n');
		size_t len = strlen(order[at]);

		if (strncmp(line, order[at], len)) {
			if (strcmp(order[at], "KSM:") && strcmp(order[at], "ProtectionKey:"))
				FAIL("%s missing or not in order at \"%.30s\"", order[at], line);
			at++;
			continue;
		}
		if (strcmp(order[at], "VmFlags:") && strcmp(order[at], "THPeligible:") &&
		    strcmp(order[at], "ProtectionKey:")) {
			char want[64];
			long value = strtol(line + len, NULL, 10);

			snprintf(want, sizeof(want), "%-16s%8ld kB\n", order[at], value);
			CHECK(!strncmp(line, want, strlen(want)));
		}
		seen++;
		at++;
		line = next ? next + 1 : NULL;
	}
	CHECK(seen >= 23);
	munmap(p, 4 * PAGE);
}

TEST(counts, "Size, Rss, Pss, Private_Dirty, Anonymous, Referenced of private memory")
{
	char *p = map_at(free_area(8), 8 * PAGE, RW);

	store(p, 1);
	store(p + PAGE, 1);
	load(p + 2 * PAGE); /* the zero page does not count */
	CHECK_EQ(field(p, "Size"), 32);
	CHECK_EQ(field(p, "KernelPageSize"), 4);
	CHECK_EQ(field(p, "MMUPageSize"), 4);
	CHECK_EQ(field(p, "Rss"), 8);
	CHECK_EQ(field(p, "Pss"), 8);
	CHECK_EQ(field(p, "Private_Dirty"), 8);
	CHECK_EQ(field(p, "Shared_Dirty"), 0);
	CHECK_EQ(field(p, "Anonymous"), 8);
	CHECK_EQ(field(p, "Referenced"), 8);
	CHECK_EQ(field(p, "Swap"), 0);
	CHECK_EQ(field(p, "Locked"), 0);
	munmap(p, 8 * PAGE);
}

TEST(shared, "after fork the pages are shared: half of them to each one's Pss")
{
	char *p = map_at(free_area(4), 4 * PAGE, RW);

	memset(p, 1, 4 * PAGE);
	IN_CHILD
	{
		CHECK_EQ(field(p, "Rss"), 16);
		CHECK_EQ(field(p, "Pss"), 8);
		CHECK_EQ(field(p, "Shared_Dirty"), 16);
		store(p, 2);
		CHECK_EQ(field(p, "Shared_Dirty"), 12);
		CHECK_EQ(field(p, "Private_Dirty"), 4);
	}
	CHECK_EQ(field(p, "Private_Dirty"), 16);
	munmap(p, 4 * PAGE);
}

TEST(flags, "VmFlags: letters in ascending bit order, each followed by a space")
{
	char *p = map_at(free_area(2), 2 * PAGE, RW);
	char *line = strstr(block_at(p), "\nVmFlags:");

	MUST(line);
	line++;
	*strchr(line, '\n') = 0;
	/* "ac" (counted as committed), then perhaps "sd" (soft-dirty) or what a kernel adds later. */
	CHECK(!strncmp(line, "VmFlags: rd wr mr mw me ac ", 27));
	CHECK(!strstr(line, "lo"));
	CHECK_EQ(line[strlen(line) - 1], ' ');
	MUST(!madvise(p, 2 * PAGE, MADV_DONTFORK) && !madvise(p, 2 * PAGE, MADV_RANDOM));
	line = strstr(block_at(p), "\nVmFlags:");
	MUST(line);
	CHECK(!strncmp(line, "\nVmFlags: rd wr mr mw me rr dc ac ", 34));
	munmap(p, 2 * PAGE);
}

TEST(file, "a file mapping: clean pages, no Anonymous")
{
	int fd = tmp_file(4 * PAGE);
	char *p = mmap(free_area(4), 4 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

	MUST(p != MAP_FAILED);
	load(p);
	CHECK(field(p, "Rss") >= 4);
	CHECK_EQ(field(p, "Anonymous"), 0);
	munmap(p, 4 * PAGE);
	close(fd);
}

TEST(lazyfree, "LazyFree: what MADV_FREE gave away, until it is written again")
{
	enum { PAGES = 512 };
	char *p = map_at(free_area(PAGES), PAGES * PAGE, RW);
	long lazy;

	MUST(!madvise(p, PAGES * PAGE, MADV_NOHUGEPAGE) || errno == EINVAL);
	memset(p, 1, PAGES * PAGE);
	CHECK_EQ(field(p, "LazyFree"), 0);
	MUST(!madvise(p, PAGES * PAGE, MADV_FREE));
	/* Linux's CPUs put off some of it. */
	lazy = field(p, "LazyFree");
	CHECK(lazy > PAGES * 2 && lazy <= PAGES * 4);
	CHECK_EQ(field(p, "Anonymous"), PAGES * 4);
	memset(p, 2, PAGES * PAGE);
	CHECK_EQ(field(p, "LazyFree"), 0);
	munmap(p, PAGES * PAGE);
}

TEST(short_reads, "a large buffer does not get the whole of a long file at once, but whole records")
{
	enum { PAGES = 200, SIZE = 1 << 20 };
	char *p = map_at(free_area(PAGES), PAGES * PAGE, RW), *buf = malloc(SIZE);
	int fd = open("/proc/self/smaps", O_RDONLY);
	ssize_t n, total = 0;

	for (int i = 0; i < PAGES; i += 2)
		MUST(!mprotect(p + i * PAGE, PAGE, PROT_READ));
	n = read(fd, buf, SIZE - 1);
	MUST(n > 0);
	CHECK(n < PAGES * 512);
	CHECK_EQ(buf[n - 1], '\n');
	buf[n] = 0;
	CHECK(strstr(buf, "VmFlags:"));
	for (; n > 0; n = read(fd, buf, SIZE))
		total += n;
	CHECK(total > PAGES * 512);
	close(fd);
	free(buf);
	munmap(p, PAGES * PAGE);
}

TEST_MAIN()

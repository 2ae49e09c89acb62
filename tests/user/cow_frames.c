/* SPDX-License-Identifier: MIT
 *
 * Copy-on-write seen in frame numbers (/proc/self/pagemap): who copies, who keeps the page.
 */
#include "test.h"

TEST(shared_after_fork, "after fork both map the same frame")
{
	char *p = map_anon(PAGE, RW);

	store(p, 1);
	uint64_t frame = pfn_of(p);

	CHECK(frame != 0);
	IN_CHILD
	{
		CHECK_EQ(pfn_of(p), frame);
		CHECK_EQ(pagemap_entry(p) & PAGEMAP_EXCLUSIVE, 0);
	}
	CHECK_EQ(pfn_of(p), frame);
	munmap(p, PAGE);
}

TEST(child_copies, "a write in the child gives the child a new frame and leaves the parent's")
{
	char *p = map_anon(PAGE, RW);

	store(p, 1);
	uint64_t frame = pfn_of(p);

	IN_CHILD
	{
		store(p, 2);
		CHECK(pfn_of(p) != frame && pfn_of(p) != 0);
	}
	CHECK_EQ(pfn_of(p), frame);
	munmap(p, PAGE);
}

TEST(parent_copies,
     "a write in the parent while the child maps the page gives the parent a new frame")
{
	char *p = map_anon(PAGE, RW);
	int go[2];
	char c;

	MUST(!pipe(go));
	store(p, 1);
	uint64_t frame = pfn_of(p);
	pid_t pid = fork_checked();

	if (!pid) {
		MUST(read(go[0], &c, 1) == 1);
		CHECK_EQ(pfn_of(p), frame);
		child_exit();
	}
	store(p, 2);
	CHECK(pfn_of(p) != frame);
	MUST(write(go[1], "x", 1) == 1);
	reap_checked(pid);
	munmap(p, PAGE);
	close(go[0]);
	close(go[1]);
}

TEST(reuse_after_exit, "when the child is gone the parent's write keeps the frame: one minor fault")
{
	char *p = map_anon(PAGE, RW);

	store(p, 1);
	uint64_t frame = pfn_of(p);

	IN_CHILD
	{
		CHECK_EQ(load(p), 1);
	}
	long before = minor_faults();

	store(p, 2);
	CHECK_RANGE(minor_faults() - before, 1, 2);
	CHECK_EQ(pfn_of(p), frame);
	munmap(p, PAGE);
}

/* A page that waits for its LRU list on another CPU has a reference there, and Linux copies it. */
static void stay_on_one_cpu(void)
{
	unsigned long mask = 1;

	MUST(!SYS(sched_setaffinity, 0, sizeof(mask), &mask));
}

TEST(reuse_after_copy, "when the child copied, the parent's write keeps the frame")
{
	char *p;
	int ready[2], go[2];
	char c;

	stay_on_one_cpu();
	p = map_anon(PAGE, RW);
	MUST(!pipe(ready) && !pipe(go));
	store(p, 1);
	uint64_t frame = pfn_of(p);
	pid_t pid = fork_checked();

	if (!pid) {
		store(p, 2);
		MUST(write(ready[1], "x", 1) == 1);
		MUST(read(go[0], &c, 1) == 1);
		CHECK_EQ(load(p), 2);
		child_exit();
	}
	MUST(read(ready[0], &c, 1) == 1);
	store(p, 3);
	CHECK_EQ(pfn_of(p), frame);
	MUST(write(go[1], "x", 1) == 1);
	reap_checked(pid);
	munmap(p, PAGE);
	close(ready[0]);
	close(ready[1]);
	close(go[0]);
	close(go[1]);
}

TEST(zero_page, "first reads map one and the same zero frame; a write gives an own one")
{
	char *p = map_anon(3 * PAGE, RW);

	load(p);
	load(p + PAGE);
	CHECK(pfn_of(p) != 0);
	CHECK_EQ(pfn_of(p), pfn_of(p + PAGE));
	store(p, 1);
	CHECK(pfn_of(p) != pfn_of(p + PAGE));
	CHECK_EQ(pfn_of(p + 2 * PAGE), 0);
	munmap(p, 3 * PAGE);
}

TEST(shared_file, "two views of a file map the same frame; a private one until it writes")
{
	int fd = tmp_file(PAGE);
	char *a = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0),
	     *b = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);

	MUST(a != MAP_FAILED && b != MAP_FAILED);
	load(a);
	load(b);
	CHECK(pfn_of(a) != 0);
	CHECK_EQ(pfn_of(a), pfn_of(b));
	store(b, 3);
	CHECK(pfn_of(a) != pfn_of(b));
	munmap(a, PAGE);
	munmap(b, PAGE);
	close(fd);
}

TEST(mremap_keeps, "mremap moves the frame, it does not copy")
{
	char *p = map_anon(2 * PAGE, RW);

	store(p, 1);
	uint64_t frame = pfn_of(p);
	char *q = (char *)SYS(mremap, p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			      free_area(8));

	MUST((long)q > 0);
	CHECK_EQ(pfn_of(q), frame);
	munmap(q, 2 * PAGE);
}

TEST_MAIN()

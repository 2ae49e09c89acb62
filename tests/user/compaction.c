/* SPDX-License-Identifier: MIT
 *
 * Compaction: memory of which every second page is in use has large free blocks again when compact_memory was written;
 * who uses the pages notices nothing but other frame numbers. Locked pages move as well, unless
 * compact_unevictable_allowed says no, and are locked all the time.
 */
#include "blocks.h"
#include "lock.h"

#define COMPACT_MEMORY "/proc/sys/vm/compact_memory"
#define UNEVICTABLE_ALLOWED "/proc/sys/vm/compact_unevictable_allowed"
#define PAGES (64 * MIB / PAGE)
#define SAMPLE 32

static bool can_compact(void)
{
	return tell(COMPACT_MEMORY, "1");
}

static const char *const cannot = "cannot write " COMPACT_MEMORY;

static unsigned char mark(size_t page, size_t at)
{
	return (unsigned char)(page * 7 + at / 512 + 1);
}

/* Of PAGES pages every second one is in use, and the frames of the others are free. */
static char *fragment(void)
{
	char *p = lonely_anon(PAGES);

	(void)madvise(p, PAGES * PAGE, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < PAGES; i++)
		for (size_t at = 0; at < PAGE; at += 512)
			p[i * PAGE + at] = (char)mark(i, at);
	for (size_t i = 1; i < PAGES; i += 2)
		MUST(!madvise(p + i * PAGE, PAGE, MADV_DONTNEED));
	return p;
}

static long wrong_bytes(const char *p)
{
	long wrong = 0;

	for (size_t i = 0; i < PAGES; i += 2)
		for (size_t at = 0; at < PAGE; at += 512)
			wrong += (unsigned char)p[i * PAGE + at] != mark(i, at);
	return wrong;
}

/* Frames of every SAMPLE-th page; how many are others now, when before is given. */
static uint64_t frames[PAGES / SAMPLE];

static void note_frames(const char *p)
{
	for (size_t i = 0; i < PAGES / SAMPLE; i++)
		frames[i] = pfn_of(p + i * SAMPLE * PAGE);
	MUST(frames[0]);
}

static long moved_frames(const char *p)
{
	long moved = 0;

	for (size_t i = 0; i < PAGES / SAMPLE; i++)
		moved += pfn_of(p + i * SAMPLE * PAGE) != frames[i];
	return moved;
}

/* On a machine with other work, which blocks are emptied is not ours to say: those of this test may be where others go. */
static bool machine_is_ours(void)
{
	return proc_value("/proc/meminfo", "MemTotal:") < (long)(GIB / 1024);
}

static void check_moved(const char *p)
{
	CHECK_RANGE(moved_frames(p), machine_is_ours() ? 1 : 0, (long)(PAGES / SAMPLE));
}

FORKED_TEST(large_blocks_come_back, "after compact_memory there are large free blocks again")
{
	if (!can_compact())
		SKIP(cannot);
	char *p = fragment();
	long before = large_blocks(), moved;

	note_frames(p);
	moved = proc_value("/proc/vmstat", "pgmigrate_success");
	CHECK(tell(COMPACT_MEMORY, "1"));
	if (machine_is_ours())
		CHECK_RANGE(large_blocks() - before, (long)(PAGES >> BLOCK_ORDER) / 4, 1L << 30);
	CHECK_RANGE(proc_value("/proc/vmstat", "pgmigrate_success") - moved, 1, 1L << 30);
	check_moved(p);
	CHECK_EQ(wrong_bytes(p), 0);
	CHECK_EQ(rss(p, PAGES), (long)PAGES / 2);
}

FORKED_TEST(only_one, "compact_memory understands nothing but 1")
{
	if (!can_compact())
		SKIP(cannot);
	CHECK(!tell(COMPACT_MEMORY, "x"));
	if (kernel_at_least(5, 19))
		CHECK(!tell(COMPACT_MEMORY, "2"));
}

FORKED_TEST(shared_pages_move_together, "pages shared by fork are shared after they moved")
{
	if (!can_compact())
		SKIP(cannot);
	char *p = fragment();
	int ready[2], go[2];
	char c;

	note_frames(p);
	MUST(!pipe(ready) && !pipe(go));
	pid_t pid = fork_checked();

	if (!pid) {
		MUST(write(ready[1], "x", 1) == 1);
		MUST(read(go[0], &c, 1) == 1);
		/* The parent's frames, of after the move. */
		MUST(read(go[0], frames, sizeof(frames)) == (ssize_t)sizeof(frames));
		CHECK_EQ(moved_frames(p), 0);
		CHECK_EQ(wrong_bytes(p), 0);
		store(p, 1);
		CHECK(pfn_of(p) != frames[0]);
		child_exit();
	}
	MUST(read(ready[0], &c, 1) == 1);
	CHECK(tell(COMPACT_MEMORY, "1"));
	check_moved(p);
	note_frames(p);
	MUST(write(go[1], "x", 1) == 1);
	MUST(write(go[1], frames, sizeof(frames)) == (ssize_t)sizeof(frames));
	reap_checked(pid);
	CHECK_EQ(wrong_bytes(p), 0);
}

/* Every used page is one locked mapping of its own otherwise. */
static void check_locked(const char *p)
{
	long unlocked = 0;

	drain_batches();
	for (size_t i = 0; i < PAGES / SAMPLE; i++)
		unlocked += (kpageflags(p + i * SAMPLE * PAGE) & KPF_LOCK_BITS) != KPF_LOCK_BITS;
	CHECK_EQ(unlocked, 0);
	CHECK_EQ(vmlck(), (long)PAGES);
	CHECK_EQ(wrong_bytes(p), 0);
}

static char *fragment_locked(void)
{
	char *p = fragment();

	MUST(!onfault(p, PAGES * PAGE));
	drain_batches();
	note_frames(p);
	return p;
}

FORKED_TEST(locked_pages_move, "locked pages move, and are as locked as before")
{
	if (!can_compact())
		SKIP(cannot);
	if (!tell(UNEVICTABLE_ALLOWED, "1"))
		SKIP("cannot write " UNEVICTABLE_ALLOWED);
	char *p = fragment_locked();

	CHECK(tell(COMPACT_MEMORY, "1"));
	check_moved(p);
	check_locked(p);
	MUST(!munlock(p, PAGES * PAGE));
	drain_batches();
	CHECK_EQ(kpageflags(p) & (KPF_UNEVICTABLE | KPF_MLOCKED), 0);
	CHECK_EQ(kpageflags(p + (PAGES - SAMPLE) * PAGE) & (KPF_UNEVICTABLE | KPF_MLOCKED), 0);
}

FORKED_TEST(locked_pages_stay,
	    "with compact_unevictable_allowed 0 locked pages stay where they are")
{
	if (!can_compact())
		SKIP(cannot);
	if (!tell(UNEVICTABLE_ALLOWED, "0"))
		SKIP("cannot write " UNEVICTABLE_ALLOWED);
	char *p = fragment_locked();
	bool compacted = tell(COMPACT_MEMORY, "1");

	MUST(tell(UNEVICTABLE_ALLOWED, "1"));
	CHECK(compacted);
	CHECK_EQ(moved_frames(p), 0);
	check_locked(p);
}

TEST_MAIN()

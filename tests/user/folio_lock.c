/* SPDX-License-Identifier: MIT
 *
 * Locks and large folios: every way in which a folio can lie across what is locked, with everything that happens to locks.
 *
 * A row brings a folio of each order, of private and of shared memory, into one shape, and acts on it. A model says which of its pages are mapped where, which
 * of them lie in locked mappings and which are still the folio's. After each step the kernel has to say the same:
 *
 *   every locked page is in memory, in its frame, with its contents
 *   VmLck                          the pages of locked mappings
 *   Mlocked, exactly               the frames that locked entries map. Linux: no more than that
 *   the folio is unevictable       when all of its pages are locked, and only then. Linux: only then
 *   any other page is              when it is locked
 *
 * Linux locks a folio as a whole or not at all, and unlocks all of it when one page is unlocked; reclaim finds out.
 * Without swap nothing leaves, so what reclaim takes is seen where there is some.
 */
#include "folio.h"
#include <sched.h>

#define SIDE 1 /* pages in front of the folio and behind it */
#define MAX_PAGES ((1UL << MAX_ORDER) + 2 * SIDE)

static struct page {
	char *at;
	bool mapped, locked;
	bool folios; /* its frame is the folio's */
	bool shared; /* with a child */
	uint64_t pfn;
} page[MAX_PAGES];

static size_t nr_pages;	  /* of the folio and its sides */
static char *home, *away; /* of page[0]; where a part was moved, or NULL */
static uint64_t first_pfn;
static long mlocked_before;
static bool of_shared_memory;
static pid_t child;
static int release_child; /* the end of a pipe that it waits for */

static size_t in_folio(void)
{
	return nr_pages - 2 * SIDE;
}

static unsigned char mark(size_t i)
{
	return (unsigned char)(i * 7 + 3);
}

/* ---- what the kernel says ---- */

static long mlocked_pages(void)
{
	return proc_value("/proc/meminfo", "Mlocked:") / 4;
}

/* A Linux that runs more than this test has others who lock. */
#define NOISE 4096L

static void check_mlocked(long want)
{
	long got = mlocked_pages() - mlocked_before;

	if (on_faultline())
		CHECK_EQ(got, want);
	else
		CHECK_RANGE(got, -NOISE, want + NOISE);
}

static uint64_t flags_of_frame(int fd, uint64_t pfn)
{
	uint64_t word;

	MUST(pread(fd, &word, 8, (off_t)(pfn * 8)) == 8);
	return word;
}

static uint64_t frame[MAX_PAGES]; /* of each page now; 0: it is not in memory */

static void read_frames(void)
{
	static uint64_t moved[MAX_PAGES];

	pagemap_words(home, nr_pages, frame);
	if (away)
		pagemap_words(away, nr_pages, moved);
	for (size_t i = 0; i < nr_pages; i++) {
		uint64_t word = page[i].at == home + i * PAGE ? frame[i] : moved[i];

		frame[i] = page[i].mapped && word & PAGEMAP_PRESENT ? word & PAGEMAP_PFN : 0;
	}
}

static void note_frames(void)
{
	read_frames();
	for (size_t i = 0; i < nr_pages; i++)
		page[i].pfn = frame[i];
}

static void check_flags(bool whole)
{
	int fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	long folio_wrong = 0, others_wrong = 0;

	MUST(fd >= 0);
	for (size_t i = 0; i < nr_pages; i++) {
		uint64_t pfn = frame[i];
		uint64_t flags =
			pfn ? flags_of_frame(fd, pfn) & (KPF_UNEVICTABLE | KPF_MLOCKED) : 0;

		if (!pfn)
			continue;
		if (!page[i].folios)
			others_wrong +=
				flags != (page[i].locked ? KPF_UNEVICTABLE | KPF_MLOCKED : 0UL);
		else if (whole && on_faultline())
			folio_wrong += flags != (KPF_UNEVICTABLE | KPF_MLOCKED);
		else if (!whole)
			folio_wrong += flags & KPF_UNEVICTABLE ? 1 : 0;
	}
	close(fd);
	CHECK_EQ(folio_wrong, 0);
	CHECK_EQ(others_wrong, 0);
}

/* What is shared is not in a child's page table before it is used there. */
static void touch_pages(void)
{
	for (size_t i = 0; i < nr_pages; i++)
		if (page[i].mapped)
			(void)load(page[i].at);
}

/* The kernel and the model agree. */
static void check_all(void)
{
	long locked = 0, gone = 0, moved = 0, wrong = 0;
	size_t folios_locked = 0;

	/* Linux takes entries of shared memory away when it splits, of locked pages, too; they stay in memory. */
	if (of_shared_memory && !on_faultline())
		touch_pages();
	drain_batches();
	read_frames();
	for (size_t i = 0; i < nr_pages; i++) {
		if (!page[i].mapped)
			continue;
		locked += page[i].locked;
		folios_locked += page[i].locked && page[i].folios;
		if (page[i].locked) {
			gone += !frame[i];
			moved += frame[i] && frame[i] != page[i].pfn;
		}
		wrong += load(page[i].at) != mark(i);
	}
	CHECK_EQ(gone, 0);
	CHECK_EQ(moved, 0);
	CHECK_EQ(wrong, 0);
	CHECK_EQ(vmlck(), locked);
	check_mlocked(locked);
	check_flags(folios_locked == in_folio());
}

/* ---- the pieces of a row ---- */

/* Calls fn for each run of the pages [first, end) that are mapped side by side. */
static void each_run(size_t first, size_t end, void (*fn)(char *p, size_t len))
{
	for (size_t i = first, n; i < end; i += n) {
		n = 1;
		if (!page[i].mapped)
			continue;
		while (i + n < end && page[i + n].mapped && page[i + n].at == page[i].at + n * PAGE)
			n++;
		fn(page[i].at, n * PAGE);
	}
}

static void set_locked(size_t first, size_t end, bool locked)
{
	for (size_t i = first; i < end; i++)
		page[i].locked = page[i].mapped && locked;
}

/* With a plain mlock() who shares pages would get copies. */
static void lock_run(char *p, size_t len)
{
	CHECK_EQ(child ? onfault(p, len) : SYS(mlock, p, len), 0);
}

static void unlock_run(char *p, size_t len)
{
	CHECK_EQ(SYS(munlock, p, len), 0);
}

static void lock_pages(size_t first, size_t end)
{
	each_run(first, end, lock_run);
	set_locked(first, end, true);
}

static void unlock_pages(size_t first, size_t end)
{
	each_run(first, end, unlock_run);
	set_locked(first, end, false);
}

static bool start_folio(unsigned int order)
{
	size_t n = 1UL << order;
	char *p = one_folio_of(order, SIDE + 1, of_shared_memory ? MAP_SHARED : MAP_PRIVATE);

	if (!p)
		return false;
	memset(page, 0, sizeof(page));
	nr_pages = n + 2 * SIDE;
	home = p - SIDE * PAGE;
	away = NULL;
	child = 0;
	first_pfn = pfn_of(p);
	(void)map_at(home, SIDE * PAGE, RW);
	(void)map_at(p + n * PAGE, SIDE * PAGE, RW);
	MUST(!madvise(home, SIDE * PAGE, MADV_HUGEPAGE));
	MUST(!madvise(p + n * PAGE, SIDE * PAGE, MADV_HUGEPAGE));
	for (size_t i = 0; i < nr_pages; i++) {
		page[i] = (struct page){ .at = home + i * PAGE, .mapped = true };
		page[i].folios = i >= SIDE && i < SIDE + n;
		store(page[i].at, mark(i));
	}
	CHECK_EQ(pfn_of(p), first_pfn);
	if (order == MAX_ORDER)
		CHECK_EQ(smaps_kb(p, of_shared_memory ? "ShmemPmdMapped" : "AnonHugePages"),
			 (long)(HUGE / 1024));
	drain_batches();
	mlocked_before = mlocked_pages();
	note_frames();
	return true;
}

/* A child that has all of it, too, and waits. */
static void share_with_child(void)
{
	int ends[2];
	char c;

	MUST(!pipe(ends));
	child = fork_checked();
	if (!child) {
		close(ends[1]);
		MUST(read(ends[0], &c, 1) == 0);
		child_exit();
	}
	close(ends[0]);
	release_child = ends[1];
	for (size_t i = 0; i < nr_pages; i++)
		page[i].shared = true;
}

static void end_folio(void)
{
	if (child) {
		close(release_child);
		reap_checked(child);
	}
	MUST(!munmap(home, nr_pages * PAGE));
	if (away)
		MUST(!munmap(away, nr_pages * PAGE));
	drain_batches();
	check_mlocked(0);
	CHECK_EQ(vmlck(), 0);
}

/* ---- shapes: what is mapped, and which pages [first, end) the act is about ---- */

struct range {
	size_t first, end;
};

static struct range shape_inside(void)
{
	return (struct range){ 0, nr_pages };
}

/* The range begins in the middle of the folio. */
static struct range shape_crossing_start(void)
{
	return (struct range){ nr_pages / 2, nr_pages };
}

static struct range shape_crossing_end(void)
{
	return (struct range){ 0, nr_pages / 2 };
}

/* The second half of the folio is somewhere else. */
static struct range shape_apart(void)
{
	size_t from = nr_pages / 2, n = nr_pages - SIDE - from;

	away = free_area(nr_pages);
	CHECK_EQ(SYS(mremap, page[from].at, n * PAGE, n * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		     away + from * PAGE),
		 away + from * PAGE);
	for (size_t i = from; i < from + n; i++)
		page[i].at = away + i * PAGE;
	return (struct range){ 0, from };
}

/* Every fourth page was written after a fork; for private memory only. */
static struct range shape_partly_cowed(void)
{
	share_with_child();
	for (size_t i = SIDE; i < nr_pages - SIDE; i += 4) {
		store(page[i].at, mark(i));
		page[i].folios = page[i].shared = false;
	}
	note_frames();
	CHECK(page[SIDE].pfn != first_pfn);
	CHECK_EQ(page[SIDE + 1].pfn, first_pfn + 1);
	return (struct range){ 0, nr_pages };
}

static struct range shape_partly_unmapped(void)
{
	size_t from = nr_pages / 2, n = nr_pages - SIDE - from;

	CHECK_EQ(SYS(munmap, page[from].at, n * PAGE), 0);
	for (size_t i = from; i < from + n; i++)
		page[i].mapped = false;
	return (struct range){ 0, from };
}

/* The child never locks. */
static struct range shape_forked(void)
{
	share_with_child();
	return (struct range){ 0, nr_pages };
}

/* ---- acts ---- */

/* The range, then everything. */
static void act_mlock(struct range r)
{
	lock_pages(r.first, r.end);
	check_all();
	lock_pages(0, nr_pages);
	check_all();
}

/* All is locked; one page no longer is, then the range, then nothing. */
static void act_munlock(struct range r)
{
	size_t one = r.first + (r.end - r.first) / 2;

	lock_pages(0, nr_pages);
	unlock_pages(one, one + 1);
	/* Linux: from here on the folio is not locked; its pages are as safe as they were. */
	check_all();
	lock_pages(one, one + 1);
	check_all();
	unlock_pages(r.first, r.end);
	check_all();
	unlock_pages(0, nr_pages);
	check_all();
}

/* A locked mapping is cut within the folio; its pieces are as locked as it was, and are unlocked one by one. */
static void act_split_vma(struct range r)
{
	size_t one = r.first + (r.end - r.first) / 2;

	lock_pages(0, nr_pages);
	CHECK_EQ(SYS(mprotect, page[one].at, PAGE, PROT_READ), 0);
	check_all();
	unlock_pages(one, one + 1);
	check_all();
	unlock_pages(one + 1, r.end);
	check_all();
	CHECK_EQ(SYS(mprotect, page[one].at, PAGE, RW), 0);
	lock_pages(0, nr_pages);
	check_all();
}

static bool has_swap(void)
{
	return proc_value("/proc/meminfo", "SwapTotal:") > 0;
}

static void page_out(char *p, size_t len)
{
	CHECK_EQ(SYS(madvise, p, len, MADV_PAGEOUT), 0);
}

static void refuse_page_out(char *p, size_t len)
{
	CHECK_EQ(SYS(madvise, p, len, MADV_PAGEOUT), -EINVAL);
}

static size_t end_of_equals(size_t i)
{
	size_t end = i + 1;

	while (end < nr_pages && page[end].locked == page[i].locked)
		end++;
	return end;
}

/* How many unlocked pages that nobody else has are still there, after all were advised to go. */
static long left_after_page_out(void)
{
	long left = 0;

	for (size_t i = 0; i < nr_pages; i = end_of_equals(i))
		each_run(i, end_of_equals(i), page[i].locked ? refuse_page_out : page_out);
	read_frames();
	for (size_t i = 0; i < nr_pages; i++)
		left += page[i].mapped && !page[i].locked && !page[i].shared && frame[i];
	return left;
}

static void check_reclaim(void)
{
	long left = left_after_page_out();

	for (int i = 0; i < 100 && left && has_swap(); i++) {
		sleep_ms(1);
		left = left_after_page_out();
	}
	if (has_swap())
		CHECK_EQ(left, 0);
	/* Where it was split, what is left of it are pages. */
	for (size_t i = 0; i < nr_pages; i++)
		page[i].folios = page[i].folios && (kpageflags(page[i].at) & KPF_COMPOUND);
}

static bool is_partly_locked(void)
{
	size_t locked = 0, mapped = 0;

	for (size_t i = SIDE; i < nr_pages - SIDE; i++) {
		locked += page[i].mapped && page[i].locked;
		mapped += page[i].mapped;
	}
	return locked && locked < mapped;
}

/* What is locked stays, and everything else goes. */
static void act_reclaim(struct range r)
{
	lock_pages(r.first, r.end);
	if (is_partly_locked())
		check_reclaim();
	check_all();
	unlock_pages(0, nr_pages);
	check_reclaim();
	note_frames();
	check_all();
}

/* A locker that shares it all, and ends. */
static void act_exit(struct range r)
{
	IN_CHILD
	{
		child = getppid();
		touch_pages();
		lock_pages(r.first, r.end);
		check_all();
	}
	drain_batches();
	check_all();
	lock_pages(0, nr_pages);
	IN_CHILD
	{
		CHECK_EQ(vmlck(), 0);
	}
	check_all();
}

/* ---- the table ---- */

/* Linux's batches are one CPU's, and drain_batches() is for the one where it runs. */
static void stay_on_one_cpu(void)
{
	cpu_set_t one;
	int cpu = sched_getcpu();

	CPU_ZERO(&one);
	CPU_SET(cpu < 0 ? 0 : cpu, &one);
	MUST(!sched_setaffinity(0, sizeof(one), &one));
}

static void row(struct range (*shape)(void), void (*act)(struct range r))
{
	unsigned int tested = 0;

	stay_on_one_cpu();
	allow_all_orders();
	for (unsigned int i = 0; i < 2 * (MAX_ORDER + 1); i++) {
		unsigned int order = i / 2;
		int failed = test_failures;

		of_shared_memory = i % 2;
		if (order < MIN_ORDER || (of_shared_memory && shape == shape_partly_cowed) ||
		    !start_folio(order))
			continue;
		tested++;
		act(shape());
		end_folio();
		if (test_failures > failed)
			say("# with a folio of order %u of %s memory\n", order,
			    of_shared_memory ? "shared" : "private");
	}
	restore_orders();
	if (!tested)
		SKIP("no large folio to be had");
}

#define ROW(shape, act, text)                                                                      \
	FORKED_TEST(shape##_##act, #shape ", " #act ": " text)                                     \
	{                                                                                          \
		row(shape_##shape, act_##act);                                                     \
	}

ROW(inside, mlock, "the folio is locked as a whole")
ROW(inside, munlock, "all pages but the unlocked ones stay locked")
ROW(inside, split_vma, "a cut changes nothing; then each piece is unlocked by itself")
ROW(inside, reclaim, "nothing goes; all goes when it is unlocked")
ROW(inside, exit, "the locker's locks end with it, those of the other do not")

ROW(crossing_start, mlock, "the pages from the middle are locked, the folio is not")
ROW(crossing_start, munlock, "those in front of the middle stay locked")
ROW(crossing_start, split_vma, "the pieces of the second half are unlocked by themselves")
ROW(crossing_start, reclaim, "the folio is split: the first half goes, the second stays")
ROW(crossing_start, exit, "nothing of half a lock is left")

ROW(crossing_end, mlock, "the pages up to the middle are locked, the folio is not")
ROW(crossing_end, munlock, "those behind the middle stay locked")
ROW(crossing_end, split_vma, "the pieces of the first half are unlocked by themselves")
ROW(crossing_end, reclaim, "the folio is split: the second half goes, the first stays")
ROW(crossing_end, exit, "nothing of half a lock is left")

ROW(apart, mlock, "half a folio is locked; with the half that moved, all of it")
ROW(apart, munlock, "the half that moved stays locked")
ROW(apart, split_vma, "the pieces of the half that stayed are unlocked by themselves")
ROW(apart, reclaim, "the half that moved goes, the other stays")
ROW(apart, exit, "nothing of half a lock is left")

ROW(partly_cowed, mlock, "the copies are locked, each by itself, and what is left of the folio")
ROW(partly_cowed, munlock, "copies and the folio's pages are unlocked alike")
ROW(partly_cowed, split_vma, "a cut between copies changes nothing")
ROW(partly_cowed, reclaim, "nothing goes; copies go when they are unlocked")
ROW(partly_cowed, exit, "the locker's locks end with it, those of the other do not")

ROW(partly_unmapped, mlock, "what is mapped is locked, the folio is not")
ROW(partly_unmapped, munlock, "what is mapped is unlocked")
ROW(partly_unmapped, split_vma, "the pieces of what is mapped are unlocked by themselves")
ROW(partly_unmapped, reclaim, "nothing goes; all goes when it is unlocked")
ROW(partly_unmapped, exit, "nothing of half a lock is left")

ROW(forked, mlock, "one locker of two locks the folio")
ROW(forked, munlock, "the only locker unlocks it")
ROW(forked, split_vma, "a cut in one of two mappings changes nothing for the other")
ROW(forked, reclaim, "shared pages stay, locked or not")
ROW(forked, exit, "of two lockers one is left")

TEST_MAIN()

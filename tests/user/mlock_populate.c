/* SPDX-License-Identifier: MIT
 *
 * What mlock faults in, by kind of mapping: own pages, the zero page, pages of the file; and what it cannot.
 */
#include "lock.h"

#define N 16L

/* How often the statement faults. */
#define FAULTS_OF(statement)                                                                       \
	({                                                                                         \
		long before_ = minor_faults();                                                     \
		statement;                                                                         \
		minor_faults() - before_;                                                          \
	})

static void read_all(const char *p, long pages)
{
	for (long i = 0; i < pages; i++)
		load(p + i * PAGE);
}

FORKED_TEST(anon_rw, "private writable memory: own zeroed pages; writing takes no fault afterwards")
{
	char *p = lonely_anon(N);

	CHECK_EQ(SYS(mlock, p, N * PAGE), 0);
	CHECK_EQ(rss(p, N), N);
	CHECK_EQ(load(p + 3 * PAGE), 0);
	CHECK_RANGE(FAULTS_OF(fill(p, N)), 0, 1);
	CHECK_EQ(smaps_kb(p, "Locked"), 4 * N);
}

FORKED_TEST(anon_w, "write-only memory: the same")
{
	char *p = lonely(N, PROT_WRITE, ANON);

	CHECK_EQ(SYS(mlock, p, N * PAGE), 0);
	CHECK_EQ(rss(p, N), N);
}

FORKED_TEST(
	anon_ro,
	"read-only private memory: the zero page; charged, but nothing resident, nothing locked")
{
	char *p = lonely(N, PROT_READ, ANON);

	CHECK_EQ(SYS(mlock, p, N * PAGE), 0);
	CHECK_EQ(vmlck(), N);
	CHECK_EQ(rss(p, N), 0);
	CHECK_EQ(smaps_kb(p, "Locked"), 0);
	CHECK(pagemap_entry(p) & PAGEMAP_PRESENT);
	CHECK_EQ(kpageflags(p) & (KPF_MLOCKED | KPF_UNEVICTABLE | KPF_LRU), 0);
	CHECK(kpageflags(p) & KPF_ZERO_PAGE);
	CHECK_RANGE(FAULTS_OF(read_all(p, N)), 0, 1);
}

FORKED_TEST(zero_replaced, "the zero page under writable memory is replaced by own pages")
{
	char *p = lonely_anon(N);

	read_all(p, N);
	CHECK_EQ(rss(p, N), 0);
	CHECK_EQ(SYS(mlock, p, N * PAGE), 0);
	CHECK_EQ(rss(p, N), N);
	CHECK_RANGE(FAULTS_OF(fill(p, N)), 0, 1);
}

FORKED_TEST(zero_onfault, "ONFAULT leaves the zero page there until the first write")
{
	char *p = lonely_anon(N);

	read_all(p, N);
	CHECK_EQ(onfault(p, N * PAGE), 0);
	CHECK_EQ(rss(p, N), 0);
	CHECK(kpageflags(p) & KPF_ZERO_PAGE);
	fill(p, 2);
	CHECK_EQ(rss(p, N), 2);
	drain_batches();
	CHECK_EQ(kpageflags(p) & KPF_LOCK_BITS, KPF_LOCK_BITS);
}

/* With protection keys "execute only" is enforced by a key, and then data cannot be read. */
FORKED_TEST(anon_x,
	    "execute-only memory: the zero page; ENOMEM where the CPU can forbid reading it")
{
	char *p = lonely(N, PROT_EXEC, ANON);
	char *block = smaps_block(p);
	bool keyed = block && smaps_kb(p, "ProtectionKey") > 0;

	CHECK_EQ(SYS(mlock, p, N * PAGE), keyed ? -ENOMEM : 0);
	CHECK_EQ(vmlck(), N);
	CHECK_EQ(rss(p, N), 0);
}

FORKED_TEST(none, "PROT_NONE: ENOMEM, but locked and charged; what is there already is locked")
{
	char *p = lonely_anon(N);

	fill(p, 2);
	MUST(!mprotect(p, N * PAGE, PROT_NONE));
	CHECK_EQ(SYS(mlock, p, N * PAGE), -ENOMEM);
	CHECK_STR(locks(p, 2), "LL");
	CHECK_EQ(vmlck(), N);
	CHECK_EQ(rss(p, N), 2);
	CHECK_EQ(kpageflags(p) & KPF_LOCK_BITS, KPF_LOCK_BITS);
	CHECK_EQ(SYS(mlockall, MCL_CURRENT), 0);
}

FORKED_TEST(none_allowed, "PROT_NONE with ONFAULT or MAP_LOCKED: success")
{
	char *p = lonely(N, PROT_NONE, ANON), *q;

	CHECK_EQ(onfault(p, N * PAGE), 0);
	CHECK_EQ(SYS(mlock, p, N * PAGE), -ENOMEM);
	q = lonely(N, PROT_NONE, ANON | MAP_LOCKED);
	CHECK_STR(locks(q, 2), "LL");
	CHECK_EQ(vmlck(), 2 * N);
	CHECK_EQ(rss(q, N), 0);
}

FORKED_TEST(private_file_rw, "a private writable file mapping: every page becomes an own copy")
{
	int fd = tmp_file(N * PAGE);
	char *p = lonely_file(N, RW, MAP_PRIVATE, fd);

	CHECK_EQ(SYS(mlock, p, N * PAGE), 0);
	CHECK_EQ(smaps_kb(p, "Anonymous"), 4 * N);
	CHECK_EQ(load(p + 3 * PAGE), 4);
	CHECK_RANGE(FAULTS_OF(fill(p, N)), 0, 1);
}

FORKED_TEST(private_file_ro,
	    "read-only: the pages of the file itself, shared with whoever maps them")
{
	int fd = tmp_file(N * PAGE);
	char *p = lonely_file(N, PROT_READ, MAP_PRIVATE, fd);
	char *q = lonely_file(N, PROT_READ, MAP_SHARED, fd);

	read_all(q, N);
	CHECK_EQ(SYS(mlock, p, N * PAGE), 0);
	CHECK_EQ(smaps_kb(p, "Rss"), 4 * N);
	CHECK_EQ(smaps_kb(p, "Anonymous"), 0);
	CHECK_EQ(pfn_of(p), pfn_of(q));
	drain_batches();
	CHECK_EQ(kpageflags(q) & KPF_LOCK_BITS, KPF_LOCK_BITS);
	/* Locked counts by share, not by flag: half of each page belongs to the other mapping. */
	CHECK_EQ(smaps_kb(p, "Locked"), 2 * N);
	CHECK_EQ(smaps_kb(q, "Locked"), 0);
}

FORKED_TEST(shared_file,
	    "a shared writable mapping of a tmpfs file: its pages, not dirtied for being locked")
{
	int fd = tmp_file(N * PAGE);
	char *p = lonely_file(N, RW, MAP_SHARED, fd);

	CHECK_EQ(SYS(mlock, p, N * PAGE), 0);
	CHECK_EQ(rss(p, N), N);
	CHECK_EQ(smaps_kb(p, "Anonymous"), 0);
	CHECK_EQ(load(p + 3 * PAGE), 4);
}

FORKED_TEST(shared_file_w, "a shared write-only mapping is populated by reading")
{
	int fd = tmp_file(N * PAGE);
	char *p = lonely_file(N, PROT_WRITE, MAP_SHARED, fd);

	CHECK_EQ(SYS(mlock, p, N * PAGE), 0);
	CHECK_EQ(rss(p, N), N);
}

FORKED_TEST(shared_anon,
	    "shared anonymous memory: its pages are made; writing takes no fault afterwards")
{
	char *p = lonely(N, RW, MAP_SHARED | MAP_ANONYMOUS);

	CHECK_EQ(SYS(mlock, p, N * PAGE), 0);
	CHECK_EQ(rss(p, N), N);
	CHECK_RANGE(FAULTS_OF(fill(p, N)), 0, 1);
}

FORKED_TEST(sparse, "a hole of a file inside its size: zeroes")
{
	int fd = tmp_file(0);

	MUST(!ftruncate(fd, N * PAGE));
	char *p = lonely_file(N, PROT_READ, MAP_SHARED, fd);

	CHECK_EQ(SYS(mlock, p, N * PAGE), 0);
	CHECK_EQ(rss(p, N), N);
	CHECK_EQ(load(p + 5 * PAGE), 0);
}

FORKED_TEST(past_end, "past the end of the file: ENOMEM; what lies before is there and locked")
{
	int fd = tmp_file(2 * PAGE + 100);
	char *p = lonely_file(6, PROT_READ, MAP_SHARED, fd);

	CHECK_EQ(SYS(mlock, p, 6 * PAGE), -ENOMEM);
	CHECK_STR(locks(p, 6), "LLLLLL");
	CHECK_EQ(rss(p, 6), 3);
	drain_batches();
	CHECK_EQ(kpageflags(p + 2 * PAGE) & KPF_LOCK_BITS, KPF_LOCK_BITS);
	CHECK_EQ(SYS(munlock, p, 6 * PAGE), 0);
	CHECK_EQ(SYS(mlock, p, 3 * PAGE), 0); /* the tail of the last page is fine */
	CHECK_EQ(load(p + 2 * PAGE + 200), 0);
	CHECK_EQ(onfault(p, 6 * PAGE), 0);
	CHECK_EQ(SYS(mmap, p, 6 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED | MAP_LOCKED, fd, 0), p);
	CHECK_EQ(rss(p, 6), 3);
}

FORKED_TEST(first_failure,
	    "population ends at the first page that fails: later ones are locked, but absent")
{
	int fd = tmp_file(PAGE);
	char *p = lonely_anon(6);

	MUST(mmap(p + 2 * PAGE, 2 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) ==
	     p + 2 * PAGE);
	CHECK_EQ(SYS(mlock, p, 6 * PAGE), -ENOMEM);
	CHECK_STR(locks(p, 6), "LLLLLL");
	CHECK_EQ(rss(p, 6), 3);
	CHECK_EQ(rss(p + 4 * PAGE, 2), 0);
}

FORKED_TEST(all_ignores, "mlockall ignores what cannot be faulted in and goes on behind it")
{
	char *p = lonely_anon(6);

	MUST(!mprotect(p + 2 * PAGE, 2 * PAGE, PROT_NONE));
	CHECK_EQ(SYS(mlockall, MCL_CURRENT), 0);
	CHECK_STR(locks(p, 6), "LLLLLL");
	CHECK_EQ(rss(p, 6), 4);
	CHECK_EQ(rss(p + 4 * PAGE, 2), 2);
}

FORKED_TEST(breaks_cow, "pages shared with a child are copied by mlock, not by mlock2(ONFAULT)")
{
	char *p = lonely_anon(4);
	uint64_t before;
	int fds[2];
	pid_t pid;
	char c;

	fill(p, 4);
	MUST(!pipe(fds));
	pid = fork_checked();
	if (!pid) {
		close(fds[1]);
		MUST(read(fds[0], &c, 1) == 0);
		child_exit();
	}
	close(fds[0]);
	before = pfn_of(p);
	CHECK_EQ(onfault(p, 4 * PAGE), 0);
	CHECK_EQ(pfn_of(p), before);
	CHECK_EQ(SYS(mlock, p, 4 * PAGE), 0);
	CHECK(pfn_of(p) != before);
	CHECK_EQ(load(p + 2 * PAGE), 3);
	close(fds[1]);
	reap_checked(pid);
}

FORKED_TEST(dropped_again, "pages that were dropped come back with the next mlock")
{
	char *p = lonely_anon(4);

	MUST(!mlock(p, 4 * PAGE) && !madvise(p, 4 * PAGE, MADV_DONTNEED_LOCKED));
	CHECK_EQ(rss(p, 4), 0);
	CHECK_EQ(SYS(mlock, p + PAGE, 2 * PAGE), 0);
	CHECK_EQ(rss(p, 4), 2);
	CHECK_EQ(SYS(mlockall, MCL_CURRENT), 0);
	CHECK_EQ(rss(p, 4), 4);
}

FORKED_TEST(unlock_never, "munlock and munlockall fault nothing in")
{
	char *p = lonely_anon(256);

	MUST(!onfault(p, 256 * PAGE));
	long faults = FAULTS_OF(MUST(!munlock(p, 256 * PAGE)));

	CHECK_RANGE(faults, 0, 1);
	CHECK_EQ(rss(p, 256), 0);
	MUST(!onfault(p, 256 * PAGE));
	faults = FAULTS_OF(MUST(!munlockall()));
	CHECK_RANGE(faults, 0, 1);
	CHECK_EQ(rss(p, 256), 0);
}

FORKED_TEST(unlock_huge,
	    "munlock of 64 MiB and of 64 TiB that nobody touched: at once, nothing resident")
{
	static const size_t sizes[] = { 64 * MIB, 64UL << 40 };

	for (int i = 0; i < 2; i++) {
		char *p = mmap(NULL, sizes[i], RW, ANON | MAP_NORESERVE, -1, 0);

		MUST(p != MAP_FAILED);
		CHECK_EQ(onfault(p, sizes[i]), 0);
		/* Linux counts the pages of one piece in an int. */
		if (sizes[i] / PAGE < 1UL << 31)
			CHECK_EQ(vmlck(), sizes[i] / PAGE);
		CHECK_EQ(SYS(munlock, p, sizes[i]), 0);
		CHECK_EQ(vmlck(), 0);
		CHECK_EQ(smaps_kb(p, "Rss"), 0);
		munmap(p, sizes[i]);
	}
}

FORKED_TEST(faults_counted, "pages that mlock brings count as minor faults of the caller")
{
	char *p = lonely_anon(256);
	long faults = FAULTS_OF(MUST(!mlock(p, 256 * PAGE)));

	CHECK_RANGE(faults, 256, 262);
}

TEST_MAIN()

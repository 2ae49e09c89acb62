/* SPDX-License-Identifier: MIT
 *
 * Other calls that meet locked memory: madvise, msync, mincore, mprotect, truncation, /proc/self/mem,
 * remap_file_pages; signals while a call locks; mappings that refuse the lock.
 */
#include "lock.h"
#include <sys/time.h>

#ifndef MADV_FREE
#define MADV_FREE 8
#endif

/* ---- madvise ---- */

FORKED_TEST(refused, "madvise that would drop pages: EINVAL on locked memory, of both kinds")
{
	static const int advices[] = { MADV_DONTNEED, MADV_FREE, MADV_COLD, MADV_PAGEOUT };
	char *p = lonely_anon(4);

	fill(p, 4);
	for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
		MUST(!mlock(p, 4 * PAGE));
		CHECK_EQ(SYS(madvise, p, 4 * PAGE, advices[i]), -EINVAL);
		MUST(!onfault(p, 4 * PAGE));
		CHECK_EQ(SYS(madvise, p, 4 * PAGE, advices[i]), -EINVAL);
	}
	CHECK_EQ(rss(p, 4), 4);
	CHECK_EQ(load(p + PAGE), 2);
}

FORKED_TEST(remove_, "MADV_REMOVE of a locked shared mapping: EINVAL")
{
	int fd = tmp_file(4 * PAGE);
	char *p = lonely_file(4, RW, MAP_SHARED, fd);

	MUST(!mlock(p, 4 * PAGE));
	CHECK_EQ(SYS(madvise, p, PAGE, MADV_REMOVE), -EINVAL);
	MUST(!munlock(p, 4 * PAGE));
	CHECK_EQ(SYS(madvise, p, PAGE, MADV_REMOVE), 0);
}

FORKED_TEST(
	stops,
	"a range over several mappings ends at the first locked one: before it done, behind it not")
{
	char *p = lonely_anon(6);

	fill(p, 6);
	MUST(!mlock(p + 2 * PAGE, 2 * PAGE));
	CHECK_EQ(SYS(madvise, p, 6 * PAGE, MADV_DONTNEED), -EINVAL);
	CHECK_EQ(rss(p, 2), 0);
	CHECK_EQ(rss(p + 2 * PAGE, 4), 4);
	CHECK_EQ(load(p + 4 * PAGE), 5);
}

FORKED_TEST(hole_goes_on, "a hole, by contrast, is passed over and reported at the end")
{
	char *p = lonely_anon(6);

	fill(p, 6);
	MUST(!munmap(p + 2 * PAGE, 2 * PAGE));
	CHECK_EQ(SYS(madvise, p, 6 * PAGE, MADV_DONTNEED), -ENOMEM);
	CHECK_EQ(rss(p, 6), 0);
}

FORKED_TEST(dontneed_locked,
	    "DONTNEED_LOCKED drops the pages and keeps the lock: a touch brings a locked page")
{
	char *p = lonely_anon(4);

	fill(p, 4);
	MUST(!mlock(p, 4 * PAGE));
	CHECK_EQ(SYS(madvise, p, 4 * PAGE, MADV_DONTNEED_LOCKED), 0);
	CHECK_STR(locks(p, 4), "LLLL");
	CHECK_EQ(vmlck(), 4);
	CHECK_EQ(rss(p, 4), 0);
	store(p + PAGE, 1);
	CHECK_EQ(rss(p, 4), 1);
	drain_batches();
	CHECK_EQ(kpageflags(p + PAGE) & KPF_LOCK_BITS, KPF_LOCK_BITS);
}

FORKED_TEST(allowed, "WILLNEED, DONTFORK, DOFORK, RANDOM are allowed")
{
	char *p = lonely_anon(4);

	MUST(!mlock(p, 4 * PAGE));
	CHECK_EQ(SYS(madvise, p, 4 * PAGE, MADV_WILLNEED), 0);
	CHECK_EQ(SYS(madvise, p, 4 * PAGE, MADV_DONTFORK), 0);
	CHECK_EQ(SYS(madvise, p, 4 * PAGE, MADV_DOFORK), 0);
	CHECK_EQ(SYS(madvise, p, 4 * PAGE, MADV_RANDOM), 0);
	CHECK_STR(locks(p, 4), "LLLL");
}

FORKED_TEST(
	populate,
	"POPULATE_READ and POPULATE_WRITE populate locked-on-fault memory too, and the pages are locked")
{
	char *p = lonely_anon(4);

	MUST(!onfault(p, 4 * PAGE));
	CHECK_EQ(SYS(madvise, p, 4 * PAGE, MADV_POPULATE_READ), 0);
	CHECK_EQ(rss(p, 4), 0);
	CHECK(kpageflags(p) & KPF_ZERO_PAGE);
	CHECK_EQ(SYS(madvise, p, 4 * PAGE, MADV_POPULATE_WRITE), 0);
	CHECK_EQ(rss(p, 4), 4);
	drain_batches();
	CHECK_EQ(kpageflags(p + 3 * PAGE) & KPF_LOCK_BITS, KPF_LOCK_BITS);
}

/* ---- other calls ---- */

FORKED_TEST(msync_, "msync(MS_INVALIDATE): EBUSY on locked memory; anything else is fine")
{
	int fd = tmp_file(4 * PAGE);
	char *p = lonely_file(4, RW, MAP_SHARED, fd);

	MUST(!mlock(p + 2 * PAGE, PAGE));
	CHECK_EQ(SYS(msync, p, 4 * PAGE, MS_INVALIDATE), -EBUSY);
	CHECK_EQ(SYS(msync, p, 4 * PAGE, MS_INVALIDATE | MS_SYNC), -EBUSY);
	CHECK_EQ(SYS(msync, p, 2 * PAGE, MS_INVALIDATE), 0);
	CHECK_EQ(SYS(msync, p, 4 * PAGE, MS_SYNC), 0);
	CHECK_EQ(SYS(msync, p, 4 * PAGE, MS_ASYNC), 0);
	MUST(!onfault(p + 2 * PAGE, PAGE));
	CHECK_EQ(SYS(msync, p, 4 * PAGE, MS_INVALIDATE), -EBUSY);
}

FORKED_TEST(mincore_, "mincore says what is there, locked or not")
{
	char *p = lonely_anon(4);

	MUST(!onfault(p, 4 * PAGE));
	CHECK_EQ(resident(p, 4 * PAGE), 0);
	store(p, 1);
	CHECK_EQ(resident(p, 4 * PAGE), 1);
	MUST(!mlock(p, 4 * PAGE));
	CHECK_EQ(resident(p, 4 * PAGE), 4);
}

FORKED_TEST(mprotect_,
	    "read-only to writable: locked private memory gets its own pages inside the call")
{
	char *p = lonely(4, PROT_READ, ANON), *q = lonely(4, PROT_READ, ANON);
	long before;

	MUST(!mlock(p, 4 * PAGE) && !onfault(q, 4 * PAGE));
	CHECK_EQ(rss(p, 4), 0);
	CHECK_EQ(SYS(mprotect, p, 4 * PAGE, RW), 0);
	CHECK_EQ(rss(p, 4), 4);
	before = minor_faults();
	fill(p, 4);
	CHECK_RANGE(minor_faults() - before, 0, 1);
	CHECK_EQ(SYS(mprotect, q, 4 * PAGE, RW), 0);
	CHECK_EQ(rss(q, 4), 0);
	CHECK_EQ(vmlck(), 8);
}

FORKED_TEST(mprotect_part, "only the part that became writable")
{
	char *p = lonely(6, PROT_READ, ANON);

	MUST(!mlock(p, 6 * PAGE));
	CHECK_EQ(SYS(mprotect, p + 2 * PAGE, 2 * PAGE, RW), 0);
	CHECK_STR(locks(p, 6), "LLLLLL");
	CHECK_EQ(rss(p, 6), 2);
}

FORKED_TEST(mprotect_pieces,
	    "of several pieces those that became writable; a locked one between them stays absent")
{
	char *p = lonely_anon(10);

	for (int i = 0; i < 10; i += 4)
		MUST(!mprotect(p + i * PAGE, 2 * PAGE, PROT_READ));
	MUST(!mlock(p, 10 * PAGE) && !madvise(p, 10 * PAGE, MADV_DONTNEED_LOCKED));
	CHECK_EQ(rss(p, 10), 0);
	CHECK_EQ(SYS(mprotect, p, 10 * PAGE, RW), 0);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(resident(p + i * PAGE, PAGE), i % 4 < 2);
}

FORKED_TEST(mprotect_cow, "and copies of what a child shares")
{
	char *p = lonely_anon(2);
	int fds[2];
	uint64_t frame;
	pid_t pid;
	char c;

	fill(p, 2);
	MUST(!mlock(p, 2 * PAGE) && !mprotect(p, 2 * PAGE, PROT_READ) && !pipe(fds));
	pid = fork_checked();
	if (!pid) {
		close(fds[1]);
		MUST(read(fds[0], &c, 1) == 0);
		child_exit();
	}
	frame = pfn_of(p);
	CHECK_EQ(SYS(mprotect, p, 2 * PAGE, RW), 0);
	CHECK(pfn_of(p) != frame);
	CHECK_EQ(load(p + PAGE), 2);
	close(fds[1]);
	reap_checked(pid);
}

FORKED_TEST(
	truncate_,
	"a file that shrinks: lock and charge stay, the pages go; mlock past the new end is ENOMEM")
{
	int fd = tmp_file(4 * PAGE);
	char *p = lonely_file(4, RW, MAP_SHARED, fd);

	MUST(!mlock(p, 4 * PAGE) && !ftruncate(fd, 2 * PAGE));
	CHECK_STR(locks(p, 4), "LLLL");
	CHECK_EQ(vmlck(), 4);
	CHECK_EQ(rss(p, 4), 2);
	CHECK_EQ(SYS(mlock, p, 4 * PAGE), -ENOMEM);
	CHECK_EQ(SYS(mlock, p, 2 * PAGE), 0);
	CHECK_FAULT(load(p + 2 * PAGE), SIGBUS, BUS_ADRERR, p + 2 * PAGE);
	MUST(!ftruncate(fd, 4 * PAGE));
	CHECK_EQ(SYS(mlock, p, 4 * PAGE), 0);
	CHECK_EQ(rss(p, 4), 4);
	CHECK_EQ(load(p + 2 * PAGE), 0);
}

FORKED_TEST(truncate_private, "own copies past the new end go too")
{
	int fd = tmp_file(4 * PAGE);
	char *p = lonely_file(4, RW, MAP_PRIVATE, fd);

	MUST(!mlock(p, 4 * PAGE));
	CHECK_EQ(smaps_kb(p, "Anonymous"), 16);
	MUST(!ftruncate(fd, 2 * PAGE));
	CHECK_EQ(smaps_kb(p, "Anonymous"), 8);
	CHECK_FAULT(load(p + 3 * PAGE), SIGBUS, BUS_ADRERR, p + 3 * PAGE);
	CHECK_EQ(vmlck(), 4);
}

FORKED_TEST(punch, "a hole punched into a locked file: the pages go, zeroes come, locked")
{
	int fd = tmp_file(4 * PAGE);
	char *p = lonely_file(4, RW, MAP_SHARED, fd);

	MUST(!mlock(p, 4 * PAGE));
	MUST(!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE, 2 * PAGE));
	CHECK_EQ(rss(p, 4), 2);
	CHECK_EQ(vmlck(), 4);
	CHECK_EQ(load(p + PAGE), 0);
	drain_batches();
	CHECK_EQ(kpageflags(p + PAGE) & KPF_LOCK_BITS, KPF_LOCK_BITS);
}

FORKED_TEST(
	proc_mem,
	"writing to read-only locked private memory through /proc/self/mem: a copy, which is locked")
{
	int file = tmp_file(PAGE), fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	char *p = lonely_file(1, PROT_READ, MAP_PRIVATE, file), c = 77;
	uint64_t frame;

	MUST(fd >= 0 && !mlock(p, PAGE));
	frame = pfn_of(p);
	CHECK_EQ(pwrite(fd, &c, 1, (off_t)(long)p), 1);
	CHECK_EQ(load(p), 77);
	CHECK(pfn_of(p) != frame);
	CHECK_EQ(smaps_kb(p, "Anonymous"), 4);
	drain_batches();
	CHECK_EQ(kpageflags(p) & KPF_LOCK_BITS, KPF_LOCK_BITS);
}

FORKED_TEST(
	remap,
	"remap_file_pages: a locked mapping stays locked, one locked on fault becomes locked; populated, also with NONBLOCK")
{
	int fd = tmp_file(8 * PAGE);
	char *p = lonely_file(4, RW, MAP_SHARED, fd);

	MUST(!onfault(p, 4 * PAGE));
	CHECK_EQ(SYS(remap_file_pages, p, 2 * PAGE, 0, 4, 0), 0);
	CHECK_STR(locks(p, 4), "LLFF");
	CHECK_EQ(rss(p, 4), 2);
	CHECK_EQ(vmlck(), 4);
	CHECK_EQ(load(p), 5);
	MUST(!munlock(p, 4 * PAGE) && !madvise(p, 4 * PAGE, MADV_DONTNEED));
	CHECK_EQ(SYS(remap_file_pages, p, PAGE, 0, 6, MAP_NONBLOCK), 0);
	CHECK_EQ(rss(p, 4), 0);
	MUST(!onfault(p, 4 * PAGE));
	CHECK_EQ(SYS(remap_file_pages, p, PAGE, 0, 7, MAP_NONBLOCK), 0);
	CHECK_EQ(rss(p, 4), 1);
}

/* ---- mmap's flags ---- */

FORKED_TEST(map_flags, "MAP_POPULATE|MAP_NONBLOCK populates nothing, MAP_LOCKED|MAP_NONBLOCK does")
{
	CHECK_EQ(rss(lonely(4, RW, ANON | MAP_POPULATE), 4), 4);
	CHECK_EQ(rss(lonely(4, RW, ANON | MAP_POPULATE | MAP_NONBLOCK), 4), 0);
	CHECK_EQ(rss(lonely(4, RW, ANON | MAP_LOCKED), 4), 4);
	CHECK_EQ(rss(lonely(4, RW, ANON | MAP_LOCKED | MAP_NONBLOCK), 4), 4);
	CHECK_EQ(rss(lonely(4, RW, ANON | MAP_LOCKED | MAP_POPULATE | MAP_NONBLOCK), 4), 4);
	CHECK_EQ(vmlck(), 12);
}

FORKED_TEST(map_readonly,
	    "MAP_POPULATE of read-only memory maps the zero page, of PROT_NONE nothing")
{
	char *p = lonely(4, PROT_READ, ANON | MAP_POPULATE);
	char *q = lonely(4, PROT_NONE, ANON | MAP_POPULATE);

	CHECK_EQ(rss(p, 4), 0);
	CHECK(pagemap_entry(p) & PAGEMAP_PRESENT);
	CHECK_EQ(pagemap_entry(q) & PAGEMAP_PRESENT, 0);
}

FORKED_TEST(map_future_onfault,
	    "under FUTURE|ONFAULT neither MAP_LOCKED nor MAP_POPULATE populates")
{
	char *p, *q;

	MUST(!mlockall(MCL_FUTURE | MCL_ONFAULT));
	p = lonely(4, RW, ANON | MAP_LOCKED);
	q = lonely(4, RW, ANON | MAP_POPULATE);
	CHECK_STR(locks(p, 4), "FFFF");
	CHECK_STR(locks(q, 4), "FFFF");
	CHECK_EQ(rss(p, 4) + rss(q, 4), 0);
	CHECK_EQ(vmlck(), 8);
}

FORKED_TEST(future_replaced, "mlockall replaces what FUTURE says, it does not add to it")
{
	MUST(!mlockall(MCL_FUTURE | MCL_ONFAULT));
	CHECK_STR(locks(lonely(1, RW, ANON), 1), "F");
	MUST(!mlockall(MCL_FUTURE));
	CHECK_STR(locks(lonely(1, RW, ANON), 1), "L");
	MUST(!mlockall(MCL_CURRENT));
	CHECK_STR(locks(lonely(1, RW, ANON), 1), "U");
	MUST(!mlockall(MCL_FUTURE) && !munlockall());
	CHECK_STR(locks(lonely(1, RW, ANON), 1), "U");
}

/* ---- mappings that refuse the lock ---- */

FORKED_TEST(special, "the vdso and vvar pages: success, but not locked and not charged")
{
	static const char *const names[] = { "[vdso]", "[vvar]" };
	char *text;
	struct map m;
	int found = 0;

	for (int i = 0; i < 2; i++) {
		text = slurp("/proc/self/maps");
		while (map_next(&text, &m)) {
			if (strcmp(m.name, names[i]))
				continue;
			found++;
			CHECK_EQ(SYS(mlock, m.start, m.end - m.start), 0);
			CHECK_EQ(vmlck(), 0);
			CHECK_EQ(locks((void *)m.start, 1)[0], 'U');
			CHECK_EQ(SYS(munlock, m.start, m.end - m.start), 0);
			break;
		}
	}
	if (!found)
		SKIP("this kernel maps neither");
}

FORKED_TEST(vsyscall, "the vsyscall page is in no mapping of the process: ENOMEM")
{
	CHECK_EQ(SYS(mlock, 0xffffffffff600000UL, PAGE), -ENOMEM);
}

FORKED_TEST(secret, "memfd_secret: born locked and charged, stays so; mlock of it is ENOMEM")
{
	long fd = SYS_(447, 0, 0, 0, 0, 0, 0);

	if (fd < 0)
		SKIP("no memfd_secret here");
	MUST(!ftruncate((int)fd, 4 * PAGE));
	char *p = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, (int)fd, 0);

	MUST(p != MAP_FAILED);
	CHECK_STR(locks(p, 4), "LLLL");
	CHECK_EQ(vmlck(), 4);
	CHECK_EQ(SYS(mlock, p, 4 * PAGE), -ENOMEM);
	CHECK_EQ(SYS(munlock, p, 4 * PAGE), 0);
	CHECK_STR(locks(p, 4), "LLLL");
	ordinary_user(4 * PAGE);
	CHECK_EQ(SYS(mmap, 0, 4 * PAGE, RW, MAP_SHARED, fd, 0), -EAGAIN);
}

FORKED_TEST(droppable, "MAP_DROPPABLE: success without a lock; MAP_DROPPABLE|MAP_LOCKED is EINVAL")
{
	char *p = mmap(NULL, 4 * PAGE, RW, MAP_ANONYMOUS | 8, -1, 0);

	if (p == MAP_FAILED)
		SKIP("no MAP_DROPPABLE here");
	CHECK_EQ(SYS(mlock, p, 4 * PAGE), 0);
	CHECK_STR(locks(p, 4), "UUUU");
	CHECK_EQ(vmlck(), 0);
	CHECK_EQ(smaps_kb(p, "Rss"), 16);
	CHECK_EQ(SYS(mmap, 0, 4 * PAGE, RW, MAP_ANONYMOUS | MAP_LOCKED | 8, -1, 0), -EINVAL);
	MUST(!mlockall(MCL_FUTURE));
	p = mmap(NULL, 4 * PAGE, RW, MAP_ANONYMOUS | 8, -1, 0);
	CHECK_STR(locks(p, 4), "UUUU");
}

FORKED_TEST(guard,
	    "guard pages: mlock is ENOMEM there, POPULATE EFAULT; a locked range takes no guard")
{
	char *p = lonely_anon(6);

	if (SYS(madvise, p + 2 * PAGE, PAGE, 102))
		SKIP("no MADV_GUARD_INSTALL here");
	CHECK_EQ(SYS(mlock, p, 6 * PAGE), -ENOMEM);
	CHECK_EQ(rss(p, 6), 2);
	CHECK_EQ(SYS(madvise, p, 6 * PAGE, MADV_POPULATE_WRITE), -EFAULT);
	CHECK_EQ(SYS(madvise, p, PAGE, 102), -EINVAL);
}

FORKED_TEST(
	shm,
	"SHM_LOCK is a property of the segment: it shows neither in VmLck nor in the mapping's flags")
{
	long id = SYS_(29, 0, 4 * PAGE, 01600, 0, 0, 0); /* shmget(IPC_PRIVATE, IPC_CREAT) */

	if (id < 0)
		SKIP("no System V shared memory here");
	char *p = (char *)SYS_(30, id, 0, 0, 0, 0, 0);

	CHECK((long)p > 0);
	CHECK_EQ(SYS_(31, id, 11, 0, 0, 0, 0), 0);
	CHECK_EQ(vmlck(), 0);
	CHECK_STR(locks(p, 4), "UUUU");
	CHECK_EQ(SYS_(31, id, 0, 0, 0, 0, 0), 0);
	MUST(!mlockall(MCL_FUTURE));
	char *q = (char *)SYS_(30, id, 0, 0, 0, 0, 0);

	CHECK_STR(locks(q, 4), "LLLL");
	CHECK_EQ(vmlck(), 4);
	CHECK_EQ(smaps_kb(q, "Rss"), 16);
}

/* ---- signals ---- */

static volatile int alarms;

static void on_alarm(int sig UNUSED)
{
	alarms++;
}

FORKED_TEST(signal_, "a signal does not interrupt mlock: it arrives when the call returns 0")
{
	struct sigaction sa = { .sa_handler = on_alarm }; /* without SA_RESTART */
	struct itimerval it = { .it_value.tv_usec = 2000, .it_interval.tv_usec = 2000 };
	char *p = lonely_anon(16384);

	MUST(!sigaction(SIGALRM, &sa, NULL) && !setitimer(ITIMER_REAL, &it, NULL));
	for (int i = 0; i < 50 && alarms < 3; i++) {
		CHECK_EQ(SYS(mlock, p, 16384 * PAGE), 0);
		CHECK_EQ(SYS(munlock, p, 16384 * PAGE), 0);
		MUST(!madvise(p, 16384 * PAGE, MADV_DONTNEED));
	}
	it = (struct itimerval){ 0 };
	MUST(!setitimer(ITIMER_REAL, &it, NULL));
	CHECK(alarms >= 3);
}

FORKED_TEST(
	kill_,
	"SIGKILL ends a process in mlock of far more than it can have in that time; all memory comes back")
{
	size_t len = 512 * MIB;
	pid_t pid = fork();
	int status;

	MUST(pid >= 0);
	if (!pid) {
		char *p = mmap(NULL, len, RW, ANON | MAP_NORESERVE, -1, 0);

		for (;;) {
			mlock(p, len);
			madvise(p, len, MADV_DONTNEED_LOCKED);
		}
	}
	sleep_ms(20);
	MUST(!kill(pid, SIGKILL));
	status = wait_for(pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST_MAIN()

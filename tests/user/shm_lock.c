/* SPDX-License-Identifier: MIT
 *
 * SHM_LOCK: a segment's pages become unevictable, charged to the user; mappings know nothing of it.
 */
#include "shm.h"

static int id;
static char *p;

static void begin(size_t pages)
{
	id = segment(pages * PAGE);
	p = attach(id, NULL, 0);
	MUST(!shmctl(id, IPC_RMID, NULL));
}

FORKED_TEST(marks, "the mode shows it, VmLck and VmFlags do not, nothing is populated")
{
	begin(4);
	CHECK_OK(shmctl(id, SHM_LOCK, NULL));
	CHECK_EQ(shm_stat_of(id).shm_perm.mode, 0600 | 01000 | 02000);
	CHECK_EQ(vmlck(), 0);
	CHECK_STR(locks(p, 4), "UUUU");
	CHECK_EQ(rss(p, 4), 0);
	CHECK_OK(shmctl(id, SHM_LOCK, NULL));
	CHECK_OK(shmctl(id, SHM_UNLOCK, NULL));
	CHECK_EQ(shm_stat_of(id).shm_perm.mode, 0600 | 01000);
	CHECK_OK(shmctl(id, SHM_UNLOCK, NULL));
}

FORKED_TEST(lazy,
	    "pages that come later are unevictable at once, those from before stay where they are")
{
	struct events before;

	begin(4);
	store(p, 1);
	drain_batches();
	before = events_now();
	CHECK_OK(shmctl(id, SHM_LOCK, NULL));
	store(p + PAGE, 1);
	drain_batches();
	CHECK(!(kpageflags(p) & KPF_UNEVICTABLE));
	CHECK_EQ(kpageflags(p + PAGE) & KPF_LOCK_BITS, KPF_LRU | KPF_UNEVICTABLE);
	CHECK_RANGE(events_now().culled - before.culled, 1, 3);
}

FORKED_TEST(rescue,
	    "SHM_UNLOCK looks at every page of the segment and brings back the unevictable ones")
{
	struct events before, after;
	long scanned;

	begin(4);
	store(p, 1);
	drain_batches();
	CHECK_OK(shmctl(id, SHM_LOCK, NULL));
	store(p + PAGE, 1);
	drain_batches();
	before = events_now();
	scanned = proc_value("/proc/vmstat", "unevictable_pgs_scanned ");
	CHECK_OK(shmctl(id, SHM_UNLOCK, NULL));
	after = events_now();
	CHECK_EQ(proc_value("/proc/vmstat", "unevictable_pgs_scanned ") - scanned, 2);
	CHECK_EQ(after.rescued - before.rescued, 1);
	CHECK_EQ(kpageflags(p + PAGE) & KPF_LOCK_BITS, KPF_LRU);
}

FORKED_TEST(with_mlock, "mlock counts on top: a page is evictable when neither holds it any more")
{
	begin(2);
	CHECK_OK(shmctl(id, SHM_LOCK, NULL));
	CHECK_OK(mlock(p, PAGE));
	drain_batches();
	CHECK_EQ(kpageflags(p) & KPF_LOCK_BITS, KPF_LOCK_BITS);
	CHECK_OK(munlock(p, PAGE));
	drain_batches();
	CHECK_EQ(kpageflags(p) & KPF_LOCK_BITS, KPF_LRU | KPF_UNEVICTABLE);
	CHECK_OK(mlock(p, PAGE));
	CHECK_OK(shmctl(id, SHM_UNLOCK, NULL));
	drain_batches();
	CHECK_EQ(kpageflags(p) & KPF_LOCK_BITS, KPF_LOCK_BITS);
	CHECK_OK(munlock(p, PAGE));
	drain_batches();
	CHECK_EQ(kpageflags(p) & KPF_LOCK_BITS, KPF_LRU);
}

FORKED_TEST(gauges, "Unevictable has the pages, Mlocked has not; both lose them with the segment")
{
	long unevictable, mlocked;

	begin(256);
	unevictable = proc_value("/proc/meminfo", "Unevictable:");
	mlocked = proc_value("/proc/meminfo", "Mlocked:");
	CHECK_OK(shmctl(id, SHM_LOCK, NULL));
	fill(p, 256);
	drain_batches();
	CHECK_RANGE(proc_value("/proc/meminfo", "Unevictable:") - unevictable, 800, 1200);
	CHECK_RANGE(proc_value("/proc/meminfo", "Mlocked:") - mlocked, -100, 100);
	CHECK_OK(shmdt(p));
	CHECK_RANGE(proc_value("/proc/meminfo", "Unevictable:") - unevictable, -100, 100);
}

FORKED_TEST(limit, "charged to the user, all of the size, against the caller's RLIMIT_MEMLOCK")
{
	int other;

	ordinary_user(4 * PAGE);
	begin(3);
	other = segment(2 * PAGE);
	CHECK_OK(shmctl(id, SHM_LOCK, NULL));
	CHECK_ERR(shmctl(other, SHM_LOCK, NULL), ENOMEM);
	CHECK_EQ(shm_stat_of(other).shm_perm.mode, 0600);
	CHECK_OK(mlock(map_anon(4 * PAGE, RW), 4 * PAGE));
	CHECK_OK(shmctl(id, SHM_UNLOCK, NULL));
	CHECK_OK(shmctl(other, SHM_LOCK, NULL));
	CHECK_ERR(shmctl(id, SHM_LOCK, NULL), ENOMEM);
	CHECK_OK(shmctl(other, IPC_RMID, NULL));
	CHECK_OK(shmctl(id, SHM_LOCK, NULL));
}

FORKED_TEST(limit_zero, "a limit of 0 is EPERM for locking and no obstacle for unlocking")
{
	ordinary_user(PAGE);
	begin(1);
	CHECK_OK(shmctl(id, SHM_LOCK, NULL));
	set_memlock(0);
	CHECK_ERR(shmctl(id, SHM_LOCK, NULL), EPERM);
	CHECK_OK(shmctl(id, SHM_UNLOCK, NULL));
}

FORKED_TEST(future, "under mlockall(MCL_FUTURE) an attach is locked and filled like any mapping")
{
	MUST(!mlockall(MCL_FUTURE));
	begin(4);
	CHECK_STR(locks(p, 4), "LLLL");
	CHECK_EQ(vmlck(), 4);
	CHECK_EQ(rss(p, 4), 4);
	CHECK_OK(shmdt(p));
	CHECK_EQ(vmlck(), 0);
}

TEST_MAIN()

/* SPDX-License-Identifier: MIT
 *
 * MADV_COLLAPSE of shared memory: small pages of a file become one of 2 MiB for all who map it, with what was in them, and
 * locked if they were; or the errno that Linux has. There, too, others who map the file may find their entries gone until
 * they touch it again.
 */
#include "folio.h"
#include <sys/mount.h>

#define PAGES (HUGE / PAGE)

static int memfd(size_t size)
{
	int fd = memfd_create("collapse", MFD_CLOEXEC);

	MUST(fd >= 0 && !ftruncate(fd, (off_t)size));
	return fd;
}

/* At 2 MiB and so many pages, with room around it. */
static char *map_at_page(int fd, size_t size, int flags, size_t page)
{
	char *all = map_anon(size + 3 * HUGE, PROT_NONE), *p;

	MUST(!munmap(all, size + 3 * HUGE));
	p = (char *)(((uintptr_t)all + 2 * HUGE - 1) & ~(HUGE - 1)) + page * PAGE;
	MUST(mmap(p, size, RW, flags | MAP_FIXED_NOREPLACE, fd, 0) == p);
	return p;
}

static char *map_file(int fd, size_t size, int flags)
{
	return map_at_page(fd, size, flags, 0);
}

/* 0 or errno. Linux 6.18 wants to hear MADV_HUGEPAGE first; 6.1 does not, but wants a page table there. */
static int collapse(char *p, size_t size)
{
	MUST(!madvise(p, size, MADV_HUGEPAGE));
	return madvise(p, size, MADV_COLLAPSE) ? errno : 0;
}

static long pmd_mapped(const void *p)
{
	return smaps_kb(p, "ShmemPmdMapped");
}

static long blocks(int fd)
{
	struct stat st;

	MUST(!fstat(fd, &st));
	return (long)st.st_blocks / 8;
}

static char mark(size_t i)
{
	return (char)(i * 7 + 3);
}

static void fill_marks(char *p, size_t step)
{
	for (size_t i = 0; i < PAGES; i += step)
		p[i * PAGE + i] = mark(i);
}

/* Pages that have neither their mark nor, if they got none, zeroes. */
static long wrong(const char *p, size_t step)
{
	long n = 0;

	for (size_t i = 0; i < PAGES; i++)
		n += p[i * PAGE + i] != (i % step ? 0 : mark(i)) || p[i * PAGE + 4000];
	return n;
}

TEST(contents, "pages keep their contents, and holes become zeroes")
{
	static const size_t steps[] = { 1, 2, 3, 100, 511 };

	if (!set_shmem_enabled("never"))
		SKIP(NO_SHMEM_ENABLED);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int fd = memfd(HUGE);
		char *p = map_file(fd, HUGE, MAP_SHARED);

		fill_marks(p, steps[i]);
		CHECK_EQ(pmd_mapped(p), 0);
		CHECK_EQ(collapse(p, HUGE), 0);
		CHECK_EQ(pmd_mapped(p), 2048);
		CHECK_EQ(smaps_kb(p, "Rss"), 2048);
		CHECK_EQ(kpageflags(p) & KPF_THP, KPF_THP);
		CHECK_EQ(pfn_of(p + 511 * PAGE), pfn_of(p) + 511);
		CHECK_EQ(blocks(fd), (long)PAGES);
		CHECK_EQ(wrong(p, steps[i]), 0);
		CHECK_EQ(collapse(p, HUGE), 0);
		MUST(!munmap(p, HUGE));
		close(fd);
	}
}

TEST(unmapped, "it is the file that is collapsed, whether its pages are mapped or not")
{
	if (!set_shmem_enabled("never"))
		SKIP(NO_SHMEM_ENABLED);
	int fd = memfd(HUGE);
	char *p = map_file(fd, HUGE, MAP_SHARED);
	char byte;

	CHECK_EQ(pwrite(fd, "x", 1, 77 * (off_t)PAGE), 1);
	CHECK_EQ(load(p + 200 * PAGE), 0);
	CHECK_EQ(smaps_kb(p, "Rss"), 4);
	CHECK_EQ(collapse(p, HUGE), 0);
	CHECK_EQ(pmd_mapped(p), 2048);
	CHECK_EQ(load(p + 77 * PAGE), 'x');
	/* One that is there already is mapped. */
	MUST(!madvise(p, HUGE, MADV_DONTNEED));
	CHECK_EQ(pmd_mapped(p), 0);
	CHECK_EQ(collapse(p, HUGE), 0);
	CHECK_EQ(pmd_mapped(p), 2048);
	store(p + 5 * PAGE, 'y');
	CHECK_EQ(pread(fd, &byte, 1, 5 * (off_t)PAGE), 1);
	CHECK_EQ(byte, 'y');
	MUST(!munmap(p, HUGE));
	close(fd);
}

TEST(refused, "what cannot be collapsed is left alone: EINVAL")
{
	if (!set_shmem_enabled("never"))
		SKIP(NO_SHMEM_ENABLED);
	int fd = memfd(2 * HUGE);
	char *p = map_file(fd, 2 * HUGE, MAP_SHARED), *odd = map_at_page(fd, HUGE, MAP_SHARED, 5);

	CHECK_EQ(collapse(p, HUGE), EINVAL); /* there is nothing */
	CHECK_EQ(blocks(fd), 0);
	fill_marks(p, 1);
	CHECK_EQ(collapse(odd, HUGE), EINVAL); /* address and offset do not agree */
	MUST(tell(SHMEM_ENABLED, "deny"));
	CHECK_EQ(collapse(p, HUGE), EINVAL);
	MUST(tell(SHMEM_ENABLED, "never"));
	MUST(!madvise(p, HUGE, MADV_NOHUGEPAGE));
	CHECK_ERR(madvise(p, HUGE, MADV_COLLAPSE), EINVAL);
	CHECK_EQ(wrong(p, 1), 0);
	CHECK_EQ(pmd_mapped(p), 0);
	CHECK_EQ(collapse(p, HUGE), 0);
	CHECK_EQ(wrong(p, 1), 0);
	MUST(!munmap(p, 2 * HUGE) && !munmap(odd, HUGE));
	close(fd);
}

TEST(locked, "locked pages are locked afterwards, the holes among them, too")
{
	long before;

	if (!set_shmem_enabled("never"))
		SKIP(NO_SHMEM_ENABLED);
	int fd = memfd(HUGE);
	char *p = map_file(fd, HUGE, MAP_SHARED);

	fill_marks(p, 2);
	drain_batches();
	before = proc_value("/proc/meminfo", "Mlocked:");
	MUST(!syscall(SYS_mlock2, p, HUGE, 1 /* MLOCK_ONFAULT */));
	CHECK_EQ(smaps_kb(p, "Locked"), 1024);
	CHECK_EQ(collapse(p, HUGE), 0);
	CHECK_EQ(pmd_mapped(p), 2048);
	CHECK_EQ(smaps_kb(p, "Locked"), 2048);
	drain_batches();
	CHECK_EQ(kpageflags(p) & KPF_LOCK_BITS, KPF_LOCK_BITS);
	if (on_faultline())
		CHECK_EQ(proc_value("/proc/meminfo", "Mlocked:") - before, 2048);
	CHECK_EQ(wrong(p, 2), 0);
	MUST(!munlock(p, HUGE));
	drain_batches();
	CHECK_EQ(kpageflags(p) & (KPF_UNEVICTABLE | KPF_MLOCKED), 0);
	MUST(!munmap(p, HUGE));
	close(fd);
}

TEST(other_locker, "what another mapping has locked stays there")
{
	if (!set_shmem_enabled("never"))
		SKIP(NO_SHMEM_ENABLED);
	int fd = memfd(HUGE);
	char *p = map_file(fd, HUGE, MAP_SHARED), *q = map_at_page(fd, HUGE, MAP_SHARED, 9);

	fill_marks(p, 1);
	MUST(!mlock(q + 100 * PAGE, 10 * PAGE));
	CHECK_EQ(collapse(p, HUGE), 0);
	if (on_faultline()) { /* Linux takes them out, VM_LOCKED or not */
		CHECK_EQ(smaps_kb(q + 100 * PAGE, "Locked"), 20); /* a share of it, as Pss */
		CHECK_EQ(resident(q + 100 * PAGE, 10 * PAGE), 10);
	}
	CHECK_EQ(load(q + 105 * PAGE + 105), (unsigned char)mark(105));
	CHECK_EQ(pfn_of(q + 105 * PAGE), pfn_of(p) + 105);
	MUST(!munmap(p, HUGE) && !munmap(q, HUGE));
	close(fd);
}

TEST(mappers, "all who map it see the same: aligned ones 2 MiB, others parts of it")
{
	if (!set_shmem_enabled("never"))
		SKIP(NO_SHMEM_ENABLED);
	int fd = memfd(HUGE);
	char *p = map_file(fd, HUGE, MAP_SHARED), *q = map_file(fd, HUGE, MAP_SHARED);
	char *odd = map_at_page(fd, HUGE, MAP_SHARED, 3);
	pid_t pid;

	fill_marks(p, 1);
	CHECK_EQ(wrong(q, 1), 0);
	CHECK_EQ(load(odd + 8 * PAGE + 8), (unsigned char)mark(8));
	pid = fork_checked();
	if (!pid) {
		CHECK_EQ(load(p + 1), 0);
		CHECK_EQ(collapse(p, HUGE), 0);
		store(p + 200 * PAGE + 200, 99);
		child_exit();
	}
	reap_checked(pid);
	CHECK_EQ(load(q + 200 * PAGE + 200), 99);
	CHECK_EQ(load(odd + 200 * PAGE + 200), 99);
	store(odd + 200 * PAGE + 200, mark(200));
	CHECK_EQ(wrong(p, 1), 0);
	CHECK_EQ(wrong(q, 1), 0);
	if (on_faultline()) { /* Linux 6.1 leaves that to khugepaged */
		CHECK_EQ(pmd_mapped(p), 2048);
		CHECK_EQ(pmd_mapped(q), 2048);
	}
	CHECK_EQ(pmd_mapped(odd), 0);
	CHECK_EQ(load(odd + 8 * PAGE + 8), (unsigned char)mark(8));
	CHECK_EQ(pfn_of(odd + 8 * PAGE), pfn_of(p) + 8);
	MUST(!munmap(p, HUGE) && !munmap(q, HUGE) && !munmap(odd, HUGE));
	close(fd);
}

TEST(private_copies, "a private mapping keeps its copies, and is not mapped as one with them")
{
	if (!set_shmem_enabled("never"))
		SKIP(NO_SHMEM_ENABLED);
	int fd = memfd(HUGE);
	char *p = map_file(fd, HUGE, MAP_SHARED), *q = map_file(fd, HUGE, MAP_PRIVATE);

	fill_marks(p, 1);
	CHECK_EQ(load(q + 1), 0);
	CHECK_EQ(collapse(q, HUGE), 0);
	CHECK_EQ(pmd_mapped(q), 2048);
	MUST(!munmap(q, HUGE) && !munmap(p, HUGE));
	close(fd);
	fd = memfd(HUGE);
	p = map_file(fd, HUGE, MAP_SHARED);
	q = map_file(fd, HUGE, MAP_PRIVATE);
	fill_marks(p, 1);
	store(q + 30 * PAGE, 55);
	CHECK_EQ(collapse(q, HUGE), EINVAL);
	CHECK_EQ(pmd_mapped(q), 0);
	CHECK_EQ(smaps_kb(q, "Anonymous"), 4);
	CHECK_EQ(load(q + 30 * PAGE), 55);
	CHECK_EQ(load(p + 30 * PAGE), 0);
	CHECK_EQ(load(q + 31 * PAGE + 31), (unsigned char)mark(31));
	CHECK_EQ(collapse(p, HUGE), 0);
	CHECK_EQ(pmd_mapped(p), 2048);
	CHECK_EQ(wrong(p, 1), 0);
	CHECK_EQ(load(q + 30 * PAGE), 55);
	MUST(!munmap(q, HUGE) && !munmap(p, HUGE));
	close(fd);
}

TEST(rights, "rights are those of the mapping")
{
	if (!set_shmem_enabled("never"))
		SKIP(NO_SHMEM_ENABLED);
	int fd = memfd(HUGE);
	char *p = map_file(fd, HUGE, MAP_SHARED);

	fill_marks(p, 1);
	MUST(!mprotect(p, HUGE, PROT_READ));
	CHECK_EQ(collapse(p, HUGE), 0);
	CHECK_EQ(pmd_mapped(p), 2048);
	faults_catch();
	CHECK_FAULT(store(p, 1), SIGSEGV, SEGV_ACCERR, p);
	faults_release();
	MUST(!mprotect(p, HUGE, RW));
	store(p + 1, 2);
	CHECK_EQ(wrong(p, 1), 0);
	MUST(!munmap(p, HUGE));
	close(fd);
}

TEST(cut_again, "truncation and holes cut what was collapsed")
{
	if (!set_shmem_enabled("never"))
		SKIP(NO_SHMEM_ENABLED);
	int fd = memfd(HUGE);
	char *p = map_file(fd, HUGE, MAP_SHARED);

	fill_marks(p, 1);
	CHECK_EQ(collapse(p, HUGE), 0);
	MUST(!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 10 * (off_t)PAGE,
			(off_t)PAGE));
	CHECK_EQ(blocks(fd), (long)PAGES - 1);
	CHECK_EQ(load(p + 10 * PAGE + 10), 0);
	CHECK_EQ(load(p + 11 * PAGE + 11), (unsigned char)mark(11));
	p[10 * PAGE + 10] = mark(10);
	CHECK_EQ(wrong(p, 1), 0);
	CHECK_EQ(collapse(p, HUGE), 0);
	CHECK_EQ(pmd_mapped(p), 2048);
	MUST(!ftruncate(fd, 256 * (off_t)PAGE));
	faults_catch();
	CHECK_FAULT(load(p + 256 * PAGE), SIGBUS, BUS_ADRERR, p + 256 * PAGE);
	faults_release();
	/* What is beyond the end is no matter. */
	CHECK_EQ(load(p + 1), 0);
	CHECK_EQ(collapse(p, HUGE), 0);
	MUST(!ftruncate(fd, (off_t)HUGE));
	for (size_t i = 0; i < PAGES; i++)
		CHECK_EQ(p[i * PAGE + i], i < 256 ? mark(i) : 0);
	MUST(!munmap(p, HUGE));
	close(fd);
}

TEST(anonymous, "shared anonymous memory, and a range of several 2 MiB")
{
	if (!set_shmem_enabled("never"))
		SKIP(NO_SHMEM_ENABLED);
	char *all = map_file(-1, 4 * HUGE, MAP_SHARED | MAP_ANONYMOUS);

	for (size_t i = 0; i < 4; i++)
		fill_marks(all + i * HUGE, 5);
	CHECK_EQ(collapse(all + HUGE - PAGE, 2 * HUGE + 2 * PAGE), 0);
	CHECK_EQ(pmd_mapped(all + HUGE), 2 * 2048);
	CHECK_EQ(collapse(all, 4 * HUGE), 0);
	CHECK_EQ(pmd_mapped(all), 4 * 2048);
	for (size_t i = 0; i < 4; i++)
		CHECK_EQ(wrong(all + i * HUGE, 5), 0);
	MUST(!munmap(all, 4 * HUGE));
}

TEST(no_space, "a mount without room for the holes stays as it is")
{
	char *dir = scratch("mnt"), name[256];
	char *p;
	int fd;

	if (!set_shmem_enabled("never"))
		SKIP(NO_SHMEM_ENABLED);
	MUST(!mkdir(dir, 0700) || errno == EEXIST);
	if (mount("tmpfs", dir, "tmpfs", 0, "size=1028k"))
		SKIP("not allowed to mount");
	snprintf(name, sizeof(name), "%s/file", dir);
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	MUST(fd >= 0 && !ftruncate(fd, (off_t)HUGE));
	p = map_file(fd, HUGE, MAP_SHARED);
	fill_marks(p, 3);
	CHECK_EQ(collapse(p, HUGE), EINVAL);
	CHECK_EQ(blocks(fd), 171);
	CHECK_EQ(load(p + 3 * PAGE + 3), (unsigned char)mark(3));
	MUST(!munmap(p, HUGE));
	close(fd);
	MUST(!umount(dir) && !rmdir(dir));
}

TEST_MAIN()

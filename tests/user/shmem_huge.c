/* SPDX-License-Identifier: MIT
 *
 * 2 MiB of shared memory, of a memfd and of tmpfs as one page: who gets it, what is seen of it in /proc, and that its
 * parts are still pages: copied, locked, truncated, punched out one by one.
 */
#include "folio.h"
#include <sys/mount.h>
#include <sys/vfs.h>

#define PAGES (HUGE / PAGE)

/* An address with 2 MiB free on both sides, aligned to 2 MiB. */
static char *place(void)
{
	char *all = map_anon(4 * HUGE, PROT_NONE);

	MUST(!munmap(all, 4 * HUGE));
	return (char *)(((uintptr_t)all + 2 * HUGE - 1) & ~(HUGE - 1));
}

static char *map_huge(int fd, int prot, int flags)
{
	char *want = place();
	char *p = mmap(want, HUGE, prot, flags | MAP_FIXED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);

	MUST(p == want);
	MUST(!madvise(p, HUGE, MADV_HUGEPAGE));
	return p;
}

static int memfd(void)
{
	int fd = memfd_create("huge", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	MUST(fd >= 0);
	MUST(!ftruncate(fd, (off_t)HUGE));
	return fd;
}

static long pmd_mapped(const void *p)
{
	return smaps_kb(p, "ShmemPmdMapped");
}

static bool is_compound(const char *p)
{
	return kpageflags(p) & KPF_COMPOUND;
}

static unsigned char mark(size_t i)
{
	return (unsigned char)(i * 3 + 1);
}

static void fill_marks(char *p)
{
	for (size_t i = 0; i < PAGES; i++)
		p[i * PAGE + i] = (char)mark(i);
}

/* Pages of [first, after) that are not `gone`, and others that do not have their mark. */
static long wrong(const char *p, size_t first, size_t after, int gone)
{
	long n = 0;

	for (size_t i = 0; i < PAGES; i++) {
		unsigned char byte = (unsigned char)p[i * PAGE + i];

		n += byte != (i >= first && i < after ? gone : mark(i));
	}
	return n;
}

TEST(shared_anon, "shared anonymous memory of MADV_HUGEPAGE is one page of 2 MiB")
{
	long before;
	char *p;

	if (!set_shmem_enabled("advise"))
		SKIP(NO_SHMEM_ENABLED);
	before = proc_value("/proc/meminfo", "ShmemHugePages:");
	p = map_huge(-1, RW, MAP_SHARED);
	CHECK_EQ(smaps_kb(p, "THPeligible"), 1);
	store(p + 77 * PAGE, 1);
	CHECK_EQ(pmd_mapped(p), 2048);
	CHECK_EQ(smaps_kb(p, "Rss"), 2048);
	CHECK_EQ(smaps_kb(p, "AnonHugePages"), 0);
	CHECK_EQ(kpageflags(p) & (KPF_THP | KPF_COMPOUND), KPF_THP | KPF_COMPOUND_HEAD);
	CHECK_EQ(kpageflags(p + PAGE) & (KPF_THP | KPF_COMPOUND), KPF_THP | KPF_COMPOUND_TAIL);
	CHECK_EQ(pfn_of(p + 511 * PAGE), pfn_of(p) + 511);
	CHECK_EQ(resident(p, HUGE), (long)PAGES);
	if (on_faultline())
		CHECK_EQ(proc_value("/proc/meminfo", "ShmemHugePages:"), before + 2048);
	fill_marks(p);
	CHECK_EQ(wrong(p, 0, 0, 0), 0);
	MUST(!munmap(p, HUGE));
	if (on_faultline())
		CHECK_EQ(proc_value("/proc/meminfo", "ShmemHugePages:"), before);
}

TEST(policy, "shmem_enabled says who gets 2 MiB")
{
	static const struct {
		const char *word;
		bool advised, unadvised;
	} cases[] = { { "never", false, false }, { "deny", false, false },
		      { "advise", true, false }, { "within_size", true, true },
		      { "always", true, true },	 { "force", true, true } };

	if (!set_shmem_enabled("advise"))
		SKIP(NO_SHMEM_ENABLED);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *p;

		MUST(set_shmem_enabled(cases[i].word));
		p = map_huge(-1, RW, MAP_SHARED);
		store(p, 1);
		CHECK_EQ(pmd_mapped(p), cases[i].advised ? 2048 : 0);
		MUST(!munmap(p, HUGE));
		p = map_at(place(), HUGE, PROT_NONE);
		MUST(mmap(p, HUGE, RW, MAP_SHARED | MAP_FIXED | MAP_ANONYMOUS, -1, 0) == p);
		store(p, 1);
		CHECK_EQ(pmd_mapped(p), cases[i].unadvised ? 2048 : 0);
		MUST(!madvise(p, HUGE, MADV_NOHUGEPAGE));
		MUST(!munmap(p, HUGE));
		p = map_huge(-1, RW, MAP_SHARED);
		MUST(!madvise(p, HUGE, MADV_NOHUGEPAGE));
		store(p, 1);
		CHECK_EQ(pmd_mapped(p), 0);
		MUST(!munmap(p, HUGE));
	}
	MUST(!tell(SHMEM_ENABLED, "sometimes"));
	MUST(set_shmem_enabled("advise"));
}

TEST(within_size, "within_size looks at the size of the file")
{
	if (!set_shmem_enabled("within_size"))
		SKIP(NO_SHMEM_ENABLED);
	int fd = memfd_create("small", MFD_CLOEXEC);
	char *p = place();

	MUST(fd >= 0 && !ftruncate(fd, (off_t)(HUGE - PAGE)));
	MUST(mmap(p, HUGE, RW, MAP_SHARED | MAP_FIXED, fd, 0) == p);
	store(p, 1);
	CHECK_EQ(pmd_mapped(p), 0);
	CHECK(!(kpageflags(p) & KPF_THP));
	MUST(!munmap(p, HUGE));
	close(fd);
}

TEST(read_write, "read(), write() and both kinds of mappings see the same")
{
	static char buf[HUGE];

	if (!set_shmem_enabled("always"))
		SKIP(NO_SHMEM_ENABLED);
	int fd = memfd();
	char *p, *q;

	for (size_t i = 0; i < PAGES; i++)
		buf[i * PAGE + i] = (char)mark(i);
	MUST(pwrite(fd, buf, HUGE, 0) == (ssize_t)HUGE);
	p = map_huge(fd, RW, MAP_SHARED);
	CHECK_EQ(wrong(p, 0, 0, 0), 0);
	CHECK_EQ(pmd_mapped(p), 2048);
	q = map_huge(fd, RW, MAP_PRIVATE);
	CHECK_EQ(wrong(q, 0, 0, 0), 0);
	store(p + 5 * PAGE, 200);
	CHECK_EQ(load(q + 5 * PAGE), 200);
	store(q + 6 * PAGE, 201);
	CHECK_EQ(load(p + 6 * PAGE), 0);
	CHECK_EQ(smaps_kb(q, "Anonymous"), 4);
	memset(buf, 0xff, sizeof(buf));
	MUST(pread(fd, buf, HUGE, 0) == (ssize_t)HUGE);
	CHECK_EQ(buf[5 * PAGE] & 255, 200);
	CHECK_EQ(wrong(buf, 0, 0, 0), 0);
	MUST(!munmap(p, HUGE) && !munmap(q, HUGE));
	close(fd);
}

TEST(forked, "parent and child have the same 2 MiB")
{
	if (!set_shmem_enabled("advise"))
		SKIP(NO_SHMEM_ENABLED);
	char *p = map_huge(-1, RW, MAP_SHARED);
	pid_t pid;

	fill_marks(p);
	pid = fork_checked();
	if (!pid) {
		CHECK_EQ(wrong(p, 0, 0, 0), 0);
		CHECK_EQ(pmd_mapped(p), 2048);
		store(p + 100 * PAGE, 50);
		child_exit();
	}
	reap_checked(pid);
	CHECK_EQ(load(p + 100 * PAGE), 50);
	CHECK_EQ(pmd_mapped(p), 2048);
	MUST(!munmap(p, HUGE));
}

TEST(truncated, "a file cut in the middle of 2 MiB loses what is beyond, and no more")
{
	static const size_t at[] = { 1, 2, 255, 256, 300, 511 };

	if (!set_shmem_enabled("advise"))
		SKIP(NO_SHMEM_ENABLED);
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		int fd = memfd();
		char *p = map_huge(fd, RW, MAP_SHARED);

		fill_marks(p);
		CHECK_EQ(pmd_mapped(p), 2048);
		MUST(!ftruncate(fd, (off_t)(at[i] * PAGE)));
		CHECK_EQ(pmd_mapped(p), 0);
		/* Linux: none of it is mapped any more. */
		if (on_faultline())
			CHECK_EQ(smaps_kb(p, "Rss"), (long)at[i] * 4);
		faults_catch();
		CHECK_FAULT(load(p + at[i] * PAGE), SIGBUS, BUS_ADRERR, p + at[i] * PAGE);
		faults_release();
		MUST(!ftruncate(fd, (off_t)HUGE));
		CHECK_EQ(wrong(p, at[i], PAGES, 0), 0);
		MUST(!munmap(p, HUGE));
		close(fd);
	}
}

TEST(punched, "a hole of one page leaves the others")
{
	if (!set_shmem_enabled("advise"))
		SKIP(NO_SHMEM_ENABLED);
	int fd = memfd();
	char *p = map_huge(fd, RW, MAP_SHARED);
	struct stat st;

	fill_marks(p);
	MUST(!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 300 * (off_t)PAGE,
			(off_t)PAGE));
	CHECK_EQ(wrong(p, 300, 301, 0), 0);
	MUST(!madvise(p + 10 * PAGE, 5 * PAGE, MADV_REMOVE));
	CHECK_EQ(load(p + 12 * PAGE + 12), 0);
	CHECK_EQ(load(p + 9 * PAGE + 9), mark(9));
	CHECK_EQ(load(p + 15 * PAGE + 15), mark(15));
	MUST(!munmap(p, HUGE));
	MUST(!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)HUGE));
	MUST(!fstat(fd, &st));
	CHECK_EQ(st.st_blocks, 0);
	CHECK_EQ(st.st_size, (off_t)HUGE);
	close(fd);
}

TEST(fallocated, "fallocate() makes 2 MiB at once; seals are as ever")
{
	if (!set_shmem_enabled("always"))
		SKIP(NO_SHMEM_ENABLED);
	int fd = memfd_create("huge", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct stat st;
	char *p;

	MUST(fd >= 0);
	MUST(!fallocate(fd, 0, 0, (off_t)HUGE));
	MUST(!fstat(fd, &st));
	CHECK_EQ(st.st_blocks, (blkcnt_t)(HUGE / 512));
	p = map_huge(fd, PROT_READ, MAP_SHARED);
	CHECK_EQ(load(p + 511 * PAGE), 0);
	CHECK_EQ(pmd_mapped(p), 2048);
	MUST(!fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
	CHECK_ERR(ftruncate(fd, (off_t)PAGE), EPERM);
	CHECK_ERR(ftruncate(fd, (off_t)(2 * HUGE)), EPERM);
	MUST(!munmap(p, HUGE));
	MUST(!fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	CHECK_ERR(write(fd, "x", 1), EPERM);
	CHECK_ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)PAGE), EPERM);
	close(fd);
}

TEST(parts, "rights, moves and locks of a part make entries of it")
{
	if (!set_shmem_enabled("advise"))
		SKIP(NO_SHMEM_ENABLED);
	char *p = map_huge(-1, RW, MAP_SHARED), *to = place() + HUGE;
	long before;

	fill_marks(p);
	drain_batches();
	before = proc_value("/proc/meminfo", "Mlocked:");
	CHECK_EQ(SYS(mlock, p, HUGE), 0);
	CHECK_EQ(vmlck(), (long)PAGES);
	if (on_faultline())
		CHECK_EQ(proc_value("/proc/meminfo", "Mlocked:") - before, 2048);
	CHECK_EQ(pmd_mapped(p), 2048);
	CHECK_EQ(SYS(munlock, p + 3 * PAGE, PAGE), 0);
	CHECK_EQ(pmd_mapped(p), 0);
	CHECK_EQ(vmlck(), (long)PAGES - 1);
	if (on_faultline())
		CHECK_EQ(proc_value("/proc/meminfo", "Mlocked:") - before, 2044);
	CHECK_EQ(SYS(munlock, p, HUGE), 0);
	CHECK_EQ(vmlck(), 0);
	CHECK_EQ(SYS(mprotect, p + 8 * PAGE, PAGE, PROT_READ), 0);
	CHECK_EQ(SYS(mremap, p + 100 * PAGE, 10 * PAGE, 10 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		     to),
		 to);
	for (size_t i = 0; i < 10; i++)
		CHECK_EQ(load(to + i * PAGE + 100 + i), mark(100 + i));
	CHECK(is_compound(to));
	CHECK_EQ(load(p + 8 * PAGE + 8), mark(8));
	MUST(!munmap(to, 10 * PAGE) && !munmap(p, HUGE));
}

#define SPLIT_FILE "/sys/kernel/debug/split_huge_pages"

TEST(split_on_demand, "2 MiB become pages when they are told to")
{
	char text[64];

	if (!set_shmem_enabled("advise"))
		SKIP(NO_SHMEM_ENABLED);
	if (access(SPLIT_FILE, W_OK))
		SKIP("no " SPLIT_FILE);
	for (int by_file = 0; by_file < 2; by_file++) {
		int fd = memfd();
		char *p = map_huge(fd, RW, MAP_SHARED);

		fill_marks(p);
		CHECK(is_compound(p + 300 * PAGE));
		if (by_file)
			snprintf(text, sizeof(text), "/proc/self/fd/%d,0x200,0x201", fd);
		else
			snprintf(text, sizeof(text), "%d,0x%lx,0x%lx", getpid(),
				 (unsigned long)p + 2 * HUGE, (unsigned long)p + 3 * HUGE);
		CHECK(tell(SPLIT_FILE, text));
		CHECK(is_compound(p + 300 * PAGE));
		if (by_file)
			snprintf(text, sizeof(text), "/proc/self/fd/%d,0x12c,0x12d", fd);
		else
			snprintf(text, sizeof(text), "%d,0x%lx,0x%lx", getpid(), (unsigned long)p,
				 (unsigned long)p + PAGE);
		CHECK(tell(SPLIT_FILE, text));
		CHECK(!is_compound(p) && !is_compound(p + 300 * PAGE));
		CHECK_EQ(wrong(p, 0, 0, 0), 0);
		MUST(!munmap(p, HUGE));
		close(fd);
	}
	CHECK(!tell(SPLIT_FILE, "1,2"));
	CHECK(!tell(SPLIT_FILE, "/nowhere,0x0,0x1"));
	CHECK(!tell(SPLIT_FILE, "0,0x0,0x1000"));
}

/* Where 2 MiB of the file could be mapped as one: offset is that of p. */
static bool is_aligned(const char *p, size_t offset)
{
	return ((uintptr_t)p - offset) % HUGE == 0;
}

static char *map_anywhere(size_t size, int flags, int fd, size_t offset)
{
	char *p = mmap(NULL, size, RW, flags, fd, (off_t)offset);

	MUST(p != MAP_FAILED);
	return p;
}

/* Of two mappings one after the other, neither of whole 2 MiB, both. */
static bool both_aligned(int flags, int fd)
{
	size_t size = HUGE + PAGE;
	char *p = map_anywhere(size, flags, fd, 0), *q = map_anywhere(size, flags, fd, 0);
	bool both = is_aligned(p, 0) && is_aligned(q, 0);

	MUST(!munmap(p, size) && !munmap(q, size));
	return both;
}

TEST(placed, "what may have 2 MiB is placed so that they can be mapped as one")
{
	static const struct {
		const char *word;
		bool aligned;
	} cases[] = { { "never", false },      { "deny", false },  { "advise", true },
		      { "within_size", true }, { "always", true }, { "force", true } };
	int fd = memfd(), zero = open("/dev/zero", O_RDWR | O_CLOEXEC);

	if (!set_shmem_enabled("advise"))
		SKIP(NO_SHMEM_ENABLED);
	MUST(zero >= 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool aligned = cases[i].aligned;

		MUST(set_shmem_enabled(cases[i].word));
		CHECK_EQ(both_aligned(MAP_SHARED, fd), aligned);
		CHECK_EQ(both_aligned(MAP_PRIVATE, fd), aligned);
		CHECK_EQ(both_aligned(MAP_SHARED | MAP_ANONYMOUS, -1), aligned);
		CHECK_EQ(both_aligned(MAP_SHARED, zero), aligned);
	}
	MUST(set_shmem_enabled("advise"));
	close(zero);
	close(fd);
}

TEST(placed_by_offset, "the place depends on the offset, and on a hint that is free")
{
	static const size_t offsets[] = { 0, PAGE, HUGE - PAGE, HUGE, 7 * PAGE + HUGE };
	int fd = memfd();
	char *p, *q, *hint;

	if (!set_shmem_enabled("advise"))
		SKIP(NO_SHMEM_ENABLED);
	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		p = map_anywhere(2 * HUGE + 3 * PAGE, MAP_SHARED, fd, offsets[i]);
		CHECK(is_aligned(p, offsets[i]));
		/* There is no room above it: what grows is moved. */
		q = mmap(p + 2 * HUGE + 3 * PAGE, PAGE, PROT_NONE, ANON | MAP_FIXED_NOREPLACE, -1,
			 0);
		MUST(q == p + 2 * HUGE + 3 * PAGE || errno == EEXIST);
		p = mremap(p, 2 * HUGE + 3 * PAGE, 3 * HUGE, MREMAP_MAYMOVE);
		MUST(p != MAP_FAILED);
		CHECK(is_aligned(p, offsets[i]));
		MUST(!munmap(p, 3 * HUGE));
		if (q != MAP_FAILED)
			MUST(!munmap(q, PAGE));
	}
	hint = place() + 5 * PAGE;
	p = mmap(hint, HUGE, RW, MAP_SHARED, fd, 0);
	CHECK_EQ(p, hint);
	/* A hint that is not free is none. */
	q = mmap(p + PAGE, HUGE, RW, MAP_SHARED, fd, 0);
	CHECK(q != MAP_FAILED && is_aligned(q, 0));
	MUST(!munmap(p, HUGE) && !munmap(q, HUGE));
	p = mmap(NULL, HUGE, RW, MAP_SHARED | MAP_32BIT, fd, 0);
	CHECK(p != MAP_FAILED && is_aligned(p, 0) && (uintptr_t)p + HUGE <= 1UL << 31);
	MUST(!munmap(p, HUGE));
	close(fd);
}

static char *mount_tmpfs(const char *options)
{
	char *dir = scratch("mnt");

	MUST(!mkdir(dir, 0700) || errno == EEXIST);
	return mount("tmpfs", dir, "tmpfs", 0, options) ? NULL : dir;
}

TEST(mounted, "mount option huge= decides for tmpfs")
{
	static const char *const words[] = { "never", "always", "within_size", "advise" };
	char options[64], name[256];

	if (!set_shmem_enabled("never"))
		SKIP(NO_SHMEM_ENABLED);
	for (size_t i = 0; i < 4; i++) {
		int fd;
		char *dir, *p;

		snprintf(options, sizeof(options), "size=16m,huge=%s", words[i]);
		dir = mount_tmpfs(options);
		if (!dir)
			SKIP("not allowed to mount");
		snprintf(name, sizeof(name), "%s/file", dir);
		fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		MUST(fd >= 0 && !ftruncate(fd, (off_t)HUGE));
		p = place();
		MUST(mmap(p, HUGE, RW, MAP_SHARED | MAP_FIXED, fd, 0) == p);
		store(p, 1);
		CHECK_EQ(pmd_mapped(p), i == 1 || i == 2 ? 2048 : 0);
		MUST(!munmap(p, HUGE));
		close(fd);
		MUST(!umount(dir));
	}
	CHECK(!mount_tmpfs("huge=perhaps"));
	MUST(set_shmem_enabled("deny"));
	MUST(mount_tmpfs("huge=always"));
	MUST(!umount(scratch("mnt")));
	MUST(!rmdir(scratch("mnt")));
}

/* A new file of 2 MiB has them as one after one byte was written. */
static bool gets_huge(const char *dir)
{
	char name[256], *p = place();
	bool huge;
	int fd;

	snprintf(name, sizeof(name), "%s/new", dir);
	fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	MUST(fd >= 0 && !ftruncate(fd, (off_t)HUGE));
	MUST(mmap(p, HUGE, RW, MAP_SHARED | MAP_FIXED, fd, 0) == p);
	store(p, 1);
	huge = pmd_mapped(p) == 2048;
	MUST(!munmap(p, HUGE) && !unlink(name));
	close(fd);
	return huge;
}

TEST(remounted, "a remount changes huge= and size=, and nothing that it does not mention")
{
	struct statfs sf;
	char *dir;

	if (!set_shmem_enabled("never"))
		SKIP(NO_SHMEM_ENABLED);
	dir = mount_tmpfs("size=16m,huge=never");
	if (!dir)
		SKIP("not allowed to mount");
	CHECK(!gets_huge(dir));
	CHECK_EQ(mount("tmpfs", dir, "tmpfs", MS_REMOUNT, "huge=always"), 0);
	CHECK(gets_huge(dir));
	MUST(!statfs(dir, &sf));
	CHECK_EQ(sf.f_blocks, 4096);
	CHECK_ERR(mount("tmpfs", dir, "tmpfs", MS_REMOUNT, "huge=perhaps"), EINVAL);
	CHECK_EQ(mount("tmpfs", dir, "tmpfs", MS_REMOUNT, "size=32m"), 0);
	MUST(!statfs(dir, &sf));
	CHECK_EQ(sf.f_blocks, 8192);
	CHECK(gets_huge(dir));
	CHECK_EQ(mount("tmpfs", dir, "tmpfs", MS_REMOUNT, "huge=never"), 0);
	CHECK(!gets_huge(dir));
	MUST(!umount(dir) && !rmdir(dir));
}

TEST(remounted_smaller,
     "a mount does not become smaller than what is in it, nor limited afterwards")
{
	struct statfs sf;
	char name[256];
	char *dir;
	int fd;

	dir = mount_tmpfs("size=8k");
	if (!dir)
		SKIP("not allowed to mount");
	snprintf(name, sizeof(name), "%s/file", dir);
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	MUST(fd >= 0);
	MUST(pwrite(fd, "x", 1, 0) == 1 && pwrite(fd, "x", 1, 4096) == 1);
	CHECK_ERR(mount("tmpfs", dir, "tmpfs", MS_REMOUNT, "size=4k"), EINVAL);
	CHECK_ERR(pwrite(fd, "x", 1, 8192), ENOSPC);
	CHECK_EQ(mount("tmpfs", dir, "tmpfs", MS_REMOUNT, "size=12k"), 0);
	CHECK_EQ(pwrite(fd, "x", 1, 8192), 1);
	CHECK_ERR(pwrite(fd, "x", 1, 12288), ENOSPC);
	CHECK_EQ(mount("tmpfs", dir, "tmpfs", MS_REMOUNT, "size=0"), 0);
	CHECK_EQ(pwrite(fd, "x", 1, 12288), 1);
	MUST(!statfs(dir, &sf));
	CHECK_EQ(sf.f_blocks, 0);
	CHECK_EQ(sf.f_bavail, 0);
	CHECK_ERR(mount("tmpfs", dir, "tmpfs", MS_REMOUNT, "size=1m"), EINVAL);
	close(fd);
	MUST(!umount(dir) && !rmdir(dir));
}

static long size_stat(unsigned int order, const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), THP_FILES "/hugepages-%ukB/stats/%s", 4U << order, name);
	return access(path, R_OK) ? -1 : atol(slurp(path));
}

TEST(statistics, "each size counts what it gave to shared memory")
{
	if (!set_shmem_enabled("never"))
		SKIP(NO_SHMEM_ENABLED);
	if (size_stat(MAX_ORDER, "shmem_alloc") < 0)
		SKIP("no statistics of sizes: Linux has them since 6.11");
	for (unsigned int order = MAX_ORDER; order >= MIN_ORDER; order--) {
		long before = size_stat(order, "shmem_alloc");
		int fd = memfd();
		char *p = place();

		MUST(tell(order_file(order, true), "always"));
		MUST(mmap(p, HUGE, RW, MAP_SHARED | MAP_FIXED, fd, 0) == p);
		store(p, 1);
		CHECK_RANGE(size_stat(order, "shmem_alloc") - before, 1, on_faultline() ? 1 : 100);
		CHECK(size_stat(order, "shmem_fallback") >= 0);
		CHECK(size_stat(order, "shmem_fallback_charge") >= 0);
		MUST(tell(order_file(order, true), "never"));
		MUST(!munmap(p, HUGE));
		close(fd);
	}
}

TEST(no_space, "a mount without room for 2 MiB has room for a page")
{
	struct statfs sf;
	char name[256];
	char *dir;
	int fd;

	if (!set_shmem_enabled("never"))
		SKIP(NO_SHMEM_ENABLED);
	dir = mount_tmpfs("size=1m,huge=always");
	if (!dir)
		SKIP("not allowed to mount");
	snprintf(name, sizeof(name), "%s/file", dir);
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	MUST(fd >= 0);
	CHECK_EQ(write(fd, "x", 1), 1);
	MUST(!fstatfs(fd, &sf));
	CHECK_EQ(sf.f_blocks, 256);
	CHECK_RANGE((long)sf.f_bfree, 0, 255);
	close(fd);
	MUST(!umount(dir) && !rmdir(dir));
}

TEST_MAIN()

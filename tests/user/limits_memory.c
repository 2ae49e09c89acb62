/* SPDX-License-Identifier: MIT
 *
 * RLIMIT_AS and RLIMIT_DATA on every call that enlarges an address space.
 */
#include "test.h"

static void limit(int which, unsigned long bytes)
{
	struct rlimit rl = { bytes, RLIM_INFINITY };

	MUST(!setrlimit(which, &rl));
}

static unsigned long vm_size(void)
{
	return proc_value("/proc/self/statm", "") * PAGE;
}

FORKED_TEST(as_mmap, "RLIMIT_AS: mmap up to the limit, ENOMEM beyond")
{
	limit(RLIMIT_AS, vm_size() + 16 * PAGE);
	CHECK_EQ(SYS(mmap, 0, 17 * PAGE, RW, ANON, -1, 0), -ENOMEM);
	CHECK_EQ(SYS(mmap, 0, 17 * PAGE, PROT_NONE, ANON, -1, 0), -ENOMEM);
	long p = SYS(mmap, 0, 16 * PAGE, RW, ANON, -1, 0);

	CHECK(p > 0);
	CHECK_EQ(SYS(mmap, 0, PAGE, RW, ANON, -1, 0), -ENOMEM);
	munmap((void *)p, PAGE);
	CHECK(SYS(mmap, 0, PAGE, RW, ANON, -1, 0) > 0);
}

FORKED_TEST(as_mremap, "RLIMIT_AS: mremap that grows")
{
	char *p = map_anon(4 * PAGE, RW);

	limit(RLIMIT_AS, vm_size() + 4 * PAGE);
	CHECK_EQ(SYS(mremap, p, 4 * PAGE, 9 * PAGE, MREMAP_MAYMOVE), -ENOMEM);
	CHECK(SYS(mremap, p, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE) > 0);
}

FORKED_TEST(as_brk, "RLIMIT_AS: brk")
{
	char *b = (char *)SYS(brk, 0);

	limit(RLIMIT_AS, vm_size() + 4 * PAGE);
	CHECK_EQ(SYS(brk, b + 16 * PAGE), b);
	CHECK_EQ(SYS(brk, b + 2 * PAGE), b + 2 * PAGE);
}

FORKED_TEST(as_fixed, "RLIMIT_AS: MAP_FIXED over existing pages needs no room")
{
	char *p = map_at(free_area(16), 16 * PAGE, RW);

	limit(RLIMIT_AS, vm_size());
	CHECK_EQ(SYS(mmap, p, 16 * PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0), p);
	CHECK_EQ(SYS(mmap, p, 17 * PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0), -ENOMEM);
}

FORKED_TEST(as_below_use, "a limit below what is mapped already takes nothing away")
{
	char *p = map_anon(4 * PAGE, RW);

	limit(RLIMIT_AS, PAGE);
	CHECK_NO_FAULT(store(p + 3 * PAGE, 1));
	CHECK_EQ(SYS(mmap, 0, PAGE, RW, ANON, -1, 0), -ENOMEM);
	IN_CHILD
	{
		CHECK_NO_FAULT(store(p, 1));
	}
}

FORKED_TEST(data_private,
	    "RLIMIT_DATA: private writable memory counts; read-only, shared, PROT_NONE do not")
{
	limit(RLIMIT_DATA, MIB);
	CHECK_EQ(SYS(mmap, 0, 4 * MIB, RW, ANON, -1, 0), -ENOMEM);
	long p = SYS(mmap, 0, 4 * MIB, PROT_READ, ANON, -1, 0);

	CHECK(p > 0);
	CHECK(SYS(mmap, 0, 4 * MIB, PROT_NONE, ANON, -1, 0) > 0);
	CHECK(SYS(mmap, 0, 4 * MIB, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0) > 0);
	CHECK_EQ(SYS(mprotect, p, 4 * MIB, RW), -ENOMEM);
	CHECK_EQ(SYS(mprotect, p, 64 * 1024, RW), 0);
}

FORKED_TEST(count_vm, "VmSize, VmData and VmPeak in status follow")
{
	long size = proc_value("/proc/self/status", "VmSize:");
	long data = proc_value("/proc/self/status", "VmData:");
	char *p = map_anon(MIB, RW), *q = map_anon(MIB, PROT_READ);

	CHECK_EQ(proc_value("/proc/self/status", "VmSize:"), size + 2048);
	CHECK_EQ(proc_value("/proc/self/status", "VmData:"), data + 1024);
	munmap(p, MIB);
	munmap(q, MIB);
	CHECK_EQ(proc_value("/proc/self/status", "VmSize:"), size);
	CHECK(proc_value("/proc/self/status", "VmPeak:") >= size + 2048);
}

FORKED_TEST(
	rlimit_calls,
	"setrlimit: soft above hard EINVAL, bad resource EINVAL, raising hard needs the capability")
{
	struct rlimit rl = { 10, 5 }, old;

	CHECK_ERR(setrlimit(RLIMIT_DATA, &rl), EINVAL);
	CHECK_EQ(SYS(prlimit64, 0, 16, NULL, &old), -EINVAL);
	CHECK_EQ(SYS(prlimit64, 0, -1, NULL, &old), -EINVAL);
	CHECK_EQ(SYS(prlimit64, 0, RLIMIT_DATA, KERNEL_ADDRESS, NULL), -EFAULT);
	CHECK_EQ(SYS(prlimit64, 0, RLIMIT_DATA, NULL, KERNEL_ADDRESS), -EFAULT);
	CHECK_EQ(SYS(prlimit64, 999999999, RLIMIT_DATA, NULL, &old), -ESRCH);
	rl = (struct rlimit){ 1000000, 2000000 };
	MUST(!setrlimit(RLIMIT_FSIZE, &rl));
	MUST(!getrlimit(RLIMIT_FSIZE, &old));
	CHECK_EQ(old.rlim_cur, 1000000);
	CHECK_EQ(old.rlim_max, 2000000);
	IN_CHILD
	{
		MUST(!getrlimit(RLIMIT_FSIZE, &old));
		CHECK_EQ(old.rlim_cur, 1000000);
	}
	MUST(!setuid(65534));
	rl = (struct rlimit){ 1000000, 3000000 };
	CHECK_ERR(setrlimit(RLIMIT_FSIZE, &rl), EPERM);
	rl = (struct rlimit){ 1500000, 1500000 };
	CHECK_OK(setrlimit(RLIMIT_FSIZE, &rl));
}

FORKED_TEST(data_mprotect,
	    "RLIMIT_DATA: whatever becomes writable counts, promised before or never")
{
	char *never = mmap(NULL, 4 * MIB, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
	char *before = map_anon(4 * MIB, RW);

	MUST(never != MAP_FAILED && !mprotect(before, 4 * MIB, PROT_READ));
	limit(RLIMIT_DATA, MIB);
	CHECK_EQ(SYS(mprotect, never, 4 * MIB, RW), -ENOMEM);
	CHECK_EQ(SYS(mprotect, before, 4 * MIB, RW), -ENOMEM);
}

FORKED_TEST(data_zero, "RLIMIT_DATA of 0 with a higher hard limit stops brk, not mmap")
{
	long b = SYS(brk, 0);
	struct rlimit r;

	MUST(!getrlimit(RLIMIT_DATA, &r));
	r.rlim_cur = 0;
	MUST(!setrlimit(RLIMIT_DATA, &r));
	CHECK_EQ(SYS(brk, b + (long)PAGE), b);
	CHECK(SYS(mmap, 0, MIB, RW, ANON, -1, 0) > 0);
}

TEST_MAIN()

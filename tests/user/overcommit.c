/* SPDX-License-Identifier: MIT
 *
 * vm.overcommit_memory 0: one obvious overcommit is refused, anything sensible is not.
 */
#include "test.h"

static unsigned long total_ram(void)
{
	return proc_value("/proc/meminfo", "MemTotal:") * 1024;
}

TEST(obvious, "one private writable mapping larger than all memory is ENOMEM")
{
	unsigned long len = total_ram() * 2 & -PAGE;

	if (proc_value("/proc/sys/vm/overcommit_memory", "") != 0)
		SKIP("vm.overcommit_memory is not 0 here");
	CHECK_EQ(SYS(mmap, 0, len, RW, ANON, -1, 0), -ENOMEM);
	CHECK_EQ(SYS(mmap, 0, len, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0), -ENOMEM);
}

TEST(noreserve, "with MAP_NORESERVE, read-only or PROT_NONE it is not")
{
	unsigned long len = total_ram() * 2 & -PAGE;
	long a = SYS(mmap, 0, len, RW, ANON | MAP_NORESERVE, -1, 0);
	long b = SYS(mmap, 0, len, PROT_NONE, ANON, -1, 0);
	long c = SYS(mmap, 0, len, PROT_READ, ANON, -1, 0);

	CHECK(a > 0);
	CHECK(b > 0);
	CHECK(c > 0);
	munmap((void *)a, len);
	munmap((void *)b, len);
	munmap((void *)c, len);
}

TEST(mprotect_charges, "making it writable by mprotect is the same promise: ENOMEM")
{
	unsigned long len = total_ram() * 2 & -PAGE;
	char *p = mmap(NULL, len, PROT_NONE, ANON, -1, 0);

	MUST(p != MAP_FAILED);
	if (proc_value("/proc/sys/vm/overcommit_memory", "") != 0)
		SKIP("vm.overcommit_memory is not 0 here");
	CHECK_ERR(mprotect(p, len, RW), ENOMEM);
	CHECK_OK(mprotect(p, PAGE, RW));
	munmap(p, len);
}

TEST(several, "several mappings of half the memory each are fine")
{
	unsigned long len = total_ram() / 2 & -PAGE;
	long p[4];

	for (int i = 0; i < 4; i++)
		CHECK((p[i] = SYS(mmap, 0, len, RW, ANON, -1, 0)) > 0);
	for (int i = 0; i < 4; i++)
		munmap((void *)p[i], len);
}

TEST(committed_as, "Committed_AS follows private writable and shared anonymous mappings")
{
	static const int flags[] = { ANON, MAP_SHARED | MAP_ANONYMOUS };

	for (int k = 0; k < 2; k++) {
		long change = 0;

		/* Others map and unmap meanwhile. */
		for (int i = 0; i < 20 && (change < 30000 || change > 36000); i++) {
			long before = proc_value("/proc/meminfo", "Committed_AS:");
			char *p = mmap(NULL, 32 * MIB, RW, flags[k], -1, 0);

			MUST(p != MAP_FAILED);
			change = proc_value("/proc/meminfo", "Committed_AS:") - before;
			munmap(p, 32 * MIB);
		}
		CHECK_RANGE(change, 30000, 36000);
	}
}

TEST_MAIN()

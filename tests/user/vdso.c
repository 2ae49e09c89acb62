/* SPDX-License-Identifier: MIT
 *
 * [vdso] and [vvar]: a shared object and its data, mapped by exec, which answer for the kernel.
 */
#include "test.h"
#include <elf.h>
#include <sys/auxv.h>

/* The mapping of this name. */
static struct map named(const char *name)
{
	char *text = slurp("/proc/self/maps");
	struct map m = { 0 };

	while (map_next(&text, &m))
		if (!strcmp(m.name, name))
			return m;
	say("# no %s\n", name);
	MUST(false);
	return m;
}

static char *vdso(size_t *len)
{
	struct map m = named("[vdso]");

	*len = m.end - m.start;
	return (char *)m.start;
}

TEST(elf, "AT_SYSINFO_EHDR is the start of [vdso], a shared object with one segment at 0")
{
	size_t len;
	const char *p = vdso(&len);
	const Elf64_Ehdr *eh = (const Elf64_Ehdr *)p;
	const Elf64_Phdr *ph = (const Elf64_Phdr *)(p + eh->e_phoff);
	int loads = 0, dynamics = 0;

	CHECK_EQ(getauxval(AT_SYSINFO_EHDR), (unsigned long)p);
	CHECK(!memcmp(eh->e_ident, ELFMAG, SELFMAG) && eh->e_type == ET_DYN);
	for (int i = 0; i < eh->e_phnum; i++) {
		if (ph[i].p_type == PT_LOAD) {
			loads++;
			CHECK_EQ(ph[i].p_vaddr, 0);
			CHECK(ph[i].p_memsz <= len);
		}
		dynamics += ph[i].p_type == PT_DYNAMIC;
	}
	CHECK_EQ(loads, 1);
	CHECK_EQ(dynamics, 1);
}

TEST(maps, "the rights that /proc/self/maps shows, and no file")
{
	struct map code = named("[vdso]"), data = named("[vvar]");

	CHECK_STR(code.perms, "r-xp");
	CHECK_STR(data.perms, "r--p");
	CHECK(data.end <= code.start);
	CHECK_EQ(code.inode, 0);
	CHECK_EQ(data.inode, 0);
}

FORKED_TEST(used, "clock_gettime runs there: it faults when the code is taken away")
{
	struct timespec ts;
	size_t len;
	char *p = vdso(&len);

	CHECK_OK(clock_gettime(CLOCK_MONOTONIC, &ts));
	MUST(!mprotect(p, len, PROT_NONE));
	CATCH(clock_gettime(CLOCK_MONOTONIC, &ts));
	CHECK_EQ(fault_seen.sig, SIGSEGV);
	CHECK(fault_seen.rip == fault_seen.addr && fault_seen.rip - (unsigned long)p < len);
	MUST(!mprotect(p, len, PROT_READ | PROT_EXEC));
	CHECK_OK(clock_gettime(CLOCK_MONOTONIC, &ts));
}

TEST(agrees, "it says what the kernel says")
{
	static const int clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW,
				      CLOCK_BOOTTIME };

	for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
		for (int n = 0; n < 1000; n++) {
			struct timespec ts;
			int64_t before = now_ns(clocks[i]), mid;

			MUST(!SYS(clock_gettime, clocks[i], &ts));
			mid = (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
			if (mid < before || now_ns(clocks[i]) < mid)
				FAIL("clock %d goes back", clocks[i]);
		}
	}
}

TEST(errors, "what it does not know the kernel answers")
{
	struct timespec ts;

	CHECK_OK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts));
	errno = 0;
	CHECK_EQ(clock_gettime(99, &ts), -1);
	CHECK_EQ(errno, EINVAL);
}

FORKED_TEST(data_is_not_written, "the data cannot be written, nor made writable")
{
	struct map m = named("[vvar]");

	CHECK_FAULT(store((char *)m.start, 1), SIGSEGV, SEGV_ACCERR, (char *)m.start);
	CHECK_EQ(SYS(mprotect, m.start, PAGE, RW), -EACCES);
}

FORKED_TEST(code_is_private, "a write to the code, once allowed, is this process's own")
{
	size_t len;
	volatile char *p = vdso(&len);
	struct timespec ts;
	char first = p[0];

	IN_CHILD
	{
		MUST(!mprotect((char *)p, len, PROT_READ | PROT_WRITE | PROT_EXEC));
		p[0] = 1;
		CHECK_EQ(p[0], 1);
		CHECK_OK(clock_gettime(CLOCK_MONOTONIC, &ts));
	}
	CHECK_EQ(p[0], first);
}

FORKED_TEST(no_growth, "neither grows, and both can be unmapped")
{
	size_t len;
	char *p = vdso(&len);
	struct map m = named("[vvar]");

	CHECK_EQ(SYS(mremap, p, len, len + PAGE, MREMAP_MAYMOVE), -EFAULT);
	CHECK_EQ(SYS(mremap, m.start, m.end - m.start, m.end - m.start + PAGE, MREMAP_MAYMOVE),
		 -EFAULT);
	CHECK_EQ(SYS(munmap, p, len), 0);
	CHECK_EQ(SYS(munmap, m.start, m.end - m.start), 0);
}

FORKED_TEST(inherited, "a child of fork has them, too")
{
	struct timespec ts;

	IN_CHILD
	{
		CHECK_OK(clock_gettime(CLOCK_REALTIME, &ts));
		CHECK_EQ(named("[vdso]").start, getauxval(AT_SYSINFO_EHDR));
	}
}

TEST_MAIN()

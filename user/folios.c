// SPDX-License-Identifier: MIT
/*
 * folios: what large folios save and what they cost.
 *
 *	case write, mlock, munlock, fork, munmap	64 MiB of anonymous memory, a page of 4 KiB
 *	case sparse	one page in 2 MiB is written: for each of them
 *	case sparse.kib	and how much memory that took, in KiB
 *
 * in ticks of the time-stamp counter, in the format of mmbench: guest instructions under QEMU's -icount.
 */
#define _GNU_SOURCE
#include "mmbench/bench.h"

#define HUGE (2 * MIB)
#define LEN (64 * MIB)

/* Aligned, and where folios may be large. */
static char *map_huge(size_t len)
{
	char *p = map(len + HUGE, RW, ANON | MAP_NORESERVE);
	char *at = (char *)(((unsigned long)p + HUGE - 1) & -HUGE);

	/* EINVAL: a kernel without. */
	MUST(!madvise(at, len, MADV_HUGEPAGE) || errno == EINVAL);
	return at;
}

static void print(const char *name, double value)
{
	printf("case %s median %.2f mean %.2f n 1\n", name, value, value);
}

#define COST(name, units, statement)                                                               \
	do {                                                                                       \
		uint64_t t_ = tsc();                                                               \
		statement;                                                                         \
		print(name, (double)(tsc() - t_) / (units));                                       \
	} while (0)

/* Pages of the range that are there. */
static unsigned long present(char *at, size_t len)
{
	static unsigned char vec[LEN / PAGE];
	unsigned long count = 0;

	MUST(len <= LEN && !mincore(at, len, vec));
	for (size_t i = 0; i < len / PAGE; i++)
		count += vec[i] & 1;
	return count;
}

static void dense(void)
{
	char *p = map_huge(LEN);
	pid_t pid;

	COST("write", PAGES_64M, touch(p, LEN));
	COST("mlock", PAGES_64M, MUST(!mlock(p, LEN)));
	COST("munlock", PAGES_64M, MUST(!munlock(p, LEN)));
	COST("fork", PAGES_64M, {
		pid = fork();
		if (!pid)
			_exit(0);
	});
	MUST(pid > 0 && waitpid(pid, NULL, 0) == pid);
	COST("munmap", PAGES_64M, MUST(!munmap(p, LEN)));
}

static void sparse(void)
{
	char *p = map_huge(LEN);
	double writes = LEN / HUGE;

	COST("sparse", writes, {
		for (size_t at = 0; at < LEN; at += HUGE)
			*(volatile char *)(p + at) = 1;
	});
	print("sparse.kib", (double)(present(p, LEN) * PAGE) / 1024 / writes);
	munmap(p, LEN);
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		puts("usage: folios [--help]\n"
		     "64 MiB of anonymous memory written, locked, forked, unmapped; one page in 2 MiB.\n"
		     "Figures are guest instructions a page under QEMU's -icount, cycles elsewhere.");
		return strcmp(argv[1], "--help") ? 2 : 0;
	}
	dense();
	sparse();
	return 0;
}

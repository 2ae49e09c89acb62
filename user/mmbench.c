/* SPDX-License-Identifier: MIT
 *
 * mmbench: what memory operations cost, on Linux and on Faultline, with one and the same program.
 *
 *	case NAME median M mean X n N
 *
 * one line a case, in ticks of the time-stamp counter a unit, less the cost of reading it. With QEMU's
 * -icount a tick is a guest instruction; the line "check" says so (100 nops are 100). Cases of system calls
 * that the kernel does not have print "case NAME unsupported".
 */
#define _GNU_SOURCE
#include "mmbench/bench.h"
#include "mmbench/fault.h"
#include "mmbench/lock.h"
#include "mmbench/map.h"
#include "mmbench/process.h"
#include "mmbench/vma.h"
#include <sys/prctl.h>

#ifndef PR_SET_THP_DISABLE
#define PR_SET_THP_DISABLE 41
#endif

/* A function and the cases it reports. */
static const struct group {
	void (*run)(void);
	const char *names[20];
} groups[] = {
	{ bench_syscall, { "syscall.getppid" } },
	{ bench_anon,
	  { "anon.write_fault", "anon.read_fault_zero", "anon.write_after_read",
	    "anon.sparse_write_fault", "anon.shared_write_fault" } },
	{ bench_file_io, { "file.pread_4k", "file.pwrite_4k" } },
	{ bench_file_map,
	  { "file.priv_read_sparse16", "file.priv_write_seq", "file.shared_write_seq",
	    "file.shared_populate", "file.priv_cow_after_read", "file.priv_munmap" } },
	{ bench_fork, { "fork.small_exit_wait", "fork.vfork_exit_wait", "fork.exec_exit_wait" } },
	{ bench_fork_large, { "fork.64m_exit_wait", "fork.64m_call_only" } },
	{ bench_cow, { "fork.cow_child_write", "fork.cow_parent_reuse" } },
	{ bench_mmap_small, { "mmap.1page", "munmap.1page_untouched", "mmap+touch+munmap.1page" } },
	{ bench_mmap_large, { "mmap.populate_64m", "munmap.populated_64m" } },
	{ bench_huge, { "thp.fault_2m", "thp.munmap" } },
	{ bench_mlock, { LOCK_NAMES } },
	{ bench_mprotect,
	  { "mprotect.split_1page_untouched", "mprotect.merge_1page_untouched",
	    "mprotect.64m_rw_to_r" } },
	{ bench_mremap,
	  { "mremap.grow_1page_in_place", "mremap.shrink_1page", "mremap.move_16m_page_aligned" } },
	{ bench_brk, { "brk.grow_1page", "brk.shrink_1page_untouched" } },
	{ bench_madvise,
	  { "madvise.dontneed_64m_populated", "madvise.dontneed_64m_empty",
	    "madvise.dontneed_1page" } },
	{ bench_mincore, { "mincore.64m_populated" } },
	{ bench_vma_few, { "vma.00010_fault", "vma.00010_mmap_1page" } },
	{ bench_vma_many,
	  { "vma.50000_fault", "vma.50000_mmap_1page", "vma.50000_munmap_1page",
	    "vma.50000_mprotect", "vma.50000_holes_mmap_2page" } },
	{ bench_signal, { "signal.tgkill_self_handled", "signal.segv_mprotect_seq" } },
	{ bench_pipe, { "pipe.pingpong_2processes" } },
	{ bench_thread, { "futex.pingpong_2threads", "thread.create+join" } },
};

#define NR_GROUPS (sizeof(groups) / sizeof(groups[0]))

static void usage(void)
{
	puts("usage: mmbench [--list] [--case PREFIX] [--areas N] [--help]\n"
	     "  --list          print the names of the cases\n"
	     "  --case PREFIX   measure only the cases whose names begin with PREFIX\n"
	     "  --areas N       measure only faults and calls in an address space with N areas\n"
	     "Figures are guest instructions under QEMU's -icount, cycles elsewhere.");
}

static void list(void)
{
	for (size_t g = 0; g < NR_GROUPS; g++)
		for (int i = 0; groups[g].names[i]; i++)
			puts(groups[g].names[i]);
}

static bool group_wanted(const struct group *g)
{
	for (int i = 0; g->names[i]; i++)
		if (is_wanted(g->names[i]))
			return true;
	return false;
}

/* Learns the cost of reading the counter and shows what a tick is. */
static void calibrate(void)
{
	samples_begin();
	for (int i = 0; i < 200; i++)
		TIME((void)0);
	qsort(samples, nr_samples, sizeof(samples[0]), by_value);
	tsc_overhead = samples[nr_samples / 2];
	samples_begin();
	for (int i = 0; i < 200; i++)
		TIME(__asm__ volatile(".rept 100\n\tnop\n\t.endr"));
	qsort(samples, nr_samples, sizeof(samples[0]), by_value);
	printf("check 100 nops %lu overhead %lu\n", (unsigned long)samples[nr_samples / 2],
	       (unsigned long)tsc_overhead);
}

int main(int argc, char **argv)
{
	int areas = 0;

	self_path = argv[0];
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--exit")) {
			_exit(0); /* what fork.exec_exit_wait runs */
		} else if (!strcmp(argv[i], "--list")) {
			list();
			return 0;
		} else if (!strcmp(argv[i], "--case") && i + 1 < argc) {
			wanted = argv[++i];
		} else if (!strcmp(argv[i], "--areas") && i + 1 < argc && atoi(argv[i + 1]) > 1) {
			areas = atoi(argv[++i]);
		} else if (!strcmp(argv[i], "--help")) {
			usage();
			return 0;
		} else {
			usage();
			return 2;
		}
	}
	memset(samples, 1, sizeof(samples)); /* no first-touch faults among the samples */
	memset(aside, 1, sizeof(aside));
	calibrate();
	if (areas) {
		bench_areas(areas);
		return 0;
	}
	for (size_t g = 0; g < NR_GROUPS; g++) {
		if (!group_wanted(&groups[g]))
			continue;
		/* Huge pages would change every other case; kernels without them refuse this. */
		prctl(PR_SET_THP_DISABLE, groups[g].run != bench_huge, 0, 0, 0);
		groups[g].run();
	}
	return 0;
}

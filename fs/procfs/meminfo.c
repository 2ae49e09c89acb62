/* SPDX-License-Identifier: MIT
 *
 * /proc/meminfo: labels and order as in proc(5). What this kernel has no such thing of is 0.
 */
#include <fs/procfs/internal.h>
#include <mm/mm.h>
#include <mm/page_alloc.h>
#include <mm/slab.h>
#include <mm/stats.h>
#include <mm/swap.h>

static unsigned long kb(unsigned long pages)
{
	return pages << (PAGE_SHIFT - 10);
}

static void put_pages(struct seq *s, const char *label, unsigned long pages)
{
	seq_kb(s, label, kb(pages));
}

static void put_lru(struct seq *s)
{
	unsigned long active_anon = stat_read(NR_ACTIVE_ANON),
		      inactive_anon = stat_read(NR_INACTIVE_ANON);
	unsigned long active_file = stat_read(NR_ACTIVE_FILE),
		      inactive_file = stat_read(NR_INACTIVE_FILE);

	put_pages(s, "Active:         ", active_anon + active_file);
	put_pages(s, "Inactive:       ", inactive_anon + inactive_file);
	put_pages(s, "Active(anon):   ", active_anon);
	put_pages(s, "Inactive(anon): ", inactive_anon);
	put_pages(s, "Active(file):   ", active_file);
	put_pages(s, "Inactive(file): ", inactive_file);
	put_pages(s, "Unevictable:    ", stat_read(NR_UNEVICTABLE));
	put_pages(s, "Mlocked:        ", stat_read(NR_MLOCK));
}

static void put_kernel(struct seq *s)
{
	unsigned long slab = slab_pages();

	put_pages(s, "KReclaimable:   ", 0);
	put_pages(s, "Slab:           ", slab);
	put_pages(s, "SReclaimable:   ", 0);
	put_pages(s, "SUnreclaim:     ", slab);
	seq_kb(s, "KernelStack:    ", stat_read(NR_KERNEL_STACK_KB));
	put_pages(s, "PageTables:     ", stat_read(NR_PAGETABLE));
	put_pages(s, "SecPageTables:  ", 0);
	put_pages(s, "NFS_Unstable:   ", 0);
	put_pages(s, "Bounce:         ", 0);
	put_pages(s, "WritebackTmp:   ", 0);
}

int meminfo_show(struct seq *s)
{
	unsigned long total = totalram_pages(), free = nr_free_pages();
	/* Clean file pages can be dropped for the asking; tmpfs pages, which are the rest, cannot. */
	unsigned long file = stat_read(NR_ACTIVE_FILE) + stat_read(NR_INACTIVE_FILE);
	unsigned long file_pages = stat_read(NR_FILE_PAGES), swapcached = stat_read(NR_SWAPCACHED);

	put_pages(s, "MemTotal:       ", total);
	put_pages(s, "MemFree:        ", free);
	put_pages(s, "MemAvailable:   ", free + file);
	put_pages(s, "Buffers:        ", 0);
	put_pages(s, "Cached:         ", file_pages - min(file_pages, swapcached));
	put_pages(s, "SwapCached:     ", swapcached);
	put_lru(s);
	put_pages(s, "SwapTotal:      ", swap_total_pages());
	put_pages(s, "SwapFree:       ", swap_free_pages());
	put_pages(s, "Zswap:          ", 0);
	put_pages(s, "Zswapped:       ", 0);
	put_pages(s, "Dirty:          ", stat_read(NR_FILE_DIRTY));
	put_pages(s, "Writeback:      ", stat_read(NR_WRITEBACK));
	put_pages(s, "AnonPages:      ", stat_read(NR_ANON_PAGES));
	put_pages(s, "Mapped:         ", stat_read(NR_FILE_MAPPED));
	put_pages(s, "Shmem:          ", stat_read(NR_SHMEM));
	put_kernel(s);
	put_pages(s, "CommitLimit:    ", vm_commit_limit());
	put_pages(s, "Committed_AS:   ", vm_committed());
	seq_puts(s, "VmallocTotal:   34359738367 kB\n");
	put_pages(s, "VmallocUsed:    ", 0);
	put_pages(s, "VmallocChunk:   ", 0);
	put_pages(s, "Percpu:         ", 0);
	put_pages(s, "AnonHugePages:  ", stat_read(NR_ANON_THPS) << PMD_ORDER);
	put_pages(s, "ShmemHugePages: ", stat_read(NR_SHMEM_THPS) << PMD_ORDER);
	put_pages(s, "ShmemPmdMapped: ", stat_read(NR_SHMEM_PMDMAPPED) << PMD_ORDER);
	put_pages(s, "FileHugePages:  ", stat_read(NR_FILE_THPS) << PMD_ORDER);
	put_pages(s, "FilePmdMapped:  ", stat_read(NR_FILE_PMDMAPPED) << PMD_ORDER);
	seq_puts(s, "HugePages_Total:       0\nHugePages_Free:        0\n"
		    "HugePages_Rsvd:        0\nHugePages_Surp:        0\n");
	seq_kb(s, "Hugepagesize:   ", 2048);
	seq_kb(s, "Hugetlb:        ", 0);
	return 0;
}

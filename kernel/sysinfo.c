/* SPDX-License-Identifier: MIT
 *
 * sysinfo(): memory and load of the whole machine.
 */
#include <arch/uaccess.h>
#include <kernel/syscall.h>
#include <kernel/task.h>
#include <mm/page_alloc.h>
#include <mm/stats.h>
#include <mm/swap.h>
#include <uapi/utsname.h>

static u16 count_threads(void)
{
	struct process *p;
	unsigned int n = 0;

	spin_lock(&tasklist_lock);
	list_for_each_entry(p, &all_processes, node)
		n += p->nr_threads;
	spin_unlock(&tasklist_lock);
	return (u16)n;
}

SYSCALL_DEFINE1(sysinfo, struct sysinfo __user *, uinfo)
{
	struct sysinfo info = {
		.uptime = (s64)(clock_ns() / NSEC_PER_SEC),
		.loads = { loadavg_read(0), loadavg_read(1), loadavg_read(2) },
		.totalram = totalram_pages() * PAGE_SIZE,
		.freeram = nr_free_pages() * PAGE_SIZE,
		.sharedram = stat_read(NR_SHMEM) * PAGE_SIZE,
		.totalswap = swap_total_pages() * PAGE_SIZE,
		.freeswap = swap_free_pages() * PAGE_SIZE,
		.procs = count_threads(),
		.mem_unit = 1,
	};

	return copy_to_user(uinfo, &info, sizeof(info)) ? -EFAULT : 0;
}

/* SPDX-License-Identifier: MIT
 *
 * The only place where `current` meets mm/: the memory system calls, and the answers to what mm/ asks
 * about its caller (mm/caller.h).
 */
#include <arch/uaccess.h>
#include <kern/err.h>
#include <kern/trace.h>
#include <kernel/random.h>
#include <kernel/signal.h>
#include <kernel/syscall.h>
#include <kernel/task.h>
#include <fs/vfs.h>
#include <mm/caller.h>
#include <mm/mm.h>

/* ---- mm/caller.h ---- */

_Static_assert((int)LIMIT_DATA == RLIMIT_DATA && (int)LIMIT_STACK == RLIMIT_STACK &&
		       (int)LIMIT_MEMLOCK == RLIMIT_MEMLOCK && (int)LIMIT_AS == RLIMIT_AS,
	       "enum caller_limit has the numbers of RLIMIT_*");

unsigned long caller_rlimit(enum caller_limit which)
{
	return READ_ONCE(current->process->rlimits[which].rlim_cur);
}

unsigned long caller_hard_data_limit(void)
{
	return READ_ONCE(current->process->rlimits[RLIMIT_DATA].rlim_max);
}

bool caller_has_ipc_lock(void)
{
	return capable(CAP_IPC_LOCK);
}

bool caller_has_rawio(void)
{
	return capable(CAP_SYS_RAWIO);
}

bool caller_has_sys_admin(void)
{
	return capable(CAP_SYS_ADMIN);
}

u64 caller_random(void)
{
	return random_u64();
}

bool *caller_reclaiming(void)
{
	return &current->reclaiming;
}

void caller_count_minor_faults(unsigned long n)
{
	current->min_flt += n;
}

void caller_count_major_faults(unsigned long n)
{
	current->maj_flt += n;
}

/* ---- system calls ---- */

static __noinline long mmap_file(unsigned long addr, unsigned long len, unsigned long prot,
				 unsigned long flags, int fd, unsigned long pgoff)
{
	struct file *file = fd_get(fd);
	long ret;

	if (!file)
		return -EBADF;
	ret = mm_mmap(current->mm, addr, len, prot, flags, file, pgoff);
	file_put(file);
	return ret;
}

SYSCALL_DEFINE6(mmap, unsigned long, addr, unsigned long, len, unsigned long, prot, unsigned long,
		flags, int, fd, unsigned long, offset)
{
	unsigned long pgoff = offset >> PAGE_SHIFT;

	if (offset & ~PAGE_MASK)
		return -EINVAL;
	if (flags & MAP_ANONYMOUS)
		return mm_mmap(current->mm, addr, len, prot, flags, NULL, pgoff);
	return mmap_file(addr, len, prot, flags, fd, pgoff);
}

SYSCALL_DEFINE2(munmap, unsigned long, addr, unsigned long, len)
{
	return mm_munmap(current->mm, addr, len);
}

SYSCALL_DEFINE3(mprotect, unsigned long, addr, unsigned long, len, unsigned long, prot)
{
	return mm_mprotect(current->mm, addr, len, prot);
}

SYSCALL_DEFINE5(mremap, unsigned long, addr, unsigned long, old_len, unsigned long, new_len,
		unsigned long, flags, unsigned long, new_addr)
{
	return mm_mremap(current->mm, addr, old_len, new_len, flags, new_addr);
}

SYSCALL_DEFINE1(brk, unsigned long, brk)
{
	return (long)mm_brk(current->mm, brk);
}

SYSCALL_DEFINE3(madvise, unsigned long, addr, unsigned long, len, int, advice)
{
	return mm_madvise(current->mm, addr, len, advice);
}

static inline long mlock_ended(enum trace_mlock_op op, long ret)
{
	trace(mlock_end, op, ret);
	return ret;
}

SYSCALL_DEFINE2(mlock, unsigned long, addr, unsigned long, len)
{
	trace(mlock_begin, TRACE_MLOCK, addr, len);
	return mlock_ended(TRACE_MLOCK, mm_mlock(current->mm, addr, len, false));
}

SYSCALL_DEFINE3(mlock2, unsigned long, addr, unsigned long, len, int, flags)
{
	if (flags & ~MLOCK_ONFAULT)
		return -EINVAL;
	trace(mlock_begin, TRACE_MLOCK, addr, len);
	return mlock_ended(TRACE_MLOCK, mm_mlock(current->mm, addr, len, flags & MLOCK_ONFAULT));
}

SYSCALL_DEFINE2(munlock, unsigned long, addr, unsigned long, len)
{
	trace(mlock_begin, TRACE_MUNLOCK, addr, len);
	return mlock_ended(TRACE_MUNLOCK, mm_munlock(current->mm, addr, len));
}

SYSCALL_DEFINE1(mlockall, int, flags)
{
	trace(mlock_begin, TRACE_MLOCKALL, 0, TASK_SIZE);
	return mlock_ended(TRACE_MLOCKALL, mm_mlockall(current->mm, flags));
}

SYSCALL_DEFINE0(munlockall)
{
	trace(mlock_begin, TRACE_MUNLOCKALL, 0, TASK_SIZE);
	return mlock_ended(TRACE_MUNLOCKALL, mm_munlockall(current->mm));
}

SYSCALL_DEFINE3(msync, unsigned long, addr, unsigned long, len, int, flags)
{
	return mm_msync(current->mm, addr, len, flags);
}

SYSCALL_DEFINE5(remap_file_pages, unsigned long, addr, unsigned long, size, unsigned long, prot,
		unsigned long, pgoff, unsigned long, flags)
{
	return mm_remap_file_pages(current->mm, addr, size, prot, pgoff, flags);
}

/* Bytes of the vector filled between two copies to the caller. */
#define MINCORE_CHUNK 512UL

SYSCALL_DEFINE3(mincore, unsigned long, addr, unsigned long, len, unsigned char __user *, vec)
{
	unsigned char chunk[MINCORE_CHUNK];
	unsigned long pages = (len >> PAGE_SHIFT) + !!(len & ~PAGE_MASK);

	if (addr & ~PAGE_MASK)
		return -EINVAL;
	if (!access_ok((void __user *)addr, len))
		return -ENOMEM;
	if (!access_ok(vec, pages))
		return -EFAULT;
	while (pages) {
		unsigned long n = min(pages, MINCORE_CHUNK);
		int err = mm_mincore(current->mm, addr, n, chunk);

		if (err)
			return err;
		if (copy_to_user(vec, chunk, n))
			return -EFAULT;
		pages -= n;
		vec += n;
		addr += n << PAGE_SHIFT;
		cond_resched();
	}
	return 0;
}

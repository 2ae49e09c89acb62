/* SPDX-License-Identifier: MIT
 *
 * struct mm, an address space, and struct vma, one mapping in it.
 *
 * Lock letters: [W] mmap_lock: held for reading to read, for writing to write; [A] atomic; [I] fixed
 * after creation; [R] the mapping's i_mmap_lock; [V] as [W], and the vma locked for writing to write, for reading to
 * read without mmap_lock.
 */
#ifndef MM_MM_H
#define MM_MM_H

#include <arch/pgtable.h>
#include <arch/tlb.h>
#include <kern/atomic.h>
#include <kern/interval_tree.h>
#include <kern/knobs.h>
#include <kern/list.h>
#include <kern/rbtree.h>
#include <kern/trace.h>
#include <mm/caller.h>
#include <mm/fault.h>
#include <mm/lock_stat.h>
#include <mm/page.h>
#include <sync/rcu.h>
#include <sync/rwsem.h>
#include <uapi/mman.h>

/* vma->flags: Linux's bit numbers, as smaps prints them. */
#define VM_READ (1UL << 0)
#define VM_WRITE (1UL << 1)
#define VM_EXEC (1UL << 2)
#define VM_SHARED (1UL << 3)
#define VM_MAYREAD (1UL << 4)
#define VM_MAYWRITE (1UL << 5)
#define VM_MAYEXEC (1UL << 6)
#define VM_MAYSHARE (1UL << 7)
#define VM_GROWSDOWN (1UL << 8)
#define VM_PFNMAP (1UL << 10)
#define VM_POPULATE (1UL << 12) /* knob populate.vm_populate: populate may fill it */
#define VM_LOCKED (1UL << 13)
#define VM_IO (1UL << 14)
#define VM_SEQ_READ (1UL << 15)
#define VM_RAND_READ (1UL << 16)
#define VM_DONTCOPY (1UL << 17)
#define VM_DONTEXPAND (1UL << 18)
#define VM_LOCKONFAULT (1UL << 19) /* only ever together with VM_LOCKED */
#define VM_ACCOUNT (1UL << 20)
#define VM_NORESERVE (1UL << 21)
#define VM_WIPEONFORK (1UL << 25)
#define VM_DONTDUMP (1UL << 26)
#define VM_MIXEDMAP (1UL << 28)
#define VM_HUGEPAGE (1UL << 29)
#define VM_NOHUGEPAGE (1UL << 30)
#define VM_MERGEABLE (1UL << 31)
#define VM_DROPPABLE (1UL << 40) /* MAP_DROPPABLE */

#define VM_ACCESS (VM_READ | VM_WRITE | VM_EXEC)
#define VM_SPECIAL (VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_MIXEDMAP)
#define VM_LOCK_BITS (VM_LOCKED | VM_LOCKONFAULT)

#define STACK_GUARD_GAP (256 * PAGE_SIZE)
#define DEFAULT_MAX_MAP_COUNT 65530

struct file;
struct mapping;
struct anon_vma;
struct anon_link;

/* One vma may map pages of one anon_vma: those of the page offsets of node. [V]: the lock of the anon_vma's root. */
struct anon_link {
	struct vma *vma;	   /* [I] */
	struct anon_vma *anon_vma; /* [I] */
	struct anon_link *next;	   /* [W] in vma->anon_links */
	struct interval_node node; /* [V] in anon_vma->links */
};

struct vma {
	unsigned long start, end; /* [V] bytes, page-aligned, end exclusive */
	unsigned long write_seq;  /* [A] mm->write_seq when it was last locked: mm/vma_lock.c */
	struct mm *mm;		  /* [I] */
	int readers;		  /* [A] faults that hold its lock */
#ifdef CONFIG_DEBUG
	u32 class; /* lockdep's */
#endif
	struct vma *prev, *next; /* [W] by address; NULL at the ends */
	union {			 /* [W] its place in the index */
		struct vma_node *leaf;
		struct {
			struct rb_node rb;
			unsigned long gap;     /* bytes free between the previous vma and start */
			unsigned long max_gap; /* the largest gap in this subtree */
		};
		struct rcu_head rcu; /* when it has left the index */
	};
	unsigned long flags; /* [V] VM_* */
	pte_t page_prot;     /* [V] PTE bits for a page mapped with all the rights of flags */
	unsigned long
		pgoff;	   /* [V] pages: of start in the file, or start's address when anonymous */
	struct file *file; /* [I] one reference; NULL when anonymous */
	struct mapping *mapping;	  /* [I] the file's page cache; NULL when anonymous */
	struct interval_node i_mmap_node; /* [R] in mapping->i_mmap: the page offsets it maps */
	/* mm/anon_vma.h; NULL: no anonymous page was ever mapped here. Set: fork copies, pgoff stays. */
	struct anon_link *anon_links; /* [W], the first one as below */
	struct anon_vma
		*anon_vma; /* [A] new anonymous pages' ; set once under anon_lock, else [W] */
	struct anon_link
		own_link; /* the first of those that it has as another one's copy, or piece */
};

/* The alternatives of knob vma.index, in its order. */
enum vma_index_kind { VMA_INDEX_LIST, VMA_INDEX_RBTREE, VMA_INDEX_MAPLE };

struct vma_node;

/* All [W] but kind, [I]. */
struct vma_index {
	unsigned int kind;	  /* enum vma_index_kind */
	unsigned int nr_spare;	  /* maple: nodes set aside for insertions that must not fail */
	unsigned long seq;	  /* [A] odd while it is changed: vma_find_rcu() */
	struct vma *first, *last; /* the list of all, by address */
	union {
		struct rb_root rb; /* rbtree */
		struct {	   /* maple: never NULL */
			struct vma_node *root, *spare;
		};
	};
};

/* CPUs share them when there are more; threads mostly fault in a vma of their own each. */
#define VMA_HINTS 4
/* As many as a vma that is split in its middle takes, and gives back when it is one again. */
#define SPARE_VMAS 2

/* RSS_SWAP counts swap slots that entries name: not resident, but kept with the others. */
enum rss_kind { RSS_ANON, RSS_FILE, RSS_SHMEM, RSS_SWAP, NR_RSS };

struct mm {
	struct rwsem mmap_lock;
	struct vma_index index;		   /* mm/vma_index.c */
	struct vma *last_vma[VMA_HINTS];   /* [A] by CPU: what its latest lookup found */
	unsigned long write_seq;	   /* [A] raised with mmap_lock W: mm/vma_lock.c */
	struct vma *spare_vma[SPARE_VMAS]; /* [A] left the index, serve again: mm/vma.c */
	struct pgtable pgt;
	struct tlb_context tlb;
	atomic_t users;	       /* [A] tasks that run in it (and /proc readers) */
	atomic_t holders;      /* [A] of the structure: mm_hold(), and one for all users */
	struct list_head node; /* in the list of all address spaces: mm/mm.c */
	int map_count;	       /* [W] vmas */
	spinlock_t vma_wait_lock;
	struct task *vma_writer; /* [vma_wait_lock] waits for a vma's readers */
	spinlock_t anon_lock;	 /* the first anonymous page of a vma comes: its anon_vma */
	atomic_t
		lock_walks; /* [A] VM_LOCKED changed somewhere, and the entries do not all say so yet */
	atomic_t unflushed; /* [A] reclaim took entries, and the TLBs may not know yet: mm/rmap.h */
	bool oom_reaped; /* [A] its private pages are gone: killed for want of memory, or at its end */
	bool huge_zero;	 /* [A] until its end it may map the huge zero page: mm/huge_zero.c */
	bool khugepaged; /* [A] to be scanned: mm/khugepaged.c, as what follows */
	unsigned long khugepaged_at,
		khugepaged_round; /* its thread's: where it is, and when it was done */
	bool membarrier;	  /* [A] registered for membarrier(); a fork inherits it */
	unsigned long def_flags;  /* [W] lock bits that new vmas get: mlockall(MCL_FUTURE) */
	unsigned long total_vm;	  /* [W] pages mapped */
	unsigned long data_vm;	  /* [W] private writable pages that are no stack */
	unsigned long stack_vm;	  /* [W] pages of GROWSDOWN vmas */
	unsigned long exec_vm;	  /* [W] executable, not writable */
	unsigned long locked_vm;  /* [W] pages in VM_LOCKED vmas */
	unsigned long hiwater_vm; /* [W] */
	/* What faults write is apart from what they read. */
	atomic_long_t rss[NR_RSS] __aligned(64); /* [A] pages */
	unsigned long hiwater_rss;		 /* [A] pages, sampled where RSS falls */
	atomic_t
		zaps; /* [A] under way without mmap_lock for writing: cleared entries may wait for a flush */
	unsigned long mmap_base; /* [I] top of the area that mmap fills downwards */
	unsigned long start_code, end_code, start_data, end_data; /* [I] from exec */
	unsigned long start_brk, brk;				  /* [W] */
	unsigned long start_stack;				  /* [I] */
	unsigned long arg_start, arg_end, env_start, env_end;	  /* [I] */
	unsigned long saved_auxv[2 * 24];			  /* [I] for /proc/PID/auxv */
	struct file *exe_file; /* [W] /proc/PID/exe; one reference */
	/* Knob lock_stat.hold: the hold for writing that is measured, if any. */
	unsigned long held_by; /* [W] behind the call that took the lock */
	u64 held_since;	       /* [W] ns; 0: not measured */
};

/* ---- life of an address space: mm/mm.c ---- */

void mm_init(void); /* caches; once at boot */
/* Empty, one user, mmap_base set (randomised when aslr). NULL when out of memory. */
struct mm *mm_create(bool aslr);
/* fork: copies vmas and page tables, pages shared copy-on-write. Takes old's mmap_lock. ERR_PTR on error. */
struct mm *mm_fork(struct mm *old);
static inline void mm_get(struct mm *mm)
{
	atomic_inc(&mm->users);
}
/*
 * All address spaces that have a user, one after the other: the next one, with a user of its own, after mm, whose user
 * it drops. NULL: the first; NULL is returned after the last. One that is created meanwhile is not missed.
 */
struct mm *mm_next(struct mm *mm);
/* What address spaces keep for later goes. May sleep. */
void mm_free_spares(void);
/* Drops a user; the last one unmaps everything. Must not be the address space some CPU runs in. May sleep. */
void mm_put(struct mm *mm);
/*
 * The structure stays, but not what it describes: for one that must not be the last user, since it may not sleep or
 * holds locks that the end of an address space takes. The caller knows that a user is there.
 */
static inline void mm_hold(struct mm *mm)
{
	atomic_inc(&mm->holders);
}
/* Takes no lock that sleeps. */
void mm_drop(struct mm *mm);

/*
 * Frees the private pages of an address space whose tasks were sent SIGKILL, if its mmap_lock can be had at once and
 * they are not gone yet. The tasks do not reach user mode again, and their accesses from the kernel fail from now on.
 * mm_hold() is enough.
 */
void mm_oom_reap(struct mm *mm);

static inline unsigned long mm_rss(const struct mm *mm)
{
	return (unsigned long)(atomic_read(&mm->rss[RSS_ANON]) + atomic_read(&mm->rss[RSS_FILE]) +
			       atomic_read(&mm->rss[RSS_SHMEM]));
}

/* ---- the lock: who waits for it, and on request who holds it, is counted (mm/lock_stat.c) ---- */

/* The same as mmap_lock_mode(), between its two trace events: mm/lock_stat.c. */
int mmap_lock_traced(struct mm *mm, bool write, enum park_mode mode, unsigned int how);

static __always_inline int mmap_lock_mode(struct mm *mm, bool write, enum park_mode mode,
					  unsigned int how)
{
	struct rwsem *sem = &mm->mmap_lock;
	int err;

	if (trace_enabled(MMAP_LOCKING))
		return mmap_lock_traced(mm, write, mode, how);
	lockdep_acquire(&sem->class, sem, LOCKDEP_SLEEPING | how);
	(void)how;
	if (unlikely(!(write ? rwsem_write_fast(sem) : rwsem_read_fast(sem)))) {
		err = mmap_lock_wait(sem, write, mode);
		if (err) {
			lockdep_release(sem, LOCKDEP_SLEEPING);
			return err;
		}
	}
	if (write && unlikely(knob_lock_stat_hold))
		mmap_hold_begin(mm);
	return 0;
}
static __always_inline void mmap_read_lock(struct mm *mm)
{
	(void)mmap_lock_mode(mm, false, PARK_UNINTERRUPTIBLE, 0);
}
static __always_inline int __must_check mmap_read_lock_killable(struct mm *mm)
{
	return mmap_lock_mode(mm, false, PARK_KILLABLE, 0);
}
static inline bool mmap_read_trylock(struct mm *mm)
{
	bool locked = down_read_trylock(&mm->mmap_lock);

	trace(mmap_lock_acquire_returned, mm, false, locked);
	return locked;
}
static inline void mmap_read_unlock(struct mm *mm)
{
	trace(mmap_lock_released, mm, false);
	up_read(&mm->mmap_lock);
}
static __always_inline void mmap_write_lock(struct mm *mm)
{
	(void)mmap_lock_mode(mm, true, PARK_UNINTERRUPTIBLE, 0);
}
/* A second address space's: the child's in fork, which nobody else can have locked. */
static __always_inline void mmap_write_lock_nested(struct mm *mm)
{
	(void)mmap_lock_mode(mm, true, PARK_UNINTERRUPTIBLE, LOCKDEP_NESTED);
}
static __always_inline int __must_check mmap_write_lock_killable(struct mm *mm)
{
	return mmap_lock_mode(mm, true, PARK_KILLABLE, 0);
}
/* All vmas that were locked for writing are so no more. */
static __always_inline void vma_end_write_all(struct mm *mm)
{
	count_up(&mm->write_seq);
}
static __always_inline void mmap_write_unlock(struct mm *mm)
{
	trace(mmap_lock_released, mm, true);
	vma_end_write_all(mm);
	if (unlikely(knob_lock_stat_hold))
		mmap_write_unlock_measured(mm);
	else
		up_write(&mm->mmap_lock);
}
/* From writing to reading; no writer gets in between. */
static __always_inline void mmap_write_downgrade(struct mm *mm)
{
	vma_end_write_all(mm);
	if (unlikely(knob_lock_stat_hold))
		mmap_hold_end(mm);
	downgrade_write(&mm->mmap_lock);
	trace(mmap_lock_acquire_returned, mm, false, true);
}
static inline void mmap_assert_locked(const struct mm *mm)
{
	ASSERT(rwsem_is_locked(&mm->mmap_lock));
}
static inline void mmap_assert_write_locked(const struct mm *mm)
{
	ASSERT(rwsem_is_write_locked(&mm->mmap_lock));
}

/* ---- the vma index: mm/vma_index.c. mmap_lock held (write to change) ---- */

/* The first vma with end > addr, or NULL. */
struct vma *vma_find(struct mm *mm, unsigned long addr);
/*
 * Without mmap_lock, in an RCU read section: the vma that contains, or contained, addr, which the caller must see for
 * itself when it has locked the vma. NULL: none, or the index is being changed.
 */
struct vma *vma_find_rcu(struct mm *mm, unsigned long addr);
/*
 * prev and next are the vmas around it, which the caller has found already; NULL at the edges. prev may have been cut
 * to make room: its new end is taken over.
 */
void vma_insert(struct mm *mm, struct vma *vma, struct vma *prev, struct vma *next);
/* Above all others, in an address space that nobody else knows yet. */
void vma_append(struct mm *mm, struct vma *vma);
void vma_erase(struct mm *mm, struct vma *vma);
/*
 * vma was cut: the n vmas from first, 1 or 2, linked by ->next, share what it covered above its new end. At most so
 * many were allocated since the last insertion.
 */
void vma_insert_pieces(struct mm *mm, struct vma *vma, struct vma *first, unsigned int n);
/* The other way round: vma has grown over the n vmas that follow it, 1 or 2, which leave the index. Returns the first. */
struct vma *vma_erase_pieces(struct mm *mm, struct vma *vma, unsigned int n);
/* The boundary between vma and the one that follows it without a gap was moved. */
void vma_boundary_moved(struct mm *mm, struct vma *vma);
static inline struct vma *vma_next(const struct vma *vma)
{
	return vma->next;
}
static inline struct vma *vma_prev(const struct vma *vma)
{
	return vma->prev;
}
/*
 * The highest address range of len bytes inside [low, high) that keeps the guard gap below GROWSDOWN
 * vmas; 0 when there is none. bottom_up: the lowest instead. mmap_lock held for writing: what the search
 * learns about the gaps it writes down.
 */
unsigned long vma_gap(struct mm *mm, unsigned long len, unsigned long low, unsigned long high,
		      bool bottom_up);
/* Boundaries of a vma in the index changed (it stays between its neighbours): fixes the gaps. */
void vma_resized(struct mm *mm, struct vma *vma);
/* The lowest vma, the highest one; NULL when there is none. */
static inline struct vma *vma_first(const struct mm *mm)
{
	return mm->index.first;
}
static inline struct vma *vma_last(const struct mm *mm)
{
	return mm->index.last;
}

/* The vma that contains addr, or NULL. */
static inline struct vma *vma_lookup(struct mm *mm, unsigned long addr)
{
	struct vma *vma = vma_find(mm, addr);

	return vma && vma->start <= addr ? vma : NULL;
}

static inline unsigned long vma_pages(const struct vma *vma)
{
	return (vma->end - vma->start) >> PAGE_SHIFT;
}

#define for_each_vma(mm, vma) for ((vma) = vma_first(mm); (vma); (vma) = vma_next(vma))

/* ---- system calls: every function takes and drops mmap_lock itself. Results: value or -errno ---- */

long mm_mmap(struct mm *mm, unsigned long addr, unsigned long len, unsigned long prot,
	     unsigned long flags, struct file *file, unsigned long pgoff);
int mm_munmap(struct mm *mm, unsigned long addr, unsigned long len);
int mm_mprotect(struct mm *mm, unsigned long addr, unsigned long len, unsigned long prot);
long mm_mremap(struct mm *mm, unsigned long addr, unsigned long old_len, unsigned long new_len,
	       unsigned long flags, unsigned long new_addr);
/* The new break, or the old one when it could not move. */
unsigned long mm_brk(struct mm *mm, unsigned long brk);
int mm_madvise(struct mm *mm, unsigned long addr, unsigned long len, int advice);
/* Fills vec[n] for the n pages from addr with 0 or 1. 0, -ENOMEM for a hole. addr aligned. */
int mm_mincore(struct mm *mm, unsigned long addr, unsigned long n, unsigned char *vec);
int mm_msync(struct mm *mm, unsigned long addr, unsigned long len, int flags);
/* Unmaps what one shmat() mapped at addr, as far as it is still there. 0, -EINVAL, -EINTR. */
int mm_shmdt(struct mm *mm, unsigned long addr);
int mm_remap_file_pages(struct mm *mm, unsigned long addr, unsigned long size, unsigned long prot,
			unsigned long pgoff, unsigned long flags);
/* The initial stack vma, [top - size, top), writable, GROWSDOWN; exec only. 0 or -errno. */
int mm_setup_stack(struct mm *mm, unsigned long top, unsigned long size, unsigned long prot);
/*
 * A private mapping of a file with VM_SPECIAL flags, at a free place; exec only. Part of it is never merged with another
 * mapping, none of it is ever locked. 0, -ENOMEM, -EINTR.
 */
int mm_map_special(struct mm *mm, unsigned long start, unsigned long len, unsigned long flags,
		   struct file *file, unsigned long pgoff);

/*
 * Faults in [start, end) as populate does. how: POPULATE_STRICT stops at the first error and returns it, as
 * -errno (else only -EINTR does that); POPULATE_LOCKED goes into VM_LOCKED vmas only.
 */
#define POPULATE_STRICT 1u
#define POPULATE_LOCKED 2u
int mm_populate(struct mm *mm, unsigned long start, unsigned long end, unsigned int how);

/*
 * mlock and its relatives: mm/mlock.c. onfault: pages are locked as they are touched. 0, -EPERM, -ENOMEM,
 * -EAGAIN, -EINVAL, -EINTR as mlock(2); what was done before an error stays done.
 */
int mm_mlock(struct mm *mm, unsigned long addr, unsigned long len, bool onfault);
int mm_munlock(struct mm *mm, unsigned long addr, unsigned long len);
int mm_mlockall(struct mm *mm, int flags); /* MCL_* */
int mm_munlockall(struct mm *mm);

/*
 * The page at addr of any address space, faulted in for the access, with a reference: for /proc/PID/mem
 * and futex keys. force: as a debugger (private copies of read-only pages). ERR_PTR(-EFAULT, -ENOMEM).
 */
struct page *mm_get_page(struct mm *mm, unsigned long addr, bool write, bool force);
/* Drops that reference. */
void mm_put_page(struct page *page);

/* ---- for /proc ---- */

struct vma_usage { /* bytes, as smaps wants them */
	unsigned long rss, pss, pss_dirty, shared_clean, shared_dirty, private_clean, private_dirty;
	unsigned long referenced, anonymous, lazyfree, swap, swap_pss, locked;
	unsigned long pss_anon, pss_file, pss_shmem;
	unsigned long anon_huge, shmem_huge, file_huge; /* mapped 2 MiB as one */
};
/* mmap_lock held for reading. Adds the vma's pages to *u. */
void vma_usage(struct mm *mm, struct vma *vma, struct vma_usage *u);
/* pagemap words for n pages from addr (mmap_lock not held). show_pfn: the reader may see frame numbers. */
void mm_pagemap(struct mm *mm, unsigned long addr, unsigned long n, u64 *out, bool show_pfn);
/* Pages promised to private writable and shared anonymous mappings: Committed_AS. */
unsigned long vm_committed(void);
/* What mode 2 of overcommit lets them add up to: CommitLimit. */
unsigned long vm_commit_limit(void);
/* A fault in the vma may bring in a large folio, for which it has room: smaps' THPeligible. */
bool thp_eligible(const struct vma *vma);
/* kpageflags and kpagecount words of one frame. */
u64 page_kpageflags(unsigned long pfn);
u64 page_kpagecount(unsigned long pfn);

/* Debug: every invariant of mm/validate.c; panics with the one that does not hold. mmap_lock held. */
void mm_validate(struct mm *mm);
/* Debug builds only: all address spaces together. Not one moment of theirs, but any change shows. */
struct mm_totals {
	unsigned long mms, ending; /* of them without a user, whose entries go one by one */
	long rss[NR_RSS];
};
void mm_add_up(struct mm_totals *t);
/*
 * Debug builds only: counts what all page tables, frames and LRU lists have, and compares it with what is kept
 * (mm/validate_memory.c). Nothing else may use memory meanwhile; what is about to finish is waited for. 0; -EINVAL: what
 * says what does not hold; -EBUSY: the same, but something did use memory all the time; -ENOMEM.
 */
int memory_validate(char *what, size_t size);

#endif

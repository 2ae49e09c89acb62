/* SPDX-License-Identifier: MIT
 *
 * Areas from inside mm/: making, splitting and merging them, where they go, what they count for. mmap_lock held for writing
 * unless said otherwise. What others see: include/mm/mm.h.
 */
#ifndef MM_VMA_H
#define MM_VMA_H

#include "internal.h"

/* ---- vma.c: making, splitting and merging vmas. mmap_lock held for writing ---- */

/* What decides whether two neighbours may be one vma. */
struct vma_desc {
	unsigned long start, end;
	unsigned long flags;
	struct file *file;
	struct mapping *mapping;
	unsigned long pgoff;
	struct vma *anon; /* whose anonymous pages the range has or will have, or NULL */
};

/* The vmas around a free address range; NULL where there is none. */
struct vma_neighbours {
	struct vma *prev, *next;
};

/* Those around addr, which no vma contains (one that does is next). */
static inline struct vma_neighbours vma_neighbours(struct mm *mm, unsigned long addr)
{
	struct vma *next = vma_find(mm, addr);

	return (struct vma_neighbours){ next ? vma_prev(next) : vma_last(mm), next };
}

/* ---- vma_index.c: an address space's own. The rest of the index is in mm/mm.h ---- */

void vma_index_init(void); /* once at boot */
/* An empty index of the kind that the knob names. False when out of memory. */
bool vma_index_create(struct mm *mm);
/* Frees what the index is made of, not the vmas, which may be gone already. */
void vma_index_destroy(struct mm *mm);
/* The next vma_insert() will not need memory. False when out of memory. mmap_lock held for writing. */
bool vma_index_reserve(struct mm *mm);
/* Panics with what is wrong. The second looks only at what leads to a vma. */
void vma_index_validate(struct mm *mm);
void vma_index_validate_at(struct mm *mm, const struct vma *vma);

void vma_cache_init(void);
/*
 * Not yet in the index; takes its own file reference. NULL when out of memory. The index of mm has what it takes to
 * insert this one vma, before any other is allocated. mmap_lock held for writing.
 */
struct vma *vma_alloc(struct mm *mm, const struct vma_desc *d);
/* Drops the file reference and frees; the vma is in no index, no mapping and no anon_vma. By RCU: some fault may just have found it. */
void vma_free(struct vma *vma);
/* The same at once: its address space has no task. */
void vma_free_at_exit(struct vma *vma);
/* Frees those that are kept for the next vma_alloc(). */
void vma_free_spares(struct mm *mm);
/* Puts the vma into the index, between its neighbours, and into its mapping's list. */
void vma_link(struct mm *mm, struct vma *vma, const struct vma_neighbours *nb);
/* The same for one above all others, in an address space that nobody else knows yet. */
void vma_link_last(struct mm *mm, struct vma *vma);
/* Takes the vma off its mapping's list, so that truncate no longer finds it. */
void vma_unlink_mapping(struct vma *vma);
/*
 * Grows a neighbour (or joins two) over d's range, which must be free. Returns the vma that now covers it, or
 * NULL when neither neighbour fits, or when there is no memory for what d->anon needs.
 */
struct vma *vma_merge_new(struct mm *mm, const struct vma_desc *d, const struct vma_neighbours *nb);
/* Cuts vma at addr: vma keeps the lower part, the upper part is returned. ERR_PTR(-ENOMEM). */
struct vma *vma_split(struct mm *mm, struct vma *vma, unsigned long addr);
/*
 * Gives [start, end) of vma new flags, merging with neighbours or splitting off the rest. Returns the
 * vma that covers the range now. ERR_PTR(-ENOMEM) changes nothing but may leave vma split.
 */
struct vma *vma_modify(struct mm *mm, struct vma *vma, unsigned long start, unsigned long end,
		       unsigned long flags);
/* Moves one boundary of a linked vma; the index order must stay. pgoff follows start. */
void vma_set_range(struct mm *mm, struct vma *vma, unsigned long start, unsigned long end);
/* It is in mapping->i_mmap, where whoever has a page of its file finds it. */
static inline bool vma_in_mapping(const struct vma *vma)
{
	return vma->mapping && likely(!(vma->mapping->flags & MAPPING_PERMANENT));
}

/*
 * Who finds the vma from a page of its file or an anonymous one waits: its boundaries change, or its entries move.
 * The locks of its mapping and of its anon_vmas; the latter are those of every vma with the same links.
 */
static inline void vma_rmap_lock(const struct vma *vma)
{
	if (vma_in_mapping(vma))
		down_write(&vma->mapping->i_mmap_lock);
	anon_vma_lock(vma);
}

static inline void vma_rmap_unlock(const struct vma *vma)
{
	anon_vma_unlock(vma);
	if (vma_in_mapping(vma))
		up_write(&vma->mapping->i_mmap_lock);
}

/*
 * PTE bits for flags. Private writable pages get no PTE_W: the write fault decides; nor do those of files with a
 * backing store, so that the write fault can make them dirty.
 */
pte_t vm_page_prot(unsigned long flags, const struct mapping *m);

static inline bool vma_is_anonymous(const struct vma *vma)
{
	return !vma->mapping;
}

/* Someone counts the vmas of its file: none of them goes by merging. */
static inline bool vma_is_watched(const struct vma *vma)
{
	return vma->mapping && vma->mapping->watch;
}

/* memfd_secret(): nothing but an access through the mapping itself may reach the pages. */
static inline bool vma_is_secret(const struct vma *vma)
{
	return vma->mapping && (RACY_READ(vma->mapping->flags) & MAPPING_SECRET);
}

/* The lowest address that a vma keeps from others. */
static inline unsigned long vma_start_gap(const struct vma *vma)
{
	unsigned long guard;

	if (likely(!(vma->flags & VM_GROWSDOWN)))
		return vma->start;
	guard = knob_stack_guard_gap << PAGE_SHIFT;
	return vma->start > guard ? vma->start - guard : 0;
}

static inline bool vma_is_shared(const struct vma *vma)
{
	return vma->flags & VM_SHARED;
}

/* The page offset of an address inside the vma. */
static inline unsigned long vma_index(const struct vma *vma, unsigned long addr)
{
	return vma->pgoff + ((addr - vma->start) >> PAGE_SHIFT);
}

/* mm.c: an mm with page tables and nothing else. NULL when out of memory. */
struct mm *mm_alloc(void);

/* ---- account.c: what may be mapped ---- */

/* Adds pages (or takes, when negative) of a vma with these flags to the mm's totals. */
void vm_stat_account(struct mm *mm, unsigned long flags, long pages);
/* RLIMIT_AS and RLIMIT_DATA would allow pages more. */
bool may_expand_vm(struct mm *mm, unsigned long flags, unsigned long pages);
/* Private writable memory is promised in advance. */
static inline bool vm_is_accountable(unsigned long flags)
{
	return (flags & (VM_NORESERVE | VM_SHARED | VM_WRITE)) == VM_WRITE;
}
/* 0 or -ENOMEM. */
int vm_commit_charge(unsigned long pages);
/* Without a check: pages whose promise moves from one vma to another. */
void vm_commit_add(unsigned long pages);
void vm_commit_uncharge(unsigned long pages);
unsigned long vm_committed(void);
/* RLIMIT_MEMLOCK would allow pages more of locked memory. */
bool may_lock_pages(const struct mm *mm, unsigned long pages);
/* The caller may lock memory at all: its limit is not 0 bytes. */
bool may_lock_anything(void);

/* ---- mlock.c ---- */

/* The lock bits of a new vma, and whether it is to be filled: what mlockall(MCL_FUTURE) left behind. */
unsigned long future_lock_bits(const struct mm *mm);
static inline unsigned long future_lock_flags(const struct mm *mm)
{
	return likely(!(mm->def_flags & VM_LOCKED)) ? 0 : future_lock_bits(mm);
}
static inline bool future_populates(const struct mm *mm)
{
	return !(mm->def_flags & VM_LOCKONFAULT);
}

/* ---- unmapped_area.c ---- */

/*
 * Where a mapping of len bytes goes: addr itself when MAP_FIXED or when the hint fits. The address or -errno.
 * mmap_lock held for writing.
 */
unsigned long get_unmapped_area(struct mm *mm, unsigned long addr, unsigned long len,
				unsigned long map_flags);
/*
 * The same for len bytes, from page pgoff, of a file of this policy (mapping->huge), with shmem_may_be_large(): if that is not
 * where the address says, a place where its largest folios can be mapped, as far as there is one. As Linux's
 * shmem_get_unmapped_area(): for 2 MiB that of 6.1, with other sizes that of 6.14. Private anonymous memory is placed
 * without such regard, as in 6.1; 6.7 aligns what is a multiple of 2 MiB.
 */
unsigned long shmem_unmapped_area(struct mm *mm, unsigned long hint, unsigned long len,
				  unsigned long map_flags, const unsigned long *huge,
				  unsigned long pgoff);

/* ---- munmap.c, stack.c ---- */

/* mm_munmap() with mmap_lock held for writing: [start, end) aligned, user space. 0 or -ENOMEM (nothing done). */
int munmap_locked(struct mm *mm, unsigned long start, unsigned long end);

/* Grows the GROWSDOWN vma above addr down to it. mmap_lock held for writing. */
enum fault_result stack_grow(struct mm *mm, unsigned long addr);

/* ---- validate.c ---- */

/*
 * After a change of [start, end), in debug builds with knob validate=on: mm_validate(), whose cost grows with the address
 * space. So a large one is checked as a whole every so many changes, and otherwise around start and end. mmap_lock held
 * for writing.
 */
#ifdef CONFIG_DEBUG
void validate_mm(struct mm *mm, unsigned long start, unsigned long end);
#else
static inline void validate_mm(struct mm *mm, unsigned long start, unsigned long end)
{
	(void)mm;
	(void)start;
	(void)end;
}
#endif

#endif

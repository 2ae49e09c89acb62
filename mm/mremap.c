/* SPDX-License-Identifier: MIT
 *
 * mremap: a mapping shrinks, grows where it is, or moves. Moving makes the new vma first, then moves
 * page-table entries, then unmaps what is left of the old place; the pages stay where they are.
 *
 * All page tables of the new place are allocated before the first entry moves, so a move happens
 * completely or not at all.
 */
#include "filemap_large.h"
#include "populate.h"
#include "unmap.h"
#include "vma.h"

#define MREMAP_FLAGS (MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)

/* A move needs up to three vmas more for a moment; Linux refuses that close to the limit. */
#define MOVE_VMAS 3

struct remap_request {
	unsigned long addr, old_len, new_len; /* page-aligned bytes */
	unsigned long flags;
	unsigned long new_addr;
};

static bool map_count_allows(const struct mm *mm, unsigned long more)
{
	return (unsigned long)mm->map_count + more < knob_max_map_count;
}

/* The vma to move or grow. ERR_PTR with Linux's errno when it may not. */
static struct vma *check_resize(struct mm *mm, const struct remap_request *rq)
{
	struct vma *vma = vma_lookup(mm, rq->addr);
	unsigned long pgoff, grow;

	if (!vma)
		return ERR_PTR(-EFAULT);
	if ((rq->flags & MREMAP_DONTUNMAP) && (vma->flags & (VM_DONTEXPAND | VM_PFNMAP)))
		return ERR_PTR(-EINVAL);
	if (rq->old_len > vma->end - rq->addr)
		return ERR_PTR(-EFAULT);
	if (rq->new_len == rq->old_len)
		return vma;
	pgoff = vma_index(vma, rq->addr);
	if (pgoff + (rq->new_len >> PAGE_SHIFT) < pgoff)
		return ERR_PTR(-EINVAL);
	if (vma->flags & (VM_DONTEXPAND | VM_PFNMAP))
		return ERR_PTR(-EFAULT);
	grow = (rq->new_len - rq->old_len) >> PAGE_SHIFT;
	if ((vma->flags & VM_LOCKED) && !may_lock_pages(mm, grow))
		return ERR_PTR(-EAGAIN);
	if (!may_expand_vm(mm, vma->flags, grow))
		return ERR_PTR(-ENOMEM);
	return vma;
}

/* Allocates every table of the new place that an entry of the old one needs. */
static int alloc_new_tables(struct mm *mm, unsigned long from, unsigned long to, unsigned long len)
{
	unsigned long va = from, stop, end = from + len;
	pte_t *pte;

	while ((pte = pgtable_next(&mm->pgt, &va, end, &stop))) {
		/* One old table may spread over two new ones. */
		if (!pgtable_alloc(&mm->pgt, to + (va - from)) ||
		    !pgtable_alloc(&mm->pgt, to + (stop - from) - PAGE_SIZE))
			return -ENOMEM;
		if (unlikely(pte_is_promoted(pte)))
			huge_prepare(mm, to + (va - from));
		va = stop;
	}
	return 0;
}

/* Two tables' locks, which may be one. Only mremap nests them, alone in its address space. */
static void lock_two(spinlock_t *a, spinlock_t *b)
{
	spin_lock(a);
	if (b != a)
		spin_lock_nested(b);
}

static void unlock_two(spinlock_t *a, spinlock_t *b)
{
	if (b != a)
		spin_unlock(b);
	spin_unlock(a);
}

/* Moves n entries, each array within one table. */
static void move_entries(struct mm *mm, pte_t *from, pte_t *to, unsigned long dst, unsigned long n)
{
	spinlock_t *from_ptl = pte_lockptr(from), *to_ptl = pte_lockptr(to);
	struct folio *huge;
	u32 moved = 0;

	lock_two(from_ptl, to_ptl);
	huge = huge_suspend(from);
	for (unsigned long i = 0; i < n; i++) {
		if (pte_none(pte_read(&from[i])))
			continue;
		pte_set(&to[i], pte_get_and_clear(&from[i]));
		moved++;
	}
	pte_used_sub(from, moved);
	pte_used_add(to, n, moved);
	if (unlikely(huge))
		huge_resume(mm, dst, to, huge);
	unlock_two(from_ptl, to_ptl);
}

/* What moves under one hold of the reverse map's locks. */
#define MOVE_CHUNK (32 * PMD_SIZE)

/*
 * Tables exist on both sides. The locks keep two things away. Someone who looks at the new place before and at the old
 * one after the move would find the page nowhere. And until the flush a CPU may reach a page at both places: taking it
 * out of the new one, truncation and reclaim would flush that one only, and free it.
 */
static void move_chunk(struct mm *mm, const struct vma *new, unsigned long from, unsigned long to,
		       unsigned long len)
{
	unsigned long va = from, stop, end = from + len;
	pte_t *pte;

	vma_rmap_lock(new);
	while ((pte = pgtable_next(&mm->pgt, &va, end, &stop))) {
		while (va < stop) {
			unsigned long dst = to + (va - from);
			unsigned long room = ALIGN_DOWN(dst, PMD_SIZE) + PMD_SIZE - dst;
			unsigned long n = min(stop - va, room) >> PAGE_SHIFT;

			move_entries(mm, pte, pgtable_find(&mm->pgt, dst), dst, n);
			pte += n;
			va += n << PAGE_SHIFT;
		}
	}
	tlb_flush_range(&mm->tlb, from, end, false);
	vma_rmap_unlock(new);
}

static void move_page_tables(struct mm *mm, const struct vma *new, unsigned long from,
			     unsigned long to, unsigned long len)
{
	unsigned long va = from, stop, end = from + len;

	while (pgtable_next(&mm->pgt, &va, end, &stop)) {
		unsigned long n = min(end - va, MOVE_CHUNK);

		move_chunk(mm, new, va, to + (va - from), n);
		va += n;
		cond_resched();
	}
}

/* The vma at the new place, merged with a neighbour where that fits. NULL when out of memory. */
static struct vma *copy_vma(struct mm *mm, struct vma *vma, const struct remap_request *rq)
{
	struct vma_desc d = { rq->new_addr, rq->new_addr + rq->new_len, vma->flags, vma->file,
			      vma->mapping, vma_index(vma, rq->addr),	vma };
	struct vma_neighbours nb = vma_neighbours(mm, rq->new_addr);
	struct vma *new;

	if (vma_is_anonymous(vma) && !vma_has_anon(vma))
		d.pgoff = rq->new_addr >> PAGE_SHIFT;
	new = vma_merge_new(mm, &d, &nb);
	if (!new) {
		new = vma_alloc(mm, &d);
		if (!new)
			return NULL;
		if (anon_vma_clone(new, vma)) {
			vma_free(new);
			return NULL;
		}
		vma_link(mm, new, &nb);
	}
	vm_stat_account(mm, new->flags, (long)(rq->new_len >> PAGE_SHIFT));
	return new;
}

/* The old place after the entries left: gone, or with DONTUNMAP empty and unlocked. */
static void leave_old_place(struct mm *mm, const struct remap_request *rq)
{
	unsigned long end = rq->addr + rq->old_len, pages = rq->old_len >> PAGE_SHIFT;
	struct vma *vma = vma_lookup(mm, rq->addr);

	if (!(rq->flags & MREMAP_DONTUNMAP)) {
		if (vma->flags & VM_ACCOUNT)
			vm_commit_add(
				pages); /* the promise went along; munmap takes it off again */
		/*
		 * Cutting the old vma may fail for want of memory: its empty part then stays mapped, as
		 * in Linux, and stays charged.
		 */
		(void)munmap_locked(mm, rq->addr, end);
	} else if (vma->flags & VM_LOCKED) {
		unsigned long old = vma->flags;

		vma = vma_modify(mm, vma, rq->addr, end, old & ~VM_LOCK_BITS);
		if (!IS_ERR(vma)) {
			vm_stat_account(mm, old, -(long)pages);
			vm_stat_account(mm, old & ~VM_LOCK_BITS, (long)pages);
		}
	}
}

/* The new range is free. The new address, or -errno with nothing moved. */
static long move_vma(struct mm *mm, struct vma *vma, const struct remap_request *rq)
{
	bool keeps_old = rq->flags & MREMAP_DONTUNMAP;
	unsigned long pages = (rq->new_len - (keeps_old ? 0 : rq->old_len)) >> PAGE_SHIFT;
	unsigned long charged = 0;
	struct vma *new = NULL;

	if (!map_count_allows(mm, MOVE_VMAS))
		return -ENOMEM;
	if (vma->flags & VM_ACCOUNT) {
		if (vm_commit_charge(pages))
			return -ENOMEM;
		charged = pages;
	}
	vma_start_write(vma);
	if (!alloc_new_tables(mm, rq->addr, rq->new_addr, rq->old_len))
		new = copy_vma(mm, vma, rq);
	if (!new) {
		struct vma_neighbours nb = vma_neighbours(mm, rq->new_addr);
		struct unmap_batch b;

		unmap_batch_init(&b, mm);
		unmap_free_tables(&b, rq->new_addr, rq->new_addr + rq->new_len,
				  nb.prev ? nb.prev->end : 0,
				  nb.next ? nb.next->start : TABLES_CEILING);
		unmap_batch_finish(&b);
		vm_commit_uncharge(charged);
		return -ENOMEM;
	}
	if (rq->old_len) {
		move_page_tables(mm, new, rq->addr, rq->new_addr, rq->old_len);
		leave_old_place(mm, rq);
	}
	return (long)rq->new_addr;
}

/* get_unmapped_area() for what is moved. */
static unsigned long find_new_place(struct mm *mm, const struct vma *vma,
				    const struct remap_request *rq, unsigned long hint,
				    unsigned long map_flags)
{
	const struct mapping *m = vma->mapping;

	if (m && mapping_may_be_large(m))
		return shmem_unmapped_area(mm, hint, rq->new_len, map_flags, m->huge,
					   vma_index(vma, rq->addr));
	return get_unmapped_area(mm, hint, rq->new_len, map_flags);
}

/* MREMAP_FIXED and MREMAP_DONTUNMAP. */
static long remap_to(struct mm *mm, struct remap_request *rq)
{
	struct vma *vma;
	unsigned long place;
	int err;

	if (!IS_ALIGNED(rq->new_addr, PAGE_SIZE) || rq->new_len > TASK_SIZE ||
	    rq->new_addr > TASK_SIZE - rq->new_len)
		return -EINVAL;
	if (rq->addr + rq->old_len > rq->new_addr && rq->new_addr + rq->new_len > rq->addr)
		return -EINVAL;
	if (!map_count_allows(mm, 2 + MOVE_VMAS))
		return -ENOMEM;
	if (rq->flags & MREMAP_FIXED) {
		if (rq->new_addr < knob_mmap_min_addr && !caller_has_rawio())
			return -EPERM;
		err = munmap_locked(mm, rq->new_addr, rq->new_addr + rq->new_len);
		if (err)
			return err;
	}
	if (rq->old_len > rq->new_len) {
		err = munmap_locked(mm, rq->addr + rq->new_len, rq->addr + rq->old_len);
		if (err)
			return err;
		rq->old_len = rq->new_len;
	}
	vma = check_resize(mm, rq);
	if (IS_ERR(vma))
		return PTR_ERR(vma);
	if ((rq->flags & MREMAP_DONTUNMAP) &&
	    !may_expand_vm(mm, vma->flags, rq->old_len >> PAGE_SHIFT))
		return -ENOMEM;
	place = find_new_place(mm, vma, rq, rq->new_addr, rq->flags & MREMAP_FIXED ? MAP_FIXED : 0);
	if (IS_ERR_VALUE(place))
		return (long)place;
	rq->new_addr = place;
	return move_vma(mm, vma, rq);
}

/* Growing upwards in place: the addresses above are free and ours to take. */
static bool can_grow_in_place(struct mm *mm, const struct vma *vma, const struct remap_request *rq)
{
	unsigned long end = rq->addr + rq->new_len;
	const struct vma *next = vma_next(vma);

	mmap_assert_write_locked(mm);
	if (rq->addr + rq->old_len != vma->end || end < rq->addr || end > TASK_SIZE)
		return false;
	return !next || end <= next->start; /* into a stack's guard gap too, as Linux */
}

static long grow_in_place(struct mm *mm, struct vma *vma, const struct remap_request *rq)
{
	unsigned long pages = (rq->new_len - rq->old_len) >> PAGE_SHIFT;
	struct vma_desc d = { vma->end,	    rq->addr + rq->new_len,	 vma->flags, vma->file,
			      vma->mapping, vma->pgoff + vma_pages(vma), vma };

	if ((vma->flags & VM_ACCOUNT) && vm_commit_charge(pages))
		return -ENOMEM;
	/* d continues vma, so this always merges, with the next one too where that fits. */
	vma_merge_new(mm, &d, &(struct vma_neighbours){ vma, vma_next(vma) });
	vm_stat_account(mm, d.flags, (long)pages);
	return (long)rq->addr;
}

static long grow(struct mm *mm, struct remap_request *rq)
{
	struct vma *vma = check_resize(mm, rq);
	unsigned long place;

	if (IS_ERR(vma))
		return PTR_ERR(vma);
	if (can_grow_in_place(mm, vma, rq))
		return grow_in_place(mm, vma, rq);
	if (!(rq->flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	place = find_new_place(mm, vma, rq, 0, 0);
	if (IS_ERR_VALUE(place))
		return (long)place;
	rq->new_addr = place;
	return move_vma(mm, vma, rq);
}

static long remap_locked(struct mm *mm, struct remap_request *rq)
{
	const struct vma *vma = vma_lookup(mm, rq->addr);
	int err;

	if (!vma)
		return -EFAULT;
	if (rq->old_len > rq->new_len && rq->old_len > TASK_SIZE - rq->addr)
		return -EINVAL;
	/* old_len 0 asks for a second view of the same pages: only shared ones have such. */
	if (!rq->old_len && !(vma->flags & (VM_SHARED | VM_MAYSHARE)))
		return -EINVAL;
	if (rq->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))
		return remap_to(mm, rq);
	if (rq->old_len < rq->new_len)
		return grow(mm, rq);
	if (rq->old_len > rq->new_len) {
		err = munmap_locked(mm, rq->addr + rq->new_len, rq->addr + rq->old_len);
		if (err)
			return err;
	}
	return (long)rq->addr;
}

long mm_mremap(struct mm *mm, unsigned long addr, unsigned long old_len, unsigned long new_len,
	       unsigned long flags, unsigned long new_addr)
{
	struct remap_request rq = { addr, PAGE_ALIGN(old_len), PAGE_ALIGN(new_len), flags,
				    new_addr };
	unsigned long old_aligned = rq.old_len;
	struct vma *vma;
	unsigned long populate = 0;
	long ret;

	if (flags & ~(unsigned long)MREMAP_FLAGS)
		return -EINVAL;
	if ((flags & MREMAP_FIXED) && !(flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if ((flags & MREMAP_DONTUNMAP) && (!(flags & MREMAP_MAYMOVE) || rq.old_len != rq.new_len))
		return -EINVAL;
	if (!IS_ALIGNED(addr, PAGE_SIZE) || !rq.new_len)
		return -EINVAL;
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	ret = remap_locked(mm, &rq);
	if (ret >= 0 && rq.new_len > old_aligned) {
		vma = vma_lookup(mm, (unsigned long)ret);
		if (vma && ((vma->flags & VM_LOCKED) || knob_populate == POPULATE_EAGER))
			populate = (unsigned long)ret + rq.new_len;
	}
	validate_mm(mm, addr, addr + old_aligned);
	if (ret >= 0)
		validate_mm(mm, (unsigned long)ret, (unsigned long)ret + rq.new_len);
	(void)mmap_write_unlock_populate(mm, (unsigned long)ret + old_aligned, populate, 0);
	return ret;
}

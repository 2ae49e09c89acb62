/* SPDX-License-Identifier: MIT
 *
 * Making, splitting and merging vmas.
 *
 * Two neighbours are one vma when everything about them agrees: flags, file, and page offsets that
 * continue. A change to part of a vma is one of these, P the previous vma, V the changed one, N the
 * next; lower case is the changed part:
 *
 *   PPPPvvvvNNNN   P and N both fit   PPPPPPPPPPPP   V and N go
 *   PPPPvvvvVVVV   P fits             PPPPPPPPVVVV   P grows, V shrinks
 *   VVVVvvvvNNNN   N fits             VVVVNNNNNNNN   V shrinks, N grows
 *   VVVVvvvvVVVV   neither            VVVVvvvvVVVV   split twice
 *
 * A file whose vmas someone counts (struct vma_watch) sees none of them go this way: where one would, they stay
 * two, as in Linux.
 *
 * Anonymous vmas take their page offset from their first address, so that areas mapped side by side
 * merge; once a page is there (vma_has_anon()) the offset stays through mremap, and decides. So does the reverse
 * map: one vma can cover the pages of two only if it is linked to all their anon_vmas (mm/anon_vma.c).
 *
 * Locking: mmap_lock held for writing throughout. Boundaries change under the i_mmap_lock of the vma's mapping and the
 * lock of its anon_vmas too, because truncate and the reverse map read them under those locks alone.
 */
#include "large.h"
#include "vma.h"
#include "vma_index.h"

static struct kmem_cache *vma_cache;

void vma_cache_init(void)
{
	vma_cache = kmem_cache_create("vm_area_struct", sizeof(struct vma), 0);
}

pte_t vm_page_prot(unsigned long flags, const struct mapping *m)
{
	pte_t locked = flags & VM_LOCKED ? PTE_MLOCKED : 0;
	pte_t prot = PTE_U | PTE_A | PTE_P | locked;

	if (!(flags & VM_ACCESS))
		return PTE_PROTNONE | locked;
	if ((flags & (VM_WRITE | VM_SHARED)) == (VM_WRITE | VM_SHARED) &&
	    !(m->flags & MAPPING_WRITEBACK))
		prot |= PTE_W;
	if (!(flags & VM_EXEC))
		prot |= PTE_NX;
	return prot;
}

static struct vma *vma_new(struct mm *mm)
{
	struct vma *vma = kmem_cache_alloc(vma_cache, GFP_KERNEL);

	if (likely(vma))
		vma_lock_init(vma, mm);
	return vma;
}

/*
 * Vmas that left the index serve again, without a grace period: who still finds one for what it was sees
 * that it is locked, or that it is another vma of the same address space.
 */
static inline struct vma *take_spare(struct mm *mm)
{
	struct vma *vma = NULL;

#pragma GCC unroll 2
	for (unsigned int i = 0; i < SPARE_VMAS && !vma; i++)
		if (READ_ONCE(mm->spare_vma[i]))
			vma = __atomic_exchange_n(&mm->spare_vma[i], NULL, __ATOMIC_ACQUIRE);
	return vma;
}

/* False when there is one. */
static inline bool set_spare(struct vma **spare, struct vma *vma)
{
	struct vma *none = NULL;

	return !READ_ONCE(*spare) &&
	       __atomic_compare_exchange_n(spare, &none, vma, false, __ATOMIC_RELEASE,
					   __ATOMIC_RELAXED);
}

static inline struct vma *vma_obtain(struct mm *mm)
{
	struct vma *vma;

	if (fail_point(FAIL_VMA_ALLOC) || !vma_index_reserve(mm))
		return NULL;
	vma = take_spare(mm) ?: vma_new(mm);
	if (likely(vma))
		vma_new_locked(vma);
	return vma;
}

static inline void get_file(struct vma *vma)
{
	if (!vma->file)
		return;
	file_get(vma->file);
	if (unlikely(vma_is_watched(vma)))
		vma->mapping->watch->opened(vma->file);
}

struct vma *vma_alloc(struct mm *mm, const struct vma_desc *d)
{
	struct vma *vma = vma_obtain(mm);

	if (!vma)
		return NULL;
	vma->start = d->start;
	vma->end = d->end;
	vma->flags = d->flags;
	vma->page_prot = vm_page_prot(d->flags, d->mapping);
	vma->pgoff = d->pgoff;
	vma->file = d->file;
	vma->mapping = d->mapping;
	vma->anon_links = NULL;
	vma->anon_vma = NULL;
	get_file(vma);
	return vma;
}

static void put_file(struct vma *vma)
{
	ASSERT(!vma->anon_links);
	if (vma->file) {
		if (unlikely(vma_is_watched(vma)))
			vma->mapping->watch->closed(vma->file);
		file_put(vma->file);
	}
}

void vma_free_at_exit(struct vma *vma)
{
	put_file(vma);
	kmem_cache_free(vma_cache, vma);
}

static void free_by_rcu(struct rcu_head *head)
{
	kmem_cache_free(vma_cache, container_of(head, struct vma, rcu));
}

void vma_free(struct vma *vma)
{
	struct mm *mm = vma->mm;

	put_file(vma);
	vma_mark_detached(vma);
#pragma GCC unroll 2
	for (unsigned int i = 0; i < SPARE_VMAS; i++)
		if (set_spare(&mm->spare_vma[i], vma))
			return;
	call_rcu(&vma->rcu, free_by_rcu);
}

void vma_free_spares(struct mm *mm)
{
	struct vma *vma;

	while ((vma = take_spare(mm)))
		call_rcu(&vma->rcu, free_by_rcu);
}

/* A shared vma that is or may become writable keeps memfd's write seal away. i_mmap_lock held. */
static void mapping_add(struct vma *vma)
{
	vma->i_mmap_node.start = vma->pgoff;
	vma->i_mmap_node.last = vma_last_index(vma);
	interval_insert(&vma->mapping->i_mmap, &vma->i_mmap_node);
	if ((vma->flags & VM_SHARED) && (vma->flags & VM_MAYWRITE))
		vma->mapping->nr_writable++;
}

static inline void mapping_add_vma(struct vma *vma)
{
	if (vma_in_mapping(vma))
		mapping_add(vma);
}

static __noinline void mapping_link(struct vma *vma)
{
	down_write(&vma->mapping->i_mmap_lock);
	mapping_add(vma);
	up_write(&vma->mapping->i_mmap_lock);
}

static void mapping_del(struct vma *vma)
{
	interval_erase(&vma->mapping->i_mmap, &vma->i_mmap_node);
	if ((vma->flags & VM_SHARED) && (vma->flags & VM_MAYWRITE))
		vma->mapping->nr_writable--;
}

static inline void mapping_del_vma(struct vma *vma)
{
	if (vma_in_mapping(vma))
		mapping_del(vma);
}

static __noinline void mapping_unlink(struct vma *vma)
{
	down_write(&vma->mapping->i_mmap_lock);
	mapping_del(vma);
	up_write(&vma->mapping->i_mmap_lock);
}

void vma_link(struct mm *mm, struct vma *vma, const struct vma_neighbours *nb)
{
	vma_insert(mm, vma, nb->prev, nb->next);
	if (vma_in_mapping(vma))
		mapping_link(vma);
}

void vma_link_last(struct mm *mm, struct vma *vma)
{
	if (vma_in_mapping(vma))
		mapping_link(vma);
	vma_append(mm, vma);
}

void vma_unlink_mapping(struct vma *vma)
{
	if (vma_in_mapping(vma))
		mapping_unlink(vma);
}

/* There will be a boundary at addr, inside the vma or outside: no table that maps 2 MiB of the vma as one reaches across. */
static inline void demote_at(struct vma *vma, unsigned long addr)
{
	unsigned long block = ALIGN_DOWN(addr, PMD_SIZE);

	if (unlikely(atomic_read(&vma->mm->pgt.nr_promoted)) && block >= vma->start &&
	    block + PMD_SIZE <= vma->end)
		huge_demote_at(vma->mm, addr);
}

/* vma_rmap_lock() of the vma, or of another that has the same links, held. */
static __always_inline void set_bounds(struct vma *vma, unsigned long start, unsigned long end)
{
	vma_assert_write_locked(vma);
	if (start != vma->start)
		demote_at(vma, start);
	if (end != vma->end)
		demote_at(vma, end);
	vma->pgoff += (long)(start - vma->start) >> PAGE_SHIFT;
	vma->start = start;
	vma->end = end;
	if (vma_in_mapping(vma))
		interval_resize(&vma->mapping->i_mmap, &vma->i_mmap_node, vma->pgoff,
				vma_last_index(vma));
	anon_vma_moved(vma);
}

static void set_range(struct mm *mm, struct vma *vma, unsigned long start, unsigned long end)
{
	set_bounds(vma, start, end);
	vma_resized(mm, vma);
}

void vma_set_range(struct mm *mm, struct vma *vma, unsigned long start, unsigned long end)
{
	vma_start_write(vma);
	vma_rmap_lock(vma);
	set_range(mm, vma, start, end);
	vma_rmap_unlock(vma);
}

static unsigned long desc_pages(const struct vma_desc *d)
{
	return (d->end - d->start) >> PAGE_SHIFT;
}

/* prev may be extended upwards over d. */
static inline bool can_append(const struct vma *prev, const struct vma_desc *d)
{
	return prev && prev->end == d->start && prev->flags == d->flags && prev->file == d->file &&
	       prev->mapping == d->mapping && prev->pgoff + vma_pages(prev) == d->pgoff &&
	       anon_vma_mergeable(prev, d->anon);
}

/* next may be extended downwards over d. */
static inline bool can_prepend(const struct vma *next, const struct vma_desc *d)
{
	return next && next->start == d->end && next->flags == d->flags && next->file == d->file &&
	       next->mapping == d->mapping && d->pgoff + desc_pages(d) == next->pgoff &&
	       anon_vma_mergeable(next, d->anon);
}

/*
 * Takes a vma whose range another one covers now, which has the same links, out of its file and its anon_vmas.
 * vma_rmap_lock() held.
 */
static void absorb(struct vma *gone)
{
	mapping_del_vma(gone);
	anon_vma_absorbed(gone);
}

/* n vmas from gone, linked by ->next, that were absorbed and are in no index any more. */
static void free_absorbed(struct vma *gone, unsigned int n)
{
	while (n--) {
		struct vma *next = vma_next(gone);

		anon_vma_free_links(gone);
		vma_free(gone);
		gone = next;
	}
}

/* vma grows over the n vmas that follow it, 1 or 2, which become free_absorbed()'s. vma_rmap_lock() held. */
static __always_inline struct vma *absorb_following(struct mm *mm, struct vma *vma, unsigned int n)
{
	struct vma *first = vma_next(vma), *last = n == 2 ? vma_next(first) : first;

	/* It grows first: then what the interval trees know about their subtrees stays as it is. */
	set_bounds(vma, vma->start, last->end);
	if (n == 2)
		absorb(last);
	absorb(first);
	return vma_erase_pieces(mm, vma, n);
}

struct vma *vma_merge_new(struct mm *mm, const struct vma_desc *d, const struct vma_neighbours *nb)
{
	struct vma *prev = nb->prev, *next = nb->next;
	bool append = can_append(prev, d), prepend = can_prepend(next, d);
	struct vma *into = append ? prev : next, *gone = NULL;
	unsigned int nr_gone = 0;

	if (!append && !prepend)
		return NULL;
	if (append && prepend && vma_is_watched(next))
		prepend = false;
	vma_start_write(into);
	if (append && prepend)
		vma_start_write(next);
	if (d->anon && anon_vma_adopt(into, d->anon))
		return NULL;
	if (append && prepend && (!anon_vma_mergeable(prev, next) || anon_vma_adopt(prev, next)))
		prepend = false;

	stat_inc(VMA_MERGE);
	vma_rmap_lock(into);
	if (append && prepend) {
		gone = absorb_following(mm, prev, nr_gone = 1);
	} else if (append) {
		set_range(mm, prev, prev->start, d->end);
	} else {
		set_range(mm, next, d->start, next->end);
	}
	vma_rmap_unlock(into);
	free_absorbed(gone, nr_gone);
	return into;
}

/* The part of vma from addr on, in nothing yet. NULL when out of memory. */
static __always_inline struct vma *piece_alloc(struct mm *mm, struct vma *vma, unsigned long addr)
{
	struct vma *piece = vma_obtain(mm);

	if (unlikely(!piece))
		return NULL;
	piece->start = addr;
	piece->end = vma->end;
	piece->flags = vma->flags;
	piece->page_prot = vma->page_prot;
	piece->pgoff = vma_index(vma, addr);
	piece->file = vma->file;
	piece->mapping = vma->mapping;
	piece->anon_links = NULL;
	piece->anon_vma = NULL;
	if (unlikely(anon_vma_prepare_piece(piece, vma))) {
		piece->file = NULL;
		vma_free(piece);
		return NULL;
	}
	get_file(piece);
	return piece;
}

/* vma ends where the first of n pieces starts, and each of them where the next one does. */
static __always_inline void cut(struct mm *mm, struct vma *vma, struct vma *first, unsigned int n)
{
	struct vma *piece = first;

	vma_rmap_lock(vma);
	if (n == 2)
		demote_at(vma, vma_next(first)->start);
	/* It shrinks last: then what the interval trees know about their subtrees stays as it is. */
	for (unsigned int i = 0; i < n; i++, piece = vma_next(piece)) {
		stat_inc(VMA_SPLIT);
		mapping_add_vma(piece);
		anon_vma_insert(piece);
	}
	set_bounds(vma, vma->start, first->start);
	vma_insert_pieces(mm, vma, first, n);
	vma_rmap_unlock(vma);
}

/* The vma is locked for writing. */
static struct vma *split(struct mm *mm, struct vma *vma, unsigned long addr)
{
	struct vma *piece = piece_alloc(mm, vma, addr);

	ASSERT(vma->start < addr && addr < vma->end);
	if (!piece)
		return ERR_PTR(-ENOMEM);
	cut(mm, vma, piece, 1);
	return piece;
}

struct vma *vma_split(struct mm *mm, struct vma *vma, unsigned long addr)
{
	vma_start_write(vma);
	return split(mm, vma, addr);
}

/* The same at two places: the middle part is returned. */
static struct vma *split_twice(struct mm *mm, struct vma *vma, unsigned long start,
			       unsigned long end)
{
	struct vma *middle = piece_alloc(mm, vma, start), *upper;

	if (!middle)
		return ERR_PTR(-ENOMEM);
	upper = piece_alloc(mm, vma, end);
	if (!upper) {
		anon_vma_free_links(middle);
		vma_free(middle);
		return ERR_PTR(-ENOMEM);
	}
	middle->end = end;
	middle->next = upper;
	cut(mm, vma, middle, 2);
	return middle;
}

static void set_flags(struct vma *vma, unsigned long flags)
{
	vma_assert_write_locked(vma);
	RACY_WRITE(vma->flags, flags); /* the reverse map reads them */
	vma->page_prot = vm_page_prot(flags, vma->mapping);
}

/* The changed part joins prev, next or both. NULL: neither fits. */
static struct vma *modify_by_merging(struct mm *mm, struct vma *vma, const struct vma_desc *d)
{
	bool whole = d->start == vma->start && d->end == vma->end;
	struct vma *prev = d->start == vma->start ? vma_prev(vma) : NULL;
	struct vma *next = d->end == vma->end ? vma_next(vma) : NULL;
	struct vma *into, *gone = NULL;
	unsigned int nr_gone = 0;

	if (!can_append(prev, d))
		prev = NULL;
	if (!can_prepend(next, d))
		next = NULL;
	if (prev && next && (unlikely(vma_is_watched(vma)) || !anon_vma_mergeable(prev, next)))
		next = NULL;
	if ((!prev && !next) || (whole && vma_is_watched(vma)))
		return NULL;
	if (prev)
		vma_start_write(prev);
	if (next)
		vma_start_write(next);
	into = prev ?: whole ? vma : next;
	if (anon_vma_adopt(into, vma) || (next && anon_vma_adopt(into, next)))
		return NULL;

	stat_inc(VMA_MERGE);
	vma_rmap_lock(into);
	if (whole) {
		nr_gone = prev && next ? 2 : 1;
		gone = absorb_following(mm, into, nr_gone);
		if (!prev)
			set_flags(vma, d->flags);
	} else if (prev) {
		set_bounds(vma, d->end, vma->end);
		set_bounds(prev, prev->start, d->end);
		vma_boundary_moved(mm, prev);
	} else {
		set_bounds(vma, vma->start, d->start);
		set_bounds(next, d->start, next->end);
		vma_boundary_moved(mm, vma);
	}
	vma_rmap_unlock(into);
	free_absorbed(gone, nr_gone);
	return into;
}

/* munmap may go over the limit for a moment, since it ends with fewer vmas; others may not. */
static inline struct vma *split_within_limit(struct mm *mm, struct vma *vma, unsigned long addr)
{
	if ((unsigned long)mm->map_count >= knob_max_map_count)
		return ERR_PTR(-ENOMEM);
	return split(mm, vma, addr);
}

struct vma *vma_modify(struct mm *mm, struct vma *vma, unsigned long start, unsigned long end,
		       unsigned long flags)
{
	struct vma_desc d = {
		start, end, flags, vma->file, vma->mapping, vma_index(vma, start), vma
	};
	struct vma *merged, *upper;

	ASSERT(vma->start <= start && start < end && end <= vma->end);
	vma_start_write(vma);
	merged = modify_by_merging(mm, vma, &d);
	if (merged)
		return merged;
	if (start != vma->start && end != vma->end &&
	    (unsigned long)mm->map_count + 1 < knob_max_map_count) {
		vma = split_twice(mm, vma, start, end);
		if (!IS_ERR(vma))
			set_flags(vma, flags);
		return vma;
	}
	if (start != vma->start) {
		upper = split_within_limit(mm, vma, start);
		if (IS_ERR(upper))
			return upper;
		vma = upper;
	}
	if (end != vma->end) {
		upper = split_within_limit(mm, vma, end);
		if (IS_ERR(upper))
			return upper;
	}
	set_flags(vma, flags);
	return vma_remember(mm, vma);
}

/* SPDX-License-Identifier: MIT
 *
 * The vma index: find, insert, erase, next, prev, gap. The vmas of an address space are a list by address,
 * always; knob vma.index says what finds one in it, and a gap between two:
 *
 *   list     nothing: the list is walked. What kernels did in the beginning, and the yardstick for the others
 *   rbtree   a red-black tree through the vmas (mm/vma_rbtree.c): Linux until 6.0
 *   maple    a B-tree beside them (mm/vma_btree.c): in idea Linux's maple tree, and named after it
 *
 * An address space keeps the index that it was made with.
 */
#include "vma.h"
#include "vma_index.h"

void vma_index_init(void)
{
	btree_init();
}

bool vma_index_create(struct mm *mm)
{
	mm->index.kind = (unsigned int)knob_vma_index;
	return mm->index.kind != VMA_INDEX_MAPLE || btree_create(mm);
}

void vma_index_destroy(struct mm *mm)
{
	if (mm->index.kind == VMA_INDEX_MAPLE)
		btree_destroy(mm);
}

bool vma_index_reserve(struct mm *mm)
{
	return mm->index.kind != VMA_INDEX_MAPLE || btree_reserve(mm);
}

static struct vma *list_find(struct mm *mm, unsigned long addr)
{
	struct vma *vma = mm->index.first;

	while (vma && vma->end <= addr)
		vma = vma->next;
	return vma_remember(mm, vma);
}

struct vma *vma_find(struct mm *mm, unsigned long addr)
{
	struct vma *hint = __atomic_load_n(vma_hint(mm), __ATOMIC_ACQUIRE);

	mmap_assert_locked(mm);
	if (likely(hint) && addr < hint->end &&
	    (hint->start <= addr || (hint->prev && hint->prev->end <= addr)))
		return hint;
	if (likely(mm->index.kind == VMA_INDEX_MAPLE))
		return btree_find(mm, addr);
	return mm->index.kind == VMA_INDEX_RBTREE ? rbtree_find(mm, addr) : list_find(mm, addr);
}

/* ---- without mmap_lock ---- */

READS_UNLOCKED static struct vma *list_find_rcu(struct mm *mm, unsigned long addr,
						unsigned long seq)
{
	struct vma *vma = mm->index.first;

	while (!vma_index_changed(mm, seq)) {
		if (!vma || vma->end > addr)
			return vma;
		vma = vma->next;
	}
	return NULL;
}

/*
 * Each pointer is followed only when the index has not changed since the beginning: it is one of an index that was
 * whole then, and what it points to is freed by RCU.
 */
struct vma *vma_find_rcu(struct mm *mm, unsigned long addr)
{
	unsigned long seq = __atomic_load_n(&mm->index.seq, __ATOMIC_ACQUIRE);

	if (unlikely(seq & 1))
		return NULL;
	if (likely(mm->index.kind == VMA_INDEX_MAPLE))
		return btree_find_rcu(mm, addr, seq);
	return mm->index.kind == VMA_INDEX_RBTREE ? rbtree_find_rcu(mm, addr, seq)
						  : list_find_rcu(mm, addr, seq);
}

/* Around each change of pointers that a lookup follows. mmap_lock held for writing. */
static __always_inline void begin_change(struct mm *mm)
{
	mmap_assert_write_locked(mm);
	count_up(&mm->index.seq);
}

static __always_inline void end_change(struct mm *mm)
{
	count_up(&mm->index.seq);
}

/* ---- changes ---- */

void vma_insert(struct mm *mm, struct vma *vma, struct vma *prev, struct vma *next)
{
	vma_assert_write_locked(vma);
	ASSERT(!prev || (prev->end <= vma->start && prev->next == next));
	ASSERT(!next || (vma->end <= next->start && next->prev == prev));
	begin_change(mm);
	vma->prev = prev;
	vma->next = next;
	*(prev ? &prev->next : &mm->index.first) = vma;
	*(next ? &next->prev : &mm->index.last) = vma;
	mm->map_count++;
	(void)vma_remember(mm, vma); /* who maps something uses it next */
	if (likely(mm->index.kind == VMA_INDEX_MAPLE))
		btree_insert(mm, vma);
	else if (mm->index.kind == VMA_INDEX_RBTREE)
		rbtree_insert(mm, vma);
	end_change(mm);
}

void vma_append(struct mm *mm, struct vma *vma)
{
	struct vma *prev = mm->index.last;

	if (unlikely(mm->index.kind != VMA_INDEX_MAPLE)) {
		vma_insert(mm, vma, prev, NULL);
		return;
	}
	mmap_assert_write_locked(mm);
	vma->prev = prev;
	vma->next = NULL;
	*(prev ? &prev->next : &mm->index.first) = vma;
	mm->index.last = vma;
	mm->map_count++;
	btree_append(mm, vma);
}

/*
 * No lookup of any CPU starts with the vma any more, but with the other one, or NULL. It is locked for writing, and
 * nobody stores it there without its lock, or mmap_lock.
 */
static inline void forget(struct mm *mm, const struct vma *vma, struct vma *other)
{
#pragma GCC unroll 4
	for (unsigned int i = 0; i < VMA_HINTS; i++)
		if (unlikely(RACY_READ(mm->last_vma[i]) == vma))
			__atomic_store_n(&mm->last_vma[i], other, __ATOMIC_RELEASE);
}

void vma_erase(struct mm *mm, struct vma *vma)
{
	struct vma *prev = vma->prev, *next = vma->next;

	vma_assert_write_locked(vma);
	forget(mm, vma, NULL);
	vma_mark_detached(vma);
	begin_change(mm);
	*(prev ? &prev->next : &mm->index.first) = next;
	*(next ? &next->prev : &mm->index.last) = prev;
	mm->map_count--;
	if (likely(mm->index.kind == VMA_INDEX_MAPLE))
		btree_erase(mm, vma);
	else if (mm->index.kind == VMA_INDEX_RBTREE)
		rbtree_erase(mm, vma);
	end_change(mm);
}

void vma_resized(struct mm *mm, struct vma *vma)
{
	vma_assert_write_locked(vma);
	/* No pointer changes: who looks up without mmap_lock meanwhile may find nothing, and that is all. */
	if (likely(mm->index.kind == VMA_INDEX_MAPLE))
		btree_resized(vma);
	else if (mm->index.kind == VMA_INDEX_RBTREE)
		rbtree_resized(vma);
}

void vma_insert_pieces(struct mm *mm, struct vma *vma, struct vma *first, unsigned int n)
{
	struct vma *last = n == 2 ? first->next : first, *next = vma->next;

	vma_assert_write_locked(vma);
	ASSERT(vma->end == first->start && (n == 1 || first->end == last->start));
	if (unlikely(mm->index.kind != VMA_INDEX_MAPLE)) {
		vma_insert(mm, first, vma, next);
		if (n == 2)
			vma_insert(mm, last, first, next);
		return;
	}
	begin_change(mm);
	vma->next = first;
	first->prev = vma;
	if (n == 2)
		last->prev = first;
	last->next = next;
	*(next ? &next->prev : &mm->index.last) = last;
	mm->map_count += (int)n;
	(void)vma_remember(mm, first);
	btree_insert_pieces(mm, vma, n);
	end_change(mm);
}

struct vma *vma_erase_pieces(struct mm *mm, struct vma *vma, unsigned int n)
{
	struct vma *first = vma->next, *last = n == 2 ? first->next : first, *next = last->next;

	vma_assert_write_locked(vma);
	vma_assert_write_locked(first);
	vma_assert_write_locked(last);
	ASSERT(vma->end == last->end);
	if (unlikely(mm->index.kind != VMA_INDEX_MAPLE)) {
		vma_erase(mm, first);
		if (n == 2)
			vma_erase(mm, last);
		vma_resized(mm, vma);
		return first;
	}
	forget(mm, first, vma);
	vma_mark_detached(first);
	if (n == 2) {
		forget(mm, last, vma);
		vma_mark_detached(last);
	}
	begin_change(mm);
	vma->next = next;
	*(next ? &next->prev : &mm->index.last) = vma;
	mm->map_count -= (int)n;
	btree_erase_pieces(mm, vma, first, n);
	end_change(mm);
	return first;
}

void vma_boundary_moved(struct mm *mm, struct vma *vma)
{
	vma_assert_write_locked(vma);
	vma_assert_write_locked(vma->next);
	ASSERT(vma->end == vma->next->start);
	if (likely(mm->index.kind == VMA_INDEX_MAPLE))
		btree_boundary_moved(vma);
	else if (mm->index.kind == VMA_INDEX_RBTREE)
		rbtree_resized(vma);
}

static unsigned long list_highest_gap(struct mm *mm, const struct gap_request *rq)
{
	for (const struct vma *vma = mm->index.last; vma; vma = vma->prev) {
		unsigned long to = vma_start_gap(vma), from = to - vma_gap_below(vma);

		if (gap_fits(rq, &from, &to))
			return to - rq->len;
	}
	return 0;
}

static unsigned long list_lowest_gap(struct mm *mm, const struct gap_request *rq)
{
	for (const struct vma *vma = mm->index.first; vma; vma = vma->next) {
		unsigned long to = vma_start_gap(vma), from = to - vma_gap_below(vma);

		if (gap_fits(rq, &from, &to))
			return from;
	}
	return 0;
}

static unsigned long highest_gap(struct mm *mm, const struct gap_request *rq)
{
	if (likely(mm->index.kind == VMA_INDEX_MAPLE))
		return btree_highest_gap(mm, rq);
	if (mm->index.kind == VMA_INDEX_RBTREE)
		return rbtree_highest_gap(mm, rq);
	return list_highest_gap(mm, rq);
}

static unsigned long lowest_gap(struct mm *mm, const struct gap_request *rq)
{
	if (likely(mm->index.kind == VMA_INDEX_MAPLE))
		return btree_lowest_gap(mm, rq);
	if (mm->index.kind == VMA_INDEX_RBTREE)
		return rbtree_lowest_gap(mm, rq);
	return list_lowest_gap(mm, rq);
}

unsigned long vma_gap(struct mm *mm, unsigned long len, unsigned long low, unsigned long high,
		      bool bottom_up)
{
	const struct gap_request rq = { len, max(low, PAGE_SIZE), high };
	unsigned long above = mm->index.last ? mm->index.last->end : 0, found;

	mmap_assert_write_locked(mm);
	if (high < len || high - len < rq.low)
		return 0;
	if (!bottom_up)
		return above <= high - len ? high - len : highest_gap(mm, &rq);
	found = lowest_gap(mm, &rq);
	above = max(above, rq.low);
	return found || above > high - len ? found : above;
}

void vma_index_validate(struct mm *mm)
{
	const struct vma *prev = NULL;
	int n = 0;

	for (const struct vma *vma = mm->index.first; vma; prev = vma, vma = vma->next, n++)
		BUG_ON(vma->prev != prev);
	BUG_ON(mm->index.last != prev || n != mm->map_count);
	if (mm->index.kind == VMA_INDEX_MAPLE)
		btree_validate(mm);
	else if (mm->index.kind == VMA_INDEX_RBTREE)
		rbtree_validate(mm);
}

void vma_index_validate_at(struct mm *mm, const struct vma *vma)
{
	BUG_ON(vma != (vma->prev ? vma->prev->next : mm->index.first));
	BUG_ON(vma != (vma->next ? vma->next->prev : mm->index.last));
	if (mm->index.kind == VMA_INDEX_MAPLE)
		btree_validate_at(mm, vma);
}

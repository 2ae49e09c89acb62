/* SPDX-License-Identifier: MIT
 *
 * Behind the vma index (mm/vma_index.c): the tree that finds. The list of vmas is right before each of these
 * is called: a new vma is in it already, one that is erased has left it, a changed one has its new boundaries.
 * mmap_lock held; for writing, but to find.
 */
#ifndef MM_VMA_INDEX_H
#define MM_VMA_INDEX_H

#include "vma.h"

struct gap_request {
	unsigned long len, low, high; /* bytes; low < high, and len fits between them */
};

/* The free bytes below vma, less a stack's guard; 0 when the guard reaches into what is below. */
static inline unsigned long vma_gap_below(const struct vma *vma)
{
	unsigned long from = vma->prev ? vma->prev->end : 0, to = vma_start_gap(vma);

	return to > from ? to - from : 0;
}

/* The part of [from, to) inside the window, when len bytes fit into it. */
static inline bool gap_fits(const struct gap_request *rq, unsigned long *from, unsigned long *to)
{
	*from = max(*from, rq->low);
	*to = min(*to, rq->high);
	return *to > *from && *to - *from >= rq->len;
}

/* The next lookup on this CPU may be for the same vma (or NULL: not). Returns it. mmap_lock or the vma's lock held. */
static inline struct vma *vma_remember(struct mm *mm, struct vma *vma)
{
	if (likely(vma))
		__atomic_store_n(vma_hint(mm), vma, __ATOMIC_RELEASE);
	return vma;
}

/*
 * find: the first vma with end > addr, or NULL, remembered. highest, lowest: the highest (lowest) place below some vma that
 * fits, or 0; what lies above the last vma is not theirs. validate: panics with what is wrong.
 */

/* vma_find_rcu(): the index was changed since it had this sequence number, so that what was read may be nonsense. */
static __always_inline bool vma_index_changed(const struct mm *mm, unsigned long seq)
{
	barrier(); /* x86 loads in order */
	return unlikely(__atomic_load_n(&mm->index.seq, __ATOMIC_RELAXED) != seq);
}

/* It reads what others write, and follows a pointer when it has seen that nobody did. */
#ifdef __SANITIZE_THREAD__
#define READS_UNLOCKED __attribute__((no_sanitize("thread")))
#else
#define READS_UNLOCKED
#endif

struct vma *rbtree_find(struct mm *mm, unsigned long addr);
struct vma *rbtree_find_rcu(struct mm *mm, unsigned long addr, unsigned long seq);
void rbtree_insert(struct mm *mm, struct vma *vma);
void rbtree_erase(struct mm *mm, struct vma *vma);
void rbtree_resized(struct vma *vma);
unsigned long rbtree_highest_gap(struct mm *mm, const struct gap_request *rq);
unsigned long rbtree_lowest_gap(struct mm *mm, const struct gap_request *rq);
void rbtree_validate(struct mm *mm);

void btree_init(void); /* the cache of nodes; once at boot */
/* The root. False when out of memory. */
bool btree_create(struct mm *mm);
/* Frees all nodes; the vmas are not looked at. */
void btree_destroy(struct mm *mm);
/* Nodes enough for one insertion, whatever it splits, wait in the index. False when out of memory. */
bool btree_reserve(struct mm *mm);
struct vma *btree_find(struct mm *mm, unsigned long addr);
struct vma *btree_find_rcu(struct mm *mm, unsigned long addr, unsigned long seq);
void btree_insert(struct mm *mm, struct vma *vma);
void btree_append(struct mm *mm, struct vma *vma); /* above all others */
void btree_erase(struct mm *mm, struct vma *vma);
void btree_resized(struct vma *vma);
void btree_insert_pieces(struct mm *mm, struct vma *vma, unsigned int n);
void btree_erase_pieces(struct mm *mm, struct vma *vma, struct vma *first, unsigned int n);
void btree_boundary_moved(struct vma *vma);
unsigned long btree_highest_gap(struct mm *mm, const struct gap_request *rq);
unsigned long btree_lowest_gap(struct mm *mm, const struct gap_request *rq);
void btree_validate(struct mm *mm);
void btree_validate_at(struct mm *mm, const struct vma *vma);

#endif

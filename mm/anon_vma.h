/* SPDX-License-Identifier: MIT
 *
 * Anonymous memory's half of the reverse map: which vmas may map the anonymous pages of a vma. docs/rmap.md has
 * pictures. Shared inside mm/ only.
 *
 * Lock letters: [W] mmap_lock for writing, or, when it was still NULL, for reading and mm->anon_lock; [V] the
 * root's lock; [A] atomic; [I] fixed after creation.
 */
#ifndef MM_ANON_VMA_H
#define MM_ANON_VMA_H

#include <kern/atomic.h>
#include <kern/interval_tree.h>
#include <mm/mm.h>
#include <mm/page.h>
#include <sync/rwsem.h>

/*
 * What anonymous folios point to: the vmas that may map them. A vma and those split off it share one; each fork
 * adds one below it, so they form a tree, whose root has the lock of all.
 */
struct anon_vma {
	struct anon_vma *root;	 /* [I] itself, or with a reference */
	struct anon_vma *parent; /* [I] lives as long as this one has links; the root: itself */
	struct rwsem lock;	 /* the root's: links and boundaries of all vmas of the tree */
	atomic_t refcount; /* [A] one for all links together, one a descendant when root; walkers */
	unsigned int
		children; /* [V] those with this parent that have links; the root counts itself */
	unsigned int owners;	/* [V] vmas whose anon_vma this is: new pages come here */
	struct rb_root links;	/* [V] anon_link->node */
	struct anon_link first; /* that of the vma for which it was made, as long as it is linked */
};

void anon_vma_init(void);

/* New anonymous pages may come: vma->anon_vma is set. mmap_lock held, and no spinlock. 0 or -ENOMEM. */
int anon_vma_make(struct vma *vma);
static __always_inline int __must_check anon_vma_prepare(struct vma *vma)
{
	if (likely(__atomic_load_n(&vma->anon_vma, __ATOMIC_ACQUIRE)))
		return 0;
	return anon_vma_make(vma);
}

/* The last page offset of the vma. */
static inline unsigned long vma_last_index(const struct vma *vma)
{
	return vma->pgoff + vma_pages(vma) - 1;
}

/* Root's lock held, or nobody else knows the anon_vma yet. */
static inline void anon_link_insert(struct anon_link *link)
{
	link->node.start = link->vma->pgoff;
	link->node.last = vma_last_index(link->vma);
	interval_insert(&link->anon_vma->links, &link->node);
}

/* An anonymous page was, or could have been, mapped here or where this was forked from. */
static inline bool vma_has_anon(const struct vma *vma)
{
	return READ_ONCE(vma->anon_links) != NULL;
}

/* Slow paths of what follows: vmas with links. */
int anon_vma_copy(struct vma *dst, struct vma *src, bool forked);
int anon_vma_copy_links(struct vma *dst, struct vma *src);
void anon_vma_free_links_slow(struct vma *vma);
bool anon_vma_mergeable_slow(const struct vma *a, const struct vma *b);
void anon_vma_unlink_slow(struct vma *vma);

/*
 * dst, which has no links, may map what src may. The same vma in two places (split, mremap, merge): new pages of both
 * come to the same anon_vma. mmap_lock for writing. 0 or -ENOMEM and nothing done.
 */
static inline int anon_vma_clone(struct vma *dst, struct vma *src)
{
	return src->anon_links ? anon_vma_copy(dst, src, false) : 0;
}

/*
 * The same for a piece of src, in two steps: the first one allocates, the second, under anon_vma_lock() of src and after
 * the piece has its boundaries, cannot fail.
 */
static inline int anon_vma_prepare_piece(struct vma *piece, struct vma *src)
{
	struct anon_link *link = src->anon_links;

	if (!link)
		return 0;
	if (unlikely(link->next || !src->anon_vma))
		return anon_vma_copy_links(piece, src);
	piece->own_link.vma = piece;
	piece->own_link.anon_vma = piece->anon_vma = src->anon_vma;
	piece->own_link.next = NULL;
	piece->anon_links = &piece->own_link;
	return 0;
}

static inline void anon_vma_insert(struct vma *piece)
{
	for (struct anon_link *link = piece->anon_links; link; link = link->next)
		anon_link_insert(link);
	if (piece->anon_vma)
		piece->anon_vma->owners++;
}

/* What follows on anon_vma_prepare_piece() when there will be no piece; and after anon_vma_absorbed(). */
static inline void anon_vma_free_links(struct vma *vma)
{
	if (vma->anon_links == &vma->own_link && !vma->own_link.next)
		vma->anon_links = NULL;
	else if (vma->anon_links)
		anon_vma_free_links_slow(vma);
}

/* dst is src's copy in a forked child, whose own anon_vma is made with its first new page. The same otherwise. */
static inline int anon_vma_fork(struct vma *dst, struct vma *src)
{
	return src->anon_links ? anon_vma_copy(dst, src, true) : 0;
}

/* into is about to cover the range of from, with which it may merge. 0, or -ENOMEM and nothing done. */
static inline int anon_vma_adopt(struct vma *into, struct vma *from)
{
	return into->anon_links ? 0 : anon_vma_clone(into, from);
}

/* Neighbours whose pages may be in one vma from now on; b: NULL, or none yet. mmap_lock for writing. */
static inline bool anon_vma_mergeable(const struct vma *a, const struct vma *b)
{
	if (!a->anon_links && (!b || !b->anon_links))
		return true;
	return a == b || (b && a->anon_vma && a->anon_vma == b->anon_vma) ||
	       anon_vma_mergeable_slow(a, b);
}

/*
 * Nobody walks the vma's links meanwhile: around changes of its boundaries, after which anon_vma_moved() is called.
 * mmap_lock for writing, i_mmap_lock of its mapping taken already.
 */
static inline void anon_vma_lock(const struct vma *vma)
{
	if (vma->anon_links)
		down_write(&vma->anon_links->anon_vma->root->lock);
}

static inline void anon_vma_unlock(const struct vma *vma)
{
	if (vma->anon_links)
		up_write(&vma->anon_links->anon_vma->root->lock);
}

static inline void anon_vma_moved(struct vma *vma)
{
	for (struct anon_link *link = vma->anon_links; link; link = link->next)
		interval_resize(&link->anon_vma->links, &link->node, vma->pgoff,
				vma_last_index(vma));
}

/* Another vma with the same links covers the vma's range from now on. anon_vma_lock() held. */
static inline void anon_vma_absorbed(struct vma *vma)
{
	for (struct anon_link *link = vma->anon_links; link; link = link->next)
		interval_erase(&link->anon_vma->links, &link->node);
	if (vma->anon_vma)
		vma->anon_vma->owners--;
}

/* Takes the vma, which maps no anonymous page any more, out of its anon_vmas. */
static inline void anon_vma_unlink(struct vma *vma)
{
	if (vma->anon_links)
		anon_vma_unlink_slow(vma);
}

/* The folio's, with a reference, or NULL when nobody maps it. Folio locked, referenced. */
struct anon_vma *anon_vma_get(const struct folio *folio);
void anon_vma_put(struct anon_vma *anon_vma);

#endif

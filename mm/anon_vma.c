/* SPDX-License-Identifier: MIT
 *
 * Anonymous memory's half of the reverse map: anon_vmas come and go with vmas.
 *
 * 1. A vma gets an anon_vma of its own with its first anonymous page, and folios point to the anon_vma of the vma in which
 *    they were new. Fork links the child's vma to all anon_vmas that the parent's is linked to, for it maps their pages;
 *    the child's own one, below the parent's, is made with the child's first new page: a child that calls exec()
 *    at once never has one. So a page is found in the vmas that could inherit it and in no others.
 *
 * 2. A program that forks, of which the child forks again, and so on, must not make a chain that only grows.
 *    Instead of a new anon_vma a vma takes an old one that no vma owns any more and that has one child at most: all
 *    that are left have owners or two children, so there are fewer than twice as many as vmas. (Linux does so since 4.0.)
 *
 * 3. Two vmas with the same anon_vma have the same links: they are pieces of one, or shared a root of their own while it
 *    was the only link of both. Merging relies on that: the pieces' links are the whole's.
 *
 * 4. Life. Links hold an anon_vma together: while an entry maps a folio, its vma is linked, so the anon_vma lives. Who comes
 *    from the folio knows that only for the moment in which it sees mapcount > 0; anon_vma_get() therefore looks and
 *    takes its reference under one spinlock, through which everyone passes who is about to free an anon_vma, after the
 *    entries are gone. Linux uses RCU for this.
 *
 * Locking: the layout of links changes with the root's lock for writing, and mmap_lock: for writing, or for reading where a vma
 * gets its first own anon_vma, which mm->anon_lock decides between two faults. Allocations happen before any of them.
 */
#include "internal.h"

static struct kmem_cache *anon_vma_cache, *link_cache;
static spinlock_t free_lock; /* see 4. */

void anon_vma_init(void)
{
	anon_vma_cache = kmem_cache_create("anon_vma", sizeof(struct anon_vma), 0);
	link_cache = kmem_cache_create("anon_vma_chain", sizeof(struct anon_link), 0);
}

static void link_init(struct anon_link *link, struct vma *vma, struct anon_vma *anon_vma)
{
	link->vma = vma;
	link->anon_vma = anon_vma;
	link->next = NULL;
}

/* For vma, not linked yet, with the reference of its links to be. parent: NULL for a root. */
static struct anon_vma *anon_vma_alloc(struct vma *vma, struct anon_vma *parent)
{
	struct anon_vma *anon_vma = kmem_cache_alloc(anon_vma_cache, GFP_KERNEL);

	if (unlikely(!anon_vma))
		return NULL;
	anon_vma->root = parent ? parent->root : anon_vma;
	anon_vma->parent = parent ?: anon_vma;
	rwsem_init(&anon_vma->lock);
	atomic_set(&anon_vma->refcount, 1);
	anon_vma->children = !parent;
	anon_vma->owners = 0;
	anon_vma->links = (struct rb_root)RB_ROOT;
	link_init(&anon_vma->first, vma, anon_vma);
	if (parent)
		atomic_inc(&parent->root->refcount);
	return anon_vma;
}

void anon_vma_put(struct anon_vma *anon_vma)
{
	while (anon_vma && atomic_dec_and_test(&anon_vma->refcount)) {
		struct anon_vma *root = anon_vma->root;

		/* Whoever still saw a mapped folio of it has seen by now that the count is 0. */
		spin_lock(&free_lock);
		spin_unlock(&free_lock);
		kmem_cache_free(anon_vma_cache, anon_vma);
		anon_vma = root == anon_vma ? NULL : root;
	}
}

struct anon_vma *anon_vma_get(const struct folio *folio)
{
	struct anon_vma *anon_vma = NULL;
	int refs = 0;

	spin_lock(&free_lock);
	if (atomic_read(&folio->mapcount) > 0) {
		anon_vma = folio->anon_vma;
		refs = atomic_read(&anon_vma->refcount);
		while (refs &&
		       !__atomic_compare_exchange_n(&anon_vma->refcount.v, &refs, refs + 1, false,
						    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			;
	}
	spin_unlock(&free_lock);
	return refs ? anon_vma : NULL;
}

/* ---- links ---- */

static struct anon_link *link_alloc(struct vma *vma, struct anon_vma *anon_vma)
{
	struct anon_link *link = kmem_cache_alloc(link_cache, GFP_KERNEL);

	if (unlikely(!link))
		return NULL;
	link_init(link, vma, anon_vma);
	return link;
}

/* It lies in its vma, or in the anon_vma. */
static bool is_embedded(const struct anon_link *link)
{
	return link == &link->vma->own_link || link == &link->anon_vma->first;
}

static void links_free(struct anon_link *link)
{
	while (link) {
		struct anon_link *next = link->next;

		if (!is_embedded(link))
			kmem_cache_free(link_cache, link);
		link = next;
	}
}

static bool has_one_link(const struct vma *vma)
{
	return vma->anon_links && !vma->anon_links->next;
}

/* ---- the first anonymous page ---- */

/* b continues a, but for the rights: they may well become one vma. */
static bool could_be_one(const struct vma *a, const struct vma *b)
{
	return a->end == b->start && a->file == b->file && !((a->flags ^ b->flags) & ~VM_ACCESS) &&
	       a->pgoff + vma_pages(a) == b->pgoff;
}

static struct anon_vma *only_anon_vma(const struct vma *vma)
{
	struct anon_vma *anon_vma = __atomic_load_n(&vma->anon_vma, __ATOMIC_ACQUIRE);

	return anon_vma && has_one_link(vma) ? anon_vma : NULL;
}

/* That of a neighbour, with which the vma can merge later if they share it. */
static struct anon_vma *neighbours_anon_vma(const struct vma *vma)
{
	const struct vma *next = vma_next(vma), *prev = vma_prev(vma);
	struct anon_vma *anon_vma = NULL;

	if (next && could_be_one(vma, next))
		anon_vma = only_anon_vma(next);
	if (!anon_vma && prev && could_be_one(prev, vma))
		anon_vma = only_anon_vma(prev);
	return anon_vma;
}

/* Between two faults in one vma: false when the other one was faster. link: NULL when there is one. */
static bool publish(struct vma *vma, struct anon_vma *anon_vma, struct anon_link *link)
{
	spinlock_t *lock = &vma->mm->anon_lock;

	spin_lock(lock);
	if (unlikely(vma->anon_vma)) {
		spin_unlock(lock);
		return false;
	}
	if (link) {
		anon_link_insert(link);
		link->next = vma->anon_links;
		__atomic_store_n(&vma->anon_links, link, __ATOMIC_RELEASE);
	}
	anon_vma->owners++;
	__atomic_store_n(&vma->anon_vma, anon_vma, __ATOMIC_RELEASE);
	spin_unlock(lock);
	return true;
}

static __noinline int share(struct vma *vma, struct anon_vma *anon_vma)
{
	struct anon_link *link = link_alloc(vma, anon_vma);
	bool published;

	if (!link)
		return -ENOMEM;
	down_write(&anon_vma->root->lock);
	published = publish(vma, anon_vma, link);
	up_write(&anon_vma->root->lock);
	if (!published)
		links_free(link);
	return 0;
}

/* A vma that no fork gave links: it shares a neighbour's anon_vma or becomes the owner of a new root. */
static int make_first(struct vma *vma)
{
	struct anon_vma *anon_vma = neighbours_anon_vma(vma);

	if (anon_vma)
		return share(vma, anon_vma);
	anon_vma = anon_vma_alloc(vma, NULL);
	if (!anon_vma)
		return -ENOMEM;
	if (!publish(vma, anon_vma, &anon_vma->first)) /* no lock: nobody else knows it */
		anon_vma_put(anon_vma);
	return 0;
}

/* See 2. Root's lock held. */
static struct anon_vma *find_abandoned(const struct vma *vma)
{
	struct anon_vma *oldest = NULL;

	for (struct anon_link *link = vma->anon_links; link; link = link->next)
		if (!link->anon_vma->owners && link->anon_vma->children < 2)
			oldest = link->anon_vma;
	return oldest;
}

/* Waits for a publish() that has begun. */
static bool is_published(struct vma *vma)
{
	spinlock_t *lock = &vma->mm->anon_lock;
	bool published;

	spin_lock(lock);
	published = vma->anon_vma;
	spin_unlock(lock);
	return published;
}

/*
 * A vma that fork linked to the parent's anon_vmas; the parent's own comes first. It takes over an abandoned one, or
 * a new one below that.
 */
static __noinline int make_own(struct vma *vma)
{
	struct anon_vma *parent = vma->anon_links->anon_vma, *root = parent->root;
	struct anon_vma *own = NULL, *reused;

	for (;;) {
		down_write(&root->lock);
		reused = vma->anon_vma ? NULL : find_abandoned(vma);
		if (reused || own || vma->anon_vma)
			break;
		up_write(&root->lock);
		own = anon_vma_alloc(vma, parent);
		if (!own)
			return -ENOMEM;
	}
	if (reused) {
		(void)publish(vma, reused, NULL);
	} else if (!vma->anon_vma) {
		(void)publish(vma, own, &own->first);
		parent->children++;
		own = NULL;
	}
	up_write(&root->lock);
	anon_vma_put(own);
	return 0;
}

int anon_vma_make(struct vma *vma)
{
	mmap_assert_locked(vma->mm);
	if (!vma_has_anon(vma))
		return make_first(vma);
	/* The links are inherited, or another fault was faster. */
	return is_published(vma) ? 0 : make_own(vma);
}

/* ---- vmas are copied, merged and removed ---- */

/* A link of dst, which has only the given ones. */
static struct anon_link *another_link(struct vma *dst, const struct anon_link *others,
				      struct anon_vma *anon_vma)
{
	if (others)
		return link_alloc(dst, anon_vma);
	link_init(&dst->own_link, dst, anon_vma);
	return &dst->own_link;
}

/* Links of dst, not inserted yet, to all that src has links to; the owned one first. NULL when out of memory. */
static struct anon_link *copy_links(struct vma *dst, const struct vma *src)
{
	struct anon_link *first = NULL, **end = &first;

	for (const struct anon_link *link = src->anon_links; link; link = link->next) {
		struct anon_link *copy = another_link(dst, first, link->anon_vma);

		if (unlikely(!copy)) {
			links_free(first);
			return NULL;
		}
		if (first && link->anon_vma == src->anon_vma) {
			copy->next = first;
			first = copy;
		} else {
			*end = copy;
			end = &copy->next;
		}
	}
	return first;
}

int anon_vma_copy_links(struct vma *dst, struct vma *src)
{
	mmap_assert_write_locked(src->mm);
	ASSERT(!dst->anon_links);
	/* What the two made for themselves later would keep them from ever being one again. */
	if (anon_vma_prepare(src))
		return -ENOMEM;
	dst->anon_links = copy_links(dst, src);
	dst->anon_vma = src->anon_vma;
	return dst->anon_links ? 0 : -ENOMEM;
}

void anon_vma_free_links_slow(struct vma *vma)
{
	links_free(vma->anon_links);
	vma->anon_links = NULL;
	vma->anon_vma = NULL;
}

int anon_vma_copy(struct vma *dst, struct vma *src, bool forked)
{
	ASSERT(!dst->anon_links);
	if (forked)
		dst->anon_links = copy_links(dst, src);
	else if (anon_vma_copy_links(dst, src))
		dst->anon_links = NULL;
	if (!dst->anon_links) {
		dst->anon_vma = NULL;
		return -ENOMEM;
	}
	anon_vma_lock(src);
	anon_vma_insert(dst);
	anon_vma_unlock(src);
	return 0;
}

/*
 * Not the same anon_vma. One side has links and will have the other's addresses, too: not what it inherited, or every
 * page that is new there would be looked for in all ancestors' vmas. As in Linux.
 */
bool anon_vma_mergeable_slow(const struct vma *a, const struct vma *b)
{
	const struct vma *linked = a->anon_links ? a : b;

	if (a->anon_links && b && b->anon_links)
		return false;
	return linked->anon_vma && has_one_link(linked);
}

void anon_vma_unlink_slow(struct vma *vma)
{
	struct anon_link *links = vma->anon_links;
	struct anon_vma *root = links->anon_vma->root;
	struct anon_link *unused = NULL, *dead = NULL, *next;
	bool root_lives;

	down_write(&root->lock);
	for (struct anon_link *link = links; link; link = next) {
		struct anon_vma *anon_vma = link->anon_vma;

		next = link->next;
		interval_erase(&anon_vma->links, &link->node);
		if (!is_embedded(link)) {
			link->next = unused;
			unused = link;
		}
		if (!anon_vma->links.node) {
			anon_vma->parent->children--;
			anon_vma->first.next = dead;
			dead = &anon_vma->first;
		}
	}
	if (vma->anon_vma)
		vma->anon_vma->owners--;
	/* Until its lock is released for good. One without links keeps their reference until it is put below. */
	root_lives = root->links.node;
	if (root_lives)
		atomic_inc(&root->refcount);
	up_write(&root->lock);
	for (; dead; dead = next) {
		next = dead->next;
		anon_vma_put(dead->anon_vma);
	}
	if (root_lives)
		anon_vma_put(root);
	links_free(unused);
	vma->anon_links = NULL;
	vma->anon_vma = NULL;
}

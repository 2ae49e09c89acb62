/* SPDX-License-Identifier: MIT
 *
 * Sparse array: a radix tree of 64-slot nodes, six bits of the index a level.
 *
 * The tree is as high as its largest index needs and has no parent pointers: erasing remembers
 * the way down. An empty slot is NULL. A node without used slots exists only between xa_reserve()
 * and xa_store().
 */
#include <kern/err.h>
#include <kern/failpoint.h>
#include <kern/string.h>
#include <kern/xarray.h>
#include <mm/slab.h>

#define XA_BITS 6
#define XA_SLOTS (1U << XA_BITS)
#define XA_MAX_HEIGHT 11 /* 64 bits, six at a time */

struct xa_node {
	void *slots[XA_SLOTS];
	u64 tags[NR_XA_TAGS]; /* bit n: slot n is, or leads to, an entry with the tag */
	unsigned int used;    /* slots that are not NULL */
};

static struct kmem_cache *xa_node_cache;

void xa_cache_init(void)
{
	xa_node_cache = kmem_cache_create("xa_node", sizeof(struct xa_node), 0);
}

void xa_init(struct xarray *xa)
{
	xa->root = NULL;
	xa->height = 0;
	xa->count = 0;
}

static inline unsigned int slot_of(unsigned long index, unsigned int level)
{
	return (index >> (level * XA_BITS)) & (XA_SLOTS - 1);
}

/* The largest index that a tree of this height holds; an empty one holds none. */
static inline bool in_reach(unsigned int height, unsigned long index)
{
	return height >= XA_MAX_HEIGHT || index >> (height * XA_BITS) == 0;
}

static struct xa_node *node_alloc(void)
{
	if (fail_point(FAIL_XARRAY))
		return NULL;
	return kmem_cache_alloc(xa_node_cache, GFP_KERNEL | __GFP_ZERO);
}

/*
 * The leaf for index, or NULL when there is a node missing on the way. On the path of every
 * cached read and fault.
 */
static inline struct xa_node *find_leaf(const struct xarray *xa, unsigned long index)
{
	struct xa_node *node = xa->root;
	unsigned int shift;

	if (unlikely(!node))
		return NULL;
	shift = xa->height * XA_BITS - XA_BITS;
	if (unlikely(index >> shift >= XA_SLOTS))
		return NULL;
	for (; shift && node; shift -= XA_BITS)
		node = node->slots[(index >> shift) & (XA_SLOTS - 1)];
	return node;
}

void *xa_load(const struct xarray *xa, unsigned long index)
{
	const struct xa_node *leaf = find_leaf(xa, index);

	return leaf ? leaf->slots[slot_of(index, 0)] : NULL;
}

/*
 * Links one new node where index first lacks one. An empty tree gets its height at once, another
 * grows upwards.
 */
static void add_node(struct xarray *xa, unsigned long index, struct xa_node *new)
{
	struct xa_node *node = xa->root;
	unsigned int level;

	if (!node) {
		for (xa->height = 1; !in_reach(xa->height, index); xa->height++)
			;
		xa->root = new;
		return;
	}
	if (!in_reach(xa->height, index)) {
		new->slots[0] = node;
		new->used = 1;
		for (unsigned int tag = 0; tag < NR_XA_TAGS; tag++)
			new->tags[tag] = !!node->tags[tag];
		xa->root = new;
		xa->height++;
		return;
	}
	for (level = xa->height - 1; node->slots[slot_of(index, level)]; level--)
		node = node->slots[slot_of(index, level)];
	ASSERT(level > 0);
	node->slots[slot_of(index, level)] = new;
	node->used++;
}

/*
 * Frees the nodes on the way to index that hold nothing, then levels at the top that nobody
 * needs.
 */
static void prune(struct xarray *xa, unsigned long index)
{
	struct xa_node *path[XA_MAX_HEIGHT];
	struct xa_node *node = xa->root;
	unsigned int level = xa->height;

	while (node && level) {
		path[--level] = node;
		node = node->slots[slot_of(index, level)];
	}
	while (level < xa->height && path[level]->used == 0) {
		kmem_cache_free(xa_node_cache, path[level]);
		if (++level == xa->height) {
			xa->root = NULL;
			xa->height = 0;
			return;
		}
		path[level]->slots[slot_of(index, level)] = NULL;
		path[level]->used--;
	}
	while ((node = xa->root) && xa->height > 1 && node->used == 1 && node->slots[0]) {
		xa->root = node->slots[0];
		xa->height--;
		kmem_cache_free(xa_node_cache, node);
	}
}

int xa_reserve(struct xarray *xa, spinlock_t *lock, unsigned long index)
{
	struct xa_node *spare = NULL;
	int err = 0;

	spin_lock(lock);
	while (!find_leaf(xa, index)) {
		if (spare) {
			add_node(xa, index, spare);
			spare = NULL;
			continue;
		}
		spin_unlock(lock);
		spare = node_alloc();
		spin_lock(lock);
		if (!spare) {
			prune(xa, index);
			err = -ENOMEM;
			break;
		}
	}
	spin_unlock(lock);
	if (spare)
		kmem_cache_free(xa_node_cache, spare);
	return err;
}

int xa_store(struct xarray *xa, unsigned long index, void *entry)
{
	struct xa_node *leaf = find_leaf(xa, index);
	void **slot;

	if (unlikely(!leaf))
		return -EAGAIN;
	slot = &leaf->slots[slot_of(index, 0)];
	if (!*slot) {
		leaf->used++;
		RACY_WRITE(xa->count, xa->count + 1);
	}
	*slot = entry;
	return 0;
}

bool xa_has_room(const struct xarray *xa, unsigned long first, unsigned long n)
{
	for (unsigned long i = first; i < first + n; i += XA_SLOTS)
		if (!find_leaf(xa, i))
			return false;
	return true;
}

int xa_store_run(struct xarray *xa, unsigned long first, unsigned long n, void *entry)
{
	unsigned long used = first;

	if (xa_find(xa, &used, first + n - 1))
		return -EEXIST;
	if (!xa_has_room(xa, first, n))
		return -EAGAIN;
	for (unsigned long i = first; i < first + n; i++)
		BUG_ON(xa_store(xa, i, entry));
	return 0;
}

int xa_reserve_run(struct xarray *xa, spinlock_t *lock, unsigned long first, unsigned long n)
{
	int err = 0;

	for (unsigned long i = first; i < first + n && !err; i += XA_SLOTS)
		err = xa_reserve(xa, lock, i);
	return err;
}

/* ---- tags ---- */

void xa_set_tag(struct xarray *xa, unsigned long index, enum xa_tag tag)
{
	struct xa_node *node = xa->root;

	ASSERT(xa_load(xa, index));
	for (unsigned int level = xa->height; level--; node = node->slots[slot_of(index, level)])
		node->tags[tag] |= 1UL << slot_of(index, level);
}

bool xa_has_tag(const struct xarray *xa, unsigned long index, enum xa_tag tag)
{
	const struct xa_node *leaf = find_leaf(xa, index);

	return leaf && leaf->tags[tag] >> slot_of(index, 0) & 1;
}

void xa_clear_tag(struct xarray *xa, unsigned long index, enum xa_tag tag)
{
	struct xa_node *path[XA_MAX_HEIGHT];
	struct xa_node *node = xa->root;

	if (!xa_has_tag(xa, index, tag))
		return;
	for (unsigned int level = xa->height; level--; node = node->slots[slot_of(index, level)])
		path[level] = node;
	for (unsigned int level = 0; level < xa->height; level++) {
		path[level]->tags[tag] &= ~(1UL << slot_of(index, level));
		if (path[level]->tags[tag])
			break;
	}
}

void *xa_erase(struct xarray *xa, unsigned long index)
{
	struct xa_node *leaf = find_leaf(xa, index);
	void **slot;
	void *entry;

	if (!leaf)
		return NULL;
	slot = &leaf->slots[slot_of(index, 0)];
	entry = *slot;
	if (!entry)
		return NULL;
	for (unsigned int tag = 0; tag < NR_XA_TAGS; tag++)
		if (unlikely(leaf->tags[tag]))
			xa_clear_tag(xa, index, tag);
	*slot = NULL;
	RACY_WRITE(xa->count, xa->count - 1);
	if (--leaf->used == 0)
		prune(xa, index);
	return entry;
}

/*
 * One step down the tree: the first wanted slot of node at or after *i's, or NULL. *i follows: to
 * the start of what that slot covers, or past the node. Sets *i to 0 when it ran over the last
 * index there is. tag NR_XA_TAGS: any used slot is wanted.
 */
static inline void *find_slot(const struct xa_node *node, unsigned int level, unsigned long *i,
			      enum xa_tag tag)
{
	unsigned int shift = level * XA_BITS;

	for (unsigned int slot = slot_of(*i, level); slot < XA_SLOTS; slot++) {
		if (tag == NR_XA_TAGS ? !!node->slots[slot] : node->tags[tag] >> slot & 1)
			return node->slots[slot];
		*i = ((*i >> shift) + 1) << shift;
		if (unlikely(*i == 0))
			break;
	}
	return NULL;
}

unsigned int xa_gather(const struct xarray *xa, unsigned long first, unsigned long last, void **out)
{
	unsigned int n = 0;

	while (first <= last) {
		const struct xa_node *leaf = find_leaf(xa, first);
		unsigned long leaf_last = min(first | (XA_SLOTS - 1), last);

		for (unsigned int i = slot_of(first, 0); leaf && i <= slot_of(leaf_last, 0); i++) {
			void *entry = leaf->slots[i];

			if (entry)
				out[n++] = entry;
		}
		if (leaf_last == last)
			break;
		first = leaf_last + 1;
	}
	return n;
}

static __always_inline void *find(const struct xarray *xa, unsigned long *index, unsigned long last,
				  enum xa_tag tag)
{
	unsigned long i = *index;

	while (xa->root && i <= last && in_reach(xa->height, i)) {
		void *entry = xa->root;

		for (unsigned int level = xa->height; entry && level--;)
			entry = find_slot(entry, level, &i, tag);
		if (entry) {
			if (i > last)
				break;
			*index = i;
			return entry;
		}
		if (i == 0)
			break;
	}
	return NULL;
}

void *xa_find(const struct xarray *xa, unsigned long *index, unsigned long last)
{
	return find(xa, index, last, NR_XA_TAGS);
}

void *xa_find_tagged(const struct xarray *xa, unsigned long *index, unsigned long last,
		     enum xa_tag tag)
{
	return find(xa, index, last, tag);
}

static void free_subtree(struct xa_node *node, unsigned int level)
{
	if (level)
		for (unsigned int s = 0; s < XA_SLOTS; s++)
			if (node->slots[s])
				free_subtree(node->slots[s], level - 1);
	kmem_cache_free(xa_node_cache, node);
}

void xa_destroy(struct xarray *xa)
{
	if (xa->root)
		free_subtree(xa->root, xa->height - 1);
	xa_init(xa);
}

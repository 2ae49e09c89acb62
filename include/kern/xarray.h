/* SPDX-License-Identifier: MIT
 *
 * A sparse array of pointers indexed by unsigned long: a radix tree of 64-slot nodes that grows
 * towards the root. The caller's spinlock guards it (the mapping's lock in mm). Nodes come from a slab
 * cache and are allocated by xa_reserve() alone; erasing never fails.
 *
 * An entry may carry tags. Every node knows which of its slots lead to tagged entries, so that finding them does
 * not look at the others.
 */
#ifndef KERN_XARRAY_H
#define KERN_XARRAY_H

#include <kern/types.h>
#include <sync/spinlock.h>

struct xa_node;

struct xarray {
	struct xa_node *root;
	unsigned int height; /* levels; 0 when empty */
	unsigned long count; /* entries stored; may be read without the lock, with READ_ONCE() */
};

/*
 * An entry need not be a pointer: one with the lowest bit set is a value of 63 bits, which is the owner's to make
 * and to tell apart.
 */
static inline bool xa_is_value(const void *entry)
{
	return (unsigned long)entry & 1;
}

enum xa_tag { XA_TAG_0, XA_TAG_1, NR_XA_TAGS };

void xa_init(struct xarray *xa);
/* Sets up the node cache; once, after kmem_cache_init(). */
void xa_cache_init(void);
/* The entry at index, or NULL. */
void *xa_load(const struct xarray *xa, unsigned long index);
/*
 * Stores a non-NULL entry, replacing what was there; never allocates. 0, or -EAGAIN when nodes are
 * missing: xa_reserve() and try again.
 */
int __must_check xa_store(struct xarray *xa, unsigned long index, void *entry);
/*
 * Adds the nodes that xa_store(index) needs. Called without the array's lock, which it takes while it
 * links nodes and not while it allocates them; so what it added may be gone again when xa_store() comes.
 * 0 or -ENOMEM. May sleep.
 */
int __must_check xa_reserve(struct xarray *xa, spinlock_t *lock, unsigned long index);
/*
 * The same for n indexes from first, a multiple of n, which is a power of two: one entry for all of them. -EEXIST: one has
 * an entry; then, and for -EAGAIN, nothing was stored.
 */
int __must_check xa_store_run(struct xarray *xa, unsigned long first, unsigned long n, void *entry);
int __must_check xa_reserve_run(struct xarray *xa, spinlock_t *lock, unsigned long first,
				unsigned long n);
/* xa_store() of none of these n indexes, from a multiple of 64 or all of one such, can fail. */
bool xa_has_room(const struct xarray *xa, unsigned long first, unsigned long n);
/* Removes and returns the entry, or NULL. Empty nodes are freed. */
void *xa_erase(struct xarray *xa, unsigned long index);
/* The first entry with *index <= i <= last; sets *index to i. NULL when there is none. */
void *xa_find(const struct xarray *xa, unsigned long *index, unsigned long last);
/* All entries of [first, last] in order, into out, which has room for last - first + 1. Returns how many. */
unsigned int xa_gather(const struct xarray *xa, unsigned long first, unsigned long last,
		       void **out);
/* Tags of the entry at index, which exists; both know when there is nothing to do. Replacing keeps tags, erasing does not. */
void xa_set_tag(struct xarray *xa, unsigned long index, enum xa_tag tag);
void xa_clear_tag(struct xarray *xa, unsigned long index, enum xa_tag tag);
bool xa_has_tag(const struct xarray *xa, unsigned long index, enum xa_tag tag);
/* xa_find() of those with the tag. */
void *xa_find_tagged(const struct xarray *xa, unsigned long *index, unsigned long last,
		     enum xa_tag tag);
/* Frees all nodes (entries are the caller's). */
void xa_destroy(struct xarray *xa);

#endif

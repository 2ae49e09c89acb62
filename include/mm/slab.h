/* SPDX-License-Identifier: MIT
 *
 * Small kernel objects: caches of equal objects in slabs of pages (Bonwick 1994), with a short per-CPU
 * stack of free objects in front. Freed objects are poisoned in debug builds.
 */
#ifndef MM_SLAB_H
#define MM_SLAB_H

#include <kern/list.h>
#include <mm/page_alloc.h>

struct kmem_cache;

/* Once, after the buddy allocator has memory. */
void kmem_cache_init(void);
/*
 * A cache of objects of size bytes aligned to align (a power of two, 0: 8). name must stay valid.
 * Never NULL: panics at boot.
 */
struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align);
/* An object, or NULL. Contents are undefined unless __GFP_ZERO. */
void *kmem_cache_alloc(struct kmem_cache *c, gfp_t gfp) __must_check;
void kmem_cache_free(struct kmem_cache *c, void *obj);

/* Any size up to 4 MiB: the next larger of a series of caches, or pages. 16-byte aligned. */
void *kmalloc(size_t size, gfp_t gfp) __must_check;
void *kzalloc(size_t size, gfp_t gfp) __must_check;
/* NULL is allowed. */
void kfree(const void *p);

/* Objects in use in all caches, exact (per-CPU stacks count as free). */
unsigned long slab_objects_in_use(void);
/* Pages held by slabs. */
unsigned long slab_pages(void);
/*
 * Gives every CPU's stacks and the empty slabs back. Returns pages freed. Interrupts on, no spinlock held
 * (on_each_cpu()).
 */
unsigned long slab_shrink(void);
/* Its parts: this CPU's stacks, for on_each_cpu(), adding to the atomic_long_t pages; and the empty slabs. */
void slab_drain_cpu(void *pages);
unsigned long slab_drop_empty(void);
/* Calls fn for each cache, for /proc/slabinfo. */
void slab_for_each_cache(void (*fn)(void *arg, const char *name, unsigned long active,
				    unsigned long total, size_t size),
			 void *arg);
/* Debug: counts, free lists and poison of every slab. Panics with the reason. */
void slab_validate(void);

#endif

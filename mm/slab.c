/* SPDX-License-Identifier: MIT
 *
 * Small kernel objects.
 *
 * 1. A slab is a block of pages cut into equal objects of one cache. Its descriptor is its first
 *    struct page, which every other page of the block points to, so an address alone leads to its
 *    cache. Free objects of a slab are linked through themselves. Source: Bonwick, "The Slab
 *    Allocator" (1994).
 *
 * 2. In front of the slabs each CPU has one stack of free objects a cache, also linked through
 *    the objects. Allocation and freeing are a pop and a push with interrupts off; a batch moves
 *    between stack and slabs when the stack is empty or full. Objects on these stacks count as
 *    free.
 *
 * 3. kmalloc() is a series of caches of the powers of two from 16 to 8192, and whole pages above.
 *
 * 4. Locking: cache->lock, interrupts off, for slabs and counts; interrupts off alone for a CPU's
 *    stack. Pages come and go outside the lock.
 *
 * 5. Debug builds fill a freed object behind its link with a pattern and check it at the next
 *    allocation. An object that comes back still full of it is looked for among the free ones.
 */
#include <arch/smp.h>
#include <kern/assert.h>
#include <kern/failpoint.h>
#include <kern/printf.h>
#include <kern/string.h>
#include <mm/slab.h>
#include <sync/spinlock.h>

#define MAX_CACHES 64
#define MAX_SLAB_ORDER 3
#define KMALLOC_MIN_SHIFT 4
#define KMALLOC_MAX_SHIFT 13
#define STACK_BATCH 16
#define STACK_MAX (2 * STACK_BATCH)

/*
 * Lies over the struct page (and folio) of a slab's first page: order must stay where folios have
 * it.
 */
struct slab {
	unsigned long flags;	  /* PG_slab */
	struct list_head list;	  /* [cache->lock] in one of the cache's three lists */
	struct kmem_cache *cache; /* [I] */
	void *free;		  /* [cache->lock] linked through the objects */
	unsigned int nr_used; /* [cache->lock] objects not on free: in use or on a CPU's stack */
};

_Static_assert(sizeof(struct slab) <= offsetof(struct folio, order),
	       "slab overlays folio up to order");

struct kmem_cache {
	const char *name;	/* [I] */
	unsigned int id;	/* [I] index of its stack in each CPU's row */
	unsigned int size;	/* [I] bytes from one object to the next */
	unsigned int order;	/* [I] of a slab */
	unsigned int min_order; /* [I] of one that is made when memory is short: an object fits */
	unsigned int stack_max; /* [I] objects on a CPU's stack: fewer when they are large */
	spinlock_t lock;
	struct list_head full;	  /* [lock] slabs without free objects */
	struct list_head partial; /* [lock] slabs with free and used objects */
	struct list_head empty;	  /* [lock] slabs without used objects: one is kept */
	unsigned long nr_pages;	  /* [lock] of all slabs */
	unsigned long nr_objects; /* [lock] of all slabs, free or not */
	unsigned long nr_taken;	  /* [lock] sum of nr_used */
};

struct cpu_stack {
	void *top;
	unsigned long count;
};

static struct kmem_cache caches[MAX_CACHES];
static unsigned int nr_caches;
static spinlock_t caches_lock;
static struct kmem_cache *kmalloc_caches[KMALLOC_MAX_SHIFT + 1];

/* Written only by their CPU, interrupts off; the counts are read by anyone. */
static struct cpu_stack stacks[MAX_CPUS][MAX_CACHES] __aligned(64);

static inline struct cpu_stack *this_stack(const struct kmem_cache *c)
{
	return &stacks[cpu_id()][c->id];
}

/* ---- free objects ---- */

static inline void *get_link(void *obj)
{
	void *next;

	mem_allocated(obj, sizeof(void *));
	next = *(void **)obj;
	mem_freed(obj, sizeof(void *));
	return next;
}

static inline void set_link(void *obj, void *next)
{
	mem_allocated(obj, sizeof(void *));
	*(void **)obj = next;
	mem_freed(obj, sizeof(void *));
}

static inline struct slab *slab_of(const void *obj)
{
	return (struct slab *)page_folio(virt_to_page(obj));
}

static inline void push(struct cpu_stack *s, void *obj)
{
	set_link(obj, s->top);
	s->top = obj;
	RACY_WRITE(s->count, s->count + 1);
}

static inline void *pop(struct cpu_stack *s)
{
	void *obj = s->top;

	s->top = get_link(obj);
	RACY_WRITE(s->count, s->count - 1);
	return obj;
}

#ifdef CONFIG_DEBUG
#define POISON_BYTE 0x6b

static bool holds_poison(const struct kmem_cache *c, const void *obj)
{
	const u8 *p = obj;

	for (size_t i = sizeof(void *); i < c->size; i++)
		if (p[i] != POISON_BYTE)
			return false;
	return true;
}

static bool on_list(void *list, const void *obj)
{
	for (; list; list = get_link(list))
		if (list == obj)
			return true;
	return false;
}

static void check_not_free(struct kmem_cache *c, void *obj)
{
	irqflags_t flags = spin_lock_irqsave(&c->lock);

	if (on_list(slab_of(obj)->free, obj) || on_list(this_stack(c)->top, obj))
		panic("BUG: object %p of %s freed twice", obj, c->name);
	spin_unlock_irqrestore(&c->lock, flags);
}

static void poison_freed(struct kmem_cache *c, void *obj)
{
	struct slab *slab = slab_of(obj);

	if (!(slab->flags & (1UL << PG_slab)) || slab->cache != c ||
	    ((unsigned long)obj - (unsigned long)page_address((struct page *)slab)) % c->size)
		panic("BUG: %p is no object of %s", obj, c->name);
	mem_allocated(obj, c->size);
	if (holds_poison(c, obj))
		check_not_free(c, obj);
	memset(obj, POISON_BYTE, c->size);
	mem_freed(obj, c->size);
}

static void poison_check(struct kmem_cache *c, void *obj)
{
	mem_allocated(obj, c->size);
	if (!holds_poison(c, obj))
		panic("BUG: free object %p of %s written to", obj, c->name);
}
#else
static inline void poison_freed(struct kmem_cache *c, void *obj)
{
	(void)c;
	(void)obj;
}

static inline void poison_check(struct kmem_cache *c, void *obj)
{
	(void)c;
	(void)obj;
}
#endif

/* ---- slabs ---- */

static unsigned long slab_nr_pages(const struct slab *slab)
{
	return 1UL << ((const struct folio *)slab)->order;
}

static unsigned int slab_nr_objects(const struct slab *slab)
{
	return (unsigned int)((slab_nr_pages(slab) << PAGE_SHIFT) / slab->cache->size);
}

/* Nothing is reclaimed, and nobody killed, for a large block where a smaller one will do. */
static struct folio *alloc_block(const struct kmem_cache *c, gfp_t gfp)
{
	struct folio *folio;

	gfp &= ~__GFP_ZERO;
	if (c->order > c->min_order) {
		folio = folio_alloc_kernel(gfp | GFP_LIGHT, c->order);
		if (folio)
			return folio;
	}
	return folio_alloc_kernel(gfp, c->min_order);
}

static struct slab *slab_create(struct kmem_cache *c, gfp_t gfp)
{
	struct folio *folio = alloc_block(c, gfp);
	struct slab *slab = (struct slab *)folio;
	unsigned int i;
	char *base;

	if (!folio)
		return NULL;
	base = folio_address(folio);
	slab->cache = c;
	i = slab_nr_objects(slab);
	slab->nr_used = 0;
	slab->free = NULL;
	do {
		char *obj = base + (size_t)--i * c->size;

#ifdef CONFIG_DEBUG
		memset(obj, POISON_BYTE, c->size);
#endif
		mem_freed(obj, c->size);
		set_link(obj, slab->free);
		slab->free = obj;
	} while (i);
	RACY_WRITE(slab->flags, 1UL << PG_slab);
	return slab;
}

static void slab_destroy(struct slab *slab)
{
	struct folio *folio = (struct folio *)slab;

	mem_allocated(folio_address(folio), PAGE_SIZE << folio->order);
	RACY_WRITE(slab->flags, 0);
	atomic_set(&folio->refcount, 0);
	free_pages(&folio->page, folio->order);
}

/* It joins the cache, or leaves it. Lock held. */
static void count_slab(struct kmem_cache *c, const struct slab *slab, bool joins)
{
	c->nr_pages += joins ? slab_nr_pages(slab) : -slab_nr_pages(slab);
	c->nr_objects += joins ? slab_nr_objects(slab) : -(unsigned long)slab_nr_objects(slab);
}

static void move_slab(struct slab *slab, struct list_head *to)
{
	list_del(&slab->list);
	list_add(&slab->list, to);
}

/* Takes one object out of a slab, or NULL when all are full. Lock held. */
static void *take_object(struct kmem_cache *c)
{
	struct slab *slab;
	void *obj;

	if (!list_empty(&c->partial))
		slab = list_first_entry(&c->partial, struct slab, list);
	else if (!list_empty(&c->empty))
		slab = list_first_entry(&c->empty, struct slab, list);
	else
		return NULL;
	obj = slab->free;
	slab->free = get_link(obj);
	c->nr_taken++;
	if (!slab->free)
		move_slab(slab, &c->full);
	else if (slab->nr_used == 0)
		move_slab(slab, &c->partial);
	slab->nr_used++;
	return obj;
}

/* Puts an object back into its slab. Lock held. Returns the slab when it should be destroyed. */
static struct slab *return_object(struct kmem_cache *c, void *obj)
{
	struct slab *slab = slab_of(obj);

	if (!slab->free)
		move_slab(slab, &c->partial);
	set_link(obj, slab->free);
	slab->free = obj;
	c->nr_taken--;
	if (--slab->nr_used)
		return NULL;
	if (list_empty(&c->empty)) {
		move_slab(slab, &c->empty);
		return NULL;
	}
	list_del(&slab->list);
	count_slab(c, slab, false);
	return slab;
}

/* The stack is empty: fills half of it and returns one object more. */
static __noinline void *cache_refill(struct kmem_cache *c, gfp_t gfp)
{
	irqflags_t flags = spin_lock_irqsave(&c->lock);
	struct cpu_stack *stack;
	void *obj = take_object(c);
	void *more;

	if (!obj) {
		struct slab *slab;

		spin_unlock_irqrestore(&c->lock, flags);
		slab = slab_create(c, gfp);
		if (!slab)
			return NULL;
		flags = spin_lock_irqsave(&c->lock);
		list_add(&slab->list, &c->empty);
		count_slab(c, slab, true);
		obj = take_object(c);
	}
	stack = this_stack(c);
	while (stack->count < c->stack_max / 2 && (more = take_object(c)) != NULL)
		push(stack, more);
	spin_unlock_irqrestore(&c->lock, flags);
	return obj;
}

/* Moves n objects from this CPU's stack to their slabs. Returns pages freed. */
static __noinline unsigned long cache_drain(struct kmem_cache *c, unsigned long n)
{
	struct slab *dead = NULL, *slab;
	unsigned long pages = 0;
	irqflags_t flags = spin_lock_irqsave(&c->lock);
	struct cpu_stack *stack = this_stack(c);

	for (; n && stack->top; n--) {
		slab = return_object(c, pop(stack));
		if (slab) {
			slab->free = dead;
			dead = slab;
		}
	}
	spin_unlock_irqrestore(&c->lock, flags);
	while ((slab = dead) != NULL) {
		dead = slab->free;
		pages += slab_nr_pages(slab);
		slab_destroy(slab);
	}
	return pages;
}

/* ---- the interface ---- */

/* Small slabs for small objects; for large ones the block grows until little of it is wasted, if there is such a block. */
static unsigned int slab_order(unsigned int size)
{
	for (unsigned int order = 0; order < MAX_SLAB_ORDER; order++) {
		size_t bytes = PAGE_SIZE << order;

		if (bytes / size >= 4 && bytes % size <= bytes / 8)
			return order;
	}
	return MAX_SLAB_ORDER;
}

struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align)
{
	struct kmem_cache *c;

	spin_lock(&caches_lock);
	BUG_ON(nr_caches == MAX_CACHES);
	c = &caches[nr_caches];
	align = max(align, sizeof(void *));
	size = ALIGN_UP(max(size, 2 * sizeof(void *)), align);
	BUG_ON(size > PAGE_SIZE << MAX_SLAB_ORDER);
	c->name = name;
	c->id = nr_caches;
	c->size = (unsigned int)size;
	c->order = slab_order(c->size);
	while (PAGE_SIZE << c->min_order < size)
		c->min_order++;
	c->stack_max = size <= 512 ? STACK_MAX : size <= 2048 ? STACK_MAX / 2 : STACK_MAX / 8;
	spin_lock_init(&c->lock);
	INIT_LIST_HEAD(&c->full);
	INIT_LIST_HEAD(&c->partial);
	INIT_LIST_HEAD(&c->empty);
	/* Published last: readers walk the array without the lock. */
	__atomic_store_n(&nr_caches, c->id + 1, __ATOMIC_RELEASE);
	spin_unlock(&caches_lock);
	return c;
}

static __noinline void *cache_alloc_slow(struct kmem_cache *c, gfp_t gfp)
{
	void *obj;

	if (fail_point(FAIL_KMALLOC))
		return NULL;
	obj = cache_refill(c, gfp);
	if (!obj)
		return NULL;
	poison_check(c, obj);
	if (gfp & __GFP_ZERO)
		memset(obj, 0, c->size);
	return obj;
}

void *kmem_cache_alloc(struct kmem_cache *c, gfp_t gfp)
{
	struct cpu_stack *stack;
	irqflags_t flags;
	void *obj;

	if (!(gfp & GFP_ATOMIC))
		lockdep_may_sleep();
	if (unlikely(READ_ONCE(fail_armed)))
		return cache_alloc_slow(c, gfp);
	flags = irq_save();
	stack = this_stack(c);
	obj = stack->top;
	if (likely(obj))
		pop(stack);
	irq_restore(flags);
	if (unlikely(!obj))
		return cache_alloc_slow(c, gfp);
	poison_check(c, obj);
	if (gfp & __GFP_ZERO)
		memset(obj, 0, c->size);
	return obj;
}

void kmem_cache_free(struct kmem_cache *c, void *obj)
{
	struct cpu_stack *stack;
	irqflags_t flags;

	poison_freed(c, obj);
	flags = irq_save();
	stack = this_stack(c);
	push(stack, obj);
	if (unlikely(stack->count > c->stack_max))
		cache_drain(c, c->stack_max / 2);
	irq_restore(flags);
}

static inline struct kmem_cache *kmalloc_cache(size_t size)
{
	unsigned int shift = size <= 1UL << KMALLOC_MIN_SHIFT
				     ? KMALLOC_MIN_SHIFT
				     : 64 - (unsigned int)__builtin_clzl(size - 1);

	return kmalloc_caches[shift];
}

static __noinline void *kmalloc_large(size_t size, gfp_t gfp)
{
	unsigned int order = 52 - (unsigned int)__builtin_clzl(size - 1);
	struct folio *folio;

	if (order > MAX_ORDER || fail_point(FAIL_KMALLOC))
		return NULL;
	folio = folio_alloc_kernel(gfp, order);
	return folio ? folio_address(folio) : NULL;
}

void *kmalloc(size_t size, gfp_t gfp)
{
	if (unlikely(size > 1UL << KMALLOC_MAX_SHIFT))
		return kmalloc_large(size, gfp);
	return kmem_cache_alloc(kmalloc_cache(size), gfp);
}

void *kzalloc(size_t size, gfp_t gfp)
{
	return kmalloc(size, gfp | __GFP_ZERO);
}

void kfree(const void *p)
{
	struct folio *folio;

	if (!p)
		return;
	folio = page_folio(virt_to_page(p));
	if (likely(RACY_READ(folio->flags) & (1UL << PG_slab))) {
		kmem_cache_free(((struct slab *)folio)->cache, (void *)p);
		return;
	}
	ASSERT(p == folio_address(folio));
	atomic_set(&folio->refcount, 0);
	free_pages(&folio->page, folio->order);
}

void kmem_cache_init(void)
{
	static char names[KMALLOC_MAX_SHIFT + 1][16];

	for (unsigned int shift = KMALLOC_MIN_SHIFT; shift <= KMALLOC_MAX_SHIFT; shift++) {
		snprintf(names[shift], sizeof(names[shift]), "kmalloc-%u", 1U << shift);
		kmalloc_caches[shift] = kmem_cache_create(names[shift], 1UL << shift, 16);
	}
}

/* ---- counts and checks ---- */

static unsigned int published_caches(void)
{
	return __atomic_load_n(&nr_caches, __ATOMIC_ACQUIRE);
}

/* Lock held. */
static unsigned long objects_in_use(const struct kmem_cache *c)
{
	unsigned long n = c->nr_taken;

	for (unsigned int cpu = 0; cpu < cpu_limit(); cpu++)
		n -= READ_ONCE(stacks[cpu][c->id].count);
	return n;
}

unsigned long slab_objects_in_use(void)
{
	unsigned long n = 0;

	for (struct kmem_cache *c = caches; c < caches + published_caches(); c++) {
		irqflags_t flags = spin_lock_irqsave(&c->lock);

		n += objects_in_use(c);
		spin_unlock_irqrestore(&c->lock, flags);
	}
	return n;
}

unsigned long slab_pages(void)
{
	unsigned long n = 0;

	for (struct kmem_cache *c = caches; c < caches + published_caches(); c++)
		n += READ_ONCE(c->nr_pages);
	return n;
}

/* Frees one empty slab. Returns pages freed. */
static unsigned long drop_empty(struct kmem_cache *c)
{
	irqflags_t flags = spin_lock_irqsave(&c->lock);
	struct slab *slab = NULL;
	unsigned long pages;

	if (!list_empty(&c->empty)) {
		slab = list_first_entry(&c->empty, struct slab, list);
		list_del(&slab->list);
		count_slab(c, slab, false);
	}
	spin_unlock_irqrestore(&c->lock, flags);
	if (!slab)
		return 0;
	pages = slab_nr_pages(slab);
	slab_destroy(slab);
	return pages;
}

void slab_drain_cpu(void *pages)
{
	for (struct kmem_cache *c = caches; c < caches + published_caches(); c++)
		atomic_add((atomic_long_t *)pages, (long)cache_drain(c, ~0UL));
}

unsigned long slab_drop_empty(void)
{
	unsigned long pages = 0, n;

	for (struct kmem_cache *c = caches; c < caches + published_caches(); c++) {
		while ((n = drop_empty(c)) != 0)
			pages += n;
	}
	return pages;
}

unsigned long slab_shrink(void)
{
	atomic_long_t pages = ATOMIC_INIT(0);

	on_each_cpu(slab_drain_cpu, &pages);
	return (unsigned long)atomic_read(&pages) + slab_drop_empty();
}

void slab_for_each_cache(void (*fn)(void *arg, const char *name, unsigned long active,
				    unsigned long total, size_t size),
			 void *arg)
{
	for (struct kmem_cache *c = caches; c < caches + published_caches(); c++) {
		irqflags_t flags = spin_lock_irqsave(&c->lock);
		unsigned long active = objects_in_use(c);
		unsigned long total = c->nr_objects;

		spin_unlock_irqrestore(&c->lock, flags);
		fn(arg, c->name, active, total, c->size);
	}
}

static void validate_slab(struct kmem_cache *c, struct slab *slab)
{
	char *base = page_address((struct page *)slab);
	unsigned int nr_free = 0, nr = slab_nr_objects(slab);

	BUG_ON(slab->flags != 1UL << PG_slab || slab->cache != c);
	for (char *obj = slab->free; obj; obj = get_link(obj)) {
		BUG_ON(obj < base || obj >= base + (size_t)nr * c->size);
		BUG_ON((unsigned long)(obj - base) % c->size);
		BUG_ON(++nr_free > nr);
		poison_check(c, obj);
		mem_freed(obj, c->size);
	}
	BUG_ON(nr_free + slab->nr_used != nr);
}

void slab_validate(void)
{
	for (struct kmem_cache *c = caches; c < caches + published_caches(); c++) {
		irqflags_t flags = spin_lock_irqsave(&c->lock);
		unsigned long objects = 0, used = 0;
		struct slab *slab;

		list_for_each_entry(slab, &c->full, list) {
			validate_slab(c, slab);
			BUG_ON(slab->free);
			used += slab->nr_used;
			objects += slab_nr_objects(slab);
		}
		list_for_each_entry(slab, &c->partial, list) {
			validate_slab(c, slab);
			BUG_ON(!slab->free || slab->nr_used == 0);
			used += slab->nr_used;
			objects += slab_nr_objects(slab);
		}
		list_for_each_entry(slab, &c->empty, list) {
			validate_slab(c, slab);
			BUG_ON(slab->nr_used);
			objects += slab_nr_objects(slab);
		}
		BUG_ON(objects != c->nr_objects || used != c->nr_taken);
		spin_unlock_irqrestore(&c->lock, flags);
	}
}

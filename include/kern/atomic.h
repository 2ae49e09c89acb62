/* SPDX-License-Identifier: MIT
 *
 * Atomics on the compiler's __atomic operations, so that the same code runs under TSan on the host.
 * Stand-alone fences are not used: TSan does not understand them.
 */
#ifndef KERN_ATOMIC_H
#define KERN_ATOMIC_H

#include <kern/assert.h>
#include <kern/types.h>

typedef struct {
	int v;
} atomic_t;

typedef struct {
	long v;
} atomic_long_t;

#define ATOMIC_INIT(x)                                                                             \
	{                                                                                          \
		(x)                                                                                \
	}

#define atomic_read(a) __atomic_load_n(&(a)->v, __ATOMIC_RELAXED)
/* What was done before the count got this value is done. */
#define atomic_read_acquire(a) __atomic_load_n(&(a)->v, __ATOMIC_ACQUIRE)
#define atomic_set(a, x) __atomic_store_n(&(a)->v, (x), __ATOMIC_RELAXED)
#define atomic_add(a, x) ((void)__atomic_add_fetch(&(a)->v, (x), __ATOMIC_RELAXED))
#define atomic_sub(a, x) ((void)__atomic_sub_fetch(&(a)->v, (x), __ATOMIC_RELAXED))
#define atomic_inc(a) atomic_add(a, 1)
#define atomic_dec(a) atomic_sub(a, 1)
#define atomic_add_return(a, x) __atomic_add_fetch(&(a)->v, (x), __ATOMIC_ACQ_REL)
#define atomic_sub_return(a, x) __atomic_sub_fetch(&(a)->v, (x), __ATOMIC_ACQ_REL)
#define atomic_xchg(a, x) __atomic_exchange_n(&(a)->v, (x), __ATOMIC_ACQ_REL)
/* True when the count reached 0. Release on the way down, acquire for who frees. */
#define atomic_dec_and_test(a) (__atomic_sub_fetch(&(a)->v, 1, __ATOMIC_ACQ_REL) == 0)
#define atomic_cmpxchg(a, old, new)                                                                \
	({                                                                                         \
		__typeof__((a)->v) old_ = (old);                                                   \
		__atomic_compare_exchange_n(&(a)->v, &old_, (new), false, __ATOMIC_ACQ_REL,        \
					    __ATOMIC_ACQUIRE);                                     \
		old_;                                                                              \
	})

/*
 * One more, by the only one who writes it: what was stored before is seen by who sees the sum, and what is stored
 * later is not seen by who does not. x86 stores in order, so that one instruction without a lock prefix will do.
 */
static __always_inline void count_up(unsigned long *n)
{
#ifdef __SANITIZE_THREAD__
	__atomic_store_n(n, *n + 1, __ATOMIC_RELEASE);
#else
	barrier();
	*n += 1;
	barrier();
#endif
}

/* A reference count: taking one from 0 is a use after free, and debug builds say so. */
typedef struct {
	atomic_t refs;
} refcount_t;

#define REFCOUNT_INIT(n)                                                                           \
	{                                                                                          \
		ATOMIC_INIT(n)                                                                     \
	}

static inline void refcount_set(refcount_t *r, int n)
{
	atomic_set(&r->refs, n);
}

static inline int refcount_read(const refcount_t *r)
{
	return atomic_read(&r->refs);
}

static inline void refcount_inc(refcount_t *r)
{
	ASSERT(refcount_read(r) > 0);
	atomic_inc(&r->refs);
}

/* True when the caller dropped the last reference and must free. */
static inline __must_check bool refcount_dec_and_test(refcount_t *r)
{
	ASSERT(refcount_read(r) > 0);
	return atomic_dec_and_test(&r->refs);
}

/* Takes a reference unless the count is already 0. */
static inline __must_check bool refcount_inc_not_zero(refcount_t *r)
{
	int old = refcount_read(r);

	while (old != 0) {
		int seen = atomic_cmpxchg(&r->refs, old, old + 1);

		if (seen == old)
			return true;
		old = seen;
	}
	return false;
}

/* Bit operations on a word of flags shared between CPUs. */
static inline void set_bit(unsigned int nr, unsigned long *word)
{
	__atomic_or_fetch(word, 1UL << nr, __ATOMIC_RELAXED);
}

static inline void clear_bit(unsigned int nr, unsigned long *word)
{
	__atomic_and_fetch(word, ~(1UL << nr), __ATOMIC_RELAXED);
}

static inline bool test_bit(unsigned int nr, const unsigned long *word)
{
	return (__atomic_load_n(word, __ATOMIC_RELAXED) >> nr) & 1;
}

static inline bool test_and_set_bit(unsigned int nr, unsigned long *word)
{
	return (__atomic_fetch_or(word, 1UL << nr, __ATOMIC_ACQ_REL) >> nr) & 1;
}

static inline bool test_and_clear_bit(unsigned int nr, unsigned long *word)
{
	return (__atomic_fetch_and(word, ~(1UL << nr), __ATOMIC_ACQ_REL) >> nr) & 1;
}

#endif

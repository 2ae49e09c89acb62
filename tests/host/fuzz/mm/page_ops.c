/* SPDX-License-Identifier: MIT
 *
 * Fuzzed operations on pages of what is mapped: accesses, advice, locks, questions.
 */
#include "oracle.h"

/* What one advice does to one page. 0 or the error that ends the call. */
static int advise_page(struct opage *p, int advice)
{
	if (p->locked && (advice == MADV_DONTNEED || advice == MADV_FREE || advice == MADV_REMOVE ||
			  advice == MADV_COLD || advice == MADV_PAGEOUT))
		return -EINVAL;
	switch (advice) {
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
		p->own = false;
		return 0;
	case MADV_FREE:
		/* A page goes when memory is short, which it never is here. */
		return p->obj ? -EINVAL : 0;
	case MADV_DONTFORK:
		p->dontfork = true;
		return 0;
	case MADV_DOFORK:
		p->dontfork = false;
		return 0;
	case MADV_WIPEONFORK:
		if (p->obj)
			return -EINVAL;
		p->wipe = true;
		return 0;
	case MADV_KEEPONFORK:
		p->wipe = false;
		return 0;
	case MADV_REMOVE:
		if (!p->obj)
			return -EINVAL;
		if (!p->shared || !p->may_write || !(p->prot & PROT_WRITE))
			return -EACCES;
		punch(p->obj, p->index, 1);
		return 0;
	case MADV_POPULATE_READ:
		if (!(p->prot & PROT_READ))
			return -EINVAL;
		return beyond_end(p) ? -EFAULT : 0;
	case MADV_POPULATE_WRITE:
		if (!(p->prot & PROT_WRITE))
			return -EINVAL;
		if (beyond_end(p))
			return -EFAULT;
		own_page(p);
		return 0;
	default:
		return 0;
	}
}

void op_madvise(struct space *s)
{
	static const int advices[] = {
		MADV_DONTNEED,	    MADV_DONTNEED,	 MADV_FREE,	  MADV_DONTFORK,
		MADV_DOFORK,	    MADV_WIPEONFORK,	 MADV_KEEPONFORK, MADV_REMOVE,
		MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_WILLNEED,	  MADV_DONTNEED_LOCKED,
		MADV_COLD,	    MADV_PAGEOUT,	 MADV_HUGEPAGE,	  MADV_NOHUGEPAGE,
	};
	struct range r = take_range();
	int advice = advices[take_below(ARRAY_SIZE(advices))], err = 0, unmapped = 0;
	bool populate = advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE;

	if (disk && advice == MADV_REMOVE)
		advice = MADV_DONTNEED;
	if ((swap || disk) && advice == MADV_FREE)
		advice = MADV_DONTNEED; /* what it may come to where memory is taken away */
	if (!swap && advice == MADV_PAGEOUT)
		advice = MADV_COLD; /* nothing can go but what MADV_FREE gave up */
	TRACE("madvise(%lu +%lu, %d)\n", r.first, r.n, advice);
	for (unsigned long i = r.first; i < r.first + r.n && !err; i++) {
		if (s->page[i].mapped)
			err = advise_page(&s->page[i], advice);
		else if (populate)
			err = -ENOMEM;
		else
			unmapped = -ENOMEM;
	}
	EXPECT(mm_madvise(s->mm, va_of(r.first), r.n * PAGE_SIZE, advice) ==
	       (err ? err : unmapped));
}

void op_write(struct space *s)
{
	unsigned long i = take_page();
	unsigned int k = take_below(SAMPLES);
	u8 value = (u8)take();
	struct opage *p = &s->page[i];
	enum fault_result r = sim_write(s->mm, va_of(i) + sample_at[k], &value, 1);

	TRACE("write(%lu, sample %u, %x) = %d, pte %lx\n", i, k, value, (int)r,
	      sim_pte(s->mm, va_of(i)));
	EXPECT(r == expected(p, FAULT_WRITE));
	if (r != FAULT_DONE)
		return;
	own_page(p);
	(p->shared ? p->obj->bytes[p->index] : p->bytes)[k] = value;
}

void op_read(struct space *s)
{
	check_page(s, take_page());
}

void op_exec(struct space *s)
{
	unsigned long i = take_page();

	EXPECT(sim_exec(s->mm, va_of(i)) == expected(&s->page[i], FAULT_EXEC));
}

void op_mincore(struct space *s)
{
	struct range r = take_range();
	static unsigned char vec[MAX_WINDOW];
	int err = mm_mincore(s->mm, va_of(r.first), r.n, vec);

	for (unsigned long i = 0; i < r.n; i++) {
		const struct opage *p = &s->page[r.first + i];

		if (!p->mapped) {
			EXPECT(err == -ENOMEM);
			return;
		}
		EXPECT(vec[i] <= 1 && (vec[i] || !p->own || swap));
	}
	EXPECT(err == 0);
}

void op_msync(struct space *s)
{
	struct range r = take_range();
	bool hole = false;

	for (unsigned long i = 0; i < r.n; i++)
		hole |= !s->page[r.first + i].mapped;
	EXPECT(mm_msync(s->mm, va_of(r.first), r.n * PAGE_SIZE, MS_SYNC) == (hole ? -ENOMEM : 0));
}

/* What a debugger or futex sees is what the program would. */
void op_get_page(struct space *s)
{
	unsigned long i = take_page();
	bool write = take() & 1;
	struct opage *p = &s->page[i];
	struct page *page = mm_get_page(s->mm, va_of(i), write, false);
	bool allowed = p->mapped && (p->prot & (write ? PROT_WRITE : PROT_READ)) && !beyond_end(p);

	EXPECT(!IS_ERR(page) == allowed);
	if (IS_ERR(page))
		return;
	if (write)
		own_page(p);
	EXPECT(((u8 *)page_address(page))[0] == bytes_of(p)[0]);
	mm_put_page(page);
}

/* Locked on fault, as far as it is mapped; or no longer. */
static void lock_range(struct space *s, bool lock)
{
	struct range r = take_range();
	unsigned long n = 0;
	int err;

	while (n < r.n && s->page[r.first + n].mapped)
		s->page[r.first + n++].locked = lock;
	TRACE("%s(%lu +%lu)\n", lock ? "mlock" : "munlock", r.first, r.n);
	err = lock ? mm_mlock(s->mm, va_of(r.first), r.n * PAGE_SIZE, true)
		   : mm_munlock(s->mm, va_of(r.first), r.n * PAGE_SIZE);
	EXPECT(err == (n < r.n ? -ENOMEM : 0));
}

void op_mlock(struct space *s)
{
	lock_range(s, true);
}

void op_munlock(struct space *s)
{
	lock_range(s, false);
}

void op_check_contents(struct space *s)
{
	check_contents(s);
}

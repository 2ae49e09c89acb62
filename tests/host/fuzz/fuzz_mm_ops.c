/* SPDX-License-Identifier: MIT
 *
 * Random sequences of memory operations against a flat oracle with one entry a page.
 *
 * The oracle knows of each page of a small window, in each of a few address spaces: is it mapped,
 * with which rights, from which object at which index, and four of its bytes. It is as simple as
 * it can be, an array, so that it is right by inspection. After every operation the vmas must say
 * the same as the array, every invariant must hold and the TLB must hold nothing stale; reads and
 * writes must give the oracle's bytes or the oracle's fault. At the end everything is unmapped
 * and nothing may be missing.
 *
 * The window straddles a 1 GiB boundary, so that areas and moves cross tables of every level. In some runs it is sixteen
 * times as large, for folios of up to 2 MiB. Runs with large folios and swap reclaim, split and move them all the time.
 */
#include "../../../mm/large.h"
#include "../../../mm/lru.h"
#include "../../../mm/reclaim.h"
#include "../../../mm/vma.h"
#include "../unit/swap_device.h"
#include "../unit/migrate_now.h"
#include "sim_host.h"

#include <stdio.h>
#include <stdlib.h>

#define UNITS 96UL
#define MAX_SCALE 16UL
#define MAX_WINDOW (UNITS * MAX_SCALE)
#define SWAP_PAGES 8192
#define NR_MMS 3
#define NR_FILES 3
#define OBJ_PAGES 80
#define SAMPLES 4

#define EXPECT(cond)                                                                               \
	do {                                                                                       \
		if (!(cond) && !failure_fired())                                                   \
			panic("oracle: %s at %s:%d", #cond, __FILE__, __LINE__);                   \
	} while (0)

/*
 * An operation may run with one allocation failing. When that happened the oracle knows nothing
 * any more: only the invariants are checked, and everything starts afresh.
 */
static bool failure_armed;

static bool failure_fired(void)
{
	return failure_armed && !fail_armed;
}

static const unsigned int sample_at[SAMPLES] = { 0, 1000, 2048, 4095 };

/* What shared and file pages show: a file, or the memory behind one shared anonymous mapping. */
struct object {
	struct object *next; /* all of this run, to be freed at its end */
	struct file *file;   /* NULL: anonymous */
	bool writable;
	u64 size; /* bytes */
	u8 bytes[OBJ_PAGES][SAMPLES];
};

struct opage {
	bool mapped, shared, may_write, dontfork, wipe, locked;
	bool own; /* private: has a copy of its own */
	unsigned int prot;
	struct object *obj; /* NULL: private anonymous */
	unsigned long index;
	u8 bytes[SAMPLES]; /* while own */
};

struct space {
	struct mm *mm;
	struct opage page[MAX_WINDOW];
};

static struct space spaces[NR_MMS];
static struct object *files[NR_FILES];
static struct object *objects;
static unsigned long scale;	  /* pages in a unit of this run */
static unsigned long nr_pages;	  /* of the window */
static struct block_device *swap; /* NULL: no memory is ever taken away */

/* ---- the input ---- */

static const u8 *input, *input_end;

static unsigned int take(void)
{
	return input < input_end ? *input++ : 0;
}

static unsigned int take_below(unsigned int n)
{
	return take() % n;
}

/* TRACE=1 in the environment: the operations of a run, readable. */
static bool tracing;

#define TRACE(...)                                                                                 \
	do {                                                                                       \
		if (tracing)                                                                       \
			fprintf(stderr, __VA_ARGS__);                                              \
	} while (0)

static unsigned long va_of(unsigned long page)
{
	return 0x40000000UL - (40 * scale - page) * PAGE_SIZE;
}

/* ---- the oracle ---- */

static struct object *new_object(struct file *file, bool writable, u64 size)
{
	struct object *o = host_alloc(sizeof(*o));

	o->file = file;
	o->writable = writable;
	o->size = size;
	o->next = objects;
	objects = o;
	return o;
}

static bool beyond_end(const struct opage *p)
{
	return p->obj && !p->own && (u64)p->index * PAGE_SIZE >= p->obj->size;
}

static u8 *bytes_of(struct opage *p)
{
	static u8 zero[SAMPLES];

	if (p->own)
		return p->bytes;
	if (p->obj)
		return p->obj->bytes[p->index];
	memset(zero, 0, sizeof(zero));
	return zero;
}

static enum fault_result expected(const struct opage *p, enum fault_access access)
{
	if (!p->mapped)
		return FAULT_MAPERR;
	if (p->prot == PROT_NONE || (access == FAULT_WRITE && !(p->prot & PROT_WRITE)))
		return FAULT_ACCERR;
	if (beyond_end(p))
		return FAULT_BUS;
	if (access == FAULT_EXEC && !(p->prot & PROT_EXEC))
		return FAULT_ACCERR;
	return FAULT_DONE;
}

/* The page becomes the mapping's own before a private write. */
static void own_page(struct opage *p)
{
	if (p->shared || p->own)
		return;
	memcpy(p->bytes, bytes_of(p), SAMPLES);
	p->own = true;
}

/* ---- checks ---- */

static void check_layout(struct space *s)
{
	struct mm *mm = s->mm;

	mmap_read_lock(mm);
	mm_validate(mm);
	for (unsigned long i = 0; i < nr_pages && !failure_fired(); i++) {
		struct vma *vma = vma_lookup(mm, va_of(i));
		const struct opage *p = &s->page[i];

		EXPECT(!!vma == p->mapped);
		if (!vma)
			continue;
		EXPECT((vma->flags & VM_ACCESS) == p->prot);
		EXPECT(!!(vma->flags & VM_MAYSHARE) == p->shared);
		EXPECT(!!(vma->flags & VM_MAYWRITE) == p->may_write);
		EXPECT(!!(vma->flags & VM_DONTCOPY) == p->dontfork);
		EXPECT(!!(vma->flags & VM_WIPEONFORK) == p->wipe);
		EXPECT(!!(vma->flags & VM_LOCKED) == p->locked);
		EXPECT(!!vma->mapping == !!p->obj);
		if (p->obj) {
			EXPECT(vma_index(vma, va_of(i)) == p->index);
			EXPECT(!p->obj->file || vma->file == p->obj->file);
		}
	}
	EXPECT(!vma_first(mm) || vma_first(mm)->start >= va_of(0));
	EXPECT(!vma_find(mm, va_of(nr_pages)));
	mmap_read_unlock(mm);
	sim_tlb_check(mm);
}

static void check_page(struct space *s, unsigned long i)
{
	struct opage *p = &s->page[i];
	u8 bytes[SAMPLES];

	if (p->mapped)
		TRACE("check page %lu, pte %lx\n", i, sim_pte(s->mm, va_of(i)));
	for (unsigned int k = 0; k < SAMPLES; k++) {
		enum fault_result r = sim_read(s->mm, va_of(i) + sample_at[k], &bytes[k], 1);

		EXPECT(r == expected(p, FAULT_READ));
		if (r != FAULT_DONE)
			return;
	}
	EXPECT(memcmp(bytes, bytes_of(p), SAMPLES) == 0);
}

static void check_contents(struct space *s)
{
	for (unsigned long i = 0; i < nr_pages; i++)
		check_page(s, i);
}

/* ---- operations: each takes its parameters from the input ---- */

/* In a large window mostly near the boundaries of units, so that what fits together comes together. */
static unsigned long take_page(void)
{
	unsigned long page = take_below(UNITS) * scale;

	return scale == 1 ? page : page + (take() % 4 ? 0 : take_below((unsigned int)scale));
}

static unsigned long take_length(unsigned int least, unsigned int most)
{
	unsigned long n = least + take_below(most + 1 - least);

	return scale == 1 || take() % 4 == 0 ? n : n * scale;
}

struct range {
	unsigned long first, n;
};

static struct range take_range(void)
{
	struct range r;

	r.first = take_page();
	r.n = take_length(1, 24);
	r.n = min(r.n, nr_pages - r.first);
	return r;
}

static bool any_mapped(const struct space *s, struct range r)
{
	for (unsigned long i = 0; i < r.n; i++)
		if (s->page[r.first + i].mapped)
			return true;
	return false;
}

static void op_mmap(struct space *s)
{
	static const unsigned long placing[] = { MAP_FIXED, MAP_FIXED, MAP_FIXED_NOREPLACE, 0 };
	struct range r = take_range();
	unsigned int kind = take(), prot = take_below(8);
	unsigned long flags = placing[kind & 3] | (kind & 4 ? MAP_POPULATE : 0);
	bool small = r.n <= 24; /* as objects are */
	bool shared = (kind & 8) && small, anonymous = (kind & 16) || !small;
	struct object *obj = anonymous ? NULL : files[take_below(NR_FILES)];
	unsigned long pgoff = anonymous ? 0 : take_below(OBJ_PAGES - 24);
	bool occupied = any_mapped(s, r);
	long addr;

	flags |= shared ? MAP_SHARED : MAP_PRIVATE;
	if (anonymous)
		flags |= MAP_ANONYMOUS;
	addr = mm_mmap(s->mm, va_of(r.first), r.n * PAGE_SIZE, prot, flags, obj ? obj->file : NULL,
		       pgoff);
	TRACE("mmap(%lu +%lu, prot %u, flags %lx, file %ld, pgoff %lu) = %lx\n", r.first, r.n, prot,
	      flags, obj ? (long)(obj->size >> PAGE_SHIFT) : -1, pgoff, addr);

	if ((flags & MAP_FIXED_NOREPLACE) && occupied) {
		EXPECT(addr == -EEXIST);
		return;
	}
	if (obj && shared && !obj->writable && (prot & PROT_WRITE)) {
		EXPECT(addr == -EACCES);
		return;
	}
	EXPECT(addr > 0);
	if (!(flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) && occupied) {
		/* The hint was taken: it went elsewhere, out of the oracle's sight. */
		EXPECT((unsigned long)addr >= va_of(nr_pages));
		EXPECT(mm_munmap(s->mm, (unsigned long)addr, r.n * PAGE_SIZE) == 0);
		return;
	}
	EXPECT((unsigned long)addr == va_of(r.first));
	if (anonymous && shared)
		obj = new_object(NULL, true, r.n * PAGE_SIZE);
	for (unsigned long i = 0; i < r.n; i++)
		s->page[r.first + i] = (struct opage){
			.mapped = true,
			.shared = shared,
			.prot = prot,
			.obj = obj,
			.may_write = !shared || !obj || obj->writable,
			.index = obj ? pgoff + i : 0,
		};
	if (flags & MAP_POPULATE && !shared && (prot & PROT_WRITE))
		for (unsigned long i = 0; i < r.n && !beyond_end(&s->page[r.first + i]); i++)
			own_page(&s->page[r.first + i]);
}

/* Ordinary memory, as malloc() gets it. */
static void map_memory(struct space *s, struct range r)
{
	long addr = mm_mmap(s->mm, va_of(r.first), r.n * PAGE_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0);

	TRACE("memory(%lu +%lu) = %lx\n", r.first, r.n, addr);
	EXPECT((unsigned long)addr == va_of(r.first));
	for (unsigned long i = 0; i < r.n; i++)
		s->page[r.first + i] = (struct opage){ .mapped = true,
						       .prot = PROT_READ | PROT_WRITE,
						       .may_write = true };
}

static void op_memory(struct space *s)
{
	map_memory(s, take_range());
}

static void op_munmap(struct space *s)
{
	struct range r = take_range();

	TRACE("munmap(%lu +%lu)\n", r.first, r.n);
	EXPECT(mm_munmap(s->mm, va_of(r.first), r.n * PAGE_SIZE) == 0);
	memset(&s->page[r.first], 0, r.n * sizeof(struct opage));
}

static void op_mprotect(struct space *s)
{
	struct range r = take_range();
	unsigned int prot = take_below(8);
	int err = 0;

	TRACE("mprotect(%lu +%lu, %u)\n", r.first, r.n, prot);
	for (unsigned long i = r.first; i < r.first + r.n && !err; i++) {
		struct opage *p = &s->page[i];

		if (!p->mapped)
			err = -ENOMEM;
		else if ((prot & PROT_WRITE) && !p->may_write)
			err = -EACCES;
		else
			p->prot = prot;
	}
	EXPECT(mm_mprotect(s->mm, va_of(r.first), r.n * PAGE_SIZE, prot) == err);
}

/* A page as it is after it moved or grew: what comes step pages behind it in the same area. */
static struct opage continuation(const struct opage *p, unsigned long step)
{
	struct opage new = *p;

	new.own = false;
	if (new.obj)
		new.index += step;
	return new;
}

/* A failed mremap may already have cut off the tail and cleared the new place, as on Linux. */
static void resync_unmapped(struct space *s, unsigned long first, unsigned long n)
{
	mmap_read_lock(s->mm);
	for (unsigned long i = first; i < first + n && i < nr_pages; i++)
		if (!vma_lookup(s->mm, va_of(i)))
			memset(&s->page[i], 0, sizeof(struct opage));
	mmap_read_unlock(s->mm);
}

static void op_mremap(struct space *s)
{
	unsigned long first = take_page(), to = take_page();
	unsigned long n = take_length(0, 11), new_n = take_length(1, 16);
	unsigned int kind = take();
	unsigned long flags = kind & 7;
	static struct opage moved[16 * MAX_SCALE];
	struct opage last;
	unsigned long keep;
	long addr;

	if (kind & 8)
		new_n = n ? n : 1;
	n = min(n, nr_pages - first);
	new_n = min(new_n, nr_pages - max(first, to));
	if (s->page[first].obj && (u64)s->page[first].index + new_n + n >= OBJ_PAGES)
		return; /* the oracle's objects end there */
	addr = mm_mremap(s->mm, va_of(first), n * PAGE_SIZE, new_n * PAGE_SIZE, flags, va_of(to));
	TRACE("mremap(%lu +%lu, %lu, flags %lx, to %lu) = %lx\n", first, n, new_n, flags, to, addr);
	if (addr < 0) {
		/* One page that may move always can. */
		EXPECT(!(s->page[first].mapped && n == 1 && flags == MREMAP_MAYMOVE));
		EXPECT(!(s->page[first].mapped && n == 1 && new_n == 1 && flags == 0));
		if (flags & MREMAP_FIXED)
			resync_unmapped(s, to, new_n);
		if (n > new_n)
			resync_unmapped(s, first + new_n, n - new_n);
		return;
	}
	EXPECT(s->page[first].mapped);
	keep = min(n, new_n);
	last = n ? s->page[first + n - 1] : s->page[first];
	for (unsigned long i = 0; i < new_n; i++)
		moved[i] = i < keep ? s->page[first + i]
			   : n	    ? continuation(&last, i - (n - 1))
				    : continuation(&last, i);
	if ((unsigned long)addr == va_of(first) && !(flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))) {
		if (n > new_n)
			memset(&s->page[first + new_n], 0, (n - new_n) * sizeof(struct opage));
		for (unsigned long i = n; i < new_n; i++) {
			EXPECT(!s->page[first + i].mapped);
			s->page[first + i] = moved[i];
		}
		return;
	}
	EXPECT(flags & MREMAP_MAYMOVE);
	if (flags & MREMAP_DONTUNMAP) {
		for (unsigned long i = 0; i < n; i++)
			s->page[first + i].own = s->page[first + i].locked = false;
	} else {
		memset(&s->page[first], 0, n * sizeof(struct opage));
	}
	if ((unsigned long)addr >= va_of(0) && (unsigned long)addr < va_of(nr_pages)) {
		unsigned long at = ((unsigned long)addr - va_of(0)) / PAGE_SIZE;

		EXPECT(!(flags & MREMAP_FIXED) || at == to);
		memcpy(&s->page[at], moved, new_n * sizeof(struct opage));
		return;
	}
	/* Moved out of sight: what went along must be there, then it goes. */
	EXPECT(!(flags & MREMAP_FIXED));
	for (unsigned long i = 0; i < keep; i++) {
		u8 byte;
		enum fault_result r =
			sim_read(s->mm, (unsigned long)addr + i * PAGE_SIZE, &byte, 1);

		EXPECT(r == expected(&moved[i], FAULT_READ));
		EXPECT(r != FAULT_DONE || byte == bytes_of(&moved[i])[0]);
	}
	EXPECT(mm_munmap(s->mm, (unsigned long)addr, new_n * PAGE_SIZE) == 0);
}

/* A hole in the file: whole pages read as zero, private copies stay. */
static void punch(struct object *o, unsigned long index, unsigned long n)
{
	memset(o->bytes[index], 0, n * SAMPLES);
}

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

static void op_madvise(struct space *s)
{
	static const int advices[] = {
		MADV_DONTNEED,	    MADV_DONTNEED,	 MADV_FREE,	  MADV_DONTFORK,
		MADV_DOFORK,	    MADV_WIPEONFORK,	 MADV_KEEPONFORK, MADV_REMOVE,
		MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_WILLNEED,	  MADV_DONTNEED_LOCKED,
		MADV_COLD,	    MADV_PAGEOUT,
	};
	struct range r = take_range();
	int advice = advices[take_below(ARRAY_SIZE(advices))], err = 0, unmapped = 0;
	bool populate = advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE;

	if (swap && advice == MADV_FREE)
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

static void op_write(struct space *s)
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

static void op_read(struct space *s)
{
	check_page(s, take_page());
}

static void op_exec(struct space *s)
{
	unsigned long i = take_page();

	EXPECT(sim_exec(s->mm, va_of(i)) == expected(&s->page[i], FAULT_EXEC));
}

static void op_fork(struct space *s)
{
	struct space *child = &spaces[take_below(NR_MMS)];

	TRACE("fork to %ld\n", (long)(child - spaces));
	if (child == s)
		return;
	if (child->mm)
		sim_mm_put(child->mm);
	child->mm = mm_fork(s->mm);
	if (IS_ERR(child->mm)) {
		EXPECT(PTR_ERR(child->mm) == 0);
		child->mm = NULL;
		return;
	}
	memcpy(child->page, s->page, sizeof(s->page));
	for (unsigned long i = 0; i < nr_pages; i++) {
		if (child->page[i].dontfork)
			memset(&child->page[i], 0, sizeof(struct opage));
		if (child->page[i].wipe)
			child->page[i].own = false;
		child->page[i].locked = false;
	}
}

static void op_truncate(struct space *s)
{
	struct object *o = files[take_below(NR_FILES)];
	u64 size = take_below(OBJ_PAGES) * PAGE_SIZE;
	unsigned int k = take_below(SAMPLES + 1);

	(void)s;
	size += k < SAMPLES ? sample_at[k] : 0;
	TRACE("truncate(file of %lx bytes, %lx)\n", (long)o->size, (long)size);
	filemap_truncate(sim_file_mapping(o->file), size);
	for (unsigned long i = 0; i < OBJ_PAGES; i++)
		for (k = 0; k < SAMPLES; k++)
			if (i * PAGE_SIZE + sample_at[k] >= size && size < o->size)
				o->bytes[i][k] = 0;
	for (struct space *t = spaces; t < spaces + NR_MMS; t++)
		for (unsigned long i = 0; i < nr_pages && size < o->size; i++)
			if (t->page[i].obj == o && t->page[i].index * PAGE_SIZE >= size)
				t->page[i].own = false;
	o->size = size;
}

static void op_punch(struct space *s)
{
	struct object *o = files[take_below(NR_FILES)];
	unsigned long first = take_below(OBJ_PAGES - 16), n = 1 + take_below(16);

	(void)s;
	TRACE("punch(file of %lx bytes, %lu +%lu)\n", (long)o->size, first, n);
	filemap_punch_hole(sim_file_mapping(o->file), first * PAGE_SIZE, (first + n) * PAGE_SIZE);
	punch(o, first, n);
}

/* write() to a file, as fs/ does it. */
static void op_file_write(struct space *s)
{
	struct object *o = files[take_below(NR_FILES)];
	unsigned long index = take_below(OBJ_PAGES);
	unsigned int k = take_below(SAMPLES);
	u8 value = (u8)take();
	struct folio *folio;

	(void)s;
	if (index * PAGE_SIZE + sample_at[k] >= o->size)
		return;
	TRACE("file_write(file of %lx bytes, page %lu, sample %u, %x)\n", (long)o->size, index, k,
	      value);
	folio = filemap_new_large(sim_file_mapping(o->file), index, o->size);
	if (!folio)
		folio = filemap_grab_folio(sim_file_mapping(o->file), index);
	if (IS_ERR(folio)) {
		EXPECT(PTR_ERR(folio) == 0);
		return;
	}
	((u8 *)page_address(folio_page(folio, index - folio->index)))[sample_at[k]] = value;
	folio_mark_dirty(folio);
	folio_put(folio);
	o->bytes[index][k] = value;
}

static void op_mincore(struct space *s)
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

static void op_msync(struct space *s)
{
	struct range r = take_range();
	bool hole = false;

	for (unsigned long i = 0; i < r.n; i++)
		hole |= !s->page[r.first + i].mapped;
	EXPECT(mm_msync(s->mm, va_of(r.first), r.n * PAGE_SIZE, MS_SYNC) == (hole ? -ENOMEM : 0));
}

/* What a debugger or futex sees is what the program would. */
static void op_get_page(struct space *s)
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

static void op_mlock(struct space *s)
{
	lock_range(s, true);
}

static void op_munlock(struct space *s)
{
	lock_range(s, false);
}

/* Some pages of one list are taken, as when memory is short. */
static void op_reclaim(struct space *s)
{
	LIST_HEAD(folios);
	enum lru_list list = take() & 1 ? LRU_INACTIVE_ANON : LRU_ACTIVE_ANON;
	unsigned int nr = 1 + take_below(LRU_BATCH);

	(void)s;
	TRACE("reclaim(list %d, %u)\n", (int)list, nr);
	if (swap && lru_isolate(list, nr, &folios))
		(void)reclaim_folios(&folios);
}

static void op_split_deferred(struct space *s)
{
	unsigned int max = 1 + take_below(8);

	(void)s;
	TRACE("split_deferred(%u)\n", max);
	(void)split_deferred(max);
}

/* The page moves to another frame, and all others of its folio. */
static void op_migrate(struct space *s)
{
	pte_t e = sim_pte(s->mm, va_of(take_page()));

	if (pte_present(e) && !pte_special(e))
		(void)migrate_now(pfn_folio(pte_pfn(e)), MIGRATE_ASYNC);
}

static void op_check_contents(struct space *s)
{
	check_contents(s);
}

static void (*const operations[])(struct space *s) = {
	op_mmap,	   op_mmap,    op_mmap,	   op_munmap,	op_mprotect,	   op_mprotect,
	op_mremap,	   op_mremap,  op_madvise, op_madvise,	op_write,	   op_write,
	op_write,	   op_read,    op_exec,	   op_fork,	op_truncate,	   op_punch,
	op_file_write,	   op_mincore, op_msync,   op_get_page, op_check_contents, op_mlock,
	op_memory,	   op_memory,  op_munlock, op_reclaim,	op_reclaim,	   op_migrate,
	op_split_deferred,
};

/* ---- one run ---- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void begin(void)
{
	unsigned int kind;

	memset(spaces, 0, sizeof(spaces));
	sim_caller.ipc_lock = true;
	kind = take();
	knob_vma_index = kind % (VMA_INDEX_MAPLE + 1);
	knob_thp = kind & 0x10 ? THP_ALWAYS : THP_NEVER;
	knob_mthp_orders = knob_thp == THP_NEVER ? 0 : take() << 2;
	knob_thp_shmem = kind & 0x80 ? (kind & 8 ? SHMEM_HUGE_FORCE : SHMEM_HUGE_WITHIN_SIZE)
				     : SHMEM_HUGE_NEVER;
	knob_thp_shmem_orders = kind & 0x80 ? take() << 2 : 0;
	scale = kind & 0x20 && knob_thp != THP_NEVER ? MAX_SCALE : 1;
	nr_pages = UNITS * scale;
	swap = kind & 0x40 ? swap_device_on(SWAP_PAGES) : NULL;
	spaces[0].mm = mm_create(false);
	EXPECT(spaces[0].mm);
	map_memory(&spaces[0], (struct range){ 0, nr_pages });
	for (unsigned int i = 0; i < NR_FILES; i++) {
		u64 bytes = (10 + 20 * i) * PAGE_SIZE;
		bool writable = i != 1;

		files[i] = new_object(sim_file(bytes, writable), writable, bytes);
	}
}

static void end(bool compare)
{
	for (struct space *s = spaces; s < spaces + NR_MMS; s++) {
		if (!s->mm)
			continue;
		if (compare)
			check_contents(s);
		check_layout(s);
		sim_mm_put(s->mm);
	}
	for (struct object *o = objects, *next; o; o = next) {
		next = o->next;
		if (o->file)
			file_put(o->file);
		host_free(o);
	}
	objects = NULL;
	if (swap)
		swap_device_off(swap);
	swap = NULL;
}

/* The next operation runs with the nth allocation at one site failing. */
static void arm_failure(void)
{
	enum fail_site site = (enum fail_site)take_below(NR_FAIL_SITES);
	unsigned long nth = 1 + take_below(8);

	TRACE("fail(site %d, %lu)\n", (int)site, nth);
	slab_shrink();
	pgtable_drain();
	fail_at(site, nth);
	failure_armed = true;
}

static void one_operation(void)
{
	unsigned int op = take();
	struct space *s;

	if (op % 64 == 63) {
		arm_failure();
		op = take();
	}
	s = &spaces[op / 64 % NR_MMS];
	s = s->mm ? s : &spaces[0];
	TRACE("%ld: ", (long)(s - spaces));
	operations[op % 64 % ARRAY_SIZE(operations)](s);
	for (struct space *t = spaces; t < spaces + NR_MMS; t++)
		if (t->mm)
			check_layout(t);
	if (failure_fired()) {
		end(false);
		begin();
	}
	fail_at(FAIL_KMALLOC, 0);
	failure_armed = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool booted;
	struct sim_resources before;

	tracing = getenv("TRACE") != NULL;
	if (!booted)
		sim_boot(16384);
	booted = true;
	before = sim_resources();
	input = data;
	input_end = data + size;
	begin();
	while (input < input_end)
		one_operation();
	end(true);
	EXPECT(!sim_leaks(&before));
	return 0;
}

/* SPDX-License-Identifier: MIT
 *
 * Fuzzed operations that change what is mapped where, with which rights.
 */
#include "oracle.h"

static bool any_mapped(const struct space *s, struct range r)
{
	for (unsigned long i = 0; i < r.n; i++)
		if (s->page[r.first + i].mapped)
			return true;
	return false;
}

/* Where what there is of a file, and what is beyond its end, may be one page of 2 MiB. */
static struct range whole_table(struct range r)
{
	unsigned long skew = (va_of(0) >> PAGE_SHIFT) % PTRS_PER_TABLE;

	r.first = PTRS_PER_TABLE - skew + (r.first & 1) * PTRS_PER_TABLE;
	r.n = PTRS_PER_TABLE;
	return r;
}

void op_mmap(struct space *s)
{
	static const unsigned long placing[] = { MAP_FIXED, MAP_FIXED, MAP_FIXED_NOREPLACE, 0 };
	struct range r = take_range();
	unsigned int kind = take(), prot = take_below(8);
	unsigned long flags = placing[kind & 3] | (kind & 4 ? MAP_POPULATE : 0);
	bool small = r.n <= 24; /* as objects are */
	bool whole = (kind & 48) == 32 && nr_pages == MAX_WINDOW;
	bool shared = (kind & 8) && (small || whole);
	bool anonymous = (kind & 16) || !(small || whole);
	struct object *obj = anonymous ? NULL : files[take_below(NR_FILES)];
	unsigned long pgoff = anonymous ? 0 : take_below(OBJ_PAGES - 24);
	bool occupied;
	long addr;

	if (whole) {
		pgoff = 0;
		r = whole_table(r);
	}
	occupied = any_mapped(s, r);
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

void map_memory(struct space *s, struct range r)
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

void op_memory(struct space *s)
{
	map_memory(s, take_range());
}

void op_munmap(struct space *s)
{
	struct range r = take_range();

	TRACE("munmap(%lu +%lu)\n", r.first, r.n);
	EXPECT(mm_munmap(s->mm, va_of(r.first), r.n * PAGE_SIZE) == 0);
	memset(&s->page[r.first], 0, r.n * sizeof(struct opage));
}

void op_mprotect(struct space *s)
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

void op_mremap(struct space *s)
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

void op_fork(struct space *s)
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

/* SPDX-License-Identifier: MIT
 *
 * The operations: each chooses its arguments, does the system call and the same to the model.
 */
#ifndef USER_MMFUZZ_OPS_H
#define USER_MMFUZZ_OPS_H

#include "model.h"

static void op_mmap(void)
{
	struct range r = any_range();
	int prot = random_prot(), flags = MAP_FIXED, fd = -1, err;
	unsigned int object = 0, index = 0;
	enum backing backing = ANON;
	bool populate = one_in(6), free_range = true;

	for (unsigned int i = r.at; i < r.at + r.n; i++)
		free_range &= model[i].backing == UNMAPPED;
	if (one_in(8))
		flags = MAP_FIXED_NOREPLACE;
	switch (below(4)) {
	case 0:
		object = below(OBJECTS / 2);
		if (!objects[object].used)
			break;
		backing = one_in(2) ? SHARED_OBJECT : PRIVATE_OBJECT;
		fd = object_fd[object];
		index = below(OBJECT_PAGES);
		break;
	case 1:
		/* A new shared object; the slot must not be in use here, and children do not take any. */
		if (depth || flags != MAP_FIXED)
			break;
		object = OBJECTS / 2 + below(OBJECTS / 2);
		for (unsigned int i = 0; i < AREA; i++)
			if (model[i].backing == SHARED_OBJECT && model[i].object == object)
				return;
		backing = SHARED_OBJECT;
		memset(&objects[object], 0, sizeof(objects[0]));
		objects[object].used = true;
		objects[object].pages = r.n;
		break;
	}
	flags |= backing == SHARED_OBJECT ? MAP_SHARED : MAP_PRIVATE;
	flags |= fd < 0 ? MAP_ANONYMOUS : 0;
	flags |= populate ? MAP_POPULATE : 0;
	note("mmap page %u n %u prot %d flags %x object %u index %u", r.at, r.n, prot, flags,
	     object, index);
	void *p = mmap(address(r.at), r.n * PAGE, prot, flags, fd,
		       fd < 0 ? 0 : (off_t)(index * PAGE));

	if ((flags & MAP_FIXED_NOREPLACE) && !free_range) {
		expect("mmap NOREPLACE", p == MAP_FAILED ? -1 : 0, -EEXIST);
		return;
	}
	if (p != address(r.at))
		fail("mmap returns %p, errno %d", p, errno);
	model_unmap(r);
	next_area++;
	for (unsigned int i = 0; i < r.n; i++) {
		struct page *m = &model[r.at + i];

		m->backing = backing;
		m->prot = (unsigned char)prot;
		m->object = (unsigned char)object;
		m->index = index + i;
		m->area = next_area;
	}
	next_area++;
	for (unsigned int i = r.at; populate && prot && i < r.at + r.n; i++)
		if (!model_populate(i, backing != SHARED_OBJECT && (prot & PROT_WRITE), &err) &&
		    err == EFAULT)
			break;
}

static void op_munmap(void)
{
	struct range r = any_range();

	note("munmap page %u n %u", r.at, r.n);
	expect("munmap", munmap(address(r.at), r.n * PAGE), 0);
	model_unmap(r);
}

static void op_mprotect(void)
{
	struct range r = any_range();
	int prot = random_prot();
	long want = 0;

	note("mprotect page %u n %u prot %d", r.at, r.n, prot);
	long got = mprotect(address(r.at), r.n * PAGE, prot);

	for (unsigned int i = 0; i < r.n; i++)
		if (model[r.at + i].backing == UNMAPPED) {
			r.n = i;
			want = -ENOMEM;
		}
	expect("mprotect", got, want);
	for (unsigned int i = r.at; i < r.at + r.n; i++)
		model[i].prot = (unsigned char)prot;
	new_numbers(r);
}

static void op_mremap_size(struct range r)
{
	unsigned int n = 1 + below(one_in(2) ? r.n : MAX_RANGE), end = r.at + r.n;
	bool room = r.at + n <= AREA;

	if (!room)
		return;
	note("mremap page %u n %u to n %u", r.at, r.n, n);
	long got = (long)mremap(address(r.at), r.n * PAGE, n * PAGE, 0);

	for (unsigned int i = end; i < r.at + n; i++)
		room &= model[i].backing == UNMAPPED;
	expect("mremap", got, room ? (long)address(r.at) : -ENOMEM);
	if (!room)
		return;
	if (n < r.n)
		model_unmap((struct range){ r.at + n, r.n - n });
	for (unsigned int i = end; i < r.at + n; i++) {
		model[i] = model[end - 1];
		model[i].index = model[end - 1].index + (i - end + 1);
		model_drop(i);
	}
}

static void op_mremap(void)
{
	struct range r = one_vma(), to;
	struct page moved[MAX_RANGE];
	bool keep = one_in(4);

	if (!r.n)
		return;
	if (one_in(2)) {
		op_mremap_size(r);
		return;
	}
	to = (struct range){ below(AREA - r.n + 1), r.n };
	note("mremap page %u n %u to page %u%s", r.at, r.n, to.at, keep ? " DONTUNMAP" : "");
	long got = (long)mremap(address(r.at), r.n * PAGE, r.n * PAGE,
				MREMAP_MAYMOVE | MREMAP_FIXED | (keep ? MREMAP_DONTUNMAP : 0),
				address(to.at));

	if (to.at < r.at + r.n && r.at < to.at + to.n) {
		expect("mremap overlapping", got, -EINVAL);
		return;
	}
	expect("mremap FIXED", got, (long)address(to.at));
	memcpy(moved, &model[r.at], r.n * sizeof(moved[0]));
	if (keep) {
		for (unsigned int i = r.at; i < r.at + r.n; i++)
			model_drop(i);
	} else {
		model_unmap(r);
	}
	memcpy(&model[to.at], moved, r.n * sizeof(moved[0]));
	for (unsigned int i = to.at; i < to.at + to.n; i++)
		model[i].area = next_area;
	next_area++;
	new_numbers(r);
}

static void op_dontneed(void)
{
	struct range r = any_range();

	note("madvise DONTNEED page %u n %u", r.at, r.n);
	expect("madvise DONTNEED", madvise(address(r.at), r.n * PAGE, MADV_DONTNEED),
	       has_hole(r) ? -ENOMEM : 0);
	for (unsigned int i = r.at; i < r.at + r.n; i++)
		model_drop(i);
}

static void op_populate(void)
{
	struct range r = any_range();
	bool write = one_in(2);
	int err = 0;

	/* Up to a hole: what happens behind it differs between versions of Linux. */
	for (unsigned int i = 0; i < r.n; i++)
		if (model[r.at + i].backing == UNMAPPED)
			r.n = i ? i : 1;
	note("madvise POPULATE_%s page %u n %u", write ? "WRITE" : "READ", r.at, r.n);
	long got = madvise(address(r.at), r.n * PAGE,
			   write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
	int e = errno;

	for (unsigned int i = r.at; i < r.at + r.n; i++)
		if (!model_populate(i, write, &err))
			break;
	errno = e;
	expect("madvise POPULATE", got, -err);
}

static void op_madvise(void)
{
	static const int advice[] = { MADV_DONTFORK, MADV_DOFORK, MADV_WIPEONFORK, MADV_KEEPONFORK,
				      MADV_RANDOM,   MADV_NORMAL, MADV_REMOVE };
	struct range r = one_vma();
	int a = advice[below(7)];
	long want = 0;

	if (!r.n)
		return;

	const struct page *first = &model[r.at];

	if (a == MADV_WIPEONFORK && first->backing != ANON)
		want = -EINVAL;
	if (a == MADV_REMOVE) {
		if (first->backing == SHARED_OBJECT && !(first->prot & PROT_WRITE))
			return; /* versions of Linux differ */
		if (first->backing != SHARED_OBJECT)
			want = first->backing == ANON ? -EINVAL : -EACCES;
	}
	note("madvise %d page %u n %u", a, r.at, r.n);
	expect("madvise", madvise(address(r.at), r.n * PAGE, a), want);
	if (want)
		return;
	for (unsigned int i = r.at; i < r.at + r.n; i++) {
		struct page *p = &model[i];

		if (a == MADV_DONTFORK || a == MADV_DOFORK)
			p->dontfork = a == MADV_DONTFORK;
		if (a == MADV_WIPEONFORK || a == MADV_KEEPONFORK)
			p->wipeonfork = a == MADV_WIPEONFORK;
		if (a == MADV_REMOVE && p->index < OBJECT_PAGES)
			objects[p->object].value[p->index] = 0;
	}
	new_numbers(r);
}

static void op_mincore(void)
{
	struct range r = any_range();
	unsigned char vec[MAX_RANGE];

	note("mincore page %u n %u", r.at, r.n);
	bool hole = has_hole(r);

	expect("mincore", mincore(address(r.at), r.n * PAGE, vec), hole ? -ENOMEM : 0);
	for (unsigned int i = 0; !hole && i < r.n; i++) {
		const struct page *p = &model[r.at + i];

		if (p->backing == ANON && (p->own || p->touched != MAYBE) &&
		    (vec[i] & 1) != (p->own || p->touched) && !(vec[i] && large_folios))
			fail("mincore: page %u is %d", r.at + i, vec[i]);
	}
}

static void op_msync(void)
{
	struct range r = any_range();

	note("msync page %u n %u", r.at, r.n);
	expect("msync", msync(address(r.at), r.n * PAGE, one_in(2) ? MS_SYNC : MS_ASYNC),
	       has_hole(r) ? -ENOMEM : 0);
}

static void op_brk(void)
{
	unsigned int n = below(HEAP + 1);

	note("brk %u pages", n);
	if (syscall(SYS_brk, heap + n * PAGE) != (long)(heap + n * PAGE))
		fail("brk");
	for (unsigned int i = heap_pages; i < n; i++)
		heap_value[i] = 0;
	heap_pages = n;
	for (unsigned int i = 0; i < n; i++) {
		if (*(volatile uint64_t *)(heap + i * PAGE) != heap_value[i])
			fail("heap page %u", i);
		if (one_in(4))
			*(volatile uint64_t *)(heap + i * PAGE) = heap_value[i] = next_random(&rng);
	}
}

static void op_touch(void)
{
	struct range r = any_range();
	bool write = one_in(2);
	uint64_t value = next_random(&rng) | 1;

	note("%s page %u n %u", write ? "write" : "read", r.at, r.n);
	for (unsigned int i = r.at; i < r.at + r.n; i++)
		access_page(i, write, value + i);
}

/* The same through the kernel: a file read into the page, or the page written to a file. */
static void op_kernel_access(void)
{
	static int scratch = -1;
	unsigned int i = below(AREA);
	bool write = one_in(2);
	uint64_t page[PAGE / 8] = { 0 }, value = next_random(&rng) | 1;
	int code, want;

	if (scratch < 0)
		scratch = memfd_create("scratch", MFD_CLOEXEC);
	must(scratch >= 0, "memfd_create");
	page[0] = page[LAST] = value;
	note("kernel %s page %u", write ? "write" : "read", i);
	want = expected_fault(i, write, &code);
	if (write) {
		must(pwrite(scratch, page, PAGE, 0) == (ssize_t)PAGE, "pwrite");
		expect("pread", pread(scratch, address(i), PAGE, 0), want ? -EFAULT : (long)PAGE);
		if (!want)
			model_write(i, value);
	} else {
		expect("pwrite", pwrite(scratch, address(i), PAGE, 0), want ? -EFAULT : (long)PAGE);
		if (want)
			return;
		must(pread(scratch, page, PAGE, 0) == (ssize_t)PAGE, "pread");
		if (page[0] != expected_value(i) || page[LAST] != expected_value(i))
			fail("the kernel read %lx from page %u", (unsigned long)page[0], i);
		model[i].touched = 1;
	}
}

static void object_new(unsigned int o)
{
	for (unsigned int i = 0; i < AREA; i++)
		if (model[i].backing >= SHARED_OBJECT && model[i].object == o)
			return;
	if (objects[o].used)
		close(object_fd[o]);
	note("memfd %u", o);
	object_fd[o] = memfd_create("mmfuzz", MFD_CLOEXEC);
	must(object_fd[o] >= 0, "memfd_create");
	memset(&objects[o], 0, sizeof(objects[0]));
	objects[o].used = true;
}

static void op_object(void)
{
	unsigned int o = below(OBJECTS / 2), i = below(OBJECT_PAGES), n;
	struct object *ob = &objects[o];
	uint64_t page[PAGE / 8] = { 0 }, value = next_random(&rng) | 1;

	if (!ob->used || one_in(20)) {
		if (!depth)
			object_new(o);
		return;
	}
	switch (below(4)) {
	case 0:
		if (depth)
			return; /* a parent would not learn that its private copies are gone */
		n = below(OBJECT_PAGES + 1);
		note("ftruncate object %u to %u", o, n);
		expect("ftruncate", ftruncate(object_fd[o], (off_t)(n * PAGE)), 0);
		for (unsigned int k = n; k < OBJECT_PAGES; k++)
			ob->value[k] = 0;
		for (unsigned int k = 0; k < AREA; k++)
			if (model[k].backing == PRIVATE_OBJECT && model[k].object == o &&
			    model[k].index >= n)
				model[k].own = false;
		ob->pages = n;
		return;
	case 1:
		note("pwrite object %u page %u", o, i);
		page[0] = page[LAST] = value;
		expect("pwrite", pwrite(object_fd[o], page, PAGE, (off_t)(i * PAGE)), (long)PAGE);
		ob->value[i] = value;
		if (ob->pages <= i)
			ob->pages = i + 1;
		return;
	case 2:
		note("pread object %u page %u", o, i);
		expect("pread", pread(object_fd[o], page, PAGE, (off_t)(i * PAGE)),
		       i < ob->pages ? (long)PAGE : 0);
		if (i < ob->pages && (page[0] != ob->value[i] || page[LAST] != ob->value[i]))
			fail("object %u page %u holds %lx", o, i, (unsigned long)page[0]);
		return;
	case 3:
		n = 1 + below(OBJECT_PAGES - i);
		note("punch object %u page %u n %u", o, i, n);
		expect("fallocate",
		       fallocate(object_fd[o], 3, (off_t)(i * PAGE), (off_t)(n * PAGE)), 0);
		for (unsigned int k = i; k < i + n; k++)
			ob->value[k] = 0;
		return;
	}
}

static void op_invalid(void)
{
	unsigned int i = below(AREA);
	char *p = address(i);

	note("calls with bad arguments");
	expect("munmap unaligned", munmap(p + 1, PAGE), -EINVAL);
	expect("munmap wrapping", munmap(p, -PAGE), -EINVAL);
	expect("mprotect unaligned", syscall(SYS_mprotect, p + 8, PAGE, PROT_READ), -EINVAL);
	expect("madvise unaligned", madvise(p + 8, PAGE, MADV_DONTNEED), -EINVAL);
	expect("msync flags", msync(p, PAGE, MS_SYNC | MS_ASYNC), -EINVAL);
	/* For an address that is not mapped it is EFAULT until some version after 6.12. */
	if (model[i].backing != UNMAPPED)
		expect("mremap overlapping", syscall(SYS_mremap, p, PAGE, PAGE, 3, p), -EINVAL);
	expect("mmap wrapping",
	       (long)syscall(SYS_mmap, p, -PAGE, 0, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	       -ENOMEM);
}

#endif

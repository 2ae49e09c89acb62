/* SPDX-License-Identifier: MIT
 *
 * mmfuzz: random memory system calls against a model, in one process and its children.
 *
 * The process owns AREA pages at a fixed place and a heap. For each page the model knows whether it is mapped,
 * with which permissions, what backs it and which value it holds (the same 64-bit word at its first and at its
 * last bytes). Every operation says beforehand what the system call must return and what an access must find:
 * a value, SIGSEGV with MAPERR or ACCERR, or SIGBUS. The kernel is wrong, or the model is.
 *
 * Backing objects (memfds and shared anonymous memory) have their values in shared memory, so that what a
 * child writes is known to its parent, which waits for it meanwhile.
 *
 * Everything follows from the seed; a failure prints the latest operations and the command that repeats it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL
#define AREA 512	/* pages */
#define MAX_RANGE 48	/* pages one operation handles at most */
#define OBJECTS 8	/* the first half memfds, the second shared anonymous */
#define OBJECT_PAGES 64 /* at most */
#define HEAP 64		/* pages */
#define MAX_DEPTH 2	/* of children */

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#define POPULATE_READ 22
#define POPULATE_WRITE 23
#define WIPEONFORK 18
#define KEEPONFORK 19
#ifndef PR_SET_THP_DISABLE
#define PR_SET_THP_DISABLE 41
#endif

#define MAYBE 2
enum backing { UNMAPPED, ANON, SHARED_OBJECT, PRIVATE_OBJECT };

struct page {
	unsigned char backing, prot;
	bool own; /* a private page of this process: `value` counts */
	unsigned char
		touched; /* mapped by an access (anonymous memory: perhaps the zero page), or MAYBE */
	bool dontfork, wipeonfork;
	unsigned char object;
	unsigned int index; /* page in the object */
	unsigned int area;  /* neighbours with the same number are in one vma for certain */
	uint64_t value;
};

struct object {
	bool used;
	unsigned int pages; /* size */
	uint64_t value[OBJECT_PAGES];
};

static struct page model[AREA];
static struct object *objects; /* shared with children */
static int object_fd[OBJECTS];
static char *area;
static char *heap;
static unsigned int heap_pages;
static uint64_t heap_value[HEAP];
static unsigned int next_area = 1;
static int depth;

static uint64_t seed, rng;
static unsigned long ops_wanted = 100000, op_number;

/* ---- randomness, history, failure ---- */

static uint64_t rnd(void)
{
	uint64_t z = (rng += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static unsigned int below(unsigned int n)
{
	return (unsigned int)(rnd() % n);
}

static bool one_in(unsigned int n)
{
	return below(n) == 0;
}

#define HISTORY 24
static char history[HISTORY][120];
static unsigned long history_at;

__attribute__((format(printf, 1, 2))) static void note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(history[history_at++ % HISTORY], sizeof(history[0]), fmt, ap);
	va_end(ap);
}

__attribute__((format(printf, 1, 2), noreturn)) static void fail(const char *fmt, ...)
{
	va_list ap;

	printf("mmfuzz: FAILED at operation %lu, depth %d: ", op_number, depth);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\nlatest operations:\n");
	for (unsigned long i = history_at > HISTORY ? history_at - HISTORY : 0; i < history_at; i++)
		printf("  %s\n", history[i % HISTORY]);
	printf("repeat with: mmfuzz --seed %lu --ops %lu\n", (unsigned long)seed, ops_wanted);
	fflush(stdout);
	_exit(1);
}

static void must(bool ok, const char *what)
{
	if (!ok)
		fail("set-up: %s: %s", what, strerror(errno));
}

/* The result of a call (-1 with errno) must be 0 and success, or -errno. */
static void expect(const char *what, long got, long want)
{
	long result = got == -1 ? -errno : got;

	if (result != want)
		fail("%s returns %ld, expected %ld", what, result, want);
}

/* ---- accesses ---- */

static sigjmp_buf fault_jump;
static volatile int fault_sig, fault_code;
static volatile uintptr_t fault_addr;

static void on_fault(int sig, siginfo_t *si, void *context)
{
	(void)context;
	fault_sig = sig;
	fault_code = si->si_code;
	fault_addr = (uintptr_t)si->si_addr;
	siglongjmp(fault_jump, 1);
}

/* What an access to page i must come to: 0, or the signal with its code. */
static int expected_fault(unsigned int i, bool write, int *code)
{
	const struct page *p = &model[i];

	if (p->backing == UNMAPPED) {
		*code = SEGV_MAPERR;
		return SIGSEGV;
	}
	/* There are no write-only pages. */
	if (write ? !(p->prot & PROT_WRITE) : !p->prot) {
		*code = SEGV_ACCERR;
		return SIGSEGV;
	}
	if (p->backing != ANON && p->index >= objects[p->object].pages) {
		*code = BUS_ADRERR;
		return SIGBUS;
	}
	return 0;
}

static uint64_t expected_value(unsigned int i)
{
	const struct page *p = &model[i];

	if (p->backing == SHARED_OBJECT || (p->backing == PRIVATE_OBJECT && !p->own))
		return objects[p->object].value[p->index];
	return p->own ? p->value : 0;
}

/* The model's side of a write access that succeeded. */
static void model_write(unsigned int i, uint64_t value)
{
	struct page *p = &model[i];

	p->touched = 1;
	if (p->backing == SHARED_OBJECT) {
		objects[p->object].value[p->index] = value;
	} else {
		p->own = true;
		p->value = value;
	}
}

static volatile uint64_t *words(unsigned int i)
{
	return (volatile uint64_t *)(area + i * PAGE);
}

#define LAST (PAGE / 8 - 1)

static void access_page(unsigned int i, bool write, uint64_t value)
{
	int code = 0, want = expected_fault(i, write, &code);

	fault_sig = 0;
	if (!sigsetjmp(fault_jump, 0)) {
		if (write) {
			words(i)[0] = value;
			words(i)[LAST] = value;
		} else {
			uint64_t a = words(i)[0], b = words(i)[LAST], v = expected_value(i);

			if (!want && (a != v || b != v))
				fail("page %u holds %lx and %lx, expected %lx", i, (unsigned long)a,
				     (unsigned long)b, (unsigned long)v);
		}
	}
	if (fault_sig != want || (want && fault_code != code))
		fail("%s of page %u: signal %d code %d, expected %d %d", write ? "write" : "read",
		     i, fault_sig, fault_code, want, code);
	if (want && fault_addr != (uintptr_t)words(i))
		fail("fault address %lx, expected %lx", (unsigned long)fault_addr,
		     (unsigned long)words(i));
	if (want)
		return;
	if (write)
		model_write(i, value);
	else
		model[i].touched = 1;
}

static void verify_all(void)
{
	for (unsigned int i = 0; i < AREA; i++)
		access_page(i, false, 0);
	for (unsigned int i = 0; i < heap_pages; i++)
		if (*(volatile uint64_t *)(heap + i * PAGE) != heap_value[i])
			fail("heap page %u", i);
}

/* /proc/self/maps must show the permissions of the model, page for page. */
static void verify_maps(void)
{
	static char text[256 * 1024];
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t r;
	unsigned int mapped = 0;

	if (fd < 0)
		return; /* no /proc here */
	while ((r = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)r;
	close(fd);
	text[n] = 0;
	for (char *line = text; line && *line;
	     line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		unsigned long lo, hi;
		char perms[8];

		if (sscanf(line, "%lx-%lx %4s", &lo, &hi, perms) != 3)
			fail("maps: cannot parse \"%.60s\"", line);
		for (; lo < hi; lo += PAGE) {
			unsigned long i = (lo - (unsigned long)area) / PAGE;
			const struct page *p = &model[i];

			if (lo < (unsigned long)area || i >= AREA)
				continue;
			mapped++;
			if (p->backing == UNMAPPED ||
			    (perms[0] == 'r') != !!(p->prot & PROT_READ) ||
			    (perms[1] == 'w') != !!(p->prot & PROT_WRITE) ||
			    (perms[2] == 'x') != !!(p->prot & PROT_EXEC) ||
			    (perms[3] == 's') != (p->backing == SHARED_OBJECT))
				fail("maps shows page %lu as %s", i, perms);
		}
	}
	for (unsigned int i = 0; i < AREA; i++)
		mapped -= model[i].backing != UNMAPPED;
	if (mapped)
		fail("maps misses mapped pages");
}

/* ---- ranges ---- */

struct range {
	unsigned int at, n;
};

static struct range any_range(void)
{
	struct range r;

	r.at = below(AREA);
	r.n = 1 + below(one_in(4) ? MAX_RANGE : 6);
	if (r.at + r.n > AREA)
		r.n = AREA - r.at;
	return r;
}

static bool has_hole(struct range r)
{
	for (unsigned int i = r.at; i < r.at + r.n; i++)
		if (model[i].backing == UNMAPPED)
			return true;
	return false;
}

/* A range in one vma; n is 0 when the page that was picked is not mapped. */
static struct range one_vma(void)
{
	struct range r = any_range();

	if (model[r.at].backing == UNMAPPED)
		r.n = 0;
	for (unsigned int i = 1; i < r.n; i++)
		if (model[r.at + i].backing == UNMAPPED || model[r.at + i].area != model[r.at].area)
			r.n = i;
	return r;
}

/* After a change of attributes in the range its pages share a vma with those of the range only. */
static void new_numbers(struct range r)
{
	unsigned int old = 0;

	for (unsigned int i = r.at; i < r.at + r.n; i++) {
		if (model[i].backing == UNMAPPED) {
			old = 0;
			continue;
		}
		if (model[i].area != old) {
			old = model[i].area;
			next_area++;
		}
		model[i].area = next_area;
	}
	next_area++;
}

static void model_unmap(struct range r)
{
	memset(&model[r.at], 0, r.n * sizeof(model[0]));
}

/* The page is as if nobody had ever touched it. */
static void model_drop(unsigned int i)
{
	model[i].own = false;
	model[i].touched = 0;
}

static char *address(unsigned int i)
{
	return area + i * PAGE;
}

static int random_prot(void)
{
	static const int prots[] = { PROT_READ | PROT_WRITE,
				     PROT_READ | PROT_WRITE,
				     PROT_READ | PROT_WRITE,
				     PROT_READ,
				     PROT_NONE,
				     PROT_WRITE,
				     PROT_READ | PROT_EXEC,
				     PROT_READ | PROT_WRITE | PROT_EXEC };

	return prots[below(8)];
}

/* The model's side of populating page i; false where it ends with an error, which is then in *err. */
static bool model_populate(unsigned int i, bool write, int *err)
{
	struct page *p = &model[i];

	if (p->backing == UNMAPPED)
		*err = ENOMEM;
	else if (!(p->prot & (write ? PROT_WRITE : PROT_READ)))
		*err = EINVAL;
	else if (p->backing != ANON && p->index >= objects[p->object].pages)
		*err = EFAULT;
	else
		*err = 0;
	if (*err)
		return false;
	p->touched = 1;
	if (write && p->backing != SHARED_OBJECT && !p->own)
		model_write(i, expected_value(i));
	return true;
}

/* ---- operations ---- */

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

	note("madvise POPULATE_%s page %u n %u", write ? "WRITE" : "READ", r.at, r.n);
	long got = madvise(address(r.at), r.n * PAGE, write ? POPULATE_WRITE : POPULATE_READ);
	int e = errno;

	for (unsigned int i = r.at; i < r.at + r.n; i++)
		if (!model_populate(i, write, &err))
			break;
	errno = e;
	expect("madvise POPULATE", got, -err);
}

static void op_madvise(void)
{
	static const int advice[] = { MADV_DONTFORK, MADV_DOFORK, WIPEONFORK, KEEPONFORK,
				      MADV_RANDOM,   MADV_NORMAL, MADV_REMOVE };
	struct range r = one_vma();
	int a = advice[below(7)];
	long want = 0;

	if (!r.n)
		return;

	const struct page *first = &model[r.at];

	if (a == WIPEONFORK && first->backing != ANON)
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
		if (a == WIPEONFORK || a == KEEPONFORK)
			p->wipeonfork = a == WIPEONFORK;
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
		    (vec[i] & 1) != (p->own || p->touched))
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
			*(volatile uint64_t *)(heap + i * PAGE) = heap_value[i] = rnd();
	}
}

static void op_touch(void)
{
	struct range r = any_range();
	bool write = one_in(2);
	uint64_t value = rnd() | 1;

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
	uint64_t page[PAGE / 8] = { 0 }, value = rnd() | 1;
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
	uint64_t page[PAGE / 8] = { 0 }, value = rnd() | 1;

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

static void run(unsigned long ops);

static void op_fork(void)
{
	pid_t pid;
	int status;

	if (depth >= MAX_DEPTH)
		return;
	note("fork");
	fflush(stdout);
	pid = fork();
	must(pid >= 0, "fork");
	if (!pid) {
		depth++;
		for (unsigned int i = 0; i < AREA; i++) {
			struct page *p = &model[i];

			if (p->dontfork)
				memset(p, 0, sizeof(*p));
			if (p->wipeonfork)
				model_drop(i);
			/* What can be faulted in again need not be copied. */
			if (p->backing == ANON && !p->own && p->touched)
				p->touched = MAYBE;
		}
		rng ^= 0x5555;
		verify_all();
		run(20 + below(40));
		verify_all();
		_exit(0);
	}
	rnd();
	if (waitpid(pid, &status, 0) != pid)
		fail("waitpid");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
		_exit(1); /* it has said why */
	if (status)
		fail("the child ended with status %x", (unsigned int)status);
}

static const struct {
	void (*fn)(void);
	unsigned int weight;
} ops[] = {
	{ op_mmap, 16 },    { op_munmap, 8 },	{ op_mprotect, 12 }, { op_mremap, 10 },
	{ op_dontneed, 5 }, { op_populate, 5 }, { op_madvise, 6 },   { op_mincore, 4 },
	{ op_msync, 2 },    { op_brk, 2 },	{ op_touch, 20 },    { op_kernel_access, 8 },
	{ op_object, 10 },  { op_invalid, 1 },
};

static void run(unsigned long n)
{
	unsigned int total = 0;

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		total += ops[i].weight;
	for (unsigned long k = 0; k < n; k++) {
		unsigned int pick = below(total), i = 0;

		op_number++;
		while (pick >= ops[i].weight)
			pick -= ops[i++].weight;
		if (one_in(400))
			op_fork();
		else
			ops[i].fn();
		if (one_in(500))
			verify_all();
		if (one_in(2000))
			verify_maps();
		if (!depth && ops_wanted >= 10 && k % (ops_wanted / 10) == ops_wanted / 10 - 1) {
			printf("mmfuzz: %lu operations\n", k + 1);
			fflush(stdout);
		}
	}
}

static void set_up(void)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };
	unsigned long guard = 64 * PAGE;
	char *p;

	must(!sigaction(SIGSEGV, &sa, NULL) && !sigaction(SIGBUS, &sa, NULL), "sigaction");
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); /* the model counts single pages */
	objects = mmap(NULL, OBJECTS * sizeof(objects[0]), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(objects != MAP_FAILED, "mmap");
	p = mmap(NULL, AREA * PAGE + 2 * guard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(p != MAP_FAILED, "mmap");
	area = p + guard;
	must(!munmap(area, AREA * PAGE), "munmap");
	heap = (char *)((syscall(SYS_brk, 0) + (long)PAGE - 1) & -(long)PAGE);
	must(syscall(SYS_brk, heap) == (long)heap, "brk");
}

static unsigned long number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 0);

	if (!*text || *end) {
		printf("mmfuzz: \"%s\" is not a number\n", text);
		exit(2);
	}
	return n;
}

int main(int argc, char **argv)
{
	static char buffer[4096];
	struct timespec ts;

	setvbuf(stdout, buffer, _IOLBF, sizeof(buffer)); /* no allocation: the heap is ours */
	clock_gettime(CLOCK_REALTIME, &ts);
	seed = (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--seed") && i + 1 < argc) {
			seed = number(argv[++i]);
		} else if (!strcmp(argv[i], "--ops") && i + 1 < argc) {
			ops_wanted = number(argv[++i]);
		} else {
			puts("usage: mmfuzz [--seed S] [--ops N]");
			return strcmp(argv[i], "--help") ? 2 : 0;
		}
	}
	rng = seed;
	printf("mmfuzz --seed %lu --ops %lu\n", (unsigned long)seed, ops_wanted);
	set_up();
	run(ops_wanted);
	verify_all();
	verify_maps();
	printf("mmfuzz: passed, %lu operations\n", ops_wanted);
	return 0;
}

/* SPDX-License-Identifier: MIT
 *
 * The model: what every page of the area is and holds, what an access to it must come to, and the checks of
 * the real memory against it.
 */
#ifndef USER_MMFUZZ_MODEL_H
#define USER_MMFUZZ_MODEL_H

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

#include "../compat.h"
#include "../random.h"

#define PAGE 4096UL
#define AREA 512	/* pages */
#define MAX_RANGE 48	/* pages one operation handles at most */
#define OBJECTS 8	/* the first half memfds, the second shared anonymous */
#define OBJECT_PAGES 64 /* at most */
#define HEAP 64		/* pages */
#define MAX_DEPTH 2	/* of children */

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
static bool large_folios; /* a page may be there that nobody touched */

static uint64_t seed, rng;
static unsigned long ops_wanted = 100000, op_number;

/* ---- randomness, history, failure ---- */

static unsigned int below(unsigned int n)
{
	return (unsigned int)(next_random(&rng) % n);
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

#endif

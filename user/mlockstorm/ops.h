/* SPDX-License-Identifier: MIT
 *
 * The calls. Each chooses its arguments from what is mapped, says what it does and what came of it.
 */
#ifndef USER_MLOCKSTORM_OPS_H
#define USER_MLOCKSTORM_OPS_H

#include "arena.h"

static int files[FILES];
static unsigned int slots_used;
static unsigned int call_number, epoch_number;
static bool ordinary_user;
static char what[160];

/* ---- saying it ---- */

__attribute__((format(printf, 1, 2))) static void doing(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
}

static void finish(const char *result)
{
	look();
	put("%s%u.%u %s = %s, VmLck %ld\n", in_child ? "> " : "", epoch_number, call_number, what,
	    result, locked_inside());
	print_areas();
}

/* For calls whose success is 0, and for addresses, which were asked for. */
static void finish_call(long ret)
{
	finish(ret == -1 ? error_name(errno) : "0");
}

/* ---- choosing ---- */

struct range {
	unsigned int page, n;
};

#define ADDRESS(r) at((r).page)
#define LENGTH(r) ((r).n * PAGE)

static const struct area *any_area(void)
{
	return nr_areas ? &areas[below(nr_areas)] : NULL;
}

/* A part of an area, more often than not; sometimes more than it, sometimes beside it. */
static struct range any_range(void)
{
	const struct area *a = any_area();
	struct range r = { WILD + below(WILD_PAGES - 12), 1 + below(12) };
	unsigned int n;

	if (!a || one_in(16))
		return r;
	n = a->end - a->start;
	r = (struct range){ a->start, n };
	switch (below(6)) {
	case 0:
		break;
	case 1:
		r.n += 1 + below(8);
		break;
	case 2:
		r.page -= r.page && one_in(2);
		r.n = 1 + below(n + 2);
		break;
	default:
		r.page += below(n);
		r.n = 1 + below(a->end - r.page);
	}
	if (one_in(12))
		r.n += SLOT;
	if (r.page + r.n > ARENA_PAGES)
		r.n = ARENA_PAGES - r.page;
	return r;
}

/* Inside one area. */
static bool range_in(const struct area *a, struct range *r)
{
	unsigned int n;

	if (!a)
		return false;
	n = a->end - a->start;
	*r = (struct range){ a->start, n };
	if (one_in(2)) {
		r->page += below(n);
		r->n = 1 + below(a->end - r->page);
	}
	return true;
}

static int any_prot(void)
{
	static const int prots[] = { RW,	RW,	   RW,	       PROT_READ,
				     PROT_READ, PROT_NONE, PROT_WRITE, PROT_READ | PROT_EXEC };

	return prots[below(sizeof(prots) / sizeof(prots[0]))];
}

static const char *prot_name(int prot)
{
	static char text[4];

	snprintf(text, sizeof(text), "%c%c%c", prot & PROT_READ ? 'r' : '-',
		 prot & PROT_WRITE ? 'w' : '-', prot & PROT_EXEC ? 'x' : '-');
	return text;
}

static int any_map_flags(void)
{
	int flags = 0;

	flags |= one_in(3) ? MAP_LOCKED : 0;
	flags |= one_in(5) ? MAP_POPULATE : 0;
	flags |= one_in(8) ? MAP_NONBLOCK : 0;
	return flags;
}

static const char *map_flag_names(int flags)
{
	static char text[64];

	snprintf(text, sizeof(text), "%s%s%s", flags & MAP_LOCKED ? " LOCKED" : "",
		 flags & MAP_POPULATE ? " POPULATE" : "", flags & MAP_NONBLOCK ? " NONBLOCK" : "");
	return text;
}

/* ---- locking ---- */

static void op_mlock(void)
{
	struct range r = any_range();

	doing("mlock %u+%u", r.page, r.n);
	finish_call(syscall(SYS_mlock, ADDRESS(r), LENGTH(r)));
}

static void op_mlock2(void)
{
	struct range r = any_range();
	int flags = one_in(8) ? 0 : 1;

	doing("mlock2 %u+%u %s", r.page, r.n, flags ? "ONFAULT" : "0");
	finish_call(syscall(SYS_mlock2, ADDRESS(r), LENGTH(r), flags));
}

static void op_munlock(void)
{
	struct range r = any_range();

	doing("munlock %u+%u", r.page, r.n);
	finish_call(syscall(SYS_munlock, ADDRESS(r), LENGTH(r)));
}

static void op_mlockall(void)
{
	int flags = below(9);

	doing("mlockall%s%s%s%s", flags & MCL_CURRENT ? " CURRENT" : "",
	      flags & MCL_FUTURE ? " FUTURE" : "", flags & MCL_ONFAULT ? " ONFAULT" : "",
	      flags & 8 ? " 8" : "");
	finish_call(syscall(SYS_mlockall, flags));
}

static void op_munlockall(void)
{
	doing("munlockall");
	finish_call(syscall(SYS_munlockall));
}

/* Addresses and lengths that must be rounded, or wrap around. */
static void op_odd(void)
{
	static const unsigned long lengths[] = { 0,    1,    2,	   4095,    4096,    4097,
						 8191, -1UL, -2UL, -4095UL, -4096UL, -8192UL };
	static const int calls[] = { SYS_mlock, SYS_munlock, SYS_mlock2 };
	static const char *const names[] = { "mlock", "munlock", "mlock2" };
	struct range r = any_range();
	unsigned int offset = one_in(3) ? 0 : one_in(2) ? 1 : below(PAGE), call = below(3);
	unsigned long len = lengths[below(sizeof(lengths) / sizeof(lengths[0]))];
	int flags = (int)below(3);

	doing("%s %u:%u length %ld flags %d", names[call], r.page, offset, (long)len, flags);
	finish_call(syscall(calls[call], ADDRESS(r) + offset, len, flags));
}

static void op_limit(void)
{
	static const unsigned long limits[] = { 0, 100, 4 * PAGE, 64 * PAGE, 64 * PAGE, 64 * PAGE };
	struct rlimit rl;

	if (getrlimit(RLIMIT_MEMLOCK, &rl))
		give_up("getrlimit");
	rl.rlim_cur = limits[below(sizeof(limits) / sizeof(limits[0]))];
	doing("limit %lu", (unsigned long)rl.rlim_cur);
	finish_call(setrlimit(RLIMIT_MEMLOCK, &rl));
}

/* ---- mapping ---- */

/* Private memory at the start of a slot nobody used, written to before anything else happens to it. */
static void op_map_slot(void)
{
	unsigned int slot = slots_used, n = 2 + below(20), offset = below(FILE_PAGES - 4);
	int flags = any_map_flags(), prot = any_prot(), fd = one_in(4) ? files[below(FILES)] : -1;
	char *p;

	if (slot == SLOTS)
		return op_mlock();
	slots_used++;
	doing("mmap slot %u+%u %s%s %s", slot * SLOT, n, fd < 0 ? "anon" : "private file",
	      map_flag_names(flags), prot_name(prot));
	p = mmap(at(slot * SLOT), n * PAGE, RW,
		 flags | MAP_PRIVATE | MAP_FIXED_NOREPLACE | (fd < 0 ? MAP_ANONYMOUS : 0), fd,
		 fd < 0 ? 0 : offset * PAGE);
	if (p != MAP_FAILED && fd < 0)
		p[0] = (char)(slot + 1);
	if (p != MAP_FAILED && fd >= 0 && pwrite(fd, "", 1, (off_t)(FILE_PAGES * PAGE - 1)) == 1)
		p[0] = (char)(slot + 1);
	if (p != MAP_FAILED && prot != RW && mprotect(p, n * PAGE, prot))
		give_up("mprotect of a new slot");
	finish_call((long)p);
}

static void op_map_shared(void)
{
	struct range r = any_range();
	int flags = any_map_flags(), prot = any_prot(), file = (int)below(FILES + 1) - 1;
	unsigned int offset = below(FILE_PAGES);
	void *p;

	if (r.n > 20)
		r.n = 20;
	if (area_at(r.page) && has_flag(area_at(r.page), "gd"))
		r.page = 2 * SLOT + 30;
	doing("mmap shared %u+%u %s%s %s", r.page, r.n,
	      file < 0 ? "anon"
	      : file   ? "b"
		       : "a",
	      map_flag_names(flags), prot_name(prot));
	p = mmap(ADDRESS(r), LENGTH(r), prot,
		 flags | MAP_SHARED | MAP_FIXED | (file < 0 ? MAP_ANONYMOUS : 0),
		 file < 0 ? -1 : files[file], file < 0 ? 0 : offset * PAGE);
	finish_call((long)p);
}

static void op_map_wild(void)
{
	struct range r = { WILD + below(WILD_PAGES - 16), 1 + below(16) };
	int flags = any_map_flags(), prot = any_prot();
	int how = one_in(6) ? MAP_FIXED_NOREPLACE : MAP_FIXED;

	doing("mmap wild %u+%u%s%s %s", r.page, r.n, how == MAP_FIXED ? "" : " NOREPLACE",
	      map_flag_names(flags), prot_name(prot));
	finish_call((long)mmap(ADDRESS(r), LENGTH(r), prot,
			       MAP_PRIVATE | MAP_ANONYMOUS | how | flags, -1, 0));
}

static void op_munmap(void)
{
	struct range r = any_range();

	if (r.n > 8 && !one_in(4))
		r.n = 1 + below(8);
	doing("munmap %u+%u", r.page, r.n);
	finish_call(munmap(ADDRESS(r), LENGTH(r)));
}

static void op_mprotect(void)
{
	struct range r = any_range();
	int prot = any_prot();

	doing("mprotect %u+%u %s", r.page, r.n, prot_name(prot));
	finish_call(mprotect(ADDRESS(r), LENGTH(r), prot));
}

/* In place: the old range may span several areas. */
static void remap_in_place(struct range r)
{
	unsigned int limit = r.page / SLOT * SLOT + SLOT_LIMIT, n = 1 + below(r.n + 6);

	if (n > r.n && r.page + n > limit)
		n = 1 + below(r.n);
	doing("mremap %u+%u to %u", r.page, r.n, n);
	finish_call((long)mremap(ADDRESS(r), LENGTH(r), n * PAGE, 0));
}

static bool all_free(unsigned int page, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (area_at(page + i))
			return false;
	return true;
}

/* To another place among the slots: from inside one area, since only new kernels move several. */
static void remap_elsewhere(struct range r)
{
	unsigned int to = below(SLOTS * SLOT - 40), n = one_in(3) ? 1 + below(r.n + 4) : r.n;

	/* Growth may be refused: old kernels have then unmapped what lay at the new place, new ones have not. */
	if (n > r.n && !all_free(to, n))
		n = r.n;
	doing("mremap %u+%u to %u+%u", r.page, r.n, to, n);
	finish_call((long)mremap(ADDRESS(r), LENGTH(r), n * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
				 at(to)));
}

/* Only of unlocked memory, since newer kernels count a locked one twice; the old place is given up. */
static void remap_dontunmap(struct range r)
{
	unsigned int to = below(SLOTS * SLOT - 40);
	long ret;

	doing("mremap DONTUNMAP %u+%u to %u", r.page, r.n, to);
	ret = (long)mremap(ADDRESS(r), LENGTH(r), LENGTH(r),
			   MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, at(to));
	finish_call(ret);
	if (ret == -1)
		return;
	doing("munmap %u+%u, the old place", r.page, r.n);
	finish_call(munmap(ADDRESS(r), LENGTH(r)));
}

static void op_mremap(void)
{
	const struct area *a = any_area();
	struct range r;

	if (!a || !is_strict(a->start) || !range_in(a, &r))
		return op_mlock();
	if (one_in(2)) {
		r.n += one_in(8) ? 1 + below(4) : 0;
		remap_in_place(r);
	} else if (one_in(6) && !has_flag(a, "lo") && !strcmp(a->backing, "anon")) {
		remap_dontunmap(r);
	} else {
		remap_elsewhere(r);
	}
}

static void op_remap_file_pages(void)
{
	const struct area *a = any_area();
	struct range r;
	unsigned int offset = below(FILE_PAGES);
	int flags = one_in(3) ? MAP_NONBLOCK : 0;

	if (!range_in(a, &r))
		return op_mlock();
	doing("remap_file_pages %u+%u from %u%s", r.page, r.n, offset, flags ? " NONBLOCK" : "");
	finish_call(syscall(SYS_remap_file_pages, ADDRESS(r), LENGTH(r), 0, offset, flags));
}

static void op_brk(void)
{
	unsigned int n = below(HEAP_PAGES + 1);
	long want = (long)(heap + n * PAGE);

	doing("brk %u", n);
	finish(syscall(SYS_brk, want) == want ? "0" : "refused");
}

/* ---- advice ---- */

static bool all_writable(struct range r)
{
	for (unsigned int i = 0; i < nr_areas; i++)
		if (areas[i].start < r.page + r.n && areas[i].end > r.page &&
		    areas[i].perms[1] != 'w')
			return false;
	return true;
}

static void op_madvise(void)
{
	static const struct {
		int advice;
		const char *name;
	} all[] = { { MADV_DONTNEED, "DONTNEED" },
		    { MADV_DONTNEED, "DONTNEED" },
		    { MADV_DONTNEED_LOCKED, "DONTNEED_LOCKED" },
		    { MADV_DONTNEED_LOCKED, "DONTNEED_LOCKED" },
		    { MADV_WILLNEED, "WILLNEED" },
		    { MADV_DONTFORK, "DONTFORK" },
		    { MADV_DOFORK, "DOFORK" },
		    { MADV_REMOVE, "REMOVE" },
		    { MADV_RANDOM, "RANDOM" },
		    { MADV_NORMAL, "NORMAL" },
		    { 99, "99" } };
	unsigned int i = below(sizeof(all) / sizeof(all[0]));
	struct range r = any_range();

	/* What REMOVE does to a read-only shared mapping depends on the version. */
	while (all[i].advice == MADV_REMOVE && !all_writable(r))
		i = below(sizeof(all) / sizeof(all[0]));
	doing("madvise %u+%u %s", r.page, r.n, all[i].name);
	finish_call(madvise(ADDRESS(r), LENGTH(r), all[i].advice));
}

/* Without holes: what comes behind one depends on the version. */
static void op_populate(void)
{
	struct range r = any_range();
	unsigned int end = r.page;
	bool write = one_in(2);

	while (end < r.page + r.n && area_at(end))
		end++;
	r.n = end - r.page;
	doing("madvise %u+%u POPULATE_%s", r.page, r.n, write ? "WRITE" : "READ");
	finish_call(
		madvise(ADDRESS(r), LENGTH(r), write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ));
}

static void op_msync(void)
{
	static const int flags[] = { MS_ASYNC, MS_SYNC, MS_INVALIDATE, MS_INVALIDATE | MS_SYNC };
	struct range r = any_range();
	int i = (int)below(4);

	doing("msync %u+%u %x", r.page, r.n, flags[i]);
	finish_call(msync(ADDRESS(r), LENGTH(r), flags[i]));
}

static void op_mincore(void)
{
	static unsigned char vec[ARENA_PAGES];
	struct range r = any_range();
	char text[80] = "";
	int ret;

	doing("mincore %u+%u", r.page, r.n);
	ret = mincore(ADDRESS(r), LENGTH(r), vec);
	for (unsigned int i = 0; !ret && i < r.n && i < sizeof(text) - 1; i++)
		text[i] = vec[i] & 1 ? '1' : '0';
	finish(ret ? error_name(errno) : text);
}

/* ---- files ---- */

static void op_truncate(void)
{
	int file = (int)below(FILES);
	unsigned int n = one_in(3) ? below(FILE_PAGES) : FILE_PAGES;

	doing("ftruncate %c %u", 'a' + file, n);
	finish_call(ftruncate(files[file], (off_t)(n * PAGE)));
}

static void op_punch(void)
{
	int file = (int)below(FILES);
	unsigned int offset = below(FILE_PAGES), n = 1 + below(6);

	doing("punch %c %u+%u", 'a' + file, offset, n);
	finish_call(fallocate(files[file], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      (off_t)(offset * PAGE), (off_t)(n * PAGE)));
}

/* ---- touching ---- */

static sigjmp_buf fault_jump;
static volatile int fault_signal, fault_code;

static void on_fault(int sig, siginfo_t *si, void *context __attribute__((unused)))
{
	fault_signal = sig;
	fault_code = si->si_code;
	siglongjmp(fault_jump, 1);
}

/* One page; the value read, or the signal. */
static void touch(unsigned int page, bool write, char *text, size_t size)
{
	volatile unsigned char *p = (unsigned char *)at(page);

	if (sigsetjmp(fault_jump, 1)) {
		snprintf(text, size, "%s %d", fault_signal == SIGBUS ? "BUS" : "SEGV", fault_code);
		return;
	}
	if (write)
		*p = (unsigned char)(call_number + 1);
	snprintf(text, size, "%u", write ? 0 : *p);
}

static void op_touch(void)
{
	struct range r = any_range();
	bool write = !one_in(3);
	char text[200] = "";
	size_t used = 0;

	if (one_in(12))
		r.page = STACK - STACK_PAGES - 1 - below(20);
	if (r.n > 6)
		r.n = 1 + below(6);
	doing("%s %u+%u", write ? "write" : "read", r.page, r.n);
	for (unsigned int i = 0; i < r.n; i++) {
		char one[24];

		touch(r.page + i, write, one, sizeof(one));
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i ? "," : "",
					 one);
	}
	finish(text);
}

/* The kernel writes to the page: no signal, EFAULT. */
static void op_kernel_touch(void)
{
	struct range r = any_range();
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		give_up("/dev/zero");
	doing("read() into %u", r.page);
	n = read(fd, at(r.page) + 8, 8);
	close(fd);
	finish_call(n);
}

#endif

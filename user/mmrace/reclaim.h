/* SPDX-License-Identifier: MIT
 *
 * What reclaim brings into the race. Scenario "pageout": pages are advised away, locked, forked and used at the same
 * time. Beside all scenarios, when asked for: a process with more memory than there may be room for ("press"), and
 * one that switches a swap area on and off.
 */
#ifndef USER_MMRACE_RECLAIM_H
#define USER_MMRACE_RECLAIM_H

#include "race.h"

#include <sys/swap.h>

/* ---- pageout: nothing that goes is lost, unless somebody said that it may be ---- */

#define OUT_PAGES 32
enum out_kind { OUT_PRIVATE, OUT_SHARED, OUT_LOOSE, OUT_KINDS };
static char *out_area[OUT_KINDS];

static void out_set_up(void)
{
	for (int kind = 0; kind < OUT_KINDS; kind++) {
		int flags = (kind == OUT_SHARED ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS;

		out_area[kind] = mmap(NULL, OUT_PAGES * PAGE, RW, flags, -1, 0);
		must(out_area[kind] != MAP_FAILED, "mmap");
	}
}

/* What a worker alone writes, page by page; pages of OUT_LOOSE may be zero. */
struct out_words {
	uint64_t value[OUT_KINDS][OUT_PAGES];
};

static void out_check(const struct out_words *mine, int index, int kind, unsigned int page)
{
	uint64_t got = *word_of(out_area[kind] + page * PAGE, index);
	uint64_t want = mine->value[kind][page];

	if (got != want && !(kind == OUT_LOOSE && !got))
		fail("page %u of area %d holds %#lx, not %#lx", page, kind, (unsigned long)got,
		     (unsigned long)want);
}

static void out_advise(struct worker *w)
{
	static const int keeps[] = { MADV_PAGEOUT, MADV_PAGEOUT, MADV_COLD, MADV_WILLNEED };
	static const int loses[] = { MADV_FREE, MADV_FREE, MADV_DONTNEED };
	int kind = (int)below(w, OUT_KINDS);
	unsigned int page = below(w, OUT_PAGES), n = 1 + below(w, OUT_PAGES - page);
	bool lose = kind == OUT_LOOSE && one_in(w, 2);

	/* EINVAL: a part is locked. */
	may(madvise(out_area[kind] + page * PAGE, n * PAGE,
		    lose ? loses[below(w, 3)] : keeps[below(w, 4)]),
	    EINVAL, EAGAIN, "madvise");
}

static void out_lock(struct worker *w)
{
	unsigned int page = below(w, OUT_PAGES), n = 1 + below(w, OUT_PAGES - page);
	char *p = out_area[below(w, OUT_KINDS)] + page * PAGE;

	switch (below(w, 4)) {
	case 0:
		must(!mlock(p, n * PAGE), "mlock");
		break;
	case 1:
		must(!syscall(SYS_mlock2, p, n * PAGE, 1UL), "mlock2");
		break;
	default:
		must(!munlock(p, n * PAGE), "munlock");
		break;
	}
}

/* The child sees what its thread wrote, however much of it is away, and so do the others. */
static void out_fork(struct worker *w, const struct out_words *mine)
{
	int status;
	pid_t pid = fork();

	must(pid >= 0, "fork");
	if (!pid) {
		madvise(out_area[OUT_PRIVATE], OUT_PAGES * PAGE, MADV_PAGEOUT);
		for (unsigned int i = 0; i < OUT_PAGES; i++) {
			out_check(mine, w->index, OUT_PRIVATE, i);
			*word_of(out_area[OUT_PRIVATE] + i * PAGE, w->index) = ~0UL;
		}
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid, "waitpid");
	if (status)
		fail("a child ended with status %#x", (unsigned int)status);
}

static void out_work(struct worker *w)
{
	static struct out_words words[MAX_WORKERS];
	struct out_words *mine = &words[w->index];

	memset(mine, 0, sizeof(*mine));
	do {
		int kind = (int)below(w, OUT_KINDS);
		unsigned int page = below(w, OUT_PAGES);

		out_check(mine, w->index, kind, page);
		*word_of(out_area[kind] + page * PAGE, w->index) = ++mine->value[kind][page];
		if (one_in(w, 8))
			out_advise(w);
		if (one_in(w, 24))
			out_lock(w);
		if (one_in(w, 200))
			out_fork(w, mine);
	} while (step(w));
	for (int kind = 0; kind < OUT_KINDS; kind++)
		for (unsigned int i = 0; i < OUT_PAGES; i++)
			out_check(mine, w->index, kind, i);
}

/* ---- beside the scenarios ---- */

#define WINDOW 16 /* pages advised or locked at once */

/* Pages of a kind of their own each time they are written: which page, and how often. */
static void press_write(char *page, unsigned long nr, uint32_t turn)
{
	for (size_t i = 0; i < PAGE / 8; i += 64)
		((volatile uint64_t *)page)[i] = (uint64_t)nr << 32 | turn;
}

static void press_check(const char *page, unsigned long nr, uint32_t turn)
{
	for (size_t i = 0; i < PAGE / 8; i += 64) {
		uint64_t got = ((const volatile uint64_t *)page)[i];

		if (got != (turn ? (uint64_t)nr << 32 | turn : 0))
			fail("press: page %lu holds %#lx after write %u", nr, (unsigned long)got,
			     turn);
	}
}

enum { PRESS_PRIVATE, PRESS_SHARED, PRESS_FILE, PRESS_KINDS };

struct pressed {
	char *at;
	uint32_t *turns;     /* how often each page was written */
	unsigned long pages; /* and 8 * WINDOW more are there */
	int fd;
};

static void press_open(struct pressed *p, int kind, unsigned long pages, const char *file)
{
	int flags = kind == PRESS_PRIVATE  ? ANON
		    : kind == PRESS_SHARED ? MAP_SHARED | MAP_ANONYMOUS
					   : MAP_SHARED;

	p->fd = -1;
	p->pages = pages;
	if (kind == PRESS_FILE) {
		off_t size;

		p->fd = open(file, O_RDWR | O_CLOEXEC);
		size = lseek(p->fd, 0, SEEK_END);
		must(size > (off_t)(16 * WINDOW * PAGE), file);
		if (p->pages > (unsigned long)size / PAGE - 8 * WINDOW)
			p->pages = (unsigned long)size / PAGE - 8 * WINDOW;
	}
	p->at = mmap(NULL, (p->pages + 8 * WINDOW) * PAGE, RW, flags, p->fd, 0);
	p->turns = mmap(NULL, p->pages * sizeof(uint32_t), RW, ANON, -1, 0);
	must(p->at != MAP_FAILED && p->turns != MAP_FAILED, "mmap");
}

/* Once everything is there, most of what it uses is one eighth that moves on: it has a working set. */
static unsigned long press_next(struct worker *w, unsigned long pages, unsigned long n)
{
	if (n < pages)
		return n;
	if (one_in(w, 4))
		return below(w, (unsigned int)pages);
	return (n / 64 + below(w, (unsigned int)pages / 8)) % pages;
}

static void press_advise(struct worker *w, char *at)
{
	static const int advice[] = { MADV_PAGEOUT, MADV_COLD, MADV_WILLNEED };

	if (one_in(w, 3))
		may(madvise(at, WINDOW * PAGE, advice[below(w, 3)]), EINVAL, EAGAIN, "madvise");
	else if (one_in(w, 2))
		must(!syscall(SYS_mlock2, at, WINDOW * PAGE, one_in(w, 2) ? 1UL : 0UL), "mlock2");
	else
		must(!munlock(at, 8 * WINDOW * PAGE), "munlock");
}

/* What only a file has: its contents are the same through read(2), whatever was dropped or written back. */
static void press_file(struct worker *w, const struct pressed *p, unsigned long nr)
{
	char *page = p->at + nr * PAGE, copy[PAGE];
	off_t pos = (off_t)(nr * PAGE);

	switch (below(w, 6)) {
	case 0:
		must(!msync(page, WINDOW * PAGE, one_in(w, 2) ? MS_SYNC : MS_ASYNC), "msync");
		break;
	case 1:
		may(madvise(page, WINDOW * PAGE, MADV_DONTNEED), EINVAL, 0, "MADV_DONTNEED");
		break;
	case 2:
		must(!posix_fadvise(p->fd, pos, WINDOW * PAGE, POSIX_FADV_DONTNEED), "fadvise");
		break;
	case 3:
		press_write(copy, nr, ++p->turns[nr]);
		must(pwrite(p->fd, copy, PAGE, pos) == (ssize_t)PAGE, "pwrite");
		break;
	case 4:
		must(pread(p->fd, copy, PAGE, pos) == (ssize_t)PAGE, "pread");
		press_check(copy, nr, p->turns[nr]);
		break;
	default:
		if (one_in(w, 16))
			must(!fdatasync(p->fd), "fdatasync");
		break;
	}
}

static void press_page(struct worker *w, const struct pressed *p, unsigned long n)
{
	unsigned long nr = press_next(w, p->pages, n);
	char *page = p->at + nr * PAGE;

	/* What the file had does not count. */
	if (p->fd < 0 || p->turns[nr])
		press_check(page, nr, p->turns[nr]);
	if (one_in(w, 2) || !p->turns[nr])
		press_write(page, nr, ++p->turns[nr]);
	if (p->fd >= 0 && one_in(w, 16))
		press_file(w, p, nr);
	if (one_in(w, 64))
		press_advise(w, page);
}

/* While somebody looks at how memory is used. */
static void rest(void)
{
	if (!common->rest)
		return;
	common->resting++;
	while (common->rest && !common->end)
		sleep_us(1000);
	common->resting--;
}

/* Uses that much memory until `*end`: half private, half shared, and as much of the file, if there is one. */
__attribute__((noreturn)) static void press(unsigned long mib, const char *file,
					    const atomic_int *end)
{
	static struct pressed pressed[PRESS_KINDS];
	unsigned int kinds = file ? PRESS_KINDS : PRESS_FILE;
	struct worker w = { .rng = seed };

	for (unsigned int i = 0; i < kinds; i++)
		press_open(&pressed[i], (int)i, mib * 256 / 2, file);
	for (unsigned long n = 0; !*end; n++) {
		press_page(&w, &pressed[below(&w, kinds)], n);
		if (n % 64 == 0)
			sleep_us(below(&w, 2000));
		rest();
	}
	for (unsigned int i = 0; i < kinds; i++)
		for (unsigned long nr = 0; nr < pressed[i].pages; nr++)
			if (pressed[i].turns[nr])
				press_check(pressed[i].at + nr * PAGE, nr, pressed[i].turns[nr]);
	_exit(0);
}

/* mkswap: Linux's include/linux/swap.h, union swap_header. */
static void make_swap(const char *device)
{
	static char header[PAGE];
	uint32_t version = 1, last;
	int fd = open(device, O_RDWR | O_CLOEXEC);
	off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : -1;

	must(size >= (off_t)(16 * PAGE), device);
	last = (uint32_t)(size / (off_t)PAGE - 1);
	memcpy(header + 1024, &version, sizeof(version));
	memcpy(header + 1028, &last, sizeof(last));
	memcpy(header + PAGE - 10, "SWAPSPACE2", 10);
	must(pwrite(fd, header, PAGE, 0) == (ssize_t)PAGE && !fsync(fd), "mkswap");
	close(fd);
}

static void drop_caches(const char *what)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	must(fd >= 0 && write(fd, what, 1) == 1, "drop_caches");
	close(fd);
}

/* Switches the area on and off until `*end`; it is off then. There must be room elsewhere for what is in it. */
__attribute__((noreturn)) static void switch_swap(const char *device, const atomic_int *end)
{
	struct worker w = { .rng = seed + 1 };

	make_swap(device);
	while (!*end) {
		must(!swapon(device, SWAP_FLAG_PREFER | (int)below(&w, 8)), "swapon");
		for (unsigned int ms = below(&w, 3000); ms-- && !*end;) {
			sleep_us(1000);
			rest();
			if (one_in(&w, 1000))
				drop_caches("1");
		}
		for (int tries = 0; swapoff(device); tries++) {
			if (errno != ENOMEM || tries == 100)
				must(false, "swapoff");
			sleep_us(100000);
		}
	}
	_exit(0);
}

#endif

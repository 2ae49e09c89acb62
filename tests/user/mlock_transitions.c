/* SPDX-License-Identifier: MIT
 *
 * The state of a mapping, {unlocked, locked, locked on fault}, and what every operation makes of it.
 *
 * One row an operation, one cell a state before it. The mapping has four pages; the first is present, the
 * others are not. A cell is what a look at the window of eight pages from its start finds afterwards:
 *
 *	"LLLL 4 1 1 -"
 *	  |   | | | `- what a new mapping becomes: - unlocked, L locked, F locked on fault (mlockall's FUTURE)
 *	  |   | | `- pages of the window with the mlocked flag
 *	  |   | `- pages present in the window (Rss)
 *	  |   `- VmLck, less what is locked outside the window
 *	  `- each page: U unlocked, L locked, F locked on fault, - not mapped
 *
 * `mlock_transitions --markdown` prints the measured table; docs/lock-transitions.md is made of it.
 */
#include "lock.h"

#define PAGES 4UL
#define WINDOW 8UL

enum { U, L, F, STATES };
static const char *const state_names[] = { "unlocked", "locked", "locked on fault" };

enum kind { ANONYMOUS, SHARED_FILE, STACK, HEAP };

static char *area;    /* the mapping */
static char *window;  /* where to look afterwards */
static int area_fd;   /* SHARED_FILE: the file */
static int report_fd; /* where the outcome goes */
static bool reported; /* by somebody else: a child, the program after execve */

/* ---- the operations ---- */

#define WHOLE area, PAGES *PAGE

static void do_mlock(void)
{
	MUST(!mlock(WHOLE));
}

static void do_mlock2(void)
{
	MUST(!SYS(mlock2, area, PAGES * PAGE, 0));
}

static void do_onfault(void)
{
	MUST(!onfault(WHOLE));
}

static void do_munlock(void)
{
	MUST(!munlock(WHOLE));
}

static void do_munlockall(void)
{
	MUST(!munlockall());
}

#define DO_MLOCKALL(name, flags)                                                                   \
	static void do_##name(void)                                                                \
	{                                                                                          \
		MUST(!mlockall(flags));                                                            \
	}
DO_MLOCKALL(current, MCL_CURRENT)
DO_MLOCKALL(current_onfault, MCL_CURRENT | MCL_ONFAULT)
DO_MLOCKALL(future, MCL_FUTURE)
DO_MLOCKALL(future_onfault, MCL_FUTURE | MCL_ONFAULT)
DO_MLOCKALL(both, MCL_CURRENT | MCL_FUTURE)
DO_MLOCKALL(all_three, MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)

static void do_mprotect(int first, int then)
{
	MUST(!mprotect(WHOLE, first));
	if (then >= 0)
		MUST(!mprotect(WHOLE, then));
}

static void do_read_only(void)
{
	do_mprotect(PROT_READ, -1);
}

static void do_none(void)
{
	do_mprotect(PROT_NONE, -1);
}

static void do_writable_again(void)
{
	do_mprotect(PROT_READ, RW);
}

static void do_none_to_read(void)
{
	do_mprotect(PROT_NONE, PROT_READ);
}

static void do_none_to_writable(void)
{
	do_mprotect(PROT_NONE, RW);
}

static void replace(int flags)
{
	MUST(mmap(WHOLE, RW, ANON | MAP_FIXED | flags, -1, 0) == area);
}

static void do_fixed(void)
{
	replace(0);
}

static void do_fixed_locked(void)
{
	replace(MAP_LOCKED);
}

static void do_fixed_populate(void)
{
	replace(MAP_POPULATE);
}

static void do_munmap(void)
{
	MUST(!munmap(area + PAGE, PAGE));
}

static void do_grow(void)
{
	MUST(mremap(WHOLE, 6 * PAGE, 0) == area);
}

static void do_shrink(void)
{
	MUST(mremap(WHOLE, 2 * PAGE, 0) == area);
}

static void do_move(void)
{
	window = free_area(WINDOW);
	MUST(mremap(WHOLE, PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, window) == window);
}

static void do_dontunmap_old(void)
{
	do_move();
	MUST(mremap(window, PAGES * PAGE, PAGES * PAGE,
		    MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, area) == area);
}

static void do_dontunmap_new(void)
{
	do_dontunmap_old();
	window = area;
}

static void advise(int advice)
{
	if (madvise(WHOLE, advice))
		MUST(errno == EINVAL && advice == MADV_DONTNEED);
}

static void do_dontneed_locked(void)
{
	advise(MADV_DONTNEED_LOCKED);
}

static void do_dontneed(void)
{
	advise(MADV_DONTNEED);
}

static void do_willneed(void)
{
	advise(MADV_WILLNEED);
}

static void do_populate(void)
{
	advise(MADV_POPULATE_WRITE);
}

static void do_touch(void)
{
	store(area + 3 * PAGE, 1);
}

static void do_grow_stack(void)
{
	store(area - 4 * PAGE, 1);
}

static void do_truncate(void)
{
	MUST(!ftruncate(area_fd, 0));
}

static void do_remap_file_pages(void)
{
	MUST(!SYS(remap_file_pages, area, 2 * PAGE, 0, 2, 0));
}

static void do_brk(void)
{
	MUST(SYS(brk, area + 6 * PAGE) == (long)(area + 6 * PAGE));
}

static void report(void);

static void do_fork_child(void)
{
	pid_t pid = fork();

	MUST(pid >= 0);
	if (!pid) {
		report();
		_exit(0);
	}
	MUST(!wait_for(pid));
	reported = true;
}

static void do_fork_parent(void)
{
	pid_t pid = fork();

	MUST(pid >= 0);
	if (!pid)
		_exit(0);
	MUST(!wait_for(pid));
}

static void do_exec(void)
{
	char at[32], fd[32];

	snprintf(at, sizeof(at), "%p", (void *)window);
	snprintf(fd, sizeof(fd), "%d", report_fd);
	execl("/proc/self/exe", "mlock_transitions", "--report", at, fd, NULL);
	MUST(!"execl returned");
}

/* ---- the table ---- */

#define SAME(tail)                                                                                 \
	{                                                                                          \
		"UUUU---- 0 1 0 " tail, "LLLL---- 4 1 1 " tail, "FFFF---- 4 1 1 " tail             \
	}
#define EACH(cell)                                                                                 \
	{                                                                                          \
		cell, cell, cell                                                                   \
	}
#define LATEST 2 /* calls before the operation */

struct row {
	const char *name;
	enum kind kind;
	void (*op[1 + LATEST])(void);
	const char *cells[STATES];
	const char *newer[STATES]; /* Linux 6.15 and later, where different */
};

static const struct row rows[] = {
	/* clang-format off */
	{ "mlock", 0, { do_mlock }, EACH("LLLL---- 4 4 4 -"), {} },
	{ "mlock2(0)", 0, { do_mlock2 }, EACH("LLLL---- 4 4 4 -"), {} },
	{ "mlock2(ONFAULT)", 0, { do_onfault }, EACH("FFFF---- 4 1 1 -"), {} },
	{ "munlock", 0, { do_munlock }, EACH("UUUU---- 0 1 0 -"), {} },
	{ "mlockall(CURRENT)", 0, { do_current }, EACH("LLLL---- 4 4 4 -"), {} },
	{ "mlockall(CURRENT\\|ONFAULT)", 0, { do_current_onfault }, EACH("FFFF---- 4 1 1 -"), {} },
	{ "mlockall(FUTURE)", 0, { do_future }, SAME("L"), {} },
	{ "mlockall(FUTURE\\|ONFAULT)", 0, { do_future_onfault }, SAME("F"), {} },
	{ "mlockall(CURRENT\\|FUTURE)", 0, { do_both }, EACH("LLLL---- 4 4 4 L"), {} },
	{ "mlockall(CURRENT\\|FUTURE\\|ONFAULT)", 0, { do_all_three }, EACH("FFFF---- 4 1 1 F"), {} },
	{ "munlockall", 0, { do_munlockall }, EACH("UUUU---- 0 1 0 -"), {} },
	{ "mlockall(FUTURE), then mlockall(CURRENT)", 0, { do_future, do_current }, EACH("LLLL---- 4 4 4 -"), {} },
	{ "mlockall(FUTURE\\|ONFAULT), then mlockall(FUTURE)", 0, { do_future_onfault, do_future }, SAME("L"), {} },
	{ "mlockall(FUTURE), then munlockall", 0, { do_future, do_munlockall }, EACH("UUUU---- 0 1 0 -"), {} },
	{ "mlockall(FUTURE), then munlock", 0, { do_future, do_munlock }, EACH("UUUU---- 0 1 0 L"), {} },

	{ "write to an absent page", 0, { do_touch },
	  { "UUUU---- 0 2 0 -", "LLLL---- 4 2 2 -", "FFFF---- 4 2 2 -" }, {} },
	{ "mprotect to read-only", 0, { do_read_only }, SAME("-"), {} },
	{ "mprotect to none", 0, { do_none }, SAME("-"), {} },
	{ "mprotect from read-only to writable", 0, { do_writable_again },
	  { "UUUU---- 0 1 0 -", "LLLL---- 4 4 4 -", "FFFF---- 4 1 1 -" }, {} },
	{ "mprotect from none to writable", 0, { do_none_to_writable },
	  { "UUUU---- 0 1 0 -", "LLLL---- 4 4 4 -", "FFFF---- 4 1 1 -" }, {} },
	{ "mprotect from none to read-only", 0, { do_none_to_read }, SAME("-"), {} },

	{ "mmap(FIXED) over it", 0, { do_fixed }, EACH("UUUU---- 0 0 0 -"), {} },
	{ "mmap(FIXED\\|LOCKED) over it", 0, { do_fixed_locked }, EACH("LLLL---- 4 4 4 -"), {} },
	{ "mmap(FIXED\\|POPULATE) over it", 0, { do_fixed_populate }, EACH("UUUU---- 0 4 0 -"), {} },
	{ "mlockall(FUTURE), then mmap(FIXED)", 0, { do_future, do_fixed }, EACH("LLLL---- 4 4 4 L"), {} },
	{ "mlockall(FUTURE\\|ONFAULT), then mmap(FIXED)", 0, { do_future_onfault, do_fixed }, EACH("FFFF---- 4 0 0 F"), {} },
	{ "mlockall(FUTURE\\|ONFAULT), then mmap(FIXED\\|LOCKED)", 0, { do_future_onfault, do_fixed_locked },
	  EACH("FFFF---- 4 0 0 F"), {} },
	{ "mlockall(FUTURE\\|ONFAULT), then mmap(FIXED\\|POPULATE)", 0, { do_future_onfault, do_fixed_populate },
	  EACH("FFFF---- 4 0 0 F"), {} },
	{ "munmap of the second page", 0, { do_munmap },
	  { "U-UU---- 0 1 0 -", "L-LL---- 3 1 1 -", "F-FF---- 3 1 1 -" }, {} },

	{ "mremap, two pages longer", 0, { do_grow },
	  { "UUUUUU-- 0 1 0 -", "LLLLLL-- 6 3 3 -", "FFFFFF-- 6 1 1 -" }, {} },
	{ "mlockall(FUTURE), then mremap, two pages longer", 0, { do_future, do_grow },
	  { "UUUUUU-- 0 1 0 L", "LLLLLL-- 6 3 3 L", "FFFFFF-- 6 1 1 L" }, {} },
	{ "mremap, two pages shorter", 0, { do_shrink },
	  { "UU------ 0 1 0 -", "LL------ 2 1 1 -", "FF------ 2 1 1 -" }, {} },
	{ "mremap to another place", 0, { do_move }, SAME("-"), {} },
	{ "mremap(DONTUNMAP), the new place", 0, { do_dontunmap_new }, SAME("-"),
	  { NULL, "LLLL---- 8 1 1 -", "FFFF---- 8 1 1 -" } },
	{ "mremap(DONTUNMAP), the old place", 0, { do_dontunmap_old }, EACH("UUUU---- 0 0 0 -"),
	  { NULL, "UUUU---- 4 0 0 -", "UUUU---- 4 0 0 -" } },

	{ "madvise(DONTNEED), refused when locked", 0, { do_dontneed },
	  { "UUUU---- 0 0 0 -", "LLLL---- 4 1 1 -", "FFFF---- 4 1 1 -" }, {} },
	{ "madvise(DONTNEED_LOCKED)", 0, { do_dontneed_locked },
	  { "UUUU---- 0 0 0 -", "LLLL---- 4 0 0 -", "FFFF---- 4 0 0 -" }, {} },
	{ "madvise(DONTNEED_LOCKED), then mlock", 0, { do_dontneed_locked, do_mlock }, EACH("LLLL---- 4 4 4 -"), {} },
	{ "madvise(POPULATE_WRITE)", 0, { do_populate },
	  { "UUUU---- 0 4 0 -", "LLLL---- 4 4 4 -", "FFFF---- 4 4 4 -" }, {} },
	{ "madvise(WILLNEED)", 0, { do_willneed }, SAME("-"), {} },

	{ "fork, in the parent", 0, { do_fork_parent }, SAME("-"), {} },
	{ "fork, in the child", 0, { do_fork_child },
	  { "UUUU---- 0 1 0 -", "UUUU---- 0 1 1 -", "UUUU---- 0 1 1 -" }, {} },
	{ "mlockall(FUTURE), then fork, in the child", 0, { do_future, do_fork_child },
	  { "UUUU---- 0 1 0 -", "UUUU---- 0 1 1 -", "UUUU---- 0 1 1 -" }, {} },
	{ "execve", 0, { do_exec }, EACH("-------- 0 0 0 -"), {} },
	{ "mlockall(FUTURE), then execve", 0, { do_future, do_exec }, EACH("-------- 0 0 0 -"), {} },

	{ "a stack grows by four pages", STACK, { do_grow_stack },
	  { "UUUUUUUU 0 2 0 -", "LLLLLLLL 8 2 2 -", "FFFFFFFF 8 2 2 -" }, {} },
	{ "mlockall(FUTURE), then a stack grows", STACK, { do_future, do_grow_stack },
	  { "UUUUUUUU 0 2 0 L", "LLLLLLLL 8 2 2 L", "FFFFFFFF 8 2 2 L" }, {} },
	{ "brk, two pages more", HEAP, { do_brk },
	  { "UUUUUU-- 0 1 0 -", "LLLLUU-- 4 1 1 -", "FFFFUU-- 4 1 1 -" }, {} },
	{ "mlockall(FUTURE), then brk", HEAP, { do_future, do_brk },
	  { "UUUULL-- 2 3 2 L", "LLLLLL-- 6 3 3 L", "FFFFLL-- 6 3 3 L" }, {} },
	{ "mlockall(FUTURE\\|ONFAULT), then brk", HEAP, { do_future_onfault, do_brk },
	  { "UUUUFF-- 2 1 0 F", "LLLLFF-- 6 1 1 F", "FFFFFF-- 6 1 1 F" }, {} },
	{ "the file is truncated to nothing", SHARED_FILE, { do_truncate },
	  { "UUUU---- 0 0 0 -", "LLLL---- 4 0 0 -", "FFFF---- 4 0 0 -" }, {} },
	{ "remap_file_pages of two pages", SHARED_FILE, { do_remap_file_pages },
	  { "UUUU---- 0 2 0 -", "LLLL---- 4 2 2 -", "LLFF---- 4 2 2 -" }, {} },
	/* clang-format on */
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* ---- before and after ---- */

static void make_area(enum kind kind)
{
	if (kind == HEAP) {
		long b = (SYS(brk, 0) + (long)PAGE - 1) & -(long)PAGE;

		/* A page that stays outside keeps what is there already from merging. */
		MUST(SYS(brk, b + 5 * (long)PAGE) == b + 5 * (long)PAGE);
		MUST(!mprotect((char *)b, PAGE, PROT_READ));
		area = (char *)b + PAGE;
	} else if (kind == STACK) {
		char *at = free_area(512);

		area = mmap(at + 500 * PAGE, PAGES * PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, -1,
			    0);
		MUST(area == at + 500 * PAGE);
	} else if (kind == SHARED_FILE) {
		area_fd = tmp_file(PAGES * PAGE);
		area = mmap(free_area(16), PAGES * PAGE, RW, MAP_SHARED, area_fd, 0);
		MUST(area != MAP_FAILED);
	} else {
		area = map_at(free_area(16), PAGES * PAGE, RW);
	}
	window = kind == STACK ? area - 4 * PAGE : area;
}

/* In each state the first page is present, the others are not. */
static void enter_state(int state)
{
	store(area, 1);
	if (state == F)
		MUST(!onfault(WHOLE));
	if (state == L) {
		MUST(!mlock(WHOLE));
		MUST(!madvise(area + PAGE, 3 * PAGE, MADV_DONTNEED_LOCKED));
		/* A page unlocked in this CPU's batch and locked again meanwhile loses its flag on Linux. */
		drain_batches();
	}
	MUST(rss(area, PAGES) == 1);
}

static long flagged_mlocked(void)
{
	long n = 0;

	for (unsigned long i = 0; i < WINDOW; i++)
		n += !!(kpageflags(window + i * PAGE) & KPF_MLOCKED);
	return n;
}

/* What a mapping made now becomes, and whether it was populated as that state demands. */
static char new_mapping(void)
{
	char *p = map_anon(2 * PAGE, RW), letter = locks(p, 1)[0];
	bool there = resident(p, 2 * PAGE) == 2;

	munmap(p, 2 * PAGE);
	if (there != (letter == 'L'))
		return '!';
	return letter == 'U' ? '-' : letter;
}

static void report(void)
{
	bool see_flags = !access("/proc/kpageflags", R_OK);
	char text[64];
	long lck = vmlck() - locked_outside(window, WINDOW);
	int n;

	if (see_flags)
		drain_batches();
	n = snprintf(text, sizeof(text), "%s %ld %ld %ld %c", locks(window, WINDOW), lck,
		     rss(window, WINDOW), see_flags ? flagged_mlocked() : 0, new_mapping());
	MUST(write(report_fd, text, (size_t)n) == n);
}

/* The outcome as text, in one of three static buffers; "" when the child failed. */
static const char *measure(const struct row *row, int state)
{
	static char text[STATES][64];
	int fds[2];
	ssize_t n;
	pid_t pid;

	MUST(!pipe(fds));
	pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		report_fd = fds[1];
		make_area(row->kind);
		enter_state(state);
		for (int i = 0; i <= LATEST && row->op[i]; i++)
			row->op[i]();
		if (!reported)
			report();
		scratch_remove();
		_exit(0);
	}
	close(fds[1]);
	n = read(fds[0], text[state], sizeof(text[0]) - 1);
	close(fds[0]);
	text[state][wait_for(pid) || n < 0 ? 0 : n] = 0;
	return text[state];
}

static void check_row(void)
{
	static unsigned int next;
	const struct row *row = &rows[next++];

	for (int state = 0; state < STATES; state++) {
		const char *want = row->cells[state], *got = measure(row, state);

		if (row->newer[state] && kernel_at_least(6, 15))
			want = row->newer[state];
		if (strcmp(got, want))
			FAIL("%s, %s: \"%s\", want \"%s\"", row->name, state_names[state], got,
			     want);
	}
}

/* ---- as a page of the documentation ---- */

/* Where the running kernel is newer and differs, the older answer is printed: the page is the same everywhere. */
static void print_cell(const struct row *row, int state)
{
	const char *text = measure(row, state);
	char letters[WINDOW + 1] = "", future;
	long lck, present, flagged;
	size_t n;

	if (row->newer[state] && !strncmp(text, row->newer[state], WINDOW + 2))
		text = row->cells[state];
	MUST(sscanf(text, "%8s %ld %ld %ld %c", letters, &lck, &present, &flagged, &future) == 5);
	for (n = WINDOW; n && letters[n - 1] == '-'; n--)
		letters[n - 1] = 0;
	printf(n ? " `%s` %ld %ld |" : " gone |", letters, lck, present);
	if (state == STATES - 1)
		printf(" %s |\n", future == '-' ? "" : future == 'L' ? "L" : "F");
}

static int print_markdown(void)
{
	puts("| operation | from U | from L | from F | new mappings |\n|---|---|---|---|---|");
	for (size_t i = 0; i < ROWS; i++) {
		printf("| %s |", rows[i].name);
		for (int state = 0; state < STATES; state++) {
			fflush(stdout); /* a child must not print it again */
			print_cell(&rows[i], state);
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "--report")) {
		window = (char *)strtoul(argv[2], NULL, 0);
		report_fd = atoi(argv[3]);
		report();
		return 0;
	}
	if (argc == 2 && !strcmp(argv[1], "--markdown"))
		return print_markdown();
	for (size_t i = 0; i < ROWS; i++)
		test_register(rows[i].name, check_row, false);
	return run_tests();
}

/* SPDX-License-Identifier: MIT
 *
 * What every program in tests/user is made of: tests with names, checks that print what they saw,
 * KTAP on standard output, exit status 0 when all passed and 1 otherwise.
 *
 *	#include "test.h"
 *
 *	TEST(hint_is_honoured, "a free page-aligned hint is where the mapping goes")
 *	{
 *		CHECK_EQ(x, y);
 *	}
 *
 *	TEST_MAIN()
 *
 * One program, one behaviour. Two kinds of statement: MUST() is set-up, whose failure ends the program
 * with "Bail out!"; CHECK*() is the behaviour, whose failure makes the test "not ok" and goes on.
 * FORKED_TEST() runs its body in a child, for what changes the process for good (limits, ids, chroot);
 * a child that a signal ends is a failed test.
 *
 * SYS(mmap, ...) makes a system call without libc in between and returns -errno: musl and glibc check
 * some arguments themselves. CHECK_FAULT(statement, signal, code, address) demands that the statement
 * raises exactly that fault; CHECK_NO_FAULT(statement) that it raises none.
 *
 * The programs run on Linux as they are, as root, and must pass there: Linux is the referee. What
 * depends on the kernel version names both answers and the reason at the check.
 */
#ifndef TESTS_USER_TEST_H
#define TESTS_USER_TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE 4096UL
#define MIB (1024UL * 1024)
#define GIB (1024 * MIB)
#define USER_LIMIT 0x7ffffffff000UL /* one page below 2^47 */
#define KERNEL_ADDRESS 0xffff800000000000UL
#define NON_CANONICAL 0x0000900000000000UL
#define UNUSED __attribute__((unused))

/* Constants that an older libc may lack. */
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MADV_COLD
#define MADV_COLD 20
#define MADV_PAGEOUT 21
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#define MADV_KEEPONFORK 19
#endif
#ifndef SEGV_MAPERR
#define SEGV_MAPERR 1
#define SEGV_ACCERR 2
#endif
#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#define F_GET_SEALS 1034
#define F_SEAL_SEAL 1
#define F_SEAL_SHRINK 2
#define F_SEAL_GROW 4
#define F_SEAL_WRITE 8
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 16
#endif
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

/* ---- output ---- */

static int test_failures; /* failed checks of the test that runs now */
static bool test_skipped;
static int test_in_child; /* a failure is reported through the exit status */

__attribute__((format(printf, 1, 2))) static inline void say(const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(line) - 1)
		n = sizeof(line) - 1;
	if (write(1, line, n) != n)
		_exit(1);
}

static inline void scratch_remove(void);

__attribute__((format(printf, 1, 2), noreturn)) static inline void bail_out(const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	say("Bail out! %s\n", line);
	scratch_remove();
	_exit(1);
}

/* Set-up: must hold, or nothing that follows means anything. */
#define MUST(expr)                                                                                 \
	do {                                                                                       \
		if (!(expr))                                                                       \
			bail_out("%s:%d: %s (errno %d %s)", __FILE__, __LINE__, #expr, errno,      \
				 strerror(errno));                                                 \
	} while (0)

#define FAIL(fmt, ...)                                                                             \
	do {                                                                                       \
		test_failures++;                                                                   \
		say("# %s:%d: " fmt "\n", __FILE__, __LINE__, ##__VA_ARGS__);                      \
	} while (0)

#define CHECK(expr)                                                                                \
	do {                                                                                       \
		if (!(expr))                                                                       \
			FAIL("false: %s", #expr);                                                  \
	} while (0)

/* Equal as 64-bit integers or pointers. */
#define CHECK_EQ(got, want)                                                                        \
	do {                                                                                       \
		long got_ = (long)(got), want_ = (long)(want);                                     \
		if (got_ != want_)                                                                 \
			FAIL("%s is %ld (%#lx), want %s = %ld (%#lx)", #got, got_, got_, #want,    \
			     want_, want_);                                                        \
	} while (0)

/* lo <= got <= hi */
#define CHECK_RANGE(got, lo, hi)                                                                   \
	do {                                                                                       \
		long got_ = (long)(got), lo_ = (long)(lo), hi_ = (long)(hi);                       \
		if (got_ < lo_ || got_ > hi_)                                                      \
			FAIL("%s is %ld, want %ld to %ld", #got, got_, lo_, hi_);                  \
	} while (0)

/* A libc call that must fail with this errno. */
#define CHECK_ERR(call, want)                                                                      \
	do {                                                                                       \
		errno = 0;                                                                         \
		long got_ = (long)(call);                                                          \
		int e_ = errno;                                                                    \
		if (got_ != -1 || e_ != (want))                                                    \
			FAIL("%s is %ld errno %d (%s), want errno %d (%s)", #call, got_, e_,       \
			     strerror(e_), (want), strerror(want));                                \
	} while (0)

/* A libc call that must succeed (is not -1). */
#define CHECK_OK(call)                                                                             \
	do {                                                                                       \
		if ((long)(call) == -1)                                                            \
			FAIL("%s fails with errno %d (%s)", #call, errno, strerror(errno));        \
	} while (0)

#define CHECK_STR(got, want)                                                                       \
	do {                                                                                       \
		const char *got_ = (got), *want_ = (want);                                         \
		if (strcmp(got_, want_))                                                           \
			FAIL("%s is \"%s\", want \"%s\"", #got, got_, want_);                      \
	} while (0)

/* Only for what the machine lacks (a CPU feature); never for what the kernel lacks. */
#define SKIP(reason)                                                                               \
	do {                                                                                       \
		say("# skipped: %s\n", reason);                                                    \
		test_skipped = true;                                                               \
		return;                                                                            \
	} while (0)

/* ---- the list of tests and main ---- */

struct test {
	const char *name;
	void (*fn)(void);
	bool forked;
};

#define MAX_TESTS 64
static struct test test_list[MAX_TESTS];
static int test_count;

#define TEST_(id, desc, in_child)                                                                  \
	static void test_##id(void);                                                               \
	__attribute__((constructor)) static void register_##id(void)                               \
	{                                                                                          \
		if (test_count < MAX_TESTS)                                                        \
			test_list[test_count++] = (struct test){ desc, test_##id, in_child };      \
	}                                                                                          \
	static void test_##id(void)
#define TEST(id, desc) TEST_(id, desc, false)
#define FORKED_TEST(id, desc) TEST_(id, desc, true)

static inline pid_t fork_checked(void)
{
	pid_t pid = fork();

	MUST(pid >= 0);
	if (!pid) {
		test_in_child++;
		test_failures = 0;
	}
	return pid;
}

/* Ends a child with its count of failed checks as status. */
__attribute__((noreturn)) static inline void child_exit(void)
{
	scratch_remove();
	_exit(test_failures > 100 ? 100 : test_failures);
}

static inline int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		MUST(errno == EINTR);
	return status;
}

/* Waits for a child that ends with child_exit(); its failures become ours. */
static inline void reap_checked(pid_t pid)
{
	int status = wait_for(pid);

	if (WIFSIGNALED(status))
		FAIL("the child was killed by signal %d", WTERMSIG(status));
	else
		test_failures += WEXITSTATUS(status);
}

/* Runs the block that follows in a child: IN_CHILD { ... } and adds the child's failed checks. */
#define IN_CHILD                                                                                   \
	for (pid_t child_ = fork_checked(), once_ = 1; once_;                                      \
	     once_ = 0, child_ ? reap_checked(child_) : child_exit())                              \
		if (!child_)

static inline int run_tests(void)
{
	int failed = 0;

	say("KTAP version 1\n1..%d\n", test_count);
	for (int i = 0; i < test_count; i++) {
		const struct test *t = &test_list[i];

		test_failures = 0;
		test_skipped = false;
		if (t->forked) {
			pid_t pid = fork_checked();

			if (!pid) {
				t->fn();
				if (test_skipped && !test_failures)
					_exit(101);
				child_exit();
			}
			int status = wait_for(pid);

			if (WIFSIGNALED(status))
				FAIL("killed by signal %d", WTERMSIG(status));
			else if (WEXITSTATUS(status) == 101)
				test_skipped = true;
			else
				test_failures += WEXITSTATUS(status);
		} else {
			t->fn();
		}
		failed += !!test_failures;
		if (test_failures)
			say("not ok %d %s # %d failed checks\n", i + 1, t->name, test_failures);
		else
			say("ok %d %s%s\n", i + 1, t->name, test_skipped ? " # SKIP" : "");
	}
	scratch_remove();
	return failed ? 1 : 0;
}

#define TEST_MAIN()                                                                                \
	int main(void)                                                                             \
	{                                                                                          \
		return run_tests();                                                                \
	}

/* ---- system calls without libc ---- */

static inline long raw_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

#define SYS_(nr, a, b, c, d, e, f, ...)                                                            \
	raw_syscall(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
/* SYS(name, up to six arguments): the result, or -errno */
#define SYS(name, ...) SYS_(SYS_##name, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)

/* ---- faults ---- */

struct caught {
	int sig, code;
	unsigned long addr, err, trapno, rip;
};

static sigjmp_buf fault_jump;
static volatile struct caught fault_seen;
static char fault_stack[64 * 1024] __attribute__((aligned(16)));

static void fault_handler(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;

	fault_seen.sig = sig;
	fault_seen.code = si->si_code;
	fault_seen.addr = (unsigned long)si->si_addr;
	fault_seen.err = uc->uc_mcontext.gregs[REG_ERR];
	fault_seen.trapno = uc->uc_mcontext.gregs[REG_TRAPNO];
	fault_seen.rip = uc->uc_mcontext.gregs[REG_RIP];
	siglongjmp(fault_jump, 1);
}

static const int fault_signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };
#define NR_FAULT_SIGNALS 5
static struct sigaction fault_saved[NR_FAULT_SIGNALS];

static inline void faults_catch(void)
{
	stack_t ss = { .ss_sp = fault_stack, .ss_size = sizeof(fault_stack) };
	struct sigaction sa = { .sa_sigaction = fault_handler,
				.sa_flags = SA_SIGINFO | SA_ONSTACK };

	MUST(!sigaltstack(&ss, NULL));
	for (int i = 0; i < NR_FAULT_SIGNALS; i++)
		MUST(!sigaction(fault_signals[i], &sa, &fault_saved[i]));
	memset((void *)&fault_seen, 0, sizeof(fault_seen));
}

static inline void faults_release(void)
{
	stack_t ss = { .ss_flags = SS_DISABLE };

	for (int i = 0; i < NR_FAULT_SIGNALS; i++)
		MUST(!sigaction(fault_signals[i], &fault_saved[i], NULL));
	MUST(!sigaltstack(&ss, NULL));
}

/* Runs the statement; fault_seen then says which signal it raised (sig 0: none). */
#define CATCH(statement)                                                                           \
	do {                                                                                       \
		faults_catch();                                                                    \
		if (!sigsetjmp(fault_jump, 1)) {                                                   \
			statement;                                                                 \
		}                                                                                  \
		faults_release();                                                                  \
	} while (0)

#define CHECK_FAULT(statement, want_sig, want_code, want_addr)                                     \
	do {                                                                                       \
		CATCH(statement);                                                                  \
		if (fault_seen.sig != (want_sig) || fault_seen.code != (int)(want_code) ||         \
		    fault_seen.addr != (unsigned long)(want_addr))                                 \
			FAIL("%s: signal %d code %d address %#lx, want %d %d %#lx", #statement,    \
			     fault_seen.sig, fault_seen.code, fault_seen.addr, (want_sig),         \
			     (int)(want_code), (unsigned long)(want_addr));                        \
	} while (0)

#define CHECK_NO_FAULT(statement)                                                                  \
	do {                                                                                       \
		CATCH(statement);                                                                  \
		if (fault_seen.sig)                                                                \
			FAIL("%s: signal %d code %d address %#lx, want none", #statement,          \
			     fault_seen.sig, fault_seen.code, fault_seen.addr);                    \
	} while (0)

static inline unsigned char load(const volatile void *p)
{
	return *(const volatile unsigned char *)p;
}

static inline void store(volatile void *p, unsigned char v)
{
	*(volatile unsigned char *)p = v;
}

/* Calls the address as a function; writing "ret" there first makes the call harmless. */
static inline void jump_to(const volatile void *p)
{
	__asm__ volatile("call *%0"
			 :
			 : "r"(p)
			 : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory",
			   "cc");
}
#define RET_INSTRUCTION 0xc3

/* ---- memory ---- */

/* Private anonymous memory, untouched. */
static inline char *map_anon(size_t len, int prot)
{
	char *p = mmap(NULL, len, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	MUST(p != MAP_FAILED);
	return p;
}

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

/*
 * An area of `pages` pages that is free and has `pages` free pages on both sides, so that nothing
 * merges with a neighbour and what is mapped below or above can be counted.
 */
static inline char *free_area(size_t pages)
{
	char *p = map_anon(3 * pages * PAGE, PROT_NONE);

	MUST(!munmap(p, 3 * pages * PAGE));
	return p + pages * PAGE;
}

/* Maps at exactly this address, which is free. */
static inline char *map_at(void *at, size_t len, int prot)
{
	char *p = mmap(at, len, prot, ANON | MAP_FIXED_NOREPLACE, -1, 0);

	MUST(p == at);
	return p;
}

/* Pages of the range that mincore reports resident; -1 when part of it is not mapped. */
static inline long resident(void *p, size_t len)
{
	static unsigned char vec[65536];
	long n = 0;

	MUST(len / PAGE <= sizeof(vec));
	if (mincore(p, len, vec))
		return -1;
	for (size_t i = 0; i < (len + PAGE - 1) / PAGE; i++)
		n += vec[i] & 1;
	return n;
}

static inline long minor_faults(void)
{
	struct rusage ru;

	MUST(!getrusage(RUSAGE_SELF, &ru));
	return ru.ru_minflt;
}

/* ---- /proc ---- */

/* Reads a whole file into a static buffer, NUL-terminated. NULL when it cannot be opened. */
static inline char *slurp(const char *path)
{
	static char buf[512 * 1024];
	size_t n = 0;
	ssize_t r;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	while (n < sizeof(buf) - 1 && (r = read(fd, buf + n, sizeof(buf) - 1 - n)) > 0)
		n += r;
	close(fd);
	buf[n] = 0;
	return buf;
}

/* The number after "label" at the start of a line of a /proc file, or -1. */
static inline long proc_value(const char *path, const char *label)
{
	char *text = slurp(path);
	size_t len = strlen(label);

	for (char *line = text; line && *line;
	     line = strchr(line, '\n'), line = line ? line + 1 : NULL)
		if (!strncmp(line, label, len))
			return strtol(line + len, NULL, 10);
	return -1;
}

/* One line of /proc/self/maps. */
struct map {
	unsigned long start, end, offset, inode;
	unsigned int major, minor;
	char perms[5];
	char name[256];
};

/* Parses the line at *text and moves on; false at the end. */
static inline bool map_next(char **text, struct map *m)
{
	char *line = *text, *nl;
	int used = 0;

	if (!line || !*line)
		return false;
	nl = strchr(line, '\n');
	if (nl)
		*nl = 0;
	m->name[0] = 0;
	if (sscanf(line, "%lx-%lx %4s %lx %x:%x %lu %n", &m->start, &m->end, m->perms, &m->offset,
		   &m->major, &m->minor, &m->inode, &used) < 7)
		bail_out("cannot parse the maps line \"%s\"", line);
	snprintf(m->name, sizeof(m->name), "%s", line + used);
	*text = nl ? nl + 1 : NULL;
	return true;
}

/* The mapping that contains the address; false when none does. */
static inline bool map_find(const void *addr, struct map *m)
{
	char *text = slurp("/proc/self/maps");

	MUST(text);
	while (map_next(&text, m))
		if ((unsigned long)addr >= m->start && (unsigned long)addr < m->end)
			return true;
	return false;
}

/* How many mappings have a page in the range. Reads in pieces: there may be many thousand lines. */
static inline int maps_in(const void *addr, size_t len)
{
	static char buf[64 * 1024];
	unsigned long lo = (unsigned long)addr, hi = lo + len;
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC), count = 0;
	size_t have = 0;
	ssize_t r;

	MUST(fd >= 0);
	while ((r = read(fd, buf + have, sizeof(buf) - 1 - have)) > 0) {
		char *text = buf, *last;
		struct map m;

		have += r;
		buf[have] = 0;
		last = strrchr(buf, '\n');
		MUST(last);
		*last++ = 0;
		while (map_next(&text, &m))
			count += m.start < hi && m.end > lo;
		have -= last - buf;
		memmove(buf, last, have);
	}
	close(fd);
	return count;
}

/* The permissions at an address as in maps ("rw-p"), "" when nothing is mapped. */
static inline const char *perms_at(const void *addr)
{
	static struct map m;

	return map_find(addr, &m) ? m.perms : "";
}

/* The 64-bit entry of /proc/self/pagemap for the page; 0 when absent. */
#define PAGEMAP_PRESENT (1UL << 63)
#define PAGEMAP_FILE (1UL << 61)
#define PAGEMAP_EXCLUSIVE (1UL << 56)
#define PAGEMAP_PFN ((1UL << 55) - 1)
static inline uint64_t pagemap_entry(const volatile void *p)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	MUST(fd >= 0);
	MUST(pread(fd, &entry, 8, (unsigned long)p / PAGE * 8) == 8);
	close(fd);
	return entry;
}

static inline uint64_t pfn_of(const volatile void *p)
{
	uint64_t e = pagemap_entry(p);

	return e & PAGEMAP_PRESENT ? e & PAGEMAP_PFN : 0;
}

/* ---- files ---- */

static char scratch_path[64];
static pid_t scratch_owner; /* only the process that made it removes it */

/* A directory of this program's own on tmpfs, removed at the end. */
static inline const char *scratch_dir(void)
{
	if (!scratch_path[0]) {
		struct stat st;
		/* Where other users may search too. */
		const char *base =
			!stat("/dev/shm", &st) && (st.st_mode & S_IXOTH) ? "/dev/shm" : "/tmp";

		MUST(!mkdir(base, 01777) || errno == EEXIST);
		snprintf(scratch_path, sizeof(scratch_path), "%s/test.XXXXXX", base);
		MUST(mkdtemp(scratch_path));
		MUST(!chmod(scratch_path, 0755));
		scratch_owner = getpid();
	}
	return scratch_path;
}

static inline void remove_tree(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..") && unlinkat(fd, e->d_name, 0))
			remove_tree(fd, e->d_name);
	if (d)
		closedir(d);
	unlinkat(at, name, AT_REMOVEDIR);
}

static inline void scratch_remove(void)
{
	if (scratch_path[0] && scratch_owner == getpid()) {
		remove_tree(AT_FDCWD, scratch_path);
		scratch_path[0] = 0;
	}
}

/* "scratch directory/name" in one of 32 static buffers. */
static inline char *scratch(const char *name)
{
	static char paths[32][256];
	static int turn;
	char *p = paths[turn++ % 32];

	snprintf(p, sizeof(paths[0]), "%s/%s", scratch_dir(), name);
	return p;
}

/* A new file on tmpfs without a name; byte i is (i / PAGE + 1) in the first `len` bytes. */
static inline int tmp_file(size_t len)
{
	static int serial;
	char name[32], page[PAGE];
	char *path;
	int fd;

	snprintf(name, sizeof(name), "file%d", serial++);
	path = scratch(name);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	MUST(fd >= 0);
	MUST(!unlink(path));
	for (size_t at = 0; at < len; at += PAGE) {
		size_t n = len - at < PAGE ? len - at : PAGE;

		memset(page, (int)(at / PAGE + 1), sizeof(page));
		MUST(write(fd, page, n) == (ssize_t)n);
	}
	return fd;
}

/* Creates the named file with this content. */
static inline void write_file(const char *path, const void *data, size_t len, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	MUST(fd >= 0);
	MUST(write(fd, data, len) == (ssize_t)len);
	MUST(!fchmod(fd, mode));
	close(fd);
}

static inline void sleep_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

static inline int64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	MUST(!clock_gettime(clock, &ts));
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

#endif

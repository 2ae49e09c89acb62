/* SPDX-License-Identifier: MIT
 *
 * What the scenarios are made of: workers with a random sequence each, accesses that may fault, values that
 * say who wrote them, and the way to report what is wrong.
 */
#ifndef USER_MMRACE_RACE_H
#define USER_MMRACE_RACE_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../compat.h"
#include "../random.h"

#define PAGE 4096UL
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define MAX_WORKERS 32
#define MAX_SCENARIOS 16
#define CANARY_PAGES 2

struct worker {
	int index;
	uint64_t rng;
	unsigned long ops;
	char *canary; /* private pages that nobody else has a reason to touch */
	uint64_t canary_value;
	pthread_t thread;
};

struct scenario {
	const char *name, *what;
	void (*set_up)(void);		/* with one thread */
	void (*work)(struct worker *w); /* until `stop`; calls step() for each operation */
	void (*check)(void);		/* with one thread again; may be NULL */
};

/* Shared by all processes of the run. */
static struct common {
	pid_t beside[2];    /* what runs beside the scenarios, */
	atomic_int end;	    /* until then; */
	atomic_int rest;    /* it rests as long as this is set, */
	atomic_int resting; /* and so many of it do */
	_Atomic unsigned long ops[MAX_SCENARIOS];
} * common;

static const struct scenario *scenario;
static struct worker workers[MAX_WORKERS];
static int nr_workers;
static uint64_t seed;
static cpu_set_t cpus;
static atomic_int stop;
static pthread_barrier_t meeting; /* of all workers, where a scenario wants one */

/* ---- failure ---- */

__attribute__((format(printf, 1, 2), noreturn)) static void fail(const char *fmt, ...)
{
	char line[400];
	va_list ap;
	int n;

	n = snprintf(line, sizeof(line),
		     "mmrace: FAILED in %s (--seed %lu): ", scenario ? scenario->name : "main",
		     (unsigned long)seed);
	va_start(ap, fmt);
	n += vsnprintf(line + n, sizeof(line) - n - 2, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	/* One write: threads and processes fail at the same time. */
	if (write(1, line, n) != n)
		_exit(2);
	_exit(1);
}

/* What must work whatever the others do. */
static void must(bool ok, const char *what)
{
	if (!ok)
		fail("%s: errno %d (%s)", what, errno, strerror(errno));
}

/* A call that may succeed or end with one of two errors. */
static void may(long ret, int err1, int err2, const char *what)
{
	if (ret == -1 && errno != err1 && errno != err2)
		fail("%s: errno %d (%s)", what, errno, strerror(errno));
}

/* ---- randomness ---- */

static unsigned int below(struct worker *w, unsigned int n)
{
	return (unsigned int)(next_random(&w->rng) % n);
}

static bool one_in(struct worker *w, unsigned int n)
{
	return below(w, n) == 0;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void sleep_us(long us)
{
	struct timespec ts = { 0, us * 1000 };

	nanosleep(&ts, NULL);
}

/* ---- values that say who wrote them ---- */

#define TAG_MAGIC 0x6d72616365UL /* "mrace" */

static uint64_t tag(int worker, unsigned int page)
{
	return TAG_MAGIC << 24 | (uint64_t)worker << 16 | page;
}

/* Each worker writes to a word of its own in every page. */
static volatile uint64_t *word_of(char *page, int worker)
{
	return (volatile uint64_t *)page + 8 + worker * 8;
}

/* What a worker's word may hold: nothing yet, or that worker's tag (for this page, or for any: -1). */
static void check_tag(uint64_t value, int worker, int page)
{
	if (value && (value >> 16 != tag(worker, 0) >> 16 ||
		      (page >= 0 && (value & 0xffff) != (unsigned int)page)))
		fail("worker %d's word in page %d holds %#lx", worker, page, (unsigned long)value);
}

/* ---- accesses that may fault ---- */

static __thread sigjmp_buf back;
static __thread volatile bool guarded;
static __thread volatile int fault_signal;

static void on_fault(int sig, siginfo_t *si, void *context)
{
	(void)context;
	if (!guarded)
		fail("signal %d code %d at %p", sig, si->si_code, si->si_addr);
	guarded = false;
	fault_signal = sig;
	siglongjmp(back, 1);
}

/* 0, or the signal. */
static int try_load(volatile uint64_t *p, uint64_t *value)
{
	if (sigsetjmp(back, 0))
		return fault_signal;
	guarded = true;
	*value = *p;
	guarded = false;
	return 0;
}

static int try_store(volatile uint64_t *p, uint64_t value)
{
	if (sigsetjmp(back, 0))
		return fault_signal;
	guarded = true;
	*p = value;
	guarded = false;
	return 0;
}

static void catch_faults(void)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };

	must(!sigaction(SIGSEGV, &sa, NULL) && !sigaction(SIGBUS, &sa, NULL), "sigaction");
}

/* ---- workers ---- */

/*
 * Pages that are mapped, filled, and must stay as they are while everybody else's frames come and go. The
 * place stays the same, so that they never land in a hole that another worker has just made.
 */
static void canary_new(struct worker *w)
{
	int flags = ANON | (w->canary ? MAP_FIXED : 0);

	w->canary = mmap(w->canary, CANARY_PAGES * PAGE, RW, flags, -1, 0);
	must(w->canary != MAP_FAILED, "mmap");
	w->canary_value = next_random(&w->rng);
	for (size_t i = 0; i < CANARY_PAGES * PAGE / 8; i++) {
		uint64_t *word = (uint64_t *)w->canary + i;

		if (*word)
			fail("a new page holds %#lx", (unsigned long)*word);
		*word = w->canary_value + i;
	}
}

static void canary_check(const struct worker *w)
{
	for (size_t i = 0; i < CANARY_PAGES * PAGE / 8; i++) {
		uint64_t got = ((volatile uint64_t *)w->canary)[i];

		if (got != w->canary_value + i)
			fail("word %zu of a private page holds %#lx, not %#lx", i,
			     (unsigned long)got, (unsigned long)(w->canary_value + i));
	}
}

/* To one CPU, or free to run anywhere. */
static void wander(struct worker *w)
{
	cpu_set_t set = cpus;
	int n = (int)below(w, (unsigned int)CPU_COUNT(&cpus));

	if (!one_in(w, 3)) {
		CPU_ZERO(&set);
		for (int cpu = 0;; cpu++)
			if (CPU_ISSET(cpu, &cpus) && !n--) {
				CPU_SET(cpu, &set);
				break;
			}
	}
	must(!sched_setaffinity(0, sizeof(set), &set), "sched_setaffinity");
}

/* After each operation: false when it is time to end. */
static bool step(struct worker *w)
{
	w->ops++;
	if (w->ops % 64 == 0)
		canary_check(w);
	if (w->ops % 256 == 0) {
		canary_new(w);
		wander(w);
	}
	return !stop;
}

#endif

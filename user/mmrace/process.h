/* SPDX-License-Identifier: MIT
 *
 * Scenarios about processes and threads: "exit-fault" (processes that end while their threads fault and map),
 * "heap-stack" (one heap and one growing stack for all), "futex" (two threads that wake each other in turn),
 * "threads" (threads that come and go).
 */
#ifndef USER_MMRACE_PROCESS_H
#define USER_MMRACE_PROCESS_H

#include "race.h"

#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
#define FUTEX_PRIVATE_FLAG 128

/* ---- exit-fault ---- */

#define VICTIM_THREADS 3
#define VICTIM_PAGES 64
static char *victim_area;

/* Until the process ends. */
static void *victim_thread(void *arg)
{
	struct worker w = { .index = (int)(long)arg, .rng = seed + (uint64_t)(long)arg };

	for (;;) {
		char *p = victim_area + below(&w, VICTIM_PAGES) * PAGE;

		if (one_in(&w, 16))
			madvise(p, PAGE, MADV_DONTNEED);
		*word_of(p, w.index) = tag(w.index, 0);
		if (one_in(&w, 8)) {
			p = mmap(NULL, 8 * PAGE, RW, ANON | (one_in(&w, 2) ? MAP_POPULATE : 0), -1,
				 0);
			if (p != MAP_FAILED) {
				memset(p, w.index, 8 * PAGE);
				munmap(p, 8 * PAGE);
			}
		}
	}
	return NULL;
}

enum victim_end { BY_KILL, BY_EXIT, BY_FAULT, BY_EXEC, VICTIM_ENDS };

__attribute__((noreturn)) static void victim(enum victim_end end, long us)
{
	static volatile char *volatile nowhere = (volatile char *)8;
	char *argv[] = { "mmrace", "--version", NULL };

	signal(SIGSEGV, SIG_DFL);
	for (long i = 0; i < VICTIM_THREADS; i++) {
		pthread_t t;

		if (pthread_create(&t, NULL, victim_thread, (void *)(i + 1)))
			_exit(60);
	}
	sleep_us(us);
	if (end == BY_EXIT)
		_exit(61);
	if (end == BY_FAULT)
		*nowhere = 1;
	if (end == BY_EXEC)
		execve("/proc/self/exe", argv, argv + 2);
	victim_thread(NULL);
	_exit(62);
}

static void exit_set_up(void)
{
	victim_area = mmap(NULL, VICTIM_PAGES * PAGE, RW, ANON, -1, 0);
	must(victim_area != MAP_FAILED, "mmap");
	memset(victim_area, 1, VICTIM_PAGES / 2 * PAGE); /* half of it is copied on write */
}

static void exit_work(struct worker *w)
{
	static const int expected[VICTIM_ENDS] = { SIGKILL, 61 << 8, SIGSEGV, 0 };

	do {
		enum victim_end end = below(w, VICTIM_ENDS);
		long us = below(w, 3000);
		int status;
		pid_t pid = fork();

		must(pid >= 0, "fork");
		if (!pid)
			victim(end, us);
		if (end == BY_KILL) {
			sleep_us(us);
			must(!kill(pid, SIGKILL), "kill");
		}
		must(waitpid(pid, &status, 0) == pid, "waitpid");
		if ((status & 0xff7f) != expected[end])
			fail("a process that should end with status %#x ended with %#x",
			     (unsigned int)expected[end], (unsigned int)status);
	} while (step(w));
}

/* ---- heap-stack ---- */

#define HEAP_PAGES 40
#define STACK_PAGES 200
static char *heap, *stack_top;
static bool stack_end;

static void heap_set_up(void)
{
	heap = (char *)((syscall(SYS_brk, 0) + (long)PAGE - 1) & -(long)PAGE);
	must(!pthread_barrier_init(&meeting, NULL, (unsigned int)nr_workers), "barrier");
	stack_top = mmap(NULL, 16 * STACK_PAGES * PAGE, PROT_NONE, ANON, -1, 0);
	must(stack_top != MAP_FAILED, "mmap");
	must(!munmap(stack_top, 16 * STACK_PAGES * PAGE), "munmap");
	stack_top += 8 * STACK_PAGES * PAGE;
}

/* All move the one break; what is above it may fault, what is below is zero or the owner's. */
static void heap_turn(struct worker *w)
{
	unsigned int page = below(w, HEAP_PAGES);
	int other = (int)below(w, (unsigned int)nr_workers);
	uint64_t value;

	if (one_in(w, 4))
		syscall(SYS_brk, heap + below(w, HEAP_PAGES + 1) * PAGE);
	if (!try_load(word_of(heap + page * PAGE, other), &value))
		check_tag(value, other, (int)page);
	try_store(word_of(heap + page * PAGE, w->index), tag(w->index, page));
}

/* All touch below one mapping that grows downwards: each access must find it grown. False: the last time. */
static bool stack_turn(struct worker *w)
{
	bool last;

	if (!w->index) {
		void *p = mmap(stack_top - PAGE, PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, -1, 0);

		must(p == stack_top - PAGE, "mmap of a stack");
		stack_end = stop;
	}
	pthread_barrier_wait(&meeting);
	last = stack_end;
	for (unsigned int i = 0; i < 20; i++) {
		unsigned int page = 1 + below(w, STACK_PAGES);
		char *p = stack_top - page * PAGE;

		check_tag(*word_of(p, w->index), w->index, (int)page);
		*word_of(p, w->index) = tag(w->index, page);
	}
	pthread_barrier_wait(&meeting);
	if (!w->index)
		must(!munmap(stack_top - (STACK_PAGES + 1) * PAGE, (STACK_PAGES + 1) * PAGE),
		     "munmap of a stack");
	return !last;
}

static void heap_work(struct worker *w)
{
	do {
		for (int i = 0; i < 50; i++) {
			heap_turn(w);
			step(w);
		}
	} while (stack_turn(w));
}

/* ---- futex ---- */

static struct pair {
	_Atomic uint32_t ball; /* odd: the second worker's turn */
	char pad[124];
} pairs[MAX_WORKERS];
#define LAST_BALL 0xffffffffU

static long futex(_Atomic uint32_t *word, int op, uint32_t value, const struct timespec *ts)
{
	return syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, ts, NULL, 0);
}

static void futex_set_up(void)
{
	memset(pairs, 0, sizeof(pairs));
}

/* A worker without a partner: time-outs. */
static void futex_alone(struct worker *w)
{
	do {
		struct timespec ts = { 0, below(w, 200000) };

		may(futex(&pairs[w->index / 2].ball, FUTEX_WAIT, 0, &ts), ETIMEDOUT, 0,
		    "FUTEX_WAIT");
	} while (step(w));
}

static void futex_work(struct worker *w)
{
	struct pair *p = &pairs[w->index / 2];
	uint32_t me = (uint32_t)w->index & 1, ball;

	if (!me && w->index + 1 == nr_workers) {
		futex_alone(w);
		return;
	}
	for (;;) {
		/* Ten seconds: nobody is that slow, the wake-up was lost. */
		struct timespec ts = { 10, 0 };

		while ((ball = p->ball) != LAST_BALL && (ball & 1) != me)
			if (futex(&p->ball, FUTEX_WAIT, ball, &ts) && errno == ETIMEDOUT)
				fail("a wake-up was lost: worker %d still waits for ball %u, which is %u",
				     w->index, ball, p->ball);
		if (ball == LAST_BALL)
			return;
		p->ball = !step(w) && !me ? LAST_BALL : ball + 1;
		futex(&p->ball, FUTEX_WAKE, 1, NULL);
		if (p->ball == LAST_BALL)
			return;
	}
}

/* ---- threads ---- */

static __thread uint64_t thread_local[64];

static void *short_life(void *arg)
{
	char *p = mmap(NULL, 2 * PAGE, RW, ANON, -1, 0);
	uint64_t sum = 0;

	for (size_t i = 0; i < 64; i++) {
		sum += thread_local[i]; /* zero in every new thread */
		thread_local[i] = (uint64_t)arg;
	}
	if (p == MAP_FAILED)
		return (void *)-1;
	memset(p, (int)(long)arg, 2 * PAGE);
	for (size_t i = 0; i < 64; i++)
		sum += thread_local[i] - (uint64_t)arg;
	sum += (uint64_t)((unsigned char)p[PAGE] - ((uint64_t)arg & 0xff));
	munmap(p, 2 * PAGE);
	return (void *)sum;
}

static void threads_set_up(void)
{
}

static void threads_work(struct worker *w)
{
	do {
		pthread_t t[4];
		void *sum;

		for (long i = 0; i < 4; i++)
			must(!pthread_create(&t[i], NULL, short_life, (void *)(long)below(w, 256)),
			     "pthread_create");
		for (int i = 0; i < 4; i++) {
			pthread_join(t[i], &sum);
			if (sum)
				fail("a thread found %p in memory of its own", sum);
		}
	} while (step(w));
}

#endif

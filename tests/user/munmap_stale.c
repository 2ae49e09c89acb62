/* SPDX-License-Identifier: MIT
 *
 * One thread takes a page away, others touch it all the time: after the system call has returned nobody
 * may reach the page through a translation that his CPU remembers.
 *
 * A round: the changer maps the page, writes it and publishes its sequence number, THERE; when each toucher,
 * on a CPU of its own, has used the page, so that its CPU knows the translation, the changer publishes GOING,
 * takes the page away, and publishes GONE. It then maps a page elsewhere, which most likely gets the frame
 * that was just freed, and fills it with a pattern. Touchers read the number before and after each access:
 * the same number of a page that is GONE, yet no fault, is a stale access. When each toucher has tried, the
 * pattern must be whole.
 *
 * What each variant catches:
 *	munmap, mremap	a kernel that does not flush other CPUs, flushes after it frees, or returns before
 *			they have acknowledged; one that skips a CPU whose thread runs in user mode
 *	PROT_NONE, PROT_READ	one that flushes only where entries are cleared, not where rights are taken
 *	DONTNEED	one that forgets madvise, where the vma stays and a fault brings zeroes
 *	MAP_FIXED	one that flushes for munmap alone, so that the old page shines through the new mapping
 *	fork		one that write-protects the parent's entries for copy-on-write without a flush:
 *			the parent's other threads then write into pages the child has by now
 * With one CPU the same is true of the own TLB and of the switch between threads.
 *
 * munmap_stale ROUNDS [VARIANT]: how many, and of which alone. MUNMAP_STALE_ROUNDS in the environment is the
 * first of them too.
 */
#include "crew.h"

#define MAX_TOUCHERS 3
#define PATTERN 0x5a5aa5a5deadbeefUL
#define WORDS (PAGE / 8)

static long rounds = 100;
static const char *only;	/* this variant, NULL: all */
static volatile uint64_t *spot; /* word 0 is the changer's, word 1 + i toucher i's */
/* 4 * round + state; ~0: the end */
enum { THERE, GOING, GONE };
static _Atomic uint64_t sequence;
static int touchers;

static struct toucher {
	_Atomic uint64_t seen; /* the number under which it made its latest access */
	long touched, lost, stale, refused;
} __attribute__((aligned(128))) touched_by[MAX_TOUCHERS];

/* ---- accesses ---- */

static __thread sigjmp_buf back;

static void on_fault(int sig UNUSED)
{
	siglongjmp(back, 1);
}

/* False when it faults. */
static bool try_store(volatile uint64_t *p, uint64_t value)
{
	if (sigsetjmp(back, 0))
		return false;
	*p = value;
	return true;
}

static bool try_load(volatile uint64_t *p, volatile uint64_t *value)
{
	if (sigsetjmp(back, 0))
		return false;
	*value = *p;
	return true;
}

/* ---- what the variants differ in ---- */

struct variant {
	const char *name;
	void (*give)(uint64_t number); /* the page is there, word 0 holds the number */
	void (*take)(uint64_t number); /* what is under test; the number is GONE's */
	/* A toucher's try when it is GONE: true when it saw or did what it must not. */
	bool (*stale)(int me, uint64_t number);
};

static const struct variant *now_testing;

static void map_spot(uint64_t number)
{
	MUST(mmap((void *)spot, PAGE, RW, ANON | MAP_FIXED, -1, 0) == spot);
	spot[0] = number;
}

static bool access_works(int me, uint64_t number)
{
	volatile uint64_t value;

	/* Now a load first, now a store: both may be remembered by themselves. */
	if (number & 4 && try_load(spot, &value))
		return true;
	return try_store(spot + 1 + me, number) || try_load(spot, &value);
}

static bool store_works(int me, uint64_t number)
{
	return try_store(spot + 1 + me, number);
}

/* The page is another one now, and readable. */
static bool old_value(int me, uint64_t number)
{
	volatile uint64_t value = 0;

	return !try_load(spot, &value) || !try_store(spot + 1 + me, number) ||
	       value == number - GONE;
}

static void take_unmap(uint64_t number UNUSED)
{
	MUST(!munmap((void *)spot, PAGE));
}

static void give_back(uint64_t number)
{
	MUST(!mprotect((void *)spot, PAGE, RW));
	spot[0] = number;
}

static void take_all_rights(uint64_t number UNUSED)
{
	MUST(!mprotect((void *)spot, PAGE, PROT_NONE));
}

static void take_write_right(uint64_t number UNUSED)
{
	MUST(!mprotect((void *)spot, PAGE, PROT_READ));
}

static volatile uint64_t *away;
static uint64_t moved[WORDS];

/* Back where it was, with what it held when it went. */
static void give_move(uint64_t number)
{
	if (number > 4) {
		if (memcmp((void *)away, moved, sizeof(moved)))
			touched_by[0].stale++;
		MUST(mremap((void *)away, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, spot) == spot);
	} else {
		map_spot(number);
	}
	spot[0] = number;
}

static void take_move(uint64_t number UNUSED)
{
	MUST(mremap((void *)spot, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, away) == away);
	memcpy(moved, (void *)away, sizeof(moved));
}

static void write_spot(uint64_t number)
{
	spot[0] = number;
}

static void take_contents(uint64_t number UNUSED)
{
	MUST(!madvise((void *)spot, PAGE, MADV_DONTNEED));
}

/* By a page that has its frame already: a new one would get the very frame that is freed. */
static void take_by_another(uint64_t number)
{
	static int fd = -1;

	if (fd < 0)
		fd = tmp_file(PAGE);
	MUST(mmap((void *)spot, PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 0) == spot);
	spot[0] = number;
}

/* ---- the threads ---- */

static void touch(struct toucher *t, int me, uint64_t before)
{
	volatile uint64_t value = before;

	if (before % 4 == GONE) {
		bool stale = now_testing->stale(me, before);

		t->stale += stale;
		t->refused += !stale;
	} else {
		bool worked = try_load(spot, &value) && try_store(spot + 1 + me, before);

		/* There all the time: it must work, and show what the changer wrote. */
		if (before % 4 == THERE && sequence == before) {
			t->lost += !worked || value != before;
			t->touched++;
		}
	}
}

static void *toucher(void *arg)
{
	int me = (int)(long)arg;
	struct toucher *t = &touched_by[me];
	unsigned int n = 0;
	uint64_t before;

	MUST(!pin(0, nth_cpu(1 + me)));
	while ((before = sequence) != ~0UL) {
		if (!before) {
			sched_yield();
			continue;
		}
		touch(t, me, before);
		t->seen = before;
		/* Until it is gone go on touching, now and then from a CPU that was idle; then one try is enough. */
		if (before % 4 == GONE)
			SPIN_UNTIL(sequence != before);
		else
			spin_step(++n % 2000);
	}
	return NULL;
}

static void wait_for_touchers(uint64_t number)
{
	for (int i = 0; i < touchers; i++)
		SPIN_UNTIL(touched_by[i].seen == number);
}

/* Most likely the frame that was freed a moment ago; false when somebody wrote to it. */
static bool reuse_frame(uint64_t number)
{
	uint64_t *p = mmap(NULL, PAGE, RW, ANON | MAP_POPULATE, -1, 0);
	bool whole = true;

	MUST(p != MAP_FAILED);
	for (size_t i = 0; i < WORDS; i++)
		p[i] = PATTERN ^ i;
	wait_for_touchers(number);
	for (size_t i = 0; i < WORDS; i++)
		whole &= p[i] == (PATTERN ^ i);
	MUST(!munmap(p, PAGE));
	return whole;
}

static void set_up(const char *name)
{
	struct sigaction sa = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };

	MUST(!sigaction(SIGSEGV, &sa, NULL));
	if (!spot) {
		spot = (void *)free_area(1);
		map_at((void *)spot, PAGE, RW);
		away = (void *)free_area(1);
		map_at((void *)away, PAGE, RW);
	}
	touchers = cpu_count() - 1;
	touchers = touchers < 1 ? 1 : touchers > MAX_TOUCHERS ? MAX_TOUCHERS : touchers;
	memset(touched_by, 0, sizeof(touched_by));
	sequence = 0;
	MUST(!pin(0, nth_cpu(0)));
	watchdog(rounds > 1000 ? 0 : 100, name);
}

static void run(const struct variant *v)
{
	pthread_t threads[MAX_TOUCHERS];
	long touched = 0, lost = 0, stale = 0, refused = 0, overwritten = 0;

	if (only && strcmp(only, v->name))
		SKIP("another variant was asked for");
	set_up(v->name);
	now_testing = v;
	for (long i = 0; i < touchers; i++)
		threads[i] = start(toucher, (void *)i);
	for (uint64_t number = 4; number <= 4 * (uint64_t)rounds; number += 4) {
		v->give(number);
		sequence = number;
		wait_for_touchers(number);
		sequence = number + GOING;
		v->take(number + GONE);
		sequence = number + GONE;
		overwritten += !reuse_frame(number + GONE);
	}
	sequence = ~0UL;
	for (int i = 0; i < touchers; i++) {
		finish(threads[i]);
		touched += touched_by[i].touched;
		lost += touched_by[i].lost;
		stale += touched_by[i].stale;
		refused += touched_by[i].refused;
	}
	say("# %s: %ld rounds, %ld stale accesses; %ld before, %ld refused, %d touchers\n", v->name,
	    rounds, stale, touched, refused, touchers);
	CHECK_EQ(stale, 0);
	CHECK_EQ(overwritten, 0);
	CHECK_EQ(lost, 0);
	CHECK_EQ(refused, rounds * touchers);
	watchdog(0, NULL);
	signal(SIGSEGV, SIG_DFL);
	unpin();
	map_spot(0);
}

TEST(unmap, "munmap: no access after it")
{
	static const struct variant v = { "munmap", map_spot, take_unmap, access_works };

	run(&v);
}

TEST(none, "mprotect to PROT_NONE: no access after it")
{
	static const struct variant v = { "PROT_NONE", give_back, take_all_rights, access_works };

	run(&v);
}

TEST(read_only, "mprotect to PROT_READ: no write after it")
{
	static const struct variant v = { "PROT_READ", give_back, take_write_right, store_works };

	run(&v);
}

TEST(move, "mremap: no access where it was, none reaches the page where it is")
{
	static const struct variant v = { "mremap", give_move, take_move, access_works };

	run(&v);
}

TEST(dontneed, "MADV_DONTNEED: zeroes after it, and no write to the old page")
{
	static const struct variant v = { "MADV_DONTNEED", write_spot, take_contents, old_value };

	run(&v);
}

TEST(fixed, "MAP_FIXED over it: the new page is what all see")
{
	static const struct variant v = { "MAP_FIXED", map_spot, take_by_another, old_value };

	run(&v);
}

/* ---- fork ---- */

static _Atomic long
	*written; /* shared with the child: how often each parent's thread has written */

static void *write_on(void *arg)
{
	int me = (int)(long)arg;

	MUST(!pin(0, nth_cpu(1 + me)));
	while (sequence != ~0UL) {
		spot[1 + me]++;
		written[me * 16]++;
	}
	return NULL;
}

/* In the child: each thread of the parent has written again, and none of it is here. */
static void check_copy(void)
{
	uint64_t copy[WORDS];
	long then[MAX_TOUCHERS];

	memcpy(copy, (void *)spot, sizeof(copy));
	for (int i = 0; i < touchers; i++)
		then[i] = written[i * 16];
	for (int i = 0; i < touchers; i++)
		SPIN_UNTIL(written[i * 16] >= then[i] + 20);
	CHECK(!memcmp(copy, (void *)spot, sizeof(copy)));
	spot[0] = ~0UL; /* the parent must not see this */
}

TEST(fork, "fork: what another thread of the parent writes afterwards does not reach the child")
{
	pthread_t threads[MAX_TOUCHERS];
	long forks = rounds / 8 + 1;

	if (only && strcmp(only, "fork"))
		SKIP("another variant was asked for");
	set_up("fork");
	written = (void *)mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST((void *)written != MAP_FAILED);
	for (long i = 0; i < touchers; i++)
		threads[i] = start(write_on, (void *)i);
	for (long r = 0; r < forks; r++) {
		spot[0] = (uint64_t)r;
		pid_t pid = fork_checked();

		if (!pid) {
			alarm(60);
			check_copy();
			child_exit();
		}
		reap_checked(pid);
		CHECK_EQ(spot[0], r);
	}
	sequence = ~0UL;
	for (int i = 0; i < touchers; i++) {
		finish(threads[i]);
		CHECK_EQ(spot[1 + i], written[i * 16]); /* the parent lost none either */
	}
	say("# fork: %ld rounds, %d writers\n", forks, touchers);
	watchdog(0, NULL);
	unpin();
}

int main(int argc, char **argv)
{
	const char *wanted = argc > 1 ? argv[1] : getenv("MUNMAP_STALE_ROUNDS");

	if (wanted)
		rounds = atol(wanted);
	if (argc > 2)
		only = argv[2];
	if (rounds < 1 || argc > 3) {
		say("usage: munmap_stale [ROUNDS [VARIANT]]\n");
		return 2;
	}
	return run_tests();
}

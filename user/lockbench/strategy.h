/* SPDX-License-Identifier: MIT
 *
 * The six ways of 2015 to have those parts of a file in memory that are used, and of none at all to compare with.
 */
#ifndef LOCKBENCH_STRATEGY_H
#define LOCKBENCH_STRATEGY_H

#include "../tool.h"
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

enum how { HOW_NONE, HOW_WHOLE, HOW_EACH, HOW_HANDLER, HOW_ONFAULT };

static const struct strategy {
	const char *name;
	enum how how;
	unsigned long batch; /* pages that the handler locks */
	const char *what;
} strategies[] = {
	{ "none", HOW_NONE, 0, "no lock at all" },
	{ "whole", HOW_WHOLE, 0, "mlock of the whole range" },
	{ "each", HOW_EACH, 0, "mlock of its page before each access" },
	{ "segv1", HOW_HANDLER, 1,
	  "PROT_NONE, and a SIGSEGV handler that unprotects and locks 1 page" },
	{ "segv8", HOW_HANDLER, 8, "the same with 8 pages" },
	{ "segv16", HOW_HANDLER, 16, "the same with 16 pages" },
	{ "onfault", HOW_ONFAULT, 0, "mlock2(MLOCK_ONFAULT) of the whole range" },
};
#define NR_STRATEGIES (sizeof(strategies) / sizeof(strategies[0]))

/* What the handler works on. */
static struct {
	char *start, *end;
	unsigned long batch;
} guarded;

static void give_up(const char *what)
{
	static const char maps[] = ": too many areas (vm.max_map_count; try --raise)\n";
	static const char other[] = ": failed\n";

	(void)!write(2, what, strlen(what));
	(void)!write(2, errno == ENOMEM ? maps : other, strlen(errno == ENOMEM ? maps : other));
	_exit(3);
}

/*
 * In two steps, as in 2015: the page that is wanted, which must work, then those behind it, which may not. Only
 * the mapping's end is known here, so that nothing else is ever unprotected.
 */
static void unprotect_and_lock(int signal, siginfo_t *info, void *context)
{
	char *page = (char *)((uintptr_t)info->si_addr & ~(PAGE - 1)), *rest = page + PAGE;
	size_t more = (guarded.batch - 1) * PAGE;

	(void)signal;
	(void)context;
	if (page < guarded.start || page >= guarded.end)
		give_up("lockbench: a fault elsewhere");
	if (mprotect(page, PAGE, PROT_READ) || mlock(page, PAGE))
		give_up("lockbench: handler");
	if (more > (size_t)(guarded.end - rest))
		more = (size_t)(guarded.end - rest);
	if (more && !mprotect(rest, more, PROT_READ))
		mlock(rest, more);
}

static void guard(char *start, size_t size, unsigned long batch)
{
	struct sigaction action = { .sa_sigaction = unprotect_and_lock, .sa_flags = SA_SIGINFO };

	guarded.start = start;
	guarded.end = start + size;
	guarded.batch = batch;
	if (sigaction(SIGSEGV, &action, NULL))
		die("sigaction");
}

/* The set-up: the whole mapping, ready for accesses. */
static char *strategy_map(const struct strategy *s, int fd, size_t size)
{
	int prot = s->how == HOW_HANDLER ? PROT_NONE : PROT_READ;
	char *map = mmap(NULL, size, prot, MAP_PRIVATE, fd, 0);

	if (map == MAP_FAILED)
		die("mmap");
	if (s->how == HOW_HANDLER)
		guard(map, size, s->batch);
	if (s->how == HOW_WHOLE && mlock(map, size))
		die("mlock");
	if (s->how == HOW_ONFAULT && syscall(SYS_mlock2, map, size, MLOCK_ONFAULT))
		die("mlock2");
	return map;
}

/* The nth access of a run: a word of the file. */
static inline uint64_t access_word(uint64_t seed, uint64_t n, uint64_t words)
{
	return (uint64_t)((unsigned __int128)mix64(seed + n) * words >> 64);
}

/* The processing: the sum of all words that were hit. */
static uint64_t strategy_access(const struct strategy *s, const char *map, uint64_t words,
				uint64_t accesses, uint64_t seed)
{
	const volatile uint64_t *data = (const volatile uint64_t *)map;
	uint64_t sum = 0;

	if (s->how != HOW_EACH) {
		for (uint64_t i = 0; i < accesses; i++)
			sum += data[access_word(seed, i, words)];
		return sum;
	}
	for (uint64_t i = 0; i < accesses; i++) {
		uint64_t word = access_word(seed, i, words);

		if (mlock(map + word * 8 / PAGE * PAGE, PAGE))
			give_up("lockbench: mlock");
		sum += data[word];
	}
	return sum;
}

#endif

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
#include "mmfuzz/ops.h"

#define PROBE (4UL << 20)

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
	next_random(&rng);
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

/* Whether a page may come with its neighbours: where folios are large although nobody asked for it. */
static bool pages_come_together(void)
{
	static unsigned char vec[PROBE / PAGE];
	unsigned int there = 0;
	char *p = mmap(NULL, PROBE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(p != MAP_FAILED, "mmap");
	p[PROBE / 2] = 1;
	must(!mincore(p, PROBE, vec), "mincore");
	for (size_t i = 0; i < PROBE / PAGE; i++)
		there += vec[i] & 1;
	must(!munmap(p, PROBE), "munmap");
	return there > 1;
}

static void set_up(void)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };
	unsigned long guard = 64 * PAGE;
	char *p;

	must(!sigaction(SIGSEGV, &sa, NULL) && !sigaction(SIGBUS, &sa, NULL), "sigaction");
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); /* the model counts single pages */
	large_folios = pages_come_together();
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
			puts("usage: mmfuzz [--seed S] [--ops N]\n"
			     "Random memory calls against a model: the kernel is wrong, or the model is.\n"
			     "  --seed S  what everything follows from (default: the time)\n"
			     "  --ops N   how many calls");
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

/* SPDX-License-Identifier: MIT
 *
 * mlockstorm: random calls of the lock family, and of whatever meets locked memory, that print what they did.
 *
 * Everything follows from the seed, and nothing that is printed depends on time, on addresses or on how a kernel
 * batches its work: run on Linux and on another kernel, the output must be the same. Each epoch is a process
 * of its own with a fresh arena, so that one difference does not hide the next.
 *
 * --digest prints one number an epoch instead, for comparing many: run the epoch that differs without it.
 */
#define _GNU_SOURCE
#include "mlockstorm/ops.h"

#define USER_LIMIT_PAGES 64
#define NOBODY 65534

static unsigned long seed = 1, first_epoch, epochs = 10, calls = 20;

/* ---- an epoch ---- */

static void op_fork(void);

static const struct {
	void (*fn)(void);
	unsigned int weight;
	bool user_only;
} ops[] = {
	{ op_mlock, 14, false },   { op_mlock2, 12, false },	      { op_munlock, 9, false },
	{ op_mlockall, 6, false }, { op_munlockall, 2, false },	      { op_odd, 4, false },
	{ op_limit, 3, true },	   { op_map_slot, 9, false },	      { op_map_shared, 6, false },
	{ op_map_wild, 8, false }, { op_munmap, 5, false },	      { op_mprotect, 9, false },
	{ op_mremap, 10, false },  { op_remap_file_pages, 2, false }, { op_brk, 4, false },
	{ op_madvise, 9, false },  { op_populate, 4, false },	      { op_msync, 2, false },
	{ op_mincore, 2, false },  { op_truncate, 2, false },	      { op_punch, 2, false },
	{ op_touch, 14, false },   { op_kernel_touch, 3, false },     { op_fork, 4, false },
};

#define NR_OPS (sizeof(ops) / sizeof(ops[0]))

static void one_call(void)
{
	unsigned int total = 0, pick, i = 0;

	for (size_t k = 0; k < NR_OPS; k++)
		total += ops[k].weight;
	do {
		pick = below(total);
		for (i = 0; pick >= ops[i].weight; i++)
			pick -= ops[i].weight;
	} while ((ops[i].user_only && !ordinary_user) || (in_child && ops[i].fn == op_fork));
	look();
	ops[i].fn();
	call_number++;
}

/* The child shows what it inherited, does a few calls of its own, and is gone. */
static void op_fork(void)
{
	unsigned int n = below(5);
	int status;
	pid_t pid = fork();

	if (pid < 0)
		give_up("fork");
	if (!pid) {
		in_child = true;
		doing("fork, child");
		finish("0");
		for (unsigned int i = 0; i < n; i++)
			one_call();
		_exit(0);
	}
	rng += n;
	if (waitpid(pid, &status, 0) != pid || status)
		give_up("the child of an epoch failed");
	doing("fork");
	finish("0");
}

static void make_files(void)
{
	unsigned char byte;

	for (int i = 0; i < FILES; i++) {
		char name[2] = { (char)('a' + i), 0 };

		files[i] = memfd_create(name, MFD_CLOEXEC);
		if (files[i] < 0 || ftruncate(files[i], FILE_PAGES * PAGE))
			give_up("memfd_create");
		/* Every third page is a hole. */
		for (unsigned int page = 0; page < FILE_PAGES; page++) {
			byte = (unsigned char)(100 + 30 * i + (int)page);
			if (page % 3 != 2 && pwrite(files[i], &byte, 1, (off_t)(page * PAGE)) != 1)
				give_up("pwrite");
		}
	}
}

/* A page in front, not like the rest, keeps the heap from merging with what the program brought along. */
static void make_heap(void)
{
	long b = (syscall(SYS_brk, 0) + (long)PAGE - 1) & -(long)PAGE;

	heap = (char *)b + PAGE;
	if (syscall(SYS_brk, heap) != (long)heap || mprotect((char *)b, PAGE, PROT_READ))
		give_up("brk");
}

static void run_epoch(unsigned long number)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	void *p;

	epoch_number = (unsigned int)number;
	rng = seed * 0xd1342543de82ef95 + number * 0x2545f4914f6cdd1d;
	if (sigaction(SIGSEGV, &sa, NULL) || sigaction(SIGBUS, &sa, NULL))
		give_up("sigaction");
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); /* small pages are what is compared */
	make_files();
	make_heap();
	p = mmap(at(STACK - STACK_PAGES), STACK_PAGES * PAGE, RW,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_GROWSDOWN, -1, 0);
	if (p != at(STACK - STACK_PAGES))
		give_up("mmap of the stack");
	*(char *)p = 1;
	for (int i = 0; i < 3; i++)
		op_map_slot();
	for (unsigned long i = 0; i < calls; i++)
		one_call();
	_exit(0);
}

/* ---- the command line ---- */

static void become_user(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_MEMLOCK, &rl))
		give_up("getrlimit");
	rl.rlim_cur = USER_LIMIT_PAGES * PAGE;
	if (setrlimit(RLIMIT_MEMLOCK, &rl))
		give_up("RLIMIT_MEMLOCK");
	if (!getuid() && (setgid(NOBODY) || setuid(NOBODY)))
		give_up("setuid");
}

static void usage(int status)
{
	dprintf(status ? 2 : 1,
		"usage: mlockstorm [--seed S] [--first E] [--epochs N] [--calls N] [--user] [--digest]\n"
		"  --seed S    what everything follows from (default 1)\n"
		"  --first E   number of the first epoch (default 0)\n"
		"  --epochs N  how many epochs (default 10)\n"
		"  --calls N   calls an epoch (default 20)\n"
		"  --user      as an ordinary user who may lock %d pages, not as root\n"
		"  --digest    one number an epoch instead of all that happened in it\n",
		USER_LIMIT_PAGES);
	exit(status);
}

static unsigned long number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 0);

	if (!*text || *end)
		usage(2);
	return n;
}

static void parse(int argc, char **argv, bool *digest)
{
	for (int i = 1; i < argc; i++) {
		bool more = i + 1 < argc;

		if (!strcmp(argv[i], "--help"))
			usage(0);
		else if (!strcmp(argv[i], "--user"))
			ordinary_user = true;
		else if (!strcmp(argv[i], "--digest"))
			*digest = true;
		else if (!strcmp(argv[i], "--seed") && more)
			seed = number(argv[++i]);
		else if (!strcmp(argv[i], "--first") && more)
			first_epoch = number(argv[++i]);
		else if (!strcmp(argv[i], "--epochs") && more)
			epochs = number(argv[++i]);
		else if (!strcmp(argv[i], "--calls") && more)
			calls = number(argv[++i]);
		else
			usage(2);
	}
}

int main(int argc, char **argv)
{
	bool digest = false;

	parse(argc, argv, &digest);
	out = mmap(NULL, sizeof(*out), RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (out == MAP_FAILED)
		give_up("mmap");
	out->digest = digest;
	if (ordinary_user)
		become_user();
	for (unsigned long e = first_epoch; e < first_epoch + epochs; e++) {
		int status;
		pid_t pid;

		out->hash = 0xcbf29ce484222325;
		pid = fork();
		if (pid < 0)
			give_up("fork");
		if (!pid)
			run_epoch(e);
		if (waitpid(pid, &status, 0) != pid)
			give_up("waitpid");
		flush();
		if (digest)
			dprintf(1, "%lu %016lx\n", e, (unsigned long)out->hash);
		if (status) {
			dprintf(1, "epoch %lu ended with status %x\n", e, (unsigned int)status);
			return 1;
		}
	}
	return 0;
}

// SPDX-License-Identifier: MIT
/*
 * starve: ways to run out of memory, for tests that want to see who dies and that the machine lives. Each scenario says
 * in one line how it ended, "starve NAME: ...", and is right when its exit status is 0.
 */
#define _GNU_SOURCE
#include "starve/crowd.h"
#include "starve/failures.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/swap.h>

static bool is_one_of(const char *word, const char *a, const char *b)
{
	return !strcmp(word, a) || !strcmp(word, b);
}

/* ---- one process takes it all, each time by another way ---- */

static int take_by_touch(void *arg)
{
	uint64_t bytes = *(uint64_t *)arg;
	char *p = map(bytes, 0);

	if (p == MAP_FAILED)
		return errno;
	touch(p, bytes);
	return 0;
}

static int take_by_mlock(void *arg)
{
	uint64_t bytes = *(uint64_t *)arg;
	char *p = map(bytes, 0);

	return p == MAP_FAILED || mlock(p, bytes) ? errno : 0;
}

static int take_by_populate(void *arg)
{
	uint64_t bytes = *(uint64_t *)arg;
	char *p = map(bytes, MAP_POPULATE);

	if (p == MAP_FAILED)
		return errno;
	touch(p, bytes); /* population may give up in silence */
	return 0;
}

/* One page in each 2 MiB, of so much address space that the tables alone are more than there is. */
static int take_by_tables(void *arg)
{
	uint64_t space = *(uint64_t *)arg / PAGE * (2 * MIB);
	uint64_t at_once = 1UL << 40;

	for (uint64_t done = 0; done < space; done += at_once) {
		uint64_t bytes = space - done < at_once ? space - done : at_once;
		char *p = map(bytes, 0);

		if (p == MAP_FAILED)
			return errno;
		for (uint64_t at = 0; at < bytes; at += 2 * MIB)
			(void)*(volatile char *)(p + at); /* the zero page: only tables */
	}
	return 0;
}

static void *take_in_thread(void *arg)
{
	(void)take_by_touch(arg);
	return NULL;
}

static int take_by_threads(void *arg)
{
	uint64_t each = *(uint64_t *)arg / 8;
	pthread_t threads[8];

	for (int i = 0; i < 8; i++)
		if (pthread_create(&threads[i], NULL, take_in_thread, &each))
			return 1;
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

/* It must be killed, or be refused what it asks for. */
static int take(const char *name, int (*run)(void *))
{
	uint64_t bytes = total_bytes() * 2 + swap_bytes();
	const char *end = outcome(start(run, &bytes));

	printf("starve %s: %lu MiB, %s\n", name, bytes / MIB, end);
	return !is_one_of(end, "killed", "refused");
}

static int scenario_touch(void)
{
	return take("touch", take_by_touch);
}

static int scenario_mlock(void)
{
	return take("mlock", take_by_mlock);
}

static int scenario_populate(void)
{
	return take("populate", take_by_populate);
}

static int scenario_tables(void)
{
	return take("tables", take_by_tables);
}

static int scenario_threads(void)
{
	return take("threads", take_by_threads);
}

/* ---- many processes ---- */

#define MOST_PROCESSES 600
#define EACH_PROCESS (2 * MIB)

/* Takes some memory, starts two like itself, and stays. */
static int bomb(void *arg)
{
	char *p = map(EACH_PROCESS, 0);

	if (p == MAP_FAILED)
		return 0;
	touch(p, EACH_PROCESS);
	for (int i = 0; i < 2; i++)
		if (__atomic_add_fetch(&board->started, 1, __ATOMIC_RELAXED) < MOST_PROCESSES &&
		    !fork())
			_exit(bomb(arg));
	while (!board->stop)
		sleep_ms(20);
	return 0;
}

static int scenario_fork(void)
{
	unsigned long kills = (unsigned long)proc_number("/proc/vmstat", "oom_kill");
	unsigned long seen = 0;
	int quiet = 0, ended = 0;

	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (!fork()) {
		adjust(500);
		_exit(bomb(NULL));
	}
	for (int i = 0; i < 600 && quiet < 20; i++) {
		quiet = board->started == seen ? quiet + 1 : 0;
		seen = board->started;
		sleep_ms(100);
	}
	board->stop = 1;
	while (waitpid(-1, NULL, 0) > 0)
		ended++;
	kills = (unsigned long)proc_number("/proc/vmstat", "oom_kill") - kills;
	printf("starve fork: %lu processes, %lu killed for memory\n", seen, kills);
	return !ended;
}

/* Hogs, one after the other, each of which is killed for memory. */
static int send_hogs(void *arg)
{
	uint64_t bytes = *(uint64_t *)arg;

	adjust(500);
	while (!board->stop)
		(void)outcome(start(take_by_touch, &bytes));
	return 0;
}

#define LENT_PAGES 64
#define LENT_SECONDS 5

/*
 * A process that may not be killed lends its memory to children that end at once, while others are killed: whoever looks for
 * memory to take must not take the lender's for a child's that is about to end.
 */
static int scenario_vfork(void)
{
	uint64_t bytes = total_bytes() * 2 + swap_bytes();
	uint64_t most = available_bytes() / 10 * 9; /* what is left for the hogs, they soon have */
	unsigned long kills = (unsigned long)proc_number("/proc/vmstat", "oom_kill"), lent = 0;
	char *p = map(most, 0);
	pid_t hogs[2];
	time_t end;
	bool right = p != MAP_FAILED;

	for (int i = 0; i < 2; i++)
		hogs[i] = start(send_hogs, &bytes);
	adjust(-1000);
	if (right)
		touch(p, most);
	end = time(NULL) + LENT_SECONDS;
	while (right && time(NULL) < end) {
		pid_t child;

		memset(p, (int)(lent % 255) + 1, LENT_PAGES * PAGE);
		child = vfork();
		if (!child)
			_exit(0);
		waitpid(child, NULL, 0);
		for (int i = 0; i < LENT_PAGES; i++)
			right &= p[i * PAGE] == (char)(lent % 255 + 1);
		lent++;
	}
	board->stop = 1;
	for (int i = 0; i < 2; i++)
		(void)outcome(hogs[i]);
	kills = (unsigned long)proc_number("/proc/vmstat", "oom_kill") - kills;
	printf("starve vfork: memory lent %lu times, %lu killed beside it, %s\n", lent, kills,
	       right ? "kept" : "lost");
	return !right || !kills;
}

/* ---- memory that no process has ---- */

static int fill_file(void *arg)
{
	static char chunk[MIB];
	int fd = open((const char *)arg, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0)
		return 1;
	for (;;)
		if (write(fd, chunk, sizeof(chunk)) < 0)
			return errno;
}

/* A file system in memory is filled; then a process wants what is left and more. The file stays until it is removed. */
static int scenario_tmpfs(void)
{
	static char path[] = "/dev/shm/starve";
	const char *end = outcome(start(fill_file, path));
	uint64_t bytes = total_bytes() * 2 + swap_bytes();
	bool right = is_one_of(end, "killed", "refused");

	printf("starve tmpfs: file %s", end);
	end = outcome(start(take_by_touch, &bytes));
	right &= is_one_of(end, "killed", "refused");
	printf(", process %s, ", end);
	right &= !unlink(path);
	bytes = available_bytes() / 2;
	end = outcome(start(take_by_touch, &bytes));
	printf("after unlink %s\n", end);
	return !right || strcmp(end, "exit-0");
}

/* ---- who dies ---- */

struct victim {
	int station, score;
	uint64_t bytes;
	enum { BLOCKED_PIPE, BLOCKED_MUTEX, BLOCKED_SLEEP } block;
};

static pthread_mutex_t *mutex;

static int be_victim(void *arg)
{
	const struct victim *v = arg;
	char *p = map(v->bytes, 0), byte;
	int fds[2];

	adjust(v->score);
	if (p == MAP_FAILED || pipe(fds))
		return 1;
	touch(p, v->bytes);
	set_ready(v->station);
	if (v->block == BLOCKED_PIPE)
		(void)!read(fds[0], &byte, 1);
	else if (v->block == BLOCKED_MUTEX)
		pthread_mutex_lock(mutex);
	else
		sleep_ms(1000000);
	return 1;
}

/* A mutex that this process has and keeps. */
static void make_mutex(void)
{
	pthread_mutexattr_t attributes;

	mutex = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(mutex, &attributes);
	pthread_mutex_lock(mutex);
}

/* Needs what the victim has, is not to be killed itself, and must get on once the victim is gone. */
static int take_what_others_have(void *arg)
{
	adjust(-900);
	return take_by_touch(arg);
}

static int blocked(const char *name, struct victim v)
{
	uint64_t half = (available_bytes() + swap_bytes()) / 10 * 6;
	const char *end;
	pid_t pid, other;
	bool right;

	v.bytes = half;
	pid = start(be_victim, &v);
	if (!wait_ready(v.station, pid)) {
		printf("starve %s: the victim never had its memory\n", name);
		return 1;
	}
	other = start(take_what_others_have, &half);
	end = outcome(pid);
	right = !strcmp(end, "killed");
	printf("starve %s: blocked process %s, ", name, end);
	end = outcome(other);
	printf("the other %s\n", end);
	return !right || strcmp(end, "exit-0");
}

static int scenario_pipe(void)
{
	return blocked("pipe", (struct victim){ .score = 500, .block = BLOCKED_PIPE });
}

static int scenario_mutex(void)
{
	make_mutex();
	return blocked("mutex", (struct victim){ .score = 500, .block = BLOCKED_MUTEX });
}

/* Three processes of a size; 1000 dies first, then 0, and -1000 never. */
static int scenario_scores(void)
{
	uint64_t each = (available_bytes() + swap_bytes()) / 4, want = each / 2 * 3;
	static const int scores[] = { -1000, 0, 1000 };
	struct victim v[3];
	pid_t pids[3], other;
	const char *end;
	bool first, second;

	for (int i = 0; i < 3; i++) {
		v[i] = (struct victim){ i, scores[i], each, BLOCKED_SLEEP };
		pids[i] = start(be_victim, &v[i]);
		if (!wait_ready(i, pids[i])) {
			puts("starve scores: a victim never had its memory");
			return 1;
		}
	}
	other = start(take_what_others_have, &want);
	end = outcome(other);
	first = !is_alive(pids[2]) && is_alive(pids[1]) && is_alive(pids[0]);
	printf("starve scores: the other %s; 1000 %s, ", end,
	       first ? "died first" : "did not die first");
	want = each / 2 * 5;
	other = start(take_what_others_have, &want);
	end = outcome(other);
	second = !is_alive(pids[1]) && is_alive(pids[0]);
	printf("0 %s, -1000 %s\n", second ? "next" : "not next",
	       is_alive(pids[0]) ? "lives" : "died");
	kill(pids[0], SIGKILL);
	return !first || !second;
}

/* ---- swapoff ---- */

static int switch_swap_off(void *arg)
{
	char device[64] = "";
	FILE *f = fopen("/proc/swaps", "r");

	(void)arg;
	if (!f || fscanf(f, "%*[^\n] %63s", device) != 1)
		die("starve: /proc/swaps");
	fclose(f);
	return swapoff(device) ? errno : 0;
}

/* What is in swap has no room in memory: who wants it there dies, and not who has it. */
static int scenario_swapoff(void)
{
	struct victim v = { .bytes = available_bytes() + swap_bytes() / 2, .block = BLOCKED_SLEEP };
	pid_t pid = start(be_victim, &v);
	const char *end;
	bool lives;

	if (!wait_ready(v.station, pid)) {
		puts("starve swapoff: the other never had its memory");
		return 1;
	}
	end = outcome(start(switch_swap_off, NULL));
	lives = is_alive(pid);
	kill(pid, SIGKILL);
	printf("starve swapoff: who calls it %s, who has the memory %s\n", end,
	       lives ? "lives" : "died");
	return !lives || !is_one_of(end, "killed", "refused") || !swap_bytes();
}

/* ---- the command line ---- */

static const struct {
	const char *name;
	int (*run)(void);
	const char *what;
} scenarios[] = {
	{ "touch", scenario_touch, "a process touches more than memory and swap" },
	{ "fork", scenario_fork, "a fork bomb whose processes take memory" },
	{ "vfork", scenario_vfork, "vfork, again and again, while others are killed" },
	{ "mlock", scenario_mlock, "mlock of more than there is" },
	{ "populate", scenario_populate, "MAP_POPULATE of more than there is" },
	{ "tables", scenario_tables, "page tables of more than there is: a page each 2 MiB" },
	{ "threads", scenario_threads, "eight threads take it at once" },
	{ "tmpfs", scenario_tmpfs, "a file in /dev/shm, then a process beside it" },
	{ "pipe", scenario_pipe, "the one to be killed is blocked on a pipe" },
	{ "mutex", scenario_mutex, "the one to be killed is blocked on a mutex" },
	{ "scores", scenario_scores,
	  "oom_score_adj 1000, 0, -1000 die in this order, the last never" },
	{ "swapoff", scenario_swapoff, "swapoff of more than there is room for" },
	{ "failures", failures, "each of the kernel's allocations fails once (Faultline only)" },
};
#define NR_SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

static _Noreturn void usage(int status)
{
	FILE *out = status ? stderr : stdout;

	fputs("usage: starve SCENARIO...\nUses up all memory of the machine. Scenarios:\n", out);
	for (size_t i = 0; i < NR_SCENARIOS; i++)
		fprintf(out, "  %-9s %s\n", scenarios[i].name, scenarios[i].what);
	exit(status);
}

int main(int argc, char **argv)
{
	int wrong = 0;

	if (argc < 2)
		usage(2);
	if (!strcmp(argv[1], "--help"))
		usage(0);
	setvbuf(stdout, NULL, _IONBF, 0);
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (board == MAP_FAILED)
		die("starve: mmap");
	for (int i = 1; i < argc; i++) {
		size_t n = 0;

		while (n < NR_SCENARIOS && strcmp(argv[i], scenarios[n].name))
			n++;
		if (n == NR_SCENARIOS)
			usage(2);
		memset(board, 0, sizeof(*board));
		wrong |= scenarios[n].run();
	}
	return wrong;
}

// SPDX-License-Identifier: MIT
/*
 * memcheck: writes so many bytes of anonymous memory, or of a mapped file or block device, and reads them again, in
 * several passes, orders and processes. The first wrong byte ends it. Meanwhile another process may hold memory by
 * mlock, and sees to it that none of its pages ever leaves.
 *
 * Exit status: 0 all right; 1 wrong contents, or a held page that moved; 2 usage; 3 a system call failed;
 * 4 SIGBUS; 5 a process was killed.
 */
#define _GNU_SOURCE
#include "memcheck/hold.h"
#include "memcheck/pattern.h"

#include <getopt.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#ifndef BLKGETSIZE64
#define BLKGETSIZE64 _IOR(0x12, 114, size_t)
#endif

#define MAX_PROCESSES 64

enum order { SEQUENTIAL, RANDOM, BOTH };

static struct options {
	const char *path;
	uint64_t size, hold, seed;
	unsigned int passes, processes;
	enum order order;
	enum hold_how how;
	int verify, pread;
} opt = { .seed = 1, .passes = 2, .processes = 1, .order = BOTH };

static struct shared {
	uint64_t pages_done[MAX_PROCESSES];
	bool ready, release, stop;
	unsigned long checks; /* rounds of the holder */
} * shared;

/* ---- a writing process ---- */

struct worker {
	struct pattern pattern;
	unsigned int number;
	uint64_t pages;
	uint64_t *memory;
	int fd; /* -1: anonymous memory */
	off_t offset;
};

static void on_sigbus(int signal, siginfo_t *info, void *context)
{
	static const char text[] = "memcheck: SIGBUS\n";

	(void)signal;
	(void)info;
	(void)context;
	(void)!write(2, text, sizeof(text) - 1);
	_exit(4);
}

static uint64_t nth_page(const struct worker *w, unsigned int pass, uint64_t n, bool random)
{
	return random ? shuffled(n, w->pages, w->pattern.seed + pass) : n;
}

static void worker_write(const struct worker *w, unsigned int pass, bool random)
{
	for (uint64_t n = 0; n < w->pages; n++) {
		uint64_t page = nth_page(w, pass, n, random);

		page_fill(w->memory + page * WORDS, page_key(&w->pattern, pass, page));
		shared->pages_done[w->number]++;
	}
	if (w->fd >= 0 && msync(w->memory, w->pages * PAGE, MS_SYNC))
		die("memcheck: msync");
}

static void worker_read(const struct worker *w, unsigned int pass, bool random)
{
	uint64_t buffer[WORDS];

	for (uint64_t n = 0; n < w->pages; n++) {
		uint64_t page = nth_page(w, pass, n, random);
		const uint64_t *words = w->memory + page * WORDS;

		if (opt.pread) {
			if (pread(w->fd, buffer, PAGE, w->offset + (off_t)(page * PAGE)) !=
			    (ssize_t)PAGE)
				die("memcheck: pread");
			words = buffer;
		}
		if (page_wrong(words, page_key(&w->pattern, pass, page)) != WORDS) {
			page_report(&w->pattern, words, pass, page, w->pages);
			_exit(1);
		}
		shared->pages_done[w->number]++;
	}
}

static void worker_map(struct worker *w)
{
	int flags = w->fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	int prot = opt.verify ? PROT_READ : PROT_READ | PROT_WRITE;
	struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };

	sigaction(SIGBUS, &action, NULL);
	w->memory = mmap(NULL, w->pages * PAGE, prot, flags, w->fd, w->offset);
	if (w->memory == MAP_FAILED)
		die("memcheck: mmap");
	madvise(w->memory, w->pages * PAGE, MADV_NOHUGEPAGE);
}

static _Noreturn void worker_run(struct worker *w)
{
	worker_map(w);
	for (unsigned int pass = opt.verify ? opt.passes - 1 : 0; pass < opt.passes; pass++) {
		if (!opt.verify)
			worker_write(w, pass, opt.order == RANDOM);
		if (opt.order != RANDOM)
			worker_read(w, pass, false);
		if (opt.order != SEQUENTIAL)
			worker_read(w, pass, true);
	}
	_exit(0);
}

/* ---- the parent ---- */

static pid_t children[MAX_PROCESSES + 1]; /* the holder last */

static void kill_children(void)
{
	for (int i = 0; i <= MAX_PROCESSES; i++)
		if (children[i] && !waitpid(children[i], NULL, WNOHANG))
			kill(children[i], SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static uint64_t pages_to_do(uint64_t pages)
{
	unsigned int reads = opt.order == BOTH ? 2 : 1;

	return opt.processes * pages * (opt.verify ? reads : opt.passes * (reads + 1));
}

static void show_progress(uint64_t done, uint64_t all)
{
	static uint64_t shown = ~0UL;
	uint64_t percent = done * 100 / all;

	if (!isatty(2) || percent == shown)
		return;
	shown = percent;
	fprintf(stderr, "\rmemcheck: %3lu%%%s", percent, done == all ? "\n" : "");
}

static uint64_t progress(uint64_t all)
{
	uint64_t done = 0;

	for (unsigned int i = 0; i < opt.processes; i++)
		done += __atomic_load_n(&shared->pages_done[i], __ATOMIC_RELAXED);
	show_progress(done, all);
	if (done >= all / 2)
		__atomic_store_n(&shared->release, true, __ATOMIC_RELEASE);
	return done;
}

/* What a wait status means for ours. */
static int verdict(const char *who, int status)
{
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	printf("memcheck: %s was killed by signal %d\n", who, WTERMSIG(status));
	return 5;
}

/* Waits for all workers, or for the first of any that fails; the holder goes on till it is told. */
static int wait_for_all(uint64_t all)
{
	pid_t holder_pid = children[MAX_PROCESSES];
	unsigned int left = opt.processes;
	int status;

	while (left) {
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (pid < 0)
			die("memcheck: waitpid");
		progress(all);
		if (!pid) {
			sleep_ms(20);
			continue;
		}
		status = verdict(pid == holder_pid ? "the holder" : "a writing process", status);
		if (status || pid == holder_pid)
			return status ? status : 1;
		left--;
	}
	if (!holder_pid)
		return 0;
	__atomic_store_n(&shared->stop, true, __ATOMIC_RELEASE);
	if (waitpid(holder_pid, &status, 0) != holder_pid)
		die("memcheck: waitpid");
	return verdict("the holder", status);
}

static void start_holder(void)
{
	struct hold hold = {
		.pattern = { opt.seed, HOLDER },
		.how = opt.how,
		.pages = opt.hold / PAGE,
		.ready = &shared->ready,
		.release = &shared->release,
		.stop = &shared->stop,
		.checks = &shared->checks,
	};
	pid_t pid = fork();
	int status;

	if (pid < 0)
		die("memcheck: fork");
	if (!pid)
		_exit(hold_memory(&hold));
	while (!__atomic_load_n(&shared->ready, __ATOMIC_ACQUIRE)) {
		if (waitpid(pid, &status, WNOHANG))
			exit(verdict("the holder", status));
		sleep_ms(5);
	}
	children[MAX_PROCESSES] = pid;
}

static void start_workers(int fd, uint64_t pages)
{
	for (unsigned int i = 0; i < opt.processes; i++) {
		struct worker w = {
			.pattern = { opt.seed, i },
			.number = i,
			.pages = pages,
			.fd = fd,
			.offset = (off_t)(i * pages * PAGE),
		};
		pid_t pid = fork();

		if (pid < 0)
			die("memcheck: fork");
		if (!pid)
			worker_run(&w);
		children[i] = pid;
	}
}

/* Opens the file or device; a regular one is made as large as asked for. */
static int open_file(void)
{
	int fd = open(opt.path, (opt.verify ? O_RDONLY : O_RDWR | O_CREAT) | O_CLOEXEC, 0600);
	uint64_t there;
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		die(opt.path);
	there = (uint64_t)st.st_size;
	if (S_ISBLK(st.st_mode) && ioctl(fd, BLKGETSIZE64, &there))
		die(opt.path);
	if (S_ISREG(st.st_mode) && opt.size > there && !opt.verify) {
		if (ftruncate(fd, (off_t)opt.size))
			die(opt.path);
		there = opt.size;
	}
	if (!opt.size || opt.size > there)
		opt.size = there;
	return fd;
}

/* ---- the command line ---- */

static _Noreturn void usage(int status)
{
	fputs("usage: memcheck --anon BYTES | --file PATH [options]\n"
	      "  --anon BYTES    writes to anonymous memory; K, M, G are understood\n"
	      "  --file PATH     writes to a mapped file or block device, and syncs it after each pass\n"
	      "  --size BYTES    so much of the file (default: all)\n"
	      "  --passes N      write and read so often (default 2)\n"
	      "  --processes N   each has its part of the memory (default 1)\n"
	      "  --order O       sequential, random, or both: sequential, then reads at random (default)\n"
	      "  --seed N        of the contents (default 1)\n"
	      "  --pread         reads the file by pread, not through the mapping\n"
	      "  --verify        only reads what the last pass of a call like this has written\n"
	      "  --hold BYTES    another process locks so much, and watches that none of it leaves\n"
	      "  --onfault       ... it locks on fault, and touches half\n"
	      "  --release       ... and unlocks it half-way; some of it must leave then\n",
	      status ? stderr : stdout);
	exit(status);
}

static uint64_t size_option(void)
{
	uint64_t size = parse_size(optarg) / PAGE * PAGE;

	if (!size)
		usage(2);
	return size;
}

static unsigned int count_option(unsigned int most)
{
	unsigned long n = strtoul(optarg, NULL, 10);

	if (!n || n > most)
		usage(2);
	return (unsigned int)n;
}

static enum order order_option(void)
{
	static const char *const names[] = { "sequential", "random", "both" };

	for (int i = SEQUENTIAL; i <= BOTH; i++)
		if (!strcmp(optarg, names[i]))
			return (enum order)i;
	usage(2);
}

static void parse_options(int argc, char **argv)
{
	int onfault = 0, release = 0, c;
	bool anon = false;
	const struct option options[] = {
		{ "anon", 1, NULL, 'a' },	 { "file", 1, NULL, 'f' },
		{ "size", 1, NULL, 's' },	 { "passes", 1, NULL, 'p' },
		{ "processes", 1, NULL, 'n' },	 { "order", 1, NULL, 'o' },
		{ "seed", 1, NULL, 'S' },	 { "hold", 1, NULL, 'h' },
		{ "help", 0, NULL, 'H' },	 { "pread", 0, &opt.pread, 1 },
		{ "verify", 0, &opt.verify, 1 }, { "onfault", 0, &onfault, 1 },
		{ "release", 0, &release, 1 },	 { NULL, 0, NULL, 0 },
	};

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (c) {
		case 0:
			break;
		case 'a':
			opt.size = size_option();
			anon = true;
			break;
		case 'f':
			opt.path = optarg;
			break;
		case 's':
			opt.size = size_option();
			break;
		case 'p':
			opt.passes = count_option(255);
			break;
		case 'n':
			opt.processes = count_option(MAX_PROCESSES);
			break;
		case 'o':
			opt.order = order_option();
			break;
		case 'S':
			opt.seed = strtoull(optarg, NULL, 0);
			break;
		case 'h':
			opt.hold = size_option();
			break;
		default:
			usage(c == 'H' ? 0 : 2);
		}
	}
	if (optind < argc || anon == !!opt.path || (anon && (opt.verify || opt.pread)) ||
	    (!opt.hold && (onfault || release)) || (onfault && release))
		usage(2);
	opt.how = onfault ? HOLD_ONFAULT : release ? HOLD_RELEASE : HOLD_LOCK;
}

int main(int argc, char **argv)
{
	uint64_t pages;
	int fd, status;

	parse_options(argc, argv);
	fd = opt.path ? open_file() : -1;
	pages = opt.size / PAGE / opt.processes;
	if (!pages)
		usage(2);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		die("memcheck: mmap");
	if (opt.hold)
		start_holder();
	start_workers(fd, pages);
	status = wait_for_all(pages_to_do(pages));
	if (status) {
		kill_children();
		return status;
	}
	printf("memcheck: %lu MiB %s, %u processes: right", opt.processes * pages * PAGE / MIB,
	       opt.path ? opt.path : "anonymous", opt.processes);
	if (opt.hold)
		printf("; %lu MiB held, looked at %lu times", opt.hold / MIB, shared->checks);
	puts("");
	return 0;
}

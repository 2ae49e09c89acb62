/* SPDX-License-Identifier: MIT
 *
 * faultstat: what page faults do, a line a second, like vmstat.
 *
 * Rates come from the counters of /proc/vmstat, the time spent waiting for mmap_locks from /proc/lock_stat, and what a
 * phase of a fault costs from /proc/faultstat, which counts only while it is on: so it is switched on at the start
 * and off at the end. What a kernel does not count is shown as "-": on Linux most of it.
 */
#define _GNU_SOURCE
#include "tool.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#define VMSTAT "/proc/vmstat"
#define LOCK_STAT "/proc/lock_stat"
#define FAULTSTAT "/proc/faultstat"
#define TEXT_MAX 65536

/* The columns, in groups. name: in /proc/vmstat; or how else it is found. */
static const struct column {
	const char *title, *name, *help;
} columns[] = {
	{ "fault", "pgfault", "page faults" },
	{ "major", "pgmajfault", "that started I/O" },
	{ "zero", "fault_get_folio_zero", "that mapped the zero page" },
	{ "anon", "fault_get_folio_anon", "that brought a new zeroed page" },
	{ "cow", "fault_get_folio_cow", "that copied a page" },
	{ "huge", "thp_fault_alloc", "that brought a huge page" },
	{ "file", "fault_get_folio_file", "that mapped a page of a file" },
	{ "around", "fault_around_pages", "pages mapped besides, around those" },
	{ "reuse", "pgreuse", "that made a page writable, nobody else having it" },
	{ "race", "fault_install_lost_race", "that found the entry changed at the end" },
	{ "spur", "fault_spurious", "that found nothing to do" },
	{ "read", "mmap_lock_read_wait", "waits for an mmap_lock, to read" },
	{ "write", "mmap_lock_write_wait", "the same, to write" },
	{ "ms", NULL, "milliseconds of such waits, of all threads together" },
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))
#define FIRST_WAIT 11
#define WAIT_MS (COLUMNS - 1)

static const struct column phases[] = {
	{ "lookup", "lookup", "phase 1: which vma is it" },
	{ "folio", "folio", "phase 2: get the page" },
	{ "zeroing", "zero", "zeroing it, a part of that" },
	{ "install", "install", "phases 3 and 4: the entry, the LRU" },
	{ "all", "fault", "the whole fault" },
};
#define PHASES (sizeof(phases) / sizeof(phases[0]))

struct sample {
	uint64_t ns;
	long counts[COLUMNS]; /* -1: this kernel has no such counter */
	struct {
		long times, ticks; /* times -1: not measured */
	} phases[PHASES];
};

static volatile sig_atomic_t stopped;
static bool colour, measured;

static void stop(int signal)
{
	stopped = signal;
}

/* ---- reading ---- */

/* The file's text; "" when there is none. */
static const char *slurp(const char *path)
{
	static char text[TEXT_MAX];
	size_t len = 0;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && (n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	if (fd >= 0)
		close(fd);
	text[len] = 0;
	return text;
}

/* The line that begins with name and a blank: what follows, or NULL. */
static const char *value_of(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *line = text; *line; line = strchrnul(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, name, len) && line[len] == ' ')
			return line + len + 1;
	}
	return NULL;
}

/* The sum of the waits' nanoseconds, in ms: "read|write TIMES TOTAL_NS MAX_NS | ...". -1: no such file. */
static long wait_ms(void)
{
	const char *text = slurp(LOCK_STAT);
	unsigned long total = 0, times, ns;
	char what[16];

	if (!*text)
		return -1;
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (sscanf(line, "%15s %lu %lu", what, &times, &ns) == 3 &&
		    (!strcmp(what, "read") || !strcmp(what, "write")))
			total += ns;
	}
	return (long)(total / 1000000);
}

static void take(struct sample *s)
{
	const char *text = slurp(VMSTAT), *value;

	s->ns = now_ns();
	for (size_t i = 0; i < COLUMNS; i++) {
		value = columns[i].name ? value_of(text, columns[i].name) : NULL;
		s->counts[i] = value ? atol(value) : -1;
	}
	s->counts[WAIT_MS] = wait_ms();
	text = measured ? slurp(FAULTSTAT) : "";
	for (size_t i = 0; i < PHASES; i++) {
		value = value_of(text, phases[i].name);
		if (!value ||
		    sscanf(value, "%ld %ld", &s->phases[i].times, &s->phases[i].ticks) != 2)
			s->phases[i].times = -1;
	}
}

/* ---- showing ---- */

#define WIDTH 7

static void put_heading(void)
{
	int faults = FIRST_WAIT * WIDTH, waits = (int)(COLUMNS - FIRST_WAIT) * WIDTH;

	printf("%-*s |%-*s", faults, "  faults", waits, "  mmap_lock waits");
	if (measured)
		printf(" |%s", "  TSC ticks a phase");
	putchar('\n');
	for (size_t i = 0; i < COLUMNS; i++)
		printf("%s%*s", i == FIRST_WAIT ? " |" : "", WIDTH, columns[i].title);
	for (size_t i = 0; measured && i < PHASES; i++)
		printf("%s%*s", i ? "" : " |", WIDTH + 1, phases[i].title);
	putchar('\n');
}

/* At most six places: 999999, 12.3M. */
static void put_number(double n, int width, const char *sgr)
{
	char text[16];

	if (n < 999999.5)
		snprintf(text, sizeof(text), "%.0f", n);
	else if (n < 999.95e6)
		snprintf(text, sizeof(text), "%.1fM", n / 1e6);
	else
		snprintf(text, sizeof(text), "%.1fG", n / 1e9);
	if (colour && round(n) == 0)
		sgr = "2"; /* dim */
	if (colour && sgr)
		printf("\033[%sm%*s\033[0m", sgr, width, text);
	else
		printf("%*s", width, text);
}

/* What happened from one sample to the other, a second; seconds 0: in all. */
static void put_line(const struct sample *from, const struct sample *to, double seconds)
{
	double per = seconds > 0 ? seconds : 1;

	for (size_t i = 0; i < COLUMNS; i++) {
		/* What costs most stands out: I/O and waiting. */
		const char *sgr = i == 1 || i >= FIRST_WAIT ? "33" : NULL;

		if (i == FIRST_WAIT)
			fputs(" |", stdout);
		if (from->counts[i] < 0)
			printf("%*s", WIDTH, "-");
		else
			put_number((double)(to->counts[i] - from->counts[i]) / per, WIDTH, sgr);
	}
	for (size_t i = 0; measured && i < PHASES; i++) {
		long times = to->phases[i].times - from->phases[i].times;

		if (!i)
			fputs(" |", stdout);
		if (to->phases[i].times < 0 || times <= 0)
			printf("%*s", WIDTH + 1, "-");
		else
			put_number((double)(to->phases[i].ticks - from->phases[i].ticks) /
					   (double)times,
				   WIDTH + 1, NULL);
	}
	putchar('\n');
	fflush(stdout);
}

static void usage(int status)
{
	FILE *to = status ? stderr : stdout;

	fprintf(to,
		"usage: faultstat [--total] [SECONDS [COUNT]] [-- PROG ARGS...]\n"
		"What page faults do, a line each SECONDS (default 1), COUNT times or until Ctrl-C; at\n"
		"the end the sums. With PROG: while it runs, and with its exit status.\n"
		"  --total     only the sums\n"
		"  --help      this, and what the columns mean\n");
	if (!status) {
		puts("columns, a second (\"-\": this kernel does not count it):");
		for (size_t i = 0; i < COLUMNS; i++)
			printf("  %-8s %s\n", columns[i].title, columns[i].help);
		puts("TSC ticks, instructions under ./run --icount, of one (where there is " FAULTSTAT
		     ", and one may write to it):");
		for (size_t i = 0; i < PHASES; i++)
			printf("  %-8s %s\n", phases[i].title, phases[i].help);
	}
	exit(status);
}

/* ---- running ---- */

static pid_t start(char **argv)
{
	pid_t pid = fork();

	if (pid < 0)
		die("faultstat: fork");
	if (!pid) {
		execvp(argv[0], argv);
		fprintf(stderr, "faultstat: %s: %s\n", argv[0], strerror(errno));
		_exit(errno == ENOENT ? 127 : 126);
	}
	return pid;
}

/* Waits until `until`, or the program has ended (its status is stored), or a signal came: false then. */
static bool wait_until(uint64_t until, pid_t program, int *status)
{
	while (!stopped) {
		uint64_t now = now_ns();

		if (program && waitpid(program, status, WNOHANG) == program)
			return false;
		if (now >= until)
			return true;
		/* A program may end at any time. */
		sleep_ms(program && until - now > 20000000 ? 20
							   : (long)((until - now) / 1000000 + 1));
	}
	return false;
}

static int exit_status(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static unsigned int screen_lines(void)
{
	struct winsize size;

	return isatty(1) && !ioctl(1, TIOCGWINSZ, &size) && size.ws_row > 4 ? size.ws_row : 24;
}

/* Starts the program, if there is one. Lines until it is over; returns what its wait status is, or 0. */
static int watch(double seconds, long count, bool only_total, char **argv)
{
	unsigned int lines = 0, height = screen_lines();
	struct sample first, last, now;
	bool more = true;
	pid_t program;
	int status = 0;

	/* Before the program, which may be over within a time slice. */
	take(&first);
	last = first;
	program = *argv ? start(argv) : 0;
	for (long n = 1; more; n++) {
		more = wait_until(last.ns + (uint64_t)(seconds * 1e9), program, &status);
		take(&now);
		if (!only_total) {
			if (lines++ % (height - 3) == 0)
				put_heading();
			put_line(&last, &now, (double)(now.ns - last.ns) / 1e9);
		}
		last = now;
		more = more && n != count;
	}
	if (program && stopped) {
		kill(program, stopped);
		waitpid(program, &status, 0);
	}
	printf("in %.1f s:\n", (double)(last.ns - first.ns) / 1e9);
	if (only_total)
		put_heading();
	put_line(&first, &last, 0);
	return status;
}

static double parse_seconds(const char *text)
{
	char *end;
	double n = strtod(text, &end);

	if (*end || !(n >= 0.01 && n <= 86400))
		usage(2);
	return n;
}

static long parse_count(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*end || n < 1)
		usage(2);
	return n;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "help", no_argument, NULL, 'h' },
						 { "total", no_argument, NULL, 't' },
						 { NULL, 0, NULL, 0 } };
	int option, words, status;
	bool only_total = false;
	char **program;
	double seconds = 1;
	long count = 0;

	while ((option = getopt_long(argc, argv, "+h", options, NULL)) >= 0) {
		if (option == 'h')
			usage(0);
		if (option != 't')
			usage(2);
		only_total = true;
	}
	/* getopt stops behind "--" or at the first word that is no option: SECONDS, COUNT, then perhaps "--". */
	program = argv + optind;
	if (strcmp(argv[optind - 1], "--")) {
		while (*program && strcmp(*program, "--"))
			program++;
		words = (int)(program - (argv + optind));
		if (*program && !*++program)
			usage(2);
	} else {
		words = 0;
		if (!*program)
			usage(2);
	}
	if (words > 2)
		usage(2);
	if (words > 0)
		seconds = parse_seconds(argv[optind]);
	if (words > 1)
		count = parse_count(argv[optind + 1]);

	colour = isatty(1);
	measured = !write_text(FAULTSTAT, "on\n");
	sigaction(SIGINT, &(struct sigaction){ .sa_handler = stop }, NULL);
	sigaction(SIGTERM, &(struct sigaction){ .sa_handler = stop }, NULL);
	status = watch(seconds, count, only_total, program);
	if (measured)
		write_text(FAULTSTAT, "off\n");
	return *program ? exit_status(status) : 0;
}

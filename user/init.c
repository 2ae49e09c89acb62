/* SPDX-License-Identifier: MIT
 *
 * Process 1, on Faultline and on Linux alike: runs the jobs that ./run put into /etc/faultline/jobs, or,
 * when there are none, a shell on the console.
 *
 * The file is a list of NUL-terminated strings, whose first letter says what the rest is:
 *
 *	n NAME		begins a job (all that follows up to the next n belongs to it)
 *	x PATH		what to execute (without: argv[0] as a path)
 *	a ARGUMENT	argv, in order		e NAME=VALUE	environment
 *	d DIRECTORY	to start in		t SECONDS	when to give up
 *	u UID		who it runs as, without capabilities when that is not 0 (without: root)
 *	i PATH		standard input: a file, or "-" for what the host sends; without: /dev/null
 *	c cooked|raw	standard streams are the console, as a terminal or without any processing
 *	w ROWS COLUMNS	the console's size
 *	s DEVICE	swap space to be switched on first
 *	r KIB EVENTS	to be traced while it runs: memory for each CPU's events, and which (set_event's words)
 *
 * On Linux, the modules named in /etc/faultline/modules, one path a line, are loaded before.
 *
 * A job without c has pipes for its standard streams, so that isatty() says what it would say on the host;
 * their contents travel in frames over the second serial line, which also carries (host to guest in brackets)
 *
 *	begin NAME	end STATUS	(a shell's $?: the exit code, or 128 + the signal's number)
 *	o COUNT, e COUNT	so many bytes of standard output, error follow
 *	in [COUNT]	the job's input pipe has room [so many bytes follow; 0: end of input]
 *	slab WHEN CACHE OBJECTS		(batches only: WHEN is before or after)
 *	mem WHEN LABEL KB		(a line of /proc/meminfo, likewise; "mem WHEN end" follows the last)
 *	exit STATUS	the last job's status; the machine powers off
 *
 * This program allocates nothing after it has started, so that memory which is missing after a job is the
 * kernel's fault.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define JOBS_FILE "/etc/faultline/jobs"
#define MODULES_FILE "/etc/faultline/modules"
#define MAX_ARGS 1024
#define CHUNK 1024 /* bytes of input on the way at a time: less than a terminal's buffer */

enum console { CONSOLE_NONE, CONSOLE_RAW, CONSOLE_COOKED };

struct job {
	char *name, *path, *dir, *input, *swap, *trace;
	char *argv[MAX_ARGS + 1], *envp[MAX_ARGS + 1];
	int argc, envc;
	long seconds;
	unsigned int user;
	enum console console;
	struct winsize size;
};

static char jobs_text[512 * 1024];
static size_t jobs_len, jobs_at;
static struct job job;
static int control = -1; /* the second serial line */

/* ---- small helpers ---- */

static void write_all(int fd, const char *data, size_t n)
{
	while (n) {
		ssize_t r = write(fd, data, n);

		if (r < 0 && errno != EINTR && errno != EAGAIN)
			return;
		if (r > 0) {
			data += r;
			n -= r;
		}
	}
}

__attribute__((format(printf, 1, 2))) static void report(const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (control >= 0)
		write_all(control, line, n);
}

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int shell_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static size_t read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t r;

	if (fd < 0)
		return 0;
	while (n < size - 1 && (r = read(fd, buf + n, size - 1 - n)) > 0)
		n += r;
	close(fd);
	buf[n] = 0;
	return n;
}

/* Bytes pass unchanged in both directions. */
static void make_raw(int fd)
{
	struct termios t;

	if (tcgetattr(fd, &t))
		return;
	cfmakeraw(&t);
	tcsetattr(fd, TCSANOW, &t);
}

static void power_off(int status)
{
	report("exit %d\n", status);
	if (control >= 0)
		tcdrain(control);
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

/* ---- start-up ---- */

/* What Linux leaves to its first process; Faultline has all of this from the start and may refuse. */
static void mount_filesystems(void)
{
	if (!access("/proc/meminfo", F_OK))
		return;
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mkdir("/dev/shm", 01777);
	mount("tmpfs", "/dev/shm", "tmpfs", 0, "mode=1777");
	mkdir("/dev/pts", 0755);
	mount("devpts", "/dev/pts", "devpts", 0, NULL);
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");
}

static void load_module(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
		dprintf(2, "init: %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void load_modules(void)
{
	static char text[4096];
	char *rest = text, *path;

	read_file(MODULES_FILE, text, sizeof(text));
	while ((path = strsep(&rest, "\n")))
		if (*path)
			load_module(path);
}

/*
 * Pages and page tables that a job would be said to keep when init touched them first while it runs: those of
 * the stack, and those of the vDSO's clock, which may lie alone in their page table.
 */
static void touch_memory(void)
{
	volatile char stack[32 * 1024];

	for (size_t i = 0; i < sizeof(stack); i += 1024)
		stack[i] = 0;
	now_ms();
}

static int open_console(void)
{
	int fd = open("/dev/ttyS0", O_RDWR | O_NOCTTY | O_CLOEXEC);

	return fd >= 0 ? fd : open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);
}

/* Descriptors 0 to 2 are the console, whatever the kernel gave us. */
static void set_up_streams(void)
{
	int fd = open_console();

	for (int i = 0; fd >= 0 && i < 3; i++)
		if (fd != i)
			dup2(fd, i);
	if (fd > 2)
		close(fd);
}

/* ---- the job list ---- */

static void job_string(char *s)
{
	char *rest = s + 1;

	switch (s[0]) {
	case 'x':
		job.path = rest;
		break;
	case 'a':
		if (job.argc < MAX_ARGS)
			job.argv[job.argc++] = rest;
		break;
	case 'e':
		if (job.envc < MAX_ARGS)
			job.envp[job.envc++] = rest;
		break;
	case 'd':
		job.dir = rest;
		break;
	case 't':
		job.seconds = atol(rest);
		break;
	case 'u':
		job.user = strtoul(rest, NULL, 10);
		break;
	case 'i':
		job.input = rest;
		break;
	case 'c':
		job.console = strcmp(rest, "raw") ? CONSOLE_COOKED : CONSOLE_RAW;
		break;
	case 's':
		job.swap = rest;
		break;
	case 'r':
		job.trace = rest;
		break;
	case 'w':
		sscanf(rest, "%hu %hu", &job.size.ws_row, &job.size.ws_col);
		break;
	}
}

/* Parses the next job of the list into `job`; false at the end. */
static bool next_job(void)
{
	memset(&job, 0, sizeof(job));
	while (jobs_at < jobs_len) {
		char *s = jobs_text + jobs_at;

		if (s[0] == 'n') {
			if (job.name)
				break;
			job.name = s + 1;
		} else if (job.name) {
			job_string(s);
		}
		jobs_at += strlen(s) + 1;
	}
	job.argv[job.argc] = NULL;
	job.envp[job.envc] = NULL;
	if (!job.path)
		job.path = job.argv[0];
	return job.name && job.path;
}

/* ---- running one ---- */

/* In the child: user and group become the job's; false, with a word, when the kernel refuses. */
static bool become_user(void)
{
	if (!job.user)
		return true;
	if (!setgroups(0, NULL) && !setgid(job.user) && !setuid(job.user))
		return true;
	dprintf(2, "init: user %u: %s\n", job.user, strerror(errno));
	return false;
}

/* In the child: false, with a word, when there is no swap space where the job wants it. */
static bool have_swap(void)
{
	if (!job.swap || !swapon(job.swap, 0) || errno == EBUSY)
		return true;
	dprintf(2, "init: swapon %s: %s\n", job.swap, strerror(errno));
	return false;
}

/* ---- tracing: the host reads the records out of our memory ---- */

#define TRACING "/sys/kernel/tracing/"

static void trace_write(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		dprintf(2, "init: %s: %s\n", file, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* Everything but the last step, which the child takes (1) and we take back (0). */
static void trace_prepare(void)
{
	char kib[32];
	int n;

	if (!job.trace || sscanf(job.trace, "%31s %n", kib, &n) != 1)
		return;
	trace_write(TRACING "tracing_on", "0");
	trace_write(TRACING "buffer_size_kb", kib);
	trace_write(TRACING "set_event", job.trace + n);
}

static void trace_switch(const char *on)
{
	if (job.trace)
		trace_write(TRACING "tracing_on", on);
}

/* In the child: does not return. */
static void become_job(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	if (job.dir && chdir(job.dir))
		dprintf(2, "init: %s: %s\n", job.dir, strerror(errno));
	if (!have_swap())
		_exit(126);
	trace_switch("1");
	if (!become_user())
		_exit(126);
	execve(job.path, job.argv, job.envp);
	dprintf(2, "init: %s: %s\n", job.path, strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* In the child: a session of its own with the console as its terminal. */
static void take_console(void)
{
	int fd;

	setsid();
	fd = open_console();
	if (fd < 0)
		return;
	if (job.size.ws_row)
		ioctl(fd, TIOCSWINSZ, &job.size);
	if (job.console == CONSOLE_RAW)
		make_raw(fd);
	ioctl(fd, TIOCSCTTY, 0);
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
}

/* Reaps whoever ended; true, and the wait status, when it was pid. */
static bool reap(pid_t pid, int *status)
{
	bool found = false;
	int s;
	pid_t p;

	while ((p = waitpid(-1, &s, WNOHANG)) > 0)
		if (p == pid) {
			*status = s;
			found = true;
		}
	return found;
}

static void kill_everyone(void)
{
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

/* Sleeps until a descriptor is ready, a child ended, or the deadline (0: none) came. */
static void wait_for_events(struct pollfd *fds, int n, long deadline)
{
	struct timespec ts = { 0 };
	sigset_t none;
	long ms = 0;

	if (deadline) {
		ms = deadline - now_ms();
		if (ms < 0)
			ms = 0;
		ts = (struct timespec){ ms / 1000, ms % 1000 * 1000000 };
	}
	sigemptyset(&none);
	if (ppoll(fds, n, deadline ? &ts : NULL, &none) < 0)
		for (int i = 0; i < n; i++)
			fds[i].revents = 0;
}

static int run_on_console(void)
{
	long deadline = job.seconds ? now_ms() + job.seconds * 1000 : 0;
	int status = 0;
	pid_t pid = fork();

	if (pid < 0)
		return 126;
	if (!pid) {
		take_console();
		become_job();
	}
	while (!reap(pid, &status)) {
		wait_for_events(NULL, 0, deadline);
		if (deadline && now_ms() >= deadline)
			return 124;
	}
	return shell_status(status);
}

/* ---- input from the host ---- */

static struct {
	int fd;		   /* the pipe's writing end, -1 when there is none (any more) */
	bool asked;	   /* "in" was sent, the answer has not come */
	size_t want;	   /* bytes of the answer still to come */
	size_t have, done; /* of buf: received, written to the pipe */
	char buf[CHUNK];
	char line[16]; /* of the answer's head */
	size_t line_len;
} feed = { .fd = -1 };

static void feed_close(void)
{
	if (feed.fd >= 0)
		close(feed.fd);
	feed.fd = -1;
}

static void feed_byte(char c)
{
	if (feed.want) {
		feed.buf[feed.have++] = c;
		feed.asked = --feed.want;
		return;
	}
	if (c != '\n') {
		if (feed.line_len < sizeof(feed.line) - 1)
			feed.line[feed.line_len++] = c;
		return;
	}
	feed.line[feed.line_len] = 0;
	feed.line_len = 0;
	feed.have = feed.done = 0;
	feed.want = strtoul(feed.line, NULL, 10);
	if (feed.want > CHUNK)
		feed.want = CHUNK;
	if (!feed.want) {
		feed.asked = false;
		feed_close();
	}
}

static void feed_receive(void)
{
	char data[256];
	ssize_t n = read(control, data, sizeof(data));

	for (ssize_t i = 0; i < n; i++)
		feed_byte(data[i]);
}

/* Passes on what is there, and asks for more when nothing is. */
static void feed_write(void)
{
	ssize_t n;

	if (feed.asked || feed.fd < 0)
		return;
	if (feed.done < feed.have) {
		n = write(feed.fd, feed.buf + feed.done, feed.have - feed.done);
		if (n > 0)
			feed.done += n;
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			feed_close();
	}
	if (feed.done == feed.have && feed.fd >= 0) {
		feed.asked = true;
		report("in\n");
	}
}

/* ---- streams over the second serial line ---- */

/* Sends what a pipe holds; false at its end. */
static bool forward(int fd, char letter)
{
	static char frame[4096 + 16];
	ssize_t n = read(fd, frame + 16, 4096);
	int head;

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	head = snprintf(frame, 16, "%c %zd\n", letter, n);
	memmove(frame + 16 - head, frame, head);
	write_all(control, frame + 16 - head, head + n);
	return true;
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0 && (p.revents & POLLIN);
}

/* Events until the job ends. out and err are the pipes' reading ends. */
static int stream_loop(pid_t pid, int out, int err)
{
	long deadline = job.seconds ? now_ms() + job.seconds * 1000 : 0;
	bool out_open = true, err_open = true;
	int status = 0;

	while (!reap(pid, &status)) {
		bool feeding = feed.fd >= 0 && !feed.asked;
		struct pollfd p[] = {
			{ .fd = out_open ? out : -1, .events = POLLIN },
			{ .fd = err_open ? err : -1, .events = POLLIN },
			{ .fd = feed.asked ? control : -1, .events = POLLIN },
			{ .fd = feeding ? feed.fd : -1, .events = POLLOUT },
		};

		wait_for_events(p, 4, deadline);
		if (p[0].revents)
			out_open = forward(out, 'o');
		if (p[1].revents)
			err_open = forward(err, 'e');
		if (p[2].revents)
			feed_receive();
		if (p[3].revents)
			feed_write();
		if (deadline && now_ms() >= deadline)
			return 124;
	}
	/* What the job left in the pipes; whoever still holds their other ends is not waited for. */
	while (readable(out) && forward(out, 'o'))
		;
	while (readable(err) && forward(err, 'e'))
		;
	return shell_status(status);
}

static int job_input(void)
{
	if (job.input && strcmp(job.input, "-"))
		return open(job.input, O_RDONLY | O_CLOEXEC);
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int run_in_streams(void)
{
	bool fed = job.input && !strcmp(job.input, "-");
	int out[2], err[2], in[2] = { -1, -1 };
	int status = 126;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC))
		return status;
	if (pipe2(err, O_CLOEXEC))
		goto close_out;
	if (fed) {
		if (pipe2(in, O_CLOEXEC))
			goto close_err;
		fcntl(in[1], F_SETFL, O_NONBLOCK);
		feed.fd = in[1];
	}
	pid = fork();
	if (!pid) {
		setsid();
		dup2(fed ? in[0] : job_input(), 0);
		dup2(out[1], 1);
		dup2(err[1], 2);
		become_job();
	}
	close(out[1]);
	close(err[1]);
	out[1] = err[1] = -1;
	if (fed)
		close(in[0]);
	if (pid > 0)
		status = stream_loop(pid, out[0], err[0]);
	feed_close();
close_err:
	close(err[0]);
	if (err[1] >= 0)
		close(err[1]);
close_out:
	close(out[0]);
	if (out[1] >= 0)
		close(out[1]);
	return status;
}

/* ---- the leak oracle ---- */

/* Removes what is in it, until a pass finds nothing that it can remove. */
static void empty_directory(const char *path)
{
	_Alignas(struct dirent) char entries[1024];
	char name[512];
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool removed = false;
	int n;

	while (fd >= 0 && (n = getdents(fd, (struct dirent *)entries, sizeof(entries))) > 0) {
		for (int at = 0; at < n; at += ((struct dirent *)(entries + at))->d_reclen) {
			struct dirent *e = (struct dirent *)(entries + at);

			if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
				continue;
			snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
			if (unlink(name) && (errno == EISDIR || errno == EPERM)) {
				empty_directory(name);
				removed |= !rmdir(name);
			} else {
				removed |= access(name, F_OK) != 0;
			}
		}
	}
	if (fd >= 0)
		close(fd);
	if (removed)
		empty_directory(path);
}

/*
 * A task's stack is given back by the CPU it died on, once that has gone on to another task: to us, and
 * then every task that ended before is gone.
 */
static void visit_every_cpu(void)
{
	cpu_set_t all, one;

	if (sched_getaffinity(0, sizeof(all), &all))
		return;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
	}
	sched_setaffinity(0, sizeof(all), &all);
}

/* What is in swap would seem to be free, so memory is counted with all areas off. Those that were on. */
static char swaps[4][64];

static void swap_off(void)
{
	char text[1024], *line = text, *next;
	size_t n = 0;

	memset(swaps, 0, sizeof(swaps));
	read_file("/proc/swaps", text, sizeof(text));
	for (; line && *line && n < sizeof(swaps) / sizeof(swaps[0]); line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		if (*line != '/' || sscanf(line, "%63s", swaps[n]) != 1)
			continue;
		if (swapoff(swaps[n]))
			report("books after swapoff %s: %s\n", swaps[n], strerror(errno));
		n++;
	}
}

static void swap_on(void)
{
	for (size_t i = 0; i < sizeof(swaps) / sizeof(swaps[0]) && swaps[i][0]; i++)
		swapon(swaps[i], 0);
}

/* A debug kernel makes up the books of all memory anew; nobody else runs now. */
static void report_books(const char *when)
{
	char text[256];

	if (read_file("/proc/validate", text, sizeof(text)) && strcmp(text, "ok\n"))
		report("books %s %s", when, text);
}

/* A line for each of the text's that holds a word and then a figure. */
static void report_figures(const char *word, const char *when, char *text)
{
	char name[64], *next;
	long figure;

	for (char *line = text; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		if (sscanf(line, "%63[^ :]%*[ :]%ld", name, &figure) == 2)
			report("%s %s %s %ld\n", word, when, name, figure);
	}
}

/* Memory and live kernel objects once everything that can be given back is given back. */
static void report_memory(const char *when)
{
	static char slabs[64 * 1024], memory[4096];
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	visit_every_cpu();
	report_books(when);
	if (fd >= 0) {
		write_all(fd, "3\n", 2);
		close(fd);
	}
	read_file("/proc/slabinfo", slabs, sizeof(slabs));
	read_file("/proc/meminfo", memory, sizeof(memory));
	report_figures("slab", when, slabs);
	report_figures("mem", when, memory);
	report("mem %s end\n", when);
}

static int run_batch_job(void)
{
	int status;

	swap_off();
	report_memory("before");
	swap_on();
	report("begin %s\n", job.name);
	status = job.console == CONSOLE_NONE ? run_in_streams() : run_on_console();
	kill_everyone();
	report("end %d\n", status);
	empty_directory("/tmp");
	empty_directory("/dev/shm");
	swap_off();
	report_memory("after");
	swap_on();
	return status;
}

/* ---- without jobs ---- */

static void run_shell(void)
{
	static char *const argv[] = { "-sh", NULL };
	static char *const envp[] = { "HOME=/root",
				      "TERM=linux",
				      "USER=root",
				      "SHELL=/bin/sh",
				      "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
				      NULL };

	memset(&job, 0, sizeof(job));
	job.console = CONSOLE_COOKED;
	job.path = "/bin/sh";
	job.dir = "/root";
	memcpy(job.argv, argv, sizeof(argv));
	memcpy(job.envp, envp, sizeof(envp));
	power_off(run_on_console());
}

static void on_child(int sig)
{
	(void)sig;
}

int main(void)
{
	struct sigaction sa = { .sa_handler = on_child };
	bool batch = false;
	int status = 0;
	sigset_t set;

	umask(022);
	touch_memory();
	mount_filesystems();
	set_up_streams();
	load_modules();
	control = open("/dev/ttyS1", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (control >= 0)
		make_raw(control);
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGCHLD, &sa, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);

	jobs_len = read_file(JOBS_FILE, jobs_text, sizeof(jobs_text));
	if (!jobs_len)
		run_shell();
	batch = jobs_text[0] == 'n' && jobs_text[1];
	while (next_job()) {
		trace_prepare();
		status = batch			       ? run_batch_job()
			 : job.console == CONSOLE_NONE ? run_in_streams()
						       : run_on_console();
		trace_switch("0");
	}
	power_off(status);
}

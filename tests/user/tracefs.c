/* SPDX-License-Identifier: MIT
 *
 * /sys/kernel/tracing: events are switched on by their files, and what happens then is read from trace and trace_pipe.
 * Needs tracefs, which on Linux root may have to mount.
 */
#include "test.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#define TRACING "/sys/kernel/tracing/"
#define FAULTS "events/exceptions/page_fault_user/"
#define SWITCHES "events/sched/sched_switch/"

static const char *path_of(const char *file)
{
	static char path[256];

	snprintf(path, sizeof(path), TRACING "%s", file);
	return path;
}

static const char *text_of(const char *file)
{
	char *text = slurp(path_of(file));

	return text ? text : "";
}

/* Mounted for this program alone, if it has to be. Who traces already is left in peace. */
static bool have_tracefs(void)
{
	static int have = -1;

	if (have < 0) {
		if (access(TRACING "trace", F_OK) && !unshare(CLONE_NEWNS) &&
		    !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
			(void)mount("nodev", TRACING, "tracefs", 0, NULL);
		have = !access(TRACING FAULTS "enable", R_OK | W_OK) &&
		       !strcmp(text_of("events/enable"), "0\n");
	}
	return have;
}

#define NEED_TRACEFS()                                                                             \
	do {                                                                                       \
		if (!have_tracefs())                                                               \
			SKIP("no tracefs with these events");                                      \
	} while (0)

/* What write() returned, or -errno. how: O_TRUNC or O_APPEND. */
static long put_how(const char *file, const char *text, int how)
{
	int fd = open(path_of(file), O_WRONLY | O_CLOEXEC | how);
	long n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	n = n < 0 ? -errno : n;
	close(fd);
	return n;
}

static long put(const char *file, const char *text)
{
	return put_how(file, text, O_TRUNC);
}

/* Nothing is on, nothing is recorded, and no memory is kept for it. */
static void all_off(void)
{
	put("events/enable", "0");
	put("tracing_on", "1");
	put("trace", "\n");
}

static void touch_pages(unsigned int n)
{
	char *p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	MUST(p != MAP_FAILED);
	for (unsigned int i = 0; i < n; i++)
		p[i * PAGE] = 1;
	munmap(p, n * PAGE);
}

/* Lines of text with this event of this task. */
static int count_events(const char *text, const char *event)
{
	char task[32], name[64];
	int n = 0;

	snprintf(task, sizeof(task), "-%d ", (int)getpid());
	snprintf(name, sizeof(name), " %s: ", event);
	while (*text) {
		const char *end = strchrnul(text, '\n');
		const char *at = strstr(text, task), *event_at = strstr(text, name);

		n += *text != '#' && at && at < end && event_at && event_at < end;
		text = *end ? end + 1 : end;
	}
	return n;
}

TEST(magic, "statfs knows tracefs")
{
	struct statfs st;

	NEED_TRACEFS();
	MUST(!statfs(TRACING, &st));
	CHECK_EQ(st.f_type, 0x74726163);
}

TEST(nop_tracer, "nop is a tracer, and an unknown one is refused")
{
	NEED_TRACEFS();
	CHECK(strstr(text_of("available_tracers"), "nop"));
	CHECK_EQ(put("current_tracer", "nop"), 3);
	CHECK_STR(text_of("current_tracer"), "nop\n");
	CHECK_EQ(put("current_tracer", "no_such_tracer"), -EINVAL);
}

TEST(available, "available_events lists system:event")
{
	NEED_TRACEFS();
	CHECK(strstr(text_of("available_events"), "exceptions:page_fault_user\n"));
	CHECK(strstr(text_of("available_events"), "sched:sched_switch\n"));
	CHECK(strstr(text_of("available_events"), "mmap_lock:mmap_lock_acquire_returned\n"));
}

TEST(format, "format names the event, its number and its fields")
{
	char id[32], line[64];
	const char *text;

	NEED_TRACEFS();
	snprintf(id, sizeof(id), "%s", text_of(SWITCHES "id"));
	snprintf(line, sizeof(line), "name: sched_switch\nID: %sformat:\n", id);
	text = text_of(SWITCHES "format");
	CHECK(!strncmp(text, line, strlen(line)));
	CHECK(strstr(text, "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"));
	CHECK(strstr(text, "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n"));
	CHECK(strstr(text, "\tfield:char prev_comm[16];\toffset:8;\tsize:16;"));
	CHECK(strstr(text, "\nprint fmt: \"prev_comm=%s"));
}

TEST(enable, "the enable files of an event, its system and all events agree")
{
	NEED_TRACEFS();
	all_off();
	CHECK_STR(text_of("events/enable"), "0\n");
	CHECK_EQ(put(FAULTS "enable", "1\n"), 2);
	CHECK_STR(text_of(FAULTS "enable"), "1\n");
	CHECK_STR(text_of("events/exceptions/enable"), "X\n");
	CHECK_STR(text_of("events/enable"), "X\n");
	CHECK_EQ(put("events/exceptions/enable", "1"), 1);
	CHECK_STR(text_of("events/exceptions/page_fault_kernel/enable"), "1\n");
	CHECK_STR(text_of("events/exceptions/enable"), "1\n");
	CHECK_EQ(put(FAULTS "enable", "2"), -EINVAL);
	CHECK_EQ(put(FAULTS "enable", "yes"), -EINVAL);
	CHECK_EQ(put("events/enable", "0"), 1);
	CHECK_STR(text_of(FAULTS "enable"), "0\n");
	all_off();
}

TEST(set_event, "set_event takes names and lists what is on")
{
	NEED_TRACEFS();
	all_off();
	CHECK_EQ(put("set_event", "sched:sched_switch"), 18);
	CHECK_STR(text_of("set_event"), "sched:sched_switch\n");
	CHECK_EQ(put_how("set_event", "page_fault_user\n", O_APPEND), 16);
	CHECK_STR(text_of("set_event"), "exceptions:page_fault_user\nsched:sched_switch\n");
	CHECK_EQ(put_how("set_event", "!sched:sched_switch", O_APPEND), 19);
	CHECK_STR(text_of("set_event"), "exceptions:page_fault_user\n");
	CHECK_EQ(put("set_event", "no:such"), -EINVAL);
	CHECK_STR(text_of("set_event"), "");
	all_off();
}

TEST(faults, "each fault is a line of trace")
{
	const char *text;

	NEED_TRACEFS();
	all_off();
	put(FAULTS "enable", "1");
	touch_pages(20);
	put("tracing_on", "0");
	text = text_of("trace");
	CHECK(!strncmp(text, "# tracer: nop\n#\n# entries-in-buffer/entries-written: ", 53));
	CHECK_RANGE(count_events(text, "page_fault_user"), 20, 200);
	CHECK(strstr(text, " page_fault_user: address=0x"));
	all_off();
	CHECK_EQ(count_events(text_of("trace"), "page_fault_user"), 0);
}

TEST(off, "nothing is recorded while tracing_on is 0, and on again")
{
	NEED_TRACEFS();
	all_off();
	put(FAULTS "enable", "1");
	CHECK_EQ(put("tracing_on", "0"), 1);
	CHECK_STR(text_of("tracing_on"), "0\n");
	put("trace", "\n");
	touch_pages(20);
	CHECK_EQ(count_events(text_of("trace"), "page_fault_user"), 0);
	CHECK_EQ(put("tracing_on", "1"), 1);
	touch_pages(20);
	CHECK_RANGE(count_events(text_of("trace"), "page_fault_user"), 20, 300);
	all_off();
}

TEST(pipe, "trace_pipe takes what it reads out, and does not wait where it may not")
{
	static char text[256 * 1024];
	size_t n = 0;
	ssize_t r;
	int fd;

	NEED_TRACEFS();
	all_off();
	fd = open(path_of("trace_pipe"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	MUST(fd >= 0);
	CHECK_ERR(read(fd, text, sizeof(text)), EAGAIN);
	put(FAULTS "enable", "1");
	touch_pages(20);
	put("tracing_on", "0");
	while ((r = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)r;
	text[n] = 0;
	close(fd);
	CHECK_RANGE(count_events(text, "page_fault_user"), 20, 300);
	CHECK_EQ(count_events(text_of("trace"), "page_fault_user"), 0);
	all_off();
}

TEST(pipe_waits, "trace_pipe waits for the first event")
{
	char text[256];
	pid_t child;
	int fd;

	NEED_TRACEFS();
	all_off();
	fd = open(path_of("trace_pipe"), O_RDONLY | O_CLOEXEC);
	MUST(fd >= 0);
	child = fork();
	MUST(child >= 0);
	if (!child) {
		usleep(50000);
		put(FAULTS "enable", "1");
		for (int i = 0; i < 100; i++) {
			touch_pages(1);
			usleep(10000);
		}
		_exit(0);
	}
	CHECK(read(fd, text, sizeof(text)) > 0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(fd);
	all_off();
}

TEST(lost, "a buffer that is too small keeps the newest events and counts all")
{
	unsigned long kept = 0, written = 0;
	char size[32], *text;

	NEED_TRACEFS();
	all_off();
	snprintf(size, sizeof(size), "%s", text_of("buffer_size_kb"));
	CHECK_EQ(put("buffer_size_kb", "8"), 1);
	put(FAULTS "enable", "1");
	touch_pages(4000);
	put("tracing_on", "0");
	text = slurp(path_of("trace"));
	MUST(text);
	text = strstr(text, "entries-written: ");
	CHECK(text && sscanf(text, "entries-written: %lu/%lu", &kept, &written) == 2);
	CHECK_RANGE(written, 4000, 100000);
	CHECK_RANGE(kept, 1, written - 1000);
	put("buffer_size_kb", strchr(size, '(') ? "1408" : size);
	CHECK_EQ(put("buffer_size_kb", "0"), -EINVAL);
	all_off();
}

TEST_MAIN()

/* SPDX-License-Identifier: MIT
 *
 * What /proc and /sys say of the machine's CPUs: the same everywhere, and moving as time passes.
 */
#include "test.h"
#include <sched.h>
#include <sys/sysinfo.h>

#define MAX_CPUS 1024
#define SYS_CPU "/sys/devices/system/cpu/"
#define TICK_MS 10

static bool online[MAX_CPUS];
static int nr_online, last_online;

/* Reads "0-3,5\n" into a set; how many, or -1 when it is not such a list. */
static int parse_list(const char *s, bool *set)
{
	int n = 0;

	memset(set, 0, MAX_CPUS * sizeof(*set));
	while (*s != '\n' || n == 0) {
		char *end;
		long first = strtol(s, &end, 10), last = first;

		if (end == s)
			return -1;
		if (*end == '-')
			last = strtol(end + 1, &end, 10);
		if (last < first || last >= MAX_CPUS)
			return -1;
		for (long i = first; i <= last; i++, n++)
			set[i] = true;
		s = end + (*end == ',');
	}
	return n;
}

static char *sys_text(int cpu, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), SYS_CPU "cpu%d/%s", cpu, name);
	return slurp(path);
}

static long sys_number(int cpu, const char *name)
{
	char *text = sys_text(cpu, name);

	return text && *text ? strtol(text, NULL, 10) : -1;
}

static int sys_list(int cpu, const char *name, bool *set)
{
	char *text = sys_text(cpu, name);

	return text ? parse_list(text, set) : -1;
}

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	MUST(!sched_setaffinity(0, sizeof(set), &set));
}

/* Computes for five ticks without asking for CPU time meanwhile. */
static void burn(void)
{
	int64_t end = now_ns(CLOCK_MONOTONIC) + 5 * TICK_MS * 1000000L;

	while (now_ns(CLOCK_MONOTONIC) < end)
		for (volatile int i = 0; i < 100000; i++)
			;
}

/* A virtual CPU that has to wait for a real one misses ticks. */
#define BURNS 40

TEST(online, "the list of CPUs that are online is among the present and possible ones")
{
	bool set[MAX_CPUS];
	char *text = slurp(SYS_CPU "online");

	MUST(text);
	nr_online = parse_list(text, online);
	MUST(nr_online > 0);
	for (int i = 0; i < MAX_CPUS; i++)
		if (online[i])
			last_online = i;
	CHECK_EQ(nr_online, get_nprocs());
	CHECK(parse_list(slurp(SYS_CPU "present"), set) >= nr_online);
	CHECK(parse_list(slurp(SYS_CPU "possible"), set) >= nr_online);
	for (int i = 0; i < MAX_CPUS; i++)
		CHECK(!online[i] || set[i]);
	text = slurp(SYS_CPU "offline");
	CHECK(text && strchr(text, '\n'));
	CHECK(strtol(slurp(SYS_CPU "kernel_max"), NULL, 10) >= last_online);
	CHECK(parse_list(slurp("/sys/devices/system/node/node0/cpulist"), set) > 0);
}

TEST(directories, "each CPU has a directory, listed and found by name; no other has")
{
	bool listed[MAX_CPUS] = { false };
	char path[64];
	struct dirent *e;
	struct stat st;
	DIR *d = opendir(SYS_CPU);

	MUST(d);
	while ((e = readdir(d))) {
		int cpu, used = 0;

		if (sscanf(e->d_name, "cpu%d%n", &cpu, &used) == 1 && !e->d_name[used]) {
			CHECK_EQ(e->d_type, DT_DIR);
			CHECK(!listed[cpu]);
			listed[cpu] = true;
			snprintf(path, sizeof(path), SYS_CPU "cpu%d", cpu);
			CHECK_OK(stat(path, &st));
			CHECK_EQ(st.st_ino, e->d_ino);
		}
	}
	closedir(d);
	for (int i = 0; i < MAX_CPUS; i++)
		CHECK(!online[i] || listed[i]);
	CHECK_ERR(stat(SYS_CPU "cpu1023", &st), ENOENT);
	CHECK_ERR(stat(SYS_CPU "cpu00", &st), ENOENT);
	CHECK_ERR(stat(SYS_CPU "cpu-1", &st), ENOENT);
	CHECK_ERR(stat(SYS_CPU "cpu", &st), ENOENT);
	for (int i = 1; i <= last_online; i++)
		CHECK(!online[i] || sys_number(i, "online") == 1);
}

TEST(topology, "threads are part of their core, cores of their package; lists and masks agree")
{
	bool threads[MAX_CPUS], cores[MAX_CPUS], other[MAX_CPUS];

	for (int i = 0; i <= last_online; i++) {
		char *mask;

		if (!online[i])
			continue;
		CHECK(sys_list(i, "topology/thread_siblings_list", threads) > 0 && threads[i]);
		CHECK(sys_list(i, "topology/core_cpus_list", other) > 0);
		CHECK(!memcmp(threads, other, sizeof(other)));
		CHECK(sys_list(i, "topology/core_siblings_list", cores) > 0 && cores[i]);
		CHECK(sys_list(i, "topology/package_cpus_list", other) > 0);
		CHECK(!memcmp(cores, other, sizeof(other)));
		CHECK(sys_number(i, "topology/core_id") >= 0);
		for (int k = 0; k <= last_online; k++) {
			CHECK(!threads[k] || cores[k]);
			CHECK(!threads[k] || sys_number(k, "topology/core_id") ==
						     sys_number(i, "topology/core_id"));
			CHECK(!cores[k] || sys_number(k, "topology/physical_package_id") ==
						   sys_number(i, "topology/physical_package_id"));
		}
		/* The mask's lowest word is its last one. */
		mask = sys_text(i, "topology/core_siblings");
		MUST(mask);
		mask = strrchr(mask, ',') ? strrchr(mask, ',') + 1 : mask;
		for (int k = 0; k < 32; k++)
			CHECK_EQ(strtoul(mask, NULL, 16) >> k & 1, cores[k]);
	}
}

/* The number after a label in one block of cpuinfo, -1 without it. */
static long field(const char *block, const char *label)
{
	const char *p = strstr(block, label);

	return p ? strtol(strchr(p, ':') + 1, NULL, 10) : -1;
}

TEST(cpuinfo, "cpuinfo has a block a CPU, in order, that agrees with /sys")
{
	static char text[512 * 1024];
	char *block = text, *end;
	int n = 0;

	snprintf(text, sizeof(text), "%s", slurp("/proc/cpuinfo"));
	for (int i = 0; i <= last_online; i++) {
		bool set[MAX_CPUS];

		if (!online[i])
			continue;
		end = strstr(block, "\n\n");
		if (!end) {
			FAIL("no block for CPU %d", i);
			break;
		}
		*end = 0;
		CHECK(!strncmp(block, "processor\t: ", 12));
		CHECK_EQ(field(block, "processor\t:"), i);
		CHECK_EQ(field(block, "physical id\t:"),
			 sys_number(i, "topology/physical_package_id"));
		CHECK_EQ(field(block, "core id\t\t:"), sys_number(i, "topology/core_id"));
		CHECK_EQ(field(block, "siblings\t:"),
			 sys_list(i, "topology/core_siblings_list", set));
		CHECK_RANGE(field(block, "cpu cores\t:"), 1, nr_online);
		CHECK(field(block, "\napicid\t\t:") >= 0);
		CHECK_EQ(field(block, "\ninitial apicid\t:"), field(block, "\napicid\t\t:"));
		block = end + 2;
		n++;
	}
	CHECK_EQ(n, nr_online);
	CHECK_STR(block, "");
}

struct times {
	unsigned long v[10]; /* user nice system idle iowait irq softirq steal guest guest_nice */
};

static bool read_times(const char *name, struct times *t)
{
	char label[16], *p;
	int n = 0;

	snprintf(label, sizeof(label), "%s ", name);
	p = slurp("/proc/stat");
	while (p && strncmp(p, label, strlen(label)))
		p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL;
	if (!p)
		return false;
	p += strlen(label);
	while (n < 10 && *p != '\n')
		t->v[n++] = strtoul(p, &p, 10);
	return n == 10 && *p == '\n';
}

static bool read_cpu_times(int cpu, struct times *t)
{
	char name[16];

	snprintf(name, sizeof(name), "cpu%d", cpu);
	return read_times(name, t);
}

TEST(stat_lines, "stat: ten times for each CPU, and their sum first")
{
	struct times sum, each, added = { { 0 } };
	char *text;

	CHECK(!strncmp(slurp("/proc/stat"), "cpu  ", 5));
	MUST(read_times("cpu", &sum));
	for (int i = 0; i < MAX_CPUS; i++) {
		CHECK_EQ(read_cpu_times(i, &each), online[i]);
		for (int k = 0; online[i] && k < 10; k++)
			added.v[k] += each.v[k];
	}
	/* Read one after the other, and rounded. */
	for (int k = 0; k < 4; k++)
		CHECK_RANGE(added.v[k] - sum.v[k], -(nr_online + 1),
			    nr_online * 200 + (long)sum.v[k] / 10);
	text = strstr(slurp("/proc/stat"), "\nintr ");
	MUST(text);
	CHECK(strtoul(text + 6, NULL, 10) > 0);
	CHECK(strstr(text, "\nsoftirq "));
}

static long user_ticks(int cpu)
{
	struct times t;

	MUST(read_cpu_times(cpu, &t));
	return (long)(t.v[0] + t.v[1]);
}

TEST(stat_busy, "stat: who computes on a CPU adds to its user time")
{
	for (int i = 0; i <= last_online && i < 8; i++) {
		long before, passed = 0;

		if (!online[i])
			continue;
		run_on(i);
		before = user_ticks(i);
		for (int n = 0; n < BURNS && passed < 10; n++) {
			burn();
			passed = user_ticks(i) - before;
		}
		CHECK_RANGE(passed, 10, 5 * BURNS);
	}
}

static long total(const struct times *t)
{
	long sum = 0;

	/* The last two are part of the first two. */
	for (int k = 0; k < 8; k++)
		sum += (long)t->v[k];
	return sum;
}

TEST(stat_all, "stat: all times together pass as fast as the clock, on every CPU")
{
	struct times before[MAX_CPUS], after;
	int64_t start = now_ns(CLOCK_MONOTONIC);
	long ticks;

	for (int i = 0; i <= last_online; i++)
		MUST(!online[i] || read_cpu_times(i, &before[i]));
	sleep_ms(50 * TICK_MS);
	ticks = (long)((now_ns(CLOCK_MONOTONIC) - start) / (TICK_MS * 1000000));
	for (int i = 0; i <= last_online; i++) {
		if (!online[i])
			continue;
		MUST(read_cpu_times(i, &after));
		CHECK_RANGE(total(&after) - total(&before[i]), ticks / 2, ticks * 3 / 2 + 5);
	}
}

TEST(uptime, "uptime: the idle time of all CPUs together, as stat has it")
{
	struct times t;
	double up, idle;

	MUST(sscanf(slurp("/proc/uptime"), "%lf %lf", &up, &idle) == 2);
	MUST(read_times("cpu", &t));
	CHECK(idle <= up * nr_online + 1);
	CHECK_RANGE((long)(idle * 100) - (long)t.v[3], -100 * nr_online, 50 * nr_online);
}

/* The row's figure for the n-th CPU that is online. */
static long interrupts(const char *label, int column)
{
	char *p = slurp("/proc/interrupts");

	p = p ? strstr(p, label) : NULL;
	if (!p)
		return -1;
	p += strlen(label);
	while (column-- > 0)
		strtol(p, &p, 10);
	return strtol(p, NULL, 10);
}

TEST(interrupts, "interrupts: a column a CPU; timer interrupts on who computes")
{
	char *p = slurp("/proc/interrupts");
	int column = 0;

	MUST(p);
	for (int i = 0; i < MAX_CPUS; i++) {
		char name[16];

		if (!online[i])
			continue;
		p += strspn(p, " ");
		snprintf(name, sizeof(name), "CPU%d ", i);
		CHECK(!strncmp(p, name, strlen(name)));
		p += strlen(name);
	}
	CHECK_EQ(p[strspn(p, " ")], '\n');
	CHECK(interrupts("\nRES:", 0) >= 0);
	CHECK(interrupts("\nCAL:", 0) >= 0);
	CHECK(interrupts("\nTLB:", 0) >= 0);
	for (int i = 0; i <= last_online && column < 8; i++) {
		long before;

		if (!online[i])
			continue;
		run_on(i);
		before = interrupts("\nLOC:", column);
		for (int n = 0; n < BURNS && interrupts("\nLOC:", column) - before < 5; n++)
			burn();
		CHECK(interrupts("\nLOC:", column) - before >= 5);
		column++;
	}
}

TEST_MAIN()

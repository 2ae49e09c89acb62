/* SPDX-License-Identifier: MIT
 *
 * System-wide /proc files: meminfo, vmstat, cpuinfo, stat, uptime, version, mounts, filesystems, sys.
 */
#include "test.h"
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

TEST(meminfo, "meminfo: labels in order, columns, sums that make sense")
{
	static const char *const order[] = {
		"MemTotal:",	 "MemFree:",	    "MemAvailable:", "Buffers:",
		"Cached:",	 "SwapCached:",	    "Active:",	     "Inactive:",
		"Active(anon):", "Inactive(anon):", "Active(file):", "Inactive(file):",
		"Unevictable:",	 "Mlocked:",	    "SwapTotal:",    "SwapFree:",
		"Dirty:",	 "Writeback:",	    "AnonPages:",    "Mapped:",
		"Shmem:",	 "KReclaimable:",   "Slab:",	     "SReclaimable:",
		"SUnreclaim:",	 "KernelStack:",    "PageTables:",   "CommitLimit:",
		"Committed_AS:",
	};
	char *text = slurp("/proc/meminfo");

	MUST(text);
	for (unsigned int i = 0; i < sizeof(order) / sizeof(*order); i++) {
		char *at = strstr(text, order[i]), want[64];

		if (!at) {
			FAIL("%s missing or not in order", order[i]);
			continue;
		}
		snprintf(want, sizeof(want), "%-16s%8ld kB\n", order[i],
			 strtol(at + strlen(order[i]), NULL, 10));
		CHECK(!strncmp(at, want, strlen(want)));
		text = at;
	}
	long total = proc_value("/proc/meminfo", "MemTotal:"),
	     available = proc_value("/proc/meminfo", "MemFree:");

	CHECK(total > 0 && available > 0 && available < total);
}

/* Touches 16 MiB of this kind and says how the value in meminfo moved, in kB. */
static long meminfo_change(const char *label, int flags)
{
	long before = proc_value("/proc/meminfo", label), change;
	char *p = mmap(NULL, 16 * MIB, RW, flags, -1, 0);

	MUST(p != MAP_FAILED);
	memset(p, 1, 16 * MIB);
	change = proc_value("/proc/meminfo", label) - before;
	munmap(p, 16 * MIB);
	return change;
}

TEST(meminfo_moves, "AnonPages and Shmem rise by what is touched")
{
	static const struct {
		const char *label;
		int flags;
	} kinds[] = { { "AnonPages:", ANON }, { "Shmem:", MAP_SHARED | MAP_ANONYMOUS } };

	for (int k = 0; k < 2; k++) {
		long change = 0;

		/* Others allocate and free meanwhile; Linux adds its CPUs' counts up now and then. */
		for (int i = 0; i < 20 && (change < 14000 || change > 18000); i++)
			change = meminfo_change(kinds[k].label, kinds[k].flags);
		CHECK_RANGE(change, 14000, 18000);
	}
}

TEST(vmstat, "vmstat: name value lines; pgfault counts")
{
	static const char *const names[] = { "nr_free_pages ",	"nr_anon_pages ", "nr_mapped ",
					     "nr_file_pages ",	"nr_shmem ",	  "nr_mlock ",
					     "nr_unevictable ", "pgfault ",	  "pgmajfault ",
					     "pgfree " };

	for (unsigned int i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (proc_value("/proc/vmstat", names[i]) < 0)
			FAIL("%s missing", names[i]);
	long before = proc_value("/proc/vmstat", "pgfault ");
	char *p = map_anon(500 * PAGE, RW);

	for (int i = 0; i < 500; i++)
		store(p + i * PAGE, 1);
	CHECK(proc_value("/proc/vmstat", "pgfault ") - before >= 400);
	munmap(p, 500 * PAGE);
}

TEST(cpuinfo, "cpuinfo has a block for CPU 0 with flags")
{
	char *text = slurp("/proc/cpuinfo");

	MUST(text);
	CHECK(strstr(text, "processor\t: 0\n"));
	CHECK(strstr(text, "flags\t\t:"));
	CHECK(strstr(text, " sse2 "));
}

TEST(stat, "stat: cpu lines, ctxt, btime, processes")
{
	char *text = slurp("/proc/stat");

	MUST(text);
	CHECK(!strncmp(text, "cpu  ", 5));
	CHECK(strstr(text, "\ncpu0 "));
	CHECK(strstr(text, "\nctxt "));
	CHECK(strstr(text, "\nbtime "));
	CHECK(strstr(text, "\nprocesses "));
}

TEST(uptime, "uptime: two numbers, sysinfo agrees")
{
	double up = 0, idle = 0;
	struct sysinfo si;

	CHECK_EQ(sscanf(slurp("/proc/uptime"), "%lf %lf\n", &up, &idle), 2);
	MUST(!sysinfo(&si));
	CHECK_RANGE(si.uptime - (long)up, -1, 2);
	CHECK(si.totalram * si.mem_unit / 1024 ==
	      (unsigned long)proc_value("/proc/meminfo", "MemTotal:"));
	CHECK(si.procs > 0);
}

TEST(version, "version and uname: Linux, x86_64")
{
	struct utsname u;

	MUST(!uname(&u));
	CHECK_STR(u.machine, "x86_64");
	CHECK_STR(u.sysname, "Linux");
	CHECK(u.release[0] >= '5' && u.release[0] <= '9');
	CHECK(!strncmp(slurp("/proc/version"), "Linux version ", 14));
	char want[128];

	snprintf(want, sizeof(want), "%s\n", u.release);
	CHECK_STR(slurp("/proc/sys/kernel/osrelease"), want);
}

TEST(mounts, "mounts and filesystems name proc and tmpfs; statfs knows their magic numbers")
{
	struct statfs sf;
	/* The beginning of struct statx, which an older libc lacks. */
	struct {
		uint32_t mask, blksize;
		uint64_t attributes;
		uint64_t others[5];
		uint64_t attributes_mask;
		uint64_t rest[24];
	} sx = { 0 };
	const uint64_t mount_root = 0x2000;

	CHECK(strstr(slurp("/proc/self/mounts"), " /proc proc "));
	/* In a chroot the root directory need not be a mount, and then has no line. */
	MUST(!SYS(statx, AT_FDCWD, "/", 0, 0x7ff, &sx));
	bool mounted = !(sx.attributes_mask & mount_root) || (sx.attributes & mount_root);

	CHECK(!mounted || strstr(slurp("/proc/mounts"), " / "));
	CHECK(strstr(slurp("/proc/filesystems"), "nodev\ttmpfs\n"));
	CHECK(strstr(slurp("/proc/filesystems"), "nodev\tproc\n"));
	MUST(!statfs("/proc", &sf));
	CHECK_EQ(sf.f_type, 0x9fa0);
	MUST(!statfs("/dev/shm", &sf));
	CHECK_EQ(sf.f_type, 0x01021994);
	CHECK_EQ(sf.f_bsize, PAGE);
}

TEST(sys, "entries under /proc/sys that programs read")
{
	static const char *const names[] = { "vm/overcommit_memory",
					     "vm/overcommit_ratio",
					     "vm/max_map_count",
					     "vm/mmap_min_addr",
					     "vm/swappiness",
					     "kernel/pid_max",
					     "kernel/randomize_va_space",
					     "kernel/hostname",
					     "kernel/ostype",
					     "fs/nr_open",
					     "fs/file-max" };
	char path[64];

	for (unsigned int i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "/proc/sys/%s", names[i]);
		char *text = slurp(path);

		if (!text || !*text || text[strlen(text) - 1] != '\n')
			FAIL("%s is missing or has no newline", path);
	}
	CHECK_STR(slurp("/proc/sys/kernel/ostype"), "Linux\n");
}

TEST(oom_score_adj, "oom_score_adj can be written and read; out of range EINVAL")
{
	int fd = open("/proc/self/oom_score_adj", O_RDWR);

	MUST(fd >= 0);
	CHECK_EQ(write(fd, "500\n", 4), 4);
	CHECK_STR(slurp("/proc/self/oom_score_adj"), "500\n");
	CHECK_ERR(pwrite(fd, "2000\n", 5, 0), EINVAL);
	CHECK_ERR(pwrite(fd, "x\n", 2, 0), EINVAL);
	CHECK_EQ(pwrite(fd, "0\n", 2, 0), 2);
	close(fd);
}

TEST_MAIN()

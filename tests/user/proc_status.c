/* SPDX-License-Identifier: MIT
 *
 * /proc/self/status, stat, statm, cmdline, exe, fd, and what is not there.
 */
#include "test.h"

TEST(status_lines,
     "status: name, state, ids and Vm lines in order, kB values in 8 columns after a tab")
{
	static const char *const order[] = {
		"Name:\t",
		"Umask:\t0",
		"State:\tR (running)\n",
		"Tgid:\t",
		"Pid:\t",
		"PPid:\t",
		"TracerPid:\t0\n",
		"Uid:\t0\t0\t0\t0\n",
		"Gid:\t0\t0\t0\t0\n",
		"FDSize:\t",
		"Groups:\t",
		"VmPeak:\t",
		"VmSize:\t",
		"VmLck:\t       0 kB\n",
		"VmPin:\t       0 kB\n",
		"VmHWM:\t",
		"VmRSS:\t",
		"RssAnon:\t",
		"RssFile:\t",
		"RssShmem:\t",
		"VmData:\t",
		"VmStk:\t",
		"VmExe:\t",
		"VmLib:\t",
		"VmPTE:\t",
		"VmSwap:\t       0 kB\n",
		"Threads:\t1\n",
		"SigQ:\t",
		"SigPnd:\t0000000000000000\n",
		"ShdPnd:\t0000000000000000\n",
		"SigBlk:\t",
		"SigIgn:\t",
		"SigCgt:\t",
		"CapInh:\t",
		"CapPrm:\t",
		"CapEff:\t",
		"CapBnd:\t",
	};
	char *text = slurp("/proc/self/status");

	MUST(text);
	for (unsigned int i = 0; i < sizeof(order) / sizeof(*order); i++) {
		char want[64], *at;

		snprintf(want, sizeof(want), "%s%s", i ? "\n" : "", order[i]);
		at = strstr(text, want);
		if (!at)
			FAIL("\"%s\" missing or not in order", order[i]);
		else
			text = at;
		if (at && !strncmp(order[i], "Vm", 2)) {
			at = strchr(at + 1, '\t') + 1;
			CHECK(!strncmp(at + 8, " kB\n", 4));
		}
	}
}

TEST(status_sums, "VmRSS = RssAnon + RssFile + RssShmem; VmHWM and VmPeak not below")
{
	long anon = proc_value("/proc/self/status", "RssAnon:"),
	     file = proc_value("/proc/self/status", "RssFile:"),
	     shmem = proc_value("/proc/self/status", "RssShmem:"),
	     rss = proc_value("/proc/self/status", "VmRSS:");

	CHECK_RANGE(rss - anon - file - shmem, -64, 64); /* pages may come between two reads */
	CHECK(proc_value("/proc/self/status", "VmHWM:") >= rss);
	CHECK(proc_value("/proc/self/status", "VmPeak:") >=
	      proc_value("/proc/self/status", "VmSize:"));
}

TEST(status_shmem, "pages of a shared anonymous mapping count in RssShmem")
{
	char *p = mmap(NULL, 512 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long before = proc_value("/proc/self/status", "RssShmem:");

	MUST(p != MAP_FAILED);
	memset(p, 1, 512 * PAGE);
	CHECK_RANGE(proc_value("/proc/self/status", "RssShmem:") - before, 2048 - 256, 2048 + 256);
	munmap(p, 512 * PAGE);
}

static void catch_nothing(int sig UNUSED)
{
}

static unsigned long mask_of(const char *label)
{
	char *at = strstr(slurp("/proc/self/status"), label);

	return at ? strtoul(at + strlen(label), NULL, 16) : -1UL;
}

TEST(status_signals, "SigBlk, SigIgn, SigCgt, SigPnd are the masks")
{
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	MUST(!sigprocmask(SIG_BLOCK, &set, &old));
	raise(SIGUSR1);
	signal(SIGUSR2, SIG_IGN);
	signal(SIGHUP, catch_nothing);
	CHECK_EQ(mask_of("SigBlk:"), 0x200);
	CHECK_EQ(mask_of("SigPnd:"), 0x200);
	/* More may be ignored by whoever started us. */
	CHECK_EQ(mask_of("SigIgn:") & 0xa01, 0x800);
	CHECK_EQ(mask_of("SigCgt:"), 1);
	signal(SIGUSR1, SIG_IGN);
	MUST(!sigprocmask(SIG_SETMASK, &old, NULL));
	signal(SIGUSR1, SIG_DFL);
	signal(SIGUSR2, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
}

TEST(statm, "statm: seven numbers that agree with status")
{
	unsigned long size, resident_pages, shared, text, lib, data, dirty;
	char *line = slurp("/proc/self/statm");

	MUST(line);
	CHECK_EQ(sscanf(line, "%lu %lu %lu %lu %lu %lu %lu\n", &size, &resident_pages, &shared,
			&text, &lib, &data, &dirty),
		 7);
	CHECK_EQ(lib, 0);
	CHECK_EQ(dirty, 0);
	CHECK(resident_pages <= size && shared <= resident_pages && text > 0);
	CHECK_EQ(proc_value("/proc/self/status", "VmSize:"), size * 4);
}

TEST(stat, "stat: fields 1 to 4, name in brackets; min_flt is field 10, vsize 23, rss 24")
{
	char *line, name[64], state, *p = map_anon(512 * PAGE, RW);
	long v[60];
	int pid, n = 0;

	memset(p, 1, 512 * PAGE);
	line = slurp("/proc/self/stat");
	MUST(line);
	CHECK_EQ(sscanf(line, "%d (%60[^)]) %c", &pid, name, &state), 3);
	CHECK_EQ(pid, getpid());
	CHECK_EQ(state, 'R');
	for (char *at = strrchr(line, ')') + 3; at && *at && n < 60; n++)
		v[n] = strtol(at, &at, 10);
	/* v[i] is field i + 4 */
	CHECK_EQ(v[0], getppid());
	CHECK_EQ(v[1], getpgrp());
	CHECK_EQ(v[2], getsid(0));
	CHECK_RANGE(minor_faults() - v[6], 0, 100);
	CHECK_EQ(v[19], proc_value("/proc/self/status", "VmSize:") * 1024);
	/* Linux may miss what its CPUs have not added up yet. */
	CHECK_RANGE(v[20], 256, 4096);
	CHECK(n >= 49); /* 52 fields, and the newline */
	munmap(p, 512 * PAGE);
}

TEST(exe_fd, "exe, cwd and fd/N are links; fd lists the open ones")
{
	char buf[256], path[64];
	int fd = open("/dev/null", O_RDONLY);
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, buf, sizeof(buf) - 1);
	CHECK(n == 9 && !memcmp(buf, "/dev/null", 9));
	close(fd);
	CHECK_ERR(readlink(path, buf, sizeof(buf)), ENOENT);
	n = readlink("/proc/self/exe", buf, sizeof(buf) - 1);
	CHECK(n > 0 && buf[0] == '/');
	n = readlink("/proc/self/cwd", buf, sizeof(buf) - 1);
	CHECK(n > 0 && buf[0] == '/');
	int p[2];

	MUST(!pipe(p));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", p[0]);
	n = readlink(path, buf, sizeof(buf) - 1);
	CHECK(n > 6 && !memcmp(buf, "pipe:[", 6));
	close(p[0]);
	close(p[1]);
	/* A deleted file can be opened again through it. */
	fd = tmp_file(PAGE);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int again = open(path, O_RDONLY);

	CHECK(again >= 0);
	CHECK_EQ(read(again, buf, 1), 1);
	CHECK_EQ(buf[0], 1);
	close(again);
	close(fd);
}

TEST(directory, "/proc has an entry for each process and none for what is not one")
{
	char want[32];
	struct dirent *e;
	int mine = 0;
	DIR *d = opendir("/proc");

	MUST(d);
	snprintf(want, sizeof(want), "%d", getpid());
	while ((e = readdir(d)))
		mine += !strcmp(e->d_name, want);
	closedir(d);
	CHECK_EQ(mine, 1);
	CHECK_ERR(access("/proc/4194304", F_OK), ENOENT);
	CHECK_ERR(access("/proc/0", F_OK), ENOENT);
	CHECK_ERR(access("/proc/abc", F_OK), ENOENT);
	char buf[32];
	ssize_t n = readlink("/proc/self", buf, sizeof(buf) - 1);

	MUST(n > 0);
	buf[n] = 0;
	CHECK_STR(buf, want);
}

TEST_MAIN()

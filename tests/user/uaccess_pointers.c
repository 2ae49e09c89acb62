/* SPDX-License-Identifier: MIT
 *
 * Every kind of bad pointer to many system calls: EFAULT, never anything worse.
 */
#include "test.h"
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

static unsigned long bad[8];
static int nr_bad;
static char *read_only;

/* Pointers that can be neither read nor written. */
static void bad_pointers(void)
{
	char *none = map_anon(PAGE, PROT_NONE), *hole;

	read_only = map_anon(PAGE, PROT_READ);
	hole = free_area(1); /* last, so that nothing fills it */
	nr_bad = 0;
	bad[nr_bad++] = 8;
	bad[nr_bad++] = (unsigned long)hole;
	bad[nr_bad++] = (unsigned long)none;
	bad[nr_bad++] = USER_LIMIT;
	bad[nr_bad++] = KERNEL_ADDRESS;
	bad[nr_bad++] = 0xffffffff80000000UL;
	bad[nr_bad++] = NON_CANONICAL;
	bad[nr_bad++] = -8UL;
}

#define EACH_BAD(call)                                                                             \
	do {                                                                                       \
		for (int i_ = 0; i_ < nr_bad; i_++) {                                              \
			unsigned long p = bad[i_];                                                 \
			long got = (call);                                                         \
			if (got != -EFAULT)                                                        \
				FAIL("%s with %#lx is %ld, want -EFAULT", #call, p, got);          \
		}                                                                                  \
	} while (0)

/* The same and memory that may be read but not written. */
#define EACH_BAD_OUT(call)                                                                         \
	do {                                                                                       \
		unsigned long p = (unsigned long)read_only;                                        \
		long r_ = (call);                                                                  \
		if (r_ != -EFAULT)                                                                 \
			FAIL("%s into read-only memory is %ld, want -EFAULT", #call, r_);          \
		EACH_BAD(call);                                                                    \
	} while (0)

TEST(paths, "path names")
{
	bad_pointers();
	EACH_BAD(SYS(open, p, O_RDONLY));
	EACH_BAD(SYS(openat, AT_FDCWD, p, O_RDONLY));
	EACH_BAD(SYS(stat, p, 8));
	EACH_BAD(SYS(access, p, R_OK));
	EACH_BAD(SYS(chdir, p));
	EACH_BAD(SYS(mkdir, p, 0755));
	EACH_BAD(SYS(rmdir, p));
	EACH_BAD(SYS(unlink, p));
	EACH_BAD(SYS(rename, p, "x"));
	EACH_BAD(SYS(rename, "/", p));
	EACH_BAD(SYS(link, p, "x"));
	EACH_BAD(SYS(symlink, p, "x"));
	EACH_BAD(SYS(symlink, "x", p));
	EACH_BAD(SYS(chmod, p, 0644));
	EACH_BAD(SYS(truncate, p, 0));
	EACH_BAD(SYS(chroot, p));
	EACH_BAD(SYS(readlink, p, 8, 10));
	EACH_BAD(SYS(execve, p, NULL, NULL));
}

TEST(out_structs, "structures the kernel fills")
{
	int fd = tmp_file(PAGE);

	bad_pointers();
	EACH_BAD_OUT(SYS(stat, "/", p));
	EACH_BAD_OUT(SYS(lstat, "/", p));
	EACH_BAD_OUT(SYS(fstat, fd, p));
	EACH_BAD_OUT(SYS(newfstatat, AT_FDCWD, "/", p, 0));
	EACH_BAD_OUT(SYS(statfs, "/", p));
	EACH_BAD_OUT(SYS(uname, p));
	EACH_BAD_OUT(SYS(sysinfo, p));
	EACH_BAD_OUT(SYS(getrusage, RUSAGE_SELF, p));
	EACH_BAD_OUT(SYS(times, p));
	EACH_BAD_OUT(SYS(getrlimit, RLIMIT_STACK, p));
	EACH_BAD_OUT(SYS(prlimit64, 0, RLIMIT_STACK, NULL, p));
	EACH_BAD_OUT(SYS(getcwd, p, 100));
	EACH_BAD_OUT(SYS(pipe, p));
	EACH_BAD_OUT(SYS(pipe2, p, 0));
	EACH_BAD_OUT(SYS(readlink, "/proc/self/exe", p, 100));
	EACH_BAD_OUT(SYS(getresuid, p, p, p));
	EACH_BAD_OUT(SYS(sched_getaffinity, 0, 128, p));
	EACH_BAD_OUT(SYS(getrandom, p, 16, 0));
	close(fd);
}

TEST(times, "times in and out")
{
	bad_pointers();
	EACH_BAD_OUT(SYS(clock_gettime, CLOCK_MONOTONIC, p));
	EACH_BAD_OUT(SYS(clock_getres, CLOCK_MONOTONIC, p));
	EACH_BAD_OUT(SYS(gettimeofday, p, NULL));
	EACH_BAD_OUT(SYS(getitimer, ITIMER_REAL, p));
	EACH_BAD(SYS(setitimer, ITIMER_REAL, p, NULL));
	EACH_BAD(SYS(nanosleep, p, NULL));
	EACH_BAD(SYS(clock_nanosleep, CLOCK_MONOTONIC, 0, p, NULL));
	EACH_BAD(SYS(poll, p, 1, 0));
	EACH_BAD(SYS(ppoll, NULL, 0, p, NULL, 8));
	EACH_BAD(SYS(select, 1, p, NULL, NULL, NULL));
	EACH_BAD(SYS(select, 0, NULL, NULL, NULL, p));
}

TEST(signals, "signal structures")
{
	bad_pointers();
	EACH_BAD(SYS(rt_sigaction, SIGUSR1, p, NULL, 8));
	EACH_BAD_OUT(SYS(rt_sigaction, SIGUSR1, NULL, p, 8));
	EACH_BAD(SYS(rt_sigprocmask, SIG_BLOCK, p, NULL, 8));
	EACH_BAD_OUT(SYS(rt_sigprocmask, SIG_BLOCK, NULL, p, 8));
	EACH_BAD_OUT(SYS(rt_sigpending, p, 8));
	EACH_BAD(SYS(rt_sigsuspend, p, 8));
	EACH_BAD(SYS(rt_sigtimedwait, p, NULL, NULL, 8));
	EACH_BAD(SYS(sigaltstack, p, NULL));
	EACH_BAD_OUT(SYS(sigaltstack, NULL, p));
	EACH_BAD(SYS(rt_sigqueueinfo, getpid(), SIGUSR1, p));
}

TEST(vectors, "iovec arrays and what they point to")
{
	static char good[16];
	int fd = tmp_file(PAGE);
	struct iovec iov[2] = { { good, 16 }, { NULL, 16 } };

	bad_pointers();
	EACH_BAD(SYS(readv, fd, p, 1));
	EACH_BAD(SYS(writev, fd, p, 1));
	for (int i = 0; i < nr_bad; i++) {
		iov[0] = (struct iovec){ (void *)bad[i], 16 };
		CHECK_EQ(SYS(writev, fd, iov, 1), -EFAULT);
		/* The good part first: a short count. */
		iov[0] = (struct iovec){ good, 16 };
		iov[1] = (struct iovec){ (void *)bad[i], 16 };
		long r = SYS(writev, fd, iov, 2);

		/* A pointer that is no user address at all fails the whole call. */
		CHECK(r == 16 || (r == -EFAULT && bad[i] >= USER_LIMIT));
	}
	CHECK_EQ(SYS(readv, fd, iov, -1), -EINVAL);
	CHECK_EQ(SYS(readv, fd, iov, 1025), -EINVAL);
	CHECK_EQ(SYS(readv, fd, iov, 0), 0);
	iov[0] = (struct iovec){ good, -1UL };
	CHECK_EQ(SYS(readv, fd, iov, 1), -EINVAL);
	close(fd);
}

TEST(wait_, "wait4 and waitid; the child is not lost where Linux reaps it anyway")
{
	bad_pointers();
	pid_t pid = fork_checked();

	if (!pid)
		_exit(3);
	siginfo_t si;

	MUST(!waitid(P_PID, pid, &si, WEXITED | WNOWAIT));
	CHECK_EQ(SYS(waitid, P_PID, pid, read_only, WEXITED | WNOWAIT, NULL), -EFAULT);
	/* wait4 reaps first and then fails to store the status. */
	CHECK_EQ(SYS(wait4, pid, read_only, 0, NULL), -EFAULT);
	CHECK_EQ(SYS(wait4, pid, NULL, 0, NULL), -ECHILD);
}

TEST(directories, "getdents64")
{
	int fd = open("/", O_RDONLY | O_DIRECTORY);

	MUST(fd >= 0);
	bad_pointers();
	EACH_BAD_OUT(SYS(getdents64, fd, p, 1000));
	close(fd);
}

TEST(futex_, "futex words")
{
	bad_pointers();
	for (int i = 0; i < nr_bad; i++)
		if (bad[i] % 4 == 0)
			CHECK_EQ(SYS(futex, bad[i], 0 /* WAIT */, 0, NULL, NULL, 0), -EFAULT);
	CHECK_EQ(SYS(futex, 2, 0, 0, NULL, NULL, 0), -EINVAL);
}

TEST(exec_vectors, "argv and envp")
{
	char *args[] = { "x", NULL, NULL };

	bad_pointers();
	EACH_BAD(SYS(execve, "/proc/self/exe", p, NULL));
	EACH_BAD(SYS(execve, "/proc/self/exe", args, p));
	for (int i = 0; i < nr_bad; i++) {
		args[1] = (char *)bad[i];
		CHECK_EQ(SYS(execve, "/proc/self/exe", args, NULL), -EFAULT);
	}
}

TEST_MAIN()

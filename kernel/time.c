/* SPDX-License-Identifier: MIT
 *
 * The clocks of POSIX and the system calls that read, set and sleep on them. Everything is derived
 * from clock_ns(): CLOCK_REALTIME is it plus an offset, the COARSE and RAW clocks and
 * CLOCK_BOOTTIME are it under another name (the machine never suspends and nobody slews its clock).
 * CPU clocks are the scheduler's sums.
 */
#include <arch/uaccess.h>
#include <kern/err.h>
#include <kernel/syscall.h>
#include <kernel/task.h>
#include <kernel/time.h>
#include <kernel/vdso.h>

static s64 realtime_offset_ns; /* [A] CLOCK_REALTIME - clock_ns() */

static void set_offset(s64 ns)
{
	WRITE_ONCE(realtime_offset_ns, ns);
	vdso_set_realtime(ns);
}

void time_init(void)
{
	set_offset((s64)(arch_boot_realtime() * NSEC_PER_SEC));
}

u64 realtime_ns(void)
{
	return clock_ns() + (u64)READ_ONCE(realtime_offset_ns);
}

u64 realtime_to_clock(u64 realtime)
{
	s64 t = (s64)(realtime - (u64)READ_ONCE(realtime_offset_ns));

	return t > 0 ? (u64)t : 0;
}

/* ---- user structures ---- */

int get_user_timespec(u64 *ns, const struct timespec __user *uts)
{
	struct timespec ts;

	if (copy_from_user(&ts, uts, sizeof(ts)))
		return -EFAULT;
	if (!timespec_valid(&ts))
		return -EINVAL;
	*ns = timespec_to_ns(&ts);
	return 0;
}

int put_user_timespec(u64 ns, struct timespec __user *uts)
{
	struct timespec ts = ns_to_timespec(ns);

	return copy_to_user(uts, &ts, sizeof(ts)) ? -EFAULT : 0;
}

int get_user_timeout(u64 *deadline_ns, const struct timespec __user *uts)
{
	u64 ns;
	int ret;

	*deadline_ns = NEVER;
	if (!uts)
		return 0;
	ret = get_user_timespec(&ns, uts);
	if (!ret)
		*deadline_ns = ns ? deadline_after(ns) : 0;
	return ret;
}

/* ---- CPU clocks ---- */

/*
 * Negative clock ids name somebody's CPU time: ~pid << 3, bit 2 for one thread, bits 0-1 for what
 * is counted.
 */
#define CPU_CLOCK_THREAD 4
#define CPU_CLOCK_WHAT 3
enum { CPU_CLOCK_PROF, CPU_CLOCK_VIRT, CPU_CLOCK_SCHED };

/* 0, or -EINVAL when there is nobody of that id whose time the caller may see. */
static int cpu_clock_read(int clock, u64 *ns)
{
	int pid = ~(clock >> 3), what = clock & CPU_CLOCK_WHAT, ret = -EINVAL;
	u64 utime, stime;
	struct task *t;

	if (what > CPU_CLOCK_SCHED)
		return -EINVAL;
	spin_lock(&tasklist_lock);
	t = pid ? task_find(pid) : current;
	if (t && (clock & CPU_CLOCK_THREAD)) {
		if (t->process == current->process) {
			task_cputime(t, &utime, &stime);
			ret = 0;
		}
	} else if (t && (t->process->leader == t || !pid)) {
		process_cputime(t->process, &utime, &stime);
		ret = 0;
	}
	spin_unlock(&tasklist_lock);
	if (!ret)
		*ns = what == CPU_CLOCK_VIRT ? utime : utime + stime;
	return ret;
}

static u64 own_cputime(bool process)
{
	u64 utime, stime;
	irqflags_t flags;

	if (process) {
		flags = spin_lock_irqsave(&current->process->siglock);
		process_cputime(current->process, &utime, &stime);
		spin_unlock_irqrestore(&current->process->siglock, flags);
	} else {
		task_cputime(current, &utime, &stime);
	}
	return utime + stime;
}

/* ---- reading and setting ---- */

/* 0 or -EINVAL. */
static int clock_read(int clock, u64 *ns)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_TAI:
		*ns = realtime_ns();
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
		*ns = clock_ns();
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
	case CLOCK_THREAD_CPUTIME_ID:
		*ns = own_cputime(clock == CLOCK_PROCESS_CPUTIME_ID);
		return 0;
	default:
		return clock < 0 ? cpu_clock_read(clock, ns) : -EINVAL;
	}
}

SYSCALL_DEFINE2(clock_gettime, int, clock, struct timespec __user *, uts)
{
	u64 ns;
	int ret = clock_read(clock, &ns);

	return ret ? ret : put_user_timespec(ns, uts);
}

SYSCALL_DEFINE2(clock_getres, int, clock, struct timespec __user *, uts)
{
	bool coarse = clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE;
	u64 ns;
	int ret = clock_read(clock, &ns);

	if (ret || !uts)
		return ret;
	return put_user_timespec(coarse ? TICK_NS : 1, uts);
}

/* 0, -EINVAL or -EPERM. */
static int set_realtime(u64 ns)
{
	if (ns == TIMESPEC_MAX_NS)
		return -EINVAL;
	if (!capable(CAP_SYS_TIME))
		return -EPERM;
	set_offset((s64)(ns - clock_ns()));
	return 0;
}

SYSCALL_DEFINE2(clock_settime, int, clock, const struct timespec __user *, uts)
{
	u64 ns;
	int ret;

	if (clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID || clock < 0) {
		ret = clock_read(clock, &ns);
		return ret ? ret : -EPERM;
	}
	if (clock != CLOCK_REALTIME)
		return -EINVAL;
	ret = get_user_timespec(&ns, uts);
	return ret ? ret : set_realtime(ns);
}

SYSCALL_DEFINE2(gettimeofday, struct timeval __user *, utv, struct timezone __user *, utz)
{
	struct timeval tv = ns_to_timeval(realtime_ns());

	if (utv && copy_to_user(utv, &tv, sizeof(tv)))
		return -EFAULT;
	return utz && clear_user(utz, sizeof(struct timezone)) ? -EFAULT : 0;
}

/* The kernel keeps no time zone: one that is set is accepted where it says UTC. */
SYSCALL_DEFINE2(settimeofday, const struct timeval __user *, utv, const struct timezone __user *,
		utz)
{
	struct timeval tv;
	struct timezone tz;

	if (utv && copy_from_user(&tv, utv, sizeof(tv)))
		return -EFAULT;
	if (utv && (tv.tv_sec < 0 || tv.tv_usec < 0 || tv.tv_usec > 999999))
		return -EINVAL;
	if (utz && copy_from_user(&tz, utz, sizeof(tz)))
		return -EFAULT;
	if (utz && tz.tz_minuteswest)
		return -EINVAL;
	if (!capable(CAP_SYS_TIME))
		return -EPERM;
	return utv ? set_realtime(timespec_to_ns(
			     &(struct timespec){ tv.tv_sec, tv.tv_usec * (long)NSEC_PER_USEC }))
		   : 0;
}

SYSCALL_DEFINE1(time, long __user *, tloc)
{
	u64 now = realtime_ns() / NSEC_PER_SEC;

	return tloc && put_user_u64(now, tloc) ? -EFAULT : (long)now;
}

/* ---- sleeping ---- */

/*
 * What is left goes to rb->rmtp when the sleep is interrupted; restart_syscall() goes on with it.
 */
static long nanosleep_restart(struct restart_block *rb)
{
	u64 now;

	if (!sleep_until(rb->deadline_ns, PARK_INTERRUPTIBLE))
		return 0;
	now = clock_ns();
	if (now >= rb->deadline_ns)
		return 0;
	if (rb->rmtp && put_user_timespec(rb->deadline_ns - now, rb->rmtp))
		return -EFAULT;
	return -ERESTART_RESTARTBLOCK;
}

static long nanosleep_for(u64 ns, struct timespec __user *rmtp)
{
	struct restart_block *rb = &current->restart;

	rb->func = nanosleep_restart;
	rb->deadline_ns = deadline_after(ns);
	rb->rmtp = rmtp;
	return nanosleep_restart(rb);
}

SYSCALL_DEFINE2(nanosleep, const struct timespec __user *, uts, struct timespec __user *, rmtp)
{
	u64 ns;
	int ret = get_user_timespec(&ns, uts);

	return ret ? ret : nanosleep_for(ns, rmtp);
}

SYSCALL_DEFINE4(clock_nanosleep, int, clock, int, flags, const struct timespec __user *, uts,
		struct timespec __user *, rmtp)
{
	u64 ns;
	int ret = clock_read(clock, &ns);

	if (ret)
		return ret;
	if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME &&
	    clock != CLOCK_TAI)
		return -EOPNOTSUPP;
	ret = get_user_timespec(&ns, uts);
	if (ret)
		return ret;
	if (!(flags & TIMER_ABSTIME))
		return nanosleep_for(ns, rmtp);
	if (clock == CLOCK_REALTIME || clock == CLOCK_TAI)
		ns = realtime_to_clock(ns);
	return sleep_until(ns, PARK_INTERRUPTIBLE) ? -ERESTARTNOHAND : 0;
}

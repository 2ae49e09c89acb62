/* SPDX-License-Identifier: MIT
 *
 * Interval timers: alarm, setitimer, getitimer. ITIMER_REAL is a kernel timer; after it fired it is
 * armed again only when its SIGALRM is taken, so a short interval cannot flood the machine.
 * ITIMER_VIRTUAL and ITIMER_PROF are amounts of CPU time that the tick compares.
 */
#include <arch/uaccess.h>
#include <kern/err.h>
#include <kernel/signal.h>
#include <kernel/syscall.h>
#include <kernel/time.h>

/* A value and an interval, ns; value 0 is off. */
struct itimer_ns {
	u64 value, interval;
};

static void itimer_real_fire(struct timer *t)
{
	struct process *p = container_of(t, struct process, itimers[ITIMER_REAL].timer);

	(void)send_signal_process(p, SIGALRM, NULL);
}

void itimer_real_rearm(struct process *p)
{
	struct itimer_state *it = &p->itimers[ITIMER_REAL];
	u64 now, next;

	assert_spin_locked(&p->siglock);
	if (!it->interval_ns || READ_ONCE(it->timer.armed))
		return;
	now = clock_ns();
	next = it->timer.expires_ns + it->interval_ns;
	if (next <= now)
		next += (now - next) / it->interval_ns * it->interval_ns + it->interval_ns;
	timer_set(&it->timer, next);
}

/* The CPU time that ITIMER_VIRTUAL or ITIMER_PROF counts. siglock held. */
static u64 itimer_clock(struct process *p, int which)
{
	u64 utime, stime;

	process_cputime(p, &utime, &stime);
	return which == ITIMER_VIRTUAL ? utime : utime + stime;
}

void itimer_tick(struct process *p)
{
	static const int signals[] = { [ITIMER_VIRTUAL] = SIGVTALRM, [ITIMER_PROF] = SIGPROF };
	int which;

	for (which = ITIMER_VIRTUAL; which <= ITIMER_PROF; which++) {
		struct itimer_state *it;
		bool fire = false;
		u64 now;

		if (likely(!p || !READ_ONCE(p->itimers[which].value_ns)))
			continue;
		it = &p->itimers[which];
		spin_lock(&p->siglock);
		now = itimer_clock(p, which);
		if (it->value_ns && now >= it->value_ns) {
			fire = true;
			it->value_ns = it->interval_ns ? now + it->interval_ns : 0;
		}
		spin_unlock(&p->siglock);
		if (fire)
			(void)send_signal_process(p, signals[which], NULL);
	}
}

void itimer_exit(struct process *p)
{
	p->itimers[ITIMER_REAL].interval_ns = 0;
	timer_cancel(&p->itimers[ITIMER_REAL].timer);
}

/* What is left; a timer that is about to fire has at least 1 us. siglock held. */
static struct itimer_ns itimer_read(struct process *p, int which)
{
	struct itimer_state *it = &p->itimers[which];
	struct itimer_ns ret = { 0, it->interval_ns };
	u64 now, end;

	if (which == ITIMER_REAL) {
		if (!READ_ONCE(it->timer.armed))
			return ret;
		now = clock_ns();
		end = it->timer.expires_ns;
	} else {
		if (!it->value_ns)
			return ret;
		now = itimer_clock(p, which);
		end = it->value_ns;
	}
	ret.value = end > now + NSEC_PER_USEC ? end - now : NSEC_PER_USEC;
	return ret;
}

/* Sets a timer of the caller's process; returns what it was. */
static struct itimer_ns itimer_set(int which, struct itimer_ns new)
{
	struct process *p = current->process;
	struct itimer_state *it = &p->itimers[which];
	struct itimer_ns old;
	irqflags_t flags;

	for (;;) {
		flags = spin_lock_irqsave(&p->siglock);
		old = itimer_read(p, which);
		/* No SIGALRM of the old setting comes later; its callback takes siglock. */
		if (which != ITIMER_REAL || timer_try_cancel(&it->timer))
			break;
		spin_unlock_irqrestore(&p->siglock, flags);
		cpu_relax();
	}
	it->interval_ns = new.interval;
	if (which != ITIMER_REAL) {
		it->value_ns = new.value ? itimer_clock(p, which) + new.value : 0;
	} else if (new.value) {
		it->timer.func = itimer_real_fire;
		timer_set(&it->timer, deadline_after(new.value));
	} else {
		it->interval_ns = 0;
	}
	spin_unlock_irqrestore(&p->siglock, flags);
	return old;
}

/* 0 or -EINVAL. */
static int timeval_read(const struct timeval *tv, u64 *ns)
{
	struct timespec ts = { tv->tv_sec, tv->tv_usec * (long)NSEC_PER_USEC };

	if (tv->tv_sec < 0 || (unsigned long)tv->tv_usec >= 1000000)
		return -EINVAL;
	*ns = timespec_to_ns(&ts);
	return 0;
}

static int put_user_itimer(const struct itimer_ns *it, struct itimerval __user *uit)
{
	struct itimerval v = { ns_to_timeval(it->interval), ns_to_timeval(it->value) };

	return copy_to_user(uit, &v, sizeof(v)) ? -EFAULT : 0;
}

SYSCALL_DEFINE2(getitimer, int, which, struct itimerval __user *, uit)
{
	struct itimer_ns it;
	irqflags_t flags;

	if (which < ITIMER_REAL || which > ITIMER_PROF)
		return -EINVAL;
	flags = spin_lock_irqsave(&current->process->siglock);
	it = itimer_read(current->process, which);
	spin_unlock_irqrestore(&current->process->siglock, flags);
	return put_user_itimer(&it, uit);
}

/* No new value switches the timer off, as a zero one does. */
SYSCALL_DEFINE3(setitimer, int, which, const struct itimerval __user *, unew,
		struct itimerval __user *, uold)
{
	struct itimer_ns new = { 0, 0 }, old;
	struct itimerval v;

	if (unew) {
		if (copy_from_user(&v, unew, sizeof(v)))
			return -EFAULT;
		if (timeval_read(&v.it_value, &new.value) ||
		    timeval_read(&v.it_interval, &new.interval))
			return -EINVAL;
	}
	if (which < ITIMER_REAL || which > ITIMER_PROF)
		return -EINVAL;
	old = itimer_set(which, new);
	return uold ? put_user_itimer(&old, uold) : 0;
}

/* Returns the seconds that were left, rounded, but never 0 when there was an alarm. */
SYSCALL_DEFINE1(alarm, unsigned int, seconds)
{
	struct itimer_ns new = { seconds * NSEC_PER_SEC, 0 };
	u64 left = itimer_set(ITIMER_REAL, new).value;

	return left && left < NSEC_PER_SEC ? 1 : (long)((left + NSEC_PER_SEC / 2) / NSEC_PER_SEC);
}

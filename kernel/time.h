/* SPDX-License-Identifier: MIT
 *
 * Time as programs give and get it, in nanoseconds inside the kernel.
 */
#ifndef KERNEL_TIME_H
#define KERNEL_TIME_H

#include <kernel/timer.h>
#include <uapi/time.h>

/* A deadline that never comes. */
#define NEVER (~0ULL)

/* The largest length a timespec is taken for: what is longer lasts as long. */
#define TIMESPEC_MAX_NS 0x7fffffffffffffffULL

static inline bool timespec_valid(const struct timespec *ts)
{
	return ts->tv_sec >= 0 && (unsigned long)ts->tv_nsec < NSEC_PER_SEC;
}

/* ts must be valid. */
static inline u64 timespec_to_ns(const struct timespec *ts)
{
	if ((u64)ts->tv_sec >= TIMESPEC_MAX_NS / NSEC_PER_SEC)
		return TIMESPEC_MAX_NS;
	return (u64)ts->tv_sec * NSEC_PER_SEC + (u64)ts->tv_nsec;
}

static inline struct timespec ns_to_timespec(u64 ns)
{
	return (struct timespec){ (long)(ns / NSEC_PER_SEC), (long)(ns % NSEC_PER_SEC) };
}

static inline struct timeval ns_to_timeval(u64 ns)
{
	return (struct timeval){ (long)(ns / NSEC_PER_SEC),
				 (long)(ns % NSEC_PER_SEC / NSEC_PER_USEC) };
}

/* The clock_ns() value that lies this far ahead. */
static inline u64 deadline_after(u64 ns)
{
	return clock_ns() + (ns < TIMESPEC_MAX_NS ? ns : TIMESPEC_MAX_NS);
}

void time_init(void); /* CLOCK_REALTIME from the machine's clock; called by timers_init() */
/* Reads a timespec. 0, -EFAULT or -EINVAL. */
int __must_check get_user_timespec(u64 *ns, const struct timespec __user *uts);
/* 0 or -EFAULT. */
int __must_check put_user_timespec(u64 ns, struct timespec __user *uts);
/*
 * A relative timeout as a deadline; 0 when it is zero, NEVER when uts is NULL. 0, -EFAULT or
 * -EINVAL.
 */
int __must_check get_user_timeout(u64 *deadline_ns, const struct timespec __user *uts);
/*
 * The clock_ns() value at which CLOCK_REALTIME will be (or was) this, should nobody set it
 * meanwhile.
 */
u64 realtime_to_clock(u64 realtime);

#endif

/* SPDX-License-Identifier: MIT
 *
 * The vdso: a shared object that the kernel maps into every program and names in AT_SYSINFO_EHDR. The C library finds
 * its functions by name and calls them instead of the kernel. It runs in user mode, and knows one page of the
 * kernel's, which lies before it.
 *
 * Names, signatures and the symbol version are Linux's. A clock that the page does not have is the kernel's to read.
 */
#include <arch/io.h>
#include <arch/vdso.h>
#include <uapi/time.h>

#define EXPORT __attribute__((visibility("default")))
#define NR_clock_gettime 228
#define NS 1000000000ULL

extern const struct vdso_data vvar; /* where vdso.lds says it is */

EXPORT long __vdso_clock_gettime(int clock, struct timespec *ts);
EXPORT long __vdso_gettimeofday(struct timeval *tv, struct timezone *tz);
EXPORT long __vdso_time(long *t);

static long ask_kernel(int clock, struct timespec *ts)
{
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(NR_clock_gettime), "D"(clock), "S"(ts)
			 : "rcx", "r11", "memory");
	return ret;
}

/* Not before what came before it in the program: two reads in a row never go back. */
static u64 monotonic_ns(void)
{
	__asm__ volatile("lfence" ::: "memory");
	return tsc_to_ns(rdtsc(), vvar.tsc_base, vvar.ns_per_tsc);
}

static u64 realtime_ns(void)
{
	u64 offset = (u64)__atomic_load_n(&vvar.realtime_offset_ns, __ATOMIC_RELAXED);

	return monotonic_ns() + offset;
}

long __vdso_clock_gettime(int clock, struct timespec *ts)
{
	u64 ns;

	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_TAI:
		ns = realtime_ns();
		break;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
		ns = monotonic_ns();
		break;
	default:
		return ask_kernel(clock, ts);
	}
	ts->tv_sec = (long)(ns / NS);
	ts->tv_nsec = (long)(ns % NS);
	return 0;
}

long __vdso_gettimeofday(struct timeval *tv, struct timezone *tz)
{
	u64 ns = realtime_ns();

	if (tv) {
		tv->tv_sec = (long)(ns / NS);
		tv->tv_usec = (long)(ns % NS / 1000);
	}
	if (tz)
		*tz = (struct timezone){ 0, 0 };
	return 0;
}

long __vdso_time(long *t)
{
	long now = (long)(realtime_ns() / NS);

	if (t)
		*t = now;
	return now;
}

/* SPDX-License-Identifier: MIT
 *
 * The mlock family.
 */
#ifndef USER_MMBENCH_LOCK_H
#define USER_MMBENCH_LOCK_H

#include "bench.h"

#define LOCK_LARGE (64 * MIB)
#define LOCK_ROUNDS 2

static int lock_onfault(void *p, size_t len)
{
	return (int)syscall(SYS_mlock2, p, len, MLOCK_ONFAULT);
}

#define LOCK_NAMES                                                                                 \
	"mlock.64m_untouched", "mlock.64m_populated", "mlock.64m_again_noop",                      \
		"munlock.64m_populated", "munmap.64m_locked", "mlock.1page_mid",                   \
		"munlock.1page_mid", "mlock.each_page_seq_untouched",                              \
		"mlock2.onfault_64m_untouched", "munlock.onfault_64m_untouched",                   \
		"mlock2.onfault_write_fault", "mlock2.onfault_64m_populated",                      \
		"munlock.onfault_64m_1024resident", "mlockall.current_64m_untouched",              \
		"munlockall.64m_populated", "mlockall.future_mmap_64m",                            \
		"mlockall.current_onfault_64m", "mlockall.future_onfault_mmap"

/* Two runs of samples in one loop: the second is kept aside. */
static uint64_t aside[MAX_SAMPLES];
static unsigned int nr_aside;

#define TIME_ASIDE(statement)                                                                      \
	do {                                                                                       \
		uint64_t t_ = tsc();                                                               \
		statement;                                                                         \
		aside[nr_aside++ % MAX_SAMPLES] = tsc() - t_;                                      \
	} while (0)

static void report_aside(const char *name, double units)
{
	samples_begin();
	for (unsigned int i = 0; i < nr_aside; i++)
		sample(aside[i]);
	report(name, units);
	nr_aside = 0;
}

static void bench_mlock_large(void)
{
	char *p;

	samples_begin();
	for (int i = 0; i < LOCK_ROUNDS; i++) {
		p = map(LOCK_LARGE, RW, ANON);
		TIME(MUST(!SYS(mlock, p, LOCK_LARGE)));
		TIME_ASIDE(SYS(munmap, p, LOCK_LARGE));
	}
	report("mlock.64m_untouched", PAGES_64M);
	report_aside("munmap.64m_locked", PAGES_64M);

	p = map(LOCK_LARGE, RW, ANON | MAP_POPULATE);
	samples_begin();
	for (int i = 0; i < 3; i++) {
		TIME(SYS(mlock, p, LOCK_LARGE));
		TIME_ASIDE(SYS(mlock, p, LOCK_LARGE));
		munlock(p, LOCK_LARGE);
	}
	report("mlock.64m_populated", PAGES_64M);
	report_aside("mlock.64m_again_noop", PAGES_64M);
	samples_begin();
	for (int i = 0; i < 3; i++) {
		TIME_ASIDE(SYS(mlock2, p, LOCK_LARGE, 1));
		TIME(SYS(munlock, p, LOCK_LARGE));
	}
	report("munlock.64m_populated", PAGES_64M);
	report_aside("mlock2.onfault_64m_populated", PAGES_64M);
	munmap(p, LOCK_LARGE);
}

static void bench_mlock_small(void)
{
	char *p = map(2000 * PAGE, RW, ANON | MAP_POPULATE);

	samples_begin();
	for (int i = 1; i < 1000; i += 2) {
		TIME(SYS(mlock, p + i * PAGE, PAGE));
		TIME_ASIDE(SYS(munlock, p + i * PAGE, PAGE));
	}
	report("mlock.1page_mid", 1);
	report_aside("munlock.1page_mid", 1);
	munmap(p, 2000 * PAGE);

	p = map(1000 * PAGE, RW, ANON);
	samples_begin();
	for (int i = 0; i < 1000; i++)
		TIME(SYS(mlock, p + i * PAGE, PAGE));
	report("mlock.each_page_seq_untouched", 1);
	munmap(p, 1000 * PAGE);
}

static void bench_onfault(void)
{
	char *p = map(LOCK_LARGE, RW, ANON);

	samples_begin();
	for (int i = 0; i < 50; i++) {
		TIME(SYS(mlock2, p, LOCK_LARGE, 1));
		TIME_ASIDE(SYS(munlock, p, LOCK_LARGE));
	}
	report("mlock2.onfault_64m_untouched", 1);
	report_aside("munlock.onfault_64m_untouched", 1);
	lock_onfault(p, LOCK_LARGE);
	samples_begin();
	for (int i = 0; i < 1024; i++)
		TIME(*(volatile char *)(p + i * 16 * PAGE) = 1);
	report("mlock2.onfault_write_fault", 1);
	samples_begin();
	for (int i = 0; i < 5; i++) {
		TIME(SYS(munlock, p, LOCK_LARGE));
		lock_onfault(p, LOCK_LARGE);
	}
	report("munlock.onfault_64m_1024resident", 1);
	munmap(p, LOCK_LARGE);
}

static void bench_mlockall(void)
{
	char *p;

	samples_begin();
	for (int i = 0; i < LOCK_ROUNDS; i++) {
		p = map(LOCK_LARGE, RW, ANON);
		TIME(MUST(!SYS(mlockall, MCL_CURRENT)));
		TIME_ASIDE(SYS(munlockall));
		munmap(p, LOCK_LARGE);
	}
	report("mlockall.current_64m_untouched", PAGES_64M);
	report_aside("munlockall.64m_populated", PAGES_64M);

	mlockall(MCL_FUTURE);
	samples_begin();
	for (int i = 0; i < LOCK_ROUNDS; i++) {
		TIME(p = (char *)SYS(mmap, NULL, LOCK_LARGE, RW, ANON, -1, 0));
		munmap(p, LOCK_LARGE);
	}
	report("mlockall.future_mmap_64m", PAGES_64M);
	mlockall(MCL_FUTURE | MCL_ONFAULT);
	samples_begin();
	for (int i = 0; i < 20; i++) {
		TIME(p = (char *)SYS(mmap, NULL, LOCK_LARGE, RW, ANON, -1, 0));
		munmap(p, LOCK_LARGE);
	}
	report("mlockall.future_onfault_mmap", 1);
	munlockall();

	/* Page tables that are there but empty. */
	p = map(LOCK_LARGE, RW, ANON | MAP_POPULATE);
	madvise(p, LOCK_LARGE, MADV_DONTNEED);
	samples_begin();
	for (int i = 0; i < 10; i++) {
		TIME(SYS(mlockall, MCL_CURRENT | MCL_ONFAULT));
		munlockall();
	}
	report("mlockall.current_onfault_64m", 1);
	munmap(p, LOCK_LARGE);
}

static void bench_mlock(void)
{
	static const char *const names[] = { LOCK_NAMES };
	char *p = map(PAGE, RW, ANON);

	if (mlock(p, PAGE) && errno == ENOSYS) {
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			unsupported(names[i]);
	} else {
		munlock(p, PAGE);
		bench_mlock_large();
		bench_mlock_small();
		bench_onfault();
		bench_mlockall();
	}
	munmap(p, PAGE);
}

#endif

/* SPDX-License-Identifier: MIT
 *
 * What every unit test starts from: a booted simulation, and the same resources before and after.
 */
#ifndef T_H
#define T_H

#include "sim.h"
#include "sim_host.h"

#include <kern/printf.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define T_FRAMES 16384UL /* 64 MiB */

static struct sim_resources t_before;

static inline int t_setup(void **state)
{
	sim_caller = (struct sim_caller)SIM_CALLER_INIT;
	knob_fault_around_bytes = 65536;
	knob_max_map_count = 65530;
	knob_stack_guard_gap = 256;
	knob_overcommit_memory = 0;
	fail_at(FAIL_ALLOC_PAGES, 0);
	t_before = sim_resources();
	*state = NULL;
	return 0;
}

static inline int t_teardown(void **state)
{
	(void)state;
	return sim_leaks(&t_before) ? -1 : 0;
}

/* A test with an address space of its own, in *state. */
static inline int t_mm_setup(void **state)
{
	t_setup(state);
	*state = mm_create(false);
	return *state ? 0 : -1;
}

static inline int t_mm_teardown(void **state)
{
	struct mm *mm = *state;

	mmap_read_lock(mm);
	mm_validate(mm);
	mmap_read_unlock(mm);
	sim_mm_put(mm);
	return t_teardown(state);
}

#define T(f) cmocka_unit_test_setup_teardown(f, t_setup, t_teardown)
#define T_MM(f) cmocka_unit_test_setup_teardown(f, t_mm_setup, t_mm_teardown)

/* xorshift64 (Marsaglia 2003), from the run's seed. */
static inline u64 t_random(void)
{
	static u64 x;

	if (!x)
		x = host_seed();
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static inline unsigned long t_below(unsigned long n)
{
	return t_random() % n;
}

/* Runs fn in a child, which must end in a panic or a sanitizer's report. */
static inline void t_must_die(void (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		assert_non_null(freopen("/dev/null", "w", stderr));
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#define RW (PROT_READ | PROT_WRITE)
#define PG PAGE_SIZE

/* An anonymous private mapping that must succeed; addr 0: anywhere. */
static inline unsigned long t_map(struct mm *mm, unsigned long addr, unsigned long pages,
				  unsigned long prot)
{
	long r = mm_mmap(mm, addr, pages * PG, prot,
			 MAP_PRIVATE | MAP_ANONYMOUS | (addr ? MAP_FIXED : 0), NULL, 0);

	assert_true(r > 0);
	return (unsigned long)r;
}

static inline unsigned long t_map_file(struct mm *mm, unsigned long addr, unsigned long pages,
				       unsigned long prot, unsigned long flags, struct file *file,
				       unsigned long pgoff)
{
	long r = mm_mmap(mm, addr, pages * PG, prot, flags | (addr ? MAP_FIXED : 0), file, pgoff);

	assert_true(r > 0);
	return (unsigned long)r;
}

/* The map as text: "start-end rwxs" in pages relative to base, one space between areas. */
static inline const char *t_layout(struct mm *mm, unsigned long base)
{
	static char text[2048];
	size_t n = 0;
	struct vma *vma;

	text[0] = 0;
	mmap_read_lock(mm);
	for_each_vma(mm, vma)
		n += (size_t)scnprintf(
			text + n, sizeof(text) - n, "%s%ld-%ld:%s%s%s%s", n ? " " : "",
			(long)(vma->start - base) / (long)PG, (long)(vma->end - base) / (long)PG,
			vma->flags & VM_READ ? "r" : "", vma->flags & VM_WRITE ? "w" : "",
			vma->flags & VM_EXEC ? "x" : "", vma->flags & VM_SHARED ? "s" : "");
	mmap_read_unlock(mm);
	return text;
}

static inline void t_validate(struct mm *mm)
{
	mmap_read_lock(mm);
	mm_validate(mm);
	mmap_read_unlock(mm);
	sim_tlb_check(mm);
}

#endif

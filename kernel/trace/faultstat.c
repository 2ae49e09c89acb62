/* SPDX-License-Identifier: MIT
 *
 * What the phases of a fault cost, summed up: /proc/faultstat, and user/faultstat.c.
 *
 * The trace points of a fault are there already, so this adds none: while it is on, their branches lead here, too. A task
 * remembers when its fault and its phase began; each event ends one. What the measuring itself takes is left out by
 * moving these beginnings on by as much. Sleeping, for the lock or for I/O, is part of a phase: the TSC goes on.
 */
#include "trace.h"

#include <arch/io.h>
#include <kernel/task.h>

struct sum {
	unsigned long times, ticks;
};

bool faultstat_on;
static u64 on_since; /* [trace_lock] TSC; read by anyone */
/* Each CPU's own: nothing that counts here is preempted, and interrupts have no faults. */
static struct sums {
	struct sum of[NR_FAULT_COSTS];
} __aligned(64) sums[MAX_CPUS];

static const u16 counted[] = { TRACE_page_fault_user, TRACE_page_fault_kernel, TRACE_fault_phase,
			       TRACE_fault_zero,      TRACE_mm_page_alloc,     TRACE_fault_exit };

bool faultstat_wants(unsigned int event)
{
	for (unsigned int i = 0; faultstat_on && i < ARRAY_SIZE(counted); i++)
		if (counted[i] == event)
			return true;
	return false;
}

void faultstat_set(bool on)
{
	mutex_lock(&trace_lock);
	if (on != faultstat_on)
		WRITE_ONCE(on_since, rdtsc());
	WRITE_ONCE(faultstat_on, on);
	for (unsigned int i = 0; i < ARRAY_SIZE(counted); i++)
		trace_update_key(counted[i]);
	mutex_unlock(&trace_lock);
}

void faultstat_get(enum fault_cost cost, unsigned long *times, unsigned long *ticks)
{
	*times = *ticks = 0;
	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++) {
		*times += READ_ONCE(sums[cpu].of[cost].times);
		*ticks += READ_ONCE(sums[cpu].of[cost].ticks);
	}
}

static void add(enum fault_cost cost, u64 ticks)
{
	struct sum *s = &sums[cpu_id()].of[cost];

	WRITE_ONCE(s->times, s->times + 1);
	WRITE_ONCE(s->ticks, s->ticks + ticks);
}

static void begin(struct task *t, u64 now)
{
	t->fault_began = t->phase_began = now;
	t->zero_began = 0;
}

static void end_phase(struct task *t, enum fault_cost phase, u64 now)
{
	add(phase, now - t->phase_began);
	t->phase_began = now;
}

/* In a fault that began since it is on. */
static void go_on(struct task *t, unsigned long event, u64 word, u64 now)
{
	if (event == TRACE_fault_phase) {
		end_phase(t, (enum fault_cost)word, now);
	} else if (event == TRACE_fault_zero) {
		t->zero_began = now;
	} else if (event == TRACE_mm_page_alloc && t->zero_began) {
		add(COST_ZERO, now - t->zero_began);
		t->zero_began = 0;
	} else if (event == TRACE_fault_exit) {
		add(COST_FAULT, now - t->fault_began);
		t->fault_began = 0;
	}
}

void faultstat_event(unsigned long event, u64 word)
{
	struct task *t = current;
	u64 now = rdtsc(), cost;

	if (this_cpu()->irq_depth)
		return;
	if (event == TRACE_page_fault_user || event == TRACE_page_fault_kernel)
		begin(t, now);
	else if (t->fault_began > READ_ONCE(on_since))
		go_on(t, event, word, now);
	else
		return;
	cost = rdtsc() - now;
	t->phase_began += cost;
	if (t->fault_began)
		t->fault_began += cost;
	if (t->zero_began)
		t->zero_began += cost;
}

_Static_assert(COST_LOOKUP == (int)TRACE_PHASE_LOOKUP && COST_FOLIO == (int)TRACE_PHASE_FOLIO &&
		       COST_INSTALL == (int)TRACE_PHASE_INSTALL,
	       "phases come first, as the trace points number them");

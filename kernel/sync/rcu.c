/* SPDX-License-Identifier: MIT
 *
 * Read-copy-update by quiescent states. The kernel is not preempted, so a CPU that switches tasks or idles is inside
 * no read section. Each CPU has a count (<arch/rcu.h>):
 *
 *   even      nothing is read there: it idles, or has not started
 *   odd       something may be read; each task switch adds 2
 *
 * A grace period begins with a look at all counts. It is over for a CPU whose count was even, or is another one now:
 * what was read there at the beginning is read no more, and what is read from now on cannot find what was taken away
 * before the beginning. A CPU that stays in user mode, where it reads nothing, is made to switch: it comes by
 * schedule() on the way back. The caller itself is inside no section, so with one CPU grace periods take no time.
 *
 *   reader's CPU   [read] [read]      | switch         [read]
 *   counts                5           | 7
 *   updater                 take away, see 5 ......... see 7: free
 *
 * Two barriers make it right on a machine that lets a load overtake a store. The updater's lies between taking away
 * and looking. The reader's lies between its count and the first load of the next section: what changes the
 * count on the machine is followed by an atomic operation, the run queue's lock or that of leaving idle.
 *
 * call_rcu() pushes on a list of its CPU without a lock. A thread takes all lists, lets a grace period pass and
 * makes the calls. It is woken once for all that is pushed within a tick. tests/model/rcu.pml is this for Spin.
 */
#include <arch/cpu.h>
#include <kern/assert.h>
#include <kern/park.h>
#include <sync/mutex.h>
#include <sync/rcu.h>

/* Calls between two looks whether another task should run. */
#define CALL_BATCH 64

static struct {
	struct rcu_head *first; /* [A] */
} __aligned(64) queues[MAX_CPUS];

static bool woken; /* [A] the thread will run, and then take the lists */
static struct mutex caller_lock = MUTEX_INIT(caller_lock); /* who makes calls */

void call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head))
{
	struct rcu_head **first = &queues[cpu_id()].first;

	head->func = func;
	head->next = __atomic_load_n(first, __ATOMIC_RELAXED);
	while (unlikely(!__atomic_compare_exchange_n(first, &head->next, head, false,
						     __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)))
		;
	if (unlikely(!__atomic_load_n(&woken, __ATOMIC_SEQ_CST)) &&
	    !__atomic_exchange_n(&woken, true, __ATOMIC_SEQ_CST))
		rcu_wake_later();
}

static bool is_reading(unsigned long count)
{
	return count & 1;
}

/* CPUs that have not reported since their counts were seen; those that have are forgotten. */
static unsigned int count_unreported(unsigned long *seen, bool hurry)
{
	unsigned int left = 0;

	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++) {
		if (!is_reading(seen[cpu]))
			continue;
		if (rcu_cpu_count(cpu) != seen[cpu]) {
			seen[cpu] = 0;
			continue;
		}
		left++;
		if (hurry)
			rcu_hurry(cpu);
	}
	return left;
}

/* No stand-alone fence: ThreadSanitizer does not understand them. */
static void full_barrier(void)
{
	static unsigned long word;

	(void)__atomic_fetch_add(&word, 1, __ATOMIC_SEQ_CST);
}

void synchronize_rcu(void)
{
	unsigned long seen[MAX_CPUS];

	rcu_assert_not_reading();
	full_barrier();
	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++)
		seen[cpu] = rcu_cpu_count(cpu);
	seen[cpu_id()] = 0;
	while (count_unreported(seen, true))
		rcu_pause();
	full_barrier();
}

static void make_calls(struct rcu_head *head)
{
	unsigned int n = 0;

	while (head) {
		struct rcu_head *next = head->next;

		head->func(head);
		head = next;
		if (++n % CALL_BATCH == 0)
			cond_resched();
	}
}

void rcu_barrier(void)
{
	struct rcu_head *taken[MAX_CPUS];
	bool any = false;

	mutex_lock(&caller_lock);
	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++) {
		taken[cpu] = __atomic_exchange_n(&queues[cpu].first, NULL, __ATOMIC_SEQ_CST);
		any |= taken[cpu] != NULL;
	}
	if (any)
		synchronize_rcu();
	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++)
		make_calls(taken[cpu]);
	mutex_unlock(&caller_lock);
}

void rcu_thread(void)
{
	for (;;) {
		rcu_wait_for_work();
		/* Who pushes from now on wakes it again; who did so before is found by what follows. */
		__atomic_store_n(&woken, false, __ATOMIC_SEQ_CST);
		rcu_barrier();
	}
}

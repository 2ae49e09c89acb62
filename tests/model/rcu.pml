/* SPDX-License-Identifier: MIT
 *
 * The grace periods of kernel/sync/rcu.c as a model for Spin: two CPUs that read, switch tasks and idle as they like,
 * and an updater who replaces what they read, waits for a grace period and frees the old one.
 *
 * A store to a CPU's count waits in its store buffer, as on x86, and later loads overtake it: `own` is what the CPU
 * itself knows, `count` what others see. A barrier, or an atomic operation, lets no load pass before both are the same.
 *
 * Checked: what is being read is never freed (assert); no grace period lasts for ever (ltl), given that CPUs go on,
 * and switch when they are waited for.
 */
#define CPUS 2
#define OBJECTS 3
#define COUNTS 8 /* counts wrap around here */

#define is_odd(n) ((n) % 2 == 1)

byte own[CPUS], count[CPUS];
byte seen[CPUS]; /* the counts as the updater saw them; even: it waits no more */
byte shared;	 /* the object that readers find */
bool freed[OBJECTS];
bool hurry[CPUS]; /* need_resched, which the updater sets, each time it looks: a switch under way clears it */
bool waiting;

/* Counts do not wrap around on the machine: once the updater could see another one, none is equal to what it saw. */
#define may_change(id) (!is_odd(seen[id]) || count[id] == seen[id])

inline barrier(id) { count[id] == own[id] }

active [CPUS] proctype buffer()
{
end:	do
	:: atomic { count[_pid] != own[_pid] -> count[_pid] = own[_pid] }
	od
}

inline read_section()
{
	found = shared;
	assert(!freed[found]);
	found = 0
}

inline task_switch(id)
{
	own[id] = (own[id] + 2) % COUNTS;
	barrier(id); /* the run queue's lock */
	hurry[id] = false;
	last = false
}

/* Both are atomic operations. */
inline idle(id)
{
	atomic { count[id] == own[id] -> own[id] = (own[id] + 1) % COUNTS; count[id] = own[id] };
	atomic { own[id] = (own[id] + 1) % COUNTS; count[id] = own[id] }
}

proctype cpu(byte id)
{
	byte found;
	bool last; /* one more section before it notices that it is waited for */

	atomic { own[id] = 1; count[id] = 1 };
end:	do
	:: !hurry[id] -> read_section()
	:: hurry[id] && !last -> last = true; read_section()
	:: may_change(id) -> task_switch(id)
	:: may_change(id) && !hurry[id] -> idle(id)
	od
}

inline wait_for(id)
{
	do
	:: is_odd(seen[id]) && count[id] == seen[id] -> hurry[id] = true
	:: else -> break
	od
}

proctype updater()
{
	byte old;

end:	do
	:: true ->
		/* Takes away: an atomic operation. */
		d_step { old = shared; shared = (shared + 1) % OBJECTS; freed[shared] = false };
		waiting = true;
		seen[0] = count[0];
		seen[1] = count[1];
		wait_for(0);
		wait_for(1);
		freed[old] = true;
		d_step { seen[0] = 0; seen[1] = 0; waiting = false }
	od
}

init { atomic { run cpu(0); run cpu(1); run updater() } }

ltl grace_period_ends { [] (waiting -> <> !waiting) }

/* SPDX-License-Identifier: MIT
 *
 * The table of trace events, made of trace_events.def, and switching them on and off; and the events whose records
 * are too long for trace().
 */
#include "trace.h"

#include <arch/trap_frame.h>
#include <kern/string.h>
#include <kernel/syscall.h>
#include <kernel/task.h>
#include <uapi/errno.h>

#define FIELD(name, symbols, kind)                                                                 \
	{                                                                                          \
		name, symbols, kind                                                                \
	}
#define PTR(name) FIELD(#name, NULL, TRACE_PTR)
#define HEX(name) FIELD(#name, NULL, TRACE_HEX)
#define NUM(name) FIELD(#name, NULL, TRACE_NUM)
#define FLAG(name) FIELD(#name, NULL, TRACE_FLAG)
#define COMM(name) FIELD(#name, NULL, TRACE_COMM)
#define SYM(name, names) FIELD(#name, names, TRACE_SYM)
#define TRACE_SYSTEM(name)
#define TRACE_SYSTEM_END(name)
#define TRACE_EVENT(name, text, ...)                                                               \
	static const struct trace_field fields_of_##name[] = { __VA_ARGS__ };
#include <kern/trace_events.def>
#undef TRACE_EVENT
#undef PTR
#undef HEX
#undef NUM
#undef FLAG
#undef COMM
#undef SYM

/* An element for each word. */
#define PTR(name) 0
#define HEX(name) 0
#define NUM(name) 0
#define FLAG(name) 0
#define COMM(name) 0, 0
#define SYM(name, names) 0
#define TRACE_EVENT(name, text, ...)                                                               \
	[TRACE_##name] = { #name, text, fields_of_##name, ARRAY_SIZE(fields_of_##name),            \
			   sizeof((const u8[]){ __VA_ARGS__ }) },
const struct trace_event trace_events[NR_TRACE_EVENTS] = {
#include <kern/trace_events.def>
};
#undef TRACE_EVENT
#undef TRACE_SYSTEM
#undef TRACE_SYSTEM_END

#define TRACE_SYSTEM(system) { #system, TRACE_##system##_FIRST, TRACE_##system##_END },
#define TRACE_SYSTEM_END(system)
#define TRACE_EVENT(name, text, ...)
const struct trace_system trace_systems[] = {
#include <kern/trace_events.def>
	{ NULL, 0, 0 },
};
const struct trace_system trace_all_events = { "*", TRACE_LAST_KEY + 1, NR_TRACE_EVENTS };

static bool enabled[NR_TRACE_EVENTS];	/* [trace_lock] to be recorded */
static bool branch_on[NR_TRACE_EVENTS]; /* [trace_lock] recorded or counted */

const struct trace_system *trace_system_of(unsigned int id)
{
	const struct trace_system *s = trace_systems;

	while (id >= s->end)
		s++;
	return s;
}

/* ---- on and off ---- */

bool trace_is_recorded(unsigned long event)
{
	return READ_ONCE(enabled[event]);
}

void trace_update_key(unsigned int key)
{
	bool on = enabled[key] || faultstat_wants(key);

	if (branch_on[key] == on)
		return;
	branch_on[key] = on;
	static_branch_set(key, on);
}

/* trace_lock held. */
static void set_key(unsigned int key, bool on)
{
	WRITE_ONCE(enabled[key], on);
	trace_update_key(key);
}

/* trace_lock held. */
static int set_event(unsigned int id, bool on)
{
	int err = on ? trace_rings_alloc() : 0;

	if (err)
		return err;
	set_key(id, on);
	set_key(TRACE_SYSCALLS, enabled[TRACE_sys_enter] || enabled[TRACE_sys_exit]);
	set_key(TRACE_MMAP_LOCKING, enabled[TRACE_mmap_lock_start_locking] ||
					    enabled[TRACE_mmap_lock_acquire_returned]);
	return 0;
}

static int set_events(const struct trace_system *s, bool on)
{
	int err = 0;

	for (u32 id = s->first; id < s->end && !err; id++)
		err = set_event(id, on);
	return err;
}

int trace_events_set(const struct trace_system *s, bool on)
{
	int err;

	mutex_lock(&trace_lock);
	err = set_events(s, on);
	mutex_unlock(&trace_lock);
	return err;
}

char trace_events_state(const struct trace_system *s)
{
	u32 n = 0;

	mutex_lock(&trace_lock);
	for (u32 id = s->first; id < s->end; id++)
		n += enabled[id];
	mutex_unlock(&trace_lock);
	return (char)(n == s->end - s->first ? '1' : n ? 'X' : '0');
}

static bool matches(const char *name, const char *wanted)
{
	return !strcmp(wanted, "*") || !strcmp(name, wanted);
}

int trace_events_set_by_name(const char *system, const char *event, bool on)
{
	int err = -EINVAL;

	mutex_lock(&trace_lock);
	for (u32 id = trace_all_events.first; id < trace_all_events.end; id++) {
		if (!matches(trace_system_of(id)->name, system) ||
		    !matches(trace_events[id].name, event))
			continue;
		err = set_event(id, on);
		if (err)
			break;
	}
	mutex_unlock(&trace_lock);
	return err;
}

/* ---- long records ---- */

/* The system-call entry goes here, instead of calling the function itself, while sys_enter or sys_exit is on. */
long syscall_traced(const struct trap_frame *tf);
long syscall_traced(const struct trap_frame *tf)
{
	u32 nr = (u32)tf->orig_rax;
	u64 enter[] = { nr, tf->rdi, tf->rsi, tf->rdx, tf->r10, tf->r8, tf->r9 };
	syscall_fn fn = nr < NR_SYSCALLS ? syscall_table[nr] : sys_ni_syscall;
	long ret;

	if (trace_enabled(sys_enter))
		trace_write(TRACE_sys_enter, enter);
	ret = fn((long)tf->rdi, (long)tf->rsi, (long)tf->rdx, (long)tf->r10, (long)tf->r8,
		 (long)tf->r9);
	trace(sys_exit, nr, ret);
	return ret;
}

void trace_sched_switch(const struct task *prev, const struct task *next)
{
	u64 words[9] = { 0 };

	memcpy(&words[0], prev->comm, 16);
	words[2] = (u64)prev->tid;
	words[3] = 120 + (u64)prev->nice;
	words[4] = prev->state;
	memcpy(&words[5], next->comm, 16);
	words[7] = (u64)next->tid;
	words[8] = 120 + (u64)next->nice;
	trace_write(TRACE_sched_switch, words);
}

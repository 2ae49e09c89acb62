/* SPDX-License-Identifier: MIT
 *
 * Trace points, for every part of the kernel, mm/ included:
 *
 *	trace(mmap_lock_released, mm, write);
 *
 * records the event of that name of trace_events.def, with the time, the CPU and the task, when it is enabled. Else it
 * costs one instruction that does nothing, and its arguments are not computed. Any context but NMI. docs/tracing.md.
 */
#ifndef KERN_TRACE_H
#define KERN_TRACE_H

#include <arch/static_branch.h>
#include <kern/types.h>

/* The names of SYM() fields, in the order of the enumerations they come from. */
#define TRACE_FAULT_PHASES "lookup|folio|install"
#define TRACE_FAULT_RESULTS "done|retry|wait|maperr|accerr|bus|oom|killed|grow"
#define TRACE_MLOCK_OPS "mlock|munlock|mlockall|munlockall"
#define TRACE_TASK_STATES "R|S|D|D|T|Z|X"
#define TRACE_TLB_REASONS                                                                          \
	"flush on task switch|remote shootdown|local shootdown|local MM shootdown|remote IPI send"
#define TRACE_LRU_LISTS "inactive_anon|active_anon|inactive_file|active_file|unevictable"

enum trace_fault_phase { TRACE_PHASE_LOOKUP, TRACE_PHASE_FOLIO, TRACE_PHASE_INSTALL };
enum trace_mlock_op { TRACE_MLOCK, TRACE_MUNLOCK, TRACE_MLOCKALL, TRACE_MUNLOCKALL };
enum trace_tlb_reason {
	TRACE_TLB_TASK_SWITCH,
	TRACE_TLB_REMOTE_SHOOTDOWN,
	TRACE_TLB_LOCAL_SHOOTDOWN,
	TRACE_TLB_LOCAL_MM_SHOOTDOWN,
	TRACE_TLB_REMOTE_SEND_IPI
};

/* Numbers of events; they are the keys of their static branches, too. */
enum trace_event_id {
	/* No events, but keys of one site for two: who gets there looks again. */
	TRACE_SYSCALLS,	    /* sys_enter, sys_exit */
	TRACE_MMAP_LOCKING, /* mmap_lock_start_locking, mmap_lock_acquire_returned */
	TRACE_LAST_KEY = TRACE_MMAP_LOCKING,
#define TRACE_SYSTEM(name) TRACE_##name##_FIRST, TRACE_##name##_BEFORE = TRACE_##name##_FIRST - 1,
#define TRACE_SYSTEM_END(name) TRACE_##name##_END, TRACE_##name##_LAST = TRACE_##name##_END - 1,
#define TRACE_EVENT(name, text, ...) TRACE_##name,
#include <kern/trace_events.def>
#undef TRACE_SYSTEM
#undef TRACE_SYSTEM_END
#undef TRACE_EVENT
	NR_TRACE_EVENTS,
};

/* Only the types of the arguments: never called. */
#define PTR(name) const void *name
#define HEX(name) unsigned long name
#define NUM(name) long name
#define FLAG(name) bool name
#define COMM(name) const char *name
#define SYM(name, names) unsigned int name
#define TRACE_SYSTEM(name)
#define TRACE_SYSTEM_END(name)
#define TRACE_EVENT(name, text, ...) int __trace_check_##name(__VA_ARGS__);
#include <kern/trace_events.def>
#undef TRACE_SYSTEM
#undef TRACE_SYSTEM_END
#undef TRACE_EVENT
#undef PTR
#undef HEX
#undef NUM
#undef FLAG
#undef COMM
#undef SYM

/* Writes a record; words behind those of the event are ignored. Any context. */
void trace_emit(u64 event, u64 a, u64 b, u64 c, u64 d, u64 e);

#define __trace_words5(a, b, c, d, e) (u64)(a), (u64)(b), (u64)(c), (u64)(d), (u64)(e)
#define __trace_words4(a, b, c, d) __trace_words5(a, b, c, d, 0)
#define __trace_words3(a, b, c) __trace_words4(a, b, c, 0)
#define __trace_words2(a, b) __trace_words3(a, b, 0)
#define __trace_words1(a) __trace_words2(a, 0)
#define __trace_select(a, b, c, d, e, macro, ...) macro
#define __trace_words(...)                                                                         \
	__trace_select(__VA_ARGS__, __trace_words5, __trace_words4, __trace_words3,                \
		       __trace_words2, __trace_words1)(__VA_ARGS__)

#define trace_enabled(key) unlikely(static_branch(TRACE_##key))

#define trace(event, ...)                                                                          \
	do {                                                                                       \
		(void)sizeof(__trace_check_##event(__VA_ARGS__));                                  \
		if (trace_enabled(event))                                                          \
			static_branch_trace(TRACE_##event, __trace_words(__VA_ARGS__));            \
	} while (0)

#endif

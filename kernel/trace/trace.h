/* SPDX-License-Identifier: MIT
 *
 * Tracing inside: the table of events, the rings that records are written to, and reading them. <kern/trace.h> is what
 * the rest of the kernel sees. docs/tracing.md.
 */
#ifndef KERNEL_TRACE_TRACE_H
#define KERNEL_TRACE_TRACE_H

#include <arch/cpu.h>
#include <arch/page.h>
#include <kern/trace.h>
#include <sync/mutex.h>

/* ---- events.c: what there is ---- */

/* tools/ktrace.py knows these numbers and the layout of what follows. */
enum trace_kind { TRACE_PTR, TRACE_HEX, TRACE_NUM, TRACE_FLAG, TRACE_COMM, TRACE_SYM };

struct trace_field {
	const char *name;
	const char *symbols; /* TRACE_SYM: "a|b" */
	u64 kind;
};

struct trace_event {
	const char *name, *text;
	const struct trace_field *fields;
	u32 nr_fields, nr_words;
};

/* A run of events. */
struct trace_system {
	const char *name;
	u32 first, end;
};

extern const struct trace_event trace_events[NR_TRACE_EVENTS]; /* the first ones, keys, are none */
extern const struct trace_system trace_systems[];	       /* the last one without a name */
extern const struct trace_system trace_all_events;
const struct trace_system *trace_system_of(unsigned int id);

/* '0': none of the events is on, '1': all are, 'X': some. */
char trace_events_state(const struct trace_system *s);
/* Takes and releases trace_lock. 0 or -ENOMEM. */
int trace_events_set(const struct trace_system *s, bool on);
/* All whose system and event have these names ("*": whatever it is). 0, -EINVAL when there is none, -ENOMEM. */
int trace_events_set_by_name(const char *system, const char *event, bool on);

/* ---- ring.c: where records go ---- */

struct trace_record {
	u64 time; /* clock_ns() */
	/* From here on as events/SYSTEM/NAME/format says. */
	u16 type;
	u8 flags; /* TRACE_FLAG_* */
	u8 preempt_count;
	s32 pid;
	u64 word[];
};
#define TRACE_FLAG_IRQS_OFF 0x01u
#define TRACE_FLAG_NEED_RESCHED 0x04u
#define TRACE_FLAG_HARDIRQ 0x08u

#define TRACE_PAGE_DATA (PAGE_SIZE - 24)

struct trace_page {
	u64 serial; /* [A] 1 + how many pages the ring had filled before; 0: being taken into use */
	u64 first;  /* how many records it had written before */
	u32 used;   /* [A] bytes of data */
	u32 unused;
	u8 data[TRACE_PAGE_DATA];
};

/* One a CPU. The CPU alone writes, interrupts off. */
struct trace_ring {
	struct trace_page **pages; /* [A] NULL: none */
	u64 nr_pages;		   /* [I] while there are pages */
	u64 serial;		   /* [A] pages filled before the current one */
	u64 written;		   /* [A] records */
	s32 pid;		   /* of the latest record */
	char comm[16];
} __aligned(64);

extern struct trace_ring trace_rings[MAX_CPUS];
extern struct mutex trace_lock; /* who changes what is on, the rings' size, or reads */
extern bool tracing_on;		/* [A] */
extern unsigned long trace_kib; /* [trace_lock] of each ring */
extern u64 trace_generation;	/* [trace_lock] changes whenever the rings are emptied */

/* The words of the event, in order. Any context. */
void trace_write(unsigned long event, const u64 *words);

/* The event was asked for, and does not only come because it is counted. */
bool trace_is_recorded(unsigned long event);
/* Switches the event's branch on while anybody wants it. trace_lock held. */
void trace_update_key(unsigned int key);

/* The following: trace_lock held. */
int trace_rings_alloc(void); /* if there are none. 0 or -ENOMEM */
void trace_rings_free(void);
void trace_rings_clear(void);
/* The ring's page, copied whole. False: it was overwritten. */
bool trace_page_copy(const struct trace_ring *ring, u64 serial, struct trace_page *copy);
/* The first page that is still there. */
u64 trace_oldest(const struct trace_ring *ring);

/* The name that a task had when it last was traced; false: nobody knows. */
bool trace_comm_of(s32 pid, char comm[static 16]);

/* ---- faultstat.c: what the phases of a fault cost, as sums ---- */

enum fault_cost { COST_LOOKUP, COST_FOLIO, COST_INSTALL, COST_ZERO, COST_FAULT, NR_FAULT_COSTS };

extern bool faultstat_on; /* [A] */

/* Takes trace_lock. Sums stay when it is off. */
void faultstat_set(bool on);
/* Of all CPUs: how often, and TSC ticks in all. */
void faultstat_get(enum fault_cost cost, unsigned long *times, unsigned long *ticks);
/* It counts the event now. trace_lock held. */
bool faultstat_wants(unsigned int event);
/* One of them happened, with its first word. Any context but NMI. */
void faultstat_event(unsigned long event, u64 word);

/* ---- read.c: records of all CPUs in order of time ---- */

struct trace_cursor {
	struct trace_page *page; /* a copy; NULL: the CPU has no ring */
	u64 serial;		 /* of it */
	u64 next;		 /* the number of the record that is read next */
	u64 end;		 /* numbers from here on came after the reader did */
	u64 lost;		 /* records, since it was last reported */
	u32 at;			 /* of that record in page->data; may be its end */
	bool loaded;
};

/* All functions: trace_lock held. */
struct trace_reader {
	u64 generation; /* of the rings: a reader of older ones has come to the end */
	struct trace_cursor cpu[MAX_CPUS];
};

/* follow: goes on with what comes while it reads. 0 or -ENOMEM. */
int trace_reader_init(struct trace_reader *r, bool follow);
void trace_reader_free(struct trace_reader *r);
/* r begins where other is. */
void trace_reader_follow(struct trace_reader *r, const struct trace_reader *other);
/* Records that are still to be read, of those that were there at the beginning. */
u64 trace_reader_left(struct trace_reader *r);
/* The oldest record that was not read, and which CPU wrote it; it stays valid until the next call. NULL: none. */
const struct trace_record *trace_reader_next(struct trace_reader *r, unsigned int *cpu);

/* ---- text.c: Linux's words ---- */

/* One record as a line of /sys/kernel/tracing/trace. The length; cut at size. */
size_t trace_line(char *buf, size_t size, const struct trace_record *rec, unsigned int cpu);
/* events/SYSTEM/NAME/format. */
size_t trace_format(char *buf, size_t size, unsigned int id);

#endif

/* SPDX-License-Identifier: MIT
 *
 * The rings: where trace records are kept until somebody reads them.
 *
 * Each CPU has a ring of pages that it alone writes to, with interrupts off, so a writer takes no lock, waits for
 * nobody and meets nobody in the middle of a record; timestamps grow along a ring. A full page is followed by the oldest
 * one, whose records are lost: no event is ever held up. Records are numbered, and a page says which number its
 * first one has: so readers know exactly how many they missed.
 *
 * A reader copies a page and looks at its serial number before and after (a sequence lock): what a writer began to
 * overwrite meanwhile is thrown away. Bytes below `used` never change while the serial number stays.
 *
 * ./run --trace reads the rings from outside, out of the machine's memory, after it has stopped: trace_memory says
 * where everything is.
 */
#include "trace.h"

#include <arch/irq.h>
#include <arch/smp.h>
#include <arch/timer.h>
#include <kern/string.h>
#include <kernel/task.h>
#include <mm/page_alloc.h>
#include <mm/slab.h>
#include <uapi/errno.h>

#define NR_COMMS 1024

struct trace_comm {
	s32 pid; /* [A] 0: unused */
	char name[16];
};

struct mutex trace_lock = MUTEX_INIT(trace_lock);
bool tracing_on = true;
unsigned long trace_kib = 1408; /* Linux's */
u64 trace_generation;
struct trace_ring trace_rings[MAX_CPUS];
static struct trace_comm comms[NR_COMMS]; /* by pid modulo NR_COMMS: the latest has the place */

/* For who looks at the machine's memory: tools/ktrace.py. */
const struct {
	char magic[8];
	u64 version, nr_events, nr_rings, ring_size, nr_comms;
	const struct trace_event *events;
	const struct trace_system *systems;
	const struct trace_ring *rings;
	const struct trace_comm *comms;
	u64 direct_map, image; /* what to subtract from addresses to get physical ones */
} trace_memory __used = {
	"FLTRACE",
	1,
	NR_TRACE_EVENTS,
	MAX_CPUS,
	sizeof(struct trace_ring),
	NR_COMMS,
	trace_events,
	trace_systems,
	trace_rings,
	comms,
	DIRECT_MAP_BASE,
	KERNEL_BASE,
};

/* ---- writing: interrupts off ---- */

static __noinline void remember_comm(struct trace_ring *ring, const struct task *t)
{
	struct trace_comm *c = &comms[(u32)t->tid % NR_COMMS];

	ring->pid = t->tid;
	memcpy(ring->comm, t->comm, sizeof(ring->comm));
	WRITE_ONCE(c->pid, 0);
	memcpy(c->name, t->comm, sizeof(c->name));
	WRITE_ONCE(c->pid, t->tid);
}

/* Two words, not a call: it is done for each record. */
static bool same_comm(const char *a, const char *b)
{
	const u64 *x = (const u64 *)a, *y = (const u64 *)b;

	return x[0] == y[0] && x[1] == y[1];
}

static struct trace_page *next_page(struct trace_ring *ring)
{
	u64 serial = ring->serial + 1;
	struct trace_page *page = ring->pages[serial % ring->nr_pages];

	WRITE_ONCE(page->serial, 0);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	page->first = ring->written;
	page->used = 0;
	__atomic_store_n(&page->serial, serial + 1, __ATOMIC_RELEASE);
	__atomic_store_n(&ring->serial, serial, __ATOMIC_RELEASE);
	return page;
}

static void write_record(struct trace_ring *ring, unsigned long event, const u64 *words, u8 flags)
{
	struct trace_page *page = ring->pages[ring->serial % ring->nr_pages];
	const struct task *t = current;
	u32 n = trace_events[event].nr_words;
	u32 size = (u32)sizeof(struct trace_record) + n * 8;
	struct trace_record *rec;

	if (unlikely(ring->pid != t->tid || !same_comm(ring->comm, t->comm)))
		remember_comm(ring, t);
	if (unlikely(page->used + size > TRACE_PAGE_DATA))
		page = next_page(ring);
	rec = (struct trace_record *)(page->data + page->used);
	rec->time = clock_ns();
	rec->type = (u16)event;
	rec->flags = flags;
	rec->preempt_count = 0;
	rec->pid = t->tid;
	for (u32 i = 0; i < n; i++)
		rec->word[i] = words[i];
	__atomic_store_n(&page->used, page->used + size, __ATOMIC_RELEASE);
	__atomic_store_n(&ring->written, ring->written + 1, __ATOMIC_RELEASE);
}

void trace_write(unsigned long event, const u64 *words)
{
	irqflags_t irqflags = irq_save();
	struct trace_ring *ring = &trace_rings[cpu_id()];
	u8 flags = irqflags & RFLAGS_IF ? 0 : TRACE_FLAG_IRQS_OFF;

	if (cpu_need_resched())
		flags |= TRACE_FLAG_NEED_RESCHED;
	if (this_cpu()->irq_depth)
		flags |= TRACE_FLAG_HARDIRQ;
	if (READ_ONCE(tracing_on) && READ_ONCE(ring->pages))
		write_record(ring, event, words, flags);
	irq_restore(irqflags);
}

void trace_emit(u64 event, u64 a, u64 b, u64 c, u64 d, u64 e)
{
	u64 words[] = { a, b, c, d, e };

	if (unlikely(READ_ONCE(faultstat_on))) {
		faultstat_event(event, a);
		if (!trace_is_recorded(event))
			return;
	}
	trace_write(event, words);
}

bool trace_comm_of(s32 pid, char comm[static 16])
{
	const struct trace_comm *c = &comms[(u32)pid % NR_COMMS];

	if (!pid || READ_ONCE(c->pid) != pid)
		return false;
	memcpy(comm, c->name, 16);
	comm[15] = 0;
	return READ_ONCE(c->pid) == pid;
}

/* ---- size ---- */

static void nothing(void *arg __maybe_unused)
{
}

/* No CPU writes to the rings any more that it saw before: writers have interrupts off. */
static void wait_for_writers(void)
{
	on_each_cpu(nothing, NULL);
}

static void free_pages_of(struct trace_page **pages, u64 n)
{
	for (u64 i = 0; i < n; i++)
		if (pages[i])
			free_pages(virt_to_page(pages[i]), 0);
	kfree(pages);
}

static struct trace_page **alloc_pages_of(u64 n)
{
	struct trace_page **pages = kzalloc(n * sizeof(*pages), GFP_KERNEL);

	for (u64 i = 0; pages && i < n; i++) {
		struct page *p = alloc_pages(GFP_KERNEL | __GFP_ZERO, 0);

		if (!p) {
			free_pages_of(pages, n);
			return NULL;
		}
		pages[i] = page_address(p);
	}
	if (pages)
		pages[0]->serial = 1;
	return pages;
}

int trace_rings_alloc(void)
{
	u64 n = max(trace_kib / (PAGE_SIZE / 1024), 2UL);

	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++) {
		struct trace_ring *ring = &trace_rings[cpu];
		struct trace_page **pages;

		if (ring->pages || !cpu_is_online(cpu))
			continue;
		pages = alloc_pages_of(n);
		if (!pages) {
			trace_rings_free();
			return -ENOMEM;
		}
		ring->nr_pages = n;
		ring->serial = 0;
		ring->written = 0;
		__atomic_store_n(&ring->pages, pages, __ATOMIC_RELEASE);
	}
	return 0;
}

void trace_rings_free(void)
{
	struct trace_page **pages;

	trace_generation++;
	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++) {
		pages = trace_rings[cpu].pages;
		if (!pages)
			continue;
		WRITE_ONCE(trace_rings[cpu].pages, NULL);
		wait_for_writers();
		free_pages_of(pages, trace_rings[cpu].nr_pages);
	}
}

void trace_rings_clear(void)
{
	trace_generation++;
	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++) {
		struct trace_ring *ring = &trace_rings[cpu];
		struct trace_page **pages = ring->pages;

		if (!pages)
			continue;
		WRITE_ONCE(ring->pages, NULL);
		wait_for_writers();
		for (u64 i = 0; i < ring->nr_pages; i++) {
			pages[i]->serial = i == 0;
			pages[i]->first = 0;
			pages[i]->used = 0;
		}
		ring->serial = 0;
		ring->written = 0;
		__atomic_store_n(&ring->pages, pages, __ATOMIC_RELEASE);
	}
}

/* ---- reading ---- */

u64 trace_oldest(const struct trace_ring *ring)
{
	u64 serial = __atomic_load_n(&ring->serial, __ATOMIC_ACQUIRE);

	return serial < ring->nr_pages ? 0 : serial - ring->nr_pages + 1;
}

bool trace_page_copy(const struct trace_ring *ring, u64 serial, struct trace_page *copy)
{
	const struct trace_page *page = ring->pages[serial % ring->nr_pages];
	u32 used;

	if (__atomic_load_n(&page->serial, __ATOMIC_ACQUIRE) != serial + 1)
		return false;
	used = min(__atomic_load_n(&page->used, __ATOMIC_ACQUIRE), (u32)TRACE_PAGE_DATA);
	copy->first = READ_ONCE(page->first);
	memcpy(copy->data, page->data, used);
	copy->used = used;
	copy->serial = serial + 1;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return READ_ONCE(page->serial) == serial + 1;
}

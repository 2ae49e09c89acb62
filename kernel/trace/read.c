/* SPDX-License-Identifier: MIT
 *
 * Reading the rings: the records of all CPUs as one sequence in order of time, a page of each at a time. How many were
 * overwritten before they could be read is told by their numbers.
 */
#include "trace.h"

#include <kern/string.h>
#include <mm/slab.h>
#include <uapi/errno.h>

/* Continues with page serial, or with the oldest one when that is gone. */
static bool load(struct trace_cursor *c, const struct trace_ring *ring, u64 serial)
{
	serial = max(serial, trace_oldest(ring));
	while (!trace_page_copy(ring, serial, c->page)) {
		if (serial > __atomic_load_n(&ring->serial, __ATOMIC_ACQUIRE))
			return false;
		serial = max(serial + 1, trace_oldest(ring));
	}
	if (serial != c->serial) {
		c->at = 0;
		c->lost += c->page->first - c->next;
		c->next = c->page->first;
	}
	c->serial = serial;
	c->loaded = true;
	return true;
}

/* The record at the cursor, or NULL when there is none (yet). */
static const struct trace_record *peek(struct trace_cursor *c, const struct trace_ring *ring)
{
	if (!c->page)
		return NULL;
	if (!c->loaded || c->at >= c->page->used) {
		/* The page may have got more since it was copied; else the next one is due. */
		if (!load(c, ring, c->serial))
			return NULL;
		if (c->at >= c->page->used && !load(c, ring, c->serial + 1))
			return NULL;
	}
	if (c->at >= c->page->used || c->next >= c->end)
		return NULL;
	return (const struct trace_record *)(c->page->data + c->at);
}

static void advance(struct trace_cursor *c, const struct trace_record *rec)
{
	c->at += (u32)sizeof(*rec) + trace_events[rec->type].nr_words * 8;
	c->next++;
}

int trace_reader_init(struct trace_reader *r, bool follow)
{
	memset(r, 0, sizeof(*r));
	r->generation = trace_generation;
	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++) {
		const struct trace_ring *ring = &trace_rings[cpu];
		struct trace_cursor *c = &r->cpu[cpu];

		if (!ring->pages)
			continue;
		c->end = follow ? ~0ULL : __atomic_load_n(&ring->written, __ATOMIC_ACQUIRE);
		c->page = kmalloc(sizeof(*c->page), GFP_KERNEL);
		if (!c->page) {
			trace_reader_free(r);
			return -ENOMEM;
		}
	}
	return 0;
}

void trace_reader_free(struct trace_reader *r)
{
	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++) {
		kfree(r->cpu[cpu].page);
		r->cpu[cpu].page = NULL;
	}
}

void trace_reader_follow(struct trace_reader *r, const struct trace_reader *other)
{
	if (other->generation != r->generation)
		return;
	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++) {
		r->cpu[cpu].serial = other->cpu[cpu].serial;
		r->cpu[cpu].next = other->cpu[cpu].next;
		r->cpu[cpu].at = other->cpu[cpu].at;
	}
}

u64 trace_reader_left(struct trace_reader *r)
{
	u64 n = 0;

	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++)
		if (peek(&r->cpu[cpu], &trace_rings[cpu]))
			n += r->cpu[cpu].end - r->cpu[cpu].next;
	return n;
}

const struct trace_record *trace_reader_next(struct trace_reader *r, unsigned int *cpu)
{
	const struct trace_record *first = NULL;

	if (r->generation != trace_generation)
		return NULL;
	for (unsigned int i = 0; i < MAX_CPUS; i++) {
		const struct trace_record *rec = peek(&r->cpu[i], &trace_rings[i]);

		if (rec && (!first || rec->time < first->time)) {
			first = rec;
			*cpu = i;
		}
	}
	if (first)
		advance(&r->cpu[*cpu], first);
	return first;
}

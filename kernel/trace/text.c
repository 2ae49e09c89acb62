/* SPDX-License-Identifier: MIT
 *
 * Records and their formats as Linux writes them.
 */
#include "trace.h"

#include <kern/printf.h>
#include <kern/string.h>
#include <stdarg.h>

struct out {
	char *buf;
	size_t size, len;
};

__printf(2, 3) static void put(struct out *o, const char *fmt, ...)
{
	size_t room = o->size - o->len;
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	n = (size_t)vsnprintf(o->buf + o->len, room, fmt, ap);
	va_end(ap);
	o->len += min(n, room - 1);
}

/* The nth of "a|b|c"; its number when there are not as many. */
static void put_symbol(struct out *o, const char *names, u64 n)
{
	const char *end;

	for (u64 i = n; i && names; i--) {
		names = strchr(names, '|');
		names = names ? names + 1 : NULL;
	}
	if (!names) {
		put(o, "%lu", (unsigned long)n);
		return;
	}
	end = strchr(names, '|');
	while (*names && names != end)
		put(o, "%c", *names++);
}

/* Returns the words it took. */
static unsigned int put_field(struct out *o, const struct trace_field *f, const u64 *w)
{
	switch ((enum trace_kind)f->kind) {
	case TRACE_PTR:
		put(o, "%016lx", (unsigned long)*w);
		return 1;
	case TRACE_HEX:
		put(o, "%lx", (unsigned long)*w);
		return 1;
	case TRACE_NUM:
		put(o, "%ld", (long)*w);
		return 1;
	case TRACE_FLAG:
		put(o, "%s", *w ? "true" : "false");
		return 1;
	case TRACE_SYM:
		put_symbol(o, f->symbols, *w);
		return 1;
	case TRACE_COMM:
		put(o, "%.16s", (const char *)w);
		return 2;
	}
	return 1;
}

size_t trace_line(char *buf, size_t size, const struct trace_record *rec, unsigned int cpu)
{
	const struct trace_event *e = &trace_events[rec->type];
	const struct trace_field *f = e->fields;
	struct out o = { buf, size, 0 };
	const u64 *w = rec->word;
	u64 us = rec->time / 1000;
	char comm[16] = "<...>";

	if (!rec->pid)
		strscpy(comm, "<idle>", sizeof(comm));
	else
		(void)trace_comm_of(rec->pid, comm);
	put(&o, "%16s-%-7d [%03u] %c%c%c.. %5lu.%06lu: %s: ", comm, rec->pid, cpu,
	    rec->flags & TRACE_FLAG_IRQS_OFF ? 'd' : '.',
	    rec->flags & TRACE_FLAG_NEED_RESCHED ? 'N' : '.',
	    rec->flags & TRACE_FLAG_HARDIRQ ? 'h' : '.', (unsigned long)(us / 1000000),
	    (unsigned long)(us % 1000000), e->name);
	for (const char *s = e->text; *s; s++) {
		if (*s != '%') {
			put(&o, "%c", *s);
			continue;
		}
		w += put_field(&o, f++, w);
		s++;
	}
	put(&o, "\n");
	return o.len;
}

/* ---- events/SYSTEM/NAME/format ---- */

static const struct {
	const char *type; /* of the field, as C has it */
	unsigned int size, is_signed;
	const char *conversion; /* in "print fmt" */
} kinds[] = {
	[TRACE_PTR] = { "const void *", 8, 0, "%p" },
	[TRACE_HEX] = { "unsigned long", 8, 0, "%lx" },
	[TRACE_NUM] = { "long", 8, 1, "%ld" },
	[TRACE_FLAG] = { "unsigned long", 8, 0, "%s" },
	[TRACE_COMM] = { "char", 16, 0, "%s" },
	[TRACE_SYM] = { "unsigned long", 8, 0, "%s" },
};

static void put_fields(struct out *o, const struct trace_event *e)
{
	size_t offset = sizeof(struct trace_record) - offsetof(struct trace_record, type);

	for (u32 i = 0; i < e->nr_fields; i++) {
		const struct trace_field *f = &e->fields[i];

		put(o, "\tfield:%s %s%s;\toffset:%lu;\tsize:%u;\tsigned:%u;\n", kinds[f->kind].type,
		    f->name, f->kind == TRACE_COMM ? "[16]" : "", offset, kinds[f->kind].size,
		    kinds[f->kind].is_signed);
		offset += kinds[f->kind].size;
	}
}

static void put_symbols(struct out *o, const char *name, const char *names)
{
	unsigned long n = 0;

	put(o, "__print_symbolic(REC->%s", name);
	for (; names; n++) {
		put(o, ", { %lu, \"", n);
		put_symbol(o, names, 0);
		put(o, "\" }");
		names = strchr(names, '|');
		names = names ? names + 1 : NULL;
	}
	put(o, ")");
}

static void put_print_format(struct out *o, const struct trace_event *e)
{
	const struct trace_field *f = e->fields;

	put(o, "\nprint fmt: \"");
	for (const char *s = e->text; *s; s++) {
		put(o, "%.*s", *s == '%' ? 0 : 1, s);
		if (*s == '%') {
			put(o, "%s", kinds[f++->kind].conversion);
			s++;
		}
	}
	put(o, "\"");
	for (f = e->fields; f < e->fields + e->nr_fields; f++) {
		put(o, ", ");
		if (f->kind == TRACE_SYM)
			put_symbols(o, f->name, f->symbols);
		else
			put(o, "REC->%s%s", f->name,
			    f->kind == TRACE_FLAG ? " ? \"true\" : \"false\"" : "");
	}
	put(o, "\n");
}

size_t trace_format(char *buf, size_t size, unsigned int id)
{
	const struct trace_event *e = &trace_events[id];
	struct out o = { buf, size, 0 };

	put(&o,
	    "name: %s\nID: %u\nformat:\n"
	    "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
	    "\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"
	    "\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n"
	    "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n",
	    e->name, id);
	put_fields(&o, e);
	put_print_format(&o, e);
	return o.len;
}

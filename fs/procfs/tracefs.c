/* SPDX-License-Identifier: MIT
 *
 * /sys/kernel/tracing: Linux's tracefs, as far as recipes by hand use it. The tree below events/ is made of
 * trace_events.def; what was recorded is read through `trace` (all there is, at that moment) and `trace_pipe` (each record
 * once, waiting for more).
 */
#include <arch/timer.h>
#include <arch/uaccess.h>
#include <fs/procfs/internal.h>
#include <kern/err.h>
#include <kern/printf.h>
#include <kern/printk.h>
#include <kern/string.h>
#include <kernel/time.h>
#include <kernel/trace/trace.h>
#include <mm/slab.h>

#define LINE_SIZE 512
#define PIPE_POLL_NS                                                                               \
	10000000ULL /* how often trace_pipe looks: writers, in any context, cannot wake it */
#define MAX_KIB (1UL << 20)

#define DIR(n, table)                                                                              \
	{                                                                                          \
		.name = n, .mode = S_IFDIR | 0750, .iops = &proc_dir_iops, .fops = &proc_dir_fops, \
		.children = table                                                                  \
	}
#define TEXT(n, s)                                                                                 \
	{                                                                                          \
		.name = n, .mode = S_IFREG | 0440, .show = s                                       \
	}
#define CONTROL(n, s, w)                                                                           \
	{                                                                                          \
		.name = n, .mode = S_IFREG | 0640, .show = s, .write = w                           \
	}

/* Cuts a line's end off. */
static char *first_line(char *text)
{
	char *end = strchr(text, '\n');

	if (end)
		*end = 0;
	return text;
}

/* ---- events/: the tree ---- */

static const struct trace_system *system_of(const struct proc_node *node)
{
	return node->entry->data;
}

static int enable_show(struct seq *s)
{
	seq_putc(s, trace_events_state(system_of(s->node)));
	seq_putc(s, '\n');
	return 0;
}

static int enable_write(const struct proc_node *node, char *text)
{
	unsigned long on;

	if (kstrtoul(first_line(text), 10, &on) || on > 1)
		return -EINVAL;
	return trace_events_set(system_of(node), on);
}

static int id_show(struct seq *s)
{
	seq_printf(s, "%u\n", system_of(s->node)->first);
	return 0;
}

static int format_show(struct seq *s)
{
	size_t n = trace_format(s->buf + s->len, s->size - s->len, system_of(s->node)->first);

	if (n + 1 >= s->size - s->len)
		s->overflow = true;
	else
		s->len += n;
	return 0;
}

#define ENABLE(range)                                                                              \
	{                                                                                          \
		.name = "enable", .mode = S_IFREG | 0640, .show = enable_show,                     \
		.write = enable_write, .data = range                                               \
	}

/* An event is a range of one. */
#define TRACE_SYSTEM(system)
#define TRACE_SYSTEM_END(system)
#define TRACE_EVENT(event, text, ...)                                                              \
	static const struct trace_system event##_range = { #event, TRACE_##event,                  \
							   TRACE_##event + 1 };                    \
	static const struct proc_entry event##_entries[] = {                                       \
		ENABLE(&event##_range),                                                            \
		{ .name = "format",                                                                \
		  .mode = S_IFREG | 0440,                                                          \
		  .show = format_show,                                                             \
		  .data = &event##_range },                                                        \
		{ .name = "id", .mode = S_IFREG | 0440, .show = id_show, .data = &event##_range }, \
		{ 0 },                                                                             \
	};
#include <kern/trace_events.def>
#undef TRACE_SYSTEM
#undef TRACE_SYSTEM_END
#undef TRACE_EVENT

#define TRACE_SYSTEM(system)                                                                       \
	static const struct trace_system system##_range = { #system, TRACE_##system##_FIRST,       \
							    TRACE_##system##_END };                \
	static const struct proc_entry system##_system_entries[] = { ENABLE(&system##_range),
#define TRACE_EVENT(event, text, ...) DIR(#event, event##_entries),
#define TRACE_SYSTEM_END(system)                                                                   \
	{                                                                                          \
		0                                                                                  \
	}                                                                                          \
	}                                                                                          \
	;
#include <kern/trace_events.def>
#undef TRACE_SYSTEM
#undef TRACE_SYSTEM_END
#undef TRACE_EVENT

#define TRACE_SYSTEM(system) DIR(#system, system##_system_entries),
#define TRACE_SYSTEM_END(system)
#define TRACE_EVENT(event, text, ...)
static const struct proc_entry events_entries[] = {
	ENABLE(&trace_all_events),
#include <kern/trace_events.def>
	{ 0 },
};

/* ---- which events ---- */

static int list_events(struct seq *s, bool all)
{
	for (u32 id = trace_all_events.first; id < trace_all_events.end; id++) {
		const struct trace_system one = { NULL, id, id + 1 };

		if (all || trace_events_state(&one) == '1')
			seq_printf(s, "%s:%s\n", trace_system_of(id)->name, trace_events[id].name);
	}
	return 0;
}

static int available_events_show(struct seq *s)
{
	return list_events(s, true);
}

static int set_event_show(struct seq *s)
{
	return list_events(s, false);
}

/* "system:event", "system", "event", "!" before it: off. */
static int set_event_word(char *word)
{
	bool on = *word != '!';
	char *system = on ? word : word + 1;
	char *event = strchr(system, ':');
	int err;

	if (event) {
		*event++ = 0;
		return trace_events_set_by_name(*system ? system : "*", *event ? event : "*", on);
	}
	err = trace_events_set_by_name(system, "*", on);
	return err == -EINVAL ? trace_events_set_by_name("*", system, on) : err;
}

/* Words between white space or commas. */
static int set_event_write(const struct proc_node *node __maybe_unused, char *text)
{
	static const char between[] = " ,\t\n";
	int err = 0;

	while (!err && *text) {
		char *end = text;

		while (*end && !strchr(between, *end))
			end++;
		if (*end)
			*end++ = 0;
		if (*text)
			err = set_event_word(text);
		text = end;
	}
	return err;
}

/* As Linux: who opens it to write, and not to append, begins with no event on. */
static int set_event_open(struct inode *inode, struct file *f)
{
	if ((f->mode & FMODE_WRITE) && !(f->flags & O_APPEND))
		(void)trace_events_set(&trace_all_events, false);
	return proc_text_open(inode, f);
}

static const struct file_ops set_event_fops = {
	.open = set_event_open,
	.release = proc_text_release,
	.read = proc_text_read,
	.write = proc_text_write,
};

/* ---- what is recorded, and how much of it is kept ---- */

static int tracing_on_show(struct seq *s)
{
	seq_puts(s, READ_ONCE(tracing_on) ? "1\n" : "0\n");
	return 0;
}

static int tracing_on_write(const struct proc_node *node __maybe_unused, char *text)
{
	unsigned long on;

	if (kstrtoul(first_line(text), 10, &on))
		return -EINVAL;
	WRITE_ONCE(tracing_on, on != 0);
	return 0;
}

static int buffer_size_show(struct seq *s)
{
	seq_printf(s, "%lu\n", READ_ONCE(trace_kib));
	return 0;
}

static int buffer_total_size_show(struct seq *s)
{
	seq_printf(s, "%lu\n", READ_ONCE(trace_kib) * proc_nr_cpus());
	return 0;
}

static int buffer_size_write(const struct proc_node *node __maybe_unused, char *text)
{
	unsigned long kib;
	int err = 0;
	bool had;

	if (kstrtoul(first_line(text), 10, &kib) || !kib)
		return -EINVAL;
	if (kib > MAX_KIB)
		return -ENOMEM;
	mutex_lock(&trace_lock);
	had = trace_rings[0].pages;
	trace_rings_free();
	trace_kib = kib;
	if (had)
		err = trace_rings_alloc();
	mutex_unlock(&trace_lock);
	return err;
}

static int current_tracer_show(struct seq *s)
{
	seq_puts(s, "nop\n");
	return 0;
}

static int current_tracer_write(const struct proc_node *node __maybe_unused, char *text)
{
	return strcmp(first_line(text), "nop") ? -EINVAL : 0;
}

static int available_tracers_show(struct seq *s)
{
	return current_tracer_show(s);
}

static int trace_clock_show(struct seq *s)
{
	seq_puts(s, "[mono]\n");
	return 0;
}

/* ---- trace, trace_pipe ---- */

struct trace_file {
	struct mutex lock;
	struct trace_reader reader;
	u64 pos;
	bool pipe, any; /* any: something was read */
	size_t len, at; /* of line */
	char line[2 * LINE_SIZE];
};

/* [trace_lock] What trace_pipe has read is read: it stays when the file is closed. */
static struct {
	struct trace_reader *reader;
	bool open;
} consumed;

static void forget_consumed(void)
{
	if (consumed.reader)
		trace_reader_free(consumed.reader);
	kfree(consumed.reader);
	consumed.reader = NULL;
}

/* Empties the rings, or gives them back when no event is on. */
static void clear(void)
{
	bool off = trace_events_state(&trace_all_events) == '0';

	mutex_lock(&trace_lock);
	if (off)
		trace_rings_free();
	else
		trace_rings_clear();
	if (!consumed.open)
		forget_consumed();
	mutex_unlock(&trace_lock);
}

/* trace_lock held. A reader of rings that are no more begins anew. */
static int prepare_consumed(void)
{
	int err;

	if (consumed.reader && consumed.reader->generation == trace_generation &&
	    consumed.reader->cpu[0].page)
		return 0;
	forget_consumed();
	consumed.reader = kmalloc(sizeof(*consumed.reader), GFP_KERNEL);
	if (!consumed.reader)
		return -ENOMEM;
	err = trace_reader_init(consumed.reader, true);
	if (err)
		forget_consumed();
	return err;
}

static void put_header(struct trace_file *t, u64 left, u64 written)
{
	t->len = (size_t)scnprintf(
		t->line, sizeof(t->line),
		"# tracer: nop\n#\n# entries-in-buffer/entries-written: %lu/%lu   #P:%u\n#\n"
		"#                                _-----=> irqs-off/BH-disabled\n"
		"#                               / _----=> need-resched\n"
		"#                              | / _---=> hardirq/softirq\n"
		"#                              || / _--=> preempt-depth\n"
		"#                              ||| / _-=> migrate-disable\n"
		"#                              |||| /     delay\n"
		"#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION\n"
		"#              | |         |   |||||     |         |\n",
		(unsigned long)left, (unsigned long)written, proc_nr_cpus());
	t->at = 0;
}

/* `trace`: what is there now, but for what trace_pipe has read. */
static int begin_snapshot(struct trace_file *t)
{
	u64 written = 0;
	int err;

	trace_reader_free(&t->reader);
	mutex_lock(&trace_lock);
	err = trace_reader_init(&t->reader, false);
	if (!err) {
		if (consumed.reader)
			trace_reader_follow(&t->reader, consumed.reader);
		for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++)
			written += trace_rings[cpu].pages ? trace_rings[cpu].written : 0;
		put_header(t, trace_reader_left(&t->reader), written);
		for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++)
			t->reader.cpu[cpu].lost = 0; /* the header tells */
	}
	mutex_unlock(&trace_lock);
	t->pos = 0;
	return err;
}

/* The next record as text. 1; 0: there is none; or -errno. */
static int next_line(struct trace_file *t)
{
	struct trace_reader *r = &t->reader;
	const struct trace_record *rec = NULL;
	unsigned int cpu = 0;
	int err = 0;

	mutex_lock(&trace_lock);
	if (t->pipe) {
		err = prepare_consumed();
		r = consumed.reader;
	}
	if (!err)
		rec = trace_reader_next(r, &cpu);
	if (rec) {
		t->at = t->len = 0;
		if (r->cpu[cpu].lost)
			t->len = (size_t)scnprintf(t->line, LINE_SIZE, "CPU:%u [LOST %lu EVENTS]\n",
						   cpu, (unsigned long)r->cpu[cpu].lost);
		r->cpu[cpu].lost = 0;
		t->len += trace_line(t->line + t->len, LINE_SIZE, rec, cpu);
	}
	mutex_unlock(&trace_lock);
	return rec ? 1 : err;
}

static int wait_for_more(struct file *f, const struct trace_file *t)
{
	if (!t->pipe || (!READ_ONCE(tracing_on) && t->any))
		return 0;
	if (f->flags & O_NONBLOCK)
		return -EAGAIN;
	return sleep_until(clock_ns() + PIPE_POLL_NS, PARK_INTERRUPTIBLE) ?: 1;
}

static ssize_t read_lines(struct file *f, struct trace_file *t, char __user *buf, size_t n)
{
	size_t done = 0;
	int ret;

	while (done < n) {
		size_t chunk = min(n - done, t->len - t->at);

		if (chunk) {
			if (copy_to_user(buf + done, t->line + t->at, chunk))
				return done ? (ssize_t)done : -EFAULT;
			t->at += chunk;
			done += chunk;
			t->any = true;
			continue;
		}
		ret = next_line(t);
		if (!ret && !done)
			ret = wait_for_more(f, t);
		if (ret <= 0)
			return done ? (ssize_t)done : ret;
	}
	return (ssize_t)done;
}

static ssize_t trace_read(struct file *f, char __user *buf, size_t n, u64 *pos)
{
	struct trace_file *t = f->private;
	ssize_t ret = 0;

	if (mutex_lock_killable(&t->lock))
		return -EINTR;
	if (!t->pipe && *pos != t->pos)
		ret = *pos ? -EINVAL : begin_snapshot(t);
	if (!ret)
		ret = read_lines(f, t, buf, n);
	if (ret > 0) {
		t->pos += (u64)ret;
		*pos = t->pos;
	}
	mutex_unlock(&t->lock);
	return ret;
}

/* Whatever is written to `trace`, opening it for that has emptied it. */
static ssize_t trace_write_ignored(struct file *f __maybe_unused,
				   const char __user *buf __maybe_unused, size_t n, u64 *pos)
{
	*pos += n;
	return (ssize_t)n;
}

static int open_file(struct file *f, bool pipe)
{
	struct trace_file *t = kzalloc(sizeof(*t), GFP_KERNEL);

	if (!t)
		return -ENOMEM;
	mutex_init(&t->lock);
	t->pipe = pipe;
	f->private = t;
	return 0;
}

static int trace_open(struct inode *inode __maybe_unused, struct file *f)
{
	int err = open_file(f, false);

	if (err)
		return err;
	if ((f->mode & FMODE_WRITE) && !(f->flags & O_APPEND))
		clear();
	if (f->mode & FMODE_READ)
		err = begin_snapshot(f->private);
	if (err)
		kfree(f->private);
	return err;
}

static void trace_release(struct file *f)
{
	struct trace_file *t = f->private;

	trace_reader_free(&t->reader);
	kfree(t);
}

static int trace_pipe_open(struct inode *inode __maybe_unused, struct file *f)
{
	int err = open_file(f, true);

	if (err)
		return err;
	mutex_lock(&trace_lock);
	err = consumed.open ? -EBUSY : 0;
	consumed.open = true;
	mutex_unlock(&trace_lock);
	if (err)
		kfree(f->private);
	return err;
}

static void trace_pipe_release(struct file *f)
{
	mutex_lock(&trace_lock);
	consumed.open = false;
	if (!trace_rings[0].pages)
		forget_consumed();
	mutex_unlock(&trace_lock);
	kfree(f->private);
}

static const struct file_ops trace_fops = {
	.open = trace_open,
	.release = trace_release,
	.read = trace_read,
	.write = trace_write_ignored,
};
static const struct file_ops trace_pipe_fops = {
	.open = trace_pipe_open,
	.release = trace_pipe_release,
	.read = trace_read,
};

/* ---- the tree ---- */

static const struct proc_entry tracing_entries[] = {
	TEXT("available_events", available_events_show),
	TEXT("available_tracers", available_tracers_show),
	CONTROL("buffer_size_kb", buffer_size_show, buffer_size_write),
	TEXT("buffer_total_size_kb", buffer_total_size_show),
	CONTROL("current_tracer", current_tracer_show, current_tracer_write),
	DIR("events", events_entries),
	{ .name = "set_event",
	  .mode = S_IFREG | 0640,
	  .fops = &set_event_fops,
	  .show = set_event_show,
	  .write = set_event_write },
	{ .name = "trace", .mode = S_IFREG | 0640, .fops = &trace_fops },
	TEXT("trace_clock", trace_clock_show),
	{ .name = "trace_pipe", .mode = S_IFREG | 0440, .fops = &trace_pipe_fops },
	CONTROL("tracing_on", tracing_on_show, tracing_on_write),
	{ 0 },
};
static const struct proc_entry root_entry = {
	.name = "/",
	.mode = S_IFDIR | 0700,
	.iops = &proc_dir_iops,
	.fops = &proc_dir_fops,
	.children = tracing_entries,
};

void tracefs_init(void)
{
	struct inode *root = proc_inode(&root_entry, NULL, 0, 1);

	if (IS_ERR(root) || vfs_mount("/sys/kernel/tracing", root, "tracefs"))
		pr_err("tracefs: cannot mount /sys/kernel/tracing");
}

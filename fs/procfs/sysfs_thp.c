/* SPDX-License-Identifier: MIT
 *
 * /sys/kernel/mm/transparent_hugepage: which large folios anonymous memory gets.
 */
#include <arch/pgtable.h>
#include <fs/procfs/internal.h>
#include <kern/err.h>
#include <kern/knobs.h>
#include <kern/string.h>
#include <mm/thp.h>

#define DIR(n, table)                                                                              \
	{                                                                                          \
		.name = n, .mode = S_IFDIR | 0755, .iops = &proc_dir_iops, .fops = &proc_dir_fops, \
		.children = table                                                                  \
	}

/* Cuts a line's end off. */
static char *line_of(char *text)
{
	size_t len = strlen(text);

	if (len && text[len - 1] == '\n')
		text[len - 1] = 0;
	return text;
}

/* ---- one of several words, the one that holds in brackets ---- */

struct words {
	const char *const *all; /* the last one: NULL */
	unsigned long (*get)(unsigned int order);
	int (*set)(unsigned int order, unsigned long n);
	unsigned int order; /* for get and set */
};

static int words_show(struct seq *s)
{
	const struct words *w = s->node->entry->data;
	unsigned long now = w->get(w->order);

	for (unsigned long i = 0; w->all[i]; i++)
		seq_printf(s, i == now ? "%s[%s]" : "%s%s", i ? " " : "", w->all[i]);
	seq_putc(s, '\n');
	return 0;
}

static int words_write(const struct proc_node *node, char *text)
{
	const struct words *w = node->entry->data;
	const char *word = line_of(text);

	for (unsigned long i = 0; w->all[i]; i++)
		if (strcmp(word, w->all[i]) == 0)
			return w->set(w->order, i);
	return -EINVAL;
}

#define WORDS(n, words)                                                                            \
	{                                                                                          \
		.name = n, .mode = S_IFREG | 0644, .show = words_show, .write = words_write,       \
		.data = words                                                                      \
	}

static const char *const enabled_words[] = { "always", "madvise", "never", NULL };
static const char *const size_words[] = { "always", "inherit", "madvise", "never", NULL };
static const char *const defrag_words[] = { "always",  "defer", "defer+madvise",
					    "madvise", "never", NULL };
static const char *const shmem_words[] = { "always", "within_size", "advise", "never",
					   "deny",   "force",	    NULL };

static const char *const shmem_size_words[] = { "always", "inherit", "within_size",
						"advise", "never",   NULL };

static unsigned long get_enabled(unsigned int order __maybe_unused)
{
	return READ_ONCE(knob_thp);
}

static int set_enabled(unsigned int order __maybe_unused, unsigned long n)
{
	return knob_set("thp", enabled_words[n]);
}

static unsigned long get_defrag(unsigned int order __maybe_unused)
{
	return READ_ONCE(thp_defrag);
}

static int set_defrag(unsigned int order __maybe_unused, unsigned long n)
{
	WRITE_ONCE(thp_defrag, n);
	return 0;
}

static unsigned long get_shmem(unsigned int order __maybe_unused)
{
	return READ_ONCE(knob_thp_shmem);
}

static int set_shmem(unsigned int order __maybe_unused, unsigned long n)
{
	return knob_set("thp.shmem", shmem_words[n]);
}

static unsigned long get_size(unsigned int order)
{
	return thp_size_policy(order);
}

static int set_size(unsigned int order, unsigned long n)
{
	thp_set_size_policy(order, (enum thp_size_policy)n);
	return 0;
}

static unsigned long get_shmem_size(unsigned int order)
{
	return shmem_size_policy(order);
}

static int set_shmem_size(unsigned int order, unsigned long n)
{
	shmem_set_size_policy(order, (enum shmem_size_policy)n);
	return 0;
}

static const struct words enabled = { enabled_words, get_enabled, set_enabled, 0 };
static const struct words defrag = { defrag_words, get_defrag, set_defrag, 0 };
static const struct words shmem_enabled = { shmem_words, get_shmem, set_shmem, 0 };

/* ---- one size ---- */

struct size_event {
	unsigned int order;
	enum thp_event event;
};

static int event_show(struct seq *s)
{
	const struct size_event *e = s->node->entry->data;

	seq_printf(s, "%lu\n", thp_events(e->order, e->event));
	return 0;
}

/* There are no memory cgroups, which might refuse the charge. */
static int zero_show(struct seq *s)
{
	seq_printf(s, "0\n");
	return 0;
}

#define NO_EVENT(n)                                                                                \
	{                                                                                          \
		.name = n, .mode = S_IFREG | 0444, .show = zero_show                               \
	}

#define EVENT(n, order, event)                                                                     \
	{                                                                                          \
		.name = n, .mode = S_IFREG | 0444, .show = event_show,                             \
		.data = &(const struct size_event)                                                 \
		{                                                                                  \
			order, event                                                               \
		}                                                                                  \
	}

#define SIZE(o)                                                                                    \
	static const struct words size_words_##o = { size_words, get_size, set_size, o };          \
	static const struct words shmem_size_words_##o = { shmem_size_words, get_shmem_size,       \
							   set_shmem_size, o };                    \
	static const struct proc_entry stats_entries_##o[] = {                                     \
		EVENT("anon_fault_alloc", o, THP_COUNT_ALLOC),                                     \
		EVENT("anon_fault_fallback", o, THP_COUNT_FALLBACK),                               \
		NO_EVENT("anon_fault_fallback_charge"),                                            \
		EVENT("shmem_alloc", o, THP_COUNT_SHMEM_ALLOC),                                    \
		EVENT("shmem_fallback", o, THP_COUNT_SHMEM_FALLBACK),                              \
		NO_EVENT("shmem_fallback_charge"),                                                 \
		EVENT("split", o, THP_COUNT_SPLIT),                                                \
		EVENT("split_deferred", o, THP_COUNT_SPLIT_DEFERRED),                              \
		EVENT("split_failed", o, THP_COUNT_SPLIT_FAILED),                                  \
		{ 0 },                                                                             \
	};                                                                                         \
	static const struct proc_entry size_entries_##o[] = {                                      \
		WORDS("enabled", &size_words_##o),                                                 \
		WORDS("shmem_enabled", &shmem_size_words_##o),                                     \
		DIR("stats", stats_entries_##o),                                                   \
		{ 0 },                                                                             \
	}

SIZE(2);
SIZE(3);
SIZE(4);
SIZE(5);
SIZE(6);
SIZE(7);
SIZE(8);
SIZE(9);

/* ---- khugepaged ---- */

struct number {
	unsigned long *value;
	unsigned long lo, hi;
};

static int number_show(struct seq *s)
{
	const struct number *n = s->node->entry->data;

	seq_printf(s, "%lu\n", READ_ONCE(*n->value));
	return 0;
}

static int number_write(const struct proc_node *node, char *text)
{
	const struct number *n = node->entry->data;
	unsigned long value;

	if (kstrtoul(line_of(text), 10, &value) || value < n->lo || value > n->hi)
		return -EINVAL;
	WRITE_ONCE(*n->value, value);
	return 0;
}

/* A sleep that was too long ends. */
static int sleep_write(const struct proc_node *node, char *text)
{
	int err = number_write(node, text);

	if (!err)
		khugepaged_wake();
	return err;
}

#define SETTING(n, w, member, lo, hi)                                                              \
	{                                                                                          \
		.name = n, .mode = S_IFREG | 0644, .show = number_show, .write = w,                \
		.data = &(const struct number)                                                     \
		{                                                                                  \
			&khugepaged_settings.member, lo, hi                                        \
		}                                                                                  \
	}
#define COUNT(n)                                                                                   \
	{                                                                                          \
		.name = #n, .mode = S_IFREG | 0444, .show = number_show,                           \
		.data = &(const struct number)                                                     \
		{                                                                                  \
			&khugepaged_counts.n, 0, 0                                                 \
		}                                                                                  \
	}

static const struct proc_entry khugepaged_entries[] = {
	SETTING("alloc_sleep_millisecs", sleep_write, alloc_sleep_ms, 0, ~0U),
	SETTING("defrag", number_write, defrag, 0, 1),
	COUNT(full_scans),
	SETTING("max_ptes_none", number_write, max_ptes_none, 0, PTRS_PER_TABLE - 1),
	SETTING("max_ptes_shared", number_write, max_ptes_shared, 0, PTRS_PER_TABLE - 1),
	SETTING("max_ptes_swap", number_write, max_ptes_swap, 0, PTRS_PER_TABLE - 1),
	COUNT(pages_collapsed),
	SETTING("pages_to_scan", number_write, pages_to_scan, 1, ~0U),
	SETTING("scan_sleep_millisecs", sleep_write, scan_sleep_ms, 0, ~0U),
	{ 0 },
};

/* ---- the tree ---- */

static int pmd_size_show(struct seq *s)
{
	seq_printf(s, "%lu\n", PMD_SIZE);
	return 0;
}

static const struct number use_zero_page = { &knob_thp_zero_page, 0, 1 };

static const struct proc_entry thp_entries[] = {
	WORDS("defrag", &defrag),
	WORDS("enabled", &enabled),
	{ .name = "hpage_pmd_size", .mode = S_IFREG | 0444, .show = pmd_size_show },
	DIR("hugepages-1024kB", size_entries_8),
	DIR("hugepages-128kB", size_entries_5),
	DIR("hugepages-16kB", size_entries_2),
	DIR("hugepages-2048kB", size_entries_9),
	DIR("hugepages-256kB", size_entries_6),
	DIR("hugepages-32kB", size_entries_3),
	DIR("hugepages-512kB", size_entries_7),
	DIR("hugepages-64kB", size_entries_4),
	DIR("khugepaged", khugepaged_entries),
	WORDS("shmem_enabled", &shmem_enabled),
	{ .name = "use_zero_page",
	  .mode = S_IFREG | 0644,
	  .show = number_show,
	  .write = number_write,
	  .data = &use_zero_page },
	{ 0 },
};

const struct proc_entry sysfs_mm_entries[] = { DIR("transparent_hugepage", thp_entries), { 0 } };
